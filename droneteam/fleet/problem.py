"""The allocation problem and its answer, as frozen values; no solver and no database.

Whatever depends on the clock, the agreement or the rows has been settled by the time a
``Problem`` exists: its slots are the only start times, its claims the only fair shares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from droneteam.errors import InputError
from droneteam.fleet.assets.registry import Credential, DutyRules
from droneteam.fleet.terms import PRIORITIES, Reason, Window, check_aware, check_priority
from droneteam.geo import check_lat_lon, great_circle_distance_m

Status = Literal["optimal", "feasible"]


@dataclass(frozen=True, slots=True)
class Place:
    """A base or a scene on the map."""

    lat_deg: float
    lon_deg: float

    def __post_init__(self) -> None:
        check_lat_lon(self.lat_deg, self.lon_deg)


@dataclass(frozen=True, slots=True)
class SpeedTable:
    """Driving time from the great-circle distance.

    bands : (up to km, km/h) by rising distance; the last band holds beyond it
    detour : road length over great-circle distance
    emergency_factor : how much faster a crew drives with priority
    """

    bands: tuple[tuple[float, float], ...] = ((3.0, 20.0), (8.0, 26.0), (20.0, 38.0))
    detour: float = 1.3
    emergency_factor: float = 1.4

    def __post_init__(self) -> None:
        limits = [up_to for up_to, _ in self.bands]
        if not self.bands or limits != sorted(set(limits)) or limits[0] <= 0.0:
            raise InputError("the bands' distances must rise from above 0 km", field="bands")
        for name, values, low, high in (
            ("bands", [kmh for _, kmh in self.bands], 1.0, 200.0),
            ("detour", [self.detour], 1.0, 5.0),
            ("emergency_factor", [self.emergency_factor], 1.0, 3.0),
        ):
            wrong = [value for value in values if not low <= value <= high]  # also NaN
            if wrong:
                raise InputError(f"{name}: {wrong[0]} outside [{low:g}, {high:g}]", field=name)

    def minutes(self, start: Place, end: Place, *, emergency: bool = False) -> int:
        """Whole minutes on the road, rounded up."""
        road_km = (
            self.detour
            * 1e-3
            * great_circle_distance_m(start.lat_deg, start.lon_deg, end.lat_deg, end.lon_deg)
        )
        speed_kmh = next((kmh for up_to, kmh in self.bands if road_km <= up_to), self.bands[-1][1])
        if emergency:
            speed_kmh *= self.emergency_factor
        return -int(-60.0 * road_km // speed_kmh)


@dataclass(frozen=True, slots=True)
class PackType:
    """A kind of battery pack; a flight takes per_flight of them."""

    name: str
    endurance_min: int
    charge_min: int
    per_flight: int = 1

    def needed(self, duration_min: int) -> int:
        """Packs that keep a drone flying this long, with charging on the scene.

        While one set flies, those flown before charge; beyond the sets of one full charge the
        first is ready again.
        """
        flights = -(-duration_min // self.endurance_min)
        rotating = 1 + -(-self.charge_min // self.endurance_min)
        return self.per_flight * min(flights, rotating)


@dataclass(frozen=True, slots=True)
class Pack:
    """A serviceable battery pack and the time at which it is charged again."""

    id: int
    type: str
    charged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The weather expected in a stretch of time: the strongest gust and the hardest rain."""

    window: Window
    gust_mps: float
    rain_mm_h: float

    def __post_init__(self) -> None:
        for name, value in (("gust_mps", self.gust_mps), ("rain_mm_h", self.rain_mm_h)):
            if not 0.0 <= value < math.inf:  # also rejects NaN
                raise InputError(f"{name} {value} is not 0 or more", field=name)


@dataclass(frozen=True, slots=True)
class Drone:
    """A drone; busy holds its planned maintenance and started sorties, blocks what grounds it.

    max_gust_mps, max_rain_mm_h : the weather that it may still fly in; None means any
    """

    id: int
    name: str
    capabilities: frozenset[str]
    pack_type: str
    base: Place
    busy: tuple[Window, ...] = ()
    blocks: tuple[Reason, ...] = ()
    max_gust_mps: float | None = None
    max_rain_mm_h: float | None = None


