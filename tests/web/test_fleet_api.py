"""What programs do with the fleet: series, lists, files, clocks, the registry and its upkeep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from icalendar import Calendar

from droneteam import db
from droneteam.accounts import SYSTEM
from droneteam.fleet import models
from droneteam.fleet import service as fleet
from droneteam.fleet.reference import SLA_V1
from tests.web import worlds
from tests.web.conftest import Site
from tests.web.test_access import DRAFT_BODY

ASKED = {**DRAFT_BODY, "legal_basis": "LFP 25/3", "contact": "desk"}
REQUESTS = "/api/v1/requests"
REGISTRY = "/api/v1/registry"


@dataclass(slots=True)
class Program:
    """A program that acts for a login."""

    client: FlaskClient

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = self.client.open(path, method=method, json=body)
        return answer.status_code, answer.get_json(silent=True)


@pytest.fixture
def as_role(site: Site) -> Any:
    site.app.config["WTF_CSRF_METHODS"] = set()
    return lambda login: Program(site.client(login))


def test_a_rule_becomes_a_series_once_on_the_wall_clock(as_role: Any) -> None:
    zone, neighbour = as_role("requester"), as_role("neighbour")
    first = {**ASKED, "start_at": "2026-10-18T18:00:00Z", "end_at": "2026-10-18T21:00:00Z"}
    body = {"request": first, "rule": "FREQ=WEEKLY;COUNT=3", "without": ["2026-11-01"]}
    headers = {"Idempotency-Key": "autumn"}
    made = [zone.client.post(f"{REQUESTS}/series", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201]
    one, again = (answer.get_json()["items"] for answer in made)
    assert [row["id"] for row in one] == [row["id"] for row in again]
    starts = [row["start_at"] for row in one]
    assert starts == ["2026-10-18T18:00:00+00:00", "2026-10-25T19:00:00+00:00"]  # winter time
    path = f"{REQUESTS}/series/{one[0]['series']}"
    assert zone("GET", path)[0] == 200
    assert neighbour("GET", path)[0] == 404
    status, found = zone("POST", f"{path}/cancel", {"code": "event_cancelled"})
    assert (status, {row["state"] for row in found["items"]}) == (200, {"cancelled"})


BAD_SERIES: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "rule"),
    ({"rule": "FREQ=WEEKLY"}, "repeat"),
    ({"rule": "FREQ=HOURLY;COUNT=2"}, "repeat"),
    ({"rule": "FREQ=DAILY;COUNT=9", "slots": [{"start_at": 1, "end_at": 2}]}, "slots"),
    (
        {
            "slots": [
                {"start_at": "2026-06-01T08:00:00Z", "end_at": "2026-06-01T10:00:00Z"},
                {"start_at": "2026-06-01T09:00:00Z", "end_at": "2026-06-01T11:00:00Z"},
            ]
        },
        "slots",
    ),
)


def test_a_series_that_cannot_be_names_its_member(as_role: Any) -> None:
    zone = as_role("requester")
    for changes, field in BAD_SERIES:
        status, found = zone("POST", f"{REQUESTS}/series", {"request": ASKED, **changes})
        assert status == 422, changes
        assert field in found["errors"]


def test_a_list_is_judged_then_stored_whole_or_in_part(as_role: Any) -> None:
    zone = as_role("requester")
    text = (
        "title;kind;priority;start;end;lat;lon;legal_basis;contact\n"
        "Match;event;P3;2026-05-20 20:00;2026-05-20 23:00;50.834;4.298;LFP;desk\n"
        "Fair;party;P3;2026-05-21 10:00;2026-05-21 12:00;50.8;4.3;LFP;desk\n"
    )
    status, found = zone("POST", f"{REQUESTS}/list", {"text": text})
    assert (status, found["stored"]) == (200, False)
    assert [(row["verdict"], row["field"]) for row in found["lines"]] == [
        ("new", ""),
        ("wrong", "kind"),
    ]
    _, found = zone("POST", f"{REQUESTS}/list", {"text": text, "store": True})
    assert not found["stored"]
    body = {"text": text, "store": True, "partial": True}
    _, found = zone("POST", f"{REQUESTS}/list", body)
    assert (found["stored"], found["lines"][0]["request_id"]) == (True, 1)
    _, found = zone("POST", f"{REQUESTS}/list", body)
    assert found["lines"][0]["verdict"] == "known"


@pytest.mark.slow
def test_a_draft_is_kept_replaced_and_submitted(as_role: Any) -> None:
    zone, coordinator = as_role("requester"), as_role("coordinator")
    status, made = zone("POST", f"{REQUESTS}/drafts", DRAFT_BODY)
    assert (status, made["state"], made["clocks"]) == (201, "draft", [])
    path = f"{REQUESTS}/drafts/{made['id']}"
    assert zone("POST", f"{path}/submit")[0] == 422
    assert coordinator("GET", f"{REQUESTS}/{made['id']}")[0] == 404
    assert zone("PUT", path, ASKED)[0] == 200
    status, sent = zone("POST", f"{path}/submit")
    assert (status, sent["state"]) == (200, "submitted")
    assert zone("PUT", path, ASKED)[0] == 409


def test_a_request_goes_its_way_to_partly_done(as_role: Any) -> None:
    zone, coordinator, pilot = (as_role(r) for r in ("requester", "coordinator", "pilot"))
    _, made = zone("POST", f"{REQUESTS}/", ASKED)
    path = f"{REQUESTS}/{made['id']}"
    assert coordinator("POST", f"{path}/triage", {"priority": "P2"})[0] == 422  # why?
    change = {"priority": "P2", "reason": "a minister comes"}
    assert coordinator("POST", f"{path}/triage", change)[1]["priority"] == "P2"
    assert pilot("POST", f"{path}/state", {"state": "in_progress"})[0] == 409
    assert zone("POST", f"{path}/book")[1]["assignment"] is not None
    assert zone("POST", f"{path}/confirm")[1]["state"] == "confirmed"
    assert zone("POST", f"{path}/state", {"state": "in_progress"})[0] == 403
    for state in ("in_progress", "partly"):
        assert pilot("POST", f"{path}/state", {"state": state})[1]["state"] == state
    steps = zone("GET", f"{path}/history")[1]["items"]
    assert [step["state"] for step in steps] == [
        "submitted",
        "triaged",
        "planned",
        "confirmed",
        "in_progress",
        "partly",
    ]
    assert coordinator("POST", f"{path}/refuse", {"reason": "late"})[0] == 409


def test_a_clock_stops_on_a_file_that_is_attached_and_on_nothing_else(as_role: Any) -> None:
    zone, coordinator = as_role("requester"), as_role("coordinator")
    _, made = zone("POST", f"{REQUESTS}/", ASKED)
    path = f"{REQUESTS}/{made['id']}"
    files = f"{path}/attachments"
    report = b"%PDF-1.7 storm"
    answer = coordinator.client.post(f"{files}?name=../KMI.pdf", data=report)
    assert (answer.status_code, answer.get_json()["name"]) == (201, "KMI.pdf")
    kept = answer.get_json()
    assert coordinator.client.post(f"{files}?name=x", data=b"MZ\x90\x00").status_code == 422
    assert coordinator.client.post(f"{files}?name=x", data=b"").status_code == 422
    assert zone("GET", files)[1]["items"] == [kept]
    with zone.client.get(f"{REQUESTS}/attachments/{kept['id']}") as read:
        assert read.data == report
    stop = {
        "clock": "on_scene",
        "code": "weather",
        "from_at": "2026-05-19T08:00:00Z",
        "to_at": "2026-05-19T10:00:00Z",
        "attachment_id": kept["id"],
    }
    for wrong in (
        {"attachment_id": 99},
        {"code": "hunger"},
        {"clock": "lunch"},
        {"to_at": "2026-05-19T07:00:00Z"},
    ):
        assert coordinator("POST", f"{path}/stops", {**stop, **wrong})[0] == 422
    before = {row["name"]: row["due_at"] for row in zone("GET", path)[1]["clocks"]}
    assert coordinator("POST", f"{path}/stops", stop)[0] == 200
    assert zone("POST", f"{path}/stops", stop)[0] == 403
    assert set(before) == {"acknowledge", "decision", "on_scene"}


def test_an_airspace_is_asked_granted_and_binding(site: Site, as_role: Any) -> None:
    asked = worlds.ask(site)
    coordinator, zone = as_role("coordinator"), as_role("requester")
    path = f"{REQUESTS}/{asked.id}/airspace"
    assert zone("GET", path)[1] == {"items": []}
    assert coordinator("POST", path, {"state": "asked"})[0] == 422
    assert coordinator("POST", path, {"state": "asked", "authority": "skeyes"})[0] == 201
    booked = zone("POST", f"{REQUESTS}/{asked.id}/book")[1]
    assert [reason["code"] for reason in booked["reasons"]] == ["airspace.asked"]
    granted = {
        "state": "granted",
        "authority": "skeyes",
        "reference": "SK-7",
        "from_at": "2026-05-04T10:00:00Z",
        "until_at": "2026-05-04T14:00:00Z",
    }
    assert coordinator("POST", path, granted)[0] == 201
    assert zone("POST", f"{REQUESTS}/{asked.id}/book")[1]["assignment"] is not None
    assert as_role("neighbour")("GET", path)[0] == 404


def test_weather_comes_in_and_says_what_plans_reckon_with(as_role: Any) -> None:
    pilot = as_role("pilot")
    period = {
        "start_at": "2026-05-05T06:00:00Z",
        "end_at": "2026-05-05T12:00:00Z",
        "gust_mps": 15.0,
        "rain_mm_h": 0.0,
    }
    body = {"source": "KMI", "issued_at": "2026-05-04T06:00:00Z", "periods": [period]}
    assert pilot("POST", "/api/v1/weather", body)[0] == 201
    assert pilot("POST", "/api/v1/weather", body)[0] == 201  # again changes nothing
    later = {**body, "issued_at": "2026-05-04T07:00:00Z"}
    later["periods"] = [{**period, "start_at": "2026-05-05T09:00:00Z", "gust_mps": 6.0}]
    assert pilot("POST", "/api/v1/weather", later)[0] == 201
    expected = pilot("GET", "/api/v1/weather/expected")[1]["items"]
    assert [(row["start_at"][11:13], row["gust_mps"]) for row in expected] == [
        ("06", 15.0),
        ("09", 6.0),
    ]
    assert len(pilot("GET", "/api/v1/weather")[1]["items"]) == 2
    wrong = {**body, "periods": [{**period, "end_at": period["start_at"]}]}
    assert pilot("POST", "/api/v1/weather", wrong)[0] == 422
    assert as_role("requester")("POST", "/api/v1/weather", body)[0] == 403


@pytest.mark.slow
def test_speed_tables_are_read_and_set(as_role: Any) -> None:
    manager = as_role("manager")
    table = {
        "bands": [[5.0, 15.0], [50.0, 30.0]],
        "detour": 1.4,
        "emergency_factor": 1.3,
        "effective_from": "2026-05-05T00:00:00Z",
        "reason": "measured",
    }
    assert manager("POST", "/api/v1/speeds", table)[0] == 201
    assert manager("POST", "/api/v1/speeds", {**table, "bands": [[5.0, 15.0]] * 2})[0] == 422
    rows = manager("GET", "/api/v1/speeds")[1]["items"]
    assert rows[0]["bands"] == table["bands"]
    assert rows[-1]["id"] is None


def test_the_registry_is_carried_by_a_program_and_records_follow_its_rules(as_role: Any) -> None:
    manager, administrator = as_role("manager"), as_role("administrator")
    document = manager("GET", REGISTRY)[1]
    assert len(document["drones"]) == 10
    status, done = administrator("POST", f"{REGISTRY}/import", document)
    assert (status, done) == (200, {"added": {}, "changed": {}})
    assert manager("POST", f"{REGISTRY}/import", document)[0] == 403
    assert administrator("POST", f"{REGISTRY}/import", {"format": "x"})[0] == 422
    drone = {**document["drones"][0], "sensitive_allowed": False}
    coordinator = as_role("coordinator")
    put = f"{REGISTRY}/records/drones"
    assert coordinator("PUT", put, drone)[1]["changed"] == {"drones": 1}
    assert coordinator("PUT", put, {**drone, "cycles": 1})[0] == 422
    assert coordinator("PUT", put, {"name": "x"})[0] == 422
    assert coordinator("PUT", f"{REGISTRY}/records/zebras", drone)[0] == 404
    detail = coordinator("GET", f"{REGISTRY}/drones/1")[1]
    assert not detail["drone"]["sensitive_allowed"]
    assert json.dumps(detail["rules"])


@pytest.mark.slow
def test_upkeep_by_a_program_is_the_same_as_on_the_pages(as_role: Any) -> None:
    pilot, coordinator = as_role("pilot"), as_role("coordinator")
    made = pilot("POST", f"{REGISTRY}/drones/1/defects", {"text": "cracked arm"})[1]
    release = f"{REGISTRY}/defects/{made['id']}/release"
    assert pilot("POST", release)[0] == 403
    assert coordinator("POST", release)[0] == 204
    assert coordinator("POST", release)[0] == 409
    done = {"rule": "inspection", "text": "all screws"}
    assert pilot("POST", f"{REGISTRY}/drones/1/services", done)[0] == 204
    assert pilot("POST", f"{REGISTRY}/payloads/11/mount", {"drone_id": 9})[0] == 409
    assert pilot("POST", f"{REGISTRY}/payloads/11/mount", {"drone_id": 1})[0] == 204
    assert pilot("GET", f"{REGISTRY}/mountings")[1]["items"][0]["drone_id"] == 1
    assert {row["drone_id"] for row in pilot("GET", f"{REGISTRY}/payloads")[1]["items"]} >= {1}
    pack = f"{REGISTRY}/batteries/1"
    assert pilot("POST", f"{pack}/measurements", {"health_pct": 84, "cycles": 200})[0] == 204
    assert pilot("GET", f"{pack}/measurements")[1]["items"][0]["health_pct"] == 84
    assert coordinator("POST", f"{pack}/retire", {"reason": "swollen"})[0] == 204
    limits = {"model": "Mini 4 Pro", "max_gust_mps": 8.0, "max_rain_mm_h": None}
    assert coordinator("PUT", f"{REGISTRY}/models", limits)[0] == 204
    assert coordinator("PUT", f"{REGISTRY}/models", {**limits, "model": "X"})[0] == 404
    models = {row["name"]: row for row in pilot("GET", f"{REGISTRY}/models")[1]["items"]}
    assert models["Mini 4 Pro"]["max_gust_mps"] == 8.0


@pytest.mark.slow
def test_licences_and_absences_by_a_program(as_role: Any) -> None:
    coordinator = as_role("coordinator")
    licence = {
        "kind": "STS-02",
        "number": "BEL-2",
        "valid_from": "2026-05-04",
        "valid_until": "2028-05-03",
    }
    path = f"{REGISTRY}/pilots/6"
    assert coordinator("POST", f"{path}/credentials", licence)[0] == 204
    assert coordinator("POST", f"{path}/credentials", licence)[0] == 409
    reverse = {**licence, "valid_until": "2026-05-01"}
    assert coordinator("POST", f"{path}/credentials", reverse)[0] == 422
    held = coordinator("GET", path)[1]["pilot"]["credentials"]
    (made,) = [row for row in held if row["number"] == "BEL-2"]
    end = {"last_on": "2026-05-10", "reason": "suspended"}
    assert coordinator("POST", f"{REGISTRY}/credentials/{made['id']}/end", end)[0] == 204
    away = {
        "start_at": "2026-05-05T06:00:00Z",
        "end_at": "2026-05-06T06:00:00Z",
        "kind": "leave",
    }
    assert coordinator("POST", f"{path}/absences", away)[0] == 204
    (absence,) = coordinator("GET", path)[1]["absences"]
    assert coordinator("POST", f"{REGISTRY}/absences/{absence['id']}/end")[0] == 204
    assert coordinator("GET", path)[1]["absences"] == []
    assert as_role("pilot")("GET", path)[0] == 404  # not the own record


@pytest.mark.slow
def test_notices_are_read_and_seen(site: Site, as_role: Any) -> None:
    with db.session_scope(site.engine) as session:
        session.get_one(models.Battery, 3).health_pct = 84
        fleet.raise_notices(session, SYSTEM, site.clock())
    coordinator = as_role("coordinator")
    (notice,) = coordinator("GET", f"{REGISTRY}/notices")[1]["items"]
    assert (notice["subject"], notice["reason"]["code"]) == ("battery:3", "pack.worn_soon")
    seen = f"{REGISTRY}/notices/{notice['id']}/seen"
    assert as_role("pilot")("POST", seen)[0] == 403
    assert coordinator("POST", seen)[0] == 204
    assert coordinator("POST", seen)[0] == 409
    assert coordinator("GET", f"{REGISTRY}/notices")[1] == {"items": []}


def test_an_agreement_once_used_takes_a_new_version(site: Site, as_role: Any) -> None:
    manager = as_role("manager")
    path = "/api/v1/agreement/versions"
    assert manager("PUT", f"{path}/1", {"document": SLA_V1})[0] == 200
    worlds.ask(site)
    status, problem = manager("PUT", f"{path}/1", {"document": SLA_V1})
    assert (status, "add a new version" in problem["detail"]) == (409, True)
    new = {"document": SLA_V1, "effective_from": "2026-06-01T00:00:00Z"}
    assert manager("POST", path, new)[1] == {"number": 2}
    assert manager("POST", path, {**new, "document": {}})[0] == 422
    assert manager("POST", path, {**new, "effective_from": "2026-01-01T00:00:00Z"})[0] == 422
    rows = manager("GET", path)[1]["items"]
    assert [(row["number"], row["used"]) for row in rows] == [(2, False), (1, True)]


def test_a_zone_lends_its_own_surplus(site: Site, as_role: Any) -> None:
    zone = as_role("requester")
    (own,) = zone("GET", "/api/v1/agreement/shares")[1]["items"]
    other = site.actor("neighbour").organisation_id
    loan = {"borrower_id": other, "crew_min": 120, "reason": "quiet spring"}
    assert zone("POST", "/api/v1/agreement/loans", loan)[0] == 204
    (after,) = zone("GET", "/api/v1/agreement/shares")[1]["items"]
    assert own["account"]["entitled_min"] - after["account"]["entitled_min"] == 120
    for wrong in (
        {"crew_min": 999_999},
        {"crew_min": 0},
        {"borrower_id": own["organisation_id"]},
        {"reason": " "},
    ):
        assert zone("POST", "/api/v1/agreement/loans", {**loan, **wrong})[0] == 422
    foreign = {**loan, "lender_id": other, "borrower_id": own["organisation_id"]}
    assert zone("POST", "/api/v1/agreement/loans", foreign)[0] == 403


def test_a_calendar_is_made_read_and_closed(site: Site, as_role: Any) -> None:
    worlds.ask(site)
    zone = as_role("requester")
    own = site.actor("requester").organisation_id
    status, made = zone("POST", "/api/v1/calendars", {"kind": "zone", "subject_id": own})
    assert status == 201
    text = site.client(None).get(made["address"]).data
    assert len(Calendar.from_ical(text).walk("VEVENT")) == 1
    assert zone("GET", "/api/v1/calendars")[1]["items"] == [made["feed"]]
    assert zone("POST", "/api/v1/calendars", {"kind": "drone", "subject_id": 1})[0] == 403
    end = f"/api/v1/calendars/{made['feed']['id']}/end"
    assert as_role("neighbour")("POST", end)[0] == 404
    assert zone("POST", end)[0] == 204
    assert site.client(None).get(made["address"]).status_code == 404
