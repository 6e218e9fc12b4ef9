"""Remote ID messages and identified plots to tracks: join by identity, predict, update, end.

A radio address is a station; what it says about itself (Basic ID, System, Operator ID) is kept
until it says something else, because two thirds of real beacons carry a position without an
identity.  A track belongs to an identity once one is known and to the address before that; when
the identity arrives, the track is re-keyed, not restarted.  Several receivers, transports and
addresses of one identity feed one track as long as their positions agree; where they do not, the
same identity makes two tracks, both flagged, which are never joined again.

Motion is `bank`'s: an IMM filter over all tracks at once, whose result does not depend on the
order of messages within five seconds.  Heights above different references are kept apart and
never converted into each other.

Time is the messages' own; the tracker has no clock.  A sender's clock that is off is corrected by
its own bias (`stations.Station.date`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from droneteam.detection import batch, motion, readings, rid
from droneteam.detection.bank import Bank, Fixes
from droneteam.detection.motion import MotionModel
from droneteam.detection.readings import Reading
from droneteam.detection.records import MAX_RECEIVERS, Plot, Received, Signal, Track, Transmissions
from droneteam.detection.stations import (
    MAX_SPEED_MPS,
    MAX_TWINS,
    SPLIT_AFTER,
    Entry,
    Receiver,
    Station,
    nearest,
)
from droneteam.errors import DecodeError

ENDED_AFTER_S = 60.0
START_SPEED_MPS = 20.0
"""1-sigma of a new track's unknown velocity, per axis."""
REFUSED = -1
NO_TRACK = 0

__all__ = ["ENDED_AFTER_S", "MAX_SPEED_MPS", "NO_TRACK", "REFUSED", "Received", "Track", "Tracker"]


class _Pending:
    """Measurements that were given to tracks and wait for the bank.

    measured : (6, n) of `readings.of_locations`, of which each waiting one has a column.
    """

    def __init__(self, measured: motion.FloatArray) -> None:
        self._measured = measured
        self._entries: list[Entry] = []
        self._at_s: list[float] = []
        self._columns: list[int] = []

    def add(self, entry: Entry, at_s: float, column: int) -> None:
        """Another one."""
        self._entries.append(entry)
        self._at_s.append(at_s)
        self._columns.append(column)

    def taken(self) -> Fixes | None:
        """What waits; nothing does then."""
        if not self._entries:
            return None
        lat_deg, lon_deg, *velocity, place, speed = self._measured[:, self._columns]
        fixes = Fixes(
            row=np.array([entry.row for entry in self._entries], dtype=np.intp),
            t_s=np.array(self._at_s),
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            velocity_mps=np.stack(velocity),
            variance=np.stack([place, place, speed, speed]),
        )
        self._entries, self._at_s, self._columns = [], [], []
        return fixes


