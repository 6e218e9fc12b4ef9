"""KML 2.2 and KMZ: a plan's area, path and photos out, an area or a path in.

A document type declaration is refused: no KML needs one, and entities in it can expand a small
file to gigabytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from xml.etree import ElementTree

from droneteam.errors import DecodeError, InputError
from droneteam.missions.airspace.volumes import Volumes
from droneteam.missions.formats.chancefeatures import (
    add_placemarks,
    chance_features,
    is_chance_mark,
)
from droneteam.missions.formats.chancemap import chances_of_kml
from droneteam.missions.formats.fileplaces import FilePlaces, checked, outline
from droneteam.missions.formats.unpacking import kml_root
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.heights import HeightKind
from droneteam.missions.planner.plan import GeoPolygon, MissionPlan

NAMESPACE = "http://www.opengis.net/kml/2.2"


def plan_to_kml(plan: MissionPlan, name: str, volumes: Volumes | None = None) -> bytes:
    """The KML document.

    Heights are relative to the ground, taken as that of the take-off; over a terrain, whose ground
    is not level, they are above sea level through the take-off point's own height where that is
    known.
    """
    mode, base_m = ("relativeToGround", 0.0)
    if plan.terrain is not None and plan.home.alt_amsl_m is not None:
        mode, base_m = ("absolute", plan.home.alt_amsl_m)
    ElementTree.register_namespace("", NAMESPACE)
    root = ElementTree.Element(f"{{{NAMESPACE}}}kml")
    document = _child(root, "Document")
    _child(document, "name", name)
    _polygon(document, "area", plan.area)
    path = _child(_placemark(document, "path"), "LineString")
    _child(path, "altitudeMode", mode)
    moves = [item for item in plan.items if item.command is MissionCommand.WAYPOINT]
    places = [
        f"{item.lon_deg:.8f},{item.lat_deg:.8f},{base_m + (item.alt_home_m or 0.0):.2f}"
        for item in moves
    ]
    _child(path, "coordinates", " ".join(places))
    for index, photo in enumerate(plan.photo_positions, start=1):
        point = _child(_placemark(document, f"photo {index}"), "Point")
        _child(point, "altitudeMode", mode)
        place = f"{photo.lon_deg:.8f},{photo.lat_deg:.8f},{base_m + photo.alt_home_m:.2f}"
        _child(point, "coordinates", place)
    for role, ring in () if volumes is None else volumes.named:
        _polygon(document, role.replace("_", " "), ring)
    if plan.search is not None:
        add_placemarks(document, chance_features(plan.search.chances), NAMESPACE)
    data: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return data


def _polygon(document: ElementTree.Element, name: str, ring: GeoPolygon) -> None:
    """A polygon on the ground."""
    polygon = _child(_placemark(document, name), "Polygon")
    edge = _child(_child(polygon, "outerBoundaryIs"), "LinearRing")
    corners = (*ring, ring[0])
    _child(edge, "coordinates", " ".join(f"{lon:.8f},{lat:.8f},0" for lat, lon in corners))


def _placemark(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    placemark = _child(parent, "Placemark")
    _child(placemark, "name", name)
    return placemark


def _child(parent: ElementTree.Element, tag: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    element.text = text
    return element


def read_area(data: bytes) -> GeoPolygon:
    """The outline of the first polygon of a KML or KMZ file, as (lat_deg, lon_deg) corners.

    Raises
    ------
    DecodeError
        The file is neither, holds no polygon, or its coordinates are wrong.
    """
    polygon = next(_named(kml_root(data), "Polygon"), None)
    if polygon is None:
        raise DecodeError("no Polygon in this KML")
    return _outline(polygon)


def read_places(data: bytes, *, path_first: bool = False) -> FilePlaces:
    """The area or the path of a KML or KMZ file; the area where it holds both.

    A path is its one LineString, else its points.  Heights are typed by its altitude mode: above
    the ground, above sea level, or none where it is clamped to the ground.

    path_first : the path where it holds both.

    Raises
    ------
    DecodeError
        There is neither, or the placemark that cannot be used is named.
    """
    root = kml_root(data)
    lines = list(_named(root, "LineString"))
    marks = [mark for mark in _named(root, "Placemark") if is_chance_mark(mark)]
    chances = chances_of_kml(data, "KML") if marks else None
    ours = {part for mark in marks for part in mark.iter()}
    points = [one for one in _named(root, "Point") if one not in ours]
    area = next((one for one in _named(root, "Polygon") if one not in ours), None)
    if area is not None and not (path_first and (lines or points)):
        return FilePlaces(_outline(area), "area", chances=chances)
    if len(lines) > 1:
        raise DecodeError(
            "{count} lines in this KML: keep the one that is to be flown", count=len(lines)
        )
    parts = lines or points
    if not parts:
        raise DecodeError("no Polygon, LineString or Point in this KML")
    modes = {_mode(part) for part in parts}
    if len(modes) > 1:
        raise DecodeError(
            "points of different altitude modes: {modes}", modes=", ".join(sorted(modes))
        )
    rows = [row for part in parts for row in _positions(part)]
    return replace(_path(rows, modes.pop()), chances=chances)


_HEIGHTS: Mapping[str, HeightKind | None] = {
    "relativeToGround": HeightKind.AGL,
    "absolute": HeightKind.AMSL,
    "clampToGround": None,
}


def _mode(part: ElementTree.Element) -> str:
    """The altitude mode; where none is written KML clamps to the ground."""
    mode = next((one.text or "" for one in _named(part, "altitudeMode")), "").strip()
    if mode and mode not in _HEIGHTS:
        raise DecodeError(
            "altitude mode {mode!r} cannot be flown: use {known}",
            mode=mode,
            known=", ".join(_HEIGHTS),
        )
    return mode or "clampToGround"


def _path(rows: list[tuple[float, ...]], mode: str) -> FilePlaces:
    kind = _HEIGHTS[mode]
    places = checked([(row[1], row[0]) for row in rows], "path", at_least=1)
    if kind is None:
        return FilePlaces(places, "path")
    for number, row in enumerate(rows, start=1):
        if len(row) < 3:
            raise DecodeError(
                "place {number} has no height, but the altitude mode is {mode}",
                number=number,
                mode=mode,
            )
        if not math.isfinite(row[2]):
            raise DecodeError(
                "place {number}: height {height} is no number", number=number, height=row[2]
            )
    return FilePlaces(places, "path", kind, tuple(row[2] for row in rows))


def _positions(part: ElementTree.Element) -> list[tuple[float, ...]]:
    text = next((one.text for one in _named(part, "coordinates")), None) or ""
    rows = []
    for number, place in enumerate(text.split(), start=1):
        try:
            row = tuple(float(value) for value in place.split(","))
        except ValueError as error:
            raise DecodeError(
                "coordinates, place {number}: {error}", number=number, error=error
            ) from error
        if len(row) not in (2, 3):
            raise DecodeError(
                "coordinates, place {number}: {place!r} is not lon,lat[,height]",
                number=number,
                place=place,
            )
        rows.append(row)
    return rows


def _named(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    """What lies below an element under a tag of whatever namespace."""
    return (one for one in element.iter() if one.tag.rpartition("}")[2] == tag)


def _outline(polygon: ElementTree.Element) -> GeoPolygon:
    text = next((e.text for e in polygon.iter() if e.tag.rpartition("}")[2] == "coordinates"), None)
    try:
        corners = []
        for place in (text or "").split():
            lon, lat, *_ = place.split(",")
            corners.append((float(lat), float(lon)))
        return outline(corners)
    except (ValueError, InputError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError("coordinates of the polygon: {error}", error=error) from error
