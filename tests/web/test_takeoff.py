"""Signing for take-off on the page and in the API: what bars is named, and who may lift it."""

from __future__ import annotations

import json
import uuid

import pytest

from droneteam import db
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.fieldlog import CHECKS, FieldKind, NewEntry
from droneteam.missions.models import Mission, VehicleState
from droneteam.missions.views import MissionView
from droneteam.web.mission_files import as_plan
from tests.web import worlds
from tests.web.conftest import Site, csrf_token
from tests.web.test_flight_asks import state


@pytest.fixture
def approved(site: Site) -> tuple[Site, MissionView]:
    """A site with one approved mission whose checklist nobody has looked at."""
    worlds.ask(site)
    worlds.publish(site)
    mission = worlds.plan_mission(site)
    with db.session_scope(site.engine) as session:
        pilot = site.actor("pilot")
        missions.approve_mission(session, pilot, mission.id, site.clock(), reason="map consulted")
    return site, mission


def answer(site: Site, mission_id: int, **said: str) -> None:
    entries = [
        NewEntry(str(uuid.uuid4()), FieldKind.CHECK, item, said.get(item, "yes"), site.clock())
        for item in CHECKS
    ]
    with db.session_scope(site.engine) as session:
        pilot = site.actor("pilot")
        missions.record_entries(session, pilot, mission_id, entries, site.clock())


def sign(site: Site, role: str, mission_id: int, **more: str) -> tuple[int, str]:
    client = site.client(role)
    data = {"csrf_token": csrf_token(client), **more}
    found = client.post(f"/missions/{mission_id}/sign", data=data, follow_redirects=True)
    return found.status_code, found.get_data(as_text=True)


def test_the_page_names_every_check_that_bars_and_offers_the_pilot_no_signature(
    approved: tuple[Site, MissionView],
) -> None:
    site, mission = approved
    answer(site, mission.id, batteries="no")
    text = site.client("pilot").get(f"/missions/{mission.id}").get_data(as_text=True)
    assert "Batteries: charged, undamaged, warm enough, locked in: answered with no" in text
    assert "nobody has looked at it" not in text
    assert f'action="/missions/{mission.id}/sign"' not in text
    status, text = sign(site, "pilot", mission.id)
    assert status == 409
    assert "answered with no" in text


def test_a_reason_that_bars_several_checks_is_said_once_with_their_list(
    approved: tuple[Site, MissionView],
) -> None:
    site, mission = approved
    text = site.client("pilot").get(f"/missions/{mission.id}").get_data(as_text=True)
    assert text.count("obody has looked at") == 1
    notice = text.partition('id="bars"')[2].partition("Answer the checklist")[0]
    assert notice.count("<li>") == 1 + len(CHECKS)
    status, text = sign(site, "coordinator", mission.id)
    assert status == 409
    assert "nobody has looked at: Weather, Airspace, Drone, Batteries, Memory card" in text


def test_a_coordinator_signs_with_a_reason_which_the_page_then_shows(
    approved: tuple[Site, MissionView],
) -> None:
    site, mission = approved
    answer(site, mission.id, storage="no")
    status, text = sign(site, "coordinator", mission.id)
    assert status == 409
    status, text = sign(site, "coordinator", mission.id, sign_reason="no photos are needed")
    assert status == 200
    assert "Reason: no photos are needed" in text
    assert 'id="bars"' not in text
    status, text = sign(site, "pilot", mission.id)
    assert status == 200
    assert "Cleared for take-off until" in text


@pytest.mark.parametrize(
    ("language", "word"), [("nl", "met nee beantwoord"), ("fr", "réponse\u00a0: non")]
)
def test_what_bars_is_said_in_the_readers_language(
    approved: tuple[Site, MissionView], language: str, word: str
) -> None:
    site, mission = approved
    answer(site, mission.id, weather="no")
    client = site.client("pilot", language)
    text = client.get(f"/missions/{mission.id}").get_data(as_text=True)
    assert 'id="bars"' in text
    assert word in text
    assert "answered with no" not in text


def test_the_api_refuses_with_the_checks_names_and_takes_a_coordinators_reason(
    approved: tuple[Site, MissionView],
) -> None:
    site, mission = approved
    answer(site, mission.id, crew_briefed="no")
    path = f"/api/v1/missions/{mission.id}/sign"
    pilot = site.client("pilot")
    refused = pilot.post(path, json={}, headers={"X-CSRFToken": csrf_token(pilot)})
    assert refused.status_code == 409
    assert "crew_briefed (answered with no)" in refused.get_data(as_text=True)
    coordinator = site.client("coordinator")
    headers = {"X-CSRFToken": csrf_token(coordinator)}
    reason = {"reason": "alone on the spot"}
    signed = coordinator.post(path, json=reason, headers=headers)
    assert signed.status_code == 200
    (signature,) = signed.get_json()["signatures"]
    assert signature["reason"] == "alone on the spot"
    assert signature["lifted"] == [{"item": "crew_briefed", "fault": "failed"}]
    found = coordinator.get(f"/api/v1/missions/{mission.id}/clearance").get_json()
    assert found["bars"] == []
    assert found["missing"] != []


def test_the_page_says_which_drone_a_share_by_time_waits_for(
    approved: tuple[Site, MissionView],
) -> None:
    site, mission = approved
    with db.session_scope(site.engine) as session:
        row = session.get_one(Mission, mission.id)
        other = {
            column.name: getattr(row, column.name)
            for column in Mission.__table__.columns
            if column.name != "id"
        }
        every = fleet.list_drones(session, site.actor("administrator"))
        drones = {drone.id for drone in every} - {row.drone_id}
        share = {"of": 2, "separation": "time"}
        row.params = {**row.params, "share": {"part": 2, **share}}
        first = Mission(**{**other, "drone_id": min(drones), "drone_name": "drone-first"})
        first.params = {**row.params, "share": {"part": 1, **share}}
        session.add(first)
        session.flush()
        first_id, first_drone = first.id, first.drone_id
        bars = missions.turns(session, mission.id, site.clock())
        assert [(bar.wait.value, bar.mission_id) for bar in bars] == [("approved_first", first_id)]
        assert missions.turns(session, first_id, site.clock()) == ()
    text = site.client("pilot").get(f"/missions/{mission.id}").get_data(as_text=True)
    assert "drone-first (mission" in text
    assert "goes first: let it fly, or withdraw its mission" in text
    with db.session_scope(site.engine) as session:
        flies = state(site, mission, drone_id=first_drone, mission_id=first_id, armed=True)
        missions.update_live_states(session, [flies])
        session.get_one(Mission, first_id).state = "flying"
        (bar,) = missions.turns(session, mission.id, site.clock())
        assert bar.wait.value == "in_air"
        assert session.get_one(VehicleState, first_drone).armed
        session.get_one(Mission, first_id).state = "cancelled"
        assert missions.turns(session, mission.id, site.clock()) == ()


def test_the_plan_file_sends_the_drone_back_to_the_checked_place_at_the_checked_height(
    approved: tuple[Site, MissionView],
) -> None:
    _, mission = approved
    assert mission.fence is not None
    (point,) = json.loads(as_plan(mission)[0])["rallyPoints"]["points"]
    home = mission.plan.home
    assert point == [home.lat_deg, home.lon_deg, mission.fence.return_home_m]
