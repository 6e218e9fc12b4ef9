"""Rolling shutters: a photo whose rows were exposed one after the other while the drone moved.

Row y of a photo of h rows was seen from the centre plus velocity · readout · (y / h - 1/2)
(Vautherin et al., "Photogrammetric accuracy and modeling of rolling shutter cameras", ISPRS Annals
III-3, 2016, with the drone's own velocity and no rotation: a gimbal holds the camera still).  The
adjustment works on observations from which that movement has been taken, so that its cameras are
those of the photo's middle; afterwards each view gets the still camera that comes nearest to what
the photo shows, because everything downstream reads the photo as it is.

A readout that nobody states is estimated, where the network can: the cost of the adjusted network
is a parabola of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras import bundle, calibration
from droneteam.photogrammetry.cameras import bundle_kernels as kernels
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import Problem, State
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.cameras.triangulation import camera_from_row
from droneteam.photogrammetry.scene import FloatArray, Frame, View

TRIAL_READOUT_S = 0.03
"""The usual readout of a small sensor."""
SEARCH_STEP_S = 0.005
MAX_READOUT_S = 0.15
MAX_VIEWS_TO_SEARCH = 150
"""The search solves the network a dozen times over, which costs the cube of its views."""
MIN_SHIFT_PX = 0.3
"""A movement that shifts no row by more than this at the usual readout is not worth a parameter."""
MIN_SIGMAS = 5.0
"""How many deviations from zero an estimated readout must lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Movement:
    """How the views moved: velocity_mps (n, 3) in the frame; readout_s (n,), NaN where unknown."""

    velocity_mps: FloatArray
    readout_s: FloatArray

    def travel_m(self, readout_s: float) -> FloatArray:
        """(n, 3) from the first row to the last, with a readout for those that state none."""
        seconds = np.where(np.isfinite(self.readout_s), self.readout_s, readout_s)
        return np.asarray(self.velocity_mps * seconds[:, None])


def movement(views: Sequence[View], photos: Sequence[PhotoInput], frame: Frame) -> Movement | None:
    """The movement that the photos state; None where none of them moved, or north is not known."""
    if frame.kind != "enu":
        return None
    by_name = {photo.name: photo for photo in photos}
    rows = [by_name[view.name] for view in views]
    velocity = np.array([photo.velocity_enu_mps or (0.0, 0.0, 0.0) for photo in rows])
    readout = np.array([np.nan if p.readout_s is None else p.readout_s for p in rows])
    still = (velocity == 0.0).all(axis=1) | (readout == 0.0)
    return None if still.all() else Movement(velocity, np.where(still, 0.0, readout))


def without_movement(
    problem: Problem, state: State, heights_px: NDArray[np.int64], travel_m: FloatArray
) -> Problem:
    """The problem with every observation as a shutter that opens at once would have made it.

    heights_px : (n,) rows of the views' photos; travel_m : (n, 3) from the first row to the last.
    """
    ties, marks = problem.ties, problem.marks
    owner = np.repeat(np.arange(len(state.points)), np.diff(ties.offsets))
    tie_shift = _shift_px(
        problem, state, state.points[owner], ties.views, ties.pixels, heights_px, travel_m
    )
    mark_shift = _shift_px(
        problem, state, state.kept[marks.points], marks.views, marks.pixels, heights_px, travel_m
    )
    return replace(
        problem,
        ties=replace(ties, pixels=ties.pixels - tie_shift),
        marks=replace(marks, pixels=marks.pixels - mark_shift),
    )


def _shift_px(
    problem: Problem,
    state: State,
    points: FloatArray,
    views: NDArray[np.int64],
    pixels: FloatArray,
    heights_px: NDArray[np.int64],
    travel_m: FloatArray,
) -> FloatArray:
    """(m, 2) by which the movement shifted each observation; zero behind a camera."""
    if not len(points):
        return np.zeros((0, 2))
    share = pixels[:, 1] / heights_px[views] - 0.5
    centres = state.centres[views]
    moved = centres + share[:, None] * travel_m[views]
    still_px, moved_px = (_projected(problem, state, points, views, at) for at in (centres, moved))
    return np.nan_to_num(moved_px - still_px)


def _projected(
    problem: Problem,
    state: State,
    points: FloatArray,
    views: NDArray[np.int64],
    centres: FloatArray,
) -> FloatArray:
    """(m, 2) pixels of points seen from centres of their own."""
    rows = np.arange(len(points), dtype=np.int64)
    pixels, _ = kernels.jacobians(
        np.ascontiguousarray(points), rows, rows,
        np.ascontiguousarray(state.rotations[views]), np.ascontiguousarray(centres),
        state.intrinsics, problem.view_camera[views],
    )  # fmt: skip
    return np.asarray(pixels)


@dataclass(frozen=True, slots=True, eq=False)
class Shutter:
    """What was found of the shutter: travel_m (n, 3) of each view, and words."""

    travel_m: FloatArray
    note: str


