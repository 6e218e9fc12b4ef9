"""GeoJSON (RFC 7946): a plan's area, path and photos out, an area or a path in.

The third number of a position is a height above the ellipsoid (RFC 7946, section 4), which nobody
flies by; heights are read from the properties ``alt_home_m``, ``alt_agl_m`` or ``alt_amsl_m``, as
we write them: a number, or one for each place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from droneteam.errors import DecodeError, plainly
from droneteam.missions.airspace.volumes import Volumes
from droneteam.missions.formats.chancefeatures import chance_features, is_chance
from droneteam.missions.formats.chancemap import read_chance_map
from droneteam.missions.formats.fileplaces import FilePlaces, checked, outline
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.heights import HeightKind
from droneteam.missions.planner.plan import GeoPolygon, MissionPlan


def plan_to_geojson(plan: MissionPlan, volumes: Volumes | None = None) -> dict[str, Any]:
    """A FeatureCollection; heights above take-off are properties, as GeoJSON's are ellipsoidal.

    The volumes follow the photos, each a polygon with its height above the ground.
    """
    ring = [[lon, lat] for lat, lon in (*plan.area, plan.area[0])]
    moves = [item for item in plan.items if item.command is MissionCommand.WAYPOINT]
    path = [[item.lon_deg, item.lat_deg] for item in moves]
    heights = [item.alt_home_m for item in moves]
    features = [
        _feature("Polygon", [ring], {"role": "area"}),
        _feature("LineString", path, {"role": "path", "alt_home_m": heights}),
        _feature("Point", [plan.home.lon_deg, plan.home.lat_deg], {"role": "home"}),
    ]
    for index, photo in enumerate(plan.photo_positions):
        properties = {
            "role": "photo",
            "index": index,
            "alt_home_m": round(photo.alt_home_m, 2),
            "yaw_deg": round(photo.yaw_deg, 1),
            "pitch_deg": round(photo.pitch_deg, 1),
        }
        features.append(_feature("Point", [photo.lon_deg, photo.lat_deg], properties))
    features += _volume_features(volumes)
    features += chance_features(None if plan.search is None else plan.search.chances)
    return {"type": "FeatureCollection", "features": features}


def _volume_features(volumes: Volumes | None) -> list[dict[str, Any]]:
    if volumes is None:
        return []
    tops = (volumes.geography_top_m, volumes.contingency_top_m, 0.0)
    return [
        _feature(
            "Polygon",
            [[[lon, lat] for lat, lon in (*ring, ring[0])]],
            {"role": role, "top_agl_m": round(top_m, 1)},
        )
        for (role, ring), top_m in zip(volumes.named, tops, strict=True)
    ]


def _feature(kind: str, coordinates: object, properties: Mapping[str, Any]) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": dict(properties)}


def read_area(text: str) -> GeoPolygon:
    """The outline of the first polygon in a GeoJSON text, as (lat_deg, lon_deg) corners.

    Raises
    ------
    DecodeError
        There is none, or its coordinates are wrong.
    """
    if len(text) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    try:
        return _area(_document(text))
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError("not a usable GeoJSON: {error}", error=plainly(error)) from error


def _document(text: str) -> Any:
    """The JSON, in WGS84 as the standard wants it."""
    document = json.loads(text)
    crs = document.get("crs") if isinstance(document, dict) else None
    name = str(crs["properties"]["name"]) if crs else "CRS84"
    if not name.upper().endswith(("CRS84", "EPSG::4326", "EPSG:4326")):
        raise DecodeError("coordinates in {name}: export them in WGS84 (EPSG:4326)", name=name)
    return document


def _area(document: Any) -> GeoPolygon:
    polygon = _first_polygon(document)
    if polygon is None:
        raise DecodeError("no Polygon in this GeoJSON")
    return outline([(float(position[1]), float(position[0])) for position in polygon])


def read_places(text: str, *, path_first: bool = False) -> FilePlaces:
    """The area or the path of a GeoJSON text; the area where it holds both.

    A path is its one LineString, else its points of no other role than a photo's.

    path_first : the path where it holds both.

    Raises
    ------
    DecodeError
        There is neither, or its coordinates or heights are wrong.
    """
    if len(text) > MAX_FILE_BYTES:
        raise DecodeError(
            "the file is larger than {limit_mb} MB", limit_mb=MAX_FILE_BYTES // 1_000_000
        )
    try:
        document = _document(text)
        every = list(_features(document))
        features = [one for one in every if not is_chance(one)]
        chances = read_chance_map(text, "GeoJSON") if len(features) < len(every) else None
        lines = [one for one in features if one["geometry"]["type"] == "LineString"]
        points = [one for one in features if _is_stop(one)]
        areas = [one for one in features if _first_polygon(one["geometry"]) is not None]
        if areas and not (path_first and (lines or points)):
            return FilePlaces(_area(areas[0]["geometry"]), "area", chances=chances)
        return replace(_path(lines, points), chances=chances)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError("not a usable GeoJSON: {error}", error=plainly(error)) from error


def _features(node: Any) -> Iterator[Mapping[str, Any]]:
    """Every feature; a bare geometry counts as one without properties."""
    match node["type"]:
        case "FeatureCollection":
            for one in node["features"]:
                yield from _features(one)
        case "Feature":
            if node["geometry"] is not None:
                yield node
        case _:
            yield {"geometry": node, "properties": {}}


def _is_stop(feature: Mapping[str, Any]) -> bool:
    role = (feature.get("properties") or {}).get("role", "photo")
    return bool(feature["geometry"]["type"] == "Point" and role == "photo")


def _path(lines: Sequence[Mapping[str, Any]], points: Sequence[Mapping[str, Any]]) -> FilePlaces:
    if len(lines) > 1:
        raise DecodeError(
            "{count} lines in this GeoJSON: keep the one that is to be flown", count=len(lines)
        )
    if not lines and not points:
        raise DecodeError("no Polygon, LineString or Point in this GeoJSON")
    if lines:
        positions = lines[0]["geometry"]["coordinates"]
        kind, heights = _heights([lines[0]], len(positions))
    else:
        positions = [one["geometry"]["coordinates"] for one in points]
        kind, heights = _heights(points, len(points))
    places = checked([(float(row[1]), float(row[0])) for row in positions], "path", at_least=1)
    ellipsoid = kind is None and any(len(row) > 2 for row in positions)
    return FilePlaces(places, "path", kind, heights, left_out=("ellipsoid",) if ellipsoid else ())


def _heights(
    features: Sequence[Mapping[str, Any]], count: int
) -> tuple[HeightKind | None, tuple[float, ...]]:
    """The heights that properties give, of one kind for the whole path."""
    found: list[tuple[HeightKind, list[float]]] = []
    for feature in features:
        given = feature.get("properties") or {}
        for kind in HeightKind:
            value = given.get(f"alt_{kind.value}_m")
            if value is not None:
                found.append(
                    (kind, [float(v) for v in value] if isinstance(value, list) else [float(value)])
                )
    kinds = {kind for kind, _ in found}
    if not kinds:
        return None, ()
    heights = tuple(height for _, some in found for height in some)
    if len(heights) == 1:
        heights = heights * count
    one, *others = sorted(f"alt_{kind.value}_m" for kind in kinds)
    if others:
        raise DecodeError(
            "{heights} heights ({one} and {other}) for {count} places: one kind, one each",
            heights=len(heights),
            one=one,
            other=others[0],
            count=count,
        )
    if len(heights) != count:
        raise DecodeError(
            "{heights} heights ({one}) for {count} places: one for all or one each",
            heights=len(heights),
            one=one,
            count=count,
        )
    if not all(map(math.isfinite, heights)):
        raise DecodeError("a height of the path is no number")
    return kinds.pop(), heights


def _first_polygon(node: Any) -> Any:
    match node["type"]:
        case "FeatureCollection":
            found = (_first_polygon(feature) for feature in node["features"])
            return next((one for one in found if one is not None), None)
        case "Feature":
            return _first_polygon(node["geometry"])
        case "Polygon":
            return node["coordinates"][0]
        case "MultiPolygon":
            return node["coordinates"][0][0]
    return None
