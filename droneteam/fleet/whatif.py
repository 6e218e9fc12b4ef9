"""What if: a problem with something supposed, its plan, and plans side by side.

A supposition never changes the registry.  Its plan is a draft like any other, marked with what
was supposed and why; publishing it is an override, which takes the coordinator's role and a
reason.  A draft for a request that does not exist cannot be published at all: submit the request
first.  What has started stays as it is in every supposition: nothing takes a drone that flies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models, planning
from droneteam.fleet.allocation import DEFAULT_TIME_LIMIT_S, solve
from droneteam.fleet.assembly import Situation, load_situation
from droneteam.fleet.demand import Demand, job_of
from droneteam.fleet.presenting import plan_view
from droneteam.fleet.problem import Job, Place, Plan, Problem
from droneteam.fleet.requirements import requirement
from droneteam.fleet.sla import Sla
from droneteam.fleet.statistics import jain_index
from droneteam.fleet.terms import PRIORITIES, Reason, RequestKind, Window, check_priority
from droneteam.fleet.views import AssignmentView, PlanView

SUPPOSED_ID = 2**31 - 1
"""The number of the supposed request; no row bears it."""
HORIZON_DAYS = 14
MAX_SUPPOSITIONS = 20
MAX_COMPARED = 4
READERS = ("coordinator", "manager", "auditor")

SupposedKind = Literal["drone_grounded", "pilot_absent", "left_out", "new_request"]


@dataclass(frozen=True, slots=True)
class Supposition:
    """One thing that a coordinator supposes.

    subject_id : the drone, the pilot or the request; 0 for a new request
    start_at, end_at : how long a drone or a pilot is away; the window of a new request
    priority, request_kind, lat_deg, lon_deg : of a new request
    """

    kind: SupposedKind
    subject_id: int = 0
    start_at: datetime | None = None
    end_at: datetime | None = None
    priority: str = "P0"
    request_kind: RequestKind = RequestKind.SEARCH
    lat_deg: float = 0.0
    lon_deg: float = 0.0

    def __post_init__(self) -> None:
        check_priority(self.priority)
        if self.kind not in ("drone_grounded", "pilot_absent", "left_out", "new_request"):
            raise InputError(f"supposition {self.kind!r} is unknown", field="kind")
        if self.kind != "left_out":
            if self.start_at is None or self.end_at is None:
                raise InputError("a supposition needs its start and end", field="start_at")
            Window(self.start_at, self.end_at)

    @property
    def window(self) -> Window:
        """When it holds; InputError for a supposition without times."""
        if self.start_at is None or self.end_at is None:
            raise InputError("the supposition has no times", field="start_at")
        return Window(self.start_at, self.end_at)


def suppose(problem: Problem, sla: Sla, supposed: Iterable[Supposition]) -> Problem:
    """The problem as it would be (pure).

    Raises
    ------
    NotFound
        The drone, pilot or request is none of the problem's.
    """
    for one in supposed:
        match one.kind:
            case "drone_grounded":
                problem = _grounded(problem, one)
            case "pilot_absent":
                problem = _absent(problem, one)
            case "left_out":
                problem = _left_out(problem, one)
            case "new_request":
                problem = _with_request(problem, sla, one)
    return problem


def _grounded(problem: Problem, one: Supposition) -> Problem:
    if one.subject_id not in {drone.id for drone in problem.drones}:
        raise NotFound("drone", one.subject_id)
    drones = tuple(
        replace(drone, busy=(*drone.busy, one.window)) if drone.id == one.subject_id else drone
        for drone in problem.drones
    )
    return replace(problem, drones=drones)


def _absent(problem: Problem, one: Supposition) -> Problem:
    if one.subject_id not in {pilot.id for pilot in problem.pilots}:
        raise NotFound("pilot", one.subject_id)
    pilots = tuple(
        replace(pilot, absences=(*pilot.absences, one.window))
        if pilot.id == one.subject_id
        else pilot
        for pilot in problem.pilots
    )
    return replace(problem, pilots=pilots)


def _left_out(problem: Problem, one: Supposition) -> Problem:
    if problem.job(one.subject_id) is None:
        raise NotFound("request that can still be planned", one.subject_id)
    jobs = tuple(
        replace(job, slots=(), published=None, blocks=(Reason("supposed.left_out"),))
        if job.request_id == one.subject_id
        else job
        for job in problem.jobs
    )
    return replace(problem, jobs=jobs)


def _with_request(problem: Problem, sla: Sla, one: Supposition) -> Problem:
    if problem.job(SUPPOSED_ID) is not None:
        raise InputError("one new request at a time can be supposed", field="kind")
    needs = requirement(one.request_kind, payload=None, sensitive=False, low_noise=False)
    demand = Demand(
        request_id=SUPPOSED_ID,
        organisation_id=0,
        priority=one.priority,
        window=one.window,
        place=Place(one.lat_deg, one.lon_deg),
        requirement=needs,
        submitted_at=problem.now,
        sla=sla,
        daylight_only=one.request_kind.value in sla.hours.daylight_kinds,
    )
    bases = tuple(dict.fromkeys(drone.base for drone in problem.drones))
    job: Job = job_of(demand, now=problem.now, bases=bases, speed=problem.speed)
    return replace(problem, jobs=(*problem.jobs, job))


def solve_supposed(
    session: Session,
    actor: Actor,
    supposed: Sequence[Supposition],
    reason: str,
    now: datetime,
    *,
    seed: int = 0,
    time_limit_s: float = DEFAULT_TIME_LIMIT_S,
) -> PlanView:
    """A draft of the best plan under the suppositions, beside the plan in force.

    Raises
    ------
    InputError
        Nothing is supposed, too much, or without a reason.
    """
    require_role(actor, "coordinator")
    if not 1 <= len(supposed) <= MAX_SUPPOSITIONS:
        raise InputError(f"suppose 1 to {MAX_SUPPOSITIONS} things", field="supposed")
    if not reason.strip():
        raise InputError("say why you suppose it: the reason stays with the plan", field="reason")
    ends = [one.end_at for one in supposed if one.end_at is not None]
    horizon = max([timedelta(days=HORIZON_DAYS), *(end - now for end in ends)])
    situation = load_situation(
        session, now, min(horizon, timedelta(days=planning.MAX_HORIZON_DAYS))
    )
    problem = suppose(situation.problem, situation.sla, supposed)
    found = solve(problem, seed=seed, time_limit_s=time_limit_s)
    return _store(session, actor, replace(situation, problem=problem), found, supposed, reason, now)


def _store(
    session: Session,
    actor: Actor,
    situation: Situation,
    found: Plan,
    supposed: Sequence[Supposition],
    reason: str,
    now: datetime,
) -> PlanView:
    """The draft without the supposed request, which has no row to point to."""
    answer = found.assignment(SUPPOSED_ID)
    real = replace(
        found,
        assignments=tuple(a for a in found.assignments if a.request_id != SUPPOSED_ID),
        unserved=tuple(number for number in found.unserved if number != SUPPOSED_ID),
    )
    view = planning.store_draft(session, actor, situation, real, now)
    row = session.get_one(models.Plan, view.id)
    hypothetical = any(one.kind == "new_request" for one in supposed)
    row.scenario = {
        "reason": reason.strip(),
        "supposed": [_stored(one) for one in supposed],
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
        reason=reason.strip(),
        facts={"supposed": row.scenario["supposed"]},
    )
    return plan_view(session, actor, row)


def _stored(one: Supposition) -> dict[str, Any]:
    values = asdict(one)
    for name in ("start_at", "end_at"):
        at = values[name]
        values[name] = None if at is None else at.astimezone(UTC).isoformat()
    return values


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a plan supposes; arrival is when a crew reaches the supposed request, if one does."""

    reason: str
    supposed: tuple[Supposition, ...]
    publishable: bool
    arrival: datetime | None


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
        supposed=tuple(_read(stored) for stored in row.scenario["supposed"]),
        publishable=row.scenario["publishable"],
        arrival=None if arrival is None else datetime.fromisoformat(arrival),
    )


