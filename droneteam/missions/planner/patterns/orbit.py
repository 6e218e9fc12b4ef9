"""One turn around a site with the camera looking at its centre."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from droneteam.geo import FloatArray
from droneteam.missions.planner.patterns.triggers import cut_path, trigger_positions

_LEGS = 24
"""Legs of the turn: at 25 m from the centre a leg is 6 m long and 0.2 m inside its arc."""


@dataclass(frozen=True, slots=True)
class Orbit:
    """A closed turn, not quite flown to its end.

    path_m : (n, 2) corners flown; photos_m : (k, 2); centre_m : (2,) what the camera looks at;
    trigger_m : the camera's trigger distance; height_m : above the ground.
    """

    path_m: FloatArray
    photos_m: FloatArray
    centre_m: FloatArray
    trigger_m: float
    height_m: float


def plan_orbit(
    polygon_m: FloatArray, offset_m: float, n_photos: int, pitch_deg: float, from_m: FloatArray
) -> Orbit:
    """An orbit ``offset_m`` outside the polygon's hull with exactly ``n_photos`` photos.

    The height is the one at which the camera, on average around the turn, looks down by
    ``pitch_deg``.  The turn ends half a photo distance after the last photo, so that noise in
    position neither loses it nor adds one.
    """
    hull = shapely.convex_hull(shapely.polygons(polygon_m))
    centre = shapely.get_coordinates(hull.centroid)[0]
    ring = _ring_from(hull.buffer(offset_m, quad_segs=16).exterior, from_m)
    trigger_m = _trigger_distance(ring, n_photos)
    photos, lengths = trigger_positions(ring, trigger_m)
    photos, lengths = photos[:n_photos], lengths[:n_photos]
    path = cut_path(ring, lengths[-1] + 0.5 * trigger_m)
    mean_distance = float(np.mean(np.hypot(*(photos - centre).T)))
    height = mean_distance * math.tan(math.radians(-pitch_deg))
    return Orbit(path, photos, centre, trigger_m, height)


def _ring_from(exterior: shapely.LinearRing, from_m: FloatArray) -> FloatArray:
    """The ring from its point nearest to a place on, as equally long legs."""
    line = shapely.LineString(shapely.get_coordinates(exterior))
    start = line.project(shapely.Point(from_m))
    steps = np.linspace(0.0, line.length, _LEGS + 1)
    points = shapely.line_interpolate_point(line, (start + steps) % line.length)
    return np.asarray(shapely.get_coordinates(points), dtype=np.float64)


def _trigger_distance(ring: FloatArray, n_photos: int) -> float:
    """The distance whose n-th step, walked around the ring, comes back to the start.

    Bisection: the length needed for n steps grows with the distance.  Rounded down to the
    centimetre that a vehicle stores.
    """
    perimeter = float(np.sum(np.hypot(*np.diff(ring, axis=0).T)))
    low, high = 0.5 * perimeter / n_photos, perimeter / n_photos
    for _ in range(30):
        middle = 0.5 * (low + high)
        _, lengths = trigger_positions(ring, middle)
        low, high = (middle, high) if len(lengths) > n_photos else (low, middle)
    return math.floor(low * 100.0) / 100.0
