"""A second try for photos that structure from motion put in the wrong place; pure.

Where a scene repeats itself, the matches of a photo split into two camps: those with its true
neighbours and those with their look-alikes.  The larger camp won; the receiver says that the other
one is right.  The photo is resected from the camp whose pose lies where the receiver was, and from
nothing else: a pose without matches that carry it is never made from a position alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras import mapping
from droneteam.photogrammetry.cameras.features import VerifiedPair
from droneteam.photogrammetry.cameras.misplaced import Misplaced, find_misplaced, without_views
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup
from droneteam.photogrammetry.scene import FloatArray, SparseCloud, View

IntArray = NDArray[np.int64]

INLIER_PX = 4.0
"""COLMAP's own limit for an observation of a track."""
MIN_INLIERS = 30
"""COLMAP's own least number of inliers of a registered photo."""
MIN_PARTNERS = 2
"""Photos the inliers must be shared with: one alone may itself be the look-alike."""
CAMPS = 3
"""How many poses are tried, each without the matches of those before it."""
RANSAC_ITERATIONS = 2000
RANSAC_CONFIDENCE = 0.9999


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Pixels of one photo and the tracks that its matches tie them to.

    pixels : (m, 2); tracks : (m,) rows of the cloud; partners : (m,) views that share the match.
    """

    pixels: FloatArray
    tracks: IntArray
    partners: IntArray


def reregistered(
    group: SfmGroup, photos: Sequence[PhotoInput], verified: Sequence[VerifiedPair]
) -> tuple[SfmGroup, tuple[str, ...]]:
    """The group with misplaced photos where their receivers were, if matches carry that; words.

    A photo without such matches stays as it is, for the adjustment to leave out.
    """
    notes = []
    for name, found in find_misplaced(group.views, photos).items():
        rest = without_views(group, frozenset([name]))
        view = next(v for v in group.views if v.name == name)
        index = next(i for i, p in enumerate(photos) if p.name == name)
        seen = sightings(index, rest, photos, verified)
        pose = resected(view, rest.sparse, seen, found)
        if pose is None:
            continue
        group = _with_view(rest, replace(view, cam_from_enu=pose), seen)
        notes.append(
            f"{name} was first placed {found.distance_m:.1f} m from where its receiver was (the "
            "place repeats itself) and has been placed again by its matches there"
        )
    return (_judged(group, photos, verified) if notes else group), tuple(notes)


def sightings(
    index: int, rest: SfmGroup, photos: Sequence[PhotoInput], verified: Sequence[VerifiedPair]
) -> Sightings:
    """What a photo's verified matches with the group's views say that it sees."""
    view_of = {view.name: i for i, view in enumerate(rest.views)}
    track_of = _tracks_by_pixel(rest.sparse)
    rows: list[tuple[float, float, int, int]] = []
    for pair in verified:
        if index not in (pair.first, pair.second):
            continue
        own, theirs = pair.pixels_first, pair.pixels_second
        other = pair.second
        if pair.second == index:
            own, theirs, other = theirs, own, pair.first
        partner = view_of.get(photos[other].name)
        if partner is None:
            continue
        for (x, y), pixel in zip(own, theirs, strict=True):
            track = track_of.get((partner, *_key(pixel)))
            if track is not None:
                rows.append((x, y, track, partner))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Sightings(table[:, :2], table[:, 2].astype(np.int64), table[:, 3].astype(np.int64))


def _key(pixel: FloatArray) -> tuple[int, int]:
    """A pixel to a thousandth: enough to tell keypoints apart and blind to storage as float32."""
    return round(1000.0 * float(pixel[0])), round(1000.0 * float(pixel[1]))


def _tracks_by_pixel(sparse: SparseCloud) -> Mapping[tuple[int, int, int], int]:
    owner = np.repeat(np.arange(len(sparse.points_enu_m)), np.diff(sparse.track_offsets))
    return {
        (int(view), *_key(pixel)): int(track)
        for view, pixel, track in zip(sparse.track_views, sparse.track_pixels, owner, strict=True)
    }


def resected(
    view: View, sparse: SparseCloud, seen: Sightings, found: Misplaced
) -> FloatArray | None:
    """The (3, 4) pose near the receiver that a camp of the sightings carries; None without one."""
    left = np.arange(len(seen.tracks))
    for _ in range(CAMPS):
        if len(left) < MIN_INLIERS:
            return None
        solved = _pose(view, sparse.points_enu_m[seen.tracks[left]], seen.pixels[left])
        if solved is None:
            return None
        pose, inliers = solved
        carried = left[inliers]
        if len(carried) < MIN_INLIERS:
            return None
        centre = -pose[:, :3].T @ pose[:, 3]
        partners = len(np.unique(seen.partners[carried]))
        if partners >= MIN_PARTNERS and found.resolved_by(centre):
            return pose
        left = np.setdiff1d(left, carried)
    return None


def _pose(view: View, points: FloatArray, pixels: FloatArray) -> tuple[FloatArray, IntArray] | None:
    """The pose that most points agree on (P3P in RANSAC, then least squares), and which do."""
    ok, turn, shift, inliers = cv2.solvePnPRansac(
        np.ascontiguousarray(points), np.ascontiguousarray(pixels),
        view.camera.matrix, view.camera.distortion,
        iterationsCount=RANSAC_ITERATIONS, reprojectionError=INLIER_PX,
        confidence=RANSAC_CONFIDENCE, flags=cv2.SOLVEPNP_AP3P,
    )  # fmt: skip
    if not ok or inliers is None or len(inliers) < MIN_INLIERS:
        return None
    chosen = inliers.ravel().astype(np.int64)
    turn, shift = cv2.solvePnPRefineLM(
        points[chosen], pixels[chosen], view.camera.matrix, view.camera.distortion, turn, shift
    )
    return np.column_stack([cv2.Rodrigues(turn)[0], shift.ravel()]), chosen


def _with_view(rest: SfmGroup, view: View, seen: Sightings) -> SfmGroup:
    """The group with the view, and its observations added to the tracks that it fits."""
    sparse = rest.sparse
    errors = np.linalg.norm(
        mapping.project(view, sparse.points_enu_m[seen.tracks]) - seen.pixels, axis=1
    )
    fits = np.flatnonzero(errors < INLIER_PX)  # NaN, behind the camera, is not
    best = fits[np.argsort(errors[fits], kind="stable")]
    _, first_of_track = np.unique(seen.tracks[best], return_index=True)
    rows = best[first_of_track]
    owner = np.repeat(np.arange(len(sparse.points_enu_m)), np.diff(sparse.track_offsets))
    owner = np.concatenate([owner, seen.tracks[rows]])
    order = np.argsort(owner, kind="stable")
    lengths = np.bincount(owner, minlength=len(sparse.points_enu_m))
    number = np.full(len(rows), len(rest.views))
    cloud = SparseCloud(
        points_enu_m=sparse.points_enu_m,
        colors=sparse.colors,
        track_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        track_views=np.concatenate([sparse.track_views, number])[order].astype(np.int32),
        track_pixels=np.concatenate([sparse.track_pixels, seen.pixels[rows]])[order],
    )
    return replace(rest, views=(*rest.views, view), sparse=cloud)


def _judged(
    group: SfmGroup, photos: Sequence[PhotoInput], verified: Sequence[VerifiedPair]
) -> SfmGroup:
    """The group with its figures counted anew."""
    index_of = {photo.name: i for i, photo in enumerate(photos)}
    views = {index_of[view.name]: view for view in group.views}
    agreeing, total = mapping.agreement(views, verified)
    errors = mapping.observation_errors(group.sparse, group.views)
    return replace(
        group,
        agreeing_matches=agreeing,
        verified_matches=total,
        reprojection_px=float(np.sqrt(np.nanmean(errors**2))),
    )
