"""Where a camera fires that is triggered by distance, as ArduPilot does it.

DO_SET_CAM_TRIGG_DIST with param3 = 1 takes one photo at once; each further photo is taken when
the straight-line distance to the place of the last one reaches the set distance.
"""

from __future__ import annotations

import itertools

import numpy as np
import shapely
from shapely.ops import substring

from droneteam.geo import FloatArray


def trigger_positions(path_m: FloatArray, distance_m: float) -> tuple[FloatArray, FloatArray]:
    """Places of the photos along a path, and the length flown when each is taken.

    path_m : (n, 2) float64, the corners flown through, in metres
    Returns (k, 2) positions and (k,) lengths along the path in metres; k ≥ 1.
    """
    path_m = np.asarray(path_m, dtype=np.float64)
    photos = [path_m[0]]
    lengths = [0.0]
    flown_m = 0.0
    for start, end in itertools.pairwise(path_m):
        leg_m = float(np.hypot(*(end - start)))
        along = 0.0
        while leg_m > 0.0:
            reached = _next_crossing(start, end, photos[-1], distance_m, along)
            if reached is None:
                break
            along = reached
            photos.append(start + reached * (end - start))
            lengths.append(flown_m + reached * leg_m)
        flown_m += leg_m
    return np.array(photos), np.array(lengths)


def _next_crossing(
    start: FloatArray, end: FloatArray, last: FloatArray, distance_m: float, from_fraction: float
) -> float | None:
    """The first fraction of the leg, from one on, at ``distance_m`` from the last photo."""
    direction = end - start
    offset = start - last
    a = float(direction @ direction)
    b = 2.0 * float(offset @ direction)
    c = float(offset @ offset) - distance_m**2
    discriminant = b * b - 4.0 * a * c
    if a == 0.0 or discriminant < 0.0:  # a leg so short that its square is nothing
        return None
    leaving = (-b + float(np.sqrt(discriminant))) / (2.0 * a)
    return leaving if from_fraction <= leaving <= 1.0 else None


def ended_between_photos(path_m: FloatArray, distance_m: float) -> FloatArray:
    """The path, shortened by less than a photo distance so that no photo is due near its end.

    Otherwise noise in position decides whether the last one is taken.
    """
    _, lengths = trigger_positions(path_m, distance_m)
    total_m = float(np.sum(np.hypot(*np.diff(path_m, axis=0).T)))
    if total_m - lengths[-1] < 0.5 * distance_m and len(lengths) > 1:
        lengths = lengths[:-1]
    return cut_path(path_m, min(total_m, lengths[-1] + 0.5 * distance_m))


def cut_path(path_m: FloatArray, length_m: float) -> FloatArray:
    """The first ``length_m`` of a path."""
    line = shapely.LineString(path_m)
    cut = substring(line, 0.0, min(length_m, line.length))
    return np.asarray(shapely.get_coordinates(cut), dtype=np.float64)
