"""Capture files, packet by packet: classic pcap and pcapng, in either byte order.

pcap: a 24-byte header (magic, version, snap length, link type) and records of seconds,
fraction, captured length, original length.  pcapng (draft-ietf-opsawg-pcapng): blocks of type,
length, body, length; section header 0x0A0D0D0A, interface description 1, enhanced packet 6.
A file cut in mid-packet gives its whole packets first and a DecodeError then.  Bytes are read as
they come and never again, so that a pipe is a file, too.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from droneteam.errors import DecodeError

MAX_PACKET_BYTES = 1 << 18
"""libpcap's own limit; a length beyond it is a damaged file, not a packet."""

_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000),
}
_SECTION, _INTERFACE, _ENHANCED_PACKET = 0x0A0D0D0A, 1, 6
_SECTION_MAGIC = 0x1A2B3C4D
_OPTION_END, _OPTION_RESOLUTION = 0, 9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Readable(Protocol):
    """A file, or a pipe that somebody still writes to."""

    def read(self, size: int, /) -> bytes:
        """The next bytes; fewer than asked only at the end."""


@dataclass(slots=True)
class _Counted:
    """The bytes of a capture and how many there were."""

    file: Readable
    offset: int = 0

    def up_to(self, size: int) -> bytes:
        data = self.file.read(size)
        self.offset += len(data)
        return data

    def exactly(self, size: int) -> bytes:
        data = self.up_to(size)
        if len(data) < size:
            raise DecodeError("the capture is cut in mid-packet", offset=self.offset)
        return data


@dataclass(frozen=True, slots=True)
class Packet:
    """One captured packet; link_type as in the tcpdump registry."""

    at: datetime
    link_type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class _Interface:
    link_type: int
    ticks_per_s: int


def read_packets(file: Readable) -> Iterator[Packet]:
    """The packets of a capture, in file order.

    Raises
    ------
    DecodeError
        The file is not a capture, or is damaged at the offset named.
    """
    counted = _Counted(file)
    magic = counted.up_to(4)
    if magic in _MAGICS:
        order, resolution = _MAGICS[magic]
        yield from _read_pcap(counted, order, resolution)
    elif magic == b"\x0a\x0d\x0d\x0a":
        yield from _read_pcapng(counted, magic)
    else:
        raise DecodeError(f"not a pcap or pcapng file: it begins with {magic.hex() or 'nothing'}")


def _read_pcap(file: _Counted, order: str, resolution: int) -> Iterator[Packet]:
    (link_type,) = struct.unpack(order + "16xI", file.exactly(20))
    while head := file.up_to(16):
        if len(head) < 16:
            raise DecodeError("the capture is cut in a packet's header", offset=file.offset)
        seconds, fraction, length, _ = struct.unpack(order + "IIII", head)
        _check_length(length, file.offset)
        at = _EPOCH + timedelta(seconds=seconds, microseconds=fraction * 1_000_000 / resolution)
        yield Packet(at, link_type & 0xFFFF, file.exactly(length))


def _read_pcapng(file: _Counted, start: bytes) -> Iterator[Packet]:
    order = "<"
    interfaces: list[_Interface] = []
    while head := start + file.up_to(8 - len(start)):
        start = b""
        if len(head) < 8:
            raise DecodeError("the capture is cut in a block's header", offset=file.offset)
        magic = b""
        if struct.unpack(order + "I", head[:4])[0] == _SECTION:
            magic = file.exactly(4)
            order, interfaces = _section_order(magic, file.offset), []
        kind, length = struct.unpack(order + "II", head)
        if length < 12 + len(magic) or length % 4 or length > 2 * MAX_PACKET_BYTES:
            raise DecodeError(f"a block of {length} bytes", offset=file.offset)
        body = file.exactly(length - 8 - len(magic))[:-4]
        if kind == _INTERFACE:
            interfaces.append(_interface(body, order))
        elif kind == _ENHANCED_PACKET:
            yield _enhanced_packet(body, order, interfaces, file.offset)


def _section_order(magic: bytes, offset: int) -> str:
    for order in ("<", ">"):
        if struct.unpack(order + "I", magic)[0] == _SECTION_MAGIC:
            return order
    raise DecodeError("a section without its byte-order magic", offset=offset)


def _interface(body: bytes, order: str) -> _Interface:
    if len(body) < 8:
        raise DecodeError(f"an interface description of {len(body)} bytes")
    (link_type,) = struct.unpack_from(order + "H", body)
    ticks_per_s, offset = 1_000_000, 8
    while offset + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, offset)
        if code == _OPTION_END:
            break
        if code == _OPTION_RESOLUTION and length == 1 and offset + 4 < len(body):
            exponent = body[offset + 4]
            power = exponent & 0x7F
            if power > 63:
                raise DecodeError(f"a time resolution of exponent {power}")
            ticks_per_s = 2**power if exponent & 0x80 else 10**power
        offset += 4 + length + -length % 4
    return _Interface(link_type, ticks_per_s)


def _enhanced_packet(body: bytes, order: str, interfaces: list[_Interface], end: int) -> Packet:
    if len(body) < 20:
        raise DecodeError(f"a packet block of {len(body)} bytes", offset=end)
    number, high, low, length, _ = struct.unpack_from(order + "IIIII", body)
    if number >= len(interfaces):
        raise DecodeError(f"a packet of the undeclared interface {number}", offset=end)
    if length > len(body) - 20:
        raise DecodeError(f"a packet of {length} bytes in a shorter block", offset=end)
    interface = interfaces[number]
    seconds, rest = divmod(high << 32 | low, interface.ticks_per_s)
    try:
        at = _EPOCH + timedelta(seconds=seconds, microseconds=rest * 1e6 / interface.ticks_per_s)
    except OverflowError:
        raise DecodeError(f"a packet {seconds} s after 1970", offset=end) from None
    return Packet(at, interface.link_type, body[20 : 20 + length])


def _check_length(length: int, offset: int) -> None:
    if length > MAX_PACKET_BYTES:
        raise DecodeError(f"a packet of {length} bytes", offset=offset)
