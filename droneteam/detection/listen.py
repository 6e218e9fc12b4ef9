"""The loop that joins receivers to the watch and the watch to the database."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam.db import read_scope, session_scope
from droneteam.detection import reception, retention, service
from droneteam.detection.alert import AlertRules
from droneteam.detection.conformance import Conformance
from droneteam.detection.feeds import Inbox
from droneteam.detection.health import Ledger
from droneteam.detection.limit import Limiter
from droneteam.detection.match import Match
from droneteam.detection.receivers import DatagramReceiver
from droneteam.detection.records import Placed, Received, Record, Track
from droneteam.detection.suspicion import Site
from droneteam.detection.watch import TICK_S, Known, Moment, Watch

logger = logging.getLogger(__name__)

POLL_S = 0.1
STORE_S = 1.0
"""How often tracks are stored when no alert changes; an alert is stored at once."""
KNOWN_S = 1.0
"""How long what is known of the air is used before it is read again."""
HEALTH_S = 5.0
"""How often the receivers' rows are renewed."""
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
    ) -> None:
        self._engine = engine
        self._sites = dict(sites or {})
        self._told_sites: dict[str, Site] = {}
        self._known_air = known_air
        self._known: tuple[datetime, Known] | None = None
        self._pending: list[tuple[Received, int | None]] = []
        self._changed: dict[int, tuple[Track, Match]] = {}
        self._ended: list[Track] = []
        self._merged: set[int] = set()
        self._moment: Moment | None = None
        self._conforming: dict[int, Conformance] = {}
        self._stored_at: datetime | None = None
        self._rules = AlertRules()
        self._ledger = Ledger()
        self._health_at: datetime | None = None
        self.limiter = Limiter()
        with session_scope(engine) as session:
            service.close_previous_watch(session, started_at)
            first_id = service.next_track_id(session)
        self.watch = Watch(self._known_at, self._rules, first_track_id=first_id)

    def _known_at(self, at: datetime) -> Known:
        known = self._known
        if known is None or abs((at - known[0]).total_seconds()) >= KNOWN_S:
            with read_scope(self._engine) as session:
                air = self._known_air(session, at)
            known = self._known = (
                at,
                replace(air, sites={**air.sites, **self._told_sites, **self._sites}),
            )
        return known[1]

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
        self._pending += [
            (record, track_id)
            for record, track_id in zip(fair, ids, strict=True)
            if isinstance(record, Received)
        ]
        self._take(moment)

    def pass_time(self, now: datetime) -> None:
        """Apply the rules although nothing was heard."""
        self._take(self.watch.tick(now))

    def _take(self, moment: Moment | None) -> None:
        """Gather what moments change, and store it when it is time to."""
        if moment is None:
            return
        self._moment = moment
        self._changed |= {track.id: (track, match) for track, match in moment.changed}
        self._ended += moment.ended
        self._merged |= moment.merged
        self._conforming |= moment.conforming
        last = self._stored_at
        if moment.changes or last is None or (moment.at - last).total_seconds() >= STORE_S:
            self.flush()
        for change in moment.changes:
            logger.info("alert %s: %s", change.change, change.alert.condition)

    def ask_for_erasure(self) -> None:
        """Have a worker erase what is past its time; at most once an hour."""
        with session_scope(self._engine) as session:
            retention.ask_for_erasure(session, datetime.now(UTC))

    def flush(self) -> None:
        """Store what was gathered since the last time."""
        if self._moment is None:
            return
        gathered = replace(
            self._moment,
            changed=tuple(self._changed.values()),
            ended=tuple(self._ended),
            merged=frozenset(self._merged),
            conforming=self._conforming,
        )
        with session_scope(self._engine) as session:
            service.store_moment(session, gathered, self._pending)
            self._tend(session, gathered.at)
        self._stored_at, self._moment = self._moment.at, None
        self._pending, self._ended = [], []
        self._changed, self._merged, self._conforming = {}, set(), {}

    def _tend(self, session: Session, now: datetime) -> None:
        """Escalate what nobody looked at, and renew the receivers' rows now and then."""
        for alert_id in service.escalate_due(session, now):
            logger.warning("alert %s: nobody has acknowledged it", alert_id)
        last = self._health_at
        if last is None or (now - last).total_seconds() >= HEALTH_S:
            self._health_at = now
            rows = self._ledger.rows
            reception.store_health(session, rows, now, self._rules.silent_after_s)


def listen(
    listener: Listener,
    receiver: DatagramReceiver,
    stop: threading.Event,
    inbox: Inbox | None = None,
) -> None:
    """Hear until `stop` is set; while nothing is heard, time goes on at the clock's pace."""
    heard_at: datetime | None = None
    clock_s = time.monotonic()
    asked_s = -math.inf
    while not stop.is_set():
        if time.monotonic() - asked_s >= ASK_S:
            asked_s = time.monotonic()
            listener.ask_for_erasure()
        records = receiver.receive_many(POLL_S, MAX_BATCH)
        if inbox is not None:
            records += inbox.drain()
        if records:
            newest = max(record.at for record in records)
            heard_at = newest if heard_at is None else max(heard_at, newest)
            clock_s = time.monotonic()
            for batch in batches(records):
                listener.hear(batch)
        elif heard_at is not None:
            listener.pass_time(heard_at + timedelta(seconds=time.monotonic() - clock_s))
    listener.flush()


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
