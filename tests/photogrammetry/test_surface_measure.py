"""Measurements on the surface: right values on known ground, honest about what is not known."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import InputError
from droneteam.geo import GeoPoint
from droneteam.photogrammetry.measuring import measure, surface_measure, surface_points
from droneteam.photogrammetry.measuring.shapes import rise
from droneteam.photogrammetry.measuring.surface_points import located_on_surface
from droneteam.photogrammetry.measuring.volumes import region_of
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, FloatArray, Frame
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, NO_DATA, Grid, Raster
from tests.photogrammetry.simulated import heap, in_frame, ring_of, true_volume
from tests.photogrammetry.test_consensus import ring

SIGMA_M = 0.004
CELL_M = 0.05


def ground(up: FloatArray | None = None, *, size: int = 240, sigma_m: float = SIGMA_M) -> Raster:
    """A raster of ±6 m about the origin; the heap unless heights are given."""
    grid = Grid(-6.0, 6.0, CELL_M, size, size)
    east, north = np.meshgrid(*grid.centres())
    height = (heap(east, north) if up is None else up).astype(np.float32)
    mask = np.full(height.shape, MEASURED, np.uint8)
    return Raster(grid, height, mask, np.full_like(height, sigma_m))


@pytest.fixture(scope="module")
def net() -> CameraNetwork:
    return ring(6)


def hole(raster: Raster, value: int, half_m: float) -> Raster:
    """The raster with a square in its middle filled or unknown."""
    east, north = np.meshgrid(*raster.grid.centres())
    there = (np.abs(east) < half_m) & (np.abs(north) < half_m)
    height, mask, sigma = raster.height_m.copy(), raster.mask.copy(), raster.sigma_m.copy()
    mask[there] = value
    sigma[there] = np.nan
    if value == NO_DATA:
        height[there] = np.nan
    return Raster(raster.grid, height, mask, sigma)


def test_lengths_heights_and_slopes_are_those_of_the_ground(net: CameraNetwork) -> None:
    places = np.array([[-3.0, -4.0], [0.4, -0.3]])
    up = heap(places[:, 0], places[:, 1])
    run = math.hypot(3.4, 3.7)
    rise = float(up[1] - up[0])
    expected = {
        "distance": math.hypot(run, rise),
        "horizontal": run,
        "height": rise,
        "slope": 100.0 * rise / run,
    }
    for kind, true in expected.items():
        got = surface_measure.from_surface(net, ground(), kind, places)
        assert got.value == pytest.approx(true, abs=2e-3 if kind != "slope" else 0.05), kind
        assert got.ci95_low < true < got.ci95_high
        assert got.method == "surface"
        assert got.photos == tuple(v.name for v in net.views)
        assert "WGS84 ellipsoid" in got.frame


def test_a_height_on_flat_ground_is_known_to_the_cells_noise(net: CameraNetwork) -> None:
    flat = ground(np.zeros((240, 240)))
    got = surface_measure.from_surface(net, flat, "height", np.array([[-1.0, 0.0], [1.0, 0.0]]))
    half = 0.5 * (got.ci95_high - got.ci95_low)
    alone = 1.96 * math.sqrt(2.0) * SIGMA_M
    assert alone < half < 1.6 * alone


def test_area_in_space_is_larger_than_in_plan(net: CameraNetwork) -> None:
    """A square on a plane of 3 in 4: 1.25 times its plan area."""
    grid = ground().grid
    east, _ = np.meshgrid(*grid.centres())
    tilted = ground(0.75 * east)
    square = np.array([[-2.0, -2.0], [2.0, -2.0], [2.0, 2.0], [-2.0, 2.0]])
    space = surface_measure.from_surface(net, tilted, "area", square)
    plan = surface_measure.from_surface(net, tilted, "plan_area", square)
    assert space.value == pytest.approx(20.0, abs=1e-3)
    assert plan.value == pytest.approx(16.0, abs=1e-6)
    slope = surface_measure.from_surface(net, tilted, "slope", square)
    assert slope.value == pytest.approx(75.0, abs=0.01)


def test_a_place_without_surface_is_said(net: CameraNetwork) -> None:
    holed = hole(ground(), NO_DATA, 1.0)
    got = surface_measure.from_surface(net, holed, "height", np.array([[3.0, 0.0], [0.0, 0.0]]))
    assert not got.determined
    assert "not known at 0.00 m east, 0.00 m north" in got.note


def test_filled_cells_are_named_and_widen_the_interval(net: CameraNetwork) -> None:
    line = np.array([[3.0, 0.0], [0.0, 0.0]])
    clean = surface_measure.from_surface(net, ground(), "height", line)
    filled = surface_measure.from_surface(net, hole(ground(), FILLED, 1.0), "height", line)
    assert "filled" in filled.note
    assert filled.ci95_high - filled.ci95_low > 3.0 * (clean.ci95_high - clean.ci95_low)


@pytest.mark.parametrize("follow", [False, True])
def test_a_heaps_volume_is_its_integral(net: CameraNetwork, follow: bool) -> None:
    corners = ring_of(12, 4.5, np.random.default_rng(3))
    got = surface_measure.volume(net, ground(), corners, follow=follow)
    true = true_volume(corners)
    assert got.value == pytest.approx(true, rel=0.01)
    assert got.ci95_low < true < got.ci95_high
    assert 0.005 < (got.ci95_high - got.ci95_low) / got.value < 0.2
    assert "m³ above" in got.note


def test_a_box_on_a_table_has_its_volume(net: CameraNetwork) -> None:
    up = np.zeros((240, 240))
    up[80:120, 100:160] = 0.8  # 2 m x 3 m x 0.8 m
    corners = np.array([[-4.0, -4.0], [4.0, -4.0], [4.0, 4.0], [-4.0, 4.0]])
    got = surface_measure.volume(net, ground(up), corners)
    assert got.value == pytest.approx(4.8, abs=0.01)
    assert "4.800 m³ above and 0.000 m³ below" in got.note


def test_a_stretched_network_changes_a_volume_three_times_as_much(net: CameraNetwork) -> None:
    """The cameras' effect on a volume comes from height and both plan directions."""
    assert net.covariance is not None
    n = len(net.views)
    stretch = np.concatenate(
        [np.concatenate([np.zeros(3), v.centre_enu_m]) for v in net.views]
    )  # cameras moved apart by one part in one: everything scales with them
    scale = 1e-3
    matrix = scale**2 * np.outer(stretch, stretch)
    stretched = replace(net, covariance=replace(net.covariance, matrix=matrix))
    corners = ring_of(10, 4.5, np.random.default_rng(4))
    got = surface_measure.volume(stretched, ground(sigma_m=1e-7), corners)
    sigma = (got.ci95_high - got.ci95_low) / (2.0 * 1.96)
    assert n == 6
    assert sigma / got.value == pytest.approx(3.0 * scale, rel=0.1)


