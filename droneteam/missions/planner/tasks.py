"""Missions that are no survey of an area: corridors, façades, searches, overwatch, free paths.

Each is planned from places (latitude, longitude) and its own parameters.  Heights of the plan
are above the take-off point; over a terrain paths follow the ground, without one it is flat at
``ground_alt_home_m``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from droneteam.errors import InputError, marked
from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.coverage import sample_points, views_per_point
from droneteam.missions.planner.heights import HeightKind, altitude
from droneteam.missions.planner.packs import effort_of
from droneteam.missions.planner.patterns.corridor import corridor_area, corridor_lines
from droneteam.missions.planner.patterns.facade import Station, facade_stations
from droneteam.missions.planner.patterns.triggers import ended_between_photos, trigger_positions
from droneteam.missions.planner.plan import (
    MAX_HEIGHT_M,
    MIN_HEIGHT_M,
    STILL,
    Conditions,
    GeoPolygon,
    MissionPlan,
    PhotoPosition,
    SurveyParams,
    photo_speed,
    plan_survey,
)
from droneteam.missions.planner.profile import flight_profile
from droneteam.missions.planner.relief import FollowedPath, Relief, followed, relief_of
from droneteam.missions.planner.route import (
    Ground,
    LatLon,
    Leg,
    LookAt,
    Run,
    Stop,
    mission_items,
)
from droneteam.missions.planner.searching import SearchLayout, lay_search, outlook_of, reach_of
from droneteam.missions.planner.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    TaskParams,
)
from droneteam.missions.planner.terrain import home_height

MIN_WALL_DISTANCE_M = 3.0
"""Nearer, gusts and GPS error (2 m) reach the wall."""
MAX_LENGTH_M = 20_000.0
_COVERAGE_POINTS = 160


@dataclass(frozen=True, slots=True)
class _Site:
    """A mission's places in metres, where it takes off, and the ground between."""

    home: HomePoint
    ground: Ground
    relief: Relief
    conditions: Conditions


def _site(
    places: Sequence[LatLon], home: HomePoint, conditions: Conditions, ground_alt_home_m: float
) -> _Site:
    ground = Ground.around(places, home)
    relief = relief_of(conditions.terrain, ground, home, ground_alt_home_m)
    return _Site(home, ground, relief, conditions)


def plan_task(
    places: Sequence[LatLon],
    camera: CameraSpec,
    params: TaskParams,
    home: HomePoint,
    conditions: Conditions = STILL,
) -> MissionPlan:
    """The mission for places and parameters of any kind.

    Raises
    ------
    InputError
        Names the parameter that makes the mission impossible, and what to change.
    """
    places = tuple(places)
    match params:
        case SurveyParams():
            return plan_survey(places, camera, params, home, conditions)
        case CorridorParams():
            return plan_corridor(places, camera, params, home, conditions)
        case FacadeParams():
            return plan_facade(places, camera, params, home, conditions)
        case SearchParams():
            return plan_search(places, camera, params, home, conditions)
        case OverwatchParams():
            return plan_overwatch(places, params, home, conditions)
        case FreeParams():
            return plan_free(places, params, home, conditions)


