"""Positions on WGS84, the earth-centred frame and local east-north-up frames.

Everything here is pure and in float64.  Heights are above the WGS84 ellipsoid unless a name
says otherwise; no function guesses a geoid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.errors import InputError

FloatArray = NDArray[np.float64]

WGS84_A_M = 6378137.0
"""Semi-major axis (NIMA TR8350.2, table 3.1)."""
WGS84_F = 1.0 / 298.257223563
"""Flattening (NIMA TR8350.2, table 3.1)."""
WGS84_E2 = WGS84_F * (2.0 - WGS84_F)
_B_M = WGS84_A_M * (1.0 - WGS84_F)
_EP2 = WGS84_E2 / (1.0 - WGS84_E2)
MEAN_RADIUS_M = 6371008.8
"""Mean earth radius (IUGG 1980)."""


@dataclass(frozen=True, slots=True)
class GeoPoint:
    """A position on WGS84; the height is above its ellipsoid."""

    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float = 0.0

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)
        if not -12_000.0 <= self.alt_ellipsoid_m <= 100_000.0:
            raise InputError(
                "alt_ellipsoid_m {alt_ellipsoid_m} outside [-12000, 100000]",
                alt_ellipsoid_m=self.alt_ellipsoid_m,
            )


def check_lat_lon(lat_deg: float, lon_deg: float) -> None:
    """Nothing, when both lie in range; NaN does not.

    Raises
    ------
    InputError
        Names the value and the allowed range.
    """
    if not -90.0 <= lat_deg <= 90.0:
        raise InputError("lat_deg {lat_deg} outside [-90, 90]", field="lat_deg", lat_deg=lat_deg)
    if not -180.0 <= lon_deg <= 180.0:
        raise InputError("lon_deg {lon_deg} outside [-180, 180]", field="lon_deg", lon_deg=lon_deg)


def ecef_from_geodetic(geodetic: FloatArray) -> FloatArray:
    """Earth-centred coordinates in metres.

    geodetic : (..., 3) float64, lat_deg, lon_deg, alt_ellipsoid_m
    Returns (..., 3).
    """
    geodetic = np.asarray(geodetic, dtype=np.float64)
    lat, lon = np.radians(geodetic[..., 0]), np.radians(geodetic[..., 1])
    alt = geodetic[..., 2]
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    n = WGS84_A_M / np.sqrt(1.0 - WGS84_E2 * sin_lat**2)
    return np.stack(
        [
            (n + alt) * cos_lat * np.cos(lon),
            (n + alt) * cos_lat * np.sin(lon),
            (n * (1.0 - WGS84_E2) + alt) * sin_lat,
        ],
        axis=-1,
    )


def geodetic_from_ecef(points_ecef_m: FloatArray) -> FloatArray:
    """Latitude, longitude (degrees) and ellipsoidal height (metres).

    Bowring's parametric latitude (Survey Review 1976, 23:181, p. 323), iterated twice: below a
    nanometre for heights from -10 to 1000 km.

    points_ecef_m : (..., 3) float64.  Returns (..., 3).
    """
    points = np.asarray(points_ecef_m, dtype=np.float64)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    p = np.hypot(x, y)
    beta = np.arctan2(z * WGS84_A_M, p * _B_M)
    for _ in range(2):
        lat = np.arctan2(
            z + _EP2 * _B_M * np.sin(beta) ** 3, p - WGS84_E2 * WGS84_A_M * np.cos(beta) ** 3
        )
        beta = np.arctan2((1.0 - WGS84_F) * np.sin(lat), np.cos(lat))
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    n = WGS84_A_M / np.sqrt(1.0 - WGS84_E2 * sin_lat**2)
    alt = p * cos_lat + z * sin_lat - WGS84_A_M**2 / n
    return np.stack([np.degrees(lat), np.degrees(np.arctan2(y, x)), alt], axis=-1)


@dataclass(frozen=True, slots=True)
class EnuFrame:
    """A local east-north-up frame, tangent to the ellipsoid's normal at its origin."""

    origin: GeoPoint

    @property
    def enu_from_ecef_rotation(self) -> FloatArray:
        """The (3, 3) rotation that takes earth-centred differences to east, north, up."""
        lat, lon = math.radians(self.origin.lat_deg), math.radians(self.origin.lon_deg)
        sin_lat, cos_lat = math.sin(lat), math.cos(lat)
        sin_lon, cos_lon = math.sin(lon), math.cos(lon)
        return np.array(
            [
                [-sin_lon, cos_lon, 0.0],
                [-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat],
                [cos_lat * cos_lon, cos_lat * sin_lon, sin_lat],
            ]
        )

    def _origin_ecef_m(self) -> FloatArray:
        o = self.origin
        return ecef_from_geodetic(np.array([o.lat_deg, o.lon_deg, o.alt_ellipsoid_m]))

    def enu_from_geodetic(self, geodetic: FloatArray) -> FloatArray:
        """points_enu_m (..., 3) of (..., 3) lat_deg, lon_deg, alt_ellipsoid_m."""
        delta = ecef_from_geodetic(geodetic) - self._origin_ecef_m()
        return np.asarray(delta @ self.enu_from_ecef_rotation.T)

    def geodetic_from_enu(self, points_enu_m: FloatArray) -> FloatArray:
        """(..., 3) lat_deg, lon_deg, alt_ellipsoid_m of (..., 3) points_enu_m."""
        points = np.asarray(points_enu_m, dtype=np.float64)
        return geodetic_from_ecef(points @ self.enu_from_ecef_rotation + self._origin_ecef_m())


def great_circle_distance_m(
    lat_a_deg: float, lon_a_deg: float, lat_b_deg: float, lon_b_deg: float
) -> float:
    """Distance along the mean sphere (haversine); within 0.6 % of the ellipsoid's."""
    lat_a, lat_b = math.radians(lat_a_deg), math.radians(lat_b_deg)
    half_dlat = (lat_b - lat_a) / 2.0
    half_dlon = math.radians(lon_b_deg - lon_a_deg) / 2.0
    h = math.sin(half_dlat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_dlon) ** 2
    return 2.0 * MEAN_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))
