"""What control says about an adjustment: blunders, residuals, check points, scale bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy.stats import chi2

from droneteam.photogrammetry.cameras import bundle
from droneteam.photogrammetry.cameras.adjust_setup import MIN_CONTROL, Setup, target
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import Problem, State
from droneteam.photogrammetry.cameras.locate import position
from droneteam.photogrammetry.cameras.mark_points import mark_consensus, marks_in
from droneteam.photogrammetry.cameras.triangulation import Optics
from droneteam.photogrammetry.control import Control
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Frame, ResidualRow, View

MIN_CHECKS = 3
CHECKS_DISAGREE = 0.99
"""Check points beyond this quantile of their expected residuals widen all intervals."""
BLUNDER_CHI2 = 18.5
"""χ² of three coordinates exceeded with probability 0.0003: one false alarm in 300 sets of ten."""
FEW_CONTROL = 10
"""With fewer control points none can be spared for checking: each is predicted by the others."""
EXCHANGED_SHARE = 0.1
"""Two points lie at each other's coordinates within this share of what these lie apart."""
MARK_BLUNDER = 5.0
"""Normalised residual of a mark that is called wrong."""


def leave_one_out(
    problem: Problem, solution: Solution, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Each kept point's surveyed minus predicted position had it not been control.

    The prediction follows from the adjusted point and its covariance by taking the point's own
    prior out again, which equals a re-adjustment without it to first order (Cook & Weisberg 1982,
    §2.2).  Returns residuals (k, 3), NaN where there is no prior, and Mahalanobis distances² (k,).
    """
    columns = bundle.layout(problem)
    priors = problem.priors
    n = len(priors.points)
    residuals, distance2 = np.full((n, 3), np.nan), np.full(n, np.nan)
    for k in range(n):
        if not np.isfinite(priors.point_sigma[k]).all():
            continue
        at = slice(columns.kept[k], columns.kept[k] + 3)
        own = priors.points[k] - solution.state.kept[k]
        residuals[k], distance2[k] = without_itself(
            own, priors.point_sigma[k], covariance[at, at], problem.prior_tail
        )
    return residuals, distance2


def without_itself(
    residual_m: FloatArray, sigma_m: FloatArray, covariance: FloatArray, tail: float
) -> tuple[FloatArray, float]:
    """What an observed place's residual were had it not been used, and its Mahalanobis distance².

    residual_m : (3,) observed minus adjusted; sigma_m : (3,) of the observation; covariance :
    (3, 3) of the adjusted place, in which the observation took part with its tail's weight.
    """
    observed = np.diag(sigma_m**2)
    weight = _prior_weight(residual_m, sigma_m, tail)
    adjusted = np.linalg.inv(covariance)
    values, vectors = np.linalg.eigh(adjusted - weight * np.linalg.inv(observed))
    values = np.maximum(values, 1e-9 * np.abs(values).max())
    predicted = vectors @ np.diag(1.0 / values) @ vectors.T
    shift = predicted @ adjusted @ residual_m
    return shift, float(shift @ np.linalg.solve(observed + predicted, shift))


def _prior_weight(residual: FloatArray, sigma: FloatArray, tail: float) -> float:
    length = np.linalg.norm(residual / sigma)
    return float(bundle.tail_weight(np.array([length]), tail)[0])


def worst_control(
    setup: Setup, problem: Problem, solution: Solution, covariance: FloatArray
) -> int | None:
    """The kept point whose survey contradicts everything else most, when it clearly does."""
    _, distance2 = leave_one_out(problem, solution, covariance)
    if np.count_nonzero(np.isfinite(distance2)) <= MIN_CONTROL and not setup.positioned.any():
        return None
    if not np.isfinite(distance2).any():
        return None
    worst = int(np.nanargmax(distance2))
    return worst if distance2[worst] > BLUNDER_CHI2 else None


def without_prior(problem: Problem, kept: int) -> Problem:
    """The problem with one kept point's surveyed position left out."""
    sigma = problem.priors.point_sigma.copy()
    sigma[kept] = np.inf
    return replace(problem, priors=replace(problem.priors, point_sigma=sigma))


def exchanged_names(setup: Setup, state: State, rejected: Sequence[int]) -> list[str]:
    """Words on two rejected points that each lie where the other's coordinates say."""
    targets = {p.name: target(p, setup.frame) for p in setup.control}
    found = []
    for first, second in combinations(rejected, 2):
        a, b = setup.kept[first], setup.kept[second]
        if a not in targets or b not in targets:
            continue
        apart = float(np.linalg.norm(targets[a] - targets[b]))
        off = [targets[a] - state.kept[second], targets[b] - state.kept[first]]
        if max(float(np.linalg.norm(row)) for row in off) < EXCHANGED_SHARE * apart:
            found.append(
                f"control points {a} and {b} each lie where the other's coordinates say: "
                "exchange their names in the control file"
            )
    return found


def wrong_marks(setup: Setup, problem: Problem, state: State) -> list[str]:
    """Marks far from where the adjusted point projects, named with their distance."""
    residuals = bundle.mark_residuals(problem, state)
    length = np.linalg.norm(residuals, axis=1)
    found = []
    for i in np.flatnonzero(~(length < MARK_BLUNDER * problem.marks.sigma_px)):
        point, photo = setup.mark_names[i]
        where = "behind the camera" if np.isnan(length[i]) else f"{length[i]:.1f} px off"
        found.append(f"mark of {point} in {photo} is {where}; it has lost its weight")
    return found


def control_rows(
    setup: Setup, problem: Problem, solution: Solution, covariance: FloatArray
) -> list[ResidualRow]:
    """Surveyed minus adjusted of every control point of the adjustment.

    With fewer than ten of them each also says how far off it would lie had it not been control:
    a control point's own residual flatters, because the adjustment bends towards it.
    """
    state = solution.state
    residuals = bundle.mark_residuals(problem, state)
    left_out, _ = leave_one_out(problem, solution, covariance)
    few = len(setup.control) < FEW_CONTROL
    rows = []
    for point in setup.control:
        k = setup.kept.index(point.name)
        marks = problem.marks.points == k
        at = target(point, setup.frame) - state.kept[k]
        rejected = not bool(np.isfinite(problem.priors.point_sigma[k]).all())
        rows.append(
            ResidualRow(
                name=point.name,
                role="control",
                residual_enu_m=_triple(at),
                n_photos=int(marks.sum()),
                reprojection_px=_rms(residuals[marks]),
                rejected=rejected,
                left_out_enu_m=_triple(left_out[k]) if few and not rejected else None,
            )
        )
    return rows


def check_rows(
    control: Control, views: Sequence[View], arrays: Optics, frame: Frame
) -> list[ResidualRow]:
    """Surveyed minus triangulated of every check point marked in two or more oriented photos."""
    rows = []
    for point in control.points:
        if point.role != "check":
            continue
        found = mark_consensus(marks_in(point.name, control.marks, views), views, arrays)
        if found is None:
            continue
        rows.append(
            ResidualRow(
                name=point.name,
                role="check",
                residual_enu_m=_triple(target(point, frame) - found.found.point),
                n_photos=len(found.found.residuals),
                reprojection_px=_rms(found.found.residuals),
            )
        )
    return rows


def bar_rows(control: Control, views: Sequence[View], arrays: Optics) -> list[ResidualRow]:
    """Known minus adjusted length of every bar, in the first component; check bars too."""
    rows = []
    for bar in control.bars:
        ends = [
            mark_consensus(marks_in(end, control.marks, views), views, arrays)
            for end in (bar.a, bar.b)
        ]
        hits = [end.found for end in ends if end is not None]
        if len(hits) < 2:
            continue
        length = float(np.linalg.norm(hits[0].point - hits[1].point))
        rows.append(
            ResidualRow(
                name=bar.name if bar.role == "control" else f"{bar.name} (check)",
                role="scale_bar",
                residual_enu_m=(bar.length_m - length, 0.0, 0.0),
                n_photos=min(len(hit.residuals) for hit in hits),
                reprojection_px=_rms(np.concatenate([hit.residuals for hit in hits])),
            )
        )
    return rows


def _triple(values: FloatArray) -> tuple[float, float, float]:
    east, north, up = (float(v) for v in values)
    return east, north, up


def _rms(residuals: FloatArray) -> float:
    """Root mean square length of (m, 2) residuals."""
    return float(np.sqrt(np.mean((residuals**2).sum(axis=1)))) if len(residuals) else float("nan")


def inflation(network: CameraNetwork, control: Control) -> float:
    """Factor on the cameras' covariance that the check points ask for; 1 where they agree with it.

    Their residuals are compared with the deviations predicted for them (marks, cameras and
    survey); fewer than three prove nothing, and a covariance is never shrunk.  Wrong marks do not
    count, and a point whose marks do not tell which of them is wrong is passed over.
    """
    total, count = 0.0, 0
    for point in control.points:
        if point.role != "check":
            continue
        found = position(network, control.marks, point.name)
        at = target(point, network.frame)
        if found is None or not np.isfinite(at).all():
            continue
        residual = at - found[0]
        predicted = found[1] + np.diag(np.square(point.sigma_m))
        total += float(residual @ np.linalg.solve(predicted, residual))
        count += 3
    if count < 3 * MIN_CHECKS or total < float(chi2.ppf(CHECKS_DISAGREE, count)):
        return 1.0
    return total / count
