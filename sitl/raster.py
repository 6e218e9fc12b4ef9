"""Exact visibility: which triangle each ray meets first.

Ray casting organised by triangle.  Every sample inside a triangle's screen box is tested against
the triangle with the three edge functions of its own ray, so lens distortion costs nothing and
nothing is approximated: the hit is the exact intersection of that sample's ray.  (Edge functions
in homogeneous form after Olano and Greer, "Triangle scan conversion using 2D homogeneous
coordinates", Graphics Hardware 1997.)

A lens is handed to the kernels as (focal_px, cx_px, cy_px, k1, k2, r2_max) and a table of
undistortion factors over the squared distorted radius; pixel (0, 0) spans [0, 1] × [0, 1].
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sitl.mesh import FloatArray

NEAR_M = 0.05
"""Geometry nearer than this to the camera's plane is not seen."""
UNDISTORT_STEPS = 8192


@njit(cache=True, nogil=True)
def undistort_factor(r2: float, table: FloatArray, r2_max: float) -> float:
    """Undistorted over distorted radius, interpolated (error below 1e-9)."""
    at = r2 / r2_max * (len(table) - 1)
    i = min(int(at), len(table) - 2)
    return table[i] + (table[i + 1] - table[i]) * (at - i)


@njit(cache=True, nogil=True)
def screen_boxes(corners, lens, width, height, boxes):
    """Pixel boxes that surely hold each triangle's projection; empty when it is not seen.

    corners : (m, 3, 3) in the camera's frame; boxes : (m, 4) float64, filled with
    left, right, top, bottom in pixels
    """
    focal, cx, cy, k1, k2, r2_max = lens
    r2_limit = r2_max * 1.2
    bend = 3.0 * (abs(k1) + 2.0 * abs(k2)) / focal
    for m in range(len(corners)):
        boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3] = 1.0, 0.0, 1.0, 0.0
        ahead = 0
        for i in range(3):
            ahead += corners[m, i, 2] > NEAR_M
        if ahead == 0:
            continue
        left, right, top, bottom, inside = _pinhole_box(corners[m], r2_limit)
        if inside and ahead == 3:
            left, right, top, bottom = _distorted_box(corners[m], focal, k1, k2)
            size = max(right - left, bottom - top)
            margin = 1.0 + bend * size * size
            left, right, top, bottom = left - margin, right + margin, top - margin, bottom + margin
        else:
            # Outside the lens's calibrated field its polynomial may fold back; the distortion
            # stays within these factors inside the image, so widen the pinhole's box by them.
            low = min(1.0, 1.0 + k1 * r2_max + k2 * r2_max * r2_max) - 0.02
            high = max(1.0, 1.0 + k1 * r2_max + k2 * r2_max * r2_max) + 0.02
            left = focal * min(left * low, left * high)
            right = focal * max(right * low, right * high)
            top = focal * min(top * low, top * high)
            bottom = focal * max(bottom * low, bottom * high)
        boxes[m, 0] = max(left + cx, 0.0)
        boxes[m, 1] = min(right + cx, float(width))
        boxes[m, 2] = max(top + cy, 0.0)
        boxes[m, 3] = min(bottom + cy, float(height))


@njit(cache=True, nogil=True)
def _pinhole_box(triangle, r2_limit):
    """Bounds of x/z and y/z over the part in front of the camera, and whether it is all near."""
    left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
    inside = True
    for i in range(3):
        a = triangle[i]
        b = triangle[(i + 1) % 3]
        if a[2] > NEAR_M:
            x, y = a[0] / a[2], a[1] / a[2]
            inside = inside and x * x + y * y < r2_limit
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
        if (a[2] > NEAR_M) != (b[2] > NEAR_M):
            w = (NEAR_M - a[2]) / (b[2] - a[2])
            x = (a[0] + w * (b[0] - a[0])) / NEAR_M
            y = (a[1] + w * (b[1] - a[1])) / NEAR_M
            left, right = min(left, x), max(right, x)
            top, bottom = min(top, y), max(bottom, y)
    return left, right, top, bottom, inside


@njit(cache=True, nogil=True)
def _distorted_box(triangle, focal, k1, k2):
    left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
    for i in range(3):
        x = triangle[i, 0] / triangle[i, 2]
        y = triangle[i, 1] / triangle[i, 2]
        r2 = x * x + y * y
        scale = focal * (1.0 + r2 * (k1 + k2 * r2))
        left, right = min(left, x * scale), max(right, x * scale)
        top, bottom = min(top, y * scale), max(bottom, y * scale)
    return left, right, top, bottom


