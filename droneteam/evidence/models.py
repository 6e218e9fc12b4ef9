"""TABLES case, evidence_item, custody_event, retention, export."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from droneteam.db import Base, UtcDateTime


class Case(Base):
    """A file of evidence, opened for one organisation on one legal basis."""

    __tablename__ = "case"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisation.id"), index=True)
    request_id: Mapped[int | None] = mapped_column(ForeignKey("request.id"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    legal_basis: Mapped[str] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EvidenceItem(Base):
    """One file, kept by its hash; the row stays when retention erases the content."""

    __tablename__ = "evidence_item"
    __table_args__ = (UniqueConstraint("case_id", "path"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    path: Mapped[str] = mapped_column(String(400))
    kind: Mapped[str] = mapped_column(String(40))
    source: Mapped[str] = mapped_column(String(200), index=True)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    added_by: Mapped[str] = mapped_column(String(200))
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class CustodyEvent(Base):
    """Who had the evidence in hand, when and why."""

    __tablename__ = "custody_event"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(ForeignKey("evidence_item.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(200))
    action: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(Text)


class Retention(Base):
    """How long a case's content is kept; a legal hold outlasts the date."""

    __tablename__ = "retention"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), unique=True)
    keep_until: Mapped[datetime] = mapped_column(UtcDateTime)
    legal_hold: Mapped[bool] = mapped_column(default=False)
    basis: Mapped[str] = mapped_column(Text)


class Export(Base):
    """One sealed bag that left the system."""

    __tablename__ = "export"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    folder: Mapped[str] = mapped_column(String(200))
    statement_sha256: Mapped[str] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(64))
    n_items: Mapped[int]
