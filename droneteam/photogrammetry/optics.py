"""How a camera maps directions to pixels and back, with Brown-Conrady distortion.

The distortion is OpenCV's rational model, of which every model in `scene.CAMERA_PARAMS` is a
special case (Brown 1971; OpenCV calib3d, "Camera calibration").  Pixels follow COLMAP's
convention, the centre of the top-left pixel at (0.5, 0.5); whoever samples an array subtracts
the half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.scene import Camera, FloatArray, View

UNDISTORT_STEPS = 12
"""Newton steps; quadratic convergence reaches 1e-12 in 4 or 5 for photographic lenses."""


def scaled(camera: Camera, width_px: int, height_px: int) -> Camera:
    """The camera of the same photo resampled to another size.

    With pixel edges at integers (centre of the first at 0.5), a resize scales every pixel
    coordinate alike, the principal point included.
    """
    sx, sy = width_px / camera.width_px, height_px / camera.height_px
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    params = (fx * sx, fy * sy, cx * sx, cy * sy, *map(float, camera.distortion))
    return Camera("FULL_OPENCV", width_px, height_px, params)


def distort(normalised: FloatArray, distortion: FloatArray) -> FloatArray:
    """Distorted normalised image coordinates.

    normalised : (..., 2), x/z and y/z; distortion : (8,) in `Camera.distortion`'s order
    """
    k1, k2, p1, p2, k3, k4, k5, k6 = distortion
    x, y = normalised[..., 0], normalised[..., 1]
    r2 = x * x + y * y
    radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    return np.stack(
        [
            x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x),
            y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y,
        ],
        axis=-1,
    )


def undistort(distorted: FloatArray, distortion: FloatArray) -> FloatArray:
    """Normalised image coordinates whose distortion is the given one, by Newton's method.

    distorted : (..., 2).  Returns (..., 2).
    """
    target = np.asarray(distorted, dtype=np.float64)
    if not np.any(distortion):
        return target.copy()
    guess, step = target.copy(), 1e-6
    for _ in range(UNDISTORT_STEPS):
        error = distort(guess, distortion) - target
        dx = (distort(guess + [step, 0.0], distortion) - error - target) / step
        dy = (distort(guess + [0.0, step], distortion) - error - target) / step
        determinant = dx[..., 0] * dy[..., 1] - dy[..., 0] * dx[..., 1]
        guess[..., 0] -= (error[..., 0] * dy[..., 1] - error[..., 1] * dy[..., 0]) / determinant
        guess[..., 1] -= (error[..., 1] * dx[..., 0] - error[..., 0] * dx[..., 1]) / determinant
    return guess


def max_valid_radius(camera: Camera) -> float:
    """The normalised radius beyond which the radial distortion folds back, or infinity.

    Beyond it a far point outside the photo would land inside it again.
    """
    k1, k2, _, _, k3, k4, k5, k6 = camera.distortion
    if not np.any([k1, k2, k3, k4, k5, k6]):
        return float("inf")
    radius = np.linspace(0.0, 4.0, 4001)
    r2 = radius * radius
    mapped = radius * (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3)))
    mapped /= 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6))
    folded = np.flatnonzero(np.diff(mapped) <= 0.0)
    return float(radius[folded[0]]) if folded.size else float("inf")


def project(points_enu_m: FloatArray, view: View) -> tuple[FloatArray, FloatArray]:
    """Pixels and depths of points in a view.

    points_enu_m : (n, 3).  Returns pixels (n, 2), NaN behind the camera or where the lens model
    does not reach, and depth_m (n,) along the optical axis.
    """
    in_camera = points_enu_m @ view.cam_from_enu[:, :3].T + view.cam_from_enu[:, 3]
    depth_m = in_camera[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        normalised = in_camera[:, :2] / depth_m[:, None]
        reachable = (depth_m > 0.0) & (
            np.hypot(normalised[:, 0], normalised[:, 1]) < max_valid_radius(view.camera)
        )
    normalised = np.where(reachable[:, None], normalised, np.nan)
    focal, principal = view.camera.focal_px, view.camera.principal_px
    pixels = distort(normalised, view.camera.distortion) * focal + np.asarray(principal)
    return pixels, depth_m


def inside(pixels: FloatArray, camera: Camera, margin_px: float = 0.0) -> NDArray[np.bool_]:
    """Which pixels lie in the photo, at least `margin_px` from its border; NaN does not."""
    x, y = pixels[:, 0], pixels[:, 1]
    return np.asarray(
        (x >= margin_px)
        & (x <= camera.width_px - margin_px)
        & (y >= margin_px)
        & (y <= camera.height_px - margin_px)
    )


def rays(pixels: FloatArray, camera: Camera) -> FloatArray:
    """Directions (n, 3) in camera axes, with z = 1, of pixels (n, 2)."""
    normalised = (np.asarray(pixels) - camera.principal_px) / np.asarray(camera.focal_px)
    flat = undistort(normalised, camera.distortion)
    return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)
