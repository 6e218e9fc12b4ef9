"""Missions as pages: planning, what stands against it, approval and files to take away."""

from __future__ import annotations

import html
import io
import json
import math
import re
import xml.etree.ElementTree as ET
import zipfile
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from droneteam import db
from droneteam.missions import service as missions
from droneteam.missions.airspace.checks import Geozone, Restriction, ZoneVolume
from droneteam.missions.airspace.sentences import RANKS
from droneteam.missions.formats.wpml import version_of
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import PhotoPosition
from droneteam.missions.views import MissionView
from droneteam.web.footprints import footprints
from droneteam.web.mission_files import WRITERS, as_geojson, as_kml, as_plan
from droneteam.web.mission_map import zone_rings
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token

FORM = {
    "camera": SIMULATED.name,
    "gsd_mm": "10",
    "max_photos": "60",
    "forward_overlap_pct": "80",
    "side_overlap_pct": "70",
    "angle_deg": "",
    "speed_mps": "5",
    "crosshatch": "1",
    "orbit": "1",
    "orbit_pitch_deg": "-45",
    "home_lat_deg": "50.8197",
    "home_lon_deg": "4.3908",
    "home_alt_amsl_m": "56",
    "polygon": "\n".join(f"{lat}, {lon}" for lat, lon in worlds.AREA),
}


@pytest.fixture
def assigned(site: Site) -> Site:
    """An application with one assignment to plan for."""
    worlds.ask(site)
    worlds.publish(site)
    return site


@pytest.fixture
def mission(assigned: Site) -> MissionView:
    return worlds.plan_mission(assigned)


def post_plan(site: Site, **changed: str) -> tuple[int, str, str]:
    """(status, text, where to) of sending the planning form."""
    client = site.client("pilot")
    data = {"csrf_token": csrf_token(client), **FORM, **changed}
    answer = client.post("/missions/new/1", data=data)
    return answer.status_code, answer.get_data(as_text=True), answer.headers.get("Location", "")


def test_a_pilot_plans_from_the_assignment_and_sees_what_was_planned(assigned: Site) -> None:
    client = assigned.client("pilot")
    assert 'href="/missions/new/1"' in client.get("/missions/").get_data(as_text=True)
    form = client.get("/missions/new/1").get_data(as_text=True)
    assert "50.819850, 4.390550" in form
    status, _, location = post_plan(assigned)
    assert status == 302
    text = client.get(location).get_data(as_text=True)
    assert "Go or no go" in text
    assert "Fingerprint of the plan" in text


def test_the_tables_hold_every_waypoint_and_photo_of_the_map(
    assigned: Site, mission: MissionView
) -> None:
    text = assigned.client("pilot").get(f"/missions/{mission.id}").get_data(as_text=True)
    block = re.search(r'id="mission-data">(.*?)</script>', text, re.S)
    assert block is not None
    data = json.loads(block.group(1))
    assert len(data["photos"]) == mission.n_photos
    for photo in data["photos"]:
        assert f"{photo['at'][0]:.7f}" in text
    assert data["path"][0] == data["home"] == data["path"][-1]


def load_prison(site: Site) -> None:
    """A zone over the request's area in which nobody may fly."""
    load_zone(site, "Prison")


def load_zone(site: Site, name: str, north_deg: float = 0.0) -> None:
    """A zone that is forbidden to all, that far north of the request's area."""
    ring = [[lon, lat + north_deg] for lat, lon in (*worlds.AREA, worlds.AREA[0])]
    document = {
        "title": "zones for a test",
        "features": [
            {
                "identifier": "EBP999",
                "country": "BEL",
                "name": name,
                "type": "COMMON",
                "restriction": "PROHIBITED",
                "applicability": [{"permanent": "YES"}],
                "zoneAuthority": [{"name": "authority", "purpose": "AUTHORIZATION"}],
                "geometry": [
                    {
                        "uomDimensions": "M",
                        "lowerLimit": 0,
                        "lowerVerticalReference": "AGL",
                        "upperLimit": 120,
                        "upperVerticalReference": "AGL",
                        "horizontalProjection": {"type": "Polygon", "coordinates": [ring]},
                    }
                ],
            }
        ],
    }
    with db.session_scope(site.engine) as session:
        missions.load_geozones(session, site.actor("coordinator"), document, "test", NOW)


