"""The metrology adjustment on synthetic networks of known truth."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from droneteam.errors import InputError, SceneError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras.adjust import AdjustParams, adjust
from droneteam.photogrammetry.cameras.sfm_types import SfmResult
from droneteam.photogrammetry.control import Control, Mark, ScaleBar, SurveyPoint
from droneteam.photogrammetry.scene import Camera, CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.networks import ORIGIN, Network, control_of, photo_inputs, sfm_result

CONTROL = [0, 1, 2, 3, 4, 5, 6, 7]
CHECKS = (5, 6, 7)
START = Camera("SIMPLE_RADIAL", networks.WIDTH_PX, networks.HEIGHT_PX, (1380.0, 800.0, 600.0, 0.0))
GSD_M = 30.0 / 1400.0


def strong() -> Network:
    """A nadir block with an oblique ring over rough ground; the first points lie well inside."""
    truth = networks.network(networks.block_poses() + networks.orbit_poses(), seed=3)
    inner = np.argsort(-truth.visible.sum(axis=0), kind="stable")
    return replace(
        truth,
        points=truth.points[inner],
        visible=truth.visible[:, inner],
        pixels=truth.pixels[:, inner],
    )


def flat() -> Network:
    """A nadir block over flat ground."""
    return networks.network(networks.block_poses(side=4, spacing_m=7.0), relief_m=0.05, seed=5)


def centre_errors(net: CameraNetwork, truth: Network) -> FloatArray:
    """(n, 3) metres in the truth's frame."""
    assert net.frame.origin is not None
    here, there = EnuFrame(net.frame.origin), EnuFrame(ORIGIN)
    centres = np.array([v.centre_enu_m for v in net.views])
    moved = there.enu_from_geodetic(here.geodetic_from_enu(centres))
    return np.asarray(moved - [v.centre_enu_m for v in truth.views])


def test_control_points_give_centimetres_and_an_honest_deviation() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(3, 3, 6), seed=2),
        control_of(truth, CONTROL, seed=3, checks=CHECKS),
    )
    errors = centre_errors(net, truth)
    covariance = net.covariance
    assert covariance is not None
    at = covariance.pose_columns[:, None] + 3 + np.arange(3)
    sigma = np.sqrt(np.diag(covariance.matrix))[at]
    assert np.sqrt((errors**2).mean()) < 0.06
    assert 0.5 < np.sqrt(np.mean((errors / sigma) ** 2)) < 1.6
    assert net.accuracy.vertical_scale_determined is True
    assert net.accuracy.scale_source == "gcp"
    assert net.frame.vertical_datum == "WGS84 ellipsoid"
    assert net.accuracy.reprojection_px == pytest.approx(0.4 * np.sqrt(2), rel=0.1)


def test_check_points_stay_within_a_pixel_on_the_ground() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=None, seed=2),
        control_of(truth, CONTROL, seed=3, checks=CHECKS, survey_sigma_m=0.005),
    )
    rows = [row for row in net.accuracy.rows if row.role == "check"]
    assert [row.name for row in rows] == [f"gcp{i}" for i in CHECKS]
    residuals = np.array([row.residual_enu_m for row in rows])
    assert np.sqrt((residuals[:, :2] ** 2).mean()) < GSD_M
    assert np.sqrt((residuals[:, 2] ** 2).mean()) < 1.5 * GSD_M
    assert np.sqrt((residuals**2).mean()) > 0.001


def test_check_points_do_not_touch_the_cameras() -> None:
    truth = strong()
    sfm = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=(3, 3, 6), seed=2)
    control = control_of(truth, CONTROL, seed=3, checks=CHECKS)
    moved = tuple(
        replace(p, position=control.points[0].position) if p.role == "check" else p
        for p in control.points
    )
    first = adjust(sfm, photos, control)
    second = adjust(sfm, photos, replace(control, points=moved))
    for a, b in zip(first.views, second.views, strict=True):
        np.testing.assert_array_equal(a.cam_from_enu, b.cam_from_enu)


def test_the_lens_is_found() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.3, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2, focal_prior_px=1370.0),
    )
    camera = net.views[0].camera
    assert camera.focal_px[0] == pytest.approx(1400.0, abs=3.0)
    assert camera.principal_px == pytest.approx((803.0, 596.0), abs=2.0)
    assert any("self-calibrated" in w for w in net.accuracy.warnings)