def test_what_was_dug_between_two_surfaces(net: CameraNetwork) -> None:
    dug = ground().height_m.astype(np.float64).copy()
    dug[100:120, 60:100] -= 0.5  # 1 m x 2 m x 0.5 m
    corners = np.array([[-5.0, -2.0], [1.0, -2.0], [1.0, 3.0], [-5.0, 3.0]])
    got = surface_measure.volume_change((net, ground()), (net, ground(dug)), corners)
    assert got.value == pytest.approx(-1.0, abs=0.01)
    assert got.ci95_low < -1.0 < got.ci95_high
    assert "1.000 m³ below" in got.note


def test_two_surfaces_about_different_origins_are_compared_on_the_earth(
    net: CameraNetwork,
) -> None:
    """The earlier scene's origin lies 30 m east and 2 m up; its raster is the same ground."""
    assert net.frame.origin is not None
    up_m = 2.0
    other = GeoPoint(
        net.frame.origin.lat_deg,
        net.frame.origin.lon_deg + math.degrees(30.0 / (6378137.0 * math.cos(math.radians(50.8)))),
        net.frame.origin.alt_ellipsoid_m + up_m,
    )
    moved = replace(net, frame=replace(net.frame, origin=other))
    shift = in_frame(moved, np.zeros((1, 3)))[0]
    turned = []
    for view in net.views:
        rotation = view.cam_from_enu[:, :3]
        centre = view.centre_enu_m + shift
        pose = np.column_stack([rotation, -rotation @ centre])
        turned.append(replace(view, cam_from_enu=pose))
    moved = replace(moved, views=tuple(turned))
    raster = ground()
    grid = replace(
        raster.grid, east_m=raster.grid.east_m + shift[0], north_m=raster.grid.north_m + shift[1]
    )
    old = Raster(grid, raster.height_m + np.float32(shift[2]), raster.mask, raster.sigma_m)
    corners = ring_of(6, 4.0, np.random.default_rng(5))
    got = surface_measure.volume_change((moved, old), (net, raster), corners)
    assert got.determined
    assert abs(got.value) < 0.05
    assert got.ci95_low < 0.0 < got.ci95_high


