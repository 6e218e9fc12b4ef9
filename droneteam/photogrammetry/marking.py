"""Marking a point in photos: where it should appear, which photo helps most, which mark is off.

Pure.  A prediction carries both the point's and the camera's uncertainty *together*: cameras that
are all a metre off in the same direction still predict a point of their own to a pixel.  With the
point X = X(c) a function of the cameras' unknowns c and of the marks' noise, the pixel's change is
(J_X · dX/dc + J_c) · dc + J_X · noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.consensus import agreeing
from droneteam.photogrammetry.cameras.locate import MIN_RAY_ANGLE_DEG, camera_jacobian
from droneteam.photogrammetry.cameras.triangulation import (
    Intersection,
    camera_rays,
    intersect,
    optics,
    project_point,
)
from droneteam.photogrammetry.control import MARK_SIGMA_PX, Mark
from droneteam.photogrammetry.measuring.measure import Z_95
from droneteam.photogrammetry.optics import inside, project
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, NetworkCovariance

Source = Literal["marks", "survey", "one mark"]

NEAR_TIES = 12
"""Tie points whose depth stands for the surface at a single mark."""
MIN_DEPTH_SHARE = 0.03
"""Least uncertainty of that depth, as a part of it: a kerb or a car's roof may lie between."""
NO_TIES_DEPTH_SHARE = 0.5
CHI2_95_2D = 5.991
"""A 2D error ellipse with 95 % inside has semi-axes of 2.45 sigma (Förstner & Wrobel, §2.4.4)."""
OUTLIER = 0.999
"""Marks whose residuals exceed this quantile contradict each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """Where a point is and what that rests on.

    position : (3,); noise : (3, 3) covariance of what does not come from the cameras.
    sensitivity : (3, n) derivative by the cameras' unknowns; None when independent of them.
    """

    source: Source
    position: FloatArray
    noise: FloatArray
    sensitivity: FloatArray | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where a point should appear in a photo.

    semi_axes_px : of the ellipse that holds it with 95 %; angle_deg : of the long axis, from the
    image's x axis towards y.  distance_m : from the camera; rank : 1 helps most.
    """

    photo: str
    x_px: float
    y_px: float
    semi_axes_px: tuple[float, float]
    angle_deg: float
    distance_m: float
    rank: int


@dataclass(frozen=True, slots=True)
class MarkResidual:
    """Marked minus projected, in pixels, and its length over what was to be expected."""

    photo: str
    dx_px: float
    dy_px: float
    normalised: float


@dataclass(frozen=True, slots=True)
class Located:
    """A point from its marks.

    ci95_m : half the 95 % interval east, north and up, the frame's own uncertainty included.
    outlier : the photo whose mark contradicts the others; None when they agree, or when nobody
    can say which one is wrong (then `disagree` is True all the same).
    """

    position_enu_m: tuple[float, float, float]
    ci95_m: tuple[float, float, float]
    angle_deg: float
    residuals: tuple[MarkResidual, ...]
    outlier: str | None
    disagree: bool


def estimate(
    network: CameraNetwork,
    marks: Sequence[Mark],
    survey: tuple[FloatArray, FloatArray] | None = None,
) -> Estimate | None:
    """Where the point of these marks is; None when nothing is known of it.

    survey : position (3,) and standard deviations (3,) in the network's frame.  Two rays that
    cross well count more than a survey, because they say where the photos show it; a single ray
    less.
    """
    used = oriented(network, marks)
    hit = _intersection(network, used)
    if hit is not None and hit.angle_deg >= MIN_RAY_ANGLE_DEG:
        return Estimate("marks", hit.point, _inverse(hit.normal), _sensitivity(network, hit, used))
    if survey is not None and np.isfinite(survey[0]).all():
        return Estimate("survey", survey[0], np.diag(survey[1] ** 2))
    return _on_one_ray(network, used[-1]) if used else None


