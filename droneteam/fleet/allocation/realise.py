"""From counted to named: the chosen visits are given to drones, packs and pilots (pure).

Once the visits are fixed, drones and pilots no longer depend on each other.  Each is given out in
order of departure, best fit first: whoever is on duty and soonest at its end, then whoever came
to rest last, so that those who are free for longer stay free.  Where that leaves a visit without,
a search of limited length goes back over it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, islice
from typing import Protocol

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, microseconds
from droneteam.fleet.problem import Assigned, Job, packs_needed

_LONG_AGO_US = -(2**62)
_BRANCHES = 6
"""Candidates that the search tries for one visit before it goes back."""
_STEPS_PER_VISIT = 40
"""Steps of the search per visit; a search that needs more is better left to the solver."""
_MOST_SEARCHED = 400
"""With more visits than this, whoever is left without is left to those who call."""
_FEW_LEFT = 0.03
"""Share of the visits that may be left without for the search to be tried; where more are, there
are too few drones or pilots for all, and no order of giving helps."""


@dataclass(frozen=True, slots=True)
class Item:
    """One chosen visit to be given to somebody."""

    choice: int
    job: Job
    taken_us: int
    free_us: int
    day: int


Undo = Callable[[], None]


class _Pool(Protocol):
    """Drones or pilots, as they are given out in order of departure."""

    def able(self, item: Item) -> Iterator[tuple[int, ...]]:
        """Who could take the item now, best first."""

    def take(self, item: Item, who: tuple[int, ...]) -> Undo:
        """Gives the item to them; calling what comes back undoes it."""


def realise(choices: Choices, chosen: Sequence[int]) -> tuple[Assigned, ...]:
    """The chosen visits with drone, crew and packs; those for which nobody was left are missing."""
    return _realised(choices, chosen, _give)


def realise_at_once(choices: Choices, chosen: Sequence[int]) -> tuple[Assigned, ...]:
    """The same without a search where somebody is left over: each takes what is left, in order."""
    return _realised(choices, chosen, _as_it_comes)


def _realised(
    choices: Choices,
    chosen: Sequence[int],
    give: Callable[[Sequence[Item], _Pool], dict[int, tuple[int, ...]]],
) -> tuple[Assigned, ...]:
    items = [_item(choices, choice) for choice in chosen]
    items.sort(key=_departure)
    drones = give(items, _Fleet(choices))
    flown = [item for item in items if item.choice in drones]
    rota = _Rota(choices)
    crews = give(flown, rota)
    manned = [item for item in flown if item.choice in crews]
    _balance(rota, manned, crews)
    assigned = [
        Assigned(
            item.job.request_id,
            drones[item.choice][0],
            tuple(sorted(crews[item.choice])),
            drones[item.choice][1:],
            choices.visit(item.choice),
        )
        for item in manned
    ]
    return tuple(assigned)


def drones_for(choices: Choices, chosen: Sequence[int]) -> dict[int, int]:
    """A drone with charged packs for each of the chosen visits that gets one."""
    items = sorted((_item(choices, choice) for choice in chosen), key=_departure)
    return {choice: who[0] for choice, who in _give(items, _Fleet(choices)).items()}


def crews_for(choices: Choices, chosen: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """A crew for each of the chosen visits that gets one, drones and packs aside."""
    items = sorted((_item(choices, choice) for choice in chosen), key=_departure)
    return _give(items, _Rota(choices))


def evened_out(choices: Choices, crews: dict[int, tuple[int, ...]]) -> dict[int, tuple[int, ...]]:
    """The crews of the chosen visits after moving sorties from the busiest pilots to others."""
    items = sorted((_item(choices, choice) for choice in crews), key=_departure)
    evened = dict(crews)
    _balance(_Rota(choices), items, evened)
    return {choice: tuple(sorted(crew)) for choice, crew in evened.items()}


def _departure(item: Item) -> tuple[int, int]:
    return item.taken_us, item.choice


def _item(choices: Choices, choice: int) -> Item:
    return Item(
        int(choice),
        choices.problem.jobs[choices.job[choice]],
        int(choices.taken_us[choice]),
        int(choices.free_us[choice]),
        int(choices.day[choice]),
    )


def _as_it_comes(items: Sequence[Item], pool: _Pool) -> dict[int, tuple[int, ...]]:
    """Who takes which item, where each takes the best that is left."""
    return {choice: who for choice, (who, _) in _taken(items, pool).items()}


def _taken(items: Sequence[Item], pool: _Pool) -> dict[int, tuple[tuple[int, ...], Undo]]:
    taken = {}
    for item in items:
        who = next(pool.able(item), None)
        if who is not None:
            taken[item.choice] = who, pool.take(item, who)
    return taken


def _give(items: Sequence[Item], pool: _Pool) -> dict[int, tuple[int, ...]]:
    """Who takes which item: everything where the search finds a way, else as it comes."""
    taken = _taken(items, pool)
    given = {choice: who for choice, (who, _) in taken.items()}
    left = len(items) - len(given)
    if left == 0 or left > 1 + _FEW_LEFT * len(items) or len(items) > _MOST_SEARCHED:
        return given
    for _, undo in reversed(taken.values()):
        undo()
    found = _search(items, pool)
    if found is not None:
        return found
    for item in items:
        if item.choice in given:
            pool.take(item, given[item.choice])
    return given


def _search(items: Sequence[Item], pool: _Pool) -> dict[int, tuple[int, ...]] | None:
    """Depth first over who takes which item; None when the steps run out, or there is no way."""
    steps = _STEPS_PER_VISIT * len(items)
    tries = [islice(pool.able(items[0]), _BRANCHES)]
    taken: list[tuple[Undo, tuple[int, ...]]] = []
    while tries and steps:
        steps -= 1
        who = next(tries[-1], None)
        if who is None:
            tries.pop()
            if taken:
                taken.pop()[0]()
            continue
        taken.append((pool.take(items[len(taken)], who), who))
        if len(taken) == len(items):
            return {item.choice: who for item, (_, who) in zip(items, taken, strict=True)}
        tries.append(islice(pool.able(items[len(taken)]), _BRANCHES))
    for undo, _ in reversed(taken):
        undo()
    return None


class _Fleet:
    """Drones with their packs; ``take`` gets (drone, pack, …)."""

    def __init__(self, choices: Choices) -> None:
        problem = choices.problem
        self.choices = choices
        self.drones = {drone.id: drone for drone in problem.drones}
        self.kinds = {kind.name: kind for kind in problem.pack_types}
        self.free_us = {drone.id: _LONG_AGO_US for drone in problem.drones}
        self.ready_us: dict[str, dict[int, int]] = {kind.name: {} for kind in problem.pack_types}
        now_us = microseconds(problem.now)
        for pack in problem.packs:
            at_us = now_us if pack.charged_at is None else microseconds(pack.charged_at)
            if pack.type in self.ready_us:
                self.ready_us[pack.type][pack.id] = at_us
        self.order = {
            index: sorted(able, key=lambda drone: (len(self.drones[drone].capabilities), drone))
            for index, able in enumerate(choices.drone_sets)
        }

    def able(self, item: Item) -> Iterator[tuple[int, ...]]:
        """Free drones with charged packs: the published one, then the least able."""
        order = self.order[int(self.choices.drones[item.choice])]
        before = item.job.published
        if before is not None and before.drone_id in order:
            order = [before.drone_id, *(drone for drone in order if drone != before.drone_id)]
        for drone in order:
            if self.free_us[drone] <= item.taken_us:
                packs = self._charged(item, self.drones[drone].pack_type)
                if packs is not None:
                    yield (drone, *packs)

    def _charged(self, item: Item, kind: str) -> tuple[int, ...] | None:
        needed = packs_needed(item.job, self.kinds[kind])
        ready = (pack for pack, at_us in self.ready_us[kind].items() if at_us <= item.taken_us)
        found = tuple(islice(ready, needed))
        return found if len(found) == needed else None

    def take(self, item: Item, who: tuple[int, ...]) -> Undo:
        """The drone is away until it is free, its packs until they are charged again."""
        drone, *packs = who
        kind = self.kinds[self.drones[drone].pack_type]
        ready = self.ready_us[kind.name]
        free_us, before = self.free_us[drone], [(pack, ready[pack]) for pack in packs]

        def undo() -> None:
            self.free_us[drone] = free_us
            ready.update(before)

        self.free_us[drone] = item.free_us
        for pack in packs:
            ready[pack] = item.free_us + kind.charge_min * MINUTE_US
        return undo


class _Rota:
    """Pilots with their duty of the day, as arrays over all pilots."""

    def __init__(self, choices: Choices) -> None:
        problem = choices.problem
        self.choices = choices
        self.ids = [pilot.id for pilot in problem.pilots]
        place = {pilot: index for index, pilot in enumerate(self.ids)}
        self.place = place
        self.groups = [
            np.array(sorted(place[pilot] for pilot in able), dtype=np.int64)
            for able in choices.pilot_sets
        ]
        skill = np.zeros(len(self.ids), dtype=np.int64)
        for group in self.groups:
            skill[group] += 1
        self.skill = skill
        self.load = np.zeros(len(self.ids), dtype=np.int64)
        self.free_us = np.full(len(self.ids), _LONG_AGO_US, dtype=np.int64)
        self.since_us = np.full(len(self.ids), _LONG_AGO_US, dtype=np.int64)
        self.day = np.full(len(self.ids), -1, dtype=np.int64)
        self.longest_us = problem.duty.max_duty_min * MINUTE_US
        self.rest_us = problem.duty.min_rest_min * MINUTE_US

    def able(self, item: Item) -> Iterator[tuple[int, ...]]:
        """Crews of pilots who may fly the item now, the best fitting first."""
        group = self.groups[int(self.choices.pilots[item.choice])]
        same = self.day[group] == item.day
        in_duty = item.free_us - self.since_us[group] <= self.longest_us
        rested = self.free_us[group] <= item.taken_us - self.rest_us
        fit = (self.free_us[group] <= item.taken_us) & np.where(same, in_duty, rested)
        if np.count_nonzero(fit) < item.job.crew:
            return
        group, same = group[fit], same[fit]
        before = () if item.job.published is None else item.job.published.pilot_ids
        kept = np.isin(group, [self.place[pilot] for pilot in before if pilot in self.place])
        wait = np.where(same, self.since_us[group], -(self.free_us[group] // self.longest_us))
        order = np.lexsort((group, self.load[group], self.skill[group], wait, ~same, ~kept))
        if item.job.crew == 1:
            yield from ((self.ids[index],) for index in group[order])
        else:
            yield from combinations([self.ids[index] for index in group[order]], item.job.crew)

    def take(self, item: Item, who: tuple[int, ...]) -> Undo:
        """Those who were off begin their duty with the item."""
        places = [self.place[pilot] for pilot in who]
        free_us, since_us = self.free_us[places], self.since_us[places]
        day = self.day[places]

        def undo() -> None:
            self.free_us[places] = free_us
            self.since_us[places] = since_us
            self.day[places] = day
            self.load[places] -= 1

        begins = day != item.day
        self.since_us[places] = np.where(begins, item.taken_us, since_us)
        self.day[places] = item.day
        self.free_us[places] = item.free_us
        self.load[places] += 1
        return undo


def _balance(rota: _Rota, items: Sequence[Item], crews: dict[int, tuple[int, ...]]) -> None:
    """Moves sorties from the busiest pilots to others, as long as the busiest gets fewer.

    What was published stays with its pilots: changes weigh more than balance.
    """
    if not items:
        return
    work: dict[int, list[Item]] = {pilot: [] for pilot in rota.ids}
    for item in items:
        for pilot in crews[item.choice]:
            work[pilot].append(item)
    least = -(-sum(len(own) for own in work.values()) // len(work))
    loads = _Loads(work)
    stuck: set[int] = set()
    while True:
        busiest = loads.busiest(least, stuck)
        if busiest is None:
            return
        if not _relieve(rota, busiest, loads, crews):
            stuck.add(busiest)


class _Loads:
    """The items of each pilot, and the pilots by how many they have."""

    def __init__(self, work: dict[int, list[Item]]) -> None:
        self.work = work
        most = max(len(own) for own in work.values())
        self.having: list[list[int]] = [[] for _ in range(most + 1)]
        """By number of items: the pilots who have as many, in order."""
        for pilot in sorted(work):
            self.having[len(work[pilot])].append(pilot)

    def busiest(self, least: int, stuck: Collection[int]) -> int | None:
        """Who has most, more than the least that somebody has to have; the last of equals."""
        for pilots in reversed(self.having[least + 1 :]):
            found = next((pilot for pilot in reversed(pilots) if pilot not in stuck), None)
            if found is not None:
                return found
        return None

    def below(self, count: int) -> Iterator[int]:
        """Those who have fewer, the least loaded first."""
        return chain.from_iterable(self.having[: max(0, count)])

    def move(self, item: Item, busiest: int, pilot: int) -> None:
        """From one to the other."""
        for who in (busiest, pilot):
            self.having[len(self.work[who])].remove(who)
        self.work[busiest].remove(item)
        self.work[pilot].append(item)
        for who in (busiest, pilot):
            insort(self.having[len(self.work[who])], who)


def _relieve(rota: _Rota, busiest: int, loads: _Loads, crews: dict[int, tuple[int, ...]]) -> bool:
    """Gives one of the pilot's items to one who has at least two fewer; False where none can."""
    work = loads.work
    for item in work[busiest]:
        before = item.job.published
        if before is not None and busiest in before.pilot_ids:
            continue
        allowed = rota.choices.able_pilots(item.choice)
        for pilot in loads.below(len(work[busiest]) - 1):
            if pilot not in allowed or pilot in crews[item.choice]:
                continue
            if not any(_clash(rota, item, other) for other in work[pilot]):
                loads.move(item, busiest, pilot)
                crews[item.choice] = tuple(
                    pilot if who == busiest else who for who in crews[item.choice]
                )
                return True
    return False


def _clash(rota: _Rota, one: Item, other: Item) -> bool:
    """True where no pilot may take both."""
    first, second = (one, other) if one.taken_us <= other.taken_us else (other, one)
    if first.day == second.day:
        span_us = max(first.free_us, second.free_us) - first.taken_us
        return second.taken_us < first.free_us or span_us > rota.longest_us
    return second.taken_us - first.free_us < rota.rest_us
