"""The least whole-numbered plan over shifts: bound, enumerate, branch (branch and price).

The linear program's bound is nearly always reached.  What lies between it and the best plan known
rules out every shift whose price exceeds it; where few are left, they are all written down and
HiGHS settles the rest.  Where many are, one request is served or left out, or one visit flown or
not, and each half is bounded again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.master import MISSING, TOLERANCE, Line, Master, Relaxed
from droneteam.fleet.allocation.shift_kernels import Floats
from droneteam.fleet.allocation.shift_program import whole_program
from droneteam.fleet.allocation.shifts import Shift

MOST_WRITTEN = 800
"""Shifts up to which the rest is left to HiGHS."""
_ROUNDED_AT = 2
"""The first node looked at before which HiGHS tries the columns that have come together, where no
plan is found by then and any plan will do: for some steps of the fairness the dive is long."""
_ROUNDING_NODES = 5
"""Of HiGHS in that try; the branching here is better at what is left."""
_WHOLE = 1e-6


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be least: whole costs of the visits first, then their ties.

    costs, ties : (n,), no tie below 0; most_ties : no plan has more of them
    Ties lead the linear program to one of its many best plans, which mostly is a whole one.
    """

    costs: Floats
    ties: Floats
    most_ties: float

    @property
    def scale(self) -> float:
        """What a unit of the costs weighs against the ties; a power of two that outweighs them."""
        return float(2 ** math.ceil(math.log2(4.0 * self.most_ties + 1.0)))

    def joined(self) -> Floats:
        """(n,) both in one."""
        return self.scale * self.costs + self.ties

    def limit(self, value: int) -> float:
        """No plan whose costs lie below the value has more of both."""
        return self.scale * (value - 1) + self.most_ties

    def proven(self, bound: float) -> int:
        """The costs of a plan at least, by a bound of both."""
        return math.ceil((bound - self.most_ties) / self.scale - TOLERANCE)


