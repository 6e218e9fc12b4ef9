"""From a world, a camera and a pose to an image or an exact depth map."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from sitl.jit import kernel
from sitl.lens import Pose, SimCamera
from sitl.mesh import Float32Array, FloatArray
from sitl.raster import inverse_factors, rasterise, rasterise_samples, screen_boxes
from sitl.shade import find_edges, shade_rows
from sitl.world import World

Uint8Array = NDArray[np.uint8]

SKY = np.array(
    [
        [1.95, 1.86, 1.68],  # sun
        [0.26, 0.38, 0.60],  # zenith
        [0.72, 0.76, 0.80],  # horizon
        [0.20, 0.19, 0.17],  # bounced from the ground
    ]
)
"""Radiance of the lights, scaled so that a white wall in the sun lies just below 1.9."""
Velocity = tuple[float, float, float]
AT_REST: Velocity = (0.0, 0.0, 0.0)
MOST_MOMENTS = 12
BAND_SHIFT_PX = 0.2
READ_NOISE = 0.0012
SHOT_NOISE = 0.0045
"""Sensor noise: standard deviation in the dark, and at full signal (grows with its root)."""


def render(
    world: World, camera: SimCamera, pose: Pose, seed: int, velocity_enu_mps: Velocity = AT_REST
) -> Uint8Array:
    """The photo, (height, width, 3) RGB; the seed draws the sensor's noise.

    The velocity matters only to a camera with motion blur or a rolling shutter.
    """
    return developed(radiance(world, camera, pose, velocity_enu_mps), camera, seed)


def radiance(
    world: World, camera: SimCamera, pose: Pose, velocity_enu_mps: Velocity = AT_REST
) -> Float32Array:
    """Linear light on every pixel before the sensor, (height, width, 3)."""
    shape = (camera.height_px, camera.width_px, 3)
    moments = _moments(camera, pose, velocity_enu_mps)
    total = np.zeros(shape, np.float32)
    for moment_s in moments:
        out = np.empty(shape, np.float32)
        for first, last in _bands(camera, pose, velocity_enu_mps):
            at_s = moment_s + row_time_s(camera, 0.5 * (first + last))
            _render_rows(world, camera, pose.moved(velocity_enu_mps, at_s), first, out[first:last])
        if len(moments) == 1:
            return out
        total += out / np.float32(len(moments))
    return total


def row_time_s(camera: SimCamera, row_px: float) -> float:
    """When a row is read, after the middle one."""
    return camera.rolling_shutter_s * (row_px / camera.height_px - 0.5)


def _speed_px_per_s(camera: SimCamera, pose: Pose, velocity: Velocity) -> float:
    """How fast the ground below runs through the image, at most about."""
    height = max(float(pose.centre_enu_m[2]), 1.0)
    return float(np.linalg.norm(velocity)) * camera.focal_px / height


def _moments(camera: SimCamera, pose: Pose, velocity: Velocity) -> list[float]:
    """Moments within the exposure whose mean is the motion blur, half a pixel apart."""
    blur_px = camera.exposure_time_s * _speed_px_per_s(camera, pose, velocity)
    if not camera.motion_blur or blur_px < 0.1:
        return [0.0]
    count = min(max(2, math.ceil(2.0 * blur_px)), MOST_MOMENTS)
    return [camera.exposure_time_s * ((k + 0.5) / count - 0.5) for k in range(count)]


def _bands(camera: SimCamera, pose: Pose, velocity: Velocity) -> list[tuple[int, int]]:
    """Bands of rows within which a rolling shutter moves the image less than BAND_SHIFT_PX."""
    shift_px = camera.rolling_shutter_s * _speed_px_per_s(camera, pose, velocity)
    count = min(max(1, math.ceil(shift_px / BAND_SHIFT_PX)), camera.height_px)
    edges = [round(k * camera.height_px / count) for k in range(count + 1)]
    return list(pairwise(edges))


def _render_rows(
    world: World, camera: SimCamera, pose: Pose, first_row: int, out: Float32Array
) -> None:
    """Fill out, (rows, width, 3), with the photo's rows from first_row on."""
    light, mesh = world.light, world.mesh
    depth, ident, corners, boxes = _visible(world, camera, pose, first_row, len(out))
    slots = np.full(ident.shape, -1, np.int32)
    count = find_edges(ident, depth, mesh.triangles, mesh.normals, mesh.materials, slots)
    table, samples = camera.undistort_table(), camera.samples
    sample_depth = np.full((count, samples * samples), np.inf, np.float32)
    sample_ident = np.full((count, samples * samples), -1, np.int32)
    rasterise_samples(
        corners, boxes, camera.lens, table, samples, first_row, slots, sample_depth, sample_ident
    )
    shade_rows(
        ident,
        slots,
        sample_ident,
        samples,
        first_row,
        camera.lens,
        table,
        np.ascontiguousarray(pose.cam_from_enu),
        pose.centre_enu_m,
        (mesh.points_enu_m, mesh.normals, mesh.texture, mesh.triangles, light.sky_at_vertices),
        (mesh.materials, mesh.parts, world.parts, world.seed * 131),
        (world.decals.rows, world.decals.starts, world.decals.items, world.decals.grid),
        (
            light.sun,
            light.shadow.axes,
            light.shadow.corner,
            light.shadow.cell_m,
            light.shadow.height,
            light.sky_on_ground,
            light.ground_grid,
        ),
        SKY,
        out,
    )


