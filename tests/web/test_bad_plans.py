"""Plans that no drone may get: refused with what is wrong and where, and nothing is stored.

Numbers that are none, heights of 0 and 500 m, places that are not on Earth, heights from an unknown
level, more items than a vehicle stores: by program, on the page and in a file.
"""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from droneteam import db
from droneteam.missions import service as missions
from tests.web import worlds
from tests.web.conftest import Site, csrf_token
from tests.web.test_missions import FORM

API = "/api/v1/assignments/1/missions"
PLACES = [[50.8199, 4.3906], [50.8201, 4.3912]]
CROWDED = [[round(50.8199 + 1e-6 * n, 6), 4.3906] for n in range(500)]


@pytest.fixture
def assigned(site: Site) -> Site:
    worlds.ask(site)
    worlds.publish(site)
    return site


def stored(site: Site) -> int:
    with db.read_scope(site.engine) as session:
        return len(missions.list_missions(session, site.actor("coordinator")))


def send(client: FlaskClient, body: str) -> tuple[int, dict[str, Any]]:
    headers = {"X-CSRFToken": csrf_token(client), "If-Match": client.get(API).headers["ETag"]}
    answer = client.post(API, data=body, headers=headers, content_type="application/json")
    return answer.status_code, answer.get_json()


FREE = '{"free": {"%s": [%s]}, "polygon": ' + json.dumps(PLACES) + "}"
WATCH = '{"overwatch": {"target": [50.8199, 4.3909], "%s": %s}, "polygon": [[50.8199, 4.3906]]}'
HEIGHTS = ("alt_home_m", "alt_agl_m", "alt_amsl_m")


