"""Cases: what was kept as evidence, its custody, sealed bags and their verification."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam import accounts
from droneteam.evidence import bag, handover, keys, lines, manifest, service
from droneteam.settings import Settings
from droneteam.web.access import allow
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.files import asks_for_rest, file_response, inside
from droneteam.web.forms import FormReader
from droneteam.web.pieces import page_piece

bp = Blueprint("cases", __name__, url_prefix="/cases")

READERS = service.READERS
OPENERS = service.WRITERS
EXPORTERS = ("investigator", "administrator")


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
    """An empty form for a case."""
    return _form({}, {})


@bp.post("/new")
@allow(*OPENERS)
def create() -> Any:
    """The new case, or the form again with what is wrong."""
    form = FormReader(request.form)
    title = form.text("title", required=True, max_length=200)
    legal_basis = form.text("legal_basis", required=True)
    organisation_id = int(form.number("organisation_id", 1, 2**31 - 1))
    if form.problems:
        return _form(request.form, form.problems), 422
    draft = service.CaseDraft(organisation_id, title, legal_basis)
    with writing() as session:
        if organisation_id not in {row.id for row in accounts.organisations(session)}:
            return _form(request.form, {"organisation_id": _("Choose an organisation.")}), 422
        case = service.open_case(session, actor(), draft, now())
    return redirect(url_for("cases.show", case_id=case.id))


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
    case = look_at(case_id)
    may_export = actor().has_role(*EXPORTERS)
    return render_template("case.html", case=case, may_export=may_export, problems={})


@bp.post("/<id:case_id>/export")
@allow(*EXPORTERS)
def export(case_id: int) -> Any:
    """A sealed bag of the case, checked right after it was written."""
    form = FormReader(request.form)
    reason = form.text("reason", required=True, max_length=500)
    if form.problems:
        with reading() as session:
            case = service.get_case(session, actor(), case_id)
        page = render_template("case.html", case=case, may_export=True, problems=form.problems)
        return page, 422
    exported = export_case(case_id, reason)
    flash(_("Exported and sealed: %(name)s.", name=exported.folder), "done")
    return redirect(url_for("cases.bag_page", export_id=exported.id))


@bp.get("/exports/<id:export_id>")
@allow(*READERS)
def bag_page(export_id: int) -> str:
    """A sealed bag and what checking it says now."""
    found, report = checked(export_id)
    return render_template("bag.html", export=found, report=report)


@bp.get("/exports/<id:export_id>/bag.zip")
@allow(*READERS)
def download(export_id: int) -> Response:
    """The bag as one file; whoever takes it is in the case's custody."""
    with writing() as session:
        found = handover.take_bag(
            session, actor(), export_id, now(), rest_only=asks_for_rest(request.range)
        )
    folder = bags_dir() / found.folder
    archive = folder.with_name(folder.name + ".zip")
    if not archive.is_file():
        archive = bag.zip_bag(folder)
    return file_response(inside(bags_dir(), archive.name), media_type="application/zip")


@bp.post("/items/<id:item_id>/content")
@allow(*READERS)
def content(item_id: int) -> Response:
    """An item's content; the look and its reason are part of its custody."""
    store = context().settings.blob_dir("evidence")
    reason = request.form.get("reason", "")
    with writing() as session:
        path = service.open_content(session, actor(), item_id, reason, store, now())
    return file_response(inside(store, path.relative_to(store).as_posix()))


def look_at(case_id: int) -> service.CaseView:
    """The case, where the actor may see it; the audit chain says that the actor looked."""
    with reading() as session:
        case = service.get_case(session, actor(), case_id)
        known = handover.is_known_look(session, actor(), case_id, now())
    if not known:
        with writing() as session:
            handover.note_look(session, actor(), case_id, now())
    return case


def export_case(case_id: int, reason: str, at: datetime | None = None) -> service.ExportView:
    """The sealed bag of a case, for pages and the API."""
    settings = context().settings
    with writing() as session:
        return service.export_bag(
            session,
            actor(),
            case_id,
            reason=reason,
            store=settings.blob_dir("evidence"),
            out_dir=bags_dir(),
            key=keys.signing_key(key_path(settings)),
            now=at or now(),
        )


def checked(export_id: int) -> tuple[service.ExportView, bag.BagReport]:
    """An export and what is wrong with its bag, if anything; the own key must have signed."""
    with reading() as session:
        found = service.get_export(session, actor(), export_id)
    look_at(found.case_id)
    own = manifest.key_id(keys.signing_key(key_path(context().settings)).public_key())
    return found, bag.verify_bag(bags_dir() / found.folder, own)


def bags_dir() -> Path:
    """Where sealed bags lie."""
    return context().settings.blob_dir("bags")


def key_path(settings: Settings) -> Path:
    """The installation's signing key."""
    return settings.data_dir / "keys" / "evidence.pem"
