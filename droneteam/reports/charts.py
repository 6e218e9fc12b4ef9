"""The yearly report's charts as shares of an axis; the table below each says the same (pure).

A chart is drawn with lines and areas by ``yearly.typ``; nothing here knows of points or paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from droneteam.errors import InputError
from droneteam.fleet.performance.statistics import Share

_MANTISSAS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: how far it goes along the axis, and what is written at its end.

    share : of the axis, 0 to 1; low, high : the ends of its interval, or None
    """

    label: str
    share: float
    text: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("share", self.share), ("low", self.low), ("high", self.high)):
            if value is not None and not 0.0 <= value <= 1.0:  # also rejects NaN
                raise InputError(f"{name} {value} of {self.label} outside [0, 1]", field=name)


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars side by side (columns) or below each other (rows), all on one axis from 0.

    measure : what the axis measures; end : what is written at its end
    """

    form: Literal["columns", "rows"]
    measure: str
    end: str
    bars: tuple[Bar, ...]


def counted(
    form: Literal["columns", "rows"], measure: str, rows: Sequence[tuple[str, int]]
) -> Chart | None:
    """A chart of counts on an axis that ends at a round number; None where all are 0."""
    most = axis_end(max((count for _, count in rows), default=0))
    if most == 0:
        return None
    bars = tuple(Bar(label, count / most, str(count)) for label, count in rows)
    return Chart(form, measure, str(most), bars)


def rated(measure: str, end: str, rows: Sequence[tuple[str, Share, str]]) -> Chart | None:
    """A chart of shares with their intervals, those without a case left out; None without any.

    rows : label, share and its text
    """
    bars = tuple(
        Bar(label, share.value, text, *share.interval)
        for label, share, text in rows
        if share.value is not None and share.interval is not None
    )
    return Chart("rows", measure, end, bars) if bars else None


def axis_end(most: int) -> int:
    """The smallest number of one round digit that no count exceeds; 0 for nothing."""
    if most <= 0:
        return 0
    size = 1
    while most > 10 * size:
        size *= 10
    return next(size * mantissa for mantissa in _MANTISSAS if most <= size * mantissa)
