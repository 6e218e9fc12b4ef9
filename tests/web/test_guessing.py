"""Guessing passwords: one count for logins that exist and that do not, and no way to lock out."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from droneteam import accounts, audit, db
from droneteam.accounts import NewUser, OrganisationKind, SignInTries, User
from droneteam.web import guessing
from tests.web.conftest import PASSWORD, Site, csrf_token
from tests.web.test_sign_in import sign_in

AT = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
KEY = "the installation's key"


@pytest.mark.parametrize(
    "waits_min", [(0, 0, 0, 0, 0, 0), (0, 16, 0, 0, 20, 0), (14, 14, 14, 14, 1)]
)
def test_a_login_that_nobody_has_is_answered_as_one_that_somebody_has(
    site: Site, waits_min: tuple[int, ...]
) -> None:
    """Also over time: a count that lasts longer for one of them would tell which it is."""
    known, unknown = site.client(), site.client()
    login = f"nobody-{uuid.uuid4().hex}"
    for wait_min in waits_min:
        site.clock.forward(minutes=wait_min)
        said = [sign_in(known, "pilot", "wrong"), sign_in(unknown, login, "wrong")]
        texts = {text.replace(login, "LOGIN").replace("pilot", "LOGIN").split("csrf")[0]
                 for _, text, _ in said}  # fmt: skip
        assert len({status for status, _, _ in said}) == 1
        assert len(texts) == 1


def test_the_chain_knows_of_tries_at_unknown_logins_but_not_what_was_typed(site: Site) -> None:
    sign_in(site.client(), "my password in the wrong field", "pilot")
    with db.read_scope(site.engine) as session:
        (entry,) = audit.entries(session, action="signin.", limit=1)
        assert (entry.action, entry.subject) == ("signin.wrong", "user:unknown")
        assert "wrong field" not in str(entry)
        assert "wrong field" not in str(session.scalars(select(SignInTries.key)).all())


def test_a_stranger_cannot_lock_a_person_out_of_a_known_browser(site: Site) -> None:
    mine, stranger = site.client(), site.client()
    assert sign_in(mine, "pilot", PASSWORD)[0] == 302
    mine.post("/sign-out", data={"csrf_token": csrf_token(mine)})
    for _ in range(5):
        status, *_ = sign_in(stranger, "pilot", "wrong")
    assert status == 429
    assert sign_in(stranger, "pilot", PASSWORD)[0] == 429
    assert sign_in(mine, "pilot", PASSWORD)[0] == 302
    assert sign_in(stranger, "pilot", PASSWORD)[0] == 429  # the pause elsewhere goes on


def test_guessing_in_a_known_browser_is_counted_and_locked_there_alone(site: Site) -> None:
    stolen, elsewhere = site.client(), site.client()
    assert sign_in(stolen, "pilot", PASSWORD)[0] == 302
    stolen.post("/sign-out", data={"csrf_token": csrf_token(stolen)})
    found = [sign_in(stolen, "pilot", "wrong")[0] for _ in range(5)]
    assert found == [401, 401, 401, 401, 429]
    assert sign_in(stolen, "pilot", PASSWORD)[0] == 429
    assert sign_in(elsewhere, "pilot", PASSWORD)[0] == 302


def test_a_browser_is_known_for_its_owners_only(site: Site) -> None:
    """Whoever has an account cannot take its cookie to guess at another's."""
    client = site.client()
    assert sign_in(client, "investigator", PASSWORD)[0] == 302
    client.post("/sign-out", data={"csrf_token": csrf_token(client)})
    for _ in range(5):
        sign_in(client, "pilot", "wrong")
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 429


def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    client = site.client()
    token = csrf_token(client, "/sign-in")
    data = {"csrf_token": token, "login": "pilot", "password": PASSWORD}
    answer = client.post("/sign-in", data=data)
    (cookie,) = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("known=")]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/sign-in"):
        assert part in cookie


