"""The lexicographic objective on the pooled model, part by part, with what is proven of it.

Parts are duty days that share no request.  A sum over independent parts is lexicographically
least where every part is, so that each is solved alone; only the worst zone's shortfall joins
them, and only where a request could be served at another's cost.  A part in which every request
gets the best of its choices is proven by looking at it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from droneteam.fleet.allocation.choices import Choices, Ints, preference
from droneteam.fleet.allocation.relaxation import (
    Row,
    Scope,
    Share,
    least_worst_share,
    minimum,
    shortfall,
)
from droneteam.fleet.problem import SHORTFALL_SCALE, TERM_NAMES
from droneteam.fleet.terms import PRIORITIES

MAX_STAGE_RANGE = 2**18
"""Objectives are joined with exact weights up to here: floating-point bounds stay exact."""
SERVICE = TERM_NAMES[: 2 * len(PRIORITIES)]
REST = ("changes", "moved_min", "travel_min")


@dataclass(slots=True)
class Part:
    """Some requests that meet no other's: what they may still choose, and the best so far."""

    scope: Scope
    chosen: Ints


@dataclass(slots=True)
class Pooled:
    """The outcome: visits to be given to people, and a lower bound of every term.

    bounds : of the terms in their order as far as all before are proven; the others are missing
    """

    chosen: Ints
    bounds: dict[str, int] = field(default_factory=dict)


def solve_pooled(choices: Choices, first: Ints, time_limit_s: float) -> Pooled:
    """The least objective of the pooled model, its visits and its bounds.

    first : the choices of a plan that breaks no rule, in rising order; a part that is not solved
        keeps them
    """
    return _Stages(choices, first, time.monotonic() + time_limit_s).run()


def term_costs(choices: Choices) -> dict[str, Ints]:
    """Per choice what serving the request so adds to each additive term; unserved adds 0."""
    jobs = choices.problem.jobs
    classes = np.array([PRIORITIES.index(job.priority) for job in jobs], dtype=np.int64)
    kept = np.array(
        [0 if job.published is None else 2 + len(job.published.pilot_ids) for job in jobs],
        dtype=np.int64,
    )
    costs = {}
    for index, priority in enumerate(PRIORITIES):
        own = classes[choices.job] == index
        costs[f"unserved_{priority}"] = -own.astype(np.int64)
        costs[f"late_min_{priority}"] = np.where(own, choices.late_min, 0)
    costs["changes"] = choices.loss - kept[choices.job]
    costs["moved_min"] = choices.moved_min
    costs["travel_min"] = choices.travel_min
    return costs


def unserved_values(choices: Choices) -> dict[str, int]:
    """The additive terms where nobody is served."""
    jobs = choices.problem.jobs
    values = dict.fromkeys((*SERVICE, *REST), 0)
    for job in jobs:
        values[f"unserved_{job.priority}"] += 1
        values["changes"] += 0 if job.published is None else 2 + len(job.published.pilot_ids)
    return values


def shares(choices: Choices) -> list[Share]:
    """The zones' claims with what each choice serves of them."""
    jobs = choices.problem.jobs
    zones = np.array([-1 if job.exempt else job.organisation_id for job in jobs], dtype=np.int64)
    demand: dict[int, int] = {}
    for job in jobs:
        if not job.exempt:
            demand[job.organisation_id] = demand.get(job.organisation_id, 0) + job.demand_min
    found = []
    for claim in choices.problem.claims:
        members = np.flatnonzero(zones[choices.job] == claim.organisation_id)
        claimed = min(demand.get(claim.organisation_id, 0), claim.remaining_min)
        if claimed > 0:
            found.append(Share(members, choices.served_min[members], claimed, claim.weight))
    return found


