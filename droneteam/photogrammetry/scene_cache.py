"""Built scenes kept in memory: whoever marks or measures asks for the same one every second."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path

from droneteam.errors import Conflict
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_rows import found_path, kept_file
from droneteam.photogrammetry.scene_store import SCENE_NAME, load_scene
from droneteam.settings import Settings

KEPT_SCENES = 4
"""A large one's covariance takes some 30 MB."""


def built(row: SceneRow, settings: Settings) -> Scene:
    """The built scene; from memory while its files are the same.

    Raises
    ------
    Conflict
        The scene has no cameras yet.
    """
    path = found_path(row.folder, settings) / SCENE_NAME
    if row.summary is not None and path.is_file():
        scene = _loaded(path.parent, path.stat().st_mtime_ns, settings)
        if scene.network is not None:
            return scene
    raise Conflict(f"scene {row.id} has not been built; build it first")


@lru_cache(maxsize=KEPT_SCENES)
def _loaded(folder: Path, _stamp_ns: int, settings: Settings) -> Scene:
    return load_scene(folder, partial(kept_file, settings=settings))
