"""Watches drones for each other: forecasts from their flights, says what is new.

One deck's flights are known in full; those of other controllers as they share them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, combinations, islice

from droneteam.missions.flight.separation import (
    HOME_SPEED_MPS,
    Conflict,
    Craft,
    Forecast,
    Waypoint,
    conflict_of,
    forecast_of,
    proposal_for,
)
from droneteam.missions.flight.sharedair import STALE_S, Nearing, SharedCraft, metres
from droneteam.missions.flight.state import GOING_HOME, Flight, Phase
from droneteam.missions.items import HomePoint, MissionCommand, WireItem
from droneteam.missions.mavlink.messages import CopterMode

PAIRS_AT_ONCE = 10
"""A new conflict among a hundred drones takes 20 ms at worst, a known one a tenth of it."""
SAME_MEETING_S = 10.0
"""A meeting forecast for another time than before by more than this is another meeting."""
LOOK_S = 2.0
"""Time between two forecasts."""
REST_S = 0.02
"""Between two parts of a look: the links of a large fleet are served in between."""
_SILENT = (
    f"{{name}} has not been heard of for {STALE_S:.0f} s by the controller that flies it: "
    "whether it keeps clear is no longer known"
)
_FLOWN_TO = frozenset({MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME, MissionCommand.LAND})
_GROUND_SPEED = 1.0
"""First parameter of DO_CHANGE_SPEED: the second is the speed over ground."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to tell the pilots of some drones."""

    drones: tuple[str, ...]
    text: str


@dataclass(slots=True)
class AirWatch:
    """Remembers what was told, so that each conflict is told once and its end once.

    Looking at all pairs of a large fleet takes longer than the flight loop may stand still, so a
    look goes on over as many turns as it needs, ``REST_S`` apart: ``PAIRS_AT_ONCE`` in each, and
    the search for one proposal at most.  What was told of a pair is how likely its meeting is,
    and when, on the link's clock.  Drones that other controllers fly are looked at against the
    own ones; their controllers look for themselves.
    """

    _told: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    _looked_at_s: float = -math.inf
    _forecasts: list[Forecast] = field(default_factory=list)
    _pairs: Iterator[tuple[int, int]] | None = None
    _found: dict[tuple[str, str], Conflict] = field(default_factory=dict)
    _standing: dict[tuple[str, str], Conflict] = field(default_factory=dict)
    _silent: frozenset[str] = frozenset()
    _part_at_s: float = -math.inf

    def look(
        self,
        flights: Mapping[str, Flight],
        now_s: float,
        others: Sequence[SharedCraft] = (),
        at: datetime | None = None,
    ) -> list[Advice]:
        """What is new since the last look; nothing before ``LOOK_S`` have passed.

        others : what other controllers share; at : the calendar time, needed to know their age.
        """
        advice: list[Advice] = []
        if self._pairs is None:
            if len(flights) + len(others) < 2:
                self._standing = {}
                return []
            if now_s - self._looked_at_s < LOOK_S:
                return []
            self._looked_at_s = now_s
            advice = self._begin(flights, others, at)
        elif now_s - self._part_at_s < REST_S:
            return []
        assert self._pairs is not None
        self._part_at_s = now_s
        self._some_pairs(self._pairs)
        following = next(self._pairs, None)
        if following is not None:
            self._pairs = chain([following], self._pairs)
            return advice
        self._pairs, self._standing = None, self._found
        return [*advice, *self._new(self._found), *self._over(self._found)]

    def nearing(self, name: str, now_s: float) -> tuple[Nearing, ...]:
        """The drones that one may come too close to, as the last whole look found it."""
        later_s = now_s - self._looked_at_s
        return tuple(
            Nearing(
                pair[1] if pair[0] == name else pair[0],
                max(0.0, one.in_s - later_s),
                one.apart_m,
                one.above_m,
                one.rank,
            )
            for pair, one in self._standing.items()
            if name in pair
        )

    def _begin(
        self, flights: Mapping[str, Flight], others: Sequence[SharedCraft], at: datetime | None
    ) -> list[Advice]:
        """Forecast every drone; says which of the others are no longer heard of."""
        own = fleet_of(flights, self._looked_at_s)
        origin = _origin_of(flights)
        heard = [one for one in others if at is not None and not one.stale(at)]
        silent = frozenset(one.craft.name for one in others if one not in heard)
        theirs = [one.about(origin, at) for one in heard if at and origin] if own else []
        self._forecasts = [forecast_of(craft) for craft in (*own, *theirs)]
        pairs = combinations(range(len(self._forecasts)), 2)
        self._pairs = (pair for pair in pairs if pair[0] < len(own))
        self._found = {}
        fresh = silent - self._silent if own else frozenset[str]()
        self._silent = silent if own else self._silent & silent
        names = tuple(craft.name for craft in own)
        return [Advice(names, _SILENT.format(name=name)) for name in sorted(fresh)]

    def _some_pairs(self, pairs: Iterator[tuple[int, int]]) -> None:
        """Look at the next few pairs; the search for a proposal ends the turn."""
        for pair in islice(pairs, PAIRS_AT_ONCE):
            conflict = conflict_of(self._forecasts, pair)
            if conflict is None:
                continue
            known = self._known(conflict)
            if not known:
                proposal = proposal_for(self._forecasts, pair, conflict.rank)
                conflict = replace(conflict, proposal=proposal)
            self._found[conflict.first, conflict.second] = conflict
            if not known:
                return

    def _known(self, conflict: Conflict) -> bool:
        """Whether this meeting was told: as likely, and at about the same moment."""
        told = self._told.get((conflict.first, conflict.second))
        if told is None or told[0] != conflict.rank:
            return False
        return abs(told[1] - (self._looked_at_s + conflict.in_s)) <= SAME_MEETING_S

    def _new(self, found: Mapping[tuple[str, str], Conflict]) -> list[Advice]:
        fresh = [Advice(pair, str(one)) for pair, one in found.items() if not self._known(one)]
        for pair, one in found.items():
            self._told[pair] = (one.rank, self._looked_at_s + one.in_s)
        return fresh

    def _over(self, found: Mapping[tuple[str, str], Conflict]) -> list[Advice]:
        """The end of conflicts; of a drone that is no longer heard of nothing is known."""
        gone = [pair for pair in self._told if pair not in found]
        for pair in gone:
            del self._told[pair]
        return [
            Advice(pair, f"{pair[0]} and {pair[1]} keep clear again")
            for pair in gone
            if not self._silent.intersection(pair)
        ]


