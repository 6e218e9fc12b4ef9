"""Photo stations in front of a wall."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from droneteam.geo import FloatArray


@dataclass(frozen=True, slots=True)
class Station:
    """One photo of a wall: where from, and the point of the wall in its middle.

    place_m, target_m : (2,); height_m : of both, above the foot of the wall.
    """

    place_m: FloatArray
    target_m: FloatArray
    height_m: float


def facade_stations(
    wall_m: FloatArray,
    bottom_m: float,
    top_m: float,
    distance_m: float,
    along_m: float,
    up_m: float,
) -> list[Station]:
    """Rows of stations, lowest first, flown to and fro.

    wall_m : (n, 2) foot of the wall; the vehicle flies on its left side, seen from the first
    corner to the second; along_m, up_m : largest distances between photos.
    """
    rows = max(1, math.ceil((top_m - bottom_m) / up_m - 1e-9) + 1)
    heights = np.linspace(bottom_m, top_m, rows) if rows > 1 else [0.5 * (bottom_m + top_m)]
    row = [
        (foot, foot + distance_m * normal)
        for start, end in itertools.pairwise(wall_m)
        for foot, normal in _feet(start, end, along_m)
    ]
    stations = []
    for index, height in enumerate(heights):
        for foot, place in row if index % 2 == 0 else reversed(row):
            stations.append(Station(place, foot, float(height)))
    return stations


def _feet(
    start: FloatArray, end: FloatArray, along_m: float
) -> list[tuple[FloatArray, FloatArray]]:
    """Evenly spread points of one wall, ends included, and the direction to its left."""
    length_m = float(np.hypot(*(end - start)))
    along = (end - start) / length_m
    left = np.array([-along[1], along[0]])
    count = max(1, math.ceil(length_m / along_m - 1e-9))
    return [(start + share * (end - start), left) for share in np.arange(count + 1) / count]
