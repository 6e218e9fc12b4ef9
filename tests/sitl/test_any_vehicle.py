"""What holds of any vehicle, tried on the embedded simulator and on every real one named.

The client sees what MAVLink tells and nothing else.  Claims that lean on ArduCopter's own ways
(numbers of modes, parameters, words) are not asked of a PX4; each skip says so.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from droneteam.missions.flight.fly import fly
from droneteam.missions.flight.preflight import flight_order
from droneteam.missions.flight.runner import SortieOrder
from droneteam.missions.flight.state import Ending
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.record.dataflash import read_onboard_log
from droneteam.missions.record.journal import read_journal
from droneteam.missions.record.sortie import read_sortie
from tests.sitl.client import PATIENCE_S, Client, Item
from tests.sitl.vehicles import Vehicle, started_arducopter

WAYPOINT, RETURN, TAKE_OFF = 16, 20, 22
FENCE_CORNER = 5001
AUTO, GUIDED, RTL = 3, 4, 6
PX4_AUTO, PX4_MISSION = 4, 4
ARM = mav.MAV_CMD_COMPONENT_ARM_DISARM
UP_M = 15.0
NEAR_HOME_M = 2.0


@pytest.fixture
def station(vehicle: Vehicle) -> Iterator[Client]:
    with vehicle.connect() as client:
        yield client


def ardupilot(vehicle: Vehicle) -> None:
    if not vehicle.is_ardupilot:
        pytest.skip("measured on ArduCopter; PX4 does this its own way")


def ready(vehicle: Vehicle, station: Client) -> None:
    """Wait until it would arm for a flight that needs a position."""
    if vehicle.is_ardupilot:
        station.wait(lambda: station.command(mav.MAV_CMD_DO_SET_MODE, 1, GUIDED) == 0, "no GUIDED")

    def healthy() -> bool:
        states = station.of("SYS_STATUS")[-1:]
        bit = mav.MAV_SYS_STATUS_PREARM_CHECK
        return bool(states and states[0].onboard_control_sensors_health & bit)

    station.clear()
    station.wait(healthy, "not ready to arm")
    if vehicle.is_ardupilot:
        station.wait(lambda: absolute_position(station), "no position")


def absolute_position(station: Client) -> bool:
    station.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_EKF_STATUS_REPORT)
    return any(
        one.flags & mav.ESTIMATOR_POS_HORIZ_ABS for one in station.of("EKF_STATUS_REPORT")[-1:]
    )


def beside(station: Client, north_m: float, east_m: float, up_m: float = UP_M) -> Item:
    """A waypoint in metres from where the vehicle stands."""
    lat_deg, lon_deg, _ = station.standing
    return Item(WAYPOINT, 3, *shifted(lat_deg, lon_deg, north_m, east_m), up_m)


def shifted(lat_deg: float, lon_deg: float, north_m: float, east_m: float) -> tuple[float, float]:
    scale = 111_320.0 * math.cos(math.radians(lat_deg))
    return lat_deg + north_m / 111_320.0, lon_deg + east_m / scale


def square(vehicle: Vehicle, station: Client, side_m: float = 30.0) -> list[Item]:
    """Take-off, three corners and home; ArduPilot's first item is home, PX4 has none."""
    home = beside(station, 0.0, 0.0)
    take_off = Item(TAKE_OFF, 3, home.lat_deg, home.lon_deg, UP_M)
    corners = [(side_m, 0.0), (side_m, side_m), (0.0, side_m)]
    way = [take_off, *(beside(station, *corner) for corner in corners), Item(RETURN, 2)]
    return [home, *way] if vehicle.is_ardupilot else way


def start(vehicle: Vehicle, station: Client) -> None:
    """Arm and begin the mission on board."""
    if vehicle.is_ardupilot:
        assert station.command(ARM, 1) == 0
        assert station.command(mav.MAV_CMD_NAV_TAKEOFF, *(0.0,) * 6, UP_M) == 0
        station.wait(lambda: station.place[2] > UP_M - 1.0, "it does not climb")
        assert station.command(mav.MAV_CMD_DO_SET_MODE, 1, AUTO) == 0
        assert station.command(mav.MAV_CMD_MISSION_START) == 0
    else:
        assert station.command(mav.MAV_CMD_DO_SET_MODE, 1, PX4_AUTO, PX4_MISSION) == 0
        assert station.command(ARM, 1) == 0


def far_m(station: Client, home: tuple[float, float, float]) -> float:
    lat_deg, lon_deg, _ = station.place
    scale = 111_320.0 * math.cos(math.radians(home[0]))
    return math.hypot((lat_deg - home[0]) * 111_320.0, (lon_deg - home[1]) * scale)


# Lists


def stored(station: Client, items: list[Item], kind: int = 0) -> None:
    """Upload; just after boot a vehicle has no space yet."""
    station.wait(lambda: station.upload(items, kind) == mav.MAV_MISSION_ACCEPTED, "not stored")


