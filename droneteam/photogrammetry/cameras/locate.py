"""Points from marks in photos, with everything that their uncertainty comes from.

A point's error has two parts: its marks' own noise, and the cameras' errors carried through the
intersection.  The second is shared by all points of a network, so it is kept as each point's
sensitivity to the cameras' unknowns and joined only when a value is formed: a length on the
ground is far better known than the place of its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.consensus import SMALLEST_GROSS_PX, Consensus, agreeing
from droneteam.photogrammetry.cameras.triangulation import (
    Intersection,
    Optics,
    intersect,
    optics,
    project_point,
)
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, NetworkCovariance

MIN_RAY_ANGLE_DEG = 2.0
"""Below this angle between its rays a point's depth is worth no statement (Förstner & Wrobel
2016, §13.3: depth deviation over base angle)."""
MARKS_DISAGREE = 0.99
"""Marks whose residuals exceed this quantile widen the interval by what they show."""
TWO_RAYS_MISS = 5.0
"""Two rays that miss each other by so many deviations contradict each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Points of one measurement.

    points : (k, 3); sensitivity : (3k, n) by the cameras' unknowns; noise : (3k, 3k) of their
    own; covariance : (3k, 3k) of both; mode : (3k,) change for an open depth, zeros when the
    depth is determined.  photos : that the points rest on; rejected : that were marked and do
    not count; remarks : what a reader must know.
    """

    points: FloatArray
    sensitivity: FloatArray
    noise: FloatArray
    covariance: FloatArray
    mode: FloatArray
    photos: tuple[str, ...]
    rejected: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """One point: its place, sensitivity (3, n) and noise (3, 3), and what was made of its marks."""

    xyz: FloatArray
    sensitivity: FloatArray
    noise: FloatArray
    used: tuple[Mark, ...]
    remarks: tuple[str, ...]
    rejected: tuple[str, ...]


def locate(network: CameraNetwork, marks: Sequence[Mark], names: Sequence[str]) -> Located | str:
    """The points with their joint covariance, or why they are not determined.

    Raises
    ------
    InputError
        The network was not adjusted.
    """
    covariance = covariance_of(network)
    arrays = optics(network.views)
    index_of = {view.name: i for i, view in enumerate(network.views)}
    found = []
    for name in names:
        named = [m for m in marks if m.point == name]
        own = [m for m in named if m.photo in index_of]
        point = _one_point(arrays, index_of, own, name, covariance)
        if isinstance(point, str):
            return point + _marked_elsewhere(named, own)
        found.append(point)
    return joined(
        covariance,
        np.array([p.xyz for p in found]),
        np.concatenate([p.sensitivity for p in found]),
        [p.noise for p in found],
        photos=tuple(sorted({m.photo for p in found for m in p.used})),
        rejected=tuple(sorted({photo for p in found for photo in p.rejected})),
        remarks=tuple(dict.fromkeys(text for p in found for text in p.remarks)),
    )


def _marked_elsewhere(named: Sequence[Mark], own: Sequence[Mark]) -> str:
    """Words on the marks of a point that could not count, for their photos have no place."""
    photos = sorted({m.photo for m in named} - {m.photo for m in own})
    if not photos:
        return ""
    return (
        f"; {len(photos)} of its photos are not among the oriented ones, so check their names "
        f"(such as {photos[0]})"
    )


def position(
    network: CameraNetwork, marks: Sequence[Mark], point: str
) -> tuple[FloatArray, FloatArray] | None:
    """A marked point (3,) and its covariance (3, 3) in the network's frame; None if undetermined.

    The covariance includes the frame's own uncertainty.
    """
    located = locate(network, marks, (point,))
    if isinstance(located, str):
        return None
    return located.points[0], located.covariance + np.outer(located.mode, located.mode)


def covariance_of(network: CameraNetwork) -> NetworkCovariance:
    """The network's covariance; InputError when it was not adjusted."""
    if network.covariance is None:
        raise InputError("the network has no covariance: adjust it before measuring")
    return network.covariance


