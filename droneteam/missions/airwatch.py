"""Watches the drones of one deck for each other: forecasts from their flights, says what is new."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from droneteam.missions.flight_state import GOING_HOME, Flight, Phase
from droneteam.missions.items import HomePoint, MissionCommand, WireItem
from droneteam.missions.messages import CopterMode
from droneteam.missions.separation import HOME_SPEED_MPS, Conflict, Craft, Waypoint, conflicts

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
    """Remembers what was told, so that each conflict is told once and its end once."""

    _told: dict[tuple[str, str], str] = field(default_factory=dict)
    _looked_at_s: float = -math.inf

    def look(self, flights: Mapping[str, Flight], now_s: float) -> list[Advice]:
        """What is new since the last look; nothing before ``LOOK_S`` have passed."""
        if len(flights) < 2 or now_s - self._looked_at_s < LOOK_S:
            return []
        self._looked_at_s = now_s
        found = {(one.first, one.second): one for one in conflicts(fleet_of(flights))}
        return [*self._new(found), *self._over(found)]

    def _new(self, found: Mapping[tuple[str, str], Conflict]) -> list[Advice]:
        fresh = [pair for pair, one in found.items() if self._told.get(pair) != _kind(one)]
        self._told |= {pair: _kind(found[pair]) for pair in fresh}
        return [Advice(pair, str(found[pair])) for pair in fresh]

    def _over(self, found: Mapping[tuple[str, str], Conflict]) -> list[Advice]:
        gone = [pair for pair in self._told if pair not in found]
        for pair in gone:
            del self._told[pair]
        return [Advice(pair, f"{pair[0]} and {pair[1]} keep clear again") for pair in gone]


def _kind(conflict: Conflict) -> str:
    """What makes a conflict another one: how likely its futures are, and what is proposed."""
    return f"{conflict.rank} {conflict.proposal}"


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

    One that somebody else flies stands still in the forecast: where it goes is not known.
    """
    position, order = flight.readings.position, flight.order
    assert position is not None
    home_up_m = position.alt_amsl_m - position.alt_home_m
    here = (*_metres(position.lat_deg, position.lon_deg, origin), position.alt_amsl_m)
    home = (*_metres(order.home.lat_deg, order.home.lon_deg, origin), home_up_m)
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
