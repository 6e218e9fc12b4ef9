"""The agreement's numbers, its clocks across midnight and summer time, and its refusals."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.agreement import sla
from droneteam.fleet.agreement.sla import Clock, ClockStop, RequestTimes
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.terms import PRIORITIES
from tests.fleet.strategies import INSTANTS

AGREEMENT = sla.parse(SLA_V1)
MONDAY = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)  # 10:00 in Brussels
NIGHT = datetime(2026, 5, 4, 22, 30, tzinfo=UTC)  # 00:30 in Brussels
SLOT = MONDAY + timedelta(days=20)


def clock(name: str, times: RequestTimes, now: datetime, *stops: ClockStop) -> Clock:
    return next(c for c in sla.clocks(AGREEMENT, times, now, stops) if c.name == name)


def due(priority: str, name: str, submitted_at: datetime, slot: datetime = SLOT) -> datetime:
    times = RequestTimes(priority, submitted_at, slot)
    return clock(name, times, submitted_at).due_at


@pytest.mark.parametrize(
    ("priority", "acknowledge_s", "decision_s", "in_hours_s", "on_call_s"),
    [("P0", 60, 180, 1200, 3600), ("P1", 120, 300, 1800, 4500)],
)
def test_urgent_classes_are_due_within_the_agreed_seconds(
    priority: str, acknowledge_s: int, decision_s: int, in_hours_s: int, on_call_s: int
) -> None:
    for submitted_at, on_scene_s in ((MONDAY, in_hours_s), (NIGHT, on_call_s)):
        for name, seconds in (
            ("acknowledge", acknowledge_s),
            ("decision", decision_s),
            ("on_scene", on_scene_s),
        ):
            assert due(priority, name, submitted_at) - submitted_at == timedelta(seconds=seconds)


def test_p2_is_on_scene_after_90_minutes_or_within_15_minutes_of_a_later_slot() -> None:
    assert due("P2", "on_scene", MONDAY, MONDAY) == MONDAY + timedelta(minutes=90)
    later = MONDAY + timedelta(hours=5)
    assert due("P2", "on_scene", MONDAY, later) == later + timedelta(minutes=15)


def test_p3_is_acknowledged_in_a_working_day_decided_5_days_and_on_scene_30_min_before() -> None:
    assert due("P3", "acknowledge", MONDAY) == MONDAY + timedelta(days=1)
    assert due("P3", "decision", MONDAY) == SLOT - timedelta(days=5)
    assert due("P3", "on_scene", MONDAY) == SLOT - timedelta(minutes=30)


def test_p4_is_acknowledged_in_3_days_decided_in_10_and_on_scene_at_the_slot() -> None:
    assert due("P4", "acknowledge", MONDAY) == MONDAY + timedelta(days=3)
    assert due("P4", "decision", MONDAY) == MONDAY + timedelta(days=10)
    assert due("P4", "on_scene", MONDAY) == SLOT


def test_seconds_run_through_midnight_and_the_change_of_clocks() -> None:
    before_change = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)  # 01:30, the clocks jump at 02:00
    assert due("P0", "on_scene", before_change) - before_change == timedelta(hours=1)


def test_days_before_a_slot_keep_the_wall_time_over_the_change_of_clocks() -> None:
    slot = datetime(2026, 10, 27, 9, 0, tzinfo=UTC)  # 10:00 winter time
    decision = due("P3", "decision", datetime(2026, 9, 1, 8, 0, tzinfo=UTC), slot)
    assert decision == datetime(2026, 10, 22, 8, 0, tzinfo=UTC)  # 10:00 summer time


def test_a_late_planned_request_is_never_due_before_it_was_submitted() -> None:
    assert due("P3", "decision", MONDAY, MONDAY + timedelta(days=2)) == MONDAY


def test_a_clock_runs_is_met_or_breached() -> None:
    times = RequestTimes("P2", MONDAY, MONDAY)
    running = clock("acknowledge", times, MONDAY + timedelta(minutes=6))
    assert (running.state, running.fraction) == ("running", pytest.approx(0.4))
    late = clock("acknowledge", times, MONDAY + timedelta(minutes=30))
    assert (late.state, late.fraction) == ("breached", pytest.approx(2.0))
    met = RequestTimes("P2", MONDAY, MONDAY, acknowledged_at=MONDAY + timedelta(minutes=15))
    assert clock("acknowledge", met, MONDAY + timedelta(days=1)).state == "met"
    missed = RequestTimes("P2", MONDAY, MONDAY, acknowledged_at=MONDAY + timedelta(minutes=16))
    assert clock("acknowledge", missed, MONDAY + timedelta(days=1)).state == "breached"


@pytest.mark.parametrize(
    ("minutes", "who"), [(7, None), (8, "coordinator"), (12, "duty_officer"), (15, "crisis_centre")]
)
def test_a_clock_escalates_at_50_80_and_100_percent(minutes: int, who: str | None) -> None:
    times = RequestTimes("P2", MONDAY, MONDAY)
    assert clock("acknowledge", times, MONDAY + timedelta(minutes=minutes)).escalated_to == who


def test_cancelling_after_a_breach_does_not_undo_it() -> None:
    in_time = RequestTimes("P2", MONDAY, MONDAY, closed_at=MONDAY + timedelta(minutes=10))
    assert clock("decision", in_time, MONDAY + timedelta(days=1)).state == "stopped"
    after = RequestTimes("P2", MONDAY, MONDAY, closed_at=MONDAY + timedelta(hours=2))
    assert clock("decision", after, MONDAY + timedelta(days=1)).state == "breached"


def stop(from_min: int, to_min: int | None, evidence: str = "KMI report 12") -> ClockStop:
    end = None if to_min is None else MONDAY + timedelta(minutes=to_min)
    return ClockStop("on_scene", MONDAY + timedelta(minutes=from_min), end, "weather", evidence)


def test_a_proven_stop_moves_the_due_time_and_two_at_once_count_once() -> None:
    times = RequestTimes("P2", MONDAY, MONDAY)
    moved = clock("on_scene", times, MONDAY + timedelta(hours=3), stop(10, 40), stop(30, 50))
    assert moved.due_at == MONDAY + timedelta(minutes=130)


def test_an_open_stop_holds_the_clock() -> None:
    times = RequestTimes("P2", MONDAY, MONDAY)
    held = clock("on_scene", times, MONDAY + timedelta(hours=9), stop(10, None))
    assert (held.state, held.escalated_to) == ("stopped", None)
    assert held.fraction == pytest.approx(10 / 90)


def test_a_stop_counts_from_the_start_of_its_clock_on() -> None:
    """Somebody who writes last year as the beginning moves the target by no more than the rest."""
    times = RequestTimes("P2", MONDAY, MONDAY)
    long_ago = stop(-60 * 24 * 365, 10)
    exact = stop(0, 10)
    later = MONDAY + timedelta(minutes=30)
    assert (
        clock("on_scene", times, later, long_ago).due_at
        == clock("on_scene", times, later, exact).due_at
    )


def test_no_evidence_no_stop() -> None:
    times = RequestTimes("P2", MONDAY, MONDAY)
    with pytest.raises(InputError, match="evidence"):
        clock("on_scene", times, MONDAY, stop(0, 10, evidence=" "))
    with pytest.raises(InputError, match="none of"):
        clock("on_scene", times, MONDAY, ClockStop("on_scene", MONDAY, None, "holiday", "x"))
    with pytest.raises(InputError, match="not after"):
        sla.check_stop(AGREEMENT, stop(10, 5))


def test_short_notice_is_said_with_both_numbers() -> None:
    reason = sla.lead_time_reason(AGREEMENT, "P3", MONDAY, MONDAY + timedelta(days=2))
    assert reason is not None
    assert dict(reason.params) == {"priority": "P3", "days": 10, "hours": 48}
    assert sla.lead_time_reason(AGREEMENT, "P3", MONDAY, MONDAY + timedelta(days=10)) is None
    assert sla.lead_time_reason(AGREEMENT, "P0", MONDAY, MONDAY) is None


@pytest.mark.parametrize("part", ["service_hours", "classes", "escalation", "entitlement"])
def test_a_document_that_lacks_a_part_is_refused_by_name(part: str) -> None:
    document = copy.deepcopy(SLA_V1)
    del document[part]
    with pytest.raises(InputError, match=part):
        sla.parse(document)


def with_crew(crew: object) -> dict[str, object]:
    return {
        **SLA_V1,
        "classes": {**SLA_V1["classes"], "P3": {**SLA_V1["classes"]["P3"], "crew": crew}},
    }


def test_a_class_may_ask_for_a_larger_crew_and_takes_one_pilot_where_it_says_nothing() -> None:
    assert {rules.crew for rules in AGREEMENT.classes.values()} == {1}
    larger = sla.parse(with_crew(2)).classes
    assert {name: rules.crew for name, rules in larger.items()} == {
        "P0": 1, "P1": 1, "P2": 1, "P3": 2, "P4": 1,
    }  # fmt: skip


@pytest.mark.parametrize("crew", [0, -1, sla.MAX_CREW + 1, None])
def test_a_crew_that_cannot_be_is_refused(crew: object) -> None:
    with pytest.raises(InputError, match=r"crew|malformed"):
        sla.parse(with_crew(crew))


def test_a_malformed_document_is_refused() -> None:
    for spoil in (
        {"classes": {**SLA_V1["classes"], "P0": {}}},
        {"classes": {**SLA_V1["classes"], "P4": {**SLA_V1["classes"]["P4"], "decision": {}}}},
        {"escalation": [{"fraction": 1.0, "to": "a"}, {"fraction": 0.5, "to": "b"}]},
        {"entitlement": {**SLA_V1["entitlement"], "weights": {"5339": 0}}},
        {"entitlement": []},
    ):
        with pytest.raises(InputError):
            sla.parse({**SLA_V1, **spoil})


def test_the_digest_sees_every_change_and_no_order() -> None:
    shuffled = dict(reversed(list(SLA_V1.items())))
    assert sla.digest(shuffled) == sla.digest(SLA_V1)
    assert sla.digest({**SLA_V1, "exclusions": ["weather"]}) != sla.digest(SLA_V1)


@given(
    st.sampled_from(PRIORITIES),
    INSTANTS,
    st.integers(-10_000, 100_000),
    st.integers(0, 200_000),
    st.integers(0, 5_000),
)
def test_clocks_only_grow_and_once_breached_stay_so(
    priority: str, submitted_at: datetime, slot_min: int, age_min: int, more_min: int
) -> None:
    times = RequestTimes(priority, submitted_at, submitted_at + timedelta(minutes=slot_min))
    now = submitted_at + timedelta(minutes=age_min)
    for before, after in zip(
        sla.clocks(AGREEMENT, times, now),
        sla.clocks(AGREEMENT, times, now + timedelta(minutes=more_min)),
        strict=True,
    ):
        assert submitted_at <= before.due_at == after.due_at
        assert 0.0 <= before.fraction <= after.fraction
        assert before.state == "running" or after.state == "breached"
