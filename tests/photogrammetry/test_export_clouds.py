"""LAZ, COPC, PLY, glTF and GeoJSON agree with independent readers."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path

import cv2
import laspy
import numpy as np
import pytest
from scipy.spatial import cKDTree

from droneteam.errors import InputError
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.photogrammetry.export import geojson, glb, las, octree, ply
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.scene import (
    Accuracy,
    CameraNetwork,
    DenseCloud,
    Frame,
    Measurement,
    SparseCloud,
    View,
)
from droneteam.photogrammetry.surface.mesh import Mesh, vertex_normals
from tests.photogrammetry.box_world import nadir, small_camera

FRAME = Frame("enu", GeoPoint(50.8197, 4.3908, 100.0), "WGS84 ellipsoid", True)
LOCAL = Frame("local", None, "none", True)


@pytest.fixture
def cloud() -> DenseCloud:
    rng = np.random.default_rng(14)
    n = 30_000
    points = rng.uniform([-20, -10, 0], [20, 10, 0.2], (n, 3))
    return DenseCloud(
        points, np.tile(np.array([0, 0, 1], np.float32), (n, 1)),
        rng.integers(0, 255, (n, 3), dtype=np.uint8),
        rng.uniform(0.001, 0.02, n).astype(np.float32),
        rng.integers(3, 12, n).astype(np.uint8),
    )  # fmt: skip


@pytest.mark.parametrize("write", [las.write_laz, las.write_copc])
def test_every_point_arrives_with_its_sigma_and_views(write, cloud, tmp_path: Path) -> None:
    placement = Placement(FRAME, 3812)
    write(cloud, placement, tmp_path / "c.laz")
    read = laspy.read(tmp_path / "c.laz")
    expected = placement.from_enu(cloud.points_enu_m)
    assert len(read) == len(cloud.points_enu_m)
    distance, index = cKDTree(np.array(read.xyz)).query(expected)
    assert distance.max() < 2e-4
    assert len(np.unique(index)) == len(expected)
    assert np.allclose(np.asarray(read.sigma_m)[index], cloud.sigma_m)
    assert np.array_equal(np.asarray(read.n_views)[index], cloud.n_views)
    assert np.array_equal(np.asarray(read.red)[index] // 257, cloud.colors[:, 0])
    assert read.header.parse_crs().to_epsg() == 3812
    assert read.header.point_format.id == 7


def test_copc_is_an_octree_that_a_viewer_can_walk(cloud, tmp_path: Path) -> None:
    las.write_copc(cloud, Placement(FRAME, 3812), tmp_path / "c.copc.laz")
    with laspy.CopcReader.open(tmp_path / "c.copc.laz") as reader:
        coarse = reader.query(level=0)
        everything = reader.query()
        assert 0 < len(coarse) < len(everything) == len(cloud.points_enu_m)
        for axis, full in ((coarse.x, 40.0), (coarse.y, 20.0)):
            assert np.ptp(np.asarray(axis)) > 0.95 * full


def test_octree_nodes_partition_the_points_and_have_parents() -> None:
    rng = np.random.default_rng(15)
    points = rng.normal(0, 0.02, (60_000, 3)) + rng.choice([-1.0, 1.0], (60_000, 1))
    nodes = dict(octree.octree(points, np.full(3, -2.0), 4.0))
    members = np.concatenate(list(nodes.values()))
    assert np.array_equal(np.sort(members), np.arange(len(points)))
    for (depth, *index), inside in nodes.items():
        low = -2.0 + 4.0 * np.array(index) / 2**depth
        assert np.all((points[inside] >= low) & (points[inside] <= low + 4.0 / 2**depth))
        if depth:
            assert (depth - 1, *(i // 2 for i in index)) in nodes


def test_a_crowded_node_keeps_one_point_of_each_cell_and_not_always_the_same_corner() -> None:
    rng = np.random.default_rng(16)
    points = rng.uniform(0.0, 1.0, (60_000, 3)) * [1.0, 1.0, 0.01]
    root = points[dict(octree.octree(points, np.zeros(3), 1.0))[(0, 0, 0, 0)]]
    cells = np.floor(root * 128).astype(int)
    assert len(np.unique(cells, axis=0)) == len(root)
    occupied = np.unique(np.floor(points * 128).astype(int), axis=0)
    assert len(root) == len(occupied)
    assert np.allclose((root[:, :2] * 128 - cells[:, :2]).mean(axis=0), 0.5, atol=0.02)


def test_the_places_along_the_curve_take_the_bits_of_the_axes_in_turns() -> None:
    rng = np.random.default_rng(17)
    index = rng.integers(0, 2**octree.CODE_BITS, (200, 3))
    found = octree.morton_codes(index + 0.5, np.zeros(3), float(2**octree.CODE_BITS))
    for place, code in zip(index, found, strict=True):
        bits = (f"{axis:0{octree.CODE_BITS}b}" for axis in place)
        assert int("".join("".join(three) for three in zip(*bits, strict=True)), 2) == int(code)


def _positions(records: laspy.ScaleAwarePointRecord) -> np.ndarray:
    return np.column_stack([records.x, records.y, records.z])


def test_copc_nodes_lie_within_their_cubes_in_the_files_own_coordinates(tmp_path: Path) -> None:
    """Readers fetch nodes by their bounds: a point beyond its node's cube would never be seen."""
    rng = np.random.default_rng(18)
    n = 50_000
    points = rng.uniform([-30, -20, 0], [30, 20, 3], (n, 3))
    crowded = DenseCloud(
        points, np.tile(np.float32([0, 0, 1]), (n, 1)), np.zeros((n, 3), np.uint8),
        np.full(n, 0.01, np.float32), np.full(n, 3, np.uint8),
    )  # fmt: skip
    place = Placement(FRAME, 3812)
    las.write_copc(crowded, place, tmp_path / "c.copc.laz")
    truth = place.from_enu(points)
    with laspy.CopcReader.open(tmp_path / "c.copc.laz") as reader:
        everything = _positions(reader.query())
        low, high = truth.mean(axis=0) - [5, 5, 9], truth.mean(axis=0) + [5, 5, 9]
        window = _positions(reader.query(laspy.copc.Bounds(low, high)))
    assert cKDTree(everything).query(truth)[0].max() < 2e-4
    inside = np.all((truth > low + 1e-3) & (truth < high - 1e-3), axis=1).sum()
    assert 0 < inside <= len(window) <= inside + 20


