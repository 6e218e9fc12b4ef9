"""A request's steps: the state machine's move, its immutable event and its audit entry at once."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor
from droneteam.fleet import models
from droneteam.fleet.lifecycle import FINAL, check_move
from droneteam.fleet.terms import RequestState

_DECISIONS = frozenset({RequestState.PLANNED, RequestState.CONFIRMED, RequestState.REFUSED})
"""The states that answer the requester; a place on the waiting list does not."""


def move(
    session: Session,
    actor: Actor,
    row: models.Request,
    state: RequestState,
    now: datetime,
    *,
    reason: str | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """The request in its new state, with what its clocks need to know.

    Raises
    ------
    Conflict
        The state machine knows no such move.
    """
    before = RequestState(row.state)
    check_move(row.id, before, state)
    row.state = state.value
    if before == RequestState.DISPLACED and state == RequestState.PLANNED:
        facts = {**(facts or {}), "replanned": True}
    if state == RequestState.ACKNOWLEDGED:
        row.acknowledged_at = row.acknowledged_at or now
    if state in _DECISIONS:
        row.acknowledged_at = row.acknowledged_at or now
        row.decided_at = row.decided_at or now
    if state == RequestState.IN_PROGRESS:
        row.on_scene_at = row.on_scene_at or now
    if state in FINAL:
        row.closed_at = now
    record(session, actor, row, state, now, reason=reason, facts=facts)


def record(
    session: Session,
    actor: Actor,
    row: models.Request,
    state: RequestState,
    now: datetime,
    *,
    reason: str | None = None,
    facts: dict[str, Any] | None = None,
    action: str | None = None,
) -> None:
    """The event and the audit entry of a step that was taken.

    action : of the audit entry, where the state stays and something else is told
    """
    session.add(
        models.RequestEvent(
            request_id=row.id,
            at=now,
            state=state.value,
            user_id=actor.user_id or None,
            facts=facts or {},
        )
    )
    session.flush()
    audit.append(
        session,
        actor,
        action=action or f"request.{state.value}",
        subject=f"request:{row.id}",
        at=now,
        reason=reason,
        facts=facts,
    )
