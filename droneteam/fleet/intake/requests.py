"""Requests in the database: submitted, listed, acknowledged, cancelled, moved on by missions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role, scoped
from droneteam.db import Piece
from droneteam.errors import InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreement, version_at
from droneteam.fleet.agreement.entitlement import debit_min
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.agreement.sla import CLOCKS, ClockStop, check_stop
from droneteam.fleet.head import read_head, touch_head
from droneteam.fleet.intake.history import move, record
from droneteam.fleet.lifecycle import FINAL, PLANNABLE
from droneteam.fleet.presenting import (
    own_request_ids,
    read_reasons,
    request_views,
    stored_reasons,
)
from droneteam.fleet.terms import RequestState, minutes_between
from droneteam.fleet.views import RequestDraft, RequestEventView, RequestView, hide_foreign

_MINUTE = timedelta(minutes=1)


def submit_request(
    session: Session,
    actor: Actor,
    draft: RequestDraft,
    now: datetime,
    *,
    submit_key: str | None = None,
) -> RequestView:
    """The submitted request; its clocks run from now on.

    submit_key : names this submission, so that sending it twice makes one request

    Raises
    ------
    InputError
        The window has passed already; the draft itself has been checked before.
    """
    require_role(actor, "requester", "coordinator")
    row = submitted_row(session, actor, draft, now, submit_key=submit_key)
    return request_views(session, actor, [row], now)[0]


def submitted_row(
    session: Session,
    actor: Actor,
    draft: RequestDraft,
    now: datetime,
    *,
    submit_key: str | None = None,
    series: str | None = None,
) -> models.Request:
    """As `submit_request`, for callers that have checked the role; the row itself."""
    known = None if submit_key is None else by_key(session, actor, submit_key)
    if known is not None:
        return known
    check_submittable(draft, now)
    row = new_row(actor, draft, version_at(session, now).id, now, submit_key)
    row.series = series
    session.add(row)
    session.flush()
    record(session, actor, row, RequestState.SUBMITTED, now, facts=submitted_facts(row))
    return row


def check_submittable(draft: RequestDraft, now: datetime) -> None:
    """Nothing, when the draft is whole and its window has not passed; InputError otherwise."""
    if draft.unfinished:
        raise InputError("an unfinished draft is not submitted", field="unfinished")
    if draft.end_at <= now:
        raise InputError(
            f"the window ended at {draft.end_at.isoformat()}, before now", field="end_at"
        )


def submitted_facts(row: models.Request) -> dict[str, Any]:
    """What the event of a submission keeps of the request."""
    return {
        "kind": row.kind,
        "priority": row.priority,
        "title": row.title,
        "organisation_id": row.organisation_id,
        "start_at": row.start_at.isoformat(),
        "asked_min": minutes_between(row.start_at, row.end_at),
    }


def by_key(session: Session, actor: Actor, submit_key: str) -> models.Request | None:
    """The organisation's request of that submission, or None."""
    return session.scalar(
        select(models.Request).where(
            models.Request.organisation_id == actor.organisation_id,
            models.Request.submit_key == submit_key,
        )
    )


def new_row(
    actor: Actor, draft: RequestDraft, sla_version_id: int, now: datetime, submit_key: str | None
) -> models.Request:
    """A row for the draft; one that is unfinished stays a draft."""
    state = RequestState.DRAFT if draft.unfinished else RequestState.SUBMITTED
    return models.Request(
        organisation_id=actor.organisation_id,
        submitted_by=actor.user_id or None,
        submit_key=submit_key,
        sla_version_id=sla_version_id,
        state=state.value,
        submitted_at=now,
        **draft_columns(draft),
    )


def draft_columns(draft: RequestDraft) -> dict[str, Any]:
    """What the draft says, by column."""
    return {
        "kind": draft.kind.value,
        "title": draft.title.strip(),
        "priority": draft.priority,
        "start_at": draft.start_at,
        "end_at": draft.end_at,
        "lat_deg": draft.lat_deg,
        "lon_deg": draft.lon_deg,
        "address": draft.address.strip(),
        "polygon": [list(corner) for corner in draft.polygon],
        "legal_basis": draft.legal_basis.strip(),
        "contact": draft.contact.strip(),
        "payload": draft.payload,
        "sensitive": draft.sensitive,
        "low_noise": draft.low_noise,
        "notes": draft.notes,
    }