def _read(stored: Mapping[str, Any]) -> Supposition:
    values = dict(stored)
    for name in ("start_at", "end_at"):
        values[name] = None if values[name] is None else datetime.fromisoformat(values[name])
    return Supposition(**{**values, "request_kind": RequestKind(values["request_kind"])})


def publish_plan(
    session: Session,
    actor: Actor,
    plan_id: int,
    expected_base_plan_id: int | None,
    now: datetime,
    *,
    reason: str = "",
) -> PlanView:
    """The plan that holds from now on; a supposed one only as an override with a reason.

    Raises
    ------
    Conflict
        Another plan was published, something changed since the draft was solved, or the draft
        rests on a request that does not exist.
    InputError
        A supposed plan is published without a reason.
    """
    require_role(actor, "coordinator")
    row = session.get(models.Plan, plan_id)
    scenario = None if row is None else row.scenario
    if scenario is not None:
        if not scenario["publishable"]:
            raise Conflict(f"plan {plan_id} supposes a request that nobody submitted; submit it")
        if not reason.strip():
            raise InputError("this plan is an override: say why it is published", field="reason")
    view = planning.publish_plan(session, actor, plan_id, expected_base_plan_id, now)
    if scenario is not None:
        audit.append(
            session,
            actor,
            action="plan.override",
            subject=f"plan:{plan_id}",
            at=now,
            reason=reason.strip(),
            facts={"supposed": scenario["supposed"]},
        )
    return view


