"""What somebody had typed when the session ended, kept through the sign-in.

A form that arrives without a session is not thrown away: its fields travel, signed, through
the sign-in page and are offered for sending again afterwards; its files wait (`kept_files.py`).
Only forms that came from our own pages are kept, so that another site cannot plant one, and they
are shown only to the person whose session it was: whoever signs in next at a shared desk is not
told what a colleague typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from droneteam.web.context import context
from droneteam.web.kept_files import (
    FIELD,
    KeptFile,
    brings_files,
    chosen_files,
    held,
    hold,
    is_large,
    may_be_read,
)

_SALT = "droneteam-kept-form"
_LIFETIME_S = 24 * 3600
_LEFT_OUT = frozenset({"csrf_token", "password", FIELD})
MAX_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form to send again: where to, and its fields in order."""

    path: str
    fields: tuple[tuple[str, str], ...]
    files: tuple[KeptFile, ...] = ()
    files_key: str = ""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What was kept of a form: a signed text, "" where there was none worth keeping.

    files : how many files wait with it; lost : whether files were chosen that could not be kept
    """

    text: str = ""
    files: int = 0
    lost: bool = False


def keep_this_form(owner_id: int | None, may_send: bool) -> Keeping:
    """The request's form, kept through the sign-in.

    owner_id : whose session ended; None where the browser brought none; may_send : whether it is
    known that they may send it, without which no file is taken.
    """
    if request.method != "POST" or not from_own_page():
        return Keeping()
    key, lost = "", False
    if brings_files():
        if owner_id is not None and may_send and may_be_read():
            key = hold(owner_id)
        elif is_large():
            return Keeping(lost=True)
        else:
            lost = bool(chosen_files())
    fields = _fields()
    if sum(len(name) + len(value) for name, value in fields) > MAX_BYTES:
        return Keeping(lost=lost or bool(key))
    content = [own_path(request.full_path.rstrip("?")), fields, owner_id, key]
    return Keeping(_serializer().dumps(content), len(held(key, owner_id or 0)), lost)


def this_form(owner_id: int | None) -> KeptForm:
    """The request's form itself, whose files wait until it is sent again."""
    key = hold(owner_id) if owner_id is not None and brings_files() else ""
    path = own_path(request.full_path.rstrip("?"))
    return KeptForm(path, _fields(), held(key, owner_id or 0), key)


def _fields() -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if name not in _LEFT_OUT
    )


def opened(text: str, user_id: int) -> KeptForm | None:
    """The kept form, or None when the text is empty, forged, too old or another person's."""
    if not text:
        return None
    try:
        found: Any = _serializer().loads(text, max_age=_LIFETIME_S)
    except BadSignature:
        return None
    path, fields, owner_id, *rest = found  # a text of the release before has no key
    if owner_id is not None and owner_id != user_id:
        return None
    key = str(rest[0]) if rest else ""
    typed = tuple((name, value) for name, value in fields)
    return KeptForm(own_path(path), typed, held(key, user_id), key)


def from_own_page() -> bool:
    """Whether the browser says that the form came from this server's own page."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin") or request.referrer or ""
    return urlsplit(origin).netloc == request.host


def own_path(target: str | None, fallback: str = "/") -> str:
    """The target when it is a path on this server, else the fallback.

    "//host", "/\\host" and control characters are read by browsers as other hosts.
    """
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return fallback
    if any(character in target for character in "\r\n\t\\"):
        return fallback
    parts = urlsplit(target)
    return fallback if parts.scheme or parts.netloc else target


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(context().settings.secret_key, salt=_SALT)
