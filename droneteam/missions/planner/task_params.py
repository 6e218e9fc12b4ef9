"""What a pilot may ask of a mission that is no survey of an area.

Without a terrain the ground is flat at ``ground_alt_home_m`` above the take-off point.  A height
that is asked for is given above the take-off point, the ground or sea level: one of three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from droneteam.errors import InputError
from droneteam.geo import check_lat_lon
from droneteam.missions.planner.chances import ChanceMap
from droneteam.missions.planner.heights import HeightKind
from droneteam.missions.planner.plan import (
    MAX_HEIGHT_M,
    MIN_FORWARD_OVERLAP,
    MIN_HEIGHT_M,
    MIN_SIDE_OVERLAP,
    SurveyParams,
)
from droneteam.missions.planner.ranges import check_range
from droneteam.missions.planner.route import LatLon


@dataclass(frozen=True, slots=True)
class CorridorParams:
    """Photos along a road; the places are its axis."""

    width_m: float = 12.0
    gsd_m: float = 0.010
    forward_overlap: float = 0.80
    side_overlap: float = 0.60
    speed_mps: float = 5.0
    min_views: int = 3
    ground_alt_home_m: float = 0.0

    def __post_init__(self) -> None:
        check_range("width_m", self.width_m, 1.0, 500.0)
        check_range("gsd_m", self.gsd_m, 0.001, 0.5)
        check_range("forward_overlap", self.forward_overlap, MIN_FORWARD_OVERLAP, 0.95)
        check_range("side_overlap", self.side_overlap, MIN_SIDE_OVERLAP, 0.95)
        check_range("speed_mps", self.speed_mps, 0.5, 20.0)
        check_range("min_views", self.min_views, 1, 50)
        check_range("ground_alt_home_m", self.ground_alt_home_m, -100.0, 100.0)


@dataclass(frozen=True, slots=True)
class FacadeParams:
    """Photos of a wall; the places are its foot, the vehicle stays on its left.

    gsd_m : on the wall; bottom_m, top_m : heights of the lowest and highest photo's middle
    above the foot of the wall.
    """

    gsd_m: float = 0.003
    bottom_m: float = 3.0
    top_m: float = 10.0
    forward_overlap: float = 0.75
    side_overlap: float = 0.60
    speed_mps: float = 2.0
    min_views: int = 2
    ground_alt_home_m: float = 0.0

    def __post_init__(self) -> None:
        check_range("gsd_m", self.gsd_m, 0.0005, 0.05)
        check_range("bottom_m", self.bottom_m, 2.0, MAX_HEIGHT_M)
        check_range("top_m", self.top_m, self.bottom_m, MAX_HEIGHT_M)
        check_range("forward_overlap", self.forward_overlap, MIN_FORWARD_OVERLAP, 0.95)
        check_range("side_overlap", self.side_overlap, MIN_SIDE_OVERLAP, 0.95)
        check_range("speed_mps", self.speed_mps, 0.5, 5.0)
        check_range("min_views", self.min_views, 1, 50)
        check_range("ground_alt_home_m", self.ground_alt_home_m, -100.0, 100.0)


Heights = tuple[HeightKind, tuple[float, ...]]


def _heights(given: tuple[tuple[float, ...], ...], usual_m: float) -> Heights:
    """The one kind of height that was given.

    given : above home, above the ground, above sea level.

    Raises
    ------
    InputError
        Two kinds were given.
    """
    kinds = (HeightKind.HOME, HeightKind.AGL, HeightKind.AMSL)
    found = [(kind, values) for kind, values in zip(kinds, given, strict=True) if values]
    if len(found) > 1:
        one, other = (f"alt_{kind.value}_m" for kind, _ in found[:2])
        raise InputError(
            "heights are given as {one} and {other}: choose what they are measured from",
            field=other,
            one=one,
            other=other,
        )
    return found[0] if found else (HeightKind.HOME, (usual_m,))


def _check_heights(heights: Heights) -> None:
    """Above home and the ground the range is known; above sea level the plan itself checks it."""
    kind, values = heights
    low, high = (-100.0, 6000.0) if kind is HeightKind.AMSL else (MIN_HEIGHT_M, MAX_HEIGHT_M)
    for value in values:
        check_range(f"alt_{kind.value}_m", value, low, high)


SearchPattern = Literal["expanding_square", "sector", "parallel_track"]


@dataclass(frozen=True, slots=True)
class SearchParams:
    """A search for a person.

    The place is where the person was last seen (expanding square, sector), or the places are
    the corners of the area (parallel track).
    gsd_m : so small that a person is recognised in the picture; sigma_m : standard deviation of
    how far the person has moved since; detection : the chance to recognise somebody whom the
    camera sees, which depends on trees and light; turns : sets of three triangles of a sector
    search; chances : where the person may be, instead of what the pattern supposes (a spread about
    the place, or even over the area); max_minutes : in the air, for parallel tracks: what adds most
    to the chance is flown then, and the rest left out.
    """

    pattern: SearchPattern = "expanding_square"
    gsd_m: float = 0.030
    radius_m: float = 150.0
    sigma_m: float = 75.0
    overlap: float = 0.20
    detection: float = 0.8
    turns: int = 1
    speed_mps: float = 8.0
    ground_alt_home_m: float = 0.0
    chances: ChanceMap | None = None
    max_minutes: float | None = None

    def __post_init__(self) -> None:
        if self.max_minutes is not None:
            check_range("max_minutes", self.max_minutes, 1.0, 600.0)
        if self.pattern not in ("expanding_square", "sector", "parallel_track"):
            raise InputError(
                "unknown search pattern {pattern!r}", field="pattern", pattern=self.pattern
            )
        check_range("gsd_m", self.gsd_m, 0.001, 0.5)
        check_range("radius_m", self.radius_m, 10.0, 5000.0)
        check_range("sigma_m", self.sigma_m, 1.0, 5000.0)
        check_range("overlap", self.overlap, 0.0, 0.8)
        check_range("detection", self.detection, 0.05, 1.0)
        check_range("turns", self.turns, 1, 10)
        check_range("speed_mps", self.speed_mps, 0.5, 20.0)
        check_range("ground_alt_home_m", self.ground_alt_home_m, -100.0, 100.0)

    @property
    def starts_at_a_place(self) -> bool:
        """Whether the search is laid around a last known position, not over an area."""
        return self.pattern != "parallel_track"


@dataclass(frozen=True, slots=True)
class OverwatchParams:
    """Hovering at places with the camera on a target.

    target : latitude and longitude of what is watched; alt_home_m, alt_agl_m, alt_amsl_m : one of
    them, 60 m above the take-off point where none is given; stay_s : at each place.
    """

    target: LatLon
    alt_home_m: float | None = None
    alt_agl_m: float | None = None
    alt_amsl_m: float | None = None
    stay_s: int = 300
    speed_mps: float = 8.0
    ground_alt_home_m: float = 0.0

    def __post_init__(self) -> None:
        check_lat_lon(*self.target)
        _check_heights(self.heights)
        check_range("stay_s", self.stay_s, 1.0, 3600.0)
        check_range("speed_mps", self.speed_mps, 0.5, 20.0)
        check_range("ground_alt_home_m", self.ground_alt_home_m, -100.0, 100.0)

    @property
    def heights(self) -> Heights:
        """What its height is measured from, and the height."""
        given = (self.alt_home_m, self.alt_agl_m, self.alt_amsl_m)
        return _heights(tuple(() if one is None else (one,) for one in given), 60.0)


@dataclass(frozen=True, slots=True)
class FreeParams:
    """Waypoints flown in the given order.

    alt_home_m, alt_agl_m, alt_amsl_m : one of them, with one height for all places or one each;
    30 m above the take-off point where none is given; pitch_deg : of the camera; stay_s : at each
    place; photo : whether one is taken there.
    """

    alt_home_m: tuple[float, ...] = ()
    alt_agl_m: tuple[float, ...] = ()
    alt_amsl_m: tuple[float, ...] = ()
    pitch_deg: float = -90.0
    stay_s: int = 1
    photo: bool = False
    speed_mps: float = 5.0

    def __post_init__(self) -> None:
        _check_heights(self.heights)
        check_range("pitch_deg", self.pitch_deg, -90.0, 0.0)
        check_range("stay_s", self.stay_s, 0.0, 3600.0)
        check_range("speed_mps", self.speed_mps, 0.5, 20.0)

    @property
    def heights(self) -> Heights:
        """What its heights are measured from, and the heights."""
        return _heights((self.alt_home_m, self.alt_agl_m, self.alt_amsl_m), 30.0)


TaskParams = (
    SurveyParams | CorridorParams | FacadeParams | SearchParams | OverwatchParams | FreeParams
)
