"""The best plan for a problem: looked at, pooled or searched, and proven stage by stage.

The objective is lexicographic.  A plan in which every request gets the best that it could get
alone is proven by looking at it (``scoring.glance``), whatever its size.  Up to 40 requests a
search of its own mostly proves the whole (``exact``).  Where it does not, and up to the team's own
size, the problem goes to CP-SAT: neighbouring terms are joined into one stage with
exact weights as long as the weights stay small, and each stage fixes what it found before the
next one starts.  A larger one is solved over the shifts of pilots who are alike (``rostered``),
the largest day by day with people and drones counted instead of named (``pooled``): the minimum is
a certified bound, and the visits are then given to people.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from heapq import heapify, heappop, heappush
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from droneteam.errors import InputError
from droneteam.fleet.allocation.choices import Choices, choices
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.holding import broken_rule
from droneteam.fleet.allocation.pooled import best_alone, solve_pooled
from droneteam.fleet.allocation.realise import realise, realise_at_once
from droneteam.fleet.allocation.relaxation import MOST_CHOICES
from droneteam.fleet.allocation.scoring import Glance, chosen_of, glance, values_of
from droneteam.fleet.problem import (
    TERM_NAMES,
    Assigned,
    PackType,
    Plan,
    Problem,
    Term,
    Visit,
    packs_needed,
)

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from droneteam.fleet.allocation.cpsat import AllocationModel, Objective

MAX_STAGE_RANGE = 2**20
"""Fewer stages cost fewer starts of the solver, larger weights cost it its bounds; both measured
with ``benchmarks.allocation``."""
DEFAULT_TIME_LIMIT_S = 5.0
SEARCHED_UP_TO = 300
"""Above so many requests the named model is not built any more."""
POOLED_FROM = 80
"""From so many requests on, pooling by days comes before the search."""
SMALL_UP_TO = 40
"""Up to so many requests the exact search is asked before a first plan is made by hand."""
_EXACT_SHARE = 0.5
"""Of the time limit, for the exact search of a small problem; the rest is the solver's."""
SHIFTS_UP_TO = 3_000
"""Up to so many choices the linear program over shifts is solved, above it days are counted."""
_PROGRAMS = (
    "droneteam.fleet.allocation.rostered",
    "ortools.linear_solver.pywraplp",
    "ortools.sat.python.cp_model",
)
"""Together they take a second or more to load."""
_POOLED_SHARE = 0.8
"""Of the time limit; the rest is the search's."""
_MIN_STAGE_S = 0.05
GONE_THROUGH_UP_TO = 400
"""Larger plans are given out visit by visit under the rules, never taken from a program."""


def solve(problem: Problem, *, seed: int = 0, time_limit_s: float = DEFAULT_TIME_LIMIT_S) -> Plan:
    """The best plan found within the time limit; the same seed gives the same plan.

    With an optimal status every term's value is proven.  When time runs out, what was found is
    returned with the bounds that were proven until then.
    """
    if time_limit_s <= 0.0:
        raise InputError(f"time_limit_s {time_limit_s} is not above 0", field="time_limit_s")
    until_s = time.monotonic() + time_limit_s
    found = choices(problem)
    if len(problem.jobs) <= SMALL_UP_TO:
        small, until_s = _small(found, seed, until_s)
        if small is not None:
            return small
    first = _first_plan(found)
    seen = glance(found, first)
    values = values_of(found, first)
    if values == seen.lows:
        return _plan(problem, first, values, seen.lows, seed)
    lows = dict(seen.lows)
    if len(problem.jobs) >= POOLED_FROM:
        if len(seen.scope.members) <= SHIFTS_UP_TO:
            until_s += _loading_programs_s()
        limit_s = _POOLED_SHARE * (until_s - time.monotonic())
        first, values, lows = _pooled(found, seen, first, limit_s)
    left_s = until_s - time.monotonic()
    if len(problem.jobs) > SEARCHED_UP_TO or values == lows or left_s < _MIN_STAGE_S:
        return _plan(problem, first, values, lows, seed)
    plan = search(found, replace(seen, lows=lows), first, seed, left_s)
    if not _holds(problem, plan.assignments):
        return _plan(problem, first, values, seen.lows, seed)
    return plan if plan.status == "optimal" else _by_class(found, plan)


