"""Versions of the service level agreement in the database: added, found, never edited once used."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.db import once, rows_of
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.sla import Document, Sla, canonical, digest, parse, parsed


def add_version(
    session: Session, actor: Actor, document: Document, effective_from: datetime, now: datetime
) -> int:
    """The number of the new version, which holds from the given instant.

    Raises
    ------
    InputError
        The document is malformed, or the version would change the past.
    """
    require_role(actor, "manager", "administrator")
    return store_version(session, actor, document, effective_from, now)


def store_version(
    session: Session, actor: Actor, document: Document, effective_from: datetime, now: datetime
) -> int:
    """As `add_version`, for callers that have checked the role."""
    parse(document)
    newest = session.scalar(select(models.SlaVersion).order_by(models.SlaVersion.number.desc()))
    if newest is not None and effective_from < now:
        raise InputError(
            f"the version would hold from {effective_from.isoformat()}, before now; past clocks "
            "keep their agreement",
            field="effective_from",
        )
    row = models.SlaVersion(
        number=1 if newest is None else newest.number + 1,
        effective_from=effective_from,
        document=json.loads(json.dumps(document)),
        digest=digest(document),
        created_at=now,
    )
    session.add(row)
    session.flush()
    facts = {"digest": row.digest, "effective_from": effective_from.isoformat()}
    audit.append(session, actor, action="sla.add", subject=f"sla:{row.number}", at=now, facts=facts)
    return row.number


def edit_version(
    session: Session, actor: Actor, number: int, document: Document, now: datetime
) -> None:
    """Replace the text of a version that no request has used yet.

    Raises
    ------
    Conflict
        Requests run on it: their clocks would change in hindsight; add a new version.
    """
    require_role(actor, "manager", "administrator")
    parse(document)
    row = version_row(session, number)
    used = session.scalar(
        select(models.Request.id).where(models.Request.sla_version_id == row.id).limit(1)
    )
    if used is not None:
        raise Conflict(
            f"agreement version {number} has been used and cannot be edited; add a new version"
        )
    row.document = json.loads(json.dumps(document))
    row.digest = digest(document)
    session.flush()
    facts = {"digest": row.digest}
    audit.append(session, actor, action="sla.edit", subject=f"sla:{number}", at=now, facts=facts)


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version of the agreement; used versions are never edited."""

    number: int
    effective_from: datetime
    created_at: datetime
    digest: str
    used: bool
    document: dict[str, Any]


def list_versions(session: Session) -> list[VersionView]:
    """Every version, the newest first; the agreement is no secret of any zone."""
    used = set(session.scalars(select(models.Request.sla_version_id).distinct()))
    rows = session.scalars(select(models.SlaVersion).order_by(models.SlaVersion.number.desc()))
    return [
        VersionView(
            row.number,
            row.effective_from,
            row.created_at,
            row.digest,
            row.id in used,
            dict(row.document),
        )
        for row in rows
    ]


def version_row(session: Session, number: int) -> models.SlaVersion:
    """The version's row; NotFound when there is none."""
    row = session.scalar(select(models.SlaVersion).where(models.SlaVersion.number == number))
    if row is None:
        raise NotFound("agreement version", number)
    return row


def version_at(session: Session, at: datetime) -> models.SlaVersion:
    """The version that holds at the instant; NotFound when there is none yet."""
    begun = [row for row in rows_of(session, models.SlaVersion) if row.effective_from <= at]
    if not begun:
        raise NotFound("agreement that holds at", at.isoformat())
    return max(begun, key=lambda row: (row.effective_from, row.number))


def current_document(session: Session, now: datetime) -> tuple[int, dict[str, Any]]:
    """Number and text of the agreement that holds now."""
    row = version_at(session, now)
    return row.number, dict(row.document)


def agreement(row: models.SlaVersion) -> Sla:
    """The parsed agreement.

    Raises
    ------
    Conflict
        The stored text is not the one that was signed off.
    """
    if digest(row.document) != row.digest:
        raise Conflict(f"agreement version {row.number} does not match its digest")
    return parsed(canonical(row.document))


def agreements(session: Session) -> dict[int, Sla]:
    """Every version, parsed, by row id."""
    return once(session, "agreements", lambda: _read_agreements(session))


def _read_agreements(session: Session) -> dict[int, Sla]:
    return {row.id: agreement(row) for row in rows_of(session, models.SlaVersion)}
