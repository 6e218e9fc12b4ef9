"""Fuller shifts: nobody less is served, and every pilot's duty and rest stay what they must be."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from benchmarks.instances import Size, instance
from droneteam.fleet.allocation import refill_kernels
from droneteam.fleet.allocation.choices import MINUTE_US, Choices, choices
from droneteam.fleet.allocation.refill import Crews, Wanted, refilled
from droneteam.fleet.allocation.refill_kernels import _fill
from droneteam.fleet.allocation.shift_kernels import MOST_VISITS
from droneteam.fleet.allocation.shifts import crewed_shifts
from droneteam.fleet.problem import Problem

GENEROUS_S = 600.0


def days_of(found: Choices) -> list[Wanted]:
    wanted = []
    for day in np.unique(found.day).tolist():
        shifts = crewed_shifts(found, np.flatnonzero(found.day == day))
        wanted.append(Wanted(shifts, np.ones(len(shifts.jobs))))
    return wanted


def problem_of(seed: int) -> Problem:
    problem = instance(Size(40, 2, pilots=5), seed)
    jobs = [replace(one, crew=2 if one.request_id % 9 == 0 else 1) for one in problem.jobs]
    return replace(problem, jobs=tuple(jobs))


def broken(found: Choices, crews: Crews) -> Iterator[str]:
    """What stands against the crews, worked out from the choices one by one."""
    jobs = [int(found.job[choice]) for choice in crews]
    if len(set(jobs)) < len(jobs):
        yield "a request is served twice"
    duty = found.problem.duty
    for choice, crew in crews.items():
        if len(set(crew)) != found.crew[choice] or not found.able_pilots(choice) >= set(crew):
            yield f"choice {choice} has the crew {crew}"
    for one, other in combinations(crews, 2):
        if set(crews[one]) & set(crews[other]):
            windows = found.visit(one).occupied, found.visit(other).occupied
            if duty.conflict(*windows) is not None:
                yield f"choices {one} and {other} clash"


@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 30))]
)
def test_what_is_filled_again_serves_more_and_keeps_every_duty(seed: int) -> None:
    problem = problem_of(seed)
    found = choices(problem)
    pairs = np.flatnonzero(found.crew == 2)
    crews: Crews = {}
    if len(pairs):
        pilots = sorted(found.able_pilots(int(pairs[0])))[:2]
        crews[int(pairs[0])] = (pilots[0], pilots[1])
    more = refilled(found, days_of(found), crews, time.monotonic() + GENEROUS_S)
    assert list(broken(found, more)) == []
    assert set(crews) <= set(more)
    assert len(more) > 8
    again = refilled(found, days_of(found), more, time.monotonic() + GENEROUS_S)
    assert list(broken(found, again)) == []
    assert len(again) >= len(more)
    assert refilled(found, days_of(found), crews, time.monotonic() + GENEROUS_S) == more


def test_without_time_the_crews_stay_as_they_are() -> None:
    found = choices(problem_of(3))
    some = refilled(found, days_of(found), {}, time.monotonic() + GENEROUS_S)
    assert refilled(found, days_of(found), some, time.monotonic() - 1.0) == some


def most_by_trying(taken: list[int], free: list[int], worth: list[float], longest: int) -> float:
    """The most that visits of different requests without overlap are worth in one duty."""
    best = 0.0
    for count in range(1, len(taken) + 1):
        for own in combinations(range(len(taken)), count):
            order = sorted(own, key=lambda one: taken[one])
            apart = all(free[one] <= taken[other] for one, other in pairwise(order))
            span = max(free[one] for one in own) - min(taken[one] for one in own)
            if apart and span <= longest:
                best = max(best, sum(worth[one] for one in own))
    return best


def test_a_pilot_gets_the_shift_of_most_worth_among_all_shifts() -> None:
    rng = np.random.default_rng(9)
    for _ in range(150):
        n = int(rng.integers(1, 9))
        taken = rng.integers(0, 60, n)
        free = taken + rng.integers(1, 25, n)
        order = np.argsort(free, kind="stable")
        taken, free = taken[order] * MINUTE_US, free[order] * MINUTE_US
        worth = rng.uniform(0.1, 2.0, n)
        longest = int(rng.integers(10, 70)) * MINUTE_US
        since, until = np.array([5 * MINUTE_US]), np.array([70 * MINUTE_US])
        able = rng.random((1, n)) < 0.9
        day = refill_kernels.Day(taken, free, np.arange(n), able, worth, since, until, longest)
        state = refill_kernels.DayShifts(
            np.zeros((1, MOST_VISITS), dtype=np.int64),
            np.zeros(1, dtype=np.int64),
            rng.random(n) < 0.9,
        )
        may = able[0] & state.open & (taken >= since[0]) & (free <= until[0])
        own = np.flatnonzero(may)
        expected = most_by_trying(
            taken[own].tolist(), free[own].tolist(), worth[own].tolist(), longest
        )
        _fill(day, state, 0, worth)
        given = state.visits[0, : state.counts[0]]
        assert worth[given].sum() == pytest.approx(expected)
        assert may[given].all()
        assert not state.open[given].any()
