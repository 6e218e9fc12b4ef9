"""A flown sortie: played back on a map and in tables, as a report, and for other programs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam.detection import service as detection
from droneteam.errors import DecodeError, NotFound
from droneteam.missions import service
from droneteam.missions.formats.track import TRACK_WRITERS
from droneteam.missions.record.replay import Replay, ReplayEvent
from droneteam.missions.views import SortieView
from droneteam.photogrammetry import service as photogrammetry
from droneteam.web import words
from droneteam.web.access import allow
from droneteam.web.context import actor, context, reading
from droneteam.web.i18n import language
from droneteam.web.refusals import said
from droneteam.web.views.missions import READERS

bp = Blueprint("sorties", __name__, url_prefix="/sorties")

SAMPLES = 1200
"""For the island: a point each half second of a flight of ten minutes."""
TABLE_ROWS = 60
"""Of the table that holds what the map and the charts show."""


@bp.get("/<id:sortie_id>")
@allow(*READERS)
def show(sortie_id: int) -> str:
    """The sortie with its time line; without a readable log what the row knows."""
    me, data_dir = actor(), context().settings.data_dir
    with reading() as session:
        sortie = service.get_sortie(session, me, sortie_id, data_dir)
        mission = service.get_mission(session, me, sortie.mission_id)
        more = alerts_during(session, sortie)
        played, problem = _played(session, sortie, more)
    return render_template(
        "sortie.html",
        sortie=sortie,
        mission=mission,
        played=played,
        problem=problem,
        rows=table_rows(played),
        formats=list(TRACK_WRITERS),
        island_data=_island(sortie) if played is not None and played.t_s else None,
    )


@bp.get("/<id:sortie_id>/report.pdf")
@allow(*READERS)
def report(sortie_id: int) -> Response:
    """The sortie's report, in the reader's language."""
    me, data_dir = actor(), context().settings.data_dir
    with reading() as session:
        sortie = service.get_sortie(session, me, sortie_id, data_dir)
        more = alerts_during(session, sortie)
        made = service.sortie_report(
            session,
            me,
            sortie_id,
            data_dir,
            language=language(),
            more=more,
            photos_bound=photogrammetry.photos_bound(session, me, sortie_id),
        )
    return _file(made, "application/pdf", f"sortie-{sortie_id}.pdf")


@bp.get("/<id:sortie_id>/track.<kind>")
@allow(*READERS)
def track(sortie_id: int, kind: str) -> Response:
    """The flown track as CSV, GeoJSON, KML or GPX."""
    data_dir = context().settings.data_dir
    with reading() as session:
        content, media_type = service.sortie_track(session, actor(), sortie_id, data_dir, kind)
    return _file(content, media_type, f"sortie-{sortie_id}.{kind}")


@bp.get("/<id:sortie_id>/onboard.bin")
@allow(*READERS)
def onboard(sortie_id: int) -> Response:
    """The vehicle's own log, as it was fetched."""
    data_dir = context().settings.data_dir
    with reading() as session:
        sortie = service.get_sortie(session, actor(), sortie_id, data_dir)
    log = sortie.onboard_log
    if log is None or not log.path.is_file():
        raise NotFound("onboard log of sortie", sortie_id)
    return _file(log.path.read_bytes(), "application/octet-stream", log.path.name)


def alerts_during(session: Session, sortie: SortieView) -> list[ReplayEvent]:
    """What the watch of the air said while the sortie was flown, for those who may see it."""
    if not actor().has_role(*detection.VIEWERS):
        return []
    during = detection.alerts_between(session, actor(), sortie.started_at, sortie.ended_at)
    return [
        ReplayEvent(0.0, one.raised_at, "watch", "alert", _alert_line(one.kind, one.uas_id))
        for one in during
    ]


def _alert_line(kind: str, uas_id: str | None) -> str:
    return f"{kind} ({uas_id})" if uas_id else kind


def table_rows(played: Replay | None) -> list[dict[str, Any]]:
    """Some rows of the time line, even in time: what the map and the charts show."""
    if played is None or not played.t_s:
        return []
    step = max(1, -(-len(played.t_s) // TABLE_ROWS))
    places = sorted({*range(0, len(played.t_s), step), len(played.t_s) - 1})
    return [
        {
            "t_s": played.t_s[i],
            "lat_deg": played.lat_deg[i],
            "lon_deg": played.lon_deg[i],
            "alt_home_m": played.alt_home_m[i],
            "speed_mps": played.speed_mps[i],
            "battery_pct": played.battery_pct[i],
            "mode": mode_at(played, played.t_s[i]),
        }
        for i in places
    ]


def mode_at(played: Replay, t_s: float) -> str:
    """The vehicle's mode then; empty before the first is known."""
    known = [name for begins_s, name in played.modes if begins_s <= t_s]
    return known[-1] if known else ""


def _played(
    session: Session, sortie: SortieView, more: list[ReplayEvent]
) -> tuple[Replay | None, str]:
    data_dir = context().settings.data_dir
    try:
        found = service.sortie_replay(
            session, actor(), sortie.id, data_dir, samples=SAMPLES, more=more
        )
    except (DecodeError, NotFound) as error:
        return None, said(error)
    return found, ""


def _island(sortie: SortieView) -> dict[str, Any]:
    return {
        "url": url_for("api_sorties.replay", sortie_id=sortie.id, samples=SAMPLES),
        "timeZone": context().settings.time_zone,
        "sources": {source: str(name) for source, name in words.EVENT_SOURCES.items()},
        "texts": {
            "basemap": _("Own basemap, drawn by hand, for orientation only"),
            "zoomIn": _("Zoom in"),
            "zoomOut": _("Zoom out"),
            "play": _("Play"),
            "pause": _("Pause"),
            "unknown": _("unknown"),
            "failed": _("The time line could not be read. Load the page again."),
            "photos": _("{n} of {all} photos"),
        },
    }


def _file(content: bytes, media_type: str, name: str) -> Response:
    response = Response(content, mimetype=media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
