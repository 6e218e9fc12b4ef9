from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sitl.cars import CarSpec, Crush, car_mesh
from sitl.materials import Material
from sitl.mesh import FloatArray, Mesh

WHOLE = CarSpec("saloon", 4.62, 1.82, 1.44, (0.4, 0.4, 0.4), (), 3)
DENT = Crush((2.2, 0.0, 0.6), (-0.4, 0.0, 0.0), 1.0)


def body(mesh: Mesh) -> FloatArray:
    return mesh.points_enu_m[np.unique(mesh.triangles[mesh.materials == Material.CAR_BODY])]


@pytest.mark.parametrize("style", ["saloon", "hatchback"])
def test_an_undamaged_car_has_the_size_of_its_data_sheet(style: str) -> None:
    mesh, _ = car_mesh(replace(WHOLE, style=style), 1)
    size = np.ptp(body(mesh), axis=0)
    assert size[0] == pytest.approx(WHOLE.length_m, abs=0.005)
    assert size[1] == pytest.approx(WHOLE.width_m, abs=0.06)  # rounding draws the flanks in
    assert body(mesh)[:, 2].max() == pytest.approx(WHOLE.height_m, abs=0.02)


def test_the_wheels_stand_on_the_road() -> None:
    mesh, _ = car_mesh(WHOLE, 1)
    tyres = mesh.points_enu_m[np.unique(mesh.triangles[mesh.materials == Material.TYRE])]
    assert tyres[:, 2].min() == pytest.approx(0.0, abs=1e-9)


def test_the_body_is_closed() -> None:
    """Every edge of the welded body belongs to two triangles."""
    mesh, _ = car_mesh(WHOLE, 1)
    triangles = mesh.triangles[mesh.materials == Material.CAR_BODY]
    _, same = np.unique(np.round(mesh.points_enu_m, 7), axis=0, return_inverse=True)
    welded = same.ravel()[triangles]
    welded = welded[(np.diff(np.sort(welded, axis=1), axis=1) > 0).all(axis=1)]
    edges = np.sort(np.concatenate([welded[:, [0, 1]], welded[:, [1, 2]], welded[:, [2, 0]]]), 1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).mean() > 0.995


def test_normals_point_out_of_the_body() -> None:
    mesh, _ = car_mesh(WHOLE, 1)
    corners = mesh.points_enu_m[mesh.triangles[mesh.materials == Material.CAR_BODY]]
    face = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - [0.0, 0.0, 0.6]
    outward[:, 0] *= 0.2
    assert (np.sum(face * outward, axis=1) >= -1e-7).mean() > 0.97
    volume = np.sum(corners[:, 0] * np.cross(corners[:, 1], corners[:, 2])) / 6.0
    assert 5.0 < volume < 9.5  # a saloon's envelope in cubic metres


def test_a_crush_shortens_the_car_and_leaves_its_tail() -> None:
    whole, _ = car_mesh(WHOLE, 1)
    crushed, _ = car_mesh(replace(WHOLE, crushes=(DENT,)), 1)
    assert 0.08 < body(whole)[:, 0].max() - body(crushed)[:, 0].max() < 0.6
    assert body(crushed)[:, 0].min() == body(whole)[:, 0].min()


def test_texture_coordinates_stay_those_of_the_undamaged_car() -> None:
    whole, _ = car_mesh(WHOLE, 1)
    crushed, _ = car_mesh(replace(WHOLE, crushes=(DENT,)), 1)
    np.testing.assert_array_equal(whole.texture, crushed.texture)


def test_part_rows_follow_the_parts_that_the_mesh_names() -> None:
    mesh, rows = car_mesh(WHOLE, 7)
    assert set(np.unique(mesh.parts)) == {7, 8, 9}
    assert len(rows) == 3
