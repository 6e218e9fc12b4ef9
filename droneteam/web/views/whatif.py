"""What if: suppose something, see its plan beside others, publish it as an override."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.service import Supposition
from droneteam.fleet.terms import PRIORITIES, RequestKind
from droneteam.fleet.whatif import MAX_COMPARED
from droneteam.web import words
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.timefmt import for_input
from droneteam.web.views.board import PLAN_READERS

bp = Blueprint("whatif", __name__, url_prefix="/what-if")

PLANNERS = ("coordinator",)


@bp.get("/")
@allow(*PLANNERS)
def form() -> str:
    """What can be supposed."""
    return _form({}, {})


def _form(values: Any, problems: dict[str, str]) -> str:
    me, at = actor(), now()
    with reading() as session:
        drones = service.list_drones(session, me, at)
        pilots = service.list_pilots(session, me, at)
        requests = [row for row in service.list_requests(session, me, at) if row.end_at > at]
    return render_template(
        "whatif.html",
        values=values,
        problems=problems,
        drones=[("", "–"), *((str(row.id), row.name) for row in drones)],
        pilots=[("", "–"), *((str(row.id), row.name) for row in pilots)],
        requests=[("", "–"), *((str(row.id), f"{row.id} {row.title}") for row in requests)],
        priorities=[("", "–"), *words.options(words.PRIORITIES)],
        kinds=words.options(words.KINDS),
        start_at=for_input(at),
    )


@bp.post("/")
@allow(*PLANNERS)
def solve() -> Any:
    """The draft under the suppositions, beside the plan in force."""
    reader = FormReader(request.form)
    supposed = read_suppositions(reader)
    reason = reader.text("reason", required=True, max_length=500)
    if not supposed and not reader.problems:
        reader.fail("drone", _("Suppose at least one thing."))
    if reader.problems:
        return _form(request.form, reader.problems), 422
    try:
        with writing() as session:
            plan = service.solve_supposed(session, actor(), supposed, reason, now())
    except InputError as error:
        return _form(request.form, {error.field or "reason": str(error)}), 422
    with_it = [int(one) for one in request.form.getlist("beside") if one.isdigit()]
    return redirect(url_for("whatif.compare", plan=[*with_it, plan.id][-MAX_COMPARED:]))


def read_suppositions(reader: FormReader) -> list[Supposition]:
    """What the form supposes."""
    at = now()
    begin = reader.time("start_at", fallback=at)
    finish = reader.time("end_at", fallback=at)
    found: list[Supposition] = []
    away = [("drone", "drone_grounded"), ("pilot", "pilot_absent"), ("left_out", "left_out")]
    try:
        for field, kind in away:
            if reader.raw(field):
                number = int(reader.number(field, 1, 2**31 - 1))
                found.append(Supposition(kind, number, begin, finish))  # type: ignore[arg-type]
        if reader.raw("priority"):
            found.append(_new_request(reader, begin, finish))
    except InputError as error:
        reader.fail(error.field or "end_at", str(error))
    return found


def _new_request(reader: FormReader, begin: Any, finish: Any) -> Supposition:
    priority = reader.choice("priority", PRIORITIES, fallback="P0")
    kind = reader.choice("kind", [one.value for one in RequestKind], fallback="search")
    return Supposition(
        "new_request",
        0,
        begin,
        finish,
        priority=priority,
        request_kind=RequestKind(kind),
        lat_deg=reader.number("lat_deg", -90.0, 90.0),
        lon_deg=reader.number("lon_deg", -180.0, 180.0),
    )


@bp.get("/compare")
@allow(*PLAN_READERS)
def compare() -> str:
    """Plans side by side, each against the plan in force."""
    asked = [number for number in request.args.getlist("plan", type=int) if 0 < number < 2**31]
    with reading() as session:
        rows = service.compare_plans(session, actor(), asked)
        scenarios = [service.scenario_of(session, actor(), row.plan_id) for row in rows]
        current = service.current_plan(session, actor())
    return render_template(
        "compare.html",
        rows=list(zip(rows, scenarios, strict=True)),
        base_id=current.id if current else 0,
        may_plan=actor().has_role(*PLANNERS),
    )


@bp.post("/plans/<id:plan_id>/publish")
@allow(*PLANNERS)
def publish(plan_id: int) -> Any:
    """The supposed plan in force, as an override with its reason."""
    reader = FormReader(request.form)
    base = int(reader.number("base", 0, 2**31 - 1, fallback=0))
    reason = reader.text("reason", max_length=500)
    with writing() as session:
        service.publish_plan(session, actor(), plan_id, base or None, now(), reason=reason)
    flash(_("Published. The zones and the pilots see it now."), "done")
    return redirect(url_for("board.show"))
