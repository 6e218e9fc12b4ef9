"""The plan of all days, put together from the days' own least plans and proven (pure but for time).

The days say which sets of requests each of them can serve, and how small the worst shortfall can
be (``days``).  What each set costs, in minutes moved and then driven, its day's exact search says;
the sets of all days that cost least together, within that shortfall, bound every plan from below.
Where the pilots can be named through all days (``rota_kernels``), the plan is proven.  Where they
are not rested for two days that follow each other, these are searched together for the chosen
sets, and what that costs more is known from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from droneteam.fleet.allocation import exact
from droneteam.fleet.allocation.choices import Choices, choices
from droneteam.fleet.allocation.days import Day, DayByDay, Losses, plus
from droneteam.fleet.allocation.exact_crowds import bits
from droneteam.fleet.allocation.exact_kernels import MOVED
from droneteam.fleet.allocation.exact_limits import Found, Limits, OutOfSteps
from droneteam.fleet.allocation.exact_sets import Search
from droneteam.fleet.allocation.exact_tables import fits
from droneteam.fleet.allocation.holding import broken_rule
from droneteam.fleet.allocation.rota import Rota
from droneteam.fleet.allocation.scoring import least_busiest, values_of
from droneteam.fleet.problem import SHORTFALL_SCALE, Assigned, Problem

_PER_MOVED = 2**24
"""What a minute moved weighs against one driven: more than can be driven in all."""
_NEVER = 2**60
"""The cost of sets that cannot be served together."""
_MOST_STEPS = 40_000
"""Of the exact search of what one set costs, or a block of days."""
_MOST_LOOKED_AT = 20_000
"""Partial choices of sets that are looked at for the cheapest."""
_NAMING_STEPS = 10_000
_MOST_NAMING_STEPS = 60_000
"""Of giving out the pilots of all days, from either end; more, where two days are not to blame."""
_MOST_JOINED = 5
"""Days that are searched together."""
_MOST_ROUNDS = 200
"""Of choosing sets and finding out what they cost."""


Program = Callable[[Choices, Sequence[int], float], tuple[Assigned, ...] | None]
"""The plan that serves everybody, late by class for no longer than that, with the fewest minutes
moved and then driven; None where none is proven until then.  Packs are not named."""


@dataclass(slots=True)
class _Price:
    """What is known of a set's cost: at least low.

    Where it is exact the flown visits have that cost; plan : any plan of the set
    """

    low: int
    plan: Found
    exact: bool = False
    flown: tuple[Assigned, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """Sets of neighbouring days that were searched together: what they cost more than alone."""

    first: int
    sets: tuple[int, ...]
    more: int
    flown: tuple[Assigned, ...]

    def holds(self, taken: Sequence[int]) -> bool:
        """Whether these sets are among the chosen ones."""
        return tuple(taken[self.first : self.first + len(self.sets)]) == self.sets


@dataclass(frozen=True, slots=True)
class _Never:
    """Requests of neighbouring days that cannot all be served, for want of rest."""

    first: int
    last: int
    jobs: frozenset[int]


@dataclass(slots=True)
class _Known:
    """All that was found out until now."""

    prices: list[list[_Price]]
    blocks: list[_Block] = field(default_factory=list)
    never: list[_Never] = field(default_factory=list)


def plan_of_days(
    found: Choices, said: DayByDay, program: Program, until_s: float
) -> tuple[tuple[Assigned, ...], dict[str, int]] | None:
    """The plan that is proven least in all terms, packs not named yet, and its bounds.

    program : asked for what the exact search finds too many steps in

    None where the steps or the time run out, or the days do not say enough.
    """
    published = any(job.published is not None for job in found.problem.jobs)
    if published or not said.days or "worst_shortfall" not in said.bounds:
        return None
    try:
        return _Joining(found, said, program, until_s).plan()
    except OutOfSteps:
        return None


class _Joining:
    """Chooses one set for each day, then again as long as something is learned of them."""

    def __init__(self, found: Choices, said: DayByDay, program: Program, until_s: float) -> None:
        self.found = found
        self.program = program
        self.days = said.days
        self.said = said
        self.until_s = until_s
        worst = said.bounds["worst_shortfall"]
        self.room = tuple(
            worst * zone.weight // SHORTFALL_SCALE - zone.owed_min for zone in said.zones
        )
        self.known = _Known([[_Price(0, one.plan) for one in day.options] for day in self.days])

    def plan(self) -> tuple[tuple[Assigned, ...], dict[str, int]] | None:
        """Sets that cost least, with the visits and the people; None where that fails."""
        for _ in range(_MOST_ROUNDS):
            cheapest = _Cheapest(self.days, self.room, self.known)
            taken = cheapest.solve()
            if taken is None:
                return None
            if self._priced(taken):
                continue
            flown = self._flown(taken)
            rota = Rota(self.found, flown)
            apart = rota.apart(_NAMING_STEPS)
            if apart is not None and self._joined(taken, apart):
                apart = rota.apart(_MOST_NAMING_STEPS)
            if apart is None:
                return self._proven(rota, cheapest.cost)
            self._join(taken, apart)
        return None

    def _priced(self, taken: Sequence[int]) -> bool:
        """Finds out what the sets cost; False where all of it was known."""
        again = False
        for at, own in enumerate(taken):
            if not self.known.prices[at][own].exact:
                self._find_out(at, own)
                again = True
        return again

    def _find_out(self, at: int, own: int) -> None:
        """Brings the set's price up to what another set of the day costs, or to its own."""
        day, price = self.days[at], self.known.prices[at][own]
        dearest = min((one.low for one in self.known.prices[at] if one.exact), default=_NEVER)
        day.search.steps, day.search.most_steps = 0, _MOST_STEPS
        try:
            plan = _found_out(day.search, price, dearest)
            if plan is None:
                price.low = dearest
                return
            price.flown = exact.Stages(day.search).assigned(plan)
        except OutOfSteps:
            late_min = day.search.values(day.best).late_min
            price.flown = self._programmed(sorted(day.options[own].served), late_min)
        price.low, price.exact = self._cost(price.flown), True

    def _programmed(self, served: Sequence[int], late_min: Sequence[int]) -> tuple[Assigned, ...]:
        """The least plan of these jobs by the program over shifts."""
        part = choices(_only(self.found.problem, served))
        flown = self.program(part, late_min, self.until_s)
        if flown is None:
            raise OutOfSteps
        return flown

    def _cost(self, flown: Sequence[Assigned]) -> int:
        chosen = self.found.indices(flown)
        moved_min = int(self.found.moved_min[chosen].sum())
        return moved_min * _PER_MOVED + int(self.found.travel_min[chosen].sum())

    def _flown(self, taken: Sequence[int]) -> tuple[Assigned, ...]:
        """The visits of the sets, those of the blocks where they were searched together."""
        flown: list[Assigned] = []
        at = 0
        blocks = {block.first: block for block in _apart(self.known.blocks, taken)}
        while at < len(taken):
            if at in blocks:
                flown += blocks[at].flown
                at += len(blocks[at].sets)
                continue
            flown += self.known.prices[at][taken[at]].flown
            at += 1
        return tuple(flown)

    def _days_of(self, apart: tuple[int, int]) -> tuple[int, int]:
        first, last = (
            next(at for at, day in enumerate(self.days) if job in day.jobs) for job in apart
        )
        return first, last

    def _joined(self, taken: Sequence[int], apart: tuple[int, int]) -> bool:
        """Whether the days of the two jobs were searched together already."""
        first, last = self._days_of(apart)
        return any(
            one.first <= first and last < one.first + len(one.sets)
            for one in _apart(self.known.blocks, taken)
        )

    def _join(self, taken: Sequence[int], apart: tuple[int, int]) -> None:
        """Searches the days of the two jobs together, with the blocks that they touch."""
        first, last = self._days_of(apart)
        known = _apart(self.known.blocks, taken)
        touched = [one for one in known if one.first <= last and first < one.first + len(one.sets)]
        if self._joined(taken, apart):
            first -= 1  # that was no lasting way: a longer chain of rests
        first = max(0, min([first, *(one.first for one in touched)]))
        last = max([last, *(one.first + len(one.sets) - 1 for one in touched)])
        if last - first >= _MOST_JOINED:
            raise OutOfSteps
        self._search(first, tuple(taken[first : last + 1]))

    def _search(self, first: int, sets: tuple[int, ...]) -> None:
        """Finds out what the sets cost together, or which of them cannot be."""
        last = first + len(sets)
        days = self.days[first:last]
        alone = sum(self.known.prices[first + at][own].low for at, own in enumerate(sets))
        served = (day.options[at].served for day, at in zip(days, sets, strict=True))
        late = zip(*(day.search.values(day.best).late_min for day in days), strict=True)
        late_min = tuple(sum(pair) for pair in late)
        wanted = sorted(frozenset[int]().union(*served))
        flown = self._together(days, wanted, late_min, alone)
        if isinstance(flown, frozenset):
            self.known.never.append(_Never(first, last - 1, flown))
        else:
            more = self._cost(flown) - alone
            self.known.blocks.append(_Block(first, sets, more, flown))

    def _together(
        self, days: Sequence[Day], wanted: Sequence[int], late_min: tuple[int, ...], alone: int
    ) -> tuple[Assigned, ...] | frozenset[int]:
        """The least plan of these jobs, or those of them that cannot all be served."""
        jobs = sorted(job for day in days for job in day.jobs)
        part = choices(_only(self.found.problem, jobs))
        try:
            if not fits(part):
                raise OutOfSteps
            search, limits = Search(part, self.until_s, _MOST_STEPS), Limits(late_min=late_min)
            mask = sum(1 << bit for bit, job in enumerate(jobs) if job in set(wanted))
            plan = _found_together(search, mask, limits, alone)
            if plan is None:
                return frozenset(jobs[bit] for bit in bits(search.blamed(mask, limits)))
            return exact.Stages(search).assigned(plan)
        except OutOfSteps:
            return self._programmed(wanted, late_min)

    def _proven(self, rota: Rota, cost: int) -> tuple[tuple[Assigned, ...], dict[str, int]] | None:
        """The plan with its bounds, where it is what the sets promise."""
        least = least_busiest(self.found, rota.flown)
        flown = rota.named(least)
        values = values_of(self.found, flown)
        moved_min, travel_min = divmod(cost, _PER_MOVED)
        bounds = {
            **self.said.bounds,
            "changes": 0,
            "moved_min": moved_min,
            "travel_min": travel_min,
            "busiest_pilot": least,
        }
        reached = all(values[name] == bounds[name] for name in bounds if name != "busiest_pilot")
        if not reached or broken_rule(self.found.problem, flown) is not None:
            return None
        return flown, bounds


