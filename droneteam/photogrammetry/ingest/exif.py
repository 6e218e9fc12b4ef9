"""EXIF of a photo → typed fields.

GPSAltitude is above "sea level" when GPSAltitudeRef is 0 or 1 (EXIF 2.32, 4.6.6), which cameras
fill with anything from EGM96 heights to barometric guesses: it is kept as an altitude of the
receiver's own datum.  EXIF 3.0 adds 2 and 3, above and below the ellipsoid.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Literal

from PIL import Image

Clock = Literal["gnss", "offset", "unzoned"]
"""Where the time comes from: the receiver (UTC), a stated UTC offset, or a clock without zone."""

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_MAKE, _MODEL, _ORIENTATION = 0x010F, 0x0110, 0x0112
_TIME_ORIGINAL, _OFFSET_ORIGINAL, _SUBSEC_ORIGINAL = 0x9003, 0x9011, 0x9291
_EXPOSURE_S, _FOCAL_MM, _FOCAL_35MM, _SERIAL = 0x829A, 0x920A, 0xA405, 0xA431
_LAT_REF, _LAT, _LON_REF, _LON, _ALT_REF, _ALT = 1, 2, 3, 4, 5, 6
_GPS_TIME, _GPS_DATE, _GPS_H_ERROR = 7, 29, 31
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)$")


@dataclass(frozen=True, slots=True)
class ExifFields:
    """What a camera wrote about one photo; None or "" where it did not.

    taken_at is aware; with clock "unzoned" it is the camera's clock read as if it were UTC.
    """

    make: str = ""
    model: str = ""
    serial: str = ""
    orientation: int = 1
    taken_at: datetime | None = None
    clock: Clock = "unzoned"
    exposure_s: float | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    alt_receiver_m: float | None = None
    alt_ellipsoid_m: float | None = None
    sigma_horizontal_m: float | None = None


def read_exif(image: Image.Image) -> ExifFields:
    """The fields of an opened image; broken tags read as absent."""
    exif = image.getexif()
    shot, gps = exif.get_ifd(_EXIF_IFD), exif.get_ifd(_GPS_IFD)
    lat_deg = _degrees(gps, _LAT, _LAT_REF, "S", 90.0)
    lon_deg = _degrees(gps, _LON, _LON_REF, "W", 180.0)
    placed = lat_deg is not None and lon_deg is not None
    alt_receiver_m, alt_ellipsoid_m = _altitudes(gps)
    taken_at, clock = _taken_at(shot, gps)
    orientation = exif.get(_ORIENTATION, 1)
    return ExifFields(
        make=_text(exif.get(_MAKE)),
        model=_text(exif.get(_MODEL)),
        serial=_text(shot.get(_SERIAL)),
        orientation=orientation if orientation in range(1, 9) else 1,
        taken_at=taken_at,
        clock=clock,
        exposure_s=_positive(shot.get(_EXPOSURE_S)),
        focal_mm=_positive(shot.get(_FOCAL_MM)),
        focal_35mm=_positive(shot.get(_FOCAL_35MM)),
        lat_deg=lat_deg if placed else None,
        lon_deg=lon_deg if placed else None,
        alt_receiver_m=alt_receiver_m,
        alt_ellipsoid_m=alt_ellipsoid_m,
        sigma_horizontal_m=_positive(gps.get(_GPS_H_ERROR)),
    )


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return str(value).replace("\x00", "").strip() if value is not None else ""


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _positive(value: Any) -> float | None:
    number = _number(value)
    return number if number is not None and number > 0.0 else None


def _numbers(value: Any) -> list[float] | None:
    """Three finite numbers, or None."""
    if not isinstance(value, tuple) or len(value) != 3:
        return None
    numbers = [n for n in map(_number, value) if n is not None]
    return numbers if len(numbers) == 3 else None


def _degrees(
    gps: Mapping[int, Any], tag: int, ref_tag: int, negative: str, limit: float
) -> float | None:
    numbers = _numbers(gps.get(tag))
    if numbers is None:
        return None
    magnitude = numbers[0] + numbers[1] / 60.0 + numbers[2] / 3600.0
    value = -magnitude if _text(gps.get(ref_tag)).upper() == negative else magnitude
    return value if abs(value) <= limit else None


def _altitudes(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    """The altitude in the receiver's datum and the one above the ellipsoid; at most one is set."""
    magnitude = _number(gps.get(_ALT))
    if magnitude is None:
        return None, None
    reference = gps.get(_ALT_REF, 0)
    code = reference[0] if isinstance(reference, bytes) and reference else reference
    signed = -magnitude if code in (1, 3) else magnitude
    return (None, signed) if code in (2, 3) else (signed, None)


def _taken_at(shot: Mapping[int, Any], gps: Mapping[int, Any]) -> tuple[datetime | None, Clock]:
    """The exposure's time: with its offset when stated, else the receiver's, else unzoned.

    The stated offset comes first because GPSTimeStamp is the time of the last fix, up to
    seconds before the exposure.
    """
    local = _local_time(shot)
    offset = _OFFSET.match(_text(shot.get(_OFFSET_ORIGINAL)))
    if local is not None and offset is not None:
        sign, hours, minutes = offset.groups()
        zoned = _in_zone(local, timedelta(hours=int(hours), minutes=int(minutes)), sign)
        if zoned is not None:
            return zoned, "offset"
    fix = _fix_time(gps)
    if fix is not None:
        return fix, "gnss"
    return local, "unzoned"


def _in_zone(local: datetime, offset: timedelta, sign: str) -> datetime | None:
    """The camera's clock in UTC; None for an offset of a day or more, or a year that UTC lacks."""
    try:
        return local.replace(tzinfo=timezone(-offset if sign == "-" else offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _local_time(shot: Mapping[int, Any]) -> datetime | None:
    """The camera's clock, marked as UTC until its offset is known."""
    try:
        text = _text(shot.get(_TIME_ORIGINAL))
        local = datetime.strptime(text, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    digits = _text(shot.get(_SUBSEC_ORIGINAL))
    return local + timedelta(seconds=float(f"0.{digits}")) if digits.isdecimal() else local


def _fix_time(gps: Mapping[int, Any]) -> datetime | None:
    clock = _numbers(gps.get(_GPS_TIME))
    try:
        day = datetime.strptime(_text(gps.get(_GPS_DATE)), "%Y:%m:%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    if clock is None:
        return None
    try:
        return day + timedelta(hours=clock[0], minutes=clock[1], seconds=clock[2])
    except OverflowError:
        return None
