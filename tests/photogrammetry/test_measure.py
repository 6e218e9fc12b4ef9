"""Measurements from marks: values, intervals that hold, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import locate
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.control import Control, Mark, ScaleBar
from droneteam.photogrammetry.measuring import measure, shapes
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Measurement
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import Network, control_of, marks_of, photo_inputs, sfm_result
from tests.photogrammetry.test_adjust import START, flat, strong

CONTROL = [0, 1, 2, 3, 4, 5]
MARK_SIGMA_PX = 0.4


def marks_for(truth: Network, indices: list[int], seed: int, photos: int = 99) -> list[Mark]:
    """Marks of points in up to so many photos each."""
    rng = np.random.default_rng(seed)
    return [
        mark
        for index in indices
        for mark in marks_of(truth, index, f"m{index}", rng, MARK_SIGMA_PX)[:photos]
    ]


def exact(truth: Network) -> CameraNetwork:
    """The network with exact cameras: calibration given, exact positions and control."""
    return adjust(
        sfm_result(truth, noise_px=0.05, seed=1),
        photo_inputs(truth, sigma_m=(0.001, 0.001, 0.001), seed=2, known=True),
        control_of(truth, CONTROL, seed=3, survey_sigma_m=0.0005, mark_sigma_px=0.05),
    )


@pytest.fixture(scope="module")
def scene() -> tuple[Network, CameraNetwork]:
    truth = strong()
    return truth, exact(truth)


def test_values_are_those_of_the_truth(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    marks = marks_for(truth, [20, 21, 22, 23], seed=4)
    p = truth.points[20:24]
    a, b, c = p[0], p[1], p[2]
    cosine = (a - b) @ (c - b) / np.linalg.norm(a - b) / np.linalg.norm(c - b)
    cases = [
        (measure.distance(net, marks, "m20", "m21"), np.linalg.norm(a - b)),
        (measure.height(net, marks, "m20", "m21"), b[2] - a[2]),
        (
            measure.polyline(net, marks, ["m20", "m21", "m22"]),
            np.linalg.norm(a - b) + np.linalg.norm(b - c),
        ),
        (
            measure.area(net, marks, ["m20", "m21", "m22"]),
            0.5 * np.linalg.norm(np.cross(b - a, c - a)),
        ),
        (measure.angle(net, marks, "m20", "m21", "m22"), math.degrees(math.acos(cosine))),
    ]
    for got, true in cases:
        assert got.determined
        assert got.ci95_low < got.value < got.ci95_high
        assert abs(got.value - true) < 2.0 * (got.ci95_high - got.value), got.kind
        assert got.method == "multi-ray"
    assert [m.unit for m, _ in cases] == ["m", "m", "m", "m²", "°"]


def test_a_square_has_its_area_in_any_plane() -> None:
    square = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]], float)
    tilt = networks.looking(np.zeros(3), 33.0, 21.0)[:, :3]
    assert shapes.vector_area(square @ tilt.T + 5.0) == pytest.approx(4.0)


def coverage(measurements: list[tuple[Measurement, float]]) -> float:
    inside = [m.ci95_low <= true <= m.ci95_high for m, true in measurements]
    return float(np.mean(inside))


def simulated(truth: Network, seed: int) -> list[tuple[Measurement, float]]:
    """Twelve measurements on one simulated adjustment: everything noisy, nothing known exactly."""
    net = adjust(
        sfm_result(truth, noise_px=0.4, seed=seed, start_camera=START, points=slice(0, 110)),
        photo_inputs(truth, sigma_m=(2, 2, 4), seed=seed + 1000, focal_prior_px=1390.0),
        control_of(truth, CONTROL, seed=seed + 2000, mark_sigma_px=MARK_SIGMA_PX),
    )
    rng = np.random.default_rng(seed + 3000)
    indices = [int(i) for i in rng.choice(np.arange(10, 100), 28, replace=False)]
    marks = marks_for(truth, indices, seed + 4000, photos=int(rng.integers(3, 7)))
    found: list[tuple[Measurement, float]] = []
    for i, j, k, l in np.array(indices).reshape(-1, 4):  # noqa: E741
        a, b, c = truth.points[i], truth.points[j], truth.points[k]
        names = f"m{i}", f"m{j}", f"m{k}"
        found += [
            (measure.distance(net, marks, names[0], names[1]), float(np.linalg.norm(a - b))),
            (measure.height(net, marks, names[1], names[2]), float(c[2] - b[2])),
            (
                measure.area(net, marks, names),
                float(0.5 * np.linalg.norm(np.cross(b - a, c - a))),
            ),
            (
                measure.distance(net, marks, names[2], f"m{l}"),
                float(np.linalg.norm(c - truth.points[l])),
            ),
        ]
    return found


@pytest.mark.slow
def test_intervals_of_95_per_cent_hold_the_truth_in_90_to_98_per_cent() -> None:
    truth = strong()
    measured = [pair for seed in range(12) for pair in simulated(truth, seed)]
    assert len(measured) >= 300
    assert all(m.determined for m, _ in measured)
    assert 0.90 <= coverage(measured) <= 0.98


@pytest.mark.slow
def test_they_do_so_over_a_thousand_measurements() -> None:
    truth = strong()
    measured = [pair for seed in range(100, 165) for pair in simulated(truth, seed)]
    assert len(measured) >= 1000
    assert 0.90 <= coverage(measured) <= 0.98


def test_more_photos_narrow_the_interval(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    few = measure.distance(net, marks_for(truth, [20, 30], 4, photos=3), "m20", "m30")
    many = measure.distance(net, marks_for(truth, [20, 30], 4), "m20", "m30")
    assert many.ci95_high - many.ci95_low < 0.8 * (few.ci95_high - few.ci95_low)


def test_the_photos_used_are_listed(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    marks = marks_for(truth, [20, 30], 4, photos=3)
    got = measure.distance(net, marks, "m20", "m30")
    assert got.photos == tuple(sorted({m.photo for m in marks}))
    assert len(got.points_enu_m) == 2


def test_one_photo_determines_nothing(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    marks = marks_for(truth, [20], 4) + marks_for(truth, [30], 4, photos=1)
    got = measure.distance(net, marks, "m20", "m30")
    assert not got.determined
    assert math.isnan(got.value)
    assert math.isnan(got.ci95_low)
    assert "m30 is marked in 1 oriented photo" in got.note


def test_an_unmarked_point_determines_nothing(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    got = measure.distance(net, marks_for(truth, [20], 4), "m20", "nowhere")
    assert not got.determined
    assert "nowhere is marked in 0" in got.note


def test_marks_in_photos_of_another_name_are_told(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    right = marks_for(truth, [30, 31], 4)
    wrong = [replace(mark, photo=f"card/{mark.photo}") for mark in right]
    assert measure.distance(net, right, "m30", "m31").determined
    got = measure.distance(net, wrong, "m30", "m31")
    count = sum(mark.point == "m30" for mark in right)
    assert not got.determined
    assert "m30 is marked in 0 oriented photo(s)" in got.note
    assert f"{count} of its photos are not among the oriented ones" in got.note
    assert "(such as card/" in got.note
    assert known(got.note)


def test_nearly_parallel_rays_determine_nothing() -> None:
    poses = [networks.looking(np.array([0.2 * i, 0.1 * i * i, 30.0]), 0.0, -90.0) for i in range(4)]
    truth = networks.network([*poses, *networks.orbit_poses(5)], seed=3)
    order = np.argsort(-truth.visible.sum(axis=0), kind="stable")
    truth = replace(
        truth,
        points=truth.points[order],
        visible=truth.visible[:, order],
        pixels=truth.pixels[:, order],
    )
    net = exact(truth)
    got = measure.distance(net, marks_for(truth, [10, 11], 4, photos=3), "m10", "m11")
    assert not got.determined
    assert "nearly parallel" in got.note


def test_without_scale_there_are_angles_but_no_lengths() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.3, seed=1),
        photo_inputs(truth, sigma_m=None, seed=2, known=True),
    )
    marks = marks_for(truth, [20, 21, 22], 4)
    length = measure.distance(net, marks, "m20", "m21")
    assert not length.determined
    assert "no scale" in length.note
    angle = measure.angle(net, marks, "m20", "m21", "m22")
    a, b, c = truth.points[20:23]
    cosine = (a - b) @ (c - b) / np.linalg.norm(a - b) / np.linalg.norm(c - b)
    assert angle.determined
    assert angle.ci95_low < math.degrees(math.acos(cosine)) < angle.ci95_high


def test_with_a_scale_bar_alone_heights_carry_the_doubt_of_the_horizon_and_lengths_do_not() -> None:
    """Up comes from level horizons: 2° over the way between the points, and the note says so."""
    truth = strong()
    length_m = float(np.linalg.norm(truth.points[0] - truth.points[1]))
    bar = Control(
        bars=(ScaleBar("bar", "gcp0", "gcp1", length_m),),
        marks=control_of(truth, [0, 1], seed=3).marks,
    )
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    net = adjust(sfm_result(truth, noise_px=0.4, seed=1, start_camera=START), photos, bar)
    assert net.frame.kind == "local"
    indices = list(range(2, 10))
    marks = marks_for(truth, indices, seed=4)
    for a, b in pairwise(indices):
        away_m = truth.points[b] - truth.points[a]
        names = (f"m{a}", f"m{b}")
        risen = measure.height(net, marks, *names)
        half_m = 0.5 * (risen.ci95_high - risen.ci95_low)
        expected_m = measure.Z_95 * math.radians(2.0) * float(np.linalg.norm(away_m[:2]))
        assert 0.95 * expected_m < half_m < 1.05 * expected_m + 0.05
        assert risen.ci95_low < away_m[2] < risen.ci95_high
        assert "2° in the interval" in risen.note
        long = measure.distance(net, marks, *names)
        assert long.ci95_high - long.ci95_low < 0.015 * long.value


def test_where_the_gate_fires_heights_are_refused_and_ground_lengths_are_not() -> None:
    truth = flat()
    tall = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.8], [4.0, 1.0, 0.0]])
    pixels = np.array([networks.project(view, tall) for view in truth.views])
    truth = replace(
        truth,
        points=np.concatenate([truth.points, tall]),
        pixels=np.concatenate([truth.pixels, pixels], axis=1),
        visible=np.concatenate([truth.visible, np.isfinite(pixels[..., 0])], axis=1),
    )
    net = adjust(
        sfm_result(truth, noise_px=0.5, seed=1, start_camera=START, points=slice(0, 250)),
        photo_inputs(truth, sigma_m=(0.02, 0.02, 3.0), seed=2, focal_prior_px=1380.0),
    )
    assert net.accuracy.vertical_scale_determined is False
    marks = marks_for(truth, [250, 251, 252], 4)
    height = measure.height(net, marks, "m250", "m251")
    assert not height.determined
    assert "depth" in height.note
    ground = measure.distance(net, marks, "m250", "m252")
    assert ground.determined
    assert ground.ci95_low < np.linalg.norm(tall[2] - tall[0]) < ground.ci95_high


def test_marks_that_disagree_widen_the_interval(scene: tuple[Network, CameraNetwork]) -> None:
    truth, net = scene
    marks = marks_for(truth, [20, 30], 4)
    rng = np.random.default_rng(0)
    loose = [
        replace(m, x_px=m.x_px + float(rng.normal(0, 4)), y_px=m.y_px + float(rng.normal(0, 4)))
        for m in marks
    ]
    good = measure.distance(net, marks, "m20", "m30")
    bad = measure.distance(net, loose, "m20", "m30")
    assert bad.ci95_high - bad.ci95_low > 4.0 * (good.ci95_high - good.ci95_low)


def test_a_position_carries_the_frames_own_uncertainty() -> None:
    truth = strong()
    net = adjust(
        sfm_result(truth, noise_px=0.3, seed=1),
        photo_inputs(truth, sigma_m=(2.0, 2.0, 4.0), seed=2),
    )
    found = locate.position(net, marks_for(truth, [20], 4), "m20")
    assert found is not None
    _, covariance = found
    assert 1.5 < math.sqrt(covariance[0, 0]) < 4.0
    assert 3.0 < math.sqrt(covariance[2, 2]) < 8.0
    assert locate.position(net, [], "m20") is None


def test_check_points_that_lie_farther_off_than_predicted_widen_every_interval() -> None:
    truth = strong()
    control = control_of(truth, list(range(10)), seed=3, checks=(6, 7, 8, 9))
    rng = np.random.default_rng(0)
    lies = tuple(
        replace(p, position=shifted(p.position, rng.normal(0, 0.1, 3))) if p.role == "check" else p
        for p in control.points
    )
    sfm = sfm_result(truth, noise_px=0.3, seed=1)
    photos = photo_inputs(truth, sigma_m=None, seed=2)
    marks = marks_for(truth, [20, 30], 4)
    good = measure.distance(adjust(sfm, photos, control), marks, "m20", "m30")
    doubted = adjust(sfm, photos, replace(control, points=lies))
    wide = measure.distance(doubted, marks, "m20", "m30")
    assert any("check points lie" in w for w in doubted.accuracy.warnings)
    assert wide.value == good.value
    assert wide.ci95_high - wide.ci95_low > 2.0 * (good.ci95_high - good.ci95_low)


def shifted(position: GeoPoint | None, by_m: FloatArray) -> GeoPoint:
    assert position is not None
    at = EnuFrame(position).geodetic_from_enu(by_m)
    return GeoPoint(float(at[0]), float(at[1]), float(at[2]))


def test_an_unadjusted_network_is_refused() -> None:
    truth = strong()
    net = replace(exact(truth), covariance=None)
    with pytest.raises(InputError, match="adjust"):
        measure.distance(net, marks_for(truth, [20, 30], 4), "m20", "m30")


def test_too_few_points_are_refused(scene: tuple[Network, CameraNetwork]) -> None:
    net = scene[1]
    with pytest.raises(InputError, match="at least 3"):
        measure.area(net, [], ["a", "b"])
    with pytest.raises(InputError, match="at least 2"):
        measure.polyline(net, [], ["a"])