def test_a_forbidden_geozone_is_named_and_nothing_is_stored(assigned: Site) -> None:
    load_prison(assigned)
    status, text, _ = post_plan(assigned)
    assert status == 422
    assert "Prison" in text
    assert "50.81985, 4.39055" in text
    with db.read_scope(assigned.engine) as session:
        assert missions.list_missions(session, assigned.actor("pilot")) == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"gsd_mm": "0.1"}, "gsd_mm"),
        ({"gsd_mm": "400"}, "gsd_mm"),
        ({"polygon": ""}, "polygon"),
        ({"polygon": "50.8, 4.3\n50.8, 4.31\n50.81, 4.3\n50.81, 4.29\n50.7, 4.4"}, "polygon"),
        ({"home_lat_deg": "north"}, "home_lat_deg"),
        ({"forward_overlap_pct": "20"}, "forward_overlap_pct"),
    ],
)
def test_what_cannot_be_planned_is_said_beside_its_field(
    assigned: Site, changed: dict[str, str], field: str
) -> None:
    status, text, _ = post_plan(assigned, **changed)
    assert status == 422
    assert f'id="{field}-problem"' in text


def test_a_warning_needs_a_reason_before_the_plan_is_approved(
    assigned: Site, mission: MissionView
) -> None:
    assert any(one.severity == "warn" for one in mission.findings)
    client = assigned.client("pilot")
    data = {"csrf_token": csrf_token(client)}
    path = f"/missions/{mission.id}/approve"
    answer = client.post(path, data=data)
    assert answer.status_code == 422
    assert 'id="reason-problem"' in answer.get_data(as_text=True)
    assert client.post(path, data={**data, "reason": "map was consulted"}).status_code == 302
    text = client.get(f"/missions/{mission.id}").get_data(as_text=True)
    assert "approved" in text
    assert client.post(path, data={**data, "reason": "again"}).status_code == 409


def test_the_plan_file_is_what_ground_stations_read(mission: MissionView) -> None:
    content, media_type = as_plan(mission)
    document = json.loads(content)
    assert media_type == "application/json"
    assert (document["fileType"], document["version"], document["mission"]["version"]) == (
        "Plan",
        1,
        2,
    )
    items = document["mission"]["items"]
    assert len(items) == len(mission.plan.items)
    assert [item["doJumpId"] for item in items] == list(range(1, len(items) + 1))
    assert items[0]["command"] == 22
    assert items[-1]["command"] == 20
    assert all(len(item["params"]) == 7 for item in items)


def test_geojson_has_longitude_first_and_closed_rings(mission: MissionView) -> None:
    document = json.loads(as_geojson(mission)[0])
    area = document["features"][0]["geometry"]["coordinates"][0]
    assert area[0] == area[-1] == [worlds.AREA[0][1], worlds.AREA[0][0]]
    photos = [f for f in document["features"] if f["properties"]["role"] == "photo"]
    assert len(photos) == mission.n_photos


def test_kml_is_well_formed_and_names_every_photo(mission: MissionView) -> None:
    root = ET.fromstring(as_kml(mission)[0])
    space = {"k": "http://www.opengis.net/kml/2.2"}
    names = [name.text for name in root.iterfind(".//k:Placemark/k:name", space)]
    assert names[:2] == ["area", "path"]
    assert names[-3:] == ["flight geography", "contingency volume", "ground risk buffer"]
    assert len(names) == mission.n_photos + 2 + 3


@pytest.mark.parametrize("kind", ["plan", "waypoints", "kml", "geojson"])
def test_files_are_offered_under_their_names(
    assigned: Site, mission: MissionView, kind: str
) -> None:
    answer = assigned.client("pilot").get(f"/missions/{mission.id}/mission.{kind}")
    assert answer.status_code == 200
    name = f'filename="mission-{mission.id}.{kind}"'
    assert name in answer.headers["Content-Disposition"]


def test_an_unknown_file_format_is_an_unknown_address(assigned: Site, mission: MissionView) -> None:
    client = assigned.client("pilot")
    assert client.get(f"/missions/{mission.id}/mission.exe").status_code == 404


def offsets_m(photo: PhotoPosition) -> Any:
    """(4, 2) east and north of the footprint's corners from below the camera."""
    (corners,) = footprints([photo], SIMULATED)
    north = (corners[:, 0] - photo.lat_deg) * 111_320.0
    east = (corners[:, 1] - photo.lon_deg) * 111_320.0 * math.cos(math.radians(photo.lat_deg))
    return np.stack([east, north], axis=1)


