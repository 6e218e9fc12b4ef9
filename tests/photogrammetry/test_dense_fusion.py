"""Depth maps and the fused cloud of a box on textured ground, against closed-form geometry."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from droneteam.errors import InputError, SceneError
from droneteam.photogrammetry import optics
from droneteam.photogrammetry.dense import cloud as dense
from droneteam.photogrammetry.dense import fuse, pairs
from droneteam.photogrammetry.dense.cloud import DenseParams, dense_cloud, load_depth_map
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud
from tests.photogrammetry.box_world import (
    BoxWorld,
    box_scene,
    build_network,
    nadir,
    small_camera,
    strip_poses,
    true_depth,
)


def test_the_cloud_lies_on_the_surface() -> None:
    """Median within a tenth of a pixel on the ground, 99 % within one; never perfect."""
    scene = box_scene()
    distance = scene.world.distance(scene.cloud.points_enu_m) / scene.gsd_m
    assert 0.001 < np.median(distance) < 0.1
    assert np.mean(distance < 0.9) > 0.99
    assert np.mean(distance < 4.0) > 0.999


def test_the_cloud_covers_what_three_photos_see() -> None:
    scene = box_scene()
    rng = np.random.default_rng(8)
    xy = rng.uniform([-2.2, -1.8], [2.2, 1.8], (20_000, 2))
    surface = np.column_stack([xy, scene.world.height(xy[:, 0], xy[:, 1])])
    distance, _ = cKDTree(scene.cloud.points_enu_m).query(surface)
    assert np.mean(distance < 0.9 * scene.gsd_m) > 0.99


def test_stated_sigma_holds_the_errors_without_being_idle() -> None:
    scene = box_scene()
    inner = np.abs(scene.cloud.points_enu_m[:, :2]).max(axis=1) < 2.0
    distance = scene.world.distance(scene.cloud.points_enu_m)[inner]
    ratio = distance / scene.cloud.sigma_m[inner]
    assert np.mean(ratio < 2.0) > 0.95
    assert np.median(ratio) > 0.1


def test_normals_are_unit_and_point_out_of_the_ground() -> None:
    scene = box_scene()
    ground = scene.cloud.points_enu_m[:, 2] < 0.02
    normals = scene.cloud.normals
    assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-3)
    assert np.median(normals[ground, 2]) > 0.99


def test_every_point_was_confirmed_by_three_photos_or_by_two_at_the_edge() -> None:
    """Two alone only where hardly any others look, and then they are as right as the others."""
    scene = box_scene()
    cloud = scene.cloud
    assert cloud.n_views.min() >= 2
    assert cloud.n_views.max() <= 12
    assert cloud.colors.std() > 10
    pairs_only = cloud.n_views == 2
    assert np.mean(pairs_only) < 0.3
    for_two = cloud.points_enu_m[pairs_only]
    looking = sum(
        optics.inside(optics.project(for_two, view)[0], view.camera).astype(int)
        for view in scene.network.views
    )
    # A photo without tracks in common with the pair's is not asked, though it may look.
    assert np.mean(looking <= fuse.PAIR_ONLOOKERS) > 0.99
    assert looking.max() <= fuse.PAIR_ONLOOKERS + 2
    distance = scene.world.distance(for_two) / scene.gsd_m
    assert len(for_two) > 1000
    assert np.mean(distance < 0.9) > 0.97


def test_more_photos_give_smaller_sigma() -> None:
    cloud = box_scene().cloud
    few, many = cloud.sigma_m[cloud.n_views <= 3], cloud.sigma_m[cloud.n_views >= 8]
    assert np.median(many) < 0.8 * np.median(few)


def test_each_photos_depth_map_is_on_disk_and_true() -> None:
    scene = box_scene()
    for index in (0, 4, 7):
        found = load_depth_map(scene.workdir / "depth" / f"{index:04d}.npy")
        view = scene.network.views[index]
        truth = true_depth(scene.world, view)
        known = np.isfinite(found.inverse_depth)
        error = np.abs(1.0 / found.inverse_depth[known] - truth[known])
        error /= truth[known] / view.camera.focal_px[0]
        assert known.mean() > 0.6
        assert np.median(error) < 0.2
        assert np.mean(error < 2.0) > 0.98


def test_a_second_run_finds_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = box_scene()

    def never(*_: object) -> None:
        raise AssertionError("matched again")

    monkeypatch.setattr(dense, "_match_one", never)
    again = dense_cloud(scene.network, scene.workdir, DenseParams(), lambda *_: None)
    assert np.array_equal(again.points_enu_m, scene.cloud.points_enu_m)


@pytest.fixture(scope="module")
def strip(tmp_path_factory: pytest.TempPathFactory) -> tuple[BoxWorld, CameraNetwork]:
    world = BoxWorld(boxes=())
    folder = tmp_path_factory.mktemp("strip")
    return world, build_network(world, folder, strip_poses(), small_camera())


@pytest.fixture(scope="module")
def strip_cloud(strip, tmp_path_factory: pytest.TempPathFactory) -> DenseCloud:
    """What an undisturbed run of two workers makes of the strip."""
    folder = tmp_path_factory.mktemp("strip_whole")
    return dense_cloud(strip[1], folder, DenseParams(workers=2), lambda *_: None)


class Killed(Exception):
    """Stands for a kill: raised by the progress callback."""


def test_a_killed_run_resumes_with_the_same_result(strip, strip_cloud, tmp_path) -> None:
    _, network = strip

    def kill(stage: str, fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Killed

    with pytest.raises(Killed):
        dense_cloud(network, tmp_path / "broken", DenseParams(), kill)
    matched: list[str] = []

    def watch(stage: str, fraction: float, message: str) -> None:
        if message.startswith("stereo pair"):
            matched.append(message)

    resumed = dense_cloud(network, tmp_path / "broken", DenseParams(), watch)
    n_pairs = len(all_pairs(network))
    assert 0 < len(matched) < n_pairs
    assert np.array_equal(resumed.points_enu_m, strip_cloud.points_enu_m)


def test_the_number_of_workers_changes_nothing(strip, strip_cloud, tmp_path) -> None:
    _, network = strip
    one = dense_cloud(network, tmp_path / "one", DenseParams(workers=1), lambda *_: None)
    assert np.array_equal(one.points_enu_m, strip_cloud.points_enu_m)
    assert np.array_equal(one.sigma_m, strip_cloud.sigma_m)


def test_changed_parameters_start_afresh(strip, tmp_path) -> None:
    _, network = strip
    small, smaller = (DenseParams(max_pixels=n) for n in (100_000, 50_000))
    finer = dense_cloud(network, tmp_path, small, lambda *_: None)
    coarse = dense_cloud(network, tmp_path, smaller, lambda *_: None)
    assert load_depth_map(tmp_path / "depth" / "0000.npy").inverse_depth.size <= 50_500
    assert 1000 < len(coarse.points_enu_m) < 0.7 * len(finer.points_enu_m)


def test_exposure_differences_do_not_bend_the_ground(tmp_path) -> None:
    world = BoxWorld(boxes=())
    network = build_network(
        world, tmp_path / "p", strip_poses(), small_camera(), gains=[1.0, 0.75, 1.15, 0.9]
    )
    cloud = dense_cloud(network, tmp_path / "d", DenseParams(), lambda *_: None)
    height = cloud.points_enu_m[:, 2] / (6.0 / 420.0)
    assert abs(np.median(height)) < 0.05
    assert np.quantile(np.abs(height), 0.95) < 1.0


def test_a_missing_photo_is_named(strip, tmp_path) -> None:
    _, network = strip
    gone = network.views[1]
    views = (*network.views[:1], type(gone)(gone.name, tmp_path / "no.png", gone.camera,
             gone.cam_from_enu), *network.views[2:])  # fmt: skip
    broken = CameraNetwork(views, network.sparse, network.frame, network.accuracy)
    with pytest.raises(SceneError, match=r"photo_01\.png cannot be read"):
        dense_cloud(broken, tmp_path / "d", DenseParams(), lambda *_: None)


def test_photos_without_overlap_are_refused_in_words(strip, tmp_path) -> None:
    _, network = strip
    poses = [nadir((0, 0, 6)), nadir((30, 0, 6))]
    views = tuple(
        type(v)(v.name, v.path, v.camera, pose)
        for v, pose in zip(network.views[:2], poses, strict=True)
    )
    empty = type(network.sparse)(
        np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(1, np.int64),
        np.zeros(0, np.int32), np.zeros((0, 2)),
    )  # fmt: skip
    apart = CameraNetwork(views, empty, network.frame, network.accuracy)
    with pytest.raises(SceneError, match="overlap"):
        dense_cloud(apart, tmp_path / "d", DenseParams(), lambda *_: None)


def test_presets_and_limits() -> None:
    preview, normal, full = (DenseParams.preset(p) for p in ("preview", "normal", "full"))
    assert preview.max_pixels < normal.max_pixels < full.max_pixels
    with pytest.raises(InputError):
        DenseParams.preset("fast")  # type: ignore[arg-type]
    with pytest.raises(InputError):
        DenseParams(min_views=1)


def ranked(network: CameraNetwork) -> list[list[pairs.Neighbour]]:
    return pairs.neighbours(network, pairs.visibility(network))


def test_every_photo_gets_partners_under_a_sensible_angle() -> None:
    network = box_scene().network
    chosen = pairs.choose_pairs(network, ranked(network), 4)
    count = np.bincount(np.array(chosen).ravel(), minlength=len(network.views))
    assert count.min() >= 2
    assert all(a < b for a, b in chosen)
    best = [row[0] for row in ranked(network)[:6]]
    assert all(3.0 < n.angle_deg < 40.0 for n in best)


def all_pairs(network: CameraNetwork, partners: int = 4) -> list[tuple[int, int]]:
    """What dense stereo matches: the partners' pairs and those where a photo is thinly covered."""
    rows = ranked(network)
    chosen = pairs.choose_pairs(network, rows, partners)
    return pairs.add_where_thin(chosen, rows, pairs.visibility(network), 2 * partners)


