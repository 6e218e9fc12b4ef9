"""One pair's say about one photo, on disk in 4 bytes a pixel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from droneteam.photogrammetry.dense import pixel_kernels
from droneteam.photogrammetry.dense.stereo import Hypothesis

_CODES = 65534
_SILENT = 65535
_MAX_SIGMA_STEPS = 60_000.0


def save(path: Path, hypothesis: Hypothesis | None, limits: tuple[float, float]) -> None:
    """Writes a hypothesis in 4 bytes a pixel: 16 bits of inverse depth and half-float sigma.

    A step is 1/65534 of the photo's range of inverse depths: a few thousandths of a pixel.
    """
    codes, sigma = np.zeros((0, 0), np.uint16), np.zeros((0, 0), np.float16)
    low, high = limits
    if hypothesis is not None and high > low:
        codes, steps = pixel_kernels.encoded(
            hypothesis.inverse_depth, hypothesis.sigma, low, _CODES / (high - low), _SILENT,
            _MAX_SIGMA_STEPS,
        )  # fmt: skip
        sigma = steps.astype(np.float16)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, codes=codes, sigma=sigma)


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A hypothesis as `save` wrote it: codes, (h, w) uint16, of inverse depths from `low` on."""

    codes: NDArray[np.uint16]
    sigma: NDArray[np.float16]
    low: float
    high: float

    def rows(self, which: slice) -> Hypothesis:
        """What it says about some of the photo's rows."""
        codes = self.codes[which]
        step = np.float32((self.high - self.low) / _CODES)
        inverse = np.float32(self.low) + codes.astype(np.float32) * step
        inverse[codes == _SILENT] = np.nan
        return Hypothesis(inverse, self.sigma[which].astype(np.float32) * step)


def load(path: Path, limits: tuple[float, float]) -> Stored | None:
    """A hypothesis that `save` wrote; None where its pair said nothing."""
    with np.load(path, allow_pickle=False) as data:
        codes, sigma = data["codes"], data["sigma"]
    return Stored(codes, sigma, *limits) if codes.size else None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to that takes `path`'s place at the end; a kill leaves the old file."""
    partial = path.with_name(path.name + ".part")
    yield partial
    partial.replace(path)
