"""Signing in: the right password opens, wrong ones count, and nothing typed is lost."""

from __future__ import annotations

import re
import uuid

import pytest
from flask.testing import FlaskClient

from droneteam import accounts, audit, db
from droneteam.web.device import device_name
from tests.web.conftest import PASSWORD, Site, csrf_token

FORM = {"Sec-Fetch-Site": "same-origin"}


def sign_in(client: FlaskClient, login: str, password: str, **more: str) -> tuple[int, str, str]:
    """(status, text, where to) of a try to sign in."""
    data = {"csrf_token": csrf_token(client, "/sign-in"), "login": login, "password": password}
    answer = client.post("/sign-in", data=data | more)
    return answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location", "")


def test_the_right_password_opens_the_wanted_page(site: Site) -> None:
    client = site.client()
    status, _, location = sign_in(client, "pilot", PASSWORD, next="/account")
    assert (status, location) == (302, "/account")
    assert "pilot 1" in client.get("/account").get_data(as_text=True)


def test_a_login_is_found_whatever_its_case_and_spaces(site: Site) -> None:
    assert sign_in(site.client(), " Pilot ", PASSWORD)[0] == 302


@pytest.mark.parametrize("login", ["pilot", "nobody at all"])
def test_wrong_passwords_are_counted_and_then_locked_for_known_and_unknown_logins_alike(
    site: Site, login: str
) -> None:
    client = site.client()
    login = login if login == "pilot" else f"nobody-{uuid.uuid4().hex}"
    for left in (4, 3, 2, 1):
        status, text, _ = sign_in(client, login, "wrong")
        assert status == 401
        assert ("1 try is left" if left == 1 else f"{left} tries are left") in text
    status, text, _ = sign_in(client, login, "wrong")
    assert status == 429
    assert "locked until" in text


def test_a_locked_login_stays_locked_for_the_right_password_and_opens_after_the_pause(
    site: Site,
) -> None:
    client = site.client()
    for _ in range(5):
        sign_in(client, "pilot", "wrong")
    assert sign_in(client, "pilot", PASSWORD)[0] == 429
    site.clock.forward(minutes=15, seconds=1)
    assert sign_in(client, "pilot", PASSWORD)[0] == 302


def test_a_right_password_starts_the_count_again(site: Site) -> None:
    client = site.client()
    for _ in range(4):
        sign_in(client, "pilot", "wrong")
    assert sign_in(client, "pilot", PASSWORD)[0] == 302
    assert "4 tries" in sign_in(site.client(), "pilot", "wrong")[1]


def test_an_inactive_user_is_answered_like_an_unknown_one(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        row = accounts.user_by_login(session, "pilot")
        assert row is not None
        row.active = False
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 401


def test_signing_in_is_audited_with_its_verdict(site: Site) -> None:
    sign_in(site.client(), "pilot", "wrong")
    sign_in(site.client(), "pilot", PASSWORD)
    with db.read_scope(site.engine) as session:
        actions = [entry.action for entry in audit.entries(session, action="signin.", limit=2)]
    assert actions == ["signin.welcome", "signin.wrong"]


def test_the_session_is_a_new_one_after_signing_in(site: Site) -> None:
    client = site.client()
    before = csrf_token(client, "/sign-in")
    sign_in(client, "pilot", PASSWORD)
    answer = client.post("/sign-out", data={"csrf_token": before})
    assert answer.status_code == 400


def test_signing_out_ends_the_session(site: Site) -> None:
    client = site.client("pilot")
    assert client.post("/sign-out", data={"csrf_token": csrf_token(client)}).status_code == 302
    assert client.get("/account").status_code == 401


def test_signing_out_everywhere_ends_other_browsers_and_tokens(site: Site) -> None:
    here, there = site.client("pilot"), site.client("pilot")
    body = {"login": "pilot", "password": PASSWORD}
    bearer = site.client().post("/api/v1/tokens", json=body).get_json()["token"]
    headers = {"Authorization": f"Bearer {bearer}"}
    assert site.client().get("/api/v1/me", headers=headers).status_code == 200
    here.post("/account/end-sessions", data={"csrf_token": csrf_token(here)})
    assert there.get("/account").status_code == 401
    assert site.client().get("/api/v1/me", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/\t/evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "account",
        "",
        "/x\r\nSet-Cookie: a=b",
    ],
)
def test_no_target_leads_to_another_site(site: Site, target: str) -> None:
    status, _, location = sign_in(site.client(), "pilot", PASSWORD, next=target)
    assert (status, location) == (302, "/")
    client = site.client("pilot")
    answer = client.post(
        "/preferences", data={"csrf_token": csrf_token(client), "next": target, "language": "nl"}
    )
    assert answer.headers["Location"] == "/"


def test_a_page_without_a_session_shows_the_sign_in_and_comes_back_to_itself(site: Site) -> None:
    answer = site.client().get("/account?x=1")
    assert answer.status_code == 401
    assert 'name="next" value="/account?x=1"' in answer.get_data(as_text=True)


