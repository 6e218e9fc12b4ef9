"""Who looked at a scene and who took what from it: entries of the audit chain.

The purpose is the scene's own: the mission that it was flown for, and the legal basis of the
request behind that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor
from droneteam.photogrammetry.models import SceneRow
from droneteam.photogrammetry.scene_rows import scene_row

LOOK = "scene.look"
TAKE = "scene.take"
ONE_LOOK = timedelta(hours=1)
"""Turning pages of one scene within so long is one look."""


def last_look(session: Session, actor: Actor, scene_id: int) -> datetime | None:
    """When the last entry says that the actor looked; writes nothing."""
    return audit.last_at(session, actor, action=LOOK, subject=f"scene:{scene_id}")


def note_look(session: Session, actor: Actor, scene_id: int, now: datetime) -> datetime:
    """An entry that the actor looked, unless one of the last hour says so; the time of either.

    Raises
    ------
    NotFound
        There is no such scene that the actor may see.
    """
    row = scene_row(session, actor, scene_id)
    last = last_look(session, actor, scene_id)
    if last is not None and now - last < ONE_LOOK:
        return last
    _append(session, actor, row, LOOK, now, {})
    return now


def is_known_taking(
    session: Session, actor: Actor, scene_id: int, what: str, now: datetime
) -> bool:
    """Whether an entry of the last hour says that the actor took that: a download that goes on."""
    recent = audit.entries(
        session, subject=f"scene:{scene_id}", action=TAKE, from_at=now - ONE_LOOK, limit=1000
    )
    return any(one.user_id == actor.user_id and one.facts["what"] == what for one in recent)


def note_taken(session: Session, actor: Actor, scene_id: int, what: str, now: datetime) -> None:
    """An entry that the actor took a file away; what : the product's kind or the file's name.

    A product's entry carries the SHA-256 that the build wrote down.
    """
    row = scene_row(session, actor, scene_id)
    products = (row.summary or {}).get("products", [])
    sha256 = next((made["sha256"] for made in products if made["kind"] == what), None)
    _append(session, actor, row, TAKE, now, {"what": what, "sha256": sha256})


def _append(
    session: Session,
    actor: Actor,
    row: SceneRow,
    action: str,
    now: datetime,
    facts: dict[str, object],
) -> None:
    known = {"mission": row.mission_id, **facts}
    audit.append(session, actor, action=action, subject=f"scene:{row.id}", at=now, facts=known)
