"""GeoJSON (RFC 7946): a plan's area, path and photos out, an area in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from droneteam.errors import DecodeError
from droneteam.geo import check_lat_lon
from droneteam.missions.formats.missionfile import MAX_FILE_BYTES
from droneteam.missions.items import MissionCommand
from droneteam.missions.plan import GeoPolygon, MissionPlan
from droneteam.missions.volumes import Volumes

MAX_CORNERS = 5000


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
        raise DecodeError(f"the file is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    try:
        polygon = _first_polygon(json.loads(text))
        if polygon is None:
            raise DecodeError("no Polygon in this GeoJSON")
        corners = [(float(position[1]), float(position[0])) for position in polygon]
        return outline(corners)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        if isinstance(error, DecodeError):
            raise
        raise DecodeError(f"not a usable GeoJSON: {error}") from error


def outline(corners: list[tuple[float, float]]) -> GeoPolygon:
    """The corners, checked, without the repeated last one."""
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]
    if not 3 <= len(corners) <= MAX_CORNERS:
        raise DecodeError(f"the polygon has {len(corners)} corners; 3 to {MAX_CORNERS} are allowed")
    for lat_deg, lon_deg in corners:
        check_lat_lon(lat_deg, lon_deg)
    return tuple(corners)


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
