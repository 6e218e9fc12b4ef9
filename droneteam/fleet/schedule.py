"""What a schedule shows behind and on its bars: night, hours on call, and what stands against it.

A plan is right on the day it is solved.  A defect, an illness or an expired licence that comes
afterwards does not change it; ``troubles`` finds the assignments that can no longer be kept, from
the same rules as the allocator, and says why by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.hours import ServiceHours
from droneteam.fleet.allocation.holding import standing_reasons
from droneteam.fleet.assembly import LOOKED_AHEAD, assigned_of, load_situation
from droneteam.fleet.daylight import is_daylight
from droneteam.fleet.head import assignments_of, plan_row
from droneteam.fleet.problem import Assigned, Place, Problem
from droneteam.fleet.terms import Reason, Window

READERS = ("coordinator", "manager", "auditor", "pilot")
_STEP = timedelta(minutes=30)

ShadeKind = Literal["night", "on_call"]


@dataclass(frozen=True, slots=True)
class Shade:
    """A stretch in which it is night, or crews are on call instead of ready."""

    kind: ShadeKind
    start_at: datetime
    end_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """What stands behind and against a plan's assignments.

    troubles : by request, why its assignment cannot be kept; started : requests that are frozen
    charge_min : by type of battery, how long a pack charges
    """

    shades: tuple[Shade, ...]
    troubles: Mapping[int, tuple[Reason, ...]]
    started: frozenset[int]
    charge_min: Mapping[str, int]


def plan_schedule(
    session: Session, actor: Actor, plan_id: int | None, window: Window, now: datetime
) -> Schedule:
    """What stands behind and against the plan in the window.

    plan_id : None before the first plan
    """
    require_role(actor, *READERS)
    situation = load_situation(session, now, LOOKED_AHEAD)
    rows = _rows(session, plan_id)
    frozen = select(models.Assignment.request_id).where(models.Assignment.id.in_(situation.frozen))
    started = frozenset(session.scalars(frozen))
    ahead = [
        assigned_of(row)
        for row in rows
        if row.free_at > now and situation.problem.job(row.request_id) is not None
    ]
    place = next((drone.base for drone in situation.problem.drones), None)
    return Schedule(
        shades=() if place is None else shades(situation.sla.hours, window, place),
        troubles=troubles(situation.problem, ahead),
        started=started,
        charge_min={kind.name: kind.charge_min for kind in situation.problem.pack_types},
    )


def _rows(session: Session, plan_id: int | None) -> Sequence[models.Assignment]:
    if plan_id is None:
        return ()
    if plan_row(session, plan_id) is None:
        raise NotFound("plan", plan_id)
    return assignments_of(session, plan_id)


def troubles(problem: Problem, assignments: Sequence[Assigned]) -> dict[int, tuple[Reason, ...]]:
    """By request: why its assignment cannot be kept; without those that can (pure)."""
    found = {one.request_id: tuple(_against(problem, one, assignments)) for one in assignments}
    return {request_id: reasons for request_id, reasons in found.items() if reasons}


def _against(problem: Problem, one: Assigned, all_of_them: Iterable[Assigned]) -> Iterator[Reason]:
    """What stands against one assignment, and who else holds what it needs."""
    yield from standing_reasons(problem, one)
    yield from _shared(problem, one, all_of_them)


def _shared(problem: Problem, one: Assigned, all_of_them: Iterable[Assigned]) -> Iterator[Reason]:
    """Drones and pilots that two assignments hold at one time; no search makes such a plan."""
    names = {drone.id: drone.name for drone in problem.drones}
    pilots = {pilot.id: pilot.name for pilot in problem.pilots}
    for other in all_of_them:
        if other is one or not other.visit.overlaps(one.visit):
            continue
        number = str(other.request_id)
        if other.drone_id == one.drone_id:
            name = names.get(one.drone_id, str(one.drone_id))
            yield Reason("drone.busy", {"drone": name, "requests": number})
        for pilot_id in sorted(set(other.pilot_ids) & set(one.pilot_ids)):
            name = pilots.get(pilot_id, str(pilot_id))
            yield Reason("pilot.busy", {"pilot": name, "requests": number})


@lru_cache(maxsize=64)
def shades(hours: ServiceHours, window: Window, place: Place) -> tuple[Shade, ...]:
    """The nights and the hours on call within the window, to the minute (pure)."""
    kinds: tuple[tuple[ShadeKind, Callable[[datetime], bool]], ...] = (
        ("night", lambda at: not is_daylight(at, place)),
        ("on_call", lambda at: not hours.in_core(at)),
    )
    return tuple(
        Shade(kind, start_at, end_at)
        for kind, holds in kinds
        for start_at, end_at in _stretches(window, holds)
    )


def _stretches(
    window: Window, holds: Callable[[datetime], bool]
) -> Iterator[tuple[datetime, datetime]]:
    """Where the condition holds; one that holds for less than a step may be missed."""
    since = window.start_at if holds(window.start_at) else None
    at = window.start_at
    while at < window.end_at:
        after = min(at + _STEP, window.end_at)
        if holds(after) != (since is not None):
            edge = _edge(at, after, holds)
            if since is None:
                since = edge
            else:
                yield since, edge
                since = None
        at = after
    if since is not None and since < window.end_at:
        yield since, window.end_at


def _edge(before: datetime, after: datetime, holds: Callable[[datetime], bool]) -> datetime:
    """The first minute at which the condition is as it is at the end."""
    wanted = holds(after)
    while after - before > timedelta(minutes=1):
        middle = before + timedelta(minutes=(after - before) // timedelta(minutes=2))
        before, after = (before, middle) if holds(middle) == wanted else (middle, after)
    return after
