"""Who and what is out when, as arrays over all drones, pilots or packs at once (pure).

Days are indices from 0; instants are microseconds since the epoch, as in ``choices``.
"""

from __future__ import annotations

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Flags, Ints, microseconds
from droneteam.fleet.assets.registry import DutyRules
from droneteam.fleet.problem import PackType, Problem

_FAR_US = 2**61
"""Later than any instant, and still far from the end of the range."""
_HOUR_MIN, _DAY_MIN = 60, 24 * 60


def reach_days(problem: Problem) -> int:
    """How many duty days apart two visits may lie and still touch each other.

    A visit lasts at most as long as a duty, and rest follows; one day of the year is an hour short.
    """
    duty = problem.duty
    return -(-(duty.max_duty_min + duty.min_rest_min + _HOUR_MIN) // _DAY_MIN)


class Diary:
    """The occupations of each owner by day."""

    def __init__(self, days: int, owners: int, reach: int) -> None:
        self.reach = reach
        self.count = np.zeros((days, owners), dtype=np.int64)
        self.taken_us = np.full((days, owners, 1), _FAR_US, dtype=np.int64)
        self.free_us = np.full((days, owners, 1), -_FAR_US, dtype=np.int64)

    def idle(self, day: Ints, taken_us: Ints, free_us: Ints) -> Flags:
        """(m, owners): who has nothing to do from taken to free; each argument is (m,)."""
        found = np.empty((len(day), self.count.shape[1]), dtype=np.bool_)
        for one in np.unique(day).tolist():
            own = day == one
            found[own] = self._idle(one, taken_us[own], free_us[own])
        return found

    def _idle(self, day: int, taken_us: Ints, free_us: Ints) -> Flags:
        near = slice(day - self.reach, day + self.reach + 1)
        begins, ends = self.taken_us[near], self.free_us[near]
        at, until = taken_us[:, None, None, None], free_us[:, None, None, None]
        clash = (begins[None] < until) & (at < ends[None])
        return np.asarray(~clash.any(axis=(1, 3)), dtype=np.bool_)

    def add(self, day: int, owner: int, taken_us: int, free_us: int) -> None:
        """The owner is out from taken to free."""
        number = int(self.count[day, owner])
        if number == self.taken_us.shape[2]:
            shape = (*self.count.shape, number)
            self.taken_us = np.concatenate([self.taken_us, np.full(shape, _FAR_US)], axis=2)
            self.free_us = np.concatenate([self.free_us, np.full(shape, -_FAR_US)], axis=2)
        self.taken_us[day, owner, number] = taken_us
        self.free_us[day, owner, number] = free_us
        self.count[day, owner] += 1


class Rota(Diary):
    """The pilots' occupations, with the longest duty and the rest between two duties."""

    def __init__(self, days: int, owners: int, reach: int, duty: DutyRules) -> None:
        super().__init__(days, owners, reach)
        self.longest_us = duty.max_duty_min * MINUTE_US
        self.rest_us = duty.min_rest_min * MINUTE_US
        self.since_us = np.full((days, owners), _FAR_US, dtype=np.int64)
        self.until_us = np.full((days, owners), -_FAR_US, dtype=np.int64)

    def _idle(self, day: int, taken_us: Ints, free_us: Ints) -> Flags:
        at, until = taken_us[:, None], free_us[:, None]
        clash = (self.taken_us[day][None] < until[..., None]) & (
            at[..., None] < self.free_us[day][None]
        )
        begun = np.minimum(self.since_us[day], at)
        ended = np.maximum(self.until_us[day], until)
        before = self.until_us[day - self.reach : day].max(axis=0)
        after = self.since_us[day + 1 : day + self.reach + 1].min(axis=0)
        rested = (before + self.rest_us <= at) & (until + self.rest_us <= after)
        return np.asarray(
            ~clash.any(axis=2) & (ended - begun <= self.longest_us) & rested, dtype=np.bool_
        )

    def on_duty(self, day: int, owners: Ints) -> Flags:
        """(n,): which of the pilots have something to do on the day already."""
        return np.asarray(self.count[day, owners] > 0, dtype=np.bool_)

    def add(self, day: int, owner: int, taken_us: int, free_us: int) -> None:
        """The pilot's duty of the day grows to hold the visit."""
        super().add(day, owner, taken_us, free_us)
        self.since_us[day, owner] = min(int(self.since_us[day, owner]), taken_us)
        self.until_us[day, owner] = max(int(self.until_us[day, owner]), free_us)


class PackDiary:
    """How many packs of one type are out or charging; packs of a type are alike."""

    def __init__(self, problem: Problem, kind: PackType) -> None:
        owned = [pack for pack in problem.packs if pack.type == kind.name]
        self.owned = len(owned)
        self.charge_us = kind.charge_min * MINUTE_US
        self.used = 0
        self.taken_us = np.zeros(64, dtype=np.int64)
        self.ready_us = np.zeros(64, dtype=np.int64)
        self.packs = np.zeros(64, dtype=np.int64)
        for pack in owned:
            if pack.charged_at is not None:
                self._append(1, -_FAR_US, microseconds(pack.charged_at))

    def has(self, needed: int, taken_us: int, free_us: int) -> bool:
        """True where so many packs are charged throughout, from taken until they are again."""
        ready_us = free_us + self.charge_us
        begins, ends = self.taken_us[: self.used], self.ready_us[: self.used]
        out = (begins < ready_us) & (taken_us < ends)
        packs = self.packs[: self.used][out]
        if needed + int(packs.sum()) <= self.owned:
            return True
        begins, ends = begins[out], ends[out]
        moments = np.append(begins[begins > taken_us], taken_us)
        at_once = (begins <= moments[:, None]) & (moments[:, None] < ends)
        return needed + int((at_once @ packs).max()) <= self.owned

    def add(self, packs: int, taken_us: int, free_us: int) -> None:
        """So many packs are out, and then charge."""
        self._append(packs, taken_us, free_us + self.charge_us)

    def _append(self, packs: int, taken_us: int, ready_us: int) -> None:
        if self.used == len(self.packs):
            self.taken_us = np.concatenate([self.taken_us, np.zeros_like(self.taken_us)])
            self.ready_us = np.concatenate([self.ready_us, np.zeros_like(self.ready_us)])
            self.packs = np.concatenate([self.packs, np.zeros_like(self.packs)])
        self.taken_us[self.used] = taken_us
        self.ready_us[self.used] = ready_us
        self.packs[self.used] = packs
        self.used += 1
