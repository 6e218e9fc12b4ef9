"""Times as people read and type them: local time with the zone shown, UTC inside."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta, get_timezone_name
from babel.numbers import format_decimal
from flask_babel import get_locale

from droneteam.web.context import context, now
from droneteam.web.i18n import language

_PATTERN = "EEE d MMM yyyy HH:mm"
_SHORT_PATTERN = "d MMM HH:mm"
_DATED_PATTERN = "d MMM y HH:mm"
_CLOCK_PATTERN = "HH:mm:ss"
_UNITS = {"fr": ("j", "h"), "nl": ("d", "u"), "en": ("d", "h")}
"""A day and an hour, as each language shortens them."""


def zone() -> ZoneInfo:
    """The zone that times are shown in."""
    return ZoneInfo(context().settings.time_zone)


def local(at: datetime | None, pattern: str = _PATTERN) -> str:
    """The time in local time, in the visitor's language, with its zone: CET or CEST."""
    if at is None:
        return "–"
    there = at.astimezone(zone())
    return f"{_written(there, pattern)} {there.tzname()}"


def _written(there: datetime, pattern: str) -> str:
    """The local time by the pattern: the clock on the wall is all that it may hold."""
    return _by_pattern(there.replace(tzinfo=None), pattern, language())


@lru_cache(maxsize=16_384)
def _by_pattern(wall: datetime, pattern: str, code: str) -> str:
    # A list's times are the same for all who open it, and half of what writing a row took.
    return str(format_datetime(wall, pattern, locale=code))


def local_short(at: datetime | None) -> str:
    """Day, month and time, with the year where it is another one; the page names the zone."""
    if at is None:
        return "–"
    there = at.astimezone(zone())
    this_year = there.year == now().astimezone(zone()).year
    return _written(there, _SHORT_PATTERN if this_year else _DATED_PATTERN)


def local_clock(at: datetime | None) -> str:
    """Hours, minutes and seconds."""
    if at is None:
        return "–"
    return _written(at.astimezone(zone()), _CLOCK_PATTERN)


def clock_of_iso(text: str) -> str:
    """Hours, minutes and seconds of a time that is already a text in UTC."""
    return local_clock(datetime.fromisoformat(text))


def local_day(at: datetime) -> str:
    """Weekday, day and month."""
    return _written(at.astimezone(zone()), "EEE d MMM")


def local_date(at: datetime) -> str:
    """The local day as an address writes it: 2026-05-04."""
    return at.astimezone(zone()).date().isoformat()


def day_name(day: date) -> str:
    """Weekday, day and month of a date."""
    return str(format_date(day, "EEE d MMM", locale=get_locale()))


def decimal(value: float, digits: int | None = None) -> str:
    """A number as the visitor's language writes it, with a fixed count of decimals if given."""
    form = None if digits is None else f"0.{'0' * digits}"
    return str(format_decimal(_unsigned_zero(value, digits), form, locale=get_locale()))


def degrees(value: float, digits: int = 0) -> str:
    """An angle or a place with points in every language, as other programs read it."""
    return f"{_unsigned_zero(value, digits):.{digits}f}"


def _unsigned_zero(value: float, digits: int | None) -> float:
    """The number; nothing has no sign, and a roll of -0.3° is none."""
    return 0.0 if digits is not None and not round(value, digits) else value


def local_hour(at: datetime) -> str:
    """Hours and minutes."""
    return _written(at.astimezone(zone()), "HH:mm")


def for_input(at: datetime | None) -> str:
    """The value of a datetime-local field."""
    return "" if at is None else at.astimezone(zone()).strftime("%Y-%m-%dT%H:%M")


def for_second(at: datetime | None) -> str:
    """The value of a datetime-local field with seconds."""
    return "" if at is None else at.astimezone(zone()).strftime("%Y-%m-%dT%H:%M:%S")


def iso(at: datetime | None) -> str:
    """RFC 3339 in UTC, for machines."""
    if at is None:
        return ""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def duration(seconds: float | None) -> str:
    """A length of time in the visitor's language: 2 h 05 min, 3 j 4 h, 3 d 4 u, 40 s."""
    return length(seconds, language())


def length(seconds: float | None, language: str) -> str:
    """A length of time in the two largest units; a dash where there is none."""
    if seconds is None:
        return "–"
    day, hour = _UNITS[language]
    total = round(abs(seconds))
    days, rest = divmod(total, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, secs = divmod(rest, 60)
    if days:
        text = f"{days} {day} {hours} {hour}"
    elif hours:
        text = f"{hours} {hour} {minutes:02d} min"
    elif minutes:
        text = f"{minutes} min" if minutes >= 10 else f"{minutes} min {secs:02d} s"
    else:
        text = f"{secs} s"
    return f"−{text}" if seconds < 0 else text


def relative(at: datetime, now: datetime) -> str:
    """In two hours, 5 minutes ago: in the visitor's language."""
    delta: timedelta = at - now
    return str(format_timedelta(delta, add_direction=True, locale=get_locale()))


def zone_name() -> str:
    """The zone's name in the visitor's language."""
    return _zone_name(zone(), language())


@lru_cache(maxsize=8)
def _zone_name(where: ZoneInfo, code: str) -> str:
    return str(get_timezone_name(where, locale=code))


class LocalTimeProblem(ValueError):
    """A local time that does not exist, or that is not a time at all."""


def parse_local(text: str, where: ZoneInfo) -> datetime:
    """The UTC time of what a datetime-local field holds.

    A time that the autumn change repeats means its first pass, as the clocks showed it first.

    Raises
    ------
    LocalTimeProblem
        "format" when the text is no time; "gap" when the spring change leaves it out.
    """
    try:
        naive = datetime.fromisoformat(text.strip())
    except ValueError:
        raise LocalTimeProblem("format") from None
    if naive.tzinfo is not None:
        return _in_utc(naive)
    there = naive.replace(tzinfo=where)
    at = _in_utc(there)
    if at.astimezone(where).replace(tzinfo=None) != naive:
        raise LocalTimeProblem("gap")
    return at


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # at the calendar's edge, where UTC has no such day
        raise LocalTimeProblem("format") from None
