"""Every way to serve every job, as parallel arrays (pure).

``candidates`` decides the same thing one visit at a time and with reasons; this module decides
it for a whole problem at once, and a test holds the two equal.  Drones that are alike are looked
at once, and so are pilots.  Instants are whole microseconds since the epoch, so that nothing is
rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from droneteam.fleet.allocation.candidates import slot_reason
from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.problem import Assigned, Drone, Pilot, Place, Problem, Visit, visit
from droneteam.fleet.terms import BRUSSELS, Window

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_US = 60_000_000
_HOUR_US = 60 * MINUTE_US
_DAY_US = 24 * _HOUR_US
_EPOCH_ORDINAL = EPOCH.toordinal()


def microseconds(at: datetime) -> int:
    """Whole microseconds since the epoch."""
    return (at - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Choices:
    """Every (job, slot, base) with at least one able drone and a whole crew; arrays are (n,).

    job, slot, base : indices into the problem's jobs, the job's slots and ``bases``
    taken_us, free_us : the occupation; day : the duty day's ordinal
    drones, pilots : index of the able ones in ``drone_sets`` and ``pilot_sets``
    moved_min : minutes between the wanted start and this one
    loss : changes to the published plan that the choice brings whoever is taken
    """

    problem: Problem
    bases: tuple[Place, ...]
    job: Ints
    slot: Ints
    base: Ints
    taken_us: Ints
    free_us: Ints
    day: Ints
    crew: Ints
    late_min: Ints
    served_min: Ints
    moved_min: Ints
    travel_min: Ints
    loss: Ints
    drones: Ints
    pilots: Ints
    drone_sets: tuple[frozenset[int], ...]
    pilot_sets: tuple[frozenset[int], ...]

    def visit(self, choice: int) -> Visit:
        """The choice as a visit."""
        job = self.problem.jobs[self.job[choice]]
        return visit(self.problem, job, job.slots[self.slot[choice]], self.bases[self.base[choice]])

    def of_job(self, index: int) -> range:
        """The choices of the job with this index."""
        return range(*np.searchsorted(self.job, (index, index + 1)).tolist())

    def indices(self, assignments: Sequence[Assigned]) -> list[int]:
        """The choice that each of the assignments makes."""
        places = {job.request_id: index for index, job in enumerate(self.problem.jobs)}
        bases = {base: index for index, base in enumerate(self.bases)}
        drones = {drone.id: bases[drone.base] for drone in self.problem.drones}
        found = []
        for assigned in assignments:
            index = places[assigned.request_id]
            slots, trip = self.problem.jobs[index].slots, assigned.visit
            found.append(
                next(
                    choice
                    for choice in self.of_job(index)
                    if self.base[choice] == drones[assigned.drone_id]
                    and slots[self.slot[choice]].start_at == trip.start_at
                    and slots[self.slot[choice]].end_at == trip.end_at
                )
            )
        return found

    def able_drones(self, choice: int) -> frozenset[int]:
        """The drones that could make the choice."""
        return self.drone_sets[int(self.drones[choice])]

    def able_pilots(self, choice: int) -> frozenset[int]:
        """The pilots who could make the choice."""
        return self.pilot_sets[int(self.pilots[choice])]


def choices(problem: Problem) -> Choices:
    """All choices of the problem, by job, slot and base."""
    bases = tuple(dict.fromkeys(drone.base for drone in problem.drones))
    raw = _raw(problem, bases)
    keep = raw["taken"] >= microseconds(problem.now)
    raw = {name: values[keep] for name, values in raw.items()}
    drone_able, drone_ids = _drone_classes(problem, bases, raw)
    pilot_able, pilot_ids = _pilot_classes(problem, raw)
    drone_set, drone_sets = _sets(drone_able, drone_ids, len(raw["job"]))
    pilot_set, pilot_sets = _sets(pilot_able, pilot_ids, len(raw["job"]))
    drone_counts = np.array([len(ids) for ids in drone_sets], dtype=np.int64)
    pilot_counts = np.array([len(ids) for ids in pilot_sets], dtype=np.int64)
    fit = (drone_counts[drone_set] > 0) & (pilot_counts[pilot_set] >= raw["crew"])
    kept = {name: values[fit] for name, values in raw.items()}
    found = Choices(
        problem=problem,
        bases=bases,
        job=kept["job"],
        slot=kept["slot"],
        base=kept["base"],
        taken_us=kept["taken"],
        free_us=kept["free"],
        day=kept["day"],
        crew=kept["crew"],
        late_min=kept["late"],
        served_min=kept["crew"] * _minutes_up(kept["end"] - kept["start"]),
        moved_min=_minutes_up(np.abs(kept["start"] - kept["wanted"])),
        travel_min=kept["travel"],
        loss=np.zeros(int(fit.sum()), dtype=np.int64),
        drones=drone_set[fit],
        pilots=pilot_set[fit],
        drone_sets=drone_sets,
        pilot_sets=pilot_sets,
    )
    _count_losses(found, kept["start"])
    return found


def preference(found: Choices) -> Ints:
    """The choices by job, and for each job the best for it alone first."""
    return np.lexsort(
        (
            found.travel_min,
            found.moved_min,
            found.loss,
            -found.served_min,
            found.late_min,
            found.job,
        )
    )


def _minutes_up(length_us: Ints) -> Ints:
    return -(-length_us // MINUTE_US)


def _raw(problem: Problem, bases: Sequence[Place]) -> dict[str, Ints]:
    """One row for each job, allowed slot and base, by the clock alone."""
    restricted = bool(problem.daylight) or any(
        job.daylight_only or job.cleared_from is not None or job.cleared_until is not None
        for job in problem.jobs
    )
    rows: list[tuple[int, ...]] = []
    for index, job in enumerate(problem.jobs):
        out = [problem.speed.minutes(base, job.place, emergency=job.emergency) for base in bases]
        home = [problem.speed.minutes(job.place, base) for base in bases]
        due = -1 if job.due_at is None else microseconds(job.due_at)
        wanted = microseconds(job.wanted_at)
        for number, slot in enumerate(job.slots):
            if restricted and slot_reason(problem, job, slot) is not None:
                continue
            start, end = microseconds(slot.start_at), microseconds(slot.end_at)
            lead = job.setup_min + slot.prep_min
            rows += [
                (index, number, base, start, end, lead, out[base], home[base], due, wanted)
                for base in range(len(bases))
            ]
    table = np.array(rows, dtype=np.int64).reshape(-1, 10)
    return _derived(problem, table)


def _derived(problem: Problem, table: Ints) -> dict[str, Ints]:
    job, slot, base, start, end, lead, out, home, due, wanted = table.T
    setup = np.array([job.setup_min for job in problem.jobs], dtype=np.int64)
    crew = np.array([job.crew for job in problem.jobs], dtype=np.int64)
    taken = start - (lead + out) * MINUTE_US
    late = np.where(due < 0, 0, _minutes_up(start - setup[job] * MINUTE_US - due))
    free = end + (home + problem.turnaround_min) * MINUTE_US
    return {
        "job": job,
        "slot": slot,
        "base": base,
        "start": start,
        "end": end,
        "taken": taken,
        "free": free,
        "late": np.maximum(late, 0),
        "travel": out + home,
        "wanted": wanted,
        "crew": crew[job],
        "day": (_local_us(taken) - problem.duty.day_start_h * _HOUR_US) // _DAY_US + _EPOCH_ORDINAL,
    }


def _local_us(at_us: Ints) -> Ints:
    """The wall clock of Brussels; its offset only ever changes at a full hour."""
    hours, inverse = np.unique(at_us // _HOUR_US, return_inverse=True)
    offsets = np.array([_offset_us(int(hour)) for hour in hours], dtype=np.int64)
    return np.asarray(at_us + offsets[inverse], dtype=np.int64)


@cache
def _offset_us(hour: int) -> int:
    local = (EPOCH + timedelta(hours=hour)).astimezone(BRUSSELS)
    offset = local.utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)


def _overlap(window: Window, start_us: Ints, end_us: Ints) -> Flags:
    return (microseconds(window.start_at) < end_us) & (start_us < microseconds(window.end_at))


def _drone_classes(
    problem: Problem, bases: Sequence[Place], raw: dict[str, Ints]
) -> tuple[list[Flags], list[list[int]]]:
    """For each kind of drone: which rows it can make, and the drones of that kind."""
    kinds: defaultdict[Hashable, list[Drone]] = defaultdict(list)
    for drone in problem.drones:
        weather = (drone.max_gust_mps, drone.max_rain_mm_h)
        blocked = bool(drone.blocks)
        kinds[drone.capabilities, drone.base, drone.busy, blocked, weather].append(drone)
    skilled: dict[frozenset[str], Flags] = {}
    found = []
    for drone, *_ in kinds.values():
        if drone.capabilities not in skilled:
            skilled[drone.capabilities] = np.array(
                [job.capabilities <= drone.capabilities for job in problem.jobs], dtype=np.bool_
            )
        able = skilled[drone.capabilities][raw["job"]] & (raw["base"] == bases.index(drone.base))
        if drone.blocks:
            able[:] = False
        for window in drone.busy:
            able &= ~_overlap(window, raw["taken"], raw["free"])
        found.append(able & ~_stormy(problem, drone, raw))
    return found, [[drone.id for drone in drones] for drones in kinds.values()]


def _stormy(problem: Problem, drone: Drone, raw: dict[str, Ints]) -> Flags:
    bad = np.zeros(len(raw["job"]), dtype=np.bool_)
    for forecast in problem.forecasts:
        windy = drone.max_gust_mps is not None and forecast.gust_mps > drone.max_gust_mps
        rainy = drone.max_rain_mm_h is not None and forecast.rain_mm_h > drone.max_rain_mm_h
        if windy or rainy:
            bad |= _overlap(forecast.window, raw["start"], raw["end"])
    return bad


def _pilot_classes(problem: Problem, raw: dict[str, Ints]) -> tuple[list[Flags], list[list[int]]]:
    """For each kind of pilot: which rows they may make, and the pilots of that kind."""
    kinds: defaultdict[Hashable, list[Pilot]] = defaultdict(list)
    for pilot in problem.pilots:
        key = (pilot.credentials, pilot.absences, pilot.worked, bool(pilot.blocks))
        kinds[key].append(pilot)
    first = _local_us(raw["taken"]) // _DAY_US + _EPOCH_ORDINAL
    last = _local_us(raw["free"] - 1) // _DAY_US + _EPOCH_ORDINAL
    short = raw["free"] - raw["taken"] <= problem.duty.max_duty_min * MINUTE_US
    wanted = list(dict.fromkeys(job.credentials for job in problem.jobs))
    number = {credentials: index for index, credentials in enumerate(wanted)}
    asked = np.array([number[job.credentials] for job in problem.jobs], dtype=np.int64)
    found = []
    for pilot, *_ in kinds.values():
        able = short & (not pilot.blocks)
        for window in pilot.absences:
            able &= ~_overlap(window, raw["taken"], raw["free"])
        for window in pilot.worked:
            able &= ~_tired(problem, window, raw)
        valid = np.zeros(len(able), dtype=np.bool_)
        for index, kinds_asked in enumerate(wanted):
            licensed = _licensed(pilot.credentials, kinds_asked, first, last)
            valid |= (asked[raw["job"]] == index) & licensed
        found.append(able & valid)
    return found, [[pilot.id for pilot in pilots] for pilots in kinds.values()]


def _licensed(
    credentials: Sequence[Credential], asked: Iterable[str], first: Ints, last: Ints
) -> Flags:
    valid = np.ones(len(first), dtype=np.bool_)
    for kind in asked:
        held = np.zeros(len(first), dtype=np.bool_)
        for credential in credentials:
            if credential.kind == kind:
                held |= (credential.valid_from.toordinal() <= first) & (
                    last <= credential.valid_until.toordinal()
                )
        valid &= held
    return valid


def _tired(problem: Problem, worked: Window, raw: dict[str, Ints]) -> Flags:
    """Where the duty rules forbid the row after, or before, work that is done or going on."""
    start, end = microseconds(worked.start_at), microseconds(worked.end_at)
    day = problem.duty.day_of(worked.start_at).toordinal()
    busy = (start < raw["free"]) & (raw["taken"] < end)
    span = np.maximum(end, raw["free"]) - np.minimum(start, raw["taken"])
    rest = np.where(raw["taken"] >= start, raw["taken"] - end, start - raw["free"])
    same = raw["day"] == day
    too_long = same & (span > problem.duty.max_duty_min * MINUTE_US)
    too_soon = ~same & (rest < problem.duty.min_rest_min * MINUTE_US)
    return np.asarray(busy | too_long | too_soon, dtype=np.bool_)


def _sets(
    able: Sequence[Flags], members: Sequence[Sequence[int]], rows: int
) -> tuple[Ints, tuple[frozenset[int], ...]]:
    """For each row the index of its set of able ones, and these sets."""
    if not able:
        return np.zeros(rows, dtype=np.int64), (frozenset(),)
    packed = np.ascontiguousarray(np.packbits(np.array(able).T, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, firsts, inverse = np.unique(keys, return_index=True, return_inverse=True)
    sets = tuple(
        frozenset(
            member
            for flags, ids in zip(able, members, strict=True)
            if flags[first]
            for member in ids
        )
        for first in firsts
    )
    return inverse.astype(np.int64), sets or (frozenset(),)


def _count_losses(found: Choices, start_us: Ints) -> None:
    """Fills in what of the published plan each choice cannot keep."""
    for index, job in enumerate(found.problem.jobs):
        before = job.published
        if before is None:
            continue
        first, past = np.searchsorted(found.job, (index, index + 1))
        for choice in range(first, past):
            found.loss[choice] = (
                int(start_us[choice] != microseconds(before.start_at))
                + int(before.drone_id not in found.able_drones(choice))
                + len(set(before.pilot_ids) - found.able_pilots(choice))
            )
