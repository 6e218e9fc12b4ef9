"""A plan is changed: its form comes back as it was typed, and the new mission takes its place."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from droneteam import audit, db
from droneteam.missions import service as missions
from droneteam.missions.models import Mission
from tests.web import worlds
from tests.web.conftest import Site, csrf_token
from tests.web.test_missions import FORM

NEW = "/missions/new/1"
TYPED = {
    **FORM,
    "pattern": "free",
    "known": "",
    "alt_home_m": "40",
    "stay_s": "7",
    "photo": "1",
    "orbit": "",
    "wind_mps": "4",
    "people": "50.8217, 4.3950",
    "receiver": "gps",
}
"""Waypoints, which are planned in a moment; fields of other patterns are kept, too."""


@pytest.fixture
def planned(site: Site) -> Site:
    """A mission that a pilot planned by the form, number 1."""
    worlds.ask(site)
    worlds.publish(site)
    assert send(site.client("pilot"), TYPED).status_code == 302
    return site


def send(client: FlaskClient, form: dict[str, str]) -> Any:
    return client.post(NEW, data={**form, "csrf_token": csrf_token(client)})


def fields(page: str) -> dict[str, str]:
    """What a browser would send of the planning form, by name."""
    form = page.split('id="planner"', 1)[1].split("</form>", 1)[0]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        values = {name: html.unescape(text) for name, text in re.findall(r'(\w+)="([^"]*)"', tag)}
        ticked = values.get("type") != "checkbox" or re.search(r"\schecked\b", tag) is not None
        if ticked and values.get("name"):
            found[values["name"]] = values.get("value", "")
    for name, text in re.findall(r'<textarea[^>]*name="(\w+)"[^>]*>(.*?)</textarea>', form, re.S):
        found[name] = html.unescape(text)
    for name, options in re.findall(r'<select[^>]*name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        if chosen is not None:
            found[name] = chosen.group(1)
    return found


def states(site: Site) -> dict[int, str]:
    with db.read_scope(site.engine) as session:
        listed = missions.list_missions(session, site.actor("coordinator"))
    return {one.id: one.state.value for one in listed}


def again(site: Site, number: int = 1) -> dict[str, str]:
    return fields(site.client("pilot").get(f"{NEW}?from={number}").get_data(as_text=True))


def test_the_form_comes_back_as_it_was_typed(planned: Site) -> None:
    form = again(planned)
    for name in TYPED.keys() - {"known", "orbit"}:
        assert form[name] == TYPED[name], name
    assert "orbit" not in form, "what was not ticked stays so"
    assert form["known"] == "1"
    assert form["replaces"] == "1"


def test_a_plan_that_is_sent_unchanged_is_the_same_plan(planned: Site) -> None:
    with db.read_scope(planned.engine) as session:
        before = missions.get_mission(session, planned.actor("pilot"), 1)
    assert send(planned.client("pilot"), again(planned)).status_code == 302
    with db.read_scope(planned.engine) as session:
        after = missions.get_mission(session, planned.actor("pilot"), 2)
    assert after.mission_hash == before.mission_hash


def test_the_changed_plan_takes_the_others_place_once(planned: Site) -> None:
    client = planned.client("pilot")
    form = again(planned) | {"alt_home_m": "45"}
    first, second = send(client, form), send(client, form)
    assert first.headers["Location"] == second.headers["Location"] == "/missions/2"
    assert states(planned) == {1: "cancelled", 2: "draft"}
    with db.read_scope(planned.engine) as session:
        told = [one for one in audit.entries(session) if one.action == "mission.cancel"]
    assert [one.subject for one in told] == ["mission:1"]


def test_an_approved_plan_loses_its_approval_with_its_place(planned: Site) -> None:
    with db.session_scope(planned.engine) as session:
        session.get_one(Mission, 1).state = "approved"
    send(planned.client("pilot"), again(planned) | {"alt_home_m": "45"})
    assert states(planned) == {1: "cancelled", 2: "draft"}


def test_a_mission_that_took_off_meanwhile_is_not_replaced_and_the_form_stays(
    planned: Site,
) -> None:
    form = again(planned) | {"alt_home_m": "45.5"}
    with db.session_scope(planned.engine) as session:
        session.get_one(Mission, 1).state = "flying"
    answer = send(planned.client("pilot"), form)
    assert answer.status_code == 409
    assert fields(answer.get_data(as_text=True))["alt_home_m"] == "45.5"
    assert states(planned) == {1: "flying"}


def test_two_who_change_one_plan_the_second_is_shown_the_difference(planned: Site) -> None:
    mine, yours = again(planned), again(planned)
    assert send(planned.client("pilot"), mine | {"alt_home_m": "45"}).status_code == 302
    answer = send(planned.client("coordinator"), yours | {"alt_home_m": "50"})
    assert answer.status_code == 409
    page = answer.get_data(as_text=True)
    assert 'id="meanwhile"' in page
    assert fields(page)["alt_home_m"] == "50", "what was typed stays"
    assert "replaces" not in fields(page), "mission 1 is gone already"
    assert states(planned) == {1: "cancelled", 2: "draft"}


def mission_page(site: Site) -> str:
    return site.client("pilot").get("/missions/1").get_data(as_text=True)


def test_a_failed_sortie_is_planned_again_beside_it_and_one_that_flies_is_not(
    planned: Site,
) -> None:
    with db.session_scope(planned.engine) as session:
        session.get_one(Mission, 1).state = "flying"
    assert "?from=1" not in mission_page(planned)
    with db.session_scope(planned.engine) as session:
        session.get_one(Mission, 1).state = "failed"
    assert "Plan again from this one" in mission_page(planned)
    form = again(planned)
    assert "replaces" not in form
    assert send(planned.client("pilot"), form).status_code == 302
    assert states(planned) == {1: "failed", 2: "draft"}


def test_a_programs_plan_gives_what_is_known_of_it(site: Site) -> None:
    worlds.ask(site)
    worlds.publish(site)
    mission = worlds.plan_mission(site)
    page = site.client("pilot").get(f"{NEW}?from={mission.id}").get_data(as_text=True)
    form = fields(page)
    corners = [tuple(map(float, line.split(","))) for line in form["polygon"].splitlines()]
    assert corners == [pytest.approx(corner, abs=1e-7) for corner in mission.plan.area]
    assert float(form["gsd_mm"]) == pytest.approx(mission.plan.gsd_m * 1000)
    assert "compare every field" in page
    client = site.client("pilot")
    assert [client.get(f"{NEW}?from={other}").status_code for other in ("77", "x")] == [404, 404]
