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
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from droneteam.detection import batch, motion, readings, rid
from droneteam.detection.motion import MotionModel
from droneteam.detection.readings import Reading
from droneteam.detection.records import (
    MAX_RECEIVERS,
    Plot,
    Received,
    Signal,
    Track,
    Transmissions,
)
from droneteam.detection.roster import Pending, Roster
from droneteam.detection.stations import MAX_SPEED_MPS, Entry, Receiver, Station
from droneteam.errors import DecodeError

ENDED_AFTER_S = 60.0
REFUSED = -1
NO_TRACK = 0

__all__ = ["ENDED_AFTER_S", "MAX_SPEED_MPS", "NO_TRACK", "REFUSED", "Received", "Track", "Tracker"]


class Tracker(Roster):
    """The tracks that live, fed with receptions in batches of any size."""

    def __init__(self, first_id: int = 1, model: MotionModel | None = None) -> None:
        super().__init__(first_id, model)
        self._stations: dict[str, Station] = {}
        self._receivers: dict[str, Receiver] = {}
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
        touched, gone = list(self._touched.values()), self._gone
        self._touched, self._gone = {}, set()
        self._view([entry for entry in touched if entry.view is None])
        return [entry.view for entry in touched if entry.view is not None], gone

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
        self._pending = Pending(measured)
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
        self._pending = Pending(readings.measured_of(found))
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
