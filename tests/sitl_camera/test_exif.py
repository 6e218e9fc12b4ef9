from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from droneteam.geo import EnuFrame, GeoPoint
from sitl.exif import Reported, exif_block, xmp_packet
from sitl.lens import SimCamera
from sitl.photo import reported_by, take
from sitl.world import World
from tests.sitl_camera.conftest import shot_over

CAMERA = SimCamera().resized(160)
REPORTED = Reported(
    at=datetime(2025, 6, 12, 9, 30, 1, 250_000, tzinfo=UTC),
    lat_deg=50.819712345678,
    lon_deg=4.390812345678,
    alt_reported_m=113.9123,
    alt_home_m=13.8,
    yaw_deg=212.5,
    pitch_deg=-89.9,
    roll_deg=0.1,
    sigma_horizontal_m=0.015,
    sigma_vertical_m=0.03,
    rtk=True,
)


def saved(path: Path, reported: Reported) -> Image.Image:
    Image.new("RGB", (CAMERA.width_px, CAMERA.height_px)).save(
        path, "JPEG", exif=exif_block(CAMERA, reported), xmp=xmp_packet(reported)
    )
    with Image.open(path) as image:
        image.load()
    return image


def degrees(parts: tuple[float, float, float], reference: str) -> float:
    value = float(parts[0]) + float(parts[1]) / 60.0 + float(parts[2]) / 3600.0
    return -value if reference in "SW" else value


def xmp_value(path: Path, name: str) -> str:
    found = re.search(rb'drone-dji:%s="([^"]*)"' % name.encode(), path.read_bytes())
    assert found is not None, name
    return found.group(1).decode()


def test_pillow_reads_the_camera_and_the_time(tmp_path: Path) -> None:
    exif = saved(tmp_path / "a.jpg", REPORTED).getexif()
    detail = exif.get_ifd(ExifTags.IFD.Exif)
    assert exif[ExifTags.Base.Make] == CAMERA.make
    assert exif[ExifTags.Base.Model] == CAMERA.model
    assert detail[ExifTags.Base.DateTimeOriginal] == "2025:06:12 09:30:01"
    assert detail[ExifTags.Base.OffsetTimeOriginal] == "+00:00"
    assert detail[ExifTags.Base.SubsecTimeOriginal] == "250"
    assert float(detail[ExifTags.Base.FocalLength]) == pytest.approx(CAMERA.focal_mm)
    assert detail[ExifTags.Base.FocalLengthIn35mmFilm] == CAMERA.focal_35mm


def test_focal_length_and_pixel_spacing_give_the_focal_length_in_pixels(tmp_path: Path) -> None:
    detail = saved(tmp_path / "a.jpg", REPORTED).getexif().get_ifd(ExifTags.IFD.Exif)
    assert detail[ExifTags.Base.FocalPlaneResolutionUnit] == 3  # centimetres
    per_mm = float(detail[ExifTags.Base.FocalPlaneXResolution]) / 10.0
    focal_px = float(detail[ExifTags.Base.FocalLength]) * per_mm
    assert focal_px == pytest.approx(CAMERA.focal_px, rel=0.01)
    assert detail[ExifTags.Base.ExifImageWidth] == CAMERA.width_px


@given(
    st.floats(-89.9, 89.9), st.floats(-180.0, 180.0), st.floats(-400.0, 9000.0)
)  # fmt: skip
def test_positions_survive_to_a_tenth_of_a_millimetre(lat: float, lon: float, alt: float) -> None:
    reported = replace(REPORTED, lat_deg=lat, lon_deg=lon, alt_reported_m=alt)
    exif = Image.Exif()
    exif.load(exif_block(CAMERA, reported))
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert degrees(gps[2], gps[1]) == pytest.approx(lat, abs=1e-10)
    assert degrees(gps[4], gps[3]) == pytest.approx(lon, abs=1e-10)
    sign = -1.0 if gps[5] == b"\x01" else 1.0
    assert sign * float(gps[6]) == pytest.approx(alt, abs=1e-4)


def test_dji_tags_are_read_by_pattern(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    saved(path, REPORTED)
    assert float(xmp_value(path, "AbsoluteAltitude")) == pytest.approx(113.912)
    assert xmp_value(path, "RelativeAltitude") == "+13.800"
    assert float(xmp_value(path, "GimbalYawDegree")) == pytest.approx(-147.5)
    assert xmp_value(path, "GimbalPitchDegree") == "-89.90"
    assert xmp_value(path, "AltitudeType") == "RtkAlt"
    assert xmp_value(path, "RtkFlag") == "50"
    assert float(xmp_value(path, "RtkStdHgt")) == pytest.approx(0.03)
    assert float(xmp_value(path, "GpsLatitude")) == pytest.approx(REPORTED.lat_deg, abs=1e-9)


def test_a_drone_without_rtk_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    saved(path, replace(REPORTED, rtk=False))
    assert xmp_value(path, "AltitudeType") == "GpsFusionAlt"
    assert b"RtkFlag" not in path.read_bytes()


def test_pillows_own_xmp_reader_parses_the_packet(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml", reason="Pillow parses XMP only with defusedxml")
    description = saved(tmp_path / "a.jpg", REPORTED).getxmp()["xmpmeta"]["RDF"]["Description"]
    assert description["RtkFlag"] == "50"


@pytest.mark.parametrize(("rtk", "horizontal_m", "vertical_m"), [(True, 0.015, 0.03),
                                                                 (False, 1.5, 3.0)])  # fmt: skip
def test_reported_positions_scatter_as_the_receiver_says(
    accident: World, rtk: bool, horizontal_m: float, vertical_m: float
) -> None:
    camera = replace(CAMERA, rtk=rtk)
    shot = shot_over(accident, 3.0, 4.0, 12.0)
    rng = np.random.default_rng(2)
    seen = [reported_by(accident, camera, shot, rng) for _ in range(1500)]
    undulation = 0.0 if rtk else accident.geoid_undulation_m
    enu = accident.frame.enu_from_geodetic(
        np.array([[r.lat_deg, r.lon_deg, r.alt_reported_m + undulation] for r in seen])
    )
    errors = enu - [3.0, 4.0, 12.0]
    np.testing.assert_allclose(errors.std(axis=0), [horizontal_m] * 2 + [vertical_m], rtol=0.08)
    assert (np.abs(errors.mean(axis=0)) < 0.12 * errors.std(axis=0)).all()


def test_a_photos_exif_lies_within_rtk_of_its_true_position(
    accident: World, tmp_path: Path
) -> None:
    taken = take(accident, CAMERA, shot_over(accident, -2.0, 1.0, 9.0), tmp_path, 3)
    with Image.open(tmp_path / taken.name) as image:
        gps = image.getexif().get_ifd(ExifTags.IFD.GPSInfo)
    geodetic = np.array([degrees(gps[2], gps[1]), degrees(gps[4], gps[3]), float(gps[6])])
    frame = EnuFrame(GeoPoint(50.81970, 4.39080, 100.0))
    error = frame.enu_from_geodetic(geodetic) - [-2.0, 1.0, 9.0]
    assert 1e-4 < np.linalg.norm(error) < 0.15
