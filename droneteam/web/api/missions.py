"""Missions and sorties: plan, approve, take away, look up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf, Range
from flask import Response, request

from droneteam.errors import DecodeError, InputError
from droneteam.missions import service
from droneteam.missions.formats.wpml import AIRCRAFT, VERSIONS
from droneteam.missions.planner.accuracy import RECEIVERS
from droneteam.missions.planner.camera import camera_named
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.surveyaccuracy import accuracy_of
from droneteam.missions.planner.terrainfile import TerrainFile
from droneteam.missions.terrains import MAX_TERRAIN_BYTES
from droneteam.missions.views import MissionView, SortieView
from droneteam.web.access import allow, takes_files
from droneteam.web.api.mission_inputs import AccuracyIn, mission_spec, pairs
from droneteam.web.api.shapes import page_of, pieces_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.mission_files import WRITERS, written
from droneteam.web.pieces import answer_piece, piece_query
from droneteam.web.rule_words import told
from droneteam.web.terrains import terrain_of
from droneteam.web.views.missions import PLANNERS, READERS

bp = APIBlueprint("api_missions", __name__, url_prefix="/api/v1", tag="missions")


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
    version = fields.String(
        load_default=None,
        validate=OneOf(VERSIONS),
        metadata={"description": "Of DJI's kmz; the installation's where none is named."},
    )
    aircraft = fields.String(
        load_default="m3e",
        validate=OneOf(list(AIRCRAFT)),
        metadata={"description": "Of DJI's kmz."},
    )


@bp.get("/missions")
@allow(*READERS)
@bp.input(piece_query(10), location="query", arg_name="query")
@bp.output(pieces_of(MissionView))
@bp.doc(summary="Missions")
def list_missions(query: dict[str, Any]) -> Any:
    """Newest first; each holds its whole plan."""
    with reading() as session:
        return answer_piece(
            query,
            lambda piece: [told(one) for one in service.list_missions(session, actor(), piece)],
        )


@bp.post("/assignments/<id:assignment_id>/accuracy")
@allow(*PLANNERS)
@bp.input(AccuracyIn, arg_name="body")
@bp.output(AccuracyOut)
@bp.doc(summary="Predict how accurate a mission's photos would be")
def predict_accuracy(assignment_id: int, body: dict[str, Any]) -> Any:
    """Standard deviations of ground points before anything is flown; nothing is stored."""
    with reading() as session:
        terrain = terrain_of(session, actor(), body["terrain"], context().settings)
        spec = replace(mission_spec(body), terrain=terrain)
        made = service.preview_mission(session, actor(), assignment_id, spec)
    found = accuracy_of(
        made.plan,
        camera_named(spec.camera),
        RECEIVERS[body["receiver"]],
        control=pairs(body["control"], "control"),
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
        raise InputError(error.template, field="body", **error.facts) from error


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
def mission_file(mission_id: int, query: dict[str, Any]) -> Any:
    """For QGroundControl and other programs."""
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
    version = query["version"] or context().settings.wpml_version
    content, media_type = written(mission, query["format"], version, query["aircraft"])
    return Response(content, content_type=media_type)


@bp.get("/sorties")
@allow(*READERS)
@bp.input(piece_query(100), location="query", arg_name="query")
@bp.output(pieces_of(SortieView))
@bp.doc(summary="Flown sorties")
def list_sorties(query: dict[str, Any]) -> Any:
    """Newest first."""
    data_dir = context().settings.data_dir
    with reading() as session:
        return answer_piece(
            query, lambda piece: service.list_sorties(session, actor(), data_dir, piece)
        )


@bp.get("/sorties/<id:sortie_id>")
@allow(*READERS)
@bp.output(schema_of(SortieView))
@bp.doc(summary="One sortie with its triggers and checklist")
def get_sortie(sortie_id: int) -> Any:
    """The hash is of its log."""
    with reading() as session:
        return service.get_sortie(session, actor(), sortie_id, context().settings.data_dir)
