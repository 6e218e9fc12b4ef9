"""What changed between two surfaces: found where it is, of the size it has, and not elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.measuring import changes
from droneteam.photogrammetry.measuring.changes import height_change, summary, thinned
from droneteam.photogrammetry.measuring.volumes import field_response, region_of
from droneteam.photogrammetry.scene import CameraNetwork, Frame
from droneteam.photogrammetry.surface.rasters import NO_DATA, height_at
from tests.photogrammetry.test_consensus import ring
from tests.photogrammetry.test_surface_measure import SIGMA_M, ground, hole


@pytest.fixture(scope="module")
def net() -> CameraNetwork:
    return ring(6)


def flat(noise_m: float = 0.0, seed: int = 1) -> np.ndarray:
    return (
        np.random.default_rng(seed).normal(0.0, noise_m, (240, 240))
        if noise_m
        else np.zeros((240, 240))
    )


def test_a_pit_and_a_heap_are_found_with_their_volumes(net: CameraNetwork) -> None:
    later = flat()
    later[100:120, 60:100] -= 0.5  # 1 m x 2 m x 0.5 m
    later[30:50, 150:170] += 0.3  # 1 m x 1 m x 0.3 m
    change = height_change((net, ground(flat())), (net, ground(later)))
    assert not isinstance(change, str)
    found = summary(change)
    assert found.removed_m3 == pytest.approx(1.0, rel=0.02)
    assert found.added_m3 == pytest.approx(0.3, rel=0.02)
    assert (found.lower_m2, found.higher_m2) == pytest.approx((2.0, 1.0), rel=0.03)
    assert (found.lowest_m, found.highest_m) == pytest.approx((-0.5, 0.3), abs=1e-4)
    row, column = np.argwhere(change.stands_out & (change.difference_m < 0)).mean(axis=0)
    assert (row, column) == pytest.approx((109.5, 79.5), abs=1.0)


def test_noise_alone_stands_out_in_at_most_one_cell_of_twenty(net: CameraNetwork) -> None:
    pair = [(net, ground(flat(SIGMA_M, seed))) for seed in (1, 2)]
    change = height_change(pair[0], pair[1])
    assert not isinstance(change, str)
    share = change.stands_out.mean()
    # The cells' own noise makes 5 %; what the cameras leave open widens every interval.
    assert share <= 0.052
    cells = np.nanmedian(change.sigma_m)
    assert cells >= np.sqrt(2.0) * SIGMA_M
    assert np.nanstd(change.difference_m) == pytest.approx(np.sqrt(2.0) * SIGMA_M, rel=0.1)


def test_a_cells_camera_part_adds_up_to_the_volumes(net: CameraNetwork) -> None:
    """The mean of the lift over a region is the volume's response over its area."""
    raster = ground(flat())
    box = np.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])
    region = region_of(raster, box)
    response = field_response(net, region)
    assert not isinstance(response, str)
    lift = changes.lift_of(net, region)
    assert not isinstance(lift, str)
    by_cell = lift.weights @ lift.affine
    area = len(region.up_m) * region.cell_m2
    np.testing.assert_allclose(by_cell.mean(axis=0), response[0] / area, rtol=1e-9, atol=1e-12)
    variance = changes._camera_variance(net, region)
    assert not isinstance(variance, str)
    assert variance.min() >= 0.0
    assert 0.0 < np.sqrt(np.median(variance)) < 0.5


def test_what_is_unknown_at_one_date_is_not_compared(net: CameraNetwork) -> None:
    gone = hole(ground(flat()), NO_DATA, 2.0)
    change = height_change((net, gone), (net, ground(flat())))
    assert not isinstance(change, str)
    middle = change.difference_m[110:130, 110:130]
    assert np.isnan(middle).all()
    assert not change.stands_out[110:130, 110:130].any()
    assert summary(change).compared_m2 == pytest.approx(144.0 - 16.0, rel=0.02)


def test_surfaces_that_do_not_overlap_say_so(net: CameraNetwork) -> None:
    raster = ground(flat())
    away = replace(raster, grid=replace(raster.grid, east_m=500.0))
    assert "do not overlap" in str(height_change((net, away), (net, raster)))


def test_another_datum_is_refused(net: CameraNetwork) -> None:
    other = replace(net, frame=Frame("enu", net.frame.origin, "EPSG:5710", metric=True))
    with pytest.raises(InputError, match="EPSG:5710"):
        height_change((other, ground(flat())), (net, ground(flat())))


@pytest.mark.parametrize("cells", [240 * 240, 20_000, 5_000, 1_000])
def test_thinning_keeps_every_height_at_its_place(cells: int) -> None:
    raster = ground()
    coarse = thinned(raster, cells)
    assert coarse.grid.width * coarse.grid.height <= 1.1 * cells
    east, north = (axis.ravel() for axis in np.meshgrid(*coarse.grid.centres()))
    expected = height_at(raster, east, north)
    inside = np.isfinite(expected)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(coarse.height_m.ravel()[inside], expected[inside], atol=1e-5)
