"""Days alone: what they prove lies below every plan, and rest joins what it has to."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, small
from droneteam.fleet.allocation import days
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.days import DayByDay, solve_days
from droneteam.fleet.allocation.pooled import SERVICE
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import TERM_NAMES, Claim, Job, Problem, Slot
from tests.fleet.oracle import best_terms
from tests.fleet.test_allocation import job, problem_of

GENEROUS_S = 120.0
DECIDED = (*SERVICE, "worst_shortfall")


def said_of(problem: Problem) -> DayByDay:
    return solve_days(choices(problem), time.monotonic() + GENEROUS_S)


def assert_below(said: DayByDay, best: dict[str, int], seed: int) -> bool:
    """Lexicographically no more than the best; True where all of it is reached."""
    for name in TERM_NAMES:
        if name not in said.bounds:
            return False
        assert said.bounds[name] <= best[name], f"seed {seed}: {name}"
        if said.bounds[name] < best[name]:
            return False
        if name == DECIDED[-1]:
            return True
    return False


@pytest.mark.parametrize(
    ("seeds", "least"),
    [
        (range(25), 15),
        pytest.param(range(1_000, 1_600), 400, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_no_plan_of_a_small_problem_is_better_than_its_days(seeds: range, least: int) -> None:
    """Nearly always they are reached: a bound of nothing would pass the first part alone."""
    reached = 0
    for seed in seeds:
        problem = conditioned(small(seed), seed)
        if len(choices(problem).job):
            reached += assert_below(said_of(problem), best_terms(problem), seed)
    assert reached >= least


@pytest.mark.parametrize("seed", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 4))])
def test_crowded_days_come_to_what_is_proven_of_all_of_them(seed: int) -> None:
    problem = instance(Size(24, 2), seed)
    plan = solve(problem, time_limit_s=GENEROUS_S)
    assert plan.status == "optimal"
    said = said_of(problem)
    best = {term.name: term.value for term in plan.terms}
    assert_below(said, best, seed)
    served = {problem.jobs[index].request_id for index in said.served}
    if all(said.bounds[name] == best[name] for name in SERVICE):
        assert served.isdisjoint(plan.unserved)
    assert len(said.served) >= len(plan.assignments) // 2


def at(start_at: datetime, number: int, organisation: int = 1) -> Job:
    """A request of one hour at this time and no other."""
    slot = Slot(start_at, start_at + timedelta(hours=1), 10)
    return replace(job(number, wanted_at=start_at), slots=(slot,), organisation_id=organisation)


def test_two_days_that_leave_no_rest_are_taken_together() -> None:
    """One pilot, late in the evening and early the next morning: one of them finds nobody."""
    evening = NOW + timedelta(hours=15)
    problem = problem_of(at(evening, 1), at(evening + timedelta(hours=8), 2), pilots=1)
    assert said_of(problem).bounds["unserved_P3"] == 1
    rested = problem_of(at(evening, 1), at(evening + timedelta(hours=15), 2), pilots=1)
    said = said_of(rested)
    assert said.bounds["unserved_P3"] == 0
    assert said.served == {0, 1}
    assert {one.request_id for one in said.flown} == {1, 2}


def test_each_day_leaves_out_whom_the_zones_can_spare() -> None:
    """Two at once on each of two days and one pilot: one zone each time, not the same twice."""
    problem = two_at_once_on_two_days()
    said = said_of(problem)
    assert said.bounds["unserved_P3"] == 2
    assert said.bounds["worst_shortfall"] == 60_000
    assert said.served == frozenset()
    assert best_terms(problem)["worst_shortfall"] == 60_000


def two_at_once_on_two_days() -> Problem:
    noon = NOW + timedelta(hours=8)
    asked = [
        at(noon + timedelta(days=day), 2 * day + zone, organisation=zone)
        for day in (0, 1)
        for zone in (1, 2)
    ]
    problem = problem_of(*asked, drones=2, pilots=1)
    return replace(problem, claims=(Claim(1, 1, 600), Claim(2, 1, 600)))


def test_where_sets_are_too_many_only_the_services_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    problem = two_at_once_on_two_days()
    whole = said_of(problem)
    assert set(whole.bounds) == set(DECIDED)
    monkeypatch.setattr(days, "_MOST_SETS", 1)
    some = said_of(problem)
    assert set(some.bounds) == set(SERVICE)
    assert {name: whole.bounds[name] for name in SERVICE} == some.bounds


def test_out_of_time_nothing_is_said() -> None:
    said = solve_days(choices(instance(Size(60, 4), 1)), time.monotonic() - 1.0)
    assert said == DayByDay({})
