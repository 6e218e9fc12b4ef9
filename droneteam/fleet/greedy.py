"""A first plan without a search: keep what was published, then the most urgent first (pure).

It is the solver's starting point.  Where it already serves everybody in time, the solver only
has to prove what is left.
"""

from __future__ import annotations

from dataclasses import replace

from droneteam.fleet.fitting import fit
from droneteam.fleet.problem import Assigned, Job, Problem


def greedy(problem: Problem) -> tuple[Assigned, ...]:
    """Assignments that break no rule; not the best ones."""
    order = sorted(problem.jobs, key=_urgency)
    standing: list[Assigned] = []
    for job in order:
        kept = _as_published(problem, standing, job)
        found = kept if kept is not None else fit(problem, standing, job).assigned
        if found is not None:
            standing.append(found)
    return tuple(standing)


def _urgency(job: Job) -> tuple[str, bool, int, int]:
    """By class; what was promised and what can hardly move goes first."""
    return (job.priority, job.published is None, len(job.slots), job.request_id)


def _as_published(problem: Problem, standing: list[Assigned], job: Job) -> Assigned | None:
    """The job's published assignment, where it still breaks no rule."""
    before = job.published
    if before is None:
        return None
    slots = tuple(slot for slot in job.slots if slot.start_at == before.start_at)
    if not slots:
        return None
    narrow = replace(
        problem,
        drones=tuple(drone for drone in problem.drones if drone.id == before.drone_id),
        pilots=tuple(pilot for pilot in problem.pilots if pilot.id in before.pilot_ids),
    )
    return fit(narrow, standing, replace(job, slots=slots)).assigned
