"""Which marks of one point agree: a wrong click or a misplaced photo must not bend the point.

Every pair of marks proposes a point, and the point that the most marks agree with wins (Fischler
& Bolles, CACM 1981, 24:381, over all pairs instead of random ones; ties by truncated squares as
in Torr & Zisserman, CVIU 2000, 78:138).  A majority is required, and no second point that as many
other marks agree with: where the marks do not say which of them is wrong, nobody else may.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.scene import FloatArray
from droneteam.photogrammetry.triangulation import (
    IntArray,
    Optics,
    nearest_point,
    project_point,
    ray_directions,
)

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
MEDIAN_OF_RAYLEIGH = 1.1774


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
        return 2 * len(self.kept) > len(self.kept) + len(self.rejected)


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
    return Consensus(
        np.flatnonzero(inside[best]), np.flatnonzero(~inside[best]), off[best], contested
    )


def _proposals(arrays: Optics, views: IntArray, pixels: FloatArray) -> FloatArray | None:
    """(h, m) pixels between each proposed point's projections and the marks."""
    rays = ray_directions(arrays, views, pixels)
    rows = []
    for a, b in _pairs(rays):
        both = np.array([a, b])
        point = nearest_point(arrays.centres[views[both]], rays[both])
        if point is None:
            continue
        projected, _ = project_point(arrays, views, point)
        distance = np.linalg.norm(projected - pixels, axis=1)
        if np.isfinite(distance[both]).all():
            rows.append(np.where(np.isfinite(distance), distance, np.inf))
    return np.array(rows) if rows else None


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
    own = sigma_px if camera_sigma_px is None else np.hypot(sigma_px, camera_sigma_px)
    m = off.shape[1]
    scale = 1.0
    if m > 3:
        middle = np.sort(off / own, axis=1)[:, m // 2].min()
        scale = max(1.0, (1.0 + 5.0 / (m - 3)) * float(middle) / MEDIAN_OF_RAYLEIGH)
    loose = np.clip(4.0 * scale * own, SMALLEST_GROSS_PX, LARGEST_GROSS_PX)
    return np.maximum(loose, GROSS_SIGMA * own)


def _different(score: FloatArray, inside: NDArray[np.bool_], a: int, b: int) -> bool:
    return bool((score[b, inside[a]] > RIVAL).any() and (score[a, inside[b]] > RIVAL).any())
