"""Who looked at a case, and who took a sealed bag out of the house.

A taking is a step of the case's custody.  A look at the list of what it holds is an entry of the
audit chain, one an hour for each person; looking at an item takes a reason: `service.open_content`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor
from droneteam.evidence.models import CustodyEvent
from droneteam.evidence.service import ExportView, get_export

LOOK = "evidence.look"
ONE_LOOK = timedelta(hours=1)
TAKE = "take"
GOES_ON = timedelta(hours=1)
"""A download that broke off is the same one for so long."""


def is_known_look(session: Session, actor: Actor, case_id: int, now: datetime) -> bool:
    """Whether an entry of the last hour already says that the actor looked; writes nothing."""
    last = audit.last_at(session, actor, action=LOOK, subject=f"case:{case_id}")
    return last is not None and now - last < ONE_LOOK


def note_look(session: Session, actor: Actor, case_id: int, now: datetime) -> None:
    """An entry that the actor looked at what the case holds, unless one of an hour says so."""
    if not is_known_look(session, actor, case_id, now):
        audit.append(session, actor, action=LOOK, subject=f"case:{case_id}", at=now)


def take_bag(
    session: Session, actor: Actor, export_id: int, now: datetime, *, rest_only: bool = False
) -> ExportView:
    """The export whose bag is taken, with a step of custody; its purpose is the export's.

    rest_only : only what a download of the last hour lacks is asked for; it is not noted again

    Raises
    ------
    NotFound
        There is none that the actor may see.
    """
    export = get_export(session, actor, export_id)
    reason = f"{export.folder}: {export.reason}"
    if rest_only and _is_known(session, actor, export.case_id, reason, now):
        return export
    step = CustodyEvent(
        case_id=export.case_id,
        item_id=None,
        at=now,
        actor=actor.display_name,
        action=TAKE,
        reason=reason,
    )
    session.add(step)
    audit.append(
        session,
        actor,
        action=f"evidence.{TAKE}",
        subject=f"case:{export.case_id}",
        at=now,
        reason=reason,
        facts={"export": export.id, "statement_sha256": export.statement_sha256},
    )
    return export


def _is_known(session: Session, actor: Actor, case_id: int, reason: str, now: datetime) -> bool:
    known = select(CustodyEvent.id).where(
        CustodyEvent.case_id == case_id,
        CustodyEvent.actor == actor.display_name,
        CustodyEvent.action == TAKE,
        CustodyEvent.reason == reason,
        CustodyEvent.at > now - GOES_ON,
    )
    return session.scalar(known.limit(1)) is not None
