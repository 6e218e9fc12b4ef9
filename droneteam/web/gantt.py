"""The plan as a picture: lanes and bars in the coordinates of an SVG, nothing else (pure).

The picture is drawn by a template on the server, so that it is there without scripts, prints,
and has a table twin with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LABEL_WIDTH = 150.0
WIDTH = 1100.0
HEAD_HEIGHT = 40.0
LANE_HEIGHT = 34.0
_BAR_MARGIN = 5.0
_MIN_BAR_WIDTH = 3.0
_STEPS_H = (1, 2, 3, 6, 12, 24, 48, 96)
_MAX_TICKS = 16
_MARGIN = timedelta(minutes=30)

_Axis = Callable[[datetime], float]


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work in one lane.

    depart_at : when the way there begins; the bar proper runs from start_at to end_at.
    """

    lane: str
    label: str
    url: str
    depart_at: datetime
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Bar:
    """A span, placed."""

    span: Span
    x: float
    y: float
    width: float
    height: float
    travel_x: float
    label: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis; day_starts where a date is to be written."""

    at: datetime
    x: float
    day_starts: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the picture."""

    name: str
    y: float
    odd: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The whole picture in units of the SVG's view box; now_x is None where now lies outside."""

    width: float
    height: float
    lanes: tuple[Lane, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    now_x: float | None


def chart(lanes: Sequence[str], spans: Sequence[Span], now: datetime, zone: ZoneInfo) -> Chart:
    """The picture of the spans, each in its lane, on one time axis.

    lanes : in order; a span's lane that is missing is added at the end.
    """
    names = list(dict.fromkeys([*lanes, *(span.lane for span in spans)]))
    first, last = _extent(spans, now)
    scale = (WIDTH - LABEL_WIDTH) / (last - first).total_seconds()

    def x_of(at: datetime) -> float:
        return round(LABEL_WIDTH + (at - first).total_seconds() * scale, 2)

    rows = {name: HEAD_HEIGHT + index * LANE_HEIGHT for index, name in enumerate(names)}
    bars = tuple(_bar(span, rows[span.lane], x_of(span.depart_at), x_of) for span in spans)
    return Chart(
        width=WIDTH,
        height=HEAD_HEIGHT + len(names) * LANE_HEIGHT,
        lanes=tuple(Lane(name, rows[name], i % 2 == 1) for i, name in enumerate(names)),
        bars=bars,
        ticks=tuple(_ticks(first, last, zone, x_of)),
        now_x=x_of(now) if first <= now <= last else None,
    )


def _extent(spans: Sequence[Span], now: datetime) -> tuple[datetime, datetime]:
    """The stretch of time to show: all spans with a margin, or the next twelve hours."""
    if not spans:
        return now, now + timedelta(hours=12)
    first = min(span.depart_at for span in spans) - _MARGIN
    last = max(span.end_at for span in spans) + _MARGIN
    return first, max(last, first + timedelta(hours=4))


def _bar(span: Span, top: float, travel_x: float, x_of: _Axis) -> Bar:
    x = x_of(span.start_at)
    width = max(_MIN_BAR_WIDTH, x_of(span.end_at) - x)
    fits = int(width / 7.0)  # a character is about 7 units wide at 12 px
    label = span.label if len(span.label) <= fits else span.label[: max(0, fits - 1)] + "…"
    return Bar(
        span=span,
        x=x,
        y=top + _BAR_MARGIN,
        width=round(width, 2),
        height=LANE_HEIGHT - 2.0 * _BAR_MARGIN,
        travel_x=travel_x,
        label=label if fits >= 3 else "",
    )


def _ticks(first: datetime, last: datetime, zone: ZoneInfo, x_of: _Axis) -> list[Tick]:
    """Whole local hours, at most 16 of them; local midnights carry the date."""
    hours = (last - first).total_seconds() / 3600.0
    step_h = next((step for step in _STEPS_H if hours / step <= _MAX_TICKS), _STEPS_H[-1])
    local = first.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    ticks = []
    for count in range(int(hours / step_h) + 26):
        # Local wall time, so that midnight stays midnight when the clocks change.
        at = midnight + timedelta(hours=count * step_h)
        if first <= at <= last:
            ticks.append(Tick(at, x_of(at), at.hour == 0))
    if ticks and not any(tick.day_starts for tick in ticks):
        ticks[0] = Tick(ticks[0].at, ticks[0].x, day_starts=True)
    return ticks
