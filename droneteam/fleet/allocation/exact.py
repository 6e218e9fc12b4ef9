"""The best plan of a small problem, proven by a search of its own (pure).

Term after term is brought to what the search (``exact_sets``) proves to be least, and held there
for the terms after it; what the held limits rule out for every plan falls away from then on.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from droneteam.fleet.allocation.choices import Choices, Ints, choices
from droneteam.fleet.allocation.exact_crowds import bits
from droneteam.fleet.allocation.exact_limits import Found, Limits, OutOfSteps
from droneteam.fleet.allocation.exact_sets import Search
from droneteam.fleet.allocation.exact_tables import fits
from droneteam.fleet.allocation.refill_kernels import Day, DayShifts, refill
from droneteam.fleet.allocation.rota_kernels import Duties, evened, given_out
from droneteam.fleet.allocation.shift_kernels import MOST_VISITS
from droneteam.fleet.allocation.shifts import Prices, shifts_of
from droneteam.fleet.problem import (
    Assigned,
    Drone,
    Job,
    Pack,
    PackType,
    Pilot,
    Place,
    Problem,
    Slot,
)

MOST_REQUESTS = 40
"""Above so many the sets to be left out are too many to go through."""
_WARM_UP_S = 3600.0


def best_plan(found: Choices, until_s: float) -> tuple[Assigned, ...] | None:
    """The assignments that are proven least in all terms, packs not named yet.

    None where the problem is too large, or the search ended before the proof.
    until_s : on the monotonic clock
    """
    if len(found.problem.jobs) > MOST_REQUESTS or len(found.job) == 0 or not fits(found):
        return None
    search = Search(found, until_s)
    try:
        stages = Stages(search)
        return stages.assigned(stages.run())
    except OutOfSteps:
        return None


@cache
def warm_up() -> None:
    """Load the compiled kernels, those over shifts too.

    The first process of an installation compiles and stores them.
    """
    now = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
    start_at = now + timedelta(hours=2)
    slot = Slot(start_at, start_at + timedelta(hours=1), 10)
    here = Place(50.85, 4.35)
    problem = Problem(
        now=now,
        drones=(Drone(1, "drone", frozenset(), "pack", here),),
        pilots=(Pilot(1, "pilot", ()),),
        packs=(Pack(1, "pack"),),
        pack_types=(PackType("pack", 60, 60),),
        jobs=tuple(Job(number, 1, "P3", here, (slot,), start_at) for number in (1, 2)),
    )
    found = choices(problem)
    search = Search(found, time.monotonic() + _WARM_UP_S)
    search.rows = []  # that both cannot be served is to be found out
    Stages(search).run()
    shifts = shifts_of(found, np.arange(len(found.job)))
    nothing = Prices(np.zeros(len(shifts.members)), np.zeros((len(shifts.kinds), shifts.nodes + 1)))
    shifts.best(nothing, 1)
    shifts.all_of(np.arange(len(shifts.members)))
    shifts.worth_through(nothing)
    one = np.zeros(1, dtype=np.int64)
    duties = Duties(one, one + 1, one, np.ones((1, 1), dtype=np.bool_), one, one, 1, 0)
    refill(*_nothing_to_fill(one), 1, one.copy())
    given_out(duties, 1, one.copy())
    evened(duties, one.copy(), 1, 0)


def _nothing_to_fill(one: Ints) -> tuple[Day, DayShifts]:
    flag = np.ones(1, dtype=np.bool_)
    day = Day(one, one + 1, one - 1, flag.reshape(1, 1), np.ones(1), one, one + 1, 1)
    return day, DayShifts(np.zeros((1, MOST_VISITS), dtype=np.int64), one - 1, flag)


class Stages:
    """Brings one term after the other down, and holds what is proven."""

    def __init__(self, search: Search) -> None:
        self.search = search

    def run(self) -> Found:
        """The plan that is least in all terms."""
        best = self.serve_most()
        best = self._bring_down("shortfall", best, 0)
        best = self._bring_up("changes", best)
        for name in ("moved_min", "travel_min", "busiest"):
            best = self._bring_down(name, best, self._low(name, best))
        return best

    def serve_most(self) -> Found:
        """Class by class: the fewest unserved, then the least late."""
        jobs = len(self.search.crew)
        best = Found(0, (-1,) * jobs, ((),) * jobs, (-1,) * jobs)
        scope = 0
        for level, own in enumerate(self.search.of_class):
            if not own:
                continue
            scope |= own
            for most in range(own.bit_count() + 1):
                probe = _by_class(self.search.limits, "unserved", level, most)
                found = self.search.find(scope, probe)
                if found is not None:
                    break
            assert found is not None
            self.search.hold(probe, found)
            best = self._least_late(scope, level, found)
        return best

    def _least_late(self, scope: int, level: int, best: Found) -> Found:
        late = self.search.values(best).late_min[level]
        while late > 0:
            probe = _by_class(self.search.limits, "late_min", level, late - 1)
            found = self.search.find(scope, probe)
            if found is None:
                break
            best, late = found, self.search.values(found).late_min[level]
        self.search.hold(_by_class(self.search.limits, "late_min", level, late), best)
        return best

    def _low(self, name: str, best: Found) -> int:
        """A bound that needs no search: nothing, or the fewest sorties shared evenly."""
        if name != "busiest":
            return 0
        sorties = 0
        for own in self.search.of_class:
            served = (own & best.served).bit_count()
            sorties += sum(sorted(self.search.crew[job] for job in bits(own))[:served])
        return -(-sorties // max(1, len(self.search.choices.problem.pilots)))

    def _bring_up(self, name: str, best: Found) -> Found:
        """The same from below: the tighter a limit, the sooner the search knows."""
        value = getattr(self.search.values(best), name)
        for most in range(value):
            found = self.search.find(self.search.everyone, limited(self.search.limits, name, most))
            if found is not None:
                best, value = found, most
                break
        self.search.hold(limited(self.search.limits, name, value), best)
        return best

    def _bring_down(self, name: str, best: Found, low: int) -> Found:
        """The plan with the least of the term, all terms before it held."""
        value, step = getattr(self.search.values(best), name), 1
        while value > low:
            most = max(low, value - step)
            found = self.search.find(self.search.everyone, limited(self.search.limits, name, most))
            if found is not None:
                best, value = found, getattr(self.search.values(found), name)
                step *= 2
            else:
                low, step = most + 1, 1
        self.search.hold(limited(self.search.limits, name, value), best)
        return best

    def assigned(self, found: Found) -> tuple[Assigned, ...]:
        """The plan's assignments, packs not named yet."""
        problem = self.search.choices.problem
        return tuple(
            Assigned(
                problem.jobs[self.search.asked.jobs[job]].request_id,
                problem.drones[found.fleet[job]].id,
                tuple(sorted(problem.pilots[pilot].id for pilot in found.crews[job])),
                (),
                self.search.choices.visit(found.visits[job]),
            )
            for job in bits(found.served)
        )


def limited(limits: Limits, name: str, most: int | tuple[int, ...]) -> Limits:
    """The limits with this one of them set."""
    values: dict[str, Any] = {name: most}
    return replace(limits, **values)


def _by_class(limits: Limits, name: str, level: int, most: int) -> Limits:
    """The same for one class of the limit."""
    before: tuple[int, ...] = getattr(limits, name)
    return limited(limits, name, (*before[:level], most, *before[level + 1 :]))
