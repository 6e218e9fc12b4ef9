"""Passkeys: registered, named, removed, and signed in with; and everything that must not pass."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from droneteam import accounts, audit, db
from droneteam.accounts import Passkey
from droneteam.errors import InputError, SetupError
from droneteam.settings import Settings
from droneteam.web import passkeys
from droneteam.web.passkeys import Party
from tests.web.authenticator import Authenticator
from tests.web.conftest import PASSWORD, Site, csrf_token
from tests.web.test_second_factor import code_at, set_up
from tests.web.test_sign_in import sign_in

PARTY = Party.at("http://localhost:8480")


def authenticator(**other: Any) -> Authenticator:
    return Authenticator(PARTY.origin, PARTY.name, **other)


def ask(client: FlaskClient, path: str) -> dict[str, Any]:
    token = csrf_token(client, "/sign-in" if path.startswith("/sign-in") else "/account")
    answer = client.post(path, json={}, headers={"X-CSRFToken": token})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(answer.get_json())


def register(site: Site, login: str, key: Authenticator, name: str = "blue key") -> FlaskClient:
    """A signed-in browser whose account holds the key."""
    client = site.client(login)
    question = ask(client, "/account/passkeys/options")
    answer = add(client, question["ticket"], key.make(question["options"]), name)
    assert answer.status_code == 302
    return client


def add(client: FlaskClient, ticket: str, answer: object, name: str = "blue key") -> Any:
    data = {"csrf_token": csrf_token(client), "name": name, "ticket": ticket}
    return client.post("/account/passkeys/", data=data | {"answer": json.dumps(answer)})


def send_key(client: FlaskClient, ticket: str, answer: object, **more: str) -> tuple[int, str, str]:
    data = {"csrf_token": csrf_token(client, "/sign-in"), "ticket": ticket}
    found = client.post("/sign-in/passkey", data=data | {"answer": json.dumps(answer)} | more)
    return found.status_code, found.get_data(as_text=True), found.headers.get("Location", "")


def keys_of(site: Site, login: str) -> list[tuple[str, int, bool]]:
    with db.read_scope(site.engine) as session:
        row = accounts.user_by_login(session, login)
        assert row is not None
        return [(key.name, key.sign_count, key.alone) for key in row.passkeys]


def actions(site: Site) -> list[str]:
    with db.read_scope(site.engine) as session:
        return [row.action for row in session.query(audit.AuditEntry)]


def page_data(text: str) -> dict[str, Any]:
    block = text.split('id="passkey-data">', 1)[1].split("</script>", 1)[0]
    return dict(json.loads(block)["question"])


def test_a_passkey_signs_in_alone_and_its_counter_is_kept(site: Site) -> None:
    key = authenticator()
    register(site, "pilot", key)
    visitor = site.client()
    question = ask(visitor, "/sign-in/passkey/options")
    assert "allowCredentials" not in question["options"]
    assert question["options"]["userVerification"] == "required"
    status, _, location = send_key(
        visitor, question["ticket"], key.sign(question["options"]), next="/missions/"
    )
    assert (status, location) == (302, "/missions/")
    assert "pilot 1" in visitor.get("/account").get_data(as_text=True)
    assert keys_of(site, "pilot") == [("blue key", 1, True)]
    assert {"user.passkey_added", "signin.welcome"} <= set(actions(site))


def test_a_key_that_asked_for_nothing_is_no_sign_in_without_the_password(site: Site) -> None:
    key = authenticator(verifies=False)
    register(site, "pilot", key)
    assert keys_of(site, "pilot") == [("blue key", 0, False)]
    visitor = site.client()
    question = ask(visitor, "/sign-in/passkey/options")
    status, text, _ = send_key(visitor, question["ticket"], key.sign(question["options"]))
    assert status == 401
    assert "not accepted" in text
    assert "signin.passkey_refused" in actions(site)


def test_with_a_key_the_password_alone_no_longer_opens(site: Site) -> None:
    key = authenticator(verifies=False)
    register(site, "pilot", key)
    visitor = site.client()
    status, text, _ = sign_in(visitor, "pilot", PASSWORD, next="/missions/")
    assert status == 200
    assert visitor.get("/missions/").status_code == 401
    question = page_data(text)
    assert [one["id"] for one in question["options"]["allowCredentials"]]
    status, _, location = send_key(
        visitor, question["ticket"], key.sign(question["options"]), way="second", next="/missions/"
    )
    assert (status, location) == (302, "/missions/")
    assert visitor.get("/missions/").status_code == 200


def test_a_wrong_password_is_not_asked_for_a_key(site: Site) -> None:
    register(site, "pilot", authenticator())
    status, text, _ = sign_in(site.client(), "pilot", "wrong")
    assert status == 401
    assert "4 tries are left" in text


def test_codes_and_keys_stand_beside_each_other(site: Site) -> None:
    secret = set_up(site, "pilot")
    register(site, "pilot", authenticator())
    site.clock.forward(minutes=2)
    code = code_at(secret, site.clock().timestamp())
    assert sign_in(site.client(), "pilot", PASSWORD, code=code)[0] == 302
    assert sign_in(site.client(), "pilot", PASSWORD, code="000000")[0] == 401
    assert "Use the key" in sign_in(site.client(), "pilot", PASSWORD)[1]


def test_a_program_gets_no_token_for_the_password_of_an_account_with_a_key(site: Site) -> None:
    register(site, "pilot", authenticator())
    said = {"login": "pilot", "password": PASSWORD}
    answer = site.client().post("/api/v1/tokens", json=said)
    assert answer.status_code == 401
    assert "make a token on its page" in answer.get_json()["detail"]
    wrong = site.client().post("/api/v1/tokens", json=said | {"password": "wrong"})
    assert "4 tries are left" in wrong.get_json()["detail"]


def test_an_answer_counts_once_and_for_five_minutes(site: Site) -> None:
    key = authenticator(step=0)
    register(site, "pilot", key)
    visitor = site.client()
    question = ask(visitor, "/sign-in/passkey/options")
    answer = key.sign(question["options"])
    assert send_key(visitor, question["ticket"], answer)[0] == 302
    assert send_key(site.client(), question["ticket"], answer)[0] == 401

    question = ask(site.client(), "/sign-in/passkey/options")
    site.clock.forward(minutes=5, seconds=1)
    assert send_key(site.client(), question["ticket"], key.sign(question["options"]))[0] == 401


def test_a_counter_that_does_not_grow_is_refused_and_written_down(site: Site) -> None:
    key = authenticator(count=10)
    register(site, "pilot", key)
    copied = copy.copy(key)
    for one, status in ((key, 302), (copied, 401), (key, 302)):
        visitor = site.client()
        question = ask(visitor, "/sign-in/passkey/options")
        assert send_key(visitor, question["ticket"], one.sign(question["options"]))[0] == status
    assert keys_of(site, "pilot") == [("blue key", 12, True)]
    with db.read_scope(site.engine) as session:
        refused = [row.facts for row in session.query(audit.AuditEntry) if "refused" in row.action]
    assert len(refused) == 1
    assert "copied" in str(refused[0]["problem"])


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://drones.example.net"},
        {"origin": "http://localhost:8481"},
        {"type": "webauthn.create"},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"crossOrigin": True},
    ],
)
def test_an_answer_from_elsewhere_opens_nothing(site: Site, lie: dict[str, Any]) -> None:
    key = authenticator()
    register(site, "pilot", key)
    visitor = site.client()
    question = ask(visitor, "/sign-in/passkey/options")
    assert send_key(visitor, question["ticket"], key.sign(question["options"], **lie))[0] == 401
    assert keys_of(site, "pilot") == [("blue key", 0, True)]


def test_another_key_with_the_same_name_of_a_credential_opens_nothing(site: Site) -> None:
    register(site, "pilot", authenticator())
    question = ask(site.client(), "/sign-in/passkey/options")
    forged = authenticator()
    assert send_key(site.client(), question["ticket"], forged.sign(question["options"]))[0] == 401


def test_the_key_of_one_account_is_no_second_factor_of_another(site: Site) -> None:
    own, strange = authenticator(), authenticator(credential_id=b"credential-of-the-coordinator")
    register(site, "pilot", own)
    register(site, "coordinator", strange)
    visitor = site.client()
    question = page_data(sign_in(visitor, "pilot", PASSWORD)[1])
    answer = strange.sign(question["options"])
    assert send_key(visitor, question["ticket"], answer, way="second")[0] == 401


def test_wrong_keys_after_the_password_count_towards_the_lock(site: Site) -> None:
    key = authenticator(verifies=False)
    register(site, "pilot", key)
    seen = []
    for _ in range(5):
        visitor = site.client()
        question = page_data(sign_in(visitor, "pilot", PASSWORD)[1])
        answer = key.sign(question["options"], origin="https://elsewhere.example")
        seen.append(send_key(visitor, question["ticket"], answer, way="second")[0])
    assert seen == [401, 401, 401, 401, 429]


def test_a_ticket_of_one_way_does_not_serve_the_other(site: Site) -> None:
    key = authenticator()
    register(site, "pilot", key)
    question = ask(site.client(), "/sign-in/passkey/options")
    answer = key.sign(question["options"])
    assert send_key(site.client(), question["ticket"], answer, way="second")[0] == 401


def test_a_key_is_renamed_and_removed_by_its_owner_only(site: Site) -> None:
    client = register(site, "pilot", authenticator(), name="  blue   key ")
    data = {"csrf_token": csrf_token(client), "name": "red key"}
    stranger = site.client("coordinator")
    theirs = {"csrf_token": csrf_token(stranger), "name": "mine"}
    assert stranger.post("/account/passkeys/1/name", data=theirs).status_code == 404
    assert stranger.post("/account/passkeys/1/remove", data=theirs).status_code == 404
    assert client.post("/account/passkeys/1/name", data=data).status_code == 302
    assert keys_of(site, "pilot") == [("red key", 0, True)]
    assert "red key" in client.get("/account").get_data(as_text=True)
    client.post("/account/passkeys/1/remove", data=data)
    assert keys_of(site, "pilot") == []
    assert sign_in(site.client(), "pilot", PASSWORD)[0] == 302
    assert {"user.passkey_renamed", "user.passkey_removed"} <= set(actions(site))


def test_a_key_is_registered_once_and_needs_a_name(site: Site) -> None:
    key = authenticator()
    client = register(site, "pilot", key)
    question = ask(client, "/account/passkeys/options")
    assert len(question["options"]["excludeCredentials"]) == 1
    add(client, question["ticket"], key.make(question["options"]))
    assert "known already" in client.get("/account").get_data(as_text=True)
    question = ask(client, "/account/passkeys/options")
    other = authenticator(credential_id=b"another")
    add(client, question["ticket"], other.make(question["options"]), name=" ")
    assert "name the key" in client.get("/account").get_data(as_text=True)
    assert len(keys_of(site, "pilot")) == 1


def test_an_administrator_takes_lost_keys_away_with_a_reason(site: Site) -> None:
    register(site, "pilot", authenticator())
    client = site.client("administrator")
    with db.read_scope(site.engine) as session:
        row = accounts.user_by_login(session, "pilot")
        assert row is not None
        user_id = row.id
    data = {"csrf_token": csrf_token(client), "lost": "telephone lost in the canal"}
    assert client.post(f"/people/{user_id}/second-factor", data=data).status_code == 302
    assert keys_of(site, "pilot") == []


def test_a_closed_account_does_not_open_with_its_key(site: Site) -> None:
    key = authenticator()
    register(site, "pilot", key)
    with db.session_scope(site.engine) as session:
        row = accounts.user_by_login(session, "pilot")
        assert row is not None
        row.active = False
    question = ask(site.client(), "/sign-in/passkey/options")
    assert send_key(site.client(), question["ticket"], key.sign(question["options"]))[0] == 401


def test_what_was_typed_before_the_session_ended_survives_a_sign_in_with_a_key(site: Site) -> None:
    key = authenticator()
    register(site, "pilot", key)
    visitor = site.client()
    own = {"Sec-Fetch-Site": "same-origin"}
    typed = {"reason": "the wind has dropped"}
    page = visitor.post("/missions/1/approve", data=typed, headers=own).get_data(as_text=True)
    kept = page.split('name="kept" value="', 1)[1].split('"', 1)[0]
    question = ask(visitor, "/sign-in/passkey/options")
    status, text, _ = send_key(
        visitor, question["ticket"], key.sign(question["options"]), kept=kept
    )
    assert status == 200
    assert "the wind has dropped" in text


def test_the_title_of_the_account_page_is_a_title(site: Site) -> None:
    text = site.client("pilot").get("/account").get_data(as_text=True)
    title = text.split("<title>", 1)[1].split("</title>", 1)[0]
    assert title == "Account · Drone team"
    assert 'id="programs"' in text.split("</title>", 1)[1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
FIELDS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(whole=JSON, where=st.sampled_from(["id", "rawId", "response", *FIELDS]))
def test_whatever_comes_in_place_of_an_answer_is_refused_in_words(whole: Any, where: str) -> None:
    key = authenticator()
    options, state = passkeys.ask_for_new(PARTY, b"h" * 32, "pilot", ())
    made = key.make(options)  # type: ignore[arg-type]
    known = passkeys.new_key(PARTY, state, made)
    asked, state_of_sign = passkeys.ask_for_known(PARTY, (), alone=True)
    signed = key.sign(asked)  # type: ignore[arg-type]
    for answer in (whole, *_damaged(made, where, whole)):
        with pytest.raises(InputError):
            passkeys.new_key(PARTY, state, answer)
    for answer in (whole, *_damaged(signed, where, whole)):
        with pytest.raises(InputError):
            passkeys.checked_count(PARTY, state_of_sign, known.credential, 0, answer)


def _damaged(answer: dict[str, Any], where: str, value: Any) -> list[Any]:
    """The answer with something else in one of the members that count; none where it has none."""
    broken = copy.deepcopy(answer)
    holder = broken["response"] if where in FIELDS else broken
    if where not in holder or where == "userHandle":
        return []
    holder[where] = value
    return [broken]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://drones.example.be", ("drones.example.be", "https://drones.example.be")),
        (
            "https://drones.example.be:8443/",
            ("drones.example.be", "https://drones.example.be:8443"),
        ),
        ("", ("localhost", "http://localhost:8480")),
    ],
)
def test_keys_are_bound_to_the_address_in_the_settings(
    text: str, found: tuple[str, str], tmp_path: Any
) -> None:
    made = Settings.from_env({"DRONETEAM_URL": text, "DRONETEAM_DATA": str(tmp_path)})
    party = Party.at(made.public_url)
    assert (party.name, party.origin) == found


@pytest.mark.parametrize("text", ["http://drones.example.be", "drones.example.be", "https://a/b"])
def test_an_address_that_browsers_would_refuse_is_refused_at_start(
    text: str, tmp_path: Any
) -> None:
    with pytest.raises(SetupError, match="DRONETEAM_URL"):
        Settings.from_env({"DRONETEAM_URL": text, "DRONETEAM_DATA": str(tmp_path)})


def test_the_database_refuses_one_credential_twice(site: Site) -> None:
    register(site, "pilot", authenticator())
    with db.read_scope(site.engine) as session:
        [row] = session.query(Passkey).all()
        assert len(row.credential_id) == 44
        assert len(row.credential) > 100
