"""Geographical zones from the two published formats, ED-269 JSON and ED-318 GeoJSON.

ED-269 (EUROCAE, 2020): ``features[]`` with ``restriction``, ``applicability[]`` and
``geometry[]``; each geometry has limits and a ``horizontalProjection`` that is a Polygon or a
Circle; coordinates are longitude, latitude.

ED-318 (EUROCAE, 2022): a GeoJSON FeatureCollection; ``properties.type`` holds the restriction,
names and messages are lists of {text, lang}, limits lie in the geometry's ``layer``, and a
circle is a Point with ``extent``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any, TypedDict

import shapely

from droneteam.errors import DecodeError, InputError, plainly
from droneteam.geo import check_lat_lon
from droneteam.missions.airspace.checks import Geozone, HeightReference, Restriction, ZoneVolume
from droneteam.missions.airspace.schedule import WEEKDAYS, DailyPeriod, SunEvent

CIRCLE_CORNERS = 64
_UNITS_M = {"M": 1.0, "FT": 0.3048}
_LINE_DEG2 = 1e-12
"""About a hundredth of a square metre."""
_RESTRICTIONS = {
    "PROHIBITED": Restriction.PROHIBITED,
    "REQ_AUTHORISATION": Restriction.AUTHORISATION,
    "REQ_AUTHORIZATION": Restriction.AUTHORISATION,
    "CONDITIONAL": Restriction.CONDITIONAL,
    "NO_RESTRICTION": Restriction.NONE,
    "USPACE": Restriction.CONDITIONAL,
}


def read_geozones(document: object) -> tuple[Geozone, ...]:
    """The zones of a parsed JSON document of either format.

    Raises
    ------
    DecodeError
        Names the zone and the field that cannot be understood.
    """
    if not isinstance(document, Mapping) or not isinstance(document.get("features"), list):
        raise DecodeError("not a geozone file: it has no list of features")
    geojson = document.get("type") == "FeatureCollection"
    read = _ed318_zone if geojson else _ed269_zone
    zones = []
    for index, feature in enumerate(document["features"]):
        try:
            zones.append(read(feature))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            name = _identifier(feature) or f"number {index + 1}"
            raise DecodeError("zone {name}: {error}", name=name, error=plainly(error)) from error
    return tuple(zones)


def _identifier(feature: object) -> str:
    if not isinstance(feature, Mapping):
        return ""
    properties = feature.get("properties")
    source = properties if isinstance(properties, Mapping) else feature
    return str(source.get("identifier", ""))


def _ed269_zone(feature: Mapping[str, Any]) -> Geozone:
    authorities = feature.get("zoneAuthority") or [{}]
    return Geozone(
        identifier=str(feature["identifier"]),
        name=str(feature.get("name") or feature["identifier"]),
        restriction=_restriction(feature["restriction"]),
        volumes=tuple(_ed269_volume(part) for part in feature["geometry"]),
        **_times(feature.get("applicability") or ()),
        message=str(feature.get("message") or ""),
        authority=str(authorities[0].get("name") or ""),
        contact=str(authorities[0].get("phone") or authorities[0].get("email") or ""),
    )


def _ed269_volume(part: Mapping[str, Any]) -> ZoneVolume:
    projection = part["horizontalProjection"]
    if projection["type"] == "Circle":
        lon, lat = projection["center"]
        polygon = _circle(lat, lon, float(projection["radius"]))
    else:
        polygon = _ring(projection["coordinates"][0])
    unit = str(part.get("uomDimensions") or "M")
    return _layered(
        ZoneVolume(
            polygon,
            lower_m=_metres(part.get("lowerLimit"), unit),
            lower_reference=_reference(part.get("lowerVerticalReference")),
            upper_m=_metres(part.get("upperLimit"), unit),
            upper_reference=_reference(part.get("upperVerticalReference")),
        )
    )


def _ed318_zone(feature: Mapping[str, Any]) -> Geozone:
    properties = feature["properties"]
    authorities = properties.get("zoneAuthority") or [{}]
    return Geozone(
        identifier=str(properties["identifier"]),
        name=_text(properties.get("name")) or str(properties["identifier"]),
        restriction=_restriction(properties["type"]),
        volumes=tuple(_ed318_volume(part) for part in _geometries(feature["geometry"])),
        **_times(properties.get("limitedApplicability") or ()),
        message=_text(properties.get("message")),
        authority=_text(authorities[0].get("name")),
        contact=str(authorities[0].get("phone") or authorities[0].get("email") or ""),
    )


def _geometries(geometry: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    if geometry["type"] == "GeometryCollection":
        return list(geometry["geometries"])
    return [geometry]


def _ed318_volume(part: Mapping[str, Any]) -> ZoneVolume:
    if part["type"] == "Point":
        lon, lat = part["coordinates"][:2]
        polygon = _circle(lat, lon, float(part["extent"]["radius"]))
    elif part["type"] == "Polygon":
        polygon = _ring(part["coordinates"][0])
    else:
        raise InputError("geometry {kind} is not a Polygon or a circle", kind=part["type"])
    layer = part.get("layer") or {}
    unit = str(layer.get("uom") or "m")
    return _layered(
        ZoneVolume(
            polygon,
            lower_m=_metres(layer.get("lower"), unit),
            lower_reference=_reference(layer.get("lowerReference")),
            upper_m=_metres(layer.get("upper"), unit),
            upper_reference=_reference(layer.get("upperReference")),
        )
    )


def _layered(volume: ZoneVolume) -> ZoneVolume:
    """The volume; one that lies upside down would hold no flight, whatever was meant."""
    low, high = volume.lower_m, volume.upper_m
    comparable = volume.lower_reference is volume.upper_reference
    if comparable and low is not None and high is not None and low > high:
        raise InputError("lower limit {low:g} m above the upper {high:g} m", low=low, high=high)
    return volume


def _restriction(word: object) -> Restriction:
    """An unknown word counts as forbidden: the authority meant something by it."""
    return _RESTRICTIONS.get(str(word).upper(), Restriction.PROHIBITED)


def _reference(word: object) -> HeightReference:
    return HeightReference(str(word or "AGL").upper())


def _metres(value: object, unit: str) -> float | None:
    if value is None:
        return None
    if unit.upper() not in _UNITS_M:
        raise InputError("limits in {unit} are neither in M nor in FT", unit=unit)
    metres = float(str(value)) * _UNITS_M[unit.upper()]
    if not math.isfinite(metres):
        raise InputError("limit {value} is not a finite number", value=value)
    return metres


class _Times(TypedDict):
    windows: tuple[tuple[datetime | None, datetime | None], ...]
    schedules: tuple[tuple[DailyPeriod, ...], ...]


def _times(parts: Sequence[Mapping[str, Any]]) -> _Times:
    """When a zone applies; a permanent part without hours makes it apply always."""
    periods = [tuple(_period(one) for one in part.get("schedule") or ()) for part in parts]
    permanent = [str(part.get("permanent", "NO")).upper() == "YES" for part in parts]
    if any(always and not hours for always, hours in zip(permanent, periods, strict=True)):
        return _Times(windows=(), schedules=())
    windows = tuple(
        (None, None) if always else _window(part)
        for always, part in zip(permanent, parts, strict=True)
    )
    return _Times(windows=windows, schedules=tuple(periods) if any(periods) else ())


def _window(part: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    first, last = _when(part.get("startDateTime")), _when(part.get("endDateTime"))
    if first is not None and last is not None and last < first:
        raise InputError("it ends {last} before it begins {first}", first=first, last=last)
    return first, last


def _period(part: Mapping[str, Any]) -> DailyPeriod:
    """Hours of a day: ED-269 gives clock times, ED-318 those or events of the sun."""
    return DailyPeriod(
        _days(part.get("day") or ()),
        _edge(part.get("startTime"), part.get("startEvent")),
        _edge(part.get("endTime"), part.get("endEvent")),
    )


def _days(words: object) -> frozenset[int]:
    """The weekdays; empty for every day."""
    listed = [words] if isinstance(words, str) else list(words)  # type: ignore[call-overload]
    names = {str(word).upper() for word in listed}
    unknown = names - {*WEEKDAYS, "ANY"}
    if unknown:
        raise InputError(
            "weekdays {found} are none of {known}, ANY",
            found=sorted(unknown),
            known=", ".join(WEEKDAYS),
        )
    return frozenset() if "ANY" in names else frozenset(map(WEEKDAYS.index, names))


def _edge(clock: object, event: object) -> time | SunEvent | None:
    if event:
        return SunEvent(str(event).upper())
    if not clock or str(clock).startswith("24:00"):
        return None
    text = str(clock)
    # Both standards show hundredths of seconds, which Python reads only as three digits or six.
    whole = re.sub(r"\.\d+", "", text).replace("Z", "+00:00")
    return time.fromisoformat(whole)


def _when(text: object) -> datetime | None:
    if not text:
        return None
    when = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    if when.tzinfo is None:
        raise InputError("time {text} has no time zone", text=text)
    return when


def _text(value: object) -> str:
    """The text of a string or of a list of {text, lang}: English if there, else the first."""
    if isinstance(value, list) and value:
        english = [part for part in value if str(part.get("lang", "")).lower().startswith("en")]
        return str((english or value)[0].get("text") or "")
    return str(value or "") if not isinstance(value, list) else ""


def _ring(coordinates: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    corners = [(float(lat), float(lon)) for lon, lat, *_ in coordinates]
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if len(corners) < 3:
        raise InputError("a polygon needs 3 corners, not {count}", count=len(corners))
    for lat_deg, lon_deg in corners:
        check_lat_lon(lat_deg, lon_deg)
    if not shapely.MultiPoint(corners).convex_hull.area > _LINE_DEG2:
        raise InputError("the polygon's corners lie on one line: it has no area")
    return tuple(corners)


def _circle(lat_deg: float, lon_deg: float, radius_m: float) -> tuple[tuple[float, float], ...]:
    """A polygon around the circle, so that nothing of it is left out."""
    check_lat_lon(lat_deg, lon_deg)
    if not 0.0 < radius_m < 1e6:
        raise InputError("radius {radius_m} m outside (0, 1000000)", radius_m=radius_m)
    outer_m = radius_m / math.cos(math.pi / CIRCLE_CORNERS)
    north_deg = math.degrees(outer_m / 6_371_008.8)
    east_deg = north_deg / math.cos(math.radians(lat_deg))
    angles = (2.0 * math.pi * step / CIRCLE_CORNERS for step in range(CIRCLE_CORNERS))
    return tuple(
        (lat_deg + north_deg * math.cos(angle), lon_deg + east_deg * math.sin(angle))
        for angle in angles
    )
