"""The loop that joins receivers to the watch and the watch to the database."""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from droneteam.db import read_scope, session_scope
from droneteam.detection import reception, retention, service
from droneteam.detection.alert import AlertRules
from droneteam.detection.clocks import Clocks
from droneteam.detection.coverage import CELLS_AT_ONCE, CoverageBook
from droneteam.detection.feeds import Inbox
from droneteam.detection.gathered import Gathered, raised
from droneteam.detection.health import Ledger
from droneteam.detection.limit import Limiter
from droneteam.detection.receivers import DatagramReceiver
from droneteam.detection.records import Alive, Leave, Placed, Received, Record, Trouble
from droneteam.detection.service import Origin
from droneteam.detection.storage import Errand, Storage
from droneteam.detection.suspicion import Site
from droneteam.detection.watch import TICK_S, Known, Moment, Watch

logger = logging.getLogger(__name__)

POLL_S = 0.1
PASS_S = 0.025
"""Shortest time between two looks at what has come.

A look has its price, however little came: at 1,000 messages a second, looks that are 25 ms apart
take half of what looks 10 ms apart do."""
SWITCH_S = 0.0005
"""The longest that a thread works while another one waits."""
STORE_S = 1.0
"""How often tracks are handed over to be stored; an alert is at once."""
STORAGE = "database"
"""The name of the storage's row among the receivers."""
KNOWN_S = 1.0
"""How long what is known of the air is used before it is read again."""
HEALTH_S = 5.0
"""How often the receivers' rows are renewed."""
COVERAGE_S = 10.0
"""How often the counts of where receivers hear are stored."""
MAX_BATCH = 2000
ASK_S = 600.0
KnownAir = Callable[[Session, datetime], Known]


