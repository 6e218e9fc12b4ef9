"""Watches the drones of one deck for each other: forecasts from their flights, says what is new."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations, islice

from droneteam.missions.flight_state import GOING_HOME, Flight, Phase
from droneteam.missions.items import HomePoint, MissionCommand, WireItem
from droneteam.missions.messages import CopterMode
from droneteam.missions.separation import (
    HOME_SPEED_MPS,
    Conflict,
    Craft,
    Forecast,
    Waypoint,
    conflict_of,
    forecast_of,
    proposal_for,
)

PAIRS_AT_ONCE = 10
"""A new conflict among a hundred drones takes 20 ms at worst, a known one a tenth of it."""
SAME_MEETING_S = 10.0
"""A meeting forecast for another time than before by more than this is another meeting."""
LOOK_S = 2.0
"""Time between two forecasts."""
_FLOWN_TO = frozenset({MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME, MissionCommand.LAND})
_GROUND_SPEED = 1.0
"""First parameter of DO_CHANGE_SPEED: the second is the speed over ground."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to tell the pilots of two drones."""

    drones: tuple[str, str]
    text: str


@dataclass(slots=True)
class AirWatch:
    """Remembers what was told, so that each conflict is told once and its end once.

    Looking at all pairs of a large fleet takes longer than the flight loop may stand still, so a
    look goes on over as many turns as it needs, ``PAIRS_AT_ONCE`` in each.  What was told of a
    pair is how likely its meeting is, and when, on the link's clock.
    """

    _told: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)
    _looked_at_s: float = -math.inf
    _forecasts: list[Forecast] = field(default_factory=list)
    _pairs: Iterator[tuple[int, int]] | None = None
    _found: dict[tuple[str, str], Conflict] = field(default_factory=dict)

    def look(self, flights: Mapping[str, Flight], now_s: float) -> list[Advice]:
        """What is new since the last look; nothing before ``LOOK_S`` have passed."""
        if self._pairs is None:
            if len(flights) < 2 or now_s - self._looked_at_s < LOOK_S:
                return []
            self._looked_at_s = now_s
            self._forecasts = [forecast_of(craft) for craft in fleet_of(flights)]
            self._pairs, self._found = combinations(range(len(self._forecasts)), 2), {}
        for pair in islice(self._pairs, PAIRS_AT_ONCE):
            conflict = conflict_of(self._forecasts, pair)
            if conflict is not None:
                self._found[conflict.first, conflict.second] = self._proposed(pair, conflict)
        following = next(self._pairs, None)
        if following is not None:
            self._pairs = chain([following], self._pairs)
            return []
        self._pairs = None
        return [*self._new(self._found), *self._over(self._found)]

    def _known(self, conflict: Conflict) -> bool:
        """Whether this meeting was told: as likely, and at about the same moment."""
        told = self._told.get((conflict.first, conflict.second))
        if told is None or told[0] != conflict.rank:
            return False
        return abs(told[1] - (self._looked_at_s + conflict.in_s)) <= SAME_MEETING_S

    def _proposed(self, pair: tuple[int, int], conflict: Conflict) -> Conflict:
        """A conflict that is new, with what would end it; that search takes the longest."""
        if self._known(conflict):
            return conflict
        return replace(conflict, proposal=proposal_for(self._forecasts, pair, conflict.rank))

    def _new(self, found: Mapping[tuple[str, str], Conflict]) -> list[Advice]:
        fresh = [Advice(pair, str(one)) for pair, one in found.items() if not self._known(one)]
        for pair, one in found.items():
            self._told[pair] = (one.rank, self._looked_at_s + one.in_s)
        return fresh

    def _over(self, found: Mapping[tuple[str, str], Conflict]) -> list[Advice]:
        gone = [pair for pair in self._told if pair not in found]
        for pair in gone:
            del self._told[pair]
        return [Advice(pair, f"{pair[0]} and {pair[1]} keep clear again") for pair in gone]


def fleet_of(flights: Mapping[str, Flight]) -> list[Craft]:
    """The drones in the air, in metres about the first one's home."""
    known = {name: flight for name, flight in flights.items() if _in_the_air(flight)}
    if not known:
        return []
    origin = next(iter(known.values())).order.home
    return [craft_of(name, flight, origin) for name, flight in known.items()]


def _in_the_air(flight: Flight) -> bool:
    return bool(flight.armed) and flight.airborne and flight.ending is None


def craft_of(name: str, flight: Flight, origin: HomePoint) -> Craft:
    """A flight as the forecast sees it.

    Home is where the vehicle says it is, which is where it was armed; else as planned.  One that
    somebody else flies stands still in the forecast: where it goes is not known.
    """
    position, order = flight.readings.position, flight.order
    assert position is not None
    home_up_m = position.alt_amsl_m - position.alt_home_m
    here = (*_metres(position.lat_deg, position.lon_deg, origin), position.alt_amsl_m)
    landing = flight.readings.home or order.home
    home = (*_metres(landing.lat_deg, landing.lon_deg, origin), home_up_m)
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
            place = _metres(item.x, item.y, origin)
            left.append(Waypoint(*place, home_up_m + item.z, speed_mps, item.params[0]))
    return tuple(left)


def _metres(lat_deg: float, lon_deg: float, origin: HomePoint) -> tuple[float, float]:
    """East and north of the origin; flat, which errs by centimetres over a sortie's kilometre."""
    north_m = (lat_deg - origin.lat_deg) * 111_320.0
    east_m = (lon_deg - origin.lon_deg) * 111_320.0 * math.cos(math.radians(origin.lat_deg))
    return east_m, north_m
