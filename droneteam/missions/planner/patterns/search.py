"""Paths that look for a person, and the chance that they find the person.

The three patterns are those of the IAMSAR manual, volume II, chapter 5.  The chance of finding
is that of Koopman's random search: effort spread over an area, with no credit for regularity,
which stays on the safe side when wind and trees spoil the lines.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from droneteam.geo import FloatArray


def expanding_square(datum_m: FloatArray, spacing_m: float, radius_m: float) -> FloatArray:
    """Legs of 1, 1, 2, 2, 3, 3 … spacings around the datum until a square of that half-side.

    First leg to the north, turns to the right.  Returns (n, 2).
    """
    directions = np.array([(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)])
    rings = math.ceil(radius_m / spacing_m - 1e-9)
    points = [np.asarray(datum_m, dtype=np.float64)]
    for leg in range(4 * rings + 1):
        step_m = spacing_m * min(leg // 2 + 1, 2 * rings)
        points.append(points[-1] + step_m * directions[leg % 4])
    return np.array(points)


def sector(datum_m: FloatArray, radius_m: float, turns: int) -> FloatArray:
    """Triangles through the datum, each corner a turn by 120°; ``turns`` sets of three.

    The datum is passed straight through.  Each further set is turned by an equal share of 60°,
    so that sectors interleave.  Returns (n, 2).
    """
    points = [np.asarray(datum_m, dtype=np.float64)]
    for turn in range(turns):
        start_deg = turn * 60.0 / turns
        for index in range(3):
            bearing = start_deg + 240.0 * index
            points.append(_at(datum_m, radius_m, bearing))
            points.append(_at(datum_m, radius_m, bearing + 60.0))
            points.append(np.asarray(datum_m, dtype=np.float64))
    return np.array(points)


def _at(datum_m: FloatArray, radius_m: float, bearing_deg: float) -> FloatArray:
    bearing = math.radians(bearing_deg)
    return np.asarray(datum_m + radius_m * np.array([math.sin(bearing), math.cos(bearing)]))


@dataclass(frozen=True, slots=True)
class ProbabilityMap:
    """Where the person may be: cells with the chance of each.

    centres_m : (n, 2); chance : (n,), adding up to one at most; cell_area_m2 : of each cell.
    """

    centres_m: FloatArray
    chance: FloatArray
    cell_area_m2: float


def last_seen(datum_m: FloatArray, sigma_m: float, cells: int = 61) -> ProbabilityMap:
    """A person last seen at a place, moved since by a distance with that standard deviation."""
    reach = np.linspace(-3.0 * sigma_m, 3.0 * sigma_m, cells)
    east, north = np.meshgrid(reach, reach)
    centres = np.column_stack([east.ravel(), north.ravel()])
    weight = np.exp(-0.5 * np.sum((centres / sigma_m) ** 2, axis=1))
    cell_area = float((reach[1] - reach[0]) ** 2)
    chance = weight * cell_area / (2.0 * math.pi * sigma_m**2)
    return ProbabilityMap(centres + datum_m, chance, cell_area)


def evenly(inside_m: FloatArray, cell_area_m2: float) -> ProbabilityMap:
    """A person who may be anywhere in an area, given by the centres of its cells."""
    return ProbabilityMap(inside_m, np.full(len(inside_m), 1.0 / len(inside_m)), cell_area_m2)


def chance_of_finding(
    path_m: FloatArray, sweep_width_m: float, where: ProbabilityMap, detection: float = 1.0
) -> float:
    """The chance that flying a path once finds the person.

    detection : the chance that somebody inside the swept width is recognised at all.

    A cell that the path passes within half the sweep width gets effort in proportion to the
    length of path there: 1 - exp(-detection · width · length / area) of it is searched, the
    area being the cell's neighbourhood of one sweep width (Koopman, "The theory of search II",
    1956).
    """
    effort = effort_along(where, path_m, sweep_width_m, detection)
    return float(np.sum(where.chance * (1.0 - np.exp(-effort))))


def effort_along(
    where: ProbabilityMap, path_m: FloatArray, sweep_width_m: float, detection: float
) -> FloatArray:
    """(n,) how thoroughly a path searches each cell: 1 - exp(-effort) of it (Koopman, 1956)."""
    radius_m = 0.5 * sweep_width_m
    effort_m = np.zeros(len(where.chance))
    for start, end in itertools.pairwise(path_m):
        effort_m += _length_within(where.centres_m, radius_m, start, end)
    return np.asarray(detection * sweep_width_m * effort_m / (math.pi * radius_m**2))


def _length_within(
    centres_m: FloatArray, radius_m: float, start: FloatArray, end: FloatArray
) -> FloatArray:
    """(n,) how much of a straight leg lies within a radius of each centre."""
    length_m = float(np.hypot(*(end - start)))
    if length_m == 0.0:
        return np.zeros(len(centres_m))
    along = (end - start) / length_m
    offset = centres_m - start
    foot = offset @ along
    aside2 = np.sum(offset**2, axis=1) - foot**2
    half = np.sqrt(np.maximum(0.0, radius_m**2 - aside2))
    inside = np.clip(foot + half, 0.0, length_m) - np.clip(foot - half, 0.0, length_m)
    return np.where(aside2 < radius_m**2, inside, 0.0)
