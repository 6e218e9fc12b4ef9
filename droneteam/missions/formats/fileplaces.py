"""What a file of another program says to fly: an area, or a path with heights of a stated kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from droneteam.errors import DecodeError, InputError
from droneteam.geo import check_lat_lon
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.chances import ChanceMap
from droneteam.missions.planner.heights import HeightKind
from droneteam.missions.planner.plan import GeoPolygon

MAX_CORNERS = 5000
LeftOut = Literal["fence", "rally", "ellipsoid", "intervals", "commands", "curves", "aim"]


@dataclass(frozen=True, slots=True)
class FilePlaces:
    """The places of a file, in its order.

    kind, heights_m : what the heights are measured from, one for each place; None and empty where
    the file gives none that can be flown; home : the take-off point that heights above take-off
    refer to; photo : whether the file takes a photo at each place; left_out : what else it holds;
    chances : the probability map of a search that was written with them.
    """

    places: GeoPolygon
    shape: Literal["area", "path"]
    kind: HeightKind | None = None
    heights_m: tuple[float, ...] = ()
    home: HomePoint | None = None
    photo: bool = False
    left_out: tuple[LeftOut, ...] = ()
    chances: ChanceMap | None = None


def outline(corners: list[tuple[float, float]]) -> GeoPolygon:
    """The corners, checked, without the repeated last one."""
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners = corners[:-1]
    return checked(corners, "polygon", at_least=3)


def checked(
    places: list[tuple[float, float]], what: Literal["polygon", "path"], *, at_least: int
) -> GeoPolygon:
    """The places, when there are neither too few nor too many and each is on the earth.

    Raises
    ------
    DecodeError
        Names the count, or the place that is none.
    """
    if not at_least <= len(places) <= MAX_CORNERS:
        counts = {"count": len(places), "least": at_least, "most": MAX_CORNERS}
        if what == "polygon":
            raise DecodeError(
                "the polygon has {count} corners; {least} to {most} are allowed", **counts
            )
        raise DecodeError("the path has {count} places; {least} to {most} are allowed", **counts)
    for number, (lat_deg, lon_deg) in enumerate(places, start=1):
        try:
            check_lat_lon(lat_deg, lon_deg)
        except InputError as error:
            if what == "polygon":
                raise DecodeError(
                    "polygon, place {number}: {error}", number=number, error=error
                ) from error
            raise DecodeError(
                "path, place {number}: {error}", number=number, error=error
            ) from error
    return tuple(places)
