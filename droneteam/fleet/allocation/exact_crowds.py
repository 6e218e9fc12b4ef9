"""Groups of requests that cannot all be served, as far as they can be seen at once (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from droneteam.fleet.allocation.choices import Ints
from droneteam.fleet.allocation.exact_kernels import FREE, Tables
from droneteam.fleet.allocation.exact_nodes import pack_rows, relations

_MAX_GROUPS = 12
"""Beyond this many different sets of able ones, their unions are not looked at."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Requests of which not all can be served: the crews in the mask are at most ``cap``.

    twice : those of them that count twice
    without, to_change : it holds where all of these are left out, and those who are not may come to
        no more changes than that
    """

    mask: int
    twice: int
    cap: int
    without: int = 0
    to_change: int = FREE

    def holds(self, out: int, to_change: int) -> bool:
        """True where these are left out, and the others may come to so many changes."""
        return not self.without & ~out and to_change <= self.to_change

    def load(self, served: int) -> int:
        """What the served ones come to."""
        return (self.mask & served).bit_count() + (self.twice & served).bit_count()


def bits(mask: int) -> Iterator[int]:
    """The members of a mask, lowest first."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def known_crowds(t: Tables, alive: Ints, everyone: int) -> list[Crowd]:
    """Groups that are too large for the people, the drones or the packs whatever visits are made.

    alive : (W,) the visits; everyone : mask of the requests
    """
    twice = sum(1 << job for job, crew in enumerate(t.crew.tolist()) if crew > 1)
    clash, drone_clash, pilots, drones = (own.tolist() for own in relations(t, alive, everyone))
    rows: dict[tuple[int, int], Crowd] = {}
    found = [*_cliques_of(clash, pilots, twice), *_cliques_of(drone_clash, drones, 0)]
    for group in _groups(drones):
        covers, most = pack_rows(t, alive, _inside(group, drones))
        for cover, cap in zip(covers.tolist(), most.tolist(), strict=True):
            found.append(Crowd(cover, 0, cap))
    for row in found:
        key = (row.mask, row.twice)
        if row.load(everyone) > row.cap and (key not in rows or rows[key].cap > row.cap):
            rows[key] = row
    return list(rows.values())


def _cliques_of(adj: list[int], able: list[int], twice: int) -> Iterator[Crowd]:
    """Those of whom each clashes with each, for each group of able ones."""
    for group in _groups(able):
        for clique in _cliques(_inside(group, able), adj):
            yield Crowd(clique, clique & twice, group.bit_count())


def _inside(group: int, able: list[int]) -> int:
    """The requests that only the group can serve; not those that were not looked at."""
    return sum(1 << job for job, own in enumerate(able) if own and own & ~group == 0)


def _groups(able: Iterable[int]) -> list[int]:
    single = sorted(set(able))
    if len(single) > _MAX_GROUPS:
        return single
    return sorted({one | other for one in single for other in single})


def _cliques(inside: int, adj: list[int]) -> Iterator[int]:
    """The largest sets in which all clash with all (Bron and Kerbosch, with a pivot)."""
    stack = [(0, inside, 0)]
    while stack:
        clique, near, seen = stack.pop()
        if not near:
            if not seen:
                yield clique
            continue
        pivot = max(bits(near | seen), key=lambda job: (adj[job] & near).bit_count())
        for job in bits(near & ~adj[pivot]):
            one = 1 << job
            stack.append((clique | one, near & adj[job], seen & adj[job]))
            near &= ~one
            seen |= one
