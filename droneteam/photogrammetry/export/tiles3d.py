"""A mesh as 3D Tiles 1.1 (OGC 22-025r4): a quadtree of GLB tiles in one ZIP archive.

The leaves hold the mesh as it is, each with its own cut of the texture; above them coarser ones,
their vertices merged over cells, coloured per vertex, stand in until a viewer comes near.  The
root's transform takes east, north, up to the earth-centred frame; each tile lies about its own
middle, so that single precision keeps 0.1 mm.
"""

from __future__ import annotations

import json
import math
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, ecef_from_geodetic
from droneteam.photogrammetry.export import glb
from droneteam.photogrammetry.scene import FloatArray, Frame
from droneteam.photogrammetry.surface.mesh import Mesh

MAX_TRIANGLES = 30_000
"""Triangles of a leaf: about a megabyte, some milliseconds on an office machine."""
MAX_DEPTH = 8
COARSE_CELLS = 96
"""A coarse tile's vertices are merged over its longest side's 96th part."""
PAD_PX = 2
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that ZIP can state: archives carry no moment of writing."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """A tile: its mesh, how far that may lie from the truth, and the finer tiles within."""

    name: str
    mesh: Mesh
    error_m: float
    low: FloatArray
    high: FloatArray
    children: tuple[Tile, ...] = ()

    def all(self) -> Iterator[Tile]:
        """This tile and all below it."""
        yield self
        for child in self.children:
            yield from child.all()


def write_tiles(
    mesh: Mesh,
    frame: Frame,
    path: Path,
    extras: dict[str, str] | None = None,
    *,
    largest: int = MAX_TRIANGLES,
) -> None:
    """tileset.json and its GLB tiles as a ZIP archive, to be unpacked beside a viewer.

    Raises
    ------
    InputError
        The frame has no place on the earth, or the mesh is empty.
    """
    if frame.origin is None:
        raise InputError("3D Tiles need a frame that is placed on the earth")
    root = tile_tree(mesh, largest)
    document = tileset(root, frame, extras or {})
    partial = path.with_name(path.name + ".part")
    with zipfile.ZipFile(partial, "w") as archive, tempfile.TemporaryDirectory() as folder:
        _add(archive, "tileset.json", json.dumps(document, indent=1, sort_keys=True).encode())
        for tile in root.all():
            content = Path(folder) / f"{tile.name}.glb"
            glb.write_glb(tile.mesh, content, extras)
            _add(archive, content.name, content.read_bytes())
    partial.replace(path)


def tile_tree(mesh: Mesh, largest: int = MAX_TRIANGLES) -> Tile:
    """The mesh as a quadtree whose leaves hold at most `largest` triangles, or lie MAX_DEPTH deep.

    Raises
    ------
    InputError
        The mesh has no triangle.
    """
    if not len(mesh.triangles):
        raise InputError("a mesh without triangles makes no tiles")
    middles = mesh.vertices_enu_m[mesh.triangles].mean(axis=1)
    return _tile(mesh, middles, np.arange(len(mesh.triangles)), "0", largest)


def _tile(
    mesh: Mesh, middles: FloatArray, chosen: NDArray[np.int64], name: str, largest: int
) -> Tile:
    part = part_of(mesh, chosen)
    low, high = part.vertices_enu_m.min(axis=0), part.vertices_enu_m.max(axis=0)
    if len(chosen) <= largest or len(name) > MAX_DEPTH:
        return Tile(name, part, 0.0, low, high)
    centre = 0.5 * (middles[chosen, :2].min(axis=0) + middles[chosen, :2].max(axis=0))
    quadrant = (middles[chosen, :2] > centre) @ np.array([1, 2])
    children = tuple(
        _tile(mesh, middles, chosen[quadrant == q], f"{name}{q}", largest)
        for q in range(4)
        if (quadrant == q).any()
    )
    cell = float((high - low).max()) / COARSE_CELLS
    # The diagonal of a cell is how far merging may move a vertex.
    return Tile(name, merged(part, cell), math.sqrt(3.0) * cell, low, high, children)


def part_of(mesh: Mesh, chosen: NDArray[np.int64]) -> Mesh:
    """Some triangles of a mesh, with their own vertices and their own cut of the texture."""
    vertices, inverse = np.unique(mesh.triangles[chosen], return_inverse=True)
    part = Mesh(
        vertices_enu_m=mesh.vertices_enu_m[vertices],
        triangles=inverse.reshape(-1, 3).astype(np.int32),
        normals=mesh.normals[vertices],
        colors=mesh.colors[vertices],
    )
    if mesh.uv is None or mesh.texture is None:
        return part
    uv, texture = _cut_texture(part.triangles, mesh.uv[vertices], mesh.texture)
    return replace(part, uv=uv, texture=texture)


def merged(mesh: Mesh, cell_m: float) -> Mesh:
    """The mesh with its vertices merged over cells, per-vertex colours, no texture.

    Vertex clustering (Rossignac & Borrel 1993): triangles whose corners fall together vanish.
    """
    index = np.floor((mesh.vertices_enu_m - mesh.vertices_enu_m.min(axis=0)) / cell_m)
    _, cluster = np.unique(index.astype(np.int64), axis=0, return_inverse=True)
    cluster = cluster.ravel()
    count = np.bincount(cluster).astype(np.float64)[:, None]
    mean = [
        np.column_stack([np.bincount(cluster, weights=column) for column in values.T]) / count
        for values in (mesh.vertices_enu_m, mesh.normals, mesh.colors)
    ]
    corners = cluster[mesh.triangles]
    whole = (
        (corners[:, 0] != corners[:, 1])
        & (corners[:, 1] != corners[:, 2])
        & (corners[:, 2] != corners[:, 0])
    )
    kept = np.unique(_first_smallest(corners[whole]), axis=0)
    if not len(kept):
        return replace(mesh, uv=None, texture=None)
    used, inverse = np.unique(kept, return_inverse=True)
    return Mesh(
        vertices_enu_m=mean[0][used],
        triangles=inverse.reshape(-1, 3).astype(np.int32),
        normals=mean[1][used].astype(np.float32),
        colors=np.rint(mean[2][used]).astype(np.uint8),
    )


def _first_smallest(corners: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same triangles, each beginning with its smallest corner; their sense is kept."""
    turn = (corners.argmin(axis=1)[:, None] + np.arange(3)) % 3
    return np.take_along_axis(corners, turn, axis=1)


