"""Plans side by side: who gets, loses or changes what, and what it does to the sharing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError
from droneteam.fleet import models, planning
from droneteam.fleet.agreement.preemption import displaced_by
from droneteam.fleet.performance.statistics import jain_index
from droneteam.fleet.terms import PRIORITIES
from droneteam.fleet.views import AssignmentView, PlanView
from droneteam.fleet.whatif import READERS

MAX_COMPARED = 4

ChangeKind = Literal["lost", "won", "drone", "crew", "time"]


@dataclass(frozen=True, slots=True)
class Change:
    """What another plan does to one request.

    kinds : lost or won a drone; or what of drone, crew and time is another
    """

    request_id: int
    organisation_id: int
    priority: str
    kinds: tuple[ChangeKind, ...]
    before: AssignmentView | None
    after: AssignmentView | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One plan beside the one in force.

    unserved : by class, P0 to P4; changed : requests that get something else than now;
    lost, won : requests that lose or get a drone
    beyond : those that lose it although the agreement lets no class that gets one displace them;
        against the plan that this one was solved on
    jain, jain_before : over organisations' served shares of the requests that both plans know
    churn : drones, pilots and starts that differ from the published plan, three for a lost
        request with one pilot; churn_bound is the proven least among the best plans
    """

    plan_id: int
    status: str
    served: int
    unserved: tuple[int, ...]
    changed: tuple[int, ...]
    lost: tuple[int, ...]
    won: tuple[int, ...]
    beyond: tuple[int, ...]
    jain: float
    jain_before: float
    travel_min: int | None
    churn: int | None
    churn_bound: int | None
    changes: tuple[Change, ...]


def compare_plans(session: Session, actor: Actor, plan_ids: Sequence[int]) -> list[Compared]:
    """The plans side by side, each against the plan in force.

    Raises
    ------
    InputError
        There are too many to read side by side.
    """
    require_role(actor, *READERS)
    if not 1 <= len(plan_ids) <= MAX_COMPARED:
        raise InputError(f"compare 1 to {MAX_COMPARED} plans", field="plans")
    views = [planning.get_plan(session, actor, plan_id) for plan_id in plan_ids]
    current = planning.current_plan(session, actor)
    named = {
        number
        for view in (*views, *([current] if current else []))
        for number in (
            *(row.request_id for row in view.assignments),
            *(request_id for request_id, _ in view.unserved),
        )
    }
    query = select(
        models.Request.id, models.Request.priority, models.Request.organisation_id
    ).where(models.Request.id.in_(named))
    asked = {number: (priority, zone) for number, priority, zone in session.execute(query)}
    return [compare(current, view, asked, _beyond(session, view.id)) for view in views]


def _beyond(session: Session, plan_id: int) -> tuple[int, ...]:
    return displaced_by(session, session.get_one(models.Plan, plan_id))


def compare(
    current: PlanView | None,
    view: PlanView,
    asked: Mapping[int, tuple[str, int]],
    beyond: tuple[int, ...] = (),
) -> Compared:
    """The plan against the one in force (pure).

    asked : (priority, organisation) by request; beyond : displaced against the agreement
    """
    found = changes_between(current, view, asked)
    then = {row.request_id for row in view.assignments}
    now = set() if current is None else {row.request_id for row in current.assignments}
    missing = [request_id for request_id, _ in view.unserved]
    terms = {term.name: term for term in view.terms}
    churn, travel = terms.get("changes"), terms.get("travel_min")
    return Compared(
        plan_id=view.id,
        status=view.status,
        served=len(then),
        unserved=tuple(
            sum(asked[number][0] == priority for number in missing) for priority in PRIORITIES
        ),
        changed=tuple(one.request_id for one in found if one.before and one.after),
        lost=tuple(one.request_id for one in found if one.after is None),
        won=tuple(one.request_id for one in found if one.before is None),
        beyond=beyond,
        jain=_fairness(then, missing, asked),
        jain_before=_fairness(now & {*then, *missing}, {*then, *missing} - now, asked),
        travel_min=None if travel is None else travel.value,
        churn=None if churn is None else churn.value,
        churn_bound=None if churn is None else churn.bound,
        changes=found,
    )


def changes_between(
    current: PlanView | None, view: PlanView, asked: Mapping[int, tuple[str, int]]
) -> tuple[Change, ...]:
    """What publishing the plan would change, by request (pure)."""
    now = {} if current is None else {row.request_id: row for row in current.assignments}
    then = {row.request_id: row for row in view.assignments}
    found = []
    for number in sorted(now.keys() | then.keys()):
        before, after = now.get(number), then.get(number)
        kinds = change_kinds(before, after)
        if kinds:
            priority, organisation_id = asked[number]
            found.append(Change(number, organisation_id, priority, kinds, before, after))
    return tuple(found)


def change_kinds(
    before: AssignmentView | None, after: AssignmentView | None
) -> tuple[ChangeKind, ...]:
    """What is another; empty where drone, crew and times are the same."""
    if before is None or after is None:
        if before is after:
            return ()
        return ("won",) if before is None else ("lost",)
    pairs: list[tuple[ChangeKind, object, object]] = [
        ("drone", before.drone_id, after.drone_id),
        ("crew", set(before.crew_ids), set(after.crew_ids)),
        ("time", _times(before), _times(after)),
    ]
    return tuple(kind for kind, old, new in pairs if old != new)


def _times(row: AssignmentView) -> tuple[datetime, datetime]:
    return (row.start_at, row.end_at)


def _fairness(
    served: Collection[int], missing: Iterable[int], asked: Mapping[int, tuple[str, int]]
) -> float:
    got: dict[int, list[bool]] = {}
    for numbers, success in ((served, True), (missing, False)):
        for number in numbers:
            got.setdefault(asked[number][1], []).append(success)
    return jain_index(sum(found) / len(found) for found in got.values())
