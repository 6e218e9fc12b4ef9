"""When a zone applies within a day: the schedules of ED-269 and ED-318, with the sun's events.

A daily period names weekdays and an edge on either side.  An edge is a clock time or an event of
the sun (ED-318, CodeDaylightEventType): BMCT and EECT, when the sun's centre is 6° below the
horizon in the morning and in the evening; SR and SS, when its upper edge is seen on the horizon,
0.833° below it with refraction.  A period belongs to the day on which it begins; one whose end is
not after its beginning ends on the next day.

What a period leaves unsaid counts against flying: a missing edge is the day's end, and where the
sun does not reach an event on a day the period has no edge on that side. A clock time that a clock
change repeats or leaves out has two readings; the period lasts from the earlier to the later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from droneteam.errors import InputError

LOCAL_ZONE = ZoneInfo("Europe/Brussels")
"""What a clock time without a zone is read in: the authority's legal time."""
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_DAY = timedelta(days=1)
_WEEK = timedelta(days=8)
"""A span as long as this meets every weekday, whatever the time zone."""
_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)


class SunEvent(StrEnum):
    """A moment of the day that the sun sets."""

    BMCT = "BMCT"
    SR = "SR"
    SS = "SS"
    EECT = "EECT"

    @property
    def elevation_deg(self) -> float:
        """Where the sun's centre is then."""
        return -6.0 if self in (SunEvent.BMCT, SunEvent.EECT) else -0.833

    @property
    def morning(self) -> bool:
        """Whether the sun rises at it."""
        return self in (SunEvent.BMCT, SunEvent.SR)


_Pick = Callable[[Iterator[datetime]], datetime]
Edge = time | SunEvent | None
"""None: the beginning or the end of the day."""


@dataclass(frozen=True, slots=True)
class DailyPeriod:
    """Hours of some weekdays.

    days : Monday is 0; empty for every day. start, end : a clock time carries its zone, or none
    for LOCAL_ZONE.
    """

    days: frozenset[int] = frozenset()
    start: Edge = None
    end: Edge = None

    def __post_init__(self) -> None:
        if not self.days <= frozenset(range(7)):
            raise InputError(
                "weekdays {found} outside 0 to 6", field="days", found=sorted(self.days)
            )

    @property
    def zone(self) -> tzinfo:
        """The zone in which its days begin: that of its first clock time."""
        clocks = (edge for edge in (self.start, self.end) if isinstance(edge, time))
        return next((one.tzinfo for one in clocks if one.tzinfo is not None), LOCAL_ZONE)

    def span(self, day: date, lat_deg: float, lon_deg: float) -> tuple[datetime, datetime]:
        """Its hours on a day, in UTC; at a place, for the sun's events."""
        place = (lat_deg, lon_deg)
        midnight = _clock(day, time(0), self.zone, min)
        first = _edge(day, self.start, self.zone, place, min) or midnight
        last = _edge(day, self.end, self.zone, place, max)
        if last is not None and last <= first:
            last = _edge(day + _DAY, self.end, self.zone, place, max)
        return first, last or _clock(day + _DAY, time(0), self.zone, max)


def applies(
    periods: Sequence[DailyPeriod], start: datetime, end: datetime, lat_deg: float, lon_deg: float
) -> bool:
    """Whether any of the periods meets the span from start to end, both included."""
    return any(
        first <= end and last >= start
        for period in periods
        for first, last in _spans(period, start, min(end, start + _WEEK), lat_deg, lon_deg)
    )


def _spans(
    period: DailyPeriod, start: datetime, end: datetime, lat_deg: float, lon_deg: float
) -> Iterator[tuple[datetime, datetime]]:
    """The period's hours on every day that may reach into the span."""
    day = start.astimezone(period.zone).date() - 2 * _DAY
    until = end.astimezone(period.zone).date() + _DAY
    while day <= until:
        if not period.days or day.weekday() in period.days:
            yield period.span(day, lat_deg, lon_deg)
        day += _DAY


def _edge(
    day: date, edge: Edge, zone: tzinfo, place: tuple[float, float], pick: _Pick
) -> datetime | None:
    if isinstance(edge, SunEvent):
        return sun_event(day, edge, *place)
    return None if edge is None else _clock(day, edge, edge.tzinfo or zone, pick)


def _clock(day: date, clock: time, zone: tzinfo, pick: _Pick) -> datetime:
    """A clock time in UTC; where a clock change makes two of it, the one that is picked."""
    naive = datetime.combine(day, clock.replace(tzinfo=None))
    return pick(naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def sun_event(day: date, event: SunEvent, lat_deg: float, lon_deg: float) -> datetime | None:
    """When the event is on a day at a place, in UTC; None where the sun does not reach it.

    The hour angle is solved with the sun's place at the moment found, thrice: declination and
    equation of time change by up to 16' and 30 s a day.
    """
    noon = datetime.combine(day, time(12), UTC) - timedelta(hours=lon_deg / 15.0)
    at = noon
    for _ in range(3):
        declination_deg, equation_min = sun_place(at)
        angle = _hour_angle_deg(event.elevation_deg, lat_deg, declination_deg)
        if angle is None:
            return None
        hours = (-angle if event.morning else angle) / 15.0
        at = noon + timedelta(hours=hours, minutes=-equation_min)
    return at


def _hour_angle_deg(elevation_deg: float, lat_deg: float, declination_deg: float) -> float | None:
    lat, declination = math.radians(lat_deg), math.radians(declination_deg)
    share = math.cos(lat) * math.cos(declination)
    if share <= 0.0:
        return None
    height = math.sin(math.radians(elevation_deg)) - math.sin(lat) * math.sin(declination)
    return math.degrees(math.acos(height / share)) if abs(height) <= share else None


def sun_place(at: datetime) -> tuple[float, float]:
    """The sun's declination (°) and the equation of time (minutes, apparent less mean).

    Low-precision formulas of the Astronomical Almanac (section C): 0.01° and 0.1 min until 2050.
    """
    days = (at - _J2000) / _DAY
    anomaly = math.radians(357.528 + 0.9856003 * days)
    mean_deg = 280.460 + 0.9856474 * days
    longitude = math.radians(mean_deg + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * days)
    declination_deg = math.degrees(math.asin(math.sin(tilt) * math.sin(longitude)))
    right_deg = math.degrees(math.atan2(math.cos(tilt) * math.sin(longitude), math.cos(longitude)))
    return declination_deg, 4.0 * ((mean_deg - right_deg + 180.0) % 360.0 - 180.0)
