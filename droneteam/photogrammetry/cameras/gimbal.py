"""Gimbal angles as observations of the direction up.

Camera positions with centimetres of noise leave a small block tilted: 3 cm of height over 22 m are
a milliradian, which moves the ground below a camera 14 m up by 14 mm.  A gimbal states the
direction up in every photo.  What its makers do not state is estimated here:

- its noise, from the scatter about the adjusted cameras (never below a floor), and wider where
  errors of consecutive photos resemble each other, because those do not average out;
- a constant turn of its angles, fixed to the camera.  Flown in one heading it is the same as a tilt
  of the block; flown to and fro, or around, it turns with the camera while the tilt does not.

What all angles of a flight could have in common with the ground stays as a doubt of its own.  The
positions judge the angles before these count: first the angles stand beside them with a lean of
their own, and only where that lean is no larger than both allow is it taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from droneteam.photogrammetry.cameras import bundle
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import Levels, Problem, State, n_gimbals
from droneteam.photogrammetry.cameras.bundle_rows import level_residuals
from droneteam.photogrammetry.cameras.georef import enu_from_cam_rotation
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.scene import FloatArray, View

MIN_VIEWS = 8
"""Fewer do not show a gimbal's noise."""
FIRST_SIGMA_RAD = np.radians(2.0)
"""Before their noise is known."""
LEANING_SIGMA_RAD = np.radians(20.0)
"""Of the lean against positions that may be plain GNSS over a small block."""
MIN_SIGMA_RAD = np.radians(0.05)
"""Angles are written to 0.1° by many drones, and a gimbal at rest holds hundredths."""
MAX_SIGMA_RAD = np.radians(2.0)
"""Angles that scatter more say nothing of use."""
MOUNTING_SIGMA_RAD = np.radians(1.0)
"""Constant error of an uncalibrated gimbal's horizon."""
PLUMB_SIGMA_RAD = np.radians(0.02)
"""What all angles share: the plumb line's deflection (0.003° in Belgium, 0.015° in mountains) and
what the attitude filter of one flight does not average out."""
GROSS = 5.0
"""Robust deviations beyond which a residual is a blunder and no noise."""
UNKNOWNS_PER_AXIS = 2.5
"""Three of the mounting and two of the lean, over two axes."""
MAX_CORRELATION = 0.9
MAX_CONTRADICTION = 9.21
"""χ² of the lean's two components beyond which angles and positions contradict each other: 1 %."""
MIN_GAIN = 0.9
"""Angles count when they bring the tilt's deviation below this share of what it was."""
LEAST_TILT_VARIANCE = 2.0 * PLUMB_SIGMA_RAD**2 * (1.0 / MIN_GAIN**2 - 1.0)
"""Of both components: a wide block's positions fix the tilt so well that no angle gains more."""
PORTRAIT_COS = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class GimbalLevels:
    """The problem and solution with the angles in it (or not, where they contradict), and words."""

    problem: Problem
    solution: Solution
    note: str


def find_levels(
    problem: Problem,
    solution: Solution,
    views: Sequence[View],
    photos: Sequence[PhotoInput],
    covariance: FloatArray,
) -> GimbalLevels | None:
    """The adjustment with gimbal angles, where they narrow the tilt; None where they do not.

    covariance : (n, n) of the reduced unknowns of `problem`, from positions alone.
    """
    before = tilt_covariance(problem, solution.state, covariance)
    levels = stated_levels(views, photos, problem)
    if levels is None or np.trace(before) < LEAST_TILT_VARIANCE:
        return None
    beside, apart, levels = _beside_the_positions(problem, solution, levels)
    sigma_rad = _typical_sigma_rad(levels)
    if not sigma_rad < MAX_SIGMA_RAD:
        return None
    plumb = apart.state.plumb
    allowed = bundle.covariance(beside, apart)[-2:, -2:] + PLUMB_SIGMA_RAD**2 * np.eye(2)
    if _squared_sigmas(plumb, allowed) > MAX_CONTRADICTION:
        off_deg = float(np.degrees(np.linalg.norm(plumb)))
        return GimbalLevels(problem, solution, _contradiction_note(off_deg))
    start = replace(apart.state, plumb=np.zeros(2))
    if _squared_sigmas(plumb, before) < MAX_CONTRADICTION:
        start = _turned_upright(apart.state)
    levelled = replace(problem, priors=replace(problem.priors, levels=levels))
    found = bundle.solve(levelled, start)
    after = tilt_covariance(levelled, found.state, bundle.covariance(levelled, found))
    if not np.trace(after) < MIN_GAIN**2 * np.trace(before):
        return None
    was, now = (float(np.degrees(np.sqrt(np.trace(c)))) for c in (before, after))
    note = (
        f"gimbal angles (± {np.degrees(sigma_rad):.2f}° each, their constant error estimated) "
        f"level the scene to ± {now:.3f}°; camera positions alone to ± {was:.3f}°"
    )
    return GimbalLevels(levelled, found, note)


def _contradiction_note(off_deg: float) -> str:
    return (
        f"the gimbal angles tilt the scene by {off_deg:.2f}° against the camera positions, more "
        "than both allow; the angles are not used"
    )


def without_levels(problem: Problem, state: State) -> tuple[Problem, State]:
    """The same adjustment with the angles taken out."""
    bare = replace(problem, priors=replace(problem.priors, levels=Levels()))
    return bare, replace(state, mounting_rad=np.zeros((0, 3)), plumb=np.zeros(2))


