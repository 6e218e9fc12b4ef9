"""Sessions of browsers and programs: who they act for, how long, and who ends them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from droneteam import accounts, audit, people, sessions
from droneteam.accounts import Actor, NewUser, OrganisationKind
from droneteam.db import session_scope
from droneteam.errors import InputError, NotFound

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with session_scope(engine) as found:
        yield found


@pytest.fixture
def pilot(session: Session) -> Actor:
    return add(session, "pilot-1", ("pilot", "investigator"))


def add(session: Session, login: str, roles: tuple[str, ...]) -> Actor:
    accounts.add_organisation(session, code="DT", kind=OrganisationKind.DRONE_TEAM, names=("",) * 3)
    return accounts.add_user(session, NewUser(login, login, "DT", roles, "a long password"))


def holder(session: Session, secret: str, at: datetime) -> int | None:
    bearer = sessions.bearer_of(session, secret, at)
    return None if bearer is None else bearer.actor.user_id


def test_a_browser_acts_for_its_user_until_a_silent_shift_is_over(
    session: Session, pilot: Actor
) -> None:
    secret = sessions.open_browser(session, pilot.user_id, "Firefox, Linux", NOW)
    assert holder(session, secret, NOW + 11 * HOUR) == pilot.user_id
    assert holder(session, secret, NOW + 12 * HOUR) is None
    bearer = sessions.bearer_of(session, secret, NOW + 11 * HOUR)
    assert bearer is not None
    assert bearer.is_news
    sessions.note_seen(session, bearer.session_id, NOW + 11 * HOUR)
    assert holder(session, secret, NOW + 22 * HOUR) == pilot.user_id


def test_a_browser_that_is_never_silent_signs_in_again_after_a_week(
    session: Session, pilot: Actor
) -> None:
    """A map that is left open, or a thief with the cookie, asks every few hours for ever."""
    secret, at = sessions.open_browser(session, pilot.user_id, "Firefox", NOW), NOW
    while bearer := sessions.bearer_of(session, secret, at):
        sessions.note_seen(session, bearer.session_id, at)
        assert sessions.list_sessions(session, pilot, at)[0].expires_at <= NOW + 168 * HOUR
        at += 11 * HOUR
    assert 157 * HOUR < at - NOW <= 168 * HOUR + 11 * HOUR
    assert sessions.list_sessions(session, pilot, at) == []


def test_a_sign_of_life_is_news_every_ten_minutes_only(session: Session, pilot: Actor) -> None:
    secret = sessions.open_browser(session, pilot.user_id, "Firefox", NOW)
    news = [
        bearer.is_news
        for minutes in (0, 9, 10)
        if (bearer := sessions.bearer_of(session, secret, NOW + timedelta(minutes=minutes)))
    ]
    assert news == [False, False, True]


def test_the_database_holds_no_secret(session: Session, pilot: Actor) -> None:
    secret = sessions.open_browser(session, pilot.user_id, "Firefox", NOW)
    rows = session.execute(text("SELECT * FROM sign_in_session")).all()
    assert secret not in repr(rows)


def test_a_program_acts_with_its_roles_under_its_own_name_until_its_day(
    session: Session, pilot: Actor
) -> None:
    view, secret = sessions.open_program(
        session, pilot, "photo import", timedelta(days=30), NOW, ("investigator",)
    )
    bearer = sessions.bearer_of(session, secret, NOW + timedelta(days=29))
    assert bearer is not None
    assert bearer.actor.roles == {"investigator"}
    assert bearer.actor.display_name == "pilot-1 (photo import)"
    assert view.expires_at == NOW + timedelta(days=30)
    assert holder(session, secret, NOW + timedelta(days=30)) is None


def test_a_program_loses_a_role_that_its_user_loses(session: Session, pilot: Actor) -> None:
    _, secret = sessions.open_program(
        session, pilot, "import", timedelta(days=30), NOW, ("investigator", "pilot")
    )
    people.set_roles(session, accounts.SYSTEM, pilot.user_id, ("pilot",), NOW)
    bearer = sessions.bearer_of(session, secret, NOW)
    assert bearer is not None
    assert bearer.actor.roles == {"pilot"}


@pytest.mark.parametrize(
    ("name", "days", "roles"),
    [(" ", 1, ("pilot",)), ("x" * 121, 1, ("pilot",)), ("x", 366, ("pilot",)), ("x", 0, ("pilot",)),
     ("x", 1, ()), ("x", 1, ("administrator",))],
)  # fmt: skip
def test_a_program_gets_no_more_than_its_user_has(
    session: Session, pilot: Actor, name: str, days: int, roles: tuple[str, ...]
) -> None:
    with pytest.raises(InputError):
        sessions.open_program(session, pilot, name, timedelta(days=days), NOW, roles)
    assert sessions.list_sessions(session, pilot, NOW) == []


def test_ending_one_leaves_the_others(session: Session, pilot: Actor) -> None:
    lost = sessions.open_browser(session, pilot.user_id, "lost telephone", NOW)
    kept = sessions.open_browser(session, pilot.user_id, "office", NOW)
    (row,) = [s for s in sessions.list_sessions(session, pilot, NOW) if s.name == "lost telephone"]
    sessions.end_session(session, pilot, row.id, NOW)
    assert holder(session, lost, NOW) is None
    assert holder(session, kept, NOW) == pilot.user_id
    with pytest.raises(NotFound):
        sessions.end_session(session, pilot, row.id, NOW)
    assert audit.entries(session, action="signin.end")[0].facts["name"] == "lost telephone"


def test_nobody_ends_or_sees_anothers_session(session: Session, pilot: Actor) -> None:
    other = add(session, "pilot-2", ("pilot",))
    secret = sessions.open_browser(session, pilot.user_id, "office", NOW)
    (mine,) = sessions.list_sessions(session, pilot, NOW)
    assert sessions.list_sessions(session, other, NOW) == []
    with pytest.raises(NotFound):
        sessions.end_session(session, other, mine.id, NOW)
    assert holder(session, secret, NOW) == pilot.user_id


@pytest.mark.parametrize("what", ["password", "closed", "second factor"])
def test_what_an_administrator_takes_away_ends_every_session(
    session: Session, pilot: Actor, what: str
) -> None:
    secrets = [
        sessions.open_browser(session, pilot.user_id, "office", NOW),
        sessions.open_program(session, pilot, "import", timedelta(days=9), NOW)[1],
    ]
    if what == "password":
        people.set_password(session, accounts.SYSTEM, pilot.user_id, "another password", NOW)
    elif what == "closed":
        people.set_active(session, accounts.SYSTEM, pilot.user_id, False, "left", NOW)
    else:
        people.remove_second_factor(session, accounts.SYSTEM, pilot.user_id, "lost", NOW)
    assert [holder(session, secret, NOW) for secret in secrets] == [None, None]
