"""Remote ID messages by the thousand: payloads to columns, one NumPy pass per field.

The bit tables are `rid`'s and so is the meaning of every value; only the way there differs.  A
value that its field declares unknown is NaN here (None there), and a message that `rid` refuses
has a problem here.  The two decoders were written apart and are compared with each other on
recorded, random and adversarial bytes.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from droneteam.detection import rid
from droneteam.detection.motion import FloatArray, IntArray

BytesArray = NDArray[np.uint8]

_PACK_HEAD_BYTES = 3

LOCATION = np.dtype(
    [
        ("head", "u1"),
        ("flags", "u1"),
        ("direction", "u1"),
        ("speed", "u1"),
        ("vertical", "i1"),
        ("lat", "<i4"),
        ("lon", "<i4"),
        ("pressure", "<u2"),
        ("geodetic", "<u2"),
        ("height", "<u2"),
        ("accuracy", "u1"),
        ("more", "u1"),
        ("tenths", "<u2"),
        ("time_accuracy", "u1"),
        ("reserved", "u1"),
    ]
)
SYSTEM = np.dtype(
    [
        ("head", "u1"),
        ("flags", "u1"),
        ("lat", "<i4"),
        ("lon", "<i4"),
        ("count", "<u2"),
        ("radius", "u1"),
        ("ceiling", "<u2"),
        ("floor", "<u2"),
        ("category", "u1"),
        ("altitude", "<u2"),
        ("seconds", "<u4"),
        ("reserved", "u1"),
    ]
)


class Problem(enum.IntEnum):
    """Why a message cannot be used."""

    NONE = 0
    TYPE = 1
    RESERVED = 2
    POSITION = 3
    DIRECTION = 4
    VERTICAL_SPEED = 5
    TIME = 6
    TEXT = 7
    PAGE = 8


@dataclass(frozen=True, slots=True)
class Messages:
    """The n messages that m payloads hold, in their order.

    data : (n, 25) their bytes. payload : (n,) which payload each came from. kind : (n,) message
    type. problem : (n,) Problem. salvaged : (m,) how many whole, faultless messages a payload
    held; 0 where the payload is refused. flawed : (m,) whether something in it was wrong.
    """

    data: BytesArray
    payload: IntArray
    kind: BytesArray
    problem: BytesArray
    salvaged: IntArray
    flawed: NDArray[np.bool_]

    def of(self, kind: rid.MessageType) -> IntArray:
        """The indices of the faultless messages of a type."""
        return np.flatnonzero((self.kind == kind) & (self.problem == Problem.NONE))


@dataclass(frozen=True, slots=True)
class Locations:
    """n location messages, each field (n,); NaN where unknown. The fields are `rid.Location`'s."""

    status: BytesArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    direction_deg: FloatArray
    speed_mps: FloatArray
    vertical_speed_mps: FloatArray
    alt_pressure_m: FloatArray
    alt_ellipsoid_m: FloatArray
    height_m: FloatArray
    height_reference: BytesArray
    horizontal_accuracy_m: FloatArray
    vertical_accuracy_m: FloatArray
    pressure_accuracy_m: FloatArray
    speed_accuracy_mps: FloatArray
    second_of_hour_s: FloatArray
    time_accuracy_s: FloatArray


@dataclass(frozen=True, slots=True)
class Systems:
    """n system messages, each field (n,); NaN where unknown; seconds since 2019, 0 unknown."""

    operator_lat_deg: FloatArray
    operator_lon_deg: FloatArray
    operator_location_type: BytesArray
    classification: BytesArray
    area_count: NDArray[np.uint16]
    area_radius_m: FloatArray
    area_ceiling_m: FloatArray
    area_floor_m: FloatArray
    ua_category: BytesArray
    ua_class: BytesArray
    operator_alt_ellipsoid_m: FloatArray
    seconds: NDArray[np.uint32]


