"""What a pair says of a photo comes back from 4 bytes a pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry.dense import hypothesis_file
from droneteam.photogrammetry.dense.stereo import Hypothesis

LIMITS = (0.02, 0.4)


def test_depths_come_back_within_half_a_step_and_silence_as_silence(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    inverse = rng.uniform(*LIMITS, (40, 50)).astype(np.float32)
    inverse[rng.random(inverse.shape) < 0.3] = np.nan
    sigma = rng.uniform(1e-5, 1e-3, inverse.shape).astype(np.float32)
    hypothesis_file.save(tmp_path / "a.npz", Hypothesis(inverse, sigma), LIMITS)
    stored = hypothesis_file.load(tmp_path / "a.npz", LIMITS)
    assert stored is not None
    again = stored.rows(slice(10, 30))
    step = (LIMITS[1] - LIMITS[0]) / 65534
    known = np.isfinite(inverse[10:30])
    assert np.array_equal(np.isfinite(again.inverse_depth), known)
    assert np.abs(again.inverse_depth - inverse[10:30])[known].max() < 0.51 * step + 1e-7
    assert np.allclose(again.sigma[known], sigma[10:30][known], rtol=1e-3)
    assert (tmp_path / "a.npz").stat().st_size < 4 * inverse.size + 1000


def test_what_lies_beyond_the_limits_is_not_said(tmp_path: Path) -> None:
    inverse = np.array([[0.01, 0.1, 0.5]], np.float32)
    said = Hypothesis(inverse, np.full_like(inverse, 1e-3))
    hypothesis_file.save(tmp_path / "a.npz", said, LIMITS)
    stored = hypothesis_file.load(tmp_path / "a.npz", LIMITS)
    assert stored is not None
    assert np.isfinite(stored.rows(slice(None)).inverse_depth).tolist() == [[False, True, False]]


def test_a_pair_that_said_nothing_is_a_file_that_says_so(tmp_path: Path) -> None:
    hypothesis_file.save(tmp_path / "a.npz", None, LIMITS)
    assert hypothesis_file.load(tmp_path / "a.npz", LIMITS) is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with (  # noqa: PT012  - the failure is inside the context on purpose
        pytest.raises(RuntimeError),
        hypothesis_file.replacing(path) as partial,
    ):
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    with hypothesis_file.replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
