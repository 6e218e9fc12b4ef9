"""What is done with a request on its way: assess, confirm, book, attach, stop a clock, import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.agreement.sla import ClockStop
from droneteam.fleet.airspace import WRITERS as AIRSPACE_WRITERS
from droneteam.fleet.intake.attachments import MAX_BYTES
from droneteam.fleet.intake.listing import OPTIONAL, REQUIRED
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.terms import BRUSSELS, PRIORITIES
from droneteam.web.access import allow, takes_files
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.files import file_response
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said
from droneteam.web.sent import Sent, attempt
from droneteam.web.turns import booking_turn
from droneteam.web.views.requests import (
    ASKERS,
    READERS,
    cancel_codes,
    cancel_reason,
    request_page,
)

bp = Blueprint("handling", __name__, url_prefix="/requests")

ATTACHERS = ("requester", "coordinator", "pilot")
MISSION_STATES = ("in_progress", "fulfilled", "partly")
STORE = "request-files"
NO_PROBLEMS: Mapping[str, str] = {}


def _back(request_id: int, message: str) -> Any:
    flash(message, "done")
    return redirect(url_for("requests.show", request_id=request_id))


def _again(request_id: int, wrong: Sent) -> Any:
    """The request's page with the form that was not accepted, and what was typed in it."""
    return request_page(request_id, wrong), wrong.status


@bp.post("/<id:request_id>/submit")
@allow(*ASKERS)
def submit_draft(request_id: int) -> Any:
    """The draft, submitted: its clocks run from now."""
    with writing() as session:
        service.submit_draft(session, actor(), request_id, now())
    return _back(
        request_id, _("Sent. Its number is %(id)s; the clocks run from now.", id=request_id)
    )


@bp.post("/<id:request_id>/triage")
@allow("coordinator")
def triage(request_id: int) -> Any:
    """Assessed, in another class where the coordinator gives one and says why."""
    form = FormReader(request.form)
    priority = form.choice("priority", ("", *PRIORITIES), fallback="")
    reason = form.text("reason", max_length=500)

    def change(session: Session) -> None:
        service.triage_request(
            session,
            actor(),
            request_id,
            now(),
            priority=priority or None,
            reason=reason,
            seen=form.raw("seen") or None,
        )

    wrong = attempt("triage", form, change, ("priority", "reason"))
    return _back(request_id, _("Assessed.")) if wrong is None else _again(request_id, wrong)


@bp.post("/<id:request_id>/confirm")
@allow(*ASKERS)
def confirm(request_id: int) -> Any:
    """The zone counts on it."""
    with writing() as session:
        service.confirm_request(session, actor(), request_id, now())
    return _back(request_id, _("Confirmed."))


@bp.post("/<id:request_id>/refuse")
@allow("coordinator")
def refuse(request_id: int) -> Any:
    """Refused, with the reason that its zone reads."""
    form = FormReader(request.form)
    reason = form.text("reason", max_length=500)

    def change(session: Session) -> None:
        service.refuse_request(session, actor(), request_id, reason, now())

    wrong = attempt("refuse", form, change, ("reason",))
    return _back(request_id, _("Refused.")) if wrong is None else _again(request_id, wrong)


@bp.post("/<id:request_id>/book")
@allow(*ASKERS)
def book(request_id: int) -> Any:
    """A drone and a crew at once, or why there is none."""
    with booking_turn(), writing() as session:
        booked = service.book_request(session, actor(), request_id, now())
    if booked.assignment is None:
        flash(_("Nothing is free for it now; it stays in the queue."), "wrong")
        return redirect(url_for("requests.show", request_id=request_id))
    return _back(request_id, _("Booked: %(drone)s.", drone=booked.assignment.drone_name))


@bp.post("/<id:request_id>/state")
@allow("pilot", "coordinator")
def state(request_id: int) -> Any:
    """The mission began, or ended whole or in part."""
    asked = FormReader(request.form).choice("state", MISSION_STATES, fallback="")
    if asked not in MISSION_STATES:
        raise InputError("state must be in_progress, fulfilled or partly", field="state")
    with writing() as session:
        service.mark_request_state(session, actor(), request_id, asked, now())
    return _back(request_id, _("Noted."))


@bp.post("/<id:request_id>/attach")
@allow(*ATTACHERS)
@takes_files(MAX_BYTES + 100_000)
def attach(request_id: int) -> Any:
    """A file, kept under its hash."""
    sent = request.files.get("file")
    name, content = ("", b"") if sent is None else (sent.filename or "", sent.read())
    store = context().settings.blob_dir(STORE)

    def change(session: Session) -> None:
        service.add_attachment(session, actor(), request_id, name, content, store, now())

    wrong = attempt("attach", FormReader(request.form), change, ("file",))
    if wrong is not None:
        return _again(request_id, wrong)
    return _back(request_id, _("The file is attached."))


