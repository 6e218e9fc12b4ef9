"""Rectification of any two calibrated photos, aligned with the plane that they mostly see.

Both photos are turned about their centres until the baseline is the image's x axis (Fusiello,
Trucco & Verri, Machine Vision and Applications 2000, 12:16), whatever the photos' own
orientation.  A point then has the same row v in both, and its disparity is d = u_left - u_right
= f B / z.

On a plane the disparity is affine, d = a u + b v + c.  The right photo is therefore resampled at
u' = (u_right + b v + c) / (1 - a), which brings the plane to disparity zero; what remains,
e = u_left - u', measures the departure from the plane:  d = a u + b v + c + (1 - a) e.  Windows
then see the road undistorted from both sides in oblique photos too, and the disparities to be
searched shrink to what stands on the road.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import kernels
from droneteam.photogrammetry.scene import Camera, FloatArray, View

MAX_BASELINE_TILT_SIN = 0.85
"""Largest sine between optical axis and the plane across the baseline: beyond (58 degrees) the
rectified image is stretched more than twice; forward motion is refused so."""
MIN_POINTS = 12
"""Fewest common sparse points that give a plane and a disparity range worth trusting."""
SHEAR_LIMITS = (0.4, 2.5)
"""Allowed stretch 1 - a of the right image; outside, the pair sees the plane too differently."""
MAX_GROWTH = 2.5
"""Largest rectified image, in multiples of the photo's pixels."""
RANGE_QUANTILES = (0.005, 0.995)
MARGIN_PX = 6.0
MARGIN_FRACTION = 0.2
"""How far beyond the sparse points' disparities to search: sparse points miss thin tops."""
WALL_SHEAR_LIMITS = (0.2, 1.6)
"""Stretch allowed along a wall: a photo that sees it five times shorter than the other still says
where its courses of bricks are; the left one is always the one that sees it larger."""
WALL_MARGIN_PX = 8.0
"""How far beyond a wall's outermost points it is matched."""


@dataclass(frozen=True, slots=True, eq=False)
class PairGeometry:
    """How two photos are rectified; pixels of the rectified images are (u, v).

    rect_from_enu : (3, 3) rotation of the common rectified axes; plane : a, b, c;
    left_rays, right_rays : (3, 3), take (column, row, 1) + 0.5 of the canvas to camera axes;
    range_px : lowest and highest residual disparity e to search; outline_px : (k, 2) corners on
    the canvas of the convex shape within which it is matched, None where everywhere.
    """

    left: int
    right: int
    focal_px: float
    baseline_m: float
    rect_from_enu: FloatArray
    plane: tuple[float, float, float]
    origin_px: tuple[float, float]
    size_px: tuple[int, int]
    range_px: tuple[int, int]
    left_rays: FloatArray
    right_rays: FloatArray
    outline_px: FloatArray | None = None


def rectify_pair(
    left: int, right: int, views: tuple[View, View], points_enu_m: FloatArray
) -> PairGeometry | None:
    """The geometry of a pair, or None where stereo with these two photos is not sensible.

    Photos that look across each other, or far into the distance, share a corner of a canvas that
    would be mostly empty, or without end: these are matched where their common points are.

    views : at the scale to be matched; points_enu_m : (n, 3) seen by both.
    """
    found = _plane_disparities(views, points_enu_m)
    if found is None or not SHEAR_LIMITS[0] <= 1.0 - found.plane[0] <= SHEAR_LIMITS[1]:
        return None
    range_px = search_range(found.residual_px)
    canvas = _canvas(views, found, range_px)
    if canvas is None:
        return _around_points(left, right, views, found)
    return _geometry(left, right, views, found, range_px, canvas)


