"""A stage table that costs milliseconds, counts its runs, and can die on command.

Run as a program it builds once: `python -m tests.photogrammetry.fake_stages PHOTOS OUT [WHERE]`;
WHERE names the moment at which the process kills itself with SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from droneteam.geo import GeoPoint
from droneteam.photogrammetry import manifest, pipeline, scene_store, workdir
from droneteam.photogrammetry.runner import Stage, StageContext
from droneteam.photogrammetry.scene import (
    Accuracy,
    Camera,
    CameraNetwork,
    Frame,
    SparseCloud,
    View,
)
from droneteam.photogrammetry.scene_files import save_network
from droneteam.photogrammetry.scene_params import SceneParams
from droneteam.photogrammetry.stages import STAGE_TABLE

COUNTS = "runs.txt"


def runs(folder: Path) -> list[str]:
    """The names of the stages that ran, in order, over all processes."""
    path = folder.parent / COUNTS
    return path.read_text().split() if path.exists() else []


def network(names: list[str], paths: Mapping[str, Path]) -> CameraNetwork:
    """Cameras 20 m above a flat ground, 10 m apart; focal length 400 px: GSD 50 mm."""
    camera = Camera("PINHOLE", 320, 240, (400.0, 400.0, 160.0, 120.0))
    down = np.diag([1.0, -1.0, -1.0])
    views = tuple(
        View(
            name,
            paths[name],
            camera,
            np.column_stack([down, -down @ np.array([10.0 * i, 0.0, 20.0])]),
        )
        for i, name in enumerate(names)
    )
    sparse = SparseCloud(
        points_enu_m=np.array([[5.0, 0.0, 0.0], [6.0, 1.0, 0.0]]),
        colors=np.zeros((2, 3), np.uint8),
        track_offsets=np.array([0, 2, 4]),
        track_views=np.array([0, 1, 0, 1], np.int32),
        track_pixels=np.zeros((4, 2)),
    )
    frame = Frame("enu", GeoPoint(50.8197, 4.3908, 100.0), "WGS84 ellipsoid", metric=True)
    return CameraNetwork(views, sparse, frame, Accuracy(0.5, "rtk", False))


def fake_table(
    preset_matters_to: str = "dense", misbehave: Callable[[StageContext, str], None] | None = None
) -> tuple[Stage, ...]:
    """The real ingest and five fakes; only `preset_matters_to` depends on the preset."""
    names = ("sfm", "adjust", "dense", "surface", "export")
    before = {"sfm": ("photos",), "adjust": ("photos", "sfm"), "dense": ("adjust",)}
    before |= {"surface": ("adjust", "dense"), "export": ("adjust", "surface")}

    def runner(name: str) -> Callable[[StageContext], None]:
        def run(context: StageContext) -> None:
            _count(context, name)
            context.progress(0.5, "half")
            content = "".join(
                f"{path.parent.name.split('-')[0]} {path.read_text()}\n"
                for folder in context.earlier.values()
                for path in sorted(folder.glob("out.txt"))
            )
            preset = context.params.preset if name == preset_matters_to else ""
            (context.folder / "out.txt").write_text(f"{name} {preset} {content}")
            if name == "adjust":
                names = sorted(context.photos.paths)
                save_network(network(names, context.photos.paths), context.folder)
            if name == "export":
                (context.folder / "orthophoto.tif").write_bytes(b"II*\x00")
            if misbehave is not None:
                misbehave(context, name)

        return run

    def decides(name: str) -> Callable[[SceneParams], Mapping[str, Any]]:
        return lambda params: {"preset": params.preset} if name == preset_matters_to else {}

    fakes = tuple(
        Stage(
            name=name,
            run=runner(name),
            needs=before[name],
            decides=decides(name),
            outside=lambda photos, params: {},
            module="droneteam.errors",
        )
        for name in names
    )
    return (replace(STAGE_TABLE[0], run=_counted_photos), *fakes)


def _counted_photos(context: StageContext) -> None:
    _count(context, "photos")
    STAGE_TABLE[0].run(context)


def _count(context: StageContext, name: str) -> None:
    out = context.folder.parents[1]
    with (out.parent / COUNTS).open("a") as file:
        file.write(f"{name}\n")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(where: str) -> Callable[[StageContext, str], None] | None:
    """Make the process die at the named moment of the dense stage."""

    def in_stage(context: StageContext, name: str) -> None:
        if name == "dense":
            _die()

    if where == "running":
        return in_stage
    if where == "before the manifest":
        _die_in(manifest, "write", lambda made, folder: made.stage == "dense")
    if where == "before the rename":
        _die_in(workdir, "publish", lambda part, final: final.name.startswith("dense"))
    if where == "before scene.json":
        _die_in(scene_store, "write_documents", lambda scene, records: "dense" in records)
    return None


def _die_in(module: Any, name: str, when: Callable[..., bool]) -> None:
    original = getattr(module, name)

    def wrapped(*args: Any) -> Any:
        if when(*args):
            _die()
        return original(*args)

    setattr(module, name, wrapped)


if __name__ == "__main__":
    photos, out = Path(sys.argv[1]), Path(sys.argv[2])
    where = sys.argv[3] if len(sys.argv) > 3 else ""
    pipeline.build_scene(photos, out, SceneParams(), stages=fake_table(misbehave=_arm(where)))