def visibility(
    world: World, camera: SimCamera, pose: Pose
) -> tuple[Float32Array, NDArray[np.int32]]:
    """Depth along the axis and triangle number at every pixel's centre; infinity and -1: sky."""
    depth, ident, _, _ = _visible(world, camera, pose, 0, camera.height_px)
    return depth, ident


def depth_map(world: World, camera: SimCamera, pose: Pose) -> Float32Array:
    """Exact depth along the optical axis at every pixel's centre, in metres; infinity: sky."""
    return visibility(world, camera, pose)[0]


def _visible(
    world: World, camera: SimCamera, pose: Pose, first_row: int, rows: int
) -> tuple[Float32Array, NDArray[np.int32], FloatArray, FloatArray]:
    corners = np.ascontiguousarray(pose.to_camera(world.corners_enu_m))
    boxes = np.empty((len(corners), 4))
    screen_boxes(corners, camera.lens, camera.width_px, camera.height_px, boxes)
    shape = (rows, camera.width_px)
    depth = np.full(shape, np.inf, np.float32)
    ident = np.full(shape, -1, np.int32)
    factors = _factors(camera)[first_row : first_row + rows]
    rasterise(corners, boxes, camera.lens, factors, first_row, depth, ident)
    return depth, ident, corners, boxes


@lru_cache(maxsize=2)
def _factors(camera: SimCamera) -> FloatArray:
    factors = np.empty((camera.height_px, camera.width_px))
    inverse_factors(camera.lens, camera.undistort_table(), 0, factors)
    return factors


def developed(linear: Float32Array, camera: SimCamera, seed: int) -> Uint8Array:
    """What sensor and processing make of the light: blur, vignetting, noise, tone curve."""
    if camera.psf_px > 0.0:
        linear = np.asarray(cv2.GaussianBlur(linear, (5, 5), camera.psf_px), np.float32)
    out = np.empty(linear.shape, np.uint8)
    noise = np.random.default_rng(seed).standard_normal(1 << 18, dtype=np.float32)
    centre = (camera.cx_px, camera.cy_px)
    _develop(
        linear,
        out,
        noise,
        _tone_curve(),
        centre,
        camera.vignetting,
        camera.exposure,
        camera.noise,
        seed,
    )
    return out


TONE_STEPS = 4096
TONE_TOP = 3.0
"""Linear light at which the tone curve reaches white."""


def _tone_curve() -> Uint8Array:
    """sRGB with a soft shoulder over [0, TONE_TOP]."""
    x = np.linspace(0.0, TONE_TOP, TONE_STEPS)
    shoulder = np.where(x < 0.6, x, 0.6 + 0.4 * np.tanh((x - 0.6) / 0.75))
    srgb = np.where(
        shoulder <= 0.0031308,
        12.92 * shoulder,
        1.055 * np.power(np.maximum(shoulder, 1e-9), 1.0 / 2.4) - 0.055,
    )
    return np.asarray(np.clip(np.round(255.0 * srgb), 0, 255), np.uint8)


@kernel
def _develop(
    linear: Float32Array,
    out: Uint8Array,
    noise: Float32Array,
    curve: Uint8Array,
    centre: tuple[float, float],
    vignetting: float,
    exposure: float,
    amount: float,
    seed: int,
) -> None:
    rows, columns, _ = linear.shape
    corner2 = 0.25 * (rows * rows + columns * columns)
    at = seed % len(noise)
    step = (TONE_STEPS - 1) / TONE_TOP
    for i in range(rows):
        # A fresh offset per row keeps the finite noise table from showing as a pattern.
        at = (at * 1103515245 + 12345 + i) % len(noise)
        for j in range(columns):
            r2 = ((i - centre[1]) ** 2 + (j - centre[0]) ** 2) / corner2
            gain = exposure * (1.0 - vignetting * r2)
            for k in range(3):
                value = linear[i, j, k] * gain
                at += 1
                if at >= len(noise):
                    at = 0
                sigma = amount * (READ_NOISE + SHOT_NOISE * math.sqrt(max(value, 0.0)))
                value += sigma * noise[at]
                index = int(min(max(value, 0.0), TONE_TOP) * step + 0.5)
                out[i, j, k] = curve[index]


def true_pixels(
    camera: SimCamera, pose: Pose, points_enu_m: FloatArray, velocity_enu_mps: Velocity = AT_REST
) -> FloatArray:
    """(n, 2) exact projections; NaN outside the image."""
    points = np.asarray(points_enu_m, dtype=np.float64)
    pixels = camera.project(pose.to_camera(points))
    for _ in range(3 if camera.rolling_shutter_s > 0.0 else 0):
        at_s = camera.rolling_shutter_s * (pixels[:, 1:] / camera.height_px - 0.5)
        seen_from = pose.centre_enu_m + at_s * np.asarray(velocity_enu_mps)
        pixels = camera.project((points - seen_from) @ pose.cam_from_enu.T)
    x, y = pixels[:, 0], pixels[:, 1]
    inside = (x >= 0.0) & (x <= camera.width_px) & (y >= 0.0) & (y <= camera.height_px)
    return np.where(np.asarray(inside)[:, None], pixels, np.nan)
