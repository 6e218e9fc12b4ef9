"""How a multicopter moves: what the autopilot demands, what air and ground make of it.

The rate and attitude loops are one first-order lag; above them stands the velocity loop that
every ArduCopter mode with position control shares.  Plain floats on purpose: a step costs about
ten microseconds, where small arrays would cost ten times that.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

GRAVITY_MPS2 = 9.80665
TWO_PI = 2.0 * math.pi
HOLD_ERROR_MPS = 0.5
"""Larger errors of velocity do not wind up the part of the tilt that holds against wind."""


def wrap_pi(angle_rad: float) -> float:
    """The same angle in [-pi, pi)."""
    return (angle_rad + math.pi) % TWO_PI - math.pi


def wrap_360(angle_deg: float) -> float:
    """The same angle in [0, 360)."""
    return angle_deg % 360.0


def clamp(value: float, low: float, high: float) -> float:
    """The value, or the bound that it passed."""
    return low if value < low else high if value > high else value


@dataclass(frozen=True, slots=True)
class Airframe:
    """What a 1.5 kg camera quadcopter can do (typical figures of the class)."""

    tilt_max_rad: float = math.radians(30.0)
    attitude_lag_s: float = 0.15
    thrust_lag_s: float = 0.08
    climb_accel_max_mps2: float = 4.0
    yaw_rate_max_rad_s: float = math.radians(60.0)
    yaw_gain_per_s: float = 2.5
    yaw_lag_s: float = 0.2
    velocity_gain_per_s: float = 3.0
    velocity_integral_per_s2: float = 0.5
    climb_gain_per_s: float = 4.0
    drag_per_s: float = 0.12
    """Horizontal drag acceleration per m/s of airspeed: about 20 m/s at full tilt with margin."""


@dataclass(slots=True)
class Demand:
    """What the autopilot wants of the vehicle in this step.

    With `tilt` the accelerations are taken as a pilot's tilt and no velocity is held.
    """

    v_east_mps: float = 0.0
    v_north_mps: float = 0.0
    v_up_mps: float = 0.0
    a_east_mps2: float = 0.0
    a_north_mps2: float = 0.0
    yaw_rad: float = 0.0
    tilt: bool = False
    motors: bool = False

    def still(self) -> None:
        """No movement wanted, the yaw as it was."""
        self.v_east_mps = self.v_north_mps = self.v_up_mps = 0.0
        self.a_east_mps2 = self.a_north_mps2 = 0.0
        self.tilt = False


@dataclass(slots=True)
class Wind:
    """A mean wind with gusts that come and go (Ornstein-Uhlenbeck, 5 s)."""

    speed_mps: float = 0.0
    from_deg: float = 180.0
    gust_mps: float = 0.0
    """Standard deviation of each horizontal component."""
    east_mps: float = 0.0
    north_mps: float = 0.0
    _gust_east: float = 0.0
    _gust_north: float = 0.0

    TIME_CONSTANT_S = 5.0

    def update(self, dt_s: float, rng: random.Random) -> None:
        """Lets the gusts develop over one interval."""
        if self.gust_mps > 0.0:
            keep = math.exp(-dt_s / self.TIME_CONSTANT_S)
            spread = self.gust_mps * math.sqrt(1.0 - keep * keep)
            self._gust_east = keep * self._gust_east + spread * rng.gauss(0.0, 1.0)
            self._gust_north = keep * self._gust_north + spread * rng.gauss(0.0, 1.0)
        else:
            self._gust_east = self._gust_north = 0.0
        towards = math.radians(self.from_deg) + math.pi
        self.east_mps = self.speed_mps * math.sin(towards) + self._gust_east
        self.north_mps = self.speed_mps * math.cos(towards) + self._gust_north


@dataclass(slots=True)
class Body:
    """Where the vehicle truly is and how it moves; up is zero on the ground."""

    airframe: Airframe = field(default_factory=Airframe)
    east_m: float = 0.0
    north_m: float = 0.0
    up_m: float = 0.0
    v_east_mps: float = 0.0
    v_north_mps: float = 0.0
    v_up_mps: float = 0.0
    roll_rad: float = 0.0
    pitch_rad: float = 0.0
    yaw_rad: float = 0.0
    yaw_rate_rad_s: float = 0.0
    thrust_east_mps2: float = 0.0
    thrust_north_mps2: float = 0.0
    climb_accel_mps2: float = 0.0
    on_ground: bool = True
    impact_mps: float | None = None
    """Speed of the touch-down that this step brought, else None."""
    _hold_east: float = 0.0
    _hold_north: float = 0.0

    @property
    def ground_speed_mps(self) -> float:
        """Horizontal speed."""
        return math.hypot(self.v_east_mps, self.v_north_mps)

    def step(self, demand: Demand, wind: Wind, dt_s: float) -> None:
        """Moves the vehicle on by one interval."""
        self.impact_mps = None
        if self.on_ground and (not demand.motors or demand.v_up_mps <= 0.0):
            self._rest(demand, dt_s)
            return
        if demand.motors:
            self._tilt_towards(demand, dt_s)
            self._climb_towards(demand, dt_s)
            self._yaw_towards(demand.yaw_rad, dt_s)
        else:
            self.thrust_east_mps2 = self.thrust_north_mps2 = 0.0
            self.climb_accel_mps2 = -GRAVITY_MPS2
        self._integrate(wind, dt_s)

    def _rest(self, demand: Demand, dt_s: float) -> None:
        self.v_east_mps = self.v_north_mps = self.v_up_mps = 0.0
        self.thrust_east_mps2 = self.thrust_north_mps2 = self.climb_accel_mps2 = 0.0
        self._hold_east = self._hold_north = 0.0
        fade = math.exp(-dt_s / self.airframe.attitude_lag_s)
        self.roll_rad *= fade
        self.pitch_rad *= fade
        self.yaw_rate_rad_s = 0.0

    def _tilt_towards(self, demand: Demand, dt_s: float) -> None:
        airframe = self.airframe
        if demand.tilt:
            east, north = demand.a_east_mps2, demand.a_north_mps2
        else:
            error_east = demand.v_east_mps - self.v_east_mps
            error_north = demand.v_north_mps - self.v_north_mps
            rate = airframe.velocity_integral_per_s2 * dt_s
            self._hold_east += rate * clamp(error_east, -HOLD_ERROR_MPS, HOLD_ERROR_MPS)
            self._hold_north += rate * clamp(error_north, -HOLD_ERROR_MPS, HOLD_ERROR_MPS)
            gain = airframe.velocity_gain_per_s
            drag = airframe.drag_per_s
            east = gain * error_east + demand.a_east_mps2 + self._hold_east
            north = gain * error_north + demand.a_north_mps2 + self._hold_north
            east += drag * demand.v_east_mps
            north += drag * demand.v_north_mps
        ceiling = GRAVITY_MPS2 * math.tan(airframe.tilt_max_rad)
        size = math.hypot(east, north)
        if size > ceiling:
            east *= ceiling / size
            north *= ceiling / size
        share = min(1.0, dt_s / airframe.attitude_lag_s)
        self.thrust_east_mps2 += (east - self.thrust_east_mps2) * share
        self.thrust_north_mps2 += (north - self.thrust_north_mps2) * share

    def _climb_towards(self, demand: Demand, dt_s: float) -> None:
        airframe = self.airframe
        wanted = airframe.climb_gain_per_s * (demand.v_up_mps - self.v_up_mps)
        wanted = clamp(wanted, -airframe.climb_accel_max_mps2, airframe.climb_accel_max_mps2)
        share = min(1.0, dt_s / airframe.thrust_lag_s)
        self.climb_accel_mps2 += (wanted - self.climb_accel_mps2) * share

    def _yaw_towards(self, yaw_rad: float, dt_s: float) -> None:
        airframe = self.airframe
        wanted = airframe.yaw_gain_per_s * wrap_pi(yaw_rad - self.yaw_rad)
        wanted = clamp(wanted, -airframe.yaw_rate_max_rad_s, airframe.yaw_rate_max_rad_s)
        self.yaw_rate_rad_s += (wanted - self.yaw_rate_rad_s) * min(1.0, dt_s / airframe.yaw_lag_s)
        self.yaw_rad = wrap_pi(self.yaw_rad + self.yaw_rate_rad_s * dt_s)

    def _integrate(self, wind: Wind, dt_s: float) -> None:
        drag = self.airframe.drag_per_s
        self.v_east_mps += (self.thrust_east_mps2 - drag * (self.v_east_mps - wind.east_mps)) * dt_s
        self.v_north_mps += (
            self.thrust_north_mps2 - drag * (self.v_north_mps - wind.north_mps)
        ) * dt_s
        self.v_up_mps += self.climb_accel_mps2 * dt_s
        self.east_m += self.v_east_mps * dt_s
        self.north_m += self.v_north_mps * dt_s
        self.up_m += self.v_up_mps * dt_s
        self._point_along_thrust()
        self.on_ground = False
        if self.up_m <= 0.0 and self.v_up_mps <= 0.0:
            self.impact_mps = -self.v_up_mps
            self.up_m = 0.0
            self.on_ground = True
            self.v_east_mps = self.v_north_mps = self.v_up_mps = 0.0

    def _point_along_thrust(self) -> None:
        sin_yaw, cos_yaw = math.sin(self.yaw_rad), math.cos(self.yaw_rad)
        forward = self.thrust_east_mps2 * sin_yaw + self.thrust_north_mps2 * cos_yaw
        right = self.thrust_east_mps2 * cos_yaw - self.thrust_north_mps2 * sin_yaw
        self.pitch_rad = -math.atan2(forward, GRAVITY_MPS2)
        self.roll_rad = math.atan2(right * math.cos(self.pitch_rad), GRAVITY_MPS2)