@given(st.floats(10, 100), st.floats(0, 360))
def test_a_nadir_footprint_has_the_size_that_the_gsd_says(height_m: float, yaw_deg: float) -> None:
    corners = offsets_m(PhotoPosition(50.8, 4.39, height_m, yaw_deg, -90.0))
    gsd_m = height_m / SIMULATED.focal_px
    width_m = np.hypot(*(corners[1] - corners[0]))
    length_m = np.hypot(*(corners[2] - corners[1]))
    assert width_m == pytest.approx(SIMULATED.width_px * gsd_m, rel=1e-3)
    assert length_m == pytest.approx(SIMULATED.height_px * gsd_m, rel=1e-3)
    assert np.allclose(corners.mean(axis=0), 0.0, atol=0.01)
    # The upper edge of the image lies towards the heading.
    top = (corners[0] + corners[1]) / 2.0
    heading = np.array([math.sin(math.radians(yaw_deg)), math.cos(math.radians(yaw_deg))])
    assert top @ heading > 0.4 * length_m


def test_an_oblique_footprint_lies_ahead_and_widens_away_from_the_camera() -> None:
    corners = offsets_m(PhotoPosition(50.8, 4.39, 30.0, 90.0, -45.0))
    assert (corners[:, 0] > 0.0).all()
    far, near = np.hypot(*(corners[1] - corners[0])), np.hypot(*(corners[2] - corners[3]))
    assert far > 1.5 * near


def test_a_camera_that_sees_the_horizon_gets_a_bounded_footprint() -> None:
    corners = offsets_m(PhotoPosition(50.8, 4.39, 30.0, 0.0, -5.0))
    assert np.isfinite(corners).all()
    assert np.hypot(*corners.T).max() < 600.0


def test_no_photos_no_footprints() -> None:
    assert footprints([], SIMULATED).shape == (0, 4, 2)


PLACES = [list(corner) for corner in worlds.AREA]
ONE = PLACES[0]


def ask_api(site: Site, body: dict[str, Any]) -> Any:
    client = site.client("pilot")
    headers = {"X-CSRFToken": csrf_token(client)}
    return client.post(
        "/api/v1/assignments/1/missions",
        json=body,
        headers={**headers, "If-Match": '"missions:"'},
    )


@pytest.mark.parametrize(
    ("body", "pattern"),
    [
        ({"corridor": {"width_m": 6.0}, "polygon": PLACES[:3]}, "corridor"),
        ({"facade": {"top_m": 6.0}, "polygon": PLACES[:2]}, "facade"),
        ({"search": {"pattern": "sector"}}, "sector"),
        ({"search": {}, "polygon": [ONE]}, "expanding_square"),
        ({"overwatch": {"target": ONE}, "polygon": PLACES[1:2]}, "overwatch"),
        ({"free": {"alt_home_m": [20.0], "photo": True}, "polygon": PLACES}, "free"),
    ],
)
def test_the_api_plans_every_pattern(assigned: Site, body: dict[str, Any], pattern: str) -> None:
    answer = ask_api(assigned, body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    made = answer.get_json()
    assert made["plan"]["pattern"] == pattern
    assert (made["plan"]["chance_of_finding"] is not None) == ("search" in body)
    page = assigned.client("pilot").get(f"/missions/{made['id']}")
    assert page.status_code == 200


def test_two_kinds_of_mission_at_once_are_refused(assigned: Site) -> None:
    body = {"corridor": {}, "free": {}, "polygon": PLACES}
    answer = ask_api(assigned, body)
    assert answer.status_code == 422
    assert "one kind of mission" in answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pattern": "corridor", "polygon": "50.8197, 4.3905\n50.8199, 4.3915"}, "corridor"),
        ({"pattern": "sector", "polygon": "50.8197, 4.3905"}, "search by sectors"),
        (
            {"pattern": "overwatch", "polygon": "50.8197, 4.3905", "target": "50.8199, 4.3915"},
            "overwatch",
        ),
    ],
)
def test_the_form_plans_other_patterns(assigned: Site, fields: dict[str, str], says: str) -> None:
    status, text, location = post_plan(assigned, **fields)
    assert status == 302, text
    assert says in assigned.client("pilot").get(location).get_data(as_text=True)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"pattern": "corridor", "polygon": "50.8197, 4.3905"}, "At least 2 places"),
        ({"pattern": "overwatch", "polygon": "50.8197, 4.3905"}, "the one place to look at"),
        ({"pattern": "spiral"}, "Choose one of"),
        ({"pattern": "facade", "bottom_m": "9", "top_m": "8"}, "top_m"),
    ],
)
def test_the_form_says_what_a_pattern_lacks(
    assigned: Site, fields: dict[str, str], says: str
) -> None:
    status, text, _ = post_plan(assigned, **fields)
    assert status == 422
    assert says in text


