"""The fields of Remote ID messages: scaled integers to values and back.

`rid` holds the bit tables; here stand the scales, the ranges and the values that mean unknown.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from droneteam.errors import DecodeError, InputError

EPOCH_2019 = datetime(2019, 1, 1, tzinfo=UTC)
_DIRECTION_UNKNOWN_DEG = 361
_SPEED_UNKNOWN = (255, 1)
_VERTICAL_UNKNOWN = 126
_MAX_VERTICAL = 124
_TIME_UNKNOWN = 0xFFFF
_MAX_TENTHS = 36000

_Kind = TypeVar("_Kind", bound=enum.IntEnum)


def member(kinds: type[_Kind], value: int, offset: int) -> _Kind:
    """The enumeration's member; DecodeError for a reserved value."""
    try:
        return kinds(value)
    except ValueError:
        raise DecodeError(f"{kinds.__name__} {value} is reserved", offset=offset) from None


def text(raw: bytes, offset: int) -> str:
    """Printable ASCII up to the first NUL; DecodeError for other bytes."""
    text = raw.split(b"\0")[0]
    if not all(0x20 <= byte < 0x7F for byte in text):
        raise DecodeError(f"identity {text!r} is not printable ASCII", offset=offset)
    return text.decode("ascii").strip()


def padded(text: str, size: int, field: str) -> bytes:
    """ASCII bytes, NUL-padded; InputError when they do not fit."""
    try:
        raw = text.encode("ascii")
    except UnicodeEncodeError:
        raise InputError(f"{field} {text!r} is not ASCII", field=field) from None
    if len(raw) > size:
        raise InputError(f"{field} {text!r} has more than {size} characters", field=field)
    return raw.ljust(size, b"\0")


def in_range(value: int, low: int, high: int, field: str) -> int:
    """The value; InputError outside [low, high]."""
    if not low <= value <= high:
        raise InputError(f"{field} {value} outside [{low}, {high}]", field=field)
    return value


def position(lat_e7: int, lon_e7: int, offset: int) -> tuple[float | None, float | None]:
    """Degrees; None, None for 0/0; DecodeError off the globe."""
    if lat_e7 == 0 and lon_e7 == 0:
        return None, None
    if abs(lat_e7) > 900_000_000:
        raise DecodeError(f"latitude {lat_e7 / 1e7} outside [-90, 90]", offset=offset)
    if abs(lon_e7) > 1_800_000_000:
        raise DecodeError(f"longitude {lon_e7 / 1e7} outside [-180, 180]", offset=offset + 4)
    return lat_e7 / 1e7, lon_e7 / 1e7


def position_bytes(lat_deg: float | None, lon_deg: float | None) -> tuple[int, int]:
    """1e-7 degrees; 0, 0 for an unknown position; InputError off the globe."""
    if lat_deg is None or lon_deg is None:
        return 0, 0
    if not (-90.0 <= lat_deg <= 90.0 and -180.0 <= lon_deg <= 180.0):
        raise InputError(f"position {lat_deg}, {lon_deg} is not on the globe", field="lat_deg")
    return round(lat_deg * 1e7), round(lon_deg * 1e7)


def direction(value: int, segment: int) -> float | None:
    """Degrees clockwise from true north; None when unknown; DecodeError beyond 359."""
    degrees = value + 180 * segment
    if degrees == _DIRECTION_UNKNOWN_DEG:
        return None
    if value > 179:
        raise DecodeError(f"track direction {degrees} outside [0, 359]", offset=2)
    return float(degrees)


def direction_bytes(direction_deg: float | None) -> tuple[int, int]:
    """Segment bit and value."""
    if direction_deg is None:
        return 1, _DIRECTION_UNKNOWN_DEG - 180
    if not 0.0 <= direction_deg <= 360.0:
        raise InputError(f"direction_deg {direction_deg} outside [0, 360]", field="direction_deg")
    return divmod(round(direction_deg) % 360, 180)


def speed(value: int, multiplier: int) -> float | None:
    """Metres per second; None when unknown."""
    if (value, multiplier) == _SPEED_UNKNOWN:
        return None
    return value * 0.75 + 63.75 if multiplier else value * 0.25


def speed_bytes(speed_mps: float | None) -> tuple[int, int]:
    """Multiplier and value; speeds from 254.25 m/s on are sent as 254.25."""
    if speed_mps is None:
        return 1, 255
    if not speed_mps >= 0.0:
        raise InputError(f"speed_mps {speed_mps} is negative", field="speed_mps")
    if speed_mps <= 63.75:
        return 0, round(speed_mps / 0.25)
    return 1, min(round((speed_mps - 63.75) / 0.75), 254)


def vertical_speed(value: int) -> float | None:
    """Metres per second, up; None when unknown; DecodeError beyond 62."""
    if value == _VERTICAL_UNKNOWN:
        return None
    if abs(value) > _MAX_VERTICAL:
        raise DecodeError(f"vertical speed {value * 0.5} outside [-62, 62]", offset=4)
    return value * 0.5


def vertical_byte(vertical_speed_mps: float | None) -> int:
    """Climb rates beyond 62 m/s are sent as 62 (F3411-22a, table 8)."""
    if vertical_speed_mps is None:
        return _VERTICAL_UNKNOWN
    if vertical_speed_mps != vertical_speed_mps:
        raise InputError("vertical_speed_mps is not a number", field="vertical_speed_mps")
    return round(max(-62.0, min(62.0, vertical_speed_mps)) / 0.5)


def altitude(word: int) -> float | None:
    """Metres; None when unknown."""
    return None if word == 0 else word * 0.5 - 1000.0


def altitude_word(alt_m: float | None, field: str) -> int:
    """Half metres from -1000 m; 0 when unknown; InputError outside the range."""
    if alt_m is None:
        return 0
    if not -999.75 <= alt_m <= 31767.5:
        raise InputError(f"{field} {alt_m} outside [-999.5, 31767.5]", field=field)
    return round((alt_m + 1000.0) / 0.5)


def second_of_hour(tenths: int) -> float | None:
    """Seconds since the full hour; None when unknown; DecodeError beyond it."""
    if tenths == _TIME_UNKNOWN:
        return None
    if tenths > _MAX_TENTHS:
        raise DecodeError(f"time {tenths / 10.0} s after the hour", offset=21)
    return tenths / 10.0


def tenths(second_of_hour_s: float | None) -> int:
    """Tenths of a second since the full hour; InputError outside it."""
    if second_of_hour_s is None:
        return _TIME_UNKNOWN
    if not 0.0 <= second_of_hour_s <= 3600.0:
        raise InputError(f"second_of_hour_s {second_of_hour_s} outside [0, 3600]")
    return round(second_of_hour_s * 10.0)


def code(bounds: Sequence[float | None], accuracy: float | None) -> int:
    """The tightest class that still holds the accuracy; 0 is unknown."""
    if accuracy is None:
        return 0
    fitting = [code for code, bound in enumerate(bounds) if bound is not None and accuracy <= bound]
    return max(fitting, default=0)


def since_2019(seconds: int) -> datetime | None:
    """The instant; None for 0, which means unknown."""
    return None if seconds == 0 else EPOCH_2019 + timedelta(seconds=seconds)


def seconds_2019(at: datetime | None) -> int:
    """Seconds since 2019; 0 when unknown; InputError outside 32 bits."""
    if at is None:
        return 0
    return in_range(round((at - EPOCH_2019).total_seconds()), 0, 0xFFFFFFFF, "at")