def test_a_local_cloud_has_no_reference_system(cloud, tmp_path: Path) -> None:
    las.write_copc(cloud, Placement(LOCAL, None), tmp_path / "c.copc.laz")
    read = laspy.read(tmp_path / "c.copc.laz")
    assert read.header.parse_crs() is None
    assert np.allclose(np.array(read.xyz).mean(0), cloud.points_enu_m.mean(0), atol=1e-4)


def test_the_same_cloud_gives_the_same_bytes(cloud, tmp_path: Path) -> None:
    for name in ("a", "b"):
        las.write_copc(cloud, Placement(FRAME, 3812), tmp_path / f"{name}.copc.laz")
        ply.write_cloud(cloud, tmp_path / f"{name}.ply")
    assert (tmp_path / "a.copc.laz").read_bytes() == (tmp_path / "b.copc.laz").read_bytes()
    assert (tmp_path / "a.ply").read_bytes() == (tmp_path / "b.ply").read_bytes()


def test_ply_holds_the_cloud_as_its_header_says(cloud, tmp_path: Path) -> None:
    ply.write_cloud(cloud, tmp_path / "c.ply", ("frame: local\nenu",))
    raw = (tmp_path / "c.ply").read_bytes()
    head, body = raw.split(b"end_header\n", 1)
    lines = head.decode().splitlines()
    assert lines[:3] == ["ply", "format binary_little_endian 1.0", "comment frame: local enu"]
    kinds = {"double": "<f8", "float": "<f4", "uchar": "u1"}
    layout = [(n, kinds[k]) for _, k, n in (x.split() for x in lines if x.startswith("property"))]
    rows = np.frombuffer(body, dtype=layout)
    assert len(rows) == len(cloud.points_enu_m)
    assert np.abs(rows["y"] - cloud.points_enu_m[:, 1]).max() < 1e-4
    assert np.array_equal(rows["y"], cloud.points_enu_m[:, 1].astype(np.float32))
    assert rows.itemsize == 32
    assert np.array_equal(rows["sigma_m"], cloud.sigma_m)
    assert np.array_equal(rows["blue"], cloud.colors[:, 2])


def test_a_far_ply_states_the_whole_metres_it_took_off(cloud, tmp_path: Path) -> None:
    """Two kilometres out a bare 32-bit position would be rounded to tenths of a millimetre."""
    far = replace(cloud, points_enu_m=cloud.points_enu_m + [2345.0, -98765.0, 12.0])
    ply.write_cloud(far, tmp_path / "far.ply")
    head, body = (tmp_path / "far.ply").read_bytes().split(b"end_header\n", 1)
    stated = [x for x in head.decode().splitlines() if x.startswith("comment offset_enu_m ")]
    offset = np.array([float(v) for v in stated[0].split()[2:]])
    assert np.array_equal(offset, np.round(offset))
    rows = np.frombuffer(body, dtype=[("p", "<f4", 3), ("rest", "V20")])
    error = np.abs(rows["p"].astype(np.float64) + offset - far.points_enu_m)
    assert error.max() < 5e-5


@pytest.fixture
def tetrahedron() -> Mesh:
    vertices = np.array([[10.0, 20, 5], [11, 20, 5], [10, 21, 5], [10, 20, 6]])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:, 32:] = (200, 30, 30)
    return Mesh(
        vertices, triangles, vertex_normals(vertices, triangles),
        np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [128, 128, 128]], np.uint8),
        np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32), texture,
    )  # fmt: skip


def read_glb(path: Path) -> tuple[dict, bytes]:
    """Independent reading by the specification's byte layout."""
    raw = path.read_bytes()
    magic, version, total = struct.unpack_from("<4sII", raw)
    assert (magic, version, total) == (b"glTF", 2, len(raw))
    length, kind = struct.unpack_from("<I4s", raw, 12)
    assert kind == b"JSON"
    assert length % 4 == 0
    document = json.loads(raw[20 : 20 + length])
    size, kind = struct.unpack_from("<I4s", raw, 20 + length)
    assert kind == b"BIN\0"
    return document, raw[28 + length : 28 + length + size]


