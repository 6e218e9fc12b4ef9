"""Remote ID messages: ASTM F3411-22a (5.4.5) and EN 4709-002, bytes to values and back.

Every message has 25 bytes; integers are little-endian.  Byte 0 holds the message type in its
upper and the protocol version in its lower four bits.

Basic ID (0)
    1      ID type (upper 4), UA type (lower 4)
    2-21   UAS ID, 20 bytes, NUL-padded      22-24 reserved
Location (1)
    1      status (upper 4), reserved 1, height type 1, direction segment 1, speed multiplier 1
    2      track direction, degrees, +180 with the segment bit; 361 in all is unknown
    3      ground speed: 0.25 m/s steps; with the multiplier 0.75 m/s steps above 63.75; 255 unknown
    4      vertical speed, signed, 0.5 m/s steps, |v| <= 62; 63 unknown
    5-8    latitude, 1e-7 degrees     9-12 longitude; 0/0 together are unknown
    13-14  pressure altitude, 0.5 m steps from -1000 m; -1000 is unknown
    15-16  geodetic altitude (WGS84 ellipsoid)     17-18 height, likewise
    19     vertical (upper 4), horizontal accuracy (lower 4)
    20     pressure altitude (upper 4), speed accuracy (lower 4)
    21-22  tenths of a second since the full hour (UTC), <= 36000; 0xFFFF unknown
    23     time accuracy in tenths of a second (lower 4), 0 unknown     24 reserved
Authentication (2)
    1      type (upper 4), page (lower 4)
    page 0:    2 last page, 3 length, 4-7 seconds since 2019, 8-24 data
    page 1-15: 2-24 data
Self-ID (3)
    1      description type     2-24 text, 23 bytes
System (4)
    1      reserved 3, classification 3, operator location type 2
    2-5    operator latitude     6-9 longitude; 0/0 together are unknown
    10-11  aircraft in the area  12 radius, 10 m steps
    13-14  area ceiling          15-16 area floor, 0.5 m steps from -1000 m
    17     UA category (upper 4), UA class (lower 4)
    18-19  operator altitude (WGS84 ellipsoid)     20-23 seconds since 2019     24 reserved
Operator ID (5)
    1      type     2-21 operator ID, 20 bytes     22-24 reserved
Message pack (15)
    1      size of one message, 25     2 count, 1-9     3-... the messages

A value that its field declares unknown is None.  A value outside its field's range is a
DecodeError: a receiver that let it pass would draw a drone where none is.
"""

from __future__ import annotations

import enum
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from droneteam.detection import fields
from droneteam.errors import DecodeError, InputError

MESSAGE_BYTES = 25
MAX_PACK_MESSAGES = 9
PROTOCOL_VERSION = 2
"""F3411-22a; version 0 was F3411-19, whose fields these are too."""

_ID_BYTES = 20
_TEXT_BYTES = 23
_AUTH_FIRST_BYTES = 17
_AUTH_PAGE_BYTES = 23

HORIZONTAL_ACCURACY_M = (
    *(None, 18520.0, 7408.0, 3704.0, 1852.0, 926.0, 555.6, 185.2),
    *(92.6, 30.0, 10.0, 3.0, 1.0, None, None, None),
)
"""95 % bounds by code (F3411-22a, table 6; from ADS-B's NACp)."""
VERTICAL_ACCURACY_M = (
    *(None, 150.0, 45.0, 25.0, 10.0, 3.0, 1.0),
    *(None,) * 9,
)
SPEED_ACCURACY_MPS = (*(None, 10.0, 3.0, 1.0, 0.3), *(None,) * 11)


class MessageType(enum.IntEnum):
    """The upper four bits of byte 0."""

    BASIC_ID = 0
    LOCATION = 1
    AUTHENTICATION = 2
    SELF_ID = 3
    SYSTEM = 4
    OPERATOR_ID = 5
    PACK = 15


class IdType(enum.IntEnum):
    """What kind of identity a Basic ID carries."""

    NONE = 0
    SERIAL_NUMBER = 1
    REGISTRATION = 2
    UTM_UUID = 3
    SESSION_ID = 4


class Status(enum.IntEnum):
    """What the aircraft says it is doing."""

    UNDECLARED = 0
    GROUND = 1
    AIRBORNE = 2
    EMERGENCY = 3
    SYSTEM_FAILURE = 4


class HeightReference(enum.IntEnum):
    """What a height is above."""

    TAKE_OFF = 0
    GROUND = 1


@dataclass(frozen=True, slots=True)
class BasicId:
    """Who the aircraft is; `uas_id` is text, a UUID or, for a session, hexadecimal."""

    id_type: IdType
    ua_type: int
    uas_id: str


