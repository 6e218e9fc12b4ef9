"""From the pairs' hypotheses to one depth map per photo, and from those to one cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry import kernels
from droneteam.photogrammetry.scene import DenseCloud, FloatArray, View

Float32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]

NOTHING: Bytes = np.zeros((0, 0), np.uint8)

SIGMA_FLOOR_PX = 0.05
"""What calibration and interpolation leave of a disparity's error however good its texture."""
NORMAL_HALF_PX = 2
NORMAL_TOLERANCE = 0.01
ROW_BLOCK = 256
MIN_FACING_COS = 0.1
"""Surfaces seen more grazing than this (84 degrees) are left to other photos."""
CORRELATION_INFLATION = 1.6
"""Neighbouring photos share pairs and calibration: their errors are not independent.  Calibrated
on synthetic scenes, where it brings the normalised error's spread to about one."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """A photo's surface on its undistorted pinhole grid.

    inverse_depth, sigma : (h, w) float32, 1/m, NaN where unknown; matrix : (3, 3) of the grid
    """

    inverse_depth: Float32
    sigma: Float32


def merge(inverse: Float32, sigma: Float32, view: View) -> tuple[DepthMap, Bytes]:
    """The consensus depth map of (k, h, w) hypotheses and how many agreed at each pixel."""
    floor = SIGMA_FLOOR_PX / view.camera.focal_px[0] / BASE_TO_HEIGHT
    merged, spread, count = kernels.merge_hypotheses(inverse, sigma, floor)
    return DepthMap(merged, spread), count


BASE_TO_HEIGHT = 0.17
"""Tangent of the ideal ray angle; turns the floor in pixels into one relative to depth."""


def fuse(
    views: tuple[View, ...],
    maps: Callable[[int], DepthMap],
    colours: Callable[[int], Bytes],
    partners: list[list[int]],
    min_views: int,
    progress: Callable[[float], None],
) -> DenseCloud:
    """One cloud of the points on which at least `min_views` photos agree.

    maps, colours : load a photo's depth map and its colours on the same grid; partners : the
    views to ask about each view's points.  Views with the finest ground sampling go first; a
    pixel that an earlier view's point already covers is not emitted again.
    """
    order = sorted(range(len(views)), key=lambda v: (_median_gsd(maps(v), views[v]), v))
    visited = {v: np.zeros(maps(v).inverse_depth.shape, np.uint8) for v in order}
    parts: list[DenseCloud] = []
    for done, view in enumerate(order):
        if partners[view]:
            image = colours(view)
            for block in _blocks(maps(view), views[view], image, visited[view]):
                parts.append(_agreed(block, views, maps, partners[view], visited, min_views))
        visited[view] = NOTHING
        progress((done + 1) / len(order))
    return concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Points of some rows of one photo, before anyone else was asked."""

    points: FloatArray
    normals: FloatArray
    sigma: FloatArray
    gsd: FloatArray
    colors: Bytes


def _blocks(depth: DepthMap, view: View, image: Bytes, visited: Bytes) -> Iterator[_Block]:
    """Blocks of the photo's own points that no earlier photo has emitted."""
    height = depth.inverse_depth.shape[0]
    for start in range(0, height, ROW_BLOCK):
        top, bottom = (
            max(0, start - NORMAL_HALF_PX),
            min(height, start + ROW_BLOCK + NORMAL_HALF_PX),
        )
        matrix = view.camera.matrix
        matrix[1, 2] -= top
        normals = kernels.normals_of_inverse_depth(
            np.ascontiguousarray(depth.inverse_depth[top:bottom]),
            matrix,
            NORMAL_HALF_PX,
            NORMAL_TOLERANCE,
        )[start - top : start - top + ROW_BLOCK]
        rows = slice(start, min(height, start + ROW_BLOCK))
        yield _lift(depth, view, normals, image, visited, rows)


