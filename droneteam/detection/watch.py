"""From records to a picture: tracks with their matches, and alerts, moment by moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from droneteam.detection import alert, conflict, match
from droneteam.detection.conformance import Conformance
from droneteam.detection.flights import Flights
from droneteam.detection.heights import Heights
from droneteam.detection.records import Alive, Leave, Plot, Received, Record, Track
from droneteam.detection.scans import Scans
from droneteam.detection.suspicion import Site, Suspicion, suspicion
from droneteam.detection.track import NO_TRACK, REFUSED, Tracker
from droneteam.detection.zones import Breach, ZoneIndex

TICK_S = 0.1
"""How often rules are applied, in the records' own time: an alert is that late at most."""
CONFLICT_RANGE_M = 10_000.0
OWN_SIGMA_M, OWN_SIGMA_MPS = 5.0, 1.0
BROADCAST_FRESH_S = 5.0
"""An own broadcast further than this from the telemetry in time says nothing of the height now."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the air at one moment.

    sites : where receivers stand, by name; geoid_m : the geoid above the ellipsoid here, None
    where the installation has not said.
    """

    own: tuple[match.OwnDrone, ...] = ()
    flights: tuple[match.RegisteredFlight, ...] = ()
    sites: Mapping[str, Site] = field(default_factory=dict)
    zones: ZoneIndex = field(default_factory=ZoneIndex)
    geoid_m: float | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """What one application of the rules gave.

    changed : the tracks that are new or other than at the moment before. merged : ids of tracks
    that went on as another one. conforming : the states of registered flights, by track, that are
    other than at the moment before.
    """

    at: datetime
    tracks: tuple[tuple[Track, match.Match], ...]
    ended: tuple[Track, ...]
    changes: tuple[alert.AlertChange, ...]
    changed: tuple[tuple[Track, match.Match], ...] = ()
    merged: frozenset[int] = frozenset()
    conforming: Mapping[int, Conformance] = field(default_factory=dict)