def test_a_height_that_is_none_is_refused_by_program_for_every_kind_of_height(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    for form in (FREE, WATCH):
        for kind in HEIGHTS:
            for value in ("NaN", '"NaN"', "1e999", '"Infinity"'):
                status, said = send(client, form % (kind, value))
                assert status in (400, 422), (form, kind, value)
                assert re.search(r"NaN is no number|too large|nan or infinity", json.dumps(said))
    assert stored(assigned) == 0


def test_heights_of_nought_and_of_500_m_are_refused_by_program_with_the_range(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    for form in (FREE, WATCH):
        for kind in HEIGHTS[:2]:
            for value in ("0", "500"):
                status, said = send(client, form % (kind, value))
                assert status == 422
                assert "equal to 5 and less than or equal to 120" in json.dumps(said)
        home = {"lat_deg": 50.8197, "lon_deg": 4.3908, "alt_amsl_m": 56}
        for value, above_m in (("0", "-56.0 m"), ("500", "444.0 m")):
            body = json.loads(form % ("alt_amsl_m", value)) | {"home": home}
            status, said = send(client, json.dumps(body))
            assert status == 422
            assert f"{above_m} above the ground" in said["detail"]
    assert stored(assigned) == 0


def test_a_height_above_the_sea_without_the_take_off_points_own_is_refused(assigned: Site) -> None:
    client = assigned.client("pilot")
    status, said = send(client, FREE % ("alt_amsl_m", "100"))
    assert status == 422
    assert list(said["errors"]) == ["home.alt_amsl_m"]
    assert "enter it, or give heights above take-off" in said["detail"]
    assert stored(assigned) == 0


@pytest.mark.parametrize("place", [[95.0, 4.39], [-91.0, 4.39], [50.8, 181.0]])
@pytest.mark.parametrize("field", ["people", "assemblies", "polygon"])
def test_a_place_that_is_not_on_earth_is_refused_with_its_number(
    assigned: Site, field: str, place: list[float]
) -> None:
    places = [*PLACES, place]
    status, said = send(assigned.client("pilot"), json.dumps({field: places}))
    assert status == 422
    assert list(said["errors"]) == [field]
    assert said["detail"].startswith("place 3: ")
    assert stored(assigned) == 0


def test_more_items_than_a_vehicle_stores_are_refused_by_program_and_on_the_page(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    body = {"free": {"alt_home_m": [30], "photo": True}, "polygon": CROWDED}
    status, said = send(client, json.dumps(body))
    assert status == 422
    assert list(said["errors"]) == ["polygon"]
    assert "1504 items; the vehicle stores 649 besides home: split the area" in said["detail"]
    status, said = send(client, json.dumps({**body, "polygon": CROWDED * 20}))
    assert (status, said["errors"]["polygon"]) == (422, ["Length must be between 1 and 500."])
    typed = "\n".join(f"{lat}, {lon}" for lat, lon in CROWDED)
    fields = {"pattern": "free", "polygon": typed, "height_kind": "home", "alt_home_m": "30"}
    status, text = post(client, **fields, photo="1")
    assert status == 422
    assert "1504 items; the vehicle stores 649 besides home" in text
    assert "50.820399, 4.3906" in text, "what was typed stays"
    status, text = post(client, **{**fields, "polygon": "\n".join([typed] * 20)})
    assert status == 422
    assert "At most 500 corners." in text
    assert stored(assigned) == 0


def post(client: FlaskClient, **changed: str) -> tuple[int, str]:
    data = {"csrf_token": csrf_token(client), **FORM, "known": "", **changed}
    answer = client.post("/missions/new/1", data=data)
    return answer.status_code, html.unescape(answer.get_data(as_text=True))


TYPED = {"pattern": "free", "polygon": "50.8199, 4.3906\n50.8201, 4.3912"}


@pytest.mark.parametrize(
    ("kind", "height", "says"),
    [
        *((kind, value, "Between 5 and 120.") for kind in ("home", "agl")
          for value in ("0", "500", "NaN", "inf")),
        ("home", "30 NaN", "2: Between 5 and 120."),
        ("amsl", "0", "-56.0 m above the ground"),
        ("amsl", "500", "444.0 m above the ground"),
        ("amsl", "NaN", "Between -100 and 6000."),
        ("terrain", "30", "Choose one of"),
    ],
)  # fmt: skip
def test_a_height_or_frame_that_cannot_be_flown_is_said_beside_its_field(
    assigned: Site, kind: str, height: str, says: str
) -> None:
    client = assigned.client("pilot")
    status, text = post(client, **TYPED, height_kind=kind, alt_home_m=height)
    assert status == 422
    assert says in text
    assert f'value="{height}"' in text, "what was typed stays"
    assert stored(assigned) == 0


def test_a_level_that_nobody_typed_is_unknown_and_a_typed_nought_is_sea_level(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    for number, (typed, known_m) in enumerate((("", None), ("0", 0.0), ("-3,5", -3.5)), start=1):
        known = ",".join(map(str, range(1, number)))
        status, _ = post(client, home_alt_amsl_m=typed, known=known)
        assert status == 302
        with db.read_scope(assigned.engine) as session:
            mission = missions.get_mission(session, assigned.actor("pilot"), number)
        assert mission.plan.home.alt_amsl_m == known_m
    status, text = post(client, home_alt_amsl_m="NaN")
    assert status == 422
    assert "Between -100 and 3000." in text


def upload(client: FlaskClient, name: str, content: bytes) -> tuple[int, str]:
    data = {"csrf_token": csrf_token(client), **FORM, "file": (io.BytesIO(content), name)}
    answer = client.post("/missions/new/1/places", data=data)
    return answer.status_code, html.unescape(answer.get_data(as_text=True))


ROW = {"type": "SimpleItem", "command": 16, "autoContinue": True}


def ground_plan(frame: int, height: float | None, level: float | None = 56.0) -> bytes:
    """A QGroundControl plan of two waypoints."""
    items = [
        {**ROW, "doJumpId": n, "frame": frame, "params": [0, 0, 0, None, lat, lon, height]}
        for n, (lat, lon) in enumerate(PLACES, start=1)
    ]
    home = [50.8197, 4.3908, level]
    mission = {"items": items, "plannedHomePosition": home, "version": 2}
    return json.dumps({"fileType": "Plan", "version": 1, "mission": mission}).encode()


def waypoints(frame: int, height: str = "30", lat: str = "50.8199", count: int = 2) -> bytes:
    """MAVLink waypoint text with its home first."""
    rows = ["QGC WPL 110", "0 1 0 16 0 0 0 0 50.8197 4.3908 56 1"]
    rows += [
        f"{n} 0 {frame} 16 0 0 0 0 {lat} {4.3906 + 1e-6 * n:.6f} {height} 1"
        for n in range(1, count + 1)
    ]
    return "\n".join(rows).replace(" ", "\t").replace("QGC\tWPL\t", "QGC WPL ").encode()


def test_a_file_whose_frames_or_heights_cannot_be_flown_is_refused_with_the_item(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    nan = float("nan")
    tried = [
        ("a.waypoints", waypoints(10), "line 3: altitudes above terrain need a terrain model"),
        ("a.waypoints", waypoints(99), "line 3: frame 99 of an item with a position"),
        ("a.waypoints", waypoints(3, "nan"), "line 3: not a finite number"),
        ("a.waypoints", waypoints(3, "30", "inf"), "line 3: not a finite number"),
        ("a.waypoints", waypoints(3, "501"), "alt_home_m 501.0 outside [-200, 500]"),
        ("a.waypoints", waypoints(0, "600"), "alt_home_m 544.0 outside [-200, 500]"),
        ("a.waypoints", waypoints(3, count=700), "700 items; 649 are allowed"),
        ("a.plan", ground_plan(10, 30), "item 1: altitudes above terrain need a terrain model"),
        ("a.plan", ground_plan(99, 30), "item 1: frame 99 of an item with a position"),
        ("a.plan", ground_plan(3, nan), "item 1: "),
        ("a.plan", ground_plan(3, None), "item 1: it has no latitude, longitude or height"),
        ("a.plan", ground_plan(3, 501), "alt_home_m 501.0 outside [-200, 500]"),
        ("a.plan", ground_plan(0, 90, None), "item 1: a height above sea level, but the take-off"),
    ]
    for name, content, says in tried:
        status, text = upload(client, name, content)
        assert status == 422, says
        assert says in text, name
        assert "50.81985, 4.39055" in text, "what was typed stays"
    assert stored(assigned) == 0


def test_a_file_without_a_level_leaves_it_unknown_and_its_heights_of_0_and_500_m_are_not_planned(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")
    for level, typed in ((None, ""), (0.0, ""), (56.0, "56")):
        status, text = upload(client, "a.plan", ground_plan(3, 30, level))
        assert status == 200
        field = re.search(r'name="home_alt_amsl_m"[^>]*value="([^"]*)"', text)
        assert field is not None
        assert field[1] == typed
    for height in ("0", "500"):
        status, text = upload(client, "a.waypoints", waypoints(3, height))
        assert status == 200
        assert re.search(rf'name="alt_home_m"[^>]*value="{height}"', text)
        status, text = post(client, **TYPED, height_kind="home", alt_home_m=height)
        assert (status, "Between 5 and 120." in text) == (422, True)
    assert stored(assigned) == 0
