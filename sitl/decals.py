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
from sitl.jit import kernel
from numpy.typing import NDArray

from sitl.mesh import FloatArray
from sitl.noise import box_cover, hash01, octave, smooth, stripe_cover

CELL_M = 0.25


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


_ROUND = (1, 6, 7, 8)
"""Kinds that are laid out round a."""
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
        if int(self.kind) in _ROUND:
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
def apply_decals(x, y, dx_e, dx_n, dy_e, dy_n, footprint, r, g, b, rows, starts, items, grid):
    """The ground's colour and gloss under all decals at a spot.

    dx, dy : the pixel's footprint vectors in the horizontal plane
    """
    gloss = 0.0
    column = int(math.floor((x - grid[0]) / CELL_M))
    line = int(math.floor((y - grid[1]) / CELL_M))
    if column < 0 or line < 0 or column >= int(grid[2]) or line >= int(grid[3]):
        return r, g, b, gloss
    cell = line * int(grid[2]) + column
    for k in range(starts[cell], starts[cell + 1]):
        row = rows[items[k]]
        ax, ay = row[1], row[2]
        ex, ey = row[3] - ax, row[4] - ay
        length = math.hypot(ex, ey)
        ex, ey = ex / length, ey / length
        p = (x - ax) * ex + (y - ay) * ey
        q = (y - ay) * ex - (x - ax) * ey
        pad = 0.06 + 2.0 * footprint
        if int(row[0]) in _ROUND:
            reach = 1.5 * max(length, row[5]) + pad
            if p * p + q * q > reach * reach:
                continue
        elif p < -pad or p > length + pad or abs(q) > row[5] + pad:
            continue
        pw = abs(dx_e * ex + dx_n * ey) + abs(dy_e * ex + dy_n * ey)
        qw = abs(dx_n * ex - dx_e * ey) + abs(dy_n * ex - dy_e * ey)
        r, g, b, gloss = _one_decal(row, x, y, p, q, pw, qw, length, footprint, r, g, b, gloss)
    return r, g, b, gloss


