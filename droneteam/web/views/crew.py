"""Pilots: licences with their days, absences, duty of the plan and recent experience."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.assets.crew import READERS
from droneteam.fleet.assets.upkeep import KEEPERS
from droneteam.fleet.terms import Window
from droneteam.web import registry_words, words
from droneteam.web.access import TEAM, allow
from droneteam.web.context import actor, now, reading
from droneteam.web.forms import FormReader
from droneteam.web.sent import NOTHING, Sent, attempt

bp = Blueprint("crew", __name__, url_prefix="/registry/pilots")

PAGE_READERS = ("pilot", *READERS)
ABSENCE_WRITERS = ("pilot", *KEEPERS)


@bp.get("")
@allow(*TEAM)
def pilots() -> str:
    """Every pilot with the state of the day."""
    return _pilots(NOTHING)


def _pilots(sent: Sent) -> str:
    me = actor()
    with reading() as session:
        rows = service.list_pilots(session, me, now())
    return render_template(
        "pilots.html",
        pilots=rows,
        may_read=me.has_role(*READERS),
        own_id=me.user_id,
        may_keep=me.has_role(*KEEPERS),
        sent=sent,
    )


@bp.post("")
@allow(*KEEPERS)
def add() -> Any:
    """A new pilot; licences are entered on the pilot's page."""
    form = FormReader(request.form)
    values = {"name": form.text("name", required=True, max_length=120), "active": True}

    def change(session: Session) -> None:
        done = service.save_record(session, actor(), "pilots", values, now())
        if not done.added:
            raise InputError(_("There is a pilot of this name already."), field="name")

    wrong = attempt("new", form, change, ("name",))
    if wrong is not None:
        return _pilots(wrong), wrong.status
    flash(_("Added. Enter the licences on the pilot's page."), "done")
    return redirect(url_for("crew.pilots"))


@bp.get("/<id:pilot_id>")
@allow(*PAGE_READERS)
def pilot(pilot_id: int) -> str:
    """One pilot; a pilot sees the own page only."""
    return _page(pilot_id, NOTHING)


def _page(pilot_id: int, sent: Sent) -> str:
    me, at = actor(), now()
    with reading() as session:
        detail = service.pilot_detail(session, me, pilot_id, at)
    return render_template(
        "pilot.html",
        detail=detail,
        pilot=detail.pilot,
        today=to_local(at).date(),
        credential_kinds=words.options(registry_words.CREDENTIALS),
        absence_kinds=words.options(registry_words.ABSENCES),
        may_keep=me.has_role(*KEEPERS),
        may_be_away=me.has_role(*KEEPERS) or detail.pilot.user_id == me.user_id,
        sent=sent,
    )


def _change(
    pilot_id: int,
    name: str,
    form: FormReader,
    change: Callable[[Session], object],
    fields: tuple[str, ...],
    message: str,
) -> Any:
    wrong = attempt(name, form, change, fields)
    if wrong is not None:
        return _page(pilot_id, wrong), wrong.status
    flash(message, "done")
    return redirect(url_for("crew.pilot", pilot_id=pilot_id))


@bp.post("/<id:pilot_id>/credentials")
@allow(*KEEPERS)
def add_credential(pilot_id: int) -> Any:
    """A licence with its days; a renewal is one more of its kind."""
    form = FormReader(request.form)
    today = to_local(now()).date()
    kind = form.text("other_kind", max_length=40) or form.text("kind", max_length=40)
    number = form.text("number", required=True, max_length=60)
    days = (form.day("valid_from", fallback=today), form.day("valid_until", fallback=today))
    if not form.problems and days[1] < days[0]:
        form.fail("valid_until", _("The last day is before the first one."))
    return _change(
        pilot_id,
        "licence",
        form,
        lambda session: service.add_credential(
            session, actor(), pilot_id, kind, number, days, now()
        ),
        ("kind", "number", "valid_from", "valid_until"),
        _("Entered. It counts from its first day on."),
    )


@bp.post("/<id:pilot_id>/credentials/<id:credential_id>/end")
@allow(*KEEPERS)
def end_credential(pilot_id: int, credential_id: int) -> Any:
    """Taken away before its last day."""
    form = FormReader(request.form)
    last_on = form.day("last_on", fallback=to_local(now()).date())
    reason = form.text("reason", required=True, max_length=500)
    return _change(
        pilot_id,
        f"end-{credential_id}",
        form,
        lambda session: service.end_credential(
            session, actor(), credential_id, last_on, reason, now()
        ),
        ("last_on", "reason"),
        _("Ended. It stays on record."),
    )


@bp.post("/<id:pilot_id>/absences")
@allow(*ABSENCE_WRITERS)
def add_absence(pilot_id: int) -> Any:
    """Not planned in this time."""
    form = FormReader(request.form)
    at = now()
    start_at, end_at = form.time("start_at", fallback=at), form.time("end_at", fallback=at)
    kind = form.choice("kind", list(registry_words.ABSENCES), fallback="leave")
    if not form.problems and end_at <= start_at:
        form.fail("end_at", _("The end must be after the start."))
    return _change(
        pilot_id,
        "absence",
        form,
        lambda session: service.add_absence(
            session, actor(), pilot_id, Window(start_at, end_at), kind, at
        ),
        ("start_at", "end_at", "kind"),
        _("Noted. Plans made from now on leave this time out."),
    )


@bp.post("/<id:pilot_id>/absences/<id:absence_id>/end")
@allow(*ABSENCE_WRITERS)
def cut_absence(pilot_id: int, absence_id: int) -> Any:
    """Back earlier, or never away."""
    form = FormReader(request.form)
    return _change(
        pilot_id,
        f"cut-{absence_id}",
        form,
        lambda session: service.cut_absence(session, actor(), absence_id, now()),
        (),
        _("Back: this time may be planned again."),
    )


@bp.post("/<id:pilot_id>/active")
@allow(*KEEPERS)
def set_active(pilot_id: int) -> Any:
    """In service, or no longer."""
    form = FormReader(request.form)
    active = form.flag("active")

    def change(session: Session) -> None:
        name = service.pilot_detail(session, actor(), pilot_id, now()).pilot.name
        service.change_record(session, actor(), "pilots", (name,), {"active": active}, now())

    return _change(pilot_id, "active", form, change, (), _("Saved."))