def preview(site: Site, login: str = "pilot", **changed: str) -> dict[str, Any]:
    client = site.client(login)
    data = {"csrf_token": csrf_token(client), **FORM, **changed}
    answer = client.post("/missions/new/1/preview", data=data)
    assert answer.status_code == 200
    found = answer.get_json()
    assert isinstance(found, dict)
    return found


def test_the_preview_is_the_plan_that_is_then_made_and_stores_nothing(assigned: Site) -> None:
    seen = preview(assigned)
    with db.read_scope(assigned.engine) as session:
        assert missions.list_missions(session, assigned.actor("pilot")) == []
    _, _, location = post_plan(assigned)
    with db.read_scope(assigned.engine) as session:
        (made,) = missions.list_missions(session, assigned.actor("pilot"))
    assert location.endswith(f"/{made.id}")
    assert dict(seen["facts"])["Photos"] == str(made.n_photos) == str(len(seen["photos"]))
    assert len(seen["footprints"]) == made.n_photos
    assert seen["path"][0] == [made.plan.home.lat_deg, made.plan.home.lon_deg]
    worst_first = sorted(made.findings, key=lambda one: RANKS.index(one.severity), reverse=True)
    assert [one["text"] for one in seen["findings"]] == [one.text for one in worst_first]


@pytest.mark.parametrize(("language", "says"), [("fr", "10,0 mm"), ("en", "10.0 mm")])
def test_the_preview_writes_decimals_as_its_reader_does(
    assigned: Site, language: str, says: str
) -> None:
    client = assigned.client("pilot", language)
    data = {"csrf_token": csrf_token(client), **FORM}
    facts = client.post("/missions/new/1/preview", data=data).get_json()["facts"]
    assert says in [value for _, value in facts]


def test_the_overlap_of_the_preview_counts_the_footprints_over_each_place(assigned: Site) -> None:
    """Counted again by polygons: nadir photos only, so that footprints are what is seen."""
    seen = preview(assigned, orbit="", max_photos="")
    rings = [shapely.Polygon(np.reshape(ring, (4, 2))) for ring in seen["footprints"]]
    places = np.array(seen["overlap"])
    assert 250 <= len(places) <= 600
    points = [shapely.Point(at) for at in places[:, :2]]
    counts = np.array([sum(ring.covers(at) for ring in rings) for at in points])
    assert np.abs(counts - places[:, 2]).max() <= 1  # a place on the very edge of a footprint
    assert np.mean(counts == places[:, 2]) > 0.97
    assert places[:, 2].min() >= 5


def test_what_the_preview_cannot_plan_it_names_by_field(assigned: Site) -> None:
    assert set(preview(assigned, polygon="50.8, north")) == {"problems"}
    assert "polygon" in preview(assigned, polygon="50.8, north")["problems"]
    assert "gsd_mm" in preview(assigned, gsd_mm="400")["problems"]


def test_a_stop_of_the_airspace_is_shown_before_anything_is_sent(assigned: Site) -> None:
    load_prison(assigned)
    findings = preview(assigned)["findings"]
    assert [one["severity"] for one in findings if "Prison" in one["text"]] == ["stop"]
    form = assigned.client("pilot").get("/missions/new/1").get_data(as_text=True)
    block = re.search(r'id="planner-data">(.*?)</script>', form, re.S)
    assert block is not None
    (zone,) = json.loads(block.group(1))["zones"]
    assert (zone["name"], zone["severity"]) == ("Prison", "stop")


