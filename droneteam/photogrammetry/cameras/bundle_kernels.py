# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled inner loops of the bundle adjustment: projection, its derivatives, Schur complement.

All arrays are float64 (indices int64) and contiguous.  Intrinsics are rows of twelve:
f, aspect (fy / fx), cx, cy, k1, k2, p1, p2, k3, k4, k5, k6 (Brown's model with OpenCV's rational
radial term).  A pose is a rotation (camera axes from frame) and a projection centre; its six
parameters are a rotation vector in camera axes, applied from the left, and the centre.

The normal equations follow Triggs et al., "Bundle adjustment: a modern synthesis" (2000), §6.1:
points are eliminated one by one, so that only the cameras' (and the kept points') system remains.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

F = NDArray[np.float64]
I = NDArray[np.int64]  # noqa: E741
Buffers = tuple[F, F, F, F]

N_INTRINSICS = 12
MAX_FREE = 6 + N_INTRINSICS


@numba.njit(cache=True)
def project_one(
    point: F, rotation: F, centre: F, k: F, pixel: F, jac_pose: F, jac_k: F, jac_point: F
) -> float:
    """Depth of one point; fills pixel (2), and its derivatives (2, 6), (2, 12) and (2, 3).

    Nothing is filled when the depth is not positive.
    """
    dx, dy, dz = point[0] - centre[0], point[1] - centre[1], point[2] - centre[2]
    xc = rotation[0, 0] * dx + rotation[0, 1] * dy + rotation[0, 2] * dz
    yc = rotation[1, 0] * dx + rotation[1, 1] * dy + rotation[1, 2] * dz
    zc = rotation[2, 0] * dx + rotation[2, 1] * dy + rotation[2, 2] * dz
    if zc <= 1e-9:
        return zc
    x, y = xc / zc, yc / zc
    r2 = x * x + y * y
    top = 1.0 + r2 * (k[4] + r2 * (k[5] + r2 * k[8]))
    bottom = 1.0 + r2 * (k[9] + r2 * (k[10] + r2 * k[11]))
    radial = top / bottom
    d_top = k[4] + r2 * (2.0 * k[5] + 3.0 * r2 * k[8])
    d_bottom = k[9] + r2 * (2.0 * k[10] + 3.0 * r2 * k[11])
    d_radial = (d_top - radial * d_bottom) / bottom
    xd = x * radial + 2.0 * k[6] * x * y + k[7] * (r2 + 2.0 * x * x)
    yd = y * radial + k[6] * (r2 + 2.0 * y * y) + 2.0 * k[7] * x * y
    fx, fy = k[0], k[0] * k[1]
    pixel[0], pixel[1] = fx * xd + k[2], fy * yd + k[3]

    cross = 2.0 * x * y * d_radial + 2.0 * k[6] * x + 2.0 * k[7] * y
    ux = fx * (radial + 2.0 * x * x * d_radial + 2.0 * k[6] * y + 6.0 * k[7] * x)
    uy = fx * cross
    vx = fy * cross
    vy = fy * (radial + 2.0 * y * y * d_radial + 6.0 * k[6] * y + 2.0 * k[7] * x)
    _intrinsics_row(k, x, y, r2, xd, yd, bottom, radial, jac_k)
    for row in range(2):
        gx, gy = (ux, uy) if row == 0 else (vx, vy)
        a, b = gx / zc, gy / zc
        c = -(gx * x + gy * y) / zc
        # rotation vector w: d(point in camera) = w × point in camera
        jac_pose[row, 0] = c * yc - b * zc
        jac_pose[row, 1] = a * zc - c * xc
        jac_pose[row, 2] = b * xc - a * yc
        for axis in range(3):
            d = a * rotation[0, axis] + b * rotation[1, axis] + c * rotation[2, axis]
            jac_pose[row, 3 + axis] = -d
            jac_point[row, axis] = d
    return zc


