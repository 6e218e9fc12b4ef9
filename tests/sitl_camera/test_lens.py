from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam.errors import InputError
from sitl.lens import Pose, SimCamera, camera_rotation
from sitl.raster import undistort_factor, undistort_table

CAMERA = SimCamera()
ANGLE = st.floats(-180.0, 180.0)


@given(st.floats(0.0, CAMERA.width_px), st.floats(0.0, CAMERA.height_px), st.floats(0.5, 200.0))
def test_a_pixels_ray_projects_back_onto_it(x: float, y: float, depth: float) -> None:
    pixel = np.array([[x, y]])
    back = CAMERA.project(depth * CAMERA.rays(pixel))
    np.testing.assert_allclose(back, pixel, atol=1e-8)


def test_projection_agrees_with_opencv() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform([-6, -4, 10], [6, 4, 30], (200, 3))
    matrix = np.array(
        [[CAMERA.focal_px, 0, CAMERA.cx_px], [0, CAMERA.focal_px, CAMERA.cy_px], [0, 0, 1]]
    )
    coefficients = np.array([CAMERA.k1, CAMERA.k2, 0.0, 0.0])
    expected, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, coefficients)
    np.testing.assert_allclose(CAMERA.project(points), expected.reshape(-1, 2), atol=1e-9)


def test_the_kernels_table_undistorts_like_the_exact_solution() -> None:
    table = CAMERA.undistort_table()
    r2_max = CAMERA.lens[5]
    distorted = np.sqrt(np.linspace(0.0, r2_max, 1237))
    factors = np.array([undistort_factor(r * r, table, r2_max) for r in distorted])
    radius = distorted * factors
    again = radius * (1.0 + CAMERA.k1 * radius**2 + CAMERA.k2 * radius**4)
    assert np.abs(again - distorted).max() * CAMERA.focal_px < 1e-5


def test_no_distortion_leaves_rays_alone() -> None:
    np.testing.assert_array_equal(undistort_table(0.0, 0.0, 0.8), 1.0)


def test_a_point_behind_the_camera_or_far_outside_its_field_has_no_pixel() -> None:
    assert np.isnan(CAMERA.project(np.array([[0.0, 0.0, -1.0], [9.0, 0.0, 1.0]]))).all()


def test_a_nadir_camera_facing_north_has_east_to_the_right_and_south_below() -> None:
    np.testing.assert_allclose(
        camera_rotation(0.0, -90.0, 0.0), [[1, 0, 0], [0, -1, 0], [0, 0, -1]], atol=1e-12
    )


@pytest.mark.parametrize(
    ("yaw_deg", "pitch_deg", "forward"),
    [
        (0.0, 0.0, (0.0, 1.0, 0.0)),
        (90.0, 0.0, (1.0, 0.0, 0.0)),
        (180.0, -45.0, (0.0, -math.sqrt(0.5), -math.sqrt(0.5))),
    ],
)
def test_the_camera_looks_where_yaw_and_pitch_say(
    yaw_deg: float, pitch_deg: float, forward: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(camera_rotation(yaw_deg, pitch_deg, 0.0)[2], forward, atol=1e-12)


def test_positive_roll_lowers_the_cameras_right_side() -> None:
    assert camera_rotation(0.0, 0.0, 10.0)[0, 2] == pytest.approx(-math.sin(math.radians(10.0)))


@given(ANGLE, st.floats(-90.0, 30.0), ANGLE)
def test_attitudes_are_rotations(yaw: float, pitch: float, roll: float) -> None:
    rotation = camera_rotation(yaw, pitch, roll)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_a_resized_camera_sees_the_same_field() -> None:
    small = CAMERA.resized(500)
    point = np.array([[3.0, -2.0, 12.0]])
    np.testing.assert_allclose(small.project(point) * 4.0, CAMERA.project(point), atol=1e-9)


def test_the_true_focal_length_is_near_the_data_sheets() -> None:
    nominal_px = CAMERA.focal_mm / CAMERA.pixel_mm
    assert 0.0 < abs(CAMERA.focal_px / nominal_px - 1.0) < 0.01
    diagonal = math.hypot(CAMERA.sensor_width_mm, CAMERA.sensor_height_mm)
    # 35 mm equivalence by the diagonal (CIPA DCG-001), rounded to whole millimetres.
    assert round(CAMERA.focal_mm * math.hypot(36.0, 24.0) / diagonal) == CAMERA.focal_35mm


def test_a_camera_without_pixels_is_refused() -> None:
    with pytest.raises(InputError, match="outside 16"):
        SimCamera(width_px=4)


def test_a_moved_pose_shifts_its_centre_only() -> None:
    pose = Pose(np.zeros(3), np.eye(3)).moved((1.0, 2.0, 3.0), 0.5)
    np.testing.assert_allclose(pose.centre_enu_m, [0.5, 1.0, 1.5])
