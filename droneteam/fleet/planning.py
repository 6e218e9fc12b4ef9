"""Plans in the database: solved as drafts, published by one coordinator at a time, booked into."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role, scoped
from droneteam.db import read_scope, session_scope
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.allocation.solving import DEFAULT_TIME_LIMIT_S, solve
from droneteam.fleet.assembly import Situation, load_situation
from droneteam.fleet.displacing import Loss, changes, losses
from droneteam.fleet.explanations.explain import explain, why
from droneteam.fleet.head import lock_head, plan_row, read_head
from droneteam.fleet.intake.history import move, record
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.presenting import (
    assignment_view,
    own_request_ids,
    plan_view,
    stored_reasons,
)
from droneteam.fleet.problem import Assigned, Plan, Problem
from droneteam.fleet.terms import RequestState
from droneteam.fleet.views import AssignmentView, PlanView

MAX_HORIZON_DAYS = 62
MAX_ATTEMPTS = 3
"""A search that was overtaken is repeated; three in a row mean that nobody lets it finish."""
PROMISED = frozenset({RequestState.PLANNED, RequestState.CONFIRMED})
"""The states in which a zone counts on its drone."""


def draft_plan(
    engine: Engine,
    actor: Actor,
    now: datetime,
    horizon_days: int = 14,
    *,
    seed: int = 0,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
) -> PlanView:
    """A draft of the best plan for the coming days, with every request explained.

    No transaction is open while it searches, so that others can write meanwhile.
    What was read is compared with what holds when the draft is written; where a booking or a
    request came between, it searches again.

    Raises
    ------
    Conflict
        Something changed during each of MAX_ATTEMPTS searches.
    """
    require_role(actor, "coordinator")
    horizon = _horizon(horizon_days)
    for _ in range(MAX_ATTEMPTS):
        with read_scope(engine) as session:
            situation = load_situation(session, now, horizon)
        plan = solve(situation.problem, seed=seed, time_limit_s=time_limit_s)
        with session_scope(engine) as session:
            head = lock_head(session)
            if (head.plan_id, head.revision) == (situation.base_plan_id, situation.revision):
                return store_draft(session, actor, situation, plan, now)
    raise overtaken()


def overtaken() -> Conflict:
    """Says that nobody let the search finish."""
    return Conflict(
        f"requests, bookings or drones changed during each of {MAX_ATTEMPTS} searches; "
        "try again in a moment"
    )


def _horizon(days: int) -> timedelta:
    if not 1 <= days <= MAX_HORIZON_DAYS:
        raise InputError(
            f"horizon_days {days} outside [1, {MAX_HORIZON_DAYS}]", field="horizon_days"
        )
    return timedelta(days=days)


def store_draft(
    session: Session, actor: Actor, situation: Situation, plan: Plan, now: datetime
) -> PlanView:
    """The plan as a draft on the published plan that the situation was read from."""
    require_role(actor, "coordinator")
    problem = situation.problem
    row = models.Plan(
        state="draft",
        status=plan.status,
        base_plan_id=situation.base_plan_id,
        base_revision=situation.revision,
        solved_at=now,
        seed=plan.seed,
        gap=plan.gap,
        terms=[asdict(term) for term in plan.terms],
        unserved=[_stored_unserved(problem, plan, request_id) for request_id in plan.unserved],
    )
    session.add(row)
    session.flush()
    for frozen_id in situation.frozen:
        session.add(_carried(session, frozen_id, row.id))
    for assigned in plan.assignments:
        reasons = stored_reasons(why(problem, plan, assigned))
        session.add(assignment_row(session, row.id, assigned, reasons))
    session.flush()
    facts = {
        "status": plan.status,
        "seed": plan.seed,
        "served": len(plan.assignments),
        "unserved": list(plan.unserved),
    }
    audit.append(session, actor, action="plan.solve", subject=f"plan:{row.id}", at=now, facts=facts)
    return plan_view(session, actor, row)


def _stored_unserved(problem: Problem, plan: Plan, request_id: int) -> dict[str, object]:
    explanation = explain(problem, plan, request_id)
    return {
        "request_id": request_id,
        "reasons": stored_reasons(explanation.reasons),
        "changes": stored_reasons(explanation.changes),
    }


def _carried(session: Session, assignment_id: int, plan_id: int) -> models.Assignment:
    """A copy of a started assignment in another plan, unchanged."""
    old = session.get(models.Assignment, assignment_id)
    assert old is not None
    columns = models.Assignment.__table__.columns.keys()
    values = {name: getattr(old, name) for name in columns if name not in ("id", "plan_id")}
    return models.Assignment(plan_id=plan_id, **values)


def assignment_row(
    session: Session, plan_id: int, assigned: Assigned, reasons: list[dict[str, object]]
) -> models.Assignment:
    """The assignment's row, with drone and pilot as they are called on that day."""
    drone = session.get(models.Drone, assigned.drone_id)
    pilot = session.get(models.Pilot, assigned.pilot_ids[0])
    assert drone is not None
    assert pilot is not None
    trip = assigned.visit
    return models.Assignment(
        plan_id=plan_id,
        request_id=assigned.request_id,
        drone_id=drone.id,
        pilot_id=pilot.id,
        drone_snapshot={
            "name": drone.name,
            "model": drone.model,
            "serial": drone.serial,
            "firmware": drone.firmware,
            "remote_id_serial": drone.remote_id_serial,
        },
        pilot_name=pilot.name,
        crew_ids=list(assigned.pilot_ids),
        battery_ids=list(assigned.pack_ids),
        taken_at=trip.taken_at,
        depart_at=trip.depart_at,
        arrive_at=trip.arrive_at,
        start_at=trip.start_at,
        end_at=trip.end_at,
        free_at=trip.free_at,
        travel_min=trip.travel_min,
        late_min=trip.late_min,
        why=reasons,
    )


