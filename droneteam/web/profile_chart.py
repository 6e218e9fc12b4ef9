"""A flight's profile as a picture: the ground, what stands on it, and the flight above (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from droneteam.missions.planner.profile import ProfilePoint

WIDTH, HEIGHT = 720, 200
_LEFT, _BOTTOM, _TOP = 80, 24, 12


@dataclass(frozen=True, slots=True)
class ProfileChart:
    """Polylines in the picture's units; left : where they begin; ticks are (y, metres), length_m
    at the right edge.
    """

    width: int
    height: int
    left: int
    ground: str
    tops: str
    flight: str
    ticks: tuple[tuple[float, int], ...]
    length_m: float
    points: tuple[ProfilePoint, ...]


def profile_chart(points: Sequence[ProfilePoint]) -> ProfileChart | None:
    """The picture of a profile; None where there is none."""
    if len(points) < 2:
        return None
    low = min(point.ground_home_m for point in points)
    high = max(point.alt_home_m for point in points)
    span = max(1.0, high - low)
    length_m = max(1.0, points[-1].distance_m)

    def at(distance_m: float, height_m: float) -> str:
        x = _LEFT + (WIDTH - _LEFT - 8) * distance_m / length_m
        return f"{x:.1f},{_y(height_m, low, span):.1f}"

    ground = [at(p.distance_m, p.ground_home_m) for p in points]
    ends = [at(length_m, low), at(0.0, low)]
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 1000) if span / s <= 6 or s == 1000)
    first = -int(-low // step) * step if low < 0 else -(-int(low) // step) * step
    ticks = tuple((round(_y(v, low, span), 1), v) for v in range(first, int(high) + 1, step))
    return ProfileChart(
        WIDTH,
        HEIGHT,
        _LEFT,
        " ".join(ground + ends),
        " ".join(at(p.distance_m, p.alt_home_m - p.clearance_m) for p in points),
        " ".join(at(p.distance_m, p.alt_home_m) for p in points),
        ticks,
        length_m,
        tuple(points),
    )


def _y(height_m: float, low: float, span: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * (height_m - low) / span
