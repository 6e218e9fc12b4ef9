"""A person's own new password: it takes the old one, and ends every other session."""

from __future__ import annotations

import pytest

from droneteam import audit, db
from tests.web.conftest import PASSWORD, Site, csrf_token
from tests.web.test_sign_in import sign_in

NEW = "an even longer battery staple"


def change(site: Site, client: object = None, **typed: str) -> tuple[int, str]:
    browser = client or site.client("pilot")
    sent = {"old": PASSWORD, "new": NEW, "again": NEW, **typed}
    data = {"csrf_token": csrf_token(browser), **sent}  # type: ignore[arg-type]
    answer = browser.post("/account/password", data=data)  # type: ignore[attr-defined]
    return answer.status_code, answer.get_data(as_text=True)


def test_the_new_password_holds_and_every_other_session_is_over(site: Site) -> None:
    here, there = site.client("pilot"), site.client("pilot")
    body = {"login": "pilot", "password": PASSWORD}
    token = site.client().post("/api/v1/tokens", json=body).get_json()["token"]
    with here.session_transaction() as kept:
        copied = kept["key"]
    assert change(site, here)[0] == 302
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 401
    header = {"Authorization": f"Bearer {token}"}
    assert site.app.test_client().get("/api/v1/me", headers=header).status_code == 401
    thief = site.app.test_client()
    with thief.session_transaction() as stolen:
        stolen["key"] = copied
    assert thief.get("/account").status_code == 401  # this browser's old session ended as well
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 401
    assert sign_in(site.client(), "pilot", NEW)[0] == 302
    with db.read_scope(site.engine) as session:
        me = site.actor("pilot").user_id
        (entry,) = audit.entries(session, action="user.password")
        assert (entry.user_id, entry.subject) == (me, f"user:{me}")
        assert NEW not in str(entry)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"old": "wrong"}, "old"),
        ({"old": ""}, "old"),
        ({"new": "short", "again": "short"}, "new"),
        ({"new": "x" * 1001, "again": "x" * 1001}, "new"),
        ({"again": "something else"}, "again"),
        ({"new": PASSWORD, "again": PASSWORD}, "new"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_changes(
    site: Site, typed: dict[str, str], field: str
) -> None:
    status, text = change(site, **typed)
    assert status == 422
    assert f'id="{field}-problem"' in text
    assert all(value not in text for value in (NEW, PASSWORD, "something else"))
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 302


def test_guessing_the_old_one_in_an_open_session_ends_in_the_same_pause(site: Site) -> None:
    """Whoever sits down at an open screen learns no more than at the door."""
    client = site.client("pilot")
    for _ in range(5):
        status, _ = change(site, client, old="a guess")
    assert status == 422
    assert "locked until" in change(site, client)[1]
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 429
    site.clock.forward(minutes=15, seconds=1)
    assert change(site, client)[0] == 302
