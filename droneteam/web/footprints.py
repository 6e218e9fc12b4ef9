"""What a photo will show: the camera's four corners on flat ground, for the map (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from droneteam.geo import FloatArray
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.plan import PhotoPosition

_MIN_DIP = 0.12
"""Tangent of the flattest ray that is followed to the ground: beyond it a corner would run away
towards the horizon, and nothing there is sharp enough to use."""
_M_PER_DEGREE = 111_320.0
_CORNERS = ((-1.0, 1.0), (1.0, 1.0), (1.0, -1.0), (-1.0, -1.0))
"""Image corners as (right, up), clockwise from the top left."""


def footprints(
    photos: Sequence[PhotoPosition], camera: CameraSpec, ground_alt_home_m: float = 0.0
) -> FloatArray:
    """(n, 4, 2) corners on the ground, lat_deg and lon_deg, clockwise from the top left.

    The image's wide side lies across the viewing direction; the ground is level.
    """
    if not photos:
        return np.zeros((0, 4, 2))
    rows = np.array([[p.lat_deg, p.lon_deg, p.alt_home_m, p.yaw_deg, p.pitch_deg] for p in photos])
    yaw, pitch = np.radians(rows[:, 3]), np.radians(rows[:, 4])
    forward = np.stack(
        [np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), np.sin(pitch)], axis=1
    )
    right = np.stack([np.cos(yaw), -np.sin(yaw), np.zeros_like(yaw)], axis=1)
    up = np.cross(right, forward)
    half_right = 0.5 * camera.sensor_width_mm / camera.focal_mm
    half_up = 0.5 * camera.sensor_height_mm / camera.focal_mm
    height_m = rows[:, 2] - ground_alt_home_m
    corners = [
        _on_ground(forward + x * half_right * right + y * half_up * up, height_m)
        for x, y in _CORNERS
    ]
    east_north_m = np.stack(corners, axis=1)
    lat_deg = rows[:, 0, None] + east_north_m[..., 1] / _M_PER_DEGREE
    per_degree_m = _M_PER_DEGREE * np.cos(np.radians(rows[:, 0, None]))
    lon_deg = rows[:, 1, None] + east_north_m[..., 0] / per_degree_m
    return np.stack([lat_deg, lon_deg], axis=-1)


def _on_ground(rays: FloatArray, height_m: FloatArray) -> FloatArray:
    """(n, 2) east and north of where the rays meet the ground, in metres from below the camera."""
    level = np.hypot(rays[:, 0], rays[:, 1])
    dip = np.maximum(-rays[:, 2], _MIN_DIP * np.maximum(level, math.ulp(1.0)))
    return rays[:, :2] * (np.maximum(height_m, 0.0) / dip)[:, None]
