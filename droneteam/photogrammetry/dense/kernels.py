"""Compiled loops of dense stereo: plain functions over contiguous arrays and scalars.

`compiled` is numba's njit with a type checker's eyes kept open; `function.py_func` is the plain
Python behind it, which the tests run too.  Array indices here are whole pixels: the pixel centre
(0.5, 0.5) of the cameras' convention is index 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

DOUBT_GSD = 12.0
"""Opinions this far apart, in ground sampling distances, may still be of one surface."""
GRAZING_SLOPE, FACING_SLOPE = -0.05, -0.2
"""Normal times ray of unit depth: where a view can say anything, and where it should."""
COVERED, CONTESTED = 1, 2
"""Marks of a pixel whose surface is in the cloud, here or a little elsewhere."""
COVERED_GSD = 4.0
"""A pixel this close behind or before a point, in ground sampling distances, shows the same."""
COVERED_SCALE = 0.9
"""A pixel finer than this, against the one that the point came from, still adds detail; at 1 the
many that are as fine as each other would say the same place twice."""
BEND_REACHES_PX = (5, 9)
"""How far matching windows reach (half of 11 and of 15 pixels, and what blur adds)."""
UNKNOWN_BEND_GSD, LARGEST_BEND_GSD = 1.0, 2.0
"""Bend beside an unknown pixel, and at most, in ground sampling distances: an edge is no error."""
SEPARATE_NOISE = 0.5
"""Share of its noise's variance that a pixel does not have in common with those at these reaches,
whose windows overlap its own."""
MIN_WINDOW = 8
"""Fewest pixels of a window that say anything about a shift and two slopes."""

Function = TypeVar("Function", bound=Callable[..., object])

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]


def compiled(function: Function) -> Function:
    """The function, compiled at its first call, cached on disk, and free of the GIL."""
    return cast(Function, njit(cache=True, nogil=True)(function))


@compiled
def distorted_map(
    width: int, top: int, height: int, directions: F64, focal: F64, principal: F64, lens: F64,
    radius: float,
) -> tuple[F32, F32]:  # fmt: skip
    """Array indices in a photo of the pixels of `height` rows, from `top` on, of a virtual pinhole
    image.

    directions : (3, 3), takes (x, y, 1) of a pixel's position to a ray in the photo's camera axes
    lens : (8,) distortion; radius : normalised radius beyond which the lens model folds back.
    Returns two (height, width) maps; NaN where the photo's camera cannot see.
    """
    map_x = np.empty((height, width), np.float32)
    map_y = np.empty((height, width), np.float32)
    k1, k2, p1, p2, k3, k4, k5, k6 = lens
    limit = radius * radius
    for row in range(height):
        for column in range(width):
            u, v = column + 0.5, top + row + 0.5
            z = directions[2, 0] * u + directions[2, 1] * v + directions[2, 2]
            map_x[row, column] = np.nan
            map_y[row, column] = np.nan
            if z <= 1e-9:
                continue
            x = (directions[0, 0] * u + directions[0, 1] * v + directions[0, 2]) / z
            y = (directions[1, 0] * u + directions[1, 1] * v + directions[1, 2]) / z
            r2 = x * x + y * y
            if r2 >= limit:
                continue
            radial = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (
                1.0 + r2 * (k4 + r2 * (k5 + r2 * k6))
            )
            xd = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
            yd = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
            map_x[row, column] = focal[0] * xd + principal[0] - 0.5
            map_y[row, column] = focal[1] * yd + principal[1] - 0.5
    return map_x, map_y


@compiled
def seen_from_right(disparity: F32, sigma: F32) -> tuple[F32, F32]:
    """The disparity map as the right image sees it; where surfaces overlap the nearest wins.

    Along a row, neighbouring left pixels of one surface are joined linearly and read at the right
    image's whole columns.
    """
    h, w = disparity.shape
    out = np.full((h, w), np.nan, np.float32)
    out_sigma = np.full((h, w), np.nan, np.float32)
    for row in range(h):
        for column in range(w - 1):
            d0 = disparity[row, column]
            d1 = disparity[row, column + 1]
            if np.isnan(d0) or np.isnan(d1) or abs(d1 - d0) > 1.0:
                continue
            x0 = column - d0
            x1 = column + 1 - d1
            if x1 <= x0:
                continue
            for x in range(max(0, int(np.ceil(x0))), min(w - 1, int(np.floor(x1))) + 1):
                t = (x - x0) / (x1 - x0)
                value = d0 + t * (d1 - d0)
                best = out[row, x]
                if np.isnan(best) or value > best:
                    out[row, x] = value
                    out_sigma[row, x] = max(sigma[row, column], sigma[row, column + 1])
    return out, out_sigma


@compiled
def sample_hypothesis(
    width: int,
    height: int,
    rect_from_photo: F64,
    plane: F64,
    sign: float,
    inverse_baseline: float,
    focal: float,
    disparity: F32,
    sigma: F32,
) -> tuple[F32, F32]:
    """Inverse depths (1/m) and their 1-sigma on a photo's pinhole grid, from a rectified pair.

    rect_from_photo : (3, 3), takes (x, y, 1) of a grid pixel to rectified (u, v, 1)·s where s is
    the ratio of depths along the two optical axes; plane : (a, b, c, u0, v0), see `rectify`;
    sign : +1 for the left photo, -1 for the right one; inverse_baseline : 1/m.
    """
    inverse = np.full((height, width), np.nan, np.float32)
    spread = np.full((height, width), np.nan, np.float32)
    h, w = disparity.shape
    a, b, c, u0, v0 = plane
    for row in range(height):
        for column in range(width):
            x, y = column + 0.5, row + 0.5
            s = rect_from_photo[2, 0] * x + rect_from_photo[2, 1] * y + rect_from_photo[2, 2]
            if s <= 1e-9:
                continue
            u = (rect_from_photo[0, 0] * x + rect_from_photo[0, 1] * y + rect_from_photo[0, 2]) / s
            v = (rect_from_photo[1, 0] * x + rect_from_photo[1, 1] * y + rect_from_photo[1, 2]) / s
            warped = u if sign > 0.0 else (u + b * v + c) / (1.0 - a)
            gx, gy = warped - u0 - 0.5, v - v0 - 0.5
            ix, iy = int(np.floor(gx)), int(np.floor(gy))
            if ix < 0 or iy < 0 or ix + 1 >= w or iy + 1 >= h:
                continue
            e00, e01 = disparity[iy, ix], disparity[iy, ix + 1]
            e10, e11 = disparity[iy + 1, ix], disparity[iy + 1, ix + 1]
            high = max(max(e00, e01), max(e10, e11))
            low = min(min(e00, e01), min(e10, e11))
            if not high - low <= 1.0:
                continue
            fx, fy = gx - ix, gy - iy
            e = (e00 * (1 - fx) + e01 * fx) * (1 - fy) + (e10 * (1 - fx) + e11 * fx) * fy
            left_u = u if sign > 0.0 else warped + e
            full = a * left_u + b * v + c + (1.0 - a) * e
            if full <= 0.0:
                continue
            scale = s * inverse_baseline / focal
            inverse[row, column] = full * scale
            spread[row, column] = (
                sigma[iy + (1 if fy > 0.5 else 0), ix + (1 if fx > 0.5 else 0)]
                * abs(1.0 - a)
                * scale
            )
    return inverse, spread


@compiled
def merge_hypotheses(inverse: F32, sigma: F32, floor: float) -> tuple[F32, F32, U8]:
    """The consensus of several inverse depths per pixel, its 1-sigma and how many agree.

    Of the hypotheses at a pixel the one that most others agree with leads; it is averaged with
    them by weight.  A median would do the same where most are right, but not at an occlusion,
    where most pairs are wrong in different ways.

    inverse, sigma : (k, h, w), NaN where silent; floor : smallest 1-sigma to assume, relative
    to the inverse depth.
    """
    k, h, w = inverse.shape
    out = np.full((h, w), np.nan, np.float32)
    spread = np.full((h, w), np.nan, np.float32)
    count = np.zeros((h, w), np.uint8)
    for row in range(h):
        for column in range(w):
            best = -1
            best_votes = 0
            best_sigma = np.inf
            for i in range(k):
                a = inverse[i, row, column]
                if np.isnan(a):
                    continue
                sa = sigma[i, row, column] + floor * a
                votes = 0
                for j in range(k):
                    b = inverse[j, row, column]
                    if np.isnan(b):
                        continue
                    sb = sigma[j, row, column] + floor * b
                    if (a - b) * (a - b) <= 9.0 * (sa * sa + sb * sb):
                        votes += 1
                if votes > best_votes or (votes == best_votes and sa < best_sigma):
                    best, best_votes, best_sigma = i, votes, sa
            if best < 0:
                continue
            a = inverse[best, row, column]
            total = 0.0
            mean = 0.0
            for j in range(k):
                b = inverse[j, row, column]
                if np.isnan(b):
                    continue
                sb = sigma[j, row, column] + floor * b
                if (a - b) * (a - b) <= 9.0 * (best_sigma * best_sigma + sb * sb):
                    weight = 1.0 / (sb * sb)
                    total += weight
                    mean += weight * b
            out[row, column] = mean / total
            spread[row, column] = np.sqrt(1.0 / total)
            count[row, column] = best_votes
    return out, spread, count


@compiled
def normals_of_inverse_depth(
    inverse: F32, wanted: U8, matrix: F64, half: int, tolerance: float
) -> F32:
    """Unit normals (h, w, 3) in camera axes, towards the camera; NaN where there are too few.

    wanted : (h, w), 0 where nothing is asked for.

    A plane n·X = 1 has inverse depth n·(x, y, 1) at normalised coordinates (x, y): least squares
    over the window's pixels whose inverse depth is within `tolerance` (relative) of the centre's.
    """
    h, w = inverse.shape
    normals = np.full((h, w, 3), np.nan, np.float32)
    fx, fy, cx, cy = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    for row in range(h):
        for column in range(w):
            centre = inverse[row, column]
            if np.isnan(centre) or not wanted[row, column]:
                continue
            n = 0
            sx = sy = sxx = sxy = syy = sq = sxq = syq = 0.0
            for i in range(max(0, row - half), min(h, row + half + 1)):
                for j in range(max(0, column - half), min(w, column + half + 1)):
                    q = inverse[i, j]
                    if not abs(q - centre) <= tolerance * centre:
                        continue
                    x, y = float(j - column), float(i - row)
                    n += 1
                    sx += x
                    sy += y
                    sq += q
                    sxx += x * x
                    sxy += x * y
                    syy += y * y
                    sxq += x * q
                    syq += y * q
            if n < 5:
                continue
            cxx = sxx - sx * sx / n
            cxy = sxy - sx * sy / n
            cyy = syy - sy * sy / n
            cxq = sxq - sx * sq / n
            cyq = syq - sy * sq / n
            determinant = cxx * cyy - cxy * cxy
            if determinant < 1e-3:
                continue
            slope_x = (cxq * cyy - cyq * cxy) / determinant
            slope_y = (cyq * cxx - cxq * cxy) / determinant
            a, b = slope_x * fx, slope_y * fy
            x0, y0 = (column + 0.5 - cx) / fx, (row + 0.5 - cy) / fy
            c = centre - a * x0 - b * y0
            length = np.sqrt(a * a + b * b + c * c)
            normals[row, column, 0] = -a / length
            normals[row, column, 1] = -b / length
            normals[row, column, 2] = -c / length
    return normals


@compiled
def bends(inverse: F32, row: I64, column: I64, scale: F64, spread: F64, gsd: F64) -> F64:
    """How far a surface departs from a plane within the reach of matching windows, metres.

    The windows take surfaces for planes.  An edge is rounded off within them, and on plain paint
    the match wanders from window to window: both show as second differences of the inverse depth
    (zero on a plane) that exceed what its own noise explains.

    inverse : (h, w); row, column : (n,) pixels; scale : (n,) from inverse depths to metres along
    the normal; spread : (n,) 1-sigma of the depths' noise along it; gsd : (n,) metres.
    """
    h, w = inverse.shape
    found = np.empty(len(row))
    for p in range(len(row)):
        y, x = row[p], column[p]
        total = 0.0
        for reach in BEND_REACHES_PX:
            here = 0.0
            for across in (False, True):
                dy, dx = (0, reach) if across else (reach, 0)
                if y < dy or x < dx or y + dy >= h or x + dx >= w:
                    continue
                second = inverse[y - dy, x - dx] + inverse[y + dy, x + dx] - 2.0 * inverse[y, x]
                if np.isnan(second):
                    total += (UNKNOWN_BEND_GSD * gsd[p]) ** 2
                    continue
                # Root six: then noise alone gives `spread`.
                bend = min(abs(second) * scale[p] / np.sqrt(6.0), LARGEST_BEND_GSD * gsd[p])
                here += bend * bend - SEPARATE_NOISE * spread[p] * spread[p]
            total += max(here, 0.0)
        found[p] = np.sqrt(total)
    return found


@compiled
def agree_with_view(
    points: F64,
    normals: F64,
    sigma: F64,
    gsd: F64,
    cam_from_enu: F64,
    matrix: F64,
    inverse: F32,
    inverse_sigma: F32,
    shift_sum: F64,
    weight_sum: F64,
    square_sum: F64,
    miss_sum: F64,
    agreeing: U8,
    doubting: U8,
    silent: U8,
    conflicting: U8,
) -> None:
    """Adds one view's say about points to their running sums, in place.

    The view's surface is read where a point falls; the gap along the view's ray, turned to the
    point's normal, is the view's opinion of the shift along the normal.  Within tolerance it
    agrees; a little beyond it doubts: it has the same surface elsewhere, as on paint that mirrors
    something else into every photo.  A surface clearly behind the point means that the view sees
    through it.

    points, normals : (n, 3) ENU; sigma, gsd : (n,) metres.
    """
    h, w = inverse.shape
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        cx = cam_from_enu[0, 0] * x + cam_from_enu[0, 1] * y + cam_from_enu[0, 2] * z
        cy = cam_from_enu[1, 0] * x + cam_from_enu[1, 1] * y + cam_from_enu[1, 2] * z
        cz = cam_from_enu[2, 0] * x + cam_from_enu[2, 1] * y + cam_from_enu[2, 2] * z
        cx += cam_from_enu[0, 3]
        cy += cam_from_enu[1, 3]
        cz += cam_from_enu[2, 3]
        if cz <= 1e-9:
            continue
        gx = matrix[0, 0] * cx / cz + matrix[0, 2] - 0.5
        gy = matrix[1, 1] * cy / cz + matrix[1, 2] - 0.5
        ix, iy = int(np.floor(gx)), int(np.floor(gy))
        if ix < 0 or iy < 0 or ix + 1 >= w or iy + 1 >= h:
            continue
        q00, q01 = inverse[iy, ix], inverse[iy, ix + 1]
        q10, q11 = inverse[iy + 1, ix], inverse[iy + 1, ix + 1]
        near_x, near_y = ix + (1 if gx - ix > 0.5 else 0), iy + (1 if gy - iy > 0.5 else 0)
        q = inverse[near_y, near_x]
        slope = (
            normals[p, 0]
            * (cam_from_enu[0, 0] * cx + cam_from_enu[1, 0] * cy + cam_from_enu[2, 0] * cz)
            + normals[p, 1]
            * (cam_from_enu[0, 1] * cx + cam_from_enu[1, 1] * cy + cam_from_enu[2, 1] * cz)
            + normals[p, 2]
            * (cam_from_enu[0, 2] * cx + cam_from_enu[1, 2] * cy + cam_from_enu[2, 2] * cz)
        ) / cz
        if np.isnan(q):
            if slope < FACING_SLOPE:
                silent[p] += 1
            continue
        spread = max(max(q00, q01), max(q10, q11)) - min(min(q00, q01), min(q10, q11))
        if spread <= 0.01 * q:
            fx, fy = gx - ix, gy - iy
            q = (q00 * (1 - fx) + q01 * fx) * (1 - fy) + (q10 * (1 - fx) + q11 * fx) * fy
        depth = 1.0 / q
        shift = (depth - cz) * slope
        view_sigma = inverse_sigma[near_y, near_x] * depth * depth
        normal_sigma = max(view_sigma * abs(slope), 1e-12)
        tolerance = 3.0 * np.sqrt(normal_sigma * normal_sigma + sigma[p] * sigma[p])
        tolerance = min(max(tolerance, 0.5 * gsd[p]), 2.0 * gsd[p])
        if slope < GRAZING_SLOPE and abs(shift) <= tolerance and abs(depth - cz) <= 6.0 * tolerance:
            weight = 1.0 / (normal_sigma * normal_sigma)
            shift_sum[p] += weight * shift
            weight_sum[p] += weight
            square_sum[p] += weight * shift * shift
            agreeing[p] += 1
            continue
        if slope < GRAZING_SLOPE and abs(shift) <= DOUBT_GSD * gsd[p]:
            doubting[p] += 1
            miss_sum[p] += shift * shift
        if depth - cz > 4.0 * tolerance:
            conflicting[p] += 1


@compiled
def mark_covered(
    points: F64, gsd: F64, cam_from_enu: F64, matrix: F64, inverse: F32, visited: U8
) -> None:
    """Marks the view's pixels that show a point COVERED, those that contradict it CONTESTED.

    points : (n, 3) ENU; gsd : (n,) metres; visited : (h, w), changed in place.  A pixel that is
    clearly finer than the one the point came from adds detail, and is left alone.
    """
    h, w = inverse.shape
    for p in range(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        cz = cam_from_enu[2, 0] * x + cam_from_enu[2, 1] * y + cam_from_enu[2, 2] * z
        cz += cam_from_enu[2, 3]
        if cz <= 1e-9:
            continue
        cx = cam_from_enu[0, 0] * x + cam_from_enu[0, 1] * y + cam_from_enu[0, 2] * z
        cy = cam_from_enu[1, 0] * x + cam_from_enu[1, 1] * y + cam_from_enu[1, 2] * z
        column = int(np.floor(matrix[0, 0] * (cx + cam_from_enu[0, 3]) / cz + matrix[0, 2]))
        row = int(np.floor(matrix[1, 1] * (cy + cam_from_enu[1, 3]) / cz + matrix[1, 2]))
        if column < 0 or row < 0 or column >= w or row >= h:
            continue
        depth = 1.0 / inverse[row, column]
        gap = abs(depth - cz)
        if gap <= COVERED_GSD * gsd[p]:
            if depth >= COVERED_SCALE * gsd[p] * matrix[0, 0]:
                visited[row, column] = COVERED
        elif gap <= DOUBT_GSD * gsd[p] and visited[row, column] == 0:
            visited[row, column] = CONTESTED
