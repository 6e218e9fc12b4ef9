"""From receptions to a picture: tracks with their matches, and alerts, moment by moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from droneteam.detection import alert, match
from droneteam.detection.track import Received, Track, Tracker
from droneteam.errors import DecodeError

TICK_S = 1.0
"""How often rules are applied, in the receptions' own time."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the air at one moment."""

    own: tuple[match.OwnDrone, ...] = ()
    flights: tuple[match.RegisteredFlight, ...] = ()


@dataclass(frozen=True, slots=True)
class Moment:
    """What one application of the rules gave."""

    at: datetime
    tracks: tuple[tuple[Track, match.Match], ...]
    ended: tuple[Track, ...]
    changes: tuple[alert.AlertChange, ...]


class Watch:
    """Follows receptions and applies the rules once a second of their time.

    known : asked at every moment for the own drones and the registered flights.
    """

    def __init__(
        self,
        known: Callable[[datetime], Known],
        rules: alert.AlertRules | None = None,
        first_track_id: int = 1,
    ) -> None:
        self._known = known
        self._rules = rules or alert.AlertRules()
        self._tracker = Tracker(first_track_id)
        self._book: alert.Book = {}
        self._ticked_at: datetime | None = None
        self.refused = 0

    def feed(self, received: Received) -> tuple[Track | None, Moment | None]:
        """The reception's track, and the moment that it completed, if it did."""
        try:
            track = self._tracker.observe(received)
        except DecodeError:
            self.refused += 1
            return None, None
        return track, self.tick(received.at)

    def tick(self, now: datetime) -> Moment | None:
        """The rules applied, when a second has passed since they were last."""
        last = self._ticked_at
        if last is not None and (now - last).total_seconds() < TICK_S:
            return None
        self._ticked_at = now
        ended = self._tracker.end_silent(now)
        known = self._known(now)
        matched = tuple(
            (track, match.match_track(track, known.own, known.flights))
            for track in self._tracker.tracks
            if track.transmitters
        )
        self._book, changes = alert.step(self._book, self._conditions(matched), now, self._rules)
        return Moment(now, matched, ended, changes)

    def _conditions(self, matched: Sequence[tuple[Track, match.Match]]) -> list[alert.Condition]:
        return [
            condition
            for track, found in matched
            for condition in alert.conditions_of(track, found, self._rules)
        ]