def test_a_given_calibration_stays_as_it_is() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.3, seed=1),
        photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2, known=True),
    )
    assert all(v.camera == networks.CAMERA for v in net.views)
    assert net.accuracy.vertical_scale_determined is True


def test_one_wrong_control_point_among_eight_is_named_and_left_out() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    wrong = control.points[2]
    assert wrong.position is not None
    shifted = replace(
        wrong, position=replace(wrong.position, lat_deg=wrong.position.lat_deg + 1e-6)
    )
    points = tuple(shifted if p is wrong else p for p in control.points)
    sfm = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    net = adjust(sfm, photos, replace(control, points=points))
    rejected = [row.name for row in net.accuracy.rows if row.rejected]
    assert rejected == [wrong.name]
    said = [w for w in net.accuracy.warnings if wrong.name in w]
    assert len(said) == 1
    assert "0.11" in said[0]  # 1e-6 degrees of latitude are 0.111 m
    clean = adjust(
        sfm, photos, replace(control, points=tuple(p for p in points if p is not shifted))
    )
    assert np.abs(centre_errors(net, truth) - centre_errors(clean, truth)).max() < 0.005


def test_good_control_is_not_accused() -> None:
    truth = strong()
    sfm = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    for seed in range(3):
        net = adjust(sfm, photos, control_of(truth, CONTROL, seed=seed))
        assert not any(row.rejected for row in net.accuracy.rows)


def test_a_wrong_mark_is_named_and_loses_its_weight() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    marks = list(control.marks)
    marks[4] = replace(marks[4], x_px=marks[4].x_px - 40.0)
    sfm = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    net = adjust(sfm, photos, replace(control, marks=tuple(marks)))
    named = [w for w in net.accuracy.warnings if w.startswith("mark of")]
    assert len(named) == 1
    assert marks[4].point in named[0]
    assert marks[4].photo in named[0]
    assert np.abs(centre_errors(net, truth)).max() < 0.15


def test_a_flat_nadir_block_does_not_determine_its_heights_and_says_what_would() -> None:
    truth = flat()
    net = adjust(
        sfm_result(truth, noise_px=0.5, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(3, 3, 6), seed=2, focal_prior_px=1380.0),
    )
    assert net.accuracy.vertical_scale_determined is False
    said = [w for w in net.accuracy.warnings if "vertical scale not determined" in w]
    assert len(said) == 1
    assert "oblique" in said[0]
    assert net.covariance is not None
    assert net.covariance.depth_mode is not None


def test_an_oblique_ring_determines_them() -> None:
    truth = networks.network(
        networks.block_poses(side=4, spacing_m=7.0) + networks.orbit_poses(), relief_m=0.5, seed=5
    )
    net = adjust(
        sfm_result(truth, noise_px=0.5, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(3, 3, 6), seed=2, focal_prior_px=1380.0),
    )
    assert net.accuracy.vertical_scale_determined is True


def test_exact_camera_heights_above_control_in_the_same_datum_determine_them_too() -> None:
    truth = flat()
    net = adjust(
        sfm_result(truth, noise_px=0.5, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2, focal_prior_px=1380.0),
        control_of(truth, [0, 1, 2, 3, 4], seed=3),
    )
    assert net.accuracy.vertical_scale_determined is True


def test_heights_in_another_datum_do_not_and_their_shift_is_told() -> None:
    truth = strong()
    shifted = photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2, bias_m=(0.0, 0.0, -43.6))
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1),
        shifted,
        control_of(truth, CONTROL, seed=3),
        AdjustParams(vertical_datum="EGM96 (receiver)"),
    )
    assert np.abs(centre_errors(net, truth)).max() < 0.1
    told = [float(v) for w in net.accuracy.warnings for v in re.findall(r"([-+.\d]+) m up", w)]
    assert told == pytest.approx([-43.6], abs=0.1)


