"""What is erased when: each kind of personal data has its own time, and a job keeps it.

What an open alert rests on stays until the alert is cleared; what belongs to a case is in its
evidence bag, with a retention of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Engine, Select, delete, or_, select, text, update
from sqlalchemy.orm import Session

from droneteam import audit, jobs
from droneteam.accounts import SYSTEM, Actor, require_role
from droneteam.db import session_scope
from droneteam.detection.models import AlertRow, KeepRule, RidMessage, Sighting, TrackRow
from droneteam.errors import InputError

JOB_KIND = "detection.retention"
EVERY = timedelta(hours=1)
HOUR = timedelta(hours=1)
READERS = ("administrator", "auditor", "manager")

logger = logging.getLogger(__name__)


NETWORK = "net%"
"""Transports of network Remote ID begin so; all others are broadcasts."""
LEAST = timedelta(hours=1)
"""Alerts that were cleared a moment ago must still be provable."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of personal data: how long it is kept when nobody says otherwise, and at most."""

    default: timedelta
    most: timedelta


KINDS: Mapping[str, Kind] = {
    "broadcast": Kind(timedelta(hours=24), timedelta(days=30)),
    # ASTM F3411-22a, A2.6.1: a display provider keeps network Remote ID for 24 hours at most.
    "network": Kind(timedelta(hours=24), timedelta(hours=24)),
    "operator": Kind(timedelta(hours=24), timedelta(days=30)),
    "way": Kind(timedelta(days=30), timedelta(days=365)),
}
"""broadcast, network : payloads as received; operator : where an operator stood, and its
registration; way : the points of a track, and which serial and radio it had."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each kind of KINDS is kept."""

    broadcast: timedelta = KINDS["broadcast"].default
    network: timedelta = KINDS["network"].default
    operator: timedelta = KINDS["operator"].default
    way: timedelta = KINDS["way"].default

    def __post_init__(self) -> None:
        for name, kind in KINDS.items():
            kept = self.of(name)
            if not LEAST <= kept <= kind.most:
                allowed = f"{LEAST / HOUR:.0f} to {kind.most / HOUR:.0f} hours"
                raise InputError(
                    f"{name} cannot be kept {kept / HOUR:g} hours: {allowed} are allowed",
                    field=name,
                )

    def of(self, kind: str) -> timedelta:
        """How long a kind is kept."""
        return cast(timedelta, getattr(self, kind))


def kept_for(session: Session) -> Retention:
    """How long each kind is kept now."""
    rows = {row.kind: timedelta(seconds=row.keep_s) for row in session.scalars(select(KeepRule))}
    return Retention(**{kind: keep for kind, keep in rows.items() if kind in KINDS})


@dataclass(frozen=True, slots=True)
class RuleView:
    """How long a kind is kept; set_by is empty where the default holds."""

    keep: timedelta
    set_at: datetime | None
    set_by: str


def list_rules(session: Session, actor: Actor) -> dict[str, RuleView]:
    """What holds for each kind, and who has set it."""
    require_role(actor, *READERS)
    rows = {row.kind: row for row in session.scalars(select(KeepRule))}
    return {
        kind: RuleView(timedelta(seconds=row.keep_s), row.set_at, row.set_by)
        if (row := rows.get(kind)) is not None
        else RuleView(default.default, None, "")
        for kind, default in KINDS.items()
    }


def set_retention(session: Session, actor: Actor, kept: Retention, now: datetime) -> None:
    """Keep each kind that long from now on; what is past its time goes with the next erasing."""
    require_role(actor, "administrator")
    before = kept_for(session)
    for kind in KINDS:
        if kept.of(kind) == before.of(kind):
            continue
        keep_s = int(kept.of(kind).total_seconds())
        session.merge(KeepRule(kind=kind, keep_s=keep_s, set_at=now, set_by=actor.display_name))
        facts = {"before_s": before.of(kind).total_seconds(), "after_s": keep_s}
        audit.append(
            session, actor, action="detection.keep", subject=f"kept:{kind}", at=now, facts=facts
        )
    session.flush()


