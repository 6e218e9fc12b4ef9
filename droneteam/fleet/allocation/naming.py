"""Who flies the visits of a roster: drones with packs, and pilots, by name.

Shifts of one kind of pilot never outnumber the pilots, so that names are always found; the least
loaded comes first.  Drones are given in order of departure, visit by visit; where that leaves one
without, CP-SAT decides the visits that touch each other, and says which of them cannot all fly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from droneteam.fleet.allocation.choices import MINUTE_US, Choices, microseconds
from droneteam.fleet.allocation.realise import drones_for
from droneteam.fleet.allocation.shifts import Shift, Shifts
from droneteam.fleet.problem import PackType, packs_needed

_EVEN_TIME = 2.0
"""Of the solver's own clock, which does not depend on the machine, to share the shifts evenly."""


@dataclass(frozen=True, slots=True)
class Drones:
    """Which drone makes each choice; or groups that cannot all be made, whatever else is."""

    of: dict[int, int]
    impossible: tuple[tuple[int, ...], ...] = ()


def name_drones(choices: Choices, chosen: Sequence[int]) -> Drones:
    """A drone with charged packs for each of the chosen visits, or what stands in the way."""
    named: dict[int, int] = {}
    impossible: list[tuple[int, ...]] = []
    for group in _touching(choices, chosen):
        quick = drones_for(choices, group)
        found = quick if len(quick) == len(group) else _solved(choices, group)
        if found is None:
            impossible.append(tuple(group))
        else:
            named.update(found)
    return Drones(named, tuple(impossible))


def _touching(choices: Choices, chosen: Sequence[int]) -> list[list[int]]:
    """The choices in groups that no drone and no pack, charging included, has in common."""
    charge_us = max(kind.charge_min for kind in choices.problem.pack_types) * MINUTE_US
    groups: list[list[int]] = []
    until_us = 0
    for choice in sorted(chosen, key=lambda one: (int(choices.taken_us[one]), one)):
        if not groups or int(choices.taken_us[choice]) >= until_us:
            groups.append([])
        groups[-1].append(int(choice))
        until_us = max(until_us, int(choices.free_us[choice]) + charge_us)
    return groups


def core(choices: Choices, group: Sequence[int]) -> tuple[int, ...]:
    """Visits of the group that cannot all be flown, while without any one of them they can."""
    kept = list(group)
    for choice in group:
        rest = [one for one in kept if one != choice]
        if rest and _solved(choices, rest) is None:
            kept = rest
    return tuple(kept)


def _solved(choices: Choices, group: Sequence[int]) -> dict[int, int] | None:
    """A drone for each of the visits by an exact search; None where there is no way."""
    from ortools.sat.python import cp_model  # slow to load

    cp: Any = cp_model.CpModel()
    own: dict[int, list[tuple[int, Any]]] = {}
    flights: dict[int, list[Any]] = {}
    for choice in group:
        start, end = int(choices.taken_us[choice]), int(choices.free_us[choice])
        own[choice] = [
            (drone, cp.new_bool_var("")) for drone in sorted(choices.able_drones(choice))
        ]
        cp.add_exactly_one([literal for _, literal in own[choice]])
        for drone, literal in own[choice]:
            flight = cp.new_optional_fixed_size_interval_var(start, end - start, literal, "")
            flights.setdefault(drone, []).append(flight)
    for together in flights.values():
        cp.add_no_overlap(together)
    for kind in choices.problem.pack_types:
        _charge(cp, choices, kind, own)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return {
        choice: next(drone for drone, literal in pairs if solver.boolean_value(literal))
        for choice, pairs in own.items()
    }


