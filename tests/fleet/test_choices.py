"""All choices at once are the same choices as one at a time, with every condition among them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from benchmarks.instances import NOW, Size, conditioned, instance, replanned, small
from benchmarks.validator import term_values, violations
from droneteam.errors import InputError
from droneteam.fleet.allocation.candidates import options
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.scoring import chosen_of, glance, values_of
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.problem import Assigned, Forecast, Problem, Slot
from droneteam.fleet.terms import Window
from tests.fleet.test_allocation import job, problem_of


def one_at_a_time(problem: Problem) -> dict[object, object]:
    return {
        (asked.request_id, option.visit): (option.drone_ids, option.pilot_ids)
        for asked in problem.jobs
        for option in options(problem, asked)
    }


def all_at_once(problem: Problem) -> dict[object, object]:
    found = choices(problem)
    return {
        (problem.jobs[found.job[k]].request_id, found.visit(k)): (
            found.able_drones(k),
            found.able_pilots(k),
        )
        for k in range(len(found.job))
    }


@pytest.mark.parametrize("block", range(4))
def test_both_ways_find_the_same_choices(block: int) -> None:
    for seed in range(50 * block, 50 * block + 50):
        assert all_at_once(small(seed)) == one_at_a_time(small(seed)), f"seed {seed}"


def test_both_ways_agree_on_the_teams_own_weeks() -> None:
    problem = conditioned(instance(Size(60, 7), 2), 2)
    found = one_at_a_time(problem)
    assert all_at_once(problem) == found
    assert len(found) > 100


@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2026-12-31"])
def test_both_ways_agree_where_clocks_change_and_over_midnight(day: str) -> None:
    brussels = ZoneInfo("Europe/Brussels")
    midnight = datetime.combine(date.fromisoformat(day), datetime.min.time(), brussels)
    evening = midnight.astimezone(UTC)
    starts = [evening + timedelta(hours=hour) for hour in range(20, 40)]
    last_day = Credential("national", date(2026, 1, 1), date.fromisoformat(day))
    asked = [
        job(n, slots=(Slot(at, at + timedelta(hours=2), 10),), wanted_at=at)
        for n, at in enumerate(starts, 1)
    ]
    base = problem_of(*asked, now=evening)
    pilots = (
        replace(base.pilots[0], credentials=(last_day,)),
        replace(base.pilots[1], worked=(Window(starts[0], starts[4]),)),
    )
    problem = replace(base, pilots=pilots)
    found = one_at_a_time(problem)
    assert all_at_once(problem) == found
    assert 0 < len(found) < len(asked)


def test_a_plan_made_within_a_second_still_uses_slots_that_touch() -> None:
    start_at = NOW + timedelta(hours=6)
    two_h = timedelta(hours=2)
    first = job(1, slots=(Slot(start_at, start_at + two_h, 10),))
    gap = timedelta(minutes=30)  # 20 to turn around, 10 to prepare; base and scene are the same
    later = start_at + two_h + gap
    second = job(2, slots=(Slot(later, later + two_h, 10),), wanted_at=later)
    problem = problem_of(first, second, drones=1, pilots=1, now=NOW.replace(microsecond=250_001))
    assert solve(problem).unserved == ()


def windy(problem: Problem, gust_mps: float, limit_mps: float | None) -> Problem:
    calm = Forecast(Window(NOW, NOW + timedelta(hours=6)), 3.0, 0.0)
    storm = Forecast(Window(NOW + timedelta(hours=6), NOW + timedelta(hours=7)), gust_mps, 0.0)
    drones = tuple(replace(drone, max_gust_mps=limit_mps) for drone in problem.drones)
    return replace(problem, drones=drones, forecasts=(calm, storm))


@pytest.mark.parametrize(
    ("gust_mps", "limit_mps", "served"),
    [(12.0, 12.0, True), (12.1, 12.0, False), (40.0, None, True)],
)
def test_a_drone_stays_down_in_more_wind_than_it_takes(
    gust_mps: float, limit_mps: float | None, served: bool
) -> None:
    plan = solve(windy(problem_of(job()), gust_mps, limit_mps))
    assert (plan.unserved == ()) is served


def test_of_two_drones_the_one_that_takes_the_rain_flies() -> None:
    problem = problem_of(job())
    dry, wet = problem.drones
    rain = Forecast(Window(NOW, NOW + timedelta(days=1)), 0.0, 4.0)
    problem = replace(problem, drones=(replace(dry, max_rain_mm_h=0.0), wet), forecasts=(rain,))
    assert [a.drone_id for a in solve(problem).assignments] == [wet.id]


def test_a_task_that_needs_light_is_done_between_sunrise_and_sunset() -> None:
    starts = [NOW + timedelta(hours=h) for h in (1, 5, 9)]
    slots = tuple(Slot(at, at + timedelta(hours=2), 10) for at in starts)
    day = Window(NOW + timedelta(hours=4), NOW + timedelta(hours=7))
    asked = job(slots=slots, wanted_at=starts[0], daylight_only=True)
    plan = solve(problem_of(asked, daylight=(day,)))
    assert [a.visit.start_at for a in plan.assignments] == [starts[1]]
    assert solve(problem_of(asked)).unserved == (1,)
    assert solve(problem_of(replace(asked, daylight_only=False))).unserved == ()


def test_nobody_flies_before_the_airspace_is_approved() -> None:
    starts = [NOW + timedelta(hours=h) for h in (4, 6)]
    slots = tuple(Slot(at, at + timedelta(hours=2), 10) for at in starts)
    asked = job(slots=slots, wanted_at=starts[0], cleared_from=starts[0] + timedelta(minutes=1))
    assert [a.visit.start_at for a in solve(problem_of(asked)).assignments] == [starts[1]]


def test_the_validator_finds_each_broken_condition() -> None:
    plan = solve(problem_of(job()))
    storm = Forecast(Window(NOW, NOW + timedelta(days=1)), 20.0, 9.0)
    base = problem_of(job())
    weak = tuple(replace(d, max_gust_mps=10.0, max_rain_mm_h=1.0) for d in base.drones)
    late = NOW + timedelta(days=1)
    for broken, words in (
        (replace(base, drones=weak, forecasts=(storm,)), "wind"),
        (replace(base, drones=weak, forecasts=(storm,)), "rain"),
        (replace(base, jobs=(job(daylight_only=True),)), "dark"),
        (replace(base, jobs=(job(cleared_from=late),)), "airspace"),
    ):
        assert any(words in text for text in violations(broken, plan)), words
    assert violations(base, plan) == []


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_forecast_of_nothing_real_is_refused(bad: float) -> None:
    window = Window(NOW, NOW + timedelta(hours=1))
    with pytest.raises(InputError, match="gust_mps"):
        Forecast(window, bad, 0.0)
    with pytest.raises(InputError, match="rain_mm_h"):
        Forecast(window, 0.0, bad)


def test_the_terms_of_a_plan_are_those_that_the_validator_counts() -> None:
    for seed in range(40):
        problem = conditioned(small(seed), seed)
        plan = solve(problem, seed=seed)
        found = choices(problem)
        expected = term_values(problem, plan.assignments)
        assert values_of(found, plan.assignments) == expected, f"seed {seed}"
    problem = replanned(Size(8, 1), 1)
    plan = solve(problem)
    assert values_of(choices(problem), plan.assignments) == term_values(problem, plan.assignments)


def test_what_is_seen_at_a_glance_is_never_above_the_best_and_keeps_a_best_plan() -> None:
    tight = 0
    for seed in range(80):
        problem = small(seed)
        found = choices(problem)
        nothing: tuple[Assigned, ...] = ()
        best = solve(problem, seed=seed)
        for first in (nothing, best.assignments):
            seen = glance(found, first)
            assert all(seen.lows[term.name] <= term.value for term in best.terms), f"seed {seed}"
            assert np.isin(chosen_of(found, best.assignments), seen.scope.members).all()
        tight += all(seen.lows[term.name] == term.value for term in best.terms)
    assert 10 < tight < 80
