"""From a folder of photos to a scene, stage by stage, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from droneteam.errors import SceneError
from droneteam.photogrammetry import scene_store, workdir
from droneteam.photogrammetry.executor import Executor, LocalExecutor
from droneteam.photogrammetry.ingest.photos import (
    file_sha256,
    find_photos,
    require_enough,
    unique_names,
)
from droneteam.photogrammetry.runner import (
    STAGES_FOLDER,
    Progress,
    Run,
    SceneCancelled,
    SceneInput,
    Stage,
    StageRecord,
    prune,
    run_stage,
)
from droneteam.photogrammetry.scene_document import Scene, Stop
from droneteam.photogrammetry.scene_params import STAGES, SceneParams
from droneteam.photogrammetry.stages import STAGE_TABLE, check_params

logger = logging.getLogger(__name__)

UNREADABLE = "unreadable"
"""In place of the SHA-256 of a file that gives none; once it can be read, it counts as changed."""


def build_scene(
    photos: Path | Sequence[Path],
    folder: Path,
    params: SceneParams,
    *,
    progress: Progress = lambda stage, fraction, message: None,
    cancelled: Callable[[], bool] = lambda: False,
    executor: Executor | None = None,
    stages: Sequence[Stage] = STAGE_TABLE,
) -> Scene:
    """The scene of these photos (a folder or files), built in `folder` up to `params.until`.

    Finished stages of an earlier run are taken over where nothing that decides their result has
    changed.  scene.json and cameras.json are rewritten after every stage.  executor : where units
    of work run; None for `params.threads` cores of this machine.

    Raises
    ------
    InputError
        No photos, too few, control or a reference system that cannot be used, or a
        folder that cannot be written.
    Conflict
        Another process builds in the folder.
    SceneError
        A stage cannot go on; says what would help.  What was finished is kept.
    SceneCancelled
        `cancelled` said so.
    """
    paths = find_photos(photos) if isinstance(photos, Path) else list(photos)
    check_params(params)
    folder = folder.absolute()
    with workdir.locked(folder):
        with workdir.clear_errors("photos", folder):
            (folder / STAGES_FOLDER).mkdir(exist_ok=True)
        executor = executor or LocalExecutor(params.threads)
        executor.require_sight([folder, *paths])
        run = Run(folder, _scene_input(paths), params, 0, progress, cancelled, executor)
        return _run_stages(run, stages)


def _run_stages(run: Run, stages: Sequence[Stage]) -> Scene:
    records: dict[str, StageRecord] = {}
    scene: Scene | None = None
    for stage in stages[: STAGES.index(run.params.until) + 1]:
        try:
            records[stage.name] = run_stage(run, stage, records)
        except (SceneError, SceneCancelled) as error:
            _mark_stopped(run, scene, records, Stop(stage.name, str(error)))
            raise
        scene = scene_store.assemble(
            run.folder, run.params, list(records.values()), run.photos.paths
        )
        if stage.name == "photos":
            require_enough(scene.photos)
            pixels = sum(photo.width_px * photo.height_px for photo in scene.photos.photos)
            run = replace(run, n_pixels=pixels)
        with workdir.clear_errors(stage.name, run.folder):
            scene_store.write_documents(scene, records)
    assert scene is not None, "the stage table is empty"
    prune(run.folder, scene.stages)
    return scene


def _mark_stopped(
    run: Run, scene: Scene | None, records: Mapping[str, StageRecord], stop: Stop
) -> None:
    """Say in scene.json why the build ended; what was finished stays."""
    if scene is None:
        return
    try:
        scene_store.write_documents(replace(scene, stopped=stop), records)
    except OSError as error:  # a full disk, which the caller is about to say
        logger.warning("cannot note in %s why the build ended: %s", run.folder, error)


def _scene_input(paths: Sequence[Path]) -> SceneInput:
    by_name = dict(zip(unique_names(paths), (path.absolute() for path in paths), strict=True))
    hashes = {}
    for name, path in by_name.items():
        try:
            hashes[name] = file_sha256(path)
        except OSError as error:  # the photos' stage names it, and the others are built
            logger.warning("cannot read %s: %s", path, error.strerror)
            hashes[name] = UNREADABLE
    return SceneInput(by_name, hashes)
