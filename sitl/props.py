"""The street's furniture and the debris: walls, posts, cones, scale bars, fragments."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from sitl.materials import PART_FIELDS, Material
from sitl.mesh import (
    FloatArray,
    Mesh,
    box,
    cylinder,
    from_grid,
    joined,
    lathe,
    quad,
    vertex_normals,
)

Color = tuple[float, float, float]


@dataclass(slots=True)
class Stage:
    """Meshes and part rows gathered while a world is built."""

    meshes: list[Mesh] = field(default_factory=list)
    parts: list[list[float]] = field(default_factory=lambda: [[0.0] * PART_FIELDS])

    def part(self, *values: float) -> int:
        """A new row of the part table; its number."""
        self.parts.append([*values, *([0.0] * (PART_FIELDS - len(values)))])
        return len(self.parts) - 1

    def add(self, mesh: Mesh) -> None:
        """Put a mesh on the stage."""
        self.meshes.append(mesh)


def _above(place: FloatArray, by_m: float) -> FloatArray:
    return np.array([place[0], place[1], place[2] + by_m])


def building(stage: Stage, foot: FloatArray, yaw_rad: float, size_m: Color, color: Color) -> None:
    """A brick house with windows and a saddle roof; size is length, depth, height of its walls."""
    length, depth, height = size_m
    wall = stage.part(*color, 2.4, 1.2, 1.5, 0.9, 2.9)
    walls = box((length, depth, height), Material.BRICK, wall)
    stage.add(walls.placed(foot, yaw_rad))
    tiles = stage.part(0.16, 0.065, 0.045)
    ridge, eave = height + 0.32 * depth, 0.35
    x, y = 0.5 * length + eave, 0.5 * depth + eave
    low = height - 0.32 * eave * 2.0
    slope = math.hypot(y, ridge - low)
    for side in (-1.0, 1.0):
        corners = np.array(
            [
                [-side * x, -side * y, low],
                [side * x, -side * y, low],
                [side * x, 0.0, ridge],
                [-side * x, 0.0, ridge],
            ]
        )
        texture = np.array([[0.0, 0.0, 0], [2 * x, 0.0, 0], [2 * x, slope, 0], [0.0, slope, 0]])
        stage.add(quad(corners, texture, Material.ROOF, tiles).placed(foot, yaw_rad))
    for side in (-1.0, 1.0):
        stage.add(
            _gable(0.5 * length, 0.5 * depth, height, ridge - 0.11, wall, side).placed(
                foot, yaw_rad
            )
        )


def _gable(x: float, y: float, low: float, ridge: float, part: int, side: float) -> Mesh:
    corners = np.array(
        [
            [side * x, -side * y, low],
            [side * x, side * y, low],
            [side * x, 0.0, ridge],
            [side * x, 0.0, ridge],
        ]
    )
    texture = np.array(
        [[0.0, -9.0, 0], [2 * y, -9.0, 0], [y, -9.0 + ridge - low, 0], [y, -9.0 + ridge - low, 0]]
    )
    return quad(corners, texture, Material.BRICK, part)


def garden_wall(
    stage: Stage, foot: FloatArray, yaw_rad: float, length_m: float, height_m: float
) -> None:
    """A rendered wall with a coping."""
    face = stage.part(0.55, 0.52, 0.45)
    stage.add(box((length_m, 0.24, height_m), Material.PLASTER, face).placed(foot, yaw_rad))
    cope = stage.part(0.30, 0.29, 0.27, 0.0)
    coping = box((length_m + 0.06, 0.34, 0.06), Material.PLAIN, cope)
    stage.add(coping.placed(_above(foot, height_m), yaw_rad))


def hedge(
    stage: Stage, foot: FloatArray, yaw_rad: float, length_m: float, rng: np.random.Generator
) -> None:
    """A clipped hedge with an uneven surface."""
    u = np.linspace(-0.5 * length_m, 0.5 * length_m, max(int(length_m / 0.12), 4))
    outline = np.array(
        [
            [-0.35, -0.3],
            [-0.38, 0.4],
            [-0.36, 0.9],
            [-0.26, 1.12],
            [-0.1, 1.18],
            [0.1, 1.18],
            [0.26, 1.12],
            [0.36, 0.9],
            [0.38, 0.4],
            [0.35, -0.3],
        ]
    )
    points = np.empty((len(u), len(outline), 3))
    points[..., 0] = u[:, None]
    points[..., 1:] = outline
    points += rng.normal(0.0, 0.035, points.shape)
    u_ends = points[[0, -1]].copy()
    u_ends[..., 1:] = [0.0, 0.5]
    points = np.concatenate([u_ends[:1], points, u_ends[1:]])
    green = stage.part(0.045, 0.075, 0.022)
    mesh = from_grid(points, points, Material.LEAVES, green, flip=True)
    stage.add(mesh.placed(foot, yaw_rad))


def tree(stage: Stage, foot: FloatArray, height_m: float, rng: np.random.Generator) -> None:
    """A small street tree: a trunk and a crown of uneven clumps of leaves."""
    bark = stage.part(0.10, 0.075, 0.05, 0.0)
    stage.add(cylinder(0.11, 0.6 * height_m, Material.PLAIN, bark).placed(foot))
    for _ in range(16):
        green = rng.uniform(0.8, 1.25) * np.array([0.050, 0.085, 0.022])
        part = stage.part(*(float(v) for v in green))
        radius = rng.uniform(0.09, 0.17) * height_m
        offset = _above(rng.normal(0.0, 0.125 * height_m, 3), 0.72 * height_m)
        stage.add(_clump(radius, part, rng).placed(foot + offset))


def _clump(radius_m: float, part: int, rng: np.random.Generator) -> Mesh:
    polar = np.linspace(0.0, math.pi, 12)
    profile = np.stack([radius_m * np.sin(polar), -radius_m * np.cos(polar)], axis=1)
    ball = lathe(profile, 18, Material.LEAVES, part)
    uneven = 1.0 + rng.normal(0.0, 0.16, (len(ball.points_enu_m), 1))
    points = _welded(ball.points_enu_m, ball.points_enu_m * uneven)
    return replace(
        ball, points_enu_m=points, texture=points, normals=vertex_normals(points, ball.triangles)
    )


def post(stage: Stage, foot: FloatArray, radius_m: float, height_m: float, band_m: float) -> None:
    """A banded post, red and white."""
    part = stage.part(0.50, 0.03, 0.02, band_m, 0.72, 0.72, 0.70)
    stage.add(cylinder(radius_m, height_m, Material.BANDED, part).placed(foot))


def lamp_post(stage: Stage, foot: FloatArray, arm: FloatArray) -> None:
    """A street lamp: pole and head."""
    grey = stage.part(0.20, 0.22, 0.22, 0.2)
    stage.add(cylinder(0.075, 6.0, Material.PLAIN, grey).placed(foot))
    yaw = math.atan2(arm[1], arm[0])
    head = box((0.7, 0.26, 0.12), Material.PLAIN, grey)
    stage.add(head.placed(_above(foot + 0.3 * arm, 6.0), yaw))


def cone(stage: Stage, foot: FloatArray) -> None:
    """A traffic cone, half a metre high."""
    part = stage.part(0.72, 0.12, 0.02, 0.11, 0.75, 0.75, 0.74, 0.10)
    base = box((0.30, 0.30, 0.03), Material.PLAIN, stage.part(0.06, 0.06, 0.06, 0.0))
    body = lathe(np.array([[0.12, 0.03], [0.03, 0.50], [0.0, 0.50]]), 20, Material.BANDED, part)
    stage.add(joined([base, body]).placed(foot))


def scale_bar(stage: Stage, foot: FloatArray, yaw_rad: float, length_m: float) -> FloatArray:
    """A flat bar on the ground; returns the (2, 3) centres of its two targets, on its top."""
    half_width, thickness = 0.05, 0.02
    part = stage.part(0.8, 0.8, 0.8, length_m, half_width)
    bar = box((length_m + 4.0 * half_width, 2.0 * half_width, thickness), Material.SCALE_BAR, part)
    stage.add(bar.placed(foot, yaw_rad))
    along = 0.5 * length_m * np.array([math.cos(yaw_rad), math.sin(yaw_rad), 0.0])
    top = _above(foot, thickness)
    return np.stack([top - along, top + along])


def fragment(
    stage: Stage, foot: FloatArray, size_m: float, color: Color, rng: np.random.Generator
) -> None:
    """A broken piece of plastic or metal, lying tilted."""
    aspect = rng.uniform([0.7, 0.3, 0.08], [1.4, 0.8, 0.35])
    piece = box(size_m * aspect, Material.PLAIN, stage.part(*color, rng.uniform(0.0, 0.7)))
    points = piece.points_enu_m + rng.normal(0.0, 0.10 * size_m, piece.points_enu_m.shape) * [
        1.0,
        1.0,
        0.3,
    ]
    points = _welded(piece.points_enu_m, points)
    tilt = rng.uniform(-0.25, 0.25)
    rotation = np.array(
        [
            [math.cos(tilt), 0.0, math.sin(tilt)],
            [0.0, 1.0, 0.0],
            [-math.sin(tilt), 0.0, math.cos(tilt)],
        ]
    )
    points = points @ rotation.T
    points[:, 2] -= points[:, 2].min() + 0.003
    piece = replace(piece, points_enu_m=points, normals=vertex_normals(points, piece.triangles))
    stage.add(piece.placed(foot, rng.uniform(0.0, 2.0 * math.pi)))


def _welded(before: FloatArray, after: FloatArray) -> FloatArray:
    """Give vertices that shared a place the same new place, so that faces stay joined."""
    _, first, inverse = np.unique(
        np.round(before, 9), axis=0, return_index=True, return_inverse=True
    )
    return np.ascontiguousarray(after[first][inverse.ravel()])
