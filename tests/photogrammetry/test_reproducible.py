"""Same photos, parameters and version: same bytes, whatever the process, its cores or its cluster.

Each build is a process of its own, so that hash seeds, thread timing and import order differ.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.photogrammetry.box_world import BoxWorld, block_poses
from tests.photogrammetry.dask_cluster import ROOT, local_cluster
from tests.photogrammetry.repeat_build import photograph

pytestmark = pytest.mark.slow

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
DATED: set[str] = set()
"""States when it was made, and lists the other products' hashes."""


def build(photos: Path, out: Path, threads: int, preset: str, **environment: str) -> dict[str, str]:
    """SHA-256 by product, and the digest of every stage before the export."""
    command = [sys.executable, "-m", "tests.photogrammetry.repeat_build", str(out), str(photos)]
    subprocess.run(
        [*command, str(threads), preset],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        check=True,
        timeout=280,
    )
    scene = json.loads((out / "scene.json").read_text())
    stages = {row["name"]: row["digest"] for row in scene["stages"] if row["name"] != "export"}
    products = {Path(row["path"]).name: row["sha256"] for row in scene["products"]}
    return stages | {name: digest for name, digest in products.items() if name not in DATED}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repeat") / "in"
    photograph(BoxWorld(), block_poses(), folder)
    return folder


@pytest.fixture(scope="module")
def once(photos: Path) -> dict[str, str]:
    out = photos.parent / "once"
    return build(photos, out, 1, "normal", PYTHONHASHSEED="0", **ONE_THREAD)


def test_a_second_build_gives_the_same_bytes(photos: Path, once: dict[str, str]) -> None:
    """In another process, with other hash seeds, on two cores."""
    again = build(
        photos, photos.parent / "again", 2, "normal", PYTHONHASHSEED="4711",
        OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="2", NUMBA_NUM_THREADS="2",
    )  # fmt: skip
    assert {"orthophoto.tif", "dsm.tif", "cloud.laz", "cloud.copc.laz", "mesh.glb"} <= set(once)
    assert again == once


def test_a_cluster_gives_the_same_bytes(photos: Path, once: dict[str, str], tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    with local_cluster(tmp_path, workers=2) as cluster:
        found = build(
            photos, photos.parent / "cluster", 1, "normal", DRONETEAM_DASK=cluster.address
        )
    assert found == once


def test_another_parameter_gives_other_bytes(photos: Path, once: dict[str, str]) -> None:
    """The comparison can fail: the preview is another scene."""
    preview = build(photos, photos.parent / "preview", 1, "preview")
    assert preview["photos"] == once["photos"]
    assert preview["dense"] != once["dense"]
    assert preview["orthophoto.tif"] != once["orthophoto.tif"]
