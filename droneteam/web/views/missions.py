"""Missions: plan from an assignment, read it on a map and in tables, approve, take away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from droneteam.errors import InputError, NotFound
from droneteam.fleet import service as fleet
from droneteam.fleet.views import AssignmentView, RequestView
from droneteam.missions import service
from droneteam.missions.camera import CAMERAS, SIMULATED, camera_named
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.plan import SurveyParams
from droneteam.missions.views import MissionSpec, MissionView
from droneteam.web import words
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.footprints import footprints
from droneteam.web.forms import FormReader, polygon_text
from droneteam.web.mission_files import WRITERS
from droneteam.web.task_form import DEFAULTS, PLACES_NEEDED, SURVEY, read_task, task_field_names

bp = Blueprint("missions", __name__, url_prefix="/missions")

READERS = ("pilot", "coordinator", "manager", "auditor", "investigator")
PLANNERS = ("pilot", "coordinator")
_DEFAULTS = SurveyParams(max_photos=60)
_COMMON = ("gsd_m", "forward_overlap", "side_overlap", "speed_mps")
_FLOWN = frozenset({"flown", "failed", "cancelled"})


@bp.get("/")
@allow(*READERS)
def index() -> str:
    """Missions, the next ones first, and the assignments that still lack one."""
    me = actor()
    with reading() as session:
        missions = service.list_missions(session, me)
        plan = fleet.current_plan(session, me) if me.has_role("pilot", "coordinator") else None
        titles = {row.id: row.title for row in fleet.list_requests(session, me, now())}
    planned = {row.assignment_id for row in missions if row.state != "cancelled"}
    open_assignments = [row for row in plan.assignments if row.id not in planned] if plan else []
    return render_template(
        "missions.html",
        missions=sorted(missions, key=lambda row: (row.state in _FLOWN, row.start_at, row.id)),
        assignments=sorted(open_assignments, key=lambda row: row.start_at),
        titles=titles,
        may_plan=me.has_role(*PLANNERS),
    )


@bp.get("/new/<id:assignment_id>")
@allow(*PLANNERS)
def new(assignment_id: int) -> str:
    """The planning form for an assignment, filled in from its request."""
    assignment, asked = _assignment(assignment_id)
    return _form(assignment, asked, _initial(asked), {})


@bp.post("/new/<id:assignment_id>")
@allow(*PLANNERS)
def plan(assignment_id: int) -> Any:
    """The planned mission's page, or the form again with what stands against it."""
    assignment, asked = _assignment(assignment_id)
    spec, problems = read_spec(request.form)
    if spec is None:
        return _form(assignment, asked, request.form, problems), 422
    try:
        with writing() as session:
            made = service.plan_mission(session, actor(), assignment_id, spec, now())
    except InputError as error:
        problems = {_field_of(error): str(error)}
        return _form(assignment, asked, request.form, problems), 422
    flash(_("Planned and checked. Approve it before flying."), "done")
    return redirect(url_for("missions.show", mission_id=made.id))


@bp.get("/<id:mission_id>")
@allow(*READERS)
def show(mission_id: int) -> str:
    """One mission: go or no go, the map, and everything on it as tables."""
    return _page(mission_id, {})


@bp.post("/<id:mission_id>/approve")
@allow(*PLANNERS)
def approve(mission_id: int) -> Any:
    """Approved for flight; with a reason where a finding warns."""
    reason = FormReader(request.form).text("reason", max_length=500)
    try:
        with writing() as session:
            service.approve_mission(session, actor(), mission_id, now(), reason=reason or None)
    except InputError as error:
        return _page(mission_id, {error.field or "reason": str(error)}), 422
    flash(_("Approved: exactly this plan may be flown."), "done")
    return redirect(url_for("missions.show", mission_id=mission_id))


