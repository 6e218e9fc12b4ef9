"""Cases: what was kept as evidence, its custody, sealed bags and what verifying them found."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam import accounts, jobs
from droneteam.errors import NotFound
from droneteam.evidence import (
    bag,
    checking,
    exporting,
    gathering,
    handover,
    lines,
    service,
)
from droneteam.fleet import service as fleet
from droneteam.fleet.views import RequestView
from droneteam.web import case_items, custody
from droneteam.web.access import allow
from droneteam.web.case_work import CaseWork
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.files import asks_for_rest, file_response, inside
from droneteam.web.forms import FormReader
from droneteam.web.pieces import page_piece
from droneteam.web.routing import MAX_ID

bp = Blueprint("cases", __name__, url_prefix="/cases")

READERS = service.READERS
OPENERS = service.WRITERS
EXPORTERS = exporting.EXPORTERS
KEEPERS = ("administrator", "manager")


@bp.get("/")
@allow(*READERS)
def index() -> str:
    """The cases that the actor may see."""
    with reading() as session:
        cases, older = page_piece(lambda piece: lines.case_lines(session, actor(), piece))
        organisations = {row.id: row for row in accounts.organisations(session)}
    may_open = actor().has_role(*OPENERS)
    return render_template(
        "cases.html", cases=cases, older=older, organisations=organisations, may_open=may_open
    )


@bp.get("/new")
@allow(*OPENERS)
def new() -> str:
    """An empty form for a case; its address may name the request."""
    return _form(request.args, {})


@bp.post("/new")
@allow(*OPENERS)
def create() -> Any:
    """The new case, or the form again with what is wrong."""
    form = FormReader(request.form)
    asked = form.whole("request_id", 1, MAX_ID) if form.raw("request_id") else None
    of = None if asked is None or form.problems else _request_of(asked, form)
    title = form.text("title", required=of is None, max_length=200)
    legal_basis = form.text("legal_basis", required=of is None)
    organisation_id = form.whole("organisation_id", 1, MAX_ID, fallback=0 if of else None)
    if form.problems:
        return _form(request.form, form.problems), 422
    draft = service.CaseDraft(
        organisation_id=of.organisation_id if of is not None else organisation_id,
        title=title or (of.title if of is not None else ""),
        legal_basis=legal_basis or (of.legal_basis if of is not None else ""),
        request_id=asked,
    )
    with writing() as session:
        if draft.organisation_id not in {row.id for row in accounts.organisations(session)}:
            return _form(request.form, {"organisation_id": _("Choose an organisation.")}), 422
        case = service.open_case(session, actor(), draft, now())
    if actor().has_role(*READERS):
        return redirect(url_for("cases.show", case_id=case.id))
    flash(_("Case %(number)s was opened; the investigators go on with it.", number=case.id), "done")
    return redirect("/")


def _request_of(number: int, form: FormReader) -> RequestView | None:
    """The request that a case is about; a problem of the form where the actor sees none."""
    try:
        with reading() as session:
            return fleet.get_request(session, actor(), number, now())
    except NotFound:
        form.fail("request_id", _("No request of that number can be seen."))
        return None


def _form(values: Any, problems: dict[str, str]) -> str:
    with reading() as session:
        organisations = accounts.organisations(session)
    return render_template(
        "case_form.html", values=values, problems=problems, organisations=organisations
    )


@bp.get("/<id:case_id>")
@allow(*READERS)
def show(case_id: int) -> str:
    """One case: its items, custody and exports."""
    return _case_page(case_id, {})


@bp.post("/<id:case_id>/gather")
@allow(*OPENERS)
def gather(case_id: int) -> Any:
    """Everything that the case's request led to, on its way into the case."""
    with writing() as session:
        gathering.request_gather(session, actor(), case_id, now())
    flash(_("Everything that the request led to is being taken in."), "done")
    return redirect(url_for("cases.show", case_id=case_id))


@bp.post("/<id:case_id>/retention")
@allow(*KEEPERS)
def retain(case_id: int) -> Any:
    """How long the case is kept from now on, and on what basis."""
    form = FormReader(request.form)
    keep_until = form.time("keep_until", fallback=now())
    basis = form.text("basis", required=True, max_length=500)
    if form.problems:
        return _case_page(case_id, form.problems), 422
    with writing() as session:
        service.set_retention(
            session,
            actor(),
            case_id,
            keep_until=keep_until,
            basis=basis,
            legal_hold=form.flag("legal_hold"),
            now=now(),
        )
    flash(_("The time for which the case is kept was set."), "done")
    return redirect(url_for("cases.show", case_id=case_id))


@bp.post("/<id:case_id>/export")
@allow(*EXPORTERS)
def export(case_id: int) -> Any:
    """A sealed bag of the case, on its way: a worker writes it, the page shows how far it is."""
    form = FormReader(request.form)
    reason = form.text("reason", required=True, max_length=500)
    if form.problems:
        return _case_page(case_id, form.problems), 422
    request_export(case_id, reason)
    flash(_("The bag is being sealed; this page shows how far it is."), "done")
    return redirect(url_for("cases.show", case_id=case_id))


@bp.post("/<id:case_id>/export/stop")
@allow(*EXPORTERS)
def stop_export(case_id: int) -> Any:
    """The export under way, stopped; nothing of it is left."""
    with writing() as session:
        if exporting.stop_export(session, actor(), case_id, now()):
            flash(_("The export was stopped; nothing left the case."), "done")
    return redirect(url_for("cases.show", case_id=case_id))


