"""A new scene, its photos and its control: by an island in chunks, or by a plain form."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.datastructures import FileStorage

from droneteam import accounts, jobs
from droneteam.errors import DroneteamError, InputError
from droneteam.photogrammetry import service, uploads
from droneteam.photogrammetry.scene_params import LANGUAGES, PRESETS, SceneParams
from droneteam.photogrammetry.upload_files import CHUNK_BYTES, NewUpload
from droneteam.web.access import allow, takes_files
from droneteam.web.api.uploads import receive
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.i18n import LANGUAGE_NAMES, language
from droneteam.web.refusals import said
from droneteam.web.views.scenes import READERS, get_scene
from droneteam.web.words import organisation_option

bp = Blueprint("uploads", __name__, url_prefix="/scenes")

MAX_PLAIN_BYTES = 600_000_000
"""What a form without scripts may carry at once: some forty photos."""
MAX_FILES = 200


@bp.get("/new")
@allow(*uploads.SENDERS)
def new() -> str:
    """An empty form for a scene."""
    return _form({}, {})


@bp.post("/new")
@allow(*uploads.SENDERS)
def create() -> Any:
    """The new scene's photos page, or the form again with what is wrong."""
    form = FormReader(request.form)
    name = form.text("name", required=True, max_length=200)
    organisation_id = int(form.number("organisation_id", 1, 2**31 - 1))
    preset = form.choice("preset", PRESETS, fallback="normal")
    report = form.choice("language", LANGUAGES, fallback=language())
    epsg = int(form.number("epsg", 1024, 32767, fallback=0))
    with reading() as db_session:
        known = {row.id for row in accounts.organisations(db_session)}
    if organisation_id not in known:
        form.fail("organisation_id", _("Choose an organisation."))
    if form.problems:
        return _form(request.form, form.problems), 422
    params = SceneParams(preset=preset, language=report, title=name, epsg=epsg or None)  # type: ignore[arg-type]
    with writing() as db_session:
        made = uploads.open_scene(
            db_session, actor(), name, organisation_id, params, context().settings, now()
        )
    return redirect(url_for("uploads.photos", scene_id=made))


@bp.get("/<id:scene_id>/photos")
@allow(*READERS)
def photos(scene_id: int) -> str:
    """The scene's photos with their verdicts, and the way to send more."""
    return _photos(scene_id, {})


@bp.post("/<id:scene_id>/photos")
@allow(*uploads.SENDERS)
@takes_files(MAX_PLAIN_BYTES)
def send_plain(scene_id: int) -> Any:
    """Photos of a plain form, taken in one after the other."""
    files = [file for file in request.files.getlist("photos") if file.filename]
    problems: list[str] = []
    taken = 0
    if not files:
        problems.append(_("Choose the photos first."))
    for file in files[:MAX_FILES]:
        try:
            taken += _take(scene_id, file)
        except DroneteamError as error:
            problems.append(f"{file.filename}: {said(error)}")
    if len(files) > MAX_FILES:
        problems.append(_("At most %(n)s files at once; send the rest again.", n=MAX_FILES))
    if taken:
        flash(
            ngettext("%(num)s photo was received.", "%(num)s photos were received.", taken), "done"
        )
    if problems:
        return _photos(scene_id, {"photos": "; ".join(problems)}), 422
    return redirect(url_for("uploads.photos", scene_id=scene_id))


@bp.post("/<id:scene_id>/control")
@allow(*uploads.SENDERS)
def control(scene_id: int) -> Any:
    """Control points, check points or scale bars as a file."""
    file = request.files.get("file")
    kind = request.form.get("kind", "control")
    content = file.read(uploads.MAX_CONTROL_BYTES + 1) if file is not None else b""
    name = Path(file.filename or "control.txt").name if file is not None else ""
    try:
        with writing() as db_session:
            count = uploads.set_control(
                db_session, actor(), scene_id, kind, name, content, context().settings, now()
            )
    except InputError as error:
        return _photos(scene_id, {"file": said(error)}), 422
    text = ngettext("%(num)s point was read.", "%(num)s points were read.", count)
    flash(text + " " + _("Build the scene to use them."), "done")
    return redirect(url_for("uploads.photos", scene_id=scene_id))


def _take(scene_id: int, file: FileStorage) -> bool:
    """Whether a form's file was new; it goes the way of the chunks."""
    digest = hashlib.sha256()
    size = 0
    while block := file.stream.read(CHUNK_BYTES):
        digest.update(block)
        size += len(block)
    wanted = NewUpload(file.filename or "", size, digest.hexdigest())
    settings = context().settings
    with writing() as db_session:
        view = uploads.start(db_session, actor(), scene_id, wanted, settings, now())
    if view.state == uploads.DONE:
        return False
    offset = view.received_bytes
    file.stream.seek(offset)
    while block := file.stream.read(CHUNK_BYTES):
        receive(scene_id, view.id, offset, block)
        offset += len(block)
    return True


def _form(values: Any, problems: dict[str, str]) -> str:
    with reading() as db_session:
        organisations = accounts.organisations(db_session)
    return render_template(
        "scene_form.html",
        values=values,
        problems=problems,
        organisations=organisations,
        organisation_options=lambda rows: [organisation_option(row, language()) for row in rows],
        report_languages=LANGUAGES,
        report_language_options=lambda codes: [(code, LANGUAGE_NAMES[code]) for code in codes],
        chosen_language=language(),
    )


def _photos(scene_id: int, problems: dict[str, str]) -> str:
    scene = get_scene(scene_id)
    may_send = actor().has_role(*uploads.SENDERS)
    building = scene.job is not None and scene.job.state in jobs.OPEN_STATES
    sending = may_send and uploads.takes_photos(scene.photos_folder, scene.id)
    with reading() as db_session:
        sent = uploads.uploads(db_session, actor(), scene_id, context().settings)
    return render_template(
        "photos.html",
        scene=scene,
        sent=sent,
        problems=problems,
        may_send=may_send,
        sending=sending and not building,
        building=building,
        may_build=actor().has_role(*service.BUILDERS),
        data=_island(scene_id),
    )


def _island(scene_id: int) -> dict[str, Any]:
    return {
        "uploadsUrl": f"/api/v1/scenes/{scene_id}/uploads",
        "chunkBytes": CHUNK_BYTES,
        "texts": {
            "hashing": _("reading {percent} %"),
            "sending": _("sending {percent} %"),
            "done": _("received and checked"),
            "again": _("was here already"),
            "waiting": _("the connection is lost; it goes on by itself in {s} s"),
            "failed": _("not accepted: {why}"),
            "total": _("{done} of {count} photos, {mb} of {all} MB, {left} left"),
            "finishedOne": _("The photo was received and checked by the server."),
            "finished": _("All {count} photos were received and checked by the server."),
            "problems": _("{done} of {count} photos were received; not accepted: {failed}."),
            "signedOut": _("waits for your sign-in"),
        },
    }
