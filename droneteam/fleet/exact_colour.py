# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled colouring of requests by named drones with their packs.

Forward checking with conflict-directed backjumping (Prosser, "Hybrid algorithms for the constraint
satisfaction problem", 1993), the least open domain first; colours that are alike and unused are
tried once.
"""

from __future__ import annotations

import numba
import numpy as np

from droneteam.fleet.choices import Ints
from droneteam.fleet.exact_kernels import (
    FREE,
    NO,
    QUICK_STEPS,
    UNKNOWN,
    YES,
    inner,
    lowest,
    popcount,
)
from droneteam.fleet.exact_packs import (
    covering,
    kind_masks,
    packs_fit,
    scarce_uses,
    seats_short,
)


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


@numba.njit(cache=True)
def colour(
    items: int, adj: Ints, group: Ints, dom0: Ints, pref: Ints, paid: Ints, budget: int,
    most_steps: int, kinds: Ints, begin: Ints, end: Ints, needs: Ints, owned: Ints, charge: Ints,
    charging: Ints, out: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """Whether the items can be given colours, at which cost, and the steps taken; fills out.

    items : mask; adj : (G, n) who may not have the same colour of a group; group : (P,)
    dom0, pref : (n,) colours allowed and preferred; paid : (n,) the price of any other
    budget : the most that may be paid
    kinds, begin, end, … : packs by kind of colour; without kinds of pack nothing is counted
    """
    n = len(dom0)
    dom = np.empty((n + 1, n), np.int64)
    dom[0] = dom0
    unit = np.empty(n + 1, np.int64)
    left = np.zeros(n + 1, np.int64)
    conf = np.zeros(n + 1, np.int64)
    cost = np.zeros(n + 1, np.int64)
    load = np.zeros(len(group), np.int64)
    bounded = budget < FREE
    alike = _alike(dom0, pref, group, kinds, items, bounded)
    todo, done, level, steps = items, 0, 0, 0
    uses = scarce_uses(items, dom0, kinds, group, begin, end, needs, owned, charge, charging)
    users = np.zeros(len(owned), np.int64)
    any_use = 0
    for item in range(n):
        any_use |= uses[item]
    of_kind = kind_masks(kinds, len(owned))
    at_base = kind_masks(group, len(begin))
    moments, covers = covering(items if any_use else 0, dom0, kinds, group, begin, end, charge)
    cliques = cliques_of(items if most_steps > QUICK_STEPS * popcount(items) else 0, adj)
    if seats_short(
        moments, covers, todo, todo, dom0, users, out, of_kind, group,
        begin, end, needs, owned, charge, charging,
    ):  # fmt: skip
        return NO, 0, 0
    if bounded and _loss_ahead(dom0, pref, paid, items) > budget:
        return NO, 0, 0
    descend = True
    while True:
        if descend:
            if todo == 0:
                return YES, cost[level], steps
            item = _next_item(dom[level], adj, todo)
            unit[level] = item
            left[level] = dom[level, item]
            conf[level] = _blame(adj, item, done, users, uses)
            todo &= ~(1 << item)
            descend = False
        item = unit[level]
        if left[level] == 0:
            blamed = conf[level]
            todo |= 1 << item
            level -= 1
            while level >= 0:
                item = unit[level]
                done &= ~(1 << item)
                load[out[item]] -= 1
                if len(owned):
                    users[kinds[out[item]]] &= ~(1 << item)
                if (blamed >> item) & 1:
                    break
                todo |= 1 << item
                level -= 1
            if level < 0:
                return NO, 0, steps
            conf[level] |= blamed & ~(1 << item)
            continue
        liked = left[level] & pref[item]
        chosen = lowest(liked) if liked else lowest(left[level])
        left[level] &= ~(1 << chosen)
        if load[chosen] == 0:
            for other in range(len(group)):
                if alike[other] == alike[chosen] and load[other] == 0:
                    left[level] &= ~(1 << other)
        steps += 1
        if steps > most_steps:
            return UNKNOWN, 0, steps
        paying = cost[level]
        if (pref[item] >> chosen) & 1 == 0:
            paying += paid[item]
        base, kind = group[chosen], kinds[chosen]
        scarce = len(owned) > 0 and (uses[item] >> kind) & 1 == 1
        if scarce and not packs_fit(
            item, base, kind, users[kind], out, kinds, group,
            begin, end, needs, owned, charge, charging,
        ):  # fmt: skip
            conf[level] |= users[kind]
            continue
        dom[level + 1] = dom[level]
        wiped = False
        hit = todo & adj[base, item]
        while hit and not wiped:
            other = lowest(hit)
            hit &= hit - 1
            dom[level + 1, other] &= ~(1 << chosen)
            if dom[level + 1, other] == 0:
                wiped = True
                conf[level] |= _blame(adj, other, done, users, uses)
        if scarce and not wiped:
            out[item] = chosen
            until = end[base, item] + charge[kind]
            hit = todo
            while hit and not wiped:
                other = lowest(hit)
                hit &= hit - 1
                if (uses[other] >> kind) & 1 == 0:
                    continue
                for at in range(len(begin)):
                    own = of_kind[kind] & at_base[at]
                    if (
                        begin[at, other] >= until
                        or begin[base, item] >= end[at, other] + charge[kind]
                    ):
                        continue
                    if dom[level + 1, other] & own and not packs_fit(
                        other, at, kind, users[kind] | (1 << item), out, kinds, group,
                        begin, end, needs, owned, charge, charging,
                    ):  # fmt: skip
                        dom[level + 1, other] &= ~own
                if dom[level + 1, other] == 0:
                    wiped = True
                    conf[level] |= _blame(adj, other, done, users, uses)
        for index in range(len(cliques)):
            members = cliques[index] & todo
            if wiped or members & adj[base, item] == 0:
                continue
            able, rest = 0, members
            while rest:
                able |= dom[level + 1, lowest(rest)]
                rest &= rest - 1
            if popcount(able) < popcount(members):
                wiped = True
                while members:
                    conf[level] |= _blame(adj, lowest(members), done, users, uses)
                    members &= members - 1
        if not wiped and len(covers):
            out[item] = chosen
            users[kind] |= 1 << item
            members = seats_short(
                moments, covers, todo, 1 << item, dom[level + 1], users, out, of_kind,
                group, begin, end, needs, owned, charge, charging,
            )  # fmt: skip
            users[kind] &= ~(1 << item)
            wiped = members != 0
            while members:
                conf[level] |= _blame(adj, lowest(members), done, users, uses)
                members &= members - 1
        if not wiped and bounded:
            ahead = _loss_ahead(dom[level + 1], pref, paid, todo)
            if paying + ahead > budget:
                wiped = True
                conf[level] = done
        if wiped:
            continue
        out[item] = chosen
        if len(owned):
            users[kind] |= 1 << item
        done |= 1 << item
        load[chosen] += 1
        level += 1
        cost[level] = paying
        descend = True


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
