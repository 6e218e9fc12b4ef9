"""What a vehicle can be told to fly: each manoeuvre sets the demand until it is done.

A manoeuvre knows positions, not MAVLink; modes and missions are made of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sitl.dynamics import Body, Demand
from sitl.navigation import (
    LAG_LIMIT_M,
    Leg,
    Limits,
    Point3,
    bend_between,
    follow,
    passing_speed,
)

STOP_DISTANCE_M = 0.3
TAKEOFF_DONE_M = 0.3
LAND_DETECT_S = 1.7
"""From touching down until the motors may stop (measured: 2.0 s with the last step)."""
LOOK_AHEAD = 4
"""Points that are looked at when choosing the speed at a corner."""


class Craft(Protocol):
    """What a manoeuvre may know of its vehicle."""

    body: Body
    demand: Demand
    t_s: float

    @property
    def position(self) -> Point3:
        """Where the vehicle believes to be: east, north, up."""

    def limits(self) -> Limits:
        """The speeds and accelerations in force."""

    def land_speed_mps(self, height_m: float) -> float:
        """How fast to descend for landing at a height above home."""

    def height_m(self) -> float:
        """Height above home."""


class Manoeuvre(Protocol):
    """One thing to fly."""

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Sets the demand for this step; true once done (and goes on holding)."""


@dataclass(slots=True)
class Hold:
    """Stays at a point; brakes first when entered at speed."""

    at: Point3 | None = None

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Never done."""
        if self.at is None:
            body = craft.body
            if math.hypot(body.ground_speed_mps, body.v_up_mps) > 0.5:
                craft.demand.still()
                return False
            self.at = craft.position
        follow(craft.demand, craft.position, self.at, (0.0, 0.0, 0.0))
        return False


class FlyTo:
    """Flies straight to a point; with points after it, rounds the corner without stopping.

    after : the points that follow, up to the next stop.
    previous : the leg before, when this one goes on where that one is.
    """

    __slots__ = (
        "_end_speed",
        "_last_velocity",
        "_limits",
        "_previous",
        "_start",
        "after",
        "end",
        "leg",
    )

    def __init__(
        self,
        end: Point3,
        after: Sequence[Point3] = (),
        *,
        start: Point3 | None = None,
        previous: FlyTo | None = None,
    ) -> None:
        self.end, self.after = end, after
        self._start, self._previous = start, previous
        self.leg: Leg | None = None
        self._last_velocity: Point3 | None = None
        self._limits: Limits | None = None
        self._end_speed = 0.0

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done in the middle of the corner, or at rest at the point."""
        limits = craft.limits()
        if self.leg is None:
            self.leg = self._begin(craft, limits)
        leg = self.leg
        if limits is not self._limits:
            self._limits = limits
            self._end_speed = passing_speed((leg.start, self.end, *self.after), limits)
        behind_m = math.dist(leg.point(), craft.position)
        leg.advance(limits, self._end_speed, dt_s, wait=behind_m > LAG_LIMIT_M)
        velocity = leg.velocity()
        follow(craft.demand, craft.position, leg.point(), velocity)
        self._lean_into(craft.demand, velocity, dt_s)
        if not leg.run_out:
            return False
        if leg.exit is not None:
            return True
        return math.dist(craft.position, self.end) < max(STOP_DISTANCE_M, limits.corner_m)

    def _begin(self, craft: Craft, limits: Limits) -> Leg:
        before = self._previous.leg if self._previous is not None else None
        entry = before.exit if before is not None else None
        self._previous = None
        start = craft.position if self._start is None else self._start
        corner = start if entry is None else entry.corner
        exit_bend = bend_between(corner, self.end, self.after[0], limits) if self.after else None
        speed = before.speed_mps if before is not None and entry is not None else 0.0
        return Leg(start, self.end, entry=entry, exit_bend=exit_bend, speed_mps=speed)

    def _lean_into(self, demand: Demand, velocity: Point3, dt_s: float) -> None:
        """Adds the leading point's acceleration to the demand, so that nothing has to lag."""
        last = self._last_velocity
        if last is not None:
            demand.a_east_mps2 = (velocity[0] - last[0]) / dt_s
            demand.a_north_mps2 = (velocity[1] - last[1]) / dt_s
        self._last_velocity = velocity


