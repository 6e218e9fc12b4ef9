"""Local time in Brussels: service hours, Belgian holidays and working days (pure).

Instants are aware UTC datetimes; "a day later" and "07:00" are local, so that a clock that
runs over a change to summer time or over midnight still means what people read on the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import holidays

from droneteam.errors import InputError
from droneteam.fleet.terms import BRUSSELS, check_aware

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class ServiceHours:
    """When crews stand ready (core); at all other times they are on call.

    core_prep_min, on_call_prep_min : from the call to the departure, in and outside core hours
    daylight_kinds : the kinds of request that are flown in daylight only
    """

    core_start: time
    core_end: time
    holidays_on_call: bool
    core_prep_min: int = 15
    on_call_prep_min: int = 40
    daylight_kinds: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.core_end <= self.core_start:
            raise InputError(
                f"core hours end {self.core_end} not after their start {self.core_start}",
                field="service_hours.core_end",
            )

    def in_core(self, at: datetime) -> bool:
        """True when crews stand ready at this instant."""
        local = to_local(at)
        if self.holidays_on_call and is_holiday(local.date()):
            return False
        return self.core_start <= local.time() < self.core_end

    def prep_min(self, at: datetime) -> int:
        """Minutes of preparation for a task at this instant."""
        return self.core_prep_min if self.in_core(at) else self.on_call_prep_min


def to_local(at: datetime) -> datetime:
    """The instant on the wall clock of Brussels."""
    check_aware(at, "at")
    return at.astimezone(BRUSSELS)


def from_local(day: date, wall: time) -> datetime:
    """The UTC instant of a wall time; the skipped hour in March moves one hour later."""
    return datetime.combine(day, wall, tzinfo=BRUSSELS).astimezone(UTC)


def parse_wall(text: str, field: str) -> datetime:
    """The UTC instant of a written time: local, unless it carries an offset.

    A time that the autumn change repeats means its first pass.

    Raises
    ------
    InputError
        The text is no time, or the spring change leaves it out.
    """
    try:
        given = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(
            f"{field} {text!r} is no time such as 2026-05-10 14:00", field=field
        ) from None
    if given.tzinfo is not None:
        return given.astimezone(UTC)
    at = from_local(given.date(), given.time())
    if to_local(at).replace(tzinfo=None) != given:
        raise InputError(
            f"{field} {text!r} does not exist: the clocks skip it in spring", field=field
        )
    return at


@cache
def _holidays_of(year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("BE", years=year))


def is_holiday(day: date) -> bool:
    """True on a legal Belgian holiday."""
    return day in _holidays_of(day.year)


def is_working_day(day: date) -> bool:
    """True from Monday to Friday, legal holidays left out."""
    return day.weekday() < _SATURDAY and not is_holiday(day)


def add_days(at: datetime, days: int) -> datetime:
    """The same wall time some days later, or earlier where days is negative."""
    local = to_local(at)
    return from_local(local.date() + timedelta(days=days), local.time())


def add_working_days(at: datetime, days: int, *, opens_at: time) -> datetime:
    """The same wall time that many working days later.

    What arrives on a day off counts as arrived when the next working day opens.
    """
    local = to_local(at)
    day, wall = local.date(), local.time()
    if not is_working_day(day):
        day, wall = _next_working_day(day), opens_at
    for _ in range(days):
        day = _next_working_day(day)
    return from_local(day, wall)


def _next_working_day(day: date) -> date:
    day += timedelta(days=1)
    while not is_working_day(day):
        day += timedelta(days=1)
    return day


def quarter_start(at: datetime) -> datetime:
    """The local midnight with which the instant's calendar quarter began."""
    day = to_local(at).date()
    return from_local(date(day.year, 3 * ((day.month - 1) // 3) + 1, 1), time())


def year_before(at: datetime) -> datetime:
    """The same wall time one year earlier; 29 February becomes the 28th."""
    local = to_local(at)
    day = local.date()
    try:
        earlier = day.replace(year=day.year - 1)
    except ValueError:
        earlier = day.replace(year=day.year - 1, day=28)
    return from_local(earlier, local.time())
