"""Days of thousands of requests that cannot all be served: a bound, and shifts by prices (pure).

Asked is one number: how many of one class are left out at least.  Pilots are counted by kind, with
their duties; drones, packs and the rest between two days are left aside, which can only make the
number smaller.  Each day is taken alone:

1. A linear program over the day counts, on a grid of moments, visits that are out and duties that
   cover them (``_prices``).  What it says is used for its prices only: what it is worth to have one
   request less to serve.
2. Whatever the prices are, what the best shifts are worth at them bounds every plan from below
   (``_most_served``; Lagrange): the compiled search over all shifts is exact, so that the bound
   needs no trust in the linear program, in its grid, or in its solver's tolerances.
3. The same search gives the plan: shift by shift the best that is left at these prices
   (``_packed``), until everybody has one.  They are named with the rest in mind (``_crews``), and
   given out class by class like any other plan.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, Flags, Ints
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.realise import drones_for
from droneteam.fleet.allocation.refill import Wanted, refilled
from droneteam.fleet.allocation.scoring import Glance, values_of
from droneteam.fleet.allocation.shift_kernels import MOST_VISITS, Floats
from droneteam.fleet.allocation.shifts import Prices, Shift, Shifts, crewed_shifts
from droneteam.fleet.problem import Assigned
from droneteam.fleet.terms import PRIORITIES

_GRID_US = 5 * MINUTE_US
"""Of the linear program; visits are shortened to it, so that none is lost by it."""
_MOST_GROUPS = 8
"""Groups of pilots that the linear program counts; fewer make its prices worse, nothing wrong."""
_NEAR_BEST = 0.97
"""Share of the best shift's worth down to which shifts are taken before all are priced again."""
_OWN_PRICE = 0.95
"""Share of a request's price that a shift pays for it: the dear ones have to be served too."""
_URGENT = 0.2
"""What serving a request that has to be served is worth beyond its price."""
_NEVER = 1e6
"""The price of a request that a shift has already."""
_CANDIDATES = 1_000
"""Shifts of a kind that are looked at before all are priced again."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """A plan that breaks no rule, and the proven bounds of terms."""

    assignments: tuple[Assigned, ...]
    bounds: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Day:
    """One day's visits, nobody's that encloses another of the same request; J requests.

    asked : (J,) those of the class that is counted; must : (J,) those that have to be served
    """

    shifts: Shifts
    asked: Flags
    must: Flags

    @property
    def sizes(self) -> Ints:
        """(K,) how many pilots there are of each kind."""
        return np.array([len(kind) for kind in self.shifts.kinds], dtype=np.int64)

    def best(self, prices: Floats) -> tuple[list[Shift], Floats]:
        """Shifts at these prices of the requests, and (K,) what the best of each kind is worth.

        A visit of several pilots pays each of them a part.
        """
        shifts = self.shifts
        worth = (self.asked - prices)[shifts.job] / shifts.crew
        nothing = np.zeros((len(shifts.kinds), shifts.nodes + 1))
        found, top = shifts.best(Prices(worth, nothing), _CANDIDATES)
        return found, np.maximum(top.max(axis=1), 0.0)


def first_left_out(seen: Glance, values: Mapping[str, int]) -> str | None:
    """The class of which more are left out than must be, so far; None where another term stands
    before it."""
    open_terms = [name for name in seen.lows if values[name] > seen.lows[name]]
    if not open_terms or not open_terms[0].startswith("unserved_"):
        return None
    return open_terms[0].removeprefix("unserved_")


def solve_crowded(
    choices: Choices, seen: Glance, first: Sequence[Assigned], time_limit_s: float
) -> Crowded:
    """A plan that leaves fewer out, and at least how many every plan does.

    first : a plan that breaks no rule; what comes back is no worse
    """
    until_s = time.monotonic() + time_limit_s
    priority = first_left_out(seen, values_of(choices, first))
    if priority is None:
        return Crowded(tuple(first), {})
    served, packed = 0, []
    for day in _days(choices, seen, priority):
        prices = _prices(day) if time.monotonic() < until_s else np.zeros(len(day.asked))
        served += _most_served(day, prices)
        packed.append((day, _packed(day, prices, until_s)))
    name = f"unserved_{priority}"
    asked = sum(job.priority == priority for job in choices.problem.jobs)
    bounds = {name: max(seen.lows[name], asked - served)}
    crews = refilled(choices, [_wanted(day) for day, _ in packed], _crews(packed), until_s)
    wanted = _assigned(choices, crews)
    plans = (tuple(first), give_out(choices, wanted))
    return Crowded(min(plans, key=lambda plan: [*values_of(choices, plan).values()]), bounds)


def _wanted(day: _Day) -> Wanted:
    """What a day's requests are worth: of the class one, of those before it more than all others
    of a shift."""
    return Wanted(day.shifts, np.where(day.asked, 1.0, float(2 * MOST_VISITS)))


def _days(choices: Choices, seen: Glance, priority: str) -> list[_Day]:
    """The duty days, with the requests up to the class."""
    jobs = choices.problem.jobs
    ranks = np.array([PRIORITIES.index(job.priority) for job in jobs])
    rank = PRIORITIES.index(priority)
    members = seen.scope.members[ranks[choices.job[seen.scope.members]] <= rank]
    members = _shortest(choices, members)
    on_days = np.unique(np.stack([choices.job[members], choices.day[members]]), axis=1)
    several = np.flatnonzero(np.bincount(on_days[0], minlength=len(jobs)) > 1)
    must = np.setdiff1d(np.array(sorted(seen.scope.must), dtype=np.int64), several)
    days = []
    for day in np.unique(choices.day[members]).tolist():
        shifts = crewed_shifts(choices, members[choices.day[members] == day])
        days.append(_Day(shifts, ranks[shifts.jobs] == rank, np.isin(shifts.jobs, must)))
    return days


def _shortest(choices: Choices, members: Ints) -> Ints:
    """Without the visits that enclose another one of the same request for the same pilots."""
    taken, free = choices.taken_us[members], choices.free_us[members]
    order = np.lexsort((free, -taken, choices.pilots[members], choices.job[members]))
    kept: list[int] = []
    last, earliest = (-1, -1), 0
    jobs, pilots = choices.job[members], choices.pilots[members]
    for place in order.tolist():
        key = (int(jobs[place]), int(pilots[place]))
        if key != last or free[place] < earliest:
            kept.append(place)
            last, earliest = key, int(free[place])
    return np.sort(members[np.array(kept, dtype=np.int64)])


def _most_served(day: _Day, prices: Floats) -> int:
    """How many of the class any plan serves at most, by whatever prices."""
    prices = np.where(day.must, prices, np.maximum(prices, 0.0))
    worth = float(prices.sum()) + float(day.sizes @ day.best(prices)[1])
    return min(int(day.asked.sum()), int(np.floor(worth + 1e-6)))


def _prices(day: _Day) -> Floats:
    """(J,) what one request less would be worth, by counting; below 0 where it has to be served."""
    from ortools.linear_solver import pywraplp  # slow to load

    solver: Any = pywraplp.Solver.CreateSolver("GLOP")
    goal = solver.Objective()
    goal.SetMaximization()
    rows = [solver.Constraint(float(must), 1.0) for must in day.must.tolist()]
    visits = [solver.NumVar(0.0, solver.infinity(), "") for _ in day.shifts.members]
    for visit, job in zip(visits, day.shifts.job.tolist(), strict=True):
        rows[job].SetCoefficient(visit, 1.0)
        goal.SetCoefficient(visit, float(day.asked[job]))
    _count_pilots(solver, day, visits)
    if solver.Solve() != solver.OPTIMAL:
        return np.zeros(len(rows))
    return np.array([row.dual_value() for row in rows])


def _count_pilots(solver: Any, day: _Day, visits: Sequence[Any]) -> None:
    """In each group of pilots: who is on duty is idle, or out with a visit."""
    shifts = day.shifts
    starts, ends, length = _on_grid(shifts)
    first = np.unique(starts)
    duties = [[solver.NumVar(0.0, float(size), "") for _ in first] for size in day.sizes.tolist()]
    for size, own in zip(day.sizes.tolist(), duties, strict=True):
        row = solver.Constraint(0.0, float(size))
        for duty in own:
            row.SetCoefficient(duty, 1.0)
    for kinds in _groups(shifts):
        rows = _flow(solver, int(ends.max()) + 1)
        inside = np.flatnonzero(~shifts.able[~kinds].any(axis=0)).tolist()
        for visit in inside:
            crew = float(shifts.crew[visit])
            rows[starts[visit]].SetCoefficient(visits[visit], crew)
            rows[ends[visit]].SetCoefficient(visits[visit], -crew)
        for kind in np.flatnonzero(kinds).tolist():
            for start, duty in zip(first.tolist(), duties[kind], strict=True):
                rows[start].SetCoefficient(duty, -1.0)
                if start + length < len(rows):
                    rows[start + length].SetCoefficient(duty, 1.0)


def _flow(solver: Any, moments: int) -> list[Any]:
    """Rows over the moments: the idle ones stay so from one to the next."""
    rows = [solver.Constraint(0.0, 0.0) for _ in range(moments)]
    for number, row in enumerate(rows):
        idle = solver.NumVar(0.0, solver.infinity(), "")
        row.SetCoefficient(idle, 1.0)
        if number + 1 < moments:
            rows[number + 1].SetCoefficient(idle, -1.0)
    return rows


def _on_grid(shifts: Shifts) -> tuple[Ints, Ints, int]:
    """(n,) first and last moment of each visit from the day's first on, and a duty's length."""
    starts = -(-shifts.times.taken_us // _GRID_US)
    ends = np.maximum(shifts.times.free_us // _GRID_US, starts + 1)
    return starts - starts.min(), ends - starts.min(), shifts.times.longest_us // _GRID_US


def _groups(shifts: Shifts) -> list[Flags]:
    """(K,) flags of the kinds that together are all who can make some visits; all, at the end."""
    sets = np.unique(shifts.able.T, axis=0)
    everybody = np.ones(len(shifts.kinds), dtype=np.bool_)
    some = [own for own in sets if own.any() and not own.all()]
    return [*some[: _MOST_GROUPS - 1], everybody]


def _packed(day: _Day, prices: Floats, until_s: float) -> list[Shift]:
    """Shifts that have no request in common, no more of a kind than there are pilots.

    The best at these prices first, and those nearly as good; then all are priced again.
    """
    own = np.where(day.must, prices - _URGENT, _OWN_PRICE * prices)
    left = day.sizes
    packed: list[Shift] = []
    while left.any() and time.monotonic() < until_s:
        ranked = [pair for pair in _ranked(day, own) if left[pair[1].kind]]
        taken: set[int] = set()
        for worth, shift in ranked:
            asked = set(day.shifts.job[list(shift.visits)].tolist())
            if worth < _NEAR_BEST * ranked[0][0]:
                break
            if left[shift.kind] and not asked & taken:
                taken |= asked
                left[shift.kind] -= 1
                packed.append(shift)
        if not taken:
            break
        own[list(taken)] = _NEVER
    return packed


def _ranked(day: _Day, prices: Floats) -> list[tuple[float, Shift]]:
    """The best shifts with what they are worth, the most first; each makes a request once."""
    worth = (day.asked - prices)[day.shifts.job] / day.shifts.crew
    found = []
    for shift in day.best(prices)[0]:
        visits = np.array(shift.visits)
        _, once = np.unique(day.shifts.job[visits], return_index=True)
        found.append((float(worth[visits[once]].sum()), day.shifts.shift(shift.kind, visits[once])))
    return sorted(found, key=lambda pair: -pair[0])


def _crews(packed: Sequence[tuple[_Day, Sequence[Shift]]]) -> dict[int, tuple[int, ...]]:
    """By choice: the pilot who makes it, rested since the day before.

    Who may fly less is called first; a shift for which nobody of its kind is rested is left out.
    """
    rested: dict[int, int] = {}
    crews: dict[int, tuple[int, ...]] = {}
    for day, shifts in packed:
        times, out = day.shifts.times, set()
        rest_us = day.shifts.choices.problem.duty.min_rest_min * MINUTE_US
        for shift in sorted(shifts, key=lambda one: int(times.taken_us[list(one.visits)].min())):
            begins = int(times.taken_us[list(shift.visits)].min())
            free = [pilot for pilot in sorted(day.shifts.kinds[shift.kind]) if pilot not in out]
            pilot = min(free, key=lambda one: (rested.get(one, 0), one), default=None)
            if pilot is None or rested.get(pilot, 0) > begins:
                continue
            out.add(pilot)
            rested[pilot] = int(times.free_us[list(shift.visits)].max()) + rest_us
            crews.update(dict.fromkeys(day.shifts.members[list(shift.visits)].tolist(), (pilot,)))
    return crews


def _assigned(choices: Choices, crews: Mapping[int, tuple[int, ...]]) -> list[Assigned]:
    """The visits of whole crews for which there are drones and packs."""
    jobs = choices.problem.jobs
    manned = [one for one, crew in crews.items() if len(crew) == choices.crew[one]]
    drones = drones_for(choices, manned)
    return [
        Assigned(jobs[int(choices.job[one])].request_id, drone, crews[one], (), choices.visit(one))
        for one, drone in drones.items()
    ]
