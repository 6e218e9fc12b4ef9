"""Water, mirrors and blank places are named where they are, and nothing is measured in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import DecodeError
from droneteam.photogrammetry import unmeasured
from droneteam.photogrammetry.surface.ortho import Ortho
from droneteam.photogrammetry.surface.overlap import COVERAGE_STEP, CoverageMap
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, NO_DATA, Grid, Raster
from droneteam.photogrammetry.surface.surface_files import Surface
from droneteam.photogrammetry.unmeasured import Place
from tests.photogrammetry.languages import known

CELL_M = 0.05
SIZE = 400
"""A square of 20 m; its south-western corner lies at E 100, N 200."""
EAST_M, NORTH_M = 100.0, 200.0


def street(slope: float = 0.0) -> Raster:
    """Ground that rises to the east, a car of 1.4 m and a wall of 2 m on it, all measured."""
    grid = Grid(EAST_M, NORTH_M + SIZE * CELL_M, CELL_M, SIZE, SIZE)
    east = np.arange(SIZE) * CELL_M * slope
    height = np.tile(east, (SIZE, 1)).astype(np.float32)
    height[40:80, 40:130] += 1.4
    height[:, 300:306] += 2.0
    noise = np.random.default_rng(1).normal(0.0, 0.004, height.shape)
    mask = np.full(height.shape, MEASURED, np.uint8)
    return Raster(grid, height + noise.astype(np.float32), mask, np.full_like(height, 0.004))


def seen(dsm: Raster, photos: int = 8) -> Surface:
    """The surface with so many photos everywhere."""
    size = SIZE // COVERAGE_STEP
    grid = Grid(dsm.grid.east_m, dsm.grid.north_m, CELL_M * COVERAGE_STEP, size, size)
    everywhere = np.ones((size, size), bool)
    counts = np.full((size, size), photos, np.uint8)
    coverage = CoverageMap(grid, counts, everywhere, everywhere, 0, 0)
    blank = np.zeros((1, 1), np.uint8)
    picture = Ortho(dsm.grid, np.zeros((1, 1, 3), np.uint8), blank, blank, (), np.ones((0, 3)))
    return Surface(dsm, picture, coverage)


def disc(east_m: float, north_m: float, radius_m: float) -> np.ndarray:
    """The cells of a round pond."""
    east = EAST_M + (np.arange(SIZE) + 0.5) * CELL_M
    north = NORTH_M + (SIZE - np.arange(SIZE) - 0.5) * CELL_M
    return np.hypot(east[None, :] - east_m, north[:, None] - north_m) < radius_m


def found(dsm: Raster, photos: int = 8) -> tuple[Place, ...]:
    return unmeasured.unmeasured(seen(dsm, photos), metric=True)


def test_a_measured_street_has_no_such_place() -> None:
    assert found(street()) == ()
    assert found(street(slope=0.2)) == ()


@pytest.mark.parametrize("left_over", [NO_DATA, FILLED])
def test_a_silent_pond_has_its_area_and_place(left_over: int) -> None:
    dsm = street()
    pond = disc(107.0, 206.0, 2.0)
    dsm.mask[pond] = left_over
    (place,) = found(dsm)
    assert place.cause == "silent"
    assert place.area_m2 == pytest.approx(np.pi * 4.0, rel=0.1)
    assert (place.east_m, place.north_m) == pytest.approx((107.0, 206.0), abs=0.4)
    (said,) = unmeasured.words([place])
    assert " m² about E 10" in said
    assert "mirror-like, water" in said
    assert known(said)


def test_ripples_that_match_by_chance_do_not_hide_it() -> None:
    dsm = street()
    pond = disc(107.0, 206.0, 2.0) & (np.random.default_rng(2).random((SIZE, SIZE)) > 0.15)
    dsm.mask[pond] = NO_DATA
    assert [place.cause for place in found(dsm)] == ["silent"]


def test_thin_overlap_is_another_fault() -> None:
    dsm = street()
    dsm.mask[disc(107.0, 206.0, 2.0)] = NO_DATA
    assert found(dsm, photos=4) == ()


def test_the_thin_shadow_behind_a_post_is_none() -> None:
    dsm = street()
    dsm.mask[100:300, 200:208] = NO_DATA
    assert found(dsm) == ()


@pytest.mark.parametrize("below_m", [1.5, 8.0])
def test_what_a_puddle_mirrors_is_told_by_how_far_it_hangs_below(below_m: float) -> None:
    dsm = street(slope=0.03)
    puddle = disc(107.0, 206.0, 1.2)
    dsm.height_m[puddle] -= below_m
    (place,) = found(dsm)
    assert place.cause == "sunken"
    assert place.area_m2 == pytest.approx(np.pi * 1.44, rel=0.15)
    assert place.below_m == pytest.approx(below_m, abs=0.15)
    (said,) = unmeasured.words([place])
    assert "mirror image" in said
    assert known(said)


def test_a_court_between_walls_and_a_slope_down_are_ground() -> None:
    dsm = street()
    dsm.height_m[:] += 3.0
    dsm.height_m[100:300, 60:260] -= 3.0  # half of the place: the ground, and the rest is built on
    assert found(dsm) == ()
    ramp = street()
    ramp.height_m[:, 150:250] -= np.linspace(0.0, 4.0, 100, dtype=np.float32)
    ramp.height_m[:, 250:] -= 4.0
    assert found(ramp) == ()


def test_a_place_holds_its_points_and_not_its_islands() -> None:
    dsm = street()
    dsm.mask[disc(107.0, 206.0, 3.0) & ~disc(107.0, 206.0, 1.5)] = NO_DATA
    (place,) = found(dsm)
    assert place.touches(np.array([[109.3, 206.0]]))
    assert not place.touches(np.array([[107.0, 206.0]]))
    assert not place.touches(np.array([[103.0, 206.0], [111.0, 206.0]]))
    around = np.array([[103.0, 202.0], [111.0, 202.0], [111.0, 210.0], [103.0, 210.0]])
    assert not place.touches(around)
    assert place.touches(around, enclosed=True)


def test_without_metres_nothing_is_said() -> None:
    dsm = street()
    dsm.mask[disc(107.0, 206.0, 2.0)] = NO_DATA
    assert unmeasured.unmeasured(seen(dsm), metric=False) == ()


def test_many_places_are_told_in_few_sentences() -> None:
    dsm = street()
    for k in range(5):
        dsm.mask[disc(102.0 + 3.5 * k, 206.0, 0.8 + 0.1 * k)] = NO_DATA
    places = found(dsm)
    assert len(places) == 5
    assert [p.area_m2 for p in places] == sorted((p.area_m2 for p in places), reverse=True)
    *named, rest = unmeasured.words(places)
    assert len(named) == 3
    assert "in 2 smaller places" in rest
    assert known(rest)


def test_places_survive_being_stored(tmp_path: Path) -> None:
    dsm = street()
    dsm.mask[disc(107.0, 206.0, 2.0)] = NO_DATA
    places = found(dsm)
    assert unmeasured.load(tmp_path) == ()
    unmeasured.save(places, tmp_path)
    assert unmeasured.load(tmp_path) == places
    (tmp_path / unmeasured.NAME).write_text('[{"cause": "silent"}]')
    with pytest.raises(DecodeError):
        unmeasured.load(tmp_path)
