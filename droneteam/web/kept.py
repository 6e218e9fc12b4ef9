"""What somebody had typed when the session ended, kept through the sign-in.

A form that arrives without a session is not thrown away: its fields travel, signed, through
the sign-in page and are offered for sending again afterwards.  Only forms that came from our
own pages are kept, so that another site cannot plant one, and they are shown only to the person
whose session it was: whoever signs in next at a shared desk is not told what a colleague typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from droneteam.web.context import context

_SALT = "droneteam-kept-form"
_LIFETIME_S = 24 * 3600
_LEFT_OUT = frozenset({"csrf_token", "password"})
MAX_BYTES = 256_000


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form to send again: where to, and its fields in order."""

    path: str
    fields: tuple[tuple[str, str], ...]


def keep_this_form(owner_id: int | None) -> str:
    """The request's form as a signed text, or "" when there is none worth keeping.

    owner_id : whose session ended; None where the browser brought none.
    """
    if request.method != "POST" or not from_own_page():
        return ""
    fields = [
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if name not in _LEFT_OUT
    ]
    if sum(len(name) + len(value) for name, value in fields) > MAX_BYTES:
        return ""
    return _serializer().dumps([own_path(request.full_path.rstrip("?")), fields, owner_id])


def this_form() -> KeptForm:
    """The request's form itself."""
    fields = tuple(
        (name, value)
        for name, values in request.form.lists()
        for value in values
        if name not in _LEFT_OUT
    )
    return KeptForm(own_path(request.full_path.rstrip("?")), fields)


def opened(text: str, user_id: int) -> KeptForm | None:
    """The kept form, or None when the text is empty, forged, too old or another person's."""
    if not text:
        return None
    try:
        found: Any = _serializer().loads(text, max_age=_LIFETIME_S)
    except BadSignature:
        return None
    path, fields, owner_id = found
    if owner_id is not None and owner_id != user_id:
        return None
    return KeptForm(own_path(path), tuple((name, value) for name, value in fields))


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