@dataclass(slots=True)
class TakeOff:
    """Climbs straight up to a height in the frame."""

    up_m: float
    way: FlyTo | None = None

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done just below the height."""
        if self.way is None:
            east, north, up = craft.position
            self.way = FlyTo((east, north, max(self.up_m, up)))
        self.way.run(craft, dt_s)
        return craft.position[2] >= self.up_m - TAKEOFF_DONE_M


@dataclass(slots=True)
class Land:
    """Descends where it is until the ground is found; drifts when there is no position."""

    with_position: bool = True
    at: tuple[float, float] | None = None
    touched_at_s: float | None = None

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done when the vehicle has lain still on the ground for a moment."""
        demand = craft.demand
        if not self.with_position:
            demand.tilt = True
            demand.a_east_mps2 = demand.a_north_mps2 = 0.0
        else:
            self._hold_place(craft)
        demand.v_up_mps = -craft.land_speed_mps(craft.height_m())
        if not craft.body.on_ground:
            self.touched_at_s = None
            return False
        if self.touched_at_s is None:
            self.touched_at_s = craft.t_s
        return craft.t_s - self.touched_at_s >= LAND_DETECT_S

    def _hold_place(self, craft: Craft) -> None:
        if self.at is None:
            if craft.body.ground_speed_mps > 0.5:
                craft.demand.still()
                return
            self.at = craft.position[:2]
        lead = (*self.at, craft.position[2])
        follow(craft.demand, craft.position, lead, (0.0, 0.0, 0.0))


@dataclass(slots=True)
class Circle:
    """Flies a number of turns about a point, clockwise for a positive radius."""

    centre: Point3
    radius_m: float
    turns: float
    turned_rad: float = 0.0
    angle_rad: float | None = None
    approach: FlyTo | None = None

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done after the turns."""
        radius = max(0.5, abs(self.radius_m))
        if self.angle_rad is None:
            east, north, _ = craft.position
            self.angle_rad = math.atan2(east - self.centre[0], north - self.centre[1])
            self.approach = FlyTo(self._point(self.angle_rad, radius))
        if self.approach is not None:
            if self.approach.run(craft, dt_s):
                self.approach = None
            return False
        limits = craft.limits()
        speed = min(limits.speed_mps, math.sqrt(limits.accel_mps2 * radius))
        sense = 1.0 if self.radius_m >= 0.0 else -1.0
        self.angle_rad += sense * speed / radius * dt_s
        self.turned_rad += speed / radius * dt_s
        velocity = (
            sense * speed * math.cos(self.angle_rad),
            -sense * speed * math.sin(self.angle_rad),
            0.0,
        )
        lead = self._point(self.angle_rad, radius)
        follow(craft.demand, craft.position, lead, velocity)
        inward_mps2 = speed * speed / radius
        craft.demand.a_east_mps2 = -inward_mps2 * math.sin(self.angle_rad)
        craft.demand.a_north_mps2 = -inward_mps2 * math.cos(self.angle_rad)
        return self.turned_rad >= self.turns * 2.0 * math.pi

    def _point(self, angle_rad: float, radius_m: float) -> Point3:
        return (
            self.centre[0] + radius_m * math.sin(angle_rad),
            self.centre[1] + radius_m * math.cos(angle_rad),
            self.centre[2],
        )


@dataclass(frozen=True, slots=True)
class ReturnPlan:
    """How to come home: over which point, how high, how long to wait, how far down."""

    target: tuple[float, float]
    return_up_m: float
    loiter_s: float
    final_up_m: float | None
    """Height in the frame to stay at; None lands."""


@dataclass(slots=True)
class Return:
    """RTL: climbs, flies over the target, waits, lands."""

    plan: ReturnPlan
    stage: int = 0
    current: Manoeuvre | None = None
    since_s: float = 0.0
    land: Land | None = field(default=None)

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done on the ground, or never with a final height."""
        if self.current is None:
            self._next(craft)
        assert self.current is not None
        done = self.current.run(craft, dt_s)
        if self.land is not None:
            return done
        if self.stage == 3:
            done = craft.t_s - self.since_s >= self.plan.loiter_s
        if done and self.stage < 5:
            self._next(craft)
        return False

    def _next(self, craft: Craft) -> None:
        plan = self.plan
        east, north, _ = craft.position
        self.stage += 1
        self.since_s = craft.t_s
        over = (*plan.target, plan.return_up_m)
        if self.stage == 1:
            self.current = FlyTo((east, north, plan.return_up_m))
        elif self.stage == 2:
            self.current = FlyTo(over, start=(east, north, plan.return_up_m))
        elif self.stage == 3:
            self.current = Hold(over)
        elif plan.final_up_m is not None:
            self.stage = 5
            self.current = FlyTo((*plan.target, plan.final_up_m))
        else:
            self.land = Land(at=plan.target)
            self.current = self.land


@dataclass(slots=True)
class Retrace:
    """SMART_RTL: back along the way that was flown, then lands."""

    points: list[Point3]
    """From the end of the way to its beginning."""
    leg: FlyTo | None = None
    land: Land | None = None

    def run(self, craft: Craft, dt_s: float) -> bool:
        """Done on the ground."""
        if self.land is not None:
            return self.land.run(craft, dt_s)
        if self.leg is None or self.leg.run(craft, dt_s):
            if not self.points:
                self.land = Land(at=craft.position[:2])
                return False
            end = self.points.pop(0)
            self.leg = FlyTo(end, tuple(self.points[:LOOK_AHEAD]), previous=self.leg)
        return False
