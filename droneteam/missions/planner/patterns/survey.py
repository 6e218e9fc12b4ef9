"""Parallel flight lines over a polygon, flown to and fro."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from droneteam.geo import FloatArray


@dataclass(frozen=True, slots=True)
class LineSpacing:
    """Distances between photos: ``across_m`` between lines, ``along_m`` on a line."""

    across_m: float
    along_m: float


def longest_direction_deg(polygon_m: FloatArray) -> float:
    """Bearing of the long side of the smallest enclosing rectangle: the fewest turns.

    polygon_m : (n, 2) float64, east and north.  Returns degrees in [0, 180).
    """
    rectangle = shapely.minimum_rotated_rectangle(shapely.polygons(polygon_m))
    corners = shapely.get_coordinates(rectangle)
    edges = np.diff(corners, axis=0)
    east, north = edges[np.argmax(np.hypot(edges[:, 0], edges[:, 1]))]
    return math.degrees(math.atan2(east, north)) % 180.0


def survey_lines(
    polygon_m: FloatArray, spacing: LineSpacing, bearing_deg: float, lead: LineSpacing
) -> FloatArray:
    """Flight lines that cover a polygon, in flying order.

    Each line covers the strip of the polygon that is nearest to it and is rounded up to whole
    photo distances, so that photos lie on both ends.  ``lead`` says how far the lines reach
    beyond the polygon, across and along; negative leads stay inside it.

    polygon_m : (n, 2) float64, east and north
    Returns (k, 2, 2): lines × (start, end) × (east, north).
    """
    along, across = _axes(bearing_deg)
    area = shapely.polygons(np.column_stack([polygon_m @ along, polygon_m @ across]))
    _, low, _, high = shapely.bounds(area)
    width_m = high - low + 2.0 * lead.across_m
    n_gaps = max(1, math.ceil(width_m / spacing.across_m - 1e-9))
    offsets = 0.5 * (low + high) + spacing.across_m * (np.arange(n_gaps + 1) - 0.5 * n_gaps)
    starts, ends = _line_extents(area, offsets, spacing, lead.along_m)
    flown_back = np.arange(len(offsets)) % 2 == 1
    first = np.where(flown_back, ends, starts)
    last = np.where(flown_back, starts, ends)
    return np.stack(
        [
            first[:, None] * along + offsets[:, None] * across,
            last[:, None] * along + offsets[:, None] * across,
        ],
        axis=1,
    )


def _axes(bearing_deg: float) -> tuple[FloatArray, FloatArray]:
    bearing = math.radians(bearing_deg)
    along = np.array([math.sin(bearing), math.cos(bearing)])
    return along, np.array([along[1], -along[0]])


def _line_extents(
    area: shapely.Polygon, offsets: FloatArray, spacing: LineSpacing, lead_m: float
) -> tuple[FloatArray, FloatArray]:
    """Where along its direction each line starts and ends."""
    left, low, right, high = shapely.bounds(area)
    half = 0.5 * spacing.across_m
    bottom = np.minimum(offsets - half, high - 1e-6)
    top = np.maximum(offsets + half, low + 1e-6)
    strips = shapely.box(left - 1.0, bottom, right + 1.0, top)
    bounds = shapely.bounds(shapely.intersection(area, strips))
    middle = 0.5 * (bounds[:, 0] + bounds[:, 2])
    wanted = np.maximum(0.0, bounds[:, 2] - bounds[:, 0] + 2.0 * lead_m)
    length = np.maximum(1.0, np.ceil(wanted / spacing.along_m - 1e-9)) * spacing.along_m
    return middle - 0.5 * length, middle + 0.5 * length


def nearest_start_first(lines_m: FloatArray, from_m: FloatArray) -> FloatArray:
    """The same lines in the order and direction whose first point is nearest to a place."""
    options = (
        lines_m,
        lines_m[::-1],
        lines_m[:, ::-1],
        lines_m[::-1, ::-1],
    )
    return min(options, key=lambda lines: float(np.hypot(*(lines[0, 0] - from_m))))


def photos_on_line(line_m: FloatArray, along_m: float) -> FloatArray:
    """(k, 2) positions of the photos on one line of whole photo distances."""
    length = float(np.hypot(*(line_m[1] - line_m[0])))
    count = round(length / along_m)
    fractions = np.arange(count + 1)[:, None] / count
    return np.asarray(line_m[0] + fractions * (line_m[1] - line_m[0]))