def test_surfaces_over_different_datums_are_not_subtracted(net: CameraNetwork) -> None:
    other = replace(net, frame=Frame("enu", net.frame.origin, "EPSG:5710", metric=True))
    corners = ring_of(6, 4.0, np.random.default_rng(5))
    with pytest.raises(InputError, match="EPSG:5710"):
        surface_measure.volume_change((other, ground()), (net, ground()), corners)


def test_a_volume_over_a_gap_is_not_determined(net: CameraNetwork) -> None:
    corners = ring_of(8, 4.5, np.random.default_rng(6))
    got = surface_measure.volume(net, hole(ground(), NO_DATA, 2.0), corners)
    assert not got.determined
    assert "unknown on" in got.note


def test_a_polygon_counts_its_cells() -> None:
    """Against a count of centres by hand: 4 m x 2 m of 5 cm cells."""
    box = np.array([[-1.0, -1.0], [3.0, -1.0], [3.0, 1.0], [-1.0, 1.0]])
    region = region_of(ground(), box)
    assert len(region.up_m) * region.cell_m2 == pytest.approx(8.0, rel=0.03)
    with pytest.raises(InputError, match="no cell"):
        region_of(ground(), box + 100.0)


def test_the_interval_of_every_station_is_that_of_its_height_difference(net: CameraNetwork) -> None:
    """The closed form against the one that tries every coordinate, with an open depth too."""
    line = np.array([[-3.0, -1.0], [2.0, 1.5]])
    places, along = surface_measure.stations(line, 0.4)
    found = located_on_surface(net, ground(), places, picked=False)
    assert not isinstance(found, str)
    rng = np.random.default_rng(5)
    located = replace(found, mode=rng.normal(0.0, 0.003, found.mode.shape))
    rows = np.array(measure._series(located))
    assert np.allclose(rows[:, 0], along, atol=1e-9)
    for k in range(len(along)):
        value, sigma, _ = measure.spread(located, lambda p, k=k: rise(p[: k + 1]))  # type: ignore[misc]
        assert rows[k, 1] == pytest.approx(value, abs=1e-12)
        assert (rows[k, 3] - rows[k, 2]) / 2.0 == pytest.approx(
            1.959964 * sigma, rel=1e-5, abs=1e-9
        )
    assert rows[0, 1] == rows[0, 2] == rows[0, 3] == 0.0


def test_cells_noise_counts_once(net: CameraNetwork) -> None:
    rng = np.random.default_rng(3)
    noisy = ground(rng.normal(0.0, SIGMA_M, (240, 240)))
    places = rng.uniform(-3.0, 3.0, (200, 2))
    rough = surface_points.roughness(noisy, places)
    assert float(np.sqrt(np.mean(rough**2))) < 0.5 * SIGMA_M
    assert np.mean(rough == 0.0) > 0.7
    assert surface_points.roughness(ground(np.zeros((240, 240))), places).max() == 0.0


def test_a_slope_is_no_roughness(net: CameraNetwork) -> None:
    east, north = np.meshgrid(*ground().grid.centres())
    tilted = ground(0.3 * east - 0.1 * north, sigma_m=0.0)
    assert surface_points.roughness(tilted, np.array([[0.3, 0.7], [-2.0, 1.0]])).max() < 1e-5


def test_a_heaps_rounding_is_no_edge_and_a_kerb_on_it_is(net: CameraNetwork) -> None:
    """A rounding of 2 m radius falls by five times the cells' noise within a window."""
    rng = np.random.default_rng(5)
    east, north = np.meshgrid(*ground().grid.centres())
    rounded = -0.25 * (east**2 + north**2) + rng.normal(0.0, SIGMA_M / 2.0, east.shape)
    places = rng.uniform(-0.8, 0.8, (40, 2))
    assert np.mean(surface_points.roughness(ground(rounded), places) == 0.0) > 0.9
    kerbed = ground(rounded + np.where(east > 0.0, 0.12, 0.0))
    beside = np.column_stack([np.zeros(40), rng.uniform(-0.8, 0.8, 40)])
    assert surface_points.roughness(kerbed, beside).min() > 0.5 * 0.12 / 1.96


