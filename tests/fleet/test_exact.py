"""The exact search equals brute force and the solver, term by term, and names what it cannot do."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from benchmarks.instances import NOW, Size, conditioned, instance, replanned, small, with_published
from benchmarks.validator import term_values, violations
from droneteam.fleet import exact
from droneteam.fleet.allocation import _plan, search, solve
from droneteam.fleet.choices import choices
from droneteam.fleet.exact_colour import colour, crowd
from droneteam.fleet.exact_kernels import FREE, NO, YES, lowest, popcount
from droneteam.fleet.greedy import give_out
from droneteam.fleet.problem import Assigned, Pilot, Plan, Problem, Slot
from droneteam.fleet.scoring import glance, values_of
from tests.fleet.oracle import best_terms
from tests.fleet.test_allocation import job, problem_of

PATIENCE_S = 600.0
LONG = 150
"""Steps of a colouring that is not settled by looking at it."""


def proven(problem: Problem) -> tuple[Assigned, ...] | None:
    return exact.best_plan(choices(problem), time.monotonic() + PATIENCE_S)


def as_plan(problem: Problem, assignments: tuple[Assigned, ...]) -> Plan:
    values = values_of(choices(problem), assignments)
    return _plan(problem, assignments, values, values, 0)


def solver_terms(problem: Problem, seed: int) -> tuple[str, dict[str, int]]:
    """What CP-SAT proves on its own, from the greedy plan."""
    found = choices(problem)
    first = give_out(found)
    plan = search(found, glance(found, first), first, seed, PATIENCE_S)
    return plan.status, {term.name: term.value for term in plan.terms}


@pytest.mark.parametrize(
    "block", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 8))]
)
def test_the_exact_search_equals_the_best_of_all_small_plans(block: int) -> None:
    searched = 0
    for seed in range(10_000 + 50 * block, 10_050 + 50 * block):
        problem = conditioned(small(seed), seed)
        best = proven(problem)
        if best is None:
            assert len(choices(problem).job) == 0, f"seed {seed}"
            continue
        searched += 1
        assert violations(problem, as_plan(problem, best)) == [], f"seed {seed}"
        assert term_values(problem, best) == best_terms(problem), f"seed {seed}"
    assert searched > 25


def crowded(seed: int) -> Problem:
    """A day asked too much of, made in one of several ways by turns."""
    problem = instance(Size(9 + seed % 4, 1), seed)
    if seed % 3 == 0:
        problem = replace(problem, pilots=problem.pilots[:3], drones=problem.drones[:5])
    if seed % 3 == 1:
        problem = replace(problem, packs=problem.packs[::4])
    if seed % 3 == 2:
        jobs = [replace(one, crew=2 if one.request_id % 4 == 0 else 1) for one in problem.jobs]
        problem = replace(problem, jobs=tuple(jobs), pilots=problem.pilots[:5])
    return with_published(problem, as_plan(problem, give_out(choices(problem))[::2]))


@pytest.mark.parametrize(
    "seed", [1, 2, 3, *(pytest.param(n, marks=pytest.mark.slow) for n in (0, *range(4, 9)))]
)
def test_the_exact_search_equals_the_solver_on_crowded_days(seed: int) -> None:
    problem = crowded(seed)
    best = proven(problem)
    assert best is not None
    assert violations(problem, as_plan(problem, best)) == []
    status, expected = solver_terms(problem, seed)
    assert status == "optimal"
    assert values_of(choices(problem), best) == expected


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_the_exact_search_equals_the_solver_on_many_days(block: int) -> None:
    for seed in range(100 + 10 * block, 110 + 10 * block):
        problem = crowded(seed) if seed % 2 else conditioned(crowded(seed), seed)
        best = proven(problem)
        assert best is not None, f"seed {seed}"
        assert violations(problem, as_plan(problem, best)) == [], f"seed {seed}"
        status, expected = solver_terms(problem, seed)
        assert status == "optimal", f"seed {seed}"
        assert values_of(choices(problem), best) == expected, f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_an_event_is_planned_anew_and_proven(seed: int) -> None:
    problem = replanned(Size(20, 1), 500 + seed)
    best = proven(problem)
    if best is None:
        pytest.skip("left to the solver")
    assert violations(problem, as_plan(problem, best)) == []
    status, expected = solver_terms(problem, seed)
    assert status == "optimal"
    assert values_of(choices(problem), best) == expected


def test_one_request_more_changes_as_little_as_any_plan_that_serves_as_many() -> None:
    """Three published on three crews; the fourth fits only where one of them gives way."""
    at = NOW + timedelta(hours=6)
    problem = problem_of(*(job(number) for number in (1, 2, 3)), drones=3, pilots=3)
    problem = with_published(problem, solve(problem))
    urgent = job(4, priority="P1", wanted_at=at)
    best = proven(replace(problem, jobs=(*problem.jobs, urgent)))
    assert best is not None
    values = term_values(replace(problem, jobs=(*problem.jobs, urgent)), best)
    assert values["unserved_P1"] == 0
    assert values["unserved_P3"] == 1
    assert values["changes"] == 3


def test_what_is_too_large_is_left_to_others() -> None:
    assert proven(instance(Size(exact.MOST_REQUESTS + 1, 9), 1)) is None
    many = tuple(Pilot(n, f"pilot {n}", ()) for n in range(1, 70))
    assert proven(replace(problem_of(job()), pilots=many)) is None


def test_the_busiest_pilot_is_bounded_by_the_smallest_crews_that_could_be_served() -> None:
    """One of two requests is served, and the one whose crew is smaller spreads the work better."""
    both = (job(1, crew=3), job(2, crew=1))
    lone = job(3, organisation_id=2, priority="P2", slots=job().slots)
    problem = problem_of(*both, lone, drones=2, pilots=4, claims=())
    best = proven(problem)
    assert best is not None
    assert term_values(problem, best) == best_terms(problem)


def test_what_can_only_come_late_takes_nothing_from_those_after_it() -> None:
    """Of two urgent ones at once the punctual one is served; the other one has no visit left."""
    start_at = job().slots[0].start_at
    one = job(1, priority="P2", due_at=start_at)
    late = job(2, priority="P2", due_at=start_at - timedelta(hours=2))
    slot = Slot(start_at + timedelta(hours=5), start_at + timedelta(hours=6), 10)
    rest = (job(3, slots=(slot,)), job(4, priority="P4", slots=(slot,)))
    problem = problem_of(one, late, *rest, drones=1, pilots=2)
    best = proven(problem)
    assert best is not None
    assert {a.request_id for a in best} == {1, 3}
    assert term_values(problem, best) == best_terms(problem)


def test_without_time_nothing_is_proven() -> None:
    assert exact.best_plan(choices(instance(Size(12, 1), 3)), time.monotonic() - 1.0) is None


def test_the_same_problem_gives_the_same_plan() -> None:
    problem = crowded(4)
    assert proven(problem) == proven(problem)


def coloured(
    adj: list[list[int]],
    dom: list[int],
    group: list[int],
    *,
    cap: int = FREE,
    kept: list[int] | None = None,
    budget: int = FREE,
) -> tuple[int, list[int], int]:
    """The kernel on plain graphs, one for each group of colours, without packs; and its steps."""
    n = len(dom)
    out = np.full(n, -1)
    nothing, flat = np.zeros(n, np.int64), np.zeros((1, 1), np.int64)
    none, groups = np.zeros(0, np.int64), np.array(group)
    pref, paid = (nothing, nothing) if kept is None else (np.array(kept), nothing + 1)
    answer, _, steps = colour(
        (1 << n) - 1, np.array(adj), groups, np.array(dom), pref, paid,
        budget, cap, 10**6, groups * 0, flat, flat, flat, none, none, flat, out,
    )  # fmt: skip
    return answer, out.tolist(), steps


def random_graph(rng: random.Random, n: int, colours: int) -> tuple[list[int], list[int]]:
    adj = [0] * n
    for one, other in combinations(range(n), 2):
        if rng.random() < 0.55:
            adj[one] |= 1 << other
            adj[other] |= 1 << one
    dom = [rng.randrange(1, 1 << colours) | 1 << rng.randrange(colours) for _ in range(n)]
    return adj, dom


def fits(adj: list[int], dom: list[int], given: tuple[int, ...], cap: int) -> bool:
    apart = all(
        given[one] != given[other]
        for one, other in combinations(range(len(adj)), 2)
        if adj[one] >> other & 1
    )
    able = all(dom[item] >> chosen & 1 for item, chosen in enumerate(given))
    return apart and able and max(Counter(given).values()) <= cap


@pytest.mark.parametrize("cap", [2, 3, FREE])
def test_a_colouring_is_found_exactly_where_one_exists(cap: int) -> None:
    rng = random.Random(cap)
    answers = Counter[int]()
    for _ in range(120):
        adj, dom = random_graph(rng, 6, 3)
        answer, out, _ = coloured([adj], dom, [0, 0, 0], cap=cap)
        exists = any(fits(adj, dom, given, cap) for given in product(range(3), repeat=6))
        assert answer == (YES if exists else NO)
        assert answer == NO or fits(adj, dom, tuple(out), cap)
        answers[answer] += 1
    assert min(answers.values()) > 10


def least_paid(
    adj: list[list[int]], dom: list[int], group: list[int], kept: list[int], cap: int
) -> int | None:
    """The fewest items beside their preferred colours, by CP-SAT; None where nothing fits."""
    model = cp_model.CpModel()
    given = [[model.new_bool_var("") for _ in group] for _ in dom]
    for item, able in enumerate(dom):
        model.add_exactly_one(given[item])
        for chosen, literal in enumerate(given[item]):
            if not able >> chosen & 1:
                model.add(literal == 0)
    for one, other in combinations(range(len(dom)), 2):
        for chosen, base in enumerate(group):
            if adj[base][one] >> other & 1:
                model.add_at_most_one(given[one][chosen], given[other][chosen])
    for chosen in range(len(group)):
        model.add(sum(row[chosen] for row in given) <= min(cap, len(dom)))
    model.minimize(
        sum(
            literal
            for row, liked in zip(given, kept, strict=True)
            for chosen, literal in enumerate(row)
            if not liked >> chosen & 1
        )
    )
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) == cp_model.INFEASIBLE:
        return None
    return round(solver.objective_value)


@pytest.mark.parametrize("cap", [5, FREE])
def test_a_colouring_costs_what_the_solver_proves(cap: int) -> None:
    """Two groups with clashes of their own, so that colours alike in what is left may differ."""
    rng = random.Random(cap)
    group, long, answers = [0, 0, 1, 1], 0, Counter[bool]()
    for _ in range(24):
        graphs = [random_graph(rng, 18, 4) for _ in range(2)]
        dom = [graphs[0][1][item] | graphs[1][1][item] for item in range(18)]
        shared = random_graph(rng, 18, 4)[0]
        adj = [
            [own & other for own, other in zip(graph, shared, strict=True)] for graph, _ in graphs
        ]
        kept = [1 << rng.randrange(4) for _ in range(18)]
        expected = least_paid(adj, dom, group, kept, cap)
        answers[expected is None] += 1
        for budget in (FREE,) if expected is None else (FREE, expected - 1, expected):
            answer, out, steps = coloured(adj, dom, group, cap=cap, kept=kept, budget=budget)
            long += steps > LONG
            assert answer == (YES if expected is not None and budget >= expected else NO)
            if answer == YES and budget < FREE:
                assert (
                    sum(not own >> chosen & 1 for own, chosen in zip(kept, out, strict=True))
                    == expected
                )
    assert min(answers[False], long) > 3


def test_a_crowd_is_one_item_more_than_there_are_colours() -> None:
    everybody = [0b1111 & ~(1 << item) for item in range(4)]
    dom = np.array([0b111] * 4)
    assert popcount(crowd(0b1111, np.array(everybody), dom)) == 4
    assert crowd(0b1110, np.array(everybody), dom) == 0


@settings(deadline=None)
@given(st.integers(1, 2**60 - 1))
def test_masks_are_counted_as_python_counts_them(mask: int) -> None:
    assert popcount(mask) == mask.bit_count()
    assert lowest(mask) == (mask & -mask).bit_length() - 1
