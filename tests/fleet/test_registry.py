"""Who and what may fly on a day, and the reasons when not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError, NotAllowed
from droneteam.fleet.assets import registry
from droneteam.fleet.assets.registry import (
    Credential,
    Defect,
    DroneRecord,
    DutyRules,
    MaintenanceRecord,
    MaintenanceRule,
    PackRecord,
    PilotRecord,
    Readiness,
)
from droneteam.fleet.terms import Window

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
TODAY = date(2026, 5, 4)
DRONE = DroneRecord(1, "drone-01", 40.0, 100, TODAY - timedelta(days=100))
PILOT = PilotRecord(
    1,
    "pilot 1",
    active=True,
    credentials=(Credential("national", TODAY - timedelta(days=10), TODAY + timedelta(days=90)),),
    flown_on=tuple(TODAY - timedelta(days=days) for days in (5, 20, 60)),
)


def codes(readiness: Readiness) -> list[str]:
    return [reason.code for reason in readiness.blocks]


def test_a_drone_without_open_matters_is_ready() -> None:
    assert registry.drone_readiness(DRONE, NOW) == Readiness()


def test_a_defect_grounds_until_a_second_person_releases_it() -> None:
    defect = Defect(1, NOW - timedelta(hours=1), opened_by=7, text="cracked arm")
    assert codes(registry.drone_readiness(replace(DRONE, defects=(defect,)), NOW)) == [
        "drone.defect"
    ]
    with pytest.raises(NotAllowed, match="second person"):
        registry.check_release(defect, released_by=7)
    registry.check_release(defect, released_by=8)
    released = replace(defect, released_at=NOW, released_by=8)
    assert registry.drone_readiness(replace(DRONE, defects=(released,)), NOW).ready


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (MaintenanceRule("a", every_flight_h=50.0), []),
        (MaintenanceRule("a", every_flight_h=40.0), ["drone.service_overdue"]),
        (MaintenanceRule("a", every_cycles=99), ["drone.service_overdue"]),
        (MaintenanceRule("a", every_days=100), ["drone.service_overdue"]),
        (MaintenanceRule("a", every_days=101), []),
        (MaintenanceRule("a"), []),
    ],
)
def test_service_falls_due_by_hours_cycles_or_days(
    rule: MaintenanceRule, expected: list[str]
) -> None:
    assert codes(registry.drone_readiness(replace(DRONE, rules=(rule,)), NOW)) == expected


def test_a_service_restarts_its_own_interval_only() -> None:
    rules = (MaintenanceRule("a", every_days=100), MaintenanceRule("b", every_days=100))
    done = MaintenanceRecord("a", TODAY - timedelta(days=3), 39.0, 98)
    readiness = registry.drone_readiness(replace(DRONE, rules=rules, services=(done,)), NOW)
    assert [reason.params["rule"] for reason in readiness.blocks] == ["b"]


def test_what_falls_due_soon_is_announced() -> None:
    soon = replace(DRONE, rules=(MaintenanceRule("a", every_flight_h=42.0),))
    readiness = registry.drone_readiness(soon, NOW)
    assert readiness.ready
    assert [reason.code for reason in readiness.warnings] == ["drone.service_soon"]


@pytest.mark.parametrize(
    ("cycles", "health_pct", "expected"),
    [(10, 95, []), (10, 79, ["pack.worn"]), (200, 95, ["pack.worn"]), (180, 95, [])],
)
def test_worn_packs_stay_on_the_ground(cycles: int, health_pct: int, expected: list[str]) -> None:
    readiness = registry.pack_readiness(PackRecord(1, "TB65 01", cycles, 200, health_pct))
    assert codes(readiness) == expected
    assert bool(readiness.warnings) == (cycles == 180)


def test_a_pilot_with_valid_papers_and_recent_flights_is_ready() -> None:
    assert registry.pilot_readiness(PILOT, ["national"], NOW) == Readiness()


def test_an_expired_licence_blocks_and_says_since_when() -> None:
    later = NOW + timedelta(days=91)
    current = replace(PILOT, flown_on=(TODAY + timedelta(days=80),) * 3)
    readiness = registry.pilot_readiness(current, ["national"], later)
    assert codes(readiness) == ["pilot.expired"]
    assert readiness.blocks[0].params["until"] == "2026-08-02"


def test_a_licence_that_ends_soon_warns_unless_it_is_renewed() -> None:
    soon = Credential("national", TODAY, TODAY + timedelta(days=20))
    pilot = replace(PILOT, credentials=(soon,))
    assert [r.code for r in registry.pilot_readiness(pilot, (), NOW).warnings] == [
        "pilot.expires_soon"
    ]
    renewed = replace(pilot, credentials=(soon, *PILOT.credentials))
    assert registry.pilot_readiness(renewed, (), NOW).warnings == ()


def test_the_last_valid_day_counts_until_local_midnight() -> None:
    ends_today = Credential("national", TODAY, TODAY)
    midnight = datetime(2026, 5, 4, 22, 0, tzinfo=UTC)
    assert ends_today.covers(Window(NOW, midnight))
    assert not ends_today.covers(Window(NOW, midnight + timedelta(seconds=1)))


def test_a_credential_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InputError, match="before it begins"):
        Credential("national", TODAY, TODAY - timedelta(days=1))


def test_absent_inactive_unlicensed_or_out_of_practice_pilots_say_which() -> None:
    away = replace(PILOT, absences=(Window(NOW - timedelta(days=1), NOW + timedelta(days=1)),))
    assert codes(registry.pilot_readiness(away, (), NOW)) == ["pilot.absent"]
    assert codes(registry.pilot_readiness(replace(PILOT, active=False), (), NOW)) == [
        "pilot.inactive"
    ]
    assert codes(registry.pilot_readiness(PILOT, ["STS-01"], NOW)) == ["pilot.unlicensed"]
    rusty = replace(PILOT, flown_on=PILOT.flown_on[:2])
    assert codes(registry.pilot_readiness(rusty, (), NOW)) == ["pilot.not_current"]


def span(start_h: float, end_h: float) -> Window:
    """Hours after local midnight of the day."""
    midnight = datetime(2026, 5, 3, 22, 0, tzinfo=UTC)
    return Window(midnight + timedelta(hours=start_h), midnight + timedelta(hours=end_h))


@pytest.mark.parametrize(
    ("one", "other", "code"),
    [
        ((8, 10), (9, 11), "pilot.busy"),
        ((8, 10), (10, 12), None),
        ((8, 10), (18, 20), None),
        ((8, 10), (18, 20.5), "pilot.duty"),
        ((18, 21), (24 + 8, 24 + 9), None),
        ((18, 22), (24 + 8, 24 + 9), "pilot.rest"),
        ((22, 26), (27, 28), None),  # 03:00 still belongs to the evening's duty
        ((22, 26), (28.5, 29), "pilot.rest"),
    ],
)
def test_duty_lasts_12_hours_and_rest_11(
    one: tuple[float, float], other: tuple[float, float], code: str | None
) -> None:
    rules = DutyRules()
    assert rules.conflict(span(*one), span(*other)) == code
    assert rules.conflict(span(*other), span(*one)) == code


@given(
    st.tuples(st.floats(0, 48), st.floats(0.1, 12)), st.tuples(st.floats(0, 48), st.floats(0.1, 12))
)
def test_the_order_in_which_two_duties_are_named_does_not_matter(
    one: tuple[float, float], other: tuple[float, float]
) -> None:
    a, b = span(one[0], sum(one)), span(other[0], sum(other))
    assert DutyRules().conflict(a, b) == DutyRules().conflict(b, a)
