"""Terrain rasters and flights over them, against the shapes the rasters were made from."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine
from scipy import ndimage

from droneteam.errors import DecodeError, InputError
from droneteam.missions.items import MissionCommand
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.heights import AltAgl, AltAmsl, AltHome, VerticalDatum
from droneteam.missions.planner.plan import Conditions, MissionPlan, SurveyParams, plan_survey
from droneteam.missions.planner.relief import FOLLOW_SHARE, _needed
from droneteam.missions.planner.task_params import (
    CorridorParams,
    FacadeParams,
    FreeParams,
    OverwatchParams,
    SearchParams,
    TaskParams,
)
from droneteam.missions.planner.tasks import plan_task
from droneteam.missions.planner.terrain import ground_amsl, home_height
from droneteam.missions.planner.terrainfile import TerrainFile, check_terrain, read_terrain
from tests.missions.conftest import ORIGIN, PLACE, SCENE, area
from tests.missions.relief_world import MIDDLE, TO_UTM, height_of, hill, raster, ray, terrain, write

HILLSIDE = area((10.0, -30.0), (110.0, -30.0), (110.0, 60.0), (10.0, 60.0))
PARAMS = SurveyParams(gsd_m=0.02, orbit=False, crosshatch=False)
AT_HOME = (PLACE.lat_deg, PLACE.lon_deg)


def enu(lat_deg: float, lon_deg: float) -> np.ndarray:
    return ORIGIN.enu_from_geodetic(np.array([lat_deg, lon_deg, 0.0]))[:2]


def on_grid(lat_deg: float, lon_deg: float) -> tuple[float, float]:
    """Metres of the raster's own grid about its middle."""
    x, y = TO_UTM.transform(lon_deg, lat_deg)
    return x - MIDDLE[0], y - MIDDLE[1]


def over_the_hill(folder: Path, params: SurveyParams = PARAMS) -> MissionPlan:
    return plan_survey(HILLSIDE, SIMULATED, params, PLACE, Conditions(terrain(folder)))


def test_heights_between_cells_are_those_of_the_plane_they_were_made_from(tmp_path: Path) -> None:
    made = terrain(tmp_path, lambda e, n: 80.0 + 0.1 * e - 0.07 * n, cell_m=5.0)
    rng = np.random.default_rng(3)
    places = np.array([AT_HOME]) + rng.uniform(-0.002, 0.002, (200, 2))
    truth = [height_of(lambda e, n: 80.0 + 0.1 * e - 0.07 * n, *p) for p in places.tolist()]
    assert made.ground_m(places) == pytest.approx(truth, abs=1e-4)


def test_outside_the_raster_and_in_its_holes_there_is_no_height(tmp_path: Path) -> None:
    heights = raster(hill, 100.0)
    heights[40:60, 40:60] = np.nan  # about the origin
    path = write(tmp_path / "holed.tif", heights, 2.0)
    made = read_terrain(TerrainFile("holed", path), [AT_HOME])
    origin = (ORIGIN.origin.lat_deg, ORIGIN.origin.lon_deg)
    far = (origin[0] + 0.01, origin[1])
    beside = area((60.0, 60.0))[0]
    found = made.ground_m(np.array([origin, far, beside]))
    assert np.isfinite(found).tolist() == [False, False, True]


def test_a_mission_over_a_hole_is_refused_with_the_first_place(tmp_path: Path) -> None:
    heights = raster(hill)
    heights[200:210, 215:225] = np.nan
    path = write(tmp_path / "holed.tif", heights, 2.0)
    made = read_terrain(TerrainFile("holed", path), HILLSIDE)
    with pytest.raises(InputError, match=r"holed has no height at \d+ of \d+ .* first at 50\.8"):
        plan_survey(HILLSIDE, SIMULATED, PARAMS, PLACE, Conditions(made))


