"""Flying along straight legs: a point that runs ahead, and the velocity that follows it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sitl.dynamics import Demand, clamp

POSITION_GAIN_PER_S = 1.0
"""PSC_POSXY_P and PSC_POSZ_P."""
CATCH_UP_MAX_MPS = 5.0
LAG_LIMIT_M = 4.0
"""The leading point waits when the vehicle is so far behind (head wind, gusts)."""
STOP_DISTANCE_M = 0.3

Point3 = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Speeds and accelerations of navigation."""

    speed_mps: float
    up_mps: float
    down_mps: float
    accel_mps2: float
    accel_up_mps2: float
    corner_m: float
    """How far a corner may be cut (WPNAV_RADIUS)."""


def leg_speed(start: Point3, end: Point3, limits: Limits) -> tuple[float, float]:
    """Highest speed and acceleration along a leg that keep every axis within its limits."""
    length = math.dist(start, end)
    if length < 1e-6:
        return limits.speed_mps, limits.accel_mps2
    flat = math.hypot(end[0] - start[0], end[1] - start[1]) / length
    rise = (end[2] - start[2]) / length
    speed = limits.speed_mps / flat if flat > 1e-6 else math.inf
    accel = limits.accel_mps2 / flat if flat > 1e-6 else math.inf
    if abs(rise) > 1e-6:
        vertical = limits.up_mps if rise > 0.0 else limits.down_mps
        speed = min(speed, vertical / abs(rise))
        accel = min(accel, limits.accel_up_mps2 / abs(rise))
    return speed, accel


def corner_speed(before: Point3, corner: Point3, after: Point3, limits: Limits) -> float:
    """Speed at which the turn at a corner cuts it by no more than allowed.

    An arc that touches both legs passes the corner at r (1/cos(turn/2) - 1); its lateral
    acceleration v²/r must stay within the limit.
    """
    a = [corner[i] - before[i] for i in range(3)]
    b = [after[i] - corner[i] for i in range(3)]
    size = math.dist(before, corner) * math.dist(corner, after)
    if size < 1e-9:
        return 0.0
    cos_turn = clamp(sum(x * y for x, y in zip(a, b, strict=True)) / size, -1.0, 1.0)
    cos_half = math.sqrt((1.0 + cos_turn) / 2.0)
    if cos_half > 1.0 - 1e-9:
        return math.inf
    radius_m = limits.corner_m * cos_half / (1.0 - cos_half)
    return math.sqrt(limits.accel_mps2 * radius_m)


def passing_speed(points: Sequence[Point3], limits: Limits) -> float:
    """Speed at which points[1] may be passed so that the last point can be reached at rest.

    points : the leg's start, its end, and what follows until a stop.
    """
    speed = 0.0
    for i in range(len(points) - 2, 0, -1):
        highest, accel = leg_speed(points[i], points[i + 1], limits)
        brake = math.sqrt(speed**2 + 2.0 * accel * math.dist(points[i], points[i + 1]))
        corner = corner_speed(points[i - 1], points[i], points[i + 1], limits)
        speed = min(highest, brake, corner)
    return speed


@dataclass(slots=True)
class Leg:
    """A straight way from one point to another, and how far along it the leading point is."""

    start: Point3
    end: Point3
    end_speed_mps: float = 0.0
    along_m: float = 0.0
    speed_mps: float = 0.0

    @property
    def length_m(self) -> float:
        """The leg's length."""
        return math.dist(self.start, self.end)

    @property
    def run_out(self) -> bool:
        """Whether the leading point is at the end."""
        return self.along_m >= self.length_m - 1e-6

    def advance(self, position: Point3, limits: Limits, dt_s: float) -> Point3:
        """Moves the leading point on; returns it."""
        length = self.length_m
        highest, accel = leg_speed(self.start, self.end, limits)
        left = max(0.0, length - self.along_m)
        lead = self.point()
        if math.dist(lead, position) > LAG_LIMIT_M:
            highest = min(highest, 0.5)
        wanted = min(highest, math.sqrt(self.end_speed_mps**2 + 2.0 * accel * left))
        change = accel * dt_s
        # braking may exceed the limit a little, else the last step would overshoot
        self.speed_mps += clamp(wanted - self.speed_mps, -2.0 * change, change)
        self.along_m = min(length, self.along_m + self.speed_mps * dt_s)
        return self.point()

    def point(self) -> Point3:
        """Where the leading point is."""
        length = self.length_m
        share = self.along_m / length if length > 1e-6 else 1.0
        return (
            self.start[0] + share * (self.end[0] - self.start[0]),
            self.start[1] + share * (self.end[1] - self.start[1]),
            self.start[2] + share * (self.end[2] - self.start[2]),
        )

    def velocity(self) -> Point3:
        """How the leading point moves."""
        length = self.length_m
        if length < 1e-6 or (self.run_out and self.end_speed_mps == 0.0):
            return (0.0, 0.0, 0.0)
        scale = self.speed_mps / length
        return (
            scale * (self.end[0] - self.start[0]),
            scale * (self.end[1] - self.start[1]),
            scale * (self.end[2] - self.start[2]),
        )


def follow(demand: Demand, position: Point3, lead: Point3, velocity: Point3) -> None:
    """Sets the velocity that keeps the vehicle with the leading point."""
    east = POSITION_GAIN_PER_S * (lead[0] - position[0])
    north = POSITION_GAIN_PER_S * (lead[1] - position[1])
    size = math.hypot(east, north)
    if size > CATCH_UP_MAX_MPS:
        east *= CATCH_UP_MAX_MPS / size
        north *= CATCH_UP_MAX_MPS / size
    up = clamp(POSITION_GAIN_PER_S * (lead[2] - position[2]), -1.5, 2.5)
    demand.tilt = False
    demand.v_east_mps = velocity[0] + east
    demand.v_north_mps = velocity[1] + north
    demand.v_up_mps = velocity[2] + up
