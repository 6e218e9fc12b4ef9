"""What is erased when: each kind of personal data has its own time, and a job keeps it.

What an open alert rests on stays until the alert is cleared; what belongs to a case is in its
evidence bag, with a retention of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.orm import Session

from droneteam import audit, jobs
from droneteam.accounts import SYSTEM, Actor, require_role
from droneteam.db import session_scope
from droneteam.detection.models import AlertRow, RidMessage, Sighting, TrackRow

JOB_KIND = "detection.retention"
EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each kind is kept.

    message : payloads (ASTM F3411-22a, A2.6.1 asks for 24 hours of network Remote ID; broadcast
    follows suit). operator : where an operator stood, and its registration. way : the points of a
    track.
    """

    message: timedelta = timedelta(hours=24)
    operator: timedelta = timedelta(hours=24)
    way: timedelta = timedelta(days=30)


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
    kept = retention or Retention()
    erased = Erased(
        _erase_messages(session, now - kept.message),
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


def _erase_messages(session: Session, limit: datetime) -> int:
    free: ColumnElement[bool] = or_(
        RidMessage.track_id.is_(None), RidMessage.track_id.not_in(_held())
    )
    done = session.execute(
        delete(RidMessage).where(RidMessage.at < limit, free).returning(RidMessage.id)
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
    done = session.execute(
        delete(Sighting)
        .where(Sighting.at < limit, Sighting.track_id.not_in(_held()))
        .returning(Sighting.id)
    )
    return len(done.all())


def ask_for_erasure(session: Session, now: datetime) -> int | None:
    """The id of a new erasing job; None when one waits, runs, or ran within EVERY."""
    last = jobs.latest(session, JOB_KIND)
    if last is not None and (last.state in jobs.OPEN_STATES or now - last.created_at < EVERY):
        return None
    return jobs.enqueue(session, JOB_KIND, {}, at=now, subject=JOB_KIND)


def _run(context: jobs.JobContext) -> None:
    with session_scope(context.engine) as session:
        erase_expired(session, SYSTEM, datetime.now(UTC))


HANDLERS: Mapping[str, jobs.Handler] = {JOB_KIND: _run}
