"""Sorties of other requests that may be in the air at the same time, from their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.fleet.views import AssignmentView
from droneteam.missions import models
from droneteam.missions.airspace.groundrisk import crossing_findings
from droneteam.missions.airspace.rules import Finding
from droneteam.missions.airspace.volumes import volumes_from_json
from droneteam.missions.planjson import plan_from_json
from droneteam.missions.planner.crossing import Sortie, may_overlap
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.views import MissionState

CROSSING = "separation.crossing"
LIVE = (MissionState.DRAFT, MissionState.APPROVED, MissionState.FLYING)
LONGEST_FLIGHT = timedelta(days=1)
"""Of one mission with its packs: how long after the last take-off it may still be in the air."""


def others_of(
    session: Session, own: Sortie, keeper: AssignmentView | models.Mission
) -> list[Sortie]:
    """Other drones' live missions of other requests that may be in the air when this one is.

    keeper : whose request and drone are left out.
    """
    latest = own.end_at + timedelta(seconds=own.plan.duration_s)
    rows = session.scalars(
        select(models.Mission).where(
            models.Mission.request_id != keeper.request_id,
            models.Mission.drone_id != keeper.drone_id,
            models.Mission.state.in_([state.value for state in LIVE]),
            models.Mission.start_at < latest,
            models.Mission.end_at > own.start_at - LONGEST_FLIGHT,
        )
    )
    found = [_sortie(row, row.start_at, row.end_at) for row in rows]
    return [one for one in found if may_overlap(own, one)]


def _sortie(
    row: models.Mission, start: datetime, until: datetime, plan: MissionPlan | None = None
) -> Sortie:
    ring = volumes_from_json(row.plan["volumes"]).contingency if "volumes" in row.plan else None
    plan = plan_from_json(row.plan) if plan is None else plan
    return Sortie(row.id, row.drone_name, plan, start, until, ring)


def met_since(
    session: Session,
    row: models.Mission,
    plan: MissionPlan,
    stored: Sequence[Finding],
    window: tuple[datetime, datetime],
) -> list[Finding]:
    """Sorties that may meet this one and were not known when it was planned.

    stored : what was found then; window : when it may take off.
    """
    own = _sortie(row, *window, plan)
    known = {one.params.get("mission") for one in stored if one.rule == CROSSING}
    return [
        one
        for one in crossing_findings(own, others_of(session, own, row))
        if one.rule == CROSSING and one.params.get("mission") not in known
    ]
