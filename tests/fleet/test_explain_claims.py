"""What an explanation claims is true: the problem is changed as it says, and solved again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, small, with_published
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.explanations.explain import explain, fairness, never
from droneteam.fleet.explanations.fitting import Resource, fit
from droneteam.fleet.explanations.relaxing import RESOURCES, relaxed
from droneteam.fleet.problem import Job, Pack, Placement, Plan, Problem, Slot
from droneteam.fleet.terms import Reason, Window
from tests.fleet.test_allocation import job, problem_of

SMALL_SEEDS = range(120)
Case = tuple[Problem, Plan, Job, tuple[Reason, ...], tuple[Reason, ...]]
Cases = list[Case]


def service(problem: Problem, plan: Plan) -> list[int]:
    """Unserved and late by class, as the validator counts them."""
    return list(term_values(problem, plan.assignments).values())[:10]


def crowded(pilots: int) -> Problem:
    """Two zones ask for the same hours more often than there are pilots."""
    asked = (job(n, organisation_id=1 + n % 2) for n in range(1, pilots + 3))
    return problem_of(*asked, drones=4, pilots=pilots)


def unserved_cases() -> Iterator[Case]:
    problems = [conditioned(small(seed), seed) for seed in SMALL_SEEDS]
    problems += [instance(Size(14, 1), seed) for seed in range(4)]
    problems += [crowded(pilots) for pilots in (1, 2, 3)]
    for problem in problems:
        plan = solve(problem)
        for request_id in plan.unserved:
            asked = problem.job(request_id)
            assert asked is not None
            found = explain(problem, plan, request_id)
            yield problem, plan, asked, found.reasons, found.changes


@pytest.fixture(scope="module")
def cases() -> Cases:
    found = list(unserved_cases())
    assert len(found) > 40
    return found


def with_job(problem: Problem, changed: Job) -> Problem:
    jobs = tuple(
        changed if asked.request_id == changed.request_id else asked for asked in problem.jobs
    )
    return replace(problem, jobs=jobs)


def moved_to(asked: Job, start_at: datetime) -> Job:
    length = max(slot.end_at - slot.start_at for slot in asked.slots)
    prep_min = min(asked.slots, key=lambda slot: slot.start_at).prep_min
    return replace(asked, slots=(Slot(start_at, start_at + length, prep_min),), due_at=None)


def test_at_the_later_time_that_is_named_nobody_loses_and_the_request_is_served(
    cases: Cases,
) -> None:
    tried = 0
    for problem, plan, asked, _, changes in cases:
        for reason in (reason for reason in changes if reason.code == "if.later"):
            tried += 1
            start_at = datetime.fromisoformat(str(reason.params["start"]))
            changed = with_job(problem, moved_to(asked, start_at))
            again = solve(changed)
            assert violations(changed, again) == []
            assert service(changed, again) < service(problem, plan)
    assert tried > 20


def test_just_before_the_later_time_the_answer_is_still_no(cases: Cases) -> None:
    tried = 0
    for problem, plan, asked, _, changes in cases:
        last_at = max(slot.start_at for slot in asked.slots)
        for reason in (reason for reason in changes if reason.code == "if.later"):
            before = datetime.fromisoformat(str(reason.params["start"])) - timedelta(minutes=30)
            if before > last_at:
                tried += 1
                assert fit(problem, plan.assignments, moved_to(asked, before)).assigned is None
    assert tried > 5


def wished(reason: Reason) -> tuple[Resource, ...]:
    if reason.code == "if.more_together":
        names = str(reason.params["resources"]).split(", ")
        return tuple(name for name in RESOURCES if name in names)
    return tuple(name for name in RESOURCES if reason.code == f"if.more_{name}")


def test_with_the_more_that_is_named_the_plan_gets_better(cases: Cases) -> None:
    tried = 0
    for problem, plan, asked, _, changes in cases:
        for reason in (reason for reason in changes if reason.code.startswith("if.more_")):
            tried += 1
            changed = relaxed(problem, asked, wished(reason))
            again = solve(changed)
            assert violations(changed, again) == []
            assert service(changed, again) < service(problem, plan)
    assert tried > 20


def test_with_less_than_is_named_the_request_still_does_not_fit(cases: Cases) -> None:
    for problem, plan, asked, _, changes in cases:
        for reason in (reason for reason in changes if reason.code == "if.more_together"):
            for left_out in wished(reason):
                rest = [name for name in wished(reason) if name != left_out]
                changed = relaxed(problem, asked, rest)
                assert fit(changed, plan.assignments, asked).assigned is None


def test_drones_and_pilots_that_are_both_short_are_named_together() -> None:
    first = job(1, published=Placement(1, (1,), NOW + timedelta(hours=6)))
    problem = problem_of(first, job(2), drones=1, pilots=1)
    found = explain(problem, solve(problem), 2)
    wishes = [reason for reason in found.changes if reason.code.startswith("if.more")]
    assert [(w.code, dict(w.params)) for w in wishes] == [
        ("if.more_together", {"resources": "drones, pilots"})
    ]


def test_without_the_displaced_request_the_other_is_served_at_the_fairness_that_is_named(
    cases: Cases,
) -> None:
    tried = 0
    for problem, plan, asked, _, changes in cases:
        for reason in (reason for reason in changes if reason.code == "if.displaced"):
            tried += 1
            victim = problem.job(int(reason.params["request"]))
            assert victim is not None
            assert victim.priority >= asked.priority
            rest = [a for a in plan.assignments if a.request_id != victim.request_id]
            found = fit(problem, rest, asked).assigned
            assert found is not None
            swapped = replace(
                plan,
                assignments=(*rest, found),
                unserved=tuple({*plan.unserved, victim.request_id} - {asked.request_id}),
                terms=(),
            )
            assert violations(problem, swapped) == []
            assert reason.params["fairness_before"] == round(fairness(problem, plan.assignments), 2)
            assert reason.params["fairness_after"] == round(fairness(problem, [*rest, found]), 2)
    assert tried > 10


def test_the_limits_that_are_named_bind_one_by_one() -> None:
    """At the wanted time: with all named limits lifted it fits, with any one left it does not."""
    tried = 0
    for seed in SMALL_SEEDS:
        problem = small(seed)
        plan = solve(problem)
        for request_id in plan.unserved:
            asked = problem.job(request_id)
            assert asked is not None
            at_once = replace(asked, slots=asked.slots[:1])
            held = [hold.resource for hold in fit(problem, plan.assignments, at_once).holds]
            bases = {drone.base for drone in problem.drones}
            if not held or len(bases) > 1 or never(problem, at_once):
                continue
            tried += 1
            free = relaxed(problem, at_once, held)
            if "packs" not in held:
                free = relaxed(free, at_once, ["packs"])
            assert fit(free, plan.assignments, at_once).assigned is not None
            for kept in held:
                lifted = [name for name in RESOURCES if name != kept]
                tighter = relaxed(problem, at_once, lifted)
                if kept == "packs":
                    tighter = relaxed(problem, at_once, ["pilots"])
                assert fit(tighter, plan.assignments, at_once).assigned is None
    assert tried > 5


def test_the_only_able_drone_is_the_only_one() -> None:
    able = problem_of(job(capabilities=frozenset({"thermal"})))
    thermal = replace(able.drones[0], capabilities=frozenset({"rgb", "thermal"}))
    problem = replace(able, drones=(thermal, able.drones[1]))
    found = explain(problem, solve(problem), 1)
    assert "drone.only_able" in {reason.code for reason in found.reasons}
    assert solve(replace(problem, drones=problem.drones[1:])).unserved == (1,)
    assert solve(replace(problem, drones=problem.drones[:1])).unserved == ()


def test_the_only_free_pilot_cannot_be_spared() -> None:
    problem = problem_of(job(1), job(2))
    plan = solve(problem)
    for assigned in plan.assignments:
        found = explain(problem, plan, assigned.request_id)
        assert "pilot.only_free" in {reason.code for reason in found.reasons}
        without = tuple(p for p in problem.pilots if p.id not in assigned.pilot_ids)
        again = solve(replace(with_published(problem, plan), pilots=without))
        assert len(again.unserved) == 1


@pytest.mark.parametrize("hours", [3, 5])
def test_the_dark_and_the_airspace_are_named_and_their_end_is_offered(hours: int) -> None:
    start_at = NOW + timedelta(hours=2)
    opens_at = start_at + timedelta(hours=hours)
    light = Window(opens_at, opens_at + timedelta(hours=9))
    slots = (Slot(start_at, start_at + timedelta(hours=2), 10),)
    dark = job(slots=slots, wanted_at=start_at, daylight_only=True)
    closed = job(slots=slots, wanted_at=start_at, cleared_from=opens_at)
    for asked, code in ((dark, "slot.dark"), (closed, "airspace.pending")):
        problem = problem_of(asked, daylight=(light,))
        found = explain(problem, solve(problem), 1)
        assert [reason.code for reason in found.reasons] == [code]
        later = next(reason for reason in found.changes if reason.code == "if.later")
        assert datetime.fromisoformat(str(later.params["start"])) == opens_at


def test_a_relaxed_problem_has_exactly_what_one_more_visit_takes() -> None:
    asked = job(crew=2)
    problem = problem_of(asked, drones=3, packs=(Pack(1, "A"),))
    more = relaxed(problem, asked, RESOURCES)
    assert len(more.drones) == len(problem.drones) + 1
    assert len(more.pilots) == len(problem.pilots) + 2
    assert len(more.packs) == len(problem.packs) + 3
    assert relaxed(problem, asked, ()) == problem
