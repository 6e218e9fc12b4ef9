"""The coverage map counts what independent projection counts, and its words say where holes are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.photogrammetry.scene import (
    Accuracy,
    Camera,
    CameraNetwork,
    Frame,
    SparseCloud,
    View,
)
from droneteam.photogrammetry.surface.overlap import (
    COVERAGE_STEP,
    Advice,
    Coverage,
    CoverageMap,
    Hole,
    advise,
    coverage_map,
    few_words,
    summarise,
)
from droneteam.photogrammetry.surface.rasters import MEASURED, NO_DATA, Grid, Raster
from droneteam.photogrammetry.surface.surface_files import (
    load_coverage_summary,
    save_coverage_summary,
)
from tests.photogrammetry.networks import looking

HEIGHT_M = 30.0
CAMERA = Camera("PINHOLE", 800, 600, (600.0, 600.0, 400.0, 300.0))
"""From 30 m a photo shows 40 m by 30 m."""
NOWHERE = SparseCloud(
    np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(1, np.int64),
    np.zeros(0, np.int32), np.zeros((0, 2)),
)  # fmt: skip


def network(poses: list[np.ndarray]) -> CameraNetwork:
    views = tuple(
        View(f"{index:02d}.jpg", Path(f"{index:02d}.jpg"), CAMERA, pose)
        for index, pose in enumerate(poses)
    )
    frame = Frame("local", None, "none", metric=True)
    return CameraNetwork(views, NOWHERE, frame, Accuracy(0.5, "none", True))


def block(missing: tuple[tuple[int, int], ...] = ()) -> CameraNetwork:
    """Nadir photos every 6 m east and 6 m north over 60 m by 60 m, without some of them."""
    return network(
        [
            looking(np.array([6.0 * i, 6.0 * j, HEIGHT_M]), 0.0, -90.0)
            for i in range(11)
            for j in range(11)
            if (i, j) not in missing
        ]
    )


def flat(west: float, north: float, width_m: float, height_m: float, gsd: float = 0.5) -> Raster:
    grid = Grid(west, north, gsd, round(width_m / gsd), round(height_m / gsd))
    shape = (grid.height, grid.width)
    return Raster(
        grid,
        np.zeros(shape, np.float32),
        np.full(shape, MEASURED, np.uint8),
        np.full(shape, 0.01, np.float32),
    )


def footprints(found: CameraNetwork, grid: Grid) -> np.ndarray:
    """Photos per cell centre on flat ground, from the photos' rectangles on the ground alone."""
    east, north = np.meshgrid(*grid.centres())
    counts = np.zeros(east.shape, int)
    for view in found.views:
        centre = view.centre_enu_m
        counts += (np.abs(east - centre[0]) < 20.0) & (np.abs(north - centre[1]) < 15.0)
    return counts


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]])


# --- counting ---------------------------------------------------------------------------------


def test_every_cell_counts_the_photos_whose_footprint_holds_it() -> None:
    """Flat ground: brute force over rectangles, but for cells on a rectangle's rim."""
    found = block(missing=((5, 5), (2, 3)))
    seen = coverage_map(found, flat(-10.0, 70.0, 80.0, 80.0))
    expected = footprints(found, seen.grid)
    assert seen.photos.shape == (40, 40)
    assert (seen.photos == np.minimum(expected, 255)).mean() > 0.98
    assert np.abs(seen.photos.astype(int) - expected).max() <= 4
    assert expected.max() > 20, "the test has something to count"


def test_what_stands_in_the_way_hides_the_ground() -> None:
    """A wall 8 m high, seen at 45 degrees from one side only, shadows 8 m behind it."""
    poses = [looking(np.array([-30.0, north, HEIGHT_M]), 90.0, -45.0) for north in (-2.0, 0.0, 2.0)]
    dsm = flat(-10.0, 10.0, 30.0, 20.0, gsd=0.25)
    east, _ = np.meshgrid(*dsm.grid.centres())
    wall = np.where(np.abs(east) < 1.0, np.float32(8.0), np.float32(0.0)).astype(np.float32)
    seen = coverage_map(network(poses), replace(dsm, height_m=wall), area=square(-9.0, 9.0))
    column = lambda at: int(seen.grid.cell_of(np.array(at), np.array(0.0))[0])  # noqa: E731
    middle = seen.photos.shape[0] // 2
    assert (seen.photos[middle, column(-8.0) : column(-2.0)] == 3).all()
    assert (seen.photos[middle, column(2.0) : column(7.0)] == 0).all()
    assert (seen.photos[middle, column(14.0) : column(17.0)] == 3).all()