def locate(network: CameraNetwork, marks: Sequence[Mark]) -> Located | str:
    """The point with its interval and the marks' residuals, or why there is none."""
    used = oriented(network, marks)
    if len(used) < 2:
        return "two or more marks in photos that have a place are needed"
    hit = _intersection(network, used)
    if hit is None:
        return "the rays of these marks do not meet: check them"
    if hit.angle_deg < MIN_RAY_ANGLE_DEG:
        return (
            f"the rays are nearly parallel ({hit.angle_deg:.1f}°): mark it in photos taken from "
            "farther apart"
        )
    found = Estimate("marks", hit.point, _inverse(hit.normal), _sensitivity(network, hit, used))
    sigma = np.sqrt(np.diag(_covariance(network, found)))
    outlier, disagree = _outlier(network, used, hit)
    expected = _expected_px(network, used)
    residuals = tuple(
        MarkResidual(mark.photo, float(dx), float(dy), float(math.hypot(dx, dy) / size))
        for mark, (dx, dy), size in zip(used, hit.residuals, expected, strict=True)
    )
    east, north, up = (float(v) for v in hit.point)
    ci = tuple(float(Z_95 * s) for s in sigma)
    return Located(
        (east, north, up), (ci[0], ci[1], ci[2]), hit.angle_deg, residuals, outlier, disagree
    )


def oriented(network: CameraNetwork, marks: Sequence[Mark]) -> list[Mark]:
    """The marks in photos that have a place, in their order."""
    names = {view.name for view in network.views}
    return [mark for mark in marks if mark.photo in names]


def predictions(
    network: CameraNetwork, found: Estimate, marks: Sequence[Mark]
) -> tuple[Prediction, ...]:
    """Every photo in which the point should appear, the most useful first.

    The order is that of a greedy D-optimal design: each photo is the one that, added to the marks
    that are there and to the photos before it, shrinks the point's error ellipsoid most
    (Wynn 1970).  It prefers near photos and wide angles and needs no weights.
    """
    seen = _seen(network, found.position)
    if not len(seen):
        return ()
    arrays = optics(network.views)
    pixels, jacobian = project_point(arrays, seen, found.position)
    covariances = _pixel_covariances(network, found, seen, jacobian)
    order = _most_useful(network, found, seen, jacobian, oriented(network, marks))
    distances = np.linalg.norm(arrays.centres[seen] - found.position, axis=1)
    made = []
    for rank, k in enumerate(order, start=1):
        axes, angle = _ellipse(covariances[k])
        name = network.views[seen[k]].name
        x, y = (float(v) for v in pixels[k])
        made.append(Prediction(name, x, y, axes, angle, float(distances[k]), rank))
    return tuple(made)


def _seen(network: CameraNetwork, position: FloatArray) -> NDArray[np.int64]:
    """Indices of the views in whose picture the point falls."""
    held = [
        bool(inside(project(position[None], view)[0], view.camera)[0]) for view in network.views
    ]
    return np.flatnonzero(held).astype(np.int64)


def _pixel_covariances(
    network: CameraNetwork, found: Estimate, views: NDArray[np.int64], jacobian: FloatArray
) -> FloatArray:
    """(m, 2, 2) of the predicted places."""
    known = _known(network)
    by_point = jacobian[:, :, 18:]
    result = by_point @ found.noise @ by_point.transpose(0, 2, 1)
    carried = None if found.sensitivity is None else found.sensitivity @ known.matrix
    own = np.zeros((3, 3)) if carried is None else carried @ _there(found).T
    for k, view in enumerate(views):
        columns, by_camera = camera_columns(known, int(view), jacobian[k])
        result[k] += by_camera @ known.matrix[np.ix_(columns, columns)] @ by_camera.T
        result[k] += by_point[k] @ own @ by_point[k].T
        shift = np.zeros(2)
        if known.depth_mode is not None:
            shift = by_camera @ known.depth_mode[columns]
        if carried is not None:
            cross = by_point[k] @ carried[:, columns] @ by_camera.T
            result[k] += cross + cross.T
            if known.depth_mode is not None:
                shift = shift + by_point[k] @ (_there(found) @ known.depth_mode)
        result[k] += np.outer(shift, shift)
    return np.asarray(result)


