"""A second reading of the standard's field tables, which shares no code with the decoder.

A message is one number of 200 bits and each field a row of a table: where it begins (byte and bit,
the lowest bit first), how wide it is, and what its number means.  Values are exact fractions.
It is slow, and plain enough to be checked against ASTM F3411-22a, tables 4 to 11, line by line.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction

Value = object


class Refused(Exception):
    """The standard gives the bytes no meaning."""


@dataclass(frozen=True)
class Row:
    name: str
    byte: int
    bit: int
    width: int
    meaning: Callable[[int], Value]


def plain(number: int) -> int:
    return number


def only(*known: int) -> Callable[[int], int]:
    def meaning(number: int) -> int:
        if number not in known:
            raise Refused(number)
        return number

    return meaning


def lookup(**known: str) -> Callable[[int], float | None]:
    """Of a code; codes that are not named mean unknown."""
    table = {int(code[1:]): float(Fraction(value)) for code, value in known.items()}
    return table.get


def height(number: int) -> float | None:
    return float(Fraction(number, 2) - 1000) if number else None


def second(number: int) -> float | None:
    if number == 65535:
        return None
    if number > 36000:
        raise Refused(number)
    return float(Fraction(number, 10))


def tenths(number: int) -> float | None:
    return float(Fraction(number, 10)) if number else None


def climb(number: int) -> float | None:
    signed = number - 256 if number > 127 else number
    if signed == 126:
        return None
    if not -124 <= signed <= 124:
        raise Refused(signed)
    return float(Fraction(signed, 2))


def instant(number: int) -> datetime | None:
    start = datetime(2019, 1, 1, tzinfo=timezone(timedelta(0)))
    return start + timedelta(0, number) if number else None


METRES_H = lookup(
    _1="18520", _2="7408", _3="3704", _4="1852", _5="926", _6="555.6", _7="185.2", _8="92.6",
    _9="30", _10="10", _11="3", _12="1",
)  # fmt: skip
METRES_V = lookup(_1="150", _2="45", _3="25", _4="10", _5="3", _6="1")
SPEEDS = lookup(_1="10", _2="3", _3="1", _4="0.3")

LOCATION = (
    Row("multiplier", 1, 0, 1, plain),
    Row("segment", 1, 1, 1, plain),
    Row("height_reference", 1, 2, 1, plain),
    Row("status", 1, 4, 4, only(0, 1, 2, 3, 4)),
    Row("direction", 2, 0, 8, plain),
    Row("speed", 3, 0, 8, plain),
    Row("vertical_speed_mps", 4, 0, 8, climb),
    Row("lat", 5, 0, 32, plain),
    Row("lon", 9, 0, 32, plain),
    Row("alt_pressure_m", 13, 0, 16, height),
    Row("alt_ellipsoid_m", 15, 0, 16, height),
    Row("height_m", 17, 0, 16, height),
    Row("horizontal_accuracy_m", 19, 0, 4, METRES_H),
    Row("vertical_accuracy_m", 19, 4, 4, METRES_V),
    Row("speed_accuracy_mps", 20, 0, 4, SPEEDS),
    Row("pressure_accuracy_m", 20, 4, 4, METRES_V),
    Row("second_of_hour_s", 21, 0, 16, second),
    Row("time_accuracy_s", 23, 0, 4, tenths),
)
SYSTEM = (
    Row("operator_location_type", 1, 0, 2, plain),
    Row("classification", 1, 2, 3, plain),
    Row("lat", 2, 0, 32, plain),
    Row("lon", 6, 0, 32, plain),
    Row("area_count", 10, 0, 16, plain),
    Row("area_radius_m", 12, 0, 8, lambda number: float(number * 10)),
    Row("area_ceiling_m", 13, 0, 16, height),
    Row("area_floor_m", 15, 0, 16, height),
    Row("ua_class", 17, 0, 4, plain),
    Row("ua_category", 17, 4, 4, plain),
    Row("operator_alt_ellipsoid_m", 18, 0, 16, height),
    Row("at", 20, 0, 32, instant),
)


def bits(number: int, byte: int, bit: int, width: int) -> int:
    return number >> (8 * byte + bit) & ((1 << width) - 1)


def table(data: bytes, rows: tuple[Row, ...]) -> dict[str, Value]:
    number = int.from_bytes(data[:25], "little")
    return {row.name: row.meaning(bits(number, row.byte, row.bit, row.width)) for row in rows}


def position(found: dict[str, Value], prefix: str = "") -> dict[str, Value]:
    """Two's complement of 1e-7 degrees; both 0 is unknown."""
    degrees: list[float | None] = []
    for name, limit in (("lat", 90), ("lon", 180)):
        number = found.pop(name)
        assert isinstance(number, int)
        exact = Fraction(number - (1 << 32) if number >> 31 else number, 10**7)
        if abs(exact) > limit:
            raise Refused(exact)
        degrees.append(float(exact))
    lat_deg, lon_deg = (None, None) if degrees == [0.0, 0.0] else degrees
    return {f"{prefix}lat_deg": lat_deg, f"{prefix}lon_deg": lon_deg}


def location(data: bytes) -> dict[str, Value]:
    found = table(data, LOCATION)
    fast, code = found.pop("multiplier"), found.pop("speed")
    half, angle = found.pop("segment"), found.pop("direction")
    assert isinstance(code, int)
    assert isinstance(angle, int)
    if half and angle == 181:
        found["direction_deg"] = None
    elif angle >= 180:
        raise Refused(angle)
    else:
        found["direction_deg"] = float(angle + 180 if half else angle)
    if fast:
        metres = Fraction(code * 3, 4) + Fraction(255, 4)
        found["speed_mps"] = None if code == 255 else float(metres)
    else:
        found["speed_mps"] = float(Fraction(code, 4))
    return found | position(found)