class Watch:
    """Follows records and applies the rules every TICK_S of their time.

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
        self._scans = Scans(self._tracker.new_id)
        self._book: alert.Book = {}
        self._shown: dict[int, tuple[Track, match.Match]] = {}
        self._flights = Flights()
        self._breaches: dict[int, tuple[Track, ZoneIndex, list[Breach]]] = {}
        self._doubts: dict[int, tuple[Track, match.Match, Suspicion]] = {}
        self._alive: dict[str, datetime] = {}
        self._ticked_at: datetime | None = None
        self.refused = 0

    def feed(self, record: Record) -> tuple[Track | None, Moment | None]:
        """The record's track, and the moment that it completed, if it did."""
        (track_id,), moment = self.feed_many([record])
        return (None if track_id is None else self._tracker.track(track_id)), moment

    def feed_many(self, records: Sequence[Record]) -> tuple[list[int | None], Moment | None]:
        """Each record's track id, and the moment that they completed; they span TICK_S at most."""
        received = [one for one in records if isinstance(one, Received)]
        plots = [one for one in records if isinstance(one, Plot)]
        heard = iter(self._tracker.observe_many(received))
        named = iter(self._tracker.observe_plots([one for one in plots if one.identity]))
        ids: list[int | None] = []
        for record in records:
            if isinstance(record, Received):
                ids.append(self._counted(next(heard)))
            elif isinstance(record, Plot) and record.identity:
                ids.append(next(named))
            else:
                ids.append(None)
                self._note(record)
        return ids, self.tick(max(record.at for record in records))

    def _counted(self, track_id: int) -> int | None:
        self.refused += track_id == REFUSED
        return None if track_id in (REFUSED, NO_TRACK) else track_id

    def _note(self, record: Record) -> None:
        if isinstance(record, Plot):
            self._scans.add(record)
        elif isinstance(record, Alive):
            before = self._alive.get(record.receiver, record.at)
            self._alive[record.receiver] = max(before, record.at)
        elif isinstance(record, Leave):
            self._alive.pop(record.receiver, None)

    def tick(self, now: datetime) -> Moment | None:
        """The rules applied, when TICK_S has passed since they were last."""
        last = self._ticked_at
        if last is not None and (now - last).total_seconds() < TICK_S:
            return None
        self._ticked_at = now
        ended = self._tracker.end_silent(now)
        self._scans.run(now)
        known = self._known(now)
        named = [track for track in self._tracker.tracks if track.transmitters]
        matched = tuple(
            (track, match.match_track(track, known.own, known.flights))
            for track in (*named, *self._scans.tracks(named))
        )
        self._flights.end((track.id for track in ended), now)
        conditions = list(self._conditions(matched, known, now))
        self._book, changes = alert.step(self._book, conditions, now, self._rules)
        return self._moment(now, matched, ended, alert.explained(changes, matched))

    def _moment(
        self,
        now: datetime,
        matched: tuple[tuple[Track, match.Match], ...],
        ended: tuple[Track, ...],
        changes: tuple[alert.AlertChange, ...],
    ) -> Moment:
        changed = tuple(pair for pair in matched if self._shown.get(pair[0].id) != pair)
        shown = {pair[0].id: pair for pair in matched}
        gone = self._shown.keys() - shown.keys() - {track.id for track in ended}
        self._shown = shown
        self._doubts = {one: doubt for one, doubt in self._doubts.items() if one in shown}
        self._breaches = {one: found for one, found in self._breaches.items() if one in shown}
        conforming = self._flights.changed_states()
        self._flights.keep(shown)
        return Moment(now, matched, ended, changes, changed, frozenset(gone), conforming)

    def _conditions(
        self, matched: Sequence[tuple[Track, match.Match]], known: Known, now: datetime
    ) -> Iterator[alert.Condition]:
        flights = {flight.reference: flight for flight in known.flights}
        heard = {found.subject: track for track, found in matched if found.kind == "own"}
        movers = [
            mover
            for drone in known.own
            if (mover := _mover(drone, heard.get(drone.name))) is not None
        ]
        for track, found in matched:
            doubt = self._doubt(track, found, known)
            flight = flights.get(found.subject or "") if found.kind == "registered" else None
            conforms = self._flights.follow(track, flight, now)
            yield from alert.conditions_of(track, found, doubt, conforms, self._rules)
            lost = alert.lost_condition(track, found, now, self._rules)
            if lost is not None:
                yield lost
            yield from self._zones(track, found, known)
            if found.kind != "own":
                yield from self._conflicts(track, movers, known.geoid_m)
        for receiver, at in self._alive.items():
            silent_s = (now - at).total_seconds()
            condition = alert.silent_condition(receiver, silent_s, self._rules)
            if condition is not None:
                yield condition

    def _doubt(self, track: Track, found: match.Match, known: Known) -> Suspicion:
        # Our own telemetry is the better witness.
        if track.manned or not track.transmitters or found.evidence[-1] == "telemetry_agrees":
            return Suspicion(0.0, ())
        before = self._doubts.get(track.id)
        if before is not None and before[0] is track and before[1] == found:
            return before[2]
        doubt = suspicion(
            track,
            self._tracker.transmissions(track.id),
            known.sites,
            own_serial_elsewhere=found.evidence[-1] == "telemetry_elsewhere",
        )
        self._doubts[track.id] = (track, found, doubt)
        return doubt

    def _zones(self, track: Track, found: match.Match, known: Known) -> Iterator[alert.Condition]:
        before = self._breaches.get(track.id)
        if before is None or before[0] is not track or before[1] is not known.zones:
            breaches = known.zones.breaches(
                track, from_probability=self._rules.zone_probability, geoid_m=known.geoid_m
            )
            before = self._breaches[track.id] = (track, known.zones, breaches)
        for breach in before[2]:
            condition = alert.zone_condition(track, found, breach, self._rules)
            if condition is not None:
                yield condition

    def _conflicts(
        self, track: Track, movers: Sequence[conflict.Mover], geoid_m: float | None
    ) -> Iterator[alert.Condition]:
        for ours in movers:
            if abs(ours.lat_deg - track.lat_deg) * 111_320.0 > CONFLICT_RANGE_M:
                continue
            found = conflict.closest(
                ours,
                conflict.mover_of(track),
                within_m=self._rules.conflict_distance_m,
                vertical_m=self._rules.conflict_vertical_m,
                horizon_s=self._rules.conflict_horizon_s,
                geoid_m=geoid_m,
            )
            condition = alert.conflict_condition(track, ours.name, found, self._rules)
            if condition is not None:
                yield condition


def _mover(drone: match.OwnDrone, heard: Track | None) -> conflict.Mover | None:
    """A flying own drone; None without a place.

    heard : its own broadcast, which adds the heights that telemetry does not give.
    """
    if drone.lat_deg is None or drone.lon_deg is None or not drone.flying:
        return None
    course = math.radians(drone.course_deg)
    return conflict.Mover(
        name=drone.name,
        lat_deg=drone.lat_deg,
        lon_deg=drone.lon_deg,
        east_mps=drone.speed_mps * math.sin(course),
        north_mps=drone.speed_mps * math.cos(course),
        sigma_m=OWN_SIGMA_M,
        sigma_mps=OWN_SIGMA_MPS,
        heights=_with_broadcast(drone, heard),
    )


def _with_broadcast(drone: match.OwnDrone, heard: Track | None) -> Heights:
    if heard is None or drone.at is None:
        return drone.heights
    age_s = abs((heard.last_at - drone.at).total_seconds())
    if age_s > BROADCAST_FRESH_S:
        return drone.heights
    return replace(
        drone.heights,
        alt_ellipsoid_m=heard.alt_ellipsoid_m,
        alt_pressure_m=heard.alt_pressure_m,
    )