def request_row(session: Session, actor: Actor, request_id: int) -> models.Request:
    """The request's row, if the actor may see it; NotFound otherwise."""
    query = select(models.Request).where(models.Request.id == request_id, _visible(actor))
    row = session.scalar(scoped(query, actor, models.Request.organisation_id))
    if row is None:
        raise NotFound("request", request_id)
    return row


def _visible(actor: Actor) -> ColumnElement[bool]:
    """A draft is its own organisation's business, whoever else may read its requests."""
    return or_(
        models.Request.state != RequestState.DRAFT.value,
        models.Request.organisation_id == actor.organisation_id,
    )


def get_request(
    session: Session, actor: Actor, request_id: int, now: datetime | None = None
) -> RequestView:
    """The request with its clocks; NotFound for another organisation's."""
    row = request_row(session, actor, request_id)
    return request_views(session, actor, [row], now or datetime.now(UTC))[0]


def list_requests(
    session: Session,
    actor: Actor,
    now: datetime | None = None,
    which: ColumnElement[bool] | None = None,
) -> list[RequestView]:
    """The requests that the actor may see, the latest window first; which : only some of them."""
    query = (
        select(models.Request)
        .where(_visible(actor), true() if which is None else which)
        .order_by(models.Request.start_at.desc(), models.Request.id.desc())
    )
    rows = session.scalars(scoped(query, actor, models.Request.organisation_id)).all()
    return request_views(session, actor, rows, now or datetime.now(UTC))


def list_open_requests(
    session: Session, actor: Actor, now: datetime, also: Iterable[int] = ()
) -> list[RequestView]:
    """The requests that are not over, and those of the given numbers."""
    over = models.Request.state.in_([state.value for state in FINAL])
    return list_requests(session, actor, now, or_(~over, models.Request.id.in_(also)))


def last_contact(session: Session, actor: Actor) -> str:
    """The contact of the actor's own last request; empty before the first one."""
    query = (
        select(models.Request.contact)
        .where(_visible(actor), models.Request.submitted_by == actor.user_id)
        .order_by(models.Request.id.desc())
        .limit(1)
    )
    return session.scalar(query) or ""


def request_piece(
    session: Session, actor: Actor, now: datetime, piece: Piece, *, over: bool = False
) -> list[RequestView]:
    """A piece of the requests that the actor may see, the newest first; over : only closed ones."""
    query = select(models.Request).where(_visible(actor))
    if over:
        query = query.where(models.Request.state.in_([state.value for state in FINAL]))
    query = piece.of(query, models.Request.id)
    rows = session.scalars(scoped(query, actor, models.Request.organisation_id)).all()
    return request_views(session, actor, rows, now)


def request_titles(session: Session, actor: Actor, ids: Iterable[int]) -> dict[int, str]:
    """The titles of those of the requests that the actor may see, by number."""
    query = select(models.Request.id, models.Request.title).where(
        _visible(actor), models.Request.id.in_(set(ids))
    )
    rows = session.execute(scoped(query, actor, models.Request.organisation_id))
    return {row.id: row.title for row in rows}


def request_history(
    session: Session, actor: Actor, request_id: int
) -> tuple[RequestEventView, ...]:
    """The request's steps in order; a requester reads no number of another zone's request."""
    row = request_row(session, actor, request_id)
    query = select(models.RequestEvent).where(models.RequestEvent.request_id == row.id)
    own = own_request_ids(session, actor)
    return tuple(
        RequestEventView(step.at, RequestState(step.state), _shown_facts(step.facts, own))
        for step in session.scalars(query.order_by(models.RequestEvent.id))
    )