def test_cookies_hold_their_last_owners_and_forged_ones_nobody() -> None:
    cookie = ""
    for user_id in range(1, 12):
        cookie = guessing.with_owner(KEY, cookie, user_id)
    marks = guessing.marks_in(KEY, cookie)
    assert list(marks) == list(range(4, 12))
    assert len(set(marks.values())) == guessing.MAX_OWNERS
    again = guessing.marks_in(KEY, guessing.with_owner(KEY, cookie, 5))
    assert (again[5], list(again)[-1]) == (marks[5], 5)
    assert guessing.marks_in("another key", cookie) == {}
    assert guessing.marks_in(KEY, cookie[:-2] + "xx") == {}
    assert guessing.marks_in(KEY, "") == {}


@pytest.mark.parametrize(
    ("gaps_min", "left"),
    [
        ([0, 0, 0, 0], [4, 3, 2, 1]),
        ([0, 1, 1, 1, 1], [4, 3, 2, 1, 0]),
        ([0, 14.9, 14.9, 14.9, 14.9], [4, 3, 2, 1, 0]),
        ([0, 15, 15, 15, 15, 15], [4, 4, 4, 4, 4, 4]),
        ([0, 0, 0, 15, 0], [4, 3, 2, 4, 3]),
    ],
)
def test_tries_are_counted_until_a_silence_as_long_as_the_pause(
    gaps_min: list[float], left: list[int]
) -> None:
    row, at, found = SignInTries(key="k", failed_logins=0), AT, []
    for gap_min in gaps_min:
        at += timedelta(minutes=gap_min)
        found.append(guessing.count_wrong(row, at))
    assert found == left
    assert guessing.is_locked(row, at) == (left[-1] == 0)
    assert not guessing.is_locked(row, at + guessing.LOCK_DURATION)


def test_no_pace_of_guessing_gets_more_tries_than_five_in_a_pause() -> None:
    """Brute force over paces: a day of guessing, each as soon as it is let."""
    for gap_s in (1, 60, 200, 299, 600, 899, 900, 901):
        row, at, guesses = SignInTries(key="k", failed_logins=0), AT, 0
        while at < AT + timedelta(days=1):
            if not guessing.is_locked(row, at):
                guessing.count_wrong(row, at)
                guesses += 1
            at += timedelta(seconds=gap_s)
        assert guesses <= 5 * 24 * 4 + 5, gap_s
        assert guesses >= 75, gap_s


def test_rows_of_old_tries_go(engine: Engine) -> None:
    with db.session_scope(engine) as session:
        for number in range(20):
            at = AT + timedelta(seconds=number)
            guessing.count_wrong(guessing.tries_of(session, f"key {number}", at), at)
    later = AT + timedelta(minutes=15, seconds=10.5)
    with db.session_scope(engine) as session:
        guessing.count_wrong(guessing.tries_of(session, "key 0", later), later)
        session.flush()
        kept = set(session.scalars(select(SignInTries.key)))
    assert kept == {"key 0", *(f"key {number}" for number in range(11, 20))}


def test_two_requests_at_once_do_not_share_one_count(engine: Engine) -> None:
    """What a code or a count is judged by is locked until it is written (also on PostgreSQL)."""
    with db.session_scope(engine) as session:
        accounts.add_organisation(
            session, code="1", kind=OrganisationKind.ZONE, names=("a", "b", "c")
        )
        accounts.add_user(session, NewUser("somebody", "S", "1", ("pilot",), PASSWORD))
    if engine.dialect.name == "sqlite":
        return  # its writers come one after the other from the beginning: see db.session_scope
    with db.session_scope(engine) as first:
        row = accounts.user_by_login(first, "somebody", locked=True)
        assert row is not None
        with db.session_scope(engine) as second:
            free = select(User.id).where(User.id == row.id).with_for_update(skip_locked=True)
            assert second.scalar(free) is None
