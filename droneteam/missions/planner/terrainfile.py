"""Terrain rasters from GeoTIFF files: the only module here that opens them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.errors import RasterioError
from rasterio.windows import Window

from droneteam.errors import DecodeError, InputError
from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.heightunits import unit_m
from droneteam.missions.planner.route import LatLon
from droneteam.missions.planner.terrain import MAX_CELL_M, MIN_CELL_M, Terrain, TerrainKind

MAX_CELLS = 4_000_000
"""Cells kept around a site; finer rasters are reduced block by block, keeping their tops."""
MAX_SITE_KM = 20.0
LOWEST_M, HIGHEST_M = -600.0, 9_200.0
"""Beyond all land, above whatever datum: -9999 and its like mark what was not measured."""
FINEST_M = 0.25
"""Cells smaller than this are joined: no flight follows the ground more finely."""
MAX_BLOCK_BYTES = 128 << 20
"""A raster is unpacked block by block; zeros make one of many gigabytes out of a small file."""
_REACH_M = 300.0
"""Ground around the mission's places that is read too: turns, run-ins and lead-outs."""


@dataclass(frozen=True, slots=True)
class TerrainFile:
    """A GeoTIFF of heights on disk, and what its numbers mean.

    geoid_separation_m : the geoid above the ellipsoid at the site, where the datum needs it.
    """

    name: str
    path: Path
    kind: TerrainKind = "dsm"
    datum: VerticalDatum = VerticalDatum.UNKNOWN
    geoid_separation_m: float | None = None


def read_terrain(source: TerrainFile, around: Sequence[LatLon]) -> Terrain:
    """The part of the raster around some places.

    Raises
    ------
    DecodeError
        The file is no GeoTIFF of heights with a place on the earth.
    InputError
        None of the places lies in it.
    """
    try:
        with rasterio.open(source.path, driver="GTiff") as opened:
            crs = _checked_crs(opened, source.name)
            window = _window(opened, crs, around, source.name)
            factor = _factor(opened, window)
            scale = opened.scales[0] * unit_m(opened, crs, source.name)
            offset_m = opened.offsets[0] * unit_m(opened, crs, source.name)
            mean_m, top_m = _reduced(opened, window, factor, (scale, offset_m))
            left, top = opened.transform @ (window.col_off, window.row_off)
            cell = (opened.transform.a * factor, -opened.transform.e * factor)
    except (RasterioError, OSError) as error:
        raise DecodeError(
            "terrain {name}: not a readable GeoTIFF: {error}", name=source.name, error=error
        ) from error
    return Terrain(
        source.name,
        source.kind,
        source.datum,
        crs.to_wkt(),
        (float(left), float(top)),
        cell,
        mean_m,
        top_m,
        source.geoid_separation_m,
    )


def check_terrain(source: TerrainFile) -> tuple[LatLon, LatLon]:
    """The south-west and north-east corner of a usable raster.

    Raises
    ------
    DecodeError
        It is none: says what it lacks.
    """
    try:
        with rasterio.open(source.path, driver="GTiff") as opened:
            crs = _checked_crs(opened, source.name)
            to_wgs84 = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
            west, south, east, north = to_wgs84.transform_bounds(*opened.bounds)
    except (RasterioError, OSError) as error:
        raise DecodeError(
            "terrain {name}: not a readable GeoTIFF: {error}", name=source.name, error=error
        ) from error
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        raise DecodeError(
            "terrain {name}: its corners have no place on the earth", name=source.name
        )
    return (south, west), (north, east)


def _checked_crs(opened: Any, name: str) -> CRS:
    if opened.crs is None:
        raise DecodeError(
            "terrain {name}: it does not say its coordinate reference system", name=name
        )
    turn = opened.transform
    if turn.b != 0.0 or turn.d != 0.0 or turn.a <= 0.0 or turn.e >= 0.0:
        raise DecodeError(
            "terrain {name}: turned or mirrored rasters are not read; north up only", name=name
        )
    if np.dtype(opened.dtypes[0]).kind not in "fiu":
        raise DecodeError(
            "terrain {name}: its first band holds {dtype}, no heights",
            name=name,
            dtype=opened.dtypes[0],
        )
    if opened.count > 1 and opened.dtypes[0] == "uint8":
        raise DecodeError(
            "terrain {name}: this is a picture of {bands} bands, no heights",
            name=name,
            bands=opened.count,
        )
    check_blocks(opened, name)
    crs = CRS.from_wkt(opened.crs.to_wkt())
    unit_m(opened, crs, name)
    cell_m = _cell_m(opened, crs)
    if not MIN_CELL_M / 10.0 <= cell_m <= MAX_CELL_M:
        raise DecodeError(
            "terrain {name}: cells of {cell_m:g} m; up to {limit:g} m serve",
            name=name,
            cell_m=cell_m,
            limit=MAX_CELL_M,
        )
    return crs


