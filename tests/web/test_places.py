"""A place by its address: for people with and without scripts, for programs, and in lists."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from droneteam import accounts, db
from droneteam.places import service as places
from tests.places.streets import write
from tests.web.conftest import NOW, Site, csrf_token
from tests.web.test_fleet_pages import FORM, post

COURONNE = "Avenue de la Couronne 227, 1050 Ixelles"


@pytest.fixture
def known(site: Site, tmp_path: Path) -> Site:
    """The site with the small address register."""
    with db.session_scope(site.engine) as session:
        file = write(tmp_path / "addresses.csv")
        places.load_addresses(session, accounts.SYSTEM, file, "register, May 2026", NOW)
    return site


def found(client: FlaskClient, text: str) -> list[dict[str, object]]:
    answer = client.get(f"/api/v1/places?q={quote(text)}")
    assert answer.status_code == 200
    items: list[dict[str, object]] = answer.get_json()["items"]
    return items


def test_a_program_asks_where_an_address_is(known: Site) -> None:
    best = found(known.client("requester", "fr"), "couronne 227")[0]
    assert (best["kind"], best["label"], best["note"]) == ("address", COURONNE, "")
    assert best["lat_deg"] == pytest.approx(50.81865)


def test_the_names_on_the_map_are_known_without_a_register(site: Site) -> None:
    best = found(site.client("pilot", "nl"), "ter kamerenbos")[0]
    assert best["label"] == "Ter Kamerenbos"
    assert isinstance(best["radius_m"], float)
    assert 200.0 <= best["radius_m"] < 3_000.0


def test_a_question_without_text_is_refused_and_one_that_fits_nothing_is_empty(site: Site) -> None:
    client = site.client("requester")
    assert client.get("/api/v1/places").status_code == 422
    assert client.get("/api/v1/places?q=" + "x" * 201).status_code == 422
    assert found(client, "zzzz qqqq") == []
    assert site.client().get("/api/v1/places?q=loi").status_code == 401


def test_without_scripts_an_address_is_found_chosen_and_sent(known: Site) -> None:
    client = known.client("requester", "fr")
    typed = {**FORM, "lat_deg": "", "lon_deg": "", "address": "couronne 227"}
    status, page = post(client, "/requests/new", **typed, how="find")
    assert status == 200
    assert 'value="Market square on Sunday"' in page
    choice = re.search(r'name="choose" value="([^"]+)"', page)
    assert choice is not None
    assert choice.group(1) == f"50.818650 4.380000 {COURONNE}"
    status, page = post(client, "/requests/new", **typed, choose=choice.group(1))
    assert (status, f'value="{COURONNE}"' in page, 'value="50.818650"' in page) == (200, True, True)
    sent = {**FORM, "lat_deg": "50.818650", "lon_deg": "4.380000", "address": COURONNE}
    status, page = post(client, "/requests/new", **sent, how="send")
    assert (status, f"<dd>{COURONNE}</dd>" in page) == (200, True)
    stored = client.get("/api/v1/requests/1").get_json()
    assert (stored["address"], stored["lat_deg"]) == (COURONNE, 50.81865)


def test_what_is_not_known_exactly_is_said_before_it_is_taken(known: Site) -> None:
    client = known.client("requester")
    _, page = post(client, "/requests/new", **{**FORM, "address": "rue de la loi 151"}, how="find")
    assert "Number 151 is not known; this is the nearest." in page
    assert "tap the exact place" in page
    _, page = post(client, "/requests/new", **{**FORM, "address": "zzzz"}, how="find")
    assert "No place of that name is known." in page


def test_asking_again_keeps_the_address(known: Site) -> None:
    client = known.client("requester")
    post(client, "/requests/new", **FORM, address=COURONNE, how="send")
    assert f'value="{COURONNE}"' in client.get("/requests/new?again=1").get_data(as_text=True)


def test_a_list_may_say_addresses_instead_of_coordinates(known: Site) -> None:
    head = "title;kind;priority;start;end;address;legal_basis;contact"
    rest = "event;P3;2026-05-20 20:00;2026-05-20 23:00"
    lines = [
        f"Match;{rest};{COURONNE};LFP;desk",
        f"Crossing;{rest};Couronne / Wavre;LFP;desk",
        f"Two towns;{rest};rue de l'église 1;LFP;desk",
    ]
    client = known.client("requester")
    body = {"text": "\n".join([head, *lines]) + "\n", "store": True, "partial": True}
    answer = client.post(
        "/api/v1/requests/list", json=body, headers={"X-CSRFToken": csrf_token(client)}
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    told = answer.get_json()["lines"]
    assert [one["verdict"] for one in told] == ["new", "new", "wrong"]
    assert "fits several places" in told[2]["problem"]
    stored = client.get("/api/v1/requests/1").get_json()
    assert (stored["lat_deg"], stored["address"]) == (50.81865, COURONNE)
    crossing = client.get("/api/v1/requests/2").get_json()
    assert (crossing["lat_deg"], crossing["lon_deg"]) == pytest.approx((50.825, 4.38), abs=2e-4)
