"""The sub-pixel step of stereo: one Gauss-Newton step on brightness over a plane's window.

Lucas & Kanade (IJCAI 1981) with local gain and offset.  The loops run over short stretches of a
row with one accumulator per pixel, which the compiler turns into vector instructions: eight times
as fast as a window per pixel.
"""

from __future__ import annotations

import numpy as np

from droneteam.photogrammetry.dense.kernels import F32, MIN_WINDOW, U8, compiled

STRETCH = 64
"""Pixels of a row that are worked on at once."""
NOWHERE = np.float32(1e6)
"""Stands for an unknown disparity: it departs from every window's plane."""
GREY = np.float32(128.0)
"""Taken off all brightness, which keeps sums of squares small enough for 32 bits."""
SAME_SURFACE_PX = np.float32(1.0)


@compiled
def warp_right(right: F32, disparity: F32, pad: int) -> tuple[F32, F32, F32]:
    """Disparity, warped right image and its slope along the row, each padded on every side.

    Cubic (Keys 1981) between columns.  Where the disparity is unknown or leads outside, the
    padded disparity is NOWHERE.
    """
    h, w = disparity.shape
    shape = (h + 2 * pad, w + 2 * pad + STRETCH)
    known = np.full(shape, NOWHERE, np.float32)
    warped = np.zeros(shape, np.float32)
    slope = np.zeros(shape, np.float32)
    for row in range(h):
        for column in range(w):
            d = disparity[row, column]
            x = column - d
            if not (x >= 1.0 and x < w - 2):
                continue
            base = int(x)
            t = np.float32(x - base)
            p0 = right[row, base - 1]
            p1 = right[row, base]
            p2 = right[row, base + 1]
            p3 = right[row, base + 2]
            a = np.float32(0.5) * (np.float32(3.0) * (p1 - p2) + p3 - p0)
            b = p0 - np.float32(2.5) * p1 + np.float32(2.0) * p2 - np.float32(0.5) * p3
            c = np.float32(0.5) * (p2 - p0)
            known[row + pad, column + pad] = d
            warped[row + pad, column + pad] = ((a * t + b) * t + c) * t + p1 - GREY
            slope[row + pad, column + pad] = (np.float32(3.0) * a * t + np.float32(2.0) * b) * t + c
    return known, warped, slope


@compiled
def _plane_sums(known: F32, row: int, first: int, half: int, step: int, sums: F32) -> None:
    """Sums over each window of 1, x, y, d, xx, xy, yy, xd, yd of the pixels on one surface.

    sums : (9 * STRETCH,), one stretch per sum.  One flat array, since the compiler can prove of
    fixed offsets, but not of rows, that they do not overlap.
    """
    one = np.float32(1.0)
    none = np.float32(0.0)
    sums[:] = none
    centre = known[row, first : first + STRETCH]
    for i in range(-half, half + 1, step):
        y = np.float32(i)
        for j in range(-half, half + 1, step):
            x = np.float32(j)
            there = known[row + i, first + j : first + j + STRETCH]
            for t in range(STRETCH):
                d = there[t] - centre[t]
                same = abs(d) <= SAME_SURFACE_PX
                m = one if same else none
                md = d if same else none
                sums[t] += m
                sums[STRETCH + t] += m * x
                sums[2 * STRETCH + t] += m * y
                sums[3 * STRETCH + t] += md
                sums[4 * STRETCH + t] += m * (x * x)
                sums[5 * STRETCH + t] += m * (x * y)
                sums[6 * STRETCH + t] += m * (y * y)
                sums[7 * STRETCH + t] += md * x
                sums[8 * STRETCH + t] += md * y


@compiled
def _planes(sums: F32, plane: F32) -> None:
    """Slopes along x and y and level of each window's plane about its centre; NaN where thin.

    sums : as `_plane_sums` gives them; plane : (3 * STRETCH,).
    """
    for t in range(STRETCH):
        n, sx, sy, sd = sums[t], sums[STRETCH + t], sums[2 * STRETCH + t], sums[3 * STRETCH + t]
        plane[t] = plane[STRETCH + t] = plane[2 * STRETCH + t] = np.nan
        if n < MIN_WINDOW:
            continue
        cxx = sums[4 * STRETCH + t] - sx * sx / n
        cxy = sums[5 * STRETCH + t] - sx * sy / n
        cyy = sums[6 * STRETCH + t] - sy * sy / n
        cxd = sums[7 * STRETCH + t] - sx * sd / n
        cyd = sums[8 * STRETCH + t] - sy * sd / n
        determinant = cxx * cyy - cxy * cxy
        if determinant < 1e-3 * n * n:
            continue
        ax = (cxd * cyy - cyd * cxy) / determinant
        ay = (cyd * cxx - cxd * cxy) / determinant
        plane[t], plane[STRETCH + t] = ax, ay
        plane[2 * STRETCH + t] = (sd - ax * sx - ay * sy) / n