def _small(found: Choices, seed: int, until_s: float) -> tuple[Plan | None, float]:
    """The plan of a few requests, where one look or the exact search proves it; None elsewhere.

    Returns beside it until when there is time, moved on by what loading the search took.
    """
    problem = found.problem
    alone = realise_at_once(found, best_alone(found).tolist())
    if len(alone) == len(np.unique(found.job)):
        seen, values = glance(found, alone), values_of(found, alone)
        if values == seen.lows:
            return _plan(problem, alone, values, seen.lows, seed), until_s
    until_s += _loading_s()
    proven = _exact(found, until_s)
    if proven is None or not _holds(problem, proven):
        return None, until_s
    values = values_of(found, proven)
    return _plan(problem, proven, values, values, seed), until_s


def _holds(problem: Problem, assignments: Sequence[Assigned]) -> bool:
    """Whether the plan keeps every rule; one that does not is a fault of ours, and is not used."""
    if len(assignments) > GONE_THROUGH_UP_TO:
        return True
    broken = broken_rule(problem, assignments)
    if broken is not None:
        logger.error("a plan was found that breaks a rule and is not used: %s", broken)
    return broken is None


def _loading_s() -> float:
    """Seconds that loading the exact search took; only the first plan of a process waits."""
    started_s = time.monotonic()
    from droneteam.fleet.allocation import exact

    exact.warm_up()
    return time.monotonic() - started_s


def _loading_programs_s() -> float:
    """The same of what plans of many requests use beside it."""
    started_s = time.monotonic()
    for name in _PROGRAMS:
        import_module(name)
    return time.monotonic() - started_s + _loading_s()


def _exact(found: Choices, until_s: float) -> tuple[Assigned, ...] | None:
    """What the exact search proves within its share of the time that is left."""
    from droneteam.fleet.allocation import exact

    now_s = time.monotonic()
    return exact.best_plan(found, now_s + _EXACT_SHARE * (until_s - now_s))


def _by_class(found: Choices, plan: Plan) -> Plan:
    """The interrupted plan where nobody who is left out could take a less urgent one's place."""
    given = give_out(found, plan.assignments)
    if {a.request_id for a in given} == {a.request_id for a in plan.assignments}:
        return plan
    bounds = {term.name: term.bound for term in plan.terms}
    return _plan(found.problem, given, values_of(found, given), bounds, plan.seed)


def _first_plan(found: Choices) -> tuple[Assigned, ...]:
    """Everybody's own best where that serves all who can be, else the better one by class."""
    alone = realise(found, best_alone(found).tolist())
    if len(alone) == len(set(found.job.tolist())) and len(found.problem.jobs) > SEARCHED_UP_TO:
        return alone
    plans = (give_out(found), give_out(found, alone))
    return min(plans, key=lambda plan: [*values_of(found, plan).values()])


def _pooled(
    found: Choices, seen: Glance, first: tuple[Assigned, ...], time_limit_s: float
) -> tuple[tuple[Assigned, ...], dict[str, int], dict[str, int]]:
    """The better of the first plan and the pooled one, and the higher of their bounds."""
    if len(seen.scope.members) <= SHIFTS_UP_TO:
        from droneteam.fleet.allocation.rostered import (
            solve_rostered,  # compiled loops take time to load
        )

        rostered = solve_rostered(found, seen, first, time_limit_s)
        named, proven = rostered.assignments, rostered.bounds
    else:
        named, proven = _counted(found, seen, first, time_limit_s)
    if not _holds(found.problem, named):
        named, proven = first, {}
    bounds = {name: max(low, proven.get(name, low)) for name, low in seen.lows.items()}
    plans = ((plan, values_of(found, plan)) for plan in (first, named))
    plan, best = min(plans, key=lambda pair: [*pair[1].values()])
    return plan, best, _valid_lows(best, bounds, seen.lows)


def _counted(
    found: Choices, seen: Glance, first: tuple[Assigned, ...], time_limit_s: float
) -> tuple[tuple[Assigned, ...], dict[str, int]]:
    """The plan of the days with people and drones counted, and its bounds."""
    if np.unique(found.day[seen.scope.members], return_counts=True)[1].max() > MOST_CHOICES:
        from droneteam.fleet.allocation.crowded import (
            solve_crowded,  # compiled loops take time to load
        )

        crowded = solve_crowded(found, seen, first, time_limit_s)
        return crowded.assignments, crowded.bounds
    start = chosen_of(found, first)
    pooled = solve_pooled(found, start, time_limit_s)
    if np.array_equal(np.sort(pooled.chosen), start):
        return first, pooled.bounds
    return give_out(found, realise(found, pooled.chosen.tolist())), pooled.bounds


