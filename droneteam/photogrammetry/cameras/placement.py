"""What ingest hands to structure from motion: positions in one frame and focal priors; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from droneteam.geo import GeoPoint
from droneteam.photogrammetry.cameras.sfm_types import PhotoInput
from droneteam.photogrammetry.ingest.photos import Photo, PhotoPosition
from droneteam.photogrammetry.ingest.shutter import readout_s
from droneteam.photogrammetry.scene import Camera

HeightKind = Literal["ellipsoid", "receiver", "home", "none"]

MAX_FOCAL_SIGMA = 0.1
"""A focal length known worse than this is no prior."""


@dataclass(frozen=True, slots=True)
class Heights:
    """Which of the photos' heights a scene uses, and what they are above.

    One scene uses one kind: a mean of heights above different zeros means nothing.
    """

    kind: HeightKind
    datum: str
    note: str


ELLIPSOID = Heights(
    "ellipsoid",
    "WGS84 ellipsoid",
    "heights above the WGS84 ellipsoid, as the receiver states (RTK)",
)
RECEIVER = Heights(
    "receiver",
    "receiver altitude (datum not stated)",
    "heights in the receiver's own datum, which the photos do not state (usually near EGM96, or "
    "the barometer's); not comparable with surveyed heights without a control point",
)
HOME = Heights(
    "home",
    "take-off point",
    "heights above the take-off point, from the barometer",
)
NONE = Heights("none", "none", "the photos state no height")


def choose_heights(positions: Sequence[PhotoPosition]) -> Heights:
    """The most meaningful kind of height that at least half of the placed photos state."""
    for heights in (ELLIPSOID, RECEIVER, HOME):
        stated = sum(height_m(position, heights.kind) is not None for position in positions)
        if positions and 2 * stated >= len(positions):
            return heights
    return NONE


def height_m(position: PhotoPosition, kind: HeightKind) -> float | None:
    """The position's height of that kind."""
    match kind:
        case "ellipsoid":
            return position.alt_ellipsoid_m
        case "receiver":
            return position.alt_receiver_m
        case "home":
            return position.alt_home_m
    return None


def sfm_inputs(
    photos: Sequence[Photo], working: Mapping[str, Path], known: Camera | None, heights: Heights
) -> list[PhotoInput]:
    """The photos that are to be used, as structure from motion takes them."""
    return [
        PhotoInput(
            name=photo.name,
            path=working[photo.name],
            width_px=photo.width_px,
            height_px=photo.height_px,
            camera_key=camera_key(photo),
            focal_prior_px=_focal_prior_px(photo),
            position=_point(photo.position, heights),
            position_sigma_m=None if photo.position is None else photo.position.sigma_enu_m,
            gimbal_deg=_gimbal_deg(photo),
            known_camera=known,
            heading_deg=None if photo.flight is None else photo.flight.yaw_deg,
            velocity_enu_mps=_velocity_enu_mps(photo),
            readout_s=readout_s(photo.model),
        )
        for photo in photos
        if photo.verdict != "skip"
    ]


def camera_key(photo: Photo) -> str:
    """Equal for photos of one physical camera at one focal length."""
    focal_px = round(photo.lens.camera.focal_px[0])
    return f"{photo.make}|{photo.model}|{photo.serial}|{focal_px}"


def _gimbal_deg(photo: Photo) -> tuple[float, float, float] | None:
    if photo.gimbal is None:
        return None
    return photo.gimbal.yaw_deg, photo.gimbal.pitch_deg, photo.gimbal.roll_deg


def _velocity_enu_mps(photo: Photo) -> tuple[float, float, float] | None:
    if photo.velocity_ned_mps is None:
        return None
    north, east, down = photo.velocity_ned_mps
    return east, north, -down


def _focal_prior_px(photo: Photo) -> float | None:
    lens = photo.lens
    return lens.camera.focal_px[0] if lens.focal_sigma <= MAX_FOCAL_SIGMA else None


def _point(position: PhotoPosition | None, heights: Heights) -> GeoPoint | None:
    if position is None:
        return None
    height = height_m(position, heights.kind)
    return None if height is None else GeoPoint(position.lat_deg, position.lon_deg, height)
