"""Location messages and identified plots as one kind of reading, ready for a tracker.

A reading's accuracy becomes a variance here: a stated 95 % bound is divided by RAYLEIGH_95, and
one that is not stated counts as wide.  A speed without a direction is not a velocity.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from droneteam.detection import batch, rid
from droneteam.detection.motion import FloatArray
from droneteam.detection.records import RAYLEIGH_95, Plot

UNKNOWN_SIGMA_M = 15.0
"""For a message that states no accuracy: half of class 9's 30 m."""
UNKNOWN_SPEED_SIGMA_MPS = 3.0
PLOT_SPEED_SIGMA_MPS = 2.0
LATITUDE, LONGITUDE = 1, 2
FILTERED = slice(1, 7)
"""Of a Reading's fields, what a filter needs: lat_deg to variance_m2_s2."""
KeyArray = NDArray[np.uint64]
_KEY_FACTORS = np.array(
    [[0x9E3779B97F4A7C15], [0xC2B2AE3D27D4EB4F], [0x165667B19E3779F9]], np.uint64
)


class Reading(NamedTuple):
    """One position; NaN where a value is unknown. Copies of it share its first three values."""

    second_of_hour_s: float
    lat_deg: float
    lon_deg: float
    east_mps: float
    north_mps: float
    variance_m2: float
    variance_m2_s2: float
    status: int
    alt_ellipsoid_m: float
    alt_pressure_m: float
    height_m: float
    height_reference: int
    vertical_accuracy_m: float


N_READING = len(Reading._fields)


def of_locations(found: batch.Locations) -> FloatArray:
    """(n, N_READING): a Reading's fields per location message; its position may be NaN."""
    course = np.radians(found.direction_deg)
    east_mps, north_mps = found.speed_mps * np.sin(course), found.speed_mps * np.cos(course)
    moving = np.isfinite(east_mps)
    place_m = _sigma(found.horizontal_accuracy_m, UNKNOWN_SIGMA_M)
    speed_mps = _sigma(found.speed_accuracy_mps, UNKNOWN_SPEED_SIGMA_MPS)
    columns = (
        *(found.second_of_hour_s, found.lat_deg, found.lon_deg),
        *(np.where(moving, east_mps, 0.0), np.where(moving, north_mps, 0.0)),
        *(place_m**2, np.where(moving, speed_mps**2, np.inf)),
        *(found.status, found.alt_ellipsoid_m, found.alt_pressure_m, found.height_m),
        *(found.height_reference, found.vertical_accuracy_m),
    )
    return np.stack(columns, axis=1)


def keys(readings: FloatArray) -> KeyArray:
    """(n,) the same number for copies of a position; 0 where it has no time.

    A message without a time is never a copy: a hovering drone repeats itself rightfully.
    """
    bits = np.ascontiguousarray(readings[:, :3].T).view(np.uint64) * _KEY_FACTORS
    mixed = bits[0] ^ (bits[1] >> np.uint64(7)) ^ (bits[2] >> np.uint64(19)) ^ bits[1] ^ bits[2]
    known = ~np.isnan(readings[:, 0])
    return np.where(known, np.maximum(mixed, np.uint64(1)), np.uint64(0))


def _sigma(bound_95: FloatArray, unknown: float) -> FloatArray:
    return np.where(np.isfinite(bound_95), bound_95 / RAYLEIGH_95, unknown)


def of_plot(plot: Plot) -> Reading:
    """The reading of a plot that tells who it saw."""
    east_mps, north_mps = velocity(plot)
    moving = math.isfinite(east_mps)
    return Reading(
        second_of_hour_s=math.nan,
        lat_deg=plot.lat_deg,
        lon_deg=plot.lon_deg,
        east_mps=east_mps if moving else 0.0,
        north_mps=north_mps if moving else 0.0,
        variance_m2=plot.sigma_m**2,
        variance_m2_s2=PLOT_SPEED_SIGMA_MPS**2 if moving else math.inf,
        status=rid.Status.AIRBORNE,
        alt_ellipsoid_m=_nan(plot.alt_ellipsoid_m),
        alt_pressure_m=_nan(plot.alt_pressure_m),
        height_m=math.nan,
        height_reference=rid.HeightReference.TAKE_OFF,
        vertical_accuracy_m=math.nan,
    )


def velocity(plot: Plot) -> tuple[float, float]:
    """East and north rates; NaN when the plot does not tell both speed and course."""
    if plot.speed_mps is None or plot.course_deg is None:
        return math.nan, math.nan
    course = math.radians(plot.course_deg)
    return plot.speed_mps * math.sin(course), plot.speed_mps * math.cos(course)


def message_seconds(
    second_of_hour_s: FloatArray, received_s: FloatArray, epoch_second_of_hour_s: float
) -> FloatArray:
    """(n,) when each message was made, in seconds since the epoch; NaN where it does not tell.

    A message says only how far into the hour it was made: the hour nearest to its reception is
    meant (`rid.message_time`, for arrays).
    """
    second_s = second_of_hour_s - epoch_second_of_hour_s
    return second_s + 3600.0 * np.round((received_s - second_s) / 3600.0)


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def none(value: float) -> float | None:
    """The value; None for NaN."""
    return None if value != value else value
