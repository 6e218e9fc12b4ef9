# mypy: disable-error-code="untyped-decorator, no-any-return"
"""What the kernels of the exact search share: their tables, sets as masks, and certain clashes.

Sets are bit masks in int64 of at most ``MAX_BITS`` members, so that no sign is ever touched.  A
request stands in the search with all its visits that are still alive.  Two requests clash for
pilots where each pair of their alive visits does, and for the drones of one base where each pair
of their visits from that base does.  Such clashes are certain, so that a colouring of them (by
named pilots, by named drones with packs) that does not exist proves that no plan does; once each
request has one visit left, the colouring is the plan.

Numba does not see that a kernel called from another module has changed: after an edit the stored
kernels of this package (``__pycache__/exact_*.nb?``) are to be removed.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Ints

MAX_BITS = 60
NO, YES, UNKNOWN = 0, 1, 2
"""Answers of a search; unknown where its steps ran out."""
FREE = 2**40
"""A budget that nothing exceeds."""
LATE, LOST_MIN, START, MOVED, TRAVEL = range(5)
"""Columns of what a visit costs; START counts a start that is not the published one."""
COSTS = 5
QUICK_STEPS = 3
"""Steps per item after which a colouring looks for a clique before it goes on."""
NODE_STEPS = 20_000
"""Steps of a colouring on the way; one that needs more passes as possible."""
LEAF_STEPS = 20_000
ZERO: Any = np.int64(0)
"""What a counter begins with: a literal 0 would be a type of its own to Numba, and each kernel to
which it is passed would be compiled once for it and once again for all other numbers."""


_NO_WAY_IN: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inner: Any = numba.njit(cache=True, **_NO_WAY_IN)
"""For kernels that only kernels call: half of the time to compile goes into the way in."""


class Tables(NamedTuple):
    """What the kernels read and never write; J requests, C visits, W words, P pilots, D drones.

    first, word : (J + 1,) where each request's visits and words begin
    cell, bit : (C,) word and mask of a visit in a set of visits
    pilot_clash, drone_clash : (C, W) the visits that nobody, or no drone, can make as well
    at_base : (B, W) the visits from a base; base : (C,)
    pilots, drones : (C,) masks of the able ones; crew : (J,)
    taken, free : (C,) microseconds; cost : (COSTS, C); group : (COSTS, J) index of its budget
    rank : (C,) visits are tried in this order within a request
    kept_pilots, kept_drone : (J,) masks of the published ones; published : (J,) 1 where it is
    drone_base, drone_kind : (D,); needs : (J, K) packs; owned, charge : (K,)
    charging : (K, M) when packs in the charger are ready, in microseconds
    """

    first: Ints
    word: Ints
    cell: Ints
    bit: Ints
    pilot_clash: Ints
    drone_clash: Ints
    at_base: Ints
    base: Ints
    pilots: Ints
    drones: Ints
    crew: Ints
    taken: Ints
    free: Ints
    cost: Ints
    group: Ints
    rank: Ints
    kept_pilots: Ints
    kept_drone: Ints
    published: Ints
    pilot_count: Ints
    drone_base: Ints
    drone_kind: Ints
    needs: Ints
    owned: Ints
    charge: Ints
    charging: Ints


@numba.njit(cache=True)
def popcount(mask: int) -> int:
    """The number of members."""
    mask = mask - ((mask >> 1) & 0x5555555555555555)
    mask = (mask & 0x3333333333333333) + ((mask >> 2) & 0x3333333333333333)
    mask = (mask + (mask >> 4)) & 0x0F0F0F0F0F0F0F0F
    mask = mask + (mask >> 8)
    mask = mask + (mask >> 16)
    return (mask + (mask >> 32)) & 0x7F


@numba.njit(cache=True)
def lowest(mask: int) -> int:
    """The index of the lowest member of a set that has one."""
    return popcount((mask & -mask) - 1)


@numba.njit(cache=True)
def clashes(
    taken: Ints, free: Ints, day: Ints, base: Ints, job: Ints, cell: Ints, bit: Ints,
    longest: int, rest: int, pilot_clash: Ints, drone_clash: Ints,
) -> None:  # fmt: skip
    """Fills the clashes of each pair of visits of different requests."""
    for one in range(len(taken)):
        for other in range(one):
            if job[one] == job[other]:
                continue
            overlap = taken[one] < free[other] and taken[other] < free[one]
            if day[one] == day[other]:
                span = max(free[one], free[other]) - min(taken[one], taken[other])
                tired = span > longest
            elif day[one] < day[other]:
                tired = taken[other] - free[one] < rest
            else:
                tired = taken[one] - free[other] < rest
            if overlap or tired:
                pilot_clash[one, cell[other]] |= bit[other]
                pilot_clash[other, cell[one]] |= bit[one]
            if overlap and base[one] == base[other]:
                drone_clash[one, cell[other]] |= bit[other]
                drone_clash[other, cell[one]] |= bit[one]