def test_beside_an_edge_the_interval_holds_both_sides(net: CameraNetwork) -> None:
    """A step of half a metre that the surface shows up to three cells from where it stands."""
    rng = np.random.default_rng(4)
    east, _ = np.meshgrid(*ground().grid.centres())
    shown_m = rng.uniform(-3.0, 3.0) * CELL_M
    stepped = ground(np.where(east > shown_m, 0.5, 0.0))
    held, far_half_m = [], []
    for _ in range(40):
        beside = np.array([rng.uniform(-3.0, 3.0) * CELL_M, rng.uniform(-2.0, 2.0)])
        place = np.array([[-3.0, beside[1]], beside])
        got = surface_measure.from_surface(net, stepped, "height", place)
        true = 0.5 if beside[0] > 0.0 else 0.0
        held.append(got.ci95_low <= true <= got.ci95_high)
        far = surface_measure.from_surface(net, stepped, "height", place - [1.0, 0.0])
        far_half_m.append(0.5 * (far.ci95_high - far.ci95_low))
    assert np.mean(held) >= 0.9
    assert max(far_half_m) < 0.05


def test_a_profile_follows_the_ground(net: CameraNetwork, tmp_path: Path) -> None:
    line = np.array([[-4.0, -0.3], [0.4, -0.3], [4.0, 2.0]])
    got = surface_measure.profile(net, ground(), line, step_m=0.25)
    station, up, low, high = np.array(got.series).T
    corner = np.array([0.0, 4.4, 4.4 + math.hypot(3.6, 2.3)])
    east, north = (np.interp(station, corner, line[:, k]) for k in (0, 1))
    true = heap(east, north) - heap(line[:1, 0], line[:1, 1])
    assert station[-1] == pytest.approx(corner[-1])
    assert np.abs(up - true).max() < 0.01
    assert (low[1:] < up[1:]).all()
    assert (up[1:] < high[1:]).all()
    assert (low[0], up[0], high[0]) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    surface_measure.write_series(got, tmp_path / "p.csv")
    rows = list(csv.reader((tmp_path / "p.csv").read_text().splitlines()))
    assert rows[0] == ["station_m", "height_m", "ci95_low_m", "ci95_high_m"]
    assert len(rows) == len(got.series) + 1
    assert float(rows[-1][1]) == pytest.approx(got.value, abs=1e-4)


def test_a_section_of_the_cloud_sees_its_median(net: CameraNetwork) -> None:
    rng = np.random.default_rng(7)
    places = rng.uniform(-5.0, 5.0, (60_000, 2))
    up = heap(places[:, 0], places[:, 1]) + rng.normal(0.0, 0.01, len(places))
    n = len(places)
    cloud = DenseCloud(
        np.column_stack([places, up]),
        np.zeros((n, 3), np.float32),
        np.zeros((n, 3), np.uint8),
        np.full(n, 0.005, np.float32),
        np.full(n, 4, np.uint8),
    )
    line = np.array([[-4.0, 1.0], [4.0, 1.0]])
    got = surface_measure.section(net, cloud, line, width_m=0.2, step_m=0.2)
    assert got.determined, got.note
    station, height, low, high = np.array(got.series).T
    true = heap(-4.0 + station, np.ones(len(station)))
    inside = (low <= true - true[0]) & (true - true[0] <= high)
    assert got.kind == "section"
    assert np.abs(height - (true - true[0])).max() < 0.03
    assert inside[1:].mean() >= 0.9
    empty = surface_measure.section(net, cloud, line + 50.0, width_m=0.2, step_m=0.2)
    assert not empty.determined
    assert "cloud" in empty.note


def test_what_makes_no_sense_is_refused(net: CameraNetwork) -> None:
    places = np.array([[0.0, 0.0], [1.0, 0.0]])
    with pytest.raises(InputError, match="volume"):
        surface_measure.from_surface(net, ground(), "volume", np.zeros((4, 2)))
    with pytest.raises(InputError, match="two different"):
        surface_measure.profile(net, ground(), places[:1])
    with pytest.raises(InputError, match="step_m"):
        surface_measure.profile(net, ground(), places, step_m=-1.0)
    with pytest.raises(InputError, match="at least 3"):
        surface_measure.volume(net, ground(), places)
    with pytest.raises(InputError, match="series"):
        surface_measure.write_series(
            surface_measure.from_surface(net, ground(), "height", places), Path("x.csv")
        )
