"""Drones in the air as rows: each controller writes its own, and reads those of the others."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from droneteam.errors import DecodeError
from droneteam.missions import models
from droneteam.missions.flight.sharedair import STALE_S, SharedCraft, from_json, to_json

log = logging.getLogger(__name__)

KEPT = timedelta(minutes=10)
"""A controller that died leaves its rows; for so long its drones are told as not heard of."""


def share_air(session: Session, own: Collection[int], aloft: Sequence[SharedCraft]) -> None:
    """Store the drones in the air out of a controller's own; those that landed are taken away."""
    flying = {one.drone_id: one for one in aloft}
    landed = [drone_id for drone_id in own if drone_id not in flying]
    if landed:
        session.execute(delete(models.SharedAir).where(models.SharedAir.drone_id.in_(landed)))
    for drone_id, one in flying.items():
        row = session.get(models.SharedAir, drone_id)
        if row is None:
            session.add(models.SharedAir(drone_id=drone_id, at=one.at, craft=to_json(one)))
        else:
            row.at, row.craft = one.at, to_json(one)


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two drones of the team that may come too close; at : when; the rest as in `Nearing`."""

    first: str
    second: str
    at: datetime
    apart_m: float
    above_m: float
    rank: int


def air_meetings(session: Session, now: datetime) -> tuple[Meeting, ...]:
    """What the controllers forecast of their drones just now; one for each pair, the likeliest."""
    fresh = select(models.SharedAir).where(models.SharedAir.at > now - timedelta(seconds=STALE_S))
    found: dict[tuple[str, str], Meeting] = {}
    for row in session.scalars(fresh.order_by(models.SharedAir.drone_id)):
        try:
            shared = from_json(row.drone_id, row.at, row.craft)
        except DecodeError as error:
            log.warning("%s", error)
            continue
        for one in shared.nearing:
            first, second = sorted((shared.craft.name, one.name))
            at = shared.at + timedelta(seconds=one.in_s)
            meeting = Meeting(first, second, at, one.apart_m, one.above_m, one.rank)
            known = found.get((first, second))
            if known is None or (meeting.rank, meeting.at) < (known.rank, known.at):
                found[first, second] = meeting
    return tuple(found.values())


def air_of_others(session: Session, own: Collection[int], now: datetime) -> tuple[SharedCraft, ...]:
    """The drones in the air that other controllers fly; what cannot be read is left out, told."""
    rows = session.scalars(
        select(models.SharedAir)
        .where(models.SharedAir.drone_id.not_in(own), models.SharedAir.at > now - KEPT)
        .order_by(models.SharedAir.drone_id)
    )
    found = []
    for row in rows:
        try:
            found.append(from_json(row.drone_id, row.at, row.craft))
        except DecodeError as error:
            log.warning("%s", error)
    return tuple(found)
