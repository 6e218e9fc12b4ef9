"""From a world, a camera and a pose to an image or an exact depth map."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from sitl.lens import Pose, SimCamera
from sitl.mesh import FloatArray
from sitl.raster import rasterise, screen_boxes
from sitl.shade import shade_rows
from sitl.world import World

Float32Array = NDArray[np.float32]
Uint8Array = NDArray[np.uint8]

SKY = np.array([
    [2.05, 1.95, 1.75],  # sun
    [0.20, 0.32, 0.55],  # zenith
    [0.62, 0.66, 0.70],  # horizon
    [0.20, 0.19, 0.17],  # bounced from the ground
])
"""Radiance of the lights, scaled so that a white wall in the sun lies just below 1.9."""
READ_NOISE = 0.0012
SHOT_NOISE = 0.0045
"""Sensor noise: standard deviation in the dark, and at full signal (grows with its root)."""


def render(world: World, camera: SimCamera, pose: Pose, seed: int) -> Uint8Array:
    """The photo, (height, width, 3) RGB; the seed draws the sensor's noise."""
    linear = radiance(world, camera, pose)
    return developed(linear, camera, seed)


def radiance(world: World, camera: SimCamera, pose: Pose) -> Float32Array:
    """Linear light on every pixel before the sensor, (height, width, 3)."""
    out = np.empty((camera.height_px, camera.width_px, 3), np.float32)
    depth, ident = visibility(world, camera, pose, camera.samples)
    light, mesh = world.light, world.mesh
    shade_rows(
        ident, depth, camera.samples, 0, camera.lens, camera.undistort_table(),
        np.ascontiguousarray(pose.cam_from_enu), pose.centre_enu_m,
        (mesh.points_enu_m, mesh.normals, mesh.texture, mesh.triangles, light.sky_at_vertices),
        (mesh.materials, mesh.parts, world.parts, world.seed * 131),
        (world.decals.rows, world.decals.starts, world.decals.items, world.decals.grid),
        (light.sun, light.shadow.axes, light.shadow.corner, light.shadow.cell_m,
         light.shadow.height, light.sky_on_ground, light.ground_grid),
        SKY, out,
    )
    return out


def visibility(
    world: World, camera: SimCamera, pose: Pose, samples: int
) -> tuple[Float32Array, NDArray[np.int32]]:
    """Depth along the axis and triangle number at samples × samples rays per pixel."""
    corners = np.ascontiguousarray(pose.to_camera(world.corners_enu_m))
    boxes = np.empty((len(corners), 4))
    screen_boxes(corners, camera.lens, camera.width_px, camera.height_px, boxes)
    shape = (camera.height_px * samples, camera.width_px * samples)
    depth = np.full(shape, np.inf, np.float32)
    ident = np.full(shape, -1, np.int32)
    rasterise(corners, boxes, camera.lens, camera.undistort_table(), samples, 0, depth, ident)
    return depth, ident


def depth_map(world: World, camera: SimCamera, pose: Pose) -> Float32Array:
    """Exact depth along the optical axis at every pixel's centre, in metres; infinity: sky."""
    return visibility(world, camera, pose, 1)[0]


def developed(linear: Float32Array, camera: SimCamera, seed: int) -> Uint8Array:
    """What sensor and processing make of the light: blur, vignetting, noise, tone curve."""
    if camera.psf_px > 0.0:
        linear = np.asarray(cv2.GaussianBlur(linear, (5, 5), camera.psf_px), np.float32)
    out = np.empty(linear.shape, np.uint8)
    noise = np.random.default_rng(seed).standard_normal(1 << 18, dtype=np.float32)
    centre = (camera.cx_px, camera.cy_px)
    _develop(linear, out, noise, _tone_curve(), centre, camera.vignetting,
             camera.exposure, camera.noise, seed)
    return out


TONE_STEPS = 4096
TONE_TOP = 3.0
"""Linear light at which the tone curve reaches white."""


def _tone_curve() -> Uint8Array:
    """sRGB with a soft shoulder over [0, TONE_TOP]."""
    x = np.linspace(0.0, TONE_TOP, TONE_STEPS)
    shoulder = np.where(x < 0.6, x, 0.6 + 0.4 * np.tanh((x - 0.6) / 0.75))
    srgb = np.where(shoulder <= 0.0031308, 12.92 * shoulder,
                    1.055 * np.power(np.maximum(shoulder, 1e-9), 1.0 / 2.4) - 0.055)
    return np.asarray(np.clip(np.round(255.0 * srgb), 0, 255), np.uint8)


@njit(cache=True, nogil=True)
def _develop(linear, out, noise, curve, centre, vignetting, exposure, amount, seed):
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


def true_pixels(camera: SimCamera, pose: Pose, points_enu_m: FloatArray) -> FloatArray:
    """(n, 2) exact projections; NaN outside the image."""
    pixels = camera.project(pose.to_camera(np.asarray(points_enu_m)))
    inside = ((pixels >= 0.0) & (pixels <= [camera.width_px, camera.height_px])).all(axis=1)
    return np.where(inside[:, None], pixels, np.nan)
