"""A raster's heights are metres whatever its file stores: feet, centimetres, scaled integers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.transform import Affine

from droneteam.errors import DecodeError
from droneteam.missions.planner.terrainfile import TerrainFile, check_terrain, read_terrain
from tests.missions.conftest import PLACE
from tests.missions.relief_world import MIDDLE, UTM, hill, raster

AT_HOME = (PLACE.lat_deg, PLACE.lon_deg)
CELL_M = 2.0
HEIGHTS_M = raster(hill, 100.0, CELL_M)
FOOT_M = 0.3048


def stored(
    folder: Path,
    values: NDArray[np.generic],
    *,
    unit: str = "",
    vertical: str = "",
    scale: float = 1.0,
    offset: float = 0.0,
    nodata: float | None = None,
) -> TerrainFile:
    """A raster about the accident's origin with the numbers as they are given."""
    path = folder / "stored.tif"
    corner = (MIDDLE[0] - 100.0, MIDDLE[1] + 100.0)
    form = {
        "driver": "GTiff",
        "width": values.shape[1],
        "height": values.shape[0],
        "count": 1,
        "dtype": values.dtype.name,
        "crs": CRS(UTM + vertical).to_wkt(),
        "transform": Affine(CELL_M, 0.0, corner[0], 0.0, -CELL_M, corner[1]),
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **form) as file:
        file.write(values, 1)
        file.scales, file.offsets = (scale,), (offset,)
        if unit:
            file.units = (unit,)
    return TerrainFile("stored", path)


@pytest.mark.parametrize(
    ("values", "said", "within_m"),
    [
        (HEIGHTS_M, {"unit": "m"}, 1e-4),
        (HEIGHTS_M, {"unit": "metre"}, 1e-4),
        (HEIGHTS_M / FOOT_M, {"unit": "ft"}, 1e-4),
        (HEIGHTS_M * 3937.0 / 1200.0, {"unit": "US survey foot"}, 1e-4),
        (HEIGHTS_M / FOOT_M, {"vertical": "+8228"}, 1e-4),
        (HEIGHTS_M * 3937.0 / 1200.0, {"vertical": "+6360"}, 1e-4),
        (HEIGHTS_M, {"vertical": "+5710"}, 1e-4),
        (np.round(HEIGHTS_M * 100.0).astype(np.int16), {"unit": "cm"}, 0.006),
        (np.round(HEIGHTS_M * 10.0).astype(np.int16), {"scale": 0.1}, 0.06),
        (
            np.round((HEIGHTS_M - 40.0) * 100.0).astype(np.uint16),
            {"scale": 0.01, "offset": 40.0},
            0.006,
        ),
        (np.round(HEIGHTS_M * 10.0 / FOOT_M).astype(np.int16), {"scale": 0.1, "unit": "ft"}, 0.02),
    ],
)  # fmt: skip
def test_the_ground_is_in_metres_whatever_the_file_stores(
    tmp_path: Path, values: NDArray[np.generic], said: dict[str, object], within_m: float
) -> None:
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    source = stored(tmp_path, values, **said)  # type: ignore[arg-type]
    check_terrain(source)
    made = read_terrain(source, [AT_HOME])
    assert made.mean_m.shape == HEIGHTS_M.shape
    np.testing.assert_allclose(made.mean_m, HEIGHTS_M, atol=within_m)
    assert 50.0 < float(made.top_m.max()) < 80.0


@pytest.mark.parametrize("mark", [-9999.0, -32767.0, 3.4e38, 65535.0, np.inf, -np.inf])
def test_a_mark_for_missing_that_the_file_does_not_name_is_no_height(
    tmp_path: Path, mark: float
) -> None:
    values = HEIGHTS_M.astype(np.float32)
    values[30:40, 30:40] = mark
    made = read_terrain(stored(tmp_path, values), [AT_HOME])
    assert int(np.isnan(made.mean_m).sum()) == 100
    known = ~np.isnan(made.mean_m)
    np.testing.assert_allclose(made.mean_m[known], HEIGHTS_M[known], atol=1e-4)
    assert float(np.nanmax(made.top_m)) < 80.0


@pytest.mark.parametrize(
    ("said", "message"),
    [({"unit": "degC"}, "in degC"), ({"unit": "ft", "vertical": "+5710"}, "another unit")],
)
def test_heights_in_no_unit_of_length_or_in_two_are_refused(
    tmp_path: Path, said: dict[str, str], message: str
) -> None:
    source = stored(tmp_path, HEIGHTS_M.astype(np.float32), **said)  # type: ignore[arg-type]
    for refused in (lambda: check_terrain(source), lambda: read_terrain(source, [AT_HOME])):
        with pytest.raises(DecodeError, match=message):
            refused()
