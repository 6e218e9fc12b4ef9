"""The database's events and flights → the year's figures."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, organisations, require_role
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreements
from droneteam.fleet.agreement.hours import from_local, to_local
from droneteam.fleet.performance.journeys import Asked, Journey, Step, clocks_of, journeys
from droneteam.fleet.performance.yearly import Flown, Held, YearFigures, year_bounds, year_figures
from droneteam.fleet.presenting import clock_stops
from droneteam.fleet.terms import RequestKind, RequestState, Window

READERS = ("coordinator", "manager", "auditor", "administrator")


def yearly_figures(session: Session, actor: Actor, year: int, now: datetime) -> YearFigures:
    """The figures of a local year, recomputed from its immutable events."""
    require_role(actor, *READERS)
    start, end = year_bounds(year)
    made = load_journeys(session, Window(start, end))
    asked = [one for one in made if start <= one.times.submitted_at < end]
    numbers = [one.request_id for one in asked]
    rows = session.execute(
        select(models.Request.id, models.Request.sla_version_id).where(
            models.Request.id.in_(numbers)
        )
    )
    versions = {row.id: row.sla_version_id for row in rows}
    parsed = agreements(session)
    stops = clock_stops(session, numbers)
    clocks = {
        one.request_id: clocks_of(
            one, parsed[versions[one.request_id]], stops[one.request_id], min(now, end)
        )
        for one in asked
    }
    row = models.Flight
    query = select(row.sortie, row.drone_id, row.took_off_at, row.landed_at).where(
        row.took_off_at >= start, row.took_off_at < end
    )
    flights = [Flown(*columns) for columns in session.execute(query)]
    return year_figures(year, made, clocks, flights, _drones(session, now), now)


def load_journeys(session: Session, during: Window | None = None) -> list[Journey]:
    """The whole journeys of the requests to which something happened during a time, or at all.

    Whole rows of years would cost as much again as their columns, and other years as this one.
    """
    row, event = models.Request, models.RequestEvent
    within = select(event.request_id)
    if during is not None:
        within = within.where(event.at >= during.start_at, event.at < during.end_at)
    requests = select(
        row.id, row.organisation_id, row.kind, row.priority, row.start_at, row.end_at
    ).where(row.id.in_(within))
    asked = {
        number: Asked(organisation_id, RequestKind(kind), priority, start_at, end_at)
        for number, organisation_id, kind, priority, start_at, end_at in session.execute(requests)
    }
    events = (
        select(event.request_id, event.at, event.state, event.facts)
        .where(event.request_id.in_(within))
        .order_by(event.id)
    )
    steps = [
        Step(request_id, at, RequestState(state), facts)
        for request_id, at, state, facts in session.execute(events)
    ]
    return journeys(steps, asked)


def _drones(session: Session, now: datetime) -> list[Held]:
    grounded: defaultdict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    defects = select(models.Maintenance).where(models.Maintenance.kind == "defect")
    for row in session.scalars(defects):
        until = row.released_at or now
        if until > row.at:
            grounded[row.drone_id].append((row.at, until))
    return [
        Held(row.id, row.name, tuple(grounded[row.id]), _midnight(row.in_service_since))
        for row in session.scalars(select(models.Drone).order_by(models.Drone.name))
    ]


def _midnight(day: date) -> datetime:
    return from_local(day, time())


def recorded_years(session: Session, actor: Actor, now: datetime) -> list[int]:
    """The local years of which there are events, the latest first; this year is always one."""
    require_role(actor, *READERS)
    first = session.scalar(select(func.min(models.RequestEvent.at)))
    this = to_local(now).year
    return list(range(this, (to_local(first).year if first else this) - 1, -1))


def organisation_names(session: Session, language: str) -> dict[int, str]:
    """Every organisation's name in the language, by id."""
    return {view.id: view.name(language) for view in organisations(session)}
