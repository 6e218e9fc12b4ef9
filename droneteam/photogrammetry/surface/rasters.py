"""Digital surface and terrain models: rasters of height over a local east-north grid.

A cell's height is that of the upper surface in it, averaged over the points that lie on that
surface.  Cells without points are filled over short gaps only, and a mask says which are filled:
nothing downstream may take a filled height for a measured one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError, SceneError
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, FloatArray
from droneteam.photogrammetry.surface import raster_kernels

NO_DATA, MEASURED, FILLED = 0, 1, 2
"""Values of a raster's mask."""
ISLAND_M = 1.2
"""What lies within objects no farther than this apart is taken for one of them."""
CHUNK = 1_000_000
"""Points that are sorted into cells at once."""
MAX_CELLS = 200_000_000
"""Largest raster: 800 MB of heights; a coarser cell or a smaller area is the user's choice."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a raster lies: row 0 is the northern edge, column 0 the western one.

    east_m, north_m : of the outer corner of cell (0, 0).
    """

    east_m: float
    north_m: float
    gsd_m: float
    width: int
    height: int

    def __post_init__(self) -> None:
        if not self.gsd_m > 0.0:
            raise InputError(f"gsd_m {self.gsd_m} must be positive", field="gsd_m")
        if self.width < 1 or self.height < 1 or self.width * self.height > MAX_CELLS:
            raise InputError(
                f"a raster of {self.width} x {self.height} cells is outside 1 to {MAX_CELLS} "
                "cells; choose a coarser ground sampling distance",
                field="gsd_m",
            )

    def cell_of(self, east_m: FloatArray, north_m: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Fractional column and row of positions; the centre of cell (0, 0) is (0.5, 0.5)."""
        column = (np.asarray(east_m, np.float64) - self.east_m) / self.gsd_m
        row = (self.north_m - np.asarray(north_m, np.float64)) / self.gsd_m
        return np.asarray(column, np.float64), np.asarray(row, np.float64)

    def centres(self) -> tuple[FloatArray, FloatArray]:
        """East of each column's and north of each row's centre."""
        steps = np.arange(max(self.width, self.height), dtype=np.float64) + 0.5
        east = self.east_m + steps[: self.width] * self.gsd_m
        north = self.north_m - steps[: self.height] * self.gsd_m
        return np.asarray(east), np.asarray(north)


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Heights over a grid.

    height_m : (h, w) float32 up in the scene's frame, NaN where unknown; mask : (h, w) uint8,
    NO_DATA, MEASURED or FILLED; sigma_m : (h, w) float32, NaN where not measured.
    """

    grid: Grid
    height_m: NDArray[np.float32]
    mask: NDArray[np.uint8]
    sigma_m: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DsmParams:
    """How a surface model is made.

    percentile : of the heights in a cell that marks the upper surface; fill_m : widest gap that
    is filled (both sides together); extent_quantile : share of points ignored at each side when
    the extent is set, so that a few stray points do not stretch it.
    """

    percentile: float = 85.0
    fill_m: float = 0.5
    extent_quantile: float = 0.002

    def __post_init__(self) -> None:
        if not 0.0 <= self.percentile <= 100.0:
            raise InputError(f"percentile {self.percentile} outside [0, 100]", field="percentile")
        if not 0.0 <= self.fill_m <= 100.0:
            raise InputError(f"fill_m {self.fill_m} outside [0, 100]", field="fill_m")


def ground_sampling_m(network: CameraNetwork) -> float:
    """The median size of a photo's pixel on the surface, in the frame's unit.

    Raises
    ------
    SceneError
        When no sparse point lies before any camera.
    """
    sizes = []
    points = network.sparse.points_enu_m
    sample = points[:: max(1, len(points) // 5000)]
    for view in network.views:
        depth = sample @ view.cam_from_enu[2, :3] + view.cam_from_enu[2, 3]
        depth = depth[depth > 0.0]
        if depth.size:
            sizes.append(float(np.median(depth)) / view.camera.focal_px[0])
    if not sizes:
        raise SceneError("surface", "no camera sees any point", help="Reconstruct the photos again")
    return float(np.median(sizes))


def extent_grid(cloud: DenseCloud, gsd_m: float, quantile: float = 0.002) -> Grid:
    """The grid that covers a cloud, its corner on a whole multiple of the cell size.

    Raises
    ------
    SceneError
        When the cloud is empty.
    """
    if not len(cloud.points_enu_m):
        raise SceneError(
            "surface", "the dense cloud is empty", help="Photos must overlap by two thirds"
        )
    low, high = np.quantile(cloud.points_enu_m[:, :2], (quantile, 1.0 - quantile), axis=0)
    west, south = np.floor((low - gsd_m) / gsd_m)
    east, north = np.ceil((high + gsd_m) / gsd_m)
    return Grid(
        float(west * gsd_m), float(north * gsd_m), gsd_m, int(east - west), int(north - south)
    )


def rasterize_dsm(
    cloud: DenseCloud, gsd_m: float, params: DsmParams | None = None, grid: Grid | None = None
) -> Raster:
    """The upper surface of a cloud.

    Raises
    ------
    SceneError
        When the cloud is empty.
    InputError
        When the cell size makes the raster too large.
    """
    params = params or DsmParams()
    grid = grid or extent_grid(cloud, gsd_m, params.extent_quantile)
    height, sigma = _upper_surface(cloud, grid, params.percentile)
    raster_kernels.drop_spikes(height, float(grid.gsd_m))
    sigma[np.isnan(height)] = np.nan
    measured = np.isfinite(height)
    layers = math.ceil(0.5 * params.fill_m / grid.gsd_m)
    filled = raster_kernels.fill_gaps(height, layers, float(2.0 * grid.gsd_m))
    mask = np.where(measured, MEASURED, np.where(np.isfinite(filled), FILLED, NO_DATA))
    return Raster(grid, filled, mask.astype(np.uint8), sigma)


def _upper_surface(
    cloud: DenseCloud, grid: Grid, percentile: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Height and 1-sigma of each cell's upper surface; NaN in empty cells."""
    height, sigma = raster_kernels.upper_surface(
        _cells(cloud.points_enu_m, grid),
        cloud.points_enu_m[:, 2],
        cloud.sigma_m,
        grid.width * grid.height,
        percentile / 100.0,
        2.0 * grid.gsd_m,
    )
    shape = (grid.height, grid.width)
    return height.reshape(shape), sigma.reshape(shape)


def _cells(points_enu_m: FloatArray, grid: Grid) -> NDArray[np.int32]:
    """(n,) index of each point's cell in the grid, row by row; -1 beyond it."""
    cells = np.full(len(points_enu_m), -1, np.int32)
    for start in range(0, len(cells), CHUNK):
        part = slice(start, start + CHUNK)
        column, row = grid.cell_of(points_enu_m[part, 0], points_enu_m[part, 1])
        inside = (column >= 0) & (column < grid.width) & (row >= 0) & (row < grid.height)
        index = row[inside].astype(np.int32) * grid.width + column[inside].astype(np.int32)
        cells[part][inside] = index
    return cells


def terrain(dsm: Raster, largest_object_m: float = 8.0, max_slope: float = 0.3) -> Raster:
    """The ground below cars, people and posts.

    Progressive morphological filter (Zhang et al., IEEE TGRS 2003, 41:872): openings of growing
    size remove what rises above its surroundings faster than the slope allows; the gaps are
    closed from what is left, and marked as filled.
    """
    if not largest_object_m > 0.0:
        raise InputError("largest_object_m must be positive", field="largest_object_m")
    gsd = dsm.grid.gsd_m
    step = max(1, round(0.1 / gsd))
    coarse = _coarse_minimum(dsm.height_m, step)
    known = np.isfinite(coarse)
    work = coarse
    object_cells = np.zeros_like(known)
    window, previous = 3, 1
    while previous * step * gsd < largest_object_m:
        opened = _opening(work, known, window)
        threshold = 0.05 + max_slope * (window - previous) * step * gsd
        # All at once too: a rounded roof sinks in steps none of which is large enough.
        sunk = 0.05 + max_slope * (window // 2) * step * gsd
        object_cells |= known & ((work - opened > threshold) | (coarse - opened > sunk))
        work = opened
        window, previous = 2 * window - 1, window
    object_cells = _without_islands(object_cells, ISLAND_M / (step * gsd))
    ground = np.where(known & ~object_cells, coarse, np.nan).astype(np.float32)
    size = (dsm.height_m.shape[1], dsm.height_m.shape[0])
    closed = raster_kernels.fill_gaps(ground, max(ground.shape), 1e9)
    smooth = cv2.resize(closed, size, interpolation=cv2.INTER_LINEAR)
    keep = np.isfinite(dsm.height_m) & (np.abs(dsm.height_m - smooth) <= 0.05 + 2.0 * gsd)
    height = np.where(keep, dsm.height_m, np.where(dsm.mask > NO_DATA, smooth, np.nan))
    mask = np.where(keep, dsm.mask, np.where(np.isfinite(height), FILLED, NO_DATA))
    sigma = np.where(mask == MEASURED, dsm.sigma_m, np.nan)
    return Raster(
        dsm.grid, height.astype(np.float32), mask.astype(np.uint8), sigma.astype(np.float32)
    )


def _without_islands(object_cells: NDArray[np.bool_], widest_cells: float) -> NDArray[np.bool_]:
    """The cells of objects with what they enclose on several sides within a short way.

    A rounded bonnet sinks in steps none of which is large enough: its middle stays behind as an
    island.  Ground that is taken along comes back, since it fits the closed surface.
    """
    size = 2 * max(1, round(widest_cells / 2.0)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    margin = cv2.copyMakeBorder(
        object_cells.astype(np.uint8), size, size, size, size, cv2.BORDER_CONSTANT, value=0
    )
    closed = cv2.morphologyEx(margin, cv2.MORPH_CLOSE, kernel)
    return np.asarray(closed[size:-size, size:-size] > 0)


def _coarse_minimum(height: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    rows, columns = -(-height.shape[0] // step), -(-height.shape[1] // step)
    padded = np.full((rows * step, columns * step), np.inf, np.float32)
    padded[: height.shape[0], : height.shape[1]] = np.where(np.isfinite(height), height, np.inf)
    lowest = padded.reshape(rows, step, columns, step).min(axis=(1, 3))
    return np.where(np.isfinite(lowest), lowest, np.nan).astype(np.float32)


def _opening(
    height: NDArray[np.float32], known: NDArray[np.bool_], window: int
) -> NDArray[np.float32]:
    """Erosion, then dilation over known cells only."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (window, window))
    lifted = np.where(known, height, np.float32(1e9)).astype(np.float32)
    eroded = cv2.erode(lifted, kernel, borderType=cv2.BORDER_REPLICATE)
    eroded = np.where(known, eroded, np.float32(-1e9)).astype(np.float32)
    return np.asarray(cv2.dilate(eroded, kernel, borderType=cv2.BORDER_REPLICATE))


def hillshade(
    raster: Raster, azimuth_deg: float = 315.0, altitude_deg: float = 45.0
) -> NDArray[np.uint8]:
    """A shaded relief, 1 to 255, 0 where unknown (Horn, Proc. IEEE 1981, 69:14)."""
    z = raster.height_m
    known = np.isfinite(z)
    smooth = np.where(known, z, np.nanmedian(z) if known.any() else 0.0).astype(np.float32)
    east = cv2.Sobel(smooth, cv2.CV_32F, 1, 0) / (8.0 * raster.grid.gsd_m)
    south = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) / (8.0 * raster.grid.gsd_m)
    azimuth, altitude = math.radians(azimuth_deg), math.radians(altitude_deg)
    sun = (
        math.sin(azimuth) * math.cos(altitude),
        math.cos(azimuth) * math.cos(altitude),
        math.sin(altitude),
    )
    light = (-east * sun[0] + south * sun[1] + sun[2]) / np.sqrt(east**2 + south**2 + 1.0)
    shade = np.clip(np.rint(255.0 * light), 1, 255)
    edge = cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    return np.where(edge, 0, shade).astype(np.uint8)


def height_at(raster: Raster, east_m: FloatArray, north_m: FloatArray) -> FloatArray:
    """Heights at positions, bilinear between cell centres; NaN where any of the four is unknown."""
    column, row = raster.grid.cell_of(np.asarray(east_m), np.asarray(north_m))
    return raster_kernels.bilinear(
        raster.height_m, np.ascontiguousarray(column - 0.5), np.ascontiguousarray(row - 0.5)
    )


def cropped(raster: Raster) -> Raster:
    """The raster without its empty margins; itself when nothing is known."""
    rows = np.flatnonzero(np.any(raster.mask > NO_DATA, axis=1))
    columns = np.flatnonzero(np.any(raster.mask > NO_DATA, axis=0))
    if not rows.size:
        return raster
    top, left = int(rows[0]), int(columns[0])
    window = (slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1))
    gsd = raster.grid.gsd_m
    grid = replace(
        raster.grid,
        east_m=raster.grid.east_m + left * gsd,
        north_m=raster.grid.north_m - top * gsd,
        width=int(columns[-1]) + 1 - left,
        height=int(rows[-1]) + 1 - top,
    )
    return Raster(grid, raster.height_m[window], raster.mask[window], raster.sigma_m[window])