@dataclass(frozen=True, slots=True)
class Location:
    """Where the aircraft is and how it moves; accuracies are 95 % bounds."""

    status: Status
    lat_deg: float | None
    lon_deg: float | None
    direction_deg: float | None = None
    speed_mps: float | None = None
    vertical_speed_mps: float | None = None
    alt_pressure_m: float | None = None
    alt_ellipsoid_m: float | None = None
    height_m: float | None = None
    height_reference: HeightReference = HeightReference.TAKE_OFF
    horizontal_accuracy_m: float | None = None
    vertical_accuracy_m: float | None = None
    pressure_accuracy_m: float | None = None
    speed_accuracy_mps: float | None = None
    second_of_hour_s: float | None = None
    time_accuracy_s: float | None = None


@dataclass(frozen=True, slots=True)
class Authentication:
    """One page of authentication data; length and time stand on page 0 only."""

    auth_type: int
    page: int
    data: bytes
    last_page: int | None = None
    length_bytes: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SelfId:
    """What the operator says about the flight."""

    description_type: int
    text: str


@dataclass(frozen=True, slots=True)
class System:
    """Where the operator is and how the aircraft is classified."""

    operator_lat_deg: float | None
    operator_lon_deg: float | None
    operator_location_type: int = 0
    classification: int = 0
    area_count: int = 1
    area_radius_m: float = 0.0
    area_ceiling_m: float | None = None
    area_floor_m: float | None = None
    ua_category: int = 0
    ua_class: int = 0
    operator_alt_ellipsoid_m: float | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OperatorId:
    """The operator's registration."""

    id_type: int
    operator_id: str


Message: TypeAlias = BasicId | Location | Authentication | SelfId | System | OperatorId


@dataclass(frozen=True, slots=True)
class Pack:
    """A message pack: what could be read, and what was wrong with the rest."""

    messages: tuple[Message, ...]
    problems: tuple[str, ...] = ()


def decode(payload: bytes) -> Pack:
    """The messages of a pack, or the one message, with what could not be read.

    Raises
    ------
    DecodeError
        Nothing in the payload is a message.
    """
    if not payload:
        raise DecodeError("an empty Remote ID payload")
    if payload[0] >> 4 != MessageType.PACK:
        return Pack((decode_message(payload),))
    if len(payload) < 3:
        raise DecodeError(f"a message pack of {len(payload)} bytes", offset=len(payload))
    size, count = payload[1], payload[2]
    if size != MESSAGE_BYTES:
        raise DecodeError(f"a pack of messages of {size} bytes, not 25", offset=1)
    return _unpack(payload, count)


def _unpack(payload: bytes, count: int) -> Pack:
    messages: list[Message] = []
    problems: list[str] = []
    if not 1 <= count <= MAX_PACK_MESSAGES:
        problems.append(f"the pack declares {count} messages, outside 1-9")
    whole = (len(payload) - 3) // MESSAGE_BYTES
    if whole < count:
        problems.append(f"the pack declares {count} messages and holds {whole}")
    for index in range(min(count, whole, MAX_PACK_MESSAGES)):
        start = 3 + index * MESSAGE_BYTES
        try:
            messages.append(decode_message(payload[start : start + MESSAGE_BYTES]))
        except DecodeError as error:
            problems.append(f"message {index + 1}: {error}")
    if not messages:
        raise DecodeError("; ".join(problems), offset=3)
    return Pack(tuple(messages), tuple(problems))


def decode_message(data: bytes) -> Message:
    """One message of 25 bytes (more are ignored).

    Raises
    ------
    DecodeError
        Too short, of an unknown type, or a field outside its range.
    """
    if len(data) < MESSAGE_BYTES:
        raise DecodeError(f"a message of {len(data)} bytes, not 25", offset=len(data))
    decoder = _DECODERS.get(data[0] >> 4)
    if decoder is None:
        raise DecodeError(f"message type {data[0] >> 4} is unknown", offset=0)
    return decoder(bytes(data[:MESSAGE_BYTES]))


def _decode_basic_id(data: bytes) -> BasicId:
    id_type = fields.member(IdType, data[1] >> 4, 1)
    raw = data[2 : 2 + _ID_BYTES]
    if id_type is IdType.UTM_UUID:
        uas_id = str(uuid.UUID(bytes=raw[:16]))
    elif id_type is IdType.SESSION_ID:
        uas_id = raw.hex()
    else:
        uas_id = fields.text(raw, 2)
    return BasicId(id_type, data[1] & 0x0F, uas_id)


_LOCATION = struct.Struct("<BBBBbiiHHHBBHBB")


