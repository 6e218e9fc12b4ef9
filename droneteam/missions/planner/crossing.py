"""Whether two planned flights may meet, whenever each takes off in its own time (pure).

Pilots of different requests agree on nothing, so that every pair of take-off times which both
assignments allow is looked at, not only a start at the same moment.  A place of one flight and a
place of the other conflict when they are near each other and some allowed pair of take-off times
brings both drones there at one instant: place, height and time together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import shapely
from scipy.spatial import cKDTree

from droneteam.geo import EnuFrame, FloatArray, GeoPoint
from droneteam.missions.planner.plan import MissionPlan
from droneteam.missions.planner.route import LatLon
from droneteam.missions.planner.sharing import timed_track

STEP_M = 3.0
STEP_S = 10.0
OFF_GROUND_M = 2.0
"""Lower, a drone stands or lands: pads are kept apart by eye."""


@dataclass(frozen=True, slots=True)
class Sortie:
    """A planned flight of somebody: its mission's number, drone, and when it may take off.

    contingency : the outline that it stays in whatever happens, None where it has no volumes.
    """

    mission_id: int
    drone_name: str
    plan: MissionPlan
    start_at: datetime
    end_at: datetime
    contingency: tuple[LatLon, ...] | None = None


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where two flights come nearest: on the first one's way, and when the second takes off.

    delay_s : of the second's take-off after the first's, negative for before.
    """

    distance_m: float
    lat_deg: float
    lon_deg: float
    alt_home_m: float
    delay_s: float


def may_overlap(one: Sortie, other: Sortie) -> bool:
    """Whether both may be in the air at one time."""
    ends = [each.end_at + timedelta(seconds=each.plan.duration_s) for each in (one, other)]
    return one.start_at < ends[1] and other.start_at < ends[0]


def volumes_touch(one: Sortie, other: Sortie) -> bool:
    """Whether the outlines meet; flights without volumes are looked at in any case."""
    if one.contingency is None or other.contingency is None:
        return True
    lat, lon = one.contingency[0]
    frame = EnuFrame(GeoPoint(lat, lon))
    first, second = (_outline(ring, frame) for ring in (one.contingency, other.contingency))
    return bool(first.intersects(second))


def _outline(ring: Sequence[LatLon], frame: EnuFrame) -> shapely.Geometry:
    geodetic = np.column_stack([np.array(ring), np.zeros(len(ring))])
    return shapely.make_valid(shapely.Polygon(frame.enu_from_geodetic(geodetic)[:, :2]))


def crossing(one: Sortie, other: Sortie, within_m: float) -> Crossing | None:
    """The nearest that two flights may come; None where they always keep the distance.

    Heights count only where both take-off points' heights above sea level are known:
    a difference that nobody measured parts no drones.
    """
    if not may_overlap(one, other) or not volumes_touch(one, other):
        return None
    origin = one.plan.home
    first = _places(timed_track(one.plan.items, origin, 0.0, origin))
    home = other.plan.home
    rise_m = home.rise_from_m(origin)
    second = _places(timed_track(other.plan.items, home, 0.0, origin), rise_m or 0.0)
    if len(first) == 0 or len(second) == 0:
        return None
    axes = [1, 2] if rise_m is None else [1, 2, 3]
    return _nearest(one, other, first, second, axes, within_m)


def _nearest(
    one: Sortie,
    other: Sortie,
    first: FloatArray,
    second: FloatArray,
    axes: list[int],
    within_m: float,
) -> Crossing | None:
    """The nearest pair of places that some allowed take-off times bring together."""
    earliest = (other.start_at - one.end_at).total_seconds()
    latest = (other.end_at - one.start_at).total_seconds()
    pairs = cKDTree(first[:, axes]).sparse_distance_matrix(
        cKDTree(second[:, axes]), within_m + STEP_M, output_type="ndarray"
    )
    delay_s = first[pairs["i"], 0] - second[pairs["j"], 0]
    pairs = pairs[(delay_s >= earliest - STEP_S) & (delay_s <= latest + STEP_S)]
    if len(pairs) == 0:
        return None
    best = pairs[int(np.argmin(pairs["v"]))]
    distance_m = max(0.0, float(best["v"]) - STEP_M)
    if distance_m >= within_m:
        return None
    at_s, east, north, up = first[best["i"]].tolist()
    frame = EnuFrame(GeoPoint(one.plan.home.lat_deg, one.plan.home.lon_deg))
    lat, lon = frame.geodetic_from_enu(np.array([east, north, 0.0]))[:2].tolist()
    return Crossing(distance_m, lat, lon, up, at_s - float(second[best["j"], 0]))


def _places(track: FloatArray, ground_m: float = 0.0) -> FloatArray:
    """(n, 4) seconds, east, north and up of a track, near enough to each other, off the ground."""
    moved = np.linalg.norm(np.diff(track[:, 1:], axis=0), axis=1)
    lasted = np.diff(track[:, 0])
    parts = np.maximum(1, np.ceil(np.maximum(moved / STEP_M, lasted / STEP_S))).astype(int)
    found = [
        start + (end - start) * (np.arange(count) / count)[:, None]
        for start, end, count in zip(track[:-1], track[1:], parts.tolist(), strict=True)
    ]
    rows = np.vstack([*found, track[-1:]])
    return np.asarray(rows[rows[:, 3] - ground_m > OFF_GROUND_M])
