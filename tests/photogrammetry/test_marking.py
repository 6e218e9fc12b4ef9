"""Predicted places hold the truth, useful photos come first, and the wrong mark is named."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry import marking
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.marking import CHI2_95_2D, Prediction
from droneteam.photogrammetry.scene import (
    Accuracy,
    CameraNetwork,
    Frame,
    NetworkCovariance,
    SparseCloud,
    View,
)
from tests.photogrammetry.networks import (
    ORIGIN,
    Network,
    block_poses,
    looking,
    network,
    orbit_poses,
    project,
)

CENTRE_SIGMA_M = 0.02
ANGLE_SIGMA_RAD = 2e-4


@pytest.fixture(scope="module")
def truth() -> Network:
    return network([*block_poses(), *orbit_poses(6)], n_points=120)


def cameras_of(truth: Network, *, shift_m: float = 0.0) -> CameraNetwork:
    """The true views with a stated covariance: every camera for itself, and all together."""
    count = len(truth.views)
    sigma = np.tile([ANGLE_SIGMA_RAD] * 3 + [CENTRE_SIGMA_M] * 3, count)
    matrix = np.diag(sigma**2)
    together = np.tile([0.0, 0.0, 0.0, 1.0, 1.0, 1.0], count)
    matrix += shift_m**2 * sum(
        np.outer(axis, axis) for axis in (together * np.tile(e, 2 * count) for e in np.eye(3))
    )
    covariance = NetworkCovariance(
        matrix, 6 * np.arange(count, dtype=np.int64), np.full((count, 12), -1, dtype=np.int64)
    )
    offsets, views, pixels = [0], [], []
    for index in range(len(truth.points)):
        seen = np.flatnonzero(truth.visible[:, index])
        views.extend(seen)
        pixels.extend(truth.pixels[seen, index])
        offsets.append(len(views))
    sparse = SparseCloud(
        truth.points,
        np.zeros((len(truth.points), 3), np.uint8),
        np.array(offsets, np.int64),
        np.array(views, np.int32),
        np.array(pixels),
    )
    frame = Frame("enu", ORIGIN, "WGS84 ellipsoid", True)
    accuracy = Accuracy(0.3, "gnss", True)
    return CameraNetwork(truth.views, sparse, frame, accuracy, covariance=covariance)


def moved(view: View, rng: np.random.Generator, together: np.ndarray) -> View:
    """The view as its stated covariance says it might truly be."""
    turn = rng.normal(0.0, ANGLE_SIGMA_RAD, 3)
    skew = np.array([[0, -turn[2], turn[1]], [turn[2], 0, -turn[0]], [-turn[1], turn[0], 0]])
    rotation = (np.eye(3) + skew) @ view.cam_from_enu[:, :3]
    centre = view.centre_enu_m + rng.normal(0.0, CENTRE_SIGMA_M, 3) + together
    return replace(view, cam_from_enu=np.column_stack([rotation, -rotation @ centre]))


def marks_at(views: tuple[View, ...], point: np.ndarray, noise: float, seed: int) -> list[Mark]:
    rng = np.random.default_rng(seed)
    found = []
    for view in views:
        x, y = project(view, point[None])[0]
        if np.isfinite(x):
            dx, dy = rng.normal(0.0, noise, 2)
            found.append(Mark("p", view.name, float(x + dx), float(y + dy), max(noise, 0.05)))
    return found


def inside_ellipse(prediction: Prediction, x_px: float, y_px: float) -> bool:
    """Whether a place lies in the ellipse, by rotating it into the ellipse's axes."""
    angle = np.radians(prediction.angle_deg)
    dx, dy = x_px - prediction.x_px, y_px - prediction.y_px
    along, across = (
        dx * np.cos(angle) + dy * np.sin(angle),
        -dx * np.sin(angle) + dy * np.cos(angle),
    )
    a, b = prediction.semi_axes_px
    return bool((along / a) ** 2 + (across / b) ** 2 <= 1.0)


@pytest.mark.parametrize("start", ["marks", "one mark", "survey"])
def test_the_ellipse_holds_the_truth_in_95_of_100_cases(truth: Network, start: str) -> None:
    """Monte Carlo: the true cameras differ from the known ones as the covariance states, with a
    common shift of a metre that must not widen predictions from the photos' own marks."""
    shift_m = 0.05 if start == "survey" else 1.0
    cameras = cameras_of(truth, shift_m=shift_m)
    rng = np.random.default_rng(5)
    held, axes = [], []
    for trial in range(60):
        together = rng.normal(0.0, shift_m, 3)
        really = tuple(moved(view, rng, together) for view in truth.views)
        point = truth.points[trial]
        survey = (point + rng.normal(0, 0.01, 3), np.full(3, 0.01)) if start == "survey" else None
        # In the true world the point lies where the shifted cameras see it.
        there = point + (0 if start == "survey" else together)
        marks = marks_at(really, there, 0.4, trial)
        given = {"marks": marks[:3], "one mark": marks[:1], "survey": []}[start]
        found = marking.estimate(cameras, given, survey)
        assert found is not None
        assert found.source == start
        where = {mark.photo: mark for mark in marks_at(really, there, 0.0, 0)}
        for guess in marking.predictions(cameras, found, given):
            if guess.photo in where and guess.photo not in {m.photo for m in given}:
                mark = where[guess.photo]
                held.append(inside_ellipse(guess, mark.x_px, mark.y_px))
                axes.append(guess.semi_axes_px)
    assert len(held) > 300
    low = 0.85 if start == "one mark" else 0.90  # a depth's spread is a rule of thumb
    assert low <= np.mean(held) <= 0.995
    if start == "marks":
        assert np.median(axes, axis=0)[0] < 12.0, "the metre that all share must cancel"


