"""The planner: the form with its map, and what a plan would be while it is drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.errors import Conflict, DecodeError, InputError, NotFound
from droneteam.fleet import service as fleet
from droneteam.fleet.views import AssignmentView, RequestView
from droneteam.missions import service
from droneteam.missions.airspace.rules import RulesUnmet
from droneteam.missions.formats.chancefile import MAX_CHANCE_BYTES, chance_map_of
from droneteam.missions.formats.chancemap import chance_map_to_json
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.formats.places import read_places
from droneteam.missions.planner.camera import CAMERAS, SIMULATED, camera_named
from droneteam.missions.planner.overlap import overlap_grid
from droneteam.missions.planner.packs import elapsed_s
from droneteam.missions.planner.plan import MissionPlan, SurveyParams
from droneteam.missions.planning import OVERRIDERS
from droneteam.missions.views import MissionPreview, MissionSpec, MissionView
from droneteam.web import words
from droneteam.web.access import allow, takes_files
from droneteam.web.chance_form import drawn_chances
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.file_form import taken
from droneteam.web.footprints import footprints
from droneteam.web.forms import FormReader, polygon_text
from droneteam.web.limiter import limiter
from droneteam.web.mission_map import map_texts, path_of, zone_rings
from droneteam.web.planner_ground import DEFAULTS as GROUND_DEFAULTS
from droneteam.web.planner_ground import (
    drawn_accuracy,
    drawn_ground,
)
from droneteam.web.refusals import said
from droneteam.web.rule_words import gravest_first, unmet
from droneteam.web.spec_form import field_names, field_of, read_spec, typed_fields
from droneteam.web.task_form import DEFAULTS, PLACES_NEEDED, SURVEY
from droneteam.web.terrains import options, terrain_of
from droneteam.web.timefmt import decimal, duration
from droneteam.web.views.missions import PLANNERS

bp = Blueprint("planner", __name__, url_prefix="/missions/new")

_DEFAULTS = SurveyParams(max_photos=60)
SHAPES = {
    SURVEY: "polygon",
    "corridor": "line",
    "facade": "line",
    "expanding_square": "point",
    "sector": "point",
    "parallel_track": "polygon",
    "overwatch": "points",
    "free": "points",
}
"""What a pattern's places are; a line and points are flown in their order."""
SEARCHES = ("expanding_square", "sector", "parallel_track")
USED_BY = {
    "gsd_mm": (SURVEY, "corridor", "facade", "expanding_square", "sector", "parallel_track"),
    "max_photos": (SURVEY,),
    "forward_overlap_pct": (SURVEY, "corridor", "facade"),
    "side_overlap_pct": (SURVEY, "corridor", "facade"),
    "angle_deg": (SURVEY,),
    "crosshatch": (SURVEY,),
    "orbit": (SURVEY,),
    "orbit_pitch_deg": (SURVEY,),
    "width_m": ("corridor",),
    "bottom_m": ("facade",),
    "top_m": ("facade",),
    "radius_m": ("expanding_square", "sector"),
    "sigma_m": ("expanding_square", "sector"),
    "turns": ("sector",),
    "max_minutes": ("parallel_track",),
    "chances": SEARCHES,
    "target": ("overwatch",),
    "alt_home_m": ("overwatch", "free"),
    "height_kind": ("overwatch", "free"),
    "stay_s": ("overwatch", "free"),
    "photo": ("free",),
    "share": (SURVEY, "parallel_track"),
    "control": (SURVEY, "corridor"),
}
"""Which patterns read a field; the others hide it."""
_GROUND_SURVEYS = frozenset({SURVEY, "parallel_track"})
_CORNERS_TOLD = 12
"""Corners of an area that a comparison of two plans lists."""
_MAX_DRAWN = 6_000
"""Photos whose places and footprints go to the browser."""


@bp.get("/<id:assignment_id>")
@allow(*PLANNERS)
def form(assignment_id: int) -> str:
    """The planning form for an assignment, filled in from its request or an earlier mission."""
    assignment, asked = _assignment(assignment_id)
    values = _initial(asked)
    if "from" in request.args:
        values = _again(assignment, values, request.args.get("from", type=int) or 0)
    return _form(assignment, asked, values, {})


@bp.post("/<id:assignment_id>")
@allow(*PLANNERS)
def plan(assignment_id: int) -> Any:
    """The planned mission's page, or the form again with what stands against it."""
    assignment, asked = _assignment(assignment_id)
    spec, problems = _spec(request.form)
    if spec is None:
        return _form(assignment, asked, request.form, problems), 422
    spec = replace(spec, form=typed_fields(request.form))
    try:
        made = _plan(assignment_id, spec)
    except service.PlannedMeanwhile as error:
        return _beside(assignment, asked, spec, error), 409
    except Conflict as error:
        return _form(assignment, asked, request.form, {"polygon": said(error)}), 409
    except RulesUnmet as error:
        return _form(assignment, asked, request.form, {"polygon": unmet(error)}), 422
    except (InputError, DecodeError) as error:
        problems = {field_of(error): said(error)}
        return _form(assignment, asked, request.form, problems), 422
    flash(_("Planned and checked. Approve it before flying."), "done")
    return redirect(url_for("missions.show", mission_id=made.id))


