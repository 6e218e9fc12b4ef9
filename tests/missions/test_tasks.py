"""Corridors, façades, searches, overwatch and free paths: what they cover and how they fly."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import event, given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.geo import FloatArray
from droneteam.missions.items import MissionCommand, MissionItem, wire_mission
from droneteam.missions.planjson import plan_from_json, plan_to_json
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.patterns import search
from droneteam.missions.planner.patterns.corridor import corridor_area, corridor_lines
from droneteam.missions.planner.plan import LatLon, MissionPlan
from droneteam.missions.planner.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    SearchPattern,
    TaskParams,
)
from droneteam.missions.planner.tasks import plan_task
from tests.missions.conftest import ORIGIN, PLACE, area

BEND = area((-60.0, 0.0), (0.0, 10.0), (50.0, 60.0))
WALL = area((-10.0, 0.0), (10.0, 0.0))


def plan(places: tuple[LatLon, ...], params: TaskParams) -> MissionPlan:
    return plan_task(places, SIMULATED, params, PLACE)


def metres(places: list[tuple[float, float]]) -> FloatArray:
    geodetic = np.column_stack([np.array(places), np.zeros(len(places))])
    return np.asarray(ORIGIN.enu_from_geodetic(geodetic)[:, :2])


def moves(mission: MissionPlan) -> list[MissionItem]:
    kinds = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    return [item for item in mission.items if item.command in kinds]


def photo_places(mission: MissionPlan) -> FloatArray:
    return metres([(p.lat_deg, p.lon_deg) for p in mission.photo_positions])


def test_every_point_of_a_corridor_lies_in_its_photos_footprints() -> None:
    """Rectangles on the ground, apart from the planner's pinhole."""
    params = CorridorParams(width_m=14.0, gsd_m=0.010)
    mission = plan(BEND, params)
    half = 0.5 * np.array([SIMULATED.width_px, SIMULATED.height_px]) * params.gsd_m
    ground = corridor_area(metres(list(BEND)), params.width_m)
    left, low, right, high = ground.bounds
    grid = np.array(list(itertools.product(np.arange(left, right, 2.0), np.arange(low, high, 2.0))))
    points = grid[shapely.contains_xy(ground, grid[:, 0], grid[:, 1])]
    views = np.zeros(len(points), dtype=int)
    for photo, place in zip(mission.photo_positions, photo_places(mission), strict=True):
        yaw = math.radians(photo.yaw_deg)
        ahead, aside = (math.sin(yaw), math.cos(yaw)), (math.cos(yaw), -math.sin(yaw))
        offset = points - place
        views += (np.abs(offset @ aside) <= half[0]) & (np.abs(offset @ ahead) <= half[1])
    assert len(points) > 300
    assert views.min() >= params.min_views


def test_a_corridors_predicted_photos_are_those_that_its_items_trigger() -> None:
    mission = plan(BEND, CorridorParams())
    here, distance, last, taken = metres([(PLACE.lat_deg, PLACE.lon_deg)])[0], 0.0, None, 0
    for item in mission.items:
        if item.command is MissionCommand.DO_SET_CAM_TRIGG_DIST:
            distance, last = item.params[0], here
            taken += item.params[2] == 1.0
        if item.command is not MissionCommand.WAYPOINT:
            continue
        target = metres([(item.lat_deg or 0.0, item.lon_deg or 0.0)])[0]
        for fraction in np.linspace(0.0, 1.0, 4000):
            place = here + fraction * (target - here)
            if distance and last is not None and math.dist(place, last) >= distance:
                taken, last = taken + 1, place
        here = target
    assert taken == mission.n_photos


@given(width_m=st.floats(2.0, 60.0), across_m=st.floats(3.0, 30.0))
def test_corridor_lines_lie_no_farther_apart_than_asked(width_m: float, across_m: float) -> None:
    axis = np.array([[0.0, 0.0], [100.0, 0.0]])
    lines = corridor_lines(axis, width_m, across_m, 5.0)
    offsets = sorted(float(line[0, 1]) for line in lines)
    gaps = np.diff([-width_m / 2 - offsets[0] + offsets[0], *offsets])
    assert max(np.diff(offsets), default=0.0) <= across_m + 1e-6
    assert offsets[0] - -width_m / 2 <= across_m / 2 + 1e-6
    assert len(gaps) == len(lines)
    for one, other in itertools.pairwise(lines):
        assert math.dist(one[-1], other[0]) < math.dist(one[0], other[0])  # to and fro


