"""Radio frames to Remote ID payloads: Wi-Fi beacon and NAN, Bluetooth legacy and long range.

Wi-Fi (radiotap header, then IEEE 802.11):
    beacon   management subtype 8; 12 fixed bytes, then elements; vendor element (221) with OUI
             FA-0B-BC, type 0x0D: counter, message pack (F3411-22a, 5.4.8)
    NAN      action frame (subtype 13) 04 09 50-6F-9A 13, attributes of id, length (2), body;
             service discovery (3) of service 88-69-19-9D-92-09: its service info is counter, pack
Bluetooth (the link layer at 0x8E89BED6, behind an nRF Sniffer header of version 2 or 3 or behind
the registry's own header, LINKTYPE_BLUETOOTH_LE_LL_WITH_PHDR: channel 1, signal 1, noise 1,
offences 1, reference address 4, flags 2):
    legacy   ADV_* (PDU 0, 2, 6): address 6, then advertising data
    extended AUX_ADV_IND (PDU 7): extended header, then advertising data
    the advertising data holds service data (0x16) of UUID 0xFFFA, application code 0x0D:
    counter, then one message (legacy) or a pack

A frame that carries no Remote ID gives None.  A frame whose checksum is known to be wrong gives
None too: wrong serial numbers come from those and from nowhere else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from droneteam.errors import DecodeError

LINK_RADIOTAP = 127
LINK_NORDIC_BLE = 272
LINK_BLE_WITH_PHDR = 256
LINK_TYPES = (LINK_RADIOTAP, LINK_NORDIC_BLE, LINK_BLE_WITH_PHDR)

_BEACON, _ACTION = 8, 13
_VENDOR_ELEMENT = 221
_ASTM_OUI_TYPE = b"\xfa\x0b\xbc\x0d"
_NAN_ACTION = b"\x04\x09\x50\x6f\x9a\x13"
_NAN_SERVICE_DISCOVERY = 3
_NAN_SERVICE_ID = b"\x88\x69\x19\x9d\x92\x09"
_MAC_HEADER_BYTES = 24
_FCS_BYTES = 4

_SERVICE_DATA_16 = 0x16
_ASTM_UUID = b"\xfa\xff"
_ASTM_APPLICATION = b"\x0d"
_ADVERTISING_ADDRESS = 0x8E89BED6
_CODED_PHY = 2
_LEGACY_PDUS = (0, 2, 6)
_EXTENDED_PDU = 7
_PHDR_BYTES = 10
_SIGNAL_VALID, _CRC_CHECKED, _CRC_VALID = 0x0002, 0x0400, 0x0800
_CRC_BYTES = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One Remote ID payload and the radio that sent it.

    transmitter : the sender's address, "aa:bb:cc:dd:ee:ff".
    counter : the message counter that repeats of one message share.
    """

    transport: str
    transmitter: str
    counter: int
    payload: bytes
    rssi_dbm: int | None


def extract(link_type: int, data: bytes) -> Frame | None:
    """The Remote ID payload in a captured frame, or None when it carries none.

    Raises
    ------
    DecodeError
        The frame announces Remote ID and is malformed, or the link type is not one of
        LINK_TYPES.
    """
    if link_type == LINK_RADIOTAP:
        return _wifi(data)
    if link_type == LINK_NORDIC_BLE:
        return _nordic(data)
    if link_type == LINK_BLE_WITH_PHDR:
        return _with_phdr(data)
    raise DecodeError(f"link type {link_type} is not one of {LINK_TYPES}")


@dataclass(frozen=True, slots=True)
class _Radiotap:
    length: int
    fcs_present: bool
    fcs_bad: bool
    rssi_dbm: int | None


_RADIOTAP_FIELDS = ((8, 8), (1, 1), (1, 1), (4, 2), (2, 2), (1, 1))
"""Alignment and size of TSFT, flags, rate, channel, FHSS, antenna signal (radiotap.org)."""


def _radiotap(data: bytes) -> _Radiotap | None:
    if len(data) < 8 or data[0] != 0:
        return None
    (length,) = struct.unpack_from("<H", data, 2)
    if length < 8 or length > len(data):
        return None
    (present,) = struct.unpack_from("<I", data, 4)
    offset, word = 8, present
    while word >> 31 & 1 and offset + 4 <= length:
        (word,) = struct.unpack_from("<I", data, offset)
        offset += 4
    flags, rssi = 0, None
    for bit, (size, alignment) in enumerate(_RADIOTAP_FIELDS):
        if not present >> bit & 1:
            continue
        offset += -offset % alignment
        if offset + size > length:
            break
        if bit == 1:
            flags = data[offset]
        elif bit == 5:
            rssi = struct.unpack_from("<b", data, offset)[0]
        offset += size
    return _Radiotap(length, bool(flags & 0x10), bool(flags & 0x40), rssi)


def _wifi(data: bytes) -> Frame | None:
    head = _radiotap(data)
    if head is None or head.fcs_bad:
        return None
    end = len(data) - (_FCS_BYTES if head.fcs_present else 0)
    mac = data[head.length : end]
    if len(mac) < _MAC_HEADER_BYTES or mac[0] & 0x0F:
        return None  # not a management frame of protocol version 0
    transmitter, body = _address(mac[10:16]), mac[_MAC_HEADER_BYTES:]
    if mac[0] >> 4 == _BEACON:
        found = _beacon_payload(body)
        transport = "wifi-beacon"
    elif mac[0] >> 4 == _ACTION:
        found = _nan_payload(body)
        transport = "wifi-nan"
    else:
        return None
    if found is None:
        return None
    return Frame(transport, transmitter, found[0], found[1:], head.rssi_dbm)


