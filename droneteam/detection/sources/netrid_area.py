"""The area that a display provider watches, in views that service providers answer for.

A view is a rectangle given by two corners, with a diagonal of at most 7 km (F3411-22a,
NetMaxDisplayAreaDiagonal): a provider answers 413 to a larger one.  A larger area is asked for in
several views, all of one size, that overlap nowhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from droneteam.errors import InputError
from droneteam.geo import great_circle_distance_m

MAX_DIAGONAL_M = 7000.0
SHARE = 0.98
"""Of the largest diagonal: providers measure on another ellipsoid than we do."""
MAX_VIEWS = 64


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of latitudes and longitudes."""

    south_deg: float
    west_deg: float
    north_deg: float
    east_deg: float

    def __post_init__(self) -> None:
        if not -85.0 <= self.south_deg < self.north_deg <= 85.0:
            raise InputError(
                f"area: latitudes {self.south_deg}, {self.north_deg} are not a south and a north "
                "within [-85, 85]",
                field="area",
            )
        if not -180.0 <= self.west_deg < self.east_deg <= 180.0:
            raise InputError(
                f"area: longitudes {self.west_deg}, {self.east_deg} are not a west and an east; "
                "an area across the date line is two",
                field="area",
            )

    @property
    def diagonal_m(self) -> float:
        """From corner to corner, the longer of the two ways."""
        return max(
            great_circle_distance_m(self.south_deg, self.west_deg, self.north_deg, self.east_deg),
            great_circle_distance_m(self.north_deg, self.west_deg, self.south_deg, self.east_deg),
        )

    @property
    def corners(self) -> str:
        """As GET /uss/flights is asked: "lat,lng,lat,lng"."""
        numbers = (self.south_deg, self.west_deg, self.north_deg, self.east_deg)
        return ",".join(f"{one:.7f}" for one in numbers)

    @property
    def outline(self) -> tuple[tuple[float, float], ...]:
        """Its corners as (lat_deg, lon_deg), counter-clockwise."""
        south, west, north, east = self.south_deg, self.west_deg, self.north_deg, self.east_deg
        return ((south, west), (south, east), (north, east), (north, west))


def views(area: View) -> tuple[View, ...]:
    """The views that make up an area.

    Raises
    ------
    InputError
        It needs more than MAX_VIEWS.
    """
    rows, columns = _grid(area)
    if rows * columns > MAX_VIEWS:
        raise InputError(
            f"area: {rows * columns} views of {MAX_DIAGONAL_M / 1000:.0f} km; a receiver asks for "
            f"{MAX_VIEWS} at most, so divide it between several",
            field="area",
        )
    lats = [_between(area.south_deg, area.north_deg, n, rows) for n in range(rows + 1)]
    lons = [_between(area.west_deg, area.east_deg, n, columns) for n in range(columns + 1)]
    return tuple(
        View(lats[row], lons[column], lats[row + 1], lons[column + 1])
        for row in range(rows)
        for column in range(columns)
    )


def _between(low: float, high: float, step: int, steps: int) -> float:
    return high if step == steps else low + (high - low) * step / steps


def _grid(area: View) -> tuple[int, int]:
    """Rows and columns, as few as there can be with cells of about equal sides."""
    widest = min(abs(area.south_deg), abs(area.north_deg))
    if area.south_deg < 0.0 < area.north_deg:
        widest = 0.0
    height_m = great_circle_distance_m(area.south_deg, 0.0, area.north_deg, 0.0)
    # Along the parallel: the great circle between far ends is shorter than the sum of its parts.
    width_m = 111_320.0 * (area.east_deg - area.west_deg) * math.cos(math.radians(widest))
    limit_m = SHARE * MAX_DIAGONAL_M
    most = math.ceil(height_m / limit_m) + math.ceil(height_m * math.sqrt(2.0) / limit_m)
    best = None
    for rows in range(max(1, math.ceil(height_m / limit_m)), most + 1):
        room_m = math.sqrt(max(0.0, limit_m**2 - (height_m / rows) ** 2))
        if room_m <= 0.0:
            continue
        columns = max(1, math.ceil(width_m / room_m))
        if best is None or rows * columns < best[0] * best[1]:
            best = (rows, columns)
    assert best is not None
    return best