def test_a_zone_far_from_the_take_off_is_not_drawn() -> None:
    ring = ((51.2, 4.3), (51.2, 4.4), (51.3, 4.4))
    far = Geozone("far", "far", Restriction.PROHIBITED, (ZoneVolume(ring),))
    huge = Geozone(
        "huge",
        "huge",
        Restriction.NONE,
        (ZoneVolume(((50.0, 3.0), (50.0, 6.0), (52.0, 6.0), (52.0, 3.0))),),
    )
    drawn = zone_rings([far, huge], (50.82, 4.39))
    assert [(zone["name"], zone["severity"]) for zone in drawn] == [("huge", "pass")]


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_every_file_that_we_write_gives_its_places_back_to_the_planner(
    assigned: Site, mission: MissionView, kind: str
) -> None:
    content, _ = WRITERS[kind](mission)
    client = assigned.client("pilot")
    name = f"plan.{kind}"
    data = {"csrf_token": csrf_token(client), **FORM, "polygon": "", "gsd_mm": "7",
            "file": (io.BytesIO(content), name)}  # fmt: skip
    answer = client.post("/missions/new/1/places", data=data)
    assert answer.status_code == 200
    text = answer.get_data(as_text=True)
    block = re.search(r'name="polygon"[^>]*>(.*?)</textarea>', text, re.S)
    assert block is not None
    places = np.array([line.split(",") for line in block.group(1).split("\n") if line], dtype=float)
    looked_at = MissionCommand.DO_SET_ROI_LOCATION  # where the camera looks nobody flies
    stops = [i for i in mission.plan.items if i.lat_deg and i.command is not looked_at]
    flown = np.array([(i.lat_deg, i.lon_deg) for i in stops])
    photos = np.array([(p.lat_deg, p.lon_deg) for p in mission.plan.photo_positions])
    known = {"kml": worlds.AREA, "geojson": worlds.AREA, "csv": photos, "kmz": photos}
    np.testing.assert_allclose(places, np.array(known.get(kind, flown)), atol=1e-6)
    assert 'value="7"' in text


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("area.shp", b"x", "none of .kml"),
        ("area.kml", b"<kml/>", "no Polygon"),
        ("area.kmz", b"PK not", "not a KMZ"),
        ("area.json", b"\xff\xfe", "not UTF-8"),
        ("mission.plan", b"{}", ""),
    ],
)
def test_a_file_without_places_is_refused_beside_its_field(
    assigned: Site, name: str, content: bytes, says: str
) -> None:
    client = assigned.client("pilot")
    data = {"csrf_token": csrf_token(client), **FORM, "file": (io.BytesIO(content), name)}
    answer = client.post("/missions/new/1/places", data=data)
    text = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert 'id="file-problem"' in text
    assert says in text
    assert "50.81985, 4.39055" in text


WOOD = [[50.8199, 4.3906], [50.8199, 4.3912], [50.8203, 4.3912], [50.8203, 4.3906]]
WEIGHTED = {"source": "judged", "areas": [{"name": "wood", "chance": 0.6, "outline": WOOD}]}


def geojson_map(**properties: object) -> str:
    ring = [[lon, lat] for lat, lon in (*WOOD, WOOD[0])]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties,
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


