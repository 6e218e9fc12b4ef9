"""How long a path takes in wind, and how much of a battery pack it costs.

The autopilot holds the ground speed that the plan asks for and leans into the wind; what the wind
takes is power, and time where the vehicle cannot lean further.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from droneteam.errors import InputError

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
SWAP_S = 4.0 * 60.0
"""Landed with one pack to airborne with the next, mission loaded and checks passed."""
MAX_AIRSPEED_MPS = 15.0
"""What the team's multirotors hold without losing height; also ArduCopter's usual WPNAV limit."""
_HOVER_INFLOW_MPS = 6.0
"""Induced velocity in hover of a 3 to 8 kg multirotor (disk loading 90 N/m²)."""
_INDUCED_SHARE, _PROFILE_SHARE = 0.75, 0.25
_PARASITE_AT_MAX = 0.6
"""Power against the air's drag at MAX_AIRSPEED_MPS, in hover powers."""
_TIP_MPS = 120.0


@dataclass(frozen=True, slots=True)
class Wind:
    """A steady wind.

    from_deg : the bearing it comes from; None: unknown, taken to blow against every leg.
    """

    speed_mps: float = 0.0
    from_deg: float | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.speed_mps <= 40.0:  # also rejects NaN
            raise InputError(
                "wind_mps {speed_mps} outside [0, 40]", field="wind_mps", speed_mps=self.speed_mps
            )
        if self.from_deg is not None and not -360.0 <= self.from_deg <= 360.0:
            raise InputError(
                "wind_from_deg {from_deg} outside [-360, 360]",
                field="wind_from_deg",
                from_deg=self.from_deg,
            )

    def along_across(self, bearing_deg: float) -> tuple[float, float]:
        """How much of it blows against a course (negative: from behind), and across it."""
        if self.from_deg is None:
            return self.speed_mps, 0.0
        angle = math.radians(self.from_deg - bearing_deg)
        return self.speed_mps * math.cos(angle), self.speed_mps * math.sin(angle)


CALM = Wind()


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


def ground_speed_mps(wanted_mps: float, bearing_deg: float, wind: Wind) -> float:
    """The speed over ground that is held on a course: the wanted one, or what the air allows.

    Raises
    ------
    InputError
        The wind is stronger than the vehicle can fly against.
    """
    against, across = wind.along_across(bearing_deg)
    reach = math.sqrt(max(0.0, MAX_AIRSPEED_MPS**2 - across**2)) - against
    if reach < 0.5:
        raise InputError(
            "a wind of {wind_mps:g} m/s leaves no speed on a course of {bearing_deg:.0f}°: "
            "the drones hold {limit:g} m/s through the air",
            field="wind_mps",
            wind_mps=wind.speed_mps,
            bearing_deg=bearing_deg,
            limit=MAX_AIRSPEED_MPS,
        )
    return min(wanted_mps, reach)


def airspeed_mps(speed_mps: float, bearing_deg: float, wind: Wind) -> float:
    """The speed through the air of a speed over ground."""
    against, across = wind.along_across(bearing_deg)
    return math.hypot(speed_mps + against, across)


def power_factor(airspeed: float) -> float:
    """Electric power at a speed through the air, in hover powers.

    Leishman, Principles of Helicopter Aerodynamics, 2nd ed., section 5.4: induced power by
    momentum theory in forward flight, profile power with 1 + 4.65 mu², parasite power with the
    cube of the speed.
    """
    half = 0.5 * airspeed**2
    inflow = math.sqrt(math.sqrt(half**2 + _HOVER_INFLOW_MPS**4) - half)
    induced = _INDUCED_SHARE * inflow / _HOVER_INFLOW_MPS
    profile = _PROFILE_SHARE * (1.0 + 4.65 * (airspeed / _TIP_MPS) ** 2)
    return induced + profile + _PARASITE_AT_MAX * (airspeed / MAX_AIRSPEED_MPS) ** 3


def pack_share(duration_s: float, airspeed: float = 0.0) -> float:
    """Share of a pack that a time at an airspeed costs; never less than hovering.

    Fast flight can be cheaper than hovering in still air; a plan does not count on it.
    """
    return duration_s * max(1.0, power_factor(airspeed)) / PACK_ENDURANCE_S


def packs_needed(duration_s: float) -> int:
    """Battery packs for a flight of that duration in calm air, the reserve kept on each."""
    return max(1, math.ceil(duration_s / (PACK_ENDURANCE_S * (1.0 - PACK_RESERVE))))
