"""A request put where a coordinator wants it, and everything else planned around it (pure).

A pin says which drone, which crew or which start a request gets; what it leaves open is chosen so
that it disturbs the published plan least.  A pin holds whatever else is asked: its drone and crew
are out for everybody else, also for a more urgent request, and what that costs is seen in the
comparison before anything is published.  A pin that cannot hold says why, by name.

The rest is solved without the pinned requests.  Their battery packs are alike and counted, so
that they are left in the pool first and the whole plan is then equipped from it; where it falls
short, the packs of the pins are set aside and the rest is solved again.  The first search then
still gives the bounds: it may do everything that the second may.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from droneteam.errors import NotFound
from droneteam.fleet.allocation.candidates import capability_reason
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.scoring import values_of
from droneteam.fleet.allocation.solving import solve, with_packs
from droneteam.fleet.explanations.explain import never
from droneteam.fleet.explanations.fitting import fit
from droneteam.fleet.problem import (
    Assigned,
    Drone,
    Job,
    Pilot,
    Plan,
    Problem,
    Slot,
    Term,
    packs_needed,
)
from droneteam.fleet.terms import Param, Reason, Window


@dataclass(frozen=True, slots=True)
class Pin:
    """Where a request is put; None and the empty crew leave it open.

    pilot_ids : the whole crew
    """

    request_id: int
    drone_id: int | None = None
    pilot_ids: tuple[int, ...] = ()
    start_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A pin that cannot hold, and the reasons."""

    request_id: int
    reasons: tuple[Reason, ...]


def solve_around(
    problem: Problem,
    pins: Sequence[Pin],
    standing: Sequence[Assigned] = (),
    *,
    seed: int = 0,
    time_limit_s: float,
) -> tuple[Problem, Plan] | Refusal:
    """The best plan in which every pin holds, with the problem that it solves.

    standing : the published plan; what a pin leaves open avoids it where it can

    Raises
    ------
    NotFound
        A pin names a request, drone or pilot that is none of the problem's.
    """
    placed: list[Assigned] = []
    for pin in pins:
        narrowed = _narrowed(problem, pin)
        if isinstance(narrowed, Refusal):
            return narrowed
        pinned_ids = {one.request_id for one in pins}
        others = [a for a in standing if a.request_id not in pinned_ids]
        found = _place(problem, narrowed, pin, placed, others)
        if isinstance(found, Refusal):
            return found
        placed.append(found)
        problem = _with_job(problem, _settled(narrowed, found))
    return problem, _solve_rest(problem, placed, seed, time_limit_s)


def _narrowed(problem: Problem, pin: Pin) -> Job | Refusal:
    """The job with the pin's start as its only slot, or why it cannot start then."""
    job = problem.job(pin.request_id)
    if job is None:
        raise NotFound("request that can still be planned", pin.request_id)
    if job.blocks or not job.slots:
        return Refusal(pin.request_id, job.blocks or (Reason("window.past"),))
    if pin.pilot_ids and len(set(pin.pilot_ids)) != job.crew:
        crew: dict[str, Param] = {"crew": job.crew, "given": len(set(pin.pilot_ids))}
        return Refusal(pin.request_id, (Reason("pin.crew", crew),))
    if pin.start_at is None:
        return job
    slot = slot_at(job, pin.start_at)
    return slot if isinstance(slot, Refusal) else replace(job, slots=(slot,))


def slot_at(job: Job, start_at: datetime) -> Slot | Refusal:
    """The job's slot from that start on, within the window that was asked for.

    A task that keeps its length may lie anywhere in the window, one that shrinks ends with it,
    and one with a single slot keeps that.
    """
    known = next((slot for slot in job.slots if slot.start_at == start_at), None)
    if known is not None:
        return known
    first_at = min(slot.start_at for slot in job.slots)
    last_at = max(slot.end_at for slot in job.slots)
    nearest = min(job.slots, key=lambda slot: abs(slot.start_at - start_at))
    shrinks = len(job.slots) > 1 and len({slot.end_at for slot in job.slots}) == 1
    end_at = last_at if shrinks else start_at + (nearest.end_at - nearest.start_at)
    if len(job.slots) > 1 and first_at <= start_at < end_at <= last_at:
        return Slot(start_at, end_at, nearest.prep_min)
    params: dict[str, Param] = {"from": first_at.isoformat(), "until": last_at.isoformat()}
    return Refusal(job.request_id, (Reason("pin.window", params),))


