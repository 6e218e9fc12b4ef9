"""How the times in a packet log stand to UTC, and how well that is known; pure.

A vehicle counts from its own start.  Its calendar, told by SYSTEM_TIME, comes from its satellite
receiver and is the best tie to UTC.  Without one the TIMESYNC exchanges tie its clock to ours,
each within half a round trip.  Without those only the times of receipt are left: the quickest
packet was late by an unknown delay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

GPS_LATE_S = 0.2
"""A receiver's time reaches the autopilot's calendar up to one interval late."""
LINK_DELAY_S = 2.0
"""The slowest usable link: what a packet may have been on its way."""
CALENDAR_JUMP_S = 0.25
MS = 0.001
_LATEST_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class TimeBinding:
    """A log's tie to UTC.

    source : "calendar" of the vehicle, "timesync" or "receipt"; zero_at : UTC at which the
    vehicle's clock was zero, within uncertainty_s; ground_offset_s : the vehicle's calendar minus
    ours, within ground_uncertainty_s, None where one of them is unknown; jumps : (when, size in
    seconds) of the vehicle's calendar.
    """

    source: str
    zero_at: datetime
    uncertainty_s: float
    ground_offset_s: float | None = None
    ground_uncertainty_s: float | None = None
    jumps: tuple[tuple[datetime, float], ...] = ()

    def at(self, boot_s: float) -> datetime:
        """UTC of a time on the vehicle's clock."""
        return self.zero_at + timedelta(seconds=boot_s)


@dataclass(frozen=True, slots=True)
class CalendarSample:
    """A SYSTEM_TIME: the vehicle's calendar and clock, and when it was received."""

    unix_s: float
    boot_s: float
    received_s: float


@dataclass(frozen=True, slots=True)
class SyncSample:
    """A TIMESYNC answer: the vehicle's clock, our time at sending and at receipt."""

    boot_s: float
    sent_s: float
    received_s: float

    @property
    def plausible(self) -> bool:
        """Whether it answers a request of the station that wrote the log."""
        return 0.0 <= self.received_s - self.sent_s <= _LATEST_ANSWER_S


def bind_time(
    calendar: Sequence[CalendarSample],
    syncs: Sequence[SyncSample],
    receipts_s: Sequence[float],
) -> TimeBinding | None:
    """The best tie that the samples allow; None without any.

    receipts_s : for packets with a vehicle time, the time of receipt minus that.
    """
    ground = _ground(syncs)
    if calendar:
        return _from_calendar(calendar, ground)
    if ground is not None:
        return TimeBinding("timesync", _utc(ground[0]), round(ground[1] + MS, 4))
    if receipts_s:
        zero_s, spread_s = min(receipts_s), float(np.median(receipts_s)) - min(receipts_s)
        return TimeBinding("receipt", _utc(zero_s), round(spread_s + LINK_DELAY_S, 4))
    return None


def _utc(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)


def _ground(syncs: Sequence[SyncSample]) -> tuple[float, float] | None:
    """Our calendar at the vehicle's zero, and by how much that may be wrong."""
    usable = [one for one in syncs if one.plausible]
    if not usable:
        return None
    best = min(usable, key=lambda one: one.received_s - one.sent_s)
    half_s = 0.5 * (best.received_s - best.sent_s)
    return best.sent_s + half_s - best.boot_s, half_s


def _from_calendar(
    samples: Sequence[CalendarSample], ground: tuple[float, float] | None
) -> TimeBinding:
    """The tie after the last jump of the calendar: what was right before is not known."""
    first_s = samples[0].unix_s - samples[0].boot_s
    zero_s = np.array([one.unix_s - one.boot_s - first_s for one in samples])
    steps = np.flatnonzero(np.abs(np.diff(zero_s)) > CALENDAR_JUMP_S) + 1
    jumps = tuple(
        (_utc(samples[step].received_s), round(float(zero_s[step] - zero_s[step - 1]), 3))
        for step in steps.tolist()
        if samples[step].boot_s >= samples[step - 1].boot_s  # else it restarted: no jump
    )
    settled = zero_s[steps[-1] :] if len(steps) else zero_s
    middle_s = float(np.median(settled))
    spread_s = float(np.max(np.abs(settled - middle_s)))
    offset_s = None if ground is None else first_s + middle_s - ground[0]
    return TimeBinding(
        source="calendar",
        zero_at=_utc(first_s + middle_s),
        uncertainty_s=round(spread_s + MS + GPS_LATE_S, 4),
        ground_offset_s=None if offset_s is None else round(offset_s, 4),
        ground_uncertainty_s=None if ground is None else round(ground[1] + spread_s + MS, 4),
        jumps=jumps,
    )
