"""What if: suppose something, see its plan beside others, publish it as an override."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.comparing import MAX_COMPARED
from droneteam.fleet.service import Refusal, Supposition
from droneteam.fleet.terms import PRIORITIES, RequestKind
from droneteam.web import words
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.i18n import sentences
from droneteam.web.refusals import said
from droneteam.web.routing import MAX_ID
from droneteam.web.timefmt import for_input
from droneteam.web.views.board import PLAN_READERS

bp = Blueprint("whatif", __name__, url_prefix="/what-if")

PLANNERS = ("coordinator",)
_SUPPOSED_FOR = timedelta(hours=8)
"""What the form suggests for the end: the rest of a shift."""


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
        requests = [row for row in service.list_open_requests(session, me, at) if row.end_at > at]
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
        end_at=for_input(at + _SUPPOSED_FOR),
        labels=field_names(),
    )


def field_names() -> dict[str, str]:
    """The form's fields as it labels them."""
    return {
        "start_at": _("Start"),
        "end_at": _("End"),
        "drone": _("This drone is grounded"),
        "pilot": _("This pilot is ill"),
        "left_out": _("This request is left out"),
        "priority": _("Its priority"),
        "kind": _("Its kind"),
        "lat_deg": _("Latitude"),
        "lon_deg": _("Longitude"),
        "reason": _("Reason"),
    }


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
        plan = service.solve_supposed(context().engine, actor(), supposed, reason, now())
    except InputError as error:
        return _form(request.form, {error.field or "reason": said(error)}), 422
    if isinstance(plan, Refusal):
        return _form(request.form, {"left_out": " ".join(sentences(plan.reasons))}), 422
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
        reader.fail(error.field or "end_at", said(error))
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


@bp.post("/place")
@allow(*PLANNERS)
def place() -> Response:
    """The draft in which a request is where it was put, or why it cannot be there."""
    reader = FormReader(request.form)
    back = _came_from(reader)
    put = _placement(reader)
    if put is None:
        flash(" ".join(reader.problems.values()), "wrong")
        return redirect(back)
    supposed = [*_supposed_before(reader), put]
    reason = reader.text("reason", max_length=500) or _(
        "Request %(id)s was put elsewhere on the schedule", id=put.subject_id
    )
    found = service.solve_supposed(context().engine, actor(), supposed, reason, now())
    if isinstance(found, Refusal):
        said = " ".join(sentences(found.reasons))
        flash(_("Request %(id)s cannot be there: %(why)s", id=found.request_id, why=said), "wrong")
        return redirect(back)
    return redirect(url_for("board.draft", plan_id=found.id, **_shown(reader), _anchor="changes"))


def _placement(reader: FormReader) -> Supposition | None:
    """Where the form puts which request; None with the problems in the reader."""
    number = int(reader.number("request_id", 1, MAX_ID))
    drone_id = int(reader.number("drone_id", 0, MAX_ID, fallback=0))
    pilots = [int(reader.number(name, 0, MAX_ID, fallback=0)) for name in ("pilot_id", "pilot_2")]
    exact = reader.raw("start_utc")
    start_at = None
    if exact or reader.raw("start_at"):
        start_at = reader.time("start_utc" if exact else "start_at", fallback=now())
    if reader.problems:
        return None
    try:
        crew = tuple(dict.fromkeys(one for one in pilots if one))
        return Supposition("placed", number, start_at, drone_id=drone_id, pilot_ids=crew)
    except InputError:
        reader.fail("drone_id", _("Choose a drone, a pilot or a start."))
        return None


def _supposed_before(reader: FormReader) -> tuple[Supposition, ...]:
    """What the draft that is built on supposes already."""
    plan_id = int(reader.number("plan", 0, MAX_ID, fallback=0))
    if not plan_id:
        return ()
    with reading() as session:
        scenario = service.scenario_of(session, actor(), plan_id)
    return () if scenario is None else scenario.supposed


def _came_from(reader: FormReader) -> str:
    """The page whose form was sent, with its day, and the request still chosen."""
    plan_id = int(reader.number("plan", 0, MAX_ID, fallback=0))
    shown: dict[str, Any] = {
        **_shown(reader),
        "move": reader.raw("request_id")[:10],
        "_anchor": "schedule",
    }
    if plan_id:
        return url_for("board.draft", plan_id=plan_id, **shown)
    return url_for("board.show", **shown)


def _shown(reader: FormReader) -> dict[str, Any]:
    """The day and the zoom that the page showed."""
    return {name: value for name in ("day", "zoom") if (value := reader.raw(name)[:10])}


@bp.post("/plans/<id:plan_id>/discard")
@allow(*PLANNERS)
def discard(plan_id: int) -> Response:
    """The draft is put aside; the plan in force stays as it is."""
    with writing() as session:
        service.discard_plan(session, actor(), plan_id, now())
    flash(_("The draft was put aside. Nothing has changed."), "done")
    return redirect(url_for("board.show"))


@bp.get("/compare")
@allow(*PLAN_READERS)
def compare() -> str:
    """Plans side by side, each against the plan in force."""
    asked = [number for number in request.args.getlist("plan", type=int) if 0 < number < 2**31]
    with reading() as session:
        rows = service.compare_plans(session, actor(), asked)
        scenarios = [service.scenario_of(session, actor(), row.plan_id) for row in rows]
        current = service.current_plan(session, actor())
        named = {number for row in rows for number in (*row.changed, *row.lost, *row.won)}
        titles = service.request_titles(session, actor(), named)
    return render_template(
        "compare.html",
        titles=titles,
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
