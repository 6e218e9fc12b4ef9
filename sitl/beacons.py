"""Remote ID: what flying drones broadcast, as the datagrams of a receiver.

The messages are encoded by `droneteam.detection.rid`; everything else stands on its own.
Each datagram is one JSON object: when, which receiver, how received, from which transmitter, how
strong, and the message pack in hexadecimal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.detection import rid
from droneteam.errors import InputError
from sitl.autopilot import Autopilot
from sitl.frame import LocalFrame
from sitl.simulation import Place, serial_of

BROADCAST_S = 1.0
MULTIROTOR = 2
"""UA type 2, helicopter or multirotor."""
OWN_OPERATOR_ID = "BELdroneteam0001"
THIRD_OPERATOR_ID = "BELthirdparty001"
"""Made-up operator registrations in the form of the European ones."""
RECEIVER = "sim"
TRANSPORT = "wifi-beacon"
RSSI_AT_1_M_DBM = -30.0
CLASSIFICATION_EU = 1
OPERATOR_AT_TAKE_OFF = 0
ON_GROUND_S = 5.0
"""How long a drone broadcasts after it has landed."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one aircraft broadcasts at one moment."""

    serial: str
    operator_id: str | None
    at: datetime
    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float
    height_m: float
    direction_deg: float
    speed_mps: float
    vertical_speed_mps: float
    operator_lat_deg: float
    operator_lon_deg: float
    accuracy_m: float = 3.0
    airborne: bool = True


@dataclass(frozen=True, slots=True)
class BeaconSpec:
    """A flight that is only seen by its broadcasts: straight from a point to another.

    start, end : lat_deg, lon_deg; start_s : simulated seconds after the start.
    """

    kind: str
    serial: str
    operator_id: str | None
    start: tuple[float, float]
    end: tuple[float, float]
    height_m: float
    speed_mps: float
    start_s: float

    def __post_init__(self) -> None:
        if not self.speed_mps > 0.0:
            raise InputError(f"speed_mps {self.speed_mps} must be above 0", field="speed_mps")


KINDS = ("registered", "unregistered")
"""registered: a third party's announced flight; unregistered: nobody knows it."""


def crossing(kind: str, place: Place, start_s: float) -> BeaconSpec:
    """The scripted flight of a kind: it crosses the place from one side to the other."""
    if kind not in KINDS:
        raise InputError(f"beacon {kind!r} is none of {', '.join(KINDS)}", field="beacon")
    frame = LocalFrame(place.lat_deg, place.lon_deg, place.alt_ellipsoid_m, 0.0)
    if kind == "registered":
        start, end = frame.degrees(-60.0, 300.0), frame.degrees(-80.0, -300.0)
        serial, operator = serial_of("THRD", 1), THIRD_OPERATOR_ID
        return BeaconSpec(kind, serial, operator, start, end, 80.0, 10.0, start_s)
    start, end = frame.degrees(-300.0, -80.0), frame.degrees(300.0, 60.0)
    return BeaconSpec(kind, serial_of("ZZZZ", 7), None, start, end, 55.0, 12.0, start_s)


class Beacon:
    """One scripted flight in progress."""

    def __init__(self, spec: BeaconSpec, place: Place, boot_at: datetime) -> None:
        self.spec = spec
        self._boot_at = boot_at
        self._ground_m = place.alt_ellipsoid_m
        self._frame = LocalFrame(*spec.start, place.alt_ellipsoid_m, place.geoid_undulation_m)
        self._east, self._north = self._frame.metres(*spec.end)

    def sighting(self, t_s: float) -> Sighting | None:
        """What it broadcasts now; None before take-off and once it is over."""
        spec = self.spec
        way_m = math.hypot(self._east, self._north)
        flown_m = (t_s - spec.start_s) * spec.speed_mps
        if flown_m < 0.0 or self.over(t_s):
            return None
        airborne = flown_m <= way_m
        share = min(1.0, flown_m / way_m)
        lat_deg, lon_deg = self._frame.degrees(share * self._east, share * self._north)
        return Sighting(
            serial=spec.serial,
            operator_id=spec.operator_id,
            at=self._boot_at + timedelta(seconds=t_s),
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            alt_ellipsoid_m=self._ground_m + (spec.height_m if airborne else 0.0),
            height_m=spec.height_m if airborne else 0.0,
            direction_deg=math.degrees(math.atan2(self._east, self._north)) % 360.0,
            speed_mps=spec.speed_mps if airborne else 0.0,
            vertical_speed_mps=0.0,
            operator_lat_deg=spec.start[0],
            operator_lon_deg=spec.start[1],
            airborne=airborne,
        )

    def over(self, t_s: float) -> bool:
        """Whether the flight has ended, and has said so from the ground."""
        way_m = math.hypot(self._east, self._north)
        return t_s - self.spec.start_s > way_m / self.spec.speed_mps + ON_GROUND_S


