"""Named drones and packs as columns and conditions of the master, for days on which they bind.

On most days it suffices to count drones.  Where the counted ones could not be named, each visit of
the day gets a column for each drone that could make it: one of them does, no drone is in two places
at once, and no more packs of a type are out or charging than there are.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Ints, microseconds
from droneteam.fleet.allocation.master import Line, Master
from droneteam.fleet.allocation.relaxation import moments
from droneteam.fleet.problem import PackType, packs_needed


def name_in(master: Master, visits: Ints) -> None:
    """Makes the master name the drones of these visits."""
    shifts = master.shifts
    made: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for visit in visits.tolist():
        able = sorted(shifts.choices.able_drones(int(shifts.members[visit])))
        columns = {drone: master.extra() for drone in able}
        for drone, number in columns.items():
            made[drone][visit] = number
        weights = np.zeros(len(shifts.members))
        weights[visit] = -1.0
        line = Line(weights, dict.fromkeys(columns.values(), 1.0), least=0.0, most=0.0)
        master.condition(line)
    for drone in sorted(made):
        _one_at_a_time(master, made[drone])
    for kind in shifts.choices.problem.pack_types:
        _charged(master, kind, made)


def _one_at_a_time(master: Master, made: dict[int, int]) -> None:
    times = master.shifts.times
    visits = np.array(sorted(made), dtype=np.int64)
    taken, free = times.taken_us[visits], times.free_us[visits]
    for moment in moments(taken, free):
        out = visits[(taken <= moment) & (moment < free)].tolist()
        if len(out) > 1:
            extras = {made[visit]: 1.0 for visit in out}
            master.condition(Line(np.zeros(len(master.shifts.members)), extras, most=1.0))


def _charged(master: Master, kind: PackType, made: dict[int, dict[int, int]]) -> None:
    """Packs of the kind that are out, or charging, at each moment that matters."""
    shifts = master.shifts
    problem = shifts.choices.problem
    flying = [drone.id for drone in problem.drones if drone.pack_type == kind.name]
    cells = [(visit, number) for drone in flying for visit, number in made.get(drone, {}).items()]
    if not cells:
        return
    visits = np.array([visit for visit, _ in cells])
    numbers = [number for _, number in cells]
    taken = shifts.times.taken_us[visits]
    ready = shifts.times.free_us[visits] + kind.charge_min * MINUTE_US
    jobs = [problem.jobs[int(shifts.jobs[shifts.job[visit]])] for visit, _ in cells]
    needed = [float(packs_needed(job, kind)) for job in jobs]
    owned = [pack for pack in problem.packs if pack.type == kind.name]
    for moment in moments(taken, ready):
        out = np.flatnonzero((taken <= moment) & (moment < ready)).tolist()
        empty = sum(
            pack.charged_at is not None and microseconds(pack.charged_at) > moment for pack in owned
        )
        extras = {numbers[cell]: needed[cell] for cell in out}
        if sum(extras.values()) > len(owned) - empty:
            none = np.zeros(len(shifts.members))
            master.condition(Line(none, extras, most=float(len(owned) - empty)))
