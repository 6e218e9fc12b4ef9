"""Structure from motion: photos in, groups of oriented views and their tie points out.

The order is features → pairs → verified matches → mapping.  The first three are kept in a
database in the working folder and resumed; mapping is repeated.  The incremental mapper goes
first, above a hundred photos the global one; where that leaves photos out or contradicts verified
matches, the other gives a second opinion and the more consistent result is kept.  A photo that
ended up far from its receiver is placed again from the matches that agree with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras import features, mapping
from droneteam.photogrammetry.cameras.block_mapping import map_in_blocks
from droneteam.photogrammetry.cameras.features import FeatureDatabase, VerifiedPair
from droneteam.photogrammetry.cameras.georef import enu_from_cam_rotation, suspicious_positions
from droneteam.photogrammetry.cameras.match_pairs import choose_pairs, connected_groups
from droneteam.photogrammetry.cameras.reregister import reregistered
from droneteam.photogrammetry.cameras.sfm_types import (
    PhotoInput,
    Progress,
    SfmGroup,
    SfmParams,
    SfmResult,
)
from droneteam.photogrammetry.executor import Executor, LocalExecutor
from droneteam.photogrammetry.scene import FloatArray

__all__ = ["PhotoInput", "Progress", "SfmGroup", "SfmParams", "SfmResult", "reconstruct"]

MANY_BLOCKS = 1.5
"""Photos over a block's size beyond which blocks are made: two halves would not be worth it."""
FEW_FEATURES = 100
"""A photo with fewer features shows too little structure to be placed reliably."""


def reconstruct(
    photos: Sequence[PhotoInput],
    workdir: Path,
    params: SfmParams,
    progress: Progress = lambda stage, fraction, message: None,
    executor: Executor | None = None,
) -> SfmResult:
    """Groups of oriented views, the largest first, and why each other photo is in none.

    A group's frame is arbitrary in place, direction and scale.  Given calibrations are held
    fixed; other cameras are self-calibrated from their focal prior.

    Raises
    ------
    InputError
        Two photos share a name.
    """
    _check_names(photos)
    if len(photos) < 2:
        return SfmResult((), tuple((p.name, "needs at least one other photo") for p in photos))
    store = features.open_database(photos, workdir, params)
    failures = features.extract(photos, store, params, progress, executor)
    pairs = choose_pairs(
        _centres(photos), params.exhaustive_up_to, params.neighbours, _looks(photos)
    )
    usable = [i for i, photo in enumerate(photos) if photo.name not in failures]
    pairs = [(i, j) for i, j in pairs if i in set(usable) and j in set(usable)]
    features.match(store, pairs, params, progress)
    verified = features.verified_pairs(store, params.min_matches)
    if len(photos) > MANY_BLOCKS * params.block_photos:
        groups = map_in_blocks(
            photos, store, verified, params, executor or LocalExecutor(params.threads), progress
        )
    else:
        groups = _map(photos, store, verified, params, progress)
    notes: tuple[str, ...] = ()
    if groups:
        groups[0], notes = reregistered(groups[0], photos, verified)
    progress("sfm", 1.0, f"{sum(len(g.views) for g in groups)}/{len(photos)} photos oriented")
    return SfmResult(
        groups=tuple(groups),
        unregistered=_reasons(photos, store, verified, groups, failures),
        calibrated=frozenset(p.name for p in photos if p.known_camera is not None),
        notes=notes,
    )


def _check_names(photos: Sequence[PhotoInput]) -> None:
    seen: set[str] = set()
    for photo in photos:
        if photo.name in seen:
            raise InputError(f"two photos are called {photo.name}; names must differ")
        seen.add(photo.name)


def _centres(photos: Sequence[PhotoInput]) -> FloatArray:
    """(n, 3) metric positions about the first known one; NaN where unknown or clearly wrong."""
    geodetic = np.full((len(photos), 3), np.nan)
    wrong = suspicious_positions(photos)
    known = []
    for row, photo in zip(geodetic, photos, strict=True):
        if photo.position is not None and photo.name not in wrong:
            at = photo.position
            row[:] = at.lat_deg, at.lon_deg, at.alt_ellipsoid_m
            known.append(at)
    return EnuFrame(known[0]).enu_from_geodetic(geodetic) if known else geodetic


def _looks(photos: Sequence[PhotoInput]) -> FloatArray:
    """(n, 3) unit viewing directions in ENU, from gimbal angles; NaN where none are stated."""
    looks = np.full((len(photos), 3), np.nan)
    for row, photo in zip(looks, photos, strict=True):
        if photo.gimbal_deg is not None:
            row[:] = enu_from_cam_rotation(photo.gimbal_deg)[:, 2]
    return looks


def _map(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    params: SfmParams,
    progress: Progress,
) -> list[SfmGroup]:
    """The groups of the mapper whose result explains more of the verified matches."""
    if not verified:
        return []
    few = len(photos) <= params.incremental_up_to
    mappers = (_incremental, _global) if few else (_global, _incremental)
    first = mappers[0](photos, store, verified, params, progress)
    if _explained(first, verified) >= params.second_opinion_below:
        return first
    progress("sfm", 0.96, "mapping once more for a second opinion")
    second = mappers[1](photos, store, verified, params, progress)
    return second if _explained(second, verified) > _explained(first, verified) else first


def _incremental(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    params: SfmParams,
    progress: Progress,
) -> list[SfmGroup]:
    models = mapping.incremental_models(photos, store, params, progress)
    if not models:
        models = mapping.incremental_models(photos, store, params, progress, lenient=True)
    return mapping.groups_from_models(models, photos, store, verified, "incremental")


def _global(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    params: SfmParams,
    progress: Progress,
) -> list[SfmGroup]:
    models = mapping.global_models(photos, store, params)
    return mapping.groups_from_models(models, photos, store, verified, "global")


def _explained(groups: Sequence[SfmGroup], verified: Sequence[VerifiedPair]) -> float:
    """Fraction of all verified matches that lie in a group and agree with its cameras."""
    total = sum(len(pair.pixels_first) for pair in verified)
    return sum(g.agreeing_matches for g in groups) / total if total else 0.0


def _reasons(
    photos: Sequence[PhotoInput],
    store: FeatureDatabase,
    verified: Sequence[VerifiedPair],
    groups: Sequence[SfmGroup],
    failures: dict[str, str],
) -> tuple[tuple[str, str], ...]:
    """Each photo without a place, with the most telling reason."""
    placed = {view.name for group in groups for view in group.views}
    counts = features.keypoint_counts(store)
    joined = connected_groups(len(photos), [(p.first, p.second) for p in verified])
    size_of = {i: len(group) for group in joined for i in group}
    reasons = []
    for index, photo in enumerate(photos):
        if photo.name in placed:
            continue
        if photo.name in failures:
            reason = failures[photo.name]
        elif counts[index] < FEW_FEATURES:
            reason = f"only {counts[index]} features found: blurred, dark or without texture"
        elif size_of[index] == 1:
            reason = "shares no view with any other photo"
        elif size_of[index] < mapping.MIN_GROUP:
            reason = f"shares a view with {size_of[index] - 1} photo only; at least 2 are needed"
        else:
            reason = "overlaps other photos but too weakly to be placed among them"
        reasons.append((photo.name, reason))
    return tuple(reasons)
