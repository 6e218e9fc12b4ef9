"""The ground: roads with crown and kerbs, pavements, and verges with gentle relief.

The layout is a set of road corridors along the two axes of a road frame (s along the main
road, t to its left).  Every cell of a rectilinear grid belongs to one surface, whose height is
a function of (s, t); where two neighbouring cells disagree, as at a kerb, a vertical face joins
them.  What comes out is the exact ground: no other description of it exists.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sitl.materials import Material
from sitl.mesh import FloatArray, IntArray, Mesh, joined, vertex_normals
from sitl.noise import value_noise

KERB_HEIGHT_M = 0.12
KERB_WIDTH_M = 0.15
PAVEMENT_FALL = 0.02
"""Rise of the pavement away from the kerb, as a slope (usual drainage fall)."""
RELIEF_RAMP_M = 4.0
"""Distance from the pavement over which the verge's relief grows to its full amplitude."""


@dataclass(frozen=True, slots=True)
class Corridor:
    """A straight road in the road frame.

    axis : "s" runs along s at t = centre_m; "t" runs along t at s = centre_m.
    start_m, end_m : where it begins and ends along its axis.
    """

    axis: str
    centre_m: float
    width_m: float
    start_m: float
    end_m: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A street plan and its vertical shape."""

    corridors: tuple[Corridor, ...]
    heading_rad: float
    pavement_m: float
    crown: float
    """Cross slope at the road's edge; the section is a parabola."""
    grade: float
    """Longitudinal slope along s."""
    relief_m: float
    cell_m: float
    seed: int

    def enu_from_road(self, s: FloatArray, t: FloatArray, z: FloatArray) -> FloatArray:
        """(..., 3) points_enu_m of road coordinates."""
        c, k = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return np.stack(np.broadcast_arrays(c * s - k * t, k * s + c * t, z), axis=-1)

    def direction(self, angle_from_road_rad: float) -> FloatArray:
        """The horizontal ENU unit vector at an angle counter-clockwise from the road's s."""
        a = self.heading_rad + angle_from_road_rad
        return np.array([math.cos(a), math.sin(a), 0.0])


def ground_mesh(layout: Layout, near_m: float, far_m: float) -> Mesh:
    """The whole ground, finely meshed within near_m of the origin, coarsely to far_m."""
    s_lines = _grid_lines(layout, "s", near_m, far_m)
    t_lines = _grid_lines(layout, "t", near_m, far_m)
    s_mid, t_mid = (0.5 * (v[1:] + v[:-1]) for v in (s_lines, t_lines))
    distance = _distance_to_road(layout, *np.meshgrid(s_mid, t_mid, indexing="ij"))
    kinds = _kind_of(layout, distance)
    corners = _corner_heights(layout, kinds, s_lines, t_lines)
    parts = [_surface(layout, kinds, corners, s_lines, t_lines, kind) for kind in np.unique(kinds)]
    return joined(parts + _walls(layout, kinds, corners, s_lines, t_lines))


def surface_height(layout: Layout, kind: int, s: FloatArray, t: FloatArray) -> FloatArray:
    """The height of one surface at road coordinates, whether or not it is there."""
    base = layout.grade * s
    if kind == Material.ASPHALT:
        return base + _crown(layout, s, t)
    outside = _distance_to_road(layout, s, t)
    raised = base + KERB_HEIGHT_M + PAVEMENT_FALL * np.minimum(outside, layout.pavement_m)
    if kind != Material.GRASS:
        return raised
    ramp = np.clip((outside - layout.pavement_m) / RELIEF_RAMP_M, 0.0, 1.0)
    return raised + layout.relief_m * ramp * _relief(layout, s, t)