def joined(
    covariance: NetworkCovariance,
    points: FloatArray,
    sensitivity: FloatArray,
    noises: Sequence[FloatArray],
    *,
    photos: tuple[str, ...],
    rejected: tuple[str, ...] = (),
    remarks: tuple[str, ...] = (),
) -> Located:
    """Points whose own noises are independent of each other, in one joint covariance.

    points : (k, 3); sensitivity : (3k, n); noises : k of (3, 3).
    """
    noise = np.zeros((3 * len(points), 3 * len(points)))
    for k, part in enumerate(noises):
        noise[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] = part
    mode = np.zeros(3 * len(points))
    if covariance.depth_mode is not None:
        mode = sensitivity @ covariance.depth_mode
    total = sensitivity @ covariance.matrix @ sensitivity.T + noise
    return Located(points, sensitivity, noise, total, mode, photos, rejected, remarks)


def camera_jacobian(
    jacobian: FloatArray, views: NDArray[np.int64], covariance: NetworkCovariance
) -> FloatArray:
    """(2m, n) derivative of marks by the unknowns that the covariance is over.

    jacobian : (m, 2, 21), as `Intersection` has it; views : (m,).
    """
    result = np.zeros((2 * len(views), len(covariance.matrix)))
    for row, view in enumerate(views):
        at = slice(2 * row, 2 * row + 2)
        columns = covariance.pose_columns[view] + np.arange(6)
        result[at, columns] += jacobian[row, :, :6]
        free = covariance.intrinsics_columns[view]
        moving = free >= 0
        np.add.at(result[at].T, free[moving], jacobian[row, :, 6:18][:, moving].T)
    return result


def _one_point(
    arrays: Optics,
    index_of: dict[str, int],
    marks: Sequence[Mark],
    name: str,
    covariance: NetworkCovariance,
) -> _Point | str:
    """The point on which the marks agree, or why there is none."""
    photos = {m.photo for m in marks}
    if len(photos) < 2:
        return f"{name} is marked in {len(photos)} oriented photo(s); two or more are needed"
    kept: list[Mark] = list(marks)
    rejected: tuple[str, ...] = ()
    if len(marks) > 2:
        chosen = _agreeing_marks(arrays, index_of, marks, name, covariance)
        if isinstance(chosen, str):
            return chosen
        kept, rejected = chosen
    views = _views(index_of, kept)
    hit = intersect(arrays, views, _pixels(kept), _sigma(kept))
    if hit is None:
        return f"the rays to {name} do not meet: check its marks"
    if hit.angle_deg < MIN_RAY_ANGLE_DEG:
        return (
            f"the rays to {name} are nearly parallel ({hit.angle_deg:.1f}°): mark it in photos "
            "taken from farther apart"
        )
    by_camera = camera_jacobian(hit.jacobian, views, covariance)
    known = by_camera @ covariance.matrix @ by_camera.T
    if len(kept) == 2 and (why := _two_rays_miss(hit, kept, name, known)):
        return why
    excess = excess_variance(hit, known, _sigma(kept))
    gain = -np.linalg.inv(hit.normal) @ (_by_point(hit).T / np.repeat(_sigma(kept) ** 2, 2))
    noise = gain * np.repeat(_sigma(kept) ** 2 + excess, 2) @ gain.T
    remarks = (*rejected, *_remarks(kept, name, excess))
    left_out = tuple(m.photo for m in marks if m not in kept)
    return _Point(hit.point, gain @ by_camera, noise, tuple(kept), remarks, left_out)


def _agreeing_marks(
    arrays: Optics,
    index_of: dict[str, int],
    marks: Sequence[Mark],
    name: str,
    covariance: NetworkCovariance,
) -> tuple[list[Mark], tuple[str, ...]] | str:
    """The marks that agree and what is said of the others; or why no choice can be made."""
    views, pixels, sigma = _views(index_of, marks), _pixels(marks), _sigma(marks)
    found = agreeing(arrays, views, pixels, sigma)
    if found is not None:
        loose = _camera_sigma(arrays, views, pixels, sigma, found, covariance)
        found = agreeing(arrays, views, pixels, sigma, loose)
    if found is None:
        return f"the rays to {name} do not meet: check its marks"
    if found.contested or not found.majority:
        listed = ", ".join(m.photo for m in marks)
        return (
            f"only {len(found.kept)} of the {len(marks)} marks of {name} agree with each other"
            f"{' and others agree on another place' if found.contested else ''}, which does not "
            f"tell the wrong ones: check the marks in {listed}, and mark it in more photos"
        )
    said = tuple(
        f"{marks[i].photo}: mark of {name} {_how_far(float(found.off_px[i]))}; not used"
        for i in found.rejected
    )
    return [marks[i] for i in found.kept], said


def _how_far(off_px: float) -> str:
    return f"is {off_px:.0f} px off" if np.isfinite(off_px) else "lies behind the camera"


