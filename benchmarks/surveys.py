"""Planned surveys, flown in the simulator: `python -m benchmarks.surveys [--only NAME]`.

Awkward areas (concave, thin, turned, over a hill) are planned, and the real controller flies the
plan on the real simulator in simulated time, in calm and in wind with gusts.  The simulator's own
list of photos, true poses, not the vehicle's estimate, is then held against the promise: every
point of the area in at least five photos, the ground sampling distance of the nadir photos within
5 %, the number of photos within 2 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import (
    STILL,
    Conditions,
    GeoPolygon,
    MissionPlan,
    SurveyParams,
    plan_survey,
)
from sitl.shot import Shot
from tests.missions.conftest import ORIGIN, PLACE
from tests.missions.relief_world import hill, terrain
from tests.missions.test_survey_shapes import COMB, CROSS, L_SHAPE, SPIKE, THIN, counts, points_of
from tests.missions.virtual import Air, fly_in, in_folder

PARAMS = SurveyParams(gsd_m=0.012, orbit=False)
WINDY = (("SIM_WIND_SPD", 7.0), ("SIM_WIND_DIR", 240.0), ("SIM_WIND_TURB", 2.0))


@dataclass(frozen=True)
class Case:
    """One area to fly."""

    name: str
    area: GeoPolygon
    windy: bool = False
    hilly: bool = False


CASES = (
    Case("L, 17° turned", L_SHAPE),
    Case("L in 7 m/s of wind, gusts", L_SHAPE, windy=True),
    Case("L over a hill of 18 m", L_SHAPE, hilly=True),
    Case("thin, 150 x 2.5 m", THIN),
    Case("thin in wind", THIN, windy=True),
    Case("spike", SPIKE),
    Case("comb", COMB),
    Case("cross, over a hill, in wind", CROSS, windy=True, hilly=True),
)


@dataclass(frozen=True)
class Outcome:
    """What the flight gave, against the plan."""

    planned: int
    taken: int
    fewest: int
    worst_gsd: float
    ending: str

    @property
    def held(self) -> bool:
        """Whether the promise was kept."""
        share = abs(self.taken - self.planned) / self.planned
        return self.fewest >= 5 and share <= 0.02 and self.worst_gsd <= 0.05


def flown(case: Case, folder: Path) -> Outcome:
    """The case, planned and flown."""
    conditions = Conditions(terrain(folder, hill)) if case.hilly else STILL
    plan = plan_survey(case.area, SIMULATED, PARAMS, PLACE, conditions)
    shots: list[Shot] = []
    air = Air(params=WINDY if case.windy else (), on_shot=shots.append)
    order = flight_order(1, plan.items, PLACE, duration_s=0.0)
    (result,) = fly_in(air, [in_folder(order, 1, folder)], limit_s=4000.0).results
    return judged(case, plan, shots, str(result.ending))


def judged(case: Case, plan: MissionPlan, shots: list[Shot], ending: str) -> Outcome:
    """True poses of the photos against the area and the ground."""
    home_m = float(hill(*home())) if case.hilly else 0.0
    poses = np.array([pose(shot) for shot in shots])
    points = points_of(case.area)
    ground = hill(*points.T) - home_m if case.hilly else np.zeros(len(points))
    below = hill(*poses[:, :2].T) - home_m if case.hilly else np.zeros(len(poses))
    pixel = SIMULATED.sensor_width_mm / SIMULATED.width_px / SIMULATED.focal_mm
    off = np.abs((poses[:, 2] - below) * pixel / plan.gsd_m - 1.0)
    return Outcome(
        planned=plan.n_photos,
        taken=len(poses),
        fewest=int(counts(poses, points, ground, SIMULATED).min()),
        worst_gsd=float(np.quantile(off, 0.95)),
        ending=ending,
    )


def home() -> tuple[np.ndarray, np.ndarray]:
    """The take-off point in the hill's metres."""
    east, north, _ = ORIGIN.enu_from_geodetic(np.array([PLACE.lat_deg, PLACE.lon_deg, 0.0]))
    return np.array(east), np.array(north)


def pose(shot: Shot) -> tuple[float, float, float, float, float]:
    """East, north, height above take-off, yaw and pitch of a photo, as they truly were."""
    east, north, _ = ORIGIN.enu_from_geodetic(np.array([shot.lat_deg, shot.lon_deg, 0.0]))
    return float(east), float(north), shot.alt_home_m, shot.yaw_deg, shot.pitch_deg


def main() -> int:
    """0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", help="the case whose name begins so")
    args = parser.parse_args()
    chosen = [case for case in CASES if args.only is None or case.name.startswith(args.only)]
    print(f"{'':<32}{'planned':>8}{'taken':>7}{'fewest':>8}{'GSD off':>9}{'cpu s':>7}")
    broken = 0
    for case in chosen:
        began_s = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            got = flown(case, Path(folder))
        row = f"{case.name:<32}{got.planned:>8}{got.taken:>7}{got.fewest:>8}"
        row += f"{100 * got.worst_gsd:>7.1f} %{time.process_time() - began_s:>7.1f}"
        print(f"{row}  {'' if got.held else 'NOT HELD '}{got.ending}", flush=True)
        broken += not got.held
    return int(broken > 0)


if __name__ == "__main__":
    raise SystemExit(main())
