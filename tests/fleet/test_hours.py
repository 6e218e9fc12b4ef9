"""Service hours, holidays and working days on the wall clock of Brussels."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.agreement import hours
from droneteam.fleet.agreement.hours import ServiceHours
from tests.fleet.strategies import INSTANTS

CORE = ServiceHours(time(7), time(23), holidays_on_call=True)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_core_hours_are_local_in_winter_and_in_summer() -> None:
    assert CORE.in_core(utc(2026, 1, 14, 6, 0))  # 07:00 in winter
    assert not CORE.in_core(utc(2026, 1, 14, 5, 59))
    assert CORE.in_core(utc(2026, 7, 15, 5, 0))  # 07:00 in summer
    assert not CORE.in_core(utc(2026, 7, 15, 21, 0))  # 23:00


@pytest.mark.parametrize(
    "day",
    [
        date(2026, 1, 1),
        date(2026, 4, 6),
        date(2026, 5, 1),
        date(2026, 5, 14),
        date(2026, 5, 25),
        date(2026, 7, 21),
        date(2026, 8, 15),
        date(2026, 11, 1),
        date(2026, 11, 11),
        date(2026, 12, 25),
    ],
)
def test_the_ten_legal_holidays_of_2026_are_on_call(day: date) -> None:
    noon = hours.from_local(day, time(12))
    assert hours.is_holiday(day)
    assert not CORE.in_core(noon)
    assert CORE.prep_min(noon) == CORE.on_call_prep_min


def test_holidays_can_be_core_by_agreement() -> None:
    agreed = ServiceHours(time(7), time(23), holidays_on_call=False)
    assert agreed.in_core(hours.from_local(date(2026, 7, 21), time(12)))


def test_a_day_later_keeps_the_wall_time_when_the_clocks_change() -> None:
    before = hours.from_local(date(2026, 3, 28), time(10))
    assert hours.add_days(before, 1) - before == timedelta(hours=23)
    before = hours.from_local(date(2026, 10, 24), time(10))
    assert hours.add_days(before, 1) - before == timedelta(hours=25)


def test_the_skipped_hour_moves_later() -> None:
    assert hours.from_local(date(2026, 3, 29), time(2, 30)) == utc(2026, 3, 29, 1, 30)


def test_a_working_day_skips_the_long_weekend_of_easter() -> None:
    thursday = hours.from_local(date(2026, 4, 2), time(16, 30))
    due = hours.add_working_days(thursday, 2, opens_at=time(7))
    assert due == hours.from_local(date(2026, 4, 7), time(16, 30))


def test_what_arrives_on_a_day_off_counts_from_the_next_opening() -> None:
    sunday = hours.from_local(date(2026, 5, 3), time(22))
    due = hours.add_working_days(sunday, 1, opens_at=time(7))
    assert due == hours.from_local(date(2026, 5, 5), time(7))


def test_a_year_before_the_leap_day_is_the_28th() -> None:
    leap = hours.from_local(date(2028, 2, 29), time(9))
    assert hours.year_before(leap) == hours.from_local(date(2027, 2, 28), time(9))


def test_a_quarter_starts_at_local_midnight() -> None:
    assert hours.quarter_start(utc(2026, 5, 4, 8)) == utc(2026, 3, 31, 22)
    assert hours.quarter_start(utc(2025, 12, 31, 23, 30)) == utc(2025, 12, 31, 23)


def test_hours_that_end_before_they_start_are_refused() -> None:
    with pytest.raises(InputError, match="core hours"):
        ServiceHours(time(23), time(7), holidays_on_call=True)
    with pytest.raises(InputError, match="no time zone"):
        hours.to_local(datetime(2026, 5, 4))  # noqa: DTZ001


@given(INSTANTS, st.integers(0, 40))
def test_working_days_never_run_backwards_and_end_on_one(at: datetime, days: int) -> None:
    due = hours.add_working_days(at, days, opens_at=time(7))
    assert due >= at - timedelta(hours=1)  # the skipped hour, at most
    if days:
        assert hours.is_working_day(hours.to_local(due).date())


@given(INSTANTS, st.integers(-400, 400))
def test_days_there_and_back_end_where_they_began(at: datetime, days: int) -> None:
    back = hours.add_days(hours.add_days(at, days), -days)
    assert abs(back - at) <= timedelta(hours=1)
