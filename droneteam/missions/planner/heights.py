"""Heights that know what they are measured from, so that none is taken for another.

A height above the take-off point, above the ground and above sea level are three types; nothing
adds or compares two of different kinds.  What turns one into another is a named `Terrain` with
its vertical datum (`terrain.py`), or the take-off point's own height for home and sea level.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from droneteam.errors import InputError
from droneteam.missions.items import HomePoint

TAW_ABOVE_GEOID_M = -2.33
"""The zero of the Belgian levelling (TAW, EPSG:5710) lies 2.33 m below that of Amsterdam (NAP),
which is mean sea level: a TAW height is that much larger than one above the geoid."""


class HeightKind(StrEnum):
    """What a height is measured from."""

    HOME = "home"
    AGL = "agl"
    AMSL = "amsl"


class VerticalDatum(StrEnum):
    """What a terrain's heights are measured from.

    UNKNOWN serves differences of height within one raster, never heights above sea level.
    """

    GEOID = "geoid"
    TAW = "taw"
    ELLIPSOID = "ellipsoid"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AltHome:
    """Metres above the take-off point."""

    metres: float

    def __post_init__(self) -> None:
        _check(self.metres, "home")

    def amsl(self, home: HomePoint) -> AltAmsl:
        """The same above sea level, through the take-off point's own height."""
        return AltAmsl(self.metres + _known_amsl_m(home))


@dataclass(frozen=True, slots=True)
class AltAgl:
    """Metres above the ground right below."""

    metres: float

    def __post_init__(self) -> None:
        _check(self.metres, "agl")


@dataclass(frozen=True, slots=True)
class AltAmsl:
    """Metres above the geoid."""

    metres: float

    def __post_init__(self) -> None:
        _check(self.metres, "amsl")

    def home(self, home: HomePoint) -> AltHome:
        """The same above the take-off point, through that point's own height."""
        return AltHome(self.metres - _known_amsl_m(home))


def _known_amsl_m(home: HomePoint) -> float:
    """The take-off point above sea level; InputError where nobody knows it."""
    if home.alt_amsl_m is None:
        raise InputError(
            "the take-off point's height above sea level is not known: enter it, or give heights "
            "above take-off",
            field="home.alt_amsl_m",
        )
    return home.alt_amsl_m


Altitude = AltHome | AltAgl | AltAmsl


def altitude(kind: HeightKind, metres: float) -> Altitude:
    """The height as the type of its kind."""
    made: dict[HeightKind, type[AltHome] | type[AltAgl] | type[AltAmsl]] = {
        HeightKind.HOME: AltHome,
        HeightKind.AGL: AltAgl,
        HeightKind.AMSL: AltAmsl,
    }
    return made[kind](metres)


def geoid_from_datum_m(datum: VerticalDatum, geoid_separation_m: float | None) -> float:
    """What is added to a height above a datum to have it above the geoid.

    geoid_separation_m : the geoid above the ellipsoid at the site, for ellipsoidal heights.

    Raises
    ------
    InputError
        The datum is unknown, or ellipsoidal without the separation at the site.
    """
    if datum is VerticalDatum.GEOID:
        return 0.0
    if datum is VerticalDatum.TAW:
        return TAW_ABOVE_GEOID_M
    if datum is VerticalDatum.ELLIPSOID and geoid_separation_m is not None:
        return -geoid_separation_m
    raise InputError(
        "heights above the datum “{datum}” cannot be turned into heights above sea "
        "level: give the terrain's vertical datum, and for an ellipsoidal one the "
        "geoid's height there",
        field="terrain",
        datum=datum.value,
    )


def _check(metres: float, kind: str) -> None:
    if not math.isfinite(metres):
        raise InputError(
            "alt_{kind}_m {metres} is not a finite number",
            field=f"alt_{kind}_m",
            kind=kind,
            metres=metres,
        )