def fleet_of(flights: Mapping[str, Flight], now_s: float | None = None) -> list[Craft]:
    """The drones in the air, in metres about the first one's home."""
    origin = _origin_of(flights)
    if origin is None:
        return []
    return [
        craft_of(name, flight, origin, now_s)
        for name, flight in flights.items()
        if in_the_air(flight)
    ]


def _origin_of(flights: Mapping[str, Flight]) -> HomePoint | None:
    aloft = (flight for flight in flights.values() if in_the_air(flight))
    return next((flight.order.home for flight in aloft), None)


def shared_of(
    name: str, drone_id: int, flight: Flight, now_s: float, at: datetime
) -> SharedCraft | None:
    """A flight as it is shared with other controllers; None on the ground."""
    if not in_the_air(flight):
        return None
    origin = flight.order.home
    return SharedCraft(drone_id, at, origin, craft_of(name, flight, origin, now_s))


def in_the_air(flight: Flight) -> bool:
    """Whether a flight is to be forecast."""
    return bool(flight.armed) and flight.airborne and flight.ending is None


def craft_of(name: str, flight: Flight, origin: HomePoint, now_s: float | None = None) -> Craft:
    """A flight as the forecast sees it; now_s : the link's clock, for one not heard of lately.

    Home is where the vehicle says it is, which is where it was armed; else as planned.  One that
    somebody else flies stands still in the forecast: where it goes is not known.
    """
    position, order = flight.readings.position, flight.order
    assert position is not None
    home_up_m = position.alt_amsl_m - position.alt_home_m
    here = (*metres(position.lat_deg, position.lon_deg, origin), position.alt_amsl_m)
    landing = flight.readings.home or order.home
    home = (*metres(landing.lat_deg, landing.lon_deg, origin), home_up_m)
    mode = flight.readings.mode
    if mode == CopterMode.LAND:
        home = (here[0], here[1], home_up_m)
    return Craft(
        name,
        here,
        home,
        max(home_up_m + order.rtl_alt_m, position.alt_amsl_m if mode == CopterMode.LAND else 0.0),
        ahead=_ahead(order.items, flight.mission_seq, home_up_m, origin),
        returning=mode in GOING_HOME,
        holding=flight.phase in (Phase.PAUSED, Phase.HANDED_OVER) and mode not in GOING_HOME,
        age_s=0.0 if now_s is None else max(0.0, now_s - (flight.heard_at_s or now_s)),
    )


def _ahead(
    items: Sequence[WireItem], seq: int, home_up_m: float, origin: HomePoint
) -> tuple[Waypoint, ...]:
    """What is left of a mission, with the speeds that its items set."""
    speed_mps, left = HOME_SPEED_MPS, []
    for item in items[1:]:
        if item.command == MissionCommand.DO_CHANGE_SPEED and item.params[0] == _GROUND_SPEED:
            speed_mps = item.params[1]
        if item.seq >= seq and item.command in _FLOWN_TO:
            place = metres(item.x, item.y, origin)
            left.append(Waypoint(*place, home_up_m + item.z, speed_mps, item.params[0]))
    return tuple(left)
