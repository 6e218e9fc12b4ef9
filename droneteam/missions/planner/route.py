"""From a path in metres to mission items, and how long the path takes to fly.

A route is a sequence of runs (a path flown without stopping in between, with photos by distance
or none) and stops (a place to hover at, looking at something, with one photo or for a time).
Every pattern of the planner comes down to these two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.errors import InputError
from droneteam.geo import (
    EnuFrame,
    FloatArray,
    GeoPoint,
    check_lat_lon,
    great_circle_distance_m,
)
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem, quantised

LatLon = tuple[float, float]

TAKEOFF_HEIGHT_M = 10.0
MAX_AWAY_M = 200_000.0
"""Places farther off are mistyped; nearer ones that no pack reaches are refused by packs.py."""
HOLD_S = 1.0
"""Time the vehicle stands still at a line's ends, so that photos lie where they were planned."""
SHOT_S = 1.5
"""Time for the gimbal to settle and the camera to store one photo at a stop."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Metres east and north of a place, and back to degrees.

    home_m : (2,) the take-off point.
    """

    frame: EnuFrame
    home_m: FloatArray

    @classmethod
    def around(cls, lat_lon: Sequence[LatLon], home: HomePoint) -> Ground:
        """The frame whose origin is the mean of some places.

        Raises
        ------
        InputError
            A latitude or longitude is out of range, or the places lie far from the take-off point.
        """
        for lat_deg, lon_deg in lat_lon:
            check_lat_lon(lat_deg, lon_deg)
        lons = [lon_deg for _, lon_deg in lat_lon] + [home.lon_deg]
        if max(lons) - min(lons) > 180.0:
            raise InputError(
                "the places lie on both sides of the 180° meridian: plan each side on its own",
                field="polygon",
            )
        lat_deg, lon_deg = np.mean(np.array(lat_lon), axis=0).tolist()
        frame = EnuFrame(GeoPoint(lat_deg, lon_deg))
        away_m = great_circle_distance_m(lat_deg, lon_deg, home.lat_deg, home.lon_deg)
        if away_m > MAX_AWAY_M:
            raise InputError(
                "the places lie {away_km:.0f} km from the take-off point; {limit_km:.0f} km "
                "are allowed: are latitude and longitude swapped?",
                field="polygon",
                away_km=away_m / 1000,
                limit_km=MAX_AWAY_M / 1000,
            )
        home_m = frame.enu_from_geodetic(np.array([home.lat_deg, home.lon_deg, 0.0]))[:2]
        return cls(frame, home_m)

    def metres(self, lat_lon: Sequence[LatLon]) -> FloatArray:
        """(n, 2) metres of places in degrees."""
        geodetic = np.column_stack([np.array(lat_lon, dtype=np.float64), np.zeros(len(lat_lon))])
        return np.asarray(self.frame.enu_from_geodetic(geodetic)[:, :2])

    def lat_lon(self, points_m: FloatArray) -> FloatArray:
        """(n, 2) degrees of (n, 2) metres."""
        enu = np.column_stack([points_m, np.zeros(len(points_m))])
        return np.asarray(self.frame.geodetic_from_enu(enu)[:, :2])


@dataclass(frozen=True, slots=True)
class LookAt:
    """What the camera is kept on: (2,) metres, and its height above the take-off point."""

    place_m: FloatArray
    alt_home_m: float


@dataclass(frozen=True, slots=True)
class Run:
    """A path flown from end to end.

    alt_home_m : (n,) of each corner, or one for all;
    trigger_m : distance between photos, 0 for none; at_start : whether the first photo is taken
    at the path's start, else one trigger distance later; look_at : None for straight ahead with
    the gimbal at ``pitch_deg``; hold_s : standing still at both ends.
    """

    path_m: FloatArray
    alt_home_m: float | FloatArray
    speed_mps: float
    trigger_m: float = 0.0
    at_start: bool = False
    look_at: LookAt | None = None
    pitch_deg: float = -90.0
    hold_s: float = HOLD_S

    @property
    def alts_home_m(self) -> FloatArray:
        """(n,) the height of each corner."""
        return np.broadcast_to(np.asarray(self.alt_home_m, dtype=np.float64), len(self.path_m))


@dataclass(frozen=True, slots=True)
class Stop:
    """A place to hover at, looking at something.

    look_at : None for straight ahead with the gimbal at ``pitch_deg``; stay_s : how long, in
    whole seconds as a vehicle stores it; photo : whether one photo is taken.
    """

    place_m: FloatArray
    alt_home_m: float
    speed_mps: float
    stay_s: int
    look_at: LookAt | None = None
    pitch_deg: float = -90.0
    photo: bool = False


