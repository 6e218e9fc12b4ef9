"""TABLE audit_entry: who did what to which record, when and why; append-only, hash-chained.

Every entry holds the hash of the one before it, so that a changed, removed or inserted entry
breaks the chain from there on.  What the hash covers is spelled out in `entry_hash`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Row, String, Text, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from droneteam.accounts import Actor
from droneteam.db import Base, UtcDateTime, make_append_only

GENESIS_HASH = "0" * 64
MAX_ENTRIES = 1001
"""At once: a thousand, and the one that tells that there are more."""
_CHAIN_LOCK_KEY = 0x64726F6E  # "dron": one PostgreSQL advisory lock orders the chain


class AuditEntry(Base):
    """One thing that somebody did."""

    __tablename__ = "audit_entry"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"), index=True)
    organisation_id: Mapped[int | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(80), index=True)
    subject: Mapped[str] = mapped_column(String(200), index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)


make_append_only(AuditEntry)


@dataclass(frozen=True, slots=True)
class EntryView:
    """One entry, detached from the database."""

    id: int
    at: datetime
    user_id: int | None
    organisation_id: int | None
    actor: str
    action: str
    subject: str
    reason: str | None
    facts: dict[str, Any]
    previous_hash: str
    hash: str


def append(
    session: Session,
    actor: Actor,
    *,
    action: str,
    subject: str,
    at: datetime,
    reason: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> EntryView:
    """The entry that now ends the chain.

    facts : anything JSON can hold; what was decided and from which inputs.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CHAIN_LOCK_KEY})
    last = select(AuditEntry.hash).order_by(AuditEntry.id.desc()).limit(1)
    row = AuditEntry(
        at=at.astimezone(UTC),
        user_id=actor.user_id or None,
        organisation_id=actor.organisation_id or None,
        actor=actor.display_name,
        action=action,
        subject=subject,
        reason=reason,
        facts=json.loads(json.dumps(dict(facts or {}), default=str)),
        previous_hash=session.scalar(last) or GENESIS_HASH,
    )
    row.hash = entry_hash(row)
    session.add(row)
    session.flush()
    return _view(row)


def entry_hash(entry: AuditEntry | EntryView | Row[Any]) -> str:
    """SHA-256 over the canonical JSON of everything but the entry's id and own hash."""
    content = {
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "user_id": entry.user_id,
        "organisation_id": entry.organisation_id,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "reason": entry.reason,
        "facts": entry.facts,
        "previous_hash": entry.previous_hash,
    }
    return hashlib.sha256(_canonical(content).encode()).hexdigest()


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""Made once: `json.dumps` would make one for each entry."""


def verify(session: Session) -> list[int]:
    """Ids of the entries where the chain breaks; empty when it is whole."""
    broken = []
    previous = GENESIS_HASH
    # Columns: rows of the mapped class would double what the walk of a long chain costs.
    query = select(*AuditEntry.__table__.columns).order_by(AuditEntry.id)
    for row in session.execute(query).yield_per(1000):
        if row.previous_hash != previous or row.hash != entry_hash(row):
            broken.append(row.id)
        previous = row.hash
    return broken


def entries(
    session: Session,
    *,
    subject: str | None = None,
    action: str | None = None,
    who: str | None = None,
    from_at: datetime | None = None,
    until: datetime | None = None,
    before_id: int | None = None,
    limit: int = 100,
) -> list[EntryView]:
    """The newest entries first, older than before_id.

    subject : exactly this one; action : what its name begins with; who : part of the name of
    whoever did it, in any case; from_at, until : the first moment that counts, and the first after
    it that does not
    """
    query = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(min(limit, MAX_ENTRIES))
    if subject is not None:
        query = query.where(AuditEntry.subject == subject)
    if action is not None:
        query = query.where(AuditEntry.action.startswith(action, autoescape=True))
    if who is not None:
        query = query.where(AuditEntry.actor.icontains(who, autoescape=True))
    if from_at is not None:
        query = query.where(AuditEntry.at >= from_at)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    if before_id is not None:
        query = query.where(AuditEntry.id < before_id)
    return [_view(row) for row in session.scalars(query)]


def last_at(session: Session, actor: Actor, *, action: str, subject: str) -> datetime | None:
    """When the actor last did that to the subject, or None."""
    query = select(func.max(AuditEntry.at)).where(
        AuditEntry.subject == subject,
        AuditEntry.action == action,
        AuditEntry.user_id == (actor.user_id or None),
    )
    return session.scalar(query)


def count(session: Session) -> int:
    """How many entries the chain holds."""
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def _view(row: AuditEntry) -> EntryView:
    return EntryView(
        id=row.id,
        at=row.at,
        user_id=row.user_id,
        organisation_id=row.organisation_id,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        reason=row.reason,
        facts=row.facts,
        previous_hash=row.previous_hash,
        hash=row.hash,
    )
