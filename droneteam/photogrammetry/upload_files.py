"""Files on their way in: chunks appended in order, then hash and content checked; no database.

A part file is named by its upload's number and holds exactly what was received: its size is where
a broken upload goes on, whatever any row says.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from droneteam.errors import Conflict, DecodeError, InputError, SceneError
from droneteam.photogrammetry.ingest import imagefile
from droneteam.photogrammetry.ingest.photos import file_sha256

CHUNK_BYTES = 4 << 20
"""What a browser sends at once: a second on a slow line, and lost by a break at most."""
MAX_FILE_BYTES = 1_000_000_000
"""A 16-bit TIFF of the largest survey camera."""
SPARE_BYTES = 500_000_000
"""Kept free: a full disk would stop the database and every other build as well."""
MAX_NAME_BYTES = 150
"""File systems take 255, of which names of pictures cut from the photo need some."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ODD = re.compile(r"[^\w.\- ()]+")


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a sender announces: the file's name, size and SHA-256 (lower-case hexadecimal)."""

    name: str
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        suffix = Path(self.name).suffix.lower()
        if suffix in imagefile.RAW_SUFFIXES:
            raise InputError(
                f"{self.name} is a raw photo; send its JPEG, or develop it first", field="name"
            )
        if suffix not in imagefile.SUFFIXES or len(self.name) > 255:
            raise InputError(
                f"{self.name!r} is not named like a photo (.jpg, .png, .tif)", field="name"
            )
        if not 0 < self.size_bytes <= MAX_FILE_BYTES:
            raise InputError(
                f"a photo has 1 to {MAX_FILE_BYTES} bytes, not {self.size_bytes}",
                field="size_bytes",
            )
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise InputError("sha256 takes 64 hexadecimal digits", field="sha256")


def safe_name(name: str) -> str:
    """The file's own name without folders and odd characters; never hidden, never too long."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    plain = _ODD.sub("_", base).strip(" .") or "photo.jpg"
    stem, dot, suffix = plain.rpartition(".")
    room = MAX_NAME_BYTES - len(f"{dot}{suffix}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}{dot}{suffix}"


def received(part: Path) -> int:
    """How many bytes of a file are here."""
    return part.stat().st_size if part.exists() else 0


def require_room(folder: Path, needed_bytes: int) -> None:
    """Nothing, when the disk has room for a file and a reserve.

    Raises
    ------
    SceneError
        States what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + SPARE_BYTES:
        usable = max(0, free - SPARE_BYTES)
        raise _disk_full(
            f"has no room: {needed_bytes / 1e6:.0f} MB are to come and {usable / 1e6:.0f} MB can "
            "be taken"
        )


def append(part: Path, offset: int, chunk: bytes, total_bytes: int) -> int:
    """How many bytes are there once the chunk is on the disk.

    A chunk that is there already (its answer was lost) changes nothing.

    Raises
    ------
    Conflict
        The chunk does not begin where the file ends; says where it ends.
    InputError
        The file would become longer than was announced.
    SceneError
        The disk is full; what was received stays.
    """
    if offset + len(chunk) > total_bytes:
        raise InputError(
            f"byte {offset + len(chunk)} is beyond the announced {total_bytes}", field="offset"
        )
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            size = os.fstat(file.fileno()).st_size
            if offset + len(chunk) <= size:
                return size
            if offset != size:
                raise Conflict(f"{size} bytes are here; go on from there, not from {offset}")
            file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
            return size + len(chunk)
    except OSError as error:
        if error.errno in _FULL:
            raise _disk_full("is full") from error
        raise


def check(part: Path, announced: NewUpload) -> None:
    """Nothing, when a whole file is what was announced and is a photo by its content.

    Raises
    ------
    InputError
        Its hash is another one: it changed on the way or while it was read.
    DecodeError
        It is no JPEG, PNG or TIFF, or claims more pixels than any camera takes.
    """
    digest = file_sha256(part)
    if digest != announced.sha256:
        raise InputError(
            f"{announced.name} arrived with another SHA-256 ({digest[:12]}… instead of "
            f"{announced.sha256[:12]}…); send it again",
            field="sha256",
        )
    try:
        imagefile.read_header(part)
    except DecodeError as error:  # the sender knows the photo by its own name
        raise DecodeError(str(error).replace(part.name, announced.name)) from error


def publish(part: Path, folder: Path, name: str) -> Path:
    """The file under its name in the folder; a name that is taken gets a number."""
    folder.mkdir(parents=True, exist_ok=True)
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in range(1, 100_000):
        target = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        try:
            os.link(part, target)  # fails where the name is taken, unlike a rename
        except FileExistsError:
            continue
        part.unlink()
        return target
    raise Conflict(f"too many files are named {name}")


def _disk_full(what: str) -> SceneError:
    return SceneError(
        "upload",
        f"the server's disk {what}",
        help="Tell the administrator; what was received is kept and the upload can go on later",
    )
