"""What happens when something fails: times, words and modes of a real ArduCopter."""

from __future__ import annotations

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.items import Cmd, Frame
from sitl.modes import Mode
from tests.sitl.bench import HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at

LONG_WAY = [HOME_ITEM, TAKE_OFF_20, at(250, 0, 20), at(250, 50, 20), RETURN]
FENCE_STATUS = mav.MAVLINK_MSG_ID_FENCE_STATUS


def keep_talking(bench: Bench, seconds: float) -> None:
    for _ in range(int(seconds)):
        bench.gcs.heartbeat()
        bench.run(1.0)


def test_by_default_a_lost_station_changes_nothing() -> None:
    bench = Bench()
    bench.gcs.heartbeat()
    bench.start_mission(LONG_WAY)
    bench.run(30.0)
    assert bench.ap.mode is Mode.AUTO
    assert "GCS Failsafe" not in bench.gcs.texts()


def test_a_lost_station_returns_after_4_9_s_and_stays_returning() -> None:
    bench = Bench(FS_GCS_ENABLE=1)
    bench.start_mission(LONG_WAY)
    keep_talking(bench, 15.0)
    assert bench.ap.mode is Mode.AUTO
    bench.gcs.heartbeat()
    waited_s = bench.run_until(lambda: bench.ap.mode is Mode.RTL)
    assert waited_s == pytest.approx(4.9, abs=0.15)
    assert "GCS Failsafe" in bench.gcs.texts()
    assert bench.gcs.last("HEARTBEAT") is not None
    keep_talking(bench, 3.0)
    assert bench.ap.mode is Mode.RTL
    assert "GCS Failsafe Cleared" in bench.gcs.texts()
    assert bench.gcs.set_mode(Mode.GUIDED) == 0


def test_the_vehicle_calls_itself_critical_during_a_failsafe() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.heartbeat()
    bench.gcs.set_param("FS_GCS_ENABLE", 1)
    bench.run(6.5)
    assert bench.gcs.last("HEARTBEAT").system_status == mav.MAV_STATE_CRITICAL


def test_heartbeats_of_another_system_do_not_count() -> None:
    bench = Bench(FS_GCS_ENABLE=1)
    other = bench.join(254)
    bench.gcs.heartbeat()
    bench.start_mission(LONG_WAY)
    for _ in range(8):
        other.heartbeat()
        bench.run(1.0)
    assert bench.ap.mode is Mode.RTL


def test_a_station_that_was_never_heard_cannot_be_lost() -> None:
    bench = Bench(FS_GCS_ENABLE=1)
    bench.start_mission(LONG_WAY)
    bench.run(30.0)
    assert bench.ap.mode is Mode.AUTO


def test_the_time_allowed_is_a_parameter() -> None:
    bench = Bench(FS_GCS_ENABLE=1, FS_GCS_TIMEOUT=20)
    bench.gcs.heartbeat()
    bench.start_mission(LONG_WAY)
    assert bench.run_until(lambda: bench.ap.mode is Mode.RTL) == pytest.approx(19.9, abs=0.3)


@pytest.mark.parametrize(
    ("action", "mode"), [(1, Mode.RTL), (3, Mode.SMART_RTL), (4, Mode.SMART_RTL), (5, Mode.LAND)]
)
def test_each_station_failsafe_has_its_mode(action: int, mode: Mode) -> None:
    bench = Bench(FS_GCS_ENABLE=action)
    bench.gcs.heartbeat()
    bench.start_mission(LONG_WAY)
    bench.run(20.0)
    assert bench.ap.mode is mode


def test_options_let_a_mission_or_a_pilot_go_on() -> None:
    mission = Bench(FS_GCS_ENABLE=1, FS_OPTIONS=2)
    mission.gcs.heartbeat()
    mission.start_mission(LONG_WAY)
    mission.run(20.0)
    assert mission.ap.mode is Mode.AUTO
    pilot = Bench()
    pilot.hover()
    pilot.ap.rc.sticks_us[2] = 1500.0
    pilot.gcs.set_mode(Mode.LOITER)
    pilot.gcs.heartbeat()
    pilot.gcs.set_param("FS_GCS_ENABLE", 1)
    pilot.run(20.0)
    assert pilot.ap.mode is Mode.LOITER


