"""Placing a reconstruction: similarity, outliers, degenerate cases, levelling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import georef
from droneteam.photogrammetry.cameras.georef import (
    Similarity,
    fit_similarity,
    fit_similarity_robust,
)
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.networks import ORIGIN


def rotation(axis: list[float], angle: float) -> FloatArray:
    """Rodrigues' formula, written out."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


@given(
    st.floats(0.01, 100.0),
    st.floats(-3.1, 3.1),
    st.lists(st.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 0.1),
    st.integers(0, 1000),
)
@settings(deadline=None, max_examples=50)
def test_the_fit_recovers_any_similarity(
    scale: float, angle: float, axis: list[float], seed: int
) -> None:
    source = np.random.default_rng(seed).normal(size=(6, 3))
    turn = rotation(axis, angle)
    target = scale * source @ turn.T + [1.0, -2.0, 3.0]
    fit = fit_similarity(source, target)
    assert fit.scale == pytest.approx(scale, rel=1e-9)
    np.testing.assert_allclose(fit.rotation, turn, atol=1e-9)
    np.testing.assert_allclose(fit.points(source), target, atol=1e-7 * max(1.0, scale))


def test_a_mirrored_target_still_gives_a_rotation() -> None:
    source = np.random.default_rng(0).normal(size=(10, 3))
    fit = fit_similarity(source, source * [1.0, 1.0, -1.0])
    assert np.linalg.det(fit.rotation) == pytest.approx(1.0)


def test_a_pose_keeps_its_pixels_in_the_new_frame() -> None:
    pose = networks.looking(np.array([1.0, 2.0, 3.0]), 30.0, -60.0)
    similarity = Similarity(2.5, rotation([1, 2, 3], 0.7), np.array([4.0, 5.0, 6.0]))
    point = np.array([[0.3, 2.2, 0.1]])
    before = pose[:, :3] @ point[0] + pose[:, 3]
    moved = similarity.cam_from_target(pose)
    after = moved[:, :3] @ similarity.points(point)[0] + moved[:, 3]
    np.testing.assert_allclose(after / after[2], before / before[2], atol=1e-12)


@pytest.mark.parametrize("wrong", [1, 3])
def test_a_minority_of_wrong_points_does_not_bend_the_fit(wrong: int) -> None:
    rng = np.random.default_rng(4)
    source = rng.normal(size=(9, 3))
    target = 10.0 * source @ rotation([0, 1, 0], 0.4).T + rng.normal(0, 0.01, (9, 3))
    target[:wrong] += [50.0, 0.0, 0.0]
    fit, inliers = fit_similarity_robust(source, target, np.full((9, 3), 0.01))
    assert not inliers[:wrong].any()
    assert inliers[wrong:].all()
    assert fit.scale == pytest.approx(10.0, abs=0.02)


@pytest.mark.parametrize(
    ("gimbal", "forward", "right"),
    [
        ((0.0, 0.0, 0.0), [0, 1, 0], [1, 0, 0]),
        ((90.0, 0.0, 0.0), [1, 0, 0], [0, -1, 0]),
        ((0.0, -90.0, 0.0), [0, 0, -1], [1, 0, 0]),
        ((0.0, 0.0, 90.0), [0, 1, 0], [0, 0, -1]),
    ],
)
def test_gimbal_angles_point_where_they_say(
    gimbal: tuple[float, float, float], forward: list[float], right: list[float]
) -> None:
    turn = georef.enu_from_cam_rotation(gimbal)
    np.testing.assert_allclose(turn[:, 2], forward, atol=1e-12)
    np.testing.assert_allclose(turn[:, 0], right, atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1.0)


def placed(network: networks.Network, sigma_m: tuple[float, float, float] | None) -> CameraNetwork:
    sfm = networks.sfm_result(network, noise_px=0.3, seed=1)
    return georef.place(sfm, networks.photo_inputs(network, sigma_m=sigma_m, seed=2))


def true_enu(net: CameraNetwork, points: FloatArray) -> FloatArray:
    """Points of the placed network in the truth's frame."""
    assert net.frame.origin is not None
    geodetic = EnuFrame(net.frame.origin).geodetic_from_enu(points)
    return EnuFrame(ORIGIN).enu_from_geodetic(geodetic)


