"""ArduCopter's flight modes: what each needs, and what it flies.

A controller lives from the moment its mode is entered until the next mode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from sitl.dynamics import GRAVITY_MPS2, clamp, wrap_pi
from sitl.manoeuvres import FlyTo, Hold, Land, Manoeuvre, Retrace, Return, TakeOff

if TYPE_CHECKING:
    from sitl.autopilot import Autopilot


class Mode(IntEnum):
    """Custom mode numbers."""

    STABILIZE = 0
    ALT_HOLD = 2
    AUTO = 3
    GUIDED = 4
    LOITER = 5
    RTL = 6
    LAND = 9
    BRAKE = 17
    SMART_RTL = 21


NEEDS_POSITION = frozenset(
    {Mode.AUTO, Mode.GUIDED, Mode.LOITER, Mode.RTL, Mode.BRAKE, Mode.SMART_RTL}
)
PILOT_MODES = frozenset({Mode.STABILIZE, Mode.ALT_HOLD, Mode.LOITER})
ARMABLE = frozenset({Mode.STABILIZE, Mode.ALT_HOLD, Mode.LOITER, Mode.GUIDED})
AUTO_OPTION_ALLOW_ARMING = 1

STICK_DEAD = 0.06
"""Share of the stick's way that counts as centred (RC dead zone of 30 µs)."""


class Controller(Protocol):
    """What flies while a mode is active."""

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Sets the vehicle's demand for this step."""


def stick(pulse_us: float) -> float:
    """A stick's deflection, -1 to 1, zero in the dead zone."""
    value = clamp((pulse_us - 1500.0) / 500.0, -1.0, 1.0)
    return 0.0 if abs(value) < STICK_DEAD else value


def _pilot_yaw(ap: Autopilot, dt_s: float) -> None:
    rate = math.radians(ap.params["PILOT_Y_RATE"]) * stick(ap.rc.pulses_us[3])
    if rate:
        ap.nose.yaw_rad = wrap_pi(ap.body.yaw_rad + rate * 0.5)


def _pilot_climb_mps(ap: Autopilot) -> float:
    throttle = stick(ap.rc.pulses_us[2])
    up = ap.params["PILOT_SPEED_UP"] / 100.0
    down = ap.params["PILOT_SPEED_DN"] / 100.0 or up
    return throttle * (up if throttle > 0.0 else down)


def _pilot_axes(ap: Autopilot) -> tuple[float, float]:
    """The roll and pitch sticks as shares east and north."""
    right, back = stick(ap.rc.pulses_us[0]), stick(ap.rc.pulses_us[1])
    sin_yaw, cos_yaw = math.sin(ap.body.yaw_rad), math.cos(ap.body.yaw_rad)
    return (
        -back * sin_yaw + right * cos_yaw,
        -back * cos_yaw - right * sin_yaw,
    )


def _pilot_lifts_off(ap: Autopilot) -> bool:
    if ap.landed and _pilot_climb_mps(ap) <= 0.0:
        ap.demand.still()
        return False
    ap.auto_armed = True
    return True


@dataclass(slots=True)
class Stabilize:
    """Sticks command tilt and thrust."""

    holds_height: bool = False

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Tilt from the sticks; height from the throttle."""
        if not _pilot_lifts_off(ap):
            return
        east, north = _pilot_axes(ap)
        most = GRAVITY_MPS2 * math.tan(
            math.radians(clamp(ap.params["ANGLE_MAX"] / 100.0, 10.0, 60.0))
        )
        demand = ap.demand
        demand.tilt = True
        demand.a_east_mps2, demand.a_north_mps2 = most * east, most * north
        scale = 1.0 if self.holds_height else 2.0
        demand.v_up_mps = scale * _pilot_climb_mps(ap)
        _pilot_yaw(ap, dt_s)


@dataclass(slots=True)
class Loiter:
    """Holds the place; sticks command velocities."""

    hold: Hold = field(default_factory=Hold)

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Velocities from the sticks; holds when they are centred."""
        if not _pilot_lifts_off(ap):
            return
        east, north = _pilot_axes(ap)
        climb = _pilot_climb_mps(ap)
        if east or north or climb:
            speed = ap.params["LOIT_SPEED"] / 100.0
            ap.demand.still()
            ap.demand.v_east_mps, ap.demand.v_north_mps = speed * east, speed * north
            ap.demand.v_up_mps = climb
            self.hold.at = None
        else:
            self.hold.run(ap, dt_s)
        _pilot_yaw(ap, dt_s)