@bp.post("/<id:mission_id>/sign")
@allow(*PLANNERS)
def sign(mission_id: int) -> BaseResponse:
    """Signed for take-off by whoever is signed in."""
    with writing() as session:
        cleared = service.sign_arming(session, actor(), mission_id, now())
    said = (
        _("Cleared for take-off.")
        if cleared.complete
        else _("Signed. A second person must sign too.")
    )
    flash(said, "done")
    return redirect(url_for("missions.show", mission_id=mission_id))


@bp.post("/<id:mission_id>/cancel")
@allow(*PLANNERS)
def cancel(mission_id: int) -> BaseResponse:
    """Withdrawn before it flew."""
    with writing() as session:
        service.cancel_mission(session, actor(), mission_id, now())
    flash(_("Withdrawn."), "done")
    return redirect(url_for("missions.show", mission_id=mission_id))


@bp.get("/<id:mission_id>/mission.<kind>")
@allow(*READERS)
def download(mission_id: int, kind: str) -> Response:
    """The plan as QGroundControl .plan, KML or GeoJSON."""
    if kind not in WRITERS:
        raise NotFound("format", kind)
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
    content, media_type = WRITERS[kind](mission)
    response = Response(content, mimetype=media_type)
    name = f"mission-{mission_id}.{kind}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def waypoints(mission: MissionView) -> list[MissionItem]:
    """The items that the vehicle flies to, in order."""
    places = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    return [item for item in mission.plan.items if item.command in places]


def read_spec(fields: Mapping[str, str]) -> tuple[MissionSpec | None, dict[str, str]]:
    """What the pilot asks the planner for, or None and what is wrong, by field."""
    form = FormReader(fields)
    camera = form.choice("camera", CAMERAS, fallback=SIMULATED.name)
    angle = form.number("angle_deg", 0.0, 360.0, fallback=-1.0)
    bound = int(form.number("max_photos", 4, 100_000, fallback=0))
    values: dict[str, Any] = {
        "gsd_m": form.number("gsd_mm", 1.0, 500.0, fallback=10.0) / 1000.0,
        "forward_overlap": form.number("forward_overlap_pct", 55.0, 95.0, fallback=80.0) / 100.0,
        "side_overlap": form.number("side_overlap_pct", 30.0, 95.0, fallback=70.0) / 100.0,
        "angle_deg": None if angle < 0.0 else angle,
        "crosshatch": form.flag("crosshatch"),
        "orbit": form.flag("orbit"),
        "orbit_pitch_deg": form.number("orbit_pitch_deg", -80.0, -15.0, fallback=-45.0),
        "speed_mps": form.number("speed_mps", 0.5, 20.0, fallback=5.0),
        "max_photos": bound or None,
    }
    home_lat = form.number("home_lat_deg", -90.0, 90.0)
    home_lon = form.number("home_lon_deg", -180.0, 180.0)
    home_alt = form.number("home_alt_amsl_m", -100.0, 3000.0, fallback=0.0)
    pattern = form.choice("pattern", PLACES_NEEDED, fallback=SURVEY)
    polygon = form.polygon("polygon", at_least=PLACES_NEEDED[pattern])
    if not polygon:
        form.fail("polygon", _("Draw the area or write its corners."))
    common = {name: values[name] for name in _COMMON}
    task = None if pattern == SURVEY else read_task(form, pattern, common)
    if form.problems:
        return None, form.problems
    home = HomePoint(home_lat, home_lon, home_alt)
    return MissionSpec(task or SurveyParams(**values), camera, home, polygon=polygon), {}


