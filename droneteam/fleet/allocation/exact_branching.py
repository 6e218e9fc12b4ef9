# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Which request the compiled search decides next, and what of its visits it tries first."""

from __future__ import annotations

import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import START, ZERO, Tables, inner, lowest
from droneteam.fleet.allocation.exact_nodes import Node

SPLIT_US = 20 * 60_000_000
"""A request whose start is known to this is given a single visit when it is decided."""
_KEPT_FIRST = 16.0
"""How much sooner it is asked whether a start stays than which one it is; measured."""


@inner
def choose_job(t: Tables, alive: Ints, wanted: int, weight: Ints, keeping: bool) -> int:
    """The open request whose start is least certain, for the failures it had; -1: none is open.

    A base is chosen last: it hardly moves the time, and the drones' colouring mostly knows it.
    keeping : what may change is limited; whether a start stays is asked before which other it is
    """
    best, best_key = -1, 0.0
    rest = wanted
    while rest:
        job = lowest(rest)
        rest &= rest - 1
        count, kept, soonest, latest = 0, 0, 2**62, -(2**62)
        for visit in range(t.first[job], t.first[job + 1]):
            if alive[t.cell[visit]] & t.bit[visit]:
                count += 1
                kept += t.cost[START, visit] == 0
                soonest, latest = min(soonest, t.taken[visit]), max(latest, t.taken[visit])
        if count > 1:
            key = (1.0 + latest - soonest) * (4.0 + weight[job])
            if keeping and 0 < kept < count:
                key *= _KEPT_FIRST
            if key > best_key:
                best, best_key = job, key
    return best


@inner
def _branch(t: Tables, alive: Ints, job: int, visit: int, keeping: bool, into: Ints) -> None:
    """The part of the request's visits to be tried first.

    The published start where another would be a change, the half about the visit, or it alone.
    """
    soonest, latest, kept, count = 2**62, -(2**62), 0, 0
    into[:] = 0
    for other in range(t.first[job], t.first[job + 1]):
        if alive[t.cell[other]] & t.bit[other]:
            soonest, latest = min(soonest, t.taken[other]), max(latest, t.taken[other])
            count += 1
            if t.cost[START, other] == 0:
                kept += 1
                into[t.cell[other] - t.word[job]] |= t.bit[other]
    if keeping and 0 < kept < count:
        return
    into[:] = 0
    if latest - soonest < SPLIT_US:
        into[t.cell[visit] - t.word[job]] = t.bit[visit]
        return
    middle = (soonest + latest) // 2
    early = t.taken[visit] <= middle
    for other in range(t.first[job], t.first[job + 1]):
        if alive[t.cell[other]] & t.bit[other] and (t.taken[other] <= middle) == early:
            into[t.cell[other] - t.word[job]] |= t.bit[other]


@inner
def _choose_visit(t: Tables, alive: Ints, job: int, base: int) -> int:
    """The request's best visit that is alive, from the base where one is."""
    best, best_key = -1, 0
    for visit in range(t.first[job], t.first[job + 1]):
        if alive[t.cell[visit]] & t.bit[visit]:
            key = t.rank[visit] + (0 if t.base[visit] == base else 2**32)
            if best < 0 or key < best_key:
                best, best_key = visit, key
    return best


@inner
def _descend(node: Node, depth: int) -> None:
    node.alive[depth + 1] = node.alive[depth]
    node.able_pilots[depth + 1] = node.able_pilots[depth]
    node.able_drones[depth + 1] = node.able_drones[depth]
    node.clash[depth + 1] = node.clash[depth]
    node.drone_clash[depth + 1] = node.drone_clash[depth]
    node.begin[depth + 1] = node.begin[depth]
    node.end[depth + 1] = node.end[depth]
    node.low[depth + 1] = node.low[depth]


@inner
def depths(t: Tables, alive: Ints, wanted: int) -> int:
    """Room for the deepest search: whether each start stays, its halvings, and one visit alone."""
    found = ZERO + 2
    rest = wanted
    while rest:
        job = lowest(rest)
        rest &= rest - 1
        soonest, latest = 2**62, -(2**62)
        for visit in range(t.first[job], t.first[job + 1]):
            if alive[t.cell[visit]] & t.bit[visit]:
                soonest, latest = min(soonest, t.taken[visit]), max(latest, t.taken[visit])
        span = latest - soonest
        while span >= SPLIT_US:
            span //= 2
            found += 1
        found += 3
    return found


@inner
def go_down(
    t: Tables, node: Node, depth: int, job: int, fleet: Ints, keeping: bool, into: Ints
) -> None:
    """Decides something about the request; the next depth holds what is tried first."""
    base = t.drone_base[fleet[job]] if fleet[job] >= 0 else -1
    visit = _choose_visit(t, node.alive[depth], job, base)
    _branch(t, node.alive[depth], job, visit, keeping, into)
    _descend(node, depth)
    for word in range(t.word[job], t.word[job + 1]):
        node.alive[depth + 1, word] = into[word - t.word[job]]


@inner
def go_back(t: Tables, node: Node, depth: int, job: int, tried: Ints) -> None:
    """Leaves the request what has not been tried."""
    for word in range(t.word[job], t.word[job + 1]):
        node.alive[depth, word] &= ~tried[word - t.word[job]]


@inner
def settle(t: Tables, alive: Ints, wanted: int, visits: Ints) -> None:
    """Writes down the visit that is left to each."""
    rest = wanted
    while rest:
        one = lowest(rest)
        rest &= rest - 1
        visits[one] = _choose_visit(t, alive, one, np.int64(-1))