def test_the_api_reads_a_map_and_plans_a_search_with_it(assigned: Site) -> None:
    client = assigned.client("pilot")
    headers = {"X-CSRFToken": csrf_token(client), "Content-Type": "application/octet-stream"}
    path = "/api/v1/chance-maps?name=wood"
    read = client.post(path, data=geojson_map(poa=0.6, name="wood"), headers=headers)
    assert read.status_code == 200, read.get_data(as_text=True)
    body = {
        "search": {"pattern": "parallel_track", "chances": read.get_json(), "max_minutes": 10},
        "polygon": PLACES,
    }
    answer = ask_api(assigned, body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    search = answer.get_json()["plan"]["search"]
    assert search["chances"]["areas"][0]["name"] == "wood"
    assert search["over_time"][-1][1] == pytest.approx(
        answer.get_json()["plan"]["chance_of_finding"], abs=1e-4
    )
    assert 0.0 < search["regions"][0]["found"] < 0.6
    page = client.get(f"/missions/{answer.get_json()['id']}").get_data(as_text=True)
    assert "Where the person may be" in page
    assert '<th scope="row">wood</th>' in page
    assert "60.0\u00a0%" in page
    pack = client.get(f"/missions/{answer.get_json()['id']}/field").get_data(as_text=True)
    for what in ('id="chance-head"', '<th scope="row">wood</th>', 'data-layer="chances"'):
        assert what in pack, "the crew has the map and its curve without network, too"
    line = re.search(r'<polyline points="([^"]*)" class="line"', pack)
    assert line is not None
    drawn = [tuple(map(float, one.split(","))) for one in line[1].split()]
    assert drawn[0] == (80.0, 160.0), "nothing is found before the flight begins"
    assert drawn[-1] == (712.0, 16.0)
    assert drawn == sorted(drawn), "from left to right"
    assert [y for _, y in drawn] == sorted((y for _, y in drawn), reverse=True)
    broken = client.post(path, data=geojson_map(name="wood"), headers=headers)
    assert broken.status_code == 422
    assert "feature 1: no weight" in broken.get_json()["detail"]


SEARCH = {"pattern": "parallel_track", "gsd_mm": "30"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"chances": geojson_map(poa=0.6, name="wood")}, "wood"),
        ({"chance_category": "dementia_town", "last_known": "50.82, 4.391"}, "0 – 320 m"),
        ({"chance_within_m": "50 90 200 900", "last_known": "50.82, 4.391"}, "0 – 50 m"),
        (
            {"pattern": "expanding_square", "polygon": "50.82, 4.391", "radius_m": "40",
             "chance_category": "hiker_flat"},
            "0 – 640 m",
        ),
    ],
)  # fmt: skip
def test_the_form_plans_with_what_is_known_of_the_person(
    assigned: Site, fields: dict[str, str], says: str
) -> None:
    client = assigned.client("pilot")
    data = {"csrf_token": csrf_token(client), **FORM, **SEARCH, **fields}
    shown = client.post("/missions/new/1/preview", data=data).get_json()
    assert shown.get("problems") is None, shown
    assert shown["chanceRows"][0][0] == says
    assert {shape["step"] for shape in shown["chances"]} <= {0, 1, 2, 3}
    assert shown["chances"][0]["step"] == 0
    status, _, location = post_plan(assigned, **{**SEARCH, **fields})
    assert status == 302
    assert says in client.get(location).get_data(as_text=True)


def test_a_plan_without_a_search_shows_no_probability_map(assigned: Site) -> None:
    mission = worlds.plan_mission(assigned)
    for path in (f"/missions/{mission.id}", f"/missions/{mission.id}/field"):
        text = assigned.client("pilot").get(path).get_data(as_text=True)
        assert 'id="chance-head"' not in text
        assert 'data-layer="chances"' not in text


@pytest.mark.parametrize(
    ("language", "says"),
    [("nl", "Kaart: ingevuld."), ("fr", "Carte : saisi."), ("en", "Map: typed.")],
)
def test_where_a_map_came_from_is_said_in_the_readers_language(
    assigned: Site, language: str, says: str
) -> None:
    fields = {**SEARCH, "chances": geojson_map(poa=0.6, name="wood")}
    _, _, location = post_plan(assigned, **fields)
    text = assigned.client("coordinator", language).get(location).get_data(as_text=True)
    assert says in html.unescape(text).replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"chances": "{"}, "chances", "not JSON"),
        ({"chances": geojson_map(poa=-2)}, "chances", "weight -2.0"),
        ({"chance_category": "dementia_town"}, "last_known", "one place"),
        ({"chance_within_m": "5, 4", "last_known": "50.82, 4.391"}, "chance_within_m", "four"),
        (
            {"chance_within_m": "9 8 7 6", "last_known": "50.82, 4.391"},
            "chance_within_m",
            "must grow",
        ),
        ({"max_minutes": "0"}, "max_minutes", "Between 1 and 600"),
    ],
)
def test_what_is_wrong_with_a_map_is_said_beside_its_field(
    assigned: Site, fields: dict[str, str], field: str, says: str
) -> None:
    client = assigned.client("pilot")
    data = {"csrf_token": csrf_token(client), **FORM, **SEARCH, **fields}
    problems = client.post("/missions/new/1/preview", data=data).get_json()["problems"]
    assert says in problems[field]


def test_a_map_from_a_file_comes_into_the_form_and_a_bad_one_leaves_it_alone(
    assigned: Site,
) -> None:
    client = assigned.client("pilot")

    def upload(content: bytes) -> tuple[int, str]:
        data = {"csrf_token": csrf_token(client), **FORM, **SEARCH, "gsd_mm": "31",
                "chance_file": (io.BytesIO(content), "poa.geojson")}  # fmt: skip
        answer = client.post("/missions/new/1/chances", data=data)
        return answer.status_code, answer.get_data(as_text=True)

    status, text = upload(geojson_map(poa=0.6, name="wood").encode())
    assert status == 200
    block = re.search(r'name="chances"[^>]*>(.*?)</textarea>', text, re.S)
    assert block is not None
    assert json.loads(html.unescape(block[1]))["source"] == "poa.geojson"
    assert 'action="/missions/new/1"' in text, "the form plans, wherever it was rendered"
    status, text = upload(b"\xff\xfe")
    assert status == 422
    assert 'id="chance_file-problem"' in text
    assert 'value="31"' in text