def plan_corridor(
    axis: GeoPolygon,
    camera: CameraSpec,
    params: CorridorParams,
    home: HomePoint,
    conditions: Conditions = STILL,
) -> MissionPlan:
    """Nadir photos along an axis."""
    _needs(axis, 2, marked("a corridor's axis needs {least} places, not {count}"))
    site = _site(axis, home, conditions, params.ground_alt_home_m)
    axis_m = _distinct(site.ground.metres(axis))
    height_m = _height(camera, params.gsd_m)
    width_m, length_m = camera.footprint_m(params.gsd_m)
    along_m = max(0.05, round((1.0 - params.forward_overlap) * length_m, 2))
    across_m = (1.0 - params.side_overlap) * width_m
    area = corridor_area(axis_m, params.width_m)
    lines = [
        ended_between_photos(line, along_m)
        for line in corridor_lines(axis_m, params.width_m, across_m, 3.0 * along_m)
    ]
    speed_mps = photo_speed(camera, params.gsd_m, params.speed_mps, along_m)
    flown = [followed(line, height_m, site.relief) for line in lines]
    runs = [Run(path.path_m, path.alts_home_m, speed_mps, along_m) for path in flown]
    positions, angles = _along(lines, flown, along_m)
    corners = shapely.get_coordinates(area.exterior)[:-1]
    points = _on_ground(site, sample_points(corners, _COVERAGE_POINTS))
    views = int(views_per_point(points, positions, angles, camera).min())
    if views < params.min_views:
        raise _too_few(views, params.min_views)
    photos = _photos(site.ground, positions, angles)
    overlaps = (params.forward_overlap, params.side_overlap)
    outline = _outline(site.ground, area)
    return _plan("corridor", site, runs, outline, photos, params.gsd_m, views, overlaps=overlaps)


def _on_ground(site: _Site, places_m: FloatArray) -> FloatArray:
    """(n, 3) places with the ground's height above the take-off point."""
    return np.column_stack([places_m, site.relief.ground_home_m(places_m)])


def plan_facade(
    wall: GeoPolygon,
    camera: CameraSpec,
    params: FacadeParams,
    home: HomePoint,
    conditions: Conditions = STILL,
) -> MissionPlan:
    """Photos square to a wall, the highest row first, the vehicle standing still for each."""
    _needs(wall, 2, marked("the foot of a wall needs {least} places, not {count}"))
    site = _site(wall, home, conditions, params.ground_alt_home_m)
    wall_m = _distinct(site.ground.metres(wall))
    distance_m = _wall_distance(camera, params)
    width_m, height_m = camera.footprint_m(params.gsd_m)
    along_m, up_m = (1 - params.forward_overlap) * width_m, (1 - params.side_overlap) * height_m
    stations = facade_stations(wall_m, params.bottom_m, params.top_m, distance_m, along_m, up_m)
    stations = _highest_row_first(stations)
    foot_m = _foot_home_m(site, stations)
    positions = np.array([[*one.place_m, one.height_m] for one in stations])
    inward = np.array([one.target_m - one.place_m for one in stations])
    yaw_deg = np.degrees(np.arctan2(inward[:, 0], inward[:, 1])) % 360.0
    angles = np.column_stack([yaw_deg, np.zeros(len(yaw_deg))])
    views = _wall_views(wall_m, positions, angles, camera, params)
    stops = [_facade_stop(one, foot_m, params) for one in stations]
    photos = _photos(site.ground, positions + [0.0, 0.0, foot_m], angles)
    front = shapely.MultiPoint([*wall_m, *positions[:, :2]]).convex_hull.buffer(0.5)
    outline = _outline(site.ground, front)
    overlaps = (params.forward_overlap, params.side_overlap)
    return _plan("facade", site, stops, outline, photos, params.gsd_m, views, overlaps=overlaps)


def _wall_distance(camera: CameraSpec, params: FacadeParams) -> float:
    distance_m = camera.height_for_gsd(params.gsd_m)
    if distance_m < MIN_WALL_DISTANCE_M:
        raise InputError(
            "a gsd_m of {gsd_m:g} with {camera} means flying {distance_m:.1f} m from the "
            "wall; {limit:.0f} m at least: raise gsd_m",
            field="gsd_m",
            gsd_m=params.gsd_m,
            camera=camera.name,
            distance_m=distance_m,
            limit=MIN_WALL_DISTANCE_M,
        )
    return distance_m


def _foot_home_m(site: _Site, stations: Sequence[Station]) -> float:
    """The foot of the wall: the highest ground below the stations, from where rows are counted.

    Under the wall itself a surface model holds the building's roof.
    """
    places = np.array([one.place_m for one in stations])
    return float(site.relief.ground_home_m(places).max())