def test_a_station_lost_on_the_ground_stops_the_motors() -> None:
    bench = Bench(FS_GCS_ENABLE=1)
    bench.gcs.heartbeat()
    bench.gcs.set_mode(Mode.GUIDED)
    bench.gcs.command(mav.MAV_CMD_COMPONENT_ARM_DISARM, 1)
    assert bench.run_until(lambda: not bench.ap.armed) < 5.5


def test_by_default_a_low_battery_is_only_told() -> None:
    bench = Bench(BATT_LOW_VOLT=11)
    bench.hover()
    bench.gcs.set_param("SIM_BATT_VOLTAGE", 10.6)
    bench.run(15.0)
    assert bench.ap.mode is Mode.GUIDED
    assert any(text.startswith("Battery 1 is low 10.") for text in bench.gcs.texts())


def test_a_low_battery_returns_when_told_to() -> None:
    bench = Bench(BATT_LOW_VOLT=11, BATT_LOW_TIMER=3, BATT_FS_LOW_ACT=2)
    bench.hover()
    bench.gcs.set_param("SIM_BATT_VOLTAGE", 10.6)
    waited_s = bench.run_until(lambda: bench.ap.mode is Mode.RTL)
    assert waited_s == pytest.approx(3.2, abs=0.3)
    assert "Battery Failsafe" in bench.gcs.texts()
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_SYS_STATUS)
    assert not bench.gcs.last("SYS_STATUS").onboard_control_sensors_health & (1 << 25)


def test_an_empty_battery_lands_when_critical_and_low_are_set() -> None:
    bench = Bench(
        BATT_CAPACITY=1000, BATT_LOW_MAH=800, BATT_CRT_MAH=700, BATT_FS_LOW_ACT=0,
        BATT_FS_CRT_ACT=1,
    )  # fmt: skip
    bench.hover()
    bench.run_until(lambda: bench.ap.mode is Mode.LAND)
    left_mah = 1000 - bench.ap.battery.used_mah
    assert left_mah == pytest.approx(700, abs=5)


def test_a_lost_gps_lands_after_8_s_and_drifts_with_the_wind() -> None:
    bench = Bench(SIM_WIND_SPD=5, SIM_WIND_DIR=270)
    bench.hover()
    before = bench.ap.body.east_m
    bench.gcs.set_param("SIM_GPS1_ENABLE", 0)
    waited_s = bench.run_until(lambda: bench.ap.mode is Mode.LAND)
    assert waited_s == pytest.approx(8.0, abs=0.2)
    assert bench.gcs.texts()[-2:] == ["EKF variance", "EKF Failsafe: changed to LAND Mode"]
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_EKF_STATUS_REPORT)
    assert bench.gcs.last("EKF_STATUS_REPORT").flags == 37
    assert bench.gcs.set_mode(Mode.GUIDED) == 4
    assert "Mode change to GUIDED failed: requires position" in bench.gcs.texts()
    bench.run_until(lambda: not bench.ap.armed)
    assert bench.ap.body.east_m > before + 20.0


def test_a_gps_that_returns_clears_the_failsafe_and_not_the_mode() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.set_param("SIM_GPS1_ENABLE", 0)
    bench.run_until(lambda: bench.ap.mode is Mode.LAND)
    bench.gcs.set_param("SIM_GPS1_ENABLE", 1)
    bench.run(2.0)
    assert "EKF Failsafe Cleared" in bench.gcs.texts()
    assert bench.ap.mode is Mode.LAND
    assert bench.gcs.set_mode(Mode.GUIDED) == 0


