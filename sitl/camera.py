"""Synthetic surveys: photos of a world with known truth, without flying.

`python -m sitl.camera --world accident --photos 40 --out DIR` renders a nadir cross-hatch and
an oblique orbit into DIR/images, with the truth in DIR.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from droneteam.errors import DroneteamError, InputError
from sitl.lens import Pose, SimCamera, camera_rotation
from sitl.mesh import FloatArray
from sitl.photo import Taken, pose_of, take
from sitl.recipes import RECIPES
from sitl.render import depth_map, render
from sitl.shot import Shot
from sitl.truth import TruthWriter, write_world
from sitl.world import World
from sitl.worlds import make_world

__all__ = [
    "Pose",
    "SimCamera",
    "SurveySpec",
    "camera_rotation",
    "depth_map",
    "make_world",
    "pose_of",
    "render",
    "render_survey",
    "survey_shots",
]

SURVEY_START = datetime(2025, 6, 12, 9, 30, tzinfo=UTC)
SHOT_INTERVAL = timedelta(seconds=2)
CROSS_LINES_HIGHER = 1.08
"""Cross lines fly a little higher: two heights tell focal length and height apart."""


@dataclass(frozen=True, slots=True)
class SurveySpec:
    """A survey of a world's polygon.

    photos : in all; nadir_share of them on the grid, as many as its even spacing allows, the
    rest on the orbit, which looks at the polygon's middle
    """

    photos: int = 40
    gsd_m: float = 0.010
    nadir_share: float = 0.65
    orbit_radius_m: float = 11.0
    orbit_height_m: float = 10.5
    orbit_centre_en_m: tuple[float, float] = (0.0, 0.0)
    jitter_m: float = 0.12
    jitter_deg: float = 0.6
    start: datetime = SURVEY_START

    def __post_init__(self) -> None:
        if not 1 <= self.photos <= 5000:
            raise InputError(f"photos {self.photos} outside [1, 5000]", field="photos")
        if not 0.0005 <= self.gsd_m <= 0.2:
            raise InputError(f"gsd_m {self.gsd_m} outside [0.0005, 0.2]", field="gsd_m")
        if not 0.0 <= self.nadir_share <= 1.0:
            raise InputError(f"nadir_share {self.nadir_share} outside [0, 1]", field="nadir_share")


def survey_shots(world: World, camera: SimCamera, spec: SurveySpec, seed: int) -> list[Shot]:
    """The presses of the shutter, in flying order, with a stabilised drone's small errors."""
    rng = np.random.default_rng([seed, 5])
    stations = _grid(world, camera, spec, round(spec.photos * spec.nadir_share))
    stations += _orbit(spec, spec.photos - len(stations))
    shots = []
    for number, (place, attitude) in enumerate(stations, start=1):
        enu = place + rng.normal(0.0, spec.jitter_m, 3)
        yaw, pitch, roll = np.asarray(attitude) + rng.normal(0.0, spec.jitter_deg, 3)
        lat, lon, alt = (float(v) for v in world.frame.geodetic_from_enu(enu))
        shots.append(
            Shot(
                "drone-01",
                number,
                spec.start + (number - 1) * SHOT_INTERVAL,
                lat,
                lon,
                alt,
                float(enu[2] - world.home_enu_m[2]),
                float(yaw % 360.0),
                float(pitch),
                float(roll),
                (0.0, 0.0, 0.0),
            )
        )
    return shots


Station = tuple[FloatArray, tuple[float, float, float]]


def _grid(world: World, camera: SimCamera, spec: SurveySpec, most: int) -> list[Station]:
    """Cross-hatch over the polygon with the densest even spacing that needs at most `most`."""
    corner, along, across = _rectangle(world.survey_polygon_enu_m)
    for spacing in np.linspace(0.15, 1.5, 271):
        stations = _hatch(corner, along, across, camera, spec.gsd_m, float(spacing))
        if len(stations) <= most:
            return stations
    return []


