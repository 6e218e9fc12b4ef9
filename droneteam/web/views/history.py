"""The history of the sky: any past moment on map and table, and its points in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from flask_babel import gettext as _

from droneteam.detection import history
from droneteam.detection.history import Cursor, PathPoint, Span
from droneteam.detection.retention import kept_for
from droneteam.detection.service import VIEWERS, TrackView
from droneteam.errors import InputError
from droneteam.missions.airspace.checks import Geozone
from droneteam.web import looks, sky
from droneteam.web.access import allow
from droneteam.web.context import actor, now, reading
from droneteam.web.live_state import alert_row, suspects, track_row
from droneteam.web.looking import note_looks
from droneteam.web.refusals import said
from droneteam.web.timefmt import iso, parse_local, zone
from droneteam.web.views.live import columns

bp = Blueprint("history", __name__, url_prefix="/live/history")

DEFAULT_SPAN = timedelta(minutes=10)
MAX_PAGE_SPAN = timedelta(hours=6)
SPEEDS = (1, 5, 10, 50)


@bp.get("/")
@allow(*VIEWERS)
def show() -> str:
    """A moment of the past: the map with its slider, and the table of that moment."""
    span, at, problem = _asked()
    chosen = sky.chosen_filter()
    with reading() as session:
        me = actor()
        zones = sky.all_zones(session)
        choices = sky.filter_choices(session, zones)
        tracks = {row.id: row for row in history.tracks_between(session, me, span)}
        alerts = history.alerts_between(session, me, span)
        points = history.newest_points(session, me, at)
        kept_since = now() - kept_for(session).way
    open_then = [row for row in alerts if row.cleared_at is None or row.cleared_at >= at]
    doubted = suspects(open_then)
    rows = [
        moment_row(track_row(tracks[point.track_id], doubted), point)
        for point in points
        if point.track_id in tracks
    ]
    alerted = frozenset(f"track:{row.track_id}" for row in open_then if row.raised_at <= at)
    note_looks(looks.with_operator(tracks.values()), "history")
    return render_template(
        "history.html",
        span=span,
        at=at,
        problem=problem,
        kept_since=kept_since,
        chosen=chosen,
        choices=choices,
        rows=chosen.keep(rows, zones, alerted),
        alerts=alerts,
        columns=columns()["track"],
        zones=sky.zone_lines(zones, at),
        island_data=_island_data(span, at, zones),
    )


@bp.get("/data.json")
@allow(*VIEWERS)
def data() -> Response:
    """A piece of a span; `next` is where the following one begins, null at the end."""
    span = Span(_moment("from"), _moment("until"))
    text = request.args.get("cursor", "")
    with reading() as session:
        me = actor()
        piece = history.points_between(session, me, span, Cursor.parse(text) if text else None)
        first = not text
        tracks = history.tracks_between(session, me, span) if first else []
        alerts = history.alerts_between(session, me, span) if first else []
    note_looks(looks.with_operator(tracks), "history")
    doubted = suspects(alerts)
    return jsonify(
        tracks=[_with_times(track_row(row, doubted), row) for row in tracks],
        alerts=[
            {**alert_row(row), "cleared": None if row.cleared_at is None else iso(row.cleared_at)}
            for row in alerts
        ],
        points=[_packed(point) for point in piece.points],
        next=None if piece.following is None else str(piece.following),
    )


def moment_row(row: Mapping[str, Any], point: PathPoint) -> Mapping[str, Any]:
    """A track's row as it was at one of its points."""
    return {
        **row,
        "at": iso(point.at),
        "lat_deg": round(point.lat_deg, 6),
        "lon_deg": round(point.lon_deg, 6),
        "height_m": point.height_m,
        "speed_mps": point.speed_mps,
        "yaw_deg": point.course_deg,
        "sigma_m": point.sigma_m,
        "match": class_then(str(row["match"]), point.match_kind),
    }


def class_then(drawn: str, then: str | None) -> str:
    """What the map draws a track as at one of its points; `drawn` : at its last one.

    A doubt and a transponder are the track's own, whatever it was matched with.
    """
    return drawn if drawn in ("suspect", "manned") or then is None else then


def _with_times(row: Mapping[str, Any], track: TrackView) -> dict[str, Any]:
    return {**row, "from": iso(track.started_at), "until": iso(track.last_at)}


def _packed(point: PathPoint) -> list[Any]:
    """Track, Unix time, place, height, speed, course, sigma, class: in this order."""
    numbers = (point.height_m, point.speed_mps, point.course_deg, point.sigma_m)
    return [
        point.track_id,
        round(point.at.timestamp(), 2),
        round(point.lat_deg, 6),
        round(point.lon_deg, 6),
        *(None if number is None else round(number, 1) for number in numbers),
        point.match_kind,
    ]


def _asked() -> tuple[Span, datetime, str]:
    """The span and the moment in the page's address; the last minutes when they say nothing."""
    problem = ""
    last = now()
    try:
        at = _moment_or_none("at")
        until = _moment_or_none("until") or (
            last if at is None else min(last, at + DEFAULT_SPAN / 2)
        )
        since = _moment_or_none("from") or (
            until - DEFAULT_SPAN if at is None else at - DEFAULT_SPAN / 2
        )
        if until - since > MAX_PAGE_SPAN:
            until = since + MAX_PAGE_SPAN
            hours = MAX_PAGE_SPAN / timedelta(hours=1)
            problem = _("Only the first %(hours)d hours of that span are shown.", hours=hours)
        span = Span(since, until)
    except InputError as error:
        span, at, problem = Span(last - DEFAULT_SPAN, last), None, said(error)
    at = span.until if at is None else min(max(at, span.since), span.until)
    return span, at, problem


def _moment(name: str) -> datetime:
    """A time of the address that must be there."""
    at = _moment_or_none(name)
    if at is None:
        raise InputError(f"{name} is missing: a time such as 2026-05-04T08:00:00Z", field=name)
    return at


def _moment_or_none(name: str) -> datetime | None:
    """A time of the address: RFC 3339, or a local one as a form gives it."""
    text = request.args.get(name, "").strip()[:40]
    if not text:
        return None
    try:
        # A plus sign in an address is read as a space.
        at = datetime.fromisoformat(text.replace(" ", "+").replace("Z", "+00:00"))
        return at.astimezone(UTC) if at.tzinfo is not None else parse_local(text, zone())
    except (ValueError, OverflowError):
        raise InputError(
            f"{name} {text!r} is not a time such as 2026-05-04T08:00:00Z", field=name
        ) from None


def _island_data(span: Span, at: datetime, zones: Sequence[Geozone]) -> dict[str, Any]:
    return {
        **sky.common_island(),
        "from": iso(span.since),
        "until": iso(span.until),
        "at": iso(at),
        "zones": sky.zone_outlines(zones, at),
        "columns": {"track": columns()["track"]},
        "speeds": SPEEDS,
        "texts": {
            "loading": _("loading {time}"),
            "ready": _("{n} of {all} shown"),
            "failed": _("this part could not be loaded; move the slider to try again"),
            "play": _("Play"),
            "pause": _("Pause"),
            "copied": _("Link copied."),
            "replay": _("replay"),
            "show": _("show"),
        },
    }