@kernel
def _one_decal(row, x, y, p, q, pw, qw, length, f, r, g, b, gloss):
    kind = int(row[0])
    half = row[5]
    opacity = row[9]
    seed = int(row[10])
    if kind == 0:
        cover = box_cover(p, 0.0, length, pw) * box_cover(q, -half, half, qw)
        if cover > 0.0:
            worn = 0.5 * octave(x, y, 0.012, f, seed) + 0.6 * octave(x, y, 0.06, f, seed + 1)
            worn += 0.5 * octave(x, y, 0.3, f, seed + 2)
            cover *= opacity * (1.0 - 0.75 * smooth(0.15, 0.75, worn))
            tone = 1.0 + 0.08 * octave(x, y, 0.02, f, seed + 3)
            r, g, b = _over(r, g, b, row[6] * tone, row[7] * tone, row[8] * tone, cover)
    elif kind == 1:
        cover = box_cover(p, -half, half, pw) * box_cover(q, -half, half, qw)
        if cover > 0.0:
            pp = box_cover(p, 0.0, 9.0, pw)
            qq = box_cover(q, 0.0, 9.0, qw)
            light = pp * qq + (1.0 - pp) * (1.0 - qq)
            r, g, b = _over(
                r, g, b, 0.03 + row[6] * light, 0.03 + row[7] * light, 0.03 + row[8] * light, cover
            )
    elif kind == 2:
        cover = box_cover(p, 0.0, length, pw) * box_cover(q, -half, half, qw)
        if cover > 0.0:
            ribs = 0.72 + 0.28 * stripe_cover(q + half, 0.036, 0.025, qw)
            grain = (
                1.0 + 0.5 * octave(x, y, 0.012, f, seed) + 0.3 * octave(p * 0.1, q, 0.03, f, seed)
            )
            cover = min(cover * opacity * ribs * max(grain, 0.0), 1.0)
            r, g, b = _over(r, g, b, 0.018, 0.018, 0.019, cover)
    elif kind == 3:
        q += 0.012 * octave(p, 0.0, 0.05, f * 0.2, seed) + 0.02 * octave(
            p, 3.0, 0.17, f * 0.2, seed
        )
        cover = box_cover(p, 0.0, length, pw) * box_cover(q, -half, half, qw)
        r, g, b = _over(r, g, b, 0.02, 0.02, 0.02, cover * opacity)
    elif kind == 4:
        edge = half * (1.0 + 0.25 * octave(p, 1.0, 0.09, f * 0.2, seed))
        cover = box_cover(p, 0.0, length, pw) * box_cover(q, -edge, edge, qw) * opacity
        r, g, b = _over(r, g, b, 0.025, 0.025, 0.027, cover)
        gloss = gloss + (0.35 - gloss) * cover
    elif kind == 5:
        cover = box_cover(p, 0.0, length, pw) * box_cover(q, -half, half, qw)
        if cover > 0.0:
            tone = row[6] * (
                1.0
                + 0.35 * octave(x, y, 0.01, f, seed)
                + 0.25 * octave(x, y, 0.022, f, seed + 1)
                + 0.10 * octave(x, y, 0.4, f, seed + 2)
            )
            r, g, b = _over(r, g, b, tone, tone, tone * 0.99, cover)
            inner = box_cover(p, 0.03, length - 0.03, pw) * box_cover(
                q, 0.03 - half, half - 0.03, qw
            )
            r, g, b = _over(r, g, b, 0.03, 0.03, 0.03, (cover - inner) * 0.8)
    elif kind == 6:
        radius = math.hypot(p / length, q / half)
        radius += 0.25 * octave(x, y, 0.5 * half, f, seed) + 0.12 * octave(
            x, y, 0.15 * half, f, seed
        )
        cover = opacity * smooth(1.0, 0.75, radius)
        r, g, b = _over(r, g, b, row[6], row[7], row[8], cover)
        gloss = gloss + (0.3 - gloss) * cover
    elif kind == 7:
        radius = math.hypot(p / length, q / half)
        if radius < 1.5:
            r, g, b = _shards(x, y, f, radius, seed, r, g, b)
    elif kind == 8:
        radius = math.hypot(p, q)
        cover = box_cover(radius, -1.0, half, max(pw, qw))
        ring = cover - box_cover(radius, -1.0, half - 0.03, max(pw, qw))
        bars = stripe_cover(p, 0.05, 0.02, pw) * stripe_cover(q, 0.05, 0.02, qw)
        tone = 0.09 * (1.0 + 0.2 * octave(x, y, 0.02, f, seed)) * (1.0 - 0.55 * bars)
        r, g, b = _over(r, g, b, tone, tone * 0.97, tone * 0.92, cover)
        r, g, b = _over(r, g, b, 0.02, 0.02, 0.02, ring)
    return r, g, b, gloss


@kernel
def _over(r, g, b, top_r, top_g, top_b, cover):
    return r + (top_r - r) * cover, g + (top_g - g) * cover, b + (top_b - b) * cover


@kernel
def _shards(x, y, f, radius, seed, r, g, b):
    """Bright and dark fragments, one at most per 3 cm cell, thinning out from the centre."""
    size = 0.03
    i, j = int(math.floor(x / size)), int(math.floor(y / size))
    if hash01(i, j, seed) < 0.30 * (1.5 - radius) * (1.5 - radius) * 0.5:
        cx = (i + 0.3 + 0.4 * hash01(i, j, seed + 1)) * size
        cy = (j + 0.3 + 0.4 * hash01(i, j, seed + 2)) * size
        reach = 0.003 + 0.006 * hash01(i, j, seed + 3)
        cover = box_cover(x - cx, -reach, reach, f) * box_cover(y - cy, -reach, reach, f)
        tone = 0.02 if hash01(i, j, seed + 4) < 0.3 else 0.75
        r, g, b = _over(r, g, b, tone, tone, tone * 1.02, cover)
    return r, g, b
