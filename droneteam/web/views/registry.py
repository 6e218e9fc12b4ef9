"""The registry: warnings ahead, defects with their release, services, and files in and out."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.errors import InputError
from droneteam.fleet import explain, records, service
from droneteam.fleet.exchange import EXPORTERS, IMPORTERS
from droneteam.fleet.views import BatteryView, DroneView, PilotView
from droneteam.web.access import TEAM, allow, takes_files
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.i18n import language

bp = Blueprint("registry", __name__, url_prefix="/registry")

MECHANICS = ("pilot", "coordinator", "administrator")
MAX_FILE_BYTES = 20_000_000


@bp.get("/")
@allow(*TEAM)
def show() -> str:
    """What warns, what is grounded, and the latest flights."""
    me, at = actor(), now()
    with reading() as session:
        drones = service.list_drones(session, me, at)
        pilots = service.list_pilots(session, me, at)
        packs = service.list_batteries(session, me)
        defects = service.open_defect_rows(session, me)
        flights = service.list_flights(session, me, limit=50)
    names = {row.id: row.name for row in drones}
    judged: list[DroneView | PilotView | BatteryView] = [*drones, *pilots, *packs]
    warnings = [
        explain.sentence(reason, language())
        for row in judged
        for reason in (*row.reasons, *row.warnings)
    ]
    return render_template(
        "registry.html",
        drones=drones,
        names=names,
        warnings=warnings,
        defects=defects,
        flights=flights,
        may_repair=me.has_role(*MECHANICS),
        may_export=me.has_role(*EXPORTERS),
        may_import=me.has_role(*IMPORTERS),
    )


@bp.post("/defects")
@allow(*MECHANICS)
def report() -> Any:
    """A defect: the drone is grounded from now on."""
    form = FormReader(request.form)
    drone_id = int(form.number("drone_id", 1, 2**31 - 1))
    text = form.text("text", max_length=2_000)
    with writing() as session:
        service.report_defect(session, actor(), drone_id, text, now())
    flash(_("Grounded until a second person releases it."), "done")
    return redirect(url_for("registry.show"))


@bp.post("/defects/<id:defect_id>/release")
@allow(*MECHANICS)
def release(defect_id: int) -> Any:
    """Released by a second person."""
    with writing() as session:
        service.release_defect(session, actor(), defect_id, now())
    flash(_("Released."), "done")
    return redirect(url_for("registry.show"))


@bp.post("/services")
@allow(*MECHANICS)
def serviced() -> Any:
    """A service that was done."""
    form = FormReader(request.form)
    drone_id = int(form.number("drone_id", 1, 2**31 - 1))
    rule, text = form.text("rule", max_length=60), form.text("text", max_length=2_000)
    with writing() as session:
        service.record_service(session, actor(), drone_id, rule, text, now())
    flash(_("Noted."), "done")
    return redirect(url_for("registry.show"))


@bp.get("/registry.json")
@allow(*EXPORTERS)
def as_json() -> Response:
    """Everything as one JSON document."""
    return _file(records.to_json(_registry()).encode(), "application/json", "registry.json")


@bp.get("/registry.zip")
@allow(*EXPORTERS)
def as_csv() -> Response:
    """Everything as CSV files in a ZIP archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in records.csv_files(_registry()).items():
            archive.writestr(name, text)
    return _file(out.getvalue(), "application/zip", "registry.zip")


def _registry() -> records.Registry:
    with reading() as session:
        return service.export_registry(session, actor())


def _file(content: bytes, media_type: str, name: str) -> Response:
    answer = Response(content, mimetype=media_type)
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-cache"
    return answer


@bp.post("/import")
@allow(*IMPORTERS)
@takes_files(MAX_FILE_BYTES)
def bring() -> Any:
    """A registry in JSON: whole or not at all."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise InputError("choose a file", field="file")
    try:
        text = sent.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("the file is no text in UTF-8", field="file") from None
    registry = records.from_json(text)
    with writing() as session:
        done = service.import_registry(session, actor(), registry, now())
    added, changed = sum(done.added.values()), sum(done.changed.values())
    flash(_("%(added)s records added, %(changed)s changed.", added=added, changed=changed), "done")
    return redirect(url_for("registry.show"))
