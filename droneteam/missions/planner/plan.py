"""From an area, a camera and a wanted ground sampling distance to a mission.

The survey is a set of nadir lines, flown to and fro, optionally crossed by a second set and
closed by one oblique turn around the area's hull with the camera looking at its centre.

Without a terrain the ground is taken as flat at the height of the take-off point plus
``ground_alt_home_m``; over one the lines follow it and the coverage is counted on it.
The number of photos is an outcome that can be bounded: with ``max_photos`` the planner gives up
overlap, from the wanted values down to stated floors, and keeps the ground sampling distance;
where that is not enough it says so instead of flying a survey with holes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.items import HomePoint, MissionItem
from droneteam.missions.planner.camera import CameraSpec
from droneteam.missions.planner.chances import SearchOutlook
from droneteam.missions.planner.coverage import sample_points, views_per_point
from droneteam.missions.planner.estimate import CALM, Wind
from droneteam.missions.planner.packs import PackPart, effort_of
from droneteam.missions.planner.patterns.orbit import Orbit, plan_orbit
from droneteam.missions.planner.patterns.survey import (
    LineSpacing,
    longest_direction_deg,
    nearest_start_first,
    photos_on_line,
    survey_lines,
)
from droneteam.missions.planner.profile import ProfilePoint, flight_profile
from droneteam.missions.planner.ranges import check_range
from droneteam.missions.planner.relief import FollowedPath, Relief, followed_all, relief_of
from droneteam.missions.planner.route import Ground, LatLon, LookAt, Run, mission_items
from droneteam.missions.planner.terrain import Terrain

GeoPolygon = tuple[LatLon, ...]

MIN_FORWARD_OVERLAP = 0.55
"""Below this, consecutive photos share too little for a multi-ray point."""
MIN_SIDE_OVERLAP = 0.30
"""Below this, lines only connect through the crossing lines or the orbit."""
MIN_HEIGHT_M = 5.0
MAX_HEIGHT_M = 120.0
"""Regulation (EU) 2019/947, UAS.OPEN.010(2); airspace.py judges each site's own ceiling."""
MAX_BLUR_PX = 0.5
"""Largest smear of a photo by the vehicle's own motion."""
MAX_AREA_M2 = 25e6
TURNING_MPS2 = 1.0
"""Sideways acceleration in the orbit's corners: little enough for the path to be followed."""
_RELAX_STEPS = 40
_COVERAGE_POINTS = 160
_LEADS = (0.0, 0.25, 0.5)
"""How far lines reach beyond the area, in footprints: tried until every point has its views."""
_LEADS_BOUNDED = (0.0, -0.125, -0.25)
"""The same with a bound on photos: inset lines cost fewer photos outside the area."""


@dataclass(frozen=True, slots=True)
class SurveyParams:
    """What the pilot wants of a survey.

    angle_deg : bearing of the lines, None for the one with the fewest turns; cross_spacing : how
    many times farther apart the crossing lines are, which only tie the first ones together;
    orbit_photos, orbit_offset_m : photos of the turn, and its distance outside the hull;
    max_photos : None for as many as the overlaps need; min_views : photos that every point of
    the polygon must lie in; ground_alt_home_m : the site's ground above the take-off point;
    in_step : every drone that shares an area begins at the same side of its part, wherever it
    takes off, so that neighbours stay a part's width apart.
    """

    gsd_m: float = 0.010
    forward_overlap: float = 0.80
    side_overlap: float = 0.70
    angle_deg: float | None = None
    crosshatch: bool = True
    cross_spacing: float = 2.0
    orbit: bool = True
    orbit_pitch_deg: float = -45.0
    orbit_photos: int = 16
    orbit_offset_m: float = 5.0
    speed_mps: float = 5.0
    max_photos: int | None = None
    min_views: int = 5
    ground_alt_home_m: float = 0.0
    in_step: bool = False

    def __post_init__(self) -> None:
        check_range("gsd_m", self.gsd_m, 0.001, 0.5)
        check_range("forward_overlap", self.forward_overlap, MIN_FORWARD_OVERLAP, 0.95)
        check_range("side_overlap", self.side_overlap, MIN_SIDE_OVERLAP, 0.95)
        check_range("cross_spacing", self.cross_spacing, 1.0, 4.0)
        check_range("orbit_pitch_deg", self.orbit_pitch_deg, -80.0, -15.0)
        check_range("orbit_photos", self.orbit_photos, 6, 200)
        check_range("orbit_offset_m", self.orbit_offset_m, 0.0, 200.0)
        check_range("speed_mps", self.speed_mps, 0.5, 20.0)
        check_range("min_views", self.min_views, 1, 50)
        check_range("ground_alt_home_m", self.ground_alt_home_m, -100.0, 100.0)
        if self.max_photos is not None:
            check_range("max_photos", self.max_photos, 4, 100_000)
        if self.angle_deg is not None:
            check_range("angle_deg", self.angle_deg, -360.0, 360.0)


