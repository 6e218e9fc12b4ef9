"""The webhooks' page and API."""

from __future__ import annotations

import re

from droneteam import db, webhooks
from tests.web.conftest import Site, csrf_token

NEW = {"name": "zone", "url": "https://zone.example/hook", "action_request": "1"}


def add(site: Site, **changed: str) -> tuple[int, str]:
    client = site.client("administrator")
    answer = client.post("/webhooks/", data={"csrf_token": csrf_token(client), **NEW, **changed})
    return answer.status_code, answer.get_data(as_text=True)


def test_a_webhook_is_added_and_its_secret_shown_once(site: Site) -> None:
    status, text = add(site)
    assert status == 200
    secret = re.search(r'<p class="mono">([\w-]{40,})</p>', text)
    assert secret is not None
    page = site.client("administrator").get("/webhooks/").get_data(as_text=True)
    assert "https://zone.example/hook" in page
    assert secret.group(1) not in page


def test_what_is_wrong_is_said_and_what_was_typed_stays(site: Site) -> None:
    status, text = add(site, url="http://zone.example/", name="the zone")
    assert status == 422
    assert 'href="#url"' in text
    assert 'value="the zone"' in text
    status, text = add(site, action_request="")
    assert status == 422
    assert 'href="#actions"' in text


def test_a_webhook_is_tested_resumed_and_ended(site: Site) -> None:
    add(site)
    client = site.client("administrator")
    with db.session_scope(site.engine) as session:
        webhooks.note_failed(session, 1, "zone.example answered 500", site.clock())
    page = client.get("/webhooks/").get_data(as_text=True)
    assert 'class="badge care">does not answer' in page
    assert "zone.example answered 500" in page
    data = {"csrf_token": csrf_token(client)}
    assert client.post("/webhooks/1/resume", data=data).status_code == 302
    assert 'class="badge good">works' in client.get("/webhooks/").get_data(as_text=True)
    client.post("/webhooks/1/test", data=data)
    with db.read_scope(site.engine) as session:
        (due,) = webhooks.due_deliveries(session, site.clock())
    assert len(due.messages) == 1
    client.post("/webhooks/1/end", data=data)
    assert "zone.example" not in client.get("/webhooks/").get_data(as_text=True).split("<form")[0]


def test_the_api_makes_lists_tests_and_ends(site: Site) -> None:
    client = site.client("administrator")
    header = {"X-CSRFToken": csrf_token(client)}
    asked = {"name": "zone", "url": "https://zone.example/hook", "actions": ["request", "plan"]}
    made = client.post("/api/v1/webhooks", json=asked, headers=header)
    assert made.status_code == 201
    assert len(made.get_json()["secret"]) >= 40
    (row,) = client.get("/api/v1/webhooks").get_json()["items"]
    assert (row["actions"], row["state"]) == (["plan", "request"], "working")
    path = f"/api/v1/webhooks/{row['id']}"
    assert client.post(f"{path}/test", headers=header).status_code == 204
    assert client.delete(path, headers=header).status_code == 204
    assert client.delete(path, headers=header).status_code == 404
    wrong = {**asked, "url": "http://zone.example/"}
    assert client.post("/api/v1/webhooks", json=wrong, headers=header).status_code == 422
