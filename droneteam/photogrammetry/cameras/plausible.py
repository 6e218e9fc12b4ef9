"""What residuals cannot show: a scene that fits itself and is not where the ground is; pure.

Calm water shows what is above it, and the image behind a mirror is as rigid as the thing itself:
every check of the adjustment is content.  Two things know better: the barometer, and that nothing
hangs metres below everything else without a slope between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from droneteam.photogrammetry.ingest.photos import Photo
from droneteam.photogrammetry.scene import CameraNetwork

MIN_HEIGHT_DIFFERENCE_M = 5.0
"""Barometers drift by a metre or two in a flight; take-off from a car's roof is another two."""
MAX_HEIGHT_RATIO = 1.3
MIN_GAP_M = 2.0
GAP_OF_HEIGHT = 0.25
"""Share of the flying height that is empty above a mirror image, at least: roofs seen straight from
above hang over the street, too, but seldom by a quarter of the flying height."""
SUNKEN_SHARE = (0.03, 0.4)
"""Share of tie points below the gap: fewer are outliers, more are the ground below roofs."""


def doubts(photos: Sequence[Photo], network: CameraNetwork) -> tuple[str, ...]:
    """What should be looked at before the scene's heights are believed."""
    if not network.frame.metric or not len(network.sparse.points_enu_m):
        return ()
    said = (_other_height_than_the_barometer(photos, network), _hangs_below(network))
    return tuple(text for text in said if text is not None)


def flying_height_m(network: CameraNetwork) -> float:
    """Median camera above the median tie point."""
    up = float(np.median([view.centre_enu_m[2] for view in network.views]))
    return up - float(np.median(network.sparse.points_enu_m[:, 2]))


def _other_height_than_the_barometer(photos: Sequence[Photo], network: CameraNetwork) -> str | None:
    placed = {view.name for view in network.views}
    stated = [
        photo.position.alt_home_m
        for photo in photos
        if photo.name in placed
        and photo.position is not None
        and photo.position.alt_home_m is not None
    ]
    if 2 * len(stated) < len(placed):
        return None
    above_home_m, height_m = float(np.median(stated)), flying_height_m(network)
    low, high = sorted((above_home_m, height_m))
    if high - low < MIN_HEIGHT_DIFFERENCE_M or high <= MAX_HEIGHT_RATIO * max(low, 0.0):
        return None
    return (
        f"the photos look at a surface {height_m:.1f} m below them but state {above_home_m:.1f} m "
        "above take-off: taken off higher or lower than the scene, or a mirror image in water, or "
        "a wrong scale; check a known height"
    )


def _hangs_below(network: CameraNetwork) -> str | None:
    """Words when a part of the scene lies apart below everything else."""
    up_m = np.sort(network.sparse.points_enu_m[:, 2])
    first, last = (int(share * len(up_m)) for share in SUNKEN_SHARE)
    if first < 1 or last <= first:
        return None
    gaps_m = np.diff(up_m[first - 1 : last])
    gap_m, below = float(gaps_m.max(initial=0.0)), first + int(np.argmax(gaps_m))
    if gap_m < max(MIN_GAP_M, GAP_OF_HEIGHT * abs(flying_height_m(network))):
        return None
    return (
        f"{100.0 * below / len(up_m):.0f} % of the tie points lie {gap_m:.1f} m or more below all "
        "others: lower ground, or a mirror image in water or glass, whose heights are not of the "
        "surface; do not measure there"
    )
