"""Which radio feeds which track: by identity once it is known, by address before.

Several receivers, transports and addresses of one identity feed one track as long as their
positions agree; where they do not, the same identity makes two tracks, both flagged, which are not
joined again unless they turn out to be in one place.  What an address says that no aircraft can
fly makes it speak for two, and each keeps its track.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from droneteam.detection import motion
from droneteam.detection.bank import Bank, Fixes
from droneteam.detection.motion import MotionModel
from droneteam.detection.readings import N_READING, Reading
from droneteam.detection.records import Received
from droneteam.detection.stations import MAX_TWINS, SPLIT_AFTER, Entry, Receiver, Station, nearest
from droneteam.detection.steady import Steady, fixes
from droneteam.detection.ways import KEPT_RECEIVERS, Ways

START_SPEED_MPS = 20.0
"""1-sigma of a new track's unknown velocity, per axis."""


class Pending:
    """Measurements that were given to tracks and wait for the bank.

    readings : (n, N_READING), of which each waiting one is a row.
    """

    def __init__(self, readings: motion.FloatArray) -> None:
        self._readings = readings
        self._entries: list[Entry] = []
        self._at_s: list[float] = []
        self._numbers: list[int] = []

    def add(self, entry: Entry, at_s: float, number: int) -> None:
        """Another one."""
        self._entries.append(entry)
        self._at_s.append(at_s)
        self._numbers.append(number)

    def taken(self) -> Fixes | None:
        """What waits; nothing does then."""
        if not self._entries:
            return None
        rows = np.array([entry.row for entry in self._entries], dtype=np.intp)
        found = fixes(rows, np.array(self._at_s), self._readings[self._numbers])
        self._entries, self._at_s, self._numbers = [], [], []
        return found


