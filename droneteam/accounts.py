"""TABLES organisation, user, role, passkey, sign_in_tries: who may sign in, for whom, for what."""

from __future__ import annotations

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import (
    BigInteger,
    ForeignKey,
    LargeBinary,
    Select,
    String,
    UniqueConstraint,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column, relationship

from droneteam.db import Base, UtcDateTime, once
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound

ROLES = (
    "requester",
    "coordinator",
    "pilot",
    "investigator",
    "manager",
    "auditor",
    "administrator",
)
TEAM_ROLES = frozenset(ROLES) - {"requester"}
"""Roles of the drone team; they see every organisation's rows."""
LANGUAGES = ("fr", "nl", "en")
MAX_LOGIN_LENGTH = 120
MIN_PASSWORD_LENGTH = 12
"""NIST SP 800-63B asks for 8 at least and for no composition rules."""

_hasher = PasswordHasher()
_Query = TypeVar("_Query", bound=Select[*tuple[Any, ...]])


class OrganisationKind(enum.StrEnum):
    """What an organisation is to the team."""

    ZONE = "zone"
    FEDERAL = "federal"
    CRISIS_CENTRE = "crisis_centre"
    DRONE_TEAM = "drone_team"


class Organisation(Base):
    """A police zone, a federal unit, the crisis centre or the drone team itself."""

    __tablename__ = "organisation"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    code: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    name_fr: Mapped[str] = mapped_column(String(120))
    name_nl: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))


