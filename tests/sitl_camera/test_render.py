from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from sitl.lens import Pose, SimCamera
from sitl.render import depth_map, developed, radiance, render, row_time_s, true_pixels
from sitl.world import World
from tests.sitl_camera.conftest import looking

SHARP = SimCamera(noise=0.0, vignetting=0.0).resized(1000)


def over(world: World, name: str, up: float, yaw_deg: float = 30.0) -> Pose:
    east, north, ground = world.point(name).enu_m
    return looking((east + 0.3, north - 0.2, ground + up), yaw_deg)


def found_centre(image: np.ndarray, near_px: np.ndarray) -> np.ndarray:
    """Where OpenCV finds the corner between the quadrants: it knows nothing of the renderer."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    start = (near_px - 0.5 + [0.7, -0.6]).astype(np.float32).reshape(1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-4)
    found = cv2.cornerSubPix(grey, start, (4, 4), (-1, -1), stop)
    return np.asarray(found).reshape(2) + 0.5  # OpenCV counts from the pixel's centre


def test_targets_are_imaged_where_their_points_project(accident: World) -> None:
    offsets = []
    for point in accident.points:
        if point.kind in ("gcp", "check"):
            pose = over(accident, point.name, 4.0, 25.0 * len(offsets))
            pixel = true_pixels(SHARP, pose, np.array([point.enu_m]))[0]
            offsets.append(found_centre(render(accident, SHARP, pose, 1), pixel) - pixel)
    assert np.linalg.norm(offsets, axis=1).max() < 0.2
    assert np.linalg.norm(np.mean(offsets, axis=0)) < 0.05


def test_depth_projects_every_pixel_back_onto_a_surface(accident: World, camera: SimCamera) -> None:
    pose = looking((-7.0, -9.0, 9.0), 35.0, -40.0)
    depth = depth_map(accident, camera, pose)
    rng = np.random.default_rng(1)
    rows, columns = rng.integers(0, depth.shape[0], 150), rng.integers(0, depth.shape[1], 150)
    rays = camera.rays(np.stack([columns + 0.5, rows + 0.5], axis=1)) @ pose.cam_from_enu
    expected = accident.first_hits(np.tile(pose.centre_enu_m, (150, 1)), rays)
    np.testing.assert_allclose(depth[rows, columns], expected, rtol=1e-6)


def test_the_depth_of_the_road_is_the_height_above_it(accident: World, camera: SimCamera) -> None:
    pose = over(accident, "gcp_7", 10.0)
    depth = depth_map(accident, camera, pose)
    pixel = true_pixels(camera, pose, np.array([accident.point("gcp_7").enu_m]))[0]
    assert depth[int(pixel[1]), int(pixel[0])] == pytest.approx(10.0, abs=0.002)


def test_the_same_pose_and_seed_give_the_same_photo(accident: World) -> None:
    noisy = SimCamera().resized(240)
    pose = looking((0.0, 0.0, 9.0))
    first = render(accident, noisy, pose, 4)
    np.testing.assert_array_equal(first, render(accident, noisy, pose, 4))
    assert (first != render(accident, noisy, pose, 5)).mean() > 0.2


def test_textures_are_filtered_by_the_pixels_footprint(accident: World) -> None:
    """A coarse photo is what a fine one shows when its pixels are averaged: no aliasing."""
    pose = looking((3.0, -1.0, 12.0), 20.0)
    coarse_camera = replace(SHARP.resized(250), psf_px=0.0)
    coarse = radiance(accident, coarse_camera, pose)
    fine = radiance(accident, coarse_camera.resized(1000), pose)
    averaged = fine.reshape(coarse.shape[0], 4, coarse.shape[1], 4, 3).mean(axis=(1, 3))
    error = coarse - averaged
    assert abs(error.mean()) < 0.02 * averaged.mean()
    assert np.sqrt((error**2).mean()) < 0.25 * averaged.std()
    assert np.corrcoef(coarse.ravel(), averaged.ravel())[0, 1] > 0.96


def test_the_road_has_texture_at_the_scale_of_a_pixel(accident: World) -> None:
    """What dense stereo lives on: grey values differ between neighbouring 10 mm pixels."""
    pose = over(accident, "gcp_7", 0.010 * SHARP.focal_px)
    grey = render(accident, SHARP, pose, 1).astype(float).mean(axis=2)
    east, north, _ = accident.point("gcp_7").enu_m
    spot = np.array([[east + 0.9, north + 0.2, 0.02]])
    x, y = true_pixels(SHARP, pose, spot)[0].astype(int)
    patch = grey[y - 20 : y + 20, x - 20 : x + 20]
    detail = patch - cv2.GaussianBlur(patch, (0, 0), 2.0)
    assert 3.0 < detail.std() < 30.0


def test_two_photos_see_the_same_texture(accident: World) -> None:
    spot = np.add(accident.point("gcp_7").enu_m, [1.0, 0.4, 0.0])
    patches = []
    for offset in (-1.0, 1.5):
        pose = looking((float(spot[0]) + offset, float(spot[1]), 8.0), 0.0)
        camera = replace(SHARP, psf_px=0.6)
        x, y = true_pixels(camera, pose, spot[None])[0]
        grey = radiance(accident, camera, pose).mean(axis=2)
        map_x, map_y = np.meshgrid(np.arange(-16, 16) + x - 0.5, np.arange(-16, 16) + y - 0.5)
        patches.append(
            cv2.remap(
                cv2.GaussianBlur(grey, (0, 0), 0.7), map_x.astype(np.float32),
                map_y.astype(np.float32), cv2.INTER_CUBIC,
            )
        )  # fmt: skip
    assert np.corrcoef(patches[0].ravel(), patches[1].ravel())[0, 1] > 0.9


def test_the_sky_has_no_depth_but_light(accident: World, camera: SimCamera) -> None:
    pose = looking((0.0, 0.0, 10.0), 0.0, 20.0)
    assert np.isinf(depth_map(accident, camera, pose)[:20]).all()
    assert radiance(accident, camera, pose)[:20].min() > 0.1


def test_exposure_noise_and_vignetting_act_as_they_say() -> None:
    flat = np.full((120, 160, 3), 0.2, np.float32)
    plain = SimCamera(noise=0.0, vignetting=0.0).resized(160)
    reference = developed(flat, plain, 1)
    assert np.ptp(reference) == 0
    assert developed(flat, replace(plain, exposure=2.0), 1).mean() > reference.mean() + 20
    noisy = developed(flat, replace(plain, noise=4.0), 1).astype(float)
    assert abs(noisy.mean() - reference.mean()) < 1.0
    assert 1.0 < noisy.std() < 12.0
    dark = developed(flat, replace(plain, vignetting=0.5), 1)
    assert dark[60, 80, 1] == reference[60, 80, 1] > dark[0, 0, 1] + 20


def test_a_rolling_shutter_moves_the_rows_by_the_flight_meanwhile(accident: World) -> None:
    camera = replace(SHARP.resized(500), rolling_shutter_s=0.02)
    name, velocity = "gcp_7", (6.0, 0.0, 0.0)
    east, north, ground = accident.point(name).enu_m
    for aside in (-1.4, 1.4):
        pose = looking((east, north + aside, ground + 5.0), 0.0)
        still = true_pixels(replace(camera, rolling_shutter_s=0.0), pose, _at(accident, name))[0]
        moving = true_pixels(camera, pose, _at(accident, name), velocity)[0]
        shift = -6.0 * row_time_s(camera, moving[1]) * camera.focal_px / 5.0
        assert moving[0] - still[0] == pytest.approx(shift, rel=0.03)
        assert abs(shift) > 1.5
        image = render(accident, camera, pose, 1, velocity)
        assert np.linalg.norm(found_centre(image, moving) - moving) < 0.25


def test_motion_blur_is_the_still_photo_smeared_along_the_flight(accident: World) -> None:
    camera = replace(SHARP.resized(300), motion_blur=True, exposure_time_s=1 / 50)
    east, north, ground = accident.point("gcp_7").enu_m
    pose = looking((east, north, ground + 5.0), 0.0)
    still = radiance(accident, camera, pose)
    moving = radiance(accident, camera, pose, (5.0, 0.0, 0.0))
    length_px = 5.0 / 50 * camera.focal_px / 5.0
    smeared = cv2.blur(still, (2 * round((length_px - 1) / 2) + 1, 1))
    inner = np.s_[20:-20, 20:-20]
    left = np.sqrt(((moving - smeared)[inner] ** 2).mean())
    assert left < 0.3 * np.sqrt(((moving - still)[inner] ** 2).mean())


def _at(world: World, name: str) -> np.ndarray:
    return np.array([world.point(name).enu_m])
