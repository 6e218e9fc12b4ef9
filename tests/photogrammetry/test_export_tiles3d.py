"""3D Tiles lie where the mesh lies on the earth, hold each other, and end in the mesh itself."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyproj
import pytest

from droneteam.errors import InputError
from droneteam.photogrammetry.export import tiles3d
from droneteam.photogrammetry.scene import FloatArray, Frame
from droneteam.photogrammetry.surface.mesh import Mesh
from tests.photogrammetry.networks import ORIGIN

FRAME = Frame("enu", ORIGIN, "WGS84 ellipsoid", metric=True)
SIDE = 61
TEXTURE_PX = 512


def hills(textured: bool = True) -> Mesh:
    """A rolling ground of 120 m with 7,200 triangles, 40 m east of the origin."""
    ticks = np.linspace(0.0, 120.0, SIDE)
    east, north = (a.ravel() for a in np.meshgrid(ticks, ticks))
    up = 4.0 * np.sin(east / 15.0) * np.cos(north / 20.0)
    corner = np.arange(SIDE * (SIDE - 1)).reshape(SIDE - 1, SIDE)[:, :-1].ravel()
    triangles = np.concatenate(
        [
            np.column_stack([corner, corner + 1, corner + SIDE]),
            np.column_stack([corner + 1, corner + SIDE + 1, corner + SIDE]),
        ]
    )
    colors = np.column_stack([2 * east, 2 * north, 100 + 0 * up]).clip(0, 255).astype(np.uint8)
    row, column = np.mgrid[0:TEXTURE_PX, 0:TEXTURE_PX] / TEXTURE_PX
    picture = np.stack([255 * column, 255 * row, 128 + 0 * row], axis=-1).astype(np.uint8)
    uv = np.column_stack([east / 120.0, north / 120.0]).astype(np.float32)
    return Mesh(
        np.column_stack([east + 40.0, north, up]),
        triangles.astype(np.int32),
        np.tile(np.array([0.0, 0.0, 1.0], np.float32), (len(up), 1)),
        colors,
        uv if textured else None,
        picture if textured else None,
    )


def parse_glb(data: bytes) -> tuple[dict[str, Any], bytes]:
    """JSON and binary chunk, read from the glTF 2.0 specification (section 4.4)."""
    magic, version, length = struct.unpack_from("<III", data, 0)
    assert (magic, version, length) == (0x46546C67, 2, len(data))
    size, kind = struct.unpack_from("<II", data, 12)
    assert kind == 0x4E4F534A
    document = json.loads(data[20 : 20 + size])
    binary_size, binary_kind = struct.unpack_from("<II", data, 20 + size)
    assert binary_kind == 0x004E4942
    return document, data[28 + size : 28 + size + binary_size]


def accessor(document: dict[str, Any], binary: bytes, index: int) -> np.ndarray:
    entry = document["accessors"][index]
    view = document["bufferViews"][entry["bufferView"]]
    kind = {5126: np.float32, 5125: np.uint32, 5121: np.uint8}[entry["componentType"]]
    columns = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[entry["type"]]
    start = view["byteOffset"]
    values = np.frombuffer(binary, kind, entry["count"] * columns, start)
    return values.reshape(-1, columns)


class Opened:
    """A written tileset with every tile's vertices on the earth."""

    def __init__(self, path: Path) -> None:
        self.archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        self.document = json.loads(self.archive.read("tileset.json"))
        self.tiles: list[tuple[dict[str, Any], FloatArray, FloatArray]] = []
        self._walk(self.document["root"], np.eye(4))

    def _walk(self, tile: dict[str, Any], above: FloatArray) -> None:
        own = np.array(tile.get("transform", np.eye(4).T.ravel())).reshape(4, 4).T
        place = above @ own
        document, binary = parse_glb(self.archive.read(tile["content"]["uri"]))
        attributes = document["meshes"][0]["primitives"][0]["attributes"]
        positions = accessor(document, binary, attributes["POSITION"]).astype(np.float64)
        turned = _rotate(document["nodes"][0]["rotation"], positions)
        # 3D Tiles 1.1, section 7.1.1.2.1: glTF is y-up, tiles are z-up.
        z_up = np.column_stack([turned[:, 0], -turned[:, 2], turned[:, 1]])
        self.tiles.append((tile, place, z_up))
        for child in tile.get("children", []):
            self._walk(child, place)

    def on_earth(self, place: FloatArray, points: FloatArray) -> FloatArray:
        return points @ place[:3, :3].T + place[:3, 3]


def _rotate(q: list[float], points: FloatArray) -> FloatArray:
    x, y, z, w = q
    axis = np.array([x, y, z])
    return points + 2.0 * np.cross(axis, np.cross(axis, points) + w * points)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Opened:
    path = tmp_path_factory.mktemp("tiles") / "t.zip"
    tiles3d.write_tiles(hills(), FRAME, path, {"SOFTWARE": "droneteam"}, largest=600)
    return Opened(path)


def leaves(opened: Opened) -> list[tuple[dict[str, Any], FloatArray, FloatArray]]:
    return [entry for entry in opened.tiles if "children" not in entry[0]]


