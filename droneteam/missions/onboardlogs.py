"""Onboard logs as rows: what was fetched from a vehicle, bound to its sortie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role, scoped
from droneteam.db import read_scope, session_scope
from droneteam.errors import NotFound
from droneteam.missions import models
from droneteam.missions.mavlink.fetching import fetch_log
from droneteam.missions.mavlink.handshake import Failed, Timing
from droneteam.missions.mavlink.logstore import StoredLog
from droneteam.missions.mavlink.transports import LinkAddress
from droneteam.missions.record.dataflash import OnboardLog, read_onboard_log
from droneteam.missions.record.sortie import Trigger, read_sortie
from droneteam.missions.views import OnboardLogView
from droneteam.settings import Settings


def read_stored(stored: StoredLog | Failed | None) -> OnboardLog | None:
    """What a fetched log says; None when none was fetched."""
    return read_onboard_log(stored.path.read_bytes()) if isinstance(stored, StoredLog) else None


def keep_onboard_log(
    session: Session,
    sortie: models.SortieRow,
    stored: StoredLog,
    log: OnboardLog,
    data_dir: Path,
    now: datetime,
) -> None:
    """The log's row, in place of an earlier one of the same sortie."""
    before = _row(session, sortie.id)
    if before is not None:
        session.delete(before)
        session.flush()
    row = models.OnboardLogRow(
        sortie_id=sortie.id,
        path=relative_path(stored.path, data_dir),
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        source=stored.source,
        name=stored.name,
        fetched_at=now,
        began_at=log.began_at,
        ended_at=log.ended_at,
        uncertainty_s=None if log.time is None else log.time.uncertainty_s,
        note=_note(sortie, stored, log),
    )
    session.add(row)
    session.flush()


def fetch_onboard_log(
    engine: Engine,
    settings: Settings,
    actor: Actor,
    sortie_id: int,
    link: str,
    *,
    system_id: int | None = None,
    time_scale: float = 1.0,
) -> OnboardLogView | Failed:
    """A flown sortie's onboard log, fetched now and bound to the sortie.

    Its photos that the radio link had lost join the sortie's triggers.

    Raises
    ------
    NotFound
        The sortie is not the actor's to see.
    """
    require_role(actor, "pilot", "coordinator")
    with read_scope(engine) as session:
        row = _sortie(session, actor, sortie_id)
        path = settings.blob_dir("logs") / f"mission-{row.mission_id}.bin"
    stored = fetch_log(
        LinkAddress.parse(link), path, Timing.scaled(time_scale), system_id=system_id
    )
    if isinstance(stored, Failed):
        return stored
    now = datetime.now(UTC)
    with session_scope(engine) as session:
        row = _sortie(session, actor, sortie_id)
        onboard = read_onboard_log(stored.path.read_bytes())
        keep_onboard_log(session, row, stored, onboard, settings.data_dir, now)
        flight = read_sortie(settings.data_dir / row.log_path, photos=onboard.photos)
        row.triggers = [trigger_to_json(trigger) for trigger in flight.triggers]
        facts = {"sha256": stored.sha256, "source": stored.source, "photos": len(row.triggers)}
        subject = f"sortie:{sortie_id}"
        audit.append(session, actor, action="sortie.log", subject=subject, facts=facts, at=now)
        view = onboard_log_views(session, [sortie_id], settings.data_dir).get(sortie_id)
    assert view is not None
    return view


def _sortie(session: Session, actor: Actor, sortie_id: int) -> models.SortieRow:
    query = scoped(select(models.SortieRow), actor, models.SortieRow.organisation_id)
    row = session.scalar(query.where(models.SortieRow.id == sortie_id))
    if row is None:
        raise NotFound("sortie", sortie_id)
    return row


def trigger_to_json(trigger: Trigger) -> dict[str, Any]:
    """A trigger as the row keeps it."""
    return {**asdict(trigger), "at": trigger.at.isoformat()}


def trigger_from_json(document: dict[str, Any]) -> Trigger:
    """A trigger from the row."""
    return Trigger(**{**document, "at": datetime.fromisoformat(document["at"])})


def onboard_log_views(
    session: Session, sortie_ids: Sequence[int], data_dir: Path
) -> dict[int, OnboardLogView]:
    """The onboard logs of those of the sorties that have one, by sortie."""
    query = select(models.OnboardLogRow).where(models.OnboardLogRow.sortie_id.in_(sortie_ids))
    return {
        row.sortie_id: OnboardLogView(
            path=data_dir / row.path,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            source=row.source,
            name=row.name,
            fetched_at=row.fetched_at,
            began_at=row.began_at,
            ended_at=row.ended_at,
            uncertainty_s=row.uncertainty_s,
            note=row.note,
        )
        for row in session.scalars(query)
    }


def relative_path(path: Path, data_dir: Path) -> str:
    """The path below data_dir, or the whole one of a file that lies elsewhere."""
    try:
        return path.resolve().relative_to(data_dir.resolve()).as_posix()
    except ValueError:
        return str(path.resolve())


def _row(session: Session, sortie_id: int) -> models.OnboardLogRow | None:
    query = select(models.OnboardLogRow).where(models.OnboardLogRow.sortie_id == sortie_id)
    return session.scalar(query)


def _note(sortie: models.SortieRow, stored: StoredLog, log: OnboardLog) -> str:
    """What is odd about a log: a newest log may be an older flight's."""
    notes = [log.note] if log.note else []
    if stored.size_bytes < stored.listed_bytes:
        notes.append(f"it ended {stored.listed_bytes - stored.size_bytes} bytes early")
    began, ended = log.began_at, log.ended_at
    if began is None or ended is None:
        notes.append("the log holds no calendar time")
    elif _apart(sortie, began, ended):
        notes.append("the log is of another time than the sortie")
    return "; ".join(notes)


def _apart(sortie: models.SortieRow, began: datetime, ended: datetime) -> bool:
    up, down = sortie.took_off_at, sortie.landed_at
    return up is not None and down is not None and (began > down or ended < up)
