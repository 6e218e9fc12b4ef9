"""Plans equal the brute force's best, break no rule, and say what is proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.instances import NOW, Size, conditioned, instance, replanned, small, with_published
from benchmarks.validator import term_values, violations
from droneteam.errors import InputError
from droneteam.fleet.allocation import solving as allocation
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.greedy import greedy
from droneteam.fleet.allocation.scoring import glance
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.problem import (
    Claim,
    Drone,
    Job,
    Pack,
    PackType,
    Pilot,
    Place,
    Plan,
    Problem,
    Slot,
    SpeedTable,
)
from droneteam.fleet.terms import Window
from tests.fleet.oracle import best_terms

BASE = Place(50.83, 4.36)
ORACLE_CASES = 400


def values(plan: Plan) -> dict[str, int]:
    return {term.name: term.value for term in plan.terms}


@pytest.mark.parametrize("block", range(8))
def test_small_plans_equal_the_best_of_all(block: int) -> None:
    size = ORACLE_CASES // 8
    for seed in range(block * size, (block + 1) * size):
        problem = small(seed)
        plan = solve(problem, seed=seed)
        assert violations(problem, plan) == [], f"seed {seed}"
        assert plan.status == "optimal", f"seed {seed}"
        assert values(plan) == best_terms(problem), f"seed {seed}"


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_a_thousand_problems_of_up_to_six_requests_equal_the_best_of_all(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        problem = conditioned(small(seed, most_jobs=6), seed)
        plan = solve(problem, seed=seed)
        assert violations(problem, plan) == [], f"seed {seed}"
        assert plan.status == "optimal", f"seed {seed}"
        assert values(plan) == best_terms(problem), f"seed {seed}"


def test_the_small_problems_exercise_both_outcomes() -> None:
    plans = [solve(small(seed)) for seed in range(60)]
    served = sum(len(plan.assignments) for plan in plans)
    unserved = sum(len(plan.unserved) for plan in plans)
    assert served > 30
    assert unserved > 30


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_a_busy_day_breaks_no_rule_and_never_falls_behind_its_greedy_start(seed: int) -> None:
    problem = instance(Size(14, 1), seed)
    plan = solve(problem, seed=seed, time_limit_s=2.0)
    assert violations(problem, plan) == []
    start = term_values(problem, greedy(problem))
    assert list(values(plan).values()) <= [start[name] for name in values(plan)]


def test_the_validator_finds_a_broken_plan() -> None:
    problem = instance(Size(8, 1), 3)
    plan = solve(problem)
    first, second, *rest = plan.assignments
    twice = replace(plan, assignments=(first, replace(second, drone_id=first.drone_id), *rest))
    early = replace(first, visit=replace(first.visit, free_at=first.visit.end_at))
    assert violations(problem, twice) or second.drone_id == first.drone_id
    assert violations(problem, replace(plan, assignments=(early, second, *rest)))
    assert violations(problem, replace(plan, unserved=(first.request_id,)))


def test_the_same_seed_gives_the_same_plan() -> None:
    problem = replanned(Size(10, 1), 5)
    assert solve(problem, seed=7) == solve(problem, seed=7)


def job(number: int = 1, **changes: object) -> Job:
    start_at = NOW + timedelta(hours=6)
    base = Job(
        request_id=number,
        organisation_id=1,
        priority="P3",
        place=BASE,
        slots=(Slot(start_at, start_at + timedelta(hours=2), 10),),
        wanted_at=start_at,
        credentials=frozenset({"national"}),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def problem_of(*jobs: Job, drones: int = 2, pilots: int = 2, **changes: object) -> Problem:
    licence = (Credential("national", date(2026, 1, 1), date(2027, 1, 1)),)
    base = Problem(
        now=NOW,
        drones=tuple(
            Drone(n, f"drone-{n}", frozenset({"rgb"}), "A", BASE) for n in range(1, drones + 1)
        ),
        pilots=tuple(Pilot(n, f"pilot {n}", licence) for n in range(1, pilots + 1)),
        packs=tuple(Pack(n, "A") for n in range(1, 13)),
        pack_types=(PackType("A", 30, 60),),
        jobs=jobs,
        claims=(Claim(1, 1, 10_000), Claim(2, 1, 10_000)),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_the_more_urgent_class_gets_the_last_drone() -> None:
    problem = problem_of(job(1, priority="P3"), job(2, priority="P1"), drones=1)
    plan = solve(problem)
    assert [a.request_id for a in plan.assignments] == [2]
    assert plan.unserved == (1,)


def test_one_p0_outweighs_any_number_below_it() -> None:
    lower = [job(n, priority="P1") for n in range(2, 8)]
    long_one = replace(
        job(1, priority="P0"),
        slots=(Slot(NOW + timedelta(hours=2), NOW + timedelta(hours=10), 10),),
    )
    plan = solve(problem_of(long_one, *lower, drones=1, pilots=1))
    assert [a.request_id for a in plan.assignments] == [1]


def test_of_two_equal_requests_the_zone_with_the_larger_claim_is_served() -> None:
    problem = problem_of(
        job(1, organisation_id=1),
        job(2, organisation_id=2),
        drones=1,
        claims=(Claim(1, 1, 10), Claim(2, 1, 10_000)),
    )
    assert [a.request_id for a in solve(problem).assignments] == [2]


def test_packs_that_still_charge_hold_a_request_back() -> None:
    late = NOW + timedelta(hours=8)
    charging = tuple(Pack(n, "A", charged_at=late) for n in range(1, 4))
    assert solve(problem_of(job(), packs=charging)).unserved == (1,)
    assert solve(problem_of(job(), packs=(*charging, Pack(4, "A")))).unserved == (1,)
    ready = tuple(Pack(n, "A") for n in range(4, 7))
    plan = solve(problem_of(job(), packs=(*charging, *ready)))
    assert plan.assignments[0].pack_ids == (4, 5, 6)


def test_an_expired_licence_on_the_day_leaves_the_request_unserved() -> None:
    expired = (Credential("national", date(2026, 1, 1), date(2026, 5, 3)),)
    problem = problem_of(job(), pilots=1)
    problem = replace(problem, pilots=(replace(problem.pilots[0], credentials=expired),))
    assert solve(problem).unserved == (1,)


def test_a_crew_of_two_takes_two_pilots() -> None:
    assert solve(problem_of(job(crew=2), pilots=1)).unserved == (1,)
    assert solve(problem_of(job(crew=2), pilots=2)).assignments[0].pilot_ids == (1, 2)


def test_a_published_plan_is_kept_where_it_is_as_good() -> None:
    problem = problem_of(*(job(n) for n in (1, 2)), drones=6, pilots=6)
    plan = solve(problem)
    for seed in range(5):
        again = solve(with_published(problem, plan), seed=seed)
        assert values(again)["changes"] == 0
        assert {(a.request_id, a.drone_id, a.pilot_ids) for a in again.assignments} == {
            (a.request_id, a.drone_id, a.pilot_ids) for a in plan.assignments
        }


def test_nothing_to_do_is_an_optimal_plan() -> None:
    plan = solve(problem_of())
    assert (plan.status, plan.assignments, plan.unserved, plan.gap) == ("optimal", (), (), 0.0)


def test_a_team_without_drones_serves_nobody_and_proves_it() -> None:
    plan = solve(problem_of(job(), drones=0))
    assert (plan.status, plan.unserved) == ("optimal", (1,))
    assert values(plan)["unserved_P3"] == 1


def test_out_of_time_the_plan_is_valid_and_its_bounds_are_bounds() -> None:
    problem = instance(Size(60, 3), 1)
    plan = solve(problem, time_limit_s=0.05)
    assert plan.status == "feasible"
    assert violations(problem, plan) == []
    assert 0.0 < plan.gap <= 1.0


def test_a_time_limit_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="time_limit_s"):
        solve(problem_of(), time_limit_s=0.0)


def test_stages_join_terms_only_while_their_weights_stay_small() -> None:
    from droneteam.fleet.allocation import cpsat

    found = choices(instance(Size(20, 2), 1))
    terms = cpsat.objectives(cpsat.build(found, np.arange(len(found.job)), frozenset()))
    stages = allocation._stages(terms)
    assert [term.name for stage in stages for term in stage] == [term.name for term in terms]
    for stage in stages:
        product = 1
        for term in stage:
            product *= term.high - term.low + 1
        assert len(stage) == 1 or product <= allocation.MAX_STAGE_RANGE


@pytest.mark.parametrize(
    "spoil",
    [
        {"drones": (Drone(1, "d", frozenset(), "?", BASE),)},
        {"pilots": (Pilot(1, "a", ()), Pilot(1, "b", ()))},
        {"jobs": (job(1), job(1))},
    ],
)
def test_a_problem_that_contradicts_itself_is_refused(spoil: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(problem_of(job()), **spoil)  # type: ignore[arg-type]


def test_values_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="weight"):
        Claim(1, 0, 10)
    with pytest.raises(InputError, match="crew"):
        job(crew=0)
    with pytest.raises(InputError, match="prep_min"):
        Slot(NOW, NOW + timedelta(hours=1), -1)


def test_driving_time_grows_with_distance_and_shrinks_in_an_emergency() -> None:
    table = SpeedTable()
    near, far = Place(50.84, 4.37), Place(50.90, 4.44)
    assert table.minutes(BASE, BASE) == 0
    assert 0 < table.minutes(BASE, near) < table.minutes(BASE, far)
    assert table.minutes(BASE, far, emergency=True) < table.minutes(BASE, far)


@pytest.mark.parametrize(("minutes", "packs"), [(20, 2), (30, 2), (31, 4), (90, 6), (600, 6)])
def test_packs_rotate_once_the_first_is_charged_again(minutes: int, packs: int) -> None:
    assert PackType("A", 30, 60, per_flight=2).needed(minutes) == packs


def test_windows_know_their_order_and_their_zone() -> None:
    later = NOW + timedelta(hours=1)
    assert not Window(NOW, later).overlaps(Window(later, later + timedelta(hours=1)))
    with pytest.raises(InputError) as caught:
        Window(later, NOW)
    assert caught.value.field == "end_at"
    with pytest.raises(InputError, match="no time zone"):
        Window(NOW.replace(tzinfo=None), later)


def test_the_solver_proves_nothing_that_another_plan_beats() -> None:
    """With probing switched off the solver called this instance's better plans impossible."""
    problem = replanned(Size(10, 1), 21)
    found = choices(problem)
    first = allocation._first_plan(found)
    searched = allocation.search(found, glance(found, first), first, 0, 60.0)
    proven = solve(problem, seed=0, time_limit_s=60.0)
    assert searched.status == proven.status == "optimal"
    assert [t.value for t in searched.terms] == [t.value for t in proven.terms]
    assert term_values(problem, searched.assignments)["travel_min"] == 249
