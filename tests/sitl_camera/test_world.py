from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from shapely.geometry import Polygon

from droneteam.errors import InputError
from sitl.world import NamedPoint, World, named_area, named_length
from sitl.worlds import GCP_HALF_M, make_world


@pytest.fixture(scope="module", params=[("accident", 1), ("accident", 2), ("crossing", 1)])
def world(request: pytest.FixtureRequest) -> World:
    return make_world(*request.param)


def test_every_named_point_lies_on_a_surface(world: World) -> None:
    """Seen from all round at a hand's breadth, the first surface met is the point itself."""
    rng = np.random.default_rng(1)
    directions = rng.normal(size=(40, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for point in world.points:
        at = np.array(point.enu_m)
        distance = world.first_hits(at + 0.1 * directions, -directions)
        assert np.abs(distance - 0.1).min() < 2e-6, point.name


def test_names_are_unique_and_lengths_join_them(world: World) -> None:
    places = {p.name: np.array(p.enu_m) for p in world.points}
    assert len(places) == len(world.points)
    for line in (*world.lengths, *world.scale_bars):
        expected = sum(np.linalg.norm(places[b] - places[a]) for a, b in pairwise(line.points))
        assert line.length_m == pytest.approx(expected, abs=1e-12)


def test_the_area_is_the_polygons(world: World) -> None:
    places = {p.name: p.enu_m for p in world.points}
    for area in world.areas:
        ring = Polygon([places[name][:2] for name in area.points])
        assert ring.is_valid
        assert area.area_horizontal_m2 == pytest.approx(ring.area, abs=1e-9)
        assert 0.0 <= area.area_plane_m2 / area.area_horizontal_m2 - 1.0 < 0.01


def test_scale_bars_have_their_nominal_length(world: World) -> None:
    for bar in world.scale_bars:
        assert bar.length_m == pytest.approx(round(bar.length_m, 1), abs=1e-9)


def test_targets_are_spread_and_do_not_touch(world: World) -> None:
    targets = [np.array(p.enu_m) for p in world.points if p.kind in ("gcp", "check")]
    assert len([p for p in world.points if p.kind == "gcp"]) >= 6
    assert len([p for p in world.points if p.kind == "check"]) >= 5
    nearest = min(float(np.linalg.norm(a - b)) for a, b in combinations(targets, 2))
    assert nearest > 3.0 * GCP_HALF_M
    assert np.ptp(np.array(targets)[:, :2], axis=0).min() > 10.0


def test_damaged_cars_are_shorter_than_new_ones(world: World) -> None:
    for line in world.lengths:
        if line.name.startswith("car_"):
            assert 3.0 < line.length_m < 4.7


def test_the_ground_below_the_origin_is_near_the_origins_height(world: World) -> None:
    assert abs(world.ground_height_m(np.zeros((1, 2)))[0]) < 0.1


def test_ground_beyond_the_worlds_edge_has_no_height(accident: World) -> None:
    assert np.isnan(accident.ground_height_m(np.array([[9_000.0, 0.0]])))[0]


def test_the_same_seed_builds_the_same_world(accident: World) -> None:
    again = make_world("accident", 1)
    np.testing.assert_array_equal(again.mesh.points_enu_m, accident.mesh.points_enu_m)
    np.testing.assert_array_equal(again.decals.rows, accident.decals.rows)
    assert again.points == accident.points


def test_another_seed_builds_another_world(accident: World) -> None:
    other = make_world("accident", 2)
    assert {p.name for p in other.points} == {p.name for p in accident.points}
    moved = [
        np.linalg.norm(np.subtract(other.point(p.name).enu_m, p.enu_m)) for p in accident.points
    ]
    assert np.median(moved) > 0.3


def test_an_unknown_world_or_point_is_named_in_the_error(accident: World) -> None:
    with pytest.raises(InputError, match="'moon' is unknown; there are accident, crossing"):
        make_world("moon")
    with pytest.raises(InputError, match="no point 'gcp_99'"):
        accident.point("gcp_99")


def test_a_right_triangles_hypotenuse_and_area() -> None:
    points = [
        NamedPoint("a", "area", (0.0, 0.0, 0.0)),
        NamedPoint("b", "area", (3.0, 0.0, 0.0)),
        NamedPoint("c", "area", (3.0, 4.0, 3.0)),
    ]
    assert named_length("ac", [points[0], points[2]]).length_m == pytest.approx(34.0**0.5)
    area = named_area("abc", points)
    assert area.area_horizontal_m2 == pytest.approx(6.0)
    assert area.area_plane_m2 == pytest.approx(7.5)