def _decode_location(data: bytes) -> Location:
    values = _LOCATION.unpack(data)
    _, flags, direction, speed, vertical, lat_e7, lon_e7 = values[:7]
    pressure, geodetic, height, accuracy, more_accuracy, tenths, time_accuracy, _ = values[7:]
    lat_deg, lon_deg = fields.position(lat_e7, lon_e7, 5)
    return Location(
        status=fields.member(Status, flags >> 4, 1),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        direction_deg=fields.direction(direction, flags >> 1 & 1),
        speed_mps=fields.speed(speed, flags & 1),
        vertical_speed_mps=fields.vertical_speed(vertical),
        alt_pressure_m=fields.altitude(pressure),
        alt_ellipsoid_m=fields.altitude(geodetic),
        height_m=fields.altitude(height),
        height_reference=HeightReference(flags >> 2 & 1),
        horizontal_accuracy_m=HORIZONTAL_ACCURACY_M[accuracy & 0x0F],
        vertical_accuracy_m=VERTICAL_ACCURACY_M[accuracy >> 4],
        pressure_accuracy_m=VERTICAL_ACCURACY_M[more_accuracy >> 4],
        speed_accuracy_mps=SPEED_ACCURACY_MPS[more_accuracy & 0x0F],
        second_of_hour_s=fields.second_of_hour(tenths),
        time_accuracy_s=(time_accuracy & 0x0F) / 10.0 or None,
    )


def _decode_authentication(data: bytes) -> Authentication:
    auth_type, page = data[1] >> 4, data[1] & 0x0F
    if page:
        return Authentication(auth_type, page, data[2:])
    last_page, length, seconds = struct.unpack_from("<BBI", data, 2)
    if last_page > 15:
        raise DecodeError(f"last authentication page {last_page} outside 0-15", offset=2)
    return Authentication(auth_type, 0, data[8:], last_page, length, fields.since_2019(seconds))


def _decode_self_id(data: bytes) -> SelfId:
    return SelfId(data[1], data[2:].split(b"\0")[0].decode("ascii", "backslashreplace"))


_SYSTEM = struct.Struct("<BBiiHBHHBHIB")


def _decode_system(data: bytes) -> System:
    _, flags, lat_e7, lon_e7, count, radius, ceiling, floor, category, altitude, seconds, _ = (
        _SYSTEM.unpack(data)
    )
    lat_deg, lon_deg = fields.position(lat_e7, lon_e7, 2)
    return System(
        operator_lat_deg=lat_deg,
        operator_lon_deg=lon_deg,
        operator_location_type=flags & 0x03,
        classification=flags >> 2 & 0x07,
        area_count=count,
        area_radius_m=radius * 10.0,
        area_ceiling_m=fields.altitude(ceiling),
        area_floor_m=fields.altitude(floor),
        ua_category=category >> 4,
        ua_class=category & 0x0F,
        operator_alt_ellipsoid_m=fields.altitude(altitude),
        at=fields.since_2019(seconds),
    )


def _decode_operator_id(data: bytes) -> OperatorId:
    return OperatorId(data[1], fields.text(data[2 : 2 + _ID_BYTES], 2))


_DECODERS: dict[int, Callable[[bytes], Message]] = {
    MessageType.BASIC_ID: _decode_basic_id,
    MessageType.LOCATION: _decode_location,
    MessageType.AUTHENTICATION: _decode_authentication,
    MessageType.SELF_ID: _decode_self_id,
    MessageType.SYSTEM: _decode_system,
    MessageType.OPERATOR_ID: _decode_operator_id,
}


def encode_pack(messages: tuple[Message, ...]) -> bytes:
    """A message pack; InputError unless it holds one to nine messages."""
    if not 1 <= len(messages) <= MAX_PACK_MESSAGES:
        raise InputError(f"a pack holds 1-9 messages, not {len(messages)}")
    head = bytes((MessageType.PACK << 4 | PROTOCOL_VERSION, MESSAGE_BYTES, len(messages)))
    return head + b"".join(encode(message) for message in messages)


def encode(message: Message) -> bytes:
    """The message's 25 bytes, values rounded to the nearest step.

    Raises
    ------
    InputError
        A value does not fit its field.
    """
    match message:
        case BasicId():
            return _encode_basic_id(message)
        case Location():
            return _encode_location(message)
        case Authentication():
            return _encode_authentication(message)
        case SelfId(description_type=kind, text=text):
            return _head(MessageType.SELF_ID, kind) + fields.padded(text, _TEXT_BYTES, "text")
        case System():
            return _encode_system(message)
        case OperatorId(id_type=kind, operator_id=text):
            body = fields.padded(text, _ID_BYTES, "operator_id")
            return _head(MessageType.OPERATOR_ID, kind) + body + bytes(3)


