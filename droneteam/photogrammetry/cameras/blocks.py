"""Many photos as overlapping blocks: cut along the weakest links, joined again by what they share.

A block is small enough to be mapped in minutes and in bounded memory.  Neighbouring blocks share
photos and, in them, the very same image points: those give the similarity from one block's frame
to the next, and they join the blocks' tracks, so that one adjustment of everything can follow.

Pure; the partition is recursive spectral bisection (Shi & Malik, PAMI 2000, normalised cut).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from droneteam.photogrammetry.cameras.georef import Similarity, fit_similarity_robust
from droneteam.photogrammetry.cameras.match_pairs import Pair, connected_groups
from droneteam.photogrammetry.cameras.sfm_types import SfmGroup
from droneteam.photogrammetry.scene import FloatArray, SparseCloud, View

IntArray = NDArray[np.int64]

OVERLAP = 0.3
"""Photos that a block takes from its neighbours, as a share of its own."""
MIN_OVERLAP = 12
"""And at least so many, up to as many as it has."""
BALANCE = 0.35
"""The smaller half of a cut holds at least this share."""
MIN_SHARED_VIEWS = 3
MIN_COMMON_POINTS = 20
FIT_POINTS = 300
"""Common points that a similarity is fitted to; spread evenly over all."""
PIXEL_OVER_DEPTH = 1e-3
"""Deviation of a point over its distance: about a pixel at the usual focal lengths."""
MIN_AGREEING = 0.5
MAX_TURN_DEG = 10.0
"""Shared photos must look the same way in both blocks, or the blocks contradict each other; a block
of vertical photos that bends like a dome is a few degrees off at its rim."""


def partition(
    n_photos: int, links: Mapping[Pair, int], size: int, overlap: float = OVERLAP
) -> list[list[int]]:
    """Overlapping blocks of about `size` photos that together hold every linked photo.

    links : number of matches per pair of photos.  Photos without a link are in no block.
    """
    strength = _strength(n_photos, links)
    blocks = []
    for group in connected_groups(n_photos, list(links)):
        if len(group) > 1:
            blocks += _cut(np.array(group), strength, size)
    return [_grown(core, strength, overlap) for core in blocks]


def _strength(n_photos: int, links: Mapping[Pair, int]) -> FloatArray:
    """(n, n) symmetric; the root of the count, so that few strong pairs do not rule the cut."""
    matrix = np.zeros((n_photos, n_photos))
    for (i, j), count in links.items():
        matrix[i, j] = matrix[j, i] = math.sqrt(count)
    return matrix


def _cut(nodes: IntArray, strength: FloatArray, size: int) -> list[IntArray]:
    """The nodes in parts of at most `size`, without overlap."""
    if len(nodes) <= size:
        return [nodes]
    order = nodes[np.argsort(_fiedler(strength[np.ix_(nodes, nodes)]), kind="stable")]
    inner = strength[np.ix_(order, order)]
    across = [inner[:k, k:].sum() for k in range(1, len(order))]
    least, most = math.ceil(BALANCE * len(order)), math.floor((1.0 - BALANCE) * len(order))
    middle = 0.5 * len(order)
    at = min(range(least, most + 1), key=lambda k: (across[k - 1], abs(k - middle)))
    return [*_cut(np.sort(order[:at]), strength, size), *_cut(np.sort(order[at:]), strength, size)]


def _fiedler(weights: FloatArray) -> FloatArray:
    """The second eigenvector of the normalised Laplacian, its first component not negative."""
    degree = 1.0 / np.sqrt(np.maximum(weights.sum(axis=1), 1e-12))
    laplacian = np.eye(len(weights)) - degree[:, None] * weights * degree[None, :]
    vector = np.linalg.eigh(laplacian)[1][:, 1] * degree
    return np.asarray(-vector if vector[0] < 0.0 else vector)


def _grown(core: IntArray, strength: FloatArray, overlap: float) -> list[int]:
    """The core and the photos outside that are linked to it most."""
    if not overlap:
        return [int(i) for i in core]
    wanted = max(min(MIN_OVERLAP, len(core)), math.ceil(overlap * len(core)))
    pull = strength[core].sum(axis=0)
    pull[core] = 0.0
    nearest = np.argsort(-pull, kind="stable")[:wanted]
    return sorted({int(i) for i in core} | {int(i) for i in nearest if pull[i] > 0.0})


@dataclass(frozen=True, slots=True, eq=False)
class _Observations:
    """A block's observations: who, which point; keys (m,) identify an image point exactly."""

    keys: NDArray[np.void]
    points: IntArray
    views: IntArray
    pixels: FloatArray


