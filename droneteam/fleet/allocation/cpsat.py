"""The allocation as a CP-SAT model: variables, constraints and objective terms apart.

Each request picks one of its options or stays unserved; a drone and a crew are then chosen for
it.  Sums over the crews and drones that are out at one moment repeat what the single no-overlap
constraints say (they are redundant), but they give the linear relaxation its strength, and with
it the proof of optimality its speed.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from ortools.sat.python import cp_model

from droneteam.fleet.allocation.choices import Choices, Ints
from droneteam.fleet.problem import (
    SHORTFALL_SCALE,
    TERM_NAMES,
    Job,
    Problem,
    Visit,
    packs_needed,
)
from droneteam.fleet.terms import PRIORITIES, Window, minutes_between

Literal_ = Any
"""A Boolean variable of the model, or its negation; ortools has no public type for both."""


@dataclass(frozen=True, slots=True)
class Option:
    """A visit and who could make it; the solver chooses among them."""

    visit: Visit
    drone_ids: frozenset[int]
    pilot_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Span:
    """An option's occupation in whole seconds since now, and its duty day."""

    start_s: int
    end_s: int
    day: int


@dataclass(slots=True)
class JobVars:
    """The variables of one request."""

    job: Job
    options: tuple[Option, ...]
    spans: tuple[Span, ...]
    unserved: Literal_
    picks: list[Literal_]
    drones: dict[int, Literal_]
    pilots: dict[int, Literal_]
    interval: tuple[Any, Any, Any] | None = None

    def literals(self) -> list[Literal_]:
        """Every choice of the job."""
        return [self.unserved, *self.picks, *self.drones.values(), *self.pilots.values()]

    def picks_with(self, *, drone_id: int | None = None, pilot_id: int | None = None) -> list[Any]:
        """The picks that the drone, or the pilot, could make."""
        return [
            pick
            for pick, option in zip(self.picks, self.options, strict=True)
            if (drone_id is None or drone_id in option.drone_ids)
            and (pilot_id is None or pilot_id in option.pilot_ids)
        ]


