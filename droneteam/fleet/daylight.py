"""Daylight: night begins at the end of civil twilight, as aviation counts it (pure).

Regulation (EU) 2019/947, article 2 with 923/2012, article 2(97): night lies between the end of
evening and the beginning of morning civil twilight, when the sun's centre is 6° below the
horizon.  The sun's elevation is a function of the instant, so that summer time cannot bend it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from astral import Observer
from astral.sun import elevation

from droneteam.fleet.problem import Place
from droneteam.fleet.terms import Window

CIVIL_TWILIGHT_DEG = -6.0
_STEP = timedelta(minutes=5)


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