def test_camera_positions_place_the_network() -> None:
    truth = networks.network(networks.block_poses() + networks.orbit_poses())
    net = placed(truth, (0.02, 0.02, 0.04))
    assert net.frame.kind == "enu"
    assert net.frame.metric
    assert net.accuracy.scale_source == "rtk"
    centres = true_enu(net, np.array([v.centre_enu_m for v in net.views]))
    errors = centres - np.array([v.centre_enu_m for v in truth.views])
    assert 0.001 < float(np.sqrt((errors**2).mean())) < 0.05


def test_the_origin_lies_at_the_ground() -> None:
    net = placed(networks.network(networks.block_poses()), (1.0, 1.0, 1.0))
    assert net.frame.origin is not None
    assert abs(float(np.median(net.sparse.points_enu_m[:, 2]))) < 1.5
    assert net.accuracy.scale_source == "gnss"


def test_the_frame_says_what_its_heights_are_above() -> None:
    truth = networks.network(networks.block_poses())
    sfm = networks.sfm_result(truth, noise_px=0.3, seed=1)
    photos = networks.photo_inputs(truth, sigma_m=(3, 3, 6), seed=2)
    net = georef.place(sfm, photos, vertical_datum="take-off point", datum_note="barometer")
    assert (net.frame.vertical_datum, net.frame.note) == ("take-off point", "barometer")


def test_without_positions_the_frame_is_local_level_and_without_scale() -> None:
    truth = networks.network(networks.block_poses() + networks.orbit_poses())
    net = placed(truth, None)
    assert net.frame.kind == "local"
    assert not net.frame.metric
    assert net.frame.vertical_datum == "none"
    assert net.accuracy.scale_source == "none"
    down = np.mean([v.cam_from_enu[2, :3] for v in net.views[:9]], axis=0)
    assert down[2] < -0.999


def test_zero_and_swapped_and_far_positions_are_named() -> None:
    truth = networks.network(networks.block_poses())
    photos = networks.photo_inputs(truth, sigma_m=(1, 1, 1), seed=2)
    photos[0] = replace(photos[0], position=GeoPoint(0.0, 0.0, 0.0))
    photos[1] = replace(photos[1], position=GeoPoint(4.4, 50.8, 130.0))
    photos[2] = replace(photos[2], position=GeoPoint(51.8, 4.4, 130.0))
    wrong = georef.suspicious_positions(photos)
    assert set(wrong) == {photos[i].name for i in range(3)}
    assert "0/0" in wrong[photos[0].name]
    assert "swapped" in wrong[photos[1].name]
    assert "swapped" not in wrong[photos[2].name]
    net = georef.place(networks.sfm_result(truth, noise_px=0.3, seed=1), photos)
    centres = true_enu(net, np.array([v.centre_enu_m for v in net.views]))
    assert np.abs(centres - [v.centre_enu_m for v in truth.views]).max() < 5.0


def test_cameras_on_one_line_are_levelled_by_their_gimbal_and_say_so() -> None:
    poses = [networks.looking(np.array([0.0, 4.0 * i, 30.0]), 0.0, -90.0) for i in range(6)]
    truth = networks.network(poses)
    photos = [
        replace(p, gimbal_deg=(0.0, -90.0, 0.0))
        for p in networks.photo_inputs(truth, sigma_m=(0.02, 0.02, 0.02), seed=1)
    ]
    net = georef.place(networks.sfm_result(truth, noise_px=0.3, seed=1), photos)
    assert any("one line" in warning for warning in net.accuracy.warnings)
    looks = np.mean([v.cam_from_enu[2, :3] for v in net.views], axis=0)
    np.testing.assert_allclose(looks, [0, 0, -1], atol=0.02)


def test_positions_that_do_not_move_give_no_scale() -> None:
    poses = [networks.looking(np.array([0.3 * i, 0.2 * i * i, 30.0]), 0, -90) for i in range(5)]
    truth = networks.network(poses)
    net = placed(truth, (3.0, 3.0, 6.0))
    assert net.frame.kind == "local"
    assert any("uncertainty" in warning for warning in net.accuracy.warnings)
