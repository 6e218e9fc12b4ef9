"""Is the place covered: how many photos see each cell, where holes are, whether to fly again.

Lines of sight are traced over the surface model with its gaps bridged, so that a place that no
photo shows is told apart from one that photos show without a measurable surface (water, glass).
The map reaches over the whole place that the photos were aimed at, not only over what came out.

Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from droneteam.photogrammetry.scene import CameraNetwork, FloatArray, View
from droneteam.photogrammetry.surface import ortho
from droneteam.photogrammetry.surface.rasters import NO_DATA, Grid, Raster

MIN_PHOTOS = 3
"""Photos that must see a place before its surface is believed; what fusion asks for."""
COVERAGE_STEP = 4
"""A cell of the map is so many cells of the surface model wide."""
MAX_TILT_DEG = 70.0
"""A camera that looks flatter than this is aimed at the horizon, not at a place."""
MAX_GROWTH = 0.5
"""The map grows beyond the surface model by at most this share of its width on each side."""
MIN_HOLE_CELLS = 4
MIN_HOLE_SHARE = 5e-4
"""Holes smaller than both are speckle: a post's shadow, a cell at the rim."""
DECISIVE_SHARE = 0.01
"""Holes that together are a larger share of the place are worth another flight."""
UNPLACED_SHARE = 0.1
"""Photos without a place beyond this share mean that something is wrong with the flight."""
NAMED_HOLES = 5

Cause = Literal["few photos", "no surface"]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CoverageMap:
    """How many photos see each cell of a grid of its own.

    photos : (h, w) uint8; inside : (h, w) bool, the place that is to be covered; surface : (h, w)
    bool, where a surface was found; top, left : of the surface model's first cell in this grid.
    """

    grid: Grid
    photos: NDArray[np.uint8]
    inside: Bools
    surface: Bools
    top: int
    left: int

    def over(self, dsm: Grid) -> NDArray[np.uint8]:
        """The counts of every COVERAGE_STEP-th cell of the surface model."""
        rows, columns = _reduced(dsm.height), _reduced(dsm.width)
        return self.photos[self.top : self.top + rows, self.left : self.left + columns]


@dataclass(frozen=True, slots=True)
class Hole:
    """A part of the place that is badly covered.

    area : in square metres, or in square units of a frame without metres; east_m, north_m : its
    cell that is farthest from its rim; extent : the larger side of its bounding box; side : where
    it lies in the place ("north-east", "middle"); fewest_photos, typical_photos : of its cells.
    """

    cause: Cause
    area: float
    extent: float
    east_m: float
    north_m: float
    side: str
    fewest_photos: int
    typical_photos: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a coverage map says.

    metric : whether areas are in square metres.  inside_area : of the place; seen_by : its share
    seen by at least 1, 2, … photos; no_surface_share : its share that enough photos see without
    a surface having been found.  holes : the largest first.
    """

    metric: bool
    inside_area: float
    seen_by: tuple[float, ...]
    few_share: float
    no_surface_share: float
    holes: tuple[Hole, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to fly again, why, and what else is worth doing before leaving the place."""

    fly_again: bool
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def statement(self) -> str:
        """One sentence with the answer first."""
        if self.fly_again:
            return f"Fly again: {'; '.join(self.reasons)}."
        return "No need to fly again: the place is covered and the photos fit together."


def coverage_map(
    network: CameraNetwork,
    dsm: Raster,
    *,
    unplaced: FloatArray | None = None,
    area: FloatArray | None = None,
) -> CoverageMap:
    """How many photos see each cell.

    unplaced : (k, 2) east and north where photos without a place say they were taken.
    area : (c, 2) corners of the place, when it was stated; otherwise it is what the photos were
    aimed at, and what lies within the well-covered part.
    """
    aims = _aims(network.views, _middle_height(dsm))
    if unplaced is not None and len(unplaced):
        aims = np.concatenate([aims, unplaced])
    coarse, top, left = _bridged(dsm, aims if area is None else area)
    photos = ortho.coverage(network, coarse, 1)
    enough = photos >= MIN_PHOTOS
    ring = _hull(aims) if area is None else area
    inside = _painted(coarse.grid, ring)
    if area is None:
        inside |= np.asarray(ndimage.binary_fill_holes(enough), dtype=np.bool_)
    return CoverageMap(coarse.grid, photos, inside, coarse.mask > NO_DATA, top, left)


def summarise(found: CoverageMap, *, metric: bool) -> Coverage:
    """Shares and holes of a map."""
    cell_area = found.grid.gsd_m**2
    n_inside = max(1, int(found.inside.sum()))
    few = found.inside & (found.photos < MIN_PHOTOS)
    silent = found.inside & ~few & ~found.surface
    most = max(MIN_PHOTOS, min(9, int(found.photos[found.inside].max(initial=0))))
    counts = found.photos[found.inside]
    holes = [*_holes(found, few, "few photos"), *_holes(found, silent, "no surface")]
    return Coverage(
        metric=metric,
        inside_area=n_inside * cell_area,
        seen_by=tuple(float((counts >= n).sum() / n_inside) for n in range(1, most + 1)),
        few_share=float(few.sum() / n_inside),
        no_surface_share=float(silent.sum() / n_inside),
        holes=tuple(sorted(holes, key=lambda hole: (-hole.area, hole.east_m, hole.north_m))),
    )


