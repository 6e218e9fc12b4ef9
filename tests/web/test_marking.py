"""Marking and measuring on the pages: kept at once, per zone, with numbers that are the truth's."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from droneteam import audit, db
from droneteam.errors import NotFound
from droneteam.geo import EnuFrame
from droneteam.photogrammetry import marks
from droneteam.photogrammetry.export.sentences import translated
from droneteam.photogrammetry.ingest import imagefile
from droneteam.photogrammetry.measuring.requests import point_names, request_of
from droneteam.photogrammetry.models import MeasurementRow, SceneRow
from droneteam.photogrammetry.scene_control import read_scene_control
from droneteam.web import phototiles
from droneteam.web.views import marking
from tests.photogrammetry.networks import ORIGIN
from tests.photogrammetry.pictures import Tags, write_jpeg
from tests.web import scene_world
from tests.web.conftest import Site, csrf_token, open_site
from tests.web.scene_world import World


@pytest.fixture(scope="module")
def opened(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, World]]:
    """One built scene for all tests here; each uses points or rows of its own."""
    site = open_site(seeded, tmp_path_factory.mktemp("marking"))
    yield site, scene_world.marked_scene(site)
    site.engine.dispose()


@pytest.fixture
def site(opened: tuple[Site, World]) -> Site:
    return opened[0]


@pytest.fixture
def world(opened: tuple[Site, World]) -> World:
    return opened[1]


def headers(client: FlaskClient) -> dict[str, str]:
    return {"X-CSRFToken": csrf_token(client)}


def post(site: Site, path: str, body: dict[str, Any], login: str = "investigator") -> Any:
    client = site.client(login)
    return client.post(f"/api/v1/scenes/1{path}", json=body, headers=headers(client))


def mark(
    site: Site, world: World, target: str, views: list[int], *, as_point: str = "", off: float = 0.0
) -> dict[str, Any]:
    """Marks a target exactly in some photos; the last sheet."""
    sheet: dict[str, Any] = {}
    for view in views:
        x, y = world.pixel(target, view)
        body = {"point": as_point or target, "photo": world.photo(view), "x_px": x + off, "y_px": y}
        answer = post(site, "/marks", body)
        assert answer.status_code == 200, answer.get_json()
        sheet = answer.get_json()
    return sheet


# --- marking ----------------------------------------------------------------------------------


def test_a_surveyed_point_is_predicted_in_every_photo_before_anything_is_marked(
    site: Site, world: World
) -> None:
    sheet = site.client("requester").get("/api/v1/scenes/1/sheet?point=gcp_2").get_json()
    assert sheet["predicted_from"] == "survey"
    assert sheet["marks"] == []
    for row in sheet["predictions"]:
        view = next(i for i, v in enumerate(world.truth.views) if v.name == row["photo"])
        x, y = world.pixel("gcp_2", view)
        assert np.hypot(row["x_px"] - x, row["y_px"] - y) < 0.05
        assert 0.2 < row["semi_axes_px"][0] < 20.0
    assert {row["photo"] for row in sheet["predictions"]} >= {
        world.photo(v) for v in world.views_of("gcp_2")
    }


def test_marks_are_kept_at_once_and_give_the_point_with_its_interval(
    site: Site, world: World
) -> None:
    views = world.views_of("gcp_1")[:4]
    sheet = mark(site, world, "gcp_1", views)
    east, north, up = sheet["located"]["position_enu_m"]
    assert np.allclose((east, north, up), world.truth.points[0], atol=1e-6)
    assert all(0.001 < half < 0.2 for half in sheet["located"]["ci95_m"])
    assert np.abs(sheet["survey_minus_marks_m"]).max() < 1e-5
    # Another session of somebody else sees the same: nothing lives in a browser.
    again = site.client("coordinator").get("/api/v1/scenes/1/sheet?point=gcp_1").get_json()
    assert [m["photo"] for m in again["marks"]] == [world.photo(v) for v in views]
    page = site.client("coordinator").get("/scenes/1/marks?point=gcp_1").get_data(as_text=True)
    assert f"{east:.3f}" in page
    assert "control point" in page


def test_a_mark_can_be_typed_taken_away_and_its_history_stays(site: Site, world: World) -> None:
    client = site.client("pilot")
    token = csrf_token(client)
    photo = world.photo(0)
    form = {"csrf_token": token, "point": "kerb", "photo": photo, "x_px": "400,5", "y_px": "300"}
    assert client.post("/scenes/1/marks", data=form).status_code == 302
    page = client.get("/scenes/1/marks?point=kerb").get_data(as_text=True)
    assert "400.50, 300.00" in page
    assert "own point" in page
    form = {"csrf_token": token, "point": "kerb", "photo": photo}
    assert client.post("/scenes/1/marks/remove", data=form).status_code == 302
    assert "400.50, 300.00" not in client.get("/scenes/1/marks?point=kerb").get_data(as_text=True)
    with db.read_scope(site.engine) as session:
        done = [e for e in audit.entries(session, subject="scene:1") if "kerb" in str(e.facts)]
        assert [e.action for e in done] == ["scene.unmark", "scene.mark"]
        assert all(e.actor == "pilot 1" for e in done)
        assert audit.verify(session) == []


def test_what_cannot_be_marked_is_said_beside_its_field(site: Site, world: World) -> None:
    client = site.client("pilot")
    token = csrf_token(client)
    form = {
        "csrf_token": token,
        "point": "kerb",
        "photo": world.photo(0),
        "x_px": "9000",
        "y_px": "",
    }
    answer = client.post("/scenes/1/marks", data=form)
    assert answer.status_code == 422
    text = answer.get_data(as_text=True)
    assert 'value="9000"' in text, "what was typed stays"
    body = {"point": "p", "photo": world.photo(0), "x_px": 801.0, "y_px": 5.0}
    answer = post(site, "/marks", body)
    assert answer.status_code == 422
    assert "outside the photo of 800 × 600" in answer.get_json()["detail"]
    assert post(site, "/marks", {**body, "x_px": 5.0, "photo": "no.jpg"}).status_code == 422
    for name in ("", " ", "a;b", "x" * 101, 'quote"'):
        assert post(site, "/marks", {**body, "x_px": 5.0, "point": name}).status_code == 422, name


def test_the_wrong_photo_is_named(site: Site, world: World) -> None:
    views = world.views_of("cp_1")[:5]
    mark(site, world, "cp_1", views, as_point="wrong one")
    sheet = mark(site, world, "cp_1", [views[2]], as_point="wrong one", off=25.0)
    assert sheet["located"]["outlier"] == world.photo(views[2])
    page = site.client("pilot").get("/scenes/1/marks?point=wrong one").get_data(as_text=True)
    assert f"The mark in {world.photo(views[2])} contradicts the others" in page


def test_a_click_beside_a_target_is_refined_to_its_centre(site: Site, world: World) -> None:
    view = world.views_of("gcp_1")[0]
    x, y = world.pixel("gcp_1", view)
    body = {"photo": world.photo(view), "x_px": x + 4.0, "y_px": y - 3.0}
    found = post(site, "/targets", body).get_json()["target"]
    assert found["kind"] == "checkerboard"
    assert np.hypot(found["x_px"] - x, found["y_px"] - y) < 0.1
    nowhere = {"photo": world.photo(view), "x_px": 30.0, "y_px": 580.0}
    assert post(site, "/targets", nowhere).get_json() == {"target": None}


def test_marks_take_the_place_of_the_files_in_the_next_adjustment(site: Site, world: World) -> None:
    mark(site, world, "gcp_2", world.views_of("gcp_2")[:3])
    mark(site, world, "own_1", world.views_of("own_1")[:2], as_point="not surveyed")
    with db.session_scope(site.engine) as session:
        params = marks.params_with_marks(session, session.get_one(SceneRow, 1), site.settings)
    control = read_scene_control(params)
    own = [m for m in control.marks if m.point == "gcp_2"]
    assert [m.photo for m in own] == [world.photo(v) for v in world.views_of("gcp_2")[:3]]
    assert not [m for m in control.marks if m.point == "not surveyed"]


# --- photos -----------------------------------------------------------------------------------


def test_tiles_and_cut_outs_are_the_photos_own_pixels(site: Site, world: World) -> None:
    client = site.client("requester")
    view = world.views_of("gcp_1")[0]
    x, y = world.pixel("gcp_1", view)
    path = f"/scenes/1/photos/{world.photo(view)}"
    left, top = int(x) - 8, int(y) - 8
    with client.get(f"{path}/cut.png?x={left}&y={top}&side=17") as answer:
        assert answer.mimetype == "image/png"
        cut = np.asarray(Image.open(io.BytesIO(answer.data)).convert("L"), dtype=float)
    # Bright and dark quadrants of the board around its centre.
    quarters = [cut[2:6, 2:6], cut[2:6, 11:15], cut[11:15, 2:6], cut[11:15, 11:15]]
    assert [q.mean() > 128 for q in quarters] == [True, False, False, True]
    with client.get(f"{path}/tiles/1/1/0.jpg") as answer:
        tile = Image.open(io.BytesIO(answer.data))
        assert tile.size == (512, 512), "a smaller one would be stretched by the viewer"
        assert "private" in answer.headers["Cache-Control"]
    with client.get(f"{path}/thumb.jpg") as answer:
        assert max(Image.open(io.BytesIO(answer.data)).size) == phototiles.THUMB_PX


def test_every_level_shows_a_place_at_its_own_pixel(tmp_path: Path) -> None:
    """A red square whose place is known, found again in the tiles of each level."""
    pixels = np.full((700, 1300, 3), 60, dtype=np.uint8)
    pixels[600:640, 1100:1160] = (250, 10, 10)
    photo = tmp_path / "a.png"
    Image.fromarray(pixels).save(photo)
    size = (1300, 700)
    for level in range(phototiles.levels(*size)):
        scale = 2.0 ** (level + 1 - phototiles.levels(*size))
        x, y = 1130.0 * scale, 620.0 * scale
        place = (level, int(x // 512), int(y // 512))
        tile = np.asarray(Image.open(phototiles.tile(photo, size, place, tmp_path)), dtype=int)
        assert tile.shape == (512, 512, 3)
        red = np.argwhere(tile[:, :, 0] - tile[:, :, 1] > 120)
        centre = red.mean(axis=0) + 0.5 + 512 * np.array(place[2:0:-1])
        assert np.allclose(centre, (y, x), atol=0.7), level


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_preview_shows_the_place_upright_however_the_camera_was_held(
    orientation: int, tmp_path: Path
) -> None:
    """A red disc in a photo of 2,200 by 1,400 pixels, whose overview is half of that."""
    upright = np.full((1400, 2200, 3), 90, np.uint8)
    cv2.circle(upright, (1710, 330), 24, (220, 20, 20), -1)
    stored = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]  # quarter turns against the clock
    photo = write_jpeg(tmp_path / "a.jpg", np.rot90(upright, stored), Tags(orientation=orientation))
    assert phototiles.facts(2200, 1400)["overview"] == 2
    at = (1710 // 2 - 70, 330 // 2 - 30)
    content = phototiles.preview(photo, (2200, 1400), at, tmp_path / "cache")
    cut = np.asarray(Image.open(io.BytesIO(content)), dtype=int)
    assert cut.shape == (phototiles.PREVIEW_PX, phototiles.PREVIEW_PX, 3)
    red = np.argwhere(cut[:, :, 0] - cut[:, :, 1] > 60)
    assert np.allclose(red.mean(axis=0) + 0.5, (330 / 2 - at[1], 1710 / 2 - at[0]), atol=0.8)
    assert 0.8 < len(red) / (np.pi * 12**2) < 1.3
    assert (cut[0, :5] == 90).all() or abs(cut[0, :5] - 90).max() < 8


def test_previews_of_one_photo_decode_it_once_and_never_at_full_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    reduced = imagefile.decode_reduced

    def counted(path: Path, max_side_px: int) -> Any:
        decoded.append(max_side_px)
        return reduced(path, max_side_px)

    monkeypatch.setattr(imagefile, "decode_reduced", counted)
    monkeypatch.setattr(imagefile, "decode_rgb", lambda path: pytest.fail("the photo's own pixels"))
    photo = write_jpeg(tmp_path / "a.jpg", np.full((1500, 2100, 3), 120, np.uint8))
    for place in ((-96, -96), (0, 0), (480, 384), (960, 672)):
        phototiles.preview(photo, (2100, 1500), place, tmp_path / "cache")
    assert decoded == [1050]
    corner = phototiles.preview(photo, (2100, 1500), (-96, -96), tmp_path / "cache")
    cut = np.asarray(Image.open(io.BytesIO(corner)), dtype=int)
    assert abs(cut[:80, :80] - 128).max() < 8, "grey beyond the photo"
    assert abs(cut[110:, 110:] - 120).max() < 8


@pytest.mark.parametrize("size", [(700, 500), (999, 400), (1999, 900), (2001, 900), (12_000, 9000)])
def test_an_overview_has_a_thousand_to_two_thousand_pixels_or_is_the_photo_itself(
    size: tuple[int, int],
) -> None:
    side = max(size) / phototiles.facts(*size)["overview"]
    assert 1000 <= side < 2000 or (side == max(size) and side < 1000)
    assert phototiles.overview_halvings(*size) < phototiles.levels(*size)


def test_the_previews_of_a_scene_are_pictures_to_keep(site: Site, world: World) -> None:
    client = site.client("requester")
    path = f"/scenes/1/photos/{world.photo(0)}/preview.jpg"
    with client.get(f"{path}?x=96&y=-96") as answer:
        assert answer.mimetype == "image/jpeg"
        assert Image.open(io.BytesIO(answer.data)).size == (192, 192)
        assert "private" in answer.headers["Cache-Control"]
        assert "max-age=86400" in answer.headers["Cache-Control"]
    with client.get(path) as answer:
        assert answer.status_code == 422
    with client.get("/scenes/1/photos/none.jpg/preview.jpg?x=0&y=0") as answer:
        assert answer.status_code == 404


def test_the_table_of_photos_comes_in_pieces_with_the_marked_ones_first(
    site: Site, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marking, "PAGE_ROWS", 4)
    sheet = mark(site, world, "own_1", world.views_of("own_1")[-2:], as_point="in pieces")
    every = [row["photo"] for row in sheet["predictions"]]
    assert len(every) > 8
    marked = {row["photo"] for row in sheet["marks"]}
    client, seen, address = site.client("pilot"), [], "/scenes/1/marks?point=in+pieces"
    while address:
        text = client.get(address).get_data(as_text=True)
        rows = re.findall(r'<tr><th scope="row">([^<]+)</th>', text)
        assert 0 < len(rows) <= 4
        seen += rows
        later = re.search(r'href="([^"]+)">Next photos', text)
        address = html.unescape(later.group(1)) if later else ""
    assert set(seen[:2]) == marked
    assert seen[2:] == [name for name in every if name not in marked]
    assert f"Photos {len(every) // 4 * 4 + 1} to {len(every)} of {len(every)}" in text or (
        len(every) % 4 == 0
    )
    far = client.get("/scenes/1/marks?point=in+pieces&from=9999").get_data(as_text=True)
    assert re.findall(r'<tr><th scope="row">([^<]+)</th>', far) == seen[-1:]


@pytest.mark.parametrize("place", [(2, 0, 0), (1, 2, 0), (1, 0, 2), (-1, 0, 0)])
def test_a_tile_outside_the_photo_does_not_exist(
    place: tuple[int, int, int], tmp_path: Path
) -> None:
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (800, 600)).save(photo)
    with pytest.raises(NotFound):
        phototiles.tile(photo, (800, 600), place, tmp_path)


def test_a_cut_out_beyond_the_edge_is_grey_there(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    Image.new("RGB", (100, 80), (200, 30, 30)).save(photo)
    content = phototiles.cut(photo, (100, 80), (-10, -10), 20, tmp_path)
    cut = np.asarray(Image.open(io.BytesIO(content)))
    assert (cut[:10] == 128).all()
    assert abs(int(cut[15, 15, 0]) - 200) < 12


def test_the_cache_of_tiles_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setattr(phototiles, "CACHE_BYTES", 90_000)
    rng = np.random.default_rng(0)
    for number in range(4):
        photo = tmp_path / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(photo)
        phototiles.tile(photo, (200, 200), (0, 0, 0), cache)
    kept = sum(f.stat().st_size for f in cache.rglob("*") if f.is_file())
    assert 10_000 < kept <= 90_000


# --- measurements -----------------------------------------------------------------------------


@pytest.fixture
def measured(site: Site, world: World) -> dict[str, Any]:
    """A kept distance between two targets."""
    mark(site, world, "gcp_1", world.views_of("gcp_1")[:4])
    mark(site, world, "cp_1", world.views_of("cp_1")[:4])
    body = {"kind": "distance", "points": ["gcp_1", "cp_1"], "name": "skid 1"}
    answer = post(site, "/measurements", body)
    assert answer.status_code == 201
    found: dict[str, Any] = answer.get_json()
    return found


def test_a_measurement_between_marks_holds_the_truth(
    measured: dict[str, Any], world: World
) -> None:
    truth = float(np.linalg.norm(world.truth.points[0] - world.truth.points[2]))
    value = measured["measurement"]
    assert value["value"] == pytest.approx(truth, abs=1e-5)
    assert value["ci95_low"] < truth < value["ci95_high"]
    assert value["ci95_high"] - value["ci95_low"] < 0.3
    assert len(value["photos"]) >= 4


def test_what_a_value_rests_on_is_told_beside_it_in_the_language(site: Site, world: World) -> None:
    """Two rays that meet are used, and nothing checks them."""
    for target, point in (("gcp_1", "end a"), ("cp_1", "end b")):
        views = world.views_of(target)
        mark(site, world, target, [views[0], views[-1]], as_point=point)
    body = {"kind": "distance", "points": ["end a", "end b"], "name": "unchecked"}
    made = post(site, "/measurements", body).get_json()["measurement"]
    assert made["determined"]
    assert made["note"]
    english = site.client("investigator").get("/scenes/1").get_data(as_text=True)
    assert made["note"] in html.unescape(english)
    dutch = site.client("investigator", language="nl").get("/scenes/1").get_data(as_text=True)
    assert translated(made["note"], "nl") in html.unescape(dutch)
    assert translated(made["note"], "nl") != made["note"]


def test_the_list_writes_numbers_as_the_language_does(site: Site, measured: dict[str, Any]) -> None:
    value, number = measured["measurement"], measured["id"]
    english = site.client("investigator").get("/scenes/1").get_data(as_text=True)
    dutch = site.client("investigator", language="nl").get("/scenes/1").get_data(as_text=True)
    plain = f"{value['value']:.3f}"
    low, high = f"{value['ci95_low']:.3f}", f"{value['ci95_high']:.3f}"
    row = english[: english.index(f'id="name-{number}"')].rpartition("<tr>")[2]
    assert f">{plain}\u00a0m</td>" in row
    assert f">{low} – {high}\u00a0m</td>" in row
    row = dutch[: dutch.index(f'id="name-{number}"')].rpartition("<tr>")[2]
    assert f">{plain.replace('.', ',')}\u00a0m</td>" in row
    assert f"{low} – ".replace(".", ",") in row


def test_a_preview_is_not_kept(site: Site, world: World) -> None:
    mark(site, world, "gcp_1", world.views_of("gcp_1")[:3])
    mark(site, world, "cp_1", world.views_of("cp_1")[:3])
    before = len(rows(site))
    body = {"kind": "height", "points": ["gcp_1", "cp_1"]}
    value = post(site, "/measure", body, "requester").get_json()
    rise = world.truth.points[2, 2] - world.truth.points[0, 2]
    assert value["value"] == pytest.approx(rise, abs=1e-5)
    assert len(rows(site)) == before


def test_a_measurement_is_renamed_and_removed_with_a_reason(
    site: Site, measured: dict[str, Any]
) -> None:
    number = measured["id"]
    client = site.client("investigator")
    token = csrf_token(client)
    path = f"/scenes/1/measurements/{number}"
    assert (
        client.post(f"{path}/rename", data={"csrf_token": token, "name": "skid, left"}).status_code
        == 302
    )
    assert "skid, left" in client.get("/scenes/1").get_data(as_text=True)
    answer = client.post(f"{path}/remove", data={"csrf_token": token, "reason": " "})
    assert answer.status_code == 422
    data = {"csrf_token": token, "reason": "the wrong car"}
    assert client.post(f"{path}/remove", data=data).status_code == 302
    assert number not in rows(site)
    with db.read_scope(site.engine) as session:
        row = session.get_one(MeasurementRow, number)
        assert (row.removed_reason, row.name) == ("the wrong car", "skid, left")
        last = audit.entries(session, subject="scene:1", limit=1)[0]
        assert (last.action, last.reason) == ("scene.measure.remove", "the wrong car")
    data = {"csrf_token": token, "name": "x"}
    assert client.post(f"{path}/rename", data=data).status_code == 404


def test_a_measurement_is_computed_again_after_another_build(
    site: Site, world: World, measured: dict[str, Any]
) -> None:
    scene_world.rebuild(site, 1, world.truth, shift_m=0.01)
    try:
        page = site.client("investigator").get("/scenes/1").get_data(as_text=True)
        assert "earlier cameras" in page
        made = post(site, f"/measurements/{measured['id']}/recompute", {}).get_json()
        assert made["supersedes"] == measured["id"]
        old, new = measured["measurement"]["value"], made["measurement"]["value"]
        assert new == pytest.approx(1.01 * old, rel=2e-3), "the cameras stand 1 % farther apart"
        assert measured["id"] not in rows(site)
        assert made["id"] in rows(site)
    finally:
        scene_world.rebuild(site, 1, world.truth)


def test_the_list_comes_as_csv_that_no_spreadsheet_runs(
    site: Site, measured: dict[str, Any]
) -> None:
    post(site, f"/measurements/{measured['id']}/rename", {"name": "=HYPERLINK(1)"})
    with site.client("requester").get("/scenes/1/measurements.csv") as answer:
        assert answer.mimetype == "text/csv"
        table = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    row = next(r for r in table if r["id"] == str(measured["id"]))
    assert row["name"] == "'=HYPERLINK(1)"
    assert float(row["value"]) == measured["measurement"]["value"]
    assert row["unit"] == "m"


def test_the_geojson_states_its_reference_system_and_lies_where_the_points_do(
    site: Site, world: World, measured: dict[str, Any]
) -> None:
    document = site.client("requester").get("/scenes/1/measurements.geojson").get_json()
    assert document["crs"]["properties"]["name"] == "urn:ogc:def:crs:OGC:1.3:CRS84"
    assert document["height_datum"] == "WGS84 ellipsoid"
    feature = next(f for f in document["features"] if f["id"] == measured["id"])
    lon, lat, height = feature["geometry"]["coordinates"][0]
    there = EnuFrame(ORIGIN).enu_from_geodetic(np.array([[lat, lon, height]]))[0]
    assert np.allclose(there, world.truth.points[0], atol=1e-3)


def test_points_without_marks_are_said_to_be_undetermined(site: Site) -> None:
    body = {"kind": "distance", "points": ["nowhere", "nothing"], "name": "x"}
    made = post(site, "/measurements", body).get_json()
    assert made["measurement"]["determined"] is False
    assert "nowhere" in made["measurement"]["note"]


@pytest.mark.parametrize("on", ["wgs84", "orthophoto", "cloud"])
def test_a_length_on_the_surface_is_that_of_the_sloping_ground(site: Site, on: str) -> None:
    """Six metres to the east on a plane that rises by a tenth, asked in three ways."""
    ends = np.array([[-3.0, 1.0], [3.0, 1.0]])
    geodetic = EnuFrame(ORIGIN).geodetic_from_enu(np.column_stack([ends, [0.0, 0.0]]))
    places = {
        "wgs84": geodetic[:, :2].tolist(),
        "orthophoto": [[(7.0 + e) / 0.01, (4.5 - n) / 0.01] for e, n in ends],
        "cloud": ends.tolist(),
    }[on]
    body = {"kind": "distance", "on": on, "places": places, "name": f"on {on}"}
    answer = post(site, "/surface/measurements", body)
    assert answer.status_code == 201, answer.get_json()
    value = answer.get_json()["measurement"]
    # UTM's scale is 0.9998 here and its north 1.1 degrees off: both small against the slope.
    assert value["value"] == pytest.approx(6.0 * np.hypot(1.0, scene_world.RISE), rel=1e-3)
    assert value["ci95_low"] < value["value"] < value["ci95_high"]
    assert value["method"] == "surface"
    unnamed = post(site, "/surface/measurements", {**body, "name": " "})
    assert unnamed.status_code == 422
    level = post(site, "/surface/measure", {**body, "kind": "height"}).get_json()
    assert level["value"] == pytest.approx(0.6, abs=0.02)


def test_the_names_of_places_are_kept_for_the_diagram_or_refused(site: Site) -> None:
    ends = [[-3.0, 1.0], [3.0, 1.0]]
    body = {"kind": "distance", "on": "cloud", "places": ends, "name": "named"}
    named = {**body, "place_names": ["kerb", "Zebrapad é"]}
    made = post(site, "/surface/measurements", named).get_json()
    with db.session_scope(site.engine) as session:
        asked = request_of(session.get_one(MeasurementRow, made["id"]).request or {})
    assert point_names(asked) == ("kerb", "Zebrapad é")
    assert made["measurement"]["value"] > 6.0
    for wrong in (["kerb"], ["kerb", ""], ["a", "b", "c"]):
        answer = post(site, "/surface/measure", {**body, "place_names": wrong})
        assert answer.status_code == 422, wrong


def test_the_height_of_a_wall_is_measured_between_points_of_the_cloud(site: Site) -> None:
    """The wall stands on the ground, 0.2 m up, and is 2 m high; the middle is 0.75 m up."""
    middle_up = (2.2 - 0.7) / 2.0
    places = [[2.0, 0.0, 0.25 - middle_up], [2.0, 0.0, 2.15 - middle_up]]
    body = {"kind": "height", "on": "cloud", "places": places, "name": "wall"}
    made = post(site, "/surface/measurements", body).get_json()["measurement"]
    assert made["value"] == pytest.approx(1.9, abs=0.15)
    assert made["ci95_low"] < made["value"] < made["ci95_high"]
    mixed = post(site, "/surface/measure", {**body, "places": [places[0], places[1][:2]]})
    assert mixed.status_code == 200  # without all heights they are places of the surface
    assert abs(mixed.get_json()["value"]) < 0.1
    volume = {**body, "kind": "volume", "places": [[0, 0, 0], [1, 0, 0], [1, 1, 0]]}
    assert post(site, "/surface/measure", volume).status_code == 200
    flat = post(site, "/surface/measure", {**body, "on": "orthophoto"})
    assert flat.status_code == 422


def test_places_that_no_surface_has_are_not_measured(site: Site) -> None:
    for places in ([[1e7, 1e7], [2e7, 2e7]], [[-9000.0, 5.0], [5.0, 5.0]]):
        answer = post(
            site, "/surface/measure", {"kind": "distance", "on": "orthophoto", "places": places}
        )
        assert answer.status_code == 422 or answer.get_json()["determined"] is False


def rows(site: Site) -> set[int]:
    """The ids on the scene's list."""
    scene = site.client("investigator").get("/api/v1/scenes/1").get_json()
    return {row["id"] for row in scene["measurements"]}