def times_covered(network: CameraNetwork, chosen: list[tuple[int, int]]) -> np.ndarray:
    """In how many of its photo's pairs each point of each photo is, one after the other."""
    seen = pairs.visibility(network).matrix.toarray().astype(bool)
    counts = []
    for view in range(len(seen)):
        others = [a + b - view for a, b in chosen if view in (a, b)]
        counts.append(seen[others][:, seen[view]].sum(axis=0))
    return np.concatenate(counts)


def test_more_pairs_are_matched_where_a_photo_is_thinly_covered() -> None:
    """Counted anew from who sees what: fewer points hang on a single pair, and none is lost."""
    network = box_scene().network
    few = pairs.choose_pairs(network, ranked(network), 2)
    more = pairs.add_where_thin(few, ranked(network), pairs.visibility(network), 6)
    assert set(few) < set(more)
    assert len(more) < 4 * len(few)
    before, after = (np.mean(times_covered(network, p) < 3) for p in (few, more))
    assert after < 0.7 * before
    assert np.bincount(np.ravel(more)).max() <= 12
    assert more == sorted(set(more))


def test_where_every_point_lies_in_enough_pairs_none_is_added() -> None:
    network = box_scene().network
    every = sorted(
        {(min(v, n.view), max(v, n.view)) for v, row in enumerate(ranked(network)) for n in row}
    )
    seen = pairs.visibility(network)
    assert pairs.add_where_thin(every, ranked(network), seen, 99) == every
    chosen = pairs.choose_pairs(network, ranked(network), 4)
    assert pairs.add_where_thin(chosen, ranked(network), seen, 0) == chosen


