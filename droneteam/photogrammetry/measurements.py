"""Stored measurements: renamed, taken off the list with a reason, computed again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.photogrammetry import service
from droneteam.photogrammetry.measuring.requests import request_of
from droneteam.photogrammetry.models import MeasurementRow
from droneteam.photogrammetry.scene_rows import scene_row
from droneteam.settings import Settings


def rename(
    session: Session, actor: Actor, scene_id: int, measurement_id: int, name: str, now: datetime
) -> None:
    """Gives a measurement another name; its value stays."""
    row = _own(session, actor, scene_id, measurement_id)
    clean = name.strip()
    if not clean or len(clean) > 200 or not clean.isprintable():
        raise InputError("a measurement's name has 1 to 200 printable characters", field="name")
    facts = {"measurement": row.id, "from": row.name, "to": clean}
    row.name = clean
    _note(session, actor, scene_id, "scene.measure.rename", facts, now)


def remove(
    session: Session, actor: Actor, scene_id: int, measurement_id: int, reason: str, now: datetime
) -> None:
    """Takes a measurement off the list; its row and the reason stay."""
    row = _own(session, actor, scene_id, measurement_id)
    if not reason.strip():
        raise InputError("say why the measurement is removed", field="reason")
    _off(row, actor, reason.strip(), now)
    facts = {"measurement": row.id, "name": row.name}
    _note(session, actor, scene_id, "scene.measure.remove", facts, now, reason.strip())


def recompute(
    session: Session,
    actor: Actor,
    scene_id: int,
    measurement_id: int,
    settings: Settings,
    now: datetime,
) -> int:
    """The id of the same measurement with today's cameras; the former one leaves the list.

    Raises
    ------
    Conflict
        It is older than the questions that are kept.
    """
    row = _own(session, actor, scene_id, measurement_id)
    if row.request is None:
        raise Conflict(f"measurement {row.id} keeps no question to ask again")
    measured = service.measure(session, actor, scene_id, request_of(row.request), settings)
    made = service.record_measurement(
        session,
        actor,
        scene_id,
        replace(measured, name=row.name),
        now,
        marks=row.marks,
        request=row.request,
        supersedes=row.id,
    )
    _off(row, actor, f"computed again as {made}", now)
    return made


def _off(row: MeasurementRow, actor: Actor, reason: str, now: datetime) -> None:
    row.removed_by, row.removed_at, row.removed_reason = actor.user_id or None, now, reason


def _own(session: Session, actor: Actor, scene_id: int, measurement_id: int) -> MeasurementRow:
    """A measurement on the scene's list, where the actor may measure."""
    require_role(actor, *service.MEASURERS)
    scene_row(session, actor, scene_id)
    query = select(MeasurementRow).where(
        MeasurementRow.id == measurement_id,
        MeasurementRow.scene_id == scene_id,
        MeasurementRow.removed_at.is_(None),
    )
    row = session.scalar(query)
    if row is None:
        raise NotFound("measurement", measurement_id)
    return row


def _note(
    session: Session,
    actor: Actor,
    scene_id: int,
    action: str,
    facts: dict[str, Any],
    now: datetime,
    reason: str | None = None,
) -> None:
    subject = f"scene:{scene_id}"
    audit.append(session, actor, action=action, subject=subject, at=now, reason=reason, facts=facts)
