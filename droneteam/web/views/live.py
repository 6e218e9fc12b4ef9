"""The live map: a page with tables, its event stream, and the same for polling."""

from __future__ import annotations

import hashlib
from typing import Any, cast

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from droneteam.detection.service import SEES_OPERATORS, VIEWERS
from droneteam.web import looks, sky
from droneteam.web.access import allow
from droneteam.web.broadcast import Broadcast, Looks
from droneteam.web.context import actor, context, now, own_secret, reading
from droneteam.web.feed import Feed
from droneteam.web.forms import FormReader
from droneteam.web.listening import Listener, Listeners
from droneteam.web.live_state import LiveFeeds
from droneteam.web.looking import note_looks, noter

bp = Blueprint("live", __name__, url_prefix="/live")

KINDS = ("alert", "drone", "meeting", "track", "receiver")

FEEDS = "droneteam-live-feeds"
LISTENERS = "droneteam-listeners"


def feeds() -> LiveFeeds:
    """The application's feeds."""
    return cast(LiveFeeds, current_app.extensions[FEEDS])


def listener() -> Listener:
    """Whoever asks, as one who listens until the session ends."""
    listeners = cast(Listeners, current_app.extensions[LISTENERS])
    return listeners.of(own_secret(), actor())


def feed() -> Feed:
    """The feed for whoever asks."""
    return feeds().of(actor())


@bp.get("/")
@allow(*VIEWERS)
def show() -> str:
    """The map and its tables, as of now; scripts keep them current."""
    _, rows = feed().snapshot()
    note_looks(looks.rows_with_operator(rows), "live")
    chosen = sky.chosen_filter()
    with reading() as session:
        zones = sky.all_zones(session)
        choices = sky.filter_choices(session, zones)
    alerted = sky.alerted_keys(rows)
    alerted |= {row["key"] for row in rows if f"name:{row.get('label')}" in alerted}
    by_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in KINDS}
    for kind in ("drone", "track"):
        by_kind[kind] = chosen.keep(by_kind[kind], zones, alerted)
    return render_template(
        "live.html",
        rows=by_kind,
        chosen=chosen,
        choices=choices,
        purpose=sky.purpose_form(),
        zones=sky.zone_lines(zones, now()),
        replaying=any(row.get("replay") for row in rows),
        island_data=_island_data(sky.zone_outlines(zones, now())),
    )


@bp.post("/purpose")
@allow(*SEES_OPERATORS)
def say_purpose() -> BaseResponse:
    """Why the visitor looks at operators from now on; kept with every look."""
    form = FormReader(request.form)
    code = form.choice("purpose", looks.PURPOSES, fallback="flight_safety")
    reference = form.text("reference", max_length=looks.MAX_REFERENCE)
    if form.problems:
        flash(next(iter(form.problems.values())), "wrong")
    else:
        looks.keep_purpose(looks.Purpose(code, reference))
        flash(_("Your reason is kept with every look at operators."), "done")
    return redirect(url_for("live.show"))


@bp.get("/events")
@allow(*VIEWERS)
def events() -> Response:
    """The event stream; Last-Event-ID brings what was missed."""
    last = request.headers.get("Last-Event-ID", "") or request.args.get("last", "")
    seen = None
    if looks.sees(actor()):
        shown = feeds()
        seen = Looks(lambda: shown.operators, noter("stream"))
    stream = Broadcast(feed(), last[:60], seen, listener())
    response = Response(stream, mimetype="text/event-stream", direct_passthrough=True)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    return response


@bp.get("/state.json")
@allow(*VIEWERS)
def state() -> Response:
    """Everything at once, for browsers that no event stream reaches."""
    number, rows = feed().snapshot()
    note_looks(looks.rows_with_operator(rows), "live")
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
            {"name": "lat_deg", "title": _("Latitude"), "digits": 5, "format": "degrees"},
            {"name": "lon_deg", "title": _("Longitude"), "digits": 5, "format": "degrees"},
            {"name": "at", "title": _("Last seen"), "format": "time"},
        ],
        "meeting": [
            {"name": "label", "title": _("Drones")},
            {"name": "at", "title": _("Closest at"), "format": "time"},
            {"name": "apart_m", "title": _("Across"), "unit": " m"},
            {"name": "above_m", "title": _("In height"), "unit": " m"},
            {"name": "case", "title": _("When"), "format": "word"},
        ],
        "track": [
            {"name": "label", "title": _("Track")},
            {"name": "match", "title": _("Is"), "format": "class"},
            {"name": "conformance", "title": _("State of the flight"), "format": "word"},
            {"name": "height_m", "title": _("Height"), "unit": " m", "digits": 1},
            {"name": "speed_mps", "title": _("Speed"), "unit": " m/s", "digits": 1},
            {"name": "lat_deg", "title": _("Latitude"), "digits": 5, "format": "degrees"},
            {"name": "lon_deg", "title": _("Longitude"), "digits": 5, "format": "degrees"},
            {"name": "at", "title": _("Last seen"), "format": "time"},
        ],
        "alert": [
            {"name": "rule", "title": _("Alert"), "format": "word", "link": "/alerts/"},
            {"name": "label", "title": _("Identity")},
            {"name": "at", "title": _("Raised"), "format": "time"},
            {"name": "acknowledged_by", "title": _("Acknowledged by")},
            {"name": "at", "title": _("History"), "format": "moment"},
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


def channel() -> str:
    """Names the stream that a browser's tabs share: another person or role has another one."""
    me = actor()
    key = f"{context().settings.secret_key}:{me.user_id}:{sorted(me.roles)}"
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def stream_data() -> dict[str, Any]:
    """Where the feed is, for islands, and what they say of it."""
    return {
        "streamUrl": url_for("live.events"),
        "stateUrl": url_for("live.state"),
        "channel": channel(),
        "texts": {
            "alert": _("New alert: {text}"),
            "stream": _("live"),
            "shared": _("live, through another tab"),
            "polling": _("live, every 2 s"),
            "lost": _("connection lost, trying again"),
            "ended": _("signed out: nothing is shown any more"),
            "shown": _("{n} of {all} shown"),
            "replay": _("replay"),
            "show": _("show"),
        },
    }


def _island_data(zones: list[dict[str, Any]]) -> dict[str, Any]:
    return {**sky.common_island(), **stream_data(), "zones": zones, "columns": columns()}
