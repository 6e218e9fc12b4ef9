"""What the duty days prove, each taken alone by the exact search, and a plan made of them (pure).

Days that share no request are joined by the rest between two duties, by packs that charge, and by
the zones' shares.  Leaving the first two aside can only make a plan better, so that what the days
come to together bounds every plan from below, lexicographically: a sum of terms is least where
each of its parts is, and where the sum is reached, each day has its own least values.

The worst shortfall then depends on nothing but who is left out on which day.  There are few such
sets (``_left_out``): one of them for each day, so that the zone that is worst off loses least, is
a small search (``_least_worst``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from droneteam.fleet.allocation import exact
from droneteam.fleet.allocation.choices import Choices, Ints, choices
from droneteam.fleet.allocation.exact_crowds import bits
from droneteam.fleet.allocation.exact_sets import Found, OutOfSteps, Search
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
_MOST_LOOKED_AT = 50_000
"""Partial choices of sets that are looked at for the least worst shortfall."""

Losses = tuple[int, ...]
"""Minutes that each zone loses by those who are left out."""


@dataclass(frozen=True, slots=True)
class DayByDay:
    """What the days say together.

    bounds : of the terms in their order, each as far as all before it are reached
    served : indices of the requests that every plan serves which reaches the services' bounds
    flown : the days' plans, each by itself; a pilot may not be rested, a pack not charged
    """

    bounds: dict[str, int]
    served: frozenset[int] = frozenset()
    flown: tuple[Assigned, ...] = ()


@dataclass(frozen=True, slots=True)
class _Zone:
    """A claim of which owed_min stay unserved where nobody is left out."""

    organisation_id: int
    owed_min: int
    weight: int

    def shortfall(self, lost_min: int) -> int:
        return max(0, -(-SHORTFALL_SCALE * (self.owed_min + lost_min) // self.weight))


@dataclass(frozen=True, slots=True)
class _Day:
    """A day's search, held at the least of its services, and the plan that has them.

    jobs : indices in the whole problem of those that the search knows
    """

    search: Search
    best: Found
    jobs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _LeftOut:
    """Plans by what the zones lose in them, and a mask of the requests that all sets serve."""

    plans: dict[Losses, Found]
    served: int


def solve_days(found: Choices, until_s: float) -> DayByDay:
    """What the days prove, and a plan of them.

    until_s : on the monotonic clock; less is said where the time, or a day's steps, run out
    """
    groups = day_groups(found)
    if max((len(group) for group in groups), default=0) > exact.MOST_REQUESTS:
        return DayByDay({})
    try:
        days = [_served_most(found, group, until_s) for group in groups]
    except OutOfSteps:
        return DayByDay({})
    bounds, zones = _bounds(found, days), _zones(found)
    left_out = [_left_out(day, zones) for day in days]
    served = frozenset(
        day.jobs[job] for day, own in zip(days, left_out, strict=True) for job in bits(own.served)
    )
    least = _least_worst(zones, [list(own.plans) for own in left_out])
    if least is None:
        return DayByDay(bounds, served)
    worst, chosen = least
    plans = [own.plans[losses] for own, losses in zip(left_out, chosen, strict=True)]
    return DayByDay({**bounds, "worst_shortfall": worst}, served, _flown(days, plans))


def _served_most(found: Choices, group: Ints, until_s: float) -> _Day:
    jobs = tuple(found.problem.jobs[job] for job in group.tolist())
    part = choices(replace(found.problem, jobs=jobs))
    if not fits(part):
        raise OutOfSteps
    search = Search(part, until_s, _MOST_STEPS)
    best = exact.Stages(search).serve_most()
    return _Day(search, best, tuple(int(group[job]) for job in search.asked.jobs))


def _bounds(found: Choices, days: Sequence[_Day]) -> dict[str, int]:
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


def _zones(found: Choices) -> list[_Zone]:
    wanted, zones = asked(found), []
    organisations = _organisations(found)
    for index, share in enumerate(shares(found)):
        own = [job for job, zone in enumerate(wanted.zone) if zone == FIRST_ZONE + index]
        served_min = sum(wanted.lost_min[job] for job in own)
        zones.append(_Zone(organisations[index], share.claimed_min - served_min, share.weight))
    return zones


def _organisations(found: Choices) -> list[int]:
    """Of the shares, in their order."""
    asking = {
        job.organisation_id for job in found.problem.jobs if not job.exempt and job.demand_min
    }
    claims = [claim for claim in found.problem.claims if claim.remaining_min > 0]
    return [claim.organisation_id for claim in claims if claim.organisation_id in asking]


def _left_out(day: _Day, zones: Sequence[_Zone]) -> _LeftOut:
    """The sets that can be left out with a plan for each; no plans where they are too many.

    Of sets that lose no less than another for any zone only the other is kept.
    """
    search, plan = day.search, day.best
    plans: dict[Losses, Found] = {}
    always = plan.served
    search.steps, search.most_steps = 0, _SET_STEPS
    try:
        for _ in range(_MOST_SETS):
            losses = _losses(day, plan, zones)
            if not any(_no_worse(other, losses) for other in plans):
                plans = {own: one for own, one in plans.items() if not _no_worse(losses, own)}
                plans[losses] = plan
            always &= plan.served
            if plan.served == search.everyone:
                return _LeftOut(plans, always)
            search.rule_out(plan.served)
            again = search.find(search.everyone, search.limits)
            if again is None:
                return _LeftOut(plans, always)
            plan = again
    except OutOfSteps:
        pass  # as with too many sets: what was found until then says nothing of the others
    return _LeftOut({}, 0)


def _no_worse(one: Losses, other: Losses) -> bool:
    return all(own <= theirs for own, theirs in zip(one, other, strict=True))


def _losses(day: _Day, plan: Found, zones: Sequence[_Zone]) -> Losses:
    """Minutes that each zone loses, at least: a visit that is cut short may lose some more."""
    search = day.search
    lost = dict.fromkeys((zone.organisation_id for zone in zones), 0)
    jobs, wanted = search.choices.problem.jobs, search.asked
    for job in bits(search.everyone & ~plan.served):
        own = jobs[wanted.jobs[job]]
        if not own.exempt and own.organisation_id in lost:
            lost[own.organisation_id] += wanted.lost_min[job]
    return tuple(lost.values())


def _least_worst(
    zones: Sequence[_Zone], options: Sequence[Sequence[Losses]]
) -> tuple[int, list[Losses]] | None:
    """The least worst shortfall by one set for each day, and the sets.

    None where a day's sets are not known, or after too many looks.

    Depth first, the days with the fewest sets last; who loses what in the rest at least is known.
    """
    if not all(options):
        return None
    order = sorted(range(len(options)), key=lambda day: -len(options[day]))
    rest = [tuple([0] * len(zones))]
    for day in reversed(order):
        least = [min(column) for column in zip(*options[day], strict=True)]
        rest.append(tuple(a + b for a, b in zip(rest[-1], least, strict=True)))
    rest.reverse()
    best: tuple[int, list[Losses]] | None = None
    looked_at = 0

    def worst_of(lost: Losses) -> int:
        return max((z.shortfall(own) for z, own in zip(zones, lost, strict=True)), default=0)

    def go(at: int, lost: Losses, taken: list[Losses]) -> None:
        nonlocal best, looked_at
        looked_at += 1
        if looked_at > _MOST_LOOKED_AT:
            return
        if at == len(order):
            best = worst_of(lost), list(taken)
            return
        sums = [_plus(lost, own) for own in options[order[at]]]
        ranked = sorted(
            (worst_of(_plus(together, rest[at + 1])), place) for place, together in enumerate(sums)
        )
        for bound, place in ranked:
            if best is not None and bound >= best[0]:
                return
            go(at + 1, sums[place], [*taken, options[order[at]][place]])

    go(0, tuple([0] * len(zones)), [])
    if best is None or looked_at > _MOST_LOOKED_AT:
        return None
    by_day = dict(zip(order, best[1], strict=True))
    return best[0], [by_day[day] for day in range(len(options))]


def _plus(one: Losses, other: Losses) -> Losses:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def _flown(days: Sequence[_Day], plans: Sequence[Found]) -> tuple[Assigned, ...]:
    return tuple(
        assigned
        for day, plan in zip(days, plans, strict=True)
        for assigned in exact.Stages(day.search).assigned(plan)
    )
