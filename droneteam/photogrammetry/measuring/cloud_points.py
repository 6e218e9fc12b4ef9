"""Points of the cloud itself, with the cameras' errors and their own: also on walls and overhangs.

The surface model knows one height for each place.  What was tapped on a wall, a pole or under a
canopy is a point of the cloud: the nearest one to the place, as far as a few of its cells go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.locate import Located, covariance_of, joined
from droneteam.photogrammetry.cloud_file import blocks
from droneteam.photogrammetry.measuring.measure import evaluate
from droneteam.photogrammetry.measuring.shapes import shape_of
from droneteam.photogrammetry.measuring.surface_points import PICK_CELLS, sensitivities
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, FloatArray, Measurement

REACH_CELLS = 4.0
"""So far from a place its point may lie: after another build the points are others."""
NOT_BETWEEN_POINTS = ("volume", "profile", "section")
"""Kinds that are about a surface and not about some points of it."""


def from_cloud(
    network: CameraNetwork,
    cloud: DenseCloud,
    kind: str,
    points_enu_m: FloatArray,
    *,
    cell_m: float,
    name: str = "",
) -> Measurement:
    """A length, area, angle or slope between points of the cloud.

    points_enu_m : (k, 3) as tapped; cell_m : of the surface model, which says how finely the
    scene is known.

    Raises
    ------
    InputError
        The kind takes another number of points, or is one of a whole surface.
    """
    if kind in NOT_BETWEEN_POINTS:
        raise InputError(f"a {kind} is measured on the surface, without heights", field="kind")
    shape = shape_of(kind, len(points_enu_m))
    return evaluate(
        network,
        lambda: located_in_cloud(network, cloud, points_enu_m, cell_m),
        shape,
        name or kind,
        "surface",
    )


def located_in_cloud(
    network: CameraNetwork, cloud: DenseCloud, points_enu_m: FloatArray, cell_m: float
) -> Located | str:
    """The cloud's points nearest to places, with their joint covariance, or why there are none.

    A point's own deviation is stated along its view and taken in every direction; half a cell is
    added for the choice of the point.
    """
    places = np.asarray(points_enu_m, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 3 or not np.isfinite(places).all():
        raise InputError("points of the cloud are east, north, up in metres", field="points")
    reach_m = REACH_CELLS * cell_m
    nearest = _nearest(cloud.points_enu_m, places, reach_m)
    if (nearest < 0).any():
        east, north, up = places[int(np.argmin(nearest))]
        return (
            f"the cloud has no point within {reach_m:.2f} m of {east:.2f} m east, "
            f"{north:.2f} m north, {up:.2f} m up"
        )
    points = np.asarray(cloud.points_enu_m[nearest])
    moved = sensitivities(network, points)
    if isinstance(moved, str):
        return moved
    own = cloud.sigma_m[nearest].astype(np.float64) ** 2 + (PICK_CELLS * cell_m) ** 2
    noises = [variance * np.eye(3) for variance in own]
    return joined(covariance_of(network), points, moved[0], noises, photos=moved[1])


def _nearest(points: FloatArray, places: FloatArray, reach_m: float) -> NDArray[np.int64]:
    """The index of the point nearest to each place, -1 where none is within reach.

    points : (n, 3), perhaps of a mapped file; places : (k, 3).  One pass in blocks for all
    places: a tree would cost more than it saves, and the whole cloud need not fit in memory.
    """
    best = np.full(len(places), -1, dtype=np.int64)
    least = np.full(len(places), reach_m)
    for start, block in blocks(points):
        for k, place in enumerate(places):
            near = np.flatnonzero(np.abs(block[:, 0] - place[0]) <= least[k])
            off = np.linalg.norm(block[near] - place, axis=1)
            # The first of several equally near ones, as one look at the whole cloud would find.
            if off.size and (off.min() < least[k] or (best[k] < 0 and off.min() <= least[k])):
                first = int(np.argmin(off))
                best[k], least[k] = start + near[first], off[first]
    return best
