"""TABLE sign_in_session: every browser and program that acts for a user, until it is ended.

The secret leaves the system once, when the session is opened; the table keeps its SHA-256.  A
browser's session ends when it was silent for a shift or a week old, a program's on its day.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import JSON, ForeignKey, String, bindparam, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from droneteam import audit
from droneteam.accounts import Actor, Role, User, actor_of
from droneteam.db import Base, UtcDateTime
from droneteam.errors import InputError, NotFound

SessionKind = Literal["browser", "program"]
IDLE_LIFETIME = timedelta(hours=12)
"""One shift without a sign of life ends a browser's session."""
LONGEST_BROWSER = timedelta(days=7)
"""A map that is left open gives signs of life for ever; a copied cookie must not last as long."""
MAX_PROGRAM_DAYS = 365
SEEN_PERIOD = timedelta(minutes=10)
"""A sign of life is written down at most this often."""


class SignInSession(Base):
    """One browser or program."""

    __tablename__ = "sign_in_session"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(120))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    roles: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """What a program may act as at most; None: whatever its user may."""
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    proven_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When its user last said who they are; None: when it was opened."""
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    user: Mapped[User] = relationship()


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session, without its secret.

    expires_at : when it ends if nobody ends it; a browser's moves with every sign of life
    """

    id: int
    kind: SessionKind
    name: str
    roles: tuple[str, ...] | None
    made_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who a secret belongs to.

    is_news : whether its sign of life is to be written down; proven_at : when its user last said
    who they are
    """

    actor: Actor
    session_id: int
    is_news: bool
    proven_at: datetime


def open_browser(session: Session, user_id: int, name: str, now: datetime) -> str:
    """The secret of a new browser session; name : what tells it from others."""
    return _open(session, user_id, "browser", name, now, None, None)[1]


def open_program(
    session: Session,
    actor: Actor,
    name: str,
    lifetime: timedelta,
    now: datetime,
    roles: tuple[str, ...] | None = None,
) -> tuple[SessionView, str]:
    """A program's session and its secret, which is shown this once.

    Raises
    ------
    InputError
        No name, a lifetime of more than a year, or a role that the actor does not hold.
    """
    if not name.strip() or len(name) > 120:
        raise InputError("name the program in 1 to 120 characters", field="name")
    if not timedelta() < lifetime <= timedelta(days=MAX_PROGRAM_DAYS):
        raise InputError(f"a program's session lasts 1 to {MAX_PROGRAM_DAYS} days", field="days")
    if roles is not None and (not roles or not set(roles) <= actor.roles):
        held = ", ".join(sorted(actor.roles))
        raise InputError(f"choose at least one role of yours: {held}", field="roles")
    row, secret = _open(session, actor.user_id, "program", name.strip(), now, now + lifetime, roles)
    facts = {"name": row.name, "roles": roles, "until": row.expires_at}
    _audit(session, actor, "signin.program", row, now, facts)
    return _view(row), secret


def _open(
    session: Session,
    user_id: int,
    kind: SessionKind,
    name: str,
    now: datetime,
    expires_at: datetime | None,
    roles: tuple[str, ...] | None,
) -> tuple[SignInSession, str]:
    secret = secrets.token_urlsafe(32)
    row = SignInSession(
        user_id=user_id,
        kind=kind,
        name=name[:120],
        secret_hash=_hash(secret),
        roles=None if roles is None else list(roles),
        made_at=now,
        seen_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row, secret


def bearer_of(session: Session, secret: str, now: datetime) -> Bearer | None:
    """Who holds the secret; None when the session ended or its user may not sign in."""
    found = session.execute(_BEARER, {"secret_hash": _hash(secret)}).all()
    actor = _actor(found, now)
    if actor is None:
        return None
    row = found[0]
    is_news = now - row.seen_at >= SEEN_PERIOD
    return Bearer(actor, row.id, is_news, row.proven_at or row.made_at)


def actors_of(session: Session, secrets: Collection[str], now: datetime) -> dict[str, Actor]:
    """Whom each secret acts for; without those whose session ended or user may not sign in."""
    by_hash = {_hash(secret): secret for secret in secrets}
    query = _HELD.where(SignInSession.secret_hash.in_(by_hash))
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(query):
        rows[by_hash[row.secret_hash]].append(row)
    found = {secret: _actor(of_one, now) for secret, of_one in rows.items()}
    return {secret: actor for secret, actor in found.items() if actor is not None}


def _actor(rows: Sequence[Any], now: datetime) -> Actor | None:
    """Whom a session acts for, None once it is over; rows : of `_HELD`, one for each role."""
    row: Any = rows[0] if rows else None
    if row is None or not row.active or not _is_live(row, now):
        return None
    roles = frozenset(one.role for one in rows if one.role is not None)
    name = row.display_name
    if row.roles is not None:
        roles, name = roles & frozenset(row.roles), f"{name} ({row.name})"
    return Actor(row.user_id, row.organisation_id, roles, name, row.language)


_HELD = (
    select(
        SignInSession.id,
        SignInSession.secret_hash,
        SignInSession.name,
        SignInSession.roles,
        SignInSession.made_at,
        SignInSession.proven_at,
        SignInSession.seen_at,
        SignInSession.expires_at,
        SignInSession.ended_at,
        SignInSession.user_id,
        User.organisation_id,
        User.display_name,
        User.language,
        User.active,
        Role.name.label("role"),
    )
    .join(User, SignInSession.user_id == User.id)
    .outerjoin(Role, Role.user_id == User.id)
)
_BEARER = _HELD.where(SignInSession.secret_hash == bindparam("secret_hash"))
"""Every request begins with it: one statement, made once, and a row for each of the roles."""


def owner_of(session: Session, secret: str) -> int | None:
    """Whose session it is or was, ended ones too; None where it was never given out."""
    query = select(SignInSession.user_id).where(SignInSession.secret_hash == _hash(secret))
    return session.scalar(query)


def lately_signed_in(session: Session, secret: str, now: datetime) -> Actor | None:
    """Whom a browser's session acts for, or did until less than a week ago; None for one that is
    over for longer, and where its user may not sign in any more.
    """
    query = select(SignInSession).where(
        SignInSession.secret_hash == _hash(secret), SignInSession.kind == "browser"
    )
    row = session.scalar(query)
    if row is None or not row.user.active:
        return None
    over_at = min(row.ended_at or now, _expires_at(row))
    return actor_of(row.user) if now - over_at < LONGEST_BROWSER else None


def note_seen(session: Session, session_id: int, now: datetime) -> None:
    """Writes down a sign of life."""
    seen = update(SignInSession).where(SignInSession.id == session_id).values(seen_at=now)
    session.execute(seen)


def note_proof(session: Session, session_id: int, now: datetime) -> None:
    """Writes down that its user has just said again who they are."""
    proven = update(SignInSession).where(SignInSession.id == session_id).values(proven_at=now)
    session.execute(proven)


def list_sessions(session: Session, actor: Actor, now: datetime) -> list[SessionView]:
    """The actor's own live sessions, the last seen first."""
    query = select(SignInSession).where(
        SignInSession.user_id == actor.user_id, SignInSession.ended_at.is_(None)
    )
    rows = session.scalars(query.order_by(SignInSession.seen_at.desc(), SignInSession.id.desc()))
    return [_view(row) for row in rows if _is_live(row, now)]


