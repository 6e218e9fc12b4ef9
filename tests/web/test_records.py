"""A record as it was at any time, for who may read the audit chain."""

from __future__ import annotations

from datetime import timedelta

from droneteam import db
from droneteam.fleet import service as fleet
from tests.web.conftest import NOW, Site, csrf_token
from tests.web.test_access import draft


def asked_and_acknowledged(site: Site) -> None:
    """Request 1, submitted at NOW and acknowledged half an hour later."""
    with db.session_scope(site.engine) as session:
        fleet.submit_request(session, site.actor("requester"), draft(), NOW)
    with db.session_scope(site.engine) as session:
        fleet.acknowledge_request(
            session, site.actor("coordinator"), 1, NOW + timedelta(minutes=30)
        )
    site.clock.forward(hours=1)


def test_a_request_is_shown_as_it_was_beside_what_it_is(site: Site) -> None:
    asked_and_acknowledged(site)
    client = site.client("auditor")
    page = client.get("/records/request/1?at=2026-05-04T10:10:00").get_data(as_text=True)
    assert "chain whole" in page
    state = page.split("<code>state</code>", 1)[1].split("</tr>", 1)[0]
    assert "<code>submitted</code>" in state
    assert "<mark><code>acknowledged</code></mark>" in state
    title = page.split("<code>title</code>", 1)[1].split("</tr>", 1)[0]
    assert "the same" in title
    assert "request.acknowledged" in page


def test_before_it_was_made_the_record_was_not_there(site: Site) -> None:
    asked_and_acknowledged(site)
    client = site.client("manager")
    page = client.get("/records/request/1?at=2026-05-04T09:00:00").get_data(as_text=True)
    assert "It was not there at that time." in page
    now = client.get("/records/request/1").get_data(as_text=True)
    assert "<mark>" not in now


def test_a_moment_that_is_no_time_is_named_and_the_present_shown(site: Site) -> None:
    asked_and_acknowledged(site)
    page = site.client("auditor").get("/records/request/1?at=soon").get_data(as_text=True)
    assert "Write a date and a time" in page
    assert "<code>acknowledged</code>" in page


def test_the_audit_page_leads_to_the_record_of_that_time(site: Site) -> None:
    asked_and_acknowledged(site)
    client = site.client("auditor")
    page = client.get("/audit/?subject=request:1").get_data(as_text=True)
    assert 'href="/records/request/1?at=2026-05-04T10:00:00"' in page
    assert 'href="/records/request/1?at=2026-05-04T10:30:00"' in page


def test_the_api_tells_the_state_at_a_moment_and_every_version(site: Site) -> None:
    asked_and_acknowledged(site)
    client = site.client("auditor")
    answer = client.get("/api/v1/records/request/1?at=2026-05-04T08:10:00Z").json
    assert answer is not None
    assert answer["whole"]
    assert answer["held"]["state"] == "submitted"
    assert [one["action"] for one in answer["versions"]] == [
        "request.submitted",
        "request.acknowledged",
    ]
    assert client.get("/api/v1/records/request/1?at=2026-05-04T07:00:00Z").json["held"] is None  # type: ignore[index]
    assert client.get("/api/v1/records/request/2").status_code == 404
    assert client.get("/api/v1/records/request/1?at=soon").status_code == 422


def test_a_persons_record_holds_no_secret(site: Site) -> None:
    client = site.client("administrator")
    data = {"csrf_token": csrf_token(client), "role_pilot": "1"}
    assert client.post("/people/1/roles", data=data).status_code == 302
    page = client.get("/records/user/1").get_data(as_text=True)
    assert "display_name" in page
    assert "password" not in page.split("<main", 1)[1]
