"""Cards that come back wrong, through the command line: what is said, and what still comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droneteam import cli
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.scene import Camera, View
from tests.photogrammetry import bad_cards
from tests.photogrammetry.bad_cards import CAMERA, Fault, Pond, card
from tests.photogrammetry.box_world import BoxWorld, block_poses
from tests.photogrammetry.languages import known
from tests.photogrammetry.pictures import Tags

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
"""rasterio 1.5 multiplies affine transforms the old way."""

EVERYWHERE = (-50.0, 50.0, -50.0, 50.0)


def built(folder: Path, *more: str, until: str = "adjust") -> dict[str, Any]:
    """scene.json of the photos in folder/in."""
    command = ["scene", "build", str(folder / "in"), "-o", str(folder / "out"), "--threads", "1"]
    status = cli.main([*command, "--preset", "preview", "--until", until, *more])
    assert status == 0
    document: dict[str, Any] = json.loads((folder / "out" / "scene.json").read_text())
    return document


def refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """What the command says on standard error, and scene.json, of a build that cannot go on."""
    command = ["scene", "build", str(folder / "in"), "-o", str(folder / "out"), "--threads", "1"]
    assert cli.main([*command, "--preset", "preview"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    return said, json.loads((folder / "out" / "scene.json").read_text())


def camera_errors_m(folder: Path, truth: list[View]) -> np.ndarray:
    """(n,) distances of the camera centres from the true ones, over the place on the earth."""
    rows = json.loads((folder / "out" / "cameras.json").read_text())["cameras"]
    true = {Path(view.name).stem: view.centre_enu_m for view in truth}
    names = ("lat_deg", "lon_deg", "alt_ellipsoid_m")
    at = np.array([[row["centre_wgs84"][name] for name in names] for row in rows])
    found = EnuFrame(bad_cards.ORIGIN).enu_from_geodetic(at)
    expected = np.array([true[Path(row["photo"]).stem] for row in rows])
    return np.asarray(np.linalg.norm(found - expected, axis=1))


# --- nothing can be built: words, and what was finished ---------------------------------------


def test_photos_of_four_places_are_refused_with_the_reason_of_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad_cards.no_overlap(tmp_path / "in", n=4)
    said, document = refused(tmp_path, capsys)
    assert "each of 4 photos shares no view with any other photo (0_00.jpg, " in said
    assert "must overlap by 60 %" in said
    assert document["state"] == "partial"
    assert document["stopped"]["stage"] == "sfm"
    assert known(document["stopped"]["reason"])


def test_nothing_but_waves_is_refused_and_says_that_nothing_can_be_recognised(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card(tmp_path / "in", Pond(pond=EVERYWHERE, sky_m=None, boxes=()), block_poses()[:5])
    said, document = refused(tmp_path, capsys)
    assert "each of 5 photos only " in said
    assert "features found: blurred, dark or without texture" in said
    assert known(document["stopped"]["reason"])


# --- something can be built: it is, and the fault is named ------------------------------------


@pytest.mark.slow
def test_two_places_are_both_reported_and_never_one(tmp_path: Path) -> None:
    bad_cards.two_places(tmp_path / "in")
    document = built(tmp_path)
    assert document["registered"] == 7
    (apart,) = document["photos"]["other_groups"]
    assert apart == [f"other_{i:02d}.jpg" for i in range(5)]
    (said,) = [w for w in document["warnings"] if "reconstructed apart" in w]
    assert known(said)


@pytest.mark.slow
def test_a_flight_straight_ahead_says_what_its_line_leaves_open(tmp_path: Path) -> None:
    truth = bad_cards.straight_ahead(tmp_path / "in")
    document = built(tmp_path)
    assert document["registered"] == len(truth)
    assert any("on one line" in w for w in document["warnings"])
    assert document["accuracy"]["vertical_scale"]["determined"] is False
    assert document["warnings"][0].startswith("vertical scale not determined")
    assert camera_errors_m(tmp_path, truth).max() < 0.1


@pytest.mark.slow
def test_a_calm_pond_is_doubted_and_the_shore_is_right(tmp_path: Path) -> None:
    truth = card(tmp_path / "in", Pond(), block_poses())
    document = built(tmp_path)
    assert any("mirror image in water or glass" in w for w in document["warnings"])
    assert camera_errors_m(tmp_path, truth).max() < 0.05


@pytest.mark.slow
def test_waves_leave_the_shore_and_no_doubt(tmp_path: Path) -> None:
    truth = card(tmp_path / "in", Pond(sky_m=None), block_poses())
    document = built(tmp_path)
    assert document["registered"] == 12
    assert not any("mirror" in w for w in document["warnings"])
    assert camera_errors_m(tmp_path, truth).max() < 0.05


@pytest.mark.slow
def test_a_rippled_puddle_is_named_where_it_is_and_not_measured(tmp_path: Path) -> None:
    card(tmp_path / "in", Pond(pond=(0.9, 2.4, -1.8, 0.2), sky_m=None), block_poses())
    document = built(tmp_path, until="surface")
    (place,) = document["unmeasured"]
    assert place["cause"] == "silent"
    assert 0.8 < place["area_m2"] < 3.0
    east, north = place["east_m"], place["north_m"]
    at = EnuFrame(GeoPoint(**document["frame"]["origin"]))
    there = at.geodetic_from_enu(np.array([east, north, 0.0]))
    true_east, true_north, _ = EnuFrame(bad_cards.ORIGIN).enu_from_geodetic(there)
    assert 0.9 < true_east < 2.4
    assert -1.8 < true_north < 0.2
    (said,) = [w for w in document["warnings"] if "no surface could be measured" in w]
    assert said.startswith(f"{place['area_m2']:.1f} m² about E {east:.1f} m, N {north:.1f} m")
    (tmp_path / "places.csv").write_text(
        f"point,east_m,north_m\na,{east},{north}\nb,{east - 2.0},{north}\nc,{east - 2.5},{north}\n"
    )
    command = ["scene", "measure", str(tmp_path / "out"), "height", "--places"]
    assert cli.main([*command, str(tmp_path / "places.csv"), "a", "b"]) == 2
    assert cli.main([*command, str(tmp_path / "places.csv"), "b", "c"]) == 0


@pytest.mark.slow
def test_the_sky_in_a_flood_is_told_from_the_ground_by_the_barometer(tmp_path: Path) -> None:
    card(tmp_path / "in", Pond(pond=EVERYWHERE, boxes=()), block_poses())
    document = built(tmp_path)
    (said,) = [w for w in document["warnings"] if "above take-off" in w]
    assert "a mirror image in water" in said


def _swapped(tags: Tags) -> Tags:
    return replace(tags, lat_deg=tags.lon_deg, lon_deg=tags.lat_deg)


def _without_fix(tags: Tags) -> Tags:
    return replace(tags, lat_deg=0.0, lon_deg=0.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "says"), [(_swapped, "look swapped"), (_without_fix, "had no fix")]
)
def test_one_wrong_position_is_named_and_harms_nothing(
    wrong: Callable[[Tags], Tags], says: str, tmp_path: Path
) -> None:
    fault = Fault(tags=lambda index, tags: wrong(tags) if index == 4 else tags)
    truth = card(tmp_path / "in", BoxWorld(), block_poses(), fault)
    document = built(tmp_path)
    (said,) = [w for w in document["warnings"] if says in w]
    assert said.startswith("04.jpg")
    assert known(said)
    assert document["registered"] == 12
    assert camera_errors_m(tmp_path, truth).max() < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "says"), [(_swapped, "exchanged"), (_without_fix, "each of 12 photos")]
)
def test_positions_that_are_all_wrong_leave_a_scene_without_metres_that_says_so(
    wrong: Callable[[Tags], Tags], says: str, tmp_path: Path
) -> None:
    card(tmp_path / "in", BoxWorld(), block_poses(), Fault(tags=lambda _, tags: wrong(tags)))
    document = built(tmp_path)
    assert document["registered"] == 12
    assert document["frame"]["metric"] is False
    (said,) = [w for w in document["warnings"] if says in w]
    assert known(said)
    statement = document["accuracy"]["vertical_scale"]["statement"]
    assert "no scale" in statement
    assert "ring" not in statement


@pytest.mark.slow
def test_one_wrong_control_point_among_eight_is_named_and_left_out(tmp_path: Path) -> None:
    truth = card(tmp_path / "in", BoxWorld(), block_poses(), Fault(tags=lambda _, t: _no_rtk(t)))
    bad_cards.control_csv(tmp_path / "control.csv", truth, {"nail 6": 0.15})
    document = built(tmp_path, "--gcp", str(tmp_path / "control.csv"))
    rows = {row["name"]: row for row in document["accuracy"]["rows"]}
    assert [name for name, row in rows.items() if row["rejected"]] == ["nail 6"]
    assert rows["nail 6"]["residual_enu_m"][1] == pytest.approx(0.15, abs=0.01)
    (said,) = [w for w in document["warnings"] if "nail 6" in w]
    assert "not used" in said
    assert camera_errors_m(tmp_path, truth).max() < 0.02


def _no_rtk(tags: Tags) -> Tags:
    return replace(tags, xmp=None)


@pytest.mark.slow
def test_two_cameras_on_one_card_get_a_lens_each(tmp_path: Path) -> None:
    other = Camera("PINHOLE", 640, 400, (500.0, 500.0, 320.0, 200.0))
    fault = Fault(
        tags=lambda index, tags: replace(tags, model="M3T", focal_35mm=29) if index % 2 else tags,
        camera=lambda index: other if index % 2 else CAMERA,
    )
    truth = card(tmp_path / "in", BoxWorld(), block_poses(), fault)
    document = built(tmp_path)
    assert document["registered"] == 12
    rows = json.loads((tmp_path / "out" / "cameras.json").read_text())["cameras"]
    focal_px = {(row["width"], round(row["params"][0], 6)) for row in rows}
    assert sorted(width for width, _ in focal_px) == [480, 640]
    for width, focal in focal_px:
        assert focal == pytest.approx(500.0 if width == 640 else 420.0, rel=0.01)
    assert camera_errors_m(tmp_path, truth).max() < 0.05


def _all_wide(folder: Path) -> None:
    for path in sorted(folder.glob("*.jpg")):
        bad_cards.as_sixteen_bit_tiff(path)


def _some_turned(folder: Path) -> None:
    for index in (1, 5, 7):
        bad_cards.turned(folder / f"{index:02d}.jpg")


@pytest.mark.slow
@pytest.mark.parametrize("change", [_all_wide, _some_turned])
def test_sixteen_bits_and_turned_photos_give_the_scene_of_plain_ones(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    truth = card(tmp_path / "in", BoxWorld(), block_poses())
    change(tmp_path / "in")
    document = built(tmp_path)
    assert document["registered"] == 12
    assert document["accuracy"]["scale_source"] == "rtk"
    assert camera_errors_m(tmp_path, truth).max() < 0.05


@pytest.mark.slow
def test_a_cut_off_file_and_a_copy_are_named_and_the_rest_is_built(tmp_path: Path) -> None:
    truth = card(tmp_path / "in", BoxWorld(), block_poses())
    bad_cards.cut_off(tmp_path / "in" / "03.jpg")
    copy = bad_cards.twice(tmp_path / "in" / "07.jpg")
    document = built(tmp_path, until="export")
    assert document["state"] == "complete"
    assert document["registered"] == 11
    problems = {row["name"]: row["code"] for row in document["photos"]["problems"]}
    assert problems == {"03.jpg": "unreadable", copy.name: "duplicate"}
    assert camera_errors_m(tmp_path, truth).max() < 0.05
