# mypy: disable-error-code="untyped-decorator"
"""Compiled inner loops over the shifts that one pilot can fly in a duty day (pure).

A shift is a row of visits that follow each other without overlap, of different requests and within
the longest duty.  Its worth is the sum of its visits' rewards, plus what leaving at its first visit
is worth, minus what being back from its last one costs.

Visits stand by day, within a day by the time at which they are free.  ``before`` counts, for each
visit, those of its day that are free when it is taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from droneteam.fleet.allocation.choices import Flags, Ints

Floats = NDArray[np.float64]
MOST_VISITS = 32
"""Visits in one shift; a visit takes a quarter of an hour at least, its turnaround included."""
_NEVER = -1e18
_WORTH = 1e-7
"""A shift worth no more than this is not worth having."""


class Timetable(NamedTuple):
    """What the kernels read; D days, Q different departures, n visits.

    day_first : (D + 1,) where each day's visits begin; leave_first : (D + 1,) its departures
    leave_us : (Q,) departures by day, each once
    taken_us, free_us, before, job : (n,)
    longest_us : the longest duty
    """

    day_first: Ints
    leave_first: Ints
    leave_us: Ints
    taken_us: Ints
    free_us: Ints
    before: Ints
    job: Ints
    longest_us: int


@numba.njit(cache=True, nogil=True)
def best_shifts(
    times: Timetable,
    able: Flags,
    reward: Floats,
    leaving: Floats,
    returning: Floats,
    visits: Ints,
    counts: Ints,
    worth: Floats,
) -> None:
    """For each departure the shift of most worth among those that leave then or later.

    able, reward, returning : (n,); leaving : (Q,)
    visits : (Q, MOST_VISITS), filled with the visits of the best, the last one first
    counts, worth : (Q,), filled; a count of 0 marks that none is worth having
    A request may stand twice in such a shift: the worth is a bound for those that are allowed.
    """
    for day in range(len(times.day_first) - 1):
        first = times.day_first[day]
        size = times.day_first[day + 1] - first
        best = np.zeros(size + 1)
        for leave in range(times.leave_first[day], times.leave_first[day + 1]):
            start_us = times.leave_us[leave]
            end_us = start_us + times.longest_us
            most, last = _NEVER, -1
            for place in range(size):
                visit = first + place
                best[place + 1] = best[place]
                if able[visit] and times.taken_us[visit] >= start_us:
                    if times.free_us[visit] > end_us:
                        continue
                    so_far = reward[visit] + best[times.before[visit]]
                    if so_far - returning[visit] > most:
                        most, last = so_far - returning[visit], place
                    if so_far > best[place] + 1e-9:
                        best[place + 1] = so_far
            worth[leave] = most + leaving[leave]
            counts[leave] = 0
            if worth[leave] > _WORTH:
                counts[leave] = _way_back(times.before, first, last, best, visits[leave])


@numba.njit(cache=True, nogil=True)
def _way_back(before: Ints, first: int, last: int, best: Floats, visits: Ints) -> int:
    """Writes the visits that led to the last one, from the last to the first; how many."""
    visits[0] = first + last
    count = 1
    place = before[first + last]
    while place > 0 and count < MOST_VISITS:
        if best[place] > best[place - 1]:
            visits[count] = first + place - 1
            count += 1
            place = before[first + place - 1]
        else:
            place -= 1
    return count


@numba.njit(cache=True, nogil=True)
def all_shifts(
    times: Timetable,
    able: Flags,
    reward: Floats,
    leaving: Floats,
    returning: Floats,
    least: float,
    visits: Ints,
    counts: Ints,
) -> int:
    """Every allowed shift that is worth at least so much, each once; how many, -1 if too many.

    visits : (room, MOST_VISITS) and counts : (room,) are filled
    """
    found = 0
    for day in range(len(times.day_first) - 1):
        first, past = times.day_first[day], times.day_first[day + 1]
        order = first + np.argsort(times.taken_us[first:past], kind="mergesort")
        next_one = np.searchsorted(times.taken_us[order], times.free_us[order])
        for leave in range(times.leave_first[day], times.leave_first[day + 1]):
            start_us = times.leave_us[leave]
            onward = _onward(times, able, reward, returning, order, next_one, start_us)
            for place in range(len(order)):
                if times.taken_us[order[place]] == start_us:
                    found = _extend(
                        times, reward, returning, order, next_one, onward,
                        place, leaving[leave], least, visits, counts, found,
                    )  # fmt: skip
                    if found < 0:
                        return -1
    return found


@numba.njit(cache=True, nogil=True)
def _onward(
    times: Timetable,
    able: Flags,
    reward: Floats,
    returning: Floats,
    order: Ints,
    next_one: Ints,
    start_us: int,
) -> Floats:
    """(2, m + 1): the most that a shift can still gain with the visit at each place or a later one.

    Row 0 begins with exactly this visit, row 1 with it or any later.
    """
    size = len(order)
    onward = np.full((2, size + 1), _NEVER)
    for place in range(size - 1, -1, -1):
        visit = order[place]
        in_duty = times.free_us[visit] <= start_us + times.longest_us
        if able[visit] and times.taken_us[visit] >= start_us and in_duty:
            ahead = max(-returning[visit], onward[1, next_one[place]])
            onward[0, place] = reward[visit] + ahead
        onward[1, place] = max(onward[0, place], onward[1, place + 1])
    return onward


@numba.njit(cache=True, nogil=True)
def _extend(
    times: Timetable,
    reward: Floats,
    returning: Floats,
    order: Ints,
    next_one: Ints,
    onward: Floats,
    place: int,
    leaving: float,
    least: float,
    visits: Ints,
    counts: Ints,
    found: int,
) -> int:
    """Adds all shifts that begin at the place, depth first; the new count, -1 if too many."""
    size = len(order)
    places = np.zeros(MOST_VISITS, np.int64)
    tries = np.zeros(MOST_VISITS, np.int64)
    gained = np.zeros(MOST_VISITS)
    if leaving + onward[0, place] < least:
        return found
    depth = 0
    places[0], gained[0] = place, leaving
    descend = True
    while depth >= 0:
        visit = order[places[depth]]
        if descend:
            gained[depth] += reward[visit]
            tries[depth] = next_one[places[depth]]
            if gained[depth] - returning[visit] >= least:
                if found >= len(counts):
                    return -1
                for step in range(depth + 1):
                    visits[found, step] = order[places[step]]
                counts[found] = depth + 1
                found += 1
            descend = False
        at = tries[depth]
        if at >= size or depth + 1 >= MOST_VISITS or gained[depth] + onward[1, at] < least:
            depth -= 1
            continue
        tries[depth] = at + 1
        if gained[depth] + onward[0, at] < least:
            continue
        again = False
        for step in range(depth + 1):
            again = again or times.job[order[places[step]]] == times.job[order[at]]
        if not again:
            depth += 1
            places[depth], gained[depth] = at, gained[depth - 1]
            descend = True
    return found


@numba.njit(cache=True, nogil=True)
def worth_through(
    times: Timetable,
    able: Flags,
    reward: Floats,
    leaving: Floats,
    returning: Floats,
    through: Floats,
) -> None:
    """Raises, for each visit, the most that a shift is worth of which it is a part.

    through : (n,); like ``best_shifts``, a request may stand twice in such a shift
    """
    for day in range(len(times.day_first) - 1):
        first, past = times.day_first[day], times.day_first[day + 1]
        order = first + np.argsort(times.taken_us[first:past], kind="mergesort")
        next_one = np.searchsorted(times.taken_us[order], times.free_us[order])
        best = np.zeros(past - first + 1)
        for leave in range(times.leave_first[day], times.leave_first[day + 1]):
            start_us = times.leave_us[leave]
            for place in range(past - first):
                visit = first + place
                best[place + 1] = best[place]
                in_duty = times.free_us[visit] <= start_us + times.longest_us
                if able[visit] and times.taken_us[visit] >= start_us and in_duty:
                    gained = reward[visit] + best[times.before[visit]]
                    best[place + 1] = max(best[place], gained)
            onward = _onward(times, able, reward, returning, order, next_one, start_us)
            for place in range(len(order)):
                visit = order[place]
                most = leaving[leave] + best[times.before[visit]] + onward[0, place]
                through[visit] = max(through[visit], most)
