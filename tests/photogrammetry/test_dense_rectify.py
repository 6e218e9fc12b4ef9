"""Rectification of arbitrary pairs: epipolar rows, the plane at disparity zero, exact depths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import rectify
from droneteam.photogrammetry.dense.rectify import PairGeometry
from droneteam.photogrammetry.scene import View
from tests.photogrammetry.box_world import look_at, nadir, small_camera

GROUND = np.stack(
    [*(a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 15), np.linspace(-0.8, 0.8, 15)))], 1
)
GROUND = np.concatenate([GROUND, np.zeros((len(GROUND), 1))], axis=1)
PAIRS = {
    "nadir": (nadir((-0.5, 0, 6)), nadir((0.5, 0.1, 6))),
    "turned by 90 degrees": (nadir((-0.5, 0, 6), 10), nadir((0.5, 0.1, 6), 100)),
    "head to tail": (nadir((0, -0.4, 6), 0), nadir((0, 0.5, 6.2), 180)),
    "oblique ring": (look_at((4.5, 0, 4.5), (0, 0, 0)), look_at((4.2, 1.4, 4.5), (0, 0, 0))),
    "nadir with oblique": (nadir((0, 0, 6)), look_at((2.0, 1.0, 5.5), (0, 0, 0))),
}
ACROSS = {"across each other": (look_at((4.5, 0, 2), (0, 0, 0)), look_at((0, 4.5, 2), (0, 0, 0)))}
"""Rays at nearly a right angle: matched around their points, whose depths set a narrow range."""


def views_of(name: str, *, distorted: bool = True) -> tuple[View, View]:
    camera = small_camera(distorted)
    a, b = (PAIRS | ACROSS)[name]
    return View("a", Path("a"), camera, a), View("b", Path("b"), camera, b)


def geometry_of(name: str) -> PairGeometry:
    pair = rectify.rectify_pair(0, 1, views_of(name), GROUND)
    assert pair is not None
    return pair


def canvas_position(
    pair: PairGeometry, view: View, rays: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Where points appear on a canvas, by inverting its ray matrix: an independent way back."""
    local = points @ view.cam_from_enu[:, :3].T + view.cam_from_enu[:, 3]
    flat = local @ np.linalg.inv(rays).T
    return flat[:, :2] / flat[:, 2:]


@pytest.mark.parametrize("name", PAIRS | ACROSS)
def test_a_point_lies_in_the_same_row_of_both_images(name: str) -> None:
    pair, views = geometry_of(name), views_of(name)
    points = GROUND + np.random.default_rng(3).uniform([0, 0, 0], [0, 0, 1.0], GROUND.shape)
    left = canvas_position(pair, views[0], pair.left_rays, points)
    right = canvas_position(pair, views[1], pair.right_rays, points)
    assert np.allclose(left[:, 1], right[:, 1], atol=1e-8)


@pytest.mark.parametrize("name", PAIRS | ACROSS)
def test_the_common_plane_has_disparity_zero(name: str) -> None:
    pair, views = geometry_of(name), views_of(name)
    left = canvas_position(pair, views[0], pair.left_rays, GROUND)
    right = canvas_position(pair, views[1], pair.right_rays, GROUND)
    assert np.abs(left - right).max() < 0.02


@pytest.mark.parametrize("name", PAIRS)
def test_a_nearer_point_has_a_larger_disparity_inside_the_searched_range(name: str) -> None:
    pair, views = geometry_of(name), views_of(name)
    raised = GROUND + [0.0, 0.0, 0.05]
    left = canvas_position(pair, views[0], pair.left_rays, raised)
    right = canvas_position(pair, views[1], pair.right_rays, raised)
    disparity = left[:, 0] - right[:, 0]
    assert disparity.min() > 0.1
    assert pair.range_px[0] < 0 < disparity.max() < pair.range_px[1]


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("is_left", [True, False])
def test_exact_disparities_give_exact_depths(name: str, is_left: bool) -> None:
    """A bump over the plane, its disparity computed in closed form, comes back as its depth."""
    pair, views = geometry_of(name), views_of(name)
    height = 0.03
    rays = pair.left_rays if is_left else pair.right_rays
    view = views[0] if is_left else views[1]
    columns, rows = np.meshgrid(np.arange(pair.size_px[0]) + 0.5, np.arange(pair.size_px[1]) + 0.5)
    grid = np.stack([columns.ravel(), rows.ravel(), np.ones(columns.size)])
    directions = (view.cam_from_enu[:, :3].T @ rays @ grid).T
    t = (height - view.centre_enu_m[2]) / directions[:, 2]
    points = view.centre_enu_m + t[:, None] * directions
    left = canvas_position(pair, views[0], pair.left_rays, points)
    right = canvas_position(pair, views[1], pair.right_rays, points)
    disparity = (left - right)[:, 0].reshape(columns.shape).astype(np.float32)
    inverse, sigma = rectify.photo_hypothesis(
        pair, view, is_left=is_left, disparity=disparity, sigma=np.full_like(disparity, 0.1)
    )
    known = np.isfinite(inverse)
    assert known.mean() > 0.2
    expected = plane_depth(view, height)
    gsd = expected[known] / view.camera.focal_px[0]
    assert np.max(np.abs(1.0 / inverse[known] - expected[known]) / gsd) < 0.02
    assert np.all(sigma[known] > 0)