def map_data(mission: MissionView) -> dict[str, Any]:
    """What the map's island draws."""
    plan = mission.plan
    prints = footprints(plan.photo_positions, camera_named(mission.camera))
    home = [plan.home.lat_deg, plan.home.lon_deg]
    path = [[item.lat_deg, item.lon_deg] for item in waypoints(mission)]
    photos = [
        {
            "at": [round(photo.lat_deg, 7), round(photo.lon_deg, 7)],
            "alt": round(photo.alt_home_m, 2),
            "yaw": round(photo.yaw_deg, 1),
            "pitch": round(photo.pitch_deg, 1),
            "footprint": corners.round(7).tolist(),
        }
        for photo, corners in zip(plan.photo_positions, prints, strict=True)
    ]
    return {
        "area": [list(corner) for corner in plan.area],
        "path": [home, *path, home],
        "home": home,
        "photos": photos,
        "zones": [],
        "texts": {
            "basemap": _("Own basemap, drawn by hand, for orientation only"),
            "zoomIn": _("Zoom in"),
            "zoomOut": _("Zoom out"),
            "home": _("Take-off"),
            "photo": _("Photo {n}: {lat}, {lon}, height {alt} m, heading {yaw}°, pitch {pitch}°"),
            "none": _("Tap a photo position to see what it will show."),
        },
    }


def _page(mission_id: int, problems: dict[str, str]) -> str:
    me = actor()
    with reading() as session:
        mission = service.get_mission(session, me, mission_id)
        asked = fleet.get_request(session, me, mission.request_id, now())
        cleared = service.clearance(session, me, mission_id, now())
        flown = [row for row in service.list_sorties(session, me) if row.mission_id == mission_id]
    worst = max((one.severity for one in mission.findings), key=_rank, default="pass")
    return render_template(
        "mission.html",
        mission=mission,
        asked=asked,
        worst=worst,
        cleared=cleared,
        sorties=flown,
        waypoints=waypoints(mission),
        island_data=map_data(mission),
        formats=list(WRITERS),
        problems=problems,
        may_plan=me.has_role(*PLANNERS),
    )


def _rank(severity: str) -> int:
    return ("pass", "warn", "stop").index(severity)


def _assignment(assignment_id: int) -> tuple[AssignmentView, RequestView]:
    with reading() as session:
        assignment = fleet.get_assignment(session, actor(), assignment_id)
        return assignment, fleet.get_request(session, actor(), assignment.request_id, now())


def _initial(asked: RequestView) -> dict[str, Any]:
    defaults = replace(_DEFAULTS)
    return {
        **DEFAULTS,
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
        "home_alt_amsl_m": "0",
        "polygon": polygon_text(asked.polygon),
    }


def _form(
    assignment: AssignmentView, asked: RequestView, values: Mapping[str, Any], problems: Any
) -> str:
    return render_template(
        "mission_form.html",
        assignment=assignment,
        asked=asked,
        values=values,
        problems=problems,
        labels=field_names(),
        cameras=[(name, name) for name in sorted(CAMERAS)],
        patterns=[(code, words.PATTERNS[code]) for code in PLACES_NEEDED],
    )


def field_names() -> dict[str, str]:
    """The form's fields as it labels them."""
    return {
        **task_field_names(),
        "camera": _("Camera"),
        "gsd_mm": _("Ground sampling distance (mm)"),
        "forward_overlap_pct": _("Overlap along the line (percent)"),
        "side_overlap_pct": _("Overlap between lines (percent)"),
        "angle_deg": _("Direction of the lines (°)"),
        "orbit_pitch_deg": _("Pitch on the orbit (°)"),
        "speed_mps": _("Speed (m/s)"),
        "max_photos": _("At most this many photos"),
        "home_lat_deg": _("Take-off latitude"),
        "home_lon_deg": _("Take-off longitude"),
        "home_alt_amsl_m": _("Take-off height above sea level (m)"),
        "polygon": _("Area"),
    }


def _field_of(error: InputError) -> str:
    """The form's field for the planner's one."""
    names = {
        "gsd_m": "gsd_mm",
        "forward_overlap": "forward_overlap_pct",
        "side_overlap": "side_overlap_pct",
        "home.alt_amsl_m": "home_alt_amsl_m",
    }
    field = error.field or "polygon"
    return names.get(field, field)
