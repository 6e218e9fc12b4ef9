"""The quick answers: what a requester may expect before submitting, and a booking at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict
from droneteam.fleet import models
from droneteam.fleet.agreement.sla import lead_time_reason
from droneteam.fleet.assembly import Situation, load_situation, prep_of
from droneteam.fleet.daylight import dark_from
from droneteam.fleet.demand import Demand, job_of
from droneteam.fleet.explanations.explain import displacements, never, why, why_not
from droneteam.fleet.explanations.fitting import fit, free_from
from droneteam.fleet.head import lock_head
from droneteam.fleet.intake.history import move
from droneteam.fleet.intake.requests import request_row
from droneteam.fleet.lifecycle import PLANNABLE
from droneteam.fleet.planning import PROMISED, assignment_row
from droneteam.fleet.presenting import assignment_view, own_request_ids, stored_reasons
from droneteam.fleet.problem import Assigned, Job, Place, Plan, Problem
from droneteam.fleet.requirements import requirement
from droneteam.fleet.terms import Reason, RequestState, Window
from droneteam.fleet.views import Answer, Booking, RequestDraft, hide_foreign

ANSWER_HORIZON = timedelta(days=3)
"""How far past the wanted window an answer looks for a free time."""
MAX_RIVALS = 20
"""Of more waiting requests it is not worked out whether there is enough for all of them."""
_DRAFT_ID = 0
"""No request has this number."""


def instant_answer(session: Session, actor: Actor, draft: RequestDraft, now: datetime) -> Answer:
    """What the requester may expect, from one look beside the published plan.

    Yes: a drone and a crew are free, also when everybody as urgent who waits is served first.
    Maybe: others compete, or a less urgent request would have to move.  No: nothing is free;
    from_at says when it is, and is None where nothing is within ANSWER_HORIZON.
    """
    require_role(actor, "requester", "coordinator")
    situation = load_situation(session, now, max(draft.end_at - now, timedelta()) + ANSWER_HORIZON)
    job = _draft_job(situation, actor, draft, now)
    answer = _answer(situation, job, now)
    warnings = _warnings(situation, actor, draft, now)
    dark = [reason for reason in warnings if reason.code == "light.dark"]
    in_the_way = dark if any(one.code == "slot.dark" for one in answer.reasons) else []
    reasons = (
        *in_the_way,
        *(one for one in answer.reasons if not (dark and one.code == "slot.dark")),  # said once
        *(one for one in warnings if one not in in_the_way),
    )
    own = own_request_ids(session, actor)
    shown = reasons if own is None else hide_foreign(_with_classes(reasons, own), own)
    return Answer(answer.verdict, answer.from_at, shown)


def _with_classes(reasons: Sequence[Reason], own: frozenset[int]) -> tuple[Reason, ...]:
    """The reasons with the classes of others' requests that could give way, which stay unnamed."""
    foreign = [r for r in reasons if r.code == "if.displaced" and r.params["request"] not in own]
    classes = sorted({str(reason.params["priority"]) for reason in foreign})
    return (*reasons, *(Reason("answer.gives_way", {"class": name}) for name in classes))


def _draft_job(situation: Situation, actor: Actor, draft: RequestDraft, now: datetime) -> Job:
    problem = situation.problem
    demand = Demand(
        request_id=_DRAFT_ID,
        organisation_id=actor.organisation_id,
        priority=draft.priority,
        window=Window(draft.start_at, draft.end_at),
        place=Place(draft.lat_deg, draft.lon_deg),
        requirement=requirement(
            draft.kind,
            payload=draft.payload,
            sensitive=draft.sensitive,
            low_noise=draft.low_noise,
        ),
        submitted_at=now,
        sla=situation.sla,
        daylight_only=draft.kind.value in situation.sla.hours.daylight_kinds,
    )
    bases = tuple(dict.fromkeys(drone.base for drone in problem.drones))
    return job_of(demand, now=now, bases=bases, speed=problem.speed)


