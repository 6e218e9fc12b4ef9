"""The true orthophoto: right colours from photos that really see the place, nothing invented."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from droneteam.photogrammetry.surface import ortho
from droneteam.photogrammetry.surface import rasters as surface
from droneteam.photogrammetry.surface.ortho import NO_VIEW, Ortho, orthophoto
from droneteam.photogrammetry.surface.rasters import MEASURED, NO_DATA, Grid, Raster
from tests.photogrammetry.box_world import (
    BoxWorld,
    box_scene,
    build_network,
    look_at,
    small_camera,
    strip_poses,
)


def quiet(stage: str, fraction: float, message: str) -> None:
    """A progress callback that says nothing."""


def exact_dsm(world: BoxWorld, gsd_m: float = 0.02, half_m: float = 2.0) -> Raster:
    """The world's own heights, so that only the orthophoto is under test."""
    n = round(2 * half_m / gsd_m)
    grid = Grid(-half_m, half_m, gsd_m, n, n)
    east, north = np.meshgrid(*grid.centres())
    height = world.height(east, north).astype(np.float32)
    return Raster(grid, height, np.full(height.shape, MEASURED, np.uint8),
                  np.full(height.shape, 0.01, np.float32))  # fmt: skip


def true_colours(world: BoxWorld, dsm: Raster) -> np.ndarray:
    """What a camera far above the world sees at each cell's centre."""
    east, north = np.meshgrid(*dsm.grid.centres())
    surface_points = np.column_stack([east.ravel(), north.ravel(), dsm.height_m.ravel()])
    above = np.array([0.0, 0.0, 1e5])
    return world.trace(above, surface_points - above)[1].reshape(*east.shape, 3)


@cache
def exact_ortho() -> tuple[BoxWorld, Raster, Ortho]:
    scene = box_scene()
    dsm = exact_dsm(scene.world)
    return scene.world, dsm, orthophoto(scene.network, dsm, quiet)


def test_colours_are_the_surfaces_own() -> None:
    world, dsm, picture = exact_ortho()
    truth = true_colours(world, dsm)
    seen = picture.mask != NO_DATA
    error = np.abs(picture.rgb.astype(float) - truth).mean(axis=2)
    assert seen.mean() > 0.97
    assert np.median(error[seen]) < 5.0
    shuffled = np.abs(np.roll(picture.rgb.astype(float), 25, axis=1) - truth).mean()
    assert error[seen].mean() < 0.35 * shuffled


def test_the_picture_is_not_shifted() -> None:
    """Phase correlation with the true colours is below a tenth of a cell."""
    world, dsm, picture = exact_ortho()
    truth = true_colours(world, dsm).mean(axis=2)
    ground = np.s_[10:60, 10:190]
    found = picture.rgb.mean(axis=2)
    shift, _ = cv2.phaseCorrelate(truth[ground], found[ground])
    assert np.hypot(*shift) < 0.12


def test_no_photo_is_named_that_cannot_see_the_cell() -> None:
    """Every cell's source photo has a free line of sight in the exact world."""
    scene = box_scene()
    world, dsm, picture = exact_ortho()
    rng = np.random.default_rng(10)
    rows, columns = np.nonzero(picture.source != NO_VIEW)
    pick = rng.permutation(len(rows))[:4000]
    east, north = dsm.grid.centres()
    wrong = 0
    for view in range(len(scene.network.views)):
        mine = pick[picture.source[rows[pick], columns[pick]] == view]
        points = np.column_stack(
            [east[columns[mine]], north[rows[mine]], dsm.height_m[rows[mine], columns[mine]]]
        )
        t, _ = world.trace(scene.network.views[view].centre_enu_m, points
                           - scene.network.views[view].centre_enu_m)  # fmt: skip
        wrong += int(np.sum(t < 0.99))
    assert wrong < 0.01 * len(pick)


def test_a_steep_photo_is_preferred_to_an_oblique_one() -> None:
    _, _, picture = exact_ortho()
    middle = picture.source[80:120, 20:180]
    assert np.mean(middle < 6) > 0.95  # the first six photos look straight down