def _shown_facts(facts: dict[str, Any], own: frozenset[int] | None) -> dict[str, Any]:
    """A step's facts without other organisations' request numbers."""
    if own is None or "by" not in facts:
        return dict(facts)
    reasons = stored_reasons(hide_foreign(read_reasons(facts["reasons"]), own))
    return {**facts, "by": [number for number in facts["by"] if number in own], "reasons": reasons}


def acknowledge_request(
    session: Session, actor: Actor, request_id: int, now: datetime
) -> RequestView:
    """The acknowledged request; a second acknowledgement changes nothing."""
    require_role(actor, "coordinator")
    row = request_row(session, actor, request_id)
    if row.acknowledged_at is None:
        move(session, actor, row, RequestState.ACKNOWLEDGED, now)
    return request_views(session, actor, [row], now)[0]


def cancel_request(
    session: Session,
    actor: Actor,
    request_id: int,
    code: str,
    now: datetime,
    *,
    confirmed_by: str | None = None,
) -> RequestView:
    """The cancelled request; its drone is free again with the next plan.

    confirmed_by : the incident commander who agreed; a mission under way is broken off by the
    coordinator only, and only with this confirmation

    Raises
    ------
    InputError
        The agreement knows no such cancellation code, or the confirmation is missing.
    """
    require_role(actor, "requester", "coordinator")
    row = request_row(session, actor, request_id)
    version = session.get(models.SlaVersion, row.sla_version_id)
    assert version is not None
    known = agreement(version).cancellation_codes
    if code not in known:
        allowed = ", ".join(sorted(known))
        raise InputError(f"cancellation code {code!r} is none of {allowed}", field="code")
    facts: dict[str, Any] = {"code": code}
    if row.state == RequestState.IN_PROGRESS:
        require_role(actor, "coordinator")
        facts["confirmed_by"] = _confirmation(confirmed_by)
    touch_head(session)
    row.close_code = code
    move(session, actor, row, RequestState.CANCELLED, now, reason=code, facts=facts)
    return request_views(session, actor, [row], now)[0]


def _confirmation(confirmed_by: str | None) -> str:
    """Who confirmed; InputError without anybody."""
    name = (confirmed_by or "").strip()
    if not name:
        raise InputError(
            "the drone is on its mission: name the incident commander who confirmed that it is "
            "broken off",
            field="confirmed_by",
        )
    return name[:200]


def refuse_request(
    session: Session, actor: Actor, request_id: int, reason: str, now: datetime
) -> RequestView:
    """The refused request, with the reason that its zone reads."""
    require_role(actor, "coordinator")
    if not reason.strip():
        raise InputError("a refusal needs a reason", field="reason")
    row = request_row(session, actor, request_id)
    touch_head(session)
    move(session, actor, row, RequestState.REFUSED, now, reason=reason.strip())
    return request_views(session, actor, [row], now)[0]


def mark_request_state(
    session: Session, actor: Actor, request_id: int, state: RequestState | str, now: datetime
) -> RequestView:
    """The request after a mission moved it on: in progress, fulfilled or partly.

    Arrival on the scene debits the zone's entitlement, once, unless the class is exempt.
    """
    require_role(actor, "pilot", "coordinator")
    row = request_row(session, actor, request_id)
    state = RequestState(state)
    if state.value == row.state:
        return request_views(session, actor, [row], now)[0]
    touch_head(session)
    move(session, actor, row, state, now, facts=_mission_facts(session, row))
    if state == RequestState.IN_PROGRESS:
        _debit(session, row, now)
    if state in (RequestState.FULFILLED, RequestState.PARTLY):
        _log_flights(session, row, now)
    session.flush()
    return request_views(session, actor, [row], now)[0]


def _mission_facts(session: Session, row: models.Request) -> dict[str, Any]:
    """What was planned for the mission; figures compare it with what happened."""
    assignment = _current_assignment(session, row.id)
    if assignment is None:
        return {}
    return {
        "drone_id": assignment.drone_id,
        "crew": len(assignment.crew_ids),
        "planned_start_at": assignment.start_at.isoformat(),
        "planned_end_at": assignment.end_at.isoformat(),
    }


