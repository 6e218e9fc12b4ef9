"""Pilots through many days: given out whenever there is a way, and mostly evenly."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import NO, UNKNOWN, YES
from droneteam.fleet.allocation.rota_kernels import Duties, evened, given_out

HOUR = 60
LONGEST, REST = 12 * HOUR, 11 * HOUR
DAY = 24 * HOUR


def duties_of(seed: int, count: int, pilots: int, days: int) -> Duties:
    """Duties from early to late on a few days, some of them open to some pilots only."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        day = rng.randrange(days)
        taken = DAY * day + rng.randrange(2 * HOUR, 18 * HOUR, 30)
        rows.append((taken, taken + rng.randrange(HOUR, 6 * HOUR, 30), day))
    rows.sort()
    table = np.array(rows, dtype=np.int64)
    able = np.array([[rng.random() < 0.8 for _ in range(pilots)] for _ in rows])
    _, alike = np.unique(able, axis=1, return_inverse=True)
    return Duties(
        table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), able,
        alike.reshape(-1).astype(np.int64), able.sum(axis=0).astype(np.int64), LONGEST, REST,
    )  # fmt: skip


def allowed(d: Duties, crew: tuple[int, ...] | list[int]) -> bool:
    """The rules, pair by pair."""
    if not all(d.able[item, pilot] for item, pilot in enumerate(crew)):
        return False
    for one in range(len(crew)):
        for other in range(one + 1, len(crew)):
            if crew[one] != crew[other]:
                continue
            if d.taken_us[other] < d.free_us[one]:
                return False
            if d.day[one] != d.day[other]:
                if d.taken_us[other] - d.free_us[one] < REST:
                    return False
            elif max(d.free_us[one], d.free_us[other]) - d.taken_us[one] > LONGEST:
                return False
    return True


def ways(d: Duties, pilots: int) -> list[tuple[int, ...]]:
    every = product(range(pilots), repeat=len(d.day))
    return [crew for crew in every if allowed(d, crew)]


def most_of(crew: Ints | tuple[int, ...]) -> int:
    return int(np.bincount(np.array(crew)).max())


@pytest.mark.parametrize("seed", range(40))
def test_duties_are_given_out_whenever_there_is_a_way(seed: int) -> None:
    d = duties_of(seed, count=6, pilots=3, days=3)
    crew = np.zeros(6, dtype=np.int64)
    answer, furthest = given_out(d, 100_000, crew)
    every = ways(d, 3)
    assert answer == (YES if every else NO)
    if every:
        assert tuple(crew.tolist()) in set(every)
        least = min(most_of(way) for way in every)
        assert least <= evened(d, crew, least, 100) == most_of(crew)
        assert tuple(crew.tolist()) in set(every)
    else:
        assert 0 <= furthest < 6


def test_nearly_always_the_most_even_way_is_found() -> None:
    reached = tried = 0
    for seed in range(100, 150):
        d = duties_of(seed, count=6, pilots=3, days=4)
        every = ways(d, 3)
        crew = np.zeros(6, dtype=np.int64)
        if every and given_out(d, 100_000, crew)[0] == YES:
            tried += 1
            least = min(most_of(way) for way in every)
            reached += evened(d, crew, least, 200) == least
    assert tried >= 10
    assert reached >= 0.9 * tried


def test_out_of_steps_nothing_is_claimed() -> None:
    d = duties_of(1, count=6, pilots=3, days=3)
    assert given_out(d, 2, np.zeros(6, dtype=np.int64))[0] == UNKNOWN
