"""What a viewer of a scene asks for besides pictures: files, cameras, and the photos of a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj
from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.errors import DecodeError, InputError, NotFound
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.measuring.measurement_file import network_of, surface_model
from droneteam.photogrammetry.optics import inside, project, rays
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Frame, View
from droneteam.photogrammetry.scene_cache import built
from droneteam.photogrammetry.scene_rows import found_path, scene_row
from droneteam.photogrammetry.surface.rasters import Raster, height_at
from droneteam.settings import Settings

CLEAR_CELLS = 3.0
"""So far from a place its own surface does not hide it: the cells' noise would hide everything."""
ABOVE_CELLS = 2.0
"""So far the surface must stand above a line of sight to hide what is behind it."""
REACH_M = 100.0
"""Over which the change from the scene's frame to the cloud's is taken as a straight one."""

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class CameraPose:
    """Where a photo's camera stood and what it held.

    corner_rays : directions, east, north, up, of the photo's corners from the top left one
    clockwise, of which the part along the optical axis has length one.
    """

    photo: str
    centre_enu_m: Vector
    corner_rays: tuple[Vector, Vector, Vector, Vector]


@dataclass(frozen=True, slots=True)
class SceneCameras:
    """The cameras, and how the scene's frame lies in the cloud's coordinates.

    cloud_from_enu : rows of a 3 x 4 matrix from east, north, up to metres about the cloud's
    middle; None without a cloud.
    """

    cameras: tuple[CameraPose, ...]
    cloud_from_enu: tuple[tuple[float, float, float, float], ...] | None


@dataclass(frozen=True, slots=True)
class PhotoOfPlace:
    """A photo whose frame holds a place.

    x_px, y_px : where; pixel_m : a pixel's size there; hidden : the surface stands before it.
    """

    photo: str
    x_px: float
    y_px: float
    distance_m: float
    pixel_m: float
    hidden: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A place that somebody tapped.

    at : latitude and longitude in degrees when `geographic`, else east and north in metres.
    height_m : above the ellipsoid when `geographic`, else up in the frame; None takes the
    surface's.
    """

    at: tuple[float, float]
    geographic: bool
    height_m: float | None = None


def product_file(
    session: Session, actor: Actor, scene_id: int, kind: str, settings: Settings
) -> tuple[Path, str]:
    """The scene's folder and a product's path in it.

    Asked for every part of a file that is read in ranges, hence without photos and measurements.

    Raises
    ------
    NotFound
        The actor may not see the scene, or it has no product of that kind.
    """
    row = scene_row(session, actor, scene_id)
    for product in (row.summary or {}).get("products", []):
        if product["kind"] == kind:
            return found_path(row.folder, settings), str(product["path"])
    raise NotFound("product", kind)


def scene_cameras(
    session: Session,
    actor: Actor,
    scene_id: int,
    settings: Settings,
    cloud: tuple[pyproj.CRS | None, Vector] | None,
) -> SceneCameras:
    """The cameras of a built scene; cloud : its reference system and its middle.

    Raises
    ------
    Conflict
        The scene has not been built.
    """
    network = network_of(built(scene_row(session, actor, scene_id), settings))
    matrix = None if cloud is None else cloud_from_enu(network.frame, *cloud)
    rows = None if matrix is None else tuple((*map(float, row),) for row in matrix)
    return SceneCameras(tuple(camera_pose(view) for view in network.views), rows)  # type: ignore[arg-type]


def photos_of_place(
    session: Session, actor: Actor, scene_id: int, settings: Settings, place: Place
) -> tuple[PhotoOfPlace, ...]:
    """The photos that show a place, those that see it and see it finest first.

    Raises
    ------
    Conflict
        The scene has not been built.
    InputError
        The place's height is not stated, and the surface is not known there.
    """
    scene = built(scene_row(session, actor, scene_id), settings)
    network, raster = network_of(scene), surface_model(scene)
    return photos_showing(network, raster, point_of(network.frame, raster, place))


def camera_pose(view: View) -> CameraPose:
    """A view's centre and the directions to its corners."""
    width, height = float(view.camera.width_px), float(view.camera.height_px)
    corners = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    directions = rays(corners, view.camera) @ view.cam_from_enu[:, :3]
    return CameraPose(
        view.name, _vector(view.centre_enu_m), tuple(_vector(row) for row in directions)  # type: ignore[arg-type]
    )  # fmt: skip


