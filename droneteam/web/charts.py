"""Figures as pictures: bars and shares with their intervals, in the pixels of an SVG (pure).

Each picture is drawn by a template on the server and stands beside the table that holds the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from droneteam.fleet.performance.statistics import SMALL_N, Share

WIDTH = 720.0
LABEL_WIDTH = 220.0
TEXT_WIDTH = 130.0
ROW_HEIGHT = 28.0
BARS_HEIGHT = 150.0
_BAR_GAP = 8.0
_TOP = 20.0
_BOTTOM = 22.0


@dataclass(frozen=True, slots=True)
class Column:
    """An upright bar and what stands above and below it."""

    label: str
    text: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A share as a point on its line, with its 95 % interval; small where few cases stand behind.

    x, low_x, high_x : None without a case
    """

    label: str
    text: str
    y: float
    x: float | None
    low_x: float | None
    high_x: float | None
    small: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """Upright bars side by side."""

    width: float
    height: float
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares from 0 to 100 %, one below the other; ticks are (x, per cent)."""

    width: float
    height: float
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, int], ...]


def bars(rows: Sequence[tuple[str, int]]) -> Bars:
    """The counts as bars from a common ground; the highest fills the picture."""
    highest = max((count for _, count in rows), default=0) or 1
    room = BARS_HEIGHT - _TOP - _BOTTOM
    step = WIDTH / max(1, len(rows))
    columns = []
    for index, (label, count) in enumerate(rows):
        height = round(room * count / highest, 2)
        columns.append(
            Column(
                label=label,
                text=str(count),
                x=round(index * step + _BAR_GAP / 2, 2),
                y=round(_TOP + room - height, 2),
                width=round(step - _BAR_GAP, 2),
                height=height,
            )
        )
    return Bars(WIDTH, BARS_HEIGHT, tuple(columns))


def shares(rows: Sequence[tuple[str, Share]], texts: Sequence[str]) -> Shares:
    """The shares with their intervals; texts are what is written at the end of each line."""
    left, right = LABEL_WIDTH, WIDTH - TEXT_WIDTH

    def x_of(share: float) -> float:
        return round(left + share * (right - left), 2)

    marks = []
    for index, ((label, share), text) in enumerate(zip(rows, texts, strict=True)):
        ends = share.interval
        marks.append(
            Mark(
                label=label,
                text=text,
                y=_TOP + ROW_HEIGHT * (index + 0.5),
                x=None if share.value is None else x_of(share.value),
                low_x=None if ends is None else x_of(ends[0]),
                high_x=None if ends is None else x_of(ends[1]),
                small=0 < share.n < SMALL_N,
            )
        )
    ticks = tuple((x_of(percent / 100), percent) for percent in (0, 25, 50, 75, 100))
    return Shares(WIDTH, _TOP + ROW_HEIGHT * len(rows) + 6.0, tuple(marks), ticks)