def tileset(root: Tile, frame: Frame, extras: dict[str, str]) -> dict[str, Any]:
    """The content of tileset.json."""
    size = float(np.linalg.norm(root.high - root.low))
    document = _tile_document(root, np.zeros(3))
    place = ecef_from_enu(frame)
    place[:3, 3] += place[:3, :3] @ _middle(root)
    document["transform"] = [float(v) for v in place.T.ravel()]
    document["refine"] = "REPLACE"
    datum = {"VERTICAL_DATUM": frame.vertical_datum}
    return {
        "asset": {"version": "1.1", "extras": {**datum, **extras}},
        "geometricError": size,
        "root": document,
    }


def ecef_from_enu(frame: Frame) -> FloatArray:
    """(4, 4) from the scene's frame to WGS84's earth-centred one, in metres."""
    if frame.origin is None:
        raise InputError("the frame has no place on the earth")
    at = frame.origin
    matrix = np.eye(4)
    matrix[:3, :3] = EnuFrame(at).enu_from_ecef_rotation.T
    matrix[:3, 3] = ecef_from_geodetic(np.array([at.lat_deg, at.lon_deg, at.alt_ellipsoid_m]))
    return matrix


def _tile_document(tile: Tile, parent_middle: FloatArray) -> dict[str, Any]:
    """A tile about its own mesh's middle, moved there from its parent's."""
    middle = _middle(tile)
    low, high = _bounds(tile)
    half, centre = 0.5 * (high - low), 0.5 * (low + high) - middle
    move = np.eye(4)
    move[:3, 3] = middle - parent_middle
    document: dict[str, Any] = {
        "boundingVolume": {"box": [*centre.tolist(), *np.diag(half).ravel().tolist()]},
        "geometricError": tile.error_m,
        "content": {"uri": f"{tile.name}.glb"},
        "transform": [float(v) for v in move.T.ravel()],
    }
    if tile.children:
        document["children"] = [_tile_document(child, middle) for child in tile.children]
    return document