class Listener:
    """Feeds records to a watch and stores what comes of them."""

    def __init__(
        self,
        engine: Engine,
        known_air: KnownAir,
        started_at: datetime,
        sites: Mapping[str, Site] | None = None,
        origin: Origin = "live",
    ) -> None:
        self._engine = engine
        self._sites = dict(sites or {})
        self._told_sites: dict[str, Site] = {}
        self._known_air = known_air
        self._known: tuple[datetime, Known] | None = None
        self._gathered = Gathered()
        self._placed: dict[int, datetime] = {}
        self._newest: datetime | None = None
        self._stored_at: datetime | None = None
        self._rules = AlertRules()
        self._ledger = Ledger()
        self._health_at: datetime | None = None
        self._origin: Origin = origin
        self._coverage = CoverageBook()
        self._covered_at: datetime | None = None
        self._covering = False
        self.limiter = Limiter()
        self.clocks = Clocks()
        self.storage = Storage(engine, origin=origin)
        with session_scope(engine) as session:
            service.close_previous_watch(session, started_at, origin)
            first_id = service.next_track_id(session, origin)
            if origin == "live":
                reception.store_sites(session, self._sites.values(), started_at)
        self.watch = Watch(self._known_at, self._rules, first_track_id=first_id)

    def _known_at(self, at: datetime) -> Known:
        known = self._known
        if known is None or abs((at - known[0]).total_seconds()) >= KNOWN_S:
            known = self._known = (at, self._read_known(at))
        return known[1]

    def _read_known(self, at: datetime) -> Known:
        """What is known of the air; what was known before while the database does not answer."""
        try:
            with read_scope(self._engine) as session:
                air = self._known_air(session, at)
        except OperationalError as error:
            if self._known is None:
                raise
            logger.error("what is known of the air cannot be read, using what was: %s", error)
            return self._known[1]
        return replace(air, sites={**air.sites, **self._told_sites, **self._sites})

    def arrive(self, records: Iterable[Record], arrived_at: datetime) -> list[Record]:
        """The records that came just now, dated by a clock that is right.

        Those that repeat what is over are kept as they were received and not followed.
        """
        followed = []
        for record in records:
            dated, verdict = self.clocks.judge(record, arrived_at)
            if verdict != "over":
                followed.append(dated)
            elif isinstance(record, Received) and self.limiter.allows(record):
                self._gathered.heard.append((record, None))
        return followed

    def arrive_from_feeds(self, records: Iterable[Record], arrived_at: datetime) -> list[Record]:
        """The same for what feeds gave, whose own signs and complaints this machine has dated."""
        followed: list[Record] = []
        for record in records:
            if isinstance(record, Alive | Trouble | Leave):
                self.clocks.agree()
                followed.append(record)
            else:
                followed += self.arrive([record], arrived_at)
        return followed

    def hear(self, records: Sequence[Record]) -> None:
        """Records of TICK_S at most, in the order of their coming."""
        fair = [one for one in records if not isinstance(one, Received) or self.limiter.allows(one)]
        self._ledger.note(records, self.limiter.dropped)
        for record in records:
            if isinstance(record, Placed):
                self._told_sites[record.receiver] = Site(
                    record.receiver, record.lat_deg, record.lon_deg, record.range_m
                )
        if not fair:
            return
        ids, moment = self.watch.feed_many(fair)
        self._gathered.heard += [
            (record, track_id)
            for record, track_id in zip(fair, ids, strict=True)
            if isinstance(record, Received)
        ]
        self._take(moment)

    def pass_time(self, now: datetime) -> None:
        """What time alone changes."""
        self._take(self.watch.tick(now))

    def wait_s(self, now: datetime, limit_s: float) -> float:
        """How long nothing has to be done if nothing is heard, up to a limit."""
        due = self.watch.due
        return limit_s if due is None else min(limit_s, max(0.0, (due - now).total_seconds()))

    def _take(self, moment: Moment | None) -> None:
        """Gather what moments change, and hand it over when it is time to; alerts at once."""
        if moment is None:
            return
        self._newest = moment.at
        self._gathered.take(moment)
        for change in moment.changes:
            level = logging.WARNING if change.change == "raised" else logging.INFO
            logger.log(level, "alert %s: %s", change.change, change.alert.condition)
        if moment.changes:
            self.storage.store_alerts(raised(moment))
        last = self._stored_at
        if last is None or (moment.at - last).total_seconds() >= STORE_S:
            self.flush()

    def ask_for_erasure(self) -> None:
        """Have a worker erase what is past its time; at most once an hour."""

        def ask(session: Session) -> None:
            retention.ask_for_erasure(session, datetime.now(UTC))

        self.storage.store(Gathered(), {"erasure": ask})

    def flush(self) -> None:
        """Hand over what was gathered since the last time."""
        now = self._newest
        if now is None:
            return
        gathered, self._gathered = self._gathered, Gathered()
        gathered.close(self._placed)
        self.storage.store(gathered, self._errands(now, gathered))
        self._stored_at = now

    def close(self, now: datetime) -> None:
        """Store what is left; what a replay showed is over."""
        self.flush()
        self.storage.store(Gathered(), {"coverage": self._coverage.store_all})
        if self._origin == "replay":

            def end(session: Session) -> None:
                service.close_previous_watch(session, now, "replay")

            self.storage.store(Gathered(), {"end": end})
        self.storage.stop()

    def _errands(self, now: datetime, gathered: Gathered) -> dict[str, Errand]:
        """What is stored beside what was gathered: nothing of a replay is of now."""
        if self._origin == "replay":
            return {}
        return self._upkeep(now) | self._covered(now, gathered)

    def _covered(self, now: datetime, gathered: Gathered) -> dict[str, Errand]:
        """Count where receivers hear; stored now and then."""
        self._coverage.note(gathered.heard, (track for track, _ in gathered.tracks.values()))
        self._covered_at = last = self._covered_at or now
        if (now - last).total_seconds() < COVERAGE_S and not self._covering:
            return {}
        self._covered_at = now
        # What does not fit into one transaction is stored with the next ones.
        self._covering = len(self._coverage) > CELLS_AT_ONCE
        return {"coverage": self._coverage.store}

    def _upkeep(self, now: datetime) -> dict[str, Errand]:
        """Escalate what nobody looked at, and renew the receivers' rows now and then."""

        def escalate(session: Session) -> None:
            for alert_id in service.escalate_due(session, now):
                logger.warning("alert %s: nobody has acknowledged it", alert_id)

        last = self._health_at
        if last is not None and (now - last).total_seconds() < HEALTH_S:
            return {"escalate": escalate}
        self._health_at = now
        self._note_storage(now)
        for row in self._ledger.rows:
            remark = self.clocks.remark(row.name)
            if remark and not row.remark:
                logger.warning("receiver %s: %s", row.name, remark)
            self._ledger.remark(row.name, remark)
        rows, silent_after_s = self._ledger.rows, self._rules.silent_after_s

        def renew(session: Session) -> None:
            reception.store_health(session, rows, now, silent_after_s)

        return {"escalate": escalate, "health": renew}

    def _note_storage(self, now: datetime) -> None:
        """A database that has refused has a row beside the receivers, once it stores again."""
        storage = self.storage
        if storage.problem:
            self._ledger.note([Trouble(now, STORAGE, storage.problem)], {STORAGE: storage.lost})
        elif storage.failures:
            self._ledger.note([Alive(now, STORAGE)], {STORAGE: storage.lost})


