"""Administration of who may sign in: every change is audited, and nobody locks everyone out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam import accounts, audit, sessions
from droneteam.accounts import Actor, NewUser, Organisation, Role, User, require_role
from droneteam.errors import Conflict, NotFound

ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who can sign in, as administrators see them."""

    id: int
    login: str
    display_name: str
    organisation_code: str
    language: str
    roles: tuple[str, ...]
    active: bool
    locked_until: datetime | None
    second_factor: bool


def list_people(session: Session, actor: Actor) -> list[Person]:
    """Everyone, by login."""
    require_role(actor, ADMINISTRATOR)
    query = select(User).join(Organisation).order_by(User.login)
    return [_person(row) for row in session.scalars(query)]


def get_person(session: Session, actor: Actor, user_id: int) -> Person:
    """One person; NotFound when there is none."""
    require_role(actor, ADMINISTRATOR)
    return _person(_row(session, user_id))


def add_person(session: Session, actor: Actor, new: NewUser, now: datetime) -> Person:
    """The new person, who may sign in at once.

    Raises
    ------
    Conflict
        The login is taken.
    """
    require_role(actor, ADMINISTRATOR)
    made = accounts.add_user(session, new)
    facts: dict[str, object] = {"login": new.login.strip().lower(), "roles": sorted(new.roles)}
    _audit(session, actor, "user.add", made.user_id, now, facts)
    return _person(_row(session, made.user_id))


def set_roles(
    session: Session, actor: Actor, user_id: int, roles: tuple[str, ...], now: datetime
) -> Person:
    """The person with exactly these roles; sessions that are open go on with the new ones.

    Raises
    ------
    InputError
        A role is unknown, or none is given.
    Conflict
        Nobody would administrate any more.
    """
    require_role(actor, ADMINISTRATOR)
    accounts.check_roles(roles)
    row = _row(session, user_id)
    before = sorted(role.name for role in row.roles)
    if ADMINISTRATOR in before and ADMINISTRATOR not in roles:
        _refuse_last_administrator(session, row)
    row.roles = [role for role in row.roles if role.name in roles]
    held = {role.name for role in row.roles}
    row.roles += [Role(name=name) for name in sorted(set(roles) - held)]
    session.flush()
    _audit(session, actor, "user.roles", user_id, now, {"before": before, "after": sorted(roles)})
    return _person(row)


def set_active(
    session: Session, actor: Actor, user_id: int, active: bool, reason: str, now: datetime
) -> Person:
    """The person, allowed to sign in or not; closing an account ends its sessions.

    Raises
    ------
    Conflict
        Nobody would administrate any more.
    """
    require_role(actor, ADMINISTRATOR)
    row = _row(session, user_id)
    if not active:
        _refuse_last_administrator(session, row)
        sessions.end_all(session, user_id, now)
    row.active = active
    session.flush()
    action = "user.open" if active else "user.close"
    _audit(session, actor, action, user_id, now, {}, reason)
    return _person(row)


def set_password(
    session: Session, actor: Actor, user_id: int, password: str, now: datetime
) -> Person:
    """The person with a new password; a lock and every open session end.

    Raises
    ------
    InputError
        The password is too short.
    """
    require_role(actor, ADMINISTRATOR)
    row = _row(session, user_id)
    accounts.set_password(row, password)
    sessions.end_all(session, user_id, now)
    session.flush()
    _audit(session, actor, "user.password", user_id, now, {})
    return _person(row)


def remove_second_factor(
    session: Session, actor: Actor, user_id: int, reason: str, now: datetime
) -> Person:
    """The person without codes and keys, for a lost telephone; open sessions end."""
    require_role(actor, ADMINISTRATOR)
    row = _row(session, user_id)
    row.second_factor = None
    names = [key.name for key in row.passkeys]
    row.passkeys.clear()
    sessions.end_all(session, user_id, now)
    session.flush()
    facts: dict[str, object] = {"passkeys": names}
    _audit(session, actor, "user.second_factor_removed", user_id, now, facts, reason)
    return _person(row)


def _refuse_last_administrator(session: Session, row: User) -> None:
    """Without an administrator nobody could make one."""
    others = session.scalar(
        select(func.count(User.id.distinct()))
        .join(Role)
        .where(Role.name == ADMINISTRATOR, User.active, User.id != row.id)
    )
    if not others and any(role.name == ADMINISTRATOR for role in row.roles):
        raise Conflict(f"{row.login} is the only administrator: give the role to another first")


def _row(session: Session, user_id: int) -> User:
    row = session.get(User, user_id)
    if row is None:
        raise NotFound("user", user_id)
    return row


def _person(row: User) -> Person:
    return Person(
        id=row.id,
        login=row.login,
        display_name=row.display_name,
        organisation_code=row.organisation.code,
        language=row.language,
        roles=tuple(name for name in accounts.ROLES if name in {role.name for role in row.roles}),
        active=row.active,
        locked_until=row.locked_until,
        second_factor=row.second_factor is not None or bool(row.passkeys),
    )


def _audit(
    session: Session,
    actor: Actor,
    action: str,
    user_id: int,
    now: datetime,
    facts: dict[str, object],
    reason: str | None = None,
) -> None:
    audit.append(
        session, actor, action=action, subject=f"user:{user_id}", facts=facts, reason=reason, at=now
    )