def rectify_facade(
    left: int, right: int, views: tuple[View, View], wall_enu_m: FloatArray
) -> PairGeometry | None:
    """The geometry of a pair along a wall and of no more than the wall, or None.

    views : of which the left one sees the wall larger; wall_enu_m : (n, 3) points of it that both
    see.
    """
    found = _plane_disparities(views, wall_enu_m)
    if found is None:
        return None
    if not WALL_SHEAR_LIMITS[0] <= 1.0 - found.plane[0] <= WALL_SHEAR_LIMITS[1]:
        return None
    return _around_points(left, right, views, found)


def _around_points(
    left: int, right: int, views: tuple[View, View], found: _PlaneDisparities
) -> PairGeometry | None:
    """The geometry of a pair where its points are and nowhere else, or None where that is large."""
    low = np.floor([found.u_px.min(), found.v_px.min()]) - WALL_MARGIN_PX
    high = np.ceil([found.u_px.max(), found.v_px.max()]) + WALL_MARGIN_PX
    width, height = (int(side) for side in high - low)
    camera = views[0].camera
    if width * height > MAX_GROWTH * camera.width_px * camera.height_px:
        return None
    canvas = (float(low[0]), float(low[1])), (width, height)
    pair = _geometry(left, right, views, found, search_range(found.residual_px), canvas)
    corners = np.stack([found.u_px, found.v_px], axis=1) - low
    outline = np.asarray(cv2.convexHull(corners.astype(np.float32)), dtype=np.float64)
    return replace(pair, outline_px=outline.reshape(-1, 2))


def main_plane(
    views: tuple[View, View], points_enu_m: FloatArray
) -> tuple[float, float, float] | None:
    """a, b, c of the disparities d = a u + b v + c of a pair's points in its rectified pixels, or
    None."""
    found = _plane_disparities(views, points_enu_m)
    return None if found is None else found.plane


def outline_mask(pair: PairGeometry) -> NDArray[np.bool_]:
    """Which pixels of the canvas (h, w) are to be matched."""
    width, height = pair.size_px
    if pair.outline_px is None:
        return np.ones((height, width), bool)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(pair.outline_px).astype(np.int32), 1)
    reach = 2 * int(WALL_MARGIN_PX) + 1
    return np.asarray(cv2.dilate(mask, np.ones((reach, reach), np.uint8)) > 0)


def seen_larger(views: tuple[View, View], points_enu_m: FloatArray) -> bool:
    """Whether the first of two views shows the points over more of its pixels than the second."""
    spread = []
    for view in views:
        pixels, _ = optics.project(points_enu_m, view)
        spread.append(float(np.linalg.det(np.cov(pixels.T))))
    return spread[0] >= spread[1]


@dataclass(frozen=True, slots=True, eq=False)
class _PlaneDisparities:
    """Points in a pair's rectified axes: pixels (u, v), the plane of their disparities, and how far
    each departs from it."""

    rotation: FloatArray
    focal_px: float
    baseline_m: float
    plane: tuple[float, float, float]
    u_px: FloatArray
    v_px: FloatArray
    residual_px: FloatArray


def _plane_disparities(
    views: tuple[View, View], points_enu_m: FloatArray
) -> _PlaneDisparities | None:
    """The plane that (n, 3) points of a pair mostly lie on, or None where the pair or they fail."""
    if len(points_enu_m) < MIN_POINTS:
        return None
    rotation = _common_axes(*views)
    if rotation is None:
        return None
    baseline_m = float(np.linalg.norm(views[1].centre_enu_m - views[0].centre_enu_m))
    local = (points_enu_m - views[0].centre_enu_m) @ rotation.T
    local = local[local[:, 2] > 1e-6]
    if len(local) < MIN_POINTS:
        return None
    focal = _rectified_focal(views[0], rotation, np.median(local, axis=0))
    u, v = (focal * local[:, :2] / local[:, 2:]).T
    disparity = focal * baseline_m / local[:, 2]
    a, b, c = fit_plane(u, v, disparity)
    residual = (disparity - (a * u + b * v + c)) / (1.0 - a)
    return _PlaneDisparities(rotation, focal, baseline_m, (a, b, c), u, v, residual)


