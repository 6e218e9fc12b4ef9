"""What the published plan promises and can no longer be kept, since something changed under it.

A forecast, a refused airspace, a licence that was taken away or a grounded drone changes no plan
by itself: the coordinator makes the next one.  Until then this says what would not fly.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.fleet import models
from droneteam.fleet.allocation.holding import standing_reasons
from droneteam.fleet.assembly import LOOKED_AHEAD, load_situation
from droneteam.fleet.terms import Reason

HORIZON = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class ConflictView:
    """A published assignment that cannot be flown as it stands, and why."""

    request_id: int
    title: str
    start_at: datetime
    reasons: tuple[Reason, ...]


def plan_conflicts(session: Session, actor: Actor, now: datetime) -> list[ConflictView]:
    """Every assignment of the coming fortnight that no longer holds, the earliest first."""
    require_role(actor, *sorted(TEAM_ROLES))
    situation = load_situation(session, now, LOOKED_AHEAD)
    until = now + HORIZON
    found = [
        (assigned, _once(standing_reasons(situation.problem, assigned)))
        for assigned in situation.standing
        if assigned.visit.start_at < until
    ]
    broken = sorted((pair for pair in found if pair[1]), key=lambda pair: pair[0].visit.start_at)
    ids = [assigned.request_id for assigned, _ in broken]
    query = select(models.Request.id, models.Request.title).where(models.Request.id.in_(ids))
    titles = {row.id: row.title for row in session.execute(query)}
    return [
        ConflictView(
            assigned.request_id, titles[assigned.request_id], assigned.visit.start_at, reasons
        )
        for assigned, reasons in broken
    ]


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each reason once, in order."""
    unique: list[Reason] = []
    for reason in reasons:
        if reason not in unique:
            unique.append(reason)
    return tuple(unique)
