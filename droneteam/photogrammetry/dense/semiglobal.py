"""Whole-pixel disparities of a rectified pair: semi-global matching from coarse to fine.

Semi-global matching (Hirschmueller, PAMI 2008, 30:328) through OpenCV searches every disparity of
its range at every pixel, and most of that is wasted on a road with a car on it.  The pair is
therefore matched at half size first; what that finds sets the range of each tile at full size
(the idea of Rothermel et al., LC3D 2012, by tiles instead of pixels).  Tiles also keep the
matcher's cost volume to a few megabytes whatever the photo's size.

`disparities` is the seam for another matcher: it takes a rectified pair and a range, and gives
disparities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.dense import pixel_kernels

Float32 = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Range = tuple[int, int]

NOISE_FLOOR = 2.0
"""1-sigma of a JPEG's brightness, in 8-bit steps (typical of daylight photos)."""
NORMALISED_CONTRAST = 40.0
SPECKLE_PX = 120
"""Smallest connected patch of disparities that is kept."""
COARSE_SPECKLE_PX = 50
"""At half size: smaller patches do not widen a tile's range."""
COARSE_TAIL = 0.002
"""Share of a tile's coarse disparities that is ignored at each end."""
SPECKLE_STEP_PX = 1
STRIP_ROWS = 512
"""Rows that are normalised at once."""
TILE_PX = 256
OVERLAP_PX = 24
"""Seen on every side of a tile, so that its smoothness terms know what goes on beyond."""
DIRECT_SPAN_PX = 32
"""A range this narrow is searched at once."""
MARGIN_PX = 5
"""Beyond what the coarse match found in and around a tile, both ways."""
SILENT_SHARE = 0.5
"""A tile whose coarse match is more silent than this gets the margin of an unsure one."""
UNSURE_MARGIN_PX = 16
STEP = 16
"""OpenCV's ranges are multiples of this, and its disparities in this part of a pixel."""

_MODES = {
    "3way": cv2.StereoSGBM_MODE_SGBM_3WAY,
    "5way": cv2.StereoSGBM_MODE_SGBM,
    "8way": cv2.StereoSGBM_MODE_HH,
}


@dataclass(frozen=True, slots=True)
class MatchParams:
    """How a pair is matched.

    normalise_px : window of the brightness normalisation; paths : scan lines of the semi-global
    matcher; block_px : matching window; small and large
    penalty as OpenCV's P1 and P2 per window pixel; uniqueness_percent : by how much the best
    match must beat the second; refine_half_px, weak_half_px : half window of the sub-pixel step,
    and where that finds little texture; coarse : whether ranges come from a match at half size.
    """

    normalise_px: int = 15
    paths: Literal["3way", "5way", "8way"] = "3way"
    block_px: int = 5
    small_penalty: int = 8
    large_penalty: int = 48
    uniqueness_percent: int = 5
    refine_half_px: int = 3
    weak_half_px: int = 7
    coarse: int = 1


def disparities(
    left: Float32, right: Float32, wanted: Mask, range_px: Range, how: MatchParams
) -> Float32:
    """Disparities (h, w) float32 of the left image, NaN where the match is not trusted.

    left, right : (h, w) brightness of the rectified pair; wanted : (h, w), where the left image
    shows anything; range_px : lowest and highest disparity, a multiple of 16 apart.
    """
    left8, right8 = normalise(left, how.normalise_px), normalise(right, how.normalise_px)
    if how.coarse and range_px[1] - range_px[0] > DIRECT_SPAN_PX:
        coarse = _coarse(left8, right8, range_px, how)
        size = (coarse.shape[1], coarse.shape[0])
        coarse[cv2.resize(wanted.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) == 0] = (
            np.nan
        )
    else:
        coarse = None
    found = _tiled(left8, right8, wanted, range_px, coarse, how)
    unknown = (range_px[0] - 1) * STEP
    cv2.filterSpeckles(found, unknown, SPECKLE_PX, SPECKLE_STEP_PX * STEP)
    disparity = found.astype(np.float32) / np.float32(STEP)
    disparity[found <= unknown] = np.nan
    return disparity


def normalise(image: Float32, window_px: int) -> Bytes:
    """The image with its local mean at 128 and its local contrast evened out.

    A small window also takes away what paint mirrors of the sky, which changes slowly.
    The contrast is only divided by as far as it exceeds the noise, so that a plain surface does
    not turn into amplified noise.
    """
    height = len(image)
    out = np.empty(image.shape, np.uint8)
    for top in range(0, height, STRIP_ROWS):
        bottom = min(height, top + STRIP_ROWS)
        first = max(0, top - window_px)
        strip = _normalised(image[first : min(height, bottom + window_px)], window_px)
        out[top:bottom] = strip[top - first : bottom - first]
    return out


def _normalised(image: Float32, window_px: int) -> Bytes:
    window = (window_px, window_px)
    mean = np.asarray(cv2.boxFilter(image, cv2.CV_32F, window), dtype=np.float32)
    square = np.asarray(cv2.sqrBoxFilter(image, cv2.CV_32F, window), dtype=np.float32)
    return pixel_kernels.levelled(image, mean, square, 4.0 * NOISE_FLOOR, NORMALISED_CONTRAST)


