from __future__ import annotations

import math

import numpy as np
import pytest

from sitl.light import shadow_map, sky_over_ground, sun_share
from sitl.materials import Material
from sitl.mesh import FloatArray, box, joined
from sitl.world import World

UP = np.array([0.0, 0.0, 1.0])


def ground_spots(world: World, count: int) -> FloatArray:
    rng = np.random.default_rng(6)
    places = rng.uniform(-12.0, 12.0, (count, 2))
    return np.column_stack([places, world.ground_height_m(places)])


def sun_at(world: World, spot: FloatArray) -> float:
    shadow, sun = world.light.shadow, world.light.sun
    slope = math.sqrt(1.0 - sun[2] ** 2) / sun[2]
    at = (float(spot[0]), float(spot[1]), float(spot[2]))
    return sun_share(at, slope, shadow.axes, shadow.corner, shadow.cell_m, shadow.height)


def test_shadows_lie_where_rays_to_the_sun_are_blocked(accident: World) -> None:
    spots = ground_spots(accident, 600)
    sun = np.tile(accident.light.sun, (len(spots), 1))
    blocked = np.isfinite(accident.first_hits(spots + 0.03 * accident.light.sun, sun))
    shaded = np.array([sun_at(accident, s) for s in spots]) < 0.5
    assert 0.02 < blocked.mean() < 0.6
    assert (shaded == blocked).mean() > 0.98


def test_the_sun_stands_where_azimuth_and_elevation_say(accident: World) -> None:
    east, north, up = accident.light.sun
    assert math.degrees(math.atan2(east, north)) == pytest.approx(accident.sun_azimuth_deg)
    assert math.degrees(math.asin(up)) == pytest.approx(accident.sun_elevation_deg)


def test_little_sky_is_seen_under_a_car_and_most_of_it_on_the_open_road(accident: World) -> None:
    light = accident.light
    tail, nose = (np.array(accident.point(f"car_1_{end}").enu_m) for end in ("rear", "front"))
    middle = 0.5 * (tail + nose)
    assert sky_over_ground(middle[0], middle[1], light.ground_grid, light.sky_on_ground) < 0.1
    open_road = np.array(accident.point("cp_5").enu_m)
    share = sky_over_ground(open_road[0], open_road[1], light.ground_grid, light.sky_on_ground)
    assert share > 0.85


def test_roofs_see_more_sky_than_tyres(accident: World) -> None:
    mesh, share = accident.mesh, accident.light.sky_at_vertices
    roofs, tyres = (
        share[np.unique(mesh.triangles[mesh.materials == m])]
        for m in (Material.ROOF, Material.TYRE)
    )
    assert roofs.mean() > tyres.mean() + 0.3


def test_a_shadow_map_straight_down_is_the_height_of_boxes() -> None:
    boxes = joined(
        [
            box((2.0, 2.0, 1.0), Material.PLAIN, 0),
            box((1.0, 1.0, 0.5), Material.PLAIN, 0).placed((3.0, 0.0, 0.0)),
        ]
    )
    shadow = shadow_map(boxes, UP, 0.1, 5.0)
    heights = shadow.height[shadow.height > -1e8]
    assert set(np.round(heights, 6)) == {1.0, 0.5}
    assert (heights == 1.0).sum() * 0.01 == pytest.approx(4.0)
