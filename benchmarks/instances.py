"""Allocation problems made from a seed: the team's fleet in busy weeks, or random small ones."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from droneteam.fleet.allocation.candidates import flexible_slots, shrinking_slots
from droneteam.fleet.allocation.solving import solve
from droneteam.fleet.assets.registry import Credential
from droneteam.fleet.problem import (
    Claim,
    Drone,
    Forecast,
    Job,
    Pack,
    PackType,
    Pilot,
    Place,
    Placement,
    Plan,
    Problem,
    Slot,
)
from droneteam.fleet.terms import PRIORITIES, Window

NOW = datetime(2026, 5, 4, 4, 0, tzinfo=UTC)
BASES = (Place(50.8268, 4.3956), Place(50.8362, 4.3087))
PACK_TYPES = (
    PackType("TB65", 38, 60, per_flight=2),
    PackType("TB30", 30, 40, per_flight=2),
    PackType("Mavic 3", 32, 70),
    PackType("Mini 4", 24, 70),
)
MODELS = (
    (frozenset({"rgb", "thermal", "zoom", "sensitive"}), "TB65"),
    (frozenset({"rgb", "thermal", "zoom", "sensitive"}), "TB30"),
    (frozenset({"rgb", "zoom", "photogrammetry", "sensitive"}), "Mavic 3"),
    (frozenset({"rgb", "thermal", "zoom", "sensitive"}), "Mavic 3"),
    (frozenset({"rgb", "low_noise"}), "Mini 4"),
)
KINDS = ("event", "photogrammetry", "search", "reconnaissance")
PACKS_PER_TYPE = {"TB65": 12, "TB30": 12, "Mavic 3": 16, "Mini 4": 8}
YEARS = (date(2025, 1, 1), date(2029, 1, 1))


@dataclass(frozen=True, slots=True)
class Size:
    """How large an instance is."""

    requests: int
    days: int
    drones: int = 10
    pilots: int = 7


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked for: the weights of the kinds, and of the classes from P0 on.

    kinds : events, photogrammetries, searches and reconnaissances
    """

    kinds: tuple[int, int, int, int] = (55, 12, 13, 20)
    classes: tuple[int, int, int, int, int] = (2, 4, 14, 55, 25)


MIXED = Demand()
EVENTS = Demand((100, 0, 0, 0), (0, 0, 0, 70, 30))
"""A season of events: each has its own time and nobody may come earlier, later or for less."""


def instance(size: Size, seed: int, demand: Demand = MIXED) -> Problem:
    """The team's fleet, grown to the size, and requests spread over the days."""
    rng = random.Random(seed)
    return Problem(
        now=NOW,
        drones=tuple(_drone(index) for index in range(size.drones)),
        pilots=tuple(_pilot(index) for index in range(size.pilots)),
        packs=tuple(_packs(size.drones)),
        pack_types=PACK_TYPES,
        jobs=tuple(_job(rng, index + 1, size.days, demand) for index in range(size.requests)),
        claims=tuple(Claim(zone, 8 + 2 * zone, 6000) for zone in range(1, 7)),
    )


