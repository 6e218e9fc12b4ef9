"""True orthophoto: every cell of the surface model from a photo that really sees it.

A line of sight over the surface model decides who sees a cell, so a wall's far side is never
painted with what stands before it.  Among those that do, merit (steepness and resolution)
chooses; where two are almost equal they are blended, which hides the seam.  Exposure differences
are levelled by one gain per photo and colour.  Each cell keeps which photo it came from, and
cells that no photo sees stay empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import stereo
from droneteam.photogrammetry.executor import Executor, LocalExecutor
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, View
from droneteam.photogrammetry.surface import raster_kernels
from droneteam.photogrammetry.surface.rasters import NO_DATA, Grid, Raster

Progress = Callable[[str, float, str], None]

STAGE = "surface"
TILE = 128
MAX_CANDIDATES = 10
BLEND_BAND = 0.12
"""Two views whose merits differ by less than this share are blended."""
GAIN_STEP_CELLS = 12
GAIN_VIEWS = 4
GAIN_PRIOR = 0.01
"""Weight of 'gain is one' against one overlap sample: holds only what no overlap determines."""
MAX_GAIN = 2.0
NO_VIEW = -1


@dataclass(frozen=True, slots=True, eq=False)
class Ortho:
    """A true orthophoto.

    rgb : (h, w, 3) uint8; mask : (h, w) uint8, as the surface's, NO_DATA where no photo sees the
    cell; source : (h, w) int16, index into photos, NO_VIEW where empty; gains : (v, 3).
    """

    grid: Grid
    rgb: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    source: NDArray[np.int16]
    photos: tuple[str, ...]
    gains: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """The surface and cameras as the kernels take them."""

    views: tuple[View, ...]
    height: NDArray[np.float32]
    maxima: NDArray[np.float32]
    summit: float
    origin: FloatArray
    grid: Grid
    cameras: FloatArray
    sizes: FloatArray
    centres: FloatArray


def orthophoto(
    network: CameraNetwork, dsm: Raster, progress: Progress, executor: Executor | None = None
) -> Ortho:
    """The scene from straight above, on the surface model's grid."""
    scene = _prepare(network.views, dsm, smoothed(dsm.height_m))
    views, merits = _choose(
        scene,
        executor or LocalExecutor(),
        lambda share: progress(STAGE, 0.5 * share, "choosing photos"),
    )
    gains = _gains(scene)
    total = _paint(scene, views, _weights(merits), gains, progress)
    seen = (views[..., 0] >= 0) & np.isfinite(total[..., 0])
    rgb = np.clip(np.rint(np.nan_to_num(total)), 0, 255).astype(np.uint8)
    rgb[~seen] = 0
    return Ortho(
        grid=dsm.grid,
        rgb=rgb,
        mask=np.where(seen, dsm.mask, NO_DATA).astype(np.uint8),
        source=np.where(seen, views[..., 0], NO_VIEW).astype(np.int16),
        photos=tuple(view.name for view in network.views),
        gains=gains,
    )