@numba.njit(cache=True)
def _intrinsics_row(
    k: F,
    x: float,
    y: float,
    r2: float,
    xd: float,
    yd: float,
    bottom: float,
    radial: float,
    jac_k: F,
) -> None:
    """Derivatives of the pixel with respect to the twelve intrinsics."""
    fx, fy = k[0], k[0] * k[1]
    jac_k[:] = 0.0
    jac_k[0, 0], jac_k[1, 0] = xd, k[1] * yd
    jac_k[1, 1] = k[0] * yd
    jac_k[0, 2], jac_k[1, 3] = 1.0, 1.0
    jac_k[0, 6], jac_k[1, 6] = fx * 2.0 * x * y, fy * (r2 + 2.0 * y * y)
    jac_k[0, 7], jac_k[1, 7] = fx * (r2 + 2.0 * x * x), fy * 2.0 * x * y
    power = r2
    for order in range(3):
        top_column = 4 + order if order < 2 else 8
        d_top, d_bottom = power / bottom, -radial * power / bottom
        jac_k[0, top_column], jac_k[1, top_column] = fx * x * d_top, fy * y * d_top
        jac_k[0, 9 + order], jac_k[1, 9 + order] = fx * x * d_bottom, fy * y * d_bottom
        power *= r2


@numba.njit(cache=True)
def _observe(
    row: int,
    point: F,
    views: I,
    pixels: F,
    rotations: F,
    centres: F,
    intrinsics: F,
    view_camera: I,
    buffers: Buffers,
    residual: F,
) -> bool:
    """Projects observation `row`; fills the residual (observed - projected).  False if behind."""
    pixel, jac_pose, jac_k, jac_point = buffers
    view = views[row]
    depth = project_one(
        point, rotations[view], centres[view], intrinsics[view_camera[view]],
        pixel, jac_pose, jac_k, jac_point,
    )  # fmt: skip
    if depth <= 1e-9:
        return False
    residual[0] = pixels[row, 0] - pixel[0]
    residual[1] = pixels[row, 1] - pixel[1]
    return True


@numba.njit(cache=True)
def _gather(
    view: int,
    camera: int,
    free_columns: I,
    pose_column: I,
    jac_pose: F,
    jac_k: F,
    jac: F,
    columns: I,
) -> int:
    """The free part of an observation's derivatives and its columns; returns their number."""
    n = 0
    if pose_column[view] >= 0:
        for j in range(6):
            jac[0, n], jac[1, n] = jac_pose[0, j], jac_pose[1, j]
            columns[n] = pose_column[view] + j
            n += 1
    for j in range(N_INTRINSICS):
        if free_columns[camera, j] >= 0:
            jac[0, n], jac[1, n] = jac_k[0, j], jac_k[1, j]
            columns[n] = free_columns[camera, j]
            n += 1
    return n


@numba.njit(cache=True)
def _buffers() -> Buffers:
    return np.zeros(2), np.zeros((2, 6)), np.zeros((2, N_INTRINSICS)), np.zeros((2, 3))


@numba.njit(cache=True)
def residuals(
    points: F,
    offsets: I,
    views: I,
    pixels: F,
    rotations: F,
    centres: F,
    intrinsics: F,
    view_camera: I,
) -> F:
    """(m, 2) observed minus projected pixels; NaN behind a camera."""
    out = np.full((len(views), 2), np.nan)
    buffers = _buffers()
    residual = np.zeros(2)
    for p in range(len(points)):
        for row in range(offsets[p], offsets[p + 1]):
            if _observe(
                row, points[p], views, pixels, rotations, centres, intrinsics, view_camera,
                buffers, residual,
            ):  # fmt: skip
                out[row, 0], out[row, 1] = residual[0], residual[1]
    return out


@numba.njit(cache=True)
def _inverse3(m: F, out: F) -> bool:
    """The inverse of a symmetric positive (3, 3) matrix; False when it is singular."""
    a, b, c, d, e, f = m[0, 0], m[0, 1], m[0, 2], m[1, 1], m[1, 2], m[2, 2]
    ca, cb, cc = d * f - e * e, c * e - b * f, b * e - c * d
    det = a * ca + b * cb + c * cc
    scale = a * d * f
    if not det > 1e-14 * scale or not scale > 0.0:
        return False
    out[0, 0], out[0, 1], out[0, 2] = ca / det, cb / det, cc / det
    out[1, 0], out[1, 1], out[1, 2] = out[0, 1], (a * f - c * c) / det, (b * c - a * e) / det
    out[2, 0], out[2, 1], out[2, 2] = out[0, 2], out[1, 2], (a * d - b * b) / det
    return True


