"""Places whose surface the photos do not give: still water, mirrors, glass, nothing to recognise.

Two signs.  Enough photos look and hardly any cell there was measured: matching finds nothing on
what looks different from everywhere, or alike everywhere.  Or a part lies in one step below all
that is about it: what calm water and mirrors show is as rigid as the thing itself, and its image
hangs as far below the surface as the thing stands above it (the law of reflection), where no wall
leads down to it.

Pure but for the file between the stages.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import ndimage

from droneteam.errors import DecodeError
from droneteam.photogrammetry.scene import FloatArray
from droneteam.photogrammetry.surface.overlap import COVERAGE_STEP, MIN_PHOTOS, CoverageMap
from droneteam.photogrammetry.surface.rasters import MEASURED, Grid, Raster
from droneteam.photogrammetry.surface.surface_files import Surface

Bools = NDArray[np.bool_]
Ring = tuple[tuple[float, float], ...]
Cause = Literal["silent", "sunken"]
CAUSES: tuple[Cause, ...] = ("silent", "sunken")

NAME = "unmeasured.json"
ENOUGH_PHOTOS = MIN_PHOTOS + 2
"""So many photos that look would have found a surface that can be matched; of fewer, thin overlap
may be the reason, which the coverage says."""
MEASURED_SHARE = 0.3
"""A place is silent where fewer of its cells were measured."""
CORE_CELLS = 3.0
"""Least distance of a silent place's middle from its rim, in cells of the coverage map: a shadow
behind a post is long, but thin."""
SMALLEST_M2 = 0.25
SMALLEST_SHARE = 2e-4
"""Smaller places, in square metres or of the whole place, are speckle."""
GROUND_PERCENT = 20.0
"""Of the heights about a place; ground between cars and walls, not their tops."""
GROUND_REACH_M = 10.0
STEP_M = 0.5
"""Least step down to a mirror image: a puddle shows nothing that stands lower above it."""
STEP_CELLS = 12.0
"""The same in cells of the surface model, for scenes seen from high above."""
RIM_PERCENT = 10.0
"""Of a sunken place's rim: all of it but stray cells must lie above."""
KNOWN_RIM = 0.5
LEAST_CORNERS = 3
NAMED = 3
"""Largest places that are told one by one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place without a surface that can be believed.

    area_m2 : of its cells; east_m, north_m : its cell that is farthest from its rim; below_m : how
    far a sunken place lies below its rim, 0 for a silent one; rings : its outline and that of each
    island in it, as (east_m, north_m) corners.
    """

    cause: Cause
    area_m2: float
    east_m: float
    north_m: float
    below_m: float = 0.0
    rings: tuple[Ring, ...] = ()

    @property
    def said(self) -> str:
        """What a reader must know of it."""
        where = f"{_figure(self.area_m2)} m² about E {self.east_m:.1f} m, N {self.north_m:.1f} m: "
        if self.cause == "silent":
            return (
                f"{where}no surface could be measured though enough photos look (mirror-like, "
                "water, or without texture); heights there are not determined"
            )
        return (
            f"{where}what was measured lies {self.below_m:.1f} m below all about it, without a "
            "slope between: lower ground, or a mirror image in water or glass; heights there are "
            "not determined"
        )

    def touches(self, points_en_m: FloatArray, *, enclosed: bool = False) -> bool:
        """Whether one of (k, 2) points lies in the place; enclosed : or what they go around."""
        outline, *islands = (shapely.Polygon(ring) for ring in self.rings)
        place = outline.difference(shapely.union_all(islands))
        asked = shapely.Polygon(points_en_m) if enclosed else shapely.MultiPoint(points_en_m)
        return bool(place.intersects(asked))


def unmeasured(surface: Surface, *, metric: bool) -> tuple[Place, ...]:
    """The places, the largest first; none in a frame without metres, whose sizes say nothing."""
    if not metric:
        return ()
    found = [*_silent(surface.dsm, surface.coverage), *_sunken(surface.dsm, surface.coverage)]
    return tuple(sorted(found, key=lambda p: (p.cause, -p.area_m2, p.east_m, p.north_m)))


