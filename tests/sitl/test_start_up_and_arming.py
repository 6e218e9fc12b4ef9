"""From power-on to turning motors: times, bits and words of a real ArduCopter."""

from __future__ import annotations

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.modes import Mode
from tests.sitl.bench import HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at

ARM = mav.MAV_CMD_COMPONENT_ARM_DISARM
FORCE = 21196


def ask(bench: Bench, message_id: int, name: str) -> object:
    assert bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, message_id) == 0
    return bench.gcs.last(name)


def prearm_bit(bench: Bench) -> bool:
    status = ask(bench, mav.MAVLINK_MSG_ID_SYS_STATUS, "SYS_STATUS")
    return bool(status.onboard_control_sensors_health & (1 << 28))  # type: ignore[attr-defined]


def ekf_flags(bench: Bench) -> int:
    return int(ask(bench, mav.MAVLINK_MSG_ID_EKF_STATUS_REPORT, "EKF_STATUS_REPORT").flags)  # type: ignore[attr-defined]


def test_the_texts_of_the_start_come_in_order_and_in_time() -> None:
    bench = Bench()
    texts = bench.gcs.texts()
    expected = [
        "RCInput: decoding UDP (Pulses)",
        "Barometer 1 calibration complete",
        "ArduPilot Ready",
        "AHRS: EKF3 active",
        "EKF3 IMU0 tilt alignment complete",
        "EKF3 IMU0 MAG0 initial yaw alignment complete",
        "GPS 1: detected u-blox",
        "EKF3 IMU0 origin set",
        "Field Elevation Set: 56m",
        "EKF3 IMU0 is using GPS",
    ]
    places = [texts.index(text) for text in expected]
    assert places == sorted(places)


def test_the_filter_gains_its_position_at_41_seconds() -> None:
    bench = Bench(ready=False)
    seen = []
    for second in (3.6, 5.6, 6.1, 41.0, 41.5):
        bench.run(second - bench.ap.t_s)
        seen.append(ekf_flags(bench))
    assert seen == [1024, 0, 167, 167, 831]


def test_the_sensor_words_are_those_of_the_real_one() -> None:
    bench = Bench(ready=False)
    bench.run(3.0)
    status = ask(bench, mav.MAVLINK_MSG_ID_SYS_STATUS, "SYS_STATUS")
    assert status.onboard_control_sensors_present == 0x5371FC0F  # type: ignore[attr-defined]
    assert status.onboard_control_sensors_enabled == 0x52419C0F  # type: ignore[attr-defined]
    bench.run(21.0)
    status = ask(bench, mav.MAVLINK_MSG_ID_SYS_STATUS, "SYS_STATUS")
    assert status.onboard_control_sensors_present == 0x5371FC2F  # type: ignore[attr-defined]
    assert status.onboard_control_sensors_enabled == 0x52619C2F  # type: ignore[attr-defined]
    assert status.onboard_control_sensors_health == 0x57719C2F  # type: ignore[attr-defined]


def test_home_and_origin_are_told_once_they_are_known() -> None:
    bench = Bench(ready=False)
    bench.run(19.0)
    assert bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, 242) == 4
    assert not bench.gcs.of("HOME_POSITION")
    bench.run(1.5)
    home = bench.gcs.last("HOME_POSITION")
    assert (home.latitude, home.longitude) == (HOME_ITEM.x, HOME_ITEM.y)
    assert home.altitude == pytest.approx(56_400, abs=1)
    assert bench.gcs.of("GPS_GLOBAL_ORIGIN")


def test_the_prearm_bit_is_true_in_stabilize_long_before_guided_may_arm() -> None:
    bench = Bench(ready=False)
    bench.run(22.0)
    assert not prearm_bit(bench)
    bench.run(2.0)
    assert prearm_bit(bench)
    assert bench.gcs.set_mode(Mode.GUIDED) == 0
    assert not prearm_bit(bench)
    assert bench.gcs.command(ARM, 1) == 4
    assert "Arm: Need Position Estimate" in bench.gcs.texts()
    bench.run(18.0)
    assert prearm_bit(bench)
    assert bench.gcs.command(ARM, 1) == 0
    assert "Arming motors" in bench.gcs.texts()