@numba.njit(cache=True)
def _point_block(
    p: int,
    points: F,
    offsets: I,
    views: I,
    pixels: F,
    weights: F,
    rotations: F,
    centres: F,
    intrinsics: F,
    view_camera: I,
    free_columns: I,
    pose_column: I,
    buffers: Buffers,
    jacs: F,
    crosses: F,
    columns: I,
    counts: I,
    used: I,
    hess: F,
    grad: F,
) -> int:
    """One point's own normal block and its coupling to the cameras; returns its rows used."""
    _, jac_pose, jac_k, jac_point = buffers
    residual = np.zeros(2)
    hess[:] = 0.0
    grad[:] = 0.0
    n_rows = 0
    for row in range(offsets[p], offsets[p + 1]):
        w = weights[row]
        if w <= 0.0 or not _observe(
            row, points[p], views, pixels, rotations, centres, intrinsics, view_camera,
            buffers, residual,
        ):  # fmt: skip
            continue
        n = _gather(
            views[row], view_camera[views[row]], free_columns, pose_column,
            jac_pose, jac_k, jacs[n_rows], columns[n_rows],
        )  # fmt: skip
        counts[n_rows], used[n_rows] = n, row
        for i in range(3):
            grad[i] += w * (jac_point[0, i] * residual[0] + jac_point[1, i] * residual[1])
            for j in range(3):
                hess[i, j] += w * (
                    jac_point[0, i] * jac_point[0, j] + jac_point[1, i] * jac_point[1, j]
                )
            for a in range(n):
                crosses[n_rows, a, i] = w * (
                    jacs[n_rows, 0, a] * jac_point[0, i] + jacs[n_rows, 1, a] * jac_point[1, i]
                )
        jacs[n_rows, 2, 0], jacs[n_rows, 2, 1] = residual[0], residual[1]
        n_rows += 1
    return n_rows


@numba.njit(cache=True)
def reduced_system(
    points: F,
    offsets: I,
    views: I,
    pixels: F,
    weights: F,
    rotations: F,
    centres: F,
    intrinsics: F,
    view_camera: I,
    free_columns: I,
    pose_column: I,
    n_columns: int,
    damping: float,
) -> tuple[F, F]:
    """The cameras' normal matrix (n, n) and right side (n,) with every point eliminated.

    weights : (m,) inverse variances; 0 leaves an observation out.
    damping : factor by which each point block's diagonal is raised (Levenberg-Marquardt).
    """
    matrix, right = np.zeros((n_columns, n_columns)), np.zeros(n_columns)
    longest = 1
    for p in range(len(points)):
        longest = max(longest, offsets[p + 1] - offsets[p])
    buffers = _buffers()
    jacs, crosses = np.zeros((longest, 3, MAX_FREE)), np.zeros((longest, MAX_FREE, 3))
    columns = np.zeros((longest, MAX_FREE), np.int64)
    counts, used = np.zeros(longest, np.int64), np.zeros(longest, np.int64)
    hess, inverse, grad = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3)
    solved = np.zeros((MAX_FREE, 3))
    for p in range(len(points)):
        n_rows = _point_block(
            p, points, offsets, views, pixels, weights, rotations, centres, intrinsics,
            view_camera, free_columns, pose_column, buffers, jacs, crosses, columns, counts,
            used, hess, grad,
        )  # fmt: skip
        if n_rows < 2:
            continue
        for i in range(3):
            hess[i, i] *= 1.0 + damping
        if not _inverse3(hess, inverse):
            continue
        for s in range(n_rows):
            w = weights[used[s]]
            for a in range(counts[s]):
                ja0, ja1 = jacs[s, 0, a], jacs[s, 1, a]
                right[columns[s, a]] += w * (ja0 * jacs[s, 2, 0] + ja1 * jacs[s, 2, 1])
                for b in range(counts[s]):
                    matrix[columns[s, a], columns[s, b]] += (
                        0.5 * w * (ja0 * jacs[s, 0, b] + ja1 * jacs[s, 1, b])
                    )
                for i in range(3):
                    solved[a, i] = (
                        crosses[s, a, 0] * inverse[0, i]
                        + crosses[s, a, 1] * inverse[1, i]
                        + crosses[s, a, 2] * inverse[2, i]
                    )
                right[columns[s, a]] -= (
                    solved[a, 0] * grad[0] + solved[a, 1] * grad[1] + solved[a, 2] * grad[2]
                )
            for t in range(s, n_rows):
                factor = 0.5 if t == s else 1.0
                for a in range(counts[s]):
                    s0, s1, s2 = factor * solved[a, 0], factor * solved[a, 1], factor * solved[a, 2]
                    at = columns[s, a]
                    for b in range(counts[t]):
                        matrix[at, columns[t, b]] -= (
                            s0 * crosses[t, b, 0] + s1 * crosses[t, b, 1] + s2 * crosses[t, b, 2]
                        )
    # Blocks of two observations were added once, the diagonal ones by half.
    return matrix + matrix.T, right


