"""The flight over the ground as a profile: heights at places along the way, leg by leg (pure)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.geo import FloatArray
from droneteam.missions.items import MissionCommand, MissionItem
from droneteam.missions.planner.relief import Relief
from droneteam.missions.planner.route import Ground

_PLACES = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
STEP_M = 2.0
"""Distance at which the ground below a leg is read: tops reach over it from beside (relief.py)."""
MAX_POINTS = 400
"""Points kept of a profile; the extremes of each stretch."""


@dataclass(frozen=True, slots=True)
class ProfilePoint:
    """One place of a flight, distances in metres and heights above the take-off point.

    leg : of the way from take-off (1) over each waypoint home again; clearance_m : over whatever
    stands within reach of GPS error, the least of the stretch that the point stands for.
    """

    distance_m: float
    leg: int
    lat_deg: float
    lon_deg: float
    alt_home_m: float
    ground_home_m: float
    clearance_m: float

    @property
    def alt_agl_m(self) -> float:
        """Height above the ground right below."""
        return self.alt_home_m - self.ground_home_m


def flight_profile(
    items: Sequence[MissionItem], ground: Ground, relief: Relief
) -> tuple[ProfilePoint, ...]:
    """The flight from above the take-off point over every waypoint and back above it.

    Empty over level ground: there is nothing to see.

    Raises
    ------
    InputError
        The terrain ends below the flight.
    """
    if relief.level:
        return ()
    path = _path(items, ground)
    if len(path) < 2:
        return ()
    stations, lengths, legs = _stations(path)
    ground_m = relief.ground_home_m(stations[:, :2])
    clearance = stations[:, 2] - relief.top_home_m(stations[:, :2])
    chosen = _extremes(clearance, stations[:, 2] - ground_m)
    lat_lon = ground.lat_lon(stations[chosen, :2])
    return tuple(
        ProfilePoint(
            round(float(lengths[row]), 2),
            int(legs[row]),
            round(float(place[0]), 7),
            round(float(place[1]), 7),
            round(float(stations[row, 2]), 2),
            round(float(ground_m[row]), 2),
            round(float(clearance[row]), 2),
        )
        for row, place in zip(chosen, lat_lon, strict=True)
    )


def _path(items: Sequence[MissionItem], ground: Ground) -> FloatArray:
    """(n, 3) the waypoints in metres, between two points above home.

    The vehicle climbs to the first leg's height and comes home at the last one's or higher.
    """
    moves = [item for item in items if item.command in _PLACES and item.lat_deg is not None]
    if not moves:
        return np.zeros((0, 3))
    takeoff = [i.alt_home_m for i in items if i.command is MissionCommand.TAKEOFF]
    places = ground.metres([(item.lat_deg or 0.0, item.lon_deg or 0.0) for item in moves])
    heights = np.array([item.alt_home_m or 0.0 for item in moves])
    first = takeoff[0] if takeoff and takeoff[0] is not None else heights[0]
    home = ground.home_m
    above = np.array([[*home, first]])
    back = np.array([[*home, max(float(heights[-1]), 0.0)]])
    return np.vstack([above, np.column_stack([places, heights]), back])


def _stations(path: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places along the legs, their distance flown over ground, and the number of their leg."""
    steps = np.hypot(*np.diff(path[:, :2], axis=0).T)
    counts = np.maximum(1, np.ceil(steps / STEP_M)).astype(np.int64)
    leg = np.repeat(np.arange(len(counts)), counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    share = (np.arange(len(leg)) - first[leg]) / counts[leg]
    stations = path[leg] + share[:, None] * (path[leg + 1] - path[leg])
    flown = np.concatenate([[0.0], np.cumsum(steps)])
    lengths = flown[leg] + share * steps[leg]
    stations = np.vstack([stations, path[-1:]])
    return stations, np.append(lengths, flown[-1]), np.append(leg, len(counts) - 1) + 1


def _extremes(clearance: FloatArray, agl: FloatArray) -> list[int]:
    """Of each stretch the places with the least clearance and the most height; both ends always."""
    count = len(clearance)
    size = max(1, math.ceil(2 * count / (MAX_POINTS - 2)))
    chosen = {0, count - 1}
    for start in range(0, count, size):
        chosen.add(start + int(np.argmin(clearance[start : start + size])))
        chosen.add(start + int(np.argmax(agl[start : start + size])))
    return sorted(chosen)


def highest_agl_m(items: Sequence[MissionItem], profile: Sequence[ProfilePoint]) -> float:
    """How high above the ground a flight gets: over its terrain, or over level ground at home."""
    looked_at = MissionCommand.DO_SET_ROI_LOCATION
    heights = [
        item.alt_home_m
        for item in items
        if item.alt_home_m is not None and item.command is not looked_at
    ]
    if not profile:
        return max(heights, default=0.0)
    return max(point.alt_agl_m for point in profile)