def test_a_scale_bar_gives_metres_without_any_position() -> None:
    truth = strong()
    length = float(np.linalg.norm(truth.points[0] - truth.points[1]))
    marks = control_of(truth, [0, 1], seed=3).marks
    control = Control(bars=(ScaleBar("bar", "gcp0", "gcp1", length),), marks=marks)
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=None, seed=2),
        control,
    )
    assert (net.frame.kind, net.frame.metric) == ("local", True)
    assert net.accuracy.scale_source == "scale_bar"
    got = np.linalg.norm(net.views[0].centre_enu_m - net.views[-1].centre_enu_m)
    true = np.linalg.norm(truth.views[0].centre_enu_m - truth.views[-1].centre_enu_m)
    assert got == pytest.approx(true, rel=0.01)
    bar = next(row for row in net.accuracy.rows if row.role == "scale_bar")
    assert abs(bar.residual_enu_m[0]) < 0.005


def test_a_local_survey_is_the_frame() -> None:
    truth = strong()
    given = control_of(truth, CONTROL, seed=3)
    points = tuple(SurveyPoint(f"gcp{i}", "control", None, (*truth.points[i],)) for i in CONTROL)
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=None, seed=2),
        replace(given, points=points, vertical_datum="local survey"),
    )
    assert (net.frame.kind, net.frame.metric) == ("local", True)
    for view, true in zip(net.views, truth.views, strict=True):
        np.testing.assert_allclose(view.centre_enu_m, true.centre_enu_m, atol=0.15)


def test_two_control_points_alone_do_not_place_a_scene_and_it_says_so() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1),
        photo_inputs(truth, sigma_m=None, seed=2),
        control_of(truth, [0, 1], seed=3),
    )
    assert net.frame.kind == "local"
    assert any("at least three" in w for w in net.accuracy.warnings)


def test_a_control_point_in_one_photo_only_is_named() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    first = next(m for m in control.marks if m.point == "gcp0")
    marks = tuple(m for m in control.marks if m.point != "gcp0" or m is first)
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1),
        photo_inputs(truth, sigma_m=None, seed=2),
        replace(control, marks=marks),
    )
    assert any(w.startswith("gcp0:") for w in net.accuracy.warnings)
    assert "gcp0" not in {row.name for row in net.accuracy.rows}


def test_a_mark_outside_its_photo_is_refused() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    wrong = (*control.marks, Mark("gcp0", "photo_001.jpg", 5000.0, 10.0))
    with pytest.raises(InputError, match=r"gcp0 in photo_001\.jpg"):
        adjust(
            sfm_result(truth, noise_px=0.4, seed=1),
            photo_inputs(truth, sigma_m=None, seed=2),
            replace(control, marks=wrong),
        )


def test_marks_of_unknown_photos_are_ignored() -> None:
    truth = strong()
    control = control_of(truth, CONTROL, seed=3)
    more = (*control.marks, Mark("gcp0", "another.jpg", 50.0, 10.0))
    sfm = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    a, b = adjust(sfm, photos, control), adjust(sfm, photos, replace(control, marks=more))
    np.testing.assert_array_equal(a.views[0].cam_from_enu, b.views[0].cam_from_enu)


def test_nothing_oriented_is_an_error_in_words() -> None:
    with pytest.raises(SceneError, match="no photo could be oriented"):
        adjust(SfmResult((), (("a.jpg", "blank"),)), [])


def test_every_tie_point_follows_the_adjusted_cameras() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1, start_camera=START),
        photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2),
    )
    cloud = net.sparse
    assert len(cloud.points_enu_m) > 0.95 * (truth.visible.sum(axis=0) >= 2).sum()
    assert len(cloud.colors) == len(cloud.points_enu_m) == len(cloud.track_offsets) - 1
    assert cloud.track_offsets[-1] == len(cloud.track_views) == len(cloud.track_pixels)
    owner = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    for index, view in enumerate(net.views):
        rows = cloud.track_views == index
        pixels = networks.project(view, cloud.points_enu_m[owner[rows]])
        errors = np.linalg.norm(pixels - cloud.track_pixels[rows], axis=1)
        assert np.nanmedian(errors) < 0.6


def test_the_result_is_the_same_every_time() -> None:
    truth = strong()
    sfm = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2)
    a, b = adjust(sfm, photos), adjust(sfm, photos)
    np.testing.assert_array_equal(a.sparse.points_enu_m, b.sparse.points_enu_m)
