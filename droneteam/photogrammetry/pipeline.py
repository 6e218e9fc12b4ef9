"""From a folder of photos to a scene, stage by stage, resumable at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from droneteam.errors import DecodeError, InputError, NotFound
from droneteam.photogrammetry import workdir
from droneteam.photogrammetry.manifest import read as read_manifest
from droneteam.photogrammetry.photo_files import load_photos, working_paths
from droneteam.photogrammetry.photos import (
    PhotoSet,
    file_sha256,
    find_photos,
    require_enough,
    unique_names,
)
from droneteam.photogrammetry.products import PRODUCTS_FOLDER, products_of
from droneteam.photogrammetry.runner import (
    STAGES_FOLDER,
    Progress,
    Run,
    SceneInput,
    Stage,
    StageRecord,
    prune,
    run_stage,
)
from droneteam.photogrammetry.scene_document import (
    Scene,
    ground_sampling_distance_m,
    scene_document,
    scene_warnings,
    stage_folders,
)
from droneteam.photogrammetry.scene_files import cameras_document, load_network
from droneteam.photogrammetry.scene_params import STAGES, SceneParams, params_of
from droneteam.photogrammetry.stages import STAGE_TABLE, read_scene_control

SCENE_NAME, CAMERAS_NAME = "scene.json", "cameras.json"


def build_scene(
    photos: Path | Sequence[Path],
    folder: Path,
    params: SceneParams,
    *,
    progress: Progress = lambda stage, fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
    stages: Sequence[Stage] = STAGE_TABLE,
) -> Scene:
    """The scene of these photos (a folder or files), built in `folder` up to `params.until`.

    Finished stages of an earlier run are taken over where nothing that decides their result has
    changed.  scene.json and cameras.json are rewritten after every stage.

    Raises
    ------
    InputError
        No photos, too few, control that cannot be read, or a folder that cannot be written.
    Conflict
        Another process builds in the folder.
    SceneError
        A stage cannot go on; says what would help.  What was finished is kept.
    SceneCancelled
        `cancelled` said so.
    """
    paths = find_photos(photos) if isinstance(photos, Path) else list(photos)
    read_scene_control(params)  # a typing error must not wait for the adjustment to be found
    folder = folder.absolute()
    with workdir.locked(folder):
        with workdir.clear_errors("photos", folder):
            (folder / STAGES_FOLDER).mkdir(exist_ok=True)
        run = Run(folder, _scene_input(paths), params, 0, progress, cancelled)
        return _run_stages(run, stages)


def load_scene(folder: Path) -> Scene:
    """The scene in a folder, as far as it was built.

    Raises
    ------
    NotFound
        There is no scene in the folder.
    DecodeError
        scene.json or a stage that it names cannot be read.
    """
    path = folder / SCENE_NAME
    try:
        document = json.loads(path.read_text())
        paths = {row["name"]: Path(row["path"]) for row in document["photos"]["files"]}
        params = params_of(document["params"], with_control=False)
        records = [
            StageRecord(read_manifest(place), place, "reused")
            for place in stage_folders(document, folder).values()
        ]
    except FileNotFoundError as error:
        raise NotFound("scene", folder) from error
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"{path} is not a scene description: {error}") from error
    return _scene(folder, params, records, paths)


def _run_stages(run: Run, stages: Sequence[Stage]) -> Scene:
    records: dict[str, StageRecord] = {}
    scene: Scene | None = None
    for stage in stages[: STAGES.index(run.params.until) + 1]:
        records[stage.name] = run_stage(run, stage, records)
        scene = _scene(run.folder, run.params, list(records.values()), run.photos.paths)
        if stage.name == "photos":
            require_enough(scene.photos)
            pixels = sum(photo.width_px * photo.height_px for photo in scene.photos.photos)
            run = Run(run.folder, run.photos, run.params, pixels, run.progress, run.cancelled)
        with workdir.clear_errors(stage.name, run.folder):
            _write_documents(scene, records)
    assert scene is not None, "the stage table is empty"
    prune(run.folder, scene.stages)
    return scene


def _scene_input(paths: Sequence[Path]) -> SceneInput:
    by_name = dict(zip(unique_names(paths), (path.absolute() for path in paths), strict=True))
    hashes = {}
    for name, path in by_name.items():
        try:
            hashes[name] = file_sha256(path)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}", field="photos") from error
    return SceneInput(by_name, hashes)


def _scene(
    folder: Path,
    params: SceneParams,
    records: Sequence[StageRecord],
    paths: Mapping[str, Path],
) -> Scene:
    """What the finished stages amount to."""
    by_name = {record.manifest.stage: record for record in records}
    photos = (
        load_photos(by_name["photos"].folder, paths) if "photos" in by_name else PhotoSet((), ())
    )
    network = None
    if "adjust" in by_name:
        pixels = working_paths(photos, by_name["photos"].folder)
        network = load_network(by_name["adjust"].folder, pixels)
    exported = by_name.get("export")
    return Scene(
        folder=folder,
        params=params,
        photos=photos,
        network=network,
        stages=tuple(records),
        products=() if exported is None else products_of(exported.manifest),
        gsd_m=None if network is None else ground_sampling_distance_m(network),
        warnings=scene_warnings(photos, network),
    )


def _write_documents(scene: Scene, records: Mapping[str, StageRecord]) -> None:
    """Bring scene.json, cameras.json and products/ up to the stages that are done."""
    if "export" in records:
        workdir.link_tree(records["export"].folder, scene.folder / PRODUCTS_FOLDER)
    if scene.network is not None:
        workdir.write_json(scene.folder / CAMERAS_NAME, cameras_document(scene.network))
    workdir.write_json(scene.folder / SCENE_NAME, scene_document(scene))