def _there(found: Estimate) -> FloatArray:
    assert found.sensitivity is not None
    return found.sensitivity


def camera_columns(
    known: NetworkCovariance, view: int, jacobian: FloatArray
) -> tuple[NDArray[np.int64], FloatArray]:
    """Columns of a view's free unknowns, and (2, k) the derivatives of a pixel by them.

    jacobian : (2, 21), by pose (6), lens (12) and point (3).
    """
    pose = known.pose_columns[view] + np.arange(6)
    lens = known.intrinsics_columns[view]
    free = lens >= 0
    columns = np.concatenate([pose, lens[free]])
    return columns, np.concatenate([jacobian[:, :6], jacobian[:, 6:18][:, free]], axis=1)


def _ellipse(covariance: FloatArray) -> tuple[tuple[float, float], float]:
    """Semi-axes of the 95 % ellipse, the long one first, and its direction in degrees."""
    values, vectors = np.linalg.eigh(covariance)
    short, long = np.sqrt(np.maximum(values, 0.0) * CHI2_95_2D)
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])) % 180.0
    return (float(long), float(short)), angle


def _most_useful(
    network: CameraNetwork,
    found: Estimate,
    views: NDArray[np.int64],
    jacobian: FloatArray,
    marks: Sequence[Mark],
) -> list[int]:
    """Positions in `views`, the photo that helps most first; marked photos keep their rank."""
    by_point = jacobian[:, :, 18:]
    weight = 1.0 / (MARK_SIGMA_PX**2 + _camera_noise_px(network) ** 2)
    gains = by_point.transpose(0, 2, 1) @ by_point * weight
    marked = {mark.photo for mark in marks}
    have = np.array([network.views[v].name in marked for v in views])
    distance = np.linalg.norm(optics(network.views).centres[views] - found.position, axis=1)
    information = np.eye(3) / float(10.0 * distance.max()) ** 2 + gains[have].sum(axis=0)
    order: list[int] = []
    left = np.arange(len(views))
    while len(left):
        _, size = np.linalg.slogdet(information + gains[left])
        best = int(left[int(np.argmax(size))])
        order.append(best)
        left = left[left != best]
        if not have[best]:
            information = information + gains[best]
    return order


def _camera_noise_px(network: CameraNetwork) -> float:
    size = network.accuracy.reprojection_px
    return size if math.isfinite(size) else 0.0


def _expected_px(network: CameraNetwork, marks: Sequence[Mark]) -> FloatArray:
    """(m,) 1-sigma length of a residual: the mark's noise and the cameras' own misfit."""
    sigma = np.array([mark.sigma_px for mark in marks])
    return np.asarray(np.sqrt(2.0 * (sigma**2 + _camera_noise_px(network) ** 2)))


def _outlier(
    network: CameraNetwork, marks: Sequence[Mark], hit: Intersection
) -> tuple[str | None, bool]:
    """The photo whose mark is farthest from where the others agree, and whether any contradict."""
    expected = _expected_px(network, marks)
    cost = _cost(hit, expected)
    if cost <= float(chi2.ppf(OUTLIER, hit.residuals.size - 3)):
        return None, False
    if len(marks) < 3:
        return None, True
    views, pixels, sigma = _arrays(network, marks)
    noise = np.full(len(marks), _camera_noise_px(network))
    found = agreeing(optics(network.views), views, pixels, sigma, noise)
    if found is None or found.contested or not found.majority or not len(found.rejected):
        return None, True
    worst = found.rejected[np.argmax(found.off_px[found.rejected])]
    return marks[int(worst)].photo, True


def _cost(hit: Intersection, expected: FloatArray) -> float:
    return float((hit.residuals**2 / (expected[:, None] ** 2 / 2.0)).sum())


def _intersection(network: CameraNetwork, marks: Sequence[Mark]) -> Intersection | None:
    if len(marks) < 2:
        return None
    return intersect(optics(network.views), *_arrays(network, marks))


