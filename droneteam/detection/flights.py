"""The registered flights that are in the air, each in its state of conformance.

A flight ends when its track ends, when it lands, or when it is no longer announced.  One that
takes off again within its announcement is judged anew.  A flight that is announced while it is in
the air is judged from then on: nobody departed from what was not yet agreed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from droneteam.detection import conformance
from droneteam.detection.conformance import Conformance, ConformanceRules, Volume
from droneteam.detection.match import RegisteredFlight
from droneteam.detection.records import Track
from droneteam.detection.rid import Status


@dataclass(frozen=True, slots=True)
class _Followed:
    reference: str
    track: Track
    flight: RegisteredFlight | None
    state: Conformance


class Flights:
    """Conformance by track."""

    def __init__(self, rules: ConformanceRules | None = None) -> None:
        self._rules = rules or ConformanceRules()
        self._followed: dict[int, _Followed] = {}
        self._told: dict[int, str] = {}
        self._untold: set[int] = set()

    def follow(
        self, track: Track, flight: RegisteredFlight | None, now: datetime
    ) -> Conformance | None:
        """The state of the track's flight; None where it has none now."""
        before = self._followed.get(track.id)
        if flight is None:
            if before is not None and before.state.state != "ended":
                self._end(track.id, now)
            return None
        if before is not None and before.track is track and before.flight == flight:
            return before.state
        state = self._judge(before, track, flight)
        self._keep(track.id, _Followed(flight.reference, track, flight, state))
        return state

    def _keep(self, track_id: int, followed: _Followed) -> None:
        self._followed[track_id] = followed
        if self._told.get(track_id) != followed.state.state:
            self._untold.add(track_id)

    def _judge(
        self, before: _Followed | None, track: Track, flight: RegisteredFlight
    ) -> Conformance:
        grounded = track.status == Status.GROUND
        same = before is not None and before.reference == flight.reference
        state = before.state if before is not None and same else None
        if state is None or (state.state == "ended" and not grounded):
            state = conformance.accepted(track.last_at)
        if grounded and state.state != "accepted":
            return conformance.end(state, track.last_at)
        volume = Volume(flight.polygon, flight.starts_at, flight.ends_at, flight.max_height_m)
        return conformance.step(state, track, volume, self._rules)

    def end(self, track_ids: Iterable[int], at: datetime) -> None:
        """The flights of tracks that ended."""
        for track_id in track_ids:
            self._end(track_id, at)

    def _end(self, track_id: int, at: datetime) -> None:
        before = self._followed.get(track_id)
        if before is not None:
            state = conformance.end(before.state, at)
            self._keep(track_id, _Followed(before.reference, before.track, None, state))

    def changed_states(self) -> dict[int, Conformance]:
        """By track, what is in another state than when this was asked last."""
        untold, self._untold = self._untold, set()
        changed = {
            track_id: self._followed[track_id].state
            for track_id in untold
            if self._told.get(track_id) != self._followed[track_id].state.state
        }
        self._told |= {track_id: state.state for track_id, state in changed.items()}
        return changed

    def keep(self, track_ids: Iterable[int]) -> None:
        """Forget the flights of all other tracks."""
        kept = set(track_ids)
        self._followed = {one: known for one, known in self._followed.items() if one in kept}
        self._told = {one: state for one, state in self._told.items() if one in kept}
        self._untold &= kept