def test_a_short_outage_of_the_gps_goes_unnoticed() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.set_param("SIM_GPS1_ENABLE", 0)
    bench.run(5.0)
    bench.gcs.set_param("SIM_GPS1_ENABLE", 1)
    bench.run(10.0)
    assert bench.ap.mode is Mode.GUIDED
    assert "EKF variance" not in bench.gcs.texts()


def test_a_lost_transmitter_returns_after_a_second() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.set_param("SIM_RC_FAIL", 1)
    assert bench.run_until(lambda: bench.ap.mode is Mode.RTL) == pytest.approx(1.1, abs=0.2)
    assert "Radio Failsafe" in bench.gcs.texts()


def test_without_the_parameter_a_fence_protects_nothing() -> None:
    bench = Bench(FENCE_RADIUS=50)
    bench.fly_mission([HOME_ITEM, TAKE_OFF_20, at(80, 0, 20), RETURN])
    assert not any("breached" in text for text in bench.gcs.texts())


def test_crossing_the_circle_returns_and_is_cleared_inside() -> None:
    bench = Bench(FENCE_ENABLE=1, FENCE_RADIUS=50)
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(120, 0, 20), RETURN])
    bench.run_until(lambda: bench.ap.mode is Mode.RTL)
    assert bench.ap.position[0] == pytest.approx(50.0, abs=1.5)
    assert "Circle fence breached" in bench.gcs.texts()
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, FENCE_STATUS)
    status = bench.gcs.last("FENCE_STATUS")
    assert (status.breach_status, status.breach_count, status.breach_type) == (1, 1, 3)
    bench.run_until(lambda: "Fence breach cleared" in bench.gcs.texts())
    bench.run_until(lambda: not bench.ap.armed)


def test_taking_over_during_a_breach_is_accepted_and_told() -> None:
    bench = Bench(FENCE_ENABLE=1, FENCE_RADIUS=50)
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(120, 0, 20), RETURN])
    bench.run_until(lambda: bench.ap.mode is Mode.RTL)
    assert bench.gcs.set_mode(Mode.GUIDED) == 0
    bench.run(0.1)
    assert "Manual recovery started" in bench.gcs.texts()
    bench.run(5.0)
    assert bench.ap.mode is Mode.GUIDED


def test_the_ceiling_and_uploaded_zones_are_fences_too() -> None:
    ceiling = Bench(FENCE_ENABLE=1, FENCE_ALT_MAX=30)
    ceiling.start_mission([HOME_ITEM, TAKE_OFF_20, at(0, 10, 60), RETURN])
    ceiling.run_until(lambda: ceiling.ap.mode is Mode.RTL)
    assert "Max Alt fence breached" in ceiling.gcs.texts()

    zone = Bench(FENCE_ENABLE=1)
    circle = at(60, 0, 0, Cmd.FENCE_CIRCLE_EXCLUSION, param1=15.0, frame=Frame.GLOBAL)
    assert zone.gcs.upload([circle], kind=1) == 0
    zone.start_mission([HOME_ITEM, TAKE_OFF_20, at(120, 0, 20), RETURN])
    zone.run_until(lambda: zone.ap.mode is Mode.RTL)
    assert zone.ap.position[0] == pytest.approx(45.0, abs=1.5)
    assert "Polygon fence breached" in zone.gcs.texts()


@pytest.mark.parametrize(
    ("action", "mode"), [(0, Mode.AUTO), (2, Mode.LAND), (3, Mode.SMART_RTL), (4, Mode.BRAKE)]
)
def test_each_fence_action_has_its_mode(action: int, mode: Mode) -> None:
    bench = Bench(FENCE_ENABLE=1, FENCE_RADIUS=50, FENCE_ACTION=action)
    bench.start_mission([HOME_ITEM, TAKE_OFF_20, at(120, 0, 20), RETURN])
    bench.run_until(lambda: bench.ap.fence.breach_count > 0)
    bench.run(0.5)
    assert bench.ap.mode is mode
