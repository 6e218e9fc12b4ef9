"""What people do with a request on its way: keep a draft, submit it, assess, confirm."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import version_at
from droneteam.fleet.head import touch_head
from droneteam.fleet.intake.history import move, record
from droneteam.fleet.intake.requests import (
    check_submittable,
    draft_columns,
    new_row,
    request_row,
    submitted_facts,
)
from droneteam.fleet.presenting import request_views
from droneteam.fleet.terms import RequestKind, RequestState, check_priority
from droneteam.fleet.views import RequestDraft, RequestView


def save_draft(
    session: Session,
    actor: Actor,
    draft: RequestDraft,
    now: datetime,
    *,
    request_id: int | None = None,
) -> RequestView:
    """The draft as it is kept; only its own organisation sees it, and no clock runs.

    request_id : the draft that this text replaces; None for a new one
    """
    require_role(actor, "requester", "coordinator")
    if not draft.unfinished:
        raise InputError("a finished request is submitted, not kept as a draft", field="unfinished")
    if request_id is None:
        row = new_row(actor, draft, version_at(session, now).id, now, None)
        session.add(row)
        session.flush()
        record(session, actor, row, RequestState.DRAFT, now)
    else:
        row = _draft_row(session, actor, request_id)
        for column, value in draft_columns(draft).items():
            setattr(row, column, value)
        session.flush()
    return request_views(session, actor, [row], now)[0]


def submit_draft(session: Session, actor: Actor, request_id: int, now: datetime) -> RequestView:
    """The submitted request; the agreement of this moment holds for it from now on.

    Raises
    ------
    InputError
        Names what the draft still lacks, or says that its window has passed.
    """
    require_role(actor, "requester", "coordinator")
    row = _draft_row(session, actor, request_id)
    check_submittable(draft_of(row), now)
    row.sla_version_id = version_at(session, now).id
    row.submitted_at, row.submitted_by = now, actor.user_id or None
    move(session, actor, row, RequestState.SUBMITTED, now, facts=submitted_facts(row))
    return request_views(session, actor, [row], now)[0]


def send_draft(
    session: Session, actor: Actor, request_id: int, draft: RequestDraft, now: datetime
) -> RequestView:
    """The draft with what was typed last, submitted.

    Raises
    ------
    Conflict
        It is no draft any more.
    InputError
        Its window has passed.
    """
    check_submittable(draft, now)
    save_draft(session, actor, replace(draft, unfinished=True), now, request_id=request_id)
    return submit_draft(session, actor, request_id, now)


def drop_draft(session: Session, actor: Actor, request_id: int, now: datetime) -> None:
    """Nothing; the draft is put aside because something else was sent in its place."""
    require_role(actor, "requester", "coordinator")
    move(session, actor, _draft_row(session, actor, request_id), RequestState.CANCELLED, now)


def _draft_row(session: Session, actor: Actor, request_id: int) -> models.Request:
    row = request_row(session, actor, request_id)
    if row.state != RequestState.DRAFT:
        raise Conflict(f"request {request_id} is {row.state} and no draft any more")
    return row


def draft_of(row: models.Request) -> RequestDraft:
    """What the row asks for, checked as a finished request.

    Raises
    ------
    InputError
        Names what is missing.
    """
    return RequestDraft(
        kind=RequestKind(row.kind),
        title=row.title,
        priority=row.priority,
        start_at=row.start_at,
        end_at=row.end_at,
        lat_deg=row.lat_deg,
        lon_deg=row.lon_deg,
        polygon=tuple((corner[0], corner[1]) for corner in row.polygon),
        legal_basis=row.legal_basis,
        contact=row.contact,
        payload=row.payload,
        sensitive=row.sensitive,
        low_noise=row.low_noise,
        notes=row.notes,
        address=row.address,
    )


def triage_request(
    session: Session,
    actor: Actor,
    request_id: int,
    now: datetime,
    *,
    priority: str | None = None,
    reason: str = "",
    seen: str | None = None,
) -> RequestView:
    """The assessed request.

    seen : the class that whoever assesses has read; None where nobody looked

    priority : the class that the coordinator gives it, where it is another than was asked for;
    its clocks run to the new class's targets, and the reason stays in the history

    Raises
    ------
    InputError
        The priority changes without a reason.
    Conflict
        Somebody gave it another class than the one that was seen.
    """
    require_role(actor, "coordinator")
    row = request_row(session, actor, request_id)
    if seen is not None and seen != row.priority:
        raise Conflict(f"request {request_id} was assessed meanwhile: it is {row.priority} now")
    facts: dict[str, Any] = {"priority": row.priority}
    if priority is not None and priority != row.priority:
        check_priority(priority)
        if not reason.strip():
            raise InputError("say why the priority changes: its zone reads it", field="reason")
        facts = {"priority": priority, "priority_before": row.priority, "reason": reason.strip()}
        touch_head(session)
        row.priority = priority
    row.acknowledged_at = row.acknowledged_at or now
    move(
        session,
        actor,
        row,
        RequestState.TRIAGED,
        now,
        reason=reason.strip() or None,
        facts=facts,
    )
    return request_views(session, actor, [row], now)[0]


def confirm_request(session: Session, actor: Actor, request_id: int, now: datetime) -> RequestView:
    """The planned request, confirmed by its zone or the coordinator; twice changes no more."""
    require_role(actor, "requester", "coordinator")
    row = request_row(session, actor, request_id)
    if row.state != RequestState.CONFIRMED:
        move(session, actor, row, RequestState.CONFIRMED, now)
    return request_views(session, actor, [row], now)[0]
