"""A rolling shutter on a moving drone: found, taken out, and said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.rolling import lowest
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.ingest.shutter import movement_findings, readout_s
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import HEIGHT_PX, ORIGIN, Network, photo_inputs, sfm_result

READOUT_S = 0.033
SPEED_MPS = 6.0
RTK = (0.02, 0.02, 0.03)
NOISE_PX = 0.3


def poses() -> list[FloatArray]:
    """A nadir block of four strips flown to and fro, and a ring that hovers for each photo."""
    return networks.block_poses(side=4, spacing_m=7.0) + networks.orbit_poses()


def velocities() -> list[tuple[float, float, float]]:
    north = [(0.0, SPEED_MPS * (1 if i // 4 % 2 == 0 else -1), 0.0) for i in range(16)]
    return north + [(0.0, 0.0, 0.0)] * 8


def moving(readout_s: float, seed: int = 1) -> Network:
    """The network as a shutter sees it whose rows are read one after the other."""
    truth = networks.network(poses(), n_points=350, seed=4)
    pixels = truth.pixels.copy()
    for i, (view, velocity) in enumerate(zip(truth.views, velocities(), strict=True)):
        rolled = np.array(pixels[i])
        for _ in range(4):
            share = np.nan_to_num(rolled[:, 1]) / HEIGHT_PX - 0.5
            moved = truth.points - share[:, None] * readout_s * np.array(velocity)
            rolled = networks.project(view, moved)
        pixels[i] = rolled
    return replace(truth, pixels=pixels, visible=np.isfinite(pixels[..., 0]))


def inputs(truth: Network, readout_s: float | None, seed: int = 2) -> list[PhotoInput]:
    return [
        replace(photo, velocity_enu_mps=velocity, readout_s=readout_s)
        for photo, velocity in zip(
            photo_inputs(truth, sigma_m=RTK, seed=seed), velocities(), strict=True
        )
    ]


def solved(truth: Network, photos: list[PhotoInput]) -> CameraNetwork:
    return adjust(sfm_result(truth, noise_px=NOISE_PX, seed=1), photos)


def point_errors_m(net: CameraNetwork, truth: Network) -> FloatArray:
    """(n,) from each tie point to the nearest true point."""
    assert net.frame.origin is not None
    here, there = EnuFrame(net.frame.origin), EnuFrame(ORIGIN)
    points = there.enu_from_geodetic(here.geodetic_from_enu(net.sparse.points_enu_m))
    return np.asarray(np.linalg.norm(points[:, None] - truth.points[None], axis=2).min(axis=1))


def notes(net: CameraNetwork) -> list[str]:
    return [w for w in net.accuracy.warnings if "row by row" in w]


@pytest.fixture(scope="module")
def rolled() -> Network:
    return moving(READOUT_S)


@pytest.fixture(scope="module")
def ignored(rolled: Network) -> CameraNetwork:
    """Without a velocity nothing can be modelled."""
    return solved(rolled, photo_inputs(rolled, sigma_m=RTK, seed=2))


@pytest.fixture(scope="module")
def stated(rolled: Network) -> CameraNetwork:
    return solved(rolled, inputs(rolled, READOUT_S))


@pytest.fixture(scope="module")
def estimated(rolled: Network) -> CameraNetwork:
    return solved(rolled, inputs(rolled, None))


def test_ignoring_it_passes_for_a_lens_and_moves_the_points(
    ignored: CameraNetwork, rolled: Network
) -> None:
    assert notes(ignored) == []
    assert ignored.accuracy.reprojection_px < 1.2 * NOISE_PX * np.sqrt(2)  # nothing to see
    assert np.median(point_errors_m(ignored, rolled)) > 0.1


def test_a_stated_readout_is_taken_out(
    stated: CameraNetwork, ignored: CameraNetwork, rolled: Network
) -> None:
    assert stated.accuracy.reprojection_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.1)
    better, worse = (np.median(point_errors_m(net, rolled)) for net in (stated, ignored))
    assert better < 0.3 * worse
    assert 0.001 < better < 0.03
    (note,) = notes(stated)
    assert "up to 20 cm" in note  # 6 m/s for 33 ms
    assert "(33 ms)" in note
    assert known(note)


def test_an_unknown_readout_is_found(
    estimated: CameraNetwork, stated: CameraNetwork, rolled: Network
) -> None:
    (note,) = notes(estimated)
    assert known(note)
    found_ms = float(note.split("(")[1].split(" ±")[0])
    assert found_ms == pytest.approx(1e3 * READOUT_S, abs=1.5)
    assert estimated.accuracy.reprojection_px == pytest.approx(NOISE_PX * np.sqrt(2), rel=0.1)
    with_stated, without = (np.median(point_errors_m(net, rolled)) for net in (stated, estimated))
    assert without < 1.5 * with_stated


def test_the_views_show_what_the_photos_do(stated: CameraNetwork) -> None:
    """Dense stereo, orthophoto and measurements take the photos as they are."""
    cloud = stated.sparse
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    errors = []
    for i, view in enumerate(stated.views):
        rows = cloud.track_views == i
        projected = networks.project(view, cloud.points_enu_m[owner[rows]])
        errors.append(projected - cloud.track_pixels[rows])
    rms = float(np.sqrt(np.nanmean(np.concatenate(errors) ** 2)))
    assert rms < 1.6 * NOISE_PX  # the shutter's shift of single observations reaches 4 px


def test_cameras_that_hover_or_close_at_once_need_no_model() -> None:
    still = moving(0.0)
    mechanical = solved(still, inputs(still, 0.0))
    assert notes(mechanical) == []
    plain = solved(still, photo_inputs(still, sigma_m=RTK, seed=2))
    for a, b in zip(mechanical.views, plain.views, strict=True):
        np.testing.assert_array_equal(a.cam_from_enu, b.cam_from_enu)


def test_a_shutter_that_does_not_roll_is_not_accused() -> None:
    still = moving(0.0)
    assert notes(solved(still, inputs(still, None))) == []


@pytest.mark.parametrize(
    ("model", "seconds"), [("FC330", 0.033), ("M3E", 0.0), ("fc 6310", 0.0), ("OTHER", None)]
)
def test_known_cameras_have_their_readout(model: str, seconds: float | None) -> None:
    assert readout_s(model) == seconds


def test_a_photo_says_how_far_it_moved_while_it_was_read() -> None:
    (found,) = movement_findings("FC330", (3.0, 4.0, 0.0), 30.0, 2300.0, 1 / 2000)
    assert found.code == "rolling_shutter"
    assert known(found.message)
    assert "16 cm (12.7 px)" in found.message  # 5 m/s · 33 ms; 2300 / 30 px per metre
    assert movement_findings("FC330", (0.1, 0.0, 0.0), 30.0, 2300.0, 1 / 2000) == ()
    assert movement_findings("M3E", (3.0, 4.0, 0.0), 30.0, 2300.0, 1 / 2000) == ()


def test_a_camera_of_unknown_shutter_is_only_suspected() -> None:
    (found,) = movement_findings("OTHER", (3.0, 4.0, 0.0), 30.0, 2300.0, 1 / 2000)
    assert "may have moved 15 cm" in found.message
    assert "if its shutter rolls" in found.message
    assert known(found.message)


def test_blur_of_movement_is_named_with_speed_and_exposure() -> None:
    (found,) = movement_findings("M3E", (6.0, 8.0, 0.0), 30.0, 2300.0, 1 / 200)
    assert found.code == "motion_blur"
    assert "3.8 px" in found.message  # 10 m/s · 5 ms · 76.7 px per metre
    assert "1/200 s" in found.message
    assert known(found.message)


@pytest.mark.parametrize("height_m", [None, 0.0, -3.0])
def test_without_a_height_nothing_is_said(height_m: float | None) -> None:
    assert movement_findings("FC330", (6.0, 8.0, 0.0), height_m, 2300.0, 1 / 200) == ()
    assert movement_findings("FC330", None, 30.0, 2300.0, 1 / 200) == ()


def test_the_lowest_cost_is_found_from_afar() -> None:
    found = lowest(lambda x: float(np.log1p(400.0 * (x - 0.04) ** 2)), step=0.005, limit=0.15)
    assert found is not None
    assert found[0] == pytest.approx(0.04, abs=1e-4)
    assert found[1] == pytest.approx(800.0, rel=0.05)


@pytest.mark.parametrize("cost", [lambda x: x, lambda x: (x - 0.5) ** 2])
def test_no_lowest_cost_within_the_limit_is_said(cost) -> None:
    assert lowest(cost, step=0.005, limit=0.15) is None