def stated_levels(
    views: Sequence[View], photos: Sequence[PhotoInput], problem: Problem
) -> Levels | None:
    """Where each view's gimbal says that up is; None where too few say anything."""
    by_name = {photo.name: photo for photo in photos}
    ups, sigma = np.tile([0.0, -1.0, 0.0], (len(views), 1)), np.full((len(views), 2), np.inf)
    for i, view in enumerate(views):
        angles = by_name[view.name].gimbal_deg
        if angles is not None:
            ups[i], sigma[i] = enu_from_cam_rotation(angles)[2], FIRST_SIGMA_RAD
    if int(np.isfinite(sigma[:, 0]).sum()) < MIN_VIEWS:
        return None
    return Levels(
        ups=ups,
        axes=error_axes(ups),
        sigma_rad=sigma,
        gimbal=problem.view_camera,
        mounting_sigma_rad=float(MOUNTING_SIGMA_RAD),
        plumb_sigma_rad=float(PLUMB_SIGMA_RAD),
    )


def error_axes(ups: FloatArray) -> FloatArray:
    """(n, 2, 3) directions in which up (n, 3) moves: across the photo, and with its pitch.

    A gimbal's two motors differ, so the two errors have deviations of their own.
    """
    portrait = np.abs(ups[:, :1]) > PORTRAIT_COS
    side = np.where(portrait, [[0.0, 1.0, 0.0]], [[1.0, 0.0, 0.0]])
    across = side - np.sum(side * ups, axis=1, keepdims=True) * ups
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    return np.stack([across, np.cross(ups, across)], axis=1)


def _beside_the_positions(
    problem: Problem, solution: Solution, levels: Levels
) -> tuple[Problem, Solution, Levels]:
    """Adjusted with angles that may lean as they like, so that they bend nothing.

    What they lean by (the plumb) is then how far they and the positions are apart.  Also returns
    the levels, weighed by the noise that they show.
    """
    state = replace(
        solution.state, mounting_rad=np.zeros((n_gimbals(levels), 3)), plumb=np.zeros(2)
    )
    for _ in range(3):
        free = replace(levels, plumb_sigma_rad=float(LEANING_SIGMA_RAD))
        beside = replace(problem, priors=replace(problem.priors, levels=free))
        solution = bundle.solve(beside, state, iterations=15)
        state = solution.state
        levels = replace(levels, sigma_rad=noise_rad(level_residuals(levels, state), levels))
    return beside, solution, levels


def _turned_upright(state: State) -> State:
    """The network turned about its middle so that the angles' up points up."""
    east, north = state.plumb
    turn = Rotation.from_rotvec([north, -east, 0.0]).as_matrix()
    middle = state.centres.mean(axis=0)
    return replace(
        state,
        rotations=np.ascontiguousarray(state.rotations @ turn.T),
        centres=middle + (state.centres - middle) @ turn.T,
        points=middle + (state.points - middle) @ turn.T,
        kept=middle + (state.kept - middle) @ turn.T,
        plumb=np.zeros(2),
    )


def noise_rad(residuals: FloatArray, levels: Levels) -> FloatArray:
    """(n, 2) deviation of each angle, from all of its gimbal's residuals (n, 2) in photo order."""
    sigma = np.full(residuals.shape, np.inf)
    known = np.isfinite(levels.sigma_rad[:, 0])
    for gimbal in range(n_gimbals(levels)):
        rows = np.flatnonzero(known & (levels.gimbal == gimbal))
        if len(rows) > 2:
            sigma[rows] = [_noise_of(residuals[rows, axis]) for axis in (0, 1)]
        elif len(rows):
            sigma[rows] = FIRST_SIGMA_RAD
    return sigma


def _noise_of(residuals: FloatArray) -> float:
    """Robust deviation; wider where neighbours resemble each other (first-order autoregression)."""
    middle = max(1.4826 * float(np.median(np.abs(residuals))), float(MIN_SIGMA_RAD))
    used = residuals[np.abs(residuals) < GROSS * middle]
    squares, n = float((used**2).sum()), len(used)
    sigma = max(float(MIN_SIGMA_RAD), np.sqrt(squares / max(n - UNKNOWNS_PER_AXIS, 0.3 * n)))
    alike = float((used[1:] * used[:-1]).sum()) / max(squares, 1e-30)
    alike = min(max(alike, 0.0), MAX_CORRELATION)
    return float(sigma * np.sqrt((1.0 + alike) / (1.0 - alike)))


def _typical_sigma_rad(levels: Levels) -> float:
    return float(np.median(levels.sigma_rad[np.isfinite(levels.sigma_rad)]))


def tilt_covariance(problem: Problem, state: State, covariance: FloatArray) -> FloatArray:
    """(2, 2) of the network's tilt about east and north, radians²."""
    columns = bundle.layout(problem)
    mean = np.zeros((2, columns.size))
    for start, rotation in zip(columns.pose, state.rotations, strict=True):
        mean[:, start : start + 3] = rotation.T[:2] / len(state.rotations)
    return np.asarray(mean @ covariance @ mean.T)


def tilt_between(first: State, second: State) -> FloatArray:
    """(2,) mean turn from one state's cameras to the other's about east and north, radians."""
    turns = np.einsum("nij,nkj->nik", second.rotations, first.rotations)
    vectors = Rotation.from_matrix(turns).as_rotvec()
    return np.asarray(np.einsum("nji,nj->ni", first.rotations, vectors).mean(axis=0)[:2])


def _squared_sigmas(value: FloatArray, covariance: FloatArray) -> float:
    return float(value @ np.linalg.solve(covariance, value))
