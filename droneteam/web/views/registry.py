"""The registry: warnings ahead, defects with their release, services, and files in and out."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.accounts import Actor
from droneteam.errors import InputError
from droneteam.fleet import service
from droneteam.fleet.assets import records
from droneteam.fleet.assets.crew import READERS as PILOT_READERS
from droneteam.fleet.assets.exchange import EXPORTERS, IMPORTERS
from droneteam.fleet.assets.notices import SEERS
from droneteam.fleet.assets.upkeep import MECHANICS
from droneteam.fleet.views import BatteryView, DroneView, PilotView
from droneteam.web.access import TEAM, allow, takes_files
from droneteam.web.context import actor, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.i18n import sentences
from droneteam.web.kept import own_path

bp = Blueprint("registry", __name__, url_prefix="/registry")

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
        notices = service.list_notices(session, me, at)
    return render_template(
        "registry.html",
        drones=drones,
        names={row.id: row.name for row in drones},
        warnings=_warnings(me, drones, pilots, packs),
        notices=notices,
        may_see_notices=me.has_role(*SEERS),
        defects=defects,
        flights=flights,
        may_repair=me.has_role(*MECHANICS),
        may_export=me.has_role(*EXPORTERS),
        may_import=me.has_role(*IMPORTERS),
    )


def _warnings(
    me: Actor, drones: list[DroneView], pilots: list[PilotView], packs: list[BatteryView]
) -> list[tuple[str, str]]:
    """(address, sentence) of all that grounds or soon will; the retired are left in peace."""
    judged: list[tuple[str, DroneView | PilotView | BatteryView]] = [
        *((url_for("equipment.drone", drone_id=row.id), row) for row in drones if not row.retired),
        *((_pilot_url(me, row), row) for row in pilots),
        *(
            (url_for("equipment.battery", battery_id=row.id), row)
            for row in packs
            if row.retired_at is None
        ),
    ]
    return [(url, line) for url, row in judged for line in sentences((*row.reasons, *row.warnings))]


def _pilot_url(me: Actor, row: PilotView) -> str:
    """The pilot's page, or the list for who may not read that page."""
    if me.has_role(*PILOT_READERS) or row.user_id == me.user_id:
        return url_for("crew.pilot", pilot_id=row.id)
    return url_for("crew.pilots")


@bp.post("/notices/<id:notice_id>/seen")
@allow(*SEERS)
def seen(notice_id: int) -> Any:
    """Off the board, with who saw it on record."""
    with writing() as session:
        service.see_notice(session, actor(), notice_id, now())
    return redirect(own_path(request.form.get("next"), url_for("registry.show")))


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
    return redirect(own_path(request.form.get("next"), url_for("registry.show")))


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
    """A registry in JSON, or its CSV files in a ZIP archive: whole or not at all."""
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise InputError("choose a file", field="file")
    registry = registry_of(sent.read())
    with writing() as session:
        done = service.import_registry(session, actor(), registry, now())
    added, changed = sum(done.added.values()), sum(done.changed.values())
    told = _("Records added: %(added)s; changed: %(changed)s.", added=added, changed=changed)
    flash(told, "done")
    return redirect(url_for("registry.show"))


def registry_of(content: bytes) -> records.Registry:
    """The registry of an uploaded file.

    Raises
    ------
    InputError
        It is neither a JSON document nor an archive of CSV files, or one of them is wrong.
    """
    try:
        if content.startswith(b"PK"):
            return records.from_csv_files(_unpacked(content))
        return records.from_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError("the file is no text in UTF-8", field="file") from None


def _unpacked(content: bytes) -> dict[str, str]:
    """The archive's files by name, within bounds whatever its directory claims."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            if len(names) > len(records.KINDS):
                raise InputError(f"the archive holds {len(names)} files", field="file")
            files = {}
            for name in names:
                with archive.open(name) as file:
                    data = file.read(MAX_FILE_BYTES + 1)
                if len(data) > MAX_FILE_BYTES:
                    raise InputError(f"{name} is larger than {MAX_FILE_BYTES} bytes", field="file")
                files[name] = data.decode("utf-8-sig")
            return files
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise InputError(f"the archive cannot be read: {error}", field="file") from error
