"""A thin sample of the surface that a first round of matching found, and who sees each point.

Structure from motion has points where corners are: few on paint and plaster, where planes are to be
found.  Depth maps have some there, and what several of them agree on is good enough for that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense.fuse import DepthMap
from droneteam.photogrammetry.dense.pairs import Visibility
from droneteam.photogrammetry.scene import FloatArray, View

SAMPLE_POINTS = 120_000
AGREE_GSD = 4.0
"""Depths this close, in pixels on the ground, are of one surface."""
LEAST_VIEWS = 3
"""Photos, with its own, that must have the surface where a sampled point is."""


def surface_sample(
    views: tuple[View, ...],
    maps: Callable[[int], DepthMap],
    partners: list[list[int]],
    checkers: int,
) -> Visibility:
    """Points on which at least three depth maps agree, and which photos have them.

    views : on the maps' pinhole grids; partners : the photos that may see each photo's points, of
    which the first `checkers` are asked.
    """
    total = sum(view.camera.width_px * view.camera.height_px for view in views)
    stride = max(2, round(np.sqrt(total / SAMPLE_POINTS)))
    parts: list[FloatArray] = []
    columns: list[NDArray[np.bool_]] = []
    for index, view in enumerate(views):
        points = _lifted(maps(index), view, stride)
        seen = np.zeros((len(views), len(points)), bool)
        seen[index] = True
        for partner in partners[index][:checkers]:
            seen[partner] = _has(maps(partner), views[partner], points)
        agreed = seen.sum(axis=0) >= LEAST_VIEWS
        parts.append(points[agreed])
        columns.append(seen[:, agreed])
    return Visibility(
        sparse.csr_array(np.concatenate(columns, axis=1).astype(np.int32)), np.concatenate(parts)
    )


def joined(first: Visibility, second: Visibility) -> Visibility:
    """The points of both."""
    return Visibility(
        sparse.csr_array(sparse.hstack([first.matrix, second.matrix])),
        np.concatenate([first.points_enu_m, second.points_enu_m]),
    )


def sampling_m(seen: Visibility, views: tuple[View, ...]) -> float:
    """What a pixel covers, metres: the median over photos of that at their points."""
    sampling = []
    for index, view in enumerate(views):
        points = seen.points_of(index)
        if len(points):
            depth = points @ view.cam_from_enu[2, :3] + view.cam_from_enu[2, 3]
            sampling.append(float(np.median(depth)) / view.camera.focal_px[0])
    return float(np.median(sampling))


def _lifted(depth: DepthMap, view: View, stride: int) -> FloatArray:
    """(n, 3) points of every stride-th pixel of every stride-th row."""
    inverse = np.asarray(depth.inverse_depth[stride // 2 :: stride, stride // 2 :: stride])
    row, column = np.nonzero(np.isfinite(inverse))
    z = 1.0 / inverse[row, column].astype(np.float64)
    (fx, fy), (cx, cy) = view.camera.focal_px, view.camera.principal_px
    x = (column * stride + stride // 2 + 0.5 - cx) / fx
    y = (row * stride + stride // 2 + 0.5 - cy) / fy
    local = np.stack([x * z, y * z, z], axis=1)
    return np.asarray((local - view.cam_from_enu[:, 3]) @ view.cam_from_enu[:, :3])


def _has(depth: DepthMap, view: View, points_enu_m: FloatArray) -> NDArray[np.bool_]:
    """Which of the points the view's depth map has on its surface."""
    pixels, z = optics.project(points_enu_m, view)
    has = optics.inside(pixels, view.camera, margin_px=1.0) & (z > 0.0)
    column, row = np.floor(pixels[has]).astype(np.int64).T
    there = 1.0 / np.asarray(depth.inverse_depth[row, column], dtype=np.float64)
    has[has] = np.abs(there - z[has]) <= AGREE_GSD * z[has] / view.camera.focal_px[0]
    return np.asarray(has)