def test_a_facades_photos_stand_square_to_the_wall_at_the_distance_of_the_gsd() -> None:
    params = FacadeParams(gsd_m=0.004, bottom_m=3.0, top_m=9.0)
    mission = plan(WALL, params)
    wall = shapely.LineString(metres(list(WALL)))
    distance_m = SIMULATED.focal_px * params.gsd_m
    for photo, place in zip(mission.photo_positions, photo_places(mission), strict=True):
        assert wall.distance(shapely.Point(place)) == pytest.approx(distance_m, abs=0.02)
        assert place[1] > 0.0  # on the left of the wall
        assert photo.yaw_deg == pytest.approx(180.0, abs=0.01)
        assert photo.pitch_deg == 0.0
        assert 3.0 <= photo.alt_home_m <= 9.0


def test_every_point_of_a_wall_lies_in_two_photos() -> None:
    params = FacadeParams(gsd_m=0.004, bottom_m=3.0, top_m=9.0)
    mission = plan(WALL, params)
    half_width = 0.5 * SIMULATED.width_px * params.gsd_m
    half_height = 0.5 * SIMULATED.height_px * params.gsd_m
    places = photo_places(mission)
    heights = np.array([photo.alt_home_m for photo in mission.photo_positions])
    for east, up in itertools.product(np.linspace(-10.0, 10.0, 41), np.linspace(3.0, 9.0, 13)):
        seen = (np.abs(places[:, 0] - east) <= half_width) & (np.abs(heights - up) <= half_height)
        assert seen.sum() >= 2


def test_a_facade_is_flown_from_its_top_down() -> None:
    heights = [item.alt_home_m or 0.0 for item in moves(plan(WALL, FacadeParams()))]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] > heights[-1]


def test_each_photo_of_a_facade_is_asked_for_while_the_camera_looks_at_the_wall() -> None:
    mission = plan(WALL, FacadeParams())
    commands = [item.command for item in mission.items]
    shots = [i for i, command in enumerate(commands) if command is _SHOT]
    assert len(shots) == mission.n_photos
    for index in shots:
        assert commands[index - 2] is MissionCommand.DO_SET_ROI_LOCATION
        assert commands[index - 1] is MissionCommand.WAYPOINT
        assert mission.items[index].extra[0] == 1.0


_SHOT = MissionCommand.DO_DIGICAM_CONTROL


@given(spacing_m=st.floats(5.0, 40.0), rings=st.integers(1, 6))
def test_an_expanding_square_passes_every_point_within_six_tenths_of_its_spacing(
    spacing_m: float, rings: int
) -> None:
    path = search.expanding_square(np.array([3.0, -7.0]), spacing_m, rings * spacing_m)
    line = shapely.LineString(path)
    reach = rings * spacing_m
    grid = np.linspace(-reach, reach, 25)
    for east, north in itertools.product(grid, grid):
        point = shapely.Point(3.0 + east, -7.0 + north)
        assert line.distance(point) <= 0.6 * spacing_m + 1e-6
    legs = np.hypot(*np.diff(path, axis=0).T) / spacing_m
    assert legs[:4] == pytest.approx([1.0, 1.0, 2.0, 2.0])


def test_a_sector_search_flies_triangles_straight_through_the_datum() -> None:
    datum = np.array([10.0, 20.0])
    path = search.sector(datum, 100.0, turns=1)
    legs = np.hypot(*np.diff(path, axis=0).T)
    assert legs == pytest.approx(100.0)
    assert len(legs) == 9
    inner = [i for i in range(1, len(path) - 1) if math.dist(path[i], datum) < 1e-9]
    assert len(inner) == 2
    for index in inner:
        before, after = path[index] - path[index - 1], path[index + 1] - path[index]
        assert before @ after == pytest.approx(100.0**2)


