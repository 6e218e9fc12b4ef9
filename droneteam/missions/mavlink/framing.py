"""MAVLink packets in a stream of bytes: found, checked, not yet decoded.

::

    version 1: FE len seq sys comp id  payload[len] crc[2]
    version 2: FD len incompat compat seq sys comp id[3] payload[len] crc[2] (signature[13])

The checksum is X.25 (CRC-16/MCRF4XX) over everything between the start byte and itself, plus
one byte that belongs to the message's definition.  A packet of an unknown message cannot be
checked; it counts when another packet, or the end of what was received, follows directly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fastcrc import crc16
from pymavlink.dialects.v20 import ardupilotmega as dialect

_V1, _V2 = 0xFE, 0xFD
_SIGNED = 0x01
_CRC_EXTRA: dict[int, int] = {
    number: definition.crc_extra for number, definition in dialect.mavlink_map.items()
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One packet as it came."""

    raw: bytes
    system_id: int
    component_id: int
    message_id: int


class Framer:
    """Cuts a stream into packets; bytes that belong to none are counted and dropped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.dropped_bytes = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The packets completed by these bytes."""
        self._buffer += data
        return list(self._take())

    def _take(self) -> Iterator[Frame]:
        buffer = self._buffer
        at = 0
        while at < len(buffer):
            if buffer[at] not in (_V1, _V2):
                at += 1
                self.dropped_bytes += 1
                continue
            length = _packet_length(buffer, at)
            if length is None or at + length > len(buffer):
                break
            frame = _checked(bytes(buffer[at : at + length]), _next_byte(buffer, at + length))
            if frame is None:
                at += 1
                self.dropped_bytes += 1
                continue
            at += length
            yield frame
        del buffer[:at]


def read_frame(data: bytes, at: int) -> Frame | None:
    """The valid packet that starts at an offset, or None."""
    if at >= len(data) or data[at] not in (_V1, _V2):
        return None
    length = _packet_length(data, at)
    if length is None or at + length > len(data):
        return None
    return _checked(data[at : at + length], None)


def _packet_length(buffer: bytes | bytearray, at: int) -> int | None:
    if at + 3 > len(buffer):
        return None
    if buffer[at] == _V1:
        return 8 + buffer[at + 1]
    return 12 + buffer[at + 1] + (13 if buffer[at + 2] & _SIGNED else 0)


def _next_byte(buffer: bytearray, at: int) -> int | None:
    return buffer[at] if at < len(buffer) else None


def _checked(raw: bytes, following: int | None) -> Frame | None:
    """The packet, when its checksum holds."""
    if raw[0] == _V1:
        system_id, component_id, message_id = raw[3], raw[4], raw[5]
        body_end = 6 + raw[1]
    else:
        system_id, component_id = raw[5], raw[6]
        message_id = int.from_bytes(raw[7:10], "little")
        body_end = 10 + raw[1]
    extra = _CRC_EXTRA.get(message_id)
    if extra is None:
        known_end = following is None or following in (_V1, _V2)
        return Frame(raw, system_id, component_id, message_id) if known_end else None
    crc = crc16.mcrf4xx(raw[1:body_end] + bytes((extra,)))
    if crc != int.from_bytes(raw[body_end : body_end + 2], "little"):
        return None
    return Frame(raw, system_id, component_id, message_id)
