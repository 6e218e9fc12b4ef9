"""Surface and terrain models against the box world's exact heights."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from droneteam.errors import InputError, SceneError
from droneteam.photogrammetry.dense import fuse
from droneteam.photogrammetry.scene import DenseCloud
from droneteam.photogrammetry.surface import rasters as surface
from droneteam.photogrammetry.surface.rasters import (
    FILLED,
    MEASURED,
    NO_DATA,
    DsmParams,
    Grid,
    Raster,
)
from tests.photogrammetry.box_world import box_scene


@cache
def box_dsm() -> Raster:
    scene = box_scene()
    return surface.rasterize_dsm(scene.cloud, scene.gsd_m)


def cloud_of(points: np.ndarray, sigma_m: float = 0.003) -> DenseCloud:
    n = len(points)
    return DenseCloud(
        points_enu_m=points.astype(np.float64),
        normals=np.tile(np.array([0, 0, 1], np.float32), (n, 1)),
        colors=np.full((n, 3), 100, np.uint8),
        sigma_m=np.full(n, sigma_m, np.float32),
        n_views=np.full(n, 4, np.uint8),
    )


def test_measured_heights_are_true() -> None:
    scene, dsm = box_scene(), box_dsm()
    east, north = np.meshgrid(*dsm.grid.centres())
    truth = scene.world.height(east, north)
    measured = dsm.mask == MEASURED
    error = (dsm.height_m - truth)[measured] / scene.gsd_m
    nmad = 1.4826 * np.median(np.abs(error - np.median(error)))
    assert 0.001 < nmad < 0.2
    assert abs(np.median(error)) < 0.05
    assert np.mean(np.abs(error) < 1.0) > 0.98


def test_nearly_every_visible_cell_is_measured() -> None:
    dsm = box_dsm()
    east, north = np.meshgrid(*dsm.grid.centres())
    middle = (np.abs(east) < 2.2) & (np.abs(north) < 1.8)
    assert np.mean(dsm.mask[middle] == MEASURED) > 0.95


def test_a_cell_is_either_unknown_measured_or_filled() -> None:
    dsm = box_dsm()
    assert set(np.unique(dsm.mask)) <= {NO_DATA, MEASURED, FILLED}
    assert np.array_equal(np.isfinite(dsm.height_m), dsm.mask != NO_DATA)
    assert np.array_equal(np.isfinite(dsm.sigma_m), dsm.mask == MEASURED)


def test_a_hole_is_filled_and_marked_up_to_the_width_asked_for() -> None:
    x, y = np.meshgrid(np.arange(0.05, 4, 0.1), np.arange(0.05, 4, 0.1))
    hole = (np.abs(x - 2.0) < 0.31) & (np.abs(y - 2.0) < 0.31)
    points = np.column_stack([x[~hole], y[~hole], 0.1 * x[~hole]])
    wide = surface.rasterize_dsm(cloud_of(points), 0.1, DsmParams(fill_m=1.0, extent_quantile=0))
    assert np.sum(wide.mask == FILLED) == hole.sum()
    assert np.nanmax(np.abs(wide.height_m[wide.mask == FILLED] - 0.2)) < 0.05
    none = surface.rasterize_dsm(cloud_of(points), 0.1, DsmParams(fill_m=0.0, extent_quantile=0))
    assert np.sum(none.mask == FILLED) == 0


def test_the_upper_of_two_surfaces_is_kept() -> None:
    x, y = (a.ravel() for a in np.meshgrid(np.arange(0, 2, 0.02), np.arange(0, 2, 0.02)))
    points = np.concatenate([np.column_stack([x, y, 0 * x]), np.column_stack([x, y, 0 * x + 1.4])])
    dsm = surface.rasterize_dsm(cloud_of(points), 0.1)
    assert np.allclose(dsm.height_m[dsm.mask == MEASURED], 1.4, atol=1e-5)


def test_rows_run_south_and_columns_east() -> None:
    points = np.array([[e, n, 10.0 * (n > 0.5) + (e > 0.5)] for e in (0.05, 0.95)
                       for n in (0.05, 0.95) for _ in range(3)])  # fmt: skip
    dsm = surface.rasterize_dsm(
        cloud_of(points), 0.1, DsmParams(fill_m=0.0), Grid(0.0, 1.0, 0.1, 10, 10)
    )
    assert dsm.height_m[0, 0] == 10.0
    assert dsm.height_m[0, 9] == 11.0
    assert dsm.height_m[9, 0] == 0.0
    assert dsm.height_m[9, 9] == 1.0


def test_a_stray_point_does_not_stretch_the_raster() -> None:
    rng = np.random.default_rng(9)
    points = np.column_stack([rng.uniform(0, 10, (5000, 2)), np.zeros(5000)])
    points[0] = (5000.0, 5000.0, 100.0)
    assert surface.extent_grid(cloud_of(points), 0.1).width < 110


def test_an_empty_cloud_and_an_absurd_cell_are_refused() -> None:
    with pytest.raises(SceneError, match="empty"):
        surface.rasterize_dsm(fuse.concatenate([]), 0.1)
    points = np.random.default_rng(1).uniform(0, 100, (1000, 3))
    with pytest.raises(InputError, match="coarser"):
        surface.rasterize_dsm(cloud_of(points), 1e-3)
    with pytest.raises(InputError):
        Grid(0, 0, -1.0, 10, 10)


def test_the_terrain_is_the_ground_below_the_box() -> None:
    scene, dsm = box_scene(), box_dsm()
    ground = surface.terrain(dsm, largest_object_m=3.0)
    known = np.isfinite(ground.height_m)
    east, north = np.meshgrid(*dsm.grid.centres())
    inside = known & (np.abs(east) < 0.9) & (np.abs(north) < 0.4)
    assert inside.sum() > 1000
    assert np.quantile(np.abs(ground.height_m[known]), 0.99) < 0.05
    assert np.all(ground.mask[inside] == FILLED)
    away = known & (np.hypot(east, north) > 1.6) & (dsm.mask == MEASURED)
    assert np.mean(ground.mask[away] == MEASURED) > 0.97
    assert scene.world.boxes  # the box is there in the surface model
    assert np.nanmax(dsm.height_m) > 0.75


def test_a_slope_is_terrain_not_an_object() -> None:
    east, north = np.meshgrid(np.arange(80), np.arange(60))
    height = (0.02 * east - 0.01 * north).astype(np.float32)
    raster = Raster(
        Grid(0, 6, 0.1, 80, 60), height, np.full(height.shape, MEASURED, np.uint8),
        np.full(height.shape, 0.01, np.float32),
    )  # fmt: skip
    ground = surface.terrain(raster, largest_object_m=3.0)
    assert np.mean(ground.mask == MEASURED) > 0.97
    assert np.allclose(ground.height_m[ground.mask == MEASURED],
                       height[ground.mask == MEASURED])  # fmt: skip


def test_hillshade_is_bright_towards_the_light() -> None:
    east, north = np.meshgrid(np.arange(40) * 0.1, np.arange(40) * 0.1)
    for rise, brighter in ((0.5, True), (-0.5, False)):
        height = (rise * (east + north)).astype(np.float32)  # rises to the south-east
        raster = Raster(Grid(0, 4, 0.1, 40, 40), height, np.ones((40, 40), np.uint8), height)
        flat = round(255 * np.sin(np.radians(45)))
        shade = int(surface.hillshade(raster)[20, 20])
        assert (shade > flat) == brighter


def test_height_between_cells_is_linear() -> None:
    east, north = np.meshgrid(np.arange(20) + 0.5, np.arange(10) + 0.5)
    height = (2.0 * east + 3.0 * (10 - north)).astype(np.float32)
    raster = Raster(Grid(0, 10, 1.0, 20, 10), height, np.ones((10, 20), np.uint8), height)
    found = surface.height_at(raster, np.array([3.3, 50.0]), np.array([4.7, 1.0]))
    assert found[0] == pytest.approx(2.0 * 3.3 + 3.0 * 4.7, rel=1e-6)
    assert np.isnan(found[1])


def test_cropping_keeps_every_known_cell_in_place() -> None:
    height = np.full((10, 12), np.nan, np.float32)
    height[3:5, 6:9] = 1.0
    mask = np.where(np.isfinite(height), MEASURED, NO_DATA).astype(np.uint8)
    small = surface.cropped(Raster(Grid(100.0, 50.0, 0.5, 12, 10), height, mask, height))
    assert small.grid == Grid(103.0, 48.5, 0.5, 3, 2)
    assert small.height_m.shape == (2, 3)


def test_what_an_object_encloses_is_the_object_and_a_wide_gap_is_ground() -> None:
    """Cells of 10 cm: the middle of a ring 1 m wide closes, a lane of 3 m between cars does not."""
    cells = np.zeros((60, 120), bool)
    cells[20:30, 10:20] = True
    cells[23:27, 13:17] = False
    cells[20:40, 60:78] = cells[20:40, 108:] = True
    found = surface._without_islands(cells, 12.0)
    assert found[20:30, 10:20].all()
    assert not found[:, 82:104].any()
    assert np.all(found[cells])
    assert found.sum() < 1.1 * cells.sum() + 16
