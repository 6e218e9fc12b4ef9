"""The head of the plans: one row that says which plan holds, and orders whoever changes it.

Everybody takes the head's lock before any other (request rows, the audit chain): two
transactions that locked in different orders would wait for each other for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.db import once
from droneteam.fleet import models

_HEAD_ID = 1


def lock_head(session: Session) -> models.PlanHead:
    """The head's row, locked until the transaction ends, as it stands now.

    PostgreSQL locks the row; SQLite's writers hold the database's one write lock from their
    first statement on, so that the read is already ordered there.
    """
    query = select(models.PlanHead).where(models.PlanHead.id == _HEAD_ID).with_for_update()
    head = session.scalar(query.execution_options(populate_existing=True))
    if head is None:
        head = models.PlanHead(id=_HEAD_ID, plan_id=None, revision=0)
        session.add(head)
        session.flush()
    return head


def read_head(session: Session) -> tuple[int | None, int]:
    """The published plan's id and the head's revision, without a lock."""
    return once(session, "head", lambda: _read_head(session))


def _read_head(session: Session) -> tuple[int | None, int]:
    query = select(models.PlanHead.plan_id, models.PlanHead.revision)
    row = session.execute(query.where(models.PlanHead.id == _HEAD_ID)).one_or_none()
    return (None, 0) if row is None else (row.plan_id, row.revision)


def plan_row(session: Session, plan_id: int) -> models.Plan | None:
    """The plan of that number; None where there is none."""
    return once(session, ("plan", plan_id), lambda: session.get(models.Plan, plan_id))


def assignments_of(session: Session, plan_id: int) -> Sequence[models.Assignment]:
    """What the plan gives, by number."""
    query = select(models.Assignment).where(models.Assignment.plan_id == plan_id)
    query = query.order_by(models.Assignment.id)
    return once(session, ("assignments", plan_id), lambda: session.scalars(query).all())


def touch_head(session: Session) -> None:
    """Raise the revision: what drafts were solved on is about to change."""
    lock_head(session).revision += 1
    session.flush()
