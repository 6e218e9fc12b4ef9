"""A full disk, a file too large, no memory, a killed worker: words, and what is finished stays."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np
import pytest

from droneteam.errors import SceneError
from droneteam.photogrammetry import workdir
from droneteam.photogrammetry.executor import LocalExecutor
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.runner import SceneCancelled, StageContext
from droneteam.photogrammetry.scene_params import SceneParams
from tests.photogrammetry.box_world import BoxWorld, block_poses
from tests.photogrammetry.fake_stages import fake_table
from tests.photogrammetry.pictures import Tags, noise, write_jpeg
from tests.photogrammetry.repeat_build import photograph
from tests.photogrammetry.test_executor import dies_at_two

ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(3):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    return tmp_path / "in"


# --- memory -----------------------------------------------------------------------------------


def numpy_asks_for_too_much() -> None:
    np.ones(1 << 50)


def opencv_asks_for_too_much() -> None:
    cv2.resize(np.zeros((2, 2)), (1 << 23, 1 << 23))


def a_library_says_bad_alloc() -> None:
    raise RuntimeError("std::bad_alloc")


def no_thread_is_left() -> None:
    raise RuntimeError("can't start new thread")


def the_kernel_says_so() -> None:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.mark.parametrize(
    "fail",
    [
        numpy_asks_for_too_much,
        opencv_asks_for_too_much,
        a_library_says_bad_alloc,
        no_thread_is_left,
        the_kernel_says_so,
    ],
)
def test_whoever_runs_out_of_memory_the_words_are_the_same(fail: object, tmp_path: Path) -> None:
    with (
        pytest.raises(SceneError, match=r"dense: not enough memory. Close other programs"),
        workdir.clear_errors("dense", tmp_path),
    ):
        fail()  # type: ignore[operator]


def test_a_worker_that_the_system_killed_is_said_so(tmp_path: Path) -> None:
    with (
        pytest.raises(SceneError, match=r"sfm: the system ended a worker process.*memory") as found,
        workdir.clear_errors("sfm", tmp_path),
    ):
        list(LocalExecutor(2).map(dies_at_two, None, range(5), holds_lock=True))
    assert isinstance(found.value.__cause__, BrokenProcessPool)


def test_an_error_of_another_kind_is_not_dressed_up(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug"), workdir.clear_errors("sfm", tmp_path):
        raise RuntimeError("a bug")
    with pytest.raises(cv2.error), workdir.clear_errors("sfm", tmp_path):
        cv2.resize(np.zeros((0, 0), np.uint8), (4, 4))


# --- disk -------------------------------------------------------------------------------------


def test_a_database_that_may_not_grow_ends_in_words_and_the_next_run_goes_on(
    tmp_path: Path,
) -> None:
    """COLMAP's own file meets a real EFBIG at the second photo, in a process of its own."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "import numpy as np\n"
        "from droneteam.errors import SceneError\n"
        "from droneteam.photogrammetry import workdir\n"
        "from droneteam.photogrammetry.cameras import features\n"
        "from droneteam.photogrammetry.cameras.sfm_types import PhotoInput, SfmParams\n"
        "folder = Path(sys.argv[1])\n"
        "photos = [PhotoInput(f'{i}', Path(sys.argv[2]), 320, 240, 'c', 300.0) for i in range(3)]\n"
        "found = np.ones((2000, 4), np.float32), np.ones((2000, 128), np.uint8)\n"
        "features._described = lambda photos, *_: [found] * len(photos)\n"
        "def run():\n"
        "    with workdir.clear_errors('sfm', folder):\n"
        "        store = features.open_database(photos, folder, SfmParams())\n"
        "        features.extract(photos, store, SfmParams(), lambda *_: None)\n"
        "        return features.keypoint_counts(store)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, -1))\n"
        "try:\n"
        "    run()\n"
        "except SceneError as error:\n"
        "    print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))\n"
        "print(run())\n"
    )
    photo = write_jpeg(tmp_path / "a.jpg", noise(seed=1), Tags())
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "work"), str(photo)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said, counts = done.stdout.splitlines()
    assert said.startswith("sfm: a file became larger than the disk of ")
    assert counts == "[2000, 2000, 2000]"


