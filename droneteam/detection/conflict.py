"""How likely two aircraft come too close, if both hold their course, with how well each is known.

The closest point of approach is that of the means; around it the separation is a normal variable
whose covariance has grown with the time to get there.  Heights count only where both are above the
same reference; where they are not, the conflict says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import chndtr

from droneteam.detection.heights import Frame, Heights, apart_m
from droneteam.detection.motion import INDEX
from droneteam.detection.records import Track

MIN_HORIZON_S, MAX_HORIZON_S = 30.0, 60.0
_DEGREE_M = 111_320.0


@dataclass(frozen=True, slots=True)
class Mover:
    """An aircraft's place and velocity; sigmas per axis."""

    name: str
    lat_deg: float
    lon_deg: float
    east_mps: float
    north_mps: float
    sigma_m: float
    sigma_mps: float
    heights: Heights = field(default_factory=Heights)


@dataclass(frozen=True, slots=True)
class Conflict:
    """The closest approach of two aircraft.

    probability : that they come within the distance asked at that moment. vertical :
    "separated", "close" or "not_comparable". height_frame : the surface above which the heights
    were compared, None where they were not.
    """

    name: str
    in_s: float
    distance_m: float
    probability: float
    vertical: str
    height_frame: Frame | None = None


def mover_of(track: Track) -> Mover:
    """A followed track as a mover."""
    course = math.radians(track.course_deg)
    spread = track.covariance
    rate_variance = 9.0 if spread is None else (spread[INDEX[2, 2]] + spread[INDEX[3, 3]]) / 2.0
    return Mover(
        name=track.uas_id or f"#{track.id}",
        lat_deg=track.lat_deg,
        lon_deg=track.lon_deg,
        east_mps=track.speed_mps * math.sin(course),
        north_mps=track.speed_mps * math.cos(course),
        sigma_m=track.sigma_m,
        sigma_mps=math.sqrt(max(rate_variance, 0.0)),
        heights=Heights(track.alt_ellipsoid_m, alt_pressure_m=track.alt_pressure_m),
    )


def closest(
    ours: Mover,
    other: Mover,
    *,
    within_m: float,
    vertical_m: float,
    horizon_s: float,
    geoid_m: float | None = None,
) -> Conflict:
    """The closest approach within the horizon; geoid_m as in `Heights.ellipsoid_m`."""
    scale = math.cos(math.radians(ours.lat_deg))
    turn_deg = (other.lon_deg - ours.lon_deg + 180.0) % 360.0 - 180.0
    east_m = turn_deg * _DEGREE_M * scale
    north_m = (other.lat_deg - ours.lat_deg) * _DEGREE_M
    east_mps, north_mps = other.east_mps - ours.east_mps, other.north_mps - ours.north_mps
    closing = east_mps**2 + north_mps**2
    in_s = 0.0 if closing < 1e-9 else -(east_m * east_mps + north_m * north_mps) / closing
    in_s = max(0.0, min(horizon_s, in_s))
    distance_m = math.hypot(east_m + east_mps * in_s, north_m + north_mps * in_s)
    variance = ours.sigma_m**2 + other.sigma_m**2
    variance += (ours.sigma_mps**2 + other.sigma_mps**2) * in_s**2
    vertical, frame = _vertical(ours, other, vertical_m, geoid_m)
    probability = 0.0
    if vertical != "separated":
        probability = within_probability(distance_m, math.sqrt(variance), within_m)
    return Conflict(other.name, in_s, distance_m, probability, vertical, frame)


def _vertical(
    ours: Mover, other: Mover, vertical_m: float, geoid_m: float | None
) -> tuple[str, Frame | None]:
    found = apart_m(ours.heights, other.heights, geoid_m)
    if found is None:
        return "not_comparable", None
    height_m, frame = found
    return ("separated" if height_m > vertical_m else "close"), frame


def within_probability(distance_m: float, sigma_m: float, within_m: float) -> float:
    """That a circular normal, its mean at a distance, falls within a radius (non-central chi²)."""
    sigma_m = max(sigma_m, 1e-3)
    value = chndtr((within_m / sigma_m) ** 2, 2.0, (distance_m / sigma_m) ** 2)
    # Far out the series underflows to nothing.
    return float(np.nan_to_num(value, nan=0.0 if distance_m > within_m else 1.0))
