"""What one photo's points become when the others are asked, on maps written down by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry.dense import fuse
from droneteam.photogrammetry.dense.fuse import DepthMap
from droneteam.photogrammetry.scene import Camera, DenseCloud, View
from tests.photogrammetry.box_world import nadir

WIDTH, HEIGHT, FOCAL, DEPTH_M = 60, 40, 100.0, 10.0
GSD_M = DEPTH_M / FOCAL
CAMERA = Camera("PINHOLE", WIDTH, HEIGHT, (FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2))


def level(height_m: float = 0.0) -> DepthMap:
    """The map of level ground at a height, seen from DEPTH_M above zero."""
    inverse = np.full((HEIGHT, WIDTH), 1.0 / (DEPTH_M - height_m), np.float32)
    sigma = np.full_like(inverse, 0.05 / FOCAL / DEPTH_M)
    return DepthMap(inverse, sigma)


def silent() -> DepthMap:
    nothing = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    return DepthMap(nothing, nothing)


def fused(maps: list[DepthMap], spacing_m: float = 0.3) -> DenseCloud:
    """The cloud of photos side by side, by default a twentieth of their picture apart."""
    views = tuple(
        View(f"p{k}", Path(f"p{k}"), CAMERA, nadir((spacing_m * k, 0.0, DEPTH_M)))
        for k in range(len(maps))
    )
    partners = [[j for j in range(len(maps)) if j != i] for i in range(len(maps))]
    colours = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    return fuse.fuse(views, lambda v: maps[v], lambda _: colours, partners, 10, 3, lambda _: None)


def inner(cloud: DenseCloud) -> np.ndarray:
    """Points that all photos have in frame."""
    p = cloud.points_enu_m
    return np.asarray((p[:, 0] > 0.0) & (p[:, 0] < 2.5) & (np.abs(p[:, 1]) < 1.5))


def test_photos_that_agree_give_one_point_for_each_patch_of_ground() -> None:
    cloud = fused([level() for _ in range(5)])
    there = inner(cloud)
    assert np.abs(cloud.points_enu_m[there, 2]).max() < 1e-4
    per_cell = there.sum() * GSD_M**2 / (2.5 * 3.0)
    assert 0.9 < per_cell < 2.0  # five photos would give five


def test_stated_sigma_shrinks_with_agreement_and_never_vanishes() -> None:
    few, many = fused([level()] * 3), fused([level()] * 8)
    a, b = np.median(few.sigma_m[inner(few)]), np.median(many.sigma_m[inner(many)])
    assert 0.2 * a < b < 0.9 * a


def test_three_that_agree_lose_against_six_that_have_the_surface_elsewhere() -> None:
    """Three photos in which paint mirrors the same thing: the true surface stays alone."""
    maps = [level(-0.5)] * 3 + [level()] * 6
    cloud = fused(maps)
    heights = cloud.points_enu_m[inner(cloud), 2]
    assert len(heights) > 500
    assert np.abs(heights).max() < 0.05


def test_what_photos_disagree_about_does_not_average_out() -> None:
    """Heights spread by 0.02 m, within what still agrees: twice as many photos are no surer."""
    spread = [0.02, -0.02]
    few, many = ([level(spread[k % 2]) for k in range(n)] for n in (4, 8))
    a, b = (np.median(c.sigma_m[inner(c)]) for c in (fused(few), fused(many)))
    assert 0.02 < b < 0.06
    assert 0.8 < b / a < 1.25
    assert b > 5.0 * np.median(fused([level()] * 8).sigma_m)


def test_photos_that_see_through_a_point_make_it_less_sure() -> None:
    """One of seven sees ground two metres below what the others agree on."""
    sure = fused([level()] * 7)
    pierced = fused([*[level()] * 6, level(-2.0)])
    high = inner(pierced) & (np.abs(pierced.points_enu_m[:, 2]) < 0.1)
    assert high.sum() > 100
    share = np.sqrt(1.0 / 7.0) * fuse.CONFLICT_GSD * GSD_M
    found = np.median(pierced.sigma_m[high])
    assert 0.9 * share < found < 1.3 * share
    assert found > 3.0 * np.median(sure.sigma_m[inner(sure)])


def test_a_doubted_point_says_so_in_its_sigma() -> None:
    sure, doubted = fused([level()] * 6), fused([level()] * 6 + [level(-0.5)] * 2)
    sigma = np.median(doubted.sigma_m[inner(doubted)])
    assert sigma > 3.0 * np.median(sure.sigma_m[inner(sure)])
    assert sigma < 0.5


def test_where_most_photos_are_silent_nothing_is_claimed() -> None:
    """Water: a few photos match ripples by chance, the others find nothing there."""
    assert not inner(fused([level()] * 3 + [silent()] * 7)).any()
    assert inner(fused([level()] * 6 + [silent()] * 4)).sum() > 500


def test_two_photos_alone_are_no_witness() -> None:
    cloud = fused([level(), level(), silent()])
    assert not len(cloud.points_enu_m)


WIDE_M = 1.5
"""Spacing of photos whose rays meet at 8.5 degrees."""


def test_two_photos_under_a_good_angle_are_believed_at_the_edge_of_a_scene() -> None:
    cloud = fused([level(), level()], WIDE_M)
    inside = np.abs(cloud.points_enu_m[:, 0] - WIDE_M / 2) < 1.0
    assert np.count_nonzero(inside) > 300
    assert np.abs(cloud.points_enu_m[inside, 2]).max() < 1e-4
    assert set(cloud.n_views) == {2}


def test_what_two_photos_say_is_less_sure_than_what_three_say() -> None:
    two, three = fused([level()] * 2, WIDE_M), fused([level()] * 3, WIDE_M)
    sure = three.sigma_m[three.n_views == 3]
    assert 1.3 < np.median(two.sigma_m) / np.median(sure) < 4.0


@pytest.mark.parametrize(
    ("maps", "spacing_m", "why"),
    [
        ([level(), level()], 0.3, "rays meet at less than two degrees"),
        ([level(), level()], 11.0, "rays meet at nearly sixty degrees"),
        ([level(), level(), level(0.8)], WIDE_M, "a third has the surface elsewhere"),
        ([level(), level(), level(-2.0)], WIDE_M, "a third sees through it"),
        ([level(), level(), *[silent()] * 4], 0.6, "four others look and find nothing"),
    ],
)
def test_two_photos_are_not_believed_where(
    maps: list[DepthMap], spacing_m: float, why: str
) -> None:
    cloud = fused(maps, spacing_m)
    p = cloud.points_enu_m
    seen_by_all = (p[:, 0] > spacing_m * len(maps) - 3.5) & (p[:, 0] < 2.5)
    assert not np.count_nonzero(seen_by_all & (np.abs(p[:, 2]) < 0.1)), why


def test_two_photos_with_poor_texture_are_not_believed() -> None:
    sure = level()
    vague = DepthMap(sure.inverse_depth, sure.sigma * np.float32(20.0))
    assert len(fused([sure, sure], WIDE_M).points_enu_m)
    assert not len(fused([vague, vague], WIDE_M).points_enu_m)


@pytest.mark.parametrize(("lean_deg", "believed"), [(60.0, True), (76.0, True), (82.5, False)])
def test_two_photos_are_believed_on_a_wall_they_see_steeply_but_not_along_it(
    lean_deg: float, believed: bool
) -> None:
    """A plane that leans out of the horizontal, in two photos side by side along its foot."""
    camera = Camera("PINHOLE", 200, 40, (1000.0, 1000.0, 100.0, 20.0))
    lean = np.radians(lean_deg)
    y = (np.arange(40)[:, None] + 0.5 - 20.0) / 1000.0 + np.zeros((1, 200))
    inverse = ((np.sin(lean) * y + np.cos(lean)) / (DEPTH_M * np.cos(lean))).astype(np.float32)
    depth = DepthMap(inverse, np.full_like(inverse, 0.05 / 1000.0 / DEPTH_M))
    views = tuple(
        View(n, Path(n), camera, nadir((x, 0.0, DEPTH_M))) for n, x in (("a", 0), ("b", 1))
    )
    colours = np.full((40, 200, 3), 90, np.uint8)
    cloud = fuse.fuse(views, lambda _: depth, lambda _: colours, [[1], [0]], 10, 3, lambda _: None)
    assert (len(cloud.points_enu_m) > 500) == believed
    up = cloud.normals[:, 2]
    assert np.allclose(up, np.cos(lean), atol=0.02)


def test_rough_ground_is_less_sure_than_smooth_ground_that_photos_agree_on_as_well() -> None:
    """Waves of two pixels on the ground's height that all photos have alike: no photo's noise
    explains them, and windows would have flattened them."""
    smooth = level()
    across = np.arange(HEIGHT)[:, None] + np.zeros((1, WIDTH))
    wave_m = 0.1 * np.sin(2.0 * np.pi * across / 20.0)
    rough = DepthMap((1.0 / (DEPTH_M - wave_m)).astype(np.float32), smooth.sigma)
    sure, unsure = fused([smooth] * 6), fused([rough] * 6)
    a, b = np.median(sure.sigma_m[inner(sure)]), np.median(unsure.sigma_m[inner(unsure)])
    assert b > 3.0 * a
    assert 0.02 < b < 2.0 * GSD_M * np.sqrt(2.0)


@pytest.mark.parametrize("step_m", [1.5, 3.0])
def test_a_surface_that_others_see_through_goes(step_m: float) -> None:
    maps = [level(step_m)] * 3 + [level()] * 5
    cloud = fused(maps)
    heights = cloud.points_enu_m[inner(cloud), 2]
    assert len(heights) > 300
    assert np.abs(heights).max() < 0.05
