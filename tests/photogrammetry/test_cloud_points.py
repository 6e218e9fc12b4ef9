"""Points of the cloud measured, on a wall too, with intervals that hold the truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry.measuring import cloud_points
from droneteam.photogrammetry.measuring.requests import (
    SurfaceRequest,
    placed,
    points_enu,
    request_document,
    request_of,
)
from droneteam.photogrammetry.scene import DenseCloud, Frame, Measurement
from tests.photogrammetry.networks import ORIGIN, block_poses, network, orbit_poses
from tests.photogrammetry.test_marking import cameras_of

NETWORK = cameras_of(network([*block_poses(), *orbit_poses(4)], n_points=40, seed=5))
FRAME = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
CELL_M, SIGMA_M = 0.02, 0.01
FOOT, TOP = np.array([1.0, 0.0, 0.0]), np.array([1.0, 0.0, 2.0])


def wall(noise_m: float = 0.0, seed: int = 0) -> DenseCloud:
    """A wall of 2 m whose foot and top are points of the cloud."""
    rng = np.random.default_rng(seed)
    points = np.vstack([FOOT, TOP, rng.uniform([1, -3, 0.3], [1, 3, 1.7], (2000, 3))])
    points += noise_m * rng.standard_normal(points.shape)
    count = len(points)
    return DenseCloud(
        points, np.zeros((count, 3), np.float32), np.zeros((count, 3), np.uint8),
        np.full(count, SIGMA_M, np.float32), np.full(count, 4, np.uint8),
    )  # fmt: skip


def measured(cloud: DenseCloud, kind: str, *points: np.ndarray) -> Measurement:
    return cloud_points.from_cloud(NETWORK, cloud, kind, np.array(points), cell_m=CELL_M)


def test_the_height_of_a_wall_is_measured_where_a_surface_has_but_one_height() -> None:
    found = measured(wall(), "height", FOOT + 0.01, TOP - 0.01)
    assert found.value == pytest.approx(2.0, abs=1e-9)  # of the cloud's points, not of the taps
    own = 1.96 * np.hypot(SIGMA_M, 0.5 * CELL_M) * np.sqrt(2.0)
    half = (found.ci95_high - found.ci95_low) / 2.0
    assert own * 0.99 < half < 3.0 * own
    assert len(found.photos) >= 2


@pytest.mark.parametrize("kind", ["distance", "height"])
def test_the_interval_holds_the_truth(kind: str) -> None:
    held = 0
    for seed in range(40):
        found = measured(wall(SIGMA_M, seed), kind, FOOT, TOP)
        held += found.ci95_low <= 2.0 <= found.ci95_high
    assert held >= 36


def test_away_from_every_point_nothing_is_determined_and_it_says_where() -> None:
    found = measured(wall(), "distance", FOOT, np.array([1.0, 0.0, 5.0]))
    assert not found.determined
    assert "5.00 m up" in found.note
    assert "0.08 m" in found.note


@pytest.mark.parametrize("kind", cloud_points.NOT_BETWEEN_POINTS)
def test_what_is_of_a_whole_surface_takes_no_heights(kind: str) -> None:
    with pytest.raises(InputError):
        measured(wall(), kind, FOOT, TOP, FOOT)
    with pytest.raises(InputError):
        SurfaceRequest(kind, ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)), heights_m=(0.0, 0.0, 0.0))


def test_every_place_has_its_height_or_none_has() -> None:
    with pytest.raises(InputError, match="every place"):
        SurfaceRequest("distance", ((0.0, 0.0), (1.0, 0.0)), heights_m=(1.0,))


def test_the_question_is_the_same_on_the_earth_and_after_being_kept() -> None:
    asked = SurfaceRequest("distance", ((1.0, 0.0), (1.0, 0.5)), heights_m=(0.0, 2.0))
    kept = request_of(request_document(placed(asked, FRAME)))
    assert isinstance(kept, SurfaceRequest)
    assert kept.geographic
    assert np.allclose(points_enu(FRAME, kept), [[1, 0, 0], [1, 0.5, 2]], atol=1e-6)
    moved = EnuFrame(ORIGIN).geodetic_from_enu(points_enu(FRAME, asked))
    assert np.allclose(kept.heights_m, moved[:, 2])


def test_questions_that_were_kept_before_there_were_heights_are_read() -> None:
    asked = SurfaceRequest("distance", ((1.0, 0.0), (1.0, 0.5)))
    document = request_document(asked)
    del document["heights_m"]
    assert request_of(document) == asked
    assert "heights_m" in {field.name for field in dataclasses.fields(SurfaceRequest)}
