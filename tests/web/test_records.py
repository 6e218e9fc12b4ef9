"""A record as it was at any time, for who may read the audit chain."""

from __future__ import annotations

import ast
import re
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import droneteam
from droneteam import audit, db
from droneteam.fleet import service as fleet
from droneteam.fleet.terms import RequestState
from droneteam.web import audit_words
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token
from tests.web.test_access import draft

BRUSSELS = ZoneInfo("Europe/Brussels")
ACTION = re.compile(r"[a-z]+\.[a-z_]+")


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


def test_times_of_a_record_are_local_with_their_zone(site: Site) -> None:
    asked_and_acknowledged(site)
    page = site.client("auditor").get("/records/request/1").get_data(as_text=True)
    row = page.split("<code>submitted_at</code>", 1)[1].split("</tr>", 1)[0]
    assert "<code>Mon 4 May 2026 10:00:00 CEST</code>" in row
    answer = site.client("auditor").get("/api/v1/records/request/1").json
    assert answer is not None
    assert answer["held"]["submitted_at"].startswith("2026-05-04T08:00:00"), "programs read UTC"


def test_the_audit_page_finds_by_person_and_time(site: Site) -> None:
    """Submitted at 10:00 by the requester, acknowledged at 10:30 by the coordinator."""
    asked_and_acknowledged(site)
    assert found(site, who="REQUEST") == {"request.submitted"}
    assert found(site, who="coordinator") == {"request.acknowledged"}
    assert found(site, from_at="2026-05-04T10:30") == {"request.acknowledged"}
    assert found(site, until="2026-05-04T10:30") == {"request.submitted"}
    assert found(site, from_at="2026-05-04T10:01", until="2026-05-04T10:30") == set()
    assert found(site, who="%") == set(), "a name, not a pattern"


def found(site: Site, **asked: str) -> set[str]:
    """What the page lists of request 1; the API must say the same."""
    client = site.client("auditor")
    page = client.get("/audit/", query_string={"subject": "request:1", **asked})
    text = page.get_data(as_text=True)
    listed = set(re.findall(r'<code class="whole faint">(request\.\w+)</code>', text))
    times = {
        name: datetime.fromisoformat(value).replace(tzinfo=BRUSSELS).isoformat()
        for name, value in asked.items()
        if name != "who"
    }
    answer = client.get(
        "/api/v1/audit", query_string={"subject": "request:1", **asked, **times}
    ).json
    assert answer is not None
    assert {row["action"] for row in answer["items"]} == listed
    return listed


def test_a_search_for_no_time_is_named_and_kept(site: Site) -> None:
    asked_and_acknowledged(site)
    page = site.client("auditor").get("/audit/?from_at=soon&who=zone").get_data(as_text=True)
    assert "Write a date and a time" in page
    assert 'value="zone"' in page
    assert site.client("auditor").get("/api/v1/audit?from_at=soon").status_code == 422


@pytest.mark.parametrize(
    ("typed", "aware"),
    [
        ("0001-01-01T00:00", "0001-01-01T00:00:00+14:00"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_a_time_at_the_edge_of_the_calendar_is_refused_and_breaks_nothing(
    site: Site, typed: str, aware: str
) -> None:
    client = site.client("auditor")
    asked = {"from_at": typed}
    assert "Write a date and a time" in client.get("/audit/", query_string=asked).text
    assert client.get("/api/v1/audit", query_string={"from_at": aware}).status_code == 422


def test_older_entries_are_those_of_the_same_search(site: Site) -> None:
    with db.session_scope(site.engine) as session:
        for _ in range(101):
            audit.append(session, site.actor("pilot"), action="test.done", subject="test:1", at=NOW)
    page = site.client("auditor").get("/audit/?who=pilot&action=test.").get_data(as_text=True)
    older = re.search(r'href="(/audit/\?before=[^"]+)"', page)
    assert older is not None
    last = site.client("auditor").get(unescape(older[1])).get_data(as_text=True)
    assert page.count("test.done</code>") == 100
    assert last.count("test.done</code>") == 1


def test_the_audit_says_actions_in_words_and_facts_in_their_own_letters(site: Site) -> None:
    worlds.ask(site, title="Recherche d’une personne âgée")
    page = site.client("auditor", "fr").get("/audit/?subject=request:1").get_data(as_text=True)
    assert "demande\u00a0: introduite" in page
    assert "Recherche d’une personne âgée" in page
    assert "\\u00e9" not in page
    facts = re.search(r"<code>start_at</code>\u00a0: ([^<]*)<", page)
    assert facts is not None
    assert facts[1].endswith("CEST")


def test_every_action_of_the_audit_has_its_words() -> None:
    """Every action that a source names, but for those made of a state or of a step of custody."""
    root = Path(droneteam.__file__).parent
    named = set()
    for path in root.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and "audit" in ast.unparse(call.func):
                given = [*call.args, *(one.value for one in call.keywords)]
                named |= {one.value for one in given if isinstance(one, ast.Constant)}
    actions = {one for one in named if isinstance(one, str) and ACTION.fullmatch(one)}
    assert len(actions) > 40
    assert actions - set(audit_words.ACTIONS) == set()
    assert set(audit_words.ACTIONS).isdisjoint(f"request.{state}" for state in RequestState)