def advise(
    coverage: Coverage, *, n_photos: int, n_placed: int, other_groups: int, scale_open: bool
) -> Advice:
    """The answer to "must we fly again?", from what is known before leaving the place."""
    reasons, remarks = [], []
    gaps = [hole for hole in coverage.holes if hole.cause == "few photos"]
    if sum(hole.area for hole in gaps) > DECISIVE_SHARE * coverage.inside_area:
        reasons.append(few_words(coverage))
    elif gaps:
        remarks.append(few_words(coverage))
    lost = n_photos - n_placed
    if other_groups:
        reasons.append(
            f"the photos fall into {other_groups + 1} groups that do not overlap: fly a strip that "
            "links them"
        )
    elif lost > UNPLACED_SHARE * n_photos:
        reasons.append(f"{lost} of {n_photos} photos could not be placed among the others")
    elif lost:
        remarks.append(f"{lost} of {n_photos} photos could not be placed among the others")
    remarks += _silence(coverage)
    if scale_open:
        remarks.append(
            "heights are not certain to scale: measure a control point or lay out a scale bar, or "
            "fly an oblique ring"
        )
    return Advice(bool(reasons), tuple(reasons), tuple(remarks))


def _silence(coverage: Coverage) -> list[str]:
    """Where photos look and nothing came out, and what would help, by how many look."""
    silent = [hole for hole in coverage.holes if hole.cause == "no surface"]
    thin = [hole for hole in silent if hole.typical_photos <= MIN_PHOTOS + 1]
    smooth = [hole for hole in silent if hole.typical_photos > MIN_PHOTOS + 1]
    remarks = []
    if thin:
        remarks.append(
            f"on {_size(coverage, sum(h.area for h in thin))} only three or four photos look and "
            f"no surface was found ({_places(coverage, thin)}): more overlap would give one"
        )
    if smooth:
        remarks.append(
            f"on {_size(coverage, sum(h.area for h in smooth))} enough photos look but no surface "
            f"was found ({_places(coverage, smooth)}): water, glass or nothing to recognise; "
            "oblique photos help on glass, none help on water"
        )
    return remarks


def few_words(coverage: Coverage) -> str:
    """The badly seen part in words; says so too when there is none."""
    gaps = [hole for hole in coverage.holes if hole.cause == "few photos"]
    if not gaps:
        return f"every part of the area is seen by {MIN_PHOTOS} photos or more"
    total = sum(hole.area for hole in gaps)
    within = " inside the area" if coverage.metric else ""
    return (
        f"{_size(coverage, total)}{within} seen by fewer than {MIN_PHOTOS} photos "
        f"({_places(coverage, gaps)})"
    )


def _places(coverage: Coverage, holes: Sequence[Hole]) -> str:
    """The largest holes: size and place each."""
    named = [f"{_size(coverage, hole.area)} in the {hole.side}" for hole in holes[:NAMED_HOLES]]
    rest = len(holes) - len(named)
    return ", ".join([*named, f"{rest} smaller"] if rest else named)


def _size(coverage: Coverage, area: float) -> str:
    """An area with two figures; a share of the place where the frame has no metres."""
    value, unit = (
        (area, "m²") if coverage.metric else (100.0 * area / coverage.inside_area, "% of the area")
    )
    digits = max(0, 1 - math.floor(math.log10(value))) if value > 0.0 else 0
    return f"{value:.{min(digits, 3)}f} {unit}"


def _aims(views: Iterable[View], ground_m: float) -> FloatArray:
    """(n, 2) where each photo's axis meets the ground; below it where it looks too flat."""
    aims = []
    for view in views:
        centre, axis = view.centre_enu_m, view.cam_from_enu[2, :3]
        above = centre[2] - ground_m
        at = centre[:2]
        if above > 0.0 and -axis[2] > math.cos(math.radians(MAX_TILT_DEG)):
            at = at + axis[:2] * (above / -axis[2])
        aims.append(at)
    return np.array(aims).reshape(-1, 2)


def _middle_height(dsm: Raster) -> float:
    known = dsm.height_m[np.isfinite(dsm.height_m)]
    return float(np.median(known)) if known.size else 0.0


