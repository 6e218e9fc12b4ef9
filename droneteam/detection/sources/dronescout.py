"""What DroneScout receivers publish: JSON with a decoded structure, to receptions.

Documented by the maker's reference subscriber (BluemarkInnovations/RemoteID-MQTT-subscriber) and
its manuals.  A message is one JSON object, or several without anything between them, perhaps
compressed with LZMA, perhaps ended by a newline or a NUL:

    {"protocol": 1.0, "data": {"sensor ID", "RSSI", "channel", "timestamp" (ms since 1970),
     "MAC address", "type": "WiFi beacon" ..., "UASdata": base64}}
    {"protocol": 1.0, "status": {"sensor ID", "timestamp", "firmware version", "model", "status"}}
    {"protocol": 1.0, "location": {"sensor ID", "timestamp", "latitude", "longitude", ...}}
    {"protocol": 1.0, "aircraft": {"sensor ID", "timestamp", "SBS": lines divided by ";"}}
    {"protocol": 1.0, "mobile network": {"sensor ID", ...}}

UASdata is the structure ODID_UAS_Data of opendroneid-core-c as a 64-bit little-endian machine
lays it out (byte offsets):

    0, 32    Basic ID: UA type 4, ID type 4, identity 21
    64       Location: status 4, direction f4, speed f4, climb f4, latitude f8, longitude f8,
             pressure altitude f4, geodetic altitude f4, height type 4, height f4, accuracies
             horizontal, vertical, pressure, speed, time 4 each, seconds of the hour f4
    136+40n  authentication page n: page 1, type 4 (at 4), last page 1 (at 8), length 1, time 4
             (at 12), data 24 (at 16)
    776      Self-ID: type 4, text 24
    808      System: operator location type 4, classification 4, latitude f8, longitude f8, count 2,
             radius 2, ceiling f4, floor f4, category 4, class 4, operator altitude f4, time 4
    864      Operator ID: type 4, id 21
    892      which of them hold something: Basic ID 2, location 1, pages 16, Self-ID, System,
             Operator ID 1 each
"""

from __future__ import annotations

import base64
import binascii
import json
import lzma
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from droneteam.detection import rid
from droneteam.detection.aircraft import SbsParser
from droneteam.detection.records import Alive, Placed, Plot, Received, Record, Trouble
from droneteam.detection.sources import values
from droneteam.errors import DecodeError, InputError

PROTOCOL = 1.0
MAX_MESSAGE_BYTES = 1 << 20
MAX_SENSORS = 200
_STRUCTURE_BYTES = 914
_NORMAL = "normal"

_BASIC = struct.Struct("<II21s")
_LOCATION = struct.Struct("<ifffddffifiiiiif")
_PAGE = struct.Struct("<B3xIBB2xI24s")
_SELF_ID = struct.Struct("<I24s")
_SYSTEM = struct.Struct("<IIddHHffIIfI")
_OPERATOR = struct.Struct("<I21s")
_PAGES_AT, _PAGE_BYTES, _N_PAGES = 136, 40, 16
_VALID_AT = 892


@dataclass(slots=True)
class Scouts:
    """The sensors behind one broker.

    name : the receiver's; a sensor's own is "name/sensor ID". range_m : how far a sensor hears,
    None where the installation has not said; refused counts what could not be read.
    """

    name: str
    range_m: float | None = None
    refused: int = 0
    problem: str = ""
    _aircraft: dict[str, SbsParser] = field(default_factory=dict)

    def read(self, payload: bytes, at: datetime) -> list[Record]:
        """What one message says, received at a moment; what it cannot say is counted."""
        records: list[Record] = []
        try:
            for message in _objects(_plain(payload)):
                records += self._message(message, at)
        except (
            *(DecodeError, InputError, KeyError, TypeError, ValueError),
            *(AttributeError, OverflowError, RecursionError, lzma.LZMAError, binascii.Error),
        ) as error:
            self.refused += 1
            self.problem = f"{type(error).__name__}: {error}"
        return records

    def _message(self, message: dict[str, Any], at: datetime) -> Iterator[Record]:
        if message.get("protocol") != PROTOCOL:
            raise DecodeError(f"protocol {message.get('protocol')!r} is not {PROTOCOL}")
        for part in ("data", "status", "location", "aircraft", "mobile network"):
            content = message.get(part)
            if not content:
                continue
            sensor = f"{self.name}/{content['sensor ID']}"[:80]
            stamp = _stamp(content.get("timestamp"), at)
            yield Alive(at, sensor)
            if part == "data" and "UASdata" in content:
                yield from _receptions(content, sensor, stamp)
            elif part == "location":
                yield from self._standing(content, sensor, stamp)
            elif part == "aircraft":
                yield from self._plots(content, sensor, stamp)
            elif str(content.get("status", _NORMAL)) != _NORMAL:
                yield Trouble(at, sensor, f"its status is {str(content['status'])[:100]!r}")

    def _standing(self, content: dict[str, Any], sensor: str, at: datetime) -> Iterator[Placed]:
        lat_deg, lon_deg = float(content["latitude"]), float(content["longitude"])
        if not (-90.0 <= lat_deg <= 90.0 and -180.0 <= lon_deg <= 180.0):
            raise DecodeError(f"sensor {sensor} stands at {lat_deg}, {lon_deg}")
        if self.range_m is not None and (lat_deg, lon_deg) != (0.0, 0.0):
            yield Placed(at, sensor, lat_deg, lon_deg, self.range_m)

    def _plots(self, content: dict[str, Any], sensor: str, at: datetime) -> list[Plot]:
        if sensor not in self._aircraft and len(self._aircraft) >= MAX_SENSORS:
            del self._aircraft[next(iter(self._aircraft))]
        parser = self._aircraft.setdefault(sensor, SbsParser(sensor))
        lines = str(content["SBS"]).rstrip("\0\n").replace(";", "\n") + "\n"
        before = parser.refused
        plots = parser.feed(lines.encode("ascii", "replace"), at)
        self.refused += parser.refused - before
        return plots


