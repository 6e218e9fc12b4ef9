"""Daylight: night begins at the end of civil twilight, as aviation counts it (pure).

Regulation (EU) 2019/947, article 2 with 923/2012, article 2(97): night lies between the end of
evening and the beginning of morning civil twilight, when the sun's centre is 6° below the
horizon.  The sun's elevation is a function of the instant, so that summer time cannot bend it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from astral import Observer
from astral.sun import elevation

from droneteam.fleet.problem import Place
from droneteam.fleet.terms import Window

CIVIL_TWILIGHT_DEG = -6.0
_STEP = timedelta(minutes=5)
_SCAN = timedelta(hours=1)
"""Shorter than any twilight or night that would otherwise be stepped over south of 65°."""
_EXACT = timedelta(seconds=1)


def is_daylight(at: datetime, place: Place) -> bool:
    """True from the beginning of morning to the end of evening civil twilight."""
    observer = Observer(place.lat_deg, place.lon_deg)
    return bool(elevation(observer, at, with_refraction=False) >= CIVIL_TWILIGHT_DEG)


def dark_from(window: Window, place: Place) -> datetime | None:
    """The first moment of the window that lies in the night, to 5 min; None where none does."""
    at = window.start_at
    while at < window.end_at:
        if not is_daylight(at, place):
            return at
        at += _STEP
    return None


def daylight(from_at: datetime, until: datetime, place: Place) -> tuple[Window, ...]:
    """Every stretch of daylight that touches the time between, to the second and in order."""
    first, last = from_at.astimezone(UTC).date(), until.astimezone(UTC).date()
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    joined: list[Window] = []
    for window in (w for day in days for w in _light_of_day(day, place)):
        if joined and joined[-1].end_at == window.start_at:
            joined[-1] = Window(joined[-1].start_at, window.end_at)
        else:
            joined.append(window)
    return tuple(w for w in joined if w.start_at < until and w.end_at > from_at)


@lru_cache(maxsize=4096)
def _light_of_day(day: date, place: Place) -> tuple[Window, ...]:
    """The daylight between two midnights of UTC."""
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    marks = [midnight + n * _SCAN for n in range(24)] + [midnight + timedelta(days=1)]
    lit = [is_daylight(at, place) for at in marks]
    edges = [
        _edge(before, after, place)
        for before, after, was, is_lit in zip(marks, marks[1:], lit, lit[1:], strict=False)
        if was != is_lit
    ]
    bounds = [*([midnight] if lit[0] else []), *edges, *([marks[-1]] if lit[-1] else [])]
    return tuple(
        Window(start_at, end_at)
        for start_at, end_at in zip(bounds[::2], bounds[1::2], strict=True)
        if start_at < end_at
    )


def _edge(before: datetime, after: datetime, place: Place) -> datetime:
    """The change between day and night that lies between the two, by halving."""
    was = is_daylight(before, place)
    while after - before > _EXACT:
        middle = before + (after - before) / 2
        if is_daylight(middle, place) == was:
            before = middle
        else:
            after = middle
    return (before if was else after).replace(microsecond=0)
