"""The exact search equals brute force and the solver, term by term, and names what it cannot do."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.instances import NOW, Size, conditioned, instance, replanned, small, with_published
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation import exact, exact_branching, shift_kernels
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import MINUTE_US, choices
from droneteam.fleet.allocation.exact_kernels import FREE, NO, lowest, popcount
from droneteam.fleet.allocation.exact_limits import Limits, Refuted
from droneteam.fleet.allocation.exact_sets import MOST_STEPS, Search
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.scoring import glance, values_of
from droneteam.fleet.allocation.solving import _plan, search, solve
from droneteam.fleet.problem import Assigned, Pilot, Plan, Problem, Slot
from tests.fleet.oracle import best_terms
from tests.fleet.test_allocation import job, problem_of

PATIENCE_S = 600.0


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


@settings(deadline=None)
@given(st.integers(1, 2**60 - 1))
def test_masks_are_counted_as_python_counts_them(mask: int) -> None:
    assert popcount(mask) == mask.bit_count()
    assert lowest(mask) == (mask & -mask).bit_length() - 1


class Distrustful(Search):
    """Asks again, knowing nothing, whatever was said to be impossible."""

    implied = 0

    def _ask(
        self, served: int, out: int, limits: Limits, most_steps: int, to_change: int | None = None
    ) -> int:
        calls = self.calls
        answer = super()._ask(served, out, limits, most_steps, to_change)
        if answer != NO:
            return answer
        self.implied += self.calls == calls
        known, self.refuted = self.refuted, []
        assert super()._ask(served, out, limits, MOST_STEPS, to_change) == NO
        self.refuted = known
        return answer


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(n, marks=pytest.mark.slow) for n in range(4, 40))]
)
def test_what_a_refuted_set_implies_is_impossible_indeed(seed: int) -> None:
    problem = conditioned(replanned(Size(12, 1), seed), seed)
    search = Distrustful(choices(problem), time.monotonic() + PATIENCE_S)
    stages = exact.Stages(search)
    best = stages.assigned(stages.run())
    assert violations(problem, as_plan(problem, best)) == []
    plain = proven(problem)
    assert plain is not None
    assert term_values(problem, best) == term_values(problem, plain)


def test_a_refuted_set_says_nothing_of_fewer_requests_or_more_to_pay() -> None:
    known = Refuted(0b0110, np.array([5, FREE]), 3)
    assert known.implies(0b0110, np.array([5, 0]), 3)
    assert known.implies(0b1110, np.array([4, FREE]), 2)
    assert not known.implies(0b0100, np.array([5, 0]), 3)
    assert not known.implies(0b0110, np.array([6, 0]), 3)
    assert not known.implies(0b0110, np.array([5, 0]), 4)


@pytest.mark.parametrize("span_min", [0, 19, 20, 21, 240, 14 * 1440])
def test_the_search_has_room_for_every_halving_of_a_window(span_min: int) -> None:
    """One who keeps the larger half each time, and then one visit, needs no more than there is."""
    taken = np.array([0, span_min * MINUTE_US])
    t = SimpleNamespace(
        first=np.array([0, 2]), taken=taken, cell=np.zeros(2, int), bit=np.array([1, 2])
    )
    needed, left_us = 1, span_min * MINUTE_US
    while left_us >= exact_branching.SPLIT_US:
        left_us -= left_us // 2 + left_us % 2
        needed += 1
    needed += 1
    room = exact_branching.depths.py_func(t, np.array([3]), 1)
    assert needed < room <= needed + 5


def test_a_few_requests_that_compete_need_no_plan_made_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> tuple[Assigned, ...]:
        raise AssertionError("a first plan was made by hand")

    monkeypatch.setattr(allocation, "_first_plan", refuse)
    plan = solve(replanned(Size(20, 1), 7), seed=7, time_limit_s=PATIENCE_S)
    assert plan.status == "optimal"
    assert plan.unserved


def test_warming_up_loads_the_search_over_shifts_too() -> None:
    exact.warm_up()
    for kernel in (
        shift_kernels.best_shifts,
        shift_kernels.all_shifts,
        shift_kernels.worth_through,
    ):
        assert kernel.signatures
