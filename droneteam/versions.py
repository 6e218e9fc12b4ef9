"""TABLE record_version: what every record held at any time; append-only, hash-chained per record.

Whatever changes a followed record through a session leaves, in the same transaction, one row with
the columns that changed, who changed them, when, and by which action of the audit chain.  Rows
that never change once written (events, assignments, ledgers) are their own history and are not
followed; neither is what the law has erased on time (the sky's tracks and operators).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, event, insert, inspect, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from droneteam.accounts import Actor, require_role
from droneteam.audit import GENESIS_HASH, AuditEntry
from droneteam.db import Base, UtcDateTime, make_append_only
from droneteam.errors import NotFound

READERS = ("auditor", "manager", "administrator")

_SECRET_OF_USERS = frozenset(
    {
        "password_hash",
        "second_factor",
        "second_factor_step",
        "failed_logins",
        "failed_at",
        "locked_until",
    }
)
FOLLOWED: Mapping[str, frozenset[str]] = {
    "user": _SECRET_OF_USERS,
    "calendar_feed": frozenset({"token_hash"}),
    **dict.fromkeys(
        (
            "organisation", "drone", "drone_model", "battery_type", "battery", "payload", "pilot",
            "credential", "absence", "maintenance", "sla_version", "request", "clock_stop", "plan",
            "mission", "sortie", "geozone", "scene", "mark", "measurement", "case",
            "evidence_item", "retention",
        ),
        frozenset[str](),
    ),
}  # fmt: skip
"""Table → the columns that are never copied: secrets, and counts of failed sign-ins."""


class RecordVersion(Base):
    """One change of one record.

    changed : column → new value, every column in the first version; None: the record is gone.
    """

    __tablename__ = "record_version"
    __table_args__ = (Index("ix_record_version_record", "kind", "record", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(40))
    record: Mapped[str] = mapped_column(String(120))
    """Its primary key: 12, or the name of a model."""
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(80))
    audit_id: Mapped[int | None] = mapped_column(ForeignKey("audit_entry.id"))
    changed: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    previous_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


make_append_only(RecordVersion)


@dataclass(frozen=True, slots=True)
class Version:
    """One change of a record.

    actor, action, reason : of the audit entry that the change was made under; empty where a record
    stood before changes were followed, reason also where none was asked for.
    changed : None where the record was removed.
    """

    at: datetime
    actor: str
    action: str
    audit_id: int | None
    changed: dict[str, Any] | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RecordHistory:
    """Every version of a record, the oldest first; whole : whether its chain of hashes holds."""

    kind: str
    record: str
    versions: tuple[Version, ...]
    whole: bool

    def at(self, moment: datetime) -> dict[str, Any] | None:
        """Column → value as the record was then; None before it was and after it went."""
        held: dict[str, Any] | None = None
        for version in self.versions:
            if version.at > moment:
                break
            held = None if version.changed is None else {**(held or {}), **version.changed}
        return held


def history_of(session: Session, actor: Actor, kind: str, record: str) -> RecordHistory:
    """All that the record was.

    Raises
    ------
    NotFound
        No such record was ever followed.
    """
    require_role(actor, *READERS)
    query = (
        select(RecordVersion)
        .where(RecordVersion.kind == kind, RecordVersion.record == record)
        .order_by(RecordVersion.id)
    )
    rows = session.scalars(query).all()
    if not rows:
        raise NotFound("record", f"{kind}:{record}")
    previous, whole = GENESIS_HASH, True
    for row in rows:
        whole = whole and row.previous_hash == previous and row.hash == _hash(_content(row))
        previous = row.hash
    reasons = _reasons(session, [row.audit_id for row in rows if row.audit_id is not None])
    versions = (
        Version(
            at=row.at,
            actor=row.actor,
            action=row.action,
            audit_id=row.audit_id,
            changed=row.changed,
            reason=reasons.get(row.audit_id or 0, ""),
        )
        for row in rows
    )
    return RecordHistory(kind, record, tuple(versions), whole)


def _reasons(session: Session, audit_ids: Iterable[int]) -> dict[int, str]:
    """The reasons of those of the entries that give one; the chain alone keeps them."""
    query = select(AuditEntry.id, AuditEntry.reason).where(
        AuditEntry.id.in_(set(audit_ids)), AuditEntry.reason.is_not(None)
    )
    return {number: reason or "" for number, reason in session.execute(query)}


@dataclass(slots=True)
class _Pending:
    """What a transaction has changed so far."""

    changes: dict[tuple[str, str], dict[str, Any] | None]
    entries: list[AuditEntry]


def _pending(session: Session) -> _Pending:
    found = session.info.setdefault(RecordVersion, _Pending({}, []))
    assert isinstance(found, _Pending)
    return found


@event.listens_for(Session, "after_flush")
def _note(session: Session, _context: object) -> None:
    """Remembers what this flush wrote, while the session still knows what had changed."""
    for row in session.new:
        if isinstance(row, AuditEntry):
            _pending(session).entries.append(row)
        elif row.__tablename__ in FOLLOWED:
            _remember(session, row, _columns(row))
    for row in session.dirty:
        if row.__tablename__ in FOLLOWED:
            attributes = inspect(row).attrs
            changed = [key for key in _columns(row) if attributes[key].history.has_changes()]
            if changed:
                _remember(session, row, changed)
    for row in session.deleted:
        if row.__tablename__ in FOLLOWED:
            _pending(session).changes[_key(row)] = None


def _key(row: Any) -> tuple[str, str]:
    """Table and primary key, as audit subjects write them."""
    return row.__tablename__, "/".join(
        str(part) for part in inspect(row).mapper.primary_key_from_instance(row)
    )


def _columns(row: Any) -> list[str]:
    """The names of the row's columns that are copied."""
    hidden = FOLLOWED[row.__tablename__]
    return [column.key for column in inspect(type(row)).column_attrs if column.key not in hidden]


