"""Drones that share an area by time: one in the air at a time, in their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.missions.flight.turns import LONGEST_FLIGHT, Turn, Wait, turn_bars
from droneteam.missions.planner.sharing import TIME_GAP_S, Separation, Share
from droneteam.missions.views import MissionState

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def turn(part: int, state: MissionState = MissionState.APPROVED, **facts: object) -> Turn:
    share = Share(part, 3, Separation.TIME)
    return Turn(10 + part, f"drone-{part:02d}", share, state, **facts)  # type: ignore[arg-type]


def waits(own: Turn, *others: Turn, now: datetime = NOW) -> list[Wait]:
    return [bar.wait for bar in turn_bars(own, others, now)]


def test_the_first_waits_for_nobody_and_the_later_ones_for_those_before_them() -> None:
    parts = [turn(1), turn(2), turn(3)]
    assert waits(parts[0], *parts[1:]) == []
    assert waits(parts[1], parts[0], parts[2]) == [Wait.APPROVED_FIRST]
    assert waits(parts[2], *parts[:2]) == [Wait.APPROVED_FIRST] * 2


def test_one_that_is_being_readied_goes_before_a_later_part_only() -> None:
    readied = turn(2, MissionState.FLYING, heard_at=NOW)
    assert waits(turn(3), readied) == [Wait.GOES_FIRST]
    assert waits(turn(1), readied) == []


@pytest.mark.parametrize("part", [1, 2])
def test_one_in_the_air_is_waited_for_whatever_its_order(part: int) -> None:
    flies = turn(3 - part, MissionState.FLYING, heard_at=NOW, armed=True)
    (bar,) = turn_bars(turn(part), [flies], NOW)
    assert bar.wait is Wait.IN_AIR
    assert f"drone-{3 - part:02d}" in str(bar)
    assert "08:00:00 UTC" in str(bar)


def test_one_that_was_lost_in_the_air_is_waited_for_until_no_pack_can_last() -> None:
    lost = turn(1, MissionState.FAILED, heard_at=NOW, armed=True)
    assert waits(turn(2), lost, now=NOW + LONGEST_FLIGHT) == [Wait.IN_AIR]
    assert waits(turn(2), lost, now=NOW + LONGEST_FLIGHT + timedelta(seconds=1)) == []


def test_after_a_landing_a_gap_is_kept() -> None:
    landed = turn(1, MissionState.FLOWN, landed_at=NOW)
    gap = timedelta(seconds=TIME_GAP_S)
    assert waits(turn(2), landed) == [Wait.GAP]
    assert waits(turn(2), landed, now=NOW + gap - timedelta(seconds=1)) == [Wait.GAP]
    assert waits(turn(2), landed, now=NOW + gap) == []


def test_a_sortie_that_ended_but_is_not_recorded_yet_has_landed() -> None:
    """Sorties of one call are recorded together, when the last has ended."""
    ended = turn(1, MissionState.FLYING, heard_at=NOW, ended=True)
    assert waits(turn(2), ended) == [Wait.GAP]
    assert waits(turn(2), ended, now=NOW + timedelta(seconds=TIME_GAP_S)) == []


@pytest.mark.parametrize("state", [MissionState.DRAFT, MissionState.FLOWN, MissionState.FAILED])
def test_drafts_and_those_that_flew_long_ago_keep_nobody_waiting(state: MissionState) -> None:
    assert waits(turn(2), turn(1, state)) == []


STATES = st.sampled_from([state for state in MissionState if state is not MissionState.CANCELLED])


@given(st.lists(st.tuples(STATES, st.booleans(), st.booleans()), min_size=2, max_size=3))
def test_two_never_may_take_off_at_once_and_never_do_all_wait_for_each_other(
    facts: list[tuple[MissionState, bool, bool]],
) -> None:
    parts = [
        turn(n, state, heard_at=NOW, armed=armed and state is MissionState.FLYING, ended=ended)
        for n, (state, armed, ended) in enumerate(facts, start=1)
    ]
    parts = [replace(one, ended=one.ended and not one.armed) for one in parts]
    later = NOW + timedelta(minutes=5)
    wants = [
        one
        for one in parts
        if one.state in (MissionState.APPROVED, MissionState.FLYING)
        and not one.armed
        and not one.ended
    ]
    free = [
        one
        for one in wants
        if not turn_bars(one, [other for other in parts if other is not one], later)
    ]
    aloft = [one for one in parts if one.armed]
    assert len(free) + len(aloft) <= max(1, len(aloft))
    if wants and not aloft:
        assert free == wants[:1]
