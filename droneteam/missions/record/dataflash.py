"""ArduPilot's onboard log (DataFlash .BIN), read; pure.

A log describes itself.  Each message is ``A3 95 type`` and its packed fields; type 128 (FMT)
names another type's length, name, field types and labels::

    b B h H i I q Q   integers of 8, 16, 32, 64 bits        f d   IEEE floats
    c C e E           16 and 32 bit integers times 100      L     degrees times 1e7
    M                 flight mode                           n N Z text of 4, 16, 64 bytes
    a                 32 integers of 16 bits

A log may be cut anywhere and damaged inside: what forms no message is counted and left out.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

_HEAD = b"\xa3\x95"
_FMT = 128
_FMT_BODY = struct.Struct("<BB4s16s64s")
_CODES = {
    "b": "b", "B": "B", "h": "h", "H": "H", "i": "i", "I": "I", "q": "q", "Q": "Q",
    "f": "f", "d": "d", "c": "h", "C": "H", "e": "i", "E": "I", "L": "i", "M": "B",
    "n": "4s", "N": "16s", "Z": "64s", "a": "64s",
}  # fmt: skip
_SCALE = {"c": 0.01, "C": 0.01, "e": 0.01, "E": 0.01, "L": 1e-7}
GPS_EPOCH = datetime(1980, 1, 6, tzinfo=UTC)
LEAP_S = 18.0
"""GPS time minus UTC since 2017-01-01 (IERS Bulletin C 52)."""
_WEEK_S = 604_800.0
_MS = 0.001
_LATE_S = 0.2
"""A GPS message is written up to one interval of the receiver after the time that it holds."""


@dataclass(frozen=True, slots=True)
class Row:
    """One message: its name and its fields by label, in the units of the labels."""

    name: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    length: int
    body: struct.Struct
    labels: tuple[str, ...]
    readers: tuple[Callable[[Any], Any] | None, ...]


@dataclass(slots=True)
class DataFlashReader:
    """Reads a log's messages; afterwards says what it had to leave out.

    skipped_bytes : bytes inside that form no message; cut_bytes : of an incomplete one at the
    end.
    """

    data: bytes
    skipped_bytes: int = 0
    cut_bytes: int = 0
    _kinds: dict[int, _Kind] = field(default_factory=dict)

    def rows(self, names: frozenset[str] | None = None) -> Iterator[Row]:
        """Every whole message of those names (None: all), in order."""
        data, size, at = self.data, len(self.data), 0
        while at + 3 <= size:
            length = self._length(at)
            if length is None:
                following = data.find(_HEAD, at + 1)
                if following < 0:
                    break
                self.skipped_bytes += following - at
                at = following
                continue
            if at + length > size:
                break
            row = self._row(at, names)
            if row is not None:
                yield row
            at += length
        self.cut_bytes = size - at

    def _length(self, at: int) -> int | None:
        if self.data[at : at + 2] != _HEAD:
            return None
        number = self.data[at + 2]
        if number == _FMT:
            return 3 + _FMT_BODY.size
        kind = self._kinds.get(number)
        return None if kind is None else kind.length

    def _row(self, at: int, names: frozenset[str] | None) -> Row | None:
        number = self.data[at + 2]
        if number == _FMT:
            self._learn(at + 3)
            return None
        kind = self._kinds[number]
        if names is not None and kind.name not in names:
            return None
        values = kind.body.unpack_from(self.data, at + 3)
        read = (
            value if reader is None else reader(value)
            for value, reader in zip(values, kind.readers, strict=True)
        )
        return Row(kind.name, dict(zip(kind.labels, read, strict=True)))

    def _learn(self, at: int) -> None:
        number, length, name, types, labels = _FMT_BODY.unpack_from(self.data, at)
        codes, columns = _text(types), tuple(_text(labels).split(","))
        if any(code not in _CODES for code in codes) or len(columns) != len(codes):
            return  # a damaged or newer description: its messages are skipped
        body = struct.Struct("<" + "".join(_CODES[code] for code in codes))
        if body.size + 3 == length:
            readers = tuple(_reader(code) for code in codes)
            self._kinds[number] = _Kind(_text(name), length, body, columns, readers)


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("ascii", "replace")


def _reader(code: str) -> Callable[[Any], Any] | None:
    if code in "nNZ":
        return _text
    if code == "a":
        return lambda raw: struct.unpack("<32h", raw)
    if code in _SCALE:
        factor = _SCALE[code]
        return lambda value: value * factor
    return None


@dataclass(frozen=True, slots=True)
class LogTime:
    """How a log's own clock stands to the calendar.

    zero_at : UTC at which the vehicle's clock was zero; uncertainty_s : half the spread of all
    statements of the receiver about it, plus its own resolution and lateness.
    """

    zero_at: datetime
    uncertainty_s: float

    def at(self, time_us: float) -> datetime:
        """UTC of a message's TimeUS."""
        return self.zero_at + timedelta(microseconds=time_us)