@compiled
def _brightness_sums(
    left: F32, known: F32, warped: F32, slope: F32, plane: F32,
    row: int, first: int, half: int, step: int, sums: F32,
) -> None:  # fmt: skip
    """Sums of l, r, g, h, ll, rr, gg, lr, gl, gr, gh; h is the slope times the plane's miss.

    sums : (11 * STRETCH,)
    """
    none = np.float32(0.0)
    sums[:] = none
    centre = known[row, first : first + STRETCH]
    for i in range(-half, half + 1, step):
        y = np.float32(i)
        for j in range(-half, half + 1, step):
            x = np.float32(j)
            d_row = known[row + i, first + j : first + j + STRETCH]
            l_row = left[row + i, first + j : first + j + STRETCH]
            r_row = warped[row + i, first + j : first + j + STRETCH]
            g_row = slope[row + i, first + j : first + j + STRETCH]
            for t in range(STRETCH):
                d = d_row[t] - centre[t]
                same = abs(d) <= SAME_SURFACE_PX
                lv = l_row[t] if same else none
                rv = r_row[t] if same else none
                g = g_row[t] if same else none
                d = d if same else none
                h = g * (d - plane[2 * STRETCH + t] - plane[t] * x - plane[STRETCH + t] * y)
                sums[t] += lv
                sums[STRETCH + t] += rv
                sums[2 * STRETCH + t] += g
                sums[3 * STRETCH + t] += h
                sums[4 * STRETCH + t] += lv * lv
                sums[5 * STRETCH + t] += rv * rv
                sums[6 * STRETCH + t] += g * g
                sums[7 * STRETCH + t] += lv * rv
                sums[8 * STRETCH + t] += g * lv
                sums[9 * STRETCH + t] += g * rv
                sums[10 * STRETCH + t] += g * h


@compiled
def _step(n: float, s: F32, noise: float) -> tuple[float, float]:
    """The shift in disparity that makes the window's brightness equal, and its 1-sigma.

    s : (11,) as `_brightness_sums` gives them.
    """
    vl = s[4] - s[0] * s[0] / n
    vr = s[5] - s[1] * s[1] / n
    vg = s[6] - s[2] * s[2] / n
    floor = n * noise * noise
    gain = np.sqrt((vl + floor) / (vr + floor))
    pull = (s[9] - s[2] * s[1] / n) - (s[8] - s[2] * s[0] / n) / gain
    pull += s[10] - s[2] * s[3] / n
    lr = s[7] - s[0] * s[1] / n
    residual = max(vl / (gain * gain) - 2.0 * lr / gain + vr, 0.0) / n
    scatter = max(residual, 2.0 * noise * noise)
    return pull / (vg + floor), np.sqrt(scatter / max(vg, 1e-6))


@compiled
def refine_disparity(
    left: F32,
    right: F32,
    disparity: F32,
    wanted: U8,
    half: int,
    step: int,
    noise: float,
    max_step: float,
) -> tuple[F32, F32]:
    """Disparities after one step on brightness, and their 1-sigma, in pixels.

    The window follows the surface: pixels whose disparity departs by more than one from the
    centre's are left out, and the others are taken to lie on the plane through them.  What comes
    out is the plane's height at the centre at which the warped right image equals the left one;
    with little texture it tends to the plane's own.  Unlike a parabola through three matching
    costs it has no pull towards whole pixels.

    left, right : (h, w); disparity : (h, w), NaN where unknown; wanted : (h, w), 0 where nothing
    is asked for and NaN comes back; half : half the window's side; step : spacing of the pixels
    used in it; noise : 1-sigma of brightness.
    """
    h, w = disparity.shape
    refined = np.full((h, w), np.nan, np.float32)
    sigma = np.full((h, w), np.nan, np.float32)
    known, warped, slope = warp_right(right, disparity, half)
    padded = np.zeros(known.shape, np.float32)
    padded[half : half + h, half : half + w] = left - GREY
    planes = np.empty(9 * STRETCH, np.float32)
    plane = np.empty(3 * STRETCH, np.float32)
    sums = np.empty(11 * STRETCH, np.float32)
    for row in range(h):
        for first in range(0, w, STRETCH):
            width = min(STRETCH, w - first)
            any_wanted = False
            for t in range(width):
                if wanted[row, first + t] and known[row + half, first + half + t] < NOWHERE:
                    any_wanted = True
                    break
            if not any_wanted:
                continue
            _plane_sums(known, row + half, first + half, half, step, planes)
            _planes(planes, plane)
            _brightness_sums(
                padded, known, warped, slope, plane, row + half, first + half, half, step, sums
            )
            for t in range(width):
                if np.isnan(plane[2 * STRETCH + t]) or not wanted[row, first + t]:
                    continue
                if known[row + half, first + half + t] >= NOWHERE:
                    continue
                shift, spread = _step(planes[t], sums[t::STRETCH], noise)
                shift = min(max(shift + plane[2 * STRETCH + t], -max_step), max_step)
                refined[row, first + t] = disparity[row, first + t] + shift
                sigma[row, first + t] = spread
    return refined, sigma
