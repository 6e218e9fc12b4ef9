"""What the watch gives, stored without keeping the watch waiting.

Once started, a thread stores: alerts as soon as they come, the rest in slices between them.  While
the database refuses (its disk is full, its server is away) everything waits and is tried again.
Nothing that was accepted is lost while the database works: who brings more than it can take is
made to wait, and the waiting is counted.  While it does not work, alerts and tracks wait for as
long as it takes; of payloads and points the oldest are given up above MAX_WAITING, and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from droneteam.db import session_scope
from droneteam.detection import storing
from droneteam.detection.gathered import Gathered, Raised
from droneteam.detection.service import Origin

logger = logging.getLogger(__name__)

Errand: TypeAlias = Callable[[Session], None]
"""Something else that is to be stored; a newer one of the same name replaces it."""

SLICE_ROWS = 100
"""A hundredth of a second or two: so long an alert waits for what is being stored."""
SLICES = 20
"""What waits is stored in no more slices than this: each has its price, too."""
MAX_WAITING = 100_000
RETRY_S = 1.0


class Storage:
    """Stores in the caller's thread, or once started in its own.

    failures : how often the database refused; problem : why it does so now, "" while it works;
    lost : payloads and points given up; waited_s : how long callers were made to wait.
    """

    def __init__(
        self, engine: Engine, *, max_waiting: int = MAX_WAITING, origin: Origin = "live"
    ) -> None:
        self._engine = engine
        self._origin: Origin = origin
        self._max_waiting = max_waiting
        self._alerts: deque[Raised] = deque()
        self._gathered = Gathered()
        self._errands: dict[str, Errand] = {}
        self._work = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.failures = 0
        self.problem = ""
        self.lost = 0
        self.waited_s = 0.0

    def start(self) -> None:
        """From now on a thread stores."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="detection-storage", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what waits, in vain once if the database refuses, and end the thread."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._work:
            self._stopping = True
            self._work.notify_all()
        thread.join()

    def store_alerts(self, raised: Raised) -> None:
        """Keep changes of alerts, before anything else that waits."""
        with self._work:
            self._alerts.append(raised)
            self._work.notify_all()
        self._store_here()

    def store(self, gathered: Gathered, errands: dict[str, Errand]) -> None:
        """Keep the rest."""
        with self._work:
            self._gathered.join(gathered)
            self._errands |= errands
            self._work.notify_all()
            self._make_room()
        self._store_here()

    def _store_here(self) -> None:
        if self._thread is None:
            while self._store_next():
                pass

    def _make_room(self) -> None:
        """Wait for the thread, or give up the oldest while it cannot store."""
        began_s = time.monotonic()
        while self._thread is not None and self._too_much() > 0 and not self.problem:
            self._work.wait(RETRY_S)
        self.waited_s += time.monotonic() - began_s
        if self.problem and (over := self._too_much()) > 0:
            before = len(self._gathered)
            del self._gathered.heard[:over]
            del self._gathered.points[: max(0, self._too_much())]
            self.lost += before - len(self._gathered)

    def _too_much(self) -> int:
        return len(self._gathered.heard) + len(self._gathered.points) - self._max_waiting

    def _run(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: self._stopping or self._waiting())
                if not self._waiting():
                    return
            try:
                self._store_next()
            except OperationalError as error:
                self._refused(error)
                if self._stopping:
                    self._give_up()
                    return
                with self._work:
                    self._work.wait_for(lambda: self._stopping, timeout=RETRY_S)
            else:
                self._accepted()

    def _waiting(self) -> bool:
        return bool(self._alerts or self._gathered or self._errands)

    def _store_next(self) -> bool:
        """Whether there was something to store; on an error it waits as before."""
        with self._work:
            raised = self._alerts[0] if self._alerts else None
            rows = max(SLICE_ROWS, len(self._gathered) // SLICES)
            part = self._gathered.slice(rows) if raised is None else Gathered()
            last = raised is None and not part and not self._gathered
            # One at a time: an alert must not wait for all of them.
            errands = dict(list(self._errands.items())[:1]) if last else {}
        if raised is None and not part and not errands:
            return False
        try:
            self._write(raised, part, errands)
        except OperationalError:
            with self._work:
                part.join(self._gathered)
                self._gathered = part
            raise
        with self._work:
            if raised is not None:
                self._alerts.popleft()
            for name, errand in errands.items():
                if self._errands.get(name) is errand:
                    del self._errands[name]
            self._work.notify_all()
        return True

    def _write(self, raised: Raised | None, part: Gathered, errands: dict[str, Errand]) -> None:
        with session_scope(self._engine) as session:
            if raised is not None:
                storing.store_alerts(session, raised, self._origin)
            storing.store_gathered(session, part, self._origin)
            for errand in list(errands.values()):
                errand(session)

    def _refused(self, error: OperationalError) -> None:
        self.failures += 1
        problem = str(error.orig)
        if problem != self.problem:
            logger.error(
                "the database refuses (%s): %d changes of alerts and %d rows wait, tried again "
                "every %.0f s",
                problem,
                len(self._alerts),
                len(self._gathered),
                RETRY_S,
            )
        with self._work:
            self.problem = problem
            self._work.notify_all()

    def _accepted(self) -> None:
        if self.problem:
            logger.warning("the database stores again; %d rows were given up", self.lost)
            self.problem = ""

    def _give_up(self) -> None:
        logger.error(
            "stopped while the database refuses: %d changes of alerts and %d rows are not stored",
            len(self._alerts),
            len(self._gathered),
        )
