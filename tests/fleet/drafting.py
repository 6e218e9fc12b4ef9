"""Drafts solved inside the test's own transaction; the product never searches in one."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.fleet.allocation import solve
from droneteam.fleet.assembly import load_situation
from droneteam.fleet.planning import store_draft
from droneteam.fleet.views import PlanView


def solve_draft(session: Session, actor: Actor, now: datetime) -> PlanView:
    """A draft for the coming fortnight, of what the open transaction sees."""
    situation = load_situation(session, now, timedelta(days=14))
    return store_draft(session, actor, situation, solve(situation.problem), now)
