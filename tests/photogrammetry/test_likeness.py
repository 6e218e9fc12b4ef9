"""Tie points whose neighbours err alike count for less, and the intervals say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.geo import EnuFrame
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.likeness import CELLS, FEWEST, likeness
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import HEIGHT_PX, ORIGIN, Network, photo_inputs, sfm_result

VIEWS, PER_VIEW = 12, 1200
SIZES = np.tile([1600.0, 1200.0], (VIEWS, 1))
RTK = (0.02, 0.02, 0.03)
NOISE_PX = 0.3


def scattered(seed: int) -> tuple[np.ndarray, FloatArray, FloatArray]:
    """Views, pixels and independent unit errors of many observations."""
    rng = np.random.default_rng(seed)
    views = np.repeat(np.arange(VIEWS), PER_VIEW)
    pixels = rng.uniform(0.0, 1.0, (len(views), 2)) * SIZES[0]
    return views, pixels, rng.normal(size=(len(views), 2))


@pytest.mark.parametrize("seed", range(4))
def test_independent_errors_count_in_full(seed: int) -> None:
    views, pixels, errors = scattered(seed)
    assert 1.0 <= likeness(errors, views, pixels, SIZES) < 1.12


@pytest.mark.parametrize("shared", [0.2, 0.5, 1.0])
def test_a_shared_error_of_each_cell_gives_the_variance_of_the_mean(shared: float) -> None:
    """Brute force: the mean of a cell's n errors has the variance s² + 1/n, not (s² + 1)/n."""
    views, pixels, errors = scattered(5)
    cell = np.floor(pixels / SIZES[0] * CELLS).astype(int)
    common = np.random.default_rng(6).normal(0.0, shared, (VIEWS, *CELLS, 2))
    errors = errors + common[views, cell[:, 0], cell[:, 1]]
    n = PER_VIEW / (CELLS[0] * CELLS[1])
    expected = n * (shared**2 + 1.0 / n) / (shared**2 + 1.0)
    assert likeness(errors, views, pixels, SIZES) == pytest.approx(expected, rel=0.2)


def test_blunders_are_no_pattern() -> None:
    views, pixels, errors = scattered(7)
    errors[::50] += 300.0 * np.random.default_rng(8).normal(size=errors[::50].shape)
    errors[3] = np.nan
    assert 1.0 <= likeness(errors, views, pixels, SIZES) < 1.15


def test_too_few_to_tell_count_in_full() -> None:
    nothing = likeness(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros((0, 2)), SIZES)
    few = np.ones((FEWEST - 1, 2))
    assert nothing == 1.0
    assert likeness(few, np.zeros(len(few), np.int64), few, SIZES) == 1.0


def jerked(seed: int) -> Network:
    """A block and a ring whose photos were read row by row while the drone was tossed about."""
    truth = networks.network(
        networks.block_poses() + networks.orbit_poses(6), n_points=400, seed=seed
    )
    rng = np.random.default_rng(seed)
    pixels = truth.pixels.copy()
    for index, view in enumerate(truth.views):
        travel_m = np.append(rng.normal(0.0, 0.12, 2), 0.0)
        share = np.nan_to_num(pixels[index][:, 1]) / HEIGHT_PX - 0.5
        pixels[index] = networks.project(view, truth.points - share[:, None] * travel_m)
    return replace(truth, pixels=pixels, visible=np.isfinite(pixels[..., 0]))


def solved(truth: Network) -> CameraNetwork:
    return adjust(
        sfm_result(truth, noise_px=NOISE_PX, seed=1), photo_inputs(truth, sigma_m=RTK, seed=2)
    )


def normalised_centres(net: CameraNetwork, truth: Network) -> float:
    """RMS error of the projection centres over their stated deviations."""
    assert net.frame.origin is not None
    assert net.covariance is not None
    here, there = EnuFrame(net.frame.origin), EnuFrame(ORIGIN)
    centres = here.geodetic_from_enu(np.array([v.centre_enu_m for v in net.views]))
    errors = there.enu_from_geodetic(centres) - [v.centre_enu_m for v in truth.views]
    at = net.covariance.pose_columns[:, None] + 3 + np.arange(3)
    sigma = np.sqrt(np.diag(net.covariance.matrix))[at]
    return float(np.sqrt(np.mean((errors / sigma) ** 2)))


def told(net: CameraNetwork) -> list[str]:
    return [text for text in net.accuracy.warnings if "err alike" in text]


@pytest.mark.slow
def test_an_unstated_movement_is_told_and_widens_what_is_stated() -> None:
    truth = jerked(4)
    net = solved(truth)
    (said,) = told(net)
    assert known(said)
    assert 0.3 < normalised_centres(net, truth) < 2.0  # 5.5 when each counts for itself


def test_a_sound_network_is_not_accused() -> None:
    truth = networks.network(networks.block_poses() + networks.orbit_poses(6), n_points=400, seed=4)
    net = solved(truth)
    assert told(net) == []
    assert 0.2 < normalised_centres(net, truth) < 1.6
