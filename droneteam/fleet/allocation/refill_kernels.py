# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled search for fuller shifts: some pilots' days are emptied and filled again (pure).

Shaw, "Using constraint programming and local search methods to solve vehicle routing problems",
1998: what is emptied is filled one pilot after the other, each with the shift of most worth among
the requests that nobody has, exactly (``_fill``).  What serves less is undone.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Flags, Ints
from droneteam.fleet.allocation.exact_kernels import inner
from droneteam.fleet.allocation.shift_kernels import MOST_VISITS, Floats

_SPREAD = 0.1
"""Of a request's worth, at random: which of the shifts that serve as many is taken."""
_MOST_EMPTIED = 3
"""Pilots at once; more are seldom filled as well again one after the other."""


class Day(NamedTuple):
    """What is read of one duty day; n visits by the time at which they are free, P pilots.

    taken, free, job : (n,); able : (P, n); worth : (J,) of a request
    since, until : (P,) when the pilot is rested, and when the next rest has to begin
    longest : the longest duty
    """

    taken: Ints
    free: Ints
    job: Ints
    able: Flags
    worth: Floats
    since: Ints
    until: Ints
    longest: int


class DayShifts(NamedTuple):
    """Who flies what: visits (P, MOST_VISITS), counts (P,); open : (J,) requests nobody has."""

    visits: Ints
    counts: Ints
    open: Flags


@inner
def _next(state: Ints) -> float:
    """A number from 0 to 1 that looks random (Knuth's MMIX generator, its upper bits)."""
    state[0] = state[0] * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407
    return ((state[0] >> 11) & (2**52 - 1)) / 2.0**52


@numba.njit(cache=True)
def _fill(d: Day, s: DayShifts, pilot: int, price: Floats) -> None:
    """Gives the pilot, who has nothing, the shift of most worth among the open requests."""
    size = 0
    own = np.empty(len(d.taken), np.int64)
    for visit in range(len(d.taken)):
        if (
            s.open[d.job[visit]]
            and d.able[pilot, visit]
            and d.taken[visit] >= d.since[pilot]
            and d.free[visit] <= d.until[pilot]
        ):
            own[size] = visit
            size += 1
    own = own[:size]
    taken, free = d.taken[own], d.free[own]
    before = np.searchsorted(free, taken, side="right")
    best, most = np.zeros(size + 1), 0.0
    top, length = np.empty(MOST_VISITS, np.int64), 0
    starts = np.unique(taken)
    for start in starts:
        last = -1
        first = np.searchsorted(free, start, side="right")
        best[first] = 0.0
        for place in range(first, size):
            if free[place] > start + d.longest:
                break
            best[place + 1] = best[place]
            if taken[place] < start:
                continue
            so_far = price[d.job[own[place]]]
            if before[place] > first:
                so_far += best[before[place]]
            if so_far > best[place] + 1e-9:
                best[place + 1] = so_far
            if so_far > most:
                most, last = so_far, place
        if last >= 0:
            length = _way_back(best, before, first, last, top)
    for step in range(length):
        visit = own[top[step]]
        if s.open[d.job[visit]]:
            s.open[d.job[visit]] = False
            s.visits[pilot, s.counts[pilot]] = visit
            s.counts[pilot] += 1


@numba.njit(cache=True)
def _way_back(best: Floats, before: Ints, first: int, last: int, top: Ints) -> int:
    """Writes the places that led to the last one; how many."""
    top[0] = last
    count, place = 1, before[last]
    while place > first and count < MOST_VISITS:
        if best[place] > best[place - 1]:
            top[count] = place - 1
            count += 1
            place = before[place - 1]
        else:
            place -= 1
    return count


@inner
def _empty(d: Day, s: DayShifts, pilot: int) -> float:
    """Takes everything from the pilot; what it was worth."""
    worth = 0.0
    for step in range(s.counts[pilot]):
        job = d.job[s.visits[pilot, step]]
        worth += d.worth[job]
        s.open[job] = True
    s.counts[pilot] = 0
    return worth


@numba.njit(cache=True, nogil=True)
def refill(d: Day, s: DayShifts, rounds: int, state: Ints) -> None:
    """Empties and fills some pilots at a time, so many times; what is served only becomes more.

    state : (1,) of the numbers that look random
    """
    pilots = len(d.since)
    price = np.empty(len(d.worth))
    chosen = np.empty(_MOST_EMPTIED, np.int64)
    kept = np.empty((_MOST_EMPTIED, MOST_VISITS), np.int64)
    counts = np.empty(_MOST_EMPTIED, np.int64)
    for _ in range(rounds):
        several = min(pilots, 1 + int(_next(state) * _MOST_EMPTIED))
        for job in range(len(price)):
            price[job] = d.worth[job] * (1.0 + _SPREAD * _next(state))
        lost = 0.0
        for index in range(several):
            pilot = int(_next(state) * pilots)
            while np.any(chosen[:index] == pilot):
                pilot = int(_next(state) * pilots)
            chosen[index] = pilot
            counts[index] = s.counts[pilot]
            kept[index] = s.visits[pilot]
            lost += _empty(d, s, pilot)
        for index in range(several):
            _fill(d, s, chosen[index], price)
        gained = 0.0
        for index in range(several):
            pilot = chosen[index]
            for step in range(s.counts[pilot]):
                gained += d.worth[d.job[s.visits[pilot, step]]]
        if gained >= lost:
            continue
        for index in range(several):
            _empty(d, s, chosen[index])
        for index in range(several):
            pilot = chosen[index]
            s.visits[pilot] = kept[index]
            s.counts[pilot] = counts[index]
            for step in range(s.counts[pilot]):
                s.open[d.job[s.visits[pilot, step]]] = False
