"""Pictures of a cloud for browsers without WebGL, and the point that lies behind a pixel of one.

A view is a parallel projection onto a picture of fixed size; the nearest point wins a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError, NotFound

VIEWS = {
    # The picture's right, up and towards-the-viewer axes in east, north, up.
    "top": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "south": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "east": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
}
PICTURE_PX = (960, 640)
REACH_PX = 8.0
"""A tap farther than this from every point means none: a finger covers some twenty pixels."""
_SPLAT_PX = 2
"""A point is drawn this wide and high, so that near ones close what lies behind them."""
_MARGIN = 0.04
_BACKGROUND = (16, 22, 29)


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """A cloud seen along one axis.

    columns, rows : (n,) float32, pixels from the picture's top left; depth_m : (n,) float32,
    larger is nearer to the viewer.
    """

    columns: NDArray[np.float32]
    rows: NDArray[np.float32]
    depth_m: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PointBehind:
    """A point of the cloud under a place of its picture.

    place : metres from the cloud's middle, as `on = cloud` takes it; pixels : where the point
    lies in each view's picture.
    """

    place: tuple[float, float, float]
    pixels: dict[str, tuple[float, float]]


def project(xyz: NDArray[np.float32], view: str) -> Flat:
    """The points as the view's picture has them; xyz : (n, 3) metres, n at least 1.

    Raises
    ------
    NotFound
        The view is another one.
    """
    if view not in VIEWS:
        raise NotFound("view", view)
    width, height = PICTURE_PX
    right, up, towards = (np.array(axis, dtype=np.float32) for axis in VIEWS[view])
    u, v, depth = xyz @ right, xyz @ up, xyz @ towards
    # The middle 99.8 %: a handful of stray points would shrink the scene to a dot.
    low = np.array([np.percentile(u, 0.1), np.percentile(v, 0.1)])
    high = np.array([np.percentile(u, 99.9), np.percentile(v, 99.9)])
    span = np.maximum(high - low, 1e-6)
    scale = (1.0 - 2.0 * _MARGIN) * min(width / span[0], height / span[1])
    middle = (low + high) / 2.0
    columns = width / 2.0 + (u - middle[0]) * scale
    rows = height / 2.0 - (v - middle[1]) * scale
    return Flat(columns, rows, depth)


def drawn(points: NDArray[np.void], view: str) -> NDArray[np.uint8]:
    """(height, width, 3) picture of POINT rows."""
    width, height = PICTURE_PX
    image = np.full((height, width, 3), _BACKGROUND, dtype=np.uint8)
    if not len(points):
        return image
    flat = project(points["xyz"], view)
    columns = np.round(flat.columns).astype(np.int64)
    rows = np.round(flat.rows).astype(np.int64)
    for shift_row, shift_column in ((1, 1), (0, 1), (1, 0), (0, 0)):
        _paint(image, rows + shift_row, columns + shift_column, flat.depth_m, points["rgb"])
    return image


def point_behind(
    points: NDArray[np.void], view: str, column: float, row: float
) -> PointBehind | None:
    """The point that a tap on the view's picture means; None where there is none near it.

    points : (n,) POINT.  The nearest to the viewer of those drawn over the tapped pixel; beside
    all of them, the one that lies nearest in the picture.

    Raises
    ------
    InputError
        The place lies outside the picture.
    """
    width, height = PICTURE_PX
    if not (0.0 <= column <= width and 0.0 <= row <= height):
        raise InputError(f"column {column} and row {row} lie outside {width} by {height} pixels")
    if not len(points):
        return None
    flats = {name: project(points["xyz"], name) for name in VIEWS if name != view}
    flats[view] = project(points["xyz"], view)
    found = _under(flats[view], column, row)
    if found is None:
        return None
    x, y, z = (float(value) for value in points["xyz"][found])
    pixels = {
        name: (float(flat.columns[found]), float(flat.rows[found])) for name, flat in flats.items()
    }
    return PointBehind((x, y, z), pixels)


def _under(flat: Flat, column: float, row: float) -> int | None:
    """The index of the point under a place of the picture."""
    across, down = column - flat.columns, row - flat.rows
    # A pixel is drawn from half a pixel before its point to one and a half after it.
    low, high = -0.5, _SPLAT_PX - 0.5
    over = np.flatnonzero((across >= low) & (across < high) & (down >= low) & (down < high))
    if over.size:
        return int(over[np.argmax(flat.depth_m[over])])
    off_px = np.hypot(across, down)
    nearest = int(np.argmin(off_px))
    return nearest if off_px[nearest] <= REACH_PX else None


def _paint(
    image: NDArray[np.uint8],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    depth: NDArray[np.float32],
    rgb: NDArray[np.uint8],
) -> None:
    height, width = image.shape[:2]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    order = np.argsort(depth[inside], kind="stable")  # far to near: the near ones overwrite
    image[rows[inside][order], columns[inside][order]] = rgb[inside][order]
