"""The arrays of who is out when agree with the rules looked at one pair at a time."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import numpy as np

from benchmarks.instances import NOW
from droneteam.fleet.allocation.choices import microseconds
from droneteam.fleet.allocation.diary import Diary, PackDiary, Rota
from droneteam.fleet.assets.registry import DutyRules
from droneteam.fleet.problem import Pack, PackType
from droneteam.fleet.terms import Window
from tests.fleet.test_allocation import problem_of

DUTY = DutyRules()


def window(rng: random.Random) -> Window:
    start_at = NOW + timedelta(minutes=15 * rng.randrange(4 * 24 * 4))
    return Window(start_at, start_at + timedelta(minutes=15 * rng.randint(1, 40)))


def span(one: Window) -> tuple[int, int]:
    return microseconds(one.start_at), microseconds(one.end_at)


def day(one: Window) -> int:
    """The duty day as an index with room before it."""
    return DUTY.day_of(one.start_at).toordinal() - DUTY.day_of(NOW).toordinal() + 2


def idle(diary: Diary, one: Window) -> bool:
    taken_us, free_us = span(one)
    flags = diary.idle(np.array([day(one)]), np.array([taken_us]), np.array([free_us]))
    return bool(flags[0, 0])


def test_a_drone_is_idle_exactly_where_no_occupation_overlaps() -> None:
    outcomes = []
    for seed in range(40):
        rng = random.Random(seed)
        diary, standing = Diary(9, 1, 1), []
        for _ in range(12):
            one = window(rng)
            free = not any(one.overlaps(other) for other in standing)
            assert idle(diary, one) == free
            outcomes.append(free)
            if free:
                standing.append(one)
                diary.add(day(one), 0, *span(one))
    assert 100 < sum(outcomes) < len(outcomes) - 100


def test_a_pilot_is_idle_exactly_where_no_duty_rule_forbids_the_pair() -> None:
    outcomes = []
    for seed in range(40):
        rng = random.Random(seed)
        rota, standing = Rota(9, 1, 1, DUTY), []
        for _ in range(12):
            one = window(rng)
            free = all(DUTY.conflict(other, one) is None for other in standing)
            assert idle(rota, one) == free
            outcomes.append(free)
            if free:
                standing.append(one)
                rota.add(day(one), 0, *span(one))
    assert 60 < sum(outcomes) < len(outcomes) - 60


def test_packs_are_there_exactly_where_at_every_minute_enough_are_charged() -> None:
    kind = PackType("A", 30, 45)
    outcomes = []
    for seed in range(20):
        rng = random.Random(seed)
        charging = NOW + timedelta(hours=20)
        packs = (*(Pack(n, "A") for n in range(1, 5)), Pack(5, "A", charged_at=charging))
        diary = PackDiary(problem_of(packs=packs), kind)
        standing: list[tuple[Window, int]] = []
        for _ in range(40):
            one, needed = window(rng), rng.randint(1, 4)
            until = one.end_at + timedelta(minutes=45)
            steps = range((until - one.start_at) // timedelta(minutes=15))
            moments = [one.start_at + timedelta(minutes=15 * step) for step in steps]
            free = all(needed + out(standing, at) + (at < charging) <= 5 for at in moments)
            assert diary.has(needed, *span(one)) == free
            outcomes.append(free)
            if free:
                standing.append((one, needed))
                diary.add(needed, *span(one))
    assert 50 < sum(outcomes) < len(outcomes) - 50


def out(standing: list[tuple[Window, int]], at: datetime) -> int:
    """Packs that are flown or charge at the moment."""
    charge = timedelta(minutes=45)
    return sum(n for one, n in standing if one.start_at <= at < one.end_at + charge)
