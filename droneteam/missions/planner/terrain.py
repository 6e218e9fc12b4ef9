"""The ground and what stands on it, from a raster: sampled, smoothed and never guessed (pure).

A terrain keeps two layers on one grid: ``mean_m``, the surface as a photo sees it, and ``top_m``,
the highest point of each cell, which clearances are taken from.  Cells without a value are NaN,
and so is everything outside the grid.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from scipy import ndimage

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.heights import (
    AltAgl,
    AltAmsl,
    AltHome,
    Altitude,
    VerticalDatum,
    geoid_from_datum_m,
)

TerrainKind = Literal["dsm", "dtm"]
MIN_CELL_M = 0.05
MAX_CELL_M = 100.0


_CELLS_PER_SIGMA = 2.5
"""Cells that a smoothed surface needs: it is read between them by straight lines."""


@dataclass(frozen=True, slots=True, eq=False)
class Terrain:
    """A raster of heights.

    mean_m, top_m : (rows, columns) float32; origin : x of the left and y of the upper edge;
    cell : width and height of a cell, both positive, in the units of the crs; kind : whether
    buildings and trees are in it (dsm) or not (dtm).
    """

    name: str
    kind: TerrainKind
    datum: VerticalDatum
    crs: str
    origin: tuple[float, float]
    cell: tuple[float, float]
    mean_m: NDArray[np.float32]
    top_m: NDArray[np.float32]
    geoid_separation_m: float | None = None
    _from_wgs84: Transformer = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.mean_m.ndim != 2 or self.mean_m.shape != self.top_m.shape:
            raise InputError("terrain {name}: its layers are no two equal grids", name=self.name)
        if not np.isfinite(self.mean_m).any():
            raise InputError(
                "terrain {name} holds no height at all", field="terrain", name=self.name
            )
        made = Transformer.from_crs("EPSG:4326", CRS.from_user_input(self.crs), always_xy=True)
        object.__setattr__(self, "_from_wgs84", made)

    @property
    def label(self) -> str:
        """Its name, kind and datum, as they are shown beside every figure from it."""
        return f"{self.name} ({self.kind.upper()}, {self.datum.value})"

    @property
    def tells_sea_level(self) -> bool:
        """Whether its datum leads to heights above sea level."""
        if self.datum is VerticalDatum.ELLIPSOID:
            return self.geoid_separation_m is not None
        return self.datum is not VerticalDatum.UNKNOWN

    def ground_m(self, lat_lon: FloatArray) -> FloatArray:
        """(n,) heights above the datum at (n, 2) places, bilinear; NaN without a value."""
        return _bilinear(self.mean_m, *self._cells(lat_lon))

    def top_within_m(self, lat_lon: FloatArray, radius_cells: int) -> FloatArray:
        """(n,) the highest cell within so many cells of each place; NaN where none is known.

        A neighbour without a value does not count: the place itself must have one.
        """
        x, y = self._cells(lat_lon)
        column, row = np.floor(x + 0.5), np.floor(y + 0.5)
        rows, columns = self.top_m.shape
        inside = (column >= 0) & (row >= 0) & (column < columns) & (row < rows)
        found = np.full(len(x), np.nan)
        spread = _highest(self.top_m, row[inside], column[inside], radius_cells)
        known = np.isfinite(self.ground_m(lat_lon)[inside])
        found[inside] = np.where(known, spread, np.nan)
        return found

    def cell_m(self, lat_deg: float, lon_deg: float) -> float:
        """The side of a cell on the ground, in metres."""
        step = 1e-5
        here = np.array([[lat_deg, lon_deg], [lat_deg + step, lon_deg]])
        x, y = self._cells(here)
        return float(step * 111_195.0 / max(1e-12, np.hypot(x[1] - x[0], y[1] - y[0])))

    def smoothed(self, sigma_cells: float) -> Terrain:
        """Its mean layer smoothed (Gaussian), alone; cells without a value stay so.

        Fine cells are joined first: a smooth surface needs few cells for each deviation.
        """
        joined = max(1, int(sigma_cells / _CELLS_PER_SIGMA))
        mean = _mean_of(self.mean_m, joined)
        known = np.isfinite(mean)
        weight = ndimage.gaussian_filter(known.astype(np.float32), sigma_cells / joined)
        blurred = ndimage.gaussian_filter(np.where(known, mean, 0.0), sigma_cells / joined)
        with np.errstate(invalid="ignore", divide="ignore"):
            smooth = np.where(known, blurred / weight, np.nan).astype(np.float32)
        return self._blocks(joined, smooth, smooth)

    def coarser(self, cells: int) -> Terrain:
        """The same in blocks of so many cells a side, each with its mean and its highest value."""
        if cells <= 1:
            return self
        return self._blocks(cells, _mean_of(self.mean_m, cells), _top_of(self.top_m, cells))

    def _blocks(
        self, cells: int, mean_m: NDArray[np.float32], top_m: NDArray[np.float32]
    ) -> Terrain:
        size = (self.cell[0] * cells, self.cell[1] * cells)
        return replace(self, cell=size, mean_m=mean_m, top_m=top_m)

    def _cells(self, lat_lon: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Columns and rows, counted from the first cell's middle."""
        x, y = self._from_wgs84.transform(lat_lon[:, 1], lat_lon[:, 0])
        left, top = self.origin
        width, height = self.cell
        column = (np.asarray(x) - left) / width - 0.5
        row = (top - np.asarray(y)) / height - 0.5
        return column, row


