"""Administration of who may sign in: every change is audited, and nobody locks everyone out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from droneteam import accounts, audit, sessions
from droneteam.accounts import (
    Actor,
    NewUser,
    Organisation,
    OrganisationKind,
    OrganisationView,
    Role,
    User,
    require_role,
)
from droneteam.errors import Conflict, InputError, NotFound

ADMINISTRATOR = "administrator"
MAX_CODE = 20
MAX_NAME = 120


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
    query = (
        select(User)
        .order_by(User.login)
        .options(
            selectinload(User.organisation), selectinload(User.roles), selectinload(User.passkeys)
        )
    )
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
    InputError
        There is no such organisation.
    """
    require_role(actor, ADMINISTRATOR)
    code = new.organisation_code
    if code not in {row.code for row in accounts.organisations(session)}:
        raise InputError(f"there is no organisation {code}", field="organisation_code")
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


def add_organisation(
    session: Session,
    actor: Actor,
    code: str,
    kind: OrganisationKind,
    names: tuple[str, str, str],
    now: datetime,
) -> OrganisationView:
    """The new organisation, which people can be added to; names are fr, nl, en.

    Raises
    ------
    Conflict
        The code is taken.
    InputError
        The code or a name is missing or too long.
    """
    require_role(actor, ADMINISTRATOR)
    code = code.strip()
    if not 0 < len(code) <= MAX_CODE:
        raise InputError(f"a code takes 1 to {MAX_CODE} characters", field="code")
    named = _names(names)
    if any(row.code == code for row in accounts.organisations(session)):
        raise Conflict(f"the code {code} is taken")
    made = accounts.add_organisation(session, code=code, kind=kind, names=named)
    _audit_organisation(session, actor, "organisation.add", made.id, now, {"code": code})
    return made


def rename_organisation(
    session: Session, actor: Actor, code: str, names: tuple[str, str, str], now: datetime
) -> OrganisationView:
    """The organisation with these names, fr, nl, en; what it did keeps its code.

    Raises
    ------
    NotFound, InputError
        There is no such organisation; a name is missing or too long.
    """
    require_role(actor, ADMINISTRATOR)
    row = session.scalar(select(Organisation).where(Organisation.code == code))
    if row is None:
        raise NotFound("organisation", code)
    before = [row.name_fr, row.name_nl, row.name_en]
    row.name_fr, row.name_nl, row.name_en = _names(names)
    session.flush()
    facts: dict[str, object] = {"before": before, "after": list(names)}
    _audit_organisation(session, actor, "organisation.rename", row.id, now, facts)
    return accounts.organisation_by_code(session, code)


def _names(names: tuple[str, str, str]) -> tuple[str, str, str]:
    french, dutch, english = (name.strip() for name in names)
    for field, name in (("name_fr", french), ("name_nl", dutch), ("name_en", english)):
        if not 0 < len(name) <= MAX_NAME:
            raise InputError(f"a name takes 1 to {MAX_NAME} characters", field=field)
    return french, dutch, english


def _audit_organisation(
    session: Session,
    actor: Actor,
    action: str,
    organisation_id: int,
    now: datetime,
    facts: dict[str, object],
) -> None:
    subject = f"organisation:{organisation_id}"
    audit.append(session, actor, action=action, subject=subject, facts=facts, at=now)


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
