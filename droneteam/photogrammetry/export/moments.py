"""The moment that a report or a diagram states, as people read it: local time with its zone."""

from __future__ import annotations

from datetime import datetime

from droneteam import dates
from droneteam.photogrammetry.export.numbers import Language

CAMERA_CLOCK = {
    "nl": "klok van de camera, tijdzone niet vermeld",
    "fr": "horloge de l’appareil, fuseau non indiqué",
    "en": "camera's clock, zone not stated",
}


def moment_words(at: datetime, language: Language, *, camera_clock: bool) -> str:
    """Day, time and zone, "14 mei 2026 om 11:30 CEST".

    camera_clock : the time is what a camera's clock showed, in a zone that it does not state, read
    as if it were UTC; it is shown as it was and said to be that.
    """
    if camera_clock:
        return f"{dates.wall_words(at, language)} ({CAMERA_CLOCK[language]})"
    return dates.moment_words(at, language)


def day_of(at: datetime, *, camera_clock: bool) -> list[int]:
    """Year, month and day on that clock."""
    there = at if camera_clock else at.astimezone(dates.LOCAL_ZONE)
    return [there.year, there.month, there.day]
