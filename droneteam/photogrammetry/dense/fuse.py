"""From the pairs' hypotheses to one depth map per photo, and from those to one cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import islands, kernels
from droneteam.photogrammetry.scene import DenseCloud, FloatArray, View

Float32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SIGMA_FLOOR_PX = 0.05
"""What calibration and interpolation leave of a disparity's error however good its texture."""
NORMAL_HALF_PX = 2
NORMAL_TOLERANCE = 0.01
ROW_BLOCK = 256
LEAST_SUPPORT = 0.4
"""Smallest share of the photos that face a point and have it in frame that must agree on it.  On
glossy paint a few neighbouring photos can agree on what it mirrors."""
STRONG_SUPPORT = 0.75
"""Points with this share go before all others."""
MIN_FACING_COS = 0.1
"""Surfaces seen more grazing than this (84 degrees) are left to other photos."""
PAIR_SIGMA_GSD = 0.78
PAIR_FACING_COS = 0.17
PAIR_ANGLES_DEG = (5.0, 50.0)
PAIR_ONLOOKERS = 5
"""What two photos alone must offer: the inflated 1-sigma, how squarely they look at the surface
(80 degrees: steep looks are all that many walls get, and on a rendered crossing these are right as
often as others, 98 in 100 within 1.7 ground sampling distances; beyond it 7 in 10), the angle
between their rays, and no more photos than this that have the place in frame at all.
Where ten look and two agree the two are wrong three times out of four; where four look, once in
fifteen (rendered scenes)."""
PAIR_INFLATION = 1.5
"""Two opinions cannot show that they are both off: by so much their 1-sigma is larger."""
CORRELATION_INFLATION = 1.25
"""Neighbouring photos share pairs and calibration: their errors are not independent."""
SCATTER_INFLATION = 1.2
"""Photos that share windows and mirrored things are off together, beyond what they disagree by."""
CONFLICT_GSD = 2.0
"""How far a point is off, in ground sampling distances, if the photos that see through it are
right.  These three were calibrated on a rendered scene and are checked on others (surface.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class DepthMap:
    """A photo's surface on its undistorted pinhole grid.

    inverse_depth, sigma : (h, w) float32, 1/m, NaN where unknown; matrix : (3, 3) of the grid
    """

    inverse_depth: Float32
    sigma: Float32


def merge(inverse: Float32, sigma: Float32, view: View) -> tuple[DepthMap, Bytes]:
    """The consensus depth map of (k, h, w) hypotheses and how many agreed at each pixel."""
    floor = SIGMA_FLOOR_PX / view.camera.focal_px[0] / BASE_TO_HEIGHT
    merged, spread, count = kernels.merge_hypotheses(inverse, sigma, floor)
    return DepthMap(merged, spread), count


BASE_TO_HEIGHT = 0.17
"""Tangent of the ideal ray angle; turns the floor in pixels into one relative to depth."""


def fuse(
    views: tuple[View, ...],
    maps: Callable[[int], DepthMap],
    colours: Callable[[int], Bytes],
    partners: list[list[int]],
    checkers: int,
    min_views: int,
    progress: Callable[[float], None],
) -> DenseCloud:
    """One cloud of the points on which at least `min_views` photos agree.

    maps, colours : load a photo's depth map and its colours on the same grid; partners : the
    views that may see each view's points, of which the first `checkers` are asked about them.
    Points that hardly any photo doubts go first, views with the finest ground sampling before
    others; the rest fill what those leave open.  A pixel that shows a point that is already there
    is not emitted again.  Specks apart from everything that nobody is sure of are left out.
    """
    gsd_m = [_median_gsd(maps(v), view) for v, view in enumerate(views)]
    order = sorted(range(len(views)), key=lambda v: (gsd_m[v], v))
    visited = {v: np.zeros(maps(v).inverse_depth.shape, np.uint8) for v in order}
    asked = _Asked(views, maps, partners, checkers, min_views, visited)
    parts: list[DenseCloud] = []
    sure: list[NDArray[np.bool_]] = []
    doubted: dict[int, list[_Judged]] = {v: [] for v in order}
    for done, view in enumerate(order):
        if partners[view]:
            image = colours(view)
            for block in _blocks(maps(view), views[view], image, visited[view]):
                judged = _judge(block, view, asked)
                parts.append(_emit(judged.of(judged.strong), view, asked))
                sure.append(parts[-1].n_views >= min_views)
                doubted[view].append(judged.of(~judged.strong))
        progress(0.9 * (done + 1) / len(order))
    for view in order:
        for judged in doubted.pop(view):
            free = visited[view].ravel()[judged.pixel] == 0
            parts.append(_emit(judged.of(free), view, asked))
            sure.append(np.zeros(len(parts[-1].points_enu_m), bool))
    cloud = concatenate(_without_specks(parts, sure, float(np.median(gsd_m))))
    progress(1.0)
    return cloud


def _without_specks(
    parts: list[DenseCloud], sure: list[NDArray[np.bool_]], gsd_m: float
) -> list[DenseCloud]:
    """The parts, changed in place, without specks that nobody is sure of."""
    keep = islands.believed([part.points_enu_m for part in parts], sure, gsd_m)
    end = 0
    for index, part in enumerate(parts):
        start, end = end, end + len(part.points_enu_m)
        parts[index] = _subset(part, keep[start:end])
    return parts


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """All photos, and who is asked about whose points."""

    views: tuple[View, ...]
    maps: Callable[[int], DepthMap]
    partners: list[list[int]]
    checkers: int
    min_views: int
    visited: dict[int, Bytes]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Points of one photo that enough others confirm; strong : hardly any doubts them."""

    cloud: DenseCloud
    gsd: FloatArray
    pixel: NDArray[np.int64]
    strong: NDArray[np.bool_]

    def of(self, which: NDArray[np.bool_]) -> _Judged:
        cloud = _subset(self.cloud, which)
        return _Judged(cloud, self.gsd[which], self.pixel[which], self.strong[which])


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Points of some rows of one photo, before anyone else was asked.

    bend : (n,) metres, as `kernels.bends` gives it; the others as in `DenseCloud`.
    """

    points: FloatArray
    normals: FloatArray
    sigma: FloatArray
    bend: FloatArray
    gsd: FloatArray
    colors: Bytes
    pixel: NDArray[np.int64]


def _blocks(depth: DepthMap, view: View, image: Bytes, visited: Bytes) -> Iterator[_Block]:
    """Blocks of the photo's own points that no earlier photo has emitted."""
    height = depth.inverse_depth.shape[0]
    for start in range(0, height, ROW_BLOCK):
        top, bottom = (
            max(0, start - NORMAL_HALF_PX),
            min(height, start + ROW_BLOCK + NORMAL_HALF_PX),
        )
        matrix = view.camera.matrix
        matrix[1, 2] -= top
        normals = kernels.normals_of_inverse_depth(
            np.ascontiguousarray(depth.inverse_depth[top:bottom]),
            (visited[top:bottom] != kernels.COVERED).astype(np.uint8),
            matrix,
            NORMAL_HALF_PX,
            NORMAL_TOLERANCE,
        )[start - top : start - top + ROW_BLOCK]
        rows = slice(start, min(height, start + ROW_BLOCK))
        yield _lift(depth, view, normals, image, visited, rows)


