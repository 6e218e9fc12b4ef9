"""Positions that lie off their block before it is adjusted: the block is bent, or they are wrong.

Structure from motion bends a block of few photos by decimetres, far beyond what an RTK receiver
states; a rigid fit to positions then throws out the good ones at its edges, and the bend stays.
So whom the fit doubts is asked again once the block is adjusted: a position that lies where the
others and the photos put it, as well as they know that, counts after all.  The nearest are asked
first, because each that counts stiffens the block against which the next is judged (the forward
search of Atkinson & Riani 2000, §2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras import bundle, georef
from droneteam.photogrammetry.cameras.adjust_setup import Setup
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import IntArray, Problem
from droneteam.photogrammetry.scene import FloatArray

CONTRADICTS_CHI2 = 18.5
"""χ² of three coordinates exceeded with probability 0.0003."""

CovarianceOf = Callable[[Setup, Problem, Solution], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The adjustment with every position that fits it; words on those that do not."""

    setup: Setup
    problem: Problem
    solution: Solution
    notes: tuple[str, ...]


def judged(
    setup: Setup, problem: Problem, solution: Solution, covariance_of: CovarianceOf
) -> Judged:
    """The adjustment with those doubted positions that it confirms.

    covariance_of : (n, n) of the reduced unknowns.
    """
    while (doubted := _doubted(setup, problem)).any():
        covariance = covariance_of(setup, problem, solution)
        rows = np.flatnonzero(doubted)
        distance2 = distances2(problem, solution, covariance, setup.stated_sigma_m, rows)
        nearest = rows[np.argsort(distance2)][: (len(rows) + 1) // 2]
        fits = nearest[np.sort(distance2)[: len(nearest)] <= CONTRADICTS_CHI2]
        if not len(fits):
            break
        problem = _with_positions(problem, setup.stated_sigma_m, fits)
        setup = replace(setup, positioned=np.isfinite(problem.priors.centre_sigma).all(axis=1))
        solution = bundle.solve(problem, solution.state)
    return Judged(setup, problem, solution, _notes(setup, problem, solution))


def distances2(
    problem: Problem,
    solution: Solution,
    covariance: FloatArray,
    sigma_m: FloatArray,
    views: IntArray,
) -> FloatArray:
    """(k,) Mahalanobis distances² of unused positions from where the adjustment puts them.

    covariance : (n, n) of the reduced unknowns; sigma_m : (views, 3) of the positions.
    """
    columns = bundle.layout(problem)
    off = _off_m(problem, solution)
    found = np.empty(len(views))
    for row, view in enumerate(views):
        by = np.zeros((3, columns.size))
        by[:, columns.pose[view] + 3 : columns.pose[view] + 6] = np.eye(3)
        if columns.bias >= 0:
            by[:, columns.bias : columns.bias + 3] = np.eye(3)
        variance = by @ covariance @ by.T + np.diag(sigma_m[view] ** 2)
        found[row] = off[view] @ np.linalg.solve(variance, off[view])
    return found


def _doubted(setup: Setup, problem: Problem) -> NDArray[np.bool_]:
    """(n,) which views have a position that does not count."""
    stated = np.isfinite(setup.stated_sigma_m).all(axis=1)
    return np.asarray(stated & ~np.isfinite(problem.priors.centre_sigma).all(axis=1))


def _with_positions(problem: Problem, sigma_m: FloatArray, views: IntArray) -> Problem:
    sigma = problem.priors.centre_sigma.copy()
    sigma[views] = sigma_m[views]
    return replace(problem, priors=replace(problem.priors, centre_sigma=sigma))


def _off_m(problem: Problem, solution: Solution) -> FloatArray:
    """(n, 3) positions beyond the adjusted cameras and the common shift."""
    state = solution.state
    return problem.priors.centres - state.centres - state.bias


def _notes(setup: Setup, problem: Problem, solution: Solution) -> tuple[str, ...]:
    doubted = _doubted(setup, problem)
    if not doubted.any():
        return ()
    stated = np.isfinite(setup.stated_sigma_m).all(axis=1)
    names = [setup.views[i].name for i in np.flatnonzero(doubted)]
    off_m = _off_m(problem, solution)[stated]
    return (*georef.contradicting(names), *georef.split(off_m, ~doubted[stated]))
