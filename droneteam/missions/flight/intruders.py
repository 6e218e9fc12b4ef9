"""Aircraft of others that come too close to a drone in flight: told to its pilot, who decides.

Who finds them lies above (`droneteam.detection`); here they are only passed on.  Nothing is
commanded: a proposal is a line for the pilot and for the sortie's record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from droneteam.missions.flight.airwatch import Advice


@dataclass(frozen=True, slots=True)
class Intruder:
    """One aircraft near one drone; key : of this encounter; proposal : a manoeuvre's name."""

    drone_name: str
    key: str
    proposal: str
    text: str


@dataclass(slots=True)
class IntruderBook:
    """Remembers what was told: an encounter once, again when the proposal changes, and its end."""

    _told: dict[tuple[str, str], str] = field(default_factory=dict)

    def news(self, found: Iterable[Intruder]) -> list[Advice]:
        """What the pilots do not know yet."""
        now = {(one.drone_name, one.key): one for one in found}
        fresh = [one for key, one in now.items() if self._told.get(key) != one.proposal]
        gone = [key for key in self._told if key not in now]
        self._told = {key: one.proposal for key, one in now.items()}
        over = (
            Advice((drone,), f"{key} is no longer on a collision course") for drone, key in gone
        )
        return [*(Advice((one.drone_name,), one.text) for one in fresh), *over]