@dataclass(frozen=True, slots=True)
class Pilot:
    """A pilot.

    absences : no work at all; worked : duties done or going on, which count for rest;
    blocks : what keeps the pilot from any flight
    """

    id: int
    name: str
    credentials: tuple[Credential, ...]
    absences: tuple[Window, ...] = ()
    worked: tuple[Window, ...] = ()
    blocks: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Slot:
    """A time at which the task may be done; prep_min is how long the crew needs before it goes."""

    start_at: datetime
    end_at: datetime
    prep_min: int

    def __post_init__(self) -> None:
        Window(self.start_at, self.end_at)
        if self.prep_min < 0:
            raise InputError(f"prep_min {self.prep_min} is below 0", field="prep_min")


@dataclass(frozen=True, slots=True)
class Placement:
    """What the published plan gives a request: drone, pilots and start."""

    drone_id: int
    pilot_ids: tuple[int, ...]
    start_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """A request as the allocator sees it.

    due_at : the crew's arrival counts as late after it; None never does
    setup_min : how long before the slot starts the crew arrives
    wanted_at : the start that the requester asked for
    daylight_only : the task is of no use, or not allowed, outside the problem's daylight
    cleared_from, cleared_until : the airspace is not approved before and after them; None where
    no approval is needed
    blocks : reasons, settled before, for which no slot exists
    """

    request_id: int
    organisation_id: int
    priority: str
    place: Place
    slots: tuple[Slot, ...]
    wanted_at: datetime
    capabilities: frozenset[str] = frozenset()
    credentials: frozenset[str] = frozenset()
    crew: int = 1
    setup_min: int = 0
    due_at: datetime | None = None
    emergency: bool = False
    exempt: bool = False
    published: Placement | None = None
    blocks: tuple[Reason, ...] = ()
    daylight_only: bool = False
    cleared_from: datetime | None = None
    cleared_until: datetime | None = None

    def __post_init__(self) -> None:
        for name in ("cleared_from", "cleared_until"):
            at = getattr(self, name)
            if at is not None:
                check_aware(at, name)
        check_priority(self.priority)
        if self.crew < 1:
            raise InputError(f"crew {self.crew} is below 1", field="crew")
        if self.setup_min < 0:
            raise InputError(f"setup_min {self.setup_min} is below 0", field="setup_min")

    @property
    def demand_min(self) -> int:
        """Crew-minutes that the zone asks for."""
        longest = max(
            (Window(slot.start_at, slot.end_at).minutes for slot in self.slots), default=0
        )
        return self.crew * longest


@dataclass(frozen=True, slots=True)
class Claim:
    """What an organisation may still claim, in crew-minutes, and its share's weight."""

    organisation_id: int
    weight: int
    remaining_min: int

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise InputError(f"weight {self.weight} is not above 0", field="weight")


DEFAULT_DUTY = DutyRules()
DEFAULT_SPEED = SpeedTable()


@dataclass(frozen=True, slots=True)
class Problem:
    """Everything that the allocator may know.

    forecasts : the expected weather; hours without one forbid nothing
    daylight : from sunrise to sunset of each day, for the jobs that need it
    """

    now: datetime
    drones: tuple[Drone, ...]
    pilots: tuple[Pilot, ...]
    packs: tuple[Pack, ...]
    pack_types: tuple[PackType, ...]
    jobs: tuple[Job, ...]
    claims: tuple[Claim, ...] = ()
    speed: SpeedTable = DEFAULT_SPEED
    duty: DutyRules = DEFAULT_DUTY
    turnaround_min: int = 20
    forecasts: tuple[Forecast, ...] = ()
    daylight: tuple[Window, ...] = ()

    def __post_init__(self) -> None:
        check_aware(self.now, "now")
        for name, ids in (
            ("drone", [drone.id for drone in self.drones]),
            ("pilot", [pilot.id for pilot in self.pilots]),
            ("pack", [pack.id for pack in self.packs]),
            ("request", [job.request_id for job in self.jobs]),
        ):
            if len(set(ids)) != len(ids):
                raise InputError(f"a {name} id stands twice in the problem", field=name)
        known = {pack_type.name for pack_type in self.pack_types}
        for drone in self.drones:
            if drone.pack_type not in known:
                raise InputError(f"{drone.name} takes the unknown pack {drone.pack_type}")

    def pack_type(self, name: str) -> PackType:
        """The kind of pack with this name."""
        return next(kind for kind in self.pack_types if kind.name == name)

    def job(self, request_id: int) -> Job | None:
        """The request's job, or None."""
        return next((job for job in self.jobs if job.request_id == request_id), None)


