"""One area for several drones: by place, by height or by time, and how near they come (pure).

The parts follow from the area, the camera and the numbers alone, so that pilots who plan one part
each get parts that fit together, whoever plans first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import shapely

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint, MissionCommand, MissionItem
from droneteam.missions.planner import estimate
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.patterns.survey import longest_direction_deg
from droneteam.missions.planner.plan import MIN_HEIGHT_M, GeoPolygon, SurveyParams
from droneteam.missions.planner.route import Ground
from droneteam.missions.planner.task_params import SearchParams, TaskParams

MAX_DRONES = 10
HEIGHT_STEP_M = 8.0
"""Between the drones' heights: both barometers' errors, gusts and the fence's margin."""
TIME_GAP_S = 60.0
"""Between one drone's landing and the next one's take-off."""
SAFE_M = 15.0
"""What two drones of one mission keep from each other at least."""
_STEP_S = 0.5


class Separation(StrEnum):
    """What keeps drones over one area apart.

    AREA : each flies its own strip of equal size, side by side along the lines; HEIGHT : all fly
    the whole area, each lower than the one before, so that the ground sampling distance is the
    asked one or finer; TIME : strips as for AREA, flown one after the other.
    """

    AREA = "area"
    HEIGHT = "height"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Share:
    """Part ``part`` of ``of``, counted from one."""

    part: int
    of: int
    separation: Separation = Separation.AREA

    def __post_init__(self) -> None:
        if not 1 <= self.of <= MAX_DRONES:
            raise InputError(
                "{count} drones; 1 to {limit} share an area",
                field="share_of",
                count=self.of,
                limit=MAX_DRONES,
            )
        if not 1 <= self.part <= self.of:
            raise InputError(
                "part {part} of {count}: there is none",
                field="share_part",
                part=self.part,
                count=self.of,
            )


def share_of(
    places: GeoPolygon, camera: CameraSpec, params: TaskParams, share: Share
) -> tuple[GeoPolygon, TaskParams]:
    """The area and the parameters of one drone's part.

    Raises
    ------
    InputError
        The mission is none of an area, or the part would be flown too low.
    """
    searches = isinstance(params, SearchParams) and not params.starts_at_a_place
    if not (isinstance(params, SurveyParams) or searches):
        raise InputError("only a survey or a search of an area is shared", field="share_of")
    assert isinstance(params, SurveyParams | SearchParams)
    if share.of == 1:
        return places, params
    if share.separation is Separation.HEIGHT:
        return places, replace(params, gsd_m=_lower_gsd(camera, params.gsd_m, share))
    if isinstance(params, SearchParams):
        return strips(places, share.of, None)[share.part - 1], params
    bearing = params.angle_deg
    if bearing is None:
        ground = Ground.around(places, HomePoint(*places[0]))
        bearing = longest_direction_deg(ground.metres(places))
    bound = params.max_photos
    if bound is not None:
        bound = max(4, math.ceil(bound / share.of))
    strip = strips(places, share.of, bearing)[share.part - 1]
    return strip, replace(params, angle_deg=bearing, max_photos=bound, in_step=True)


def _lower_gsd(camera: CameraSpec, gsd_m: float, share: Share) -> float:
    height_m = camera.height_for_gsd(gsd_m) - (share.part - 1) * HEIGHT_STEP_M
    if height_m < MIN_HEIGHT_M:
        raise InputError(
            "drone {part} of {count} would fly {height_m:.1f} m above the ground, lower "
            "than {least_m:.0f} m: share by area or time, or raise the ground sampling "
            "distance",
            field="share_of",
            part=share.part,
            count=share.of,
            height_m=height_m,
            least_m=MIN_HEIGHT_M,
        )
    return gsd_m * height_m / camera.height_for_gsd(gsd_m)


def strips(places: GeoPolygon, count: int, bearing_deg: float | None) -> list[GeoPolygon]:
    """An area cut into strips of equal size by lines along the flight direction.

    A part of a concave area that falls to pieces is flown as its hull.

    Raises
    ------
    InputError
        The area is no simple polygon.
    """
    ground = Ground.around(places, HomePoint(*places[0]))
    corners = ground.metres(places)
    area = shapely.Polygon(corners)
    if not area.is_valid or area.area < 1.0:
        raise InputError("the area's outline crosses itself or is empty", field="polygon")
    bearing = longest_direction_deg(corners) if bearing_deg is None else bearing_deg
    along = np.array([math.sin(math.radians(bearing)), math.cos(math.radians(bearing))])
    across = np.array([along[1], -along[0]])
    turned = shapely.Polygon(np.column_stack([corners @ along, corners @ across]))
    edges = _equal_cuts(turned, count)
    found = []
    for low, high in itertools.pairwise(edges):
        part = _between(turned, low, high)
        shape = part if part.geom_type == "Polygon" else part.convex_hull
        ring = shapely.get_coordinates(shape.exterior)[:-1]
        metres = ring[:, :1] * along + ring[:, 1:] * across
        found.append(tuple((lat, lon) for lat, lon in ground.lat_lon(metres).tolist()))
    return found