def _plan(assignment_id: int, spec: MissionSpec) -> MissionView:
    """The mission, stored; the one that the form changes is withdrawn for it."""
    old = request.form.get("replaces", type=int)
    with writing() as session:
        made = service.plan_mission(
            session, actor(), assignment_id, spec, now(), known=_known(request.form)
        )
        if old is not None and service.supersede(session, actor(), old, made, now()) is not None:
            flash(_("Mission %(id)s is withdrawn: this plan takes its place.", id=old), "note")
    return made


@bp.post("/<id:assignment_id>/places")
@allow(*PLANNERS)
@takes_files(MAX_FILE_BYTES + 100_000)
def take_places(assignment_id: int) -> Any:
    """The form with the places of a file; everything else stays as it was typed."""
    assignment, asked = _assignment(assignment_id)
    sent = request.files.get("file")
    values = dict(request.form)
    if sent is None or not sent.filename:
        return _form(assignment, asked, values, {"file": _("Choose a file first.")}), 422
    try:
        path_first = SHAPES.get(values.get("pattern", SURVEY)) != "polygon"
        found = read_places(sent.filename, sent.read(), path_first=path_first)
    except (DecodeError, InputError) as error:
        return _form(assignment, asked, values, {"file": said(error)}), 422
    return _form(assignment, asked, *taken(found, values))


@bp.post("/<id:assignment_id>/chances")
@allow(*PLANNERS)
@takes_files(MAX_CHANCE_BYTES + 2_000_000)
def take_chances(assignment_id: int) -> Any:
    """The form with the probability map of a file; everything else stays as it was typed."""
    assignment, asked = _assignment(assignment_id)
    sent = request.files.get("chance_file")
    values = dict(request.form)
    if sent is None or not sent.filename:
        return _form(assignment, asked, values, {"chance_file": _("Choose a file first.")}), 422
    try:
        chances = chance_map_of(sent.filename, sent.read())
    except (DecodeError, InputError) as error:
        return _form(assignment, asked, values, {"chance_file": said(error)}), 422
    values["chances"] = json.dumps(chance_map_to_json(chances))
    return _form(assignment, asked, values, {})


@bp.post("/<id:assignment_id>/preview")
@allow(*PLANNERS)
@limiter.limit("600 per minute")
def preview(assignment_id: int) -> Response:
    """The plan that the form would make, or what stands against one; nothing is stored."""
    spec, problems = _spec(request.form)
    if spec is None:
        return jsonify(problems=problems)
    try:
        with reading() as session:
            made = service.preview_mission(session, actor(), assignment_id, spec)
    except (InputError, DecodeError) as error:
        return jsonify(problems={field_of(error): said(error)})
    accuracy = drawn_accuracy(made, spec, FormReader(request.form))
    drawn = {**_drawn(made, spec), **drawn_ground(made), "accuracy": accuracy["accuracy"]}
    drawn["facts"] += accuracy["accuracyFacts"]
    return jsonify(drawn)


def _known(fields: Mapping[str, str]) -> frozenset[int] | None:
    """The assignment's missions that the form was opened with; None where it does not say."""
    if "known" not in fields:
        return None
    parts = fields["known"].split(",")
    return frozenset(int(part) for part in parts if part.isascii() and part.isdigit())


def _beside(
    assignment: AssignmentView,
    asked: RequestView,
    spec: MissionSpec,
    error: service.PlannedMeanwhile,
) -> str:
    """The form as it was typed, under what it and the missions that came meanwhile make."""
    with reading() as session:
        mine = service.preview_mission(session, actor(), assignment.id, spec)
        others = [service.get_mission(session, actor(), number) for number in error.ids]
        live = {str(one.id) for one in service.planned_for(session, actor(), assignment.id)}
    columns = [_told(mine.plan, spec.camera), *(_told(one.plan, one.camera) for one in others)]
    labels = list(dict.fromkeys(label for column in columns for label in column))
    rows = [(label, [column.get(label, "–") for column in columns]) for label in labels]
    # Whoever was quicker may have withdrawn what this form was to replace.
    gone = {"replaces"} if request.form.get("replaces") not in live else set()
    values = {name: value for name, value in request.form.items() if name not in gone}
    return _form(assignment, asked, values, {}, (others, rows))


