"""The yearly report's charts show what their tables say, and are drawn, not pictures."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.fleet.performance.statistics import Share
from droneteam.fleet.performance.yearly import YearFigures
from droneteam.reports import yearly
from droneteam.reports.charts import Bar, axis_end, counted, rated
from tests.fleet.year_events import year_events
from tests.reports.test_yearly import MADE_AT, MISSIONS, NAMES, PHOTOGRAMMETRIES, YEAR, figures_of

CHARTED = {"kinds", "months", "clocks", "zones", "drones"}


@pytest.fixture(scope="module")
def figures() -> YearFigures:
    return figures_of(year_events(7, YEAR, MISSIONS, PHOTOGRAMMETRIES))


@given(st.integers(1, 10**9))
def test_an_axis_ends_at_a_round_number_not_far_beyond_the_longest_bar(most: int) -> None:
    end = axis_end(most)
    assert most <= end <= 2 * most
    assert len(str(end).rstrip("0")) == 1


def test_nothing_counted_is_no_chart() -> None:
    assert axis_end(0) == 0
    assert counted("rows", "missions", [("a", 0), ("b", 0)]) is None
    assert counted("rows", "missions", []) is None
    assert rated("kept", "100 %", [("P0", Share(0, 0), "")]) is None


def test_counted_bars_stand_to_each_other_as_their_counts() -> None:
    chart = counted("columns", "missions", [("01", 12), ("02", 0), ("03", 36)])
    assert chart is not None
    assert (chart.end, [bar.text for bar in chart.bars]) == ("40", ["12", "0", "36"])
    assert [bar.share for bar in chart.bars] == pytest.approx([0.3, 0.0, 0.9])


def test_a_rate_stands_inside_its_interval_and_one_without_cases_has_no_bar() -> None:
    chart = rated("kept", "100 %", [("a", Share(3, 4), "75 %"), ("b", Share(0, 0), "")])
    assert chart is not None
    (bar,) = chart.bars
    assert bar.low is not None
    assert bar.high is not None
    assert 0.0 < bar.low < bar.share == 0.75 < bar.high < 1.0


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_bar_beyond_its_axis_is_refused_by_name(share: float) -> None:
    with pytest.raises(InputError, match="drone-1"):
        Bar("drone-1", share, "")


@pytest.mark.parametrize("language", yearly.LANGUAGES)
def test_each_bar_writes_what_its_row_of_the_table_writes(
    figures: YearFigures, language: str
) -> None:
    parts = {part.key: part for part in yearly.sections(figures, NAMES, language)}
    assert {key for key, part in parts.items() if part.chart is not None} == CHARTED
    for key in CHARTED:
        part = parts[key]
        assert part.chart is not None
        told = {" ".join(row[: part.words]): row for row in part.rows}
        assert [bar.label for bar in part.chart.bars] == list(told)
        for bar in part.chart.bars:
            cells = told[bar.label][part.words :]
            assert any(cell.split(" (")[0] == bar.text.rstrip("*") for cell in cells), bar


def streams(pdf: bytes) -> Iterator[bytes]:
    """The page contents, unpacked."""
    for part in pdf.split(b"stream\n")[1:]:
        try:
            yield zlib.decompressobj().decompress(part)
        except zlib.error:
            continue  # not a packed stream


def test_charts_are_areas_and_lines_with_words_for_who_cannot_see_them(
    figures: YearFigures,
) -> None:
    parts = yearly.sections(figures, NAMES, "en")
    plain = tuple(replace(part, chart=None) for part in parts)
    drawn, without = (yearly.yearly_pdf(figures, some, MADE_AT, "en") for some in (parts, plain))
    bars = sum(len(part.chart.bars) for part in parts if part.chart is not None)
    fills = [
        sum(own.count(b"\nf\n") + own.count(b"\nf*\n") for own in streams(pdf))
        for pdf in (drawn, without)
    ]
    assert bars <= fills[0] - fills[1] <= 4 * bars
    assert b"/Subtype/Image" not in drawn.replace(b" ", b"")
    alternatives = [pdf.count(b"/Alt") + pdf.count(b"/Alt(") for pdf in (drawn, without)]
    assert alternatives[0] > 0 == alternatives[1]
