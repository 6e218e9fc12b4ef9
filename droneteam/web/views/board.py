"""The coordinator's board: the queue, who and what is ready, the plan, and publishing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.assets.notices import SEERS as NOTICE_SEERS
from droneteam.fleet.views import BatteryView, RequestView
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.day_map import day_rows, map_data
from droneteam.web.forms import FormReader
from droneteam.web.i18n import sentences
from droneteam.web.routing import MAX_ID
from droneteam.web.scheduling import Room, load_room
from droneteam.web.views.requests import OPEN_STATES

bp = Blueprint("board", __name__, url_prefix="/board")

READERS = ("coordinator", "manager", "pilot")
QUEUED_STATES = OPEN_STATES - {"draft"}
"""A coordinator's own drafts are no work of the queue yet."""
PLAN_READERS = ("coordinator", "manager", "auditor")
"""Of drafts too, which pilots need not see."""


@bp.get("/")
@allow(*READERS)
def show() -> str:
    """The board as it is now."""
    me, at = actor(), now()
    with reading() as session:
        room = load_room(session, service.current_plan(session, me), at)
        escalations = service.list_escalations(session, me)
        notices = service.list_notices(session, me, at)
        conflicts = service.plan_conflicts(session, me, at)
        displaced = service.list_displaced(session, me)
    open_requests = sorted(
        (row for row in room.requests.values() if row.state in QUEUED_STATES), key=time_to_breach
    )
    on_map = day_rows(room)
    return render_template(
        "board.html",
        queue=open_requests,
        on_map=on_map,
        map_data=map_data(room, on_map),
        escalations=escalations,
        notices=notices,
        conflicts=conflicts,
        displaced=displaced,
        may_see_notices=me.has_role(*NOTICE_SEERS),
        battery_types=battery_types(room.fleet.batteries),
        batteries=[row for row in room.fleet.batteries if not row.ready or row.warnings],
        **_of_room(room, url_for("board.show")),
    )


def _of_room(room: Room, here: str) -> dict[str, Any]:
    """What the templates of a plan read; here is the page's address without its day and zoom."""
    return {
        "room": room,
        "plan": room.plan,
        "page": here,
        "may_plan": actor().has_role("coordinator"),
        "sentences": sentences,
        "picked": request.args.get("move", default=0, type=int),
    }


@bp.post("/escalations/<id:escalation_id>/seen")
@allow("coordinator")
def seen(escalation_id: int) -> Response:
    """Off the board, with who saw it on record."""
    with writing() as session:
        service.see_escalation(session, actor(), escalation_id, now())
    return redirect(url_for("board.show"))


@bp.post("/solve")
@allow("coordinator")
def solve() -> Response:
    """A new draft plan for what is open."""
    plan = service.draft_plan(context().engine, actor(), now())
    return redirect(url_for("board.draft", plan_id=plan.id, base=plan.base_plan_id or 0))


@bp.get("/plans/<id:plan_id>")
@allow(*PLAN_READERS)
def draft(plan_id: int) -> str:
    """One plan, draft or published, beside the one in force."""
    with reading() as session:
        room = load_room(session, service.get_plan(session, actor(), plan_id), now())
        current = service.current_plan(session, actor())
    base_id = request.args.get("base", default=current.id if current else 0, type=int)
    return render_template(
        "plan.html",
        current=current,
        base_id=base_id,
        **_of_room(room, url_for("board.draft", plan_id=plan_id)),
    )


@bp.post("/plans/<id:plan_id>/publish")
@allow("coordinator")
def publish(plan_id: int) -> Any:
    """The plan in force, unless somebody published another meanwhile."""
    base = request.form.get("base", type=int)
    if base is None or not 0 <= base <= MAX_ID:
        raise InputError("base must name the plan that this one was compared with", field="base")
    reason = FormReader(request.form).text("reason", max_length=500)
    with writing() as session:
        service.publish_plan(session, actor(), plan_id, base or None, now(), reason=reason)
    flash(_("Published. The zones and the pilots see it now."), "done")
    return redirect(url_for("board.show"))


def time_to_breach(row: RequestView) -> tuple[datetime, int]:
    """When the next clock that still runs will be breached; the queue's order."""
    running = [
        clock.due_at
        for clock in row.clocks
        # One that was met late is breached for ever, and nobody can do anything about it any more.
        if clock.met_at is None and clock.state in {"running", "breached"}
    ]
    return (min(running, default=row.start_at), row.id)


def battery_types(rows: Sequence[BatteryView]) -> list[tuple[str, int, int]]:
    """Per type of battery: its name, how many are ready, how many there are."""
    total = Counter(row.type for row in rows)
    ready = Counter(row.type for row in rows if row.ready)
    return [(name, ready[name], total[name]) for name in sorted(total)]
