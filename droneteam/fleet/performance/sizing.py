"""A recorded year replayed with fleets of other sizes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError
from droneteam.fleet import models
from droneteam.fleet.agreement.agreements import agreement, version_at
from droneteam.fleet.assets.inventory import capabilities
from droneteam.fleet.performance.figures import READERS
from droneteam.fleet.performance.fleetsize import Airframe, Call, SizeOutcome, fleet_of, replay
from droneteam.fleet.performance.yearly import year_bounds
from droneteam.fleet.problem import Place
from droneteam.fleet.requirements import requirement
from droneteam.fleet.speeds import speed_at
from droneteam.fleet.terms import RequestKind, RequestState, Window

SIZES = (8, 10, 12)
MAX_SIZES = 6
LARGEST_FLEET = 200


def simulate_year(
    session: Session,
    actor: Actor,
    year: int,
    now: datetime,
    sizes: Sequence[int] = SIZES,
    *,
    crews: int | None = None,
) -> list[SizeOutcome]:
    """What fleets of these sizes would have done with the year's requests.

    crews : pilots; as many as the team has where it is None.  A smaller fleet is the team's
    first drones by number, a larger one begins over again with its mix.
    """
    require_role(actor, *READERS)
    if not 1 <= len(sizes) <= MAX_SIZES:
        raise InputError(f"compare 1 to {MAX_SIZES} sizes", field="drones")
    if not all(1 <= size <= LARGEST_FLEET for size in sizes):
        raise InputError(f"a fleet has 1 to {LARGEST_FLEET} drones", field="drones")
    mix = _mix(session)
    fleets = [fleet_of(size, mix) for size in sizes]
    active = select(func.count()).where(models.Pilot.active)
    pilots = crews if crews is not None else session.scalar(active) or 0
    sla = agreement(version_at(session, now))
    calls = year_calls(session, year)
    speed = speed_at(session, now)
    return [replay(calls, fleet, pilots, sla, speed=speed) for fleet in fleets]


def year_calls(session: Session, year: int) -> list[Call]:
    """The requests that were submitted in the local year, as calls."""
    start, end = year_bounds(year)
    query = select(models.Request).where(
        models.Request.submitted_at >= start,
        models.Request.submitted_at < end,
        models.Request.state != RequestState.DRAFT.value,
    )
    return [
        Call(
            request_id=row.id,
            organisation_id=row.organisation_id,
            priority=row.priority,
            submitted_at=row.submitted_at,
            window=Window(row.start_at, row.end_at),
            place=Place(row.lat_deg, row.lon_deg),
            needs=requirement(
                RequestKind(row.kind),
                payload=row.payload,
                sensitive=row.sensitive,
                low_noise=row.low_noise,
            ),
        )
        for row in session.scalars(query)
    ]


def _mix(session: Session) -> list[Airframe]:
    able = capabilities(session)
    rows = session.scalars(
        select(models.Drone).where(models.Drone.retired.is_(False)).order_by(models.Drone.id)
    )
    return [
        Airframe(row.name, able[row.id], Place(row.base_lat_deg, row.base_lon_deg)) for row in rows
    ]
