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

from sitl.jit import Lens, Vector, kernel
from sitl.mesh import Float32Array, FloatArray, IntArray

NEAR_M = 0.05
"""Geometry nearer than this to the camera's plane is not seen."""
UNDISTORT_STEPS = 8192


@kernel
def undistort_factor(r2: float, table: FloatArray, r2_max: float) -> float:
    """Undistorted over distorted radius, interpolated (error below 1e-9)."""
    at = r2 / r2_max * (len(table) - 1)
    i = min(int(at), len(table) - 2)
    return float(table[i] + (table[i + 1] - table[i]) * (at - i))


@kernel
def screen_boxes(
    corners: FloatArray, lens: Lens, width: int, height: int, boxes: FloatArray
) -> None:
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
            margin = 0.05 + bend * size * size
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


@kernel
def _pinhole_box(triangle: FloatArray, r2_limit: float) -> tuple[float, float, float, float, bool]:
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


@kernel
def _distorted_box(
    triangle: FloatArray, focal: float, k1: float, k2: float
) -> tuple[float, float, float, float]:
    left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
    for i in range(3):
        x = triangle[i, 0] / triangle[i, 2]
        y = triangle[i, 1] / triangle[i, 2]
        r2 = x * x + y * y
        scale = focal * (1.0 + r2 * (k1 + k2 * r2))
        left, right = min(left, x * scale), max(right, x * scale)
        top, bottom = min(top, y * scale), max(bottom, y * scale)
    return left, right, top, bottom


@kernel
def inverse_factors(lens: Lens, table: FloatArray, first_row: int, out: FloatArray) -> None:
    """Distorted over undistorted radius at the centres of a band of pixel rows.

    With it a ray's edge functions need no undistortion: only their sign matters, and
    (x, y, 1) scaled by the factor is (distorted x, distorted y, factor).
    """
    focal, cx, cy, _, _, r2_max = lens
    for i in range(out.shape[0]):
        y = (i + first_row + 0.5 - cy) / focal
        for j in range(out.shape[1]):
            x = (j + 0.5 - cx) / focal
            out[i, j] = 1.0 / undistort_factor(x * x + y * y, table, r2_max)


@kernel
def edge_functions(
    a: FloatArray, b: FloatArray, c: FloatArray
) -> tuple[Vector, Vector, Vector, float]:
    """The three planes through the camera and each side of a triangle, and its volume."""
    u = (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])
    v = (c[1] * a[2] - c[2] * a[1], c[2] * a[0] - c[0] * a[2], c[0] * a[1] - c[1] * a[0])
    w = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return u, v, w, a[0] * u[0] + a[1] * u[1] + a[2] * u[2]


@kernel
def rasterise(
    corners: FloatArray,
    boxes: FloatArray,
    lens: Lens,
    factors: FloatArray,
    first_row: int,
    depth: Float32Array,
    ident: IntArray,
) -> None:
    """Nearest hit of the ray through every pixel's centre.

    factors : from `inverse_factors`; depth, ident : (rows, width) float32 and int32, filled
    beforehand with infinity and -1, for the pixel rows from first_row on
    """
    focal, cx, cy, _, _, _ = lens
    rows, columns = depth.shape
    for m in range(len(corners)):
        j0 = max(math.ceil(boxes[m, 0] - 0.5), 0)
        j1 = min(math.floor(boxes[m, 1] - 0.5) + 1, columns)
        i0 = max(math.ceil(boxes[m, 2] - 0.5) - first_row, 0)
        i1 = min(math.floor(boxes[m, 3] - 0.5) + 1 - first_row, rows)
        if j1 <= j0 or i1 <= i0:
            continue
        (ux, uy, uz), (vx, vy, vz), (wx, wy, wz), volume = edge_functions(
            corners[m, 0], corners[m, 1], corners[m, 2]
        )
        if volume == 0.0:
            continue
        if volume < 0.0:
            ux, uy, uz, vx, vy, vz, wx, wy, wz, volume = (
                -ux,
                -uy,
                -uz,
                -vx,
                -vy,
                -vz,
                -wx,
                -wy,
                -wz,
                -volume,
            )
        for i in range(i0, i1):
            y = (i + first_row + 0.5 - cy) / focal
            u_row, v_row, w_row = uy * y, vy * y, wy * y
            for j in range(j0, j1):
                x = (j + 0.5 - cx) / focal
                h = factors[i, j]
                u = ux * x + u_row + uz * h
                v = vx * x + v_row + vz * h
                w = wx * x + w_row + wz * h
                if u >= 0.0 and v >= 0.0 and w >= 0.0 and u + v + w > 0.0:
                    z = volume * h / (u + v + w)
                    if NEAR_M < z < depth[i, j]:
                        depth[i, j] = z
                        ident[i, j] = m


