"""Tracks against what is known: own drones, registered flights, everybody else.

A broadcast identity is a claim.  It makes a track our own only where our own telemetry agrees
with it, and a registered flight only where the flight's registration names it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from shapely import Point, Polygon

from droneteam.detection.heights import Heights
from droneteam.detection.records import Track
from droneteam.geo import great_circle_distance_m

Kind = Literal["own", "registered", "operator", "unknown"]
"""operator : a registered operator, without a flight that was announced."""

OWN_GATE_M = 100.0
OWN_SPEED_MPS = 30.0
TELEMETRY_FRESH_S = 30.0
"""An own drone that has not reported for this long can neither confirm nor deny."""
ECHO_GATE_M = 15.0
ECHO_SLIP_MPS = 4.0
ECHO_FRESH_S = 3.0
"""A track without identity is our own drone's echo only where both place and motion agree."""
ECHO_PROBABILITY = 0.9
UNSURE_PROBABILITY = 0.7
"""A serial that nothing confirms or denies: serials are copied easily."""
WINDOW_GRACE = timedelta(minutes=5)
VOLUME_GRACE_M = 30.0
_DEGREE_M = 111_320.0
_EU_OPERATOR = re.compile(r"([A-Za-z]{3}[0-9a-z]{13})-[0-9a-z]{3}")
"""An EU registration with its three secret characters (EN 4709-002)."""


@dataclass(frozen=True, slots=True)
class OwnDrone:
    """A drone of the fleet and where its telemetry last put it, and how it moves there."""

    name: str
    remote_id_serial: str
    at: datetime | None
    lat_deg: float | None
    lon_deg: float | None
    speed_mps: float = 0.0
    course_deg: float = 0.0
    flying: bool = True
    heights: Heights = field(default_factory=Heights)


@dataclass(frozen=True, slots=True)
class RegisteredFlight:
    """A flight that was announced: who, when, where.

    polygon : (lat_deg, lon_deg) corners; max_height_m is above take-off, None for no limit.
    """

    reference: str
    uas_ids: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    polygon: tuple[tuple[float, float], ...]
    max_height_m: float | None = None
    operator_id: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """What a track is held to be, and why.

    subject : the own drone's name or the flight's reference; an aircraft with a transponder is
    registered under its call sign. probability : that this is so, given the evidence.
    deviations : how it departs from what was registered: "before_window", "after_window",
    "outside_volume", "above_height".
    """

    kind: Kind
    subject: str | None
    evidence: tuple[str, ...]
    deviations: tuple[str, ...] = ()
    probability: float = 1.0


class Register:
    """Own drones and registered flights, found by identity instead of one after the other."""

    def __init__(self, own: Sequence[OwnDrone], flights: Sequence[RegisteredFlight]) -> None:
        self._own = {drone.remote_id_serial: drone for drone in reversed(own)}
        self._placed = [drone for drone in own if drone.at is not None and drone.flying]
        self._flights: dict[str, list[RegisteredFlight]] = {}
        for flight in flights:
            for uas_id in flight.uas_ids:
                self._flights.setdefault(uas_id, []).append(flight)
        self._operators = {public_operator(flight.operator_id) for flight in flights} - {""}

    def match(self, track: Track) -> Match:
        """What the track is held to be, as of its last message."""
        if track.manned:
            return Match("registered", track.registration or track.uas_id, ("transponder",))
        names = sorted(track.identities)
        for name in names:
            if name in self._own:
                return _own_match(track, self._own[name])
        named = [flight for name in names for flight in self._flights.get(name, ())]
        if named:
            return min(
                (_registered_match(track, flight) for flight in named),
                key=lambda match: len(match.deviations),
            )
        return self._unnamed(track)

    def _unnamed(self, track: Track) -> Match:
        """A track whose identity, if it has one, nobody announced."""
        if not track.identities:
            echo = next((drone for drone in self._placed if _is_echo(track, drone)), None)
            if echo is not None:
                return Match("own", echo.name, ("telemetry_agrees",), (), ECHO_PROBABILITY)
        evidence = "identity_not_registered" if track.identities else "no_identity"
        if self._operators and public_operator(track.operator_id) in self._operators:
            shown = ("operator_registered", evidence)
            # No subject: the operator's id is shown and kept with the track, by the rules for it.
            return Match("operator", None, shown, (), UNSURE_PROBABILITY)
        return Match("unknown", None, (evidence,))


