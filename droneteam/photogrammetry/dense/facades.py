"""Walls among points of a scene, and which photos to match along each of them.

A pair of photos is rectified along the plane that it mostly sees, the ground.  A wall then runs
steeply through disparity and the matcher's windows see it sheared, most of all between a photo
from above and one from the side.  The same pair rectified along the wall sees it undistorted.

Walls are found as in a Hough transform (Duda & Hart, CACM 1972): points whose neighbours lie in
an upright plane vote for the line that it draws on the map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from droneteam.photogrammetry.dense import rectify
from droneteam.photogrammetry.dense.pairs import MIN_COMMON_POINTS, Visibility
from droneteam.photogrammetry.scene import FloatArray, View

NEIGHBOURS = 12
FLATNESS = 0.15
"""Largest ratio of the smallest to the middle spread of a point's neighbours: they draw a plane."""
UPRIGHT_SIN = 0.26
"""Largest upward part of the normal (15 degrees)."""
DIRECTION_STEP_DEG = 2.0
TURN_COS = 0.94
"""A point votes for directions within 20 degrees of its own normal, which is a rough one."""
ON_WALL_GSD = 6.0
"""How far from the plane, in ground sampling distances, a point still belongs to the wall."""
LEAST_SIDE_GSD = 25.0
"""A wall is at least so long and so high: smaller ones a pair sees well enough as they are."""
GAP_GSD = 75.0
"""An interval along a wall without points, at which it ends."""
MIN_POINTS = 24
MOST_WALLS = 24
MOST_LINES = 96
"""Lines that are looked at: most of the weak ones are no walls."""
FIT_ROUNDS = 4

IDEAL_ANGLE_DEG = 15.0
ANGLE_SPREAD_DEG = 15.0
WIDEST_ANGLE_DEG = 60.0
"""Beyond, windows and reliefs hide from one photo what the other shows."""
LEAST_FACING_COS = 0.15
LEAST_LEAN = 0.25
"""Change of disparity per pixel on the wall, against the plane that the pair mostly sees; below,
the pair's own rectification shows the wall well enough."""


@dataclass(frozen=True, slots=True, eq=False)
class Facade:
    """Points of an upright plane.

    normal : (3,) unit, horizontal; points_enu_m : (n, 3); seen : (views, n) who sees which.
    """

    normal: FloatArray
    points_enu_m: FloatArray
    seen: NDArray[np.bool_]

    def points_of(self, *views: int) -> FloatArray:
        """(m, 3) points that all the views see."""
        return np.asarray(self.points_enu_m[self.seen[list(views)].all(axis=0)])


def find_facades(seen: Visibility, gsd_m: float) -> list[Facade]:
    """The upright planes that many of the points lie on, those with most points first.

    gsd_m : what a photo's pixel covers, the unit of all tolerances.
    """
    points_enu_m = seen.points_enu_m
    index, normals = _upright(points_enu_m)
    found: list[Facade] = []
    for _ in range(MOST_LINES):
        if len(index) < MIN_POINTS or len(found) == MOST_WALLS:
            break
        best = _strongest_line(points_enu_m[index, :2], normals, ON_WALL_GSD * gsd_m)
        wall = best & _longest_run(points_enu_m[index], normals, best, gsd_m)
        if np.count_nonzero(wall) >= MIN_POINTS:
            facade = _facade(seen, index[wall])
            if _is_large(facade, gsd_m):
                found.append(facade)
        else:
            wall = best
        index, normals = index[~wall], normals[~wall]
    return sorted(found, key=lambda facade: -len(facade.points_enu_m))


def facade_pairs(
    views: tuple[View, ...], seen: Visibility, facade: Facade, partners: int
) -> list[tuple[int, int]]:
    """Pairs of photos to match along a wall, from how squarely and how much of it they see.

    The photo that sees the wall larger comes first.  partners : for each photo that sees the wall.
    """
    counts = facade.seen.astype(np.int64) @ facade.seen.T.astype(np.int64)
    looking = np.flatnonzero(np.diagonal(counts) >= MIN_COMMON_POINTS)
    rated = {
        (int(i), int(j)): _worth((views[i], views[j]), facade.points_of(int(i), int(j)), facade)
        for n, i in enumerate(looking)
        for j in looking[n + 1 :]
        if counts[i, j] >= MIN_COMMON_POINTS
    }
    chosen: set[tuple[int, int]] = set()
    for view in looking:
        mine = [(-worth, pair) for pair, worth in rated.items() if view in pair and worth > 0.0]
        chosen.update(pair for _, pair in sorted(mine)[:partners])
    return [
        _larger_first(pair, views, facade)
        for pair in sorted(chosen)
        if _leans(pair, views, seen, facade)
    ]


def _larger_first(
    pair: tuple[int, int], views: tuple[View, ...], facade: Facade
) -> tuple[int, int]:
    both = (views[pair[0]], views[pair[1]])
    return pair if rectify.seen_larger(both, facade.points_of(*pair)) else pair[::-1]


def _leans(
    pair: tuple[int, int], views: tuple[View, ...], seen: Visibility, facade: Facade
) -> bool:
    """Whether the wall runs steeply through the pair's disparities along its own main plane."""
    both = (views[pair[0]], views[pair[1]])
    main = rectify.main_plane(both, seen.points_of(*pair))
    wall = rectify.main_plane(both, facade.points_of(*pair))
    return main is None or (
        wall is not None and float(np.hypot(*np.subtract(wall, main)[:2])) >= LEAST_LEAN
    )


