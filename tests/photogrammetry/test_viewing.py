"""Cameras and places as a viewer shows them, against projections made on their own."""

from __future__ import annotations

import numpy as np
import pyproj
import pytest

from droneteam.errors import DecodeError, InputError
from droneteam.geo import EnuFrame
from droneteam.photogrammetry import viewing
from droneteam.photogrammetry.cameras.mapping import project
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.scene import Frame
from droneteam.photogrammetry.surface.rasters import MEASURED, Grid, Raster
from droneteam.photogrammetry.viewing import Place
from tests.photogrammetry.networks import ORIGIN, block_poses, network, orbit_poses
from tests.photogrammetry.test_marking import cameras_of

TRUTH = network([*block_poses(), *orbit_poses(4)], n_points=40, seed=5)
NETWORK = cameras_of(TRUTH)
FRAME = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
GSD_M = 0.25
HALF_M = 30.0


def ground(up_m: float = -5.0) -> Raster:
    """A level plane below everything, with a wall of 12 m along the east of the origin."""
    cells = round(2 * HALF_M / GSD_M)
    height = np.full((cells, cells), up_m, np.float32)
    grid = Grid(-HALF_M, HALF_M, GSD_M, cells, cells)
    return Raster(grid, height, np.full(height.shape, MEASURED, np.uint8), 0 * height + 0.01)


def with_wall(raster: Raster, east_m: float, top_m: float) -> Raster:
    column = round((east_m + HALF_M) / GSD_M)
    raster.height_m[:, column - 2 : column + 2] = top_m
    return raster


def test_a_place_lies_in_every_photo_where_the_projection_puts_it() -> None:
    for point in TRUTH.points[:8]:
        found = viewing.photos_showing(NETWORK, ground(), point)
        expected = {}
        for view in TRUTH.views:
            x, y = project(view, point[None])[0]
            if 0 <= x <= view.camera.width_px and 0 <= y <= view.camera.height_px:
                expected[view.name] = (x, y)
        assert {row.photo for row in found} == set(expected)
        assert len(found) >= 2
        for row in found:
            assert np.allclose((row.x_px, row.y_px), expected[row.photo], atol=0.01)


def test_the_photo_that_sees_it_finest_comes_first_with_its_pixels_size() -> None:
    point = TRUTH.points[0]
    found = viewing.photos_showing(NETWORK, ground(), point)
    sizes = [row.pixel_m for row in found]
    assert sizes == sorted(sizes)
    view = next(v for v in TRUTH.views if v.name == found[0].photo)
    beside = point + found[0].pixel_m * view.cam_from_enu[0, :3]
    moved = np.linalg.norm(project(view, beside[None])[0] - [found[0].x_px, found[0].y_px])
    assert moved == pytest.approx(1.0, abs=0.05)
    assert found[0].distance_m == pytest.approx(np.linalg.norm(view.centre_enu_m - point))


@pytest.mark.parametrize(
    ("eye", "hidden"),
    [((20.0, 0.0, 5.0), True), ((-20.0, 0.0, 5.0), False), ((0.5, 0.0, 30.0), False),
     ((6.0, 0.0, 40.0), False), ((20.0, 0.0, 30.0), False)],
)  # fmt: skip
def test_a_wall_hides_a_place_from_behind_it_and_from_nowhere_else(
    eye: tuple[float, float, float], hidden: bool
) -> None:
    """The wall stands 5 m to the east and is 5 m high; from (20, 30) the line passes 7.5 m up."""
    raster = with_wall(ground(0.0), 5.0, 5.0)
    assert viewing.is_hidden(raster, np.zeros(3), np.array(eye)) is hidden


def test_what_is_unknown_hides_nothing_and_neither_does_the_places_own_noise() -> None:
    raster = with_wall(ground(0.0), 5.0, np.nan)
    assert not viewing.is_hidden(raster, np.zeros(3), np.array([20.0, 0.0, 5.0]))
    rough = ground(0.0)
    rough.height_m[:] = 0.3 * np.random.default_rng(1).standard_normal(rough.height_m.shape)
    assert not viewing.is_hidden(rough, np.zeros(3), np.array([20.0, 0.0, 30.0]))


