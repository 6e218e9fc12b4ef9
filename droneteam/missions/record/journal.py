"""The journal of a sortie: what we were about to do, written before we do it.

One JSON object per line, handed to the operating system at once, so that a controller killed in
mid-flight knows on restart how far it had gone.  A last line that was cut is left out.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from droneteam.errors import Conflict

ARMING = "arming"
"""The kind of intent after which a sortie is never armed again without a new approval."""

CONTROLLER = "controller"
"""How `Entry.by` begins for what the controller decided by itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an intent (about to be sent) or a note (what was seen or decided).

    by : who asked for it: a person, or the controller for the person who began the flight; empty
    for what was only seen.
    """

    at: datetime
    kind: str
    detail: str
    by: str = ""

    @property
    def said(self) -> str:
        """The detail, with the person who asked for it."""
        asked = self.by and not self.by.startswith(CONTROLLER)
        return f"{self.detail} (asked by {self.by})" if asked else self.detail


class Journal:
    """Appends entries to a file that one process at a time may hold.

    A second controller of the same sortie would arm, upload and obey its pilot beside the first.

    Raises
    ------
    Conflict
        Another process holds the journal; a killed one does not hold it any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._fd)
            raise Conflict(
                f"another controller is flying this sortie: it holds {path.name}; "
                "ask it through the flight's page, or end it first"
            ) from error
        self._end_last_line()

    def _end_last_line(self) -> None:
        """A line that was cut by a power failure must not swallow the next one."""
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")

    def write(self, entry: Entry, *, durable: bool = False) -> None:
        """Append; with ``durable`` only return when it would outlive a power cut."""
        line = {"at": entry.at.isoformat(), "kind": entry.kind, "detail": entry.detail}
        if entry.by:
            line["by"] = entry.by
        os.write(self._fd, (json.dumps(line, ensure_ascii=False) + "\n").encode())
        if durable:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read_journal(path: Path) -> list[Entry]:
    """Every whole entry of a journal; empty when there is none."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_bytes().split(b"\n"):
        try:
            fields = json.loads(line)
            at = datetime.fromisoformat(fields["at"]).astimezone(UTC)
            entries.append(Entry(at, fields["kind"], fields["detail"], fields.get("by", "")))
        except (ValueError, KeyError, TypeError):
            continue  # the line that was being written when the power went
    return entries


def was_arming(path: Path) -> bool:
    """Whether the sortie of that journal had come to the point of arming."""
    return any(entry.kind == ARMING for entry in read_journal(path))