def end_session(session: Session, actor: Actor, session_id: int, now: datetime) -> None:
    """Ends one session of the actor's own.

    Raises
    ------
    NotFound
        It is nobody's, somebody else's, or over.
    """
    row = session.get(SignInSession, session_id)
    if row is None or row.user_id != actor.user_id or not _is_live(row, now):
        raise NotFound("session", session_id)
    row.ended_at = now
    session.flush()
    _audit(session, actor, "signin.end", row, now, {"name": row.name, "kind": row.kind})


def end_all(session: Session, user_id: int, now: datetime) -> None:
    """Ends every session of a user; who does it says so in the audit."""
    ended = (
        update(SignInSession)
        .where(SignInSession.user_id == user_id, SignInSession.ended_at.is_(None))
        .values(ended_at=now)
    )
    session.execute(ended)


def _is_live(row: SignInSession, now: datetime) -> bool:
    return row.ended_at is None and now < _expires_at(row)


def _expires_at(row: SignInSession) -> datetime:
    if row.expires_at is not None:
        return row.expires_at
    return min(row.seen_at + IDLE_LIFETIME, row.made_at + LONGEST_BROWSER)


def _view(row: SignInSession) -> SessionView:
    return SessionView(
        id=row.id,
        kind="program" if row.kind == "program" else "browser",
        name=row.name,
        roles=None if row.roles is None else tuple(row.roles),
        made_at=row.made_at,
        seen_at=row.seen_at,
        expires_at=_expires_at(row),
    )


def _audit(
    session: Session,
    actor: Actor,
    action: str,
    row: SignInSession,
    now: datetime,
    facts: Mapping[str, object],
) -> None:
    subject = f"user:{row.user_id}"
    known = {"session": row.id, **facts}
    audit.append(session, actor, action=action, subject=subject, at=now, facts=known)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
