"""What if, comparing, publishing, figures and explanations by program; and who may not."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from droneteam import audit, db
from droneteam.fleet import service as fleet
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token


def caller(site: Site, login: str, language: str = "en") -> tuple[FlaskClient, dict[str, str]]:
    client = site.client(login, language)
    return client, {"X-CSRFToken": csrf_token(client)}


def iso(hours: float) -> str:
    return (NOW + timedelta(hours=hours)).isoformat()


@pytest.fixture
def planned(site: Site) -> Site:
    """A plan in force for two requests of two zones."""
    worlds.ask(site)
    worlds.ask(
        site,
        "neighbour",
        kind="demonstration",
        title="March from Nord to Midi",
        priority="P2",
        polygon=(),
        lat_deg=50.8467,
        lon_deg=4.3525,
        start_at=NOW + timedelta(hours=4),
        end_at=NOW + timedelta(hours=7),
    )
    worlds.publish(site)
    return site


def given(client: FlaskClient, request_id: int, plan: str = "current") -> dict[str, Any]:
    rows = client.get(f"/api/v1/plans/{plan}").get_json()["assignments"]
    found: dict[str, Any] = next(row for row in rows if row["request_id"] == request_id)
    return found


def suppose(
    client: FlaskClient, headers: dict[str, str], *supposed: dict[str, Any], reason: str = "try"
) -> Any:
    body = {"supposed": list(supposed), "reason": reason}
    return client.post("/api/v1/what-if", json=body, headers=headers)


def test_a_request_is_put_on_another_pilot_compared_and_published_with_a_reason(
    planned: Site,
) -> None:
    client, headers = caller(planned, "coordinator")
    before = given(client, 2)
    pilots = [row["id"] for row in client.get("/api/v1/pilots").get_json()["items"]]
    busy = {*before["crew_ids"], *given(client, 1)["crew_ids"]}
    for pilot in (number for number in pilots if number not in busy):
        body = {"kind": "placed", "subject_id": 2, "pilot_ids": [pilot]}
        answer = suppose(client, headers, body)
        if answer.status_code == 201:
            break
        assert answer.get_json()["reasons"], "a refusal without its reasons"
    plan = answer.get_json()["plan"]
    assert plan["state"] == "draft"
    (row,) = client.get(f"/api/v1/plans/compare?plan={plan['id']}").get_json()["items"]
    (change,) = row["changes"]
    assert (change["request_id"], change["kinds"]) == (2, ["crew"])
    assert change["before"]["crew_ids"] == before["crew_ids"]
    assert change["after"]["crew_ids"] == [pilot]
    assert (row["churn"], row["churn_bound"]) == (1, 1)
    assert row["jain"] == row["jain_before"] == 1.0
    scenario = client.get(f"/api/v1/plans/{plan['id']}/scenario").get_json()
    assert scenario["supposed"][0]["pilot_ids"] == [pilot]
    path = f"/api/v1/plans/{plan['id']}/publish"
    bare = client.post(path, json={"base_plan_id": 1}, headers=headers)
    assert bare.status_code == 422
    assert "override" in bare.get_json()["detail"]
    body = {"base_plan_id": 1, "reason": "the pilot knows the route"}
    assert client.post(path, json=body, headers=headers).get_json()["state"] == "published"
    assert given(client, 2)["crew_ids"] == [pilot]
    with db.read_scope(planned.engine) as session:
        (entry,) = audit.entries(session, action="plan.override")
        assert entry.reason == "the pilot knows the route"


def test_what_cannot_be_is_answered_with_reasons_in_the_callers_language(planned: Site) -> None:
    for language, words in (("en", "within the window"), ("nl", "binnen het gevraagde tijdvak")):
        client, headers = caller(planned, "coordinator", language)
        body = {"kind": "placed", "subject_id": 2, "start_at": iso(8)}
        answer = suppose(client, headers, body)
        assert answer.status_code == 200
        found = answer.get_json()
        assert (found["plan"], found["refused_request_id"]) == (None, 2)
        assert [reason["code"] for reason in found["reasons"]] == ["pin.window"]
        assert words in found["sentences"][0]
    assert len(client.get("/api/v1/plans").get_json()["items"]) == 1


def test_a_draft_that_was_put_aside_is_published_by_nobody(planned: Site) -> None:
    client, headers = caller(planned, "coordinator")
    left_out = {"kind": "left_out", "subject_id": 1}
    plan = suppose(client, headers, left_out).get_json()["plan"]["id"]
    discard = f"/api/v1/plans/{plan}/discard"
    assert client.post(discard, headers=headers).get_json()["state"] == "discarded"
    assert client.post(discard, headers=headers).status_code == 409
    body = {"base_plan_id": 1, "reason": "after all"}
    answer = client.post(f"/api/v1/plans/{plan}/publish", json=body, headers=headers)
    assert answer.status_code == 409
    states = [row["state"] for row in client.get("/api/v1/plans").get_json()["items"]]
    assert states == ["discarded", "published"]
    assert client.post("/api/v1/plans/1/discard", headers=headers).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "placed", "subject_id": 1},
        {"kind": "placed", "subject_id": 1, "start_at": "2026-05-04T14:00:00"},
        {"kind": "drone_grounded", "subject_id": 1},
        {"kind": "drone_grounded", "subject_id": 1, "start_at": iso(2), "end_at": iso(1)},
        {"kind": "flood"},
        {"kind": "new_request", "start_at": iso(1), "end_at": iso(2), "lat_deg": 91},
    ],
)
def test_what_makes_no_supposition_is_refused(planned: Site, body: dict[str, Any]) -> None:
    client, headers = caller(planned, "coordinator")
    assert suppose(client, headers, body).status_code == 422


@pytest.mark.parametrize("reason", ["", "   ", "​", "\u00a0\t", "…", "x" * 501])
def test_no_override_without_a_reason_that_says_something(planned: Site, reason: str) -> None:
    """Spaces, invisible letters and mere dots are no reason, neither for the draft nor for it."""
    client, headers = caller(planned, "coordinator")
    left_out = {"kind": "left_out", "subject_id": 1}
    assert suppose(client, headers, left_out, reason=reason).status_code == 422
    plan = suppose(client, headers, left_out).get_json()["plan"]["id"]
    path = f"/api/v1/plans/{plan}/publish"
    body = {"base_plan_id": 1, "reason": reason}
    assert client.post(path, json=body, headers=headers).status_code == 422
    form = {"csrf_token": headers["X-CSRFToken"], "base": "1", "reason": reason}
    for page in (f"/what-if/plans/{plan}/publish", f"/board/plans/{plan}/publish"):
        assert client.post(page, data=form).status_code == 422, page
    assert given(client, 1), "still in force"


@pytest.mark.parametrize(
    "login", ["requester", "pilot", "manager", "auditor", "administrator", "investigator"]
)
def test_nobody_but_a_coordinator_overrides_by_any_door(planned: Site, login: str) -> None:
    """Every way to a plan, with a good token and a good reason, and with forged fields."""
    owner, owner_headers = caller(planned, "coordinator")
    left_out = {"kind": "left_out", "subject_id": 1}
    plan = suppose(owner, owner_headers, left_out).get_json()["plan"]["id"]
    client, headers = caller(planned, login)
    form = {
        "csrf_token": headers["X-CSRFToken"],
        "base": "1",
        "reason": "I say so",
        "role": "coordinator",
        "request_id": "1",
        "drone_id": "2",
    }
    body = {"base_plan_id": 1, "reason": "I say so", "roles": ["coordinator"]}
    tried = [
        client.post(
            "/api/v1/what-if", json={"supposed": [left_out], "reason": "r"}, headers=headers
        ),
        client.post(f"/api/v1/plans/{plan}/publish", json=body, headers=headers),
        client.post(f"/api/v1/plans/{plan}/discard", headers=headers),
        client.post("/what-if/", data=form),
        client.post("/what-if/place", data=form),
        client.post(f"/what-if/plans/{plan}/publish", data=form),
        client.post(f"/what-if/plans/{plan}/discard", data=form),
        client.post(f"/board/plans/{plan}/publish", data=form),
        client.post("/board/solve", data=form),
        client.post("/requests/1/triage", data={**form, "priority": "P0"}),
        client.post("/requests/1/refuse", data=form),
    ]
    assert {answer.status_code for answer in tried} == {403}
    assert given(owner, 1)
    assert owner.get(f"/api/v1/plans/{plan}").get_json()["state"] == "draft"


def test_an_override_without_its_token_does_not_pass(planned: Site) -> None:
    client, headers = caller(planned, "coordinator")
    left_out = {"kind": "left_out", "subject_id": 1}
    plan = suppose(client, headers, left_out).get_json()["plan"]["id"]
    body = {"base_plan_id": 1, "reason": "from another site"}
    assert client.post(f"/api/v1/plans/{plan}/publish", json=body).status_code == 400
    assert client.post(f"/what-if/plans/{plan}/publish", data={"base": "1"}).status_code == 400
    assert given(client, 1)


def test_the_plan_of_yesterday_does_not_overrule_what_came_after_it(planned: Site) -> None:
    client, headers = caller(planned, "coordinator")
    plan = suppose(client, headers, {"kind": "left_out", "subject_id": 1}).get_json()["plan"]["id"]
    worlds.ask(planned, title="came in meanwhile")
    with db.session_scope(planned.engine) as session:
        fleet.report_defect(session, planned.actor("pilot"), 3, "cracked arm", NOW)
    body = {"base_plan_id": 1, "reason": "still good"}
    answer = client.post(f"/api/v1/plans/{plan}/publish", json=body, headers=headers)
    assert answer.status_code == 409
    assert "solve again" in answer.get_json()["detail"]


def test_one_more_request_reports_its_churn(planned: Site) -> None:
    """A plan for one more request that has room changes nothing of the published one, proven."""
    client, headers = caller(planned, "coordinator")
    worlds.ask(planned, title="one more", priority="P3")
    plan = client.post("/api/v1/plans", headers=headers).get_json()
    (row,) = client.get(f"/api/v1/plans/compare?plan={plan['id']}").get_json()["items"]
    assert (row["churn"], row["churn_bound"]) == (0, 0)
    assert [change["kinds"] for change in row["changes"]] == [["won"]]
    text = client.get(f"/board/plans/{plan['id']}").get_data(as_text=True)
    assert "proven least among the best plans" in text


def test_an_escalation_is_seen_once_and_by_name(planned: Site) -> None:
    with db.session_scope(planned.engine) as session:
        at = NOW + timedelta(minutes=20)
        raised = fleet.raise_escalations(session, planned.actor("coordinator"), at)
    client, headers = caller(planned, "coordinator")
    path = f"/api/v1/escalations/{raised[0].id}/seen"
    assert client.post(path, headers=headers).status_code == 204
    assert client.post(path, headers=headers).status_code == 409
    left = client.get("/api/v1/escalations").get_json()["items"]
    assert raised[0].id not in {row["id"] for row in left}


def test_an_explanation_is_code_and_sentence_in_three_languages(planned: Site) -> None:
    expected = {"en": "Without ", "nl": "Zonder ", "fr": "Sans "}
    for language, word in expected.items():
        client, _ = caller(planned, "requester", language)
        found = client.get("/api/v1/requests/1/explanation").get_json()
        assert (found["verdict"], found["language"]) == ("served", language)
        assert len(found["why"]) == len(found["reasons"]) >= 3
        assert found["help"][0].startswith(word)
        page = client.get("/requests/1").get_data(as_text=True)
        assert found["help"][0] in page
    stranger, _ = caller(planned, "neighbour")
    assert stranger.get("/api/v1/requests/1/explanation").status_code == 404


def test_the_years_figures_are_the_same_by_program_and_in_the_report(planned: Site) -> None:
    client, _ = caller(planned, "manager")
    found = client.get("/api/v1/figures?year=2026").get_json()
    assert found["counts"] == {"requests": 2, "missions": 0, "sorties": 0, "flights": 0}
    assert found["requests_by_kind"]["photogrammetry"] == 1
    assert client.get("/api/v1/figures").get_json() == found
    for language, title in (("nl", "Jaarverslag 2026"), ("fr", "Rapport annuel 2026")):
        answer = client.get(f"/api/v1/figures/report.csv?year=2026&language={language}")
        rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))
        assert rows[0][0] == title
        assert answer.mimetype == "text/csv"
    answer = client.get("/api/v1/figures/report.pdf?year=2026&language=fr")
    assert answer.data.startswith(b"%PDF-1.7")
    sizes = client.get("/api/v1/figures/sizes?year=2026&drones=3&drones=10").get_json()["items"]
    assert [row["drones"] for row in sizes] == [3, 10]
    for wrong in ("?year=1999", "?year=x", "/sizes?drones=0", "/sizes?drones=201"):
        assert client.get(f"/api/v1/figures{wrong}").status_code == 422
    assert client.get("/statistics/2026/sizes?drones=0").status_code == 422
