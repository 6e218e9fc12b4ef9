"""Which photos to match with which, from their positions, where they look and their order.

Everything here is pure; pairs are (smaller index, larger index), sorted.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree

from droneteam.photogrammetry.scene import FloatArray

Pair = tuple[int, int]
AWAY_COS = -0.17
"""Of 100° between viewing directions, beyond which two photos show no side of a thing both."""


def exhaustive_pairs(n_photos: int) -> list[Pair]:
    """Every pair."""
    return list(combinations(range(n_photos), 2))


def sequential_pairs(n_photos: int, window: int = 5) -> list[Pair]:
    """Each photo with the next `window` ones, and with those 2, 4, 8, … further on.

    The doubling steps close loops at little cost when no position is known.
    """
    steps = set(range(1, window + 1))
    step = window
    while step < n_photos:
        steps.add(step)
        step *= 2
    return sorted((i, i + s) for s in steps for i in range(n_photos - s))


def position_pairs(
    centres_m: FloatArray, neighbours: int, looks: FloatArray | None = None
) -> list[Pair]:
    """Each photo with its nearest ones, joined into one network.

    Near means in place and in viewing direction: photos taken back to back at one place share
    nothing, while one straight down and one aslant beside it do.

    Photos along a strip lie closer to each other than to those of the next strip, so a plain
    nearest-neighbour list can leave strips unlinked.  Half of the neighbours are therefore taken
    from photos outside the along-strip window of the nearest, and a minimum spanning tree over
    all photos is added.

    centres_m : (n, 3) metric; rows with NaN have no position and get no pair here.
    looks : (n, 3) unit viewing directions, NaN where unknown.
    """
    known = np.flatnonzero(np.isfinite(centres_m).all(axis=1))
    if len(known) < 2:
        return []
    points = centres_m[known]
    k = min(len(known), 3 * neighbours + 1)
    directions = _directions(looks, known)
    points = np.column_stack([points, _reach_m(points, neighbours) * directions])
    distances, nearest = cKDTree(points).query(points, k=k)
    pairs: set[Pair] = set()
    for i, row in enumerate(nearest):
        facing = row[1:][directions[row[1:]] @ directions[i] > AWAY_COS]
        for j in _near_and_across(points, i, facing, neighbours):
            pairs.add(_ordered(int(known[i]), int(known[j])))
    for i, j in _spanning_tree(points, nearest, distances):
        pairs.add(_ordered(int(known[i]), int(known[j])))
    return sorted(pairs)


def _directions(looks: FloatArray | None, known: NDArray[np.int64]) -> FloatArray:
    """(k, 3) where photos look; one that does not say so counts as looking where most do."""
    given = np.full((len(known), 3), np.nan) if looks is None else looks[known]
    stated = np.asarray(np.isfinite(given).all(axis=1))
    usual = np.median(given[stated], axis=0) if stated.any() else np.array([0.0, 0.0, -1.0])
    directions: FloatArray = np.where(stated[:, None], given, usual)
    return directions


def _reach_m(points: FloatArray, neighbours: int) -> float:
    """How far away neighbours lie: a turn of 60° counts as much."""
    distances, _ = cKDTree(points).query(points, k=min(len(points), neighbours + 1))
    return float(np.median(distances[:, -1]))


def _near_and_across(
    points: FloatArray, i: int, candidates: NDArray[np.int64], neighbours: int
) -> list[int]:
    """Half of the neighbours by distance, half spread over directions, nearest first."""
    near = [int(j) for j in candidates[: (neighbours + 1) // 2]]
    rest = [int(j) for j in candidates[len(near) :]]
    offsets = points[rest] - points[i] if rest else np.zeros((0, 3))
    sector = np.floor((np.arctan2(offsets[:, 1], offsets[:, 0]) + np.pi) / (np.pi / 4)) % 8
    taken: dict[int, int] = {}
    across: list[tuple[int, int, int]] = []
    for order, (j, s) in enumerate(zip(rest, sector.astype(int), strict=True)):
        across.append((taken.get(s, 0), order, j))
        taken[s] = taken.get(s, 0) + 1
    across.sort()
    return near + [j for _, _, j in across[: neighbours - len(near)]]


def _spanning_tree(
    points: FloatArray, nearest: NDArray[np.int64], distances: FloatArray
) -> list[Pair]:
    """A minimum spanning tree: over the nearest-neighbour graph where that is connected."""
    n = len(points)
    if n <= 2000:
        dense = np.linalg.norm(points[:, None, :] - points[None, :, :], axis=2) + 1e-9
        tree = minimum_spanning_tree(dense).tocoo()
    else:
        rows = np.repeat(np.arange(n), nearest.shape[1])
        graph = coo_matrix((distances.ravel() + 1e-9, (rows, nearest.ravel())), shape=(n, n))
        tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    return [(int(i), int(j)) for i, j in zip(tree.row, tree.col, strict=True)]


def _ordered(i: int, j: int) -> Pair:
    return (i, j) if i < j else (j, i)


def choose_pairs(
    centres_m: FloatArray,
    exhaustive_up_to: int,
    neighbours: int,
    looks: FloatArray | None = None,
) -> list[Pair]:
    """The pairs to match.

    centres_m : (n, 3), photos in the order in which they were taken; NaN where unknown.
    looks : (n, 3) unit viewing directions, NaN where unknown.
    """
    n = len(centres_m)
    if n <= exhaustive_up_to:
        return exhaustive_pairs(n)
    pairs = set(position_pairs(centres_m, neighbours, looks))
    unknown = ~np.isfinite(centres_m).all(axis=1)
    window = max(3, neighbours // 4) if not unknown.any() else max(5, neighbours // 2)
    pairs.update(sequential_pairs(n, window))
    return sorted(pairs)


def connected_groups(n_photos: int, pairs: list[Pair]) -> list[list[int]]:
    """Photos joined by pairs, the largest group first; single photos are groups too."""
    parent = list(range(n_photos))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i, j in pairs:
        parent[root(i)] = root(j)
    groups: dict[int, list[int]] = {}
    for i in range(n_photos):
        groups.setdefault(root(i), []).append(i)
    return sorted(groups.values(), key=lambda g: (-len(g), g[0]))
