"""Points from marks in several photos with given cameras.

Pure: the views are stacked once into arrays (`Optics`), which the compiled kernels take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry import bundle_kernels as kernels
from droneteam.photogrammetry.scene import Camera, FloatArray, View

IntArray = NDArray[np.int64]

MARK_SIGMAS = 5.0
"""Normalised residual of a mark that is called wrong."""
REFITS = 5
"""How often the point and the marks that agree with it are found anew from each other."""
MIN_PAIR_ANGLE_DEG = 1.0
"""Two rays closer to each other than this place no point that others could be judged by."""


def intrinsics_row(camera: Camera) -> FloatArray:
    """(12,) f, fy / fx, cx, cy, k1, k2, p1, p2, k3, k4, k5, k6."""
    fx, fy = camera.focal_px
    return np.concatenate([[fx, fy / fx], camera.principal_px, camera.distortion])


def camera_from_row(row: FloatArray, like: Camera) -> Camera:
    """The camera of a row of intrinsics, in the simplest of PINHOLE, OPENCV, FULL_OPENCV."""
    f, aspect, cx, cy, *distortion = (float(v) for v in row)
    pinhole = (f, f * aspect, cx, cy)
    if not any(distortion):
        return Camera("PINHOLE", like.width_px, like.height_px, pinhole)
    if not any(distortion[4:]):
        model, params = "OPENCV", (*pinhole, *distortion[:4])
    else:
        model, params = "FULL_OPENCV", (*pinhole, *distortion)
    return Camera(model, like.width_px, like.height_px, params)


@dataclass(frozen=True, slots=True, eq=False)
class Optics:
    """Poses and intrinsics of views as arrays; view_camera names each view's intrinsics row."""

    rotations: FloatArray
    centres: FloatArray
    intrinsics: FloatArray
    view_camera: IntArray


def optics(views: Sequence[View]) -> Optics:
    """The views' arrays, every view with an intrinsics row of its own."""
    return Optics(
        np.ascontiguousarray([v.cam_from_enu[:, :3] for v in views]),
        np.array([v.centre_enu_m for v in views]).reshape(-1, 3),
        np.array([intrinsics_row(v.camera) for v in views]).reshape(-1, 12),
        np.arange(len(views), dtype=np.int64),
    )


def camera_rays(row: FloatArray, pixels_px: FloatArray) -> FloatArray:
    """(n, 3) undistorted directions in camera axes with z = 1."""
    f, aspect, cx, cy = row[:4]
    matrix = np.array([[f, 0.0, cx], [0.0, f * aspect, cy], [0.0, 0.0, 1.0]])
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-12)
    points = np.ascontiguousarray(pixels_px, dtype=np.float64).reshape(-1, 1, 2)
    flat = cv2.undistortPoints(points, matrix, np.ascontiguousarray(row[4:]), criteria=criteria)
    return np.column_stack([np.asarray(flat).reshape(-1, 2), np.ones(len(points))])


def nearest_point(origins: FloatArray, directions: FloatArray) -> FloatArray | None:
    """(3,) the point nearest to all lines; None when they are parallel.

    origins, directions : (n, 3), directions of any length.
    """
    units = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    across = np.eye(3) - units[:, :, None] * units[:, None, :]
    matrix = across.sum(axis=0)
    if np.linalg.cond(matrix) > 1e10:
        return None
    return np.asarray(np.linalg.solve(matrix, np.einsum("nij,nj->i", across, origins)))


@dataclass(frozen=True, slots=True, eq=False)
class Intersection:
    """A point from its marks.

    normal : (3, 3) information of the marks; jacobian : (m, 2, 21) of each mark with respect to
    its view's pose (6), intrinsics (12) and the point (3); residuals : (m, 2) pixels.
    angle_deg : the widest angle between two rays.
    """

    point: FloatArray
    normal: FloatArray
    jacobian: FloatArray
    residuals: FloatArray
    angle_deg: float


def intersect(
    arrays: Optics, views: IntArray, pixels: FloatArray, sigma_px: FloatArray
) -> Intersection | None:
    """The point that fits the marks best; None when the rays do not meet in front of the cameras.

    views : (m,) indices, m ≥ 2; pixels : (m, 2); sigma_px : (m,).
    """
    rays = ray_directions(arrays, views, pixels)
    point = nearest_point(arrays.centres[views], rays) if len(views) > 1 else None
    if point is None:
        return None
    weight = np.repeat(1.0 / sigma_px**2, 2)
    for _ in range(10):
        projected, jacobian = project_point(arrays, views, point)
        if not np.isfinite(projected).all():
            return None
        residuals = pixels - projected
        j = jacobian[:, :, 18:].reshape(-1, 3)
        normal = j.T @ (weight[:, None] * j)
        if not np.linalg.cond(normal) < 1e14:
            return None
        step = np.linalg.solve(normal, j.T @ (weight * residuals.ravel()))
        point = point + step
        if np.linalg.norm(step) < 1e-10 * (1.0 + np.linalg.norm(point)):
            break
    return Intersection(point, normal, jacobian, residuals, _widest_angle_deg(rays))


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """A point that most of its marks agree on.

    found : from the agreeing marks alone, in their order.
    agrees : (m,) which of the marks those are; off_px : (m,) how far each mark lies from where the
    point projects, infinite behind a camera.
    """

    found: Intersection
    agrees: NDArray[np.bool_]
    off_px: FloatArray


