"""The adjustment's inner parts: derivatives, normal equations, convergence, covariance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from droneteam.photogrammetry.cameras import bundle
from droneteam.photogrammetry.cameras import bundle_kernels as kernels
from droneteam.photogrammetry.cameras.bundle_problem import (
    NO_TAIL,
    Marks,
    Priors,
    Problem,
    State,
    TiePoints,
    tail_cost,
    tail_weight,
)
from droneteam.photogrammetry.cameras.triangulation import intrinsics_row
from droneteam.photogrammetry.scene import FloatArray
from tests.photogrammetry import networks

LENS = np.array([1400, 1.01, 800, 600, -0.05, 0.02, 1e-3, -2e-3, 0.01, 0.02, -0.01, 0.003])


def project(point: FloatArray, turn: FloatArray, centre: FloatArray, lens: FloatArray):
    """Pixel and derivatives by pose, lens and point."""
    pixel, pose, intrinsics, by_point = (
        np.zeros(2),
        np.zeros((2, 6)),
        np.zeros((2, 12)),
        np.zeros((2, 3)),
    )
    depth = kernels.project_one(point, turn, centre, lens, pixel, pose, intrinsics, by_point)
    return depth, pixel, pose, intrinsics, by_point


def view() -> tuple[FloatArray, FloatArray, FloatArray]:
    turn = cv2.Rodrigues(np.array([0.3, -0.2, 0.5]))[0]
    return np.array([0.3, 2.2, 3.0]), turn, np.array([1.0, 2.0, -5.0])


def test_pixels_agree_with_opencv_for_every_distortion_term() -> None:
    point, turn, centre = view()
    matrix = np.array([[LENS[0], 0, LENS[2]], [0, LENS[0] * LENS[1], LENS[3]], [0, 0, 1]])
    expected, _ = cv2.projectPoints(
        point[None], cv2.Rodrigues(turn)[0], -turn @ centre, matrix, LENS[4:]
    )
    np.testing.assert_allclose(project(point, turn, centre, LENS)[1], expected[0, 0], atol=1e-9)


def test_derivatives_agree_with_differences() -> None:
    point, turn, centre = view()
    _, _, pose, intrinsics, by_point = project(point, turn, centre, LENS)
    step = 1e-6

    def differences(function: Callable[[FloatArray], FloatArray], n: int) -> FloatArray:
        rows = [(function(step * e) - function(-step * e)) / (2 * step) for e in np.eye(n)]
        return np.stack(rows, axis=1)

    def moved(d: FloatArray) -> FloatArray:
        return project(point, cv2.Rodrigues(d[:3])[0] @ turn, centre + d[3:], LENS)[1]

    np.testing.assert_allclose(pose, differences(moved, 6), atol=1e-5)
    by_lens = differences(lambda d: project(point, turn, centre, LENS + d)[1], 12)
    np.testing.assert_allclose(intrinsics, by_lens, atol=1e-5)
    by_place = differences(lambda d: project(point + d, turn, centre, LENS)[1], 3)
    np.testing.assert_allclose(by_point, by_place, atol=1e-5)


def test_a_point_behind_the_camera_has_no_pixel() -> None:
    point, turn, centre = view()
    behind = 2.0 * centre - point
    depth, pixel, *_ = project(behind, turn, centre, LENS)
    assert depth <= 0
    assert (pixel == 0).all()


@pytest.mark.parametrize("name", ["project_one", "reduced_system", "cholesky"])
def test_kernels_do_the_same_without_the_compiler(name: str) -> None:
    problem, state = small_problem()
    columns = bundle.layout(problem)
    weights = np.ones(len(problem.ties.views))
    if name == "project_one":
        point, turn, centre = view()
        out = [np.zeros(2), np.zeros((2, 6)), np.zeros((2, 12)), np.zeros((2, 3))]
        kernels.project_one.py_func(point, turn, centre, LENS, *out)
        for a, b in zip(out, project(point, turn, centre, LENS)[1:], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-12)
    elif name == "cholesky":
        a = np.cov(np.random.default_rng(0).normal(size=(5, 40)))
        compiled, plain = a.copy(), a.copy()
        assert kernels.cholesky(compiled)
        assert kernels.cholesky.py_func(plain)
        np.testing.assert_allclose(np.tril(compiled), np.tril(plain), atol=1e-12)
        np.testing.assert_allclose(np.tril(compiled), np.linalg.cholesky(a), atol=1e-12)
    else:
        arguments = (
            state.points[:5], problem.ties.offsets[:6], problem.ties.views, problem.ties.pixels,
            weights, state.rotations, state.centres, state.intrinsics, problem.view_camera,
            columns.intrinsics, columns.pose, columns.size, 0.0,
        )  # fmt: skip
        for a, b in zip(
            kernels.reduced_system(*arguments), kernels.reduced_system.py_func(*arguments),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-6)


def small_problem(noise_px: float = 0.0, n_points: int = 40) -> tuple[Problem, State]:
    """A block and ring with exact start; camera positions fix the gauge."""
    truth = networks.network(
        networks.block_poses() + networks.orbit_poses(5), n_points=n_points, seed=3
    )
    sfm = networks.sfm_result(truth, noise_px=noise_px, seed=4)
    cloud = sfm.groups[0].sparse
    n = len(truth.views)
    free = np.zeros((1, 12), dtype=bool)
    free[0, [0, 4]] = True
    centres = np.array([v.centre_enu_m for v in truth.views])
    seen = truth.points[(truth.visible.sum(axis=0) >= 2)]
    lens = intrinsics_row(truth.views[0].camera)[None]
    problem = Problem(
        ties=TiePoints(
            cloud.track_offsets, cloud.track_views.astype(np.int64), cloud.track_pixels
        ),
        marks=Marks(),
        priors=Priors(
            centres, np.full((n, 3), 0.05), np.zeros(3), np.zeros((0, 3)), np.zeros((0, 3)),
            np.zeros((0, 2), np.int64), np.zeros(0), np.zeros(0), lens.copy(),
            np.full((1, 12), np.inf),
        ),
        view_camera=np.zeros(n, np.int64),
        free=free,
        tie_sigma_px=max(noise_px, 0.1),
    )  # fmt: skip
    rotations = np.ascontiguousarray([v.cam_from_enu[:, :3] for v in truth.views])
    state = State(rotations, centres.copy(), lens, seen.copy(), np.zeros((0, 3)), np.zeros(3))
    return problem, state


def disturbed(state: State, seed: int = 0) -> State:
    rng = np.random.default_rng(seed)
    turns = [cv2.Rodrigues(rng.normal(0, 0.01, 3))[0] for _ in state.rotations]
    lens = state.intrinsics.copy()
    lens[:, 0] *= 1.02
    return replace(
        state,
        rotations=np.ascontiguousarray(np.array(turns) @ state.rotations),
        centres=state.centres + rng.normal(0, 0.3, state.centres.shape),
        points=state.points + rng.normal(0, 0.3, state.points.shape),
        intrinsics=lens,
    )


def test_without_noise_a_disturbed_network_returns_to_the_truth() -> None:
    problem, truth = small_problem()
    solution = bundle.solve(problem, disturbed(truth), iterations=60, tol=1e-14)
    np.testing.assert_allclose(solution.state.centres, truth.centres, atol=1e-5)
    np.testing.assert_allclose(solution.state.points, truth.points, atol=1e-5)
    assert solution.state.intrinsics[0, 0] == pytest.approx(1400.0, abs=1e-3)


def test_the_reduced_system_is_the_schur_complement_of_the_whole() -> None:
    problem, state = small_problem(noise_px=0.5, n_points=12)
    columns = bundle.layout(problem)
    weights = np.full(len(problem.ties.views), 4.0)
    matrix, right = kernels.reduced_system(
        state.points, problem.ties.offsets, problem.ties.views, problem.ties.pixels, weights,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
        columns.intrinsics, columns.pose, columns.size, 0.0,
    )  # fmt: skip
    owner = np.repeat(np.arange(len(state.points)), np.diff(problem.ties.offsets))
    pixels, jac = kernels.jacobians(
        state.points, owner, problem.ties.views,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
    )  # fmt: skip
    n, p = columns.size, len(state.points)
    full = np.zeros((2 * len(owner), n + 3 * p))
    for row, view_index in enumerate(problem.ties.views):
        at = slice(2 * row, 2 * row + 2)
        pose = columns.pose[view_index] + np.arange(6)
        full[at, pose] = jac[row, :, :6]
        full[at, columns.intrinsics[0, [0, 4]]] = jac[row][:, [6, 10]]
        full[at, n + 3 * owner[row] : n + 3 * owner[row] + 3] = jac[row, :, 18:]
    residual = (problem.ties.pixels - pixels).ravel()
    normal, gradient = 4.0 * full.T @ full, 4.0 * full.T @ residual
    b, d = normal[:n, n:], normal[n:, n:]
    np.testing.assert_allclose(
        matrix, normal[:n, :n] - b @ np.linalg.solve(d, b.T), rtol=1e-6, atol=1e-3
    )
    np.testing.assert_allclose(
        right, gradient[:n] - b @ np.linalg.solve(d, gradient[n:]), rtol=1e-6, atol=1e-3
    )


def test_the_covariance_says_how_far_solutions_scatter() -> None:
    centres, sigmas, focals, focal_sigmas = [], [], [], []
    for seed in range(25):
        problem, truth = small_problem(noise_px=0.4, n_points=60)
        rng = np.random.default_rng(seed)
        ties = replace(
            problem.ties,
            pixels=project_all(problem, truth) + rng.normal(0, 0.4, problem.ties.pixels.shape),
        )
        priors = replace(
            problem.priors, centres=truth.centres + rng.normal(0, 0.05, truth.centres.shape)
        )
        problem = replace(problem, ties=ties, priors=priors)
        solution = bundle.solve(problem, truth, iterations=20)
        covariance = bundle.covariance(problem, solution)
        columns = bundle.layout(problem)
        at = columns.pose[:, None] + 3 + np.arange(3)
        centres.append(solution.state.centres - truth.centres)
        sigmas.append(np.sqrt(np.diag(covariance))[at])
        focals.append(solution.state.intrinsics[0, 0] - 1400.0)
        focal_sigmas.append(np.sqrt(covariance[columns.intrinsics[0, 0], columns.intrinsics[0, 0]]))
    ratio = np.sqrt(np.mean(np.square(centres)) / np.mean(np.square(sigmas)))
    assert 0.85 < ratio < 1.15
    assert 0.6 < np.std(focals) / np.mean(focal_sigmas) < 1.5


def project_all(problem: Problem, state: State) -> FloatArray:
    return problem.ties.pixels - bundle.residuals(problem, state)


def test_the_variance_of_tie_points_is_found_from_their_residuals() -> None:
    problem, truth = small_problem(noise_px=0.4, n_points=150)
    solution = bundle.solve(problem, truth, iterations=20)
    assert np.sqrt(bundle.tie_variance(problem, solution)) == pytest.approx(0.4, rel=0.08)


def test_gross_errors_lose_their_weight_and_are_removed() -> None:
    problem, truth = small_problem(noise_px=0.3, n_points=80)
    wrong = np.arange(0, len(problem.ties.views), 37)
    problem.ties.pixels[wrong] += [30.0, -20.0]
    solution = bundle.solve(problem, truth)
    assert solution.tie_weights[wrong].max() < 0.05
    cleaned, _ = bundle.without_outliers(problem, solution, 4.0)
    removed = len(problem.ties.views) - len(cleaned.ties.views)
    assert len(wrong) <= removed < 3 * len(wrong)
    again = bundle.solve(cleaned, bundle.without_outliers(problem, solution, 4.0)[1])
    assert float(np.abs(again.state.centres - truth.centres).max()) < 0.1


def test_weights_are_flat_then_fall_and_match_their_cost() -> None:
    s = np.linspace(0.01, 10, 2000)
    cost, weight = tail_cost(s, 2.5), tail_weight(s, 2.5)
    assert (weight[s < 2.5] == 1).all()
    np.testing.assert_allclose(np.gradient(cost, s)[1:-1], (2 * s * weight)[1:-1], rtol=1e-2)
    np.testing.assert_allclose(tail_cost(s, NO_TAIL), s**2)


def test_a_free_gauge_is_closed_by_the_free_networks_condition() -> None:
    problem, truth = small_problem(noise_px=0.4)
    free = replace(
        problem, priors=replace(problem.priors, centre_sigma=np.full_like(truth.centres, np.inf))
    )
    solution = bundle.solve(free, truth, iterations=20)
    columns = bundle.layout(free)
    sigma = (np.full(3, 1e-6), np.full(3, 1e-6), 1e-6)
    weak = bundle.gauge_information(columns, solution.state, sigma)
    assert np.linalg.matrix_rank(weak, tol=1e-3) == 7
    covariance = bundle.covariance(free, solution, weak)
    at = columns.pose[:, None] + 3 + np.arange(3)
    mean = np.zeros((3, columns.size))
    for axis in range(3):
        mean[axis, at[:, axis]] = 1.0 / len(at)
    assert np.sqrt(np.diag(mean @ covariance @ mean.T)).max() < 1e-4
    assert np.sqrt(np.diag(covariance))[at].max() < 0.5
