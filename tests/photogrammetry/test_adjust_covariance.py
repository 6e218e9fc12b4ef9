"""What the adjustment says of its own accuracy, over hundreds of simulated networks.

Each draw disturbs every observation of one network, priors included, by exactly the noise that the
adjustment is told of, and solves it anew.  If covariances are right, the squared errors weighed by
them follow chi-square distributions: neither wider (overconfident) nor narrower (timid).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import chi2

from droneteam.photogrammetry.cameras import bundle
from droneteam.photogrammetry.cameras.adjust_setup import set_up
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import (
    NO_TAIL,
    TIE_TAIL,
    Problem,
    State,
    tail_loss,
    tail_variance,
    tail_weight,
)
from droneteam.photogrammetry.control import NO_CONTROL
from droneteam.photogrammetry.scene import FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.networks import control_of, photo_inputs, sfm_result

NOISE_PX = 0.4
DRAWS = 50
LINEARITY = 0.04
"""How far a spread may be off because the problem is not exactly linear."""


@dataclass(frozen=True)
class Draws:
    """(draws, n) squared Mahalanobis distances and their degrees of freedom."""

    cameras: FloatArray
    points: FloatArray
    focal: FloatArray
    whole: FloatArray
    whole_dof: int


def exact(kind: str) -> tuple[Problem, State]:
    """A problem whose observations are all exactly true, and the truth."""
    truth = networks.network(
        networks.block_poses(side=2, spacing_m=12.0) + networks.orbit_poses(4),
        n_points=70, relief_m=3.0, seed=8,
    )  # fmt: skip
    sigma = {"control": None, "rtk": (0.02, 0.02, 0.03), "both": (0.5, 0.5, 1.0)}[kind]
    seen = [int(i) for i in np.argsort(-truth.visible.sum(axis=0), kind="stable")[:6]]
    control = NO_CONTROL if kind == "rtk" else control_of(truth, seen, seed=3)
    setup = set_up(
        sfm_result(truth, noise_px=0.0, seed=1), photo_inputs(truth, sigma_m=sigma, seed=2),
        control, focal_sigma=0.025, vertical_datum="WGS84 ellipsoid", datum_note="",
    )  # fmt: skip
    free = setup.problem.free.copy()
    free[:, [0, 2, 3, 4, 5]] = True
    problem = replace(
        setup.problem, free=free, tie_sigma_px=NOISE_PX,
        tie_tail=NO_TAIL, mark_tail=NO_TAIL, prior_tail=NO_TAIL,
    )  # fmt: skip
    state = bundle.solve(problem, setup.state, iterations=30, tol=1e-9).state
    return consistent(problem, state), state


def consistent(problem: Problem, state: State) -> Problem:
    """The problem whose every observation is what the state says: the state is then the truth."""
    priors, ties, marks = problem.priors, problem.ties, problem.marks
    state = replace(state, bias=np.zeros(3))
    return replace(
        problem,
        ties=replace(ties, pixels=ties.pixels - bundle.residuals(problem, state)),
        marks=replace(marks, pixels=marks.pixels - bundle.mark_residuals(problem, state)),
        priors=replace(
            priors, centres=state.centres, points=state.kept, intrinsics=state.intrinsics
        ),
    )


def disturbed(problem: Problem, rng: np.random.Generator) -> Problem:
    """The problem with every observation and prior drawn from its stated distribution."""
    priors, ties, marks = problem.priors, problem.ties, problem.marks
    shift = rng.normal(0.0, 1.0, 3) * priors.bias_sigma
    lens_sigma = np.where(problem.free, priors.intrinsics_sigma, 0.0)
    return replace(
        problem,
        ties=replace(ties, pixels=ties.pixels + rng.normal(0.0, NOISE_PX, ties.pixels.shape)),
        marks=replace(marks, pixels=marks.pixels + noise(rng, _pairs(marks.sigma_px))),
        priors=replace(
            priors,
            centres=priors.centres + shift + noise(rng, priors.centre_sigma),
            points=priors.points + noise(rng, priors.point_sigma),
            intrinsics=priors.intrinsics + noise(rng, lens_sigma),
        ),
    )  # fmt: skip


def _pairs(sigma: FloatArray) -> FloatArray:
    return np.repeat(sigma[:, None], 2, axis=1)


def noise(rng: np.random.Generator, sigma: FloatArray) -> FloatArray:
    return rng.normal(size=sigma.shape) * np.where(np.isfinite(sigma), sigma, 0.0)


def distance2(error: FloatArray, covariance: FloatArray) -> float:
    return float(error @ np.linalg.solve(covariance, error))


@cache
def drawn(kind: str, draws: int = DRAWS, tail: float = NO_TAIL) -> Draws:
    problem, truth = exact(kind)
    problem = replace(problem, tie_tail=tail)
    columns = bundle.layout(problem)
    centre_at = columns.pose[:, None] + 3 + np.arange(3)
    kept_at = columns.kept[:, None] + np.arange(3)
    focal_at = columns.intrinsics[0, 0]
    cameras, points, focal, whole = [], [], [], []
    for draw in range(draws):
        rng = np.random.default_rng([draw, 17])
        sample = disturbed(problem, rng)
        solution = bundle.solve(sample, truth, iterations=25, tol=1e-8)
        covariance = bundle.covariance(sample, solution)
        off, off_kept = solution.state.centres - truth.centres, solution.state.kept - truth.kept
        cameras.append(
            [distance2(e, covariance[np.ix_(at, at)]) for e, at in zip(off, centre_at, strict=True)]
        )
        points.append(
            [
                distance2(e, covariance[np.ix_(at, at)])
                for e, at in zip(off_kept, kept_at, strict=True)
            ]
        )
        change = solution.state.intrinsics[0, 0] - truth.intrinsics[0, 0]
        focal.append(change**2 / covariance[focal_at, focal_at])
        at = centre_at.ravel()
        whole.append(distance2(off.ravel(), covariance[np.ix_(at, at)]))
    return Draws(
        np.array(cameras), np.array(points), np.array(focal), np.array(whole), centre_at.size
    )


def holds(total: float, dof: int) -> bool:
    """Whether a sum of squares is what chi-square allows (99.9 %), within linearity."""
    low, high = chi2.ppf([0.0005, 0.9995], dof)
    return bool((1.0 - LINEARITY) ** 2 * low < total < (1.0 + LINEARITY) ** 2 * high)


KINDS = ("control", "rtk", "both")


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_as_a_whole_scatters_as_its_joint_covariance_says(kind: str) -> None:
    found = drawn(kind)
    assert holds(found.whole.sum(), found.whole_dof * len(found.whole))


@pytest.mark.parametrize("kind", KINDS)
def test_ellipsoids_of_camera_centres_hold_the_truth_as_often_as_they_say(kind: str) -> None:
    cameras = drawn(kind).cameras
    for level in (0.5, 0.9, 0.95):
        inside = float((cameras < chi2.ppf(level, 3)).mean())
        # cameras of one draw are alike: about one independent sample for each draw
        assert abs(inside - level) < 4.0 * np.sqrt(level * (1.0 - level) / len(cameras))


@pytest.mark.parametrize("kind", ["control", "both"])
def test_ellipsoids_of_points_hold_the_truth_as_often_as_they_say(kind: str) -> None:
    points = drawn(kind).points
    for level in (0.5, 0.9, 0.95):
        inside = float((points < chi2.ppf(level, 3)).mean())
        assert abs(inside - level) < 4.0 * np.sqrt(level * (1.0 - level) / len(points))


@pytest.mark.parametrize("kind", KINDS)
def test_the_focal_length_scatters_as_its_deviation_says(kind: str) -> None:
    focal = drawn(kind).focal
    assert holds(focal.sum(), len(focal))


def test_robust_weights_keep_the_deviations_honest() -> None:
    found = drawn("both", draws=20, tail=TIE_TAIL)
    spread = np.sqrt(found.whole.mean() / found.whole_dof)
    assert 0.92 < spread < 1.10  # 720 squares: 2.6 % by chance


def test_a_covariance_that_is_twice_too_small_would_be_noticed() -> None:
    found = drawn("both")
    assert not holds(2.0 * found.whole.sum(), found.whole_dof * len(found.whole))
    assert not holds(0.5 * found.whole.sum(), found.whole_dof * len(found.whole))


@pytest.mark.parametrize("tail", [1.5, 2.0, 2.5, NO_TAIL])
def test_the_noise_of_tie_points_is_found_whatever_the_tail(tail: float) -> None:
    problem, truth = exact("both")
    problem = replace(problem, tie_tail=tail)
    found = []
    for draw in range(4):
        sample = disturbed(problem, np.random.default_rng([draw, 3]))
        solution: Solution = bundle.solve(sample, truth, iterations=20)
        found.append(np.sqrt(bundle.tie_variance(sample, solution)))
    assert np.mean(found) == pytest.approx(NOISE_PX, rel=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_six_hundred_draws_agree(kind: str) -> None:
    found = drawn(kind, draws=600)
    assert holds(found.whole.sum(), found.whole_dof * len(found.whole))
    assert holds(found.focal.sum(), len(found.focal))


@pytest.mark.parametrize("tail", [1.0, 1.5, 2.5])
def test_what_a_tail_does_to_gaussian_pixels_agrees_with_drawing_them(tail: float) -> None:
    pairs = np.random.default_rng(4).normal(size=(200_000, 2))
    s = np.linalg.norm(pairs, axis=1)
    w = tail_weight(s, tail)
    assert tail_variance(tail) == pytest.approx((w * s**2).sum() / (2.0 * w.sum()), rel=0.01)
    # a location estimated from 400 pairs at a time, by its own weighted equation
    means = []
    for block in pairs.reshape(500, 400, 2):
        at = np.zeros(2)
        for _ in range(30):
            weight = tail_weight(np.linalg.norm(block - at, axis=1), tail)
            at = (weight[:, None] * block).sum(axis=0) / weight.sum()
        means.append(at)
    variance = 400.0 * float(np.mean(np.square(means)))
    assert tail_loss(tail) / w.mean() == pytest.approx(variance, rel=0.15)


def test_without_a_tail_nothing_is_corrected() -> None:
    assert tail_variance(NO_TAIL) == 1.0
    assert tail_loss(NO_TAIL) == 1.0
