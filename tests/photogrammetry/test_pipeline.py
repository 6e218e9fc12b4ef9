"""The pipeline resumes after any kill, redoes only what depends on a change, and fails in words."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droneteam.errors import Conflict, DecodeError, InputError, NotFound, SceneError
from droneteam.photogrammetry import workdir
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.runner import SceneCancelled, StageContext
from droneteam.photogrammetry.scene import Accuracy, Frame
from droneteam.photogrammetry.scene_document import (
    ground_sampling_distance_m,
    scale_statement,
    scene_warnings,
)
from droneteam.photogrammetry.scene_files import camera_from_file, load_network, save_network
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.photogrammetry.scene_store import load_scene
from tests.photogrammetry.fake_stages import fake_table, network, runs
from tests.photogrammetry.pictures import Tags, noise, write_jpeg

ALL = ["photos", "sfm", "adjust", "dense", "surface", "export"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for index in range(3):
        write_jpeg(tmp_path / "in" / f"{index}.jpg", noise(seed=index), Tags())
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def document(out: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((out / "scene.json").read_text())
    return content


# --- resuming ---------------------------------------------------------------------------------


def test_a_second_run_does_nothing_again(photos: Path, out: Path) -> None:
    first = build_scene(photos, out, SceneParams(), stages=fake_table())
    second = build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out) == ALL
    assert [record.state for record in second.stages] == ["reused"] * 6
    assert [r.manifest for r in second.stages] == [r.manifest for r in first.stages]


@pytest.mark.parametrize(
    ("where", "runs_again"),
    [
        ("running", True),
        pytest.param("before the manifest", True, marks=pytest.mark.slow),
        ("before the rename", True),
        ("before scene.json", False),
    ],
)
def test_a_kill_costs_at_most_the_stage_that_ran(
    photos: Path, out: Path, where: str, runs_again: bool
) -> None:
    command = [sys.executable, "-m", "tests.photogrammetry.fake_stages", photos, out, where]
    killed = subprocess.run([str(part) for part in command], cwd=ROOT, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    if not runs_again:
        assert document(out)["last_stage"] == "adjust", "the old description is whole"
    scene = build_scene(photos, out, SceneParams(), stages=fake_table())
    expected = ALL[:4] + (ALL[3:] if runs_again else ALL[4:])
    assert runs(out) == expected
    assert scene.complete
    assert not list((out / "stages").glob(".*")), "nothing half-made stays"


def test_a_changed_parameter_redoes_what_depends_on_it_and_nothing_else(
    photos: Path, out: Path
) -> None:
    build_scene(photos, out, SceneParams(), stages=fake_table())
    build_scene(photos, out, SceneParams(preset="full"), stages=fake_table())
    assert runs(out) == [*ALL, "dense", "surface", "export"]


def test_going_back_to_a_parameter_costs_nothing(photos: Path, out: Path) -> None:
    for preset in ("normal", "full", "normal"):
        build_scene(photos, out, SceneParams(preset=preset), stages=fake_table())  # type: ignore[arg-type]
    assert runs(out) == [*ALL, "dense", "surface", "export"]


def test_a_new_photo_redoes_everything(photos: Path, out: Path) -> None:
    build_scene(photos, out, SceneParams(), stages=fake_table())
    write_jpeg(photos / "9.jpg", noise(seed=9), Tags())
    build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out)[6] == "photos"


def test_photos_that_moved_redo_nothing(photos: Path, out: Path) -> None:
    build_scene(photos, out, SceneParams(), stages=fake_table())
    moved = photos.rename(photos.with_name("elsewhere"))
    scene = build_scene(moved, out, SceneParams(), stages=fake_table())
    assert runs(out) == ALL
    assert scene.photos.photos[0].path.parent == moved


def test_the_same_photos_give_the_same_digests_elsewhere(photos: Path, tmp_path: Path) -> None:
    first = build_scene(photos, tmp_path / "a" / "out", SceneParams(), stages=fake_table())
    second = build_scene(photos, tmp_path / "b" / "out", SceneParams(), stages=fake_table())
    digests = [[record.manifest.digest for record in scene.stages] for scene in (first, second)]
    assert digests[0] == digests[1]


def test_a_damaged_output_is_made_again(photos: Path, out: Path) -> None:
    scene = build_scene(photos, out, SceneParams(), stages=fake_table())
    victim = scene.stages[3].folder / "out.txt"
    victim.write_text(victim.read_text().swapcase())
    build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out) == [*ALL, "dense"], "the same output spares the stages after it"


def test_a_torn_manifest_means_the_stage_is_made_again(photos: Path, out: Path) -> None:
    scene = build_scene(photos, out, SceneParams(), stages=fake_table())
    path = scene.stages[1].folder / "manifest.json"
    path.write_text(path.read_text()[:50])
    build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out) == [*ALL, "sfm"]


def test_scratch_files_survive_a_failure_and_go_with_success(photos: Path, out: Path) -> None:
    seen: list[bool] = []

    def misbehave(context: StageContext, name: str) -> None:
        if name == "dense":
            seen.append((context.scratch / "half.bin").exists())
            (context.scratch / "half.bin").write_bytes(b"1")
            if len(seen) == 1:
                raise SceneError("dense", "went wrong", help="Try again")

    table = fake_table(misbehave=misbehave)
    with pytest.raises(SceneError, match="went wrong"):
        build_scene(photos, out, SceneParams(), stages=table)
    build_scene(photos, out, SceneParams(), stages=table)
    assert seen == [False, True]
    assert not list((out / "stages").glob(".*scratch"))


def test_old_variants_are_removed_but_for_the_last_two(photos: Path, out: Path) -> None:
    for epsg in (3812, 25831, 32631, 4326):
        table = tuple(
            replace(stage, decides=lambda params: {"epsg": params.epsg})
            if stage.name == "export"
            else stage
            for stage in fake_table()
        )
        build_scene(photos, out, SceneParams(epsg=epsg), stages=table)
    assert len(list((out / "stages").glob("export-*"))) == 2


# --- partial runs and documents ---------------------------------------------------------------


@pytest.mark.parametrize("until", ALL)
def test_until_stops_there_with_everything_so_far(photos: Path, out: Path, until: str) -> None:
    params = SceneParams(until=until)  # type: ignore[arg-type]
    scene = build_scene(photos, out, params, stages=fake_table())
    assert runs(out) == ALL[: ALL.index(until) + 1]
    assert document(out)["last_stage"] == until
    assert document(out)["state"] == ("complete" if until == "export" else "partial")
    assert (out / "cameras.json").exists() == (ALL.index(until) >= 2)
    assert load_scene(out).complete == scene.complete


def test_scene_json_says_where_how_good_and_at_what_cost(photos: Path, out: Path) -> None:
    build_scene(photos, out, SceneParams(), stages=fake_table())
    scene = document(out)
    assert scene["frame"]["origin"] == {  # type: ignore[index]
        "lat_deg": 50.8197,
        "lon_deg": 4.3908,
        "alt_ellipsoid_m": 100.0,
    }
    assert scene["datum"]["vertical"] == "WGS84 ellipsoid"  # type: ignore[index]
    assert scene["gsd_m"] == pytest.approx(0.05)
    assert scene["photos"]["registered"] == scene["photos"]["total"] == 3  # type: ignore[index]
    assert (scene["registered"], scene["total"]) == (3, 3)
    assert scene["reprojection_px"] == 0.5
    vertical = scene["accuracy"]["vertical_scale"]  # type: ignore[index]
    assert vertical["determined"] is False
    assert "NOT determined" in vertical["statement"]
    assert any("NOT determined" in text for text in scene["warnings"])  # type: ignore[union-attr]
    for stage in scene["stages"]:  # type: ignore[union-attr]
        assert stage["wall_s"] >= 0.0
        assert stage["cpu_s"] >= 0.0
        assert stage["peak_memory_mb"] > 1.0
    product = scene["products"][0]  # type: ignore[index]
    assert (out / product["path"]).read_bytes() == b"II*\x00"


def test_cameras_json_gives_each_photos_pose_and_place(photos: Path, out: Path) -> None:
    """The second camera stands 10 m east of the origin and 20 m above it."""
    build_scene(photos, out, SceneParams(), stages=fake_table())
    cameras = json.loads((out / "cameras.json").read_text())["cameras"]
    assert [row["photo"] for row in cameras] == ["0.jpg", "1.jpg", "2.jpg"]
    second = cameras[1]
    assert second["centre_enu_m"] == pytest.approx([10.0, 0.0, 20.0])
    pose = np.array(second["cam_from_enu"])
    assert pose[:, :3] @ [10.0, 0.0, 20.0] + pose[:, 3] == pytest.approx([0.0, 0.0, 0.0])
    assert second["centre_wgs84"]["alt_ellipsoid_m"] == pytest.approx(120.0, abs=1e-4)
    assert second["centre_wgs84"]["lat_deg"] == pytest.approx(50.8197, abs=1e-9)
    metres_per_degree = 111_320.0 * np.cos(np.radians(50.8197))
    east_m = (second["centre_wgs84"]["lon_deg"] - 4.3908) * metres_per_degree
    assert east_m == pytest.approx(10.0, rel=3e-3)


def test_a_stored_scene_loads_as_it_was_built(photos: Path, out: Path) -> None:
    built = build_scene(photos, out, SceneParams(), stages=fake_table())
    loaded = load_scene(out)
    assert loaded.products == built.products
    assert loaded.warnings == built.warnings
    assert loaded.gsd_m == built.gsd_m
    assert [r.manifest for r in loaded.stages] == [r.manifest for r in built.stages]


def test_a_folder_without_a_scene_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load_scene(tmp_path)


def test_a_broken_scene_json_is_a_decode_error(tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text('{"photos": 3}')
    with pytest.raises(DecodeError):
        load_scene(tmp_path)


def test_a_network_survives_being_stored(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("a", "b")}
    original = network(["a", "b"], paths)
    save_network(original, tmp_path)
    loaded = load_network(tmp_path, paths)
    assert loaded.frame == original.frame
    assert loaded.accuracy == original.accuracy
    for kept, view in zip(loaded.views, original.views, strict=True):
        assert (kept.name, kept.path, kept.camera) == (view.name, view.path, view.camera)
        assert np.array_equal(kept.cam_from_enu, view.cam_from_enu)
    assert np.array_equal(loaded.sparse.points_enu_m, original.sparse.points_enu_m)


def test_a_pixel_on_the_ground_is_height_over_focal_length() -> None:
    """20 m over 400 px."""
    found = network(["a", "b"], {"a": Path("a"), "b": Path("b")})
    assert ground_sampling_distance_m(found) == pytest.approx(0.05)


# --- statements -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("determined", "metric", "says"),
    [
        (True, True, "is determined"),
        (False, True, "NOT determined"),
        (None, True, "could not be tested"),
        (None, False, "no scale"),
    ],
)
def test_the_scale_statement_claims_no_more_than_is_known(
    determined: bool | None, metric: bool, says: str
) -> None:
    frame = Frame("enu" if metric else "local", None, "none", metric=metric)
    statement = scale_statement(Accuracy(0.5, "none", determined), frame)
    assert says in statement
    assert ("control point" in statement) == (determined is False or not metric)


def test_an_open_vertical_scale_is_said_once_and_first(photos: Path, out: Path) -> None:
    scene = build_scene(photos, out, SceneParams(), stages=fake_table())
    assert scene.network is not None
    exact = "vertical scale not determined: a focal length 10 % away changes heights by 9 %"
    accuracy = replace(scene.network.accuracy, warnings=("self-calibrated: f", exact))
    warnings = scene_warnings(scene.photos, replace(scene.network, accuracy=accuracy))
    assert warnings[:2] == (exact, "self-calibrated: f")
    assert sum("determined" in text for text in warnings) == 1


def test_photos_of_another_scene_are_named_as_a_group_of_their_own(photos: Path, out: Path) -> None:
    scene = build_scene(photos, out, SceneParams(), stages=fake_table())
    assert scene.network is not None
    split = replace(scene.network, groups=(("x.jpg", "y.jpg"),))
    text = "\n".join(scene_warnings(scene.photos, split))
    assert "2 photos show another place" in text
    assert "x.jpg, y.jpg" in text


# --- refusals ---------------------------------------------------------------------------------


def test_two_photos_stop_after_ingest_with_what_to_do(photos: Path, out: Path) -> None:
    (photos / "2.jpg").unlink()
    with pytest.raises(InputError, match="at least 3"):
        build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out) == ["photos"]


def test_an_empty_folder_makes_no_workdir(tmp_path: Path, out: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no photos"):
        build_scene(tmp_path / "none", out, SceneParams(), stages=fake_table())
    assert not out.exists()


def test_a_second_process_is_told_who_builds(photos: Path, out: Path) -> None:
    def misbehave(context: StageContext, name: str) -> None:
        if name == "dense":
            with pytest.raises(Conflict, match=f"process {os.getpid()} is building"):
                build_scene(photos, out, SceneParams(), stages=fake_table())

    build_scene(photos, out, SceneParams(), stages=fake_table(misbehave=misbehave))
    assert runs(out) == ALL


def test_cancelling_keeps_what_is_finished(photos: Path, out: Path) -> None:
    stages_seen: list[str] = []
    with pytest.raises(SceneCancelled, match="dense"):
        build_scene(
            photos,
            out,
            SceneParams(),
            progress=lambda stage, fraction, message: stages_seen.append(stage),
            cancelled=lambda: "adjust" in stages_seen and len(runs(out)) >= 4,
            stages=fake_table(),
        )
    build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out) == [*ALL[:4], *ALL[3:]]


def test_a_full_disk_says_so_and_keeps_finished_stages(photos: Path, out: Path) -> None:
    def misbehave(context: StageContext, name: str) -> None:
        if name == "dense":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(SceneError, match=r"dense: the disk of .* is full. Free some space"):
        build_scene(photos, out, SceneParams(), stages=fake_table(misbehave=misbehave))
    build_scene(photos, out, SceneParams(), stages=fake_table())
    assert runs(out) == [*ALL[:4], *ALL[3:]]


def test_a_librarys_own_error_on_a_full_disk_is_still_a_full_disk(
    photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def misbehave(context: StageContext, name: str) -> None:
        if name == "surface":
            monkeypatch.setattr(workdir, "free_bytes", lambda folder: 1000)
            raise RuntimeError("TIFFAppendToStrip: write error")

    with pytest.raises(SceneError, match="is full"):
        build_scene(photos, out, SceneParams(), stages=fake_table(misbehave=misbehave))


def test_too_little_disk_is_said_before_the_work(
    photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tuple(
        replace(stage, disk_bytes_per_pixel=1e9) if stage.name == "dense" else stage
        for stage in fake_table()
    )
    with pytest.raises(SceneError, match=r"needs about .* GB of disk"):
        build_scene(photos, out, SceneParams(), stages=table)
    assert runs(out) == ALL[:3]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(photos: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"cannot write in .*closed"):
        build_scene(photos, closed / "out", SceneParams(), stages=fake_table())


def test_a_workdir_below_a_file_is_refused_in_words(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="choose another output folder"):
        build_scene(photos, tmp_path / "file" / "out", SceneParams(), stages=fake_table())


def test_a_missing_permission_within_a_stage_names_the_file(photos: Path, out: Path) -> None:
    def misbehave(context: StageContext, name: str) -> None:
        if name == "sfm":
            raise PermissionError(errno.EACCES, "Permission denied", "/mnt/x/features.db")

    with pytest.raises(SceneError, match=r"may not write /mnt/x/features\.db"):
        build_scene(photos, out, SceneParams(), stages=fake_table(misbehave=misbehave))


def test_running_out_of_memory_suggests_the_preview(photos: Path, out: Path) -> None:
    def misbehave(context: StageContext, name: str) -> None:
        if name == "dense":
            raise MemoryError

    with pytest.raises(SceneError, match="not enough memory"):
        build_scene(photos, out, SceneParams(), stages=fake_table(misbehave=misbehave))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"preset": "fast"}, "preset"),
        ({"until": "mesh"}, "until"),
        ({"language": "de"}, "language"),
        ({"epsg": 12}, "epsg"),
        ({"threads": 0}, "threads"),
        ({"gcp_path": Path("/nowhere/gcp_list.txt")}, "control"),
    ],
)
def test_wrong_parameters_name_their_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InputError) as caught:
        SceneParams(**changes)  # type: ignore[arg-type]
    assert caught.value.field == field


@pytest.mark.parametrize(
    "content",
    [
        "not json",
        "{}",
        '{"model": "PINHOLE", "params": [1, 2], "width": 4, "height": 3}',
        '{"model": "FISHY", "params": [1], "width": 4, "height": 3}',
        '{"model": "PINHOLE", "params": [NaN, 2, 3, 4], "width": 4, "height": 3}',
        '{"model": "PINHOLE", "params": "abcd", "width": 4, "height": 3}',
    ],
)
def test_a_wrong_camera_file_is_an_input_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "camera.json").write_text(content)
    with pytest.raises(InputError):
        camera_from_file(tmp_path / "camera.json")


def test_a_camera_file_reads_as_written(tmp_path: Path) -> None:
    content = {"model": "PINHOLE", "params": [2759.5, 2764.2, 1520.7, 1006.8]}
    (tmp_path / "camera.json").write_text(json.dumps({**content, "width": 3072, "height": 2048}))
    camera = camera_from_file(tmp_path / "camera.json")
    assert camera.focal_px == (2759.5, 2764.2)
    shutil.rmtree(tmp_path)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_photo_that_the_disk_does_not_give_is_left_out_until_it_can_be_read(
    photos: Path, out: Path
) -> None:
    """Reading /proc/self/mem is a real input/output error; then the sector can be read again."""
    (photos / "9.jpg").symlink_to("/proc/self/mem")
    scene = build_scene(photos, out, SceneParams(until="photos"))
    assert [photo.name for photo in scene.photos.photos] == ["0.jpg", "1.jpg", "2.jpg"]
    assert [problem.name for problem in scene.photos.problems] == ["9.jpg"]
    (photos / "9.jpg").unlink()
    write_jpeg(photos / "9.jpg", noise(seed=9), Tags())
    again = build_scene(photos, out, SceneParams(until="photos"))
    assert len(again.photos.photos) == 4
    assert again.photos.problems == ()