@dataclass(frozen=True, slots=True)
class PhotoPosition:
    """Where a photo is expected to be taken, and where the camera then looks."""

    lat_deg: float
    lon_deg: float
    alt_home_m: float
    yaw_deg: float
    pitch_deg: float


@dataclass(frozen=True, slots=True)
class MissionPlan:
    """A mission and what it is expected to give.

    gsd_m : of the nadir photos; forward_overlap, side_overlap : as planned, after any reduction
    to the bound on photos; min_views : photos in which the worst point of the area lies;
    area : what is looked at; chance_of_finding : of a person, for a search; wind : what length,
    time and packs reckon with; parts : what each pack flies; terrain : its name, kind and datum,
    None for level ground; profile : the flight over the ground, at evenly spread places;
    search : what a search makes of where the person may be.
    """

    home: HomePoint
    items: tuple[MissionItem, ...]
    photo_positions: tuple[PhotoPosition, ...]
    length_m: float
    duration_s: float
    n_photos: int
    gsd_m: float
    packs: int
    min_views: int
    forward_overlap: float
    side_overlap: float
    area: GeoPolygon
    pattern: str = "survey"
    chance_of_finding: float | None = None
    wind: Wind = CALM
    parts: tuple[PackPart, ...] = ()
    terrain: str | None = None
    profile: tuple[ProfilePoint, ...] = ()
    search: SearchOutlook | None = None

    @property
    def min_clearance_m(self) -> float | None:
        """The least height over whatever stands below; None over level ground."""
        if self.terrain is None or not self.profile:
            return None
        return min(point.clearance_m for point in self.profile)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a mission is planned in: the terrain below (None: level ground) and the wind."""

    terrain: Terrain | None = None
    wind: Wind = CALM


STILL = Conditions()


@dataclass(frozen=True, slots=True)
class _Site:
    """The area in metres about its own middle, and the ground it lies on."""

    ground: Ground
    polygon_m: FloatArray
    relief: Relief


@dataclass(frozen=True, slots=True)
class _Layout:
    """The survey in metres before it becomes mission items.

    photos_m : (k, 3) east, north and height above the take-off point.
    """

    lines: tuple[FollowedPath, ...]
    spacing: LineSpacing
    orbit: Orbit | None
    orbit_alts_home_m: FloatArray
    height_m: float
    photos_m: FloatArray
    angles_deg: FloatArray
    forward_overlap: float
    side_overlap: float


def plan_survey(
    area: GeoPolygon,
    camera: CameraSpec,
    params: SurveyParams,
    home: HomePoint,
    conditions: Conditions = STILL,
) -> MissionPlan:
    """The mission that surveys an area.

    Raises
    ------
    InputError
        When the area is no simple polygon, the height falls outside what may be flown, the bound
        on photos leaves points of the area with too few views, or the terrain ends before the
        mission does; says what to change.
    """
    site = _site(area, home, params, conditions.terrain)
    height_m = camera.height_for_gsd(params.gsd_m)
    if not MIN_HEIGHT_M <= height_m <= MAX_HEIGHT_M:
        raise InputError(
            "a gsd_m of {gsd_m:g} with {camera} means flying {height_m:.1f} m above the "
            "ground; allowed is {least_m:.0f} to {most_m:.0f} m",
            field="gsd_m",
            gsd_m=params.gsd_m,
            camera=camera.name,
            height_m=height_m,
            least_m=MIN_HEIGHT_M,
            most_m=MAX_HEIGHT_M,
        )
    layout, min_views = _covering_layout(site, camera, params)
    return _mission(area, site, camera, params, home, conditions, layout, min_views)


def _site(
    area: GeoPolygon, home: HomePoint, params: SurveyParams, terrain: Terrain | None
) -> _Site:
    corners = area[:-1] if len(area) > 1 and area[0] == area[-1] else area
    if len(corners) < 3:
        raise InputError(
            "the area needs 3 corners, not {count}", field="polygon", count=len(corners)
        )
    ground = Ground.around(corners, home)
    polygon_m = ground.metres(corners)
    shape = shapely.polygons(polygon_m)
    if not shape.is_valid:
        raise InputError("the area's outline crosses itself", field="polygon")
    if not 1.0 <= shape.area <= MAX_AREA_M2:
        raise InputError(
            "the area measures {area_m2:.1f} m²; allowed is 1 m² to {limit_km2:.0f} km²",
            field="polygon",
            area_m2=shape.area,
            limit_km2=MAX_AREA_M2 / 1e6,
        )
    return _Site(ground, polygon_m, relief_of(terrain, ground, home, params.ground_alt_home_m))


def _covering_layout(site: _Site, camera: CameraSpec, params: SurveyParams) -> tuple[_Layout, int]:
    """The layout with the largest overlaps within the bound, and its worst point's views.

    Lines end on the area's edge (lead 0).  Where its points then have too few views, the lines
    reach beyond it; where the bound asks for fewer photos, they end before it.
    """
    places = sample_points(site.polygon_m, _COVERAGE_POINTS)
    points = np.column_stack([places, site.relief.ground_home_m(places)])
    views = fewest = 0
    for lead_fraction in _LEADS if params.max_photos is None else _LEADS_BOUNDED:
        layout = _bounded_layout(site, camera, params, lead_fraction)
        fewest = len(layout.photos_m)
        if params.max_photos is not None and fewest > params.max_photos:
            continue
        views = _min_views(points, layout, camera)
        if views >= params.min_views:
            return layout, views
    raise _uncovered(params, views, fewest)


def _uncovered(params: SurveyParams, views: int, fewest: int) -> InputError:
    """Why no layout serves, and what to change."""
    if params.max_photos is not None and fewest > params.max_photos:
        return InputError(
            "{fewest} photos are the fewest for this area at gsd_m {gsd_m:g}, max_photos "
            "allows {max_photos}: raise max_photos or gsd_m",
            field="max_photos",
            fewest=fewest,
            gsd_m=params.gsd_m,
            max_photos=params.max_photos,
        )
    if params.max_photos is not None:
        return InputError(
            "some point of the area would lie in {views} photos only, {min_views} are needed: "
            "raise max_photos or gsd_m",
            field="max_photos",
            views=views,
            min_views=params.min_views,
        )
    return InputError(
        "some point of the area would lie in {views} photos only, {min_views} are needed: "
        "raise the overlaps",
        field="forward_overlap",
        views=views,
        min_views=params.min_views,
    )


def _min_views(points_m: FloatArray, layout: _Layout, camera: CameraSpec) -> int:
    return int(views_per_point(points_m, layout.photos_m, layout.angles_deg, camera).min())


def _bounded_layout(
    site: _Site, camera: CameraSpec, params: SurveyParams, lead_fraction: float
) -> _Layout:
    """The first layout, from the wanted overlaps down to the floors, within the bound.

    The last one tried when none is: the caller sees its number of photos.
    """
    n_orbit = params.orbit_photos if params.orbit else 0
    for relaxed in np.linspace(0.0, 1.0, _RELAX_STEPS + 1):
        forward = params.forward_overlap + relaxed * (MIN_FORWARD_OVERLAP - params.forward_overlap)
        side = params.side_overlap + relaxed * (MIN_SIDE_OVERLAP - params.side_overlap)
        width_m, height_on_ground_m = camera.footprint_m(params.gsd_m)
        along_m = max(0.05, round(float((1.0 - forward) * height_on_ground_m), 2))
        spacing = LineSpacing(float((1.0 - side) * width_m), along_m)
        lead = LineSpacing(lead_fraction * width_m, lead_fraction * height_on_ground_m)
        lines = _lines(site, params, spacing, lead)
        lengths_m = np.hypot(*(lines[:, 1] - lines[:, 0]).T)
        n_photos = int(np.sum(np.round(lengths_m / along_m) + 1)) + n_orbit
        if params.max_photos is None or n_photos <= params.max_photos:
            break
    return _laid_out(site, camera, params, lines, spacing, (float(forward), float(side)))


def _laid_out(
    site: _Site,
    camera: CameraSpec,
    params: SurveyParams,
    lines: FloatArray,
    spacing: LineSpacing,
    overlaps: tuple[float, float],
) -> _Layout:
    """The lines over the ground, the orbit, and where every photo is then taken."""
    height_m = camera.height_for_gsd(params.gsd_m)
    flown_lines = [_flown_line(line, spacing.along_m) for line in lines]
    flown = followed_all(flown_lines, height_m, site.relief)
    orbit = _orbit(site, params, lines[-1, 1])
    alts = _orbit_alts(site, orbit)
    photos, angles = _predicted(site, lines, flown, spacing, orbit, alts)
    return _Layout(flown, spacing, orbit, alts, height_m, photos, angles, *overlaps)


def _flown_line(line: FloatArray, along_m: float) -> FloatArray:
    """The line with its run-in and run-out.

    It begins one photo distance early, so that the vehicle has its speed and heading at the first
    photo, and ends half a distance late, so that noise in position does not decide whether the
    last one is taken.
    """
    start, end = line
    step_m = along_m * (end - start) / np.hypot(*(end - start))
    return np.array([start - step_m, end + 0.5 * step_m])


def _lines(
    site: _Site, params: SurveyParams, spacing: LineSpacing, lead: LineSpacing
) -> FloatArray:
    bearing = params.angle_deg
    if bearing is None:
        bearing = longest_direction_deg(site.polygon_m)
    lines = survey_lines(site.polygon_m, spacing, bearing, lead)
    if not params.in_step:
        lines = nearest_start_first(lines, site.ground.home_m)
    if not params.crosshatch:
        return lines
    sparse = LineSpacing(params.cross_spacing * spacing.across_m, spacing.along_m)
    crossing = survey_lines(site.polygon_m, sparse, bearing + 90.0, lead)
    if not params.in_step:
        crossing = nearest_start_first(crossing, lines[-1, 1])
    return np.concatenate([lines, crossing])


def _orbit(site: _Site, params: SurveyParams, from_m: FloatArray) -> Orbit | None:
    if not params.orbit:
        return None
    orbit = plan_orbit(
        site.polygon_m, params.orbit_offset_m, params.orbit_photos, params.orbit_pitch_deg, from_m
    )
    if orbit.height_m > MAX_HEIGHT_M:
        raise InputError(
            "the orbit would fly {height_m:.0f} m above the ground, more than {most_m:.0f} "
            "m: choose a flatter orbit_pitch_deg, or no orbit",
            field="orbit_pitch_deg",
            height_m=orbit.height_m,
            most_m=MAX_HEIGHT_M,
        )
    return orbit


def _orbit_alts(site: _Site, orbit: Orbit | None) -> FloatArray:
    """The turn's height above the take-off point: one for all corners, so that it stays a turn.

    It is that above the ground at the centre, raised where the ground on the way comes nearer
    than the lowest height that may be flown.
    """
    if orbit is None:
        return np.zeros(0)
    centre = float(site.relief.ground_home_m(orbit.centre_m[None, :])[0])
    highest = float(site.relief.top_home_m(orbit.path_m).max())
    level = centre + orbit.height_m
    if not site.relief.level:
        level = max(level, highest + MIN_HEIGHT_M)
    return np.full(len(orbit.path_m), level)


def _predicted(
    site: _Site,
    lines_m: FloatArray,
    flown: tuple[FollowedPath, ...],
    spacing: LineSpacing,
    orbit: Orbit | None,
    orbit_alts: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Photo positions (k, 3), heights above the take-off point, and their yaw and pitch (k, 2)."""
    places, angles = [], []
    for line, path in zip(lines_m, flown, strict=True):
        on_line = photos_on_line(line, spacing.along_m)
        east, north = line[1] - line[0]
        yaw = math.degrees(math.atan2(east, north)) % 360.0
        alts = path.alts_at(on_line) if len(path.path_m) > 2 else path.alts_home_m[:1]
        places.append(np.column_stack([on_line, np.broadcast_to(alts, len(on_line))]))
        angles.append(np.tile([yaw, -90.0], (len(on_line), 1)))
    if orbit is not None:
        inward = orbit.centre_m - orbit.photos_m
        distance = np.hypot(inward[:, 0], inward[:, 1])
        yaw_deg = np.degrees(np.arctan2(inward[:, 0], inward[:, 1])) % 360.0
        centre = float(site.relief.ground_home_m(orbit.centre_m[None, :])[0])
        alts = np.full(len(distance), orbit_alts[0])
        pitch_deg = -np.degrees(np.arctan2(orbit_alts[0] - centre, distance))
        places.append(np.column_stack([orbit.photos_m, alts]))
        angles.append(np.column_stack([yaw_deg, pitch_deg]))
    return np.concatenate(places), np.concatenate(angles)


