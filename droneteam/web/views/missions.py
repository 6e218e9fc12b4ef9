"""Missions: plan from an assignment, read it on a map and in tables, approve, take away."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from droneteam.db import WHOLE
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import service as fleet
from droneteam.missions import service
from droneteam.missions.airspace.rules import RulesUnmet, worst
from droneteam.missions.formats.wpml import AIRCRAFT, VERSIONS
from droneteam.web.access import allow
from droneteam.web.chance_form import chance_rows, growth_chart
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.field_words import bars_line, bars_said, turn_said
from droneteam.web.forms import FormReader
from droneteam.web.mission_files import PACK_WRITERS, WRITERS, as_ed318, of_pack, written
from droneteam.web.mission_map import map_data, waypoints
from droneteam.web.pieces import asked_before, page_piece
from droneteam.web.profile_chart import profile_chart
from droneteam.web.refusals import said
from droneteam.web.rule_words import gravest_first, unmet

bp = Blueprint("missions", __name__, url_prefix="/missions")

READERS = ("pilot", "coordinator", "manager", "auditor", "investigator")
PLANNERS = ("pilot", "coordinator")


@bp.get("/")
@allow(*READERS)
def index() -> str:
    """Missions, the next ones first, and the assignments that still lack one."""
    me = actor()
    with reading() as session:
        coming = [] if asked_before() else service.mission_lines(session, me, WHOLE, over=False)
        over, older = page_piece(lambda piece: service.mission_lines(session, me, piece, over=True))
        plan = fleet.current_plan(session, me) if me.has_role("pilot", "coordinator") else None
        assigned = plan.assignments if plan else ()
        planned = service.planned_assignments(session, [row.id for row in assigned])
        missions = [*sorted(coming, key=lambda row: (row.start_at, row.id)), *over]
        asked_for = {row.request_id for row in missions} | {row.request_id for row in assigned}
        titles = fleet.request_titles(session, me, asked_for)
    open_assignments = [row for row in assigned if row.id not in planned]
    return render_template(
        "missions.html",
        missions=missions,
        assignments=sorted(open_assignments, key=lambda row: row.start_at),
        titles=titles,
        may_plan=me.has_role(*PLANNERS),
        older=older,
    )


@bp.get("/<id:mission_id>")
@allow(*READERS)
def show(mission_id: int) -> str:
    """One mission: go or no go, the map, and everything on it as tables."""
    return _page(mission_id, {})


@bp.post("/<id:mission_id>/approve")
@allow(*PLANNERS)
def approve(mission_id: int) -> Any:
    """Approved for flight; with a reason where a rule warns, acknowledged where none could look."""
    form = FormReader(request.form)
    reason = form.text("reason", max_length=500)
    try:
        with writing() as session:
            service.approve_mission(
                session,
                actor(),
                mission_id,
                now(),
                reason=reason or None,
                acknowledged=form.flag("acknowledged"),
            )
    except RulesUnmet as error:
        return _page(mission_id, {error.field or "reason": unmet(error)}), 422
    except InputError as error:
        return _page(mission_id, {error.field or "reason": said(error)}), 422
    except Conflict:
        with reading() as session:
            if not service.approved_by_this_form(session, actor(), mission_id, reason or None):
                raise
    flash(_("Approved: exactly this plan may be flown."), "done")
    return redirect(url_for("missions.show", mission_id=mission_id))


@bp.post("/<id:mission_id>/sign")
@allow(*PLANNERS)
def sign(mission_id: int) -> Any:
    """Signed for take-off by whoever is signed in; with a reason where the checklist bars."""
    form = FormReader(request.form)
    reason = form.text("sign_reason", max_length=500)
    try:
        with writing() as session:
            cleared = service.sign_arming(
                session, actor(), mission_id, now(), reason=reason or None
            )
    except service.ChecklistUnmet as error:
        return _page(mission_id, {"sign_reason": bars_line(error.bars)}), 409
    done = (
        _("Cleared for take-off.")
        if cleared.complete
        else _("Signed. A second person must sign too.")
    )
    flash(done, "done")
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
    """The plan as a file; of DJI's, the query may name ``version`` and ``aircraft``."""
    if kind not in WRITERS:
        raise NotFound("format", kind)
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
    version = request.args.get("version") or context().settings.wpml_version
    content, media_type = written(mission, kind, version, request.args.get("aircraft") or "m3e")
    return _attached(content, media_type, f"mission-{mission_id}.{kind}")


@bp.get("/<id:mission_id>/volumes.json")
@allow(*READERS)
def volumes(mission_id: int) -> Response:
    """The flight's volumes as ED-318."""
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
    return _attached(*as_ed318(mission), f"mission-{mission_id}-volumes.json")


@bp.get("/<id:mission_id>/pack-<int:number>.<kind>")
@allow(*READERS)
def download_pack(mission_id: int, number: int, kind: str) -> Response:
    """The plan of one battery pack, for resuming after a swap."""
    with reading() as session:
        mission = service.get_mission(session, actor(), mission_id)
    if kind not in PACK_WRITERS or not 1 <= number <= len(mission.plan.parts):
        raise NotFound("pack", number)
    content, media_type = PACK_WRITERS[kind](of_pack(mission, number))
    return _attached(content, media_type, f"mission-{mission_id}-pack-{number}.{kind}")


def _attached(content: bytes, media_type: str, name: str) -> Response:
    response = Response(content, mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _page(mission_id: int, problems: dict[str, str]) -> str:
    me = actor()
    with reading() as session:
        mission = service.get_mission(session, me, mission_id)
        asked = fleet.get_request(session, me, mission.request_id, now())
        cleared = service.clearance(session, me, mission_id, now())
        flown = service.sorties_of(session, me, mission_id)
        waits = service.turns(session, mission_id, now()) if mission.state == "approved" else ()
        zones = service.stored_geozones(session)
    return render_template(
        "mission.html",
        mission=mission,
        asked=asked,
        findings=gravest_first(mission.findings),
        worst=worst(mission.findings),
        severities={one.severity for one in mission.findings},
        cleared=cleared,
        bars=bars_said(cleared.bars),
        lifted=[(one.reason, bars_line(one.lifted)) for one in cleared.signatures if one.lifted],
        waits=[turn_said(one) for one in waits],
        may_lift=me.has_role(*service.OVERRIDERS),
        sorties=flown,
        waypoints=waypoints(mission.plan),
        island_data=map_data(mission, zones),
        formats=[kind for kind in WRITERS if kind != "kmz"],
        wpml_versions=[(one, one) for one in VERSIONS],
        wpml_version=context().settings.wpml_version,
        aircraft=[(name, name.upper()) for name in AIRCRAFT],
        profile=profile_chart(mission.plan.profile),
        growth=growth_chart(mission.plan.search),
        chance_rows=chance_rows(mission.plan.search.regions) if mission.plan.search else [],
        problems=problems,
        may_plan=me.has_role(*PLANNERS),
    )