def _lift(
    depth: DepthMap, view: View, normals: Float32, image: Bytes, visited: Bytes, rows: slice
) -> _Block:
    inverse = np.asarray(depth.inverse_depth[rows], dtype=np.float64)
    keep = np.isfinite(inverse) & np.isfinite(normals[..., 0]) & (visited[rows] == 0)
    row, column = np.nonzero(keep)
    (fx, fy), (cx, cy) = view.camera.focal_px, view.camera.principal_px
    ray = np.stack(
        [(column + 0.5 - cx) / fx, (row + rows.start + 0.5 - cy) / fy, np.ones(len(row))], axis=1
    )
    z = 1.0 / inverse[keep]
    local_normals = normals[keep].astype(np.float64)
    facing = -np.sum(ray * local_normals, axis=1)
    ok = facing > MIN_FACING_COS * np.linalg.norm(ray, axis=1)
    rotation = view.cam_from_enu[:, :3]
    points = (ray * z[:, None] - view.cam_from_enu[:, 3]) @ rotation
    spread = np.asarray(depth.sigma[rows], dtype=np.float64)[keep] * z * z * facing
    return _Block(
        points=np.ascontiguousarray(points[ok]),
        normals=np.ascontiguousarray(local_normals[ok] @ rotation),
        sigma=spread[ok],
        gsd=(z / fx)[ok],
        colors=image[rows][keep][ok],
    )


def _agreed(
    block: _Block,
    views: tuple[View, ...],
    maps: Callable[[int], DepthMap],
    partners: list[int],
    visited: dict[int, Bytes],
    min_views: int,
) -> DenseCloud:
    """The block's points that enough other photos confirm, moved to where they agree."""
    n = len(block.points)
    own = 1.0 / np.maximum(block.sigma, 1e-12) ** 2
    shift, weight, square = np.zeros(n), own.copy(), np.zeros(n)
    agreeing, conflicting = np.ones(n, np.uint8), np.zeros(n, np.uint8)
    for partner in partners:
        other = maps(partner)
        spare = np.zeros(
            other.inverse_depth.shape if not visited[partner].size else (0, 0), np.uint8
        )
        kernels.agree_with_view(
            block.points, block.normals, block.sigma, block.gsd,
            views[partner].cam_from_enu, views[partner].camera.matrix,
            other.inverse_depth, other.sigma,
            shift, weight, square, agreeing, conflicting,
            visited[partner] if visited[partner].size else spare,
        )  # fmt: skip
    keep = (agreeing >= min_views) & (conflicting < agreeing)
    mean = shift / weight
    variance = np.maximum(square / weight - mean * mean, 0.0) / agreeing
    sigma = CORRELATION_INFLATION * np.sqrt(1.0 / weight + variance)
    points = block.points + mean[:, None] * block.normals
    return DenseCloud(
        points_enu_m=points[keep],
        normals=block.normals[keep].astype(np.float32),
        colors=block.colors[keep],
        sigma_m=sigma[keep].astype(np.float32),
        n_views=agreeing[keep],
    )


def concatenate(parts: list[DenseCloud]) -> DenseCloud:
    """One cloud of several; of none, an empty one.

    Empties the list as it goes: the points are never held twice.
    """
    n = sum(len(part.points_enu_m) for part in parts)
    cloud = DenseCloud(
        points_enu_m=np.empty((n, 3)),
        normals=np.empty((n, 3), np.float32),
        colors=np.empty((n, 3), np.uint8),
        sigma_m=np.empty(n, np.float32),
        n_views=np.empty(n, np.uint8),
    )
    end = n
    while parts:
        part = parts.pop()
        start = end - len(part.points_enu_m)
        for field in fields(DenseCloud):
            getattr(cloud, field.name)[start:end] = getattr(part, field.name)
        end = start
    return cloud


def _median_gsd(depth: DepthMap, view: View) -> float:
    sample = np.asarray(depth.inverse_depth[::8, ::8])
    known = sample[np.isfinite(sample)]
    return float(1.0 / (np.median(known) * view.camera.focal_px[0])) if known.size else np.inf
