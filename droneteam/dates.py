"""Days and moments as the team's documents write them: the month by its name, local time, its zone.

3/11 is the third of November to one reader and the eleventh of March to another; a document that
may lie before a court years later says "3 november 2026" (pure).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale

LOCAL_ZONE = ZoneInfo("Europe/Brussels")
_AT = {"nl": "om", "fr": "à", "en": "at"}
"""What stands between the day and the hour."""


def day_words(day: date, language: str) -> str:
    """A day in nl, fr or en: "23 november 2026", "1er novembre 2026"."""
    number = "1er" if language == "fr" and day.day == 1 else str(day.day)
    return f"{number} {_months(language)[day.month - 1]} {day.year}"


def wall_words(at: datetime, language: str, *, seconds: bool = False) -> str:
    """What the clock shows that the time is of: "23 november 2026 om 11:30"."""
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    return f"{day_words(at.date(), language)} {_AT[language]} {clock}"


def moment_words(at: datetime, language: str, *, seconds: bool = False) -> str:
    """An aware time in Brussels, with its zone: "23 november 2026 om 11:30 CET"."""
    there = at.astimezone(LOCAL_ZONE)
    return f"{wall_words(there, language, seconds=seconds)} {there:%Z}"


@lru_cache(maxsize=8)
def _months(language: str) -> tuple[str, ...]:
    """January to December, as they stand in a date."""
    names = Locale.parse(language).months["format"]["wide"]
    return tuple(str(names[month]) for month in range(1, 13))
