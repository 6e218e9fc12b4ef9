"""Escalation: who is told when a clock has run down to each threshold of the agreement.

The thresholds that were passed follow from stored rows alone, and each is raised at most once
whoever looks, however often, and after whatever interruption.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreements
from droneteam.fleet.agreement.sla import Clock, Sla, clocks
from droneteam.fleet.head import lock_head
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.presenting import clock_stops, times_of

READERS = ("coordinator", "manager", "pilot", "administrator", "auditor")


@dataclass(frozen=True, slots=True)
class Alarm:
    """A threshold of a clock that has been passed."""

    request_id: int
    clock: str
    fraction: float
    told: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class EscalationView:
    """A raised escalation; seen_at is None until a coordinator has seen it."""

    id: int
    request_id: int
    title: str
    priority: str
    clock: str
    fraction: float
    told: str
    due_at: datetime
    raised_at: datetime
    seen_at: datetime | None


def passed_thresholds(request_id: int, sla: Sla, views: tuple[Clock, ...]) -> Iterator[Alarm]:
    """Every threshold that the request's clocks have passed without their event (pure)."""
    for view in views:
        if view.met_at is not None or view.state == "stopped":
            continue
        for fraction, told in sla.escalation:
            if view.fraction >= fraction:
                yield Alarm(request_id, view.name, fraction, told, view.due_at)


def due_escalations(session: Session, now: datetime) -> list[Alarm]:
    """What has been passed and not been raised yet; reads only."""
    query = select(models.Request).where(
        models.Request.state.in_([state.value for state in PLANNABLE])
    )
    rows = session.scalars(query.order_by(models.Request.id)).all()
    ids = [row.id for row in rows]
    parsed, stops = agreements(session), clock_stops(session, ids)
    known = select(models.Escalation).where(models.Escalation.request_id.in_(ids))
    raised = {(row.request_id, row.clock, row.fraction) for row in session.scalars(known)}
    return [
        alarm
        for row in rows
        for alarm in passed_thresholds(
            row.id,
            parsed[row.sla_version_id],
            clocks(parsed[row.sla_version_id], times_of(row), now, stops[row.id]),
        )
        if (alarm.request_id, alarm.clock, alarm.fraction) not in raised
    ]


def raise_escalations(session: Session, actor: Actor, now: datetime) -> list[EscalationView]:
    """The escalations that were raised by this call; a second call raises none of them again."""
    require_role(actor, "coordinator")
    lock_head(session)  # orders those who look at once, so that only one of them raises
    made = []
    for alarm in due_escalations(session, now):
        row = models.Escalation(
            request_id=alarm.request_id,
            clock=alarm.clock,
            fraction=alarm.fraction,
            told=alarm.told,
            due_at=alarm.due_at,
            raised_at=now,
        )
        session.add(row)
        session.flush()
        facts = {"clock": alarm.clock, "fraction": alarm.fraction, "told": alarm.told}
        subject = f"request:{alarm.request_id}"
        audit.append(
            session, actor, action="request.escalate", subject=subject, at=now, facts=facts
        )
        made.append(row)
    return _views(session, made)


def list_escalations(session: Session, actor: Actor) -> list[EscalationView]:
    """The escalations that nobody has seen yet, the most urgent first."""
    require_role(actor, *READERS)
    query = select(models.Escalation).where(models.Escalation.seen_at.is_(None))
    rows = session.scalars(query.order_by(models.Escalation.due_at, models.Escalation.id)).all()
    return _views(session, rows)


def see_escalation(session: Session, actor: Actor, escalation_id: int, now: datetime) -> None:
    """Nothing; the escalation is off the board and its reader on record."""
    require_role(actor, "coordinator")
    row = session.get(models.Escalation, escalation_id)
    if row is None:
        raise NotFound("escalation", escalation_id)
    if row.seen_at is not None:
        raise Conflict(f"escalation {escalation_id} has been seen already")
    row.seen_at, row.seen_by = now, actor.user_id or None
    session.flush()
    subject, facts = f"request:{row.request_id}", {"escalation": row.id}
    audit.append(session, actor, action="escalation.see", subject=subject, at=now, facts=facts)


def _views(session: Session, rows: Sequence[models.Escalation]) -> list[EscalationView]:
    ids = {row.request_id for row in rows}
    asked = {
        row.id: row
        for row in session.scalars(select(models.Request).where(models.Request.id.in_(ids)))
    }
    return [
        EscalationView(
            id=row.id,
            request_id=row.request_id,
            title=asked[row.request_id].title,
            priority=asked[row.request_id].priority,
            clock=row.clock,
            fraction=row.fraction,
            told=row.told,
            due_at=row.due_at,
            raised_at=row.raised_at,
            seen_at=row.seen_at,
        )
        for row in rows
    ]
