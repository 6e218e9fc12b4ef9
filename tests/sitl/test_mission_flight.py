"""Missions are flown as written: where, in which order, at which speed, and back."""

from __future__ import annotations

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.items import Cmd, Frame, MissionItem
from sitl.modes import Mode
from tests.sitl.bench import HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at, do


def closest_m(bench: Bench, east_m: float, north_m: float, up_m: float) -> float:
    return min(math.dist(point, (east_m, north_m, up_m)) for point in bench.track)


def mission_texts(bench: Bench) -> list[str]:
    return [text for text in bench.gcs.texts() if text.startswith(("Mission:", "Reached"))]


def test_the_order_of_navigation_and_do_commands_is_arducopters() -> None:
    bench = Bench()
    bench.fly_mission(
        [
            HOME_ITEM,
            TAKE_OFF_20,
            do(Cmd.DO_CHANGE_SPEED, 1, 6),
            do(Cmd.DO_SET_CAM_TRIGG_DIST, 10),
            at(40, 0, 20),
            at(40, 40, 20),
            do(Cmd.DO_SET_CAM_TRIGG_DIST, 0),
            RETURN,
        ]
    )
    assert mission_texts(bench) == [
        "Mission: 1 Takeoff",
        "Mission: 2 ChangeSpeed",
        "Mission: 4 WP",
        "Mission: 3 SetCamTrigDst",
        "Reached command #4",
        "Mission: 5 WP",
        "Reached command #5",
        "Mission: 6 SetCamTrigDst",
        "Mission: 7 RTL",
    ]
    assert [m.seq for m in bench.gcs.of("MISSION_ITEM_REACHED")] == [1, 4, 5, 7]


def test_the_mission_ends_disarmed_at_home_and_complete() -> None:
    bench = Bench()
    bench.fly_mission([HOME_ITEM, TAKE_OFF_20, at(40, 10, 20), RETURN])
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_MISSION_CURRENT)
    current = bench.gcs.last("MISSION_CURRENT")
    assert (current.seq, current.total, current.mission_state) == (0, 3, 5)
    assert bench.ap.mode is Mode.AUTO
    assert math.hypot(*bench.ap.position[:2]) < 0.3
    hit = next(text for text in bench.gcs.texts() if text.startswith("SIM Hit ground"))
    assert float(hit.split()[-2]) == pytest.approx(0.5, abs=0.05)


def test_auto_on_the_ground_waits_for_the_start() -> None:
    bench = Bench()
    bench.gcs.upload([HOME_ITEM, TAKE_OFF_20, at(20, 0, 20), RETURN])
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    assert bench.gcs.set_mode(Mode.AUTO) == 0
    bench.run(4.0)
    assert bench.ap.body.on_ground
    assert bench.gcs.command(mav.MAV_CMD_MISSION_START) == 0
    bench.run_until(lambda: bench.ap.height_m() > 10.0, 20.0)


def test_a_mission_that_does_not_take_off_is_refused_on_the_ground() -> None:
    bench = Bench()
    bench.gcs.upload([HOME_ITEM, at(20, 0, 20), RETURN])
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    assert bench.gcs.set_mode(Mode.AUTO) == 4
    assert "Auto: Missing Takeoff Cmd" in bench.gcs.texts()


def test_without_a_mission_auto_is_refused_in_the_air() -> None:
    bench = Bench()
    bench.hover()
    assert bench.gcs.set_mode(Mode.AUTO) == 4
    assert bench.ap.mode is Mode.GUIDED


@pytest.mark.parametrize("wind_mps", [0.0, 8.0])
def test_lines_are_flown_straight_and_corners_rounded_within_the_radius(wind_mps: float) -> None:
    bench = Bench(SIM_WIND_SPD=wind_mps, SIM_WIND_DIR=200, SIM_WIND_TURB=wind_mps / 8)
    bench.fly_mission([HOME_ITEM, TAKE_OFF_20, at(0, 50, 20), at(80, 50, 20), RETURN])
    on_line = [p for p in bench.track if 10.0 < p[0] < 70.0 and p[1] > 45.0]
    assert len(on_line) > 100
    assert max(abs(p[1] - 50.0) for p in on_line) < 0.3 + 0.05 * wind_mps
    assert 1.0 < closest_m(bench, 0, 50, 20) < 2.5