# --- zones ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/scenes/1/marks", "/scenes/1/photos", "/scenes/1/measurements.csv",
        "/scenes/1/measurements.geojson", "/scenes/1/photos/photo_000.jpg/thumb.jpg",
        "/scenes/1/photos/photo_000.jpg/cut.png?x=0&y=0",
        "/scenes/1/photos/photo_000.jpg/preview.jpg?x=0&y=0", "/api/v1/scenes/1/points",
        "/scenes/1/photos/photo_000.jpg/tiles/0/0/0.jpg", "/api/v1/scenes/1/sheet?point=gcp_1",
    ],
)  # fmt: skip
def test_another_zones_scene_does_not_exist(site: Site, path: str) -> None:
    with site.client("neighbour").get(path) as answer:
        assert answer.status_code == 404
    with site.client("requester").get(path) as answer:
        assert answer.status_code == 200


def test_another_zone_measures_nothing(site: Site) -> None:
    body = {"kind": "distance", "points": ["gcp_1", "cp_1"]}
    assert post(site, "/measure", body, "neighbour").status_code == 404


# --- the viewer -------------------------------------------------------------------------------


@pytest.mark.parametrize("on", ["wgs84", "cloud"])
def test_a_tapped_place_is_shown_in_the_photos_where_they_truly_have_it(
    site: Site, world: World, on: str
) -> None:
    east, north = 1.0, 2.0
    up = scene_world.RISE * east
    lat, lon, _ = EnuFrame(ORIGIN).geodetic_from_enu(np.array([[east, north, up]]))[0]
    place = {"wgs84": [lat, lon], "cloud": [east, north]}[on]
    answer = post(site, "/surface/photos", {"on": on, "place": place}, "requester")
    rows = {row["photo"]: row for row in answer.get_json()["items"]}
    assert len(rows) >= 3
    for view in world.truth.views:
        at = view.cam_from_enu @ [east, north, up, 1.0]
        x, y = 700.0 * at[:2] / at[2] + [400.0, 300.0]  # a pinhole camera, by hand
        if at[2] > 0 and 1 < x < 799 and 1 < y < 599:
            row = rows[view.name]
            # The cloud's middle lies some centimetres off the origin.
            assert np.hypot(row["x_px"] - x, row["y_px"] - y) < (0.1 if on == "wgs84" else 3.0)
            assert row["hidden"] is False
    assert post(site, "/surface/photos", {"on": on, "place": place}, "neighbour").status_code == 404