def consensus(
    arrays: Optics,
    views: IntArray,
    pixels: FloatArray,
    sigma_px: FloatArray,
    *,
    slack_px: float = 0.0,
) -> Consensus | None:
    """The point that the largest set of agreeing marks gives; None where no such set stands out.

    Where all marks agree this is `intersect`.  Otherwise every pair of rays proposes a point and
    the one with the most marks near it wins (all pairs instead of RANSAC's random ones: marks are
    few).  Two marks that contradict each other, or two equally large sets, are not decided.

    slack_px : how far a good mark may lie off beyond its own noise, because the cameras are not
    exact yet.
    """
    tolerance = MARK_SIGMAS * sigma_px + slack_px
    everything = intersect(arrays, views, pixels, sigma_px)
    if everything is not None:
        off = np.linalg.norm(everything.residuals, axis=1)
        if (off <= tolerance).all():
            return Consensus(everything, np.ones(len(views), dtype=bool), off)
    agrees = _largest_set(_agreeing_sets(arrays, views, pixels, tolerance))
    for _ in range(REFITS if agrees is not None else 0):
        assert agrees is not None
        found = intersect(arrays, views[agrees], pixels[agrees], sigma_px[agrees])
        if found is None:
            return None
        off = _distances_px(arrays, views, pixels, found.point)
        if ((off <= tolerance) == agrees).all():
            return Consensus(found, agrees, off)
        agrees = off <= tolerance
        if np.count_nonzero(agrees) < 2:
            return None
    return None


def _largest_set(sets: list[NDArray[np.bool_]]) -> NDArray[np.bool_] | None:
    """The largest set, when no other one that shares less than half with it is as large."""
    if not sets:
        return None
    best = max(sets, key=np.count_nonzero)
    size = np.count_nonzero(best)
    rivals = (s for s in sets if 2 * np.count_nonzero(s & best) <= np.count_nonzero(s))
    return None if any(np.count_nonzero(s) == size for s in rivals) else best


def _agreeing_sets(
    arrays: Optics, views: IntArray, pixels: FloatArray, tolerance: FloatArray
) -> list[NDArray[np.bool_]]:
    """For every pair of rays that meet, (m,) which marks their point explains."""
    rays = ray_directions(arrays, views, pixels)
    units = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    widest = np.cos(np.radians(MIN_PAIR_ANGLE_DEG))
    found = []
    for i, j in combinations(range(len(views)), 2):
        if units[i] @ units[j] > widest:
            continue
        both = np.array([i, j])
        point = nearest_point(arrays.centres[views[both]], units[both])
        if point is None:
            continue
        near = _distances_px(arrays, views, pixels, point) <= tolerance
        if near[both].all():
            found.append(near)
    return found


def _distances_px(
    arrays: Optics, views: IntArray, pixels: FloatArray, point: FloatArray
) -> FloatArray:
    """(m,) from each mark to the point's projection; infinite behind a camera."""
    projected, _ = project_point(arrays, views, point)
    off = np.linalg.norm(pixels - projected, axis=1)
    return np.asarray(np.where(np.isfinite(off), off, np.inf))


def ray_directions(arrays: Optics, views: IntArray, pixels: FloatArray) -> FloatArray:
    """(m, 3) directions in the network's frame of marks in views, of any length."""
    return np.array(
        [
            arrays.rotations[v].T @ camera_rays(arrays.intrinsics[arrays.view_camera[v]], xy)[0]
            for v, xy in zip(views, pixels, strict=True)
        ]
    )


def project_point(
    arrays: Optics, views: IntArray, point: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(m, 2) pixels of a point and their (m, 2, 21) derivatives; NaN behind a camera."""
    rows = np.zeros(len(views), dtype=np.int64)
    pixels, jacobian = kernels.jacobians(
        point[None], rows, views,
        arrays.rotations, arrays.centres, arrays.intrinsics, arrays.view_camera,
    )  # fmt: skip
    return np.asarray(pixels), np.asarray(jacobian)


def _widest_angle_deg(rays: FloatArray) -> float:
    units = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    cosine = np.clip(units @ units.T, -1.0, 1.0)
    return float(np.degrees(np.arccos(cosine.min())))