def _reduced(cells: int) -> int:
    return -(-cells // COVERAGE_STEP)


def _bridged(dsm: Raster, reach: FloatArray) -> tuple[Raster, int, int]:
    """The surface model in larger cells, grown to `reach`, unknown cells at their nearest height.

    Its mask keeps what was known before.  Also the row and column of the model's first cell.
    """
    small = _block_means(dsm.height_m)
    gsd = dsm.grid.gsd_m * COVERAGE_STEP
    before, after = _growth(dsm.grid, reach, gsd, small.shape)
    (left, top), (right, bottom) = before, after
    grown = np.pad(small, ((top, bottom), (left, right)), constant_values=np.nan)
    known = np.isfinite(grown)
    if known.any():
        row, column = ndimage.distance_transform_edt(
            ~known, return_distances=False, return_indices=True
        )
        grown = grown[row, column]
    grid = Grid(
        dsm.grid.east_m - left * gsd, dsm.grid.north_m + top * gsd, gsd,
        grown.shape[1], grown.shape[0],
    )  # fmt: skip
    mask = np.where(known, 1, NO_DATA).astype(np.uint8)
    return Raster(grid, grown, mask, np.full_like(grown, np.nan)), top, left


def _growth(
    dsm: Grid, reach: FloatArray, gsd: float, shape: tuple[int, ...]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Cells to add (west, north) and (east, south), so that the points of `reach` lie inside."""
    if not len(reach):
        return (0, 0), (0, 0)
    rows, columns = shape
    (west, south), (east, north) = reach.min(axis=0), reach.max(axis=0)
    wanted = (
        (dsm.east_m - west) / gsd,
        (north - dsm.north_m) / gsd,
        (east - dsm.east_m) / gsd - columns,
        (dsm.north_m - south) / gsd - rows,
    )
    most = (columns, rows, columns, rows)
    cells = [
        int(np.clip(math.ceil(want), 0, math.ceil(MAX_GROWTH * limit)))
        for want, limit in zip(wanted, most, strict=True)
    ]
    return (cells[0], cells[1]), (cells[2], cells[3])


def _block_means(height: NDArray[np.float32]) -> NDArray[np.float32]:
    """(ceil(h / step), ceil(w / step)) means of the known cells; NaN where there is none."""
    step = COVERAGE_STEP
    rows, columns = _reduced(height.shape[0]), _reduced(height.shape[1])
    padded = np.full((rows * step, columns * step), np.nan, np.float32)
    padded[: height.shape[0], : height.shape[1]] = height
    blocks = padded.reshape(rows, step, columns, step)
    known = np.isfinite(blocks)
    count = known.sum(axis=(1, 3))
    total = np.where(known, blocks, 0.0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def _hull(points: FloatArray) -> FloatArray:
    """(c, 2) corners of the convex hull."""
    hull = cv2.convexHull(points.astype(np.float32).reshape(-1, 1, 2))
    return np.asarray(hull, dtype=np.float64).reshape(-1, 2)


def _painted(grid: Grid, ring: FloatArray) -> Bools:
    """The cells whose centres lie in a polygon, its rim included."""
    column, row = grid.cell_of(ring[:, 0], ring[:, 1])
    canvas = np.zeros((grid.height, grid.width), np.uint8)
    corners = np.floor(np.column_stack([column, row])).astype(np.int32)
    cv2.fillPoly(canvas, [corners], 1)
    return canvas > 0


def _holes(found: CoverageMap, cells: Bools, cause: Cause) -> list[Hole]:
    """Connected parts of the cells that are large enough to be named."""
    smallest = max(MIN_HOLE_CELLS, MIN_HOLE_SHARE * int(found.inside.sum()))
    labels, _ = ndimage.label(cells, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    boxes = ndimage.find_objects(labels)
    return [
        _hole(found, labels[box] == label, box, cause)
        for label, box in enumerate(boxes, start=1)
        if sizes[label] >= smallest
    ]


def _hole(found: CoverageMap, cells: Bools, box: tuple[slice, slice], cause: Cause) -> Hole:
    depth = ndimage.distance_transform_edt(np.pad(cells, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), cells.shape)
    gsd = found.grid.gsd_m
    at = (int(row) + box[0].start, int(column) + box[1].start)
    return Hole(
        cause=cause,
        area=float(cells.sum()) * gsd**2,
        extent=max(cells.shape) * gsd,
        east_m=found.grid.east_m + (at[1] + 0.5) * gsd,
        north_m=found.grid.north_m - (at[0] + 0.5) * gsd,
        side=_side(found.inside, *at),
        fewest_photos=int(found.photos[box][cells].min()),
        typical_photos=int(np.median(found.photos[box][cells])),
    )


def _side(inside: Bools, row: int, column: int) -> str:
    """Where a cell lies in the place: a compass direction, or "middle" in its middle third."""
    rows, columns = np.nonzero(inside)
    third = [
        int(np.clip(3.0 * (at - low) / max(1, high - low), 0.0, 2.999))
        for at, low, high in (
            (row, rows.min(), rows.max() + 1),
            (column, columns.min(), columns.max() + 1),
        )
    ]
    words = (("north", "", "south")[third[0]], ("west", "", "east")[third[1]])
    return "-".join(word for word in words if word) or "middle"
