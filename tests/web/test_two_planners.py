"""Two people plan one assignment at once, buttons are pressed twice: nothing is lost or doubled."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from droneteam import audit, db
from droneteam.missions import service as missions
from droneteam.missions.views import MissionView
from tests.web import worlds
from tests.web.conftest import Site, csrf_token
from tests.web.test_missions import FORM

NEW = "/missions/new/1"


@pytest.fixture
def assigned(site: Site) -> Site:
    worlds.ask(site)
    worlds.publish(site)
    return site


def opened(client: FlaskClient) -> dict[str, str]:
    """The form's fields as somebody sends them who has just opened it."""
    return {"csrf_token": csrf_token(client), **FORM, "known": known(client.get(NEW))}


def known(answer: TestResponse) -> str:
    found = re.search(r'name="known" value="([\d,]*)"', answer.get_data(as_text=True))
    assert found is not None
    return found.group(1)


def stored(site: Site) -> list[MissionView]:
    with db.read_scope(site.engine) as session:
        return missions.list_missions(session, site.actor("coordinator"))


def entries(site: Site, action: str) -> int:
    with db.session_scope(site.engine) as session:
        return sum(row.action == action for row in audit.entries(session))


def test_the_second_planner_is_shown_the_difference_and_what_was_typed_stays(
    assigned: Site,
) -> None:
    pilot, coordinator = assigned.client("pilot"), assigned.client("coordinator")
    early, late = opened(pilot), opened(coordinator)
    assert pilot.post(NEW, data=early).status_code == 302
    late |= {"gsd_mm": "12", "speed_mps": "4", "wind_mps": "3"}
    answer = coordinator.post(NEW, data=late)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert [one.id for one in stored(assigned)] == [1], "nothing was stored beside it"
    table = text.split('id="meanwhile"', 1)[1].split("</section>", 1)[0]
    assert 'href="/missions/1"' in table
    cells = re.search(r">Ground sampling distance</th>(.*?)</tr>", table, re.S)
    assert cells is not None
    assert re.findall(r"\d+\.\d mm", cells.group(1)) == ["12.0 mm", "10.0 mm"]
    assert "<strong>10.0 mm</strong>" in cells.group(1), "what differs stands out"
    assert re.search(r">Camera</th><td>(\w[^<]*)</td><td>\1</td>", table), "what agrees does not"
    for name in ("gsd_mm", "speed_mps", "wind_mps"):
        assert re.search(rf'name="{name}"[^>]*value="{late[name]}"', text), f"{name} stays"
    assert known(answer) == "1"
    assert coordinator.post(NEW, data=late | {"known": known(answer)}).status_code == 302
    assert sorted(one.plan.gsd_m for one in stored(assigned)) == [0.010, 0.012]


def test_a_form_that_comes_back_with_a_problem_still_knows_what_it_was_opened_with(
    assigned: Site,
) -> None:
    pilot, coordinator = assigned.client("pilot"), assigned.client("coordinator")
    late = opened(coordinator)
    assert pilot.post(NEW, data=opened(pilot)).status_code == 302
    refused = coordinator.post(NEW, data=late | {"gsd_mm": "much"})
    assert refused.status_code == 422
    assert known(refused) == ""
    assert coordinator.post(NEW, data=late | {"gsd_mm": "12"}).status_code == 409


def test_a_plan_sent_twice_is_one_mission(assigned: Site) -> None:
    client = assigned.client("pilot")
    form = opened(client)
    first, second = (client.post(NEW, data=form) for _ in range(2))
    assert first.status_code == second.status_code == 302
    assert first.headers["Location"] == second.headers["Location"]
    assert len(stored(assigned)) == 1
    assert entries(assigned, "mission.plan") == 1


def test_a_withdrawn_plan_stands_in_nobodys_way(assigned: Site) -> None:
    client = assigned.client("pilot")
    form = opened(client)
    assert client.post(NEW, data=form).status_code == 302
    withdrawn = client.post("/missions/1/cancel", data={"csrf_token": form["csrf_token"]})
    assert withdrawn.status_code == 302
    assert client.post(NEW, data=form).status_code == 302
    assert sorted((one.id, one.state) for one in stored(assigned)) == [
        (1, "cancelled"),
        (2, "draft"),
    ]


def test_a_double_click_on_approve_approves_once_and_shows_no_fault(assigned: Site) -> None:
    mission = worlds.plan_mission(assigned)
    path = f"/missions/{mission.id}/approve"
    client, other = assigned.client("pilot"), assigned.client("coordinator")
    data = {"csrf_token": csrf_token(client), "reason": "map was consulted"}
    answers = [client.post(path, data=data) for _ in range(2)]
    assert [one.status_code for one in answers] == [302, 302]
    assert entries(assigned, "mission.approve") == 1
    theirs = {**data, "csrf_token": csrf_token(other)}
    assert other.post(path, data=theirs).status_code == 409, "somebody else is told"
    assert client.post(path, data={**data, "reason": "another"}).status_code == 409
    assert stored(assigned)[0].approved_by == assigned.actor("pilot").user_id


API = "/api/v1/assignments/1/missions"


def sent(client: FlaskClient, tag: str | None, **body: Any) -> TestResponse:
    """A plan sent by program with the entity tag of what it has read."""
    headers = {"X-CSRFToken": csrf_token(client)} | ({} if tag is None else {"If-Match": tag})
    return client.post(API, json={"params": body}, headers=headers)


def test_a_program_that_read_nothing_is_asked_to_read_first(assigned: Site) -> None:
    client = assigned.client("pilot")
    answer = sent(client, None)
    assert answer.status_code == 428
    assert "If-Match" in answer.get_json()["errors"]
    assert answer.headers["ETag"] == client.get(API).headers["ETag"]
    assert stored(assigned) == []


def test_a_program_with_an_old_tag_is_told_what_differs_and_nothing_is_stored(
    assigned: Site,
) -> None:
    pilot, coordinator = assigned.client("pilot"), assigned.client("coordinator")
    tag = coordinator.get(API).headers["ETag"]
    assert sent(pilot, tag).status_code == 201
    late = sent(coordinator, tag, gsd_m=0.012)
    assert late.status_code == 412
    (other,) = late.get_json()["missions"]
    assert other["id"] == 1
    assert other["differences"]["gsd_m"] == [0.012, 0.010]
    assert "camera" not in other["differences"], "what agrees is no difference"
    assert [one.id for one in stored(assigned)] == [1]
    newer = coordinator.get(API)
    assert newer.headers["ETag"] == late.headers["ETag"] != tag
    assert [one["id"] for one in newer.get_json()["items"]] == [1]
    assert sent(coordinator, newer.headers["ETag"], gsd_m=0.012).status_code == 201
    assert sorted(one.plan.gsd_m for one in stored(assigned)) == [0.010, 0.012]


@pytest.mark.parametrize("tag", ["*", '"missions:x"', "nonsense", '"missions:99"'])
def test_a_tag_that_names_nothing_seen_is_an_old_one(assigned: Site, tag: str) -> None:
    client = assigned.client("pilot")
    assert sent(client, client.get(API).headers["ETag"]).status_code == 201
    assert sent(client, tag, gsd_m=0.012).status_code == 412
    assert len(stored(assigned)) == 1


def test_a_program_that_repeats_itself_after_a_lost_answer_makes_one_mission(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    tag = client.get(API).headers["ETag"]
    first, second = sent(client, tag), sent(client, tag)
    assert first.status_code == second.status_code == 201
    assert first.get_json()["id"] == second.get_json()["id"]
    assert len(stored(assigned)) == 1
