"""The live map: who sees what, the stream over HTTP, and the table beside it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from droneteam import db
from droneteam.detection.models import AlertRow, ReceiverRow, Sighting, TrackRow
from droneteam.missions import service as missions
from droneteam.missions.flight.live import LiveState
from droneteam.missions.flight.neighbours import share_air
from droneteam.missions.flight.separation import Craft
from droneteam.missions.flight.sharedair import Nearing, SharedCraft
from droneteam.missions.items import HomePoint
from droneteam.web import sky_words
from droneteam.web.timefmt import iso
from tests.web.conftest import NOW, Site, csrf_token


@pytest.fixture
def sky(site: Site) -> Site:
    """One own drone in the air, one unknown track with an alert, one silent drone."""
    with db.session_scope(site.engine) as session:
        missions.update_live_states(
            session, [drone(1, "drone-01"), drone(2, "drone-02", age=timedelta(hours=1))]
        )
        session.add(track())
        session.flush()
        session.add(Sighting(track_id=7, at=NOW, lat_deg=50.8191, lon_deg=4.3902))
        session.add(
            AlertRow(
                id=3,
                kind="unregistered_flight",
                key="1581F000",
                track_id=7,
                uas_id="1581F000",
                lat_deg=50.8191,
                lon_deg=4.3902,
                evidence=["identity_not_registered"],
                facts={},
                raised_at=NOW,
                updated_at=NOW,
            )
        )
    return site


def drone(number: int, name: str, age: timedelta = timedelta(0)) -> LiveState:
    return LiveState(
        drone_id=number,
        drone_name=name,
        at=NOW - age,
        lat_deg=50.8197,
        lon_deg=4.3908,
        alt_amsl_m=101.0,
        alt_home_m=45.0,
        yaw_deg=90.0,
        speed_mps=4.0,
        battery_pct=81.0,
        mode="AUTO",
        armed=True,
        mission_id=None,
    )


def track() -> TrackRow:
    return TrackRow(
        id=7,
        uas_id="1581F000",
        operator_id="BEL-operator",
        transmitters=["02:00"],
        receivers=["sim"],
        status=2,
        lat_deg=50.8191,
        lon_deg=4.3902,
        speed_mps=8.0,
        course_deg=45.0,
        sigma_m=3.0,
        height_m=60.0,
        height_reference=0,
        operator_lat_deg=50.8181,
        operator_lon_deg=4.3881,
        started_at=NOW,
        last_at=NOW,
        flags=[],
        ended=False,
        match_kind="unknown",
        match_subject=None,
        match_evidence=["identity_not_registered"],
    )


def test_the_page_shows_the_sky_without_scripts(sky: Site) -> None:
    text = sky.client("coordinator").get("/live/").get_data(as_text=True)
    assert "drone-01" in text
    assert "45.0 m" in text
    assert "1581F000" in text
    assert "Unregistered flight" in text
    assert 'href="/alerts/3"' in text
    assert "10:00:00" in text  # local time


def test_a_drone_that_has_been_silent_for_long_is_not_live(sky: Site) -> None:
    assert "drone-02" not in sky.client("coordinator").get("/live/").get_data(as_text=True)


def test_the_stream_begins_with_everything_and_goes_on_with_changes(sky: Site) -> None:
    with sky.client("coordinator").get("/live/events", buffered=False) as answer:
        assert answer.mimetype == "text/event-stream"
        blocks = answer.response
        assert b"retry" in next(iter(blocks))  # type: ignore[operator]
        snapshot = next(iter(blocks)).decode()  # type: ignore[operator]
        keys = {row["key"] for row in json.loads(snapshot.split("data: ", 1)[1])["set"]}
        assert keys == {"drone:1", "track:7", "alert:3"}
        with db.session_scope(sky.engine) as session:
            session.get_one(TrackRow, 7).lat_deg = 50.82
        for block in blocks:  # type: ignore[union-attr]
            if b"event: change" in block:
                break
        change = json.loads(block.decode().split("data: ", 1)[1])
        assert [row["key"] for row in change["set"]] == ["track:7"]
        assert change["set"][0]["lat_deg"] == 50.82


def test_polling_gives_the_same_objects(sky: Site) -> None:
    body = sky.client("coordinator").get("/live/state.json").get_json()
    assert {row["key"] for row in body["set"]} == {"drone:1", "track:7", "alert:3"}
    api = sky.client("coordinator").get("/api/v1/live").get_json()
    assert api["set"] == body["set"]


@pytest.mark.parametrize(
    ("login", "sees"), [("pilot", True), ("manager", False), ("auditor", False)]
)
def test_only_those_who_need_it_see_where_an_operator_stands(
    sky: Site, login: str, sees: bool
) -> None:
    text = sky.client(login).get("/live/state.json").get_data(as_text=True)
    assert ("50.8181" in text) is sees


def test_a_drone_was_last_seen_when_it_was_heard_and_not_when_that_was_written(sky: Site) -> None:
    silent = replace(drone(1, "drone-01"), at=NOW + timedelta(seconds=40), silent_s=40.0)
    with db.session_scope(sky.engine) as session:
        missions.update_live_states(session, [silent])
    rows = sky.client("coordinator").get("/live/state.json").get_json()["set"]
    [row] = [one for one in rows if one["key"] == "drone:1"]
    assert (row["at"], row["silent_s"]) == (iso(NOW), 40.0)


def test_own_drones_that_may_come_too_close_are_on_the_map_and_in_a_table(sky: Site) -> None:
    place = HomePoint(50.8197, 4.3908, 56.0)
    craft = Craft("drone-01", (0.0, 0.0, 100.0), (0.0, 0.0, 56.0), 90.0)
    near = Nearing("drone-02", 12.0, 1.5, 0.5, 1)
    with db.session_scope(sky.engine) as session:
        share_air(session, {1}, [SharedCraft(1, NOW, place, craft, (near,))])
    client = sky.client("coordinator")
    rows = client.get("/live/state.json").get_json()["set"]
    [row] = [one for one in rows if one["kind"] == "meeting"]
    assert (row["first"], row["second"], row["case"]) == ("drone-01", "drone-02", "meeting_1")
    assert row["at"] == iso(NOW + timedelta(seconds=12))
    table = client.get("/live/").get_data(as_text=True).split('data-kind="meeting"', 1)[1]
    words = re.sub(r"<[^>]+>", " ", table.split("</tbody>", 1)[0])
    assert "drone-01 – drone-02" in words
    assert "if one of them goes home" in words


def test_a_requester_does_not_see_the_sky(sky: Site) -> None:
    for path in ("/live/", "/live/events", "/live/state.json", "/alerts/3"):
        assert sky.client("requester").get(path).status_code == 403


def test_an_alert_page_shows_what_proves_it_and_who_has_seen_it(sky: Site) -> None:
    client = sky.client("pilot")
    text = client.get("/alerts/3").get_data(as_text=True)
    assert "identity is not registered" in text
    assert "50.819100" in text
    client.post("/alerts/3/acknowledge", data={"csrf_token": csrf_token(client)})
    other = sky.client("coordinator")
    other.post("/alerts/3/acknowledge", data={"csrf_token": csrf_token(other)})
    text = other.get("/alerts/3").get_data(as_text=True)
    assert re.search("pilot 1, .*10:00", text)
    assert "coordinator 1, " not in text


def test_receivers_are_shown_with_what_is_wrong_with_them(sky: Site) -> None:
    with db.session_scope(sky.engine) as session:
        for name, state, problem in (("roof", "working", ""), ("van", "failing", "unplugged")):
            session.add(receiver(name, state, problem))
    client = sky.client("coordinator")
    text = client.get("/live/").get_data(as_text=True)
    assert "unplugged" in text
    assert "does not work" in text
    items = client.get("/api/v1/receivers").get_json()["items"]
    assert [(one["name"], one["state"]) for one in items] == [
        ("roof", "working"),
        ("van", "failing"),
    ]
    counted = ("lost", "refused", "connections", "last_problem")
    assert [tuple(one[key] for key in counted) for one in items] == [(7, 3, 2, "unplugged")] * 2
    assert "Last complaint" in text
    assert "Wi-Fi" in text
    sky.clock.forward(minutes=5)
    items = client.get("/api/v1/receivers").get_json()["items"]
    assert {one["state"] for one in items} == {"stopped"}
    assert sky.client("requester").get("/api/v1/receivers").status_code == 403


def receiver(name: str, state: str, problem: str) -> ReceiverRow:
    return ReceiverRow(
        name=name,
        kind="wifi",
        state=state,
        heard_at=NOW,
        alive_at=NOW,
        problem=problem,
        received=12,
        dropped=0,
        lost=7,
        refused=3,
        connections=2,
        failed_at=NOW,
        last_problem="unplugged",
        updated_at=NOW,
    )


def test_every_kind_of_receiver_has_words() -> None:
    from droneteam.detection.sources.configuration import KINDS

    assert KINDS.keys() == sky_words.RECEIVER_KINDS.keys()


def test_every_word_of_the_detection_has_a_translation() -> None:
    from typing import get_args

    from droneteam.detection import alert, match

    assert set(get_args(alert.Kind)) <= set(sky_words.ALERT_KINDS)
    assert set(get_args(match.Kind)) <= set(sky_words.MATCHES)
