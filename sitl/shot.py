"""What the autopilot hands to the camera at each trigger: the true pose at that instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Shot:
    """One opening of the shutter, with the pose that the world knows and no sensor does.

    The angles are those of the camera on its gimbal, not of the airframe: yaw clockwise from
    true north, pitch -90 at nadir, roll positive to the right.
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
