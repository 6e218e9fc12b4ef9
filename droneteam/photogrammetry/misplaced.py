"""Photos that structure from motion put in the wrong place, found by their own positions; pure.

A scene that repeats itself (lane markings, paving) can make a photo fit where it was never taken;
its pixels agree, its receiver does not.  Such a view spoils every measurement that uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from droneteam.geo import EnuFrame
from droneteam.photogrammetry import georef
from droneteam.photogrammetry.scene import FloatArray, SparseCloud, View
from droneteam.photogrammetry.sfm_types import PhotoInput, SfmGroup, SfmResult

MIN_POSITIONS = 6
"""With fewer, one wrong photo cannot be told from a wrong majority."""
SIGMAS = 10.0
MEDIANS = 20.0
"""A block bends before it is adjusted, so the others' own residuals count too."""
MIN_DISTANCE_M = 1.0
MIN_TRACK = 2


def without_misplaced(sfm: SfmResult, photos: Sequence[PhotoInput]) -> SfmResult:
    """The result without the largest group's misplaced views, each named with its distance."""
    if not sfm.groups:
        return sfm
    group = sfm.groups[0]
    found = misplaced_m(group.views, photos)
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


def misplaced_m(views: Sequence[View], photos: Sequence[PhotoInput]) -> dict[str, float]:
    """How far the views lie from their positions, of those that lie much too far."""
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
    distance = np.linalg.norm(similarity.points(source) - target, axis=1)
    allowed = np.maximum(SIGMAS * np.linalg.norm(sigma, axis=1), MEDIANS * np.median(distance))
    far = distance > np.maximum(allowed, MIN_DISTANCE_M)
    return {view.name: float(distance[i]) for i, view in enumerate(used) if far[i]}


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