def test_a_single_mark_leaves_the_others_along_a_line(truth: Network) -> None:
    cameras = cameras_of(truth)
    mark = marks_at(truth.views, truth.points[3], 0.0, 0)[0]
    found = marking.estimate(cameras, [mark])
    assert found is not None
    assert np.linalg.norm(found.position - truth.points[3]) < 3.0
    long, short = np.array([p.semi_axes_px for p in marking.predictions(cameras, found, [])]).T
    own = [p for p in marking.predictions(cameras, found, [mark]) if p.photo == mark.photo]
    assert own[0].semi_axes_px[0] < 3.0, "in its own photo the place is known"
    assert np.median(long / short) > 3.0


def test_photos_that_narrow_the_point_most_come_first(truth: Network) -> None:
    """Against brute force: no other photo added to what is marked gives a smaller ellipsoid."""
    cameras = cameras_of(truth)
    marks = marks_at(truth.views, truth.points[10], 0.0, 0)[:2]
    found = marking.estimate(cameras, marks)
    assert found is not None
    ranked = list(marking.predictions(cameras, found, marks))
    fresh = [p for p in ranked if p.photo not in {m.photo for m in marks}]
    every = {m.photo: m for m in marks_at(truth.views, truth.points[10], 0.0, 0)}

    def volume(photo: str) -> float:
        got = marking.estimate(cameras, [*marks, every[photo]])
        assert got is not None
        return float(np.linalg.det(got.noise))

    volumes = [volume(p.photo) for p in fresh]
    assert volumes[0] == pytest.approx(min(volumes), rel=1e-3)
    assert volumes[0] < 0.7 * max(volumes)
    assert [p.rank for p in ranked] == list(range(1, len(ranked) + 1))
    assert len({p.photo for p in ranked}) == len(ranked)


def test_only_photos_that_show_the_point_are_offered(truth: Network) -> None:
    cameras = cameras_of(truth)
    for index in range(0, 40, 8):
        found = marking.estimate(cameras, marks_at(truth.views, truth.points[index], 0.0, 0))
        assert found is not None
        names = {p.photo for p in marking.predictions(cameras, found, [])}
        shown = {truth.views[v].name for v in np.flatnonzero(truth.visible[:, index])}
        assert names == shown


def test_a_point_is_located_with_residuals_and_an_honest_interval(truth: Network) -> None:
    cameras = cameras_of(truth)
    errors = []
    for index in range(30):
        marks = marks_at(truth.views, truth.points[index], 0.3, index)[:5]
        located = marking.locate(cameras, marks)
        assert not isinstance(located, str), located
        error = np.array(located.position_enu_m) - truth.points[index]
        errors.append(np.abs(error) <= located.ci95_m)
        assert [row.photo for row in located.residuals] == [mark.photo for mark in marks]
        assert located.outlier is None
        assert all(0.0 <= row.normalised < 4.0 for row in located.residuals)
    assert np.mean(errors) >= 0.93


def test_the_wrong_mark_is_named_and_the_others_are_not(truth: Network) -> None:
    cameras = cameras_of(truth)
    named = 0
    for index in range(20):
        marks = marks_at(truth.views, truth.points[index], 0.3, index)[:6]
        wrong = index % len(marks)
        marks[wrong] = replace(marks[wrong], x_px=marks[wrong].x_px + 12.0)
        located = marking.locate(cameras, marks)
        assert not isinstance(located, str)
        assert located.disagree
        assert located.outlier in (None, marks[wrong].photo), "never an innocent photo"
        named += located.outlier == marks[wrong].photo
    assert named >= 18


def test_two_marks_that_disagree_are_not_judged(truth: Network) -> None:
    cameras = cameras_of(truth)
    marks = marks_at(truth.views, truth.points[2], 0.0, 0)[:2]
    marks[0] = replace(marks[0], y_px=marks[0].y_px + 30.0, x_px=marks[0].x_px + 30.0)
    located = marking.locate(cameras, marks)
    assert isinstance(located, str) or (located.disagree and located.outlier is None)


def test_what_cannot_be_located_says_why(truth: Network) -> None:
    cameras = cameras_of(truth)
    one = marks_at(truth.views, truth.points[0], 0.0, 0)[:1]
    assert "two or more" in str(marking.locate(cameras, one))
    assert "two or more" in str(marking.locate(cameras, [Mark("p", "no such photo", 1, 1)] * 2))
    beside = [looking(np.array([x, 0.0, 30.0]), 0.0, -90.0) for x in (0.0, 0.5)]
    narrow = network(beside, n_points=30)
    marks = marks_at(narrow.views, narrow.points[0], 0.0, 0)
    assert "parallel" in str(marking.locate(cameras_of(narrow), marks))
    assert marking.estimate(cameras, []) is None


def test_without_a_covariance_nothing_is_predicted(truth: Network) -> None:
    cameras = replace(cameras_of(truth), covariance=None)
    with pytest.raises(InputError, match="adjust"):
        marking.estimate(cameras, marks_at(truth.views, truth.points[0], 0.0, 0))


def test_the_ellipse_is_that_of_the_covariance() -> None:
    """Against the quadratic form itself, at every angle."""
    covariance = np.array([[9.0, 2.0], [2.0, 1.5]])
    (a, b), angle = marking._ellipse(covariance)
    turn = np.radians(angle)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for t in np.linspace(0, 2 * np.pi, 13):
        at = axes @ (a * np.cos(t), b * np.sin(t))
        assert at @ np.linalg.inv(covariance) @ at == pytest.approx(CHI2_95_2D, rel=1e-6)
    assert all(x >= y for x, y in pairwise((a, b)))
