"""The crew's page: written down with and without scripts, twice, late, and by two people."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from droneteam import audit, db
from droneteam.fleet import service as fleet
from droneteam.missions.models import Mission
from tests.web import worlds
from tests.web.conftest import Site, csrf_token

URL = "/api/v1/missions/1/log"


@pytest.fixture
def planned(site: Site) -> Site:
    worlds.ask(site)
    worlds.publish(site)
    worlds.plan_mission(site)
    return site


def entry(item: str = "weather", value: str = "yes", base: str = "", **more: str) -> dict[str, str]:
    made = {"key": str(uuid.uuid4()), "kind": "check", "item": item, "value": value, "base": base}
    return made | {"at": "2026-05-04T08:00:00Z"} | more


def send(site: Site, login: str, *entries: dict[str, str], status: int = 200) -> dict[str, Any]:
    client = site.client(login)
    headers = {"X-CSRFToken": csrf_token(client)}
    answer = client.post(URL, json={"entries": list(entries)}, headers=headers)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return dict(answer.get_json())


def test_an_entry_counts_once_however_often_it_comes(planned: Site) -> None:
    one, two = entry(), entry("airspace")
    send(planned, "pilot", one)
    log = send(planned, "pilot", one, two, two)
    assert [row["item"] for row in log["entries"]] == ["weather", "airspace"]
    assert [row["by"] for row in log["entries"]] == ["pilot 1", "pilot 1"]
    with db.read_scope(planned.engine) as session:
        rows = [row.facts for row in session.query(audit.AuditEntry) if row.action == "mission.log"]
    assert [row["entries"] for row in rows] == [[one["key"]], [two["key"]]]


def test_the_second_of_two_editors_is_shown_the_difference_and_decides(planned: Site) -> None:
    first, late = entry(), entry(value="no")
    send(planned, "pilot", first)
    log = send(planned, "coordinator", late)
    [difference] = log["differences"]
    assert difference["holds"]["key"] == first["key"]
    assert difference["other"]["key"] == late["key"]
    page = planned.client("coordinator").get("/missions/1/field").get_data(as_text=True)
    assert "holds until somebody decides" in page
    log = send(planned, "coordinator", entry(value="no", base=first["key"]))
    assert log["differences"] == []
    assert [row["value"] for row in log["current"]] == ["no"]
    assert len(log["entries"]) == 3


@pytest.mark.parametrize(
    ("second", "differences"),
    [("2026-05-04T10:05:59+02:00", 0), ("2026-05-04T08:06:00Z", 1), ("", 1)],
)
def test_two_who_tap_in_the_same_minute_do_not_differ(
    planned: Site, second: str, differences: int
) -> None:
    """Nobody is asked whether 10:05 or 10:05 holds."""
    send(planned, "pilot", entry("take_off", "2026-05-04T08:05:00Z", kind="time"))
    log = send(planned, "coordinator", entry("take_off", second, kind="time"))
    assert len(log["differences"]) == differences


def test_a_device_without_network_chains_its_own_entries(planned: Site) -> None:
    one = entry()
    two = entry(value="no", base=one["key"])
    log = send(planned, "pilot", one, two)
    assert [row["value"] for row in log["current"]] == ["no"]
    assert log["differences"] == []


def test_a_defect_grounds_the_drone_once(planned: Site) -> None:
    defect = entry("", "crack in the left arm", kind="defect")
    send(planned, "pilot", defect)
    send(planned, "pilot", defect)
    with db.read_scope(planned.engine) as session:
        drones = fleet.list_drones(session, planned.actor("pilot"), planned.clock())
    assert sum("crack in the left arm" in str(drone) for drone in drones) == 1


def test_a_key_of_somebody_else_is_refused(planned: Site) -> None:
    one = entry()
    send(planned, "pilot", one)
    assert "another entry" in send(planned, "coordinator", one, status=409)["detail"]


def test_entries_are_read_by_the_team_and_written_by_crews(planned: Site) -> None:
    send(planned, "pilot", entry())
    assert len(planned.client("auditor").get(URL).get_json()["entries"]) == 1
    page = planned.client("auditor").get("/missions/1/field").get_data(as_text=True)
    assert "data-entry" not in page
    assert "Weather: wind" in page


def test_the_page_writes_without_scripts_and_a_double_click_is_harmless(planned: Site) -> None:
    client = planned.client("pilot")
    page = client.get("/missions/1/field").get_data(as_text=True)
    form = page.split('data-item="time:take_off"', 1)[1].split("</form>", 1)[0]
    data = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    assert (data["kind"], data["item"], data["value"]) == ("time", "take_off", "now")
    for _ in range(2):
        assert client.post("/missions/1/field", data=data).status_code == 302
    log = client.get(URL).get_json()
    assert [row["value"] for row in log["entries"]] == ["2026-05-04T08:00:00Z"]
    assert "<strong data-value>10:00" in client.get("/missions/1/field").get_data(as_text=True)


def test_an_empty_note_comes_back_with_what_is_missing(planned: Site) -> None:
    client = planned.client("pilot")
    data = {"csrf_token": csrf_token(client), "key": str(uuid.uuid4()), "kind": "note", "item": ""}
    answer = client.post("/missions/1/field", data=data)
    assert answer.status_code == 422
    assert "Fill this in" in answer.get_data(as_text=True)


def test_a_page_from_the_device_gets_a_token_that_sends(planned: Site) -> None:
    client = planned.client("pilot")
    known = client.get("/missions/1/field/log.json").get_json()
    headers = {"X-CSRFToken": known["csrf"]}
    answer = client.post(URL, json={"entries": [entry()]}, headers=headers)
    assert answer.status_code == 200
    assert known["user"] == planned.actor("pilot").user_id


def test_the_worker_comes_from_the_root_under_the_policy(planned: Site) -> None:
    answer = planned.client().get("/sw.js")
    if answer.status_code == 404:
        pytest.skip("the front end is not built: python hatch_build.py")
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    text = answer.get_data(as_text=True)
    assert "import" not in text.replace("important", "")


def test_the_files_of_every_battery_pack_are_on_the_page_and_kept_with_it(planned: Site) -> None:
    """They are loaded after a swap, in a van without network."""
    client = planned.client("pilot")
    assert "/pack-1." not in client.get("/missions/1/field").get_data(as_text=True)
    with db.session_scope(planned.engine) as session:
        row = session.get_one(Mission, 1)
        row.plan = {**row.plan, "parts": row.plan["parts"] * 2}
    page = client.get("/missions/1/field").get_data(as_text=True)
    block = re.search(r'id="field-data">(.*?)</script>', page, re.S)
    assert block is not None
    kept = json.loads(block.group(1))["files"]
    files = [f"/missions/1/pack-{n}.{kind}" for n in (1, 2) for kind in ("plan", "waypoints")]
    for address in files:
        assert f'href="{address}"' in page
        assert address in kept
        assert client.get(address).status_code == 200
