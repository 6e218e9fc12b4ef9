# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled checks of packs: who is out or charging at a moment, and for how many they suffice.

A request's stay from a base is the time in which it is surely out: ``begin`` to ``end``, (B, J);
where the end is not after the beginning, nothing is sure.
"""

from __future__ import annotations

import numpy as np

from droneteam.fleet.choices import Ints
from droneteam.fleet.exact_kernels import inner, lowest, popcount


@inner
def packs_fit(
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
def scarce_uses(
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
def seats_short(
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
