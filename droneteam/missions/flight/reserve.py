"""How much battery the way home takes: with distance, height, wind and the pack's own drain."""

from __future__ import annotations

from droneteam.geo import great_circle_distance_m
from droneteam.missions.items import HomePoint
from droneteam.missions.mavlink.messages import Position
from droneteam.missions.planner import estimate

AIRSPEED_HOME_MPS = 10.0
"""ArduCopter's default WPNAV_SPEED, which RTL flies with when RTL_SPEED is 0."""
HEADWIND_MPS = 6.0
"""Taken against the way home at least: a fresh breeze at flying height, which nobody measures."""
MIN_SPEED_HOME_MPS = 2.0
"""Over ground in a wind that leaves hardly any: slower, the vehicle leans harder instead."""
RESERVE_PCT = 15.0
"""What is left after landing: a pack sags and ages, and a landing may have to wait."""
USUAL_DRAIN_PCT_S = 100.0 / estimate.PACK_ENDURANCE_S
MIN_OBSERVED_S = 60.0
"""Flown before the drain that was seen is believed over the usual one."""


def speed_home_mps(headwind_mps: float) -> float:
    """Over ground, with the wind against it."""
    return max(MIN_SPEED_HOME_MPS, AIRSPEED_HOME_MPS - headwind_mps)


def headwind_mps(planned_wind_mps: float) -> float:
    """What is taken against the way home: the wind of the plan, and never less than a breeze."""
    return max(HEADWIND_MPS, planned_wind_mps)


def way_home_s(
    position: Position, home: HomePoint, rtl_alt_m: float, headwind_mps: float = HEADWIND_MPS
) -> float:
    """Time to climb to the way home, fly it against the wind and land, in seconds."""
    away_m = great_circle_distance_m(position.lat_deg, position.lon_deg, home.lat_deg, home.lon_deg)
    climb_m = max(0.0, rtl_alt_m - position.alt_home_m)
    return (
        estimate.takeoff_duration_s(climb_m)
        + away_m / speed_home_mps(headwind_mps)
        + estimate.landing_duration_s(max(rtl_alt_m, position.alt_home_m))
    )


def drain_pct_s(used_pct: float, flown_s: float) -> float:
    """Percent per second: what was seen in this flight, and no less than the usual."""
    if flown_s < MIN_OBSERVED_S:
        return USUAL_DRAIN_PCT_S
    return max(USUAL_DRAIN_PCT_S, used_pct / flown_s)


def needed_pct(
    position: Position,
    home: HomePoint,
    rtl_alt_m: float,
    drain: float,
    headwind_mps: float = HEADWIND_MPS,
) -> float:
    """The charge at which the way home must begin, in percent of the pack."""
    return RESERVE_PCT + drain * way_home_s(position, home, rtl_alt_m, headwind_mps)