def ground_amsl(terrain: Terrain, lat_deg: float, lon_deg: float) -> AltAmsl:
    """The ground's height above sea level at a place.

    Raises
    ------
    InputError
        The place is not covered, or the datum does not tell.
    """
    height_m = float(required(terrain, np.array([[lat_deg, lon_deg]]))[0])
    return AltAmsl(height_m + geoid_from_datum_m(terrain.datum, terrain.geoid_separation_m))


def home_height(
    wanted: Altitude, lat_deg: float, lon_deg: float, home: HomePoint, terrain: Terrain | None
) -> AltHome:
    """Any height at a place as one above the take-off point.

    A height above the ground is carried over by the difference of two heights of one terrain, so
    that its datum cancels out.

    Raises
    ------
    InputError
        A height above the ground without a terrain, or outside of it.
    """
    match wanted:
        case AltHome():
            return wanted
        case AltAmsl():
            return wanted.home(home)
        case AltAgl(metres=metres):
            if terrain is None:
                raise InputError(
                    "a height above the ground needs a terrain: choose one, or give heights "
                    "above the take-off point",
                    field="terrain",
                )
            places = np.array([[home.lat_deg, home.lon_deg], [lat_deg, lon_deg]])
            at_home, here = required(terrain, places)
            return AltHome(float(here - at_home) + metres)


def required(terrain: Terrain, lat_lon: FloatArray) -> FloatArray:
    """The ground's heights, all of them.

    Raises
    ------
    InputError
        Says at how many of the places, and first where, the terrain has no value.
    """
    heights_m = terrain.ground_m(lat_lon)
    missing = np.nonzero(~np.isfinite(heights_m))[0]
    if len(missing):
        lat_deg, lon_deg = lat_lon[missing[0]]
        raise InputError(
            "terrain {name} has no height at {missing} of {count} places of this mission, "
            "first at {lat_deg:.6f}, {lon_deg:.6f}: choose a terrain that covers the area, "
            "the take-off point and the way between, or level ground",
            field="terrain",
            name=terrain.name,
            missing=len(missing),
            count=len(lat_lon),
            lat_deg=lat_deg,
            lon_deg=lon_deg,
        )
    return heights_m


def _mean_of(layer: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """The mean of the known values of each block of cells; NaN where there is none."""
    if cells == 1:
        return layer
    parts = _parts(layer, cells)
    known = [np.isfinite(part) for part in parts]
    total = sum(np.where(has, part, 0.0) for has, part in zip(known, parts, strict=True))
    with np.errstate(invalid="ignore"):
        return np.asarray(total / sum(has.astype(np.float32) for has in known), dtype=np.float32)


def _top_of(layer: NDArray[np.float32], cells: int) -> NDArray[np.float32]:
    """The highest known value of each block of cells; NaN where there is none."""
    return functools.reduce(np.fmax, _parts(layer, cells))


def _parts(layer: NDArray[np.float32], cells: int) -> list[NDArray[np.float32]]:
    """The grid's cells by their place within a block, each a grid of the blocks."""
    spare = [(0, -side % cells) for side in layer.shape]
    if any(after for _, after in spare):
        layer = np.pad(layer, spare, constant_values=np.nan)
    return [layer[row::cells, column::cells] for row in range(cells) for column in range(cells)]


def _bilinear(grid: NDArray[np.float32], x: FloatArray, y: FloatArray) -> FloatArray:
    """Values at columns x and rows y; up to half a cell beyond the outer middles they hold on."""
    rows, columns = grid.shape
    inside = (x >= -0.5) & (y >= -0.5) & (x <= columns - 0.5) & (y <= rows - 0.5)
    x = np.where(inside, np.clip(x, 0.0, columns - 1.0), 0.0)
    y = np.where(inside, np.clip(y, 0.0, rows - 1.0), 0.0)
    left = np.clip(np.floor(x).astype(np.int64), 0, max(0, columns - 2))
    upper = np.clip(np.floor(y).astype(np.int64), 0, max(0, rows - 2))
    right, lower = np.minimum(left + 1, columns - 1), np.minimum(upper + 1, rows - 1)
    u, v = x - left, y - upper
    total = np.zeros(len(x))
    for row, column, share in (
        (upper, left, (1.0 - u) * (1.0 - v)),
        (upper, right, u * (1.0 - v)),
        (lower, left, (1.0 - u) * v),
        (lower, right, u * v),
    ):
        total += np.where(share > 0.0, share * np.where(share > 0.0, grid[row, column], 0.0), 0.0)
    return np.where(inside, total, np.nan)


def _highest(
    grid: NDArray[np.float32], row: FloatArray, column: FloatArray, radius: int
) -> FloatArray:
    """(n,) the highest value of the square of cells around each place."""
    rows, columns = grid.shape
    best = np.full(len(row), -np.inf)
    for up in range(-radius, radius + 1):
        at_row = np.clip(row.astype(np.int64) + up, 0, rows - 1)
        for aside in range(-radius, radius + 1):
            at_column = np.clip(column.astype(np.int64) + aside, 0, columns - 1)
            best = np.fmax(best, grid[at_row, at_column])
    return np.where(np.isneginf(best), np.nan, best)
