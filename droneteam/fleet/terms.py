"""The words of the fleet: kinds, states, priority classes, time windows and reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from droneteam.errors import InputError

BRUSSELS = ZoneInfo("Europe/Brussels")
PRIORITIES = ("P0", "P1", "P2", "P3", "P4")
"""From a life in danger (P0) to training and planned routine (P4)."""

Param = str | int | float
"""What a reason's parameter may be; times are ISO 8601 strings in UTC."""


class RequestKind(StrEnum):
    """What a zone asks the drone team for."""

    EVENT = "event"
    DEMONSTRATION = "demonstration"
    SEARCH = "search"
    PHOTOGRAMMETRY = "photogrammetry"
    RECONNAISSANCE = "reconnaissance"
    PLANTATION = "plantation"
    TRAINING = "training"


class RequestState(StrEnum):
    """Where a request stands; ``lifecycle`` holds the moves between them."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ACKNOWLEDGED = "acknowledged"
    TRIAGED = "triaged"
    PLANNED = "planned"
    WAITLISTED = "waitlisted"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    DISPLACED = "displaced"
    IN_PROGRESS = "in_progress"
    FULFILLED = "fulfilled"
    PARTLY = "partly"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is so: a code that the languages translate, and its parameters."""

    code: str
    params: Mapping[str, Param] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time, [start_at, end_at)."""

    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        check_aware(self.start_at, "start_at")
        check_aware(self.end_at, "end_at")
        if self.end_at <= self.start_at:
            raise InputError(
                f"the end {self.end_at.isoformat()} is not after the start "
                f"{self.start_at.isoformat()}",
                field="end_at",
            )

    @property
    def minutes(self) -> int:
        """Whole minutes, rounded up."""
        return minutes_between(self.start_at, self.end_at)

    def overlaps(self, other: Window) -> bool:
        """True where the two share a moment; touching ends do not."""
        return self.start_at < other.end_at and other.start_at < self.end_at


def check_aware(at: datetime, name: str) -> None:
    """Nothing, when the time knows its zone.

    Raises
    ------
    InputError
        Names the field.
    """
    if at.tzinfo is None or at.utcoffset() is None:
        raise InputError(f"{name} {at.isoformat()} has no time zone", field=name)


def check_priority(priority: str) -> None:
    """Nothing, when it is one of P0 to P4; InputError otherwise."""
    if priority not in PRIORITIES:
        allowed = ", ".join(PRIORITIES)
        raise InputError(f"priority {priority!r} is none of {allowed}", field="priority")


def minutes_between(start_at: datetime, end_at: datetime) -> int:
    """Whole minutes from one time to the other, rounded up."""
    return -((start_at - end_at) // timedelta(minutes=1))