def join(blocks: Sequence[SfmGroup], names: Sequence[str]) -> list[SfmGroup]:
    """The blocks in common frames: one group of all that agree, the largest first.

    A block that shares too little with the others, or contradicts them, stays a group of its own;
    nothing is forced.  names : of all photos.
    """
    number = {name: index for index, name in enumerate(names)}
    seen = [_observations(block, number) for block in blocks]
    left = sorted(range(len(blocks)), key=lambda b: (-len(blocks[b].views), b))
    groups = []
    while left:
        placed = {left.pop(0): Similarity(1.0, np.eye(3), np.zeros(3))}
        while (found := _next(blocks, seen, placed, left)) is not None:
            placed[found[0]] = found[1]
            left.remove(found[0])
        groups.append(_united(blocks, seen, placed, number))
    return _disjoint(groups)


def _observations(block: SfmGroup, number: Mapping[str, int]) -> _Observations:
    cloud = block.sparse
    ids = np.array([number[view.name] for view in block.views], dtype=np.int64)
    views = ids[cloud.track_views]
    pixels = np.ascontiguousarray(cloud.track_pixels)
    table = np.column_stack([views.astype(np.float64), pixels])
    keys = np.ascontiguousarray(table).view(np.dtype((np.void, 24))).ravel()
    points = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    return _Observations(keys, points.astype(np.int64), views, pixels)


def _next(
    blocks: Sequence[SfmGroup],
    seen: Sequence[_Observations],
    placed: Mapping[int, Similarity],
    left: Sequence[int],
) -> tuple[int, Similarity] | None:
    """The block that shares most photos with those placed and agrees with them, and its place."""
    have = {view.name for b in placed for view in blocks[b].views}
    shared = {b: sum(view.name in have for view in blocks[b].views) for b in left}
    for candidate in sorted(left, key=lambda b: (-shared[b], b)):
        if shared[candidate] < MIN_SHARED_VIEWS:
            return None
        similarity = _aligned(blocks, seen, placed, candidate)
        if similarity is not None:
            return candidate, similarity
    return None


def _aligned(
    blocks: Sequence[SfmGroup],
    seen: Sequence[_Observations],
    placed: Mapping[int, Similarity],
    candidate: int,
) -> Similarity | None:
    """From a block's frame to that of the placed ones; None when they contradict each other."""
    source, target = [], []
    for other, similarity in placed.items():
        mine, theirs = _common_points(seen[candidate], seen[other])
        source.append(blocks[candidate].sparse.points_enu_m[mine])
        target.append(similarity.points(blocks[other].sparse.points_enu_m[theirs]))
    points, wanted = np.concatenate(source), np.concatenate(target)
    if len(points) < MIN_COMMON_POINTS:
        return None
    rows = np.unique(np.linspace(0, len(points) - 1, FIT_POINTS).astype(int))
    eye = np.mean([similarity.points(_centres(blocks[b])).mean(axis=0)
                   for b, similarity in placed.items()], axis=0)  # fmt: skip
    depth = float(np.median(np.linalg.norm(wanted[rows] - eye, axis=1)))
    sigma = np.full((len(rows), 3), PIXEL_OVER_DEPTH * depth)
    found, agreeing = fit_similarity_robust(points[rows], wanted[rows], sigma)
    if agreeing.mean() < MIN_AGREEING or _turn_deg(blocks, placed, candidate, found) > MAX_TURN_DEG:
        return None
    return found