@kernel
def rasterise_samples(
    corners: FloatArray,
    boxes: FloatArray,
    lens: Lens,
    table: FloatArray,
    samples: int,
    first_row: int,
    slots: IntArray,
    depth: Float32Array,
    ident: IntArray,
) -> None:
    """Nearest hits of several rays in chosen pixels.

    slots : (rows, width) int32, a chosen pixel's row in the outputs, else -1;
    depth, ident : (chosen, samples * samples), filled beforehand as for `rasterise`
    """
    focal, cx, cy, _, _, r2_max = lens
    rows, columns = slots.shape
    for m in range(len(corners)):
        j0 = max(int(boxes[m, 0]), 0)
        j1 = min(math.ceil(boxes[m, 1]), columns)
        i0 = max(int(boxes[m, 2]) - first_row, 0)
        i1 = min(math.ceil(boxes[m, 3]) - first_row, rows)
        if j1 <= j0 or i1 <= i0:
            continue
        (ux, uy, uz), (vx, vy, vz), (wx, wy, wz), volume = edge_functions(
            corners[m, 0], corners[m, 1], corners[m, 2]
        )
        if volume == 0.0:
            continue
        sign = 1.0 if volume > 0.0 else -1.0
        for i in range(i0, i1):
            for j in range(j0, j1):
                slot = slots[i, j]
                if slot < 0:
                    continue
                for k in range(samples * samples):
                    y = (i + first_row + (k // samples + 0.5) / samples - cy) / focal
                    x = (j + (k % samples + 0.5) / samples - cx) / focal
                    g = undistort_factor(x * x + y * y, table, r2_max)
                    x, y = x * g * sign, y * g * sign
                    u = ux * x + uy * y + uz * sign
                    v = vx * x + vy * y + vz * sign
                    w = wx * x + wy * y + wz * sign
                    if u >= 0.0 and v >= 0.0 and w >= 0.0 and u + v + w > 0.0:
                        z = volume * sign / (u + v + w)
                        if NEAR_M < z < depth[slot, k]:
                            depth[slot, k] = z
                            ident[slot, k] = m


@kernel
def height_map(corners: FloatArray, cell_m: float, height: Float32Array) -> None:
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
        j0 = max(math.ceil(min(a[0], b[0], c[0]) / cell_m - 0.5), 0)
        j1 = min(math.floor(max(a[0], b[0], c[0]) / cell_m - 0.5) + 1, columns)
        i0 = max(math.ceil(min(a[1], b[1], c[1]) / cell_m - 0.5), 0)
        i1 = min(math.floor(max(a[1], b[1], c[1]) / cell_m - 0.5) + 1, rows)
        for i in range(i0, i1):
            y = (i + 0.5) * cell_m
            for j in range(j0, j1):
                x = (j + 0.5) * cell_m
                v, w = _ortho_weights(a, b, c, x, y, area)
                if v >= 0.0 and w >= 0.0 and v + w <= 1.0:
                    z = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
                    if z > height[i, j]:
                        height[i, j] = z


@kernel
def _ortho_weights(
    a: FloatArray, b: FloatArray, c: FloatArray, x: float, y: float, area: float
) -> tuple[float, float]:
    px, py = x - a[0], y - a[1]
    v = (px * (c[1] - a[1]) - py * (c[0] - a[0])) / area
    w = (py * (b[0] - a[0]) - px * (b[1] - a[1])) / area
    return v, w


@kernel
def first_hits(
    origins: FloatArray,
    directions: FloatArray,
    corners: FloatArray,
    distance: FloatArray,
    ident: IntArray,
) -> None:
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
