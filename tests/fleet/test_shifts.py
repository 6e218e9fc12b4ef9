"""What one pilot can fly in a duty day: compiled searches against trying every set of visits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest

from benchmarks.instances import Size, conditioned, instance, small
from droneteam.fleet.allocation.choices import choices
from droneteam.fleet.allocation.shifts import Prices, Shift, Shifts, shifts_of
from droneteam.fleet.terms import Window

ROOM = 20_000


def shifts_from(seed: int) -> Shifts | None:
    found = choices(conditioned(small(seed, most_jobs=6), seed))
    return shifts_of(found, np.arange(len(found.job))) if len(found.job) else None


def prices_for(shifts: Shifts, seed: int) -> Prices:
    """Prices as a linear program could give them: time is never worth more earlier."""
    rng = np.random.default_rng(seed)
    held = -np.sort(rng.integers(0, 50, (len(shifts.kinds), shifts.nodes + 1)))[:, ::-1]
    held[:, -1] = 0
    return Prices(rng.integers(-20, 100, len(shifts.members)).astype(float), held.astype(float))


def every_shift(shifts: Shifts, kind: int) -> Iterator[tuple[int, ...]]:
    """All sets of visits that the duty rules allow one pilot of the kind on one day."""
    problem, members = shifts.choices.problem, shifts.members
    windows = [shifts.choices.visit(int(choice)).occupied for choice in members]
    open_ones = np.flatnonzero(shifts.able[kind]).tolist()
    for size in range(1, 5):
        for some in combinations(open_ones, size):
            days = {problem.duty.day_of(windows[visit].start_at) for visit in some}
            jobs = {int(shifts.job[visit]) for visit in some}
            if len(days) == 1 and len(jobs) == size and _no_conflict(shifts, some, windows):
                yield some


def _no_conflict(shifts: Shifts, some: tuple[int, ...], windows: list[Window]) -> bool:
    duty = shifts.choices.problem.duty
    return all(
        duty.conflict(windows[one], windows[other]) is None for one, other in combinations(some, 2)
    )


def worth_by_hand(shifts: Shifts, prices: Prices, kind: int, some: tuple[int, ...]) -> float:
    held = prices.held[kind]
    last = max(some, key=lambda visit: shifts.times.free_us[visit])
    first = min(some, key=lambda visit: shifts.times.taken_us[visit])
    reward = sum(float(prices.reward[visit]) for visit in some)
    return reward + float(held[shifts.leaves[first]] - held[shifts.back[last]])


@pytest.mark.parametrize("seed", range(12))
def test_every_shift_that_the_rules_allow_is_found_once(seed: int) -> None:
    shifts = shifts_from(seed)
    if shifts is None:
        pytest.skip("nothing can be flown in this random problem")
    nothing = Prices(np.zeros(len(shifts.members)), np.zeros((len(shifts.kinds), shifts.nodes + 1)))
    found = shifts.all_worth(nothing, -1.0, ROOM)
    assert found is not None
    expected = {
        (kind, some) for kind in range(len(shifts.kinds)) for some in every_shift(shifts, kind)
    }
    assert {(shift.kind, shift.visits) for shift in found} == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("seed", range(12))
def test_only_what_is_worth_it_is_written_down_and_the_best_is_known(seed: int) -> None:
    shifts = shifts_from(seed)
    if shifts is None:
        pytest.skip("nothing can be flown in this random problem")
    prices = prices_for(shifts, seed)
    worth = {
        (kind, some): worth_by_hand(shifts, prices, kind, some)
        for kind in range(len(shifts.kinds))
        for some in every_shift(shifts, kind)
    }
    found = shifts.all_worth(prices, 30.0, ROOM)
    assert found is not None
    kept = {key for key, value in worth.items() if value >= 30.0}
    assert {(shift.kind, shift.visits) for shift in found} == kept
    _, top = shifts.best(prices, most=3)
    days = shifts.choices.day[shifts.members]
    through = shifts.worth_through(prices)
    for (kind, some), value in worth.items():
        day = int(np.searchsorted(np.unique(days), days[some[0]]))
        assert value <= top[kind, day] + 1e-9
        assert all(value <= through[visit] + 1e-9 for visit in some)


def test_the_best_shift_is_no_better_than_a_real_one_where_requests_have_one_time() -> None:
    """With one slot and one base each, no request can stand twice, and the bound is exact."""
    tight = 0
    for seed in range(40):
        found = choices(small(seed, most_jobs=6))
        _, firsts = np.unique(found.job, return_index=True)
        if len(firsts) == 0:
            continue
        shifts = shifts_of(found, np.sort(firsts))
        prices = prices_for(shifts, seed)
        _, top = shifts.best(prices, most=1)
        for kind in range(len(shifts.kinds)):
            worth = [
                worth_by_hand(shifts, prices, kind, some) for some in every_shift(shifts, kind)
            ]
            best = max([0.0, *worth])
            assert top[kind].max() == pytest.approx(best)
            tight += best > 0.0
    assert tight > 20


def test_who_ends_late_is_not_back_for_an_early_call_of_the_next_day() -> None:
    found = choices(instance(Size(40, 3), 0))
    shifts = shifts_of(found, np.arange(len(found.job)))
    rest_us = found.problem.duty.min_rest_min * 60_000_000
    times = shifts.times
    days = found.day[shifts.members]
    refused = allowed = 0
    for visit in range(0, len(shifts.members), 7):
        for other in range(0, len(shifts.members), 11):
            if days[other] > days[visit]:
                rested = times.taken_us[other] - times.free_us[visit] >= rest_us
                assert (shifts.back[visit] <= shifts.leaves[other]) == rested
                refused += not rested
                allowed += rested
            elif days[other] == days[visit]:
                assert shifts.back[visit] > shifts.leaves[other]
    assert refused > 0
    assert allowed > 0


def test_too_many_shifts_are_not_written_down() -> None:
    found = choices(instance(Size(40, 2), 0))
    shifts = shifts_of(found, np.arange(len(found.job)))
    nothing = Prices(np.zeros(len(shifts.members)), np.zeros((len(shifts.kinds), shifts.nodes + 1)))
    assert shifts.all_worth(nothing, -1.0, room=50) is None


def test_a_shift_made_of_given_visits_uses_no_other() -> None:
    found = choices(instance(Size(30, 2), 1))
    shifts = shifts_of(found, np.arange(len(found.job)))
    some = np.arange(0, len(shifts.members), 9)
    made: list[Shift] = shifts.all_of(some)
    assert made
    assert set().union(*(shift.visits for shift in made)) <= set(some.tolist())
