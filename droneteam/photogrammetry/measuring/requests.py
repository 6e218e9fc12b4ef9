"""What a person asks to be measured, by name, and the same as a document to ask it again; pure.

Two kinds of request: between points that are marked in photos, and on the surface model.  Places
on the surface are kept as latitude and longitude where the scene lies on the earth, so that they
mean the same after the scene is built again about another origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from droneteam.errors import DecodeError, InputError
from droneteam.geo import EnuFrame, check_lat_lon
from droneteam.photogrammetry.control import Mark
from droneteam.photogrammetry.manifest import plain
from droneteam.photogrammetry.measuring import cloud_points, surface_measure
from droneteam.photogrammetry.measuring import measure as rays
from droneteam.photogrammetry.measuring.shapes import SHAPES, shape_of
from droneteam.photogrammetry.scene import (
    CameraNetwork,
    DenseCloud,
    FloatArray,
    Frame,
    Measurement,
)
from droneteam.photogrammetry.scene_files import finite_or_none
from droneteam.photogrammetry.surface.rasters import Raster

KINDS = tuple(SHAPES)
"""What can be measured from marks."""
SURFACE_KINDS = (*KINDS, "section")
"""What can be measured on the surface."""


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """What to measure: the named points, each marked in two or more photos."""

    kind: str
    points: tuple[str, ...]
    marks: tuple[Mark, ...]
    name: str = ""

    def __post_init__(self) -> None:
        shape_of(self.kind, len(self.points))


@dataclass(frozen=True, slots=True)
class SurfaceRequest:
    """What to measure on the surface.

    places : latitude and longitude in degrees when `geographic`, else east and north in the
    scene's frame in metres: the points of a length, area or slope, the line of a profile or
    section, the base around a volume.  heights_m : of the places, above the ellipsoid when
    `geographic`, else up in the frame; they make points of the cloud of them.
    points, marks : a volume's base as marked points instead.  follow : a volume's base goes
    through its points instead of their mean plane.
    place_names : what the places are called, for the scene diagram; none or one for each.
    step_m : between stations; width_m : of a section's band.
    """

    kind: str
    places: tuple[tuple[float, float], ...] = ()
    geographic: bool = False
    points: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    follow: bool = False
    step_m: float | None = None
    width_m: float | None = None
    name: str = ""
    heights_m: tuple[float, ...] = ()
    place_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in SURFACE_KINDS:
            known = ", ".join(SURFACE_KINDS)
            raise InputError(f"cannot measure {self.kind!r}; known: {known}", field="kind")
        count = len(self.points or self.places)
        if self.kind == "volume" and count < 3:
            raise InputError("a volume needs a base of at least 3 points", field="points")
        if self.kind in ("profile", "section") and count < 2:
            raise InputError(f"a {self.kind} needs a line of 2 points", field="points")
        if self.kind not in ("volume", "profile", "section"):
            shape_of(self.kind, count)
        if self.points and self.kind != "volume":
            raise InputError("only a volume's base may be marked points", field="points")
        if self.heights_m and len(self.heights_m) != len(self.places):
            raise InputError("every place needs its height, or none", field="places")
        if self.place_names and len(self.place_names) != len(self.places):
            raise InputError("every place needs its name, or none", field="places")
        if self.heights_m and self.kind in cloud_points.NOT_BETWEEN_POINTS:
            raise InputError(f"a {self.kind} takes places without heights", field="places")
        if self.geographic:
            for lat_deg, lon_deg in self.places:
                check_lat_lon(lat_deg, lon_deg)


AnyRequest = MeasureRequest | SurfaceRequest


def point_names(request: AnyRequest) -> tuple[str, ...]:
    """What the measured points are called, in order; empty where nobody named them."""
    if isinstance(request, SurfaceRequest) and not request.points:
        return request.place_names
    return request.points


def take(network: CameraNetwork, request: MeasureRequest) -> Measurement:
    """The measurement in this network."""
    return rays.from_marks(network, request.marks, request.kind, request.points, name=request.name)


def take_on_surface(
    network: CameraNetwork, raster: Raster, cloud: DenseCloud | None, request: SurfaceRequest
) -> Measurement:
    """The measurement on this surface; cloud : needed by sections and places with heights."""
    name = request.name
    if request.heights_m:
        if cloud is None:
            raise InputError("points of the cloud need the scene's cloud", field="places")
        points, cell_m = points_enu(network.frame, request), raster.grid.gsd_m
        return cloud_points.from_cloud(
            network, cloud, request.kind, points, cell_m=cell_m, name=name
        )
    places = places_en(network.frame, raster, request)
    match request.kind:
        case "volume":
            return surface_measure.volume(
                network,
                raster,
                request.points or places,
                marks=request.marks,
                follow=request.follow,
                name=name,
            )
        case "profile":
            return surface_measure.profile(
                network, raster, places, step_m=request.step_m, name=name
            )
        case "section":
            if cloud is None:
                raise InputError("a section needs the scene's cloud", field="kind")
            step_m = request.step_m or 2.0 * raster.grid.gsd_m
            return surface_measure.section(
                network,
                cloud,
                places,
                width_m=request.width_m or 2.0 * step_m,
                step_m=step_m,
                name=name,
            )
    return surface_measure.from_surface(network, raster, request.kind, places, name=name)


def places_en(frame: Frame, raster: Raster, request: SurfaceRequest) -> FloatArray:
    """(k, 2) east, north of the request's places in the scene's frame.

    Raises
    ------
    InputError
        Latitude and longitude for a scene that has no place on the earth.
    """
    places = np.array(request.places, dtype=np.float64).reshape(-1, 2)
    if not request.geographic:
        return places
    if frame.origin is None:
        raise InputError("the scene has no place on the earth: give east and north in metres")
    known = raster.height_m[np.isfinite(raster.height_m)]
    up = float(np.median(known)) if known.size else 0.0
    height = np.full(len(places), frame.origin.alt_ellipsoid_m + up)
    return EnuFrame(frame.origin).enu_from_geodetic(np.column_stack([places, height]))[:, :2]


def points_enu(frame: Frame, request: SurfaceRequest) -> FloatArray:
    """(k, 3) of the request's places with heights in the scene's frame.

    Raises
    ------
    InputError
        Latitude and longitude for a scene that has no place on the earth.
    """
    points = np.column_stack([np.array(request.places), np.array(request.heights_m)])
    if not request.geographic:
        return points
    if frame.origin is None:
        raise InputError("the scene has no place on the earth: give east and north in metres")
    return EnuFrame(frame.origin).enu_from_geodetic(points)


def placed(request: SurfaceRequest, frame: Frame, up_m: float = 0.0) -> SurfaceRequest:
    """The same request with its places on the earth, where the frame lies on it."""
    if request.geographic or frame.origin is None or not request.places:
        return request
    up = request.heights_m or np.full(len(request.places), up_m)
    geodetic = EnuFrame(frame.origin).geodetic_from_enu(
        np.column_stack([np.array(request.places), np.array(up)])
    )
    places = tuple((float(lat), float(lon)) for lat, lon, _ in geodetic)
    heights = tuple(float(row[2]) for row in geodetic) if request.heights_m else ()
    changed = {"places": places, "heights_m": heights, "geographic": True}
    return SurfaceRequest(**{**_fields(request), **changed})


def marks_document(request: AnyRequest) -> list[dict[str, Any]]:
    """The marks that a measurement rests on, to be kept with it."""
    wanted = set(request.points)
    return [
        {
            "point": mark.point,
            "photo": mark.photo,
            "x_px": mark.x_px,
            "y_px": mark.y_px,
            "sigma_px": mark.sigma_px,
        }
        for mark in request.marks
        if mark.point in wanted
    ]


def request_document(request: AnyRequest) -> dict[str, Any]:
    """The request as JSON can hold it, to be asked again by `request_of`."""
    content: dict[str, Any] = plain(_fields(request))
    content["marks"] = marks_document(request)
    return {"on": "photos" if isinstance(request, MeasureRequest) else "surface", **content}


def request_of(document: Mapping[str, Any]) -> AnyRequest:
    """The request that `request_document` wrote.

    Raises
    ------
    DecodeError
        It is not one.
    """
    try:
        content = dict(document)
        kind = MeasureRequest if content.pop("on") == "photos" else SurfaceRequest
        content["marks"] = tuple(Mark(**mark) for mark in content["marks"])
        content["points"] = tuple(content["points"])
        if "places" in content:
            content["places"] = tuple((float(a), float(b)) for a, b in content["places"])
        if "heights_m" in content:
            content["heights_m"] = tuple(float(height) for height in content["heights_m"])
        if "place_names" in content:
            content["place_names"] = tuple(str(name) for name in content["place_names"])
        return kind(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"not a measurement's request: {error}") from error


def measurement_document(measured: Measurement) -> dict[str, Any]:
    """Every field as JSON can hold it; a number that is not determined is null."""
    content: dict[str, Any] = plain(measured)
    for name in ("value", "ci95_low", "ci95_high"):
        content[name] = finite_or_none(content[name])
    return content


def measurement_of(document: Mapping[str, Any]) -> Measurement:
    """The measurement that `measurement_document` wrote.

    Raises
    ------
    DecodeError
        It is not one.
    """
    nan = float("nan")
    try:
        content = dict(document)
        for name in ("value", "ci95_low", "ci95_high"):
            content[name] = nan if content[name] is None else float(content[name])
        for name in ("photos", "photos_rejected"):
            content[name] = tuple(content.get(name, ()))
        for name in ("points_enu_m", "series"):
            content[name] = _rows(content.get(name, ()))
        return Measurement(**content)
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"not a measurement: {error}") from error


def _rows(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in rows)


def _fields(request: AnyRequest) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__dataclass_fields__}