def _grid_lines(layout: Layout, axis: str, near_m: float, far_m: float) -> FloatArray:
    fine = np.arange(-near_m, near_m + 1e-9, layout.cell_m)
    step, edge, coarse = layout.cell_m, near_m, []
    while edge < far_m:
        step *= 1.25
        edge += step
        coarse.append(edge)
    breaks = [0.0]
    for road in layout.corridors:
        if road.axis == axis:
            breaks += [road.start_m, road.end_m]
            continue
        for side in (-0.5, 0.5):
            edge_at = road.centre_m + side * road.width_m
            sign = math.copysign(1.0, side)
            offsets = (0.0, KERB_WIDTH_M, layout.pavement_m)
            breaks += [edge_at + sign * o for o in offsets]
    lines = np.concatenate([fine, coarse, [-v for v in coarse]])
    near_break = np.abs(lines[:, None] - np.asarray(breaks)).min(axis=1) < 0.25 * layout.cell_m
    lines = np.concatenate([lines[~near_break], breaks])
    return np.unique(np.round(lines[np.abs(lines) <= far_m * 1.3], 9))


def _distance_to_road(layout: Layout, s: FloatArray, t: FloatArray) -> FloatArray:
    """Chessboard distance to the nearest carriageway; negative or zero inside."""
    best = np.full(np.shape(s), np.inf)
    for road in layout.corridors:
        along, across = (s, t) if road.axis == "s" else (t, s)
        beside = np.abs(across - road.centre_m) - 0.5 * road.width_m
        beyond = np.maximum(road.start_m - along, along - road.end_m)
        best = np.minimum(best, np.maximum(beside, beyond))
    return best


def _kind_of(layout: Layout, distance: FloatArray) -> IntArray:
    limits = [0.0, KERB_WIDTH_M, layout.pavement_m]
    kinds = [Material.ASPHALT, Material.KERB, Material.PAVEMENT]
    chosen = np.select([distance <= v for v in limits], kinds, Material.GRASS)
    return np.asarray(chosen, dtype=np.int32)


def _crown(layout: Layout, s: FloatArray, t: FloatArray) -> FloatArray:
    rise = np.zeros(np.broadcast(s, t).shape)
    for road in layout.corridors:
        across = t if road.axis == "s" else s
        along = s if road.axis == "s" else t
        half = 0.5 * road.width_m
        inside = (along >= road.start_m) & (along <= road.end_m)
        parabola = 0.5 * layout.crown * half * (1.0 - ((across - road.centre_m) / half) ** 2)
        rise = np.maximum(rise, np.where(inside, parabola, 0.0))
    return rise


def _relief(layout: Layout, s: FloatArray, t: FloatArray) -> FloatArray:
    """Rolling relief, about in [-1, 1], with waves of 9 and 3 m."""
    flat = np.stack(np.broadcast_arrays(s, t), -1).reshape(-1, 2)
    values = [
        value_noise(x / 9.0, y / 9.0, layout.seed) + 0.25 * value_noise(x / 3.0, y / 3.0, 7)
        for x, y in flat
    ]
    return np.asarray(values).reshape(np.broadcast(s, t).shape)


def _corner_heights(
    layout: Layout, kinds: IntArray, s_lines: FloatArray, t_lines: FloatArray
) -> FloatArray:
    """(cells_s, cells_t, 2, 2) heights of every cell's corners on its own surface."""
    s, t = np.meshgrid(s_lines, t_lines, indexing="ij")
    corners = np.empty((*kinds.shape, 2, 2))
    for kind in np.unique(kinds):
        height = surface_height(layout, int(kind), s, t)
        mask = kinds == kind
        for i in (0, 1):
            for j in (0, 1):
                view = height[i : i + kinds.shape[0], j : j + kinds.shape[1]]
                corners[mask, i, j] = view[mask]
    return corners


