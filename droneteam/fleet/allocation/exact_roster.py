# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled colouring of crew places by pilots that remembers what failed.

The places are taken in one order, by time, from the first on or from the last.  Whether those that
are left can be given pilots then depends on nothing but the left ones that each pilot may still
take, those among them that are the pilot's in the published plan, and how many more the pilot may
take: pilots of whom these agree may be exchanged.  A state is that collection, and one that failed
is known again whoever stands in it (dynamic programming over the sweep, forwards and lazily).  In
time order few places are open at once, so that the states are few where a search over names goes
through all exchanges of alike pilots.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_colour import cliques_of, crowd
from droneteam.fleet.allocation.exact_kernels import (
    FREE,
    NO,
    UNKNOWN,
    YES,
    ZERO,
    inner,
    lowest,
    popcount,
)

_SLOTS = 4096
"""States remembered at once; a newer one takes the place of an older."""
_ROUND_STEPS = 3
"""Steps per place after which the sweep starts from the other end, with three times as many."""
_LOW_BITS = 2**30 - 1
_MASK = 2**60 - 1


class Sweep(NamedTuple):
    """The states on the way down; L levels, one for each place and one beyond, P pilots.

    open : (L, P) masks of the places that each pilot may still take; kept : (P,) of the published
    room : (L, P) how many more each may take; cost : (L,); left : (L,) pilots not tried yet
    """

    open: Ints
    kept: Ints
    room: Ints
    cost: Ints
    left: Ints


class Failed(NamedTuple):
    """States from which nothing led on: level, what could be paid, and what each pilot could."""

    hash: Ints
    level: Ints
    paid: Ints
    open: Ints
    kept: Ints
    room: Ints


@inner
def _fold(value: int) -> int:
    """A number of 60 bits that looks random, without a product beyond 63."""
    mixed = (value & _LOW_BITS) * 1_664_525_013 + (value >> 30) * 1_013_904_223
    return (mixed ^ (mixed >> 29)) & _MASK


@inner
def _hash(s: Sweep, level: int) -> int:
    """The same for each order of the pilots."""
    found = level
    for pilot in range(len(s.kept)):
        own = s.open[level, pilot]
        word = _fold(own) ^ (s.kept[pilot] & own)
        found = (found + _fold((word + s.room[level, pilot]) & _MASK)) & _MASK
    return found


@inner
def _same(s: Sweep, level: int, failed: Failed, slot: int) -> bool:
    """True where the slot holds the level's state, the pilots in any order."""
    pilots = len(s.kept)
    taken = 0
    for pilot in range(pilots):
        own = s.open[level, pilot]
        known = False
        for other in range(pilots):
            if (
                not known
                and not (taken >> other) & 1
                and failed.open[slot, other] == own
                and failed.kept[slot, other] == s.kept[pilot] & own
                and failed.room[slot, other] == s.room[level, pilot]
            ):
                taken |= 1 << other
                known = True
        if not known:
            return False
    return True


@inner
def _known(s: Sweep, level: int, failed: Failed, found: int, paid: int) -> bool:
    """True where the state has failed with at least as much to pay."""
    slot = found % _SLOTS
    return (
        failed.hash[slot] == found
        and failed.level[slot] == level
        and failed.paid[slot] >= paid
        and _same(s, level, failed, slot)
    )


@inner
def _remember(s: Sweep, level: int, failed: Failed, paid: int) -> None:
    found = _hash(s, level)
    slot = found % _SLOTS
    failed.hash[slot] = found
    failed.level[slot] = level
    failed.paid[slot] = paid
    for pilot in range(len(s.kept)):
        failed.open[slot, pilot] = s.open[level, pilot]
        failed.kept[slot, pilot] = s.kept[pilot] & s.open[level, pilot]
        failed.room[slot, pilot] = s.room[level, pilot]


