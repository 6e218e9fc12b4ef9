"""Where the cameras stood, in the pixels of the orthophoto."""

from __future__ import annotations

import json
from pathlib import Path

import rasterio
from rasterio.warp import transform

from droneteam.errors import DecodeError
from droneteam.web.tiles import DRIVER


def in_raster(cameras: Path, raster_path: Path) -> list[tuple[str, float, float]]:
    """Photo, column and row of every camera of a cameras.geojson; none without a place on earth.

    Raises
    ------
    DecodeError
        One of the files cannot be read.
    """
    try:
        document = json.loads(cameras.read_text())
        rows = [
            (feature["properties"]["name"], *feature["geometry"]["coordinates"][:2])
            for feature in document["features"]
            if feature["properties"].get("kind") == "photo"
        ]
        with rasterio.open(raster_path, driver=DRIVER) as raster:
            if raster.crs is None or not rows:
                return []
            names, lon, lat = zip(*rows, strict=True)
            x, y = transform("EPSG:4326", raster.crs, lon, lat)
            grid = ~raster.transform
            places = [
                (grid.a * east + grid.b * north + grid.c, grid.d * east + grid.e * north + grid.f)
                for east, north in zip(x, y, strict=True)
            ]
    except (OSError, KeyError, TypeError, ValueError, rasterio.errors.RasterioError) as error:
        raise DecodeError(f"{cameras.name} cannot be drawn: {error}") from error
    return [(name, float(c), float(r)) for name, (c, r) in zip(names, places, strict=True)]
