"""Agreement version 1, number by number, as it was agreed; midnight, summer time and leap days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from droneteam.fleet.agreement.entitlement import LedgerEntry, entitlements
from droneteam.fleet.agreement.sla import RequestTimes, clocks, parse
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.terms import BRUSSELS

SLA = parse(SLA_V1)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS).astimezone(UTC)


NOON = local("2026-05-05 12:00")
NIGHT = local("2026-05-05 03:00")
HOLIDAY = local("2026-07-21 12:00")
SLOT = timedelta(days=30)


def due(priority: str, clock: str, at: datetime, slot: timedelta = SLOT) -> timedelta:
    """How long after the submission the clock is due."""
    views = clocks(SLA, RequestTimes(priority, at, at + slot), at)
    return next(view for view in views if view.name == clock).due_at - at


@pytest.mark.parametrize(
    ("priority", "clock", "in_hours_s", "on_call_s"),
    [
        ("P0", "acknowledge", 60, 60),
        ("P0", "decision", 180, 180),
        ("P0", "on_scene", 20 * 60, 60 * 60),
        ("P1", "acknowledge", 120, 120),
        ("P1", "decision", 300, 300),
        ("P1", "on_scene", 30 * 60, 75 * 60),
        ("P2", "acknowledge", 15 * 60, 15 * 60),
        ("P2", "decision", 3600, 3600),
    ],
)
def test_the_urgent_classes_seconds(
    priority: str, clock: str, in_hours_s: int, on_call_s: int
) -> None:
    assert due(priority, clock, NOON).total_seconds() == in_hours_s
    for on_call in (NIGHT, HOLIDAY, local("2026-05-05 23:00"), local("2026-05-05 06:59")):
        assert due(priority, clock, on_call).total_seconds() == on_call_s
    for core in (local("2026-05-05 07:00"), local("2026-05-05 22:59")):
        assert due(priority, clock, core).total_seconds() == in_hours_s


def test_a_p2_is_on_the_scene_in_90_minutes_or_within_15_of_its_slot() -> None:
    assert due("P2", "on_scene", NOON, timedelta()) == timedelta(minutes=90)
    assert due("P2", "on_scene", NOON, timedelta(hours=5)) == timedelta(hours=5, minutes=15)


def test_a_p3_and_a_p4_count_days_and_their_slot() -> None:
    assert due("P3", "acknowledge", NOON) == timedelta(days=1)
    assert due("P3", "decision", NOON) == SLOT - timedelta(days=5)
    assert due("P3", "on_scene", NOON) == SLOT - timedelta(minutes=30)
    assert due("P4", "acknowledge", NOON) == timedelta(days=3)
    assert due("P4", "decision", NOON) == timedelta(days=10)
    assert due("P4", "on_scene", NOON) == SLOT


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2026-05-08 16:00", "2026-05-11 16:00"),  # Friday to Monday
        ("2026-05-09 16:00", "2026-05-12 07:00"),  # Saturday counts as Monday's opening
        ("2026-05-13 16:00", "2026-05-15 16:00"),  # Ascension Day between
        ("2026-03-27 16:00", "2026-03-30 16:00"),  # summer time begins between
        ("2028-02-28 16:00", "2028-02-29 16:00"),  # the leap day is a working day
        ("2026-12-31 23:59", "2027-01-04 23:59"),  # New Year and a weekend between
    ],
)
def test_a_working_day_is_one_that_people_work(asked: str, answered: str) -> None:
    at = local(asked)
    assert at + due("P3", "acknowledge", at) == local(answered)


def test_seconds_ignore_that_the_clocks_change_and_days_do_not() -> None:
    before = local("2026-03-29 01:50")
    assert due("P1", "on_scene", before) == timedelta(minutes=75)
    saturday = local("2026-03-28 12:00")
    assert due("P4", "acknowledge", saturday) == timedelta(days=3) - timedelta(hours=1)


def test_who_may_displace_whom() -> None:
    table = {name: sorted(rules.displaces) for name, rules in SLA.classes.items()}
    assert table == {
        "P0": ["P2", "P3", "P4"],
        "P1": ["P3", "P4"],
        "P2": ["P4"],
        "P3": [],
        "P4": [],
    }


def test_escalation_at_50_80_and_100_percent() -> None:
    assert SLA.escalation == (
        (0.5, "coordinator"),
        (0.8, "duty_officer"),
        (1.0, "crisis_centre"),
    )


def test_urgent_classes_are_exempt_and_every_zone_has_its_floor_each_quarter() -> None:
    assert {name for name, rules in SLA.classes.items() if rules.exempt} == {"P0", "P1"}
    codes = {1: "5344", 2: "5341"}
    at = local("2026-06-30 23:59")
    spent = [LedgerEntry(1, at - timedelta(days=100), 10**9, "P4")]
    assert entitlements(SLA, codes, spent, at)[1].remaining_min == 240
    taken = [*spent, LedgerEntry(1, at - timedelta(minutes=5), 240, "P3")]
    assert entitlements(SLA, codes, taken, at)[1].remaining_min == 0
    next_quarter = local("2026-07-01 00:00")
    assert entitlements(SLA, codes, taken, next_quarter)[1].remaining_min == 240


def test_what_may_stop_a_clock_and_what_a_cancellation_may_say() -> None:
    assert SLA.exclusions >= {"weather", "airspace_refused"}
    assert SLA.cancellation_codes >= {"requester_withdrew", "event_cancelled", "weather"}