def _geometry(
    left: int,
    right: int,
    views: tuple[View, View],
    found: _PlaneDisparities,
    range_px: tuple[int, int],
    canvas: tuple[tuple[float, float], tuple[int, int]],
) -> PairGeometry:
    origin, size = canvas
    flat = (0.0, 0.0, 0.0)
    return PairGeometry(
        left=left,
        right=right,
        focal_px=found.focal_px,
        baseline_m=found.baseline_m,
        rect_from_enu=found.rotation,
        plane=found.plane,
        origin_px=origin,
        size_px=size,
        range_px=range_px,
        left_rays=_rays(views[0], found.rotation, found.focal_px, flat, origin),
        right_rays=_rays(views[1], found.rotation, found.focal_px, found.plane, origin),
    )


def fit_plane(u: FloatArray, v: FloatArray, d: FloatArray) -> tuple[float, float, float]:
    """a, b, c of d = a u + b v + c, least absolute deviation by reweighting.

    Absolute deviation, so that the many points of a road outvote those of the cars on it.
    """
    design = np.stack([u, v, np.ones_like(u)], axis=1)
    scale = max(float(np.ptp(u)), float(np.ptp(v)), 1.0)
    design = design / [scale, scale, 1.0]
    ridge = np.diag([1e-6, 1e-6, 0.0]) * len(u)
    weights = np.ones_like(d)
    solution = np.zeros(3)
    for _ in range(30):
        weighted = design * weights[:, None]
        solution = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ d)
        weights = 1.0 / np.maximum(np.abs(d - design @ solution), 0.25)
    a, b, c = solution / [scale, scale, 1.0]
    return float(a), float(b), float(c)


def search_range(residual: FloatArray) -> tuple[int, int]:
    """Lowest and highest disparity to search, a multiple of 16 apart (as OpenCV wants it)."""
    low, high = np.quantile(residual, RANGE_QUANTILES)
    margin = MARGIN_PX + MARGIN_FRACTION * (high - low)
    lowest = int(np.floor(low - margin))
    span = int(np.ceil((high + margin - lowest) / 16.0)) * 16
    return lowest, lowest + span


