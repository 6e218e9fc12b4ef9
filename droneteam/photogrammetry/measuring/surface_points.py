"""Points of the surface model, with the cameras' errors and the surface's own.

A surface point moves with the cameras that see it just as a marked one does: its sensitivity is
that of a mark in every photo whose frame holds it.  The surface's own noise is its cells' stated
deviation; neighbouring cells come from the same matching windows and err together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError
from droneteam.photogrammetry.cameras.locate import Located, camera_jacobian, covariance_of, joined
from droneteam.photogrammetry.cameras.triangulation import Optics, optics, project_point
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, Raster, height_at

PICK_CELLS = 0.5
"""1-sigma of a place chosen on the map, in cells."""
CORRELATION_CELLS = 4.0
"""Distance over which the surface's errors are alike: half of the matching window and its
smoothing (Hirschmüller, PAMI 2008, 30:328, uses windows of 9 pixels)."""
SLOPE_CELLS = 1.5
"""Half of the span over which the surface's slope is taken."""
FRAME_MARGIN_PX = 2.0
FEWEST_CELLS = 6
"""Known cells of a window that say whether it lies across an edge."""
SIDES_PERCENT = (5.0, 95.0)
NOISE_RANGE_SIGMA = 4.5
"""Cells of equal height differ by 3.3 deviations between those percentiles, and in a window of
81 hardly ever by 4.5."""
SIGMAS_OF_95 = 1.96


