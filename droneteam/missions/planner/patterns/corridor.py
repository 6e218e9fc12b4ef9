"""Flight lines along a road, a railway or a river bank."""

from __future__ import annotations

import itertools
import math

import numpy as np
import shapely

from droneteam.geo import FloatArray

SHARP_DEG = 25.0
"""Bends sharper than this are flown as two lines that overshoot."""


def corridor_area(axis_m: FloatArray, width_m: float) -> shapely.Polygon:
    """The ground within half a width of an axis, its ends cut square.

    axis_m : (n, 2) float64, n ≥ 2
    """
    strip = shapely.LineString(axis_m).buffer(0.5 * width_m, cap_style="flat", join_style="mitre")
    return strip if strip.geom_type == "Polygon" else shapely.convex_hull(strip)


def corridor_lines(
    axis_m: FloatArray, width_m: float, across_m: float, lead_m: float
) -> list[FloatArray]:
    """Lines side by side along the axis, flown to and fro, that cover its width.

    across_m : largest distance between lines; lead_m : how far each line reaches beyond both
    ends of the axis, and past its sharp bends, whose outer corner lies in few photos otherwise.
    Returns paths of (k, 2), one for each side and each stretch between sharp bends.
    """
    count = max(1, math.ceil(width_m / across_m - 1e-9))
    offsets = width_m * ((np.arange(count) + 0.5) / count - 0.5)
    stretches = [lengthened(stretch, lead_m) for stretch in _stretches(axis_m)]
    lines: list[FloatArray] = []
    for index, offset in enumerate(offsets):
        beside = [_beside(stretch, float(offset)) for stretch in stretches]
        lines += beside if index % 2 == 0 else [line[::-1] for line in reversed(beside)]
    return lines


def _stretches(axis_m: FloatArray) -> list[FloatArray]:
    """The axis, divided at its sharp bends."""
    legs = np.diff(axis_m, axis=0)
    legs = legs / np.hypot(*legs.T)[:, None]
    turning = np.einsum("ij,ij->i", legs[:-1], legs[1:])
    sharp = np.nonzero(turning < math.cos(math.radians(SHARP_DEG)))[0] + 1
    bounds = [0, *sharp.tolist(), len(axis_m) - 1]
    return [axis_m[first : last + 1] for first, last in itertools.pairwise(bounds)]


def lengthened(path_m: FloatArray, lead_m: float) -> FloatArray:
    """The path, with its first and last leg made longer by ``lead_m``."""
    first = path_m[0] - path_m[1]
    last = path_m[-1] - path_m[-2]
    start = path_m[0] + lead_m * first / np.hypot(*first)
    end = path_m[-1] + lead_m * last / np.hypot(*last)
    return np.vstack([start, path_m[1:-1], end])


def _beside(path_m: FloatArray, offset_m: float) -> FloatArray:
    """The path moved to its left (positive) or right, corners mitred, in the same direction."""
    if offset_m == 0.0:
        return path_m
    line = shapely.LineString(path_m).offset_curve(offset_m, join_style="mitre", mitre_limit=2.0)
    if line.geom_type != "LineString" or line.is_empty:
        line = shapely.LineString(path_m)  # too sharp a bend for its width: fly on the axis
    corners = np.asarray(shapely.get_coordinates(line))
    along = path_m[-1] - path_m[0]
    return corners if (corners[-1] - corners[0]) @ along >= 0.0 else corners[::-1]