def test_a_mission_reads_back_as_it_was_written(vehicle: Vehicle, station: Client) -> None:
    written = square(vehicle, station)
    stored(station, written)
    read = station.download()
    first = 1 if vehicle.is_ardupilot else 0  # item 0 is its own home there
    assert [(one.command, one.x, one.y) for one in read[first:-1]] == [
        item.wire[:3] for item in written[first:-1]
    ]
    assert [one.z for one in read[first:-1]] == pytest.approx([UP_M] * 4)
    assert read[-1].command == RETURN


def test_a_fence_reads_back_and_is_kept_apart_from_the_mission(
    vehicle: Vehicle, station: Client
) -> None:
    corners = [(60.0, 60.0), (60.0, -60.0), (-60.0, -60.0), (-60.0, 60.0)]
    places = [beside(station, *corner) for corner in corners]
    fence = [
        Item(FENCE_CORNER, 0, one.lat_deg, one.lon_deg, 0.0, (4.0, 0.0, 0.0, 0.0)) for one in places
    ]
    mission = square(vehicle, station)
    stored(station, mission)
    stored(station, fence, mav.MAV_MISSION_TYPE_FENCE)
    read = station.download(mav.MAV_MISSION_TYPE_FENCE)
    assert [(one.command, one.x, one.y) for one in read] == [item.wire[:3] for item in fence]
    assert [one.param1 for one in read] == [4.0] * 4
    assert len(station.download()) == len(mission)


def test_a_sender_that_falls_silent_leaves_new_and_old_items_mixed(
    vehicle: Vehicle, station: Client
) -> None:
    ardupilot(vehicle)
    home = beside(station, 0.0, 0.0)

    def way(count: int, up_m: float) -> list[Item]:
        return [home, *(beside(station, 5.0 * n, 10.0, up_m) for n in range(1, count))]

    stored(station, way(10, 20.0))
    station.clear()
    station.send(mav.MAVLink_mission_count_message(station.system_id, 1, 12, 0))
    for seq, item in enumerate(way(12, 90.0)[:5]):

        def asked_for(seq: int = seq) -> bool:
            return any(one.seq == seq for one in station.of("MISSION_REQUEST"))

        station.wait(asked_for, f"item {seq} is not asked for")
        station.send(station.item_message(seq, item))
    began_s = station.vehicle_s
    (ack,) = station.wait(lambda: station.of("MISSION_ACK"), "it waits for ever")
    assert ack.type == mav.MAV_MISSION_OPERATION_CANCELLED
    assert 6.0 < station.vehicle_s - began_s < 12.0
    read = station.download()
    assert [round(one.z) for one in read[1:]] == [90] * 4 + [20] * 5


def test_more_items_than_it_stores_are_refused_and_what_was_there_stays(
    vehicle: Vehicle, station: Client
) -> None:
    ardupilot(vehicle)
    written = square(vehicle, station)
    stored(station, written)
    station.clear()
    station.send(mav.MAVLink_mission_count_message(station.system_id, 1, 10_000, 0))
    (ack,) = station.wait(lambda: station.of("MISSION_ACK"), "no answer")
    assert ack.type == mav.MAV_MISSION_NO_SPACE
    assert len(station.download()) == len(written)


def test_an_item_at_no_place_on_earth_is_refused(vehicle: Vehicle, station: Client) -> None:
    nowhere = Item(WAYPOINT, 3, 91.0, 4.0, UP_M)
    mission = [*square(vehicle, station)[:2], nowhere]
    assert station.upload(mission) not in (mav.MAV_MISSION_ACCEPTED, mav.MAV_MISSION_NO_SPACE)


# Parameters, rates, commands


def test_a_parameter_that_was_set_reads_back_and_an_unknown_one_is_silence(
    vehicle: Vehicle, station: Client
) -> None:
    name, value = ("FENCE_ALT_MAX", 87.5) if vehicle.is_ardupilot else ("MIS_TAKEOFF_ALT", 12.5)
    station.set_param(name, value)
    assert station.param(name) == pytest.approx(value)
    if vehicle.is_ardupilot:
        assert station.param("NO_SUCH_PARAM", within_s=1.0) is None


def test_a_message_comes_as_often_as_it_was_asked_for(station: Client) -> None:
    station.rate(mav.MAVLINK_MSG_ID_ATTITUDE, 10.0)
    station.run(2.0)
    station.clear()
    began_s = station.vehicle_s
    station.run(10.0)
    took_s = station.vehicle_s - began_s
    assert len(station.of("ATTITUDE")) / took_s == pytest.approx(10.0, rel=0.2)


def test_take_off_is_refused_while_the_motors_stand(vehicle: Vehicle, station: Client) -> None:
    ardupilot(vehicle)
    ready(vehicle, station)
    result = station.command(mav.MAV_CMD_NAV_TAKEOFF, *(0.0,) * 6, UP_M)
    assert result == mav.MAV_RESULT_FAILED
    assert not station.armed