@numba.njit(cache=True)
def point_steps(
    points: F,
    offsets: I,
    views: I,
    pixels: F,
    weights: F,
    rotations: F,
    centres: F,
    intrinsics: F,
    view_camera: I,
    free_columns: I,
    pose_column: I,
    camera_step: F,
    damping: float,
) -> F:
    """(p, 3) steps of the eliminated points for a step of the cameras (back-substitution)."""
    steps = np.zeros((len(points), 3))
    longest = 1
    for p in range(len(points)):
        longest = max(longest, offsets[p + 1] - offsets[p])
    buffers = _buffers()
    jacs, crosses = np.zeros((longest, 3, MAX_FREE)), np.zeros((longest, MAX_FREE, 3))
    columns = np.zeros((longest, MAX_FREE), np.int64)
    counts, used = np.zeros(longest, np.int64), np.zeros(longest, np.int64)
    hess, inverse, grad = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3)
    for p in range(len(points)):
        n_rows = _point_block(
            p, points, offsets, views, pixels, weights, rotations, centres, intrinsics,
            view_camera, free_columns, pose_column, buffers, jacs, crosses, columns, counts,
            used, hess, grad,
        )  # fmt: skip
        if n_rows < 2:
            continue
        for i in range(3):
            hess[i, i] *= 1.0 + damping
        if not _inverse3(hess, inverse):
            continue
        for s in range(n_rows):
            for a in range(counts[s]):
                for i in range(3):
                    grad[i] -= crosses[s, a, i] * camera_step[columns[s, a]]
        for i in range(3):
            steps[p, i] = (
                inverse[i, 0] * grad[0] + inverse[i, 1] * grad[1] + inverse[i, 2] * grad[2]
            )
    return steps


@numba.njit(cache=True)
def jacobians(
    points: F, rows_point: I, views: I, rotations: F, centres: F, intrinsics: F, view_camera: I
) -> tuple[F, F]:
    """Pixels (m, 2) and derivatives (m, 2, 6 + 12 + 3) of single observations.

    rows_point : (m,) index of each observation's point.  Rows behind a camera are NaN.
    """
    m = len(rows_point)
    pixels, jac = np.full((m, 2), np.nan), np.full((m, 2, MAX_FREE + 3), np.nan)
    pixel, jac_pose, jac_k, jac_point = _buffers()
    for row in range(m):
        view = views[row]
        depth = project_one(
            points[rows_point[row]], rotations[view], centres[view],
            intrinsics[view_camera[view]], pixel, jac_pose, jac_k, jac_point,
        )  # fmt: skip
        if depth <= 1e-9:
            continue
        pixels[row] = pixel
        jac[row, :, :6] = jac_pose
        jac[row, :, 6:MAX_FREE] = jac_k
        jac[row, :, MAX_FREE:] = jac_point
    return pixels, jac


@numba.njit(cache=True, fastmath=True)
def cholesky(matrix: F) -> bool:
    """Overwrites the lower triangle with its Cholesky factor; False when not positive definite.

    For the few hundred unknowns of a usual network this takes milliseconds on one core, where a
    threaded LAPACK spends most of its time waiting for its threads on a busy machine.
    """
    for i in range(len(matrix)):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= matrix[i, k] * matrix[j, k]
            if j < i:
                matrix[i, j] = total / matrix[j, j]
            elif total > 0.0:
                matrix[i, i] = np.sqrt(total)
            else:
                return False
    return True


@numba.njit(cache=True)
def solve_factored(factor: F, right: F) -> F:
    """The solution for a factor from `cholesky`."""
    n = len(factor)
    x = right.copy()
    for i in range(n):
        for k in range(i):
            x[i] -= factor[i, k] * x[k]
        x[i] /= factor[i, i]
    for i in range(n - 1, -1, -1):
        x[i] /= factor[i, i]
        for k in range(i):
            x[k] -= factor[i, k] * x[i]
    return x
