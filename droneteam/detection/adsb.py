"""Mode S extended squitters (ADS-B) to positions: ICAO Annex 10 volume IV, Doc 9871.

112 bits: DF (5), CA (3), ICAO address (24), ME (56), parity (24, polynomial 0x1FFF409).
ME, by type code (first 5 bits):
    1-4    identification: category 3, eight characters of 6 bits
    9-18   airborne position, barometric altitude: status 2, NIC 1, altitude 12, time 1, F 1,
           latitude 17, longitude 17 (compact position reporting)
    20-22  likewise with the height above the WGS84 ellipsoid
    19     velocity, subtype 1-2: intent 1, IFR 1, NAC 3, east sign 1, east 10, north sign 1,
           north 10, source 1, climb sign 1, climb 9, ...
Altitude with the Q bit: 25 ft steps from -1000 ft.  A position needs an even and an odd message
of at most PAIR_S (Doc 9871, A.2.6.7).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from droneteam.errors import DecodeError

SQUITTER_BYTES = 14
_POLYNOMIAL = 0x1FFF409
_EXTENDED_SQUITTER = 17
PAIR_S = 10.0
FOOT_M = 0.3048
KNOT_MPS = 1852.0 / 3600.0
_CALLSIGN = "?ABCDEFGHIJKLMNOPQRSTUVWXYZ????? ???????????????0123456789??????"
_CPR_SCALE = 1 << 17


@dataclass(frozen=True, slots=True)
class Identification:
    """The call sign of an aircraft."""

    icao: str
    callsign: str


@dataclass(frozen=True, slots=True)
class CprPosition:
    """Half of a position: fractions of a zone. Exactly one altitude is known, or none."""

    icao: str
    odd: bool
    lat_fraction: float
    lon_fraction: float
    alt_pressure_m: float | None
    alt_ellipsoid_m: float | None


@dataclass(frozen=True, slots=True)
class Velocity:
    """Over the ground; climb_mps None when unknown."""

    icao: str
    east_mps: float
    north_mps: float
    climb_mps: float | None


Squitter = Identification | CprPosition | Velocity


def parity(frame: bytes) -> int:
    """The remainder of a frame; 0 for an intact extended squitter."""
    value = int.from_bytes(frame, "big")
    for shift in range(len(frame) * 8 - 25, -1, -1):
        if value >> (shift + 24) & 1:
            value ^= _POLYNOMIAL << shift
    return value


def decode(frame: bytes) -> Squitter | None:
    """What an extended squitter says; None for what tells neither name, place nor motion.

    Raises
    ------
    DecodeError
        Of another length, or its parity is wrong.
    """
    if len(frame) != SQUITTER_BYTES:
        raise DecodeError(f"a squitter of {len(frame)} bytes, not 14", offset=len(frame))
    if frame[0] >> 3 != _EXTENDED_SQUITTER:
        return None
    if parity(frame):
        raise DecodeError("a squitter with wrong parity", offset=11)
    icao, message = frame[1:4].hex(), int.from_bytes(frame[4:11], "big")
    kind = message >> 51
    if 1 <= kind <= 4:
        return Identification(icao, _callsign(message))
    if 9 <= kind <= 18 or 20 <= kind <= 22:
        return _position(icao, kind, message)
    if kind == 19 and message >> 48 & 7 in (1, 2):
        return _velocity(icao, message)
    return None


def _callsign(message: int) -> str:
    return "".join(_CALLSIGN[message >> shift & 63] for shift in range(42, -1, -6)).strip()


def _position(icao: str, kind: int, message: int) -> CprPosition:
    code = message >> 36 & 0xFFF
    pressure_m = ellipsoid_m = None
    if kind >= 20:
        ellipsoid_m = float(code) or None
    elif code and code & 0x10:
        steps = (code >> 5) << 4 | code & 0x0F
        pressure_m = (steps * 25 - 1000) * FOOT_M
    return CprPosition(
        icao,
        bool(message >> 34 & 1),
        (message >> 17 & 0x1FFFF) / _CPR_SCALE,
        (message & 0x1FFFF) / _CPR_SCALE,
        pressure_m,
        ellipsoid_m,
    )


def _velocity(icao: str, message: int) -> Velocity | None:
    step = KNOT_MPS * (4.0 if message >> 48 & 7 == 2 else 1.0)
    east, north = message >> 32 & 0x3FF, message >> 21 & 0x3FF
    if not east or not north:
        return None
    climb = message >> 10 & 0x1FF
    climb_mps = (climb - 1) * 64 * FOOT_M / 60.0 * (-1 if message >> 19 & 1 else 1)
    return Velocity(
        icao,
        (east - 1) * step * (-1 if message >> 42 & 1 else 1),
        (north - 1) * step * (-1 if message >> 31 & 1 else 1),
        climb_mps if climb else None,
    )


def position(even: CprPosition, odd: CprPosition, newest_odd: bool) -> tuple[float, float] | None:
    """lat_deg, lon_deg of the newer one; None where the two lie in different zones."""
    zone = math.floor(59.0 * even.lat_fraction - 60.0 * odd.lat_fraction + 0.5)
    lat_even = 6.0 * (zone % 60 + even.lat_fraction)
    lat_odd = 360.0 / 59.0 * (zone % 59 + odd.lat_fraction)
    lat_even, lat_odd = ((lat - 360.0 if lat >= 270.0 else lat) for lat in (lat_even, lat_odd))
    if abs(lat_even) > 90.0 or abs(lat_odd) > 90.0 or _zones(lat_even) != _zones(lat_odd):
        return None
    lat_deg = lat_odd if newest_odd else lat_even
    count = _zones(lat_deg)
    index = math.floor(even.lon_fraction * (count - 1) - odd.lon_fraction * count + 0.5)
    width = max(count - newest_odd, 1)
    fraction = odd.lon_fraction if newest_odd else even.lon_fraction
    lon_deg = 360.0 / width * (index % width + fraction)
    return lat_deg, (lon_deg + 180.0) % 360.0 - 180.0


def _zones(lat_deg: float) -> int:
    """The number of longitude zones at a latitude (Doc 9871, NL)."""
    lat_deg = abs(lat_deg)
    if lat_deg >= 87.0:
        return 2 if lat_deg == 87.0 else 1
    if lat_deg < 1e-9:
        return 59
    part = (1.0 - math.cos(math.pi / 30.0)) / math.cos(math.radians(lat_deg)) ** 2
    return math.floor(2.0 * math.pi / math.acos(1.0 - part))
