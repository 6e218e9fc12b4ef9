"""Probability maps in and out: our own JSON, and GeoJSON and KML as search programs write them.

GeoJSON: polygons with a weight (a property ``chance``, ``poa``, ``probability`` or ``weight``), or
one point with the distances of its rings (``within_m``, with ``shares`` beside them, or a
``category`` of `lostpersons.py`).  Weights that add up to one at most are chances and leave the
rest outside the map; larger ones are shares of one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from droneteam.errors import DecodeError, InputError, plainly
from droneteam.missions.formats.chancefeatures import features_of_kml, is_chance
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.formats.unpacking import kml_root
from droneteam.missions.planner.chances import (
    FOUND_WITHIN,
    ChanceGrid,
    ChanceMap,
    DistanceRings,
    Ring,
    WeightedArea,
    weighted,
)
from droneteam.missions.planner.lostpersons import CATEGORIES

WEIGHTS = ("chance", "poa", "probability", "weight")
_NAMES = ("name", "title", "id")
_GeoArea = tuple[str, float, Ring, tuple[Ring, ...]]


def chance_map_to_json(chances: ChanceMap) -> dict[str, Any]:
    """Our own form: the map's fields as they are."""
    document: dict[str, Any] = json.loads(json.dumps(asdict(chances)))
    return document


def chance_map_from_json(document: Mapping[str, Any]) -> ChanceMap:
    """The map of `chance_map_to_json`.

    Raises
    ------
    InputError
        A part is out of its range; the message names it.
    DecodeError
        It has not that form.
    """
    try:
        rings, grid = document.get("rings"), document.get("grid")
        return ChanceMap(
            str(document["source"]),
            tuple(
                WeightedArea(
                    str(area["name"]),
                    float(area["chance"]),
                    _pairs(area["outline"]),
                    tuple(_pairs(hole) for hole in area.get("holes") or ()),
                )
                for area in document.get("areas") or ()
            ),
            None if rings is None else _rings(rings),
            None if grid is None else _grid(grid),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, InputError | DecodeError):
            raise
        raise DecodeError("not a probability map: {error}", error=plainly(error)) from error


def _pairs(rows: Any) -> Ring:
    return tuple((float(lat), float(lon)) for lat, lon in rows)


def _rings(document: Mapping[str, Any]) -> DistanceRings:
    lat, lon = document["place"]
    return DistanceRings(
        (float(lat), float(lon)),
        tuple(float(value) for value in document["within_m"]),
        tuple(float(value) for value in document.get("shares") or FOUND_WITHIN),
        str(document.get("category", "")),
    )


def _grid(document: Mapping[str, Any]) -> ChanceGrid:
    names = ("south_deg", "west_deg", "cell_lat_deg", "cell_lon_deg")
    south, west, high, wide = (float(document[name]) for name in names)
    chance = tuple(float(value) for value in document["chance"])
    return ChanceGrid(south, west, high, wide, int(document["columns"]), chance)