def _answer(situation: Situation, job: Job, now: datetime) -> Answer:
    problem, plan = situation.problem, standing_plan(situation)
    settled = never(problem, job)
    found = None if settled else fit(problem, plan.assignments, job).assigned
    if found is not None:
        return _free_answer(situation, plan, job, found)
    until = max([now, *(slot.end_at for slot in job.slots)]) + ANSWER_HORIZON
    later = free_from(problem, plan.assignments, job, until, prep_of(situation, job))
    reasons = settled or why_not(problem, plan, job)
    if later is not None:
        reasons += (Reason("if.later", {"start": later.visit.start_at.isoformat()}),)
    moves = () if settled else _allowed_displacements(situation, plan, job)
    from_at = None if later is None else later.visit.start_at
    return Answer("maybe" if moves else "no", from_at, (*reasons, *moves))


def _free_answer(situation: Situation, plan: Plan, job: Job, found: Assigned) -> Answer:
    """Yes where it fits even after everybody as urgent who waits, maybe where that is not sure."""
    rivals = competitors(situation, job)
    beside = _after(situation.problem, plan.assignments, rivals, job) if rivals else found
    if beside is None:
        count = Reason("answer.competes", {"count": len(rivals)})
        return Answer("maybe", found.visit.start_at, (*_free_reasons(job, found), count))
    enough = (Reason("answer.enough", {"count": len(rivals)}),) if rivals else ()
    return Answer("yes", beside.visit.start_at, (*_free_reasons(job, beside), *enough))


def _free_reasons(job: Job, found: Assigned) -> tuple[Reason, ...]:
    """From when somebody is there, and by how much that is later than was promised.

    Whoever comes at the start that was asked for is not late, whatever the class's clock says.
    """
    free = Reason("answer.free", {"start": found.visit.start_at.isoformat()})
    late = found.visit.late_min if found.visit.start_at > job.wanted_at else 0
    return (free, Reason("slot.late", {"minutes": late})) if late else (free,)


def _after(
    problem: Problem, standing: Sequence[Assigned], rivals: Sequence[Job], job: Job
) -> Assigned | None:
    """What the job gets once every rival has its place; None where one of them finds none.

    Places given out one by one are places that a plan can give: where all find theirs, the best
    plan leaves nobody of them out.  A rival that nobody could serve takes nothing.
    """
    if len(rivals) > MAX_RIVALS:
        return None
    placed = [*standing]
    for rival in sorted(rivals, key=lambda one: (one.priority, one.request_id)):
        own = fit(problem, placed, rival).assigned
        if own is not None:
            placed.append(own)
        elif not never(problem, rival):
            return None
    return fit(problem, placed, job).assigned


def _allowed_displacements(situation: Situation, plan: Plan, job: Job) -> tuple[Reason, ...]:
    """Requests of the classes that the agreement lets this one displace."""
    allowed = situation.sla.classes[job.priority].displaces
    return tuple(
        reason
        for reason in displacements(situation.problem, plan, job)
        if reason.params["priority"] in allowed
    )