@dataclass(frozen=True, slots=True)
class LoggedPhoto:
    """A CAM message: a photo as the vehicle logged it; angles are the airframe's."""

    index: int
    at: datetime
    lat_deg: float
    lon_deg: float
    alt_amsl_m: float
    alt_home_m: float
    roll_deg: float
    pitch_deg: float
    yaw_deg: float


@dataclass(frozen=True, slots=True)
class OnboardLog:
    """What an onboard log says about a sortie.

    time : None where the vehicle never knew the date; first_us, last_us : its clock at both
    ends; photos : in order; texts : (TimeUS, text); rows : messages read; note : what was left
    out, empty for a whole log.
    """

    time: LogTime | None
    first_us: int
    last_us: int
    photos: tuple[LoggedPhoto, ...]
    texts: tuple[tuple[int, str], ...]
    rows: int
    note: str

    @property
    def began_at(self) -> datetime | None:
        """Calendar time of the first message."""
        return None if self.time is None else self.time.at(self.first_us)

    @property
    def ended_at(self) -> datetime | None:
        """Calendar time of the last message."""
        return None if self.time is None else self.time.at(self.last_us)


def read_onboard_log(data: bytes) -> OnboardLog:
    """The story in a log's bytes; empty for bytes that are none."""
    reader = DataFlashReader(data)
    stamps: list[int] = []
    gps: list[tuple[int, datetime]] = []
    photos: list[LoggedPhoto] = []
    texts: list[tuple[int, str]] = []
    rows = 0
    for row in reader.rows():
        rows += 1
        time_us = row.fields.get("TimeUS")
        if isinstance(time_us, int) and row.name not in ("UNIT", "MULT", "FMTU"):
            stamps.append(time_us)
        match row.name:
            case "GPS" if row.fields["Status"] >= 3 and row.fields["GWk"] > 0:
                gps.append((row.fields["TimeUS"], _gps_time(row.fields["GWk"], row.fields["GMS"])))
            case "CAM" if row.fields["GPSWeek"] > 0:
                photos.append(_photo(row.fields))
            case "MSG":
                texts.append((row.fields["TimeUS"], row.fields["Message"]))
    return OnboardLog(
        time=_log_time(gps),
        first_us=min(stamps, default=0),
        last_us=max(stamps, default=0),
        photos=tuple(photos),
        texts=tuple(texts),
        rows=rows,
        note=_left_out(reader),
    )


def _gps_time(week: int, week_ms: float) -> datetime:
    return GPS_EPOCH + timedelta(seconds=week * _WEEK_S + week_ms * _MS - LEAP_S)


def _log_time(gps: list[tuple[int, datetime]]) -> LogTime | None:
    if not gps:
        return None
    first = gps[0][1]
    zero_s = np.array([(at - first).total_seconds() - time_us * 1e-6 for time_us, at in gps])
    middle_s = float(np.median(zero_s))
    spread_s = float(np.max(np.abs(zero_s - middle_s)))
    return LogTime(first + timedelta(seconds=middle_s), round(spread_s + _MS + _LATE_S, 4))


def _photo(fields: dict[str, Any]) -> LoggedPhoto:
    return LoggedPhoto(
        index=fields["Img"],
        at=_gps_time(fields["GPSWeek"], fields["GPSTime"]),
        lat_deg=fields["Lat"],
        lon_deg=fields["Lng"],
        alt_amsl_m=fields["Alt"],
        alt_home_m=fields["RelAlt"],
        roll_deg=fields["R"],
        pitch_deg=fields["P"],
        yaw_deg=fields["Y"] % 360.0,
    )


def _left_out(reader: DataFlashReader) -> str:
    notes = []
    if reader.cut_bytes:
        notes.append(f"cut in mid-message: the last {reader.cut_bytes} bytes are left out")
    if reader.skipped_bytes:
        notes.append(f"{reader.skipped_bytes} damaged bytes are left out")
    return "; ".join(notes)
