"""Repeated slots keep the wall clock, whatever the clocks do, and always end."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.intake.recurrence import MAX_OCCURRENCES, occurrences
from droneteam.fleet.terms import BRUSSELS, Window


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS).astimezone(UTC)


def slot(start: str, hours: float) -> Window:
    begin = local(start)
    return Window(begin, begin + timedelta(hours=hours))


def walls(windows: tuple[Window, ...]) -> list[str]:
    return [f"{to_local(window.start_at):%Y-%m-%d %H:%M}" for window in windows]


def test_every_friday_and_saturday_evening() -> None:
    found = occurrences("FREQ=WEEKLY;BYDAY=FR,SA;COUNT=4", slot("2026-05-08 20:00", 3))
    assert walls(found) == [
        "2026-05-08 20:00",
        "2026-05-09 20:00",
        "2026-05-15 20:00",
        "2026-05-16 20:00",
    ]
    assert {window.minutes for window in found} == {180}


@pytest.mark.parametrize(
    ("first", "offsets_h"),
    [("2026-03-22 14:00", (1, 2, 2)), ("2026-10-18 14:00", (2, 1, 1))],
)
def test_the_wall_time_stays_over_both_changes_of_the_clocks(
    first: str, offsets_h: tuple[int, ...]
) -> None:
    found = occurrences("FREQ=WEEKLY;COUNT=3", slot(first, 2))
    assert {f"{to_local(window.start_at):%H:%M}" for window in found} == {"14:00"}
    shifts = [to_local(window.start_at).utcoffset() for window in found]
    assert shifts == [timedelta(hours=hours) for hours in offsets_h]


def test_a_night_over_the_change_ends_at_its_wall_time() -> None:
    spring = occurrences("FREQ=DAILY;COUNT=2", slot("2026-03-27 22:00", 8))
    assert [window.minutes for window in spring] == [480, 420]  # 22:00 to 06:00 is 7 h that night
    autumn = occurrences("FREQ=DAILY;COUNT=2", slot("2026-10-23 22:00", 8))
    assert [window.minutes for window in autumn] == [480, 540]


def test_a_slot_in_the_hour_that_spring_leaves_out_keeps_its_length() -> None:
    found = occurrences("FREQ=DAILY;COUNT=3", slot("2026-03-28 02:15", 0.5))
    assert walls(found) == ["2026-03-28 02:15", "2026-03-29 03:15", "2026-03-30 02:15"]
    assert [window.minutes for window in found] == [30, 30, 30]


def test_a_leap_day_repeats_only_in_leap_years_and_a_month_end_only_where_it_exists() -> None:
    with pytest.raises(InputError, match="longer than"):
        occurrences("FREQ=YEARLY;COUNT=2", slot("2028-02-29 10:00", 1))
    found = occurrences("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=4", slot("2026-01-31 10:00", 1))
    assert [text[:10] for text in walls(found)] == [
        "2026-01-31",
        "2026-03-31",
        "2026-05-31",
        "2026-07-31",
    ]


def test_left_out_days_count_towards_the_number() -> None:
    found = occurrences(
        "FREQ=DAILY;COUNT=3", slot("2026-05-04 10:00", 1), without=frozenset({date(2026, 5, 5)})
    )
    assert [text[8:10] for text in walls(found)] == ["04", "06"]


@pytest.mark.parametrize(
    ("until", "expected"),
    [("20260506", 3), ("20260506T080000Z", 3), ("20260506T075959Z", 2), ("20260504T000000", 1)],
)
def test_until_a_date_a_local_time_or_an_instant(until: str, expected: int) -> None:
    found = occurrences(f"FREQ=DAILY;UNTIL={until}", slot("2026-05-04 10:00", 1))
    assert len(found) == expected


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("", "FREQ"),
        ("every week", "no recurrence rule|FREQ"),
        ("FREQ=SECONDLY;COUNT=3", "FREQ is none of"),
        ("FREQ=DAILY", "must end"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20260601", "must end"),
        ("FREQ=DAILY;COUNT=0", "below 1"),
        ("FREQ=DAILY;BYHOUR=3;COUNT=2", "BYHOUR is not supported"),
        ("FREQ=DAILY;COUNT=105", "shorten it"),
        ("FREQ=MONTHLY;COUNT=60", "shorten it"),
        ("FREQ=DAILY;UNTIL=20991231", "shorten it"),
        ("FREQ=WEEKLY;BYDAY=XX;COUNT=2", "recurrence rule|cannot be used"),
        ("FREQ=DAILY;INTERVAL=0;COUNT=2", "INTERVAL is below 1"),
    ],
)
def test_a_rule_that_cannot_be_used_says_why(rule: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        occurrences(rule, slot("2026-05-04 10:00", 1))


@given(
    st.integers(0, 5 * 365 * 24 * 60),
    st.integers(1, MAX_OCCURRENCES),
    st.sampled_from(["DAILY", "WEEKLY"]),
    st.integers(15, 20 * 60),
)
def test_a_counted_rule_gives_as_many_windows_in_order_at_one_wall_time(
    minute: int, count: int, frequency: str, minutes: int
) -> None:
    begin = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    window = Window(begin, begin + timedelta(minutes=minutes))
    wanted = min(count, 104)
    found = occurrences(f"FREQ={frequency};COUNT={wanted}", window)
    assert len(found) == wanted
    assert found[0].start_at == begin
    assert all(one.start_at < other.start_at for one, other in pairwise(found))
    wall = to_local(begin).time()
    skipped = {
        to_local(slot.start_at).time() for slot in found if to_local(slot.start_at).time() != wall
    }
    assert len(skipped) <= 1  # only the night in which spring leaves that hour out
    assert not skipped or wall.hour == 2
