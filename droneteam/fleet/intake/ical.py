"""Calendars as iCalendar text (RFC 5545, with the refresh interval of RFC 7986) (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from icalendar import Calendar, Event

REFRESH = timedelta(minutes=15)
PRODUCT = "-//droneteam//fleet//EN"


@dataclass(frozen=True, slots=True)
class Entry:
    """One task in a calendar.

    uid : the same for the same task in every version of the calendar
    sequence : rises when the task is planned anew, so that programs show the newest
    """

    uid: str
    summary: str
    description: str
    start_at: datetime
    end_at: datetime
    lat_deg: float
    lon_deg: float
    status: Literal["CONFIRMED", "TENTATIVE", "CANCELLED"]
    sequence: int
    changed_at: datetime


def calendar_text(name: str, entries: Iterable[Entry], now: datetime) -> bytes:
    """The calendar as a file; times are in UTC, so that it needs no time zone definition."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for entry in entries:
        calendar.add_component(_event(entry, now))
    text: bytes = calendar.to_ical()
    return text


def _event(entry: Entry, now: datetime) -> Event:
    event = Event()
    event.add("uid", entry.uid)
    event.add("dtstamp", now.astimezone(UTC))
    event.add("last-modified", entry.changed_at.astimezone(UTC))
    event.add("sequence", entry.sequence)
    event.add("dtstart", entry.start_at.astimezone(UTC))
    event.add("dtend", entry.end_at.astimezone(UTC))
    event.add("summary", entry.summary)
    event.add("description", entry.description)
    event.add("location", f"{entry.lat_deg:.5f}, {entry.lon_deg:.5f}")
    event.add("geo", (round(entry.lat_deg, 6), round(entry.lon_deg, 6)))
    event.add("status", entry.status)
    return event
