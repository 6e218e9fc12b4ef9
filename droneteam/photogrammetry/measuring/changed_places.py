"""Where a scene changed between two dates: each place that stands out, with its volume's interval.

Cells whose difference is significant and that touch one another are one place.  Its volume is
measured between both surfaces at their full resolution, inside the hull of its cells and a cell
more, so that a place is not measured by the cells alone that chance made large.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull

from droneteam.photogrammetry.measuring.changes import Change
from droneteam.photogrammetry.measuring.surface_measure import volume_change
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Measurement
from droneteam.photogrammetry.surface.rasters import Grid, Raster

MIN_CELLS = 9
"""Fewer that touch are what 95 % leaves to chance."""
MOST_PLACES = 12
_EIGHT = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """A place that stands out, on the change's grid.

    column, row : its middle; corners_en_m : (k, 2) the hull of its cells and one cell more;
    area_m2 : of its cells; largest_m : the largest difference, with its sign
    """

    column: float
    row: float
    corners_en_m: FloatArray
    area_m2: float
    largest_m: float


@dataclass(frozen=True, slots=True, eq=False)
class ChangedPlace:
    """A place that stands out, and the volume that was added there (negative: taken away)."""

    outline: Outline
    volume: Measurement


def changed_places(
    change: Change,
    before: tuple[CameraNetwork, Raster],
    after: tuple[CameraNetwork, Raster],
) -> list[ChangedPlace]:
    """The largest places that stand out, by the volume that their cells hold."""
    return [
        ChangedPlace(one, volume_change(before, after, one.corners_en_m))
        for one in outlines(change)
    ]


def outlines(change: Change) -> list[Outline]:
    """At most MOST_PLACES places, those of the largest volume first."""
    found = [
        (abs(float(change.difference_m[cells].sum())), cells)
        for higher in (True, False)
        for cells in _touching(change.stands_out & ((change.difference_m > 0.0) == higher))
    ]
    found.sort(key=lambda one: -one[0])
    return [_outline(change, cells) for _volume, cells in found[:MOST_PLACES]]


def _touching(
    marked: NDArray[np.bool_],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows and columns of each group of MIN_CELLS or more cells that touch, corners included."""
    labels, count = ndimage.label(marked, structure=_EIGHT)
    for number, window in enumerate(ndimage.find_objects(labels, count), start=1):
        rows, columns = np.nonzero(labels[window] == number)
        if len(rows) >= MIN_CELLS:
            yield rows + window[0].start, columns + window[1].start


def _outline(change: Change, cells: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Outline:
    rows, columns = cells
    differences = change.difference_m[cells]
    return Outline(
        column=float(columns.mean()) + 0.5,
        row=float(rows.mean()) + 0.5,
        corners_en_m=_hull(change.grid, rows, columns),
        area_m2=len(rows) * change.grid.gsd_m**2,
        largest_m=float(differences[np.argmax(np.abs(differences))]),
    )


def _hull(grid: Grid, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> FloatArray:
    """(k, 2) east, north around the cells, each taken with its neighbours."""
    ends = [(i, j) for i in (-1.0, 2.0) for j in (-1.0, 2.0)]
    corners = np.concatenate([np.column_stack([columns + i, rows + j]) for i, j in ends])
    around = corners[ConvexHull(corners).vertices]
    east = grid.east_m + around[:, 0] * grid.gsd_m
    north = grid.north_m - around[:, 1] * grid.gsd_m
    return np.column_stack([east, north])