def _camera_sigma(
    arrays: Optics,
    views: NDArray[np.int64],
    pixels: FloatArray,
    sigma: FloatArray,
    found: Consensus,
    covariance: NetworkCovariance,
) -> FloatArray:
    """(m,) pixels by which the cameras' uncertainty alone makes marks of one point disagree."""
    kept = found.kept
    hit = intersect(arrays, views[kept], pixels[kept], sigma[kept]) if len(kept) > 1 else None
    if hit is None:
        return np.zeros(len(views))
    projected, jacobian = project_point(arrays, views, hit.point)
    seen = np.isfinite(projected[:, 0])
    result = np.zeros(len(views))
    by_camera = camera_jacobian(jacobian[seen], views[seen], covariance)
    by_point = jacobian[seen][:, :, 18:].reshape(-1, 3)
    apart = np.eye(len(by_point)) - by_point @ np.linalg.pinv(by_point)
    spread = apart @ (by_camera @ covariance.matrix @ by_camera.T) @ apart
    result[seen] = np.sqrt(np.maximum(np.diag(spread).reshape(-1, 2).mean(axis=1), 0.0))
    return result


def _two_rays_miss(
    hit: Intersection, marks: Sequence[Mark], name: str, known: FloatArray
) -> str | None:
    """Why two rays that should meet do not, when they clearly do not."""
    cost = _cost(hit, known + np.diag(np.repeat(_sigma(marks) ** 2, 2)))
    miss_px = float(np.linalg.norm(hit.residuals, axis=1).sum())
    if cost < TWO_RAYS_MISS**2 or miss_px < SMALLEST_GROSS_PX:
        return None
    return (
        f"the two rays to {name} miss each other by {miss_px:.0f} px, so the mark in "
        f"{marks[0].photo} or in {marks[1].photo} (or the place of one of these photos) is wrong: "
        "mark it in a third photo"
    )


def excess_variance(hit: Intersection, known: FloatArray, sigma_px: FloatArray) -> float:
    """Variance (px²) that the marks show beyond what marks and cameras state; 0 where they agree.

    The variance that brings the residuals to their expectation (Paule & Mandel, J. Res. NBS 1982,
    87:377), applied only where chance would not explain them.

    known : (2m, 2m) of the marks through the cameras; sigma_px : (m,) of the marks.
    """
    freedom = hit.residuals.size - 3
    stated = known + np.diag(np.repeat(sigma_px**2, 2))
    if freedom < 1 or _cost(hit, stated) < float(chi2.ppf(MARKS_DISAGREE, freedom)):
        return 0.0
    step = np.eye(len(stated))
    upper = 4.0 * float((hit.residuals**2).sum())
    while _cost(hit, stated + upper * step) > freedom:
        upper *= 4.0
    return float(brentq(lambda v: _cost(hit, stated + v * step) - freedom, 0.0, upper, rtol=1e-3))


def _cost(hit: Intersection, variance: FloatArray) -> float:
    """χ² of the marks for the point that fits them best under this covariance."""
    by_point = _by_point(hit)
    weighted = np.linalg.solve(variance, np.column_stack([by_point, hit.residuals.ravel()]))
    weighted_point, weighted_residual = weighted[:, :3], weighted[:, 3]
    pulled = by_point.T @ weighted_residual
    moved = np.linalg.solve(by_point.T @ weighted_point, pulled)
    return float(hit.residuals.ravel() @ weighted_residual - pulled @ moved)


def _remarks(kept: Sequence[Mark], name: str, excess: float) -> tuple[str, ...]:
    said = []
    if len(kept) == 2:
        said.append(f"{name} rests on two photos, so nothing checks its marks")
    if excess > 0.0:
        said.append(f"the marks of {name} scatter by {excess**0.5:.1f} px more than stated")
    return tuple(said)


def _by_point(hit: Intersection) -> FloatArray:
    return np.asarray(hit.jacobian[:, :, 18:].reshape(-1, 3))


def _views(index_of: dict[str, int], marks: Sequence[Mark]) -> NDArray[np.int64]:
    return np.array([index_of[m.photo] for m in marks], dtype=np.int64)


def _pixels(marks: Sequence[Mark]) -> FloatArray:
    return np.array([(m.x_px, m.y_px) for m in marks])


def _sigma(marks: Sequence[Mark]) -> FloatArray:
    return np.array([m.sigma_px for m in marks])
