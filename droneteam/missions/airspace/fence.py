"""The fence that a vehicle is given for a flight, and whether the flight stays within it (pure).

The fence stands between the flight geography and the contingency volume (`volumes.py`).  A flight
that holds its path as well as it should never touches it; one that breaches it at its planned
speed is turned back by the vehicle itself and comes to rest within the contingency volume: what is
left beyond the fence is the position's error and the way it takes to brake.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import shapely

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.airspace.checks import MAX_HEIGHT_M
from droneteam.missions.airspace.rules import Finding, finding
from droneteam.missions.airspace.volumes import (
    HOLD_ERROR_M,
    MAP_ERROR_M,
    RiskParams,
    contingency_height_m,
    fastest_mps,
    reaction_m,
)
from droneteam.missions.airspace.wayhome import (
    Obstacle,
    path_m,
    places_of,
    reach_of,
    return_height_m,
)
from droneteam.missions.items import HomePoint, MissionItem
from droneteam.missions.planner.plan import MIN_HEIGHT_M, GeoPolygon
from droneteam.missions.planner.route import Ground

MAX_CORNERS = 60
"""Fewer than the 84 that the smallest of ArduCopter's boards have held."""
_QUAD_SEGMENTS = 4
_STEP_M = 1.0
_OUTSIDE_M = 0.05
"""A place that lies farther out than the rounding of corners to 1e-7 degree."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What is uploaded as a vehicle's fence, with the heights that go with it.

    corners : (lat_deg, lon_deg) of the polygon to stay in, not closed; ceiling_home_m,
    return_home_m : above take-off; aside_m : least distance from the path and from every straight
    way home to the polygon.
    """

    corners: GeoPolygon
    ceiling_home_m: float
    return_home_m: float
    aside_m: float

    def raised(self, by_m: float) -> Fence:
        """The same with a higher way home below a higher ceiling: drones must not share one."""
        return replace(
            self,
            ceiling_home_m=self.ceiling_home_m + by_m,
            return_home_m=self.return_home_m + by_m,
        )


def fence_of(
    items: Sequence[MissionItem],
    home: HomePoint,
    risk: RiskParams,
    obstacle: Obstacle | None = None,
) -> Fence:
    """The fence of a flight; obstacle : the highest that stands below its ways home, if known.

    Raises
    ------
    InputError
        No polygon of a storable number of corners fits between the two volumes.
    """
    speed_mps = fastest_mps(items)
    wide_m = risk.margin_m + HOLD_ERROR_M + MAP_ERROR_M + reaction_m(speed_mps, risk)
    ground = Ground.around([(home.lat_deg, home.lon_deg)], home)
    ring, aside_m = _ring(reach_of(path_m(items, home, ground)), risk.margin_m, wide_m)
    corners = ground.lat_lon(ring).round(7).tolist()
    return_m = return_height_m(items, None if obstacle is None else obstacle.alt_home_m)
    return Fence(
        corners=tuple((lat, lon) for lat, lon in corners),
        ceiling_home_m=float(math.ceil(return_m + contingency_height_m(speed_mps, risk))),
        return_home_m=return_m,
        aside_m=round(aside_m, 2),
    )


def _ring(reach: shapely.Geometry, inner_m: float, outer_m: float) -> tuple[FloatArray, float]:
    """Corners between two distances around a flight, few enough, and their least distance.

    Corners are given up step by step, each step costing no more than its tolerance.
    """
    for share in (0.01, 0.03, 0.1, 0.3, 1.0):
        slack_m = 0.5 * share * (outer_m - inner_m)
        drawn = shapely.Polygon(reach.buffer(outer_m - slack_m, quad_segs=_QUAD_SEGMENTS).exterior)
        ring = shapely.get_coordinates(drawn.simplify(slack_m).exterior)[:-1]
        if len(ring) <= MAX_CORNERS:
            least_m = float(shapely.Polygon(ring).exterior.distance(reach))
            return np.asarray(ring), least_m
    raise InputError(
        "the fence around this path needs {count} corners, a vehicle stores {limit}: "
        "plan fewer bends or a smaller area",
        field="polygon",
        count=len(ring),
        limit=MAX_CORNERS,
    )


