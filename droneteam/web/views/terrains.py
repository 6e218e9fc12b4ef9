"""Terrain rasters that missions may be planned over: a list, and a form to add one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.errors import DroneteamError, InputError
from droneteam.missions import service
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.terrainfile import TerrainFile
from droneteam.missions.terrains import MAX_TERRAIN_BYTES
from droneteam.web import words
from droneteam.web.access import allow, takes_files
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.web.forms import FormReader
from droneteam.web.refusals import said
from droneteam.web.views.missions import PLANNERS

bp = Blueprint("terrains", __name__, url_prefix="/missions/terrains")


@bp.get("/")
@allow(*PLANNERS)
def index() -> str:
    """Every stored terrain, and the form for another."""
    return _page({}, {})


@bp.post("/")
@allow(*PLANNERS)
@takes_files(MAX_TERRAIN_BYTES + 100_000)
def add() -> Any:
    """A GeoTIFF with what its heights mean."""
    form = FormReader(request.form)
    source = read_source(form)
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        form.fail("file", _("Choose a file first."))
    if form.problems or sent is None:
        return _page(request.form, form.problems), 422
    folder = context().settings.data_dir
    try:
        with writing() as session:
            made = service.add_terrain(session, actor(), source, sent.read(), folder, now())
    except DroneteamError as error:
        field = error.field if isinstance(error, InputError) else None
        return _page(request.form, {field or "file": said(error)}), 422
    flash(_("Added; missions can be planned over %(name)s.", name=made.name), "done")
    return redirect(url_for("terrains.index"))


def read_source(form: FormReader) -> TerrainFile:
    """What the form says of a raster, its file left open."""
    name = form.text("name", required=True, max_length=80)
    kind = form.choice("kind", words.TERRAIN_KINDS, fallback="dsm")
    datum = VerticalDatum(form.choice("datum", words.DATUMS, fallback="unknown"))
    separation = form.optional_number("geoid_separation_m", -120.0, 120.0)
    folder = context().settings.data_dir
    return TerrainFile(name, folder, "dtm" if kind == "dtm" else "dsm", datum, separation)


def _page(values: Any, problems: dict[str, str]) -> str:
    with reading() as session:
        stored = service.list_terrains(session, actor())
    return render_template(
        "terrains.html",
        terrains=stored,
        values=values,
        problems=problems,
        kinds=list(words.TERRAIN_KINDS.items()),
        datums=list(words.DATUMS.items()),
        labels={
            "name": _("Name"),
            "file": _("GeoTIFF of heights"),
            "geoid_separation_m": _("Geoid above the ellipsoid (m)"),
        },
    )
