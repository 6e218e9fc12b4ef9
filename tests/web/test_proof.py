"""Before a way to sign in is made, changed or taken away, the person says again who they are."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from droneteam import accounts, audit, db, sessions
from tests.web.authenticator import Authenticator
from tests.web.conftest import PASSWORD, Site, csrf_token
from tests.web.test_passkeys import authenticator, page_data, register
from tests.web.test_second_factor import code_at, set_up
from tests.web.test_single_signon import (
    Provider,
    come_back,
    joined,
    leave,
    provider,
)

__all__ = ["joined", "provider"]

ASKED = "Is it still you?"
TOKEN = {"name": "planning board", "days": "30", "role_pilot": "1"}


def post(client: FlaskClient, path: str, form: dict[str, str]) -> Any:
    return client.post(path, data={"csrf_token": csrf_token(client), **form})


def made_tokens(site: Site, login: str = "pilot") -> list[str]:
    with db.read_scope(site.engine) as session:
        rows = sessions.list_sessions(session, site.actor(login), site.clock())
    return [row.name for row in rows if row.kind == "program"]


def person(site: Site, login: str) -> int:
    return site.actor(login).user_id


def test_a_sign_in_of_minutes_ago_is_proof_enough(site: Site) -> None:
    client = site.client("pilot")
    site.clock.forward(minutes=10)
    assert post(client, "/account/programs", TOKEN).status_code == 200
    assert made_tokens(site) == ["planning board"]


SENSITIVE = {
    "/account/programs": ("pilot", TOKEN),
    "/account/second-factor": ("pilot", {}),
    "/account/second-factor/confirm": ("pilot", {"sealed": "x", "code": "1"}),
    "/account/passkeys/": ("pilot", {"name": "blue key"}),
    "/account/passkeys/3/remove": ("pilot", {}),
    "/people/1/password": ("administrator", {"password": "a new long password"}),
    "/people/1/second-factor": ("administrator", {"lost": "telephone stolen"}),
    "/people/1/roles": ("administrator", {"role_pilot": "1"}),
}


@pytest.mark.parametrize("path", SENSITIVE)
def test_an_older_sign_in_is_asked_again_and_holds_what_was_typed(site: Site, path: str) -> None:
    login, form = SENSITIVE[path]
    client = site.client(login)
    site.clock.forward(minutes=10, seconds=1)
    before = _everything(site)
    answer = post(client, path, form)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 401
    assert ASKED in text
    assert answer.headers["Cache-Control"] == "no-store"
    assert f'action="{path}"' in text
    for name, value in form.items():
        assert f'<textarea name="{name}" hidden>\n{value}</textarea>' in text
    assert _everything(site) == before


def _everything(site: Site) -> list[tuple[Any, ...]]:
    with db.read_scope(site.engine) as session:
        rows = session.query(accounts.User).order_by(accounts.User.id)
        return [
            (row.login, row.password_hash, row.second_factor, len(row.passkeys)) for row in rows
        ]


def test_the_right_password_goes_on_with_what_was_typed_and_lasts_ten_minutes(site: Site) -> None:
    client = site.client("pilot")
    site.clock.forward(minutes=11)
    text = post(client, "/account/programs", TOKEN).get_data(as_text=True)
    kept = dict(re.findall(r'<textarea name="(\w+)" hidden>\n(.*?)</textarea>', text))
    assert kept == TOKEN
    answer = post(client, "/account/programs", {**kept, "proof_password": PASSWORD})
    assert answer.status_code == 200
    assert made_tokens(site) == ["planning board"]
    site.clock.forward(minutes=9)
    assert post(client, "/account/programs", {**TOKEN, "name": "second"}).status_code == 200
    site.clock.forward(minutes=2)
    assert post(client, "/account/programs", {**TOKEN, "name": "third"}).status_code == 401
    assert sorted(made_tokens(site)) == ["planning board", "second"]
    with db.read_scope(site.engine) as session:
        (entry,) = audit.entries(session, action="signin.proven")
    assert (entry.user_id, entry.facts["way"]) == (person(site, "pilot"), "password")


def test_proof_in_one_browser_is_none_in_another(site: Site) -> None:
    first, second = site.client("pilot"), site.client("pilot")
    site.clock.forward(minutes=11)
    assert (
        post(first, "/account/programs", {**TOKEN, "proof_password": PASSWORD}).status_code == 200
    )
    assert post(second, "/account/programs", {**TOKEN, "name": "other"}).status_code == 401
    assert made_tokens(site) == ["planning board"]


def test_wrong_passwords_count_as_at_the_door(site: Site) -> None:
    client = site.client("pilot")
    site.clock.forward(minutes=11)
    texts = [
        post(client, "/account/programs", {**TOKEN, "proof_password": "wrong"}).get_data(
            as_text=True
        )
        for _ in range(8)
    ]
    assert "tries are left" in texts[0]
    assert "locked until" in texts[-1]
    late = post(client, "/account/programs", {**TOKEN, "proof_password": PASSWORD})
    assert late.status_code == 401
    assert made_tokens(site) == []
    assert "wrong" not in texts[0].split("<textarea", 1)[1].split("</form>", 1)[0]


def test_with_a_second_factor_the_password_alone_is_not_enough(site: Site) -> None:
    secret = set_up(site, "pilot")
    client = site.client("pilot")
    site.clock.forward(minutes=11)
    proof = {**TOKEN, "proof_password": PASSWORD}
    assert post(client, "/account/programs", proof).status_code == 401
    code = code_at(secret, site.clock().timestamp())
    assert post(client, "/account/programs", {**proof, "proof_code": code}).status_code == 200
    assert made_tokens(site) == ["planning board"]


def test_with_a_key_and_no_code_the_key_is_asked_and_counts_once(site: Site) -> None:
    key = authenticator(verifies=False)
    register(site, "pilot", key)
    client = site.client("pilot")
    site.clock.forward(minutes=11)
    by_password = {**TOKEN, "proof_password": PASSWORD}
    text = post(client, "/account/programs", by_password).get_data(as_text=True)
    assert 'name="proof_password"' not in text
    question = page_data(text)
    proof = {"proof_ticket": question["ticket"]}
    wrong = Authenticator(key.origin, key.rp_id, credential_id=key.credential_id, count=9)
    forged = {**proof, "proof_answer": json.dumps(wrong.sign(question["options"]))}
    text = post(client, "/account/programs", {**TOKEN, **forged}).get_data(as_text=True)
    assert "The key was not accepted" in text
    question = page_data(text)
    proof = {
        "proof_ticket": question["ticket"],
        "proof_answer": json.dumps(key.sign(question["options"])),
    }
    assert post(client, "/account/programs", {**TOKEN, **proof}).status_code == 200
    site.clock.forward(minutes=11)
    assert post(client, "/account/programs", {**TOKEN, **proof}).status_code == 401
    assert made_tokens(site) == ["planning board"]


def test_a_forged_form_is_refused_before_anything_is_asked(site: Site) -> None:
    client = site.client("pilot")
    site.clock.forward(minutes=11)
    answer = client.post("/account/programs", data={**TOKEN, "proof_password": PASSWORD})
    assert answer.status_code == 400
    assert made_tokens(site) == []


def test_the_question_to_a_new_key_is_not_asked_of_a_stale_session(site: Site) -> None:
    client = site.client("pilot")
    headers = {"X-CSRFToken": csrf_token(client), "Accept": "application/json"}
    site.clock.forward(minutes=11)
    answer = client.post("/account/passkeys/options", json={}, headers=headers)
    assert (answer.status_code, set(answer.get_json())) == (401, {"detail"})
    # The island then sends its form, whose answer is still empty: the name survives.
    done = post(client, "/account/passkeys/", {"name": "blue key", "proof_password": PASSWORD})
    assert done.headers["Location"].startswith("/account?key=blue")
    assert 'value="blue key"' in client.get(done.headers["Location"]).get_data(as_text=True)
    assert client.post("/account/passkeys/options", json={}, headers=headers).status_code == 200


def test_who_signs_in_through_the_directory_proves_it_there(
    joined: Site, provider: Provider
) -> None:
    client = joined.client("pilot")
    joined.clock.forward(minutes=11)
    text = post(client, "/account/programs", TOKEN).get_data(as_text=True)
    assert "/sign-in/directory?again=1" in text
    for claims in ({}, {"auth_time": joined.clock().timestamp() - 3600}):
        provider.changed = claims
        status, said, _ = come_back(client, leave_again(client, provider)["state"])
        assert (status, "did not ask you to sign in again" in said) == (401, True)
    provider.changed = {"auth_time": joined.clock().timestamp(), "preferred_username": "manager"}
    status, said, _ = come_back(client, leave_again(client, provider)["state"])
    assert (status, "named somebody else" in said) == (401, True)
    assert post(client, "/account/programs", TOKEN).status_code == 401
    provider.changed = {"auth_time": joined.clock().timestamp()}
    status, _, where = come_back(client, leave_again(client, provider)["state"])
    assert (status, where) == (302, "/account")
    assert post(client, "/account/programs", TOKEN).status_code == 200
    assert made_tokens(joined) == ["planning board"]


def leave_again(client: FlaskClient, provider: Provider) -> dict[str, str]:
    sent = leave(client, provider, "/account&again=1")
    assert (sent["prompt"], sent["max_age"]) == ("login", "0")
    return sent


def test_an_ordinary_sign_in_through_the_directory_asks_for_nothing_more(
    joined: Site, provider: Provider
) -> None:
    sent = leave(joined.client(), provider)
    assert "prompt" not in sent
    assert "max_age" not in sent
