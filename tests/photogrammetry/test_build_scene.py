"""Whole scenes from photos of a world of known geometry: files in, metres out."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from droneteam.geo import EnuFrame
from droneteam.photogrammetry.pipeline import build_scene
from droneteam.photogrammetry.scene import Camera, View
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.photogrammetry.surface.rasters import height_at
from droneteam.photogrammetry.surface.surface_files import load_raster
from tests.photogrammetry.box_world import BoxWorld, block_poses, small_camera, strip_poses
from tests.photogrammetry.repeat_build import ORIGIN, photograph

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
"""rasterio 1.5 multiplies affine transforms the old way."""

CAMERA = small_camera()


@pytest.fixture(scope="module")
def world() -> BoxWorld:
    return BoxWorld()


@pytest.fixture(scope="module")
def scene(world: BoxWorld, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Twelve photos of a box on the ground, built with the calibration given."""
    folder = tmp_path_factory.mktemp("box")
    photograph(world, block_poses(), folder / "in")
    params = SceneParams(preset="preview", camera=CAMERA)
    return build_scene(folder / "in", folder / "out", params)


def test_every_photo_has_a_place(scene: Scene) -> None:
    assert scene.n_registered == 12
    assert scene.network is not None
    assert scene.network.unregistered == ()


def test_cameras_stand_where_they_stood(scene: Scene) -> None:
    """Truth: the poses; RTK is exact here, so only matching noise is left."""
    assert scene.network is not None
    assert scene.network.frame.origin is not None
    frame = EnuFrame(scene.network.frame.origin)
    truth = {f"{i:02d}.jpg": View("", Path(), CAMERA, p) for i, p in enumerate(block_poses())}
    for view in scene.network.views:
        expected = EnuFrame(ORIGIN).geodetic_from_enu(truth[view.name].centre_enu_m)
        error_m = view.centre_enu_m - frame.enu_from_geodetic(expected)
        assert np.linalg.norm(error_m) < 0.05


def test_heights_are_stated_above_the_ellipsoid(scene: Scene) -> None:
    document = json.loads((scene.folder / "scene.json").read_text())
    assert document["datum"]["vertical"] == "WGS84 ellipsoid"
    assert document["accuracy"]["scale_source"] == "rtk"


def test_the_surface_has_the_boxs_height(scene: Scene, world: BoxWorld) -> None:
    """The box is 0.8 m high; the pixel on the ground is 14 mm."""
    folders = {record.manifest.stage: record.folder for record in scene.stages}
    dsm = load_raster(folders["surface"] / "dsm.npz")
    assert scene.network is not None
    assert scene.network.frame.origin is not None
    down_m = ORIGIN.alt_ellipsoid_m - scene.network.frame.origin.alt_ellipsoid_m
    shift = EnuFrame(scene.network.frame.origin).enu_from_geodetic(
        np.array([ORIGIN.lat_deg, ORIGIN.lon_deg, ORIGIN.alt_ellipsoid_m])
    )
    east, north = (g.ravel() for g in np.meshgrid(np.linspace(-0.8, 0.8, 9), [-0.3, 0.0, 0.3]))
    top_m = height_at(dsm, east + shift[0], north + shift[1]) - down_m
    assert np.nanmedian(np.abs(top_m - 0.8)) < 0.03
    ground_m = height_at(dsm, east + shift[0], north + shift[1] - 1.2) - down_m
    assert np.nanmedian(np.abs(ground_m)) < 0.03


def test_the_ground_sampling_distance_is_that_of_the_camera(scene: Scene) -> None:
    """Six nadir photos from 6 m with 420 px: 14.3 mm; the obliques are a little farther."""
    assert scene.gsd_m == pytest.approx(6.0 / 420.0, rel=0.15)


def test_every_stage_has_its_cost(scene: Scene) -> None:
    for record in scene.stages:
        assert record.manifest.usage.wall_s > 0.0
        assert (record.manifest.usage.peak_memory_bytes or 0) > 50_000_000


def test_photos_of_two_places_give_the_larger_and_name_the_other(
    world: BoxWorld, tmp_path: Path
) -> None:
    photograph(world, block_poses()[:6], tmp_path / "in")
    elsewhere = BoxWorld(seed=99, boxes=((-0.5, 0.5, -0.5, 0.5, 0.0, 0.4),))
    photograph(elsewhere, strip_poses(), tmp_path / "in", prefix="other_")
    params = SceneParams(preset="preview", camera=CAMERA, until="adjust")
    scene = build_scene(tmp_path / "in", tmp_path / "out", params)
    assert scene.n_registered == 6
    apart = {name for group in scene.network.groups for name in group} if scene.network else set()
    apart |= {name for name, _ in scene.network.unregistered} if scene.network else set()
    assert apart == {f"other_{i:02d}.jpg" for i in range(4)}
    assert any("other_00.jpg" in warning for warning in scene.warnings)


def test_photos_that_do_not_overlap_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for index in range(3):
        lonely = BoxWorld(seed=10 + index)
        photograph(lonely, block_poses()[:1], tmp_path / "in", prefix=f"{index}_")
    params = SceneParams(preset="preview", camera=CAMERA, until="sfm")
    with pytest.raises(Exception, match=r"sfm: no three photos could be oriented .* overlap"):
        build_scene(tmp_path / "in", tmp_path / "out", params)


def test_a_calibration_of_another_size_is_refused(world: BoxWorld, tmp_path: Path) -> None:
    photograph(world, block_poses()[:3], tmp_path / "in")
    camera = Camera("PINHOLE", 4000, 3000, (3000.0, 3000.0, 2000.0, 1500.0))
    with pytest.raises(Exception, match="480×360 pixels but the given calibration is for"):
        build_scene(tmp_path / "in", tmp_path / "out", SceneParams(camera=camera))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["photos", "sfm", "adjust", "dense", "surface", "export"])
def test_a_kill_in_a_real_stage_is_resumed(world: BoxWorld, tmp_path: Path, stage: str) -> None:
    """The command is killed half-way through the stage; the same command finishes the scene."""
    photograph(world, block_poses(), tmp_path / "in")
    command = [sys.executable, "-m", "droneteam", "scene", "build", str(tmp_path / "in")]
    command += ["-o", str(tmp_path / "out"), "--preset", "preview"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"{stage} 0%"):
                time.sleep(0.3)
                process.kill()
                break
        process.stderr.read()
    assert process.returncode == -signal.SIGKILL
    written = tmp_path / "out" / "scene.json"
    done = json.loads(written.read_text())["stages"] if written.exists() else []
    again = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stderr
    scene = json.loads((tmp_path / "out" / "scene.json").read_text())
    assert scene["state"] == "complete"
    assert [row["digest"] for row in scene["stages"]][: len(done)] == [r["digest"] for r in done]
    assert [row["state"] for row in scene["stages"]][: len(done)] == ["reused"] * len(done)
