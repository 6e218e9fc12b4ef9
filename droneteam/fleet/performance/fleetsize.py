"""What a fleet of another size would have done with a year's requests (pure).

The dispatcher's rule, the same for every size, so that sizes can be compared:

1. Requests are taken in the order in which they came; nothing of the future is known.
2. A request gets the able drone and the crew that can be on the scene earliest; among equals the
   drone that flew least so far, then the lowest number.  A crew works within its duty and rest.
3. Where none can come in time, a request may take the place of one of a class that the agreement
   lets it displace and whose crew has not left yet: the least urgent, then the latest.  What was
   displaced is dispatched again at that moment, and displaces nobody itself.
4. What still finds no place within its window is missed.

It is simpler than the allocator, which plans days ahead: figures are lower bounds of what the
fleet can do, and their differences between sizes are what the simulation is for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from droneteam.errors import InputError
from droneteam.fleet.agreement.sla import Sla
from droneteam.fleet.assets.registry import DutyRules
from droneteam.fleet.performance.statistics import (
    Percentile,
    Share,
    jain_index,
    percentile,
    utilisation,
)
from droneteam.fleet.problem import DEFAULT_SPEED, Place, SpeedTable
from droneteam.fleet.requirements import Requirement
from droneteam.fleet.terms import PRIORITIES, Window

TURNAROUND = timedelta(minutes=20)
"""Unloading, changing packs and the log, before the next call can be answered."""
REST_MEMORY = timedelta(hours=48)
"""Work that ended longer ago than the longest duty and its rest binds nobody."""
MAX_DRONES = 100


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came in."""

    request_id: int
    organisation_id: int
    priority: str
    submitted_at: datetime
    window: Window
    place: Place
    needs: Requirement


@dataclass(frozen=True, slots=True)
class Airframe:
    """A drone of the simulated fleet."""

    name: str
    capabilities: frozenset[str]
    base: Place


@dataclass(frozen=True, slots=True)
class SizeOutcome:
    """What one fleet did.

    answered : calls that got a drone; on_time : of these, at the scene within the agreement
    waits_min : P50, P90, P95 from the call to the scene of the reactive classes
    """

    drones: int
    crews: int
    answered: Share
    answered_by_class: Mapping[str, Share]
    on_time: Share
    waits_min: tuple[Percentile, ...]
    displaced: int
    utilisation: float
    jain: float


@dataclass(slots=True)
class _Unit:
    """A drone or a pilot; busy is what may still bind, past what no longer does."""

    number: int
    busy: list[Window] = field(default_factory=list)
    past: list[Window] = field(default_factory=list)
    used_min: int = 0

    def forget(self, before: datetime) -> None:
        """Puts away what ended before the instant."""
        if self.busy and min(window.end_at for window in self.busy) < before:
            self.past += [window for window in self.busy if window.end_at < before]
            self.busy = [window for window in self.busy if window.end_at >= before]


@dataclass(frozen=True, slots=True)
class _Trip:
    """A dispatched call: taken from the call-out to being ready again."""

    call: Call
    drone: int
    crew: tuple[int, ...]
    taken: Window
    depart_at: datetime
    arrive_at: datetime


def fleet_of(size: int, mix: Sequence[Airframe]) -> tuple[Airframe, ...]:
    """A fleet of that size: the mix from its beginning, over again where it is longer.

    Raises
    ------
    InputError
        The size is outside its range, or there is no drone to copy.
    """
    if not mix or not 1 <= size <= MAX_DRONES:
        raise InputError(f"{size} drones; 1 to {MAX_DRONES} can be simulated", field="drones")
    return tuple(mix[number % len(mix)] for number in range(size))


def replay(
    calls: Sequence[Call],
    fleet: Sequence[Airframe],
    crews: int,
    sla: Sla,
    *,
    speed: SpeedTable = DEFAULT_SPEED,
) -> SizeOutcome:
    """What the fleet would have done with the calls.

    crews : how many pilots there are; they belong to no drone
    """
    run = _Run(tuple(fleet), crews, sla, speed)
    for call in sorted(calls, key=lambda call: (call.submitted_at, call.request_id)):
        run.take(call)
    return run.outcome(calls)


