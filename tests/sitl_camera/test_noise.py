from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sitl.noise import box_cover, hash01, octave, smooth, stripe_cover, value_noise

PLACE = st.floats(-500.0, 500.0)
WIDTH = st.floats(1e-4, 3.0)


@given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40), st.integers(0, 2**31))
def test_hashes_lie_in_the_unit_interval_and_repeat(i: int, j: int, seed: int) -> None:
    value = hash01(i, j, seed)
    assert 0.0 <= value < 1.0
    assert value == hash01(i, j, seed)


def test_hashes_of_neighbours_are_unrelated() -> None:
    grid = np.array([[hash01(i, j, 1) for j in range(60)] for i in range(60)])
    assert grid.mean() == pytest.approx(0.5, abs=0.02)
    for shifted in (grid[1:], grid[:, 1:]):
        original = grid[: shifted.shape[0], : shifted.shape[1]]
        assert abs(np.corrcoef(original.ravel(), shifted.ravel())[0, 1]) < 0.05


@given(PLACE, PLACE)
def test_noise_is_bounded_and_continuous(x: float, y: float) -> None:
    value = value_noise(x, y, 3)
    assert -1.0 <= value <= 1.0
    assert abs(value_noise(x + 1e-6, y, 3) - value) < 1e-4


def test_an_octave_finer_than_the_footprint_is_gone() -> None:
    assert octave(0.37, 1.21, 0.010, 0.020, 5) == 0.0
    assert octave(0.37, 1.21, 0.010, 0.002, 5) != 0.0


@given(st.floats(-3.0, 3.0), WIDTH)
def test_box_cover_is_the_overlap(x: float, width: float) -> None:
    samples = x + width * ((np.arange(4000) + 0.5) / 4000 - 0.5)
    expected = float(((samples > -0.4) & (samples < 0.7)).mean())
    assert box_cover(x, -0.4, 0.7, width) == pytest.approx(expected, abs=2e-3)


@given(st.floats(-3.0, 3.0), WIDTH)
def test_stripe_cover_is_the_share_on_the_lines(x: float, width: float) -> None:
    samples = x + width * ((np.arange(8000) + 0.5) / 8000 - 0.5)
    expected = float((np.mod(samples, 0.3) < 0.05).mean())
    assert stripe_cover(x, 0.3, 0.05, width) == pytest.approx(expected, abs=3e-3)


def test_smooth_runs_from_nought_to_one() -> None:
    assert [smooth(1.0, 3.0, x) for x in (0.0, 1.0, 2.0, 3.0, 4.0)] == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_kernels_give_the_same_without_the_compiler() -> None:
    for x, y in ((0.3, -0.8), (12.4, 7.7), (-301.2, 44.0)):
        assert box_cover.py_func(x, 0.0, 1.0, 0.4) == box_cover(x, 0.0, 1.0, 0.4)  # type: ignore[attr-defined]
        assert smooth.py_func(0.0, y, x) == pytest.approx(smooth(0.0, y, x))  # type: ignore[attr-defined]
