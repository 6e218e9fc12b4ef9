"""The flat frame in which a vehicle flies, and its way to and from WGS84.

East and north are metres along the ellipsoid's parallel and meridian through the origin (radii
of curvature there), up is the difference of ellipsoidal heights.  Over a sortie of some
kilometres the two agree to centimetres, and the pose handed to the camera is read from the same
frame, so nothing downstream sees even that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from droneteam.geo import WGS84_A_M, WGS84_E2, check_lat_lon


@dataclass(frozen=True, slots=True)
class LocalFrame:
    """East, north and up in metres about one origin.

    geoid_undulation_m : the geoid's height above the ellipsoid, constant over the frame.
    """

    lat_deg: float
    lon_deg: float
    alt_ellipsoid_m: float
    geoid_undulation_m: float
    north_m_per_deg: float = field(init=False)
    east_m_per_deg: float = field(init=False)

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)
        lat = math.radians(self.lat_deg)
        w2 = 1.0 - WGS84_E2 * math.sin(lat) ** 2
        prime_vertical_m = WGS84_A_M / math.sqrt(w2)
        meridian_m = prime_vertical_m * (1.0 - WGS84_E2) / w2
        height = self.alt_ellipsoid_m
        object.__setattr__(self, "north_m_per_deg", math.radians(meridian_m + height))
        object.__setattr__(
            self, "east_m_per_deg", math.radians((prime_vertical_m + height) * math.cos(lat))
        )

    def metres(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """East and north of a position."""
        return (
            (lon_deg - self.lon_deg) * self.east_m_per_deg,
            (lat_deg - self.lat_deg) * self.north_m_per_deg,
        )

    def degrees(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude of a point of the frame."""
        return (
            self.lat_deg + north_m / self.north_m_per_deg,
            self.lon_deg + east_m / self.east_m_per_deg,
        )

    def alt_amsl_m(self, up_m: float) -> float:
        """Height above the geoid of a height in the frame."""
        return self.alt_ellipsoid_m + up_m - self.geoid_undulation_m

    def up_of_amsl_m(self, alt_amsl_m: float) -> float:
        """Height in the frame of a height above the geoid."""
        return alt_amsl_m + self.geoid_undulation_m - self.alt_ellipsoid_m
