"""The flight modes do what their names say."""

from __future__ import annotations

import math

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.items import Cmd
from sitl.modes import Mode
from tests.sitl.bench import HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at


def go(bench: Bench, east_m: float, north_m: float, height_m: float) -> None:
    where = at(east_m, north_m, height_m)
    bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 1, 0, 0), (where.x, where.y, where.z))
    bench.run_until(lambda: math.dist(bench.ap.position, (east_m, north_m, height_m)) < 0.3)


def sticks(bench: Bench, roll: int, pitch: int, throttle: int, yaw: int) -> None:
    channels = (roll, pitch, throttle, yaw, 0, 0, 0, 0)
    bench.gcs.send(mav.MAVLink_rc_channels_override_message(1, 1, *channels))


def test_take_off_climbs_straight_and_hovers() -> None:
    bench = Bench(SIM_WIND_SPD=6, SIM_WIND_TURB=1)
    bench.hover(25.0)
    bench.run(10.0)
    assert bench.ap.height_m() == pytest.approx(25.0, abs=0.2)
    assert max(math.hypot(p[0], p[1]) for p in bench.track) < 1.0


def test_returning_climbs_flies_home_waits_and_lands() -> None:
    bench = Bench(RTL_ALT=3000)
    bench.hover()
    go(bench, 100.0, 0.0, 20.0)
    bench.track.clear()
    assert bench.gcs.command(mav.MAV_CMD_NAV_RETURN_TO_LAUNCH) == 0
    bench.run_until(lambda: not bench.ap.armed)
    assert max(p[2] for p in bench.track) == pytest.approx(30.0, abs=0.5)
    climbing = [p for p in bench.track if p[2] < 29.0 and p[0] > 50.0]
    assert all(abs(p[0] - 100.0) < 2.0 for p in climbing)
    waiting = [p for p in bench.track if math.hypot(p[0], p[1]) < 0.5 and p[2] > 29.5]
    assert len(waiting) * 0.02 == pytest.approx(5.0, abs=1.5)
    assert math.hypot(*bench.ap.position[:2]) < 0.2


def test_close_to_home_the_cone_spares_most_of_the_climb() -> None:
    bench = Bench(RTL_ALT=6000)
    bench.hover(10.0)
    go(bench, 5.0, 0.0, 10.0)
    bench.gcs.set_mode(Mode.RTL)
    bench.run_until(lambda: not bench.ap.armed)
    assert max(p[2] for p in bench.track) == pytest.approx(15.0, abs=1.0)


def test_returning_uses_the_nearest_rally_point() -> None:
    bench = Bench()
    bench.gcs.upload([at(90, 0, 20, Cmd.RALLY_POINT)], kind=2)
    bench.hover()
    go(bench, 100.0, 20.0, 20.0)
    bench.gcs.set_mode(Mode.RTL)
    bench.run_until(lambda: not bench.ap.armed)
    assert bench.ap.position[:2] == pytest.approx((90.0, 0.0), abs=0.3)


def test_a_rally_point_beyond_its_limit_does_not_count() -> None:
    bench = Bench(RALLY_LIMIT_KM=0.01)
    bench.gcs.upload([at(80, 0, 20, Cmd.RALLY_POINT)], kind=2)
    bench.hover()
    go(bench, 100.0, 20.0, 20.0)
    bench.gcs.set_mode(Mode.RTL)
    bench.run_until(lambda: not bench.ap.armed)
    assert math.hypot(*bench.ap.position[:2]) < 0.3


def test_a_final_height_keeps_the_vehicle_above_home() -> None:
    bench = Bench(RTL_ALT_FINAL=500)
    bench.hover()
    go(bench, 50.0, 0.0, 20.0)
    bench.gcs.set_mode(Mode.RTL)
    bench.run(60.0)
    assert bench.ap.armed
    assert bench.ap.height_m() == pytest.approx(5.0, abs=0.2)


def test_smart_return_goes_back_the_way_it_came() -> None:
    bench = Bench()
    bench.hover()
    go(bench, 60.0, 0.0, 20.0)
    go(bench, 60.0, 60.0, 20.0)
    bench.track.clear()
    assert bench.gcs.set_mode(Mode.SMART_RTL) == 0
    bench.run_until(lambda: not bench.ap.armed)
    corner_m = min(math.dist(p, (60.0, 0.0, 20.0)) for p in bench.track)
    assert corner_m < 4.0
    assert math.hypot(*bench.ap.position[:2]) < 3.0


def test_landing_is_slow_near_the_ground_and_disarms() -> None:
    bench = Bench()
    bench.hover(30.0)
    assert bench.gcs.command(mav.MAV_CMD_NAV_LAND) == 0
    bench.run_until(lambda: bench.ap.height_m() < 20.0)
    assert bench.ap.body.v_up_mps == pytest.approx(-1.5, abs=0.1)
    bench.run_until(lambda: bench.ap.height_m() < 5.0)
    assert bench.ap.body.v_up_mps == pytest.approx(-0.5, abs=0.05)
    hit_s = bench.run_until(lambda: bench.ap.body.on_ground)
    assert hit_s < 12.0
    assert bench.run_until(lambda: not bench.ap.armed) == pytest.approx(1.7, abs=0.3)


