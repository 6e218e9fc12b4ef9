"""Measurements of scenes as rows: taken, stored, taken again; none is ever changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict
from droneteam.photogrammetry.measuring.measurement_file import measure_in, network_of
from droneteam.photogrammetry.measuring.requests import (
    AnyRequest,
    SurfaceRequest,
    marks_document,
    placed,
    request_document,
    request_of,
)
from droneteam.photogrammetry.models import MeasurementRow, SceneRow
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.scene_cache import built
from droneteam.photogrammetry.scene_files import finite_or_none
from droneteam.photogrammetry.scene_rows import scene_row
from droneteam.photogrammetry.views import MeasurementView, measurement_view
from droneteam.settings import Settings

MEASURERS = ("investigator", "pilot", "coordinator")


@dataclass(frozen=True, slots=True)
class RetakenView:
    """A measurement before and after the scene was built again."""

    old: MeasurementView
    new: MeasurementView


def measure(
    session: Session, actor: Actor, scene_id: int, request: AnyRequest, settings: Settings
) -> Measurement:
    """The measurement, not stored: to be looked at before it is recorded.

    Raises
    ------
    Conflict
        The scene has not been built.
    """
    row = scene_row(session, actor, scene_id)
    return measure_in(built(row, settings), request)


def measure_and_record(
    session: Session,
    actor: Actor,
    scene_id: int,
    request: AnyRequest,
    settings: Settings,
    now: datetime,
) -> MeasurementView:
    """The measurement, stored with the question and the marks that it rests on."""
    require_role(actor, *MEASURERS)
    scene = built(scene_row(session, actor, scene_id), settings)
    measured = measure_in(scene, request)
    if isinstance(request, SurfaceRequest):
        request = placed(request, network_of(scene).frame)
    marks = marks_document(request)
    asked = request_document(request)
    kept = record_measurement(session, actor, scene_id, measured, now, marks=marks, request=asked)
    return measurement_view(session.get_one(MeasurementRow, kept))


def retake_measurements(
    session: Session, actor: Actor, scene_id: int, settings: Settings, now: datetime
) -> tuple[RetakenView, ...]:
    """Every measurement that rests on other cameras than the scene's now, taken again.

    The new ones are stored and name the old ones, which stay as they are.  Rows that hold no
    question (older than it, or recorded from elsewhere) are left alone.
    """
    require_role(actor, *MEASURERS)
    row = scene_row(session, actor, scene_id)
    scene, digest = built(row, settings), _adjusted(row)["digest"]
    query = select(MeasurementRow).where(
        MeasurementRow.scene_id == scene_id, MeasurementRow.removed_at.is_(None)
    )
    rows = session.scalars(query.order_by(MeasurementRow.id)).all()
    repeated = {kept.supersedes_id for kept in rows}
    pairs = []
    for old in rows:
        if old.id in repeated or old.request is None or old.adjust_digest == digest:
            continue
        measured = measure_in(scene, request_of(old.request))
        new = record_measurement(
            session, actor, scene_id, measured, now,
            marks=old.marks, request=old.request, supersedes=old.id,
        )  # fmt: skip
        kept = measurement_view(session.get_one(MeasurementRow, new))
        pairs.append(RetakenView(measurement_view(old), kept))
    return tuple(pairs)


def record_measurement(
    session: Session,
    actor: Actor,
    scene_id: int,
    measurement: Measurement,
    now: datetime,
    *,
    marks: Sequence[Mapping[str, Any]] = (),
    request: Mapping[str, Any] | None = None,
    supersedes: int | None = None,
) -> int:
    """The id of the stored measurement; it names the cameras and software it rests on.

    Raises
    ------
    Conflict
        The scene has not been built.
    """
    require_role(actor, *MEASURERS)
    adjusted = _adjusted(scene_row(session, actor, scene_id))
    kept = _new_row(measurement)
    kept.scene_id = scene_id
    kept.marks = [dict(mark) for mark in marks]
    kept.request = None if request is None else dict(request)
    kept.supersedes_id = supersedes
    kept.adjust_digest, kept.software = adjusted["digest"], adjusted["software"]
    kept.measured_by, kept.measured_at = actor.user_id or None, now
    session.add(kept)
    session.flush()
    facts = {
        "measurement": kept.id,
        "name": kept.name,
        "value": kept.value,
        "unit": kept.unit,
        "ci95": [kept.ci95_low, kept.ci95_high],
    }
    if supersedes is not None:
        facts["supersedes"] = supersedes
    audit.append(
        session, actor, action="scene.measure", subject=f"scene:{scene_id}", at=now, facts=facts
    )
    return kept.id


def _new_row(measurement: Measurement) -> MeasurementRow:
    return MeasurementRow(
        name=measurement.name,
        kind=measurement.kind,
        value=finite_or_none(measurement.value),
        unit=measurement.unit,
        ci95_low=finite_or_none(measurement.ci95_low),
        ci95_high=finite_or_none(measurement.ci95_high),
        method=measurement.method,
        determined=measurement.determined,
        note=measurement.note,
        photos=list(measurement.photos),
        points_enu_m=[list(point) for point in measurement.points_enu_m],
        frame=measurement.frame,
        photos_rejected=list(measurement.photos_rejected),
        series=[list(row) for row in measurement.series],
    )


def _adjusted(row: SceneRow) -> Mapping[str, Any]:
    for stage in (row.summary or {"stages": []})["stages"]:
        if stage["name"] == "adjust":
            found: Mapping[str, Any] = stage
            return found
    raise Conflict(f"scene {row.id} has not been built; build it before measuring")