Leg = Run | Stop


def mission_items(ground: Ground, legs: Sequence[Leg]) -> tuple[MissionItem, ...]:
    """Take-off, every leg with its camera's attitude, and the way home."""
    first = legs[0]
    first_alt = first.alt_home_m if isinstance(first, Stop) else float(first.alts_home_m[0])
    takeoff_alt = max(TAKEOFF_HEIGHT_M, first_alt)
    items = [MissionItem(MissionCommand.TAKEOFF, lat_deg=0.0, lon_deg=0.0, alt_home_m=takeoff_alt)]
    items += _commands(ground, legs)
    items.append(MissionItem(MissionCommand.RETURN_TO_LAUNCH))
    return tuple(quantised(item) for item in items)


def _commands(ground: Ground, legs: Sequence[Leg]) -> list[MissionItem]:
    items: list[MissionItem] = []
    speed_mps = pitch_deg = 0.0
    for leg in legs:
        if leg.look_at is None and leg.pitch_deg != pitch_deg:
            pitch_deg = leg.pitch_deg
            items.append(_mount(pitch_deg))
        if leg.speed_mps != speed_mps:
            speed_mps = leg.speed_mps
            items.append(MissionItem(MissionCommand.DO_CHANGE_SPEED, (1.0, speed_mps, -1.0, 0.0)))
        if leg.look_at is not None:
            items.append(_roi(ground, leg.look_at))
        items += _stop(ground, leg) if isinstance(leg, Stop) else _run(ground, leg)
        if leg.look_at is not None:
            items.append(MissionItem(MissionCommand.DO_SET_ROI_NONE))
            pitch_deg = 0.0  # the mount is free after a region of interest
    return items


def _mount(pitch_deg: float) -> MissionItem:
    params = (pitch_deg, 0.0, 0.0, 0.0)
    return MissionItem(MissionCommand.DO_MOUNT_CONTROL, params, extra=(0.0, 0.0, 2.0))


def _run(ground: Ground, run: Run) -> list[MissionItem]:
    """Stop at the first corner, take photos up to the last, stop there."""
    corners = ground.lat_lon(run.path_m)
    alts = run.alts_home_m.tolist()
    inner = [_waypoint(*place, 0.0) for place in zip(corners[1:-1], alts[1:-1], strict=True)]
    first = _waypoint(corners[0], alts[0], run.hold_s)
    last = _waypoint(corners[-1], alts[-1], run.hold_s)
    if not run.trigger_m:
        return [first, *inner, last]
    now = 1.0 if run.at_start else 0.0
    return [
        first,
        MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST, (run.trigger_m, 0.0, now, 0.0)),
        *inner,
        last,
        MissionItem(MissionCommand.DO_SET_CAM_TRIGG_DIST),
    ]


def _stop(ground: Ground, stop: Stop) -> list[MissionItem]:
    (place,) = ground.lat_lon(stop.place_m[None, :])
    if not stop.photo:
        command = MissionCommand.LOITER_TIME if stop.stay_s else MissionCommand.WAYPOINT
        return [_placed(command, place, stop.alt_home_m, stop.stay_s)]
    return [
        _waypoint(place, stop.alt_home_m, stop.stay_s),
        MissionItem(MissionCommand.DO_DIGICAM_CONTROL, extra=(1.0, 0.0, 0.0)),
        MissionItem(MissionCommand.DELAY, (SHOT_S, 0.0, 0.0, 0.0)),
    ]


def _roi(ground: Ground, look_at: LookAt) -> MissionItem:
    (place,) = ground.lat_lon(look_at.place_m[None, :])
    return _placed(MissionCommand.DO_SET_ROI_LOCATION, place, look_at.alt_home_m, 0.0)


def _waypoint(lat_lon: FloatArray, alt_home_m: float, hold_s: float) -> MissionItem:
    return _placed(MissionCommand.WAYPOINT, lat_lon, alt_home_m, hold_s)


def _placed(
    command: MissionCommand, lat_lon: FloatArray, alt_home_m: float, first: float
) -> MissionItem:
    return MissionItem(
        command,
        (first, 0.0, 0.0, 0.0),
        lat_deg=float(lat_lon[0]),
        lon_deg=float(lat_lon[1]),
        alt_home_m=alt_home_m,
    )
