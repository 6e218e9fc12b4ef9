"""Volumes from surface models: above a base, and between two surfaces, with their intervals.

The volume is a sum over the cells inside a polygon.  Its error has three parts: the cameras',
which shift, tilt, stretch and bend the whole surface (found at a sample of points and carried to
all cells as an affine displacement field); the cells' own, alike over a few cells; and the base
points' own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from droneteam.errors import InputError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras.locate import Located, covariance_of
from droneteam.photogrammetry.measuring.surface_points import (
    CORRELATION_CELLS,
    cell_sigma,
    sensitivities,
)
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, Frame
from droneteam.photogrammetry.surface.rasters import NO_DATA, Grid, Raster, height_at

Rows = Callable[[FloatArray, FloatArray], FloatArray]
"""(k, 3) base points and (c, 2) places to (c, k) weights of the points' heights."""
MAX_UNKNOWN = 0.05
"""A volume with more than 5 % of its area unknown is not determined."""
SAMPLES = 30
"""Surface points at which the cameras' effect is worked out."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The cells of a surface inside a polygon.

    east_m, north_m, up_m, sigma_m : (c,) of the known cells; slope : (c, 2) change of height by
    east and north; gap : (c,) True where filled; cell_m2 : of one cell; unknown, filled : shares
    of the polygon's cells.
    """

    east_m: FloatArray
    north_m: FloatArray
    up_m: FloatArray
    sigma_m: FloatArray
    slope: FloatArray
    gap: NDArray[np.bool_]
    cell_m2: float
    unknown: float
    filled: float

    @property
    def places(self) -> FloatArray:
        """(c, 2) east, north."""
        return np.column_stack([self.east_m, self.north_m])


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume and its deviation: net, and what lies above and below the base."""

    net_m3: float
    above_m3: float
    below_m3: float
    sigma_m3: float
    open_change_m3: float
    photos: tuple[str, ...]
    remarks: tuple[str, ...]


def volume_above(
    network: CameraNetwork, raster: Raster, base: Located, *, follow: bool = False
) -> Volume | str:
    """The volume between a surface and a base through points around it; or why there is none.

    base : the points around the body, in order.  follow : the base goes through every base point
    (triangles between them) instead of being their mean plane.
    """
    corners = base.points
    if len(corners) < 3:
        raise InputError("a base needs at least 3 points", field="points")
    region = region_of(raster, corners[:, :2])
    if why := _unusable(region):
        return why
    rows = _following(corners) if follow else _plane_rows
    under = rows(corners, region.places) @ corners[:, 2]
    moved = field_response(network, region)
    if isinstance(moved, str):
        return moved
    response, photos = moved
    by_base = _base_gradient(corners, region, rows)
    total = response + by_base @ base.sensitivity
    covariance = covariance_of(network)
    own = float(by_base @ base.noise @ by_base) + own_variance(region)
    cameras = float(total @ covariance.matrix @ total)
    change = 0.0 if covariance.depth_mode is None else abs(float(total @ covariance.depth_mode))
    return _volume(
        region,
        region.up_m - under,
        math.sqrt(own + cameras + change**2),
        change,
        tuple(sorted({*photos, *base.photos})),
        base.remarks,
    )


def volume_between(
    before: tuple[CameraNetwork, Raster],
    after: tuple[CameraNetwork, Raster],
    corners_en_m: FloatArray,
) -> Volume | str:
    """How much was added from one surface to another inside a polygon; or why that is unknown.

    corners_en_m : (k, 2) east, north in the frame of `after`.  The two are compared at the same
    places on the earth, so both frames must lie on it, over one vertical datum.

    Raises
    ------
    InputError
        The frames cannot be compared.
    """
    (old_network, old), (network, new) = before, after
    check_comparable(old_network.frame, network.frame)
    region = region_of(new, corners_en_m)
    if why := _unusable(region):
        return why
    there = moved_places(network.frame, old_network.frame, region)
    up = height_at(old, there[:, 0], there[:, 1])
    known = np.isfinite(up)
    if not known.any() or np.mean(~known) > MAX_UNKNOWN:
        return f"the earlier surface is unknown on {np.mean(~known):.0%} of the area"
    region, there, up = subset(region, known), there[known], up[known]
    earlier = same_places(old, there, up, region)
    variance, change, photos = 0.0, 0.0, set[str]()
    for net, part in ((network, region), (old_network, earlier)):
        moved = field_response(net, part)
        if isinstance(moved, str):
            return moved
        covariance = covariance_of(net)
        variance += float(moved[0] @ covariance.matrix @ moved[0]) + own_variance(part)
        if covariance.depth_mode is not None:
            change = math.hypot(change, float(moved[0] @ covariance.depth_mode))
        photos |= set(moved[1])
    sigma = math.sqrt(variance + change**2)
    return _volume(region, there[:, 2] - up, sigma, change, tuple(sorted(photos)), ())


def region_of(raster: Raster, corners_en_m: FloatArray) -> Region:
    """The cells whose centres lie inside the polygon.

    Raises
    ------
    InputError
        The polygon holds no cell of the surface.
    """
    raster = _window(raster, corners_en_m)
    inside = _inside(raster.grid, corners_en_m)
    count = int(inside.sum())
    if not count:
        raise InputError("the polygon holds no cell of the surface", field="points")
    known = inside & (raster.mask > NO_DATA) & np.isfinite(raster.height_m)
    i, j = np.nonzero(known)
    east, north = raster.grid.centres()
    places = np.column_stack([east[j], north[i]])
    sigma, gap = cell_sigma(raster, places)
    filled = float(gap.sum()) / count
    unknown = 1.0 - len(i) / count
    slope = _slopes(raster)[i, j]
    up = raster.height_m[i, j].astype(np.float64)
    return Region(
        places[:, 0], places[:, 1], up, sigma, slope, gap, raster.grid.gsd_m**2, unknown, filled
    )


@dataclass(frozen=True, slots=True, eq=False)
class Lift:
    """How the cameras' unknowns move a region's heights: u(x), affine in the position.

    affine : (12, n), for (1, east, north, up) x (east, north, up); weights : (c, 12) of each cell:
    a place's height changes by u_up - slope · u_plan; photos : that were used
    """

    affine: FloatArray
    weights: FloatArray
    photos: tuple[str, ...]


def lift_of(network: CameraNetwork, region: Region) -> Lift | str:
    """The region's lift, fitted to the sensitivities at a sample of its cells; or why not."""
    chosen = np.unique(np.linspace(0, len(region.up_m) - 1, SAMPLES).astype(np.int64))
    order = np.lexsort((region.north_m, region.east_m))[chosen]
    points = np.column_stack([region.places, region.up_m])
    middle = points.mean(axis=0)
    found = sensitivities(network, points[order])
    if isinstance(found, str):
        return found
    sensitivity, photos = found
    design = np.column_stack([np.ones(len(order)), points[order] - middle])
    affine = np.linalg.lstsq(design, sensitivity.reshape(len(order), -1), rcond=1e-3)[0]
    basis = np.column_stack([np.ones(len(points)), points - middle])
    up = np.column_stack([-region.slope, np.ones(len(points))])
    weights = np.einsum("cb,ca->cba", basis, up).reshape(len(points), 12)
    return Lift(affine.reshape(12, -1), weights, photos)


