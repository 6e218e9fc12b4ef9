"""Rasters as cloud-optimised GeoTIFF: surface model, orthophoto, source photos and mask.

Written north-up in the chosen reference system, or in local metres without one.  Readers in this
project open them with driver="GTiff" only: GDAL would otherwise open a VRT that is named .tif.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling as Resample
from rasterio.io import MemoryFile
from rasterio.transform import Affine
from rio_cogeo.profiles import cog_profiles

from droneteam.photogrammetry.export.placement import Placement, Resampling, resampling
from droneteam.photogrammetry.surface.ortho import NO_VIEW, Ortho
from droneteam.photogrammetry.surface.overlap import CoverageMap
from droneteam.photogrammetry.surface.rasters import NO_DATA, Raster

HEIGHT_NODATA = -9999.0
OVERVIEW_LEVELS = 5
BLOCK_PX = 256
GDAL_OPTIONS = {"GDAL_NUM_THREADS": "2", "GDAL_TIFF_OVR_BLOCKSIZE": str(BLOCK_PX)}


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    """Bands of one file (bands, h, w) and how they are stored.

    unit : of all bands' values, as GDAL names it; empty where they have none.
    """

    bands: NDArray[np.generic]
    nodata: float | None
    tags: dict[str, str]
    descriptions: tuple[str, ...]
    resampling: Literal["average", "mode", "nearest"]
    predictor: int
    unit: str = ""


def write_dsm(raster: Raster, placement: Placement, path: Path, tags: dict[str, str]) -> None:
    """The surface model: heights and their 1-sigma in metres, nodata where unknown."""
    warp = resampling(raster.grid, placement, typical_height(raster))
    height = warp.apply(raster.height_m, interpolation=cv2.INTER_LINEAR, empty=np.nan)
    height = np.asarray(height, dtype=np.float32) + warp.lift_m
    sigma = warp.apply(raster.sigma_m, interpolation=cv2.INTER_NEAREST, empty=np.nan)
    bands = np.stack([height, np.asarray(sigma, dtype=np.float32)])
    bands = np.where(np.isfinite(bands), bands, HEIGHT_NODATA).astype(np.float32)
    tags = {**tags, "VERTICAL": placement.height_statement}
    metric = placement.frame.metric
    names = ("height_m", "sigma_m") if metric else ("height", "sigma")
    unit = "metre" if metric else ""
    layer = _Layer(bands, HEIGHT_NODATA, tags, names, "average", 3, unit)
    _write(layer, warp, placement, path)


def write_mask(raster: Raster, placement: Placement, path: Path, tags: dict[str, str]) -> None:
    """What the surface model's cells are: 0 unknown, 1 measured, 2 filled."""
    warp = resampling(raster.grid, placement, typical_height(raster))
    mask = warp.apply(raster.mask, interpolation=cv2.INTER_NEAREST, empty=NO_DATA)
    tags = {**tags, "VALUES": "0 unknown, 1 measured, 2 filled"}
    layer = _Layer(mask[None], float(NO_DATA), tags, ("mask",), "mode", 2)
    _write(layer, warp, placement, path)


def write_ortho(
    ortho: Ortho, height_m: float, placement: Placement, path: Path, tags: dict[str, str]
) -> None:
    """The orthophoto: red, green, blue, and alpha 0 where no photo sees the surface."""
    warp = resampling(ortho.grid, placement, height_m)
    alpha = np.where(ortho.mask > NO_DATA, 255, 0).astype(np.uint8)
    rgb = warp.apply(ortho.rgb, interpolation=cv2.INTER_LINEAR, empty=0.0)
    # A pixel that would mix colour with emptiness is left out rather than darkened.
    covered = warp.apply(alpha, interpolation=cv2.INTER_LINEAR, empty=0.0) == 255
    bands = np.concatenate([np.moveaxis(rgb, 2, 0), np.where(covered, 255, 0)[None]])
    bands[:, ~covered] = 0
    layer = _Layer(
        bands.astype(np.uint8), None, tags, ("red", "green", "blue", "alpha"), "average", 2
    )
    _write(layer, warp, placement, path)