class Roster:
    """Tracks, the radios that feed them, and the identities that they have."""

    def __init__(self, first_id: int, model: MotionModel | None) -> None:
        self._next_id = first_id
        self._bank = Bank(model or MotionModel(), START_SPEED_MPS)
        self._entries: dict[int, Entry] = {}
        self._named: dict[str, dict[int, Entry]] = {}
        self._ways = Ways()
        self._steady = Steady(self._ways)
        self._pending = Pending(np.empty((0, N_READING)))
        self._gone: set[int] = set()
        self._receivers: list[Receiver] = []
        self._receiver_number: dict[str, int] = {}

    def new_id(self) -> int:
        """An id that no other track gets."""
        self._next_id += 1
        return self._next_id - 1

    def _alone(self, station: Station, entry: Entry) -> bool:
        """Whether the track has no other radio, and its identity no other track."""
        if len(entry.stations) > 1:
            return False
        named = self._named.get(station.uas_id or "")
        return not named or (len(named) == 1 and entry.id in named)

    def _accept(self, station: Station) -> None:
        """Let a radio of which nothing is out of the ordinary be plain."""
        entry = station.entry
        if entry is None or entry.plain is station or entry.leader is not station:
            return
        if station.told and station.clock_bias_s is None and self._alone(station, entry):
            self._steady.accept(station, entry)

    def _entry_for(
        self, station: Station, reading: Reading, at_s: float, manned: bool
    ) -> Entry | None:
        """The station's track; one of the same identity; or a new one.

        None for a position of a radio that is in more than MAX_TWINS places.
        """
        current = station.entry
        if current is not None and not current.reaches(at_s, reading):
            return self._after_jump(station, current, reading, at_s)
        alone = current is not None and len(current.stations) == 1
        if current is not None and not alone and self._parts(station, current, reading, at_s):
            return self._twin(current, station, reading, at_s)
        known = self._of_same_identity(station, current, reading)
        if known is None:
            return current or self._start(reading, at_s, manned)
        others = known.concurrent(station, at_s)
        agree = all(station.agrees(other, at_s, reading) for other in others)
        if known.reaches(at_s, reading) and agree:
            return known
        found = current or self._start(reading, at_s, manned)
        self._set_apart(known, found)
        return found

    def _after_jump(
        self, station: Station, current: Entry, reading: Reading, at_s: float
    ) -> Entry | None:
        """No aircraft flies this: the address speaks for two, each keeps its track."""
        current.n_jumps += 1
        current.flags.add("impossible_jump")
        others = [self._entries[one] for one in current.distinct if one in self._entries]
        near = nearest((e for e in others if e.reaches(at_s, reading)), reading)
        if near is not None:
            near = self._united([near, *(e for e in others if e is not near)], reading)
            near.n_jumps += 1
            self._touch(near)
            return near
        if len(current.distinct) >= MAX_TWINS:
            self._touch(current)
            return None
        found = self._twin(current, station, reading, at_s)
        for other in others:
            # All places of one radio are told apart from each other.
            other.distinct.add(found.id)
            found.distinct.add(other.id)
        found.flags.add("impossible_jump")
        found.n_jumps += 1
        return found

    def _united(self, twins: Sequence[Entry], reading: Reading) -> Entry:
        """The oldest of the first twin and the others of its identity in its place.

        A radio that began to speak before it said who it is may have made one more of them.
        """
        first = twins[0]
        here = [e for e in twins[1:] if e.uas_id == first.uas_id and e.near(reading)]
        if not here or not first.near(reading):
            return first
        kept, *others = sorted([first, *here], key=lambda e: e.id)
        for other in others:
            self._unite(kept, other)
        return kept

    def _unite(self, kept: Entry, other: Entry) -> None:
        self._steady.doubt(kept)
        self._steady.doubt(other)
        for station in other.stations:
            if station.entry is other:
                station.part()
                station.entry = kept
            if station not in kept.stations:
                kept.stations.append(station)
        for twin in other.distinct - {kept.id}:
            if twin in self._entries:
                self._entries[twin].distinct.add(kept.id)
                kept.distinct.add(twin)
        self._forget(other)
        self._touch(kept)

    def _twin(self, current: Entry, station: Station, reading: Reading, at_s: float) -> Entry:
        found = self._start(reading, at_s, current.manned)
        self._set_apart(current, found)
        if station.uas_id is None:
            for entry in (current, found):
                entry.flags.discard("duplicate_identity")
        return found

    def _parts(self, station: Station, current: Entry, reading: Reading, at_s: float) -> bool:
        """Whether the station has contradicted an older radio of its track long enough."""
        older = [
            one for one in current.concurrent(station, at_s) if one.joined_s <= station.joined_s
        ]
        if all(station.agrees(one, at_s, reading) for one in older):
            station.n_odd = 0
            return False
        station.n_odd += 1
        return station.n_odd >= SPLIT_AFTER

    def _of_same_identity(
        self, station: Station, current: Entry | None, reading: Reading
    ) -> Entry | None:
        """The nearest other track of the identity that was never told apart from this one."""
        if station.uas_id is None:
            return None
        named = self._named.get(station.uas_id)
        if not named or (len(named) == 1 and current is not None and current.id in named):
            return None
        apart = set() if current is None else current.distinct
        return nearest(
            (e for e in named.values() if e is not current and e.id not in apart), reading
        )

    def _start(self, reading: Reading, at_s: float, manned: bool) -> Entry:
        row = self._bank.start(at_s, reading.lat_deg, reading.lon_deg)
        entry = Entry(self.new_id(), row, self._ways, at_s, manned)
        self._ways.start(row, entry.id)
        self._ways.place(row, at_s, reading)
        self._touch(entry)
        self._entries[entry.id] = entry
        return entry

    def _move(self, station: Station, entry: Entry) -> None:
        """Let the station feed another track; one that nobody feeds any more ends there."""
        before = station.entry
        for one in (before, entry):
            if one is not None:
                self._steady.doubt(one)
        station.part()
        station.entry, station.told = entry, False
        station.n_odd = 0
        if station not in entry.stations:
            entry.stations.append(station)
        if before is None or before.id in entry.distinct:
            return
        before.stations.remove(station)
        if not before.stations:
            self._forget(before)

    def _describe(self, station: Station, received: Received) -> None:
        """Let the station's track know what the station has said."""
        entry = station.entry
        if entry is None:
            return
        if received.receiver not in entry.receivers:
            self._heard_by(entry, received.receiver)
        if station.told:
            return
        station.told = True
        self._touch(entry)
        entry.transmitters[received.transmitter] = None
        entry.registration = station.registration or entry.registration
        entry.operator_id = station.operator_id or entry.operator_id
        entry.system = station.system or entry.system
        if station.uas_id is not None and station.uas_id != entry.uas_id:
            self._name(entry, station.uas_id)
            self._rejoin(station)

    def _heard_by(self, entry: Entry, receiver: str) -> None:
        """Another receiver hears the track."""
        entry.receivers[receiver] = None
        number = self._receiver_number.get(receiver, KEPT_RECEIVERS)
        if number < KEPT_RECEIVERS:
            self._ways.heard_by[entry.row] |= np.uint64(1 << number)
        self._touch(entry)

    def _rejoin(self, station: Station) -> None:
        """Let a radio that has just said who it is go on with that identity's track."""
        if station.last is None or len(self._named.get(station.uas_id or "", ())) < 2:
            return
        entry = self._entry_for(station, station.last, station.last_s, manned=False)
        if entry is not None and entry is not station.entry:
            self._move(station, entry)

    def _name(self, entry: Entry, uas_id: str) -> None:
        if entry.uas_id == uas_id:
            return
        self._unname(entry)
        entry.uas_id = uas_id
        self._touch(entry)
        namesakes = self._named.setdefault(uas_id, {})
        namesakes[entry.id] = entry
        for one in namesakes.values():
            self._steady.doubt(one)

    def _unname(self, entry: Entry) -> None:
        if entry.uas_id is not None:
            del self._named[entry.uas_id][entry.id]
            if not self._named[entry.uas_id]:
                del self._named[entry.uas_id]

    def _forget(self, entry: Entry) -> None:
        # A row is free only once what waits for it is absorbed.
        self._absorb()
        self._steady.doubt(entry)
        del self._entries[entry.id]
        self._ways.changed[entry.row] = False
        self._gone.add(entry.id)
        self._bank.free(entry.row)
        self._unname(entry)
        for station in entry.stations:
            if station.entry is entry:
                station.heard_s = max(station.heard_s, entry.last_s)
                station.part()
                station.entry = None
        for other in entry.distinct:
            if other in self._entries:
                self._entries[other].distinct.discard(entry.id)

    def _touch(self, entry: Entry) -> None:
        self._ways.touch(entry.row)

    def _set_apart(self, one: Entry, other: Entry) -> None:
        """The same identity in two places: two tracks, flagged, never to be joined."""
        for entry, twin in ((one, other), (other, one)):
            entry.distinct.add(twin.id)
            entry.flags.add("duplicate_identity")
            self._touch(entry)

    def _absorb(self) -> None:
        fixes = self._pending.taken()
        if fixes is not None:
            self._bank.absorb(fixes)