def test_further_sectors_fly_other_bearings() -> None:
    path = search.sector(np.zeros(2), 100.0, turns=2)
    corners = {tuple(np.round(point, 3)) for point in path}
    assert len(corners) == 1 + 12


def test_the_chance_of_finding_follows_koopmans_law_over_an_even_area() -> None:
    """1 - exp(-width·length/area) for lines spread evenly; less where they leave gaps."""
    grid = np.linspace(-195.0, 195.0, 40)
    centres = np.array(list(itertools.product(grid, grid)))
    where = search.evenly(centres, 100.0)
    width_m = 40.0
    for spacing_m, below in ((20.0, 0.06), (40.0, 0.06), (80.0, 0.12)):
        norths = np.arange(-200.0 + spacing_m / 2, 200.0, spacing_m)
        lines = [[(-300.0, n), (300.0, n)][:: 1 if i % 2 else -1] for i, n in enumerate(norths)]
        found = search.chance_of_finding(np.array(lines).reshape(-1, 2), width_m, where)
        koopman = 1.0 - math.exp(-width_m / spacing_m)
        assert koopman - below < found < koopman + 0.02


def test_a_search_that_flies_farther_or_sees_better_finds_more() -> None:
    seen_at = area((0.0, 0.0))
    base = SearchParams(radius_m=100.0)
    chance = plan(seen_at, base).chance_of_finding
    assert chance is not None
    assert 0.1 < chance < 0.9
    for better in (replace(base, radius_m=200.0), replace(base, detection=1.0)):
        more = plan(seen_at, better).chance_of_finding
        assert more is not None
        assert more > chance + 0.01


def test_a_map_of_where_a_person_was_last_seen_adds_up_to_nearly_one() -> None:
    where = search.last_seen(np.array([5.0, 5.0]), 80.0)
    assert 0.98 < where.chance.sum() <= 1.0
    mean = where.chance @ where.centres_m / where.chance.sum()
    assert mean == pytest.approx([5.0, 5.0], abs=1e-6)


@pytest.mark.parametrize("pattern", ["expanding_square", "sector"])
def test_a_search_flies_no_photos_and_keeps_its_height(pattern: SearchPattern) -> None:
    params = SearchParams(pattern=pattern, gsd_m=0.03, ground_alt_home_m=2.0)
    mission = plan(area((0.0, 0.0)), params)
    assert mission.n_photos == 0
    assert mission.pattern == pattern
    height_m = 0.03 * SIMULATED.focal_px + 2.0
    assert {item.alt_home_m for item in moves(mission)} == {round(height_m, 2)}


def test_parallel_tracks_sweep_the_whole_area() -> None:
    corners = area((-150.0, -100.0), (150.0, -100.0), (150.0, 100.0), (-150.0, 100.0))
    params = SearchParams(pattern="parallel_track")
    mission = plan(corners, params)
    path = metres([(item.lat_deg or 0.0, item.lon_deg or 0.0) for item in moves(mission)])
    sweep_m = (1.0 - params.overlap) * SIMULATED.width_px * params.gsd_m
    swept = shapely.LineString(path).buffer(0.5 * sweep_m + 0.01)
    assert swept.contains(shapely.Polygon(metres(list(corners))).buffer(-0.5))
    assert mission.chance_of_finding == pytest.approx(1 - math.exp(-0.8), abs=0.08)


def test_an_overwatch_hovers_at_each_place_with_the_camera_on_the_target() -> None:
    places = area((40.0, 0.0), (0.0, 40.0))
    target = area((0.0, 0.0))[0]
    mission = plan(places, OverwatchParams(target, alt_home_m=45.0, stay_s=120))
    stays = [item for item in mission.items if item.command is MissionCommand.LOITER_TIME]
    looks = [item for item in mission.items if item.command is MissionCommand.DO_SET_ROI_LOCATION]
    assert [(item.params[0], item.alt_home_m) for item in stays] == [(120.0, 45.0)] * 2
    assert all(item.lat_deg == pytest.approx(target[0], abs=1e-7) for item in looks)
    assert mission.duration_s > 240.0


