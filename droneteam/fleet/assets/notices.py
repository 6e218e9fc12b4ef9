"""What ends or falls due soon: told once each, gone when it is seen or no longer true.

What is due follows from stored rows alone; a notice's key says what it is about and since or
until when, so that a licence that was renewed and nears its next end is told again, and nothing
else is, however often anybody looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.errors import Conflict, NotFound
from droneteam.fleet import models
from droneteam.fleet.assets.inventory import (
    BASIC_CREDENTIALS,
    drone_records,
    pack_records,
    pilot_records,
)
from droneteam.fleet.assets.registry import (
    Readiness,
    drone_readiness,
    pack_readiness,
    pilot_readiness,
)
from droneteam.fleet.head import lock_head
from droneteam.fleet.terms import Reason

SEERS = ("coordinator", "administrator")
_KEYED = ("rule", "since", "credential", "until")
"""The parameters that make a notice another one; names and counters do not."""
_TOLD = frozenset(
    {
        "drone.service_soon",
        "drone.service_overdue",
        "pack.worn_soon",
        "pack.worn",
        "pilot.expires_soon",
        "pilot.expired",
        "pilot.currency_soon",
        "pilot.not_current",
    }
)
"""Ends and due dates; who is ill or what is broken was said by somebody and is on the board."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something to be told about a drone, a pack or a pilot ("drone:3")."""

    subject: str
    reason: Reason

    @property
    def key(self) -> str:
        """What makes it the same thing on every look."""
        parts = [str(self.reason.params[name]) for name in _KEYED if name in self.reason.params]
        return ":".join([self.subject, self.reason.code, *parts])[:200]


@dataclass(frozen=True, slots=True)
class NoticeView:
    """A notice that nobody has seen yet."""

    id: int
    subject: str
    reason: Reason
    raised_at: datetime


def due_now(session: Session, now: datetime) -> list[Due]:
    """Everything that ends or is due soon, whether it has been told or not; reads only."""
    return [
        Due(subject, reason)
        for subject, readiness in _judged(session, now)
        for reason in (*readiness.blocks, *readiness.warnings)
        if reason.code in _TOLD
    ]


def _judged(session: Session, now: datetime) -> Iterator[tuple[str, Readiness]]:
    for drone in drone_records(session).values():
        if not drone.retired:
            yield f"drone:{drone.id}", drone_readiness(drone, now)
    for pack in pack_records(session).values():
        if not pack.retired:
            yield f"battery:{pack.id}", pack_readiness(pack)
    for pilot in pilot_records(session, now).values():
        if pilot.active:
            yield f"pilot:{pilot.id}", pilot_readiness(pilot, BASIC_CREDENTIALS, now)


def due_notices(session: Session, now: datetime) -> list[Due]:
    """What is due and has not been told yet; reads only."""
    due = {one.key: one for one in due_now(session, now)}
    known = select(models.RegistryNotice.key).where(models.RegistryNotice.key.in_(list(due)))
    told = set(session.scalars(known))
    return [one for key, one in due.items() if key not in told]


def raise_notices(session: Session, actor: Actor, now: datetime) -> list[NoticeView]:
    """The notices that were raised by this call; a second call raises none of them again."""
    require_role(actor, "coordinator")
    lock_head(session)  # orders those who look at once, so that only one of them raises
    made = []
    for due in due_notices(session, now):
        row = models.RegistryNotice(
            key=due.key,
            subject=due.subject,
            code=due.reason.code,
            params=dict(due.reason.params),
            raised_at=now,
        )
        session.add(row)
        session.flush()
        facts = {"code": row.code, "notice": row.id}
        audit.append(
            session, actor, action="registry.notice", subject=row.subject, at=now, facts=facts
        )
        made.append(row)
    return [_view(row) for row in made]


def list_notices(session: Session, actor: Actor, now: datetime) -> list[NoticeView]:
    """What was told, nobody has seen and is still true, the oldest first."""
    require_role(actor, *sorted(TEAM_ROLES))
    true_now = {one.key for one in due_now(session, now)}
    query = select(models.RegistryNotice).where(models.RegistryNotice.seen_at.is_(None))
    rows = session.scalars(query.order_by(models.RegistryNotice.id))
    return [_view(row) for row in rows if row.key in true_now]


def see_notice(session: Session, actor: Actor, notice_id: int, now: datetime) -> None:
    """Nothing; the notice is off the board and its reader on record."""
    require_role(actor, *SEERS)
    row = session.get(models.RegistryNotice, notice_id)
    if row is None:
        raise NotFound("notice", notice_id)
    if row.seen_at is not None:
        raise Conflict(f"notice {notice_id} has been seen already")
    row.seen_at, row.seen_by = now, actor.user_id or None
    session.flush()
    facts = {"notice": row.id, "code": row.code}
    audit.append(session, actor, action="notice.see", subject=row.subject, at=now, facts=facts)


def _view(row: models.RegistryNotice) -> NoticeView:
    return NoticeView(row.id, row.subject, Reason(row.code, row.params), row.raised_at)