def _only(problem: Problem, jobs: Sequence[int]) -> Problem:
    return replace(problem, jobs=tuple(problem.jobs[job] for job in jobs))


def _found_out(search: Search, price: _Price, dearest: int) -> Found | None:
    """The set's least plan; None where it costs no less than the dearest that is asked for."""
    served, plan = price.plan.served, price.plan
    if price.low < dearest < _NEVER:
        moved_min, travel_min = divmod(dearest, _PER_MOVED)
        less = _within(search, served, search.limits, moved_min - 1)
        if less is None:
            less = _within(search, served, search.limits, moved_min, travel_min - 1)
        if less is None:
            return None
        plan = less
    return _least(search, served, search.limits, plan)


def _found_together(search: Search, served: int, limits: Limits, alone: int) -> Found | None:
    """The least plan of several days' sets, which cost so much alone; None where there is none."""
    moved_min, travel_min = divmod(alone, _PER_MOVED)
    plan = _within(search, served, limits, moved_min, travel_min)
    if plan is not None:
        return plan
    if search.placed(served, limits) is None:
        return None
    plan = _least_moved(search, served, limits, moved_min)
    moved_min = search.values(plan).moved_min
    return _least(search, served, replace(limits, moved_min=moved_min), plan, moved_min)


def _least_moved(search: Search, served: int, limits: Limits, low: int) -> Found:
    """A plan with the fewest minutes moved, from below: tight limits are refuted soonest."""
    unit = max(1, int(np.gcd.reduce(search.t.cost[MOVED])))
    while True:
        plan = _within(search, served, limits, low)
        if plan is not None:
            return plan
        low += unit