def _drone(index: int) -> Drone:
    able, pack_type = MODELS[index // 2 % len(MODELS)]
    return Drone(index + 1, f"drone-{index + 1:02d}", able, pack_type, BASES[index % 2])


def _pilot(index: int) -> Pilot:
    kinds = ["national"] + (["photogrammetry"] if index % 7 in (0, 1, 3, 5) else [])
    return Pilot(index + 1, f"pilot {index + 1}", tuple(Credential(k, *YEARS) for k in kinds))


def _packs(drones: int) -> list[Pack]:
    fleets = -(-drones // 10)
    kinds = [name for name, count in PACKS_PER_TYPE.items() for _ in range(count * fleets)]
    return [Pack(index + 1, kind) for index, kind in enumerate(kinds)]


def _job(rng: random.Random, number: int, days: int, demand: Demand = MIXED) -> Job:
    """Demonstrations and events keep their time; other tasks may move within their window."""
    start_at = NOW + timedelta(days=rng.randrange(days), minutes=120 + 15 * rng.randrange(52))
    priority = rng.choices(PRIORITIES, demand.classes)[0]
    kind = rng.choices(KINDS, demand.kinds)[0]
    reactive = priority in ("P0", "P1", "P2")
    needs = {
        "event": "zoom",
        "photogrammetry": "photogrammetry",
        "search": "thermal",
        "reconnaissance": "rgb",
    }[kind]
    credentials = {"national", "photogrammetry"} if kind == "photogrammetry" else {"national"}
    return Job(
        request_id=number,
        organisation_id=rng.choices(range(1, 7), (30, 16, 16, 12, 10, 16))[0],
        priority=priority,
        place=Place(rng.uniform(50.80, 50.90), rng.uniform(4.29, 4.44)),
        slots=_slots(rng, kind, start_at, reactive),
        wanted_at=start_at,
        capabilities=frozenset({needs}),
        credentials=frozenset(credentials),
        setup_min=30 if priority == "P3" else 0,
        due_at=start_at + timedelta(minutes=15) if reactive else None,
        emergency=priority in ("P0", "P1"),
        exempt=priority in ("P0", "P1"),
    )


def _slots(rng: random.Random, kind: str, start_at: datetime, reactive: bool) -> tuple[Slot, ...]:
    if kind in ("photogrammetry", "reconnaissance"):
        window = Window(start_at, start_at + timedelta(minutes=15 * rng.randint(6, 16)))
        return flexible_slots(window, 60 if kind == "photogrammetry" else 45, _prep_min)
    window = Window(start_at, start_at + timedelta(minutes=15 * rng.randint(6, 20)))
    if reactive:
        return shrinking_slots(window, 45, _prep_min)
    return (Slot(window.start_at, window.end_at, 10),)


def _prep_min(_: datetime) -> int:
    return 10


def replanned(size: Size, seed: int) -> Problem:
    """The instance after its plan was published and one urgent request came in."""
    problem = instance(size, seed)
    published = with_published(problem, solve(problem, seed=seed))
    rng = random.Random(seed + 1_000_000)
    number = len(problem.jobs) + 1
    urgent = replace(_job(rng, number, size.days), priority="P1", emergency=True, exempt=True)
    return replace(published, jobs=(*published.jobs, urgent))


def with_published(problem: Problem, plan: Plan) -> Problem:
    """The problem in which the plan has been published."""
    placed = {
        a.request_id: Placement(a.drone_id, a.pilot_ids, a.visit.start_at) for a in plan.assignments
    }
    return replace(
        problem,
        jobs=tuple(replace(job, published=placed.get(job.request_id)) for job in problem.jobs),
    )


def conditioned(problem: Problem, seed: int) -> Problem:
    """The problem with weather, daylight and airspace approvals that bind now and then."""
    rng = random.Random(seed + 2_000_000)
    hours = [problem.now + timedelta(hours=hour) for hour in range(0, 48, 3)]
    forecasts = tuple(
        Forecast(Window(at, at + timedelta(hours=3)), rng.uniform(2, 14), rng.choice((0, 0, 1, 5)))
        for at in hours
    )
    drones = tuple(
        replace(
            drone,
            max_gust_mps=rng.choice((None, 8.0, 12.0)),
            max_rain_mm_h=rng.choice((None, 0.0, 2.0)),
        )
        for drone in problem.drones
    )
    days = [problem.now + timedelta(days=day) for day in range(15)]
    daylight = tuple(Window(at, at + timedelta(hours=15)) for at in days)
    jobs = tuple(
        replace(
            job,
            daylight_only=rng.random() < 0.3,
            cleared_from=job.wanted_at + timedelta(minutes=30 * rng.randrange(-4, 4))
            if rng.random() < 0.2
            else None,
        )
        for job in problem.jobs
    )
    return replace(problem, drones=drones, jobs=jobs, forecasts=forecasts, daylight=daylight)


def small(seed: int, *, most_jobs: int = 4) -> Problem:
    """A random problem that a full enumeration can solve; nearly every rule binds sometimes."""
    rng = random.Random(seed)
    drones = tuple(_small_drone(rng, index) for index in range(1, rng.randint(1, 3) + 1))
    pilots = tuple(_small_pilot(rng, index) for index in range(1, rng.randint(1, 3) + 1))
    packs = tuple(
        Pack(
            index,
            rng.choice(("A", "B")),
            _maybe(rng, 0.2, NOW + timedelta(hours=rng.randint(1, 6))),
        )
        for index in range(1, rng.randint(2, 5) + 1)
    )
    jobs = tuple(
        _small_job(rng, index, drones, pilots) for index in range(1, rng.randint(1, most_jobs) + 1)
    )
    return Problem(
        now=NOW,
        drones=drones,
        pilots=pilots,
        packs=packs,
        pack_types=(PackType("A", 60, 45), PackType("B", 90, 60, per_flight=2)),
        jobs=jobs,
        claims=tuple(Claim(zone, rng.randint(1, 4), rng.randint(0, 300)) for zone in (1, 2)),
        turnaround_min=rng.choice((0, 20)),
    )


def _maybe(rng: random.Random, chance: float, value: datetime) -> datetime | None:
    return value if rng.random() < chance else None


def _window(rng: random.Random) -> Window:
    start_at = NOW + timedelta(minutes=30 * rng.randrange(60))
    return Window(start_at, start_at + timedelta(minutes=30 * rng.randint(1, 8)))


def _small_pack(rng: random.Random, number: int) -> Pack:
    charged_at = NOW + timedelta(hours=rng.randint(1, 6))
    return Pack(number, rng.choice(("A", "B")), _maybe(rng, 0.2, charged_at))


def _small_drone(rng: random.Random, number: int) -> Drone:
    able = frozenset(name for name in ("rgb", "thermal") if rng.random() < 0.75)
    busy = (_window(rng),) if rng.random() < 0.25 else ()
    return Drone(number, f"drone-{number}", able, rng.choice(("A", "B")), rng.choice(BASES), busy)


def _small_pilot(rng: random.Random, number: int) -> Pilot:
    until = rng.choice((date(2026, 5, 4), date(2027, 1, 1), date(2027, 1, 1)))
    held = (Credential("national", date(2026, 1, 1), until),) if rng.random() < 0.92 else ()
    worked = ()
    if rng.random() < 0.25:
        worked = (Window(NOW - timedelta(hours=6), NOW + timedelta(minutes=30)),)
    absences = (_window(rng),) if rng.random() < 0.2 else ()
    return Pilot(number, f"pilot {number}", held, absences, worked)


def _small_job(
    rng: random.Random, number: int, drones: tuple[Drone, ...], pilots: tuple[Pilot, ...]
) -> Job:
    first_at = NOW + timedelta(minutes=30 * rng.randrange(64))
    length = timedelta(minutes=30 * rng.randint(1, 8))
    starts = [first_at + timedelta(minutes=60 * step) for step in range(rng.randint(1, 3))]
    crew = 2 if rng.random() < 0.15 else 1
    priority = rng.choice(PRIORITIES)
    published = None
    if rng.random() < 0.4:
        ids = tuple(sorted(rng.sample([p.id for p in pilots], min(crew, len(pilots)))))
        published = Placement(rng.choice(drones).id, ids, rng.choice(starts))
    return Job(
        request_id=number,
        organisation_id=rng.choice((1, 2)),
        priority=priority,
        place=Place(rng.uniform(50.80, 50.90), rng.uniform(4.29, 4.44)),
        slots=tuple(Slot(at, at + length, rng.choice((0, 10))) for at in starts),
        wanted_at=first_at,
        capabilities=frozenset(rng.sample(("rgb", "thermal"), rng.randint(0, 1))),
        credentials=frozenset({"national"} if rng.random() < 0.6 else ()),
        crew=crew,
        setup_min=rng.choice((0, 0, 30)),
        due_at=_maybe(rng, 0.6, first_at + timedelta(minutes=rng.randint(-60, 60))),
        emergency=priority in ("P0", "P1"),
        exempt=priority in ("P0", "P1"),
        published=published,
    )
