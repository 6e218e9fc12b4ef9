"""From oriented views, photos and control to an adjustment problem in its final frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import control_place, georef
from droneteam.photogrammetry.cameras.bundle_problem import (
    IntArray,
    Marks,
    Priors,
    Problem,
    State,
    TiePoints,
)
from droneteam.photogrammetry.cameras.georef import Similarity
from droneteam.photogrammetry.cameras.mark_points import rough_points
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.cameras.triangulation import intrinsics_row
from droneteam.photogrammetry.control import Control, Mark, ScaleBar, SurveyPoint
from droneteam.photogrammetry.scene import FloatArray, Frame, SparseCloud, View

MIN_CONTROL = 3
"""Control points needed to place a network by themselves."""
FIRST_TIE_SIGMA_PX = 1.0
PRINCIPAL_SIGMA = 0.005
"""1-sigma of the principal point over the long side: assembly tolerance of small cameras."""
ASPECT_SIGMA = 0.002
DISTORTION_SIGMA = (0.3, 0.1, 1e-3, 1e-3, 0.05)
"""1-sigma of k1, k2, p1, p2, k3 over lenses of drones and phones."""


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """A problem, where it starts and what its parts are called.

    kept : names of the kept points in order; positioned : views with a used camera position.
    stated_sigma_m : (n, 3) of each view's camera position, used or not; infinite where none is.
    control, bars : those of the adjustment, i.e. without check points.
    """

    problem: Problem
    state: State
    frame: Frame
    views: tuple[View, ...]
    kept: tuple[str, ...]
    mark_names: tuple[tuple[str, str], ...]
    positioned: NDArray[np.bool_]
    stated_sigma_m: FloatArray
    control: tuple[SurveyPoint, ...]
    bars: tuple[ScaleBar, ...]
    scale_source: str
    warnings: tuple[str, ...]

    @property
    def heights_px(self) -> IntArray:
        """(n,) rows of the views' photos."""
        return np.array([view.camera.height_px for view in self.views], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Base:
    """Where the frame comes from: similarity from the group's frame and camera position targets.

    centre_sigma : infinite where a position does not count; stated_sigma_m : also of doubted ones.
    """

    frame: Frame
    similarity: Similarity
    centres: FloatArray
    centre_sigma: FloatArray
    stated_sigma_m: FloatArray
    bias_sigma: FloatArray
    control_targets: FloatArray
    scale_source: str
    warnings: tuple[str, ...]


def set_up(
    sfm: SfmResult,
    photos: Sequence[PhotoInput],
    control: Control,
    *,
    focal_sigma: float,
    vertical_datum: str,
    datum_note: str,
) -> Setup:
    """The problem of the largest group, in the frame that the control or the positions give."""
    group = sfm.groups[0]
    by_name = {p.name: p for p in photos}
    index_of = {view.name: i for i, view in enumerate(group.views)}
    marked = rough_points(control, group.views)
    rough = marked.points
    points = tuple(p for p in control.points if p.role == "control" and p.name in rough)
    bars = tuple(b for b in control.bars if b.role == "control" and b.a in rough and b.b in rough)
    base = _base(group, photos, control, points, bars, rough, vertical_datum, datum_note)
    kept = tuple(sorted({p.name for p in points} | {n for b in bars for n in (b.a, b.b)}))
    row_of = {name: i for i, name in enumerate(kept)}
    marks = [m for m in marked.marks if m.point in row_of]
    cameras = _camera_rows(group, by_name)
    given = np.array([by_name[v.name].known_camera is not None for v in group.views])
    problem = Problem(
        ties=TiePoints(
            group.sparse.track_offsets,
            group.sparse.track_views.astype(np.int64),
            np.ascontiguousarray(group.sparse.track_pixels),
        ),
        marks=_mark_arrays(marks, row_of, index_of),
        priors=_priors(group, by_name, base, points, bars, kept, cameras, focal_sigma),
        view_camera=cameras,
        free=_free_at_first(cameras, given),
        tie_sigma_px=FIRST_TIE_SIGMA_PX,
    )
    return Setup(
        problem=problem,
        state=_state(group, base, cameras, kept, rough),
        frame=base.frame,
        views=group.views,
        kept=kept,
        mark_names=tuple((m.point, m.photo) for m in marks),
        positioned=np.asarray(np.isfinite(base.centre_sigma).all(axis=1)),
        stated_sigma_m=base.stated_sigma_m,
        control=points,
        bars=bars,
        scale_source=base.scale_source,
        warnings=(*base.warnings, *marked.notes),
    )


def _base(
    group: SfmGroup,
    photos: Sequence[PhotoInput],
    control: Control,
    points: Sequence[SurveyPoint],
    bars: Sequence[ScaleBar],
    rough: dict[str, FloatArray],
    vertical_datum: str,
    datum_note: str,
) -> _Base:
    source = np.array([rough[p.name] for p in points]).reshape(-1, 3)
    enough = len(points) >= MIN_CONTROL and georef.line_ratio(source) > georef.COLLINEAR_RATIO
    if enough:
        return _control_base(group, photos, control, points, source, vertical_datum)
    base = _position_base(group, photos, vertical_datum, datum_note)
    warnings = base.warnings
    if points and not enough:
        warnings = (
            *warnings,
            f"{len(points)} usable control point(s), or all on one line: at least three off one "
            "line are needed to place the scene by control",
        )
    if base.frame.kind == "enu":
        targets = _targets(points, base.frame)
        return replace(base, control_targets=targets, warnings=warnings)
    similarity, frame, scale_source = base.similarity, base.frame, "none"
    if bars:
        ratio = [b.length_m / float(np.linalg.norm(rough[b.a] - rough[b.b])) for b in bars]
        scale = float(np.median(ratio))
        similarity = Similarity(scale, similarity.rotation, scale * similarity.translation)
        frame = replace(frame, metric=True, note="place is arbitrary; scale from scale bars")
        scale_source = "scale_bar"
    return replace(
        base,
        similarity=similarity,
        frame=frame,
        scale_source=scale_source,
        control_targets=np.full((len(points), 3), np.nan),
        warnings=warnings,
    )


def _control_base(
    group: SfmGroup,
    photos: Sequence[PhotoInput],
    control: Control,
    points: Sequence[SurveyPoint],
    source: FloatArray,
    photo_datum: str,
) -> _Base:
    """The frame of the control points; camera positions come with a shift of their own."""
    elsewhere: tuple[str, ...] = ()
    if control.local:
        frame = Frame("local", None, control.vertical_datum, metric=True, note="the survey's own")
    else:
        elsewhere = control_place.require_not_exchanged(points, _trusted(photos))
        lat, lon, height = control_place.middle(points)
        origin = GeoPoint(round(lat, 5), round(lon, 5), float(np.floor(height)))
        frame = Frame("enu", origin, control.vertical_datum, metric=True)
    targets = _targets(points, frame)
    sigma = np.array([p.sigma_m for p in points])
    if len(points) > MIN_CONTROL:
        similarity, _ = georef.fit_similarity_robust(source, targets, sigma)
    else:
        similarity = georef.fit_similarity(source, targets)
    centres, centre_sigma, warnings = _camera_targets(group, photos, frame)
    if elsewhere:
        centre_sigma[:] = np.inf
    placed = similarity.points(np.array([view.centre_enu_m for view in group.views]))
    same_datum = photo_datum == control.vertical_datum
    shift = control_place.shift_against(
        placed, centres, centre_sigma, targets, same_datum=same_datum
    )
    return _Base(
        frame, similarity, centres, centre_sigma, centre_sigma, shift.sigma_m, targets, "gcp",
        (*warnings, *elsewhere, *shift.warnings),
    )  # fmt: skip


def _trusted(photos: Sequence[PhotoInput]) -> list[PhotoInput]:
    """The photos whose positions can be right."""
    wrong = georef.suspicious_positions(photos)
    return [photo for photo in photos if photo.name not in wrong]


def _position_base(
    group: SfmGroup, photos: Sequence[PhotoInput], vertical_datum: str, datum_note: str
) -> _Base:
    placed = georef.placement(group, photos)
    frame = placed.frame
    if frame.kind == "enu":
        frame = replace(frame, vertical_datum=vertical_datum, note=datum_note)
    centres, sigma, _ = _camera_targets(group, photos, frame)
    bias = np.zeros(3)
    stated = sigma.copy() if placed.used else np.full_like(sigma, np.inf)
    used = np.isin([v.name for v in group.views], [p.name for p in placed.used])
    sigma[~used] = np.inf
    if placed.used:
        bias = np.median(sigma[used], axis=0)
    firm = tuple(said for said in placed.warnings if said not in placed.doubts)
    return _Base(
        frame, placed.similarity, centres, sigma, stated, bias, np.zeros((0, 3)),
        georef.scale_source(placed.used), firm,
    )  # fmt: skip


def _camera_targets(
    group: SfmGroup, photos: Sequence[PhotoInput], frame: Frame
) -> tuple[FloatArray, FloatArray, list[str]]:
    """(n, 3) positions and sigmas per view (infinite: none), and what is wrong with some."""
    n = len(group.views)
    centres, sigma = np.zeros((n, 3)), np.full((n, 3), np.inf)
    wrong = georef.suspicious_positions(photos)
    by_name = {p.name: p for p in photos}
    if frame.origin is None:
        return centres, sigma, []
    enu = EnuFrame(frame.origin)
    for i, view in enumerate(group.views):
        photo = by_name[view.name]
        if photo.position is None or view.name in wrong:
            continue
        centres[i] = enu.enu_from_geodetic(_row(photo.position))
        sigma[i] = photo.position_sigma_m or georef.DEFAULT_GNSS_SIGMA_M
    return centres, sigma, [f"{name}: {what}; not used" for name, what in wrong.items()]


def _row(at: GeoPoint | None) -> FloatArray:
    assert at is not None
    return np.array([at.lat_deg, at.lon_deg, at.alt_ellipsoid_m])


def _targets(points: Sequence[SurveyPoint], frame: Frame) -> FloatArray:
    """(k, 3) surveyed coordinates in the frame."""
    return np.array([target(p, frame) for p in points]).reshape(-1, 3)


def target(point: SurveyPoint, frame: Frame) -> FloatArray:
    """(3,) a surveyed point in the frame; NaN where it has no place in it."""
    if point.local_m is not None:
        local = frame.kind == "local" and frame.vertical_datum == "local survey"
        return np.array(point.local_m) if local else np.full(3, np.nan)
    if frame.origin is None:
        return np.full(3, np.nan)
    return EnuFrame(frame.origin).enu_from_geodetic(_row(point.position))


def _camera_rows(group: SfmGroup, by_name: dict[str, PhotoInput]) -> IntArray:
    """(n,) which physical camera took each view, numbered from 0."""
    keys = [
        (p.camera_key, p.width_px, p.height_px, p.known_camera)
        for p in (by_name[v.name] for v in group.views)
    ]
    order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], dtype=np.int64)