def _between(area: shapely.Polygon, low: float, high: float) -> shapely.Geometry:
    left, _, right, _ = area.bounds
    return area.intersection(shapely.box(left - 1.0, low, right + 1.0, high))


def _equal_cuts(area: shapely.Polygon, count: int) -> list[float]:
    """Where lines cut an area into equal parts, outer edges included: by bisection."""
    _, bottom, _, top = area.bounds
    cuts = [bottom]
    for number in range(1, count):
        low, high = cuts[-1], top
        for _ in range(50):
            middle = 0.5 * (low + high)
            below = _between(area, bottom, middle).area
            low, high = (middle, high) if below < area.area * number / count else (low, middle)
        cuts.append(0.5 * (low + high))
    return [*cuts, top]


def takes_turns(share: Share, other: Share | None) -> bool:
    """Whether two drones fly different parts of one area, one after the other."""
    if other is None or share.part == other.part or share.of != other.of:
        return False
    return share.separation is Separation.TIME and other.separation is Separation.TIME


def start_delays_s(durations_s: Sequence[float], separation: Separation) -> list[float]:
    """When each drone takes off after the first: at once, or after the one before has landed."""
    if separation is not Separation.TIME:
        return [0.0] * len(durations_s)
    delays = [0.0]
    for duration in durations_s[:-1]:
        delays.append(delays[-1] + duration + TIME_GAP_S)
    return delays


@dataclass(frozen=True, slots=True)
class Approach:
    """How near two drones come: distance_m apart at_s seconds after the first take-off."""

    distance_m: float
    at_s: float


def nearest_approach(
    first: tuple[Sequence[MissionItem], HomePoint, float],
    second: tuple[Sequence[MissionItem], HomePoint, float],
) -> Approach | None:
    """The least distance of two flights in the air, each items, home and delay in seconds.

    None where they are never up at the same time.  Both are flown at planned speeds; one that
    is late shifts the result, so that it is a check of the geometry and no clearance.
    """
    tracks = [timed_track(items, home, delay, first[1]) for items, home, delay in (first, second)]
    begin = max(track[0, 0] for track in tracks)
    end = min(track[-1, 0] for track in tracks)
    if begin > end:
        return None
    times = np.arange(begin, end + _STEP_S, _STEP_S)
    places = [
        np.column_stack([np.interp(times, track[:, 0], track[:, axis]) for axis in (1, 2, 3)])
        for track in tracks
    ]
    apart = np.linalg.norm(places[0] - places[1], axis=1)
    index = int(np.argmin(apart))
    return Approach(float(apart[index]), float(times[index]))


def timed_track(
    items: Sequence[MissionItem], home: HomePoint, delay_s: float, origin: HomePoint
) -> FloatArray:
    """(n, 4) seconds, east, north and height of a flight's corners, about another's home.

    Both homes count as level with each other where either's height is unknown.
    """
    ground = Ground.around([(origin.lat_deg, origin.lon_deg)], home)
    rise_m = home.rise_from_m(origin) or 0.0
    at = np.array([*ground.home_m, 0.0])
    rows, now_s, speed = [[delay_s, *at]], delay_s, 5.0
    for item in _moves(items):
        if item.command is MissionCommand.DO_CHANGE_SPEED:
            speed = max(0.5, item.params[1])
            continue
        target = at.copy()
        target[2] = item.alt_home_m or 0.0
        if item.command is not MissionCommand.TAKEOFF:
            target[:2] = ground.metres([(item.lat_deg or 0.0, item.lon_deg or 0.0)])[0]
        now_s += _seconds(at, target, speed)
        rows.append([now_s, *target])
        now_s += max(0.0, item.params[0])
        rows.append([now_s, *target])
        at = target
    above = np.array([*ground.home_m, at[2]])
    now_s += _seconds(at, above, speed)
    rows.append([now_s, *above])
    now_s += estimate.landing_duration_s(max(0.0, float(at[2])))
    rows.append([now_s, *ground.home_m, 0.0])
    return np.array(rows) + [0.0, 0.0, 0.0, rise_m]


def _moves(items: Sequence[MissionItem]) -> list[MissionItem]:
    kinds = (
        MissionCommand.TAKEOFF,
        MissionCommand.WAYPOINT,
        MissionCommand.LOITER_TIME,
        MissionCommand.DO_CHANGE_SPEED,
    )
    return [item for item in items if item.command in kinds]


def _seconds(start: FloatArray, end: FloatArray, speed: float) -> float:
    level = estimate.leg_duration_s(float(np.hypot(*(end - start)[:2])), speed)
    return max(level, estimate.takeoff_duration_s(abs(float(end[2] - start[2]))))