def plane_depth(view: View, height: float) -> np.ndarray:
    """(h, w) depth of a level plane on the view's undistorted grid."""
    camera = view.camera
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], axis=-1)
    down = rays @ view.cam_from_enu[:, :3]
    return (height - view.centre_enu_m[2]) / down[..., 2]


def test_the_photo_map_undoes_the_lens_at_half_pixel_centres() -> None:
    view = views_of("nadir")[0]
    pair = geometry_of("nadir")
    map_x, map_y = rectify.photo_map(view, pair.left_rays, pair.size_px[0], range(pair.size_px[1]))
    points = np.array([[0.1, 0.2, 0.0], [-0.7, 0.4, 0.0]])
    pixels, _ = optics.project(points, view)
    for point, pixel in zip(points, pixels, strict=True):
        where = canvas_position(pair, view, pair.left_rays, point[None])[0]
        column, row = np.floor(where - 0.5).astype(int)
        fx, fy = where - 0.5 - (column, row)
        found = [
            (m[row, column] * (1 - fx) + m[row, column + 1] * fx) * (1 - fy)
            + (m[row + 1, column] * (1 - fx) + m[row + 1, column + 1] * fx) * fy
            for m in (map_x, map_y)
        ]
        assert np.allclose(np.array(found) + 0.5, pixel, atol=2e-3)


def test_resolution_is_kept() -> None:
    """One canvas pixel is about one photo pixel: nothing is lost and nothing blown up."""
    for name in PAIRS:
        pair, view = geometry_of(name), views_of(name)[0]
        map_x, map_y = rectify.photo_map(
            view, pair.left_rays, pair.size_px[0], range(pair.size_px[1])
        )
        inside = (map_x > 0) & (map_x < 479) & (map_y > 0) & (map_y < 359)
        area = np.gradient(map_x, axis=1) * np.gradient(map_y, axis=0)
        area -= np.gradient(map_x, axis=0) * np.gradient(map_y, axis=1)
        assert 0.6 < abs(np.median(area[inside])) < 1.6


def test_forward_motion_is_refused() -> None:
    camera = small_camera()
    views = (
        View("a", Path("a"), camera, nadir((0, 0, 6))),
        View("b", Path("b"), camera, nadir((0, 0, 5))),
    )
    assert rectify.rectify_pair(0, 1, views, GROUND) is None


def test_photos_that_look_across_each_other_are_matched_where_their_points_are() -> None:
    """Their own canvas would be several photos large; that around the points is a part of one."""
    views = views_of("across each other")
    found = rectify._plane_disparities(views, GROUND)
    assert found is not None
    assert rectify._canvas(views, found, rectify.search_range(found.residual_px)) is None
    pair = geometry_of("across each other")
    pixels = views[0].camera.width_px * views[0].camera.height_px
    assert 0.02 * pixels < np.count_nonzero(rectify.outline_mask(pair)) < 0.8 * pixels
    column, row = np.floor(canvas_position(pair, views[0], pair.left_rays, GROUND)).astype(int).T
    assert rectify.outline_mask(pair)[row, column].all()
    beyond = canvas_position(pair, views[0], pair.left_rays, GROUND * 3.0)
    assert not np.all((beyond > 0) & (beyond < pair.size_px), axis=1).all()


def test_too_few_common_points_are_refused() -> None:
    assert rectify.rectify_pair(0, 1, views_of("nadir"), GROUND[:5]) is None


def test_the_plane_is_the_roads_not_the_cars() -> None:
    rng = np.random.default_rng(4)
    u, v = rng.uniform(-300, 300, (2, 400))
    d = 0.2 * u - 0.1 * v + 50 + rng.normal(0, 0.1, 400)
    d[:120] += rng.uniform(10, 40, 120)
    a, b, c = rectify.fit_plane(u, v, d)
    assert (a, b) == pytest.approx((0.2, -0.1), abs=5e-4)
    assert c == pytest.approx(50.0, abs=0.2)  # least squares would be 7 off


def test_the_searched_range_is_a_multiple_of_sixteen_and_holds_the_points() -> None:
    low, high = rectify.search_range(np.linspace(-3.0, 41.0, 500))
    assert (high - low) % 16 == 0
    assert low < -3.0 - 5
    assert high > 41.0 + 5
    assert high - low < 96