def field_response(
    network: CameraNetwork, region: Region
) -> tuple[FloatArray, tuple[str, ...]] | str:
    """(n,) change of the region's volume by the cameras' unknowns, and the photos; or why not."""
    lift = lift_of(network, region)
    if isinstance(lift, str):
        return lift
    return region.cell_m2 * lift.weights.sum(axis=0) @ lift.affine, lift.photos


def own_variance(region: Region) -> float:
    """Variance (m⁶) of the volume from the cells' own noise, alike over neighbouring cells.

    An exponential correlation makes 2π·length² cells err together; filled ones all do.
    """
    measured = region.sigma_m[~region.gap]
    together = min(2.0 * math.pi * CORRELATION_CELLS**2, float(len(measured)))
    noise = together * float((measured**2).sum())
    return region.cell_m2**2 * (noise + float(region.sigma_m[region.gap].sum()) ** 2)


def _volume(
    region: Region,
    heights_m: FloatArray,
    sigma_m3: float,
    change: float,
    photos: tuple[str, ...],
    remarks: tuple[str, ...],
) -> Volume:
    scale = region.cell_m2 / (1.0 - region.unknown)
    said = list(remarks)
    if region.filled > 0.0:
        said.append(f"{region.filled:.1%} of the area is filled, not measured")
    if region.unknown > 0.0:
        said.append(f"{region.unknown:.1%} of the area is unknown and taken as the rest's mean")
    above = float(heights_m[heights_m > 0.0].sum()) * scale
    below = float(np.abs(heights_m[heights_m < 0.0]).sum()) * scale
    said.append(f"{above:.3f} m³ above and {below:.3f} m³ below")
    return Volume(above - below, above, below, sigma_m3, change, photos, tuple(said))


def _unusable(region: Region) -> str | None:
    if region.unknown <= MAX_UNKNOWN:
        return None
    return f"the surface is unknown on {region.unknown:.0%} of the area: photograph it again"


def _window(raster: Raster, corners_en_m: FloatArray) -> Raster:
    """The part of a surface around a polygon, at least two cells wide."""
    column, row = raster.grid.cell_of(corners_en_m[:, 0], corners_en_m[:, 1])
    left = int(np.clip(column.min() - 2, 0, max(0, raster.grid.width - 2)))
    top = int(np.clip(row.min() - 2, 0, max(0, raster.grid.height - 2)))
    right = int(np.clip(column.max() + 3, left + 2, raster.grid.width))
    bottom = int(np.clip(row.max() + 3, top + 2, raster.grid.height))
    cell = raster.grid.gsd_m
    grid = Grid(
        raster.grid.east_m + left * cell,
        raster.grid.north_m - top * cell,
        cell,
        right - left,
        bottom - top,
    )
    part = (slice(top, bottom), slice(left, right))
    return Raster(grid, raster.height_m[part], raster.mask[part], raster.sigma_m[part])


