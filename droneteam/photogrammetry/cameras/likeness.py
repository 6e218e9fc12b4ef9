"""How far neighbouring observations of a photo err alike; pure.

Least squares takes every tie point's error for its own.  What the model lacks (rows read while the
drone moved, a lens that Brown's terms do not bend enough, air over hot asphalt) shifts a whole part
of a photo together: a thousand tie points then know no more than a few, and a covariance that
counts a thousand promises too much.  The residuals show it.  Their means over cells of a photo
scatter more than independent errors allow, and the excess gives the factor by which the variance of
everything that the tie points determine is larger: the design effect of cluster sampling (Kish,
Survey Sampling, 1965, §5.4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.scene import FloatArray

CELLS = (6, 4)
"""Parts of a photo across its width and height: fine enough for what bends within a photo, coarse
enough for a mean to say something."""
FEWEST = 5
"""Residuals in a cell whose mean counts."""
TAIL_SIGMA = 3.0
"""Residuals beyond so many robust deviations count as that far: one blunder is not a pattern."""
MAD_SIGMA = 1.4826


def likeness(
    residuals_px: FloatArray,
    views: NDArray[np.int64],
    pixels_px: FloatArray,
    sizes_px: FloatArray,
) -> float:
    """Variance of what the residuals' observations determine over that with independent errors.

    residuals_px, pixels_px : (m, 2); views : (m,); sizes_px : (n, 2) width and height of each
    view's photo.  1 where errors are independent, or where too few tell.
    """
    seen = np.isfinite(residuals_px).all(axis=1)
    residuals, views, pixels = residuals_px[seen], views[seen], pixels_px[seen]
    if not len(residuals):
        return 1.0
    limit = TAIL_SIGMA * MAD_SIGMA * float(np.median(np.abs(residuals)))
    residuals = np.clip(residuals, -limit, limit)
    count, mean = _cell_means(residuals, views, pixels / sizes_px[views])
    variance = float((residuals**2).mean())
    if not len(count) or variance <= 0.0:
        return 1.0
    beyond = (mean**2).mean(axis=1) - variance / count
    together = max(0.0, float(np.average(beyond, weights=count)))
    per_cell = float(np.average(count, weights=count))
    return 1.0 + (per_cell - 1.0) * min(1.0, together / variance)


def _cell_means(
    residuals: FloatArray, views: NDArray[np.int64], place: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(c,) observations and (c, 2) mean residual of every cell that holds enough.

    place : (m, 2) of each observation in its photo, 0 to 1.
    """
    across, down = (
        np.clip((place[:, axis] * CELLS[axis]).astype(np.int64), 0, CELLS[axis] - 1)
        for axis in (0, 1)
    )
    cell = (views * CELLS[0] + across) * CELLS[1] + down
    count = np.bincount(cell)
    total = np.stack([np.bincount(cell, weights=residuals[:, axis]) for axis in (0, 1)], axis=1)
    enough = count >= FEWEST
    kept = count[enough].astype(np.float64)
    return kept, total[enough] / kept[:, None]
