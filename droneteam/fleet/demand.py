"""A request, or a draft of one, as the allocator's job (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from droneteam.fleet.agreement.hours import ServiceHours
from droneteam.fleet.agreement.sla import PriorityClass, Sla
from droneteam.fleet.allocation.candidates import (
    PrepRule,
    earliest_arrival,
    flexible_slots,
    shrinking_slots,
)
from droneteam.fleet.problem import Job, Place, Placement, Slot, SpeedTable
from droneteam.fleet.requirements import Requirement
from droneteam.fleet.terms import Reason, Window


@dataclass(frozen=True, slots=True)
class Clearance:
    """What the airspace allows a task: from when, until when, or why not at all."""

    from_at: datetime | None = None
    until_at: datetime | None = None
    block: Reason | None = None


FREE_AIRSPACE = Clearance()


@dataclass(frozen=True, slots=True)
class Demand:
    """What one request wants, with the agreement that held when it was submitted.

    daylight_only : the agreement lets this kind of task fly in daylight only
    """

    request_id: int
    organisation_id: int
    priority: str
    window: Window
    place: Place
    requirement: Requirement
    submitted_at: datetime
    sla: Sla
    daylight_only: bool = False
    clearance: Clearance = FREE_AIRSPACE


@dataclass(frozen=True, slots=True)
class Standing:
    """What the published plan gives the request now."""

    placement: Placement
    end_at: datetime


def job_of(
    demand: Demand,
    *,
    now: datetime,
    bases: tuple[Place, ...],
    speed: SpeedTable,
    standing: Standing | None = None,
) -> Job:
    """The job with every start time that still makes sense now."""
    rules = demand.sla.classes[demand.priority]
    needs = demand.requirement
    blocks = _blocks(demand, now)
    slots = () if blocks else _slots(demand, rules, now, bases, speed)
    return Job(
        request_id=demand.request_id,
        organisation_id=demand.organisation_id,
        priority=demand.priority,
        place=demand.place,
        slots=_with_standing(slots, demand, standing),
        wanted_at=demand.window.start_at,
        capabilities=needs.capabilities,
        credentials=needs.credentials,
        crew=max(needs.crew, rules.crew),
        setup_min=rules.setup_min,
        due_at=_due_at(demand, rules),
        emergency=rules.emergency,
        exempt=rules.exempt,
        published=standing.placement if standing else None,
        blocks=blocks,
        daylight_only=demand.daylight_only,
        cleared_from=demand.clearance.from_at,
        cleared_until=demand.clearance.until_at,
    )


def _blocks(demand: Demand, now: datetime) -> tuple[Reason, ...]:
    """What settles, before anybody looks for a slot, that there is none."""
    if demand.window.end_at <= now:
        return (Reason("window.past"),)
    block = demand.clearance.block
    return () if block is None else (block,)


def _due_at(demand: Demand, rules: PriorityClass) -> datetime | None:
    """When the crew's arrival becomes late; a planned task may lie anywhere in its window."""
    if demand.requirement.task_min is not None and not rules.reactive:
        return None
    return rules.on_scene.due_at(demand.submitted_at, demand.window.start_at, demand.sla.hours)


def prep_rule(
    hours: ServiceHours,
    place: Place,
    bases: Iterable[Place],
    speed: SpeedTable,
    *,
    emergency: bool,
    setup_min: int,
) -> PrepRule:
    """The preparation before a task that starts at an instant.

    Who is called while crews stand ready goes as quickly as they do, also where the task itself
    begins after the service has ended.
    """
    way_min = setup_min + _shortest_min(place, bases, speed, emergency=emergency)
    ahead = timedelta(minutes=way_min + hours.core_prep_min)

    def prep_min(start_at: datetime) -> int:
        if hours.in_core(start_at - ahead):
            return hours.core_prep_min
        return hours.prep_min(start_at)

    return prep_min


def _shortest_min(
    place: Place, bases: Iterable[Place], speed: SpeedTable, *, emergency: bool
) -> int:
    return min((speed.minutes(base, place, emergency=emergency) for base in bases), default=0)


def _slots(
    demand: Demand,
    rules: PriorityClass,
    now: datetime,
    bases: tuple[Place, ...],
    speed: SpeedTable,
) -> tuple[Slot, ...]:
    prep_min = _prep_rule(demand, rules, bases, speed)
    window = _reachable_window(demand, rules, now, bases, speed)
    if demand.requirement.task_min is not None:
        return flexible_slots(window, demand.requirement.task_min, prep_min)
    if rules.reactive or window.start_at > demand.window.start_at:
        return shrinking_slots(window, demand.requirement.least_min, prep_min)
    return (Slot(window.start_at, window.end_at, prep_min(window.start_at)),)


def _prep_rule(
    demand: Demand, rules: PriorityClass, bases: tuple[Place, ...], speed: SpeedTable
) -> PrepRule:
    return prep_rule(
        demand.sla.hours,
        demand.place,
        bases,
        speed,
        emergency=rules.emergency,
        setup_min=rules.setup_min,
    )


def _reachable_window(
    demand: Demand,
    rules: PriorityClass,
    now: datetime,
    bases: tuple[Place, ...],
    speed: SpeedTable,
) -> Window:
    """The window from the moment a crew called now could begin; unchanged when none could."""
    travel_min = _shortest_min(demand.place, bases, speed, emergency=rules.emergency)
    window = demand.window
    prep_min = _prep_rule(demand, rules, bases, speed)(max(now, window.start_at))
    first_at = earliest_arrival(now, travel_min, prep_min, rules.setup_min)
    if first_at <= window.start_at or first_at >= window.end_at:
        return window
    return Window(first_at, window.end_at)


def _with_standing(
    slots: tuple[Slot, ...], demand: Demand, standing: Standing | None
) -> tuple[Slot, ...]:
    """The slots with the published one among them, so that a plan can stay as it is."""
    if standing is None or not slots:
        return slots
    start_at = standing.placement.start_at
    if any(slot.start_at == start_at for slot in slots):
        return slots
    kept = Slot(start_at, standing.end_at, demand.sla.hours.prep_min(start_at))
    return (*slots, kept)
