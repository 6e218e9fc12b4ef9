"""Missions that are no survey of an area: corridors, façades, searches, overwatch, free paths.

Each is planned from places (latitude, longitude) and its own parameters.  Altitudes are above
the take-off point, the ground is flat at ``ground_alt_home_m`` above it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions import estimate
from droneteam.missions.camera import CameraSpec
from droneteam.missions.coverage import sample_points, views_per_point
from droneteam.missions.items import HomePoint
from droneteam.missions.patterns import search
from droneteam.missions.patterns.corridor import corridor_area, corridor_lines
from droneteam.missions.patterns.facade import Station, facade_stations
from droneteam.missions.patterns.survey import (
    LineSpacing,
    longest_direction_deg,
    nearest_start_first,
    survey_lines,
)
from droneteam.missions.patterns.triggers import ended_between_photos, trigger_positions
from droneteam.missions.plan import (
    MAX_HEIGHT_M,
    MIN_HEIGHT_M,
    GeoPolygon,
    MissionPlan,
    PhotoPosition,
    SurveyParams,
    photo_speed,
    plan_survey,
)
from droneteam.missions.route import (
    Ground,
    LatLon,
    Leg,
    LookAt,
    Run,
    Stop,
    effort,
    mission_items,
)
from droneteam.missions.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    TaskParams,
)

MIN_WALL_DISTANCE_M = 3.0
"""Nearer, gusts and GPS error (2 m) reach the wall."""
MAX_LENGTH_M = 20_000.0
_COVERAGE_POINTS = 160
_SEARCH_CELLS = 2000


def plan_task(
    places: Sequence[LatLon], camera: CameraSpec, params: TaskParams, home: HomePoint
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
            return plan_survey(places, camera, params, home)
        case CorridorParams():
            return plan_corridor(places, camera, params, home)
        case FacadeParams():
            return plan_facade(places, camera, params, home)
        case SearchParams():
            return plan_search(places, camera, params, home)
        case OverwatchParams():
            return plan_overwatch(places, params, home)
        case FreeParams():
            return plan_free(places, params, home)


def plan_corridor(
    axis: GeoPolygon, camera: CameraSpec, params: CorridorParams, home: HomePoint
) -> MissionPlan:
    """Nadir photos along an axis."""
    _needs(axis, 2, "a corridor's axis")
    ground = Ground.around(axis, home)
    axis_m = _distinct(ground.metres(axis))
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
    alt = height_m + params.ground_alt_home_m
    runs = [Run(line, alt, speed_mps, along_m) for line in lines]
    places_m, yaw_deg = _along(lines, along_m)
    positions = np.column_stack([places_m, np.full(len(places_m), height_m)])
    angles = np.column_stack([yaw_deg, np.full(len(yaw_deg), -90.0)])
    points = sample_points(shapely.get_coordinates(area.exterior)[:-1], _COVERAGE_POINTS)
    views = int(views_per_point(points, positions, angles, camera).min())
    if views < params.min_views:
        raise _too_few(views, params.min_views)
    photos = _photos(ground, positions + [0.0, 0.0, params.ground_alt_home_m], angles)
    outline = _outline(ground, area)
    overlaps = (params.forward_overlap, params.side_overlap)
    return _plan(
        "corridor", ground, home, runs, outline, photos, params.gsd_m, views, overlaps=overlaps
    )


def plan_facade(
    wall: GeoPolygon, camera: CameraSpec, params: FacadeParams, home: HomePoint
) -> MissionPlan:
    """Photos square to a wall, the highest row first, the vehicle standing still for each."""
    _needs(wall, 2, "the foot of a wall")
    ground = Ground.around(wall, home)
    wall_m = _distinct(ground.metres(wall))
    distance_m = camera.height_for_gsd(params.gsd_m)
    if distance_m < MIN_WALL_DISTANCE_M:
        raise InputError(
            f"a gsd_m of {params.gsd_m:g} with {camera.name} means flying {distance_m:.1f} m from "
            f"the wall; {MIN_WALL_DISTANCE_M:.0f} m at least: raise gsd_m",
            field="gsd_m",
        )
    width_m, height_m = camera.footprint_m(params.gsd_m)
    along_m, up_m = (1 - params.forward_overlap) * width_m, (1 - params.side_overlap) * height_m
    stations = facade_stations(wall_m, params.bottom_m, params.top_m, distance_m, along_m, up_m)
    stations = _highest_row_first(stations)
    positions = np.array([[*one.place_m, one.height_m] for one in stations])
    inward = np.array([one.target_m - one.place_m for one in stations])
    yaw_deg = np.degrees(np.arctan2(inward[:, 0], inward[:, 1])) % 360.0
    angles = np.column_stack([yaw_deg, np.zeros(len(yaw_deg))])
    views = _wall_views(wall_m, positions, angles, camera, params)
    stops = [_facade_stop(one, params) for one in stations]
    photos = _photos(ground, positions + [0.0, 0.0, params.ground_alt_home_m], angles)
    front = shapely.MultiPoint([*wall_m, *positions[:, :2]]).convex_hull.buffer(0.5)
    outline = _outline(ground, front)
    overlaps = (params.forward_overlap, params.side_overlap)
    return _plan(
        "facade", ground, home, stops, outline, photos, params.gsd_m, views, overlaps=overlaps
    )


def _highest_row_first(stations: Sequence[Station]) -> list[Station]:
    """So that the vehicle arrives above whatever stands in front of the wall."""
    return list(reversed(stations))


def _facade_stop(station: Station, params: FacadeParams) -> Stop:
    alt = station.height_m + params.ground_alt_home_m
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
    places: GeoPolygon, camera: CameraSpec, params: SearchParams, home: HomePoint
) -> MissionPlan:
    """A path that looks for a person, and the chance that it finds the person."""
    area_wide = not params.starts_at_a_place
    _needs(places, 3 if area_wide else 1, "the area" if area_wide else "the last known position")
    ground = Ground.around(places, home)
    height_m = _height(camera, params.gsd_m)
    sweep_m = (1.0 - params.overlap) * camera.footprint_m(params.gsd_m)[0]
    places_m = ground.metres(places)
    if area_wide:
        shape = shapely.Polygon(places_m)
        if not shape.is_valid or shape.area < 1.0:
            raise InputError("the area's outline crosses itself or is empty", field="polygon")
        path_m, where = _parallel(shape, sweep_m, ground.home_m)
    else:
        datum_m = places_m[0]
        shape = shapely.Point(datum_m).buffer(params.radius_m)
        where = search.last_seen(datum_m, params.sigma_m)
        path_m = (
            search.sector(datum_m, params.radius_m, params.turns)
            if params.pattern == "sector"
            else search.expanding_square(datum_m, sweep_m, params.radius_m)
        )
    run = Run(path_m, height_m + params.ground_alt_home_m, params.speed_mps, hold_s=0.0)
    found = search.chance_of_finding(path_m, sweep_m, where, params.detection)
    outline = _outline(ground, shape)
    return _plan(
        params.pattern, ground, home, [run], outline, (), params.gsd_m, 1, chance=round(found, 4)
    )


def _parallel(
    area: shapely.Polygon, sweep_m: float, home_m: FloatArray
) -> tuple[FloatArray, search.ProbabilityMap]:
    """Lines over an area and the even chance of finding somebody anywhere in it."""
    corners = shapely.get_coordinates(area.exterior)[:-1]
    spacing = LineSpacing(sweep_m, 1.0)
    lead = LineSpacing(-0.5 * sweep_m, 0.0)
    lines = survey_lines(corners, spacing, longest_direction_deg(corners), lead)
    path = nearest_start_first(lines, home_m).reshape(-1, 2)
    inside = sample_points(corners, _SEARCH_CELLS)[len(corners) :]
    return path, search.evenly(inside, area.area / len(inside))


def plan_overwatch(places: GeoPolygon, params: OverwatchParams, home: HomePoint) -> MissionPlan:
    """Hovering at each place in turn with the camera on the target."""
    _needs(places, 1, "an overwatch")
    ground = Ground.around((*places, params.target), home)
    target = LookAt(ground.metres([params.target])[0], params.ground_alt_home_m)
    stops: list[Leg] = [
        Stop(place, params.alt_home_m, params.speed_mps, params.stay_s, target)
        for place in ground.metres(places)
    ]
    shape = shapely.MultiPoint([*ground.metres(places), target.place_m]).convex_hull.buffer(1.0)
    return _plan("overwatch", ground, home, stops, _outline(ground, shape), (), 0.0, 1)


def plan_free(places: GeoPolygon, params: FreeParams, home: HomePoint) -> MissionPlan:
    """The waypoints as they were drawn."""
    _needs(places, 1, "a path")
    heights = params.alt_home_m if len(params.alt_home_m) > 1 else params.alt_home_m * len(places)
    if len(heights) != len(places):
        raise InputError(
            f"{len(places)} places but {len(heights)} heights: give one for all or one each",
            field="alt_home_m",
        )
    ground = Ground.around(places, home)
    places_m = ground.metres(places)
    pitch = params.pitch_deg
    legs: list[Leg] = [
        Stop(place, alt, params.speed_mps, params.stay_s, None, pitch, params.photo)
        for place, alt in zip(places_m, heights, strict=True)
    ]
    yaws = _yaw_on_arrival(np.vstack([ground.home_m, places_m]))
    photos = tuple(
        PhotoPosition(lat, lon, alt, yaw, pitch)
        for (lat, lon), alt, yaw in zip(places, heights, yaws, strict=True)
    )
    shape = shapely.MultiPoint(places_m).convex_hull.buffer(1.0)
    taken = photos if params.photo else ()
    return _plan("free", ground, home, legs, _outline(ground, shape), taken, 0.0, 0)


def _yaw_on_arrival(path_m: FloatArray) -> list[float]:
    """The bearing of each leg: the vehicle looks where it flies."""
    east, north = np.diff(path_m, axis=0).T
    bearings: list[float] = (np.degrees(np.arctan2(east, north)) % 360.0).tolist()
    return bearings


def _plan(
    pattern: str,
    ground: Ground,
    home: HomePoint,
    legs: Sequence[Leg],
    area: GeoPolygon,
    photos: tuple[PhotoPosition, ...],
    gsd_m: float,
    views: int,
    *,
    overlaps: tuple[float, float] = (0.0, 0.0),
    chance: float | None = None,
) -> MissionPlan:
    length_m, duration_s = effort(ground.home_m, legs)
    _check_length(length_m)
    return MissionPlan(
        home=home,
        items=mission_items(ground, legs),
        photo_positions=photos,
        length_m=length_m,
        duration_s=duration_s,
        n_photos=len(photos),
        gsd_m=gsd_m,
        packs=estimate.packs_needed(duration_s),
        min_views=views,
        forward_overlap=overlaps[0],
        side_overlap=overlaps[1],
        area=area,
        pattern=pattern,
        chance_of_finding=chance,
    )


def _check_length(length_m: float) -> None:
    if length_m > MAX_LENGTH_M:
        raise InputError(
            f"the path is {length_m / 1000:.1f} km long, {MAX_LENGTH_M / 1000:.0f} km are allowed: "
            "choose a smaller area or fly higher",
            field="polygon",
        )


def _needs(places: Sequence[LatLon], count: int, what: str) -> None:
    if len(places) < count:
        raise InputError(f"{what} needs {count} places, not {len(places)}", field="polygon")


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
            f"a gsd_m of {gsd_m:g} with {camera.name} means flying {height_m:.1f} m above "
            f"the ground; allowed is {MIN_HEIGHT_M:.0f} to {MAX_HEIGHT_M:.0f} m",
            field="gsd_m",
        )
    return height_m


def _too_few(views: int, wanted: int) -> InputError:
    text = f"some point would lie in {views} photos only, {wanted} are needed: raise the overlaps"
    return InputError(text, field="forward_overlap")


def _along(lines: Sequence[FloatArray], along_m: float) -> tuple[FloatArray, FloatArray]:
    """Where photos are taken on lines, the first one distance after each start, and the yaw."""
    places, yaws = [], []
    for line in lines:
        on_line, lengths = trigger_positions(line, along_m)
        ends = np.cumsum(np.hypot(*np.diff(line, axis=0).T))
        leg = np.minimum(np.searchsorted(ends, lengths[1:] - 1e-9), len(ends) - 1)
        east, north = np.diff(line, axis=0)[leg].T
        places.append(on_line[1:])
        yaws.append(np.degrees(np.arctan2(east, north)) % 360.0)
    return np.concatenate(places), np.concatenate(yaws)


def _photos(
    ground: Ground, positions_m: FloatArray, angles_deg: FloatArray
) -> tuple[PhotoPosition, ...]:
    lat_lon = ground.lat_lon(positions_m[:, :2])
    rows = np.column_stack([lat_lon, positions_m[:, 2], angles_deg]).tolist()
    return tuple(PhotoPosition(*row) for row in rows)


def _outline(ground: Ground, shape: shapely.Polygon) -> GeoPolygon:
    corners = shapely.get_coordinates(shape.exterior)[:-1]
    return tuple((lat, lon) for lat, lon in ground.lat_lon(corners).tolist())