def own_sighting(ap: Autopilot) -> Sighting | None:
    """What an own drone broadcasts; None on the ground."""
    if ap.landed or ap.home is None:
        return None
    body = ap.body
    lat_deg, lon_deg = ap.frame.degrees(ap.position[0], ap.position[1])
    home_lat_deg, home_lon_deg = ap.frame.degrees(ap.home[0], ap.home[1])
    return Sighting(
        serial=ap.setup.serial,
        operator_id=OWN_OPERATOR_ID,
        at=ap.now,
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        alt_ellipsoid_m=ap.frame.alt_ellipsoid_m + ap.position[2],
        height_m=ap.height_m(),
        direction_deg=math.degrees(math.atan2(body.v_east_mps, body.v_north_mps)) % 360.0,
        speed_mps=body.ground_speed_mps,
        vertical_speed_mps=body.v_up_mps,
        operator_lat_deg=home_lat_deg,
        operator_lon_deg=home_lon_deg,
    )


def encode_pack(seen: Sighting) -> bytes:
    """The message pack: Basic ID, Location, System and, if there is one, Operator ID."""
    messages: list[rid.Message] = [
        rid.BasicId(rid.IdType.SERIAL_NUMBER, MULTIROTOR, seen.serial),
        rid.Location(
            status=rid.Status.AIRBORNE if seen.airborne else rid.Status.GROUND,
            lat_deg=seen.lat_deg,
            lon_deg=seen.lon_deg,
            direction_deg=seen.direction_deg,
            speed_mps=seen.speed_mps,
            vertical_speed_mps=seen.vertical_speed_mps,
            alt_pressure_m=None,
            alt_ellipsoid_m=seen.alt_ellipsoid_m,
            height_m=seen.height_m,
            height_reference=rid.HeightReference.TAKE_OFF,
            horizontal_accuracy_m=seen.accuracy_m,
            vertical_accuracy_m=seen.accuracy_m,
            speed_accuracy_mps=0.3,
            second_of_hour_s=seen.at.minute * 60.0 + seen.at.second + seen.at.microsecond * 1e-6,
            time_accuracy_s=0.1,
        ),
        rid.System(
            operator_lat_deg=seen.operator_lat_deg,
            operator_lon_deg=seen.operator_lon_deg,
            operator_location_type=OPERATOR_AT_TAKE_OFF,
            classification=CLASSIFICATION_EU,
            at=seen.at,
        ),
    ]
    if seen.operator_id is not None:
        messages.append(rid.OperatorId(0, seen.operator_id))
    return rid.encode_pack(tuple(messages))


def datagram(seen: Sighting, place: Place) -> bytes:
    """The receiver's report of one broadcast."""
    fields = {
        "at": seen.at.isoformat(),
        "receiver": RECEIVER,
        "transport": TRANSPORT,
        "transmitter": transmitter_address(seen.serial),
        "rssi_dbm": _rssi_dbm(seen, place),
        "payload": encode_pack(seen).hex(),
    }
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def transmitter_address(serial: str) -> str:
    """A locally administered radio address that belongs to one serial number."""
    number = 0
    for character in serial:
        number = (number * 131 + ord(character)) % (1 << 40)
    return "02:" + ":".join(f"{(number >> shift) & 255:02x}" for shift in (32, 24, 16, 8, 0))


def _rssi_dbm(seen: Sighting, place: Place) -> int:
    frame = LocalFrame(place.lat_deg, place.lon_deg, place.alt_ellipsoid_m, 0.0)
    east, north = frame.metres(seen.lat_deg, seen.lon_deg)
    up = seen.alt_ellipsoid_m - place.alt_ellipsoid_m
    away_m = max(1.0, math.sqrt(east * east + north * north + up * up))
    return round(RSSI_AT_1_M_DBM - 20.0 * math.log10(away_m))


class Broadcasts:
    """Collects, once a simulated second, what is in the air."""

    def __init__(self, fleet: Sequence[Autopilot], place: Place, boot_at: datetime) -> None:
        self._fleet, self._place, self._boot_at = fleet, place, boot_at
        self._beacons: list[Beacon] = []
        self._next_s = 0.0

    def add(self, spec: BeaconSpec) -> None:
        """Lets a scripted flight take place."""
        self._beacons.append(Beacon(spec, self._place, self._boot_at))

    def due(self, t_s: float) -> list[bytes]:
        """The datagrams of this second; empty until the next one."""
        if t_s < self._next_s:
            return []
        self._next_s = max(self._next_s + BROADCAST_S, t_s)
        self._beacons = [beacon for beacon in self._beacons if not beacon.over(t_s)]
        seen = [own_sighting(ap) for ap in self._fleet]
        seen += [beacon.sighting(t_s) for beacon in self._beacons]
        return [datagram(one, self._place) for one in seen if one is not None]
