"""The lexicographic objective over shifts, stage by stage, with what is proven of it.

All days at once: a pilot's rest joins them, and so does the worst zone.  Each stage asks
``ShiftSearch`` for the least of some terms, and holds it as a condition for the next ones.  The
worst shortfall is brought down step by step: what every zone must be served for less of it are
conditions that may be missed at a price, and where none can be had for nothing, it is least.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from droneteam.fleet.allocation.choices import Choices, Ints
from droneteam.fleet.allocation.day_plans import plan_of_days
from droneteam.fleet.allocation.days import DayByDay, solve_days
from droneteam.fleet.allocation.drone_rows import name_in
from droneteam.fleet.allocation.greedy import give_out
from droneteam.fleet.allocation.master import Line, Master, Relaxed
from droneteam.fleet.allocation.naming import (
    Drones,
    core,
    most_sorties,
    name_drones,
    name_evenly,
    name_pilots,
)
from droneteam.fleet.allocation.pooled import (
    REST,
    SERVICE,
    Part,
    ideal,
    shares,
    term_costs,
    term_groups,
    unserved_values,
)
from droneteam.fleet.allocation.realise import evened_out, realise
from droneteam.fleet.allocation.relaxation import Scope, Share, shortfall
from droneteam.fleet.allocation.scoring import Glance, chosen_of, values_of
from droneteam.fleet.allocation.shift_kernels import Floats
from droneteam.fleet.allocation.shift_search import Goal, Roster, ShiftSearch
from droneteam.fleet.allocation.shifts import Shift, shifts_of
from droneteam.fleet.problem import SHORTFALL_SCALE, TERM_NAMES, Assigned
from droneteam.fleet.terms import PRIORITIES

MINUTES = ("moved_min", "travel_min")
"""Terms that tell plans apart which are alike in the terms before."""
_DAYS_SHARE = 0.4
"""Of the time limit, for the days alone."""
_JOINED_SHARE = 0.55
"""Of the time limit, until which a plan is put together from them."""
_REACHED_SHARE = 0.7
"""Of the time limit, until which a plan is looked for that reaches what the days bound."""
_NAMED_AT_ONCE = 40
"""Visits of a day whose drones are named, the cheapest ones, where counting does not do."""


@dataclass(frozen=True, slots=True)
class Rostered:
    """A plan and what is proven of the terms, in their order, as far as all before are proven."""

    assignments: tuple[Assigned, ...]
    bounds: dict[str, int]


def solve_rostered(
    choices: Choices, seen: Glance, first: Sequence[Assigned], time_limit_s: float
) -> Rostered:
    """The least plan over shifts.

    What the days bound alone is mostly reached over all of them; then it is asked for at once.
    seen : what the first plan proves; first : a plan that breaks no rule
    """
    started_s = time.monotonic()
    days = solve_days(choices, started_s + _DAYS_SHARE * time_limit_s)
    whole = plan_of_days(choices, days, least_of_all, started_s + _JOINED_SHARE * time_limit_s)
    if whole is not None:
        return Rostered(*whole)
    if set(days.bounds) == {*SERVICE, "worst_shortfall"}:
        scope = replace(seen.scope, must=seen.scope.must | days.served)
        until_s = started_s + _REACHED_SHARE * time_limit_s
        stages = _Stages(choices, replace(seen, scope=scope), first, until_s)
        if stages.run_from(days, started_s + time_limit_s):
            return Rostered(stages.assignments(), stages.bounds)
    stages = _Stages(choices, seen, first, started_s + time_limit_s)
    stages.run()
    return Rostered(stages.assignments(), stages.bounds)


def least_of_all(
    choices: Choices, late_min: Sequence[int], until_s: float
) -> tuple[Assigned, ...] | None:
    """The plan that serves every request, with the fewest minutes moved and then driven.

    late_min : by class, late for no longer than that
    None where none is proven until then, or there is none.  Packs are not named.
    """
    everybody = frozenset(range(len(choices.problem.jobs)))
    scope = Scope(np.arange(len(choices.job)), everybody)
    stages = _Stages(choices, Glance(scope, {}), (), until_s)
    return stages.assignments() if stages.run_late(late_min) else None


class _Stages:
    """Runs the objective's stages on one master."""

    def __init__(
        self, choices: Choices, seen: Glance, first: Sequence[Assigned], until_s: float
    ) -> None:
        self.choices = choices
        self.first = tuple(first)
        self.costs = term_costs(choices)
        self.constant = unserved_values(choices)
        self.shares = shares(choices)
        self.shifts = shifts_of(choices, seen.scope.members)
        self.part = Part(seen.scope, chosen_of(choices, first))
        self.master = Master(self.shifts, seen.scope.must)
        self.search = ShiftSearch(self.master, self._flyable, until_s)
        self.named: set[int] = set()
        """Visits of which the master names the drones."""
        crews = zip(choices.indices(first), (given.pilot_ids for given in first), strict=True)
        self.taken: Sequence[Shift] = self.shifts.of_crews(dict(crews))
        self.chosen = self.shifts.places(self.part.chosen)
        self.better = False
        self.refused: Ints | None = None
        """The first visits for which no drones could be named."""
        self.exact = True
        self.bounds: dict[str, int] = {}
        for shift in self.taken:
            self.master.add(shift)

    def run(self) -> None:
        """All terms, each group as soon as those before it are proven."""
        self._reduce(SERVICE)
        if self.exact:
            self._share_fairly()
        if self.exact:
            self._reduce(REST)
        if self.exact:
            self.bounds["busiest_pilot"] = self._least_busiest()

    def run_from(self, days: DayByDay, until_s: float) -> bool:
        """The terms after those that the days bound, where a plan reaches all of these.

        False where none does, or none is found in time.
        """
        self._hold(days.bounds)
        crews = zip(
            self.choices.indices(days.flown), (one.pilot_ids for one in days.flown), strict=True
        )
        for shift in self.shifts.of_crews(dict(crews)):
            self.master.add(shift)
        if not self._reached(REST):
            return False
        self.search.until_s = until_s
        self.bounds.update(days.bounds)
        self._reduce(REST)
        if self.exact:
            self.bounds["busiest_pilot"] = self._least_busiest()
        return True

    def run_late(self, late_min: Sequence[int]) -> bool:
        """The minutes where everybody is served and late for no longer; False: not proven."""
        for priority, most in zip(PRIORITIES, late_min, strict=True):
            costs = self.costs[f"late_min_{priority}"][self.shifts.members].astype(np.float64)
            self.master.condition(Line(-costs, least=-float(most)))
        if not self._reached(REST):
            return False
        self._reduce(REST)
        return self.exact

    def _hold(self, bounds: Mapping[str, int]) -> None:
        """No plan may be worse than these services and this worst shortfall."""
        for name in SERVICE:
            costs = self.costs[name][self.shifts.members].astype(np.float64)
            least = float(self.constant[name] - bounds[name])
            self.master.condition(Line(-costs, least=least))
        worst = bounds["worst_shortfall"]
        for share in self.shares:
            weights = self._served(share)
            need = _need(share, worst, _unit(weights))
            self.master.condition(Line(weights, least=need))

    def _reached(self, names: Sequence[str]) -> bool:
        """Whether a plan keeps all conditions; the least of the first terms that matter."""
        groups = term_groups(self.part, names, self.costs, self.choices)
        group = groups[0] if groups else []
        beyond = 1 - ideal(self.part.scope, self.choices, -self._costs_of(group))
        last = group[-1][0] if group else names[0]
        outcome = self.search.less_than(self._goal(self._joined(group), last), beyond)
        if outcome.roster is None:
            return False
        self._take(outcome.roster)
        return True

    def _reduce(self, names: Sequence[str]) -> None:
        for group in term_groups(self.part, names, self.costs, self.choices):
            if self.exact:
                self._reduce_group(group)
        if self.exact:
            self.bounds.update({name: self._value(name) for name in names})

    def _reduce_group(self, group: Sequence[tuple[str, int]]) -> None:
        joined = self._joined(group)
        value = int(joined[self.chosen].sum())
        if value > sum(weight * self._ideal(name) for name, weight in group):
            value, proven = self._improve(self._goal(joined, group[-1][0]), value)
            if proven < value:
                self.exact = False
                self.bounds.update(self._partly(group, proven))
                return
        self.bounds.update({name: self._value(name) for name, _ in group})
        self.master.condition(Line(-joined.astype(np.float64), least=float(-value)))

    def _costs_of(self, group: Sequence[tuple[str, int]]) -> Ints:
        """Of every choice, the group's terms with their weights."""
        nothing = np.zeros(len(self.choices.job), dtype=np.int64)
        return sum((weight * self.costs[name] for name, weight in group), nothing)

    def _joined(self, group: Sequence[tuple[str, int]]) -> Ints:
        """(n,) the same of the visits that are open."""
        return self._costs_of(group)[self.shifts.members]

    def _goal(self, costs: Ints, last: str) -> Goal:
        """The costs, and as ties the later minutes; last : the last term among the costs."""
        names = [name for name in MINUTES if TERM_NAMES.index(name) > TERM_NAMES.index(last)]
        ties = sum((self.costs[name] for name in names), np.zeros_like(self.costs[REST[0]]))
        most = -ideal(self.part.scope, self.choices, -ties)
        return Goal(
            costs.astype(np.float64), ties[self.shifts.members].astype(np.float64), float(most)
        )

    def _improve(self, goal: Goal, value: int) -> tuple[int, int]:
        """The least costs found and their bound; the plan becomes the one that reaches them."""
        outcome = self.search.less_than(goal, value)
        if outcome.roster is not None:
            self._take(outcome.roster)
            value = outcome.roster.value
        return value, outcome.bound

    def _take(self, roster: Roster) -> None:
        self.better = True
        self.taken, self.chosen = roster.shifts, roster.visits
        for shift in roster.shifts:
            self.master.add(shift)

    def _value(self, name: str) -> int:
        costs = self.costs[name][self.shifts.members]
        return self.constant[name] + int(costs[self.chosen].sum())

    def _ideal(self, name: str) -> int:
        return ideal(self.part.scope, self.choices, self.costs[name])

    def _partly(self, group: Sequence[tuple[str, int]], proven: int) -> dict[str, int]:
        """What a bound of the joined terms proves of the first of them, and no more."""
        name, weight = group[0]
        rest = sum(
            weight * -ideal(self.part.scope, self.choices, -self.costs[name])
            for name, weight in group[1:]
        )
        least = max(self._ideal(name), -(-(proven - rest) // weight))
        return {name: self.constant[name] + least}

    def _share_fairly(self) -> None:
        """Brings the worst shortfall down as far as every zone can be served enough for it.

        The least that the linear program leaves open is tried first, since it is often reached.
        """
        served = [self._served(share) for share in self.shares]
        units = [_unit(weights) for weights in served]
        lines = [
            self.master.condition(Line(weights, slack_cost=1.0 / unit))
            for weights, unit in zip(served, units, strict=True)
        ]
        goal = self._goal(np.zeros(len(self.shifts.members), dtype=np.int64), "worst_shortfall")
        steps = _steps(self.shares, units, self._worst())

        def ask(worst: int) -> None:
            for line, share, unit in zip(lines, self.shares, units, strict=True):
                self.master.limit(line, _need(share, worst, unit), math.inf)

        high = len(steps)
        low = bisect_left(range(high), True, key=lambda at: self._may_reach(goal, ask, steps[at]))
        at = low
        while low < high and self.exact:
            ask(steps[at])
            outcome = self.search.less_than(goal, 1)
            if outcome.roster is not None:
                self._take(outcome.roster)
                high = bisect_left(steps, self._worst())
            elif outcome.bound >= 1:
                low = at + 1
            else:
                self.exact = False
                self.bounds["worst_shortfall"] = steps[low]
            at = (low + high) // 2
        worst = self._worst()
        if self.exact:
            self.bounds["worst_shortfall"] = worst
        for line, share, weights, unit in zip(lines, self.shares, served, units, strict=True):
            self.master.limit(line, -math.inf, math.inf)
            self.master.condition(Line(weights, least=_need(share, worst, unit)))

    def _may_reach(self, goal: Goal, ask: Callable[[int], None], worst: int) -> bool:
        """False where the linear program rules so small a worst shortfall out."""
        ask(worst)
        return self.search.bound(goal, 1) < 1

    def _worst(self) -> int:
        chosen = np.sort(self.shifts.members[self.chosen])
        return max(0, *(shortfall(share, chosen) for share in self.shares), 0)

    def _served(self, share: Share) -> Floats:
        """(n,) the minutes of the zone's claim that each visit serves."""
        minutes = np.zeros(len(self.choices.job))
        minutes[share.members] = share.served_min
        return minutes[self.shifts.members]

    def _least_busiest(self) -> int:
        """The sorties of a best plan, shared evenly: as many of each class, the smallest crews."""
        jobs = self.choices.problem.jobs
        served = [jobs[job] for job in self.choices.job[self.shifts.members[self.chosen]].tolist()]
        counts = Counter(job.priority for job in served)
        least = 0
        for priority, count in counts.items():
            able = (jobs[job] for job in self.shifts.jobs.tolist())
            least += sum(sorted(job.crew for job in able if job.priority == priority)[:count])
        return -(-least // max(1, len(frozenset[int]().union(*self.shifts.kinds))))

    def _flyable(self, visits: Ints, relaxed: Relaxed) -> bool:
        """Whether drones and packs can be named; the master learns where they cannot."""
        groups = self._drones(visits).impossible
        if groups and self.refused is None:
            self.refused = visits
        worth = self.shifts.worth_through(relaxed.prices) if groups else np.zeros(0)
        for group in groups:
            places = self.shifts.places(np.array(group, dtype=np.int64))
            if set(places.tolist()) <= self.named:
                places = self.shifts.places(np.array(core(self.choices, group), dtype=np.int64))
                weights = np.zeros(len(self.shifts.members))
                weights[places] = 1.0
                self.master.condition(Line(weights, most=float(len(places) - 1)))
            else:
                name_in(self.master, self._near(places, worth))
        return not groups

    def _near(self, places: Ints, worth: Floats) -> Ints:
        """The visits with those of their days that plans are likeliest to take instead."""
        days = self.choices.day[self.shifts.members]
        own = np.flatnonzero(np.isin(days, days[places]))
        likely = own[np.argsort(-worth[own], kind="stable")][:_NAMED_AT_ONCE]
        named = [place for place in self.named if days[place] in set(days[places].tolist())]
        found = np.array(sorted({*places.tolist(), *likely.tolist(), *named}), dtype=np.int64)
        self.named |= set(found.tolist())
        return found

    def _drones(self, visits: Ints) -> Drones:
        return name_drones(self.choices, self.shifts.members[visits].tolist())

    def _repaired(self, visits: Ints) -> tuple[Assigned, ...]:
        """As much of the visits as can be named, and class by class what fits beside them."""
        named = realise(self.choices, self.shifts.members[visits].tolist())
        given = give_out(self.choices, named)
        return min(self.first, given, key=lambda plan: [*values_of(self.choices, plan).values()])

    def _crews(self) -> dict[int, tuple[int, ...]]:
        """By choice: who flies it, nobody more than is proven that somebody has to, if possible."""
        crews = evened_out(self.choices, name_pilots(self.shifts, self.taken))
        least = self.bounds.get("busiest_pilot")
        if least is None or most_sorties(crews) <= least:
            return crews
        return name_evenly(self.shifts, self.taken, least) or crews

    def assignments(self) -> tuple[Assigned, ...]:
        """The plan with drones and pilots; packs are not named yet."""
        if not self.better and self.refused is not None:
            return self._repaired(self.refused)
        if not self.better:
            return self.first
        drones = self._drones(self.chosen).of
        crews = self._crews()
        jobs = self.choices.problem.jobs
        return tuple(
            Assigned(
                jobs[int(self.choices.job[choice])].request_id,
                drones[choice],
                crews[choice],
                (),
                self.choices.visit(choice),
            )
            for choice in sorted(crews)
        )


def _steps(shares: Sequence[Share], units: Sequence[int], below: int) -> list[int]:
    """The worst shortfalls that plans can come to, as far as they lie below the given one."""
    found = {0} if below > 0 else set()
    for share, unit in zip(shares, units, strict=True):
        for served_min in range(0, share.claimed_min + unit, unit):
            short = -(-SHORTFALL_SCALE * (share.claimed_min - served_min) // share.weight)
            if 0 < short < below:
                found.add(short)
    return sorted(found)


def _unit(weights: Floats) -> int:
    """The greatest number of which all weights are multiples."""
    return max(1, math.gcd(*weights.astype(np.int64).tolist()))


def _need(share: Share, worst: int, unit: int) -> float:
    """What the zone has to be served for no shortfall above the worst, in whole units."""
    least = share.claimed_min - worst * share.weight // SHORTFALL_SCALE
    return float(max(0, -(-least // unit) * unit))
