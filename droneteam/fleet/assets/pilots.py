"""Which user signs in as which pilot."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, NotFound
from droneteam.fleet import models


def assign_pilot_user(
    session: Session, actor: Actor, pilot_id: int, user_id: int | None, now: datetime
) -> None:
    """The user signs in as this pilot from now on; None takes that away.

    Raises
    ------
    Conflict
        The user is another pilot, or the pilot another user already.
    """
    require_role(actor, "administrator")
    row = session.get(models.Pilot, pilot_id)
    if row is None:
        raise NotFound("pilot", pilot_id)
    if user_id is not None:
        other = session.scalar(select(models.Pilot).where(models.Pilot.user_id == user_id))
        if other is not None and other.id != pilot_id:
            raise Conflict(f"this user is {other.name} already")
        if row.user_id not in (None, user_id):
            raise Conflict(f"somebody else is {row.name} already: take that away first")
    before, row.user_id = row.user_id, user_id
    session.flush()
    facts = {"before": before, "after": user_id}
    audit.append(
        session, actor, action="pilot.user", subject=f"pilot:{pilot_id}", facts=facts, at=now
    )
