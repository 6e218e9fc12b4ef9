"""Pilots for visits that are settled, through any number of days (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, Ints
from droneteam.fleet.allocation.exact_kernels import UNKNOWN, YES
from droneteam.fleet.allocation.rota_kernels import Duties, evened, given_out
from droneteam.fleet.problem import Assigned

_STIRRINGS = 200
"""Exchanges at random on the way to pilots of whom none has more sorties than have to be."""


class Rota:
    """Who flies the visits; drones stay as they are, and crews as large.

    jobs : by duty, the index of its request in the problem
    """

    def __init__(self, found: Choices, flown: Sequence[Assigned]) -> None:
        self.found = found
        order = sorted(flown, key=lambda one: (one.visit.taken_at, one.request_id))
        self.flown = tuple(order)
        crew = [len(one.pilot_ids) for one in order]
        self.visit = np.repeat(np.arange(len(order)), crew)
        chosen = np.array(found.indices(order), dtype=np.int64)[self.visit]
        self.jobs = found.job[chosen].tolist()
        self.ids = [pilot.id for pilot in found.problem.pilots]
        self.duties = _duties(found, chosen, self.ids)
        self.crew = np.zeros(len(chosen), dtype=np.int64)

    def apart(self, most_steps: int) -> tuple[int, int] | None:
        """Gives the pilots out; jobs of the two days where that came to its end, if it did."""
        if len(self.crew) == 0:
            return None
        answer, furthest = given_out(self.duties, most_steps, self.crew)
        if answer == UNKNOWN:
            answer = self._backwards(most_steps)
        if answer == YES:
            return None
        before = np.flatnonzero(self.duties.day < self.duties.day[furthest])
        return self.jobs[before[-1] if len(before) else 0], self.jobs[furthest]

    def _backwards(self, most_steps: int) -> int:
        """The same from the last day on: where the rests bind, one way mostly sees it soon."""
        own = self.duties
        order = np.argsort(-own.free_us, kind="stable")
        turned = own._replace(
            taken_us=-own.free_us[order],
            free_us=-own.taken_us[order],
            day=own.day.max(initial=0) - own.day[order],
            able=own.able[order],
        )
        crew = np.zeros(len(order), dtype=np.int64)
        answer, _ = given_out(turned, most_steps, crew)
        self.crew[order] = crew
        return answer

    def named(self, most: int) -> tuple[Assigned, ...]:
        """The visits with their pilots, of whom none has more sorties than that, if possible."""
        if len(self.crew):
            evened(self.duties, self.crew, most, _STIRRINGS)
        crews: list[list[int]] = [[] for _ in self.flown]
        for visit, pilot in zip(self.visit.tolist(), self.crew.tolist(), strict=True):
            crews[visit].append(self.ids[pilot])
        return tuple(
            replace(one, pilot_ids=tuple(sorted(crew)))
            for one, crew in zip(self.flown, crews, strict=True)
        )


def _duties(found: Choices, chosen: Ints, ids: Sequence[int]) -> Duties:
    able = np.array([[pilot in found.able_pilots(one) for pilot in ids] for one in chosen.tolist()])
    able = able.reshape(len(chosen), len(ids))
    _, alike = np.unique(able, axis=1, return_inverse=True)
    duty = found.problem.duty
    return Duties(
        taken_us=found.taken_us[chosen],
        free_us=found.free_us[chosen],
        day=found.day[chosen],
        able=able,
        alike=alike.reshape(-1).astype(np.int64),
        skill=able.sum(axis=0).astype(np.int64),
        longest_us=duty.max_duty_min * MINUTE_US,
        rest_us=duty.min_rest_min * MINUTE_US,
    )
