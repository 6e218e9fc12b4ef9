"""The planner against brute force: coverage, counts and distances computed another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from droneteam.errors import InputError
from droneteam.missions.items import MAX_ITEMS, HomePoint, MissionCommand, wire_mission
from droneteam.missions.planner.camera import CAMERAS, MAVIC_3E, SIMULATED, CameraSpec, camera_named
from droneteam.missions.planner.patterns.triggers import trigger_positions
from droneteam.missions.planner.plan import GeoPolygon, MissionPlan, SurveyParams, plan_survey
from sitl.lens import SimCamera
from tests.missions.conftest import ORIGIN, PLACE, SCENE, area

ROAD_ACCIDENT = area((-20, -15), (20, -15), (20, 15), (-20, 15))


def metres(lat_lon: list[tuple[float, float]]) -> np.ndarray:
    geodetic = np.column_stack([np.array(lat_lon), np.zeros(len(lat_lon))])
    return ORIGIN.enu_from_geodetic(geodetic)[:, :2]


def seen_by(plan: MissionPlan, camera: CameraSpec, point_m: np.ndarray) -> int:
    """Photos whose image of a ground point lies inside the frame: ray by ray, by rotation."""
    count = 0
    places = metres([(p.lat_deg, p.lon_deg) for p in plan.photo_positions])
    for photo, (east, north) in zip(plan.photo_positions, places, strict=True):
        yaw, pitch = math.radians(photo.yaw_deg), math.radians(photo.pitch_deg)
        ray = np.array([point_m[0] - east, point_m[1] - north, -photo.alt_home_m])
        # Turn the world so that the camera's heading is north, then tilt it up to the horizon.
        ahead = ray[0] * math.sin(yaw) + ray[1] * math.cos(yaw)
        right = ray[0] * math.cos(yaw) - ray[1] * math.sin(yaw)
        depth = ahead * math.cos(pitch) + ray[2] * math.sin(pitch)
        up = -ahead * math.sin(pitch) + ray[2] * math.cos(pitch)
        if depth <= 0.0:
            continue
        x_px = right / depth * camera.focal_px
        y_px = up / depth * camera.focal_px
        count += abs(x_px) <= camera.width_px / 2 and abs(y_px) <= camera.height_px / 2
    return count


def fewest_views(plan: MissionPlan, camera: CameraSpec, polygon: GeoPolygon) -> int:
    outline = metres(list(polygon))
    shape = shapely.Polygon(outline)
    left, low, right, high = shape.bounds
    grid = itertools.product(np.linspace(left, right, 13), np.linspace(low, high, 13))
    inside = [np.array(p) for p in grid if shape.covers(shapely.Point(p))]
    return min(seen_by(plan, camera, point) for point in [*inside, *outline])


@pytest.mark.parametrize("gsd_m", [0.008, 0.010, 0.012])
def test_a_road_accident_takes_forty_to_sixty_photos_and_every_point_lies_in_five(
    gsd_m: float,
) -> None:
    plan = plan_survey(ROAD_ACCIDENT, SIMULATED, SurveyParams(gsd_m=gsd_m, max_photos=60), PLACE)
    assert 40 <= plan.n_photos <= 60
    assert fewest_views(plan, SIMULATED, ROAD_ACCIDENT) >= 5
    assert plan.packs == 1


outlines = st.lists(st.floats(12.0, 60.0), min_size=5, max_size=9).map(
    lambda radii: area(
        *(
            (r * math.cos(2 * math.pi * i / len(radii)), r * math.sin(2 * math.pi * i / len(radii)))
            for i, r in enumerate(radii)
        )
    )
)


@settings(max_examples=25, deadline=None)
@given(outline=outlines, gsd_m=st.floats(0.01, 0.03), crosshatch=st.booleans(), orbit=st.booleans())
def test_every_point_of_any_star_shaped_area_lies_in_five_photos(
    outline: GeoPolygon, gsd_m: float, crosshatch: bool, orbit: bool
) -> None:
    params = SurveyParams(gsd_m=gsd_m, crosshatch=crosshatch, orbit=orbit)
    plan = plan_survey(outline, SIMULATED, params, PLACE)
    assert plan.min_views >= 5
    assert fewest_views(plan, SIMULATED, outline) >= 5


def test_the_planned_height_gives_the_wanted_ground_sampling_distance() -> None:
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(gsd_m=0.01), PLACE)
    nadir = [photo for photo in plan.photo_positions if photo.pitch_deg == -90.0]
    pixel_mm = SIMULATED.sensor_width_mm / SIMULATED.width_px
    for photo in nadir:
        assert photo.alt_home_m * pixel_mm / SIMULATED.focal_mm == pytest.approx(0.01, rel=1e-3)


def test_neighbouring_photos_overlap_as_wanted() -> None:
    params = SurveyParams(crosshatch=False, orbit=False, forward_overlap=0.8, side_overlap=0.7)
    plan = plan_survey(area((0, 0), (60, 0), (60, 40), (0, 40)), SIMULATED, params, PLACE)
    places = metres([(p.lat_deg, p.lon_deg) for p in plan.photo_positions])
    norths = np.unique(np.round(places[:, 1], 1))
    spacing_across = float(np.max(np.diff(norths)))
    assert spacing_across <= 0.3 * 2000 * 0.01 + 0.05
    line = np.sort(places[np.abs(places[:, 1] - norths[0]) < 0.2][:, 0])
    assert np.diff(line) == pytest.approx(0.2 * 1500 * 0.01, abs=0.02)


def test_a_bound_on_photos_gives_up_overlap_and_never_the_ground_sampling_distance() -> None:
    free = plan_survey(ROAD_ACCIDENT, SIMULATED, SurveyParams(), PLACE)
    bounded = plan_survey(ROAD_ACCIDENT, SIMULATED, SurveyParams(max_photos=60), PLACE)
    assert free.n_photos > 60 >= bounded.n_photos
    assert bounded.gsd_m == free.gsd_m
    assert bounded.forward_overlap < free.forward_overlap
    assert bounded.side_overlap < free.side_overlap


def test_a_bound_that_cannot_be_held_says_how_many_photos_it_takes() -> None:
    with pytest.raises(InputError, match=r"\d+ photos are the fewest.*raise max_photos or gsd_m"):
        plan_survey(ROAD_ACCIDENT, SIMULATED, SurveyParams(gsd_m=0.008, max_photos=20), PLACE)


def test_the_orbit_circles_outside_the_hull_and_looks_at_its_centre() -> None:
    params = SurveyParams(orbit_photos=16, orbit_offset_m=5.0)
    plan = plan_survey(SCENE, SIMULATED, params, PLACE)
    orbit = [photo for photo in plan.photo_positions if photo.pitch_deg > -90.0]
    assert len(orbit) == 16
    hull = shapely.Polygon(metres(list(SCENE)))
    places = metres([(photo.lat_deg, photo.lon_deg) for photo in orbit])
    for photo, place in zip(orbit, places, strict=True):
        assert hull.distance(shapely.Point(place)) == pytest.approx(5.0, abs=0.6)
        towards = math.degrees(math.atan2(-place[0], -place[1])) % 360.0
        assert photo.yaw_deg == pytest.approx(towards, abs=0.5)
        steep = -math.degrees(math.atan2(photo.alt_home_m, math.hypot(*place)))
        assert photo.pitch_deg == pytest.approx(steep, abs=0.3)
    angles = np.unwrap([math.atan2(*place) for place in places])
    assert abs(angles[-1] - angles[0]) > math.radians(300)


def test_the_predicted_photos_are_those_that_the_items_trigger() -> None:
    """Replays the items with ArduPilot's rule, apart from the planner's own prediction."""
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    here = metres([(PLACE.lat_deg, PLACE.lon_deg)])[0]
    distance, last, taken = 0.0, here, 0
    for item in plan.items:
        if item.command is MissionCommand.DO_SET_CAM_TRIGG_DIST:
            distance, last = item.params[0], here
            taken += item.params[2] == 1.0
        if item.command is not MissionCommand.WAYPOINT:
            continue
        assert item.lat_deg is not None
        assert item.lon_deg is not None
        target = metres([(item.lat_deg, item.lon_deg)])[0]
        for fraction in np.linspace(0.0, 1.0, 2000):
            place = here + fraction * (target - here)
            if distance > 0.0 and math.dist(place, last) >= distance:
                taken, last = taken + 1, place
        here = target
    assert taken == plan.n_photos


def test_the_length_is_that_of_the_items_legs() -> None:
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    moves = [item for item in plan.items if item.command is MissionCommand.WAYPOINT]
    corners = [(PLACE.lat_deg, PLACE.lon_deg)]
    corners += [(item.lat_deg or 0.0, item.lon_deg or 0.0) for item in moves]
    path = metres([*corners, corners[0]])
    over_ground = np.hypot(*np.diff(path, axis=0).T)
    heights = [item.alt_home_m or 0.0 for item in moves]
    steps = np.abs(np.diff([heights[0], *heights, heights[-1]]))
    flown = float(np.sum(np.hypot(over_ground, steps)))
    assert plan.length_m == pytest.approx(flown + heights[0] + heights[-1], rel=2e-4)
    assert plan.duration_s > flown / 5.0


def test_a_higher_site_raises_every_altitude_and_the_point_looked_at() -> None:
    low = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    params = SurveyParams(max_photos=60, ground_alt_home_m=12.0)
    high = plan_survey(SCENE, SIMULATED, params, PLACE)
    for a, b in zip(low.items, high.items, strict=True):
        if a.alt_home_m is not None:
            assert b.alt_home_m == pytest.approx(a.alt_home_m + 12.0, abs=0.011)


def test_a_survey_ends_with_the_way_home_and_the_trigger_off() -> None:
    plan = plan_survey(SCENE, SIMULATED, SurveyParams(max_photos=60), PLACE)
    assert plan.items[0].command is MissionCommand.TAKEOFF
    assert plan.items[-1].command is MissionCommand.RETURN_TO_LAUNCH
    switches = [i for i in plan.items if i.command is MissionCommand.DO_SET_CAM_TRIGG_DIST]
    assert [s.params[0] > 0.0 for s in switches] == [True, False] * (len(switches) // 2)


def test_motion_blur_and_the_shutter_bound_the_speed() -> None:
    slow_shutter = CameraSpec("slow", 17.6, 13.2, 12.2, 2000, 1500, 2.0, 1.0 / 1000.0)
    params = SurveyParams(gsd_m=0.01, speed_mps=15.0, forward_overlap=0.8, orbit=False)
    plan = plan_survey(SCENE, slow_shutter, params, PLACE)
    speeds = [i.params[1] for i in plan.items if i.command is MissionCommand.DO_CHANGE_SPEED]
    assert speeds == [pytest.approx(0.2 * 15.0 / 2.0)]


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ((), "3 corners"),
        (((50.0, 4.0), (50.0, 4.0)), "3 corners"),
        (((50.0, 4.0), (50.001, 4.001), (50.001, 4.0), (50.0, 4.001)), "crosses itself"),
        (((50.0, 4.0), (50.001, 4.0), (50.002, 4.0)), "crosses|measures"),
        (((91.0, 4.0), (50.0, 4.0), (50.0, 4.1)), "lat_deg"),
        (((float("nan"), 4.0), (50.0, 4.0), (50.0, 4.1)), "lat_deg"),
        (((50.0, 4.0), (50.5, 4.0), (50.5, 4.5)), "km²"),
    ],
)
def test_an_area_that_cannot_be_flown_is_refused(corners: GeoPolygon, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plan_survey(corners, SIMULATED, SurveyParams(), PLACE)


@pytest.mark.parametrize(
    "changes",
    [
        {"gsd_m": 0.0},
        {"gsd_m": float("nan")},
        {"forward_overlap": 0.99},
        {"side_overlap": 0.1},
        {"orbit_pitch_deg": -90.0},
        {"max_photos": 0},
        {"speed_mps": 100.0},
    ],
)
def test_parameters_outside_their_range_are_named(changes: dict[str, float]) -> None:
    (field,) = changes
    with pytest.raises(InputError, match=field) as error:
        SurveyParams(**changes)  # type: ignore[arg-type]
    assert error.value.field == field


def test_a_ground_sampling_distance_that_means_flying_too_high_says_so() -> None:
    with pytest.raises(InputError, match=r"means flying 208\.0 m"):
        plan_survey(SCENE, SIMULATED, SurveyParams(gsd_m=0.15), PLACE)


def test_a_mission_longer_than_the_vehicle_stores_is_refused() -> None:
    wide = area((-400, -400), (400, -400), (400, 400), (-400, 400))
    plan = plan_survey(wide, SIMULATED, SurveyParams(gsd_m=0.012, orbit=False), PLACE)
    assert len(plan.items) >= MAX_ITEMS
    with pytest.raises(InputError, match="split the area"):
        wire_mission(plan.items, PLACE)


def test_the_simulators_camera_is_the_one_that_the_planner_knows() -> None:
    real = SimCamera()
    assert (SIMULATED.width_px, SIMULATED.height_px) == (real.width_px, real.height_px)
    assert SIMULATED.sensor_width_mm == real.sensor_width_mm
    assert SIMULATED.focal_px == pytest.approx(real.focal_px, rel=0.01)


def test_cameras_are_found_by_name() -> None:
    for name in CAMERAS:
        assert camera_named(name).name == name
    with pytest.raises(InputError, match="known: mavic-3e-wide"):
        camera_named("brownie")


def test_home_is_checked_where_it_enters() -> None:
    with pytest.raises(InputError, match="alt_amsl_m"):
        HomePoint(50.0, 4.0, 9000.0)


@settings(max_examples=50, deadline=None)
@given(
    corners=st.lists(
        st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=2, max_size=6, unique=True
    ),
    distance_m=st.floats(0.5, 20.0),
)
def test_trigger_positions_are_one_distance_apart(
    corners: list[tuple[float, float]], distance_m: float
) -> None:
    photos, lengths = trigger_positions(np.array(corners), distance_m)
    gaps = np.hypot(*np.diff(photos, axis=0).T)
    assert gaps == pytest.approx(distance_m, rel=1e-6)
    assert np.all(np.diff(lengths) >= distance_m * (1 - 1e-9))


def test_a_square_kilometre_at_one_centimetre_is_covered() -> None:
    wide = area((-500, -500), (500, -500), (500, 500), (-500, 500))
    plan = plan_survey(
        wide, MAVIC_3E, SurveyParams(gsd_m=0.01, crosshatch=False, orbit=False), PLACE
    )
    assert plan.min_views >= 5
    assert plan.packs > 5