def test_what_was_typed_survives_an_expired_session(site: Site) -> None:
    client = site.client("requester")
    token = csrf_token(client, "/requests/new")
    with client.session_transaction() as kept:
        kept.clear()
    typed = {
        "csrf_token": token,
        "title": "Collision <b>Avenue</b> & 3 cars\n",
        "notes": "  first line\nsecond “line”",
    }
    answer = client.post("/requests/new", data=typed, headers=FORM)
    assert answer.status_code == 401
    text = answer.get_data(as_text=True)
    assert "What you had typed is kept" in text
    found = re.search(r'name="kept" value="([^"]+)"', text)
    assert found is not None
    status, page, _ = sign_in(client, "requester", PASSWORD, kept=found.group(1))
    assert status == 200
    assert 'action="/requests/new"' in page
    assert "Collision &lt;b&gt;Avenue&lt;/b&gt; &amp; 3 cars" in page
    assert "  first line\nsecond “line”</textarea>" in page


@pytest.mark.parametrize(("login", "shown"), [("requester", True), ("neighbour", False)])
def test_what_was_typed_is_shown_to_nobody_but_who_typed_it(
    site: Site, login: str, shown: bool
) -> None:
    """Two zones share a desk: the session of one has ended, the other signs in on its page."""
    client = site.client("requester")
    typed = {"csrf_token": csrf_token(client), "title": "a name that is nobody's business"}
    site.clock.forward(hours=13)
    answer = client.post("/requests/new", data=typed, headers=FORM)
    assert answer.status_code == 401
    found = re.search(r'name="kept" value="([^"]+)"', answer.get_data(as_text=True))
    assert found is not None
    status, page, _ = sign_in(client, login, PASSWORD, kept=found.group(1))
    assert status == (200 if shown else 302)
    assert ("a name that is nobody" in page) is shown


def test_an_expired_form_token_shows_the_form_again_and_not_an_empty_page(site: Site) -> None:
    client = site.client("requester")
    typed = {"csrf_token": "old", "title": "Collision"}
    answer = client.post("/requests/new", data=typed, headers=FORM)
    assert answer.status_code == 400
    assert "What you had typed is still here" in answer.get_data(as_text=True)


def test_another_sites_form_is_refused_and_not_kept(site: Site) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for client in (site.client("requester"), site.client()):
        answer = client.post("/requests/new", data={"title": "planted"}, headers=headers)
        assert answer.status_code in {400, 401}
        assert "planted" not in answer.get_data(as_text=True)
        assert 'name="kept" value=""' in answer.get_data(as_text=True) or (
            "did not come from a page of this server" in answer.get_data(as_text=True)
        )


def test_a_forged_kept_form_is_ignored(site: Site) -> None:
    status, _, location = sign_in(site.client(), "pilot", PASSWORD, kept="WyIvIiwgW11d.forged")
    assert (status, location) == (302, "/")


def test_the_account_lists_its_browsers_and_ends_one(site: Site) -> None:
    here, there = site.client("pilot"), site.client("pilot")
    text = here.get("/account").get_data(as_text=True)
    assert text.count("Sign out there") == 1
    (other,) = [
        row["id"]
        for row in here.get("/api/v1/sessions").get_json()["items"]
        if f"/account/sessions/{row['id']}/end" in text
    ]
    here.post(f"/account/sessions/{other}/end", data={"csrf_token": csrf_token(here)})
    assert there.get("/account").status_code == 401
    assert here.get("/account").status_code == 200


def test_signing_out_ends_the_session_for_whoever_copied_its_cookie(site: Site) -> None:
    mine, thief = site.client("pilot"), site.app.test_client()
    with mine.session_transaction() as kept, thief.session_transaction() as copied:
        copied["key"] = kept["key"]
    assert thief.get("/account").status_code == 200
    mine.post("/sign-out", data={"csrf_token": csrf_token(mine)})
    assert thief.get("/account").status_code == 401


def test_a_programs_token_acts_with_the_chosen_roles_until_it_is_ended(site: Site) -> None:
    client = site.client("coordinator")
    asked = {
        "csrf_token": csrf_token(client),
        "name": "report",
        "days": "30",
        "role_coordinator": "1",
    }
    page = client.post("/account/programs", data=asked).get_data(as_text=True)
    token = re.search(r'class="mono">([\w-]{40,})<', page)
    assert token is not None
    header = {"Authorization": f"Bearer {token.group(1)}"}
    program = site.app.test_client()
    me = program.get("/api/v1/me", headers=header).get_json()
    assert (me["display_name"], me["roles"]) == ("coordinator 1 (report)", ["coordinator"])
    assert token.group(1) not in client.get("/account").get_data(as_text=True)
    (row,) = [
        r for r in client.get("/api/v1/sessions").get_json()["items"] if r["kind"] == "program"
    ]
    assert program.delete(f"/api/v1/sessions/{row['id']}", headers=header).status_code == 204
    assert program.get("/api/v1/me", headers=header).status_code == 401


def test_a_program_without_a_role_or_name_is_asked_for_them(site: Site) -> None:
    client = site.client("coordinator")
    answer = client.post(
        "/account/programs", data={"csrf_token": csrf_token(client), "days": "900"}
    )
    assert answer.status_code == 422
    for field in ("name", "days", "roles"):
        assert f'href="#{field}"' in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox, Linux"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36",
         "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1",
         "Safari, iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537.36 Edg/140", "Edge, Windows"),
        ("curl/8.5.0", "curl"),
        ("", "?"),
    ],
)  # fmt: skip
def test_a_device_is_named_as_its_owner_knows_it(said: str, name: str) -> None:
    assert device_name(said) == name
