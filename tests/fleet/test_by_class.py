"""At every size the more urgent class comes first: nobody is left out for a less urgent request."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, small, with_published
from benchmarks.validator import violations
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.pooled import best_alone
from droneteam.fleet.allocation.realise import realise
from droneteam.fleet.allocation.scoring import values_of
from droneteam.fleet.allocation.solving import solve, with_packs
from droneteam.fleet.problem import Assigned, Pack, Plan, Problem, Slot
from droneteam.fleet.terms import PRIORITIES
from tests.fleet import oracle
from tests.fleet.test_allocation import job, problem_of

NEAR = timedelta(days=2)
CROWDED = (Size(50, 1), Size(100, 2), Size(200, 4), Size(400, 7))


def as_plan(problem: Problem, given: tuple[Assigned, ...]) -> Plan:
    served = {a.request_id for a in given}
    left = tuple(j.request_id for j in problem.jobs if j.request_id not in served)
    return Plan("feasible", (), with_packs(problem, given), left, 0)


def wronged(problem: Problem, plan: Plan, most: int) -> list[int]:
    """Of the most urgent unserved, those whom taking out less urgent requests would let in.

    Every slot, drone and crew is tried beside whatever is as urgent, by the oracle's rules.
    """
    jobs = {j.request_id: j for j in problem.jobs}
    unserved = sorted((jobs[number] for number in plan.unserved), key=lambda j: j.priority)
    found = []
    for asked in unserved[:most]:
        if asked.priority == PRIORITIES[-1]:
            break
        as_urgent = [
            a
            for a in plan.assignments
            if jobs[a.request_id].priority <= asked.priority
            and abs(a.visit.start_at - asked.wanted_at) < NEAR
        ]
        if any(
            oracle._works(problem, [*as_urgent, way]) for way in oracle._choices(problem, asked)
        ):
            found.append(asked.request_id)
    return found


def unserved_by_class(problem: Problem, given: tuple[Assigned, ...]) -> list[int]:
    served = {a.request_id for a in given}
    counts = Counter(j.priority for j in problem.jobs if j.request_id not in served)
    return [counts[priority] for priority in PRIORITIES]


@pytest.mark.parametrize("size", CROWDED, ids=lambda size: str(size.requests))
def test_nobody_is_left_out_for_a_less_urgent_request(size: Size) -> None:
    problem = instance(size, 11)
    plan = as_plan(problem, give_out(choices(problem)))
    assert len(plan.unserved) > size.requests // 20
    assert violations(problem, plan) == []
    assert wronged(problem, plan, most=6) == []


def test_the_check_of_who_is_wronged_finds_what_is_given_out_by_departure() -> None:
    """The oracle would see it: most class-blind plans leave somebody out for a lower class."""
    caught = 0
    for seed in range(4):
        problem = instance(Size(60, 1), seed)
        found = choices(problem)
        plan = as_plan(problem, realise(found, best_alone(found).tolist()))
        caught += bool(wronged(problem, plan, most=4))
    assert caught >= 2


@pytest.mark.parametrize("size", CROWDED, ids=lambda size: str(size.requests))
def test_no_class_fares_worse_than_without_classes_unless_a_higher_one_fares_better(
    size: Size,
) -> None:
    for seed in range(3):
        problem = instance(size, seed)
        found = choices(problem)
        blind = realise(found, best_alone(found).tolist())
        for given in (allocation._first_plan(found), give_out(found, blind)):
            assert unserved_by_class(problem, given) <= unserved_by_class(problem, blind)


def test_the_urgent_are_served_where_a_crowd_of_three_hundred_leaves_first() -> None:
    """Above the size that is searched: one drone a day, asked for by many who leave earlier."""
    asked = []
    for number in range(1, 321):
        day, late = divmod(number, 40)
        at = NOW + timedelta(days=day, hours=6, minutes=5 * late)
        priority = "P0" if late == 39 else "P3"
        slots = (Slot(at, at + timedelta(hours=6), 10),)
        asked.append(job(number, priority=priority, slots=slots, wanted_at=at))
    plan = solve(problem_of(*asked, drones=1, pilots=1), time_limit_s=1.0)
    served = {a.request_id for a in plan.assignments}
    assert {j.request_id for j in asked if j.priority == "P0"} <= served


@pytest.mark.parametrize("requests", [60, 320])
def test_a_plan_that_time_cuts_short_still_goes_by_class(requests: int) -> None:
    problem = instance(Size(requests, max(1, requests // 60)), 2)
    plan = solve(problem, time_limit_s=0.05)
    assert plan.status == "feasible"
    assert violations(problem, plan) == []
    assert wronged(problem, plan, most=5) == []


def test_what_is_preferred_never_makes_the_plan_worse() -> None:
    for seed in range(6):
        problem = instance(Size(40, 1), seed)
        found = choices(problem)
        for start in (give_out(found), realise(found, best_alone(found).tolist())):
            again = give_out(found, start)
            before, after = values_of(found, start), values_of(found, again)
            service = [name for name in before if name.startswith(("unserved", "late"))]
            assert [after[name] for name in service] <= [before[name] for name in service]


def test_a_plan_that_nobody_is_missing_from_is_given_out_again_unchanged() -> None:
    problem = instance(Size(20, 4), 1)
    found = choices(problem)
    first = give_out(found)
    again = give_out(found, first)
    assert {(a.request_id, a.drone_id, a.pilot_ids) for a in again} == {
        (a.request_id, a.drone_id, a.pilot_ids) for a in first
    }


def test_the_published_stays_where_its_class_still_has_room() -> None:
    problem = instance(Size(20, 2), 5)
    published = with_published(problem, as_plan(problem, give_out(choices(problem))))
    found = choices(published)
    assert values_of(found, give_out(found))["changes"] == 0


def test_whatever_is_given_out_breaks_no_rule_and_misses_nobody_who_is_alone() -> None:
    served = 0
    for seed in range(300):
        problem = conditioned(small(seed), seed)
        plan = as_plan(problem, give_out(choices(problem)))
        assert violations(problem, plan) == [], f"seed {seed}"
        for asked in (j for j in problem.jobs if j.request_id in plan.unserved):
            as_urgent = [
                a
                for a in plan.assignments
                if next(j for j in problem.jobs if j.request_id == a.request_id).priority
                <= asked.priority
            ]
            ways = oracle._choices(problem, asked)
            assert not any(oracle._works(problem, [*as_urgent, way]) for way in ways), seed
        served += len(plan.assignments)
    assert served > 100


def test_packs_that_a_later_visit_needs_are_left_to_it() -> None:
    """The urgent visit comes later; giving its packs to the earlier one would leave it without."""
    late_at = NOW + timedelta(hours=8)
    urgent = job(
        2,
        priority="P1",
        slots=(Slot(late_at, late_at + timedelta(hours=2), 10),),
        wanted_at=late_at,
    )
    problem = problem_of(job(1), urgent, packs=tuple(Pack(n, "A") for n in range(1, 4)))
    given = give_out(choices(problem))
    assert [a.request_id for a in given] == [2]
    with_more = replace(problem, packs=tuple(Pack(n, "A") for n in range(1, 7)))
    assert {a.request_id for a in give_out(choices(with_more))} == {1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_many_crowded_weeks_go_by_class(seed: int) -> None:
    for size in CROWDED:
        problem = instance(size, 100 + seed)
        plan = solve(problem, seed=seed, time_limit_s=1.0)
        assert violations(problem, plan) == []
        assert wronged(problem, plan, most=12) == []
