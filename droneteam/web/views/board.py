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
from droneteam.fleet import explain, service
from droneteam.fleet.notices import SEERS as NOTICE_SEERS
from droneteam.fleet.views import AssignmentView, BatteryView, PlanView, RequestView
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.gantt import Chart, Span, chart
from droneteam.web.i18n import language
from droneteam.web.routing import MAX_ID
from droneteam.web.timefmt import zone
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
    with reading() as session:
        me = actor()
        requests = service.list_requests(session, me, now())
        plan = service.current_plan(session, me)
        drones = service.list_drones(session, me, now())
        pilots = service.list_pilots(session, me, now())
        batteries = service.list_batteries(session, me)
        escalations = service.list_escalations(session, me)
        notices = service.list_notices(session, me, now())
        conflicts = service.plan_conflicts(session, me, now())
    open_requests = sorted(
        (row for row in requests if row.state in QUEUED_STATES), key=time_to_breach
    )
    return render_template(
        "board.html",
        queue=open_requests,
        escalations=escalations,
        notices=notices,
        conflicts=conflicts,
        may_see_notices=me.has_role(*NOTICE_SEERS),
        titles={row.id: row.title for row in requests},
        plan=plan,
        charts=_charts(plan, {row.id: row.title for row in requests}),
        drones=drones,
        pilots=pilots,
        battery_types=battery_types(batteries),
        batteries=[row for row in batteries if not row.ready or row.warnings],
        may_plan=me.has_role("coordinator"),
        sentences=sentences,
    )


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
        plan = service.get_plan(session, actor(), plan_id)
        current = service.current_plan(session, actor())
        requests = service.list_requests(session, actor(), now())
    titles = {row.id: row.title for row in requests}
    base_id = request.args.get("base", default=current.id if current else 0, type=int)
    return render_template(
        "plan.html",
        plan=plan,
        current=current,
        base_id=base_id,
        changes=changes(current, plan),
        titles=titles,
        charts=_charts(plan, titles),
        may_plan=actor().has_role("coordinator"),
        sentences=sentences,
    )


@bp.post("/plans/<id:plan_id>/publish")
@allow("coordinator")
def publish(plan_id: int) -> Any:
    """The plan in force, unless somebody published another meanwhile."""
    base = request.form.get("base", type=int)
    if base is None or not 0 <= base <= MAX_ID:
        raise InputError("base must name the plan that this one was compared with", field="base")
    with writing() as session:
        service.publish_plan(session, actor(), plan_id, base or None, now())
    flash(_("Published. The zones and the pilots see it now."), "done")
    return redirect(url_for("board.show"))


def time_to_breach(row: RequestView) -> tuple[datetime, int]:
    """When the next clock that still runs will be breached; the queue's order."""
    running = [clock.due_at for clock in row.clocks if clock.state in {"running", "breached"}]
    return (min(running, default=row.start_at), row.id)


def battery_types(rows: Sequence[BatteryView]) -> list[tuple[str, int, int]]:
    """Per type of battery: its name, how many are ready, how many there are."""
    total = Counter(row.type for row in rows)
    ready = Counter(row.type for row in rows if row.ready)
    return [(name, ready[name], total[name]) for name in sorted(total)]


def sentences(reasons: Sequence[Any]) -> list[str]:
    """Reasons in the visitor's language."""
    return [explain.sentence(reason, language()) for reason in reasons]


def changes(
    before: PlanView | None, after: PlanView
) -> list[tuple[int, AssignmentView | None, AssignmentView | None]]:
    """What publishing would change, per request: (request id, before, after)."""
    old = {row.request_id: row for row in (before.assignments if before else ())}
    new = {row.request_id: row for row in after.assignments}
    return [
        (request_id, old.get(request_id), new.get(request_id))
        for request_id in sorted(old.keys() | new.keys())
        if _essence(old.get(request_id)) != _essence(new.get(request_id))
    ]


def _essence(row: AssignmentView | None) -> tuple[Any, ...] | None:
    return None if row is None else (row.drone_id, row.pilot_id, row.start_at, row.end_at)


def _charts(plan: PlanView | None, titles: dict[int, str]) -> list[tuple[str, Chart]]:
    """The plan by drone and by pilot."""
    if plan is None or not plan.assignments:
        return []
    return [
        (_("Drones"), _chart(plan, titles, "drone_name")),
        (_("Pilots"), _chart(plan, titles, "pilot_name")),
    ]


def _chart(plan: PlanView, titles: dict[int, str], lane: str) -> Chart:
    spans = [
        Span(
            lane=getattr(row, lane),
            label=f"{row.request_id} {titles.get(row.request_id, '')}".strip(),
            url=url_for("requests.show", request_id=row.request_id),
            depart_at=row.depart_at,
            start_at=row.start_at,
            end_at=row.end_at,
        )
        for row in plan.assignments
    ]
    return chart(sorted({span.lane for span in spans}), spans, now(), zone())