def listen(
    listener: Listener,
    receiver: DatagramReceiver,
    stop: threading.Event,
    inbox: Inbox | None = None,
    *,
    own_time: bool = False,
) -> None:
    """Hear until `stop` is set; while nothing is heard, time goes on at the clock's pace.

    own_time : believe the times that records carry, whatever this machine's clock says; for
    simulators whose time runs faster than it
    """
    listener.storage.start()
    with _quick_handover():
        _follow(listener, receiver, stop, inbox, own_time=own_time)
    listener.close(datetime.now(UTC))


@contextmanager
def _quick_handover() -> Iterator[None]:
    """Threads take turns every SWITCH_S.

    The storage's thread gives the interpreter away with every row; at Python's 5 ms it would wait
    so long for each of them while records are followed, and an alert with it.
    """
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)


def _follow(
    listener: Listener,
    receiver: DatagramReceiver,
    stop: threading.Event,
    inbox: Inbox | None,
    *,
    own_time: bool,
) -> None:
    clock = _Clock()
    asked_s = passed_s = -math.inf
    while not stop.is_set():
        if time.monotonic() - asked_s >= ASK_S:
            asked_s = time.monotonic()
            listener.ask_for_erasure()
        stop.wait(max(0.0, passed_s + PASS_S - time.monotonic()))
        passed_s = time.monotonic()
        records = receiver.receive_many(clock.wait_s(listener), MAX_BATCH)
        given = [] if inbox is None else inbox.drain()
        if own_time:
            records += given
        else:
            now = datetime.now(UTC)
            records = listener.arrive(records, now) + listener.arrive_from_feeds(given, now)
        clock.hear(records)
        for batch in batches(records):
            listener.hear(batch)
        if clock.now is not None:
            listener.pass_time(clock.now)


class _Clock:
    """The records' own time, which goes on at the pace of the machine's clock."""

    def __init__(self) -> None:
        self._heard_at: datetime | None = None
        self._heard_s = 0.0

    @property
    def now(self) -> datetime | None:
        """None until something was heard."""
        if self._heard_at is None:
            return None
        return self._heard_at + timedelta(seconds=time.monotonic() - self._heard_s)

    def hear(self, records: Sequence[Record]) -> None:
        """Records came; the clock never runs back."""
        now = self.now
        newest = max((record.at for record in records), default=None)
        if newest is not None and (now is None or newest > now):
            self._heard_at, self._heard_s = newest, time.monotonic()

    def wait_s(self, listener: Listener) -> float:
        """How long to wait for records."""
        return POLL_S if self.now is None else listener.wait_s(self.now, POLL_S)


def replay(listener: Listener, records: Iterable[Record], speed: float | None) -> int:
    """How many records were heard; at `speed` times their own pace, or as fast as possible."""
    started_s, first_at, count = time.monotonic(), None, 0
    for batch in batches(records):
        first_at = first_at or batch[0].at
        if speed is not None:
            due_s = (batch[-1].at - first_at).total_seconds() / speed
            time.sleep(max(0.0, due_s - (time.monotonic() - started_s)))
        listener.hear(batch)
        count += len(batch)
    listener.flush()
    return count


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Runs of records that span less than TICK_S: what may be looked at together."""
    batch: list[Record] = []
    for record in records:
        if batch and (_span_s(batch, record) >= TICK_S or len(batch) >= MAX_BATCH):
            yield batch
            batch = []
        batch.append(record)
    if batch:
        yield batch


def _span_s(batch: Sequence[Record], record: Record) -> float:
    """The record's distance from the batch's first; records come nearly in the order of time."""
    return abs((record.at - batch[0].at).total_seconds())
