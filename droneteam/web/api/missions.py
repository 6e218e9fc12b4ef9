"""Missions and sorties: plan, approve, take away, look up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf, Range
from flask import Response, request

from droneteam.errors import DecodeError, InputError
from droneteam.missions import service
from droneteam.missions.accuracy import RECEIVERS
from droneteam.missions.camera import CAMERAS, SIMULATED, camera_named
from droneteam.missions.estimate import CALM, Wind
from droneteam.missions.heights import VerticalDatum
from droneteam.missions.items import HomePoint
from droneteam.missions.plan import SurveyParams
from droneteam.missions.sharing import MAX_DRONES, Separation, Share
from droneteam.missions.surveyaccuracy import accuracy_of
from droneteam.missions.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    TaskParams,
)
from droneteam.missions.terrainfile import TerrainFile
from droneteam.missions.terrains import MAX_TERRAIN_BYTES
from droneteam.missions.views import MissionSpec, MissionView, SortieView
from droneteam.missions.volumes import BufferRule, RiskParams
from droneteam.web.access import allow, takes_files
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.mission_files import WRITERS
from droneteam.web.rule_words import told
from droneteam.web.terrains import terrain_of
from droneteam.web.views.missions import PLANNERS, READERS

bp = APIBlueprint("api_missions", __name__, url_prefix="/api/v1", tag="missions")


class ParamsIn(Schema):
    """How the area is to be photographed; what is left out takes the planner's default."""

    gsd_m = fields.Float(validate=Range(0.001, 0.5))
    forward_overlap = fields.Float(validate=Range(0.55, 0.95))
    side_overlap = fields.Float(validate=Range(0.30, 0.95))
    angle_deg = fields.Float(allow_none=True, validate=Range(-360, 360))
    crosshatch = fields.Boolean()
    cross_spacing = fields.Float(validate=Range(1, 4))
    orbit = fields.Boolean()
    orbit_pitch_deg = fields.Float(validate=Range(-80, -15))
    orbit_photos = fields.Integer(strict=True, validate=Range(6, 200))
    orbit_offset_m = fields.Float(validate=Range(0, 200))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    max_photos = fields.Integer(allow_none=True, strict=True, validate=Range(4, 100_000))
    min_views = fields.Integer(strict=True, validate=Range(1, 50))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class CorridorIn(Schema):
    """Photos along a road; the places are its axis."""

    width_m = fields.Float(validate=Range(1, 500))
    gsd_m = fields.Float(validate=Range(0.001, 0.5))
    forward_overlap = fields.Float(validate=Range(0.55, 0.95))
    side_overlap = fields.Float(validate=Range(0.30, 0.95))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    min_views = fields.Integer(strict=True, validate=Range(1, 50))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class FacadeIn(Schema):
    """Photos of a wall; the places are its foot, the drone stays on its left."""

    gsd_m = fields.Float(validate=Range(0.0005, 0.05))
    bottom_m = fields.Float(validate=Range(2, 120))
    top_m = fields.Float(validate=Range(2, 120))
    forward_overlap = fields.Float(validate=Range(0.55, 0.95))
    side_overlap = fields.Float(validate=Range(0.30, 0.95))
    speed_mps = fields.Float(validate=Range(0.5, 5))
    min_views = fields.Integer(strict=True, validate=Range(1, 50))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class SearchIn(Schema):
    """A search for a person; the place is where the person was last seen, or the area."""

    pattern = fields.String(validate=OneOf(["expanding_square", "sector", "parallel_track"]))
    gsd_m = fields.Float(validate=Range(0.001, 0.5))
    radius_m = fields.Float(validate=Range(10, 5000))
    sigma_m = fields.Float(validate=Range(1, 5000))
    overlap = fields.Float(validate=Range(0, 0.8))
    detection = fields.Float(validate=Range(0.05, 1))
    turns = fields.Integer(strict=True, validate=Range(1, 10))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class OverwatchIn(Schema):
    """Hovering at places with the camera on a target."""

    target = fields.List(fields.Float(), required=True, validate=Length(equal=2))
    alt_home_m = fields.Float(validate=Range(5, 120))
    alt_agl_m = fields.Float(validate=Range(5, 120))
    alt_amsl_m = fields.Float(validate=Range(-100, 6000))
    stay_s = fields.Integer(strict=True, validate=Range(1, 3600))
    speed_mps = fields.Float(validate=Range(0.5, 20))
    ground_alt_home_m = fields.Float(validate=Range(-100, 100))


