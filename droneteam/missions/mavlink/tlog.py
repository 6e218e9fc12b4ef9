"""Telemetry logs: every packet in both directions, as ground stations write and read them.

A record is the time as microseconds since 1970, eight bytes big-endian, then the packet.  The
packet's system id tells who sent it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from droneteam.missions.mavlink.framing import Frame, read_frame

FLUSH_S = 0.05
"""Longest time a packet stays in this process: a killed controller loses no more."""
_TIME = struct.Struct(">Q")
_LATEST_US = 4_102_444_800_000_000  # 2100-01-01: a larger time stamp is not one


class TlogWriter:
    """Appends packets to a log; never rewrites what is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("ab", buffering=1 << 16)
        self._flushed_at_s = 0.0
        self.packets = 0

    def write(self, raw: bytes, unix_us: int) -> None:
        """Append one packet."""
        self._file.write(_TIME.pack(unix_us) + raw)
        self.packets += 1

    def flush_if_due(self, now_s: float) -> None:
        """Hand what is written to the operating system, at most every FLUSH_S."""
        if now_s - self._flushed_at_s >= FLUSH_S:
            self._file.flush()
            self._flushed_at_s = now_s

    def close(self) -> None:
        """Flush and close."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Record:
    """One packet of a log and when it was received or sent."""

    at: datetime
    frame: Frame


@dataclass(slots=True)
class TlogReader:
    """Reads a log's records; afterwards says what it had to leave out.

    skipped_bytes : bytes inside the log that form no record;
    cut_bytes : bytes of an incomplete record at its end.
    """

    data: bytes
    skipped_bytes: int = 0
    cut_bytes: int = 0

    def records(self) -> Iterator[Record]:
        """Every whole record, in order."""
        at = 0
        size = len(self.data)
        while at < size:
            record = self._record(at)
            if record is not None:
                yield record
                at += _TIME.size + len(record.frame.raw)
                continue
            following = self._resynchronised(at + 1)
            if following is None:
                self.cut_bytes = size - at
                return
            self.skipped_bytes += following - at
            at = following

    def _record(self, at: int) -> Record | None:
        if at + _TIME.size >= len(self.data):
            return None
        (unix_us,) = _TIME.unpack_from(self.data, at)
        frame = read_frame(self.data, at + _TIME.size) if unix_us < _LATEST_US else None
        if frame is None:
            return None
        return Record(datetime.fromtimestamp(unix_us / 1e6, UTC), frame)

    def _resynchronised(self, at: int) -> int | None:
        """The next offset at which a whole record starts."""
        for start in range(at, len(self.data) - _TIME.size):
            if self.data[start + _TIME.size] in (0xFD, 0xFE) and self._record(start) is not None:
                return start
        return None
