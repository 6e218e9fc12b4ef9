"""What if: a problem with something supposed, its plan, and plans side by side.

A supposition never changes the registry.  Its plan is a draft like any other, marked with what
was supposed and why; publishing it is an override, which takes the coordinator's role and a
reason.  A draft for a request that does not exist cannot be published at all: submit the request
first.  What has started stays as it is in every supposition: nothing takes a drone that flies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.db import Piece, read_scope, session_scope
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models, planning
from droneteam.fleet.agreement.preemption import displaced_by
from droneteam.fleet.allocation.solving import DEFAULT_TIME_LIMIT_S, solve
from droneteam.fleet.assembly import Situation, load_situation
from droneteam.fleet.explanations.pins import Refusal, solve_around
from droneteam.fleet.explanations.suppositions import (
    SUPPOSED_ID,
    Supposition,
    pins_of,
    read_stored,
    stored,
    suppose,
)
from droneteam.fleet.head import lock_head
from droneteam.fleet.presenting import plan_view, read_reasons, stored_reasons
from droneteam.fleet.problem import Plan
from droneteam.fleet.terms import Reason
from droneteam.fleet.views import PlanState, PlanView

HORIZON_DAYS = 14
MAX_SUPPOSITIONS = 20
MAX_REASON = 500
LATEST = Piece(limit=50)
READERS = ("coordinator", "manager", "auditor")


def check_reason(reason: str, message: str) -> str:
    """The reason of an override, without the spaces around it.

    Raises
    ------
    InputError
        It says nothing, in the words of the message, or too much.
    """
    if not any(letter.isalnum() for letter in reason):
        raise InputError(message, field="reason")
    if len(reason) > MAX_REASON:
        raise InputError(f"the reason is longer than {MAX_REASON} characters", field="reason")
    return reason.strip()


def solve_supposed(
    engine: Engine,
    actor: Actor,
    supposed: Sequence[Supposition],
    reason: str,
    now: datetime,
    *,
    seed: int = 0,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
) -> PlanView | Refusal:
    """A draft of the best plan under the suppositions, or why a request cannot be where it is put.

    As with any draft, no transaction is open while it searches (`planning.draft_plan`).

    Raises
    ------
    InputError
        Nothing is supposed, too much, or without a reason.
    Conflict
        Something changed during each of the searches.
    """
    require_role(actor, "coordinator")
    said = check_supposed(supposed, reason)
    for _ in range(planning.MAX_ATTEMPTS):
        with read_scope(engine) as session:
            situation = load_situation(session, now, horizon_of(supposed, now))
        found = search_supposed(situation, supposed, seed=seed, time_limit_s=time_limit_s)
        if isinstance(found, Refusal):
            return found
        with session_scope(engine) as session:
            head = lock_head(session)
            if (head.plan_id, head.revision) == (situation.base_plan_id, situation.revision):
                return store_supposed(session, actor, *found, supposed, said, now)
    raise planning.overtaken()


def check_supposed(supposed: Sequence[Supposition], reason: str) -> str:
    """The stated reason, when there is something to suppose and one; InputError otherwise."""
    if not 1 <= len(supposed) <= MAX_SUPPOSITIONS:
        raise InputError(f"suppose 1 to {MAX_SUPPOSITIONS} things", field="supposed")
    return check_reason(reason, "say why you suppose it: the reason stays with the plan")


def horizon_of(supposed: Sequence[Supposition], now: datetime) -> timedelta:
    """How far ahead a plan under the suppositions looks."""
    ends = [end for one in supposed for end in (one.start_at, one.end_at) if end is not None]
    furthest = max([timedelta(days=HORIZON_DAYS), *(end - now for end in ends)])
    return min(furthest, timedelta(days=planning.MAX_HORIZON_DAYS))


def search_supposed(
    situation: Situation,
    supposed: Sequence[Supposition],
    *,
    seed: int = 0,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
) -> tuple[Situation, Plan] | Refusal:
    """The plan under the suppositions and the situation as it would be (pure)."""
    problem = suppose(situation.problem, situation.sla, supposed)
    pins = pins_of(supposed)
    if not pins:
        found = solve(problem, seed=seed, time_limit_s=time_limit_s)
        return replace(situation, problem=problem), found
    around = solve_around(problem, pins, situation.standing, seed=seed, time_limit_s=time_limit_s)
    if isinstance(around, Refusal):
        return around
    return replace(situation, problem=around[0]), around[1]


def store_supposed(
    session: Session,
    actor: Actor,
    situation: Situation,
    found: Plan,
    supposed: Sequence[Supposition],
    reason: str,
    now: datetime,
) -> PlanView:
    """The draft without the supposed request, which has no row to point to."""
    pinned = {pin.request_id for pin in pins_of(supposed)}
    answer = found.assignment(SUPPOSED_ID)
    real = replace(
        found,
        assignments=tuple(a for a in found.assignments if a.request_id != SUPPOSED_ID),
        unserved=tuple(number for number in found.unserved if number != SUPPOSED_ID),
    )
    view = planning.store_draft(session, actor, situation, real, now)
    row = session.get_one(models.Plan, view.id)
    _mark_pinned(session, row.id, pinned)
    hypothetical = any(one.kind == "new_request" for one in supposed)
    row.scenario = {
        "reason": reason,
        "supposed": [stored(one) for one in supposed],
        "publishable": not hypothetical,
        "arrival": None if answer is None else answer.visit.arrive_at.isoformat(),
    }
    session.flush()
    audit.append(
        session,
        actor,
        action="plan.suppose",
        subject=f"plan:{row.id}",
        at=now,
        reason=reason,
        facts={"supposed": row.scenario["supposed"]},
    )
    return plan_view(session, actor, row)


def _mark_pinned(session: Session, plan_id: int, request_ids: set[int]) -> None:
    """Each request that was put where it is says so first."""
    query = select(models.Assignment).where(
        models.Assignment.plan_id == plan_id, models.Assignment.request_id.in_(request_ids)
    )
    for row in session.scalars(query):
        row.why = stored_reasons((Reason("supposed.placed"), *read_reasons(row.why)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a plan supposes; arrival is when a crew reaches the supposed request, if one does."""

    reason: str
    supposed: tuple[Supposition, ...]
    publishable: bool
    arrival: datetime | None


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan without its assignments; reason is that of its suppositions, if it has any."""

    id: int
    state: PlanState
    status: str
    base_plan_id: int | None
    solved_at: datetime
    published_at: datetime | None
    reason: str | None


def scenario_of(session: Session, actor: Actor, plan_id: int) -> Scenario | None:
    """What the plan supposes, or None for a plan of what is."""
    require_role(actor, *READERS)
    row = session.get(models.Plan, plan_id)
    if row is None:
        raise NotFound("plan", plan_id)
    if row.scenario is None:
        return None
    arrival = row.scenario["arrival"]
    return Scenario(
        reason=row.scenario["reason"],
        supposed=tuple(read_stored(kept) for kept in row.scenario["supposed"]),
        publishable=row.scenario["publishable"],
        arrival=None if arrival is None else datetime.fromisoformat(arrival),
    )


def publish_plan(
    session: Session,
    actor: Actor,
    plan_id: int,
    expected_base_plan_id: int | None,
    now: datetime,
    *,
    reason: str = "",
) -> PlanView:
    """The plan that holds from now on; some plans only as an override with a reason.

    Those are supposed plans, and plans that take a drone from a request although the agreement
    lets no class that gets one displace it.

    Raises
    ------
    Conflict
        Another plan was published, something changed since the draft was solved, or the draft
        rests on a request that does not exist.
    InputError
        An override is published without a reason.
    """
    require_role(actor, "coordinator")
    row = session.get(models.Plan, plan_id)
    scenario = None if row is None else row.scenario
    if scenario is not None:
        if not scenario["publishable"]:
            raise Conflict(f"plan {plan_id} supposes a request that nobody submitted; submit it")
        reason = check_reason(reason, "this plan is an override: say why it is published")
    beyond = () if row is None or row.state != "draft" else displaced_by(session, row)
    if beyond:
        reason = check_reason(reason, _beyond_agreement(beyond))
    view = planning.publish_plan(session, actor, plan_id, expected_base_plan_id, now)
    if scenario is not None or beyond:
        supposed = [] if scenario is None else scenario["supposed"]
        audit.append(
            session,
            actor,
            action="plan.override",
            subject=f"plan:{plan_id}",
            at=now,
            reason=reason,
            facts={"supposed": supposed, "displaced_beyond_agreement": list(beyond)},
        )
    return view


def _beyond_agreement(beyond: Sequence[int]) -> str:
    numbers = ", ".join(str(number) for number in beyond)
    return (
        f"the plan takes the drone of request {numbers}, which the agreement lets no class that "
        "gets one displace: say why it is published"
    )


def discard_plan(session: Session, actor: Actor, plan_id: int, now: datetime) -> PlanView:
    """The draft, put aside: it stays on record and cannot be published any more.

    Raises
    ------
    Conflict
        It is no draft any more.
    """
    require_role(actor, "coordinator")
    lock_head(session)
    row = session.get(models.Plan, plan_id, populate_existing=True)
    if row is None:
        raise NotFound("plan", plan_id)
    if row.state != "draft":
        raise Conflict(f"plan {plan_id} is {row.state} already")
    row.state = "discarded"
    session.flush()
    audit.append(session, actor, action="plan.discard", subject=f"plan:{plan_id}", at=now, facts={})
    return plan_view(session, actor, row)


def list_plans(session: Session, actor: Actor, piece: Piece = LATEST) -> list[PlanSummary]:
    """The newest plans of any state, the newest first."""
    require_role(actor, *READERS)
    rows = session.scalars(piece.of(select(models.Plan), models.Plan.id))
    return [
        PlanSummary(
            id=row.id,
            state=cast(PlanState, row.state),
            status=row.status,
            base_plan_id=row.base_plan_id,
            solved_at=row.solved_at,
            published_at=row.published_at,
            reason=None if row.scenario is None else row.scenario["reason"],
        )
        for row in rows
    ]
