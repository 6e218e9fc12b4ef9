"""What movement does to a photo: blur while it is exposed, a stretch while it is read out; pure."""

from __future__ import annotations

import math

from droneteam.photogrammetry.ingest.quality import Finding

READOUT_S: dict[str, float] = {
    "FC200": 0.074,
    "FC350": 0.030,
    "FC300S": 0.033,
    "FC300X": 0.033,
    "FC330": 0.033,
}
"""From the first row to the last, by EXIF model: published measurements, to the millisecond.

The adjustment estimates the real one where the photos determine it.
"""
MECHANICAL = frozenset({"FC6310", "FC6310R", "FC6310S", "M3E", "ZENMUSEP1", "M4E"})
"""Cameras with a mechanical shutter, which opens for all rows at once (makers' data sheets)."""
USUAL_READOUT_S = 0.03
LIMIT_PX = 1.0
"""A stretch of a pixel is what an adjustment can no longer hide in its noise."""
UNKNOWN_LIMIT_PX = 3.0
"""The same for a camera of which it is not known whether its shutter rolls."""
BLUR_LIMIT_PX = 1.5
"""Movement within the exposure above which features are found less precisely."""
MIN_HEIGHT_M = 2.0


def readout_s(model: str) -> float | None:
    """Seconds from a photo's first row to its last; 0 for a mechanical shutter, None if unknown."""
    key = model.upper().replace(" ", "")
    return 0.0 if key in MECHANICAL else READOUT_S.get(key)


def movement_findings(
    model: str,
    velocity_ned_mps: tuple[float, float, float] | None,
    height_m: float | None,
    focal_px: float,
    exposure_s: float | None,
) -> tuple[Finding, ...]:
    """What a photo's own speed says about it.

    height_m : above the take-off point, which stands for the ground.
    """
    if velocity_ned_mps is None or height_m is None or height_m < MIN_HEIGHT_M:
        return ()
    speed_mps = math.hypot(*velocity_ned_mps)
    px_per_s = speed_mps * focal_px / height_m
    found = []
    readout = readout_s(model)
    shift_px = px_per_s * (USUAL_READOUT_S if readout is None else readout)
    if shift_px > (UNKNOWN_LIMIT_PX if readout is None else LIMIT_PX):
        found.append(Finding("rolling_shutter", _rolling_message(speed_mps, shift_px, readout)))
    if exposure_s is not None and px_per_s * exposure_s > BLUR_LIMIT_PX:
        message = (
            f"moved {px_per_s * exposure_s:.1f} px while it was exposed ({speed_mps:.1f} m/s, "
            f"1/{1.0 / exposure_s:.0f} s); fly slower or expose shorter"
        )
        found.append(Finding("motion_blur", message))
    return tuple(found)


def _rolling_message(speed_mps: float, shift_px: float, readout: float | None) -> str:
    seconds = USUAL_READOUT_S if readout is None else readout
    moved = f"moved {100.0 * speed_mps * seconds:.0f} cm ({shift_px:.1f} px)"
    if readout is None:
        return (
            f"may have {moved} while its sensor was read ({speed_mps:.1f} m/s, if its shutter "
            f"rolls, {1e3 * seconds:.0f} ms); fly slower where millimetres count"
        )
    return (
        f"{moved} while its sensor was read row by row ({speed_mps:.1f} m/s, {1e3 * seconds:.0f} "
        "ms); the adjustment models it; a slower flight avoids it"
    )