def _arrays(
    network: CameraNetwork, marks: Sequence[Mark]
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """(m,) views, (m, 2) pixels and (m,) deviations."""
    index_of = {view.name: i for i, view in enumerate(network.views)}
    return (
        np.array([index_of[mark.photo] for mark in marks], dtype=np.int64),
        np.array([(mark.x_px, mark.y_px) for mark in marks]),
        np.array([mark.sigma_px for mark in marks]),
    )


def _sensitivity(network: CameraNetwork, hit: Intersection, marks: Sequence[Mark]) -> FloatArray:
    """(3, n) derivative of an intersection by the cameras' unknowns (implicit functions)."""
    views, _, sigma_px = _arrays(network, marks)
    by_point = hit.jacobian[:, :, 18:].reshape(-1, 3) / np.repeat(sigma_px**2, 2)[:, None]
    by_camera = camera_jacobian(hit.jacobian, views, _known(network))
    return np.asarray(-np.linalg.inv(hit.normal) @ by_point.T @ by_camera)


def _inverse(matrix: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def _covariance(network: CameraNetwork, found: Estimate) -> FloatArray:
    """(3, 3) of the point, the open depth included."""
    if found.sensitivity is None:
        return found.noise
    known = _known(network)
    total = found.noise + found.sensitivity @ known.matrix @ found.sensitivity.T
    if known.depth_mode is not None:
        moved = found.sensitivity @ known.depth_mode
        total = total + np.outer(moved, moved)
    return np.asarray(total)


def _known(network: CameraNetwork) -> NetworkCovariance:
    if network.covariance is None:
        raise InputError("the network has no covariance: adjust it before marking")
    return network.covariance


def _on_one_ray(network: CameraNetwork, mark: Mark) -> Estimate:
    """On the mark's ray, as deep as the tie points around it, and uncertain along the ray."""
    known = _known(network)
    index = next(i for i, view in enumerate(network.views) if view.name == mark.photo)
    view = network.views[index]
    rotation = view.cam_from_enu[:, :3]
    ray = camera_rays(optics([view]).intrinsics[0], np.array([[mark.x_px, mark.y_px]]))[0]
    depth, spread = _surface_depth(network, index, mark)
    position = view.centre_enu_m + depth * rotation.T @ ray
    along = rotation.T @ ray
    across = (depth * mark.sigma_px / view.camera.focal_px[0]) ** 2
    noise = spread**2 * np.outer(along, along) + across * np.eye(3)
    sensitivity = np.zeros((3, len(known.matrix)))
    pose = known.pose_columns[index] + np.arange(6)
    x, y, z = depth * ray
    turned = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    sensitivity[:, pose] = np.concatenate([rotation.T @ turned, np.eye(3)], axis=1)
    return Estimate("one mark", position, noise, sensitivity)


def _surface_depth(network: CameraNetwork, view: int, mark: Mark) -> tuple[float, float]:
    """Depth of the tie points around a mark and its 1-sigma (robust, from their median)."""
    sparse = network.sparse
    point_of = np.repeat(np.arange(len(sparse.points_enu_m)), np.diff(sparse.track_offsets))
    own = sparse.track_views == view
    pose = network.views[view].cam_from_enu
    depths = sparse.points_enu_m[point_of[own]] @ pose[2, :3] + pose[2, 3]
    ahead = depths > 0.0
    if not ahead.any():
        everything = sparse.points_enu_m @ pose[2, :3] + pose[2, 3]
        positive = everything[everything > 0.0]
        depth = float(np.median(positive)) if len(positive) else 1.0
        return depth, NO_TIES_DEPTH_SHARE * depth
    places, depths = sparse.track_pixels[own][ahead], depths[ahead]
    near = np.argsort(np.hypot(*(places - (mark.x_px, mark.y_px)).T))[:NEAR_TIES]
    depth = float(np.median(depths[near]))
    spread = 1.4826 * float(np.median(np.abs(depths[near] - depth)))
    return depth, max(spread, MIN_DEPTH_SHARE * depth)