def _plain(payload: bytes) -> str:
    """The text of a message; LZMA is told by its first bytes, and bounded."""
    if payload[:1] not in (b"{", b" ", b"\n"):
        decompressor = lzma.LZMADecompressor()
        payload = decompressor.decompress(payload, MAX_MESSAGE_BYTES)
        if not decompressor.eof:
            raise DecodeError(f"a message of more than {MAX_MESSAGE_BYTES} bytes, or a cut one")
    if len(payload) > MAX_MESSAGE_BYTES:
        raise DecodeError(f"a message of {len(payload)} bytes")
    return payload.decode("utf-8").strip("\0\r\n ")


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, offset = json.JSONDecoder(), 0
    while offset < len(text):
        message, offset = decoder.raw_decode(text, offset)
        yield message
        while offset < len(text) and text[offset] in " \r\n\0":
            offset += 1


def _stamp(milliseconds: Any, at: datetime) -> datetime:
    """When the sensor received it; the time of arrival where it does not tell."""
    if not isinstance(milliseconds, int | float) or not milliseconds > 0:
        return at
    return datetime.fromtimestamp(milliseconds / 1000.0, UTC)


def _receptions(content: dict[str, Any], sensor: str, at: datetime) -> Iterator[Received]:
    messages = messages_of(base64.b64decode(content["UASdata"], validate=True))
    strength = content.get("RSSI")
    for first in range(0, len(messages), rid.MAX_PACK_MESSAGES):
        yield Received(
            at=at,
            receiver=sensor,
            transport=str(content["type"]).lower().replace(" ", "-")[:80],
            transmitter=str(content["MAC address"]).lower()[:80],
            payload=values.pack(messages[first : first + rid.MAX_PACK_MESSAGES]),
            rssi_dbm=None if strength is None else int(strength),
        )


def messages_of(structure: bytes) -> list[bytes]:
    """The messages, 25 bytes each, that an ODID_UAS_Data says it holds.

    Raises
    ------
    DecodeError
        It is too short, says that it holds nothing, or holds a value that no message can.
    """
    if len(structure) < _STRUCTURE_BYTES:
        raise DecodeError(f"UASdata of {len(structure)} bytes, not {_STRUCTURE_BYTES} or more")
    valid = structure[_VALID_AT:_STRUCTURE_BYTES]
    messages = [_basic_id(structure, number) for number in (0, 1) if valid[number]]
    if valid[2]:
        messages.append(_location(structure))
    messages += [_page(structure, number) for number in range(_N_PAGES) if valid[3 + number]]
    if valid[19]:
        kind, text = _SELF_ID.unpack_from(structure, 776)
        messages.append(values.self_id(kind, text))
    if valid[20]:
        messages.append(values.system(values.Ground(*_SYSTEM.unpack_from(structure, 808))))
    if valid[21]:
        kind, text = _OPERATOR.unpack_from(structure, 864)
        messages.append(values.operator_id(kind, text))
    if not messages:
        raise DecodeError("UASdata that says it holds nothing")
    return messages


def _basic_id(structure: bytes, number: int) -> bytes:
    ua_type, id_type, raw = _BASIC.unpack_from(structure, 32 * number)
    return values.basic_id(id_type, ua_type, raw)


def _location(structure: bytes) -> bytes:
    told = _LOCATION.unpack_from(structure, 64)
    status, direction, speed, climb, lat, lon, pressure, geodetic = told[:8]
    reference, height, horizontal, vertical, baro, speed_code, time_code, second = told[8:]
    return values.location(
        values.Whereabouts(
            status=status,
            direction_deg=direction,
            speed_mps=speed,
            vertical_speed_mps=climb,
            lat_deg=lat,
            lon_deg=lon,
            alt_pressure_m=pressure,
            alt_ellipsoid_m=geodetic,
            height_reference=reference,
            height_m=height,
            horizontal_code=horizontal,
            vertical_code=vertical,
            pressure_code=baro,
            speed_code=speed_code,
            second_of_hour_s=second,
            time_code=time_code,
        )
    )


def _page(structure: bytes, number: int) -> bytes:
    page, auth_type, last_page, length, seconds, data = _PAGE.unpack_from(
        structure, _PAGES_AT + _PAGE_BYTES * number
    )
    return values.authentication(auth_type, page, data, (last_page, length, seconds))
