"""Who could do what, when: each job's options, and the reason behind every one that is missing.

The allocator builds its model from these options and the explanations name their reasons, so
that the two can never disagree about what was possible (pure).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.fleet.assets.registry import missing_credentials
from droneteam.fleet.problem import Drone, Job, Pilot, Problem, Slot, Visit, visit
from droneteam.fleet.terms import Param, Reason, Window

SLOT_STEP_MIN = 15
PrepRule = Callable[[datetime], int]
"""Minutes of preparation of a crew whose task starts at the given instant."""
MAX_SLOTS = 16
"""More start times than this hardly change a plan, but they slow its proof."""


@dataclass(frozen=True, slots=True)
class Option:
    """A visit and who could make it; the solver chooses among them."""

    visit: Visit
    drone_ids: frozenset[int]
    pilot_ids: frozenset[int]


def options(problem: Problem, job: Job) -> tuple[Option, ...]:
    """The job's visits that at least one drone and a whole crew could make."""
    capable = [drone for drone in problem.drones if job.capabilities <= drone.capabilities]
    bases = dict.fromkeys(drone.base for drone in capable)
    found = []
    for base in bases:
        local = [drone for drone in capable if drone.base == base]
        for slot in allowed_slots(problem, job):
            option = _option(problem, job, visit(problem, job, slot, base), local)
            if option is not None:
                found.append(option)
    return tuple(found)


def _option(problem: Problem, job: Job, trip: Visit, drones: list[Drone]) -> Option | None:
    if trip.taken_at < problem.now:
        return None
    free = frozenset(drone.id for drone in drones if drone_reason(problem, drone, trip) is None)
    fit = frozenset(
        pilot.id for pilot in problem.pilots if pilot_reason(problem, job, pilot, trip) is None
    )
    return Option(trip, free, fit) if free and len(fit) >= job.crew else None


def capability_reason(job: Job, drone: Drone) -> Reason | None:
    """Says what the drone cannot do for the job; None when it can do all."""
    missing = job.capabilities - drone.capabilities
    if not missing:
        return None
    return Reason(
        "drone.not_capable", {"drone": drone.name, "capability": ", ".join(sorted(missing))}
    )


def allowed_slots(problem: Problem, job: Job) -> tuple[Slot, ...]:
    """The job's slots that neither the airspace nor the dark forbids."""
    return tuple(slot for slot in job.slots if slot_reason(problem, job, slot) is None)


def slot_reason(problem: Problem, job: Job, slot: Slot) -> Reason | None:
    """Says what forbids the slot whoever flies; None when nothing does."""
    if job.cleared_from is not None and slot.start_at < job.cleared_from:
        return Reason("airspace.pending", {"from": job.cleared_from.isoformat()})
    if job.cleared_until is not None and slot.end_at > job.cleared_until:
        return Reason("airspace.ends", {"until": job.cleared_until.isoformat()})
    if job.daylight_only and not any(
        light.start_at <= slot.start_at and slot.end_at <= light.end_at
        for light in problem.daylight
    ):
        return Reason("slot.dark", {"start": slot.start_at.isoformat()})
    return None


def drone_reason(problem: Problem, drone: Drone, trip: Visit) -> Reason | None:
    """Says what grounds or holds the drone, or what weather it may not fly in; None if free."""
    if drone.blocks:
        return drone.blocks[0]
    for window in drone.busy:
        if window.overlaps(trip.occupied):
            return Reason("drone.held", {"drone": drone.name, "until": window.end_at.isoformat()})
    return _weather_reason(problem, drone, Window(trip.start_at, trip.end_at))


def _weather_reason(problem: Problem, drone: Drone, flown: Window) -> Reason | None:
    for forecast in problem.forecasts:
        if not forecast.window.overlaps(flown):
            continue
        for code, expected, limit in (
            ("weather.wind", forecast.gust_mps, drone.max_gust_mps),
            ("weather.rain", forecast.rain_mm_h, drone.max_rain_mm_h),
        ):
            if limit is not None and expected > limit:
                params: dict[str, Param] = {
                    "drone": drone.name,
                    "expected": round(expected, 2),
                    "limit": round(limit, 2),
                    "until": forecast.window.end_at.isoformat(),
                }
                return Reason(code, params)
    return None


def pilot_reason(problem: Problem, job: Job, pilot: Pilot, trip: Visit) -> Reason | None:
    """Says why the pilot may not make the visit; None when nothing stands against it."""
    if pilot.blocks:
        return pilot.blocks[0]
    occupied = trip.occupied
    if any(absence.overlaps(occupied) for absence in pilot.absences):
        return Reason("pilot.absent", {"pilot": pilot.name})
    missing = missing_credentials(pilot.name, pilot.credentials, job.credentials, occupied)
    if missing:
        return missing[0]
    if occupied.end_at - occupied.start_at > timedelta(minutes=problem.duty.max_duty_min):
        return Reason("duty.too_long", {"hours": problem.duty.max_duty_min // 60})
    for worked in pilot.worked:
        code = problem.duty.conflict(worked, occupied)
        if code is not None:
            params = {"pilot": pilot.name, "until": worked.end_at.isoformat()}
            return Reason(f"{code}_worked", params)
    return None


def flexible_slots(window: Window, task_min: int, prep_min: PrepRule) -> tuple[Slot, ...]:
    """Slots of the task's length at a regular step within the window, the first at its start.

    A task as long as the window, or longer, gets the window itself.
    """
    task = timedelta(minutes=task_min)
    if window.start_at + task >= window.end_at:
        return (Slot(window.start_at, window.end_at, prep_min(window.start_at)),)
    spare_min = Window(window.start_at + task, window.end_at).minutes
    step = timedelta(minutes=_step_min(spare_min))
    slots: list[Slot] = []
    start_at = window.start_at
    while start_at + task <= window.end_at and len(slots) < MAX_SLOTS:
        slots.append(Slot(start_at, start_at + task, prep_min(start_at)))
        start_at += step
    return tuple(slots)


def shrinking_slots(window: Window, least_min: int, prep_min: PrepRule) -> tuple[Slot, ...]:
    """Slots that all end with the window and start ever later: late help is still help."""
    least = timedelta(minutes=least_min)
    last_at = max(window.start_at, window.end_at - least)
    if last_at == window.start_at:
        return (Slot(window.start_at, window.end_at, prep_min(window.start_at)),)
    step = timedelta(minutes=_step_min(Window(window.start_at, last_at).minutes))
    slots: list[Slot] = []
    start_at = window.start_at
    while start_at <= last_at and len(slots) < MAX_SLOTS:
        slots.append(Slot(start_at, window.end_at, prep_min(start_at)))
        start_at += step
    return tuple(slots)


def _step_min(spare_min: int) -> int:
    """The shortest multiple of the step that covers the spare time with MAX_SLOTS slots."""
    steps = -(-spare_min // (SLOT_STEP_MIN * (MAX_SLOTS - 1)))
    return SLOT_STEP_MIN * max(1, steps)


def earliest_arrival(now: datetime, travel_min: int, prep_min: int, setup_min: int) -> datetime:
    """The first whole minute at which a task can start when the crew is called now."""
    exact = now + timedelta(minutes=travel_min + prep_min + setup_min)
    return exact if exact == _floor_minute(exact) else _floor_minute(exact) + timedelta(minutes=1)


def _floor_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
