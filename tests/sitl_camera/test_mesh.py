from __future__ import annotations

import numpy as np
import pytest

from sitl import props
from sitl.mesh import FloatArray, Mesh, box, cylinder, joined, lathe, quad, vertex_normals


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem: positive when faces turn outwards."""
    a, b, c = (mesh.points_enu_m[mesh.triangles[:, i]] for i in range(3))
    return float(np.sum(a * np.cross(b, c)) / 6.0)


def area(mesh: Mesh) -> float:
    a, b, c = (mesh.points_enu_m[mesh.triangles[:, i]] for i in range(3))
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)


def test_a_boxs_volume_and_area() -> None:
    solid = box((2.0, 3.0, 0.5), 11, 4)
    assert volume(solid) == pytest.approx(3.0)
    assert area(solid) == pytest.approx(17.0)
    assert set(solid.materials) == {11}
    assert set(solid.parts) == {4}
    assert solid.points_enu_m[:, 2].min() == 0.0


def test_a_lathes_solid_has_pappus_volume() -> None:
    profile = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0], [0.0, 2.0]])
    ring = 200
    expected = ring * 0.5 * np.sin(2.0 * np.pi / ring) * 2.0  # a prism over the polygon
    assert volume(lathe(profile, ring, 0, 0)) == pytest.approx(expected)


def test_a_cylinders_normals_point_outwards() -> None:
    mesh = cylinder(0.5, 2.0, 0, 0)
    side = mesh.points_enu_m[:, 2] < 1.9
    radial = mesh.points_enu_m[side, :2] / 0.5
    # Quads split along one diagonal weigh their two triangles unevenly: within 4°.
    np.testing.assert_allclose(mesh.normals[side, :2], radial, atol=0.06)
    np.testing.assert_allclose(mesh.normals[-1], [0.0, 0.0, 1.0], atol=1e-9)


def test_placing_turns_counter_clockwise_then_moves() -> None:
    mesh = box((2.0, 1.0, 1.0), 0, 0).placed((5.0, 0.0, 3.0), 0.5 * np.pi)
    np.testing.assert_allclose(mesh.points_enu_m.min(axis=0), [4.5, -1.0, 3.0], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0)


def test_joining_keeps_every_triangle() -> None:
    a, b = box((1.0, 1.0, 1.0), 1, 2), box((2.0, 2.0, 2.0), 3, 4)
    both = joined([a, b])
    assert volume(both) == pytest.approx(9.0)
    assert list(np.unique(both.parts)) == [2, 4]


def test_normals_of_a_plane_are_its_normal() -> None:
    corners = np.array([[0, 0, 0], [1, 0, 1], [1, 1, 1], [0, 1, 0]], float)
    mesh = quad(corners, corners, 0, 0)
    expected = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2.0)
    np.testing.assert_allclose(mesh.normals, np.tile(expected, (4, 1)))
    assert vertex_normals(corners, np.zeros((0, 3), np.int32)).shape == (4, 3)


def test_a_scale_bars_named_ends_lie_on_its_top(foot: FloatArray) -> None:
    stage = props.Stage()
    ends = props.scale_bar(stage, foot, 0.4, 1.5)
    assert np.linalg.norm(ends[1] - ends[0]) == pytest.approx(1.5)
    top = stage.meshes[0].points_enu_m[:, 2].max()
    np.testing.assert_allclose(ends[:, 2], top)


@pytest.mark.parametrize("size_m", [0.05, 0.3])
def test_fragments_are_closed_and_rest_in_the_grit(foot: FloatArray, size_m: float) -> None:
    stage, rng = props.Stage(), np.random.default_rng(3)
    for _ in range(20):
        props.fragment(stage, foot, size_m, (0.1, 0.1, 0.1), rng)
    for mesh in stage.meshes:
        assert volume(mesh) > 0.0
        low = mesh.points_enu_m[:, 2].min() - foot[2]
        assert -0.005 < low < 0.0


def test_every_prop_names_a_row_of_the_part_table(foot: FloatArray) -> None:
    stage, rng = props.Stage(), np.random.default_rng(3)
    props.building(stage, foot, 0.0, (10.0, 8.0, 6.0), (0.2, 0.1, 0.1))
    props.garden_wall(stage, foot, 0.0, 5.0, 1.5)
    props.hedge(stage, foot, 0.0, 5.0, rng)
    props.tree(stage, foot, 3.5, rng)
    props.post(stage, foot, 0.05, 1.0, 0.2)
    props.cone(stage, foot)
    props.lamp_post(stage, foot, np.array([1.0, 0.0, 0.0]))
    for mesh in stage.meshes:
        assert mesh.parts.min() >= 1
        assert mesh.parts.max() < len(stage.parts)
        assert np.isfinite(mesh.points_enu_m).all()


@pytest.fixture
def foot() -> FloatArray:
    return np.array([3.0, -2.0, 0.7])
