"""A closed-looking surface of the cloud, walls and undersides included, textured by the photos.

Screened Poisson reconstruction (Kazhdan & Hoppe, ACM TOG 2013, 32:29) through open3d, cut back
to where there are points, since it otherwise bridges what nobody saw; then reduced to a bounded
number of triangles and textured (`texture`).  open3d is large: it is imported here only, and
only when a mesh is made.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from droneteam.errors import InputError, SceneError, SetupError
from droneteam.photogrammetry.scene import CameraNetwork, DenseCloud, FloatArray
from droneteam.photogrammetry.surface import texture

Progress = Callable[[str, float, str], None]

STAGE = "surface"
MAX_INPUT_POINTS = 1_500_000
SLAB_POINTS = 1_000_000
"""Points of the cloud that are thinned at once, about."""
MOST_SLABS = 1000
DEEPEST = 10
SHALLOWEST = 5
UNSUPPORTED_VOXELS = 3.0
"""A vertex farther than this from any point is an invention of the reconstruction."""
NEIGHBOURS_FOR_COLOUR = 3


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A triangle mesh.

    vertices_enu_m : (n, 3) float64; triangles : (m, 3) int32, counter-clockwise from outside;
    normals : (n, 3) float32; colors : (n, 3) uint8; uv : (n, 2) float32, (0, 0) at the texture's
    top left, and texture : (h, w, 3) uint8, both None when there is no texture.
    """

    vertices_enu_m: FloatArray
    triangles: NDArray[np.int32]
    normals: NDArray[np.float32]
    colors: NDArray[np.uint8]
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class MeshParams:
    """How fine a mesh is.

    voxel_m : spacing that the cloud is thinned to; max_triangles; texture_px : side of the
    square texture, 0 for a mesh with vertex colours only.
    """

    voxel_m: float
    max_triangles: int = 300_000
    texture_px: int = 4096

    def __post_init__(self) -> None:
        if not self.voxel_m > 0.0:
            raise InputError(f"voxel_m {self.voxel_m} must be positive", field="voxel_m")
        if self.max_triangles < 100:
            raise InputError("max_triangles must be at least 100", field="max_triangles")
        if not (self.texture_px == 0 or 64 <= self.texture_px <= 16384):
            raise InputError("texture_px must be 0 or 64 to 16384", field="texture_px")


def textured_mesh(
    network: CameraNetwork,
    cloud: DenseCloud,
    params: MeshParams,
    progress: Progress,
    gains: FloatArray | None = None,
) -> Mesh:
    """The mesh of a cloud with the photos on it.

    gains : (views, 3) exposure factors, as the orthophoto found them.

    Raises
    ------
    SceneError
        When the cloud is too thin for a surface.
    SetupError
        When open3d or a system library that it needs is missing.
    """
    o3d = _open3d()
    progress(STAGE, 0.0, "mesh: reconstructing the surface")
    vertices, triangles = _surface(o3d, cloud, params)
    progress(STAGE, 0.5, f"mesh: {len(triangles)} triangles")
    bare = Mesh(
        vertices,
        triangles,
        vertex_normals(vertices, triangles),
        _nearest_colours(cloud, vertices),
    )
    if not params.texture_px:
        return bare
    return _textured(o3d, network, bare, params, gains, progress)


