"""Sending files: only from folders of ours, in ranges, and never as something to run."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from flask import Response, send_file
from werkzeug.datastructures import Range
from werkzeug.security import safe_join

from droneteam.errors import NotFound

_INLINE = frozenset({"application/pdf", "image/png", "image/jpeg", "application/json"})
"""What browsers show without running anything in it; the rest is saved."""


def inside(folder: Path, name: str) -> Path:
    """The file of that name below the folder.

    Raises
    ------
    NotFound
        There is none, the name leads out of the folder, or a link does.
    """
    joined = safe_join(str(folder), name)
    if joined is None:
        raise NotFound("file", name)
    path = Path(joined)
    if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
        raise NotFound("file", name)
    return path


def asks_for_rest(asked: Range | None) -> bool:
    """Whether a download goes on behind the file's beginning, as after a broken connection."""
    ranges = [] if asked is None else asked.ranges
    return bool(ranges) and all(first != 0 for first, _ in ranges)


def file_response(
    path: Path, *, name: str | None = None, media_type: str | None = None, keep_s: int = 0
) -> Response:
    """The file, with ranges and conditional answers, so that a broken download goes on.

    keep_s : how long a browser may keep it without asking; only for content that never changes.
    """
    kind = media_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    response = send_file(
        path,
        mimetype=kind,
        as_attachment=kind.partition(";")[0] not in _INLINE,
        download_name=name or path.name,
        conditional=True,
        etag=True,
        max_age=keep_s or None,
    )
    response.headers["Cache-Control"] = f"private, max-age={keep_s}" if keep_s else "no-cache"
    # A file of somebody else's making must not run in our origin, whatever it claims to be.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
