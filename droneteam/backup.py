"""Backups: snapshots of the database and the data folder that can be checked and brought back.

A snapshot is a folder of plain files with a manifest of their hashes.  The database is copied
first, consistent within itself; files are only ever added, so every file that it names is in the
snapshot.  A file that has not changed since the snapshot before is a hard link to it: a daily
snapshot costs what the day has added.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from droneteam import audit, db, dbcopy, schema
from droneteam.accounts import SYSTEM
from droneteam.errors import Conflict, DecodeError, InputError, SetupError
from droneteam.settings import Settings

logger = logging.getLogger(__name__)

ACTION = "backup.make"
MANIFEST = "manifest.json"
FILES = "files"
PRIVATE = ("keys", "secret")
"""Left out unless asked for: who holds these can sign as this installation."""
PASSING = ("cache", "processes", "uploads")
"""Made again, or given again, when they are missing."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file of a snapshot; path is relative to the data folder, with slashes."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot holds.

    database : the copy's file name; revision : the schema's; left_out : entries of the data
    folder that are not in it.
    """

    made_at: datetime
    database: str
    database_sha256: str
    revision: str
    files: tuple[KeptFile, ...]
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all its files, shared ones too."""
        return sum(file.size for file in self.files)


def make_snapshot(
    settings: Settings, engine: Engine, folder: Path, now: datetime, *, private: bool = False
) -> Path:
    """The new snapshot's folder below `folder`, named after its time in UTC.

    private : with the signing key and the secret, for a folder that is kept as safe as they are.

    Raises
    ------
    SetupError
        The folder cannot be written or is full, lies within the data folder, or the database's
        tools are missing; nothing half-made is left.
    Conflict
        There is a snapshot of this second already.
    """
    folder = folder.resolve()
    if folder.is_relative_to(settings.data_dir):
        raise SetupError(f"{folder} lies in the data folder; a backup belongs elsewhere")
    schema.require_current(engine)
    target = folder / f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    if target.exists():
        raise Conflict(f"{target} is there already")
    before = list_snapshots(folder)
    with _half_made(target) as partial:
        copy = dbcopy.copy_database(engine, partial)
        snapshot = Snapshot(
            made_at=now.astimezone(UTC),
            database=copy.name,
            database_sha256=_sha256(copy),
            revision=schema.newest_revision(),
            files=tuple(_keep_files(settings, partial, before[-1] if before else None, private)),
            left_out=PASSING if private else (*PASSING, *PRIVATE),
        )
        _write_manifest(partial / MANIFEST, snapshot)
    with db.session_scope(engine) as session:
        facts = {"files": len(snapshot.files), "bytes": snapshot.size, "folder": str(folder)}
        audit.append(
            session, SYSTEM, action=ACTION, subject=f"backup:{target.name}", at=now, facts=facts
        )
    return target


@contextmanager
def _half_made(target: Path) -> Iterator[Path]:
    """A folder that takes the target's name when all is in it, and goes when it is not."""
    partial = target.with_name(f".{target.name}.partial")
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise SetupError(f"no backup in {target.parent}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _keep_files(
    settings: Settings, partial: Path, previous: Path | None, private: bool
) -> Iterator[KeptFile]:
    """Every file of the data folder, copied, or linked to the previous snapshot's."""
    known = {} if previous is None else {one.path: one for one in read_snapshot(previous).files}
    for path in _sources(settings, private):
        name = path.relative_to(settings.data_dir).as_posix()
        kept = partial / FILES / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            status = path.stat()
            old = known.get(name)
            if (
                old
                and previous
                and (old.size, old.mtime_ns) == (status.st_size, status.st_mtime_ns)
            ):
                os.link(previous / FILES / name, kept)
                yield old
            else:
                digest, size = _copy(path, kept)
                os.utime(kept, ns=(status.st_mtime_ns, status.st_mtime_ns))
                yield KeptFile(name, size, status.st_mtime_ns, digest)
        except FileNotFoundError:
            logger.warning("%s went while the backup was made; it is not in it", path)


def _sources(settings: Settings, private: bool) -> Iterator[Path]:
    """The data folder's files in the order of their names; unfinished and passing ones not."""
    database = _database_file(settings)
    left_out = PASSING if private else (*PASSING, *PRIVATE)
    for path in sorted(settings.data_dir.rglob("*")):
        parts = path.relative_to(settings.data_dir).parts
        if parts[0] in left_out or any(part.startswith(".") for part in parts):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        if (
            database is None
            or not path.name.startswith(database.name)
            or path.parent != database.parent
        ):
            yield path