def _highest_row_first(stations: Sequence[Station]) -> list[Station]:
    """So that the vehicle arrives above whatever stands in front of the wall."""
    return list(reversed(stations))


def _facade_stop(station: Station, foot_home_m: float, params: FacadeParams) -> Stop:
    alt = station.height_m + foot_home_m
    look_at = LookAt(station.target_m, alt)
    return Stop(station.place_m, alt, params.speed_mps, 1, look_at, photo=True)


def _wall_views(
    wall_m: FloatArray,
    positions_m: FloatArray,
    angles_deg: FloatArray,
    camera: CameraSpec,
    params: FacadeParams,
) -> int:
    """Photos in which the worst point of the wall between the heights lies."""
    line = shapely.LineString(wall_m)
    feet = shapely.get_coordinates(
        shapely.line_interpolate_point(line, np.linspace(0.0, line.length, 40))
    )
    heights = np.linspace(params.bottom_m, params.top_m, 12)
    points = np.column_stack([np.repeat(feet, 12, axis=0), np.tile(heights, len(feet))])
    views = int(views_per_point(points, positions_m, angles_deg, camera).min())
    if views < params.min_views:
        raise _too_few(views, params.min_views)
    return views


def plan_search(
    places: GeoPolygon,
    camera: CameraSpec,
    params: SearchParams,
    home: HomePoint,
    conditions: Conditions = STILL,
) -> MissionPlan:
    """A path that looks for a person, and the chance that it finds the person."""
    area_wide = not params.starts_at_a_place
    if area_wide:
        _needs(places, 3, marked("the area needs {least} places, not {count}"))
    else:
        _needs(places, 1, marked("the last known position needs {least} places, not {count}"))
    site = _site(places, home, conditions, params.ground_alt_home_m)
    height_m = _height(camera, params.gsd_m)
    sweep_m = (1.0 - params.overlap) * camera.footprint_m(params.gsd_m)[0]
    limit_s = math.inf if params.max_minutes is None else 60.0 * params.max_minutes
    reach_m = reach_of(limit_s, height_m, params.speed_mps)
    if math.isfinite(reach_m):
        reach_m = min(reach_m, 0.99 * MAX_LENGTH_M)
    while True:
        laid = lay_search(site.ground.metres(places), site.ground, params, sweep_m, reach_m)
        plan = _search_plan(site, laid, params, height_m)
        if plan.duration_s <= limit_s:
            return plan
        reach_m *= 0.98 * limit_s / plan.duration_s  # wind and slopes take longer than level air


def _search_plan(
    site: _Site, laid: SearchLayout, params: SearchParams, height_m: float
) -> MissionPlan:
    flown = followed(laid.path_m, height_m, site.relief)
    run = Run(flown.path_m, flown.alts_home_m, params.speed_mps, hold_s=0.0)
    outline = _outline(site.ground, laid.shape)
    outlook = outlook_of(laid, site.ground, params, height_m)
    chance = round(outlook.over_time[-1][1], 4)
    plan = _plan(params.pattern, site, [run], outline, (), params.gsd_m, 1, chance=chance)
    return replace(plan, search=outlook)


def plan_overwatch(
    places: GeoPolygon, params: OverwatchParams, home: HomePoint, conditions: Conditions = STILL
) -> MissionPlan:
    """Hovering at each place in turn with the camera on the target."""
    _needs(places, 1, marked("an overwatch needs {least} places, not {count}"))
    site = _site((*places, params.target), home, conditions, params.ground_alt_home_m)
    target_m = site.ground.metres([params.target])
    target = LookAt(target_m[0], float(site.relief.ground_home_m(target_m)[0]))
    places_m = site.ground.metres(places)
    kind, heights = params.heights
    alts = _alts_home(places, kind, heights * len(places), site)
    stops: list[Leg] = [
        Stop(place, alt, params.speed_mps, params.stay_s, target)
        for place, alt in zip(places_m, alts, strict=True)
    ]
    shape = shapely.MultiPoint([*places_m, target.place_m]).convex_hull.buffer(1.0)
    return _plan("overwatch", site, stops, _outline(site.ground, shape), (), 0.0, 1)


