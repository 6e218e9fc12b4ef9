"""Flying along legs with rounded corners: a point that runs ahead, and the velocity that follows.

A corner is rounded by a quadratic Bézier curve that touches both legs and cuts the corner by no
more than WPNAV_RADIUS.  A leg ends in the middle of its corner's curve, where the vehicle is
closest to the waypoint, so that what a mission does "at" a waypoint happens there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from sitl.dynamics import Demand, clamp

POSITION_GAIN_PER_S = 1.0
"""PSC_POSXY_P and PSC_POSZ_P."""
CATCH_UP_MAX_MPS = 5.0
CATCH_UP_DOWN_MPS, CATCH_UP_UP_MPS = -1.5, 2.5
LAG_LIMIT_M = 4.0
"""The leading point waits when the vehicle is so far behind (head wind, gusts)."""
WAITING_MPS = 0.5
SLOWEST_CORNER_MPS = 0.5
"""A corner that cannot be flown faster is flown by stopping at it."""
MIDDLE = 0.5

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


@dataclass(frozen=True, slots=True)
class Bend:
    """A rounded corner: the quadratic Bézier curve with these control points."""

    start: Point3
    corner: Point3
    end: Point3
    speed_mps: float
    """Speed at which its sharpest place (the middle) may be flown."""

    def point(self, u: float) -> Point3:
        """The curve's point at a parameter from 0 to 1."""
        a, b, c = (1.0 - u) ** 2, 2.0 * u * (1.0 - u), u * u
        p, q, r = self.start, self.corner, self.end
        return (
            a * p[0] + b * q[0] + c * r[0],
            a * p[1] + b * q[1] + c * r[1],
            a * p[2] + b * q[2] + c * r[2],
        )

    def derivative(self, u: float) -> Point3:
        """The curve's derivative by its parameter."""
        a, b = 2.0 * (1.0 - u), 2.0 * u
        p, q, r = self.start, self.corner, self.end
        return (
            a * (q[0] - p[0]) + b * (r[0] - q[0]),
            a * (q[1] - p[1]) + b * (r[1] - q[1]),
            a * (q[2] - p[2]) + b * (r[2] - q[2]),
        )


def bend_between(before: Point3, corner: Point3, after: Point3, limits: Limits) -> Bend | None:
    """The rounding of a corner; None where the vehicle has to stop.

    With the tangents' length d and the turn t, the curve's middle lies d/2 sin(t/2) from the
    corner and has the radius d cos²(t/2) / sin(t/2).
    """
    size_in, size_out = math.dist(before, corner), math.dist(corner, after)
    if size_in < 1e-6 or size_out < 1e-6:
        return None
    into = tuple((corner[i] - before[i]) / size_in for i in range(3))
    out = tuple((after[i] - corner[i]) / size_out for i in range(3))
    cos_turn = clamp(sum(a * b for a, b in zip(into, out, strict=True)), -1.0, 1.0)
    sin_half = max(1e-6, math.sqrt((1.0 - cos_turn) / 2.0))
    cos_half_2 = (1.0 + cos_turn) / 2.0
    if cos_half_2 < 1e-6:
        return None
    needed_m = 1.2 * limits.speed_mps**2 * sin_half / (limits.accel_mps2 * cos_half_2)
    tangent_m = min(2.0 * limits.corner_m / sin_half, size_in / 2, size_out / 2, needed_m + 0.1)
    speed = math.sqrt(limits.accel_mps2 * tangent_m * cos_half_2 / sin_half)
    if speed < SLOWEST_CORNER_MPS:
        return None
    x, y, z = corner
    return Bend(
        (x - into[0] * tangent_m, y - into[1] * tangent_m, z - into[2] * tangent_m),
        corner,
        (x + out[0] * tangent_m, y + out[1] * tangent_m, z + out[2] * tangent_m),
        speed,
    )


def passing_speed(points: Sequence[Point3], limits: Limits) -> float:
    """Speed at which points[1] may be passed so that the last point can be reached at rest.

    points : the leg's start, its end, and what follows until a stop.
    """
    speed = 0.0
    for i in range(len(points) - 2, 0, -1):
        bend = bend_between(points[i - 1], points[i], points[i + 1], limits)
        if bend is None:
            speed = 0.0
            continue
        highest, accel = leg_speed(points[i], points[i + 1], limits)
        brake = math.sqrt(speed**2 + 2.0 * accel * math.dist(points[i], points[i + 1]))
        speed = min(highest, brake, bend.speed_mps)
    return speed


class _On(Enum):
    """Which piece of its leg a leading point is on."""

    ENTRY = auto()
    STRAIGHT = auto()
    EXIT = auto()
    DONE = auto()


