# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled checks of packs: who is out or charging at a moment, and for how many they suffice.

A request's stay from a base is the time in which it is surely out: ``begin`` to ``end``, (B, J);
where the end is not after the beginning, nothing is sure.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import inner, lowest, popcount


class Fleet(NamedTuple):
    """The drones as colours, and their packs; P drones, K kinds of pack, B bases, J requests.

    group, kinds : (P,) base and kind of pack; without kinds of pack nothing is counted
    begin, end : (B, J) stays; needs : (J, K); owned, charge : (K,); charging : (K, M)
    of_kind, at_base : (K,) and (B,) masks of the drones
    """

    group: Ints
    kinds: Ints
    begin: Ints
    end: Ints
    needs: Ints
    owned: Ints
    charge: Ints
    charging: Ints
    of_kind: Ints
    at_base: Ints


@inner
def fleet_of(
    group: Ints, kinds: Ints, begin: Ints, end: Ints, needs: Ints, owned: Ints, charge: Ints,
    charging: Ints,
) -> Fleet:  # fmt: skip
    """The drones with their masks."""
    of_kind, at_base = _masks(kinds, len(owned)), _masks(group, len(begin))
    return Fleet(group, kinds, begin, end, needs, owned, charge, charging, of_kind, at_base)


@inner
def packs_fit(f: Fleet, item: int, at: int, kind: int, taken_by: int, out: Ints) -> bool:
    """True where the item's packs are charged beside those of the others in the set."""
    own_begin, own_end = f.begin[at, item], f.end[at, item]
    if own_begin >= own_end:
        return True
    own_end += f.charge[kind]
    moments = taken_by | (1 << item)
    while moments:
        moment_of = lowest(moments)
        moments &= moments - 1
        if moment_of == item:
            moment = own_begin
        else:
            if f.kinds[out[moment_of]] != kind:
                continue
            moment = f.begin[f.group[out[moment_of]], moment_of]
            if moment < own_begin or moment >= own_end:
                continue
        used = f.needs[item, kind]
        for index in range(f.charging.shape[1]):
            used += f.charging[kind, index] > moment
        rest = taken_by
        while rest:
            other = lowest(rest)
            rest &= rest - 1
            colour = out[other]
            if f.kinds[colour] == kind:
                since, until = f.begin[f.group[colour], other], f.end[f.group[colour], other]
                if since < until and since <= moment and moment < until + f.charge[kind]:
                    used += f.needs[other, kind]
        if used > f.owned[kind]:
            return False
    return True


@inner
def scarce_uses(f: Fleet, items: int, dom: Ints) -> Ints:
    """By item the kinds of pack, as a mask, that it may use and that could run out."""
    uses = np.zeros(len(dom), np.int64)
    for kind in range(len(f.owned)):
        own = f.of_kind[kind]
        users, needed = 0, 0
        rest = items
        while rest:
            item = lowest(rest)
            rest &= rest - 1
            if dom[item] & own:
                users |= 1 << item
                needed += f.needs[item, kind]
        if needed + f.charging.shape[1] <= f.owned[kind]:
            continue
        scarce = False
        moments = users
        while moments and not scarce:
            one = lowest(moments)
            moments &= moments - 1
            for base in range(len(f.begin)):
                moment, needed = f.begin[base, one], 0
                if moment >= f.end[base, one]:
                    continue
                for index in range(f.charging.shape[1]):
                    needed += f.charging[kind, index] > moment
                rest = users
                while rest:
                    item = lowest(rest)
                    rest &= rest - 1
                    for at in range(len(f.begin)):
                        until = f.end[at, item] + f.charge[kind]
                        if f.begin[at, item] <= moment and moment < until:
                            needed += f.needs[item, kind]
                            break
                scarce = scarce or needed > f.owned[kind]
        rest = users if scarce else 0
        while rest:
            uses[lowest(rest)] |= 1 << kind
            rest &= rest - 1
    return uses


@inner
def _masks(kinds: Ints, count: int) -> Ints:
    """The colours of each kind, as masks."""
    found = np.zeros(count, np.int64)
    if count:
        for colour in range(len(kinds)):
            found[kinds[colour]] |= 1 << colour
    return found


@inner
def covering(f: Fleet, items: int, dom: Ints) -> tuple[Ints, Ints]:
    """Moments, and who is then surely out or has packs that surely charge; the largest sets."""
    moments = np.empty(len(dom), np.int64)
    covers = np.zeros(len(dom), np.int64)
    count = 0
    rest = items if len(f.charge) else 0
    while rest:
        one = lowest(rest)
        rest &= rest - 1
        moment = -(2**61)
        able = dom[one]
        while able:
            base = f.group[lowest(able)]
            able &= able - 1
            moment = max(moment, f.begin[base, one])
        cover, others = 0, items
        while others:
            item = lowest(others)
            others &= others - 1
            able, sure = dom[item], True
            while able and sure:
                colour = lowest(able)
                able &= able - 1
                base = f.group[colour]
                until = f.end[base, item] + f.charge[f.kinds[colour]]
                sure = f.begin[base, item] < f.end[base, item]
                sure = sure and f.begin[base, item] <= moment and moment < until
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
def seats(f: Fleet, members: int, moment: int, dom: Ints, users: Ints, out: Ints) -> int:
    """How many of the members, all out at the moment, drones and packs suffice for at most."""
    found = 0
    counts = np.empty(17, np.int64)
    for kind in range(len(f.owned)):
        able, landed, rest = 0, 0, members
        counts[:] = 0
        while rest:
            item = lowest(rest)
            rest &= rest - 1
            own = dom[item] & f.of_kind[kind]
            if own:
                able |= own
                counts[min(f.needs[item, kind], len(counts) - 1)] += 1
                # packs that charge hold no drone any more
                home = False
                while own:
                    home = home or f.end[f.group[lowest(own)], item] <= moment
                    own &= own - 1
                landed += home
        if able == 0:
            continue
        left = f.owned[kind]
        for pack in range(f.charging.shape[1]):
            left -= f.charging[kind, pack] > moment
        rest = users[kind]
        while rest:
            item = lowest(rest)
            rest &= rest - 1
            base = f.group[out[item]]
            since, until = f.begin[base, item], f.end[base, item]
            if since < until and since <= moment and moment < until + f.charge[kind]:
                left -= f.needs[item, kind]
        fit = counts[0]
        for need in range(1, len(counts)):
            more = min(counts[need], max(left, 0) // need)
            fit += more
            left -= more * need
        found += min(popcount(able) + landed, fit)
    return found


@inner
def seats_short(
    f: Fleet, moments: Ints, covers: Ints, todo: int, touched: int, dom: Ints, users: Ints,
    out: Ints,
) -> int:  # fmt: skip
    """Items for which drones and packs together are too few at a moment; 0 where none are."""
    for index in range(len(moments)):
        members = covers[index] & todo
        if covers[index] & touched == 0 or members == 0:
            continue
        if popcount(members) > seats(f, members, moments[index], dom, users, out):
            return members
    return 0
