"""A plan without a search, given out class by class (pure).

The most urgent class gets what it can use first, as if nobody else asked; the next class gets what
is left, and so on.  No request is therefore ever unserved because of a less urgent one, whatever
the size of the problem.  Within a class, what was preferred (published, or found by a search) is
kept where it still fits, and the others follow in order of departure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from droneteam.fleet.allocation.choices import Choices, Flags, Ints, choices, preference
from droneteam.fleet.allocation.diary import Diary, PackDiary, Rota, reach_days
from droneteam.fleet.problem import Assigned, Job, Problem, packs_needed


@dataclass(frozen=True, slots=True)
class Gift:
    """A choice with the drone and the crew that make it."""

    choice: int
    drone_id: int
    pilot_ids: tuple[int, ...]


def greedy(problem: Problem) -> tuple[Assigned, ...]:
    """Assignments that break no rule; not the best ones.  Packs are not named yet."""
    return give_out(choices(problem))


def give_out(found: Choices, preferred: Iterable[Assigned] = ()) -> tuple[Assigned, ...]:
    """The plan that serves one class after the other, packs not named yet.

    preferred : assignments that go first within their class, where nothing of a more urgent class
        or the same one stands against them; a plan given here never becomes worse
    """
    wanted = _published(found)
    given = list(preferred)
    for assigned, choice in zip(given, found.indices(given), strict=True):
        wanted[int(found.job[choice])] = Gift(choice, assigned.drone_id, assigned.pilot_ids)
    places = _Places(found)
    gifts: list[Gift] = []
    for jobs in _classes(found):
        waiting = []
        for job in jobs:
            if job in wanted and places.free_for(wanted[job]):
                gifts.append(places.take(wanted[job]))
            else:
                waiting.append(job)
        for job in waiting:
            best = places.best(job)
            if best is not None:
                gifts.append(places.take(best))
    return tuple(_assigned(found, gift) for gift in gifts)


def _assigned(found: Choices, gift: Gift) -> Assigned:
    request_id = found.problem.jobs[int(found.job[gift.choice])].request_id
    return Assigned(request_id, gift.drone_id, gift.pilot_ids, (), found.visit(gift.choice))


def _classes(found: Choices) -> list[list[int]]:
    """The jobs that have choices by class, the most urgent first; in each by departure."""
    jobs, firsts = np.unique(found.job, return_index=True)
    if len(jobs) == 0:
        return []
    leaves_us = np.minimum.reduceat(found.taken_us, firsts)
    by_class: dict[str, list[tuple[int, int]]] = {}
    for job, leaves in zip(jobs.tolist(), leaves_us.tolist(), strict=True):
        by_class.setdefault(found.problem.jobs[job].priority, []).append((leaves, job))
    return [[job for _, job in sorted(by_class[name])] for name in sorted(by_class)]


def _published(found: Choices) -> dict[int, Gift]:
    """By job: the published placements that are still among the choices, unchanged."""
    gifts = {}
    for index, job in enumerate(found.problem.jobs):
        before = job.published
        if before is None or len(before.pilot_ids) != job.crew:
            continue
        for choice in found.of_job(index):
            same = job.slots[found.slot[choice]].start_at == before.start_at
            able = before.drone_id in found.able_drones(choice)
            manned = found.able_pilots(choice).issuperset(before.pilot_ids)
            if same and able and manned:
                gifts[index] = Gift(choice, before.drone_id, before.pilot_ids)
                break
    return gifts


class _Places:
    """Who is still free when: drones, crews and packs beside what has been given out."""

    def __init__(self, found: Choices) -> None:
        problem = found.problem
        reach = reach_days(problem)
        first_day = int(found.day.min()) if len(found.day) else 0
        days = int(found.day.max()) - first_day + 1 if len(found.day) else 1
        self.found = found
        self.day = found.day - first_day + reach
        self.drones = sorted(problem.drones, key=lambda drone: (len(drone.capabilities), drone.id))
        self.drone_at = {drone.id: index for index, drone in enumerate(self.drones)}
        self.pilot_at = {pilot.id: index for index, pilot in enumerate(problem.pilots)}
        self.fleet = Diary(days + 2 * reach, len(self.drones), reach)
        self.rota = Rota(days + 2 * reach, len(self.pilot_at), reach, problem.duty)
        self.kinds = {kind.name: kind for kind in problem.pack_types}
        self.packs = {name: PackDiary(problem, kind) for name, kind in self.kinds.items()}
        self.able_drones = _members(found.drone_sets, self.drone_at)
        self.able_pilots = _members(found.pilot_sets, self.pilot_at)
        self.skill = self.able_pilots.sum(axis=0)
        self.load = np.zeros(len(self.pilot_at), dtype=np.int64)
        self.order = preference(found)

    def free_for(self, gift: Gift) -> bool:
        """True where drone, crew and packs of the gift are all free."""
        one = np.array([gift.choice])
        crew = [self.pilot_at[pilot] for pilot in gift.pilot_ids]
        return bool(
            self._free_drones(one)[0, self.drone_at[gift.drone_id]]
            and self._free_pilots(one)[0, crew].all()
            and self._has_packs(gift.choice, self.drone_at[gift.drone_id])
        )

    def best(self, job: int) -> Gift | None:
        """The job's best choice for which a drone, a crew and packs are left."""
        own = self.order[slice(*np.searchsorted(self.found.job, (job, job + 1)))]
        # most requests get their first wish, so that the others are not looked at
        for some in (own[:1], own[1:]):
            if len(some):
                gift = self._best_of(some)
                if gift is not None:
                    return gift
        return None

    def _best_of(self, some: Ints) -> Gift | None:
        crew = self.found.problem.jobs[int(self.found.job[some[0]])].crew
        pilots = self._free_pilots(some)
        manned = np.flatnonzero(np.count_nonzero(pilots, axis=1) >= crew)
        if len(manned) == 0:
            return None
        drones = self._free_drones(some[manned])
        for place, flags in zip(manned.tolist(), drones, strict=True):
            choice = int(some[place])
            drone = self._drone(choice, flags)
            if drone is not None:
                return Gift(choice, drone, self._crew(choice, pilots[place], crew))
        return None

    def _drone(self, choice: int, free: Flags) -> int | None:
        """The published one where it is free, else the least able one with charged packs."""
        places = np.flatnonzero(free).tolist()
        before = self._job(choice).published
        if before is not None and self.drone_at.get(before.drone_id) in places:
            places.insert(0, self.drone_at[before.drone_id])
        short: set[str] = set()
        for place in places:
            kind = self.drones[place].pack_type
            if kind in short:
                continue
            if self._has_packs(choice, place):
                return self.drones[place].id
            short.add(kind)
        return None

    def _crew(self, choice: int, free: Flags, size: int) -> tuple[int, ...]:
        """Those published, then those on duty already, the least skilled, the least loaded."""
        places = np.flatnonzero(free)
        before = self._job(choice).published
        ids = () if before is None else before.pilot_ids
        kept = np.isin(places, [self.pilot_at[pilot] for pilot in ids if pilot in self.pilot_at])
        off = ~self.rota.on_duty(int(self.day[choice]), places)
        ranked = places[np.lexsort((places, self.load[places], self.skill[places], off, ~kept))]
        pilots = self.found.problem.pilots
        return tuple(sorted(pilots[place].id for place in ranked[:size].tolist()))

    def _job(self, choice: int) -> Job:
        return self.found.problem.jobs[int(self.found.job[choice])]

    def _free_drones(self, some: Ints) -> Flags:
        """(m, drones): able and idle."""
        found = self.found
        able = self.able_drones[found.drones[some]]
        return able & self.fleet.idle(self.day[some], found.taken_us[some], found.free_us[some])

    def _free_pilots(self, some: Ints) -> Flags:
        """(m, pilots): able, idle, within their duty and rested."""
        found = self.found
        able = self.able_pilots[found.pilots[some]]
        return able & self.rota.idle(self.day[some], found.taken_us[some], found.free_us[some])

    def _has_packs(self, choice: int, drone: int) -> bool:
        kind = self.kinds[self.drones[drone].pack_type]
        needed = packs_needed(self._job(choice), kind)
        return self.packs[kind.name].has(needed, *self._span(choice))

    def _span(self, choice: int) -> tuple[int, int]:
        return int(self.found.taken_us[choice]), int(self.found.free_us[choice])

    def take(self, gift: Gift) -> Gift:
        """The gift, whose drone, crew and packs are out for its time from now on."""
        day, span = int(self.day[gift.choice]), self._span(gift.choice)
        drone = self.drone_at[gift.drone_id]
        self.fleet.add(day, drone, *span)
        for pilot in gift.pilot_ids:
            self.rota.add(day, self.pilot_at[pilot], *span)
            self.load[self.pilot_at[pilot]] += 1
        kind = self.kinds[self.drones[drone].pack_type]
        self.packs[kind.name].add(packs_needed(self._job(gift.choice), kind), *span)
        return gift


def _members(sets: Sequence[frozenset[int]], place: dict[int, int]) -> Flags:
    """(sets, members): who stands in which set."""
    found = np.zeros((len(sets), len(place)), dtype=np.bool_)
    for row, able in enumerate(sets):
        found[row, [place[one] for one in able]] = True
    return found
