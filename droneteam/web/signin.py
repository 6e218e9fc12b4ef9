"""Signing in: passwords, the lock after wrong ones, and who a browser or program acts for."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from droneteam import audit, sessions
from droneteam.accounts import (
    SYSTEM,
    Actor,
    User,
    actor_of,
    password_matches,
    user_by_login,
)
from droneteam.errors import NotAllowed
from droneteam.sealing import unseal
from droneteam.web import second_factor
from droneteam.web.context import context, now, reading, writing

MAX_WRONG_PASSWORDS = 5
"""NIST SP 800-63B allows up to 100; five stops guessing and forgives typing errors."""
LOCK_DURATION = timedelta(minutes=15)

_unknown_logins = FixedWindowRateLimiter(MemoryStorage())
_UNKNOWN_LIMIT = RateLimitItemPerMinute(
    MAX_WRONG_PASSWORDS, multiples=int(LOCK_DURATION.total_seconds() // 60)
)


class Verdict(enum.Enum):
    """What became of a try to sign in."""

    WELCOME = "welcome"
    WRONG = "wrong"
    LOCKED = "locked"
    KEY_NEEDED = "key_needed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try to sign in and what came of it.

    actor : of a welcome, and of a right password that still needs a key
    tries_left : before the lock; locked_until : its end, None where it is not known.
    """

    verdict: Verdict
    actor: Actor | None = None
    tries_left: int = 0
    locked_until: datetime | None = None


def try_password(login: str, password: str, code: str = "") -> Attempt:
    """What comes of that login with that password and code; wrong ones are counted and audited.

    code : of the second factor, where the person has one.  The answer does not tell which of the
    two was wrong.
    """
    at = now()
    with reading() as session:
        row = user_by_login(session, login)
        # The hash takes ~50 ms on purpose; it must not hold the database's write lock.
        right = password_matches(row, password)
        known = row is not None and row.active
    if not known:
        return _unknown(login)
    with writing() as session:
        row = user_by_login(session, login)
        if row is None:
            return _unknown(login)
        if row.locked_until is not None and row.locked_until > at:
            return Attempt(Verdict.LOCKED, locked_until=row.locked_until)
        attempt = _judged(row, code, at) if right else wrong(row, at)
        right = attempt.verdict in {Verdict.WELCOME, Verdict.KEY_NEEDED}
        facts = {"verdict": attempt.verdict.value, "failed_logins": row.failed_logins}
        audit.append(
            session,
            actor_of(row) if right else SYSTEM,
            action=f"signin.{attempt.verdict.value}",
            subject=f"user:{row.id}",
            facts=facts,
            at=at,
        )
        return attempt


def _judged(row: User, code: str, at: datetime) -> Attempt:
    """What comes of a right password: a code where there is one, else a key where there is one."""
    if row.passkeys and (row.second_factor is None or not code.strip()):
        return Attempt(Verdict.KEY_NEEDED, actor=actor_of(row))
    return welcome(row) if _code_matches(row, code, at) else wrong(row, at)


def _code_matches(row: User, code: str, at: datetime) -> bool:
    """Whether the second factor agrees; a code is used up by agreeing."""
    if row.second_factor is None:
        return True
    secret = unseal(row.second_factor, context().settings.secret_key, second_factor.PURPOSE)
    step = second_factor.matching_step(secret, code, at.timestamp(), row.second_factor_step)
    if step is None:
        return False
    row.second_factor_step = step
    return True


def welcome(row: User) -> Attempt:
    """Everything was right: earlier wrong tries are forgotten."""
    row.failed_logins, row.locked_until = 0, None
    return Attempt(Verdict.WELCOME, actor=actor_of(row))


def wrong(row: User, at: datetime) -> Attempt:
    """One wrong try more, and a lock after the last."""
    row.failed_logins += 1
    if row.failed_logins < MAX_WRONG_PASSWORDS:
        return Attempt(Verdict.WRONG, tries_left=MAX_WRONG_PASSWORDS - row.failed_logins)
    row.failed_logins, row.locked_until = 0, at + LOCK_DURATION
    return Attempt(Verdict.LOCKED, locked_until=row.locked_until)


def _unknown(login: str) -> Attempt:
    """As for a known login, so that the answer does not tell which logins exist."""
    key = login.strip().lower()[:120]
    if not _unknown_logins.hit(_UNKNOWN_LIMIT, context().settings.secret_key, key):
        return Attempt(Verdict.LOCKED, locked_until=_window_end(key))
    left = _unknown_logins.get_window_stats(
        _UNKNOWN_LIMIT, context().settings.secret_key, key
    ).remaining
    if left <= 0:
        return Attempt(Verdict.LOCKED, locked_until=_window_end(key))
    return Attempt(Verdict.WRONG, tries_left=left)


def _window_end(key: str) -> datetime:
    stats = _unknown_logins.get_window_stats(_UNKNOWN_LIMIT, context().settings.secret_key, key)
    return datetime.fromtimestamp(stats.reset_time, tz=now().tzinfo)


def actor_of_secret(secret: str) -> Actor | None:
    """Who the session's secret acts for; its sign of life is written down now and then."""
    at = now()
    with reading() as session:
        bearer = sessions.bearer_of(session, secret, at)
    if bearer is None:
        return None
    if bearer.is_news:
        with writing() as session:
            sessions.note_seen(session, bearer.session_id, at)
    return bearer.actor


def actor_of_token(token: str) -> Actor:
    """Whose token it is.

    Raises
    ------
    NotAllowed
        It was never given out, is too old, or was ended.
    """
    found = actor_of_secret(token)
    if found is None:
        raise NotAllowed("the token is not valid or has expired; get a new one")
    return found
