"""Cars: a smooth body lofted over cross-sections, wheels, and the damage of a crash.

Car coordinates: x forward from the middle of the undamaged car, y to its left, z up from the
road.  Damage displaces the body's vertices; the texture coordinates stay those of the
undamaged car, so panes, gaps and lamps move with the sheet metal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import PchipInterpolator

from sitl.materials import GLOSS_PAINT, Material
from sitl.mesh import FloatArray, Mesh, box, from_grid, joined, lathe, vertex_normals
from sitl.noise import value_noise

STATION_M = 0.04
"""Spacing of the cross-sections along the body."""
RING_POINTS = (5, 12, 12, 14)
"""Points on each quarter of a half section: floor, side, greenhouse, roof."""


@dataclass(frozen=True, slots=True)
class Crush:
    """A dent: metal within radius_m of a point (car coordinates) is pushed along a vector."""

    at_m: tuple[float, float, float]
    push_m: tuple[float, float, float]
    radius_m: float


@dataclass(frozen=True, slots=True)
class CarSpec:
    """A car's size, style, colour and damage.

    style : "hatchback" or "saloon"
    """

    style: str
    length_m: float
    width_m: float
    height_m: float
    color: tuple[float, float, float]
    crushes: tuple[Crush, ...]
    seed: int

    @property
    def wheel_radius_m(self) -> float:
        """Of the tyre's tread."""
        return 0.22 * self.height_m

    @property
    def wheel_x_m(self) -> tuple[float, float]:
        """Front and rear axle."""
        return 0.305 * self.length_m, -0.315 * self.length_m


_TOP = {
    "hatchback": (
        (-0.5, -0.49, -0.475, -0.44, -0.35, -0.15, 0.03, 0.22, 0.30, 0.42, 0.475, 0.49, 0.5),
        (0.42, 0.56, 0.66, 0.76, 0.965, 1.0, 0.975, 0.69, 0.645, 0.565, 0.48, 0.42, 0.36),
    ),
    "saloon": (
        (
            -0.5,
            -0.49,
            -0.475,
            -0.43,
            -0.34,
            -0.30,
            -0.17,
            -0.05,
            0.05,
            0.22,
            0.29,
            0.42,
            0.475,
            0.49,
            0.5,
        ),
        (
            0.45,
            0.60,
            0.69,
            0.735,
            0.75,
            0.765,
            0.955,
            1.0,
            0.98,
            0.70,
            0.655,
            0.575,
            0.49,
            0.43,
            0.37,
        ),
    ),
}
"""Height of the centre line over the height of the car, at x over its length."""
_SCREENS = {"hatchback": (0.22, 0.035, -0.36, -0.445), "saloon": (0.22, 0.055, -0.16, -0.305)}
"""Windscreen base and top, rear screen top and base, over the length."""
_PLAN = (
    (-0.5, -0.49, -0.46, -0.40, -0.25, 0.0, 0.25, 0.38, 0.45, 0.485, 0.5),
    (0.66, 0.80, 0.91, 0.965, 0.995, 1.0, 0.99, 0.955, 0.885, 0.76, 0.58),
)
"""Half width over the largest half width."""
_FLOOR = ((-0.5, -0.47, -0.40, 0.40, 0.47, 0.5), (0.30, 0.21, 0.165, 0.155, 0.17, 0.24))
"""Height of the sill line in metres."""


def car_mesh(spec: CarSpec, first_part: int) -> tuple[Mesh, list[list[float]]]:
    """A car on z = 0 and its rows of the part table, which begin at first_part."""
    body = damaged(_body(spec, first_part), spec)
    wheels = [_wheel(spec, x, side, first_part + 1) for x in spec.wheel_x_m for side in (-1.0, 1.0)]
    mirrors = [_mirror(spec, side, first_part + 2) for side in (-1.0, 1.0)]
    return joined([body, *wheels, *mirrors]), part_rows(spec)


def part_rows(spec: CarSpec) -> list[list[float]]:
    """Body, wheels, trim."""
    front, rear = spec.wheel_x_m
    screens = [v * spec.length_m for v in _SCREENS[spec.style]]
    body = [*spec.color, spec.length_m, front, rear, spec.wheel_radius_m, *screens, 0.0]
    wheel = [0.5, 0.5, 0.5, 0.62 * spec.wheel_radius_m, *([0.0] * 8)]
    trim = [*spec.color, GLOSS_PAINT, *([0.0] * 8)]
    return [body, wheel, trim]


def _curve(table: tuple[tuple[float, ...], tuple[float, ...]], at: FloatArray) -> FloatArray:
    return np.asarray(PchipInterpolator(*table)(at))


def _body(spec: CarSpec, part: int) -> Mesh:
    half = 0.5 * spec.length_m
    count = int(spec.length_m / STATION_M)
    # Stations crowd towards both ends, where the bumpers round off.
    x = half * np.sin(np.linspace(-0.5 * math.pi, 0.5 * math.pi, count))
    x = 0.45 * x + 0.55 * np.linspace(-half, half, count)
    top = spec.height_m * _curve(_TOP[spec.style], x / spec.length_m)
    plan = 0.5 * spec.width_m * _curve(_PLAN, x / spec.length_m)
    floor = _curve(_FLOOR, x / spec.length_m)
    sections = [
        _half_section(p, f, t, spec.height_m) for p, f, t in zip(plan, floor, top, strict=True)
    ]
    ring = np.stack([s[0] for s in sections])
    place = sections[0][1]
    mirrored = ring[:, ::-1] * [-1.0, 1.0]
    outline = np.concatenate([ring, mirrored[:, 1:]], axis=1)
    places = np.concatenate([place, place[::-1][1:]])
    points = np.empty((len(x), outline.shape[1], 3))
    points[..., 0] = x[:, None]
    points[..., 1:] = outline
    points = _with_ends(points)
    texture = np.stack(
        [points[..., 0], np.broadcast_to(places, points.shape[:2]), points[..., 2]], axis=-1
    )
    return from_grid(points, texture, Material.CAR_BODY, part, flip=True)


