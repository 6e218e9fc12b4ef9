from __future__ import annotations

import math

import numpy as np
import pytest

from sitl.ground import KERB_HEIGHT_M, Corridor, Layout, ground_mesh, surface_height
from sitl.materials import Material
from sitl.world import ground_heights

STREET = Layout((Corridor("s", 0.0, 7.0, -90.0, 90.0),), 0.0, 2.0, 0.025, 0.006, 0.25, 0.5, 5)
CROSS = Layout(
    (Corridor("s", 0.0, 6.0, -90.0, 90.0), Corridor("t", 1.0, 5.0, -90.0, 90.0)),
    0.7, 1.8, 0.02, 0.01, 0.3, 0.5, 5,
)  # fmt: skip


def test_the_road_is_a_parabola_across_and_a_slope_along() -> None:
    mesh = ground_mesh(STREET, 10.0, 30.0)
    places = np.array([[4.0, 0.0], [4.0, 1.75], [4.0, -1.75], [-6.0, 0.0], [4.0, 3.5 - 1e-6]])
    crown = 0.5 * 0.025 * 3.5
    expected = [0.024 + crown, 0.024 + 0.75 * crown, 0.024 + 0.75 * crown, crown - 0.036, 0.024]
    # Between its lines the mesh is a chord of the parabola: at most c²/8 · 2·crown/3.5² below.
    np.testing.assert_allclose(ground_heights(mesh, places), expected, atol=2.5e-4)


def test_the_kerb_is_twelve_centimetres_high() -> None:
    mesh = ground_mesh(STREET, 10.0, 30.0)
    below, above = ground_heights(mesh, np.array([[0.0, 3.5 - 1e-6], [0.0, 3.5 + 1e-6]]))
    assert above - below == pytest.approx(KERB_HEIGHT_M, abs=1e-5)


def test_the_pavement_falls_towards_the_kerb() -> None:
    mesh = ground_mesh(STREET, 10.0, 30.0)
    inner, outer = ground_heights(mesh, np.array([[0.0, 4.0], [0.0, 5.0]]))
    assert outer - inner == pytest.approx(0.02, abs=1e-6)


@pytest.mark.parametrize("layout", [STREET, CROSS])
def test_every_slanted_ray_from_above_meets_the_ground(layout: Layout) -> None:
    """Walls close every step: no ray slips between two surfaces."""
    from sitl.raster import first_hits

    mesh = ground_mesh(layout, 8.0, 30.0)
    corners = np.ascontiguousarray(mesh.points_enu_m[mesh.triangles])
    rng = np.random.default_rng(1)
    origins = np.column_stack([rng.uniform(-7, 7, (4000, 2)), np.full(4000, 3.0)])
    rays = np.column_stack([rng.uniform(-1.5, 1.5, (4000, 2)), np.full(4000, -1.0)])
    distance, ident = np.full(4000, np.inf), np.full(4000, -1, np.int32)
    first_hits(origins, rays, corners, distance, ident)
    assert np.isfinite(distance).all()


def test_normals_point_up_or_sideways_and_faces_turn_outwards() -> None:
    mesh = ground_mesh(CROSS, 8.0, 30.0)
    assert mesh.normals[:, 2].min() > -1e-9
    corners = mesh.points_enu_m[mesh.triangles]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = np.abs(mesh.normals[mesh.triangles[:, 0], 2]) > 0.5
    assert (face[flat, 2] > 0.0).all()


def test_at_a_crossing_both_carriageways_are_asphalt_without_a_step() -> None:
    mesh = ground_mesh(CROSS, 8.0, 30.0)
    s = np.full(41, 1.0)
    t = np.linspace(-6.0, 6.0, 41)
    enu = CROSS.enu_from_road(s, t, np.zeros(41))
    heights = ground_heights(mesh, enu[:, :2])
    assert np.abs(np.diff(heights)).max() < 0.02


def test_relief_grows_with_distance_from_the_pavement() -> None:
    t = np.array([5.5, 20.0])
    s = np.linspace(-30.0, 30.0, 200)
    near, far = (surface_height(STREET, Material.GRASS, s, np.full(200, v)) - 0.006 * s for v in t)
    assert np.ptp(near) < 1e-9
    assert 0.1 < np.ptp(far) < 1.0


def test_road_directions_turn_with_the_heading() -> None:
    np.testing.assert_allclose(
        CROSS.direction(0.5 * math.pi), [-math.sin(0.7), math.cos(0.7), 0.0], atol=1e-12
    )