def photo_speed(camera: CameraSpec, gsd_m: float, wanted_mps: float, along_m: float) -> float:
    """The wanted speed, or less where blur or the shutter's interval asks for it."""
    by_blur = MAX_BLUR_PX * gsd_m / camera.exposure_s
    by_interval = along_m / camera.min_interval_s if camera.min_interval_s > 0.0 else math.inf
    return max(0.5, math.floor(100.0 * min(wanted_mps, by_blur, by_interval)) / 100.0)


def _mission(
    area: GeoPolygon,
    site: _Site,
    camera: CameraSpec,
    params: SurveyParams,
    home: HomePoint,
    conditions: Conditions,
    layout: _Layout,
    min_views: int,
) -> MissionPlan:
    photos = _photo_positions(site, layout)
    items = mission_items(site.ground, _runs(site, camera, params, layout))
    effort = effort_of(items, home, conditions.wind)
    return MissionPlan(
        home=home,
        items=items,
        photo_positions=photos,
        length_m=effort.length_m,
        duration_s=effort.duration_s,
        n_photos=len(photos),
        gsd_m=params.gsd_m,
        packs=effort.packs,
        min_views=min_views,
        forward_overlap=layout.forward_overlap,
        side_overlap=layout.side_overlap,
        area=area,
        wind=conditions.wind,
        parts=effort.parts,
        terrain=None if conditions.terrain is None else conditions.terrain.label,
        profile=flight_profile(items, site.ground, site.relief),
    )


