"""Cameras as the planner sees them: sensor, lens, pixels and how fast they can shoot.

A camera is described by its sensor and focal length because that is what a maker's data sheet
states; the focal length in pixels follows.  The planner assumes the wide side of the image
across the direction of flight.
"""

from __future__ import annotations

from dataclasses import dataclass

from droneteam.errors import InputError


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """A camera's sensor, lens and shutter, without distortion.

    exposure_s : the longest exposure expected in daylight; it bounds the speed by motion blur.
    """

    name: str
    sensor_width_mm: float
    sensor_height_mm: float
    focal_mm: float
    width_px: int
    height_px: int
    min_interval_s: float = 1.0
    exposure_s: float = 1.0 / 1000.0

    def __post_init__(self) -> None:
        for field in ("sensor_width_mm", "sensor_height_mm", "focal_mm", "width_px", "height_px"):
            value = getattr(self, field)
            if not 0.0 < value < 1e6:  # also rejects NaN
                raise InputError(
                    "{name} {value} must be positive",
                    field=f"camera.{field}",
                    name=field,
                    value=value,
                )
        if not self.min_interval_s >= 0.0 or not self.exposure_s > 0.0:
            raise InputError("min_interval_s must be ≥ 0 and exposure_s > 0", field="camera")

    @property
    def focal_px(self) -> float:
        """Focal length in pixels, from the sensor's width."""
        return self.focal_mm / self.sensor_width_mm * self.width_px

    def height_for_gsd(self, gsd_m: float) -> float:
        """Height above the ground, in metres, at which one nadir pixel covers ``gsd_m``."""
        return gsd_m * self.focal_px

    def footprint_m(self, gsd_m: float) -> tuple[float, float]:
        """Width across and height along the flight direction of a nadir photo on the ground."""
        return self.width_px * gsd_m, self.height_px * gsd_m


SIMULATED = CameraSpec(
    name="sim-24",
    sensor_width_mm=17.6,
    sensor_height_mm=13.2,
    focal_mm=12.2,
    width_px=2000,
    height_px=1500,
    min_interval_s=0.5,
)
"""The camera that the embedded simulator renders, as its EXIF describes it."""

MAVIC_3E = CameraSpec(
    name="mavic-3e-wide",
    sensor_width_mm=17.3,
    sensor_height_mm=13.0,
    focal_mm=12.29,
    width_px=5280,
    height_px=3956,
    min_interval_s=0.7,
)
"""DJI Mavic 3 Enterprise, wide camera (maker's data sheet: 4/3 CMOS, 24 mm equivalent, 0.7 s)."""

PHANTOM_4_RTK = CameraSpec(
    name="phantom-4-rtk",
    sensor_width_mm=13.2,
    sensor_height_mm=8.8,
    focal_mm=8.8,
    width_px=5472,
    height_px=3648,
    min_interval_s=2.5,
)
"""DJI Phantom 4 RTK (maker's data sheet: 1-inch CMOS, 8.8 mm, 2.5 s in JPEG)."""

CAMERAS = {spec.name: spec for spec in (SIMULATED, MAVIC_3E, PHANTOM_4_RTK)}


def camera_named(name: str) -> CameraSpec:
    """The camera of that name.

    Raises
    ------
    InputError
        Lists the names that exist.
    """
    try:
        return CAMERAS[name]
    except KeyError:
        known = ", ".join(sorted(CAMERAS))
        raise InputError(
            "unknown camera {name!r}; known: {known}", field="camera", name=name, known=known
        ) from None
