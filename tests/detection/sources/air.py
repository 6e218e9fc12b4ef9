"""Frames as they are on the air, for the tests of what hears them."""

from __future__ import annotations

import struct

from droneteam.detection import rid

RADIO = bytes.fromhex("60601f1e301e")
ADDRESS = "60:60:1f:1e:30:1e"
MESSAGE = rid.encode(rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"))
PACK = rid.encode_pack((rid.BasicId(rid.IdType.SERIAL_NUMBER, 2, "1581F4BND2280"),))


def radiotap(frame: bytes, *, rssi: int = -63, extra_words: int = 0) -> bytes:
    """A header with the antenna's signal, and as many further presence words as are asked."""
    words = [0x20 | (1 << 31 if extra_words else 0)]
    words += [1 << 31] * max(0, extra_words - 1) + [0] * min(1, extra_words)
    present = b"".join(struct.pack("<I", word) for word in words)
    head = struct.pack("<BBH", 0, 0, 4 + len(present) + 1) + present + struct.pack("<b", rssi)
    return head + frame


def management(subtype: int, body: bytes, *, flags: int = 0) -> bytes:
    head = struct.pack("<BBH", subtype << 4, flags, 0)
    return head + b"\xff" * 6 + RADIO + RADIO + b"\0\0" + body


def beacon(pack: bytes = PACK, counter: int = 5) -> bytes:
    content = b"\xfa\x0b\xbc\x0d" + bytes((counter,)) + pack
    elements = b"\x00\x04test" + bytes((221, len(content))) + content
    return management(8, bytes(8) + struct.pack("<HH", 100, 0x21) + elements)


def nan(pack: bytes = PACK, counter: int = 5) -> bytes:
    info = bytes((counter,)) + pack
    service = b"\x88\x69\x19\x9d\x92\x09\x01\x00\x10" + bytes((len(info),)) + info
    attribute = b"\x03" + struct.pack("<H", len(service)) + service
    return management(13, b"\x04\x09\x50\x6f\x9a\x13" + attribute)


OTHERS = {
    "probe request": management(4, b"\x00\x04home"),
    "authentication": management(11, bytes(6)),
    "deauthentication": management(12, bytes(2)),
    "action of another maker": management(13, b"\x04\x09\x00\x50\xf2\x13" + bytes(60)),
    "spectrum action": management(13, b"\x00\x04" + bytes(40)),
    "data": b"\x08\x01" + bytes(60),
    "acknowledgement": b"\xd4\x00" + bytes(8),
    "another protocol version": b"\x81\x00" + bytes(60),
}
"""Frames that are no Remote ID, without their radiotap header."""
