"""What of the crew's checklist keeps a drone on the ground (pure).

A check that nobody has answered, that somebody answered with no, about which two people differ, or
that was looked at for another shift bars the signatures and the arming.  A coordinator may lift
what stands with a reason; what comes afterwards stands again.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.errors import Conflict
from droneteam.missions.fieldlog import CHECKS, FieldKind, FieldLog

VALID_FOR = timedelta(hours=12)
"""A crew's shift: weather, batteries and people of an earlier one say nothing of this flight.

Counted from the receipt, because a device's clock may be wrong."""


class CheckFault(enum.StrEnum):
    """Why a check bars."""

    OPEN = "open"
    FAILED = "failed"
    DISPUTED = "disputed"
    STALE = "stale"


_SAID = {
    CheckFault.OPEN: "not looked at",
    CheckFault.FAILED: "answered with no",
    CheckFault.DISPUTED: "answered differently by two people",
    CheckFault.STALE: f"looked at more than {VALID_FOR.total_seconds() / 3600:.0f} hours ago",
}


@dataclass(frozen=True, slots=True)
class CheckBar:
    """One check that bars, and why."""

    item: str
    fault: CheckFault

    def __str__(self) -> str:
        return f"{self.item} ({_SAID[self.fault]})"


class ChecklistUnmet(Conflict):
    """The crew's checklist does not allow a take-off; bars : which checks and why."""

    def __init__(self, mission_id: int, bars: Sequence[CheckBar]) -> None:
        said = ", ".join(str(one) for one in bars)
        super().__init__(
            f"the crew's checklist of mission {mission_id} bars the take-off: {said}; answer it "
            "on the mission's pack, or let a coordinator sign with a reason"
        )
        self.bars = tuple(bars)


def checklist_bars(
    log: FieldLog, now: datetime, lifted: Collection[CheckBar] = ()
) -> tuple[CheckBar, ...]:
    """The checks that bar now, in the checklist's order, without those that were lifted."""
    held = {one.item: one for one in log.current if one.kind == FieldKind.CHECK}
    disputed = {one.item for one in log.differences if one.kind == FieldKind.CHECK}
    found = []
    for item in CHECKS:
        entry = held.get(item)
        if entry is None:
            fault = CheckFault.OPEN
        elif item in disputed:
            fault = CheckFault.DISPUTED
        elif entry.value != "yes":
            fault = CheckFault.FAILED
        elif now - entry.received_at > VALID_FOR:
            fault = CheckFault.STALE
        else:
            continue
        found.append(CheckBar(item, fault))
    return tuple(bar for bar in found if bar not in lifted)