def vertex_normals(vertices: FloatArray, triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, 3) unit normals, the area-weighted mean of the faces around each vertex."""
    corner = vertices[triangles]
    face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, triangles[:, k], face)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return (total / np.where(length > 0.0, length, 1.0)).astype(np.float32)


def _open3d() -> Any:
    try:
        return importlib.import_module("open3d")
    except (ImportError, OSError) as error:
        raise SetupError(
            f"open3d cannot be loaded ({error}); install it with the system libraries "
            "libusb-1.0-0, libgomp1 and libgl1"
        ) from error


def _surface(
    o3d: Any, cloud: DenseCloud, params: MeshParams
) -> tuple[FloatArray, NDArray[np.int32]]:
    """Vertices and triangles, without what no point supports."""
    if len(cloud.points_enu_m) < 100:
        raise SceneError(
            STAGE,
            f"a mesh needs at least 100 points, the cloud has {len(cloud.points_enu_m)}",
            help="Take more overlapping photos",
        )
    step = max(1, len(cloud.points_enu_m) // MAX_INPUT_POINTS)
    offset = np.median(cloud.points_enu_m[::step], axis=0)
    points, voxel_m = _thinned(o3d, cloud, offset, params.voxel_m)
    low, high = np.quantile(np.asarray(points.points), (0.001, 0.999), axis=0)
    extent = float(np.max(high - low))
    depth = min(DEEPEST, max(SHALLOWEST, math.ceil(math.log2(1.1 * extent / voxel_m))))
    inside = np.all(
        (np.asarray(points.points) >= low - extent * 0.05)
        & (np.asarray(points.points) <= high + extent * 0.05),
        axis=1,
    )
    points = points.select_by_index(np.flatnonzero(inside))
    # One thread: with more, sums are taken in another order on every run, and so are the vertices.
    surface, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
        points, depth=depth, linear_fit=False, n_threads=1
    )
    cell_m = 1.1 * extent / 2**depth
    near, _ = cKDTree(np.asarray(points.points)).query(np.asarray(surface.vertices), workers=2)
    surface.remove_vertices_by_mask(near > UNSUPPORTED_VOXELS * max(voxel_m, cell_m))
    if len(surface.triangles) > params.max_triangles:
        surface = surface.simplify_quadric_decimation(params.max_triangles)
    surface.remove_degenerate_triangles()
    surface.remove_unreferenced_vertices()
    if not len(surface.triangles):
        raise SceneError(STAGE, "the cloud gives no surface", help="Take more overlapping photos")
    vertices = np.asarray(surface.vertices, dtype=np.float64) + offset
    return vertices, np.asarray(surface.triangles, dtype=np.int32)


def _thinned(o3d: Any, cloud: DenseCloud, offset: FloatArray, voxel_m: float) -> tuple[Any, float]:
    """The cloud about its middle, thinned to a voxel that leaves a bounded number of points."""
    positions, normals = voxel_means(cloud, offset, voxel_m)
    while len(positions) > MAX_INPUT_POINTS:
        voxel_m *= math.sqrt(1.1 * len(positions) / MAX_INPUT_POINTS)
        positions, normals = voxel_means(cloud, offset, voxel_m)
    thin = o3d.geometry.PointCloud()
    thin.points = o3d.utility.Vector3dVector(positions)
    thin.normals = o3d.utility.Vector3dVector(normals)
    thin.normalize_normals()
    return thin, voxel_m


def voxel_means(
    cloud: DenseCloud, offset: FloatArray, voxel_m: float
) -> tuple[FloatArray, FloatArray]:
    """(k, 3) mean position, taken off `offset`, and (k, 3) mean normal of each voxel's points.

    Slabs of whole voxels one after the other: beside the cloud itself, which may be most of the
    memory, only one slab's points are held.
    """
    low = cloud.points_enu_m.min(axis=0) - 0.5 * voxel_m
    high = cloud.points_enu_m.max(axis=0)
    count = np.floor((high - low) / voxel_m).astype(np.int64) + 1
    slabs = int(min(count[0], max(1, len(cloud.points_enu_m) // SLAB_POINTS), MOST_SLABS))
    wide = -(-int(count[0]) // slabs)
    slab = np.empty(len(cloud.points_enu_m), np.uint16)
    for start in range(0, len(slab), SLAB_POINTS):
        east = cloud.points_enu_m[start : start + SLAB_POINTS, 0]
        slab[start : start + SLAB_POINTS] = ((east - low[0]) / voxel_m).astype(np.int64) // wide
    parts = []
    for number in range(slabs):
        members = np.flatnonzero(slab == number)
        points = cloud.points_enu_m[members]
        index = np.floor((points - low) / voxel_m).astype(np.int64)
        flat = (index[:, 0] * count[1] + index[:, 1]) * count[2] + index[:, 2]
        parts.append(_means(flat, np.hstack([points - offset, cloud.normals[members]])))
    means = np.concatenate(parts)
    return np.ascontiguousarray(means[:, :3]), np.ascontiguousarray(means[:, 3:])


def _means(groups: NDArray[np.int64], values: FloatArray) -> FloatArray:
    """(k, c) mean of the (n, c) values of each group, in the groups' order."""
    if not len(groups):
        return np.zeros((0, values.shape[1]))
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0])
    totals = np.add.reduceat(values[order], starts, axis=0)
    return np.asarray(totals / np.diff(np.r_[starts, len(groups)])[:, None])


def _nearest_colours(cloud: DenseCloud, vertices: FloatArray) -> NDArray[np.uint8]:
    step = max(1, len(cloud.points_enu_m) // MAX_INPUT_POINTS)
    points, colors = cloud.points_enu_m[::step], cloud.colors[::step]
    _, index = cKDTree(points).query(vertices, k=min(NEIGHBOURS_FOR_COLOUR, len(points)), workers=2)
    near = colors[index.reshape(len(vertices), -1)]
    return np.asarray(near.mean(axis=1), dtype=np.uint8)


def _textured(
    o3d: Any,
    network: CameraNetwork,
    bare: Mesh,
    params: MeshParams,
    gains: FloatArray | None,
    progress: Progress,
) -> Mesh:
    """The mesh with vertices split where the texture's pieces meet."""
    scene = o3d.t.geometry.RaycastingScene(nthreads=2)
    middle = bare.vertices_enu_m.mean(axis=0)
    scene.add_triangles(
        o3d.core.Tensor((bare.vertices_enu_m - middle).astype(np.float32)),
        o3d.core.Tensor(bare.triangles.astype(np.uint32)),
    )

    def distances(origin: FloatArray, targets: FloatArray) -> FloatArray:
        """How far rays from one origin get, in multiples of the way to their targets."""
        start = (origin - middle).astype(np.float32)
        rays = np.concatenate([np.tile(start, (len(targets), 1)), targets - origin], axis=1)
        answer = scene.cast_rays(o3d.core.Tensor(rays.astype(np.float32)), nthreads=2)
        return np.asarray(answer["t_hit"].numpy(), dtype=np.float64)

    atlas = texture.build_atlas(
        network.views,
        bare.vertices_enu_m,
        bare.triangles,
        distances,
        params.texture_px,
        gains,
        lambda share: progress(STAGE, 0.5 + 0.5 * share, "mesh: texture"),
        bare.colors,
    )
    return Mesh(
        vertices_enu_m=bare.vertices_enu_m[atlas.vertex],
        triangles=atlas.triangles,
        normals=bare.normals[atlas.vertex],
        colors=bare.colors[atlas.vertex],
        uv=atlas.uv,
        texture=atlas.image,
    )
