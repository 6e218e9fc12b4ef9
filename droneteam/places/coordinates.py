"""Coordinates as people type them: degrees in three notations, Belgian Lambert 72 and 2008 (pure).

Belgium lies between 49° and 52° north and 2° and 7° east, and the two Lambert grids number its
ground in ranges that do not meet; the four notations cannot be taken for one another there, nor
can the order of latitude and longitude.
"""

from __future__ import annotations

import math
import re
from functools import cache

from pyproj import Transformer

LATITUDES_DEG = (49.0, 52.0)
LONGITUDES_DEG = (2.0, 7.0)
LAMBERT_72_M = ((0.0, 300_000.0), (0.0, 260_000.0))
"""East and north of EPSG:31370 in which Belgium lies."""
LAMBERT_2008_M = ((500_000.0, 800_000.0), (500_000.0, 760_000.0))
"""East and north of EPSG:3812 in which Belgium lies."""
_SMALLEST_GRID_M = 10_000.0
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?")
_PART = r"(\d+(?:[.,]\d+)?)\s*"
_DEGREES = re.compile(
    rf"{_PART}[°d]\s*(?:{_PART}['′’m]\s*)?(?:{_PART}(?:\"|″|''|s)\s*)?([NSEWOZ])", re.IGNORECASE
)
"""Degrees, minutes, seconds, side.  O is the Dutch east and the French west: it is only taken
where it is east and lies in Belgium."""


def read_coordinates(text: str) -> tuple[float, float] | None:
    """(lat_deg, lon_deg) on WGS84 that the text states; None where it is not two coordinates.

    Decimal degrees and grid metres may have a decimal comma where a space, semicolon or slash
    parts the two.  Degrees without a side (N, E) are only taken in Belgium, where either order is
    understood.
    """
    sided = _DEGREES.findall(text)
    if len(sided) == 2 and not _DEGREES.sub("", text).strip(" ,;/"):
        return _with_sides(sided)
    numbers = _two_numbers(text)
    if numbers is None:
        return None
    first, second = numbers
    if _within(first, LATITUDES_DEG) and _within(second, LONGITUDES_DEG):
        return first, second
    if _within(first, LONGITUDES_DEG) and _within(second, LATITUDES_DEG):
        return second, first
    return _from_grid(first, second)


def _with_sides(found: list[tuple[str, str, str, str]]) -> tuple[float, float] | None:
    degrees: dict[str, float] = {}
    for whole, minutes, seconds, side in found:
        value = _decimal(whole) + _decimal(minutes) / 60.0 + _decimal(seconds) / 3600.0
        if _decimal(minutes) >= 60.0 or _decimal(seconds) >= 60.0:
            return None
        letter = side.upper()
        axis = "lat" if letter in "NSZ" else "lon"
        degrees[axis] = -value if letter in "SZW" else value
    if set(degrees) != {"lat", "lon"} or abs(degrees["lat"]) > 90.0 or abs(degrees["lon"]) > 180.0:
        return None
    doubtful = any(side.upper() == "O" for *_, side in found)
    if doubtful and not _within(degrees["lon"], LONGITUDES_DEG):
        return None
    return degrees["lat"], degrees["lon"]


def _two_numbers(text: str) -> tuple[float, float] | None:
    """The two numbers that the text consists of."""
    stripped = re.sub(r"(?<=\d)\s*[°m](?![a-z])", "", text.strip(), flags=re.IGNORECASE)
    for parting in (r"[;/\s]+", r"\s*,\s+", r","):
        parts = [part for part in re.split(parting, stripped) if part.strip(",")]
        if len(parts) == 2 and all(_NUMBER.fullmatch(part.strip(", ")) for part in parts):
            first, second = (_decimal(part.strip(", ")) for part in parts)
            return first, second
    return None


def _decimal(text: str) -> float:
    return float(text.replace(",", ".")) if text else 0.0


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _from_grid(east_m: float, north_m: float) -> tuple[float, float] | None:
    if min(east_m, north_m) < _SMALLEST_GRID_M:
        return None
    for epsg, (easts, norths) in ((31370, LAMBERT_72_M), (3812, LAMBERT_2008_M)):
        if _within(east_m, easts) and _within(north_m, norths):
            return geodetic_from_grid(epsg, east_m, north_m)
    return None


def geodetic_from_grid(epsg: int, east_m: float, north_m: float) -> tuple[float, float] | None:
    """(lat_deg, lon_deg) of a point of a projected system; None outside of where it holds."""
    lon_deg, lat_deg = _transformer(epsg).transform(east_m, north_m)
    return (lat_deg, lon_deg) if math.isfinite(lat_deg) and math.isfinite(lon_deg) else None


@cache
def _transformer(epsg: int) -> Transformer:
    return Transformer.from_crs(epsg, 4326, always_xy=True)
