"""In which order a searched area's lines are flown, so that a person is found early.

The lines are cut into blocks of a few neighbouring pieces.  The next block is the one that adds
most to the chance of finding for the time to get there and to search it (the probable success rate
of search planning; greedy by rate is optimal for effort without travel, Koopman 1957).  Travel
makes greed a rule of thumb, so the plain lines, from each of their four ends, compete with it: what
finds the person earliest on average is flown, and never anything worse than plain lines.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.geo import FloatArray
from droneteam.missions.planner.patterns.search import ProbabilityMap, effort_along
from droneteam.missions.planner.patterns.survey import nearest_start_first

LINES_A_BLOCK = 2
"""Even, so that a block ends at the side where it began, next to its neighbour."""
MAX_BLOCKS = 80
_STATIONS = 80


@dataclass(frozen=True, slots=True)
class Sweep:
    """How the ground is looked at.

    width_m : of the strip; speed_mps : over ground; detection : the chance that somebody in the
    strip is recognised; reach_m : the length of way, from take-off back to it, that may be flown.
    """

    width_m: float
    speed_mps: float
    detection: float
    reach_m: float = math.inf


@dataclass(frozen=True, slots=True)
class Ordered:
    """A path, (n, 2), and whether it is flown by blocks or by plain lines."""

    path_m: FloatArray
    by_blocks: bool


def ordered(
    lines_m: FloatArray, home_m: FloatArray, where: ProbabilityMap, sweep: Sweep
) -> Ordered:
    """The lines in the order that finds the person earliest; an empty path where none is in reach.

    lines_m : (k, 2, 2) lines × (start, end) × (east, north), to and fro.
    """
    plain = [
        Ordered(_within(list(lines), home_m, sweep.reach_m), False)
        for lines in (lines_m, lines_m[::-1], lines_m[:, ::-1], lines_m[::-1, ::-1])
    ]
    greedy = Ordered(_greedy(blocks_of(lines_m), home_m, where, sweep), True)
    options = [one for one in (*plain, greedy) if len(one.path_m)]
    if not options:
        return Ordered(np.zeros((0, 2)), False)
    horizon_m = max(_length(one.path_m, home_m) for one in options)
    return max(options, key=lambda one: _mean_chance(one.path_m, home_m, where, sweep, horizon_m))


def growth(
    path_m: FloatArray, home_m: FloatArray, where: ProbabilityMap, sweep: Sweep
) -> FloatArray:
    """(n, 2) metres flown since take-off and the chance that the person has been found by then."""
    stations = _stations(path_m)
    effort = np.zeros(len(where.chance))
    away_m = float(np.hypot(*(path_m[0] - home_m)))
    rows = [(0.0, 0.0), (away_m, 0.0)]
    for piece in stations:
        effort += effort_along(where, piece, sweep.width_m, sweep.detection)
        away_m += float(np.sum(np.hypot(*np.diff(piece, axis=0).T)))
        rows.append((away_m, float(np.sum(where.chance * -np.expm1(-effort)))))
    return np.array(rows)


def _stations(path_m: FloatArray) -> list[FloatArray]:
    """The path in pieces of about equal length, corners kept."""
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path_m, axis=0).T))])
    cuts = np.linspace(0.0, lengths[-1], _STATIONS + 1)
    pieces = []
    for start, end in itertools.pairwise(cuts):
        inner = path_m[(lengths > start + 1e-9) & (lengths < end - 1e-9)]
        ends = [_at(path_m, lengths, start), *inner, _at(path_m, lengths, end)]
        pieces.append(np.array(ends))
    return pieces


def _at(path_m: FloatArray, lengths: FloatArray, along_m: float) -> FloatArray:
    return np.array([np.interp(along_m, lengths, path_m[:, axis]) for axis in (0, 1)])


def _mean_chance(
    path_m: FloatArray,
    home_m: FloatArray,
    where: ProbabilityMap,
    sweep: Sweep,
    horizon_m: float,
) -> float:
    """The chance of having found the person, averaged over the way to a horizon."""
    rows = growth(path_m, home_m, where, sweep)
    whole = np.vstack([rows, [max(horizon_m, rows[-1, 0]), rows[-1, 1]]])
    area = np.sum(np.diff(whole[:, 0]) * 0.5 * (whole[1:, 1] + whole[:-1, 1]))
    return float(area / whole[-1, 0])


def _length(path_m: FloatArray, home_m: FloatArray) -> float:
    whole = np.vstack([home_m, path_m, home_m])
    return float(np.sum(np.hypot(*np.diff(whole, axis=0).T)))


def _within(strokes: Sequence[FloatArray], home_m: FloatArray, reach_m: float) -> FloatArray:
    """The strokes one after the other, as far as the way home stays in reach."""
    path = np.zeros((0, 2))
    for stroke in strokes:
        longer = np.vstack([path, stroke])
        if _length(longer, home_m) > reach_m:
            break
        path = longer
    return path


def blocks_of(lines_m: FloatArray) -> list[FloatArray]:
    """(m, 2, 2) blocks: pieces of neighbouring lines, to and fro; together all the lines."""
    along = lines_m[0, 1] - lines_m[0, 0]
    along = along / max(1e-9, float(np.hypot(*along)))
    position = lines_m @ along
    low, high = float(position.min()), float(position.max())
    bands = math.ceil(len(lines_m) / LINES_A_BLOCK)
    columns = max(1, min(bands, MAX_BLOCKS // bands))
    cuts = np.linspace(low, high, columns + 1)
    found = []
    for first in range(0, len(lines_m), LINES_A_BLOCK):
        band = lines_m[first : first + LINES_A_BLOCK]
        for left, right in itertools.pairwise(cuts):
            pieces = [_piece(line, along, left, right) for line in band]
            kept = [piece for piece in pieces if piece is not None]
            if kept:
                found.append(_to_and_fro(np.array(kept), along))
    return found


def _piece(line_m: FloatArray, along: FloatArray, left: float, right: float) -> FloatArray | None:
    """What of a line lies between two positions along it; None for nothing."""
    start, end = sorted(float(point @ along) for point in line_m)
    low, high = max(start, left), min(end, right)
    if high - low < 1e-6:
        return None
    foot = line_m[0] - float(line_m[0] @ along) * along
    return np.array([foot + low * along, foot + high * along])


def _to_and_fro(pieces_m: FloatArray, along: FloatArray) -> FloatArray:
    """The pieces with every second one flown back."""
    turned = pieces_m.copy()
    turned[1::2] = pieces_m[1::2, ::-1]
    return turned


def _greedy(
    blocks: Sequence[FloatArray], home_m: FloatArray, where: ProbabilityMap, sweep: Sweep
) -> FloatArray:
    """Blocks by what each adds to the chance for the way to it and over it."""
    efforts = [_sparse(where, block, sweep) for block in blocks]
    left = np.array(where.chance)  # the chance that the person is there and not found yet
    path, here = np.zeros((0, 2)), home_m
    waiting = set(range(len(blocks)))
    while waiting:
        best, best_path, best_rate = -1, path, -1.0
        for number in sorted(waiting):
            flown = nearest_start_first(blocks[number], here).reshape(-1, 2)
            way_m = float(np.sum(np.hypot(*np.diff(np.vstack([here, flown]), axis=0).T)))
            cells, effort = efforts[number]
            rate = float(np.sum(left[cells] * -np.expm1(-effort))) / max(way_m, 1e-9)
            longer = np.vstack([path, flown])
            if rate > best_rate and _length(longer, home_m) <= sweep.reach_m:
                best, best_path, best_rate = number, longer, rate
        if best < 0:
            break
        cells, effort = efforts[best]
        left[cells] *= np.exp(-effort)
        path, here = best_path, best_path[-1]
        waiting.remove(best)
    return path


def _sparse(
    where: ProbabilityMap, block_m: FloatArray, sweep: Sweep
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], FloatArray]:
    """Which cells a block searches, and how much."""
    effort = effort_along(where, block_m.reshape(-1, 2), sweep.width_m, sweep.detection)
    cells = np.flatnonzero(effort)
    return cells, effort[cells]
