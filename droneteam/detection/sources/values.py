"""Remote ID values that another program has decoded, back to the bytes that were broadcast.

MAVLink's OPEN_DRONE_ID_* messages and the structures of opendroneid-core-c hold numbers in plain
units, with the same marks for what is unknown: direction 361 degrees, speed 255 m/s, vertical
speed 63 m/s, heights of -1000 m, position 0/0, time of hour 0xFFFF, times of 0 seconds since
2019.  Accuracies are the codes of F3411-22a.  Everything behind a receiver works on broadcast
bytes, which are also what an alert rests on; the values that the fields hold come back exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.detection import fields, rid
from droneteam.errors import DecodeError, InputError

_DIRECTION_UNKNOWN_DEG = 361.0
_SPEED_UNKNOWN_MPS = 255.0
_MAX_SPEED_MPS = 254.25
_VERTICAL_UNKNOWN_MPS = 63.0
_ALTITUDE_UNKNOWN_M = -1000.0
_MAX_SECOND_OF_HOUR_S = 3600.0
_ID_BYTES = 20
_TEXT_BYTES = 23


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A Location message's values, unknowns by their marks; accuracies and times by their codes."""

    status: int
    direction_deg: float
    speed_mps: float
    vertical_speed_mps: float
    lat_deg: float
    lon_deg: float
    alt_pressure_m: float
    alt_ellipsoid_m: float
    height_reference: int
    height_m: float
    horizontal_code: int
    vertical_code: int
    pressure_code: int
    speed_code: int
    second_of_hour_s: float
    time_code: int


@dataclass(frozen=True, slots=True)
class Ground:
    """A System message's values, unknowns by their marks."""

    operator_location_type: int
    classification: int
    operator_lat_deg: float
    operator_lon_deg: float
    area_count: int
    area_radius_m: float
    area_ceiling_m: float
    area_floor_m: float
    ua_category: int
    ua_class: int
    operator_alt_ellipsoid_m: float
    seconds_since_2019: int


def location(seen: Whereabouts) -> bytes:
    """The 25 bytes of a Location message; DecodeError for a value that fits none."""
    lat_deg, lon_deg = _position(seen.lat_deg, seen.lon_deg)
    message = rid.Location(
        status=fields.member(rid.Status, seen.status, 1),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        direction_deg=_unless(seen.direction_deg, _DIRECTION_UNKNOWN_DEG),
        speed_mps=speed(seen.speed_mps),
        vertical_speed_mps=_unless(seen.vertical_speed_mps, _VERTICAL_UNKNOWN_MPS),
        alt_pressure_m=altitude(seen.alt_pressure_m),
        alt_ellipsoid_m=altitude(seen.alt_ellipsoid_m),
        height_m=altitude(seen.height_m),
        height_reference=fields.member(rid.HeightReference, seen.height_reference, 1),
        horizontal_accuracy_m=_of_code(rid.HORIZONTAL_ACCURACY_M, seen.horizontal_code),
        vertical_accuracy_m=_of_code(rid.VERTICAL_ACCURACY_M, seen.vertical_code),
        pressure_accuracy_m=_of_code(rid.VERTICAL_ACCURACY_M, seen.pressure_code),
        speed_accuracy_mps=_of_code(rid.SPEED_ACCURACY_MPS, seen.speed_code),
        second_of_hour_s=_second_of_hour(seen.second_of_hour_s),
        time_accuracy_s=seen.time_code / 10.0 or None,
    )
    return encoded(message)


def system(seen: Ground) -> bytes:
    """The 25 bytes of a System message; DecodeError for a value that fits none."""
    lat_deg, lon_deg = _position(seen.operator_lat_deg, seen.operator_lon_deg)
    message = rid.System(
        operator_lat_deg=lat_deg,
        operator_lon_deg=lon_deg,
        operator_location_type=seen.operator_location_type,
        classification=seen.classification,
        area_count=seen.area_count,
        area_radius_m=seen.area_radius_m,
        area_ceiling_m=altitude(seen.area_ceiling_m),
        area_floor_m=altitude(seen.area_floor_m),
        ua_category=seen.ua_category,
        ua_class=seen.ua_class,
        operator_alt_ellipsoid_m=altitude(seen.operator_alt_ellipsoid_m),
        at=_since_2019(seen.seconds_since_2019),
    )
    return encoded(message)