def test_a_place_that_is_none_is_refused(site: Site) -> None:
    for body in ({"on": "wgs84", "place": [50.0, 4.0, 7.0]}, {"on": "cloud", "place": [1.0]}, {}):
        assert post(site, "/surface/photos", body).status_code == 422


def test_the_cameras_stand_where_they_truly_stood(site: Site, world: World) -> None:
    answer = site.client("requester").get("/api/v1/scenes/1/cameras").get_json()
    found = {row["photo"]: row["centre_enu_m"] for row in answer["cameras"]}
    assert set(found) == {view.name for view in world.truth.views}
    for view in world.truth.views:
        assert np.allclose(found[view.name], view.centre_enu_m, atol=1e-6)
    assert np.allclose(np.array(answer["cloud_from_enu"])[:, :3], np.eye(3))
    assert site.client("neighbour").get("/api/v1/scenes/1/cameras").status_code == 404


def test_a_scene_whose_data_folder_was_moved_keeps_its_photos_and_its_control(
    site: Site, world: World
) -> None:
    """As after a backup was restored into another folder: every written path is one of the old."""
    me, settings = site.actor("investigator"), site.settings
    here, old = str(settings.data_dir.absolute()), "/gone/data"
    with db.session_scope(site.engine) as session:
        known = marks.points(session, me, world.scene_id, settings)
        row = session.get_one(SceneRow, world.scene_id)
        row.params = json.loads(json.dumps(row.params).replace(here, old))
        row.summary = json.loads(json.dumps(row.summary).replace(here, old))
        assert old in json.dumps(row.params)
        assert old in json.dumps(row.summary)
        found = marks.photo_path(session, me, world.scene_id, world.photo(0), settings)
        assert found == settings.data_dir / row.photos_folder / world.photo(0)
        assert marks.points(session, me, world.scene_id, settings) == known
        assert {"gcp_1", "gcp_2", "cp_1"} <= {point.name for point in known}
        assert marks.params_with_marks(session, row, settings).gcp_path is not None
        session.rollback()
