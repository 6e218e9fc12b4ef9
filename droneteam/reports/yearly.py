"""The yearly report: one set of sections for the page, the PDF and the CSV.

`yearly.json` holds the words in Dutch, French and English and `yearly.typ` lays the PDF out;
this module turns figures into rows of text, written as the reader's language writes numbers.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import typst
from babel import Locale

from droneteam.dates import moment_words
from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.performance.statistics import SMALL_N, Percentile, Share
from droneteam.fleet.performance.yearly import ClockFigures, YearFigures
from droneteam.reports.charts import Bar, Chart, counted, rated

LANGUAGES = ("nl", "fr", "en")
_UNITS = {"nl": ("d", "u"), "fr": ("j", "h"), "en": ("d", "h")}
"""A day and an hour, as each language shortens them."""
_FILES = ("yearly.typ", "yearly.json")
_SIGNED_NUMBER = re.compile(r"[-+]\d[\d.,]*( ?[%\w]*)$")


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the report.

    key : names the section in every language; words : how many of its columns are no numbers
    chart : shows some of the table, and nothing that it does not say
    """

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    note: str = ""
    chart: Chart | None = None


def words(language: str) -> Mapping[str, str]:
    """The report's words in nl, fr or en; InputError for another language."""
    if language not in LANGUAGES:
        raise InputError(f"language {language!r} is none of {', '.join(LANGUAGES)}")
    return _words()[language]


@cache
def _words() -> dict[str, dict[str, str]]:
    """Every language's words, read once from their file."""
    package = resources.files("droneteam.reports")
    table = json.loads((package / "yearly.json").read_text(encoding="utf-8"))
    return {one: {key: row[one] for key, row in table.items()} for one in LANGUAGES}


def sections(
    figures: YearFigures, organisations: Mapping[int, str], language: str
) -> tuple[Section, ...]:
    """The report's tables in the language.

    organisations : each one's name by id
    """
    t = words(language)
    return (
        _counts(figures, t),
        _kinds(figures, t),
        _months(figures, t, language),
        _clocks(figures, t, language),
        _fulfilment(figures, t, language),
        _zones(figures, organisations, t, language),
        _drones(figures, t, language),
        _forecast(figures, t, language),
    )


def _counts(figures: YearFigures, t: Mapping[str, str]) -> Section:
    counts = figures.counts
    rows = (
        (t["requests"], str(counts.requests)),
        (t["missions"], str(counts.missions)),
        (t["sorties"], str(counts.sorties)),
        (t["flights"], str(counts.flights)),
    )
    return Section("counts", t["counts"], (t["what"], t["number"]), rows, note=t["counts_note"])


def _kinds(figures: YearFigures, t: Mapping[str, str]) -> Section:
    rows = tuple(
        (t[kind.value], str(figures.requests_by_kind[kind]), str(missions))
        for kind, missions in figures.missions_by_kind.items()
    )
    chart = counted(
        "rows",
        t["missions"],
        [(t[kind.value], count) for kind, count in figures.missions_by_kind.items()],
    )
    columns = (t["kind"], t["requests"], t["missions"])
    return Section("kinds", t["kinds"], columns, rows, chart=chart)


def _months(figures: YearFigures, t: Mapping[str, str], language: str) -> Section:
    counted_months = list(zip(month_names(language), figures.missions_by_month, strict=True))
    rows = tuple((name, str(count)) for name, count in counted_months)
    chart = counted("columns", t["missions"], counted_months)
    return Section("months", t["months"], (t["month"], t["missions"]), rows, chart=chart)


def month_names(language: str, width: Literal["wide", "abbreviated"] = "wide") -> tuple[str, ...]:
    """January to December as the language calls them."""
    names = Locale.parse(language).months["stand-alone"][width]
    return tuple(str(names[month]) for month in range(1, 13))


def _clocks(figures: YearFigures, t: Mapping[str, str], language: str) -> Section:
    columns = (t["priority"], t["clock"], "n", "P50", "P90", "P95", t["kept"])
    rows = tuple(_clock_row(row, t, language) for row in figures.clocks if row.kept.n)
    kept = [
        (f"{row.priority} {t[row.clock]}", row.kept, _rate(row.kept, language))
        for row in figures.clocks
    ]
    chart = rated(t["kept"], percent(1.0, language), kept)
    return Section("clocks", t["clocks"], columns, rows, 2, t["clocks_note"], chart)


