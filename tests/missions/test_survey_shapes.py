"""The promise of a survey over awkward areas, counted by an independent eye.

Every point of the polygon in five photos, the ground sampling distance within 5 %, the number of
photos within 2 %: for concave, thin, tiny and turned areas, on level ground and over a hill.  The
photos are those that ArduPilot's distance trigger fires while the mission's items are flown, with
navigation noise; not the planner's own list of positions.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import shapely

from droneteam.errors import InputError
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.camera import MAVIC_3E, SIMULATED, CameraSpec
from droneteam.missions.planner.plan import (
    STILL,
    Conditions,
    GeoPolygon,
    MissionPlan,
    SurveyParams,
    plan_survey,
)
from tests.missions.conftest import ORIGIN, PLACE, area
from tests.missions.relief_world import height_of, hill, ray, terrain

NOISE_M = 0.15
AT_HOME = (PLACE.lat_deg, PLACE.lon_deg)


def turned(corners: list[tuple[float, float]], bearing_deg: float) -> GeoPolygon:
    turn = math.radians(bearing_deg)
    return area(
        *(
            (
                e * math.cos(turn) + n * math.sin(turn),
                n * math.cos(turn) - e * math.sin(turn),
            )
            for e, n in corners
        )
    )


L_SHAPE = turned([(0, 0), (60, 0), (60, 20), (20, 20), (20, 50), (0, 50)], 17.0)
U_SHAPE = turned([(0, 0), (70, 0), (70, 50), (50, 50), (50, 15), (20, 15), (20, 50), (0, 50)], 0.0)
COMB = turned(
    [(0, 0), (80, 0), (80, 40), (65, 40), (65, 8), (48, 8), (48, 40), (32, 40), (32, 8), (15, 8)]
    + [(15, 40), (0, 40)],
    33.0,
)
THIN = turned([(0, 0), (150, 0), (150, 2.5), (0, 2.5)], 61.0)
SPIKE = turned([(0, 0), (90, 3), (0, 6)], 140.0)
TINY = turned([(0, 0), (1.5, 0), (1.5, 1.5), (0, 1.5)], 0.0)
CROSS = turned(
    [(20, 0), (35, 0), (35, 20), (55, 20), (55, 35), (35, 35), (35, 55), (20, 55), (20, 35)]
    + [(0, 35), (0, 20), (20, 20)],
    75.0,
)
SHAPES = {
    "l": L_SHAPE,
    "u": U_SHAPE,
    "comb": COMB,
    "thin": THIN,
    "spike": SPIKE,
    "tiny": TINY,
    "cross": CROSS,
}


def enu(lat_deg: float, lon_deg: float) -> np.ndarray:
    return ORIGIN.enu_from_geodetic(np.array([lat_deg, lon_deg, 0.0]))[:2]


def flown(plan: MissionPlan, seed: int = 1) -> np.ndarray:
    """(k, 5) east, north, height, yaw and pitch of the photos of a noisy flight of the items."""
    rng = np.random.default_rng(seed)
    here = np.array([*enu(*AT_HOME), 0.0])
    distance, last, roi = 0.0, here, None
    photos: list[list[float]] = []

    def shoot(place: np.ndarray, course_deg: float) -> None:
        seen = place + rng.normal(0.0, NOISE_M, 3)
        yaw, pitch = course_deg, -90.0
        if roi is not None:
            towards = roi - seen
            yaw = math.degrees(math.atan2(towards[0], towards[1]))
            pitch = math.degrees(math.atan2(towards[2], math.hypot(*towards[:2])))
        photos.append([*seen, yaw, pitch])

    for item in plan.items:
        match item.command:
            case MissionCommand.DO_SET_ROI_LOCATION:
                roi = np.array([*enu(item.lat_deg or 0.0, item.lon_deg or 0.0), item.alt_home_m])
            case MissionCommand.DO_SET_ROI_NONE:
                roi = None
            case MissionCommand.DO_SET_CAM_TRIGG_DIST:
                distance, last = item.params[0], here
                if distance > 0.0 and item.params[2] == 1.0:
                    shoot(here, 0.0)
            case MissionCommand.WAYPOINT:
                end = np.array([*enu(item.lat_deg or 0.0, item.lon_deg or 0.0), item.alt_home_m])
                course = math.degrees(math.atan2(*(end - here)[:2]))
                for share in np.linspace(0.0, 1.0, 2 + int(np.hypot(*(end - here)[:2]) / 0.08)):
                    place = here + share * (end - here)
                    if distance > 0.0 and math.dist(place[:2], last[:2]) >= distance - 1e-6:
                        last = place
                        shoot(place, course)
                here = end
            case _:
                pass
    return np.array(photos)


def points_of(outline: GeoPolygon) -> np.ndarray:
    ring = np.array([enu(*corner) for corner in outline])
    shape = shapely.Polygon(ring)
    left, low, right, high = shape.bounds
    grid = itertools.product(np.linspace(left, right, 25), np.linspace(low, high, 25))
    inside = [point for point in grid if shape.covers(shapely.Point(point))]
    edge = [shape.exterior.interpolate(s, normalized=True).coords[0] for s in np.linspace(0, 1, 40)]
    return np.vstack([ring, *([inside] if inside else []), edge])


def counts(
    photos: np.ndarray, points: np.ndarray, heights: np.ndarray, camera: CameraSpec
) -> np.ndarray:
    half = (
        camera.sensor_width_mm / 2 / camera.focal_mm,
        camera.sensor_height_mm / 2 / camera.focal_mm,
    )
    seen = np.zeros(len(points), dtype=int)
    for e, n, h, yaw, pitch in photos:
        offset = (points[:, 0] - e, points[:, 1] - n, heights - h)
        right, up, depth = ray((yaw, pitch), offset)  # type: ignore[arg-type]
        seen += (depth > 0) & (np.abs(right) <= half[0] * depth) & (np.abs(up) <= half[1] * depth)
    return seen


def held(plan: MissionPlan, camera: CameraSpec, outline: GeoPolygon, hilly: bool) -> None:
    photos = flown(plan)
    points = points_of(outline)
    base = height_of(hill, *AT_HOME)
    heights = np.zeros(len(points))
    if hilly:
        geodetic = ORIGIN.geodetic_from_enu(np.column_stack([points, np.zeros(len(points))]))
        heights = np.array([height_of(hill, *place) - base for place in geodetic[:, :2].tolist()])
    assert abs(len(photos) - plan.n_photos) <= max(0.02 * plan.n_photos, 0)
    assert counts(photos, points, heights, camera).min() >= 5
    nadir = photos[photos[:, 4] == -90.0]
    geodetic = ORIGIN.geodetic_from_enu(np.column_stack([nadir[:, :2], np.zeros(len(nadir))]))
    below = [height_of(hill, *p) - base if hilly else 0.0 for p in geodetic[:, :2].tolist()]
    pixel = camera.sensor_width_mm / camera.width_px / camera.focal_mm
    gsd = (nadir[:, 2] - np.array(below)) * pixel
    assert float(np.median(np.abs(gsd / plan.gsd_m - 1.0))) < 0.03
    assert float(np.quantile(np.abs(gsd / plan.gsd_m - 1.0), 0.95)) < 0.05 + 3 * NOISE_M * pixel


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("u", "comb", "cross") else name
        for name in SHAPES
    ],
)
def test_every_shape_is_covered_by_the_photos_of_its_flight(name: str) -> None:
    params = SurveyParams(gsd_m=0.012, orbit=name in ("l", "cross"))
    plan = plan_survey(SHAPES[name], SIMULATED, params, PLACE)
    held(plan, SIMULATED, SHAPES[name], hilly=False)


@pytest.mark.parametrize(
    "name",
    [
        "comb",
        pytest.param("u", marks=pytest.mark.slow),
        pytest.param("thin", marks=pytest.mark.slow),
    ],
)
def test_every_shape_is_covered_over_a_hill_too(name: str, tmp_path: Path) -> None:
    params = SurveyParams(gsd_m=0.02, orbit=False)
    made = Conditions(terrain(tmp_path))
    plan = plan_survey(SHAPES[name], SIMULATED, params, PLACE, made)
    held(plan, SIMULATED, SHAPES[name], hilly=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(30))
def test_random_areas_are_covered_with_either_camera(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 12))
    angles = np.sort(rng.uniform(0.0, 2.0 * np.pi, count))
    radii = rng.uniform(4.0, 60.0, count)
    outline = area(*zip(radii * np.sin(angles), radii * np.cos(angles), strict=True))
    camera = (SIMULATED, MAVIC_3E)[seed % 2]
    params = SurveyParams(
        gsd_m=float(rng.uniform(0.008, 0.02)), crosshatch=bool(seed % 3), orbit=bool(seed % 4 == 0)
    )
    ring = shapely.Polygon([enu(*corner) for corner in outline])
    if not ring.is_valid or ring.area < 1.0:
        with pytest.raises(InputError):
            plan_survey(outline, camera, params, PLACE, STILL)
        return
    plan = plan_survey(outline, camera, params, PLACE)
    held(plan, camera, outline, hilly=False)


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("outline", "says"),
    [
        (((NAN, 4.39), (50.8, 4.39), (50.8, 4.40)), "lat_deg"),
        (((50.8, INF), (50.8, 4.39), (50.8, 4.40)), "lon_deg"),
        (((50.8, 4.39), (50.8, 4.39), (50.8, 4.39)), "3 corners, not 2"),
        (area((0, 0), (10, 10), (10, 0), (0, 10)), "crosses itself"),
        (area((0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5)), "measures 0.2 m²|measures 0.3 m²"),
        (area((0, 0), (6000, 0), (6000, 6000), (0, 6000)), "km²"),
        (((4.39, 50.8), (4.40, 50.8), (4.40, 50.9)), "swapped"),
        (((90.0, 0.0), (89.9, 90.0), (89.9, 180.0)), "swapped"),
    ],
)
def test_outlines_that_cannot_be_surveyed_are_refused_by_name(
    outline: GeoPolygon, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        plan_survey(outline, SIMULATED, SurveyParams(), PLACE)
    assert caught.value.field in ("polygon", "lat_deg", "lon_deg")


@pytest.mark.parametrize("gsd_m", [NAN, INF, 0.0, -0.01, 0.0011, 0.36])
def test_heights_of_nothing_or_half_a_kilometre_are_refused(gsd_m: float) -> None:
    """0.0011 m means flying at 1.5 m, 0.36 m at 499 m."""
    with pytest.raises(InputError, match="gsd_m"):
        plan_survey(L_SHAPE, SIMULATED, SurveyParams(gsd_m=gsd_m), PLACE)