def _told(plan: MissionPlan, camera: str) -> dict[str, str]:
    """A plan in what tells it from another of the same assignment, by label."""
    home = f"{plan.home.lat_deg:.6f}, {plan.home.lon_deg:.6f}"
    first = {_("Pattern"): str(words.PATTERNS[plan.pattern]), _("Camera"): camera}
    area = "; ".join(f"{lat:.6f}, {lon:.6f}" for lat, lon in plan.area[:_CORNERS_TOLD])
    return {**first, **dict(_plan_facts(plan)), _("Take-off"): home, _("Area"): area}


def _spec(fields: Mapping[str, str]) -> tuple[MissionSpec | None, dict[str, str]]:
    """What the form asks for, with the terrain that it names; None and what is wrong."""
    spec, problems = read_spec(fields)
    if spec is None:
        return None, problems
    key = FormReader(fields).text("terrain", max_length=40)
    try:
        with reading() as session:
            terrain = terrain_of(session, actor(), key, context().settings)
    except (InputError, NotFound) as error:
        return None, {"terrain": said(error)}
    return replace(spec, terrain=terrain), {}


def _drawn(made: MissionPreview, spec: MissionSpec) -> dict[str, Any]:
    plan = made.plan
    camera = camera_named(spec.camera)
    photos = plan.photo_positions[:_MAX_DRAWN]
    ground = plan.pattern in _GROUND_SURVEYS
    area, terrain = plan.area, made.terrain
    seen = overlap_grid(area, plan.photo_positions, camera, plan.home, terrain) if ground else None
    return {
        "path": path_of(plan),
        "photos": [[round(p.lat_deg, 7), round(p.lon_deg, 7)] for p in photos],
        "footprints": footprints(photos, camera).round(7).reshape(-1, 8).tolist(),
        "overlap": [] if seen is None else seen.round(7).tolist(),
        "gsdM": plan.gsd_m,
        **drawn_chances(plan.search),
        "facts": _facts(made),
        "findings": [asdict(one) for one in gravest_first(made.findings)],
    }


def _facts(made: MissionPreview) -> list[list[str]]:
    """What the preview comes to, each with its label."""
    buffer = [_("Ground-risk buffer"), f"{made.volumes.buffer_m:.0f} m"]
    return [*_plan_facts(made.plan), buffer]


def _plan_facts(plan: MissionPlan) -> list[list[str]]:
    """What a plan comes to, each with its label."""
    facts = [
        [_("Photos"), str(plan.n_photos)],
        [_("Length and time"), f"{plan.length_m:.0f} m, {duration(plan.duration_s)}"],
        [_("Battery packs"), str(plan.packs)],
    ]
    if plan.packs > 1:
        facts.append([_("With battery swaps"), duration(elapsed_s(plan.duration_s, plan.packs))])
    if plan.min_clearance_m is not None:
        facts.append([_("Least height over the terrain"), f"{decimal(plan.min_clearance_m, 1)} m"])
    if plan.gsd_m:
        facts.append([_("Ground sampling distance"), f"{decimal(plan.gsd_m * 1000, 1)} mm"])
    if plan.forward_overlap:
        overlaps = f"{plan.forward_overlap * 100:.0f} %, {plan.side_overlap * 100:.0f} %"
        facts.append([_("Overlap along and between lines"), overlaps])
        facts.append([_("Photos of the worst point"), str(plan.min_views)])
    if plan.chance_of_finding is not None:
        chance = f"{plan.chance_of_finding * 100:.0f} %"
        facts.append([_("Chance of finding the person"), chance])
    if plan.search is not None:
        facts.append([_("Half of that chance after"), duration(plan.search.half_s)])
    return facts


def _assignment(assignment_id: int) -> tuple[AssignmentView, RequestView]:
    with reading() as session:
        assignment = fleet.get_assignment(session, actor(), assignment_id)
        return assignment, fleet.get_request(session, actor(), assignment.request_id, now())


def _initial(asked: RequestView) -> dict[str, Any]:
    defaults = _DEFAULTS
    return {
        **DEFAULTS,
        **GROUND_DEFAULTS,
        "pattern": SURVEY,
        "camera": SIMULATED.name,
        "gsd_mm": f"{defaults.gsd_m * 1000:g}",
        "forward_overlap_pct": f"{defaults.forward_overlap * 100:g}",
        "side_overlap_pct": f"{defaults.side_overlap * 100:g}",
        "angle_deg": "",
        "crosshatch": defaults.crosshatch,
        "orbit": defaults.orbit,
        "orbit_pitch_deg": f"{defaults.orbit_pitch_deg:g}",
        "speed_mps": f"{defaults.speed_mps:g}",
        "max_photos": defaults.max_photos or "",
        "home_lat_deg": asked.lat_deg,
        "home_lon_deg": asked.lon_deg,
        "home_alt_amsl_m": "",
        "polygon": polygon_text(asked.polygon),
    }


