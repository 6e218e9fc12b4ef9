"""A probability map as features of a GeoJSON or KML file that holds other things as well.

Each feature has the property ``role`` with the value ``chance``: an area with its chance, a point
with its rings, or the whole extent of a grid with the grid beside it.  Other programs show where
the chances lie; `chancemap.py` reads the same map again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from droneteam.errors import DecodeError
from droneteam.missions.planner.chances import ChanceGrid, ChanceMap, Ring

ROLE = "chance"
_LISTS = ("within_m", "shares")
_Feature = dict[str, Any]


def chance_features(chances: ChanceMap | None) -> list[_Feature]:
    """The map's features in GeoJSON; none where there is no map."""
    if chances is None:
        return []
    common = {"role": ROLE, "source": chances.source}
    if chances.rings is not None:
        rings = chances.rings
        about = {"within_m": list(rings.within_m), "shares": list(rings.shares)}
        properties = {**common, **about, "category": rings.category}
        return [_feature("Point", [rings.place[1], rings.place[0]], properties)]
    if chances.grid is not None:
        more: dict[str, Any] = {"chance": chances.total, "grid": asdict(chances.grid)}
        return [_feature("Polygon", [_closed(_extent(chances.grid))], {**common, **more})]
    return [
        _feature(
            "Polygon",
            [_closed(ring) for ring in (area.outline, *area.holes)],
            {**common, "name": area.name, "chance": area.chance},
        )
        for area in chances.areas
    ]


def is_chance(feature: Mapping[str, Any]) -> bool:
    """Whether a feature is a part of a probability map, by its role."""
    return (feature.get("properties") or {}).get("role") == ROLE


def _feature(kind: str, coordinates: object, properties: Mapping[str, Any]) -> _Feature:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": dict(properties)}


def _closed(ring: Ring) -> list[list[float]]:
    return [[lon, lat] for lat, lon in (*ring, ring[0])]


def _extent(grid: ChanceGrid) -> Ring:
    south, west = grid.south_deg, grid.west_deg
    north = south + grid.rows * grid.cell_lat_deg
    east = west + grid.columns * grid.cell_lon_deg
    return ((south, west), (south, east), (north, east), (north, west))


# KML


def add_placemarks(parent: ElementTree.Element, features: list[_Feature], namespace: str) -> None:
    """The features as placemarks with extended data, below a document or folder."""

    def child(above: ElementTree.Element, tag: str, text: str | None = None) -> ElementTree.Element:
        made = ElementTree.SubElement(above, f"{{{namespace}}}{tag}")
        made.text = text
        return made

    for feature in features:
        mark, properties = child(parent, "Placemark"), feature["properties"]
        child(mark, "name", str(properties.get("name") or properties["source"]))
        extended = child(mark, "ExtendedData")
        for name, value in properties.items():
            data = child(extended, "Data")
            data.set("name", name)
            child(data, "value", value if isinstance(value, str) else json.dumps(value))
        geometry = feature["geometry"]
        if geometry["type"] == "Point":
            child(child(mark, "Point"), "coordinates", _written([geometry["coordinates"]]))
            continue
        polygon = child(mark, "Polygon")
        for number, ring in enumerate(geometry["coordinates"]):
            edge = child(polygon, "innerBoundaryIs" if number else "outerBoundaryIs")
            child(child(edge, "LinearRing"), "coordinates", _written(ring))


def _written(positions: list[list[float]]) -> str:
    return " ".join(f"{lon!r},{lat!r}" for lon, lat in positions)


def features_of_kml(root: ElementTree.Element) -> list[_Feature]:
    """The placemarks that say a weight or rings, as GeoJSON; coordinates stay lon, lat.

    Raises
    ------
    DecodeError
        Coordinates are no numbers.
    """
    found = []
    for mark in _named(root, "Placemark"):
        properties = _extended(mark)
        if not properties:
            continue
        name = next((one.text for one in mark if _tag(one) == "name"), None)
        properties.setdefault("name", name)
        polygons = [_polygon(one) for one in _named(mark, "Polygon")]
        if polygons:
            found.append(_feature("MultiPolygon", polygons, properties))
        elif point := next(_named(mark, "Point"), None):
            found.append(_feature("Point", _coordinates(point)[0], properties))
    return found


def is_chance_mark(mark: ElementTree.Element) -> bool:
    """Whether a placemark is a part of a probability map, by its role."""
    return _extended(mark).get("role") == ROLE


def _extended(mark: ElementTree.Element) -> dict[str, Any]:
    """The placemark's extended data: plain (Data) or of a schema (SimpleData)."""
    found: dict[str, Any] = {}
    for data in _named(mark, "Data"):
        value = next((one.text for one in _named(data, "value")), None)
        found[data.get("name", "")] = value
    for data in _named(mark, "SimpleData"):
        found[data.get("name", "")] = data.text
    for name in (*_LISTS, "grid"):
        if found.get(name):
            found[name] = json.loads(found[name])
    return found


def _polygon(polygon: ElementTree.Element) -> list[list[list[float]]]:
    outer = [_coordinates(one) for one in _named(polygon, "outerBoundaryIs")]
    return outer + [_coordinates(one) for one in _named(polygon, "innerBoundaryIs")]


def _coordinates(element: ElementTree.Element) -> list[list[float]]:
    text = next((one.text for one in _named(element, "coordinates")), None) or ""
    try:
        rows = [[float(value) for value in place.split(",")] for place in text.split()]
    except ValueError as error:
        raise DecodeError("coordinates of the polygon: {error}", error=error) from error
    if not rows or any(len(row) < 2 for row in rows):
        raise DecodeError("coordinates of the polygon: {error}", error=text.strip()[:80])
    return rows


def _named(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (one for one in element.iter() if _tag(one) == tag)


def _tag(element: ElementTree.Element) -> str:
    return str(element.tag).rpartition("}")[2]