@njit(cache=True, nogil=True)
def rasterise(corners, boxes, lens, table, samples, first_row, depth, ident):
    """Nearest hit of every sample's ray.

    samples : per pixel and axis; depth, ident : (rows * samples, width * samples) float32 and
    int32, filled beforehand with infinity and -1, for the pixel rows from first_row on
    """
    focal, cx, cy, _, _, r2_max = lens
    rows, columns = depth.shape
    for m in range(len(corners)):
        if boxes[m, 1] <= boxes[m, 0] or boxes[m, 3] <= boxes[m, 2]:
            continue
        a, b, c = corners[m, 0], corners[m, 1], corners[m, 2]
        ax = b[1] * c[2] - b[2] * c[1]
        ay = b[2] * c[0] - b[0] * c[2]
        az = b[0] * c[1] - b[1] * c[0]
        bx = c[1] * a[2] - c[2] * a[1]
        by = c[2] * a[0] - c[0] * a[2]
        bz = c[0] * a[1] - c[1] * a[0]
        ex = a[1] * b[2] - a[2] * b[1]
        ey = a[2] * b[0] - a[0] * b[2]
        ez = a[0] * b[1] - a[1] * b[0]
        volume = a[0] * ax + a[1] * ay + a[2] * az
        if volume == 0.0:
            continue
        j0 = max(int(boxes[m, 0] * samples), 0)
        j1 = min(int(math.ceil(boxes[m, 1] * samples)), columns)
        i0 = max(int((boxes[m, 2] - first_row) * samples), 0)
        i1 = min(int(math.ceil((boxes[m, 3] - first_row) * samples)), rows)
        for i in range(i0, i1):
            yd = ((i + 0.5) / samples + first_row - cy) / focal
            for j in range(j0, j1):
                xd = ((j + 0.5) / samples - cx) / focal
                g = undistort_factor(xd * xd + yd * yd, table, r2_max)
                x = xd * g
                y = yd * g
                u = ax * x + ay * y + az
                v = bx * x + by * y + bz
                w = ex * x + ey * y + ez
                if (u >= 0.0 and v >= 0.0 and w >= 0.0) or (u <= 0.0 and v <= 0.0 and w <= 0.0):
                    total = u + v + w
                    if total == 0.0:
                        continue
                    z = volume / total
                    if NEAR_M < z < depth[i, j]:
                        depth[i, j] = z
                        ident[i, j] = m


@njit(cache=True, nogil=True)
def height_map(corners, cell_m, height):
    """Largest third coordinate of the triangles over every cell's centre.

    corners : (m, 3, 3) in a frame whose x runs along columns and y along rows from the map's
    corner; height : (rows, columns) float32, filled beforehand (minus infinity: nothing there)
    """
    rows, columns = height.shape
    for m in range(len(corners)):
        a, b, c = corners[m, 0], corners[m, 1], corners[m, 2]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-14:
            continue
        j0 = max(int(math.ceil(min(a[0], b[0], c[0]) / cell_m - 0.5)), 0)
        j1 = min(int(math.floor(max(a[0], b[0], c[0]) / cell_m - 0.5)) + 1, columns)
        i0 = max(int(math.ceil(min(a[1], b[1], c[1]) / cell_m - 0.5)), 0)
        i1 = min(int(math.floor(max(a[1], b[1], c[1]) / cell_m - 0.5)) + 1, rows)
        for i in range(i0, i1):
            y = (i + 0.5) * cell_m
            for j in range(j0, j1):
                x = (j + 0.5) * cell_m
                v, w = _ortho_weights(a, b, c, x, y, area)
                if v >= 0.0 and w >= 0.0 and v + w <= 1.0:
                    z = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
                    if z > height[i, j]:
                        height[i, j] = z


@njit(cache=True, nogil=True)
def _ortho_weights(a, b, c, x, y, area):
    px, py = x - a[0], y - a[1]
    v = (px * (c[1] - a[1]) - py * (c[0] - a[0])) / area
    w = (py * (b[0] - a[0]) - px * (b[1] - a[1])) / area
    return v, w


@njit(cache=True, nogil=True)
def first_hits(origins, directions, corners, distance, ident):
    """Brute-force nearest hits of free rays (Möller and Trumbore, JGT 1997).

    origins, directions : (n, 3); corners : (m, 3, 3); distance (n,), filled with the largest
    distance wanted in units of the direction, and ident (n,) with -1
    """
    for m in range(len(corners)):
        a, b, c = corners[m, 0], corners[m, 1], corners[m, 2]
        e1x, e1y, e1z = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        e2x, e2y, e2z = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        for n in range(len(origins)):
            d, o = directions[n], origins[n]
            px = d[1] * e2z - d[2] * e2y
            py = d[2] * e2x - d[0] * e2z
            pz = d[0] * e2y - d[1] * e2x
            det = e1x * px + e1y * py + e1z * pz
            if det == 0.0:
                continue
            tx, ty, tz = o[0] - a[0], o[1] - a[1], o[2] - a[2]
            u = (tx * px + ty * py + tz * pz) / det
            if u < 0.0 or u > 1.0:
                continue
            qx = ty * e1z - tz * e1y
            qy = tz * e1x - tx * e1z
            qz = tx * e1y - ty * e1x
            v = (d[0] * qx + d[1] * qy + d[2] * qz) / det
            if v < 0.0 or u + v > 1.0:
                continue
            t = (e2x * qx + e2y * qy + e2z * qz) / det
            if 0.0 < t < distance[n]:
                distance[n] = t
                ident[n] = m


def undistort_table(k1: float, k2: float, r2_max: float) -> FloatArray:
    """Undistorted over distorted radius at UNDISTORT_STEPS squared distorted radii up to r2_max."""
    distorted = np.sqrt(np.linspace(0.0, r2_max, UNDISTORT_STEPS))
    radius = distorted.copy()
    for _ in range(20):
        r2 = radius * radius
        value = radius * (1.0 + r2 * (k1 + k2 * r2)) - distorted
        radius -= value / (1.0 + r2 * (3.0 * k1 + 5.0 * k2 * r2))
    return np.where(distorted > 0.0, radius / np.where(distorted > 0.0, distorted, 1.0), 1.0)