def test_the_leaves_are_the_mesh_where_it_lies_on_the_earth(opened: Opened) -> None:
    """Against PROJ's topocentric conversion (EPSG method 9837)."""
    pipeline = (
        f"+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 +lon_0={ORIGIN.lon_deg} "
        f"+lat_0={ORIGIN.lat_deg} +h_0={ORIGIN.alt_ellipsoid_m}"
    )
    to_earth = pyproj.Transformer.from_pipeline(pipeline)
    vertices = hills().vertices_enu_m
    true = np.column_stack(to_earth.transform(*vertices.T))
    found = np.concatenate([opened.on_earth(place, at) for _, place, at in leaves(opened)])
    distance = np.linalg.norm(found[:, None] - true[None, ::7], axis=2).min(axis=0)
    assert distance.max() < 1e-3
    assert len(found) >= len(true)


def test_every_tile_lies_in_its_box_and_its_parents(opened: Opened) -> None:
    for tile, place, points in opened.tiles:
        box = np.array(tile["boundingVolume"]["box"])
        half = np.diag(box[3:].reshape(3, 3))
        assert (np.abs(points - box[:3]) <= half + 1e-3).all()
        for child in tile.get("children", []):
            move = np.array(child["transform"]).reshape(4, 4).T[:3, 3]
            inner = np.array(child["boundingVolume"]["box"])
            reach = np.abs(inner[:3] + move - box[:3]) + np.diag(inner[3:].reshape(3, 3))
            assert (reach <= half + 1e-3).all()
        assert abs(np.linalg.det(place[:3, :3]) - 1.0) < 1e-9


def test_errors_shrink_towards_the_leaves_which_have_none(opened: Opened) -> None:
    root = opened.document["root"]
    assert opened.document["asset"]["version"] == "1.1"
    assert opened.document["geometricError"] >= root["geometricError"]
    assert root["refine"] == "REPLACE"
    assert all(tile["geometricError"] == 0.0 for tile, _, _ in leaves(opened))
    for tile, _, _ in opened.tiles:
        for child in tile.get("children", []):
            assert child["geometricError"] < tile["geometricError"]


def test_a_coarse_tile_is_as_near_as_it_says(opened: Opened) -> None:
    """Every vertex of the root lies within its geometric error of the mesh."""
    root, place, points = opened.tiles[0]
    fine = np.concatenate([opened.on_earth(p, at) for _, p, at in leaves(opened)])
    here = opened.on_earth(place, points)
    off = np.array([np.linalg.norm(fine - point, axis=1).min() for point in here[::9]])
    assert 0.0 < root["geometricError"] < 10.0
    assert off.max() <= root["geometricError"] + 1e-3


def test_no_triangle_is_lost_or_doubled_and_leaves_stay_small(opened: Opened) -> None:
    counts = []
    for tile, _, _ in leaves(opened):
        document, _ = parse_glb(opened.archive.read(tile["content"]["uri"]))
        index = document["meshes"][0]["primitives"][0]["indices"]
        counts.append(document["accessors"][index]["count"] // 3)
    assert sum(counts) == len(hills().triangles)
    assert max(counts) <= 600
    names = {tile["content"]["uri"] for tile, _, _ in opened.tiles}
    assert names | {"tileset.json"} == set(opened.archive.namelist())


def test_a_leafs_picture_shows_what_the_whole_ones_showed(opened: Opened) -> None:
    """The texture is a ramp of colour by place: every vertex must find its own colour again."""
    tile, place, points = leaves(opened)[3]
    document, binary = parse_glb(opened.archive.read(tile["content"]["uri"]))
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    uv = accessor(document, binary, attributes["TEXCOORD_0"])
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    jpeg = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    height, width = picture.shape[:2]
    assert width * height < TEXTURE_PX**2 / 4
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip((uv[:, 1] * height).astype(int), 0, height - 1)
    shown = picture[row, column].astype(float)
    root_place = opened.tiles[0][1]
    enu = np.linalg.inv(root_place[:3, :3]) @ (place[:3, 3] - root_place[:3, 3])
    origin = points + enu + tiles3d.glb.middle_of(tiles3d.tile_tree(hills(), 600).mesh)
    expected = 255.0 * (origin[:, :2] - [40.0, 0.0]) / 120.0
    assert np.abs(shown[:, :2] - expected).max() < 8.0


def test_the_same_mesh_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tiles3d.write_tiles(hills(textured=False), FRAME, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_datum_is_stated(opened: Opened) -> None:
    assert opened.document["asset"]["extras"]["VERTICAL_DATUM"] == "WGS84 ellipsoid"


def test_what_has_no_place_or_no_triangles_is_refused(tmp_path: Path) -> None:
    local = Frame("local", None, "none", metric=True)
    with pytest.raises(InputError, match="placed on the earth"):
        tiles3d.write_tiles(hills(), local, tmp_path / "x")
    empty = tiles3d.part_of(hills(), np.arange(1))
    nothing = Mesh(empty.vertices_enu_m, empty.triangles[:0], empty.normals, empty.colors)
    with pytest.raises(InputError, match="no tiles"):
        tiles3d.tile_tree(nothing)


def test_merging_keeps_the_sense_of_triangles() -> None:
    """All of a flat sheet's triangles look up, before and after."""
    mesh = hills(textured=False)
    flat = Mesh(mesh.vertices_enu_m * [1, 1, 0], mesh.triangles, mesh.normals, mesh.colors)
    coarse = tiles3d.merged(flat, 7.0)
    a, b, c = (coarse.vertices_enu_m[coarse.triangles[:, k]] for k in range(3))
    assert 50 < len(coarse.triangles) < len(flat.triangles) / 4
    assert (np.cross(b - a, c - a)[:, 2] > 0.0).all()