def _charge(
    cp: Any, choices: Choices, kind: PackType, own: dict[int, list[tuple[int, Any]]]
) -> None:
    """At no moment are more packs of the kind out, or charging, than there are."""
    problem = choices.problem
    flying = {drone.id for drone in problem.drones if drone.pack_type == kind.name}
    charge_us, now_us = kind.charge_min * MINUTE_US, microseconds(problem.now)
    packs = [pack for pack in problem.packs if pack.type == kind.name]
    spans, demands = [], []
    for pack in packs:
        ready_us = now_us if pack.charged_at is None else microseconds(pack.charged_at)
        if ready_us > now_us:
            spans.append(cp.new_fixed_size_interval_var(now_us, ready_us - now_us, ""))
            demands.append(1)
    for choice, pairs in own.items():
        start, end = int(choices.taken_us[choice]), int(choices.free_us[choice])
        needed = packs_needed(problem.jobs[int(choices.job[choice])], kind)
        for drone, literal in pairs:
            if drone in flying:
                size = end - start + charge_us
                spans.append(cp.new_optional_fixed_size_interval_var(start, size, literal, ""))
                demands.append(needed)
    if sum(demands) > len(packs):
        cp.add_cumulative(spans, demands, len(packs))


def name_pilots(shifts: Shifts, taken: Sequence[Shift]) -> dict[int, tuple[int, ...]]:
    """By choice: the pilots who make it, the least loaded first, in order of departure."""
    rested = [dict.fromkeys(sorted(kind), 0) for kind in shifts.kinds]
    load = dict.fromkeys(sorted(frozenset[int]().union(*shifts.kinds)), 0)
    crews: dict[int, tuple[int, ...]] = {}
    order = sorted(taken, key=lambda shift: (shift.leaves, -len(shift.visits), shift.visits))
    for shift in order:
        free = [pilot for pilot, node in rested[shift.kind].items() if node <= shift.leaves]
        pilot = min(free, key=lambda one: (load[one], one))
        rested[shift.kind][pilot] = shift.back
        load[pilot] += len(shift.visits)
        for visit in shift.visits:
            choice = int(shifts.members[visit])
            crews[choice] = tuple(sorted((*crews.get(choice, ()), pilot)))
    return crews


def _able(shifts: Shifts, shift: Shift) -> list[int]:
    """The pilots, of whatever kind, to whom all visits of the shift are open."""
    able = shifts.able[:, list(shift.visits)].all(axis=1)
    return sorted(pilot for kind in np.flatnonzero(able).tolist() for pilot in shifts.kinds[kind])


def name_evenly(
    shifts: Shifts, taken: Sequence[Shift], most: int
) -> dict[int, tuple[int, ...]] | None:
    """By choice: pilots of whom none has more sorties than that; None where no way is found."""
    from ortools.sat.python import cp_model  # slow to load

    cp: Any = cp_model.CpModel()
    away: dict[int, list[Any]] = {}
    given: list[tuple[Shift, dict[int, Any]]] = []
    for shift in taken:
        literals = {pilot: cp.new_bool_var("") for pilot in _able(shifts, shift)}
        cp.add_exactly_one(literals.values())
        for pilot, literal in literals.items():
            span = cp.new_optional_fixed_size_interval_var(
                shift.leaves, shift.back - shift.leaves, literal, ""
            )
            away.setdefault(pilot, []).append(span)
        given.append((shift, literals))
    for pilot, spans in away.items():
        cp.add_no_overlap(spans)
        own = [(shift, literals[pilot]) for shift, literals in given if pilot in literals]
        cp.add(sum(len(shift.visits) * literal for shift, literal in own) <= most)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = _EVEN_TIME
    if solver.solve(cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    crews: dict[int, tuple[int, ...]] = {}
    for shift, literals in given:
        pilot = next(one for one, literal in literals.items() if solver.boolean_value(literal))
        for visit in shift.visits:
            choice = int(shifts.members[visit])
            crews[choice] = tuple(sorted((*crews.get(choice, ()), pilot)))
    return crews


def most_sorties(crews: dict[int, tuple[int, ...]]) -> int:
    """Sorties of the pilot who has most."""
    pilots = np.array([pilot for crew in crews.values() for pilot in crew], dtype=np.int64)
    return int(np.unique(pilots, return_counts=True)[1].max(initial=0))
