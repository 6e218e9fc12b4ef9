from __future__ import annotations

import numpy as np
import open3d as o3d
import pytest

from sitl.lens import SimCamera
from sitl.mesh import FloatArray
from sitl.raster import (
    first_hits,
    height_map,
    inverse_factors,
    rasterise,
    rasterise_samples,
    screen_boxes,
)
from sitl.render import depth_map, visibility
from sitl.world import World
from tests.sitl_camera.conftest import looking

SMALL = SimCamera(noise=0.0).resized(200)


def cast(camera: SimCamera, corners: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    corners = np.ascontiguousarray(corners, dtype=np.float64)
    shape = (camera.height_px, camera.width_px)
    depth, ident = np.full(shape, np.inf, np.float32), np.full(shape, -1, np.int32)
    boxes, factors = np.empty((len(corners), 4)), np.empty(shape)
    inverse_factors(camera.lens, camera.undistort_table(), 0, factors)
    screen_boxes(corners, camera.lens, camera.width_px, camera.height_px, boxes)
    rasterise(corners, boxes, camera.lens, factors, 0, depth, ident)
    return depth, ident


def centres(camera: SimCamera) -> FloatArray:
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def brute_force(camera: SimCamera, corners: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    rays = np.ascontiguousarray(camera.rays(centres(camera)))
    distance, ident = np.full(len(rays), np.inf), np.full(len(rays), -1, np.int32)
    first_hits(np.zeros_like(rays), rays, np.ascontiguousarray(corners), distance, ident)
    return distance.reshape(camera.height_px, -1), ident.reshape(camera.height_px, -1)


def test_a_tilted_plane_has_its_analytic_depth_at_every_pixel() -> None:
    normal, offset = np.array([0.1, -0.25, 1.0]), 9.0
    x, y = np.array([-80.0, 80.0, 80.0, -80.0]), np.array([-60.0, -60.0, 60.0, 60.0])
    z = (offset - normal[0] * x - normal[1] * y) / normal[2]
    ring = np.stack([x, y, z], axis=1)
    corners = np.stack([ring[[0, 1, 2]], ring[[0, 2, 3]]])
    depth, _ = cast(SMALL, corners)
    expected = offset / (SMALL.rays(centres(SMALL)) @ normal)
    np.testing.assert_allclose(depth.ravel(), expected, rtol=2e-7)


def test_random_triangles_are_hit_where_brute_force_hits_them() -> None:
    rng = np.random.default_rng(8)
    middle = rng.uniform([-9, -7, -2], [9, 7, 25], (300, 1, 3))
    corners = middle + rng.normal(0.0, 2.0, (300, 3, 3))  # some lie partly behind the camera
    depth, ident = cast(SMALL, corners)
    expected, expected_ident = brute_force(SMALL, corners)
    near = expected < 0.051
    assert (ident == expected_ident)[~near].mean() > 0.9999
    both = np.isfinite(expected) & np.isfinite(depth) & (ident == expected_ident)
    assert both.mean() > 0.5
    np.testing.assert_allclose(depth[both], expected[both], rtol=1e-5)


def test_neighbouring_triangles_leave_no_gap() -> None:
    rng = np.random.default_rng(5)
    x, y = np.meshgrid(np.linspace(-12, 12, 40), np.linspace(-9, 9, 30))
    points = np.stack([x, y, 9.0 + rng.uniform(-0.2, 0.2, x.shape)], axis=-1)
    a, b, c, d = points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]
    corners = np.concatenate(
        [np.stack(v, axis=2).reshape(-1, 3, 3) for v in ((a, b, c), (a, c, d))]
    )
    depth, _ = cast(SMALL, corners)
    assert np.isfinite(depth).all()


def test_samples_in_a_pixel_agree_with_a_finer_camera() -> None:
    rng = np.random.default_rng(2)
    middle = rng.uniform([-5, -4, 8], [5, 4, 20], (60, 1, 3))
    corners = np.ascontiguousarray(middle + rng.normal(0.0, 1.5, (60, 3, 3)))
    shape = (SMALL.height_px, SMALL.width_px)
    slots = np.arange(shape[0] * shape[1], dtype=np.int32).reshape(shape)
    depth = np.full((slots.size, 4), np.inf, np.float32)
    ident = np.full((slots.size, 4), -1, np.int32)
    boxes = np.empty((len(corners), 4))
    screen_boxes(corners, SMALL.lens, SMALL.width_px, SMALL.height_px, boxes)
    table = SMALL.undistort_table()
    rasterise_samples(corners, boxes, SMALL.lens, table, 2, 0, slots, depth, ident)
    _, fine = cast(SMALL.resized(2 * SMALL.width_px), corners)
    merged = ident.reshape(*shape, 2, 2).transpose(0, 2, 1, 3).reshape(fine.shape)
    assert (merged == fine).mean() > 0.9999


def test_the_world_is_hit_where_embree_hits_it(accident: World, camera: SimCamera) -> None:
    pose = looking((-7.0, -9.0, 9.0), 35.0, -40.0)
    depth, _ = visibility(accident, camera, pose)
    rays_cam = camera.rays(centres(camera))
    origins = np.tile(pose.centre_enu_m, (len(rays_cam), 1))
    rays = np.concatenate([origins, rays_cam @ pose.cam_from_enu], axis=1).astype(np.float32)
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        accident.mesh.points_enu_m.astype(np.float32),
        accident.mesh.triangles.astype(np.uint32),
    )
    expected = scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy().reshape(depth.shape)
    both = np.isfinite(expected) & np.isfinite(depth)
    assert (np.isfinite(expected) == np.isfinite(depth)).mean() > 0.9995
    relative = np.abs(depth[both] / expected[both] - 1.0)
    assert np.quantile(relative, 0.999) < 1e-4  # Embree works in single precision
    assert np.median(relative) < 1e-6


def test_a_rows_band_is_the_same_as_in_the_whole_photo(accident: World) -> None:
    from sitl.render import _visible

    pose = looking((0.0, 0.0, 12.0), 20.0)
    whole = depth_map(accident, SMALL, pose)
    band, _, _, _ = _visible(accident, SMALL, pose, 60, 30)
    np.testing.assert_array_equal(band, whole[60:90])


def test_a_height_map_holds_the_highest_surface_over_each_cells_centre() -> None:
    low = np.array([[0.0, 0.0, 1.0], [4.0, 0.0, 1.4], [0.0, 4.0, 1.8]])  # 1 + 0.1 x + 0.2 y
    high = np.array([[0.0, 0.0, 3.0], [1.0, 0.0, 3.0], [0.0, 1.0, 3.0]])
    height = np.full((8, 8), -np.inf, np.float32)
    height_map(np.stack([low, high]), 0.5, height)
    assert height[0, 0] == 3.0
    assert height[2, 3] == pytest.approx(1.0 + 0.1 * 1.75 + 0.2 * 1.25, abs=1e-6)
    assert height[7, 7] == -np.inf
