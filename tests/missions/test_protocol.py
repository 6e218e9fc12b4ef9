"""The handshakes end, and end truthfully, whatever the link does."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.items import (
    Frame,
    MissionCommand,
    MissionType,
    WireItem,
    differences,
    stored_form,
)
from droneteam.missions.mavlink import calls, protocol
from droneteam.missions.mavlink.handshake import Done, Failed, Timing
from droneteam.missions.mavlink.messages import (
    CommandAck,
    CommandLong,
    MissionAck,
    MissionClear,
    MissionRequest,
)
from tests.missions.fake_vehicle import BadLink, FakeVehicle, converse

TIMING = Timing()


def waypoints(count: int, alt_home_m: float = 20.0) -> tuple[WireItem, ...]:
    return tuple(
        WireItem(
            seq,
            Frame.GLOBAL_RELATIVE,
            MissionCommand.WAYPOINT,
            (0.0, 0.0, 0.0, 0.0),
            50.0 + seq * 1e-4,
            4.0,
            alt_home_m,
        )
        for seq in range(count)
    )


def upload(
    items: tuple[WireItem, ...], vehicle: FakeVehicle, link: BadLink, timing: Timing = TIMING
) -> tuple[protocol.Upload, float]:
    state, sends = protocol.start_upload(items, timing, 0.0)
    return converse(state, sends, protocol.upload_step, vehicle, link, tick_s=0.05)


links = st.builds(
    BadLink,
    loss=st.sampled_from([0.0, 0.1, 0.2, 0.3]),
    duplicate=st.sampled_from([0.0, 0.1, 0.5]),
    delay_s=st.sampled_from([0.001, 0.05, 0.5]),
    jitter_s=st.sampled_from([0.0, 0.2, 2.0]),
    seed=st.integers(0, 2**32),
)


@settings(max_examples=400, deadline=None)
@given(link=links, old=st.integers(0, 14), new=st.integers(1, 12))
def test_an_upload_reported_done_is_on_the_vehicle_and_a_failed_one_is_reported_corrupt(
    link: BadLink, old: int, new: int
) -> None:
    vehicle = FakeVehicle()
    vehicle.lists[MissionType.MISSION] = list(waypoints(old, alt_home_m=99.0))
    items = waypoints(new)
    state, _ = upload(items, vehicle, link)
    stored = vehicle.lists[MissionType.MISSION]
    if isinstance(state.outcome, Done):
        assert [stored_form(item) for item in stored] == [stored_form(item) for item in items]
    else:
        assert state.corrupt
        assert state.outcome is not None
        assert state.outcome.name in {"upload-timeout", "download-timeout"}


@pytest.mark.parametrize(("loss", "limit_s"), [(0.1, 20.0), (0.2, 30.0), (0.3, 60.0)])
def test_fifty_items_at_100_ms_round_trip_survive_loss_nine_times_in_ten_within_the_limit(
    loss: float, limit_s: float
) -> None:
    took = []
    for seed in range(20):
        vehicle = FakeVehicle()
        state, seconds = upload(waypoints(50), vehicle, BadLink(loss=loss, seed=seed))
        assert isinstance(state.outcome, Done)
        took.append(seconds)
    assert sorted(took)[17] <= limit_s
    assert min(took) >= 5.0  # fifty requests, one at a time: faster would mean a broken clock


def test_a_perfect_link_takes_one_round_trip_per_item_and_a_windowed_read_back() -> None:
    state, seconds = upload(waypoints(50), FakeVehicle(), BadLink())
    assert isinstance(state.outcome, Done)
    assert 50 * 0.1 <= seconds <= 50 * 0.1 + 50 / 8 * 0.1 + 0.5


def test_a_link_cut_in_mid_upload_leaves_a_mixture_and_says_so() -> None:
    vehicle = FakeVehicle()
    vehicle.lists[MissionType.MISSION] = list(waypoints(10, alt_home_m=99.0))
    state, seconds = upload(waypoints(12), vehicle, BadLink(cut_s=(0.55, 1e9)))
    altitudes = {item.z for item in vehicle.lists[MissionType.MISSION]}
    assert altitudes == {20.0, 99.0}
    assert isinstance(state.outcome, Failed)
    assert state.outcome.name == "upload-timeout"
    assert state.corrupt
    assert seconds <= TIMING.deadline_s + 1.0


def test_a_link_that_comes_back_after_the_vehicle_gave_up_starts_over_and_completes() -> None:
    vehicle = FakeVehicle()
    state, _ = upload(waypoints(12), vehicle, BadLink(cut_s=(0.55, 15.0)))
    assert isinstance(state.outcome, Done)
    assert state.restarts >= 1
    assert len(vehicle.lists[MissionType.MISSION]) == 12


def test_a_lost_final_acknowledgement_is_settled_by_reading_back() -> None:
    items = waypoints(3)
    state, _ = protocol.start_upload(items, TIMING, 0.0)
    for seq in range(3):
        state, _ = protocol.upload_step(state, MissionRequest(seq), 0.1 * seq)
    state, sends = protocol.upload_step(state, MissionAck(1), 1.0)
    assert state.phase == "verifying"
    assert sends


def test_an_item_that_the_vehicle_rejects_is_named_and_the_mission_is_corrupt() -> None:
    vehicle = FakeVehicle(reject_seq=37)
    state, _ = upload(waypoints(50), vehicle, BadLink())
    assert isinstance(state.outcome, Failed)
    assert state.outcome.name == "upload-rejected"
    assert "item 37" in state.outcome.detail
    assert "UNSUPPORTED (3)" in state.outcome.detail
    assert state.corrupt


def test_a_duplicate_acknowledgement_of_sequence_does_not_stop_an_upload() -> None:
    state, _ = protocol.start_upload(waypoints(3), TIMING, 0.0)
    state, _ = protocol.upload_step(state, MissionRequest(0), 0.1)
    after, sends = protocol.upload_step(state, MissionAck(13), 0.2)
    assert after.phase == "sending"
    assert sends == ()


def test_a_vehicle_without_space_just_after_boot_is_asked_again() -> None:
    state, _ = protocol.start_upload(waypoints(3), TIMING, 0.0)
    state, _ = protocol.upload_step(state, MissionAck(4), 0.1)
    assert state.outcome is None
    state, sends = protocol.upload_step(state, None, 1.6)
    assert sends


def test_an_empty_upload_is_refused() -> None:
    with pytest.raises(InputError, match="clear"):
        protocol.start_upload((), TIMING, 0.0)


def test_messages_about_another_list_are_not_mistaken_for_this_one() -> None:
    state, _ = protocol.start_upload(waypoints(3), TIMING, 0.0)
    for stray in (MissionRequest(0, MissionType.FENCE), MissionAck(3, MissionType.RALLY)):
        after, sends = protocol.upload_step(state, stray, 0.1)
        assert after == state
        assert sends == ()


@settings(max_examples=100, deadline=None)
@given(link=links, count=st.integers(0, 30))
def test_a_download_returns_what_is_stored_or_names_its_failure(link: BadLink, count: int) -> None:
    vehicle = FakeVehicle()
    vehicle.lists[MissionType.MISSION] = list(waypoints(count))
    state, sends = protocol.start_download(MissionType.MISSION, TIMING, 0.0)
    state, _ = converse(state, sends, protocol.download_step, vehicle, link)
    if isinstance(state.outcome, Done):
        assert list(state.outcome.items) == vehicle.lists[MissionType.MISSION]
    else:
        assert state.outcome == Failed("download-timeout", state.outcome.detail)


def test_a_silent_vehicle_fails_every_handshake_at_its_deadline() -> None:
    dead = BadLink(loss=1.0)
    state, sends = protocol.start_download(MissionType.MISSION, TIMING, 0.0)
    state, seconds = converse(state, sends, protocol.download_step, FakeVehicle(), dead)
    assert state.outcome == Failed("download-timeout", "no answer")
    assert seconds == pytest.approx(TIMING.deadline_s, abs=0.2)
    clear, sends = protocol.start_clear(MissionType.FENCE, TIMING, 0.0)
    clear, seconds = converse(clear, sends, protocol.clear_step, FakeVehicle(), dead)
    assert clear.outcome == Failed("clear-timeout", "no answer")
    assert seconds == pytest.approx(TIMING.command_deadline_s, abs=0.2)


@pytest.mark.parametrize("kind", list(MissionType))
def test_a_clear_empties_the_list_it_names_only(kind: MissionType) -> None:
    vehicle = FakeVehicle()
    for each in MissionType:
        vehicle.lists[each] = list(waypoints(2))
    state, sends = protocol.start_clear(kind, TIMING, 0.0)
    state, _ = converse(state, sends, protocol.clear_step, vehicle, BadLink(loss=0.3, seed=4))
    assert state.outcome == Done()
    assert {each for each in MissionType if not vehicle.lists[each]} == {kind}


def test_a_clear_refused_in_auto_says_so() -> None:
    state, _ = protocol.start_clear(MissionType.MISSION, TIMING, 0.0)
    state, _ = protocol.clear_step(state, MissionAck(1), 0.1)
    assert state.outcome == Failed("clear-refused", "ERROR (1)")


ARM = CommandLong(400, (1.0,))


def test_a_command_is_repeated_with_a_growing_confirmation_until_acknowledged() -> None:
    call, sends = calls.start_call(ARM, TIMING, 0.0)
    assert sends == (ARM,)
    call, sends = calls.call_step(call, None, 1.0)
    assert sends == (CommandLong(400, (1.0,), 1),)
    call, sends = calls.call_step(call, None, 2.0)
    assert sends == (CommandLong(400, (1.0,), 2),)
    call, _ = calls.call_step(call, CommandAck(400, 0), 2.1)
    assert call.outcome == Done()


def test_a_command_in_progress_is_not_repeated_and_may_take_longer_than_the_deadline() -> None:
    call, _ = calls.start_call(ARM, TIMING, 0.0)
    for second in range(1, 30):
        call, _ = calls.call_step(call, CommandAck(400, 5, second), float(second))
        call, sends = calls.call_step(call, None, second + 0.5)
        assert sends == ()
        assert call.outcome is None
    call, _ = calls.call_step(call, CommandAck(400, 0), 30.0)
    assert call.outcome == Done()


def test_a_command_that_stalls_in_progress_times_out() -> None:
    call, _ = calls.start_call(ARM, TIMING, 0.0)
    call, _ = calls.call_step(call, CommandAck(400, 5), 1.0)
    call, _ = calls.call_step(call, None, 11.0)
    assert call.outcome == Failed("command-timeout", "no answer")


def test_a_refused_command_names_the_result_and_ignores_other_commands() -> None:
    call, _ = calls.start_call(ARM, TIMING, 0.0)
    call, _ = calls.call_step(call, CommandAck(22, 0), 0.1)
    assert call.outcome is None
    call, _ = calls.call_step(call, CommandAck(400, 4), 0.2)
    assert call.outcome == Failed("command-refused", "FAILED (4)")


@settings(max_examples=60, deadline=None)
@given(link=links)
def test_a_command_gets_through_or_times_out(link: BadLink) -> None:
    call, sends = calls.start_call(ARM, TIMING, 0.0)
    call, seconds = converse(call, sends, calls.call_step, FakeVehicle(), link)
    assert isinstance(call.outcome, Done) or call.outcome.name == "command-timeout"
    assert seconds <= TIMING.command_deadline_s + 0.2


def test_scaled_timing_shrinks_the_vehicles_waits_and_keeps_a_floor_for_this_machine() -> None:
    fast = Timing.scaled(20.0)
    assert fast.announce_s == pytest.approx(0.075)
    assert fast.silence_s == 1.0
    assert fast.deadline_s == TIMING.deadline_s
    assert Timing.scaled(1.0) == Timing()
    with pytest.raises(InputError, match="time_scale"):
        Timing.scaled(float("nan"))


class Stubborn(FakeVehicle):
    """Says that it emptied the list and keeps it the first times."""

    refusals = 2

    def hear(self, message: object, now_s: float) -> list[object]:
        if isinstance(message, MissionClear) and self.refusals:
            self.refusals -= 1
            return [MissionAck(0, message.mission_type)]
        return super().hear(message, now_s)


def held_points(vehicle: FakeVehicle) -> None:
    vehicle.lists[MissionType.RALLY] = [
        WireItem(n, 3, 5100, (0.0,) * 4, 50.0 + n, 4.0, 30.0, MissionType.RALLY) for n in range(3)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_list_counts_as_empty_only_when_the_vehicle_says_so_on_being_asked(seed: int) -> None:
    vehicle = Stubborn()
    held_points(vehicle)
    state, sends = protocol.start_clear(MissionType.RALLY, TIMING, 0.0)
    link = BadLink(loss=0.2, duplicate=0.2, jitter_s=0.5, seed=seed)
    state, _ = converse(state, sends, protocol.clear_step, vehicle, link)
    assert state.outcome == Done()
    assert vehicle.lists[MissionType.RALLY] == []


def test_a_list_that_stays_is_a_named_failure_with_what_stays() -> None:
    vehicle = Stubborn()
    vehicle.refusals = 10_000
    held_points(vehicle)
    state, sends = protocol.start_clear(MissionType.RALLY, TIMING, 0.0)
    state, seconds = converse(state, sends, protocol.clear_step, vehicle, BadLink())
    assert state.outcome == Failed("clear-differs", "3 items stay on the vehicle")
    assert seconds <= TIMING.deadline_s + 10.0


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"z": 30.4}, True),  # kept in whole metres
        ({"z": 31.0}, False),
        ({"frame": 0}, False),
        ({"x": 50.0000001}, False),
    ],
)
def test_rally_points_are_compared_by_place_height_and_frame(
    change: dict[str, float], same: bool
) -> None:
    point = WireItem(0, 3, 5100, (0.0,) * 4, 50.0, 4.0, 30.0, MissionType.RALLY)
    other = dataclasses.replace(point, **change)  # type: ignore[arg-type]
    assert (differences([point], [other]) == ()) is same


@pytest.mark.parametrize("seed", range(3))
def test_rally_points_are_uploaded_read_back_and_compared(seed: int) -> None:
    vehicle = FakeVehicle()
    held_points(vehicle)
    points = [dataclasses.replace(one, z=45.0) for one in vehicle.lists[MissionType.RALLY]]
    state, sends = protocol.start_upload(points, TIMING, 0.0)
    link = BadLink(loss=0.3, duplicate=0.2, seed=seed)
    state, _ = converse(state, sends, protocol.upload_step, vehicle, link)
    assert isinstance(state.outcome, Done)
    assert differences(points, vehicle.lists[MissionType.RALLY]) == ()
