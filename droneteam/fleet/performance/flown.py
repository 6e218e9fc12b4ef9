"""Where the team flew: the logbook's flights with the place and purpose of what asked for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

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
    # Columns alone: a year has a thousand flights, and two whole records for each take their time.
    query = (
        select(*_COLUMNS)
        .outerjoin(models.Request, models.Flight.request_id == models.Request.id)
        .where(models.Flight.took_off_at >= start, models.Flight.took_off_at < end)
        .order_by(models.Flight.took_off_at, models.Flight.id)
    )
    by_request: dict[int, list[Row[Any]]] = {}
    unplaced = 0
    for row in session.execute(query):
        if row.request_id is None:
            unplaced += 1
        else:
            by_request.setdefault(row.request_id, []).append(row)
    return Flown(tuple(_place(rows) for rows in by_request.values()), unplaced)


_COLUMNS = (
    models.Request.id.label("request_id"),
    models.Request.title,
    models.Request.kind,
    models.Request.priority,
    models.Request.organisation_id,
    models.Request.lat_deg,
    models.Request.lon_deg,
    models.Flight.took_off_at,
    models.Flight.landed_at,
    models.Flight.drone,
)


def _place(flights: list[Row[Any]]) -> FlownPlace:
    first = flights[0]
    return FlownPlace(
        request_id=first.request_id,
        title=first.title,
        kind=RequestKind(first.kind),
        priority=first.priority,
        organisation_id=first.organisation_id,
        lat_deg=first.lat_deg,
        lon_deg=first.lon_deg,
        first_at=first.took_off_at,
        flights=len(flights),
        minutes=sum((row.landed_at - row.took_off_at).total_seconds() for row in flights) / 60,
        drones=tuple(dict.fromkeys(str(row.drone["name"]) for row in flights)),
    )
