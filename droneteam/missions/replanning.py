"""A plan that is changed: the form that it came from, and the new mission in its place."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.missions.planning import PLANNERS, cancel_mission, mission_row
from droneteam.missions.views import MissionState, MissionView

REPLACEABLE = frozenset({MissionState.DRAFT, MissionState.APPROVED})
"""What is replaced by a changed plan; a mission that flies or has flown stays as it is."""


def form_of(session: Session, actor: Actor, mission_id: int) -> dict[str, str]:
    """The planning form that a mission was made from; empty where a program asked for it."""
    require_role(actor, *PLANNERS)
    return dict(mission_row(session, actor, mission_id).params.get("form", {}))


def supersede(
    session: Session, actor: Actor, old_id: int, new: MissionView, now: datetime
) -> MissionView | None:
    """The old mission, withdrawn for the new one; None where it was withdrawn before.

    Raises
    ------
    InputError
        The two are not of one assignment.
    Conflict
        The old one flies or has flown meanwhile: neither is changed by a form.
    """
    require_role(actor, *PLANNERS)
    row = mission_row(session, actor, old_id)
    if row.assignment_id != new.assignment_id:
        raise InputError(f"mission {old_id} is not of this assignment", field="replaces")
    if old_id == new.id or row.state == MissionState.CANCELLED:
        return None
    if row.state not in REPLACEABLE:
        raise Conflict(f"mission {old_id} is {row.state} and cannot be replaced any more")
    return cancel_mission(session, actor, old_id, now)
