"""The names on the built-in map as places that a text can mean."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.geo import great_circle_distance_m
from droneteam.places.gazetteer import Named

_FILE = Path(__file__).parent / "static" / "basemap.geojson"
_LEAST_M = {"town": 1_500.0, "wood": 200.0, "water": 200.0, "road": 200.0}
"""Kind → how far around its place it reaches at least: the map is drawn by hand."""


@cache
def places_of_the_map() -> tuple[Named, ...]:
    """Municipalities, main roads, parks and waters, each with how far it reaches."""
    features = json.loads(_FILE.read_text(encoding="utf-8"))["features"]
    return tuple(_named(one) for one in features if one["properties"].get("kind") in _LEAST_M)


def _named(feature: dict[str, Any]) -> Named:
    kind, name = feature["properties"]["kind"], feature["properties"]["name"]
    french, _, dutch = name.partition(" · ")
    corners = np.array(_flat(feature["geometry"]["coordinates"]), dtype=np.float64)
    middle_lon, middle_lat = corners[np.argmin(np.hypot(*(corners - corners.mean(axis=0)).T))]
    middle = (float(middle_lat), float(middle_lon))
    reach = max(great_circle_distance_m(*middle, lat, lon) for lon, lat in corners)
    radius_m = max(_LEAST_M[kind], reach)
    return Named(french, dutch or french, *middle, radius_m)


def _flat(coordinates: Any) -> list[list[float]]:
    """The [lon, lat] pairs of a geometry's coordinates, however deep."""
    if isinstance(coordinates[0], int | float):
        return [coordinates]
    return [pair for part in coordinates for pair in _flat(part)]