def photo_map(
    view: View, rays: FloatArray, width_px: int, rows: range
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where in the photo each pixel of a canvas's rows lies, for cv2.remap; NaN where it cannot
    be seen."""
    camera = view.camera
    return kernels.distorted_map(
        width_px,
        rows.start,
        len(rows),
        np.ascontiguousarray(rays),
        np.array(camera.focal_px),
        np.array(camera.principal_px),
        camera.distortion,
        optics.max_valid_radius(camera),
    )


def photo_hypothesis(
    pair: PairGeometry,
    view: View,
    *,
    is_left: bool,
    disparity: NDArray[np.float32],
    sigma: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Inverse depth and its 1-sigma (1/m) on the photo's own undistorted pinhole grid.

    disparity, sigma : on the canvas, as this photo (left or right) sees it.
    """
    camera = view.camera
    rotation = pair.rect_from_enu @ view.cam_from_enu[:, :3].T
    to_rect = np.diag([pair.focal_px, pair.focal_px, 1.0]) @ rotation @ np.linalg.inv(camera.matrix)
    return kernels.sample_hypothesis(
        camera.width_px,
        camera.height_px,
        np.ascontiguousarray(to_rect),
        np.array([*pair.plane, *pair.origin_px]),
        1.0 if is_left else -1.0,
        1.0 / pair.baseline_m,
        pair.focal_px,
        disparity,
        sigma,
    )


def _common_axes(left: View, right: View) -> FloatArray | None:
    """Rotation from ENU to axes with x along the baseline and z between the optical axes."""
    baseline = right.centre_enu_m - left.centre_enu_m
    length = float(np.linalg.norm(baseline))
    if length < 1e-9:
        return None
    x = baseline / length
    axes = np.stack([left.cam_from_enu[2, :3], right.cam_from_enu[2, :3]])
    if np.max(np.abs(axes @ x)) > MAX_BASELINE_TILT_SIN:
        return None
    z = axes.sum(axis=0)
    z -= (z @ x) * x
    norm = float(np.linalg.norm(z))
    if norm < 1e-6:
        return None
    z /= norm
    return np.stack([x, np.cross(z, x), z])


def _rectified_focal(view: View, rotation: FloatArray, middle: FloatArray) -> float:
    """The focal length that keeps the photo's own resolution at a point in rectified axes."""
    camera_from_rect = view.cam_from_enu[:, :3] @ rotation.T
    ray = middle / middle[2]
    step = 1e-4
    pixels = []
    for offset in ((0.0, 0.0), (step, 0.0), (0.0, step)):
        direction = camera_from_rect @ (ray + [*offset, 0.0])
        pixels.append(direction[:2] / direction[2] * view.camera.focal_px)
    jacobian = np.stack([pixels[1] - pixels[0], pixels[2] - pixels[0]]) / step
    return float(np.sqrt(abs(np.linalg.det(jacobian))))


def _outline(camera: Camera) -> FloatArray:
    """Rays along a photo's border, (n, 3) in camera axes."""
    t = np.linspace(0.0, 1.0, 17)
    w, h = camera.width_px, camera.height_px
    border = np.concatenate(
        [
            np.stack([t * w, 0 * t], 1),
            np.stack([t * w, 0 * t + h], 1),
            np.stack([0 * t, t * h], 1),
            np.stack([0 * t + w, t * h], 1),
        ]
    )
    return optics.rays(border, camera)


def _canvas(
    views: tuple[View, View], found: _PlaneDisparities, range_px: tuple[int, int]
) -> tuple[tuple[float, float], tuple[int, int]] | None:
    """Origin and size of the rectified rectangle that both photos share, or None."""
    rotation, focal, (a, b, c) = found.rotation, found.focal_px, found.plane
    boxes = []
    for view, is_left in ((views[0], True), (views[1], False)):
        rays = _outline(view.camera) @ view.cam_from_enu[:, :3] @ rotation.T
        if np.any(rays[:, 2] <= 0.05 * np.linalg.norm(rays, axis=1)):
            return None
        u, v = (focal * rays[:, :2] / rays[:, 2:]).T
        if not is_left:
            u = (u + b * v + c) / (1.0 - a)
        boxes.append((u.min(), u.max(), v.min(), v.max()))
    (lu0, lu1, lv0, lv1), (ru0, ru1, rv0, rv1) = boxes
    low, high = range_px
    u0 = np.floor(max(lu0, ru0 + min(low, 0))) - max(high, 0)
    u1 = np.ceil(min(lu1, ru1 + max(high, 0))) + max(-low, 0)
    v0, v1 = np.floor(max(lv0, rv0)), np.ceil(min(lv1, rv1))
    width, height = int(u1 - u0), int(v1 - v0)
    pixels = views[0].camera.width_px * views[0].camera.height_px
    if width < 2 * (high - low) or height < 32 or width * height > MAX_GROWTH * pixels:
        return None
    return (float(u0), float(v0)), (width, height)


def _rays(
    view: View,
    rotation: FloatArray,
    focal: float,
    plane: tuple[float, float, float],
    origin: tuple[float, float],
) -> FloatArray:
    """(3, 3): canvas position to rays in the photo's camera axes, undoing the plane's shear."""
    a, b, c = plane
    shift = np.array([[1.0, 0.0, origin[0]], [0.0, 1.0, origin[1]], [0.0, 0.0, 1.0]])
    unshear = np.array([[1.0 - a, -b, -c], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    normalise = np.diag([1.0 / focal, 1.0 / focal, 1.0])
    return np.asarray(view.cam_from_enu[:, :3] @ rotation.T @ normalise @ unshear @ shift)
