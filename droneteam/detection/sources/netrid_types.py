"""What service providers of network Remote ID answer, typed: ASTM F3411-22a, annex A4.

A value that its field declares unknown is None: track 361, speed 255, vertical speed 63, heights
of -1000 m, position 0/0, accuracies "...Unknown", and accuracies "...Plus", which are bounds that
nothing is known to lie within.  What is missing or outside its range is None too, and is named
among the problems; a flight without a time or a place that can be read is refused as a whole, and
the others are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from droneteam.detection import rid
from droneteam.errors import DecodeError

MAX_FLIGHTS = 2000
"""In one answer; the standard has none, our memory has."""
_TRACK_UNKNOWN_DEG, _SPEED_UNKNOWN_MPS, _CLIMB_UNKNOWN_MPS = 361.0, 255.0, 63.0
_ALTITUDE_UNKNOWN_M, _MAX_ALTITUDE_M = -1000.0, 31767.5
_MAX_SPEED_MPS, _MAX_CLIMB_MPS = 254.25, 62.0

HORIZONTAL_M: Mapping[str, float | None] = {
    "HAUnknown": None,
    "HA10NMPlus": None,
    "HA10NM": 18520.0,
    "HA4NM": 7408.0,
    "HA2NM": 3704.0,
    "HA1NM": 1852.0,
    "HA05NM": 926.0,
    "HA03NM": 555.6,
    "HA01NM": 185.2,
    "HA005NM": 92.6,
    "HA30m": 30.0,
    "HA10m": 10.0,
    "HA3m": 3.0,
    "HA1m": 1.0,
}
VERTICAL_M: Mapping[str, float | None] = {
    "VAUnknown": None,
    "VA150mPlus": None,
    "VA150m": 150.0,
    "VA45m": 45.0,
    "VA25m": 25.0,
    "VA10m": 10.0,
    "VA3m": 3.0,
    "VA1m": 1.0,
}
SPEED_MPS: Mapping[str, float | None] = {
    "SAUnknown": None,
    "SA10mpsPlus": None,
    "SA10mps": 10.0,
    "SA3mps": 3.0,
    "SA1mps": 1.0,
    "SA03mps": 0.3,
}
STATUS: Mapping[str, rid.Status] = {
    "Undeclared": rid.Status.UNDECLARED,
    "Ground": rid.Status.GROUND,
    "Airborne": rid.Status.AIRBORNE,
    "Emergency": rid.Status.EMERGENCY,
    "RemoteIDSystemFailure": rid.Status.SYSTEM_FAILURE,
}
HEIGHT_ABOVE: Mapping[str, rid.HeightReference] = {
    "TakeoffLocation": rid.HeightReference.TAKE_OFF,
    "GroundLevel": rid.HeightReference.GROUND,
}
UA_TYPES = (
    *("NotDeclared", "Aeroplane", "Helicopter", "Gyroplane", "HybridLift", "Ornithopter"),
    *("Glider", "Kite", "FreeBalloon", "CaptiveBalloon", "Airship", "FreeFallOrParachute"),
    *("Rocket", "TetheredPoweredAircraft", "GroundObstacle", "Other"),
)
"""In the order of the broadcast's numbers."""
OPERATOR_PLACES = ("Takeoff", "Dynamic", "Fixed")
EU_CATEGORIES = ("EUCategoryUndefined", "Open", "Specific", "Certified")
EU_CLASSES = ("EUClassUndefined", *(f"Class{number}" for number in range(7)))


@dataclass(frozen=True, slots=True)
class State:
    """Where a flight was at a moment, and how it moved."""

    at: datetime
    lat_deg: float
    lon_deg: float
    status: rid.Status = rid.Status.UNDECLARED
    track_deg: float | None = None
    speed_mps: float | None = None
    vertical_speed_mps: float | None = None
    alt_ellipsoid_m: float | None = None
    alt_pressure_m: float | None = None
    height_m: float | None = None
    height_reference: rid.HeightReference = rid.HeightReference.TAKE_OFF
    horizontal_accuracy_m: float | None = None
    vertical_accuracy_m: float | None = None
    speed_accuracy_mps: float | None = None
    time_accuracy_s: float | None = None
    extrapolated: bool = False


