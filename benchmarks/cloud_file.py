"""A crossing as a COPC file of any number of points: ``python -m benchmarks.cloud_file OUT``.

The project's own writer writes it, with the colours, deviations and counts of photos that a
reconstruction gives.  The truth is a formula, so that nothing has to be kept in the repository.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneteam.geo import GeoPoint
from droneteam.photogrammetry.export.las import write_copc
from droneteam.photogrammetry.export.placement import DEFAULT_EPSG, Placement
from droneteam.photogrammetry.scene import DenseCloud, FloatArray, Frame

ORIGIN = GeoPoint(50.8197, 4.3908, 100.0)
SIDE_M = 160.0
KERB_M, ROAD_M = 0.12, 14.0
CARS = 40
COUNT = 20_000_000


def crossing(count: int, seed: int = 0) -> DenseCloud:
    """Two roads between blocks of houses with cars on them; east, north, up in metres."""
    rng = np.random.default_rng(seed)
    points = np.empty((count, 3))
    points[:, :2] = rng.uniform(-SIDE_M / 2.0, SIDE_M / 2.0, (count, 2))
    points[:, 2], colors = _ground(points)
    _houses(points, colors, rng)
    for left, south in rng.uniform(-SIDE_M / 2.0, SIDE_M / 2.0 - 5.0, (CARS, 2)):
        _box(points, colors, (left, south, 4.4, 1.8, 1.5), rng)
    sigma = (0.004 + 0.00015 * np.hypot(points[:, 0], points[:, 1])).astype(np.float32)
    points[:, 2] += sigma * rng.standard_normal(count)
    shade = rng.integers(-12, 13, count)[:, None]
    return DenseCloud(
        points,
        np.tile(np.array([0.0, 0.0, 1.0], np.float32), (count, 1)),
        np.clip(colors + shade, 0, 255).astype(np.uint8),
        sigma,
        rng.integers(3, 9, count).astype(np.uint8),
    )


def _ground(points: FloatArray) -> tuple[FloatArray, NDArray[np.int16]]:
    """Heights (n,) of a gently bent ground with kerbs, and its colours (n, 3)."""
    east, north = points[:, 0], points[:, 1]
    road = (abs(east) < ROAD_M / 2.0) | (abs(north) < ROAD_M / 2.0)
    up = 0.01 * east + 0.4 * np.sin(north / 30.0) + np.where(road, 0.0, KERB_M)
    colors = np.where(road[:, None], (92, 94, 98), (128, 120, 108)).astype(np.int16)
    lines = road & (abs(abs(east) - 0.1) < 0.08) & (north % 6.0 < 3.0)
    colors[lines] = (235, 235, 230)
    return up, colors


def _houses(points: FloatArray, colors: NDArray[np.int16], rng: np.random.Generator) -> None:
    """Four blocks with walls: of their points a third stands on the walls."""
    for side_east in (-1.0, 1.0):
        for side_north in (-1.0, 1.0):
            u, v = side_east * points[:, 0], side_north * points[:, 1]
            block = np.flatnonzero((u > 20.0) & (u < 55.0) & (v > 20.0) & (v < 55.0))
            points[block, 2] += 9.0
            colors[block] = (150, 78, 62)
            wall = block[rng.random(len(block)) < 0.33]
            points[wall, 0] = side_east * np.where(rng.random(len(wall)) < 0.5, 20.0, 55.0)
            points[wall, 2] -= rng.uniform(0.0, 9.0, len(wall))
            colors[wall] = (186, 160, 132)


def _box(
    points: FloatArray,
    colors: NDArray[np.int16],
    box: tuple[float, float, float, float, float],
    rng: np.random.Generator,
) -> None:
    left, south, length, width, height = box
    east, north = points[:, 0], points[:, 1]
    inside = (east > left) & (east < left + length) & (north > south) & (north < south + width)
    points[inside, 2] += height
    colors[inside] = rng.integers(30, 220, 3)


def write(path: Path, count: int) -> None:
    """The file, whole or not at all."""
    frame = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
    write_copc(crossing(count), Placement(frame, DEFAULT_EPSG), path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    asked = parser.parse_args()
    write(asked.out, asked.count)
    print(f"{asked.count:,} points, {asked.out.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
