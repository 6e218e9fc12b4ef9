"""What goes wrong on the card and in the field: clear words, and a scene from what is good."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import georef, sfm
from droneteam.photogrammetry.cameras.adjust import AdjustParams, adjust
from droneteam.photogrammetry.cameras.georef import all_swapped
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.control import Control, Role, ScaleBar, parse_csv
from droneteam.photogrammetry.scene import Camera, CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import (
    CAMERA,
    ORIGIN,
    Network,
    control_of,
    photo_inputs,
    sfm_result,
)

RTK = (0.02, 0.02, 0.03)


def strong(seed: int = 3) -> Network:
    truth = networks.network(
        networks.block_poses() + networks.orbit_poses(), n_points=200, seed=seed
    )
    inner = np.argsort(-truth.visible.sum(axis=0), kind="stable")
    return replace(
        truth,
        points=truth.points[inner],
        visible=truth.visible[:, inner],
        pixels=truth.pixels[:, inner],
    )


def centre_errors_m(net: CameraNetwork, truth: Network) -> FloatArray:
    """(n, 3) in the truth's frame, of the views that the network has."""
    assert net.frame.origin is not None
    here, there = EnuFrame(net.frame.origin), EnuFrame(ORIGIN)
    true = {v.name: v.centre_enu_m for v in truth.views}
    centres = np.array([v.centre_enu_m for v in net.views])
    moved = there.enu_from_geodetic(here.geodetic_from_enu(centres))
    return np.asarray(moved - [true[v.name] for v in net.views])


def moved_to(photo: PhotoInput, lat_deg: float, lon_deg: float) -> PhotoInput:
    at = photo.position
    assert at is not None
    return replace(photo, position=GeoPoint(lat_deg, lon_deg, at.alt_ellipsoid_m))


@pytest.mark.parametrize("kind", ["0/0", "swapped", "another town"])
def test_a_wrong_position_is_named_not_used_and_the_photo_kept(kind: str) -> None:
    truth = strong()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2)
    at = photos[4].position
    assert at is not None
    wrong = {
        "0/0": (0.0, 0.0),
        "swapped": (at.lon_deg, at.lat_deg),
        "another town": (at.lat_deg + 0.5, at.lon_deg),
    }[kind]
    photos[4] = moved_to(photos[4], *wrong)
    net = adjust(sfm_result(truth, noise_px=0.4, seed=1), photos)
    assert len(net.views) == len(truth.views)
    assert np.abs(centre_errors_m(net, truth)).max() < 0.1
    said = [w for w in net.accuracy.warnings if w.startswith("photo_004.jpg: position")]
    assert len(said) == 1
    assert said[0].endswith("not used")
    assert ("swapped" in said[0]) is (kind == "swapped")


@pytest.mark.parametrize("sigma_m", [RTK, (1.5, 1.5, 3.0)])
def test_latitude_and_longitude_swapped_in_every_photo_is_said(
    sigma_m: tuple[float, float, float],
) -> None:
    poses = networks.block_poses(side=5, spacing_m=9.0, height_m=30.0) + networks.orbit_poses()
    truth = networks.network(poses, n_points=250, half_width_m=24.0, seed=3)
    found = sfm_result(truth, noise_px=0.4, seed=1)
    right = photo_inputs(truth, sigma_m=sigma_m, seed=2)
    swapped = [
        moved_to(photo, photo.position.lon_deg, photo.position.lat_deg)
        for photo in right
        if photo.position is not None
    ]
    assert not all_swapped(found.groups[0].views, right)
    assert all_swapped(found.groups[0].views, swapped)
    net = adjust(found, swapped)
    assert len(net.views) == len(truth.views)
    assert not net.frame.metric
    assert any("latitude and longitude exchanged" in w for w in net.accuracy.warnings)


def test_half_of_the_positions_wrong_by_hundreds_of_metres_do_not_bend_the_scene() -> None:
    truth = strong()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2)
    for index in (1, 5, 9, 13):
        at = photos[index].position
        assert at is not None
        photos[index] = moved_to(photos[index], at.lat_deg + 0.003 + 0.001 * index, at.lon_deg)
    net = adjust(sfm_result(truth, noise_px=0.4, seed=1), photos)
    assert len(net.views) == len(truth.views)
    assert np.abs(centre_errors_m(net, truth)).max() < 0.1
    for index in (1, 5, 9, 13):
        assert any(f"photo_{index:03d}.jpg" in w for w in net.accuracy.warnings)


@pytest.mark.parametrize(("wrong", "doubted"), [(8, True), (3, False)])
def test_a_split_between_positions_is_said_since_the_many_may_be_the_wrong_ones(
    wrong: int, doubted: bool
) -> None:
    """A base station that moved: the first photos lie 100 m higher than the others."""
    truth = strong()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2)
    for index, photo in enumerate(photos[:wrong]):
        at = photo.position
        assert at is not None
        high = GeoPoint(at.lat_deg, at.lon_deg, at.alt_ellipsoid_m + 100.0)
        photos[index] = replace(photo, position=high)
    placed = georef.placement(sfm_result(truth, noise_px=0.4, seed=1).groups[0], photos)
    split = [w for w in placed.warnings if "only a control point" in w]
    assert len(split) == doubted
    assert all(w.startswith(f"{wrong} of {len(photos)} positions") for w in split)
    named = [w for w in placed.warnings if "photo_000.jpg" in w]
    assert len(named) == 1
    assert len(placed.warnings) == (2 if doubted else wrong)
    assert all(known(w) for w in placed.warnings)
    assert len(placed.used) == len(photos) - wrong


