"""What every service of a scene begins with: its row, within the actor's reach, and its folders."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, scoped
from droneteam.errors import Conflict, NotFound
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene_document import Scene
from droneteam.photogrammetry.scene_store import SCENE_NAME, load_scene
from droneteam.settings import Settings

KEPT_SCENES = 4
"""Loaded scenes that a process keeps; a large one's covariance takes some 30 MB."""


def scene_row(session: Session, actor: Actor, scene_id: int) -> SceneRow:
    """The scene's row.

    Raises
    ------
    NotFound
        There is none, or none that the actor may see.
    """
    query = select(SceneRow).where(SceneRow.id == scene_id)
    row = session.scalar(scoped(query, actor, SceneRow.organisation_id))
    if row is None:
        raise NotFound("scene", scene_id)
    return row


def stored(path: Path, settings: Settings) -> str:
    """The path below the data folder when it lies there, else the absolute one."""
    absolute = path.absolute()
    try:
        return absolute.relative_to(settings.data_dir.absolute()).as_posix()
    except ValueError:
        return absolute.as_posix()


def found(kept: str, settings: Settings) -> Path:
    """Where what `stored` wrote lies now."""
    return settings.data_dir.absolute() / kept


def built(row: SceneRow, settings: Settings) -> Scene:
    """The built scene; from memory while its files are the same.

    Raises
    ------
    Conflict
        The scene has no cameras yet.
    """
    path = found(row.folder, settings) / SCENE_NAME
    if row.summary is not None and path.is_file():
        scene = _loaded(path.parent, path.stat().st_mtime_ns)
        if scene.network is not None:
            return scene
    raise Conflict(f"scene {row.id} has not been built; build it first")


@lru_cache(maxsize=KEPT_SCENES)
def _loaded(folder: Path, _stamp_ns: int) -> Scene:
    return load_scene(folder)
