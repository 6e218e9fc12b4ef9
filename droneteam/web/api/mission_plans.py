"""Planning a mission by program, so that nobody's plan is stored over one that was not seen.

Writing takes the entity tag of what the caller has read (RFC 9110, section 13.1.1, and RFC 6585):
without one the answer is 428, with an old one 412 and what differs.  Nothing of a refused body is
kept, and nothing that was stored changes.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length
from flask import Response, request

from droneteam.errors import DecodeError, InputError
from droneteam.missions import service
from droneteam.missions.formats.chancefile import MAX_CHANCE_BYTES, chance_map_of
from droneteam.missions.items import mission_hash, wire_mission
from droneteam.missions.planner.chances import ChanceMap
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.views import MissionPreview, MissionSpec, MissionView
from droneteam.web.access import allow, takes_files
from droneteam.web.api.mission_inputs import SpecIn, mission_spec
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.failures import problem
from droneteam.web.rule_words import told
from droneteam.web.terrains import terrain_of
from droneteam.web.views.missions import PLANNERS

bp = APIBlueprint("api_mission_plans", __name__, url_prefix="/api/v1", tag="missions")

_TAG = re.compile(r'"missions:([0-9,]*)"')
_PRECONDITIONS: Any = {
    412: {"description": "Missions were planned meanwhile; the answer says what differs."},
    428: {"description": "The If-Match header is missing."},
}


class MatchIn(Schema):
    """Which missions of the assignment the caller has seen."""

    if_match = fields.String(
        data_key="If-Match",
        load_default=None,
        metadata={"description": "The ETag of GET on the same address."},
    )


class ChanceFileQuery(Schema):
    """What the map is called."""

    name = fields.String(load_default="map", validate=Length(1, 80))


def tag_of(missions: list[MissionView]) -> str:
    """The entity tag of an assignment's live missions."""
    return f'"missions:{",".join(str(one.id) for one in missions)}"'


@bp.get("/assignments/<id:assignment_id>/missions")
@allow(*PLANNERS)
@bp.output(page_of(MissionView))
@bp.doc(summary="What is planned for an assignment and neither flown nor withdrawn")
def planned_missions(assignment_id: int) -> Any:
    """The oldest first; its ETag is what planning another one asks for."""
    with reading() as session:
        found = service.planned_for(session, actor(), assignment_id)
    return {"items": [told(one) for one in found]}, 200, {"ETag": tag_of(found)}


@bp.post("/assignments/<id:assignment_id>/missions")
@allow(*PLANNERS)
@bp.input(MatchIn, location="headers", arg_name="match")
@bp.input(SpecIn, arg_name="body")
@bp.output(schema_of(MissionView), status_code=201)
@bp.doc(summary="Plan a mission for an assignment", responses=_PRECONDITIONS)
def plan_mission(assignment_id: int, match: dict[str, Any], body: dict[str, Any]) -> Any:
    """422 names the geozone or rule that says stop; the same body sent twice is one mission."""
    if match["if_match"] is None:
        return _without_tag(assignment_id)
    seen = _TAG.fullmatch(match["if_match"].strip())
    known = frozenset(int(part) for part in seen[1].split(",") if part) if seen else frozenset()
    with reading() as session:
        terrain = terrain_of(session, actor(), body["terrain"], context().settings)
    spec = replace(mission_spec(body), terrain=terrain)
    try:
        with writing() as session:
            made = service.plan_mission(session, actor(), assignment_id, spec, now(), known=known)
    except service.PlannedMeanwhile as error:
        return _meanwhile(assignment_id, spec, error)
    return told(made)


def _without_tag(assignment_id: int) -> Response:
    with reading() as session:
        found = service.planned_for(session, actor(), assignment_id)
    answer, status = problem(
        428,
        "send If-Match with the ETag of GET on this address, so that no plan is stored beside "
        "one that you have not seen",
        field="If-Match",
    )
    answer.status_code = status
    answer.headers["ETag"] = tag_of(found)
    return answer


def _meanwhile(assignment_id: int, spec: MissionSpec, error: service.PlannedMeanwhile) -> Response:
    """What stands there now, and where each plan differs from the one that was sent."""
    with reading() as session:
        mine = service.preview_mission(session, actor(), assignment_id, spec)
        others = [service.get_mission(session, actor(), number) for number in error.ids]
        found = service.planned_for(session, actor(), assignment_id)
    told_missions = [
        {
            "id": one.id,
            "state": one.state.value,
            "created_at": one.created_at.isoformat(),
            "differences": differences(mine, spec.camera, one),
        }
        for one in others
    ]
    more = {"missions": told_missions}
    answer, status = problem(412, str(error), field="If-Match", more=more)
    answer.status_code = status
    answer.headers["ETag"] = tag_of(found)
    return answer


def differences(mine: MissionPreview, camera: str, other: MissionView) -> dict[str, list[Any]]:
    """What differs between a plan that was sent and a stored one: [sent, stored] by name."""
    sent = _told_of(mine.plan, camera)
    stored = _told_of(other.plan, other.camera)
    return {name: [sent[name], stored[name]] for name in sent if sent[name] != stored[name]}


def _told_of(plan: MissionPlan, camera: str) -> dict[str, Any]:
    home = plan.home
    return {
        "mission_hash": mission_hash(wire_mission(plan.items, home)),
        "pattern": plan.pattern,
        "camera": camera,
        "home": [home.lat_deg, home.lon_deg, home.alt_amsl_m],
        "area": [list(corner) for corner in plan.area],
        "items": len(plan.items),
        "n_photos": plan.n_photos,
        "gsd_m": plan.gsd_m,
        "forward_overlap": plan.forward_overlap,
        "side_overlap": plan.side_overlap,
        "length_m": plan.length_m,
        "duration_s": plan.duration_s,
        "packs": plan.packs,
        "wind_mps": plan.wind.speed_mps,
        "terrain": plan.terrain,
        "chance_of_finding": plan.chance_of_finding,
    }


@bp.post("/chance-maps")
@allow(*PLANNERS)
@takes_files(MAX_CHANCE_BYTES)
@bp.input(ChanceFileQuery, location="query", arg_name="query")
@bp.output(schema_of(ChanceMap))
@bp.doc(summary="Read a probability map; the body is a GeoTIFF or GeoJSON")
def read_chances(query: dict[str, Any]) -> Any:
    """Nothing is stored: the answer goes into `search.chances` of a plan."""
    try:
        return chance_map_of(query["name"], request.get_data())
    except DecodeError as error:
        raise InputError(error.template, field="body", **error.facts) from error