def test_pairs_are_not_chosen_by_a_position_that_cannot_be() -> None:
    truth = strong()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2)
    right = sfm._centres(photos)
    at = photos[0].position
    assert at is not None
    photos[0] = moved_to(photos[0], at.lon_deg, at.lat_deg)
    found = sfm._centres(photos)
    assert np.isnan(found[0]).all()
    spread = np.linalg.norm(found[1:] - found[1], axis=1)
    np.testing.assert_allclose(spread, np.linalg.norm(right[1:] - right[1], axis=1), atol=0.01)


def test_two_cameras_in_one_scene_each_get_their_own_lens() -> None:
    other = Camera("OPENCV", 1600, 1200, (1120.0, 1120.0, 795.0, 607.0, 0.03, -0.02, 0.0, 0.0))
    poses = networks.block_poses() + networks.orbit_poses()
    truth = networks.network(poses, n_points=250, seed=3)
    views = tuple(replace(v, camera=other) if i % 2 else v for i, v in enumerate(truth.views))
    pixels = np.array([networks.project(v, truth.points) for v in views])
    truth = Network(views, truth.points, np.isfinite(pixels[..., 0]), pixels)
    start = [Camera("SIMPLE_RADIAL", 1600, 1200, (f, 800.0, 600.0, 0.0)) for f in (1390.0, 1130.0)]
    result = sfm_result(truth, noise_px=0.3, seed=1)
    group = result.groups[0]
    group = replace(
        group,
        views=tuple(replace(v, camera=start[i % 2]) for i, v in enumerate(group.views)),
    )
    photos = [
        replace(p, camera_key=f"camera {i % 2}", focal_prior_px=(1385.0, 1140.0)[i % 2])
        for i, p in enumerate(photo_inputs(truth, sigma_m=RTK, seed=2))
    ]
    net = adjust(replace(result, groups=(group,)), photos)
    focals = [v.camera.focal_px[0] for v in net.views]
    assert len(set(focals)) == 2
    assert focals[0] == pytest.approx(CAMERA.focal_px[0], abs=3.0)
    assert focals[1] == pytest.approx(1120.0, abs=3.0)
    assert np.abs(centre_errors_m(net, truth)).max() < 0.1


def test_a_pure_forward_flight_gives_a_scene_that_says_what_it_leaves_open() -> None:
    """Ten photos straight ahead along one line, as from a windscreen."""
    poses = [networks.looking(np.array([0.0, 2.0 * i, 8.0]), 0.0, -20.0) for i in range(10)]
    truth = networks.network(poses, n_points=400, half_width_m=40.0, relief_m=6.0, seed=3)
    photos = [
        replace(p, gimbal_deg=(0.0, -20.0, 0.0)) for p in photo_inputs(truth, sigma_m=RTK, seed=2)
    ]
    net = adjust(sfm_result(truth, noise_px=0.3, seed=1), photos)
    assert len(net.views) == 10
    assert any("on one line" in w for w in net.accuracy.warnings)
    assert net.covariance is not None
    assert np.isfinite(net.covariance.matrix).all()
    assert np.abs(centre_errors_m(net, truth)).max() < 0.5


def test_two_groups_are_both_reported_and_the_larger_one_adjusted() -> None:
    truth = strong()
    whole = sfm_result(truth, noise_px=0.4, seed=1)
    group = whole.groups[0]
    apart = replace(group, views=tuple(replace(v, name=f"other_{v.name}") for v in group.views[:4]))
    photos = photo_inputs(truth, sigma_m=RTK, seed=2)
    photos += [replace(p, name=f"other_{p.name}") for p in photos[:4]]
    net = adjust(replace(whole, groups=(group, apart)), photos)
    assert len(net.views) == len(truth.views)
    assert net.groups == (tuple(f"other_photo_{i:03d}.jpg" for i in range(4)),)


def test_a_wrong_coordinate_of_one_control_point_in_a_csv_is_found_by_name() -> None:
    truth = strong()
    control = control_of(truth, list(range(8)), seed=3)
    lines = ["crs,EPSG:4979"]
    for k, point in enumerate(control.points):
        at = point.position
        assert at is not None
        height = at.alt_ellipsoid_m + (0.25 if k == 5 else 0.0)
        lines.append(
            f"control,{point.name},{at.lon_deg:.10f},{at.lat_deg:.10f},{height:.4f},0.01,0.01"
        )
    lines += [f"mark,{m.point},{m.photo},{m.x_px:.3f},{m.y_px:.3f},0.3" for m in control.marks]
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1),
        photo_inputs(truth, sigma_m=None, seed=2),
        parse_csv("\n".join(lines)),
    )
    assert [row.name for row in net.accuracy.rows if row.rejected] == [control.points[5].name]
    (said,) = [w for w in net.accuracy.warnings if control.points[5].name in w]
    assert "lies 0.2" in said
    assert "not used" in said