@dataclass(frozen=True, slots=True)
class Roster:
    """A whole-numbered plan: its shifts, its visits (places, rising) and its costs."""

    shifts: tuple[Shift, ...]
    visits: Ints
    value: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a search came to.

    roster : the best found, None where nothing better than what was known
    bound : proven of the costs
    """

    roster: Roster | None
    bound: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """One decision of the search: how much of a job is served, or of a visit flown."""

    job: int | None
    visit: int | None
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class _Looked:
    """What came of one node: a plan, a bound of the node, and what to branch on, if anything."""

    roster: Roster | None
    bound: int
    relaxed: Relaxed | None
    in_time: bool = True


_Node = tuple[int, tuple[_Choice, ...]]
"""A bound of the costs, and what is decided."""
_NOTHING_KNOWN = -(2**62)


class ShiftSearch:
    """Looks for plans of lower costs until there are none, or the time is over."""

    def __init__(
        self, master: Master, flyable: Callable[[Ints, Relaxed], bool], until_s: float
    ) -> None:
        self.master = master
        self.flyable = flyable
        """Whether drones and packs can be named for the visits; where not, it makes the master
        stricter, so that these visits do not come again."""
        self.until_s = until_s
        self._applied: Sequence[_Choice] = ()
        self._lines: dict[int, int] = {}

    def less_than(self, goal: Goal, value: int) -> Outcome:
        """The least plan whose costs lie below the value, or the proof that there is none."""
        self.master.minimise(goal.joined(), goal.scale)
        best: Roster | None = None
        waiting: list[_Node] = [(_NOTHING_KNOWN, ())]
        looked_at = 0
        try:
            while waiting:
                looked_at += 1
                if looked_at == _ROUNDED_AT and best is None and not goal.costs.any():
                    best = self._rounded(goal, value)
                    value = value if best is None else best.value
                # the most promising one; among equals the one that is decided furthest, whatever
                # its ties: a whole plan is what is looked for
                at = min(range(len(waiting)), key=lambda index: _promise(waiting[index], index))
                known, choices = waiting.pop(at)
                if known >= value:
                    continue
                self._apply(choices)
                looked = self._node(goal, value)
                if looked.roster is not None:
                    best, value = looked.roster, looked.roster.value
                bound = max(known, looked.bound)
                if not looked.in_time:
                    return Outcome(best, min([bound, value, *(least for least, _ in waiting)]))
                if looked.relaxed is not None and bound < value:
                    halves = self._branches(looked.relaxed)
                    waiting += [(bound, (*choices, half)) for half in halves]
        finally:
            self._apply(())
        return Outcome(best, value)

    def bound(self, goal: Goal, value: int) -> int:
        """What the linear program proves of the costs; no more than the value is asked for."""
        self.master.minimise(goal.joined(), goal.scale)
        relaxed = self.master.relax(goal.limit(value), self.until_s)
        return _NOTHING_KNOWN if relaxed is None else goal.proven(relaxed.bound)

    def _node(self, goal: Goal, value: int) -> _Looked:
        best: Roster | None = None
        bound = _NOTHING_KNOWN
        while True:
            relaxed = self.master.relax(goal.limit(value), self.until_s)
            if relaxed is None:
                return _Looked(best, bound, None, in_time=False)
            bound = max(bound, goal.proven(relaxed.bound))
            if bound >= value:
                return _Looked(best, bound, None)
            found = self._whole(goal, relaxed, value)
            if found is not None and not self.flyable(found.visits, relaxed):
                continue
            if found is not None:
                best, value = found, found.value
                if bound >= value:
                    return _Looked(best, bound, None)
            least = relaxed.bound - goal.limit(value) - TOLERANCE
            left = self.master.shifts.all_worth(relaxed.prices, least, MOST_WRITTEN)
            if left is None:
                return _Looked(best, bound, relaxed)
            rest, certain = self._settle(goal, left, value)
            if rest is not None and not self.flyable(rest.visits, relaxed):
                continue
            if rest is not None:
                best, value = rest, rest.value
            return _Looked(best, value if certain else bound, None, in_time=certain)

    def _whole(self, goal: Goal, relaxed: Relaxed, value: int) -> Roster | None:
        """The linear program's own plan below the value, where it is a whole one."""
        master = self.master
        flown = np.round(relaxed.flown)
        if relaxed.missing or np.abs(relaxed.flown - flown).max() > _WHOLE:
            return None
        visits = np.flatnonzero(flown > 0.5)
        if self._value(goal, visits) >= value:
            return None
        amounts = np.round(relaxed.amounts)
        if np.abs(relaxed.amounts - amounts).max(initial=0.0) < _WHOLE:
            taken = np.repeat(np.arange(len(amounts)), amounts.astype(np.int64)).tolist()
            columns = tuple(master.columns[column] for column in taken)
            return Roster(columns, visits, self._value(goal, visits))
        named = master.shifts.by_name(visits)
        if named is not None:
            return Roster(tuple(named), visits, self._value(goal, visits))
        own = set(visits.tolist())
        inside = [shift for shift in master.columns if own.issuperset(shift.visits)]
        found, certain = self._settle(goal, inside, value)
        if found is None:
            found, certain = self._settle(goal, master.shifts.all_of(visits), value)
        if found is None and certain:
            weights = np.zeros(len(master.shifts.members))
            weights[visits] = 1.0
            master.condition(Line(weights, most=float(len(visits) - 1)))
        return found

    def _rounded(self, goal: Goal, value: int) -> Roster | None:
        """A whole plan below the value of the columns that there are, if HiGHS soon finds one."""
        self._apply(())
        relaxed = self.master.relax(goal.limit(value), self.until_s)
        if relaxed is None:
            return None
        shifts = self.master.shifts
        least = relaxed.bound - goal.limit(value) - TOLERANCE
        pool = [one for one in self.master.columns if shifts.worth(relaxed.prices, one) >= least]
        found = self._settle(goal, pool, value, nodes=_ROUNDING_NODES)[0]
        return found if found is not None and self.flyable(found.visits, relaxed) else None

    def _roster(self, goal: Goal, shifts: Sequence[Shift], crews: Ints) -> Roster:
        places = {visit for shift in shifts for visit in shift.visits}
        visits = np.array(sorted(places | set(crews.tolist())), dtype=np.int64)
        return Roster(tuple(shifts), visits, self._value(goal, visits))

    def _value(self, goal: Goal, visits: Ints) -> int:
        """The costs of the visits, with what they miss of the conditions."""
        total = float(goal.costs[visits].sum())
        for line in self.master.lines:
            if line.slack_cost < MISSING:
                missing = max(0.0, line.least - float(line.weights[visits].sum()))
                total += line.slack_cost * missing
        return round(total)

    def _settle(
        self, goal: Goal, shifts: Sequence[Shift], value: int, nodes: int | None = None
    ) -> tuple[Roster | None, bool]:
        """The least plan of these shifts below the value, and whether that is certain.

        nodes : that HiGHS looks at, at most; None for as many as it needs
        """
        jobs = self.master.shifts.job
        whole = [s for s in shifts if len({*jobs[list(s.visits)].tolist()}) == len(s.visits)]
        while True:
            left_s = self.until_s - time.monotonic()
            found = whole_program(self.master, whole, goal.limit(value), left_s, nodes=nodes)
            if found.taken is None:
                return None, found.certain
            roster = self._roster(goal, [whole[column] for column in found.taken], found.crews)
            if not self.master.hold(roster.visits):
                return (roster if roster.value < value else None), found.certain

    def _branches(self, relaxed: Relaxed) -> list[_Choice]:
        """Two halves, the likelier one last: it is looked at first."""
        served = np.bincount(self.master.shifts.job, relaxed.flown, len(self.master.shifts.jobs))
        job_at: int | None = None
        visit_at: int | None = None
        job = int(np.argmin(np.abs(served - 0.5)))
        if _WHOLE < served[job] < 1.0 - _WHOLE:
            job_at, amount = job, served[job]
        else:
            visit_at = int(np.argmin(np.abs(relaxed.flown - 0.5)))
            amount = relaxed.flown[visit_at]
        halves = [_Choice(job_at, visit_at, 0.0, 0.0), _Choice(job_at, visit_at, 1.0, 1.0)]
        if amount < 0.5:
            halves.reverse()
        return halves

    def _apply(self, choices: Sequence[_Choice]) -> None:
        """Takes back what the last node had decided, and decides this one's."""
        for choice in self._applied:
            if choice not in choices:
                self._decide(choice, undo=True)
        for choice in choices:
            if choice not in self._applied:
                self._decide(choice, undo=False)
        self._applied = choices

    def _decide(self, choice: _Choice, *, undo: bool) -> None:
        master = self.master
        if choice.job is not None:
            if undo:
                master.serve(choice.job, float(master.must[choice.job]), 1.0)
            else:
                master.serve(choice.job, choice.least, choice.most)
        elif choice.visit is not None:
            if choice.visit not in self._lines:
                weights = np.zeros(len(master.shifts.members))
                weights[choice.visit] = 1.0
                self._lines[choice.visit] = master.condition(Line(weights, most=1.0))
            least = -math.inf if undo or choice.least == 0.0 else choice.least
            most = 1.0 if undo else choice.most
            master.limit(self._lines[choice.visit], least, most)


def _promise(node: _Node, index: int) -> tuple[int, int, int]:
    known, choices = node
    return known, -len(choices), -index