class Leg:
    """The way of a leading point: half of the bend before, a straight, half of the bend after.

    start, end : the straight's; where there is a bend, the bend's touching point.
    """

    __slots__ = ("_direction", "_left_m", "_on", "_u", "end", "entry", "exit", "speed_mps", "start")

    def __init__(
        self,
        start: Point3,
        end: Point3,
        *,
        entry: Bend | None = None,
        exit_bend: Bend | None = None,
        speed_mps: float = 0.0,
    ) -> None:
        self.start = start if entry is None else entry.end
        self.end = end if exit_bend is None else exit_bend.start
        self.entry, self.exit = entry, exit_bend
        self.speed_mps = speed_mps
        self._on = _On.STRAIGHT if entry is None else _On.ENTRY
        self._u = MIDDLE
        self._left_m = math.dist(self.start, self.end)
        size = max(1e-9, self._left_m)
        self._direction: Point3 = (
            (self.end[0] - self.start[0]) / size,
            (self.end[1] - self.start[1]) / size,
            (self.end[2] - self.start[2]) / size,
        )

    @property
    def run_out(self) -> bool:
        """Whether the leading point is at the end."""
        return self._on is _On.DONE

    @property
    def _bend(self) -> Bend | None:
        """The bend that the leading point is on."""
        if self._on is _On.ENTRY:
            return self.entry
        return None if self._on is _On.STRAIGHT else self.exit

    def advance(self, limits: Limits, end_speed_mps: float, dt_s: float, *, wait: bool) -> None:
        """Moves the leading point on by one interval; `wait` lets it crawl."""
        highest, accel = leg_speed(self.start, self.end, limits)
        bend = self._bend
        if bend is not None:
            highest = min(highest, bend.speed_mps)
        if wait:
            highest = min(highest, WAITING_MPS)
        wanted = min(highest, math.sqrt(end_speed_mps**2 + 2.0 * accel * self._left_m))
        change = accel * dt_s
        # braking may exceed the limit a little, else the last step would overshoot
        self.speed_mps += clamp(wanted - self.speed_mps, -2.0 * change, change)
        self._move(max(self.speed_mps, 0.01) * dt_s)

    def _move(self, way_m: float) -> None:
        if self._on is _On.ENTRY:
            way_m = self._along_bend(way_m, 1.0)
            if self._u >= 1.0:
                self._on = _On.STRAIGHT
        if self._on is _On.STRAIGHT:
            moved_m = min(way_m, self._left_m)
            self._left_m -= moved_m
            way_m -= moved_m
            if self._left_m <= 1e-6:
                self._left_m, self._u = 0.0, 0.0
                self._on = _On.DONE if self.exit is None else _On.EXIT
        if self._on is _On.EXIT:
            self._along_bend(way_m, MIDDLE)
            if self._u >= MIDDLE:
                self._on = _On.DONE

    def _along_bend(self, way_m: float, until: float) -> float:
        """Moves along the present bend; returns what is left of the way at its end."""
        bend = self._bend
        assert bend is not None
        rate = max(1e-6, math.hypot(*bend.derivative(self._u)))
        self._u += way_m / rate
        left_m = max(0.0, (self._u - until) * rate)
        self._u = min(self._u, until)
        return left_m

    def point(self) -> Point3:
        """Where the leading point is."""
        bend = self._bend
        if bend is not None:
            return bend.point(self._u)
        d, left = self._direction, self._left_m
        return (self.end[0] - d[0] * left, self.end[1] - d[1] * left, self.end[2] - d[2] * left)

    def velocity(self) -> Point3:
        """How the leading point moves."""
        bend, d, scale = self._bend, self._direction, self.speed_mps
        if bend is not None:
            d = bend.derivative(self._u)
            scale /= max(1e-6, math.hypot(*d))
        elif self.run_out:
            return (0.0, 0.0, 0.0)
        return (scale * d[0], scale * d[1], scale * d[2])


def follow(demand: Demand, position: Point3, lead: Point3, velocity: Point3) -> None:
    """Sets the velocity that keeps the vehicle with the leading point."""
    east = POSITION_GAIN_PER_S * (lead[0] - position[0])
    north = POSITION_GAIN_PER_S * (lead[1] - position[1])
    size = math.hypot(east, north)
    if size > CATCH_UP_MAX_MPS:
        east *= CATCH_UP_MAX_MPS / size
        north *= CATCH_UP_MAX_MPS / size
    up = POSITION_GAIN_PER_S * (lead[2] - position[2])
    demand.tilt = False
    demand.a_east_mps2 = demand.a_north_mps2 = 0.0
    demand.v_east_mps = velocity[0] + east
    demand.v_north_mps = velocity[1] + north
    demand.v_up_mps = velocity[2] + clamp(up, CATCH_UP_DOWN_MPS, CATCH_UP_UP_MPS)