def _database_file(settings: Settings) -> Path | None:
    """The embedded database's file; None for a server's."""
    url = make_url(settings.database_url)
    return (
        Path(url.database).resolve()
        if url.get_backend_name() == "sqlite" and url.database
        else None
    )


def list_snapshots(folder: Path) -> list[Path]:
    """The finished snapshots in the folder, the oldest first."""
    return sorted(path.parent for path in folder.glob(f"[0-9]*Z/{MANIFEST}"))


def prune(folder: Path, keep: int) -> list[Path]:
    """The snapshots that were removed: all but the newest `keep`; what is linked stays linked."""
    if keep < 1:
        raise InputError("keep at least one snapshot", field="keep")
    gone = list_snapshots(folder.resolve())[:-keep]
    for path in gone:
        shutil.rmtree(path)
    return gone


def read_snapshot(path: Path) -> Snapshot:
    """What the snapshot says of itself.

    Raises
    ------
    DecodeError
        It has no manifest, or none that can be read.
    """
    try:
        plain = json.loads((path / MANIFEST).read_text())
        files = tuple(KeptFile(**file) for file in plain.pop("files"))
        for file in files:
            if Path(file.path).is_absolute() or ".." in Path(file.path).parts:
                raise ValueError(f"{file.path!r} leads out of it")
        made_at = datetime.fromisoformat(plain.pop("made_at"))
        left_out = tuple(plain.pop("left_out"))
        return Snapshot(made_at=made_at, files=files, left_out=left_out, **plain)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DecodeError(f"{path} is no backup: {error}") from error


def check_snapshot(path: Path) -> list[str]:
    """What is wrong with the snapshot; empty when every byte is there and the chain is whole.

    Raises
    ------
    DecodeError
        It is no snapshot at all.
    """
    snapshot = read_snapshot(path)
    problems = []
    for file in snapshot.files:
        kept = path / FILES / file.path
        if not kept.is_file():
            problems.append(f"{file.path} is missing")
        elif _sha256(kept) != file.sha256:
            problems.append(f"{file.path} was changed")
    copy = path / snapshot.database
    if not copy.is_file():
        return [*problems, f"{snapshot.database} is missing"]
    if _sha256(copy) != snapshot.database_sha256:
        problems.append(f"{snapshot.database} was changed")
    return [*problems, *dbcopy.problems_of(copy)]


def restore_snapshot(path: Path, settings: Settings) -> Snapshot:
    """The snapshot that is now the installation's data folder and database.

    Raises
    ------
    Conflict
        The data folder or the database is not empty: nothing is ever written over.
    DecodeError
        The snapshot is damaged; says where.
    SetupError
        The folder cannot be written, or the database's tools are missing.
    """
    problems = check_snapshot(path)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise DecodeError(f"{path}: {problems[0]}{more}; nothing is restored")
    snapshot = read_snapshot(path)
    data_dir = settings.data_dir
    held = (
        [entry.name for entry in data_dir.iterdir() if entry.name not in PRIVATE]
        if data_dir.is_dir()
        else []
    )
    if held:
        raise Conflict(f"{data_dir} holds {sorted(held)[0]}; restore into an empty folder")
    try:
        for file in snapshot.files:
            target = data_dir / file.path
            if file.path.split("/")[0] in PRIVATE and target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(path / FILES / file.path, target)
            os.utime(target, ns=(file.mtime_ns, file.mtime_ns))
            if file.path.split("/")[0] in PRIVATE:
                target.chmod(0o600)
        dbcopy.restore_database(path / snapshot.database, settings.database_url)
    except OSError as error:
        raise SetupError(f"{data_dir}: {error.strerror or error}") from error
    return snapshot


def _copy(source: Path, target: Path) -> tuple[str, int]:
    """SHA-256 and length of what was copied, which is on the disk then."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("wb") as writing:
        while chunk := reading.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest(), size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(path: Path, snapshot: Snapshot) -> None:
    plain = {**asdict(snapshot), "made_at": snapshot.made_at.isoformat()}
    with path.open("w") as file:
        json.dump(plain, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """The folder's entries are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