@dataclass(frozen=True, slots=True)
class Erased:
    """How many of each kind were erased."""

    messages: int
    operators: int
    points: int


def erase_expired(
    session: Session, actor: Actor, now: datetime, retention: Retention | None = None
) -> Erased:
    """Erase what is past its time; what was erased is counted in the audit log."""
    require_role(actor, "administrator")
    kept = retention or kept_for(session)
    network = RidMessage.transport.like(NETWORK)
    erased = Erased(
        _erase_messages(session, now - kept.broadcast, ~network)
        + _erase_messages(session, now - kept.network, network),
        _erase_operators(session, now - kept.operator),
        _erase_ways(session, now - kept.way),
    )
    if erased != Erased(0, 0, 0):
        subject = (
            f"{erased.messages} messages, {erased.operators} operators, {erased.points} points"
        )
        audit.append(session, actor, action="detection.erase", subject=subject, at=now)
    return erased


def _held() -> Select[Any]:
    """The tracks that open alerts rest on."""
    return select(AlertRow.track_id).where(
        AlertRow.cleared_at.is_(None), AlertRow.track_id.is_not(None)
    )


def _erase_messages(session: Session, limit: datetime, which: ColumnElement[bool]) -> int:
    free: ColumnElement[bool] = or_(
        RidMessage.track_id.is_(None), RidMessage.track_id.not_in(_held())
    )
    done = session.execute(
        delete(RidMessage).where(RidMessage.at < limit, which, free).returning(RidMessage.id)
    )
    return len(done.all())


def _erase_operators(session: Session, limit: datetime) -> int:
    known = or_(TrackRow.operator_id.is_not(None), TrackRow.operator_lat_deg.is_not(None))
    done = session.execute(
        update(TrackRow)
        .where(TrackRow.last_at < limit, known, TrackRow.id.not_in(_held()))
        .values(operator_id=None, operator_lat_deg=None, operator_lon_deg=None)
        .returning(TrackRow.id)
    )
    return len(done.all())


def _erase_ways(session: Session, limit: datetime) -> int:
    """The points of tracks; and who it was, where nothing of the track is left."""
    done = session.execute(
        delete(Sighting)
        .where(Sighting.at < limit, Sighting.track_id.not_in(_held()))
        .returning(Sighting.id)
    )
    session.execute(
        update(TrackRow)
        .where(TrackRow.last_at < limit, TrackRow.id.not_in(_held()))
        .values(uas_id=None, registration=None, transmitters=[])
    )
    session.execute(
        update(AlertRow)
        .where(AlertRow.cleared_at < limit)
        .values(uas_id=None, lat_deg=None, lon_deg=None)
    )
    return len(done.all())


def ask_for_erasure(session: Session, now: datetime) -> int | None:
    """The id of a new erasing job; None when one waits, runs, or ran within EVERY."""
    last = jobs.latest(session, JOB_KIND)
    if last is not None and (last.state in jobs.OPEN_STATES or now - last.created_at < EVERY):
        return None
    return jobs.enqueue(session, JOB_KIND, {}, at=now, subject=JOB_KIND)


def _run(context: jobs.JobContext) -> None:
    erase_now(context.engine, datetime.now(UTC))


def erase_now(engine: Engine, now: datetime) -> Erased:
    """Erase what is past its time from the database's files too.

    SQLite overwrites what it deletes, and its write-ahead log, which still holds the pages of
    before, is emptied. PostgreSQL frees the rows at its next vacuum, which it does by itself.
    """
    sqlite = engine.dialect.name == "sqlite"
    with session_scope(engine) as session:
        if sqlite:
            session.execute(text("PRAGMA secure_delete = ON"))
        erased = erase_expired(session, SYSTEM, now)
    if sqlite:
        _empty_log(engine)
    return erased


def _empty_log(engine: Engine) -> None:
    """Write the log back and cut it to nothing; readers that are busy leave it to the next time."""
    connection = engine.raw_connection()
    try:
        (busy, _, _) = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.close()
    if busy:
        logger.warning("the write-ahead log is in use; it is emptied with the next erasing")


HANDLERS: Mapping[str, jobs.Handler] = {JOB_KIND: _run}
