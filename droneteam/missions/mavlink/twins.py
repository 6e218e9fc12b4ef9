"""Two vehicles that answer under one system id: their reported places cannot be one vehicle's.

One vehicle's reports fit together: between two of them it moved as its velocity says, also when
a report overtook another on the way.  Two vehicles' reports, mixed on one link, jump to and fro
between two places, or between two clocks.  A jump of the satellite fix or a restart makes one or
two that do not fit; two vehicles make one at nearly every report.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from droneteam.geo import great_circle_distance_m
from droneteam.missions.mavlink.messages import Position

LOOKED_AT = 16
"""Reports looked back on: about three seconds."""
TOO_MANY = 8
NEAR_S = 1.5
"""Reports further apart in time say little about each other."""
CLOCK_BACK_S = 3.0
"""No link delivers a report that much late between punctual ones."""
PLACE_M = 1.0
"""Noise of a reported place; two vehicles stand further apart."""
BRAKING_MPS2 = 2.0


@dataclass(frozen=True, slots=True)
class TwinWatch:
    """What has been seen of one link's reports; misfits : of the latest ones, newest last."""

    last: Position | None = None
    misfits: tuple[bool, ...] = ()

    @property
    def found(self) -> bool:
        """Whether two vehicles are answering."""
        return sum(self.misfits) >= TOO_MANY

    def after(self, position: Position) -> TwinWatch:
        """The watch with one more report."""
        if self.last is None:
            return replace(self, last=position)
        misfits = (*self.misfits, misfit(self.last, position))[-LOOKED_AT:]
        return TwinWatch(position, misfits)


def misfit(before: Position, after: Position) -> bool:
    """Whether one vehicle cannot have sent both reports."""
    span_s = after.boot_s - before.boot_s
    if span_s < -CLOCK_BACK_S:
        return True
    if abs(span_s) > NEAR_S:
        return False
    moved_m = great_circle_distance_m(before.lat_deg, before.lon_deg, after.lat_deg, after.lon_deg)
    east_mps = (before.east_mps + after.east_mps) / 2.0
    north_mps = (before.north_mps + after.north_mps) / 2.0
    told_m = math.hypot(east_mps, north_mps) * abs(span_s)
    return abs(moved_m - told_m) > PLACE_M + BRAKING_MPS2 * abs(span_s)
