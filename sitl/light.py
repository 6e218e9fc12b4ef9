"""Sun and sky: the shadow map along the sun's rays and how much sky every spot sees.

Both are height maps of the mesh along a direction: a spot is in shadow of that direction when
something stands higher above it along the ray.  One fine map serves the sun; two dozen coarse
ones over the sky dome give the ambient light under and beside cars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sitl.jit import Vector, kernel
from sitl.materials import GROUND_LAST
from sitl.mesh import Float32Array, FloatArray, Mesh
from sitl.raster import height_map

SUN_CELL_M = 0.015
"""Cell of the sun's shadow map; bilinear lookups soften edges about as the sun's disc does."""
SKY_CELL_M = 0.05
SKY_DIRECTIONS = 24


@dataclass(frozen=True, slots=True)
class ShadowMap:
    """Heights along a direction over a grid across it.

    axes : (3, 3), rows across, up and along (towards the light); corner : (2,) of the grid
    """

    axes: FloatArray
    corner: FloatArray
    cell_m: float
    height: Float32Array


@dataclass(frozen=True, slots=True)
class Light:
    """Everything the shader needs to know about light that does not depend on the camera.

    sky_at_vertices : (n,) share of the sky that each vertex sees
    sky_on_ground : (rows, columns) share above the ground, over ground_grid (west, south, cell)
    """

    sun: FloatArray
    shadow: ShadowMap
    sky_at_vertices: Float32Array
    sky_on_ground: Float32Array
    ground_grid: FloatArray


def lit(mesh: Mesh, sun_azimuth_deg: float, sun_elevation_deg: float, radius_m: float) -> Light:
    """Bake the light of a mesh within radius_m of the world's origin."""
    sun = _direction(math.radians(sun_azimuth_deg), math.radians(sun_elevation_deg))
    shadow = shadow_map(mesh, sun, SUN_CELL_M, radius_m)
    skies = [shadow_map(mesh, d, SKY_CELL_M, radius_m) for d in _sky_directions()]
    count = int(2.0 * radius_m / SKY_CELL_M)
    centres = (np.arange(count) + 0.5) * SKY_CELL_M - radius_m
    x, y = np.meshgrid(centres, centres)
    spots = np.stack([x.ravel(), y.ravel(), _ground_heights(mesh, count, radius_m)], axis=1)
    ground = _sky_share(spots, np.tile([0.0, 0.0, 1.0], (len(spots), 1)), skies)
    return Light(
        sun=sun,
        shadow=shadow,
        sky_at_vertices=_sky_share(mesh.points_enu_m, mesh.normals, skies),
        sky_on_ground=ground.reshape(count, count),
        ground_grid=np.array([-radius_m, -radius_m, SKY_CELL_M]),
    )


def shadow_map(mesh: Mesh, towards: FloatArray, cell_m: float, radius_m: float) -> ShadowMap:
    """The mesh's heights along a direction, over a square across it."""
    across = np.cross([0.0, 0.0, 1.0], towards)
    if np.linalg.norm(across) < 1e-9:
        across = np.array([1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(towards, across), towards])
    corner = np.array([-radius_m, -radius_m])
    count = int(2.0 * radius_m / cell_m)
    height = np.full((count, count), -1e9, np.float32)
    corners = mesh.points_enu_m[mesh.triangles] @ axes.T
    corners[..., :2] -= corner
    height_map(np.ascontiguousarray(corners), cell_m, height)
    return ShadowMap(axes, corner, cell_m, height)


def _direction(azimuth_rad: float, elevation_rad: float) -> FloatArray:
    c = math.cos(elevation_rad)
    return np.array([c * math.sin(azimuth_rad), c * math.cos(azimuth_rad), math.sin(elevation_rad)])


def _sky_directions() -> list[FloatArray]:
    """Cosine-weighted directions over the dome (Vogel's spiral on the unit disc)."""
    directions = []
    for k in range(SKY_DIRECTIONS):
        radius = math.sqrt((k + 0.5) / SKY_DIRECTIONS)
        directions.append(_direction(k * 2.399963, math.acos(min(radius, 0.985))))
    return directions


def _ground_heights(mesh: Mesh, count: int, radius_m: float) -> FloatArray:
    ground = mesh.triangles[mesh.materials <= GROUND_LAST]
    corners = mesh.points_enu_m[ground] + [radius_m, radius_m, 0.0]
    height = np.full((count, count), -1e9, np.float32)
    height_map(np.ascontiguousarray(corners), SKY_CELL_M, height)
    return height.ravel().astype(np.float64)


def _sky_share(points: FloatArray, normals: FloatArray, skies: list[ShadowMap]) -> Float32Array:
    total = np.zeros(len(points), np.float32)
    for sky in skies:
        _add_open(points, normals, sky.axes, sky.corner, sky.cell_m, sky.height, total)
    return total / np.float32(len(skies))


@kernel
def _add_open(
    points: FloatArray,
    normals: FloatArray,
    axes: FloatArray,
    corner: FloatArray,
    cell_m: float,
    height: Float32Array,
    total: Float32Array,
) -> None:
    """Add 1 where the direction is open; points start a little above their surface."""
    for n in range(len(points)):
        x = points[n, 0] + 0.03 * normals[n, 0]
        y = points[n, 1] + 0.03 * normals[n, 1]
        z = points[n, 2] + 0.03 * normals[n, 2]
        a = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
        b = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
        h = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z
        j = math.floor((a - corner[0]) / cell_m)
        i = math.floor((b - corner[1]) / cell_m)
        inside = 0 <= i < height.shape[0] and 0 <= j < height.shape[1]
        if not (inside and height[i, j] > h + 0.05):
            total[n] += 1.0


@kernel
def sun_share(
    at: Vector,
    slope: float,
    axes: FloatArray,
    corner: FloatArray,
    cell_m: float,
    height: Float32Array,
) -> float:
    """Share of the sun that reaches a spot; four neighbouring cells, bilinear.

    slope : tangent of the angle between the surface and the map's plane, for the depth bias
    """
    x, y, z = at
    a = axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z
    b = axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z
    h = axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z + 0.006 + cell_m * min(slope, 6.0)
    u = (a - corner[0]) / cell_m - 0.5
    v = (b - corner[1]) / cell_m - 0.5
    j = math.floor(u)
    i = math.floor(v)
    if i < 0 or j < 0 or i + 1 >= height.shape[0] or j + 1 >= height.shape[1]:
        return 1.0
    u -= j
    v -= i
    open_00 = 1.0 if height[i, j] <= h else 0.0
    open_01 = 1.0 if height[i, j + 1] <= h else 0.0
    open_10 = 1.0 if height[i + 1, j] <= h else 0.0
    open_11 = 1.0 if height[i + 1, j + 1] <= h else 0.0
    low = open_00 + (open_01 - open_00) * u
    return float(low + (open_10 + (open_11 - open_10) * u - low) * v)


@kernel
def sky_over_ground(x: float, y: float, grid: FloatArray, share: Float32Array) -> float:
    """Bilinear share of the sky above the ground; 1 outside the baked square."""
    u = (x - grid[0]) / grid[2] - 0.5
    v = (y - grid[1]) / grid[2] - 0.5
    j = math.floor(u)
    i = math.floor(v)
    if i < 0 or j < 0 or i + 1 >= share.shape[0] or j + 1 >= share.shape[1]:
        return 1.0
    u -= j
    v -= i
    low = share[i, j] + (share[i, j + 1] - share[i, j]) * u
    high = share[i + 1, j] + (share[i + 1, j + 1] - share[i + 1, j]) * u
    return float(low + (high - low) * v)