class _Stages:
    """Runs the objective's stages over the parts."""

    def __init__(self, choices: Choices, first: Ints, until_s: float) -> None:
        self.choices = choices
        self.until_s = until_s
        self.costs = term_costs(choices)
        self.values = unserved_values(choices)
        self.shares = shares(choices)
        self.exact = True
        self.bounds: dict[str, int] = {}
        self.parts = _parts(choices, first)

    def run(self) -> Pooled:
        """All stages but the busiest pilot, who has a name."""
        self._reduce(SERVICE)
        if self.exact:
            self._share_fairly()
        if self.exact:
            self._reduce_rest()
        chosen = [part.chosen for part in self.parts]
        return Pooled(np.concatenate(chosen) if chosen else _nothing(), self.bounds)

    def _reduce(self, names: Sequence[str]) -> None:
        """Each part's least terms, one group of joined terms after the other."""
        for part in self.parts:
            for group in term_groups(part, names, self.costs, self.choices):
                if self.exact:
                    self._reduce_part(part, group)
        if self.exact:
            for name in names:
                got = sum(int(self.costs[name][part.chosen].sum()) for part in self.parts)
                self.bounds[name] = self.values[name] + got

    def _reduce_part(self, part: Part, group: Sequence[tuple[str, int]]) -> None:
        joined = sum(
            (weight * self.costs[name] for name, weight in group),
            np.zeros(len(self.choices.job), dtype=np.int64),
        )
        if int(joined[part.chosen].sum()) > ideal(part.scope, self.choices, joined):
            found = minimum(self.choices, part.scope, joined, self._left_s())
            if found is None or found.proven < found.value:
                self.exact = False
                return
            part.chosen = found.chosen
        for name, _ in group:
            hold(part, self.choices, self.costs[name])

    def _left_s(self) -> float:
        return self.until_s - time.monotonic()

    def _share_fairly(self) -> None:
        """The least worst shortfall; what it asks of each part becomes the part's condition."""
        worst = self._worst()
        tried: set[int] = set()
        while worst > 0:
            zone = max(
                range(len(self.shares)), key=lambda z: shortfall(self.shares[z], self._chosen())
            )
            if zone in tried:
                break
            tried.add(zone)
            least = self._least_alone(zone)
            worst = self._worst()
            if worst == least or not self.exact:
                break
        else:
            zone, least = -1, 0
        if self.exact and worst > max(0, least if self.shares else 0):
            worst = self._least_together()
        if self.exact:
            self.bounds["worst_shortfall"] = worst
            self._ask_of_parts(worst)

    def _chosen(self) -> Ints:
        chosen = [part.chosen for part in self.parts]
        return np.concatenate(chosen) if chosen else _nothing()

    def _worst(self) -> int:
        chosen = self._chosen()
        return max((shortfall(share, chosen) for share in self.shares), default=0)

    def _least_alone(self, zone: int) -> int:
        """A bound: the zone's shortfall where every part does its most for it."""
        share = self.shares[zone]
        served = np.zeros(len(self.choices.job), dtype=np.int64)
        served[share.members] = share.served_min
        most = 0
        for part in self.parts:
            got = int(served[part.chosen].sum())
            if got < -ideal(part.scope, self.choices, -served):
                found = minimum(self.choices, part.scope, -served, self._left_s())
                if found is None or found.proven < found.value:
                    self.exact = False
                    return 0
                if -found.value > got:
                    part.chosen, got = found.chosen, -found.value
            most += got
        return max(0, -(-SHORTFALL_SCALE * (share.claimed_min - most) // share.weight))

    def _least_together(self) -> int:
        """The least worst shortfall over all parts at once."""
        part = _joined(self.parts)
        found = least_worst_share(self.choices, part.scope, self.shares, self._left_s())
        if found is None or found.proven < found.value:
            self.exact = False
            return 0
        self.parts = [replace(part, chosen=found.chosen)]
        return found.value

    def _needs(self, worst: int) -> list[tuple[Share, int]]:
        """What each zone has to be served, in crew-minutes, for no shortfall above the worst."""
        return [
            (share, share.claimed_min - worst * share.weight // SHORTFALL_SCALE)
            for share in self.shares
        ]

    def _ask_of_parts(self, worst: int) -> None:
        for share, need in self._needs(worst):
            served = np.zeros(len(self.choices.job), dtype=np.int64)
            served[share.members] = share.served_min
            most = [-ideal(part.scope, self.choices, -served) for part in self.parts]
            spare = sum(most) - need
            for part, own in zip(self.parts, most, strict=True):
                if own > spare:
                    members = np.intersect1d(part.scope.members, share.members)
                    row = Row(members, served[members], own - spare)
                    part.scope = replace(part.scope, conditions=(*part.scope.conditions, row))

    def _reduce_rest(self) -> None:
        """Changes, moves and travel; over all parts at once only where a zone's need joins them."""
        needs = self._needs(self.bounds["worst_shortfall"])
        before = [replace(part) for part in self.parts]
        self._reduce(REST)
        chosen = self._chosen()
        if not self.exact or all(_served(share, chosen) >= need for share, need in needs):
            return
        joined = _joined(before)
        rows = tuple(Row(share.members, share.served_min, need) for share, need in needs)
        joined.scope = replace(joined.scope, conditions=(*joined.scope.conditions, *rows))
        self.parts = [joined]
        self._reduce(REST)


def _nothing() -> Ints:
    return np.zeros(0, dtype=np.int64)


def _served(share: Share, chosen: Ints) -> int:
    return int(share.served_min[np.isin(share.members, chosen)].sum())


def _parts(choices: Choices, first: Ints) -> list[Part]:
    """The duty days, joined where a request could lie on either, each with its part of a plan."""
    found = []
    for jobs in day_groups(choices):
        members = np.flatnonzero(np.isin(choices.job, jobs))
        found.append(Part(Scope(members), np.intersect1d(first, members)))
    return found


def best_alone(choices: Choices) -> Ints:
    """For each request the choice that is best for it alone."""
    order = preference(choices)
    _, firsts = np.unique(choices.job[order], return_index=True)
    return order[firsts]


def day_groups(choices: Choices) -> list[Ints]:
    """Indices of the jobs that some day joins, directly or through others."""
    root: dict[int, int] = {}

    def find(day: int) -> int:
        while root.setdefault(day, day) != day:
            day = root[day]
        return day

    firsts: dict[int, int] = {}
    for job, day in np.unique(np.stack([choices.job, choices.day], axis=1), axis=0).tolist():
        first = firsts.setdefault(job, day)
        root[find(day)] = find(first)
    groups: dict[int, list[int]] = {}
    for job, day in firsts.items():
        groups.setdefault(find(day), []).append(job)
    return [np.array(sorted(jobs), dtype=np.int64) for _, jobs in sorted(groups.items())]


def _joined(parts: Sequence[Part]) -> Part:
    return Part(
        scope=Scope(
            np.sort(np.concatenate([part.scope.members for part in parts])),
            frozenset[int]().union(*(part.scope.must for part in parts)),
            tuple(row for part in parts for row in part.scope.conditions),
        ),
        chosen=np.concatenate([part.chosen for part in parts]),
    )


def _least_each(scope: Scope, choices: Choices, costs: Ints) -> tuple[Ints, Ints]:
    """The scope's jobs that still have choices, and the least that each can cost."""
    members = scope.members
    jobs, firsts = np.unique(choices.job[members], return_index=True)
    if len(jobs) == 0:
        return jobs, jobs
    least = np.minimum.reduceat(costs[members], firsts)
    free = ~np.isin(jobs, list(scope.must))
    return jobs, np.where(free, np.minimum(least, 0), least)


def ideal(scope: Scope, choices: Choices, costs: Ints) -> int:
    """The sum of the least that each request can cost alone."""
    return int(_least_each(scope, choices, costs)[1].sum())


def hold(part: Part, choices: Choices, costs: Ints) -> None:
    """From now on the part's cost stays at what it is; where that is ideal, choices fall away."""
    members = part.scope.members
    jobs, least = _least_each(part.scope, choices, costs)
    reached = int(costs[part.chosen].sum())
    if reached == int(least.sum()):
        at = np.searchsorted(jobs, choices.job[members])
        must = part.scope.must | set(jobs[least < 0].tolist())
        part.scope = replace(
            part.scope, members=members[costs[members] == least[at]], must=frozenset(must)
        )
    else:
        touched = members[costs[members] != 0]
        row = Row(touched, -costs[touched], -reached)
        part.scope = replace(part.scope, conditions=(*part.scope.conditions, row))


def term_groups(
    part: Part, names: Iterable[str], costs: Mapping[str, Ints], choices: Choices
) -> list[list[tuple[str, int]]]:
    """Neighbouring terms with exact weights, joined while their ranges stay small."""
    sized = []
    for name in names:
        size = ideal(part.scope, choices, -costs[name]) + ideal(part.scope, choices, costs[name])
        sized.append((name, 1 - size))
    groups: list[list[tuple[str, int]]] = []
    product = MAX_STAGE_RANGE + 1
    for name, size in sized:
        if size == 1:
            continue
        if product * size > MAX_STAGE_RANGE:
            groups.append([])
            product = 1
        groups[-1].append((name, size))
        product *= size
    return [_weighted(group) for group in groups]


def _weighted(group: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Weights with which no later term can outweigh one unit of an earlier one."""
    weight, found = 1, []
    for name, size in reversed(group):
        found.append((name, weight))
        weight *= size
    return found[::-1]
