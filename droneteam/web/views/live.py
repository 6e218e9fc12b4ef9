"""The live map: a page with tables, its event stream, and the same for polling."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, current_app, jsonify, render_template, request, url_for
from flask_babel import gettext as _

from droneteam.detection.service import VIEWERS
from droneteam.web.access import allow
from droneteam.web.context import actor, context
from droneteam.web.feed import Feed
from droneteam.web.live_state import LiveFeeds
from droneteam.web.words import (
    ALERT_KINDS,
    CONFORMANCE,
    MATCHES,
    RECEIVER_KINDS,
    RECEIVER_STATES,
)

bp = Blueprint("live", __name__, url_prefix="/live")

FEEDS = "droneteam-live-feeds"
_CENTRE = {"latDeg": 50.8467, "lonDeg": 4.3525}


def feed() -> Feed:
    """The feed for whoever asks."""
    return cast(LiveFeeds, current_app.extensions[FEEDS]).of(actor())


@bp.get("/")
@allow(*VIEWERS)
def show() -> str:
    """The map and its tables, as of now; scripts keep them current."""
    _, rows = feed().snapshot()
    by_kind = {
        kind: [row for row in rows if row["kind"] == kind]
        for kind in ("alert", "drone", "track", "receiver")
    }
    return render_template("live.html", rows=by_kind, island_data=_island_data())


@bp.get("/events")
@allow(*VIEWERS)
def events() -> Response:
    """The event stream; Last-Event-ID brings what was missed."""
    last = request.headers.get("Last-Event-ID", "") or request.args.get("last", "")
    response = Response(feed().stream(last[:60]), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


@bp.get("/state.json")
@allow(*VIEWERS)
def state() -> Response:
    """Everything at once, for browsers that no event stream reaches."""
    number, rows = feed().snapshot()
    return jsonify(id=number, set=rows)


def columns() -> dict[str, list[dict[str, Any]]]:
    """The tables' columns: the page's first rows and the island's later ones use the same."""
    return {
        "drone": [
            {"name": "label", "title": _("Drone")},
            {"name": "mode", "title": _("Mode")},
            {"name": "alt_home_m", "title": _("Height"), "unit": " m", "digits": 1},
            {"name": "speed_mps", "title": _("Speed"), "unit": " m/s", "digits": 1},
            {"name": "battery_pct", "title": _("Battery"), "unit": " %"},
            {"name": "lat_deg", "title": _("Latitude"), "digits": 5},
            {"name": "lon_deg", "title": _("Longitude"), "digits": 5},
            {"name": "at", "title": _("Last seen"), "format": "time"},
        ],
        "track": [
            {"name": "label", "title": _("Track")},
            {"name": "match", "title": _("Is"), "format": "word"},
            {"name": "conformance", "title": _("State of the flight"), "format": "word"},
            {"name": "height_m", "title": _("Height"), "unit": " m", "digits": 1},
            {"name": "speed_mps", "title": _("Speed"), "unit": " m/s", "digits": 1},
            {"name": "lat_deg", "title": _("Latitude"), "digits": 5},
            {"name": "lon_deg", "title": _("Longitude"), "digits": 5},
            {"name": "at", "title": _("Last seen"), "format": "time"},
        ],
        "alert": [
            {"name": "rule", "title": _("Alert"), "format": "word", "link": "/alerts/"},
            {"name": "label", "title": _("Identity")},
            {"name": "at", "title": _("Raised"), "format": "time"},
            {"name": "acknowledged_by", "title": _("Acknowledged by")},
        ],
        "receiver": [
            {"name": "label", "title": _("Receiver")},
            {"name": "state", "title": _("State"), "format": "word"},
            {"name": "transport", "title": _("Kind"), "format": "word"},
            {"name": "at", "title": _("Last heard"), "format": "time"},
            {"name": "received", "title": _("Received")},
            {"name": "dropped", "title": _("Held back")},
            {"name": "lost", "title": _("Lost")},
            {"name": "refused", "title": _("Unreadable")},
            {"name": "connections", "title": _("Connected, times")},
            {"name": "problem", "title": _("Problem")},
            {"name": "last_problem", "title": _("Last complaint")},
            {"name": "failed_at", "title": _("Complained"), "format": "time"},
        ],
    }


def _island_data() -> dict[str, Any]:
    words = {**MATCHES, **ALERT_KINDS, **CONFORMANCE, **RECEIVER_STATES, **RECEIVER_KINDS}
    return {
        "streamUrl": url_for("live.events"),
        "stateUrl": url_for("live.state"),
        "centre": _CENTRE,
        "timeZone": context().settings.time_zone,
        "columns": columns(),
        "words": {code: str(text) for code, text in words.items()},
        "texts": {
            "basemap": _("Own basemap, drawn by hand, for orientation only"),
            "zoomIn": _("Zoom in"),
            "zoomOut": _("Zoom out"),
            "alert": _("New alert: {text}"),
            "stream": _("live"),
            "polling": _("live, every 2 s"),
            "lost": _("connection lost, trying again"),
        },
    }
