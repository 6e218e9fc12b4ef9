"""What changed between two dates of a scene: each cell's difference with its significance.

Two surfaces are subtracted at the same places on the earth.  A difference stands out when it is
larger than its own 95 % interval, which takes in the noise of both cells and what the cameras of
both dates leave open (a whole surface may lie too high, tilted or bent), as Lane, Westaway and
Hicks (Earth Surface Processes and Landforms 28, 2003) do with a level of detection by cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.cameras.locate import covariance_of
from droneteam.photogrammetry.measuring.volumes import (
    Region,
    check_comparable,
    lift_of,
    moved_places,
    region_of,
    same_places,
    subset,
)
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from droneteam.photogrammetry.surface.rasters import Grid, Raster, cropped, height_at

TWO_SIDED_95 = 1.959964
MAX_CELLS = 400_000
"""Compared cells: a picture of 630 x 630, in a second."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """The later surface less the earlier one.

    difference_m, sigma_m : (h, w) float64, NaN where one of the two is unknown; up_m : (h, w) the
    later surface itself; stands_out : (h, w) True where the difference is significant at 95 %.
    """

    grid: Grid
    difference_m: FloatArray
    sigma_m: FloatArray
    up_m: FloatArray

    @property
    def stands_out(self) -> NDArray[np.bool_]:
        """Where the difference is larger than its 95 % interval."""
        known = np.isfinite(self.difference_m)
        found = np.zeros(known.shape, dtype=np.bool_)
        found[known] = np.abs(self.difference_m[known]) > TWO_SIDED_95 * self.sigma_m[known]
        return found


@dataclass(frozen=True, slots=True)
class ChangeSummary:
    """A change in numbers.

    compared_m2 : area known at both dates; higher_m2, lower_m2 : where it stands out;
    added_m3, removed_m3 : there; detectable_m : median of the smallest difference that stands out
    """

    compared_m2: float
    higher_m2: float
    lower_m2: float
    added_m3: float
    removed_m3: float
    highest_m: float
    lowest_m: float
    detectable_m: float


def height_change(
    before: tuple[CameraNetwork, Raster], after: tuple[CameraNetwork, Raster]
) -> Change | str:
    """The change on the later surface's grid, thinned to MAX_CELLS; or why it is unknown.

    Raises
    ------
    InputError
        The frames cannot be compared, or the later surface is empty.
    """
    (old_network, old), (network, new) = before, after
    check_comparable(old_network.frame, network.frame)
    raster = thinned(cropped(new), MAX_CELLS)
    region = region_of(raster, _corners(raster.grid))
    there = moved_places(network.frame, old_network.frame, region)
    up = height_at(old, there[:, 0], there[:, 1])
    known = np.isfinite(up)
    if not known.any():
        return "the two surfaces do not overlap"
    region, there, up = subset(region, known), there[known], up[known]
    variance = np.zeros(len(up))
    for net, part in ((network, region), (old_network, same_places(old, there, up, region))):
        of_cameras = _camera_variance(net, part)
        if isinstance(of_cameras, str):
            return of_cameras
        variance += of_cameras + part.sigma_m**2
    return _on_grid(raster.grid, region, there[:, 2] - up, np.sqrt(variance))


def summary(change: Change) -> ChangeSummary:
    """The change in numbers."""
    cell_m2 = change.grid.gsd_m**2
    known = np.isfinite(change.difference_m)
    out = change.difference_m[change.stands_out]
    higher, lower = out[out > 0.0], out[out < 0.0]
    return ChangeSummary(
        compared_m2=float(known.sum()) * cell_m2,
        higher_m2=len(higher) * cell_m2,
        lower_m2=len(lower) * cell_m2,
        added_m3=float(higher.sum()) * cell_m2,
        removed_m3=float(-lower.sum()) * cell_m2,
        highest_m=float(higher.max(initial=0.0)),
        lowest_m=float(lower.min(initial=0.0)),
        detectable_m=TWO_SIDED_95 * float(np.median(change.sigma_m[known])),
    )


def thinned(raster: Raster, cells: int) -> Raster:
    """The raster with every k-th cell of both directions, so that at most so many are left."""
    grid = raster.grid
    step = max(1, math.ceil(math.sqrt(grid.width * grid.height / cells)))
    if step == 1:
        return raster
    pick = (slice(step // 2, None, step), slice(step // 2, None, step))
    height = np.ascontiguousarray(raster.height_m[pick])
    # A picked cell's centre is the centre of its larger cell.
    shift_m = (step // 2 + 0.5 - step / 2.0) * grid.gsd_m
    coarse = replace(
        grid,
        east_m=grid.east_m + shift_m,
        north_m=grid.north_m - shift_m,
        gsd_m=step * grid.gsd_m,
        width=height.shape[1],
        height=height.shape[0],
    )
    return Raster(coarse, height, raster.mask[pick], raster.sigma_m[pick])


def _camera_variance(network: CameraNetwork, region: Region) -> FloatArray | str:
    """(c,) variance (m²) of each cell's height from the cameras alone; or why it is unknown."""
    lift = lift_of(network, region)
    if isinstance(lift, str):
        return lift
    covariance = covariance_of(network)
    spread = lift.affine @ covariance.matrix @ lift.affine.T
    variance = np.einsum("cb,bd,cd->c", lift.weights, spread, lift.weights)
    if covariance.depth_mode is not None:
        variance = variance + (lift.weights @ (lift.affine @ covariance.depth_mode)) ** 2
    return np.asarray(np.maximum(variance, 0.0))


def _on_grid(grid: Grid, region: Region, difference_m: FloatArray, sigma_m: FloatArray) -> Change:
    column, row = grid.cell_of(region.east_m, region.north_m)
    i, j = np.floor(row).astype(np.int64), np.floor(column).astype(np.int64)
    layers = []
    for values in (difference_m, sigma_m, region.up_m):
        layer = np.full((grid.height, grid.width), np.nan)
        layer[i, j] = values
        layers.append(layer)
    return Change(grid, *layers)


def _corners(grid: Grid) -> FloatArray:
    east, north = grid.east_m + grid.width * grid.gsd_m, grid.north_m - grid.height * grid.gsd_m
    return np.array(
        [[grid.east_m, grid.north_m], [east, grid.north_m], [east, north], [grid.east_m, north]]
    )
