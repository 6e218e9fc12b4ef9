"""The one way to a scene's row, and how its folders are written down."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, scoped
from droneteam.errors import NotFound
from droneteam.photogrammetry.models import SceneRow
from droneteam.settings import Settings


def scene_row(session: Session, actor: Actor, scene_id: int) -> SceneRow:
    """The scene's row; NotFound for one the actor may not see."""
    query = select(SceneRow).where(SceneRow.id == scene_id)
    row = session.scalar(scoped(query, actor, SceneRow.organisation_id))
    if row is None:
        raise NotFound("scene", scene_id)
    return row


def stored_path(path: Path, settings: Settings) -> str:
    """The path below the data folder when it lies there, else the absolute one."""
    absolute = path.absolute()
    try:
        return absolute.relative_to(settings.data_dir.absolute()).as_posix()
    except ValueError:
        return absolute.as_posix()


def found_path(stored: str, settings: Settings) -> Path:
    """Where a path that `stored_path` wrote lies now."""
    return settings.data_dir.absolute() / stored


def kept_file(stored: str | Path, settings: Settings) -> Path:
    """Where a file that was written down lies now, also after the data folder was moved.

    A scene's description names its photos and control by their whole path. After a backup is
    restored into another folder they lie below that one, under the end of the path they had.

    Returns
    -------
    The path as it was written where nothing of that end is in the data folder either.
    """
    data_dir = settings.data_dir.absolute()
    path = data_dir / stored
    if path.is_file():
        return path
    parts = path.parts[1:]
    ends = (data_dir.joinpath(*parts[at:]) for at in range(1, len(parts) - 1))
    return next((end for end in ends if end.is_file()), path)
