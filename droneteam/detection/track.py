"""Remote ID messages and identified plots to tracks: join by identity, predict, update, end.

A radio address is a station; what it says about itself (Basic ID, System, Operator ID) is kept
until it says something else, because two thirds of real beacons carry a position without an
identity.  A track belongs to an identity once one is known and to the address before that; when
the identity arrives, the track is re-keyed, not restarted.  Several receivers, transports and
addresses of one identity feed one track as long as their positions agree; where they do not, the
same identity makes two tracks, both flagged (`roster`).

Motion is `bank`'s: an IMM filter over all tracks at once, whose result does not depend on the
order of messages within five seconds.  Heights above different references are kept apart and
never converted into each other.

Time is the messages' own; the tracker has no clock.  A sender's clock that is off is corrected by
its own bias (`stations.Station.date`).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from droneteam.detection import batch, readings, rid
from droneteam.detection.motion import FloatArray, IntArray, MotionModel
from droneteam.detection.readings import Reading
from droneteam.detection.records import (
    MAX_RECEIVERS,
    Plot,
    Received,
    Track,
    Transmissions,
)
from droneteam.detection.roster import Pending, Roster
from droneteam.detection.stations import (
    MAX_SPEED_MPS,
    Entry,
    Receiver,
    Station,
    ran_back,
    slots,
    timeless,
    without_times,
)
from droneteam.detection.steady import FEW, BoolArray, Heard
from droneteam.detection.ways import NO_COUNTER
from droneteam.errors import DecodeError

ENDED_AFTER_S = 60.0
REFUSED = -1
NO_TRACK = 0

__all__ = ["ENDED_AFTER_S", "MAX_SPEED_MPS", "NO_TRACK", "REFUSED", "Received", "Track", "Tracker"]


_COLUMNS = operator.attrgetter("at", "receiver", "transmitter", "payload", "rssi_dbm", "counter")


@dataclass(frozen=True, slots=True)
class _Sky:
    """A batch of receptions and their messages.

    good : whether each message can be used; slot : see `stations.slots`.
    """

    receptions: Sequence[Received]
    messages: batch.Messages
    heard: Heard
    good: BoolArray
    slot: IntArray


class Tracker(Roster):
    """The tracks that live, fed with receptions in batches of any size."""

    def __init__(self, first_id: int = 1, model: MotionModel | None = None) -> None:
        super().__init__(first_id, model)
        self._stations: dict[str, Station] = {}
        self._epoch: datetime | None = None
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
        changed = np.sort(self._ways.id[self._ways.changed]).tolist()
        touched, gone = [self._entries[one] for one in changed], self._gone
        self._ways.changed[:], self._gone = False, set()
        self._view([entry for entry in touched if entry.view is None])
        return [entry.view for entry in touched if entry.view is not None], gone

    def transmissions(self, track_id: int) -> Transmissions:
        """How a living track's radios behaved."""
        entry = self._entries[track_id]
        serials = frozenset(name for station in entry.stations for name in station.serials)
        return Transmissions(
            self._ways.signals(entry.row, list(self._receiver_number)),
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
        sky = self._sky(receptions)
        ids = np.full(len(receptions), REFUSED)
        done = np.zeros(len(receptions), dtype=np.bool_)
        if len(receptions) >= FEW:
            done, found = self._steady.follow(sky.heard, self._receivers, self._suited(sky))
            ids[done] = self._ways.id[sky.heard.rows[done]]
            if found is not None:
                self._bank.absorb(found)
        left = np.flatnonzero(~done & (sky.messages.salvaged > 0)).tolist()
        if left:
            ids[left] = self._one_by_one(sky, left)
        return ids.tolist()

    def _sky(self, receptions: Sequence[Received]) -> _Sky:
        """The receptions as columns."""
        at, receiver, transmitter, payload, rssi, counter = zip(
            *map(_COLUMNS, receptions), strict=True
        )
        messages = batch.split(payload)
        received_s = self._seconds(at)
        located = messages.of(rid.MessageType.LOCATION)
        found = readings.of_locations(batch.locations(messages.data[located]))
        position = np.full(len(receptions), -1)
        position[messages.payload[located]] = np.arange(len(located))
        plain = self._steady.rows
        heard = Heard(
            rows=np.array([plain.get(one, -1) for one in transmitter], dtype=np.intp),
            received_s=received_s,
            receiver=self._numbers(receiver),
            rssi_dbm=np.array(rssi, dtype=np.float64),
            counter=np.array([NO_COUNTER if one is None else one for one in counter]),
            position=position,
            readings=found,
            made_s=self._made(found[:, 0], received_s[messages.payload[located]]),
            keys=readings.keys(found),
        )
        slot = slots(messages.data)
        good = messages.problem == batch.Problem.NONE
        return _Sky(receptions, messages, heard, good, slot)

    def _numbers(self, receivers: Sequence[str]) -> IntArray:
        """Each receiver's number; -1 for names beyond any real installation's number."""
        numbers = self._receiver_number
        for name in dict.fromkeys(receivers):
            if name not in numbers and len(numbers) < MAX_RECEIVERS:
                numbers[name] = len(numbers)
                self._receivers.append(Receiver())
        return np.array([numbers.get(name, -1) for name in receivers], dtype=np.intp)

    def _suited(self, sky: _Sky) -> BoolArray:
        """Whether each reception says nothing new of its radio and gives one position at most."""
        messages, rows = sky.messages, sky.heard.rows
        located = sky.good & (messages.kind == rid.MessageType.LOCATION)
        n_located = np.bincount(messages.payload[located], minlength=len(rows))
        row = rows[messages.payload]
        told = np.flatnonzero(sky.good & (sky.slot >= 0) & (row >= 0))
        before = self._ways.said[row[told], sky.slot[told]]
        said = without_times(messages.data[told], messages.kind[told])
        suited: BoolArray = (messages.salvaged > 0) & (n_located <= 1)
        suited[messages.payload[told[(before != said).any(axis=1)]]] = False
        return suited

    def _one_by_one(self, sky: _Sky, left: Sequence[int]) -> list[int]:
        """The tracks' ids of those receptions that say something new."""
        self._pending = Pending(sky.heard.readings)
        ends = np.searchsorted(sky.messages.payload, np.arange(len(sky.receptions) + 1)).tolist()
        located = (sky.messages.kind == rid.MessageType.LOCATION) & sky.good
        positions = (np.cumsum(located) - 1).tolist()
        found: list[tuple[Station, Entry | None]] = []
        for number in left:
            received, at_s = sky.receptions[number], float(sky.heard.received_s[number])
            station, placed = self._station(received.transmitter, at_s, received), None
            for index in range(ends[number], ends[number + 1]):
                if located[index]:
                    self._locate(station, sky, number, positions[index])
                    placed = station.entry
                elif sky.good[index] and sky.slot[index] >= 0:
                    self._learn(station, sky, index)
            self._describe(station, received)
            self._accept(station)
            found.append((station, placed))
        self._absorb()
        return [self._owner(station, placed) for station, placed in found]

    def _learn(self, station: Station, sky: _Sky, index: int) -> None:
        """What the radio says of its aircraft, if it is other than before."""
        slot, message = int(sky.slot[index]), sky.messages.data[index].tobytes()
        said = timeless(message)
        if station.said.get(slot) == said:
            return
        if station.entry is not None:
            self._steady.doubt(station.entry)
        station.said[slot] = said
        station.learn(rid.decode_message(message))

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
        self._pending = Pending(np.array(found))
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

    def _seconds(self, times: Sequence[datetime]) -> FloatArray:
        if self._epoch is None:
            self._epoch = times[0]
        newest = max(times)
        self.now = newest if self.now is None else max(self.now, newest)
        epoch = self._epoch
        return np.array([(at - epoch).total_seconds() for at in times])

    def _made(self, second_s: FloatArray, received_s: FloatArray) -> FloatArray:
        assert self._epoch is not None
        hour = self._epoch.replace(minute=0, second=0, microsecond=0)
        epoch_s = (self._epoch - hour).total_seconds()
        return readings.message_seconds(second_s, received_s, epoch_s)

    def _station(self, address: str, at_s: float, received: Received | None = None) -> Station:
        station = self._stations.get(address)
        if station is None:
            station = self._stations[address] = Station(address, at_s, at_s)
        if at_s > station.heard_s:
            station.heard_s = at_s
        if received is not None and received.counter is not None:
            before, station.counter = station.counter, received.counter
            if before is not None and station.entry is not None:
                station.entry.n_counter_backsteps += ran_back(before, received.counter)
        return station

    def _locate(self, station: Station, sky: _Sky, owner: int, number: int) -> None:
        """Give a position to the track that it belongs to; `_absorb` filters it."""
        heard, received = sky.heard, sky.receptions[owner]
        reading = Reading._make(heard.readings[number].tolist())
        if reading.lat_deg != reading.lat_deg:
            return
        received_s, key = float(heard.received_s[owner]), heard.keys[number]
        before = entry = station.entry
        if entry is not None and entry.is_copy(key, received_s):
            return
        receiver = self._receiver(int(heard.receiver[owner]))
        at_s, clock_off = station.date(received_s, float(heard.made_s[number]), receiver)
        if entry is None or not self._alone(station, entry) or not entry.near(reading):
            entry = self._entry_for(station, reading, at_s, manned=False)
            if entry is None:
                return
            if entry is not before:
                self._move(station, entry)
                if entry.is_copy(key, received_s):
                    station.give(entry.last_s, entry.last)
                    return
        if entry is before and received.rssi_dbm is not None and heard.receiver[owner] >= 0:
            place_deg = reading.lat_deg, reading.lon_deg
            self._ways.hear_one(entry.row, heard.receiver[owner], received.rssi_dbm, place_deg)
        entry.remember(key, received_s)
        self._feed(station, entry, reading, number, at_s)
        if clock_off:
            self._steady.doubt(entry)
            entry.flags.add("clock_off")

    def _receiver(self, number: int) -> Receiver:
        """A receiver's delays; not remembered of one that has no number."""
        return self._receivers[number] if number >= 0 else Receiver()

    def _feed(
        self, station: Station, entry: Entry, reading: Reading, column: int, at_s: float
    ) -> None:
        """Let a position wait for the filter."""
        self._pending.add(entry, at_s, column)
        self._ways.count(entry.row)
        if at_s < entry.last_s:
            station.give(at_s, reading)
            return
        if entry.leader is not None and entry.leader is not station:
            entry.leader.part()
        self._ways.place(entry.row, at_s, reading)
        entry.leader = station

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
