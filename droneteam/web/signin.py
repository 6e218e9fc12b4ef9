"""Signing in: passwords, the lock after wrong ones, and who a browser or program acts for."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import audit, sessions
from droneteam.accounts import (
    SYSTEM,
    Actor,
    User,
    actor_of,
    password_matches,
    user_by_login,
)
from droneteam.db import Changes, read_scope
from droneteam.errors import NotAllowed
from droneteam.sealing import unseal
from droneteam.web import guessing, second_factor
from droneteam.web.context import context, now, reading, writing
from droneteam.web.guessing import Tries
from droneteam.web.listening import Listeners


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


def try_password(login: str, password: str, code: str = "", browser: str = "") -> Attempt:
    """What comes of that login with that password and code; wrong ones are counted and audited.

    code : of the second factor, where the person has one.  The answer does not tell which of the
    two was wrong.
    browser : the cookie of a browser that was signed in with before (`guessing.with_owner`).
    """
    at = now()
    with reading() as session:
        # The hash takes ~50 ms on purpose; it must not hold the database's write lock.
        row = user_by_login(session, login)
        right = password_matches(row, password)
        checked = None if row is None else row.password_hash
    with writing() as session:
        row = user_by_login(session, login, locked=True)
        if row is None or not row.active:
            attempt = _unknown(session, login, at)
        else:
            right = right and row.password_hash == checked  # another one was set meanwhile
            counted = guessing.counted_row(session, row, _secret_key(), browser, at)
            attempt = _known(row, counted, right, code, at)
        _note(session, row, attempt, at)
        return attempt


def confirm_password(user_id: int, password: str, browser: str = "") -> Attempt:
    """What comes of that password of somebody who is signed in; wrong ones count as at the door."""
    at = now()
    with reading() as session:
        row = session.get(User, user_id)
        right = password_matches(row, password)
        checked = None if row is None else row.password_hash
    with writing() as session:
        row = session.get_one(User, user_id, with_for_update=True)
        counted = guessing.counted_row(session, row, _secret_key(), browser, at)
        if guessing.is_locked(counted, at):
            attempt = Attempt(Verdict.LOCKED, locked_until=counted.locked_until)
        elif right and row.password_hash == checked:
            return welcome(row, counted)
        else:
            attempt = wrong(counted, at)
        _note(session, row, attempt, at)
        return attempt


def confirm_person(user_id: int, password: str, code: str, browser: str = "") -> Attempt:
    """What comes of the password and code of somebody who is signed in: the same as at the door."""
    with reading() as session:
        login = session.get_one(User, user_id).login
    return try_password(login, password, code, browser)


def _known(row: User, counted: Tries, right: bool, code: str, at: datetime) -> Attempt:
    if guessing.is_locked(counted, at):
        return Attempt(Verdict.LOCKED, locked_until=counted.locked_until)
    if not right:
        return wrong(counted, at)
    if row.passkeys and (row.second_factor is None or not code.strip()):
        return Attempt(Verdict.KEY_NEEDED, actor=actor_of(row))
    return welcome(row, counted) if _code_matches(row, code, at) else wrong(counted, at)


def _unknown(session: Session, login: str, at: datetime) -> Attempt:
    """As for a known login, and with as much work, so that neither tells which logins exist."""
    counted = guessing.tries_of(session, guessing.key_of_login(_secret_key(), login[:120]), at)
    if guessing.is_locked(counted, at):
        return Attempt(Verdict.LOCKED, locked_until=counted.locked_until)
    return wrong(counted, at)


def _code_matches(row: User, code: str, at: datetime) -> bool:
    """Whether the second factor agrees; a code is used up by agreeing."""
    if row.second_factor is None:
        return True
    secret = unseal(row.second_factor, _secret_key(), second_factor.PURPOSE)
    step = second_factor.matching_step(secret, code, at.timestamp(), row.second_factor_step)
    if step is None:
        return False
    row.second_factor_step = step
    return True


def welcome(row: User, counted: Tries | None = None) -> Attempt:
    """Everything was right: earlier wrong tries are forgotten where they were counted."""
    guessing.forget(row if counted is None else counted)
    return Attempt(Verdict.WELCOME, actor=actor_of(row))


def wrong(counted: Tries, at: datetime) -> Attempt:
    """One wrong try more, and a pause after the last."""
    left = guessing.count_wrong(counted, at)
    if left:
        return Attempt(Verdict.WRONG, tries_left=left)
    return Attempt(Verdict.LOCKED, locked_until=counted.locked_until)


def _note(session: Session, row: User | None, attempt: Attempt, at: datetime) -> None:
    """The try in the audit chain; a login that nobody has is not written down.

    It may be a password that was typed into the wrong field.
    """
    right = attempt.verdict in {Verdict.WELCOME, Verdict.KEY_NEEDED}
    audit.append(
        session,
        actor_of(row) if right and row is not None else SYSTEM,
        action=f"signin.{attempt.verdict.value}",
        subject="user:unknown" if row is None else f"user:{row.id}",
        facts={"verdict": attempt.verdict.value, "tries_left": attempt.tries_left},
        at=at,
    )


def _secret_key() -> str:
    return context().settings.secret_key


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


def listeners(engine: Engine, clock: Callable[[], datetime]) -> Listeners:
    """Who listens to the streams of an application on that database."""

    def read(secrets: Collection[str]) -> dict[str, Actor]:
        with read_scope(engine) as session:
            return sessions.actors_of(session, secrets, clock())

    return Listeners(read, lambda: Changes(engine))


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
