"""A profile is held only when a separate read returns every value."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.missions.mavlink.handshake import Done, Failed, Timing
from droneteam.missions.mavlink.parameters import WantedParam, profile_step, start_profile
from tests.missions.fake_vehicle import BadLink, FakeVehicle, converse

WANTED = (
    WantedParam("FS_GCS_ENABLE", 1.0),
    WantedParam("FENCE_ENABLE", 1.0),
    WantedParam("RTL_ALT", 3000.0),
    WantedParam("FS_GCS_TIMEOUT", 30.0, required=False),
)


def run(vehicle: FakeVehicle, link: BadLink) -> object:
    state, sends = start_profile(WANTED, Timing(), 0.0)
    state, _ = converse(state, sends, profile_step, vehicle, link)
    return state


def a_vehicle(**more: float) -> FakeVehicle:
    return FakeVehicle(
        params={"FS_GCS_ENABLE": 0.0, "FENCE_ENABLE": 0.0, "RTL_ALT": 1500.0, **more}
    )


def test_a_profile_is_written_and_read_back() -> None:
    vehicle = a_vehicle(FS_GCS_TIMEOUT=5.0)
    state = run(vehicle, BadLink())
    assert state.outcome == Done()
    assert vehicle.params == {one.name: one.value for one in WANTED}


def test_an_optional_parameter_that_the_vehicle_does_not_know_is_noted() -> None:
    state = run(a_vehicle(), BadLink())
    assert state.outcome == Done()
    assert state.unknown == ("FS_GCS_TIMEOUT",)


def test_a_required_parameter_that_the_vehicle_does_not_know_fails_by_name() -> None:
    vehicle = a_vehicle()
    del vehicle.params["FENCE_ENABLE"]
    state = run(vehicle, BadLink())
    assert state.outcome == Failed(
        "parameter-unknown", "the vehicle does not answer for FENCE_ENABLE"
    )


def test_a_parameter_that_does_not_take_its_value_fails_with_both_values() -> None:
    vehicle = a_vehicle(FS_GCS_TIMEOUT=5.0)
    vehicle.stuck_params.add("RTL_ALT")
    state = run(vehicle, BadLink())
    assert state.outcome == Failed("parameter-differs", "RTL_ALT stays 1500, wanted 3000")


@pytest.mark.parametrize("known", ["RTL_ALT", "RTL_ALT_M"])
def test_the_name_that_another_version_has_is_not_waited_for_once_its_own_is_held(
    known: str,
) -> None:
    wanted = (
        WantedParam("RTL_ALT", 3000.0, or_else="RTL_ALT_M"),
        WantedParam("RTL_ALT_M", 30.0, required=False),
    )
    vehicle = FakeVehicle(params={known: 15.0})
    state, sends = start_profile(wanted, Timing(), 0.0)
    state, took_s = converse(state, sends, profile_step, vehicle, BadLink(delay_s=0.1))
    assert state.outcome == Done()
    assert vehicle.params == {known: next(one.value for one in wanted if one.name == known)}
    assert state.unknown == ()
    assert took_s < 12 * Timing().param_retry_s / 2


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32), loss=st.sampled_from([0.1, 0.3]), jitter_s=st.sampled_from([0, 1])
)
def test_a_profile_reported_held_is_held(seed: int, loss: float, jitter_s: float) -> None:
    vehicle = a_vehicle(FS_GCS_TIMEOUT=5.0)
    state = run(vehicle, BadLink(loss=loss, jitter_s=jitter_s, duplicate=0.2, seed=seed))
    if isinstance(state.outcome, Done):
        assert all(
            vehicle.params[one.name] == one.value for one in WANTED if one.name not in state.unknown
        )