# Flights


def test_a_mission_is_flown_to_its_end_and_its_log_can_be_read(
    vehicle: Vehicle, station: Client
) -> None:
    ready(vehicle, station)
    mission = square(vehicle, station)
    home = station.place
    stored(station, mission)
    start(vehicle, station)
    station.wait(lambda: station.armed, "it does not arm")
    station.wait(lambda: not station.armed, "it does not land", limit_s=3 * PATIENCE_S)
    reached = [one.seq for one in station.of("MISSION_ITEM_REACHED")]
    assert reached == sorted(reached)
    assert set(range(len(mission) - 4, len(mission) - 1)) <= set(reached)
    assert far_m(station, home) < NEAR_HOME_M
    if vehicle.is_ardupilot:
        station.clear()
        station.send(mav.MAVLink_log_request_list_message(station.system_id, 1, 0, 0xFFFF))
        (newest, *_) = station.wait(lambda: station.of("LOG_ENTRY"), "no list of logs")[::-1]
        assert newest.num_logs >= 1
        assert newest.size > 10_000


def test_a_lost_station_brings_it_home_for_good(vehicle: Vehicle, station: Client) -> None:
    ardupilot(vehicle)
    ready(vehicle, station)
    station.set_param("FS_GCS_ENABLE", 1.0)
    far = [*square(vehicle, station, 200.0)]
    stored(station, far)
    start(vehicle, station)
    station.run(3.0)
    assert station.mode == AUTO
    station.talking, silent_s = False, station.vehicle_s
    station.wait(lambda: station.mode == RTL, "it flies on without a station")
    assert 3.0 < station.vehicle_s - silent_s < 9.0
    assert any("GCS Failsafe" in text for text in station.texts())
    station.talking = True
    station.run(5.0)
    assert station.mode == RTL


def test_the_controller_flies_it_as_it_is(vehicle: Vehicle, tmp_path: Path) -> None:
    ardupilot(vehicle)
    with vehicle.connect() as client:
        found = client.last("GLOBAL_POSITION_INT")
    home = HomePoint(found.lat / 1e7, found.lon / 1e7, found.alt / 1000.0)
    lat_deg, lon_deg = shifted(home.lat_deg, home.lon_deg, 30.0, 0.0)
    north = MissionItem(MissionCommand.WAYPOINT, lat_deg=lat_deg, lon_deg=lon_deg, alt_home_m=UP_M)
    take_off = MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=UP_M)
    items = (take_off, north, MissionItem(MissionCommand.RETURN_TO_LAUNCH))
    order = flight_order(1, items, home, time_scale=vehicle.speedup)
    address = LinkAddress.parse(vehicle.link)
    sortie = SortieOrder(order, 1, "under test", address, tmp_path, fetch_log=True)
    (result,) = fly([sortie], time_scale=vehicle.speedup)
    assert result.ending is Ending.COMPLETED, result.reason
    log = read_sortie(result.tlog_path)
    assert log.complete
    assert log.max_alt_home_m == pytest.approx(order.rtl_alt_m, abs=6.0)
    kinds = [entry.kind for entry in read_journal(result.journal_path)]
    assert kinds.count("arming") == 1
    assert isinstance(result.onboard_log, StoredLog)
    onboard = read_onboard_log(result.onboard_log.path.read_bytes())
    assert onboard is not None


# The way to a real one


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program with ArduCopter's command line."""
    binary = tmp_path / "arducopter"
    script = Path(__file__).with_name("stand_in.py")
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    binary.chmod(0o755)
    return binary


@pytest.mark.slow
def test_a_binary_that_takes_arducopters_options_is_started_and_asked(
    tmp_path: Path, stand_in: Path
) -> None:
    with (
        started_arducopter(stand_in, tmp_path, 7) as vehicle,
        vehicle.connect() as station,
    ):
        assert vehicle.link == "tcp:127.0.0.1:5830"
        stored(station, square(vehicle, station))
    given = json.loads((tmp_path / "options.json").read_text())
    assert given["speedup"] == vehicle.speedup
    assert "FRAME_CLASS 1" in Path(given["defaults"]).read_text()


@pytest.mark.slow
def test_what_is_asked_of_the_embedded_one_is_asked_of_the_binary_that_is_named(
    stand_in: Path,
) -> None:
    chosen = f"{__file__}::test_a_mission_reads_back_as_it_was_written"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", chosen],
        env=os.environ | {"ARDUCOPTER": str(stand_in)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
    assert "[embedded] PASSED" in done.stdout
    assert "[arducopter] PASSED" in done.stdout
    assert "vehicles of tests/sitl: arducopter, embedded (name a real one's binary in PX4)" in (
        done.stdout
    )