def _alts_home(
    places: Sequence[LatLon], kind: HeightKind, heights_m: Sequence[float], site: _Site
) -> list[float]:
    """Heights of a stated kind above the take-off point, each in the range that may be flown.

    Raises
    ------
    InputError
        A height above the ground without a terrain, or one that ends too low or too high.
    """
    terrain = site.conditions.terrain
    found = [
        home_height(altitude(kind, height), *place, site.home, terrain).metres
        for place, height in zip(places, heights_m, strict=True)
    ]
    ground = site.relief.ground_home_m(site.ground.metres(places))
    for number, (alt, below, asked) in enumerate(zip(found, ground, heights_m, strict=True), 1):
        if not MIN_HEIGHT_M - 1e-6 <= alt - below <= MAX_HEIGHT_M + 1e-6:
            raise InputError(
                "place {number}: {asked:g} m ({kind}) is {above_m:.1f} m above the ground "
                "there; allowed is {least_m:.0f} to {most_m:.0f} m",
                field=f"alt_{kind.value}_m",
                number=number,
                asked=asked,
                kind=kind.value,
                above_m=alt - below,
                least_m=MIN_HEIGHT_M,
                most_m=MAX_HEIGHT_M,
            )
    return found


def plan_free(
    places: GeoPolygon, params: FreeParams, home: HomePoint, conditions: Conditions = STILL
) -> MissionPlan:
    """The waypoints as they were drawn."""
    _needs(places, 1, marked("a path needs {least} places, not {count}"))
    kind, heights = params.heights
    heights = heights if len(heights) > 1 else heights * len(places)
    if len(heights) != len(places):
        raise InputError(
            "{count} places but {heights} heights: give one for all or one each",
            field=f"alt_{kind.value}_m",
            count=len(places),
            heights=len(heights),
        )
    site = _site(places, home, conditions, 0.0)
    places_m = site.ground.metres(places)
    alts = _alts_home(places, kind, heights, site)
    pitch = params.pitch_deg
    legs: list[Leg] = [
        Stop(place, alt, params.speed_mps, params.stay_s, None, pitch, params.photo)
        for place, alt in zip(places_m, alts, strict=True)
    ]
    yaws = _yaw_on_arrival(np.vstack([site.ground.home_m, places_m]))
    photos = tuple(
        PhotoPosition(lat, lon, alt, yaw, pitch)
        for (lat, lon), alt, yaw in zip(places, alts, yaws, strict=True)
    )
    shape = shapely.MultiPoint(places_m).convex_hull.buffer(1.0)
    taken = photos if params.photo else ()
    return _plan("free", site, legs, _outline(site.ground, shape), taken, 0.0, 0)


def _yaw_on_arrival(path_m: FloatArray) -> list[float]:
    """The bearing of each leg: the vehicle looks where it flies."""
    east, north = np.diff(path_m, axis=0).T
    bearings: list[float] = (np.degrees(np.arctan2(east, north)) % 360.0).tolist()
    return bearings


def _plan(
    pattern: str,
    site: _Site,
    legs: Sequence[Leg],
    area: GeoPolygon,
    photos: tuple[PhotoPosition, ...],
    gsd_m: float,
    views: int,
    *,
    overlaps: tuple[float, float] = (0.0, 0.0),
    chance: float | None = None,
) -> MissionPlan:
    _check_length(_length_m(site.ground.home_m, legs))
    items = mission_items(site.ground, legs)
    effort = effort_of(items, site.home, site.conditions.wind)
    terrain = site.conditions.terrain
    return MissionPlan(
        home=site.home,
        items=items,
        photo_positions=photos,
        length_m=effort.length_m,
        duration_s=effort.duration_s,
        n_photos=len(photos),
        gsd_m=gsd_m,
        packs=effort.packs,
        min_views=views,
        forward_overlap=overlaps[0],
        side_overlap=overlaps[1],
        area=area,
        pattern=pattern,
        chance_of_finding=chance,
        wind=site.conditions.wind,
        parts=effort.parts,
        terrain=None if terrain is None else terrain.label,
        profile=flight_profile(items, site.ground, site.relief),
    )


