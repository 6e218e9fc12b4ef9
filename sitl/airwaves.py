"""Broadcasts as they are on the air: Wi-Fi beacon and NAN, Bluetooth legacy and long range.

Each function makes one captured packet: what a receiver's capture file holds of it.  Written from
the same tables as a receiver's decoder, and apart from it: F3411-22a 5.4.6-5.4.9, IEEE 802.11,
the Bluetooth core specification (volume 6, part B), radiotap.org and the pcap registry's
LINKTYPE_BLUETOOTH_LE_LL_WITH_PHDR.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from datetime import datetime

LINK_RADIOTAP = 127
LINK_BLUETOOTH = 256
_ADVERTISING_ADDRESS = 0x8E89BED6
_SERVICE_DATA = b"\x16\xfa\xff\x0d"
_CHECKSUM_GOOD = 0x0C13
"""De-whitened, signal valid, reference address valid, checksum checked and right."""
_CODED = 2 << 14
_CHANNEL_6_MHZ = 2437


def radio_address(text: str) -> bytes:
    """The six bytes of "aa:bb:cc:dd:ee:ff"."""
    return bytes.fromhex(text.replace(":", ""))


def wifi_beacon(address: bytes, counter: int, pack: bytes, rssi_dbm: int) -> bytes:
    """A beacon frame with the vendor element of ASTM."""
    content = b"\xfa\x0b\xbc\x0d" + bytes((counter & 0xFF,)) + pack
    name = b"RID-" + address[3:].hex().upper().encode()
    elements = bytes((0, len(name))) + name + bytes((221, len(content))) + content
    fixed = bytes(8) + struct.pack("<HH", 200, 0x0401)
    return _radiotap(rssi_dbm) + _management(8, address) + fixed + elements


def wifi_nan(address: bytes, counter: int, pack: bytes, rssi_dbm: int) -> bytes:
    """A NAN service discovery frame with the pack as service info."""
    info = bytes((counter & 0xFF,)) + pack
    descriptor = b"\x88\x69\x19\x9d\x92\x09" + b"\x01\x00\x10" + bytes((len(info),)) + info
    attribute = b"\x03" + struct.pack("<H", len(descriptor)) + descriptor
    body = b"\x04\x09\x50\x6f\x9a\x13" + attribute
    return _radiotap(rssi_dbm) + _management(13, address) + body


def bluetooth_legacy(address: bytes, counter: int, message: bytes, rssi_dbm: int) -> bytes:
    """An ADV_NONCONN_IND with one message."""
    data = _service_data(counter, message)
    body = address[::-1] + data
    return _link_layer(bytes((2, len(body))) + body, rssi_dbm, coded=False)


def bluetooth_long_range(address: bytes, counter: int, pack: bytes, rssi_dbm: int) -> bytes:
    """An AUX_ADV_IND on the coded physical layer with a pack."""
    header = b"\x01" + address[::-1]
    body = bytes((len(header),)) + header + _service_data(counter, pack)
    return _link_layer(bytes((7, len(body))) + body, rssi_dbm, coded=True)


def _service_data(counter: int, content: bytes) -> bytes:
    data = _SERVICE_DATA + bytes((counter & 0xFF,)) + content
    return bytes((len(data),)) + data


def _radiotap(rssi_dbm: int) -> bytes:
    # flags, channel and antenna signal: bits 1, 3 and 5
    fields = struct.pack("<BxHHb", 0, _CHANNEL_6_MHZ, 0x00A0, rssi_dbm)
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), 0b101010) + fields


def _management(subtype: int, address: bytes) -> bytes:
    head = struct.pack("<BBH", subtype << 4, 0, 0)
    return head + b"\xff" * 6 + address + address + b"\0\0"


def _link_layer(pdu: bytes, rssi_dbm: int, *, coded: bool) -> bytes:
    flags = _CHECKSUM_GOOD | (_CODED if coded else 0)
    head = struct.pack("<BbbBIH", 0, rssi_dbm, -128, 0, _ADVERTISING_ADDRESS, flags)
    indicator = b"\x00" if coded else b""
    address = struct.pack("<I", _ADVERTISING_ADDRESS)
    return head + address + indicator + pdu + _checksum(pdu)


def _checksum(pdu: bytes) -> bytes:
    """The 24-bit CRC of advertising channels (volume 6, part B, 3.1.1), as it is sent."""
    state = 0x555555
    for byte in pdu:
        for bit in range(8):
            feedback = (state >> 23 ^ byte >> bit) & 1
            state = state << 1 & 0xFFFFFF
            if feedback:
                state ^= 0x00065B
    sent = int(f"{state:024b}"[::-1], 2)
    return sent.to_bytes(3, "little")


def capture_head() -> bytes:
    """The beginning of a pcapng capture with an interface for Wi-Fi and one for Bluetooth."""
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    interfaces = (struct.pack("<HHI", link, 0, 0) for link in (LINK_RADIOTAP, LINK_BLUETOOTH))
    return _block(0x0A0D0D0A, section) + b"".join(_block(1, one) for one in interfaces)


def captured(link_type: int, at: datetime, packets: Iterable[bytes]) -> bytes:
    """The packets' blocks in a capture that began with `capture_head`."""
    interface = (LINK_RADIOTAP, LINK_BLUETOOTH).index(link_type)
    microseconds = round(at.timestamp() * 1e6)
    blocks = []
    for packet in packets:
        head = struct.pack(
            "<IIIII",
            interface,
            microseconds >> 32,
            microseconds & 0xFFFFFFFF,
            len(packet),
            len(packet),
        )
        blocks.append(_block(6, head + packet + bytes(-len(packet) % 4)))
    return b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length
