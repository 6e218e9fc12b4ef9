"""What the scene's page says of its octree is what the file says, read another way."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import laspy
import numpy as np
import pytest

from droneteam.errors import DecodeError
from droneteam.photogrammetry.export.las import write_copc
from droneteam.web import cloud_opening
from tests.web import scene_world
from tests.web.conftest import Site
from tests.web.scene_world import LOCAL, ground_and_wall

MIDDLE = (1.5, -2.0, 0.25)


@pytest.fixture(scope="module")
def octree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("octree") / "cloud.copc.laz"
    write_copc(ground_and_wall(), LOCAL, path)
    return path


@pytest.fixture(scope="module")
def opened(octree: Path) -> dict[str, Any]:
    return cloud_opening.opening(octree, MIDDLE)


def entries(octree: Path, opened: dict[str, Any]) -> dict[str, tuple[int, int, int]]:
    """The root's page by hand (COPC 1.0, EPT hierarchy VLR): offset, length and count by key."""
    raw = octree.read_bytes()
    start, length = opened["root"]["offset"], opened["root"]["length"]
    found = {}
    for at in range(start, start + length, 32):
        level, x, y, z, offset, size, count = struct.unpack_from("<iiiiQii", raw, at)
        found[f"{level}-{x}-{y}-{z}"] = (offset, size, count)
    return found


def test_the_upper_nodes_are_those_of_the_hierarchy(octree: Path, opened: dict[str, Any]) -> None:
    every = entries(octree, opened)
    upper = {key: row for key, row in every.items() if int(key[0]) <= cloud_opening.UPPER_LEVELS}
    given = {n["key"]: (n["offset"], n["length"], n["count"]) for n in opened["nodes"]}
    assert given == upper
    assert "0-0-0-0" in given
    assert len(given) <= 1 + 8 + 64
    assert sum(count for _, _, count in every.values()) == opened["count"] == 80_000


def test_records_are_where_the_page_says(octree: Path, opened: dict[str, Any]) -> None:
    """A record built from the fields that a plain reader gives, taken apart as the viewer does."""
    shape = opened["shape"]
    with octree.open("rb") as file:
        record = laspy.CopcReader(file).query(level=0)
    raw = record.array.tobytes()[: shape["length"]]
    assert len(raw) * len(record) == len(record.array.tobytes())
    xyz = np.array(struct.unpack_from("<iii", raw)) * shape["scale"] + shape["zero"]
    assert np.allclose(xyz + MIDDLE, [record.x[0], record.y[0], record.z[0]], atol=1e-9)
    rgb = struct.unpack_from("<HHH", raw, shape["colourAt"])
    assert rgb == (record.red[0], record.green[0], record.blue[0])
    sigma = struct.unpack_from("<f", raw, shape["sigmaAt"])[0]
    assert sigma == pytest.approx(0.004)


def test_the_cube_holds_the_points_box(opened: dict[str, Any]) -> None:
    low, high = (np.array(opened["tight"][side]) for side in ("low", "high"))
    cube = np.array(opened["low"])
    assert (cube <= low + 1e-9).all()
    assert (cube + opened["side"] >= high - 1e-9).all()
    points = ground_and_wall().points_enu_m - MIDDLE
    assert np.allclose([low, high], [points.min(axis=0), points.max(axis=0)], atol=2e-3)


def test_what_is_no_octree_is_refused_by_name(tmp_path: Path) -> None:
    for name, content in (("empty.laz", b""), ("text.laz", b"LASF" + bytes(400))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DecodeError, match=name):
            cloud_opening.opening(tmp_path / name, MIDDLE)


def test_a_plain_laz_is_no_octree(tmp_path: Path) -> None:
    scene_world.write_laz(ground_and_wall(), LOCAL, tmp_path / "cloud.laz")
    with pytest.raises(DecodeError, match=r"cloud\.laz"):
        cloud_opening.opening(tmp_path / "cloud.laz", MIDDLE)


def test_the_page_of_a_scene_with_an_octree_brings_it_and_another_says_null(site: Site) -> None:
    scene_world.marked_scene(site)

    def data() -> dict[str, Any]:
        text = site.client("investigator").get("/scenes/1").get_data(as_text=True)
        return dict(json.loads(text.split('id="cloud-data">', 1)[1].split("</script>", 1)[0]))

    assert data()["opened"] is None
    scene_world.add_octree(site, 1)
    assert data()["opened"]["count"] == 80_000
