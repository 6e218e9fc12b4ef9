"""Commands and messages are acknowledged as measured, repeated ones too."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mav

from sitl.modes import Mode
from sitl.params import DEFAULTS
from tests.sitl.bench import HOME, HOME_ITEM, RETURN, TAKE_OFF_20, Bench, at

ATTITUDE, POSITION = mav.MAVLINK_MSG_ID_ATTITUDE, mav.MAVLINK_MSG_ID_GLOBAL_POSITION_INT


def test_nothing_streams_until_it_is_asked_for() -> None:
    bench = Bench()
    bench.gcs.clear()
    bench.run(10.0)
    kinds = {message.get_type() for message in bench.gcs.received}
    assert kinds <= {"HEARTBEAT", "TIMESYNC", "STATUSTEXT"}
    assert len(bench.gcs.of("HEARTBEAT")) == 10


@pytest.mark.parametrize("rate_hz", [1.0, 2.0, 5.0, 10.0])
def test_a_message_comes_at_the_interval_that_was_set(rate_hz: float) -> None:
    bench = Bench()
    assert bench.gcs.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, ATTITUDE, 1e6 / rate_hz) == 0
    bench.gcs.clear()
    bench.run(20.0)
    assert len(bench.gcs.of("ATTITUDE")) == pytest.approx(20 * rate_hz, abs=2)


def test_attitude_comes_at_50_hz_in_flight() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, ATTITUDE, 20_000)
    bench.gcs.clear()
    bench.run(4.0)
    assert len(bench.gcs.of("ATTITUDE")) == pytest.approx(200, abs=3)


def test_a_stream_can_be_asked_after_and_stopped() -> None:
    bench = Bench()
    bench.gcs.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, ATTITUDE, 100_000)
    bench.gcs.command(mav.MAV_CMD_GET_MESSAGE_INTERVAL, ATTITUDE)
    assert bench.gcs.last("MESSAGE_INTERVAL").interval_us == 100_000
    bench.gcs.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, ATTITUDE, -1)
    bench.gcs.clear()
    bench.run(3.0)
    assert not bench.gcs.of("ATTITUDE")


def test_each_station_has_rates_of_its_own() -> None:
    bench = Bench()
    other = bench.join(254)
    other.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, ATTITUDE, 200_000)
    bench.gcs.clear()
    bench.run(5.0)
    assert len(other.of("ATTITUDE")) == pytest.approx(25, abs=2)
    assert not bench.gcs.of("ATTITUDE")


def test_the_legacy_streams_bring_their_groups() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_request_data_stream_message(1, 1, 0, 4, 1))
    bench.gcs.clear()
    bench.run(5.0)
    for kind in ("ATTITUDE", "GLOBAL_POSITION_INT", "SYS_STATUS", "GPS_RAW_INT", "VFR_HUD"):
        assert len(bench.gcs.of(kind)) == pytest.approx(20, abs=2)
    assert not bench.gcs.of("FENCE_STATUS")  # only while the fence is on
    bench.gcs.send(mav.MAVLink_request_data_stream_message(1, 1, 0, 0, 0))
    bench.gcs.clear()
    bench.run(3.0)
    assert not bench.gcs.of("ATTITUDE")


def test_unknown_things_are_answered_as_measured() -> None:
    bench = Bench()
    assert bench.gcs.command(mav.MAV_CMD_SET_MESSAGE_INTERVAL, 60_000, 1e6) == 2
    bench.run(0.1)
    assert "No ap_message for mavlink id (60000)" in bench.gcs.texts()
    assert bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, 60_000) == 4
    assert bench.gcs.command(31_999) == 3


def test_a_retransmitted_command_is_acknowledged_every_time() -> None:
    bench = Bench()
    bench.hover()
    assert [bench.gcs.command(mav.MAV_CMD_DO_CHANGE_SPEED, 1, 5) for _ in range(3)] == [0, 0, 0]


def test_take_off_works_only_armed_on_the_ground_in_guided() -> None:
    bench = Bench()
    bench.gcs.set_mode(Mode.GUIDED)
    assert bench.gcs.command(mav.MAV_CMD_NAV_TAKEOFF, *(0,) * 6, 10) == 4
    bench.hover()
    assert bench.gcs.command(mav.MAV_CMD_NAV_TAKEOFF, *(0,) * 6, 10) == 4


def test_an_unknown_mode_and_an_unarmable_command_fail() -> None:
    bench = Bench()
    assert bench.gcs.command(mav.MAV_CMD_DO_SET_MODE, 1, 99) == 4
    bench.run(0.1)
    assert "No such mode 99" in bench.gcs.texts()
    assert bench.gcs.command(mav.MAV_CMD_DO_SET_MODE, 0, 4) == 2


def test_the_old_set_mode_message_works_too() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_set_mode_message(1, 1, int(Mode.LOITER)))
    assert bench.ap.mode is Mode.LOITER


def test_any_system_may_change_the_mode() -> None:
    bench = Bench()
    assert bench.join(42).set_mode(Mode.BRAKE) == 0
    assert bench.ap.mode is Mode.BRAKE


def test_a_command_for_another_vehicle_or_component_is_not_answered() -> None:
    bench = Bench()
    bench.gcs.clear()
    bench.gcs.send(mav.MAVLink_command_long_message(2, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0))
    bench.gcs.send(mav.MAVLink_command_long_message(1, 154, 400, 0, 1, 0, 0, 0, 0, 0, 0))
    assert not bench.gcs.received
    assert not bench.ap.armed


def test_repositioning_flies_there_and_refuses_what_lies_beyond_the_fence() -> None:
    bench = Bench(FENCE_ENABLE=1, FENCE_RADIUS=100)
    bench.hover()
    lat_deg, lon_deg = HOME.degrees(40.0, 30.0)
    where = (round(lat_deg * 1e7), round(lon_deg * 1e7), 25.0)
    reposition = mav.MAV_CMD_DO_REPOSITION
    assert bench.gcs.command_int(reposition, 6, (-1, 1, 0, 0), where) == 0
    bench.run(20.0)
    assert bench.ap.position == pytest.approx((40.0, 30.0, 25.0), abs=0.5)
    bench.gcs.clear()
    lat_deg, lon_deg = HOME.degrees(140.0, 0.0)
    where = (round(lat_deg * 1e7), round(lon_deg * 1e7), 25.0)
    assert bench.gcs.command_int(reposition, 6, (-1, 1, 0, 0), where) == 4
    assert not bench.gcs.texts()


def test_repositioning_in_another_mode_needs_the_flag() -> None:
    bench = Bench()
    bench.hover()
    bench.gcs.set_mode(Mode.BRAKE)
    where = (HOME_ITEM.x, HOME_ITEM.y, 25.0)
    assert bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 0, 0, 0), where) == 2
    assert bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 1, 0, 0), where) == 0
    assert bench.ap.mode is Mode.GUIDED


def test_the_mission_can_be_set_paused_and_continued() -> None:
    bench = Bench()
    way = [HOME_ITEM, TAKE_OFF_20] + [at(30.0 * n, 0, 20) for n in range(1, 6)] + [RETURN]
    bench.start_mission(way)
    bench.run_until(lambda: bench.ap.mission_run.current == 2)
    assert bench.gcs.command(mav.MAV_CMD_DO_SET_MISSION_CURRENT, 5) == 0
    assert bench.gcs.last("MISSION_CURRENT").seq == 5
    assert bench.gcs.command(mav.MAV_CMD_DO_SET_MISSION_CURRENT, 99) == 2
    bench.run(3.0)
    assert bench.gcs.command(mav.MAV_CMD_DO_PAUSE_CONTINUE, 0) == 0
    bench.run(8.0)
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_MISSION_CURRENT)
    current = bench.gcs.last("MISSION_CURRENT")
    assert (current.seq, current.total, current.mission_state) == (5, 7, 4)
    assert bench.ap.body.ground_speed_mps < 0.1
    assert bench.gcs.command(mav.MAV_CMD_DO_PAUSE_CONTINUE, 1) == 0
    bench.run_until(lambda: not bench.ap.armed)


def test_guided_pauses_and_continues_towards_its_target() -> None:
    bench = Bench()
    bench.hover()
    lat_deg, lon_deg = HOME.degrees(80.0, 0.0)
    where = (round(lat_deg * 1e7), round(lon_deg * 1e7), 20.0)
    bench.gcs.command_int(mav.MAV_CMD_DO_REPOSITION, 6, (-1, 1, 0, 0), where)
    bench.run(5.0)
    bench.gcs.command(mav.MAV_CMD_DO_PAUSE_CONTINUE, 0)
    bench.run(6.0)
    assert bench.ap.body.ground_speed_mps < 0.1
    assert bench.ap.position[0] < 60.0
    bench.gcs.command(mav.MAV_CMD_DO_PAUSE_CONTINUE, 1)
    bench.run(15.0)
    assert bench.ap.position[0] == pytest.approx(80.0, abs=0.5)


def test_a_velocity_is_held_until_it_is_no_longer_repeated() -> None:
    bench = Bench()
    bench.hover()
    target = mav.MAVLink_set_position_target_local_ned_message(
        0, 1, 1, 1, 0x0DC7, 0, 0, 0, 0.0, 4.0, 0.0, 0, 0, 0, 0, 0
    )
    bench.gcs.send(target)
    bench.run(2.5)
    assert bench.ap.body.v_east_mps == pytest.approx(4.0, abs=0.4)
    bench.run(5.0)
    assert bench.ap.body.ground_speed_mps < 0.2


def test_the_clock_is_told_on_request() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_timesync_message(0, 123_456))
    answer = bench.gcs.last("TIMESYNC")
    assert answer.ts1 == 123_456
    assert answer.tc1 == pytest.approx(bench.ap.t_s * 1e9, abs=1e6)


def test_the_version_tells_what_can_be_done_and_which_vehicle_it_is() -> None:
    bench = Bench()
    bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, mav.MAVLINK_MSG_ID_AUTOPILOT_VERSION)
    version = bench.gcs.last("AUTOPILOT_VERSION")
    assert version.flight_sw_version == 0x4070000
    assert bytes(version.uid2).rstrip(b"\0") == b"DTSMA0000000001"
    assert version.capabilities & mav.MAV_PROTOCOL_CAPABILITY_MISSION_INT
    assert not version.capabilities & mav.MAV_PROTOCOL_CAPABILITY_FTP


def test_heights_are_told_above_geoid_ellipsoid_and_home() -> None:
    bench = Bench()
    bench.hover(30.0)
    for message_id in (POSITION, mav.MAVLINK_MSG_ID_GPS_RAW_INT):
        bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, message_id)
    position, gps = bench.gcs.last("GLOBAL_POSITION_INT"), bench.gcs.last("GPS_RAW_INT")
    assert position.relative_alt / 1000 == pytest.approx(30.0, abs=0.2)
    assert position.alt / 1000 == pytest.approx(100.0 + 30.0 - 43.6, abs=0.2)
    assert gps.alt_ellipsoid - gps.alt == pytest.approx(43_600, abs=2)
    assert gps.fix_type == mav.GPS_FIX_TYPE_RTK_FIXED


def test_every_message_that_can_be_asked_for_can_be_packed_at_any_time() -> None:
    from sitl.streams import BUILDERS

    for bench in (Bench(ready=False), Bench()):
        if bench.ap.t_s > 1.0:
            bench.hover()
        for message_id in BUILDERS:
            bench.gcs.command(mav.MAV_CMD_REQUEST_MESSAGE, message_id)
        asked = {message.get_msgId() for message in bench.gcs.received}
        missing = set(BUILDERS) - asked
        assert missing <= {mav.MAVLINK_MSG_ID_HOME_POSITION, mav.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN}


def test_the_log_list_is_empty() -> None:
    bench = Bench()
    bench.gcs.send(mav.MAVLink_log_request_list_message(1, 1, 0, 0xFFFF))
    assert bench.gcs.last("LOG_ENTRY").num_logs == 0


HANDLED = (
    mav.MAVLink_command_long_message,
    mav.MAVLink_command_int_message,
    mav.MAVLink_set_mode_message,
    mav.MAVLink_param_request_read_message,
    mav.MAVLink_param_set_message,
    mav.MAVLink_mission_count_message,
    mav.MAVLink_mission_write_partial_list_message,
    mav.MAVLink_mission_item_message,
    mav.MAVLink_mission_item_int_message,
    mav.MAVLink_mission_request_int_message,
    mav.MAVLink_mission_set_current_message,
    mav.MAVLink_request_data_stream_message,
    mav.MAVLink_rc_channels_override_message,
    mav.MAVLink_manual_control_message,
    mav.MAVLink_set_position_target_global_int_message,
    mav.MAVLink_set_position_target_local_ned_message,
    mav.MAVLink_timesync_message,
)
COMMANDS = (16, 20, 21, 22, 176, 177, 178, 179, 192, 193, 195, 201, 203, 205, 206, 207, 224, 300)
COMMANDS += (115, 400, 410, 510, 511, 512, 520, 1000, 2000, 2001, 42)


def mutant(kind: type, payload: bytes, command: int) -> object:
    """A message of a kind with arbitrary contents, addressed to the vehicle."""
    values = list(struct.unpack(kind.unpacker.format, payload))  # type: ignore[attr-defined]
    fields = [values[i] for i in kind.orders]  # type: ignore[attr-defined]
    message = kind(*fields)
    if hasattr(message, "param_id"):
        message.param_id = DEFAULTS[payload[0] % len(DEFAULTS)][0].encode()
    for name, value in (("target_system", 1), ("target_component", 1), ("command", command)):
        if hasattr(message, name):
            setattr(message, name, value)
    return message


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_message_breaks_a_flying_vehicle(data: st.DataObject) -> None:
    bench = FLYING[0] if FLYING else Bench()
    if not FLYING:
        bench.hover()
        FLYING.append(bench)
    kind = data.draw(st.sampled_from(HANDLED))
    size = kind.unpacker.size
    payload = data.draw(st.binary(min_size=size, max_size=size))
    bench.gcs.send(mutant(kind, payload, data.draw(st.sampled_from(COMMANDS))))
    bench.run(0.3)
    assert all(math.isfinite(value) for value in bench.ap.position)


FLYING: list[Bench] = []


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_noise_on_the_line_is_dropped(noise: bytes) -> None:
    bench = FLYING[0] if FLYING else Bench()
    bench.gcs.send_bytes(noise)
    bench.run(0.1)
