"""The octree of a COPC file: coarse nodes hold an even sample of the cloud, fine ones the rest.

Points are sorted along a Morton curve once (G. M. Morton, IBM, 1966): every node and every cell of
its grid is then one stretch of them, and a cloud of a hundred million points takes some 30 bytes
for each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

NODE_BITS = 7
"""A node's grid has 2**7 cells per side, of which each keeps one point (as untwine and PDAL do)."""
LEAF_POINTS = 20_000
"""A node with no more points has no children; thousands of tiny chunks would cost minutes."""
MAX_DEPTH = 10
CODE_BITS = MAX_DEPTH + NODE_BITS
"""Bits of each axis in a point's place along the curve: the finest grid of all."""
CHUNK = 1_000_000

Key = tuple[int, int, int, int]
Codes = NDArray[np.uint64]
Members = NDArray[np.uint32]


def octree(
    points: NDArray[np.generic], corner: ArrayLike, side: ArrayLike
) -> Iterator[tuple[Key, Members]]:
    """Nodes (depth, x, y, z) of an octree and the indices of the points they hold.

    points : (n, 3) of any numeric type; corner : (3,) of the cube; side : its side, or (3,) where
    the axes have different units.  A crowded node keeps one point per cell of its grid; the rest go
    to its children.  Every point is in exactly one node, and a node's parent exists.
    """
    codes = morton_codes(points, corner, side)
    order = np.argsort(codes, kind="stable").astype(np.uint32)
    # Any point of a cell would do but the first, which lies at the cell's corner; the seed makes
    # files reproducible.
    yield from _nodes(codes[order], order, (0, 0, 0, 0), np.random.default_rng(0))


def morton_codes(points: NDArray[np.generic], corner: ArrayLike, side: ArrayLike) -> Codes:
    """(n,) places along the curve: the bits of x, y and z in turns, the highest first."""
    codes = np.empty(len(points), np.uint64)
    cells = 2**CODE_BITS
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        position = (points[part] - np.asarray(corner)) / np.asarray(side)
        index = np.clip((position * cells).astype(np.int64), 0, cells - 1).astype(np.uint64)
        codes[part] = (
            _spread(index[:, 0]) << np.uint64(2)
            | _spread(index[:, 1]) << np.uint64(1)
            | _spread(index[:, 2])
        )
    return codes


def _spread(bits: Codes) -> Codes:
    """Each of the lowest 21 bits moved to three times its place."""
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        bits = (bits | bits << np.uint64(shift)) & np.uint64(mask)
    return bits


def _nodes(
    codes: Codes, members: Members, key: Key, rng: np.random.Generator
) -> Iterator[tuple[Key, Members]]:
    """A node and all below it; codes : (n,) ascending, those of its members."""
    depth, x, y, z = key
    if len(members) <= LEAF_POINTS or depth == MAX_DEPTH:
        yield key, members
        return
    kept = _one_per_cell(codes >> np.uint64(3 * (MAX_DEPTH - depth)), rng)
    yield key, members[kept]
    rest = np.ones(len(members), bool)
    rest[kept] = False
    codes, members = codes[rest], members[rest]
    octant = (codes >> np.uint64(3 * (CODE_BITS - depth - 1))) & np.uint64(7)
    ends = np.searchsorted(octant, np.arange(9, dtype=np.uint64))
    for c in range(8):
        part = slice(int(ends[c]), int(ends[c + 1]))
        if part.stop > part.start:
            child = (depth + 1, 2 * x + (c >> 2), 2 * y + (c >> 1 & 1), 2 * z + (c & 1))
            yield from _nodes(codes[part], members[part], child, rng)


def _one_per_cell(cells: Codes, rng: np.random.Generator) -> NDArray[np.int64]:
    """One place in each stretch of equal cells."""
    starts = np.flatnonzero(np.r_[True, cells[1:] != cells[:-1]])
    counts = np.diff(np.r_[starts, len(cells)])
    return np.asarray(starts + (rng.random(len(starts)) * counts).astype(np.int64))