def _clock_row(row: ClockFigures, t: Mapping[str, str], language: str) -> tuple[str, ...]:
    n = row.kept.n
    mark = "*" if n < SMALL_N else ""
    waits = tuple(_wait(wait, language) for wait in row.waits)
    return (row.priority, t[row.clock], f"{n}{mark}", *waits, share_text(row.kept, language))


def _wait(found: Percentile, language: str) -> str:
    if found.value is None:
        return "–"
    low = "…" if found.low is None else length_text(found.low, language)
    high = "…" if found.high is None else length_text(found.high, language)
    return f"{length_text(found.value, language)} ({low} – {high})"


def _fulfilment(figures: YearFigures, t: Mapping[str, str], language: str) -> Section:
    rows = (
        (t["raw"], share_text(figures.fulfilment.raw, language)),
        (t["adjusted"], share_text(figures.fulfilment.adjusted, language)),
        (t["cancelled_after_breach"], str(figures.cancelled_after_breach)),
        (t["jain"], number(figures.jain, 3, language)),
        (t["gap"], number(figures.gap, 3, language)),
    )
    title = f"{t['fulfilment']} · {t['fairness']}"
    columns = (t["what"], t["number"])
    return Section("fulfilment", title, columns, rows, note=t["fulfilment_note"])


def _zones(
    figures: YearFigures, names: Mapping[int, str], t: Mapping[str, str], language: str
) -> Section:
    columns = (
        t["zone"],
        t["requests"],
        t["missions"],
        t["crew_hours"],
        t["adjusted"],
        t["displaced"],
        t["displaced_more"],
    )
    rows = tuple(
        (
            names.get(row.organisation_id, str(row.organisation_id)),
            str(row.requests),
            str(row.missions),
            number(row.crew_min / 60, 1, language),
            share_text(row.fulfilment.adjusted, language),
            str(row.displaced),
            signed(row.displaced_more, 1, language),
        )
        for row in figures.zones
    )
    adjusted = [
        (
            names.get(row.organisation_id, str(row.organisation_id)),
            row.fulfilment.adjusted,
            _rate(row.fulfilment.adjusted, language),
        )
        for row in figures.zones
    ]
    chart = rated(f"{t['fulfilment']}, {t['adjusted']}", percent(1.0, language), adjusted)
    return Section("zones", t["zones"], columns, rows, note=t["displaced_note"], chart=chart)


def _drones(figures: YearFigures, t: Mapping[str, str], language: str) -> Section:
    columns = (t["drone"], t["flights"], t["hours"], t["availability"], t["utilisation"])
    rows = tuple(
        (
            row.name,
            str(row.flights),
            number(row.flight_min / 60, 1, language),
            percent(row.availability, language),
            percent(row.utilisation, language),
        )
        for row in figures.drones
    )
    bars = tuple(
        Bar(row.name, row.availability, percent(row.availability, language))
        for row in figures.drones
    )
    chart = Chart("rows", t["availability"], percent(1.0, language), bars) if bars else None
    return Section("drones", t["drones"], columns, rows, chart=chart)


def _forecast(figures: YearFigures, t: Mapping[str, str], language: str) -> Section:
    both = (
        (t["start_delay"], figures.forecast.start_delay_min),
        (t["overrun"], figures.forecast.overrun_min),
    )
    rows = tuple(
        (name, _n(found[0]), *(_wait(_in_seconds(one), language) for one in found))
        for name, found in both
    )
    columns = (t["what"], "n", "P50", "P90", "P95")
    return Section("forecast", t["forecast"], columns, rows, note=t["small"])


def _in_seconds(found: Percentile) -> Percentile:
    """A percentile of minutes as one of seconds."""
    values = (found.value, found.low, found.high)
    value, low, high = (None if one is None else 60.0 * one for one in values)
    return replace(found, value=value, low=low, high=high)


def _n(found: Percentile) -> str:
    return f"{found.n}{'*' if found.small_n else ''}"


