"""A person's passkeys and security keys: add, name, remove, and sign in with one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import SYSTEM, Actor, Passkey, User, actor_of
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.web import passkeys
from droneteam.web.context import context, now, writing
from droneteam.web.passkeys import MAX_KEYS, Party, Purpose, Question, Tickets
from droneteam.web.signin import Attempt, Verdict, welcome, wrong

EXTENSION = "droneteam-passkeys"
MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key as its owner sees it; alone : signs in without the password."""

    id: int
    name: str
    alone: bool
    made_at: datetime
    used_at: datetime | None


def list_keys(session: Session, actor: Actor) -> list[KeyView]:
    """The actor's keys, oldest first."""
    query = select(Passkey).where(Passkey.user_id == actor.user_id).order_by(Passkey.id)
    return [
        KeyView(row.id, row.name, row.alone, row.made_at, row.used_at)
        for row in session.scalars(query)
    ]


def ask_for_new(session: Session, actor: Actor) -> Question:
    """The question that makes a new key of the actor's."""
    row = session.get_one(User, actor.user_id)
    handle = passkeys.user_handle(context().settings.secret_key, row.id)
    known = [key.credential for key in row.passkeys]
    options, state = passkeys.ask_for_new(_party(), handle, row.login, known)
    return _question("register", options, state, row.id)


def add_key(session: Session, actor: Actor, name: str, ticket: str, answer: Any) -> KeyView:
    """The actor's new key.

    Raises
    ------
    InputError
        No name, or an answer that does not hold.
    Conflict
        The key is known already, or there are too many.
    """
    label = _checked_name(name)
    state, user_id = _tickets().redeem(ticket, "register", now())
    if user_id != actor.user_id:
        raise InputError("the question was asked of somebody else", field="ticket")
    made = passkeys.new_key(_party(), state, answer)
    known = session.scalar(select(Passkey.id).where(Passkey.credential_id == made.credential_id))
    if known is not None:
        raise Conflict("this key is known already")
    if len(list_keys(session, actor)) >= MAX_KEYS:
        raise Conflict(f"there are {MAX_KEYS} keys: remove one first")
    row = Passkey(
        user_id=actor.user_id,
        name=label,
        credential_id=made.credential_id,
        credential=made.credential,
        sign_count=made.sign_count,
        alone=made.verified,
        made_at=now(),
    )
    session.add(row)
    session.flush()
    _audit(session, actor, "user.passkey_added", {"passkey": row.id, "name": label})
    return KeyView(row.id, row.name, row.alone, row.made_at, None)


def rename_key(session: Session, actor: Actor, key_id: int, name: str) -> None:
    """Another name for one of the actor's keys; NotFound for anybody else's."""
    row = _own(session, actor, key_id)
    facts = {"passkey": row.id, "before": row.name, "name": _checked_name(name)}
    row.name = str(facts["name"])
    _audit(session, actor, "user.passkey_renamed", facts)


def remove_key(session: Session, actor: Actor, key_id: int) -> None:
    """One of the actor's keys is no longer accepted; NotFound for anybody else's."""
    row = _own(session, actor, key_id)
    _audit(session, actor, "user.passkey_removed", {"passkey": row.id, "name": row.name})
    session.delete(row)


def ask_anybody() -> Question:
    """The question of a sign-in with a key alone; the authenticator will say whose it is."""
    options, state = passkeys.ask_for_known(_party(), (), alone=True)
    return _question("alone", options, state, 0)


def ask_after_password(session: Session, user_id: int) -> Question:
    """The question to somebody whose password was right."""
    row = session.get_one(User, user_id)
    known = [key.credential for key in row.passkeys]
    options, state = passkeys.ask_for_known(_party(), known, alone=False)
    return _question("second", options, state, user_id)


def try_key(purpose: Purpose, ticket: str, answer: Any) -> Attempt:
    """What comes of signing in with a key; refusals are audited, after a password they count.

    purpose : "alone" or "second"
    """
    state, user_id = _tickets().redeem(ticket, purpose, now())
    credential_id = passkeys.answered_by(answer)
    with writing() as session:
        query = select(Passkey).where(Passkey.credential_id == credential_id).with_for_update()
        key = session.scalar(query)
        row = session.get(User, user_id or (key.user_id if key is not None else 0))
        if row is None or not row.active:
            return Attempt(Verdict.WRONG)
        problem = _accept(key, row, purpose, state, answer)
        if problem:
            told = {"problem": problem, "way": purpose}
            _note(session, SYSTEM, row, "signin.passkey_refused", told)
            return wrong(row, now()) if purpose == "second" else Attempt(Verdict.WRONG)
        assert key is not None
        facts = {"way": purpose, "passkey": key.id, "name": key.name}
        _note(session, actor_of(row), row, "signin.welcome", facts)
        return welcome(row)


def _accept(
    key: Passkey | None, row: User, purpose: Purpose, state: dict[str, Any], answer: Any
) -> str:
    """What is wrong with the answer, "" when it holds and its counter was kept."""
    if key is None or key.user_id != row.id:
        return "not a key of this account"
    try:
        key.sign_count = passkeys.checked_count(
            _party(), state, key.credential, key.sign_count, answer
        )
    except InputError as error:
        return str(error)
    key.used_at = now()
    key.alone = key.alone or purpose == "alone"
    return ""


def _own(session: Session, actor: Actor, key_id: int) -> Passkey:
    row = session.get(Passkey, key_id)
    if row is None or row.user_id != actor.user_id:
        raise NotFound("passkey", key_id)
    return row


def _checked_name(name: str) -> str:
    label = " ".join(name.split())
    if not label or len(label) > MAX_NAME:
        raise InputError(f"name the key in 1 to {MAX_NAME} characters", field="name")
    return label


def _question(purpose: Purpose, options: Any, state: Any, user_id: int) -> Question:
    return Question(options, _tickets().issue(purpose, state, user_id, now()))


def _party() -> Party:
    return Party.at(context().settings.public_url)


def _tickets() -> Tickets:
    return cast(Tickets, current_app.extensions[EXTENSION])


def _audit(session: Session, actor: Actor, action: str, facts: dict[str, object]) -> None:
    subject = f"user:{actor.user_id}"
    audit.append(session, actor, action=action, subject=subject, facts=facts, at=now())


def _note(
    session: Session, actor: Actor, row: User, action: str, facts: Mapping[str, object]
) -> None:
    audit.append(session, actor, action=action, subject=f"user:{row.id}", facts=facts, at=now())
