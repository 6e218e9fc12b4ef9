"""What a bundle adjustment is given: observations, priors, unknowns and where they stand.

Pure: arrays in frozen dataclasses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import exp1

from droneteam.photogrammetry.scene import FloatArray

IntArray = NDArray[np.int64]

INTRINSICS = ("f", "aspect", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
"""The twelve intrinsics of a camera row; aspect is fy / fx."""

TIE_TAIL = 1.5
MARK_TAIL = 3.0
PRIOR_TAIL = 4.0
"""Normalised residuals beyond which weight falls.

Keypoints are found at many scales and with as many precisions, so their residuals have heavy tails
(their root mean square is 1.6 medians on real and rendered photos alike, Gaussian pixels' 1.2).
With 1.5 camera centres are nearer the truth there than with 2.5 (fountain-P11 2.66 mm instead of
2.73, three rendered scenes by 7 to 30 %), at the price of 9 % with noise that is exactly Gaussian.
"""


def _empty_int() -> IntArray:
    return np.zeros(0, dtype=np.int64)


NO_TAIL = 1e9
"""For least squares proper."""


@dataclass(frozen=True, slots=True, eq=False)
class TiePoints:
    """Observed tracks: offsets (p + 1,) into views (m,) and pixels (m, 2)."""

    offsets: IntArray
    views: IntArray
    pixels: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Observations of kept points: points, views (m,); pixels (m, 2); sigma_px (m,)."""

    points: IntArray = field(default_factory=_empty_int)
    views: IntArray = field(default_factory=_empty_int)
    pixels: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    sigma_px: FloatArray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Where gimbals say that up is; empty where they are not asked.

    ups : (n, 3) unit vectors in camera axes.  axes : (n, 2, 3) the directions, perpendicular to
    them, in which an error is measured.  sigma_rad : (n, 2) along those; infinite where a view has
    no angles.  gimbal : (n,) which one carried the view's camera.
    mounting_sigma_rad : of a constant turn of each gimbal's angles about the camera's axes.
    plumb_sigma_rad : of a tilt that all angles have in common, fixed to the ground.
    """

    ups: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    axes: FloatArray = field(default_factory=lambda: np.zeros((0, 2, 3)))
    sigma_rad: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))
    gimbal: IntArray = field(default_factory=_empty_int)
    mounting_sigma_rad: float = 0.0
    plumb_sigma_rad: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Priors:
    """What is known beforehand; an infinite sigma means nothing is.

    centres, centre_sigma : (n, 3) camera positions.
    bias_sigma : (3,) of a shift common to all camera positions; zero allows none.
    lever_axes : (n, 3, 2) where the drone's forward and right point, for positions of an antenna
    instead of the camera; empty where they are the camera's.  lever_sigma_m : of that lever arm.
    points, point_sigma : (k, 3) kept points.
    bars : (b, 2) kept points; bar_length, bar_sigma (b,).
    intrinsics, intrinsics_sigma : (g, 12).
    levels : what gimbals say of the direction up.
    """

    centres: FloatArray
    centre_sigma: FloatArray
    bias_sigma: FloatArray
    points: FloatArray
    point_sigma: FloatArray
    bars: IntArray
    bar_length: FloatArray
    bar_sigma: FloatArray
    intrinsics: FloatArray
    intrinsics_sigma: FloatArray
    lever_axes: FloatArray = field(default_factory=lambda: np.zeros((0, 3, 2)))
    lever_sigma_m: float = 0.3
    levels: Levels = field(default_factory=Levels)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The unknowns: poses, intrinsics, tie and kept points, the positions' common shift.

    lever_m : (2,) how far forward and right of the camera the positions lie, seen from the drone.
    mounting_rad : (gimbals, 3) the constant turn of each gimbal's angles, about the camera's axes;
    plumb : (2,) east and north of what the angles together call up.
    """

    rotations: FloatArray
    centres: FloatArray
    intrinsics: FloatArray
    points: FloatArray
    kept: FloatArray
    bias: FloatArray
    lever_m: FloatArray = field(default_factory=lambda: np.zeros(2))
    mounting_rad: FloatArray = field(default_factory=lambda: np.zeros((0, 3)))
    plumb: FloatArray = field(default_factory=lambda: np.zeros(2))


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What was observed, what is known beforehand and what may move.

    view_camera : (n,) row of intrinsics per view.  free : (g, 12) which intrinsics move.
    tie_sigma_px : 1-sigma of a tie point's pixel coordinate.
    tie_alike : variance of what tie points determine over what it were had each an error of its
    own; above 1 where neighbours in a photo err alike (see likeness.py).
    tie_tail, mark_tail, prior_tail : normalised residuals beyond which tie points, marks and
    priors lose weight.
    """

    ties: TiePoints
    marks: Marks
    priors: Priors
    view_camera: IntArray
    free: NDArray[np.bool_]
    tie_sigma_px: float
    tie_alike: float = 1.0
    tie_tail: float = TIE_TAIL
    mark_tail: float = MARK_TAIL
    prior_tail: float = PRIOR_TAIL


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where each unknown stands in the reduced system; -1 where it is held."""

    pose: IntArray
    intrinsics: IntArray
    kept: IntArray
    bias: int
    lever: int
    level: int
    """Of the gimbals' mountings, three each, and of the plumb's two."""
    size: int


def layout(problem: Problem) -> Layout:
    """Columns: poses, free intrinsics, kept points, the positions' shift and lever arm, levels."""
    n_views = len(problem.view_camera)
    pose = 6 * np.arange(n_views, dtype=np.int64)
    size = 6 * n_views
    intrinsics = np.full(problem.free.shape, -1, dtype=np.int64)
    for row, column in zip(*np.nonzero(problem.free), strict=True):
        intrinsics[row, column] = size
        size += 1
    kept = size + 3 * np.arange(len(problem.priors.points), dtype=np.int64)
    size += 3 * len(kept)
    bias = size if bool((problem.priors.bias_sigma > 0).any()) else -1
    size += 3 if bias >= 0 else 0
    lever = size if len(problem.priors.lever_axes) else -1
    size += 2 if lever >= 0 else 0
    gimbals = n_gimbals(problem.priors.levels)
    level = size if gimbals else -1
    size += 3 * gimbals + 2 if gimbals else 0
    return Layout(pose, intrinsics, kept, bias, lever, level, size)


def n_gimbals(levels: Levels) -> int:
    """How many gimbals have a mounting to be found."""
    return int(levels.gimbal.max(initial=-1)) + 1


def tail_weight(normalised: FloatArray, tail: FloatArray | float) -> FloatArray:
    """1 up to `tail`, then falling with the square."""
    return np.asarray((tail / np.maximum(normalised, tail)) ** 2)


def tail_variance(tail: float) -> float:
    """What weighted residuals of unit Gaussian pixel pairs give for their variance; below 1.

    The expectation of w s² over that of 2 w, for s of a Rayleigh distribution.
    """
    whole, weight = _tail_moments(tail)
    return whole / weight


def tail_loss(tail: float) -> float:
    """How much larger a covariance is than weighted information says, for Gaussian pixel pairs.

    An M-estimator's E(ψ²) / E(ψ')² (Huber 1981, §7.6) times the mean weight; 1 without a tail.
    """
    a = 0.5 * tail**2
    whole, weight = _tail_moments(tail)
    # Beyond the tail ψ = t² r / s² has no divergence in the plane: E(ψ') is what lies within.
    squares = -math.expm1(-a) - a * math.exp(-a) + a**2 * float(exp1(a))
    return squares / whole**2 * weight


def _tail_moments(tail: float) -> tuple[float, float]:
    """Share of Gaussian pixel pairs within the tail, and the mean weight."""
    a = 0.5 * tail**2
    whole = -math.expm1(-a)
    return whole, whole + a * float(exp1(a))


def tail_cost(normalised: FloatArray, tail: FloatArray | float) -> FloatArray:
    """The cost whose weight is tail_weight: s² up to `tail`, then logarithmic."""
    over = np.maximum(normalised, tail) / tail
    return np.asarray(np.minimum(normalised, tail) ** 2 + 2.0 * np.square(tail) * np.log(over))