def test_what_no_photo_sees_stays_empty(tmp_path: Path) -> None:
    """One oblique photo: the strip behind the box is empty, not painted with the box."""
    world = BoxWorld()
    pose = look_at((4.0, 0.0, 3.0), (0.0, 0.0, 0.0))
    network = build_network(
        world, tmp_path, [pose, look_at((4.0, 0.3, 3.0), (0, 0, 0))], small_camera()
    )
    dsm = exact_dsm(world)
    picture = orthophoto(network, dsm, quiet)
    row = dsm.grid.height // 2
    column = round((-1.3 + 2.0) / dsm.grid.gsd_m)  # 0.3 m behind a box 0.8 m high
    assert picture.mask[row, column] == NO_DATA
    assert picture.source[row, column] == NO_VIEW
    assert not picture.rgb[row, column].any()
    assert picture.mask[row, round((1.5 + 2.0) / dsm.grid.gsd_m)] == MEASURED


def test_exposure_differences_are_levelled(tmp_path: Path) -> None:
    world = BoxWorld(boxes=())
    gains = [1.0, 0.7, 1.2, 0.85]
    network = build_network(world, tmp_path, strip_poses(), small_camera(), gains=gains)
    picture = orthophoto(network, exact_dsm(world, half_m=1.5), quiet)
    corrected = picture.gains[:, 1] * gains
    assert np.ptp(corrected) / corrected.mean() < 0.02
    assert np.ptp(gains) / np.mean(gains) > 0.4


def test_gains_ignore_what_moved() -> None:
    rng = np.random.default_rng(11)
    views = np.tile(np.array([0, 1, -1, -1], np.int16), (500, 1))
    brightness = rng.uniform(40, 150, 500)
    values = np.stack([brightness, 0.8 * brightness, 0 * brightness, 0 * brightness], axis=1)
    values[:100, 1] = rng.uniform(40, 240, 100)
    gains = ortho.solve_gains(views, values.astype(np.float32), 3)
    assert abs(gains[1] / gains[0] - 1.25) < 0.07  # a plain mean is 0.2 off
    assert gains[2] == 1.0 or abs(gains[2] - 1.0) < 0.15


def test_blending_is_half_and_half_where_two_photos_are_equal() -> None:
    merits = np.array([[[1.0, 1.0], [1.0, 0.5], [1.0, 0.0]]], np.float32)
    assert ortho._weights(merits)[0].tolist() == [0.5, 0.0, 0.0]


def test_coverage_counts_the_photos_that_see_a_place() -> None:
    scene = box_scene()
    dsm = exact_dsm(scene.world)
    counts = ortho.coverage(scene.network, dsm, step=8)
    east, north = dsm.grid.centres()
    for row, column in ((3, 4), (12, 12), (20, 6)):
        point = np.array([east[column * 8], north[row * 8], dsm.height_m[row * 8, column * 8]])
        expected = 0
        for view in scene.network.views:
            local = view.cam_from_enu[:, :3] @ point + view.cam_from_enu[:, 3]
            pixel, _ = cv2.projectPoints(
                local, np.zeros(3), np.zeros(3), view.camera.matrix, view.camera.distortion
            )
            x, y = pixel[0, 0]
            inside = 1 < x < view.camera.width_px - 1 and 1 < y < view.camera.height_px - 1
            t, _ = scene.world.trace(view.centre_enu_m, (point - view.centre_enu_m)[None])
            expected += bool(inside and t[0] > 0.99)
        assert counts[row, column] == expected


def test_filled_cells_stay_marked_in_the_picture() -> None:
    scene = box_scene()
    dsm = surface.rasterize_dsm(scene.cloud, 2 * scene.gsd_m)
    picture = orthophoto(scene.network, dsm, quiet)
    seen = picture.mask != NO_DATA
    assert np.array_equal(picture.mask[seen], dsm.mask[seen])


def test_visibility_is_judged_on_heights_without_specks() -> None:
    """A lone spike goes, a step keeps its place to the cell, unknown stays unknown."""
    height = np.zeros((30, 40), np.float32)
    height[:, 20:] = 1.4
    height[10, 10] = 0.3
    height[20:, :5] = np.nan
    found = ortho.smoothed(height)
    assert found[10, 10] == 0.0
    assert np.all(found[5:15, 19] == 0.0)
    assert np.all(found[5:15, 20] == np.float32(1.4))
    assert np.array_equal(np.isnan(found), np.isnan(height))