def fence_findings(
    items: Sequence[MissionItem],
    home: HomePoint,
    fence: Fence,
    ground_m: float = 0.0,
) -> tuple[Finding, ...]:
    """Whether every leg, every straight way home and every height stays inside a fence.

    ground_m : the lowest ground below the flight, above take-off: the ceiling above the ground
    counts from there.  A pure check: any items against any fence.
    """
    within = [*_outside(items, home, fence), *_too_high(items, fence)]
    if not within:
        facts = {"aside_m": f"{fence.aside_m:.0f}", "ceiling_m": f"{fence.ceiling_home_m:.0f}"}
        within = [finding("fence", **facts)]
    return (*within, _return_height(fence, ground_m))


def _outside(items: Sequence[MissionItem], home: HomePoint, fence: Fence) -> list[Finding]:
    """The leg and the way home that lie farthest outside, each with its item."""
    ground = Ground.around([(home.lat_deg, home.lon_deg)], home)
    area = shapely.Polygon(ground.metres(fence.corners))
    path = path_m(items, home, ground)
    numbers = [number for number, _, _ in places_of(items)]
    shapely.prepare(area)
    legs = np.stack([path[:-2], path[1:-1]], axis=1)
    home_m = np.broadcast_to(path[0], (len(legs), 1, 2))
    swept = shapely.convex_hull(shapely.multipoints(np.concatenate([legs, home_m], axis=1)))
    found = []
    for sentence, shapes in (("fence.left", shapely.linestrings(legs)), ("fence.return", swept)):
        out = np.nonzero(~shapely.covered_by(shapes, area))[0]
        beyond = [_beyond_m(shapes[row], area) for row in out]
        if beyond and max(beyond) > _OUTSIDE_M:
            worst = int(np.argmax(beyond))
            item, distance_m = numbers[out[worst]], f"{beyond[worst]:.1f}"
            found.append(finding(sentence, item=str(item), distance_m=distance_m))
    return found


def _beyond_m(shape: shapely.Geometry, area: shapely.Polygon) -> float:
    """How far the farthest place of a shape's outline lies outside an area."""
    outline = shapely.segmentize(shape.difference(area), _STEP_M)
    corners = shapely.points(shapely.get_coordinates(outline))
    return float(np.max(shapely.distance(corners, area), initial=0.0))


def _too_high(items: Sequence[MissionItem], fence: Fence) -> list[Finding]:
    heights = [(item.alt_home_m or 0.0, number) for number, item in enumerate(items, 1)]
    top_m, number = max(heights, default=(0.0, 0))
    if top_m <= fence.ceiling_home_m:
        return []
    facts = {"height_m": f"{top_m:.0f}", "ceiling_m": f"{fence.ceiling_home_m:.0f}"}
    return [finding("fence.height", item=str(number), **facts)]


def _return_height(fence: Fence, ground_m: float) -> Finding:
    above_m = fence.return_home_m - ground_m
    if above_m <= MAX_HEIGHT_M:
        return finding("return.height", return_m=f"{fence.return_home_m:.0f}")
    return finding(
        "return.high",
        return_m=f"{fence.return_home_m:.0f}",
        limit_m=f"{MAX_HEIGHT_M:.0f}",
        excess_m=f"{math.ceil(above_m - MAX_HEIGHT_M)}",
    )


def return_findings(
    fence: Fence, obstacle: Obstacle | None, terrain: str | None
) -> tuple[Finding, ...]:
    """Whether the ways home clear what the terrain knows; nothing over level ground."""
    if terrain is None:
        return ()
    if obstacle is None:
        return (finding("return.unknown", terrain=terrain),)
    clearance_m = fence.return_home_m - obstacle.alt_home_m
    return (
        finding(
            "return.clearance" if clearance_m >= MIN_HEIGHT_M - 1e-6 else "return.obstacle",
            clearance_m=f"{clearance_m:.1f}",
            limit_m=f"{MIN_HEIGHT_M:g}",
            terrain=terrain,
            lat_deg=f"{obstacle.lat_deg:.6f}",
            lon_deg=f"{obstacle.lon_deg:.6f}",
        ),
    )


def fence_to_json(fence: Fence) -> dict[str, Any]:
    """A JSON object of the fence."""
    return asdict(fence)


def fence_from_json(document: Mapping[str, Any]) -> Fence:
    """The fence of `fence_to_json`."""
    corners = tuple((lat, lon) for lat, lon in document["corners"])
    return Fence(**{**document, "corners": corners})
