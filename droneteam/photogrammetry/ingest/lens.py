"""A first guess of a camera's intrinsics from what the photo or its maker states; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from droneteam.photogrammetry.ingest.exif import ExifFields
from droneteam.photogrammetry.ingest.xmp import Dewarp, XmpFields
from droneteam.photogrammetry.scene import Camera

LensSource = Literal["given", "dewarp", "calibrated", "exif_35mm", "sensor", "assumed"]

FOCAL_SIGMA: dict[LensSource, float] = {
    "given": 0.0,
    "dewarp": 0.005,
    "calibrated": 0.01,
    "exif_35mm": 0.05,
    "sensor": 0.03,
    "assumed": 0.3,
}
"""Relative 1-sigma of a focal length from each source.  The 35 mm equivalent is rounded to whole
millimetres and often describes the lens design, not the copy."""

SENSOR_WIDTH_MM: dict[str, float] = {
    "FC300S": 6.25,
    "FC300X": 6.25,
    "FC330": 6.25,
    "FC6310": 13.2,
    "FC6310S": 13.2,
    "FC6360": 4.87,
    "FC220": 6.25,
    "FC2103": 6.17,
    "FC7303": 6.3,
    "FC3170": 6.4,
    "FC3582": 9.6,
    "FC3411": 13.2,
    "L1D-20C": 13.2,
    "L2D-20C": 17.3,
    "M3E": 17.3,
    "ZENMUSEP1": 35.9,
    "XT705": 6.4,
}
"""Sensor widths by EXIF model, upper case without spaces (makers' data sheets)."""

EQUIVALENT_WIDTH_4_3_MM = 34.61
"""Width of a 4:3 frame whose diagonal is that of 36 × 24 mm: the equivalent focal length is
defined on the diagonal (CIPA DCG-001), and 16:9 photos are cut from 4:3 sensors at full width."""
EQUIVALENT_WIDTH_3_2_MM = 36.0
_ASPECT_3_2 = (1.45, 1.55)
ASSUMED_FOCAL_OVER_WIDTH = 0.85
"""About a 30 mm equivalent, between a drone's and a phone's lens."""


@dataclass(frozen=True, slots=True)
class LensGuess:
    """Intrinsics to start from, how they are known and the focal length's relative 1-sigma."""

    camera: Camera
    source: LensSource
    focal_sigma: float


def guess_lens(exif: ExifFields, xmp: XmpFields, width_px: int, height_px: int) -> LensGuess:
    """The best guess for an upright photo of this size.

    A maker's calibration comes first, then the 35 mm equivalent, then focal length over the
    sensor's width, then a guess.  A calibration is only taken for a photo that was not turned
    by its orientation flag, because it is written for the sensor's axes.
    """
    if xmp.dewarp is not None and exif.orientation == 1:
        return _guess(_from_dewarp(xmp.dewarp, width_px, height_px), "dewarp")
    if xmp.focal_px is not None:
        return _guess(_centred(xmp.focal_px, width_px, height_px), "calibrated")
    long_px, short_px = max(width_px, height_px), min(width_px, height_px)
    sensor_mm = SENSOR_WIDTH_MM.get(exif.model.upper().replace(" ", ""))
    if exif.focal_mm is not None and sensor_mm is not None:
        return _guess(_centred(exif.focal_mm / sensor_mm * long_px, width_px, height_px), "sensor")
    if exif.focal_35mm is not None:
        is_3_2 = _ASPECT_3_2[0] <= long_px / short_px <= _ASPECT_3_2[1]
        width_mm = EQUIVALENT_WIDTH_3_2_MM if is_3_2 else EQUIVALENT_WIDTH_4_3_MM
        focal_px = exif.focal_35mm / width_mm * long_px
        return _guess(_centred(focal_px, width_px, height_px), "exif_35mm")
    focal_px = ASSUMED_FOCAL_OVER_WIDTH * long_px
    return _guess(_centred(focal_px, width_px, height_px), "assumed")


def _guess(camera: Camera, source: LensSource) -> LensGuess:
    return LensGuess(camera, source, FOCAL_SIGMA[source])


def _centred(focal_px: float, width_px: int, height_px: int) -> Camera:
    params = (focal_px, width_px / 2.0, height_px / 2.0, 0.0)
    return Camera("SIMPLE_RADIAL", width_px, height_px, params)


def _from_dewarp(d: Dewarp, width_px: int, height_px: int) -> Camera:
    centre = (width_px / 2.0 + d.cx, height_px / 2.0 + d.cy)
    params = (d.fx, d.fy, *centre, d.k1, d.k2, d.p1, d.p2, d.k3, 0.0, 0.0, 0.0)
    return Camera("FULL_OPENCV", width_px, height_px, params)