def _encode_basic_id(message: BasicId) -> bytes:
    if message.id_type is IdType.UTM_UUID:
        raw = uuid.UUID(message.uas_id).bytes + bytes(4)
    elif message.id_type is IdType.SESSION_ID:
        raw = bytes.fromhex(message.uas_id).ljust(_ID_BYTES, b"\0")
    else:
        raw = fields.padded(message.uas_id, _ID_BYTES, "uas_id")
    if len(raw) != _ID_BYTES:
        raise InputError(f"uas_id {message.uas_id!r} has more than 20 bytes", field="uas_id")
    kind = message.id_type << 4 | fields.in_range(message.ua_type, 0, 15, "ua_type")
    return _head(MessageType.BASIC_ID, kind) + raw + bytes(3)


def _encode_location(message: Location) -> bytes:
    segment, direction = fields.direction_bytes(message.direction_deg)
    multiplier, speed = fields.speed_bytes(message.speed_mps)
    flags = message.status << 4 | message.height_reference << 2 | segment << 1 | multiplier
    accuracy = fields.code(VERTICAL_ACCURACY_M, message.vertical_accuracy_m) << 4 | fields.code(
        HORIZONTAL_ACCURACY_M, message.horizontal_accuracy_m
    )
    more_accuracy = fields.code(
        VERTICAL_ACCURACY_M, message.pressure_accuracy_m
    ) << 4 | fields.code(SPEED_ACCURACY_MPS, message.speed_accuracy_mps)
    lat_e7, lon_e7 = fields.position_bytes(message.lat_deg, message.lon_deg)
    time_accuracy = round((message.time_accuracy_s or 0.0) * 10.0)
    return _LOCATION.pack(
        MessageType.LOCATION << 4 | PROTOCOL_VERSION,
        flags,
        direction,
        speed,
        fields.vertical_byte(message.vertical_speed_mps),
        lat_e7,
        lon_e7,
        fields.altitude_word(message.alt_pressure_m, "alt_pressure_m"),
        fields.altitude_word(message.alt_ellipsoid_m, "alt_ellipsoid_m"),
        fields.altitude_word(message.height_m, "height_m"),
        accuracy,
        more_accuracy,
        fields.tenths(message.second_of_hour_s),
        fields.in_range(time_accuracy, 0, 15, "time_accuracy_s"),
        0,
    )


def _encode_authentication(message: Authentication) -> bytes:
    page = fields.in_range(message.page, 0, 15, "page")
    head = _head(
        MessageType.AUTHENTICATION, fields.in_range(message.auth_type, 0, 15, "type") << 4 | page
    )
    room = _AUTH_PAGE_BYTES if page else _AUTH_FIRST_BYTES
    if len(message.data) > room:
        raise InputError(f"page {page} holds {room} bytes, not {len(message.data)}", field="data")
    data = message.data.ljust(room, b"\0")
    if page:
        return head + data
    last_page = fields.in_range(message.last_page or 0, 0, 15, "last_page")
    length = fields.in_range(message.length_bytes or 0, 0, 255, "length_bytes")
    return head + struct.pack("<BBI", last_page, length, fields.seconds_2019(message.at)) + data


def _encode_system(message: System) -> bytes:
    lat_e7, lon_e7 = fields.position_bytes(message.operator_lat_deg, message.operator_lon_deg)
    classification = fields.in_range(message.classification, 0, 7, "classification")
    location_type = fields.in_range(message.operator_location_type, 0, 3, "operator_location_type")
    return _SYSTEM.pack(
        MessageType.SYSTEM << 4 | PROTOCOL_VERSION,
        classification << 2 | location_type,
        lat_e7,
        lon_e7,
        fields.in_range(message.area_count, 0, 0xFFFF, "area_count"),
        fields.in_range(round(message.area_radius_m / 10.0), 0, 255, "area_radius_m"),
        fields.altitude_word(message.area_ceiling_m, "area_ceiling_m"),
        fields.altitude_word(message.area_floor_m, "area_floor_m"),
        fields.in_range(message.ua_category, 0, 15, "ua_category") << 4
        | fields.in_range(message.ua_class, 0, 15, "ua_class"),
        fields.altitude_word(message.operator_alt_ellipsoid_m, "operator_alt_ellipsoid_m"),
        fields.seconds_2019(message.at),
        0,
    )


def _head(kind: MessageType, second: int) -> bytes:
    return bytes((kind << 4 | PROTOCOL_VERSION, fields.in_range(second, 0, 255, "type")))


def message_time(received_at: datetime, second_of_hour_s: float) -> datetime:
    """When a message was made: the instant of that second nearest to its reception.

    The message says only how far into the hour it was made; around the full hour the hour
    before or after reception's is meant.
    """
    hour = received_at.replace(minute=0, second=0, microsecond=0)
    candidates = [hour + timedelta(hours=shift, seconds=second_of_hour_s) for shift in (-1, 0, 1)]
    return min(candidates, key=lambda at: abs(at - received_at))
