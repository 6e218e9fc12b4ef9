"""The places that a file of any known format names: an area's corners, or a mission's stops."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from droneteam.errors import DecodeError
from droneteam.missions.formats import geojson, kml, litchi, qgc, waypoints, wpml
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES, MissionFile
from droneteam.missions.formats.photostops import PhotoStop
from droneteam.missions.formats.unpacking import names_in
from droneteam.missions.items import POSITIONED
from droneteam.missions.route import LatLon


def read_places(name: str, data: bytes) -> tuple[LatLon, ...]:
    """(lat_deg, lon_deg) in the file's order: an outline of KML or GeoJSON, else the stops.

    name : its ending says the format: .kml, .kmz (an area's or DJI's waylines), .geojson, .json,
    .plan, .waypoints, .txt, .csv (Litchi)

    Raises
    ------
    DecodeError
        The ending is none of these, or the file is not what it says.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(f"the file is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    ending = name.rpartition(".")[2].lower()
    if ending not in _READERS:
        known = ", ".join(f".{one}" for one in _READERS)
        raise DecodeError(f"{name!r} is none of {known}")
    places = _READERS[ending](data)
    if not places:
        raise DecodeError(f"{name!r} names no place")
    return places


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(f"not UTF-8 text: {error}") from error


def _of_kmz(data: bytes) -> tuple[LatLon, ...]:
    is_wayline = any(one.startswith("wpmz/") for one in names_in(data))
    return _of_stops(wpml.read_wpml(data)) if is_wayline else kml.read_area(data)


def _of_stops(stops: tuple[PhotoStop, ...]) -> tuple[LatLon, ...]:
    return tuple((stop.lat_deg, stop.lon_deg) for stop in stops)


def _of_mission(mission: MissionFile) -> tuple[LatLon, ...]:
    """The places flown to; a landing or take-off at no place of its own is none."""
    return tuple(
        (item.lat_deg, item.lon_deg)
        for item in mission.items
        if item.command in POSITIONED and item.lat_deg and item.lon_deg
    )


_READERS: Mapping[str, Callable[[bytes], tuple[LatLon, ...]]] = {
    "kml": kml.read_area,
    "kmz": _of_kmz,
    "geojson": lambda data: geojson.read_area(_text(data)),
    "json": lambda data: geojson.read_area(_text(data)),
    "plan": lambda data: _of_mission(qgc.read_plan(_text(data))),
    "waypoints": lambda data: _of_mission(waypoints.read_waypoints(_text(data))),
    "txt": lambda data: _of_mission(waypoints.read_waypoints(_text(data))),
    "csv": lambda data: _of_stops(litchi.read_litchi(_text(data))),
}
