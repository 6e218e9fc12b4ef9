"""Self-calibration, and whether a network fixes its depth at all.

Every coefficient of Brown's model (1971) that is not given is free under a prior that says how
large it is in real lenses, so that a strong network determines it and a weak one leaves it where
it was, with the doubt in the covariance.  (On fountain-P11 this gives 3.0 mm, a lens model grown
step by step with a fixed principal point 4.2 mm, the true calibration 2.7 mm.)  Further
coefficients are freed only where they predict held-out observations better.

The honesty gate then asks what no covariance answers: does another focal length fit the photos
just as well?  Formal deviations assume that the lens model is true; on a flat nadir block a focal
length wrong by 10 % changes the residuals by a per cent and all heights by ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from droneteam.photogrammetry.cameras import bundle
from droneteam.photogrammetry.cameras import bundle_kernels as kernels
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import (
    INTRINSICS,
    NO_TAIL,
    TIE_TAIL,
    IntArray,
    Problem,
    State,
    TiePoints,
    tail_cost,
)
from droneteam.photogrammetry.cameras.bundle_rows import linearised, normalised_blocks
from droneteam.photogrammetry.scene import FloatArray

F, ASPECT, CX, CY, K1, K2, P1, P2, K3 = range(9)

BROWN = (F, CX, CY, K1, K2, P1, P2)
"""Free from the start, under their priors."""
EXTRA: tuple[tuple[int, ...], ...] = ((K3,), (ASPECT,))
"""Freed only where held-out observations improve."""
MIN_GAIN = 0.003
"""Fall of the held-out cost (0.3 %) that a further parameter must bring."""

MIN_HELD_OUT = 50
"""Fewer held-out observations than this prove nothing."""

GATE_FOCAL = 0.10
GATE_REPROJECTION = 0.05
GATE_DEPTH = 0.03
"""Focal length ± 10 %: less than 5 % of reprojection against more than 3 % of depth (measured on
a flat nadir block: 3 % against 29 %)."""
GATE_PRIOR_RISE = 25.0
"""Rise of the priors' and marks' cost (5 sigma) that opposes the other focal length by itself."""
WORK_PER_VIEW = 150
"""Tie points per photo that tests of the calibration work on; more change only the time."""
WORK_TOL = 1e-5
"""Relative change of the cost at which their solutions stop, far below what they compare."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Observations kept out of a solution: their point's row, view and pixel."""

    points: IntArray
    views: IntArray
    pixels: FloatArray


def choose_points(problem: Problem, per_view: int) -> IntArray:
    """Tie points, those in most photos first, until every photo has `per_view` (or all its) ones.

    Long tracks tie a network together best; the rest would add time and little else.
    """
    offsets, views = problem.ties.offsets, problem.ties.views
    lengths = np.diff(offsets)
    seen = np.zeros(len(problem.view_camera), dtype=np.int64)
    chosen = np.zeros(len(lengths), dtype=bool)
    for point in np.argsort(-lengths, kind="stable"):
        own = views[offsets[point] : offsets[point + 1]]
        if (seen[own] < per_view).any():
            chosen[point] = True
            seen[own] += 1
    return np.flatnonzero(chosen).astype(np.int64)


def hold_out(problem: Problem) -> tuple[Problem, HeldOut]:
    """The problem without one observation of every second track of four or more, and those."""
    offsets = problem.ties.offsets
    lengths = np.diff(offsets)
    tracks = np.flatnonzero(lengths >= 4)[::2]
    rows = offsets[tracks] + tracks % lengths[tracks]
    keep = np.ones(len(problem.ties.views), dtype=bool)
    keep[rows] = False
    shorter = lengths.copy()
    shorter[tracks] -= 1
    ties = TiePoints(
        np.concatenate([[0], np.cumsum(shorter)]).astype(np.int64),
        problem.ties.views[keep],
        np.ascontiguousarray(problem.ties.pixels[keep]),
    )
    held = HeldOut(tracks.astype(np.int64), problem.ties.views[rows], problem.ties.pixels[rows])
    return replace(problem, ties=ties), held