def _beacon_payload(body: bytes) -> bytes | None:
    for kind, content in _elements(body[12:]):
        if kind == _VENDOR_ELEMENT and content.startswith(_ASTM_OUI_TYPE):
            return _counted(content[len(_ASTM_OUI_TYPE) :])
    return None


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 2 <= len(data):
        kind, length = data[offset], data[offset + 1]
        yield kind, data[offset + 2 : offset + 2 + length]
        offset += 2 + length


def _nan_payload(body: bytes) -> bytes | None:
    if not body.startswith(_NAN_ACTION):
        return None
    offset = len(_NAN_ACTION)
    while offset + 3 <= len(body):
        kind, length = body[offset], struct.unpack_from("<H", body, offset + 1)[0]
        attribute = body[offset + 3 : offset + 3 + length]
        if kind == _NAN_SERVICE_DISCOVERY and attribute.startswith(_NAN_SERVICE_ID):
            if len(attribute) < length:
                raise DecodeError("a NAN service descriptor that ends early", offset=offset)
            return _service_info(attribute)
        offset += 3 + length
    return None


def _service_info(attribute: bytes) -> bytes | None:
    """The service info of a descriptor: id 6, instance 1, requestor 1, control 1, options."""
    if len(attribute) < 9:
        raise DecodeError(f"a NAN service descriptor of {len(attribute)} bytes")
    control, offset = attribute[8], 9
    if control & 0x40:
        offset += 2  # binding bitmap
    for bit in (0x04, 0x08):  # matching filter, response filter
        if control & bit:
            offset += 1 + _byte(attribute, offset)
    if not control & 0x10:
        return None
    length = _byte(attribute, offset)
    info = attribute[offset + 1 : offset + 1 + length]
    if len(info) < length:
        raise DecodeError(f"NAN service info of {len(info)} bytes declares {length}")
    return _counted(info)


def _nordic(data: bytes) -> Frame | None:
    if len(data) < 23 or data[3] not in (2, 3):
        return None
    flags, rssi = data[8], -data[10]
    if not flags & 0x01 or data[7] != 10:
        return None  # checksum wrong, or not a radio packet
    (address,) = struct.unpack_from("<I", data, 17)
    if address != _ADVERTISING_ADDRESS:
        return None
    coded = flags >> 4 & 0x07 == _CODED_PHY
    return _advertised(data[22 if coded else 21 :], coded=coded, rssi=rssi)


def _with_phdr(data: bytes) -> Frame | None:
    if len(data) < _PHDR_BYTES + 6 + _CRC_BYTES:
        return None
    (signal,) = struct.unpack_from("<b", data, 1)
    flags, address = struct.unpack_from("<HI", data, _PHDR_BYTES - 2)
    if flags & _CRC_CHECKED and not flags & _CRC_VALID:
        return None
    if address != _ADVERTISING_ADDRESS:
        return None
    coded = flags >> 14 == _CODED_PHY
    start = _PHDR_BYTES + 4 + coded  # a coded packet has an indicator of its coding
    rssi = signal if flags & _SIGNAL_VALID else None
    return _advertised(data[start:-_CRC_BYTES], coded=coded, rssi=rssi)


def _advertised(pdu: bytes, *, coded: bool, rssi: int | None) -> Frame | None:
    if len(pdu) < 2:
        return None
    kind, length = pdu[0] & 0x0F, pdu[1]
    found = _advertisement(kind, pdu[2 : 2 + length])
    if found is None:
        return None
    transmitter, content = found
    transport = "ble-long-range" if coded else ("ble-5" if kind == _EXTENDED_PDU else "ble-legacy")
    return Frame(transport, transmitter, content[0], content[1:], rssi)


def _advertisement(kind: int, payload: bytes) -> tuple[str, bytes] | None:
    if kind in _LEGACY_PDUS and len(payload) > 6:
        address, data = payload[:6], payload[6:]
    elif kind == _EXTENDED_PDU and payload:
        length = payload[0] & 0x3F
        header, data = payload[1 : 1 + length], payload[1 + length :]
        if len(header) < 7 or not header[0] & 0x01:
            return None  # no advertiser address: nothing to follow it by
        address = header[1:7]
    else:
        return None
    offset = 0
    while offset + 2 <= len(data) and data[offset]:
        length = data[offset]
        field = data[offset + 1 : offset + 1 + length]
        if field[:1] == bytes((_SERVICE_DATA_16,)) and field[1:3] == _ASTM_UUID:
            if len(field) < length:
                raise DecodeError("Bluetooth service data that ends early", offset=offset)
            content = service_content(field[3:])
            if content is not None:
                return _address(address[::-1]), content
        offset += 1 + length
    return None


def service_content(data: bytes) -> bytes | None:
    """Counter and payload in the service data of UUID 0xFFFA; None for another application.

    Raises
    ------
    DecodeError
        It announces Remote ID and holds none.
    """
    if not data.startswith(_ASTM_APPLICATION):
        return None
    return _counted(data[1:])


def _counted(content: bytes) -> bytes:
    if len(content) < 2:
        raise DecodeError(f"Remote ID content of {len(content)} bytes")
    return content


def _byte(data: bytes, offset: int) -> int:
    if offset >= len(data):
        raise DecodeError(f"the frame ends before byte {offset}", offset=offset)
    return data[offset]


def _address(raw: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in raw)