@inner
def _able(s: Sweep, level: int, item: int) -> int:
    """The pilots to be tried for the item; of those who are alike one."""
    found = 0
    for pilot in range(len(s.kept)):
        own = s.open[level, pilot]
        fresh = (own >> item) & 1 == 1
        for other in range(pilot):
            if (
                fresh
                and s.open[level, other] == own
                and s.room[level, other] == s.room[level, pilot]
                and (s.kept[other] ^ s.kept[pilot]) & own == 0
            ):
                fresh = False
        if fresh:
            found |= 1 << pilot
    return found


@inner
def _pick(s: Sweep, level: int, item: int) -> int:
    """Of the pilots left the published one, or else the one who could do least else."""
    best, best_key = -1, 0
    rest = s.left[level]
    while rest:
        pilot = lowest(rest)
        rest &= rest - 1
        kept = (s.kept[pilot] >> item) & 1
        key = popcount(s.open[level, pilot]) - 64 * kept
        if best < 0 or key < best_key:
            best, best_key = pilot, key
    return best


@inner
def _give(s: Sweep, level: int, item: int, pilot: int, clash: int) -> None:
    """The next level's state where the pilot takes the item."""
    others = ~(1 << item)
    for other in range(len(s.kept)):
        s.open[level + 1, other] = s.open[level, other] & others
        s.room[level + 1, other] = s.room[level, other]
    s.open[level + 1, pilot] &= ~clash
    s.room[level + 1, pilot] -= 1
    if s.room[level + 1, pilot] == 0:
        s.open[level + 1, pilot] = 0
    # room for more than is open tells nobody from another
    for other in range(len(s.kept)):
        s.room[level + 1, other] = min(s.room[level + 1, other], popcount(s.open[level + 1, other]))


@inner
def _hopeless(s: Sweep, level: int, todo: int, cliques: Ints) -> bool:
    """True where some of the places that are left have too few pilots, whoever takes which."""
    anyone, room = ZERO, ZERO
    for pilot in range(len(s.kept)):
        anyone |= s.open[level, pilot]
        room += s.room[level, pilot]
    if todo & ~anyone or room < popcount(todo):
        return True
    for index in range(len(cliques)):
        members = cliques[index] & todo
        if members & (members - 1) == 0:
            continue
        able = ZERO
        for pilot in range(len(s.kept)):
            able += s.open[level, pilot] & members != 0
        if able < popcount(members):
            return True
    return False


@inner
def _loss(s: Sweep, level: int, todo: int, published: int) -> int:
    """How many of the places that are left have lost all their published pilots."""
    kept = ZERO
    for pilot in range(len(s.kept)):
        kept |= s.open[level, pilot] & s.kept[pilot]
    return popcount(todo & published & ~kept)


@inner
def _start(
    items: int, dom: Ints, pref: Ints, pilots: int, budget: int, cap: int, count: int
) -> Sweep:
    """The state at the first place."""
    s = Sweep(
        np.zeros((count + 1, pilots), np.int64),
        np.zeros(pilots, np.int64),
        np.full((count + 1, pilots), min(cap, count), np.int64),
        np.zeros(count + 1, np.int64),
        np.zeros(count + 1, np.int64),
    )
    rest = items
    while rest:
        item = lowest(rest)
        rest &= rest - 1
        for pilot in range(pilots):
            if (dom[item] >> pilot) & 1:
                s.open[0, pilot] |= 1 << item
            if budget < FREE and (pref[item] >> pilot) & 1:
                s.kept[pilot] |= 1 << item
    return s


@inner
def _nothing_failed(pilots: int) -> Failed:
    shape = (_SLOTS, pilots)
    return Failed(
        np.full(_SLOTS, -1, np.int64),
        np.empty(_SLOTS, np.int64),
        np.empty(_SLOTS, np.int64),
        np.empty(shape, np.int64),
        np.empty(shape, np.int64),
        np.empty(shape, np.int64),
    )


