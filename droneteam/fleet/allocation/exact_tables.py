"""A problem's choices as the exact search's arrays (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, Ints, microseconds, preference
from droneteam.fleet.allocation.exact_kernels import (
    COSTS,
    LATE,
    LOST_MIN,
    MAX_BITS,
    MOVED,
    START,
    TRAVEL,
    Tables,
    clashes,
)
from droneteam.fleet.allocation.pooled import shares
from droneteam.fleet.allocation.relaxation import Share
from droneteam.fleet.problem import packs_needed
from droneteam.fleet.terms import PRIORITIES

_NEVER_US = -(2**61)
START_ACCOUNT = len(PRIORITIES)
MOVED_ACCOUNT = START_ACCOUNT + 1
TRAVEL_ACCOUNT = START_ACCOUNT + 2
FREE_ACCOUNT = START_ACCOUNT + 3
FIRST_ZONE = START_ACCOUNT + 4


@dataclass(frozen=True, slots=True)
class Asked:
    """The requests that have a visit at all, and what leaving one out costs.

    jobs : their indices in the problem; order : the choices by request, as the tables have them
    level : (J,) index of the class; zone : (J,) account of the zone, or FREE_ACCOUNT
    lost_min, lost_changes : (J,) what leaving it out takes from its zone and from the published
    crew_changes : (J,) pilots of the published crew beyond those that it takes now
    """

    jobs: tuple[int, ...]
    level: tuple[int, ...]
    zone: tuple[int, ...]
    lost_min: tuple[int, ...]
    lost_changes: tuple[int, ...]
    crew_changes: tuple[int, ...]
    claims: tuple[Share, ...]


def fits(choices: Choices) -> bool:
    """True where the sets of the problem have few enough members for the kernels."""
    problem = choices.problem
    crews = sum(problem.jobs[job].crew for job in np.unique(choices.job).tolist())
    return bool(max(crews, len(problem.pilots), len(problem.drones)) <= MAX_BITS)


def asked(choices: Choices) -> Asked:
    """The requests of the search."""
    problem = choices.problem
    numbers, firsts = np.unique(choices.job, return_index=True)
    most = np.maximum.reduceat(choices.served_min, firsts)
    claims = tuple(shares(choices))
    zone = np.full(len(numbers), FREE_ACCOUNT, dtype=np.int64)
    for index, share in enumerate(claims):
        zone[np.isin(numbers, choices.job[share.members])] = FIRST_ZONE + index
    own = [problem.jobs[number] for number in numbers.tolist()]
    return Asked(
        jobs=tuple(numbers.tolist()),
        level=tuple(PRIORITIES.index(job.priority) for job in own),
        zone=tuple(zone.tolist()),
        lost_min=tuple(most.tolist()),
        lost_changes=tuple(
            0 if job.published is None else 2 + len(job.published.pilot_ids) for job in own
        ),
        crew_changes=tuple(
            0 if job.published is None else len(set(job.published.pilot_ids)) - job.crew
            for job in own
        ),
        claims=claims,
    )


def alike(t: Tables, wanted: Asked) -> list[int]:
    """By request the mask of those that may take its place in any plan at the same cost."""
    groups: dict[tuple[object, ...], int] = {}
    keys: list[tuple[object, ...]] = []
    for job in range(len(wanted.jobs)):
        own = slice(int(t.first[job]), int(t.first[job + 1]))
        visits = (t.taken, t.free, t.base, t.pilots, t.drones, *t.cost)
        terms = (wanted.level, wanted.zone, wanted.lost_min)
        known = job if t.published[job] else -1  # nobody takes a published one's place
        key = (
            known,
            int(t.crew[job]),
            t.needs[job].tobytes(),
            *(term[job] for term in terms),
            *(values[own].tobytes() for values in visits),
        )
        keys.append(key)
        groups[key] = groups.get(key, 0) | 1 << job
    return [groups[key] for key in keys]


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each visit stands in the sets of visits; C visits, J requests, W words.

    job : (C,) place of the visit's request among those asked; first, word : (J + 1,)
    cell, bit : (C,)
    """

    job: Ints
    first: Ints
    word: Ints
    cell: Ints
    bit: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """(C, W)."""
        return len(self.job), int(self.word[-1])


def tables(choices: Choices, wanted: Asked) -> Tables:
    """The arrays that the kernels read."""
    layout = _layout(choices, wanted)
    pilot_clash, drone_clash = _clashes(choices, layout)
    return Tables(
        first=layout.first,
        word=layout.word,
        cell=layout.cell,
        bit=layout.bit,
        pilot_clash=pilot_clash,
        drone_clash=drone_clash,
        at_base=_at_base(choices, layout),
        base=choices.base,
        taken=choices.taken_us,
        free=choices.free_us,
        cost=_costs(choices, wanted, layout.job),
        group=_groups(wanted),
        rank=np.argsort(preference(choices)),
        **_people(choices, wanted),
        **_fleet(choices, wanted),
    )


