"""Reading forms: what people really type, and what cannot be used, beside its field."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.web.forms import FormReader, polygon_text
from droneteam.web.timefmt import (
    LocalTimeProblem,
    decimal,
    degrees,
    duration,
    local_short,
    parse_local,
)
from tests.web.conftest import Site

BRUSSELS = ZoneInfo("Europe/Brussels")


@pytest.fixture
def _english(site: Site) -> Iterator[None]:
    with site.app.test_request_context("/", headers={"Accept-Language": "en"}):
        yield


@pytest.mark.usefixtures("_english")
@pytest.mark.parametrize(
    ("typed", "value"),
    [("50.8197", 50.8197), ("50,8197", 50.8197), (" 4.39 ", 4.39), ("+4", 4.0), ("1 000", 1000.0)],
)
def test_numbers_are_read_as_people_write_them(typed: str, value: float) -> None:
    form = FormReader({"x": typed})
    assert form.number("x", -1e6, 1e6) == value
    assert form.problems == {}


@pytest.mark.usefixtures("_english")
@pytest.mark.parametrize("typed", ["", "north", "nan", "inf", "-inf", "1e999", "91", "0x10"])
def test_what_is_no_number_in_range_is_a_problem_of_its_field(typed: str) -> None:
    form = FormReader({"lat_deg": typed})
    assert math.isfinite(form.number("lat_deg", -90.0, 90.0))
    assert list(form.problems) == ["lat_deg"]


@pytest.mark.usefixtures("_english")
def test_the_first_problem_of_a_field_stays() -> None:
    form = FormReader({"title": ""})
    form.text("title", required=True)
    form.fail("title", "later")
    assert form.problems == {"title": "Fill this in."}


@pytest.mark.usefixtures("_english")
@given(st.text(max_size=80))
def test_any_text_reads_as_corners_or_as_a_problem(typed: str) -> None:
    form = FormReader({"polygon": typed})
    corners = form.polygon("polygon")
    for lat_deg, lon_deg in corners:
        assert -90.0 <= lat_deg <= 90.0
        assert -180.0 <= lon_deg <= 180.0
    assert len(corners) >= 3 or not corners or form.problems


@pytest.mark.usefixtures("_english")
@given(
    st.lists(
        st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
        min_size=3,
        max_size=20,
        unique_by=lambda pair: (round(pair[0], 6), round(pair[1], 6)),
    )
)
def test_corners_survive_the_way_through_the_form(corners: list[tuple[float, float]]) -> None:
    form = FormReader({"polygon": polygon_text(corners)})
    again = form.polygon("polygon")
    assert form.problems == {}
    assert again == tuple((round(a, 7) + 0.0, round(b, 7) + 0.0) for a, b in corners)


@pytest.mark.usefixtures("_english")
def test_a_ring_that_repeats_its_first_corner_is_the_same_ring() -> None:
    lines = ["50.1, 4.1", "50.1, 4.2", "50.2, 4.2", "50.1, 4.1"]
    assert len(FormReader({"polygon": "\n".join(lines)}).polygon("polygon")) == 3


@pytest.mark.usefixtures("_english")
def test_a_bad_corner_is_named_by_its_line() -> None:
    form = FormReader({"polygon": "50.1, 4.1\n\n4.2\n50.2, 4.2"})
    form.polygon("polygon")
    assert form.problems["polygon"].startswith("Line 3 ")


@pytest.mark.usefixtures("_english")
def test_control_characters_do_not_reach_the_database() -> None:
    assert FormReader({"t": "a\x00b\x07\tc\nd"}).text("t") == "ab\tc\nd"


def test_summer_and_winter_times_become_utc() -> None:
    assert parse_local("2026-05-04T14:30", BRUSSELS) == datetime(2026, 5, 4, 12, 30, tzinfo=UTC)
    assert parse_local("2026-01-04T14:30", BRUSSELS) == datetime(2026, 1, 4, 13, 30, tzinfo=UTC)


def test_a_time_that_the_spring_change_leaves_out_is_refused() -> None:
    with pytest.raises(LocalTimeProblem, match="gap"):
        parse_local("2026-03-29T02:30", BRUSSELS)


def test_a_time_that_the_autumn_change_repeats_means_its_first_pass() -> None:
    assert parse_local("2026-10-25T02:30", BRUSSELS) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01T00:00", "2026-05-04T25:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(LocalTimeProblem, match="format"):
        parse_local(text, BRUSSELS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (65, "1 min 05 s"),
        (600, "10 min"),
        (3_600, "1 h 00 min"),
        (7_500, "2 h 05 min"),
        (90_000, "1 d 1 h"),
        (-65, "−1 min 05 s"),
        (None, "–"),
    ],
)
def test_a_length_of_time_is_written_in_its_two_largest_units(
    seconds: float | None, text: str
) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("at", "says"),
    [
        (datetime(2026, 12, 31, 22, 59, tzinfo=UTC), "31 déc. 23:59"),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), "1 janv. 2027 00:00"),
        (datetime(2025, 5, 4, 8, 0, tzinfo=UTC), "4 mai 2025 10:00"),
    ],
)
def test_a_time_of_another_year_shows_its_year(site: Site, at: datetime, says: str) -> None:
    """An audit entry of last May is not taken for one of this May; the year is the local one."""
    with site.app.test_request_context("/", headers={"Accept-Language": "fr"}):
        assert local_short(at) == says


@pytest.mark.parametrize(
    ("value", "digits", "says", "places"),
    [
        (-0.3, 0, "0", "0"),
        (-0.04, 1, "0,0", "0.0"),
        (-0.06, 1, "-0,1", "-0.1"),
        (4.5, 2, "4,50", "4.50"),
    ],
)
def test_nothing_has_no_sign_and_places_keep_their_points(
    site: Site, value: float, digits: int, says: str, places: str
) -> None:
    with site.app.test_request_context("/", headers={"Accept-Language": "fr"}):
        assert decimal(value, digits) == says
        assert degrees(value, digits) == places
