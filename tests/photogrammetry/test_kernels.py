"""The compiled loops, each against a plain oracle; the small ones without the compiler too."""

from __future__ import annotations

import numpy as np
import pytest

from droneteam.photogrammetry.dense import kernels, subpixel
from droneteam.photogrammetry.surface import raster_kernels

NAN = np.nan


def both(function):
    """The compiled function and the plain Python behind it."""
    return [pytest.param(function, id="compiled"), pytest.param(function.py_func, id="plain")]


@pytest.mark.parametrize("refine", both(subpixel.refine_disparity))
def test_a_subpixel_shift_is_found_with_its_spread(refine) -> None:
    rng = np.random.default_rng(5)
    x = np.arange(60.0)
    wave = sum(np.sin(2 * np.pi * (x[None] + p) / q) for p, q in ((3, 9.0), (1, 13.0), (7, 23.0)))
    shifted = sum(
        np.sin(2 * np.pi * (x[None] + 0.37 + p) / q) for p, q in ((3, 9.0), (1, 13.0), (7, 23.0))
    )
    left = np.repeat(30 * wave, 12, axis=0).astype(np.float32)
    right = np.repeat(30 * shifted, 12, axis=0).astype(np.float32)
    left += rng.normal(0, 1.0, left.shape).astype(np.float32)
    right += rng.normal(0, 1.0, right.shape).astype(np.float32)
    disparity = np.zeros(left.shape, np.float32)
    for _ in range(3):
        disparity, sigma = refine(
            left, right, disparity, np.ones(left.shape, np.uint8), 3, 1, 1.0, 0.75
        )
    inner = (slice(3, -3), slice(8, -8))
    error = disparity[inner] - 0.37
    assert abs(error.mean()) < 0.02
    assert 0.3 < error.std() / np.median(sigma[inner]) < 1.5


def test_brightness_gain_and_offset_do_not_move_the_match() -> None:
    x = np.arange(80.0)
    left = np.repeat(40 * np.sin(2 * np.pi * x / 17.0)[None] + 100, 15, 0).astype(np.float32)
    right = 0.7 * np.roll(left, -2, axis=1) + 25
    disparity = np.full(left.shape, 1.8, np.float32)
    everywhere = np.ones(left.shape, np.uint8)
    for _ in range(4):
        disparity, _ = subpixel.refine_disparity(
            left, right, disparity, everywhere, 3, 1, 1.0, 0.75
        )
    assert np.nanmax(np.abs(disparity[4:-4, 12:-12] - 2.0)) < 0.02


def test_a_step_never_exceeds_its_limit() -> None:
    rng = np.random.default_rng(6)
    left, right = rng.uniform(0, 255, (2, 30, 40)).astype(np.float32)
    start = np.zeros((30, 40), np.float32)
    refined, _ = subpixel.refine_disparity(
        left, right, start, np.ones((30, 40), np.uint8), 2, 1, 2.0, 0.5
    )
    assert np.nanmax(np.abs(refined)) <= 0.5 + 1e-6


def test_only_what_is_wanted_is_refined() -> None:
    rng = np.random.default_rng(6)
    left = rng.uniform(0, 255, (20, 30)).astype(np.float32)
    wanted = np.zeros((20, 30), np.uint8)
    wanted[:, 10:15] = 1
    refined, _ = subpixel.refine_disparity(
        left, left, np.zeros((20, 30), np.float32), wanted, 2, 1, 2.0, 0.5
    )
    assert np.isfinite(refined[:, 10:15]).all()
    assert np.isnan(refined[:, :10]).all()


@pytest.mark.parametrize("turn", both(kernels.seen_from_right))
def test_the_right_image_sees_the_nearest_surface(turn) -> None:
    """Ground at disparity 2, a plate at disparity 6 in columns 10 to 19."""
    disparity = np.full((1, 40), 2.0, np.float32)
    disparity[0, 10:20] = 6.0
    right, _ = turn(disparity, np.ones_like(disparity))
    assert np.all(right[0, 4:14] == 6.0)
    assert np.all(right[0, 18:37] == 2.0)
    assert np.all(np.isnan(right[0, 14:18]))  # hidden from the left image by the plate


@pytest.mark.parametrize("turn", both(kernels.seen_from_right))
def test_a_slanted_surface_keeps_its_values_between_columns(turn) -> None:
    columns = np.arange(50.0)
    disparity = (0.2 * columns + 3.0)[None].astype(np.float32)
    right, _ = turn(disparity, np.ones_like(disparity))
    x = np.arange(50)
    known = np.isfinite(right[0])
    expected = 0.2 * ((x + 3.0) / 0.8) + 3.0  # left column u with u - d(u) = x
    assert known.sum() > 25
    assert np.allclose(right[0][known], expected[known], atol=1e-4)


