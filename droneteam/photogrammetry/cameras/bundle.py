"""Least-squares adjustment of cameras, tie points and marked points with priors.

Levenberg-Marquardt on the normal equations with the tie points eliminated (Triggs et al. 2000,
§6).  Marked points (control points, ends of scale bars) stay in the reduced system, so that a
distance between two of them and their covariance cost nothing extra.  Each observation's weight
is re-evaluated from its residual (iteratively reweighted least squares), with a flat top and a
Cauchy tail: honest observations keep their full weight, blunders lose theirs.

Pure: arrays in, arrays out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from droneteam.photogrammetry.cameras import bundle_kernels as kernels
from droneteam.photogrammetry.cameras.bundle_problem import (
    INTRINSICS,
    IntArray,
    Layout,
    Problem,
    State,
    TiePoints,
    layout,
    tail_cost,
    tail_loss,
    tail_variance,
    tail_weight,
)
from droneteam.photogrammetry.cameras.bundle_rows import linearised, normalised_blocks
from droneteam.photogrammetry.scene import FloatArray

__all__ = ["INTRINSICS", "Solution", "layout", "solve", "tail_weight"]

OWN_CHOLESKY = 800
"""Unknowns up to which the compiled single-threaded factorisation is used."""
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-4, 1e-7, 1e8


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """The adjusted state, how well it fits and the weights it ended with.

    tie_residuals : (m, 2) pixels; tie_weights : (m,) in [0, 1]; row_weights : per extra row.
    """

    state: State
    cost: float
    tie_residuals: FloatArray
    tie_weights: FloatArray
    iterations: int
    converged: bool


def solve(problem: Problem, start: State, *, iterations: int = 50, tol: float = 1e-6) -> Solution:
    """The adjusted state.

    tol : stops when the cost falls by less than this fraction.
    """
    columns = layout(problem)
    state, damping = start, FIRST_DAMPING
    cost, errors = _cost(problem, columns, state)
    done, converged = 0, False
    while done < iterations and not converged and damping < MOST_DAMPING:
        done += 1
        trial = _step(problem, columns, state, errors, damping)
        trial_cost, trial_errors = (
            (np.inf, errors) if trial is None else _cost(problem, columns, trial)
        )
        if trial is None or not trial_cost <= cost:
            damping *= 10.0
            continue
        converged = cost - trial_cost <= tol * cost
        state, cost, errors = trial, trial_cost, trial_errors
        damping = max(LEAST_DAMPING, damping / 10.0)
    weights = _tie_weights(problem, errors)
    return Solution(state, cost, errors, weights, done, converged or damping >= MOST_DAMPING)


def residuals(problem: Problem, state: State) -> FloatArray:
    """(m, 2) observed minus projected pixels of the tie points; NaN behind a camera."""
    ties = problem.ties
    return np.asarray(
        kernels.residuals(
            state.points, ties.offsets, ties.views, ties.pixels,
            state.rotations, state.centres, state.intrinsics, problem.view_camera,
        )
    )  # fmt: skip


def _normalised_ties(problem: Problem, residuals: FloatArray) -> FloatArray:
    """(m,) lengths over sigma; an observation behind its camera counts as far off."""
    length = np.linalg.norm(residuals, axis=1) / problem.tie_sigma_px
    return np.where(np.isfinite(length), length, 1e3)


def _tie_variance_px2(problem: Problem) -> float:
    """What one tie observation counts as: its own variance, and what its neighbours repeat."""
    return problem.tie_sigma_px**2 * problem.tie_alike


def _tie_weights(problem: Problem, residuals: FloatArray) -> FloatArray:
    return tail_weight(_normalised_ties(problem, residuals), problem.tie_tail)


def _cost(problem: Problem, columns: Layout, state: State) -> tuple[float, FloatArray]:
    errors = residuals(problem, state)
    ties = tail_cost(_normalised_ties(problem, errors), problem.tie_tail)
    total = float(ties.sum()) / problem.tie_alike
    rows = linearised(problem, columns, state)
    if rows is not None:
        total += float(tail_cost(normalised_blocks(rows), rows.tail).sum())
    return total, errors


def _step(
    problem: Problem, columns: Layout, state: State, residuals: FloatArray, damping: float
) -> State | None:
    """The state after one damped step; None when the system cannot be solved."""
    weights = _tie_weights(problem, residuals) / _tie_variance_px2(problem)
    matrix, right = normal_equations(problem, columns, state, weights, damping)
    diagonal = np.einsum("ii->i", matrix)
    diagonal *= 1.0 + damping
    diagonal += 1e-12 * max(1.0, float(diagonal.max(initial=0.0)))
    step = _solved(matrix, right)
    if step is None:
        return None
    ties = problem.ties
    points = kernels.point_steps(
        state.points, ties.offsets, ties.views, ties.pixels, weights,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
        columns.intrinsics, columns.pose, step, damping,
    )  # fmt: skip
    return moved(state, columns, step, np.asarray(points))


def _solved(matrix: FloatArray, right: FloatArray) -> FloatArray | None:
    """The solution of a positive definite system; None when it is not one."""
    if len(matrix) <= OWN_CHOLESKY:
        factor = np.array(matrix, order="C")
        return kernels.solve_factored(factor, right) if kernels.cholesky(factor) else None
    try:
        return np.asarray(cho_solve(cho_factor(matrix, lower=True), right))
    except (LinAlgError, ValueError):
        return None


def normal_equations(
    problem: Problem,
    columns: Layout,
    state: State,
    weights: FloatArray,
    damping: float,
) -> tuple[FloatArray, FloatArray]:
    """The reduced matrix (n, n) and right side (n,); weights are the tie points', 1 / px²."""
    ties = problem.ties
    matrix, right = kernels.reduced_system(
        state.points, ties.offsets, ties.views, ties.pixels, weights,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
        columns.intrinsics, columns.pose, columns.size, damping,
    )  # fmt: skip
    rows = linearised(problem, columns, state)
    if rows is not None:
        weight = tail_weight(normalised_blocks(rows), rows.tail)[rows.block] / rows.sigma**2
        scaled = rows.jacobian.multiply(weight[:, None]).tocsr()
        matrix += (rows.jacobian.T @ scaled).toarray()
        right += scaled.T @ rows.residual
    return np.asarray(matrix), np.asarray(right)


