"""Walls: found among points, matched along their own plane, resumed like everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial import cKDTree

from droneteam.errors import InputError
from droneteam.photogrammetry.dense import facades, first_pass, rectify
from droneteam.photogrammetry.dense.cloud import DenseParams, dense_cloud, load_depth_map
from droneteam.photogrammetry.dense.facades import Facade, facade_pairs, find_facades
from droneteam.photogrammetry.dense.pairs import Visibility
from droneteam.photogrammetry.dense.stereo import resized
from droneteam.photogrammetry.scene import CameraNetwork, View
from tests.photogrammetry.box_world import (
    BoxWorld,
    build_network,
    look_at,
    nadir,
    small_camera,
    true_depth,
)
from tests.photogrammetry.test_dense_rectify import canvas_position

GSD_M = 0.014
WALL_X_M = 0.5
RNG = np.random.default_rng(5)


def wall(
    start: tuple[float, float], end: tuple[float, float], height_m: float, count: int = 300
) -> np.ndarray:
    """(n, 3) points on an upright rectangle over a line on the map, off it by half a pixel."""
    along, up = RNG.uniform(size=(count, 1)), RNG.uniform(0.0, height_m, (count, 1))
    a, b = np.array(start), np.array(end)
    across = np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
    places = a + along * (b - a) + RNG.normal(0.0, 0.5 * GSD_M, (count, 1)) * across
    return np.concatenate([places, up], axis=1)


def ground(count: int = 1500) -> np.ndarray:
    """Rolling ground, 6 m square."""
    xy = RNG.uniform(-3.0, 3.0, (count, 2))
    return np.column_stack([xy, 0.1 * np.sin(xy[:, 0]) + 0.05 * xy[:, 1]])


def seen_by_all(points: np.ndarray, views: int = 2) -> Visibility:
    return Visibility(sparse.csr_array(np.ones((views, len(points)), np.int32)), points)


def test_walls_are_found_with_their_direction_and_their_points_alone() -> None:
    first, second = wall((-2, 0), (1, 1), 1.5), wall((1, 1), (2, -2), 1.5, 200)
    found = find_facades(seen_by_all(np.concatenate([ground(), first, second])), GSD_M)
    assert len(found) == 2
    for facade, points, line in ((found[0], first, (3.0, 1.0)), (found[1], second, (1.0, -3.0))):
        assert abs(facade.normal[:2] @ line) / np.linalg.norm(line) < np.sin(np.radians(1.0))
        assert facade.normal[2] == 0.0
        assert np.linalg.norm(facade.normal) == pytest.approx(1.0)
        mine = cKDTree(points).query(facade.points_enu_m)[0] == 0.0
        assert mine.mean() > 0.97
        assert 0.65 * len(points) < mine.sum() <= len(points)


def test_ground_and_foliage_are_no_walls() -> None:
    direction = RNG.normal(size=(800, 3))
    bush = direction / np.linalg.norm(direction, axis=1, keepdims=True)
    bush = [0.0, 0.0, 0.8] + 0.6 * bush * RNG.uniform(0.5, 1.0, (800, 1))
    assert find_facades(seen_by_all(np.concatenate([ground(), bush])), GSD_M) == []


def test_a_kerb_is_too_low_and_a_handful_of_points_too_few() -> None:
    kerb = wall((-2, 0), (2, 0), 0.12)
    few = wall((-2, 1), (2, 1), 2.0, 15)
    assert find_facades(seen_by_all(np.concatenate([ground(), kerb, few])), GSD_M) == []
    assert find_facades(seen_by_all(np.zeros((0, 3))), GSD_M) == []


def test_two_houses_in_one_line_are_two_walls() -> None:
    row = np.concatenate([wall((-2.5, 0), (-1, 0), 1.5), wall((1.5, 0), (2.5, 0), 1.5, 150)])
    found = find_facades(seen_by_all(np.concatenate([ground(), row])), GSD_M)
    assert [bool(f.points_enu_m[0, 0] < 0) for f in found] == [True, False]
    assert all(np.ptp(f.points_enu_m[:, 0]) < 1.6 for f in found)


def standing_wall() -> np.ndarray:
    """A grid on the wall x = 0.5 that looks east, 2 m long and 0.8 m high."""
    y, z = (a.ravel() for a in np.meshgrid(np.linspace(-1, 1, 17), np.linspace(0.05, 0.75, 9)))
    return np.column_stack([np.full(y.size, WALL_X_M), y, z])


EAST = View("east", Path("east"), small_camera(True), look_at((4.5, 0.5, 3.5), (0.3, 0, 0.3)))
ABOVE = View("above", Path("above"), small_camera(True), nadir((2.6, 0.1, 6), 20))
WEST = View("west", Path("west"), small_camera(True), look_at((-4.5, 0, 3.5), (0, 0, 0.3)))


def facade_of(points: np.ndarray, views: int) -> Facade:
    return Facade(np.array([1.0, 0.0, 0.0]), points, np.ones((views, len(points)), bool))


def test_photos_of_one_side_are_paired_the_one_that_sees_more_first() -> None:
    views = (ABOVE, WEST, EAST)
    on_ground = np.column_stack([RNG.uniform(-2, 2, (200, 2)), np.zeros(200)])
    chosen = facade_pairs(views, seen_by_all(on_ground, 3), facade_of(standing_wall(), 3), 2)
    assert chosen == [(2, 0)]


def test_a_pair_that_mostly_sees_the_wall_is_not_matched_along_it_again() -> None:
    other = View("b", Path("b"), small_camera(True), look_at((4.5, -0.6, 3.4), (0.3, 0, 0.3)))
    points = standing_wall()
    assert facade_pairs((EAST, other), seen_by_all(points), facade_of(points, 2), 2) == []


def test_partners_bound_the_pairs_of_a_wall() -> None:
    eyes = [(4.5, y, 3.5) for y in np.linspace(-2, 2, 7)]
    views = tuple(View(str(e), Path("x"), small_camera(), look_at(e, (0.3, 0, 0.3))) for e in eyes)
    on_ground = seen_by_all(np.column_stack([RNG.uniform(-2, 2, (200, 2)), np.zeros(200)]), 7)
    facade = facade_of(standing_wall(), 7)
    one, three = (facade_pairs(views, on_ground, facade, n) for n in (1, 3))
    assert 4 <= len(one) <= 7
    assert len(one) < len(three) <= 21
    assert all({a, b} <= set(range(7)) for a, b in three)


def test_the_wall_has_disparity_zero_and_what_stands_out_of_it_more() -> None:
    """Rays of the canvas traced back to the wall meet it at the same pixel of both images."""
    points = standing_wall()
    pair = rectify.rectify_facade(0, 1, (EAST, ABOVE), points)
    assert pair is not None
    left = canvas_position(pair, EAST, pair.left_rays, points)
    right = canvas_position(pair, ABOVE, pair.right_rays, points)
    assert np.abs(left - right).max() < 0.05
    raised = points + [0.04, 0.0, 0.0]
    left = canvas_position(pair, EAST, pair.left_rays, raised)
    right = canvas_position(pair, ABOVE, pair.right_rays, raised)
    disparity = left[:, 0] - right[:, 0]
    assert np.allclose(left[:, 1], right[:, 1], atol=1e-8)
    assert 0.3 < disparity.min() <= disparity.max() < pair.range_px[1]


def test_no_more_than_the_wall_is_matched() -> None:
    pair = rectify.rectify_facade(0, 1, (EAST, ABOVE), standing_wall())
    assert pair is not None
    mask = rectify.outline_mask(pair)
    assert mask.shape == pair.size_px[::-1]
    inside = canvas_position(pair, EAST, pair.left_rays, standing_wall())
    column, row = np.floor(inside).astype(int).T
    assert mask[row, column].all()
    assert mask.sum() < 0.5 * 480 * 360
    around = canvas_position(pair, EAST, pair.left_rays, standing_wall() + [0.0, 0.0, 0.6])
    beyond = around[around[:, 1] < inside[:, 1].min() - 2 * rectify.WALL_MARGIN_PX]
    column, row = np.floor(beyond).astype(int).T
    ok = (row >= 0) & (column >= 0) & (row < mask.shape[0]) & (column < mask.shape[1])
    assert not mask[row[ok], column[ok]].any()


def test_points_in_one_line_of_a_photo_still_give_an_outline() -> None:
    """A strip of a wall: nothing about it is an error, whatever comes out of matching it."""
    points = standing_wall()
    strip = points[np.abs(points[:, 2] - 0.75) < 1e-9]
    pair = rectify.rectify_facade(0, 1, (EAST, ABOVE), strip)
    assert pair is None or 0 < rectify.outline_mask(pair).mean() <= 1.0


def test_a_wall_that_one_photo_sees_edge_on_is_refused() -> None:
    edge_on = View("a", Path("a"), small_camera(), nadir((0.51, 0.0, 6)))
    assert rectify.rectify_facade(0, 1, (EAST, edge_on), standing_wall()) is None


SIDE_POSES = [
    look_at((4.3, -0.9, 3.4), (0.4, 0, 0.2)),
    look_at((4.4, 0.2, 3.6), (0.4, 0, 0.2)),
    look_at((4.2, 1.2, 3.5), (0.4, 0, 0.2)),
    nadir((1.2, -0.5, 6), 0),
    nadir((1.4, 0.6, 6), 8),
]
"""Three photos that look at the box's eastern side and two from above."""


