"""An onboard log on its way to the disk: written as it comes, resumable, hashed when whole.

While it is incomplete it lies in ``NAME.part``, and ``NAME.part.json`` says which log it is and
which bytes are there.  Bytes are handed to the operating system before the note says so, so that
a killed process loses time but never believes in bytes that are not there.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from droneteam.missions.mavlink.ftp import vehicle_crc32
from droneteam.missions.mavlink.handshake import Failed
from droneteam.missions.mavlink.logs import Pieces
from droneteam.missions.mavlink.retrieval import ChosenLog, Known, Retrieved
from droneteam.missions.mavlink.spans import Spans

SAVE_S = 0.5
"""Time between two notes: what a killed process fetches again at most."""


@dataclass(frozen=True, slots=True)
class StoredLog:
    """A whole onboard log on disk and where it came from.

    listed_bytes : the size that the vehicle's list told; checked : whether the vehicle's own
    checksum was compared.
    """

    path: Path
    sha256: str
    size_bytes: int
    source: str
    name: str
    checked: bool
    listed_bytes: int = 0


class PartFile:
    """The log of one sortie while it comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._note = path.with_name(path.name + ".part.json")
        self._fd: int | None = None
        self._log: ChosenLog | None = None
        self._saved_at_s = float("-inf")

    @property
    def known(self) -> Known | None:
        """What an earlier process left here; None where nothing can be relied on."""
        try:
            document = json.loads(self._note.read_text())
            log, have = _from_note(document)
            size = self._part.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return None  # nothing yet, or a note that was being written: fetch it all
        return Known(log, have) if not have or have[-1][1] <= size else None

    def write(self, log: ChosenLog, pieces: Pieces, have: Spans, now_s: float) -> None:
        """Store pieces of a log; another log than before replaces what was there."""
        if self._fd is None or self._log != log:
            self._begin(log)
        assert self._fd is not None
        for piece in pieces:
            os.pwrite(self._fd, piece.data, piece.offset)
        if now_s - self._saved_at_s >= SAVE_S:
            self._saved_at_s = now_s
            self.save(have)

    def _begin(self, log: ChosenLog) -> None:
        self.close()
        before = self.known
        flags = os.O_RDWR | os.O_CREAT
        if before is None or not before.of(log):
            flags |= os.O_TRUNC
        self._fd = os.open(self._part, flags, 0o640)
        self._log = log

    def save(self, have: Spans) -> None:
        """Note which bytes are there."""
        assert self._log is not None
        document = {"log": asdict(self._log), "have": have}
        if self._log.began_at is not None:
            document["log"]["began_at"] = self._log.began_at.isoformat()  # type: ignore[index]
        fresh = self._note.with_name(self._note.name + ".new")
        fresh.write_text(json.dumps(document))
        fresh.replace(self._note)

    def finish(self, got: Retrieved) -> StoredLog | Failed:
        """The whole log under its own name, outliving a power cut; or why it is not whole."""
        self.write(got.log, (), (), float("-inf"))
        assert self._fd is not None
        os.ftruncate(self._fd, got.size_bytes)
        os.fsync(self._fd)
        self.close()
        sha256, crc = _digests(self._part)
        if got.crc32 is not None and crc != got.crc32:
            self._note.unlink(missing_ok=True)
            detail = f"the vehicle's checksum is {got.crc32:08x}, the file's {crc:08x}"
            return Failed("log-checksum", detail)
        self._part.replace(self.path)
        self._note.unlink(missing_ok=True)
        return StoredLog(
            path=self.path,
            sha256=sha256,
            size_bytes=got.size_bytes,
            source=got.log.source,
            name=got.log.name,
            checked=got.crc32 is not None,
            listed_bytes=got.log.size_bytes,
        )

    def close(self) -> None:
        """Close the file; what is noted stays."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _digests(path: Path) -> tuple[str, int]:
    sha256, crc = hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
            crc = vehicle_crc32(block, crc)
    return sha256.hexdigest(), crc


def _from_note(document: dict[str, Any]) -> tuple[ChosenLog, Spans]:
    fields = document["log"]
    if fields["began_at"] is not None:
        fields = {**fields, "began_at": datetime.fromisoformat(fields["began_at"])}
    return ChosenLog(**fields), tuple((int(low), int(high)) for low, high in document["have"])
