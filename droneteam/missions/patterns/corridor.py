"""Flight lines along a road, a railway or a river bank."""

from __future__ import annotations

import math

import numpy as np
import shapely

from droneteam.geo import FloatArray


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
    ends of the axis.
    Returns paths of (k, 2); two at least where the corridor is wider than one spacing.
    """
    count = max(1, math.ceil(width_m / across_m - 1e-9))
    offsets = width_m * ((np.arange(count) + 0.5) / count - 0.5)
    longer = lengthened(axis_m, lead_m)
    lines = [_beside(longer, float(offset)) for offset in offsets]
    return [line if index % 2 == 0 else line[::-1] for index, line in enumerate(lines)]


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
