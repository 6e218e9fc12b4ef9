"""A scene is cut to the area that was asked for, and a wrong area is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import DecodeError, InputError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.area import MARGIN_M, Corners, crop, read_area
from droneteam.photogrammetry.scene import DenseCloud, Frame

ORIGIN = GeoPoint(50.82, 4.39, 100.0)
PLACED = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)


def square(half_m: float, east_m: float = 0.0) -> Corners:
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    points = np.array([[east_m + a * half_m, b * half_m, 0.0] for a, b in signs])
    geodetic = EnuFrame(ORIGIN).geodetic_from_enu(points)
    return tuple((float(lat), float(lon)) for lat, lon, _ in geodetic)


def grid(half_m: int) -> DenseCloud:
    axis = np.arange(-half_m, half_m + 1.0)
    east, north = (values.ravel() for values in np.meshgrid(axis, axis))
    n = len(east)
    return DenseCloud(
        points_enu_m=np.column_stack([east, north, np.linspace(-5, 5, n)]),
        normals=np.tile(np.float32([0, 0, 1]), (n, 1)),
        colors=np.arange(3 * n).reshape(n, 3).astype(np.uint8),
        sigma_m=np.arange(n, dtype=np.float32),
        n_views=np.full(n, 3, np.uint8),
    )


def test_what_lies_in_the_area_and_its_margin_stays() -> None:
    cloud = grid(30)
    cut = crop(cloud, square(10.0), PLACED)
    reach = np.abs(cut.points_enu_m[:, :2]).max(axis=1)
    assert reach.max() <= 10.0 + MARGIN_M
    inside = np.abs(cloud.points_enu_m[:, :2]).max(axis=1) <= 10.0
    assert np.isin(cloud.sigma_m[inside], cut.sigma_m).all()
    rows = cut.sigma_m.astype(int)
    np.testing.assert_array_equal(cut.points_enu_m, cloud.points_enu_m[rows])
    np.testing.assert_array_equal(cut.colors, cloud.colors[rows])


def test_an_area_beside_the_scene_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing of the scene"):
        crop(grid(5), square(5.0, east_m=500.0), PLACED)


def test_a_scene_without_a_place_cannot_be_cut() -> None:
    with pytest.raises(InputError, match="placed on the earth"):
        crop(grid(5), square(5.0), Frame("local", None, "none", metric=False))


def geojson(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "area.geojson"
    path.write_text(json.dumps(content))
    return path


RING = [[4.39, 50.82], [4.391, 50.82], [4.391, 50.821], [4.39, 50.82]]
POLYGON = {"type": "Polygon", "coordinates": [RING]}
FEATURE = {"type": "Feature", "geometry": POLYGON, "properties": {}}


@pytest.mark.parametrize(
    "content", [POLYGON, FEATURE, {"type": "FeatureCollection", "features": [FEATURE]}]
)
def test_one_polygon_is_read_with_latitude_first(tmp_path: Path, content: object) -> None:
    expected = ((50.82, 4.39), (50.82, 4.391), (50.821, 4.391))
    assert read_area(geojson(tmp_path, content)) == expected


BOW = [[4.0, 50.0], [4.1, 50.1], [4.1, 50.0], [4.0, 50.1], [4.0, 50.0]]


def test_an_area_that_crosses_itself_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cross or vanish"):
        read_area(geojson(tmp_path, {"type": "Polygon", "coordinates": [BOW]}))


@pytest.mark.parametrize(
    "content",
    [
        {"type": "Point", "coordinates": [4, 50]},
        {"type": "Polygon", "coordinates": [[["x", 50], [5, 50], [4, 50], ["x", 50]]]},
        {"type": "Polygon", "coordinates": [[[4, 99], [5, 50], [4, 51], [4, 99]]]},
    ],
)
def test_what_is_no_polygon_on_the_globe_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises((DecodeError, InputError)):
        read_area(geojson(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone"):
        read_area(tmp_path / "gone")