def _within(
    search: Search, served: int, limits: Limits, moved_min: int, travel_min: int | None = None
) -> Found | None:
    if moved_min < 0 or (travel_min is not None and travel_min < 0):
        return None
    limits = replace(limits, moved_min=moved_min)
    if travel_min is not None:
        limits = replace(limits, travel_min=travel_min)
    return search.placed(served, limits)


def _least(
    search: Search, served: int, limits: Limits, plan: Found, least_moved_min: int = 0
) -> Found:
    """The set's plan with the fewest minutes moved, then driven."""
    for name, low in (("moved_min", least_moved_min), ("travel_min", 0)):
        value, step = getattr(search.values(plan), name), 1
        while value > low:
            most = max(low, value - step)
            better = search.placed(served, exact.limited(limits, name, most))
            if better is not None:
                plan, value, step = better, getattr(search.values(better), name), 2 * step
            else:
                low, step = most + 1, 1
        limits = exact.limited(limits, name, value)
    return plan


def _apart(blocks: Sequence[_Block], taken: Sequence[int]) -> list[_Block]:
    """Of the blocks of the chosen sets some that share no day, and cost most together."""
    own = sorted((one for one in blocks if one.holds(taken)), key=lambda one: one.first)
    best: list[tuple[int, int, list[_Block]]] = [(0, 0, [])] * (len(taken) + 1)
    for past in range(1, len(taken) + 1):
        best[past] = best[past - 1]
        for block in own:
            if block.first + len(block.sets) == past:
                more, days, before = best[block.first]
                found = more + block.more, days + len(block.sets), [*before, block]
                best[past] = max(best[past], found, key=lambda one: one[:2])
    return best[-1][2]


