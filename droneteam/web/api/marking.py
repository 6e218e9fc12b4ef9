"""Marks, targets and measurements of a scene, for the pages' islands and for programs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from marshmallow.validate import Length, OneOf

from droneteam.errors import NotFound
from droneteam.photogrammetry import marks, measurements, service
from droneteam.photogrammetry.control import MARK_SIGMA_PX
from droneteam.photogrammetry.marks import NewMark, PointView, Sheet
from droneteam.photogrammetry.measuring.requests import KINDS, MeasureRequest
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.targets import Target
from droneteam.photogrammetry.views import MeasurementView
from droneteam.web.access import allow
from droneteam.web.api.shapes import field_of, page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.recorded_words import scene_text
from droneteam.web.views.scenes import READERS

bp = APIBlueprint("api_marking", __name__, url_prefix="/api/v1/scenes", tag="scenes")

_NAME = Length(1, marks.MAX_NAME)


class PointQuery(Schema):
    """Which point."""

    point = fields.String(required=True, validate=_NAME)


class PlaceIn(Schema):
    """A point in a photo."""

    point = fields.String(required=True, validate=_NAME)
    photo = fields.String(required=True, validate=Length(1, 255))


class MarkIn(PlaceIn):
    """A mark; pixels of the upright photo, from its top-left corner."""

    x_px = fields.Float(required=True, allow_nan=False)
    y_px = fields.Float(required=True, allow_nan=False)
    sigma_px = fields.Float(load_default=MARK_SIGMA_PX, allow_nan=False)
    source = fields.String(load_default=marks.HAND)


class TargetIn(Schema):
    """A place near which a target is looked for."""

    photo = fields.String(required=True, validate=Length(1, 255))
    x_px = fields.Float(required=True, allow_nan=False)
    y_px = fields.Float(required=True, allow_nan=False)


class TargetOut(Schema):
    """The target, or null where there is none."""

    target = field_of(Target | None)


class MeasureIn(Schema):
    """What to measure between marked points."""

    kind = fields.String(required=True, validate=OneOf(list(KINDS)))
    points = fields.List(fields.String(validate=_NAME), required=True, validate=Length(1, 200))
    name = fields.String(load_default="", validate=Length(0, 200))


class RenameIn(Schema):
    """The measurement's new name."""

    name = fields.String(required=True, validate=Length(1, 200))


class RemoveIn(Schema):
    """Why it is removed."""

    reason = fields.String(required=True, validate=Length(1, 500))


@bp.get("/<id:scene_id>/points")
@allow(*READERS)
@bp.output(page_of(PointView))
@bp.doc(summary="The points of a scene: surveyed ones and those that were marked")
def points(scene_id: int) -> Any:
    """In the order of their names."""
    with reading() as session:
        return {"items": marks.points(session, actor(), scene_id, context().settings)}


@bp.get("/<id:scene_id>/sheet")
@allow(*READERS)
@bp.input(PointQuery, location="query", arg_name="query")
@bp.output(schema_of(Sheet))
@bp.doc(
    summary="A point: its marks, its place, and the photos in which it should appear",
    responses={409: "The scene has no cameras yet."},
)
def sheet(scene_id: int, query: dict[str, str]) -> Any:
    """`predictions` are sorted by how much a mark there would help."""
    return _sheet(scene_id, query["point"])


@bp.post("/<id:scene_id>/marks")
@allow(*marks.MARKERS)
@bp.input(MarkIn, arg_name="body")
@bp.output(schema_of(Sheet))
@bp.doc(summary="Mark a point in a photo, or move its mark")
def place(scene_id: int, body: dict[str, Any]) -> Any:
    """The former mark stays in the history."""
    with writing() as session:
        marks.place(session, actor(), scene_id, NewMark(**body), context().settings, now())
    return _sheet(scene_id, body["point"])


@bp.post("/<id:scene_id>/marks/remove")
@allow(*marks.MARKERS)
@bp.input(PlaceIn, arg_name="body")
@bp.output(schema_of(Sheet))
@bp.doc(summary="Take a mark away")
def take_away(scene_id: int, body: dict[str, str]) -> Any:
    """It stays in the history."""
    with writing() as session:
        marks.take_away(session, actor(), scene_id, body["point"], body["photo"], now())
    return _sheet(scene_id, body["point"])