def test_free_waypoints_are_flown_as_drawn() -> None:
    places = area((10.0, 0.0), (10.0, 30.0), (-20.0, 30.0))
    mission = plan(places, FreeParams(alt_home_m=(20.0, 25.0, 30.0), photo=True))
    flown = [(item.lat_deg, item.lon_deg, item.alt_home_m) for item in moves(mission)]
    wanted = [(*place, alt) for place, alt in zip(places, (20.0, 25.0, 30.0), strict=True)]
    assert flown == [pytest.approx(one, abs=1e-6) for one in wanted]
    assert mission.n_photos == 3
    assert math.cos(math.radians(mission.photo_positions[1].yaw_deg)) == pytest.approx(1.0)
    assert mission.photo_positions[2].yaw_deg == pytest.approx(270.0, abs=0.01)


ANY: list[tuple[tuple[LatLon, ...], TaskParams]] = [
    (BEND, CorridorParams()),
    (WALL, FacadeParams()),
    (area((0.0, 0.0)), SearchParams()),
    (area((0.0, 0.0)), SearchParams(pattern="sector", turns=2)),
    (area((40.0, 0.0)), OverwatchParams(area((0.0, 0.0))[0])),
    (BEND, FreeParams()),
]


@pytest.mark.parametrize(("places", "params"), ANY)
def test_every_mission_starts_with_take_off_ends_with_the_way_home_and_fits_the_vehicle(
    places: tuple[LatLon, ...], params: TaskParams
) -> None:
    mission = plan(places, params)
    assert mission.items[0].command is MissionCommand.TAKEOFF
    assert mission.items[-1].command is MissionCommand.RETURN_TO_LAUNCH
    assert len(wire_mission(mission.items, PLACE)) == len(mission.items) + 1
    assert len(mission.area) >= 3
    assert mission.duration_s > 0.0
    assert plan_from_json(plan_to_json(mission)) == mission


@pytest.mark.parametrize(
    ("places", "params", "message"),
    [
        (area((0, 0)), CorridorParams(), "axis needs 2 places"),
        (area((0, 0), (0, 0)), CorridorParams(), "all places are the same"),
        (BEND, CorridorParams(gsd_m=0.2), "means flying"),
        (WALL, FacadeParams(gsd_m=0.0006), "from the wall"),
        ((), SearchParams(), "last known position needs 1"),
        (area((0, 0)), SearchParams(pattern="parallel_track"), "area needs 3"),
        (area((0, 0)), SearchParams(radius_m=5000.0, gsd_m=0.01), "km long"),
        (BEND, FreeParams(alt_home_m=(20.0, 30.0)), "3 places but 2 heights"),
        (((95.0, 4.0), (50.0, 4.0)), FreeParams(), "lat"),
    ],
)
def test_what_cannot_be_flown_is_refused_with_the_reason(
    places: tuple[LatLon, ...], params: TaskParams, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(places, params)


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (CorridorParams, {"width_m": 0.0}, "width_m"),
        (FacadeParams, {"bottom_m": 1.0}, "bottom_m"),
        (FacadeParams, {"bottom_m": 9.0, "top_m": 8.0}, "top_m"),
        (SearchParams, {"detection": 0.0}, "detection"),
        (SearchParams, {"pattern": "spiral"}, "pattern"),
        (OverwatchParams, {"target": (50.0, 4.0), "alt_home_m": math.nan}, "alt_home_m"),
        (FreeParams, {"alt_home_m": (500.0,)}, "alt_home_m"),
        (FreeParams, {"pitch_deg": 10.0}, "pitch_deg"),
    ],
)
def test_parameters_out_of_range_are_named(
    kind: type[TaskParams], values: dict[str, object], field: str
) -> None:
    with pytest.raises(InputError) as error:
        kind(**values)  # type: ignore[arg-type]
    assert error.value.field == field


@settings(max_examples=20, deadline=None)
@given(
    corners=st.lists(
        st.tuples(st.floats(-80, 80), st.floats(-80, 80)), min_size=2, max_size=5, unique=True
    )
)
def test_a_corridor_along_any_axis_is_planned_or_refused(
    corners: list[tuple[float, float]],
) -> None:
    try:
        mission = plan(area(*corners), CorridorParams(gsd_m=0.012))
    except InputError as error:
        event(f"refused: {error.field}")
        return
    assert mission.n_photos > 0
    assert mission.min_views >= 3
