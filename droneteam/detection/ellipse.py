"""The ellipse that holds a track with 95 %, from its covariance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from droneteam.detection.motion import INDEX
from droneteam.detection.records import RAYLEIGH_95, Track


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Half axes in metres and the direction of the longer one, clockwise from true north."""

    major_m: float
    minor_m: float
    bearing_deg: float


def ellipse_of(track: Track) -> Ellipse:
    """The track's ellipse; a circle where only sigma_m is known."""
    spread = track.covariance
    if spread is None:
        radius_m = RAYLEIGH_95 * track.sigma_m
        return Ellipse(radius_m, radius_m, 0.0)
    east, north, both = (spread[INDEX[pair]] for pair in ((0, 0), (1, 1), (0, 1)))
    middle, half = (east + north) / 2.0, math.hypot((east - north) / 2.0, both)
    # The longer axis of [[east, both], [both, north]], as a bearing from north.
    bearing_deg = math.degrees(0.5 * math.atan2(2.0 * both, north - east)) % 180.0
    return Ellipse(
        RAYLEIGH_95 * math.sqrt(max(middle + half, 0.0)),
        RAYLEIGH_95 * math.sqrt(max(middle - half, 0.0)),
        bearing_deg,
    )
