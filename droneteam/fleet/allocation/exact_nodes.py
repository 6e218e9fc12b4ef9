# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled state of one node of the search for visits, and what follows from it for sure."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import (
    COSTS,
    FREE,
    ZERO,
    Tables,
    inner,
    lowest,
    popcount,
)
from droneteam.fleet.allocation.exact_packs import covering, fleet_of, seats


class Node(NamedTuple):
    """What is known at one depth of the search; L depths, J requests, U crew places.

    alive : (L, W); able_pilots, able_drones : (L, J); clash : (L, J) and drone_clash : (L, B, J)
    masks of requests; begin, end : (L, B, J) in which a visit from the base is surely out
    low : (L, 2) changes of pilots, and of drones, that are proven to be needed here
    """

    alive: Ints
    able_pilots: Ints
    able_drones: Ints
    clash: Ints
    drone_clash: Ints
    begin: Ints
    end: Ints
    low: Ints


@inner
def nodes_of(t: Tables, alive: Ints, depths: int) -> Node:
    """Room for so many depths, of which the first knows the visits and nothing else yet."""
    n, bases, words = len(t.crew), len(t.at_base), len(alive)
    node = Node(
        np.empty((depths, words), np.int64),
        np.empty((depths, n), np.int64),
        np.empty((depths, n), np.int64),
        np.empty((depths, n), np.int64),
        np.empty((depths, bases, n), np.int64),
        np.empty((depths, bases, n), np.int64),
        np.empty((depths, bases, n), np.int64),
        np.empty((depths, 2), np.int64),
    )
    node.alive[0] = alive
    node.able_pilots[0] = 0
    node.able_drones[0] = 0
    node.clash[0] = 0
    node.drone_clash[0] = 0
    node.begin[0] = 0
    node.end[0] = 0
    node.low[0] = 0
    return node


@inner
def filter_visits(
    t: Tables, alive: Ints, wanted: int, budgets: Ints, changed: int, bound: Ints
) -> int:
    """Takes out visits that no budget pays for; the requests touched so far, or -1: impossible.

    bound : by account, set to 1 where it did not pay for something
    """
    jobs = len(t.crew)
    least = np.zeros(jobs, np.int64)
    again = True
    while again:
        again = False
        for column in range(COSTS):
            slack = budgets.copy()
            limited = False
            rest = wanted
            while rest:
                job = lowest(rest)
                rest &= rest - 1
                account = t.group[column, job]
                if budgets[account] >= FREE:
                    continue
                limited = True
                low = FREE
                for visit in range(t.first[job], t.first[job + 1]):
                    if alive[t.cell[visit]] & t.bit[visit] and t.cost[column, visit] < low:
                        low = t.cost[column, visit]
                if low == FREE:
                    return -1
                least[job] = low
                slack[account] -= low
                if slack[account] < 0:
                    bound[account] = 1
                    return -1
            if not limited:
                continue
            rest = wanted
            while rest:
                job = lowest(rest)
                rest &= rest - 1
                account = t.group[column, job]
                if budgets[account] >= FREE:
                    continue
                most = least[job] + slack[account]
                for visit in range(t.first[job], t.first[job + 1]):
                    if t.cost[column, visit] > most and alive[t.cell[visit]] & t.bit[visit]:
                        alive[t.cell[visit]] &= ~t.bit[visit]
                        bound[account] = 1
                        changed |= 1 << job
                        again = True
    return changed


@inner
def _certain(t: Tables, clash: Ints, alive: Ints, one: int, other: int) -> bool:
    """True where each alive visit of one clashes with each of the other."""
    for visit in range(t.first[one], t.first[one + 1]):
        if alive[t.cell[visit]] & t.bit[visit]:
            for word in range(t.word[other], t.word[other + 1]):
                if alive[word] & ~clash[visit, word]:
                    return False
    return True


@inner
def _certain_at(t: Tables, alive: Ints, base: int, one: int, other: int) -> bool:
    """The same for the visits from one base and the drones."""
    for visit in range(t.first[one], t.first[one + 1]):
        if t.base[visit] == base and alive[t.cell[visit]] & t.bit[visit]:
            for word in range(t.word[other], t.word[other + 1]):
                if alive[word] & t.at_base[base, word] & ~t.drone_clash[visit, word]:
                    return False
    return True


@inner
def refresh(t: Tables, node: Node, depth: int, wanted: int, changed: int) -> bool:
    """Works out again what depends on the visits of the changed requests; False: impossible."""
    alive = node.alive[depth]
    bases = len(t.at_base)
    rest = changed
    while rest:
        job = lowest(rest)
        rest &= rest - 1
        pilots, drones = ZERO, ZERO
        node.begin[depth, :, job] = -(2**61)
        node.end[depth, :, job] = 2**61
        for visit in range(t.first[job], t.first[job + 1]):
            if alive[t.cell[visit]] & t.bit[visit]:
                pilots |= t.pilots[visit]
                drones |= t.drones[visit]
                at = t.base[visit]
                node.begin[depth, at, job] = max(node.begin[depth, at, job], t.taken[visit])
                node.end[depth, at, job] = min(node.end[depth, at, job], t.free[visit])
        node.able_pilots[depth, job] = pilots
        node.able_drones[depth, job] = drones
        if drones == 0 or popcount(pilots) < t.crew[job]:
            return False
    rest = changed
    while rest:
        job = lowest(rest)
        rest &= rest - 1
        others = wanted & ~(1 << job)
        while others:
            other = lowest(others)
            others &= others - 1
            if (changed >> other) & 1 and other < job:
                continue
            if _certain(t, t.pilot_clash, alive, job, other):
                node.clash[depth, job] |= 1 << other
                node.clash[depth, other] |= 1 << job
            for base in range(bases):
                if _certain_at(t, alive, base, job, other):
                    node.drone_clash[depth, base, job] |= 1 << other
                    node.drone_clash[depth, base, other] |= 1 << job
    return True


@numba.njit(cache=True)
def relations(t: Tables, alive: Ints, wanted: int) -> tuple[Ints, Ints, Ints, Ints]:
    """By request: the masks of certain clashes for pilots and for any drone, and of the able."""
    node = nodes_of(t, alive, np.int64(1))
    refresh(t, node, ZERO, wanted, wanted)
    any_drone = node.drone_clash[0, 0].copy()
    for base in range(1, len(t.at_base)):
        any_drone &= node.drone_clash[0, base]
    return node.clash[0], any_drone, node.able_pilots[0], node.able_drones[0]


@numba.njit(cache=True)
def pack_rows(t: Tables, alive: Ints, wanted: int) -> tuple[Ints, Ints]:
    """Masks of the wanted that are surely out, or charge, at one moment, and how many can be."""
    node = nodes_of(t, alive, np.int64(1))
    refresh(t, node, ZERO, wanted, wanted)
    able = node.able_drones[0]
    f = fleet_of(
        t.drone_base, t.drone_kind, node.begin[0], node.end[0], t.needs, t.owned, t.charge,
        t.charging,
    )  # fmt: skip
    moments, covers = covering(f, wanted, able)
    nobody = np.zeros(len(t.owned), np.int64)
    most = np.empty(len(moments), np.int64)
    for index in range(len(moments)):
        most[index] = seats(f, covers[index], moments[index], able, nobody, able)
    return covers, most
