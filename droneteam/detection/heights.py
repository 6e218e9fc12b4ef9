"""Heights with the surface that each is above, and the one honest way to compare two.

A drone's telemetry gives metres above the geoid (AMSL), Remote ID above the ellipsoid or the
take-off, a transponder a pressure.  Two heights are compared above a surface that both are given
above; the geoid is turned into the ellipsoid only where the installation states how far it lies
above it, and the answer says which surface it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Frame = Literal["ellipsoid", "geoid", "pressure"]


@dataclass(frozen=True, slots=True)
class Heights:
    """One aircraft's height, above each surface that it is known above; None elsewhere.

    alt_home_m : above its own take-off point, which no other aircraft shares: it is shown and
    never compared.
    """

    alt_ellipsoid_m: float | None = None
    alt_amsl_m: float | None = None
    alt_pressure_m: float | None = None
    alt_home_m: float | None = None

    def ellipsoid_m(self, geoid_m: float | None) -> float | None:
        """Above the ellipsoid; geoid_m : the geoid above the ellipsoid here, None for unknown."""
        if self.alt_ellipsoid_m is not None or self.alt_amsl_m is None or geoid_m is None:
            return self.alt_ellipsoid_m
        return self.alt_amsl_m + geoid_m


def apart_m(a: Heights, b: Heights, geoid_m: float | None = None) -> tuple[float, Frame] | None:
    """How far apart they are in height and above what; None where no surface is shared."""
    pairs: tuple[tuple[float | None, float | None, Frame], ...] = (
        (a.ellipsoid_m(geoid_m), b.ellipsoid_m(geoid_m), "ellipsoid"),
        (a.alt_amsl_m, b.alt_amsl_m, "geoid"),
        (a.alt_pressure_m, b.alt_pressure_m, "pressure"),
    )
    for first_m, second_m, frame in pairs:
        if first_m is not None and second_m is not None:
            return abs(first_m - second_m), frame
    return None