def _remember(session: Session, row: Any, columns: Iterable[str]) -> None:
    key = _key(row)
    changes = _pending(session).changes
    changes[key] = {**(changes.get(key) or {}), **{c: _plain(getattr(row, c)) for c in columns}}


def _plain(value: Any) -> Any:
    """The value as JSON holds it; times in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return json.loads(json.dumps(value, default=str))


@event.listens_for(Session, "before_commit")
def _keep(session: Session) -> None:
    """Writes one version per changed record, in the transaction that changed it."""
    session.flush()
    pending = session.info.pop(RecordVersion, None)
    if pending is None or not pending.changes:
        return
    previous = _last_hashes(session, pending.changes)
    rows = []
    for (kind, record), changed in pending.changes.items():
        entry = _entry_of(pending.entries, f"{kind}:{record}")
        row = {
            "kind": kind,
            "record": record,
            "at": datetime.now(UTC) if entry is None else entry.at,
            "actor": "" if entry is None else entry.actor,
            "action": "" if entry is None else entry.action,
            "audit_id": None if entry is None else entry.id,
            "changed": changed,
            "previous_hash": previous.get((kind, record), GENESIS_HASH),
        }
        rows.append({**row, "hash": _hash(row)})
    session.execute(insert(RecordVersion), rows)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _transaction: object) -> None:
    """What was rolled back has not been."""
    session.info.pop(RecordVersion, None)


def _entry_of(entries: list[AuditEntry], subject: str) -> AuditEntry | None:
    """The transaction's last entry about the record, or its last one at all."""
    about = [entry for entry in entries if entry.subject == subject] or entries
    return about[-1] if about else None


def _last_hashes(session: Session, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    key = tuple_(RecordVersion.kind, RecordVersion.record)
    query = (
        select(RecordVersion.kind, RecordVersion.record, RecordVersion.hash)
        .where(key.in_(list(keys)))
        .order_by(RecordVersion.id)
    )
    return {(kind, record): last for kind, record, last in session.execute(query)}


_HASHED = ("kind", "record", "at", "actor", "action", "audit_id", "changed", "previous_hash")


def _content(row: RecordVersion) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _HASHED}


def _hash(content: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of everything but the version's id and own hash."""
    at: datetime = content["at"]
    plain = {**content, "at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
