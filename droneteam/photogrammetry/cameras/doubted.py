"""Camera positions that contradict each other, judged once the block is adjusted.

Structure from motion bends a block of few photos by decimetres, far beyond what an RTK receiver
states.  A rigid fit to positions then throws out good ones at its edges, and may keep a wrong one
that the bend happens to meet.  So the fit's verdict is only where to begin: with the block
adjusted, each position is compared with where all others and the photos put it, as well as they
know that.  One that was out and agrees counts after all, the nearest first, because each stiffens
the block against which the next is judged (the forward search of Atkinson & Riani 2000, §2); one
that was in and clearly disagrees is left out, the worst first (Baarda's data snooping, 1968).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras import bundle, georef
from droneteam.photogrammetry.cameras.adjust_setup import Setup
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import Layout, Problem
from droneteam.photogrammetry.cameras.control_checks import without_itself
from droneteam.photogrammetry.scene import FloatArray

CONTRADICTS_CHI2 = 18.5
"""χ² of three coordinates exceeded with probability 0.0003."""
USUAL_CHI2 = 2.37
"""Median of χ² of three coordinates.  Where the positions show more (a lever arm, a shutter's
movement, a receiver that flatters itself), all are judged by what they show."""
MIN_USED = 4
"""With fewer there is nobody to contradict."""
CLEARLY_WORST = 0.5
"""Left out at once are those with so much of the worst one's distance²: good ones that it pulled
away come back when it is gone."""
MAX_ROUNDS = 20

CovarianceOf = Callable[[Setup, Problem, Solution], FloatArray]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The adjustment with the positions that agree; words on those that do not."""

    setup: Setup
    problem: Problem
    solution: Solution
    notes: tuple[str, ...]


def judged(
    setup: Setup, problem: Problem, solution: Solution, covariance_of: CovarianceOf
) -> Judged:
    """The adjustment with those positions that it confirms.

    Where control points place the scene positions only lose weight, whatever they say.

    covariance_of : (n, n) of the reduced unknowns.
    """
    stated = np.asarray(np.isfinite(setup.stated_sigma_m).all(axis=1))
    if setup.scale_source == "gcp" or not stated.any():
        return Judged(setup, problem, solution, ())
    for _ in range(MAX_ROUNDS):
        used = _used(problem)
        distance2 = distances2(setup, problem, solution, covariance_of(setup, problem, solution))
        chosen = _chosen(used, stated, distance2)
        if (chosen == used).all():
            break
        problem = _with_positions(problem, setup.stated_sigma_m, chosen)
        setup = replace(setup, positioned=chosen)
        solution = bundle.solve(problem, solution.state)
    return Judged(setup, problem, solution, _notes(setup, problem, solution, stated))


def distances2(
    setup: Setup, problem: Problem, solution: Solution, covariance: FloatArray
) -> FloatArray:
    """(n,) Mahalanobis distance² of each position from where all else puts it; NaN: none stated.

    covariance : (n, n) of the reduced unknowns.
    """
    columns = bundle.layout(problem)
    off_m, used = _off_m(problem, solution), _used(problem)
    found = np.full(len(off_m), np.nan)
    for view in np.flatnonzero(np.isfinite(setup.stated_sigma_m).all(axis=1)):
        placed = _position_covariance(columns, covariance, int(columns.pose[view]) + 3)
        sigma_m = setup.stated_sigma_m[view]
        if used[view]:
            _, found[view] = without_itself(off_m[view], sigma_m, placed, problem.prior_tail)
        else:
            both = placed + np.diag(sigma_m**2)
            found[view] = off_m[view] @ np.linalg.solve(both, off_m[view])
    return found


def _position_covariance(columns: Layout, covariance: FloatArray, start: int) -> FloatArray:
    """(3, 3) of a camera centre, whose columns begin at `start`, with the common shift added."""
    centre = slice(start, start + 3)
    own = covariance[centre, centre]
    if columns.bias < 0:
        return own
    shift = slice(columns.bias, columns.bias + 3)
    both = covariance[centre, shift]
    return np.asarray(own + both + both.T + covariance[shift, shift])


def _chosen(used: Flags, stated: Flags, distance2: FloatArray) -> Flags:
    """(n,) which positions the next round takes: first all that agree, then without the worst."""
    shown = float(np.median(distance2[used]))
    limit = CONTRADICTS_CHI2 * max(1.0, shown / USUAL_CHI2)
    outside = np.flatnonzero(stated & ~used)
    nearest = outside[np.argsort(distance2[outside])][: (len(outside) + 1) // 2]
    agreeing = nearest[distance2[nearest] <= limit]
    chosen = used.copy()
    if len(agreeing):
        chosen[agreeing] = True
    elif np.count_nonzero(used) > MIN_USED:
        worst = float(distance2[used].max())
        chosen[used & (distance2 > max(limit, CLEARLY_WORST * worst))] = False
    return chosen if np.count_nonzero(chosen) >= MIN_USED else used


def _used(problem: Problem) -> Flags:
    return np.asarray(np.isfinite(problem.priors.centre_sigma).all(axis=1))


def _with_positions(problem: Problem, sigma_m: FloatArray, chosen: Flags) -> Problem:
    sigma = np.where(chosen[:, None], sigma_m, np.inf)
    return replace(problem, priors=replace(problem.priors, centre_sigma=sigma))


def _off_m(problem: Problem, solution: Solution) -> FloatArray:
    """(n, 3) positions beyond the adjusted cameras and the common shift."""
    state = solution.state
    return problem.priors.centres - state.centres - state.bias


def _notes(setup: Setup, problem: Problem, solution: Solution, stated: Flags) -> tuple[str, ...]:
    """Words on the positions that do not count."""
    used = _used(problem)
    names = [setup.views[i].name for i in np.flatnonzero(stated & ~used)]
    off_m = _off_m(problem, solution)[stated]
    return (*georef.contradicting(names), *georef.split(off_m, used[stated]))