def _rectangle(polygon: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """South-west-most start and the two side vectors of the polygon's box along its first side."""
    along = polygon[1, :2] - polygon[0, :2]
    along = along / np.linalg.norm(along)
    across = np.array([-along[1], along[0]])
    u, v = polygon[:, :2] @ along, polygon[:, :2] @ across
    corner = u.min() * along + v.min() * across
    return corner, (u.max() - u.min()) * along, (v.max() - v.min()) * across


def _hatch(
    corner: FloatArray,
    along: FloatArray,
    across: FloatArray,
    camera: SimCamera,
    gsd_m: float,
    spacing: float,
) -> list[Station]:
    """Lines in both directions; spacing is the share of the footprint between photos.

    Lines lie 1.35 times as far apart, in shares of the footprint, as photos on them.
    """
    stations: list[Station] = []
    for run, step, raise_by in ((along, across, 1.0), (across, along, CROSS_LINES_HIGHER)):
        height = gsd_m * camera.focal_px * raise_by
        heading = math.degrees(math.atan2(run[0], run[1]))
        n_run = _count(run, spacing * camera.height_px * gsd_m)
        n_step = _count(step, 1.35 * spacing * camera.width_px * gsd_m)
        for line in range(n_step):
            back = line % 2
            for k in range(n_run):
                place = (
                    corner
                    + step * (line + 0.5) / n_step
                    + run * ((n_run - 1 - k if back else k) + 0.5) / n_run
                )
                yaw = heading + 180.0 * back
                stations.append((np.array([*place, height]), (yaw, -90.0, 0.0)))
    return stations


def _count(side: FloatArray, spacing_m: float) -> int:
    return max(1, math.ceil(float(np.linalg.norm(side)) / spacing_m))


def _orbit(spec: SurveySpec, count: int) -> list[Station]:
    stations: list[Station] = []
    east, north = spec.orbit_centre_en_m
    pitch = -math.degrees(math.atan2(spec.orbit_height_m - 0.5, spec.orbit_radius_m))
    for k in range(count):
        turn = 2.0 * math.pi * k / count
        place = [
            east + spec.orbit_radius_m * math.sin(turn),
            north + spec.orbit_radius_m * math.cos(turn),
            spec.orbit_height_m,
        ]
        stations.append((np.array(place), (math.degrees(turn) + 180.0, pitch, 0.0)))
    return stations


def render_survey(
    world: World,
    out_dir: Path,
    spec: SurveySpec,
    seed: int,
    *,
    camera: SimCamera | None = None,
    progress: Callable[[float, str], None] = lambda fraction, message: None,
) -> list[Taken]:
    """Render a survey in this process: photos in out_dir/images, the truth in out_dir."""
    camera = camera or SimCamera()
    shots = survey_shots(world, camera, spec, seed)
    write_world(world, camera, out_dir, seed)
    truth = TruthWriter(world, out_dir, seed)
    taken = []
    for shot in shots:
        taken.append(take(world, camera, shot, out_dir / "images", seed))
        truth.add(taken[-1].name, taken[-1])
        progress(len(taken) / len(shots), taken[-1].name)
    return taken


def main(arguments: list[str] | None = None) -> int:
    """The command: parse, render, report errors as one line."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    log = logging.getLogger("sitl.camera")
    camera = replace(SimCamera().resized(options.width), rtk=not options.consumer_gnss)
    try:
        spec = SurveySpec(photos=options.photos, gsd_m=options.gsd_mm / 1000.0)
        world = make_world(options.world, options.world_seed)
        render_survey(
            world,
            options.out,
            spec,
            options.seed,
            camera=camera,
            progress=lambda f, name: log.info("%3.0f %%  %s", 100.0 * f, name),
        )
    except (DroneteamError, OSError) as error:
        log.error("%s", error)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sitl.camera", description=__doc__)
    parser.add_argument("--world", default="accident", choices=sorted(RECIPES))
    parser.add_argument("--world-seed", type=int, default=1)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--gsd-mm", type=float, default=10.0)
    parser.add_argument("--width", type=int, default=2000, help="photo width in pixels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--consumer-gnss", action="store_true", help="metre-level positions")
    parser.add_argument("--out", type=Path, required=True)
    return parser


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())
