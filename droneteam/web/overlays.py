"""What lies over the orthophoto, as PNG tiles in its own pixel grid: filled cells, photos.

Tiles of the same numbers cover the same ground as those of `tiles.py`, so that they need no
reprojection; between rasters of other cells the nearest one is taken, for codes have no mean.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image

from droneteam.errors import DecodeError, NotFound
from droneteam.photogrammetry.surface.rasters import FILLED
from droneteam.web.tiles import DRIVER, TILE_PX, raster_info

Codes = NDArray[np.int64]
Colour = tuple[int, int, int]
MANY = 1_000_000
COVERAGE_CLASSES: tuple[tuple[int, int, Colour], ...] = (
    (0, 1, (194, 34, 56)),
    (2, 2, (240, 140, 20)),
    (3, 4, (245, 220, 60)),
    (5, 8, (110, 190, 90)),
    (9, MANY, (20, 110, 70)),
)
"""At least, at most so many photos, and their colour: one places nothing, two check nothing."""
OUTSIDE = -1
"""Where the overlay's raster has nothing: neither a filled cell nor a photo's index."""
AMBER: Colour = (255, 150, 0)
_AMBER = (*AMBER, 170)
_OPACITY = 130


def _filled(codes: Codes) -> NDArray[np.uint8]:
    """Amber where the surface was filled, clear elsewhere."""
    canvas = np.zeros((*codes.shape, 4), np.uint8)
    canvas[codes == FILLED] = _AMBER
    return canvas


def _sources(codes: Codes) -> NDArray[np.uint8]:
    """A colour for each photo; neighbours in number are far apart in colour."""
    canvas = np.zeros((*codes.shape, 4), np.uint8)
    seen = codes >= 0
    canvas[seen, :3] = source_colours(codes[seen])
    canvas[seen, 3] = _OPACITY
    return canvas


def source_colours(codes: Codes) -> NDArray[np.uint8]:
    """(n, 3) colours of photos by their number."""
    turn = (codes * 0.618_033_988_75) % 1.0  # the golden section spreads any count evenly
    shifts = np.array([0.0, 1.0 / 3.0, 2.0 / 3.0])
    wave = 0.5 + 0.5 * np.cos(2.0 * np.pi * (turn[:, None] + shifts))
    colours: NDArray[np.uint8] = (60.0 + 180.0 * wave).astype(np.uint8)
    return colours


def _coverage(codes: Codes) -> NDArray[np.uint8]:
    """How many photos see a place: from red, where nothing can be measured, to green."""
    canvas = np.zeros((*codes.shape, 4), np.uint8)
    for least, most, colour in COVERAGE_CLASSES:
        canvas[(codes >= least) & (codes <= most)] = (*colour, _OPACITY)
    return canvas


_PAINTED: Mapping[str, tuple[str, Callable[[Codes], NDArray[np.uint8]]]] = {
    "filled": ("dsm_mask", _filled),
    "sources": ("orthophoto_sources", _sources),
    "coverage": ("coverage", _coverage),
}
OVERLAYS: Mapping[str, str] = {name: kind for name, (kind, _) in _PAINTED.items()}
"""An overlay's name and the product that it shows."""


def overlay_png(name: str, path: Path, ortho: Path, at: tuple[int, int, int]) -> bytes:
    """One tile of an overlay as PNG, clear where it says nothing.

    path : of the overlay's raster, in the orthophoto's reference system; at : level, column, row.

    Raises
    ------
    NotFound
        There is no such overlay or tile.
    DecodeError
        The rasters do not lie in one reference system.
    """
    if name not in _PAINTED:
        raise NotFound("overlay", name)
    canvas = _PAINTED[name][1](codes_at(path, ortho, at))
    buffer = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def codes_at(path: Path, ortho: Path, at: tuple[int, int, int]) -> Codes:
    """(TILE_PX, TILE_PX) codes of the raster under the pixels of an orthophoto's tile."""
    level, column, row = at
    info = raster_info(ortho)
    if not 0 <= level < info.levels:
        raise NotFound("level of tiles", level)
    step = 2 ** (info.levels - 1 - level)
    left, top = column * TILE_PX * step, row * TILE_PX * step
    if column < 0 or row < 0 or left >= info.width_px or top >= info.height_px:
        raise NotFound("tile", f"{level}/{column}/{row}")
    centres = (np.arange(TILE_PX) + 0.5) * step
    with rasterio.open(ortho, driver=DRIVER) as raster:
        grid, crs = raster.transform, raster.crs
    east, north = grid.c + grid.a * (left + centres), grid.f + grid.e * (top + centres)
    with rasterio.open(path, driver=DRIVER) as raster:
        if raster.crs != crs:
            raise DecodeError(f"{path.name} lies in {raster.crs}, the orthophoto in {crs}")
        return _nearest(raster, east, north)


def _nearest(
    raster: rasterio.DatasetReader, east: NDArray[np.float64], north: NDArray[np.float64]
) -> Codes:
    """The codes of the cells under places of a grid; only the rows and columns between are read."""
    grid = raster.transform
    columns = np.floor((east - grid.c) / grid.a).astype(np.int64)
    rows = np.floor((north - grid.f) / grid.e).astype(np.int64)
    codes = np.full((len(rows), len(columns)), OUTSIDE, np.int64)
    across = (columns >= 0) & (columns < raster.width)
    down = (rows >= 0) & (rows < raster.height)
    if not across.any() or not down.any():
        return codes
    columns, rows = columns[across], rows[down]
    window = ((int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1))
    band = raster.read(1, window=window)
    codes[np.ix_(down, across)] = band[np.ix_(rows - rows[0], columns - columns[0])]
    return codes
