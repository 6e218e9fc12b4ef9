"""A plan as a picture: lanes of drones, pilots and packs, and bars where their times are (pure).

The picture is drawn by a template on the server, so that it is there without scripts, prints and
has a table twin; the island moves the bars of the same picture.  All groups of a schedule share
one axis, which runs on instants: a day on which the clocks change is 23 or 25 hours wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from droneteam.errors import InputError
from droneteam.fleet.schedule import Shade
from droneteam.fleet.terms import Window

WIDTH = 1104.0
LABEL_PX = 78.0
"""What a day's name or the word at now takes at most."""
HEAD_HEIGHT = 40.0
LANE_HEIGHT = 48.0
"""A bar and its margins; with the bar's own 44 it is a target for a finger."""
_BAR_MARGIN = 2.0
_MIN_BAR_WIDTH = 4.0
_HIT_WIDTH = 44.0
_CHARACTER_WIDTH = 7.0
_STEP_H = {"day": 2, "week": 12}

Zoom = Literal["day", "week"]
ZOOMS: dict[str, int] = {"day": 1, "week": 7}
"""How many local days each shows."""
State = Literal["planned", "started", "trouble", "changed", "won", "before"]
MARKS: dict[State, str] = {
    "planned": "",
    "started": "▶",
    "trouble": "⚠",
    "changed": "↔",
    "won": "+",
    "before": "–",
}
"""The sign before a bar's name: no state is told by its colour alone."""


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work in one lane.

    lane : the lane's key, "drone:3"; key : what the piece is, the same in every lane
    taken_at, free_at : the lane is out from the one to the other
    detail : all that a tooltip and a screen reader say
    """

    lane: str
    key: str
    label: str
    detail: str
    taken_at: datetime
    start_at: datetime
    end_at: datetime
    free_at: datetime
    state: State = "planned"


@dataclass(frozen=True, slots=True)
class LaneName:
    """A lane: its key, what it is called, and what is to be known of it."""

    key: str
    name: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A span, placed; x to width is the work, out_x to out_width the whole absence."""

    span: Span
    x: float
    y: float
    width: float
    height: float
    out_x: float
    out_width: float
    hit_x: float
    hit_width: float
    label: str
    row: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A time on the axis; day_starts where a date is written, text where an hour is."""

    at: datetime
    x: float
    day_starts: bool
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A shaded stretch of the ground."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One group's picture in pixels; now_x is None where now lies outside."""

    width: float
    height: float
    lanes: tuple[LaneName, ...]
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    blocks: tuple[Block, ...]
    now_x: float | None

    @property
    def now_text(self) -> tuple[float, str]:
        """Where the word at now stands, and its anchor: clear of the edge and of a day's name."""
        now_x = self.now_x or 0.0
        names = [tick.x for tick in self.ticks if tick.day_starts]
        right, left = now_x + 3, now_x - 3
        for begin, placed in ((right, (right, "start")), (left - LABEL_PX, (left, "end"))):
            inside = 0 <= begin <= self.width - LABEL_PX
            if inside and all(abs(begin - name) >= LABEL_PX for name in names):
                return placed
        return max((name for name in names if name <= now_x), default=0.0) + LABEL_PX, "start"


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that is shown, from one local midnight to another."""

    window: Window
    zoom: Zoom
    zone: ZoneInfo

    @property
    def px_per_min(self) -> float:
        """The scale."""
        return WIDTH / ((self.window.end_at - self.window.start_at) / timedelta(minutes=1))

    def x_of(self, at: datetime) -> float:
        """Where the instant lies, in pixels; outside the picture too."""
        minutes = (at - self.window.start_at) / timedelta(minutes=1)
        return round(minutes * self.px_per_min, 2)


def axis_of(day: date, zoom: str, zone: ZoneInfo) -> Axis:
    """The axis that begins with the local day.

    Raises
    ------
    InputError
        The zoom or the day is none that can be shown.
    """
    if zoom not in ZOOMS:
        raise InputError(f"zoom {zoom!r} is none of {', '.join(ZOOMS)}", field="zoom")
    if not 2000 <= day.year <= 2199:
        raise InputError(f"day {day.isoformat()} outside [2000, 2199]", field="day")
    last = day + timedelta(days=ZOOMS[zoom])
    window = Window(_midnight(day, zone), _midnight(last, zone))
    return Axis(window, "day" if zoom == "day" else "week", zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def chart(
    lanes: Sequence[LaneName],
    spans: Iterable[Span],
    axis: Axis,
    now: datetime,
    shades: Iterable[Shade] = (),
) -> Chart:
    """The picture of the spans that show, each in its lane.

    lanes : in order; a span in no lane is left out
    """
    rows = {lane.key: index for index, lane in enumerate(lanes)}
    window = axis.window
    shown = [
        span
        for span in spans
        if span.lane in rows
        and span.taken_at < window.end_at
        and max(span.free_at, span.end_at) > window.start_at
    ]
    return Chart(
        width=WIDTH,
        height=HEAD_HEIGHT + len(lanes) * LANE_HEIGHT,
        lanes=tuple(lanes),
        bars=tuple(_bar(span, rows[span.lane], axis) for span in shown),
        ticks=_ticks(axis),
        blocks=tuple(_block(shade, axis) for shade in shades),
        now_x=axis.x_of(now) if window.start_at <= now <= window.end_at else None,
    )


def _bar(span: Span, row: int, axis: Axis) -> Bar:
    x = axis.x_of(span.start_at)
    width = max(_MIN_BAR_WIDTH, round(axis.x_of(span.end_at) - x, 2))
    out_x = min(axis.x_of(span.taken_at), x)
    mark = MARKS[span.state]
    hit_width = max(_HIT_WIDTH, width)
    return Bar(
        span=span,
        x=x,
        y=HEAD_HEIGHT + row * LANE_HEIGHT + _BAR_MARGIN,
        width=width,
        height=LANE_HEIGHT - 2.0 * _BAR_MARGIN,
        out_x=out_x,
        out_width=round(max(axis.x_of(span.free_at), x + width) - out_x, 2),
        hit_x=round(x + width / 2.0 - hit_width / 2.0, 2),
        hit_width=hit_width,
        label=_fitting(f"{mark} {span.label}".strip(), width),
        row=row,
    )


def _fitting(text: str, width: float) -> str:
    """As much of the text as the width holds; empty where that says nothing."""
    fits = int((width - 8.0) / _CHARACTER_WIDTH)
    if len(text) <= fits:
        return text
    return f"{text[: fits - 1]}…" if fits >= 3 else ""


def _block(shade: Shade, axis: Axis) -> Block:
    x = axis.x_of(shade.start_at)
    return Block(shade.kind, x, round(axis.x_of(shade.end_at) - x, 2))


@lru_cache(maxsize=16)
def _ticks(axis: Axis) -> tuple[Tick, ...]:
    """Whole local hours; midnights carry the date, the hour after a change of clocks its zone."""
    hours = _local_hours(axis)
    local = [at.astimezone(axis.zone) for at in hours]
    ticks = []
    for index, (at, there) in enumerate(zip(hours, local, strict=True)):
        changed = index > 0 and there.utcoffset() != local[index - 1].utcoffset()
        starts = there.hour == 0 and (index == 0 or local[index - 1].hour != 0)
        written = changed or there.hour % _STEP_H[axis.zoom] == 0
        if starts or written:
            text = f"{there.hour:02d} {there.tzname()}" if changed else f"{there.hour:02d}"
            ticks.append(Tick(at, axis.x_of(at), starts, text if written else ""))
    return tuple(ticks)


def _local_hours(axis: Axis) -> list[datetime]:
    count = (axis.window.end_at - axis.window.start_at) // timedelta(hours=1)
    return [axis.window.start_at + timedelta(hours=n) for n in range(count)]