def test_a_waypoint_with_a_delay_is_stopped_at() -> None:
    bench = Bench()
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(40, 0, 20, param1=5.0), at(80, 0, 20), RETURN])
    bench.run_until(lambda: bench.ap.mission_run.current == 3)
    assert closest_m(bench, 40, 0, 20) < 0.3
    slow = [p for p in bench.track if math.dist(p, (40, 0, 20)) < 1.0]
    assert len(slow) * 0.02 > 5.0


def test_a_chain_of_close_points_is_flown_without_stopping() -> None:
    """An orbit of 36 points, as a planner writes it."""
    orbit = [
        at(30 * math.sin(math.radians(10 * n)), 60 - 30 * math.cos(math.radians(10 * n)), 20)
        for n in range(37)
    ]
    bench = Bench()
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, do(Cmd.DO_CHANGE_SPEED, 1, 5), *orbit, RETURN])
    bench.run_until(lambda: bench.ap.mission_run.current == 6)
    began_s = bench.ap.t_s
    speeds = []
    while bench.ap.mission_run.current < 36:
        bench.run(0.1)
        speeds.append(bench.ap.body.ground_speed_mps)
    assert min(speeds) > 4.0
    assert bench.ap.t_s - began_s == pytest.approx(30 * 5.23 / 5.0, rel=0.1)
    off_m = [abs(math.hypot(p[0], p[1] - 60.0) - 30.0) for p in bench.track[-1000:]]
    assert max(off_m) < 0.5


def test_a_change_of_speed_holds_for_the_mission() -> None:
    bench = Bench()
    bench.start_mission(
        [HOME_ITEM, TAKE_OFF_20, do(Cmd.DO_CHANGE_SPEED, 1, 3), at(60, 0, 20), RETURN]
    )
    bench.run_until(lambda: bench.ap.position[0] > 30.0)
    assert bench.ap.body.ground_speed_mps == pytest.approx(3.0, abs=0.2)


def test_jumps_repeat_their_part_so_many_times() -> None:
    bench = Bench()
    bench.fly_mission(
        [HOME_ITEM, TAKE_OFF_20, at(20, 0, 20), at(0, 20, 20), do(Cmd.DO_JUMP, 2, 2), RETURN]
    )
    reached = [m.seq for m in bench.gcs.of("MISSION_ITEM_REACHED")]
    assert reached == [1, 2, 3, 2, 3, 2, 3, 5]


def test_jumping_in_place_forever_does_not_hang_the_vehicle() -> None:
    bench = Bench()
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, do(Cmd.DO_JUMP, 2, -1), RETURN])
    bench.run(30.0)
    assert bench.ap.mission_run.complete


def test_delays_yaw_and_distance_conditions_hold_what_follows() -> None:
    bench = Bench()
    bench.start_mission(
        [
            HOME_ITEM,
            TAKE_OFF_20,
            at(100, 0, 20),
            do(Cmd.CONDITION_DISTANCE, 40),
            do(Cmd.IMAGE_START_CAPTURE, 0, 0, 1),
            at(100, 100, 20),
            do(Cmd.CONDITION_YAW, 180, 0, 1, 0),
            do(Cmd.IMAGE_START_CAPTURE, 0, 0, 1),
            at(100, 200, 20),
            do(Cmd.CONDITION_DELAY, 3),
            do(Cmd.IMAGE_START_CAPTURE, 0, 0, 1),
            at(100, 300, 20),
            RETURN,
        ]
    )
    bench.run_until(lambda: len(bench.shots) == 3)
    first, second, _ = bench.shots
    east_m, north_m = bench.ap.frame.metres(first.lat_deg, first.lon_deg)
    assert math.dist((east_m, north_m), (100, 100)) == pytest.approx(40.0, abs=1.0)
    assert second.yaw_deg == pytest.approx(180.0, abs=3.0)