def moved(state: State, columns: Layout, step: FloatArray, points: FloatArray) -> State:
    """The state after a step of the reduced unknowns and of the tie points."""
    poses = step[columns.pose[:, None] + np.arange(6)]
    turns = np.array([cv2.Rodrigues(w)[0] for w in poses[:, :3]])
    intrinsics = state.intrinsics.copy()
    free = columns.intrinsics >= 0
    intrinsics[free] += step[columns.intrinsics[free]]
    bias = state.bias if columns.bias < 0 else state.bias + step[columns.bias : columns.bias + 3]
    lever_m = state.lever_m
    if columns.lever >= 0:
        lever_m = lever_m + step[columns.lever : columns.lever + 2]
    mounting_rad, plumb = state.mounting_rad, state.plumb
    if columns.level >= 0:
        turn, tilt = step[columns.level : -2], step[-2:]
        mounting_rad, plumb = mounting_rad + turn.reshape(-1, 3), plumb + tilt
    kept = state.kept
    if len(columns.kept):
        kept = kept + step[columns.kept[:, None] + np.arange(3)]
    return State(
        rotations=np.ascontiguousarray(turns @ state.rotations),
        centres=state.centres + poses[:, 3:],
        intrinsics=intrinsics,
        points=state.points + points,
        kept=kept,
        bias=bias,
        lever_m=lever_m,
        mounting_rad=mounting_rad,
        plumb=plumb,
    )


def mark_residuals(problem: Problem, state: State) -> FloatArray:
    """(m, 2) marked minus projected pixels; NaN behind a camera."""
    marks = problem.marks
    if not len(marks.points):
        return np.zeros((0, 2))
    pixels, _ = kernels.jacobians(
        state.kept, marks.points, marks.views,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
    )  # fmt: skip
    return np.asarray(marks.pixels - pixels)


def tie_variance(problem: Problem, solution: Solution) -> float:
    """Variance of a tie point's pixel coordinate from the residuals and the redundancy.

    Observations in the tail count by their weight; the factor corrects the variance that the
    tail takes from Gaussian noise.
    """
    weights = solution.tie_weights
    squares = float(np.nansum(weights[:, None] * solution.tie_residuals**2))
    observed = 2.0 * float(weights.sum())
    unknown = 3.0 * len(solution.state.points) + layout(problem).size
    redundancy = max(observed - unknown, 0.05 * observed, 1.0)
    return squares / redundancy / tail_variance(problem.tie_tail)


def covariance(problem: Problem, solution: Solution, weak: FloatArray | None = None) -> FloatArray:
    """(n, n) covariance of the reduced unknowns (layout's columns).

    weak : (n, n) information that closes what the observations leave open (a free gauge).
    """
    columns = layout(problem)
    variance = _tie_variance_px2(problem) * tail_loss(problem.tie_tail)
    weights = solution.tie_weights / variance
    matrix, _ = normal_equations(problem, columns, solution.state, weights, 0.0)
    if weak is not None:
        matrix = matrix + weak
    scale = 1.0 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    scaled = matrix * scale[:, None] * scale[None, :]
    factor = cho_factor(scaled + 1e-13 * np.eye(len(scaled)), lower=True)
    return np.asarray(cho_solve(factor, np.eye(len(scaled))) * scale[:, None] * scale[None, :])


