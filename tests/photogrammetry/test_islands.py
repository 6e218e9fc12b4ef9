"""Specks of a cloud: chance agreements go, true surfaces and true specks stay."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from droneteam.photogrammetry.dense import islands

GSD_M = 0.01
CELL_M = islands.APART_GSD * GSD_M


def patch(side: int, east_m: float, up_m: float) -> np.ndarray:
    """side × side points of a level surface, one for each pixel on the ground."""
    x, y = np.meshgrid(np.arange(side) * GSD_M, np.arange(side) * GSD_M)
    return np.column_stack([x.ravel() + east_m, y.ravel(), np.full(side * side, up_m)])


GROUND = patch(100, 0.0, 0.0)


def kept(speck: np.ndarray, sure: float) -> tuple[bool, bool]:
    """Whether sure ground, and a speck of which a share is sure, are believed; never in parts."""
    certain = np.arange(len(speck)) < sure * len(speck)
    flags = islands.believed([speck, GROUND], [certain, np.ones(len(GROUND), bool)], GSD_M)
    mine, ground = flags[: len(speck)], flags[len(speck) :]
    assert mine.all() == mine.any()
    return bool(ground.all()), bool(mine.any())


def test_a_speck_in_the_air_that_two_photos_claim_is_left_out() -> None:
    assert kept(patch(7, 0.3, 2.0), sure=0.0) == (True, False)


def test_a_speck_of_which_many_photos_are_sure_stays() -> None:
    assert kept(patch(7, 0.3, 2.0), sure=1.0) == (True, True)


@pytest.mark.parametrize(("sure", "stays"), [(0.2, False), (0.3, True)])
def test_a_few_sure_points_do_not_vouch_for_a_speck(sure: float, stays: bool) -> None:
    assert kept(patch(10, 0.3, 2.0), sure)[1] is stays


@pytest.mark.parametrize(("side", "stays"), [(10, False), (11, True)])
def test_a_surface_of_its_own_is_no_chance(side: int, stays: bool) -> None:
    """10² is 100 points, 11² is 121."""
    assert kept(patch(side, 0.3, 2.0), sure=0.0)[1] is stays


@pytest.mark.parametrize(("gap_m", "stays"), [(0.5 * CELL_M, True), (2.1 * CELL_M, False)])
def test_what_hangs_together_with_a_sure_surface_stays(gap_m: float, stays: bool) -> None:
    assert kept(patch(7, 1.0 + gap_m, 0.0), sure=0.0)[1] is stays


def test_an_unsure_patch_beside_the_ground_is_never_apart_whatever_its_direction() -> None:
    for direction in np.random.default_rng(1).normal(size=(40, 3)):
        away = direction / np.linalg.norm(direction) * 0.9 * CELL_M
        flags = islands.believed(
            [np.zeros((1, 3)) + away, np.zeros((300, 3))],
            [np.zeros(1, bool), np.ones(300, bool)],
            GSD_M,
        )
        assert flags.all()


def test_specks_are_those_that_a_search_by_distance_finds() -> None:
    """Brute force: clumps far smaller than a cell, and farther apart than two."""
    rng = np.random.default_rng(2)
    middles = rng.uniform(-3.0, 3.0, (300, 3))
    near = cKDTree(middles).query_pairs(5.0 * CELL_M)
    alone = np.setdiff1d(np.arange(300), np.array(sorted(near)).ravel())
    assert len(alone) > 100
    sizes = rng.integers(1, 400, len(alone))
    sure = rng.random(len(alone)) < 0.5
    clumps = [
        middles[k] + rng.uniform(-0.1, 0.1, (size, 3)) * CELL_M
        for k, size in zip(alone, sizes, strict=True)
    ]
    flags = islands.believed(
        clumps, [np.full(len(c), s) for c, s in zip(clumps, sure, strict=True)], GSD_M
    )
    expected = np.repeat((sizes > islands.SMALL_POINTS) | sure, sizes)
    np.testing.assert_array_equal(flags, expected)


def test_an_empty_cloud_has_no_specks() -> None:
    assert islands.believed([np.zeros((0, 3))], [np.zeros(0, bool)], GSD_M).shape == (0,)
    assert islands.believed([], [], GSD_M).shape == (0,)
