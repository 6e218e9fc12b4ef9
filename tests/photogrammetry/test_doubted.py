"""Positions judged after the adjustment: a bent block's good ones count, a wrong one does not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras import georef
from droneteam.photogrammetry.cameras.adjust import AdjustParams, adjust
from droneteam.photogrammetry.cameras.control_checks import without_itself
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmResult
from droneteam.photogrammetry.scene import Camera, CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import ORIGIN, Network

RTK = (0.015, 0.015, 0.03)
LENS = Camera("OPENCV", 1600, 1200, (1400.0, 1400.0, 803.0, 596.0, -0.08, 0.03, 4e-4, -3e-4))
PLAIN = Camera("OPENCV", 1600, 1200, (1420.0, 1420.0, 800.0, 600.0, 0.0, 0.0, 0.0, 0.0))


@cache
def bent(seed: int) -> tuple[Network, SfmResult]:
    """Nine photos straight down from one height, and what a poorer lens makes of them."""
    ticks = (-9.0, 0.0, 9.0)
    poses = [
        networks.looking(np.array([east, north, 30.0]), 180.0 * (strip % 2), -90.0)
        for strip, east in enumerate(ticks)
        for north in ticks
    ]
    truth = networks.network(poses, camera=LENS, seed=seed)
    first = networks.sfm_result(truth, noise_px=0.4, seed=seed, start_camera=PLAIN)
    unplaced = networks.photo_inputs(truth, sigma_m=None, seed=seed, focal_prior_px=None)
    free = adjust(first, unplaced, params=AdjustParams(self_calibrate=False))
    group = replace(first.groups[0], views=free.views, sparse=free.sparse)
    return truth, SfmResult((group,), ())


def moved(photos: list[PhotoInput], index: int, by_m: tuple[float, float, float]) -> PhotoInput:
    """The photo with a position that is wrong by so much."""
    at = photos[index].position
    assert at is not None
    enu = EnuFrame(at)
    there = enu.geodetic_from_enu(np.array(by_m))
    return replace(photos[index], position=GeoPoint(*(float(v) for v in there)))


def errors_m(net: CameraNetwork, truth: Network) -> FloatArray:
    """(n,) how far the cameras lie from the truth."""
    assert net.frame.origin is not None
    centres = np.array([view.centre_enu_m for view in net.views])
    there = EnuFrame(net.frame.origin).geodetic_from_enu(centres)
    true = np.array([view.centre_enu_m for view in truth.views])
    return np.asarray(np.linalg.norm(EnuFrame(ORIGIN).enu_from_geodetic(there) - true, axis=1))


def said_of_positions(net: CameraNetwork) -> list[str]:
    return [text for text in net.accuracy.warnings if "contradict" in text]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bent_blocks_good_positions_count_although_a_rigid_fit_rejects_them(seed: int) -> None:
    truth, sfm = bent(seed)
    photos = networks.photo_inputs(truth, sigma_m=RTK, seed=seed + 100)
    assert len(georef.placement(sfm.groups[0], photos).used) < len(photos)
    net = adjust(sfm, photos)
    assert said_of_positions(net) == []
    rms_m = float(np.sqrt((errors_m(net, truth) ** 2).mean()))
    assert 0.005 < rms_m < 0.035


def test_a_wrong_position_that_the_bend_meets_is_found_and_those_it_displaced_return() -> None:
    """The rigid fit keeps the wrong one and rejects two good ones."""
    truth, sfm = bent(1)
    photos = networks.photo_inputs(truth, sigma_m=RTK, seed=101)
    photos[5] = moved(photos, 5, (0.11, 0.26, 0.10))
    used = {photo.name for photo in georef.placement(sfm.groups[0], photos).used}
    assert photos[5].name in used
    assert len(used) < len(photos)
    net = adjust(sfm, photos)
    (said,) = said_of_positions(net)
    assert said.startswith(photos[5].name)
    assert known(said)
    assert float(np.sqrt((errors_m(net, truth) ** 2).mean())) < 0.04


def test_positions_of_a_receiver_that_flatters_itself_are_not_rejected_one_after_the_other() -> (
    None
):
    """Stated five times better than they are, all of them: judged by what they show."""
    truth = networks.network(networks.block_poses() + networks.orbit_poses(3), n_points=120)
    photos = networks.photo_inputs(truth, sigma_m=(0.1, 0.1, 0.15), seed=3)
    proud = [replace(photo, position_sigma_m=(0.02, 0.02, 0.03)) for photo in photos]
    net = adjust(networks.sfm_result(truth, noise_px=0.4, seed=1), proud)
    assert len(said_of_positions(net)) <= 1
    assert float(np.sqrt((errors_m(net, truth) ** 2).mean())) < 0.12


def test_noise_alone_makes_no_position_wrong() -> None:
    for seed in range(3):
        truth = networks.network(networks.block_poses(), n_points=80, seed=seed)
        photos = networks.photo_inputs(truth, sigma_m=RTK, seed=seed + 50)
        net = adjust(networks.sfm_result(truth, noise_px=0.4, seed=seed), photos)
        assert said_of_positions(net) == []


def test_what_an_observation_would_miss_by_without_itself_is_what_the_others_say() -> None:
    """The mean of many with one far off, in closed form."""
    others, sigma_m = np.full((8, 3), 1.0), np.full(3, 0.5)
    own = np.array([1.9, 1.0, 0.4])
    mean = (others.sum(axis=0) + own) / 9.0
    shift, distance2 = without_itself(own - mean, sigma_m, np.eye(3) * 0.25 / 9.0, 1e9)
    np.testing.assert_allclose(shift, own - 1.0, rtol=1e-9)
    variance = 0.25 + 0.25 / 8.0
    assert distance2 == pytest.approx((0.9**2 + 0.6**2) / variance, rel=1e-9)
