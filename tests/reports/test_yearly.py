"""The golden year: 313 missions, 27 of them photogrammetries, in three languages and forms."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest

from droneteam.errors import InputError
from droneteam.fleet.agreement.sla import parse
from droneteam.fleet.performance.journeys import Step, clocks_of, journeys
from droneteam.fleet.performance.yearly import Held, YearFigures, year_bounds, year_figures
from droneteam.fleet.reference import SLA_V1
from droneteam.fleet.terms import RequestKind
from droneteam.fleet.terms import RequestState as S
from droneteam.reports import yearly
from tests.fleet.year_events import Year, year_events

YEAR, MISSIONS, PHOTOGRAMMETRIES = 2027, 313, 27
SLA = parse(SLA_V1)
MADE_AT = datetime(2028, 1, 10, 9, 0, tzinfo=UTC)
NAMES = {zone: f"Zone {zone}" for zone in range(1, 7)}


def figures_of(made: Year, year: int = YEAR) -> YearFigures:
    found = journeys(made.steps, made.asked)
    clocks = {one.request_id: clocks_of(one, SLA, (), year_bounds(year)[1]) for one in found}
    drones = [Held(number, f"drone-{number:02d}") for number in range(1, 11)]
    return year_figures(year, found, clocks, made.flights, drones, MADE_AT)


@pytest.fixture(scope="module")
def golden() -> tuple[Year, YearFigures]:
    made = year_events(20270101, YEAR, MISSIONS, PHOTOGRAMMETRIES)
    return made, figures_of(made)


@pytest.mark.parametrize("seed", [1, 2, 3, 20270101])
def test_the_golden_year_has_313_missions_and_27_photogrammetries(seed: int) -> None:
    made = year_events(seed, YEAR, MISSIONS, PHOTOGRAMMETRIES)
    found = figures_of(made)
    assert found.counts.missions == 313
    assert found.missions_by_kind[RequestKind.PHOTOGRAMMETRY] == 27
    assert sum(found.missions_by_kind.values()) == 313
    assert sum(found.missions_by_month) == 313
    assert (found.counts.requests, found.counts.sorties) == (made.requests, made.sorties)
    assert found.counts.flights > found.counts.sorties > found.counts.missions
    assert sum(zone.missions for zone in found.zones) == 313


def test_the_figures_do_not_depend_on_the_events_order(golden: tuple[Year, YearFigures]) -> None:
    made, found = golden
    ordered = replace_steps(made, sorted(made.steps, key=lambda step: (step.at, step.request_id)))
    assert figures_of(ordered) == found


def replace_steps(made: Year, steps: list[Step]) -> Year:
    return Year(steps, made.asked, made.flights, made.requests, made.sorties)


@pytest.mark.parametrize("language", ["nl", "fr", "en"])
def test_page_pdf_and_csv_say_the_same_313_and_27(
    golden: tuple[Year, YearFigures], language: str
) -> None:
    _, found = golden
    parts = yearly.sections(found, NAMES, language)
    t = yearly.words(language)
    by_key = {part.key: {row[0]: row[-1] for row in part.rows} for part in parts}
    assert by_key["counts"][t["missions"]] == "313"
    assert by_key["kinds"][t["photogrammetry"]] == "27"
    text = yearly.yearly_csv(found, parts, language)
    rows = list(csv.reader(io.StringIO(text), delimiter="," if language == "en" else ";"))
    assert {len(row) for row in rows[3:8]} == {2}
    assert [t["missions"], "313"] in rows
    assert any(row[0] == t["photogrammetry"] and row[-1] == "27" for row in rows if row)
    pdf = yearly.yearly_pdf(found, parts, MADE_AT, language)
    assert pdf.startswith(b"%PDF-")
    assert b"/Lang" in pdf
    assert len(pdf) > 20_000


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", "25 October 2026 02:30 CET"),
        ("fr", "25 octobre 2026 02:30 CET"),
        ("nl", "25 oktober 2026 02:30 CET"),
    ],
)
def test_a_reports_times_are_written_as_its_readers_write_them(language: str, says: str) -> None:
    """The second half past two of the night in which clocks go back, told by its zone."""
    assert yearly.moment(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), language) == says


def test_every_word_exists_in_three_languages() -> None:
    table = json.loads((resources.files("droneteam.reports") / "yearly.json").read_text("utf-8"))
    for key, row in table.items():
        assert set(row) == {"en", "nl", "fr"}, key
        assert all(text.strip() for text in row.values()), key
    used = set(
        re.findall(
            r't\["(\w+)"\]', (resources.files("droneteam.reports") / "yearly.py").read_text()
        )
    )
    used |= set(
        re.findall(r"\bt\.(\w+)", (resources.files("droneteam.reports") / "yearly.typ").read_text())
    )
    assert used <= set(table)
    with pytest.raises(InputError):
        yearly.words("de")


def test_numbers_are_written_as_the_language_writes_them() -> None:
    assert yearly.number(1.5, 1, "en") == "1.5"
    assert yearly.number(-1.5, 1, "fr") == "−1,5"
    assert [yearly.length_text(s, "en") for s in (45, 300, 9000, 400_000)] == [
        "45 s",
        "5 min",
        "2.5 h",
        "4.6 d",
    ]
    assert [yearly.length_text(400_000, code) for code in ("fr", "nl")] == ["4,6 j", "4,6 d"]
    assert [yearly.length_text(-41_466, code) for code in ("fr", "nl")] == ["−11,5 h", "−11,5 u"]


def test_months_are_called_by_their_names() -> None:
    assert yearly.month_names("fr")[1] == "février"
    assert yearly.month_names("nl")[2] == "maart"
    assert yearly.month_names("en", "abbreviated")[11] == "Dec"
    assert {len(set(yearly.month_names(code))) for code in yearly.LANGUAGES} == {12}


def test_the_balance_of_displacements_sums_to_nothing_and_finds_who_bears_them(
    golden: tuple[Year, YearFigures],
) -> None:
    _, found = golden
    assert sum(zone.displaced for zone in found.zones) > 20
    assert sum(zone.displaced_more for zone in found.zones) == pytest.approx(0.0, abs=1e-9)
    each = sum(zone.displaced for zone in found.zones) / found.counts.requests
    for zone in found.zones:
        assert zone.displaced_more == pytest.approx(zone.displaced - each * zone.requests)
    assert [yearly.signed(value, 1, "fr") for value in (2.34, -0.5, 0.0, -0.01)] == [
        "+2,3",
        "−0,5",
        "0,0",
        "0,0",
    ]


MINUTES = {"s": 1 / 60, "min": 1.0, "h": 60.0}


def test_planned_against_actual_carries_its_intervals(golden: tuple[Year, YearFigures]) -> None:
    _, found = golden
    (section,) = (p for p in yearly.sections(found, NAMES, "en") if p.key == "forecast")
    for row, exact in zip(
        section.rows,
        (found.forecast.start_delay_min, found.forecast.overrun_min),
        strict=True,
    ):
        assert row[1] == "313"
        for cell, one in zip(row[2:], exact, strict=True):
            shown = re.findall(r"(-?[\d.]+) (s|min|h)\b", cell.replace("−", "-"))
            value, low, high = (float(x) * MINUTES[unit] for x, unit in shown)
            for (x, unit), true in zip(shown, (one.value, one.low, one.high), strict=True):
                digits = len(x.partition(".")[2])
                assert float(x) == pytest.approx(true / MINUTES[unit], abs=0.5 / 10**digits + 1e-9)
            assert low <= value <= high


def test_a_cell_is_never_a_formula() -> None:
    made = year_events(5, YEAR, 10, 2)
    found = figures_of(made)
    parts = yearly.sections(found, dict.fromkeys(NAMES, "=HYPERLINK(1)"), "en")
    assert "\n=" not in yearly.yearly_csv(found, parts, "en")


def test_new_years_eve_belongs_to_the_local_year() -> None:
    """23:30 UTC on 31 December is 00:30 of the next year in Brussels."""
    made = year_events(1, YEAR, 1, 0)
    eve = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    asked = replace(made.asked[1], start_at=eve, end_at=eve + timedelta(hours=1))
    steps = [
        Step(1, eve - timedelta(hours=2), S.SUBMITTED, {}),
        Step(1, eve, S.IN_PROGRESS, {}),
        Step(1, eve + timedelta(hours=1), S.FULFILLED, {}),
    ]
    only = Year(steps, {1: asked}, [])
    assert figures_of(only, 2026).counts.requests == 1
    assert figures_of(only, 2026).counts.missions == 0
    assert figures_of(only, 2027).counts.missions == 1
    assert figures_of(only, 2027).counts.requests == 0


def test_an_empty_year_is_a_report_without_rates() -> None:
    found = figures_of(Year([], {}, []))
    parts = yearly.sections(found, {}, "en")
    assert found.counts.requests == 0
    assert next(part for part in parts if part.key == "clocks").rows == ()
    assert yearly.yearly_pdf(found, parts, MADE_AT, "en").startswith(b"%PDF-")
    with pytest.raises(InputError):
        year_bounds(1999)
