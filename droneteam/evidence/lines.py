"""Cases as lists show them: counted by the database, without what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ScalarSelect, false, func, select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role, scoped
from droneteam.db import Piece
from droneteam.evidence.models import Case, EvidenceItem, Export, Retention
from droneteam.evidence.service import READERS, WRITERS


@dataclass(frozen=True, slots=True)
class CaseLine:
    """A case as a list shows it."""

    id: int
    title: str
    organisation_id: int
    opened_at: datetime
    n_items: int
    n_exports: int
    keep_until: datetime | None
    legal_hold: bool


def case_lines(
    session: Session, actor: Actor, piece: Piece, *, open_only: bool = False
) -> list[CaseLine]:
    """The cases that the actor may see, newest first, as a list shows them."""
    require_role(actor, *READERS, *WRITERS)
    columns: tuple[Any, ...] = (
        Case.id,
        Case.title,
        Case.organisation_id,
        Case.opened_at,
        _count(EvidenceItem).label("n_items"),
        _count(Export).label("n_exports"),
        Retention.keep_until,
        func.coalesce(Retention.legal_hold, false()).label("legal_hold"),
    )
    query = select(*columns).outerjoin(Retention, Retention.case_id == Case.id)
    if open_only:
        query = query.where(Case.closed_at.is_(None))
    rows = session.execute(piece.of(scoped(query, actor, Case.organisation_id), Case.id))
    return [CaseLine(**row._mapping) for row in rows]


def cases_of_request(session: Session, actor: Actor, request_id: int) -> list[tuple[int, str]]:
    """Numbers and titles of the request's cases that the actor may see, the oldest first."""
    require_role(actor, *READERS, *WRITERS)
    query = select(Case.id, Case.title).where(Case.request_id == request_id).order_by(Case.id)
    rows = session.execute(scoped(query, actor, Case.organisation_id))
    return [(row.id, row.title) for row in rows]


def _count(part: type[EvidenceItem] | type[Export]) -> ScalarSelect[int]:
    """How many of them the case of the enclosing query has."""
    return select(func.count()).where(part.case_id == Case.id).scalar_subquery()
