"""What the pages of the sky share: filters and their choices, zones, the map's words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from droneteam.detection import reception
from droneteam.detection import service as detection
from droneteam.missions import service as missions
from droneteam.missions.airspace.checks import Geozone, HeightReference, ZoneVolume
from droneteam.missions.airspace.schedule import WEEKDAYS, DailyPeriod, Edge, SunEvent
from droneteam.web import looks, timefmt
from droneteam.web.context import actor, context, now
from droneteam.web.sky_filter import CLASSES, SkyFilter
from droneteam.web.sky_words import (
    ADVICE,
    ALERT_KINDS,
    CONFORMANCE,
    MATCHES,
    MEETINGS,
    RECEIVER_KINDS,
    RECEIVER_STATES,
    RESTRICTIONS,
)

CENTRE = {"latDeg": 50.8467, "lonDeg": 4.3525}
SHAPES = {
    "own": "▲",
    "registered": "■",
    "operator": "◆",
    "unknown": "●",
    "suspect": "★",
    "manned": "✚",
}
"""The map's shapes as characters; the colour is never the only sign."""


@dataclass(frozen=True, slots=True)
class ZoneLine:
    """A zone on a page: what it asks, when, and whether it applies now."""

    identifier: str
    name: str
    restriction: str
    limits: str
    hours: tuple[str, ...]
    applies: bool


def chosen_filter() -> SkyFilter:
    """The filter in the page's address."""
    return SkyFilter.of(request.args, request.args.getlist("class"))


def filter_choices(session: Session, zones: Sequence[Geozone]) -> dict[str, Any]:
    """What the filter's fields offer."""
    receivers = reception.list_receivers(session, actor(), now())
    return {
        "classes": [(code, str(MATCHES[code])) for code in CLASSES],
        "receivers": [row.name for row in receivers],
        "zones": [(zone.identifier, zone.name) for zone in zones],
    }


def zone_lines(zones: Iterable[Geozone], at: datetime) -> list[ZoneLine]:
    """The zones as a table shows them."""
    return [
        ZoneLine(
            identifier=zone.identifier,
            name=zone.name,
            restriction=zone.restriction.value,
            limits=", ".join(dict.fromkeys(_limits(volume) for volume in zone.volumes)),
            hours=tuple(_times(zone)),
            applies=zone.applies(at, at),
        )
        for zone in zones
    ]


def zone_outlines(zones: Iterable[Geozone], at: datetime) -> list[dict[str, Any]]:
    """The zones as the map draws them."""
    return [
        {
            "id": zone.identifier,
            "name": zone.name,
            "restriction": zone.restriction.value,
            "applies": zone.applies(at, at),
            "rings": [
                [[round(lat, 6), round(lon, 6)] for lat, lon in volume.polygon]
                for volume in zone.volumes
            ],
        }
        for zone in zones
    ]


def island_words() -> dict[str, str]:
    """The words that the map's tables need."""
    kinds = {**MATCHES, **ALERT_KINDS, **CONFORMANCE, **RESTRICTIONS, **ADVICE, **MEETINGS}
    words = {**kinds, **RECEIVER_STATES, **RECEIVER_KINDS}
    return {code: str(text) for code, text in words.items()}


def map_texts() -> dict[str, str]:
    """The texts of every map of the sky."""
    return {
        "basemap": _("Own basemap, drawn by hand, for orientation only"),
        "zoomIn": _("Zoom in"),
        "zoomOut": _("Zoom out"),
        "operator": _("operator of {label}"),
        "nearing": _("closest at {time}"),
        "nothing": _("Nothing here. Use the tables or show everything."),
        "chosen": _("{label}: {match}, height {height}, {speed}, {time}"),
        "replay": _("replay"),
    }


def common_island() -> dict[str, Any]:
    """What every island of the sky is given."""
    return {
        "centre": CENTRE,
        "timeZone": context().settings.time_zone,
        "words": island_words(),
        "shapes": SHAPES,
        "mapTexts": map_texts(),
        "historyPage": url_for("history.show"),
        "dataUrl": url_for("history.data"),
    }


def all_zones(session: Session) -> tuple[Geozone, ...]:
    """Every zone that has been loaded."""
    return missions.stored_geozones(session)


def purpose_form() -> dict[str, Any]:
    """Why the visitor looks at operators, for those who are shown them."""
    me = actor()
    if not me.has_role(*detection.SEES_OPERATORS):
        return {}
    said = looks.purpose_of(me)
    return {"chosen": said, "choices": [(code, str(t)) for code, t in looks.PURPOSES.items()]}


def alerted_keys(rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The keys of tracks, and of own drones by their names, with an open alert."""
    found = set()
    for row in rows:
        if row["kind"] == "alert":
            found |= {str(row["track"]), f"name:{row['facts'].get('drone', '')}"}
    return frozenset(found)


def wedge(index: int, count: int, radius: float) -> str:
    """A sector of a compass rose about 100, 100, north up, as points of an SVG polygon."""
    corners = ["100,100"]
    for step in range(5):
        angle = math.radians((index + step / 4.0) * 360.0 / count)
        corners.append(f"{100 + radius * math.sin(angle):.1f},{100 - radius * math.cos(angle):.1f}")
    return " ".join(corners)


def _limits(volume: ZoneVolume) -> str:
    low = _limit(volume.lower_m, volume.lower_reference, _("ground"))
    return f"{low} – {_limit(volume.upper_m, volume.upper_reference, _('no limit'))}"


def _limit(limit_m: float | None, reference: HeightReference, none: str) -> str:
    if limit_m is None or (limit_m <= 0.0 and reference is HeightReference.AGL):
        return none
    return f"{limit_m:.0f} m {reference.value}"


def _times(zone: Geozone) -> Iterable[str]:
    for index, (first, last) in enumerate(zone.windows):
        if first is not None or last is not None:
            yield f"{timefmt.local_short(first)} – {timefmt.local_short(last)}"
        periods = zone.schedules[index] if index < len(zone.schedules) else ()
        yield from (_period(period) for period in periods)


def _period(period: DailyPeriod) -> str:
    names = {
        "MON": _("Mon"),
        "TUE": _("Tue"),
        "WED": _("Wed"),
        "THU": _("Thu"),
        "FRI": _("Fri"),
        "SAT": _("Sat"),
        "SUN": _("Sun"),
    }
    days = " ".join(names[WEEKDAYS[day]] for day in sorted(period.days)) or _("daily")
    return f"{days} {_edge(period.start, '00:00')}–{_edge(period.end, '24:00')}"


def _edge(edge: Edge, none: str) -> str:
    if isinstance(edge, SunEvent):
        words = {
            SunEvent.BMCT: _("dawn (civil twilight)"),
            SunEvent.SR: _("sunrise"),
            SunEvent.SS: _("sunset"),
            SunEvent.EECT: _("dusk (civil twilight)"),
        }
        return str(words[edge])
    if edge is None:
        return none
    offset = "" if edge.tzinfo is None else f" {edge.strftime('%Z') or ''}"
    return edge.strftime("%H:%M") + offset