@dataclass(frozen=True, slots=True)
class Compared:
    """One plan beside others.

    unserved : by class, P0 to P4; changed : requests that get something else than now;
    lost, won : requests that lose or get a drone; jain : over organisations' served shares
    """

    plan_id: int
    status: str
    served: int
    unserved: tuple[int, ...]
    changed: tuple[int, ...]
    lost: tuple[int, ...]
    won: tuple[int, ...]
    jain: float
    travel_min: int | None


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
    rows = session.query(models.Request).where(models.Request.id.in_(named))
    asked = {row.id: (row.priority, row.organisation_id) for row in rows}
    return [compare(current, view, asked) for view in views]


def compare(
    current: PlanView | None, view: PlanView, asked: Mapping[int, tuple[str, int]]
) -> Compared:
    """The plan against the one in force (pure).

    asked : (priority, organisation) by request
    """
    now = {} if current is None else {row.request_id: row for row in current.assignments}
    then = {row.request_id: row for row in view.assignments}
    missing = [request_id for request_id, _ in view.unserved]
    terms = {term.name: term.value for term in view.terms}
    return Compared(
        plan_id=view.id,
        status=view.status,
        served=len(then),
        unserved=tuple(
            sum(asked[number][0] == priority for number in missing) for priority in PRIORITIES
        ),
        changed=tuple(
            number
            for number in sorted(now.keys() & then.keys())
            if _essence(now[number]) != _essence(then[number])
        ),
        lost=tuple(sorted(now.keys() - then.keys())),
        won=tuple(sorted(then.keys() - now.keys())),
        jain=_fairness(then.keys(), missing, asked),
        travel_min=terms.get("travel_min"),
    )


def _essence(row: AssignmentView) -> tuple[object, ...]:
    return (row.drone_id, row.crew_ids, row.start_at, row.end_at)


def _fairness(
    served: Iterable[int], missing: Iterable[int], asked: Mapping[int, tuple[str, int]]
) -> float:
    got: dict[int, list[bool]] = {}
    for numbers, success in ((served, True), (missing, False)):
        for number in numbers:
            got.setdefault(asked[number][1], []).append(success)
    return jain_index(sum(found) / len(found) for found in got.values())
