"""Where the team flew: the logbook's flights with the place and purpose of what asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from droneteam.accounts import Actor, require_role
from droneteam.fleet import models
from droneteam.fleet.performance.figures import READERS
from droneteam.fleet.performance.yearly import year_bounds
from droneteam.fleet.terms import RequestKind


@dataclass(frozen=True, slots=True)
class FlownPlace:
    """One request that was flown for: where, for whom, how often and how long.

    first_at : its first take-off; minutes : in the air, of all its flights.
    """

    request_id: int
    title: str
    kind: RequestKind
    priority: str
    organisation_id: int
    lat_deg: float
    lon_deg: float
    first_at: datetime
    flights: int
    minutes: float
    drones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flown:
    """A year's flights by place, the earliest first; unplaced : flights that nobody asked for."""

    places: tuple[FlownPlace, ...]
    unplaced: int


def flown_places(session: Session, actor: Actor, year: int) -> Flown:
    """Where the team flew in a local year."""
    require_role(actor, *READERS)
    start, end = year_bounds(year)
    query = (
        select(models.Flight, models.Request)
        .outerjoin(models.Request, models.Flight.request_id == models.Request.id)
        .where(models.Flight.took_off_at >= start, models.Flight.took_off_at < end)
        .options(
            defer(models.Flight.pilot), defer(models.Flight.packs), defer(models.Request.polygon)
        )
        .order_by(models.Flight.took_off_at, models.Flight.id)
    )
    asked: dict[int, models.Request] = {}
    flights: dict[int, list[models.Flight]] = {}
    unplaced = 0
    rows: list[tuple[models.Flight, models.Request | None]] = [
        (flight, request) for flight, request in session.execute(query)
    ]
    for flight, request in rows:
        if request is None:
            unplaced += 1
            continue
        asked[request.id] = request
        flights.setdefault(request.id, []).append(flight)
    return Flown(tuple(_place(asked[key], rows) for key, rows in flights.items()), unplaced)


def _place(request: models.Request, flights: list[models.Flight]) -> FlownPlace:
    return FlownPlace(
        request_id=request.id,
        title=request.title,
        kind=RequestKind(request.kind),
        priority=request.priority,
        organisation_id=request.organisation_id,
        lat_deg=request.lat_deg,
        lon_deg=request.lon_deg,
        first_at=flights[0].took_off_at,
        flights=len(flights),
        minutes=sum((row.landed_at - row.took_off_at).total_seconds() for row in flights) / 60,
        drones=tuple(dict.fromkeys(str(row.drone["name"]) for row in flights)),
    )
