"""From records to a picture: tracks with their matches, and alerts, moment by moment.

Rules are applied to a track when something is heard of it, and to all when what is known of the
air has changed.  What only time changes (a condition that has held long enough, a flight that has
been lost) is due at a moment that is known before: `Watch.due` says which is next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from droneteam.detection import alert, conflict, match
from droneteam.detection.conformance import Conformance
from droneteam.detection.flights import Flights
from droneteam.detection.heights import Heights
from droneteam.detection.records import (
    MAX_RECEIVERS,
    Alive,
    Leave,
    Plot,
    Received,
    Record,
    Track,
)
from droneteam.detection.scans import Scans
from droneteam.detection.standing import Standing
from droneteam.detection.suspicion import Site, Suspicion, suspicion
from droneteam.detection.track import ENDED_AFTER_S, NO_TRACK, REFUSED, Tracker
from droneteam.detection.zones import Breach, ZoneIndex

TICK_S = 0.1
"""Records that span less may be looked at together."""
LATE_S = ENDED_AFTER_S
"""A record that is older belongs to no track that lives, and would start one that has ended."""
SWEEP_S = 0.5
"""How often silence is looked for and what is known of the air is asked for anew."""
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
    """Follows records and applies the rules to what they change.

    known : asked every SWEEP_S for the own drones, the registered flights and the zones.
    """

    def __init__(
        self,
        known: Callable[[datetime], Known],
        rules: alert.AlertRules | None = None,
        first_track_id: int = 1,
    ) -> None:
        self._ask = known
        self._rules = rules or alert.AlertRules()
        self._tracker = Tracker(first_track_id)
        self._scans = Scans(self._tracker.new_id)
        self._standing = Standing(self._rules)
        self._shown: dict[int, tuple[Track, match.Match]] = {}
        self._nameless: set[int] = set()
        self._flights = Flights()
        self._air = Air(Known())
        self._breaches: dict[int, tuple[Track, ZoneIndex, list[Breach]]] = {}
        self._doubts: dict[int, tuple[Track, match.Match, Suspicion]] = {}
        self._alive: dict[str, datetime] = {}
        self._left: set[str] = set()
        self._swept_at: datetime | None = None
        self._now: datetime | None = None
        self.refused = 0
        self.late = 0
        """Records that were too old to be followed."""

    def feed(self, record: Record) -> tuple[Track | None, Moment | None]:
        """The record's track, and the moment that it made."""
        (track_id,), moment = self.feed_many([record])
        return (None if track_id is None else self._tracker.track(track_id)), moment

    def feed_many(self, records: Sequence[Record]) -> tuple[list[int | None], Moment | None]:
        """Each record's track id, and the moment that they made; they span TICK_S at most."""
        fresh = [one for one in records if not self._is_late(one)]
        self.late += len(records) - len(fresh)
        received = [one for one in fresh if isinstance(one, Received)]
        plots = [one for one in fresh if isinstance(one, Plot)]
        heard = iter(self._tracker.observe_many(received))
        named = iter(self._tracker.observe_plots([one for one in plots if one.identity]))
        ids: list[int | None] = []
        heard_at: dict[int, datetime] = {}
        for record in records:
            if self._is_late(record):
                track_id = None
            elif isinstance(record, Received):
                track_id = self._counted(next(heard))
            elif isinstance(record, Plot) and record.identity:
                track_id = next(named)
            else:
                track_id = None
                self._note(record)
            ids.append(track_id)
            if track_id is not None:
                heard_at[track_id] = record.at
        return ids, self._look(max(record.at for record in records), heard_at)

    def tick(self, now: datetime) -> Moment | None:
        """What time alone has changed; None when nothing was to be looked at."""
        due = self.due
        return None if due is not None and now < due else self._look(now, {})

    @property
    def due(self) -> datetime | None:
        """The next moment at which something is to be done although nothing is heard."""
        if self._swept_at is None:
            return None
        sweep = self._swept_at + timedelta(seconds=SWEEP_S)
        return min(sweep, self._standing.due or sweep)

    def _is_late(self, record: Record) -> bool:
        return self._now is not None and (self._now - record.at).total_seconds() > LATE_S

    def _counted(self, track_id: int) -> int | None:
        self.refused += track_id == REFUSED
        return None if track_id in (REFUSED, NO_TRACK) else track_id

    def _note(self, record: Record) -> None:
        if isinstance(record, Plot):
            self._scans.add(record)
        elif isinstance(record, Alive):
            before = self._alive.get(record.receiver)
            if before is not None or len(self._alive) < MAX_RECEIVERS:
                self._alive[record.receiver] = max(before or record.at, record.at)
        elif isinstance(record, Leave) and self._alive.pop(record.receiver, None) is not None:
            self._left.add(record.receiver)

    def _look(self, now: datetime, heard_at: Mapping[int, datetime]) -> Moment:
        """Apply the rules to what has changed until now; heard_at : when tracks were heard."""
        now = now if self._now is None else max(now, self._now)
        self._now = now
        last = self._swept_at
        sweep = last is None or (now - last).total_seconds() >= SWEEP_S
        ended = self._sweep(now) if sweep else ()
        renewed = sweep and self._renew(now)
        touched, gone = self._tracker.changes()
        tracks = {track.id: track for track in touched if track.transmitters}
        if self._scans.run(now) or (sweep and self._nameless):
            gone |= self._nameless
            nameless = self._scans.tracks([*self._named(gone), *tracks.values()], now)
            self._nameless = {track.id for track in nameless}
            gone -= self._nameless
            tracks |= {track.id: track for track in nameless}
        changes = self._forget(gone, now)
        if renewed:
            tracks = {one: track for one, (track, _) in self._shown.items()} | tracks
        changed = []
        for track in tracks.values():
            before = self._shown.get(track.id)
            pair, found = self._judge(track, before, heard_at.get(track.id, now), now)
            changes += found
            if pair != before:
                self._shown[track.id] = pair
                changed.append(pair)
        if sweep:
            changes += self._silences(now)
        changes += self._standing.pass_to(now)
        return self._moment(now, ended, gone, changed, changes)

    def _named(self, gone: set[int]) -> Iterator[Track]:
        return (
            track
            for one, (track, _) in self._shown.items()
            if track.transmitters and one not in gone
        )

    def _sweep(self, now: datetime) -> tuple[Track, ...]:
        """The tracks that have ended."""
        self._swept_at = now
        return self._tracker.end_silent(now)

    def _renew(self, now: datetime) -> bool:
        """Whether what is known of the air is other than before."""
        known = self._ask(now)
        if known == self._air.known:
            return False
        self._air = Air(known)
        return True

    def _forget(self, gone: set[int], now: datetime) -> list[alert.AlertChange]:
        """Nothing holds any more of tracks that are gone."""
        changes: list[alert.AlertChange] = []
        self._flights.end(gone, now)
        for one in gone:
            changes += self._standing.say(f"track:{one}", (), now)
            changes += self._standing.say(f"lost:{one}", (), now)
            for kept in (self._shown, self._doubts, self._breaches):
                kept.pop(one, None)
        return changes

    def _judge(
        self,
        track: Track,
        before: tuple[Track, match.Match] | None,
        at: datetime,
        now: datetime,
    ) -> tuple[tuple[Track, match.Match], list[alert.AlertChange]]:
        """The track with its match, and what that does to its alerts."""
        found = self._air.register.match(track)
        if before is not None and before[0] is track and before[1] == found:
            found = before[1]
        flight = self._air.flight(found)
        conforms = self._flights.follow(track, flight, now)
        conditions = alert.conditions_of(
            track, found, self._doubt(track, found), conforms, self._rules
        )
        conditions += self._zones(track, found)
        if found.kind == "own":
            self._air.hear(found.subject, track)
        else:
            conditions += self._conflicts(track)
        changes = self._standing.say(f"track:{track.id}", conditions, at)
        if found.kind == "registered" and before is not None and before[0] is not track:
            changes += self._standing.say(f"lost:{track.id}", (), at)
        return (track, found), changes

    def _silences(self, now: datetime) -> list[alert.AlertChange]:
        """Registered flights that are no longer heard, and receivers that no longer speak."""
        changes: list[alert.AlertChange] = []
        for track, found in self._shown.values():
            lost = alert.lost_condition(track, found, now, self._rules)
            owner = f"lost:{track.id}"
            if lost is not None:
                since = track.last_at + timedelta(seconds=self._rules.lost_after_s)
                changes += self._standing.say(owner, (lost,), since)
            elif owner in self._standing:
                changes += self._standing.say(owner, (), now)
        for receiver in self._left - self._alive.keys():
            changes += self._standing.say(f"receiver:{receiver}", (), now)
        self._left.clear()
        for receiver, at in self._alive.items():
            silent = alert.silent_condition(receiver, (now - at).total_seconds(), self._rules)
            since = now if silent is None else at + timedelta(seconds=self._rules.silent_after_s)
            said = () if silent is None else (silent,)
            changes += self._standing.say(f"receiver:{receiver}", said, since)
        return changes

    def _moment(
        self,
        now: datetime,
        ended: tuple[Track, ...],
        gone: set[int],
        changed: list[tuple[Track, match.Match]],
        changes: list[alert.AlertChange],
    ) -> Moment:
        merged = frozenset(gone - {track.id for track in ended})
        conforming = self._flights.changed_states()
        if gone:
            self._flights.keep(self._shown)
        matched = tuple(self._shown.values())
        told = alert.explained(sorted(changes, key=lambda one: one.at), matched)
        return Moment(now, matched, ended, told, tuple(changed), merged, conforming)

    def _doubt(self, track: Track, found: match.Match) -> Suspicion:
        # Our own telemetry is the better witness.
        if track.manned or not track.transmitters or found.evidence[-1] == "telemetry_agrees":
            return Suspicion(0.0, ())
        before = self._doubts.get(track.id)
        if before is not None and before[0] is track and before[1] == found:
            return before[2]
        doubt = suspicion(
            track,
            self._tracker.transmissions(track.id),
            self._air.known.sites,
            own_serial_elsewhere=found.evidence[-1] == "telemetry_elsewhere",
        )
        self._doubts[track.id] = (track, found, doubt)
        return doubt

    def _zones(self, track: Track, found: match.Match) -> list[alert.Condition]:
        known = self._air.known
        before = self._breaches.get(track.id)
        if before is None or before[0] is not track or before[1] is not known.zones:
            breaches = known.zones.breaches(
                track, from_probability=self._rules.zone_probability, geoid_m=known.geoid_m
            )
            before = self._breaches[track.id] = (track, known.zones, breaches)
        conditions = (
            alert.zone_condition(track, found, breach, self._rules) for breach in before[2]
        )
        return [condition for condition in conditions if condition is not None]

    def _conflicts(self, track: Track) -> list[alert.Condition]:
        conditions = []
        for ours in self._air.movers:
            if abs(ours.lat_deg - track.lat_deg) * 111_320.0 > CONFLICT_RANGE_M:
                continue
            other = conflict.mover_of(track)
            found = conflict.closest(
                ours,
                other,
                within_m=self._rules.conflict_distance_m,
                vertical_m=self._rules.conflict_vertical_m,
                horizon_s=self._rules.conflict_horizon_s,
                geoid_m=self._air.known.geoid_m,
            )
            condition = alert.conflict_condition(track, ours.name, found, self._rules)
            if condition is not None:
                conditions.append(
                    alert.with_advice(
                        condition, ours, other, found, self._rules, self._air.known.geoid_m
                    )
                )
        return conditions


class Air:
    """What is known of the air, arranged for asking it about one track."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.register = match.Register(known.own, known.flights)
        self._flights = {flight.reference: flight for flight in known.flights}
        self._own = {drone.name: drone for drone in known.own}
        self._movers = {
            drone.name: mover for drone in known.own if (mover := _mover(drone, None)) is not None
        }

    @property
    def movers(self) -> Iterable[conflict.Mover]:
        """The own drones that fly."""
        return self._movers.values()

    def flight(self, found: match.Match) -> match.RegisteredFlight | None:
        """The flight that a match names."""
        return self._flights.get(found.subject or "") if found.kind == "registered" else None

    def hear(self, name: str | None, track: Track) -> None:
        """An own drone's broadcast adds the heights that its telemetry does not give."""
        drone = self._own.get(name or "")
        mover = None if drone is None else _mover(drone, track)
        if mover is not None:
            self._movers[mover.name] = mover


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
