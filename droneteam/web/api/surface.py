"""Measurements on the surface model, between places tapped on the orthophoto or in the cloud."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from marshmallow.validate import Length, OneOf

from droneteam.errors import InputError
from droneteam.photogrammetry import service
from droneteam.photogrammetry.measuring import SURFACE_KINDS, SurfaceRequest
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.views import MeasurementView
from droneteam.web import surface_places
from droneteam.web.access import allow
from droneteam.web.api.shapes import schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.views.scenes import READERS, get_scene, product_path

bp = APIBlueprint("api_surface", __name__, url_prefix="/api/v1/scenes", tag="scenes")

ON = ("wgs84", "orthophoto", "cloud")


class SurfaceIn(Schema):
    """What to measure.

    `places` are latitude and longitude, columns and rows of the orthophoto, or metres from the
    middle of the cloud, as `on` says.
    """

    kind = fields.String(required=True, validate=OneOf(list(SURFACE_KINDS)))
    on = fields.String(load_default="wgs84", validate=OneOf(ON))
    places = fields.List(
        fields.List(fields.Float(allow_nan=False), validate=Length(2, 2)),
        required=True,
        validate=Length(2, 500),
    )
    name = fields.String(load_default="", validate=Length(0, 200))


@bp.post("/<id:scene_id>/surface/measure")
@allow(*READERS)
@bp.input(SurfaceIn, arg_name="body")
@bp.output(schema_of(Measurement))
@bp.doc(summary="Measure on the surface without keeping it")
def measure(scene_id: int, body: dict[str, Any]) -> Any:
    """With its 95 % interval; `determined` is false where the surface is not known."""
    wanted = _request(scene_id, body)
    with reading() as session:
        return service.measure(session, actor(), scene_id, wanted, context().settings)


@bp.post("/<id:scene_id>/surface/measurements")
@allow(*service.MEASURERS)
@bp.input(SurfaceIn, arg_name="body")
@bp.output(schema_of(MeasurementView), status_code=201)
@bp.doc(summary="Measure on the surface and keep it by name")
def record(scene_id: int, body: dict[str, Any]) -> Any:
    """It keeps the question, so that it can be asked again after another build."""
    wanted = _request(scene_id, body)
    if not wanted.name:
        raise InputError("a measurement that is kept needs a name", field="name")
    settings = context().settings
    with writing() as session:
        return service.measure_and_record(session, actor(), scene_id, wanted, settings, now())


def _request(scene_id: int, body: dict[str, Any]) -> SurfaceRequest:
    places = tuple((float(a), float(b)) for a, b in body["places"])
    geographic = True
    if body["on"] == "orthophoto":
        path = product_path(get_scene(scene_id), "orthophoto")
        places, geographic = surface_places.from_ortho(path, places)
    elif body["on"] == "cloud":
        path = product_path(get_scene(scene_id), "cloud")
        places, geographic = surface_places.from_cloud(path, places)
    if not all(map(_finite, places)):
        raise InputError("a place lies outside the reference system", field="places")
    return SurfaceRequest(
        body["kind"], places=places, geographic=geographic, name=body["name"].strip()
    )


def _finite(place: tuple[float, float]) -> bool:
    return all(abs(value) < 1e9 for value in place)
