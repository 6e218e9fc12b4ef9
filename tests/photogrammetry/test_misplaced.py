"""A photo that its pixels put where its receiver was not is left out, and only that one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras.misplaced import misplaced_m, without_misplaced, without_views
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmGroup, SfmResult
from droneteam.photogrammetry.scene import Camera, SparseCloud, View

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
