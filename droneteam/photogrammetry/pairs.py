"""Which photos to match with which, from what they see in common and under what angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray

IDEAL_ANGLE_DEG = 10.0
"""Ray angle that balances depth precision (wider) against likeness of the two images (narrower);
plane sweeping work uses 5 to 20 (Yao et al., MVSNet, ECCV 2018, eq. for view selection)."""
NARROW_SPREAD_DEG = 4.0
WIDE_SPREAD_DEG = 10.0
MIN_COMMON_POINTS = 12
CANDIDATES = 24
SAME_DIRECTION_COS = 0.85
SAME_DIRECTION_DISCOUNT = 0.45
"""A second neighbour on the same side sees the same occlusions: it counts less."""
MAX_SAMPLE_POINTS = 2000


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another photo as a stereo partner; score is in equivalent common points."""

    view: int
    score: float
    angle_deg: float
    common: int


@dataclass(frozen=True, slots=True, eq=False)
class Visibility:
    """Which sparse points each view sees, as a (views, points) sparse matrix of ones."""

    matrix: sparse.csr_array
    points_enu_m: FloatArray

    def points_of(self, *views: int) -> FloatArray:
        """(n, 3) points that all the given views see."""
        seen = self._indices(views[0])
        for view in views[1:]:
            seen = np.intersect1d(seen, self._indices(view), assume_unique=True)
        return self.points_enu_m[seen]

    def _indices(self, view: int) -> NDArray[np.int32]:
        start, stop = self.matrix.indptr[view], self.matrix.indptr[view + 1]
        return np.asarray(self.matrix.indices[start:stop])


def visibility(network: CameraNetwork) -> Visibility:
    """Who sees what, from the tracks; by projection for points that carry none."""
    cloud = network.sparse
    n_views, n_points = len(network.views), len(cloud.points_enu_m)
    lengths = np.diff(cloud.track_offsets)
    point_of = np.repeat(np.arange(n_points), lengths)
    view_of = cloud.track_views.astype(np.int64)
    bare = np.flatnonzero(lengths == 0)
    rows, columns = [view_of], [point_of]
    for index, view in enumerate(network.views if len(bare) else ()):
        pixels, _ = optics.project(cloud.points_enu_m[bare], view)
        seen = bare[optics.inside(pixels, view.camera)]
        rows.append(np.full(len(seen), index))
        columns.append(seen)
    row, column = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.csr_array(
        (np.ones(len(row), np.int32), (row, column)), shape=(n_views, n_points)
    )
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return Visibility(matrix, cloud.points_enu_m)


def neighbours(network: CameraNetwork, seen: Visibility) -> list[list[Neighbour]]:
    """For each view its possible stereo partners, best first."""
    common = (seen.matrix @ seen.matrix.T).toarray()
    np.fill_diagonal(common, 0)
    centres = np.array([view.centre_enu_m for view in network.views])
    ranked: list[list[Neighbour]] = []
    for view in range(len(network.views)):
        candidates = np.argsort(-common[view], kind="stable")[:CANDIDATES]
        found = [
            _rate(view, int(other), int(common[view, other]), centres, seen)
            for other in candidates
            if common[view, other] >= MIN_COMMON_POINTS
        ]
        ranked.append(sorted(found, key=lambda n: (-n.score, n.view)))
    return ranked


def choose_pairs(
    network: CameraNetwork, ranked: list[list[Neighbour]], per_view: int
) -> list[tuple[int, int]]:
    """Unordered pairs (i < j): every view gets about `per_view` partners on different sides.

    A pair serves both its photos, so partners that a view already has through others' choices
    count towards its own.
    """
    centres = np.array([view.centre_enu_m for view in network.views])
    chosen: set[tuple[int, int]] = set()
    for view in range(len(ranked)):
        have = [a + b - view for a, b in chosen if view in (a, b)]
        pool = {n.view: n.score for n in ranked[view] if n.view not in have}
        while len(have) < per_view and pool:
            best = max(pool, key=lambda v: (_fresh(view, v, have, centres) * pool[v], -v))
            del pool[best]
            have.append(best)
            chosen.add((min(view, best), max(view, best)))
    return sorted(chosen)


def _rate(view: int, other: int, common: int, centres: FloatArray, seen: Visibility) -> Neighbour:
    """How well two views go together: common points weighted by angle and likeness of scale."""
    points = seen.points_of(view, other)
    points = points[:: max(1, len(points) // MAX_SAMPLE_POINTS)]
    to_view, to_other = centres[view] - points, centres[other] - points
    near, far = np.linalg.norm(to_view, axis=1), np.linalg.norm(to_other, axis=1)
    cosine = np.sum(to_view * to_other, axis=1) / (near * far)
    angle = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    off = angle - IDEAL_ANGLE_DEG
    spread = np.where(off < 0.0, NARROW_SPREAD_DEG, WIDE_SPREAD_DEG)
    weight = np.exp(-0.5 * (off / spread) ** 2) * (np.minimum(near, far) / np.maximum(near, far))
    return Neighbour(other, float(weight.mean()) * common, float(np.median(angle)), common)


def _fresh(view: int, other: int, have: list[int], centres: FloatArray) -> float:
    """1 for a partner on a new side, less for each one that already stands there."""
    direction = centres[other] - centres[view]
    factor = 1.0
    for known in have:
        against = centres[known] - centres[view]
        norms = np.linalg.norm(direction) * np.linalg.norm(against)
        if norms > 0.0 and direction @ against / norms > SAME_DIRECTION_COS:
            factor *= SAME_DIRECTION_DISCOUNT
    return factor
