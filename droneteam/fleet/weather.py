"""Weather forecasts as periods: read from CSV or JSON, and which of them hold (pure).

A period says what one source expected when it issued its forecast.  Where several cover a moment,
the one that was issued last holds: a later forecast replaces an earlier one for the hours that
it speaks about, and for no other.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from droneteam.errors import InputError
from droneteam.fleet.agreement.hours import parse_wall
from droneteam.fleet.problem import Forecast
from droneteam.fleet.terms import Window, check_aware

MAX_PERIODS = 2_000
"""Three months by the hour."""
MAX_SOURCE = 60
MAX_GUST_MPS = 120.0
"""The strongest gust ever measured was 113 m/s (WMO, Barrow Island 1996)."""
MAX_RAIN_MM_H = 2_400.0
"""The hardest minute ever measured was 38 mm (WMO, Barot 1970)."""
REACH = timedelta(days=16)
"""No forecast of gusts reaches further than the ECMWF's fifteen days."""
COLUMNS = ("start", "end", "gust_mps", "rain_mm_h")


@dataclass(frozen=True, slots=True)
class Period:
    """What a source expects for one stretch of time.

    gust_mps : the strongest gust at 10 m; rain_mm_h : the hardest rain
    """

    source: str
    issued_at: datetime
    window: Window
    gust_mps: float
    rain_mm_h: float

    def __post_init__(self) -> None:
        if not 0 < len(self.source.strip()) <= MAX_SOURCE:
            raise InputError(f"the source needs 1 to {MAX_SOURCE} characters", field="source")
        check_aware(self.issued_at, "issued_at")
        if self.window.end_at - self.issued_at > REACH:
            raise InputError(
                f"the period ends at {self.window.end_at.isoformat()}, more than {REACH.days} days "
                f"after the forecast was issued at {self.issued_at.isoformat()}",
                field="end_at",
            )
        if self.window.end_at <= self.issued_at:
            raise InputError(
                f"the period ended at {self.window.end_at.isoformat()}, before the forecast was "
                f"issued at {self.issued_at.isoformat()}",
                field="end_at",
            )
        for name, value, most in (
            ("gust_mps", self.gust_mps, MAX_GUST_MPS),
            ("rain_mm_h", self.rain_mm_h, MAX_RAIN_MM_H),
        ):
            if not 0.0 <= value <= most:  # also rejects NaN
                raise InputError(f"{name} {value} outside [0, {most:g}]", field=name)


def in_force(periods: Iterable[Period]) -> tuple[Forecast, ...]:
    """The weather to reckon with, without overlaps and in order of time.

    Of two forecasts that were issued at the same time the stronger gust and the harder rain hold.
    """
    ordered = list(periods)
    edges = sorted({at for p in ordered for at in (p.window.start_at, p.window.end_at)})
    found: list[Forecast] = []
    for start_at, end_at in pairwise(edges):
        window = Window(start_at, end_at)
        covering = [p for p in ordered if p.window.overlaps(window)]
        if covering:
            newest = max(p.issued_at for p in covering)
            held = [p for p in covering if p.issued_at == newest]
            gust_mps = max(p.gust_mps for p in held)
            found.append(Forecast(window, gust_mps, max(p.rain_mm_h for p in held)))
    return _joined(found)


def _joined(found: Iterable[Forecast]) -> tuple[Forecast, ...]:
    """Neighbours of the same weather as one stretch."""
    joined: list[Forecast] = []
    for one in found:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.window.end_at == one.window.start_at
            and (last.gust_mps, last.rain_mm_h) == (one.gust_mps, one.rain_mm_h)
        ):
            joined[-1] = Forecast(
                Window(last.window.start_at, one.window.end_at), one.gust_mps, one.rain_mm_h
            )
        else:
            joined.append(one)
    return tuple(joined)


def read_periods(
    text: str, *, source: str = "", issued_at: datetime | None = None
) -> tuple[Period, ...]:
    """The periods of a forecast file, CSV or JSON.

    JSON: an object with ``source``, ``issued_at`` and ``periods`` (objects of COLUMNS).  CSV: a
    header with COLUMNS; its source and time of issue are given beside it.  Times are local unless
    they carry an offset.

    Raises
    ------
    InputError
        Names the line or the period that cannot be read, or what is missing.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith(("{", "[")):
        return _from_json(text, source, issued_at)
    if issued_at is None:
        raise InputError("say when the forecast was issued", field="issued_at")
    return _from_csv(text, source, issued_at)


def _from_json(text: str, source: str, issued_at: datetime | None) -> tuple[Period, ...]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the forecast is no JSON: {error}", field="file") from error
    if not isinstance(document, dict) or not isinstance(document.get("periods"), list):
        raise InputError("the forecast lacks its list of periods", field="file")
    issued = document.get("issued_at")
    if issued is not None:
        issued_at = parse_wall(str(issued), "issued_at")
    if issued_at is None:
        raise InputError("the forecast lacks issued_at", field="issued_at")
    named = str(document.get("source") or source)
    rows = _counted(document["periods"])
    return tuple(
        _period(row, named, issued_at, f"period {number}")
        for number, row in enumerate(rows, start=1)
    )


def _from_csv(text: str, source: str, issued_at: datetime) -> tuple[Period, ...]:
    head = text.lstrip().split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        names = [name.strip().lower() for name in reader.fieldnames or ()]
        if sorted(names) != sorted(COLUMNS):
            raise InputError(f"the header must name {', '.join(COLUMNS)}", field="file")
        reader.fieldnames = names
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num} is no CSV: {error}", field="file") from error
    _counted(rows)
    return tuple(_period(row, source, issued_at, f"line {number}") for number, row in rows)


def _counted(rows: list[Any]) -> list[Any]:
    if not 1 <= len(rows) <= MAX_PERIODS:
        raise InputError(f"{len(rows)} periods; 1 to {MAX_PERIODS} are allowed", field="file")
    return rows


def _period(row: object, source: str, issued_at: datetime, where: str) -> Period:
    if not isinstance(row, Mapping) or sorted(map(str, row)) != sorted(COLUMNS):
        raise InputError(f"{where} must have {', '.join(COLUMNS)}", field="file")
    try:
        window = Window(parse_wall(str(row["start"]), "start"), parse_wall(str(row["end"]), "end"))
        gust_mps = _number(row["gust_mps"], "gust_mps")
        return Period(source, issued_at, window, gust_mps, _number(row["rain_mm_h"], "rain_mm_h"))
    except InputError as error:
        raise InputError(f"{where}: {error}", field=error.field) from error


def _number(value: object, name: str) -> float:
    try:
        number = float(str(value).strip().replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name} {value!r} is no number", field=name)
    return number
