"""A mission as places to fly to and photos to take there, which DJI's programs understand.

They trigger by distance in ways of their own, so every planned photo becomes a place; a mission
without photos keeps its corners.  Heights are above the take-off point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from droneteam.errors import InputError
from droneteam.geo import check_lat_lon
from droneteam.missions.items import (
    MAX_ALT_HOME_M,
    MIN_ALT_HOME_M,
    MissionCommand,
    MissionItem,
    quantised,
)
from droneteam.missions.planner.plan import MissionPlan


@dataclass(frozen=True, slots=True)
class PhotoStop:
    """One place.

    yaw_deg : from true north, [0, 360); pitch_deg : of the camera, -90 straight down; stay_s :
    time to hover there.
    """

    lat_deg: float
    lon_deg: float
    alt_home_m: float
    yaw_deg: float
    pitch_deg: float
    speed_mps: float
    stay_s: float = 0.0
    photo: bool = False

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)
        if not MIN_ALT_HOME_M <= self.alt_home_m <= MAX_ALT_HOME_M:  # also rejects NaN
            raise InputError(
                "a height of {height_m} m above take-off; {low_m:.0f} to {high_m:.0f} m can be "
                "flown",
                height_m=self.alt_home_m,
                low_m=MIN_ALT_HOME_M,
                high_m=MAX_ALT_HOME_M,
            )
        if not 0.0 < self.speed_mps <= 20.0:
            raise InputError("speed {speed_mps} m/s outside (0, 20]", speed_mps=self.speed_mps)
        if not -120.0 <= self.pitch_deg <= 60.0 or not 0.0 <= self.yaw_deg < 360.0:
            raise InputError(
                "camera attitude {yaw_deg}°, {pitch_deg}° is impossible",
                yaw_deg=self.yaw_deg,
                pitch_deg=self.pitch_deg,
            )


def stops_of(plan: MissionPlan) -> tuple[PhotoStop, ...]:
    """The plan's photos as places, or its corners when it takes none."""
    speed_mps = next(
        (one.params[1] for one in plan.items if one.command is MissionCommand.DO_CHANGE_SPEED), 5.0
    )
    if plan.photo_positions:
        return tuple(
            PhotoStop(
                round(p.lat_deg, 7),
                round(p.lon_deg, 7),
                round(p.alt_home_m, 2),
                round(p.yaw_deg, 1) % 360.0,
                round(p.pitch_deg, 1),
                speed_mps,
                photo=True,
            )
            for p in plan.photo_positions
        )
    return tuple(_corners(plan, speed_mps))


def _corners(plan: MissionPlan, speed_mps: float) -> list[PhotoStop]:
    pitch = next(
        (one.params[0] for one in plan.items if one.command is MissionCommand.DO_MOUNT_CONTROL),
        -90.0,
    )
    return [
        PhotoStop(
            item.lat_deg or 0.0,
            item.lon_deg or 0.0,
            item.alt_home_m or 0.0,
            0.0,
            pitch,
            speed_mps,
            item.params[0],
        )
        for item in plan.items
        if item.command in (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    ]


def items_of(stops: Sequence[PhotoStop]) -> tuple[MissionItem, ...]:
    """The same places as mission items, from take-off to the way home."""
    if not stops:
        raise InputError("the mission has no waypoint")
    items = [
        MissionItem(
            MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=stops[0].alt_home_m
        )
    ]
    speed_mps = pitch_deg = None
    for stop in stops:
        if stop.pitch_deg != pitch_deg:
            pitch_deg = stop.pitch_deg
            mount = (pitch_deg, 0.0, 0.0, 0.0)
            items.append(MissionItem(MissionCommand.DO_MOUNT_CONTROL, mount, extra=(0.0, 0.0, 2.0)))
        if stop.speed_mps != speed_mps:
            speed_mps = stop.speed_mps
            items.append(MissionItem(MissionCommand.DO_CHANGE_SPEED, (1.0, speed_mps, -1.0, 0.0)))
        items += _at(stop)
    items.append(MissionItem(MissionCommand.RETURN_TO_LAUNCH))
    return tuple(quantised(item) for item in items)


def _at(stop: PhotoStop) -> list[MissionItem]:
    place = MissionItem(
        MissionCommand.WAYPOINT,
        (float(round(stop.stay_s)), 0.0, 0.0, 0.0),
        lat_deg=stop.lat_deg,
        lon_deg=stop.lon_deg,
        alt_home_m=stop.alt_home_m,
    )
    if not stop.photo:
        return [place]
    return [place, MissionItem(MissionCommand.DO_DIGICAM_CONTROL, extra=(1.0, 0.0, 0.0))]
