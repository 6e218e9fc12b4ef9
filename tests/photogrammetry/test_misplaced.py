"""A photo that its pixels put where its receiver was not is left out, and only that one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.misplaced import (
    misplaced_m,
    without_misplaced,
    without_views,
    wrong_positions_m,
)
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.control import NO_CONTROL, Control
from droneteam.photogrammetry.scene import Camera, SparseCloud, View
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known

CAMERA = Camera("PINHOLE", 2000, 1500, (1400.0, 1400.0, 1000.0, 750.0))
ORIGIN = EnuFrame(GeoPoint(50.82, 4.39, 100.0))
CENTRES = np.array([[6.0 * (i % 4), 5.0 * (i // 4), 17.0 + 0.3 * (i % 3)] for i in range(12)])
RTK = (0.015, 0.015, 0.03)


def views(centres: np.ndarray) -> tuple[View, ...]:
    """In a frame of the reconstruction's own: turned, shifted and a third of the size."""
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    down = np.diag([1.0, -1.0, -1.0])
    rows = []
    for i, centre in enumerate(centres @ turn.T / 3.0 + 5.0):
        pose = np.column_stack([down, -down @ centre])
        rows.append(View(f"{i}.jpg", Path(f"{i}.jpg"), CAMERA, pose))
    return tuple(rows)


def photos(noise_m: float = 0.0) -> list[PhotoInput]:
    generator = np.random.default_rng(3)
    rows = ORIGIN.geodetic_from_enu(CENTRES + generator.normal(0.0, noise_m, CENTRES.shape))
    return [
        PhotoInput(
            name=f"{i}.jpg",
            path=Path(f"{i}.jpg"),
            width_px=2000,
            height_px=1500,
            camera_key="c",
            position=GeoPoint(*map(float, row)),
            position_sigma_m=RTK,
        )
        for i, row in enumerate(rows)
    ]


def moved(index: int, by_m: tuple[float, float, float]) -> np.ndarray:
    centres = CENTRES.copy()
    centres[index] += by_m
    return centres


def test_views_where_their_receivers_were_all_stay() -> None:
    assert misplaced_m(views(CENTRES), photos(noise_m=0.02)) == {}


def test_one_view_far_from_its_receiver_is_found_with_its_distance() -> None:
    found = misplaced_m(views(moved(4, (-16.6, -12.1, 0.2))), photos(noise_m=0.02))
    assert list(found) == ["4.jpg"]
    assert found["4.jpg"] == pytest.approx(20.5, abs=0.3)


def test_a_small_error_is_left_to_the_adjustment() -> None:
    assert misplaced_m(views(moved(4, (0.3, 0.2, 0.1))), photos(noise_m=0.02)) == {}


def test_consumer_receivers_excuse_metres() -> None:
    vague = [replace(photo, position_sigma_m=(3.0, 3.0, 6.0)) for photo in photos()]
    assert misplaced_m(views(moved(4, (8.0, 0.0, 0.0))), vague) == {}


def test_without_positions_nothing_is_judged() -> None:
    none = [replace(photo, position=None) for photo in photos()]
    assert misplaced_m(views(moved(4, (-16.0, 0.0, 0.0))), none) == {}


def group() -> SfmGroup:
    """Three tracks: views 0, 4, 5; views 4, 5; views 0, 1, 2."""
    sparse = SparseCloud(
        points_enu_m=np.arange(9.0).reshape(3, 3),
        colors=np.arange(9, dtype=np.uint8).reshape(3, 3),
        track_offsets=np.array([0, 3, 5, 8], np.int64),
        track_views=np.array([0, 4, 5, 4, 5, 0, 1, 2], np.int32),
        track_pixels=np.arange(16.0).reshape(8, 2),
    )
    return SfmGroup(views(moved(4, (-16.6, -12.1, 0.2))), sparse, 0.5, 10, 10, "incremental")


def test_a_removed_view_takes_its_observations_along() -> None:
    left = without_views(group(), frozenset({"4.jpg"}))
    assert [view.name for view in left.views] == [f"{i}.jpg" for i in range(12) if i != 4]
    sparse = left.sparse
    np.testing.assert_array_equal(sparse.points_enu_m, [[0.0, 1.0, 2.0], [6.0, 7.0, 8.0]])
    np.testing.assert_array_equal(sparse.track_offsets, [0, 2, 5])
    np.testing.assert_array_equal(sparse.track_views, [0, 4, 0, 1, 2])
    np.testing.assert_array_equal(sparse.track_pixels[:2], [[0.0, 1.0], [4.0, 5.0]])


