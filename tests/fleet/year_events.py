"""A year of requests made from a seed: exactly so many missions, so many of them photogrammetries.

Everything else varies with the seed: who asks, when, how urgently, what comes between, how many
flights a mission takes.  The counts that a report must find are the generator's arguments.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.performance.journeys import Asked, Step
from droneteam.fleet.performance.yearly import Flown, year_bounds
from droneteam.fleet.terms import RequestKind
from droneteam.fleet.terms import RequestState as S

ZONES = (1, 2, 3, 4, 5, 6)
KINDS = [kind for kind in RequestKind if kind is not RequestKind.PHOTOGRAMMETRY]


@dataclass
class Year:
    """Events, what was asked, and flights."""

    steps: list[Step]
    asked: dict[int, Asked]
    flights: list[Flown]
    requests: int = 0
    sorties: int = 0


def year_events(seed: int, year: int, missions: int, photogrammetries: int) -> Year:
    """The year's events, and some of the years beside it that must not count."""
    rng = random.Random(seed)
    made = Year([], {}, [])
    kinds = [RequestKind.PHOTOGRAMMETRY] * photogrammetries
    kinds += rng.choices(KINDS, k=missions - photogrammetries)
    start, end = year_bounds(year)
    for kind in kinds:
        _request(rng, made, kind, _moment(rng, start, end), mission=True)
    for _ in range(rng.randrange(40, 90)):
        kind = rng.choice(list(RequestKind))
        _request(rng, made, kind, _moment(rng, start, end), mission=False)
    made.requests = len(made.asked)
    made.sorties = len({flight.sortie for flight in made.flights})
    for edge in (start - timedelta(days=rng.randrange(3, 300)), end + timedelta(days=3)):
        for _ in range(rng.randrange(5, 20)):
            _request(rng, made, RequestKind.PHOTOGRAMMETRY, edge, mission=True)
    rng.shuffle(made.steps)
    return made


def _moment(rng: random.Random, start: datetime, end: datetime) -> datetime:
    """A second of the year that leaves room for the mission before its end."""
    span = (end - start - timedelta(days=2)).total_seconds()
    return start + timedelta(seconds=rng.randrange(int(span)))


def _request(
    rng: random.Random, made: Year, kind: RequestKind, at: datetime, *, mission: bool
) -> None:
    number = len(made.asked) + 1
    priority = rng.choice(["P0", "P1", "P2", "P3", "P4"])
    start_at = at + timedelta(hours=rng.randrange(1, 12))
    end_at = start_at + timedelta(hours=rng.randrange(1, 5))
    zone = rng.choice(ZONES)
    made.asked[number] = Asked(zone, kind, priority, start_at, end_at)
    way: list[tuple[datetime, S, dict[str, Any]]] = [
        (at, S.SUBMITTED, {"kind": kind.value, "priority": priority, "organisation_id": zone})
    ]
    if rng.random() < 0.8:
        way.append((at + timedelta(seconds=rng.randrange(5, 3000)), S.ACKNOWLEDGED, {}))
    if mission:
        way += _mission(rng, made, number, start_at, end_at)
    else:
        state = rng.choice([S.REFUSED, S.CANCELLED, S.EXPIRED, S.WAITLISTED])
        way.append((end_at, state, {}))
    made.steps += [Step(number, when, state, facts) for when, state, facts in way]


def _mission(
    rng: random.Random, made: Year, number: int, start_at: datetime, end_at: datetime
) -> list[tuple[datetime, S, dict[str, Any]]]:
    begin = start_at + timedelta(minutes=rng.randrange(-20, 40))
    finish = end_at + timedelta(minutes=rng.randrange(-20, 40))
    facts = {
        "crew": rng.randrange(1, 3),
        "planned_start_at": start_at.isoformat(),
        "planned_end_at": end_at.isoformat(),
    }
    for sortie in range(rng.randrange(1, 3)):
        for flight in range(rng.randrange(1, 4)):
            up = begin + timedelta(minutes=12 * flight)
            drone = 1 + (number + sortie) % 10
            landed = up + timedelta(minutes=10)
            made.flights.append(Flown(f"{number}-{sortie}", drone, up, landed))
    way = [(start_at - timedelta(minutes=50), S.PLANNED, {})]
    if rng.random() < 0.2:
        way += [
            (start_at - timedelta(minutes=45), S.DISPLACED, {}),
            (start_at - timedelta(minutes=40), S.PLANNED, {}),
        ]
    last = S.FULFILLED if rng.random() < 0.9 else S.PARTLY
    return [*way, (begin, S.IN_PROGRESS, facts), (finish, last, {})]


def local_year(at: datetime) -> int:
    """The local year of an instant, counted without the code under test's own bounds."""
    return to_local(at).year
