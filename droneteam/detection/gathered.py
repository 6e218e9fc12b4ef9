"""What a watch gave since it was stored last, put together so that it is stored at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from droneteam.detection.alert import AlertChange
from droneteam.detection.conformance import Conformance
from droneteam.detection.match import Match
from droneteam.detection.records import Received, Track
from droneteam.detection.watch import Moment


@dataclass(slots=True)
class Gathered:
    """Some moments and what was heard in them.

    tracks : the newest of each; points : every one that is to be kept of their ways; heard : the
    receptions with their track's id, None where they belong to none.
    """

    tracks: dict[int, tuple[Track, Match]] = field(default_factory=dict)
    points: list[tuple[Track, Match]] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    conforming: dict[int, Conformance] = field(default_factory=dict)
    heard: list[tuple[Received, int | None]] = field(default_factory=list)

    def __len__(self) -> int:
        """How many rows it makes, nearly."""
        parts = (self.tracks, self.points, self.heard, self.ended, self.conforming)
        return sum(map(len, parts))

    def take(self, moment: Moment) -> None:
        """Put a moment's tracks to the others."""
        self.tracks |= {track.id: (track, match) for track, match in moment.changed}
        self.ended |= {track.id for track in moment.ended} | moment.merged
        self.conforming |= moment.conforming

    def close(self, placed: dict[int, datetime]) -> None:
        """No more moments: the newest places are points, of tracks that moved since `placed`."""
        for track, match in self.tracks.values():
            if placed.get(track.id) != track.last_at:
                placed[track.id] = track.last_at
                self.points.append((track, match))
        for track_id in self.ended:
            placed.pop(track_id, None)

    def join(self, later: Gathered) -> None:
        """Put what was gathered later to this."""
        self.tracks |= later.tracks
        self.points += later.points
        self.ended |= later.ended
        self.conforming |= later.conforming
        self.heard += later.heard

    def slice(self, rows: int) -> Gathered:
        """A part of about so many rows, taken out; tracks before what refers to them."""
        part = Gathered()
        for number in list(self.tracks)[:rows]:
            part.tracks[number] = self.tracks.pop(number)
        if self.tracks:
            return part
        part.conforming, self.conforming = self.conforming, {}
        part.ended, self.ended = self.ended, set()
        part.points, self.points = self.points[:rows], self.points[rows:]
        room = max(0, rows - len(part.points))
        part.heard, self.heard = self.heard[:room], self.heard[room:]
        return part


@dataclass(frozen=True, slots=True)
class Raised:
    """Changes of alerts, and the tracks that they are about."""

    changes: tuple[AlertChange, ...]
    tracks: tuple[tuple[Track, Match], ...]


def raised(moment: Moment) -> Raised:
    """The alerts' part of a moment."""
    about = {change.alert.condition.track_id for change in moment.changes}
    return Raised(moment.changes, tuple(pair for pair in moment.tracks if pair[0].id in about))
