"""The first page: where each role's work begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, redirect, render_template

from droneteam.errors import NotFound
from droneteam.web.access import public, signed_in_only
from droneteam.web.context import actor, context
from droneteam.web.files import file_response
from droneteam.web.navigation import navigation

bp = Blueprint("home", __name__)


@bp.get("/")
@signed_in_only
def index() -> Any:
    """On to the first page of the role's menu."""
    entries = navigation(actor())
    return redirect(entries[0].url) if entries else render_template("home.html")


@bp.get("/favicon.ico")
@public
def mark() -> Response:
    """The mark, for what asks for it without reading a page: bookmarks, feed and PDF readers."""
    return current_app.send_static_file("mark.svg")


@bp.get("/health")
@public
def health() -> dict[str, str]:
    """That the server answers; for a watchdog."""
    return {"status": "ok"}


@bp.get("/basemap.pmtiles")
@signed_in_only
def basemap() -> Response:
    """The operator's archive of tiles, in the ranges that a map asks for."""
    found = context().settings.basemap
    if found is None or found.kind != "pmtiles":
        raise NotFound("file", "basemap.pmtiles")
    return file_response(Path(found.url), media_type="application/octet-stream")
