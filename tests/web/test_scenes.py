"""Scene pages, tiles, points and product files: right pixels, safe paths, bounded memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pyproj
import pytest
from PIL import Image

from droneteam import db, jobs
from droneteam.errors import DecodeError, NotFound
from droneteam.web import camera_places, points, tiles
from droneteam.web.files import inside
from tests.web import worlds
from tests.web.conftest import NOW, Site, csrf_token


@pytest.fixture
def scene(site: Site) -> Site:
    assert worlds.built_scene(site) == 1
    return site


@pytest.fixture(scope="module")
def ortho(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ortho") / "orthophoto.tif"
    worlds.write_ortho(path)
    return path


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cloud") / "cloud.laz"
    worlds.write_cloud(path)
    return path


def image(content: bytes) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_page_states_accuracy_datum_and_intervals(scene: Site) -> None:
    text = scene.client("investigator").get("/scenes/1").get_data(as_text=True)
    assert "not above the geoid" in text
    assert "7.352\u00a0m" in text
    assert "7.346 – 7.358\u00a0m" in text
    assert "not determined" in text
    assert "nan" not in text.lower().replace("manager", "").split("<main")[1]
    assert "2 photos were left out" in text
    assert "4.0; 5.0; 9.0 mm" in text


def test_a_zone_sees_its_own_scene_and_no_other_zones(scene: Site) -> None:
    assert scene.client("requester").get("/scenes/1").status_code == 200
    for path in ("", "/points.bin", "/cloud-top.png", "/ortho/0/0/0.png", "/products/report"):
        assert scene.client("neighbour").get(f"/scenes/1{path}").status_code == 404


def test_the_last_level_of_tiles_has_the_rasters_own_pixels(ortho: Path) -> None:
    info = tiles.raster_info(ortho)
    assert (info.width_px, info.height_px, info.levels) == (*worlds.ORTHO_PX, 3)
    whole = np.zeros((3 * 512, 3 * 512, 4), dtype=np.uint8)
    for column in range(3):
        for row in range(2):
            tile = image(tiles.tile_png(ortho, 2, column, row))
            whole[512 * row : 512 * (row + 1), 512 * column : 512 * (column + 1)] = tile
    import rasterio

    with rasterio.open(ortho) as raster:
        truth = np.moveaxis(raster.read(), 0, -1)
    height, width = truth.shape[:2]
    seen = whole[:height, :width]
    assert (seen[..., 3] == truth[..., 3]).all()
    opaque = truth[..., 3] > 0
    assert (seen[opaque] == truth[opaque]).all()
    assert (whole[height:, :, 3] == 0).all()


def test_level_zero_is_the_whole_raster_in_one_tile(ortho: Path) -> None:
    tile = image(tiles.tile_png(ortho, 0, 0, 0))
    assert tile.shape == (512, 512, 4)
    assert tile[110, 160, 0] > 120  # the red car, four times smaller
    with pytest.raises(NotFound):
        tiles.tile_png(ortho, 0, 1, 0)


@pytest.mark.parametrize("place", [(3, 0, 0), (-1, 0, 0), (2, 3, 0), (2, 0, 2), (2, -1, 0)])
def test_a_tile_outside_the_raster_does_not_exist(ortho: Path, place: tuple[int, int, int]) -> None:
    with pytest.raises(NotFound):
        tiles.tile_png(ortho, *place)


def test_a_vrt_that_calls_itself_a_tiff_is_not_opened(tmp_path: Path, ortho: Path) -> None:
    fake = tmp_path / "orthophoto.tif"
    fake.write_text(
        f'<VRTDataset rasterXSize="1400" rasterYSize="900"><VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{ortho}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(DecodeError):
        tiles.raster_info(fake)


def test_the_buffer_keeps_to_its_budget_and_to_the_shape(cloud: Path, tmp_path: Path) -> None:
    path = points.point_buffer(cloud, tmp_path, budget=10_000)
    kept = np.fromfile(path, dtype=points.POINT)
    assert 8_000 <= len(kept) <= 10_000
    low, high = kept["xyz"].min(axis=0), kept["xyz"].max(axis=0)
    assert np.allclose(low, [-7, -4.5, low[2]], atol=0.05)
    assert np.allclose(high, [7, 4.5, high[2]], atol=0.05)
    red_car = (kept["rgb"] == (170, 40, 50)).all(axis=1)
    share = red_car.mean()
    assert share == pytest.approx(4.3 * 1.8 / (14 * 9), abs=0.02)


def test_a_small_cloud_is_sent_whole(cloud: Path) -> None:
    assert len(points.thinned(cloud, 60_000)) == 60_000


def test_thinning_reads_in_chunks(cloud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = points.thinned(cloud, 7_001)
    monkeypatch.setattr(points, "CHUNK_POINTS", 997)
    tracemalloc.start()
    in_chunks = points.thinned(cloud, 7_001)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (at_once == in_chunks).all()
    assert peak < 3_000_000


def test_what_is_no_cloud_is_said_to_be_none(tmp_path: Path) -> None:
    fake = tmp_path / "cloud.laz"
    fake.write_bytes(b"LASF" + b"\0" * 100)
    with pytest.raises(DecodeError, match=r"cloud\.laz"):
        points.thinned(fake, 10)


def test_the_picture_from_above_shows_the_cars_in_their_places(cloud: Path, tmp_path: Path) -> None:
    drawn = np.asarray(Image.open(points.picture(cloud, tmp_path, "top")))
    red = np.argwhere((drawn == (170, 40, 50)).all(axis=-1))
    blue = np.argwhere((drawn == (40, 80, 170)).all(axis=-1))
    assert len(red) > 1_000
    assert red[:, 0].mean() < blue[:, 0].mean()  # the red car is farther north
    assert red[:, 1].mean() < blue[:, 1].mean()  # and farther west


def test_products_come_in_ranges_with_their_names(scene: Site) -> None:
    client = scene.client("investigator")
    with client.get("/scenes/1/products/cloud", headers={"Range": "bytes=0-3"}) as answer:
        assert answer.status_code == 206
        assert answer.data == b"LASF"
        assert "filename=scene-1-cloud.laz" in answer.headers["Content-Disposition"]
        tag = answer.headers["ETag"]
    with client.get("/scenes/1/products/cloud", headers={"If-None-Match": tag}) as answer:
        assert answer.status_code == 304
    with client.get("/scenes/1/products/report") as answer:
        assert answer.mimetype == "application/pdf"
        assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("kind", ["nothing", "..%2F..%2Fsecret", "orthophoto.tif", "%00"])
def test_only_listed_products_can_be_taken(scene: Site, kind: str) -> None:
    assert scene.client("investigator").get(f"/scenes/1/products/{kind}").status_code == 404


def test_no_name_and_no_link_leads_out_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "scene"
    folder.mkdir()
    (tmp_path / "secret").write_text("s")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "own").write_text("o")
    assert inside(folder, "own").read_text() == "o"
    for name in ("../secret", "link", "/etc/passwd", "..", "", "missing"):
        with pytest.raises(NotFound):
            inside(folder, name)


def test_building_is_queued_once_and_its_progress_is_shown(scene: Site) -> None:
    client = scene.client("pilot")
    data = {"csrf_token": csrf_token(client)}
    for _ in range(2):
        assert client.post("/scenes/1/build", data=data).status_code == 302
    with db.session_scope(scene.engine) as session:
        job = jobs.latest(session, "scene:1")
        assert job is not None
        assert job.id == 1
        row = session.get_one(jobs.Job, 1)
        row.state, row.stage, row.fraction, row.message = "running", "dense", 0.4, "17 of 41"
    body = client.get("/scenes/1/progress.json").get_json()
    by_name = {stage["name"]: stage for stage in body["stages"]}
    assert body["state"] == "running"
    assert [by_name[name]["fraction"] for name in ("sfm", "dense", "export")] == [1.0, 0.4, 0.0]
    assert by_name["dense"]["message"] == "17 of 41"
    assert 'data-progress="/scenes/1/progress.json"' in client.get("/scenes/1").get_data(
        as_text=True
    )
    client.post("/scenes/1/cancel", data=data)
    with db.read_scope(scene.engine) as session:
        assert jobs.get(session, 1).cancel_requested


def test_a_failed_build_says_why(scene: Site) -> None:
    with db.session_scope(scene.engine) as session:
        jobs.enqueue(session, "scene.build", {"scene_id": 1}, at=NOW, subject="scene:1")
        row = session.get_one(jobs.Job, 1)
        row.state, row.error = "failed", "sfm: 2 photos are too few. Take at least 5"
    text = scene.client("pilot").get("/scenes/1").get_data(as_text=True)
    assert "Finding the cameras: 2 photos are too few. Take at least 5" in text
    assert "failed" in text


def test_cameras_are_drawn_where_they_stood(ortho: Path, tmp_path: Path) -> None:
    """Back from the raster's own place through PROJ, independent of the module's way."""
    to_wgs84 = pyproj.Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    features = [
        {
            "geometry": {"type": "Point", "coordinates": [*to_wgs84.transform(east, north), 40.0]},
            "properties": {"kind": "photo", "name": name},
        }
        for name, east, north in (("a.jpg", -7.0, 4.5), ("b.jpg", 0.0, 0.0))
    ]
    features.append({"geometry": {"type": "Polygon"}, "properties": {"kind": "footprint"}})
    cameras = tmp_path / "cameras.geojson"
    cameras.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (first, x0, y0), (second, x1, y1) = camera_places.in_raster(cameras, ortho)
    assert (first, second) == ("a.jpg", "b.jpg")
    assert np.allclose((x0, y0, x1, y1), (0.0, 0.0, 700.0, 450.0), atol=0.1)
    cameras.write_text("{}")
    with pytest.raises(DecodeError, match="cameras"):
        camera_places.in_raster(cameras, ortho)


def test_products_state_their_own_reference_system(ortho: Path, cloud: Path) -> None:
    assert tiles.reference_system(ortho) == "EPSG:32631"
    assert points.reference_system(cloud) is None
    with pytest.raises(DecodeError):
        tiles.reference_system(cloud)
    with pytest.raises(DecodeError):
        points.reference_system(ortho)
