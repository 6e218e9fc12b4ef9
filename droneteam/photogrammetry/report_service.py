"""The report and the diagram of a scene with the measurements that are kept as rows.

What makes them (typst, DXF, the dense cloud) is loaded here only when one is asked for: a web
process that never writes a report never loads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.errors import Conflict
from droneteam.photogrammetry.models import MeasurementRow
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_rows import found_path, kept_file, scene_row
from droneteam.photogrammetry.scene_store import load_scene
from droneteam.photogrammetry.views import measurement_view
from droneteam.settings import Settings

if TYPE_CHECKING:
    from droneteam.photogrammetry.reporting import Named


def write_report(
    session: Session,
    actor: Actor,
    scene_id: int,
    settings: Settings,
    path: Path,
    *,
    language: str | None = None,
    made_at: datetime | None = None,
) -> None:
    """The scene's report with its measurements as they are now, as a PDF.

    Raises
    ------
    Conflict
        The scene has not been built.
    """
    from droneteam.photogrammetry import reporting

    scene = _built(session, actor, scene_id, settings)
    named = _named(session, scene_id)
    reporting.write_scene_report(
        scene,
        path,
        measurements=[row.measurement for row in named],
        language=language,
        made_at=made_at,
    )


def write_diagram(
    session: Session,
    actor: Actor,
    scene_id: int,
    settings: Settings,
    path: Path,
    *,
    language: str | None = None,
    scale: int | None = None,
) -> None:
    """The scene diagram with its measurements as they are now; .pdf or .dxf by the path's name.

    Raises
    ------
    Conflict
        The scene has not been built.
    InputError
        It does not fit at that scale, or the scene has no scale.
    """
    from droneteam.photogrammetry import reporting

    scene = _built(session, actor, scene_id, settings)
    drawn = reporting.diagram_of(
        reporting.scene_parts(scene), _named(session, scene_id), language=language, scale=scale
    )
    reporting.write_scene_diagram(drawn, path)


def _built(session: Session, actor: Actor, scene_id: int, settings: Settings) -> Scene:
    row = scene_row(session, actor, scene_id)
    if not row.summary:
        raise Conflict(f"scene {scene_id} has not been built; build it first")
    where = partial(kept_file, settings=settings)
    return load_scene(found_path(row.folder, settings), where)


def _named(session: Session, scene_id: int) -> list[Named]:
    """The measurements in force (not removed, not superseded), with the names of their points."""
    from droneteam.photogrammetry.reporting import Named

    query = select(MeasurementRow).where(MeasurementRow.scene_id == scene_id)
    rows = session.scalars(query.order_by(MeasurementRow.id)).all()
    repeated = {row.supersedes_id for row in rows}
    return [
        Named(measurement_view(row).measurement, _names(row.request))
        for row in rows
        if row.removed_at is None and row.id not in repeated
    ]


def _names(request: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What the points of a stored request are called; nothing where nobody named them."""
    stored = request or {}
    return tuple(stored.get("points") or stored.get("place_names") or ())
