"""A set of simulated photos with its exact truth, for the benchmarks of photogrammetry.

    python -m benchmarks.render_set FOLDER [--world crossing] [--seed 7] [--photos 24]
        [--width 1000] [--height 14] [--noise 1.0] [--quality 92]

Three fifths of the photos look straight down from two crossed sets of strips, the others look in
from a ring.  Where they stand is drawn from the seed, so that every seed is another scene and
another flight.  FOLDER gets what `benchmarks.rendered` reads.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.matching import keep_mesh
from droneteam.geo import EnuFrame
from sitl.lens import SimCamera
from sitl.photo import take
from sitl.shot import Shot
from sitl.truth import TruthWriter, write_world
from sitl.world import World
from sitl.worlds import make_world

NADIR_SHARE = 0.6
HALF_M = (12.5, 8.5)
"""Half the block's length and width."""
RING_RADIUS_M, RING_HEIGHT_M, RING_PITCH_DEG = 11.0, 10.5, -42.0
JITTER_M, JITTER_DEG = 0.3, 0.7
TAKEN_AT = datetime(2025, 6, 3, 10, 0, tzinfo=UTC)

Station = tuple[float, float, float, float, float]
"""East, north and up in metres, yaw and pitch in degrees."""


def stations(photos: int, height_m: float, turn_rad: float) -> Iterator[Station]:
    """Where the photos are taken, about the origin; the block lies turned by `turn_rad`."""
    nadir = round(NADIR_SHARE * photos)
    for half, count in enumerate((nadir - nadir // 2, nadir // 2)):
        yield from _strips(count, height_m + half, turn_rad, across=bool(half))
    ring = photos - nadir
    for k in range(ring):
        angle = turn_rad + 2.0 * math.pi * k / ring
        east, north = RING_RADIUS_M * math.sin(angle), RING_RADIUS_M * math.cos(angle)
        yield east, north, RING_HEIGHT_M, math.degrees(angle) + 180.0, RING_PITCH_DEG


def _strips(count: int, height_m: float, turn_rad: float, *, across: bool) -> Iterator[Station]:
    """Positions straight above a rectangle, in strips along it or across it."""
    length, width = HALF_M[::-1] if across else HALF_M
    strips = max(1, round(math.sqrt(count * width / length)))
    for k in range(count):
        strip, place = k % strips, k // strips
        per_strip = len(range(strip, count, strips))
        a = length * (2.0 * (place + 0.5) / per_strip - 1.0)
        b = width * (2.0 * (strip + 0.5) / strips - 1.0)
        if across:
            a, b = b, a
        east = a * math.cos(turn_rad) - b * math.sin(turn_rad)
        north = a * math.sin(turn_rad) + b * math.cos(turn_rad)
        yield east, north, height_m, 90.0 * across - math.degrees(turn_rad), -90.0


def shot_of(frame: EnuFrame, index: int, station: Station, rng: np.random.Generator) -> Shot:
    """The press of the shutter at a station, a little off it as in wind."""
    east, north, up, yaw_deg, pitch_deg = station
    place = np.array([east, north, up]) + rng.normal(0.0, JITTER_M, 3)
    lat, lon, alt = (float(v) for v in frame.geodetic_from_enu(place))
    turn = rng.normal(0.0, JITTER_DEG, 3)
    return Shot(
        drone="set", index=index, at=TAKEN_AT + timedelta(seconds=3 * index), lat_deg=lat,
        lon_deg=lon, alt_ellipsoid_m=alt, alt_home_m=up, yaw_deg=yaw_deg + turn[0],
        pitch_deg=pitch_deg + turn[1], roll_deg=turn[2], velocity_enu_mps=(0.0, 0.0, 0.0),
    )  # fmt: skip


def write_set(
    world: World, camera: SimCamera, folder: Path, photos: int, height_m: float, seed: int
) -> None:
    """Renders the set; photos that are there already are rendered again."""
    write_world(world, camera, folder, seed)
    keep_mesh(world.mesh, folder)
    truth = TruthWriter(world, folder, seed)
    rng = np.random.default_rng([seed, photos])
    turn_rad = float(rng.uniform(0.0, math.pi))
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    for index, station in enumerate(stations(photos, height_m, turn_rad), start=1):
        taken = take(world, camera, shot_of(world.frame, index, station, rng), images, seed)
        truth.add(taken.name, taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--world", default="crossing")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--photos", type=int, default=24)
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--height", type=float, default=14.0, help="metres above the ground")
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--quality", type=int, default=92)
    options = parser.parse_args()
    camera = replace(
        SimCamera().resized(options.width), noise=options.noise, jpeg_quality=options.quality
    )
    world = make_world(options.world, options.seed)
    options.folder.mkdir(parents=True, exist_ok=True)
    write_set(world, camera, options.folder, options.photos, options.height, options.seed)


if __name__ == "__main__":
    main()
