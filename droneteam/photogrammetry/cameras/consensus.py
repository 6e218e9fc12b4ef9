"""Which marks of one point agree: a wrong click or a misplaced photo must not bend the point.

Every pair of marks proposes a point, and the point that the most marks agree with wins (Fischler
& Bolles, CACM 1981, 24:381, over all pairs instead of random ones; ties by truncated squares as
in Torr & Zisserman, CVIU 2000, 78:138).  A majority is required, and no second point that as many
other marks agree with: where the marks do not say which of them is wrong, nobody else may.

The same rule judges control, check points, scale bars and measurements; what differs is only how
far their cameras may be off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras.triangulation import (
    IntArray,
    Intersection,
    Optics,
    intersect,
    nearest_point,
    project_point,
    ray_directions,
)
from droneteam.photogrammetry.scene import FloatArray

MAX_PAIRS = 400
"""Proposals per point: all pairs of 28 marks, then those with the widest angles."""
NARROW_DEG = 1.0
"""Pairs of rays closer than this propose a depth only when there are no better ones."""
GROSS_SIGMA = 6.0
"""A mark so many deviations from the others is wrong (one in 6e8 by chance)."""
SMALLEST_GROSS_PX = 3.0
"""No mark is called wrong for less: a stated deviation of 0.1 px is often wishful."""
LARGEST_GROSS_PX = 25.0
"""Marks that scatter this much are wrong, however many of them do."""
RIVAL = 2.0
"""Two points are different when each contradicts a mark of the other by twice the tolerance."""
LARGEST_SMALL_SAMPLE = 2.0
"""Of four or five marks the book's factor (6 or 3.5) would forgive a mark that is 40 px off."""
MEDIAN_OF_RAYLEIGH = 1.1774
REFITS = 5
"""How often the point and the marks that agree with it are found anew from each other."""


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """Indices of the marks that agree and of those that do not, and where they point.

    off_px : (m,) distance of every mark from the point that the kept ones agree on; inf where it
    lies behind the camera.  contested : a different point has as many marks for it.
    """

    kept: IntArray
    rejected: IntArray
    off_px: FloatArray
    contested: bool

    @property
    def majority(self) -> bool:
        """Whether more than half of the marks agree."""
        return len(self.kept) > len(self.rejected)


@dataclass(frozen=True, slots=True, eq=False)
class AgreedPoint:
    """A point that most of its marks agree on.

    found : from the agreeing marks alone, in their order.
    agrees : (m,) which of the marks those are; off_px : (m,) how far each mark lies from where the
    point projects, infinite behind a camera.
    """

    found: Intersection
    agrees: NDArray[np.bool_]
    off_px: FloatArray


def agreed_point(
    arrays: Optics,
    views: IntArray,
    pixels: FloatArray,
    sigma_px: FloatArray,
    camera_sigma_px: FloatArray | None = None,
) -> AgreedPoint | None:
    """The point on which most marks agree; None where they do not tell which of them is wrong.

    Arguments as of `agreeing`, with m ≥ 2: two marks agree when their rays meet.
    """
    kept = np.arange(len(views))
    if len(views) > 2:
        chosen = agreeing(arrays, views, pixels, sigma_px, camera_sigma_px)
        if chosen is None or chosen.contested or not chosen.majority:
            return None
        kept = chosen.kept
    found = intersect(arrays, views[kept], pixels[kept], sigma_px[kept])
    if found is None:
        return None
    off = _distances_px(arrays, views, pixels, found.point)
    if len(views) == 2:
        own = _own_sigma(sigma_px, camera_sigma_px)
        if (off > np.maximum(GROSS_SIGMA * own, SMALLEST_GROSS_PX)).any():
            return None
    return AgreedPoint(found, np.isin(np.arange(len(views)), kept), off)


def agreeing(
    arrays: Optics,
    views: IntArray,
    pixels: FloatArray,
    sigma_px: FloatArray,
    camera_sigma_px: FloatArray | None = None,
) -> Consensus | None:
    """The largest set of marks that agree; None when no two rays meet before their cameras.

    views : (m,) indices, m ≥ 3; pixels : (m, 2); sigma_px : (m,) of the marks;
    camera_sigma_px : (m,) how far the cameras' own uncertainty moves the projections, else 0.
    """
    off = _proposals(arrays, views, pixels)
    if off is None:
        return None
    tolerance = _tolerance(off, sigma_px, camera_sigma_px)
    score = off / tolerance
    inside = score <= 1.0
    count = inside.sum(axis=1)
    cost = np.minimum(score, 1.0) ** 2
    best = int(np.lexsort((cost.sum(axis=1), -count))[0])
    rivals = np.flatnonzero(count == count[best])
    contested = any(_different(score, inside, best, int(other)) for other in rivals)
    off_px = _refitted(arrays, views, pixels, sigma_px, off[best], tolerance)
    agrees = off_px <= tolerance
    return Consensus(np.flatnonzero(agrees), np.flatnonzero(~agrees), off_px, contested)


