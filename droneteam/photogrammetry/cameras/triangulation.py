"""Points from marks in several photos with given cameras.

Pure: the views are stacked once into arrays (`Optics`), which the compiled kernels take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras import bundle_kernels as kernels
from droneteam.photogrammetry.scene import Camera, FloatArray, View

IntArray = NDArray[np.int64]


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
