"""What the autopilot hands to the camera: one press of the shutter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Shot:
    """The true position and attitude of a drone's camera at one press of the shutter.

    yaw_deg is clockwise from true north; pitch_deg is -90 at nadir and 0 at the horizon; roll_deg
    turns the camera clockwise about its viewing direction.
    """

    drone: str
    index: int
    at: datetime
    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float
    alt_home_m: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    velocity_enu_mps: tuple[float, float, float]
