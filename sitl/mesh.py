"""Triangle meshes with what the shader needs, and the solids they are put together from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Triple = Sequence[float] | FloatArray
Float32Array = NDArray[np.float32]
IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Mesh:
    """A triangle soup with shading attributes.

    points_enu_m : (n, 3) float64
    normals : (n, 3) float64, unit, outward; for shading only
    texture : (n, 3) float64, the material's own coordinates in metres
    triangles : (m, 3) int32
    materials : (m,) int32, `materials.Material` numbers
    parts : (m,) int32, rows of the world's part table
    """

    points_enu_m: FloatArray
    normals: FloatArray
    texture: FloatArray
    triangles: IntArray
    materials: IntArray
    parts: IntArray

    def placed(self, origin_enu_m: Triple, yaw_rad: float = 0.0) -> Mesh:
        """The mesh turned counter-clockwise about its own z axis, then moved."""
        c, s = np.cos(yaw_rad), np.sin(yaw_rad)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        return self.transformed(turn, origin_enu_m)

    def transformed(self, rotation: FloatArray, origin_enu_m: Triple) -> Mesh:
        """The mesh rotated by a (3, 3) matrix, then moved."""
        return replace(
            self,
            points_enu_m=self.points_enu_m @ rotation.T + np.asarray(origin_enu_m, float),
            normals=self.normals @ rotation.T,
        )


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """All meshes as one."""
    offsets = np.cumsum([0] + [len(m.points_enu_m) for m in meshes])
    return Mesh(
        points_enu_m=np.concatenate([m.points_enu_m for m in meshes]),
        normals=np.concatenate([m.normals for m in meshes]),
        texture=np.concatenate([m.texture for m in meshes]),
        triangles=np.concatenate(
            [m.triangles + np.int32(o) for m, o in zip(meshes, offsets[:-1], strict=True)]
        ).astype(np.int32),
        materials=np.concatenate([m.materials for m in meshes]),
        parts=np.concatenate([m.parts for m in meshes]),
    )


def vertex_normals(points: FloatArray, triangles: IntArray) -> FloatArray:
    """(n, 3) unit normals, area-weighted over the triangles round each vertex."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    face = np.cross(b - a, c - a)
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], face)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.where(length > 0.0, length, 1.0))


def from_grid(
    points: FloatArray, texture: FloatArray, material: int, part: int, *, flip: bool = False
) -> Mesh:
    """A smooth-shaded surface over a (rows, columns, 3) grid of points.

    The normal is rows × columns; `flip` turns it over.
    """
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    a, b = index[:-1, :-1].ravel(), index[1:, :-1].ravel()
    c, d = index[1:, 1:].ravel(), index[:-1, 1:].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    if flip:
        triangles = triangles[:, ::-1]
    flat = np.ascontiguousarray(points.reshape(-1, 3), dtype=np.float64)
    triangles = _without_slivers(flat, np.ascontiguousarray(triangles))
    count = len(triangles)
    return Mesh(
        points_enu_m=flat,
        normals=vertex_normals(flat, triangles),
        texture=np.ascontiguousarray(texture.reshape(-1, 3), dtype=np.float64),
        triangles=triangles,
        materials=np.full(count, material, np.int32),
        parts=np.full(count, part, np.int32),
    )


def _without_slivers(points: FloatArray, triangles: IntArray) -> IntArray:
    a, b, c = (points[triangles[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    return np.asarray(triangles[area > 1e-12])


def quad(corners: FloatArray, texture: FloatArray, material: int, part: int) -> Mesh:
    """A flat four-sided face; its corners run counter-clockwise seen from outside."""
    a, b, c, d = corners
    return from_grid(
        np.array([[a, d], [b, c]]),
        np.array([[texture[0], texture[3]], [texture[1], texture[2]]]),
        material,
        part,
    )


def box(size_m: Triple, material: int, part: int) -> Mesh:
    """A box that stands on z = 0 with its centre at x = y = 0.

    Texture coordinates: along the face and up it; on the top and bottom x and y.  The third
    is 1 on the top, 0 on the sides and -1 below.
    """
    lx, ly, lz = size_m
    x, y = 0.5 * lx, 0.5 * ly
    ring = [(-x, -y), (x, -y), (x, y), (-x, y)]
    faces = []
    for i in range(4):
        (ax, ay), (bx, by) = ring[i], ring[(i + 1) % 4]
        corners = np.array([[ax, ay, 0.0], [bx, by, 0.0], [bx, by, lz], [ax, ay, lz]])
        length = float(np.hypot(bx - ax, by - ay))
        texture = np.array([[0.0, 0.0, 0], [length, 0.0, 0], [length, lz, 0], [0.0, lz, 0]])
        faces.append(quad(corners, texture, material, part))
    top = np.array([[px, py, lz] for px, py in ring])
    faces.append(quad(top, np.array([[px, py, 1.0] for px, py in ring]), material, part))
    low = np.array([[px, py, 0.0] for px, py in ring[::-1]])
    faces.append(quad(low, np.array([[px, py, -1.0] for px, py in ring[::-1]]), material, part))
    return joined(faces)


def lathe(profile: FloatArray, segments: int, material: int, part: int) -> Mesh:
    """A surface of revolution about z from a (k, 2) profile of radius and height.

    The profile runs so that the solid lies to its left seen with z up and radius to the right
    (upwards along an outer wall).  Texture: arc length round the widest circle, profile
    length, radius.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, segments + 1)
    radius, height = profile[:, 0], profile[:, 1]
    points = np.empty((segments + 1, len(profile), 3))
    points[..., 0] = np.cos(angle)[:, None] * radius
    points[..., 1] = np.sin(angle)[:, None] * radius
    points[..., 2] = height
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(radius), np.diff(height)))])
    texture = np.empty_like(points)
    texture[..., 0] = angle[:, None] * radius.max()
    texture[..., 1] = along
    texture[..., 2] = radius
    mesh = from_grid(points, texture, material, part)
    normals = mesh.normals.reshape(points.shape)
    seam = normals[0] + normals[-1]
    seam /= np.maximum(np.linalg.norm(seam, axis=1, keepdims=True), 1e-12)
    normals[0] = normals[-1] = seam
    return replace(mesh, normals=normals.reshape(-1, 3))


def cylinder(radius_m: float, height_m: float, material: int, part: int) -> Mesh:
    """A closed upright cylinder on z = 0, with a sharp rim."""
    r, h = radius_m, height_m
    side = lathe(np.array([[r, 0.0], [r, h]]), 20, material, part)
    cap = lathe(np.array([[r, h], [0.0, h]]), 20, material, part)
    return joined([side, cap])