@pytest.mark.parametrize("merge", both(kernels.merge_hypotheses))
def test_the_larger_group_wins_and_is_averaged_by_weight(merge) -> None:
    inverse = np.array([0.100, 0.101, 0.0995, 0.2, 0.3], np.float32).reshape(5, 1, 1)
    sigma = np.array([0.001, 0.001, 0.002, 0.001, 0.001], np.float32).reshape(5, 1, 1)
    value, spread, votes = merge(inverse, sigma, 0.0)
    weights = 1 / sigma[:3, 0, 0] ** 2
    assert votes[0, 0] == 3
    assert value[0, 0] == pytest.approx(np.average(inverse[:3, 0, 0], weights=weights), rel=1e-6)
    assert spread[0, 0] == pytest.approx(weights.sum() ** -0.5, rel=1e-5)


@pytest.mark.parametrize("merge", both(kernels.merge_hypotheses))
def test_silence_stays_silence(merge) -> None:
    silent = np.full((3, 2, 2), NAN, np.float32)
    value, _, votes = merge(silent, silent, 0.0)
    assert np.isnan(value).all()
    assert not votes.any()


@pytest.mark.parametrize("normals_of", both(kernels.normals_of_inverse_depth))
def test_a_tilted_plane_has_its_normal_everywhere(normals_of) -> None:
    matrix = np.array([[100.0, 0, 20.0], [0, 110.0, 15.0], [0, 0, 1]])
    normal = np.array([0.3, -0.4, -0.866])
    normal /= np.linalg.norm(normal)
    x, y = np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5)
    rays = np.stack([(x - 20) / 100, (y - 15) / 110, np.ones_like(x)], axis=-1)
    inverse = ((rays @ normal) / -5.0).astype(np.float32)  # plane n·X = -5
    wanted = np.ones(inverse.shape, np.uint8)
    wanted[:, :5] = 0
    found = normals_of(inverse, wanted, matrix, 2, 0.05)
    assert np.allclose(found[:, 5:], normal, atol=2e-4)
    assert np.isnan(found[:, :5]).all()


BENDING_GSD_M, BENDING_DEPTH_M = 0.01, 10.0


def bends_of(bends, depth_m: np.ndarray, spread_m: float = 0.0) -> np.ndarray:
    """Bends at the pixels of a map's middle, seen from straight above, metres."""
    inverse = (1.0 / depth_m).astype(np.float32)
    row, column = (v.ravel() for v in np.mgrid[14:26, 14:26])
    scale = depth_m[row, column] ** 2
    spread, gsd = np.full(len(row), spread_m), np.full(len(row), BENDING_GSD_M)
    return np.asarray(bends(inverse, row, column, scale, spread, gsd))


@pytest.mark.parametrize("bends", both(kernels.bends))
def test_a_round_surface_bends_by_its_sagitta_and_a_plane_does_not(bends) -> None:
    """A drum of radius R: over a reach r both ways its surface falls by r²/2R, and lengthwise not
    at all; the bend is twice that over root six, for both reaches together."""
    x = (np.arange(40) - 20) * BENDING_GSD_M
    radius_m = 1.0
    drum = np.tile(BENDING_DEPTH_M + x * x / (2.0 * radius_m), (40, 1))
    expected = np.sqrt(sum((r * BENDING_GSD_M) ** 4 for r in (5, 9)) / 6.0) / radius_m
    assert np.allclose(bends_of(bends, drum), expected, rtol=0.02)
    tilted = 1.0 / (0.1 + 0.0003 * np.arange(40) + np.zeros((40, 1)))  # a plane, 1/z is linear
    assert bends_of(bends, tilted).max() < 0.01 * expected


