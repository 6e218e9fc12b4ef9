"""The plan's picture: bars where their times are, lanes that hold them, days of any length."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.schedule import Shade
from droneteam.web.schedule import (
    HEAD_HEIGHT,
    LANE_HEIGHT,
    MARKS,
    WIDTH,
    LaneName,
    Span,
    State,
    Zoom,
    axis_of,
    chart,
)

BRUSSELS = ZoneInfo("Europe/Brussels")
DAY = date(2026, 5, 4)
NOON = datetime(2026, 5, 4, 10, tzinfo=UTC)
"""12:00 in Brussels."""
LANES = [LaneName("drone:1", "drone-01"), LaneName("drone:2", "drone-02", "not ready")]


def span(
    lane: str = "drone:1", start_h: float = 0, hours: float = 1, state: State = "planned"
) -> Span:
    start_at = NOON + timedelta(hours=start_h)
    end_at = start_at + timedelta(hours=hours)
    out = timedelta(minutes=20)
    return Span(
        lane,
        "12",
        "12 accident",
        "all of it",
        start_at - out,
        start_at,
        end_at,
        end_at + out,
        state,
    )


def test_a_bar_twice_as_long_is_twice_as_wide() -> None:
    picture = chart(LANES, [span(), span("drone:2", 2, 2)], axis_of(DAY, "day", BRUSSELS), NOON)
    assert abs(picture.bars[1].width - 2.0 * picture.bars[0].width) < 0.05


def test_the_way_there_begins_before_the_bar_and_the_way_home_ends_after_it() -> None:
    (bar,) = chart(LANES, [span()], axis_of(DAY, "day", BRUSSELS), NOON).bars
    per_min = bar.width / 60.0
    assert (bar.x - bar.out_x) / per_min == pytest.approx(20.0, abs=0.1)
    assert (bar.out_x + bar.out_width - bar.x - bar.width) / per_min == pytest.approx(20, abs=0.1)


def test_a_day_begins_and_ends_at_local_midnight_and_noon_is_its_middle() -> None:
    axis = axis_of(DAY, "day", BRUSSELS)
    assert axis.window.start_at == datetime(2026, 5, 3, 22, tzinfo=UTC)
    picture = chart(LANES, [], axis, NOON)
    assert picture.now_x == WIDTH / 2
    assert picture.bars == ()
    assert [tick.day_starts for tick in picture.ticks].count(True) == 1


@pytest.mark.parametrize(
    ("day", "hours", "written"),
    [
        (date(2026, 3, 29), 23, ["00", "03 CEST", "04", "06"]),
        (date(2026, 10, 25), 25, ["00", "02", "02 CET", "04", "06"]),
        (date(2026, 5, 4), 24, ["00", "02", "04", "06"]),
    ],
)
def test_days_on_which_the_clocks_change_are_as_long_as_they_are(
    day: date, hours: int, written: list[str]
) -> None:
    axis = axis_of(day, "day", BRUSSELS)
    assert (axis.window.end_at - axis.window.start_at) == timedelta(hours=hours)
    ticks = chart(LANES, [], axis, NOON).ticks
    assert [tick.text for tick in ticks if tick.text][: len(written)] == written
    px_per_h = WIDTH / hours
    for tick in ticks:
        since = (tick.at - axis.window.start_at) / timedelta(hours=1)
        assert tick.x == pytest.approx(since * px_per_h, abs=0.01)


def test_midnights_of_a_week_stay_at_midnight_over_the_change_of_the_clocks() -> None:
    ticks = chart(LANES, [], axis_of(date(2026, 3, 26), "week", BRUSSELS), NOON).ticks
    days = [tick.at.astimezone(BRUSSELS) for tick in ticks if tick.day_starts]
    assert [(day.day, day.hour) for day in days] == [
        (number, 0) for number in (26, 27, 28, 29, 30, 31, 1)
    ]


def test_now_is_not_drawn_where_the_picture_does_not_reach() -> None:
    picture = chart(LANES, [], axis_of(DAY + timedelta(days=2), "day", BRUSSELS), NOON)
    assert picture.now_x is None


@pytest.mark.parametrize("zoom", ["day", "week"])
def test_the_word_at_now_covers_no_days_name_and_leaves_the_picture_nowhere(zoom: Zoom) -> None:
    """Asked of every quarter of an hour; a name or the word takes no more than 76 px."""
    axis = axis_of(DAY, zoom, BRUSSELS)
    at = axis.window.start_at
    while at <= axis.window.end_at:
        picture = chart(LANES, [], axis, at)
        assert picture.now_x is not None
        x, anchor = picture.now_text
        left, right = (x, x + 76.0) if anchor == "start" else (x - 76.0, x)
        assert 0.0 <= left < right <= WIDTH, at
        assert abs(x - picture.now_x) <= 80.0, at
        names = [tick.x + 3.0 for tick in picture.ticks if tick.day_starts]
        assert all(right <= name or name + 73.0 <= left for name in names), at
        at += timedelta(minutes=15)


def test_what_lies_outside_the_days_or_the_lanes_is_left_out() -> None:
    spans = [span(start_h=30), span("pilot:9"), span(start_h=11.9, hours=3)]
    (bar,) = chart(LANES, spans, axis_of(DAY, "day", BRUSSELS), NOON).bars
    assert bar.x < WIDTH < bar.x + bar.width


def test_every_state_but_the_plain_one_has_a_sign_of_its_own() -> None:
    signs = [mark for state, mark in MARKS.items() if state != "planned"]
    assert all(signs)
    assert len(set(signs)) == len(signs)
    for state, mark in MARKS.items():
        spans = [span(hours=8, state=state)]
        (bar,) = chart(LANES, spans, axis_of(DAY, "day", BRUSSELS), NOON).bars
        assert bar.label.startswith(mark)
        assert bar.label.endswith("12 accident")


def test_shades_lie_where_their_times_are() -> None:
    axis = axis_of(DAY, "day", BRUSSELS)
    night = Shade("night", axis.window.start_at, axis.window.start_at + timedelta(hours=6))
    (block,) = chart(LANES, [], axis, NOON, [night]).blocks
    assert (block.kind, block.x, block.width) == ("night", 0.0, WIDTH / 4)


@pytest.mark.parametrize(("day", "zoom"), [(DAY, "month"), (date(1900, 1, 1), "day")])
def test_what_cannot_be_shown_is_refused(day: date, zoom: str) -> None:
    with pytest.raises(InputError):
        axis_of(day, zoom, BRUSSELS)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["drone:1", "drone:2"]),
            st.floats(-15, 20, allow_nan=False),
            st.floats(0.05, 10, allow_nan=False),
        ),
        max_size=30,
    ),
    st.sampled_from(["day", "week"]),
)
def test_every_bar_lies_in_its_lane_and_can_be_hit_by_a_finger(
    drawn: list[tuple[str, float, float]], zoom: str
) -> None:
    axis = axis_of(DAY, zoom, BRUSSELS)
    spans = [span(lane, start_h, hours) for lane, start_h, hours in drawn]
    picture = chart(LANES, spans, axis, NOON)
    window = axis.window
    assert len(picture.bars) == sum(
        one.taken_at < window.end_at and one.free_at > window.start_at for one in spans
    )
    assert picture.height == HEAD_HEIGHT + 2 * LANE_HEIGHT
    for bar in picture.bars:
        top = HEAD_HEIGHT + LANE_HEIGHT * (bar.span.lane == "drone:2")
        assert top <= bar.y < bar.y + bar.height <= top + LANE_HEIGHT
        assert bar.out_x <= bar.x < bar.x + bar.width <= bar.out_x + bar.out_width + 0.1
        assert min(bar.hit_width, bar.height) >= 44.0
        assert bar.hit_x <= bar.x
        assert len(bar.label) * 7.0 <= bar.width or not bar.label