def test_the_photo_is_named_with_the_reason() -> None:
    result = without_misplaced(SfmResult((group(),), ()), photos())
    ((name, reason),) = result.unregistered
    assert name == "4.jpg"
    assert "20.5 m from where its receiver was" in reason


# --- the position errs, not the photo -----------------------------------------------------------


def flown(
    off_m: dict[int, tuple[float, float, float]],
) -> tuple[networks.Network, SfmResult, list[PhotoInput]]:
    """A block of 16 photos whose matches are right, and positions of which some are off."""
    truth = networks.network(networks.block_poses(side=4, spacing_m=5.0), n_points=150, seed=3)
    photos = networks.photo_inputs(truth, sigma_m=RTK, seed=4, known=True)
    for index, by_m in off_m.items():
        at = photos[index].position
        assert at is not None
        enu = EnuFrame(networks.ORIGIN)
        row = np.array([at.lat_deg, at.lon_deg, at.alt_ellipsoid_m])
        moved_to = enu.geodetic_from_enu(enu.enu_from_geodetic(row) + by_m)
        photos[index] = replace(photos[index], position=GeoPoint(*map(float, moved_to)))
    return truth, networks.sfm_result(truth, noise_px=0.4, seed=5), photos


def off_truth_m(found: tuple[View, ...], truth: networks.Network, origin: GeoPoint) -> np.ndarray:
    here, there = EnuFrame(origin), EnuFrame(networks.ORIGIN)
    true = {view.name: view.centre_enu_m for view in truth.views}
    placed = there.enu_from_geodetic(
        here.geodetic_from_enu(np.array([view.centre_enu_m for view in found]))
    )
    return np.linalg.norm(placed - np.array([true[view.name] for view in found]), axis=1)


@pytest.mark.parametrize("with_control", [False, True])
@pytest.mark.parametrize(
    "off_m", [{5: (2.0, 0.0, 0.0)}, {2: (1.2, -1.9, 0.4), 9: (0.0, 0.0, -3.0)}]
)
def test_a_position_metres_off_costs_the_position_and_not_the_photo(
    off_m: dict[int, tuple[float, float, float]], with_control: bool
) -> None:
    truth, sfm, photos = flown(off_m)
    control: Control = NO_CONTROL
    if with_control:
        control = networks.control_of(truth, [0, 1, 2, 3, 4], seed=6)
    net = adjust(sfm, photos, control)
    assert len(net.views) == 16
    assert net.unregistered == ()
    assert net.frame.origin is not None
    assert 0.0 < off_truth_m(net.views, truth, net.frame.origin).max() < 0.06
    said = [w for w in net.accuracy.warnings if "from where its matches put it" in w]
    assert len(said) == len(off_m)
    for index, text in zip(sorted(off_m), sorted(said), strict=True):
        assert text.startswith(f"photo_{index:03d}.jpg: position lies ")
        assert known(text)


def test_many_such_positions_are_one_sentence() -> None:
    _, sfm, photos = flown({i: (1.5 + 0.1 * i, 0.0, 0.0) for i in (0, 5, 10, 15)})
    (said,) = [
        w for w in adjust(sfm, photos).accuracy.warnings if "from where its matches put it" in w
    ]
    assert said.startswith("of each of 4 photos the position lies ")
    assert known(said)


def test_a_photo_that_hangs_by_few_matches_is_left_out_all_the_same() -> None:
    _, sfm, photos = flown({5: (2.0, 0.0, 0.0)})
    assert list(wrong_positions_m(sfm, photos)) == ["photo_005.jpg"]
    cloud = sfm.groups[0].sparse
    kept = np.ones(len(cloud.track_views), bool)
    kept[np.flatnonzero(cloud.track_views == 5)[10:]] = False
    track = np.repeat(np.arange(len(cloud.points_enu_m)), np.diff(cloud.track_offsets))
    lengths = np.bincount(track[kept], minlength=len(cloud.points_enu_m))
    thin = replace(
        cloud,
        track_offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        track_views=cloud.track_views[kept],
        track_pixels=cloud.track_pixels[kept],
    )
    weak = replace(sfm, groups=(replace(sfm.groups[0], sparse=thin),))
    assert wrong_positions_m(weak, photos) == {}
    ((name, _),) = without_misplaced(weak, photos).unregistered
    assert name == "photo_005.jpg"


def test_a_place_beyond_the_photos_own_ground_is_a_misplaced_photo() -> None:
    _, sfm, photos = flown({5: (11.5, 0.0, 0.0)})
    assert list(misplaced_m(sfm.groups[0].views, photos)) == ["photo_005.jpg"]
    assert wrong_positions_m(sfm, photos) == {}