def _lift(
    depth: DepthMap, view: View, normals: Float32, image: Bytes, visited: Bytes, rows: slice
) -> _Block:
    inverse = np.asarray(depth.inverse_depth[rows], dtype=np.float64)
    keep = np.isfinite(inverse) & np.isfinite(normals[..., 0]) & (visited[rows] != kernels.COVERED)
    row, column = np.nonzero(keep)
    (fx, fy), (cx, cy) = view.camera.focal_px, view.camera.principal_px
    ray = np.stack(
        [(column + 0.5 - cx) / fx, (row + rows.start + 0.5 - cy) / fy, np.ones(len(row))], axis=1
    )
    z = 1.0 / inverse[keep]
    local_normals = normals[keep].astype(np.float64)
    facing = -np.sum(ray * local_normals, axis=1)
    ok = facing > MIN_FACING_COS * np.linalg.norm(ray, axis=1)
    rotation = view.cam_from_enu[:, :3]
    points = (ray * z[:, None] - view.cam_from_enu[:, 3]) @ rotation
    scale = (z * z * facing)[ok]
    spread = np.asarray(depth.sigma[rows], dtype=np.float64)[keep][ok] * scale
    row, column, gsd = (row + rows.start)[ok], column[ok], (z / fx)[ok]
    return _Block(
        points=np.ascontiguousarray(points[ok]),
        normals=np.ascontiguousarray(local_normals[ok] @ rotation),
        sigma=spread,
        bend=kernels.bends(depth.inverse_depth, row, column, scale, spread, gsd),
        gsd=gsd,
        colors=image[rows][keep][ok],
        pixel=row * depth.inverse_depth.shape[1] + column,
    )