def held_out_cost(problem: Problem, state: State, held: HeldOut) -> float:
    """Mean robust cost of the held-out observations, in units of the tie points' variance."""
    pixels, _ = kernels.jacobians(
        state.points, held.points, held.views,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
    )  # fmt: skip
    length = np.linalg.norm(held.pixels - pixels, axis=1) / problem.tie_sigma_px
    length = np.where(np.isfinite(length), length, 1e3)
    return float(tail_cost(length, TIE_TAIL).mean())


def self_calibrate(problem: Problem, state: State) -> tuple[Problem, State, tuple[str, ...]]:
    """The problem with Brown's intrinsics free, and more where held-out observations ask for it.

    Only cameras whose focal length is free take part.  Returns what was freed, for the report.
    """
    cameras = np.flatnonzero(problem.free[:, F])
    if not len(cameras):
        return problem, state, ()
    small, start = bundle.subset_points(problem, state, choose_points(problem, WORK_PER_VIEW))
    small, held = hold_out(small)
    best_cost, small, best = _freed(small, start, held, cameras, BROWN)
    names = [INTRINSICS[i] for i in BROWN]
    for step in EXTRA if len(held.points) >= MIN_HELD_OUT else ():
        cost, trial_problem, trial = _freed(small, best.state, held, cameras, step)
        if cost < (1.0 - MIN_GAIN) * best_cost:
            small, best, best_cost = trial_problem, trial, cost
            names += [INTRINSICS[i] for i in step]
    return replace(problem, free=small.free), _with_cameras(state, best.state), tuple(names)


def _with_cameras(state: State, better: State) -> State:
    return replace(
        state,
        rotations=better.rotations,
        centres=better.centres,
        intrinsics=better.intrinsics,
        kept=better.kept,
        bias=better.bias,
        lever_m=better.lever_m,
        mounting_rad=better.mounting_rad,
        plumb=better.plumb,
    )


def _freed(
    problem: Problem, state: State, held: HeldOut, cameras: IntArray, step: tuple[int, ...]
) -> tuple[float, Problem, Solution]:
    """The held-out cost, problem and solution with a step's intrinsics freed as well."""
    free = problem.free.copy()
    free[np.ix_(cameras, np.array(step))] = True
    trial = replace(problem, free=free)
    solution = bundle.solve(trial, state, iterations=15, tol=WORK_TOL)
    return held_out_cost(trial, solution.state, held), trial, solution


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """The honesty gate's answer.

    determined : False when a focal length 10 % away fits nearly as well but changes the depth.
    depth_change : the largest relative change of depth among the focal lengths not opposed.
    reprojection_change : that solution's relative change of the reprojection RMS.
    mode : change of the cameras' unknowns (reduced columns) per +10 % of focal length; None when
    determined.
    """

    determined: bool
    depth_change: float
    reprojection_change: float
    mode: FloatArray | None


def honesty_gate(problem: Problem, state: State) -> Gate:
    """Re-solves with the focal lengths held at ± 10 % and compares.

    Gross errors are gone by now, so every residual counts in full: a tail would let the photos'
    objection fade.
    """
    chosen = choose_points(problem, WORK_PER_VIEW)
    small, start = bundle.subset_points(problem, state, chosen)
    small = replace(small, tie_tail=NO_TAIL, prior_tail=NO_TAIL, mark_tail=NO_TAIL)
    base = bundle.solve(small, start, iterations=30, tol=WORK_TOL)
    worst = Gate(True, 0.0, 0.0, None)
    for factor, trial_problem, trial in _other_focal_lengths(small, base.state):
        rise = _rms(trial) / _rms(base) - 1.0
        opposed = rise >= GATE_REPROJECTION or (
            _prior_cost(trial_problem, trial.state) - _prior_cost(small, base.state)
            >= GATE_PRIOR_RISE
        )
        depth = depth_change(base.state, trial.state)
        if opposed or depth <= max(GATE_DEPTH, worst.depth_change):
            continue
        sign = 1.0 if factor > 1.0 else -1.0
        worst = Gate(False, depth, rise, sign * _difference(small, base.state, trial.state))
    return worst


