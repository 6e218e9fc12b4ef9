"""A world whose every point is known: ground, street, crashed cars and survey marks.

A world is made from a recipe and a seed, so that nothing can be tuned to a single one.  Its
frame is east-north-up, metres, about `World.frame.origin`; the mesh *is* the geometry, and
every named point lies exactly on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import EnuFrame
from sitl.decals import DecalIndex
from sitl.light import Light, lit
from sitl.materials import GROUND_LAST
from sitl.mesh import FloatArray, IntArray, Mesh
from sitl.raster import first_hits


@dataclass(frozen=True, slots=True)
class NamedPoint:
    """A point that a person can find in a photo.

    kind : "gcp", "check", "scale_bar", "skid", "car" or "area"
    """

    name: str
    kind: str
    enu_m: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class NamedLength:
    """The length of the open line through named points, in space."""

    name: str
    points: tuple[str, ...]
    length_m: float


@dataclass(frozen=True, slots=True)
class NamedArea:
    """The area of the polygon through named points: seen from above, and on its mean plane."""

    name: str
    points: tuple[str, ...]
    area_horizontal_m2: float
    area_plane_m2: float


@dataclass(frozen=True)
class World:
    """Exact geometry, appearance and survey truth of one place."""

    name: str
    seed: int
    frame: EnuFrame
    geoid_undulation_m: float
    mesh: Mesh
    parts: FloatArray
    decals: DecalIndex
    sun_azimuth_deg: float
    sun_elevation_deg: float
    points: tuple[NamedPoint, ...]
    lengths: tuple[NamedLength, ...]
    areas: tuple[NamedArea, ...]
    scale_bars: tuple[NamedLength, ...]
    survey_polygon_enu_m: FloatArray
    home_enu_m: tuple[float, float, float]
    lit_radius_m: float = 28.0
    """Shadows are cast within this distance of the origin."""

    @cached_property
    def corners_enu_m(self) -> FloatArray:
        """(m, 3, 3) corners of every triangle."""
        return np.ascontiguousarray(self.mesh.points_enu_m[self.mesh.triangles])

    @cached_property
    def light(self) -> Light:
        """Baked shadows and sky, computed once per process."""
        return lit(self.mesh, self.sun_azimuth_deg, self.sun_elevation_deg, self.lit_radius_m)

    def first_hits(self, origins_enu_m: FloatArray, directions: FloatArray) -> FloatArray:
        """Distance to the first surface along each ray, in units of its direction.

        origins_enu_m, directions : (n, 3).  Returns (n,); infinity where nothing is hit.
        """
        return _hits(self.corners_enu_m, origins_enu_m, directions)[0]

    def ground_height_m(self, east_north_m: FloatArray) -> FloatArray:
        """Height of the bare ground at (n, 2) places; NaN off its edge."""
        return ground_heights(self.mesh, east_north_m)

    def point(self, name: str) -> NamedPoint:
        """The named point.

        Raises
        ------
        InputError
            No point has that name.
        """
        for point in self.points:
            if point.name == name:
                return point
        raise InputError(f"world {self.name} has no point {name!r}", field="name")


def ground_heights(mesh: Mesh, east_north_m: FloatArray) -> FloatArray:
    """Height of a mesh's ground surfaces at (n, 2) places; NaN where there is none."""
    places = np.asarray(east_north_m, dtype=np.float64).reshape(-1, 2)
    corners = np.ascontiguousarray(mesh.points_enu_m[mesh.triangles[mesh.materials <= GROUND_LAST]])
    origins = np.column_stack([places, np.full(len(places), 500.0)])
    down = np.tile([0.0, 0.0, -1.0], (len(places), 1))
    distance, _ = _hits(corners, origins, down)
    return np.where(np.isfinite(distance), 500.0 - distance, np.nan)


def _hits(
    corners: FloatArray, origins: FloatArray, directions: FloatArray
) -> tuple[FloatArray, IntArray]:
    distance = np.full(len(origins), np.inf)
    ident = np.full(len(origins), -1, np.int32)
    first_hits(
        np.ascontiguousarray(origins, dtype=np.float64),
        np.ascontiguousarray(directions, dtype=np.float64),
        corners,
        distance,
        ident,
    )
    return distance, ident


def named_length(name: str, points: list[NamedPoint]) -> NamedLength:
    """The length of the line through the points."""
    xyz = np.array([p.enu_m for p in points])
    length = float(np.linalg.norm(np.diff(xyz, axis=0), axis=1).sum())
    return NamedLength(name, tuple(p.name for p in points), length)


def named_area(name: str, points: list[NamedPoint]) -> NamedArea:
    """The areas of the polygon through the points (the vector area's parts)."""
    xyz = np.array([p.enu_m for p in points])
    vector = 0.5 * np.cross(xyz - xyz[0], np.roll(xyz, -1, axis=0) - xyz[0]).sum(axis=0)
    names = tuple(p.name for p in points)
    return NamedArea(name, names, abs(float(vector[2])), float(np.linalg.norm(vector)))
