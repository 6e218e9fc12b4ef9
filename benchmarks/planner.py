"""How long the planner takes: `python benchmarks/planner.py`.

Plans squares of several sizes at 1 cm, over level ground and over a raster of hills with 1 m
cells, then the fence and the volumes around the plan, the predicted accuracy and the map of
overlap.  Prints the median and the spread (slowest minus quickest) of seven runs, CPU and wall.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from pyproj import Transformer

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.missions.airspace.fence import fence_findings, fence_of
from droneteam.missions.airspace.volumes import RiskParams, volumes_of
from droneteam.missions.airspace.wayhome import highest_below
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.accuracy import MAX_PHOTOS, NetworkNoise
from droneteam.missions.planner.camera import MAVIC_3E, SIMULATED, CameraSpec
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.overlap import overlap_grid
from droneteam.missions.planner.plan import (
    STILL,
    Conditions,
    GeoPolygon,
    MissionPlan,
    SurveyParams,
    plan_survey,
)
from droneteam.missions.planner.surveyaccuracy import accuracy_of
from droneteam.missions.planner.terrain import Terrain

RUNS = 7
FRAME = EnuFrame(GeoPoint(50.8197, 4.3908))
HOME = HomePoint(50.8197, 4.3908, 56.4)
LINES = SurveyParams(gsd_m=0.01, crosshatch=False, orbit=False)
SCENE = SurveyParams(gsd_m=0.01, max_photos=60)
CASES: tuple[tuple[str, float, CameraSpec, SurveyParams, bool], ...] = (
    ("road accident 40 x 30 m, at most 60 photos", 40.0, SIMULATED, SCENE, False),
    ("road accident over hills", 40.0, SIMULATED, SCENE, True),
    ("10 ha", 316.2, MAVIC_3E, LINES, False),
    ("1 km2", 1000.0, MAVIC_3E, LINES, False),
    ("1 km2 over hills", 1000.0, MAVIC_3E, LINES, True),
)


def rectangle(width_m: float) -> GeoPolygon:
    """A rectangle; the accident's is a quarter lower than wide."""
    height_m = 30.0 if width_m == 40.0 else width_m
    corners = np.array([[0, 0, 0], [width_m, 0, 0], [width_m, height_m, 0], [0, height_m, 0]])
    return tuple((lat, lon) for lat, lon, _ in FRAME.geodetic_from_enu(corners).tolist())


def hills(width_m: float) -> Terrain:
    """Hills of 20 m, a kilometre long, with bumps of half a metre; one value per metre."""
    side = int(width_m + 400.0)
    east, north = np.meshgrid(np.arange(side) - 200.0, side - 200.0 - np.arange(side))
    heights = 50.0 + 10.0 * np.sin(east / 150.0) * np.cos(north / 130.0)
    heights = (heights + 0.5 * np.sin(east / 7.0) * np.sin(north / 5.0)).astype(np.float32)
    to_utm = Transformer.from_crs("EPSG:4326", "EPSG:32631", always_xy=True)
    x, y = to_utm.transform(HOME.lon_deg, HOME.lat_deg)
    corner = (x - 200.0, y + side - 200.0)
    return Terrain(
        "hills", "dsm", VerticalDatum.GEOID, "EPSG:32631", corner, (1.0, 1.0), heights, heights
    )


def measured(name: str, task: Callable[[], object], note: str = "") -> None:
    """One row of the table."""
    cpu_ms, wall_ms = [], []
    for _ in range(RUNS):
        cpu, wall = time.process_time(), time.perf_counter()
        task()
        cpu_ms.append(1e3 * (time.process_time() - cpu))
        wall_ms.append(1e3 * (time.perf_counter() - wall))
    row = f"{name:<44}{note:>16}"
    for values in (cpu_ms, wall_ms):
        row += f"{statistics.median(values):>9.0f}{max(values) - min(values):>9.0f}"
    print(row)


def around(plan: MissionPlan, terrain: Terrain | None) -> None:
    """The fence with its rule, and the volumes."""
    obstacle = None if terrain is None else highest_below(plan.items, plan.home, terrain)
    fence = fence_of(plan.items, plan.home, RiskParams(), obstacle)
    fence_findings(plan.items, plan.home, fence)
    volumes_of(plan, RiskParams(), fence.return_home_m)


def main() -> None:
    """Print the table."""
    print(f"{'':<44}{'photos / views':>16}{'cpu ms':>9}{'spread':>9}{'wall ms':>9}{'spread':>9}")
    for name, width_m, camera, params, hilly in CASES:
        area, terrain = rectangle(width_m), hills(width_m) if hilly else None
        conditions = Conditions(terrain) if terrain is not None else STILL
        plan = plan_survey(area, camera, params, HOME, conditions)
        note = f"{plan.n_photos} / {plan.min_views}"
        measured(
            name,
            lambda a=area, c=camera, p=params, k=conditions: plan_survey(a, c, p, HOME, k),
            note,
        )
        measured("  fence, its rule and volumes", lambda p=plan, t=terrain: around(p, t))
        if plan.n_photos <= MAX_PHOTOS:
            measured(
                "  predicted accuracy",
                lambda p=plan, c=camera, t=terrain: accuracy_of(p, c, NetworkNoise(), terrain=t),
            )
        measured(
            "  map of overlap",
            lambda p=plan, c=camera, t=terrain: overlap_grid(
                p.area, p.photo_positions, c, p.home, t
            ),
        )


if __name__ == "__main__":
    main()
