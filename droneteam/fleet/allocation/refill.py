"""Fuller shifts of crowded days: pilots' days emptied and filled again, day by day (pure).

A duty day is filled between the rests of the days about it, with the drones left aside, like the
shifts that it begins with (``crowded``).  Visits of several pilots stay with them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.fleet.allocation import refill_kernels
from droneteam.fleet.allocation.choices import MINUTE_US, Choices, Ints
from droneteam.fleet.allocation.refill_kernels import refill
from droneteam.fleet.allocation.shift_kernels import MOST_VISITS, Floats
from droneteam.fleet.allocation.shifts import Shifts

Crews = dict[int, tuple[int, ...]]
"""By choice: the pilots who make it."""
_ROUNDS = 10
"""How often each pilot is emptied, about; more hardly serve anybody else (measured)."""
_AT_ONCE = 50
"""Rounds between two looks at the clock."""
_NEVER_US = 2**61


@dataclass(frozen=True, slots=True)
class Wanted:
    """A duty day's shifts, and (J,) what serving each of its requests is worth."""

    shifts: Shifts
    worth: Floats


def refilled(choices: Choices, days: Sequence[Wanted], crews: Crews, until_s: float) -> Crews:
    """Crews that serve no less on any day, everybody rested.

    until_s : on the monotonic clock; without it the outcome is always the same
    """
    now_s = time.monotonic()
    for index, day in enumerate(days):
        share_s = now_s + (until_s - now_s) * (index + 1) / len(days)
        crews = _of_day(choices, day, crews, share_s)
    return crews


def _of_day(choices: Choices, day: Wanted, crews: Crews, until_s: float) -> Crews:
    shifts = day.shifts
    own, others = _split(shifts, crews)
    pilots = sorted(pilot for kind in shifts.kinds for pilot in kind)
    place = {pilot: index for index, pilot in enumerate(pilots)}
    kind_of = {pilot: index for index, kind in enumerate(shifts.kinds) for pilot in kind}
    taken = {int(choices.job[choice]) for choice in others}
    alone = (shifts.crew == 1) & ~np.isin(shifts.jobs, list(taken))[shifts.job]
    since_us, until_us = _between_rests(choices, shifts, others, pilots)
    board = refill_kernels.Day(
        taken=shifts.times.taken_us,
        free=shifts.times.free_us,
        job=shifts.job,
        able=shifts.able[[kind_of[pilot] for pilot in pilots]] & alone,
        worth=day.worth,
        since=since_us,
        until=until_us,
        longest=shifts.times.longest_us,
    )
    state = _begin(shifts, own, place)
    seed = np.array([len(shifts.members)], dtype=np.int64)
    for _ in range(-(-_ROUNDS * len(pilots) // _AT_ONCE)):
        if time.monotonic() >= until_s:
            break
        refill(board, state, _AT_ONCE, seed)
    found = dict(others)
    for pilot in pilots:
        visits = state.visits[place[pilot], : state.counts[place[pilot]]]
        found.update({int(choice): (pilot,) for choice in shifts.members[visits]})
    return found


def _split(shifts: Shifts, crews: Mapping[int, tuple[int, ...]]) -> tuple[Crews, Crews]:
    """The visits that may be given to others, and those that stay."""
    alone = set(shifts.members[shifts.crew == 1].tolist())
    own = {choice: crew for choice, crew in crews.items() if choice in alone}
    return own, {choice: crew for choice, crew in crews.items() if choice not in own}


def _between_rests(
    choices: Choices, shifts: Shifts, others: Crews, pilots: Sequence[int]
) -> tuple[Ints, Ints]:
    """(P,) from when and until when each may fly; not at all beside visits of this day that stay.

    A pilot's duty of the day would have to begin and end with those as well.
    """
    rest_us = choices.problem.duty.min_rest_min * MINUTE_US
    today = int(choices.day[shifts.members[0]])
    since = dict.fromkeys(pilots, -_NEVER_US)
    until = dict.fromkeys(pilots, _NEVER_US)
    for choice, crew in others.items():
        for pilot in crew:
            if choices.day[choice] <= today:
                rested = int(choices.free_us[choice]) + rest_us
                since[pilot] = max(since.get(pilot, rested), rested)
            if choices.day[choice] >= today:
                called = int(choices.taken_us[choice]) - rest_us
                until[pilot] = min(until.get(pilot, called), called)
    return (
        np.array([since[pilot] for pilot in pilots], dtype=np.int64),
        np.array([until[pilot] for pilot in pilots], dtype=np.int64),
    )


def _begin(shifts: Shifts, own: Crews, place: Mapping[int, int]) -> refill_kernels.DayShifts:
    """The state that the crews come to."""
    state = refill_kernels.DayShifts(
        visits=np.zeros((len(place), MOST_VISITS), dtype=np.int64),
        counts=np.zeros(len(place), dtype=np.int64),
        open=np.ones(len(shifts.jobs), dtype=np.bool_),
    )
    chosen = np.array(sorted(own), dtype=np.int64)
    for choice, visit in zip(chosen.tolist(), shifts.places(chosen).tolist(), strict=True):
        pilot = place[own[choice][0]]
        state.visits[pilot, state.counts[pilot]] = visit
        state.counts[pilot] += 1
        state.open[shifts.job[visit]] = False
    return state
