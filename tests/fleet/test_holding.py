"""A plan that breaks a rule is recognised by the rules alone, and never used."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from benchmarks.instances import Size, conditioned, instance, small
from benchmarks.validator import violations
from droneteam.fleet.allocation import exact
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.holding import broken_rule
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.problem import Assigned, Plan, Problem


@pytest.fixture(scope="module")
def day() -> tuple[Problem, Plan]:
    """More than seven pilots can do in a day."""
    problem = instance(Size(22, 1), 3)
    plan = solve(problem, time_limit_s=30.0)
    assert 8 <= len(plan.assignments) < len(problem.jobs)
    return problem, plan


@pytest.mark.parametrize("seed", range(60))
def test_the_validator_and_the_rules_agree_on_plans_with_a_swapped_name(seed: int) -> None:
    """Each drone and crew is given to each other visit in turn; the validator shares no code."""
    problem = conditioned(small(seed), seed) if seed % 2 else small(seed)
    plan = solve(problem, time_limit_s=20.0)
    assert broken_rule(problem, plan.assignments) is None
    checked = 0
    for index, given in enumerate(plan.assignments):
        for other in plan.assignments:
            changed = replace(given, drone_id=other.drone_id, pilot_ids=other.pilot_ids)
            row = (*plan.assignments[:index], changed, *plan.assignments[index + 1 :])
            named = allocation.with_packs(problem, row)
            judged = violations(problem, replace(plan, assignments=named, terms=()))
            assert (broken_rule(problem, row) is None) == (judged == []), judged
            checked += 1
    assert checked == len(plan.assignments) ** 2


def bent(given: Assigned, what: str) -> Assigned:
    match what:
        case "nobody":
            return replace(given, pilot_ids=())
        case "slot":
            return replace(
                given,
                visit=replace(given.visit, start_at=given.visit.start_at + timedelta(minutes=1)),
            )
        case _:
            raise AssertionError(what)


@pytest.mark.parametrize(("what", "says"), [("nobody", "crew.size"), ("slot", "no slot")])
def test_a_bent_visit_is_named(day: tuple[Problem, Plan], what: str, says: str) -> None:
    problem, plan = day
    row = (bent(plan.assignments[0], what), *plan.assignments[1:])
    assert says in str(broken_rule(problem, row))


def test_a_request_served_twice_is_named(day: tuple[Problem, Plan]) -> None:
    problem, plan = day
    assert broken_rule(problem, (*plan.assignments, plan.assignments[0])) is not None


def test_a_search_that_errs_is_not_believed(
    day: tuple[Problem, Plan], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    problem, plan = day
    wrong = tuple(bent(given, "nobody") for given in plan.assignments)
    monkeypatch.setattr(exact, "best_plan", lambda *_: wrong)
    with caplog.at_level(logging.ERROR):
        found = solve(problem, time_limit_s=2.0)
    assert "crew.size" in caplog.text
    assert violations(problem, found) == []