def split(payloads: Sequence[bytes]) -> Messages:
    """Every whole message of the payloads, checked."""
    lengths = np.fromiter(map(len, payloads), dtype=np.intp, count=len(payloads))
    joined = b"".join(payloads)
    content = np.frombuffer(joined + bytes(rid.MESSAGE_BYTES), dtype=np.uint8)
    offsets = np.cumsum(lengths) - lengths
    counts, first, flawed = _layout(content, offsets, lengths)
    payload = np.repeat(np.arange(len(payloads)), counts)
    number = np.arange(len(payload)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = (offsets + first)[payload] + number * rid.MESSAGE_BYTES
    data = content[starts[:, None] + np.arange(rid.MESSAGE_BYTES)]
    kind = data[:, 0] >> 4
    problem = _problems(data, kind)
    good = problem == Problem.NONE
    salvaged = np.bincount(payload[good], minlength=len(payloads))
    flawed |= salvaged < counts
    return Messages(data, payload, kind, problem, salvaged, flawed | (salvaged == 0))


def _layout(
    content: BytesArray, offsets: IntArray, lengths: IntArray
) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
    """How many messages each payload gives, where they begin, and whether it lies about it."""
    pack = (lengths > 0) & (content[offsets] >> 4 == rid.MessageType.PACK)
    size, declared = content[offsets + 1], content[offsets + 2].astype(np.intp)
    whole = (lengths - _PACK_HEAD_BYTES) // rid.MESSAGE_BYTES
    readable = (lengths >= _PACK_HEAD_BYTES) & (size == rid.MESSAGE_BYTES)
    held = np.minimum(np.minimum(declared, whole), rid.MAX_PACK_MESSAGES)
    counts = np.where(
        pack, np.where(readable, held, 0), (lengths >= rid.MESSAGE_BYTES).astype(np.intp)
    )
    lying = pack & ((declared < 1) | (declared > rid.MAX_PACK_MESSAGES) | (declared > whole))
    return counts, np.where(pack, _PACK_HEAD_BYTES, 0), lying


def _problems(data: BytesArray, kind: BytesArray) -> BytesArray:
    problem = np.zeros(len(data), dtype=np.uint8)
    problem[kind > rid.MessageType.OPERATOR_ID] = Problem.TYPE
    for message_type, check in _CHECKS.items():
        which = np.flatnonzero(kind == message_type)
        if len(which):
            check(data, which, problem)
    return problem


def _check_identity(data: BytesArray, which: IntArray, problem: BytesArray) -> None:
    id_type = data[which, 1] >> 4
    text = id_type <= rid.IdType.REGISTRATION
    problem[which[text & _unprintable(data[which, 2:22])]] = Problem.TEXT
    problem[which[id_type > max(rid.IdType)]] = Problem.RESERVED


def _check_operator(data: BytesArray, which: IntArray, problem: BytesArray) -> None:
    problem[which[_unprintable(data[which, 2:22])]] = Problem.TEXT


def _unprintable(text: BytesArray) -> NDArray[np.bool_]:
    """Whether a byte before the first NUL is not printable ASCII."""
    inside = np.cumsum(text == 0, axis=1) == 0
    return np.asarray((inside & ((text < 0x20) | (text > 0x7E))).any(axis=1))


def _check_location(data: BytesArray, which: IntArray, problem: BytesArray) -> None:
    raw = _records(data[which], LOCATION)
    direction = raw["direction"] + 180 * (raw["flags"] >> 1 & 1).astype(np.intp)
    vertical = raw["vertical"].astype(np.intp)
    tenths = raw["tenths"]
    problem[which[(tenths > 36000) & (tenths != 0xFFFF)]] = Problem.TIME
    problem[which[(abs(vertical) > 124) & (vertical != 126)]] = Problem.VERTICAL_SPEED
    problem[which[(raw["direction"] > 179) & (direction != 361)]] = Problem.DIRECTION
    problem[which[raw["flags"] >> 4 > max(rid.Status)]] = Problem.RESERVED
    problem[which[_off_the_globe(raw["lat"], raw["lon"])]] = Problem.POSITION


def _check_system(data: BytesArray, which: IntArray, problem: BytesArray) -> None:
    raw = _records(data[which], SYSTEM)
    problem[which[_off_the_globe(raw["lat"], raw["lon"])]] = Problem.POSITION


def _check_authentication(data: BytesArray, which: IntArray, problem: BytesArray) -> None:
    first = data[which, 1] & 0x0F == 0
    problem[which[first & (data[which, 2] > 15)]] = Problem.PAGE


def _off_the_globe(lat_e7: NDArray[np.int32], lon_e7: NDArray[np.int32]) -> NDArray[np.bool_]:
    # Bounds on both sides: the absolute value of the smallest integer is negative.
    return (
        (lat_e7 > 900_000_000)
        | (lat_e7 < -900_000_000)
        | (lon_e7 > 1_800_000_000)
        | (lon_e7 < -1_800_000_000)
    )


_CHECKS = {
    rid.MessageType.BASIC_ID: _check_identity,
    rid.MessageType.LOCATION: _check_location,
    rid.MessageType.AUTHENTICATION: _check_authentication,
    rid.MessageType.SYSTEM: _check_system,
    rid.MessageType.OPERATOR_ID: _check_operator,
}


def _records(data: BytesArray, layout: np.dtype[np.void]) -> NDArray[np.void]:
    """(n,) records of (n, 25) bytes."""
    return np.ascontiguousarray(data).view(layout)[:, 0]


def locations(data: BytesArray) -> Locations:
    """The fields of faultless location messages, (n, 25) bytes."""
    raw = _records(data, LOCATION)
    flags = raw["flags"]
    lat_deg, lon_deg = _positions(raw["lat"], raw["lon"])
    direction = raw["direction"] + 180.0 * (flags >> 1 & 1)
    fast = flags & 1 == 1
    speed_mps = np.where(fast, raw["speed"] * 0.75 + 63.75, raw["speed"] * 0.25)
    time_accuracy = (raw["time_accuracy"] & 0x0F) / 10.0
    return Locations(
        status=_small(flags >> 4),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        direction_deg=np.where(direction == 361.0, np.nan, direction),
        speed_mps=np.where(fast & (raw["speed"] == 255), np.nan, speed_mps),
        vertical_speed_mps=np.where(raw["vertical"] == 126, np.nan, raw["vertical"] * 0.5),
        alt_pressure_m=_altitudes(raw["pressure"]),
        alt_ellipsoid_m=_altitudes(raw["geodetic"]),
        height_m=_altitudes(raw["height"]),
        height_reference=_small(flags >> 2 & 1),
        horizontal_accuracy_m=_HORIZONTAL_M[raw["accuracy"] & 0x0F],
        vertical_accuracy_m=_VERTICAL_M[raw["accuracy"] >> 4],
        pressure_accuracy_m=_VERTICAL_M[raw["more"] >> 4],
        speed_accuracy_mps=_SPEED_MPS[raw["more"] & 0x0F],
        second_of_hour_s=np.where(raw["tenths"] == 0xFFFF, np.nan, raw["tenths"] / 10.0),
        time_accuracy_s=np.where(time_accuracy == 0.0, np.nan, time_accuracy),
    )


def systems(data: BytesArray) -> Systems:
    """The fields of faultless system messages, (n, 25) bytes."""
    raw = _records(data, SYSTEM)
    lat_deg, lon_deg = _positions(raw["lat"], raw["lon"])
    return Systems(
        operator_lat_deg=lat_deg,
        operator_lon_deg=lon_deg,
        operator_location_type=_small(raw["flags"] & 0x03),
        classification=_small(raw["flags"] >> 2 & 0x07),
        area_count=raw["count"],
        area_radius_m=raw["radius"] * 10.0,
        area_ceiling_m=_altitudes(raw["ceiling"]),
        area_floor_m=_altitudes(raw["floor"]),
        ua_category=_small(raw["category"] >> 4),
        ua_class=_small(raw["category"] & 0x0F),
        operator_alt_ellipsoid_m=_altitudes(raw["altitude"]),
        seconds=raw["seconds"],
    )


def _small(value: NDArray[np.integer[Any]]) -> BytesArray:
    return value.astype(np.uint8)


def _table(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values])


_HORIZONTAL_M = _table(rid.HORIZONTAL_ACCURACY_M)
_VERTICAL_M = _table(rid.VERTICAL_ACCURACY_M)
_SPEED_MPS = _table(rid.SPEED_ACCURACY_MPS)


def _positions(
    lat_e7: NDArray[np.int32], lon_e7: NDArray[np.int32]
) -> tuple[FloatArray, FloatArray]:
    unknown = (lat_e7 == 0) & (lon_e7 == 0)
    return np.where(unknown, np.nan, lat_e7 / 1e7), np.where(unknown, np.nan, lon_e7 / 1e7)


def _altitudes(word: NDArray[np.uint16]) -> FloatArray:
    return np.where(word == 0, np.nan, word * 0.5 - 1000.0)
