"""What lies flat on the ground: paint, targets, skid marks, cracks, tar, patches, stains.

A decal is a row of numbers, placed in the horizontal plane of the world frame and box-filtered
by the pixel's two footprint vectors there.  A uniform grid tells the shader which decals can
touch a spot.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sitl.jit import Rgbg, Vector, kernel
from sitl.mesh import FloatArray, IntArray
from sitl.noise import box_cover, hash01, octave, smooth, stripe_cover

CELL_M = 0.25
SEAM_M = 0.03
SHARD_CELL_M = 0.03
TAR_GLOSS, STAIN_GLOSS = 0.35, 0.3


class DecalKind(IntEnum):
    """How a decal changes the ground under it."""

    PAINT = 0
    TARGET = 1
    SKID = 2
    CRACK = 3
    TAR = 4
    PATCH = 5
    STAIN = 6
    SHARDS = 7
    COVER = 8


ROUND_KINDS = (1, 6, 7, 8)
"""Kinds that are laid out round a: TARGET, STAIN, SHARDS, COVER."""
PAD_M = 0.15
"""A decal's uneven edge and the footprint's half reach this far beyond its nominal outline."""


@dataclass(frozen=True, slots=True)
class Decal:
    """One mark on the ground, from a to b (its centre line) and half_width_m to either side.

    A TARGET's arms point from its centre a towards b; a STAIN, SHARDS and COVER are ellipses
    with half axes |b - a| and half_width_m about a.
    """

    kind: DecalKind
    a_en_m: tuple[float, float]
    b_en_m: tuple[float, float]
    half_width_m: float
    color: tuple[float, float, float] = (0.0, 0.0, 0.0)
    opacity: float = 1.0
    seed: int = 0

    def row(self) -> list[float]:
        """The decal as the kernel reads it."""
        return [
            float(self.kind),
            *self.a_en_m,
            *self.b_en_m,
            self.half_width_m,
            *self.color,
            self.opacity,
            float(self.seed),
        ]

    def reach_m(self) -> float:
        """Distance from the centre line beyond which the decal has no effect."""
        if int(self.kind) in ROUND_KINDS:
            return 1.5 * max(self.half_width_m, math.dist(self.a_en_m, self.b_en_m)) + PAD_M
        return self.half_width_m + PAD_M


@dataclass(frozen=True, slots=True)
class DecalIndex:
    """Decals as arrays: rows (k, 11), and per grid cell the ones that reach into it."""

    rows: FloatArray
    starts: NDArray[np.int32]
    items: NDArray[np.int32]
    grid: FloatArray
    """West edge, south edge, columns, rows."""


def indexed(decals: Sequence[Decal]) -> DecalIndex:
    """The decals with a grid over them; later ones lie on top."""
    rows = np.array([d.row() for d in decals], dtype=np.float64).reshape(-1, 11)
    ends = rows[:, 1:5].reshape(-1, 2, 2)
    reach = np.array([d.reach_m() for d in decals])
    low = (ends.min(axis=1) - reach[:, None]).min(axis=0)
    high = (ends.max(axis=1) + reach[:, None]).max(axis=0)
    columns, lines = (int(v) for v in np.ceil((high - low) / CELL_M) + 1)
    cells: list[list[int]] = [[] for _ in range(columns * lines)]
    for k in range(len(decals)):
        for cell in _cells_near(ends[k], reach[k], low, columns, lines):
            cells[cell].append(k)
    starts = np.cumsum([0] + [len(c) for c in cells]).astype(np.int32)
    items = np.array([k for c in cells for k in c], dtype=np.int32)
    return DecalIndex(rows, starts, items, np.array([low[0], low[1], columns, lines], float))


def _cells_near(
    ends: FloatArray, reach_m: float, low: FloatArray, columns: int, lines: int
) -> NDArray[np.int64]:
    """Cells whose centre is within reach (and half a cell's diagonal) of the segment."""
    first = np.floor((ends.min(axis=0) - reach_m - low) / CELL_M).astype(int)
    last = np.floor((ends.max(axis=0) + reach_m - low) / CELL_M).astype(int)
    j = np.arange(max(first[0], 0), min(last[0] + 1, columns))
    i = np.arange(max(first[1], 0), min(last[1] + 1, lines))
    x, y = np.meshgrid(low[0] + (j + 0.5) * CELL_M, low[1] + (i + 0.5) * CELL_M)
    d = ends[1] - ends[0]
    w = np.clip(((x - ends[0, 0]) * d[0] + (y - ends[0, 1]) * d[1]) / max(d @ d, 1e-12), 0, 1)
    distance = np.hypot(x - ends[0, 0] - w * d[0], y - ends[0, 1] - w * d[1])
    keep = distance <= reach_m + 0.7072 * CELL_M
    index = i[:, None] * columns + j[None, :]
    return np.asarray(index[keep])


@kernel
def apply_decals(
    x: float,
    y: float,
    step_u: Vector,
    step_v: Vector,
    footprint: float,
    r: float,
    g: float,
    b: float,
    index: tuple[FloatArray, IntArray, IntArray, FloatArray],
) -> Rgbg:
    """The ground's colour and gloss under all decals at a spot.

    step_u, step_v : the pixel's footprint vectors; index : rows, starts, items, grid
    """
    rows, starts, items, grid = index
    colour = (r, g, b, 0.0)
    column = math.floor((x - grid[0]) / CELL_M)
    line = math.floor((y - grid[1]) / CELL_M)
    if column < 0 or line < 0 or column >= int(grid[2]) or line >= int(grid[3]):
        return colour
    cell = line * int(grid[2]) + column
    for k in range(starts[cell], starts[cell + 1]):
        row = rows[items[k]]
        ex, ey = row[3] - row[1], row[4] - row[2]
        length = math.hypot(ex, ey)
        ex, ey = ex / length, ey / length
        p = (x - row[1]) * ex + (y - row[2]) * ey
        q = (y - row[2]) * ex - (x - row[1]) * ey
        if _misses(row, p, q, length, footprint):
            continue
        pw = abs(step_u[0] * ex + step_u[1] * ey) + abs(step_v[0] * ex + step_v[1] * ey)
        qw = abs(step_u[1] * ex - step_u[0] * ey) + abs(step_v[1] * ex - step_v[0] * ey)
        colour = _one_decal(row, x, y, p, q, pw, qw, length, footprint, colour)
    return colour


@kernel
def _misses(row: FloatArray, p: float, q: float, length: float, footprint: float) -> bool:
    pad = 0.06 + 2.0 * footprint
    if int(row[0]) in ROUND_KINDS:
        reach = 1.5 * max(length, row[5]) + pad
        return bool(p * p + q * q > reach * reach)
    return bool(p < -pad or p > length + pad or abs(q) > row[5] + pad)


@kernel
def _one_decal(
    row: FloatArray,
    x: float,
    y: float,
    p: float,
    q: float,
    pw: float,
    qw: float,
    length: float,
    f: float,
    colour: Rgbg,
) -> Rgbg:
    """The colour under one decal.

    p, q : place along its centre line and to its left; pw, qw : the filter's widths there
    """
    kind = int(row[0])
    half, seed = row[5], int(row[10])
    if kind in ROUND_KINDS:
        return _round_decal(kind, row, x, y, p, q, pw, qw, length, f, colour)
    if kind == DecalKind.CRACK:
        q += 0.012 * octave(p, 0.0, 0.05, 0.2 * f, seed)
        q += 0.020 * octave(p, 3.0, 0.17, 0.2 * f, seed)
    if kind == DecalKind.TAR:
        half *= 1.0 + 0.25 * octave(p, 1.0, 0.09, 0.2 * f, seed)
    cover = box_cover(p, 0.0, length, pw) * box_cover(q, -half, half, qw)
    if cover <= 0.0:
        return colour
    if kind == DecalKind.PAINT:
        return _paint(row, x, y, f, cover, seed, colour)
    if kind == DecalKind.SKID:
        return _rubber(row, x, y, p, q, qw, f, cover, seed, colour)
    if kind == DecalKind.PATCH:
        inner = box_cover(p, SEAM_M, length - SEAM_M, pw)
        inner *= box_cover(q, SEAM_M - half, half - SEAM_M, qw)
        return _patch(row, x, y, f, cover, inner, seed, colour)
    if kind == DecalKind.TAR:
        return _over(colour, 0.025, 0.025, 0.027, TAR_GLOSS, cover * row[9])
    return _over(colour, 0.02, 0.02, 0.02, 0.0, cover * row[9])


@kernel
def _paint(
    row: FloatArray, x: float, y: float, f: float, cover: float, seed: int, colour: Rgbg
) -> Rgbg:
    """Road paint, worn off in flakes."""
    worn = 0.5 * octave(x, y, 0.012, f, seed) + 0.6 * octave(x, y, 0.06, f, seed + 1)
    worn += 0.5 * octave(x, y, 0.3, f, seed + 2)
    cover *= row[9] * (1.0 - 0.75 * smooth(0.15, 0.75, worn))
    tone = 1.0 + 0.08 * octave(x, y, 0.02, f, seed + 3)
    return _over(colour, row[6] * tone, row[7] * tone, row[8] * tone, 0.0, cover)


@kernel
def _rubber(
    row: FloatArray,
    x: float,
    y: float,
    p: float,
    q: float,
    qw: float,
    f: float,
    cover: float,
    seed: int,
    colour: Rgbg,
) -> Rgbg:
    """A skid mark: rubber in the tread's ribs, on the tops of the stones."""
    ribs = 0.72 + 0.28 * stripe_cover(q + row[5], 0.036, 0.025, qw)
    grain = 1.0 + 0.5 * octave(x, y, 0.012, f, seed)
    grain += 0.3 * octave(0.1 * p, q, 0.03, f, seed)
    cover = min(cover * row[9] * ribs * max(grain, 0.0), 1.0)
    return _over(colour, 0.018, 0.018, 0.019, 0.0, cover)


@kernel
def _patch(
    row: FloatArray,
    x: float,
    y: float,
    f: float,
    cover: float,
    inner: float,
    seed: int,
    colour: Rgbg,
) -> Rgbg:
    """A repair of another asphalt inside a sealed seam."""
    tone = 1.0 + 0.35 * octave(x, y, 0.010, f, seed) + 0.25 * octave(x, y, 0.022, f, seed + 1)
    tone = row[6] * (tone + 0.10 * octave(x, y, 0.4, f, seed + 2))
    colour = _over(colour, tone, tone, 0.99 * tone, 0.0, cover)
    return _over(colour, 0.03, 0.03, 0.03, 0.1, 0.8 * (cover - inner))


@kernel
def _round_decal(
    kind: int,
    row: FloatArray,
    x: float,
    y: float,
    p: float,
    q: float,
    pw: float,
    qw: float,
    length: float,
    f: float,
    colour: Rgbg,
) -> Rgbg:
    half, seed = row[5], int(row[10])
    if kind == DecalKind.TARGET:
        return _target(row, p, q, pw, qw, colour)
    if kind == DecalKind.COVER:
        return _cover(x, y, p, q, pw, qw, half, f, seed, colour)
    radius = math.hypot(p / length, q / half)
    if kind == DecalKind.SHARDS:
        return _shards(x, y, f, radius, seed, colour) if radius < 1.5 else colour
    radius += 0.25 * octave(x, y, 0.5 * half, f, seed)
    radius += 0.12 * octave(x, y, 0.15 * half, f, seed)
    cover = row[9] * smooth(1.0, 0.75, radius)
    return _over(colour, row[6], row[7], row[8], STAIN_GLOSS, cover)


@kernel
def _target(row: FloatArray, p: float, q: float, pw: float, qw: float, colour: Rgbg) -> Rgbg:
    """A plate with two light and two dark quadrants that meet in its centre."""
    half = row[5]
    cover = box_cover(p, -half, half, pw) * box_cover(q, -half, half, qw)
    pp, qq = box_cover(p, 0.0, 9.0, pw), box_cover(q, 0.0, 9.0, qw)
    light = pp * qq + (1.0 - pp) * (1.0 - qq)
    return _over(
        colour, 0.03 + row[6] * light, 0.03 + row[7] * light, 0.03 + row[8] * light, 0.0, cover
    )


@kernel
def _cover(
    x: float,
    y: float,
    p: float,
    q: float,
    pw: float,
    qw: float,
    half: float,
    f: float,
    seed: int,
    colour: Rgbg,
) -> Rgbg:
    """A cast-iron manhole cover in its ring."""
    radius, width = math.hypot(p, q), max(pw, qw)
    cover = box_cover(radius, -1.0, half, width)
    ring = cover - box_cover(radius, -1.0, half - 0.03, width)
    bars = stripe_cover(p, 0.05, 0.02, pw) * stripe_cover(q, 0.05, 0.02, qw)
    tone = 0.09 * (1.0 + 0.2 * octave(x, y, 0.02, f, seed)) * (1.0 - 0.55 * bars)
    colour = _over(colour, tone, 0.97 * tone, 0.92 * tone, 0.1, cover)
    return _over(colour, 0.02, 0.02, 0.02, 0.0, ring)


@kernel
def _shards(x: float, y: float, f: float, radius: float, seed: int, colour: Rgbg) -> Rgbg:
    """Bright and dark fragments, one at most per cell, thinning out from the centre."""
    i, j = math.floor(x / SHARD_CELL_M), math.floor(y / SHARD_CELL_M)
    if hash01(i, j, seed) >= 0.15 * (1.5 - radius) * (1.5 - radius):
        return colour
    cx = (i + 0.3 + 0.4 * hash01(i, j, seed + 1)) * SHARD_CELL_M
    cy = (j + 0.3 + 0.4 * hash01(i, j, seed + 2)) * SHARD_CELL_M
    reach = 0.003 + 0.006 * hash01(i, j, seed + 3)
    cover = box_cover(x - cx, -reach, reach, f) * box_cover(y - cy, -reach, reach, f)
    tone = 0.02 if hash01(i, j, seed + 4) < 0.3 else 0.75
    return _over(colour, tone, tone, 1.02 * tone, 0.0, cover)


@kernel
def _over(colour: Rgbg, r: float, g: float, b: float, gloss: float, cover: float) -> Rgbg:
    """A colour laid over another, covering a share of it."""
    keep = 1.0 - cover
    return (
        colour[0] * keep + r * cover,
        colour[1] * keep + g * cover,
        colour[2] * keep + b * cover,
        colour[3] * keep + gloss * cover,
    )
