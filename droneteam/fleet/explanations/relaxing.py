"""The problem with one limit lifted, to prove which limits hold a request back (pure).

A statement such as "one more pilot would do" is made only after the request has been fitted into
the problem that has that pilot.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations

from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.explanations.fitting import Resource, fit
from droneteam.fleet.problem import Assigned, Drone, Job, Pack, Pilot, Problem, packs_needed
from droneteam.fleet.terms import Reason

RESOURCES: tuple[Resource, ...] = ("drones", "pilots", "packs")


def relaxed(problem: Problem, job: Job, resources: Collection[Resource]) -> Problem:
    """The problem with what one more visit of the job takes of each resource.

    drones : one more of each able kind at each base; pilots : one more crew with every credential
    that the job asks; packs : one more set of each type
    """
    if "drones" in resources:
        problem = replace(problem, drones=(*problem.drones, *_more_drones(problem, job)))
    if "pilots" in resources:
        problem = replace(problem, pilots=(*problem.pilots, *_more_pilots(problem, job)))
    if "packs" in resources:
        problem = replace(problem, packs=(*problem.packs, *_more_packs(problem, job)))
    return problem


def _more_drones(problem: Problem, job: Job) -> list[Drone]:
    able = [drone for drone in problem.drones if job.capabilities <= drone.capabilities]
    kinds = {(drone.base, drone.pack_type, drone.capabilities): drone for drone in able}
    first = 1 + max((drone.id for drone in problem.drones), default=0)
    return [
        replace(drone, id=number, name=f"+{drone.name}", busy=(), blocks=())
        for number, drone in enumerate(kinds.values(), first)
    ]


def _more_pilots(problem: Problem, job: Job) -> list[Pilot]:
    held = tuple(Credential(kind, date.min, date.max) for kind in sorted(job.credentials))
    first = 1 + max((pilot.id for pilot in problem.pilots), default=0)
    return [Pilot(number, f"+{number}", held) for number in range(first, first + job.crew)]


def _more_packs(problem: Problem, job: Job) -> list[Pack]:
    types = [kind.name for kind in problem.pack_types for _ in range(packs_needed(job, kind))]
    first = 1 + max((pack.id for pack in problem.packs), default=0)
    return [Pack(number, name) for number, name in enumerate(types, first)]


def helping(problem: Problem, standing: Sequence[Assigned], job: Job) -> list[Reason]:
    """The fewest resources of which one more would get the job in, each choice proven by a fit.

    Empty where not even more of everything would: then the time itself is what forbids it.
    """
    for count in range(1, len(RESOURCES) + 1):
        found = [
            _wish(group)
            for group in combinations(RESOURCES, count)
            if fit(relaxed(problem, job, group), standing, job).assigned is not None
        ]
        if found:
            return found
    return []


def _wish(group: Sequence[Resource]) -> Reason:
    if len(group) == 1:
        return Reason(f"if.more_{group[0]}", {})
    return Reason("if.more_together", {"resources": ", ".join(group)})
