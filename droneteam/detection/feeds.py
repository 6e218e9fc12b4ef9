"""Receivers that run beside the loop: each in its own thread, tried again when it breaks.

A source (`sources`) knows one way of hearing.  A feed follows it until it is stopped, waits longer
after every failure in a row, and says on the receiver's behalf how it is: a source that hears says
so every HEARTBEAT_S, whether or not anything flies; one that cannot hear says why and falls
silent, and the watch raises the alert.  An outlet is where a source puts what it hears: it
counts and bounds it, so that one receiver that is flooded cannot fill everybody's inbox.
"""

from __future__ import annotations

import logging
import math
import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from droneteam.detection.limit import Bucket
from droneteam.detection.records import (
    Alive,
    Counts,
    Leave,
    Placed,
    Plot,
    Received,
    Record,
    Trouble,
)
from droneteam.errors import DroneteamError

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
INBOX_SIZE = 20_000
RATE_PER_S = 3000.0
"""What one receiver may put into the inbox: three times the busiest sky that is planned for."""
BURST = 6000.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before the next try: doubling, with a spread, up to a limit."""

    first_s: float = 0.5
    limit_s: float = 30.0

    def delay_s(self, failures: int, chance: float) -> float:
        """After so many failures in a row; chance in [0, 1] spreads many receivers' tries."""
        full_s = min(self.limit_s, self.first_s * 2.0 ** min(failures - 1, 30))
        return full_s * (0.5 + 0.5 * chance)


class Inbox:
    """Records from other threads; when it is full, the newest are dropped and counted."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Record] = queue.Queue(INBOX_SIZE)
        self.dropped = 0

    def put(self, record: Record) -> bool:
        """Keep a record for the loop; whether there was room."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def drain(self) -> list[Record]:
        """Everything that has come."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Outlet:
    """Where one receiver puts what it hears, and what it says of itself.

    Used by one thread at a time.  What was heard keeps the receiver's stamps (`clocks` judges
    them); what is said on its behalf has this machine's.
    """

    name: str
    kind: str
    inbox: Inbox
    clock: Callable[[], datetime] = _now
    counts: Counts = field(default_factory=Counts)
    heard: int = 0
    """Records that were taken, since the start."""
    _bucket: Bucket | None = None
    _told: dict[str, float] = field(default_factory=dict)

    def connected(self) -> None:
        """The source hears from now on."""
        self.counts = replace(self.counts, connections=self.counts.connections + 1)
        self._told.pop(self.name, None)
        self.alive()

    def put(self, record: Received | Plot | Placed) -> None:
        """Hand over what was heard; over the receiver's rate it is lost, and counted."""
        # A share must not depend on a clock that somebody sets.
        passing = datetime.fromtimestamp(time.monotonic(), UTC)
        if self._bucket is None:
            self._bucket = Bucket(BURST, passing)
        if not self._bucket.take(passing, RATE_PER_S, BURST):
            self.lose(1)
        elif self.inbox.put(record):
            self.heard += 1
        else:
            self.lose(1)

    def _due(self, what: str, every_s: float) -> bool:
        now_s = time.monotonic()
        if now_s - self._told.get(what, -math.inf) < every_s:
            return False
        self._told[what] = now_s
        return True

    def refuse(self, problem: object, count: int = 1) -> None:
        """Count something that was heard and cannot be read."""
        logger.debug("receiver %s: %s", self.name, problem)
        self.counts = replace(self.counts, refused=self.counts.refused + count)

    def lose(self, count: int) -> None:
        """Count what was in the air and did not reach us."""
        self.counts = replace(self.counts, lost=self.counts.lost + count)

    def alive(self, sensor: str | None = None) -> None:
        """Say that the source works; at most every HEARTBEAT_S.

        sensor : a part of it with a row of its own, as the sensors behind one broker have.
        """
        name = sensor or self.name
        if not self._due(name, HEARTBEAT_S):
            return
        counts = None if sensor else self.counts
        self.inbox.put(Alive(self.clock(), name, self.kind, counts))

    def complain(self, problem: str, sensor: str | None = None) -> None:
        """Say what keeps the source, or one of its sensors, from working."""
        name = sensor or self.name
        logger.warning("receiver %s: %s", name, problem)
        counts = None if sensor else self.counts
        self.inbox.put(Trouble(self.clock(), name, problem, self.kind, counts))

    def leave(self, sensor: str) -> None:
        """Say that one of the source's sensors is none any more: nobody need miss it."""
        self._told.pop(sensor, None)
        self.inbox.put(Leave(self.clock(), sensor))


class Source(Protocol):
    """One way of hearing."""

    @property
    def kind(self) -> str:
        """What kind of receiver it is, in one word."""

    def follow(self, outlet: Outlet, stop: threading.Event) -> None:
        """Hear until `stop` is set.

        Raises
        ------
        LinkError, SetupError, OSError
            It cannot go on; the message says what, where and what to do.
        """


class Feed:
    """One source, followed until it is stopped.

    name : the receiver's, in records and alerts.
    """

    def __init__(
        self, name: str, source: Source, inbox: Inbox, backoff: Backoff | None = None
    ) -> None:
        self.name = name
        self.failures = 0
        self.last_problem = ""
        self._source = source
        self._inbox = inbox
        self._outlet = Outlet(name, source.kind, inbox)
        self._backoff = backoff or Backoff()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed-{name}", daemon=True)

    @property
    def connections(self) -> int:
        """How often it was connected."""
        return self._outlet.counts.connections

    @property
    def counts(self) -> Counts:
        """What it has counted."""
        return self._outlet.counts

    def start(self) -> None:
        """Begin to follow."""
        # Known from the start: a source that never answers is silent, too.
        self._outlet.alive()
        self._thread.start()

    def stop(self) -> None:
        """Have it end; `close` waits for it."""
        self._stop.set()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            before, since_s = self._outlet.heard, time.monotonic()
            problem = self._followed()
            if self._stop.is_set():
                return
            # What heard something, or held for long, has not failed in a row.
            lasted = time.monotonic() - since_s > self._backoff.limit_s
            worked = lasted or self._outlet.heard > before
            self.failures = 1 if worked else self.failures + 1
            self.last_problem = problem
            self._outlet.complain(problem)
            self._stop.wait(self._backoff.delay_s(self.failures, random.random()))

    def _followed(self) -> str:
        """Why the source was left."""
        try:
            self._source.follow(self._outlet, self._stop)
        except (OSError, DroneteamError) as error:
            return str(error) or type(error).__name__
        return "ended without saying why"