def publish_plan(
    session: Session,
    actor: Actor,
    plan_id: int,
    expected_base_plan_id: int | None,
    now: datetime,
) -> PlanView:
    """The plan that holds from now on; its requests learn their new state.

    Raises
    ------
    Conflict
        Another plan was published, a drone booked or a request changed since the draft was
        solved: solve again.
    """
    require_role(actor, "coordinator")
    head = lock_head(session)
    row = session.get(models.Plan, plan_id, populate_existing=True)
    if row is None:
        raise NotFound("plan", plan_id)
    if row.state != "draft":
        raise Conflict(f"plan {plan_id} is {row.state} already")
    if head.plan_id != expected_base_plan_id or row.base_plan_id != head.plan_id:
        raise Conflict(f"plan {head.plan_id} was published meanwhile; solve again on it")
    if row.base_revision != head.revision:
        raise Conflict("requests, bookings or drones have changed since; solve again")
    news = _News(losses(session, row, now), changes(session, row))
    if head.plan_id is not None:
        before = session.get(models.Plan, head.plan_id)
        assert before is not None
        before.state = "superseded"
    row.state, row.published_at = "published", now
    head.plan_id, head.revision = row.id, head.revision + 1
    session.flush()
    _tell_requests(session, actor, row, now, news)
    facts = {"base_plan_id": row.base_plan_id, "status": row.status, "gap": row.gap}
    audit.append(
        session, actor, action="plan.publish", subject=f"plan:{row.id}", at=now, facts=facts
    )
    return plan_view(session, actor, row)


@dataclass(frozen=True, slots=True)
class _News:
    """What a plan takes from requests, and what it changes about those that it still serves."""

    losses: dict[int, Loss]
    changes: dict[int, dict[str, Any]]


def _tell_requests(
    session: Session, actor: Actor, plan: models.Plan, now: datetime, news: _News
) -> None:
    """Each request that the plan served or could not serve moves to its new state."""
    query = select(models.Assignment.request_id).where(models.Assignment.plan_id == plan.id)
    for request_id in session.scalars(query).all():
        _tell_served(session, actor, request_id, plan.id, now, news.changes.get(request_id))
    for item in plan.unserved:
        _tell_unserved(session, actor, item["request_id"], plan.id, now, news.losses)


def _tell_served(
    session: Session,
    actor: Actor,
    request_id: int,
    plan_id: int,
    now: datetime,
    changed: dict[str, Any] | None,
) -> None:
    """Planned from now on; who was planned already reads what is another."""
    row = session.get_one(models.Request, request_id)
    state = RequestState(row.state)
    if state not in PLANNABLE:
        return
    if state not in PROMISED:
        move(session, actor, row, RequestState.PLANNED, now, facts={"plan_id": plan_id})
    elif changed is not None:
        facts = {"plan_id": plan_id, **changed}
        record(session, actor, row, state, now, facts=facts, action="request.changed")


def _tell_unserved(
    session: Session,
    actor: Actor,
    request_id: int,
    plan_id: int,
    now: datetime,
    lost: dict[int, Loss],
) -> None:
    """Displaced, with the reason, where it had a drone; else on the waiting list."""
    row = session.get_one(models.Request, request_id)
    state = RequestState(row.state)
    facts: dict[str, Any] = {"plan_id": plan_id}
    if state in PROMISED:
        loss = lost.get(request_id)
        facts |= {} if loss is None else loss.facts()
        reason = None if loss is None else loss.reason
        move(session, actor, row, RequestState.DISPLACED, now, reason=reason, facts=facts)
    elif state in PLANNABLE - {RequestState.WAITLISTED, RequestState.DISPLACED}:
        move(session, actor, row, RequestState.WAITLISTED, now, facts=facts)


def current_plan(session: Session, actor: Actor) -> PlanView | None:
    """The published plan, limited to what the actor may see; None before the first."""
    plan_id, _ = read_head(session)
    row = None if plan_id is None else plan_row(session, plan_id)
    return None if row is None else plan_view(session, actor, row)


def get_plan(session: Session, actor: Actor, plan_id: int) -> PlanView:
    """A plan of any state, for those who compare plans; NotFound when there is none."""
    require_role(actor, "coordinator", "manager", "auditor")
    row = plan_row(session, plan_id)
    if row is None:
        raise NotFound("plan", plan_id)
    return plan_view(session, actor, row)


def get_assignment(session: Session, actor: Actor, assignment_id: int) -> AssignmentView:
    """The assignment; NotFound for another organisation's."""
    query = (
        select(models.Assignment)
        .join(models.Request, models.Assignment.request_id == models.Request.id)
        .where(models.Assignment.id == assignment_id)
    )
    row = session.scalar(scoped(query, actor, models.Request.organisation_id))
    if row is None:
        raise NotFound("assignment", assignment_id)
    return assignment_view(row, own_request_ids(session, actor))
