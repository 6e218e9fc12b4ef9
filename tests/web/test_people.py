"""Administration: people are added, changed and closed, each change audited."""

from __future__ import annotations

import pytest

from droneteam import accounts, audit, db, people
from droneteam.accounts import Actor
from droneteam.errors import Conflict, InputError, NotAllowed, NotFound
from droneteam.fleet import service as fleet
from tests.web.conftest import NOW, PASSWORD, ZONE, Site, csrf_token

NEW = {
    "login": "New-Pilot",
    "display_name": "pilot 8",
    "organisation": ZONE,
    "language": "nl",
    "role_pilot": "1",
    "password": "a long enough password",
}


def post(site: Site, path: str, **data: str) -> tuple[int, str]:
    client = site.client("administrator")
    answer = client.post(path, data={"csrf_token": csrf_token(client), **data})
    if answer.status_code == 302:
        answer = client.get(answer.headers["Location"])
        return 302, answer.get_data(as_text=True)
    return answer.status_code, answer.get_data(as_text=True)


def user_id(site: Site, login: str) -> int:
    return site.actor(login).user_id


def actions(site: Site, login: str) -> list[str]:
    with db.read_scope(site.engine) as session:
        entries = audit.entries(session, subject=f"user:{user_id(site, login)}")
    return [entry.action for entry in entries]


def signs_in(site: Site, login: str, password: str) -> bool:
    client = site.app.test_client()
    page = client.get("/sign-in").get_data(as_text=True)
    token = page.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
    data = {"csrf_token": token, "login": login, "password": password}
    return client.post("/sign-in", data=data).status_code == 302


def test_a_person_is_added_and_may_sign_in(site: Site) -> None:
    status, text = post(site, "/people/", **NEW)
    assert status == 302
    assert "new-pilot" in text
    assert "new-pilot may sign in." in text
    assert signs_in(site, "new-pilot", NEW["password"])
    assert site.actor("new-pilot").roles == {"pilot"}
    assert "user.add" in actions(site, "new-pilot")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"login": "pilot"}, "the login pilot is taken"),
        ({"login": ""}, "Fill this in."),
        ({"password": "short"}, "At least 12 characters."),
        ({"role_pilot": ""}, "Choose at least one role."),
        ({"organisation": "9999"}, "organisation 9999"),
    ],
)
def test_what_is_wrong_with_a_new_person_is_said(
    site: Site, changes: dict[str, str], says: str
) -> None:
    status, text = post(site, "/people/", **{**NEW, **changes})
    assert status in (404, 422)
    assert says in text
    assert NEW["password"] not in text


def test_roles_are_replaced_and_count_at_once(site: Site) -> None:
    person = user_id(site, "pilot")
    open_session = site.client("pilot")
    assert open_session.get("/audit/").status_code == 403
    post(site, f"/people/{person}/roles", role_pilot="1", role_auditor="1")
    assert site.actor("pilot").roles == {"pilot", "auditor"}
    assert open_session.get("/audit/").status_code == 200
    assert actions(site, "pilot")[0] == "user.roles"


def test_a_new_password_ends_sessions_and_locks(site: Site) -> None:
    person = user_id(site, "pilot")
    open_session = site.client("pilot")
    post(site, f"/people/{person}/password", password="another long password")
    assert open_session.get("/account").status_code == 401
    assert not signs_in(site, "pilot", PASSWORD)
    assert signs_in(site, "pilot", "another long password")


def test_a_closed_account_ends_its_sessions_and_may_be_opened_again(site: Site) -> None:
    person = user_id(site, "pilot")
    open_session = site.client("pilot")
    assert post(site, f"/people/{person}/active", active="")[0] == 422  # no reason
    post(site, f"/people/{person}/active", active="", reason="left the team")
    assert open_session.get("/account").status_code == 401
    assert not signs_in(site, "pilot", PASSWORD)
    post(site, f"/people/{person}/active", active="1", reason="came back")
    assert signs_in(site, "pilot", PASSWORD)
    assert {"user.close", "user.open"} <= set(actions(site, "pilot"))


def test_the_last_administrator_stays(site: Site) -> None:
    person = user_id(site, "administrator")
    status, text = post(site, f"/people/{person}/roles", role_auditor="1")
    assert status == 409
    assert "only administrator" in text
    assert post(site, f"/people/{person}/active", active="", reason="x")[0] == 409
    post(site, f"/people/{user_id(site, 'auditor')}/roles", role_administrator="1")
    assert post(site, f"/people/{person}/roles", role_auditor="1")[0] != 409


def test_a_person_becomes_a_pilot_and_only_one(site: Site) -> None:
    person = user_id(site, "pilot")
    with db.read_scope(site.engine) as session:
        first, second = fleet.list_pilots(session, accounts.SYSTEM)[:2]
    post(site, f"/people/{person}/pilot", pilot=str(first.id))
    post(site, f"/people/{person}/pilot", pilot=str(second.id))
    with db.read_scope(site.engine) as session:
        held = {one.id: one.user_id for one in fleet.list_pilots(session, accounts.SYSTEM)}
    assert held[second.id] == person
    assert held[first.id] is None
    other = user_id(site, "coordinator")
    status, text = post(site, f"/people/{other}/pilot", pilot=str(second.id))
    assert status == 409
    assert "take that away first" in text


def administrator(site: Site) -> Actor:
    return site.actor("administrator")


def test_only_administrators_administrate(site: Site) -> None:
    manager = site.actor("manager")
    with db.session_scope(site.engine) as session:
        with pytest.raises(NotAllowed):
            people.list_people(session, manager)
        with pytest.raises(NotAllowed):
            people.set_roles(session, manager, manager.user_id, ("administrator",), NOW)
        with pytest.raises(NotAllowed):
            fleet.assign_pilot_user(session, manager, 1, manager.user_id, NOW)


def test_unknown_roles_people_and_pilots_are_named(site: Site) -> None:
    me = administrator(site)
    with db.session_scope(site.engine) as session:
        with pytest.raises(InputError, match="captain"):
            people.set_roles(session, me, me.user_id, ("captain",), NOW)
        with pytest.raises(NotFound):
            people.get_person(session, me, 999_999)
        with pytest.raises(NotFound):
            fleet.assign_pilot_user(session, me, 999_999, None, NOW)
        pilot, other = fleet.list_pilots(session, me)[:2]
        fleet.assign_pilot_user(session, me, pilot.id, me.user_id, NOW)
        with pytest.raises(Conflict, match="already"):
            fleet.assign_pilot_user(session, me, other.id, me.user_id, NOW)