def basic_id(id_type: int, ua_type: int, raw: bytes) -> bytes:
    """The 25 bytes of a Basic ID; raw : the identity, 20 bytes, more are not sent."""
    return _of_bytes(rid.MessageType.BASIC_ID, _nibbles(id_type, ua_type), raw, _ID_BYTES)


def operator_id(id_type: int, raw: bytes) -> bytes:
    """The 25 bytes of an Operator ID."""
    return _of_bytes(rid.MessageType.OPERATOR_ID, id_type, raw, _ID_BYTES)


def self_id(description_type: int, raw: bytes) -> bytes:
    """The 25 bytes of a Self-ID."""
    return _of_bytes(rid.MessageType.SELF_ID, description_type, raw, _TEXT_BYTES)


def authentication(
    auth_type: int, page: int, data: bytes, head: tuple[int, int, int] | None
) -> bytes:
    """The 25 bytes of one page; head : last page, length and seconds since 2019, on page 0 only."""
    if page or head is None:
        body = data[:_TEXT_BYTES]
    else:
        last_page, length, seconds = head
        body = bytes((last_page & 0xFF, length & 0xFF)) + seconds.to_bytes(4, "little") + data[:17]
    return _of_bytes(rid.MessageType.AUTHENTICATION, _nibbles(auth_type, page), body, _TEXT_BYTES)


def pack(messages: list[bytes]) -> bytes:
    """A message pack of encoded messages; DecodeError when there are none, or more than nine."""
    if not 1 <= len(messages) <= rid.MAX_PACK_MESSAGES:
        raise DecodeError(f"a pack of {len(messages)} messages, outside 1-9")
    head = bytes(
        (
            rid.MessageType.PACK << 4 | rid.PROTOCOL_VERSION,
            rid.MESSAGE_BYTES,
            len(messages),
        )
    )
    return head + b"".join(messages)


def encoded(message: rid.Message) -> bytes:
    """The message's bytes; DecodeError for a value that no broadcast can hold."""
    try:
        return rid.encode(message)
    except (InputError, OverflowError, ValueError) as error:
        raise DecodeError(f"{type(message).__name__}: {error}") from None


def speed(value_mps: float) -> float | None:
    """A ground speed; None when unknown."""
    if not math.isfinite(value_mps) or value_mps >= _SPEED_UNKNOWN_MPS:
        return None
    return min(value_mps, _MAX_SPEED_MPS)


def altitude(value_m: float) -> float | None:
    """A height; None when unknown."""
    return None if not math.isfinite(value_m) or value_m <= _ALTITUDE_UNKNOWN_M else value_m


def _unless(value: float, unknown: float) -> float | None:
    return None if not math.isfinite(value) or value >= unknown else value


def _second_of_hour(value_s: float) -> float | None:
    known = math.isfinite(value_s) and 0.0 <= value_s <= _MAX_SECOND_OF_HOUR_S
    return value_s if known else None


def _position(lat_deg: float, lon_deg: float) -> tuple[float | None, float | None]:
    if not (math.isfinite(lat_deg) and math.isfinite(lon_deg)):
        return None, None
    return (None, None) if lat_deg == 0.0 and lon_deg == 0.0 else (lat_deg, lon_deg)


def _since_2019(seconds: int) -> datetime | None:
    return fields.EPOCH_2019 + timedelta(seconds=seconds) if seconds > 0 else None


def _of_code(table: tuple[float | None, ...], code: int) -> float | None:
    return table[code] if 0 <= code < len(table) else None


def _nibbles(high: int, low: int) -> int:
    if not (0 <= high <= 15 and 0 <= low <= 15):
        raise DecodeError(f"type {high} or {low} outside 0-15", offset=1)
    return high << 4 | low


def _of_bytes(kind: rid.MessageType, second: int, raw: bytes, size: int) -> bytes:
    head = bytes((kind << 4 | rid.PROTOCOL_VERSION, second & 0xFF))
    data = (head + raw[:size].ljust(size, b"\0")).ljust(rid.MESSAGE_BYTES, b"\0")
    rid.decode_message(data)  # what nobody could read is not handed on
    return data