def _judge(block: _Block, view: int, asked: _Asked) -> _Judged:
    """The block's points that enough other photos confirm, moved to where they agree."""
    said = _ask(block, view, asked)
    support = said.agreeing / (
        said.agreeing.astype(np.float64) + said.doubting + said.silent + said.conflicting
    )
    enough = (said.agreeing >= asked.min_views) & (said.conflicting < said.agreeing)
    keep = (enough | _sound_pairs(block, view, asked, said)) & (support >= LEAST_SUPPORT)
    mean = said.shift / said.weight
    sigma = np.hypot(_stated_sigma(said, mean, block.gsd), block.bend)
    cloud = DenseCloud(
        points_enu_m=(block.points + mean[:, None] * block.normals)[keep],
        normals=block.normals[keep].astype(np.float32),
        colors=block.colors[keep],
        sigma_m=sigma[keep].astype(np.float32),
        n_views=said.agreeing[keep],
    )
    return _Judged(cloud, block.gsd[keep], block.pixel[keep], support[keep] >= STRONG_SUPPORT)


def _stated_sigma(said: _Said, mean: FloatArray, gsd: FloatArray) -> FloatArray:
    """1-sigma of points on a plane along their normals, metres: noise, and what speaks against it.

    Noise averages out over the photos, but what they disagree about does not: windows round off an
    edge, and paint mirrors something, in all of them alike.  So their scatter counts whole, and
    with it how far they moved the point off its own photo's opinion.
    """
    agreeing = said.agreeing.astype(np.float64)
    scatter = np.maximum(said.square / said.weight - mean * mean, 0.0)
    scatter *= agreeing / np.maximum(agreeing - 1.0, 1.0)
    # The share of photos that doubt, times how far off the point is if they are right.
    wrong = said.miss / (agreeing + said.doubting)
    asked = agreeing + said.doubting + said.silent + said.conflicting
    wrong += (CONFLICT_GSD * gsd) ** 2 * said.conflicting / asked
    shared = SCATTER_INFLATION**2 * scatter + mean * mean
    sigma = np.sqrt(CORRELATION_INFLATION**2 / said.weight + shared + wrong)
    sigma[said.agreeing == 2] *= PAIR_INFLATION
    return np.asarray(sigma)


@dataclass(frozen=True, slots=True, eq=False)
class _Said:
    """What other photos say about (n,) points; shift, weight and square as weighted sums.

    partner : the last photo that agreed, -1 where none did.
    """

    shift: FloatArray
    weight: FloatArray
    square: FloatArray
    miss: FloatArray
    agreeing: Bytes
    doubting: Bytes
    silent: Bytes
    conflicting: Bytes
    partner: NDArray[np.int32]


def _ask(block: _Block, view: int, asked: _Asked) -> _Said:
    """Asks the photo's checkers about its points."""
    n = len(block.points)
    own = 1.0 / np.maximum(block.sigma, 1e-12) ** 2
    shift, weight, square, miss = np.zeros(n), own, np.zeros(n), np.zeros(n)
    agreeing, doubting, silent, conflicting = (np.full(n, k, np.uint8) for k in (1, 0, 0, 0))
    last = np.full(n, -1, np.int32)
    for partner in asked.partners[view][: asked.checkers]:
        other = asked.maps(partner)
        before = agreeing.copy()
        kernels.agree_with_view(
            block.points, block.normals, block.sigma, block.gsd,
            asked.views[partner].cam_from_enu, asked.views[partner].camera.matrix,
            other.inverse_depth, other.sigma,
            shift, weight, square, miss, agreeing, doubting, silent, conflicting,
        )  # fmt: skip
        last[agreeing > before] = partner
    return _Said(shift, weight, square, miss, agreeing, doubting, silent, conflicting, last)


