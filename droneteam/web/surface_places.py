"""Places that were tapped on the orthophoto or in the cloud, as latitude and longitude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyproj
import rasterio

from droneteam.errors import DecodeError
from droneteam.web import points
from droneteam.web.tiles import DRIVER

Places = tuple[tuple[float, float], ...]


def from_ortho(path: Path, pixels: Sequence[tuple[float, float]]) -> tuple[Places, bool]:
    """Latitude and longitude of columns and rows of the raster, and True.

    Of a raster without a reference system east and north in the scene's frame, and False.

    Raises
    ------
    DecodeError
        The file is no GeoTIFF.
    """
    try:
        with rasterio.open(path, driver=DRIVER) as raster:
            crs, grid = raster.crs, raster.transform
    except rasterio.errors.RasterioIOError as error:
        raise DecodeError(f"{path.name} is no readable GeoTIFF: {error}") from error
    places = [
        (grid.a * x + grid.b * y + grid.c, grid.d * x + grid.e * y + grid.f) for x, y in pixels
    ]
    return _geographic(None if crs is None else pyproj.CRS.from_user_input(crs), places)


def from_cloud(path: Path, offsets_m: Sequence[Sequence[float]]) -> tuple[Places, bool]:
    """The same of offsets from the middle of the cloud's box, as the browser has them.

    offsets_m : of two numbers, or of three with the height, which `heights_in_cloud` gives.

    Raises
    ------
    DecodeError
        The file is no LAS or LAZ.
    """
    centre = points.middle(path)
    places = [(centre[0] + row[0], centre[1] + row[1]) for row in offsets_m]
    return _geographic(points.header_of(path).parse_crs(), places)


def heights_in_cloud(path: Path, offsets_m: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Heights of offsets of three numbers, above what the cloud's are; empty where one has two."""
    if any(len(row) != 3 for row in offsets_m):
        return ()
    middle = points.middle(path)[2]
    return tuple(middle + row[2] for row in offsets_m)


def _geographic(
    crs: pyproj.CRS | None, places: Sequence[tuple[float, float]]
) -> tuple[Places, bool]:
    if crs is None:
        return tuple((float(x), float(y)) for x, y in places), False
    to_wgs84 = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    x, y = zip(*places, strict=True)
    lon, lat = to_wgs84.transform(x, y)
    return tuple((float(a), float(b)) for a, b in zip(lat, lon, strict=True)), True
