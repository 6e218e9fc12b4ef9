"""A DroneScout as the maker's documents describe it, laid out by the C compiler's rules.

ctypes lays the structure out from its declaration in opendroneid.h, so the offsets here are
not those that the decoder was written with.
"""

from __future__ import annotations

import base64
import ctypes
import json
from ctypes import c_char, c_double, c_float, c_uint8, c_uint16, c_uint32
from typing import Any

ENUM = c_uint32


class BasicId(ctypes.Structure):
    _fields_ = [("UAType", ENUM), ("IDType", ENUM), ("UASID", c_char * 21)]


class Location(ctypes.Structure):
    _fields_ = [
        ("Status", ENUM),
        ("Direction", c_float),
        ("SpeedHorizontal", c_float),
        ("SpeedVertical", c_float),
        ("Latitude", c_double),
        ("Longitude", c_double),
        ("AltitudeBaro", c_float),
        ("AltitudeGeo", c_float),
        ("HeightType", ENUM),
        ("Height", c_float),
        ("HorizAccuracy", ENUM),
        ("VertAccuracy", ENUM),
        ("BaroAccuracy", ENUM),
        ("SpeedAccuracy", ENUM),
        ("TSAccuracy", ENUM),
        ("TimeStamp", c_float),
    ]


class Auth(ctypes.Structure):
    _fields_ = [
        ("DataPage", c_uint8),
        ("AuthType", ENUM),
        ("LastPageIndex", c_uint8),
        ("Length", c_uint8),
        ("Timestamp", c_uint32),
        ("AuthData", c_uint8 * 24),
    ]


class SelfId(ctypes.Structure):
    _fields_ = [("DescType", ENUM), ("Desc", c_char * 24)]


class System(ctypes.Structure):
    _fields_ = [
        ("OperatorLocationType", ENUM),
        ("ClassificationType", ENUM),
        ("OperatorLatitude", c_double),
        ("OperatorLongitude", c_double),
        ("AreaCount", c_uint16),
        ("AreaRadius", c_uint16),
        ("AreaCeiling", c_float),
        ("AreaFloor", c_float),
        ("CategoryEU", ENUM),
        ("ClassEU", ENUM),
        ("OperatorAltitudeGeo", c_float),
        ("Timestamp", c_uint32),
    ]


class OperatorId(ctypes.Structure):
    _fields_ = [("OperatorIdType", ENUM), ("OperatorId", c_char * 21)]


class UasData(ctypes.Structure):
    _fields_ = [
        ("BasicID", BasicId * 2),
        ("Location", Location),
        ("Auth", Auth * 16),
        ("SelfID", SelfId),
        ("System", System),
        ("OperatorID", OperatorId),
        ("BasicIDValid", c_uint8 * 2),
        ("LocationValid", c_uint8),
        ("AuthValid", c_uint8 * 16),
        ("SelfIDValid", c_uint8),
        ("SystemValid", c_uint8),
        ("OperatorIDValid", c_uint8),
    ]


def flying(serial: bytes = b"1581F4BND2280", lat_deg: float = 50.8197) -> UasData:
    """A drone in the air that has said who and where it is."""
    data = UasData()
    data.BasicID[0] = BasicId(2, 1, serial)
    data.Location = Location(
        *(2, 123.0, 10.25, -2.5, lat_deg, 4.3908, -1000.0, 144.0, 1, 44.5),
        *(11, 5, 0, 3, 2, 1234.5),
    )
    data.BasicIDValid[0] = data.LocationValid = 1
    return data


def message(data: UasData | bytes, **change: Any) -> dict[str, Any]:
    """One detection as a sensor publishes it."""
    told = {
        "sensor ID": "ds230-07",
        "RSSI": -63,
        "channel": 6,
        "timestamp": 1_777_881_600_250,
        "MAC address": "60:60:1F:1E:30:1E",
        "type": "WiFi beacon",
        "UASdata": base64.b64encode(bytes(data)).decode(),
    }
    return {"protocol": 1.0, "data": told | change}


def published(*messages: dict[str, Any]) -> bytes:
    return "".join(json.dumps(one) for one in messages).encode()
