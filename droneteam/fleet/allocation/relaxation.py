"""A pooled model of some duty days, strong enough that its bound is nearly always reached.

People and drones are counted, not named.  Of each kind of pilot at most as many are out at a
moment as have a duty that covers it, and each has one duty, of the longest allowed length, per
day; of each kind of drone and of packs at most as many are out as the team owns.  Every real
plan satisfies this, so that a minimum of the pooled model is a proven bound, and where the
chosen visits can be given to named people (``realise``) the plan itself is proven.

The linear program has interval rows and is close to integral; HiGHS (through SciPy) mostly
proves it at the root.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, Flags, Ints
from droneteam.fleet.problem import SHORTFALL_SCALE, packs_needed

Floats = NDArray[np.float64]
_TOLERANCE = 1e-4
"""Objectives are whole numbers: a bound this close below one is that number."""
MOST_CHOICES = 3_000
"""A part with more is not modelled: its rows grow with the square of its choices."""
_MAX_SETS = 12
"""Beyond this many different sets of able ones, their unions are not looked at."""


@dataclass(frozen=True, slots=True)
class Row:
    """One linear condition on the choices: sum(weights × chosen) ≥ least."""

    members: Ints
    weights: Ints
    least: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one zone claims: claimed_min and weight, and the minutes that each choice serves."""

    members: Ints
    served_min: Ints
    claimed_min: int
    weight: int


@dataclass(frozen=True, slots=True)
class Bound:
    """The least value of an objective, what is proven of it, and choices that reach it."""

    value: int
    proven: int
    chosen: Ints


@dataclass(slots=True)
class Rows:
    """Sparse rows ``sum of weights × columns ≤ limit`` as they are collected."""

    rows: list[int]
    columns: list[int]
    weights: list[float]
    limits: list[float]

    def add(self, columns: Iterable[int], weights: Iterable[float], limit: float) -> None:
        """One row more."""
        before = len(self.columns)
        self.columns.extend(columns)
        self.weights.extend(weights)
        self.rows.extend([len(self.limits)] * (len(self.columns) - before))
        self.limits.append(limit)


@dataclass(frozen=True, slots=True)
class Scope:
    """A part of the problem as its earlier objectives have left it.

    members : the choices that are still allowed, in rising order
    must : indices of the jobs that have to be served
    """

    members: Ints
    must: frozenset[int] = frozenset()
    conditions: tuple[Row, ...] = ()


def minimum(choices: Choices, scope: Scope, costs: Ints, time_limit_s: float) -> Bound | None:
    """The least sum of costs of a pooled plan; None where none was found in the time.

    A scope of more than MOST_CHOICES is not tried.

    costs : (n,) per choice of the whole problem; an unserved request costs 0
    """
    members = scope.members
    if len(members) == 0:
        return Bound(0, 0, members)
    if len(members) > MOST_CHOICES:
        return None
    model = _model(choices, scope)
    objective = np.zeros(len(model.upper))
    objective[: len(members)] = costs[members]
    found = model.solve(objective, time_limit_s)
    if found is None:
        return None
    values, proven = found
    chosen = members[values[: len(members)] > 0.5]
    value = int(costs[chosen].sum())
    return Bound(value, min(value, proven), chosen)


def least_worst_share(
    choices: Choices, scope: Scope, shares: Sequence[Share], time_limit_s: float
) -> Bound | None:
    """The least worst shortfall, in thousandths per weight, that the shares can come to."""
    if len(scope.members) > MOST_CHOICES:
        return None
    model = _model(choices, scope)
    worst = len(model.upper)
    for share in shares:
        _, own, theirs = np.intersect1d(scope.members, share.members, return_indices=True)
        served = -SHORTFALL_SCALE * share.served_min[theirs].astype(np.float64)
        weights = [*served.tolist(), -float(share.weight)]
        model.rows.add([*own.tolist(), worst], weights, -SHORTFALL_SCALE * share.claimed_min)
    highest = max(SHORTFALL_SCALE * share.claimed_min / share.weight for share in shares)
    model.upper = np.append(model.upper, highest + 1.0)
    objective = np.zeros(worst + 1)
    objective[worst] = 1.0
    found = model.solve(objective, time_limit_s)
    if found is None:
        return None
    values, proven = found
    chosen = scope.members[values[: len(scope.members)] > 0.5]
    value = max(0, *(shortfall(share, chosen) for share in shares))
    return Bound(value, min(value, proven), chosen)


