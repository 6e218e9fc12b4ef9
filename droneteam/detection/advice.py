"""What an own drone could do about a conflict: a proposal to its pilot, never a command.

A few plain manoeuvres are compared: which of them leaves the lowest probability of coming too
close, if the other aircraft holds its course.  A manoeuvre that hardly helps is not proposed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from droneteam.detection.conflict import Conflict, Mover, closest

Manoeuvre = Literal[
    "keep",
    "stop",
    "turn_left",
    "turn_right",
    "turn_back",
    "go_north",
    "go_east",
    "go_south",
    "go_west",
    "watch",
]

LEAST_GAIN = 0.5
"""Share of the probability that a manoeuvre must take away to be worth a pilot's attention."""
ALIKE = 0.02
"""Probabilities that differ less are alike to a pilot: the plainer manoeuvre is proposed."""
CRUISE_MPS = 5.0
"""What a drone that hovers is taken to leave with."""
HOVERS_BELOW_MPS = 1.0
_TURNS_DEG: Mapping[Manoeuvre, float] = {
    "turn_right": 90.0,
    "turn_left": -90.0,
    "turn_back": 180.0,
}
_LEAVE_DEG: Mapping[Manoeuvre, float] = {
    "go_north": 0.0,
    "go_east": 90.0,
    "go_south": 180.0,
    "go_west": 270.0,
}


@dataclass(frozen=True, slots=True)
class Advice:
    """A manoeuvre, and what the conflict would be with it.

    "keep": moving away as now is best; "watch": nothing plain helps, look and decide.
    """

    manoeuvre: Manoeuvre
    distance_m: float
    probability: float


def advise(
    ours: Mover,
    other: Mover,
    now: Conflict,
    *,
    within_m: float,
    vertical_m: float,
    horizon_s: float,
    geoid_m: float | None = None,
) -> Advice:
    """The manoeuvre that leaves the lowest probability; to the right where some are alike."""

    def with_it(moved: Mover) -> Conflict:
        return closest(
            moved,
            other,
            within_m=within_m,
            vertical_m=vertical_m,
            horizon_s=horizon_s,
            geoid_m=geoid_m,
        )

    found = [(name, with_it(moved)) for name, moved in _candidates(ours)]
    # min takes the first of equals, and they come in the order in which they are preferred.
    name, best = min(found, key=lambda pair: round(pair[1].probability / ALIKE))
    if best.probability > (1.0 - LEAST_GAIN) * now.probability:
        name, best = "watch", now
    return Advice(name, best.distance_m, best.probability)


def _candidates(ours: Mover) -> list[tuple[Manoeuvre, Mover]]:
    """What it could do: turn or stop where it flies, leave where it hovers."""
    speed_mps = math.hypot(ours.east_mps, ours.north_mps)
    if speed_mps < HOVERS_BELOW_MPS:
        leaving = [(name, _moving(ours, deg, CRUISE_MPS)) for name, deg in _LEAVE_DEG.items()]
        return [("keep", ours), *leaving]
    course_deg = math.degrees(math.atan2(ours.east_mps, ours.north_mps))
    turned = [
        (name, _moving(ours, course_deg + turn_deg, speed_mps))
        for name, turn_deg in _TURNS_DEG.items()
    ]
    right, left, back = turned
    return [("keep", ours), right, left, ("stop", _moving(ours, 0.0, 0.0)), back]


def _moving(ours: Mover, course_deg: float, speed_mps: float) -> Mover:
    course = math.radians(course_deg)
    east_mps, north_mps = speed_mps * math.sin(course), speed_mps * math.cos(course)
    return replace(ours, east_mps=east_mps, north_mps=north_mps)
