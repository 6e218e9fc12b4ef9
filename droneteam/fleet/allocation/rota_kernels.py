# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled search for the pilots of visits that are settled, over any number of days (pure).

Duties stand in order of departure, one for each pilot that a visit takes.  They are given out
depth first; who is on duty comes first, then who has least to choose from.  Pilots to whom the
same duties are open are alike: only one of those who stand alike is tried, and a state of them
all that has failed is known again, whoever stands in it.

Numba does not see that a kernel called from another module has changed (``exact_kernels``).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from droneteam.fleet.allocation.choices import Flags, Ints
from droneteam.fleet.allocation.exact_kernels import NO, UNKNOWN, YES, inner

NOBODY = -1
_LONG_AGO_US = -(2**61)


class Duties(NamedTuple):
    """What has to be flown, by departure; I duties, P pilots.

    taken_us, free_us, day : (I,); able : (I, P); alike : (P,) number of each pilot's kind
    skill : (P,) duties that are open to the pilot
    longest_us, rest_us : the longest duty day, the rest between two
    """

    taken_us: Ints
    free_us: Ints
    day: Ints
    able: Flags
    alike: Ints
    skill: Ints
    longest_us: int
    rest_us: int


@inner
def _fits(d: Duties, item: int, pilot: int, since: Ints, free: Ints, day: Ints) -> bool:
    """Whether the pilot, who stands as the arrays say, may take the duty next."""
    if not d.able[item, pilot] or free[pilot] > d.taken_us[item]:
        return False
    if day[pilot] == d.day[item]:
        return d.free_us[item] - since[pilot] <= d.longest_us
    return free[pilot] + d.rest_us <= d.taken_us[item]


@inner
def _state(d: Duties, item: int, since: Ints, free: Ints, day: Ints, key: Ints) -> np.signedinteger:
    """A number that is the same where pilots who are alike stand alike before the duty."""
    for pilot in range(len(since)):
        own = np.int64(0)
        if day[pilot] == d.day[item]:
            own = (since[pilot] * 1_000_003) ^ free[pilot]
        elif free[pilot] + d.rest_us > d.taken_us[item]:
            own = free[pilot] * 31 + 7
        key[pilot] = own * 64 + d.alike[pilot]
    found = np.int64(item) * 1_099_511_628_211 + 17
    for own in np.sort(key):
        found = (found ^ own) * 1_099_511_628_211
        found ^= found >> 29
    return found


@inner
def _order(d: Duties, item: int, since: Ints, free: Ints, day: Ints, load: Ints, who: Ints) -> int:
    """Writes the pilots who may take the duty, the best fitting first; how many."""
    count = 0
    for pilot in range(len(since)):
        if not _fits(d, item, pilot, since, free, day):
            continue
        again = False
        for place in range(count):
            other = who[place]
            if d.alike[other] == d.alike[pilot] and load[other] <= load[pilot]:
                again = again or (
                    (since[other] == since[pilot] and free[other] == free[pilot])
                    or (day[other] != d.day[item] and day[pilot] != d.day[item])
                )
        if again:
            continue
        at = count
        while at and _before(d, item, pilot, who[at - 1], since, day, load):
            who[at] = who[at - 1]
            at -= 1
        who[at] = pilot
        count += 1
    return count


@inner
def _before(d: Duties, item: int, one: int, other: int, since: Ints, day: Ints, load: Ints) -> bool:
    """Whether one pilot is tried before the other: on duty, soonest at its end, least able."""
    first, second = day[one] == d.day[item], day[other] == d.day[item]
    if first != second:
        return bool(first)
    if first and since[one] != since[other]:
        return bool(since[one] < since[other])
    if d.skill[one] != d.skill[other]:
        return d.skill[one] < d.skill[other]
    return load[one] < load[other]