def words(places: Sequence[Place]) -> tuple[str, ...]:
    """What a reader must know of them: the largest of each kind one by one, the others together."""
    said: list[str] = []
    for cause in CAUSES:
        found = [place for place in places if place.cause == cause]
        said += [place.said for place in found[:NAMED]]
        if rest := found[NAMED:]:
            said.append(
                f"{_figure(sum(place.area_m2 for place in rest))} m² more in {len(rest)} smaller "
                "places of the same kind"
            )
    return tuple(said)


def save(places: Sequence[Place], folder: Path) -> None:
    """Write unmeasured.json."""
    (folder / NAME).write_text(json.dumps([asdict(place) for place in places], indent=1))


def load(folder: Path) -> tuple[Place, ...]:
    """What `save` wrote; none for a surface made before there was such a file.

    Raises
    ------
    DecodeError
        The file is not what this version writes.
    """
    path = folder / NAME
    if not path.exists():
        return ()
    try:
        return tuple(_place(row) for row in json.loads(path.read_text()))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{path} does not list unmeasured places: {error}") from error


def _place(row: Mapping[str, Any]) -> Place:
    rings = tuple(tuple((float(e), float(n)) for e, n in ring) for ring in row["rings"])
    return Place(**{**row, "rings": rings})


def _silent(dsm: Raster, coverage: CoverageMap) -> Iterator[Place]:
    """Parts that enough photos see and where hardly any cell was measured."""
    measured = np.zeros(coverage.photos.shape, dtype=np.float64)
    share = _block_shares(dsm.mask == MEASURED)
    rows, columns = share.shape
    top, left = coverage.top, coverage.left
    measured[top : top + rows, left : left + columns] = share
    looked = coverage.inside & (coverage.photos >= ENOUGH_PHOTOS)
    yield from _places(looked & (measured < MEASURED_SHARE), coverage, "silent")


def _sunken(dsm: Raster, coverage: CoverageMap) -> Iterator[Place]:
    """Parts in one step below their whole rim, and below the ground about them."""
    height = np.full(coverage.photos.shape, np.nan)
    heights = _block_medians(np.where(dsm.mask == MEASURED, dsm.height_m, np.nan))
    rows, columns = heights.shape
    height[coverage.top : coverage.top + rows, coverage.left : coverage.left + columns] = heights
    known = np.isfinite(height)
    if not known.any():
        return
    step_m = max(STEP_M, STEP_CELLS * dsm.grid.gsd_m)
    low = known & (height < _ground(height, coverage.grid.gsd_m) - step_m)
    low |= np.asarray(ndimage.binary_closing(low, iterations=2)) & ~known
    labels, _ = ndimage.label(low, structure=np.ones((3, 3)))
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        wide = _widened(box, labels.shape)
        own = labels[wide] == label
        below_m = _below_rim(height[wide], own)
        if below_m >= step_m:
            part = np.zeros(labels.shape, dtype=np.bool_)
            part[wide] = own
            yield from _places(part, coverage, "sunken", below_m)


def _below_rim(height: FloatArray, own: Bools) -> float:
    """How far the cells lie below the lowest part of their rim; 0 where the rim is not known."""
    near = ndimage.binary_dilation(own, np.ones((3, 3)), iterations=2)
    rim = np.asarray(ndimage.binary_dilation(near, np.ones((3, 3)), iterations=3)) & ~near
    known = rim & np.isfinite(height)
    if known.sum() < max(KNOWN_RIM * rim.sum(), 1):
        return 0.0
    inner = height[own & np.isfinite(height)]
    lowest = float(np.percentile(height[known], RIM_PERCENT))
    return max(0.0, lowest - float(np.percentile(inner, 100.0 - RIM_PERCENT)))


