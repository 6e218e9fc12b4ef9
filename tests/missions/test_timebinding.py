"""A log's times stand to UTC as stated, by the best source that it holds."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mav

from droneteam.missions.record.dataflash import LoggedPhoto
from droneteam.missions.record.sortie import sortie_from_bytes
from droneteam.missions.record.timebinding import CalendarSample, SyncSample, bind_time
from tests.missions.test_record import START, Vehicle

ZERO_S = 1_790_000_000.0
ZERO = datetime.fromtimestamp(ZERO_S, UTC)


def calendar(n: int = 20, late_s: float = 0.0) -> list[CalendarSample]:
    return [CalendarSample(ZERO_S + t + late_s, t, ZERO_S + t + 0.05) for t in range(n)]


@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_the_true_zero_lies_within_the_uncertainty_of_every_source(
    seed: int, out_s: float, back_s: float
) -> None:
    rng = random.Random(seed)
    syncs = [
        SyncSample(t, ZERO_S + t - out_s * rng.random(), ZERO_S + t + back_s * rng.random())
        for t in range(1, 20)
    ]
    receipts = [ZERO_S + 0.01 + back_s * rng.random() for _ in range(20)]
    late = [CalendarSample(ZERO_S + t + 0.2 * rng.random(), t, ZERO_S + t) for t in range(20)]
    for samples, source in (
        ((late, syncs, receipts), "calendar"),
        (([], syncs, receipts), "timesync"),
        (([], [], receipts), "receipt"),
    ):
        found = bind_time(*samples)  # type: ignore[arg-type]
        assert found is not None
        assert found.source == source
        error_s = abs((found.zero_at - ZERO).total_seconds())
        assert error_s <= found.uncertainty_s <= 3.5


def test_nothing_known_is_no_tie() -> None:
    assert bind_time([], [], []) is None


def test_the_grounds_clock_is_compared_where_both_are_known() -> None:
    wrong_by_s = 7.0
    syncs = [SyncSample(5.0, ZERO_S + 5.0 - wrong_by_s - 0.01, ZERO_S + 5.0 - wrong_by_s + 0.01)]
    found = bind_time(calendar(), syncs, [])
    assert found is not None
    assert found.ground_offset_s == pytest.approx(wrong_by_s, abs=0.001)
    assert found.ground_uncertainty_s == pytest.approx(0.011, abs=0.001)


def test_an_answer_to_another_stations_clock_is_left_out() -> None:
    assert bind_time([], [SyncSample(5.0, 12.0, ZERO_S)], []) is None


def test_a_jump_of_the_calendar_is_named_and_what_came_after_counts() -> None:
    samples = [
        CalendarSample(ZERO_S + t + (100.0 if t < 5 else 0.0), t, ZERO_S + t) for t in range(20)
    ]
    found = bind_time(samples, [], [])
    assert found is not None
    assert [(round((at - ZERO).total_seconds()), jump) for at, jump in found.jumps] == [(5, -100.0)]
    assert abs((found.zero_at - ZERO).total_seconds()) < 0.01


def record(raw: bytes, at: datetime) -> bytes:
    return int(at.timestamp() * 1e6).to_bytes(8, "big") + raw


def a_log(*, jump_s: float = 0.0, own_clock: bool = False) -> bytes:
    """Twenty seconds with two photos, the calendar jumping half way."""
    vehicle, log = Vehicle(1), b""
    for second in range(20):
        at = START + timedelta(seconds=second)
        log += record(vehicle.heartbeat(3), at)
        unix_s = START.timestamp() + second + (jump_s if second >= 10 else 0.0)
        told = mav.MAVLink_system_time_message(int(unix_s * 1e6), second * 1000)
        log += record(vehicle.pack(told), at)
        log += record(vehicle.position(float(second), 5.0), at)
        if second in (4, 8):
            stamp_s = second if own_clock else START.timestamp() + second
            photo = mav.MAVLink_camera_feedback_message(
                int(stamp_s * 1e6), 0, 0, second, 508000000, 43000000, 60.0, 5.0, 0.0, 0.0, 0.0,
                0.0, 0, 0,
            )  # fmt: skip
            log += record(vehicle.pack(photo), at)
    return log


def logged(index: int, second: float) -> LoggedPhoto:
    at = START + timedelta(seconds=second)
    return LoggedPhoto(index, at, 50.8, 4.3, 60.0, 5.0, 0.0, 0.0, 90.0)


def test_a_sorties_log_is_bound_and_its_jumps_are_events() -> None:
    quiet = sortie_from_bytes(a_log())
    assert quiet.time is not None
    assert quiet.time.zero_at == START
    assert not [event for event in quiet.events if event.kind == "clock"]
    loud = sortie_from_bytes(a_log(jump_s=-3600.0))
    assert [event.detail for event in loud.events if event.kind == "clock"] == [
        "the vehicle's calendar jumped by -3600.000 s"
    ]


def test_photos_stamped_with_the_vehicles_own_clock_get_their_calendar_time() -> None:
    stamped = sortie_from_bytes(a_log(own_clock=True)).triggers
    assert [trigger.at for trigger in stamped] == [
        START + timedelta(seconds=4),
        START + timedelta(seconds=8),
    ]


def test_photos_that_the_link_lost_come_from_the_onboard_log_once_and_in_order() -> None:
    photos = [logged(4, 4.0), logged(5, 5.0), logged(8, 8.0), logged(99, 5000.0)]
    log = sortie_from_bytes(a_log(), photos=photos)
    assert [trigger.index for trigger in log.triggers] == [4, 5, 8]
    assert log.note == "1 photos are known from the onboard log only"
    assert log.complete
