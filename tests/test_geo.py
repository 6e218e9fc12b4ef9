"""Geodesy against PROJ."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droneteam import geo
from droneteam.errors import InputError

POINTS = np.array(
    [[50.8197, 4.3908, 100.0], [0.0, 0.0, 0.0], [-89.9999, 179.9, 9000.0], [90.0, 0.0, -50.0]]
)


def test_earth_centred_coordinates_agree_with_proj() -> None:
    proj = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978")
    expected = np.stack(proj.transform(*POINTS.T), axis=-1)
    np.testing.assert_allclose(geo.ecef_from_geodetic(POINTS), expected, atol=1e-6)


def test_local_coordinates_agree_with_proj() -> None:
    origin = geo.GeoPoint(50.8, 4.35, 60.0)
    pipeline = (
        "+proj=pipeline +step +proj=cart +step +proj=topocentric +lat_0=50.8 +lon_0=4.35 +h_0=60"
    )
    proj = pyproj.Transformer.from_pipeline(pipeline)
    lat, lon, alt = POINTS.T
    expected = np.stack(proj.transform(lon, lat, alt, radians=False), axis=-1)
    np.testing.assert_allclose(geo.EnuFrame(origin).enu_from_geodetic(POINTS), expected, atol=1e-5)


@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-179.999, 179.999),
    alt=st.floats(-10_000, 100_000),
)
def test_geodetic_round_trip(lat: float, lon: float, alt: float) -> None:
    back = geo.geodetic_from_ecef(geo.ecef_from_geodetic(np.array([lat, lon, alt])))
    assert back[2] == pytest.approx(alt, abs=1e-6)
    assert back[0] == pytest.approx(lat, abs=1e-10)
    if abs(lat) < 89.999:
        assert back[1] == pytest.approx(lon, abs=1e-9)


@given(enu=st.tuples(*[st.floats(-5000, 5000)] * 3))
def test_enu_round_trip(enu: tuple[float, float, float]) -> None:
    frame = geo.EnuFrame(geo.GeoPoint(50.8197, 4.3908, 100.0))
    point = np.array(enu)
    np.testing.assert_allclose(
        frame.enu_from_geodetic(frame.geodetic_from_enu(point)), point, atol=1e-6
    )


@pytest.mark.parametrize(("lat", "lon"), [(91, 0), (0, 181), (float("nan"), 0), (0, float("nan"))])
def test_positions_off_the_globe_are_refused(lat: float, lon: float) -> None:
    with pytest.raises(InputError, match="outside"):
        geo.GeoPoint(lat, lon)


def test_a_kilometre_north_is_a_kilometre() -> None:
    geod = pyproj.Geod(ellps="WGS84")
    lon, lat, _ = geod.fwd(4.35, 50.85, 0.0, 1000.0)
    assert geo.great_circle_distance_m(50.85, 4.35, lat, lon) == pytest.approx(1000.0, rel=0.006)
