"""Does one more request fit beside the assignments that stand, and if not, what holds it (pure).

This is the quick side of the allocator: no search over the whole plan, only one job beside it.
Instant answers, bookings and explanations are built on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from droneteam.fleet.allocation.candidates import (
    PrepRule,
    allowed_slots,
    drone_reason,
    pilot_reason,
)
from droneteam.fleet.problem import (
    Assigned,
    Drone,
    Job,
    Pilot,
    Problem,
    Slot,
    Visit,
    packs_needed,
    visit,
)
from droneteam.fleet.terms import Param, Reason

Resource = Literal["drones", "pilots", "packs"]
SEARCH_STEP_MIN = 30
NEAR = timedelta(hours=36)
"""Beyond the longest duty, its rest and any charging, two assignments do not touch each other."""


@dataclass(frozen=True, slots=True)
class Hold:
    """What keeps a job from a visit: the resource, the reasons and the requests that use it."""

    resource: Resource
    reasons: tuple[Reason, ...]
    request_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Fit:
    """The outcome for one job: what it would get, or what holds it."""

    assigned: Assigned | None
    holds: tuple[Hold, ...] = ()


def fit(problem: Problem, standing: Sequence[Assigned], job: Job) -> Fit:
    """The best place for the job beside the standing assignments.

    Best is the least late, then the earliest, then the shortest drive.  Where nothing fits, the
    holds are those of the first time that could still be reached, from whichever base.
    """
    first_at: datetime | None = None
    holds: list[tuple[Hold, ...]] = []
    for trip, drones in reachable(problem, job):
        near = [other for other in standing if other.visit.overlaps(trip, spare=NEAR)]
        found = _fit_visit(problem, near, job, trip, drones)
        if found.assigned is not None:
            return found
        first_at = first_at or trip.start_at
        if trip.start_at == first_at:
            holds.append(found.holds)
    return Fit(None, _of_all_bases(holds))


def _of_all_bases(holds: Sequence[tuple[Hold, ...]]) -> tuple[Hold, ...]:
    """One hold for each resource, with every reason and user once.

    What lacks at each base is what holds the job; where that differs, all of it is said.
    """
    lacking = [{hold.resource for hold in own} for own in holds]
    everywhere = set.intersection(*lacking) if lacking else set()
    found: dict[Resource, Hold] = {}
    for hold in (hold for own in holds for hold in own):
        if everywhere and hold.resource not in everywhere:
            continue
        known = found.get(hold.resource)
        if known is None:
            found[hold.resource] = hold
            continue
        new = tuple(reason for reason in hold.reasons if reason not in known.reasons)
        users_of_both = known.request_ids | hold.request_ids
        found[hold.resource] = Hold(hold.resource, (*known.reasons, *new), users_of_both)
    return tuple(found.values())


def users(problem: Problem, standing: Sequence[Assigned], job: Job) -> frozenset[int]:
    """The requests that hold what the job would need, at any of its times."""
    found: set[int] = set()
    for trip, drones in reachable(problem, job):
        near = [other for other in standing if other.visit.overlaps(trip, spare=NEAR)]
        for hold in _fit_visit(problem, near, job, trip, drones).holds:
            found |= hold.request_ids
    return frozenset(found)


def reachable(problem: Problem, job: Job) -> list[tuple[Visit, list[Drone]]]:
    """The visits that can still be made by the clock, each with the capable drones there."""
    capable = [drone for drone in problem.drones if job.capabilities <= drone.capabilities]
    trips = []
    for base in dict.fromkeys(drone.base for drone in capable):
        local = [drone for drone in capable if drone.base == base]
        trips += [(visit(problem, job, slot, base), local) for slot in allowed_slots(problem, job)]
    in_time = [(trip, local) for trip, local in trips if trip.taken_at >= problem.now]
    return sorted(in_time, key=lambda item: _preference(item[0]))


def _preference(trip: Visit) -> tuple[int, datetime, int]:
    return (trip.late_min, trip.start_at, trip.travel_min)


def _fit_visit(
    problem: Problem, standing: Sequence[Assigned], job: Job, trip: Visit, local: list[Drone]
) -> Fit:
    drones, drone_hold = _free_drones(problem, standing, trip, local)
    pilots, pilot_hold = _free_pilots(problem, standing, job, trip)
    holds = [hold for hold in (drone_hold, pilot_hold) if hold is not None]
    for drone in drones:
        packs, pack_hold = _free_packs(problem, standing, job, trip, drone)
        if pack_hold is None and not holds:
            crew = tuple(sorted(pilot.id for pilot in pilots[: job.crew]))
            return Fit(Assigned(job.request_id, drone.id, crew, packs, trip))
        if pack_hold is not None and drone is drones[-1]:
            holds.append(pack_hold)
    return Fit(None, tuple(holds))


def _free_drones(
    problem: Problem, standing: Sequence[Assigned], trip: Visit, local: list[Drone]
) -> tuple[list[Drone], Hold | None]:
    """Those free for the visit, least able first, so that rare abilities stay free."""
    free: list[Drone] = []
    reasons: list[Reason] = []
    users: set[int] = set()
    for drone in local:
        held = drone_reason(problem, drone, trip)
        clashes = _users(standing, trip, drone_id=drone.id)
        if held is not None:
            reasons.append(held)
        elif clashes:
            users |= clashes
            reasons.append(
                Reason("drone.busy", {"drone": drone.name, "requests": _listed(clashes)})
            )
        else:
            free.append(drone)
    free.sort(key=lambda drone: (len(drone.capabilities), drone.id))
    return free, None if free else Hold("drones", tuple(reasons), frozenset(users))


def _free_pilots(
    problem: Problem, standing: Sequence[Assigned], job: Job, trip: Visit
) -> tuple[list[Pilot], Hold | None]:
    """Those fit and free for the visit, the least loaded first; a hold when the crew is short."""
    free: list[Pilot] = []
    reasons: list[Reason] = []
    users: set[int] = set()
    for pilot in problem.pilots:
        reason = pilot_reason(problem, job, pilot, trip)
        if reason is None:
            reason, clashing = _pilot_clash(problem, standing, pilot, trip)
            users |= clashing
        if reason is None:
            free.append(pilot)
        else:
            reasons.append(reason)
    load = {pilot.id: sum(pilot.id in a.pilot_ids for a in standing) for pilot in free}
    free.sort(key=lambda pilot: (load[pilot.id], pilot.id))
    short = len(free) < job.crew
    return free, Hold("pilots", tuple(reasons), frozenset(users)) if short else None


def _pilot_clash(
    problem: Problem, standing: Sequence[Assigned], pilot: Pilot, trip: Visit
) -> tuple[Reason | None, set[int]]:
    codes: dict[str, set[int]] = {}
    occupied = trip.occupied
    for other in standing:
        if pilot.id in other.pilot_ids:
            code = problem.duty.conflict(other.visit.occupied, occupied)
            if code is not None:
                codes.setdefault(code, set()).add(other.request_id)
    for code in ("pilot.busy", "pilot.duty", "pilot.rest"):
        if code in codes:
            params = {"pilot": pilot.name, "requests": _listed(codes[code])}
            return Reason(code, params), set().union(*codes.values())
    return None, set()


def _free_packs(
    problem: Problem, standing: Sequence[Assigned], job: Job, trip: Visit, drone: Drone
) -> tuple[tuple[int, ...], Hold | None]:
    """Enough charged packs for the drone, by id; a hold when there are fewer."""
    kind = problem.pack_type(drone.pack_type)
    charge = timedelta(minutes=kind.charge_min)
    taken: dict[int, int] = {}
    for other in standing:
        if other.visit.overlaps(trip, spare=charge):
            taken.update(dict.fromkeys(other.pack_ids, other.request_id))
    owned = [pack for pack in problem.packs if pack.type == kind.name]
    free = [
        pack.id
        for pack in owned
        if pack.id not in taken and (pack.charged_at is None or pack.charged_at <= trip.taken_at)
    ]
    needed = packs_needed(job, kind)
    if len(free) >= needed:
        return tuple(free[:needed]), None
    params: dict[str, Param] = {"type": kind.name, "needed": needed, "free": len(free)}
    users = frozenset(taken[pack.id] for pack in owned if pack.id in taken)
    return (), Hold("packs", (Reason("packs.short", params),), users)


def _users(standing: Iterable[Assigned], trip: Visit, *, drone_id: int) -> set[int]:
    return {
        other.request_id
        for other in standing
        if other.drone_id == drone_id and other.visit.overlaps(trip)
    }


def _listed(request_ids: Iterable[int]) -> str:
    return ", ".join(str(request_id) for request_id in sorted(request_ids))


def free_from(
    problem: Problem,
    standing: Sequence[Assigned],
    job: Job,
    until: datetime,
    prep_min: PrepRule | None = None,
) -> Assigned | None:
    """The first later start at which the job would fit, at a regular step until the horizon.

    prep_min : the crew's preparation at an instant; without it that of the job's first slot, which
    is too short where a later start lies outside service hours
    """
    if not job.slots:
        return None
    first = min(job.slots, key=lambda slot: slot.start_at)
    start_at = max(slot.start_at for slot in job.slots)
    length = max(slot.end_at - slot.start_at for slot in job.slots)
    while start_at < until:
        start_at += timedelta(minutes=SEARCH_STEP_MIN)
        prep = first.prep_min if prep_min is None else prep_min(start_at)
        slot = Slot(start_at, start_at + length, prep)
        found = fit(problem, standing, replace(job, slots=(slot,), due_at=None))
        if found.assigned is not None:
            return found.assigned
    return None