@bp.post("/<id:scene_id>/targets")
@allow(*marks.MARKERS)
@bp.input(TargetIn, arg_name="body")
@bp.output(TargetOut)
@bp.doc(summary="The survey target nearest to a place in a photo")
def find_target(scene_id: int, body: dict[str, Any]) -> Any:
    """Checkerboards, crosses, circles and coded targets; null where there is none."""
    near = NewMark("target", **body)
    with reading() as session:
        found = marks.find_target(session, actor(), scene_id, near, context().settings)
    return {"target": found}


@bp.post("/<id:scene_id>/measure")
@allow(*READERS)
@bp.input(MeasureIn, arg_name="body")
@bp.output(schema_of(Measurement))
@bp.doc(summary="Measure between marked points without keeping it")
def measure(scene_id: int, body: dict[str, Any]) -> Any:
    """With its 95 % interval; `determined` is false where the photos do not tell."""
    settings = context().settings
    with reading() as session:
        wanted = request_of(session, scene_id, body)
        found = service.measure(session, actor(), scene_id, wanted, settings)
    return replace(found, note=scene_text(found.note))


@bp.post("/<id:scene_id>/measurements")
@allow(*service.MEASURERS)
@bp.input(MeasureIn, arg_name="body")
@bp.output(schema_of(MeasurementView), status_code=201)
@bp.doc(summary="Measure between marked points and keep it by name")
def record(scene_id: int, body: dict[str, Any]) -> Any:
    """It keeps the marks that it rests on."""
    settings = context().settings
    with writing() as session:
        wanted = request_of(session, scene_id, body)
        return service.measure_and_record(session, actor(), scene_id, wanted, settings, now())


@bp.post("/<id:scene_id>/measurements/<id:measurement_id>/rename")
@allow(*service.MEASURERS)
@bp.input(RenameIn, arg_name="body")
@bp.output(schema_of(MeasurementView))
@bp.doc(summary="Give a measurement another name")
def rename(scene_id: int, measurement_id: int, body: dict[str, str]) -> Any:
    """Its value stays."""
    with writing() as session:
        measurements.rename(session, actor(), scene_id, measurement_id, body["name"], now())
    return _measurement(scene_id, measurement_id)


@bp.post("/<id:scene_id>/measurements/<id:measurement_id>/remove")
@allow(*service.MEASURERS)
@bp.input(RemoveIn, arg_name="body")
@bp.output({}, status_code=204)
@bp.doc(summary="Take a measurement off the list")
def remove(scene_id: int, measurement_id: int, body: dict[str, str]) -> Any:
    """The row and the reason stay."""
    with writing() as session:
        measurements.remove(session, actor(), scene_id, measurement_id, body["reason"], now())
    return ""


@bp.post("/<id:scene_id>/measurements/<id:measurement_id>/recompute")
@allow(*service.MEASURERS)
@bp.output(schema_of(MeasurementView))
@bp.doc(summary="Compute a measurement again with today's cameras")
def recompute(scene_id: int, measurement_id: int) -> Any:
    """The former one leaves the list."""
    settings = context().settings
    with writing() as session:
        made = measurements.recompute(session, actor(), scene_id, measurement_id, settings, now())
    return _measurement(scene_id, made)


def request_of(session: Any, scene_id: int, body: dict[str, Any]) -> MeasureRequest:
    """The request between marked points, with the marks that hold."""
    names = tuple(body["points"])
    kept = marks.marks_of(session, actor(), scene_id, names, context().settings)
    return MeasureRequest(body["kind"], names, kept, body["name"].strip())


def _sheet(scene_id: int, point: str) -> Sheet:
    """The sheet with its note in the language that was asked for."""
    with reading() as session:
        found = marks.sheet(session, actor(), scene_id, point, context().settings)
    return replace(found, note=scene_text(found.note))


def _measurement(scene_id: int, measurement_id: int) -> MeasurementView:
    with reading() as session:
        scene = service.get_scene(session, actor(), scene_id, context().settings)
    for row in scene.measurements:
        if row.id == measurement_id:
            return row
    raise NotFound("measurement", measurement_id)