def _valid_lows(
    values: Mapping[str, int], bounds: Mapping[str, int], lows: Mapping[str, int]
) -> dict[str, int]:
    """The pooled bounds up to the first that is not reached: later ones rest on earlier ones."""
    valid, reached = {}, True
    for name, low in lows.items():
        valid[name] = bounds[name] if reached else low
        reached = reached and values[name] == bounds[name]
    return valid


def _plan(
    problem: Problem,
    assignments: Sequence[Assigned],
    values: Mapping[str, int],
    lows: Mapping[str, int],
    seed: int,
) -> Plan:
    terms = tuple(Term(name, values[name], min(values[name], lows[name])) for name in TERM_NAMES)
    served = {assigned.request_id for assigned in assignments}
    return Plan(
        status="optimal" if all(term.value == term.bound for term in terms) else "feasible",
        terms=terms,
        assignments=with_packs(problem, assignments),
        unserved=tuple(job.request_id for job in problem.jobs if job.request_id not in served),
        seed=seed,
    )


def search(
    found: Choices,
    seen: Glance,
    first: tuple[Assigned, ...],
    seed: int,
    left_s: float,
    *,
    workers: int = 1,
) -> Plan:
    """The plan that CP-SAT finds from the first one on, among the choices that are left.

    workers : several race, and then no seed decides
    """
    from droneteam.fleet.allocation import cpsat

    built_s = time.monotonic()
    try:
        model = cpsat.build(found, seen.scope.members, seen.scope.must, built_s + left_s)
    except cpsat.OutOfTime:
        return _plan(found.problem, first, values_of(found, first), seen.lows, seed)
    objectives = [
        replace(term, low=max(term.low, seen.lows[term.name])) for term in cpsat.objectives(model)
    ]
    left_s -= time.monotonic() - built_s
    search = _Search(model, objectives, first, seed, left_s, workers)
    for stage in _stages(objectives):
        search.run(stage)
    return search.plan()


def _stages(objectives: Sequence[Objective]) -> list[list[Objective]]:
    """Neighbouring terms whose ranges multiply to no more than MAX_STAGE_RANGE, together."""
    stages: list[list[Objective]] = []
    product = MAX_STAGE_RANGE + 1
    for term in objectives:
        size = term.high - term.low + 1
        if product * size > MAX_STAGE_RANGE or not stages:
            stages.append([])
            product = 1
        stages[-1].append(term)
        product *= size
    return stages


class _Search:
    """Runs the stages one after the other on one model."""

    def __init__(
        self,
        model: AllocationModel,
        objectives: Sequence[Objective],
        first: Sequence[Assigned],
        seed: int,
        time_limit_s: float,
        workers: int,
    ) -> None:
        self.model = model
        self.workers = workers
        self.objectives = objectives
        self.seed = seed
        self.left_s = time_limit_s
        self.values = _start(model, first)
        self.proven: dict[str, int] = {}
        """Lower bounds that some stage has proven."""

    def run(self, stage: Sequence[Objective]) -> None:
        """Improve the incumbent on the stage's terms, then forbid losing what was reached."""
        if any(self._value(term) > term.low for term in stage):
            if self.left_s >= _MIN_STAGE_S:
                self._solve(stage)
        else:
            self.proven.update({term.name: term.low for term in stage})
        for term in stage:
            if term.high > term.low:
                self.model.cp.add(term.expression <= self._value(term))

    def _solve(self, stage: Sequence[Objective]) -> None:
        from ortools.sat.python import cp_model

        cp = self.model.cp
        weights = _exact_weights(stage)
        cp.minimize(
            sum(weight * term.expression for weight, term in zip(weights, stage, strict=True))
        )
        self._hint()
        solver = cp_model.CpSolver()
        solver.parameters.random_seed = self.seed % 2**31
        solver.parameters.num_workers = self.workers
        solver.parameters.max_time_in_seconds = self.left_s
        status = solver.solve(cp)
        self.left_s -= solver.wall_time
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            self.values = list(solver.response_proto.solution)
        if status == cp_model.OPTIMAL:
            self.proven.update({term.name: self._value(term) for term in stage})
        else:
            self.proven.update(_partial_bounds(stage, weights, solver.best_objective_bound))

    def _hint(self) -> None:
        """Start from the incumbent's choices; the solver completes what follows from them."""
        cp = self.model.cp
        cp.clear_hints()
        for variables in self.model.jobs:
            for literal in variables.literals():
                cp.add_hint(literal, self.values[literal.index])

    def _value(self, term: Objective) -> int:
        return term.value(self.values)

    def plan(self) -> Plan:
        """The incumbent as a plan."""
        values = {term.name: self._value(term) for term in self.objectives}
        lows = {term.name: self.proven.get(term.name, term.low) for term in self.objectives}
        return _plan(self.model.problem, _decode(self.model, self.values), values, lows, self.seed)