def test_the_map_lies_on_the_surface_models_cells() -> None:
    dsm = flat(-3.0, 65.5, 66.5, 70.0, gsd=0.5)
    seen = coverage_map(block(), dsm)
    counts = seen.over(dsm.grid)
    assert counts.shape == (-(-140 // COVERAGE_STEP), -(-133 // COVERAGE_STEP))
    assert seen.grid.east_m + seen.left * seen.grid.gsd_m == pytest.approx(dsm.grid.east_m)
    assert seen.grid.north_m - seen.top * seen.grid.gsd_m == pytest.approx(dsm.grid.north_m)


def test_the_map_reaches_to_where_lost_photos_were_taken() -> None:
    """The cloud ends at 40 m east, photos that found no place stood up to 55 m east."""
    found = network([looking(np.array([3.0 * i, 10.0, HEIGHT_M]), 0.0, -90.0) for i in range(8)])
    lost = np.array([[55.0, 5.0], [55.0, 15.0]])
    dsm = flat(-20.0, 25.0, 60.0, 30.0)
    without = summarise(coverage_map(found, dsm), metric=True)
    seen = coverage_map(found, dsm, unplaced=lost)
    east_edge = seen.grid.east_m + seen.grid.width * seen.grid.gsd_m
    assert 55.0 <= east_edge <= 58.0
    coverage = summarise(seen, metric=True)
    assert not without.holes
    (hole,) = coverage.holes
    assert hole.side == "east"
    assert hole.fewest_photos == 0


def test_one_lost_photo_far_away_does_not_stretch_the_map_without_end() -> None:
    found = block()
    seen = coverage_map(found, flat(0.0, 60.0, 60.0, 60.0), unplaced=np.array([[1e6, 0.0]]))
    assert seen.grid.width * seen.grid.gsd_m <= 1.5 * 60.0 + 4.0


# --- holes ------------------------------------------------------------------------------------


def hole_truth(found: CameraNetwork, low: float, high: float) -> float:
    """Square metres of the square that fewer than three footprints cover, on a fine raster."""
    grid = Grid(low, high, 0.1, round((high - low) / 0.1), round((high - low) / 0.1))
    return float((footprints(found, grid) < 3).sum()) * 0.01


def test_a_hole_has_its_area_and_place() -> None:
    """Without the photos of the north-east corner, that corner is the hole."""
    missing = tuple((i, j) for i in range(5, 11) for j in range(6, 11))
    found = block(missing)
    truth_m2 = hole_truth(found, 5.0, 60.0)
    seen = coverage_map(found, flat(-10.0, 70.0, 80.0, 80.0), area=square(5.0, 60.0))
    coverage = summarise(seen, metric=True)
    (hole,) = coverage.holes
    assert truth_m2 > 50.0
    assert hole.area == pytest.approx(truth_m2, rel=0.25)
    assert hole.side == "north-east"
    assert hole.cause == "few photos"
    assert 45.0 < hole.east_m < 60.0
    assert 45.0 < hole.north_m < 60.0
    assert coverage.few_share == pytest.approx(truth_m2 / 55.0**2, rel=0.25)
    assert coverage.seen_by[0] >= coverage.seen_by[1] >= coverage.seen_by[2]
    assert coverage.seen_by[2] == pytest.approx(1.0 - coverage.few_share)


def test_a_dense_block_has_no_hole() -> None:
    coverage = summarise(coverage_map(block(), flat(-10.0, 70.0, 80.0, 80.0)), metric=True)
    assert coverage.holes == ()
    assert coverage.few_share == 0.0
    assert coverage.inside_area > 60.0 * 60.0


def test_water_is_told_apart_from_a_gap_in_the_flight() -> None:
    """Photos enough, and no surface over 10 m by 10 m."""
    dsm = flat(-10.0, 70.0, 80.0, 80.0)
    pond = np.s_[60:80, 60:80]
    dsm.height_m[pond], dsm.mask[pond] = np.nan, NO_DATA
    coverage = summarise(coverage_map(block(), dsm), metric=True)
    (hole,) = coverage.holes
    assert hole.cause == "no surface"
    assert hole.area == pytest.approx(100.0, abs=25.0)
    assert hole.extent == pytest.approx(10.0, abs=2.1)
    assert coverage.few_share == 0.0
    advice = advise(coverage, n_photos=9, n_placed=9, other_groups=0, scale_open=False)
    assert not advice.fly_again
    assert "no surface was found" in advice.remarks[0]


def test_speckle_is_not_a_hole() -> None:
    photos = np.full((50, 50), 5, np.uint8)
    photos[10, 10] = photos[30, 40] = 1
    inside = np.ones((50, 50), bool)
    found = CoverageMap(Grid(0.0, 50.0, 1.0, 50, 50), photos, inside, inside, 0, 0)
    coverage = summarise(found, metric=True)
    assert coverage.holes == ()
    assert coverage.few_share == pytest.approx(2 / 2500)


@pytest.mark.parametrize(
    ("row", "column", "side"),
    [(5, 5, "north-west"), (5, 30, "north"), (30, 30, "middle"), (50, 5, "south-west")],
)
def test_a_hole_is_named_by_its_side(row: int, column: int, side: str) -> None:
    photos = np.full((60, 60), 4, np.uint8)
    photos[row - 2 : row + 3, column - 2 : column + 3] = 2
    inside = np.ones((60, 60), bool)
    grid = Grid(100.0, 200.0, 0.5, 60, 60)
    coverage = summarise(CoverageMap(grid, photos, inside, inside, 0, 0), metric=True)
    (hole,) = coverage.holes
    assert hole.side == side
    assert hole.area == pytest.approx(25 * 0.25)
    assert (hole.east_m, hole.north_m) == (100.0 + 0.5 * column + 0.25, 200.0 - 0.5 * row - 0.25)
    assert hole.fewest_photos == 2


# --- words and the answer ---------------------------------------------------------------------


def coverage_with(*holes: Hole, inside_m2: float = 1000.0, metric: bool = True) -> Coverage:
    few = sum(h.area for h in holes if h.cause == "few photos") / inside_m2
    return Coverage(metric, inside_m2, (1.0, 1.0, 1.0 - few), few, 0.0, holes)


def hole(area: float, side: str = "north-east") -> Hole:
    return Hole("few photos", area, 4.0, 1.0, 2.0, side, 2, 2)


def answer(coverage: Coverage, **changes: int) -> Advice:
    facts = {"n_photos": 20, "n_placed": 20, "other_groups": 0, "scale_open": False} | changes
    return advise(coverage, **facts)  # type: ignore[arg-type]


def test_a_hole_is_stated_in_square_metres() -> None:
    text = few_words(coverage_with(hole(12.3), hole(3.0, "middle")))
    assert text == (
        "15 m² inside the area seen by fewer than 3 photos (12 m² in the north-east, "
        "3.0 m² in the middle)"
    )


def test_a_scene_without_metres_states_shares() -> None:
    text = few_words(coverage_with(hole(12.0), inside_m2=200.0, metric=False))
    assert text.startswith("6.0 % of the area seen by fewer than 3 photos (6.0 % of the area in")
    assert "m²" not in text


@pytest.mark.parametrize(
    ("coverage", "changes", "fly_again", "says"),
    [
        (coverage_with(), {}, False, "No need to fly again"),
        (coverage_with(hole(12.0)), {}, True, "12 m² inside the area seen by fewer than 3"),
        (coverage_with(hole(9.0)), {}, False, "No need"),
        (coverage_with(), {"n_placed": 17}, True, "3 of 20 photos could not be placed"),
        (coverage_with(), {"n_placed": 19}, False, "No need"),
        (coverage_with(), {"other_groups": 1, "n_placed": 12}, True, "2 groups"),
    ],
)
def test_the_answer_is_explicit(
    coverage: Coverage, changes: dict[str, int], fly_again: bool, says: str
) -> None:
    advice = answer(coverage, **changes)
    assert advice.fly_again is fly_again
    assert says in advice.statement
    assert advice.statement.startswith("Fly again" if fly_again else "No need to fly again")


def test_an_open_scale_is_a_remark_and_no_reason_to_fly() -> None:
    advice = answer(coverage_with(hole(2.0)), scale_open=True)
    assert not advice.fly_again
    assert any("control point" in text for text in advice.remarks)
    assert any("2.0 m²" in text for text in advice.remarks), "small holes are named all the same"


@pytest.mark.parametrize(("photos", "helps"), [(4, "more overlap"), (9, "water, glass")])
def test_what_helps_where_nothing_came_out_depends_on_how_many_looked(
    photos: int, helps: str
) -> None:
    silent = Hole("no surface", 40.0, 4.0, 1.0, 2.0, "west", 3, photos)
    advice = answer(coverage_with(silent))
    assert not advice.fly_again
    (remark,) = advice.remarks
    assert helps in remark
    assert "40 m² in the west" in remark


def test_a_summary_survives_being_stored(tmp_path: Path) -> None:
    coverage = coverage_with(hole(12.0), hole(3.0, "middle"))
    save_coverage_summary(coverage, tmp_path)
    assert load_coverage_summary(tmp_path) == coverage


def test_a_surface_of_an_earlier_version_has_no_summary(tmp_path: Path) -> None:
    assert load_coverage_summary(tmp_path) is None