@dataclass(frozen=True, slots=True)
class Flight:
    """One flight that a provider answers for.

    state : None for one that only tells its area. recent : where it was before, in time's order.
    """

    id: str
    ua_type: int
    state: State | None
    recent: tuple[State, ...]
    simulated: bool


@dataclass(frozen=True, slots=True)
class Flights:
    """One answer; served_here : whether the provider has any service area in the view."""

    flights: tuple[Flight, ...]
    served_here: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """Who a flight is; every part may be unknown."""

    serial_number: str | None = None
    registration_id: str | None = None
    utm_id: str | None = None
    session_id: str | None = None
    operator_id: str | None = None
    operator_lat_deg: float | None = None
    operator_lon_deg: float | None = None
    operator_alt_ellipsoid_m: float | None = None
    operator_place: int = 0
    description: str | None = None
    eu_category: int | None = None
    eu_class: int | None = None
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reader:
    """Values out of JSON, and what was wrong with them."""

    problems: list[str] = field(default_factory=list)

    def number(
        self, part: Mapping[str, Any], name: str, low: float, high: float, unknown: float
    ) -> float | None:
        value = part.get(name)
        if value is None or value == unknown:
            return None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not low <= value <= high:  # also NaN
            self._wrong(name, value)
            return None
        return float(value)

    def choice(self, part: Mapping[str, Any], name: str, table: Mapping[str, Any]) -> Any:
        value = part.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or value not in table:
            self._wrong(name, value)
            return None
        return table[value]

    def text(self, part: Mapping[str, Any], name: str, longest: int) -> str | None:
        value = part.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            self._wrong(name, value)
            return None
        return value

    def _wrong(self, name: str, value: object) -> None:
        self.problems.append(f"{name} {str(value)[:40]!r}")


