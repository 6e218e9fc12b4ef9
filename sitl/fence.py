"""The geofence: ceiling, circle about home, uploaded zones, and what a breach is called."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from sitl.frame import LocalFrame
from sitl.items import Cmd, MissionItem

Point = tuple[float, float]


class FenceKind(IntFlag):
    """Bits of FENCE_TYPE."""

    ALT_MAX = 1
    CIRCLE = 2
    POLYGON = 4
    ALT_MIN = 8


KIND_NAMES = {
    FenceKind.ALT_MAX: "Max Alt",
    FenceKind.CIRCLE: "Circle",
    FenceKind.POLYGON: "Polygon",
    FenceKind.ALT_MIN: "Min Alt",
}

NO_BREACH = FenceKind(0)

BREACH_CODE = {
    FenceKind.ALT_MIN: 1,
    FenceKind.ALT_MAX: 2,
    FenceKind.CIRCLE: 3,
    FenceKind.POLYGON: 3,
}
"""FENCE_BREACH of each kind, for FENCE_STATUS."""


@dataclass(frozen=True, slots=True)
class Zone:
    """One uploaded zone in metres: a polygon, or a circle when `radius_m` is given."""

    vertices_m: tuple[Point, ...]
    radius_m: float | None
    inclusive: bool

    def contains(self, east_m: float, north_m: float) -> bool:
        """Whether a point lies inside."""
        if self.radius_m is not None:
            (east, north) = self.vertices_m[0]
            return math.hypot(east_m - east, north_m - north) <= self.radius_m
        return point_in_polygon((east_m, north_m), self.vertices_m)


def point_in_polygon(point: Point, vertices: Sequence[Point]) -> bool:
    """Whether a ray from the point crosses the outline an odd number of times."""
    x, y = point
    inside = False
    previous = vertices[-1]
    for current in vertices:
        (x1, y1), (x2, y2) = previous, current
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
        previous = current
    return inside


def zones_of(items: Sequence[MissionItem], frame: LocalFrame) -> tuple[Zone, ...]:
    """The zones of a validated fence."""
    zones: list[Zone] = []
    place = 0
    while place < len(items):
        item = items[place]
        centre = frame.metres(item.lat_deg, item.lon_deg)
        taken = 1
        if item.command in (Cmd.FENCE_CIRCLE_INCLUSION, Cmd.FENCE_CIRCLE_EXCLUSION):
            inclusive = item.command == Cmd.FENCE_CIRCLE_INCLUSION
            zones.append(Zone((centre,), item.param1, inclusive))
        elif item.command != Cmd.FENCE_RETURN_POINT:
            taken = int(item.param1)
            outline = tuple(
                frame.metres(v.lat_deg, v.lon_deg) for v in items[place : place + taken]
            )
            inclusive = item.command == Cmd.FENCE_POLYGON_VERTEX_INCLUSION
            zones.append(Zone(outline, None, inclusive))
        place += taken
    return tuple(zones)


@dataclass(frozen=True, slots=True)
class FenceLimits:
    """What the parameters say about the fence."""

    kinds: FenceKind
    alt_max_m: float
    alt_min_m: float
    radius_m: float


def breaches(
    limits: FenceLimits, zones: Sequence[Zone], from_home_m: Point, up_home_m: float, at_m: Point
) -> FenceKind:
    """Which fences a position violates.

    from_home_m : east and north of home; at_m : east and north in the zones' frame.
    """
    found = FenceKind(0)
    if FenceKind.ALT_MAX in limits.kinds and up_home_m > limits.alt_max_m:
        found |= FenceKind.ALT_MAX
    if FenceKind.ALT_MIN in limits.kinds and up_home_m < limits.alt_min_m:
        found |= FenceKind.ALT_MIN
    if FenceKind.CIRCLE in limits.kinds and math.hypot(*from_home_m) > limits.radius_m:
        found |= FenceKind.CIRCLE
    if FenceKind.POLYGON in limits.kinds and not _zones_allow(zones, at_m):
        found |= FenceKind.POLYGON
    return found


def _zones_allow(zones: Sequence[Zone], at_m: Point) -> bool:
    """ArduPilot's default: inside every inclusion zone and outside every exclusion zone."""
    return all(zone.contains(*at_m) == zone.inclusive for zone in zones)


@dataclass(slots=True)
class FenceState:
    """Whether the fence is on and what it has seen."""

    enabled: bool = False
    breached: FenceKind = NO_BREACH
    breach_count: int = 0
    breach_at_s: float = 0.0
    recovering: bool = False
    """A pilot or station took over during the breach; no action until the next one."""
