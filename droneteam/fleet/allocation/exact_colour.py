# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled colouring of requests by named drones with their packs.

Forward checking with conflict-directed backjumping (Prosser, "Hybrid algorithms for the constraint
satisfaction problem", 1993), the least open domain first; colours that are alike and unused are
tried once.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import (
    FREE,
    NO,
    QUICK_STEPS,
    UNKNOWN,
    YES,
    ZERO,
    inner,
    lowest,
    popcount,
)
from droneteam.fleet.allocation.exact_packs import (
    Fleet,
    covering,
    packs_fit,
    scarce_uses,
    seats_short,
)


class Seen(NamedTuple):
    """What is known of the items before any has a colour.

    alike : (P,) the lowest colour that no item tells from this one
    uses : (n,) kinds of pack, as a mask, that the item may use and that could run out
    moments, covers : who is surely out at a moment; cliques : sets that need different colours
    """

    alike: Ints
    uses: Ints
    moments: Ints
    covers: Ints
    cliques: Ints


class Way(NamedTuple):
    """The colours given so far; L levels, one for each item and one beyond.

    dom : (L, n) colours left; item, left, conf, cost : (L,) the item of a level, the colours not
    tried yet, the items to blame where none is left, and what has been paid before it
    load : (P,) items of a colour; users : (K,) items that use packs of a kind
    """

    dom: Ints
    item: Ints
    left: Ints
    conf: Ints
    cost: Ints
    load: Ints
    users: Ints


@inner
def _alike(dom: Ints, pref: Ints, group: Ints, kind: Ints, items: int, by_pref: bool) -> Ints:
    """For each colour the lowest one that no item tells from it."""
    found = np.empty(len(group), np.int64)
    for colour in range(len(group)):
        found[colour] = colour
        for other in range(colour):
            same = group[other] == group[colour] and kind[other] == kind[colour]
            rest = items
            while same and rest:
                item = lowest(rest)
                rest &= rest - 1
                same = ((dom[item] >> colour) ^ (dom[item] >> other)) & 1 == 0
                if by_pref and same:
                    same = ((pref[item] >> colour) ^ (pref[item] >> other)) & 1 == 0
            if same:
                found[colour] = other
                break
    return found


@inner
def _culprits(adj: Ints, item: int, among: int) -> int:
    found = 0
    for base in range(len(adj)):
        found |= adj[base, item]
    return found & among


@inner
def _blame(adj: Ints, item: int, among: int, users: Ints, uses: Ints) -> int:
    """Those given colours who may have taken one from the item, or its packs."""
    found = _culprits(adj, item, among)
    for kind in range(len(users)):
        if (uses[item] >> kind) & 1:
            found |= users[kind]
    return found


@inner
def _next_item(dom: Ints, adj: Ints, todo: int) -> int:
    """The item with the fewest colours left, of these the one with most open neighbours."""
    best, best_key = -1, 0
    rest = todo
    while rest:
        item = lowest(rest)
        rest &= rest - 1
        near = 0
        for base in range(len(adj)):
            near += popcount(adj[base, item] & todo)
        key = (popcount(dom[item]) << 16) - near
        if best < 0 or key < best_key:
            best, best_key = item, key
    return best


@inner
def _loss_ahead(dom: Ints, pref: Ints, paid: Ints, todo: int) -> int:
    found = 0
    rest = todo
    while rest:
        item = lowest(rest)
        rest &= rest - 1
        if dom[item] & pref[item] == 0:
            found += paid[item]
    return found


@inner
def cliques_of(items: int, adj: Ints) -> Ints:
    """Sets of items that all need different colours of any group, none twice."""
    found = np.zeros(len(adj[0]), np.int64)
    count = 0
    seeds = items
    while seeds:
        seed = lowest(seeds)
        seeds &= seeds - 1
        clique, near = 1 << seed, items
        for base in range(len(adj)):
            near &= adj[base, seed]
        while near:
            best, most = -1, -1
            rest = near
            while rest:
                item = lowest(rest)
                rest &= rest - 1
                shared = near
                for base in range(len(adj)):
                    shared &= adj[base, item]
                if popcount(shared) > most:
                    best, most = item, popcount(shared)
            clique |= 1 << best
            for base in range(len(adj)):
                near &= adj[base, best]
        known = popcount(clique) < 3
        for index in range(count):
            known = known or found[index] == clique
        if not known:
            found[count] = clique
            count += 1
    return found[:count]


@inner
def _look(f: Fleet, items: int, adj: Ints, dom: Ints, pref: Ints, bounded: bool, far: bool) -> Seen:
    """What can be known at once; cliques only for a search that goes far."""
    uses = scarce_uses(f, items, dom)
    any_use = 0
    for item in range(len(dom)):
        any_use |= uses[item]
    moments, covers = covering(f, items if any_use else 0, dom)
    alike = _alike(dom, pref, f.group, f.kinds, items, bounded)
    return Seen(alike, uses, moments, covers, cliques_of(items if far else 0, adj))


@inner
def _begin(f: Fleet, dom: Ints) -> Way:
    n = len(dom)
    way = Way(
        np.empty((n + 1, n), np.int64),
        np.empty(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(len(f.group), np.int64),
        np.zeros(len(f.owned), np.int64),
    )
    way.dom[0] = dom
    return way


@inner
def _open(way: Way, seen: Seen, adj: Ints, level: int, todo: int, done: int) -> int:
    """Begins the level with the item that has least left; the items after it."""
    item = _next_item(way.dom[level], adj, todo)
    way.item[level] = item
    way.left[level] = way.dom[level, item]
    way.conf[level] = _blame(adj, item, done, way.users, seen.uses)
    return todo & ~(1 << item)


@inner
def _back(f: Fleet, way: Way, level: int, todo: int, done: int, out: Ints) -> tuple[int, int, int]:
    """To the last level that is to blame, or -1; the items without and with a colour there."""
    blamed = way.conf[level]
    todo |= 1 << way.item[level]
    level -= 1
    while level >= 0:
        item = way.item[level]
        done &= ~(1 << item)
        way.load[out[item]] -= 1
        if len(f.owned):
            way.users[f.kinds[out[item]]] &= ~(1 << item)
        if (blamed >> item) & 1:
            way.conf[level] |= blamed & ~(1 << item)
            break
        todo |= 1 << item
        level -= 1
    return level, todo, done


@inner
def _next_colour(way: Way, seen: Seen, level: int, pref: Ints) -> int:
    """A colour not tried yet, a preferred one first; of unused ones that are alike only one."""
    liked = way.left[level] & pref[way.item[level]]
    chosen = lowest(liked) if liked else lowest(way.left[level])
    way.left[level] &= ~(1 << chosen)
    if way.load[chosen] == 0:
        for other in range(len(way.load)):
            if seen.alike[other] == seen.alike[chosen] and way.load[other] == 0:
                way.left[level] &= ~(1 << other)
    return chosen


@inner
def _neighbours_left(
    way: Way, seen: Seen, adj: Ints, base: int, level: int, chosen: int, todo: int, done: int
) -> bool:
    """Takes the colour from the neighbours; False where one has none left."""
    hit = todo & adj[base, way.item[level]]
    while hit:
        other = lowest(hit)
        hit &= hit - 1
        way.dom[level + 1, other] &= ~(1 << chosen)
        if way.dom[level + 1, other] == 0:
            way.conf[level] |= _blame(adj, other, done, way.users, seen.uses)
            return False
    return True


@inner
def _packs_left(
    f: Fleet, way: Way, seen: Seen, adj: Ints, level: int, chosen: int, todo: int, done: int,
    out: Ints,
) -> bool:  # fmt: skip
    """Takes the colours of a kind from those for whom its packs do not suffice any more."""
    item, base, kind = way.item[level], f.group[chosen], f.kinds[chosen]
    since, until = f.begin[base, item], f.end[base, item] + f.charge[kind]
    hit = todo
    while hit:
        other = lowest(hit)
        hit &= hit - 1
        if (seen.uses[other] >> kind) & 1 == 0:
            continue
        for at in range(len(f.begin)):
            own = f.of_kind[kind] & f.at_base[at]
            if f.begin[at, other] >= until or since >= f.end[at, other] + f.charge[kind]:
                continue
            taken_by = way.users[kind] | (1 << item)
            if way.dom[level + 1, other] & own and not packs_fit(f, other, at, kind, taken_by, out):
                way.dom[level + 1, other] &= ~own
        if way.dom[level + 1, other] == 0:
            way.conf[level] |= _blame(adj, other, done, way.users, seen.uses)
            return False
    return True


@inner
def _blame_all(way: Way, seen: Seen, adj: Ints, level: int, members: int, done: int) -> None:
    while members:
        way.conf[level] |= _blame(adj, lowest(members), done, way.users, seen.uses)
        members &= members - 1


@inner
def _cliques_left(
    way: Way, seen: Seen, adj: Ints, base: int, level: int, todo: int, done: int
) -> bool:
    """False where a clique that the item touches has fewer colours than members left."""
    for index in range(len(seen.cliques)):
        members = seen.cliques[index] & todo
        if members & adj[base, way.item[level]] == 0:
            continue
        able, rest = 0, members
        while rest:
            able |= way.dom[level + 1, lowest(rest)]
            rest &= rest - 1
        if popcount(able) < popcount(members):
            _blame_all(way, seen, adj, level, members, done)
            return False
    return True


@inner
def _seats_left(
    f: Fleet, way: Way, seen: Seen, adj: Ints, level: int, kind: int, todo: int, done: int,
    out: Ints,
) -> bool:  # fmt: skip
    """False where drones and packs together are too few at a moment at which the item is out."""
    if len(seen.covers) == 0:
        return True
    one = 1 << way.item[level]
    way.users[kind] |= one
    members = seats_short(
        f, seen.moments, seen.covers, todo, one, way.dom[level + 1], way.users, out
    )
    way.users[kind] &= ~one
    _blame_all(way, seen, adj, level, members, done)
    return members == 0


@inner
def _give(
    f: Fleet, way: Way, seen: Seen, adj: Ints, level: int, chosen: int, todo: int, done: int,
    out: Ints,
) -> bool:  # fmt: skip
    """Gives the level's item the colour; False, with the blame, where it leads nowhere."""
    item, base, kind = way.item[level], f.group[chosen], f.kinds[chosen]
    out[item] = chosen
    scarce = len(f.owned) > 0 and (seen.uses[item] >> kind) & 1 == 1
    if scarce and not packs_fit(f, item, base, kind, way.users[kind], out):
        way.conf[level] |= way.users[kind]
        return False
    way.dom[level + 1] = way.dom[level]
    return (
        _neighbours_left(way, seen, adj, base, level, chosen, todo, done)
        and (not scarce or _packs_left(f, way, seen, adj, level, chosen, todo, done, out))
        and _cliques_left(way, seen, adj, base, level, todo, done)
        and _seats_left(f, way, seen, adj, level, kind, todo, done, out)
    )


@numba.njit(cache=True)
def colour(
    f: Fleet, items: int, adj: Ints, dom: Ints, pref: Ints, paid: Ints, budget: int,
    most_steps: int, out: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """Whether the items can be given colours, at which cost, and the steps taken; fills out.

    items : mask; adj : (B, n) who may not have the same colour of a base
    dom, pref : (n,) colours allowed and preferred; paid : (n,) the price of any other
    budget : the most that may be paid
    """
    bounded = budget < FREE
    seen = _look(f, items, adj, dom, pref, bounded, most_steps > QUICK_STEPS * popcount(items))
    way = _begin(f, dom)
    if seats_short(f, seen.moments, seen.covers, items, items, dom, way.users, out):
        return NO, 0, 0
    if bounded and _loss_ahead(dom, pref, paid, items) > budget:
        return NO, 0, 0
    if items == 0:
        return YES, 0, 0
    done, level, steps = ZERO, ZERO, ZERO
    todo = _open(way, seen, adj, level, items, done)
    while True:
        if way.left[level] == 0:
            level, todo, done = _back(f, way, level, todo, done, out)
            if level < 0:
                return NO, 0, steps
            continue
        chosen = _next_colour(way, seen, level, pref)
        steps += 1
        if steps > most_steps:
            return UNKNOWN, 0, steps
        if not _give(f, way, seen, adj, level, chosen, todo, done, out):
            continue
        item = way.item[level]
        paying = way.cost[level] + (0 if (pref[item] >> chosen) & 1 else paid[item])
        if bounded and paying + _loss_ahead(way.dom[level + 1], pref, paid, todo) > budget:
            way.conf[level] = done
            continue
        if len(f.owned):
            way.users[f.kinds[chosen]] |= 1 << item
        done |= 1 << item
        way.load[chosen] += 1
        level += 1
        way.cost[level] = paying
        if todo == 0:
            return YES, paying, steps
        todo = _open(way, seen, adj, level, todo, done)


@numba.njit(cache=True)
def crowd(items: int, adj: Ints, dom: Ints) -> int:
    """Items that all need different colours and together have too few; 0 where none is seen.

    adj : (n,)  Grown from each item by the neighbour with most neighbours left.
    """
    seeds = items
    while seeds:
        seed = lowest(seeds)
        seeds &= seeds - 1
        clique, near, able, size = 1 << seed, adj[seed] & items, dom[seed], 1
        while near:
            best, most = -1, -1
            rest = near
            while rest:
                item = lowest(rest)
                rest &= rest - 1
                degree = popcount(adj[item] & near)
                # rather one who needs the same people than one who brings more
                degree = 2 * degree + (dom[item] & ~able == 0)
                if degree > most:
                    best, most = item, degree
            clique |= 1 << best
            size += 1
            able |= dom[best]
            near &= adj[best]
            if size > popcount(able):
                return clique
    return 0
