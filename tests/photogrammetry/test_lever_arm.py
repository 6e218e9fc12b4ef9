"""Positions of an antenna: the arm to the camera is found where headings tell it from a shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.cameras.adjust import adjust
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.scene import CameraNetwork, FloatArray
from tests.photogrammetry import networks
from tests.photogrammetry.languages import known
from tests.photogrammetry.networks import ORIGIN, Network, photo_inputs, sfm_result

RTK = (0.015, 0.015, 0.03)
FORWARD_M, RIGHT_M = 0.18, -0.06


def block() -> Network:
    """A nadir block of opposite strips, and a ring that looks at the middle."""
    poses = networks.block_poses(side=4, spacing_m=7.0) + networks.orbit_poses()
    return networks.network(poses, n_points=220, relief_m=3.0, seed=4)


def headings_deg() -> list[float]:
    """The strips to and fro, the ring facing the middle."""
    return [180.0 * (i // 4 % 2) for i in range(16)] + [180.0 + 45.0 * i for i in range(8)]


def with_arm(
    photos: list[PhotoInput], headings: list[float], forward_m: float, right_m: float
) -> list[PhotoInput]:
    """The positions moved from the camera to the antenna, in plain trigonometry."""
    enu = EnuFrame(ORIGIN)
    moved = []
    for photo, heading in zip(photos, headings, strict=True):
        at = photo.position
        assert at is not None
        yaw = np.radians(heading)
        offset = np.array(
            [
                forward_m * np.sin(yaw) + right_m * np.cos(yaw),
                forward_m * np.cos(yaw) - right_m * np.sin(yaw),
                0.0,
            ]
        )
        place = enu.enu_from_geodetic([[at.lat_deg, at.lon_deg, at.alt_ellipsoid_m]])[0] + offset
        position = GeoPoint(*map(float, enu.geodetic_from_enu(place)))
        moved.append(replace(photo, position=position, heading_deg=heading))
    return moved


def errors_m(net: CameraNetwork, truth: Network) -> FloatArray:
    assert net.frame.origin is not None
    here, there = EnuFrame(net.frame.origin), EnuFrame(ORIGIN)
    centres = np.array([v.centre_enu_m for v in net.views])
    moved = there.enu_from_geodetic(here.geodetic_from_enu(centres))
    return np.asarray(moved - [v.centre_enu_m for v in truth.views])


def solved(truth: Network, photos: list[PhotoInput]) -> CameraNetwork:
    return adjust(sfm_result(truth, noise_px=0.3, seed=1), photos)


def notes(net: CameraNetwork) -> list[str]:
    return [w for w in net.accuracy.warnings if "lever arm" in w]


def test_an_arm_is_found_with_its_direction_and_said() -> None:
    truth = block()
    photos = photo_inputs(truth, sigma_m=RTK, seed=2)
    net = solved(truth, with_arm(photos, headings_deg(), FORWARD_M, RIGHT_M))
    (note,) = notes(net)
    assert known(note)
    words = note.split()
    forward, right = float(words[3]), float(words[7])
    assert forward == pytest.approx(FORWARD_M, abs=0.015)
    assert right == pytest.approx(RIGHT_M, abs=0.015)
    assert np.sqrt((errors_m(net, truth)[:, :2] ** 2).mean()) < 0.015


def test_without_headings_it_cannot_be_found_and_bends_the_cameras() -> None:
    truth = block()
    photos = with_arm(photo_inputs(truth, sigma_m=RTK, seed=2), headings_deg(), FORWARD_M, RIGHT_M)
    blind = solved(truth, [replace(photo, heading_deg=None) for photo in photos])
    assert notes(blind) == []
    assert np.sqrt((errors_m(blind, truth)[:, :2] ** 2).mean()) > 0.03


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
def test_positions_of_the_camera_get_no_arm(seed: int) -> None:
    truth = block()
    photos = with_arm(photo_inputs(truth, sigma_m=RTK, seed=seed), headings_deg(), 0.0, 0.0)
    with_headings = solved(truth, photos)
    assert notes(with_headings) == []


def test_one_heading_cannot_tell_an_arm_from_a_shift() -> None:
    truth = block()
    photos = with_arm(photo_inputs(truth, sigma_m=RTK, seed=2), [0.0] * 24, FORWARD_M, RIGHT_M)
    assert notes(solved(truth, photos)) == []


def test_a_plain_receiver_is_too_coarse() -> None:
    truth = block()
    photos = photo_inputs(truth, sigma_m=(3.0, 3.0, 6.0), seed=2)
    assert notes(solved(truth, with_arm(photos, headings_deg(), FORWARD_M, RIGHT_M))) == []