def find_shutter(
    problem: Problem, solution: Solution, heights_px: NDArray[np.int64], moved: Movement
) -> Shutter | None:
    """The views' travel during readout: as stated, else as the network shows; None where neither.

    problem : not yet without the movement.
    """
    unknown = ~np.isfinite(moved.readout_s)
    stated_s = moved.readout_s[~unknown & (moved.readout_s > 0.0)]
    said = "" if not len(stated_s) else f"as stated for the camera ({1e3 * stated_s.max():.0f} ms)"
    readout_s = 0.0
    searchable = unknown.any() and len(heights_px) <= MAX_VIEWS_TO_SEARCH
    if searchable and _visible(problem, solution.state, heights_px, moved):
        found = _estimated(problem, solution.state, heights_px, moved)
        if found is not None:
            readout_s, sigma_s = found
            said = f"found from the photos ({1e3 * readout_s:.1f} ± {1e3 * sigma_s:.1f} ms)"
    if not said:
        return None
    travel_m = moved.travel_m(readout_s)
    longest = 100.0 * float(np.linalg.norm(travel_m, axis=1).max())
    note = (
        f"the photos were read row by row while the drone moved, by up to {longest:.0f} cm; this "
        f"is modelled with a readout {said}"
    )
    return Shutter(travel_m, note)


def _visible(
    problem: Problem, state: State, heights_px: NDArray[np.int64], moved: Movement
) -> bool:
    trial = without_movement(problem, state, heights_px, moved.travel_m(TRIAL_READOUT_S))
    shift = np.linalg.norm(problem.ties.pixels - trial.ties.pixels, axis=1)
    return bool(len(shift)) and float(np.percentile(shift, 90.0)) > MIN_SHIFT_PX


def _estimated(
    problem: Problem, state: State, heights_px: NDArray[np.int64], moved: Movement
) -> tuple[float, float] | None:
    """Readout and its deviation in seconds; None where the network does not show one clearly."""
    chosen = calibration.choose_points(problem, calibration.WORK_PER_VIEW)
    small, start = bundle.subset_points(_with_lens_free(problem), state, chosen)

    def cost(readout_s: float) -> float:
        freed = without_movement(small, start, heights_px, moved.travel_m(readout_s))
        return bundle.solve(freed, start, iterations=40, tol=calibration.WORK_TOL).cost

    found = lowest(cost, step=SEARCH_STEP_S, limit=MAX_READOUT_S)
    if found is None:
        return None
    readout_s, curvature = found
    sigma_s = float(np.sqrt(2.0 / curvature))
    return (readout_s, sigma_s) if abs(readout_s) > MIN_SIGMAS * sigma_s else None


def lowest(
    cost: Callable[[float], float], *, step: float, limit: float
) -> tuple[float, float] | None:
    """Where a smooth cost is lowest, and its second derivative there; None beyond the limit.

    Parabolas through three points a step apart, each about the last one's minimum: far from it,
    robust weights bend the cost, so a move is at most three steps long.
    """
    at = 0.0
    while abs(at) <= limit:
        low, middle, high = (cost(at + offset) for offset in (-step, 0.0, step))
        slope, curvature = (high - low) / (2.0 * step), (low - 2.0 * middle + high) / step**2
        move = -slope / curvature if curvature > 0.0 else -np.sign(slope) * np.inf
        if not abs(move) > step / 2.0:
            return at + float(move), float(curvature)
        at += float(np.clip(move, -3.0 * step, 3.0 * step))
    return None


def _with_lens_free(problem: Problem) -> Problem:
    """The lens free as it will be, so that its faults are not taken for movement."""
    cameras = np.flatnonzero(problem.free[:, calibration.F])
    free = problem.free.copy()
    free[np.ix_(cameras, np.array(calibration.BROWN))] = True
    return replace(problem, free=free)


def still_views(
    views: Sequence[View],
    problem: Problem,
    state: State,
    heights_px: NDArray[np.int64],
    travel_m: FloatArray,
) -> tuple[View, ...]:
    """The views with the still camera each that comes nearest to its moving one.

    Rotation, focal length and aspect are fitted to what the movement did to the view's tie points;
    over ground that is flat within a tenth of the flying height it leaves less than a tenth of the
    movement.  problem, state : with the views' tie points.
    """
    ties = problem.ties
    owner = np.repeat(np.arange(len(state.points)), np.diff(ties.offsets))
    shift = _shift_px(
        problem, state, state.points[owner], ties.views, ties.pixels, heights_px, travel_m
    )
    _, jacobian = kernels.jacobians(
        state.points, owner, ties.views,
        state.rotations, state.centres, state.intrinsics, problem.view_camera,
    )  # fmt: skip
    fitted = np.asarray(jacobian)[:, :, [0, 1, 2, 6, 7]]
    return tuple(
        _still(view, state.intrinsics[problem.view_camera[i]], fitted[rows], shift[rows])
        for i, view in enumerate(views)
        for rows in [np.flatnonzero((ties.views == i) & np.isfinite(fitted[:, 0, 0]))]
    )


def _still(view: View, row: FloatArray, jacobian: FloatArray, shift: FloatArray) -> View:
    """One view turned and scaled by what explains its points' shift best."""
    if len(shift) < 3 or not shift.any():
        return view
    matrix = jacobian.reshape(-1, 5)
    scale = np.linalg.norm(matrix, axis=0)
    change = np.linalg.lstsq(matrix / scale, shift.ravel(), rcond=1e-6)[0] / scale
    rotation = cv2.Rodrigues(change[:3])[0] @ view.cam_from_enu[:, :3]
    intrinsics = row.copy()
    intrinsics[:2] += change[3:]
    return replace(
        view,
        cam_from_enu=np.column_stack([rotation, -rotation @ view.centre_enu_m]),
        camera=camera_from_row(intrinsics, view.camera),
    )
