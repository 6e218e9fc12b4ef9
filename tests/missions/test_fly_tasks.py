"""A façade flown by the simulator: photos where they were planned, square to the wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from droneteam.missions.flight.fly import fly
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.flight.state import Ending
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.task_params import FacadeParams
from droneteam.missions.planner.tasks import plan_task
from droneteam.missions.record.sortie import read_sortie
from tests.missions.conftest import ORIGIN, PLACE, area
from tests.missions.simulator import simulator

SPEEDUP = 10.0
WALL = area((-6.0, 12.0), (4.0, 12.0))
"""North of the road; the vehicle stays north of it."""


@pytest.mark.slow
def test_a_facade_is_photographed_square_from_every_planned_station(tmp_path: Path) -> None:
    plan = plan_task(WALL, SIMULATED, FacadeParams(gsd_m=0.006, top_m=8.0), PLACE)
    order = flight_order(1, plan.items, PLACE, time_scale=SPEEDUP)
    with simulator(tmp_path, speedup=SPEEDUP) as sim:
        address = LinkAddress.parse(sim.links[0])
        sortie = SortieOrder(order, 1, "drone-01", address, tmp_path / "logs")
        (result,) = fly([sortie], time_scale=SPEEDUP)
    assert result.ending is Ending.COMPLETED, result.reason
    triggers = read_sortie(result.tlog_path).triggers
    assert len(triggers) == plan.n_photos > 4
    wall = shapely.LineString(_metres([(lat, lon) for lat, lon in WALL]))
    distance_m = 0.006 * SIMULATED.focal_px
    for trigger, planned in zip(triggers, plan.photo_positions, strict=True):
        (here,) = _metres([(trigger.lat_deg, trigger.lon_deg)])
        (there,) = _metres([(planned.lat_deg, planned.lon_deg)])
        assert np.hypot(*(here - there)) < 1.5
        assert abs(wall.distance(shapely.Point(here)) - distance_m) < 1.5
        assert abs(trigger.alt_home_m - planned.alt_home_m) < 1.0
        assert abs(trigger.pitch_deg) < 6.0
        assert abs((trigger.yaw_deg - 180.0 + 180.0) % 360.0 - 180.0) < 8.0


def _metres(places: list[tuple[float, float]]) -> np.ndarray:
    geodetic = np.column_stack([np.array(places), np.zeros(len(places))])
    return ORIGIN.enu_from_geodetic(geodetic)[:, :2]
