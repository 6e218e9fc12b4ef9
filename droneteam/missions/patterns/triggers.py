"""Where a camera fires that is triggered by distance, as ArduPilot does it.

DO_SET_CAM_TRIGG_DIST with param3 = 1 takes one photo at once; each further photo is taken when
the straight-line distance to the place of the last one reaches the set distance.
"""

from __future__ import annotations

import itertools

import numpy as np

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
    if discriminant < 0.0:
        return None
    leaving = (-b + float(np.sqrt(discriminant))) / (2.0 * a)
    return leaving if from_fraction <= leaving <= 1.0 else None