@bp.get("/<id:case_id>/progress.json")
@allow(*READERS)
def progress(case_id: int) -> Response:
    """How far the case's work is, for the page's island."""
    with reading() as session:
        service.get_case(session, actor(), case_id)
        works = _works(session, case_id)
    return _how_far(works)


def _how_far(works: Sequence[CaseWork]) -> Response:
    """What the page's island asks for while the work is under way."""
    left = [left_s for work in works if (left_s := work.left_s(now())) is not None]
    return jsonify(
        state="running" if any(work.under_way for work in works) else "done",
        stages=[row for work in works for row in work.stages],
        left_s=max(left, default=None),
    )


def _works(session: Session, case_id: int) -> tuple[CaseWork, CaseWork]:
    """The newest gathering and the newest export."""
    return (
        CaseWork(gathering.gathering(session, case_id)),
        CaseWork(exporting.exporting(session, case_id)),
    )


def _case_page(case_id: int, problems: dict[str, str]) -> str:
    case = look_at(case_id)
    with reading() as session:
        gathers, exports = _works(session, case_id)
    find, folder = request.args.get("find", "")[:200], request.args.get("folder", "")
    start = request.args.get("start", 0, type=int)
    return render_template(
        "case.html",
        case=case,
        steps=custody.steps(case),
        gathers=gathers,
        exports=exports,
        groups=case_items.groups(case.items, find, folder, start),
        find=find,
        left_s=exports.left_s(now()),
        may_gather=actor().has_role(*OPENERS) and case.closed_at is None,
        may_export=actor().has_role(*EXPORTERS),
        may_keep=actor().has_role(*KEEPERS),
        values=request.form,
        problems=problems,
    )


@bp.get("/exports/<id:export_id>")
@allow(*READERS)
def bag_page(export_id: int) -> str:
    """A sealed bag and what verifying it found the last time."""
    found, verdict, job = bag_known(export_id)
    work = CaseWork(job)
    return render_template(
        "bag.html", export=found, verdict=verdict, work=work, left_s=work.left_s(now())
    )


@bp.post("/exports/<id:export_id>/verify")
@allow(*READERS)
def verify(export_id: int) -> Any:
    """The bag on its way to being read whole; the page shows how far that is."""
    request_check(export_id)
    flash(_("Every byte of the bag is being read; this page shows how far it is."), "done")
    return redirect(url_for("cases.bag_page", export_id=export_id))


@bp.get("/exports/<id:export_id>/progress.json")
@allow(*READERS)
def bag_progress(export_id: int) -> Response:
    """How far verifying the bag is, for the page's island."""
    with reading() as session:
        service.get_export(session, actor(), export_id)
        job = checking.checking(session, export_id)
    return _how_far([CaseWork(job)])


@bp.get("/exports/<id:export_id>/bag.zip")
@allow(*READERS)
def download(export_id: int) -> Response:
    """The bag as one file; whoever takes it is in the case's custody."""
    with writing() as session:
        found = handover.take_bag(
            session, actor(), export_id, now(), rest_only=asks_for_rest(request.range)
        )
    folder = bags_dir() / found.folder
    archive = bag.zip_path(folder)
    if not archive.is_file():  # exported on the command line
        archive = bag.zip_bag(folder)
    return file_response(inside(bags_dir(), archive.name), media_type="application/zip")


@bp.post("/items/<id:item_id>/content")
@allow(*READERS)
def content(item_id: int) -> Response:
    """An item's content; the look and its reason are part of its custody."""
    store = context().settings.blob_dir("evidence")
    reason = request.form.get("reason", "")
    with writing() as session:
        path, name = service.open_content(session, actor(), item_id, reason, store, now())
    kind = mimetypes.guess_type(name)[0]
    return file_response(
        inside(store, path.relative_to(store).as_posix()), name=name, media_type=kind
    )


def look_at(case_id: int) -> service.CaseView:
    """The case, where the actor may see it; the audit chain says that the actor looked."""
    with reading() as session:
        case = service.get_case(session, actor(), case_id)
        known = handover.is_known_look(session, actor(), case_id, now())
    if not known:
        with writing() as session:
            handover.note_look(session, actor(), case_id, now())
    return case


def request_export(case_id: int, reason: str) -> int:
    """The job that seals a bag of the case, for pages and the API."""
    store = context().settings.blob_dir("evidence")
    with writing() as session:
        return exporting.request_export(session, actor(), case_id, reason, store, now())


def bag_known(
    export_id: int,
) -> tuple[service.ExportView, checking.Verdict | None, jobs.JobView | None]:
    """An export, what verifying its bag found the last time, and the newest job that does so."""
    with reading() as session:
        found = service.get_export(session, actor(), export_id)
        verdict = checking.last_verdict(session, export_id)
        job = checking.checking(session, export_id)
    look_at(found.case_id)
    return found, verdict, job


def request_check(export_id: int) -> int:
    """The job that verifies the bag, for pages and the API."""
    with writing() as session:
        return checking.request_check(session, actor(), export_id, now())


def bags_dir() -> Path:
    """Where sealed bags lie."""
    return context().settings.blob_dir("bags")