def _bounds(tile: Tile) -> tuple[FloatArray, FloatArray]:
    """Corners of the box that holds a tile and all below it."""
    inner = [_bounds(child) for child in tile.children]
    low = np.min([tile.low, *(a for a, _ in inner)], axis=0)
    high = np.max([tile.high, *(b for _, b in inner)], axis=0)
    return low, high


def _middle(tile: Tile) -> FloatArray:
    """What the tile's GLB is about."""
    return glb.middle_of(tile.mesh)


def _cut_texture(
    triangles: NDArray[np.int32], uv: NDArray[np.float32], texture: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The pieces of a texture that triangles use, packed into an image of their own."""
    side = np.array([texture.shape[1], texture.shape[0]])
    piece = _pieces(triangles, len(uv))
    pixel = uv.astype(np.float64) * side
    low, high = _piece_bounds(pixel, piece, side)
    corner, shape = _packed(high - low)
    image = np.zeros((shape[1], shape[0], 3), np.uint8)
    for (left, top), (right, bottom), (x, y) in zip(low, high, corner, strict=True):
        image[y : y + bottom - top, x : x + right - left] = texture[top:bottom, left:right]
    moved = (pixel - low[piece] + corner[piece]) / np.array(shape)
    return moved.astype(np.float32), image


def _pieces(triangles: NDArray[np.int32], n: int) -> NDArray[np.int32]:
    """(n,) which connected piece each vertex belongs to; the atlas is cut along its seams."""
    first = np.concatenate([triangles[:, 0], triangles[:, 1]])
    second = np.concatenate([triangles[:, 1], triangles[:, 2]])
    links = sparse.coo_array((np.ones(len(first), np.int8), (first, second)), shape=(n, n))
    piece = csgraph.connected_components(links, directed=False)[1]
    return np.asarray(piece)


def _piece_bounds(
    pixel: FloatArray, piece: NDArray[np.int32], side: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(p, 2) upper left and lower right pixel corners of the pieces, padded."""
    count = int(piece.max()) + 1
    low, high = np.full((count, 2), np.inf), np.full((count, 2), -np.inf)
    np.minimum.at(low, piece, pixel)
    np.maximum.at(high, piece, pixel)
    first = np.clip(np.floor(low) - PAD_PX, 0, side - 1).astype(np.int64)
    last = np.clip(np.ceil(high) + PAD_PX, first + 1, side).astype(np.int64)
    return first, last


def _packed(sizes: NDArray[np.int64]) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """(p, 2) corners of rectangles on shelves, the tallest first, and the image's size."""
    width = max(int(sizes[:, 0].max()), math.ceil(math.sqrt(1.1 * float(sizes.prod(axis=1).sum()))))
    corner = np.zeros_like(sizes)
    x = y = shelf = 0
    for index in np.lexsort((sizes[:, 0], -sizes[:, 1])):
        if x + sizes[index, 0] > width:
            x, y, shelf = 0, y + shelf, 0
        corner[index] = (x, y)
        x += int(sizes[index, 0])
        shelf = max(shelf, int(sizes[index, 1]))
    return corner, (width, y + shelf)


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, FIXED_DATE)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, compress_type=zipfile.ZIP_DEFLATED)
