"""Is a photo good enough?  Figures of one grey image, and verdicts over a set; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

GrayImage = NDArray[np.uint8]
FindingCode = Literal[
    "blurred",
    "dark",
    "bright",
    "flat",
    "near_duplicate",
    "no_position",
    "other_log",
    "rolling_shutter",
    "motion_blur",
]

REBLUR_TAPS = 9
"""Length of the low-pass filter (Crete et al. 2007, eq. 1)."""
ANALYSIS_SIDE_PX = 1600
"""Blur is judged on the middle of the photo at full size, at most this many pixels wide."""
BLUR_LIMIT = 0.62
"""Blur effect above which edges are visibly soft; sharp aerial photos lie between 0.2 and 0.45."""
BLUR_EXCESS_LIMIT = 0.12
"""How far above the set's median a photo's blur effect may lie."""
CLIPPED_LIMIT = 0.25
"""Share of black or of white pixels above which a photo counts as badly exposed."""
FLAT_CONTRAST = 2.0
"""Standard deviation in grey levels below which there is nothing to match."""
THUMBNAIL_SIDE_PX = 32
NEAR_DUPLICATE_CORRELATION = 0.995
"""Correlation of 32 × 32 thumbnails; neighbours with 90 % overlap stay below 0.97."""


@dataclass(frozen=True, slots=True, eq=False)
class Quality:
    """Figures of one photo.

    blur : blur effect, 0 sharp to 1 (Crete et al. 2007); NaN for an image without contrast
    dark, bright : share of clipped pixels; contrast : standard deviation, grey levels
    thumbnail : (32, 32) float32 of zero mean and unit length
    """

    blur: float
    dark: float
    bright: float
    contrast: float
    thumbnail: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be with a usable photo."""

    code: FindingCode
    message: str


def assess(gray: GrayImage) -> Quality:
    """The figures of a grey image (h, w) uint8."""
    small = cv2.resize(gray, (256, 256), interpolation=cv2.INTER_AREA)
    thumbnail = cv2.resize(
        gray, (THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX), interpolation=cv2.INTER_AREA
    ).astype(np.float32)
    thumbnail -= thumbnail.mean()
    length = float(np.linalg.norm(thumbnail))
    return Quality(
        blur=blur_effect(_middle(gray, ANALYSIS_SIDE_PX)),
        dark=float(np.mean(small <= 2)),
        bright=float(np.mean(small >= 253)),
        contrast=float(np.std(small)),
        thumbnail=thumbnail / length if length > 0.0 else thumbnail,
    )


def blur_effect(gray: GrayImage) -> float:
    """How little a photo changes when it is blurred once more, along its softer axis.

    F. Crete et al., "The blur effect", SPIE 6492 (2007), eq. 1-5: 0 for a sharp image, 1 for
    one that has lost all detail; independent of what is shown.  NaN without contrast.
    """
    image = gray.astype(np.float32)
    shares = []
    for axis in (0, 1):
        taps = (1, REBLUR_TAPS) if axis == 0 else (REBLUR_TAPS, 1)
        change = np.abs(np.diff(image, axis=axis))
        change_blurred = np.abs(np.diff(cv2.blur(image, taps), axis=axis))
        total = float(change.sum(dtype=np.float64))
        if total == 0.0:
            return float("nan")
        lost = float(np.maximum(0.0, change - change_blurred).sum(dtype=np.float64))
        shares.append((total - lost) / total)
    return max(shares)


def findings(qualities: Sequence[Quality]) -> list[tuple[Finding, ...]]:
    """What is wrong with each photo, on its own and against the rest of the set."""
    blurs = np.array([q.blur for q in qualities])
    typical = float(np.nanmedian(blurs)) if np.isfinite(blurs).any() else 0.0
    near = near_duplicates(qualities)
    return [_photo_findings(q, typical, near[i]) for i, q in enumerate(qualities)]


def near_duplicates(qualities: Sequence[Quality]) -> list[int | None]:
    """For each photo the index of an earlier one that shows the same, or None."""
    if not qualities:
        return []
    rows = np.stack([q.thumbnail.ravel() for q in qualities])
    earlier = np.tril(rows @ rows.T, k=-1)
    best = earlier.argmax(axis=1)
    return [
        int(best[i]) if earlier[i, best[i]] > NEAR_DUPLICATE_CORRELATION else None
        for i in range(len(qualities))
    ]


def _middle(gray: GrayImage, side_px: int) -> GrayImage:
    height, width = gray.shape
    top, left = max(0, (height - side_px) // 2), max(0, (width - side_px) // 2)
    return gray[top : top + side_px, left : left + side_px]


def _photo_findings(q: Quality, typical_blur: float, near: int | None) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if q.contrast < FLAT_CONTRAST:
        found.append(Finding("flat", "shows nothing that could be matched (uniform image)"))
    elif q.blur > BLUR_LIMIT or q.blur > typical_blur + BLUR_EXCESS_LIMIT:
        found.append(
            Finding(
                "blurred", f"is blurred (blur effect {q.blur:.2f}, the set's {typical_blur:.2f})"
            )
        )
    if q.dark > CLIPPED_LIMIT:
        found.append(Finding("dark", f"is underexposed ({q.dark:.0%} of it is black)"))
    if q.bright > CLIPPED_LIMIT:
        found.append(Finding("bright", f"is overexposed ({q.bright:.0%} of it is white)"))
    if near is not None:
        found.append(Finding("near_duplicate", f"shows the same as photo number {near + 1}"))
    return tuple(found)
