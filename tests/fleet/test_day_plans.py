"""Plans put together from days: as good as trying everything, and as the program over shifts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, small
from benchmarks.validator import term_values, violations
from droneteam.fleet.allocation import day_plans, rostered
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import Choices, choices
from droneteam.fleet.allocation.day_plans import plan_of_days
from droneteam.fleet.allocation.days import solve_days
from droneteam.fleet.allocation.rostered import least_of_all
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import TERM_NAMES, Assigned, Job, Placement, Plan, Problem, Slot
from tests.fleet.oracle import best_terms
from tests.fleet.test_allocation import job, problem_of

GENEROUS_S = 120.0


def unpublished(problem: Problem) -> Problem:
    return replace(problem, jobs=tuple(replace(one, published=None) for one in problem.jobs))


def of_days(problem: Problem) -> Plan | None:
    found, until_s = choices(problem), time.monotonic() + GENEROUS_S
    whole = plan_of_days(found, solve_days(found, until_s), least_of_all, until_s)
    if whole is None:
        return None
    values = allocation.values_of(found, whole[0])
    return allocation._plan(problem, whole[0], values, whole[1], 0)


@pytest.mark.parametrize(
    ("seeds", "crew", "least"),
    [
        (range(16), 1, 9),
        (range(16), 2, 5),
        pytest.param(range(1_000, 1_400), 1, 240, marks=pytest.mark.slow),
        pytest.param(range(1_000, 1_400), 2, 150, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_what_days_prove_is_what_trying_everything_finds(
    seeds: range, crew: int, least: int
) -> None:
    proven = 0
    for seed in seeds:
        problem = unpublished(conditioned(small(seed), seed))
        if crew > 1:
            first = replace(problem.jobs[0], crew=crew)
            problem = replace(problem, jobs=(first, *problem.jobs[1:]))
        if len(choices(problem).job) == 0:
            continue
        plan = of_days(problem)
        if plan is None:
            continue
        assert violations(problem, plan) == [], f"seed {seed}"
        best = best_terms(problem)
        for term in plan.terms:
            assert term.bound <= best[term.name], f"seed {seed}: {term.name}"
            if term.name != "busiest_pilot":
                assert term.value == term.bound == best[term.name], f"seed {seed}: {term.name}"
        proven += plan.status == "optimal"
    assert proven >= least


@pytest.mark.parametrize(
    ("size", "seed"),
    [
        (Size(30, 2), 3),
        pytest.param(Size(45, 3), 3, marks=pytest.mark.slow),
        *(pytest.param(Size(84, 6), seed, marks=pytest.mark.slow) for seed in range(4)),
        *(pytest.param(Size(200, 14), seed, marks=pytest.mark.slow) for seed in (1, 2, 4, 7)),
    ],
    ids=str,
)
def test_days_and_the_program_over_shifts_come_to_the_same(
    size: Size, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ways that share no bound: whatever both prove has one value."""
    problem = instance(size, seed)
    plan = of_days(problem)
    assert plan is not None
    assert plan.status == "optimal"
    assert violations(problem, plan) == []
    monkeypatch.setattr(rostered, "plan_of_days", lambda *_: None)
    monkeypatch.setattr(allocation, "POOLED_FROM", 0)
    monkeypatch.setattr(allocation, "SMALL_UP_TO", 0)
    other = solve(problem, time_limit_s=GENEROUS_S)
    for ours, theirs in zip(plan.terms, other.terms, strict=True):
        if theirs.value != theirs.bound:
            break
        assert ours.value == theirs.value, ours.name


def flexible(number: int, wanted_h: float, later_min: Sequence[int]) -> Job:
    """A request of one hour, so many hours into the day or some minutes later."""
    wanted_at = NOW + timedelta(hours=wanted_h)
    starts = [wanted_at + timedelta(minutes=own) for own in (0, *later_min)]
    slots = tuple(Slot(at, at + timedelta(hours=1), 10) for at in starts)
    return replace(job(number, wanted_at=wanted_at), slots=slots)


EVENING_H, MORNING_H = 15.0, 26.0
"""One pilot who is out on both has 10 h between them; 11 h are to be rested."""


def flown(problem: Problem) -> tuple[Sequence[Assigned], dict[str, int]]:
    plan = of_days(problem)
    assert plan is not None
    assert violations(problem, plan) == []
    assert plan.status == "optimal"
    return plan.assignments, term_values(problem, plan.assignments)


def test_who_is_not_rested_begins_later() -> None:
    """Each day alone keeps its time; together the morning has to wait, no longer than needed."""
    later_min = (30, 60, 90, 120, 150, 180, 210, 240)
    problem = problem_of(
        flexible(1, EVENING_H, ()), flexible(2, MORNING_H, later_min), drones=2, pilots=1
    )
    given, values = flown(problem)
    assert len(given) == 2
    assert values == best_terms(problem)
    assert 30 <= values["moved_min"] <= 240


def test_where_a_day_has_the_choice_it_leaves_out_whom_rest_leaves_out_anyway() -> None:
    """Two in the evening clash; the one that ends early leaves the pilot rested for the morning."""
    problem = problem_of(
        flexible(1, EVENING_H, ()),
        flexible(2, EVENING_H - 0.75, ()),
        flexible(3, EVENING_H + 11.75, ()),
        drones=2,
        pilots=1,
    )
    given, values = flown(problem)
    assert {one.request_id for one in given} == {2, 3}
    assert values == best_terms(problem)


def test_a_chain_of_rests_through_many_days_is_kept() -> None:
    """One request each evening and each morning after: two pilots take turns, one cannot."""
    evenings = [flexible(2 * day, 24 * day + EVENING_H, ()) for day in range(1, 6)]
    mornings = [flexible(2 * day + 1, 24 * day + MORNING_H, ()) for day in range(1, 6)]
    problem = problem_of(*evenings, *mornings, drones=2, pilots=2)
    given, values = flown(problem)
    assert len(given) == 10
    assert values["busiest_pilot"] == 5
    alone = of_days(replace(problem, pilots=problem.pilots[:1]))
    assert alone is None or len(alone.assignments) < 10


def test_a_published_plan_is_left_to_those_who_know_what_changes() -> None:
    problem = problem_of(flexible(1, EVENING_H, ()))
    assert of_days(problem) is not None
    kept = Placement(1, (1,), problem.jobs[0].wanted_at)
    assert of_days(replace(problem, jobs=(replace(problem.jobs[0], published=kept),))) is None


def test_where_the_exact_search_gives_up_the_program_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same plan, whoever finds what each set costs; without either nothing is claimed."""
    problem = instance(Size(30, 2), 5)
    whole = of_days(problem)
    assert whole is not None
    asked = 0

    def counted(part: Choices, late_min: Sequence[int], until_s: float) -> object:
        nonlocal asked
        asked += 1
        return least_of_all(part, late_min, until_s)

    monkeypatch.setattr(day_plans, "_MOST_STEPS", 0)
    found, until_s = choices(problem), time.monotonic() + GENEROUS_S
    said = solve_days(found, until_s)
    again = plan_of_days(found, said, counted, until_s)  # type: ignore[arg-type]
    assert again is not None
    assert asked >= 2
    names = [name for name in TERM_NAMES if name != "busiest_pilot"]
    values = term_values(problem, again[0])
    assert [values[name] for name in names] == [
        term.value for term in whole.terms if term.name in names
    ]
    assert plan_of_days(found, said, lambda *_: None, until_s) is None


def test_out_of_rounds_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(day_plans, "_MOST_ROUNDS", 0)
    assert of_days(instance(Size(12, 2), 1)) is None
