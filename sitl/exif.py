"""What a drone's camera writes beside the pixels: EXIF and DJI's XMP.

Tags after CIPA DC-008 (Exif 2.32).  The XMP packet follows the `drone-dji` name space of the
aircraft that photogrammetry programs read (http://www.dji.com/drone-dji/1.0/).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from sitl.lens import SimCamera

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_CENTIMETRE = 3
"""FocalPlaneResolutionUnit: centimetre."""


@dataclass(frozen=True, slots=True)
class Reported:
    """What the drone believes at the press of the shutter: the truth with its sensors' errors.

    alt_reported_m is above the ellipsoid with RTK, else above the geoid.
    """

    at: datetime
    lat_deg: float
    lon_deg: float
    alt_reported_m: float
    alt_home_m: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    sigma_horizontal_m: float
    sigma_vertical_m: float
    rtk: bool


def exif_block(camera: SimCamera, reported: Reported) -> bytes:
    """The EXIF segment's content."""
    exif = Image.Exif()
    stamp = reported.at.strftime("%Y:%m:%d %H:%M:%S")
    exif[0x010F] = camera.make
    exif[0x0110] = camera.model
    exif[0x0112] = 1  # Orientation: upright
    exif[0x0131] = "droneteam sitl"
    exif[0x0132] = stamp
    exif[_EXIF_IFD] = _exposure_tags(camera, stamp, reported.at.microsecond)
    exif[_GPS_IFD] = _gps_tags(reported)
    return exif.tobytes()


def _exposure_tags(camera: SimCamera, stamp: str, microsecond: int) -> dict[int, object]:
    per_cm = _rational(10.0 / camera.pixel_mm, 1000)
    offset = "+00:00"
    return {
        0x829A: _rational(camera.exposure_time_s, 1_000_000),
        0x829D: _rational(camera.f_number, 100),
        0x8827: camera.iso,
        0x9000: b"0232",
        0x9003: stamp,
        0x9004: stamp,
        0x9010: offset,
        0x9011: offset,
        0x9012: offset,
        0x9291: f"{microsecond // 1000:03d}",
        0x920A: _rational(camera.focal_mm, 1000),
        0xA002: camera.width_px,
        0xA003: camera.height_px,
        0xA20E: per_cm,
        0xA20F: per_cm,
        0xA210: _CENTIMETRE,
        0xA405: camera.focal_35mm,
    }


def _gps_tags(reported: Reported) -> dict[int, object]:
    alt = reported.alt_reported_m
    return {
        0: b"\x02\x03\x00\x00",
        1: "N" if reported.lat_deg >= 0.0 else "S",
        2: _sexagesimal(reported.lat_deg),
        3: "E" if reported.lon_deg >= 0.0 else "W",
        4: _sexagesimal(reported.lon_deg),
        5: b"\x00" if alt >= 0.0 else b"\x01",
        6: _rational(abs(alt), 10_000),
        7: (reported.at.hour, reported.at.minute, reported.at.second),
        18: "WGS-84",
        29: reported.at.strftime("%Y:%m:%d"),
        31: _rational(reported.sigma_horizontal_m, 1000),
    }


def _rational(value: float, denominator: int) -> IFDRational:
    fraction = Fraction(round(value * denominator), denominator)
    return IFDRational(fraction.numerator, fraction.denominator)


def _sexagesimal(angle_deg: float) -> tuple[int, int, IFDRational]:
    """Degrees, minutes and seconds to 10⁻⁷ seconds (3 µm on the ground)."""
    ticks = round(abs(angle_deg) * 3600.0 * 10**7)
    degrees, ticks = divmod(ticks, 3600 * 10**7)
    minutes, ticks = divmod(ticks, 60 * 10**7)
    return degrees, minutes, IFDRational(ticks, 10**7)


def xmp_packet(reported: Reported) -> bytes:
    """The XMP packet with DJI's tags."""
    values = {
        "AltitudeType": "RtkAlt" if reported.rtk else "GpsFusionAlt",
        "GpsStatus": "RTK" if reported.rtk else "Normal",
        "GpsLatitude": f"{reported.lat_deg:+.9f}",
        "GpsLongitude": f"{reported.lon_deg:+.9f}",
        "AbsoluteAltitude": f"{reported.alt_reported_m:+.3f}",
        "RelativeAltitude": f"{reported.alt_home_m:+.3f}",
        "GimbalRollDegree": f"{reported.roll_deg:+.2f}",
        "GimbalYawDegree": f"{_half_turn(reported.yaw_deg):+.2f}",
        "GimbalPitchDegree": f"{reported.pitch_deg:+.2f}",
        "FlightRollDegree": "+0.00",
        "FlightYawDegree": f"{_half_turn(reported.yaw_deg):+.2f}",
        "FlightPitchDegree": "+0.00",
        "CamReverse": "0",
        "GimbalReverse": "0",
    }
    if reported.rtk:
        values |= {
            "RtkFlag": "50",
            "RtkStdLon": f"{reported.sigma_horizontal_m:.5f}",
            "RtkStdLat": f"{reported.sigma_horizontal_m:.5f}",
            "RtkStdHgt": f"{reported.sigma_vertical_m:.5f}",
        }
    tags = "".join(f'\n   drone-dji:{name}="{value}"' for name, value in values.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '  <rdf:Description rdf:about="DJI Meta Data"\n'
        '   xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"'
        f'{tags}\n  />\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end="w"?>'
    ).encode()


def _half_turn(angle_deg: float) -> float:
    """The angle in [-180, 180)."""
    return (angle_deg + 180.0) % 360.0 - 180.0