def test_braking_stops_within_the_braking_distance() -> None:
    bench = Bench()
    bench.hover()
    where = at(200.0, 0.0, 20.0)
    bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 1, 0, 0), (where.x, where.y, 20.0))
    bench.run_until(lambda: bench.ap.position[0] > 80.0)
    start_m = bench.ap.position[0]
    assert bench.gcs.set_mode(Mode.BRAKE) == 0
    bench.run(8.0)
    assert bench.ap.body.ground_speed_mps < 0.05
    assert bench.ap.position[0] - start_m < 20.0


def test_loiter_follows_the_sticks_and_holds_when_they_are_centred() -> None:
    bench = Bench()
    bench.hover()
    sticks(bench, 1500, 1500, 1500, 1500)
    assert bench.gcs.set_mode(Mode.LOITER) == 0
    bench.run(1.0)
    for _ in range(4):
        sticks(bench, 1500, 1250, 1500, 1500)  # half forward, nose north
        bench.run(1.0)
    assert bench.ap.body.v_north_mps == pytest.approx(6.25, abs=0.7)
    for _ in range(8):
        sticks(bench, 1500, 1500, 1500, 1500)
        bench.run(1.0)
    assert bench.ap.body.ground_speed_mps < 0.1


def test_yaw_follows_its_stick_at_the_pilots_rate() -> None:
    bench = Bench(PILOT_Y_RATE=40)
    bench.hover()
    bench.gcs.set_mode(Mode.LOITER)
    for _ in range(3):
        sticks(bench, 1500, 1500, 1500, 2000)
        bench.run(1.0)
    assert math.degrees(bench.ap.body.yaw_rate_rad_s) == pytest.approx(40.0, rel=0.3)


def test_a_low_throttle_in_loiter_descends_as_on_the_real_one() -> None:
    """The real SITL's throttle stick lies at its lower end: a well-known trap."""
    bench = Bench()
    bench.hover()
    bench.gcs.set_mode(Mode.LOITER)
    bench.run(4.0)
    assert bench.ap.body.v_up_mps < -2.0


def test_an_override_lapses_and_the_pilots_own_sticks_count_again() -> None:
    bench = Bench()
    bench.hover()
    bench.ap.rc.sticks_us[2] = 1500.0
    bench.gcs.set_mode(Mode.LOITER)
    sticks(bench, 0, 0, 1900, 0)
    bench.run(2.0)
    assert bench.ap.body.v_up_mps > 1.0
    bench.run(4.0)
    assert abs(bench.ap.body.v_up_mps) < 0.1


def test_a_joystick_flies_through_manual_control() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.set_mode(Mode.LOITER)
    for _ in range(3):
        bench.gcs.send(mav.MAVLink_manual_control_message(1, 1000, 0, 500, 0, 0))
        bench.run(1.0)
    assert bench.ap.body.v_north_mps > 5.0


def test_alt_hold_keeps_the_height_and_lets_the_wind_have_the_rest() -> None:
    bench = Bench(SIM_WIND_SPD=5, SIM_WIND_DIR=270)
    bench.hover()
    bench.ap.rc.sticks_us[2] = 1500.0
    bench.gcs.set_mode(Mode.ALT_HOLD)
    bench.run(20.0)
    assert bench.ap.height_m() == pytest.approx(20.0, abs=1.0)
    assert bench.ap.position[0] > 20.0


def test_the_landed_state_follows_the_flight() -> None:
    bench = Bench()

    def landed_state() -> int:
        state = mav.MAVLINK_MSG_ID_EXTENDED_SYS_STATE
        bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, state)
        return int(bench.gcs.last("EXTENDED_SYS_STATE").landed_state)

    assert landed_state() == 1
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    bench.gcs.command(mav.MAV_CMD_NAV_TAKEOFF, *(0,) * 6, 20)
    bench.run(3.0)
    assert landed_state() == 3
    bench.run(15.0)
    assert landed_state() == 2
    bench.gcs.set_mode(Mode.LAND)
    bench.run(3.0)
    assert landed_state() == 4
    bench.run_until(lambda: not bench.ap.armed)
    assert landed_state() == 1


def test_a_mission_flown_again_starts_from_the_beginning() -> None:
    bench = Bench()
    mission = [HOME_ITEM, TAKE_OFF_20, at(20, 0, 20), RETURN]
    bench.fly_mission(mission)
    bench.gcs.clear()
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    bench.gcs.command(mav.MAV_CMD_MISSION_START)
    bench.run_until(lambda: not bench.ap.armed)
    assert [m.seq for m in bench.gcs.of("MISSION_ITEM_REACHED")] == [1, 2, 3]
