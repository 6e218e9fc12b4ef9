"""Drones that share an area by time: who may take off now, and who waits for whom (pure).

The strips lie side by side and their ways home may cross, so only one of the drones is in the air
at a time.  An approved earlier part goes first; whoever flies goes before everybody; after a
landing a gap is kept.  A part that nobody has approved yet, or that was withdrawn,
keeps nobody waiting.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.missions.planner.sharing import TIME_GAP_S, Share
from droneteam.missions.views import MissionState

LONGEST_FLIGHT = timedelta(hours=1)
"""No pack of the team lasts so long: a drone last heard in the air before that is down."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One drone's part of an area that is shared by time.

    heard_at, armed, ended : the drone's latest state for this mission, None and False where it has
    said nothing; landed_at : as its sortie was recorded.
    """

    mission_id: int
    drone_name: str
    share: Share
    state: MissionState
    heard_at: datetime | None = None
    armed: bool = False
    ended: bool = False
    landed_at: datetime | None = None

    @property
    def flown(self) -> bool:
        """Whether its flight is over, as far as is known."""
        done = self.state in (MissionState.FLOWN, MissionState.FAILED)
        return (done or self.ended) and not self.armed

    @property
    def down_at(self) -> datetime | None:
        """When it came down, or was heard last on the ground."""
        known = [at for at in (self.landed_at, self.heard_at) if at is not None]
        return max(known, default=None)


class Wait(enum.StrEnum):
    """What a drone waits for."""

    IN_AIR = "in_air"
    GOES_FIRST = "goes_first"
    APPROVED_FIRST = "approved_first"
    GAP = "gap"


_SAID = {
    Wait.IN_AIR: "is in the air",
    Wait.GOES_FIRST: "goes first and has not landed",
    Wait.APPROVED_FIRST: "goes first: let it fly, or withdraw it",
    Wait.GAP: f"landed less than {TIME_GAP_S:.0f} s ago",
}


@dataclass(frozen=True, slots=True)
class TurnBar:
    """A drone that another one waits for, and what for; at : when it was heard last or landed."""

    wait: Wait
    drone_name: str
    mission_id: int
    part: int
    at: datetime | None = None

    def __str__(self) -> str:
        when = "" if self.at is None else f" ({self.at:%H:%M:%S} UTC)"
        other = f"{self.drone_name} (mission {self.mission_id}, part {self.part})"
        return f"the area is shared by time with {other}, which {_SAID[self.wait]}{when}"


def turn_bars(own: Turn, others: Sequence[Turn], now: datetime) -> tuple[TurnBar, ...]:
    """Why the drone must not take off now, one bar for each drone that it waits for."""
    found = ((_wait(own, other, now), other) for other in others)
    return tuple(
        TurnBar(wait, other.drone_name, other.mission_id, other.share.part, _at(wait, other))
        for wait, other in found
        if wait is not None
    )


def _wait(own: Turn, other: Turn, now: datetime) -> Wait | None:
    earlier = other.share.part < own.share.part
    if other.armed:
        heard_at = other.heard_at
        return Wait.IN_AIR if heard_at is None or now - heard_at <= LONGEST_FLIGHT else None
    if other.flown:
        down_at = other.down_at
        gap = down_at is not None and 0.0 <= (now - down_at).total_seconds() < TIME_GAP_S
        return Wait.GAP if gap else None
    if other.state is MissionState.FLYING and earlier:
        return Wait.GOES_FIRST
    if other.state is MissionState.APPROVED and earlier:
        return Wait.APPROVED_FIRST
    return None


def _at(wait: Wait, other: Turn) -> datetime | None:
    return {Wait.IN_AIR: other.heard_at, Wait.GAP: other.down_at}.get(wait)
