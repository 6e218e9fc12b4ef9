"""Plans over shifts: bounds that hold, values that are reached, names that are found."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, small
from benchmarks.validator import violations
from droneteam.fleet.allocation import rostered, shift_search
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import Choices, choices
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.master import Master
from droneteam.fleet.allocation.naming import core, most_sorties, name_drones, name_evenly
from droneteam.fleet.allocation.rostered import Rostered, solve_rostered
from droneteam.fleet.allocation.scoring import Glance, chosen_of, glance, values_of
from droneteam.fleet.allocation.shifts import shifts_of
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import TERM_NAMES, Plan, Problem, Slot
from tests.fleet.oracle import best_terms
from tests.fleet.test_allocation import job, problem_of

GENEROUS_S = 120.0
BEFORE_NAMES = ("busiest_pilot", "changes")
"""Terms that depend on who is named, beyond what shifts know."""


@pytest.fixture(autouse=True)
def _without_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """What days prove together (``test_day_plans``) would leave nothing to the shifts."""
    monkeypatch.setattr(rostered, "plan_of_days", lambda *_: None)


def solved(problem: Problem) -> tuple[Choices, Rostered]:
    found = choices(problem)
    first = give_out(found)
    return found, solve_rostered(found, glance(found, first), first, GENEROUS_S)


def plan_of(problem: Problem, found: Choices, outcome: Rostered) -> Plan:
    values = values_of(found, outcome.assignments)
    lows = {name: outcome.bounds.get(name, 0) for name in TERM_NAMES}
    return allocation._plan(problem, outcome.assignments, values, lows, 0)


@pytest.mark.parametrize(
    ("crew", "seeds", "least"),
    [
        (None, range(30), 18),
        (2, range(30), 10),
        pytest.param(None, range(30, 90), 36, marks=pytest.mark.slow),
        pytest.param(2, range(30, 160), 50, marks=pytest.mark.slow),
    ],
)
def test_small_plans_are_as_good_as_trying_everything(
    crew: int | None, seeds: range, least: int
) -> None:
    proven = 0
    for seed in seeds:
        problem = conditioned(small(seed), seed)
        if crew is not None:
            crews = tuple(replace(one, crew=crew, published=None) for one in problem.jobs[:2])
            problem = replace(problem, jobs=(*crews, *problem.jobs[2:]))
        if len(choices(problem).job) == 0:
            continue
        found, outcome = solved(problem)
        plan = plan_of(problem, found, outcome)
        assert violations(problem, plan) == [], f"seed {seed}"
        best = best_terms(problem)
        for term in plan.terms:
            bound = outcome.bounds.get(term.name)
            if bound is None:
                break
            assert bound <= best[term.name], f"seed {seed}: {term.name}"
            if bound < best[term.name] or term.name in BEFORE_NAMES:
                break
            assert term.value == best[term.name], f"seed {seed}: {term.name}"
            proven += term.name == "worst_shortfall"
    assert proven > least


def test_what_cp_sat_proves_is_reached_and_proven_too() -> None:
    """Two over-subscribed days, all stages."""
    for seed in (0, 3):
        problem = instance(Size(26, 2), seed)
        found, outcome = solved(problem)
        plan = plan_of(problem, found, outcome)
        assert violations(problem, plan) == []
        searched = solve(problem, time_limit_s=GENEROUS_S)
        peer = {term.name: (term.value, term.bound) for term in searched.terms}
        for name in TERM_NAMES[:-1]:
            value = next(term.value for term in plan.terms if term.name == name)
            if peer[name][0] == peer[name][1]:
                assert (name, value, outcome.bounds[name]) == (name, peer[name][0], peer[name][0])


def _two_days(gap_h: float) -> Problem:
    """One pilot, an evening and a morning that lie so far apart, each of one hour."""
    evening = NOW + timedelta(hours=15)
    morning = evening + timedelta(hours=1 + gap_h)
    asked = [
        job(number, slots=(Slot(at, at + timedelta(hours=1), 10),), wanted_at=at)
        for number, at in enumerate((evening, morning), 1)
    ]
    return problem_of(*asked, drones=2, pilots=1)


def test_the_rest_between_two_days_is_part_of_the_bound() -> None:
    short, long = solved(_two_days(10.0))[1], solved(_two_days(14.0))[1]
    assert short.bounds["unserved_P3"] == 1
    assert len(short.assignments) == 1
    assert long.bounds["unserved_P3"] == 0
    assert len(long.assignments) == 2


def test_counting_alone_would_miss_that_drones_cannot_be_named() -> None:
    """Never more than two fly at once, and still no naming: thermal is needed at both ends."""
    base = problem_of(job(1), drones=2, pilots=4)
    thermal, plain = base.drones
    fleet = (
        replace(thermal, capabilities=frozenset({"rgb", "thermal"})),
        replace(plain, capabilities=frozenset({"rgb"}), base=thermal.base),
    )
    spans = ((0, 3, "thermal"), (2, 7, "rgb"), (5, 9, "rgb"), (8, 10, "thermal"))
    asked = [
        job(
            number,
            slots=(Slot(NOW + timedelta(hours=3 + start), NOW + timedelta(hours=3 + end), 10),),
            wanted_at=NOW + timedelta(hours=3 + start),
            capabilities=frozenset({needs}),
        )
        for number, (start, end, needs) in enumerate(spans, 1)
    ]
    problem = replace(base, drones=fleet, jobs=tuple(asked))
    found = choices(problem)
    assert name_drones(found, range(len(found.job))).impossible
    plan = solve(problem)
    _, outcome = solved(problem)
    assert plan.status == "optimal"
    assert outcome.bounds["unserved_P3"] == plan.terms[6].value >= 1


def test_a_core_cannot_be_flown_and_each_smaller_part_can() -> None:
    seen = 0
    for seed in range(40):
        found = choices(instance(Size(30, 1), seed))
        _, firsts = np.unique(found.job, return_index=True)
        for group in name_drones(found, firsts.tolist()).impossible:
            kept = core(found, group)
            assert name_drones(found, kept).impossible
            for one in kept:
                assert not name_drones(found, [k for k in kept if k != one]).impossible
            seen += 1
        if seen >= 4:
            break
    assert seen >= 4


def test_shifts_are_shared_so_that_nobody_has_more_than_asked_for() -> None:
    """Three shifts of two visits and three of one for three pilots: three visits each, not less."""
    days = [NOW + timedelta(days=day, hours=5) for day in range(4)]
    spans = [(day, hour) for day in days[:3] for hour in (0, 4)] + [(day, 8) for day in days[:3]]
    asked = [
        replace(
            job(number, wanted_at=at + timedelta(hours=hour)),
            slots=(Slot(at + timedelta(hours=hour), at + timedelta(hours=hour + 1), 10),),
        )
        for number, (at, hour) in enumerate(spans, 1)
    ]
    found = choices(problem_of(*asked, drones=2, pilots=3))
    shifts = shifts_of(found, np.arange(len(found.job)))
    starts = {int(found.taken_us[choice]): choice for choice in range(len(found.job))}
    order = [starts[key] for key in sorted(starts)]
    pairs = [order[day * 3 : day * 3 + 2] for day in range(3)]
    alone = [order[day * 3 + 2 : day * 3 + 3] for day in range(3)]
    taken = [shifts.shift(0, shifts.places(np.array(own))) for own in (*pairs, *alone)]
    even = name_evenly(shifts, taken, 3)
    assert even is not None
    assert sorted(even) == sorted(order)
    assert most_sorties(even) == 3
    for pair in pairs:
        assert even[pair[0]] == even[pair[1]]
    assert name_evenly(shifts, taken, 2) is None


def test_a_bound_read_at_any_price_lies_below_every_plan() -> None:
    """The linear program is interrupted after each step; what it proves until then holds."""
    problem = instance(Size(30, 2), 2)
    found = choices(problem)
    first = give_out(found)
    seen = glance(found, first)
    shifts = shifts_of(found, seen.scope.members)
    master = Master(shifts, seen.scope.must)
    chosen = chosen_of(found, first)
    crews = zip(found.indices(first), (a.pilot_ids for a in first), strict=True)
    for shift in shifts.of_crews(dict(crews)):
        master.add(shift)
    costs = -np.ones(len(shifts.members))
    master.minimise(costs)
    best = -len(solve(problem, time_limit_s=GENEROUS_S).assignments)
    assert len(chosen) <= -best
    bounds = []
    for enough in (-1e6, -60.0, 0.0):
        relaxed = master.relax(enough, time.monotonic() + GENEROUS_S)
        assert relaxed is not None
        bounds.append(relaxed.bound)
        assert relaxed.bound <= best + 1e-6
    assert bounds[-1] >= best - 2.0


def test_writing_everything_down_and_branching_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = instance(Size(30, 2), 0)
    outcomes = []
    for most in (0, 20_000):
        monkeypatch.setattr(shift_search, "MOST_WRITTEN", most)
        found, outcome = solved(problem)
        outcomes.append((outcome.bounds, values_of(found, outcome.assignments)))
    for name in TERM_NAMES[:-1]:
        assert outcomes[0][0].get(name) == outcomes[1][0].get(name)
        assert outcomes[0][1][name] == outcomes[1][1][name]


def test_among_nodes_of_one_bound_the_furthest_decided_is_looked_at_first() -> None:
    """Ties tell plans apart, not nodes: by them the search would wander instead of dive."""
    half, other = shift_search._Choice(0, None, 0.0, 0.0), shift_search._Choice(1, None, 1.0, 1.0)
    nodes: list[shift_search._Node] = [(-7, ()), (-7, (half, other)), (-7, (other,)), (-8, ())]
    order = sorted(range(4), key=lambda index: shift_search._promise(nodes[index], index))
    assert order == [3, 1, 2, 0]
    twins: list[shift_search._Node] = [(0, (half,)), (0, (other,))]
    assert min(range(2), key=lambda index: shift_search._promise(twins[index], index)) == 1


def test_out_of_time_the_first_plan_stays_and_nothing_wrong_is_claimed() -> None:
    problem = instance(Size(60, 4), 1)
    found = choices(problem)
    first = give_out(found)
    seen: Glance = glance(found, first)
    outcome = solve_rostered(found, seen, first, 1e-9)
    values = values_of(found, outcome.assignments)
    assert [*values.values()] <= [*values_of(found, first).values()]
    best = solved(problem)[1].bounds
    for name, bound in outcome.bounds.items():
        assert bound <= best[name]
        if bound < best[name]:
            break


def test_drones_and_pilots_of_an_over_subscribed_week_break_no_rule() -> None:
    problem = instance(Size(90, 7), 2)
    found, outcome = solved(problem)
    plan = plan_of(problem, found, outcome)
    assert violations(problem, plan) == []
    proven = [term.name for term in plan.terms if outcome.bounds.get(term.name) == term.value]
    assert set(TERM_NAMES[:14]) <= set(proven)


@pytest.mark.slow
def test_the_same_problem_gives_the_same_plan_again() -> None:
    problem = instance(Size(60, 4), 5)
    assert solved(problem)[1] == solved(problem)[1]


def test_a_worst_shortfall_steps_through_what_plans_can_come_to() -> None:
    problem = instance(Size(90, 6), 3)
    found = choices(problem)
    parts = rostered.shares(found)
    units = [15] * len(parts)
    steps = rostered._steps(parts, units, 50_000)
    assert steps == sorted(set(steps))
    assert steps[0] == 0
    assert steps[-1] < 50_000


def _short_of_crews(seed: int, kind: int) -> Problem:
    """Many visits of two pilots; few pilots, drones or packs, weather and daylight among them."""
    rng = random.Random(100 * seed + kind)
    few = Size(rng.randint(12, 30), rng.randint(1, 3), rng.randint(2, 8), rng.randint(2, 6))
    match kind:
        case 0:
            problem = conditioned(small(seed, most_jobs=8), seed)
        case 1:
            problem = instance(few, seed)
        case _:
            problem = conditioned(instance(few, seed), seed)
            packs = tuple(pack for pack in problem.packs if rng.random() < 0.5)
            problem = replace(problem, packs=packs)
    jobs = (
        replace(job, crew=2, published=None) if rng.random() < 0.5 else job for job in problem.jobs
    )
    return replace(problem, jobs=tuple(jobs))


@pytest.mark.parametrize(
    "seeds", [range(106, 110), pytest.param(range(200), marks=pytest.mark.slow)], ids=str
)
def test_crews_of_two_break_no_rule_wherever_the_search_is_interrupted(seeds: range) -> None:
    served = 0
    for seed in seeds:
        for kind in range(3):
            problem = _short_of_crews(seed, kind)
            found = choices(problem)
            if len(found.job) == 0:
                continue  # nothing can be flown in this random problem
            first = give_out(found)
            limit_s = (0.02, 0.1, 0.5)[seed % 3]
            outcome = solve_rostered(found, glance(found, first), first, limit_s)
            assert violations(problem, plan_of(problem, found, outcome)) == [], (seed, kind)
            served += sum(len(given.pilot_ids) == 2 for given in outcome.assignments)
    assert served > len(seeds)