def tile_range(coarse: Float32, wanted: int, limits: Range) -> Range | None:
    """The range to search in a tile from what the coarse match found there, in full pixels.

    wanted : how many of the tile's coarse pixels show anything.  Returns None where none of them
    was matched.
    """
    known = coarse[~np.isnan(coarse)]
    if not known.size:
        return None
    ends = np.quantile(known, (COARSE_TAIL, 1.0 - COARSE_TAIL))
    margin = MARGIN_PX if known.size > SILENT_SHARE * wanted else UNSURE_MARGIN_PX
    low = max(limits[0], int(np.floor(ends[0])) - margin)
    high = min(limits[1], int(np.ceil(ends[1])) + margin)
    return low, low + STEP * max(1, -(-(high - low) // STEP))


def _coarse(left: Bytes, right: Bytes, range_px: Range, how: MatchParams) -> Float32:
    """Disparities at half the size, in full pixels; one for every two by two."""
    half = [
        np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
        for image in (left, right)
    ]
    low = range_px[0] // 2 - 1
    span = STEP * -(-(range_px[1] // 2 + 1 - low) // STEP)
    everywhere = np.ones(half[0].shape, bool)
    found = _tiled(half[0], half[1], everywhere, (low, low + span), None, how)
    unknown = (low - 1) * STEP
    cv2.filterSpeckles(found, unknown, COARSE_SPECKLE_PX, SPECKLE_STEP_PX * STEP)
    disparity = found.astype(np.float32) * np.float32(2.0 / STEP)
    disparity[found <= unknown] = np.nan
    return disparity


def _tiled(
    left: Bytes,
    right: Bytes,
    wanted: Mask,
    limits: Range,
    coarse: Float32 | None,
    how: MatchParams,
) -> NDArray[np.int16]:
    """Disparities in sixteenths, tile by tile; (lowest - 1) * 16 where there is none."""
    height, width = left.shape
    out = np.full((height, width), (limits[0] - 1) * STEP, np.int16)
    for top in range(0, height, TILE_PX):
        for edge in range(0, width, TILE_PX):
            rows = (max(0, top - OVERLAP_PX), min(height, top + TILE_PX + OVERLAP_PX))
            columns = (max(0, edge - OVERLAP_PX), min(width, edge + TILE_PX + OVERLAP_PX))
            area = (slice(*rows), slice(*columns))
            count = int(np.count_nonzero(wanted[area]))
            span: Range | None = limits if count else None
            if coarse is not None and count:
                around = coarse[rows[0] // 2 : rows[1] // 2, columns[0] // 2 : columns[1] // 2]
                span = tile_range(around, count // 4, limits)
            if span is None:
                continue
            found = _match_tile(left, right, rows, columns, span, how)
            core = found[top - rows[0] :, edge - columns[0] :][:TILE_PX, :TILE_PX]
            target = out[top : top + TILE_PX, edge : edge + TILE_PX]
            np.copyto(target, core, where=core >= span[0] * STEP)
    return out


def _match_tile(
    left: Bytes, right: Bytes, rows: Range, columns: Range, span: Range, how: MatchParams
) -> NDArray[np.int16]:
    """Sixteenths over the tile's window; what lies below `span` is unknown.

    The right image is cut shifted by the lowest disparity, so that the matcher's own range starts
    at zero and its blind columns are only as many as the span is wide.
    """
    wide = span[1] - span[0]
    first, last = columns[0] - wide, columns[1]
    a = _cut(left, rows, (first, last))
    b = _cut(right, rows, (first - span[0], last - span[0]))
    found = _matcher(wide, how).compute(a, b)[:, wide:]
    return np.where(found < 0, (span[0] - 1) * STEP, found + span[0] * STEP).astype(np.int16)


def _cut(image: Bytes, rows: Range, columns: Range) -> Bytes:
    """The window, black where it reaches beyond the image."""
    width = image.shape[1]
    inside = image[rows[0] : rows[1], max(0, columns[0]) : max(0, min(width, columns[1]))]
    before, after = max(0, -columns[0]), max(0, columns[1] - width)
    total = columns[1] - columns[0]
    if inside.shape[1] == 0:
        return np.zeros((rows[1] - rows[0], total), np.uint8)
    padded = cv2.copyMakeBorder(
        inside, 0, 0, min(before, total), min(after, total), cv2.BORDER_CONSTANT, value=0
    )
    return np.asarray(padded[:, :total], dtype=np.uint8)


def _matcher(span_px: int, how: MatchParams) -> Any:
    area = how.block_px * how.block_px
    create: Any = cv2.StereoSGBM_create  # type: ignore[attr-defined]  # absent from the stubs
    return create(
        minDisparity=0,
        numDisparities=span_px,
        blockSize=how.block_px,
        P1=how.small_penalty * area,
        P2=how.large_penalty * area,
        disp12MaxDiff=1,
        preFilterCap=31,
        uniquenessRatio=how.uniqueness_percent,
        speckleWindowSize=0,
        mode=_MODES[how.paths],
    )
