"""Guessing passwords: wrong tries are counted by one rule, and after some of them comes a pause.

The rule is the same for a login that somebody has and for one that nobody has, so that counts,
pauses and their ends tell nobody which logins exist.  A browser that its owner has signed in with
before is counted apart (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"): whoever
types wrong passwords elsewhere keeps strangers' browsers out of the account, and never its owner.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from droneteam.accounts import SignInTries, User

MAX_WRONG_PASSWORDS = 5
"""NIST SP 800-63B allows up to 100; five stops guessing and forgives typing errors."""
LOCK_DURATION = timedelta(minutes=15)
KNOWN_FOR = timedelta(days=90)
"""A browser that nobody has signed in with for so long is a stranger's again."""
MAX_OWNERS = 8
"""People who share a desk and its browser; the first of more is forgotten."""
_SALT = "droneteam-known-browser"


class Tries(Protocol):
    """A row that counts: a user's, or `SignInTries`."""

    failed_logins: int
    failed_at: datetime | None
    locked_until: datetime | None


def is_locked(row: Tries, at: datetime) -> bool:
    """Whether the pause after the last wrong try still lasts."""
    return row.locked_until is not None and row.locked_until > at


def count_wrong(row: Tries, at: datetime) -> int:
    """How many tries are left after one wrong one more; 0 begins the pause.

    Tries from before a pause's length of silence are forgotten: who waits that long between
    guesses makes fewer of them than who is locked out again and again.
    """
    recent = row.failed_at is not None and at - row.failed_at < LOCK_DURATION
    wrong = 1 + (row.failed_logins if recent else 0)
    row.failed_at = at
    if wrong < MAX_WRONG_PASSWORDS:
        row.failed_logins = wrong
        return MAX_WRONG_PASSWORDS - wrong
    row.failed_logins, row.locked_until = 0, at + LOCK_DURATION
    return 0


def forget(row: Tries) -> None:
    """Earlier wrong tries do not count any more."""
    row.failed_logins, row.failed_at, row.locked_until = 0, None, None


def tries_of(session: Session, key: str, at: datetime) -> SignInTries:
    """The row of that key, made when missing; rows whose time is over go meanwhile."""
    old = at - LOCK_DURATION
    session.execute(delete(SignInTries).where(SignInTries.failed_at < old, SignInTries.key != key))
    row = session.get(SignInTries, key, with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                session.add(SignInTries(key=key, failed_logins=0))
        except IntegrityError:  # another request made it at this moment
            pass
        row = session.get_one(SignInTries, key, with_for_update=True)
    return row


def key_of_login(secret_key: str, login: str) -> str:
    """The row of a login that nobody has."""
    return _keyed(secret_key, f"login {login.strip().lower()}")


def key_of_browser(secret_key: str, user_id: int, mark: str) -> str:
    """The row of one person's tries in one browser."""
    return _keyed(secret_key, f"browser {user_id} {mark}")


def _keyed(secret_key: str, text: str) -> str:
    return hmac.new(secret_key.encode(), f"tries of {text}".encode(), hashlib.sha256).hexdigest()


def marks_in(secret_key: str, cookie: str) -> Mapping[int, str]:
    """The browser's mark for each of its owners, the latest last; none of a forged cookie."""
    try:
        found = _signer(secret_key).loads(cookie, max_age=int(KNOWN_FOR.total_seconds()))
    except BadSignature:
        return {}
    return {int(user_id): str(mark) for user_id, mark in found}


def with_owner(secret_key: str, cookie: str, user_id: int) -> str:
    """The cookie of a browser that this user has just signed in with."""
    marks = dict(marks_in(secret_key, cookie))
    mark = marks.pop(user_id, None) or secrets.token_urlsafe(12)
    owners = [*marks.items(), (user_id, mark)][-MAX_OWNERS:]
    return _signer(secret_key).dumps(owners)


def counted_row(
    session: Session, user: User, secret_key: str, cookie: str, at: datetime
) -> User | SignInTries:
    """Where a user's tries with this browser are counted: its own row where it is known."""
    mark = marks_in(secret_key, cookie).get(user.id)
    if mark is None:
        return user
    return tries_of(session, key_of_browser(secret_key, user.id, mark), at)


def _signer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt=_SALT)