def _exact_weights(stage: Sequence[Objective]) -> list[int]:
    """Weights with which no later term can outweigh one unit of an earlier one."""
    weights = [1]
    for term in reversed(stage[1:]):
        weights.insert(0, weights[0] * (term.high - term.low + 1))
    return weights


def _partial_bounds(
    stage: Sequence[Objective], weights: Sequence[int], bound: float
) -> dict[str, int]:
    """What a bound on the weighted sum proves about the stage's first term, and no more."""
    rest = sum(w * term.high for w, term in zip(weights[1:], stage[1:], strict=True))
    first = stage[0]
    proven = math.ceil((bound - rest) / weights[0] - 1e-6) if math.isfinite(bound) else first.low
    return {first.name: min(max(first.low, proven), first.high)}


def _start(model: AllocationModel, first: Sequence[Assigned]) -> list[int]:
    """The first plan as values of the choices; all other variables are left at 0."""
    values = [0] * len(model.cp.proto.variables)
    given = {assigned.request_id: assigned for assigned in first}
    for variables in model.jobs:
        assigned = given.get(variables.job.request_id)
        if assigned is None:
            values[variables.unserved.index] = 1
            continue
        option = next(
            index for index, o in enumerate(variables.options) if o.visit == assigned.visit
        )
        chosen = [variables.picks[option], variables.drones[assigned.drone_id]]
        chosen += [variables.pilots[pilot_id] for pilot_id in assigned.pilot_ids]
        for literal in chosen:
            values[literal.index] = 1
    return values


def _decode(model: AllocationModel, values: Sequence[int]) -> list[Assigned]:
    """The served requests with drone, crew and visit; packs come later."""
    decoded = []
    for variables in model.jobs:
        if values[variables.unserved.index]:
            continue
        picked = next(
            option
            for option, pick in zip(variables.options, variables.picks, strict=True)
            if values[pick.index]
        )
        drone_id = next(key for key, lit in variables.drones.items() if values[lit.index])
        crew = tuple(key for key, lit in variables.pilots.items() if values[lit.index])
        decoded.append(
            Assigned(variables.job.request_id, drone_id, crew, pack_ids=(), visit=picked.visit)
        )
    return decoded


def with_packs(problem: Problem, assignments: Sequence[Assigned]) -> tuple[Assigned, ...]:
    """The assignments by departure, each with the packs that are charged by then.

    The packs of one type are alike and a pack in the charger only has a time at which it is
    ready, so that taking them in order of departure never fails where the count suffices.
    """
    shelves = {kind.name: _Shelf(problem, kind) for kind in problem.pack_types}
    types = {drone.id: drone.pack_type for drone in problem.drones}
    jobs = {job.request_id: job for job in problem.jobs}
    equipped = []
    for assigned in sorted(assignments, key=lambda a: (a.visit.taken_at, a.request_id)):
        shelf = shelves[types[assigned.drone_id]]
        needed = packs_needed(jobs[assigned.request_id], shelf.kind)
        equipped.append(replace(assigned, pack_ids=shelf.taken(assigned.visit, needed)))
    return tuple(equipped)


class _Shelf:
    """The packs of one type: those that are charged, and when the others will be."""

    def __init__(self, problem: Problem, kind: PackType) -> None:
        self.kind = kind
        own = [pack for pack in problem.packs if pack.type == kind.name]
        self.ids = [pack.id for pack in own]
        self.charging = [(pack.charged_at or problem.now, at) for at, pack in enumerate(own)]
        heapify(self.charging)
        self.charged: list[int] = []

    def taken(self, trip: Visit, needed: int) -> tuple[int, ...]:
        """The first packs that are charged when the trip begins; trips come in order."""
        while self.charging and self.charging[0][0] <= trip.taken_at:
            heappush(self.charged, heappop(self.charging)[1])
        own = [heappop(self.charged) for _ in range(min(needed, len(self.charged)))]
        ready_at = trip.free_at + timedelta(minutes=self.kind.charge_min)
        for at in own:
            heappush(self.charging, (ready_at, at))
        return tuple(self.ids[at] for at in own)