def _common_points(first: _Observations, second: _Observations) -> tuple[IntArray, IntArray]:
    """Points of two blocks that rest on the same image point, once each."""
    _, a, b = np.intersect1d(first.keys, second.keys, return_indices=True)
    pairs = np.unique(np.column_stack([first.points[a], second.points[b]]), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _centres(block: SfmGroup) -> FloatArray:
    return np.array([view.centre_enu_m for view in block.views])


def _turn_deg(
    blocks: Sequence[SfmGroup],
    placed: Mapping[int, Similarity],
    candidate: int,
    similarity: Similarity,
) -> float:
    """The median angle between a shared photo's directions in both frames."""
    mine = {v.name: similarity.cam_from_target(v.cam_from_enu) for v in blocks[candidate].views}
    angles = []
    for other, theirs in placed.items():
        for view in blocks[other].views:
            if view.name in mine:
                turn = mine[view.name][:, :3] @ theirs.cam_from_target(view.cam_from_enu)[:, :3].T
                angles.append(math.degrees(math.acos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))
    return float(np.median(angles)) if angles else 0.0


def _united(
    blocks: Sequence[SfmGroup],
    seen: Sequence[_Observations],
    placed: Mapping[int, Similarity],
    number: Mapping[str, int],
) -> SfmGroup:
    """One group of the placed blocks, in the first one's frame, its views in the photos' order."""
    if len(placed) == 1:
        return blocks[next(iter(placed))]
    views: dict[str, View] = {}
    for block in sorted(placed):
        for view in blocks[block].views:
            pose = placed[block].cam_from_target(view.cam_from_enu)
            views.setdefault(view.name, replace(view, cam_from_enu=pose))
    ordered = tuple(sorted(views.values(), key=lambda view: number[view.name]))
    chosen = sorted(placed)
    points = [placed[b].points(blocks[b].sparse.points_enu_m) for b in chosen]
    colors = [blocks[b].sparse.colors for b in chosen]
    index = np.full(len(number), -1, dtype=np.int64)
    index[[number[view.name] for view in ordered]] = np.arange(len(ordered))
    sparse = _united_tracks(
        [seen[b] for b in chosen], np.concatenate(points), np.concatenate(colors), index
    )
    total = sum(len(blocks[b].sparse.track_views) for b in chosen)
    mean_square = sum(
        blocks[b].reprojection_px ** 2 * len(blocks[b].sparse.track_views) for b in chosen
    )
    return SfmGroup(
        views=ordered,
        sparse=sparse,
        reprojection_px=math.sqrt(mean_square / max(1, total)),
        agreeing_matches=sum(blocks[b].agreeing_matches for b in chosen),
        verified_matches=sum(blocks[b].verified_matches for b in chosen),
        mapper="blocks",
    )


def _united_tracks(
    seen: Sequence[_Observations], points: FloatArray, colors: NDArray[np.uint8], index: IntArray
) -> SparseCloud:
    """Tracks that share an image point become one; a photo that shows one twice is left out."""
    starts = np.concatenate([[0], np.cumsum([o.points.max(initial=-1) + 1 for o in seen])])
    owner = np.concatenate([o.points + start for o, start in zip(seen, starts, strict=False)])
    keys = np.concatenate([o.keys for o in seen])
    _, first, identity = np.unique(keys, return_index=True, return_inverse=True)
    n_points = len(points)
    graph = coo_matrix(
        (np.ones(len(owner), np.int8), (owner, n_points + identity.ravel())),
        shape=(n_points + len(first),) * 2,
    )
    _, label = connected_components(graph, directed=False)
    views = index[np.concatenate([o.views for o in seen])[first]]
    pixels = np.concatenate([o.pixels for o in seen])[first]
    track = label[n_points:]
    keep = _unambiguous(track, views)
    return _cloud(label[:n_points], points, colors, (track[keep], views[keep], pixels[keep]))


def _unambiguous(track: IntArray, views: IntArray) -> NDArray[np.bool_]:
    """Observations whose track has no other one in the same photo."""
    pair = track.astype(np.int64) * (int(views.max(initial=0)) + 1) + views
    _, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse.ravel()] == 1)


def _cloud(
    label: IntArray,
    points: FloatArray,
    colors: NDArray[np.uint8],
    observed: tuple[IntArray, IntArray, FloatArray],
) -> SparseCloud:
    """Tracks of two observations or more, at the mean of the points that became one."""
    track, views, pixels = observed
    length = np.bincount(track, minlength=int(label.max(initial=-1)) + 1)
    members = np.bincount(label, minlength=len(length))
    mean = np.stack(
        [np.bincount(label, points[:, axis], minlength=len(length)) for axis in range(3)], axis=1
    ) / np.maximum(members, 1)[:, None]  # fmt: skip
    colour = np.zeros((len(length), 3), np.uint8)
    colour[label[::-1]] = colors[::-1]
    alive = (length >= 2) & (members > 0)
    order = np.lexsort((views, track))
    order = order[alive[track[order]]]
    return SparseCloud(
        points_enu_m=mean[alive],
        colors=colour[alive],
        track_offsets=np.concatenate([[0], np.cumsum(length[alive])]).astype(np.int64),
        track_views=views[order].astype(np.int32),
        track_pixels=np.ascontiguousarray(pixels[order]),
    )


def _disjoint(groups: Sequence[SfmGroup]) -> list[SfmGroup]:
    """The groups, the largest first, without those whose photos a larger one has."""
    kept: list[SfmGroup] = []
    taken: set[str] = set()
    for group in sorted(groups, key=lambda g: (-len(g.views), g.views[0].name)):
        names = {view.name for view in group.views}
        if not names & taken:
            kept.append(group)
            taken |= names
    return kept
