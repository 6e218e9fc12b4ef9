"""The flight's page: the assigned pilot's commands, once each, and what came of them."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from droneteam import db
from droneteam.fleet import service as fleet
from droneteam.missions import service as missions
from droneteam.missions.flight.asks import asks_path, journal_path
from droneteam.missions.flight.live import LiveState
from droneteam.missions.models import Mission
from droneteam.missions.record.journal import Entry, Journal
from droneteam.web.flight_words import HINTS, WISHES
from tests.web import worlds
from tests.web.conftest import Site, csrf_token


@pytest.fixture
def flight(site: Site) -> tuple[Site, int]:
    """A site, and a mission in the air whose pilot signs in as `pilot`."""
    return site, put_in_the_air(site)


def put_in_the_air(site: Site) -> int:
    """The number of a mission that flies, of which `pilot` is the assigned pilot."""
    worlds.ask(site)
    worlds.publish(site)
    mission = worlds.plan_mission(site)
    with db.session_scope(site.engine) as session:
        session.get_one(Mission, mission.id).state = "flying"
        manager = site.actor("administrator")
        for one in fleet.list_pilots(session, manager):
            if one.user_id is not None:
                fleet.assign_pilot_user(session, manager, one.id, None, site.clock())
        pilot = site.actor("pilot").user_id
        fleet.assign_pilot_user(session, manager, mission.pilot_id, pilot, site.clock())
        missions.update_live_states(session, [state(site, mission)])
    return mission.id


def state(site: Site, mission: Any, **changed: Any) -> LiveState:
    values: dict[str, Any] = {
        "drone_id": mission.drone_id,
        "drone_name": mission.drone_name,
        "at": site.clock(),
        "lat_deg": 50.8197,
        "lon_deg": 4.3908,
        "alt_amsl_m": 101.0,
        "alt_home_m": 45.0,
        "yaw_deg": 90.0,
        "speed_mps": 4.0,
        "battery_pct": 81.0,
        "mode": "AUTO",
        "armed": True,
        "mission_id": mission.id,
        "phase": "flying",
    }
    return LiveState(**{**values, **changed})


def logs(site: Site) -> Path:
    return site.settings.blob_dir("logs")


def asked(site: Site, mission_id: int) -> list[str]:
    """What the controller would read."""
    path = asks_path(logs(site), mission_id)
    return (
        [json.loads(line)["what"] for line in path.read_text().splitlines()]
        if path.exists()
        else []
    )


def press(site: Site, mission_id: int, what: str, key: str, login: str = "pilot") -> Any:
    client = site.client(login)
    data = {"csrf_token": csrf_token(client), "what": what, "key": key}
    return client.post(f"/missions/{mission_id}/ask", data=data, follow_redirects=True)


def write(site: Site, mission_id: int, *entries: tuple[str, str]) -> None:
    """What the controller says."""
    logs(site).mkdir(parents=True, exist_ok=True)
    journal = Journal(journal_path(logs(site), mission_id))
    for kind, detail in entries:
        journal.write(Entry(site.clock(), kind, detail))
    journal.close()


def test_the_assigned_pilots_command_reaches_the_controller(flight: tuple[Site, int]) -> None:
    site, number = flight
    page = press(site, number, "rtl", "k1").get_data(as_text=True)
    assert asked(site, number) == ["rtl"]
    assert "sent to the controller, waiting" in page


def test_a_double_click_is_one_command_and_the_next_one_is_another(
    flight: tuple[Site, int],
) -> None:
    site, number = flight
    for key in ("k1", "k1", "k2", "k1"):
        assert press(site, number, "brake", key).status_code == 200
    assert asked(site, number) == ["brake", "brake"]


def test_every_wish_that_the_controller_knows_has_its_button_with_a_hint(
    flight: tuple[Site, int],
) -> None:
    site, number = flight
    assert set(WISHES) == set(HINTS) == set(missions.WISHES)
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    buttons = re.findall(r'name="what" value="(\w+)"', page)
    assert sorted(buttons) == sorted(missions.WISHES)
    assert buttons[-1] == "land", "what cannot be taken back is the last"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (("camera", "looks -90° from the horizon"), "taken, the vehicle was told"),
        (("alarm", "the vehicle did not turn the camera (denied: no gimbal)"), "did not do it"),
        (("pilot", "look_down not sent: it makes no sense while climbing"), "refused"),
    ],
)
def test_what_came_of_turning_the_camera_is_told_beside_its_name(
    flight: tuple[Site, int], said: tuple[str, str], state: str
) -> None:
    site, number = flight
    press(site, number, "look_down", "k1")
    assert asked(site, number) == ["look_down"]
    write(site, number, ("pilot", "asks for look_down"), ("intent", "gimbal"), said)
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    told = page.split('id="outcomes"', 1)[1].split("</ul>", 1)[0]
    assert "<strong>Camera down</strong>" in told
    assert state in told


def test_every_page_brings_a_key_of_its_own(flight: tuple[Site, int]) -> None:
    site, number = flight
    client = site.client("pilot")
    pages = [client.get(f"/missions/{number}/live").get_data(as_text=True) for _ in range(2)]
    keys = {page.partition('name="key" value="')[2].partition('"')[0] for page in pages}
    assert len(keys) == 2
    assert "" not in keys


@pytest.mark.parametrize("login", ["coordinator", "manager"])
def test_nobody_else_has_the_buttons_or_may_send_what_they_send(
    flight: tuple[Site, int], login: str
) -> None:
    site, number = flight
    assert 'id="asks"' in site.client("pilot").get(f"/missions/{number}/live").get_data(
        as_text=True
    )
    page = site.client(login).get(f"/missions/{number}/live")
    assert page.status_code == 200
    assert 'id="asks"' not in page.get_data(as_text=True)
    assert press(site, number, "rtl", "k1", login).status_code == 403
    assert asked(site, number) == []


def test_another_pilots_mission_is_not_commanded(flight: tuple[Site, int]) -> None:
    site, number = flight
    with db.session_scope(site.engine) as session:
        manager = site.actor("administrator")
        pilot_id = session.get_one(Mission, number).pilot_id
        fleet.assign_pilot_user(session, manager, pilot_id, None, site.clock())
        other = next(one.id for one in fleet.list_pilots(session, manager) if one.id != pilot_id)
        fleet.assign_pilot_user(
            session, manager, pilot_id, site.actor("coordinator").user_id, site.clock()
        )
        fleet.assign_pilot_user(session, manager, other, site.actor("pilot").user_id, site.clock())
    assert press(site, number, "rtl", "k1").status_code == 403
    assert asked(site, number) == []


def test_without_a_token_nothing_is_sent(flight: tuple[Site, int]) -> None:
    site, number = flight
    client = site.client("pilot")
    answer = client.post(f"/missions/{number}/ask", data={"what": "land", "key": "k"})
    assert answer.status_code == 400
    assert asked(site, number) == []


def test_what_is_no_command_and_a_mission_that_does_not_fly_are_refused(
    flight: tuple[Site, int],
) -> None:
    site, number = flight
    assert 'class="notice wrong' in press(site, number, "explode", "k1").get_data(as_text=True)
    with db.session_scope(site.engine) as session:
        session.get_one(Mission, number).state = "flown"
    assert press(site, number, "rtl", "k2").status_code == 409
    assert asked(site, number) == []
    assert 'id="asks"' not in site.client("pilot").get(f"/missions/{number}/live").get_data(
        as_text=True
    )


def test_the_buttons_are_there_before_the_flight_and_wait_for_it(flight: tuple[Site, int]) -> None:
    """The page may be opened before the controller takes the mission: it need not be read again."""
    site, number = flight
    client = site.client("pilot")
    seen = {}
    for name in ("approved", "flying"):
        with db.session_scope(site.engine) as session:
            session.get_one(Mission, number).state = name
        page = client.get(f"/missions/{number}/live").get_data(as_text=True)
        buttons = re.findall(r'<button name="what"[^>]*>', page)
        assert len(buttons) == len(WISHES)
        told = client.get(f"/api/v1/missions/{number}/asks").get_json()["flying"]
        seen[name] = (told, {"disabled" in one for one in buttons})
    assert seen == {"approved": (False, {True}), "flying": (True, {False})}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (("pilot", "land not sent: nothing of ours is flying"), "refused by the controller"),
        (("alarm", "the vehicle did not take the mode"), "the vehicle did not do it"),
        (("intent", "mode LAND"), "taken, the vehicle was told"),
        (("handed over", "the mode was changed to LOITER"), "transmitter had taken over"),
    ],
)
def test_the_page_says_what_came_of_it(
    flight: tuple[Site, int], said: tuple[str, str], words: str
) -> None:
    site, number = flight
    press(site, number, "land", "k1")
    write(site, number, ("pilot", "asks for land"), said)
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    assert words in page
    found = site.client("pilot").get(f"/api/v1/missions/{number}/asks").get_json()
    assert [one["what"] for one in found["asks"]] == ["land"]


def test_a_controller_that_is_not_there_is_told(flight: tuple[Site, int]) -> None:
    site, number = flight
    assert site.client("pilot").get(f"/api/v1/missions/{number}/asks").get_json()["controller"]
    press(site, number, "rtl", "k1")
    site.clock.forward(seconds=11)
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    assert "the controller is not there: fly by transmitter" in page
    assert "The controller is not there" in page


def test_a_takeover_by_the_transmitter_is_told_and_the_buttons_are_off(
    flight: tuple[Site, int],
) -> None:
    site, number = flight
    write(site, number, ("handed over", "the mode was changed to LOITER by somebody else"))
    with db.read_scope(site.engine) as session:
        mission = missions.get_mission(session, site.actor("pilot"), number)
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    assert "We no longer command" not in page.partition('<script type="application/json"')[0]
    with db.session_scope(site.engine) as session:
        missions.update_live_states(session, [state(site, mission, phase="handed over")])
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    shown = page.partition('<script type="application/json"')[0]
    assert "We no longer command: the mode was changed to LOITER by somebody else" in shown
    assert shown.count("disabled><strong>") == len(missions.WISHES) == 7


def test_the_interface_takes_the_same_commands(flight: tuple[Site, int]) -> None:
    site, number = flight
    client = site.client("pilot")
    headers = {"X-CSRFToken": csrf_token(client)}
    url = f"/api/v1/missions/{number}/asks"
    for _ in range(2):
        answer = client.post(url, json={"what": "pause", "key": "k1"}, headers=headers)
        assert answer.status_code == 200
        assert [one["state"] for one in answer.get_json()["asks"]] == ["waiting"]
    assert asked(site, number) == ["pause"]
    assert client.post(url, json={"what": "up"}, headers=headers).status_code == 422
    site.clock.forward(seconds=timedelta(minutes=1).total_seconds())
    assert client.get(url).get_json()["asks"][0]["state"] == "unheard"


def reading(page: str, name: str) -> str:
    """What the page without scripts says of one instrument."""
    return page.partition(f'data-name="{name}">')[2].partition("</dd>")[0]


ATTITUDE = {
    "roll_deg": 12.4,
    "pitch_deg": -7.6,
    "home_s": 95.2,
    "home_battery_pct": 34.0,
    "link_pct": 97.6,
    "silent_s": 0.2,
}


def told(site: Site, mission_id: int, **changed: Any) -> None:
    with db.session_scope(site.engine) as session:
        mission = missions.get_mission(session, site.actor("pilot"), mission_id)
        missions.update_live_states(session, [state(site, mission, **changed)])


def test_the_page_shows_attitude_way_home_and_link_without_scripts(
    flight: tuple[Site, int],
) -> None:
    site, number = flight
    told(site, number, **ATTITUDE)
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    shown = {name: reading(page, name) for name in (*ATTITUDE, "yaw_deg", "battery_pct")}
    assert shown == {
        "roll_deg": "12°",
        "pitch_deg": "-8°",
        "home_s": "1 min 35 s",
        "home_battery_pct": "34 %",
        "link_pct": "98 %",
        "silent_s": "0 s",
        "yaw_deg": "90°",
        "battery_pct": "81 %",
    }
    assert 'aria-label="Roll 12°, pitch -8°, heading 90°"' in page
    assert 'id="tilt" transform="rotate(-12.4) translate(0 -7.6)"' in page
    assert 'id="card" transform="rotate(-90.0)"' in page


def test_an_attitude_that_nobody_told_is_said_to_be_unknown(flight: tuple[Site, int]) -> None:
    site, number = flight
    page = site.client("pilot").get(f"/missions/{number}/live").get_data(as_text=True)
    assert 'aria-label="The attitude is not known"' in page
    assert 'id="tilt" transform' not in page
    assert {reading(page, name) for name in ATTITUDE} == {"–"}


def test_the_api_carries_what_the_page_shows(flight: tuple[Site, int]) -> None:
    site, number = flight
    told(site, number, **ATTITUDE)
    rows = site.client("pilot").get("/api/v1/live").get_json()["set"]
    (drone,) = [row for row in rows if row["kind"] == "drone"]
    assert {name: drone[name] for name in ATTITUDE} == {
        **ATTITUDE,
        "home_s": 95.0,
        "link_pct": 98.0,
        "silent_s": 0.0,
    }