def _proposals(arrays: Optics, views: IntArray, pixels: FloatArray) -> FloatArray | None:
    """(h, m) pixels between each proposed point's projections and the marks.

    The point nearest to all rays comes first: where cameras are rough it explains more marks than
    any two of them.
    """
    rays = ray_directions(arrays, views, pixels)
    everything = np.arange(len(views))
    rows = []
    for own in (everything, *_pairs(rays)):
        point = nearest_point(arrays.centres[views[own]], rays[own])
        if point is None:
            continue
        distance = _distances_px(arrays, views, pixels, point)
        if np.isfinite(distance[own]).all():
            rows.append(distance)
    return np.array(rows) if rows else None


def _refitted(
    arrays: Optics,
    views: IntArray,
    pixels: FloatArray,
    sigma_px: FloatArray,
    off_px: FloatArray,
    tolerance: FloatArray,
) -> FloatArray:
    """(m,) distances from the least-squares point of the marks that agree, until they stay.

    A point of two rays has those two marks' noise in it; a refit may win marks but not lose any
    (Chum, Matas & Kittler, DAGM 2003: 236, locally optimised RANSAC).
    """
    inside = off_px <= tolerance
    for _ in range(REFITS):
        hit = intersect(arrays, views[inside], pixels[inside], sigma_px[inside])
        if hit is None:
            break
        off = _distances_px(arrays, views, pixels, hit.point)
        now = off <= tolerance
        if np.count_nonzero(now) < np.count_nonzero(inside):
            break
        off_px, before, inside = off, inside, now
        if (now == before).all():
            break
    return off_px


def _distances_px(
    arrays: Optics, views: IntArray, pixels: FloatArray, point: FloatArray
) -> FloatArray:
    """(m,) from each mark to the point's projection; infinite behind a camera."""
    projected, _ = project_point(arrays, views, point)
    off = np.linalg.norm(pixels - projected, axis=1)
    return np.asarray(np.where(np.isfinite(off), off, np.inf))


def _own_sigma(sigma_px: FloatArray, camera_sigma_px: FloatArray | None) -> FloatArray:
    return sigma_px if camera_sigma_px is None else np.hypot(sigma_px, camera_sigma_px)


def _pairs(rays: FloatArray) -> NDArray[np.int64]:
    """(h, 2) pairs of rays, the widest angles first; narrow ones only when there are no others."""
    units = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    first, second = np.triu_indices(len(rays), 1)
    cosine = np.clip((units[first] * units[second]).sum(axis=1), -1.0, 1.0)
    order = np.argsort(cosine, kind="stable")
    wide = cosine[order] < math.cos(math.radians(NARROW_DEG))
    chosen = order[wide] if wide.any() else order
    return np.column_stack([first, second])[chosen[:MAX_PAIRS]]


def _tolerance(
    off: FloatArray, sigma_px: FloatArray, camera_sigma_px: FloatArray | None
) -> FloatArray:
    """(m,) pixels within which a mark agrees.

    Where most marks scatter more than they state (a blurred edge, a rough hand), so does the
    tolerance: least median of squares with its small-sample factor (Rousseeuw & Leroy 1987,
    p. 202).
    """
    own = _own_sigma(sigma_px, camera_sigma_px)
    m = off.shape[1]
    scale = 1.0
    if m > 3:
        middle = np.sort(off / own, axis=1)[:, m // 2].min()
        small_sample = min(LARGEST_SMALL_SAMPLE, 1.0 + 5.0 / (m - 3))
        scale = max(1.0, small_sample * float(middle) / MEDIAN_OF_RAYLEIGH)
    loose = np.clip(4.0 * scale * own, SMALLEST_GROSS_PX, LARGEST_GROSS_PX)
    return np.maximum(loose, GROSS_SIGMA * own)


def _different(score: FloatArray, inside: NDArray[np.bool_], a: int, b: int) -> bool:
    return bool((score[b, inside[a]] > RIVAL).any() and (score[a, inside[b]] > RIVAL).any())