class _Run:
    """One replay: the fleet's state as the year goes on."""

    def __init__(
        self, fleet: tuple[Airframe, ...], crews: int, sla: Sla, speed: SpeedTable
    ) -> None:
        self._fleet, self._sla, self._speed = fleet, sla, speed
        self._drones = [_Unit(number) for number in range(len(fleet))]
        self._crews = [_Unit(number) for number in range(crews)]
        self._duty = DutyRules()
        self._trips: dict[int, _Trip] = {}
        self._open: dict[int, _Trip] = {}
        self._displaced = 0

    def take(self, call: Call) -> None:
        """Dispatch a call, displacing one that may wait where nothing is free."""
        now = call.submitted_at
        self._forget(now)
        if self._dispatch(call, now):
            return
        for victim in self._displaceable(call, now):
            self._remove(victim)
            if self._dispatch(call, now):
                self._displaced += 1
                self._dispatch(victim.call, now)
                return
            self._add(victim)

    def _forget(self, now: datetime) -> None:
        for unit in (*self._drones, *self._crews):
            unit.forget(now - REST_MEMORY)
        self._open = {number: trip for number, trip in self._open.items() if trip.depart_at > now}

    def _displaceable(self, call: Call, now: datetime) -> list[_Trip]:
        allowed = self._sla.classes[call.priority].displaces
        found = [
            trip
            for trip in self._open.values()
            if trip.call.priority in allowed
            and trip.depart_at > now
            and trip.taken.start_at < call.window.end_at
            and trip.taken.end_at > max(now, call.window.start_at - timedelta(hours=3))
        ]
        return sorted(
            found, key=lambda trip: (trip.call.priority, trip.taken.start_at), reverse=True
        )

    def _dispatch(self, call: Call, now: datetime) -> bool:
        best: tuple[datetime, int, int] | None = None
        chosen: _Trip | None = None
        for unit in self._drones:
            if not call.needs.capabilities <= self._fleet[unit.number].capabilities:
                continue
            trip = self._trip(call, unit, now)
            if trip is None:
                continue
            rank = (trip.arrive_at, unit.used_min, unit.number)
            if best is None or rank < best:
                best, chosen = rank, trip
        if chosen is not None:
            self._add(chosen)
        return chosen is not None

    def _trip(self, call: Call, unit: _Unit, now: datetime) -> _Trip | None:
        """The drone's earliest trip to the call within its window, with a crew; or None."""
        rules = self._sla.classes[call.priority]
        base = self._fleet[unit.number].base
        travel = timedelta(minutes=self._speed.minutes(base, call.place, emergency=rules.emergency))
        setup = timedelta(minutes=rules.setup_min)
        for begin in self._begins(call, unit, now, travel + setup):
            prep = timedelta(minutes=self._sla.hours.prep_min(begin))
            end = self._end(call, begin)
            if end is None or end > call.window.end_at:
                return None
            depart = begin - travel - setup
            taken = Window(depart - prep, end + travel + TURNAROUND)
            if taken.start_at < now or any(taken.overlaps(other) for other in unit.busy):
                continue
            crew = self._crew(taken, max(call.needs.crew, rules.crew))
            if crew:
                return _Trip(call, unit.number, crew, taken, depart, begin - setup)
        return None

    def _begins(self, call: Call, unit: _Unit, now: datetime, way: timedelta) -> list[datetime]:
        """The starts worth trying: the wanted one, and each moment at which something frees."""
        prep = timedelta(minutes=self._sla.hours.prep_min(now))
        first = max(call.window.start_at, now + prep + way)
        if not self._movable(call):
            return [call.window.start_at] if first == call.window.start_at else []
        margin = timedelta(minutes=max(0, self._sla.hours.on_call_prep_min)) + way
        frees = [
            window.end_at + margin
            for member in (unit, *self._crews)
            for window in member.busy
            if first < window.end_at + margin < call.window.end_at
        ]
        return sorted({first, *frees})

    def _movable(self, call: Call) -> bool:
        """Whether the call may begin later than it wished."""
        return call.needs.task_min is not None or self._sla.classes[call.priority].reactive

    def _end(self, call: Call, begin: datetime) -> datetime | None:
        if call.needs.task_min is not None:
            return begin + timedelta(minutes=call.needs.task_min)
        least = timedelta(minutes=call.needs.least_min)
        return call.window.end_at if call.window.end_at - begin >= least else None

    def _crew(self, taken: Window, size: int) -> tuple[int, ...]:
        """The free pilots who worked least; empty where there are too few."""
        free = [
            unit
            for unit in self._crews
            if all(self._duty.conflict(taken, other) is None for other in unit.busy)
        ]
        if len(free) < size:
            return ()
        free.sort(key=lambda unit: (unit.used_min, unit.number))
        return tuple(unit.number for unit in free[:size])

    def _units(self, trip: _Trip) -> list[_Unit]:
        return [self._drones[trip.drone], *(self._crews[number] for number in trip.crew)]

    def _add(self, trip: _Trip) -> None:
        for unit in self._units(trip):
            unit.busy.append(trip.taken)
            unit.used_min += trip.taken.minutes
        self._trips[trip.call.request_id] = self._open[trip.call.request_id] = trip

    def _remove(self, trip: _Trip) -> None:
        for unit in self._units(trip):
            unit.busy.remove(trip.taken)
            unit.used_min -= trip.taken.minutes
        del self._trips[trip.call.request_id], self._open[trip.call.request_id]

    def outcome(self, calls: Sequence[Call]) -> SizeOutcome:
        """The year's figures."""
        done = self._trips
        by_class = {
            priority: Share(
                sum(call.request_id in done for call in calls if call.priority == priority),
                sum(call.priority == priority for call in calls),
            )
            for priority in PRIORITIES
        }
        on_time = sum(trip.arrive_at <= self._due_at(trip.call) for trip in done.values())
        waits = [
            (trip.arrive_at - trip.call.submitted_at) / timedelta(minutes=1)
            for trip in done.values()
            if self._sla.classes[trip.call.priority].reactive
        ]
        return SizeOutcome(
            drones=len(self._fleet),
            crews=len(self._crews),
            answered=Share(len(done), len(calls)),
            answered_by_class=by_class,
            on_time=Share(on_time, len(done)),
            waits_min=tuple(percentile(waits, fraction) for fraction in (0.5, 0.9, 0.95)),
            displaced=self._displaced,
            utilisation=self._busy_share(calls),
            jain=self._fairness(calls),
        )

    def _due_at(self, call: Call) -> datetime:
        target = self._sla.classes[call.priority].on_scene
        due = target.due_at(call.submitted_at, call.window.start_at, self._sla.hours)
        return max(due, call.window.end_at) if self._flexible(call) else due

    def _flexible(self, call: Call) -> bool:
        """Whether anywhere in the window is in time."""
        return call.needs.task_min is not None and not self._sla.classes[call.priority].reactive

    def _busy_share(self, calls: Sequence[Call]) -> float:
        if not calls:
            return 0.0
        start = min(call.submitted_at for call in calls)
        end = max(call.window.end_at for call in calls)
        shares = [
            utilisation([(w.start_at, w.end_at) for w in (*unit.past, *unit.busy)], start, end)
            for unit in self._drones
        ]
        return sum(shares) / len(shares)

    def _fairness(self, calls: Sequence[Call]) -> float:
        shares = []
        for zone in sorted({call.organisation_id for call in calls}):
            own = [call.request_id for call in calls if call.organisation_id == zone]
            shares.append(sum(number in self._trips for number in own) / len(own))
        return jain_index(shares)