def test_hidden_photos_come_last_and_say_so() -> None:
    point = np.array([0.0, 0.0, -5.0])
    walls = with_wall(with_wall(ground(), 4.0, 30.0), -4.0, 30.0)
    found = viewing.photos_showing(NETWORK, walls, point)
    flags = [row.hidden for row in found]
    assert True in flags
    assert False in flags
    assert flags == sorted(flags)


def test_a_camera_holds_what_lies_between_its_corner_rays() -> None:
    for view in NETWORK.views[:3]:
        pose = viewing.camera_pose(view)
        assert np.allclose(pose.centre_enu_m, view.centre_enu_m)
        ends = np.array(pose.centre_enu_m) + 7.0 * np.array(pose.corner_rays)
        width, height = view.camera.width_px, view.camera.height_px
        corners = [[0, 0], [width, 0], [width, height], [0, height]]
        assert np.allclose(project(view, ends), corners, atol=0.05)
        depth = ends @ view.cam_from_enu[2, :3] + view.cam_from_enu[2, 3]
        assert np.allclose(depth, 7.0)


@pytest.mark.parametrize("epsg", [3812, 32631])
def test_the_scenes_frame_lies_in_the_cloud_as_its_writer_put_it(epsg: int) -> None:
    middle = (649_300.0, 665_200.0, 104.0)
    matrix = viewing.cloud_from_enu(FRAME, pyproj.CRS.from_epsg(epsg), middle)
    points = np.random.default_rng(2).uniform(-100, 100, (50, 3))
    expected = Placement(FRAME, epsg).from_enu(points) - middle
    assert np.abs(points @ matrix[:, :3].T + matrix[:, 3] - expected).max() < 5e-3
    at_origin = Placement(FRAME, epsg).from_enu(np.zeros((1, 3)))[0] - middle
    assert np.allclose(matrix[:, 3], at_origin, atol=1e-9)


def test_a_cloud_in_the_frame_itself_is_only_moved_by_its_middle() -> None:
    local = Frame("local", None, "none", metric=True)
    matrix = viewing.cloud_from_enu(local, None, (1.0, 2.0, 3.0))
    assert np.allclose(matrix, np.column_stack([np.eye(3), [-1.0, -2.0, -3.0]]))


def test_a_reference_system_without_a_code_is_named() -> None:
    own = pyproj.CRS.from_proj4("+proj=tmerc +lat_0=50 +lon_0=4.123 +ellps=GRS80")
    with pytest.raises(DecodeError, match="EPSG"):
        viewing.cloud_from_enu(FRAME, own, (0.0, 0.0, 0.0))


def test_a_tapped_place_is_the_same_point_by_latitude_and_by_metres() -> None:
    point = np.array([4.0, -7.0, -5.0])
    lat, lon, height = EnuFrame(ORIGIN).geodetic_from_enu(point[None])[0]
    raster = ground()
    for place in (
        Place((lat, lon), geographic=True),
        Place((lat, lon), geographic=True, height_m=float(height)),
        Place((4.0, -7.0), geographic=False),
        Place((4.0, -7.0), geographic=False, height_m=-5.0),
    ):
        assert np.allclose(viewing.point_of(FRAME, raster, place), point, atol=1e-3)


def test_a_place_off_the_surface_needs_a_height_and_one_on_no_earth_has_no_latitude() -> None:
    raster = ground()
    with pytest.raises(InputError, match="not known at 99"):
        viewing.point_of(FRAME, raster, Place((99.0, 0.0), geographic=False))
    high = viewing.point_of(FRAME, raster, Place((99.0, 0.0), geographic=False, height_m=3.0))
    assert np.allclose(high, [99.0, 0.0, 3.0])
    local = Frame("local", None, "none", metric=True)
    with pytest.raises(InputError, match="no place on the earth"):
        viewing.point_of(local, raster, Place((50.0, 4.0), geographic=True))
