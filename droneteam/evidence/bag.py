"""Evidence bags on disk: write one, check one, pack one."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from droneteam.errors import Conflict, DecodeError, InputError
from droneteam.evidence import manifest

CHUNK_BYTES = 1 << 20
Progress = Callable[[float, str], None]
"""Told the part that is done, 0 to 1 by bytes, and the file that comes next."""
MAX_ZIP_BYTES = 200 << 30
REQUIRED_TAG_FILES = ("bagit.txt", "manifest-sha256.txt")
SIGNED_TAG_FILES = ("bag-info.txt", "statement.json", "signature.json", "tagmanifest-sha256.txt")


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """A payload file to be: its description and where its content lies now."""

    item: manifest.BagItem
    content: Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a bag; path is relative to the bag, "" for the whole."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class BagReport:
    """The result of checking a bag.

    signer : key_id of a signature that fits, or None.
    signer_known : whether it is the key that the caller trusts; None when none was given.
    tag_manifest_sha256 : of the file that names every other by its hash; None without one.
    """

    path: Path
    problems: tuple[Problem, ...]
    files_checked: int
    bytes_checked: int
    signer: str | None
    signer_known: bool | None
    tag_manifest_sha256: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing at all is wrong."""
        return not self.problems


def hash_file(path: Path) -> tuple[str, int]:
    """SHA-256 in hex and size in bytes."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def copy_hashed(source: Path, target: Path) -> tuple[str, int]:
    """SHA-256 and size of what was copied; the copy is on the disk when this returns."""
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
            size += len(chunk)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest(), size


def write_bag(
    folder: Path,
    statement: manifest.CaseStatement,
    files: Sequence[PayloadFile],
    key: Ed25519PrivateKey,
    exported_at: datetime,
    progress: Progress = lambda part, name: None,
) -> Path:
    """The bag's folder, complete; a failure leaves nothing under that name.

    progress : may raise to stop the work.

    Raises
    ------
    Conflict
        The folder exists, or a stored file is no longer what was accepted.
    """
    if folder.exists():
        raise Conflict(f"{folder.name} exists already; a bag is never overwritten")
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        done, total = 0, max(sum(file.item.size_bytes for file in files), 1)
        for file in files:
            progress(done / total, file.item.path)
            _copy_checked(file, staging / "data" / file.item.path)
            done += file.item.size_bytes
        _write_tags(staging, statement, key, exported_at)
        staging.chmod(0o755)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return folder


def _copy_checked(file: PayloadFile, target: Path) -> None:
    try:
        sha256, _ = copy_hashed(file.content, target)
    except FileNotFoundError:
        raise Conflict(
            f"{file.item.path}: the stored file is gone; restore it from a backup"
        ) from None
    if sha256 != file.item.sha256:
        raise Conflict(
            f"{file.item.path}: the stored file is no longer what was accepted "
            f"(SHA-256 {sha256[:12]}…, expected {file.item.sha256[:12]}…); restore it from a backup"
        )


def _write_tags(
    folder: Path,
    statement: manifest.CaseStatement,
    key: Ed25519PrivateKey,
    exported_at: datetime,
) -> None:
    (folder / "data").mkdir(exist_ok=True)
    payload = manifest.payload_manifest(statement.items)
    title, identifier = str(statement.case["title"]), str(statement.case["identifier"])
    info = manifest.bag_info(title, identifier, statement.items, exported_at)
    stated = manifest.statement_bytes(statement, payload, info)
    tags = {
        "bagit.txt": manifest.BAGIT_TXT,
        "bag-info.txt": info,
        "manifest-sha256.txt": payload,
        "statement.json": stated,
        "signature.json": manifest.signature_bytes(stated, key),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in tags.items()}
    tags["tagmanifest-sha256.txt"] = manifest.tag_manifest(hashes)
    for name, content in tags.items():
        (folder / name).write_bytes(content)


def zip_path(folder: Path) -> Path:
    """Where a bag lies as one .zip, once it was packed."""
    return folder.with_name(folder.name + ".zip")


def zip_bag(folder: Path, progress: Progress = lambda part, name: None) -> Path:
    """The bag as one .zip beside its folder; photos and rasters are compressed already.

    progress : may raise to stop the work; then, as after any failure, nothing is left.
    """
    target = zip_path(folder)
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}.part")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    done, total = 0, max(sum(path.stat().st_size for path in paths), 1)
    try:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for path in paths:
                inside = path.relative_to(folder)
                progress(done / total, inside.as_posix())
                archive.write(path, Path(folder.name) / inside)
                done += path.stat().st_size
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def packed_problems(folder: Path, progress: Progress = lambda part, name: None) -> list[Problem]:
    """Where a bag's .zip is not its folder, byte for byte; the .zip is what leaves the house."""
    archive_path = zip_path(folder)
    files = {
        path.relative_to(folder.parent).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    done, total = 0, max(sum(path.stat().st_size for path in files.values()), 1)
    wrong = []
    try:
        with zipfile.ZipFile(archive_path) as archive:
            names = archive.namelist()
            wrong = sorted(set(files) ^ set(names)) if len(set(names)) == len(names) else names
            for name in sorted(set(files) & set(names)):
                progress(done / total, name)
                with archive.open(name) as packed, files[name].open("rb") as loose:
                    if not _same(packed, loose):
                        wrong.append(name)
                done += files[name].stat().st_size
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError):
        return [Problem(archive_path.name, "cannot be read as a .zip file")]
    return [Problem(archive_path.name, f"differs from the bag's folder: {one!r}") for one in wrong]


