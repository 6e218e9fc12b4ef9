"""Why a request got what it got, as things stand now: for its page and the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from droneteam.accounts import Actor
from droneteam.fleet.assembly import Situation, load_situation, prep_of
from droneteam.fleet.conflicts import broken_promises
from droneteam.fleet.explanations.explain import Explanation, never, what_if, why_not
from droneteam.fleet.explanations.fitting import fit
from droneteam.fleet.intake.booking import standing_plan
from droneteam.fleet.intake.requests import request_row
from droneteam.fleet.lifecycle import FINAL, PLANNABLE
from droneteam.fleet.presenting import own_request_ids, request_views
from droneteam.fleet.problem import Assigned, Job, Problem
from droneteam.fleet.terms import Param, Reason, RequestState
from droneteam.fleet.views import hide_foreign

_BEYOND = timedelta(days=3)
"""How far past the wanted window the problem is read, to say from when on it would be yes."""


def explain_request(session: Session, actor: Actor, request_id: int, now: datetime) -> Explanation:
    """What happened to the request, why, and what would change it; NotFound for another zone's.

    A request with a drone keeps the reasons of the day it was planned, says what would happen
    without that drone or that pilot, and what has broken since.  One without is fitted beside the
    plan in force as it stands now, so that its reasons are never older than the question.  No
    number of another zone's request is said to a requester.
    """
    row = request_row(session, actor, request_id)
    (view,) = request_views(session, actor, [row], now)
    state = RequestState(row.state)
    if view.assignment is not None and state not in FINAL - {
        RequestState.FULFILLED,
        RequestState.PARTLY,
    }:
        ahead = state in PLANNABLE and view.assignment.taken_at > now
        until = max(row.end_at - now, timedelta()) + _BEYOND
        situation = load_situation(session, now, until, only=request_id) if ahead else None
        changes = () if situation is None else _without(situation, request_id)
        broken = {} if situation is None else broken_promises(situation)
        found = Explanation("served", view.assignment.why, changes, broken.get(request_id, ()))
    elif state not in PLANNABLE:
        found = Explanation("pending", (Reason("not_in_plan"),))
    else:
        until = max(row.end_at - now, timedelta()) + _BEYOND
        found = _unserved(load_situation(session, now, until), request_id)
    own = own_request_ids(session, actor)
    if own is None:
        return found
    return replace(
        found,
        reasons=hide_foreign(found.reasons, own),
        changes=hide_foreign(found.changes, own),
        broken=hide_foreign(found.broken, own),
    )


def _unserved(situation: Situation, request_id: int) -> Explanation:
    """Whether it would fit now, or what holds it and what would help."""
    problem, plan = situation.problem, standing_plan(situation)
    job = problem.job(request_id)
    if job is None:
        return Explanation("pending", (Reason("not_in_plan"),))
    found = None if never(problem, job) else fit(problem, plan.assignments, job).assigned
    if found is not None:
        free = Reason("answer.free", {"start": found.visit.start_at.isoformat()})
        return Explanation("pending", (Reason("not_in_plan"), free))
    return Explanation(
        "unserved",
        why_not(problem, plan, job),
        what_if(problem, plan, job, prep_of(situation, job)),
    )


def _without(situation: Situation, request_id: int) -> tuple[Reason, ...]:
    """What the request would get without its drone, and without its pilots."""
    job = situation.problem.job(request_id)
    own = next((a for a in situation.standing if a.request_id == request_id), None)
    if job is None or own is None:
        return ()
    others = [a for a in situation.standing if a is not own]
    return substitutes(situation.problem, others, job, own)


def substitutes(
    problem: Problem, others: Sequence[Assigned], job: Job, own: Assigned
) -> tuple[Reason, ...]:
    """Who would step in if the drone, or one of the crew, fell out (pure).

    Nothing else of the plan moves for it; each answer has been fitted beside the others.
    """
    drones = {drone.id: drone.name for drone in problem.drones}
    pilots = {pilot.id: pilot.name for pilot in problem.pilots}
    without_drone = replace(
        problem, drones=tuple(d for d in problem.drones if d.id != own.drone_id)
    )
    reasons = [_instead("drone", drones.get(own.drone_id, "?"), without_drone, others, job)]
    for pilot_id in own.pilot_ids:
        rest = tuple(pilot for pilot in problem.pilots if pilot.id != pilot_id)
        smaller = replace(problem, pilots=rest)
        reasons.append(_instead("pilot", pilots.get(pilot_id, "?"), smaller, others, job))
    return tuple(reasons)


def _instead(
    what: str, name: str, problem: Problem, others: Sequence[Assigned], job: Job
) -> Reason:
    found = fit(problem, others, job).assigned
    if found is None:
        return Reason("without.nobody", {"name": name})
    names = {drone.id: drone.name for drone in problem.drones}
    people = {pilot.id: pilot.name for pilot in problem.pilots}
    params: dict[str, Param] = {
        "name": name,
        "instead": names[found.drone_id]
        if what == "drone"
        else ", ".join(people[pilot_id] for pilot_id in found.pilot_ids),
        "start": found.visit.start_at.isoformat(),
    }
    return Reason("without.other", params)
