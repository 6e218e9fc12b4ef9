"""The first page: where each role's work begins."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template

from droneteam.web.access import public, signed_in_only
from droneteam.web.context import actor
from droneteam.web.navigation import navigation

bp = Blueprint("home", __name__)


@bp.get("/")
@signed_in_only
def index() -> Any:
    """On to the first page of the role's menu."""
    entries = navigation(actor())
    return redirect(entries[0].url) if entries else render_template("home.html")


@bp.get("/health")
@public
def health() -> dict[str, str]:
    """That the server answers; for a watchdog."""
    return {"status": "ok"}
