"""Predicted accuracy against a dense adjustment with numeric derivatives, and against chance."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from droneteam.errors import InputError
from droneteam.missions.planner import accuracy
from droneteam.missions.planner.accuracy import (
    GPS,
    RTK,
    Network,
    NetworkNoise,
    observe,
    point_covariance,
    predict,
    spread_points,
)
from droneteam.missions.planner.accuracyblocks import predict_in_blocks
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.plan import SurveyParams, plan_survey
from droneteam.missions.planner.surveyaccuracy import accuracy_of
from tests.missions.conftest import PLACE, SCENE, area

NOISE = NetworkNoise(0.5, 0.05, 0.08, 0.02, 0.03, 0.01)


def grid(
    photos: tuple[int, int] = (3, 3), points: int = 30, oblique: bool = True, control: int = 0
) -> Network:
    """Photos over a small site on uneven ground, one of them oblique."""
    rng = np.random.default_rng(5)
    east, north = np.meshgrid(5.0 * np.arange(photos[0]), 4.0 * np.arange(photos[1]))
    places = np.column_stack([east.ravel(), north.ravel(), 20.0 + rng.normal(0, 0.5, east.size)])
    angles = np.column_stack([rng.uniform(0, 360, len(places)), np.full(len(places), -90.0)])
    if oblique:
        places = np.vstack([places, [places[:, 0].mean() - 20.0, places[:, 1].mean(), 18.0]])
        angles = np.vstack([angles, [90.0, -45.0]])
    span = (5.0 * (photos[0] - 1), 4.0 * (photos[1] - 1))
    ground = np.column_stack(
        [rng.uniform(0, span[0], points), rng.uniform(0, span[1], points), rng.normal(0, 1, points)]
    )
    return Network(SIMULATED, places, angles, ground, np.arange(points) < control)


def turned(network: Network) -> np.ndarray:
    """(k, 3, 3) camera from ENU, from Euler turns one after the other."""
    found = []
    for yaw_deg, pitch_deg in network.angles_deg:
        yaw, tilt = math.radians(yaw_deg), math.radians(pitch_deg)
        level = np.array(
            [[math.cos(yaw), -math.sin(yaw), 0], [0, 0, -1], [math.sin(yaw), math.cos(yaw), 0]]
        )
        nod = np.array(
            [[1, 0, 0], [0, math.cos(tilt), math.sin(tilt)], [0, -math.sin(tilt), math.cos(tilt)]]
        )
        found.append(nod @ level)
    return np.array(found)


class Dense:
    """The whole adjustment at once: unknowns are small turns, centres, points and the shift."""

    def __init__(self, network: Network, noise: NetworkNoise) -> None:
        self.network, self.noise = network, noise
        self.start = turned(network)
        rays = observe(network)
        self.photo, self.point = rays.photo, rays.point
        self.photos, self.points = len(network.places_m), len(network.points_m)
        self.truth = np.concatenate(
            [np.zeros(3 * self.photos), network.places_m.ravel(), network.points_m.ravel(), [0] * 3]
        )
        self.sigma = np.array([noise.position_horizontal_m] * 2 + [noise.position_vertical_m])
        self.shift = np.array([noise.shift_horizontal_m] * 2 + [noise.shift_vertical_m])

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        a, b = 3 * self.photos, 6 * self.photos
        c = b + 3 * self.points
        return x[:a].reshape(-1, 3), x[a:b].reshape(-1, 3), x[b:c].reshape(-1, 3), x[c:]

    def predicted(self, x: np.ndarray) -> np.ndarray:
        """Pixels, positions, control and shift as the unknowns say, in standard deviations."""
        turns, places, points, shift = self.split(x)
        seen = np.einsum(
            "mij,mj->mi", self.start[self.photo], points[self.point] - places[self.photo]
        )
        w = turns[self.photo]
        seen = seen + np.cross(seen, w)
        pixels = self.network.camera.focal_px * seen[:, :2] / seen[:, 2:]
        control = points[self.network.control]
        return np.concatenate(
            [
                pixels.ravel() / self.noise.image_px,
                ((places - shift) / self.sigma).ravel(),
                control.ravel() / self.noise.control_m,
                shift / self.shift,
                turns.ravel() / 1e3,
            ]
        )

    def covariance(self) -> np.ndarray:
        """(n, 3, 3) of the points, from numeric derivatives and one dense inverse."""
        rows = approx_fprime(self.truth, self.predicted, 1e-6)
        whole = np.linalg.inv(rows.T @ rows)
        first = 6 * self.photos
        return np.array(
            [
                whole[first + 3 * i : first + 3 * i + 3, first + 3 * i : first + 3 * i + 3]
                for i in range(self.points)
            ]
        )


@pytest.mark.parametrize("control", [0, 4])
@pytest.mark.parametrize("oblique", [False, True])
def test_the_covariance_is_that_of_the_whole_normal_matrix(oblique: bool, control: int) -> None:
    network = grid(oblique=oblique, control=control)
    found = point_covariance(network, observe(network), NOISE, np.arange(len(network.points_m)))
    dense = Dense(network, NOISE).covariance()
    seen = np.bincount(observe(network).point, minlength=len(dense)) >= 2
    assert seen.sum() >= 25
    assert found[seen] == pytest.approx(dense[seen], rel=2e-3, abs=1e-7)
    sigma = np.sqrt(np.einsum("nii->ni", found[seen]))
    assert sigma == pytest.approx(np.sqrt(np.einsum("nii->ni", dense[seen])), rel=1e-3)


def test_adjusting_noisy_photos_scatters_as_predicted() -> None:
    """Least squares on drawn measurements: errors over predicted sigmas have a variance of one.

    The derivatives stay those at the truth; the measurements are predicted anew in each step, so
    that what is solved is the real adjustment, not its linear form.
    """
    network = grid((3, 2), points=14)
    dense = Dense(network, NOISE)
    rows = np.arange(14)
    seen = np.bincount(dense.point, minlength=14) >= 2
    covariance = point_covariance(network, observe(network), NOISE, rows)
    sigma = np.sqrt(np.einsum("nii->ni", covariance))
    solver = np.linalg.pinv(approx_fprime(dense.truth, dense.predicted, 1e-6))
    rng = np.random.default_rng(11)
    exact = dense.predicted(dense.truth)
    ratios = []
    for _ in range(300):
        drawn = exact + rng.normal(size=exact.shape)
        drawn[-3 * dense.photos :] = 0.0  # nothing is known of the attitudes
        x = dense.truth
        for _ in range(6):
            x = x + solver @ (drawn - dense.predicted(x))
        ratios.append(((dense.split(x)[2] - network.points_m) / sigma)[seen])
    variance = np.mean(np.square(ratios), axis=0)
    # 300 draws: one coordinate's variance has a standard error of 0.08; they are correlated.
    assert np.all((variance > 0.7) & (variance < 1.35))
    assert 0.9 < float(variance.mean()) < 1.1


def test_the_common_shift_of_the_receiver_is_a_floor_that_photos_do_not_lower() -> None:
    network = grid((5, 5), points=60)
    shifted = replace(NOISE, shift_horizontal_m=0.5, shift_vertical_m=0.7)
    found = predict(network, shifted, 0.01)
    assert found.median_horizontal_m == pytest.approx(0.5, rel=0.05)
    assert found.median_vertical_m == pytest.approx(0.7, rel=0.05)


def test_control_points_take_the_shift_away() -> None:
    free = predict(grid((5, 4), points=80), GPS, 0.01)
    held = predict(grid((5, 4), points=80, control=6), GPS, 0.01)
    assert held.median_vertical_m < 0.1 * free.median_vertical_m
    assert held.median_horizontal_m < 0.05 * free.median_horizontal_m


def test_more_photos_and_better_pixels_make_it_more_accurate() -> None:
    few, many = (predict(grid(n, points=60), NOISE, 0.01) for n in ((3, 3), (6, 6)))
    assert many.median_vertical_m < few.median_vertical_m
    sharp = predict(grid(points=60), replace(NOISE, image_px=0.25), 0.01)
    assert sharp.median_vertical_m < few.median_vertical_m


def test_one_photo_or_strangers_are_refused() -> None:
    network = grid()
    alone = replace(network, places_m=network.places_m[:1], angles_deg=network.angles_deg[:1])
    with pytest.raises(InputError, match="1 photos"):
        predict(alone, RTK, 0.01)
    apart = replace(
        network,
        places_m=network.places_m[:2] + [[0, 0, 0], [500, 0, 0]],
        angles_deg=network.angles_deg[:2],
    )
    with pytest.raises(InputError, match="two photos"):
        predict(apart, RTK, 0.01)


@pytest.mark.parametrize("value", [math.nan, -0.1, 0.0, 1e3])
def test_noise_is_checked_by_name(value: float) -> None:
    with pytest.raises(InputError, match="image_px"):
        NetworkNoise(image_px=value)


def test_points_are_spread_over_the_whole_area_control_first() -> None:
    square = np.array([[0.0, 0.0], [40.0, 0.0], [40.0, 30.0], [0.0, 30.0]])
    points, control = spread_points(square, 60, np.array([[5.0, 5.0]]))
    assert control.sum() == 1
    assert points[0].tolist() == [5.0, 5.0]
    assert 8 * 60 <= len(points) <= 16 * 60
    for corner in square:
        assert np.min(np.hypot(*(points - corner).T)) < 0.1


def test_a_survey_with_corrections_is_predicted_near_a_centimetre_and_control_helps_without() -> (
    None
):
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    rtk = accuracy_of(plan, SIMULATED, RTK).accuracy
    assert 0.01 < rtk.median_horizontal_m < 0.03
    assert 0.02 < rtk.median_vertical_m < 0.05
    gps = accuracy_of(plan, SIMULATED, GPS).accuracy
    assert gps.median_vertical_m > 2.0
    corners = area((-12, -4), (12, -4), (12, 4), (-12, 4), (0, 0))
    held = accuracy_of(plan, SIMULATED, GPS, control=corners).accuracy
    assert held.median_vertical_m < 0.02
    assert held.median_horizontal_m < 0.01


def test_fewer_photos_never_make_a_point_surer_so_that_blocks_are_upper_bounds() -> None:
    network = grid((12, 12), points=500, oblique=False)
    whole = point_covariance(network, observe(network), NOISE, np.arange(500))
    blocks = predict_in_blocks(network, NOISE, 0.01, blocks=4, photos=60)
    assert blocks.bound
    assert 150 <= len(blocks.points_m) <= 4 * 80
    place = {tuple(point): row for row, point in enumerate(network.points_m.tolist())}
    rows = [place[tuple(point)] for point in blocks.points_m.tolist()]
    ratio = blocks.vertical_m / np.sqrt(whole[rows, 2, 2])
    assert ratio.min() >= 1.0 - 1e-9


def test_a_survey_of_more_photos_than_one_adjustment_holds_is_bounded_and_not_refused() -> None:
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    whole = accuracy_of(plan, SIMULATED, RTK).accuracy
    parts = accuracy_of(plan, SIMULATED, RTK, most_photos=30).accuracy
    assert (whole.bound, parts.bound) == (False, True)
    assert whole.median_vertical_m <= parts.median_vertical_m < 1.5 * whole.median_vertical_m
    assert whole.median_horizontal_m <= parts.median_horizontal_m < 1.5 * whole.median_horizontal_m


@pytest.mark.parametrize("together", [2, 7, 1000])
def test_points_that_are_eliminated_together_take_what_each_takes_alone(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = grid(photos=(4, 4), points=60, control=3)
    rays, rows = observe(network), np.arange(0, 60, 7)
    found = []
    for number in (1, together):
        monkeypatch.setattr(accuracy, "_TOGETHER", number)
        found.append(point_covariance(network, rays, NOISE, rows))
    assert np.isfinite(found[0]).any()
    np.testing.assert_allclose(found[1], found[0], rtol=1e-6, atol=1e-12)