def packs_needed(job: Job, kind: PackType) -> int:
    """Packs that the job's longest slot takes; each visit carries that many."""
    longest = max(job.slots, key=lambda slot: slot.end_at - slot.start_at)
    return kind.needed(Window(longest.start_at, longest.end_at).minutes)


@dataclass(frozen=True, slots=True)
class Visit:
    """One slot seen from one base: when the crew is taken, arrives, works and is free again."""

    taken_at: datetime
    depart_at: datetime
    arrive_at: datetime
    start_at: datetime
    end_at: datetime
    free_at: datetime
    travel_min: int
    late_min: int

    @property
    def occupied(self) -> Window:
        """The time in which drone and pilots can do nothing else."""
        return Window(self.taken_at, self.free_at)

    def overlaps(self, other: Visit, *, spare: timedelta = timedelta()) -> bool:
        """True where the two occupations share a moment, or lie closer than the spare time."""
        return self.taken_at < other.free_at + spare and other.taken_at < self.free_at + spare


def visit(problem: Problem, job: Job, slot: Slot, base: Place) -> Visit:
    """The slot's visit from the base; every sortie starts and ends there."""
    travel_min = problem.speed.minutes(base, job.place, emergency=job.emergency)
    home_min = problem.speed.minutes(job.place, base)
    arrive_at = slot.start_at - timedelta(minutes=job.setup_min)
    depart_at = arrive_at - timedelta(minutes=travel_min)
    late = timedelta() if job.due_at is None else max(timedelta(), arrive_at - job.due_at)
    return Visit(
        taken_at=depart_at - timedelta(minutes=slot.prep_min),
        depart_at=depart_at,
        arrive_at=arrive_at,
        start_at=slot.start_at,
        end_at=slot.end_at,
        free_at=slot.end_at + timedelta(minutes=home_min + problem.turnaround_min),
        travel_min=travel_min + home_min,
        late_min=-(-late // timedelta(minutes=1)),
    )


@dataclass(frozen=True, slots=True)
class Assigned:
    """What one request gets."""

    request_id: int
    drone_id: int
    pilot_ids: tuple[int, ...]
    pack_ids: tuple[int, ...]
    visit: Visit


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the objective: its value in the plan and the proven lower bound."""

    name: str
    value: int
    bound: int


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer: who gets what, how good it is and how good it could be at most.

    status : optimal when every term's value is proven, feasible when time ran out before
    """

    status: Status
    terms: tuple[Term, ...]
    assignments: tuple[Assigned, ...]
    unserved: tuple[int, ...]
    seed: int

    @property
    def gap(self) -> float:
        """Relative gap of the first term that is not proven; 0 for an optimal plan."""
        for term in self.terms:
            if term.value > term.bound:
                return (term.value - term.bound) / term.value
        return 0.0

    def assignment(self, request_id: int) -> Assigned | None:
        """What the request gets, or None."""
        return next((a for a in self.assignments if a.request_id == request_id), None)


TERM_NAMES = (
    *(f"{what}_{priority}" for priority in PRIORITIES for what in ("unserved", "late_min")),
    "worst_shortfall",
    "changes",
    "moved_min",
    "travel_min",
    "busiest_pilot",
)
"""The objective's terms in lexicographic order; all are minimised.

worst_shortfall : over the zones, crew-minutes claimed and not served, per weight, in thousandths
changes : drones, pilots and starts that differ from the published plan
moved_min : minutes between the wanted starts and those given
busiest_pilot : sorties of the pilot who has most
"""
SHORTFALL_SCALE = 1000
