"""Pictures of figures: as high, as far and as wide as their numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.fleet.performance.statistics import Share
from droneteam.web.charts import LABEL_WIDTH, TEXT_WIDTH, WIDTH, bars, shares

COUNTS = st.lists(st.integers(0, 5000), min_size=1, max_size=31)
CASES = st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS)
def test_a_bar_is_as_high_as_its_count_on_a_common_ground(counts: list[int]) -> None:
    picture = bars([(str(n), count) for n, count in enumerate(counts)])
    highest = max(counts) or 1
    full = max(column.height for column in picture.columns) or 1.0
    grounds = {round(column.y + column.height, 1) for column in picture.columns}
    assert len(grounds) == 1
    for column, count in zip(picture.columns, counts, strict=True):
        assert column.height / full == pytest.approx(count / highest, abs=0.001)
        assert 0 <= column.x < column.x + column.width <= picture.width
        assert column.text == str(count)


def test_a_year_without_missions_has_no_bars_and_no_fault() -> None:
    assert {column.height for column in bars([("01", 0), ("02", 0)]).columns} == {0.0}
    assert bars([]).columns == ()


@given(st.lists(CASES, min_size=1, max_size=12))
def test_a_share_lies_within_its_interval_and_the_interval_in_the_picture(
    cases: list[tuple[int, int]],
) -> None:
    rows = [(f"zone {n}", Share(hits, total)) for n, (hits, total) in enumerate(cases)]
    picture = shares(rows, ["–"] * len(rows))
    for mark, (hits, total) in zip(picture.marks, cases, strict=True):
        if not total:
            assert (mark.x, mark.low_x, mark.high_x, mark.small) == (None, None, None, False)
            continue
        assert mark.x is not None
        assert mark.low_x is not None
        assert mark.high_x is not None
        assert LABEL_WIDTH <= mark.low_x <= mark.x + 0.01
        assert mark.x <= mark.high_x + 0.01 <= WIDTH - TEXT_WIDTH + 0.02
        along = (mark.x - LABEL_WIDTH) / (WIDTH - TEXT_WIDTH - LABEL_WIDTH)
        assert along == pytest.approx(hits / total, abs=0.001)
        assert mark.small is (total < 20)
        assert 0 < mark.y < picture.height


def test_more_cases_make_a_narrower_interval() -> None:
    few, many = shares([("a", Share(8, 10)), ("b", Share(800, 1000))], ["", ""]).marks
    assert few.low_x is not None
    assert many.low_x is not None
    assert few.x == many.x
    assert few.low_x < many.low_x