def with_file(site: Site, name: str, content: bytes, **changed: str) -> tuple[int, str]:
    client = site.client("pilot")
    data = {"csrf_token": csrf_token(client), **FORM, **changed,
            "file": (io.BytesIO(content), name)}  # fmt: skip
    answer = client.post("/missions/new/1/places", data=data)
    return answer.status_code, html.unescape(answer.get_data(as_text=True))


def line_of(mode: str) -> bytes:
    return (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><LineString>'
        f"<altitudeMode>{mode}</altitudeMode><coordinates>4.3906,50.8199,30 4.3912,50.8201,41"
        "</coordinates></LineString></Placemark></kml>"
    ).encode()


def test_a_line_of_a_kml_becomes_free_waypoints_at_the_heights_it_means(assigned: Site) -> None:
    status, text = with_file(assigned, "path.kml", line_of("absolute"))
    assert status == 200
    assert re.search(r'<option value="free" selected', text)
    assert re.search(r'<option value="amsl" selected', text)
    assert re.search(r'name="alt_home_m"[^>]*value="30 41"', text)
    assert "planned as free waypoints" in text
    heights = {"pattern": "free", "polygon": "50.8199, 4.3906\n50.8201, 4.3912",
               "height_kind": "home", "alt_home_m": "30 41,5", "photo": "1"}  # fmt: skip
    status, _, location = post_plan(assigned, **heights)
    assert status == 302
    shown = assigned.client("pilot").get(location).get_data(as_text=True)
    assert "30.0 m" in shown
    assert "41.5 m" in shown


def test_a_line_clamped_to_the_ground_asks_for_a_height(assigned: Site) -> None:
    status, text = with_file(assigned, "path.kml", line_of("clampToGround"))
    assert status == 200
    problem = re.search(r'id="alt_home_m-problem"[^>]*>(.*?)<', text, re.S)
    assert problem is not None
    assert "write one" in problem[1]


@pytest.mark.parametrize(
    ("heights", "says"),
    [
        ("30 500", "2: Between 5 and 120"),
        ("0", "Between 5 and 120"),
        ("30 nan", "2: Between 5 and 120"),
        ("30 40 50", "2 places but 3 heights"),
    ],
)
def test_a_height_that_cannot_be_flown_is_named_by_its_place(
    assigned: Site, heights: str, says: str
) -> None:
    client = assigned.client("pilot")
    data = {"csrf_token": csrf_token(client), **FORM, "pattern": "free",
            "polygon": "50.8199, 4.3906\n50.8201, 4.3912", "alt_home_m": heights}  # fmt: skip
    problems = client.post("/missions/new/1/preview", data=data).get_json()["problems"]
    assert says in problems["alt_home_m"]


def test_ten_thousand_places_of_a_file_are_refused_by_their_number(assigned: Site) -> None:
    places = " ".join(f"4.{390000 + n},50.82,30" for n in range(3000))
    data = line_of("absolute").replace(b"4.3906,50.8199,30 4.3912,50.8201,41", places.encode())
    _, text = with_file(assigned, "path.kml", data)
    assert "The file has 3000 places; 500 are planned at once" in text


@pytest.mark.parametrize(
    ("query", "version", "drone"),
    [("", "1.0.2", 77), ("?version=1.0.6&aircraft=m30t", "1.0.6", 67)],
)
def test_djis_file_is_of_the_version_and_aircraft_that_were_asked_for(
    assigned: Site, mission: MissionView, query: str, version: str, drone: int
) -> None:
    client = assigned.client("pilot")
    for path in (f"/missions/{mission.id}/mission.kmz{query}",
                 f"/api/v1/missions/{mission.id}/file?format=kmz&{query[1:]}"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 200
        assert version_of(answer.data) == version
        text = zipfile.ZipFile(io.BytesIO(answer.data)).read("wpmz/waylines.wpml").decode()
        assert f"droneEnumValue>{drone}<" in text
    refused = client.get(f"/missions/{mission.id}/mission.kmz?version=9")
    assert refused.status_code == 422
    assert "none of 1.0.0" in refused.get_data(as_text=True)