def test_loiter_turns_circle_and_loiter_time_waits() -> None:
    bench = Bench()
    bench.fly_mission(
        [
            HOME_ITEM,
            TAKE_OFF_20,
            at(60, 0, 20, Cmd.NAV_LOITER_TURNS, param1=2.0, param3=15.0),
            at(60, 60, 20, Cmd.NAV_LOITER_TIME, param1=10.0),
            RETURN,
        ]
    )
    around = [p for p in bench.track if abs(math.dist(p[:2], (60, 0)) - 15.0) < 0.7]
    assert len(around) * 0.02 > 2 * 2 * math.pi * 15 / 7.0
    waited = [p for p in bench.track if math.dist(p[:2], (60, 60)) < 2.0]
    assert len(waited) * 0.02 >= 10.0


def test_the_mission_lands_where_it_says() -> None:
    bench = Bench()
    bench.fly_mission([HOME_ITEM, TAKE_OFF_20, at(30, 30, 0, Cmd.NAV_LAND)])
    assert bench.ap.position[:2] == pytest.approx((30.0, 30.0), abs=0.3)
    assert bench.ap.mission_run.complete


def test_heights_above_the_geoid_and_above_home_are_told_apart() -> None:
    bench = Bench()
    amsl = at(40, 0, 100.0 - 43.6 + 35.0, frame=Frame.GLOBAL)
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, amsl, RETURN])
    bench.run_until(lambda: bench.ap.mission_run.current == 3)
    assert bench.ap.height_m() == pytest.approx(35.0, abs=1.0)


def test_an_item_without_a_place_is_flown_where_the_vehicle_is() -> None:
    bench = Bench()
    higher = MissionItem(Cmd.NAV_WAYPOINT, Frame.GLOBAL_RELATIVE_ALT, z=40.0)
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, higher, RETURN])
    bench.run_until(lambda: bench.ap.mission_run.current == 3)
    assert bench.ap.position == pytest.approx((0.0, 0.0, 40.0), abs=2.1)


def test_a_mission_that_just_ends_leaves_the_vehicle_hovering() -> None:
    bench = Bench()
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(30, 0, 20)])
    bench.run_until(lambda: bench.ap.mission_run.complete)
    bench.run(30.0)
    assert bench.ap.position == pytest.approx((30.0, 0.0, 20.0), abs=2.1)
    assert bench.ap.armed


def test_leaving_and_entering_auto_resumes_where_it_was() -> None:
    bench = Bench()
    way = [HOME_ITEM, TAKE_OFF_20] + [at(40.0 * n, 0, 20) for n in range(1, 5)] + [RETURN]
    bench.start_mission(way)
    bench.run_until(lambda: bench.ap.mission_run.current == 4)
    bench.gcs.set_mode(Mode.BRAKE)
    bench.run(5.0)
    assert bench.gcs.set_mode(Mode.AUTO) == 0
    assert bench.ap.mission_run.current == 4
    bench.run_until(lambda: not bench.ap.armed)


def test_a_new_mission_in_flight_is_accepted_and_restarts_the_command() -> None:
    bench = Bench()
    way = [HOME_ITEM, TAKE_OFF_20] + [at(40.0 * n, 0, 20) for n in range(1, 5)] + [RETURN]
    bench.start_mission(way)
    bench.run_until(lambda: bench.ap.mission_run.current == 2)
    again = [*way[:2], *(at(0, 40.0 * n, 20) for n in range(1, 5)), RETURN]
    assert bench.gcs.upload(again) == 0
    bench.run(0.1)
    assert "Auto mission changed, restarted command" in bench.gcs.texts()
    bench.run_until(lambda: not bench.ap.armed)
    assert closest_m(bench, 0, 160, 20) < 2.5


def test_the_nose_follows_the_way_and_not_on_the_way_home() -> None:
    bench = Bench()
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(80, 0, 20), RETURN])
    bench.run_until(lambda: bench.ap.position[0] > 40.0)
    assert math.degrees(bench.ap.body.yaw_rad) == pytest.approx(90.0, abs=2.0)
    bench.gcs.set_mode(Mode.RTL)
    bench.run(8.0)
    assert math.degrees(bench.ap.body.yaw_rad) == pytest.approx(90.0, abs=3.0)


def test_gusts_are_the_same_again_for_the_same_seed() -> None:
    def last_place() -> tuple[float, float, float]:
        bench = Bench(SIM_WIND_SPD=6, SIM_WIND_TURB=2)
        bench.hover()
        bench.run(20.0)
        return bench.ap.body.east_m, bench.ap.body.north_m, bench.ap.battery.used_mah

    assert last_place() == last_place()
