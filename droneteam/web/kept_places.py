"""Kept measurements where they lie: in the orthophoto's pixels and in the viewer's cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import rasterio
from numpy.typing import NDArray

from droneteam.errors import DecodeError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.views import MeasurementView, SceneView
from droneteam.web import points
from droneteam.web.tiles import DRIVER
from droneteam.web.timefmt import decimal

Places = NDArray[np.float64]
CLOSED = ("area", "plan_area", "volume")


@dataclass(frozen=True, slots=True)
class RasterGrid:
    """How a raster's pixels lie: rows of the matrix from column, row to x, y; and in which CRS."""

    crs: str | None
    affine: tuple[float, float, float, float, float, float]

    @property
    def name(self) -> str:
        """The reference system as people write it; empty where the raster states none."""
        if self.crs is None:
            return ""
        found = pyproj.CRS.from_user_input(self.crs)
        code = found.to_epsg()
        return str(found.name) if code is None else f"EPSG:{code}"

    def pixels_of(self, xy: Places) -> Places:
        """(n, 2) columns and rows of (n, 2) places."""
        a, b, c, d, e, f = self.affine
        inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
        pixels: Places = (xy - np.array([c, f])) @ inverse.T
        return pixels


def grid_of(path: Path) -> RasterGrid:
    """The grid of a GeoTIFF.

    Raises
    ------
    DecodeError
        The file is none.
    """
    try:
        with rasterio.open(path, driver=DRIVER) as raster:
            crs = None if raster.crs is None else raster.crs.to_wkt()
            grid = raster.transform
            return RasterGrid(crs, (grid.a, grid.b, grid.c, grid.d, grid.e, grid.f))
    except rasterio.errors.RasterioIOError as error:
        raise DecodeError(f"{path.name} is no readable GeoTIFF: {error}") from error


def on_raster(scene: SceneView, path: Path) -> list[dict[str, Any]]:
    """The drawn measurements, their corners as columns and rows of the orthophoto."""
    grid = grid_of(path)

    def pixels(corners: Places) -> Places:
        return grid.pixels_of(_in_crs(scene, grid.crs, corners)[:, :2])

    return _drawn(scene, pixels, digits=2)


def in_cloud(scene: SceneView, path: Path) -> list[dict[str, Any]]:
    """The same, their corners as metres about the middle of the cloud's box."""
    crs = points.header_of(path).parse_crs()
    middle = np.array(points.middle(path))

    def offsets(corners: Places) -> Places:
        found: Places = _in_crs(scene, None if crs is None else crs.to_wkt(), corners) - middle
        return found

    return _drawn(scene, offsets, digits=4)


def _drawn(
    scene: SceneView, place: Callable[[Places], Places], *, digits: int
) -> list[dict[str, Any]]:
    """One row for every measurement of this build's cameras that has a place."""
    digest = next((row["digest"] for row in scene.stages if row["name"] == "adjust"), None)
    rows = [row for row in scene.measurements if row.adjust_digest == digest]
    return [
        {
            "name": row.measurement.name,
            "text": _value(row),
            "closed": row.measurement.kind in CLOSED,
            "corners": np.round(place(_corners(row)), digits).tolist(),
        }
        for row in rows
        if len(row.measurement.points_enu_m) > 0
    ]


def _corners(row: MeasurementView) -> Places:
    return np.array(row.measurement.points_enu_m, dtype=np.float64).reshape(-1, 3)


def _value(row: MeasurementView) -> str:
    found = row.measurement
    return f"{decimal(found.value, 3)} {found.unit}" if found.determined else "–"


def _in_crs(scene: SceneView, crs: str | None, corners_enu_m: Places) -> Places:
    """(n, 3) in a reference system; as they are in a scene or a file that has none."""
    origin = _origin(scene)
    if crs is None or origin is None:
        return corners_enu_m
    lat, lon, alt = EnuFrame(origin).geodetic_from_enu(corners_enu_m).T
    x, y = _from_wgs84(crs).transform(lon, lat)
    return np.column_stack([x, y, alt])


def _from_wgs84(crs: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)


def _origin(scene: SceneView) -> GeoPoint | None:
    row = ((scene.summary or {}).get("frame") or {}).get("origin")
    if row is None:
        return None
    height = next(value for key, value in row.items() if key.startswith("alt"))
    return GeoPoint(row["lat_deg"], row["lon_deg"], height)