def number(value: float, digits: int, language: str) -> str:
    """A number with a fixed count of decimals; a comma in Dutch and French."""
    text = f"{value:.{digits}f}".replace("-", "−")
    return text if language == "en" else text.replace(".", ",")


def signed(value: float, digits: int, language: str) -> str:
    """A number with its sign; nothing is neither more nor less."""
    text = number(value, digits, language)
    if not text.strip("−0.,"):
        return number(0.0, digits, language)
    return text if value < 0 else f"+{text}"


def percent(value: float, language: str) -> str:
    """A share as a percentage."""
    return f"{number(100 * value, 1, language)} %"


def share_text(share: Share, language: str) -> str:
    """A share with its count and its 95 % interval; a dash without cases."""
    if share.value is None or share.interval is None:
        return "–"
    low, high = (percent(end, language) for end in share.interval)
    return f"{percent(share.value, language)} ({low} – {high}; {share.hits}/{share.n})"


def _rate(share: Share, language: str) -> str:
    """A share alone, as it stands at a bar's end; a star where few cases carry it."""
    mark = "*" if share.n < SMALL_N else ""
    return "" if share.value is None else f"{percent(share.value, language)}{mark}"


def length_text(seconds: float, language: str) -> str:
    """A length of time in its fitting unit: 45 s, 12 min, 3.5 h, 4.2 d."""
    day, hour = _UNITS[language]
    if abs(seconds) < 120:
        return f"{number(seconds, 0, language)} s"
    if abs(seconds) < 7200:
        return f"{number(seconds / 60, 0, language)} min"
    if abs(seconds) < 2 * 86_400:
        return f"{number(seconds / 3600, 1, language)} {hour}"
    return f"{number(seconds / 86_400, 1, language)} {day}"


def title(figures: YearFigures, language: str) -> str:
    """The report's title."""
    return f"{words(language)['report']} {figures.year}"


CELL_ENDS = {"en": ",", "fr": ";", "nl": ";"}
"""Where the comma is the decimal sign, spreadsheets part cells by semicolons."""


def yearly_csv(figures: YearFigures, parts: Sequence[Section], language: str) -> str:
    """The report as CSV (RFC 4180): section, then its columns; one header line per section.

    It is for people: in the language's words, with its decimal sign, and between the cells what a
    spreadsheet of that language expects.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=CELL_ENDS[language])
    writer.writerow([title(figures, language), moment_words(figures.until, language)])
    for part in parts:
        writer.writerow([])
        writer.writerow([part.title])
        writer.writerow([_harmless(cell) for cell in part.columns])
        writer.writerows([_harmless(cell) for cell in row] for row in part.rows)
    return out.getvalue()


def _harmless(cell: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    signed = cell[:1] in ("-", "+") and not _SIGNED_NUMBER.match(cell)
    return f"'{cell}" if signed or cell[:1] in ("=", "@", "\t", "\r") else cell


def yearly_pdf(
    figures: YearFigures, parts: Sequence[Section], made_at: datetime, language: str
) -> bytes:
    """The report as an accessible PDF (PDF/UA-1)."""
    package = resources.files("droneteam.reports")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in _FILES:
            with resources.as_file(package / file) as source:
                shutil.copyfile(source, folder / file)
        data = _data(figures, parts, made_at, language)
        (folder / "data.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        made: bytes = typst.compile(
            folder / "yearly.typ", root=folder, format="pdf", pdf_standards=["ua-1"]
        )
    return made


def _data(
    figures: YearFigures, parts: Sequence[Section], made_at: datetime, language: str
) -> dict[str, Any]:
    """What the template shows."""
    local = to_local(made_at)
    return {
        "language": language,
        "words": words(language),
        "title": title(figures, language),
        "made_at": moment_words(made_at, language),
        "until": moment_words(figures.until, language),
        "date": [local.year, local.month, local.day],
        "sections": [
            {
                "title": part.title,
                "columns": list(part.columns),
                "rows": [list(row) for row in part.rows],
                "words": part.words,
                "note": part.note,
                "chart": None if part.chart is None else asdict(part.chart),
            }
            for part in parts
        ],
    }
