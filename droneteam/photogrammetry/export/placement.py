"""From the scene's local frame to a coordinate reference system, point by point.

Everything inside is in local east-north-up metres; only here, at the edge, do coordinates become
projected ones.  A transformation that needs a grid file which is not installed is refused: the
alternatives are wrong by decimetres without saying so.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import cv2
import numpy as np
import pyproj
from numpy.typing import NDArray
from pyproj.transformer import TransformerGroup

from droneteam.errors import InputError, SetupError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.scene import FloatArray, Frame
from droneteam.photogrammetry.surface.rasters import Grid

Scalar = TypeVar("Scalar", bound=np.generic)

WGS84_2D = 4326
ETRS89_2D = 4258
DEFAULT_EPSG = 3812
"""Belgian Lambert 2008."""
WINDOW = 4096
LATTICE_CELLS = 32
"""Spacing of exactly transformed points; between them bilinear, below a hundredth of a cell."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Which frame a product leaves, and the reference system it arrives in.

    epsg : None keeps local coordinates; it must be None for a frame with no place on the earth.
    """

    frame: Frame
    epsg: int | None = DEFAULT_EPSG

    def __post_init__(self) -> None:
        if self.epsg is not None and self.frame.origin is None:
            raise InputError(
                "a local frame has no place on the earth: export it without a reference system",
                field="epsg",
            )
        if self.epsg is not None:
            transformer(self.epsg)

    @property
    def crs(self) -> pyproj.CRS | None:
        """The reference system, or None for local coordinates."""
        return None if self.epsg is None else pyproj.CRS.from_epsg(self.epsg)

    def from_enu(self, points_enu_m: FloatArray) -> FloatArray:
        """(n, 3) easting, northing (or longitude, latitude) and height of (n, 3) points.

        The height is above the ellipsoid, or the frame's own where there is no reference system.
        """
        points = np.asarray(points_enu_m, dtype=np.float64)
        if self.epsg is None or self.frame.origin is None:
            return points.copy()
        geodetic = EnuFrame(self.frame.origin).geodetic_from_enu(points)
        x, y = transformer(self.epsg).transform(geodetic[:, 1], geodetic[:, 0])
        return np.stack([x, y, geodetic[:, 2]], axis=1)

    def to_enu(self, points: FloatArray) -> FloatArray:
        """(n, 3) points_enu_m of what `from_enu` gives."""
        points = np.asarray(points, dtype=np.float64)
        if self.epsg is None or self.frame.origin is None:
            return points.copy()
        lon, lat = transformer(self.epsg).transform(points[:, 0], points[:, 1], direction="INVERSE")
        geodetic = np.stack([lat, lon, points[:, 2]], axis=1)
        return EnuFrame(self.frame.origin).enu_from_geodetic(geodetic)

    @property
    def height_statement(self) -> str:
        """What the heights of the products are above, in words."""
        if self.epsg is None:
            return f"local frame, up; vertical datum: {self.frame.vertical_datum}"
        return f"height in metres, vertical datum: {self.frame.vertical_datum}"


@lru_cache(maxsize=16)
def transformer(epsg: int) -> pyproj.Transformer:
    """Longitude and latitude (WGS84) to a reference system, by the most accurate operation.

    WGS84 is taken as ETRS89 where that gives the better operation, as surveyors in Europe do
    (RTK services are in ETRS89).

    Raises
    ------
    InputError
        When the code names no reference system of a plane or of longitude and latitude.
    SetupError
        When the most accurate operation needs a grid file that is not installed; names the file.
    """
    try:
        target = pyproj.CRS.from_epsg(epsg)
    except pyproj.exceptions.CRSError as error:
        raise InputError(f"EPSG:{epsg} is not a known reference system", field="epsg") from error
    if not (target.is_projected or target.is_geographic):
        raise InputError(f"EPSG:{epsg} ({target.name}) is not a map projection", field="epsg")
    best: pyproj.Transformer | None = None
    missing, missing_accuracy = "", np.inf
    for source in (WGS84_2D, ETRS89_2D):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "best is not available": checked below
            group = TransformerGroup(pyproj.CRS.from_epsg(source), target, always_xy=True)
        for found in group.transformers:
            if best is None or _rank(found.accuracy) < _rank(best.accuracy):
                best = found
        for absent in group.unavailable_operations:
            if _rank(absent.accuracy) < missing_accuracy:
                missing_accuracy = _rank(absent.accuracy)
                missing = ", ".join(sorted(grid.short_name for grid in absent.grids))
    if best is None or missing_accuracy < _rank(best.accuracy):
        raise SetupError(
            f"EPSG:{epsg} ({target.name}) needs the grid file {missing}; put it into "
            f"{pyproj.datadir.get_data_dir()} (from https://cdn.proj.org) or choose EPSG:3812"
        )
    return best


def _rank(accuracy_m: float) -> float:
    return accuracy_m if accuracy_m >= 0.0 else 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Resampling:
    """Where each cell of a map raster lies in the scene's raster.

    west, north : of the map raster's outer corner; cell : its cell size in the reference
    system's unit; column, row : (h, w) float32 array indices; lift_m : (h, w) float32, what to
    add to a local height to have the map's height.
    """

    west: float
    north: float
    cell: float
    column: NDArray[np.float32]
    row: NDArray[np.float32]
    lift_m: NDArray[np.float32]

    def apply(
        self, values: NDArray[Scalar], *, interpolation: int, empty: float
    ) -> NDArray[Scalar]:
        """The values on the map raster; `empty` outside."""
        out = np.full((*self.column.shape, *values.shape[2:]), empty, values.dtype)
        # In windows, since OpenCV's coordinates end at 32767.
        for top in range(0, out.shape[0], WINDOW):
            for left in range(0, out.shape[1], WINDOW):
                window = (slice(top, top + WINDOW), slice(left, left + WINDOW))
                self._apply_window(values, out, window, interpolation, empty)
        return out

    def _apply_window(
        self,
        values: NDArray[Any],
        out: NDArray[Any],
        window: tuple[slice, slice],
        interpolation: int,
        empty: float,
    ) -> None:
        """Fills one window of `out` from the part of `values` that lies under it."""
        column, row = self.column[window], self.row[window]
        left, top = max(0, int(column.min()) - 3), max(0, int(row.min()) - 3)
        right, bottom = int(column.max()) + 4, int(row.max()) + 4
        source = np.ascontiguousarray(values[top:bottom, left:right])
        if source.size:
            out[window] = cv2.remap(
                source,
                column - np.float32(left),
                row - np.float32(top),
                interpolation,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=(empty,) * 4,
            )


def resampling(grid: Grid, placement: Placement, height_m: float) -> Resampling:
    """How to turn a raster of the scene into a north-up raster of the reference system.

    height_m : typical height of the surface, about which verticals are taken as parallel to the
    frame's (a metre of height moves a point 1 km from the origin by 0.16 mm).
    """
    top = np.linspace(0.0, 1.0, 33)
    edge = np.concatenate(
        [
            np.stack([top, 0 * top], 1),
            np.stack([top, 0 * top + 1], 1),
            np.stack([0 * top, top], 1),
            np.stack([0 * top + 1, top], 1),
        ]
    )
    east = grid.east_m + edge[:, 0] * grid.width * grid.gsd_m
    north = grid.north_m - edge[:, 1] * grid.height * grid.gsd_m
    border = placement.from_enu(np.stack([east, north, np.full(len(edge), height_m)], axis=1))
    crs = placement.crs
    cell = grid.gsd_m
    if crs is not None and crs.is_geographic:
        cell = float(np.ptp(border[:, 1])) / grid.height
    west, south = np.floor(border[:, :2].min(axis=0) / cell) * cell
    right, top_y = np.ceil(border[:, :2].max(axis=0) / cell) * cell
    width, height = round((right - west) / cell), round((top_y - south) / cell)
    return _lattice(grid, placement, height_m, (float(west), float(top_y), cell), (width, height))


def _lattice(
    grid: Grid,
    placement: Placement,
    height_m: float,
    corner: tuple[float, float, float],
    size: tuple[int, int],
) -> Resampling:
    """Exact positions on a coarse lattice, bilinear in between."""
    west, north, cell = corner
    width, height = size
    x = np.arange(0, width + LATTICE_CELLS, LATTICE_CELLS) + 0.5
    y = np.arange(0, height + LATTICE_CELLS, LATTICE_CELLS) + 0.5
    gx, gy = np.meshgrid(x, y)
    map_points = np.stack(
        [west + gx.ravel() * cell, north - gy.ravel() * cell, np.zeros(gx.size)], axis=1
    )
    origin = placement.frame.origin
    map_points[:, 2] = (
        height_m
        if placement.epsg is None or origin is None
        else (origin.alt_ellipsoid_m + height_m)
    )
    enu = placement.to_enu(map_points)
    column, row = grid.cell_of(enu[:, 0], enu[:, 1])
    lift = placement.from_enu(np.stack([enu[:, 0], enu[:, 1], np.full(len(enu), height_m)], 1))
    fields = (column - 0.5, row - 0.5, lift[:, 2] - height_m)
    dense = [_densify(f.reshape(gx.shape), (width, height)) for f in fields]
    return Resampling(west, north, cell, *dense)


def _densify(lattice: FloatArray, size: tuple[int, int]) -> NDArray[np.float32]:
    """Values at every cell from those at every LATTICE_CELLS-th, bilinear, in double precision."""
    width, height = size
    x = np.arange(width) / LATTICE_CELLS
    y = np.arange(height) / LATTICE_CELLS
    j, i = x.astype(int), y.astype(int)
    fx = x - j
    fy = (y - i)[:, None]
    upper = lattice[i][:, j] * (1 - fx) + lattice[i][:, j + 1] * fx
    lower = lattice[i + 1][:, j] * (1 - fx) + lattice[i + 1][:, j + 1] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, dtype=np.float32)
