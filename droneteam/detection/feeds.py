"""TCP streams of manned aircraft: connect, read, and connect again, each in its own thread.

A stream that is connected says so every HEARTBEAT_S, whether or not an aircraft is near; one that
cannot be reached falls silent, and the watch raises the alert.
"""

from __future__ import annotations

import logging
import queue
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from droneteam.detection.aircraft import BeastParser, SbsParser
from droneteam.detection.records import Alive, Plot, Record, Trouble
from droneteam.errors import InputError

logger = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
READ_S = 1.0
CONNECT_S = 5.0
READ_BYTES = 65536
INBOX_SIZE = 20_000


class Parser(Protocol):
    """Bytes to plots."""

    refused: int

    def feed(self, content: bytes, at: datetime) -> list[Plot]:
        """The plots that these bytes complete."""


PARSERS: dict[str, Callable[[str], Parser]] = {"beast": BeastParser, "sbs": SbsParser}


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

    def put(self, record: Record) -> None:
        """Keep a record for the loop."""
        try:
            self._queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def drain(self) -> list[Record]:
        """Everything that has come."""
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]


class TcpFeed:
    """One stream, followed until it is stopped.

    kind : "beast" or "sbs". name : the receiver's, in plots and alerts.
    """

    def __init__(self, kind: str, name: str, address: tuple[str, int], inbox: Inbox) -> None:
        if kind not in PARSERS:
            raise InputError(f"stream {kind!r} is none of {', '.join(PARSERS)}", field="kind")
        self.name = name
        self.failures = 0
        self.connections = 0
        self.last_problem = ""
        self._address = address
        self._new_parser = PARSERS[kind]
        self._inbox = inbox
        self._backoff = Backoff()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"feed-{name}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        # Known from the start: a stream that never answers is silent, too.
        self._inbox.put(Alive(datetime.now(UTC), self.name))
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(self._address, CONNECT_S) as connection:
                    self.connections += 1
                    self._follow(connection)
            except OSError as error:
                self.last_problem = str(error)
            self.failures += 1
            if not self._stop.is_set():
                problem = self.last_problem or "ended"
                logger.warning("receiver %s: %s", self.name, problem)
                self._inbox.put(Trouble(datetime.now(UTC), self.name, problem))
                self._stop.wait(self._backoff.delay_s(self.failures, random.random()))

    def _follow(self, connection: socket.socket) -> None:
        parser = self._new_parser(self.name)
        connection.settimeout(READ_S)
        told_s = -HEARTBEAT_S
        while not self._stop.is_set():
            if time.monotonic() - told_s >= HEARTBEAT_S:
                told_s = time.monotonic()
                self._inbox.put(Alive(datetime.now(UTC), self.name))
            try:
                content = connection.recv(READ_BYTES)
            except TimeoutError:
                continue
            if not content:
                self.last_problem = "the server closed the connection"
                return
            self.failures = 0
            for plot in parser.feed(content, datetime.now(UTC)):
                self._inbox.put(plot)
