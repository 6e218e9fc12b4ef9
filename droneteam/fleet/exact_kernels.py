# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled inner loops of the exact search: who takes what, and which visit each request gets.

Sets are bit masks in int64 of at most ``MAX_BITS`` members, so that no sign is ever touched.  A
request stands in the search with all its visits that are still alive.  Two requests clash for
pilots where each pair of their alive visits does, and for the drones of one base where each pair
of their visits from that base does.  Such clashes are certain, so that a colouring of them (by
named pilots, by named drones with packs) that does not exist proves that no plan does; once each
request has one visit left, the colouring is the plan.

The colouring is forward checking with conflict-directed backjumping (Prosser, "Hybrid algorithms
for the constraint satisfaction problem", 1993), the least open domain first; those who are alike
and unused are tried once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from droneteam.fleet.choices import Ints

MAX_BITS = 60
NO, YES, UNKNOWN = 0, 1, 2
"""Answers of a search; unknown where its steps ran out."""
FREE = 2**40
"""A budget that nothing exceeds."""
LATE, LOST_MIN, START, MOVED, TRAVEL = range(5)
"""Columns of what a visit costs; START counts a start that is not the published one."""
COSTS = 5
_QUICK_STEPS = 3
"""Steps per item after which a colouring looks for a clique before it goes on."""
_NODE_STEPS = 20_000
"""Steps of a colouring on the way; one that needs more passes as possible."""
_LEAF_STEPS = 20_000


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
def _scarce_uses(
    items: int, dom: Ints, kinds: Ints, group: Ints, begin: Ints, end: Ints, needs: Ints,
    owned: Ints, charge: Ints, charging: Ints,
) -> Ints:  # fmt: skip
    """By item the kinds of pack, as a mask, that it may use and that could run out."""
    uses = np.zeros(len(dom), np.int64)
    for kind in range(len(owned)):
        own = 0
        for colour in range(len(kinds)):
            if kinds[colour] == kind:
                own |= 1 << colour
        users, needed = 0, 0
        rest = items
        while rest:
            item = lowest(rest)
            rest &= rest - 1
            if dom[item] & own:
                users |= 1 << item
                needed += needs[item, kind]
        if needed + charging.shape[1] <= owned[kind]:
            continue
        scarce = False
        moments = users
        while moments and not scarce:
            one = lowest(moments)
            moments &= moments - 1
            for base in range(len(begin)):
                moment, needed = begin[base, one], 0
                if moment >= end[base, one]:
                    continue
                for index in range(charging.shape[1]):
                    needed += charging[kind, index] > moment
                rest = users
                while rest:
                    item = lowest(rest)
                    rest &= rest - 1
                    for at in range(len(begin)):
                        until = end[at, item] + charge[kind]
                        if begin[at, item] <= moment and moment < until:
                            needed += needs[item, kind]
                            break
                scarce = scarce or needed > owned[kind]
        rest = users if scarce else 0
        while rest:
            uses[lowest(rest)] |= 1 << kind
            rest &= rest - 1
    return uses


@inner
def _packs_fit(
    item: int, at: int, kind: int, taken_by: int, out: Ints, kinds: Ints, group: Ints,
    begin: Ints, end: Ints, needs: Ints, owned: Ints, charge: Ints, charging: Ints,
) -> bool:  # fmt: skip
    """True where the item's packs are charged beside those of the others in the set."""
    own_begin, own_end = begin[at, item], end[at, item]
    if own_begin >= own_end:
        return True
    own_end += charge[kind]
    moments = taken_by | (1 << item)
    while moments:
        moment_of = lowest(moments)
        moments &= moments - 1
        if moment_of == item:
            moment = own_begin
        else:
            if kinds[out[moment_of]] != kind:
                continue
            moment = begin[group[out[moment_of]], moment_of]
            if moment < own_begin or moment >= own_end:
                continue
        used = needs[item, kind]
        for index in range(charging.shape[1]):
            used += charging[kind, index] > moment
        rest = taken_by
        while rest:
            other = lowest(rest)
            rest &= rest - 1
            colour = out[other]
            if kinds[colour] == kind:
                since, until = begin[group[colour], other], end[group[colour], other]
                if since < until and since <= moment and moment < until + charge[kind]:
                    used += needs[other, kind]
        if used > owned[kind]:
            return False
    return True


@inner
def kind_masks(kinds: Ints, count: int) -> Ints:
    """The colours of each kind, as masks."""
    found = np.zeros(count, np.int64)
    if count:
        for colour in range(len(kinds)):
            found[kinds[colour]] |= 1 << colour
    return found


@inner
def covering(
    items: int, dom: Ints, kinds: Ints, group: Ints, begin: Ints, end: Ints, charge: Ints
) -> tuple[Ints, Ints]:
    """Moments, and who is then surely out or has packs that surely charge; the largest sets."""
    moments = np.empty(len(dom), np.int64)
    covers = np.zeros(len(dom), np.int64)
    count = 0
    rest = items if len(charge) else 0
    while rest:
        one = lowest(rest)
        rest &= rest - 1
        moment = -(2**61)
        able = dom[one]
        while able:
            base = group[lowest(able)]
            able &= able - 1
            moment = max(moment, begin[base, one])
        cover, others = 0, items
        while others:
            item = lowest(others)
            others &= others - 1
            able, sure = dom[item], True
            while able and sure:
                colour = lowest(able)
                able &= able - 1
                base = group[colour]
                until = end[base, item] + charge[kinds[colour]]
                sure = begin[base, item] < end[base, item]
                sure = sure and begin[base, item] <= moment and moment < until
            if sure:
                cover |= 1 << item
        known = popcount(cover) < 3
        for index in range(count):
            known = known or covers[index] & cover == cover
        if not known:
            moments[count], covers[count] = moment, cover
            count += 1
    return moments[:count], covers[:count]


@inner
def seats(
    members: int, moment: int, dom: Ints, users: Ints, out: Ints, of_kind: Ints, group: Ints,
    begin: Ints, end: Ints, needs: Ints, owned: Ints, charge: Ints, charging: Ints,
) -> int:  # fmt: skip
    """How many of the members, all out at the moment, drones and packs suffice for at most."""
    found = 0
    counts = np.empty(17, np.int64)
    for kind in range(len(owned)):
        able, landed, rest = 0, 0, members
        counts[:] = 0
        while rest:
            item = lowest(rest)
            rest &= rest - 1
            own = dom[item] & of_kind[kind]
            if own:
                able |= own
                counts[min(needs[item, kind], len(counts) - 1)] += 1
                # packs that charge hold no drone any more
                home = False
                while own:
                    home = home or end[group[lowest(own)], item] <= moment
                    own &= own - 1
                landed += home
        if able == 0:
            continue
        left = owned[kind]
        for pack in range(charging.shape[1]):
            left -= charging[kind, pack] > moment
        rest = users[kind]
        while rest:
            item = lowest(rest)
            rest &= rest - 1
            base = group[out[item]]
            since, until = begin[base, item], end[base, item]
            if since < until and since <= moment and moment < until + charge[kind]:
                left -= needs[item, kind]
        fit = counts[0]
        for need in range(1, len(counts)):
            more = min(counts[need], max(left, 0) // need)
            fit += more
            left -= more * need
        found += min(popcount(able) + landed, fit)
    return found


@inner
def _seats_short(
    moments: Ints, covers: Ints, todo: int, touched: int, dom: Ints, users: Ints, out: Ints,
    of_kind: Ints, group: Ints, begin: Ints, end: Ints, needs: Ints, owned: Ints, charge: Ints,
    charging: Ints,
) -> int:  # fmt: skip
    """Items for which drones and packs together are too few at a moment; 0 where none are."""
    for index in range(len(moments)):
        members = covers[index] & todo
        if covers[index] & touched and members and popcount(members) > seats(
            members, moments[index], dom, users, out, of_kind, group,
            begin, end, needs, owned, charge, charging,
        ):  # fmt: skip
            return members
    return 0


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
def _cliques(items: int, adj: Ints, asked: bool) -> Ints:
    """Sets of items that all need different colours of any group, none twice."""
    found = np.zeros(len(adj[0]), np.int64)
    count = 0
    seeds = items if asked else 0
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
    items: int, adj: Ints, group: Ints, dom0: Ints, pref: Ints, paid: Ints, budget: int, cap: int,
    most_steps: int, kinds: Ints, begin: Ints, end: Ints, needs: Ints, owned: Ints, charge: Ints,
    charging: Ints, out: Ints,
) -> tuple[int, int, int]:  # fmt: skip
    """Whether the items can be given colours, at which cost, and the steps taken; fills out.

    items : mask; adj : (G, n) who may not have the same colour of a group; group : (P,)
    dom0, pref : (n,) colours allowed and preferred; paid : (n,) the price of any other
    budget : the most that may be paid; cap : the most items of a colour
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
    uses = _scarce_uses(items, dom0, kinds, group, begin, end, needs, owned, charge, charging)
    users = np.zeros(len(owned), np.int64)
    any_use = 0
    for item in range(n):
        any_use |= uses[item]
    of_kind = kind_masks(kinds, len(owned))
    at_base = kind_masks(group, len(begin))
    moments, covers = covering(items if any_use else 0, dom0, kinds, group, begin, end, charge)
    cliques = _cliques(items, adj, most_steps > _QUICK_STEPS * popcount(items))
    if _seats_short(
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
            conf[level] = done if cap < n else _blame(adj, item, done, users, uses)
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
        if scarce and not _packs_fit(
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
                conf[level] |= done if cap < n else _blame(adj, other, done, users, uses)
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
                    if dom[level + 1, other] & own and not _packs_fit(
                        other, at, kind, users[kind] | (1 << item), out, kinds, group,
                        begin, end, needs, owned, charge, charging,
                    ):  # fmt: skip
                        dom[level + 1, other] &= ~own
                if dom[level + 1, other] == 0:
                    wiped = True
                    conf[level] |= done if cap < n else _blame(adj, other, done, users, uses)
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
                if cap < n:
                    conf[level] = done
        if not wiped and load[chosen] + 1 == cap:
            hit = todo
            while hit:
                other = lowest(hit)
                hit &= hit - 1
                dom[level + 1, other] &= ~(1 << chosen)
                if dom[level + 1, other] == 0:
                    wiped = True
                    conf[level] = done
        if not wiped and len(covers):
            out[item] = chosen
            users[kind] |= 1 << item
            members = _seats_short(
                moments, covers, todo, 1 << item, dom[level + 1], users, out, of_kind,
                group, begin, end, needs, owned, charge, charging,
            )  # fmt: skip
            users[kind] &= ~(1 << item)
            wiped = members != 0
            while members:
                conf[level] |= _blame(adj, lowest(members), done, users, uses)
                members &= members - 1
        if not wiped and cap < n:
            room = 0
            for colour_ in range(len(load)):
                room += cap - load[colour_]
            if room - 1 < popcount(todo):
                wiped = True
                conf[level] = done
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