def gauge_information(
    columns: Layout, state: State, sigma: tuple[FloatArray, FloatArray, float]
) -> FloatArray:
    """Information (n, n) that holds the network's place, direction and scale with given sigmas.

    sigma : (3,) metres of the mean position, (3,) radians about its axes, relative scale; infinite
    where nothing is to be added.  The held quantities are the free network's (Baarda 1973).
    """
    everything = np.concatenate([state.centres, state.kept]) if len(state.kept) else state.centres
    middle = everything.mean(axis=0)
    basis = np.zeros((columns.size, 7))
    for points, at in ((state.centres, columns.pose + 3), (state.kept, columns.kept)):
        if not len(points):
            continue
        rows = at[:, None] + np.arange(3)
        for axis in range(3):
            basis[rows[:, axis], axis] = 1.0
            unit = np.eye(3)[axis]
            basis[rows, 3 + axis] = np.cross(unit, points - middle)
        basis[rows, 6] = points - middle
    for axis in range(3):
        turned = -state.rotations[:, :, axis]
        basis[columns.pose[:, None] + np.arange(3), 3 + axis] = turned
    weight = np.zeros(7)
    for index, s in enumerate([*sigma[0], *sigma[1], sigma[2]]):
        weight[index] = 0.0 if not np.isfinite(s) else 1.0 / s**2
    projector = np.linalg.pinv(basis)
    return np.asarray(projector.T @ (weight[:, None] * projector))


def subset_points(problem: Problem, state: State, keep: IntArray) -> tuple[Problem, State]:
    """The same adjustment with only some of the tie points; fewer neighbours repeat each other."""
    lengths = np.diff(problem.ties.offsets)[keep]
    starts = problem.ties.offsets[:-1][keep]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.repeat(starts - offsets[:-1], lengths) + np.arange(int(lengths.sum()))
    ties = TiePoints(offsets, problem.ties.views[rows], problem.ties.pixels[rows])
    share = len(rows) / max(1, len(problem.ties.views))
    alike = 1.0 + (problem.tie_alike - 1.0) * share
    return replace(problem, ties=ties, tie_alike=alike), replace(state, points=state.points[keep])


def without_outliers(
    problem: Problem, solution: Solution, sigmas: float, *, least_px: float = 1.0
) -> tuple[Problem, State]:
    """The problem without tie observations beyond so many deviations, nor points left with one."""
    limit = max(least_px, sigmas * problem.tie_sigma_px)
    good = np.linalg.norm(solution.tie_residuals, axis=1) < limit  # NaN is not
    problem, state, *_ = _keep_rows(problem, solution.state, good)
    return problem, state


def adjust_points(
    problem: Problem, state: State, sigmas: float, *, iterations: int = 8
) -> tuple[Problem, State, IntArray, IntArray]:
    """The tie points for given cameras, without outliers; also which points and rows remain."""
    ties = problem.ties
    fixed_pose = np.full(len(problem.view_camera), -1, dtype=np.int64)
    fixed_intrinsics = np.full(problem.free.shape, -1, dtype=np.int64)
    for _ in range(iterations):
        weights = _tie_weights(problem, residuals(problem, state)) / problem.tie_sigma_px**2
        steps = kernels.point_steps(
            state.points, ties.offsets, ties.views, ties.pixels, weights,
            state.rotations, state.centres, state.intrinsics, problem.view_camera,
            fixed_intrinsics, fixed_pose, np.zeros(1), 1e-6,
        )  # fmt: skip
        state = replace(state, points=state.points + np.asarray(steps))
    limit = max(1.0, sigmas * problem.tie_sigma_px)
    good = np.linalg.norm(residuals(problem, state), axis=1) < limit
    return _keep_rows(problem, state, good)


def _keep_rows(
    problem: Problem, state: State, good: NDArray[np.bool_]
) -> tuple[Problem, State, IntArray, IntArray]:
    offsets = problem.ties.offsets
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    counts = np.bincount(owner[good], minlength=len(offsets) - 1)
    good = good & (counts >= 2)[owner]
    keep = np.flatnonzero(counts >= 2)
    ties = TiePoints(
        np.concatenate([[0], np.cumsum(counts[keep])]).astype(np.int64),
        problem.ties.views[good],
        np.ascontiguousarray(problem.ties.pixels[good]),
    )
    kept_state = replace(state, points=state.points[keep])
    rows = np.flatnonzero(good).astype(np.int64)
    return replace(problem, ties=ties), kept_state, keep.astype(np.int64), rows
