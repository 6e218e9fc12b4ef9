"""A scene that contradicts the barometer, or hangs below itself, is doubted; others are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry.cameras.plausible import doubts, flying_height_m
from droneteam.photogrammetry.ingest.photos import Photo, read_photo
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Frame
from tests.photogrammetry.box_world import BoxWorld, block_poses, build_network, small_camera
from tests.photogrammetry.languages import known
from tests.photogrammetry.pictures import Tags, noise, write_jpeg


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> CameraNetwork:
    """Six photos from 6 m above the ground."""
    return build_network(
        BoxWorld(), tmp_path_factory.mktemp("flown"), block_poses()[:6], small_camera()
    )


def photos(network: CameraNetwork, above_home_m: float | None, folder: Path) -> list[Photo]:
    xmp = {} if above_home_m is None else {"RelativeAltitude": f"{above_home_m:+.2f}"}
    tags = Tags(lat_deg=50.8, lon_deg=4.4, alt_m=100.0, xmp=xmp)
    one = read_photo(write_jpeg(folder / "one.jpg", noise(), tags))
    return [replace(one, name=view.name) for view in network.views]


def with_points(network: CameraNetwork, points: FloatArray) -> CameraNetwork:
    return replace(network, sparse=replace(network.sparse, points_enu_m=points))


def sunk(network: CameraNetwork, share: float, by_m: float) -> CameraNetwork:
    """The network with a share of its points moved down."""
    points = np.array(network.sparse.points_enu_m)
    points[: int(share * len(points)), 2] -= by_m
    return with_points(network, points)


@pytest.mark.parametrize("above_home_m", [4.5, 6.0, 8.0, 10.5, None])
def test_a_barometer_that_agrees_or_is_silent_is_not_mentioned(
    flown: CameraNetwork, above_home_m: float | None, tmp_path: Path
) -> None:
    assert 5.0 < flying_height_m(flown) < 6.5
    assert doubts(photos(flown, above_home_m, tmp_path), flown) == ()


@pytest.mark.parametrize("above_home_m", [31.0, -20.0, 0.3])
def test_a_surface_elsewhere_than_the_barometer_says_is_doubted_in_every_language(
    flown: CameraNetwork, above_home_m: float, tmp_path: Path
) -> None:
    (said,) = doubts(photos(flown, above_home_m, tmp_path), flown)
    assert f"state {above_home_m:.1f} m above take-off" in said
    assert known(said)


def test_what_hangs_below_everything_else_is_said_with_its_share(
    flown: CameraNetwork, tmp_path: Path
) -> None:
    (said,) = doubts(photos(flown, 6.0, tmp_path), sunk(flown, 0.25, 12.0))
    assert said.startswith("25 % of the tie points lie 1")
    assert "mirror image" in said
    assert known(said)


@pytest.mark.parametrize(("share", "by_m"), [(0.01, 12.0), (0.25, 1.0), (0.7, 2.5)])
def test_outliers_a_kerb_and_the_street_below_roofs_are_no_mirror(
    flown: CameraNetwork, share: float, by_m: float, tmp_path: Path
) -> None:
    assert doubts(photos(flown, 6.0, tmp_path), sunk(flown, share, by_m)) == ()


def test_a_slope_without_a_step_is_no_mirror(flown: CameraNetwork, tmp_path: Path) -> None:
    points = np.array(flown.sparse.points_enu_m)
    points[:, 2] = np.linspace(-30.0, 0.0, len(points))
    assert not any(
        "mirror image in water or glass" in text
        for text in doubts(photos(flown, 6.0, tmp_path), with_points(flown, points))
    )


def test_without_metres_or_points_nothing_is_doubted(flown: CameraNetwork, tmp_path: Path) -> None:
    taken = photos(flown, 60.0, tmp_path)
    assert doubts(taken, replace(flown, frame=Frame("local", None, "none", metric=False))) == ()
    assert doubts(taken, with_points(flown, np.zeros((0, 3)))) == ()