def save(found: list[Facade], file: IO[bytes]) -> None:
    """Writes walls as npz."""
    parts = {
        f"{name}_{number}": getattr(facade, name)
        for number, facade in enumerate(found)
        for name in ("normal", "points_enu_m", "seen")
    }
    np.savez(file, count=len(found), **parts)


def load(path: Path) -> list[Facade]:
    """Walls that `save` wrote."""
    with np.load(path, allow_pickle=False) as data:
        return [
            Facade(data[f"normal_{n}"], data[f"points_enu_m_{n}"], data[f"seen_{n}"])
            for n in range(int(data["count"]))
        ]


def _upright(points: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """Indices of points in upright planes and their (m, 2) horizontal normals, without a sign."""
    if len(points) < max(MIN_POINTS, NEIGHBOURS):
        return np.zeros(0, np.int64), np.zeros((0, 2))
    _, near = cKDTree(points).query(points, k=NEIGHBOURS)
    around = points[near] - points[near].mean(axis=1, keepdims=True)
    spread, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", around, around))
    normal = axes[:, :, 0]
    flat = spread[:, 0] < FLATNESS**2 * spread[:, 1]
    index = np.flatnonzero(flat & (np.abs(normal[:, 2]) < UPRIGHT_SIN))
    horizontal = normal[index, :2]
    return index, horizontal / np.linalg.norm(horizontal, axis=1, keepdims=True)


def _strongest_line(places: FloatArray, normals: FloatArray, width_m: float) -> NDArray[np.bool_]:
    """Which of (n, 2) places lie on the line on the map that most of them vote for."""
    middle = places.mean(axis=0)
    most, best = 0, np.zeros(len(places), bool)
    for direction in _directions():
        votes = np.abs(normals @ direction) >= TURN_COS
        if np.count_nonzero(votes) <= most:
            continue
        cell = np.floor((places[votes] - middle) @ direction / width_m).astype(np.int64)
        values, counts = np.unique(cell, return_counts=True)
        if counts.max() > most:
            most = int(counts.max())
            best = votes.copy()
            best[votes] = cell == values[counts.argmax()]
    return _settled(places, normals, best, width_m)


def _directions() -> Iterator[FloatArray]:
    for angle in np.radians(np.arange(0.0, 180.0, DIRECTION_STEP_DEG)):
        yield np.array([np.cos(angle), np.sin(angle)])


def _settled(
    places: FloatArray, normals: FloatArray, on: NDArray[np.bool_], width_m: float
) -> NDArray[np.bool_]:
    """The line through the places chosen, and again through those that it then holds."""
    for _ in range(FIT_ROUNDS):
        if np.count_nonzero(on) < 2:
            break
        normal, offset = _line(places[on])
        off = np.abs(places @ normal - offset)
        on = (off < width_m) & (np.abs(normals @ normal) >= TURN_COS)
    return on


def _line(places: FloatArray) -> tuple[FloatArray, float]:
    """Unit normal and offset of the line with the least squared distances to (n, 2) places."""
    middle = places.mean(axis=0)
    _, axes = np.linalg.eigh((places - middle).T @ (places - middle))
    normal = np.asarray(axes[:, 0])
    return normal, float(normal @ middle)


def _longest_run(
    points: FloatArray, normals: FloatArray, on: NDArray[np.bool_], gsd_m: float
) -> NDArray[np.bool_]:
    """Of the points on a line those of its stretch without gaps that holds most of them."""
    run = np.zeros(len(points), bool)
    which = np.flatnonzero(on)
    if len(which) < 2:
        return run
    normal, _ = _line(points[which, :2])
    along = points[which, :2] @ [-normal[1], normal[0]]
    order = np.argsort(along, kind="stable")
    ends = np.flatnonzero(np.diff(along[order]) > GAP_GSD * gsd_m) + 1
    longest = max(np.split(order, ends), key=len)
    run[which[longest]] = True
    return run


def _facade(seen: Visibility, members: NDArray[np.int64]) -> Facade:
    points = seen.points_enu_m[members]
    normal, _ = _line(points[:, :2])
    return Facade(np.array([*normal, 0.0]), points, seen.matrix[:, members].toarray() > 0)


def _is_large(facade: Facade, gsd_m: float) -> bool:
    points, normal = facade.points_enu_m, facade.normal
    along = points[:, :2] @ [-normal[1], normal[0]]
    sides = [float(np.ptp(np.quantile(values, (0.05, 0.95)))) for values in (along, points[:, 2])]
    return min(sides) >= LEAST_SIDE_GSD * gsd_m


def _worth(both: tuple[View, View], points: FloatArray, facade: Facade) -> float:
    """Common points weighted by how squarely both look and by the angle between their rays."""
    rays = [view.centre_enu_m - points for view in both]
    rays = [ray / np.linalg.norm(ray, axis=1, keepdims=True) for ray in rays]
    facing = [float(np.median(ray @ facade.normal)) for ray in rays]
    angle_deg = np.degrees(np.median(np.arccos(np.clip(np.sum(rays[0] * rays[1], axis=1), -1, 1))))
    if facing[0] * facing[1] <= 0.0 or min(map(abs, facing)) < LEAST_FACING_COS:
        return 0.0
    if angle_deg > WIDEST_ANGLE_DEG:
        return 0.0
    near = np.exp(-0.5 * ((angle_deg - IDEAL_ANGLE_DEG) / ANGLE_SPREAD_DEG) ** 2)
    return float(len(points) * abs(facing[0] * facing[1]) * near)