@pytest.mark.parametrize("bends", both(kernels.bends))
def test_what_noise_explains_is_no_bend_and_an_edge_counts_so_far(bends) -> None:
    rng = np.random.default_rng(11)
    spread_m = 0.004
    noisy = BENDING_DEPTH_M + rng.normal(0.0, spread_m, (40, 40))
    assert 0.3 * spread_m < np.median(bends_of(bends, noisy, spread_m)) < 1.5 * spread_m
    assert 1.5 * spread_m < np.median(bends_of(bends, noisy, 0.1 * spread_m)) < 2.5 * spread_m
    assert np.median(bends_of(bends, noisy, 2.0 * spread_m)) < 0.3 * spread_m
    step = np.full((40, 40), BENDING_DEPTH_M)
    step[:, 20:] = BENDING_DEPTH_M - 1.0
    largest = np.sqrt(2.0) * kernels.LARGEST_BEND_GSD * BENDING_GSD_M  # both reaches meet it
    assert bends_of(bends, step).max() == pytest.approx(largest)
    near = np.full((40, 40), BENDING_DEPTH_M)
    near[:, 20 + 7 :] = NAN
    found = bends_of(bends, near).reshape(12, 12)
    unknown = kernels.UNKNOWN_BEND_GSD * BENDING_GSD_M
    assert np.allclose(found[:, -3:], np.sqrt(2.0) * unknown)
    assert np.allclose(found[:, 4:8], unknown)  # only the longer reach leads there
    assert not found[:, :4].any()


def test_the_upper_surface_is_the_upper_cluster() -> None:
    rng = np.random.default_rng(7)
    roof, road = 1.5 + rng.normal(0, 0.004, 20), rng.normal(0, 0.004, 30)
    z = np.concatenate([roof, road, [0.3, 9.0]])
    cell = np.concatenate([np.zeros(50), [2, -1]]).astype(np.int32)  # the last lies in no cell
    height, sigma = raster_kernels.upper_surface(
        cell, z, np.full(52, 0.004, np.float32), 4, 0.85, 0.02
    )
    assert height[0] == pytest.approx(1.5, abs=0.004)
    assert height[2] == pytest.approx(0.3)
    assert np.isnan(height[[1, 3]]).all()
    assert np.isnan(sigma[1])


@pytest.mark.parametrize("fill", both(raster_kernels.fill_gaps))
def test_a_gap_beside_a_wall_is_filled_from_below(fill) -> None:
    height = np.zeros((9, 12), np.float32)
    height[:, 8:] = 1.0
    height[3:6, 4:8] = NAN
    filled = fill(height, 4, 0.05)
    assert np.all(filled[3:6, 4:8] == 0.0)


@pytest.mark.parametrize("fill", both(raster_kernels.fill_gaps))
def test_nothing_grows_beyond_the_outline(fill) -> None:
    height = np.full((12, 12), NAN, np.float32)
    height[3:9, 3:9] = 2.0
    filled = fill(height, 3, 0.05)
    assert np.array_equal(np.isfinite(filled), np.isfinite(height))


def test_a_gap_wider_than_allowed_stays_open_in_the_middle() -> None:
    height = np.zeros((40, 40), np.float32)
    height[10:30, 10:30] = NAN
    filled = raster_kernels.fill_gaps(height, 3, 0.05)
    assert np.isnan(filled[19:21, 19:21]).all()


@pytest.mark.parametrize("drop", both(raster_kernels.drop_spikes))
def test_a_lone_spike_goes_and_a_post_of_cells_stays(drop) -> None:
    height = np.zeros((12, 12), np.float32)
    height[3, 3] = 5.0
    height[7:9, 7:9] = 5.0
    drop(height, 0.01)
    assert np.isnan(height[3, 3])
    assert np.all(height[7:9, 7:9] == 5.0)


@pytest.mark.parametrize("sees", both(raster_kernels.sees))
@pytest.mark.parametrize(
    ("slope", "expected"), [(0.2, False), (0.45, False), (0.55, True), (2.0, True)]
)
def test_a_wall_hides_what_lies_below_its_shadow_line(sees, slope, expected) -> None:
    """A wall 5 m high, 10 cells away with cells of 1 m: hidden below a slope of one half."""
    height = np.zeros((40, 60), np.float32)
    height[:, 30] = 5.0
    maxima = raster_kernels.block_maxima(height)
    seen = sees(height, maxima, 5.0, 20.0, 20.5, 0.0, 1.0, 0.0, slope, 0.01)
    assert seen is expected or bool(seen) == expected


def test_bilinear_reads_a_plane_exactly_and_nan_outside() -> None:
    y, x = np.mgrid[0:5, 0:7]
    plane = (2.0 * x - 3.0 * y).astype(np.float32)
    found = raster_kernels.bilinear(plane, np.array([1.25, 6.0, -0.1]), np.array([3.5, 4.0, 1.0]))
    assert found[:2] == pytest.approx([2.5 - 10.5, 12.0 - 12.0])
    assert np.isnan(found[2])
