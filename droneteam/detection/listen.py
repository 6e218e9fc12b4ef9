"""The loop that joins receivers to the watch and the watch to the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam.db import read_scope, session_scope
from droneteam.detection import service
from droneteam.detection.receivers import DatagramReceiver
from droneteam.detection.records import Received
from droneteam.detection.watch import Known, Moment, Watch

logger = logging.getLogger(__name__)

POLL_S = 0.1
KnownAir = Callable[[Session, datetime], Known]


class Listener:
    """Feeds receptions to a watch and stores each moment that they complete."""

    def __init__(self, engine: Engine, known_air: KnownAir, started_at: datetime) -> None:
        self._engine = engine
        self._pending: list[tuple[Received, int | None]] = []
        with session_scope(engine) as session:
            service.close_previous_watch(session, started_at)
            first_id = service.next_track_id(session)

        def known(at: datetime) -> Known:
            with read_scope(engine) as session:
                return known_air(session, at)

        self.watch = Watch(known, first_track_id=first_id)

    def hear(self, received: Received) -> None:
        """One reception."""
        track, moment = self.watch.feed(received)
        self._pending.append((received, None if track is None else track.id))
        self._store(moment)

    def pass_time(self, now: datetime) -> None:
        """Apply the rules although nothing was heard."""
        self._store(self.watch.tick(now))

    def _store(self, moment: Moment | None) -> None:
        if moment is None:
            return
        with session_scope(self._engine) as session:
            service.store_moment(session, moment, self._pending)
        self._pending = []
        for change in moment.changes:
            logger.info("alert %s: %s", change.change, change.alert.condition)


def listen(listener: Listener, receiver: DatagramReceiver, stop: threading.Event) -> None:
    """Hear until `stop` is set; while nothing is heard, time goes on at the clock's pace."""
    heard_at: datetime | None = None
    clock_s = time.monotonic()
    while not stop.is_set():
        received = receiver.receive(POLL_S)
        if received is not None:
            heard_at = received.at if heard_at is None else max(heard_at, received.at)
            clock_s = time.monotonic()
            listener.hear(received)
        elif heard_at is not None:
            listener.pass_time(heard_at + timedelta(seconds=time.monotonic() - clock_s))


def replay(listener: Listener, receptions: Iterable[Received], speed: float | None) -> int:
    """How many receptions were heard; at `speed` times their own pace, or as fast as possible."""
    started_s, first_at, count = time.monotonic(), None, 0
    for received in receptions:
        first_at = first_at or received.at
        if speed is not None:
            due_s = (received.at - first_at).total_seconds() / speed
            time.sleep(max(0.0, due_s - (time.monotonic() - started_s)))
        listener.hear(received)
        count += 1
    return count
