"""Photos that structure from motion put in the wrong place, found by their own positions; pure.

A scene that repeats itself (lane markings, paving) can make a photo fit where it was never taken;
its pixels agree, its receiver does not.  Such a view spoils every measurement that uses it.

A receiver errs by a few metres, too, and then it is the position that is wrong.  Where a photo
shows most of the same ground at both places, the true matches are among those that it was placed
by: a look-alike would have to repeat itself within the photo and win against the thing itself in
every one of its neighbours.  Such a photo that is tied about as well as others stays, and its
position does not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras import georef
from droneteam.photogrammetry.cameras.georef import Similarity
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.scene import FloatArray, SparseCloud, View

MIN_POSITIONS = 6
"""With fewer, one wrong photo cannot be told from a wrong majority."""
NEIGHBOURS = 8
"""A block bends before it is adjusted, neighbours alike: each photo is compared with these."""
LIMIT = 8.0
"""Deviations from the neighbours beyond which a photo is misplaced; Gaussian noise reaches 5 once
in 100,000 photos."""
LEAST_SIGMA = 0.5
"""Share of the stated deviation that is never undercut: a receiver's errors are alike within a
flight, and part of the stated one is a shift that all photos share."""
MIN_DISTANCE_M = 1.0
MIN_TRACK = 2
CLEARLY_NEARER = 0.5
"""Share of the old distance that a new pose must keep below."""
SAME_GROUND = 0.4
"""Share of the narrower side of a photo's ground by which a position may lie off, for the photo to
show most of the same ground there."""
USUAL_TIES = 0.3
"""Share of the photos' usual number of observations that a well-tied photo has at least."""
MIN_NEIGHBOURS = 3
"""Photos with which a well-tied photo shares tracks."""
OUTSIDE = 0.25
"""How far beyond the other photos, over their extent, a misplaced photo can have been taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Misplaced:
    """A view that lies elsewhere than its receiver.

    distance_m : between the two.  into_enu : from the views' frame to the receivers'.
    expected_m : (3,) where the receiver and its neighbours put the view, in theirs; limit_m : (3,)
    how far along each axis a right one may lie from it.
    """

    distance_m: float
    into_enu: Similarity
    expected_m: FloatArray
    limit_m: FloatArray

    def resolved_by(self, centre: FloatArray) -> bool:
        """Whether a projection centre in the views' frame is where the receiver was."""
        off = self.into_enu.points(centre[None])[0] - self.expected_m
        within = (np.abs(off) <= self.limit_m).all() or np.linalg.norm(off) <= MIN_DISTANCE_M
        return bool(within and np.linalg.norm(off) < CLEARLY_NEARER * self.distance_m)


def without_misplaced(sfm: SfmResult, photos: Sequence[PhotoInput]) -> SfmResult:
    """The result without the largest group's misplaced views, each named with its distance.

    Those stay whose position it is that errs.
    """
    if not sfm.groups:
        return sfm
    group, wrong = sfm.groups[0], wrong_positions_m(sfm, photos)
    found = {n: m for n, m in misplaced_m(group.views, photos).items() if n not in wrong}
    if not found:
        return sfm
    reasons = tuple(
        (name, f"placed {distance_m:.1f} m from where its receiver was; left out")
        for name, distance_m in found.items()
    )
    return replace(
        sfm,
        groups=(without_views(group, frozenset(found)), *sfm.groups[1:]),
        unregistered=(*sfm.unregistered, *reasons),
    )


def wrong_positions_m(sfm: SfmResult, photos: Sequence[PhotoInput]) -> dict[str, float]:
    """How far the positions of the largest group's views lie off, of those that err themselves."""
    if not sfm.groups:
        return {}
    group = sfm.groups[0]
    return {
        name: found.distance_m
        for name, found in find_misplaced(group.views, photos).items()
        if _is_well_tied(group, name, found)
    }


def _is_well_tied(group: SfmGroup, name: str, found: Misplaced) -> bool:
    """Whether a view shows most of the same ground at both places, and hangs well in its group."""
    index = next(i for i, view in enumerate(group.views) if view.name == name)
    view, cloud = group.views[index], group.sparse
    counts = np.bincount(cloud.track_views, minlength=len(group.views))
    if counts[index] < max(1.0, USUAL_TIES * float(np.median(counts))):
        return False
    track = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    own = np.unique(track[cloud.track_views == index])
    if len(np.unique(cloud.track_views[np.isin(track, own)])) <= MIN_NEIGHBOURS:
        return False
    depths = cloud.points_enu_m[own] @ view.cam_from_enu[2, :3] + view.cam_from_enu[2, 3]
    narrower_px = min(view.camera.width_px, view.camera.height_px)
    ground = float(np.median(depths)) * narrower_px / float(np.mean(view.camera.focal_px))
    return found.distance_m < SAME_GROUND * found.into_enu.scale * ground


