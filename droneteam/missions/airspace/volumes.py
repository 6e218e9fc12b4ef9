"""Where a flight may be, where it may end up, and the ground that must be kept for a fall (pure).

Flight geography, contingency volume and ground-risk buffer as the specific operations risk
assessment (SORA, AMC1 to article 11 of Regulation (EU) 2019/947, section 1.2 and figure 1) nests
them.  The distances are those of the German authority's guidance on dimensioning them (LBA,
"Leitfaden zur Dimensionierung von Flight Geography, Contingency Volume und Ground Risk Buffer",
multirotors): position and map errors, what is flown until somebody reacts, what braking takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import shapely

from droneteam.missions.airspace.wayhome import path_m, reach_of, return_height_m
from droneteam.missions.items import MissionCommand, MissionItem
from droneteam.missions.planner.plan import GeoPolygon, MissionPlan
from droneteam.missions.planner.profile import highest_agl_m
from droneteam.missions.planner.ranges import check_range
from droneteam.missions.planner.route import Ground

GRAVITY_MPS2 = 9.80665
GPS_ERROR_M = 3.0
HOLD_ERROR_M = 3.0
MAP_ERROR_M = 1.0
BARO_ERROR_M = 1.0
REACTION_S = 1.0
"""Before the pilot acts (LBA guidance); the link's delay comes on top."""
OWN_SPEED_MPS = 10.0
"""ArduCopter's WPNAV_SPEED: what a mission without a speed of its own is flown at."""
_QUAD_SEGMENTS = 6


class BufferRule(StrEnum):
    """How wide the ground-risk buffer is.

    ONE_TO_ONE : as wide as the contingency volume is high; BALLISTIC : as far as the drone falls
    that loses its rotors at full speed, with the wind and without the air's drag; LARGER : both.
    """

    ONE_TO_ONE = "one_to_one"
    BALLISTIC = "ballistic"
    LARGER = "larger"


@dataclass(frozen=True, slots=True)
class RiskParams:
    """What the volumes are computed with.

    latency_s : of the control link, on top of the pilot's reaction; bank_deg : at which the
    vehicle brakes (ArduCopter's ANGLE_MAX); span_m : the vehicle's largest dimension; margin_m :
    navigation error around the path, which makes the flight geography; gust_mps : the strongest.
    """

    rule: BufferRule = BufferRule.LARGER
    latency_s: float = 0.5
    bank_deg: float = 30.0
    span_m: float = 1.0
    margin_m: float = 10.0
    gust_mps: float = 8.0

    def __post_init__(self) -> None:
        for field, low, high in (
            ("latency_s", 0.0, 10.0),
            ("bank_deg", 5.0, 45.0),
            ("span_m", 0.1, 8.0),
            ("margin_m", 1.0, 200.0),
            ("gust_mps", 0.0, 40.0),
        ):
            check_range(field, getattr(self, field), low, high)


@dataclass(frozen=True, slots=True)
class Volumes:
    """The three nested volumes of a flight.

    geography, contingency, buffer : outer rings of (lat_deg, lon_deg), not closed;
    geography_top_m, contingency_top_m : above the ground; contingency_m, buffer_m : how far each
    reaches beyond the one before; ballistic_m : how far a fall reaches.
    """

    geography: GeoPolygon
    contingency: GeoPolygon
    buffer: GeoPolygon
    geography_top_m: float
    contingency_top_m: float
    contingency_m: float
    buffer_m: float
    ballistic_m: float
    rule: BufferRule

    @property
    def named(self) -> tuple[tuple[str, GeoPolygon], ...]:
        """Each ring under its role, the innermost first."""
        return (
            ("flight_geography", self.geography),
            ("contingency_volume", self.contingency),
            ("ground_risk_buffer", self.buffer),
        )


def volumes_of(
    plan: MissionPlan, params: RiskParams, return_home_m: float | None = None
) -> Volumes:
    """The volumes of a plan, from its path, its highest point and its fastest leg.

    return_home_m : how high above take-off an early way home is flown, from the plan's highest
    point where it is not given.  Coming home early is a contingency procedure: its straight ways
    belong to the contingency volume, and so does its height.
    """
    speed_mps = fastest_mps(plan.items)
    top_m = highest_agl_m(plan.items, plan.profile)
    back_m = return_height_m(plan.items) if return_home_m is None else return_home_m
    aside_m = contingency_m(speed_mps, params)
    ceiling_m = max(
        top_m + contingency_height_m(speed_mps, params),
        back_m - lowest_ground_m(plan) + BARO_ERROR_M,
    )
    fall_m = ballistic_m(speed_mps, ceiling_m, params)
    width_m = buffer_m(ceiling_m, fall_m, params)
    ground = Ground.around([(plan.home.lat_deg, plan.home.lon_deg)], plan.home)
    path = path_m(plan.items, plan.home, ground)
    reach = reach_of(path)
    inner, middle = params.margin_m, params.margin_m + aside_m
    return Volumes(
        geography=_ring(shapely.LineString(path), inner, ground),
        contingency=_ring(reach, middle, ground),
        buffer=_ring(reach, middle + width_m, ground),
        geography_top_m=top_m,
        contingency_top_m=ceiling_m,
        contingency_m=round(aside_m, 2),
        buffer_m=round(width_m, 2),
        ballistic_m=round(fall_m, 2),
        rule=params.rule,
    )


