"""The plan's picture: bars where their times are, lanes that hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from droneteam.web.gantt import HEAD_HEIGHT, LABEL_WIDTH, LANE_HEIGHT, WIDTH, Span, chart

BRUSSELS = ZoneInfo("Europe/Brussels")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def span(lane: str, start_h: float, hours: float, label: str = "12 accident") -> Span:
    start_at = NOON + timedelta(hours=start_h)
    end_at = start_at + timedelta(hours=hours)
    return Span(lane, label, "/requests/12", start_at - timedelta(minutes=20), start_at, end_at)


def test_a_bar_twice_as_long_is_twice_as_wide() -> None:
    picture = chart([], [span("drone 1", 0, 1), span("drone 2", 2, 2)], NOON, BRUSSELS)
    assert abs(picture.bars[1].width - 2.0 * picture.bars[0].width) < 0.05


def test_the_way_there_begins_before_the_bar() -> None:
    (bar,) = chart([], [span("drone 1", 0, 1)], NOON, BRUSSELS).bars
    minutes = (bar.x - bar.travel_x) / bar.width * 60.0
    assert abs(minutes - 20.0) < 0.1


def test_an_empty_plan_shows_the_next_twelve_hours() -> None:
    picture = chart(["drone 1", "drone 2"], [], NOON, BRUSSELS)
    assert [lane.name for lane in picture.lanes] == ["drone 1", "drone 2"]
    assert picture.now_x == LABEL_WIDTH
    assert picture.ticks


def test_midnight_ticks_stay_at_midnight_over_the_change_of_the_clocks() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    spans = [Span("a", "b", "/", start, start, start + timedelta(days=3))]
    picture = chart([], spans, start, BRUSSELS)
    days = [tick.at.astimezone(BRUSSELS) for tick in picture.ticks if tick.day_starts]
    assert [(day.day, day.hour) for day in days] == [(29, 0), (30, 0), (31, 0)]


def test_now_is_not_drawn_where_the_picture_does_not_reach() -> None:
    assert chart([], [span("a", 48, 1)], NOON, BRUSSELS).now_x is None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.floats(0, 300, allow_nan=False),
            st.floats(0.05, 40, allow_nan=False),
            st.text(max_size=60),
        ),
        max_size=30,
    )
)
def test_every_bar_lies_inside_its_lane_and_the_picture(
    rows: list[tuple[str, float, float, str]],
) -> None:
    spans = [span(lane, start, hours, label) for lane, start, hours, label in rows]
    picture = chart(["a"], spans, NOON, BRUSSELS)
    tops = {lane.name: lane.y for lane in picture.lanes}
    assert picture.height == HEAD_HEIGHT + LANE_HEIGHT * len(picture.lanes)
    assert len(picture.ticks) <= 18
    for bar in picture.bars:
        assert LABEL_WIDTH <= bar.travel_x <= bar.x <= WIDTH
        assert bar.x + bar.width <= WIDTH + 3.0
        top = tops[bar.span.lane]
        assert top <= bar.y
        assert bar.y + bar.height <= top + LANE_HEIGHT