def _surface(
    layout: Layout,
    kinds: IntArray,
    corners: FloatArray,
    s_lines: FloatArray,
    t_lines: FloatArray,
    kind: int,
) -> Mesh:
    """All cells of one kind; they share their corners, so the shading is smooth."""
    i, j = np.nonzero(kinds == kind)
    columns = len(t_lines)
    index = np.stack(
        [i * columns + j, (i + 1) * columns + j, (i + 1) * columns + j + 1, i * columns + j + 1],
        axis=1,
    )
    heights = np.stack(
        [corners[i, j, 0, 0], corners[i, j, 1, 0], corners[i, j, 1, 1], corners[i, j, 0, 1]], axis=1
    )
    used, first, inverse = np.unique(index.ravel(), return_index=True, return_inverse=True)
    s, t = s_lines[used // columns], t_lines[used % columns]
    points = layout.enu_from_road(s, t, heights.ravel()[first])
    four = inverse.reshape(-1, 4)
    triangles = np.concatenate([four[:, [0, 1, 2]], four[:, [0, 2, 3]]]).astype(np.int32)
    return Mesh(
        points_enu_m=points,
        normals=vertex_normals(points, triangles),
        texture=np.stack([s, t, np.zeros_like(s)], axis=1),
        triangles=triangles,
        materials=np.full(len(triangles), kind, np.int32),
        parts=np.zeros(len(triangles), np.int32),
    )


def _walls(
    layout: Layout,
    kinds: IntArray,
    corners: FloatArray,
    s_lines: FloatArray,
    t_lines: FloatArray,
) -> list[Mesh]:
    """Vertical faces between neighbouring cells whose shared edge differs in height."""
    walls = []
    for axis in (0, 1):
        low = corners[:-1] if axis == 0 else corners[:, :-1]
        high = corners[1:] if axis == 0 else corners[:, 1:]
        near = low[:, :, 1, :] if axis == 0 else low[:, :, :, 1]
        far = high[:, :, 0, :] if axis == 0 else high[:, :, :, 0]
        gap = np.abs(near - far).max(axis=-1)
        i, j = np.nonzero(gap > 1e-9)
        if len(i) == 0:
            continue
        if axis == 0:
            s = np.stack([s_lines[i + 1], s_lines[i + 1]], 1)
            t = np.stack([t_lines[j], t_lines[j + 1]], 1)
        else:
            s = np.stack([s_lines[i], s_lines[i + 1]], 1)
            t = np.stack([t_lines[j + 1], t_lines[j + 1]], 1)
        walls.append(_wall(layout, s, t, near[i, j], far[i, j], axis))
    return walls


def _wall(
    layout: Layout, s: FloatArray, t: FloatArray, near: FloatArray, far: FloatArray, axis: int
) -> Mesh:
    """(n, 2) wall feet and the heights of both sides → one mesh of n upright faces."""
    low, top = np.minimum(near, far), np.maximum(near, far)
    ring_s, ring_t = s[:, [0, 1, 1, 0]], t[:, [0, 1, 1, 0]]
    ring_z = np.stack([low[:, 0], low[:, 1], top[:, 1], top[:, 0]], axis=1)
    points = layout.enu_from_road(ring_s, ring_t, ring_z).reshape(-1, 3)
    along = ring_t if axis == 0 else ring_s
    rises = (far.mean(axis=1) > near.mean(axis=1)).astype(float)
    outward = np.where(rises > 0.0, -1.0, 1.0)[:, None]
    normal = outward * layout.direction(0.0 if axis == 0 else 0.5 * math.pi)
    start = 4 * np.arange(len(s), dtype=np.int32)[:, None]
    triangles = np.concatenate([start + np.array(v, np.int32) for v in ([0, 1, 2], [0, 2, 3])])
    return Mesh(
        points_enu_m=points,
        normals=np.repeat(normal, 4, axis=0),
        texture=np.stack([along, ring_z, np.zeros_like(along)], -1).reshape(-1, 3),
        triangles=triangles,
        materials=np.full(len(triangles), Material.KERB, np.int32),
        parts=np.zeros(len(triangles), np.int32),
    )
