"""Walls among the sparse points, and which photos to match along each of them.

A pair of photos is rectified along the plane that it mostly sees, the ground.  A wall then runs
steeply through disparity and the matcher's windows see it sheared, most of all between a photo
from above and one from the side.  The same pair rectified along the wall sees it undistorted.

Walls are found as in a Hough transform (Duda & Hart, CACM 1972): points whose neighbours lie in
an upright plane vote for the line that it draws on the map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from droneteam.photogrammetry.pairs import MIN_COMMON_POINTS, Visibility
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray

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
LEAST_SIDE_GSD = 50.0
"""A wall is at least so long and so high: smaller ones a pair sees well enough as they are."""
GAP_GSD = 75.0
"""An interval along a wall without points, at which it ends."""
MIN_POINTS = 40
MOST_WALLS = 24
FIT_ROUNDS = 4

PARTNERS = 2
"""Partners of each photo along a wall: one opinion, and one that can confirm it."""
IDEAL_ANGLE_DEG = 15.0
ANGLE_SPREAD_DEG = 15.0
WIDEST_ANGLE_DEG = 60.0
"""Beyond, windows and reliefs hide from one photo what the other shows."""
LEAST_FACING_COS = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Facade:
    """An upright plane: normal · point = offset; members : (n,) indices of its sparse points."""

    normal: FloatArray
    offset_m: float
    members: NDArray[np.int64]


def find_facades(points_enu_m: FloatArray, gsd_m: float) -> list[Facade]:
    """The upright planes that many of the points lie on, those with most points first.

    points_enu_m : (n, 3); gsd_m : what a photo's pixel covers, the unit of all tolerances.
    """
    index, normals = _upright(points_enu_m)
    found: list[Facade] = []
    while len(index) >= MIN_POINTS and len(found) < MOST_WALLS:
        best = _strongest_line(points_enu_m[index, :2], normals, ON_WALL_GSD * gsd_m)
        wall = best & _longest_run(points_enu_m[index], normals, best, gsd_m)
        if np.count_nonzero(wall) < MIN_POINTS:
            break
        facade = _facade(points_enu_m, index[wall])
        if _is_large(points_enu_m[facade.members], facade.normal, gsd_m):
            found.append(facade)
        index, normals = index[~wall], normals[~wall]
    return found


def facade_pairs(
    network: CameraNetwork, seen: Visibility, facade: Facade
) -> list[tuple[int, int]]:
    """Pairs (i < j) of photos to match along a wall, from how squarely and much of it they see."""
    columns = seen.matrix[:, facade.members]
    common = (columns @ columns.T).toarray()
    views = np.flatnonzero(np.diagonal(common) >= MIN_COMMON_POINTS)
    rated = {
        (int(i), int(j)): _worth(network, (int(i), int(j)), int(common[i, j]), facade, seen)
        for n, i in enumerate(views)
        for j in views[n + 1 :]
        if common[i, j] >= MIN_COMMON_POINTS
    }
    chosen: set[tuple[int, int]] = set()
    for view in views:
        mine = [(-worth, pair) for pair, worth in rated.items() if view in pair and worth > 0.0]
        chosen.update(pair for _, pair in sorted(mine)[:PARTNERS])
    return sorted(chosen)


def members_seen_by(facade: Facade, seen: Visibility, *views: int) -> FloatArray:
    """(n, 3) points of the wall that all the views see."""
    both = np.asarray(seen.matrix[list(views)][:, facade.members].sum(axis=0)).ravel()
    return np.asarray(seen.points_enu_m[facade.members[both == len(views)]])


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


def _facade(points: FloatArray, members: NDArray[np.int64]) -> Facade:
    normal, offset = _line(points[members, :2])
    return Facade(np.array([*normal, 0.0]), offset, members)


def _is_large(points: FloatArray, normal: FloatArray, gsd_m: float) -> bool:
    along = points[:, :2] @ [-normal[1], normal[0]]
    sides = [float(np.ptp(np.quantile(values, (0.05, 0.95)))) for values in (along, points[:, 2])]
    return min(sides) >= LEAST_SIDE_GSD * gsd_m


def _worth(
    network: CameraNetwork, pair: tuple[int, int], common: int, facade: Facade, seen: Visibility
) -> float:
    """Common points weighted by how squarely both look and by the angle between their rays."""
    points = members_seen_by(facade, seen, *pair)
    rays = [network.views[v].centre_enu_m - points for v in pair]
    rays = [ray / np.linalg.norm(ray, axis=1, keepdims=True) for ray in rays]
    facing = [np.median(ray @ facade.normal) for ray in rays]
    angle_deg = np.degrees(np.median(np.arccos(np.clip(np.sum(rays[0] * rays[1], axis=1), -1, 1))))
    if facing[0] * facing[1] <= 0.0 or min(map(abs, facing)) < LEAST_FACING_COS:
        return 0.0
    if angle_deg > WIDEST_ANGLE_DEG:
        return 0.0
    near = np.exp(-0.5 * ((angle_deg - IDEAL_ANGLE_DEG) / ANGLE_SPREAD_DEG) ** 2)
    return float(common * abs(facing[0] * facing[1]) * near)
