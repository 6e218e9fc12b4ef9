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
from droneteam.fleet.assembly import LOOKED_AHEAD, Situation, load_situation
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
    broken = broken_promises(situation, until)
    query = select(models.Request.id, models.Request.title).where(models.Request.id.in_(broken))
    titles = {row.id: row.title for row in session.execute(query)}
    return [
        ConflictView(number, titles[number], assigned.visit.start_at, broken[number])
        for assigned in sorted(situation.standing, key=lambda one: one.visit.start_at)
        if (number := assigned.request_id) in broken
    ]


def broken_promises(
    situation: Situation, until: datetime | None = None
) -> dict[int, tuple[Reason, ...]]:
    """Why each published assignment that no longer holds does not, by request.

    until : assignments that begin later are not looked at
    """
    found = {
        assigned.request_id: _once(standing_reasons(situation.problem, assigned))
        for assigned in situation.standing
        if until is None or assigned.visit.start_at < until
    }
    return {number: reasons for number, reasons in found.items() if reasons}


def _once(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Each reason once, in order."""
    unique: list[Reason] = []
    for reason in reasons:
        if reason not in unique:
            unique.append(reason)
    return tuple(unique)
