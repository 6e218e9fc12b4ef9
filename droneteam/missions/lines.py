"""Missions as lists show them: read by the hundred, without their plans."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, scoped
from droneteam.db import Piece
from droneteam.missions import models
from droneteam.missions.airspace.rules import worst
from droneteam.missions.planjson import findings_from_json
from droneteam.missions.views import OVER, MissionLine, MissionState


def mission_lines(session: Session, actor: Actor, piece: Piece, *, over: bool) -> list[MissionLine]:
    """Missions that the actor may see, newest first, as a list shows them.

    over : those that were flown, failed or cancelled; else those that are still to come.
    """
    row = models.Mission
    query = select(
        row.id,
        row.request_id,
        row.assignment_id,
        row.drone_name,
        row.state,
        row.start_at,
        row.plan["n_photos"].as_integer().label("n_photos"),
        row.plan["duration_s"].as_float().label("duration_s"),
        row.findings,
    ).where(row.state.in_(OVER) if over else row.state.not_in(OVER))
    found = session.execute(piece.of(scoped(query, actor, row.organisation_id), row.id))
    return [_line(dict(one._mapping)) for one in found.all()]


def _line(values: dict[str, Any]) -> MissionLine:
    findings = findings_from_json(values.pop("findings"))
    state = MissionState(values.pop("state"))
    return MissionLine(**values, state=state, worst=worst(findings))


def planned_assignments(session: Session, ids: Iterable[int]) -> frozenset[int]:
    """Those of the assignments for which there is a mission that was not cancelled."""
    row = models.Mission
    query = select(row.assignment_id).where(
        row.assignment_id.in_(set(ids)), row.state != MissionState.CANCELLED.value
    )
    return frozenset(session.scalars(query))