def coverage(network: CameraNetwork, dsm: Raster, step: int = 4) -> NDArray[np.uint8]:
    """How many photos see each cell, on every `step`-th cell of the surface model as it is."""
    scene = _prepare(network.views, dsm, dsm.height_m)
    height, width = dsm.height_m.shape
    counts = np.zeros((-(-height // step), -(-width // step)), np.uint8)
    for top, left, candidates in _tiles(scene, limit=len(scene.views)):
        rows, columns = _cells(scene, top, left, step)
        views, _ = _rank(scene, rows, columns, candidates, min(len(candidates), 255))
        counts[rows // step, columns // step] = np.sum(views >= 0, axis=1)
    return counts


def pack_camera(view: View) -> FloatArray:
    """(25,) what `raster_kernels.project_one` takes."""
    camera = view.camera
    return np.concatenate(
        [
            view.cam_from_enu.ravel(),
            camera.focal_px,
            camera.principal_px,
            camera.distortion,
            [min(optics.max_valid_radius(camera), 1e6)],
        ]
    )


def _prepare(views: tuple[View, ...], dsm: Raster, height: NDArray[np.float32]) -> _Scene:
    known = height[np.isfinite(height)]
    return _Scene(
        views=views,
        height=height,
        maxima=raster_kernels.block_maxima(height),
        summit=float(known.max()) if known.size else 0.0,
        origin=np.array([dsm.grid.east_m, dsm.grid.north_m]),
        grid=dsm.grid,
        cameras=np.stack([pack_camera(v) for v in views]),
        sizes=np.array([[v.camera.width_px, v.camera.height_px] for v in views], dtype=np.float64),
        centres=np.stack([v.centre_enu_m for v in views]),
    )


def smoothed(height_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Heights (h, w) as a median of 5 by 5 cells; NaN stays NaN.

    The noise of glass and glossy paint stands higher than a line of sight tolerates: taken as it
    is, such a surface hides itself in specks from every photo.  A median keeps edges.
    """
    known = np.isfinite(height_m)
    low = np.float32(-1e6)
    middle = np.asarray(cv2.medianBlur(np.where(known, height_m, low), 5), np.float32)
    return np.where(known & (middle <= low), height_m, np.where(known, middle, np.nan)).astype(
        np.float32
    )


def _tiles(scene: _Scene, limit: int) -> list[tuple[int, int, NDArray[np.int64]]]:
    """Row and column of each tile that holds a surface, and the views that may see it."""
    tiles = []
    height, width = scene.height.shape
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            patch = scene.height[top : top + TILE, left : left + TILE]
            known = patch[np.isfinite(patch)]
            if known.size:
                candidates = _candidates(scene, top, left, known, limit)
                tiles.append((top, left, candidates))
    return tiles


def _candidates(
    scene: _Scene, top: int, left: int, known: NDArray[np.float32], limit: int
) -> NDArray[np.int64]:
    """Views that have part of a tile inside their photo, the steepest and closest first."""
    height, width = scene.height.shape
    rows = np.linspace(top, min(height, top + TILE), 5)
    columns = np.linspace(left, min(width, left + TILE), 5)
    gsd = scene.grid.gsd_m
    points = np.array(
        [
            (scene.origin[0] + c * gsd, scene.origin[1] - r * gsd, z)
            for r in rows
            for c in columns
            for z in (float(known.min()), float(known.max()))
        ]
    )
    middle = points.mean(axis=0)
    merits = []
    for index, view in enumerate(scene.views):
        pixels, _ = optics.project(points, view)
        if np.any(optics.inside(pixels, view.camera)):
            away = scene.centres[index] - middle
            distance = float(np.linalg.norm(away))
            if away[2] > 0.0:
                merits.append(
                    ((away[2] / distance) ** 2 * view.camera.focal_px[0] / distance, index)
                )
    merits.sort(reverse=True)
    return np.array([index for _, index in merits[:limit]], dtype=np.int64)


def _cells(
    scene: _Scene, top: int, left: int, step: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Known cells of a tile, every `step`-th in both directions of the whole grid."""
    height, width = scene.height.shape
    rows = np.arange(-(-top // step) * step, min(height, top + TILE), step)
    columns = np.arange(-(-left // step) * step, min(width, left + TILE), step)
    row, column = (a.ravel() for a in np.meshgrid(rows, columns, indexing="ij"))
    known = np.isfinite(scene.height[row, column])
    return row[known].astype(np.int64), column[known].astype(np.int64)


def _rank(
    scene: _Scene,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    candidates: NDArray[np.int64],
    keep: int,
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    return raster_kernels.rank_views(
        scene.height, scene.maxima, scene.summit, scene.origin, scene.grid.gsd_m,
        rows, columns, candidates, scene.cameras, scene.sizes, scene.centres,
        keep, 1.5 * scene.grid.gsd_m,
    )  # fmt: skip


def _choose(
    scene: _Scene, executor: Executor, progress: Callable[[float], None]
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """The two best views of each cell (h, w, 2) and their merits."""
    views = np.full((*scene.height.shape, 2), NO_VIEW, np.int16)
    merits = np.zeros((*scene.height.shape, 2), np.float32)
    tiles = _tiles(scene, MAX_CANDIDATES)
    for done, (rows, columns, best, merit) in enumerate(
        executor.map(_best_of_tile, scene, tiles), start=1
    ):
        views[rows, columns], merits[rows, columns] = best, merit
        progress(done / len(tiles))
    return views, merits


def _best_of_tile(
    scene: _Scene, tile: tuple[int, int, NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int16], NDArray[np.float32]]:
    """Rows and columns of a tile's known cells, their two best views and their merits."""
    top, left, candidates = tile
    rows, columns = _cells(scene, top, left, 1)
    return rows, columns, *_rank(scene, rows, columns, candidates, 2)


def _weights(merits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) weight of the second view: a half at equal merit, none beyond the band."""
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = (merits[..., 0] - merits[..., 1]) / (BLEND_BAND * merits[..., 0])
    nearness = np.clip(1.0 - np.nan_to_num(gap, nan=1.0), 0.0, 1.0)
    return np.asarray(0.5 * nearness * nearness * (3.0 - 2.0 * nearness), dtype=np.float32)


def _paint(
    scene: _Scene,
    views: NDArray[np.int16],
    second: NDArray[np.float32],
    gains: FloatArray,
    progress: Progress,
) -> NDArray[np.float32]:
    """(h, w, 3) colours: each photo is read once and painted where it was chosen."""
    total = np.zeros((*scene.height.shape, 3), np.float32)
    used = [v for v in range(len(scene.views)) if np.any(views == v)]
    for done, view in enumerate(used, start=1):
        image, scale = _photo(scene, view)
        for rank, weight in ((0, 1.0 - second), (1, second)):
            rows, columns = np.nonzero((views[..., rank] == view) & (weight > 0.0))
            colours = _sample(scene, view, image, scale, rows, columns)
            total[rows, columns] += colours * (gains[view] * weight[rows, columns, None])
        progress(STAGE, 0.5 + 0.5 * done / len(used), f"orthophoto, photo {done} of {len(used)}")
    return total


def _photo(scene: _Scene, view: int) -> tuple[NDArray[np.uint8], float]:
    """A photo, reduced when its pixels are much finer than the cells, against aliasing."""
    image = stereo.read_colour(scene.views[view])
    known = scene.height[np.isfinite(scene.height)]
    distance = scene.centres[view, 2] - float(np.median(known))
    pixel_m = max(distance, 1e-9) / scene.views[view].camera.focal_px[0]
    scale = min(1.0, 1.25 * pixel_m / scene.grid.gsd_m)
    if scale >= 0.8:
        return image, 1.0
    scale = max(scale, 16.0 / min(image.shape[:2]))
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    reduced = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, dtype=np.uint8), size[0] / image.shape[1]


def _sample(
    scene: _Scene,
    view: int,
    image: NDArray[np.uint8],
    scale: float,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float32]:
    return raster_kernels.sample_photo(
        image, scale, scene.height, scene.origin, scene.grid.gsd_m, rows, columns,
        scene.cameras[view],
    )  # fmt: skip


def _gains(scene: _Scene) -> FloatArray:
    """(v, 3) factor per photo and colour that makes overlaps equal, one in the mean.

    Least squares on the logarithms of colours that two photos show of the same cell.
    """
    rows, columns, views = _gain_cells(scene)
    colours = np.full((*views.shape, 3), np.nan, np.float32)
    for view in np.unique(views[views >= 0]):
        image = cv2.blur(stereo.read_colour(scene.views[view]), (9, 9))
        cell, rank = np.nonzero(views == view)
        colours[cell, rank] = _sample(
            scene, int(view), np.asarray(image, np.uint8), 1.0, rows[cell], columns[cell]
        )
    gains = np.ones((len(scene.views), 3))
    for channel in range(3):
        gains[:, channel] = solve_gains(views, colours[..., channel], len(scene.views))
    return gains


def _gain_cells(
    scene: _Scene,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int16]]:
    """A thin sample of cells and the photos that see each of them."""
    found = []
    for top, left, candidates in _tiles(scene, MAX_CANDIDATES):
        rows, columns = _cells(scene, top, left, GAIN_STEP_CELLS)
        if rows.size:
            views, _ = _rank(scene, rows, columns, candidates, GAIN_VIEWS)
            found.append((rows, columns, views))
    if not found:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros((0, GAIN_VIEWS), np.int16)
    return (
        np.concatenate([f[0] for f in found]),
        np.concatenate([f[1] for f in found]),
        np.concatenate([f[2] for f in found]),
    )


def solve_gains(views: NDArray[np.int16], values: NDArray[np.float32], n_views: int) -> FloatArray:
    """(n_views,) gains from (n, k) brightnesses of the same cells in k photos each.

    Pairs whose ratio is far from their photos' median ratio (a person who moved, a reflection)
    count little.
    """
    normal = np.eye(n_views) * GAIN_PRIOR
    right = np.zeros(n_views)
    k = views.shape[1] if views.ndim == 2 else 0
    for i in range(k):
        for j in range(i + 1, k):
            ok = (views[:, i] >= 0) & (views[:, j] >= 0)
            ok &= (values[:, i] > 8.0) & (values[:, j] > 8.0)
            ok &= (values[:, i] < 247.0) & (values[:, j] < 247.0)
            a, b = views[ok, i].astype(np.int64), views[ok, j].astype(np.int64)
            ratio = np.log(values[ok, j].astype(np.float64) / values[ok, i])
            weight = 1.0 / (1.0 + (ratio / 0.3) ** 2)
            np.add.at(normal, (a, a), weight)
            np.add.at(normal, (b, b), weight)
            np.add.at(normal, (a, b), -weight)
            np.add.at(normal, (b, a), -weight)
            np.add.at(right, a, weight * ratio)
            np.add.at(right, b, -weight * ratio)
    logs = np.linalg.solve(normal, right)
    used = np.diag(normal) > 2.0 * GAIN_PRIOR
    logs -= logs[used].mean() if used.any() else 0.0
    return np.asarray(np.clip(np.exp(logs), 1.0 / MAX_GAIN, MAX_GAIN), dtype=np.float64)
