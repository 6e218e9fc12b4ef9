"""The textured mesh of the box world: on the surface, walls included, coloured by the photos."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from droneteam.errors import InputError, SceneError
from droneteam.photogrammetry.dense import fuse
from droneteam.photogrammetry.scene import Camera, DenseCloud, View
from droneteam.photogrammetry.surface import mesh, texture
from droneteam.photogrammetry.surface.mesh import Mesh, MeshParams, textured_mesh
from tests.photogrammetry.box_world import box_scene


def quiet(stage: str, fraction: float, message: str) -> None:
    """A progress callback that says nothing."""


@cache
def box_mesh() -> Mesh:
    pytest.importorskip("open3d", reason="open3d or a system library that it needs is missing")
    scene = box_scene()
    params = MeshParams(voxel_m=3 * scene.gsd_m, max_triangles=20_000, texture_px=1024)
    return textured_mesh(scene.network, scene.cloud, params, quiet)


def test_vertices_lie_on_the_surface() -> None:
    scene, found = box_scene(), box_mesh()
    distance = scene.world.distance(found.vertices_enu_m) / scene.gsd_m
    assert np.median(distance) < 0.5
    assert np.mean(distance < 4.0) > 0.95


def test_the_mesh_is_bounded_and_well_formed() -> None:
    found = box_mesh()
    assert 1000 < len(found.triangles) <= 20_000
    assert found.triangles.min() == 0
    assert found.triangles.max() == len(found.vertices_enu_m) - 1
    corner = found.vertices_enu_m[found.triangles]
    area = np.linalg.norm(
        np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1
    )
    assert np.mean(area > 0) > 0.999
    assert found.uv is not None
    assert found.uv.min() >= 0
    assert found.uv.max() <= 1


def test_the_ground_faces_up() -> None:
    found = box_mesh()
    corner = found.vertices_enu_m[found.triangles]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    ground = np.abs(corner[..., 2]).max(axis=1) < 0.02
    assert np.mean(normal[ground, 2] > 0) > 0.99


def test_the_texture_shows_the_surfaces_own_colours() -> None:
    """At triangle centres on the ground, the texture equals what the world's texture holds."""
    scene, found = box_scene(), box_mesh()
    assert found.uv is not None
    assert found.texture is not None
    centre = found.vertices_enu_m[found.triangles].mean(axis=1)
    uv = found.uv[found.triangles].mean(axis=1) * found.texture.shape[0]
    flat = (np.abs(centre[:, 2]) < 0.01) & (np.abs(centre[:, :2]).max(axis=1) < 2.0)
    flat &= (np.abs(centre[:, 0]) > 1.1) | (np.abs(centre[:, 1]) > 0.6)
    shown = found.texture[uv[flat, 1].astype(int), uv[flat, 0].astype(int)].astype(float)
    above = np.array([0.0, 0.0, 1e5])
    truth = scene.world.trace(above, centre[flat] * [1, 1, 0] - above)[1]
    error = np.abs(shown - truth).mean(axis=1)
    assert np.median(error) < 10.0
    assert np.median(np.abs(shown - truth[::-1]).mean(axis=1)) > 20.0


def test_without_a_texture_there_are_vertex_colours() -> None:
    pytest.importorskip("open3d")
    scene = box_scene()
    params = MeshParams(voxel_m=6 * scene.gsd_m, max_triangles=2000, texture_px=0)
    found = textured_mesh(scene.network, scene.cloud, params, quiet)
    assert found.texture is None
    assert found.uv is None
    assert len(found.triangles) <= 2000
    assert found.colors.std() > 5


def test_too_thin_a_cloud_is_refused() -> None:
    pytest.importorskip("open3d")
    with pytest.raises(SceneError, match="at least 100 points"):
        textured_mesh(box_scene().network, fuse.concatenate([]), MeshParams(0.1), quiet)
    with pytest.raises(InputError):
        MeshParams(voxel_m=0.0)


def test_vertex_normals_are_the_mean_of_their_faces() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    triangles = np.array([[0, 1, 2], [0, 3, 1]], np.int32)
    normals = mesh.vertex_normals(vertices, triangles)
    assert normals[2] == pytest.approx([0, 0, 1])
    assert normals[0] == pytest.approx([0, 0.5**0.5, 0.5**0.5])


