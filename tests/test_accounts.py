"""Accounts: who may do what, and whose rows they see."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine, select

from droneteam import accounts
from droneteam.db import session_scope
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound

NEW = accounts.NewUser("Desk@Nord", "Nord desk", "5344", ("requester",), "a long password")


@pytest.fixture
def filled(sqlite_engine: Engine) -> Engine:
    with session_scope(sqlite_engine) as session:
        for code in ("5344", "5341", "TEAM"):
            kind = accounts.OrganisationKind.ZONE
            accounts.add_organisation(session, code=code, kind=kind, names=(code, code, code))
        accounts.add_user(session, NEW)
        accounts.add_user(
            session, replace(NEW, login="board", organisation_code="TEAM", roles=("coordinator",))
        )
    return sqlite_engine


def test_a_login_is_found_whatever_its_case(filled: Engine) -> None:
    with session_scope(filled) as session:
        assert accounts.actor_for_login(session, " DESK@nord ").display_name == "Nord desk"
        with pytest.raises(NotFound):
            accounts.actor_for_login(session, "nobody")


def test_only_the_right_password_matches(filled: Engine) -> None:
    with session_scope(filled) as session:
        row = accounts.user_by_login(session, "desk@nord")
        assert accounts.password_matches(row, "a long password")
        assert not accounts.password_matches(row, "a long passwore")
        assert not accounts.password_matches(None, "a long password")


def test_a_taken_login_is_a_conflict(filled: Engine) -> None:
    with session_scope(filled) as session, pytest.raises(Conflict, match="taken"):
        accounts.add_user(session, replace(NEW, login="DESK@NORD"))


@pytest.mark.parametrize(
    "change", [{"roles": ()}, {"roles": ("king",)}, {"password": "short"}, {"language": "de"}]
)
def test_a_wrong_new_user_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(NEW, **change)


def test_a_requester_sees_only_their_own_organisations_rows(filled: Engine) -> None:
    query = select(accounts.User.login)
    with session_scope(filled) as session:
        zone = accounts.actor_for_login(session, "desk@nord")
        team = accounts.actor_for_login(session, "board")
        column = accounts.User.organisation_id
        assert session.scalars(accounts.scoped(query, zone, column)).all() == ["desk@nord"]
        assert len(session.scalars(accounts.scoped(query, team, column)).all()) == 2


def test_a_missing_role_is_named() -> None:
    actor = accounts.Actor(1, 1, frozenset({"requester"}), "desk")
    accounts.require_role(actor, "pilot", "requester")
    with pytest.raises(NotAllowed, match="coordinator or manager"):
        accounts.require_role(actor, "coordinator", "manager")
