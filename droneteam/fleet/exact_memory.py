# mypy: disable-error-code="untyped-decorator, no-any-return"
"""Compiled memory of a colouring: states from which it is known that no colouring follows.

What a colour may still be given, which of these prefer it, its group and, under a cap, how many it
has is all that tells it from another one.  A state is the open items with these numbers of all
colours, sorted, so that colours that have become alike are alike; it is kept whole and compared
whole.
"""

from __future__ import annotations

import numpy as np

from droneteam.fleet.choices import Ints
from droneteam.fleet.exact_kernels import inner, lowest

MEMORY_FROM = 150
"""Steps after which a colouring begins to remember; most are through before."""
_PLACES = 8192
"""States that are remembered, a power of two; three quarters are filled."""
_PROBES = 12


@inner
def no_memory(colours: int) -> Ints:
    """(0, W) a memory that holds nothing yet, for states of W numbers and what they cost."""
    return np.zeros((0, 3 * colours + 2), np.int64)


@inner
def new_memory(colours: int) -> Ints:
    """(places, W) an empty memory; the last column is -1 where a place is free."""
    found = np.empty((_PLACES, 3 * colours + 2), np.int64)
    found[:, -1] = -1
    return found


@inner
def write_state(
    todo: int, dom: Ints, pref: Ints, group: Ints, load: Ints, bounded: bool, capped: bool,
    into: Ints,
) -> None:  # fmt: skip
    """Writes the state of the open items: their mask, then three numbers for each colour."""
    colours = len(load)
    into[0] = todo
    into[1:-1] = 0
    rest = todo
    while rest:
        item = lowest(rest)
        one = 1 << item
        rest &= rest - 1
        able = dom[item]
        while able:
            colour = lowest(able)
            able &= able - 1
            into[1 + 3 * colour] |= one
            if bounded and (pref[item] >> colour) & 1:
                into[2 + 3 * colour] |= one
    for colour in range(colours):
        into[3 + 3 * colour] = (group[colour] << 8) + (load[colour] if capped else 0)
    for colour in range(1, colours):
        place = colour
        while place > 0 and _after(into, place - 1, place):
            for part in range(3):
                low, high = 3 * place - 2 + part, 3 * place + 1 + part
                into[low], into[high] = into[high], into[low]
            place -= 1


@inner
def _after(state: Ints, one: int, other: int) -> bool:
    """True where the first colour stands behind the other one by its numbers."""
    for part in range(3):
        mine, theirs = state[1 + 3 * one + part], state[1 + 3 * other + part]
        if mine != theirs:
            return mine > theirs
    return False


@inner
def _place_of(memory: Ints, state: Ints) -> int:
    """Where the state is, or may be put; -1 where there is no room near by."""
    mixed = 0
    for index in range(len(state) - 1):
        mixed = (mixed ^ state[index]) * 0x2545F4914F6CDD1D
        mixed ^= (mixed >> 29) & 0x7FFFFFFFF
    place = mixed & (len(memory) - 1)
    for _ in range(_PROBES):
        if memory[place, -1] < 0:
            return place
        same = True
        for index in range(len(state) - 1):
            if memory[place, index] != state[index]:
                same = False
                break
        if same:
            return place
        place = (place + 1) & (len(memory) - 1)
    return -1


@inner
def known_to_fail(memory: Ints, state: Ints, left: int) -> bool:
    """True where no colouring follows from the state for what is left to be paid."""
    place = _place_of(memory, state)
    return place >= 0 and memory[place, -1] >= left


@inner
def remember(memory: Ints, state: Ints, left: int) -> None:
    """Keeps that no colouring follows from the state for so much."""
    place = _place_of(memory, state)
    if place >= 0 and memory[place, -1] < left:
        memory[place] = state
        memory[place, -1] = left
