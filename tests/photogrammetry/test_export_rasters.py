"""GeoTIFFs agree with independent readers: place, heights, tags, cloud-optimised layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from rio_cogeo.cogeo import cog_validate

from droneteam.errors import InputError, SetupError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.export import cog
from droneteam.photogrammetry.export.placement import Placement, resampling, transformer
from droneteam.photogrammetry.scene import Frame
from droneteam.photogrammetry.surface.ortho import Ortho
from droneteam.photogrammetry.surface.rasters import FILLED, MEASURED, NO_DATA, Grid, Raster

pytestmark = pytest.mark.filterwarnings(
    "ignore:Use .@. matmul:PendingDeprecationWarning"  # inside rasterio and rio-cogeo
)
ORIGIN = GeoPoint(50.8197, 4.3908, 100.0)
PLACED = Frame("enu", ORIGIN, "WGS84 ellipsoid", True)
LOCAL = Frame("local", None, "none", True)
GRID = Grid(-20.0, 15.0, 0.1, 400, 300)


def height_of(east: np.ndarray, north: np.ndarray) -> np.ndarray:
    return 2.0 + 0.05 * east - 0.02 * north


@pytest.fixture
def raster() -> Raster:
    east, north = np.meshgrid(*GRID.centres())
    height = height_of(east, north).astype(np.float32)
    mask = np.full(height.shape, MEASURED, np.uint8)
    mask[50:80, 60:90] = FILLED
    mask[:, :10] = NO_DATA
    height[mask == NO_DATA] = np.nan
    sigma = np.where(mask == MEASURED, 0.01, np.nan).astype(np.float32)
    return Raster(GRID, height, mask, sigma)


@pytest.fixture
def ortho(raster: Raster) -> Ortho:
    east, north = np.meshgrid(*GRID.centres())
    rgb = np.stack([100 + 2 * east, 100 + 3 * north, np.full_like(east, 50)], axis=2)
    source = np.where(east < 0, 0, 1).astype(np.int16)
    source[raster.mask == NO_DATA] = -1
    return Ortho(
        GRID, rgb.astype(np.uint8), raster.mask, source, ("a.jpg", "b.jpg"), np.ones((2, 3))
    )


@pytest.mark.parametrize("epsg", [3812, 32631, 4326])
def test_a_height_is_found_at_its_geographic_place(raster: Raster, tmp_path: Path, epsg) -> None:
    path = tmp_path / "dsm.tif"
    cog.write_dsm(raster, Placement(PLACED, epsg), path, {"SOFTWARE": "droneteam"})
    point = np.array([7.33, -4.21, 0.0])
    point[2] = height_of(point[0], point[1])
    lat, lon, up = EnuFrame(ORIGIN).geodetic_from_enu(point)
    x, y = pyproj.Transformer.from_crs(4326, epsg, always_xy=True).transform(lon, lat)
    with rasterio.open(path, driver="GTiff") as file:
        assert file.crs.to_epsg() == epsg
        row, column = file.index(x, y)
        centre = file.xy(row, column)
        tilt = 0.05 * (x - centre[0]) - 0.02 * (y - centre[1]) if epsg != 4326 else 0.0
        assert file.read(1)[row, column] == pytest.approx(up - tilt, abs=0.01)
        assert file.read(2)[row, column] == pytest.approx(0.01)
        assert file.tags()["SOFTWARE"] == "droneteam"
        assert "WGS84 ellipsoid" in file.tags()["VERTICAL"]


@pytest.mark.parametrize(
    ("frame", "epsg", "unit", "named"),
    [
        (PLACED, 3812, "metre", ("height_m", "sigma_m")),
        (PLACED, 4326, "metre", ("height_m", "sigma_m")),
        (replace(LOCAL, metric=False), None, None, ("height", "sigma")),
    ],
)
def test_heights_state_their_unit_where_they_have_one(
    raster: Raster, tmp_path: Path, frame: Frame, epsg: int | None, unit: str | None, named
) -> None:
    path = tmp_path / "dsm.tif"
    cog.write_dsm(raster, Placement(frame, epsg), path, {})
    with rasterio.open(path, driver="GTiff") as file:
        assert file.units == (unit, unit)
        assert file.descriptions == named
        assert frame.vertical_datum in file.tags()["VERTICAL"]
    valid, errors, warnings = cog_validate(path, strict=True)
    assert (valid, errors, warnings) == (True, [], [])


def test_files_are_cloud_optimised_with_overviews(raster, ortho, tmp_path: Path) -> None:
    placement = Placement(PLACED, 3812)
    cog.write_dsm(raster, placement, tmp_path / "dsm.tif", {})
    cog.write_mask(raster, placement, tmp_path / "mask.tif", {})
    cog.write_ortho(ortho, 2.0, placement, tmp_path / "ortho.tif", {})
    cog.write_source(ortho, 2.0, placement, tmp_path / "source.tif", {})
    for path in sorted(tmp_path.glob("*.tif")):
        valid, errors, _ = cog_validate(path, strict=True)
        assert valid, (path.name, errors)
        with rasterio.open(path, driver="GTiff") as file:
            assert file.overviews(1)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("write", [cog.write_source, cog.write_mask])
def test_overviews_hold_no_code_that_the_cells_do_not(
    raster: Raster, ortho: Ortho, tmp_path: Path, write: Callable[..., None]
) -> None:
    """Who zooms out in a GIS sees no first photo where there is none."""
    placement, path = Placement(PLACED, 3812), tmp_path / "codes.tif"
    if write is cog.write_source:
        source = np.where(ortho.source == 0, 1, ortho.source)
        source[: len(source) // 2] = -1
        write(replace(ortho, source=source.astype(ortho.source.dtype)), 2.0, placement, path, {})
    else:
        write(raster, placement, path, {})
    with rasterio.open(path, driver="GTiff") as file:
        every = set(np.unique(file.read(1)).tolist())
        shape = (file.height // 2, file.width // 2)
        seen = set(np.unique(file.read(1, out_shape=shape)).tolist())
    assert seen <= every
    assert len(seen) >= 2


def test_the_mask_keeps_filled_apart_from_measured(raster, tmp_path: Path) -> None:
    cog.write_mask(raster, Placement(PLACED, 3812), tmp_path / "m.tif", {})
    with rasterio.open(tmp_path / "m.tif", driver="GTiff") as file:
        counts = np.bincount(file.read(1).ravel(), minlength=3)
    assert counts[FILLED] == pytest.approx(np.sum(raster.mask == FILLED), rel=0.02)
    assert counts[MEASURED] == pytest.approx(np.sum(raster.mask == MEASURED), rel=0.02)


def test_the_orthophotos_colour_and_source_agree_in_place(ortho, tmp_path: Path) -> None:
    placement = Placement(PLACED, 3812)
    cog.write_ortho(ortho, 2.0, placement, tmp_path / "o.tif", {})
    cog.write_source(ortho, 2.0, placement, tmp_path / "s.tif", {})
    point = np.array([[5.0, 3.0, 2.0]])
    x, y, _ = placement.from_enu(point)[0]
    with rasterio.open(tmp_path / "o.tif", driver="GTiff") as file:
        red, green, blue, alpha = file.read()[:, *file.index(x, y)]
    assert (int(red), int(green), int(blue), int(alpha)) == (
        pytest.approx(110, abs=1), pytest.approx(109, abs=1), 50, 255
    )  # fmt: skip
    with rasterio.open(tmp_path / "s.tif", driver="GTiff") as file:
        assert json.loads(file.tags()["PHOTOS"]) == ["a.jpg", "b.jpg"]
        assert file.read(1)[file.index(x, y)] == 1
        assert file.nodata == -1


def test_emptiness_is_transparent_and_never_darkens_a_colour(ortho, tmp_path: Path) -> None:
    cog.write_ortho(ortho, 2.0, Placement(PLACED, 3812), tmp_path / "o.tif", {})
    with rasterio.open(tmp_path / "o.tif", driver="GTiff") as file:
        *rgb, alpha = file.read()
    assert set(np.unique(alpha)) == {0, 255}
    assert np.all(np.stack(rgb)[:, alpha == 0] == 0)
    assert rgb[2][alpha == 255].min() >= 49


def test_a_local_frame_is_written_without_a_reference_system(raster, tmp_path: Path) -> None:
    cog.write_dsm(raster, Placement(LOCAL, None), tmp_path / "d.tif", {})
    with rasterio.open(tmp_path / "d.tif", driver="GTiff") as file:
        assert file.crs is None
        row, column = file.index(3.05, 2.05)
        assert file.read(1)[row, column] == pytest.approx(height_of(3.05, 2.05), abs=1e-4)


def test_points_go_out_and_come_back() -> None:
    placement = Placement(PLACED, 3812)
    points = np.random.default_rng(13).uniform(-500, 500, (100, 3))
    assert np.allclose(placement.to_enu(placement.from_enu(points)), points, atol=1e-6)


def test_a_metre_on_the_map_is_a_metre_on_the_ground_within_the_projections_scale() -> None:
    """Lambert 2008 is within 2e-4 of true scale in Belgium, and turned by its convergence."""
    placement = Placement(PLACED, 3812)
    a, b = placement.from_enu(np.array([[0.0, 0.0, 0.0], [300.0, 400.0, 0.0]]))
    assert np.hypot(*(b - a)[:2]) == pytest.approx(500.0, rel=2e-4)


def test_the_lattice_is_as_exact_as_points() -> None:
    placement = Placement(PLACED, 3812)
    warp = resampling(GRID, placement, 2.0)
    height, width = warp.column.shape
    for row, column in ((0, 0), (height - 1, width - 1), (height // 3, width // 2)):
        x = warp.west + (column + 0.5) * warp.cell
        y = warp.north - (row + 0.5) * warp.cell
        enu = placement.to_enu(np.array([[x, y, ORIGIN.alt_ellipsoid_m + 2.0]]))[0]
        expected = GRID.cell_of(enu[0], enu[1])
        assert warp.column[row, column] + 0.5 == pytest.approx(float(expected[0]), abs=0.01)
        assert warp.row[row, column] + 0.5 == pytest.approx(float(expected[1]), abs=0.01)


def test_a_missing_grid_file_is_named_not_replaced_by_a_guess() -> None:
    """Lambert 72 without its grid would be decimetres off."""
    transformer.cache_clear()
    folders = [Path(pyproj.datadir.get_data_dir()), Path(pyproj.datadir.get_user_data_dir())]
    if any((folder / "be_ign_bd72lb72_etrs89lb08.tif").exists() for folder in folders):
        pytest.skip("the grid of Lambert 72 is installed here")
    with pytest.raises(SetupError, match=r"be_ign_bd72lb72_etrs89lb08\.tif"):
        Placement(PLACED, 31370)


def test_nonsense_is_refused() -> None:
    with pytest.raises(InputError, match="EPSG:999999"):
        Placement(PLACED, 999999)
    with pytest.raises(InputError, match="not a map projection"):
        Placement(PLACED, 4978)
    with pytest.raises(InputError, match="no place on the earth"):
        Placement(LOCAL, 3812)
