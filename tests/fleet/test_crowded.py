"""Days of more requests than are modelled: bounds that hold at any price, plans that keep rules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.instances import Size, instance, small
from benchmarks.validator import violations
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.crowded import (
    Crowded,
    _crews,
    _days,
    _most_served,
    _packed,
    _prices,
    first_left_out,
    solve_crowded,
)
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.scoring import glance, values_of
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assets.registry import DutyRules
from droneteam.fleet.problem import Pack, Plan, Problem
from tests.fleet.oracle import best_terms

GENEROUS_S = 120.0
CROWD = Size(240, 1, drones=72, pilots=48)


def crowded(problem: Problem) -> tuple[dict[str, int], dict[str, int], Crowded]:
    """What a glance proves, what the class by class plan comes to, and what is made of it."""
    found = choices(problem)
    first = give_out(found)
    seen, values = glance(found, first), values_of(found, first)
    return seen.lows, values, solve_crowded(found, seen, first, GENEROUS_S)


def plan_of(problem: Problem, outcome: Crowded) -> Plan:
    served = {given.request_id for given in outcome.assignments}
    left = tuple(job.request_id for job in problem.jobs if job.request_id not in served)
    named = allocation.with_packs(problem, outcome.assignments)
    return Plan("feasible", (), named, left, 0)


def with_drones_to_spare(problem: Problem) -> Problem:
    """Pilots are what is short: each drone twice, a dozen packs of each type."""
    drones = tuple(
        replace(drone, id=drone.id + 10 * copy, busy=())
        for drone in problem.drones
        for copy in range(2)
    )
    packs = tuple(Pack(100 * (kind == "A") + n, kind) for kind in "AB" for n in range(12))
    return replace(problem, drones=drones, packs=packs)


def test_no_plan_of_a_small_problem_leaves_fewer_out_than_the_bound() -> None:
    bounded = reached = 0
    for seed in range(60):
        problem = small(seed)
        if seed % 3:
            problem = with_drones_to_spare(replace(problem, pilots=problem.pilots[:1]))
        else:
            crews = tuple(replace(one, crew=2, published=None) for one in problem.jobs[:2])
            problem = replace(problem, jobs=(*crews, *problem.jobs[2:]))
        if len(choices(problem).job) == 0:
            continue  # nothing can be flown in this random problem
        _, _, outcome = crowded(problem)
        assert violations(problem, plan_of(problem, outcome)) == [], f"seed {seed}"
        best = best_terms(problem) if outcome.bounds else {}
        for name, bound in outcome.bounds.items():
            assert bound <= best[name], f"seed {seed}: {name}"
            bounded += 1
            reached += bound == best[name]
    assert bounded > 9
    assert reached >= bounded // 5


@pytest.mark.parametrize("seed", [2, 3])
def test_whatever_the_prices_no_plan_serves_more_than_they_say(seed: int) -> None:
    """A proven plan of a busy day against prices out of the air, and against the program's own."""
    problem = instance(Size(24, 1, pilots=4), seed)
    found = choices(problem)
    first = give_out(found)
    seen = glance(found, first)
    priority = first_left_out(seen, values_of(found, first))
    assert priority is not None
    best = {term.name: term for term in solve(problem, time_limit_s=GENEROUS_S).terms}
    left_out = best[f"unserved_{priority}"]
    assert left_out.value == left_out.bound
    asked = sum(job.priority == priority for job in problem.jobs)
    served = asked - left_out.value
    (day,) = _days(found, seen, priority)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        assert _most_served(day, rng.normal(0.3, 0.5, len(day.asked))) >= served
    assert served <= _most_served(day, _prices(day)) <= served + 3


def test_a_crowded_day_is_planned_better_than_class_by_class_and_bounded() -> None:
    problem = instance(CROWD, 1)
    lows, values, outcome = crowded(problem)
    ((name, bound),) = outcome.bounds.items()
    after = values_of(choices(problem), outcome.assignments)
    assert lows[name] < bound <= after[name] < values[name]
    assert bound > after[name] // 3
    assert [*after.values()] <= [*values.values()]
    assert violations(problem, plan_of(problem, outcome)) == []


def test_shifts_by_prices_have_no_request_in_common_and_each_pilot_one() -> None:
    problem = instance(replace(CROWD, days=2), 2)
    found = choices(problem)
    first = give_out(found)
    seen = glance(found, first)
    priority = first_left_out(seen, values_of(found, first))
    assert priority is not None
    days = [(day, _packed(day, _prices(day), 1e12)) for day in _days(found, seen, priority)]
    for day, shifts in days:
        visits = [visit for shift in shifts for visit in shift.visits]
        jobs = day.shifts.job[visits].tolist()
        assert len(set(jobs)) == len(jobs)
        kinds = np.bincount([shift.kind for shift in shifts], minlength=len(day.sizes))
        assert (kinds <= day.sizes).all()
        assert day.must[jobs].sum() >= 0.9 * day.must.sum()
    _rests(problem.duty, found, _crews(days))


def _rests(duty: DutyRules, found: object, crews: dict[int, tuple[int, ...]]) -> None:
    """No pilot has two visits that the duty rules forbid together."""
    windows: dict[int, list[object]] = {}
    for choice, crew in crews.items():
        for pilot in crew:
            windows.setdefault(pilot, []).append(found.visit(choice).occupied)  # type: ignore[attr-defined]
    assert windows
    for own in windows.values():
        for index, one in enumerate(own):
            for other in own[:index]:
                assert duty.conflict(one, other) is None  # type: ignore[arg-type]


def test_a_crowd_too_large_to_model_carries_its_bound_into_the_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(allocation, "SHIFTS_UP_TO", 0)
    monkeypatch.setattr(allocation, "MOST_CHOICES", 100)
    monkeypatch.setattr(allocation, "SEARCHED_UP_TO", 1)
    problem = instance(CROWD, 3)
    plan = solve(problem, time_limit_s=GENEROUS_S)
    assert violations(problem, plan) == []
    assert plan.status == "feasible"
    assert 0.0 < plan.gap < 0.8


def test_out_of_time_the_first_plan_stays() -> None:
    problem = instance(CROWD, 4)
    found = choices(problem)
    first = give_out(found)
    outcome = solve_crowded(found, glance(found, first), first, 1e-9)
    best = crowded(problem)[2]
    assert [*values_of(found, outcome.assignments).values()] <= [*values_of(found, first).values()]
    for name, bound in outcome.bounds.items():
        assert bound <= best.bounds[name]


def test_a_problem_of_which_nobody_is_left_out_has_nothing_to_bound() -> None:
    problem = instance(Size(6, 3), 0)
    lows, values, outcome = crowded(problem)
    assert [
        name for name in lows if name.startswith("unserved") and values[name] > lows[name]
    ] == []
    assert outcome.bounds == {}