class User(Base):
    """Someone who can sign in."""

    __tablename__ = "user"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    login: Mapped[str] = mapped_column(String(120), unique=True)
    display_name: Mapped[str] = mapped_column(String(120))
    language: Mapped[str] = mapped_column(String(2), default="fr")
    password_hash: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    failed_logins: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The last wrong try; those before a pause do not count."""
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    second_factor: Mapped[str | None] = mapped_column(String(200))
    """Sealed secret of one-time codes; None without a second factor."""
    second_factor_step: Mapped[int] = mapped_column(default=0, server_default="0")
    """The last time step whose code was used."""
    organisation: Mapped[Organisation] = relationship()
    roles: Mapped[list[Role]] = relationship(cascade="all, delete-orphan")
    passkeys: Mapped[list[Passkey]] = relationship(
        cascade="all, delete-orphan", order_by="Passkey.id"
    )


class SignInTries(Base):
    """Wrong tries that are no user's: of a login that nobody has, or of a browser that is known.

    The columns are those of a user, so that one rule counts all.
    """

    __tablename__ = "sign_in_tries"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """What was tried, hashed with the installation's key: people type passwords as logins."""
    failed_logins: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Role(Base):
    """One role of one user."""

    __tablename__ = "role"
    __table_args__ = (UniqueConstraint("user_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(20))


class Passkey(Base):
    """A passkey or security key of a user: the public half of a WebAuthn credential."""

    __tablename__ = "passkey"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user.id"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    """Base64url; WebAuthn allows 1,023 bytes."""
    credential: Mapped[bytes] = mapped_column(LargeBinary)
    """Attested credential data: authenticator model, credential id, COSE public key."""
    sign_count: Mapped[int] = mapped_column(BigInteger)
    """The authenticator's last counter; one that does not grow speaks of a copy."""
    alone: Mapped[bool] = mapped_column()
    """Whether it signs in without a password: it asked for a PIN or a finger when it was made."""
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: every service takes one, so that each rule is checked where the data is."""

    user_id: int
    organisation_id: int
    roles: frozenset[str]
    display_name: str
    language: str = "fr"

    def has_role(self, *roles: str) -> bool:
        """Whether the actor holds at least one of the roles."""
        return not self.roles.isdisjoint(roles)

    @property
    def sees_all_organisations(self) -> bool:
        """Whether rows of every organisation are visible."""
        return not self.roles.isdisjoint(TEAM_ROLES)


SYSTEM = Actor(0, 0, frozenset(ROLES), "system", "en")
"""The worker and other parts of the system itself; user_id 0 is stored as NULL."""


@dataclass(frozen=True, slots=True)
class OrganisationView:
    """An organisation, detached from the database."""

    id: int
    code: str
    kind: str
    name_fr: str
    name_nl: str
    name_en: str

    def name(self, language: str) -> str:
        """The name in fr, nl or en."""
        return {"fr": self.name_fr, "nl": self.name_nl}.get(language, self.name_en)


def display_names(session: Session) -> dict[int, str]:
    """Who is behind each user id, for pages that say who did something."""
    return {row.id: row.display_name for row in session.scalars(select(User))}


def require_role(actor: Actor, *roles: str) -> None:
    """Nothing, when the actor holds one of the roles.

    Raises
    ------
    NotAllowed
        Names the roles that would do.
    """
    if not actor.has_role(*roles):
        raise NotAllowed(f"this takes the role {' or '.join(roles)}")


def scoped(query: _Query, actor: Actor, column: InstrumentedAttribute[int]) -> _Query:
    """The query, limited to the organisation's rows that the actor may see.

    The one place where tenancy is decided: every query for a zone's rows passes through here.
    """
    if actor.sees_all_organisations:
        return query
    return query.where(column == actor.organisation_id)


def add_organisation(
    session: Session,
    *,
    code: str,
    kind: OrganisationKind,
    names: tuple[str, str, str],
) -> OrganisationView:
    """The organisation with that code, made when missing; names are fr, nl, en."""
    row = session.scalar(select(Organisation).where(Organisation.code == code))
    if row is None:
        row = Organisation(
            code=code, kind=kind.value, name_fr=names[0], name_nl=names[1], name_en=names[2]
        )
        session.add(row)
        session.flush()
    return _organisation_view(row)


def organisations(session: Session) -> list[OrganisationView]:
    """Every organisation, by code."""
    return once(session, "organisations", lambda: _read_organisations(session))


def _read_organisations(session: Session) -> list[OrganisationView]:
    rows = session.scalars(select(Organisation).order_by(Organisation.code))
    return [_organisation_view(row) for row in rows]


def organisation_by_code(session: Session, code: str) -> OrganisationView:
    """The organisation with that code; NotFound when there is none."""
    row = session.scalar(select(Organisation).where(Organisation.code == code))
    if row is None:
        raise NotFound("organisation", code)
    return _organisation_view(row)


@dataclass(frozen=True, slots=True)
class NewUser:
    """What an administrator gives to make a user."""

    login: str
    display_name: str
    organisation_code: str
    roles: tuple[str, ...]
    password: str
    language: str = "fr"

    def __post_init__(self) -> None:
        check_roles(self.roles)
        _check_password(self.password)
        if self.language not in LANGUAGES:
            raise InputError(f"language {self.language!r} is not one of fr, nl, en")


def check_roles(roles: tuple[str, ...]) -> None:
    """Raises InputError for an unknown role, or for none."""
    unknown = sorted(set(roles) - set(ROLES))
    if unknown or not roles:
        raise InputError(f"roles {unknown or 'missing'}; known: {', '.join(ROLES)}", field="roles")


def _check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD_LENGTH:
        raise InputError(
            f"the password has {len(password)} characters; it needs at least {MIN_PASSWORD_LENGTH}",
            field="password",
        )


def set_password(row: User, password: str) -> None:
    """Gives the user a new password; a lock ends, open sessions are the caller's to end.

    Raises
    ------
    InputError
        The password is too short.
    """
    _check_password(password)
    row.password_hash = _hasher.hash(password)
    row.failed_logins, row.failed_at, row.locked_until = 0, None, None


def add_user(session: Session, new: NewUser) -> Actor:
    """The new user as an actor; Conflict when the login is taken."""
    login = new.login.strip().lower()
    if session.scalar(select(User.id).where(User.login == login)) is not None:
        raise Conflict(f"the login {login} is taken")
    row = User(
        organisation_id=organisation_by_code(session, new.organisation_code).id,
        login=login,
        display_name=new.display_name,
        language=new.language,
        password_hash=_hasher.hash(new.password),
        roles=[Role(name=name) for name in dict.fromkeys(new.roles)],
    )
    session.add(row)
    session.flush()
    return actor_of(row)


def user_by_login(session: Session, login: str, *, locked: bool = False) -> User | None:
    """The user's row, or None; locked : until the transaction ends nobody else has it so."""
    query = select(User).where(User.login == login.strip().lower())
    return session.scalar(query.with_for_update() if locked else query)


def actor_for_login(session: Session, login: str) -> Actor:
    """The user as an actor; NotFound when there is none."""
    row = user_by_login(session, login)
    if row is None:
        raise NotFound("user", login)
    return actor_of(row)


def actor_for_id(session: Session, user_id: int) -> Actor:
    """The user as an actor; NotFound when there is none."""
    row = session.get(User, user_id)
    if row is None:
        raise NotFound("user", user_id)
    return actor_of(row)


def actor_of(row: User) -> Actor:
    """The user's row as an actor."""
    return Actor(
        user_id=row.id,
        organisation_id=row.organisation_id,
        roles=frozenset(role.name for role in row.roles),
        display_name=row.display_name,
        language=row.language,
    )


def password_matches(row: User | None, password: str) -> bool:
    """Whether the password is the user's; takes as long for a user who does not exist."""
    stored = row.password_hash if row is not None else None
    try:
        return _hasher.verify(stored or _DUMMY_HASH, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


_DUMMY_HASH = _hasher.hash(uuid.uuid4().hex)


def _organisation_view(row: Organisation) -> OrganisationView:
    return OrganisationView(row.id, row.code, row.kind, row.name_fr, row.name_nl, row.name_en)