def _free_at_first(cameras: IntArray, given: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Focal length and first radial term of the cameras that were not given."""
    free = np.zeros((int(cameras.max()) + 1, 12), dtype=bool)
    for camera in np.unique(cameras[~given]):
        free[camera, [0, 4]] = True
    return free


def _mark_arrays(marks: Sequence[Mark], row_of: dict[str, int], index_of: dict[str, int]) -> Marks:
    if not marks:
        return Marks()
    return Marks(
        points=np.array([row_of[m.point] for m in marks], dtype=np.int64),
        views=np.array([index_of[m.photo] for m in marks], dtype=np.int64),
        pixels=np.array([(m.x_px, m.y_px) for m in marks]),
        sigma_px=np.array([m.sigma_px for m in marks]),
    )


def _priors(
    group: SfmGroup,
    by_name: dict[str, PhotoInput],
    base: _Base,
    points: Sequence[SurveyPoint],
    bars: Sequence[ScaleBar],
    kept: tuple[str, ...],
    cameras: IntArray,
    focal_sigma: float,
) -> Priors:
    row_of = {name: i for i, name in enumerate(kept)}
    prior_points, point_sigma = np.zeros((len(kept), 3)), np.full((len(kept), 3), np.inf)
    for point, at in zip(points, base.control_targets, strict=True):
        if np.isfinite(at).all():
            prior_points[row_of[point.name]] = at
            point_sigma[row_of[point.name]] = point.sigma_m
    intrinsics = np.zeros((int(cameras.max()) + 1, 12))
    intrinsics_sigma = np.full(intrinsics.shape, np.inf)
    for view, camera in zip(group.views, cameras, strict=True):
        photo = by_name[view.name]
        intrinsics[camera], intrinsics_sigma[camera] = _lens_prior(photo, focal_sigma)
    has_positions = bool(np.isfinite(base.centre_sigma).any())
    return Priors(
        centres=base.centres,
        centre_sigma=base.centre_sigma,
        bias_sigma=base.bias_sigma if has_positions else np.zeros(3),
        points=prior_points,
        point_sigma=point_sigma,
        bars=np.array([(row_of[b.a], row_of[b.b]) for b in bars], dtype=np.int64).reshape(-1, 2),
        bar_length=np.array([b.length_m for b in bars]),
        bar_sigma=np.array([b.sigma_m for b in bars]),
        intrinsics=intrinsics,
        intrinsics_sigma=intrinsics_sigma,
    )


def _lens_prior(photo: PhotoInput, focal_sigma: float) -> tuple[FloatArray, FloatArray]:
    """(12,) what a lens usually is, and its deviations."""
    mean = np.zeros(12)
    mean[:4] = photo.focal_prior_px or 0.0, 1.0, photo.width_px / 2.0, photo.height_px / 2.0
    sigma = np.full(12, np.inf)
    if photo.focal_prior_px is not None:
        sigma[0] = focal_sigma * photo.focal_prior_px
    sigma[1] = ASPECT_SIGMA
    sigma[2:4] = PRINCIPAL_SIGMA * max(photo.width_px, photo.height_px)
    sigma[4:9] = DISTORTION_SIGMA
    return mean, sigma


def _state(
    group: SfmGroup,
    base: _Base,
    cameras: IntArray,
    kept: tuple[str, ...],
    rough: dict[str, FloatArray],
) -> State:
    similarity = base.similarity
    poses = np.array([similarity.cam_from_target(v.cam_from_enu) for v in group.views])
    rotations = np.ascontiguousarray(poses[:, :, :3])
    intrinsics = np.zeros((int(cameras.max()) + 1, 12))
    for view, camera in zip(group.views, cameras, strict=True):
        intrinsics[camera] = intrinsics_row(view.camera)
    centres = -np.einsum("nji,nj->ni", rotations, poses[:, :, 3])
    used = np.isfinite(base.centre_sigma).all(axis=1) & bool((base.bias_sigma > 0).any())
    shift = np.median((base.centres - centres)[used], axis=0) if used.any() else np.zeros(3)
    return State(
        rotations=rotations,
        centres=centres,
        intrinsics=intrinsics,
        points=np.ascontiguousarray(similarity.points(group.sparse.points_enu_m)),
        kept=similarity.points(np.array([rough[n] for n in kept]).reshape(-1, 3)),
        bias=shift,
    )


def sparse_cloud(problem: Problem, state: State, colors: NDArray[np.uint8]) -> SparseCloud:
    """The adjusted tie points as the scene keeps them."""
    return SparseCloud(
        points_enu_m=state.points,
        colors=colors,
        track_offsets=problem.ties.offsets,
        track_views=problem.ties.views.astype(np.int32),
        track_pixels=problem.ties.pixels,
    )
