"""Terrains of known shape as rasters, and what an independent reader finds in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine

from droneteam.missions.planner.heights import VerticalDatum
from droneteam.missions.planner.terrain import Terrain
from droneteam.missions.planner.terrainfile import TerrainFile, read_terrain
from tests.missions.conftest import ORIGIN, PLACE

Shape = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]
UTM = "EPSG:32631"
TO_UTM = Transformer.from_crs("EPSG:4326", UTM, always_xy=True)
MIDDLE = TO_UTM.transform(ORIGIN.origin.lon_deg, ORIGIN.origin.lat_deg)


def hill(east: NDArray[np.float64], north: NDArray[np.float64]) -> NDArray[np.float64]:
    """A round hill of 18 m beside the accident, on ground that rises to the east."""
    away = (east - 60.0) ** 2 + (north - 20.0) ** 2
    return 50.0 + 0.04 * east + 18.0 * np.exp(-away / (2.0 * 45.0**2))


def write(
    path: Path,
    heights: NDArray[np.floating],
    cell_m: float,
    *,
    crs: str | None = UTM,
    nodata: float = -9999.0,
    upper_left: tuple[float, float] | None = None,
) -> Path:
    """A GeoTIFF centred on the accident's origin, NaN as its nodata value."""
    rows, columns = heights.shape
    left, top = upper_left or (
        MIDDLE[0] - 0.5 * columns * cell_m,
        MIDDLE[1] + 0.5 * rows * cell_m,
    )
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=columns,
        height=rows,
        count=1,
        dtype="float32",
        crs=crs,
        transform=Affine(cell_m, 0.0, left, 0.0, -cell_m, top),
        nodata=nodata,
    ) as file:
        file.write(np.where(np.isfinite(heights), heights, nodata).astype(np.float32), 1)
    return path


def raster(shape: Shape, reach_m: float = 400.0, cell_m: float = 2.0) -> NDArray[np.float64]:
    """The shape's heights at the middles of cells, east and north of the accident in UTM."""
    count = int(2 * reach_m / cell_m)
    middles = (np.arange(count) + 0.5) * cell_m - reach_m
    east, north = np.meshgrid(middles, -middles)
    return np.asarray(shape(east, north))


def terrain(
    folder: Path,
    shape: Shape = hill,
    *,
    cell_m: float = 2.0,
    reach_m: float = 400.0,
    datum: VerticalDatum = VerticalDatum.GEOID,
) -> Terrain:
    """The shape as the planner reads it from a file."""
    path = write(folder / "dsm.tif", raster(shape, reach_m, cell_m), cell_m)
    place = (PLACE.lat_deg, PLACE.lon_deg)
    return read_terrain(TerrainFile("hill", path, "dsm", datum), [place])


def height_of(shape: Shape, lat_deg: float, lon_deg: float) -> float:
    """The shape's own height at a place, no raster between."""
    x, y = TO_UTM.transform(lon_deg, lat_deg)
    return float(shape(np.array([x - MIDDLE[0]]), np.array([y - MIDDLE[1]]))[0])


def ray(photo: tuple[float, float], point: tuple[float, float, float]) -> NDArray[np.float64]:
    """Right, up and ahead components, in the camera of (yaw, pitch), of a vector ENU."""
    yaw, pitch = math.radians(photo[0]), math.radians(photo[1])
    ahead = point[0] * math.sin(yaw) + point[1] * math.cos(yaw)
    right = point[0] * math.cos(yaw) - point[1] * math.sin(yaw)
    depth = ahead * math.cos(pitch) + point[2] * math.sin(pitch)
    up = -ahead * math.sin(pitch) + point[2] * math.cos(pitch)
    return np.array([right, up, depth])
