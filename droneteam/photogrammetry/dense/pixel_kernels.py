"""Compiled loops over single pixels: what a chain of array operations would read and write again
and again, done in one pass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.dense.kernels import F32, U8, compiled

U16 = NDArray[np.uint16]
Flags = NDArray[np.bool_]


@compiled
def levelled(image: F32, mean: F32, square: F32, floor: float, contrast: float) -> U8:
    """Brightness as 8 bits about 128, its local contrast evened out where it exceeds `floor`.

    image : (h, w); mean, square : of the brightness and of its square over a window about each
    pixel; contrast : what a contrast far beyond the floor becomes.
    """
    out = np.empty(image.shape, np.uint8)
    least, gain = np.float32(floor), np.float32(contrast)
    low, middle_grey, high = np.float32(0.0), np.float32(128.0), np.float32(255.0)
    rows, columns = image.shape
    for row in range(rows):
        for column in range(columns):
            middle = mean[row, column]
            spread = np.sqrt(max(square[row, column] - middle * middle, low))
            grey = (image[row, column] - middle) * gain / (spread + least) + middle_grey
            out[row, column] = np.uint8(min(max(grey, low), high))
    return out


@compiled
def clear_unseen(disparity: F32, right_seen: Flags) -> None:
    """Clears disparities (h, w), in place, that lead to where the right image shows nothing."""
    rows, columns = disparity.shape
    for row in range(rows):
        for column in range(columns):
            d = disparity[row, column]
            if np.isnan(d):
                continue
            target = int(np.rint(column - d))
            if target < 0 or target >= columns or not right_seen[row, target]:
                disparity[row, column] = np.nan


@compiled
def encoded(
    inverse: F32, sigma: F32, low: float, steps_per_unit: float, silent: int, most: float
) -> tuple[U16, F32]:
    """Inverse depths in whole steps from `low` on, and their 1-sigma in steps, at most `most`.

    silent : the code of a pixel that is unknown or lies beyond the codes below it.
    """
    rows, columns = inverse.shape
    codes = np.full((rows, columns), silent, np.uint16)
    steps = np.zeros((rows, columns), np.float32)
    start, scale, last = np.float32(low), np.float32(steps_per_unit), np.float32(silent - 1)
    zero, largest = np.float32(0.0), np.float32(most)
    for row in range(rows):
        for column in range(columns):
            scaled = (inverse[row, column] - start) * scale
            if scaled >= zero and scaled <= last:
                codes[row, column] = np.uint16(np.rint(scaled))
                steps[row, column] = min(sigma[row, column] * scale, largest)
    return codes, steps
