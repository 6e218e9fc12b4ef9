"""A shape that a network holds badly is said beside the verdict on its depth; a firm one is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.held_shape import shape_sigma, weakness
from droneteam.photogrammetry.scene import CameraNetwork
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known

RTK = (0.015, 0.015, 0.03)


def flown(poses: list[np.ndarray], sigma_m: tuple[float, float, float], seed: int) -> CameraNetwork:
    truth = networks.network(poses, n_points=120, seed=seed)
    photos = networks.photo_inputs(truth, sigma_m=sigma_m, seed=seed + 1)
    return adjust(networks.sfm_result(truth, noise_px=0.4, seed=seed + 2), photos)


@pytest.fixture(scope="module")
def firm() -> CameraNetwork:
    return flown(networks.block_poses() + networks.orbit_poses(n=6), RTK, seed=3)


def test_a_block_with_a_ring_holds_its_shape_within_pixels(firm: CameraNetwork) -> None:
    found = shape_sigma(firm)
    assert found is not None
    sigma_m, pixel_m = found
    assert pixel_m == pytest.approx(30.0 / 1400.0, rel=0.1)
    assert (sigma_m > 1e-4).all()
    assert sigma_m.max() < pixel_m
    assert weakness(firm) is None


def with_mode(net: CameraNetwork, mode: np.ndarray) -> CameraNetwork:
    """The network whose cameras are uncertain by one displacement of all of them alone."""
    assert net.covariance is not None
    return replace(net, covariance=replace(net.covariance, matrix=np.outer(mode, mode)))


def test_an_unknown_scale_moves_points_by_their_distance_from_the_middle(
    firm: CameraNetwork,
) -> None:
    """All centres 2 % farther from the origin: the photos see the same, and so is each point."""
    assert firm.covariance is not None
    mode = np.zeros(len(firm.covariance.matrix))
    for view, column in zip(firm.views, firm.covariance.pose_columns, strict=True):
        mode[column + 3 : column + 6] = 0.02 * view.centre_enu_m
    found = shape_sigma(with_mode(firm, mode))
    assert found is not None
    points = firm.sparse.points_enu_m
    off = 0.02 * np.abs(points - points.mean(axis=0))
    np.testing.assert_allclose(found[0], np.median(off, axis=0), rtol=0.35, atol=0.002)
    assert found[0][0] > 0.05


@pytest.mark.parametrize(("axis", "words"), [(0, "from east to west"), (1, "from north to south")])
def test_a_shape_that_is_known_to_many_pixels_is_said_with_its_direction(
    firm: CameraNetwork, axis: int, words: str
) -> None:
    """The cameras slide along one axis by a fifth of their place along it."""
    assert firm.covariance is not None
    mode = np.zeros(len(firm.covariance.matrix))
    for view, column in zip(firm.views, firm.covariance.pose_columns, strict=True):
        mode[column + 3 + axis] = 0.2 * view.centre_enu_m[axis]
    said = weakness(with_mode(firm, mode))
    assert said is not None
    assert words in said
    assert known(said)
    assert known(said.replace(words, "in height"))


def test_an_open_depth_and_plain_gnss_are_said_elsewhere(firm: CameraNetwork) -> None:
    assert firm.covariance is not None
    bad = replace(firm.covariance, matrix=1e4 * firm.covariance.matrix)
    loose = replace(firm, covariance=bad)
    assert weakness(loose) is not None
    opened = replace(firm.accuracy, vertical_scale_determined=False)
    assert weakness(replace(loose, accuracy=opened)) is None
    assert weakness(replace(loose, accuracy=replace(firm.accuracy, scale_source="gnss"))) is None
    assert weakness(replace(firm, covariance=None)) is None