def test_a_file_too_large_for_the_disk_names_the_likely_cause(tmp_path: Path) -> None:
    """A real EFBIG: the account's largest file is 64 kB, in a process of its own."""
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from droneteam.errors import SceneError\n"
        "from droneteam.photogrammetry import workdir\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "folder = Path(sys.argv[1])\n"
        "try:\n"
        "    with workdir.clear_errors('dense', folder):\n"
        "        (folder / 'big').write_bytes(bytes(1 << 20))\n"
        "except SceneError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert "dense: a file became larger than the disk" in done.stdout, done.stderr
    assert "FAT32" in done.stdout


def test_scene_json_says_why_the_build_ended_and_forgets_it_when_it_is_whole(
    photos: Path, tmp_path: Path
) -> None:
    out, failing = tmp_path / "out", [True]

    def misbehave(context: StageContext, name: str) -> None:
        if name == "dense" and failing:
            raise OSError(errno.ENOSPC, "No space left on device")

    table = fake_table(misbehave=misbehave)
    with pytest.raises(SceneError):
        build_scene(photos, out, SceneParams(), stages=table)
    document = json.loads((out / "scene.json").read_text())
    assert document["state"] == "partial"
    assert document["last_stage"] == "adjust"
    assert document["stopped"]["stage"] == "dense"
    assert "is full" in document["stopped"]["reason"]
    failing.clear()
    build_scene(photos, out, SceneParams(), stages=table)
    document = json.loads((out / "scene.json").read_text())
    assert (document["state"], document["stopped"]) == ("complete", None)


def test_a_cancelled_build_says_so_in_scene_json(photos: Path, tmp_path: Path) -> None:
    out, seen = tmp_path / "out", []

    def progress(stage: str, fraction: float, message: str) -> None:
        seen.append(stage)

    with pytest.raises(SceneCancelled):
        build_scene(
            photos, out, SceneParams(), progress=progress, stages=fake_table(),
            cancelled=lambda: "dense" in seen,
        )  # fmt: skip
    assert json.loads((out / "scene.json").read_text())["stopped"]["stage"] == "dense"


def test_products_of_an_earlier_run_are_kept_and_marked_as_such(
    photos: Path, tmp_path: Path
) -> None:
    """A rebuild with another preset stops half-way: the old orthophoto is not of this scene."""
    out = tmp_path / "out"
    build_scene(photos, out, SceneParams(), stages=fake_table())
    complete = json.loads((out / "scene.json").read_text())
    assert complete["earlier_products"] == []
    build_scene(photos, out, SceneParams(preset="full", until="dense"), stages=fake_table())
    document = json.loads((out / "scene.json").read_text())
    assert document["products"] == []
    assert "products/orthophoto.tif" in document["earlier_products"]
    assert (out / "products" / "orthophoto.tif").exists()


def mounts_allowed(folder: Path) -> bool:
    """Whether this user may mount in a namespace of its own."""
    try:
        command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sfm", "adjust", "dense", "surface", "export"])
def test_a_disk_that_fills_up_in_a_real_stage(tmp_path: Path, stage: str) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mounts_allowed(folder):
        pytest.skip("needs the right to mount in a user namespace (unshare -rm)")
    photograph(BoxWorld(), block_poses(), tmp_path / "in")
    command = ["unshare", "-rm", sys.executable, "-m", "tests.photogrammetry.full_disk"]
    done = subprocess.run(
        [*command, str(folder), str(tmp_path / "in"), stage],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert f"{stage}: the disk of" in found["error"]
    assert "is full" in found["error"]
    assert found["state"] == "partial"
    assert found["kept"], "finished stages were lost"
    assert found["complete"]
    assert found["left_over"] == []