@dataclass(slots=True)
class Brake:
    """Stops and stays."""

    hold: Hold = field(default_factory=Hold)

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Holds the place where the vehicle came to rest."""
        self.hold.run(ap, dt_s)


@dataclass(slots=True)
class VelocityTarget:
    """A velocity to hold for a while (GUID_TIMEOUT)."""

    east_mps: float
    north_mps: float
    up_mps: float
    until_s: float


@dataclass(slots=True)
class Guided:
    """Flies what a ground station or companion tells, one thing at a time."""

    task: Manoeuvre = field(default_factory=Hold)
    velocity: VelocityTarget | None = None
    taking_off: bool = False
    paused: Manoeuvre | None = None

    def take_off(self, up_m: float) -> None:
        """Starts to climb from the ground."""
        self.task, self.velocity, self.taking_off = TakeOff(up_m), None, True

    def go_to(self, east_m: float, north_m: float, up_m: float) -> None:
        """Flies to a point and stays there."""
        self.task, self.velocity, self.taking_off = FlyTo((east_m, north_m, up_m)), None, False
        self.paused = None

    def pause(self) -> None:
        """Stops here; `resume` goes on."""
        self.paused = self.paused or self.task
        self.task, self.velocity = Hold(), None

    def resume(self) -> None:
        """Goes on with what was paused."""
        if isinstance(self.paused, FlyTo):
            self.task = FlyTo(self.paused.end)
        elif self.paused is not None:
            self.task = self.paused
        self.paused = None

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Sits on the ground until told to take off."""
        if ap.landed and not self.taking_off:
            ap.demand.still()
            return
        target = self.velocity
        if target is not None and ap.t_s < target.until_s:
            ap.demand.still()
            ap.demand.v_east_mps, ap.demand.v_north_mps = target.east_mps, target.north_mps
            ap.demand.v_up_mps = target.up_mps
            return
        if target is not None:
            self.velocity, self.task = None, Hold()
        if self.task.run(ap, dt_s) and self.taking_off:
            self.taking_off = False
        if isinstance(self.task, FlyTo):
            ap.look_along(self.task)


@dataclass(slots=True)
class LandMode:
    """Lands here; without a position the wind takes the vehicle along."""

    land: Land = field(default_factory=Land)

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Disarms on the ground."""
        self.land.with_position = ap.position_good
        if self.land.run(ap, dt_s):
            ap.disarm()


@dataclass(slots=True)
class ReturnMode:
    """RTL and SMART_RTL: a manoeuvre that ends on the ground."""

    way: Return | Retrace

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Disarms on the ground."""
        if self.way.run(ap, dt_s):
            ap.disarm()


@dataclass(slots=True)
class Auto:
    """Flies the mission."""

    def run(self, ap: Autopilot, dt_s: float) -> None:
        """Sits on the ground until the mission is started."""
        ap.mission_run.update(ap, dt_s)


def controller_for(mode: Mode, ap: Autopilot) -> Controller:
    """A fresh controller for a mode."""
    match mode:
        case Mode.STABILIZE:
            return Stabilize()
        case Mode.ALT_HOLD:
            return Stabilize(holds_height=True)
        case Mode.LOITER:
            return Loiter()
        case Mode.BRAKE:
            return Brake()
        case Mode.GUIDED:
            return Guided()
        case Mode.LAND:
            return LandMode()
        case Mode.RTL:
            return ReturnMode(Return(ap.return_plan()))
        case Mode.SMART_RTL:
            return ReturnMode(Retrace(ap.breadcrumbs.way_back()))
        case Mode.AUTO:
            return Auto()