def _inside(grid: Grid, corners_en_m: FloatArray) -> NDArray[np.bool_]:
    """(h, w) cells whose centre lies inside the polygon, by the even-odd rule."""
    east, north = grid.centres()
    inside = np.zeros((grid.height, grid.width), dtype=bool)
    following = np.roll(corners_en_m, -1, axis=0)
    for (e0, n0), (e1, n1) in zip(corners_en_m, following, strict=True):
        crossed = (n0 > north) != (n1 > north)
        at = e0 + (north[crossed] - n0) / (n1 - n0) * (e1 - e0)
        inside[crossed] ^= east < at[:, None]
    return inside


def _slopes(raster: Raster) -> FloatArray:
    """(h, w, 2) change of height by east and north; 0 beside unknown cells."""
    south, east = np.gradient(raster.height_m.astype(np.float64), raster.grid.gsd_m)
    return np.asarray(np.nan_to_num(np.stack([east, -south], axis=-1)))


def _plane_rows(corners: FloatArray, places: FloatArray) -> FloatArray:
    """(c, k) weights of the corners' heights in the mean plane's height at places."""
    middle = corners[:, :2].mean(axis=0)
    design = np.column_stack([np.ones(len(corners)), corners[:, :2] - middle])
    at = np.column_stack([np.ones(len(places)), places - middle])
    return np.asarray(at @ np.linalg.pinv(design))


def _following(corners: FloatArray) -> Rows:
    """The weights of a base that is linear in triangles between the corners.

    Which triangle holds a place is settled once: corners on a circle have no single
    triangulation, and a derivative must not jump between them.
    """
    mesh = Delaunay(corners[:, :2])

    def rows(moved: FloatArray, places: FloatArray) -> FloatArray:
        triangle = mesh.find_simplex(places, tol=1e-9)
        weights = _plane_rows(moved, places)
        held = np.flatnonzero(triangle >= 0)
        names = mesh.simplices[triangle[held]]
        weights[held] = 0.0
        weights[held[:, None], names] = _barycentric(moved[names][:, :, :2], places[held])
        return weights

    return rows


def _barycentric(triangles: FloatArray, places: FloatArray) -> FloatArray:
    """(c, 3) weights of the corners of (c, 3, 2) triangles at (c, 2) places."""
    first = triangles[:, 0]
    u, v, w = triangles[:, 1] - first, triangles[:, 2] - first, places - first
    whole = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    second = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / whole
    third = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / whole
    return np.column_stack([1.0 - second - third, second, third])


def _base_gradient(corners: FloatArray, region: Region, rows: Rows) -> FloatArray:
    """(3k,) change of the volume by the base points' coordinates, the polygon held."""
    places = region.places[:: max(1, len(region.up_m) // 4000)]
    share = region.cell_m2 * len(region.up_m) / len(places)
    step = 1e-4 * float(np.ptp(corners[:, :2], axis=0).max())
    result = np.zeros(corners.size)
    for k in range(corners.size):
        values = []
        for sign in (1.0, -1.0):
            moved = corners.copy()
            moved.flat[k] += sign * step
            values.append(float((rows(moved, places) @ moved[:, 2]).sum()))
        result[k] = -share * (values[0] - values[1]) / (2.0 * step)
    return result


def check_comparable(a: Frame, b: Frame) -> None:
    """Raises InputError unless both lie on the earth, over one vertical datum."""
    if a.origin is None or b.origin is None:
        raise InputError("two scenes can be compared only when both are placed on the earth")
    if a.vertical_datum != b.vertical_datum:
        raise InputError(
            f"the heights of the two scenes are above {a.vertical_datum} and above "
            f"{b.vertical_datum}; they cannot be subtracted"
        )


def moved_places(frame: Frame, target: Frame, region: Region) -> FloatArray:
    """(c, 3) the region's surface points in another scene's frame."""
    assert frame.origin is not None
    assert target.origin is not None
    points = np.column_stack([region.places, region.up_m])
    geodetic = EnuFrame(frame.origin).geodetic_from_enu(points)
    return EnuFrame(target.origin).enu_from_geodetic(geodetic)


def subset(region: Region, kept: NDArray[np.bool_]) -> Region:
    """The region's kept cells; the others count as unknown."""
    return Region(
        region.east_m[kept],
        region.north_m[kept],
        region.up_m[kept],
        region.sigma_m[kept],
        region.slope[kept],
        region.gap[kept],
        region.cell_m2,
        1.0 - (1.0 - region.unknown) * float(kept.mean()),
        region.filled,
    )


def same_places(raster: Raster, there: FloatArray, up: FloatArray, region: Region) -> Region:
    """The other surface's cells at the region's places."""
    sigma, gap = cell_sigma(raster, there[:, :2])
    column, row = raster.grid.cell_of(there[:, 0], there[:, 1])
    i, j = row.astype(np.int64), column.astype(np.int64)
    slope = _slopes(raster)[i, j]
    return Region(
        there[:, 0],
        there[:, 1],
        up,
        sigma,
        slope,
        gap,
        region.cell_m2,
        region.unknown,
        region.filled,
    )
