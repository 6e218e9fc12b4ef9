"""What the duty days prove, each taken alone by the exact search, and a plan made of them (pure).

Days that share no request are joined by the rest between two duties, by packs that charge, and by
the zones' shares.  Leaving any of that aside can only make a plan better, so that what the days
come to together bounds every plan from below, lexicographically: a sum of terms is least where
each of its parts is, and where the sum is reached, each day has its own least values.

The worst shortfall then depends on nothing but who is left out on which day.  There are few such
sets (``_options``): one of them for each day, so that the zone that is worst off loses least, is
a small search (``_LeastWorst``).  Sets of two days that follow each other are asked for together:
where no pilots are rested for both, they are no choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np

from droneteam.fleet.allocation import exact
from droneteam.fleet.allocation.choices import Choices, Ints, choices
from droneteam.fleet.allocation.exact_crowds import bits
from droneteam.fleet.allocation.exact_limits import Found, Limits, OutOfSteps
from droneteam.fleet.allocation.exact_sets import Search
from droneteam.fleet.allocation.exact_tables import FIRST_ZONE, asked, fits
from droneteam.fleet.allocation.pooled import day_groups, shares, unserved_values
from droneteam.fleet.problem import SHORTFALL_SCALE, Assigned
from droneteam.fleet.terms import PRIORITIES

_MOST_STEPS = 150_000
"""Of the exact search of one day, a third of a second; nearly all days take a hundredth of it."""
_SET_STEPS = 500_000
"""Of the search of all sets that one day can leave out."""
_MOST_SETS = 200
"""Sets to leave out on one day; where there are more, nothing is said of the shares."""
_PAIR_STEPS = 5_000
"""Of the search whether sets of two days can both be served; more, and it counts as possible."""
_MOST_LOOKED_AT = 5_000
"""Partial choices of sets that are looked at for the least worst shortfall."""

Losses = tuple[int, ...]
"""Minutes that each zone loses by those who are left out."""


@dataclass(frozen=True, slots=True)
class DayByDay:
    """What the days say together.

    bounds : of the terms in their order, each as far as all before it are reached
    served : indices of the requests that every plan serves which reaches the services' bounds; of
        requests that are alike, where the last ones are those who wait
    flown : the days' plans, each by itself; a pilot may not be rested, a pack not charged
    days, zones : what was found, where it says what the worst shortfall is at least
    """

    bounds: dict[str, int]
    served: frozenset[int] = frozenset()
    flown: tuple[Assigned, ...] = ()
    days: tuple[Day, ...] = ()
    zones: tuple[Zone, ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    """A claim of which owed_min stay unserved where nobody is left out."""

    organisation_id: int
    owed_min: int
    weight: int

    def shortfall(self, lost_min: int) -> int:
        """The zone's, where it loses so much by those who are left out."""
        return max(0, -(-SHORTFALL_SCALE * (self.owed_min + lost_min) // self.weight))


@dataclass(frozen=True, slots=True)
class Day:
    """A day's search, held at the least of its services, and the plan that has them.

    jobs : indices in the whole problem of those that the search knows
    options : the sets that can be served; none where they are too many
    """

    search: Search
    best: Found
    jobs: tuple[int, ...]
    options: list[Option]


@dataclass(frozen=True, slots=True)
class Option:
    """A set of one day that can be served, with what the zones lose by it.

    served : indices of the requests in the whole problem
    """

    losses: Losses
    plan: Found
    served: frozenset[int]


def solve_days(found: Choices, until_s: float) -> DayByDay:
    """What the days prove, and a plan of them.

    Days that cannot both have their least services, for want of rest, are taken together.
    until_s : on the monotonic clock; less is said where the time, or a day's steps, run out
    """
    said, groups, zones = DayByDay({}), day_groups(found), _zones(found)
    known: dict[bytes, Day] = {}
    while max((len(group) for group in groups), default=0) <= exact.MOST_REQUESTS:
        try:
            for group in groups:
                if group.tobytes() not in known:
                    known[group.tobytes()] = _solved(found, group, zones, until_s)
            days = [known[group.tobytes()] for group in groups]
            said = DayByDay(_bounds(found, days), _always(days))
            said, apart = _shared(found, days, zones, said, until_s)
        except OutOfSteps:
            return said
        if apart is None:
            return said
        joined = np.sort(np.concatenate(groups[apart : apart + 2]))
        groups = [*groups[:apart], joined, *groups[apart + 2 :]]
    return said


def _always(days: Sequence[Day]) -> frozenset[int]:
    """Who is served by all sets of their day."""
    sets = ([one.served for one in day.options] for day in days if day.options)
    return frozenset[int]().union(*(frozenset.intersection(*own) for own in sets))


def _shared(
    found: Choices, days: Sequence[Day], zones: Sequence[Zone], said: DayByDay, until_s: float
) -> tuple[DayByDay, int | None]:
    """With what the sets prove of the shares, or the first of two days that do not go together."""
    options = [day.options for day in days]
    if not all(options):
        return said, None
    rested = _Rested(found, days, until_s)
    search = _LeastWorst(zones, options, rested)
    least = search.solve()
    if least is not None:
        worst, chosen = least
        flown = _flown(days, [one.plan for one in chosen])
        bounds = {**said.bounds, "worst_shortfall": worst}
        return DayByDay(bounds, said.served, flown, tuple(days), tuple(zones)), None
    if search.looked_at > _MOST_LOOKED_AT:
        return said, None
    return said, rested.apart(options)


def _solved(found: Choices, group: Ints, zones: Sequence[Zone], until_s: float) -> Day:
    jobs = tuple(found.problem.jobs[job] for job in group.tolist())
    part = choices(replace(found.problem, jobs=jobs))
    if not fits(part):
        raise OutOfSteps
    search = Search(part, until_s, _MOST_STEPS)
    best = exact.Stages(search).serve_most()
    day = Day(search, best, tuple(int(group[job]) for job in search.asked.jobs), [])
    return replace(day, options=_options(day, zones))


def _bounds(found: Choices, days: Sequence[Day]) -> dict[str, int]:
    """The services of all days; who has no visit at all is not asked for on any."""
    able = set(found.job.tolist())
    sums = dict.fromkeys(unserved_values(found), 0)
    for index, job in enumerate(found.problem.jobs):
        sums[f"unserved_{job.priority}"] += index not in able
    for day in days:
        values = day.search.values(day.best)
        for level, priority in enumerate(PRIORITIES):
            sums[f"unserved_{priority}"] += values.unserved[level]
            sums[f"late_min_{priority}"] += values.late_min[level]
    return {
        name: sums[name]
        for priority in PRIORITIES
        for name in (f"unserved_{priority}", f"late_min_{priority}")
    }


def _zones(found: Choices) -> list[Zone]:
    wanted, zones = asked(found), []
    organisations = _organisations(found)
    for index, share in enumerate(shares(found)):
        own = [job for job, zone in enumerate(wanted.zone) if zone == FIRST_ZONE + index]
        served_min = sum(wanted.lost_min[job] for job in own)
        zones.append(Zone(organisations[index], share.claimed_min - served_min, share.weight))
    return zones


def _organisations(found: Choices) -> list[int]:
    """Of the shares, in their order."""
    asking = {
        job.organisation_id for job in found.problem.jobs if not job.exempt and job.demand_min
    }
    claims = [claim for claim in found.problem.claims if claim.remaining_min > 0]
    return [claim.organisation_id for claim in claims if claim.organisation_id in asking]


def _options(day: Day, zones: Sequence[Zone]) -> list[Option]:
    """The sets that the day can serve, a plan with each; none where they are too many."""
    search, plan = day.search, day.best
    found: list[Option] = []
    search.steps, search.most_steps = 0, _SET_STEPS
    try:
        for _ in range(_MOST_SETS):
            own = frozenset(day.jobs[job] for job in bits(plan.served))
            found.append(Option(_losses(day, plan, zones), plan, own))
            if plan.served == search.everyone:
                return found
            search.rule_out(plan.served)
            again = search.find(search.everyone, search.limits)
            if again is None:
                return found
            plan = again
    except OutOfSteps:
        pass  # as with too many sets: what was found until then says nothing of the others
    return []


def _losses(day: Day, plan: Found, zones: Sequence[Zone]) -> Losses:
    """Minutes that each zone loses, at least: a visit that is cut short may lose some more."""
    search = day.search
    lost = dict.fromkeys((zone.organisation_id for zone in zones), 0)
    jobs, wanted = search.choices.problem.jobs, search.asked
    for job in bits(search.everyone & ~plan.served):
        own = jobs[wanted.jobs[job]]
        if not own.exempt and own.organisation_id in lost:
            lost[own.organisation_id] += wanted.lost_min[job]
    return tuple(lost.values())


class _Rested:
    """Whether sets of two days that follow each other can both be served, rest in between."""

    def __init__(self, found: Choices, days: Sequence[Day], until_s: float) -> None:
        self.found = found
        self.days = days
        self.until_s = until_s
        self._pairs: dict[int, tuple[Search, dict[int, int], Limits]] = {}
        self._known: dict[frozenset[int], bool] = {}

    def both(self, first: int, one: Option, other: Option) -> bool:
        """False where it is proven that the first day's set does not go with the next day's."""
        served = one.served | other.served
        if served not in self._known:
            self._known[served] = self._may_serve(first, served)
        return self._known[served]

    def apart(self, options: Sequence[Sequence[Option]]) -> int | None:
        """The first day of which no set goes with any of the next day's."""
        for first, (own, others) in enumerate(pairwise(options)):
            if not any(self.both(first, one, other) for one, other in product(own, others)):
                return first
        return None

    def _may_serve(self, first: int, served: frozenset[int]) -> bool:
        search, place, limits = self._pair(first)
        mask = sum(1 << place[job] for job in served)
        return search.may_serve(mask, limits, _PAIR_STEPS)

    def _pair(self, first: int) -> tuple[Search, dict[int, int], Limits]:
        if first not in self._pairs:
            days = self.days[first : first + 2]
            jobs = sorted(job for day in days for job in day.jobs)
            own = tuple(self.found.problem.jobs[job] for job in jobs)
            part = choices(replace(self.found.problem, jobs=own))
            if not fits(part):
                raise OutOfSteps
            late = zip(*(day.search.values(day.best).late_min for day in days), strict=True)
            limits = Limits(late_min=tuple(sum(pair) for pair in late))
            search = Search(part, self.until_s)
            place = {jobs[job]: bit for bit, job in enumerate(search.asked.jobs)}
            self._pairs[first] = search, place, limits
        return self._pairs[first]


class _LeastWorst:
    """The least worst shortfall by one set for each day, each rested for the day before.

    Depth first, day by day, the sets first that leave the zones best off; what the days to come
    cost each zone at least is known.
    """

    def __init__(
        self, zones: Sequence[Zone], options: Sequence[Sequence[Option]], rested: _Rested
    ) -> None:
        self.zones = zones
        self.options = options
        self.rested = rested
        self.rest = self._rest()
        self.best: tuple[int, list[Option]] | None = None
        self.seen: set[tuple[int, frozenset[int], Losses]] = set()
        self.looked_at = 0

    def _rest(self) -> list[Losses]:
        """By day: what the zones lose at least from that day on."""
        found = [tuple([0] * len(self.zones))]
        for own in reversed(self.options):
            columns = zip(*(one.losses for one in own), strict=True)
            found.append(plus(found[-1], tuple(min(column) for column in columns)))
        return found[::-1]

    def solve(self) -> tuple[int, list[Option]] | None:
        """The shortfall and the sets; None where no sets go together, or after too many looks."""
        self._go([], self.rest[-1])
        return None if self.looked_at > _MOST_LOOKED_AT else self.best

    def _worst(self, lost: Losses) -> int:
        pairs = zip(self.zones, lost, strict=True)
        return max((zone.shortfall(own) for zone, own in pairs), default=0)

    def _go(self, taken: list[Option], lost: Losses) -> None:
        self.looked_at += 1
        at = len(taken)
        if at == len(self.options):
            self.best = self._worst(lost), list(taken)
            return
        ranked = sorted(
            (self._worst(plus(plus(lost, own.losses), self.rest[at + 1])), place)
            for place, own in enumerate(self.options[at])
        )
        for bound, place in ranked:
            if self.looked_at > _MOST_LOOKED_AT or (self.best and bound >= self.best[0]):
                return
            own = self.options[at][place]
            known = at, own.served, plus(lost, own.losses)
            if known in self.seen:
                continue
            if at == 0 or self.rested.both(at - 1, taken[-1], own):
                self.seen.add(known)
                self._go([*taken, own], known[2])


def plus(one: Losses, other: Losses) -> Losses:
    """What is lost by both."""
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _flown(days: Sequence[Day], plans: Sequence[Found]) -> tuple[Assigned, ...]:
    return tuple(
        assigned
        for day, plan in zip(days, plans, strict=True)
        for assigned in exact.Stages(day.search).assigned(plan)
    )
