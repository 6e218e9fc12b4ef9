"""The orthophoto as PNG tiles, cut in the raster's own pixel grid.

Tiles work in every browser, without WebGL.  Level 0 is the whole raster in one tile; the last
level has the raster's own pixels.  Rasters are opened with an explicit driver: GDAL would
otherwise open a VRT that calls itself .tif and read any file that it names.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling
from rasterio.windows import Window

from droneteam.errors import DecodeError, NotFound

TILE_PX = 512
DRIVER = "GTiff"


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """A raster's size; m_per_px is the ground's metres per pixel where it has metres."""

    width_px: int
    height_px: int
    m_per_px: float

    @property
    def levels(self) -> int:
        """How many levels of tiles there are."""
        return 1 + max(0, math.ceil(math.log2(max(self.width_px, self.height_px) / TILE_PX)))


def raster_info(path: Path) -> RasterInfo:
    """The raster's size.

    Raises
    ------
    DecodeError
        The file is no GeoTIFF.
    """
    try:
        with rasterio.open(path, driver=DRIVER) as raster:
            # The length of one step along a row, also where the raster is turned.
            size_m = math.hypot(raster.transform.a, raster.transform.d)
            return RasterInfo(raster.width, raster.height, size_m)
    except rasterio.errors.RasterioIOError as error:
        raise DecodeError(f"{path.name} is no readable GeoTIFF: {error}") from error


def reference_system(path: Path) -> str | None:
    """The raster's reference system, such as EPSG:3812; None where it states none.

    Raises
    ------
    DecodeError
        The file is no GeoTIFF.
    """
    try:
        with rasterio.open(path, driver=DRIVER) as raster:
            return None if raster.crs is None else str(raster.crs)
    except rasterio.errors.RasterioIOError as error:
        raise DecodeError(f"{path.name} is no readable GeoTIFF: {error}") from error


def tile_png(path: Path, level: int, column: int, row: int) -> bytes:
    """One tile as PNG; transparent where the raster has nothing.

    Raises
    ------
    NotFound
        There is no such tile.
    """
    info = raster_info(path)
    if not 0 <= level < info.levels:
        raise NotFound("level of tiles", level)
    reach_px = TILE_PX * 2 ** (info.levels - 1 - level)
    left, top = column * reach_px, row * reach_px
    if column < 0 or row < 0 or left >= info.width_px or top >= info.height_px:
        raise NotFound("tile", f"{level}/{column}/{row}")
    width, height = min(reach_px, info.width_px - left), min(reach_px, info.height_px - top)
    scale = TILE_PX / reach_px
    shape = (max(1, round(height * scale)), max(1, round(width * scale)))
    with rasterio.open(path, driver=DRIVER) as raster:
        window = Window(left, top, width, height)
        bands = [1, 2, 3] if raster.count >= 3 else [1, 1, 1]
        method = Resampling.average if scale < 1.0 else Resampling.nearest
        pixels = raster.read(bands, window=window, out_shape=(3, *shape), resampling=method)
        mask = raster.dataset_mask(window=window, out_shape=shape, resampling=Resampling.nearest)
    return _png(_as_bytes(pixels), mask)


def _as_bytes(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """The pixels in 8 bits; wider ones are scaled by their type's range."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    if pixels.dtype == np.uint16:
        return (pixels.astype(np.uint16) >> 8).astype(np.uint8)
    return np.clip(pixels.astype(np.float64), 0, 255).astype(np.uint8)


def _png(pixels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> bytes:
    canvas = np.zeros((TILE_PX, TILE_PX, 4), dtype=np.uint8)
    height, width = mask.shape
    canvas[:height, :width, :3] = np.moveaxis(pixels, 0, -1)
    canvas[:height, :width, 3] = mask
    buffer = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()