def system(data: bytes) -> dict[str, Value]:
    found = table(data, SYSTEM)
    return found | position(found, "operator_")


def name(raw: bytes) -> str:
    """Printable characters up to the first NUL."""
    told = raw.partition(b"\0")[0]
    if any(chr(one) not in PRINTABLE for one in told):
        raise Refused(told)
    return "".join(map(chr, told)).strip(" ")


PRINTABLE = set(string.ascii_letters + string.digits + string.punctuation + " ")


def basic_id(data: bytes) -> dict[str, Value]:
    kind, raw = data[1] // 16, data[2:22]
    if kind > 4:
        raise Refused(kind)
    if kind == 3:
        digits = "".join(f"{one:02x}" for one in raw[:16])
        cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
        text = "-".join(digits[first:last] for first, last in cuts)
    elif kind == 4:
        text = "".join(f"{one:02x}" for one in raw)
    else:
        text = name(raw)
    return {"id_type": kind, "ua_type": data[1] % 16, "uas_id": text}


def authentication(data: bytes) -> dict[str, Value]:
    kind, page = data[1] // 16, data[1] % 16
    if page:
        first = {"data": data[2:25], "last_page": None, "length_bytes": None, "at": None}
        return {"auth_type": kind, "page": page, **first}
    if data[2] > 15:
        raise Refused(data[2])
    seconds = sum(data[4 + power] << 8 * power for power in range(4))
    head = {"auth_type": kind, "page": 0, "last_page": data[2], "length_bytes": data[3]}
    return {**head, "at": instant(seconds), "data": data[8:25]}


def self_id(data: bytes) -> dict[str, Value]:
    told = data[2:25].partition(b"\0")[0]
    text = "".join(chr(one) if one < 128 else f"\\x{one:02x}" for one in told)
    return {"description_type": data[1], "text": text}


def operator_id(data: bytes) -> dict[str, Value]:
    return {"id_type": data[1], "operator_id": name(data[2:22])}


KINDS: dict[int, tuple[str, Callable[[bytes], dict[str, Value]]]] = {
    0: ("BasicId", basic_id),
    1: ("Location", location),
    2: ("Authentication", authentication),
    3: ("SelfId", self_id),
    4: ("System", system),
    5: ("OperatorId", operator_id),
}


def read(data: bytes) -> tuple[str, dict[str, Value]]:
    """The kind of a message and its fields, None where unknown.

    Raises
    ------
    Refused
        The bytes mean nothing.
    """
    if len(data) < 25 or data[0] // 16 not in KINDS:
        raise Refused(data)
    kind, reading = KINDS[data[0] // 16]
    return kind, reading(data)


def pack_bits(rows: tuple[Row, ...], numbers: dict[str, int], kind: int) -> bytes:
    """A message laid out from its fields' numbers."""
    whole = kind << 4 | 2
    for row in rows:
        whole |= (numbers[row.name] & ((1 << row.width) - 1)) << (8 * row.byte + row.bit)
    return whole.to_bytes(25, "little")


def in_range(chance: random.Random) -> bytes:
    """A message whose every field is in its range, its ends and unknowns more often than others."""
    kind = chance.choices(tuple(KINDS), (2, 6, 1, 1, 3, 1))[0]
    if kind == 1:
        return pack_bits(LOCATION, _location_numbers(chance), kind)
    if kind == 4:
        return pack_bits(SYSTEM, _system_numbers(chance), kind)
    body = bytearray(chance.randbytes(24))
    text = bytes(chance.choices([ord(one) for one in PRINTABLE], k=chance.randint(0, 20)))
    if kind in (0, 5):
        body[1:21] = text.ljust(20, b"\0")
    if kind == 0:
        body[0] = chance.randint(0, 4) << 4 | chance.randint(0, 15)
        if body[0] >> 4 > 2:
            body[1:21] = chance.randbytes(20)
    elif kind == 2 and body[0] % 16 == 0:
        body[1] = chance.randint(0, 15)
    return bytes((kind << 4 | chance.choice((0, 1, 2)),)) + bytes(body)


def _edge(chance: random.Random, low: int, high: int, *others: int) -> int:
    if chance.random() < 0.2:
        return chance.choice((low, high, *others))
    return chance.randint(low, high)


def _location_numbers(chance: random.Random) -> dict[str, int]:
    half = chance.randint(0, 1)
    numbers = {row.name: chance.randrange(1 << row.width) for row in LOCATION}
    lat, lon = _place(chance)
    return numbers | {
        "segment": half,
        "direction": _edge(chance, 0, 179, *((181,) if half else ())),
        "status": chance.randint(0, 4),
        "vertical_speed_mps": _edge(chance, -124, 124, 126),
        "lat": lat,
        "lon": lon,
        "second_of_hour_s": _edge(chance, 0, 36000, 65535),
    }


def _system_numbers(chance: random.Random) -> dict[str, int]:
    numbers = {row.name: chance.randrange(1 << row.width) for row in SYSTEM}
    lat, lon = _place(chance)
    return numbers | {"lat": lat, "lon": lon}


def _place(chance: random.Random) -> tuple[int, int]:
    if chance.random() < 0.05:
        return 0, 0
    lat = _edge(chance, -900_000_000, 900_000_000, 0, 1, -1)
    return lat, _edge(chance, -1_800_000_000, 1_800_000_000, 0, 1, -1)
