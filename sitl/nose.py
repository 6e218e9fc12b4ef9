"""Where the nose points: along the way, at a point of interest, or where it was told."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sitl.manoeuvres import FlyTo
from sitl.navigation import Point3

SHORTEST_M = 1.0
"""A leg or a distance shorter than this does not turn the nose."""
NEVER, NEXT, NEXT_EXCEPT_RETURNING, ALONG_COURSE = 0, 1, 2, 3
"""WP_YAW_BEHAVIOR."""


@dataclass(slots=True)
class Nose:
    """The wanted heading."""

    yaw_rad: float = 0.0
    point: Point3 | None = None
    fixed: bool = False

    def hold(self, yaw_rad: float) -> None:
        """Turns to a bearing and keeps it until the next leg."""
        self.fixed, self.yaw_rad = True, yaw_rad

    def release(self) -> None:
        """A new leg: the nose is free to follow the way again."""
        self.fixed = False

    def look_along(self, way: FlyTo, behaviour: int, *, returning: bool) -> None:
        """Turns along a leg, if nothing else holds the nose."""
        if self.fixed or self.point is not None or way.leg is None:
            return
        if behaviour == NEVER or (behaviour == NEXT_EXCEPT_RETURNING and returning):
            return
        self._face(way.end[0] - way.leg.start[0], way.end[1] - way.leg.start[1])

    def look_at_point(self, position: Point3) -> None:
        """Keeps the point of interest ahead, if there is one."""
        if self.point is not None and not self.fixed:
            self._face(self.point[0] - position[0], self.point[1] - position[1])

    def _face(self, east_m: float, north_m: float) -> None:
        if math.hypot(east_m, north_m) > SHORTEST_M:
            self.yaw_rad = math.atan2(east_m, north_m)