def _layout(choices: Choices, wanted: Asked) -> _Layout:
    job = np.searchsorted(np.array(wanted.jobs, dtype=np.int64), choices.job)
    first = np.searchsorted(job, np.arange(len(wanted.jobs) + 1))
    word = np.concatenate([[0], np.cumsum(-(-np.diff(first) // MAX_BITS))]).astype(np.int64)
    place = np.arange(len(job)) - first[job]
    return _Layout(
        job=job,
        first=first,
        word=word,
        cell=word[job] + place // MAX_BITS,
        bit=np.left_shift(np.int64(1), place % MAX_BITS),
    )


def _clashes(choices: Choices, layout: _Layout) -> tuple[Ints, Ints]:
    """(C, W) twice: the visits that no pilot, and no drone, can make as well."""
    duty = choices.problem.duty
    of_pilots, of_drones = np.zeros(layout.shape, np.int64), np.zeros(layout.shape, np.int64)
    clashes(
        choices.taken_us, choices.free_us, choices.day, choices.base, layout.job, layout.cell,
        layout.bit, duty.max_duty_min * MINUTE_US, duty.min_rest_min * MINUTE_US,
        of_pilots, of_drones,
    )  # fmt: skip
    return of_pilots, of_drones


def _at_base(choices: Choices, layout: _Layout) -> Ints:
    """(B, W): the visits from each base."""
    found = np.zeros((len(choices.bases), layout.shape[1]), np.int64)
    np.bitwise_or.at(found, (choices.base, layout.cell), layout.bit)
    return found


def _people(choices: Choices, wanted: Asked) -> dict[str, Ints]:
    """Who may fly each visit, and who flies each request in the published plan."""
    problem = choices.problem
    own = [problem.jobs[number] for number in wanted.jobs]
    at = {pilot.id: index for index, pilot in enumerate(problem.pilots)}
    before = [one.published for one in own]
    return {
        "pilots": _masks(choices.pilot_sets, at)[choices.pilots],
        "crew": _ints(one.crew for one in own),
        "kept_pilots": _ints(0 if p is None else _mask(p.pilot_ids, at) for p in before),
        "published": _ints(p is not None for p in before),
        "pilot_count": _ints([len(at)]),
    }


def _fleet(choices: Choices, wanted: Asked) -> dict[str, Ints]:
    """Which drones can make each visit, with their packs, and which does in the published plan."""
    problem = choices.problem
    at = {drone.id: index for index, drone in enumerate(problem.drones)}
    kinds = {kind.name: index for index, kind in enumerate(problem.pack_types)}
    bases = {base: index for index, base in enumerate(choices.bases)}
    before = [problem.jobs[number].published for number in wanted.jobs]
    return {
        "drones": _masks(choices.drone_sets, at)[choices.drones],
        "kept_drone": _ints(0 if p is None else _mask([p.drone_id], at) for p in before),
        "drone_base": _ints(bases[drone.base] for drone in problem.drones),
        "drone_kind": _ints(kinds[drone.pack_type] for drone in problem.drones),
        "needs": _needs(choices, wanted),
        "owned": _ints(sum(p.type == name for p in problem.packs) for name in kinds),
        "charge": _ints(kind.charge_min * MINUTE_US for kind in problem.pack_types),
        "charging": _charging(choices, kinds),
    }


def _ints(values: Iterable[int]) -> Ints:
    return np.array([int(value) for value in values], dtype=np.int64)


def _mask(ids: Iterable[int], places: dict[int, int]) -> int:
    return sum(1 << places[one] for one in set(ids) if one in places)


def _masks(sets: Sequence[frozenset[int]], places: dict[int, int]) -> Ints:
    return _ints(_mask(able, places) for able in sets)


def _costs(choices: Choices, wanted: Asked, job: Ints) -> Ints:
    """(COSTS, C): what each visit costs beside the best of its request."""
    cost = np.zeros((COSTS, len(job)), dtype=np.int64)
    cost[LATE] = choices.late_min
    cost[LOST_MIN] = np.array(wanted.lost_min, dtype=np.int64)[job] - choices.served_min
    cost[MOVED] = choices.moved_min
    cost[TRAVEL] = choices.travel_min
    for choice, (index, slot) in enumerate(
        zip(choices.job.tolist(), choices.slot.tolist(), strict=True)
    ):
        asked_for = choices.problem.jobs[index]
        before = asked_for.published
        if before is not None:
            cost[START, choice] = asked_for.slots[slot].start_at != before.start_at
    return cost


def _groups(wanted: Asked) -> Ints:
    """(COSTS, J): the account that pays for each request's costs."""
    group = np.zeros((COSTS, len(wanted.jobs)), dtype=np.int64)
    group[LATE] = wanted.level
    group[LOST_MIN] = wanted.zone
    group[START] = START_ACCOUNT
    group[MOVED] = MOVED_ACCOUNT
    group[TRAVEL] = TRAVEL_ACCOUNT
    return group


def _needs(choices: Choices, wanted: Asked) -> Ints:
    """(J, K): packs that each request takes of each kind."""
    problem = choices.problem
    found = [
        [packs_needed(problem.jobs[index], kind) for kind in problem.pack_types]
        for index in wanted.jobs
    ]
    return np.array(found, dtype=np.int64).reshape(len(wanted.jobs), len(problem.pack_types))


def _charging(choices: Choices, kinds: dict[str, int]) -> Ints:
    """(K, M): when the packs that are in the charger are ready, by kind."""
    ready: list[list[int]] = [[] for _ in kinds]
    for pack in choices.problem.packs:
        if pack.charged_at is not None and pack.type in kinds:
            ready[kinds[pack.type]].append(microseconds(pack.charged_at))
    found = np.full((len(kinds), max((len(own) for own in ready), default=0)), _NEVER_US)
    for row, own in zip(found, ready, strict=True):
        row[: len(own)] = own
    return found
