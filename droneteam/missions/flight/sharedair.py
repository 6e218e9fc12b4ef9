"""What controllers tell each other of their drones in the air, so that all are forecast together.

A controller shares, of each of its drones in the air, what its own forecast is made from: place,
what is left of the mission, the way home.  Others read it, a little later and on another origin.
What is older than ``STALE_S`` is no longer forecast, because nobody knows whether it still holds;
the pilots are told that.  Clocks of two controllers may differ: an age below zero counts as none,
so they should agree to a second (NTP does).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from droneteam.errors import DecodeError
from droneteam.missions.flight.separation import Craft, Waypoint
from droneteam.missions.items import HomePoint

STALE_S = 5.0
"""Ten sharings missed; a drone at 10 m/s is 50 m from where it was."""
DEGREE_M = 111_320.0


@dataclass(frozen=True, slots=True)
class Nearing:
    """Another drone that a drone may come too close to, as its controller forecasts it.

    in_s : from when it was shared; apart_m, above_m : across and in height then; rank : how many
    of the two leave their plan for it (`separation.Conflict`).
    """

    name: str
    in_s: float
    apart_m: float
    above_m: float
    rank: int


@dataclass(frozen=True, slots=True)
class SharedCraft:
    """A drone in the air as its controller shares it.

    at : by that controller's clock; origin : of the craft's metres; craft.age_s : how old its
    position was already then; nearing : for the pages that show it, other controllers look
    for themselves.
    """

    drone_id: int
    at: datetime
    origin: HomePoint
    craft: Craft
    nearing: tuple[Nearing, ...] = ()

    def age_s(self, now: datetime) -> float:
        """How long ago it was shared."""
        return max(0.0, (now - self.at).total_seconds())

    def stale(self, now: datetime) -> bool:
        """Whether nobody should rely on it any more."""
        return self.age_s(now) > STALE_S

    def about(self, origin: HomePoint, now: datetime) -> Craft:
        """The craft in metres about another origin, with the age that it has now."""
        east_m, north_m = metres(self.origin.lat_deg, self.origin.lon_deg, origin)
        craft = self.craft
        return replace(
            craft,
            place_m=_moved(craft.place_m, east_m, north_m),
            home_m=_moved(craft.home_m, east_m, north_m),
            ahead=tuple(
                replace(one, east_m=one.east_m + east_m, north_m=one.north_m + north_m)
                for one in craft.ahead
            ),
            age_s=craft.age_s + self.age_s(now),
        )


def metres(lat_deg: float, lon_deg: float, origin: HomePoint) -> tuple[float, float]:
    """East and north of the origin; flat, which errs by centimetres over a sortie's kilometre."""
    north_m = (lat_deg - origin.lat_deg) * DEGREE_M
    east_m = (lon_deg - origin.lon_deg) * DEGREE_M * math.cos(math.radians(origin.lat_deg))
    return east_m, north_m


def _moved(
    place_m: tuple[float, float, float], east_m: float, north_m: float
) -> tuple[float, float, float]:
    return place_m[0] + east_m, place_m[1] + north_m, place_m[2]


def to_json(shared: SharedCraft) -> dict[str, Any]:
    """The craft and its origin as JSON; drone and time have columns of their own."""
    return {
        "origin": asdict(shared.origin),
        "craft": asdict(shared.craft),
        "nearing": [asdict(one) for one in shared.nearing],
    }


def from_json(drone_id: int, at: datetime, document: dict[str, Any]) -> SharedCraft:
    """What `to_json` wrote.

    Raises
    ------
    DecodeError
        Another release wrote it, or somebody else.
    """
    try:
        origin = HomePoint(**document["origin"])
        craft = _known(Craft, document["craft"])
        ahead = tuple(Waypoint(**_known(Waypoint, one)) for one in craft.pop("ahead"))
        place_m, home_m = _triple(craft.pop("place_m")), _triple(craft.pop("home_m"))
        nearing = tuple(Nearing(**_known(Nearing, one)) for one in document.get("nearing", ()))
        whole = Craft(place_m=place_m, home_m=home_m, ahead=ahead, **craft)
        return SharedCraft(drone_id, at, origin, whole, nearing)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"what is shared of drone {drone_id} cannot be read: {error}") from error


def _known(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    """The values that this release knows: a newer one may share more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in values.items() if name in names}


def _triple(values: Any) -> tuple[float, float, float]:
    east_m, north_m, up_m = (float(value) for value in values)
    if not all(map(math.isfinite, (east_m, north_m, up_m))):
        raise ValueError(f"{values} is no place")
    return east_m, north_m, up_m
