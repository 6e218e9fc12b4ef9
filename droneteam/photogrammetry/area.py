"""The part of a scene that was asked for: read from GeoJSON, cut out of a cloud.

Oblique photos see far beyond the scene; without an area every far wall becomes part of the
surface and of its cost.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, FloatArray, check_lat_lon
from droneteam.missions.formats import geojson
from droneteam.photogrammetry.scene import DenseCloud, Frame

Corners = tuple[tuple[float, float], ...]
"""(lat_deg, lon_deg) of each corner, in order."""

MARGIN_M = 4.0
"""Kept around the area: what stands at its edge is seen whole."""


def read_area(path: Path) -> Corners:
    """The corners of the first polygon in a GeoJSON file.

    Raises
    ------
    InputError
        The file cannot be read, or its polygon crosses itself.
    DecodeError
        It holds no polygon, or a corner is off the globe.
    """
    try:
        corners = geojson.read_area(path.read_text())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", field="area") from error
    check_area(corners)
    return corners


def check_area(corners: Corners) -> None:
    """Nothing, when the corners make a polygon; InputError otherwise."""
    for lat_deg, lon_deg in corners:
        check_lat_lon(lat_deg, lon_deg)
    if len(corners) < 3 or not shapely.Polygon(corners).is_valid:
        raise InputError("the area is not a polygon: its sides cross or vanish", field="area")


def crop(cloud: DenseCloud, corners: Corners, frame: Frame) -> DenseCloud:
    """The cloud's points within MARGIN_M of the area.

    Raises
    ------
    InputError
        The scene is not placed on the earth, or nothing of it lies in the area.
    """
    if frame.origin is None:
        raise InputError("an area needs a scene that is placed on the earth", field="area")
    keep = _inside(cloud.points_enu_m, corners, EnuFrame(frame.origin))
    if not keep.any():
        raise InputError("nothing of the scene lies in the area", field="area")
    kept = {field.name: getattr(cloud, field.name)[keep] for field in fields(cloud)}
    return replace(cloud, **kept)


def corners_enu(corners: Corners, frame: Frame) -> FloatArray:
    """(c, 2) east and north of an area's corners; InputError for a scene without a place."""
    if frame.origin is None:
        raise InputError("an area needs a scene that is placed on the earth", field="area")
    return _ring(corners, EnuFrame(frame.origin))


def _ring(corners: Corners, frame: EnuFrame) -> FloatArray:
    height_m = np.full(len(corners), frame.origin.alt_ellipsoid_m)
    return frame.enu_from_geodetic(np.column_stack([np.array(corners), height_m]))[:, :2]


def _inside(points_enu_m: FloatArray, corners: Corners, frame: EnuFrame) -> NDArray[np.bool_]:
    area = shapely.Polygon(_ring(corners, frame)).buffer(MARGIN_M)
    shapely.prepare(area)
    mask: NDArray[np.bool_] = shapely.contains_xy(area, points_enu_m[:, 0], points_enu_m[:, 1])
    return mask
