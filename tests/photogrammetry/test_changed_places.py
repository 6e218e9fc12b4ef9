"""Places that changed: each is found once, where it is, and its interval holds the true volume."""

from __future__ import annotations

import numpy as np
import pytest

from droneteam.photogrammetry.measuring import changed_places
from droneteam.photogrammetry.measuring.changed_places import MIN_CELLS, outlines
from droneteam.photogrammetry.measuring.changes import Change, height_change
from droneteam.photogrammetry.scene import CameraNetwork
from droneteam.photogrammetry.surface.rasters import Grid
from tests.photogrammetry.test_consensus import ring
from tests.photogrammetry.test_surface_measure import SIGMA_M, ground

CELL_M = ground().grid.gsd_m


@pytest.fixture(scope="module")
def net() -> CameraNetwork:
    return ring(6)


def noisy(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, SIGMA_M, (240, 240))


def change_of(difference_m: np.ndarray, sigma_m: float = 0.01) -> Change:
    rows, columns = difference_m.shape
    grid = Grid(-6.0, 6.0, CELL_M, columns, rows)
    return Change(grid, difference_m, np.full_like(difference_m, sigma_m), difference_m)


def test_a_pit_and_a_heap_are_two_places_whose_intervals_hold_the_truth(
    net: CameraNetwork,
) -> None:
    earlier, later = noisy(1), noisy(2)
    later[100:120, 60:100] -= 0.5
    later[30:50, 150:170] += 0.3
    before, after = (net, ground(earlier)), (net, ground(later))
    change = height_change(before, after)
    assert not isinstance(change, str)
    pit, heap = changed_places.changed_places(change, before, after)[:2]
    for place, volume_m3, middle, largest_m in (
        (pit, -0.5 * 20 * 40 * CELL_M**2, (80.0, 110.0), -0.5),
        (heap, 0.3 * 20 * 20 * CELL_M**2, (160.0, 40.0), 0.3),
    ):
        assert (place.outline.column, place.outline.row) == pytest.approx(middle, abs=1.0)
        assert place.outline.largest_m == pytest.approx(largest_m, abs=6 * SIGMA_M)
        measured = place.volume
        assert measured.determined
        assert measured.ci95_low < volume_m3 < measured.ci95_high
        # An interval that says nothing would hold any truth.
        assert 0.0 < measured.ci95_high - measured.ci95_low < 4 * abs(volume_m3)


def test_the_volume_inside_the_hull_is_that_of_the_place(net: CameraNetwork) -> None:
    """Without noise: nothing of the place lies outside its hull, nothing else inside."""
    later = np.zeros((240, 240))
    later[100:120, 60:100] -= 0.5
    later[100:104, 110:150] += 0.2  # beside it, not touching
    before, after = (net, ground(np.zeros((240, 240)))), (net, ground(later))
    change = height_change(before, after)
    assert not isinstance(change, str)
    found = [one.volume.value for one in changed_places.changed_places(change, before, after)]
    true = [-0.5 * 20 * 40 * CELL_M**2, 0.2 * 4 * 40 * CELL_M**2]
    assert found == pytest.approx(true, rel=0.05)


def test_every_place_of_enough_cells_is_found_once_and_the_largest_come_first() -> None:
    difference = np.zeros((60, 60))
    difference[5:8, 5:8] = 0.1  # nine cells
    difference[20:22, 20:24] = 5.0  # eight: chance
    difference[40:43, 10:20] = -0.2
    difference[43:46, 20:23] = -0.2  # touches the last by a corner
    found = outlines(change_of(difference))
    assert MIN_CELLS == 9
    assert [round(one.area_m2 / CELL_M**2) for one in found] == [39, 9]
    assert [one.largest_m for one in found] == [-0.2, 0.1]
    assert (found[1].column, found[1].row) == (6.5, 6.5)
    east = found[1].corners_en_m[:, 0]
    assert (east.max() - east.min()) / CELL_M == pytest.approx(5.0)


def test_higher_and_lower_cells_side_by_side_are_two_places() -> None:
    """Something that was pushed aside is a pit and a heap, not nothing."""
    difference = np.zeros((40, 40))
    difference[10:20, 10:15], difference[10:20, 15:20] = -0.3, 0.3
    assert sorted(one.largest_m for one in outlines(change_of(difference))) == [-0.3, 0.3]


def test_noise_alone_is_no_place() -> None:
    noise = np.random.default_rng(5).normal(0.0, 0.01, (600, 600))
    assert outlines(change_of(noise)) == []


def test_unknown_cells_divide_places_and_belong_to_none() -> None:
    difference = np.zeros((40, 40))
    difference[10:14, 5:30] = 0.5
    difference[:, 17] = np.nan
    found = outlines(change_of(difference))
    assert sorted(round(one.area_m2 / CELL_M**2) for one in found) == [48, 48]