def read_chance_map(text: str, source: str) -> ChanceMap:
    """The map in a text of either form; source : what it is called where it does not say itself.

    Raises
    ------
    DecodeError
        It is neither, or the feature that cannot be used is named.
    """
    if len(text) > MAX_FILE_BYTES:
        raise DecodeError(
            "the map is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError("the probability map is not JSON: {error}", error=error) from error
    if not isinstance(document, dict):
        raise DecodeError("the probability map is no JSON object")
    try:
        if "type" in document:
            return _from_geojson(document, source)
        return chance_map_from_json(document)
    except InputError as error:
        raise DecodeError("probability map: {error}", error=error) from error


def _from_geojson(document: Mapping[str, Any], source: str) -> ChanceMap:
    features = document.get("features")
    if document["type"] != "FeatureCollection" or not isinstance(features, list):
        raise DecodeError("the probability map is no GeoJSON FeatureCollection")
    numbered = list(enumerate(features, start=1))
    # A file of a whole mission holds its map among other things.
    ours = [(number, one) for number, one in numbered if isinstance(one, dict) and is_chance(one)]
    points, areas = [], list[_GeoArea]()
    for number, feature in ours or numbered:
        try:
            kind = feature["geometry"]["type"]
            if ours and feature["properties"].get("grid") is not None:
                return ChanceMap(_source(ours, source), grid=_grid(feature["properties"]["grid"]))
            if kind == "Point":
                points.append(_rings_of(feature))
            elif kind in ("Polygon", "MultiPolygon"):
                areas += _areas_of(feature, number)
            else:
                raise DecodeError("a {kind} is no part of a probability map", kind=kind)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DecodeError(
                "feature {number}: {error}", number=number, error=plainly(error)
            ) from error
    if len(points) > 1 or (points and areas):
        raise DecodeError("a probability map has one point with its rings, or areas; not both")
    source = _source(ours, source)
    return ChanceMap(source, rings=points[0]) if points else weighted(areas, source)


def _source(ours: list[tuple[int, Any]], otherwise: str) -> str:
    """What our own features call their map."""
    return str(ours[0][1]["properties"].get("source") or otherwise) if ours else otherwise


def chances_of_kml(data: bytes, source: str) -> ChanceMap:
    """The map in the placemarks of a KML or KMZ that say a weight or rings in extended data.

    Raises
    ------
    DecodeError
        There is none, or the placemark that cannot be used is named.
    """
    try:
        features = features_of_kml(kml_root(data))
    except ValueError as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError("not a probability map: {error}", error=error) from error
    known = [one for one in features if {*WEIGHTS, "within_m", "category"} & {*one["properties"]}]
    if not known:
        raise DecodeError("no placemark of this KML says a weight in its extended data")
    return read_chance_map(json.dumps({"type": "FeatureCollection", "features": known}), source)


def _rings_of(feature: Mapping[str, Any]) -> DistanceRings:
    lon, lat, *_ = feature["geometry"]["coordinates"]
    given = feature.get("properties") or {}
    category = str(given.get("category", ""))
    within = given.get("within_m")
    if within is None:
        if category not in CATEGORIES:
            known = ", ".join(CATEGORIES)
            raise DecodeError("the point has no within_m, and no category of {known}", known=known)
        within = CATEGORIES[category].within_m
    return _rings({**given, "place": (lat, lon), "within_m": within, "category": category})


def _areas_of(feature: Mapping[str, Any], number: int) -> list[_GeoArea]:
    """The polygons of a feature; several share its weight by their size on the map."""
    given = feature.get("properties") or {}
    weight = next((given[name] for name in WEIGHTS if given.get(name) is not None), None)
    if weight is None or isinstance(weight, bool):
        raise DecodeError(
            "no weight: give it one of the properties {known}", known=", ".join(WEIGHTS)
        )
    name = str(next((given[key] for key in _NAMES if given.get(key)), f"area {number}"))
    geometry = feature["geometry"]
    parts = geometry["coordinates"]
    polygons = [parts] if geometry["type"] == "Polygon" else list(parts)
    sizes = [_size(polygon[0]) for polygon in polygons]
    total = sum(sizes)
    if not total > 0.0:
        raise DecodeError("the area is empty")
    return [
        (name, float(weight) * size / total, _ring(polygon[0]), tuple(map(_ring, polygon[1:])))
        for polygon, size in zip(polygons, sizes, strict=True)
    ]


def _ring(positions: Any) -> Ring:
    places = tuple((float(position[1]), float(position[0])) for position in positions)
    return places[:-1] if len(places) > 1 and places[0] == places[-1] else places


def _size(positions: Any) -> float:
    """The size of a ring in square degrees: enough to share a weight between neighbours."""
    ring = _ring(positions)
    ends = zip(ring, (*ring[1:], ring[0]), strict=True)
    return abs(sum(a[1] * b[0] - b[1] * a[0] for a, b in ends)) / 2.0
