"""Whether a plan keeps every rule, decided visit by visit from the rules themselves (pure).

The searches decide with arrays, counts and programs; before a plan of theirs is used it is gone
through once more in this plain way.  The same rules say later what a published plan can no longer
keep, since something changed under it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations

from droneteam.fleet.allocation.candidates import (
    allowed_slots,
    capability_reason,
    drone_reason,
    pilot_reason,
    slot_reason,
)
from droneteam.fleet.problem import (
    Assigned,
    Drone,
    Pilot,
    Problem,
    Slot,
    packs_needed,
    visit,
)
from droneteam.fleet.terms import Reason


def broken_rule(problem: Problem, assignments: Sequence[Assigned]) -> str | None:
    """The first rule that the assignments break, as a code with the request; None: they hold.

    Packs are not named yet: only that enough are charged at each departure is looked at.
    """
    drones = {drone.id: drone for drone in problem.drones}
    pilots = {pilot.id: pilot for pilot in problem.pilots}
    if len({given.request_id for given in assignments}) != len(assignments):
        return "a request is served twice"
    for given in assignments:
        crew = [pilots[pilot_id] for pilot_id in given.pilot_ids]
        code = _alone(problem, given, drones[given.drone_id], crew)
        if code is not None:
            return f"request {given.request_id}: {code}"
    return _together(problem, assignments) or _packs(problem, assignments, drones)


def standing_reasons(problem: Problem, given: Assigned) -> Iterator[Reason]:
    """What stands against one assignment as things are now, other assignments apart.

    A request that the problem does not hold (its window lies beyond what was read) has no reasons
    of its own.
    """
    job = problem.job(given.request_id)
    trip = given.visit
    drone = next((one for one in problem.drones if one.id == given.drone_id), None)
    found: list[Reason | None] = []
    if job is not None:
        found += job.blocks
        found.append(slot_reason(problem, job, Slot(trip.start_at, trip.end_at, 0)))
    if drone is None:
        found.append(Reason("drone.gone"))
    else:
        found.append(None if job is None else capability_reason(job, drone))
        found.append(drone_reason(problem, drone, trip))
    for pilot_id in given.pilot_ids:
        pilot = next((one for one in problem.pilots if one.id == pilot_id), None)
        if pilot is None:
            found.append(Reason("pilot.gone"))
        elif job is not None:
            found.append(pilot_reason(problem, job, pilot, trip))
    yield from (reason for reason in found if reason is not None)


def _alone(problem: Problem, given: Assigned, drone: Drone, crew: list[Pilot]) -> str | None:
    job = problem.job(given.request_id)
    if job is None:
        return "is no request of the problem"
    trips = (visit(problem, job, slot, drone.base) for slot in allowed_slots(problem, job))
    if given.visit not in trips:
        return "no slot that is allowed"
    if given.visit.taken_at < problem.now:
        return "leaves in the past"
    held = capability_reason(job, drone) or drone_reason(problem, drone, given.visit)
    if held is not None:
        return held.code
    if len(set(given.pilot_ids)) != job.crew:
        return "crew.size"
    reasons = (pilot_reason(problem, job, pilot, given.visit) for pilot in crew)
    return next((reason.code for reason in reasons if reason is not None), None)


def _together(problem: Problem, assignments: Sequence[Assigned]) -> str | None:
    by_drone: dict[int, list[Assigned]] = defaultdict(list)
    by_pilot: dict[int, list[Assigned]] = defaultdict(list)
    for given in assignments:
        by_drone[given.drone_id].append(given)
        for pilot_id in given.pilot_ids:
            by_pilot[pilot_id].append(given)
    for own in by_drone.values():
        for one, other in combinations(own, 2):
            if one.visit.overlaps(other.visit):
                return f"requests {one.request_id} and {other.request_id}: drone.busy"
    for own in by_pilot.values():
        for one, other in combinations(own, 2):
            code = problem.duty.conflict(one.visit.occupied, other.visit.occupied)
            if code is not None:
                return f"requests {one.request_id} and {other.request_id}: {code}"
    return None


def _packs(
    problem: Problem, assignments: Sequence[Assigned], drones: dict[int, Drone]
) -> str | None:
    """Packs of a type that are out, charging or not charged yet, at each departure."""
    jobs = {job.request_id: job for job in problem.jobs}
    for kind in problem.pack_types:
        own = [given for given in assignments if drones[given.drone_id].pack_type == kind.name]
        charge = timedelta(minutes=kind.charge_min)
        spans = [
            (
                given.visit.taken_at,
                given.visit.free_at + charge,
                packs_needed(jobs[given.request_id], kind),
            )
            for given in own
        ]
        charged_at = [pack.charged_at for pack in problem.packs if pack.type == kind.name]
        for given in own:
            at = given.visit.taken_at
            out = sum(packs for begin, end, packs in spans if begin <= at < end)
            if out > sum(ready is None or ready <= at for ready in charged_at):
                return f"request {given.request_id}: packs.short"
    return None