class FreeIn(Schema):
    """Waypoints flown in the given order; heights of one kind, one for all or one each."""

    alt_home_m = fields.List(fields.Float(validate=Range(5, 120)), validate=Length(1, 500))
    alt_agl_m = fields.List(fields.Float(validate=Range(5, 120)), validate=Length(1, 500))
    alt_amsl_m = fields.List(fields.Float(validate=Range(-100, 6000)), validate=Length(1, 500))
    pitch_deg = fields.Float(validate=Range(-90, 0))
    stay_s = fields.Integer(strict=True, validate=Range(0, 3600))
    photo = fields.Boolean()
    speed_mps = fields.Float(validate=Range(0.5, 20))


TASKS: dict[str, Callable[..., TaskParams]] = {
    "corridor": CorridorParams,
    "facade": FacadeParams,
    "search": SearchParams,
    "overwatch": OverwatchParams,
    "free": FreeParams,
}
"""The kinds of mission that are no survey, by the field that asks for them."""


class HomeIn(Schema):
    """Where the drone takes off."""

    lat_deg = fields.Float(required=True, validate=Range(-90, 90))
    lon_deg = fields.Float(required=True, validate=Range(-180, 180))
    alt_amsl_m = fields.Float(load_default=0.0, validate=Range(-500, 6000))


class WindIn(Schema):
    """What time and packs reckon with; without a direction it blows against every leg."""

    speed_mps = fields.Float(required=True, validate=Range(0, 14))
    from_deg = fields.Float(load_default=None, allow_none=True, validate=Range(-360, 360))


class RiskIn(Schema):
    """What the volumes are computed with."""

    rule = fields.String(validate=OneOf(list(BufferRule)))
    latency_s = fields.Float(validate=Range(0, 10))
    bank_deg = fields.Float(validate=Range(5, 45))
    span_m = fields.Float(validate=Range(0.1, 8))
    margin_m = fields.Float(validate=Range(1, 200))
    gust_mps = fields.Float(validate=Range(0, 40))


class ShareIn(Schema):
    """Which part of an area this drone flies."""

    part = fields.Integer(required=True, strict=True, validate=Range(1, MAX_DRONES))
    of = fields.Integer(required=True, strict=True, validate=Range(1, MAX_DRONES))
    separation = fields.String(load_default=Separation.AREA.value, validate=OneOf(list(Separation)))


def _places() -> Any:
    return fields.List(
        fields.List(fields.Float(), validate=Length(equal=2)),
        load_default=[],
        validate=Length(max=500),
        metadata={"description": "Places as [lat_deg, lon_deg]."},
    )


class SpecIn(Schema):
    """What the planner is asked for; polygon and home default to the request's.

    One of corridor, facade, search, overwatch and free makes it that kind of mission; without
    one it is a survey with `params`.
    """

    params = fields.Nested(ParamsIn, load_default=dict)
    corridor = fields.Nested(CorridorIn, load_default=None, allow_none=True)
    facade = fields.Nested(FacadeIn, load_default=None, allow_none=True)
    search = fields.Nested(SearchIn, load_default=None, allow_none=True)
    overwatch = fields.Nested(OverwatchIn, load_default=None, allow_none=True)
    free = fields.Nested(FreeIn, load_default=None, allow_none=True)
    camera = fields.String(load_default=SIMULATED.name, validate=OneOf(sorted(CAMERAS)))
    home = fields.Nested(HomeIn, load_default=None, allow_none=True)
    polygon = fields.List(
        fields.List(fields.Float(), validate=Length(equal=2)),
        load_default=None,
        allow_none=True,
        validate=Length(min=1, max=500),
        metadata={
            "description": "Corners of the area, axis, wall or places, as [lat_deg, lon_deg]."
        },
    )
    terrain = fields.String(
        load_default="level",
        validate=Length(max=40),
        metadata={"description": "level, terrain:NUMBER or scene:NUMBER."},
    )
    wind = fields.Nested(WindIn, load_default=None, allow_none=True)
    risk = fields.Nested(RiskIn, load_default=dict)
    people = _places()
    assemblies = _places()
    share = fields.Nested(ShareIn, load_default=None, allow_none=True)
    override_reason = fields.String(load_default=None, allow_none=True, validate=Length(max=500))


class AccuracyIn(SpecIn):
    """A mission, the receiver of its photos' positions, and control points."""

    receiver = fields.String(load_default="rtk", validate=OneOf(sorted(RECEIVERS)))
    control = _places()


class AccuracyOut(Schema):
    """Standard deviations in metres; points are lat_deg, lon_deg, horizontal, vertical, photos.

    upper_bound: a survey too large for one adjustment was reckoned in parts; it is no worse.
    """

    gsd_m = fields.Float()
    upper_bound = fields.Boolean()
    median_horizontal_m = fields.Float()
    median_vertical_m = fields.Float()
    worst_horizontal_m = fields.Float()
    worst_vertical_m = fields.Float()
    points = fields.List(fields.List(fields.Float()))


