"""A pilot's script with MAVSDK: connect, upload, fly, land, and print what was seen."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

from mavsdk import ComponentType, Configuration, Mavsdk
from mavsdk.plugins.action import Action
from mavsdk.plugins.mission_raw import MissionItem, MissionRaw
from mavsdk.plugins.param import Param
from mavsdk.plugins.telemetry import Telemetry

WAYPOINT, RETURN, TAKE_OFF = 16, 20, 22
RELATIVE = 3


def wait(done: Callable[[], Any], what: str, limit_s: float = 40.0) -> None:
    until = time.monotonic() + limit_s
    while not done():
        if time.monotonic() > until:
            raise SystemExit(f"{what}: not within {limit_s} s")
        time.sleep(0.05)


def item(seq: int, command: int, lat_deg: float, lon_deg: float, up_m: float) -> Any:
    x, y = round(lat_deg * 1e7), round(lon_deg * 1e7)
    current = 1 if seq == 0 else 0
    return MissionItem(
        seq=seq, frame=RELATIVE, command=command, current=current, autocontinue=1,
        param1=0.0, param2=0.0, param3=0.0, param4=0.0, x=x, y=y, z=up_m, mission_type=0,
    )  # fmt: skip


def survey(home: Any) -> list[Any]:
    north_deg = 40 / 111_200.0
    east_deg = 40 / (111_320.0 * math.cos(math.radians(home.latitude_deg)))
    lat, lon = home.latitude_deg, home.longitude_deg
    return [
        item(0, WAYPOINT, lat, lon, 0),
        item(1, TAKE_OFF, 0, 0, 20),
        item(2, WAYPOINT, lat + north_deg, lon, 20),
        item(3, WAYPOINT, lat + north_deg, lon + east_deg, 20),
        item(4, WAYPOINT, lat, lon + east_deg, 20),
        item(5, RETURN, 0, 0, 0),
    ]


def from_m(position: Any, home: Any) -> float:
    north_m = (position.latitude_deg - home.latitude_deg) * 111_200.0
    east_m = (position.longitude_deg - home.longitude_deg) * 111_320.0
    return math.hypot(north_m, east_m * math.cos(math.radians(home.latitude_deg)))


def main(port: str) -> None:
    mavsdk = Mavsdk(Configuration.create_with_component_type(ComponentType.GROUND_STATION))
    mavsdk.add_any_connection(f"tcpout://127.0.0.1:{port}")
    system = mavsdk.first_autopilot(20.0)
    if system is None:
        raise SystemExit("no autopilot found")
    action, mission = Action(system), MissionRaw(system)
    telemetry, param = Telemetry(system), Param(system)
    telemetry.set_rate_position(10.0)
    telemetry.set_rate_gps_info(2.0)
    telemetry.set_rate_home(1.0)
    telemetry.set_rate_landed_state(5.0)
    telemetry.set_rate_health(5.0)
    wait(lambda: telemetry.health().is_global_position_ok, "no position")
    wait(lambda: telemetry.health().is_home_position_ok, "no home")
    param.set_param_int("RTL_ALT", 1800)

    home = telemetry.position()
    items = survey(home)
    mission.upload_mission(items)
    back = mission.download_mission()
    heights: list[float] = []
    reached: list[int] = []
    telemetry.subscribe_position(lambda p, *_: heights.append(p.relative_altitude_m))
    mission.subscribe_mission_progress(lambda p, *_: reached.append(p.current))
    action.set_takeoff_altitude(10.0)
    wait(lambda: telemetry.health().is_armable, "not armable")
    arm_in_guided(action, telemetry)
    mission.start_mission()
    wait(lambda: not telemetry.armed(), "not landed")
    print(
        json.dumps(
            {
                "autopilot": system.autopilot_type().name,
                "uploaded": [(i.command, i.x, i.y) for i in items[1:]],
                "read_back": [(i.command, i.x, i.y) for i in back[1:]],
                "rtl_alt_cm": param.get_param_int("RTL_ALT"),
                "highest_m": max(heights),
                "items": 6,
                "reached": max(reached),
                "landed": not telemetry.in_air(),
                "from_home_m": from_m(telemetry.position(), home),
            }
        )
    )


def arm_in_guided(action: Any, telemetry: Any) -> None:
    action.arm()
    action.takeoff()
    wait(lambda: telemetry.position().relative_altitude_m > 8.0, "no take-off")


if __name__ == "__main__":
    main(sys.argv[1])
