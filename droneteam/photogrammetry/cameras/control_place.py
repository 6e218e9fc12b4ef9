"""Whether control and the photos' positions speak of the same place and heights; pure.

A control file in the wrong reference system, with its columns exchanged or with heights above
another zero fits the photos in shape and lies elsewhere.  Taken as a contradiction between points
it would accuse good ones; what all positions have in common is no contradiction between points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import SceneError
from droneteam.geo import great_circle_distance_m
from droneteam.photogrammetry.cameras.georef import FAR_FROM_OTHERS_M
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.control import SurveyPoint
from droneteam.photogrammetry.scene import FloatArray

SHIFT_SIGMA_M = 100.0
"""How far camera heights may lie from control in another vertical datum (geoid, barometer)."""
SAME_DATUM_SHIFT_M = 0.2
"""The same for carrier-phase positions in the control's own datum: two network services, or a
base station on a surveyed point."""
CONTRADICTS_SIGMA = 5.0
UNADJUSTED_SHARE = 0.1
"""Of the cameras' distance from the control: what a lens that is not yet calibrated puts them off
by."""


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """What all camera positions may have in common against the control.

    sigma_m : (3,) 1-sigma of it; zeros where no position is used.  used : (n,) whether each
    view's position counts.  warnings : in words.
    """

    sigma_m: FloatArray
    warnings: tuple[str, ...] = ()


def middle(points: Sequence[SurveyPoint]) -> tuple[float, float, float]:
    """Median latitude, longitude and height of points: one far away moves it little."""
    at = [
        (p.position.lat_deg, p.position.lon_deg, p.position.alt_ellipsoid_m)
        for p in points
        if p.position is not None
    ]
    lat, lon, height = (float(v) for v in np.median(np.array(at), axis=0))
    return lat, lon, height


def require_not_exchanged(
    points: Sequence[SurveyPoint], photos: Sequence[PhotoInput]
) -> tuple[str, ...]:
    """Words when the control lies far from the photos' positions; nothing when it does not.

    Raises
    ------
    SceneError
        It lies beside them once latitude and longitude are exchanged.
    """
    known = [p.position for p in photos if p.position is not None]
    if not known or any(p.position is None for p in points):
        return ()
    lat, lon, _ = middle(points)
    there = np.median([(at.lat_deg, at.lon_deg) for at in known], axis=0)
    photo_lat, photo_lon = (float(v) for v in there)
    away_m = great_circle_distance_m(lat, lon, photo_lat, photo_lon)
    if away_m < FAR_FROM_OTHERS_M:
        return ()
    away = f"{away_m / 1000.0:.0f} km"
    if abs(lon) <= 90.0 and (
        great_circle_distance_m(lon, lat, photo_lat, photo_lon) < FAR_FROM_OTHERS_M
    ):
        raise SceneError(
            "adjust",
            f"the control points lie {away} from the photos' positions, and beside them once "
            "latitude and longitude are exchanged",
            help="Exchange the first two columns of the control file: x (east or longitude) comes "
            "before y",
        )
    return (
        f"the control points lie {away} from the photos' positions; the control counts and the "
        "positions are not used: check the coordinate system that the control file names and the "
        "order of its columns",
    )


def shift_against(
    placed_m: FloatArray,
    positions_m: FloatArray,
    sigma_m: FloatArray,
    control_m: FloatArray,
    *,
    same_datum: bool,
) -> Shift:
    """How free a shift common to all camera positions must be beside control.

    placed_m : (n, 3) camera centres as the control alone places them; positions_m, sigma_m :
    (n, 3) from the receiver, sigma infinite without one; control_m : (k, 3).
    """
    used = np.isfinite(sigma_m).all(axis=1)
    if not used.any():
        return Shift(np.zeros(3))
    sigma = np.maximum(SAME_DATUM_SHIFT_M, np.median(sigma_m[used], axis=0))
    if not same_datum:
        sigma[2] = SHIFT_SIGMA_M
    shift = np.median((positions_m - placed_m)[used], axis=0)
    distance_m = float(np.median(np.linalg.norm(placed_m - np.median(control_m, axis=0), axis=1)))
    open_beyond = CONTRADICTS_SIGMA * sigma + UNADJUSTED_SHARE * distance_m
    contradicts = np.abs(shift) > open_beyond
    sigma = np.where(contradicts, np.maximum(SHIFT_SIGMA_M, np.abs(shift)), sigma)
    return Shift(sigma, _other_heights(shift, contradicts) if same_datum else ())


def _other_heights(shift_m: FloatArray, contradicts: NDArray[np.bool_]) -> tuple[str, ...]:
    """Words when only the heights differ, and by more than an error of a receiver."""
    if not contradicts[2] or contradicts[:2].any():
        return ()
    side = "above" if shift_m[2] > 0 else "below"
    return (
        f"the photos' heights lie about {abs(shift_m[2]):.1f} m {side} the control's although both "
        "are said to be above the same zero; the control counts: check whether its heights are "
        "above the geoid (sea level) and name that datum in its file",
    )