@dataclass(frozen=True, slots=True)
class Objective:
    """One term: an expression of the model and the range in which its value lies.

    rows : where the expression is a variable that bounds several sums, (weight, sum) pairs whose
    greatest sum / weight, rounded up, is the true value; the variable may lie above it
    """

    name: str
    expression: Any
    low: int
    high: int
    rows: tuple[tuple[int, Any], ...] = ()

    def value(self, values: Sequence[int]) -> int:
        """The term's value where each choice has the value at its index."""
        if not self.rows:
            return _evaluate(self.expression, values)
        return max(self.low, *(-(-_evaluate(row, values) // weight) for weight, row in self.rows))


def _evaluate(expression: Any, values: Sequence[int]) -> int:
    if isinstance(expression, int):
        return expression
    flat = cp_model.FlatIntExpr(expression)
    terms = zip(flat.coeffs, flat.vars, strict=True)
    return int(flat.offset) + sum(int(c) * int(values[v.index]) for c, v in terms)


@dataclass(slots=True)
class AllocationModel:
    """The model of one problem; ``cp`` is what the solver takes."""

    problem: Problem
    until_s: float = math.inf
    cp: Any = field(default_factory=cp_model.CpModel)
    jobs: list[JobVars] = field(default_factory=list)
    hopeless: list[Job] = field(default_factory=list)
    """Jobs without any option; they are unserved in every plan."""


class OutOfTime(Exception):
    """Building the model takes longer than there is time."""


def build(
    choices: Choices, members: Ints, must: frozenset[int], until_s: float = math.inf
) -> AllocationModel:
    """The model with all its constraints; no objective yet.

    members : the choices that are allowed, in rising order
    must : indices of the jobs that have to be served
    until_s : on the monotonic clock; what is only redundant is left out after it

    Raises
    ------
    OutOfTime
        Where it is not built by then.
    """
    model = AllocationModel(choices.problem, until_s)
    found: dict[int, list[Option]] = defaultdict(list)
    for choice in members.tolist():
        option = Option(
            choices.visit(choice), choices.able_drones(choice), choices.able_pilots(choice)
        )
        found[int(choices.job[choice])].append(option)
    for index, job in enumerate(choices.problem.jobs):
        if index in found:
            variables = _job_variables(model, job, tuple(found[index]))
            model.jobs.append(variables)
            if index in must:
                model.cp.add_bool_and([variables.unserved.negated()])
        else:
            model.hopeless.append(job)
    _no_overlap(model)
    _duty(model)
    _packs(model)
    _capacity_cuts(model)
    return model


def _job_variables(model: AllocationModel, job: Job, found: tuple[Option, ...]) -> JobVars:
    cp, name = model.cp, job.request_id
    drone_ids = sorted(frozenset[int]().union(*(option.drone_ids for option in found)))
    pilot_ids = sorted(frozenset[int]().union(*(option.pilot_ids for option in found)))
    variables = JobVars(
        job=job,
        options=found,
        spans=tuple(_span(model.problem, option.visit.occupied) for option in found),
        unserved=cp.new_bool_var(f"unserved_{name}"),
        picks=[cp.new_bool_var(f"pick_{name}_{index}") for index in range(len(found))],
        drones={drone: cp.new_bool_var(f"drone_{name}_{drone}") for drone in drone_ids},
        pilots={pilot: cp.new_bool_var(f"pilot_{name}_{pilot}") for pilot in pilot_ids},
    )
    cp.add_exactly_one([*variables.picks, variables.unserved])
    cp.add_exactly_one([*variables.drones.values(), variables.unserved])
    if job.crew == 1:
        cp.add_exactly_one([*variables.pilots.values(), variables.unserved])
    else:
        cp.add(sum(variables.pilots.values()) + job.crew * variables.unserved == job.crew)
    _tie_people_to_options(cp, variables)
    return variables


def _tie_people_to_options(cp: Any, variables: JobVars) -> None:
    """A drone or a pilot who cannot make every option implies one of those they can."""
    for drone_id, chosen in variables.drones.items():
        able = variables.picks_with(drone_id=drone_id)
        if len(able) < len(variables.picks):
            cp.add_bool_or([*able, chosen.negated()])
    for pilot_id, chosen in variables.pilots.items():
        able = variables.picks_with(pilot_id=pilot_id)
        if len(able) < len(variables.picks):
            cp.add_bool_or([*able, chosen.negated()])


def _span(problem: Problem, window: Window) -> Span:
    return Span(
        start_s=_seconds(problem.now, window.start_at),
        end_s=_seconds(problem.now, window.end_at),
        day=problem.duty.day_of(window.start_at).toordinal(),
    )


def _seconds(now: datetime, at: datetime) -> int:
    """Seconds since the whole second in which the plan is made; exact for whole seconds."""
    return (at - now.replace(microsecond=0)) // timedelta(seconds=1)


def _interval(model: AllocationModel, variables: JobVars) -> tuple[Any, Any, Any]:
    """Start, size and end of the job's occupation, as constants where they cannot vary."""
    if variables.interval is None:
        spans = variables.spans
        starts = _chosen(model.cp, variables.picks, [span.start_s for span in spans])
        ends = _chosen(model.cp, variables.picks, [span.end_s for span in spans])
        sizes = _chosen(model.cp, variables.picks, [span.end_s - span.start_s for span in spans])
        variables.interval = (starts, sizes, ends)
    return variables.interval


def _chosen(cp: Any, picks: Sequence[Literal_], values: Sequence[int]) -> Any:
    """The value that belongs to the pick; a constant when all agree."""
    if len(set(values)) == 1:
        return values[0]
    chosen = cp.new_int_var_from_domain(cp_model.Domain.from_values(sorted(set(values))), "")
    for pick, value in zip(picks, values, strict=True):
        cp.add(chosen == value).only_enforce_if(pick)
    return chosen


def _no_overlap(model: AllocationModel) -> None:
    """A drone or a pilot does one thing at a time."""
    held: dict[tuple[str, int], list[Any]] = defaultdict(list)
    for variables in model.jobs:
        start, size, end = _interval(model, variables)
        for kind, chosen in (("drone", variables.drones), ("pilot", variables.pilots)):
            for key, literal in chosen.items():
                held[kind, key].append(
                    model.cp.new_optional_interval_var(start, size, end, literal, "")
                )
    for intervals in held.values():
        if len(intervals) > 1:
            model.cp.add_no_overlap(intervals)


def _duty(model: AllocationModel) -> None:
    """No pilot breaks the longest duty or the shortest rest between any two visits."""
    for one, other in combinations(model.jobs, 2):
        if time.monotonic() > model.until_s:
            raise OutOfTime
        common = one.pilots.keys() & other.pilots.keys()
        if not common:
            continue
        clashes = list(_duty_clashes(model.problem, one, other))
        if not clashes:
            continue
        apart = _apart_literal(model, one, other, clashes)
        for pilot_id in sorted(common):
            clause = [one.pilots[pilot_id].negated(), other.pilots[pilot_id].negated()]
            model.cp.add_bool_or(clause if apart is None else [*clause, apart.negated()])


def _apart_literal(
    model: AllocationModel, one: JobVars, other: JobVars, clashes: Sequence[tuple[int, int]]
) -> Literal_ | None:
    """True when the chosen options clash; None where every pair of options does."""
    if len(clashes) == len(one.options) * len(other.options):
        return None
    apart = model.cp.new_bool_var("")
    for index, other_index in clashes:
        model.cp.add_bool_or(
            [one.picks[index].negated(), other.picks[other_index].negated(), apart]
        )
    return apart


def _duty_clashes(problem: Problem, one: JobVars, other: JobVars) -> Iterator[tuple[int, int]]:
    """Index pairs of options that one pilot may not make both."""
    duty_s, rest_s = 60 * problem.duty.max_duty_min, 60 * problem.duty.min_rest_min
    for index, first in enumerate(one.spans):
        for other_index, second in enumerate(other.spans):
            if first.day == second.day:
                span_s = max(first.end_s, second.end_s) - min(first.start_s, second.start_s)
                clash = span_s > duty_s
            elif first.day < second.day:
                clash = second.start_s - first.end_s < rest_s
            else:
                clash = first.start_s - second.end_s < rest_s
            if clash:
                yield index, other_index


def _packs(model: AllocationModel) -> None:
    """At no moment are more packs of a type out or charging than the team owns."""
    problem = model.problem
    for kind in problem.pack_types:
        owned = [pack for pack in problem.packs if pack.type == kind.name]
        intervals, demands = [], []
        for pack in owned:
            if pack.charged_at is not None and pack.charged_at > problem.now:
                until_s = _seconds(problem.now, pack.charged_at)
                intervals.append(model.cp.new_fixed_size_interval_var(0, until_s, ""))
                demands.append(1)
        flying = {drone.id for drone in problem.drones if drone.pack_type == kind.name}
        for variables in model.jobs:
            literals = [lit for drone, lit in variables.drones.items() if drone in flying]
            if literals:
                taken = _taken_literal(model, variables, literals)
                intervals.append(_charging_interval(model, variables, kind.charge_min, taken))
                demands.append(packs_needed(variables.job, kind))
        if sum(demands) > len(owned):
            model.cp.add_cumulative(intervals, demands, len(owned))


def _taken_literal(
    model: AllocationModel, variables: JobVars, literals: Sequence[Literal_]
) -> Literal_:
    """True when one of the drones is chosen."""
    if len(literals) == len(variables.drones):
        return variables.unserved.negated()
    if len(literals) == 1:
        return literals[0]
    taken = model.cp.new_bool_var("")
    model.cp.add(sum(literals) == taken)
    return taken


def _charging_interval(
    model: AllocationModel, variables: JobVars, charge_min: int, taken: Literal_
) -> Any:
    start, size, end = _interval(model, variables)
    charge_s = 60 * charge_min
    return model.cp.new_optional_interval_var(start, size + charge_s, end + charge_s, taken, "")


def _capacity_cuts(model: AllocationModel) -> None:
    """Redundant: those who can only use a group of people or drones never exceed the group."""
    crews = [(frozenset(v.pilots), v.job.crew, v) for v in model.jobs]
    fleet = [(frozenset(v.drones), 1, v) for v in model.jobs]
    for demand in (crews, fleet):
        for group in {able for able, _, _ in demand}:
            inside = [(weight, v) for able, weight, v in demand if able <= group]
            _cut_group(model, len(group), inside)


def _cut_group(model: AllocationModel, size: int, inside: Sequence[tuple[int, JobVars]]) -> None:
    seen: set[frozenset[tuple[int, int]]] = set()
    moments = sorted({span.start_s for _, v in inside for span in v.spans})
    for moment in moments:
        if time.monotonic() > model.until_s:
            return
        out = {
            (index, option): (weight, v.picks[option])
            for index, (weight, v) in enumerate(inside)
            for option, span in enumerate(v.spans)
            if span.start_s <= moment < span.end_s
        }
        key = frozenset(out)
        peak = sum({index: inside[index][0] for index, _ in out}.values())
        if peak > size and key not in seen:
            seen.add(key)
            model.cp.add(sum(weight * pick for weight, pick in out.values()) <= size)


def objectives(model: AllocationModel) -> list[Objective]:
    """The terms in lexicographic order, named as in ``problem.TERM_NAMES``."""
    terms: list[Objective] = []
    for priority in PRIORITIES:
        terms.append(_unserved(model, priority))
        terms.append(_late(model, priority))
    terms += [_shortfall(model), _changes(model)]
    terms.append(_summed(model, "moved_min", _moved_min))
    terms.append(_summed(model, "travel_min", lambda _, option: option.visit.travel_min))
    terms.append(_busiest(model))
    assert tuple(term.name for term in terms) == TERM_NAMES
    return terms


def _unserved(model: AllocationModel, priority: str) -> Objective:
    literals = [v.unserved for v in model.jobs if v.job.priority == priority]
    lost = sum(job.priority == priority for job in model.hopeless)
    return Objective(f"unserved_{priority}", sum(literals) + lost, lost, lost + len(literals))


def _late(model: AllocationModel, priority: str) -> Objective:
    return _summed(
        model,
        f"late_min_{priority}",
        lambda job, option: option.visit.late_min if job.priority == priority else 0,
    )


def _moved_min(job: Job, option: Option) -> int:
    start_at, wanted_at = option.visit.start_at, job.wanted_at
    return minutes_between(min(start_at, wanted_at), max(start_at, wanted_at))


def _summed(
    model: AllocationModel, name: str, minutes_of: Callable[[Job, Option], int]
) -> Objective:
    """The sum of what each chosen option costs."""
    high, weighted = 0, []
    for v in model.jobs:
        costs = [minutes_of(v.job, option) for option in v.options]
        high += max(costs)
        weighted += list(zip(costs, v.picks, strict=True))
    return Objective(name, _dot(weighted), 0, high)


def _shortfall(model: AllocationModel) -> Objective:
    """The worst zone's claim that stays unserved, per weight, in thousandths."""
    high = 0
    rows: list[tuple[int, Any]] = []
    for claim in model.problem.claims:
        counted = _minutes_served(model, claim.organisation_id)
        demand = sum(
            job.demand_min
            for job in model.problem.jobs
            if job.organisation_id == claim.organisation_id and not job.exempt
        )
        claimed = min(demand, claim.remaining_min)
        if claimed > 0:
            served = _dot([(SHORTFALL_SCALE * minutes, pick) for minutes, pick in counted])
            rows.append((claim.weight, SHORTFALL_SCALE * claimed - served))
            high = max(high, -(-SHORTFALL_SCALE * claimed // claim.weight))
    worst = model.cp.new_int_var(0, high, "worst_shortfall")
    for weight, short in rows:
        model.cp.add(weight * worst >= short)
    return Objective("worst_shortfall", worst, 0, high, tuple(rows))


def _minutes_served(model: AllocationModel, organisation_id: int) -> list[tuple[int, Literal_]]:
    return [
        (v.job.crew * Window(option.visit.start_at, option.visit.end_at).minutes, pick)
        for v in model.jobs
        if v.job.organisation_id == organisation_id and not v.job.exempt
        for option, pick in zip(v.options, v.picks, strict=True)
    ]


def _changes(model: AllocationModel) -> Objective:
    """What differs from the published plan; whatever an unserved request loses differs too."""
    kept: list[Literal_] = []
    total = 0
    for v in model.jobs:
        before = v.job.published
        if before is None:
            continue
        total += 2 + len(before.pilot_ids)
        if before.drone_id in v.drones:
            kept.append(v.drones[before.drone_id])
        kept.extend(v.pilots[pilot] for pilot in before.pilot_ids if pilot in v.pilots)
        same_start = [
            pick
            for option, pick in zip(v.options, v.picks, strict=True)
            if option.visit.start_at == before.start_at
        ]
        kept.extend(same_start)
    total += sum(
        2 + len(job.published.pilot_ids) for job in model.hopeless if job.published is not None
    )
    return Objective("changes", total - sum(kept), max(0, total - len(kept)), total)


def _busiest(model: AllocationModel) -> Objective:
    sorties: Mapping[int, list[Literal_]] = defaultdict(list)
    for v in model.jobs:
        for pilot_id, literal in v.pilots.items():
            sorties[pilot_id].append(literal)
    high = max((len(literals) for literals in sorties.values()), default=0)
    busiest = model.cp.new_int_var(0, high, "busiest_pilot")
    rows = tuple((1, sum(literals)) for literals in sorties.values())
    for _, count in rows:
        model.cp.add(busiest >= count)
    return Objective("busiest_pilot", busiest, 0, high, rows)


def _dot(weighted: Iterable[tuple[int, Literal_]]) -> Any:
    pairs = [(weight, literal) for weight, literal in weighted if weight]
    if not pairs:
        return 0
    return cp_model.LinearExpr.weighted_sum(
        [literal for _, literal in pairs], [weight for weight, _ in pairs]
    )
