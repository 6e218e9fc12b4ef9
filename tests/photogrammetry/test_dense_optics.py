"""Cameras map directions to pixels as OpenCV does, half a pixel apart in convention."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.photogrammetry import optics
from droneteam.photogrammetry.scene import Camera, View
from tests.photogrammetry.box_world import look_at

FULL = Camera(
    "FULL_OPENCV",
    1000,
    800,
    (900.0, 905.0, 501.0, 398.0, -0.1, 0.05, 0.001, -0.002, 0.01, 0.02, 0.01, 0.003),
)
RADIAL = Camera("SIMPLE_RADIAL", 640, 480, (500.0, 320.0, 240.0, -0.05))


@pytest.mark.parametrize("camera", [FULL, RADIAL])
def test_projection_agrees_with_opencv(camera: Camera) -> None:
    pose = look_at((1.0, -2.0, 5.0), (0.0, 0.0, 0.0))
    points = np.random.default_rng(1).uniform(-1.5, 1.5, (200, 3))
    pixels, depth_m = optics.project(points, View("a", Path("a"), camera, pose))
    rotation, _ = cv2.Rodrigues(pose[:, :3])
    expected, _ = cv2.projectPoints(points, rotation, pose[:, 3], camera.matrix, camera.distortion)
    assert np.allclose(pixels, expected[:, 0], atol=1e-9)
    assert np.allclose(depth_m, points @ pose[2, :3] + pose[2, 3])


def test_a_point_behind_the_camera_has_no_pixel() -> None:
    view = View("a", Path("a"), RADIAL, look_at((0, 0, 5), (0, 0, 0)))
    pixels, depth_m = optics.project(np.array([[0.0, 0.0, 9.0]]), view)
    assert np.isnan(pixels).all()
    assert depth_m[0] < 0


@given(st.floats(-0.5, 0.5), st.floats(-0.4, 0.4))
@settings(max_examples=50, deadline=None)
def test_undistorting_undoes_distorting(x: float, y: float) -> None:
    point = np.array([[x, y]])
    there = optics.distort(point, FULL.distortion)
    assert np.allclose(optics.undistort(there, FULL.distortion), point, atol=1e-10)


def test_rays_point_back_to_the_projected_points() -> None:
    view = View("a", Path("a"), FULL, look_at((0, -4, 3), (0, 0, 0)))
    points = np.random.default_rng(2).uniform(-1, 1, (50, 3))
    pixels, depth_m = optics.project(points, view)
    local = optics.rays(pixels, FULL) * depth_m[:, None]
    assert np.allclose((local - view.cam_from_enu[:, 3]) @ view.cam_from_enu[:, :3], points)


def test_halving_a_photo_keeps_every_direction() -> None:
    """With pixel edges at integers the pixel (2x, 2y) of a photo is (x, y) of its half."""
    half = optics.scaled(FULL, 500, 400)
    pixels = np.array([[10.0, 20.0], [501.0, 398.0], [999.0, 1.0]])
    assert np.allclose(optics.rays(pixels / 2.0, half), optics.rays(pixels, FULL), atol=1e-12)


def test_a_lens_that_folds_back_is_cut_where_it_folds() -> None:
    """r (1 - 0.3 r²) turns at r = 1 / sqrt(0.9)."""
    camera = Camera("SIMPLE_RADIAL", 640, 480, (500.0, 320.0, 240.0, -0.3))
    assert optics.max_valid_radius(camera) == pytest.approx(1.0 / np.sqrt(0.9), abs=2e-3)
    pinhole = Camera("PINHOLE", 640, 480, (500.0, 500.0, 320.0, 240.0))
    assert optics.max_valid_radius(pinhole) == np.inf


def test_inside_counts_the_border_and_rejects_nan() -> None:
    pixels = np.array([[0.0, 0.0], [640.0, 480.0], [640.1, 1.0], [np.nan, 5.0], [5.0, 5.0]])
    assert optics.inside(pixels, RADIAL).tolist() == [True, True, False, False, True]
    assert optics.inside(pixels, RADIAL, 6.0).tolist() == [False] * 5