def _length_m(home_m: FloatArray, legs: Sequence[Leg]) -> float:
    """The way over ground from the take-off point over every leg and home."""
    corners = [leg.place_m[None, :] if isinstance(leg, Stop) else leg.path_m for leg in legs]
    path = np.vstack([home_m, *corners, home_m])
    return float(np.sum(np.hypot(*np.diff(path, axis=0).T)))


def _check_length(length_m: float) -> None:
    if length_m > MAX_LENGTH_M:
        raise InputError(
            "the path is {length_km:.1f} km long, {limit_km:.0f} km are allowed: choose a "
            "smaller area or fly higher",
            field="polygon",
            length_km=length_m / 1000,
            limit_km=MAX_LENGTH_M / 1000,
        )


def _needs(places: Sequence[LatLon], least: int, template: str) -> None:
    if len(places) < least:
        raise InputError(template, field="polygon", count=len(places), least=least)


def _distinct(path_m: FloatArray) -> FloatArray:
    """The path without places that repeat the one before."""
    steps = np.hypot(*np.diff(path_m, axis=0).T)
    path = np.asarray(path_m[np.concatenate([[True], steps > 0.01])])
    if len(path) < 2:
        raise InputError("all places are the same", field="polygon")
    return path


def _height(camera: CameraSpec, gsd_m: float) -> float:
    height_m = camera.height_for_gsd(gsd_m)
    if not MIN_HEIGHT_M <= height_m <= MAX_HEIGHT_M:
        raise InputError(
            "a gsd_m of {gsd_m:g} with {camera} means flying {height_m:.1f} m above the "
            "ground; allowed is {least_m:.0f} to {most_m:.0f} m",
            field="gsd_m",
            gsd_m=gsd_m,
            camera=camera.name,
            height_m=height_m,
            least_m=MIN_HEIGHT_M,
            most_m=MAX_HEIGHT_M,
        )
    return height_m


def _too_few(views: int, wanted: int) -> InputError:
    text = f"some point would lie in {views} photos only, {wanted} are needed: raise the overlaps"
    return InputError(text, field="forward_overlap")


def _along(
    lines: Sequence[FloatArray], flown: Sequence[FollowedPath], along_m: float
) -> tuple[FloatArray, FloatArray]:
    """Photos on lines: places (k, 3) and yaw and pitch (k, 2).

    The first one is taken one distance after each start.
    """
    places, yaws = [], []
    for line, path in zip(lines, flown, strict=True):
        on_line, lengths = trigger_positions(line, along_m)
        ends = np.cumsum(np.hypot(*np.diff(line, axis=0).T))
        leg = np.minimum(np.searchsorted(ends, lengths[1:] - 1e-9), len(ends) - 1)
        east, north = np.diff(line, axis=0)[leg].T
        places.append(np.column_stack([on_line[1:], path.alts_at(on_line[1:])]))
        yaws.append(np.degrees(np.arctan2(east, north)) % 360.0)
    yaw_deg = np.concatenate(yaws)
    return np.concatenate(places), np.column_stack([yaw_deg, np.full(len(yaw_deg), -90.0)])


def _photos(
    ground: Ground, positions_m: FloatArray, angles_deg: FloatArray
) -> tuple[PhotoPosition, ...]:
    lat_lon = ground.lat_lon(positions_m[:, :2])
    rows = np.column_stack([lat_lon, positions_m[:, 2], angles_deg]).tolist()
    return tuple(PhotoPosition(*row) for row in rows)


def _outline(ground: Ground, shape: shapely.Polygon) -> GeoPolygon:
    corners = shapely.get_coordinates(shape.exterior)[:-1]
    return tuple((lat, lon) for lat, lon in ground.lat_lon(corners).tolist())
