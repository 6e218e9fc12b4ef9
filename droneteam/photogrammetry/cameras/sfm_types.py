"""What structure from motion takes and gives: photos in, groups of registered views out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from droneteam.errors import InputError
from droneteam.geo import GeoPoint
from droneteam.photogrammetry.scene import Camera, SparseCloud, View

Progress = Callable[[str, float, str], None]
"""Called with the stage's name, the fraction done and what is being done."""


@dataclass(frozen=True, slots=True)
class PhotoInput:
    """One photo and what is known of it before its pixels are looked at.

    width_px, height_px : of the stored pixels; an EXIF orientation is not applied.
    camera_key : photos with the same key and size were taken by the same physical camera.
    focal_prior_px : focal length from EXIF, good to a few per cent; None when unknown.
    position : of the projection centre; its height is above what the frame's datum names.
    position_sigma_m : 1-sigma east, north, up; None when the receiver did not say.
    gimbal_deg : yaw, pitch, roll of the camera as DJI writes them: clockwise from true north, -90
    straight down, clockwise seen along the view; used only where positions leave the orientation
    open.
    known_camera : a calibration to be taken as exact.
    heading_deg : of the airframe, clockwise from true north.
    velocity_enu_mps : of the camera at the exposure; readout_s : from the first row to the last, 0
    for a mechanical shutter.
    """

    name: str
    path: Path
    width_px: int
    height_px: int
    camera_key: str
    focal_prior_px: float | None = None
    position: GeoPoint | None = None
    position_sigma_m: tuple[float, float, float] | None = None
    gimbal_deg: tuple[float, float, float] | None = None
    known_camera: Camera | None = None
    heading_deg: float | None = None
    velocity_enu_mps: tuple[float, float, float] | None = None
    readout_s: float | None = None

    def __post_init__(self) -> None:
        if self.width_px <= 0 or self.height_px <= 0:
            raise InputError(f"{self.name}: width and height must be positive, in pixels")
        if self.focal_prior_px is not None and not self.focal_prior_px > 0:
            raise InputError(f"{self.name}: focal_prior_px {self.focal_prior_px} is not positive")
        if self.position_sigma_m is not None and not all(s > 0 for s in self.position_sigma_m):
            raise InputError(f"{self.name}: position_sigma_m must be three positive numbers")
        known = self.known_camera
        size = (self.width_px, self.height_px)
        if known is not None and (known.width_px, known.height_px) != size:
            raise InputError(
                f"{self.name} has {size[0]}×{size[1]} pixels but the given calibration is for "
                f"{known.width_px}×{known.height_px}",
                field="camera",
            )


@dataclass(frozen=True, slots=True)
class SfmParams:
    """How photos are matched and mapped.

    detector : "colmap" is COLMAP's SIFT from the full-resolution octave on (a quarter of the
    default's time at the same accuracy on fountain-P11); "opencv" is faster and a little less
    accurate.
    max_image_px : larger photos are reduced to this long side for finding features.
    exhaustive_up_to : up to so many photos every pair is tried.
    neighbours : pairs per photo above that.
    incremental_up_to : with more photos global mapping goes first.
    second_opinion_below : the other mapper is tried as well when the first one's result explains a
    smaller fraction of the verified matches; above it a second one has nothing to gain.
    block_photos : more photos than this and half again are mapped in overlapping blocks of so
    many.
    """

    detector: Literal["colmap", "opencv"] = "colmap"
    max_features: int = 8192
    max_image_px: int = 3200
    exhaustive_up_to: int = 40
    neighbours: int = 20
    min_matches: int = 15
    incremental_up_to: int = 100
    second_opinion_below: float = 0.98
    block_photos: int = 300
    threads: int = 2
    seed: int = 1

    def __post_init__(self) -> None:
        if self.max_features < 100 or self.max_image_px < 200 or self.threads < 1:
            raise InputError("max_features ≥ 100, max_image_px ≥ 200 and threads ≥ 1 are needed")


@dataclass(frozen=True, slots=True, eq=False)
class SfmGroup:
    """Views that were oriented together, in a frame of their own of arbitrary scale.

    agreeing_matches, verified_matches : of the verified matches between all of its photos, how
    many the cameras explain within 2 px of their epipolar lines.
    """

    views: tuple[View, ...]
    sparse: SparseCloud
    reprojection_px: float
    agreeing_matches: int
    verified_matches: int
    mapper: Literal["incremental", "global", "blocks"]


@dataclass(frozen=True, slots=True, eq=False)
class SfmResult:
    """Every group found, the largest first, and the photos in none with the reason.

    No group at all is a result too: the reasons say why.
    """

    groups: tuple[SfmGroup, ...]
    unregistered: tuple[tuple[str, str], ...]
    calibrated: frozenset[str] = frozenset()
    """Names of the photos whose calibration was given and held fixed."""
    notes: tuple[str, ...] = ()
    """What a reader must know about how the photos were placed."""