def _ground(height: FloatArray, cell_m: float) -> FloatArray:
    """(h, w) a low percentile of the heights within GROUND_REACH_M of each cell.

    Taken over blocks of a sixth of that reach, so that a large place costs little.
    """
    step = max(1, round(GROUND_REACH_M / 6.0 / cell_m))
    blocks = np.sort(_in_blocks(height, step, np.nan), axis=2)
    count = np.isfinite(blocks).sum(axis=2)
    rank = np.maximum(count - 1, 0) * int(GROUND_PERCENT) // 100
    low = np.take_along_axis(blocks, rank[..., None], axis=2)[..., 0]
    if (count == 0).any():
        nearest = ndimage.distance_transform_edt(
            count == 0, return_distances=False, return_indices=True
        )
        low = low[tuple(nearest)]
    reach = 2 * round(GROUND_REACH_M / (step * cell_m)) + 1
    low = ndimage.percentile_filter(low, GROUND_PERCENT, size=reach, mode="nearest")
    wide = np.repeat(np.repeat(low, step, axis=0), step, axis=1)
    return np.asarray(wide[: height.shape[0], : height.shape[1]])


def _places(
    cells: Bools, coverage: CoverageMap, cause: Cause, below_m: float = 0.0
) -> Iterator[Place]:
    """Connected parts of the cells that are large enough, and not only long and thin."""
    gsd = coverage.grid.gsd_m
    smallest = max(SMALLEST_M2, SMALLEST_SHARE * float(coverage.inside.sum()) * gsd**2)
    labels, _ = ndimage.label(cells)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        own = labels[box] == label
        area_m2 = float(own.sum()) * gsd**2
        depth = ndimage.distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
        if area_m2 < smallest or float(depth.max()) < CORE_CELLS:
            continue
        row, column = np.unravel_index(int(np.argmax(depth)), own.shape)
        east_m = coverage.grid.east_m + (int(column) + box[1].start + 0.5) * gsd
        north_m = coverage.grid.north_m - (int(row) + box[0].start + 0.5) * gsd
        rings = _rings(own, (box[0].start, box[1].start), coverage.grid)
        yield Place(cause, area_m2, east_m, north_m, below_m, rings)


def _rings(cells: Bools, corner: tuple[int, int], grid: Grid) -> tuple[Ring, ...]:
    """The outline of connected cells and of the islands in it, through their outermost centres.

    corner : row and column of the first cell in the grid.
    """
    found, hierarchy = cv2.findContours(
        cells.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    order = sorted(range(len(found)), key=lambda k: int(hierarchy[0][k][3]) >= 0)
    rings = []
    for k in order:
        at = cv2.approxPolyDP(found[k], 1.0, True)[:, 0].astype(np.float64) + 0.5
        if len(at) < LEAST_CORNERS:
            continue
        east = grid.east_m + (at[:, 0] + corner[1]) * grid.gsd_m
        north = grid.north_m - (at[:, 1] + corner[0]) * grid.gsd_m
        rings.append(tuple((float(e), float(n)) for e, n in zip(east, north, strict=True)))
    return tuple(rings)


def _block_shares(cells: Bools) -> FloatArray:
    """Share of true cells in each block of COVERAGE_STEP cells; outside the raster none is."""
    return np.asarray(_in_blocks(cells.astype(np.float64), COVERAGE_STEP, 0.0).mean(axis=2))


def _block_medians(height_m: NDArray[np.float32]) -> FloatArray:
    """Median of each block's known cells; NaN where fewer than half are known."""
    blocks = np.sort(_in_blocks(height_m.astype(np.float64), COVERAGE_STEP, np.nan), axis=2)
    count = np.isfinite(blocks).sum(axis=2)
    middle = np.take_along_axis(blocks, np.maximum(count - 1, 0)[..., None] // 2, axis=2)[..., 0]
    return np.where(2 * count >= COVERAGE_STEP**2, middle, np.nan)


def _in_blocks(values: FloatArray, step: int, outside: float) -> FloatArray:
    """(rows, columns, step²) of a raster's cells, padded to whole blocks."""
    rows, columns = (-(-n // step) for n in values.shape)
    padded = np.full((rows * step, columns * step), outside)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows, step, columns, step).transpose(0, 2, 1, 3)
    return np.asarray(blocks.reshape(rows, columns, step * step))


def _widened(box: tuple[slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The box with room for a rim."""
    row, column = (
        slice(max(0, part.start - 8), min(size, part.stop + 8))
        for part, size in zip(box, shape, strict=True)
    )
    return row, column


def _figure(value: float) -> str:
    """Two figures."""
    digits = max(0, 1 - math.floor(math.log10(value))) if value > 0.0 else 0
    return f"{value:.{min(digits, 3)}f}"