def located_on_surface(
    network: CameraNetwork,
    raster: Raster,
    places_en_m: FloatArray,
    *,
    picked: bool = True,
    edges: bool = True,
) -> Located | str:
    """The surface's points at places, with their joint covariance, or why there are none.

    places_en_m : (k, 2) east, north.  picked : the places were chosen on the map, with its
    uncertainty; else they are exact by definition, as those of a profile.  edges : each place may
    lie on either side of an edge beside it; a base, whose places count together, takes them as
    they are.
    """
    places = np.asarray(places_en_m, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise InputError("places on the surface are east, north in metres", field="points")
    up = height_at(raster, places[:, 0], places[:, 1])
    if not np.isfinite(up).all():
        east, north = places[int(np.argmin(np.isfinite(up)))]
        return f"the surface is not known at {east:.2f} m east, {north:.2f} m north"
    sigma, filled = cell_sigma(raster, places)
    if edges:
        sigma = np.hypot(sigma, roughness(raster, places))
    points = np.column_stack([places, up])
    moved = sensitivities(network, points)
    if isinstance(moved, str):
        return moved
    pick_m = PICK_CELLS * raster.grid.gsd_m if picked else 0.0
    along = _along_surface(raster, places)
    noises = [
        pick_m**2 * a @ a.T + np.diag([0.0, 0.0, s**2]) for a, s in zip(along, sigma, strict=True)
    ]
    sensitivity, photos = moved
    remarks = ("crosses filled cells, which were not measured",) if filled.any() else ()
    return joined(
        covariance_of(network), points, sensitivity, noises, photos=photos, remarks=remarks
    )


def _along_surface(raster: Raster, places: FloatArray) -> FloatArray:
    """(k, 3, 2) how a surface point moves when its place moves east or north by a metre."""
    reach = SLOPE_CELLS * raster.grid.gsd_m
    result = np.tile(np.eye(3)[:, :2], (len(places), 1, 1))
    for axis in (0, 1):
        step = np.zeros(2)
        step[axis] = reach
        ahead, behind = (height_at(raster, *(places + sign * step).T) for sign in (1.0, -1.0))
        result[:, 2, axis] = np.nan_to_num((ahead - behind) / (2.0 * reach))
    return result


def cell_sigma(raster: Raster, places: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    """1-sigma (k,) of the surface at places, and which are filled.

    A filled cell lies somewhere between its neighbours: it takes five times the surface's median
    deviation, and no less than a cell.
    """
    column, row = raster.grid.cell_of(places[:, 0], places[:, 1])
    j = np.clip(column.astype(np.int64), 0, raster.grid.width - 1)
    i = np.clip(row.astype(np.int64), 0, raster.grid.height - 1)
    sigma = raster.sigma_m[i, j].astype(np.float64)
    filled = raster.mask[i, j] == FILLED
    unknown = ~np.isfinite(sigma)
    if unknown.any():  # only then: it takes a look at the whole surface
        sigma[unknown] = max(5.0 * _typical_sigma_m(raster), raster.grid.gsd_m)
    return sigma, filled


def _typical_sigma_m(raster: Raster) -> float:
    known = raster.sigma_m[raster.mask == MEASURED]
    return float(np.nanmedian(known)) if np.isfinite(known).any() else raster.grid.gsd_m


def roughness(raster: Raster, places: FloatArray) -> FloatArray:
    """(k,) 1-sigma, in metres, for what the cells about each place show beside it.

    A matching window that lies across an edge says one height for both of its sides, and says it
    precisely: near a car's outline the surface is one side or the other, whatever its cells state.
    The 95 % interval is to reach the other side; slopes and the cells' own noise do not count.
    """
    column, row = raster.grid.cell_of(places[:, 0], places[:, 1])
    reach = int(CORRELATION_CELLS)
    found = np.zeros(len(places))
    for k, (j, i) in enumerate(zip(column.astype(np.int64), row.astype(np.int64), strict=True)):
        window = (
            slice(max(0, i - reach), max(0, i + reach + 1)),
            slice(max(0, j - reach), max(0, j + reach + 1)),
        )
        found[k] = _other_side(raster.height_m[window], raster.sigma_m[window])
    return found


def _other_side(height_m: NDArray[np.float32], sigma_m: NDArray[np.float32]) -> float:
    """1-sigma that reaches from one side of a window's step to the other; 0 on even ground.

    The window's slope is the median over its cells, which a step between few of them leaves alone.
    """
    rows, columns = np.nonzero(np.isfinite(height_m))
    if len(rows) < FEWEST_CELLS:
        return 0.0
    height = height_m.astype(np.float64)
    down, across = (_median_step(height, axis) for axis in (0, 1))
    even = height[rows, columns] - down * rows - across * columns
    low, high = np.percentile(even, SIDES_PERCENT)
    known = float(np.mean(np.nan_to_num(sigma_m[rows, columns]).astype(np.float64) ** 2))
    noise_m, apart_m = NOISE_RANGE_SIGMA * math.sqrt(known), float(high - low)
    if apart_m <= noise_m or _without_bend(rows, columns, even) <= noise_m:
        return 0.0
    return apart_m / SIGMAS_OF_95


def _without_bend(rows: NDArray[np.int64], columns: NDArray[np.int64], even: FloatArray) -> float:
    """The range of a window's heights (n,) beyond a smooth bend, which no step can pass for.

    A quadric takes a heap's or a roof's rounding whole, of a step no more than half.
    """
    y, x = rows - rows.mean(), columns - columns.mean()
    design = np.column_stack([np.ones(len(x)), x, y, x * x, x * y, y * y])
    fitted = design @ np.linalg.lstsq(design, even, rcond=None)[0]
    low, high = np.percentile(even - fitted, SIDES_PERCENT)
    return float(high - low)


def _median_step(height_m: FloatArray, axis: int) -> float:
    """The median height difference of neighbouring cells along an axis; 0 where none are known."""
    steps = np.diff(height_m, axis=axis)
    steps = steps[np.isfinite(steps)]
    return float(np.median(steps)) if len(steps) else 0.0


def sensitivities(
    network: CameraNetwork, points: FloatArray
) -> tuple[FloatArray, tuple[str, ...]] | str:
    """(3k, n) derivative of surface points by the cameras' unknowns and the photos; or why not.

    points : (k, 3).
    """
    arrays = optics(network.views)
    sizes = np.array([(v.camera.width_px, v.camera.height_px) for v in network.views], float)
    parts, used = [], np.zeros(len(network.views), dtype=bool)
    for point in points:
        views, jacobian = _seen(arrays, sizes, point)
        if len(views) < 2:
            return (
                f"the surface at {point[0]:.2f} m east, {point[1]:.2f} m north is seen in "
                f"{len(views)} photo(s); two or more are needed"
            )
        used[views] = True
        by_point = jacobian[:, :, 18:].reshape(-1, 3)
        by_camera = camera_jacobian(jacobian, views, covariance_of(network))
        parts.append(-np.linalg.pinv(by_point) @ by_camera)
    names = tuple(sorted(v.name for v, seen in zip(network.views, used, strict=True) if seen))
    return np.concatenate(parts), names


def _seen(
    arrays: Optics, sizes: FloatArray, point: FloatArray
) -> tuple[NDArray[np.int64], FloatArray]:
    """The views whose frame holds a point, and their (m, 2, 21) derivatives."""
    views = np.arange(len(sizes), dtype=np.int64)
    projected, jacobian = project_point(arrays, views, point)
    with np.errstate(invalid="ignore"):
        inside = (projected > FRAME_MARGIN_PX) & (projected < sizes - FRAME_MARGIN_PX)
    kept = np.flatnonzero(inside.all(axis=1))
    return kept, jacobian[kept]
