"""Counting instead of naming bounds every plan from below, and its visits make valid plans."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, small
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation import exact, relaxation
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.pooled import best_alone, solve_pooled
from droneteam.fleet.allocation.realise import realise
from droneteam.fleet.allocation.relaxation import Scope, minimum
from droneteam.fleet.allocation.scoring import chosen_of
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import Claim, Plan, Problem, Slot
from tests.fleet.oracle import best_terms
from tests.fleet.test_allocation import job, problem_of

GENEROUS_S = 60.0


@pytest.fixture(autouse=True)
def _not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small problems stand for large ones here: the search that proves them at once stays out."""
    monkeypatch.setattr(exact, "MOST_REQUESTS", 0)


def plan_of(problem: Problem, assignments: object) -> Plan:
    served = {a.request_id for a in assignments}  # type: ignore[attr-defined]
    unserved = tuple(j.request_id for j in problem.jobs if j.request_id not in served)
    return Plan("feasible", (), tuple(assignments), unserved, 0)  # type: ignore[arg-type]


def bounds_of(problem: Problem) -> dict[str, int]:
    found = choices(problem)
    return solve_pooled(found, chosen_of(found, give_out(found)), GENEROUS_S).bounds


def test_no_plan_of_a_small_problem_is_better_than_the_bound() -> None:
    reached = 0
    for seed in range(150):
        problem = conditioned(small(seed), seed)
        bounds = bounds_of(problem)
        best = best_terms(problem)
        so_far = True
        for name, bound in bounds.items():
            if so_far:  # a term's bound rests on the terms before it
                assert bound <= best[name], f"seed {seed}: {name}"
            so_far = so_far and bound == best[name]
        reached += so_far
    assert reached > 75


def test_a_busy_day_is_bounded_close_to_its_best() -> None:
    for seed in range(3):
        problem = instance(Size(14, 1), seed)
        best = {term.name: term.value for term in solve(problem, time_limit_s=GENEROUS_S).terms}
        bounds = bounds_of(problem)
        service = [name for name in bounds if name.startswith("unserved")]
        assert [bounds[name] for name in service] <= [best[name] for name in service]
        assert sum(best[name] - bounds[name] for name in service) <= 1


def test_whatever_is_given_to_people_breaks_no_rule() -> None:
    complete = 0
    for seed in range(60):
        problem = conditioned(small(seed), seed)
        found = choices(problem)
        wanted = best_alone(found)
        plan = plan_of(problem, realise(found, wanted.tolist()))
        assert violations(problem, plan) == [], f"seed {seed}"
        complete += len(plan.assignments) == len(wanted)
    assert 20 < complete < 60


def test_nobody_is_left_out_where_the_order_of_giving_matters() -> None:
    """First come, first served would give the only thermal drone to the request that can wait."""
    early = job(1)
    at = early.slots[0].start_at + timedelta(minutes=15)
    thermal = job(
        2,
        slots=(Slot(at, at + timedelta(hours=2), 10),),
        wanted_at=at,
        capabilities=frozenset({"thermal"}),
    )
    base = problem_of(early, thermal)
    first, second = base.drones
    able = replace(first, capabilities=frozenset({"thermal"}))
    problem = replace(base, drones=(able, replace(second, capabilities=frozenset({"rgb", "zoom"}))))
    found = choices(problem)
    assert {a.request_id: a.drone_id for a in realise(found, [0, 1])} == {1: 2, 2: 1}


def test_sorties_are_shared_out_evenly() -> None:
    asked = []
    for day in range(4):
        at = NOW + timedelta(days=day, hours=6)
        slots = (Slot(at, at + timedelta(hours=1), 10),)
        asked += [job(2 * day + n, slots=slots, wanted_at=at) for n in (1, 2)]
    problem = problem_of(*asked, drones=3, pilots=4)
    plan = solve(problem)
    assert term_values(problem, plan.assignments)["busiest_pilot"] == 2
    assert plan.status == "optimal"


def test_more_requests_than_are_searched_are_proven_where_nobody_competes() -> None:
    problem = instance(Size(320, 14, drones=60, pilots=42), 3)
    plan = solve(problem)
    assert plan.status == "optimal"
    assert plan.unserved == ()
    assert violations(problem, plan) == []


def test_more_requests_than_are_searched_get_a_valid_plan_and_a_bound() -> None:
    problem = instance(Size(310, 14), 5)
    plan = solve(problem, time_limit_s=3.0)
    assert violations(problem, plan) == []
    assert plan.status == "feasible"
    assert 0.0 < plan.gap <= 1.0
    assert len(plan.assignments) > 150


def test_a_part_too_large_to_model_leaves_a_valid_plan_and_the_bounds_of_a_glance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relaxation, "MOST_CHOICES", 5)
    monkeypatch.setattr(allocation, "POOLED_FROM", 1)
    monkeypatch.setattr(allocation, "SHIFTS_UP_TO", 0)
    monkeypatch.setattr(allocation, "SEARCHED_UP_TO", 1)
    problem = instance(Size(30, 1), 6)
    plan = solve(problem, time_limit_s=GENEROUS_S)
    assert violations(problem, plan) == []
    assert plan.status == "feasible"
    assert plan.unserved


def test_the_zones_that_compete_across_days_are_bounded_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each day has one place for two zones; together they can share the two days fairly."""
    monkeypatch.setattr(allocation, "POOLED_FROM", 1)
    asked = []
    for day in range(2):
        at = NOW + timedelta(days=day, hours=6)
        slots = (Slot(at, at + timedelta(hours=2), 10),)
        asked += [
            job(10 * day + zone, organisation_id=zone, slots=slots, wanted_at=at) for zone in (1, 2)
        ]
    claims = (Claim(1, 1, 10_000), Claim(2, 1, 10_000))
    problem = problem_of(*asked, drones=1, pilots=1, claims=claims)
    bounds = bounds_of(problem)
    assert bounds["worst_shortfall"] == 120 * 1000
    plan = solve(problem)
    assert plan.status == "optimal"
    assert {term.name: term.value for term in plan.terms} == best_terms(problem)


def test_a_minimum_counts_duties_and_not_only_heads() -> None:
    """One pilot cannot make an early and a late visit that lie more than a duty apart."""
    starts = [NOW + timedelta(hours=h) for h in (1, 14)]
    asked = [
        job(n, slots=(Slot(at, at + timedelta(hours=1), 10),), wanted_at=at)
        for n, at in enumerate(starts, 1)
    ]
    found = choices(problem_of(*asked, drones=2, pilots=1))
    served = -np.ones(len(found.job), dtype=np.int64)
    everything = Scope(np.arange(len(found.job)))
    one = minimum(found, everything, served, GENEROUS_S)
    assert one is not None
    assert (one.value, one.proven) == (-1, -1)
    two = minimum(choices(problem_of(*asked, drones=2, pilots=2)), everything, served, GENEROUS_S)
    assert two is not None
    assert two.value == -2


def test_the_same_seed_gives_the_same_large_plan() -> None:
    problem = instance(Size(320, 14, drones=60, pilots=42), 4)
    assert solve(problem, seed=9) == solve(problem, seed=9)
    assert solve(problem, seed=9).seed == 9