def _place(
    problem: Problem, job: Job, pin: Pin, placed: Sequence[Assigned], others: Sequence[Assigned]
) -> Assigned | Refusal:
    """What the pin gives, beside the other pins.

    What it leaves open stays as it is published, and what others have stays theirs, where that
    is possible; what is open gives way before others do.
    """
    drones = _picked_drones(problem, pin)
    lacking = [reason for drone in drones if (reason := capability_reason(job, drone)) is not None]
    if pin.drone_id is not None and lacking:
        return Refusal(pin.request_id, tuple(lacking))
    narrowed = replace(problem, drones=drones, pilots=_picked_pilots(problem, pin))
    kept = _as_published(narrowed, job, pin)
    for standing in ([*placed, *others], placed):
        for near, its_job in (*kept, (narrowed, job)):
            found = fit(near, standing, its_job)
            if found.assigned is not None:
                return found.assigned
    reasons = tuple(reason for hold in found.holds for reason in hold.reasons)
    return Refusal(pin.request_id, reasons or never(narrowed, job))


def _as_published(problem: Problem, job: Job, pin: Pin) -> tuple[tuple[Problem, Job], ...]:
    """The problem and the job with what the pin leaves open as it is published, if it is."""
    before = job.published
    if before is None:
        return ()
    drones, pilots, slots = problem.drones, problem.pilots, job.slots
    if pin.drone_id is None:
        drones = tuple(drone for drone in drones if drone.id == before.drone_id)
    if not pin.pilot_ids:
        pilots = tuple(pilot for pilot in pilots if pilot.id in before.pilot_ids)
    if pin.start_at is None:
        slots = tuple(slot for slot in slots if slot.start_at == before.start_at)
    if not (drones and pilots and slots):
        return ()
    return ((replace(problem, drones=drones, pilots=pilots), replace(job, slots=slots)),)


def _picked_drones(problem: Problem, pin: Pin) -> tuple[Drone, ...]:
    if pin.drone_id is None:
        return problem.drones
    found = tuple(drone for drone in problem.drones if drone.id == pin.drone_id)
    if not found:
        raise NotFound("drone", pin.drone_id)
    return found


def _picked_pilots(problem: Problem, pin: Pin) -> tuple[Pilot, ...]:
    if not pin.pilot_ids:
        return problem.pilots
    known = {pilot.id: pilot for pilot in problem.pilots}
    for pilot_id in pin.pilot_ids:
        if pilot_id not in known:
            raise NotFound("pilot", pilot_id)
    return tuple(known[pilot_id] for pilot_id in pin.pilot_ids)


def _settled(job: Job, assigned: Assigned) -> Job:
    """The job with nothing but the slot that its pin was given."""
    trip = assigned.visit
    kept = tuple(
        slot for slot in job.slots if (slot.start_at, slot.end_at) == (trip.start_at, trip.end_at)
    )
    return replace(job, slots=kept)


def _with_job(problem: Problem, job: Job) -> Problem:
    jobs = tuple(job if other.request_id == job.request_id else other for other in problem.jobs)
    return replace(problem, jobs=jobs)


def _solve_rest(
    problem: Problem, placed: Sequence[Assigned], seed: int, time_limit_s: float
) -> Plan:
    """The plan with the pins in it; its packs are charged, its bounds hold."""
    held = _held(problem, placed)
    rest = solve(held, seed=seed, time_limit_s=time_limit_s)
    whole = with_packs(problem, [*rest.assignments, *placed])
    exact = _equipped(problem, whole)
    if not exact:
        fewer = _without_packs(held, problem, placed)
        again = solve(fewer, seed=seed, time_limit_s=time_limit_s)
        given = [*again.assignments, *with_packs(problem, placed)]
        whole = _second_chance(problem, held, given)
    terms = _terms((problem, whole), (held, rest), placed, exact=exact)
    served = {assigned.request_id for assigned in whole}
    return Plan(
        status="optimal" if all(term.value == term.bound for term in terms) else "feasible",
        terms=terms,
        assignments=whole,
        unserved=tuple(job.request_id for job in problem.jobs if job.request_id not in served),
        seed=seed,
    )