def _runs(site: _Site, camera: CameraSpec, params: SurveyParams, layout: _Layout) -> list[Run]:
    """Every run, in flying order."""
    along_m = layout.spacing.along_m
    speed_mps = photo_speed(camera, params.gsd_m, params.speed_mps, along_m)
    runs = [Run(line.path_m, line.alts_home_m, speed_mps, along_m) for line in layout.lines]
    orbit = layout.orbit
    if orbit is not None:
        turning_mps = max(1.5, math.sqrt(TURNING_MPS2 * max(1.0, params.orbit_offset_m)))
        slow_mps = round(min(speed_mps, turning_mps), 2)
        ground_m = float(site.relief.ground_home_m(orbit.centre_m[None, :])[0])
        centre = LookAt(orbit.centre_m, ground_m)
        alts = layout.orbit_alts_home_m
        runs.append(Run(orbit.path_m, alts, slow_mps, orbit.trigger_m, True, centre))
    return runs


def _photo_positions(site: _Site, layout: _Layout) -> tuple[PhotoPosition, ...]:
    lat_lon = site.ground.lat_lon(layout.photos_m[:, :2])
    rows = np.column_stack([lat_lon, layout.photos_m[:, 2], layout.angles_deg]).tolist()
    return tuple(PhotoPosition(*row) for row in rows)
