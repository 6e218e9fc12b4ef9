"""Two people who plan for one assignment at once, and forms that were sent twice.

A planner who sends a plan says which missions of the assignment were there when the form was
opened.  One that came since is a reason to look before a second plan stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor
from droneteam.errors import Conflict
from droneteam.missions import models
from droneteam.missions.views import MissionState

_LIVE = (MissionState.DRAFT.value, MissionState.APPROVED.value, MissionState.FLYING.value)
_LOCK_SPACE = 0x706C616E  # "plan": PostgreSQL advisory locks, one for each assignment


class PlannedMeanwhile(Conflict):
    """Missions were planned for the assignment that the planner has not seen; ids : which."""

    def __init__(self, ids: Sequence[int]) -> None:
        named = ", ".join(map(str, ids))
        super().__init__(
            f"mission {named} was planned for this assignment meanwhile: compare, then decide"
        )
        self.ids = tuple(ids)


def hold_assignment(session: Session, assignment_id: int) -> None:
    """Lets one planner of an assignment write at a time; SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_LOCK_SPACE, assignment_id)))


def live_missions(session: Session, assignment_id: int) -> tuple[models.Mission, ...]:
    """What is planned for an assignment and neither flown nor withdrawn, the oldest first."""
    query = (
        select(models.Mission)
        .where(models.Mission.assignment_id == assignment_id, models.Mission.state.in_(_LIVE))
        .order_by(models.Mission.id)
    )
    return tuple(session.scalars(query))


def sent_before(
    rows: Sequence[models.Mission], candidate: models.Mission, known: Collection[int]
) -> models.Mission | None:
    """The draft that the same form of the same person has made already.

    candidate : the row that would be stored, not yet added.

    Raises
    ------
    PlannedMeanwhile
        There is none, and others that are not among the known have been planned.
    """
    unseen = [row for row in rows if row.id not in known]
    for row in unseen:
        if _content(row) == _content(candidate):
            return row
    if unseen:
        raise PlannedMeanwhile([row.id for row in unseen])
    return None


def _content(row: models.Mission) -> str:
    """What two drafts share that are one: what is flown, what the rules say, and who planned."""
    parts = (row.created_by, row.state, row.mission_hash, row.camera, row.params, row.findings)
    return json.dumps([*parts, row.plan], sort_keys=True, default=str)


def approved_so(session: Session, actor: Actor, mission_id: int, reason: str | None) -> bool:
    """Whether this person approved the mission with this very reason: a form sent twice."""
    query = (
        select(audit.AuditEntry)
        .where(
            audit.AuditEntry.subject == f"mission:{mission_id}",
            audit.AuditEntry.action == "mission.approve",
        )
        .order_by(audit.AuditEntry.id.desc())
        .limit(1)
    )
    entry = session.scalar(query)
    return entry is not None and entry.user_id == actor.user_id and entry.reason == reason