def shortfall(share: Share, chosen: Ints) -> int:
    """What the chosen visits leave of the zone's claim, per weight, in thousandths, rounded up."""
    served = int(share.served_min[np.isin(share.members, chosen)].sum())
    return -(-SHORTFALL_SCALE * (share.claimed_min - served) // share.weight)


@dataclass(slots=True)
class _Model:
    """Rows and upper bounds; the first columns are the scope's members and are whole."""

    rows: Rows
    upper: Floats
    whole: int

    def solve(self, objective: Floats, time_limit_s: float) -> tuple[Floats, int] | None:
        """Values of the columns and the proven bound, rounded up; None without a solution."""
        from scipy.optimize import Bounds, LinearConstraint, milp  # slow to load
        from scipy.sparse import csr_array

        size = len(self.upper)
        cells = (self.rows.weights, (self.rows.rows, self.rows.columns))
        outcome = milp(
            objective,
            integrality=np.arange(size) < self.whole,
            bounds=Bounds(0.0, self.upper),
            constraints=LinearConstraint(
                csr_array(cells, shape=(len(self.rows.limits), size)),
                ub=np.array(self.rows.limits),
            ),
            options={"mip_rel_gap": 0.0, "time_limit": max(time_limit_s, 0.01)},
        )
        if outcome.x is None:
            return None
        dual = outcome.fun if outcome.mip_dual_bound is None else outcome.mip_dual_bound
        return outcome.x, int(np.ceil(dual - _TOLERANCE))


def _model(choices: Choices, scope: Scope) -> _Model:
    rows, duties = _pooled_rows(choices, scope.members)
    _job_rows(rows, choices, scope.members, scope.must)
    _condition_rows(rows, scope.members, scope.conditions)
    upper = np.concatenate([np.ones(len(scope.members)), duties])
    return _Model(rows, upper, len(scope.members))


def _job_rows(rows: Rows, choices: Choices, members: Ints, must: frozenset[int]) -> None:
    """Each job at most once; those that have to be served at least once."""
    jobs = choices.job[members]
    firsts = np.flatnonzero(np.diff(jobs, prepend=-1))
    for first, past in zip(firsts, [*firsts[1:], len(members)], strict=True):
        columns = range(int(first), int(past))
        rows.add(columns, [1.0] * len(columns), 1.0)
        if int(jobs[first]) in must:
            rows.add(columns, [-1.0] * len(columns), -1.0)


def _condition_rows(rows: Rows, members: Ints, conditions: Sequence[Row]) -> None:
    for condition in conditions:
        _, own, theirs = np.intersect1d(members, condition.members, return_indices=True)
        weights = -condition.weights[theirs].astype(np.float64)
        rows.add(own.tolist(), weights.tolist(), -float(condition.least))


def _pooled_rows(choices: Choices, members: Ints) -> tuple[Rows, Floats]:
    """The capacity rows, and the upper bounds of the columns that count duties."""
    rows = Rows([], [], [], [])
    duties = _duties(choices, members)
    kinds = kinds_of([choices.pilot_sets[index] for index in set(choices.pilots[members].tolist())])
    upper = np.array([len(kind) for kind in kinds for _ in duties], dtype=np.float64)
    _duty_rows(rows, kinds, duties, len(members))
    _pilot_rows(rows, choices, members, kinds, duties)
    _drone_rows(rows, choices, members)
    _pack_rows(rows, choices, members)
    return rows, upper


def capacity_rows(choices: Choices, members: Ints) -> Rows:
    """At each moment that matters: no more drones, or packs, out than the team has.

    The columns are places in members.
    """
    rows = Rows([], [], [], [])
    _drone_rows(rows, choices, members)
    _pack_rows(rows, choices, members)
    return rows


def _duties(choices: Choices, members: Ints) -> list[tuple[int, int]]:
    """(day, start) of the duties that a pilot could need; none lies wholly within another."""
    longest = choices.problem.duty.max_duty_min * MINUTE_US
    found: list[tuple[int, int]] = []
    for day in np.unique(choices.day[members]).tolist():
        own = members[choices.day[members] == day]
        taken, free = choices.taken_us[own], choices.free_us[own]
        kept: list[tuple[int, Flags]] = []
        for start in np.unique(taken).tolist():
            inside = (taken >= start) & (free <= start + longest)
            if any(not np.any(inside & ~other) for _, other in kept):
                continue
            kept = [(at, other) for at, other in kept if np.any(other & ~inside)]
            kept.append((start, inside))
        found += [(day, start) for start, _ in kept]
    return found


def kinds_of(sets: Sequence[frozenset[int]]) -> list[frozenset[int]]:
    """The pilots, grouped by the sets of able ones in which they stand."""
    groups: defaultdict[tuple[bool, ...], set[int]] = defaultdict(set)
    for one in frozenset[int]().union(*sets):
        groups[tuple(one in able for able in sets)].add(one)
    return [frozenset(group) for group in groups.values()]


def _with_unions(sets: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """The sets and the unions of two of them: a group's demand may exceed it only together."""
    single = sorted(set(sets), key=sorted)
    if len(single) > _MAX_SETS:
        return single
    return sorted({one | other for one in single for other in single}, key=sorted)


def _duty_rows(
    rows: Rows, kinds: Sequence[frozenset[int]], duties: Sequence[tuple[int, int]], offset: int
) -> None:
    """Nobody has two duties on one day."""
    for index, kind in enumerate(kinds):
        by_day: defaultdict[int, list[int]] = defaultdict(list)
        for number, (day, _) in enumerate(duties):
            by_day[day].append(offset + index * len(duties) + number)
        for columns in by_day.values():
            rows.add(columns, [1.0] * len(columns), float(len(kind)))


def _pilot_rows(
    rows: Rows,
    choices: Choices,
    members: Ints,
    kinds: Sequence[frozenset[int]],
    duties: Sequence[tuple[int, int]],
) -> None:
    """In each stretch of time, no more crews are out throughout than have a duty that covers it.

    The stretches are the moments at which most are out, and the length of every visit.
    """
    longest = choices.problem.duty.max_duty_min * MINUTE_US
    starts = np.array([start for _, start in duties], dtype=np.int64)
    taken, free = choices.taken_us[members], choices.free_us[members]
    used = sorted({int(index) for index in choices.pilots[members]})
    for group in _with_unions(choices.pilot_sets[index] for index in used):
        able = [index for index in used if choices.pilot_sets[index] <= group]
        inside = np.isin(choices.pilots[members], able)
        theirs = [index for index, kind in enumerate(kinds) if kind <= group]
        spans = {(moment, moment + 1) for moment in moments(taken[inside], free[inside])}
        spans |= set(zip(taken[inside].tolist(), free[inside].tolist(), strict=True))
        for first, past in sorted(spans):
            out = np.flatnonzero(inside & (taken <= first) & (past <= free))
            covering = np.flatnonzero((starts <= first) & (past <= starts + longest))
            columns = [
                len(members) + index * len(duties) + number
                for index in theirs
                for number in covering.tolist()
            ]
            crews = choices.crew[members[out]].tolist()
            rows.add([*out.tolist(), *columns], [*crews, *[-1.0] * len(columns)], 0.0)


def moments(taken: Ints, free: Ints) -> list[int]:
    """One moment for each largest set of visits that are out together, and its last moment."""
    starts = np.unique(taken)
    ends = np.unique(free)
    # the first end after each start; the set at this start is largest when no start comes before
    first_end = ends[np.searchsorted(ends, starts, side="right")]
    following = np.append(starts[1:], np.iinfo(np.int64).max)
    largest = first_end <= following
    return sorted({*starts[largest].tolist(), *(first_end[largest] - 1).tolist()})


def _drone_rows(rows: Rows, choices: Choices, members: Ints) -> None:
    """At each moment, no more drones of a group are out than there are."""
    used = sorted({int(index) for index in choices.drones[members]})
    for group in _with_unions(choices.drone_sets[index] for index in used):
        able = [index for index in used if choices.drone_sets[index] <= group]
        inside = np.flatnonzero(np.isin(choices.drones[members], able))
        _capacity(rows, choices, members, inside, np.ones(len(inside)), len(group), 0)


def _capacity(
    rows: Rows,
    choices: Choices,
    members: Ints,
    inside: Ints,
    weights: Floats,
    limit: float,
    spare_us: int,
) -> None:
    """At each moment the weights of those inside that are out stay within the limit."""
    taken, free = choices.taken_us[members[inside]], choices.free_us[members[inside]] + spare_us
    jobs = choices.job[members[inside]]
    for moment in moments(taken, free):
        out = np.flatnonzero((taken <= moment) & (moment < free))
        most = {int(j): float(w) for j, w in zip(jobs[out], weights[out], strict=True)}
        if sum(most.values()) > limit:
            rows.add(inside[out].tolist(), weights[out].tolist(), limit)


def _pack_rows(rows: Rows, choices: Choices, members: Ints) -> None:
    """Where only one type of pack will do: at no moment more of it than the team owns."""
    problem = choices.problem
    types = {drone.id: drone.pack_type for drone in problem.drones}
    for kind in problem.pack_types:
        owned = sum(pack.type == kind.name for pack in problem.packs)
        only = [
            index
            for index in {int(index) for index in choices.drones[members]}
            if {types[drone] for drone in choices.drone_sets[index]} == {kind.name}
        ]
        inside = np.flatnonzero(np.isin(choices.drones[members], only))
        if len(inside) == 0:
            continue
        jobs = choices.job[members[inside]].tolist()
        needed = {job: float(packs_needed(problem.jobs[job], kind)) for job in set(jobs)}
        weights = np.array([needed[job] for job in jobs])
        spare_us = kind.charge_min * MINUTE_US
        _capacity(rows, choices, members, inside, weights, float(owned), spare_us)
