"""A scene's folder: one writer at a time, files that are whole or absent, clear disk errors.

scene.json cameras.json   what the scene is; rewritten after every stage
products/                 the files for people, linked from the export stage
stages/<stage>-<key>/     one finished stage: its outputs and manifest.json
stages/.<stage>-<key>/    one that was interrupted; thrown away or resumed by the next run
.lock                     held by the process that builds
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from droneteam.errors import Conflict, DroneteamError, InputError, SceneError

LOCK_NAME = ".lock"
KEY_LENGTH = 16
NEARLY_FULL_BYTES = 32 << 20
"""Libraries hide "no space left" behind errors of their own; with less free, that was it."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DATABASE_REFUSED = "SQLite error: disk I/O error"
"""What COLMAP says where the system lets its database grow no more, and no disk is full."""
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


_LESS_MEMORY = "Close other programs, use --threads 1 or --preset preview"
_OPENCV_NO_MEMORY = -4
"""OpenCV's code for a failed allocation (cv::Error::StsNoMem)."""


@contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """The folder, made when missing, held for this process alone.

    The lock is the kernel's and ends with the process, however that ends.

    Raises
    ------
    Conflict
        Another process builds here; says which.
    InputError
        The folder cannot be made or written.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(workdir / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InputError(
            f"cannot write in {workdir} ({error.strerror}); choose another output folder with -o, "
            "or give your user permission to write there",
            field="workdir",
        ) from error
    with os.fdopen(descriptor, "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise Conflict(
                f"process {holder} is building in {workdir}; wait for it to end, or choose "
                "another output folder"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def clear_errors(stage: str, workdir: Path) -> Iterator[None]:
    """A block whose failures for want of disk, memory or permission become words.

    Raises
    ------
    SceneError
        What ran out, and what to do; everything else passes through unchanged.
    """
    try:
        yield
    except DroneteamError:
        raise
    except BrokenExecutor as error:
        raise SceneError(
            stage,
            "the system ended a worker process, most often for want of memory",
            help=f"{_LESS_MEMORY}; what was finished is kept",
        ) from error
    except Exception as error:  # every library has a tree of its own; what is not known goes on
        number = error.errno if isinstance(error, OSError) else None
        if _out_of_memory(error):
            raise SceneError(
                stage, "not enough memory", help=f"{_LESS_MEMORY}; finished stages are kept"
            ) from error
        if number in _FULL or free_bytes(workdir) < NEARLY_FULL_BYTES:
            raise _disk_full(stage, workdir) from error
        if number == errno.EFBIG or _DATABASE_REFUSED in str(error):
            raise SceneError(
                stage,
                f"a file became larger than the disk of {workdir} or your account allows",
                help="FAT32 ends at 4 GB: choose a folder on another disk with -o",
            ) from error
        if number in _FORBIDDEN:
            raise SceneError(
                stage,
                f"may not write {getattr(error, 'filename', None) or workdir}",
                help="Give your user permission to write there, or choose another output folder",
            ) from error
        raise


def _out_of_memory(error: Exception) -> bool:
    """Whether a library's error says that memory, or room for one more thread, ran out."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    if isinstance(error, cv2.error):
        return getattr(error, "code", None) == _OPENCV_NO_MEMORY
    return isinstance(error, RuntimeError) and any(
        sign in str(error) for sign in ("bad_alloc", "bad allocation", "can't start new thread")
    )


def require_free(stage: str, workdir: Path, needed_bytes: int) -> None:
    """Nothing, when the disk has room for what the stage is going to write.

    Raises
    ------
    SceneError
        States what is needed and what is free.
    """
    free = free_bytes(workdir)
    if free < needed_bytes:
        raise SceneError(
            stage,
            f"needs about {needed_bytes / 1e9:.1f} GB of disk and {free / 1e9:.1f} GB are free "
            f"on the disk of {workdir}",
            help="Free some space and run the same command again; finished stages are kept",
        )


def free_bytes(workdir: Path) -> int:
    """Free space on the folder's disk."""
    return shutil.disk_usage(workdir).free


def write_json(path: Path, content: Any) -> None:
    """Store JSON so that the file is whole or the old one, at whatever moment the power fails.

    NaN and infinity are refused: JSON has none, and browsers cannot read them.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Store text atomically, see `write_json`."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(path.parent)


def publish(part: Path, final: Path) -> None:
    """Give a finished folder its name: its files and then the name reach the disk."""
    for path in part.rglob("*"):
        if path.is_file():
            _sync(path)
    if final.exists():
        shutil.rmtree(final)
    part.rename(final)
    sync_folder(final.parent)


def link_tree(source: Path, target: Path) -> None:
    """Make `target` hold the same files as `source`, as hard links (copies on other disks).

    An interrupted call leaves the old or the new folder, or none; the next call heals it.
    """
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            destination = part / path.relative_to(source)
            destination.parent.mkdir(parents=True, exist_ok=True)
            _link(path, destination)
    part.mkdir(parents=True, exist_ok=True)
    if target.exists():
        shutil.rmtree(target)
    part.rename(target)


def sync_folder(folder: Path) -> None:
    """Make the folder's names durable."""
    _sync(folder)


def _link(source: Path, destination: Path) -> None:
    try:
        os.link(source, destination)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, destination)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _disk_full(stage: str, workdir: Path) -> SceneError:
    return SceneError(
        stage,
        f"the disk of {workdir} is full",
        help="Free some space and run the same command again; finished stages are kept",
    )
