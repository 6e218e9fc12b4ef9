"""What the colours over the orthophoto mean, with the share of it that each takes: a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from droneteam.errors import DecodeError
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED
from droneteam.web.overlays import AMBER, COVERAGE_CLASSES, MANY, OVERLAYS, Colour, source_colours
from droneteam.web.tiles import DRIVER

BLOCK_ROWS = 512
_INSIDE_BAND = 2


@dataclass(frozen=True, slots=True)
class LegendRow:
    """A colour of a layer.

    photo : whose it is; least, most : photos that see a place, None without a most;
    share : of the cells that the layer speaks of, 0 to 1.
    """

    layer: str
    colour: Colour
    share: float
    photo: str = ""
    least: int | None = None
    most: int | None = None


def legend(products: Mapping[str, Path]) -> list[LegendRow]:
    """The rows of every layer that a scene has.

    Raises
    ------
    DecodeError
        A layer's file is no GeoTIFF.
    """
    made = {"filled": _filled, "coverage": _coverage, "sources": _sources}
    rows: list[LegendRow] = []
    for layer, rows_of in made.items():
        path = products.get(OVERLAYS[layer])
        if path is not None and path.is_file():
            counts, photos = _counts(path, path.stat().st_mtime_ns)
            rows += rows_of(np.array(counts), photos)
    return rows


def _filled(counts: NDArray[np.int64], _photos: tuple[str, ...]) -> list[LegendRow]:
    known = int(counts[[MEASURED, FILLED]].sum())
    return [LegendRow("filled", AMBER, counts[FILLED] / known)] if known else []


def _coverage(counts: NDArray[np.int64], _photos: tuple[str, ...]) -> list[LegendRow]:
    total = max(int(counts.sum()), 1)
    return [
        LegendRow(
            "coverage",
            colour,
            int(counts[least : most + 1].sum()) / total,
            least=least,
            most=None if most == MANY else most,
        )
        for least, most, colour in COVERAGE_CLASSES
    ]


def _sources(counts: NDArray[np.int64], photos: tuple[str, ...]) -> list[LegendRow]:
    """Photos by the share of the orthophoto that they make, the largest first."""
    total = max(int(counts.sum()), 1)
    used = [int(n) for n in np.argsort(-counts, kind="stable") if counts[n] and n < len(photos)]
    colours = source_colours(np.array(used, dtype=np.int64))
    return [
        LegendRow("sources", (int(r), int(g), int(b)), counts[n] / total, photo=photos[n])
        for n, (r, g, b) in zip(used, colours, strict=True)
    ]


@lru_cache(maxsize=64)
def _counts(path: Path, _stamp_ns: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """How many cells bear each code from 0, and the photos that are named.

    Every cell is counted, some rows at a time: overviews do not say which cells have no code.
    Where a second band says which cells are asked for, the others are left out.
    """
    counts = np.zeros(256, dtype=np.int64)
    try:
        with rasterio.open(path, driver=DRIVER) as raster:
            photos = tuple(json.loads(raster.tags().get("PHOTOS", "[]")))
            for top in range(0, raster.height, BLOCK_ROWS):
                window = ((top, min(top + BLOCK_ROWS, raster.height)), (0, raster.width))
                codes = raster.read(1, window=window)
                if raster.count >= _INSIDE_BAND:
                    codes = codes[raster.read(_INSIDE_BAND, window=window) > 0]
                found = np.bincount(codes[codes >= 0].astype(np.int64), minlength=len(counts))
                counts = found + np.pad(counts, (0, len(found) - len(counts)))
    except (rasterio.errors.RasterioError, ValueError) as error:
        raise DecodeError(f"{path.name} is no readable GeoTIFF: {error}") from error
    return tuple(int(n) for n in counts), photos