def fastest_mps(items: Sequence[MissionItem]) -> float:
    """The largest speed that the items ask for; the vehicle's own where they ask for none."""
    speeds = [i.params[1] for i in items if i.command is MissionCommand.DO_CHANGE_SPEED]
    return max(speeds, default=OWN_SPEED_MPS)


def lowest_ground_m(plan: MissionPlan) -> float:
    """The lowest ground below a plan, above take-off; level ground lies at its height."""
    return min((point.ground_home_m for point in plan.profile), default=0.0)


def reaction_m(speed_mps: float, params: RiskParams) -> float:
    """What is flown until the pilot acts and the link has carried it."""
    return speed_mps * (REACTION_S + params.latency_s)


def contingency_m(speed_mps: float, params: RiskParams) -> float:
    """How far beside its geography a flight gets before it stands: errors, reaction, braking."""
    reaction = reaction_m(speed_mps, params)
    braking = speed_mps**2 / (2.0 * GRAVITY_MPS2 * math.tan(math.radians(params.bank_deg)))
    return GPS_ERROR_M + HOLD_ERROR_M + MAP_ERROR_M + reaction + braking


def contingency_height_m(speed_mps: float, params: RiskParams) -> float:
    """How far above its geography: the barometer, reaction at a climb of 45°, the zoom after."""
    reaction = speed_mps * math.sqrt(0.5) * (REACTION_S + params.latency_s)
    return BARO_ERROR_M + reaction + speed_mps**2 / (2.0 * GRAVITY_MPS2)


def ballistic_m(speed_mps: float, height_m: float, params: RiskParams) -> float:
    """How far a drone without thrust flies from a height, carried by the wind all the way."""
    falling_s = math.sqrt(2.0 * max(0.0, height_m) / GRAVITY_MPS2)
    return (speed_mps + params.gust_mps) * falling_s + 0.5 * params.span_m


def buffer_m(height_m: float, fall_m: float, params: RiskParams) -> float:
    """The width of the buffer by the rule that was chosen."""
    level = height_m + 0.5 * params.span_m
    match params.rule:
        case BufferRule.ONE_TO_ONE:
            return level
        case BufferRule.BALLISTIC:
            return fall_m
        case BufferRule.LARGER:
            return max(level, fall_m)


def inside(ring: GeoPolygon, places: Sequence[tuple[float, float]]) -> list[bool]:
    """Whether each place lies within a ring or on its edge."""
    shape = shapely.Polygon([(lon, lat) for lat, lon in ring])
    return [bool(shape.intersects(shapely.Point(lon, lat))) for lat, lon in places]


def _ring(path: shapely.Geometry, distance_m: float, ground: Ground) -> GeoPolygon:
    """The outer edge of everything within a distance of a path and its ways home.

    Round corners are drawn outside their circles, so that nothing is left out; what the path
    encloses belongs to it, because nobody may stand there either.
    """
    outside = distance_m / math.cos(math.pi / (4.0 * _QUAD_SEGMENTS))
    around = path.buffer(outside, quad_segs=_QUAD_SEGMENTS).exterior
    drawn = shapely.Polygon(around).simplify(0.05)
    corners = np.asarray(shapely.get_coordinates(drawn.exterior))[:-1]
    lat_lon = ground.lat_lon(corners).round(7).tolist()
    return tuple((lat, lon) for lat, lon in lat_lon)


def volumes_to_json(volumes: Volumes) -> dict[str, Any]:
    """A JSON object of the volumes."""
    return asdict(volumes)


def volumes_from_json(document: Mapping[str, Any]) -> Volumes:
    """The volumes of `volumes_to_json`."""
    fields = dict(document)
    for name in ("geography", "contingency", "buffer"):
        fields[name] = tuple((lat, lon) for lat, lon in document[name])
    fields["rule"] = BufferRule(document["rule"])
    return Volumes(**fields)
