"""Compiled loops over rasters: heights from points, gaps, lines of sight, sampling of photos."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.dense.kernels import F32, F64, U8, compiled

I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]

BLOCK = 16
"""Cells per side of the blocks whose highest cell lets a line of sight skip them."""
SLOPE_STEPS = 3.0
UNDERCUT_STEPS = 2.5


@compiled
def upper_surface(
    cell: I32, z: F64, sigma: F32, n_cells: int, quantile: float, band: float
) -> tuple[F32, F32]:
    """Height and 1-sigma per cell of the points within `band` of the cell's height quantile.

    cell : (n,) index of each point's cell, negative for points that lie in none; z, sigma : (n,)
    metres; NaN comes back where a cell is empty.
    """
    start = np.zeros(n_cells + 1, np.int64)
    for p in range(cell.shape[0]):
        if cell[p] >= 0:
            start[cell[p] + 1] += 1
    for c in range(n_cells):
        start[c + 1] += start[c]
    order = np.empty(start[n_cells], np.uint32)
    cursor = start[:-1].copy()
    for p in range(cell.shape[0]):
        if cell[p] >= 0:
            order[cursor[cell[p]]] = p
            cursor[cell[p]] += 1
    height = np.full(n_cells, np.nan, np.float32)
    spread = np.full(n_cells, np.nan, np.float32)
    for c in range(n_cells):
        n = start[c + 1] - start[c]
        if n == 0:
            continue
        members = order[start[c] : start[c + 1]]
        values = np.sort(z[members])
        top = values[min(n - 1, int(quantile * n))]
        total = 0.0
        mean = 0.0
        for m in members:
            if abs(z[m] - top) <= band:
                weight = 1.0 / max(sigma[m] * sigma[m], 1e-12)
                total += weight
                mean += weight * (z[m] - top)
        height[c] = top + mean / total
        # Points of one cell share their photos and pairs: the mean is no better than the best.
        best = np.inf
        for m in members:
            if abs(z[m] - top) <= band:
                best = min(best, sigma[m])
        spread[c] = best
    return height, spread


@compiled
def drop_spikes(height: F32, gsd: float) -> None:
    """Clears cells that stand alone: fewer than two of eight neighbours at a similar height."""
    h, w = height.shape
    drop = np.zeros((h, w), np.uint8)
    for row in range(h):
        for column in range(w):
            z = height[row, column]
            if np.isnan(z):
                continue
            known = 0
            close = 0
            for i in range(max(0, row - 1), min(h, row + 2)):
                for j in range(max(0, column - 1), min(w, column + 2)):
                    if i == row and j == column:
                        continue
                    other = height[i, j]
                    if np.isnan(other):
                        continue
                    known += 1
                    if abs(other - z) <= SLOPE_STEPS * gsd:
                        close += 1
            if close < 2 and known >= 3:
                drop[row, column] = 1
    for row in range(h):
        for column in range(w):
            if drop[row, column]:
                height[row, column] = np.nan


@compiled
def fill_gaps(height: F32, layers: int, band: float) -> F32:
    """Heights with gaps closed from their rims inwards, at most `layers` cells deep.

    Each new cell takes the mean of its neighbours within `band` of the lowest one: gaps are
    mostly what a higher thing hid, and what it hid goes on from the lower side.
    """
    h, w = height.shape
    out = height.copy()
    rim_rows = np.empty(h * w, np.int32)
    rim_columns = np.empty(h * w, np.int32)
    values = np.empty(h * w, np.float32)
    queued = np.zeros((h, w), np.uint8)
    n = 0
    for row in range(h):
        for column in range(w):
            if np.isnan(out[row, column]) and _touches(out, row, column):
                rim_rows[n], rim_columns[n] = row, column
                queued[row, column] = 1
                n += 1
    first = 0
    for _ in range(layers):
        last = n
        if first == last:
            break
        for k in range(first, last):
            values[k] = _lowest_mean(out, rim_rows[k], rim_columns[k], band)
        for k in range(first, last):
            out[rim_rows[k], rim_columns[k]] = values[k]
        for k in range(first, last):
            for i in range(max(0, rim_rows[k] - 1), min(h, rim_rows[k] + 2)):
                for j in range(max(0, rim_columns[k] - 1), min(w, rim_columns[k] + 2)):
                    if np.isnan(out[i, j]) and not queued[i, j]:
                        rim_rows[n], rim_columns[n] = i, j
                        queued[i, j] = 1
                        n += 1
        first = last
    for _ in range(layers):
        if not _undercut(out, height, UNDERCUT_STEPS * band):
            break
    return _without_open_rims(out, height, layers)


@compiled
def _undercut(filled: F32, height: F32, step: float) -> bool:
    """Lowers filled cells that stand a step above a neighbour; whether there were any.

    Otherwise a roof would grow half-way into the gap that it has caused in the road beside it.
    """
    h, w = filled.shape
    before = filled.copy()
    changed = False
    for row in range(h):
        for column in range(w):
            if np.isnan(before[row, column]) or not np.isnan(height[row, column]):
                continue
            lowest = before[row, column]
            for i in range(max(0, row - 1), min(h, row + 2)):
                for j in range(max(0, column - 1), min(w, column + 2)):
                    lowest = min(lowest, before[i, j])
            if before[row, column] - lowest > step:
                filled[row, column] = lowest
                changed = True
    return changed


@compiled
def _touches(height: F32, row: int, column: int) -> bool:
    h, w = height.shape
    for i in range(max(0, row - 1), min(h, row + 2)):
        for j in range(max(0, column - 1), min(w, column + 2)):
            if not np.isnan(height[i, j]):
                return True
    return False


@compiled
def _lowest_mean(height: F32, row: int, column: int, band: float) -> float:
    h, w = height.shape
    lowest = np.inf
    for i in range(max(0, row - 1), min(h, row + 2)):
        for j in range(max(0, column - 1), min(w, column + 2)):
            if height[i, j] < lowest:
                lowest = height[i, j]
    total = 0.0
    n = 0
    for i in range(max(0, row - 1), min(h, row + 2)):
        for j in range(max(0, column - 1), min(w, column + 2)):
            if height[i, j] <= lowest + band:
                total += height[i, j]
                n += 1
    return total / n


@compiled
def _without_open_rims(filled: F32, height: F32, layers: int) -> F32:
    """Takes back what grew outwards: a filled cell must have known cells on opposite sides, and
    that along at least two of the four lines through it (along one, it may lie in a bay)."""
    h, w = height.shape
    out = filled.copy()
    reach = 2 * layers
    steps = ((0, 1), (1, 0), (1, 1), (1, -1))
    for row in range(h):
        for column in range(w):
            if np.isnan(filled[row, column]) or not np.isnan(height[row, column]):
                continue
            enclosed = 0
            for dy, dx in steps:
                sides = 0
                for sign in (-1, 1):
                    i, j = row, column
                    for _ in range(reach):
                        i += sign * dy
                        j += sign * dx
                        if i < 0 or j < 0 or i >= h or j >= w:
                            break
                        if not np.isnan(height[i, j]):
                            sides += 1
                            break
                if sides == 2:
                    enclosed += 1
            if enclosed < 2:
                out[row, column] = np.nan
    return out


@compiled
def bilinear(values: F32, x: F64, y: F64) -> F64:
    """Values between array indices (x, y); NaN outside and where a neighbour is NaN."""
    h, w = values.shape
    out = np.full(x.shape[0], np.nan)
    for k in range(x.shape[0]):
        if not (x[k] >= 0.0 and y[k] >= 0.0 and x[k] <= w - 1 and y[k] <= h - 1):
            continue
        i, j = min(int(y[k]), h - 2), min(int(x[k]), w - 2)
        if i < 0 or j < 0:
            continue
        fy, fx = y[k] - i, x[k] - j
        out[k] = (values[i, j] * (1 - fx) + values[i, j + 1] * fx) * (1 - fy) + (
            values[i + 1, j] * (1 - fx) + values[i + 1, j + 1] * fx
        ) * fy
    return out


@compiled
def block_maxima(height: F32) -> F32:
    """The highest cell of each BLOCK x BLOCK block; -inf where a block is unknown."""
    h, w = height.shape
    out = np.full(((h + BLOCK - 1) // BLOCK, (w + BLOCK - 1) // BLOCK), -np.inf, np.float32)
    for row in range(h):
        for column in range(w):
            z = height[row, column]
            if z > out[row // BLOCK, column // BLOCK]:
                out[row // BLOCK, column // BLOCK] = z
    return out


@compiled
def sees(
    height: F32, maxima: F32, summit: float, x: float, y: float, z: float,
    dx: float, dy: float, dz: float, tolerance: float,
) -> bool:  # fmt: skip
    """Whether the line of sight from a cell towards a camera stays above the surface.

    x, y : column and row of the start, in cells; z : height there; dx, dy, dz : direction, cells
    and metres per cell travelled horizontally.  Blocks lower than the line are crossed at once.
    """
    h, w = height.shape
    t = 1.5
    while True:
        cx, cy, cz = x + t * dx, y + t * dy, z + t * dz
        if cz > summit:
            return True
        column, row = int(np.floor(cx)), int(np.floor(cy))
        if column < 0 or row < 0 or column >= w or row >= h:
            return True
        block_column, block_row = column // BLOCK, row // BLOCK
        if maxima[block_row, block_column] < cz:
            leave = np.inf
            if dx > 1e-12:
                leave = min(leave, ((block_column + 1) * BLOCK - cx) / dx)
            elif dx < -1e-12:
                leave = min(leave, (block_column * BLOCK - cx) / dx)
            if dy > 1e-12:
                leave = min(leave, ((block_row + 1) * BLOCK - cy) / dy)
            elif dy < -1e-12:
                leave = min(leave, (block_row * BLOCK - cy) / dy)
            t += max(leave, 0.0) + 1e-3
            continue
        if height[row, column] > cz + tolerance:
            return False
        t += 0.7


@compiled
def project_one(point: F64, camera: F64) -> tuple[float, float, float]:
    """Pixel and depth of a point; depth -1 where the camera cannot see it.

    camera : (25,) row-major (3, 4) cam_from_enu, fx, fy, cx, cy, eight lens parameters, radius.
    """
    x = camera[0] * point[0] + camera[1] * point[1] + camera[2] * point[2] + camera[3]
    y = camera[4] * point[0] + camera[5] * point[1] + camera[6] * point[2] + camera[7]
    z = camera[8] * point[0] + camera[9] * point[1] + camera[10] * point[2] + camera[11]
    if z <= 1e-9:
        return 0.0, 0.0, -1.0
    x /= z
    y /= z
    r2 = x * x + y * y
    if r2 >= camera[24] * camera[24]:
        return 0.0, 0.0, -1.0
    k1, k2, p1, p2, k3, k4, k5, k6 = camera[16:24]
    radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    xd = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
    yd = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
    return camera[12] * xd + camera[14], camera[13] * yd + camera[15], z


@compiled
def rank_views(
    height: F32, maxima: F32, summit: float, origin: F64, gsd: float, rows: I64, columns: I64,
    candidates: I64, cameras: F64, sizes: F64, centres: F64, keep: int, tolerance: float,
) -> tuple[I16, F32]:  # fmt: skip
    """The best views of each of some cells that really see it, and how good they are.

    rows, columns : (n,) cells; origin : east, north of the grid's corner; cameras : (v, 25) as
    `project_one` takes them; sizes, centres : (v, 2), (v, 3).  A view's merit is the cosine of
    its angle to the vertical over its ground sampling, less near the photo's border.
    Returns views (n, keep), -1 where there are fewer, and merits (n, keep).
    """
    n = rows.shape[0]
    views = np.full((n, keep), -1, np.int16)
    merits = np.zeros((n, keep), np.float32)
    merit = np.empty(candidates.shape[0])
    point = np.empty(3)
    for k in range(n):
        row, column = rows[k], columns[k]
        point[2] = height[row, column]
        if np.isnan(point[2]):
            continue
        point[0] = origin[0] + (column + 0.5) * gsd
        point[1] = origin[1] - (row + 0.5) * gsd
        for c in range(candidates.shape[0]):
            v = candidates[c]
            px, py, depth = project_one(point, cameras[v])
            width, high = sizes[v, 0], sizes[v, 1]
            merit[c] = 0.0
            if depth <= 0.0 or px < 1.0 or py < 1.0 or px > width - 1.0 or py > high - 1.0:
                continue
            ex, ey = centres[v, 0] - point[0], centres[v, 1] - point[1]
            ez = centres[v, 2] - point[2]
            if ez <= 0.0:
                continue
            distance = np.sqrt(ex * ex + ey * ey + ez * ez)
            border = min(min(px, width - px), min(py, high - py)) / (0.1 * min(width, high))
            cosine = ez / distance
            merit[c] = cosine * cosine * cameras[v, 12] / distance * min(1.0, 0.2 + 0.8 * border)
        found = 0
        while found < keep:
            best = 0
            for c in range(1, candidates.shape[0]):
                if merit[c] > merit[best]:
                    best = c
            if candidates.shape[0] == 0 or merit[best] <= 0.0:
                break
            v = candidates[best]
            ex, ey = centres[v, 0] - point[0], centres[v, 1] - point[1]
            flat = max(np.sqrt(ex * ex + ey * ey) / gsd, 1e-9)
            if sees(
                height, maxima, summit, column + 0.5, row + 0.5, point[2],
                ex / gsd / flat, -ey / gsd / flat, (centres[v, 2] - point[2]) / flat, tolerance,
            ):  # fmt: skip
                views[k, found] = v
                merits[k, found] = merit[best]
                found += 1
            merit[best] = 0.0
    return views, merits


@compiled
def sample_photo(
    image: U8, scale: float, height: F32, origin: F64, gsd: float, rows: I64, columns: I64,
    camera: F64,
) -> F32:  # fmt: skip
    """(n, 3) colours of cells in a photo, bilinear; NaN outside.

    image : (h, w, 3), reduced by `scale` (below 1) from the camera's size.
    """
    n = rows.shape[0]
    h, w = image.shape[0], image.shape[1]
    out = np.full((n, 3), np.nan, np.float32)
    point = np.empty(3)
    for k in range(n):
        point[0] = origin[0] + (columns[k] + 0.5) * gsd
        point[1] = origin[1] - (rows[k] + 0.5) * gsd
        point[2] = height[rows[k], columns[k]]
        px, py, depth = project_one(point, camera)
        if depth <= 0.0:
            continue
        x, y = px * scale - 0.5, py * scale - 0.5
        x, y = min(max(x, 0.0), w - 1.001), min(max(y, 0.0), h - 1.001)
        j, i = int(x), int(y)
        fx, fy = x - j, y - i
        for c in range(3):
            out[k, c] = (image[i, j, c] * (1 - fx) + image[i, j + 1, c] * fx) * (1 - fy) + (
                image[i + 1, j, c] * (1 - fx) + image[i + 1, j + 1, c] * fx
            ) * fy
    return out