class Tracker:
    """The tracks that live, fed with receptions in batches of any size."""

    def __init__(self, first_id: int = 1, model: MotionModel | None = None) -> None:
        self._next_id = first_id
        self._bank = Bank(model or MotionModel(), START_SPEED_MPS)
        self._stations: dict[str, Station] = {}
        self._receivers: dict[str, Receiver] = {}
        self._entries: dict[int, Entry] = {}
        self._named: dict[str, dict[int, Entry]] = {}
        self._epoch: datetime | None = None
        self._joined = 0
        """Counts the changes of who feeds and who is named; see Station.alone_at."""
        self._pending = _Pending(np.empty((6, 0)))
        self._touched: dict[int, Entry] = {}
        self._gone: set[int] = set()
        self.now: datetime | None = None
        """The newest time that any message carried."""

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Every living track, by id."""
        self._view([entry for entry in self._entries.values() if entry.view is None])
        return tuple(entry.view for entry in self._entries.values() if entry.view is not None)

    def track(self, track_id: int) -> Track | None:
        """The living track of an id."""
        entry = self._entries.get(track_id)
        if entry is not None and entry.view is None:
            self._view([entry])
        return None if entry is None else entry.view

    def changes(self) -> tuple[list[Track], set[int]]:
        """The tracks that are other than when this was asked last, and the ids that are gone."""
        touched, gone = list(self._touched.values()), self._gone
        self._touched, self._gone = {}, set()
        self._view([entry for entry in touched if entry.view is None])
        return [entry.view for entry in touched if entry.view is not None], gone

    def new_id(self) -> int:
        """An id that no other track gets."""
        self._next_id += 1
        return self._next_id - 1

    def transmissions(self, track_id: int) -> Transmissions:
        """How a living track's radios behaved."""
        entry = self._entries[track_id]
        serials = frozenset(name for station in entry.stations for name in station.serials)
        return Transmissions(
            tuple(map(Signal._make, entry.signals)),
            entry.n_jumps,
            entry.n_repeats,
            entry.n_counter_backsteps,
            serials,
        )

    def observe(self, received: Received) -> Track | None:
        """The track that the reception belongs to, updated; None while it has no position.

        Raises
        ------
        DecodeError
            The payload holds no Remote ID message; nothing has changed.
        """
        (track_id,) = self.observe_many([received])
        if track_id == REFUSED:
            rid.decode(received.payload)
            raise DecodeError("a payload that one decoder reads and the other does not")
        return self.track(track_id)

    def observe_many(self, receptions: Sequence[Received]) -> list[int]:
        """For each reception its track's id, NO_TRACK while it has no position, or REFUSED.

        REFUSED payloads hold no Remote ID message and change nothing.
        """
        if not receptions:
            return []
        messages = batch.split([received.payload for received in receptions])
        received_s = self._seconds([received.at for received in receptions])
        located = messages.of(rid.MessageType.LOCATION)
        found, measured = readings.of_locations(batch.locations(messages.data[located]))
        self._pending = _Pending(measured)
        made_s = self._made(found, received_s[messages.payload[located]])
        stations = self._stations_of(receptions, received_s.tolist(), messages.salvaged.tolist())
        times = received_s.tolist()
        raw = messages.data.tobytes()
        located_next = iter(zip(range(len(found)), found, made_s, strict=True))
        good = np.flatnonzero(messages.problem == batch.Problem.NONE).tolist()
        owners, kinds = messages.payload.tolist(), messages.kind.tolist()
        placed: dict[int, Entry] = {}
        for index in good:
            owner, kind = owners[index], kinds[index]
            station = stations[owner]
            assert station is not None
            if kind == rid.MessageType.LOCATION:
                column, reading, at_s = next(located_next)
                self._locate(station, reading, column, at_s, receptions[owner], times[owner])
                if station.entry is not None:
                    placed[owner] = station.entry
            elif station.raw.get(kind) != (message := raw[index * 25 : index * 25 + 25]):
                station.raw[kind] = message
                station.learn(rid.decode_message(message))
        for station, received in zip(stations, receptions, strict=True):
            if station is not None:
                self._describe(station, received)
        self._absorb()
        return [
            REFUSED if station is None else self._owner(station, placed.get(number))
            for number, station in enumerate(stations)
        ]

    def _owner(self, station: Station, placed: Entry | None) -> int:
        """The track that a reception went to; where that has gone on as another one, that one."""
        if placed is not None and placed.id in self._entries:
            return placed.id
        return NO_TRACK if station.entry is None else station.entry.id

    def observe_plots(self, plots: Sequence[Plot]) -> list[int]:
        """The track's id for each plot that tells who it saw."""
        if not plots:
            return []
        received_s = self._seconds([plot.at for plot in plots]).tolist()
        found = [readings.of_plot(plot) for plot in plots]
        self._pending = _Pending(readings.measured_of(found))
        ids = []
        for column, (plot, at_s) in enumerate(zip(plots, received_s, strict=True)):
            assert plot.identity is not None
            station = self._station(plot.identity, at_s)
            station.uas_id = plot.identity
            reading = found[column]
            entry = self._entry_for(station, reading, at_s, plot.manned)
            if entry is None:
                ids.append(NO_TRACK)
                continue
            if entry is not station.entry:
                self._move(station, entry)
            self._feed(station, entry, reading, column, at_s)
            entry.registration = plot.callsign or entry.registration
            entry.receivers[plot.sensor] = None
            entry.transmitters[plot.transport] = None
            self._name(entry, plot.identity)
            ids.append(entry.id)
        self._absorb()
        return ids

    def end_silent(self, now: datetime) -> tuple[Track, ...]:
        """The tracks that have been silent for too long; they are forgotten here."""
        if self._epoch is None:
            return ()
        limit_s = (now - self._epoch).total_seconds() - ENDED_AFTER_S
        silent = [entry for entry in self._entries.values() if entry.last_s < limit_s]
        self._view([entry for entry in silent if entry.view is None])
        ended = tuple(entry.view for entry in silent if entry.view is not None)
        for entry in silent:
            self._forget(entry)
        self._stations = {
            address: station
            for address, station in self._stations.items()
            if station.entry is not None or station.heard_s >= limit_s
        }
        return ended

    def _seconds(self, times: Sequence[datetime]) -> motion.FloatArray:
        if self._epoch is None:
            self._epoch = times[0]
        newest = max(times)
        self.now = newest if self.now is None else max(self.now, newest)
        epoch = self._epoch
        return np.array([(at - epoch).total_seconds() for at in times])

    def _made(self, found: Sequence[Reading], received_s: motion.FloatArray) -> list[float]:
        assert self._epoch is not None
        hour = self._epoch.replace(minute=0, second=0, microsecond=0)
        second_s = (self._epoch - hour).total_seconds()
        made_s: list[float] = readings.message_seconds(found, received_s, second_s).tolist()
        return made_s

    def _stations_of(
        self, receptions: Sequence[Received], received_s: list[float], salvaged: list[int]
    ) -> list[Station | None]:
        """Each reception's radio; None for one that is refused."""
        return [
            self._station(received.transmitter, at_s, received) if count else None
            for received, at_s, count in zip(receptions, received_s, salvaged, strict=True)
        ]

    def _station(self, address: str, at_s: float, received: Received | None = None) -> Station:
        station = self._stations.get(address)
        if station is None:
            station = self._stations[address] = Station(address, at_s, at_s)
        if at_s > station.heard_s:
            station.heard_s = at_s
        if received is not None and received.counter is not None:
            # A copy repeats the counter; only a step back of several is a sign.
            before, station.counter = station.counter, received.counter
            back = 0 if before is None else (before - received.counter) % 256
            if 2 < back < 128 and station.entry is not None:
                station.entry.n_counter_backsteps += 1
        return station

    def _locate(
        self,
        station: Station,
        reading: Reading,
        column: int,
        made_s: float,
        received: Received,
        received_s: float,
    ) -> None:
        """Give a position to the track that it belongs to; `_absorb` filters it."""
        if reading.lat_deg != reading.lat_deg:
            return
        receiver = self._receivers.get(received.receiver) or self._new_receiver(received.receiver)
        before = entry = station.entry
        if entry is not None and entry.is_copy(reading, received_s):
            return
        at_s, clock_off = station.date(received_s, made_s, receiver)
        if (
            entry is None
            or not (station.alone_at == self._joined or self._alone(station, entry))
            or not entry.near(reading)
        ):
            entry = self._entry_for(station, reading, at_s, manned=False)
            if entry is None:
                return
            if entry is not before:
                self._move(station, entry)
                if entry.is_copy(reading, received_s):
                    station.last_s, station.last = entry.last_s, entry.last
                    return
        if entry is before and received.rssi_dbm is not None:
            entry.signals.append(
                (received.receiver, received.rssi_dbm, reading.lat_deg, reading.lon_deg)
            )
        entry.remember(reading, received_s)
        self._feed(station, entry, reading, column, at_s)
        if clock_off:
            entry.flags.add("clock_off")

    def _new_receiver(self, name: str) -> Receiver:
        """A receiver's delays; not remembered of names beyond any real installation's number."""
        found = Receiver()
        if len(self._receivers) < MAX_RECEIVERS:
            self._receivers[name] = found
        return found

    def _alone(self, station: Station, entry: Entry) -> bool:
        """Whether the track has no other radio, and its identity no other track."""
        if len(entry.stations) > 1:
            return False
        named = self._named.get(station.uas_id or "")
        if named and (len(named) > 1 or entry.id not in named):
            return False
        station.alone_at = self._joined
        return True

    def _feed(
        self, station: Station, entry: Entry, reading: Reading, column: int, at_s: float
    ) -> None:
        """Let a position wait for the filter."""
        station.last_s, station.last = at_s, reading
        self._pending.add(entry, at_s, column)
        entry.view = None
        self._touched[entry.id] = entry
        entry.n_fixes += 1
        if at_s >= entry.last_s:
            entry.last_s, entry.last = at_s, reading

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
        self._joined += 1
        for station in other.stations:
            if station.entry is other:
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
        entry = Entry(self.new_id(), row, at_s, at_s, reading, manned)
        self._entries[entry.id] = entry
        return entry

    def _move(self, station: Station, entry: Entry) -> None:
        """Let the station feed another track; one that nobody feeds any more ends there."""
        self._joined += 1
        before, station.entry, station.told = station.entry, entry, False
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
            entry.receivers[received.receiver] = None
            self._touch(entry)
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
        self._joined += 1
        self._unname(entry)
        entry.uas_id = uas_id
        self._touch(entry)
        self._named.setdefault(uas_id, {})[entry.id] = entry

    def _unname(self, entry: Entry) -> None:
        if entry.uas_id is not None:
            del self._named[entry.uas_id][entry.id]
            if not self._named[entry.uas_id]:
                del self._named[entry.uas_id]

    def _forget(self, entry: Entry) -> None:
        # A row is free only once what waits for it is absorbed.
        self._absorb()
        del self._entries[entry.id]
        self._touched.pop(entry.id, None)
        self._gone.add(entry.id)
        self._bank.free(entry.row)
        self._unname(entry)
        for station in entry.stations:
            if station.entry is entry:
                station.entry = None
        for other in entry.distinct:
            if other in self._entries:
                self._entries[other].distinct.discard(entry.id)

    def _touch(self, entry: Entry) -> None:
        entry.view = None
        self._touched[entry.id] = entry

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

    def _view(self, entries: Sequence[Entry]) -> None:
        """Make the tracks' views anew."""
        if not entries:
            return
        rows = np.array([entry.row for entry in entries], dtype=np.intp)
        place, rate, covariance = self._bank.estimate(rows)
        values = zip(place.T.tolist(), rate.T.tolist(), covariance.T.tolist(), strict=True)
        for entry, (at, velocity, spread) in zip(entries, values, strict=True):
            entry.view = self._view_of(entry, at, velocity, tuple(spread))

    def _view_of(
        self, entry: Entry, place_deg: list[float], rate_mps: list[float], spread: tuple[float, ...]
    ) -> Track:
        assert self._epoch is not None
        last, system = entry.last, entry.system
        return Track(
            id=entry.id,
            uas_id=entry.uas_id,
            registration=entry.registration,
            operator_id=entry.operator_id,
            transmitters=tuple(entry.transmitters),
            receivers=tuple(entry.receivers),
            status=rid.Status(last.status),
            lat_deg=place_deg[0],
            lon_deg=place_deg[1],
            speed_mps=math.hypot(*rate_mps),
            course_deg=math.degrees(math.atan2(*rate_mps)) % 360.0,
            sigma_m=math.sqrt(max(0.0, (spread[0] + spread[4]) / 2.0)),
            alt_ellipsoid_m=readings.none(last.alt_ellipsoid_m),
            alt_pressure_m=readings.none(last.alt_pressure_m),
            height_m=readings.none(last.height_m),
            height_reference=rid.HeightReference(last.height_reference),
            operator_lat_deg=None if system is None else system.operator_lat_deg,
            operator_lon_deg=None if system is None else system.operator_lon_deg,
            started_at=self._epoch + timedelta(seconds=entry.started_s),
            last_at=self._epoch + timedelta(seconds=entry.last_s),
            n_fixes=entry.n_fixes,
            flags=frozenset(entry.flags),
            covariance=spread,
            vertical_accuracy_m=readings.none(last.vertical_accuracy_m),
            manned=entry.manned,
        )