def _current_assignment(session: Session, request_id: int) -> models.Assignment | None:
    plan_id, _ = read_head(session)
    return session.scalar(
        select(models.Assignment).where(
            models.Assignment.plan_id == plan_id, models.Assignment.request_id == request_id
        )
    )


def _debit(session: Session, row: models.Request, now: datetime) -> None:
    assignment = _current_assignment(session, row.id)
    version = session.get(models.SlaVersion, row.sla_version_id)
    if assignment is None or version is None:
        return
    crew_min = debit_min(
        agreement(version),
        row.priority,
        assignment.start_at,
        assignment.end_at,
        len(assignment.crew_ids),
    )
    if crew_min:
        session.add(
            models.LedgerRow(
                organisation_id=row.organisation_id,
                request_id=row.id,
                at=now,
                crew_min=crew_min,
                priority=row.priority,
            )
        )


def _log_flights(session: Session, row: models.Request, now: datetime) -> None:
    """The crew's recent experience grows with the mission, unless the logbook has it already."""
    assignment = _current_assignment(session, row.id)
    if assignment is None:
        return
    known = select(models.PilotFlight.pilot_id).where(models.PilotFlight.request_id == row.id)
    logged = set(session.scalars(known))
    session.add_all(
        models.PilotFlight(pilot_id=pilot_id, flown_on=to_local(now).date(), request_id=row.id)
        for pilot_id in assignment.crew_ids
        if pilot_id not in logged
    )


def due_expiries(session: Session, now: datetime) -> list[int]:
    """The requests whose window has passed without a mission; reads only."""
    return [row.id for row in _passed(session, now)]


def _passed(session: Session, now: datetime) -> list[models.Request]:
    query = select(models.Request).where(
        models.Request.state.in_([state.value for state in PLANNABLE]),
        models.Request.end_at <= now,
    )
    return list(session.scalars(query.order_by(models.Request.id)))


def expire_requests(session: Session, actor: Actor, now: datetime) -> list[int]:
    """The requests whose window has passed without a mission; they are expired from now on."""
    require_role(actor, "coordinator")
    if not _passed(session, now):
        return []
    touch_head(session)
    session.expire_all()
    rows = _passed(session, now)
    for row in rows:
        move(session, actor, row, RequestState.EXPIRED, now)
    return [row.id for row in rows]


def stop_clock(
    session: Session,
    actor: Actor,
    request_id: int,
    stop: ClockStop,
    now: datetime,
    *,
    attachment_id: int,
) -> RequestView:
    """The request with one of its clocks stopped for a stretch.

    attachment_id : the file among the request's attachments that proves the reason

    Raises
    ------
    InputError
        The agreement knows no such reason, the evidence is not attached to the request, or the
        stop begins before the clock did.
    """
    require_role(actor, "coordinator")
    row = request_row(session, actor, request_id)
    version = session.get(models.SlaVersion, row.sla_version_id)
    assert version is not None
    check_stop(agreement(version), stop)
    if stop.clock not in CLOCKS:
        raise InputError(f"clock {stop.clock!r} is none of {', '.join(CLOCKS)}", field="clock")
    if stop.from_at + _MINUTE <= row.submitted_at:  # fields hold whole minutes
        raise InputError("a clock cannot stand before it began to run", field="from_at")
    proof = session.get(models.Attachment, attachment_id)
    if proof is None or proof.request_id != row.id:
        raise InputError(
            f"attachment {attachment_id} is none of request {row.id}: attach the evidence first",
            field="attachment_id",
        )
    session.add(
        models.ClockStop(
            attachment_id=proof.id,
            request_id=row.id,
            clock=stop.clock,
            from_at=stop.from_at,
            to_at=stop.to_at,
            code=stop.code,
            evidence=stop.evidence,
        )
    )
    session.flush()
    audit.append(
        session,
        actor,
        action="request.clock_stop",
        subject=f"request:{row.id}",
        at=now,
        reason=stop.evidence,
        facts={
            "clock": stop.clock,
            "code": stop.code,
            "from_at": stop.from_at.isoformat(),
            "sha256": proof.sha256,
        },
    )
    return request_views(session, actor, [row], now)[0]
