"""The metrology adjustment: cameras with known accuracy from tie points, control and positions.

One least-squares problem holds everything that is known: tie points, marks of control points
whose surveyed coordinates are observations themselves, scale bars, camera positions with their
deviations and a shift common to a flight, and the focal length from EXIF.  Blunders are named and
left out, check points never enter, the lens model grows only as far as held-out observations
support it, and the honesty gate says whether the photos fix the depth at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from droneteam.errors import InputError, SceneError
from droneteam.photogrammetry.cameras import bundle, calibration, control_checks, georef, rolling
from droneteam.photogrammetry.cameras.adjust_setup import Setup, set_up, sparse_cloud
from droneteam.photogrammetry.cameras.bundle import Solution
from droneteam.photogrammetry.cameras.bundle_problem import IntArray, Problem, State
from droneteam.photogrammetry.cameras.calibration import Gate
from droneteam.photogrammetry.cameras.doubted import judged
from droneteam.photogrammetry.cameras.georef import COLLINEAR_RATIO, line_ratio
from droneteam.photogrammetry.cameras.gimbal import GimbalLevels, find_levels, without_levels
from droneteam.photogrammetry.cameras.held_shape import weakness
from droneteam.photogrammetry.cameras.lever_arm import find_lever_arm
from droneteam.photogrammetry.cameras.likeness import likeness
from droneteam.photogrammetry.cameras.mark_points import check_marks
from droneteam.photogrammetry.cameras.misplaced import without_misplaced, wrong_positions_m
from droneteam.photogrammetry.cameras.rolling import Shutter
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, Progress, SfmResult
from droneteam.photogrammetry.cameras.triangulation import camera_from_row, optics
from droneteam.photogrammetry.control import NO_CONTROL, Control
from droneteam.photogrammetry.ingest.photo_words import told
from droneteam.photogrammetry.scene import (
    Accuracy,
    CameraNetwork,
    FloatArray,
    NetworkCovariance,
    View,
)

MIN_TIE_SIGMA_PX = 0.15
"""SIFT keypoints are not better than this, however small the residuals of a small set."""
TIE_BUDGET = 60_000
"""Observations of tie points in a small network: enough for their noise not to matter."""
OUTLIER_SIGMA = 4.0
"""Tie observations beyond so many deviations (and 1 px) are left out of the final cloud."""
TOLD_LIKENESS = 2.0
"""Intervals that are widened by less for errors alike of neighbours need no words: every lens
leaves some."""
TILT_SIGMA_RAD = np.radians(2.0)
"""Deviation of a tilt that only gimbal angles or horizons give."""


@dataclass(frozen=True, slots=True)
class AdjustParams:
    """Settings of the adjustment.

    focal_prior_sigma : relative 1-sigma of the focal length from EXIF.
    self_calibrate : estimate the lens of cameras without a given calibration.
    ties_per_view : the adjustment works on so many tie points per photo, the others follow; None
    takes 600, and more where photos are few.
    vertical_datum, datum_note : what the photos' heights are above; control brings its own.
    """

    focal_prior_sigma: float = 0.025
    self_calibrate: bool = True
    ties_per_view: int | None = None
    vertical_datum: str = "WGS84 ellipsoid"
    datum_note: str = ""

    def __post_init__(self) -> None:
        if not 0.0 < self.focal_prior_sigma < 1.0:
            raise InputError("focal_prior_sigma must lie between 0 and 1 (0.025 is 2.5 %)")
        if self.ties_per_view is not None and self.ties_per_view < 50:
            raise InputError("ties_per_view must be at least 50")


def adjust(
    sfm: SfmResult,
    photos: Sequence[PhotoInput],
    control: Control = NO_CONTROL,
    params: AdjustParams = AdjustParams(),
    progress: Progress = lambda stage, fraction, message: None,
) -> CameraNetwork:
    """The largest group's network, adjusted, in the frame that control or positions give.

    Raises
    ------
    SceneError
        No group to adjust.
    InputError
        A mark outside its photo.
    """
    if not sfm.groups:
        raise SceneError("adjust", "no photo could be oriented", help="Check overlap and blur.")
    photos, swapped = _without_swapped(sfm, photos)
    off = wrong_positions_m(sfm, photos)
    sfm = without_misplaced(sfm, photos)
    photos = [replace(p, position=None) if p.name in off else p for p in photos]
    setup = set_up(
        sfm, photos, control,
        focal_sigma=params.focal_prior_sigma,
        vertical_datum=params.vertical_datum,
        datum_note=params.datum_note,
    )  # fmt: skip
    progress("adjust", 0.1, "cleaning tie points")
    problem, solution = _first_solution(setup, params)
    problem, solution, shutter = _without_movement(setup, problem, solution, photos)
    progress("adjust", 0.4, "calibrating")
    problem, solution, freed = _calibrated(problem, solution, params)
    positions = judged(setup, problem, solution, _covariance)
    setup, problem, solution = positions.setup, positions.problem, positions.solution
    problem, solution = _with_likeness(setup, problem, solution)
    lever = find_lever_arm(problem, solution, setup.views, photos, setup.frame)
    if lever is not None:
        problem, solution = lever.problem, lever.solution
    levels = _levelled(setup, problem, solution, photos)
    if levels is not None:
        problem, solution = levels.problem, levels.solution
    problem, solution, rejected = _without_blunders(setup, problem, solution)
    progress("adjust", 0.7, "checking whether the depth is determined")
    gate = _gate(problem, solution)
    progress("adjust", 0.9, "covariance and residuals")
    modelled = tuple(part.note for part in (shutter, lever, levels) if part is not None)
    alike = _likeness_note(problem)
    wrong = _position_notes(off)
    notes = (*swapped, *sfm.notes, *wrong, *positions.notes, *freed, *modelled, *alike, *rejected)
    found = _Found(problem, solution, gate, shutter, notes)
    network = _network(sfm, setup, control, found)
    network = _with_weakness(_inflated(network, control))
    progress("adjust", 1.0, f"reprojection {network.accuracy.reprojection_px:.2f} px")
    return network


def _without_swapped(
    sfm: SfmResult, photos: Sequence[PhotoInput]
) -> tuple[Sequence[PhotoInput], tuple[str, ...]]:
    """The photos without positions whose latitude and longitude are all exchanged; words."""
    if not georef.all_swapped(sfm.groups[0].views, photos):
        return photos, ()
    said = (
        "the photos' positions fit the scene only with latitude and longitude exchanged; none of "
        "them is used: correct them, or give control points"
    )
    return [replace(photo, position=None) for photo in photos], (said,)


def _position_notes(off_m: Mapping[str, float]) -> tuple[str, ...]:
    """Words on positions that err by metres where the photo itself is well placed."""
    said = [
        (name, f"position lies {distance_m:.1f} m from where its matches put it; not used")
        for name, distance_m in off_m.items()
    ]
    return tuple(told(said, many="of each of {n} photos the {what} ({names})"))


def _first_solution(setup: Setup, params: AdjustParams) -> tuple[Problem, Solution]:
    """Cleaned of gross errors, with the tie points' deviation from their own residuals."""
    per_view = params.ties_per_view or max(600, TIE_BUDGET // len(setup.views))
    chosen = calibration.choose_points(setup.problem, per_view)
    problem, state = bundle.subset_points(setup.problem, setup.state, chosen)
    solution = bundle.solve(problem, state, iterations=20, tol=1e-5)
    problem, solution = _with_sigma(problem, solution)
    problem, state = bundle.without_outliers(problem, solution, OUTLIER_SIGMA)
    solution = bundle.solve(problem, state, iterations=30)
    return _with_sigma(problem, solution)


def _with_sigma(problem: Problem, solution: Solution) -> tuple[Problem, Solution]:
    sigma = max(MIN_TIE_SIGMA_PX, float(np.sqrt(bundle.tie_variance(problem, solution))))
    problem = replace(problem, tie_sigma_px=sigma)
    return problem, bundle.solve(problem, solution.state, iterations=10)


def _with_likeness(setup: Setup, problem: Problem, solution: Solution) -> tuple[Problem, Solution]:
    """Tie points that count for no more than their neighbours leave them."""
    sizes = np.array([(v.camera.width_px, v.camera.height_px) for v in setup.views], float)
    ties = problem.ties
    alike = likeness(solution.tie_residuals, ties.views, ties.pixels, sizes)
    problem = replace(problem, tie_alike=alike)
    return problem, bundle.solve(problem, solution.state)


def _likeness_note(problem: Problem) -> tuple[str, ...]:
    """Words where neighbouring tie points err so much alike that something is not modelled."""
    wider = float(np.sqrt(problem.tie_alike))
    if wider < TOLD_LIKENESS:
        return ()
    return (
        f"neighbouring tie points err alike (residuals of {problem.tie_sigma_px:.2f} px): "
        "something is not modelled, such as rows read while the drone moved at an unstated speed, "
        "a zoom between photos or air over hot ground; intervals are "
        f"{wider:.1f} times as wide for it",
    )


def _calibrated(
    problem: Problem, solution: Solution, params: AdjustParams
) -> tuple[Problem, Solution, tuple[str, ...]]:
    if not params.self_calibrate:
        return problem, solution, ()
    freed_problem, state, names = calibration.self_calibrate(problem, solution.state)
    if not names:
        return problem, solution, ()
    solution = bundle.solve(freed_problem, state)
    return *_with_sigma(freed_problem, solution), (f"self-calibrated: {', '.join(names)}",)


def _without_movement(
    setup: Setup, problem: Problem, solution: Solution, photos: Sequence[PhotoInput]
) -> tuple[Problem, Solution, Shutter | None]:
    """The adjustment without what a rolling shutter did to the observations, where it did much."""
    moved = rolling.movement(setup.views, photos, setup.frame)
    if moved is None:
        return problem, solution, None
    shutter = rolling.find_shutter(problem, solution, setup.heights_px, moved)
    if shutter is None:
        return problem, solution, None
    still = rolling.without_movement(problem, solution.state, setup.heights_px, shutter.travel_m)
    return *_with_sigma(still, bundle.solve(still, solution.state)), shutter


def _levelled(
    setup: Setup, problem: Problem, solution: Solution, photos: Sequence[PhotoInput]
) -> GimbalLevels | None:
    """The adjustment with gimbal angles; None where control fixes the tilt or they add nothing."""
    if setup.frame.kind != "enu" or setup.scale_source == "gcp":
        return None
    covariance = _covariance(setup, problem, solution)
    return find_levels(problem, solution, setup.views, photos, covariance)


def _without_blunders(
    setup: Setup, problem: Problem, solution: Solution
) -> tuple[Problem, Solution, tuple[str, ...]]:
    """Leaves out control points that contradict the rest, the worst first, and names them."""
    named: list[str] = []
    rejected: list[int] = []
    for _ in range(len(setup.control) // 3 + 1):
        covariance = _covariance(setup, problem, solution)
        worst = control_checks.worst_control(setup, problem, solution, covariance)
        if worst is None:
            break
        residuals, _ = control_checks.leave_one_out(problem, solution, covariance)
        off_m = float(np.linalg.norm(residuals[worst]))
        named.append(
            f"control point {setup.kept[worst]} lies {off_m:.3f} m from where the others and the "
            "photos put it; not used: check its coordinates and marks"
        )
        rejected.append(worst)
        problem = control_checks.without_prior(problem, worst)
        solution = bundle.solve(problem, solution.state)
    named += control_checks.exchanged_names(setup, solution.state, rejected)
    named += control_checks.wrong_marks(setup, problem, solution.state)
    return problem, solution, tuple(named)


def _gate(problem: Problem, solution: Solution) -> Gate | None:
    """The honesty gate, where a focal length is free; None where every camera is given.

    Gimbal angles have no say in it: they bend with a block's depth, but not by more than their
    makers leave open.
    """
    if not problem.free[:, calibration.F].any():
        return None
    return calibration.honesty_gate(*without_levels(problem, solution.state))


def _covariance(setup: Setup, problem: Problem, solution: Solution) -> FloatArray:
    """(n, n) of the reduced unknowns; what nothing fixes is held like a free network."""
    inf = np.inf
    state = solution.state
    size = float(np.linalg.norm(np.ptp(state.centres, axis=0))) + 1e-9
    if setup.frame.kind == "enu" or setup.scale_source == "gcp":
        tilt = _tilt_sigma(setup, problem, state)
        sigma = (np.full(3, inf), np.array([tilt, tilt, inf]), inf)
    else:
        scale = inf if setup.frame.metric else 1e-6
        turn = np.array([TILT_SIGMA_RAD, TILT_SIGMA_RAD, 1e-6])
        sigma = (np.full(3, 1e-6 * size), turn, scale)
    weak = bundle.gauge_information(bundle.layout(problem), state, sigma)
    return bundle.covariance(problem, solution, weak)


def _tilt_sigma(setup: Setup, problem: Problem, state: State) -> float:
    """What horizons, or angles outside the adjustment, say of the tilt where it rests on them.

    Camera positions that do not lie on one line fix the tilt themselves, however badly, and so do
    angles in the adjustment: nothing else took part in it or may narrow what is stated of it.
    """
    if len(problem.priors.levels.ups):
        return float("inf")
    positioned = state.centres[setup.positioned]
    fixed = len(positioned) > 2 and line_ratio(positioned) > COLLINEAR_RATIO
    return float("inf") if fixed and setup.scale_source != "gcp" else float(TILT_SIGMA_RAD)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The end of the adjustment."""

    problem: Problem
    solution: Solution
    gate: Gate | None
    shutter: Shutter | None
    notes: tuple[str, ...]


def _network(sfm: SfmResult, setup: Setup, control: Control, found: _Found) -> CameraNetwork:
    problem, solution = found.problem, found.solution
    ties = _all_ties(setup, found)
    views = _views(setup.views, problem, solution.state)
    if found.shutter is not None:
        travel_m = found.shutter.travel_m
        views = rolling.still_views(views, ties.observed, ties.state, setup.heights_px, travel_m)
    covariance = _covariance(setup, problem, solution)
    residuals = bundle.residuals(ties.problem, ties.state)
    return CameraNetwork(
        views=views,
        sparse=sparse_cloud(ties.observed, ties.state, sfm.groups[0].sparse.colors[ties.kept]),
        frame=setup.frame,
        accuracy=_accuracy(setup, control, found, views, covariance, residuals),
        unregistered=sfm.unregistered,
        groups=tuple(tuple(v.name for v in g.views) for g in sfm.groups[1:]),
        covariance=_camera_covariance(problem, covariance, found.gate),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _AllTies:
    """Every tie point for the adjusted cameras.

    problem : without the movement of a rolling shutter; observed : the same with the pixels as
    they are in the photos.  kept : which of the setup's points these are.
    """

    problem: Problem
    observed: Problem
    state: State
    kept: IntArray


def _all_ties(setup: Setup, found: _Found) -> _AllTies:
    whole = replace(setup.problem, free=found.problem.free, tie_sigma_px=found.problem.tie_sigma_px)
    state = replace(found.solution.state, points=setup.state.points)
    still = whole
    if found.shutter is not None:
        still = rolling.without_movement(whole, state, setup.heights_px, found.shutter.travel_m)
    problem, state, kept, rows = bundle.adjust_points(still, state, OUTLIER_SIGMA)
    pixels = np.ascontiguousarray(whole.ties.pixels[rows])
    observed = replace(problem, ties=replace(problem.ties, pixels=pixels))
    return _AllTies(problem, observed, state, kept)


def _accuracy(
    setup: Setup,
    control: Control,
    found: _Found,
    views: Sequence[View],
    covariance: FloatArray,
    residuals: FloatArray,
) -> Accuracy:
    problem, solution, gate = found.problem, found.solution, found.gate
    arrays = optics(views)
    checked = check_marks(control, views)
    return Accuracy(
        reprojection_px=float(np.sqrt(np.nanmean((residuals**2).sum(axis=1)))),
        scale_source=setup.scale_source,
        vertical_scale_determined=True if gate is None else gate.determined,
        rows=(
            *control_checks.control_rows(setup, problem, solution, covariance),
            *control_checks.check_rows(control, views, arrays, setup.frame),
            *control_checks.bar_rows(control, views, arrays),
        ),
        sigma_frame_m=_frame_sigma(setup, problem, covariance),
        warnings=(
            *setup.warnings,
            *found.notes,
            *checked.notes,
            *_shift_note(setup, problem, solution, covariance),
            *_gate_note(gate),
        ),
    )


def _views(views: Sequence[View], problem: Problem, state: State) -> tuple[View, ...]:
    result = []
    for i, view in enumerate(views):
        rotation, centre = state.rotations[i], state.centres[i]
        row = state.intrinsics[problem.view_camera[i]]
        moved = bool(problem.free[problem.view_camera[i]].any())
        result.append(
            replace(
                view,
                cam_from_enu=np.column_stack([rotation, -rotation @ centre]),
                camera=camera_from_row(row, view.camera) if moved else view.camera,
            )
        )
    return tuple(result)


def _camera_covariance(
    problem: Problem, covariance: FloatArray, gate: Gate | None
) -> NetworkCovariance:
    columns = bundle.layout(problem)
    size = 6 * len(columns.pose) + int((columns.intrinsics >= 0).sum())
    mode = None if gate is None or gate.mode is None else gate.mode[:size]
    return NetworkCovariance(
        matrix=covariance[:size, :size],
        pose_columns=columns.pose,
        intrinsics_columns=columns.intrinsics[problem.view_camera],
        depth_mode=mode,
    )


def _frame_sigma(
    setup: Setup, problem: Problem, covariance: FloatArray
) -> tuple[float, float, float] | None:
    """1-sigma of the network's mean position: of its control points, else of its cameras."""
    if setup.frame.kind == "local" and setup.scale_source != "gcp":
        return None
    columns = bundle.layout(problem)
    starts = columns.kept if len(columns.kept) else columns.pose + 3
    mean = np.zeros((3, len(covariance)))
    for axis in range(3):
        mean[axis, starts + axis] = 1.0 / len(starts)
    east, north, up = np.sqrt(np.diag(mean @ covariance @ mean.T))
    return float(east), float(north), float(up)


def _shift_note(
    setup: Setup, problem: Problem, solution: Solution, covariance: FloatArray
) -> tuple[str, ...]:
    """Says when the camera positions lie elsewhere than the control, beyond their deviation."""
    at = bundle.layout(problem).bias
    if setup.scale_source != "gcp" or at < 0:
        return ()
    shift, sigma = solution.state.bias, np.sqrt(np.diag(covariance)[at : at + 3])
    if not (np.abs(shift) > 4.0 * sigma).any():
        return ()
    east, north, up = shift
    return (
        f"the photos' positions lie {east:+.2f} m east, {north:+.2f} m north, {up:+.2f} m up of "
        "the control; the control counts (a different height datum or base station would explain "
        "it)",
    )


def _inflated(network: CameraNetwork, control: Control) -> CameraNetwork:
    """The network with its covariance widened to what the check points show."""
    judged = check_marks(control, network.views)
    factor = control_checks.inflation(network, replace(control, marks=judged.marks))
    if factor <= 1.0 or network.covariance is None:
        return network
    said = (
        f"the check points lie {factor**0.5:.1f} times farther off than predicted; all intervals "
        "are widened by that"
    )
    accuracy = replace(network.accuracy, warnings=(*network.accuracy.warnings, said))
    covariance = replace(network.covariance, matrix=factor * network.covariance.matrix)
    return replace(network, accuracy=accuracy, covariance=covariance)


def _with_weakness(network: CameraNetwork) -> CameraNetwork:
    """The network with words on a shape that it holds badly."""
    said = weakness(network)
    if said is None:
        return network
    accuracy = replace(network.accuracy, warnings=(*network.accuracy.warnings, said))
    return replace(network, accuracy=accuracy)


def _gate_note(gate: Gate | None) -> tuple[str, ...]:
    if gate is None or gate.determined:
        return ()
    return (
        f"vertical scale not determined: a focal length 10 % away changes heights by "
        f"{100 * gate.depth_change:.0f} % but the reprojection by only "
        f"{100 * gate.reprojection_change:.1f} %; control points at different heights, a vertical "
        "scale bar, a ring of oblique photos or a calibrated camera would determine it",
    )
