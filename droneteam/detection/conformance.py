"""Whether a registered flight keeps to its volume: the states of ASTM F3548-21 (4.3.4, 5.4).

accepted -> activated -> nonconforming -> contingent -> ended.  An excursion counts when the track
is probably outside (its covariance says how probably), and only after it has lasted; a return
counts likewise, with a higher probability, so that a track at the edge does not flutter.
A nonconforming flight that stays out for too long, or leaves the contingency volume, is contingent
and stays so: the standard lets it come back only by a new plan.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import shapely
from scipy.special import ndtr, ndtri

from droneteam.detection.motion import INDEX, FloatArray
from droneteam.detection.records import Track

State = Literal["accepted", "activated", "nonconforming", "contingent", "ended"]

_DEGREE_M = 111_320.0
_N_POINTS = 512


def _even_normal() -> FloatArray:
    """(2, n) of a standard normal: the R2 sequence (Roberts 2018), even in two dimensions."""
    steps = np.array([[0.7548776662466927], [0.5698402909980532]])
    uniform = np.mod(0.5 + steps * np.arange(_N_POINTS), 1.0)
    return np.asarray(ndtri(uniform.clip(1e-6, 1.0 - 1e-6)))


_NORMAL = _even_normal()


@dataclass(frozen=True, slots=True)
class Volume:
    """Where and when a flight may be, and the volumes around it.

    corners : (lat_deg, lon_deg) of the flight geography; contingency_m and buffer_m : how far the
    contingency volume reaches beyond it, and the ground-risk buffer beyond that; max_height_m :
    above take-off.
    """

    corners: tuple[tuple[float, float], ...]
    starts_at: datetime
    ends_at: datetime
    max_height_m: float | None = None
    contingency_m: float = 30.0
    buffer_m: float = 50.0


@dataclass(frozen=True, slots=True)
class ConformanceRules:
    """Limits; each is a setting of the installation."""

    leave_below: float = 0.05
    """A track whose probability of containment is less is outside."""
    return_above: float = 0.5
    excursion_s: float = 5.0
    return_s: float = 10.0
    contingent_after_s: float = 60.0
    time_grace_s: float = 300.0
    vertical_sigma_m: float = 5.0
    """For a height whose accuracy is not stated."""


@dataclass(frozen=True, slots=True)
class Conformance:
    """The state, since when, and how probably the track is in each volume (inside out)."""

    state: State
    since: datetime
    inside: tuple[float, float, float] = (1.0, 1.0, 1.0)
    outside_since: datetime | None = None
    inside_since: datetime | None = None


def accepted(at: datetime) -> Conformance:
    """A flight that is known and has not been seen."""
    return Conformance("accepted", at)


def step(before: Conformance, track: Track, volume: Volume, rules: ConformanceRules) -> Conformance:
    """The state after the track's last message."""
    at = track.last_at
    if before.state == "ended":
        return before
    inside = containment(track, volume, rules)
    grace = timedelta(seconds=rules.time_grace_s)
    in_time = volume.starts_at - grace <= at <= volume.ends_at + grace
    out = inside[0] < rules.leave_below or not in_time
    back = inside[0] >= rules.return_above and in_time
    now = replace(
        before,
        inside=inside,
        outside_since=(before.outside_since or at) if out else None,
        inside_since=(before.inside_since or at) if back else None,
    )
    state = _next(now, at, rules)
    return now if state == before.state else replace(now, state=state, since=at)


def _next(now: Conformance, at: datetime, rules: ConformanceRules) -> State:
    def lasted(since: datetime | None, limit_s: float) -> bool:
        return since is not None and (at - since).total_seconds() >= limit_s

    left = lasted(now.outside_since, rules.excursion_s)
    match now.state:
        case "accepted" | "activated":
            if left:
                return "nonconforming"
            return "activated" if now.inside_since is not None else now.state
        case "nonconforming":
            beyond = left and now.inside[1] < rules.leave_below
            if beyond or lasted(now.outside_since, rules.contingent_after_s):
                return "contingent"
            return "activated" if lasted(now.inside_since, rules.return_s) else now.state
    return now.state


def end(before: Conformance, at: datetime) -> Conformance:
    """The flight is over: its track ended."""
    return before if before.state == "ended" else replace(before, state="ended", since=at)


def containment(
    track: Track, volume: Volume, rules: ConformanceRules
) -> tuple[float, float, float]:
    """How probably the track is in the flight geography, contingency volume and buffer."""
    high = _below(track, volume, rules)
    if len(volume.corners) < 3:
        return high, high, high
    points_m = cloud_m(track)
    corners_m = local_m(volume.corners, track)
    polygon = shapely.make_valid(shapely.Polygon(corners_m))
    reaches = (0.0, volume.contingency_m, volume.contingency_m + volume.buffer_m)
    # Distances to one polygon give all three, nested by construction.
    away_m = shapely.distance(polygon, shapely.points(points_m.T))
    first, second, third = (float(np.mean(away_m <= reach_m)) * high for reach_m in reaches)
    return first, second, third


def _below(track: Track, volume: Volume, rules: ConformanceRules) -> float:
    """That the height is within its limit; 1 where either is not known."""
    if track.height_m is None or volume.max_height_m is None:
        return 1.0
    bound = track.vertical_accuracy_m
    sigma_m = rules.vertical_sigma_m if bound is None else bound / 1.96
    return float(ndtr((volume.max_height_m - track.height_m) / sigma_m))


def cloud_m(track: Track) -> FloatArray:
    """(2, n) metres east and north of the track, spread evenly over its distribution."""
    if track.covariance is None:
        return np.asarray(_NORMAL * track.sigma_m)
    ee, en, nn = (track.covariance[INDEX[a, b]] for a, b in ((0, 0), (0, 1), (1, 1)))
    root = np.linalg.cholesky(np.array([[ee, en], [en, nn]]) + 1e-9 * np.eye(2))
    return np.asarray(root @ _NORMAL)


def local_m(corners: Sequence[tuple[float, float]], track: Track) -> list[tuple[float, float]]:
    """Corners in metres east and north of the track."""
    scale = math.cos(math.radians(track.lat_deg))
    return [
        (
            ((lon - track.lon_deg + 180.0) % 360.0 - 180.0) * _DEGREE_M * scale,
            (lat - track.lat_deg) * _DEGREE_M,
        )
        for lat, lon in corners
    ]