def test_boxes_are_packed_without_overlap_inside_the_square() -> None:
    rng = np.random.default_rng(12)
    sizes = rng.integers(1, 90, (300, 2))
    scale, corner = texture.pack(sizes, 512)
    placed = np.maximum(np.ceil(sizes * scale[:, None]).astype(int), 1)
    canvas = np.zeros((512, 512), int)
    for (w, h), (x, y) in zip(placed, corner, strict=True):
        canvas[y : y + h, x : x + w] += 1
    assert canvas.max() == 1
    assert canvas.sum() == np.prod(placed, axis=1).sum()
    assert 0.2 < scale[0] <= 1.0


def test_more_boxes_than_pixels_are_refused() -> None:
    with pytest.raises(InputError, match="texture"):
        texture.pack(np.ones((5000, 2), np.int64), 64)


def test_a_lone_triangle_takes_its_neighbours_photo_when_it_is_nearly_as_good() -> None:
    """A row of triangles; one in the middle barely prefers another photo."""
    m = 9
    photo = np.tile(np.array([0, 1, -1, -1], np.int16), (m, 1))
    quality = np.tile(np.array([1.0, 0.8, 0, 0], np.float32), (m, 1))
    photo[4] = [1, 0, -1, -1]
    quality[4] = [1.0, 0.9, 0, 0]
    i = np.arange(m - 1)
    adjacency = sparse.csr_array(
        (np.ones(2 * (m - 1), np.int8), (np.r_[i, i + 1], np.r_[i + 1, i])), shape=(m, m)
    )
    assert texture.smooth_labels(photo, quality, adjacency).tolist() == [0] * m
    quality[4] = [1.0, 0.3, 0, 0]
    assert texture.smooth_labels(photo, quality, adjacency)[4] == 1


def test_what_no_photo_sees_has_its_own_vertices_colour() -> None:
    """Not the grey that made slivers in a dent look like damage; nobody sees these two pieces."""
    camera = Camera("PINHOLE", 64, 48, (50.0, 50.0, 32.0, 24.0))
    view = View("none.jpg", Path("none.jpg"), camera, np.eye(4)[:3])
    below = np.array([[0, 0, -9], [1, 0, -9], [0, 1, -9], [5, 5, -9], [6, 5, -9], [5, 6, -9.0]])
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    colors = np.array([[200, 0, 0]] * 3 + [[0, 0, 90], [0, 0, 120], [0, 0, 150]], np.uint8)
    atlas = texture.build_atlas(
        (view,), below, triangles, lambda _, targets: np.zeros(len(targets)), 64, None,
        lambda _: None, colors,
    )  # fmt: skip
    assert (atlas.photo == -1).all()
    column, row = (atlas.uv[atlas.triangles] * 64).astype(int).transpose(2, 0, 1)
    assert (atlas.image[row[0], column[0]] == [200, 0, 0]).all()
    assert (atlas.image[row[1], column[1]] == [0, 0, 120]).all()


def test_adjacent_triangles_share_an_edge() -> None:
    triangles = np.array([[0, 1, 2], [2, 1, 3], [3, 4, 5]], np.int32)
    adjacency = texture.triangle_adjacency(triangles).toarray()
    assert adjacency.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_each_voxel_is_the_mean_of_its_points_whatever_the_slabs(monkeypatch) -> None:
    """Against a dictionary of lists; slabs of a few points and the cloud in one piece agree."""
    rng = np.random.default_rng(21)
    n = 3000
    points = rng.uniform([100.0, 40.0, -1.0], [103.0, 41.0, 0.5], (n, 3))
    normals = rng.normal(size=(n, 3)).astype(np.float32)
    cloud = DenseCloud(
        points, normals, np.zeros((n, 3), np.uint8), np.ones(n, np.float32), np.ones(n, np.uint8)
    )
    offset, voxel_m = np.array([100.0, 40.0, 0.0]), 0.25
    low = points.min(axis=0) - 0.5 * voxel_m
    boxes: dict[tuple[int, ...], list[int]] = {}
    for number, place in enumerate(np.floor((points - low) / voxel_m).astype(int)):
        boxes.setdefault(tuple(place), []).append(number)
    expected = [boxes[key] for key in sorted(boxes)]
    for slab_points in (mesh.SLAB_POINTS, 400):
        monkeypatch.setattr(mesh, "SLAB_POINTS", slab_points)
        positions, means = mesh.voxel_means(cloud, offset, voxel_m)
        assert np.allclose(positions, [points[m].mean(axis=0) - offset for m in expected])
        assert np.allclose(means, [normals[m].mean(axis=0) for m in expected], atol=1e-6)