def test_a_check_points_wrong_mark_neither_moves_it_nor_widens_the_intervals() -> None:
    truth = strong()
    control = control_of(truth, list(range(8)), seed=3, checks=(5, 6, 7))
    index = next(i for i, m in enumerate(control.marks) if m.point == "gcp6")
    marks = list(control.marks)
    marks[index] = replace(marks[index], x_px=2.0, y_px=1198.0)
    sfm_found = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    right = adjust(sfm_found, photos, control)
    wrong = adjust(sfm_found, photos, replace(control, marks=tuple(marks)))
    rows = [{r.name: r for r in net.accuracy.rows}["gcp6"] for net in (right, wrong)]
    assert rows[1].n_photos == rows[0].n_photos - 1
    np.testing.assert_allclose(rows[1].residual_enu_m, rows[0].residual_enu_m, atol=0.01)
    (said,) = [w for w in wrong.accuracy.warnings if w.startswith("mark of gcp6")]
    assert marks[index].photo in said
    assert right.covariance is not None
    assert wrong.covariance is not None
    np.testing.assert_allclose(wrong.covariance.matrix, right.covariance.matrix, rtol=1e-6)


@pytest.mark.parametrize("role", ["control", "check"])
def test_a_scale_bars_wrong_mark_neither_scales_the_scene_nor_accuses_the_bar(
    role: Role,
) -> None:
    """The mark of one end lies on another nail, 300 px off, in one of its photos."""
    truth = strong()
    length_m = float(np.linalg.norm(truth.points[0] - truth.points[1]))
    marks = list(control_of(truth, [0, 1], seed=3).marks)
    bar = ScaleBar("bar", "gcp0", "gcp1", length_m, role=role)
    index = next(i for i, m in enumerate(marks) if m.point == "gcp1")
    moved_px = 300.0 if marks[index].x_px < 800.0 else -300.0
    wrong_mark = replace(marks[index], x_px=marks[index].x_px + moved_px)
    found = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=(0.02, 0.02, 0.03), seed=2)
    if role == "control":
        photos = photo_inputs(truth, sigma_m=None, seed=2)
    good = [m for i, m in enumerate(marks) if i != index]
    without = adjust(found, photos, Control(bars=(bar,), marks=tuple(good)))
    marks[index] = wrong_mark
    wrong = adjust(found, photos, Control(bars=(bar,), marks=tuple(marks)))
    rows = [next(r for r in n.accuracy.rows if r.role == "scale_bar") for n in (without, wrong)]
    assert rows[1].residual_enu_m == pytest.approx(rows[0].residual_enu_m, abs=1e-9)
    assert rows[1].n_photos == rows[0].n_photos
    assert abs(rows[1].residual_enu_m[0]) < 0.03
    (said,) = [w for w in wrong.accuracy.warnings if w.startswith("mark of gcp1")]
    assert wrong_mark.photo in said
    span = [np.ptp([v.centre_enu_m for v in n.views], axis=0) for n in (without, wrong)]
    np.testing.assert_allclose(span[1], span[0], rtol=1e-9)


def test_few_control_points_say_what_each_would_show_had_it_not_been_one() -> None:
    truth = strong()
    control = control_of(truth, list(range(6)), seed=3)
    sfm_found = sfm_result(truth, noise_px=0.4, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    net = adjust(sfm_found, photos, control, AdjustParams(self_calibrate=False))
    for row in net.accuracy.rows:
        assert row.left_out_enu_m is not None
        own, left_out = np.linalg.norm(row.residual_enu_m), np.linalg.norm(row.left_out_enu_m)
        assert left_out > own  # the adjustment bends towards a control point
    # an oracle: the adjustment repeated with the point as a check point
    without = replace(
        control,
        points=tuple(replace(p, role="check") if p.name == "gcp2" else p for p in control.points),
    )
    again = adjust(sfm_found, photos, without, AdjustParams(self_calibrate=False))
    truly = next(r for r in again.accuracy.rows if r.name == "gcp2").residual_enu_m
    said = next(r for r in net.accuracy.rows if r.name == "gcp2").left_out_enu_m
    assert said is not None
    np.testing.assert_allclose(said, truly, atol=0.004)


def test_ten_control_points_need_no_leave_one_out() -> None:
    truth = strong()
    control = control_of(truth, list(range(10)), seed=3)
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=1), photo_inputs(truth, sigma_m=None, seed=2), control
    )
    assert all(row.left_out_enu_m is None for row in net.accuracy.rows)


def test_a_block_that_bends_by_decimetres_is_no_split() -> None:
    off_m = np.zeros((9, 3))
    off_m[:4, 2] = 0.3
    assert georef.split(off_m, np.arange(9) > 3) == []
    off_m[:4, 2] = 1.3
    (said,) = georef.split(off_m, np.arange(9) > 3)
    assert said.startswith("4 of 9 positions")
    assert georef.split(off_m, np.ones(9, bool)) == []
