"""Probability maps from GeoTIFF files: with `terrainfile.py`, what opens rasters here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rasterio import Affine
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile
from rasterio.transform import array_bounds
from rasterio.warp import reproject, transform_bounds
from rasterio.windows import get_data_window

from droneteam.errors import DecodeError
from droneteam.geo import FloatArray
from droneteam.missions.formats.chancemap import chances_of_kml, read_chance_map
from droneteam.missions.planner.chances import MAX_CELLS, ChanceGrid, ChanceMap
from droneteam.missions.planner.terrainfile import check_blocks

MAX_PIXELS = 25_000_000
MAX_CHANCE_BYTES = 50_000_000
MAX_DEGREES = 2.0
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def chance_map_of(name: str, data: bytes) -> ChanceMap:
    """The probability map in a file: a GeoTIFF, GeoJSON, or our own JSON.

    Raises
    ------
    DecodeError
        The file is none of these; the message says what it lacks.
    """
    if len(data) > MAX_CHANCE_BYTES:
        raise DecodeError(
            "{name}: larger than {limit_mb} MB: crop it",
            name=name,
            limit_mb=MAX_CHANCE_BYTES // 1_000_000,
        )
    if data.startswith(_TIFF):
        return _of_raster(name, data)
    if name.lower().endswith((".kml", ".kmz")):
        return chances_of_kml(data, name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(
            "{name} is neither a GeoTIFF nor text: {error}", name=name, error=error
        ) from error
    return read_chance_map(text, name)


def _of_raster(name: str, data: bytes) -> ChanceMap:
    """The first band's values as shares of one; negative and missing values are none."""
    try:
        with MemoryFile(data) as memory, memory.open(driver="GTiff") as opened:
            _check(opened, name)
            check_blocks(opened, name)
            weights = opened.read(1, masked=True).astype(np.float64).filled(0.0)
            crs, transform = opened.crs, opened.transform
    except (RasterioError, OSError) as error:
        raise DecodeError(
            "{name}: not a readable GeoTIFF: {error}", name=name, error=error
        ) from error
    weights = np.where(np.isfinite(weights) & (weights > 0.0), weights, 0.0)
    if not 0.0 < float(weights.sum()) < math.inf:
        raise DecodeError("{name}: no pixel has a value above 0", name=name)
    window = get_data_window(weights, nodata=0.0)
    rows, columns = window.toslices()
    cropped = weights[rows, columns] / weights.sum()
    return ChanceMap(name, grid=_gridded(cropped, crs, transform @ _shift(window), name))


def _shift(window: Any) -> Affine:
    return Affine.translation(window.col_off, window.row_off)


def _check(opened: Any, name: str) -> None:
    if opened.crs is None:
        raise DecodeError("{name}: it does not say its coordinate reference system", name=name)
    if opened.width * opened.height > MAX_PIXELS:
        raise DecodeError(
            "{name}: {width} × {height} pixels; {limit:,} at most: reduce it",
            name=name,
            width=opened.width,
            height=opened.height,
            limit=MAX_PIXELS,
        )
    if np.dtype(opened.dtypes[0]).kind not in "fiu":
        raise DecodeError(
            "{name}: its first band holds {dtype}, no weights", name=name, dtype=opened.dtypes[0]
        )
    if opened.count > 1 and opened.dtypes[0] == "uint8":
        raise DecodeError(
            "{name}: this is a picture of {bands} bands, no weights", name=name, bands=opened.count
        )


def _gridded(chance: FloatArray, crs: Any, transform: Affine, name: str) -> ChanceGrid:
    """The chances in cells of equal degrees, by how much of each pixel lies in each cell."""
    height, width = chance.shape
    bounds = array_bounds(height, width, transform)
    west, south, east, north = transform_bounds(crs, "EPSG:4326", *bounds)
    if not all(math.isfinite(value) for value in (west, south, east, north)):
        raise DecodeError("{name}: its corners have no place on the earth", name=name)
    if max(east - west, north - south) > MAX_DEGREES:
        raise DecodeError(
            "{name}: it reaches over {limit:g}° or more: crop it", name=name, limit=MAX_DEGREES
        )
    narrow = max(0.05, math.cos(math.radians(0.5 * (south + north))))
    tall, wide = north - south, (east - west) * narrow
    cell = max(math.sqrt(tall * wide / (0.9 * MAX_CELLS)), math.sqrt(tall * wide / chance.size))
    cell = max(cell, tall / (0.5 * MAX_CELLS), wide / (0.5 * MAX_CELLS))
    rows, columns = max(1, math.floor(tall / cell)), max(1, math.floor(wide / cell))
    cells = np.zeros((rows, columns))
    reproject(
        chance,
        cells,
        src_transform=transform,
        src_crs=crs,
        dst_transform=Affine((east - west) / columns, 0.0, west, 0.0, -tall / rows, north),
        dst_crs="EPSG:4326",
        resampling=Resampling.sum,
    )
    if not float(cells.sum()) > 0.0:
        raise DecodeError("{name}: its pixels have no place on the earth", name=name)
    summed = (cells[::-1] / cells.sum()).ravel()
    return ChanceGrid(
        south,
        west,
        tall / rows,
        (east - west) / columns,
        columns,
        tuple(float(f"{value:.6g}") for value in summed.tolist()),
    )
