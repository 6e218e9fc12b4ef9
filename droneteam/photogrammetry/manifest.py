"""What a stage was made from and what came out: the record that makes a stage repeatable.

A stage's *key* is the SHA-256 of everything that decides its result: its name, its parameters,
the digests of its inputs, and the software.  Its *digest* is the SHA-256 over its output files.
A later stage takes the earlier one's digest as its input, so a changed parameter redoes exactly
what depends on it, and a stage that comes out the same spares those after it.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import functools
import hashlib
import importlib.metadata
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from droneteam.errors import DecodeError
from droneteam.photogrammetry.ingest.photos import file_sha256
from droneteam.photogrammetry.resources import Usage

MANIFEST_NAME = "manifest.json"
FORMAT = 1
"""Raised when a manifest's fields change meaning; older stages are then redone."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One output file, its path relative to the stage's folder."""

    path: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """One finished stage.

    inputs : name to digest; software : distribution (or "source") to version.
    """

    stage: str
    key: str
    params: Mapping[str, Any]
    inputs: Mapping[str, str]
    software: Mapping[str, str]
    outputs: tuple[FileRecord, ...]
    usage: Usage

    @property
    def digest(self) -> str:
        """One hash over the output files' names and contents."""
        rows = [[record.path, record.sha256] for record in self.outputs]
        return _sha256(_canonical(rows))


def stage_key(
    stage: str,
    params: Mapping[str, Any],
    inputs: Mapping[str, str],
    software: Mapping[str, str],
) -> str:
    """The hash of all that decides the stage's result."""
    content = {
        "format": FORMAT,
        "stage": stage,
        "params": params,
        "inputs": inputs,
        "software": software,
    }
    return _sha256(_canonical(content))


def plain(value: Any) -> Any:
    """The value as JSON can hold it: dataclasses become objects, tuples lists, times ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, enum.Enum) else value


def record_outputs(folder: Path) -> tuple[FileRecord, ...]:
    """Every file below the folder, hashed, in the order of their paths."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(
        FileRecord(path.relative_to(folder).as_posix(), file_sha256(path), path.stat().st_size)
        for path in paths
        if path.name != MANIFEST_NAME
    )


def write(manifest: Manifest, folder: Path) -> None:
    """Store the manifest in its stage's folder."""
    text = json.dumps({"format": FORMAT, **plain(manifest)}, indent=1, sort_keys=True)
    (folder / MANIFEST_NAME).write_text(text)


def read(folder: Path) -> Manifest:
    """The manifest in a stage's folder.

    Raises
    ------
    DecodeError
        There is none, or it is not what this version writes.
    """
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text())
        if content.pop("format") != FORMAT:
            raise DecodeError(f"{path} is of another format")
        content["outputs"] = tuple(FileRecord(**row) for row in content["outputs"])
        content["usage"] = Usage(**content["usage"])
        return Manifest(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DecodeError(f"{path} is not a readable stage manifest: {error}") from error


def damaged_outputs(manifest: Manifest, folder: Path) -> list[str]:
    """Paths of the outputs that are missing or not as recorded; sizes first, then hashes."""
    damaged = []
    for record in manifest.outputs:
        path = folder / record.path
        whole = path.is_file() and path.stat().st_size == record.size_bytes
        if not whole or file_sha256(path) != record.sha256:
            damaged.append(record.path)
    return damaged


def software(run: Callable[..., object], module: str, libraries: tuple[str, ...]) -> dict[str, str]:
    """Versions of the libraries, and one hash over the source of `run` and of the module."""
    versions = {name: importlib.metadata.version(name) for name in libraries}
    own = _sha256(_canonical(_own_source(run, {})))
    return {"source": _sha256(own + source_digest(module))[:16], **versions}


def _own_source(function: Callable[..., object], found: dict[str, str]) -> dict[str, str]:
    """Sources of a function and of what it uses of its own module: functions and constants."""
    found[function.__name__] = inspect.getsource(function)
    names: Iterable[str] = inspect.unwrap(function).__code__.co_names
    for name in names:
        used = getattr(inspect.getmodule(function), name, None)
        if name in found:
            continue
        if inspect.isfunction(used) and used.__module__ == function.__module__:
            _own_source(used, found)
        elif isinstance(used, int | float | str):
            found[name] = repr(used)
    return found


@functools.cache
def source_digest(module: str) -> str:
    """Hash over the source of a droneteam module and of every droneteam module it imports.

    A version number alone would call two builds the same between two releases.
    """
    sources: dict[str, bytes] = {}
    _collect_sources(module, sources)
    rows = [[name, hashlib.sha256(sources[name]).hexdigest()] for name in sorted(sources)]
    return _sha256(_canonical(rows))[:16]


def _collect_sources(module: str, sources: dict[str, bytes]) -> None:
    path = _source_path(module)
    if module in sources or path is None:
        return
    sources[module] = path.read_bytes()
    for name in _imported(sources[module]):
        if name.startswith("droneteam"):
            _collect_sources(name, sources)


def _source_path(module: str) -> Path | None:
    """Where a droneteam module's source lies; None for names that are no module."""
    root = Path(__file__).parents[2]
    base = root.joinpath(*module.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _imported(source: bytes) -> list[str]:
    """Names that may be modules: `import a.b`, `from a import b` as both a and a.b."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names if alias.name.islower()]
    return names


def _canonical(content: Any) -> str:
    return json.dumps(plain(content), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