def test_no_pair_is_added_under_an_angle_that_cannot_be_matched() -> None:
    network = box_scene().network
    angle = {
        (min(v, n.view), max(v, n.view)): n.angle_deg
        for v, row in enumerate(ranked(network))
        for n in row
    }
    added = pairs.add_where_thin([], ranked(network), pairs.visibility(network), 20)
    assert added
    assert max(angle[p] for p in added) <= pairs.WIDEST_ANGLE_DEG + 5.0


def test_photos_that_cannot_be_a_pair_leave_their_place_to_others() -> None:
    """Every second pair of the first choice is called impossible: none of them is chosen, and no
    photo has fewer partners for it."""
    network = box_scene().network
    seen = pairs.visibility(network)
    first = pairs.choose_pairs(network, ranked(network), 3)
    barred = set(first[::2])

    def usable(i: int, j: int) -> bool:
        return (min(i, j), max(i, j)) not in barred

    chosen = pairs.choose_pairs(network, ranked(network), 3, usable)
    assert not barred & set(chosen)
    assert np.bincount(np.ravel(chosen), minlength=12).min() >= 3
    more = pairs.add_where_thin(chosen, ranked(network), seen, 8, usable)
    assert set(chosen) <= set(more)
    assert not barred & set(more)


def test_which_pairs_are_possible_is_what_rectification_says() -> None:
    network = box_scene().network
    seen = pairs.visibility(network)
    ahead = type(network.views[0])(
        "ahead", network.views[0].path, network.views[0].camera, network.views[0].cam_from_enu
    )
    ahead.cam_from_enu[2, 3] += 1.0  # a metre back along the optical axis
    matrix = type(seen.matrix)(seen.matrix.toarray()[[0, 1, 0]])
    usable = pairs.rectifiable(
        (network.views[0], network.views[1], ahead), pairs.Visibility(matrix, seen.points_enu_m)
    )
    assert usable(0, 1)
    assert usable(1, 0)
    assert not usable(0, 2)


def test_points_without_tracks_are_seen_where_they_project() -> None:
    network = box_scene().network
    n = len(network.sparse.points_enu_m)
    bare = type(network.sparse)(
        network.sparse.points_enu_m, network.sparse.colors, np.zeros(n + 1, np.int64),
        np.zeros(0, np.int32), np.zeros((0, 2)),
    )  # fmt: skip
    without = CameraNetwork(network.views, bare, network.frame, network.accuracy)
    seen = pairs.visibility(without).matrix.toarray()
    tracked = pairs.visibility(network).matrix.toarray()
    assert np.all(seen[tracked > 0] == 1)


def test_an_empty_cloud_is_a_cloud() -> None:
    cloud = fuse.concatenate([])
    assert cloud.points_enu_m.shape == (0, 3)