def check_blocks(opened: Any, name: str) -> None:
    """DecodeError for a file that takes all memory when a part of it is read.

    Its blocks may be larger than the picture in it.
    """
    rows, columns = opened.block_shapes[0]
    bands = opened.count if opened.profile.get("interleave") == "pixel" else 1
    size = rows * columns * bands * np.dtype(opened.dtypes[0]).itemsize
    if size > MAX_BLOCK_BYTES:
        raise DecodeError(
            "{name}: blocks of {columns} × {rows} cells take {size_mb} MB each; write it in tiles "
            "(gdal_translate -co TILED=YES)",
            name=name,
            columns=columns,
            rows=rows,
            size_mb=f"{size / 1e6:.0f}",
        )


def _cell_m(opened: Any, crs: CRS) -> float:
    """The width of a cell in metres; of a degree along the meridian for geographic rasters."""
    unit_m = 111_195.0 if crs.is_geographic else crs.axis_info[0].unit_conversion_factor
    return float(opened.transform.a * unit_m)


def _window(opened: Any, crs: CRS, around: Sequence[LatLon], name: str) -> Window:
    """The raster's cells near the places."""
    lats, lons = zip(*around, strict=True)
    north_deg = _REACH_M / 111_195.0
    east_deg = north_deg / max(0.05, math.cos(math.radians(lats[0])))
    if (max(lats) - min(lats)) * 111.2 > MAX_SITE_KM:
        raise InputError(
            "the places lie more than {limit:g} km apart", field="polygon", limit=MAX_SITE_KM
        )
    to_crs = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    left, bottom, right, top = to_crs.transform_bounds(
        min(lons) - east_deg, min(lats) - north_deg, max(lons) + east_deg, max(lats) + north_deg
    )
    column_a, row_a = ~opened.transform @ (left, top)
    column_b, row_b = ~opened.transform @ (right, bottom)
    first_column, first_row = max(0, math.floor(column_a)), max(0, math.floor(row_a))
    columns = min(opened.width, math.ceil(column_b)) - first_column
    rows = min(opened.height, math.ceil(row_b)) - first_row
    if columns < 1 or rows < 1:
        raise InputError(
            "terrain {name} lies elsewhere: none of the mission's places is in it",
            field="terrain",
            name=name,
        )
    return Window(first_column, first_row, columns, rows)


def _factor(opened: Any, window: Window) -> int:
    """How many cells a side become one."""
    crs = CRS.from_wkt(opened.crs.to_wkt())
    by_size = math.ceil(math.sqrt(window.width * window.height / MAX_CELLS))
    cell_m = _cell_m(opened, crs)
    return max(1, by_size, math.floor(FINEST_M / cell_m + 1e-6))


def _reduced(
    opened: Any, window: Window, factor: int, stored: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and top in metres of blocks of ``factor`` by ``factor`` cells, strip by strip.

    stored : metres that one stands for in the file, and that nought does.
    """
    scale, offset_m = stored
    means, tops = [], []
    step = factor * max(1, 256 // factor)
    for first in range(0, window.height, step):
        rows = min(step, window.height - first)
        part = Window(window.col_off, window.row_off + first, window.width, rows)
        heights = opened.read(1, window=part, masked=True).astype(np.float32).filled(np.nan)
        if (scale, offset_m) != (1.0, 0.0):
            heights = (heights * scale + offset_m).astype(np.float32)
        heights[~((heights > LOWEST_M) & (heights < HIGHEST_M))] = np.nan  # also of infinity
        mean, top = _blocks(heights, factor)
        means.append(mean)
        tops.append(top)
    return np.vstack(means), np.vstack(tops)


def _blocks(
    heights: NDArray[np.float32], factor: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(rows, columns) mean and top of each block; NaN where a block has no value at all."""
    rows, columns = (-(-side // factor) for side in heights.shape)
    padded = np.full((rows * factor, columns * factor), np.nan, dtype=np.float32)
    padded[: heights.shape[0], : heights.shape[1]] = heights
    blocks = padded.reshape(rows, factor, columns, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3), dtype=np.float64)
    top = np.where(known, blocks, -np.inf).max(axis=(1, 3))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.nan).astype(np.float32)
    return mean, np.where(count > 0, top, np.nan).astype(np.float32)