def misplaced_m(views: Sequence[View], photos: Sequence[PhotoInput]) -> dict[str, float]:
    """How far the views lie from their positions, of those that lie much too far."""
    return {name: found.distance_m for name, found in find_misplaced(views, photos).items()}


def find_misplaced(views: Sequence[View], photos: Sequence[PhotoInput]) -> dict[str, Misplaced]:
    """The views that lie much farther from their receivers than their neighbours do.

    A receiver that was outside the scene that its photo shows is wrong itself; such positions are
    left to the placement, which does not use them.
    """
    wrong = georef.suspicious_positions(photos)
    known = {p.name: p for p in photos if p.position is not None and p.name not in wrong}
    used = [view for view in views if view.name in known]
    if len(used) < MIN_POSITIONS:
        return {}
    source = np.array([view.centre_enu_m for view in used])
    target, sigma = _targets([known[view.name] for view in used])
    if georef.line_ratio(target) < georef.COLLINEAR_RATIO:
        return {}
    similarity, _ = georef.fit_similarity_robust(source, target, sigma)
    placed = similarity.points(source)
    off, limit_m = _off_neighbours(placed - target, target, sigma)
    far = (np.abs(off) / limit_m > 1.0).any(axis=1)
    far &= np.linalg.norm(off, axis=1) > MIN_DISTANCE_M
    far &= _within_others(target, ~far)
    return {
        used[i].name: Misplaced(
            float(np.linalg.norm(off[i])), similarity, placed[i] - off[i], limit_m[i]
        )
        for i in np.flatnonzero(far)
    }


def _off_neighbours(
    residual_m: FloatArray, target: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(n, 3) residuals beyond the median of the nearest others', and the limit for each."""
    _, nearest = cKDTree(target).query(target, k=min(NEIGHBOURS + 1, len(target)))
    off = residual_m - np.median(residual_m[nearest[:, 1:]], axis=1)
    usual = 1.4826 * np.median(np.abs(off), axis=0)
    return off, LIMIT * np.maximum(LEAST_SIGMA * sigma, usual)


def _within_others(target: FloatArray, others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) which positions lie where the others' do, with a margin."""
    if not others.any():
        return others
    low, high = target[others].min(axis=0), target[others].max(axis=0)
    margin = OUTSIDE * float((high - low)[:2].max())
    return np.asarray(((target >= low - margin) & (target <= high + margin)).all(axis=1))


def _targets(photos: Sequence[PhotoInput]) -> tuple[FloatArray, FloatArray]:
    positions = [photo.position for photo in photos if photo.position is not None]
    rows = np.array([[p.lat_deg, p.lon_deg, p.alt_ellipsoid_m] for p in positions])
    target = EnuFrame(positions[0]).enu_from_geodetic(rows)
    sigma = [photo.position_sigma_m or georef.DEFAULT_GNSS_SIGMA_M for photo in photos]
    return target, np.array(sigma, dtype=np.float64)


def without_views(group: SfmGroup, names: frozenset[str]) -> SfmGroup:
    """The group without these views; tracks that are left in one view go too."""
    keep = np.array([view.name not in names for view in group.views])
    views = tuple(view for view in group.views if view.name not in names)
    return replace(group, views=views, sparse=_without(group.sparse, keep))


def _without(sparse: SparseCloud, keep: NDArray[np.bool_]) -> SparseCloud:
    number = np.cumsum(keep) - 1
    track = np.repeat(np.arange(len(sparse.points_enu_m)), np.diff(sparse.track_offsets))
    stays = keep[sparse.track_views]
    length = np.bincount(track[stays], minlength=len(sparse.points_enu_m))
    long = length >= MIN_TRACK
    stays &= long[track]
    return SparseCloud(
        points_enu_m=sparse.points_enu_m[long],
        colors=sparse.colors[long],
        track_offsets=np.concatenate([[0], np.cumsum(length[long])]).astype(np.int64),
        track_views=number[sparse.track_views[stays]].astype(np.int32),
        track_pixels=sparse.track_pixels[stays],
    )
