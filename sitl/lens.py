"""The simulated camera: its lens, sensor and how it is held."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from droneteam.errors import InputError
from sitl.mesh import FloatArray
from sitl.raster import undistort_table


@dataclass(frozen=True, slots=True)
class SimCamera:
    """A camera with a known lens: what its data sheet says and what it truly is.

    The data sheet (sensor, focal_mm, focal_35mm) goes into EXIF; the true intrinsics (focal_px,
    cx_px, cy_px, k1, k2: COLMAP's and OpenCV's conventions, pixel (0, 0) spanning [0, 1])
    differ from it by what a real lens's calibration would find, and go into the truth only.
    """

    make: str = "droneteam"
    model: str = "SIM-24"
    width_px: int = 2000
    height_px: int = 1500
    sensor_width_mm: float = 17.6
    sensor_height_mm: float = 13.2
    focal_mm: float = 12.2
    focal_35mm: int = 24
    focal_px: float = 1391.7
    cx_px: float = 1003.2
    cy_px: float = 746.4
    k1: float = -0.028
    k2: float = 0.009
    psf_px: float = 0.45
    """Standard deviation of lens and sensor blur."""
    vignetting: float = 0.18
    """Share of light lost in the corners."""
    noise: float = 1.0
    """Sensor noise over that of a good daylight exposure; 0 for none."""
    exposure: float = 1.0
    jpeg_quality: int = 92
    exposure_time_s: float = 1.0 / 1000.0
    iso: int = 100
    f_number: float = 4.0
    motion_blur: bool = False
    rolling_shutter_s: float = 0.0
    """Time between the first and the last row; 0 for a mechanical shutter."""
    samples: int = 2
    """Rays per pixel and axis on edges."""
    rtk: bool = True
    """Reported positions: RTK (1.5 cm, 3 cm up) or consumer GNSS (1.5 m, 3 m up)."""

    def __post_init__(self) -> None:
        if not (16 <= self.width_px <= 20_000 and 16 <= self.height_px <= 20_000):
            raise InputError(
                f"size {self.width_px} × {self.height_px} outside 16..20000 px", field="width_px"
            )
        if not self.focal_px > 0.0:
            raise InputError(f"focal_px {self.focal_px} must be positive", field="focal_px")

    def resized(self, width_px: int) -> SimCamera:
        """The same camera with another number of pixels on the same sensor."""
        scale = width_px / self.width_px
        return replace(
            self,
            width_px=width_px,
            height_px=round(self.height_px * scale),
            focal_px=self.focal_px * scale,
            cx_px=self.cx_px * scale,
            cy_px=self.cy_px * scale,
        )

    @property
    def pixel_mm(self) -> float:
        """Spacing of the pixels on the sensor."""
        return self.sensor_width_mm / self.width_px

    @property
    def sigma_m(self) -> tuple[float, float]:
        """Standard deviations of the reported position, horizontal (per axis) and vertical."""
        return (0.015, 0.03) if self.rtk else (1.5, 3.0)

    @property
    def lens(self) -> tuple[float, float, float, float, float, float]:
        """The kernels' view: focal, cx, cy, k1, k2 and the largest squared distorted radius."""
        x = max(self.cx_px, self.width_px - self.cx_px) + 2.0
        y = max(self.cy_px, self.height_px - self.cy_px) + 2.0
        r2 = (x * x + y * y) / self.focal_px**2
        return self.focal_px, self.cx_px, self.cy_px, self.k1, self.k2, r2

    def undistort_table(self) -> FloatArray:
        """Undistorted over distorted radius, over the lens's squared radii."""
        return undistort_table(self.k1, self.k2, self.lens[5])

    def project(self, points_cam_m: FloatArray) -> FloatArray:
        """(n, 2) pixels of (n, 3) points in the camera's frame; NaN behind it."""
        points = np.asarray(points_cam_m, dtype=np.float64)
        z = np.where(points[:, 2] > 0.0, points[:, 2], np.nan)
        x, y = points[:, 0] / z, points[:, 1] / z
        r2 = x * x + y * y
        scale = self.focal_px * (1.0 + r2 * (self.k1 + self.k2 * r2))
        pixels = np.stack([x * scale + self.cx_px, y * scale + self.cy_px], axis=1)
        pixels[r2 > 1.5 * self.lens[5]] = np.nan  # beyond the calibrated field
        return pixels

    def rays(self, pixels_px: FloatArray) -> FloatArray:
        """(n, 3) directions with unit depth in the camera's frame of (n, 2) pixels."""
        pixels = np.asarray(pixels_px, dtype=np.float64)
        distorted = (pixels - [self.cx_px, self.cy_px]) / self.focal_px
        rd = np.linalg.norm(distorted, axis=1)
        r = rd.copy()
        for _ in range(20):
            r2 = r * r
            error = r * (1.0 + r2 * (self.k1 + self.k2 * r2)) - rd
            r -= error / (1.0 + r2 * (3.0 * self.k1 + 5.0 * self.k2 * r2))
        factor = np.where(rd > 0.0, r / np.where(rd > 0.0, rd, 1.0), 1.0)
        return np.column_stack([distorted * factor[:, None], np.ones(len(pixels))])


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a camera is and where it looks.

    cam_from_enu : (3, 3) rotation into OpenCV camera axes (x right, y down, z forward)
    """

    centre_enu_m: FloatArray
    cam_from_enu: FloatArray

    def moved(self, velocity_enu_mps: tuple[float, float, float], after_s: float) -> Pose:
        """The pose a moment later."""
        return Pose(self.centre_enu_m + after_s * np.asarray(velocity_enu_mps), self.cam_from_enu)

    def to_camera(self, points_enu_m: FloatArray) -> FloatArray:
        """(..., 3) points in the camera's frame."""
        return np.asarray((points_enu_m - self.centre_enu_m) @ self.cam_from_enu.T)


def camera_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> FloatArray:
    """(3, 3) cam_from_enu of a gimbal's yaw (from north, clockwise), pitch (-90: nadir), roll."""
    yaw, pitch, roll = (math.radians(v) for v in (yaw_deg, pitch_deg, roll_deg))
    forward = np.array(
        [math.sin(yaw) * math.cos(pitch), math.cos(yaw) * math.cos(pitch), math.sin(pitch)]
    )
    level = np.array([math.cos(yaw), -math.sin(yaw), 0.0])
    down = np.cross(forward, level)
    right = level * math.cos(roll) + down * math.sin(roll)
    return np.stack([right, np.cross(forward, right), forward])
