"""Terrain, volumes, sharing, accuracy and lifted stops, as a pilot meets them in page and API."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droneteam import audit, db
from droneteam.missions import models
from droneteam.missions import service as missions
from droneteam.missions.airspace.geozones import read_geozones
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.web.terrains import datum_named
from tests.missions.relief_world import hill, raster, write
from tests.web import worlds
from tests.web.conftest import Site, csrf_token
from tests.web.test_missions import FORM, load_prison, post_plan, preview


@pytest.fixture
def assigned(site: Site) -> Site:
    worlds.ask(site)
    worlds.publish(site)
    return site


def dsm(folder: Path) -> bytes:
    return write(folder / "made.tif", raster(hill, 200.0), 2.0).read_bytes()


def add(site: Site, data: bytes, **changed: str) -> tuple[int, str]:
    client = site.client("pilot")
    fields = {"csrf_token": csrf_token(client), "name": "Park", "kind": "dsm", "datum": "geoid"}
    answer = client.post(
        "/missions/terrains/", data={**fields, **changed, "file": (io.BytesIO(data), "park.tif")}
    )
    return answer.status_code, answer.get_data(as_text=True)


def test_a_terrain_is_added_listed_and_chosen_and_the_plan_follows_it(
    assigned: Site, tmp_path: Path
) -> None:
    assert add(assigned, dsm(tmp_path))[0] == 302
    client = assigned.client("pilot")
    listed = client.get("/missions/terrains/").get_data(as_text=True)
    assert "Park" in listed
    assert "mean sea level" in listed
    assert 'value="terrain:1"' in client.get("/missions/new/1").get_data(as_text=True)
    drawn = preview(assigned, terrain="terrain:1")
    assert len(drawn["profile"]) > 20
    heights = {round(row[1], 1) for row in drawn["profile"]}
    assert len(heights) > 3
    assert any("Park (DSM, geoid)" in one["text"] for one in drawn["findings"])
    status, _, location = post_plan(assigned, terrain="terrain:1")
    assert status == 302
    page = client.get(location).get_data(as_text=True)
    assert "Profile as a table" in page
    assert "<polyline" in page
    assert f"({len(drawn['profile'])})" in page


def test_a_file_that_is_no_terrain_is_refused_and_not_kept(assigned: Site) -> None:
    for data, changed, says in (
        (b"no raster at all", {}, "not a readable GeoTIFF"),
        (b"", {"name": ""}, "Fill this in"),
        (b"II*\x00", {"kind": "moon"}, "Choose one of"),
        (b"II*\x00", {"datum": "moon"}, "Choose one of"),
    ):
        status, text = add(assigned, data, **changed)
        assert status == 422
        assert says in text
    folder = assigned.settings.data_dir / "terrains"
    assert not folder.exists() or list(folder.iterdir()) == []


def test_two_terrains_of_one_name_are_refused(site: Site, tmp_path: Path) -> None:
    assert add(site, dsm(tmp_path))[0] == 302
    status, text = add(site, dsm(tmp_path))
    assert status == 422
    assert "already" in text


def test_a_terrain_that_does_not_exist_is_said_beside_its_field(assigned: Site) -> None:
    for key in ("terrain:99", "scene:99", "moon", "terrain:-1", "terrain:\uff11"):
        assert "terrain" in preview(assigned, terrain=key)["problems"]
    assert post_plan(assigned, terrain="terrain:99")[0] == 422


def test_the_preview_draws_nested_volumes_and_the_predicted_accuracy(assigned: Site) -> None:
    drawn = preview(assigned)
    roles = [volume["role"] for volume in drawn["volumes"]]
    assert roles == ["flight_geography", "contingency_volume", "ground_risk_buffer"]
    reach = [np.ptp([lat for lat, _ in volume["ring"]]) for volume in drawn["volumes"]]
    assert reach[0] < reach[1] < reach[2]
    rtk = np.array(drawn["accuracy"])
    gps = np.array(preview(assigned, receiver="gps")["accuracy"])
    assert np.median(gps[:, 3]) > 20 * np.median(rtk[:, 3])
    facts = dict(drawn["facts"])
    assert re.match(r"\d+ mm \(\d\.\d GSD\), worst \d+ mm", facts["Predicted accuracy, height"])
    corners = "\n".join(FORM["polygon"].splitlines())
    held = np.array(preview(assigned, receiver="gps", control=corners)["accuracy"])
    assert np.median(held[:, 3]) < 0.05


def test_persons_and_assemblies_of_the_form_reach_the_rules(assigned: Site) -> None:
    here = f"{FORM['home_lat_deg']}, {FORM['home_lon_deg']}"
    people = preview(assigned, people=here)["findings"]
    assert any(one["severity"] == "stop" and "uninvolved" in one["text"] for one in people)
    crowd = preview(assigned, assemblies=here)["findings"]
    assert any(one["severity"] == "stop" and "assemblies" in one["text"] for one in crowd)
    assert post_plan(assigned, people=here)[0] == 422


def test_a_stop_is_lifted_by_a_coordinator_with_a_reason_and_nobody_else(assigned: Site) -> None:
    load_prison(assigned)
    assert post_plan(assigned)[0] == 422
    client = assigned.client("coordinator")
    data = {"csrf_token": csrf_token(client), **FORM, "override_reason": "agreed by the tower"}
    answer = client.post("/missions/new/1", data=data)
    assert answer.status_code == 302
    page = client.get(answer.headers["Location"]).get_data(as_text=True)
    assert "lifted: Geographical zones; reason: agreed by the tower" in page
    with db.session_scope(assigned.engine) as session:
        kept = [row for row in audit.entries(session) if row.action == "mission.override"]
    assert [row.reason for row in kept] == ["agreed by the tower"]
    pilot = assigned.client("pilot")
    data["csrf_token"] = csrf_token(pilot)
    assert pilot.post("/missions/new/1", data=data).status_code == 403
    assert "override_reason" not in pilot.get("/missions/new/1").get_data(as_text=True)


def test_a_flight_into_the_terrain_cannot_be_lifted(assigned: Site, tmp_path: Path) -> None:
    def mast(east: Any, north: Any) -> Any:
        return 50.0 + np.where((np.abs(east) < 4.0) & (np.abs(north) < 4.0), 60.0, 0.0)

    data = write(tmp_path / "mast.tif", raster(mast, 200.0), 2.0).read_bytes()
    assert add(assigned, data)[0] == 302
    client = assigned.client("coordinator")
    fields = {
        **FORM,
        "csrf_token": csrf_token(client),
        "terrain": "terrain:1",
        "pattern": "corridor",
        "polygon": "50.8197, 4.3895\n50.8197, 4.3925",
        "override_reason": "whatever",
    }
    answer = client.post("/missions/new/1", data=fields)
    assert answer.status_code == 422


def test_a_share_of_the_area_is_smaller_and_its_part_must_exist(assigned: Site) -> None:
    whole = preview(assigned, max_photos="", orbit="")
    half = preview(assigned, max_photos="", orbit="", share_of="2", share_part="2")
    assert len(half["photos"]) < len(whole["photos"])
    assert "share_part" in preview(assigned, share_of="2", share_part="3")["problems"]


def test_heights_of_each_kind_come_from_the_form(assigned: Site, tmp_path: Path) -> None:
    fields = {"pattern": "free", "alt_home_m": "40"}
    refused = preview(assigned, **fields, height_kind="agl")
    assert "needs a terrain" in " ".join(refused["problems"].values())
    assert add(assigned, dsm(tmp_path))[0] == 302
    followed = preview(assigned, **fields, height_kind="agl", terrain="terrain:1")
    assert "profile" in followed
    above_sea = preview(assigned, **{**fields, "alt_home_m": "96"}, height_kind="amsl")
    assert "photos" in above_sea


def test_nonsense_is_named_by_field(assigned: Site) -> None:
    for field, value in (
        ("wind_mps", "nan"),
        ("wind_mps", "50"),
        ("gust_mps", "-1"),
        ("latency_s", "inf"),
        ("people", "here"),
        ("share_of", "0"),
        ("share_of", "1.5"),
        ("buffer_rule", "none"),
        ("separation", "luck"),
    ):
        assert field in preview(assigned, **{field: value})["problems"]


def test_the_volumes_and_each_packs_flight_are_taken_away(assigned: Site) -> None:
    mission = worlds.plan_mission(assigned)
    client = assigned.client("pilot")
    answer = client.get(f"/missions/{mission.id}/volumes.json")
    assert answer.status_code == 200
    zones = read_geozones(json.loads(answer.get_data()))
    assert [zone.identifier[-3:] for zone in zones] == ["-FG", "-CV", "GRB"]
    path = f"/missions/{mission.id}/pack-{{}}.plan"
    assert mission.plan.packs == 1
    assert client.get(path.format(1)).status_code == 200
    for wrong in (0, 2, 99999):
        assert client.get(path.format(wrong)).status_code == 404
    assert client.get(f"/missions/{mission.id}/pack-1.exe").status_code == 404


def test_the_api_adds_a_terrain_plans_over_it_and_predicts(assigned: Site, tmp_path: Path) -> None:
    client = assigned.client("pilot")
    headers = {"X-CSRFToken": csrf_token(client)}
    made = client.post(
        "/api/v1/terrains?name=Park&kind=dsm&datum=taw", data=dsm(tmp_path), headers=headers
    )
    assert made.status_code == 201, made.get_data(as_text=True)
    assert [one["name"] for one in client.get("/api/v1/terrains").get_json()["items"]] == ["Park"]
    body = {
        "terrain": "terrain:1",
        "wind": {"speed_mps": 6.0},
        "risk": {"rule": "one_to_one", "gust_mps": 4.0},
        "home": {"lat_deg": 50.8197, "lon_deg": 4.3908, "alt_amsl_m": 56.0},
    }
    planned = client.post(
        "/api/v1/assignments/1/missions",
        json=body,
        headers={**headers, "If-Match": '"missions:"'},
    )
    assert planned.status_code == 201, planned.get_data(as_text=True)
    plan = planned.get_json()["plan"]
    assert plan["terrain"] == "Park (DSM, taw)"
    assert plan["profile"]
    assert planned.get_json()["volumes"]["rule"] == "one_to_one"
    found = client.post(
        "/api/v1/assignments/1/accuracy", json={**body, "receiver": "rtk"}, headers=headers
    ).get_json()
    assert 0.01 < found["median_vertical_m"] < 0.06
    assert len(found["points"]) > 100
    wrong = client.post("/api/v1/terrains?name=Moon", data=b"no raster", headers=headers)
    assert wrong.status_code == 422
    assert "GeoTIFF" in wrong.get_data(as_text=True)


@pytest.mark.parametrize(
    ("words", "datum"),
    [
        ("WGS84 ellipsoid", VerticalDatum.ELLIPSOID),
        ("EGM96 (receiver)", VerticalDatum.GEOID),
        ("TAW", VerticalDatum.TAW),
        ("none", VerticalDatum.UNKNOWN),
        ("", VerticalDatum.UNKNOWN),
    ],
)
def test_a_scenes_datum_is_understood_or_unknown(words: str, datum: VerticalDatum) -> None:
    assert datum_named(words) is datum


def test_a_mission_planned_before_volumes_existed_still_opens(assigned: Site) -> None:
    mission = worlds.plan_mission(assigned)
    with db.session_scope(assigned.engine) as session:
        row = session.get(models.Mission, mission.id)
        assert row is not None
        new = ("volumes", "wind", "parts", "terrain", "profile")
        row.plan = {name: value for name, value in row.plan.items() if name not in new}
    client = assigned.client("pilot")
    assert client.get(f"/missions/{mission.id}").status_code == 200
    assert client.get(f"/missions/{mission.id}/volumes.json").status_code == 404
    with db.session_scope(assigned.engine) as session:
        again = missions.get_mission(session, assigned.actor("pilot"), mission.id)
    assert again.volumes is None