def accessor(document: dict, binary: bytes, index: int) -> np.ndarray:
    entry = document["accessors"][index]
    view = document["bufferViews"][entry["bufferView"]]
    kind = {5126: np.float32, 5125: np.uint32, 5121: np.uint8}[entry["componentType"]]
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}[entry["type"]]
    start = view["byteOffset"]
    values = np.frombuffer(binary[start : start + view["byteLength"]], kind)
    assert start % 4 == 0
    assert values.size == entry["count"] * width
    return values.reshape(entry["count"], width)


def test_glb_turned_by_its_node_is_the_mesh_in_y_up_axes(tetrahedron, tmp_path: Path) -> None:
    glb.write_glb(tetrahedron, tmp_path / "m.glb", {"frame": "enu"})
    document, binary = read_glb(tmp_path / "m.glb")
    part = document["meshes"][0]["primitives"][0]
    positions = accessor(document, binary, part["attributes"]["POSITION"])
    node = document["nodes"][0]
    x, _, _, w = node["rotation"]
    angle = 2 * np.arctan2(x, w)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    shown = positions @ turn.T
    offset = tetrahedron.vertices_enu_m - np.array(node["extras"]["origin_enu_m"])
    expected = np.column_stack([offset[:, 0], offset[:, 2], -offset[:, 1]])
    assert np.allclose(shown, expected, atol=1e-6)
    indices = accessor(document, binary, part["indices"])
    assert np.array_equal(indices.ravel(), tetrahedron.triangles.ravel())
    bounds = document["accessors"][part["attributes"]["POSITION"]]
    assert np.allclose(bounds["min"], positions.min(axis=0))


def test_glb_embeds_its_texture(tetrahedron, tmp_path: Path) -> None:
    glb.write_glb(tetrahedron, tmp_path / "m.glb")
    document, binary = read_glb(tmp_path / "m.glb")
    view = document["bufferViews"][document["images"][0]["bufferView"]]
    jpeg = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert image.shape == (64, 64, 3)
    assert np.abs(image[10, 60].astype(int) - [200, 30, 30]).max() < 12


def test_glb_without_texture_has_colours_and_an_empty_mesh_is_refused(
    tetrahedron, tmp_path: Path
) -> None:
    bare = Mesh(
        tetrahedron.vertices_enu_m, tetrahedron.triangles, tetrahedron.normals, tetrahedron.colors
    )
    glb.write_glb(bare, tmp_path / "m.glb")
    document, binary = read_glb(tmp_path / "m.glb")
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    colours = accessor(document, binary, attributes["COLOR_0"])
    assert colours[0].tolist() == [255, 0, 0, 255]
    assert colours[3, 0] == pytest.approx(255 * ((128 / 255 + 0.055) / 1.055) ** 2.4, abs=1)
    empty = Mesh(bare.vertices_enu_m, bare.triangles[:0], bare.normals, bare.colors)
    with pytest.raises(InputError, match="without triangles"):
        glb.write_glb(empty, tmp_path / "e.glb")


def test_geojson_swaps_to_longitude_first_and_closes_rings(tmp_path: Path) -> None:
    view = View("a.jpg", Path("a.jpg"), small_camera(), nadir((12.0, -5.0, 30.0)))
    sparse = SparseCloud(
        np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(1, np.int64),
        np.zeros(0, np.int32), np.zeros((0, 2)),
    )  # fmt: skip
    network = CameraNetwork((view,), sparse, FRAME, Accuracy(0.3, "gcp", True))
    corners = ((0.0, 0.0, 0.0), (4.0, 0.0, 0.0), (4.0, 3.0, 0.0))
    measured = (
        Measurement("yard", "area", 6.0, "m²", 5.9, 6.1, "surface", points_enu_m=corners),
        Measurement("gone", "height", float("nan"), "m", float("nan"), float("nan"),
                    "multi-ray", determined=False, points_enu_m=corners[:2]),
    )  # fmt: skip
    geojson.write_geojson(network, measured, tmp_path / "n.geojson")
    features = json.loads((tmp_path / "n.geojson").read_text())["features"]
    lon, lat, up = features[0]["geometry"]["coordinates"]
    expected = EnuFrame(FRAME.origin).geodetic_from_enu(np.array([12.0, -5.0, 30.0]))
    assert (lat, lon) == pytest.approx(tuple(expected[:2]), abs=1e-8)
    assert up == pytest.approx(expected[2], abs=1e-3)
    ring = features[1]["geometry"]["coordinates"][0]
    assert len(ring) == 4
    assert ring[0] == ring[3]
    assert features[2]["properties"]["value"] is None
    assert features[2]["properties"]["determined"] is False


def test_geojson_of_a_local_frame_is_refused() -> None:
    with pytest.raises(InputError, match="placed on the earth"):
        geojson.positions(LOCAL, np.zeros((1, 3)))