def _warnings(
    situation: Situation, actor: Actor, draft: RequestDraft, now: datetime
) -> tuple[Reason, ...]:
    """Short notice, darkness and a used-up entitlement; none of them forbids to ask."""
    found = []
    short = lead_time_reason(situation.sla, draft.priority, now, draft.start_at)
    if short is not None and draft.start_at > now:
        found.append(short)
    night = _night(situation, draft)
    if night is not None:
        found.append(night)
    account = situation.accounts.get(actor.organisation_id)
    exempt = situation.sla.classes[draft.priority].exempt
    if account is not None and not exempt and account.remaining_min == 0:
        params = {"used_h": account.used_min // 60, "entitled_h": account.entitled_min // 60}
        found.append(Reason("entitlement.exceeded", params))
    return tuple(found)


def _night(situation: Situation, draft: RequestDraft) -> Reason | None:
    """Says that a task which needs daylight asks for a part of the night."""
    if draft.kind.value not in situation.sla.hours.daylight_kinds:
        return None
    window = Window(draft.start_at, draft.end_at)
    dark_at = dark_from(window, Place(draft.lat_deg, draft.lon_deg))
    return None if dark_at is None else Reason("light.dark", {"from": dark_at.isoformat()})


def book_request(session: Session, actor: Actor, request_id: int, now: datetime) -> Booking:
    """A drone and a crew for the request beside the published plan, at once, or why there is none.

    Whoever books first gets the drone: the head's lock orders bookings, so that no two of them
    see the same drone free.  Booking a request again gives the assignment that it has.
    """
    require_role(actor, "requester", "coordinator")
    head = lock_head(session)
    row = request_row(session, actor, request_id)
    session.refresh(row)
    own = own_request_ids(session, actor)
    standing = session.scalar(
        select(models.Assignment).where(
            models.Assignment.plan_id == head.plan_id, models.Assignment.request_id == row.id
        )
    )
    if standing is not None:
        return Booking(assignment_view(standing, own))
    if RequestState(row.state) not in PLANNABLE:
        raise Conflict(f"request {row.id} is {row.state} and cannot be booked")
    horizon = max(row.end_at - now, timedelta(days=1))
    situation = load_situation(session, now, horizon, only=row.id)
    booked = _fit_beside(situation, row.id)
    if booked.assigned is None:
        return Booking(None, booked.reasons if own is None else hide_foreign(booked.reasons, own))
    return _book(session, actor, head, row, booked, now)


@dataclass(frozen=True, slots=True)
class _Fitted:
    assigned: Assigned | None
    reasons: tuple[Reason, ...] = ()


def _fit_beside(situation: Situation, request_id: int) -> _Fitted:
    problem = situation.problem
    job = problem.job(request_id)
    assert job is not None
    plan = standing_plan(situation)
    found = fit(problem, plan.assignments, job)
    if job.blocks or found.assigned is None:
        return _Fitted(None, never(problem, job) or why_not(problem, plan, job))
    with_it = standing_plan(situation, found.assigned)
    return _Fitted(found.assigned, why(problem, with_it, found.assigned))


def standing_plan(situation: Situation, *more: Assigned) -> Plan:
    """The published plan's movable part as a plan of the situation's problem."""
    served = {assigned.request_id for assigned in (*situation.standing, *more)}
    return Plan(
        status="feasible",
        terms=(),
        assignments=(*situation.standing, *more),
        unserved=tuple(
            job.request_id for job in situation.problem.jobs if job.request_id not in served
        ),
        seed=0,
    )


def competitors(situation: Situation, job: Job) -> list[Job]:
    """Waiting requests at least as urgent that want some of the same time."""
    served = {assigned.request_id for assigned in situation.standing}
    return [
        other
        for other in situation.problem.jobs
        if other.request_id not in served
        and other.request_id != job.request_id
        and other.priority <= job.priority
        and _share_time(other, job)
    ]


def _share_time(one: Job, other: Job) -> bool:
    return any(
        a.start_at < b.end_at and b.start_at < a.end_at for a in one.slots for b in other.slots
    )


def _book(
    session: Session,
    actor: Actor,
    head: models.PlanHead,
    row: models.Request,
    booked: _Fitted,
    now: datetime,
) -> Booking:
    assert booked.assigned is not None
    if head.plan_id is None:
        head.plan_id = _empty_plan(session, now).id
    assignment = assignment_row(
        session, head.plan_id, booked.assigned, stored_reasons(booked.reasons)
    )
    session.add(assignment)
    head.revision += 1
    _no_longer_unserved(session, head.plan_id, row.id)
    session.flush()
    facts = {"plan_id": head.plan_id, "drone_id": assignment.drone_id}
    if RequestState(row.state) not in PROMISED:
        move(session, actor, row, RequestState.PLANNED, now, reason="booked", facts=facts)
    audit.append(
        session, actor, action="plan.book", subject=f"request:{row.id}", at=now, facts=facts
    )
    return Booking(assignment_view(assignment, own_request_ids(session, actor)), booked.reasons)


def _empty_plan(session: Session, now: datetime) -> models.Plan:
    """The published plan before the first one was solved: bookings need one to stand in."""
    row = models.Plan(
        state="published",
        status="feasible",
        base_plan_id=None,
        base_revision=0,
        solved_at=now,
        published_at=now,
        seed=0,
        gap=0.0,
        terms=[],
        unserved=[],
    )
    session.add(row)
    session.flush()
    return row


def _no_longer_unserved(session: Session, plan_id: int, request_id: int) -> None:
    plan = session.get(models.Plan, plan_id)
    assert plan is not None
    plan.unserved = [item for item in plan.unserved if item["request_id"] != request_id]