def test_stabilize_may_arm_without_a_position() -> None:
    bench = Bench(ready=False)
    bench.run(24.0)
    assert bench.gcs.command(ARM, 1) == 0


def test_arming_by_force_skips_the_checks() -> None:
    bench = Bench(ready=False)
    bench.run(5.0)
    assert bench.gcs.command(ARM, 1) == 4
    assert bench.gcs.command(ARM, 1, FORCE) == 0


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.RTL, Mode.LAND, Mode.BRAKE, Mode.SMART_RTL])
def test_a_mode_that_does_not_arm_says_so(mode: Mode) -> None:
    bench = Bench()
    bench.gcs.set_mode(mode)
    assert bench.gcs.command(ARM, 1) == 4
    assert "Arm: Mode not armable" in bench.gcs.texts()


def test_auto_may_arm_when_the_option_allows_it() -> None:
    bench = Bench(AUTO_OPTIONS=1)
    bench.gcs.upload([HOME_ITEM, TAKE_OFF_20, at(20, 0, 20), RETURN])
    bench.gcs.set_mode(Mode.AUTO)
    assert bench.gcs.command(ARM, 1) == 0


def test_a_raised_throttle_keeps_loiter_from_arming() -> None:
    bench = Bench()
    bench.ap.rc.sticks_us[2] = 1800.0
    bench.gcs.set_mode(Mode.LOITER)
    assert bench.gcs.command(ARM, 1) == 4
    assert "Arm: Throttle too high" in bench.gcs.texts()


def test_failing_checks_are_repeated_every_half_minute() -> None:
    bench = Bench(BATT_ARM_VOLT=13.0)
    bench.run(90.0)
    told = bench.gcs.texts().count("PreArm: Battery 1 below minimum arming voltage")
    assert told == 4  # at 30, 60, 90 and 120 s


def test_a_place_outside_the_fence_is_no_place_to_arm() -> None:
    bench = Bench(FENCE_ENABLE=1)
    bench.gcs.set_mode(Mode.GUIDED)
    bench.ap.body.east_m = 400.0
    bench.run(1.0)
    assert bench.gcs.command(ARM, 1) == 4
    assert "Arm: vehicle outside Fence" in bench.gcs.texts()


def test_arming_again_and_disarming_again_are_accepted() -> None:
    bench = Bench()
    bench.gcs.set_mode(Mode.GUIDED)
    assert [bench.gcs.command(ARM, 1) for _ in range(2)] == [0, 0]
    assert [bench.gcs.command(ARM, 0) for _ in range(2)] == [0, 0]


def test_motors_left_alone_on_the_ground_stop_after_the_delay() -> None:
    bench = Bench()
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(ARM, 1)
    assert bench.run_until(lambda: not bench.ap.armed) == pytest.approx(10.0, abs=0.1)
    assert bench.gcs.texts()[-1] == "Disarming motors"


def test_a_delay_of_zero_leaves_the_motors_running() -> None:
    bench = Bench(DISARM_DELAY=0)
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(ARM, 1)
    bench.run(60.0)
    assert bench.ap.armed


def test_the_motors_are_not_stopped_in_the_air_except_by_force() -> None:
    bench = Bench()
    bench.hover()
    assert bench.gcs.command(ARM, 0) == 4
    assert bench.ap.armed
    assert bench.gcs.command(ARM, 0, FORCE) == 0
    fell_s = bench.run_until(lambda: bench.ap.body.on_ground)
    assert 1.5 < fell_s < 3.0


def test_arming_moves_home_to_where_the_vehicle_stands() -> None:
    bench = Bench()
    bench.ap.body.east_m = 30.0
    bench.run(0.5)
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(ARM, 1)
    assert bench.gcs.last("HOME_POSITION").longitude == at(30, 0, 0).y