def _second_chance(
    problem: Problem, held: Problem, given: Sequence[Assigned]
) -> tuple[Assigned, ...]:
    """The plan by departure, with those who fit in beside it, the most urgent first.

    A pack that was set aside for a pin is there for everybody before and after it.
    """
    whole = list(given)
    served = {assigned.request_id for assigned in given}
    for job in sorted(held.jobs, key=lambda job: job.priority):
        if job.request_id not in served and (found := fit(problem, whole, job).assigned):
            whole.append(found)
    return tuple(sorted(whole, key=lambda a: (a.visit.taken_at, a.request_id)))


def _held(problem: Problem, placed: Sequence[Assigned]) -> Problem:
    """The problem without the pinned requests, their drones and crews out meanwhile.

    What their zones may still claim shrinks by what the pins serve, so that the shortfalls are
    those of the whole plan.
    """
    jobs = {job.request_id: job for job in problem.jobs}
    pinned = {assigned.request_id for assigned in placed}
    busy: dict[int, list[Window]] = {}
    worked: dict[int, list[Window]] = {}
    used_min: dict[int, int] = {}
    for assigned in placed:
        job, occupied = jobs[assigned.request_id], assigned.visit.occupied
        busy.setdefault(assigned.drone_id, []).append(occupied)
        for pilot_id in assigned.pilot_ids:
            worked.setdefault(pilot_id, []).append(occupied)
        if not job.exempt:
            used_min[job.organisation_id] = used_min.get(job.organisation_id, 0) + job.demand_min
    return replace(
        problem,
        jobs=tuple(job for job in problem.jobs if job.request_id not in pinned),
        drones=tuple(
            replace(drone, busy=(*drone.busy, *busy.get(drone.id, ()))) for drone in problem.drones
        ),
        pilots=tuple(
            replace(pilot, worked=(*pilot.worked, *worked.get(pilot.id, ())))
            for pilot in problem.pilots
        ),
        claims=tuple(
            replace(
                claim,
                remaining_min=max(0, claim.remaining_min - used_min.get(claim.organisation_id, 0)),
            )
            for claim in problem.claims
        ),
    )


def _equipped(problem: Problem, whole: Iterable[Assigned]) -> bool:
    """Whether everybody has the packs that the task takes."""
    jobs = {job.request_id: job for job in problem.jobs}
    types = {drone.id: problem.pack_type(drone.pack_type) for drone in problem.drones}
    return all(
        len(assigned.pack_ids) >= packs_needed(jobs[assigned.request_id], types[assigned.drone_id])
        for assigned in whole
    )


def _without_packs(held: Problem, problem: Problem, placed: Sequence[Assigned]) -> Problem:
    """The held problem with the pins' packs charged again only after their work."""
    types = {drone.id: problem.pack_type(drone.pack_type) for drone in problem.drones}
    back: dict[int, datetime] = {}
    for assigned in with_packs(problem, placed):
        charge = timedelta(minutes=types[assigned.drone_id].charge_min)
        for pack_id in assigned.pack_ids:
            ready_at = assigned.visit.free_at + charge
            back[pack_id] = max(back.get(pack_id, ready_at), ready_at)
    return replace(
        held,
        packs=tuple(
            replace(pack, charged_at=back[pack.id]) if pack.id in back else pack
            for pack in held.packs
        ),
    )


def _terms(
    solved: tuple[Problem, Sequence[Assigned]],
    relaxed: tuple[Problem, Plan],
    placed: Sequence[Assigned],
    *,
    exact: bool,
) -> tuple[Term, ...]:
    """The whole plan's terms; what the search proved of the rest is carried over to them.

    A term that is a sum grows by what the pins bring, whatever the rest looks like.

    exact : the relaxed plan is the solved one without its pins; where it is not, a later bound
        holds only as long as every earlier term reached its own
    """
    problem, whole = solved
    held, first = relaxed
    pinned = {assigned.request_id for assigned in placed}
    others = [assigned for assigned in whole if assigned.request_id not in pinned]
    values, of_rest = values_of(choices(problem), whole), values_of(choices(held), others)
    bounds = {term.name: term.bound for term in first.terms}
    sorties = Counter(pilot_id for assigned in placed for pilot_id in assigned.pilot_ids)
    terms, reached = [], True
    for name, value in values.items():
        low = bounds[name] if exact or reached else 0
        if name == "busiest_pilot":
            low = max(low, *sorties.values())
        else:
            low += value - of_rest[name]
        terms.append(Term(name, value, max(0, min(value, low))))
        reached = reached and terms[-1].bound == value
    return tuple(terms)