def read_flights(answer: Any) -> Flights:
    """A provider's answer to GET /uss/flights.

    Raises
    ------
    DecodeError
        It is none.
    """
    if not isinstance(answer, Mapping):
        raise DecodeError(f"flights are an object, not {type(answer).__name__}")
    listed = answer.get("flights") or []
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise DecodeError("flights is no list")
    reader, flights = _Reader(), []
    if len(listed) > MAX_FLIGHTS:
        reader.problems.append(f"{len(listed)} flights, of which {MAX_FLIGHTS} are read")
    for index, one in enumerate(listed[:MAX_FLIGHTS]):
        try:
            flights.append(_flight(one, reader))
        except (DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
            reader.problems.append(f"flights[{index}]: {type(error).__name__}: {error}"[:200])
    served = answer.get("no_isas_present") is not True
    return Flights(tuple(flights), served, tuple(reader.problems))


def _flight(part: Any, reader: _Reader) -> Flight:
    kind = part.get("aircraft_type")
    current = part.get("current_state")
    recent = [
        _state(one | {"timestamp": one["time"]}, reader)
        for one in part.get("recent_positions") or []
    ]
    return Flight(
        id=_name(part["id"]),
        ua_type=UA_TYPES.index(kind) if kind in UA_TYPES else 0,
        state=None if current is None else _state(current, reader),
        recent=tuple(sorted(recent, key=lambda one: one.at)),
        simulated=part.get("simulated") is True,
    )


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise DecodeError(f"a flight's id {str(value)[:40]!r}")
    return value


def _state(part: Any, reader: _Reader) -> State:
    position, height = part["position"], part["position"].get("height") or part.get("height") or {}
    lat_deg, lon_deg = _place(position)
    reference = reader.choice(height, "reference", HEIGHT_ABOVE)
    low, high, unknown = _ALTITUDE_UNKNOWN_M, _MAX_ALTITUDE_M, _ALTITUDE_UNKNOWN_M
    return State(
        at=moment(part["timestamp"]),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        status=reader.choice(part, "operational_status", STATUS) or rid.Status.UNDECLARED,
        track_deg=_track(reader.number(part, "track", 0.0, 360.0, _TRACK_UNKNOWN_DEG)),
        speed_mps=reader.number(part, "speed", 0.0, _MAX_SPEED_MPS, _SPEED_UNKNOWN_MPS),
        vertical_speed_mps=reader.number(
            part, "vertical_speed", -_MAX_CLIMB_MPS, _MAX_CLIMB_MPS, _CLIMB_UNKNOWN_MPS
        ),
        alt_ellipsoid_m=reader.number(position, "alt", low, high, unknown),
        alt_pressure_m=reader.number(position, "pressure_altitude", low, high, unknown),
        # A height above nobody knows what is none.
        height_m=None
        if reference is None
        else reader.number(height, "distance", low, high, unknown),
        height_reference=reference or rid.HeightReference.TAKE_OFF,
        horizontal_accuracy_m=reader.choice(position, "accuracy_h", HORIZONTAL_M),
        vertical_accuracy_m=reader.choice(position, "accuracy_v", VERTICAL_M),
        speed_accuracy_mps=reader.choice(part, "speed_accuracy", SPEED_MPS),
        time_accuracy_s=reader.number(part, "timestamp_accuracy", 0.0, 3600.0, math.inf),
        extrapolated=position.get("extrapolated") is True,
    )


def _track(track_deg: float | None) -> float | None:
    return None if track_deg is None else track_deg % 360.0


def _place(position: Any) -> tuple[float, float]:
    lat_deg, lon_deg = position["lat"], position["lng"]
    for name, value, limit in (("lat", lat_deg, 90.0), ("lng", lon_deg, 180.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= limit:
            raise DecodeError(f"{name} {str(value)[:40]} outside [-{limit:.0f}, {limit:.0f}]")
    if lat_deg == 0 and lon_deg == 0:
        raise DecodeError("its position is unknown")
    return float(lat_deg), float(lon_deg)


def moment(value: Any) -> datetime:
    """The moment in a Time object of the standard.

    Raises
    ------
    DecodeError
        It is none, or has no time zone.
    """
    text = value.get("value") if isinstance(value, Mapping) else value
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise DecodeError(f"time {str(text)[:40]!r}") from None
    if at.tzinfo is None:
        raise DecodeError(f"time {text} has no time zone")
    return at


def read_details(answer: Any) -> Details:
    """A provider's answer to GET /uss/flights/{id}/details.

    Raises
    ------
    DecodeError
        It is none.
    """
    if not isinstance(answer, Mapping) or not isinstance(answer.get("details"), Mapping):
        raise DecodeError("details are not an object")
    part, reader = answer["details"], _Reader()
    who = _object(part.get("uas_id"))
    serial = reader.text(who, "serial_number", 20) or reader.text(part, "serial_number", 20)
    classified = part.get("eu_classification")
    operator = _object(part.get("operator_location"))
    lat_deg, lon_deg = _operator_place(operator, reader)
    altitude = _object(operator.get("altitude"))
    eu = _object(classified)
    return Details(
        serial_number=serial,
        registration_id=reader.text(who, "registration_id", 20),
        utm_id=reader.text(who, "utm_id", 40),
        session_id=reader.text(who, "specific_session_id", 80),
        operator_id=reader.text(part, "operator_id", 20),
        operator_lat_deg=lat_deg,
        operator_lon_deg=lon_deg,
        operator_alt_ellipsoid_m=reader.number(
            altitude, "value", _ALTITUDE_UNKNOWN_M, _MAX_ALTITUDE_M, _ALTITUDE_UNKNOWN_M
        ),
        operator_place=reader.choice(operator, "altitude_type", _numbers(OPERATOR_PLACES)) or 0,
        description=reader.text(part, "operation_description", 2000),
        eu_category=None
        if classified is None
        else reader.choice(eu, "category", _numbers(EU_CATEGORIES)) or 0,
        eu_class=None
        if classified is None
        else reader.choice(eu, "class", _numbers(EU_CLASSES)) or 0,
        problems=tuple(reader.problems),
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _numbers(names: Sequence[str]) -> Mapping[str, int]:
    return {name: number for number, name in enumerate(names)}


def _operator_place(
    operator: Mapping[str, Any], reader: _Reader
) -> tuple[float | None, float | None]:
    if "position" not in operator:
        return None, None
    try:
        return _place(operator["position"])
    except (DecodeError, KeyError, TypeError) as error:
        reader.problems.append(f"operator_location: {error}")
        return None, None