def test_a_raster_elsewhere_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "far.tif", raster(hill, 50.0), 2.0, upper_left=(300_000.0, 5_000_000.0))
    with pytest.raises(InputError, match="far lies elsewhere"):
        read_terrain(TerrainFile("far", path), [AT_HOME])


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"crs": None}, "coordinate reference system"),
        ({"transform": Affine(2.0, 0.5, 0.0, 0.5, -2.0, 0.0)}, "turned or mirrored"),
        ({"transform": Affine(2.0, 0.0, 0.0, 0.0, 2.0, 0.0)}, "turned or mirrored"),
        ({"count": 3, "dtype": "uint8"}, "picture of 3 bands"),
        ({"dtype": "complex64"}, "complex64"),
        ({"transform": Affine(5000.0, 0.0, 0.0, 0.0, -5000.0, 0.0)}, "cells of 5000 m"),
    ],
)
def test_a_file_that_is_no_terrain_says_what_it_lacks(
    tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    form = {
        "driver": "GTiff",
        "width": 4,
        "height": 4,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:32631",
        "transform": Affine(2.0, 0.0, 5e5, 0.0, -2.0, 5.6e6),
    }
    path = tmp_path / "odd.tif"
    with rasterio.open(path, "w", **(form | changes)):
        pass
    with pytest.raises(DecodeError, match=says):
        check_terrain(TerrainFile("odd", path))


def test_a_virtual_raster_in_a_tiffs_clothes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sly.tif"
    path.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    with pytest.raises(DecodeError, match="not a readable GeoTIFF"):
        check_terrain(TerrainFile("sly", path))


def test_a_small_file_whose_one_block_fills_all_memory_is_refused_unread(tmp_path: Path) -> None:
    """60,000 × 60,000 cells of nothing: some hundred bytes on disk, 14 GB once unpacked."""
    path, side = tmp_path / "bomb.tif", 60_000
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=1, dtype="float32",
        crs="EPSG:32631", transform=Affine(0.5, 0.0, 597_000.0, 0.0, -0.5, 5_631_000.0),
        blockysize=side, compress="deflate", sparse_ok=True, BIGTIFF="YES",
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 100_000
    with pytest.raises(DecodeError, match=r"60000 × 60000 cells take 14400 MB each; write it"):
        check_terrain(TerrainFile("bomb", path))
    with pytest.raises(DecodeError, match="14400 MB"):
        read_terrain(TerrainFile("bomb", path), [(50.82, 4.39)])


def test_a_lone_pole_survives_the_joining_of_cells(tmp_path: Path) -> None:
    heights = np.full((400, 400), 50.0)
    heights[217, 303] = 71.0
    path = write(tmp_path / "fine.tif", heights, 0.05)
    made = read_terrain(TerrainFile("fine", path), [AT_HOME])
    assert made.top_m.shape == (80, 80)
    assert made.top_m.max() == 71.0
    assert made.top_m[217 // 5, 303 // 5] == 71.0
    assert made.mean_m.max() == pytest.approx(50.0 + 21.0 / 25.0)


def test_every_photo_over_a_hill_keeps_its_height_above_the_ground_it_shows(
    tmp_path: Path,
) -> None:
    plan = over_the_hill(tmp_path)
    wanted_m = SIMULATED.height_for_gsd(0.02)
    at_home = height_of(hill, *AT_HOME)
    reach = np.linspace(-0.3, 0.3, 7) * wanted_m
    worst = 0.0
    for photo in plan.photo_positions:
        east, north = enu(photo.lat_deg, photo.lon_deg)
        patch = area(*itertools.product(east + reach, north + reach))
        ground = np.mean([height_of(hill, *place) for place in patch]) - at_home
        worst = max(worst, abs(photo.alt_home_m - ground - wanted_m) / wanted_m)
    assert worst < 0.05
    level = plan_survey(HILLSIDE, SIMULATED, PARAMS, PLACE)
    flat = {round(photo.alt_home_m, 3) for photo in level.photo_positions}
    assert flat == {round(wanted_m, 3)}
    assert abs(level.n_photos - plan.n_photos) <= 0.02 * level.n_photos


def test_every_point_of_the_hillside_lies_in_five_photos_counted_ray_by_ray(
    tmp_path: Path,
) -> None:
    plan = over_the_hill(tmp_path)
    at_home = height_of(hill, *AT_HOME)
    points = area(*itertools.product(np.linspace(10.0, 110.0, 9), np.linspace(-30.0, 60.0, 9)))
    photos = [(enu(p.lat_deg, p.lon_deg), p) for p in plan.photo_positions]
    half_x = SIMULATED.width_px / 2.0 / SIMULATED.focal_px
    half_y = SIMULATED.height_px / 2.0 / SIMULATED.focal_px
    counts = []
    for place in points:
        east, north = enu(*place)
        ground = height_of(hill, *place) - at_home
        seen = 0
        for at, photo in photos:
            offset = (float(east - at[0]), float(north - at[1]), ground - photo.alt_home_m)
            right, up, depth = ray((photo.yaw_deg, photo.pitch_deg), offset)
            seen += depth > 0 and abs(right) <= half_x * depth and abs(up) <= half_y * depth
        counts.append(seen)
    assert min(counts) >= 5
    assert plan.min_views >= 5


def test_the_vertical_datum_of_the_raster_cancels_out(tmp_path: Path) -> None:
    plan = over_the_hill(tmp_path)
    shifted = terrain(tmp_path, lambda e, n: hill(e, n) + 43.7, datum=VerticalDatum.ELLIPSOID)
    same = plan_survey(HILLSIDE, SIMULATED, PARAMS, PLACE, Conditions(shifted))
    for a, b in zip(plan.photo_positions, same.photo_positions, strict=True):
        assert a.alt_home_m == pytest.approx(b.alt_home_m, abs=2e-4)


def test_the_profile_finds_the_least_clearance_that_brute_force_finds(tmp_path: Path) -> None:
    def posts(e: np.ndarray, n: np.ndarray) -> np.ndarray:
        stands = (np.abs(e - 41.0) < 1.0) & (np.abs(n + 9.0) < 1.0)
        return hill(e, n) + np.where(stands, 17.0, 0.0)

    made = terrain(tmp_path, posts)
    plan = plan_survey(HILLSIDE, SIMULATED, PARAMS, PLACE, Conditions(made))
    path = [(*on_grid(*AT_HOME), plan.items[0].alt_home_m or 0.0)]
    for item in plan.items:
        if item.command is MissionCommand.WAYPOINT:
            place = on_grid(item.lat_deg or 0.0, item.lon_deg or 0.0)
            path.append((*place, item.alt_home_m or 0.0))
    path.append((*on_grid(*AT_HOME), path[-1][2]))
    heights, cell = raster(posts), 2.0
    x, y = np.meshgrid(np.arange(400) * cell - 399.0, 399.0 - np.arange(400) * cell)
    least = np.inf
    at_home = height_of(posts, *AT_HOME)
    for start, end in itertools.pairwise(np.array(path)):
        for share in np.linspace(0.0, 1.0, max(2, int(np.hypot(*(end - start)[:2]) / 1.0))):
            e, n, alt = start + share * (end - start)
            near = (np.abs(x - e) <= 1.5 * cell) & (np.abs(y - n) <= 1.5 * cell)
            if near.any():
                least = min(least, alt - (heights[near].max() - at_home))
    assert plan.min_clearance_m == pytest.approx(least, abs=0.3)
    assert plan.min_clearance_m is not None
    assert plan.min_clearance_m < SIMULATED.height_for_gsd(0.02) - 10.0
    assert plan.profile[0].distance_m == 0.0
    assert plan.profile[-1].distance_m <= plan.length_m


@pytest.mark.parametrize(
    ("places", "params", "agl"),
    [
        (area((-40, 0), (90, 20)), CorridorParams(gsd_m=0.02), (24.0, 31.0)),
        (HILLSIDE, SearchParams("parallel_track", gsd_m=0.03), (37.0, 46.0)),
        (area((60, 20)), OverwatchParams(area((40, 0))[0], alt_agl_m=40.0), (39.9, 40.1)),
        (area((60, 20), (0, 0)), FreeParams(alt_agl_m=(30.0,)), (29.9, 30.1)),
    ],
)
def test_every_pattern_follows_the_ground(
    tmp_path: Path,
    places: tuple[tuple[float, float], ...],
    params: TaskParams,
    agl: tuple[float, float],
) -> None:
    plan = plan_task(places, SIMULATED, params, PLACE, Conditions(terrain(tmp_path)))
    at_home = height_of(hill, *AT_HOME)
    moves = (MissionCommand.WAYPOINT, MissionCommand.LOITER_TIME)
    for item in plan.items:
        if item.command in moves:
            ground = height_of(hill, item.lat_deg or 0.0, item.lon_deg or 0.0) - at_home
            assert agl[0] <= (item.alt_home_m or 0.0) - ground <= agl[1]
    assert plan.terrain == "hill (DSM, geoid)"


def test_a_facade_counts_its_rows_from_the_highest_ground_before_the_wall(tmp_path: Path) -> None:
    wall = area((20.0, 0.0), (60.0, 0.0))
    params = FacadeParams(gsd_m=0.01, bottom_m=3.0, top_m=9.0)
    plan = plan_task(wall, SIMULATED, params, PLACE, Conditions(terrain(tmp_path)))
    at_home = height_of(hill, *AT_HOME)
    grounds = [height_of(hill, p.lat_deg, p.lon_deg) - at_home for p in plan.photo_positions]
    heights = [photo.alt_home_m for photo in plan.photo_positions]
    assert min(heights) == pytest.approx(max(grounds) + 3.0, abs=0.05)
    assert max(heights) == pytest.approx(max(grounds) + 9.0, abs=0.05)


def test_heights_of_each_kind_are_carried_over_and_never_confused(tmp_path: Path) -> None:
    made = terrain(tmp_path)
    (top,) = area((60.0, 20.0))
    rise = height_of(hill, *top) - height_of(hill, *AT_HOME)
    assert home_height(AltHome(30.0), *top, PLACE, made).metres == 30.0
    assert home_height(AltAgl(30.0), *top, PLACE, made).metres == pytest.approx(
        30.0 + rise, abs=0.05
    )
    assert home_height(AltAmsl(100.0), *top, PLACE, None).metres == pytest.approx(100.0 - 56.4)
    assert AltHome(10.0).amsl(PLACE) == AltAmsl(66.4)
    with pytest.raises(InputError, match="above the ground needs a terrain"):
        home_height(AltAgl(30.0), *top, PLACE, None)
    with pytest.raises(TypeError):
        AltHome(1.0) + AltAgl(2.0)  # type: ignore[operator]
    with pytest.raises(InputError, match="alt_agl_m nan"):
        AltAgl(float("nan"))


@pytest.mark.parametrize(
    ("datum", "separation", "shift"),
    [
        (VerticalDatum.GEOID, None, 0.0),
        (VerticalDatum.TAW, None, -2.33),
        (VerticalDatum.ELLIPSOID, 45.2, -45.2),
    ],
)
def test_a_terrains_heights_above_sea_level_go_through_its_datum(
    tmp_path: Path, datum: VerticalDatum, separation: float | None, shift: float
) -> None:
    made = replace(terrain(tmp_path, datum=datum), geoid_separation_m=separation)
    truth = height_of(hill, *AT_HOME) + shift
    assert ground_amsl(made, *AT_HOME).metres == pytest.approx(truth, abs=0.02)


@pytest.mark.parametrize("datum", [VerticalDatum.UNKNOWN, VerticalDatum.ELLIPSOID])
def test_without_a_known_datum_there_is_no_height_above_sea_level(
    tmp_path: Path, datum: VerticalDatum
) -> None:
    with pytest.raises(InputError, match="vertical datum"):
        ground_amsl(terrain(tmp_path, datum=datum), *AT_HOME)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        (FreeParams(alt_agl_m=(30.0,)), "needs a terrain"),
        (FreeParams(alt_amsl_m=(56.4,)), "0.0 m above the ground"),
        (FreeParams(alt_amsl_m=(556.4,)), "500.0 m above the ground"),
    ],
)
def test_heights_that_cannot_be_flown_are_refused(params: TaskParams, says: str) -> None:
    with pytest.raises(InputError, match=says):
        plan_task(SCENE, SIMULATED, params, PLACE)