@numba.njit(cache=True, nogil=True)
def given_out(d: Duties, most_steps: int, crew: Ints) -> tuple[int, int]:
    """Whether all duties can be given out, and the furthest duty that was reached.

    crew : (I,) filled with the place of each duty's pilot, where the answer is yes
    """
    items, pilots = d.able.shape
    since, free = np.full(pilots, _LONG_AGO_US), np.full(pilots, _LONG_AGO_US)
    day, load = np.full(pilots, np.int64(-1)), np.zeros(pilots, np.int64)
    was = np.empty((items, 3), np.int64)
    tries, counts = np.zeros(items, np.int64), np.zeros(items, np.int64)
    who, key = np.empty((items, pilots), np.int64), np.empty(pilots, np.int64)
    states = np.zeros(items, np.int64)
    failed = {np.int64(0)}
    steps, item, furthest, down = 0, 0, 0, True
    while item < items:
        if down:
            furthest = max(furthest, item)
            tries[item] = 0
            states[item] = _state(d, item, since, free, day, key)
            counts[item] = 0
            if states[item] not in failed:
                counts[item] = _order(d, item, since, free, day, load, who[item])
        steps += 1
        if steps > most_steps:
            return UNKNOWN, furthest
        if tries[item] < counts[item]:
            pilot = who[item, tries[item]]
            tries[item] += 1
            was[item, 0], was[item, 1], was[item, 2] = since[pilot], free[pilot], day[pilot]
            if day[pilot] != d.day[item]:
                since[pilot] = d.taken_us[item]
            free[pilot], day[pilot] = d.free_us[item], d.day[item]
            load[pilot] += 1
            crew[item] = pilot
            item += 1
            down = True
            continue
        failed.add(states[item])
        item -= 1
        if item < 0:
            return NO, furthest
        pilot = crew[item]
        since[pilot], free[pilot], day[pilot] = was[item, 0], was[item, 1], was[item, 2]
        load[pilot] -= 1
        down = False
    return YES, furthest


@inner
def _keeps(d: Duties, crew: Ints, pilot: int, other: int, first: int, past: int) -> bool:
    """Whether the pilot may fly the own duties with those of the other in the stretch instead."""
    since, free, day = _LONG_AGO_US, _LONG_AGO_US, np.int64(-1)
    for item in range(len(crew)):
        swapped = first <= item < past
        if crew[item] != (other if swapped else pilot):
            continue
        if not d.able[item, pilot] or free > d.taken_us[item]:
            return False
        if day == d.day[item]:
            if d.free_us[item] - since > d.longest_us:
                return False
        else:
            if free + d.rest_us > d.taken_us[item]:
                return False
            since, day = d.taken_us[item], d.day[item]
        free = d.free_us[item]
    return True


@inner
def _swap(crew: Ints, one: int, other: int, first: int, past: int) -> None:
    for item in range(first, past):
        if crew[item] == one:
            crew[item] = other
        elif crew[item] == other:
            crew[item] = one


@inner
def _relieved(d: Duties, crew: Ints, load: Ints, one: int, other: int, least: int) -> bool:
    """Exchanges a stretch so that one has fewer duties; False where no stretch will do.

    least : by how many fewer, at least; 0 for an exchange that only stirs
    """
    most = load[one] - load[other] - 1
    for first in range(len(crew)):
        if crew[first] != one and crew[first] != other:
            continue
        gained = 0
        for item in range(first, len(crew)):
            if crew[item] == one:
                gained += 1
            elif crew[item] == other:
                gained -= 1
            else:
                continue
            if not least <= gained <= max(most, 0):
                continue
            past = item + 1
            if _keeps(d, crew, one, other, first, past) and _keeps(
                d, crew, other, one, first, past
            ):
                _swap(crew, one, other, first, past)
                load[one] -= gained
                load[other] += gained
                return True
    return False


@numba.njit(cache=True, nogil=True)
def evened(d: Duties, crew: Ints, most: int, rounds: int) -> int:
    """Exchanges stretches of duties until nobody has more than that; the most that anyone has.

    crew : (I,) who flies, changed; rounds : of stirring, where no exchange helps directly
    """
    pilots = d.able.shape[1]
    load = np.zeros(pilots, np.int64)
    for pilot in crew:
        load[pilot] += 1
    random = np.uint64(88_172_645_463_325_252)
    for _ in range(rounds + 1):
        again = True
        while again and load.max() > most:
            again = False
            for one in np.argsort(-load):
                for other in np.argsort(load):
                    if load[one] > most and load[one] - load[other] > 1:
                        again = again or _relieved(d, crew, load, one, other, 1)
        if load.max() <= most:
            break
        random ^= random << np.uint64(13)
        random ^= random >> np.uint64(7)
        random ^= random << np.uint64(17)
        one, other = random % np.uint64(pilots), (random >> np.uint64(8)) % np.uint64(pilots)
        if one != other:
            _stir(d, crew, load, np.int64(one), np.int64(other), np.int64(random >> np.uint64(20)))
    return load.max()


@inner
def _stir(d: Duties, crew: Ints, load: Ints, one: int, other: int, random: int) -> None:
    """Exchanges some stretch of two pilots, whatever it does to them."""
    items = len(crew)
    for turn in range(items):
        first = (random + turn) % items
        past = min(items, first + 1 + (random >> 8) % items)
        touched = crew[first] == one or crew[first] == other
        if (
            touched
            and _keeps(d, crew, one, other, first, past)
            and _keeps(d, crew, other, one, first, past)
        ):
            _swap(crew, one, other, first, past)
            load[:] = 0
            for pilot in crew:
                load[pilot] += 1
            return