@inner
def _sweep(
    s: Sweep, failed: Failed, order: Ints, after: Ints, adj: Ints, cliques: Ints, published: int,
    budget: int, most_steps: int, out: Ints,
) -> tuple[int, int]:  # fmt: skip
    """Whether the places in this order can be given pilots for the budget, and the steps."""
    count = len(order)
    steps, level = ZERO, ZERO
    s.left[0] = _able(s, level, order[0]) if count else 0
    while level < count:
        item = order[level]
        if s.left[level] == 0:
            _remember(s, level, failed, budget - s.cost[level])
            level -= 1
            if level < 0:
                return NO, steps
            continue
        steps += 1
        if steps > most_steps:
            return UNKNOWN, steps
        pilot = _pick(s, level, item)
        s.left[level] &= ~(1 << pilot)
        cost = s.cost[level]
        if (published >> item) & 1 and not (s.kept[pilot] >> item) & 1:
            cost += 1
        todo = after[level]
        _give(s, level, item, pilot, adj[item])
        if cost + _loss(s, level + 1, todo, published) > budget:
            continue
        if _hopeless(s, level + 1, todo, cliques):
            continue
        if _known(s, level + 1, failed, _hash(s, level + 1), budget - cost):
            continue
        out[item] = pilot
        level += 1
        s.cost[level] = cost
        if level < count:
            s.left[level] = _able(s, level, order[level])
    return YES, steps


@inner
def _after(order: Ints) -> tuple[Ints, int]:
    """By position the places that come after it, and all of them."""
    after = np.zeros(len(order), np.int64)
    items = ZERO
    for position in range(len(order) - 1, -1, -1):
        after[position] = items
        items |= 1 << order[position]
    return after, items


@inner
def _cheapest(
    s: Sweep, failed: Failed, order: Ints, adj: Ints, cliques: Ints, published: int, price: int,
    budget: int, most_steps: int, out: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """The answer, the least price from this one on, and the steps; what failed at a lower price
    is remembered with what could be paid, and tried again only with more."""
    after, items = _after(order)
    steps = ZERO
    failed.hash[:] = -1
    while price <= budget and not _hopeless(s, ZERO, items, cliques):
        answer, more = _sweep(
            s, failed, order, after, adj, cliques, published, price, most_steps - steps, out
        )
        steps += more
        if answer != NO:
            return answer, price, steps
        if published == 0:
            break
        price += 1
    return NO, price, steps


@numba.njit(cache=True)
def crew(
    order: Ints, adj: Ints, dom: Ints, pref: Ints, paid: Ints, pilots: int, low: int, budget: int,
    cap: int, most_steps: int, way: Ints, out: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """Whether the places can be given pilots, the least cost, and the steps taken; fills out.

    order : (m,) the places by time; adj : (n,) masks of those with another pilot
    dom, pref : (n,) masks of the pilots able and published; paid : (n,) 1 where another costs
    low : what is known to be paid at least; budget : the most that may be, FREE: nothing costs
    cap : the most places of a pilot; way : (1,) 1 to begin at the end, kept for the next time
    Where steps run out the cost is a lower bound.
    """
    items, published = ZERO, ZERO
    for place in order:
        items |= 1 << place
        if budget < FREE and paid[place]:
            published |= 1 << place
    s = _start(items, dom, pref, pilots, budget, cap, len(order))
    failed = _nothing_failed(pilots)
    price, steps = max(low if published else 0, _loss(s, ZERO, items, published)), ZERO
    limit, cliques = _ROUND_STEPS * len(order), np.zeros(0, np.int64)
    # what cannot be at the end of the days is soon seen from there only, and the other way round
    while True:
        along = order if way[0] == 0 else order[::-1].copy()
        answer, price, more = _cheapest(
            s, failed, along, adj, cliques, published, price, budget,
            min(limit, most_steps - steps), out,
        )  # fmt: skip
        steps += more
        if answer != UNKNOWN or steps >= most_steps:
            return answer, price, steps
        if len(cliques) == 0:
            if crowd(items, adj, dom):
                return NO, price, steps
            cliques = cliques_of(items, adj.reshape(1, -1))
        way[0] = 1 - way[0]
        limit *= 3