@bp.get("/attachments/<id:attachment_id>")
@allow(*READERS)
def attachment(attachment_id: int) -> Response:
    """The file's content."""
    store = context().settings.blob_dir(STORE)
    with reading() as session:
        view, path = service.attachment_file(session, actor(), attachment_id, store)
    return file_response(path, name=view.name, media_type=view.media_type)


@bp.post("/<id:request_id>/airspace")
@allow(*AIRSPACE_WRITERS)
def airspace(request_id: int) -> Any:
    """Where the airspace's approval stands from now on."""
    form = FormReader(request.form)
    at = now()
    state = form.choice("state", list(service.AirspaceState), fallback="needed")
    authority = form.text("authority", max_length=120)
    reference = form.text("reference", max_length=120)
    from_at = form.optional_time("from_at", fallback=at)
    until_at = form.optional_time("until_at", fallback=at)

    def change(session: Session) -> None:
        note = service.AirspaceNote(
            service.AirspaceState(state), authority, reference, from_at, until_at
        )
        service.set_airspace(session, actor(), request_id, note, at)

    fields = ("state", "authority", "reference", "from_at", "until_at")
    wrong = attempt("airspace", form, change, fields)
    if wrong is not None:
        return _again(request_id, wrong)
    return _back(request_id, _("Noted. The next plan keeps to it."))


@bp.post("/<id:request_id>/stop-clock")
@allow("coordinator")
def stop_clock(request_id: int) -> Any:
    """A clock stands for a stretch, on evidence that is attached."""
    form = FormReader(request.form)
    at = now()
    from_at, to_at = form.time("from_at", fallback=at), form.time("to_at", fallback=at)
    attachment_id = int(form.number("attachment_id", 1, 2**31 - 1))
    if not form.problems.keys() & {"from_at", "to_at"} and to_at <= from_at:
        form.fail("to_at", _("The end must be after the start."))

    def change(session: Session) -> None:
        files = service.list_attachments(session, actor(), request_id)
        name = next((one.name for one in files if one.id == attachment_id), "")
        stop = ClockStop(form.raw("clock"), from_at, to_at, form.raw("code"), name or "-")  # type: ignore[arg-type]
        service.stop_clock(session, actor(), request_id, stop, at, attachment_id=attachment_id)

    fields = ("clock", "code", "from_at", "to_at", "attachment_id")
    wrong = attempt("stop", form, change, fields)
    if wrong is not None:
        return _again(request_id, wrong)
    return _back(request_id, _("The clock stands for that time."))


@bp.get("/series/<series>")
@allow(*READERS)
def series(series: str) -> str:
    """Requests that were asked for together, by time."""
    with reading() as session:
        rows = service.series_requests(session, actor(), series, now())
    open_rows = [row for row in rows if row.state in PLANNABLE]
    return render_template(
        "series.html",
        series=series,
        rows=rows,
        cancel_codes=[(code, cancel_reason(code)) for code in cancel_codes()],
        may_cancel=bool(open_rows) and actor().has_role(*ASKERS),
    )


@bp.post("/series/<series>/cancel")
@allow(*ASKERS)
def cancel_series(series: str) -> Any:
    """Everything of it that has not begun, cancelled."""
    code = FormReader(request.form).raw("code")
    with writing() as session:
        service.cancel_series(session, actor(), series, code, now())
    flash(_("Cancelled."), "done")
    return redirect(url_for("handling.series", series=series))


@bp.get("/list")
@allow(*ASKERS)
def list_form() -> str:
    """An empty form for a list."""
    return _list_page("", None)


@bp.post("/list")
@allow(*ASKERS)
def list_import() -> Any:
    """The list's verdicts, line by line; submitted when asked for."""
    text, how = request.form.get("text", ""), request.form.get("how", "check")
    try:
        text = _list_text(text)
        with writing() as session:
            found = service.import_list(
                session, actor(), text, now(), store=how != "check", partial=how == "part"
            )
    except InputError as error:  # no list at all: what was typed stays
        return _list_page(text, None, {"file" if _list_file() else "text": said(error)}), 422
    return _list_page(text, found), 200 if found.stored or how == "check" else 422


def _list_file() -> FileStorage | None:
    """The file that was sent, None where the lines were typed."""
    sent = request.files.get("file")
    return sent if sent is not None and sent.filename else None


def _list_text(typed: str) -> str:
    """The lines of the file, or those that were typed."""
    sent = _list_file()
    if sent is None:
        return typed
    try:
        return str(sent.read(), "utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the file is no text in UTF-8: save it as CSV UTF-8") from None


def _list_page(
    text: str, found: service.ListImport | None, problems: Mapping[str, str] = NO_PROBLEMS
) -> str:
    return render_template(
        "request_list.html",
        problems=problems,
        text=text,
        found=found,
        required=REQUIRED,
        optional=OPTIONAL,
        zone=str(BRUSSELS),
    )
