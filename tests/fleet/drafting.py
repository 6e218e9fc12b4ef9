"""Drafts solved inside the test's own transaction; the product never searches in one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assembly import load_situation
from droneteam.fleet.explanations.pins import Refusal
from droneteam.fleet.explanations.suppositions import Supposition
from droneteam.fleet.planning import store_draft
from droneteam.fleet.views import PlanView
from droneteam.fleet.whatif import check_supposed, horizon_of, search_supposed, store_supposed


def solve_draft(session: Session, actor: Actor, now: datetime) -> PlanView:
    """A draft for the coming fortnight, of what the open transaction sees."""
    situation = load_situation(session, now, timedelta(days=14))
    return store_draft(session, actor, situation, solve(situation.problem), now)


def solve_supposed(
    session: Session,
    actor: Actor,
    supposed: Sequence[Supposition],
    reason: str,
    now: datetime,
) -> PlanView | Refusal:
    """As the service's, of what the open transaction sees."""
    said = check_supposed(supposed, reason)
    situation = load_situation(session, now, horizon_of(supposed, now))
    found = search_supposed(situation, supposed)
    if isinstance(found, Refusal):
        return found
    return store_supposed(session, actor, *found, supposed, said, now)
