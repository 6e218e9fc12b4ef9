"""Runs stages so that a kill at any moment costs at most the stage that was running.

A stage writes into a folder that has a hidden name until every file and the manifest are on the
disk; then the folder gets its name, which is the stage's key.  A run looks for folders with the
keys it needs, checks their files against the manifest, and makes the others.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from droneteam.errors import DecodeError, DroneteamError
from droneteam.photogrammetry import manifest, workdir
from droneteam.photogrammetry.executor import Executor
from droneteam.photogrammetry.manifest import Manifest
from droneteam.photogrammetry.pace import Pace
from droneteam.photogrammetry.resources import Meter
from droneteam.photogrammetry.scene_params import SceneParams

logger = logging.getLogger(__name__)

Progress = Callable[[str, float, str], None]
StageState = Literal["done", "reused"]
STAGES_FOLDER = "stages"
STARTED = "started"
KEPT_VARIANTS = 2
"""Finished results kept per stage, so that trying a parameter and going back costs nothing."""


class SceneCancelled(DroneteamError):
    """The build was cancelled; finished stages are kept and the next run goes on from them."""


@dataclass(frozen=True, slots=True)
class SceneInput:
    """The originals, by photo name, and their SHA-256."""

    paths: Mapping[str, Path]
    hashes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StageContext:
    """What a stage gets.

    folder : empty, for its outputs.  scratch : survives a kill and goes when the stage is done.
    earlier : folders of the finished stages before it.  executor : where units of work run.
    """

    folder: Path
    scratch: Path
    earlier: Mapping[str, Path]
    photos: SceneInput
    params: SceneParams
    progress: Callable[[float, str], None]
    executor: Executor


@dataclass(frozen=True, slots=True)
class Stage:
    """One step and what decides its result.

    needs : earlier stages whose outputs it reads.
    decides : the parameters its result depends on.
    outside : digests of inputs other than earlier stages, by name.
    module, libraries : whose source and versions decide the result as well.
    disk_bytes_per_pixel : what it writes, per pixel of all photos, scratch included.
    """

    name: str
    run: Callable[[StageContext], None]
    needs: tuple[str, ...]
    decides: Callable[[SceneParams], Mapping[str, Any]]
    outside: Callable[[SceneInput, SceneParams], Mapping[str, str]]
    module: str
    libraries: tuple[str, ...] = ()
    disk_bytes_per_pixel: float = 0.0


@dataclass(frozen=True, slots=True)
class StageRecord:
    """A finished stage: where it is, what it cost, and whether this run made it."""

    manifest: Manifest
    folder: Path
    state: StageState


@dataclass(frozen=True, slots=True)
class Run:
    """One run over a workdir that is locked."""

    folder: Path
    photos: SceneInput
    params: SceneParams
    n_pixels: int
    progress: Progress
    cancelled: Callable[[], bool]
    executor: Executor


def run_stage(run: Run, stage: Stage, earlier: Mapping[str, StageRecord]) -> StageRecord:
    """The stage, finished: found whole from an earlier run, or made now.

    Raises
    ------
    SceneCancelled, SceneError
        Nothing that was finished is lost.
    """
    inputs = {name: earlier[name].manifest.digest for name in stage.needs}
    inputs.update(stage.outside(run.photos, run.params))
    params = manifest.plain(stage.decides(run.params))
    software = manifest.software(stage.run, stage.module, stage.libraries)
    key = manifest.stage_key(stage.name, params, inputs, software)
    final = run.folder / STAGES_FOLDER / f"{stage.name}-{key[: workdir.KEY_LENGTH]}"
    found = _intact(final, key)
    if found is not None:
        run.progress(stage.name, 1.0, "already done")
        return StageRecord(found, final, "reused")
    draft = Manifest(stage.name, key, params, inputs, software, (), Meter().usage)
    return StageRecord(_make(run, stage, draft, earlier, final), final, "done")


def prune(folder: Path, kept: Sequence[StageRecord]) -> None:
    """Remove old variants of the stages, all but the newest few and those of this run."""
    in_use = {record.folder for record in kept}
    for record in kept:
        variants = (folder / STAGES_FOLDER).glob(f"{record.manifest.stage}-*")
        by_age = sorted(variants, key=lambda path: path.stat().st_mtime, reverse=True)
        for path in [p for p in by_age if p not in in_use][KEPT_VARIANTS - 1 :]:
            shutil.rmtree(path)


def _make(
    run: Run, stage: Stage, draft: Manifest, earlier: Mapping[str, StageRecord], final: Path
) -> Manifest:
    part, scratch = _fresh_folders(run, stage, final)
    context = StageContext(
        folder=part,
        scratch=scratch,
        earlier={name: earlier[name].folder for name in stage.needs},
        photos=run.photos,
        params=run.params,
        progress=_guarded_progress(run, stage.name),
        executor=run.executor,
    )
    context.progress(0.0, STARTED)
    with workdir.clear_errors(stage.name, run.folder):
        needed = int(stage.disk_bytes_per_pixel * run.n_pixels)
        workdir.require_free(stage.name, run.folder, needed)
        with Meter() as meter:
            stage.run(context)
        finished = Manifest(
            stage=draft.stage,
            key=draft.key,
            params=draft.params,
            inputs=draft.inputs,
            software=draft.software,
            outputs=manifest.record_outputs(part),
            usage=meter.usage,
        )
        manifest.write(finished, part)
        workdir.publish(part, final)
    shutil.rmtree(scratch, ignore_errors=True)
    run.progress(stage.name, 1.0, "done")
    logger.info("stage %s: %.1f s, %.1f CPU s", stage.name, meter.usage.wall_s, meter.usage.cpu_s)
    return finished


def _fresh_folders(run: Run, stage: Stage, final: Path) -> tuple[Path, Path]:
    """An empty output folder, and the scratch of an interrupted run with the same key if any."""
    part = final.with_name(f".{final.name}.part")
    scratch = final.with_name(f".{final.name}.scratch")
    with workdir.clear_errors(stage.name, run.folder):
        for leftover in final.parent.glob(f".{stage.name}-*"):
            if leftover != scratch:
                shutil.rmtree(leftover)
        part.mkdir(parents=True)
        scratch.mkdir(exist_ok=True)
    return part, scratch


def _intact(folder: Path, key: str) -> Manifest | None:
    """The manifest of a finished stage whose files are all as they were written."""
    if not folder.is_dir():
        return None
    try:
        found = manifest.read(folder)
    except DecodeError:
        logger.warning("%s has no readable manifest and is made again", folder)
        return None
    damaged = manifest.damaged_outputs(found, folder)
    if damaged:
        logger.warning("%s is made again: %s changed since", folder, ", ".join(damaged))
        return None
    return found if found.key == key else None


def _guarded_progress(run: Run, name: str) -> Callable[[float, str], None]:
    """Progress with the time left, that also stops the stage when somebody cancelled."""
    pace = Pace()

    def report(fraction: float, message: str) -> None:
        if run.cancelled():
            raise SceneCancelled(f"cancelled in stage {name}; finished stages are kept")
        fraction = min(max(fraction, 0.0), 1.0)
        if message != STARTED:  # what was taken over from an interrupted run took no time
            pace.report(time.monotonic(), fraction)
        left = pace.words() if fraction < 1.0 else ""
        run.progress(name, fraction, f"{message}, {left}" if left else message)

    return report
