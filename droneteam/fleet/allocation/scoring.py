"""The objective of a given plan, and what can be said of it by looking at it (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.fleet.allocation.choices import Choices, Ints
from droneteam.fleet.allocation.pooled import (
    REST,
    SERVICE,
    Part,
    hold,
    ideal,
    shares,
    term_costs,
    unserved_values,
)
from droneteam.fleet.allocation.relaxation import Scope, shortfall
from droneteam.fleet.problem import SHORTFALL_SCALE, Assigned, Job, Problem


@dataclass(frozen=True, slots=True)
class Glance:
    """What a first plan proves without a search.

    scope : the choices that the best plans can still make, and the jobs that they serve
    lows : a lower bound of every term
    """

    scope: Scope
    lows: dict[str, int]


def chosen_of(choices: Choices, assignments: Sequence[Assigned]) -> Ints:
    """The indices of the choices that the assignments make, in rising order."""
    return np.array(sorted(choices.indices(assignments)), dtype=np.int64)


def values_of(choices: Choices, assignments: Sequence[Assigned]) -> dict[str, int]:
    """Every term of the objective for the assignments, in lexicographic order."""
    chosen = chosen_of(choices, assignments)
    sums = unserved_values(choices)
    for name, costs in term_costs(choices).items():
        sums[name] += int(costs[chosen].sum())
    worst = max((shortfall(share, chosen) for share in shares(choices)), default=0)
    sorties = Counter(pilot for assigned in assignments for pilot in assigned.pilot_ids)
    return {
        **{name: sums[name] for name in SERVICE},
        "worst_shortfall": max(0, worst),
        "changes": _changes(choices.problem, assignments),
        "moved_min": sums["moved_min"],
        "travel_min": sums["travel_min"],
        "busiest_pilot": max(sorties.values(), default=0),
    }


def _changes(problem: Problem, assignments: Sequence[Assigned]) -> int:
    given = {assigned.request_id: assigned for assigned in assignments}
    return sum(_changed(job, given.get(job.request_id)) for job in problem.jobs)


def _changed(job: Job, assigned: Assigned | None) -> int:
    """Drone, start and pilots that the request had and has no more."""
    before = job.published
    if before is None:
        return 0
    if assigned is None:
        return 2 + len(before.pilot_ids)
    return (
        int(assigned.drone_id != before.drone_id)
        + int(assigned.visit.start_at != before.start_at)
        + len(set(before.pilot_ids) - set(assigned.pilot_ids))
    )


def glance(choices: Choices, assignments: Sequence[Assigned]) -> Glance:
    """What follows where the plan gives every request the best that it could get alone.

    As long as a term has its ideal value in the plan, no best plan can use a choice that is
    worse than its request's best in this term; these choices fall away for all later terms.
    """
    part = Part(Scope(np.arange(len(choices.job))), chosen_of(choices, assignments))
    constant, costs = unserved_values(choices), term_costs(choices)
    lows: dict[str, int] = {}
    reached = True
    for name in SERVICE:
        lows[name] = constant[name] + ideal(part.scope, choices, costs[name])
        reached = reached and int(costs[name][part.chosen].sum()) + constant[name] == lows[name]
        if reached:
            hold(part, choices, costs[name])
    lows["worst_shortfall"] = _least_shortfall(choices, part.scope)
    worst = max((shortfall(share, part.chosen) for share in shares(choices)), default=0)
    reached = reached and max(0, worst) == lows["worst_shortfall"]
    changes = _changes(choices.problem, assignments)
    for name in REST:
        lows[name] = constant[name] + ideal(part.scope, choices, costs[name])
        value = changes if name == "changes" else int(costs[name][part.chosen].sum())
        reached = reached and value == lows[name]
        if reached:
            hold(part, choices, costs[name])
    lows["busiest_pilot"] = _least_busiest(choices, part.scope)
    return Glance(part.scope, lows)


def _least_shortfall(choices: Choices, scope: Scope) -> int:
    """A bound: the worst shortfall if every request were served for as long as it could be."""
    worst = 0
    for share in shares(choices):
        served = np.zeros(len(choices.job), dtype=np.int64)
        served[share.members] = share.served_min
        most = -ideal(scope, choices, -served)
        short = SHORTFALL_SCALE * (share.claimed_min - most)
        worst = max(worst, -(-short // share.weight))
    return worst


def _least_busiest(choices: Choices, scope: Scope) -> int:
    """A bound: the sorties that have to be flown, shared evenly by those who may fly them."""
    if not scope.must:
        return 0
    own = scope.members[np.isin(choices.job[scope.members], list(scope.must))]
    crews = sum(choices.problem.jobs[job].crew for job in scope.must)
    groups = set(choices.pilots[own].tolist())
    able = frozenset[int]().union(*(choices.pilot_sets[group] for group in groups))
    return -(-crews // len(able))


def least_busiest(choices: Choices, assignments: Sequence[Assigned]) -> int:
    """A bound for plans that serve as many of each class: the smallest crews, shared evenly."""
    jobs = {job.request_id: job for job in choices.problem.jobs}
    counts = Counter(jobs[assigned.request_id].priority for assigned in assignments)
    able = [choices.problem.jobs[job] for job in np.unique(choices.job).tolist()]
    sorties = 0
    for priority, count in counts.items():
        sorties += sum(sorted(job.crew for job in able if job.priority == priority)[:count])
    groups = (choices.pilot_sets[group] for group in np.unique(choices.pilots).tolist())
    return -(-sorties // max(1, len(frozenset[int]().union(*groups))))
