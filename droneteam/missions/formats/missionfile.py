"""What mission files of every format come down to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from droneteam.errors import DecodeError, InputError
from droneteam.geo import check_lat_lon
from droneteam.missions.items import (
    MAX_ALT_HOME_M,
    MAX_ITEMS,
    MIN_ALT_HOME_M,
    POSITIONED,
    Frame,
    HomePoint,
    MissionCommand,
    MissionItem,
)

MAX_FILE_BYTES = 20_000_000
MAX_FENCE_RADIUS_M = 20_000.0


@dataclass(frozen=True, slots=True)
class FenceCircle:
    """A circle to stay in, or out of."""

    lat_deg: float
    lon_deg: float
    radius_m: float
    inclusion: bool

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)
        if not 0.0 < self.radius_m <= MAX_FENCE_RADIUS_M:  # also rejects NaN
            raise InputError(
                "fence radius_m {radius_m} outside (0, {limit:.0f}]",
                radius_m=self.radius_m,
                limit=MAX_FENCE_RADIUS_M,
            )


@dataclass(frozen=True, slots=True)
class MissionFile:
    """A mission, its fence and its rally points; all but the first may be empty.

    fence : corners (lat_deg, lon_deg) of the area to stay in; exclusions : the same of areas to
    stay out of; circles : of either kind; rally : lat_deg, lon_deg and height above the take-off
    point in metres.
    """

    home: HomePoint
    items: tuple[MissionItem, ...]
    fence: tuple[tuple[float, float], ...] = ()
    rally: tuple[tuple[float, float, float], ...] = ()
    exclusions: tuple[tuple[tuple[float, float], ...], ...] = ()
    circles: tuple[FenceCircle, ...] = ()

    def __post_init__(self) -> None:
        for lat_deg, lon_deg in chain(self.fence, *self.exclusions):
            check_lat_lon(lat_deg, lon_deg)
        for number, (lat_deg, lon_deg, alt_m) in enumerate(self.rally, start=1):
            check_lat_lon(lat_deg, lon_deg)
            if not MIN_ALT_HOME_M <= alt_m <= MAX_ALT_HOME_M:  # also rejects NaN
                raise InputError(
                    "rally point {number}: alt_home_m {alt_m} cannot be flown at",
                    number=number,
                    alt_m=alt_m,
                )
        if len(self.items) >= MAX_ITEMS:
            raise InputError(
                "{count} items; {most} are allowed", count=len(self.items), most=MAX_ITEMS - 1
            )


def item_from_numbers(
    number: int, frame: int, params: tuple[float, ...], home: HomePoint
) -> MissionItem:
    """A mission item from MAVLink's command number, frame and seven parameters.

    Raises
    ------
    DecodeError
        An unknown command, or an altitude that cannot be converted to one above take-off.
    """
    try:
        command = MissionCommand(number)
    except ValueError:
        raise DecodeError("command {number} is not supported", number=number) from None
    p1, p2, p3, p4, x, y, z = params
    try:
        if command not in POSITIONED:
            return MissionItem(command, (p1, p2, p3, p4), extra=(x, y, z))
        alt_home_m = _alt_home_m(frame, z, home)
        return MissionItem(command, (p1, p2, p3, p4), lat_deg=x, lon_deg=y, alt_home_m=alt_home_m)
    except InputError as error:
        raise DecodeError(error.template, offset=None, **error.facts) from error


def _alt_home_m(frame: int, z: float, home: HomePoint) -> float:
    if frame in (Frame.GLOBAL_RELATIVE, Frame.GLOBAL_RELATIVE_INT):
        return z
    if frame in (Frame.GLOBAL, Frame.GLOBAL_INT):
        if home.alt_amsl_m is None:
            raise DecodeError("a height above sea level, but the take-off point has none")
        return z - home.alt_amsl_m
    if frame in (Frame.TERRAIN, Frame.TERRAIN_INT):
        raise DecodeError("altitudes above terrain need a terrain model: export above home")
    raise DecodeError("frame {frame} of an item with a position is not supported", frame=frame)


def numbers_of(item: MissionItem) -> tuple[int, tuple[float, ...]]:
    """The frame and seven parameters of an item."""
    if item.command in POSITIONED:
        place = (item.lat_deg or 0.0, item.lon_deg or 0.0, item.alt_home_m or 0.0)
        return Frame.GLOBAL_RELATIVE, (*item.params, *place)
    return Frame.MISSION, (*item.params, *item.extra)