def write_source(
    ortho: Ortho, height_m: float, placement: Placement, path: Path, tags: dict[str, str]
) -> None:
    """Which photo each orthophoto cell comes from: its index in the tag PHOTOS, -1 for none."""
    warp = resampling(ortho.grid, placement, height_m)
    source = warp.apply(ortho.source, interpolation=cv2.INTER_NEAREST, empty=float(NO_VIEW))
    tags = {**tags, "PHOTOS": json.dumps(ortho.photos)}
    bands = source[None].astype(np.int16)
    # GDAL's overviews by mode turn a negative code of no photo into 0, the first photo's.
    layer = _Layer(bands, float(NO_VIEW), tags, ("photo_index",), "nearest", 2)
    _write(layer, warp, placement, path)


def write_coverage(
    found: CoverageMap, height_m: float, placement: Placement, path: Path, tags: dict[str, str]
) -> None:
    """How many photos see each place, and whether it lies inside what was to be covered."""
    warp = resampling(found.grid, placement, height_m)
    bands = [
        warp.apply(layer.astype(np.uint8), interpolation=cv2.INTER_NEAREST, empty=0.0)
        for layer in (found.photos, found.inside)
    ]
    tags = {**tags, "VALUES": "photos: how many see the place; inside: 1 where it is asked for"}
    layer = _Layer(np.stack(bands).astype(np.uint8), None, tags, ("photos", "inside"), "mode", 2)
    _write(layer, warp, placement, path)


def typical_height(raster: Raster) -> float:
    """The median of the known heights, 0 when there is none."""
    known = raster.height_m[np.isfinite(raster.height_m)]
    return float(np.median(known)) if known.size else 0.0


def _write(layer: _Layer, warp: Resampling, placement: Placement, path: Path) -> None:
    """Writes a file all or nothing, with overviews, tags and tiles."""
    bands, height, width = layer.bands.shape
    crs = None if placement.crs is None else placement.crs.to_wkt("WKT1_GDAL")
    profile = {
        "driver": "GTiff",
        "dtype": str(layer.bands.dtype),
        "count": bands,
        "height": height,
        "width": width,
        "transform": Affine(warp.cell, 0.0, warp.west, 0.0, -warp.cell, warp.north),
        "crs": crs,
        "nodata": layer.nodata,
    }
    if bands == 4:
        profile |= {"photometric": "RGB", "alpha": "YES"}
    options: dict[str, Any] = {
        **cog_profiles["deflate"],
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "predictor": layer.predictor,
        "zlevel": 6,
    }
    partial = path.with_name(path.name + ".part")
    tiles = {"tiled": True, "blockxsize": BLOCK_PX, "blockysize": BLOCK_PX}
    with (
        rasterio.Env(**GDAL_OPTIONS),
        MemoryFile() as memory,
        memory.open(**profile, **tiles) as whole,
    ):
        whole.write(layer.bands)
        # Not by rio-cogeo's cog_translate, which drops the bands' units on the way.
        whole.build_overviews(_factors(width, height), Resample[layer.resampling])
        whole.update_tags(**layer.tags, OVERVIEW_RESAMPLING=layer.resampling.upper())
        for index, text in enumerate(layer.descriptions, start=1):
            whole.set_band_description(index, text)
            whole.set_band_unit(index, layer.unit)
        rasterio.shutil.copy(whole, partial, copy_src_overviews=True, **options)
    partial.replace(path)


def _factors(width: int, height: int) -> list[int]:
    """What overviews are smaller by, until one fits a block."""
    return [2**level for level in range(1, _levels(width, height) + 1)]


def _levels(width: int, height: int) -> int:
    """Halvings until an overview fits one block."""
    levels = 0
    while max(width, height) >> levels > BLOCK_PX and levels < OVERVIEW_LEVELS:
        levels += 1
    return levels