def cloud_from_enu(frame: Frame, crs: pyproj.CRS | None, middle: Vector) -> FloatArray:
    """(3, 4) from the scene's frame to metres about the cloud's middle, exact at the origin.

    A map grid bends by millimetres over a scene; pictures need no more.

    Raises
    ------
    DecodeError
        The cloud's reference system has no code.
    """
    epsg = None if crs is None else crs.to_epsg()
    if crs is not None and epsg is None:
        raise DecodeError(f"the cloud's reference system {crs.name} has no EPSG code")
    placement = Placement(frame, epsg if frame.origin is not None else None)
    steps = np.vstack([np.zeros(3), REACH_M * np.eye(3)])
    moved = placement.from_enu(steps)
    linear = (moved[1:] - moved[0]).T / REACH_M
    return np.column_stack([linear, moved[0] - np.asarray(middle)])


def point_of(frame: Frame, raster: Raster, place: Place) -> FloatArray:
    """(3,) east, north, up of a place.

    Raises
    ------
    InputError
        The surface is not known there, or the scene has no place on the earth.
    """
    if place.geographic and frame.origin is None:
        raise InputError("the scene has no place on the earth: give east and north in metres")
    if not place.geographic or frame.origin is None:
        return _on_surface(raster, *place.at, place.height_m)
    enu = EnuFrame(frame.origin)
    known = raster.height_m[np.isfinite(raster.height_m)]
    typical = frame.origin.alt_ellipsoid_m + (float(np.median(known)) if known.size else 0.0)
    height = typical if place.height_m is None else place.height_m
    point = enu.enu_from_geodetic(np.array([[*place.at, height]]))[0]
    up = None if place.height_m is None else float(point[2])
    return _on_surface(raster, float(point[0]), float(point[1]), up)


def _on_surface(raster: Raster, east: float, north: float, up: float | None) -> FloatArray:
    if up is None:
        up = float(height_at(raster, np.array([east]), np.array([north]))[0])
    if not np.isfinite(up):
        raise InputError(
            f"the surface is not known at {east:.2f} m east, {north:.2f} m north", field="place"
        )
    return np.array([east, north, up])


def photos_showing(
    network: CameraNetwork, raster: Raster, point_enu_m: FloatArray
) -> tuple[PhotoOfPlace, ...]:
    """The photos whose frame holds a point; first those that see it, the finest first.

    point_enu_m : (3,).  What hides a point is looked for in the surface model alone.
    """
    found = []
    for view in network.views:
        pixels, depth = project(point_enu_m[None], view)
        if not inside(pixels, view.camera)[0]:
            continue
        centre = view.centre_enu_m
        found.append(
            PhotoOfPlace(
                photo=view.name,
                x_px=float(pixels[0, 0]),
                y_px=float(pixels[0, 1]),
                distance_m=float(np.linalg.norm(centre - point_enu_m)),
                pixel_m=float(depth[0]) / float(np.mean(view.camera.focal_px)),
                hidden=is_hidden(raster, point_enu_m, centre),
            )
        )
    return tuple(sorted(found, key=lambda row: (row.hidden, row.pixel_m, row.photo)))


def is_hidden(raster: Raster, point_enu_m: FloatArray, from_enu_m: FloatArray) -> bool:
    """Whether the surface stands between a point and where it is looked at from.

    Heights are looked up along the line, one for each cell; unknown ones hide nothing.
    """
    gsd = raster.grid.gsd_m
    line = from_enu_m - point_enu_m
    plan = float(np.hypot(line[0], line[1]))
    if plan <= CLEAR_CELLS * gsd:
        return False
    along_m = np.arange(CLEAR_CELLS * gsd, plan, gsd)
    top = float(np.nanmax(raster.height_m)) if np.isfinite(raster.height_m).any() else -np.inf
    up = point_enu_m[2] + along_m / plan * line[2]
    near = along_m[up < top] if line[2] > 0.0 else along_m
    if not near.size:
        return False
    places = point_enu_m + near[:, None] / plan * line
    ground = height_at(raster, places[:, 0], places[:, 1])
    with np.errstate(invalid="ignore"):
        return bool((ground > places[:, 2] + ABOVE_CELLS * gsd).any())


def _vector(values: Sequence[float] | FloatArray) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
