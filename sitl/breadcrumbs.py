"""The way that was flown, kept short, for SMART_RTL."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sitl.navigation import Point3


@dataclass(slots=True)
class Breadcrumbs:
    """Points along the way from take-off; loops are cut where the way meets itself."""

    points: list[Point3] = field(default_factory=list)
    full: bool = False

    def start(self, at: Point3) -> None:
        """Begins anew at the place of take-off."""
        self.points, self.full = [at], False

    def drop(self, at: Point3, accuracy_m: float, most: int) -> None:
        """Adds a point once the vehicle is far enough from the last one."""
        if not self.points or self.full or math.dist(at, self.points[-1]) < accuracy_m:
            return
        for place, old in enumerate(self.points[:-2]):
            if math.dist(at, old) < accuracy_m:
                del self.points[place + 1 :]
                break
        self.points.append(at)
        if len(self.points) >= most:
            self._thin(accuracy_m)
            self.full = len(self.points) >= most

    def way_back(self) -> list[Point3]:
        """The points from the last to the first."""
        return self.points[::-1]

    def _thin(self, accuracy_m: float) -> None:
        """Drops points that lie on the straight line between their neighbours."""
        kept = [self.points[0]]
        for i in range(1, len(self.points) - 1):
            if _off_line(kept[-1], self.points[i], self.points[i + 1]) > accuracy_m * 0.5:
                kept.append(self.points[i])
        kept.append(self.points[-1])
        self.points = kept


def _off_line(a: Point3, p: Point3, b: Point3) -> float:
    length = math.dist(a, b)
    if length < 1e-6:
        return math.dist(a, p)
    along = sum((p[i] - a[i]) * (b[i] - a[i]) for i in range(3)) / length**2
    foot = tuple(a[i] + min(1.0, max(0.0, along)) * (b[i] - a[i]) for i in range(3))
    return math.dist(p, foot)
