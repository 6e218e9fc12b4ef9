"""The viewers' files: parts for those who may look, one look in the chain, and honest takings."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest

from benchmarks.cloud_file import crossing
from droneteam import audit, db
from droneteam.errors import DecodeError
from droneteam.photogrammetry.export.las import write_copc
from droneteam.photogrammetry.export.placement import Placement
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene import Frame
from droneteam.web import points
from droneteam.web.views.viewing import LARGEST_PART_BYTES
from tests.web import worlds
from tests.web.conftest import Site

URL = "/scenes/1/view/cloud.copc.laz"
COUNT = 60_000


@pytest.fixture(scope="module")
def octree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copc") / "cloud.copc.laz"
    frame = Frame("local", None, "none", metric=True)
    write_copc(crossing(COUNT), Placement(frame, None), path)
    return path


@pytest.fixture
def scene(site: Site, octree: Path) -> Site:
    assert worlds.built_scene(site) == 1
    kept = site.settings.data_dir / "scenes/scene-000001/products"
    (kept / octree.name).write_bytes(octree.read_bytes())
    (kept / "mesh.glb").write_bytes(b"glTF mesh")
    add_product(site, "cloud_copc", octree.name)
    add_product(site, "mesh", "mesh.glb")
    return site


def add_product(site: Site, kind: str, name: str) -> None:
    with db.session_scope(site.engine) as session:
        row = session.get_one(SceneRow, 1)
        summary = dict(row.summary or {})
        added = {"kind": kind, "path": f"products/{name}", "sha256": "ab" * 32, "size_bytes": 1}
        row.summary = {**summary, "products": [*summary["products"], added]}


def entries(site: Site, action: str) -> list[audit.EntryView]:
    with db.session_scope(site.engine) as session:
        return [e for e in audit.entries(session, subject="scene:1") if e.action == action]


def part(site: Site, span: str, login: str = "investigator", url: str = URL) -> tuple[int, bytes]:
    with site.client(login).get(url, headers={"Range": span}) as answer:
        return answer.status_code, answer.data


def test_parts_are_the_files_own_bytes_and_together_one_look(scene: Site, octree: Path) -> None:
    content = octree.read_bytes()
    for first in range(0, 40_000, 1000):
        status, data = part(scene, f"bytes={first}-{first + 1499}")
        assert (status, data) == (206, content[first : first + 1500])
    assert len(entries(scene, "scene.look")) == 1
    assert entries(scene, "scene.take") == []
    scene.clock.forward(hours=2)
    part(scene, "bytes=0-10")
    part(scene, "bytes=5-10", "requester")
    looks = [e.user_id for e in entries(scene, "scene.look")]
    investigator, requester = (
        scene.actor(login).user_id for login in ("investigator", "requester")
    )
    assert sorted(map(str, looks)) == sorted(map(str, [investigator, investigator, requester]))


def test_whoever_takes_the_file_is_said_to_have_taken_it_each_time(scene: Site) -> None:
    whole = [None, "bytes=0-", "bytes=17-", f"bytes=0-{LARGEST_PART_BYTES}"]
    for span in [*whole, None]:
        headers = {} if span is None else {"Range": span}
        with scene.client("requester").get(URL, headers=headers) as answer:
            assert answer.status_code in {200, 206}
    taken = entries(scene, "scene.take")
    assert [e.facts["what"] for e in taken] == ["cloud_copc"] * 5
    assert {e.facts["sha256"] for e in taken} == {"ab" * 32}


def test_the_end_of_the_file_may_be_looked_at_as_far_as_a_part_goes(scene: Site) -> None:
    assert part(scene, "bytes=-60")[0] == 206
    assert entries(scene, "scene.take") == []
    part(scene, f"bytes=-{LARGEST_PART_BYTES + 1}")
    assert len(entries(scene, "scene.take")) == 1


def test_several_ranges_at_once_are_refused_and_leave_no_trace(scene: Site, octree: Path) -> None:
    status, data = part(scene, "bytes=0-9,20-29")
    assert status == 422
    assert b"LASF" not in data
    assert entries(scene, "scene.look") == entries(scene, "scene.take") == []
    size = octree.stat().st_size  # and there is no part beyond the file
    assert part(scene, f"bytes={size}-{size + 9}")[0] == 416


def test_another_zone_has_no_part_of_it(scene: Site) -> None:
    for url in (URL, "/scenes/1/view/mesh.glb"):
        assert part(scene, "bytes=0-9", "neighbour", url)[0] == 404
        assert part(scene, "bytes=0-9", "requester", url)[0] == 206
    looks = entries(scene, "scene.look")
    assert [e.user_id for e in looks] == [scene.actor("requester").user_id]


def test_the_mesh_in_the_viewer_is_a_look_and_the_page_streams(scene: Site) -> None:
    with scene.client("investigator").get("/scenes/1/view/mesh.glb") as answer:
        assert answer.data == b"glTF mesh"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert len(entries(scene, "scene.look")) == 1
    assert entries(scene, "scene.take") == []
    page = scene.client("investigator").get("/scenes/1").get_data(as_text=True)
    assert '"copcUrl": "/scenes/1/view/cloud.copc.laz?v=' in page


def test_a_scene_without_an_octree_says_so_and_its_page_takes_the_buffer(site: Site) -> None:
    worlds.built_scene(site)
    assert part(site, "bytes=0-9")[0] == 404
    page = site.client("investigator").get("/scenes/1").get_data(as_text=True)
    assert '"copcUrl": null' in page
    assert '"pointsUrl": "/scenes/1/points.bin?v=' in page


def test_the_upper_levels_are_an_even_sample_within_the_budget(octree: Path) -> None:
    whole = np.asarray(laspy.read(octree).xyz)
    low, high = whole.min(axis=0), whole.max(axis=0)
    for budget in (1_000, 20_000, COUNT + 1):
        kept = points.sampled(octree, budget, (0.0, 0.0, 0.0))
        assert len(kept) <= budget
        assert len(kept) > min(0.4 * budget, COUNT - 1)
        cells = ((kept["xyz"][:, :2] - low[:2]) / (high - low)[:2] * 3.999).astype(int)
        share = np.bincount(cells[:, 0] * 4 + cells[:, 1], minlength=16) / len(kept)
        assert share.min() > 1 / 16 / 1.8
        assert share.max() < 1.8 / 16


def test_what_is_no_octree_is_said_to_be_none(tmp_path: Path) -> None:
    worlds.write_cloud(tmp_path / "plain.laz", 100)
    with pytest.raises(DecodeError, match=r"plain\.laz"):
        points.sampled(tmp_path / "plain.laz", 10, (0.0, 0.0, 0.0))
