"""Probability maps: what they say, how they are read, and what a search makes of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.io import MemoryFile

from droneteam.errors import DecodeError, InputError
from droneteam.geo import EnuFrame, FloatArray, GeoPoint
from droneteam.missions.formats.chancefile import chance_map_of
from droneteam.missions.formats.chancemap import (
    chance_map_from_json,
    chance_map_to_json,
    read_chance_map,
)
from droneteam.missions.items import HomePoint, MissionCommand
from droneteam.missions.planjson import plan_from_json, plan_to_json
from droneteam.missions.planner.camera import SIMULATED
from droneteam.missions.planner.chances import (
    ChanceGrid,
    ChanceMap,
    DistanceRings,
    WeightedArea,
    cells_near,
    densest,
    density_per_m2,
    regions,
)
from droneteam.missions.planner.estimate import Wind
from droneteam.missions.planner.lostpersons import CATEGORIES
from droneteam.missions.planner.patterns import search
from droneteam.missions.planner.patterns.effort import Sweep, blocks_of, growth, ordered
from droneteam.missions.planner.patterns.survey import LineSpacing, survey_lines
from droneteam.missions.planner.plan import Conditions, MissionPlan
from droneteam.missions.planner.route import Ground
from droneteam.missions.planner.task_params import SearchParams
from droneteam.missions.planner.tasks import plan_task

HERE = (50.82, 4.40)
HOME = HomePoint(*HERE, 60.0)
GROUND = Ground(EnuFrame(GeoPoint(*HERE)), np.zeros(2))


def places(*metres: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    return tuple((lat, lon) for lat, lon in GROUND.lat_lon(np.array(metres)).tolist())


def square(east: float, north: float, side: float) -> tuple[tuple[float, float], ...]:
    far_e, far_n = east + side, north + side
    return places((east, north), (far_e, north), (far_e, far_n), (east, far_n))


AREA = square(-400.0, -400.0, 800.0)
GSD_M = 0.05
CORNER = ChanceMap(
    "judged",
    (
        WeightedArea("wood", 0.8, square(200.0, 200.0, 180.0)),
        WeightedArea("field", 0.15, square(-390.0, -390.0, 500.0)),
    ),
)
RINGS = ChanceMap("rings", rings=DistanceRings(HERE, (100.0, 300.0, 600.0, 2000.0)))


def grid_of(values: list[list[float]]) -> ChanceMap:
    """A grid of 100 m cells whose south-west corner is 400 m from here; rows from the south."""
    south, west = GROUND.lat_lon(np.array([(-400.0, -400.0)]))[0]
    high = 100.0 / 111_195.0
    wide = high / math.cos(math.radians(HERE[0]))
    rows = np.array(values)
    chance = tuple((rows / rows.sum()).ravel().tolist())
    return ChanceMap("grid", grid=ChanceGrid(south, west, high, wide, rows.shape[1], chance))


PEAK = grid_of([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 85], [1, 1, 1, 1]])


def length_m(path: Sequence[FloatArray] | FloatArray) -> float:
    return float(np.sum(np.hypot(*np.diff(np.array(path), axis=0).T)))


def flown(plan: MissionPlan) -> FloatArray:
    """(n, 2) metres of the waypoints."""
    rows = [(i.lat_deg, i.lon_deg) for i in plan.items if i.command is MissionCommand.WAYPOINT]
    return GROUND.metres([(lat or 0.0, lon or 0.0) for lat, lon in rows])


@pytest.mark.parametrize("chances", [CORNER, RINGS, PEAK], ids=["areas", "rings", "grid"])
def test_the_density_over_the_ground_adds_up_to_the_chance_of_the_map(chances: ChanceMap) -> None:
    reach_m, step_m = (2400.0, 13.0) if chances.rings else (410.0, 2.05)
    axis = np.arange(-reach_m, reach_m, step_m)
    all_m = np.column_stack([one.ravel() for one in np.meshgrid(axis, axis)])
    total = density_per_m2(chances, GROUND.lat_lon(all_m)).sum() * step_m**2
    assert total == pytest.approx(chances.total, rel=0.02)


@pytest.mark.parametrize("chances", [CORNER, RINGS, PEAK], ids=["areas", "rings", "grid"])
def test_the_parts_of_a_map_are_the_whole_map(chances: ChanceMap) -> None:
    parts = regions(chances)
    assert sum(region.chance for region, _ in parts) == pytest.approx(chances.total)
    for region, alone in parts:
        assert alone.total == pytest.approx(region.chance)
    path = np.array([(-2400.0, -2400.0), (2400.0, 2400.0)])
    whole = cells_near(chances, GROUND, path, 200.0).chance.sum()
    apart = sum(cells_near(alone, GROUND, path, 200.0).chance.sum() for _, alone in parts)
    assert apart == pytest.approx(whole, rel=0.03)


def test_a_ring_holds_what_the_table_says_and_nothing_lies_beyond_the_last() -> None:
    rings = RINGS.rings
    assert rings is not None
    rng = np.random.default_rng(4)
    share = rng.random(20_000)
    inner, outer = np.array((0.0, *rings.within_m[:-1])), np.array(rings.within_m)
    for low, high, wanted in zip(inner, outer, np.diff((0.0, *rings.shares)), strict=True):
        away = np.sqrt(low**2 + share * (high**2 - low**2))
        turn = 2.0 * np.pi * rng.random(len(away))
        spots = np.column_stack([away * np.sin(turn), away * np.cos(turn)])
        density = density_per_m2(RINGS, GROUND.lat_lon(spots))
        assert density.mean() * math.pi * (high**2 - low**2) == pytest.approx(wanted, rel=0.01)
    beyond = GROUND.lat_lon(np.array([(0.0, 2010.0)]))
    assert density_per_m2(RINGS, beyond)[0] == 0.0


def test_a_small_area_beside_a_wide_strip_is_neither_missed_nor_counted_twice() -> None:
    shed = ChanceMap("shed", (WeightedArea("shed", 0.5, square(33.0, 41.0, 6.0)),))
    cells = cells_near(shed, GROUND, np.array([(0.0, 0.0), (500.0, 0.0)]), 120.0)
    assert cells.chance.sum() == pytest.approx(0.5)
    assert np.all(np.abs(cells.centres_m - (36.0, 44.0)) < 3.1)


def test_a_hole_holds_no_chance() -> None:
    ring = WeightedArea("ring", 1.0, square(-100.0, -100.0, 200.0), (square(-50.0, -50.0, 100.0),))
    chances = ChanceMap("hole", (ring,))
    middle, edge = GROUND.lat_lon(np.array([(0.0, 0.0), (75.0, 0.0)]))
    density = density_per_m2(chances, np.array([middle, edge]))
    assert density[0] == 0.0
    assert density[1] == pytest.approx(1.0 / (200.0**2 - 100.0**2), rel=1e-3)


def test_the_densest_place_is_found_in_every_kind_of_map() -> None:
    np.testing.assert_allclose(densest(RINGS), HERE)
    assert shapely.Polygon(CORNER.areas[0].outline).contains(shapely.Point(densest(CORNER)))
    east, north = GROUND.metres([densest(PEAK)])[0]
    assert (east, north) == pytest.approx((-50.0, -150.0), abs=2.0)


def test_the_chance_of_a_search_over_areas_is_that_of_throwing_persons_at_random() -> None:
    """A Monte-Carlo search: persons are placed, the path passes, each pass detects at random."""
    params = SearchParams("parallel_track", gsd_m=GSD_M, chances=CORNER, detection=0.7)
    plan = plan_task(AREA, SIMULATED, params, HOME)
    assert plan.search is not None
    path = flown(plan)
    sweep_m = (1.0 - params.overlap) * SIMULATED.footprint_m(params.gsd_m)[0]
    rng = np.random.default_rng(11)
    found = total = 0.0
    for area in CORNER.areas:
        corners = GROUND.metres(area.outline)
        spots = corners.min(axis=0) + rng.random((2000, 2)) * np.ptp(corners, axis=0)
        discs = shapely.buffer(shapely.points(spots), 0.5 * sweep_m, quad_segs=16)
        legs = (shapely.LineString(leg) for leg in itertools.pairwise(path) if length_m(leg) > 0)
        inside_m = sum(shapely.length(shapely.intersection(discs, leg)) for leg in legs)
        mean = params.detection * sweep_m * inside_m / shapely.area(discs)
        passes = rng.poisson(mean)
        found += area.chance * float(np.mean(passes > 0))
        total += area.chance
    assert total == pytest.approx(CORNER.total)
    assert plan.chance_of_finding == pytest.approx(found, abs=0.03)
    assert sum(one.found for one in plan.search.regions) == pytest.approx(
        plan.chance_of_finding, abs=0.01
    )


def lines_over(side_m: float, sweep_m: float) -> FloatArray:
    half = 0.5 * side_m
    corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
    lead = LineSpacing(-0.5 * sweep_m, 0.0)
    return survey_lines(corners, LineSpacing(sweep_m, 1.0), 90.0, lead)


def test_blocks_are_the_same_lines_cut_into_pieces() -> None:
    lines = lines_over(900.0, 60.0)
    blocks = blocks_of(lines)
    assert len(blocks) > 4
    pieces = [shapely.LineString(piece) for block in blocks for piece in block]
    whole = shapely.MultiLineString([shapely.LineString(line) for line in lines])
    assert sum(piece.length for piece in pieces) == pytest.approx(whole.length, rel=1e-9)
    left = shapely.difference(whole, shapely.buffer(shapely.MultiLineString(pieces), 0.01))
    assert left.length < 1.0


@pytest.mark.parametrize("seed", range(4))
def test_no_order_finds_a_person_later_than_plain_lines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sweep = Sweep(100.0, 8.0, 0.8)
    centres = rng.uniform(-400.0, 400.0, (60, 2))
    chance = rng.exponential(1.0, 60) ** 2
    where = search.ProbabilityMap(centres, chance / chance.sum(), 100.0)
    home, lines = rng.uniform(-600.0, 600.0, 2), lines_over(800.0, 100.0)
    plain = [one.reshape(-1, 2) for one in (lines, lines[::-1], lines[:, ::-1], lines[::-1, ::-1])]
    paths = [ordered(lines, home, where, sweep).path_m, *plain]
    end_m = max(length_m(np.vstack([home, path, home])) for path in paths)
    at_m = np.linspace(0.0, end_m, 4000)
    means = [np.interp(at_m, *growth(path, home, where, sweep).T).mean() for path in paths]
    assert means[0] >= max(means[1:]) - 1e-3
    assert means[0] >= 1.03 * max(means[1:]), "an uneven map is worth an order of its own"


def test_a_map_that_knows_the_corner_is_searched_from_there_and_finds_sooner() -> None:
    params = SearchParams("parallel_track", gsd_m=GSD_M, chances=CORNER)
    knowing = plan_task(AREA, SIMULATED, params, HOME).search
    path = flown(plan_task(AREA, SIMULATED, params, HOME))
    assert knowing is not None
    assert knowing.by_blocks
    assert np.all(path[0] > 100.0), "the wood in the north-east comes first"
    without = plan_task(
        AREA, SIMULATED, SearchParams("parallel_track", gsd_m=GSD_M, sigma_m=75.0), HOME
    )
    where = cells_near(CORNER, GROUND, flown(without), 50.0)
    sweep_m = 0.8 * SIMULATED.footprint_m(GSD_M)[0]
    rows = growth(flown(without), np.zeros(2), where, Sweep(sweep_m, 8.0, 0.8))
    plain_half_s = np.interp(0.5 * rows[-1, 1], rows[:, 1], rows[:, 0]) / 8.0
    assert knowing.half_s < 0.6 * plain_half_s


def test_the_chance_over_time_never_falls_and_ends_at_the_chance_of_the_plan() -> None:
    plan = plan_task(
        AREA, SIMULATED, SearchParams("parallel_track", gsd_m=GSD_M, chances=PEAK), HOME
    )
    assert plan.search is not None
    times, chances = np.array(plan.search.over_time).T
    assert np.all(np.diff(times) > 0.0)
    assert np.all(np.diff(chances) >= 0.0)
    assert chances[-1] == pytest.approx(plan.chance_of_finding, abs=1e-4)
    assert times[-1] < plan.duration_s, "the way home finds nobody"
    assert 0.5 * chances[-1] <= np.interp(plan.search.half_s, times, chances) <= chances[-1]


@pytest.mark.parametrize("wind", [Wind(), Wind(8.0, None)], ids=["still", "against"])
def test_a_bound_on_minutes_holds_and_keeps_the_densest(wind: Wind) -> None:
    params = SearchParams("parallel_track", gsd_m=GSD_M, chances=CORNER, max_minutes=6.0)
    plan = plan_task(AREA, SIMULATED, params, HOME, Conditions(wind=wind))
    assert 0.6 * 360.0 <= plan.duration_s <= 360.0
    assert plan.search is not None
    found = {one.name: one.found / one.chance for one in plan.search.regions}
    assert found["wood"] > 0.4
    assert found["wood"] > 2.0 * found["field"]


def test_an_area_out_of_reach_in_its_minutes_is_refused_by_name() -> None:
    far = square(3000.0, 3000.0, 300.0)
    params = SearchParams("parallel_track", max_minutes=3.0)
    with pytest.raises(InputError, match="3 min: take off nearer") as refused:
        plan_task(far, SIMULATED, params, HOME)
    assert refused.value.field == "max_minutes"


@pytest.mark.parametrize("pattern", ["expanding_square", "sector"])
def test_a_pattern_about_a_place_counts_its_chance_on_the_map(pattern: Any) -> None:
    here = plan_task([HERE], SIMULATED, SearchParams(pattern, chances=RINGS), HOME)
    elsewhere = plan_task(places((700.0, 700.0)), SIMULATED, SearchParams(pattern), HOME)
    off = plan_task(places((700.0, 700.0)), SIMULATED, SearchParams(pattern, chances=RINGS), HOME)
    assert here.chance_of_finding is not None
    assert off.chance_of_finding is not None
    assert elsewhere.chance_of_finding is not None
    assert off.chance_of_finding < 0.1 * here.chance_of_finding
    assert elsewhere.chance_of_finding > 0.3, "without a map the pattern supposes its own place"
    assert here.search is not None
    assert here.search.regions[0].name == "0 – 100 m"


@pytest.mark.parametrize("chances", [CORNER, RINGS, PEAK], ids=["areas", "rings", "grid"])
def test_a_map_survives_the_plan_and_its_own_json(chances: ChanceMap) -> None:
    assert chance_map_from_json(json.loads(json.dumps(chance_map_to_json(chances)))) == chances
    plan = plan_task(
        AREA, SIMULATED, SearchParams("parallel_track", gsd_m=GSD_M, chances=chances), HOME
    )
    stored = json.loads(json.dumps(plan_to_json(plan)))
    assert plan_from_json(stored) == plan
    assert plan.search is not None
    assert plan.search.chances == chances


def collection(*features: tuple[str, Any, dict[str, Any]]) -> str:
    return json.dumps(
        {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "geometry": {"type": kind, "coordinates": coordinates},
                    "properties": properties,
                }
                for kind, coordinates, properties in features
            ],
        }
    )


def lon_lat(ring: tuple[tuple[float, float], ...]) -> list[list[float]]:
    return [[lon, lat] for lat, lon in (*ring, ring[0])]


def test_geojson_weights_are_chances_up_to_one_and_shares_above() -> None:
    one, other = lon_lat(square(0, 0, 100)), lon_lat(square(200, 0, 100))
    parts = read_chance_map(
        collection(
            ("Polygon", [one], {"poa": 0.5, "name": "A"}),
            ("Polygon", [other], {"poa": 0.3, "title": "B"}),
        ),
        "file",
    )
    assert [(area.name, area.chance) for area in parts.areas] == [("A", 0.5), ("B", 0.3)]
    percent = read_chance_map(
        collection(("Polygon", [one], {"weight": 60}), ("Polygon", [other], {"weight": 20})), "file"
    )
    assert [area.chance for area in percent.areas] == pytest.approx([0.75, 0.25])
    assert percent.areas[1].name == "area 2"


def test_the_parts_of_a_multipolygon_share_its_weight_by_size() -> None:
    small, large = lon_lat(square(0, 0, 100)), lon_lat(square(300, 0, 200))
    found = read_chance_map(collection(("MultiPolygon", [[small], [large]], {"chance": 0.5})), "f")
    assert [area.chance for area in found.areas] == pytest.approx([0.1, 0.4], rel=1e-3)


def test_a_point_with_a_category_becomes_that_categorys_rings() -> None:
    point = [HERE[1], HERE[0]]
    found = read_chance_map(collection(("Point", point, {"category": "dementia_town"})), "f")
    assert found.rings is not None
    assert found.rings.place == HERE
    assert found.rings.within_m == (320.0, 1130.0, 3220.0, 12550.0)
    typed = read_chance_map(
        collection(("Point", point, {"within_m": [50, 90], "shares": [0.5, 0.9]})), "f"
    )
    assert typed.rings is not None
    assert (typed.rings.within_m, typed.total) == ((50.0, 90.0), 0.9)


def test_every_category_has_growing_distances() -> None:
    for name, category in CATEGORIES.items():
        assert DistanceRings(HERE, category.within_m).within_m[0] >= 90.0, name


POLYGON = ("Polygon", [lon_lat(square(0, 0, 100))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ('{"type": "Feature"}', "no GeoJSON FeatureCollection"),
        (collection((*POLYGON, {})), "feature 1: no weight"),
        (collection((*POLYGON, {"poa": "NaN"})), "weight nan must be 0 or more"),
        (collection((*POLYGON, {"poa": -1})), "weight -1.0 must be 0 or more"),
        (collection((*POLYGON, {"poa": 0})), "add up to 0"),
        (collection(("LineString", [[4, 50], [5, 50]], {"poa": 1})), "a LineString is no part"),
        (collection(("Point", [4.4, 50.8], {})), "feature 1: the point has no within_m"),
        (
            collection(("Point", [4.4, 50.8], {"within_m": [9, 5]}), (*POLYGON, {"poa": 1})),
            "2 distances for 4 shares",
        ),
        (
            collection(
                ("Point", [4.4, 50.8], {"within_m": [9, 5], "shares": [0.1, 0.2]}),
            ),
            "distances 9, 5 m must grow",
        ),
        (
            collection(
                ("Point", [4.4, 50.8], {"within_m": [9, 95, 99, 100]}), (*POLYGON, {"poa": 1})
            ),
            "not both",
        ),
        (collection(("Polygon", [[[4, 50], [5, 50]]], {"poa": 1})), "the area is empty"),
        (collection(("Polygon", [[[4, 500], [5, 50], [5, 51]]], {"poa": 1})), "500"),
        ('{"source": "x"}', "areas, rings or a grid"),
        (
            '{"source": "x", "grid": {"south_deg": 50, "west_deg": 4, "cell_lat_deg": 0.1,'
            ' "cell_lon_deg": 0.1, "columns": 2, "chance": [1, 0, 0]}}',
            "no whole rows of 2",
        ),
        (
            '{"source": "x", "grid": {"south_deg": 50, "west_deg": 4, "cell_lat_deg": 0.1,'
            ' "cell_lon_deg": 0.1, "columns": 1, "chance": [0.5, NaN]}}',
            "cell 2: chance nan",
        ),
    ],
)
def test_a_bad_map_is_refused_by_what_is_wrong_with_it(text: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        read_chance_map(text, "map.geojson")


def geotiff(values: FloatArray, crs: str | None, west: float, north: float, cell: float) -> bytes:
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=values.shape[1],
            height=values.shape[0],
            count=1,
            dtype=str(values.dtype),
            crs=crs,
            transform=rasterio.Affine(cell, 0.0, west, 0.0, -cell, north),
            nodata=-9999.0 if values.dtype.kind == "f" else None,
        ) as made:
            made.write(values, 1)
        return bytes(memory.read())


def test_a_raster_in_a_projection_keeps_its_chance_and_its_places() -> None:
    rng = np.random.default_rng(3)
    values = rng.uniform(0.0, 1.0, (120, 90))
    values[:5] = -9999.0
    values[30:34, 70:74] = 400.0
    data = geotiff(values, "EPSG:31370", 152_000.0, 168_000.0, 10.0)
    chances = chance_map_of("poa.tif", data)
    assert chances.total == pytest.approx(1.0, abs=1e-4)
    grid = chances.grid
    assert grid is not None
    to_wgs84 = rasterio.warp.transform("EPSG:31370", "EPSG:4326", [152_720.0], [167_680.0])
    lat, lon = densest(chances)
    off = EnuFrame(GeoPoint(to_wgs84[1][0], to_wgs84[0][0])).enu_from_geodetic(
        np.array([lat, lon, 0.0])
    )
    assert np.hypot(*off[:2]) < 35.0
    hot = values[30:34, 70:74].sum() / values[values > 0.0].sum()
    near = np.array([(lat, lon)])
    assert density_per_m2(chances, near)[0] == pytest.approx(hot / 1600.0, rel=0.35)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (geotiff(np.zeros((4, 4)), "EPSG:31370", 152_000.0, 168_000.0, 10.0), "no pixel has"),
        (geotiff(np.ones((4, 4)), None, 9.0, 9.0, 1.0), "coordinate reference system"),
        (geotiff(np.ones((9, 9)), "EPSG:4326", 1.0, 50.0, 1.0), "crop it"),
        (b"II*\0nothing", "not a readable GeoTIFF"),
        (b"\xff\xfe\xfd", "neither a GeoTIFF nor text"),
    ],
)
def test_a_bad_raster_is_refused_by_what_it_lacks(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        chance_map_of("poa.tif", data)


@pytest.mark.parametrize(
    "blocks",
    [
        {"blockxsize": 65_536, "blockysize": 65_536},
        {"count": 60, "blockxsize": 2048, "blockysize": 2048},
    ],
)
def test_a_small_picture_in_blocks_that_fill_all_memory_is_refused_unread(
    tmp_path: Path, blocks: dict[str, int]
) -> None:
    """A thousand bytes on disk: one tile of 34 GB, or tiles of sixty bands, 2 GB each."""
    path = tmp_path / "poa.tif"
    with rasterio.open(
        path, "w", driver="GTiff", width=4096, height=4096, dtype="float64", crs="EPSG:31370",
        transform=rasterio.Affine(1.0, 0.0, 152_000.0, 0.0, -1.0, 168_000.0), sparse_ok=True,
        BIGTIFF="YES", interleave="pixel", tiled=True, **{"count": 1, **blocks},
    ):  # fmt: skip
        pass
    assert path.stat().st_size < 200_000
    with pytest.raises(DecodeError, match=r"poa\.tif: blocks of \d+ × \d+ cells take \d+ MB each"):
        chance_map_of("poa.tif", path.read_bytes())


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_map_or_are_refused(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert chance_map_of("x", data).total > 0.0


def test_a_raster_of_one_pixel_is_a_map() -> None:
    data = geotiff(np.full((1, 1), 7.0), "EPSG:31370", 152_000.0, 168_000.0, 500.0)
    chances = chance_map_of("one.tif", data)
    assert chances.grid is not None
    assert chances.total == pytest.approx(1.0)