class TerrainQuery(Schema):
    """What a raster's heights mean."""

    name = fields.String(required=True, validate=Length(1, 80))
    kind = fields.String(load_default="dsm", validate=OneOf(["dsm", "dtm"]))
    datum = fields.String(load_default="unknown", validate=OneOf(list(VerticalDatum)))
    geoid_separation_m = fields.Float(load_default=None, allow_none=True, validate=Range(-120, 120))


class ApproveIn(Schema):
    """What the rules ask for before a mission is flown.

    reason: why it may be flown in spite of warnings, needed when there are any; acknowledged: what
    no rule could check is looked at before take-off, needed once when there is such a thing.
    """

    reason = fields.String(load_default=None, allow_none=True, validate=Length(max=500))
    acknowledged = fields.Boolean(load_default=False)


class SignIn(Schema):
    """reason: why it may take off in spite of what bars on the crew's checklist; a coordinator's.

    Nothing is needed where nothing bars.
    """

    reason = fields.String(load_default=None, allow_none=True, validate=Length(max=500))


_FILES: Any = {
    200: {
        "description": "QGroundControl .plan, waypoints, KML, GeoJSON, Litchi CSV or DJI KMZ.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/geo+json": {"schema": {"type": "object"}},
            "application/vnd.google-earth.kml+xml": {"schema": {"type": "string"}},
            "application/vnd.google-earth.kmz": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


class FileQuery(Schema):
    """Which file format."""

    format = fields.String(load_default="plan", validate=OneOf(list(WRITERS)))


@bp.get("/missions")
@allow(*READERS)
@bp.output(page_of(MissionView))
@bp.doc(summary="Missions")
def list_missions() -> Any:
    """Newest first."""
    with reading() as session:
        return {"items": [told(one) for one in service.list_missions(session, actor())]}


@bp.post("/assignments/<id:assignment_id>/missions")
@allow(*PLANNERS)
@bp.input(SpecIn, arg_name="body")
@bp.output(schema_of(MissionView), status_code=201)
@bp.doc(summary="Plan a mission for an assignment")
def plan_mission(assignment_id: int, body: dict[str, Any]) -> Any:
    """422 names the geozone or rule that says stop."""
    with writing() as session:
        terrain = terrain_of(session, actor(), body["terrain"], context().settings)
        spec = replace(_mission_spec(body), terrain=terrain)
        return told(service.plan_mission(session, actor(), assignment_id, spec, now()))


@bp.post("/assignments/<id:assignment_id>/accuracy")
@allow(*PLANNERS)
@bp.input(AccuracyIn, arg_name="body")
@bp.output(AccuracyOut)
@bp.doc(summary="Predict how accurate a mission's photos would be")
def predict_accuracy(assignment_id: int, body: dict[str, Any]) -> Any:
    """Standard deviations of ground points before anything is flown; nothing is stored."""
    with reading() as session:
        terrain = terrain_of(session, actor(), body["terrain"], context().settings)
        spec = replace(_mission_spec(body), terrain=terrain)
        made = service.preview_mission(session, actor(), assignment_id, spec)
    found = accuracy_of(
        made.plan,
        camera_named(spec.camera),
        RECEIVERS[body["receiver"]],
        control=_pairs(body["control"]),
        terrain=made.terrain,
    )
    one = found.accuracy
    rows = np.column_stack([found.lat_lon, one.horizontal_m, one.vertical_m, one.views])
    return {
        "gsd_m": one.gsd_m,
        "upper_bound": one.bound,
        "median_horizontal_m": one.median_horizontal_m,
        "median_vertical_m": one.median_vertical_m,
        "worst_horizontal_m": one.worst_horizontal_m,
        "worst_vertical_m": one.worst_vertical_m,
        "points": rows.tolist(),
    }


def _mission_spec(body: dict[str, Any]) -> MissionSpec:
    home, polygon = body["home"], body["polygon"]
    wind, share, risk = body["wind"], body["share"], dict(body["risk"])
    if "rule" in risk:
        risk["rule"] = BufferRule(risk["rule"])
    return MissionSpec(
        params=_params(body),
        camera=body["camera"],
        home=None if home is None else HomePoint(**home),
        polygon=None if polygon is None else _pairs(polygon),
        wind=CALM if wind is None else Wind(**wind),
        risk=RiskParams(**risk),
        people=_pairs(body["people"]),
        assemblies=_pairs(body["assemblies"]),
        share=None
        if share is None
        else Share(share["part"], share["of"], Separation(share["separation"])),
        override_reason=body["override_reason"],
    )


def _pairs(rows: list[list[float]]) -> tuple[tuple[float, float], ...]:
    return tuple((lat, lon) for lat, lon in rows)


@bp.get("/terrains")
@allow(*PLANNERS)
@bp.output(page_of(service.TerrainView))
@bp.doc(summary="Terrains that missions can be planned over")
def list_terrains() -> Any:
    """By name; surfaces of scenes are named scene:NUMBER and not listed."""
    with reading() as session:
        return {"items": service.list_terrains(session, actor())}


@bp.post("/terrains")
@allow(*PLANNERS)
@takes_files(MAX_TERRAIN_BYTES)
@bp.input(TerrainQuery, location="query", arg_name="query")
@bp.output(schema_of(service.TerrainView), status_code=201)
@bp.doc(summary="Add a terrain; the body is the GeoTIFF")
def add_terrain(query: dict[str, Any]) -> Any:
    """422 says what the file lacks."""
    folder = context().settings.data_dir
    source = TerrainFile(
        query["name"],
        folder,
        query["kind"],
        VerticalDatum(query["datum"]),
        query["geoid_separation_m"],
    )
    try:
        with writing() as session:
            return service.add_terrain(session, actor(), source, request.get_data(), folder, now())
    except DecodeError as error:
        raise InputError(str(error), field="body") from error


def _params(body: dict[str, Any]) -> TaskParams:
    asked = [name for name in TASKS if body[name] is not None]
    if len(asked) > 1:
        raise InputError(
            f"ask for one kind of mission, not for {' and '.join(asked)}", field=asked[1]
        )
    if not asked:
        return SurveyParams(**{"max_photos": 60, **body["params"]})
    values = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in body[asked[0]].items()
    }
    return TASKS[asked[0]](**values)


@bp.get("/missions/<id:mission_id>")
@allow(*READERS)
@bp.output(schema_of(MissionView))
@bp.doc(summary="One mission with its plan and findings")
def get_mission(mission_id: int) -> Any:
    """Heights are above the take-off point; findings are in the language that was asked for."""
    with reading() as session:
        return told(service.get_mission(session, actor(), mission_id))


@bp.post("/missions/<id:mission_id>/approve")
@allow(*PLANNERS)
@bp.input(ApproveIn, arg_name="body")
@bp.output(schema_of(MissionView))
@bp.doc(summary="Approve a mission for flight")
def approve(mission_id: int, body: dict[str, Any]) -> Any:
    """The approval is bound to the plan's hash."""
    with writing() as session:
        return told(service.approve_mission(session, actor(), mission_id, now(), **body))


@bp.post("/missions/<id:mission_id>/sign")
@allow(*PLANNERS)
@bp.input(SignIn, arg_name="body")
@bp.output(schema_of(service.Clearance))
@bp.doc(summary="Sign for take-off")
def sign(mission_id: int, body: dict[str, Any]) -> Any:
    """The assigned pilot and a second person, within fifteen minutes.

    409 while a check of the crew's checklist is open, failed, disputed or older than twelve hours;
    a coordinator lifts what stands by signing with a reason.
    """
    with writing() as session:
        return service.sign_arming(session, actor(), mission_id, now(), **body)


@bp.get("/missions/<id:mission_id>/clearance")
@allow(*READERS)
@bp.output(schema_of(service.Clearance))
@bp.doc(summary="Who has signed for take-off, and what bars it")
def mission_clearance(mission_id: int) -> Any:
    """It may be armed when nobody is missing and nothing bars."""
    with reading() as session:
        return service.clearance(session, actor(), mission_id, now())


@bp.post("/missions/<id:mission_id>/cancel")
@allow(*PLANNERS)
@bp.output(schema_of(MissionView))
@bp.doc(summary="Withdraw a mission")
def cancel(mission_id: int) -> Any:
    """Before it flew."""
    with writing() as session:
        return told(service.cancel_mission(session, actor(), mission_id, now()))


@bp.get("/missions/<id:mission_id>/file")
@allow(*READERS)
@bp.input(FileQuery, location="query", arg_name="query")
@bp.doc(summary="The mission as a file", responses=_FILES)
def mission_file(mission_id: int, query: dict[str, str]) -> Any:
    """For QGroundControl and other programs."""
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
    content, media_type = WRITERS[query["format"]](mission)
    return Response(content, content_type=media_type)


@bp.get("/sorties")
@allow(*READERS)
@bp.output(page_of(SortieView))
@bp.doc(summary="Flown sorties")
def list_sorties() -> Any:
    """Newest first."""
    with reading() as session:
        return {"items": service.list_sorties(session, actor(), context().settings.data_dir)}


@bp.get("/sorties/<id:sortie_id>")
@allow(*READERS)
@bp.output(schema_of(SortieView))
@bp.doc(summary="One sortie with its triggers and checklist")
def get_sortie(sortie_id: int) -> Any:
    """The hash is of its log."""
    with reading() as session:
        return service.get_sortie(session, actor(), sortie_id, context().settings.data_dir)
