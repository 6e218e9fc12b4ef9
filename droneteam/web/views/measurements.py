"""Measurements between marked points: made, named, removed, computed again, taken away as files."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, request, url_for
from flask_babel import gettext as _

from droneteam.errors import InputError
from droneteam.geo import GeoPoint
from droneteam.photogrammetry import marks, measurements, service
from droneteam.photogrammetry.measuring import measurement_files
from droneteam.photogrammetry.measuring.requests import KINDS, MeasureRequest
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, writing
from droneteam.web.forms import FormReader
from droneteam.web.scene_looks import note_taken
from droneteam.web.views.scenes import READERS, get_scene

bp = Blueprint("measurements", __name__, url_prefix="/scenes")

MAX_POINTS = 200


@bp.post("/<id:scene_id>/measurements")
@allow(*service.MEASURERS)
def record(scene_id: int) -> Any:
    """A measurement between marked points, kept by name."""
    form = FormReader(request.form)
    kind = form.choice("kind", KINDS, fallback="distance")
    name = form.text("name", required=True, max_length=200)
    points = points_of(form.text("points", required=True))
    settings = context().settings
    if form.problems:
        raise InputError("; ".join(f"{k}: {v}" for k, v in form.problems.items()))
    with writing() as session:
        kept = marks.marks_of(session, actor(), scene_id, points, settings)
        wanted = MeasureRequest(kind, points, kept, name)
        made = service.measure_and_record(session, actor(), scene_id, wanted, settings, now())
    if made.measurement.determined:
        flash(_("Measured and kept: %(name)s.", name=name), "done")
    else:
        flash(_("Kept, but not determined; the reason is in the table."), "care")
    return redirect(url_for("scenes.show", scene_id=scene_id, _anchor="measurements"))


@bp.post("/<id:scene_id>/measurements/<id:measurement_id>/rename")
@allow(*service.MEASURERS)
def rename(scene_id: int, measurement_id: int) -> Any:
    """Another name; the value stays."""
    name = request.form.get("name", "")
    with writing() as session:
        measurements.rename(session, actor(), scene_id, measurement_id, name, now())
    return _back(scene_id, _("Renamed."))


@bp.post("/<id:scene_id>/measurements/<id:measurement_id>/remove")
@allow(*service.MEASURERS)
def remove(scene_id: int, measurement_id: int) -> Any:
    """Off the list, with a reason."""
    reason = request.form.get("reason", "")
    with writing() as session:
        measurements.remove(session, actor(), scene_id, measurement_id, reason, now())
    return _back(scene_id, _("Removed from the list; the audit keeps it and the reason."))


@bp.post("/<id:scene_id>/measurements/<id:measurement_id>/recompute")
@allow(*service.MEASURERS)
def recompute(scene_id: int, measurement_id: int) -> Any:
    """Computed again with today's cameras."""
    settings = context().settings
    with writing() as session:
        measurements.recompute(session, actor(), scene_id, measurement_id, settings, now())
    return _back(scene_id, _("Computed again with the cameras of the last build."))


@bp.get("/<id:scene_id>/measurements.csv")
@allow(*READERS)
def as_csv(scene_id: int) -> Response:
    """The list as CSV."""
    scene = get_scene(scene_id)
    note_taken(scene_id, "measurements.csv")
    text = measurement_files.measurements_csv(scene.measurements)
    response = Response(text, mimetype="text/csv")
    name = f"scene-{scene_id}-measurements.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@bp.get("/<id:scene_id>/measurements.geojson")
@allow(*READERS)
def as_geojson(scene_id: int) -> Response:
    """The list as GeoJSON with its reference system."""
    scene = get_scene(scene_id)
    summary = scene.summary or {}
    origin = summary.get("frame", {}).get("origin")
    document = measurement_files.measurements_geojson(
        scene.measurements,
        None if origin is None else geo_point(origin),
        summary.get("datum", {}).get("vertical", ""),
    )
    note_taken(scene_id, "measurements.geojson")
    response = jsonify(document)
    response.mimetype = "application/geo+json"
    name = f"scene-{scene_id}-measurements.geojson"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def points_of(text: str) -> tuple[str, ...]:
    """Names of points, one per line or separated by semicolons, in their order.

    Raises
    ------
    InputError
        There are too many.
    """
    names = tuple(part.strip() for part in re.split(r"[;,\n\r]+", text) if part.strip())
    if len(names) > MAX_POINTS:
        raise InputError(f"at most {MAX_POINTS} points, {len(names)} are given", field="points")
    return names


def geo_point(row: dict[str, float]) -> GeoPoint:
    """The origin of a scene.json, whose height is above the ellipsoid or the control's datum."""
    height = next(value for key, value in row.items() if key.startswith("alt"))
    return GeoPoint(row["lat_deg"], row["lon_deg"], height)


def _back(scene_id: int, text: str) -> Any:
    flash(text, "done")
    return redirect(url_for("scenes.show", scene_id=scene_id, _anchor="measurements"))
