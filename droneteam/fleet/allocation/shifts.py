"""The shifts of a problem: what one pilot can fly in a duty day, and when they are rested (pure).

Pilots are alike where the same visits are open to them.  Of those who are alike it only counts how
many are away: a shift takes one of them from its first call until the rest after it is over, and
until the duty day is, so that nobody has two on one day.  Such stretches of time can be given to
people without a clash wherever no moment has more of them than there are people; whoever counts
right has therefore a plan for named pilots, and what is proven by counting holds for them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, Flags, Ints
from droneteam.fleet.allocation.realise import crews_for
from droneteam.fleet.allocation.relaxation import capacity_rows, kinds_of
from droneteam.fleet.allocation.shift_kernels import (
    MOST_VISITS,
    Floats,
    Timetable,
    all_shifts,
    best_shifts,
    worth_through,
)


@dataclass(frozen=True, slots=True)
class Prices:
    """What the visits and the pilots' time are worth; K kinds, N nodes.

    reward : (n,) of a visit; held : (K, N + 1) of one pilot more from a node on, 0 at the end
    """

    reward: Floats
    held: Floats


@dataclass(frozen=True, slots=True)
class Shift:
    """Visits of one pilot in one duty day.

    kind : index of the kind of pilot; visits : places in ``Shifts.members``, rising
    leaves, back : the nodes of time at which the pilot goes and is rested again
    """

    kind: int
    visits: tuple[int, ...]
    leaves: int
    back: int


@dataclass(frozen=True, slots=True)
class Shifts:
    """The visits that are still open, in the order of ``Timetable``, and who may make them.

    members : (n,) indices of the choices; job : (n,) place in ``jobs``; jobs : their indices
    kinds : the pilots of each kind; able : (K, n) which visits are open to them
    leaves : (n,) node at which one leaves who begins with the visit; back : (n,) node at which one
        is rested who ends with it, ``nodes`` where that is after the last departure
    day_of_leave : (Q,) index of the day of each departure
    capacity, limits : (rows, n) what is out at each moment of a group, and how much the team has
    """

    choices: Choices
    members: Ints
    job: Ints
    jobs: Ints
    crew: Ints
    times: Timetable
    kinds: tuple[frozenset[int], ...]
    able: Flags
    leaves: Ints
    back: Ints
    nodes: int
    leave_node: Ints
    day_of_leave: Ints
    capacity: csr_array
    limits: Floats

    def shift(self, kind: int, visits: Ints) -> Shift:
        """The shift with these visits."""
        own = np.sort(visits)
        last = own[-1]  # by day, then by the time at which a visit is free
        return Shift(kind, tuple(own.tolist()), int(self.leaves[own].min()), int(self.back[last]))

    def places(self, chosen: Ints) -> Ints:
        """Where the choices stand among the members; all of them have to."""
        order = np.argsort(self.members)
        return order[np.searchsorted(self.members, chosen, sorter=order)]

    def best(self, prices: Prices, most: int) -> tuple[list[Shift], Floats]:
        """Shifts that are worth having, at most so many for each kind and day, and the best worth.

        Returns (K, D) the most that any shift of the kind on the day is worth, 0 where none is.
        """
        leave_count, days = len(self.times.leave_us), len(self.times.day_first) - 1
        found: list[Shift] = []
        top = np.zeros((len(self.kinds), days))
        visits = np.zeros((leave_count, MOST_VISITS), dtype=np.int64)
        counts, worth = np.zeros(leave_count, dtype=np.int64), np.zeros(leave_count)
        for kind in range(len(self.kinds)):
            leaving, returning = self._held(prices, kind)
            best_shifts(
                self.times, self.able[kind], prices.reward, leaving, returning,
                visits, counts, worth,
            )  # fmt: skip
            np.maximum.at(top[kind], self.day_of_leave, worth)
            for leave in self._leading(visits, counts, worth, most).tolist():
                found.append(self.shift(kind, visits[leave, : counts[leave]]))
        return found, top

    def _leading(self, visits: Ints, counts: Ints, worth: Floats, most: int) -> Ints:
        """The departures of the most worthwhile shifts, at most so many a day, each shift once.

        A shift that leaves later is the best of its own departure too, or a better one is.
        """
        own = np.flatnonzero(counts > 0)
        first = visits[own, counts[own] - 1]
        own = own[self.times.taken_us[first] == self.times.leave_us[own]]
        days = self.day_of_leave[own]
        order = np.lexsort((-worth[own], days))
        rank = np.arange(len(own)) - np.searchsorted(days, days)[order]
        leading: Ints = own[order[rank < most]]
        return leading

    def all_worth(self, prices: Prices, least: float, room: int) -> list[Shift] | None:
        """Every shift that is worth at least so much; None where there are more than the room."""
        found: list[Shift] = []
        visits = np.zeros((room, MOST_VISITS), dtype=np.int64)
        counts = np.zeros(room, dtype=np.int64)
        for kind in range(len(self.kinds)):
            leaving, returning = self._held(prices, kind)
            count = all_shifts(
                self.times, self.able[kind], prices.reward, leaving, returning,
                least, visits, counts,
            )  # fmt: skip
            if count < 0 or len(found) + count > room:
                return None
            found += [self.shift(kind, visits[row, : counts[row]]) for row in range(count)]
        return found

    def worth_through(self, prices: Prices) -> Floats:
        """(n,) the most that any shift is worth of which the visit is a part."""
        through = np.full(len(self.members), -np.inf)
        for kind in range(len(self.kinds)):
            leaving, returning = self._held(prices, kind)
            able = self.able[kind]
            worth_through(self.times, able, prices.reward, leaving, returning, through)
        return through

    def by_name(self, visits: Ints) -> list[Shift] | None:
        """Shifts that make exactly these visits, given to people in order of departure.

        None where that order leaves a visit without its crew; others may not.
        """
        chosen = self.members[visits].tolist()
        crews = crews_for(self.choices, chosen)
        if len(crews) < len(chosen):
            return None
        return self.of_crews({choice: crews[choice] for choice in chosen})

    def of_crews(self, crews: Mapping[int, Sequence[int]]) -> list[Shift]:
        """The shifts of the pilots who make the choices."""
        kind_of = {pilot: index for index, kind in enumerate(self.kinds) for pilot in kind}
        chosen = np.array(list(crews), dtype=np.int64)
        duties: dict[tuple[int, int], list[int]] = {}
        for choice, place in zip(chosen.tolist(), self.places(chosen).tolist(), strict=True):
            for pilot in crews[choice]:
                duties.setdefault((pilot, int(self.choices.day[choice])), []).append(place)
        return [
            self.shift(kind_of[pilot], np.array(places))
            for (pilot, _), places in sorted(duties.items())
        ]

    def all_of(self, visits: Ints) -> list[Shift]:
        """Every shift made of these visits alone."""
        only = np.zeros(len(self.members), dtype=np.bool_)
        only[visits] = True
        nothing = Prices(np.zeros(len(only)), np.zeros((len(self.kinds), self.nodes + 1)))
        found, room = None, 1_000
        while found is None:
            room *= 8
            found = replace(self, able=self.able & only).all_worth(nothing, -1.0, room)
        return found

    def worth(self, prices: Prices, shift: Shift) -> float:
        """What the shift is worth at these prices."""
        held = prices.held[shift.kind]
        reward = float(prices.reward[list(shift.visits)].sum())
        return reward + float(held[shift.leaves] - held[shift.back])

    def _held(self, prices: Prices, kind: int) -> tuple[Floats, Floats]:
        held = prices.held[kind]
        return held[self.leave_node], held[self.back]


def shifts_of(choices: Choices, members: Ints) -> Shifts:
    """The shifts that can be made of the choices.

    members : indices of the choices that are open, in rising order
    """
    crewed = crewed_shifts(choices, members)
    capacity, limits = _capacity(choices, members, np.searchsorted(members, crewed.members))
    return replace(crewed, capacity=capacity, limits=limits)


def crewed_shifts(choices: Choices, members: Ints) -> Shifts:
    """As ``shifts_of``, drones and packs aside: nothing is known of a capacity."""
    order = np.lexsort((choices.taken_us[members], choices.free_us[members], choices.day[members]))
    own = members[order]
    times = _timetable(choices, own)
    back = _back(choices, own, times)
    nodes = np.unique(np.append(back[back < len(times.leave_us)], 0))
    leave_of = _leave_index(times)
    kinds = tuple(kinds_of([choices.pilot_sets[i] for i in np.unique(choices.pilots[own])]))
    able = np.array(
        [[kind <= choices.pilot_sets[i] for i in choices.pilots[own]] for kind in kinds]
    )
    leave_node = np.searchsorted(nodes, np.arange(len(times.leave_us)), side="right") - 1
    jobs = np.unique(choices.job[own])
    return Shifts(
        choices=choices,
        members=own,
        job=times.job,
        jobs=jobs,
        crew=choices.crew[own],
        times=times,
        kinds=kinds,
        able=able.reshape(len(kinds), len(own)),
        leaves=leave_node[leave_of],
        back=np.searchsorted(nodes, back),
        nodes=len(nodes),
        leave_node=leave_node,
        day_of_leave=np.repeat(np.arange(len(times.day_first) - 1), np.diff(times.leave_first)),
        capacity=csr_array((0, len(own))),
        limits=np.zeros(0),
    )


def _timetable(choices: Choices, own: Ints) -> Timetable:
    taken, free = choices.taken_us[own], choices.free_us[own]
    _, firsts = np.unique(choices.day[own], return_index=True)
    day_first = np.append(firsts, len(own))
    before = np.zeros(len(own), dtype=np.int64)
    leaves, leave_first = [], [0]
    for first, past in itertools.pairwise(day_first):
        before[first:past] = np.searchsorted(free[first:past], taken[first:past], side="right")
        leaves.append(np.unique(taken[first:past]))
        leave_first.append(leave_first[-1] + len(leaves[-1]))
    return Timetable(
        day_first=day_first,
        leave_first=np.array(leave_first),
        leave_us=np.concatenate(leaves),
        taken_us=taken,
        free_us=free,
        before=before,
        job=np.unique(choices.job[own], return_inverse=True)[1],
        longest_us=choices.problem.duty.max_duty_min * MINUTE_US,
    )


def _leave_index(times: Timetable) -> Ints:
    """(n,) which departure each visit's is; departures rise through all days."""
    return np.searchsorted(times.leave_us, times.taken_us)


def _back(choices: Choices, own: Ints, times: Timetable) -> Ints:
    """(n,) the first departure for which one is rested, on a later day, who ends with the visit."""
    rest_us = choices.problem.duty.min_rest_min * MINUTE_US
    next_day = np.repeat(times.leave_first[1:], np.diff(times.day_first))
    return np.maximum(np.searchsorted(times.leave_us, times.free_us + rest_us), next_day)


def _capacity(choices: Choices, members: Ints, order: Ints) -> tuple[csr_array, Floats]:
    """Drones and packs: what is out of each group at each moment that matters."""
    rows = capacity_rows(choices, members)
    place = np.empty(len(members), dtype=np.int64)
    place[order] = np.arange(len(members))
    columns = place[np.array(rows.columns, dtype=np.int64)]
    shape = (len(rows.limits), len(members))
    return csr_array((rows.weights, (rows.rows, columns)), shape=shape), np.array(rows.limits)
