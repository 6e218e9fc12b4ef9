"""Placing a reconstruction on the earth: similarity, robust fit, residuals, degenerate cases.

Everything here is pure.  A reconstruction comes in a frame of arbitrary place, direction and
scale; positions of its cameras (or of control points) give the similarity to local
east-north-up.  Where the positions leave something open (cameras on one line, no position at
all), the gimbal angles or level horizons close what they can and the frame's note says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from droneteam.geo import EnuFrame, GeoPoint, great_circle_distance_m
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.ingest.photo_words import told
from droneteam.photogrammetry.scene import (
    Accuracy,
    CameraNetwork,
    FloatArray,
    Frame,
    SparseCloud,
    View,
)

DEFAULT_GNSS_SIGMA_M = (3.0, 3.0, 6.0)
"""Consumer GNSS without stated deviations (GPS SPS Performance Standard 2020, 95 % ≤ 8 / 13 m)."""
RTK_SIGMA_M = 0.2
"""A stated horizontal deviation below this means a fixed or float carrier-phase solution."""
COLLINEAR_RATIO = 0.02
"""Spread across a line of positions over the spread along it, below which the roll is open."""
MIN_SPREAD = 1.5
"""Spread of the cameras over the positions' deviation, below which they give no scale."""
CLEAR_MAJORITY = 2.0 / 3.0
"""Share of positions that agree; with fewer, those that agree may as well be the wrong ones."""
SPLIT_M = 1.0
"""Beyond what an unadjusted block bends by."""
MIN_FOR_MIRROR = 5
MIRROR_RATIO = 0.1
"""Spread across over spread along, above which a mirror image is another shape."""
MIRROR_MISFIT = 2.0
"""How many times worse the positions as given must fit than the exchanged ones."""
FITS = 3.0
"""Median residual over deviation of positions that are right: 1.5 for Gaussian errors."""
FAR_FROM_OTHERS_M = 20_000.0
"""A photo this far from the median of the others does not belong to the same scene."""


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """target = scale · rotation · source + translation."""

    scale: float
    rotation: FloatArray
    translation: FloatArray

    def points(self, source: FloatArray) -> FloatArray:
        """(n, 3) transformed points."""
        return np.asarray(self.scale * source @ self.rotation.T + self.translation)

    def cam_from_target(self, cam_from_source: FloatArray) -> FloatArray:
        """The (3, 4) pose with respect to the target frame; translations in its units."""
        rotation = cam_from_source[:, :3] @ self.rotation.T
        translation = self.scale * cam_from_source[:, 3] - rotation @ self.translation
        return np.column_stack([rotation, translation])