def _other_focal_lengths(
    problem: Problem, state: State
) -> Iterator[tuple[float, Problem, Solution]]:
    cameras = np.flatnonzero(problem.free[:, F])
    free = problem.free.copy()
    free[cameras, F] = False
    held = replace(problem, free=free)
    for factor in (1.0 - GATE_FOCAL, 1.0 + GATE_FOCAL):
        intrinsics = state.intrinsics.copy()
        intrinsics[cameras, F] *= factor
        start = replace(_stretched(state, factor), intrinsics=intrinsics)
        yield factor, held, bundle.solve(held, start, iterations=20, tol=WORK_TOL)


def _stretched(state: State, factor: float) -> State:
    """The network stretched along its mean view: where a flat block settles for that focal."""
    forward = state.rotations[:, 2].mean(axis=0)
    length = float(np.linalg.norm(forward))
    if length < 0.5:
        return state
    axis, middle = forward / length, np.median(state.points, axis=0)
    stretch = np.eye(3) + (factor - 1.0) * np.outer(axis, axis)
    return replace(
        state,
        centres=middle + (state.centres - middle) @ stretch,
        points=middle + (state.points - middle) @ stretch,
    )


def _rms(solution: Solution) -> float:
    """Reprojection RMS in pixels."""
    return float(np.sqrt(np.nanmean((solution.tie_residuals**2).sum(axis=1))))


def _prior_cost(problem: Problem, state: State) -> float:
    """Cost of marks and priors, without the focal length's own prior (it is held).

    The rest of the lens counts: a ring of photos around flat ground can trade the focal length for
    a principal point a tenth of the photo away, which no lens has.
    """
    intrinsics_sigma = problem.priors.intrinsics_sigma.copy()
    intrinsics_sigma[:, F] = np.inf
    without = replace(problem, priors=replace(problem.priors, intrinsics_sigma=intrinsics_sigma))
    rows = linearised(without, bundle.layout(without), state)
    return 0.0 if rows is None else float((normalised_blocks(rows) ** 2).sum())


def depth_change(base: State, other: State) -> float:
    """How far the other structure is stretched along one direction, beyond a similarity.

    An affine map is fitted from the base's points and cameras (which weigh the same together) to
    the other's; its singular values would be equal if the two differed by a similarity only.
    """
    weights = np.concatenate(
        [
            np.full(len(base.points), 0.5 / max(1, len(base.points))),
            np.full(len(base.centres), 0.5 / len(base.centres)),
        ]
    )
    a = np.concatenate([base.points, base.centres])
    b = np.concatenate([other.points, other.centres])
    keep = np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)
    weights = weights[keep] / weights[keep].sum()
    a, b = a[keep] - weights @ a[keep], b[keep] - weights @ b[keep]
    affine = np.linalg.lstsq(a * np.sqrt(weights)[:, None], b * np.sqrt(weights)[:, None])[0]
    stretch = np.linalg.svd(affine, compute_uv=False)
    return float(np.max(np.abs(stretch / np.median(stretch) - 1.0)))


def _difference(problem: Problem, base: State, other: State) -> FloatArray:
    """(n,) change of the reduced unknowns from base to other."""
    columns = bundle.layout(problem)
    change = np.zeros(columns.size)
    turn = np.einsum("nij,nkj->nik", other.rotations, base.rotations)
    change[columns.pose[:, None] + np.arange(3)] = np.stack(
        [
            (turn[:, 2, 1] - turn[:, 1, 2]) / 2.0,
            (turn[:, 0, 2] - turn[:, 2, 0]) / 2.0,
            (turn[:, 1, 0] - turn[:, 0, 1]) / 2.0,
        ],
        axis=1,
    )
    change[columns.pose[:, None] + 3 + np.arange(3)] = other.centres - base.centres
    free = columns.intrinsics >= 0
    change[columns.intrinsics[free]] = (other.intrinsics - base.intrinsics)[free]
    if len(columns.kept):
        change[columns.kept[:, None] + np.arange(3)] = other.kept - base.kept
    if columns.bias >= 0:
        change[columns.bias : columns.bias + 3] = other.bias - base.bias
    return change
