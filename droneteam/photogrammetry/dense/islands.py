"""Specks of a cloud that hang in the air, and which of them to believe; pure.

Two photos, or three of many, can agree by chance: on a roof that repeats itself, on ground seen
through leaves.  What they make up is a handful of points away from everything else, while a
surface that is there goes on.  A true speck exists too (the head of a lamp, a twig); what tells
them apart is whether somebody other than those few photos saw it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from droneteam.photogrammetry.scene import FloatArray

Flags = NDArray[np.bool_]

SMALL_POINTS = 100
"""Larger specks are believed.  Of the points in smaller ones that nobody is sure of, half lie
within 1.7 ground sampling distances of a rendered surface, where 98 % of all points do, and 30 %
are off by more than 10."""
APART_GSD = 8.0
"""Cells of so many ground sampling distances; specks are apart when a cell between is empty."""
SURE_SHARE = 0.25
"""Of a small speck's points, at least so many must be sure."""
_KEY_BITS = 21
"""Of each coordinate in a cell's key: two million cells, 160 km at 8 cm."""
_HALF_OF_NEIGHBOURS = [
    (x, y, z) for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) > (0, 0, 0)
]


def believed(points_enu_m: Sequence[FloatArray], sure: Sequence[Flags], gsd_m: float) -> Flags:
    """Which points are no speck that hardly anybody saw.

    points_enu_m : (n_i, 3) of each part of the cloud; sure : (n_i,) that three photos or more
    agree on and hardly any doubts; gsd_m : the scene's typical ground sampling distance.
    Returns (n,) over all parts in their order.
    """
    if not sum(map(len, points_enu_m)):
        return np.ones(0, bool)
    keys = _keys(points_enu_m, APART_GSD * gsd_m)
    cells, cell_of = np.unique(keys, return_inverse=True)
    speck_of = _connected(cells)[cell_of]
    count = np.bincount(speck_of)
    certain = np.bincount(speck_of, weights=np.concatenate(sure))
    kept = (count > SMALL_POINTS) | (certain >= SURE_SHARE * count)
    return np.asarray(kept[speck_of])


def _keys(parts_enu_m: Sequence[FloatArray], cell_m: float) -> NDArray[np.int64]:
    """(n,) one number for each point's cell; neighbours along an axis differ by a constant."""
    low = np.min([part.min(axis=0) for part in parts_enu_m if len(part)], axis=0)
    keys = np.zeros(sum(map(len, parts_enu_m)), np.int64)
    start = 0
    for part in parts_enu_m:
        mine = keys[start : start + len(part)]
        for axis in range(3):
            mine <<= _KEY_BITS
            mine += np.floor((part[:, axis] - low[axis]) / cell_m).astype(np.int64) + 1
        start += len(part)
    return keys


def _connected(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """(c,) which connected part each occupied cell belongs to; keys sorted, without repeats."""
    first, second = [], []
    for x, y, z in _HALF_OF_NEIGHBOURS:
        beside = keys + ((x << 2 * _KEY_BITS) + (y << _KEY_BITS) + z)
        at = np.minimum(np.searchsorted(keys, beside), len(keys) - 1)
        met = np.flatnonzero(keys[at] == beside)
        first.append(met)
        second.append(at[met])
    edges = (np.concatenate(first), np.concatenate(second))
    graph = coo_matrix((np.ones(len(edges[0]), bool), edges), shape=(len(keys), len(keys)))
    _, part = connected_components(graph, directed=False)
    return np.asarray(part)
