"""Loops over single pixels say what the array operations say that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from droneteam.photogrammetry.dense import pixel_kernels

Run = Callable[[Any], Any]


@pytest.fixture(params=["compiled", "plain"])
def run(request: pytest.FixtureRequest) -> Run:
    """The compiled kernel, or the Python behind it."""
    return (lambda kernel: kernel) if request.param == "compiled" else lambda kernel: kernel.py_func


def moments(image: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    side = (window, window)
    return cv2.boxFilter(image, cv2.CV_32F, side), cv2.sqrBoxFilter(image, cv2.CV_32F, side)


def test_levels_are_those_of_the_formula(run: Run) -> None:
    image = np.random.default_rng(4).uniform(0.0, 255.0, (30, 40)).astype(np.float32)
    mean, square = moments(image, 15)
    spread = np.sqrt(np.maximum(square.astype(float) - mean.astype(float) ** 2, 0.0))
    wanted = np.clip((image - mean) * 40.0 / (spread + 8.0) + 128.0, 0, 255)
    found = run(pixel_kernels.levelled)(image, mean, square, 8.0, 40.0)
    assert found.dtype == np.uint8
    assert np.abs(found - np.floor(wanted)).max() <= 1
    assert np.mean(found != np.floor(wanted)) < 0.01


def test_disparities_that_lead_to_nothing_are_cleared(run: Run) -> None:
    right_seen = np.array([[True, True, False, True, True]])
    disparity = np.array([[1.0, 0.4, 0.0, np.nan, 2.4]], np.float32)
    run(pixel_kernels.clear_unseen)(disparity, right_seen)
    # Beyond the left edge; column 1; column 2, which is not seen; unknown; nearest to column 2.
    assert np.isnan(disparity).tolist() == [[True, False, True, True, True]]


def test_codes_are_whole_steps_and_silence_beyond_them(run: Run) -> None:
    inverse = np.array([[0.1, 0.2, 0.29995, 0.05, 0.35, np.nan]], np.float32)
    sigma = np.full_like(inverse, 0.01)
    codes, steps = run(pixel_kernels.encoded)(inverse, sigma, 0.1, 1000 / 0.2, 1001, 40.0)
    assert codes.tolist() == [[0, 500, 1000, 1001, 1001, 1001]]
    assert steps[0, :3] == pytest.approx(40.0)  # fifty, but no more than the most that is kept
    assert not steps[0, 3:].any()
