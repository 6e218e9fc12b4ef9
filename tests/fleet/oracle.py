"""The best allocation of a small problem by trying everything; times and rules are its own.

Whether a set of assignments is allowed and what it costs comes from the validator, which shares
no code with the model either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import combinations
from types import SimpleNamespace
from typing import Any

from benchmarks import validator

SERVICE_TERMS = 10
"""The objective begins with these: unserved and late, for each of five classes."""


def best_terms(problem: Any) -> dict[str, int]:
    """The lexicographically smallest objective of all allowed plans."""
    names = list(validator.term_values(problem, []))
    choices = [list(_choices(problem, job)) for job in problem.jobs]
    best = _vector(problem, names, [])

    def hopeful(service: tuple[int, ...]) -> bool:
        return service <= best[:SERVICE_TERMS]

    for given in _plans(problem, choices, [], hopeful):
        best = min(best, _vector(problem, names, given))
    return dict(zip(names, best, strict=True))


def _vector(problem: Any, names: list[str], given: list[Any]) -> tuple[int, ...]:
    values = validator.term_values(problem, given)
    return tuple(values[name] for name in names)


def _choices(problem: Any, job: Any) -> Iterator[Any]:
    """Every assignment of the job that breaks no rule by itself."""
    crews = list(combinations([pilot.id for pilot in problem.pilots], job.crew))
    for slot in job.slots:
        for drone in problem.drones:
            out = validator._drive_min(problem, drone.base, job.place, job.emergency)
            back = validator._drive_min(problem, drone.base, job.place, False)
            visit = SimpleNamespace(
                taken_at=slot.start_at - timedelta(minutes=job.setup_min + out + slot.prep_min),
                free_at=slot.end_at + timedelta(minutes=back + problem.turnaround_min),
                start_at=slot.start_at,
                end_at=slot.end_at,
            )
            for crew in crews:
                choice = SimpleNamespace(
                    request_id=job.request_id,
                    drone_id=drone.id,
                    pilot_ids=crew,
                    pack_ids=(),
                    visit=visit,
                )
                if not validator._alone(problem, job, choice) and _works(problem, [choice]):
                    yield choice


def _plans(
    problem: Any,
    choices: list[list[Any]],
    chosen: list[Any],
    hopeful: Callable[[tuple[int, ...]], bool],
) -> Iterator[list[Any]]:
    """Every allowed plan, but for those that already leave more unserved, or later, than known."""
    if not hopeful(_service(problem, chosen)):
        return
    given = [choice for choice in chosen if choice is not None]
    if len(chosen) == len(choices):
        yield given
        return
    for choice in choices[len(chosen)]:
        if _works(problem, [*given, choice]):
            yield from _plans(problem, choices, [*chosen, choice], hopeful)
    yield from _plans(problem, choices, [*chosen, None], hopeful)


def _service(problem: Any, chosen: list[Any]) -> tuple[int, ...]:
    """Unserved and late minutes by class of the requests decided so far; they only grow."""
    decided = problem.jobs[: len(chosen)]
    values = []
    for priority in ("P0", "P1", "P2", "P3", "P4"):
        own = [(j, c) for j, c in zip(decided, chosen, strict=True) if j.priority == priority]
        values.append(sum(choice is None for _, choice in own))
        values.append(sum(validator._late_min(j, c) for j, c in own if c is not None))
    return tuple(values)


def _works(problem: Any, given: list[Any]) -> bool:
    if validator._overlaps(given) or validator._duties(problem, given):
        return False
    if any(_clashes_with_work(problem, choice) for choice in given):
        return False
    return _packs_suffice(problem, given)


def _clashes_with_work(problem: Any, choice: Any) -> bool:
    return any(
        window.start_at < choice.visit.free_at and choice.visit.taken_at < window.end_at
        for pilot in problem.pilots
        if pilot.id in choice.pilot_ids
        for window in pilot.worked
    )


def _packs_suffice(problem: Any, given: list[Any]) -> bool:
    """First come, first served by departure; equals any other order, because packs are alike."""
    jobs = {job.request_id: job for job in problem.jobs}
    kinds = {kind.name: kind for kind in problem.pack_types}
    drones = {drone.id: drone for drone in problem.drones}
    ready_at = {pack.id: pack.charged_at or problem.now for pack in problem.packs}
    for choice in sorted(given, key=lambda choice: choice.visit.taken_at):
        kind = kinds[drones[choice.drone_id].pack_type]
        minutes = max((s.end_at - s.start_at).seconds // 60 for s in jobs[choice.request_id].slots)
        flights = -(-minutes // kind.endurance_min)
        rotation = 1 + -(-kind.charge_min // kind.endurance_min)
        needed = kind.per_flight * min(flights, rotation)
        free = [
            pack.id
            for pack in problem.packs
            if pack.type == kind.name and ready_at[pack.id] <= choice.visit.taken_at
        ]
        if len(free) < needed:
            return False
        for pack_id in free[:needed]:
            ready_at[pack_id] = choice.visit.free_at + timedelta(minutes=kind.charge_min)
    return True
