"""Measurements on the surface model, between places tapped on the orthophoto or in the cloud."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from apiflask import APIBlueprint, Schema, fields
from marshmallow.validate import Length, OneOf, Range

from droneteam.errors import InputError
from droneteam.photogrammetry import marks, service, viewing
from droneteam.photogrammetry.measuring.cloud_points import NOT_BETWEEN_POINTS
from droneteam.photogrammetry.measuring.requests import SURFACE_KINDS, SurfaceRequest
from droneteam.photogrammetry.scene import Measurement
from droneteam.photogrammetry.viewing import PhotoOfPlace, SceneCameras
from droneteam.photogrammetry.views import MeasurementView
from droneteam.web import surface_places
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.cloud_views import PICTURE_PX, VIEWS, PointBehind, point_behind
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.points import POINT, header_of, middle
from droneteam.web.scene_files import product_path
from droneteam.web.views.scenes import READERS, cloud_buffer, get_scene

bp = APIBlueprint("api_surface", __name__, url_prefix="/api/v1/scenes", tag="scenes")

ON = ("wgs84", "orthophoto", "cloud")


class SurfaceIn(Schema):
    """What to measure.

    `places` are latitude and longitude, columns and rows of the orthophoto, or metres from the
    middle of the cloud, as `on` says.  Those in the cloud may all state their height too: then
    they are points of the cloud, also on walls, except for what is of a whole surface.
    `place_names` are what the diagram and the report call them: one for each place, or none.
    """

    kind = fields.String(required=True, validate=OneOf(list(SURFACE_KINDS)))
    on = fields.String(load_default="wgs84", validate=OneOf(ON))
    places = fields.List(
        fields.List(fields.Float(allow_nan=False), validate=Length(2, 3)),
        required=True,
        validate=Length(2, 500),
    )
    place_names = fields.List(
        fields.String(validate=Length(1, marks.MAX_NAME)), load_default=[], validate=Length(0, 500)
    )
    name = fields.String(load_default="", validate=Length(0, 200))


class PlaceIn(Schema):
    """A place as in a measurement: two numbers, or three in the cloud."""

    on = fields.String(load_default="wgs84", validate=OneOf(ON))
    place = fields.List(fields.Float(allow_nan=False), required=True, validate=Length(2, 3))


class PixelIn(Schema):
    """A place in one of the cloud's pictures, in its pixels from the top left."""

    view = fields.String(required=True, validate=OneOf(list(VIEWS)))
    column = fields.Float(required=True, allow_nan=False, validate=Range(0, PICTURE_PX[0]))
    row = fields.Float(required=True, allow_nan=False, validate=Range(0, PICTURE_PX[1]))


class BehindOut(Schema):
    """What lies behind it."""

    point = fields.Nested(schema_of(PointBehind), required=True, allow_none=True)


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


@bp.get("/<id:scene_id>/cameras")
@allow(*READERS)
@bp.output(schema_of(SceneCameras))
@bp.doc(
    summary="Where the cameras stood and what they held",
    responses={409: "The scene has no cameras yet."},
)
def cameras(scene_id: int) -> Any:
    """East, north, up in the scene's frame, and how that lies in the cloud's coordinates."""
    with reading() as session:
        path = _cloud_path(scene_id)
        cloud = None if path is None else (header_of(path).parse_crs(), middle(path))
        return viewing.scene_cameras(session, actor(), scene_id, context().settings, cloud)


@bp.post("/<id:scene_id>/surface/behind")
@allow(*READERS)
@bp.input(PixelIn, arg_name="body")
@bp.output(BehindOut)
@bp.doc(summary="The point of the cloud behind a pixel of its picture")
def behind(scene_id: int, body: dict[str, Any]) -> Any:
    """For browsers without WebGL; `point` is null where nothing is drawn near that place."""
    shown = np.fromfile(cloud_buffer(get_scene(scene_id)), dtype=POINT)
    return {"point": point_behind(shown, body["view"], body["column"], body["row"])}


@bp.post("/<id:scene_id>/surface/photos")
@allow(*READERS)
@bp.input(PlaceIn, arg_name="body")
@bp.output(page_of(PhotoOfPlace))
@bp.doc(summary="The photos that show a place")
def photos(scene_id: int, body: dict[str, Any]) -> Any:
    """Those that see it first, the finest first; `hidden` are those that the surface covers."""
    where, geographic, heights = _places(scene_id, body["on"], [body["place"]])
    place = viewing.Place(where[0], geographic, heights[0] if heights else None)
    with reading() as session:
        found = viewing.photos_of_place(session, actor(), scene_id, context().settings, place)
    return {"items": found}


def _request(scene_id: int, body: dict[str, Any]) -> SurfaceRequest:
    places, geographic, heights = _places(scene_id, body["on"], body["places"])
    return SurfaceRequest(
        body["kind"],
        places=places,
        geographic=geographic,
        heights_m=() if body["kind"] in NOT_BETWEEN_POINTS else heights,
        name=body["name"].strip(),
        place_names=tuple(body["place_names"]),
    )


def _places(
    scene_id: int, on: str, given: Sequence[Sequence[float]]
) -> tuple[surface_places.Places, bool, tuple[float, ...]]:
    """The places, whether they are latitude and longitude, and their heights where stated."""
    if on != "cloud" and any(len(row) != 2 for row in given):
        raise InputError("only places in the cloud have three numbers", field="places")
    heights: tuple[float, ...] = ()
    if on == "orthophoto":
        path = product_path(get_scene(scene_id), "orthophoto")
        places, geographic = surface_places.from_ortho(path, [(a, b) for a, b in given])
    elif on == "cloud":
        path = product_path(get_scene(scene_id), "cloud")
        places, geographic = surface_places.from_cloud(path, given)
        heights = surface_places.heights_in_cloud(path, given)
    else:
        places, geographic = tuple((float(a), float(b)) for a, b in given), True
    if not all(map(_finite, places)):
        raise InputError("a place lies outside the reference system", field="places")
    return places, geographic, heights


def _cloud_path(scene_id: int) -> Path | None:
    scene = get_scene(scene_id)
    return product_path(scene, "cloud") if "cloud" in scene.products else None


def _finite(place: tuple[float, float]) -> bool:
    return all(abs(value) < 1e9 for value in place)
