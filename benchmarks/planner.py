"""How long the planner takes: `python benchmarks/planner.py`.

Plans squares of several sizes at 1 cm and prints CPU and wall time of the median of five runs.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.missions.camera import MAVIC_3E, SIMULATED, CameraSpec
from droneteam.missions.items import HomePoint
from droneteam.missions.plan import GeoPolygon, SurveyParams, plan_survey

FRAME = EnuFrame(GeoPoint(50.8197, 4.3908))
HOME = HomePoint(50.8197, 4.3908, 56.4)
LINES = SurveyParams(gsd_m=0.01, crosshatch=False, orbit=False)
SCENE = SurveyParams(gsd_m=0.01, max_photos=60)
CASES: tuple[tuple[str, float, CameraSpec, SurveyParams], ...] = (
    ("road accident 40 x 30 m, at most 60 photos", 40.0, SIMULATED, SCENE),
    ("1 ha", 100.0, MAVIC_3E, LINES),
    ("10 ha", 316.2, MAVIC_3E, LINES),
    ("1 km2", 1000.0, MAVIC_3E, LINES),
)


def rectangle(width_m: float) -> GeoPolygon:
    """A rectangle; the accident's is a quarter lower than wide."""
    height_m = 30.0 if width_m == 40.0 else width_m
    corners = np.array([[0, 0, 0], [width_m, 0, 0], [width_m, height_m, 0], [0, height_m, 0]])
    return tuple((lat, lon) for lat, lon, _ in FRAME.geodetic_from_enu(corners).tolist())


def main() -> None:
    """Print the table."""
    print(f"{'area':<44}{'photos':>8}{'views':>7}{'cpu ms':>9}{'wall ms':>9}")
    for name, width_m, camera, params in CASES:
        area = rectangle(width_m)
        cpu_ms, wall_ms = [], []
        for _ in range(5):
            cpu, wall = time.process_time(), time.perf_counter()
            plan = plan_survey(area, camera, params, HOME)
            cpu_ms.append(1e3 * (time.process_time() - cpu))
            wall_ms.append(1e3 * (time.perf_counter() - wall))
        row = f"{name:<44}{plan.n_photos:>8}{plan.min_views:>7}"
        print(f"{row}{statistics.median(cpu_ms):>9.0f}{statistics.median(wall_ms):>9.0f}")


if __name__ == "__main__":
    main()
