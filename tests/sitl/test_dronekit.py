"""dronekit 2.9.2, an independent client, flies a whole mission on the simulated vehicle."""

from __future__ import annotations

import collections
import collections.abc
import math
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.sitl.fleet import Fleet, running

SPEEDUP = 15


def import_dronekit() -> Any:
    """dronekit, with the two things that Python 3.10 took away from it."""
    if not hasattr(collections, "MutableMapping"):
        collections.MutableMapping = collections.abc.MutableMapping  # type: ignore[attr-defined]
    if "past.builtins" not in sys.modules:
        past, builtins = types.ModuleType("past"), types.ModuleType("past.builtins")
        builtins.basestring = str  # type: ignore[attr-defined]
        sys.modules.update({"past": past, "past.builtins": builtins})
    import dronekit

    return dronekit


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with running(tmp_path, "--speedup", str(SPEEDUP), "--wind", "4", "--gust", "1") as fleet:
        yield fleet


def wait(done: Callable[[], bool], what: str, limit_s: float = 40.0) -> None:
    until = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_dronekit_connects_uploads_arms_flies_a_mission_and_lands(fleet: Fleet) -> None:
    dronekit = import_dronekit()
    vehicle = dronekit.connect(fleet.links[0], wait_ready=True, rate=10, heartbeat_timeout=30)
    try:
        fly_a_square(dronekit, vehicle)
    finally:
        vehicle.close()


def fly_a_square(dronekit: Any, vehicle: Any) -> None:
    command = dronekit.Command
    wait(lambda: bool(vehicle.is_armable), "not armable")
    assert vehicle.parameters["RTL_ALT"] == 1500
    vehicle.parameters["RTL_ALT"] = 1800
    home = vehicle.location.global_frame
    mission = vehicle.commands
    mission.clear()
    mission.add(command(0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, home.lat, home.lon, 0))  # item 0: home
    mission.add(command(0, 0, 0, 3, 22, 0, 0, 0, 0, 0, 0, 0, 0, 15))
    places = [(40, 0), (40, 40), (0, 40)]
    for north_m, east_m in places:
        lat_deg = home.lat + north_m / 111_200.0
        lon_deg = home.lon + east_m / (111_320.0 * math.cos(math.radians(home.lat)))
        mission.add(command(0, 0, 0, 3, 16, 0, 0, 0, 0, 0, 0, lat_deg, lon_deg, 20))
    mission.add(command(0, 0, 0, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    mission.upload()
    mission.download()
    mission.wait_ready()
    assert mission.count == 5
    assert mission[1].x == pytest.approx(home.lat + 40 / 111_200.0, abs=1e-5)

    vehicle.mode = dronekit.VehicleMode("GUIDED")
    wait(lambda: vehicle.mode.name == "GUIDED", "no GUIDED")
    vehicle.arm(wait=True, timeout=20)
    vehicle.simple_takeoff(10)
    wait(lambda: bool(vehicle.location.global_relative_frame.alt > 9.0), "no take-off")
    vehicle.mode = dronekit.VehicleMode("AUTO")
    seen: set[int] = set()
    wait(lambda: seen.add(mission.next) or not vehicle.armed, "not landed")  # type: ignore[func-returns-value]
    assert {2, 3, 4} <= seen
    assert dronekit_distance_m(vehicle.location.global_frame, home) < 1.5


def dronekit_distance_m(a: Any, b: Any) -> float:
    north_m = (a.lat - b.lat) * 111_200.0
    east_m = (a.lon - b.lon) * 111_320.0 * math.cos(math.radians(a.lat))
    return math.hypot(north_m, east_m)
