"""The ways home of a flight: from every place of it straight back, above everything (pure).

An early return starts anywhere: when the link, the battery or the pilot ends the flight.  The
vehicle climbs to its return height and flies straight to the take-off point, so that whatever
holds for the path (fence, volumes, clearance) must hold for every such line, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.planner.relief import SIDE_M
from droneteam.missions.planner.route import Ground, LatLon
from droneteam.missions.planner.terrain import Terrain

RETURN_CLEARANCE_M = 5.0
"""An early way home is flown that much above the highest waypoint and above what stands below."""
MIN_RETURN_M = 15.0
PLACES = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME, MissionCommand.LAND)
_STATION_M = 3.0
_MAX_STATIONS = 20_000


def places_of(items: Sequence[MissionItem]) -> list[tuple[int, LatLon, float]]:
    """Number (from one), place and height above take-off of every item that is flown to."""
    return [
        (number, (item.lat_deg, item.lon_deg), item.alt_home_m or 0.0)
        for number, item in enumerate(items, 1)
        if item.command in PLACES and item.lat_deg is not None and item.lon_deg is not None
    ]


def path_m(items: Sequence[MissionItem], home: HomePoint, ground: Ground) -> FloatArray:
    """(n, 2) the flight over ground from the take-off point over every place back to it."""
    start = (home.lat_deg, home.lon_deg)
    return ground.metres([start, *(place for _, place, _ in places_of(items)), start])


def reach_of(path: FloatArray) -> shapely.Geometry:
    """Everything that a flight and its early ways home pass over.

    path : (n, 2) metres, beginning and ending at the take-off point.  While the vehicle flies a
    leg, its ways home sweep the triangle of the leg and the take-off point.
    """
    home = path[0]
    starts, ends = path[1:-2], path[2:-1]
    corners = np.stack([np.broadcast_to(home, starts.shape), starts, ends], axis=1)
    (ax, ay), (bx, by) = (starts - home).T, (ends - home).T
    wide = np.abs(ax * by - ay * bx) > 1e-6
    return shapely.union_all([shapely.LineString(path), *shapely.polygons(corners[wide])])


def return_height_m(items: Sequence[MissionItem], obstacle_home_m: float | None = None) -> float:
    """How high above take-off an early way home is flown.

    obstacle_home_m : the highest that stands below any way home; None where nobody knows.
    """
    heights = [item.alt_home_m for item in items if item.alt_home_m is not None]
    top_m = max(heights, default=MIN_RETURN_M)
    if obstacle_home_m is not None:
        top_m = max(top_m, obstacle_home_m)
    return float(max(MIN_RETURN_M, top_m + RETURN_CLEARANCE_M))


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The highest that stands below a way home, above the take-off point, and where."""

    alt_home_m: float
    lat_deg: float
    lon_deg: float


def highest_below(
    items: Sequence[MissionItem], home: HomePoint, terrain: Terrain
) -> Obstacle | None:
    """The highest of the terrain below any straight way home; None where it has no value there.

    Read on blocks of at least SIDE_M, each with its highest cell, and around each place, so that
    a mast between two readings counts.
    """
    ground = Ground.around([(home.lat_deg, home.lon_deg)], home)
    stations = _stations(path_m(items, home, ground))
    lat_lon = ground.lat_lon(stations)
    cell_m = terrain.cell_m(home.lat_deg, home.lon_deg)
    blocks = terrain.coarser(max(1, int(np.ceil(SIDE_M / cell_m))))
    tops = blocks.top_within_m(lat_lon, 1)
    at_home = float(terrain.ground_m(np.array([[home.lat_deg, home.lon_deg]]))[0])
    if not np.isfinite(at_home) or not np.isfinite(tops).any():
        return None
    row = int(np.nanargmax(tops))
    lat_deg, lon_deg = lat_lon[row].tolist()
    return Obstacle(float(tops[row]) - at_home, lat_deg, lon_deg)


def _stations(path: FloatArray) -> FloatArray:
    """(k, 2) places on the straight ways home from every place of a path, and on its legs' ends."""
    away = path[1:-1] - path[0]
    lengths = np.hypot(*away.T)
    step_m = max(_STATION_M, float(np.sum(lengths)) / _MAX_STATIONS)
    counts = np.maximum(1, np.ceil(lengths / step_m)).astype(np.int64)
    way = np.repeat(np.arange(len(counts)), counts)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    share = (np.arange(len(way)) - first[way] + 1.0) / counts[way]
    return np.vstack([path[:1], path[0] + share[:, None] * away[way]])
