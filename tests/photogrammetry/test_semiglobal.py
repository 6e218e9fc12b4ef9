"""Matching from coarse to fine: what is found, where it is looked for, what stays unknown."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from droneteam.photogrammetry.dense import semiglobal
from droneteam.photogrammetry.dense.semiglobal import STEP, MatchParams, tile_range

HEIGHT, WIDTH = 300, 620
RANGE = (-30, 98)


def texture(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH + 400)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), 1.2) + 2.0 * cv2.GaussianBlur(noise, (0, 0), 4.0)
    return (128.0 + 60.0 * blurred / blurred.std() / 2.0).astype(np.float32)


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Left and right image and the true disparity: ground at -3, a plate at 60."""
    ground, plate = texture(1), texture(2)
    left, right = ground[:, 200 : 200 + WIDTH].copy(), ground[:, 197 : 197 + WIDTH].copy()
    truth = np.full((HEIGHT, WIDTH), -3.0)
    left[90:210, 250:400] = plate[90:210, 250:400]
    right[90:210, 190:340] = plate[90:210, 250:400]
    truth[90:210, 250:400] = 60.0
    return left, right, truth


@pytest.fixture(scope="module")
def found(scene) -> np.ndarray:
    left, right, _ = scene
    return semiglobal.disparities(left, right, np.ones(left.shape, bool), RANGE, MatchParams())


def test_ground_and_plate_are_both_found(scene, found) -> None:
    _, _, truth = scene
    inner = np.zeros(truth.shape, bool)
    inner[20:-20, 130:-20] = True
    inner[75:225, 180:415] = False  # edges, and ground that the plate hides from the right
    inner[105:195, 265:385] = True
    known = ~np.isnan(found[inner])
    assert known.mean() > 0.97
    assert np.mean(np.abs(found[inner][known] - truth[inner][known]) < 0.5) > 0.995


def test_what_the_right_image_does_not_show_stays_unknown(scene, found) -> None:
    """The plate stands before the ground left of it: 63 columns are in the left image alone."""
    hidden = found[110:190, 195:240]
    assert np.mean(np.isnan(hidden) | (np.abs(hidden + 3.0) > 1.0)) > 0.5
    assert np.isnan(hidden).mean() > 0.3


def test_coarse_to_fine_agrees_with_the_whole_range(scene, found) -> None:
    left, right, _ = scene
    wanted = np.ones(left.shape, bool)
    whole = semiglobal.disparities(left, right, wanted, RANGE, MatchParams(coarse=0))
    both = ~np.isnan(found) & ~np.isnan(whole)
    assert both.mean() > 0.7
    assert np.mean(np.abs(found[both] - whole[both]) < 0.5) > 0.99
    assert np.mean(np.isnan(found) & ~np.isnan(whole)) < 0.03


def test_nothing_is_matched_where_nothing_is_shown(scene) -> None:
    left, right, _ = scene
    none = semiglobal.disparities(left, right, np.zeros(left.shape, bool), RANGE, MatchParams())
    assert np.isnan(none).all()


def test_unrelated_images_give_next_to_nothing() -> None:
    """Water and mirrors look different from every place: silence, not an invented surface."""
    left, right = texture(5)[:, :WIDTH], texture(6)[:, :WIDTH]
    wanted = np.ones(left.shape, bool)
    none = semiglobal.disparities(left, right, wanted, RANGE, MatchParams())
    assert np.isnan(none).mean() > 0.85


def test_a_tiles_range_holds_what_the_coarse_match_found() -> None:
    coarse = np.full((40, 40), 3.0, np.float32)
    coarse[10:20, 10:20] = 41.5
    low, high = tile_range(coarse, coarse.size, (-64, 128))
    assert low <= 3 - semiglobal.MARGIN_PX
    assert high >= 42 + semiglobal.MARGIN_PX
    assert (high - low) % STEP == 0
    assert high - low < 42 - 3 + 2 * semiglobal.MARGIN_PX + STEP + 2


def test_an_unsure_tile_searches_wider_and_a_silent_one_not_at_all() -> None:
    coarse = np.full((40, 40), np.nan, np.float32)
    assert tile_range(coarse, coarse.size, (-64, 128)) is None
    coarse[:10] = 0.0
    low, high = tile_range(coarse, coarse.size, (-64, 128))
    assert low <= -semiglobal.UNSURE_MARGIN_PX
    assert high >= semiglobal.UNSURE_MARGIN_PX


def test_one_stray_coarse_pixel_does_not_widen_the_search() -> None:
    coarse = np.zeros((60, 60), np.float32)
    coarse[5, 5] = 90.0
    assert tile_range(coarse, coarse.size, (-64, 128))[1] < 30


def test_normalising_removes_gain_offset_and_slow_gradients() -> None:
    """What a car's paint mirrors of the sky changes slowly: it must not steer the match."""
    image = texture(3)[:, :WIDTH]
    ramp = np.linspace(0.0, 60.0, WIDTH, dtype=np.float32)[None]
    plain = semiglobal.normalise(image, 15).astype(int)
    changed = semiglobal.normalise(0.8 * image + ramp, 15).astype(int)
    assert np.mean(np.abs(plain - changed)[20:-20, 20:-20]) < 4.0
    assert plain.std() > 20.0
