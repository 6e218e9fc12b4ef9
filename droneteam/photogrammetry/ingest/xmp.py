"""XMP packets of drone cameras → typed fields.

Vendors write a handful of values as attributes or elements of one ``rdf:Description``, pad them
with NULs and leave out namespaces, so the packet is scanned for known names and never handed to
an XML parser: a damaged packet still yields what can be read, and there is no entity to expand.

===========================  =====================================================================
DJI (``drone-dji:``)         meaning
===========================  =====================================================================
AbsoluteAltitude             with AltitudeType ``RtkAlt``: height above the WGS84 ellipsoid;
                             otherwise a receiver's or fused altitude of unknown datum
RelativeAltitude             height above take-off, from the barometer
GimbalYaw/Pitch/RollDegree   camera's attitude: yaw from north, pitch -90 straight down
FlightYaw/Pitch/RollDegree   airframe's attitude
FlightX/Y/ZSpeed             north, east, down, m/s
RtkFlag                      0 none, 16 single, 34 float, 50 fixed
RtkStdLon/Lat/Hgt            1-sigma, metres
CalibratedFocalLength        pixels
DewarpData                   date;fx,fy,cx,cy,k1,k2,p1,p2,k3 with cx, cy from the image's centre
DewarpFlag                   1: the photo is already free of distortion, DewarpData is history
===========================  =====================================================================

Autel (``drone:`` or ``drone-autel:``) uses the same names.  ``Camera:`` (Pix4D) gives accuracies
(GPSXYAccuracy, GPSZAccuracy); its angles are not read, because vendors disagree on their axes.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

RtkFix = Literal["none", "single", "float", "fixed"]

_PREFIXES = "drone-dji|drone-autel|drone|Camera"
_ATTRIBUTE = re.compile(rf"(?:{_PREFIXES}):(\w+)\s*=\s*([\"'])(.*?)\2", re.DOTALL)
_ELEMENT = re.compile(rf"<(?:{_PREFIXES}):(\w+)>([^<]*)</", re.DOTALL)
_RTK_FIX: dict[int, RtkFix] = {16: "single", 34: "float", 50: "fixed"}
MAX_PACKET_LENGTH = 1 << 20
"""Longer packets hold thumbnails or panoramas, not flight data; the rest is not read."""


@dataclass(frozen=True, slots=True)
class Attitude:
    """Yaw from true north, pitch (-90 straight down) and roll, in degrees."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


@dataclass(frozen=True, slots=True)
class Dewarp:
    """The maker's lens calibration; cx, cy are offsets from the image's centre, in pixels."""

    fx: float
    fy: float
    cx: float
    cy: float
    k1: float
    k2: float
    p1: float
    p2: float
    k3: float


@dataclass(frozen=True, slots=True)
class XmpFields:
    """What a drone wrote about one photo; None where it did not.

    alt_ellipsoid_m, alt_unknown_datum_m and alt_home_m are three different quantities and at
    most one of the first two is set.
    """

    alt_ellipsoid_m: float | None = None
    alt_unknown_datum_m: float | None = None
    alt_home_m: float | None = None
    gimbal: Attitude | None = None
    flight: Attitude | None = None
    velocity_ned_mps: tuple[float, float, float] | None = None
    rtk_fix: RtkFix = "none"
    sigma_enu_m: tuple[float, float, float] | None = None
    focal_px: float | None = None
    dewarp: Dewarp | None = None


def parse_xmp(packet: bytes | str | None) -> XmpFields:
    """The fields of a packet; all None for one that is missing or unreadable."""
    if not packet:
        return XmpFields()
    text = (
        packet if isinstance(packet, str) else packet[:MAX_PACKET_LENGTH].decode("utf-8", "replace")
    )
    values = _named_values(text.replace("\x00", ""))
    absolute = _number(values, "AbsoluteAltitude")
    is_rtk = values.get("AltitudeType", "").strip().lower() == "rtkalt"
    return XmpFields(
        alt_ellipsoid_m=absolute if is_rtk else None,
        alt_unknown_datum_m=None if is_rtk else absolute,
        alt_home_m=_number(values, "RelativeAltitude"),
        gimbal=_attitude(values, "Gimbal"),
        flight=_attitude(values, "Flight"),
        velocity_ned_mps=_triple(values, ("FlightXSpeed", "FlightYSpeed", "FlightZSpeed")),
        rtk_fix=_RTK_FIX.get(int(_number(values, "RtkFlag") or 0), "none"),
        sigma_enu_m=_sigma(values),
        focal_px=_positive(_number(values, "CalibratedFocalLength")),
        dewarp=None if values.get("DewarpFlag") == "1" else _dewarp(values.get("DewarpData")),
    )


def _named_values(text: str) -> dict[str, str]:
    values = dict(_ELEMENT.findall(text))
    values.update({name: value for name, _, value in _ATTRIBUTE.findall(text)})
    return values


def _number(values: dict[str, str], name: str) -> float | None:
    try:
        number = float(values[name].strip())
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _positive(number: float | None) -> float | None:
    return number if number is not None and number > 0.0 else None


def _triple(
    values: dict[str, str], names: tuple[str, str, str]
) -> tuple[float, float, float] | None:
    first, second, third = (_number(values, name) for name in names)
    if first is None or second is None or third is None:
        return None
    return first, second, third


def _attitude(values: dict[str, str], body: str) -> Attitude | None:
    angles = _triple(values, (f"{body}YawDegree", f"{body}PitchDegree", f"{body}RollDegree"))
    return None if angles is None else Attitude(*angles)


def _sigma(values: dict[str, str]) -> tuple[float, float, float] | None:
    rtk = _triple(values, ("RtkStdLon", "RtkStdLat", "RtkStdHgt"))
    if rtk is not None and min(rtk) > 0.0:
        return rtk
    horizontal = _positive(_number(values, "GPSXYAccuracy"))
    vertical = _positive(_number(values, "GPSZAccuracy"))
    if horizontal is None or vertical is None:
        return None
    return horizontal, horizontal, vertical


def _dewarp(text: str | None) -> Dewarp | None:
    """The calibration, when all nine numbers are there and the focal lengths are positive."""
    if not text or ";" not in text:
        return None
    try:
        numbers = [float(part) for part in text.split(";", 1)[1].split(",")]
    except ValueError:
        return None
    if len(numbers) < 9 or not all(map(math.isfinite, numbers)) or min(numbers[:2]) <= 0.0:
        return None
    return Dewarp(*numbers[:9])