def fit_similarity(
    source: FloatArray, target: FloatArray, weights: FloatArray | None = None
) -> Similarity:
    """The least-squares similarity (Umeyama, PAMI 13(4), 1991, eq. 34-43).

    source, target : (n, 3), n ≥ 2 distinct points; weights : (n,) non-negative.
    """
    w = np.ones(len(source)) if weights is None else np.asarray(weights, dtype=np.float64)
    w = w / w.sum()
    mean_s, mean_t = w @ source, w @ target
    s, t = source - mean_s, target - mean_t
    u, d, vt = np.linalg.svd((t * w[:, None]).T @ s)
    sign = np.array([1.0, 1.0, math.copysign(1.0, np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = float((d * sign).sum() / (w @ (s**2).sum(axis=1)))
    return Similarity(scale, rotation, mean_t - scale * rotation @ mean_s)


def fit_similarity_robust(
    source: FloatArray, target: FloatArray, sigma_m: FloatArray
) -> tuple[Similarity, NDArray[np.bool_]]:
    """A similarity that a minority of wrong points cannot bend, and which points it rests on.

    Least median of squares over triples (all of them, or 500 spread evenly over all), then
    least squares over the points within 4 sigma or 2.5 robust deviations (Rousseeuw & Leroy
    1987, ch. 5).

    sigma_m : (n, 3) of the targets.
    """
    n = len(source)
    best, best_median = fit_similarity(source, target), math.inf
    for triple in _triples(n):
        rows = list(triple)
        if line_ratio(source[rows]) < COLLINEAR_RATIO and n > 3:
            continue
        candidate = fit_similarity(source[rows], target[rows])
        score = _normalised(candidate, source, target, sigma_m)
        median = float(np.median(score))
        if median < best_median:
            best, best_median = candidate, median
    inliers = np.ones(n, dtype=bool)
    for _ in range(3):
        score = _normalised(best, source, target, sigma_m)
        limit = max(4.0, 2.5 * 1.4826 * float(np.median(score)))
        inliers = score <= limit
        if np.count_nonzero(inliers) < 3:
            inliers = np.ones(n, dtype=bool)
        weights = 1.0 / (sigma_m[inliers] ** 2).mean(axis=1)
        best = fit_similarity(source[inliers], target[inliers], weights)
    return best, inliers


def _triples(n: int, limit: int = 500) -> list[tuple[int, int, int]]:
    """At most `limit` index triples, spread evenly over all of them; the same every time."""
    count = math.comb(n, 3)
    if count <= limit:
        return [(i, j, k) for i in range(n) for j in range(i + 1, n) for k in range(j + 1, n)]
    generator = np.random.default_rng(n)
    rows = (generator.choice(n, 3, replace=False) for _ in range(limit))
    return [(int(a), int(b), int(c)) for a, b, c in rows]


def _normalised(
    similarity: Similarity, source: FloatArray, target: FloatArray, sigma_m: FloatArray
) -> FloatArray:
    """(n,) residual lengths over their sigma."""
    residuals = (similarity.points(source) - target) / sigma_m
    return np.asarray(np.linalg.norm(residuals, axis=1))


def line_ratio(points: FloatArray) -> float:
    """Second over first singular value of the centred points: 0 on a line, 1 in a square."""
    if len(points) < 3:
        return 0.0
    values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return float(values[1] / values[0]) if values[0] > 0 else 0.0


def enu_from_cam_rotation(gimbal_deg: tuple[float, float, float]) -> FloatArray:
    """The (3, 3) rotation from camera axes to ENU for yaw, pitch, roll.

    A level camera looking north has its x axis east and its y axis down; roll turns the camera
    clockwise seen along its view.
    """
    yaw, pitch, roll = np.radians(gimbal_deg)
    forward = np.array(
        [math.cos(pitch) * math.sin(yaw), math.cos(pitch) * math.cos(yaw), math.sin(pitch)]
    )
    right = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    down = np.cross(forward, right)
    rolled_right = math.cos(roll) * right + math.sin(roll) * down
    return np.column_stack([rolled_right, np.cross(forward, rolled_right), forward])


def suspicious_positions(photos: Sequence[PhotoInput]) -> dict[str, str]:
    """Photos whose position cannot be right, with what is wrong: 0/0, swapped, far away."""
    known = [(p.name, p.position) for p in photos if p.position is not None]
    wrong = {
        name: "position is 0/0: the receiver had no fix"
        for name, at in known
        if abs(at.lat_deg) < 1e-6 and abs(at.lon_deg) < 1e-6
    }
    rest = [(name, at) for name, at in known if name not in wrong]
    if len(rest) < 3:
        return wrong
    lat = float(np.median([at.lat_deg for _, at in rest]))
    lon = float(np.median([at.lon_deg for _, at in rest]))
    for name, at in rest:
        distance_m = great_circle_distance_m(at.lat_deg, at.lon_deg, lat, lon)
        if distance_m < FAR_FROM_OTHERS_M:
            continue
        wrong[name] = f"position lies {distance_m / 1000.0:.0f} km from the other photos'"
        swapped = abs(at.lon_deg) <= 90.0 and (
            great_circle_distance_m(at.lon_deg, at.lat_deg, lat, lon) < FAR_FROM_OTHERS_M
        )
        if swapped:
            wrong[name] += "; latitude and longitude look swapped"
    return wrong


def all_swapped(views: Sequence[View], photos: Sequence[PhotoInput]) -> bool:
    """Whether the photos' positions fit the scene only with latitude and longitude exchanged.

    Exchanged, they are the true ones mirrored and stretched; no rotation brings them in line.
    """
    wrong = suspicious_positions(photos)
    known = {p.name: p for p in photos if p.position is not None and p.name not in wrong}
    used = [view for view in views if view.name in known]
    rows = _geodetic([known[view.name] for view in used])
    if len(used) < MIN_FOR_MIRROR or np.abs(rows[:, 1]).max() > 90.0:
        return False
    source = np.array([view.centre_enu_m for view in used])
    sigma = np.array([known[v.name].position_sigma_m or DEFAULT_GNSS_SIGMA_M for v in used])
    misfits = []
    for geodetic in (rows, rows[:, [1, 0, 2]]):
        target = EnuFrame(GeoPoint(*map(float, geodetic[0]))).enu_from_geodetic(geodetic)
        if line_ratio(target) < MIRROR_RATIO:
            return False
        fitted, _ = fit_similarity_robust(source, target, sigma)
        misfits.append(float(np.median(_normalised(fitted, source, target, sigma))))
    as_given, exchanged = misfits
    return exchanged < FITS and as_given > MIRROR_MISFIT * exchanged


def place(
    sfm: SfmResult,
    photos: Sequence[PhotoInput],
    *,
    vertical_datum: str = "WGS84 ellipsoid",
    datum_note: str = "",
) -> CameraNetwork:
    """The largest group's network in ENU from camera positions, or in a levelled local frame.

    The heights of the photos' positions are taken to be above `vertical_datum`, and the frame
    says so.  Use adjust.adjust for metric work; this is its starting point.
    """
    group = sfm.groups[0]
    placed = placement(group, photos)
    frame, similarity, used = placed.frame, placed.similarity, placed.used
    if frame.kind == "enu":
        frame = replace(frame, vertical_datum=vertical_datum, note=datum_note)
    sigma = _frame_sigma(used) if frame.kind == "enu" else None
    accuracy = Accuracy(
        reprojection_px=group.reprojection_px,
        scale_source=scale_source(used),
        vertical_scale_determined=None,
        sigma_frame_m=sigma,
        warnings=placed.warnings,
    )
    return CameraNetwork(
        views=tuple(_placed(view, similarity) for view in group.views),
        sparse=_placed_cloud(group.sparse, similarity),
        frame=frame,
        accuracy=accuracy,
        unregistered=sfm.unregistered,
        groups=tuple(tuple(v.name for v in g.views) for g in sfm.groups[1:]),
    )


def _placed(view: View, similarity: Similarity) -> View:
    return replace(view, cam_from_enu=similarity.cam_from_target(view.cam_from_enu))


def _placed_cloud(cloud: SparseCloud, similarity: Similarity) -> SparseCloud:
    return replace(cloud, points_enu_m=similarity.points(cloud.points_enu_m))


@dataclass(frozen=True, slots=True, eq=False)
class Placement:
    """A group's frame and the similarity into it, from the positions of `used` photos.

    doubts : those of the warnings that an adjusted network may take back (doubted.py).
    """

    frame: Frame
    similarity: Similarity
    used: tuple[PhotoInput, ...] = ()
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def placement(group: SfmGroup, photos: Sequence[PhotoInput]) -> Placement:
    """Where the camera positions put the group; a levelled local frame when they cannot."""
    wrong = suspicious_positions(photos)
    named = tuple(f"{name}: {what}; not used" for name, what in wrong.items())
    by_name = {p.name: p for p in photos}
    rows = [
        (view, by_name[view.name])
        for view in group.views
        if view.name not in wrong and by_name[view.name].position is not None
    ]
    centres = np.array([view.centre_enu_m for view, _ in rows]).reshape(-1, 3)
    if len(rows) < 2 or float(np.ptp(centres, axis=0).max(initial=0.0)) <= 0.0:
        why = "fewer than two photos carry a usable position; the frame is local, without scale"
        return Placement(*_local(group, by_name), (), (*named, why))
    origin = _middle([p for _, p in rows])
    target = EnuFrame(origin).enu_from_geodetic(_geodetic([p for _, p in rows]))
    sigma = np.array([p.position_sigma_m or DEFAULT_GNSS_SIGMA_M for _, p in rows])
    similarity, inliers = _fit(centres, target, sigma)
    spread = similarity.scale * float(np.linalg.norm(centres[inliers].std(axis=0)))
    if spread < MIN_SPREAD * float(np.median(np.linalg.norm(sigma, axis=1))):
        why = "the photos' positions lie within their own uncertainty; the frame is local"
        return Placement(*_local(group, by_name), (), (*named, why))
    doubts = contradicting(
        [photo.name for (_, photo), good in zip(rows, inliers, strict=True) if not good]
    )
    doubts += split(similarity.points(centres) - target, inliers)
    warnings = [*named, *doubts]
    if line_ratio(centres[inliers]) < COLLINEAR_RATIO:
        similarity = _levelled(similarity, group, by_name, target.mean(axis=0))
        warnings.append(
            "the cameras lie on one line: their positions leave the tilt about it open; "
            "it is taken from the gimbal angles or level horizons"
        )
    origin, similarity = _ground_origin(origin, similarity, group)
    used = tuple(photo for (_, photo), good in zip(rows, inliers, strict=True) if good)
    frame = Frame("enu", origin, "", metric=True)
    return Placement(frame, similarity, used, tuple(warnings), tuple(doubts))


def contradicting(names: Sequence[str]) -> list[str]:
    """What is said of photos whose position no other confirms."""
    what = "position contradicts the other photos'; not used"
    many = "the positions of {n} photos contradict the others'; not used ({names})"
    return told([(name, what) for name in names], many=many)


def split(off_m: FloatArray, inliers: NDArray[np.bool_]) -> list[str]:
    """Words where the positions are of two minds.

    off_m : (n, 3) how far each lies from its camera; inliers : (n,) those that agree.  A block
    that bends before it is adjusted leaves positions out, too, but none far away.
    """
    far = ~inliers & (np.linalg.norm(off_m, axis=1) > SPLIT_M)
    if np.mean(~far) >= CLEAR_MAJORITY:
        return []
    return [
        f"{int(far.sum())} of {len(far)} positions contradict the others: which of them are right "
        "only a control point or a known length can tell; check one"
    ]


def _fit(
    centres: FloatArray, target: FloatArray, sigma: FloatArray
) -> tuple[Similarity, NDArray[np.bool_]]:
    if len(centres) < 4:
        return fit_similarity(centres, target), np.ones(len(centres), dtype=bool)
    return fit_similarity_robust(centres, target, sigma)


def _geodetic(photos: Sequence[PhotoInput]) -> FloatArray:
    at = [p.position for p in photos if p.position is not None]
    return np.array([(p.lat_deg, p.lon_deg, p.alt_ellipsoid_m) for p in at])


def _middle(photos: Sequence[PhotoInput]) -> GeoPoint:
    """The median position, rounded so that it is short to write down."""
    lat, lon, alt = np.median(_geodetic(photos), axis=0)
    return GeoPoint(round(float(lat), 5), round(float(lon), 5), round(float(alt), 0))


def _ground_origin(
    origin: GeoPoint, similarity: Similarity, group: SfmGroup
) -> tuple[GeoPoint, Similarity]:
    """The same frame with its origin lowered to the median tie point's height, to a metre."""
    if not len(group.sparse.points_enu_m):
        return origin, similarity
    up = float(np.round(np.median(similarity.points(group.sparse.points_enu_m)[:, 2])))
    shifted = GeoPoint(origin.lat_deg, origin.lon_deg, origin.alt_ellipsoid_m + up)
    return shifted, replace(similarity, translation=similarity.translation - [0.0, 0.0, up])


def _local(group: SfmGroup, by_name: dict[str, PhotoInput]) -> tuple[Frame, Similarity]:
    """A levelled frame about the middle of the tie points, in the reconstruction's scale."""
    rotation = _rotation_between(_up(group, by_name), np.array([0.0, 0.0, 1.0]))
    points = group.sparse.points_enu_m
    middle = np.median(points, axis=0) if len(points) else np.zeros(3)
    frame = Frame("local", None, "none", metric=False, note="scale and place are arbitrary")
    return frame, Similarity(1.0, rotation, -rotation @ middle)


def _levelled(
    similarity: Similarity, group: SfmGroup, by_name: dict[str, PhotoInput], pivot: FloatArray
) -> Similarity:
    """The similarity turned about the line of cameras so that up points up."""
    centres = similarity.points(np.array([v.centre_enu_m for v in group.views]))
    axis = np.linalg.svd(centres - centres.mean(axis=0))[2][0]
    up = similarity.rotation @ _up(group, by_name)
    u = up - axis * (up @ axis)
    z = np.array([0.0, 0.0, 1.0]) - axis * axis[2]
    if np.linalg.norm(u) < 1e-6 or np.linalg.norm(z) < 1e-6:
        return similarity
    turn = _rotation_between(u / np.linalg.norm(u), z / np.linalg.norm(z))
    rotation = turn @ similarity.rotation
    return Similarity(similarity.scale, rotation, pivot + turn @ (similarity.translation - pivot))


def _up(group: SfmGroup, by_name: dict[str, PhotoInput]) -> FloatArray:
    """Unit up direction in the group's frame: from gimbal angles, else from level horizons.

    Without angles a photographer's horizon is taken to be level: up is the direction most nearly
    perpendicular to all image x axes (Szeliski, IJCV 2006, "up vector").
    """
    ups = [
        v.cam_from_enu[:, :3].T @ enu_from_cam_rotation(angles).T @ np.array([0.0, 0.0, 1.0])
        for v in group.views
        if (angles := by_name[v.name].gimbal_deg) is not None
    ]
    if ups:
        mean = np.median(np.array(ups), axis=0)
        return np.asarray(mean / np.linalg.norm(mean))
    right = np.array([v.cam_from_enu[0, :3] for v in group.views])
    down = np.array([v.cam_from_enu[1, :3] for v in group.views])
    forward = np.array([v.cam_from_enu[2, :3] for v in group.views])
    values, vectors = np.linalg.eigh(right.T @ right)
    # All x axes alike (one strip, or level photos of one wall): take the mean image "up".
    up = vectors[:, 0] if values[1] > 0.02 * values[2] else -down.mean(axis=0)
    reference = -(down + forward).mean(axis=0)
    up = up if up @ reference >= 0 else -up
    return np.asarray(up / np.linalg.norm(up))


def _rotation_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """The smallest rotation that takes unit vector a to unit vector b."""
    cross, cosine = np.cross(a, b), float(a @ b)
    if cosine < -1.0 + 1e-12:
        other = np.eye(3)[int(np.argmin(np.abs(a)))]
        axis = np.cross(a, other)
        axis /= np.linalg.norm(axis)
        return np.asarray(2.0 * np.outer(axis, axis) - np.eye(3))
    x, y, z = cross
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1.0 + cosine))


def _frame_sigma(used: Sequence[PhotoInput]) -> tuple[float, float, float]:
    """1-sigma of the placement: a flight's GNSS errors are alike, so they do not average out."""
    rows = np.array([p.position_sigma_m or DEFAULT_GNSS_SIGMA_M for p in used])
    east, north, up = (float(s) for s in np.median(rows, axis=0))
    return east, north, up


def scale_source(used: Sequence[PhotoInput]) -> str:
    """What the scale rests on when it comes from these photos' positions."""
    if not used:
        return "none"
    sigma = [(p.position_sigma_m or DEFAULT_GNSS_SIGMA_M)[0] for p in used]
    return "rtk" if float(np.median(sigma)) < RTK_SIGMA_M else "gnss"