SMALL = DenseParams(max_pixels=115_000)
"""Photos at two thirds of their width, for the sake of time."""
SMALL_GSD_M = 1.5 * GSD_M


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> tuple[BoxWorld, CameraNetwork]:
    world = BoxWorld(boxes=((-0.5, WALL_X_M, -1.0, 1.0, 0.0, 0.9),))
    folder = tmp_path_factory.mktemp("side")
    return world, build_network(world, folder, SIDE_POSES, small_camera())


@pytest.fixture(scope="module")
def whole(side, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an undisturbed run."""
    folder = tmp_path_factory.mktemp("side_whole")
    dense_cloud(side[1], folder, SMALL, lambda *_: None)
    return folder


def small_views(network: CameraNetwork) -> tuple[View, ...]:
    """The views as they are matched."""
    return tuple(resized(view, (SMALL.max_pixels / (480 * 360)) ** 0.5) for view in network.views)


def test_the_first_round_shows_the_wall_where_no_corner_was_found(side, whole: Path) -> None:
    """Its depth maps alone give the plane, as exactly as their pixels."""
    world, network = side
    views = small_views(network)
    maps = [load_depth_map(whole / "depth" / f"{i:04d}.npy") for i in range(len(views))]
    everyone = [[j for j in range(len(maps)) if j != i] for i in range(len(maps))]
    sample = first_pass.surface_sample(views, maps.__getitem__, everyone, 4)
    distance = world.distance(sample.points_enu_m) / SMALL_GSD_M
    assert np.quantile(distance, 0.95) < 2.0
    assert sample.matrix.sum(axis=0).min() >= first_pass.LEAST_VIEWS
    (facade,) = find_facades(sample, SMALL_GSD_M)
    assert abs(facade.normal[0]) > np.cos(np.radians(1.0))
    assert np.abs(facade.points_enu_m[:, 0] - WALL_X_M).max() < 8 * SMALL_GSD_M


def test_matching_along_the_wall_completes_it_and_costs_no_exactness(
    side, whole: Path, tmp_path
) -> None:
    world, network = side
    without = dense_cloud(network, tmp_path, replace(SMALL, wall_partners=0), lambda *_: None)
    walled = dense_cloud(network, whole, SMALL, lambda *_: None)
    y, z = (a.ravel() for a in np.meshgrid(np.linspace(-0.9, 0.9, 60), np.linspace(0.1, 0.8, 30)))
    truth = np.column_stack([np.full(y.size, WALL_X_M), y, z])
    shares = [
        np.mean(cKDTree(cloud.points_enu_m).query(truth)[0] < 2.0 * SMALL_GSD_M)
        for cloud in (without, walled)
    ]
    assert shares[1] > 0.97
    assert shares[1] >= shares[0]
    distance = world.distance(walled.points_enu_m) / SMALL_GSD_M
    assert 0.001 < np.median(distance) < 0.15
    assert np.mean(distance < 1.7) > 0.98
    kept = [
        np.mean(np.isclose(_maps(tmp_path, index), _maps(whole, index), 0.0, 0.0, equal_nan=True))
        for index in range(len(SIDE_POSES))
    ]
    assert 0.3 < min(kept) < 1.0, "pixels of which no wall speaks stay as they were"


def _maps(folder: Path, index: int) -> np.ndarray:
    """(2, h, w) inverse depth and its sigma of a finished run."""
    return np.asarray(np.load(folder / "depth" / f"{index:04d}.npy"))


class Killed(Exception):
    """Stands for a kill: raised by the progress callback."""


def test_a_kill_among_the_walls_costs_no_more_than_a_pair(side, whole: Path, tmp_path) -> None:
    """The walls are those of the first round, whatever has been merged since."""
    _, network = side

    def kill(stage: str, fraction: float, message: str) -> None:
        if 0.73 < fraction < 0.8:
            raise Killed

    with pytest.raises(Killed):
        dense_cloud(network, tmp_path, replace(SMALL, workers=1), kill)
    assert facades.load(tmp_path / "walls.npz")
    said: list[str] = []
    resumed = dense_cloud(network, tmp_path, SMALL, lambda *step: said.append(step[2]))
    matched = [words for words in said if words.startswith("stereo pair")]
    undisturbed = dense_cloud(network, whole, SMALL, lambda *_: None)
    assert 0 < len(matched) < 10
    assert np.array_equal(resumed.points_enu_m, undisturbed.points_enu_m)
    assert np.array_equal(resumed.sigma_m, undisturbed.sigma_m)
    assert list((tmp_path / "first").iterdir()) == list((tmp_path / "pairs").iterdir()) == []


def test_depth_maps_stay_true_where_walls_were_matched(side, whole: Path) -> None:
    world, network = side
    for index in (0, 4):
        found = load_depth_map(whole / "depth" / f"{index:04d}.npy").inverse_depth
        view = small_views(network)[index]
        truth = true_depth(world, view)
        known = np.isfinite(found)
        error = np.abs(1.0 / found[known] - truth[known]) / truth[known] * view.camera.focal_px[0]
        assert np.median(error) < 0.3
        assert np.mean(error < 3.0) > 0.95


def test_walls_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    some = [facade_of(standing_wall(), 3), facade_of(standing_wall()[:40], 3)]
    with (tmp_path / "walls.npz").open("wb") as file:
        facades.save(some, file)
    again = facades.load(tmp_path / "walls.npz")
    assert len(again) == 2
    for a, b in zip(some, again, strict=True):
        assert np.array_equal(a.points_enu_m, b.points_enu_m)
        assert np.array_equal(a.seen, b.seen)
        assert np.array_equal(a.normal, b.normal)


def test_walls_can_be_left_out_and_never_by_a_negative_number() -> None:
    assert DenseParams.preset("preview").wall_partners == 0
    assert DenseParams.preset("normal").wall_partners > 0
    with pytest.raises(InputError, match="wall_partners"):
        DenseParams(wall_partners=-1)