def _sound_pairs(block: _Block, view: int, asked: _Asked, said: _Said) -> NDArray[np.bool_]:
    """Which points two photos alone may claim: at a scene's edge, where hardly any others look.

    Both maps may come from one match, whose check from left to right is then all there is.
    Nobody may contradict, and texture, facing and the angle between the rays must be good.
    """
    sound = (said.agreeing == 2) & (said.doubting == 0) & (said.conflicting == 0)
    sound &= CORRELATION_INFLATION / np.sqrt(said.weight) < PAIR_SIGMA_GSD * block.gsd
    which = np.flatnonzero(sound)
    centres = np.array([v.centre_enu_m for v in asked.views])
    points, normals = block.points[which], block.normals[which]
    own, other = _unit(centres[view] - points), _unit(centres[said.partner[which]] - points)
    facing = np.minimum(np.sum(own * normals, axis=1), np.sum(other * normals, axis=1))
    angle_deg = np.degrees(np.arccos(np.clip(np.sum(own * other, axis=1), -1.0, 1.0)))
    good = (facing >= PAIR_FACING_COS) & (angle_deg >= PAIR_ANGLES_DEG[0])
    good &= (angle_deg <= PAIR_ANGLES_DEG[1]) & (_framed(points, view, asked) <= PAIR_ONLOOKERS)
    sound[which[~good]] = False
    return np.asarray(sound)


def _framed(points: FloatArray, view: int, asked: _Asked) -> NDArray[np.int64]:
    """How many photos have each point in frame, whether anything hides it or not."""
    count = np.ones(len(points), np.int64)
    for partner in asked.partners[view]:
        pixels, _ = optics.project(points, asked.views[partner])
        count += optics.inside(pixels, asked.views[partner].camera)
    return count


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _emit(judged: _Judged, view: int, asked: _Asked) -> DenseCloud:
    """The points, after every photo's pixels that show them are marked."""
    asked.visited[view].ravel()[judged.pixel] = kernels.COVERED
    for partner in asked.partners[view]:
        kernels.mark_covered(
            judged.cloud.points_enu_m, judged.gsd, asked.views[partner].cam_from_enu,
            asked.views[partner].camera.matrix, asked.maps(partner).inverse_depth,
            asked.visited[partner],
        )  # fmt: skip
    return judged.cloud


def _subset(cloud: DenseCloud, which: NDArray[np.bool_]) -> DenseCloud:
    return DenseCloud(**{field.name: getattr(cloud, field.name)[which] for field in fields(cloud)})


def concatenate(parts: list[DenseCloud]) -> DenseCloud:
    """One cloud of several; of none, an empty one.

    Empties the list as it goes: the points are never held twice.
    """
    n = sum(len(part.points_enu_m) for part in parts)
    cloud = DenseCloud(
        points_enu_m=np.empty((n, 3)),
        normals=np.empty((n, 3), np.float32),
        colors=np.empty((n, 3), np.uint8),
        sigma_m=np.empty(n, np.float32),
        n_views=np.empty(n, np.uint8),
    )
    end = n
    while parts:
        part = parts.pop()
        start = end - len(part.points_enu_m)
        for field in fields(DenseCloud):
            getattr(cloud, field.name)[start:end] = getattr(part, field.name)
        end = start
    return cloud


def _median_gsd(depth: DepthMap, view: View) -> float:
    sample = np.asarray(depth.inverse_depth[::8, ::8])
    known = sample[np.isfinite(sample)]
    return float(1.0 / (np.median(known) * view.camera.focal_px[0])) if known.size else np.inf