def _same(one: IO[bytes], other: IO[bytes]) -> bool:
    while chunk := one.read(CHUNK_BYTES):
        if chunk != other.read(len(chunk)):
            return False
    return not other.read(1)


def verify_bag(
    path: Path,
    trusted_key_id: str | None = None,
    progress: Progress = lambda part, name: None,
) -> BagReport:
    """What is wrong with a bag (a folder or a .zip), if anything.

    trusted_key_id : the key that must have signed; without it any fitting signature will do and
    `signer_known` says None.
    progress : may raise to stop the work.

    Raises
    ------
    InputError
        There is no bag at that path.
    """
    if path.is_file():
        with _unpacked(path) as folder:
            return _verify_folder(folder, path, trusted_key_id, progress)
    if not path.is_dir():
        raise InputError(f"{path} is neither a folder nor a .zip file")
    return _verify_folder(path, path, trusted_key_id, progress)


def _verify_folder(
    folder: Path, named: Path, trusted_key_id: str | None, progress: Progress
) -> BagReport:
    missing = [
        Problem(name, "is missing")
        for name in (*REQUIRED_TAG_FILES, *SIGNED_TAG_FILES)
        if not (folder / name).is_file()
    ]
    if missing:
        return BagReport(named, tuple(missing), 0, 0, None, None)
    sealed_by = hash_file(folder / "tagmanifest-sha256.txt")[0]
    problems, files, size = _payload_problems(folder, progress)
    problems += _tag_problems(folder)
    signature_problems, signer = _signature_problems(folder)
    problems += signature_problems
    known = None if trusted_key_id is None or signer is None else signer == trusted_key_id
    if known is False:
        problems.append(Problem("signature.json", f"signed by the unknown key {signer}"))
    return BagReport(named, tuple(problems), files, size, signer, known, sealed_by)


def _payload_problems(folder: Path, progress: Progress) -> tuple[list[Problem], int, int]:
    try:
        listed = manifest.parse_manifest((folder / "manifest-sha256.txt").read_bytes())
    except DecodeError as error:
        return [Problem("manifest-sha256.txt", str(error))], 0, 0
    present = {
        path.relative_to(folder).as_posix(): path
        for path in (folder / "data").rglob("*")
        if path.is_file() or path.is_symlink()
    }
    problems = [
        Problem(name, "is not in the manifest") for name in sorted(set(present) - set(listed))
    ]
    total, whole = 0, max(sum(path.lstat().st_size for path in present.values()), 1)
    for name, expected in listed.items():
        if name not in present or present[name].is_symlink():
            problems.append(Problem(name, "is missing"))
            continue
        progress(total / whole, name)
        sha256, size = hash_file(present[name])
        total += size
        if sha256 != expected:
            problems.append(Problem(name, "has been changed: its SHA-256 differs"))
    return problems, len(listed), total


def _tag_problems(folder: Path) -> list[Problem]:
    try:
        listed = manifest.parse_manifest((folder / "tagmanifest-sha256.txt").read_bytes())
    except DecodeError as error:
        return [Problem("tagmanifest-sha256.txt", str(error))]
    problems = []
    if (folder / "bagit.txt").read_bytes() != manifest.BAGIT_TXT:
        problems.append(Problem("bagit.txt", "does not declare BagIt 1.0 in UTF-8"))
    covered = (*REQUIRED_TAG_FILES, "bag-info.txt", "statement.json", "signature.json")
    for name in sorted({*covered, *listed}):
        path = folder / name
        if name not in listed:
            problems.append(Problem(name, "is not in the tag manifest"))
        elif not path.is_file():
            problems.append(Problem(name, "is missing"))
        elif hash_file(path)[0] != listed[name]:
            problems.append(Problem(name, "has been changed: its SHA-256 differs"))
    return problems


def _signature_problems(folder: Path) -> tuple[list[Problem], str | None]:
    statement = (folder / "statement.json").read_bytes()
    try:
        signature = manifest.parse_signature((folder / "signature.json").read_bytes())
        expected = manifest.statement_hashes(statement)
    except DecodeError as error:
        return [Problem("signature.json", str(error))], None
    wrong = manifest.signature_problem(statement, signature)
    if wrong is not None:
        return [Problem("signature.json", wrong)], None
    problems = [
        Problem(name, "is not the one that was signed")
        for name, sha256 in zip(("manifest-sha256.txt", "bag-info.txt"), expected, strict=True)
        if hash_file(folder / name)[0] != sha256
    ]
    return problems, signature.key_id


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The one folder inside a .zip, unpacked for a while; refuses bombs and escaping names."""
    if not zipfile.is_zipfile(path):
        raise InputError(f"{path} is not a .zip file")
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as scratch:
        infos = archive.infolist()
        size = sum(info.file_size for info in infos)
        if size > MAX_ZIP_BYTES or size > 100 * max(path.stat().st_size, 1):
            raise InputError(f"{path} would unpack to {size} bytes; that is not an evidence bag")
        roots = {info.filename.split("/")[0] for info in infos}
        if len(roots) != 1 or any(_escapes(info.filename) for info in infos):
            raise InputError(f"{path} does not hold one bag folder")
        archive.extractall(scratch)
        yield Path(scratch) / roots.pop()


def _escapes(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/")
