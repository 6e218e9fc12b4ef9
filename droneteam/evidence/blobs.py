"""The store of evidence: every content once, under its SHA-256, never changed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from droneteam.errors import InputError
from droneteam.evidence import bag


@dataclass(frozen=True, slots=True)
class Taken:
    """Content in the store of evidence."""

    sha256: str
    size_bytes: int


def content_path(store: Path, sha256: str) -> Path:
    """Where content with that hash lies in the store."""
    return store / sha256[:2] / sha256


def take_content(source: Path, store: Path) -> Taken:
    """Hash and size of the content, which is now in the store; no case holds it yet.

    Raises
    ------
    InputError
        The file cannot be read, or the store not be written.
    """
    store.mkdir(parents=True, exist_ok=True)
    partial = store / f".{uuid.uuid4().hex}.part"
    try:
        sha256, size = bag.copy_hashed(source, partial)
        target = content_path(store, sha256)
        target.parent.mkdir(exist_ok=True)
        partial.chmod(0o444)
        partial.replace(target)
    except FileNotFoundError:
        raise InputError(f"{source} does not exist") from None
    except OSError as error:
        raise InputError(f"{source} cannot be taken as evidence: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return Taken(sha256, size)