class _Cheapest:
    """One set for each day, within what each zone may lose, at the least cost known of them."""

    def __init__(self, days: Sequence[Day], room: Losses, known: _Known) -> None:
        self.options = [day.options for day in days]
        self.room = room
        self.known = known
        self.cost = _NEVER
        self.taken: list[int] | None = None
        self.looked_at = 0
        self.seen: dict[tuple[object, ...], int] = {}
        spans = [(block.first, block.first + len(block.sets)) for block in known.blocks]
        spans += [(one.first, one.last + 1) for one in known.never]
        self.joined = {at for first, past in spans for at in range(first, past)}
        self.rest = self._rest()

    def _rest(self) -> list[tuple[int, Losses, Losses]]:
        """By day: what the days from then on cost, and lose at least and at most."""
        nothing = tuple([0] * len(self.room))
        found = [(0, nothing, nothing)]
        for options, prices in zip(
            reversed(self.options), reversed(self.known.prices), strict=True
        ):
            cost, least, most = found[-1]
            columns = list(zip(*(one.losses for one in options), strict=True))
            cost += min(price.low for price in prices)
            least = plus(least, tuple(min(column) for column in columns))
            found.append((cost, least, plus(most, tuple(max(column) for column in columns))))
        return found[::-1]

    def solve(self) -> list[int] | None:
        """The sets' places; None where there are none, or after too many looks."""
        self._go([], 0, tuple([0] * len(self.room)))
        return self.taken if self.looked_at <= _MOST_LOOKED_AT else None

    def _go(self, taken: list[int], cost: int, lost: Losses) -> None:
        self.looked_at += 1
        at = len(taken)
        if at == len(self.options):
            cost += sum(block.more for block in _apart(self.known.blocks, taken))
            if cost < self.cost:
                self.cost, self.taken = cost, list(taken)
            return
        if self.looked_at > _MOST_LOOKED_AT or self._again(taken, cost, lost):
            return
        ahead, least, _ = self.rest[at + 1]
        prices = self.known.prices[at]
        for place in sorted(range(len(prices)), key=lambda one: (prices[one].low, one)):
            own = cost + prices[place].low
            if own + ahead >= self.cost:
                return
            now = plus(lost, self.options[at][place].losses)
            after = plus(now, least)
            fits_in = all(one <= room for one, room in zip(after, self.room, strict=True))
            if fits_in and self._possible([*taken, place]):
                self._go([*taken, place], own, now)

    def _possible(self, taken: Sequence[int]) -> bool:
        """False where the last set completes requests that cannot all be served."""
        for one in self.known.never:
            if one.last == len(taken) - 1:
                own = range(one.first, one.last + 1)
                served = frozenset[int]().union(*(self.options[at][taken[at]].served for at in own))
                if one.jobs <= served:
                    return False
        return True

    def _again(self, taken: list[int], cost: int, lost: Losses) -> bool:
        """Whether the same was reached before at no more cost."""
        most = plus(lost, self.rest[len(taken)][2])
        pairs = zip(lost, most, self.room, strict=True)
        binding = tuple(own if high > room else 0 for own, high, room in pairs)
        blocks = tuple(place for at, place in enumerate(taken) if at in self.joined)
        key = len(taken), binding, blocks
        if self.seen.get(key, _NEVER) <= cost:
            return True
        self.seen[key] = cost
        return False
