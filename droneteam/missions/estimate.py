"""How long a path takes, and how many battery packs that is."""

from __future__ import annotations

import math

ACCELERATION_MPS2 = 2.5
"""ArduCopter's default WPNAV_ACCEL."""
CLIMB_MPS = 2.5
"""ArduCopter's default WPNAV_SPEED_UP."""
DESCENT_MPS = 1.5
"""ArduCopter's default WPNAV_SPEED_DN."""
LANDING_MPS = 0.5
"""ArduCopter's default LAND_SPEED, used for the last ten metres."""
LANDING_HEIGHT_M = 10.0
PACK_ENDURANCE_S = 25.0 * 60.0
"""Usual hover time of the team's multirotors with a payload."""
PACK_RESERVE = 0.3
"""Share of a pack that is kept for coming home against the wind."""


def leg_duration_s(length_m: float, speed_mps: float) -> float:
    """Time for a straight leg from standstill to standstill."""
    ramp_m = speed_mps**2 / ACCELERATION_MPS2
    if length_m < ramp_m:
        return 2.0 * math.sqrt(length_m / ACCELERATION_MPS2)
    return length_m / speed_mps + speed_mps / ACCELERATION_MPS2


def takeoff_duration_s(height_m: float) -> float:
    """Time to climb from the ground to a height."""
    return leg_duration_s(height_m, CLIMB_MPS)


def landing_duration_s(height_m: float) -> float:
    """Time to come down from a height onto the ground."""
    slow_m = min(height_m, LANDING_HEIGHT_M)
    return leg_duration_s(height_m - slow_m, DESCENT_MPS) + slow_m / LANDING_MPS


def packs_needed(duration_s: float) -> int:
    """Battery packs for a flight of that duration, the reserve kept on each."""
    return max(1, math.ceil(duration_s / (PACK_ENDURANCE_S * (1.0 - PACK_RESERVE))))