def match_track(
    track: Track, own: Sequence[OwnDrone], flights: Sequence[RegisteredFlight]
) -> Match:
    """What one track is held to be, as of its last message."""
    return Register(own, flights).match(track)


def public_operator(operator_id: str | None) -> str:
    """An operator's registration without its secret part and padding; "" for none."""
    name = (operator_id or "").strip(" \0")
    found = _EU_OPERATOR.fullmatch(name)
    return found[1] if found else name


def _is_echo(track: Track, drone: OwnDrone) -> bool:
    """Whether a nameless track is where our telemetry is, and moves as it does."""
    if drone.at is None or drone.lat_deg is None or drone.lon_deg is None or not drone.flying:
        return False
    age_s = abs((track.last_at - drone.at).total_seconds())
    apart_m = great_circle_distance_m(track.lat_deg, track.lon_deg, drone.lat_deg, drone.lon_deg)
    turn = math.radians(track.course_deg - drone.course_deg)
    across = track.speed_mps**2 + drone.speed_mps**2
    slip_mps = math.sqrt(
        max(0.0, across - 2.0 * track.speed_mps * drone.speed_mps * math.cos(turn))
    )
    near_m = ECHO_GATE_M + 3.0 * track.sigma_m + OWN_SPEED_MPS * age_s
    return age_s <= ECHO_FRESH_S and apart_m <= near_m and slip_mps <= ECHO_SLIP_MPS


def _own_match(track: Track, drone: OwnDrone) -> Match:
    if drone.at is None or drone.lat_deg is None or drone.lon_deg is None:
        return Match("own", drone.name, ("own_serial", "no_telemetry"), (), UNSURE_PROBABILITY)
    age_s = abs((track.last_at - drone.at).total_seconds())
    if age_s > TELEMETRY_FRESH_S:
        return Match("own", drone.name, ("own_serial", "telemetry_old"), (), UNSURE_PROBABILITY)
    apart_m = great_circle_distance_m(track.lat_deg, track.lon_deg, drone.lat_deg, drone.lon_deg)
    if apart_m <= OWN_GATE_M + 3.0 * track.sigma_m + OWN_SPEED_MPS * age_s:
        return Match("own", drone.name, ("own_serial", "telemetry_agrees"))
    return Match("unknown", drone.name, ("own_serial", "telemetry_elsewhere"))


def _registered_match(track: Track, flight: RegisteredFlight) -> Match:
    deviations = []
    if track.last_at < flight.starts_at - WINDOW_GRACE:
        deviations.append("before_window")
    if track.last_at > flight.ends_at + WINDOW_GRACE:
        deviations.append("after_window")
    if len(flight.polygon) >= 3 and _outside_m(track, flight) > VOLUME_GRACE_M + track.sigma_m:
        deviations.append("outside_volume")
    height_m, limit_m = track.height_m, flight.max_height_m
    if height_m is not None and limit_m is not None and height_m > limit_m:
        deviations.append("above_height")
    evidence = ("identity_registered",)
    probability = 0.95 if not deviations else UNSURE_PROBABILITY
    return Match("registered", flight.reference, evidence, tuple(deviations), probability)


def _outside_m(track: Track, flight: RegisteredFlight) -> float:
    """How far the track is outside the flight's polygon, in a plane about the track."""
    scale = math.cos(math.radians(track.lat_deg))
    corners = [
        ((lon - track.lon_deg) * _DEGREE_M * scale, (lat - track.lat_deg) * _DEGREE_M)
        for lat, lon in flight.polygon
    ]
    return float(Polygon(corners).distance(Point(0.0, 0.0)))