def _again(assignment: AssignmentView, fresh: dict[str, Any], mission_id: int) -> dict[str, Any]:
    """The form as the mission was planned with it.

    Raises
    ------
    NotFound
        The mission is not of this assignment.
    """
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
        typed = service.form_of(session, actor(), mission_id)
    if mission.assignment_id != assignment.id:
        raise NotFound("mission", mission_id)
    replaced = {"replaces": str(mission_id)} if mission.state in service.REPLACEABLE else {}
    if typed:
        return {**typed, **replaced}
    plan, home = mission.plan, mission.plan.home
    flash(_("A program planned this mission: compare every field."), "note")
    known = {
        "pattern": plan.pattern,
        "camera": mission.camera,
        "polygon": polygon_text(plan.area),
        "home_lat_deg": f"{home.lat_deg:.7f}",
        "home_lon_deg": f"{home.lon_deg:.7f}",
        "home_alt_amsl_m": "" if home.alt_amsl_m is None else f"{home.alt_amsl_m:g}",
        **({"gsd_mm": f"{plan.gsd_m * 1000:g}"} if plan.gsd_m else {}),
    }
    return {**fresh, **known, **replaced}


def _form(
    assignment: AssignmentView,
    asked: RequestView,
    values: Mapping[str, Any],
    problems: Any,
    meanwhile: tuple[list[MissionView], list[tuple[str, list[str]]]] = ([], []),
) -> str:
    """The form; meanwhile : missions that the planner had not seen, and a table of differences."""
    return render_template(
        "mission_form.html",
        assignment=assignment,
        asked=asked,
        values=values,
        known=_seen(assignment, values, bool(meanwhile[0])),
        rivals=meanwhile[0],
        differences=meanwhile[1],
        problems=problems,
        labels=field_names(),
        cameras=[(name, name) for name in sorted(CAMERAS)],
        patterns=[(code, words.PATTERNS[code]) for code in PLACES_NEEDED],
        categories=[("", _("none")), *words.LOST_PERSONS.items()],
        used_by=USED_BY,
        terrains=_terrains(),
        rules=list(words.BUFFER_RULES.items()),
        separations=list(words.SEPARATIONS.items()),
        receivers=[("rtk", _("with corrections (RTK)")), ("gps", _("without corrections"))],
        heights=list(words.HEIGHT_KINDS.items()),
        volumes=list(words.VOLUMES.items()),
        may_lift=actor().has_role(*OVERRIDERS),
        island_data=_island_data(assignment, asked),
    )


def _seen(assignment: AssignmentView, values: Mapping[str, Any], shown: bool) -> str:
    """What the form says of the assignment's missions: those that its reader has been shown.

    A form that comes back with a problem keeps what it was opened with.
    """
    if "known" in values and not shown:
        return str(values["known"])
    with reading() as session:
        live = service.planned_for(session, actor(), assignment.id)
    return ",".join(str(one.id) for one in live)


def _terrains() -> list[tuple[str, str]]:
    with reading() as session:
        return options(session, actor(), context().settings)


def _island_data(assignment: AssignmentView, asked: RequestView) -> dict[str, Any]:
    """What the planner's island needs beside the form's own fields."""
    with reading() as session:
        zones = service.stored_geozones(session)
    return {
        "previewUrl": url_for("planner.preview", assignment_id=assignment.id),
        "shapes": SHAPES,
        "needed": PLACES_NEEDED,
        "request": [asked.lat_deg, asked.lon_deg],
        "zones": zone_rings(zones, (asked.lat_deg, asked.lon_deg)),
        "texts": {
            **map_texts(),
            "corner": _("Place {n} of {count}: {lat}, {lon}"),
            "noCorner": _("No place is chosen; tap one, or use Next."),
            "drawing": _("Tap the places one after the other; tap the last one twice to end."),
            "tracing": _("Hold and draw along the outline."),
            "moving": _("The take-off is put where you tap next."),
            "empty": _("Draw, trace or type the places first."),
            "wrongLine": _(
                "Line {n} is not “latitude, longitude” in degrees, such as 50.8197, 4.3908."
            ),
            "wrongHome": _("The take-off is no place: write latitude and longitude in degrees."),
            "planning": _("The server plans …"),
            "offline": _("The server cannot be reached; what you drew stays."),
            "signIn": _("Your session has ended. Send the form: it is kept while you sign in."),
            "busy": _("The server has much to do; the next edit asks it again."),
            "profile": _("The flight above the ground; the highest line is the flight."),
            "size": _("{count} places, {length} m around, {area} m²"),
            "long": _("{count} places, {length} m"),
        },
    }
