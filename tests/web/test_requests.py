"""A zone's requests as pages: asking, the honest answer, clocks, and what goes wrong."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token

TYPED = {
    "title": "Collision of two cars",
    "kind": "photogrammetry",
    "priority": "P1",
    "start_at": "2026-05-04T14:00",
    "end_at": "2026-05-04T16:00",
    "lat_deg": "50,8197",
    "lon_deg": "4.3908",
    "polygon": "50.8198, 4.3905\n50.8198, 4.3911\n50.8195, 4.3911",
    "legal_basis": "CPP 44/11",
    "contact": "officer 3",
    "notes": "two lanes are closed",
}


def submit(site: Site, language: str = "en", **changed: str) -> tuple[int, str, str]:
    """(status, text, where to) of sending the form."""
    client = site.client("requester", language)
    data = {"csrf_token": csrf_token(client), **TYPED, **changed}
    answer = client.post("/requests/new", data=data)
    return answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location", "")


def test_a_request_is_sent_without_any_script_and_its_clocks_run(site: Site) -> None:
    status, _, location = submit(site)
    assert (status, location) == (302, "/requests/1")
    text = site.client("requester").get(location).get_data(as_text=True)
    assert "Collision of two cars" in text
    assert "Acknowledgement" in text
    assert text.count("data-clock ") >= 2
    assert "14:00" in text
    assert "CEST" in text


def test_a_local_time_and_a_decimal_comma_reach_the_service_as_meant(site: Site) -> None:
    submit(site)
    view = site.client("requester").get("/api/v1/requests/1").get_json()
    assert view["start_at"] == "2026-05-04T12:00:00+00:00"
    assert view["lat_deg"] == 50.8197
    assert view["polygon"][0] == [50.8198, 4.3905]


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"end_at": "2026-05-04T13:00"}, "end_at", "The end must be after the start."),
        ({"end_at": "2026-05-04T14:00"}, "end_at", "The end must be after the start."),
        ({"start_at": "soon"}, "start_at", "Write a date and a time"),
        ({"lat_deg": "95"}, "lat_deg", "Between -90 and 90."),
        ({"lat_deg": ""}, "lat_deg", "Fill this in."),
        ({"polygon": "50.8, 4.3\n50.9, 4.4"}, "polygon", "at least three corners"),
        ({"polygon": "here"}, "polygon", "Line 1 is not"),
        ({"legal_basis": " "}, "legal_basis", "Fill this in."),
        ({"kind": "pizza"}, "kind", "Choose one of"),
        ({"title": "x" * 201}, "title", "At most 200 characters."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    site: Site, changed: dict[str, str], field: str, message: str
) -> None:
    status, text, _ = submit(site, **changed)
    assert status == 422
    assert f'id="{field}-problem"' in text or field == "kind"
    assert message in text
    assert "two lanes are closed" in text
    assert 'value="officer 3"' in text
    assert site.client("requester").get("/api/v1/requests/").get_json() == {"items": []}


def test_a_wrong_request_is_explained_in_the_visitors_language(site: Site) -> None:
    end = "2026-05-04T13:00"
    assert "La fin doit suivre le début." in submit(site, "fr", end_at=end)[1]
    assert "Het einde moet na het begin liggen." in submit(site, "nl", end_at=end)[1]


def test_typed_markup_stays_text(site: Site) -> None:
    title = '<img src=x onerror="alert(1)">'
    submit(site, title=title)
    for path in ("/requests/1", "/requests/"):
        text = site.client("requester").get(path).get_data(as_text=True)
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text


def test_the_answer_comes_while_typing_and_stores_nothing(site: Site) -> None:
    client = site.client("requester")
    data = {"csrf_token": csrf_token(client), **TYPED}
    answer = client.post("/requests/answer", data=data).get_json()
    assert answer["verdict"] in {"yes", "maybe", "no"}
    assert answer["headline"]
    assert answer["reasons"]
    assert client.get("/api/v1/requests/").get_json() == {"items": []}


def test_the_answer_needs_neither_title_nor_contact(site: Site) -> None:
    client = site.client("requester")
    data = {
        "csrf_token": csrf_token(client),
        **TYPED,
        "title": "",
        "contact": "",
        "legal_basis": "",
    }
    assert client.post("/requests/answer", data=data).get_json()["verdict"] != "incomplete"


def test_the_time_that_a_refusal_offers_is_one_that_is_then_accepted(site: Site) -> None:
    """By night a task of daylight has no place; what is offered is as long, later, and free."""
    client = site.client("requester")
    night = {"start_at": "2026-05-06T23:30", "end_at": "2026-05-07T01:10"}
    typed = {"csrf_token": csrf_token(client), **TYPED, "kind": "photogrammetry", **night}
    refused = client.post("/requests/answer", data=typed).get_json()
    assert refused["verdict"] != "yes"
    start, end = (datetime.fromisoformat(refused["free"][name]) for name in ("start_at", "end_at"))
    assert end - start == timedelta(hours=1, minutes=40)
    assert "2026-05-07T05:00" <= refused["free"]["start_at"] <= "2026-05-07T12:00"
    taken = client.post("/requests/answer", data={**typed, **refused["free"]}).get_json()
    assert (taken["verdict"], "free" in taken) == ("yes", False)


def test_an_answer_that_cannot_be_given_yet_names_what_is_missing(site: Site) -> None:
    client = site.client("requester")
    data = {"csrf_token": csrf_token(client), **TYPED, "lat_deg": ""}
    answer = client.post("/requests/answer", data=data).get_json()
    assert answer["verdict"] == "incomplete"
    assert answer["reasons"] == ["Latitude: Fill this in."]


def test_a_clock_that_has_run_out_is_shown_as_late(site: Site) -> None:
    worlds.ask(site)
    site.clock.forward(hours=2)
    text = site.client("requester").get("/requests/1").get_data(as_text=True)
    assert "late by" in text


def test_acknowledging_stops_its_clock(site: Site) -> None:
    worlds.ask(site)
    site.clock.forward(minutes=1)
    client = site.client("coordinator")
    client.post("/requests/1/acknowledge", data={"csrf_token": csrf_token(client)})
    text = site.client("requester").get("/requests/1").get_data(as_text=True)
    assert "met at" in text
    assert "received" in text


def test_cancelling_asks_for_a_reason_and_cannot_be_done_twice(site: Site) -> None:
    worlds.ask(site)
    client = site.client("requester")
    data = {"csrf_token": csrf_token(client), "code": "weather"}
    assert client.post("/requests/1/cancel", data=data).status_code == 302
    assert "cancelled" in client.get("/requests/1").get_data(as_text=True)
    answer = client.post("/requests/1/cancel", data=data)
    assert answer.status_code == 409
    assert "Nothing was overwritten" in answer.get_data(as_text=True)


def test_a_form_sent_twice_makes_one_request(site: Site) -> None:
    first = submit(site, submit_key="form-1")
    assert submit(site, submit_key="form-1")[2] == first[2]
    assert len(site.client("requester").get("/api/v1/requests/").get_json()["items"]) == 1


def test_a_past_request_can_be_asked_again_with_a_new_time(site: Site) -> None:
    submit(site)
    text = site.client("requester").get("/requests/new?again=1").get_data(as_text=True)
    assert 'value="Collision of two cars"' in text
    assert 'value="2026-05-04T11:00"' in text
    assert "50.819800, 4.390500" in text
    assert site.client("neighbour").get("/requests/new?again=1").status_code == 404


def test_an_assignment_is_shown_with_its_reasons(site: Site) -> None:
    worlds.ask(site)
    worlds.publish(site)
    for language, heading in (("en", "Why so"), ("fr", "Pourquoi ainsi"), ("nl", "Waarom zo")):
        text = site.client("requester", language).get("/requests/1").get_data(as_text=True)
        reasons = text.split(heading, 1)[1].split("</ul>", 1)[0]
        assert reasons.count("<li>") >= 2
        assert "drone-" in reasons


def test_open_requests_stand_before_closed_ones(site: Site) -> None:
    worlds.ask(site, title="first, cancelled", start_at=NOW + timedelta(hours=1))
    worlds.ask(site, title="second, open", start_at=NOW + timedelta(hours=2))
    client = site.client("requester")
    client.post(
        "/requests/1/cancel", data={"csrf_token": csrf_token(client), "code": "requester_withdrew"}
    )
    text = client.get("/requests/").get_data(as_text=True)
    assert re.search("second, open.*first, cancelled", text, re.S)
