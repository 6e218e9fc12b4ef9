"""Which photos to match with which, from what they see in common and under what angle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import rectify
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, View

Usable = Callable[[int, int], bool]
"""Whether two views, by their numbers, can be a stereo pair."""

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
WANTED_PAIRS = 3
"""Pairs of its photo in which a point should be: with fewer, a single mismatch decides."""
WORTH_SHARES = (0.3, 0.2, 0.1)
"""A further pair is worth matching for this share of a photo's points; the best ones first."""
MOST_PER_PHOTO = 3.0
"""Pairs for each photo of a scene, beyond which no more are added: matching is what costs."""
WIDEST_ANGLE_DEG = 50.0
"""Beyond, the two pictures of a rough surface have little in common."""


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

    def places(self, view: int, other: int) -> NDArray[np.bool_]:
        """Which of the points that a view sees another one sees too, in the view's order."""
        return np.isin(self._indices(view), self._indices(other), assume_unique=True)

    def count(self, view: int) -> int:
        """How many points a view sees."""
        return len(self._indices(view))

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


def rectifiable(views: tuple[View, ...], seen: Visibility) -> Usable:
    """Whether stereo with the i-th and the j-th view is possible at all; each answer is kept.

    views : at the scale to be matched.
    """

    @cache
    def usable(i: int, j: int) -> bool:
        both = (views[i], views[j])
        return rectify.rectify_pair(i, j, both, seen.points_of(i, j)) is not None

    return lambda i, j: usable(*_ordered(i, j))


def _every_pair(i: int, j: int) -> bool:
    return i != j


def choose_pairs(
    network: CameraNetwork,
    ranked: list[list[Neighbour]],
    per_view: int,
    usable: Usable = _every_pair,
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
            if not usable(view, best):
                continue
            have.append(best)
            chosen.add((min(view, best), max(view, best)))
    return sorted(chosen)


def add_where_thin(
    chosen: list[tuple[int, int]],
    ranked: list[list[Neighbour]],
    seen: Visibility,
    most_per_view: int,
    usable: Usable = _every_pair,
) -> list[tuple[int, int]]:
    """The chosen pairs and more of them for photos much of which lies in fewer than WANTED_PAIRS.

    In a dense block the partners' pictures cover a photo several times over; at the edge of a
    scene, or with a dozen photos, they leave parts of it to a single pair.
    """
    pairs = set(chosen)
    counts = [np.zeros(seen.count(view), np.uint8) for view in range(len(ranked))]
    for a, b in pairs:
        counts[a][seen.places(a, b)] += 1
        counts[b][seen.places(b, a)] += 1
    for share in WORTH_SHARES:
        for view in range(len(ranked)):
            if len(pairs) < MOST_PER_PHOTO * len(ranked):
                row = [n for n in ranked[view] if n.angle_deg <= WIDEST_ANGLE_DEG]
                _add_partners(view, share, pairs, counts, row, seen, most_per_view, usable)
    return sorted(pairs)


def _add_partners(
    view: int,
    share: float,
    pairs: set[tuple[int, int]],
    counts: list[NDArray[np.uint8]],
    ranked: list[Neighbour],
    seen: Visibility,
    most: int,
    usable: Usable,
) -> None:
    """Adds pairs of the view, the most useful first, while one brings that share of its points."""
    have = sum(view in pair for pair in pairs)
    pool = {n.view: n for n in ranked if _ordered(view, n.view) not in pairs}
    while have < most:
        gain = {o: _thin(view, o, counts[view], seen) for o in pool}
        pool = {o: n for o, n in pool.items() if gain[o] >= share * seen.count(view)}
        if not pool:
            return
        best = max(pool, key=lambda o: (gain[o] * pool[o].score / pool[o].common, -o))
        del pool[best]
        if not usable(view, best):
            continue
        have += 1
        pairs.add(_ordered(view, best))
        counts[view][seen.places(view, best)] += 1
        counts[best][seen.places(best, view)] += 1


def _thin(view: int, other: int, count: NDArray[np.uint8], seen: Visibility) -> int:
    """How many points that are in too few of the view's pairs the other view sees too."""
    return int(np.count_nonzero(count[seen.places(view, other)] < WANTED_PAIRS))


def _ordered(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)


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