@pytest.mark.parametrize("value", [0.0, 500.0, float("nan"), float("inf"), -5.0])
def test_no_kind_of_height_takes_nonsense(value: float) -> None:
    for kind in ("alt_home_m", "alt_agl_m"):
        with pytest.raises(InputError, match=kind):
            FreeParams(**{kind: (value,)})
        with pytest.raises(InputError, match=kind):
            OverwatchParams((50.0, 4.0), **{kind: value})


def test_two_kinds_of_height_at_once_are_refused() -> None:
    with pytest.raises(InputError, match="alt_home_m and alt_agl_m"):
        FreeParams(alt_home_m=(30.0,), alt_agl_m=(30.0,))


def test_level_ground_and_a_terrain_at_once_are_refused(tmp_path: Path) -> None:
    params = replace(PARAMS, ground_alt_home_m=4.0)
    with pytest.raises(InputError, match="level ground, and a terrain"):
        plan_survey(HILLSIDE, SIMULATED, params, PLACE, Conditions(terrain(tmp_path)))


@settings(max_examples=60, deadline=None)
@given(
    heights=st.lists(st.floats(-50.0, 50.0), min_size=2, max_size=60),
    tolerance=st.floats(0.1, 5.0),
)
def test_the_corners_kept_hold_the_line_within_the_tolerance(
    heights: list[float], tolerance: float
) -> None:
    wished = np.array(heights)
    along = np.arange(len(wished), dtype=float)
    corner = np.zeros(len(wished), dtype=bool)
    corner[[0, -1]] = True
    kept = corner | _needed(along, wished, corner, tolerance)
    flown = np.interp(along, along[kept], wished[kept])
    assert np.max(np.abs(flown - wished)) <= tolerance + 1e-9


