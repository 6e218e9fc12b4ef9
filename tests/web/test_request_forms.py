"""Forms of a request that are not accepted: what was typed stays, and who was overtaken is told."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from droneteam import db
from droneteam.fleet import service as fleet
from tests.web import worlds
from tests.web.conftest import Site, csrf_token

WHOLE = {
    "title": "Collision",
    "kind": "reconnaissance",
    "priority": "P3",
    "start_at": "2026-05-16T14:00",
    "end_at": "2026-05-16T16:00",
    "lat_deg": "50,8467",
    "lon_deg": "4,3525",
    "legal_basis": "CPP 44/11",
    "contact": "officer 3",
}


def press(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    return client.post(path, data={"csrf_token": csrf_token(client), **fields})


def page(answer: TestResponse) -> str:
    return unescape(answer.get_data(as_text=True))


def states(site: Site) -> dict[int, str]:
    with db.read_scope(site.engine) as session:
        rows = fleet.list_requests(session, site.actor("requester"), site.clock())
    return {row.id: str(row.state) for row in rows}


def test_what_was_assessed_without_a_reason_comes_back_open_with_the_choice(site: Site) -> None:
    worlds.ask(site)
    answer = press(site.client("coordinator", "nl"), "/requests/1/triage", priority="P3", reason="")
    text = page(answer)
    assert answer.status_code == 422
    opened = text.split('<details class="no-print" open>', 1)[1].split("</details>", 1)[0]
    assert 'value="P3" selected' in opened
    assert 'aria-invalid="true"' in opened


def test_a_second_coordinator_is_told_and_reads_what_was_typed(site: Site) -> None:
    worlds.ask(site)
    first, second = site.client("coordinator"), site.client("coordinator")
    assert press(first, "/requests/1/refuse", reason="no crew that week").status_code == 302
    answer = press(second, "/requests/1/triage", priority="P2", reason="a child is hurt")
    assert answer.status_code == 409
    assert "Someone else changed this meanwhile" in page(answer)
    assert "a child is hurt" in page(answer)
    assert states(site) == {1: "refused"}


def test_a_class_that_was_given_too_quickly_is_given_again(site: Site) -> None:
    worlds.ask(site)
    client = site.client("coordinator")
    press(client, "/requests/1/triage", priority="P3", reason="only paint")
    assert press(client, "/requests/1/triage", priority="P1", reason="a child is hurt").status_code
    text = page(client.get("/requests/1"))
    assert "P1 → P3" in text
    assert "P3 → P1" in text


def test_an_assessment_that_somebody_else_gave_meanwhile_is_not_written_over(site: Site) -> None:
    worlds.ask(site)
    first, second = site.client("coordinator"), site.client("coordinator", "nl")
    press(first, "/requests/1/triage", priority="P0", reason="a child is hurt", seen="P1")
    answer = press(second, "/requests/1/triage", priority="P3", reason="only paint", seen="P1")
    assert answer.status_code == 409
    assert "aanvraag 1 werd intussen beoordeeld: ze is nu P0" in page(answer).lower().replace(
        "p0", "P0"
    )
    assert 'value="only paint"' in page(answer)
    assert 'name="seen" value="P0"' in page(answer)  # what the second one decides with now


def test_confirming_twice_is_confirming_once(site: Site) -> None:
    worlds.ask(site)
    worlds.publish(site)
    client = site.client("requester")
    for _ in range(2):
        assert press(client, "/requests/1/confirm").status_code == 302
    assert page(client.get("/requests/1")).count("</time>: confirmed") == 1


def test_a_file_of_another_kind_is_refused_beside_its_field(site: Site) -> None:
    worlds.ask(site)
    client = site.client("requester", "fr")
    file = (io.BytesIO(b"MZ\x00\x01"), "permis.pdf")
    data = {"csrf_token": csrf_token(client), "file": file}
    answer = client.post("/requests/1/attach", data=data, content_type="multipart/form-data")
    assert answer.status_code == 422
    problem = re.search(r'id="attach-file-problem">([^<]*)<', page(answer))
    assert problem is not None
    assert "Le fichier n’est ni PDF" in problem.group(1)


@pytest.mark.parametrize(
    ("times", "field"),
    [
        ({"from_at": "", "to_at": "2026-05-04T11:00"}, "from_at"),
        ({"from_at": "2026-05-04T11:00", "to_at": "2026-05-04T10:00"}, "to_at"),
        ({"from_at": "2020-01-01T10:00", "to_at": "2026-05-04T11:00"}, "from_at"),
    ],
)
def test_a_clock_does_not_stand_for_a_time_that_cannot_be(
    site: Site, times: dict[str, str], field: str
) -> None:
    worlds.ask(site)
    client = site.client("coordinator")
    file = (io.BytesIO(b"%PDF-1.7\n%%EOF"), "weather.pdf")
    data = {"csrf_token": csrf_token(client), "file": file}
    client.post("/requests/1/attach", data=data, content_type="multipart/form-data")
    what = {"clock": "on_scene", "code": "weather", "attachment_id": "1"}
    answer = press(client, "/requests/1/stop-clock", **what, **times)
    assert answer.status_code == 422
    assert f'id="stop-{field}-problem"' in page(answer)
    assert 'value="weather" selected' in page(answer)


def test_back_and_sent_again_is_one_request_and_says_so(site: Site) -> None:
    client = site.client("requester")
    assert press(client, "/requests/new", **WHOLE, submit_key="k").location == "/requests/1"
    assert press(client, "/requests/new", **WHOLE, submit_key="k").location == "/requests/1"
    assert "This was sent already" in page(client.get("/requests/1"))
    assert states(site) == {1: "submitted"}


def test_back_changed_and_sent_again_loses_nothing_in_silence(site: Site) -> None:
    client = site.client("requester")
    press(client, "/requests/new", **WHOLE, submit_key="k")
    changed = {**WHOLE, "end_at": "2026-05-16T18:00"}
    answer = press(client, "/requests/new", **changed, submit_key="k")
    text = page(answer)
    assert answer.status_code == 409
    assert "sent already, as request 1, without what you changed since" in text
    assert 'value="2026-05-16T18:00"' in text
    fresh = re.search(r'name="submit_key" value="([^"]+)"', text)
    assert fresh is not None
    again = press(client, "/requests/new", **changed, submit_key=fresh.group(1))
    assert again.location == "/requests/2"


def test_a_series_that_is_sent_again_is_known_by_its_first(site: Site) -> None:
    client = site.client("requester")
    weekly = {**WHOLE, "repeat": "WEEKLY", "times": "3", "submit_key": "k"}
    press(client, "/requests/new", **weekly)
    assert press(client, "/requests/new", **weekly).location == "/requests/1"
    assert sorted(states(site)) == [1, 2, 3]


@pytest.mark.parametrize("series", [{}, {"repeat": "WEEKLY", "times": "2"}])
def test_sending_an_opened_draft_leaves_no_draft_behind(site: Site, series: dict[str, str]) -> None:
    client = site.client("requester")
    press(client, "/requests/new", **{**WHOLE, "contact": ""}, how="draft")
    answer = press(client, "/requests/new", **WHOLE, **series, how="send", draft_id="1")
    assert answer.status_code == 302
    assert "draft" not in states(site).values()
    assert list(states(site).values()).count("submitted") == (2 if series else 1)


@pytest.mark.parametrize("times", ["", "abc", "0", "105", "1.5"])
def test_how_many_times_is_asked_for_as_a_number(site: Site, times: str) -> None:
    client = site.client("requester", "nl")
    answer = press(client, "/requests/new", **WHOLE, repeat="WEEKLY", times=times)
    assert answer.status_code == 422
    assert 'id="times-problem"' in page(answer)
    assert "FREQ" not in page(answer)


def test_the_answer_comes_without_scripts_too(site: Site) -> None:
    client = site.client("requester", "fr")
    answer = press(client, "/requests/new", **{**WHOLE, "contact": ""}, how="answer")
    text = page(answer)
    assert answer.status_code == 200
    assert "un drone et un pilote sont libres." in text
    assert 'value="Collision"' in text
    assert states(site) == {}


def test_an_unreadable_start_is_said_alone(site: Site) -> None:
    """On 29 March half past two does not exist; of the end nothing is wrong."""
    client = site.client("requester", "nl")
    night = {**WHOLE, "start_at": "2027-03-28T02:30", "end_at": "2027-03-28T04:30"}
    answer = press(client, "/requests/answer", **night).get_json()
    (reason,) = answer["reasons"]
    assert "bestaat niet" in reason


def test_a_zone_that_lost_its_drone_reads_it_first_and_the_coordinator_too(site: Site) -> None:
    at = {
        "start_at": site.clock() + timedelta(hours=6),
        "end_at": site.clock() + timedelta(hours=9),
    }
    for _ in range(7):
        worlds.ask(site, kind="event", priority="P4", polygon=(), **at)
    worlds.publish(site)
    worlds.ask(
        site, "neighbour", kind="search", title="Lost child", priority="P0", polygon=(), **at
    )
    worlds.publish(site)
    (lost,) = [number for number, state in states(site).items() if state == "displaced"]
    zone = site.client("requester", "nl")
    told = "De drone of de ploeg is elders nodig, voor een dringender aanvraag (P0)."
    assert told in page(zone.get("/requests/"))
    request = page(zone.get(f"/requests/{lost}"))
    assert request.count(told) == 2  # beside the plan, and in what happened
    assert "Lost child" not in request
    assert "/requests/8" not in request
    assert 'href="/requests/8"' in page(site.client("coordinator").get("/board/"))
    record = page(site.client("auditor").get(f"/records/request/{lost}"))
    assert "needed for request 8" in record
    (row,) = zone.get("/api/v1/displaced").get_json()["items"]
    assert (row["request_id"], row["by"]) == (lost, [])
    assert site.client("neighbour").get("/api/v1/displaced").get_json()["items"] == []
