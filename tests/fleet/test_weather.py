"""Forecasts: which one holds for each minute, and what a file may say."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from droneteam.errors import Conflict, InputError, NotAllowed
from droneteam.fleet import service
from droneteam.fleet.forecasts import forecasts_in_force
from droneteam.fleet.terms import Window
from droneteam.fleet.weather import Period, in_force, read_periods
from tests.fleet.conftest import NOW, Actors

HOUR = timedelta(hours=1)
TOMORROW = Period("KMI", NOW, Window(NOW + 24 * HOUR, NOW + 30 * HOUR), 14.0, 0.2)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    issued_at = NOW + draw(st.integers(0, 3)) * HOUR
    start = draw(st.integers(4, 20))
    window = Window(NOW + start * HOUR, NOW + (start + draw(st.integers(1, 8))) * HOUR)
    gust, rain = draw(st.integers(0, 30)), draw(st.integers(0, 5))
    return Period("any", issued_at, window, float(gust), float(rain))


@given(st.lists(periods(), max_size=8))
def test_the_forecast_issued_last_holds_for_every_hour(some: list[Period]) -> None:
    """Against the definition itself, hour by hour."""
    held = in_force(some)
    for hour in range(32):
        at = NOW + hour * HOUR
        covering = [p for p in some if p.window.start_at <= at < p.window.end_at]
        found = [f for f in held if f.window.start_at <= at < f.window.end_at]
        assert len(found) == bool(covering)
        if covering:
            newest = max(p.issued_at for p in covering)
            last = [p for p in covering if p.issued_at == newest]
            assert found[0].gust_mps == max(p.gust_mps for p in last)
            assert found[0].rain_mm_h == max(p.rain_mm_h for p in last)
    assert list(held) == sorted(held, key=lambda f: f.window.start_at)


def test_neighbours_of_the_same_weather_are_one_stretch() -> None:
    later = replace(TOMORROW, window=Window(NOW + 30 * HOUR, NOW + 33 * HOUR))
    (joined,) = in_force([later, TOMORROW])
    assert (joined.window.start_at, joined.window.end_at) == (NOW + 24 * HOUR, NOW + 33 * HOUR)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"source": " "}, "source"),
        ({"source": "x" * 61}, "source"),
        ({"gust_mps": -0.1}, "gust_mps"),
        ({"gust_mps": 120.1}, "gust_mps"),
        ({"gust_mps": float("nan")}, "gust_mps"),
        ({"rain_mm_h": float("inf")}, "rain_mm_h"),
        ({"issued_at": NOW + 31 * HOUR}, "end_at"),
        ({"issued_at": NOW.replace(tzinfo=None)}, "issued_at"),
        ({"window": Window(NOW, NOW + timedelta(days=17))}, "end_at"),
        ({"issued_at": NOW - timedelta(days=15)}, "end_at"),
    ],
)
def test_an_impossible_period_names_its_field(changed: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as error:
        replace(TOMORROW, **changed)  # type: ignore[arg-type]
    assert error.value.field == field


CSV = "start;end;gust_mps;rain_mm_h\n2026-05-05 08:00;2026-05-05 14:00;14,5;0\n"


def test_a_file_gives_its_periods_in_local_time() -> None:
    (period,) = read_periods(CSV, source="KMI", issued_at=NOW)
    assert period.window.start_at == datetime(2026, 5, 5, 6, 0, tzinfo=UTC)
    assert (period.gust_mps, period.rain_mm_h) == (14.5, 0.0)
    row = {
        "start": "2026-05-05T06:00:00+00:00",
        "end": "2026-05-05 14:00",
        "gust_mps": 14.5,
        "rain_mm_h": 0,
    }
    document = {"source": "KMI", "issued_at": NOW.isoformat(), "periods": [row]}
    assert read_periods(json.dumps(document)) == (period,)


def test_a_night_of_the_clocks_change_lasts_as_long_as_it_lasts() -> None:
    text = "start,end,gust_mps,rain_mm_h\n2026-10-25 00:00,2026-10-25 06:00,9,0\n"
    october = datetime(2026, 10, 24, tzinfo=UTC)
    (period,) = read_periods(text, source="KMI", issued_at=october)
    assert period.window.minutes == 7 * 60
    with pytest.raises(InputError, match=r"line 2: start .* does not exist"):
        read_periods(
            "start,end,gust_mps,rain_mm_h\n2027-03-28 02:30,2027-03-28 06:00,9,0\n",
            source="KMI",
            issued_at=NOW,
        )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "header must name"),
        ("start,end,gust_mps\n", "header must name"),
        ("start,end,gust_mps,rain_mm_h\n", "0 periods"),
        (CSV + "2026-05-05 14:00;2026-05-05 13:00;1;1\n", "line 3: the end"),
        (CSV + "tomorrow;2026-05-05 13:00;1;1\n", "line 3: start 'tomorrow' is no time"),
        (CSV + "2026-05-05 14:00;2026-05-05 15:00;strong;1\n", "line 3: gust_mps 'strong'"),
        (CSV + "2026-05-05 14:00;2026-05-05 15:00\n", "line 3"),
        (CSV + "2026-05-05 14:00;2026-05-05 15:00;1;1;1\n", "line 3"),
        ("{", "no JSON"),
        ("[]", "lacks its list"),
        ('{"periods": 3}', "lacks its list"),
        ('{"issued_at": "soon", "periods": []}', "issued_at 'soon' is no time"),
        ('{"issued_at": "2026-05-04 10:00", "periods": [[]]}', "period 1 must have"),
        ('{"issued_at": "2026-05-04 10:00", "periods": [{"start": 1}]}', "period 1 must have"),
    ],
)
def test_a_wrong_file_says_where_and_what(text: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_periods(text, source="KMI", issued_at=NOW)
    with pytest.raises(InputError, match="issued"):
        read_periods(CSV, source="KMI")


@given(st.text(max_size=200))
def test_any_text_is_periods_or_an_error_that_says_so(text: str) -> None:
    with contextlib.suppress(InputError):
        assert read_periods(text, source="KMI", issued_at=NOW)


def test_forecasts_are_kept_as_issued_and_the_newest_holds(
    session: Session, actors: Actors
) -> None:
    coordinator = actors["coordinator"]
    (first,) = service.add_forecasts(session, coordinator, [TOMORROW], NOW)
    assert (first.entered_at, first.entered_by) == (NOW, coordinator.user_id)
    calm = replace(TOMORROW, issued_at=NOW + HOUR, gust_mps=6.0)
    service.add_forecasts(session, coordinator, [calm], NOW + HOUR)
    (held,) = forecasts_in_force(session, NOW, NOW + 48 * HOUR)
    assert held.gust_mps == 6.0
    listed = service.list_forecasts(session, actors["pilot"], NOW)
    assert [row.gust_mps for row in listed] == [6.0, 14.0]


def test_the_same_forecast_again_is_known_and_a_correction_takes_a_later_issue(
    session: Session, actors: Actors
) -> None:
    coordinator = actors["coordinator"]
    (first,) = service.add_forecasts(session, coordinator, [TOMORROW], NOW)
    (again,) = service.add_forecasts(session, coordinator, [TOMORROW], NOW)
    assert again.id == first.id
    with pytest.raises(Conflict, match="gusts of 14 m/s"):
        service.add_forecasts(session, coordinator, [replace(TOMORROW, gust_mps=3.0)], NOW)


def test_nobody_forecasts_from_the_future_and_no_zone_at_all(
    session: Session, actors: Actors
) -> None:
    early = replace(TOMORROW, issued_at=NOW + HOUR)
    with pytest.raises(InputError, match="after now"):
        service.add_forecasts(session, actors["coordinator"], [early], NOW)
    with pytest.raises(NotAllowed):
        service.add_forecasts(session, actors["north"], [TOMORROW], NOW)
    with pytest.raises(NotAllowed):
        service.list_forecasts(session, actors["north"], NOW)