def test_a_hill_takes_few_more_waypoints_than_level_ground(tmp_path: Path) -> None:
    plan = over_the_hill(tmp_path)
    level = plan_survey(HILLSIDE, SIMULATED, PARAMS, PLACE)
    assert len(level.items) < len(plan.items) < 3 * len(level.items)
    assert 0.0 < FOLLOW_SHARE < 0.05


def test_a_smoothed_surface_of_joined_cells_is_that_of_every_cell(tmp_path: Path) -> None:
    """Joining before smoothing is a short cut: what it costs is told against scipy on all cells."""
    fine = terrain(tmp_path, lambda e, n: hill(e, n) + np.sin(e / 3.0) * np.cos(n / 2.0))
    sigma = 8.0
    rows, columns = fine.mean_m.shape
    whole = ndimage.gaussian_filter(fine.mean_m.astype(float), sigma)
    row, column = np.mgrid[rows // 4 : 3 * rows // 4 : 7, columns // 4 : 3 * columns // 4 : 7]
    left, top = fine.origin
    x, y = left + (column + 0.5) * fine.cell[0], top - (row + 0.5) * fine.cell[1]
    lon, lat = TO_UTM.transform(x.ravel(), y.ravel(), direction="INVERSE")
    short = fine.smoothed(sigma).ground_m(np.column_stack([lat, lon]))
    off = np.abs(short - whole[row, column].ravel())
    assert np.isfinite(short).all()
    assert off.max() < 0.15
    assert off.mean() < 0.05


@pytest.mark.parametrize("cells", [1, 2, 3, 7])
def test_joined_cells_keep_their_mean_and_their_highest_value(tmp_path: Path, cells: int) -> None:
    fine = terrain(tmp_path, hill)
    holes = fine.mean_m.copy()
    holes[3:9, 5:40] = np.nan
    fine = replace(fine, mean_m=holes, top_m=holes + 0.5)
    joined = fine.coarser(cells)
    rows, columns = joined.mean_m.shape
    assert rows == -(-holes.shape[0] // cells)
    for row in range(0, rows, max(1, rows // 9)):
        for column in range(0, columns, max(1, columns // 9)):
            block = holes[row * cells : (row + 1) * cells, column * cells : (column + 1) * cells]
            known = block[np.isfinite(block)]
            if not len(known):
                assert np.isnan(joined.mean_m[row, column])
                assert np.isnan(joined.top_m[row, column])
                continue
            assert joined.mean_m[row, column] == pytest.approx(known.mean(), abs=1e-3)
            assert joined.top_m[row, column] == pytest.approx(known.max() + 0.5, abs=1e-4)