def _half_section(
    half_width: float, floor: float, top: float, height: float
) -> tuple[FloatArray, FloatArray]:
    """(k, 2) y and z from the centre of the floor up the left side to the centre line."""
    belt = min(0.62 * height, top - 0.035 - 0.10 * max(top - 0.5 * height, 0.0))
    belt = max(belt, floor + 0.5 * (top - floor))
    cabin = max(top - belt - 0.10, 0.0)
    rail = half_width * 0.965 - 0.42 * cabin - 0.03
    rail_z = top - 0.045 - 0.02 * min(cabin / 0.3, 1.0)
    rail_z = max(rail_z, belt + 0.4 * (top - belt))
    knots = [
        [(0.0, floor), (0.88 * half_width, floor)],
        [
            (0.88 * half_width, floor),
            (0.985 * half_width, floor + 0.10 * (belt - floor)),
            (half_width, floor + 0.55 * (belt - floor)),
            (0.965 * half_width, belt),
        ],
        [
            (0.965 * half_width, belt),
            (0.5 * (0.965 * half_width + rail) + 0.012, 0.5 * (belt + rail_z)),
            (rail, rail_z),
        ],
        [(rail, rail_z), (0.62 * rail, top - 0.012), (0.0, top)],
    ]
    pieces, places = [], []
    for number, (piece, count) in enumerate(zip(knots, RING_POINTS, strict=True)):
        xy = np.array(piece)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
        at = np.linspace(0.0, along[-1], count, endpoint=number == 3)
        pieces.append(
            PchipInterpolator(along, xy)(at)
            if len(xy) > 2
            else np.stack([np.interp(at, along, xy[:, i]) for i in (0, 1)], axis=1)
        )
        places.append(number + at / along[-1])
    ring = np.concatenate(pieces)
    for _ in range(3):  # round the creases where the pieces meet
        ring[1:-1] = 0.25 * ring[:-2] + 0.5 * ring[1:-1] + 0.25 * ring[2:]
    return ring, np.concatenate(places)


def _with_ends(points: FloatArray) -> FloatArray:
    """Close nose and tail by drawing the last section in to a line."""
    caps = []
    for section in (points[0], points[-1]):
        middle = section.mean(axis=0)
        rings = [middle + (section - middle) * [1.0, w, w] for w in (0.66, 0.33, 0.0)]
        caps.append(rings)
    return np.concatenate([np.stack(caps[0][::-1]), points, np.stack(caps[1])])


def damaged(body: Mesh, spec: CarSpec) -> Mesh:
    """The body with its dents; crumpled metal also buckles by a few centimetres."""
    points = body.points_enu_m.copy()
    for number, crush in enumerate(spec.crushes):
        offset = points - np.array(crush.at_m)
        weight = np.clip(1.0 - np.linalg.norm(offset, axis=1) / crush.radius_m, 0.0, 1.0)
        weight = weight * weight * (3.0 - 2.0 * weight)
        buckle = np.array([_buckle(p, spec.seed + number) for p in points])
        points += weight[:, None] * np.array(crush.push_m) * (1.0 + 0.25 * buckle[:, :1])
        points[:, 2] += 0.05 * weight * buckle[:, 1]
        points[:, 1] += 0.03 * weight * buckle[:, 0]
    points[:, 2] = np.maximum(points[:, 2], 0.08)
    return replace(body, points_enu_m=points, normals=vertex_normals(points, body.triangles))


def _buckle(point: FloatArray, seed: int) -> tuple[float, float]:
    x, y, z = point
    return (
        value_noise(4.0 * x + z, 4.0 * y - z, seed),
        value_noise(3.1 * x - z, 5.0 * y, seed + 1),
    )


def _wheel(spec: CarSpec, x: float, side: float, part: int) -> Mesh:
    """Tyre and rim with the axle across the car, outer face outwards, foot on the road."""
    r, w = spec.wheel_radius_m, 0.10
    tread = np.array(
        [
            [0.60 * r, w],
            [0.90 * r, w],
            [0.975 * r, 0.82 * w],
            [r, 0.5 * w],
            [r, -0.5 * w],
            [0.975 * r, -0.82 * w],
            [0.90 * r, -w],
            [0.60 * r, -w],
        ]
    )
    dish = np.array([[0.0, 0.72 * w], [0.3 * r, 0.80 * w], [0.60 * r, 0.68 * w], [0.62 * r, w]])
    wheel = joined(
        [lathe(tread[::-1], 36, Material.TYRE, part), lathe(dish[::-1], 36, Material.RIM, part)]
    )
    upright = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, side], [0.0, -side, 0.0]])
    y = side * (0.5 * spec.width_m - 0.105)
    return wheel.transformed(upright, (x, y, r))


def _mirror(spec: CarSpec, side: float, part: int) -> Mesh:
    base = _SCREENS[spec.style][0] * spec.length_m
    mirror = box((0.10, 0.20, 0.13), Material.PLAIN, part)
    return mirror.placed((base - 0.28, side * (0.5 * spec.width_m + 0.05), 0.64 * spec.height_m))
