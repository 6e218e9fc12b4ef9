"""Drones in the air as rows: each controller writes its own, and reads those of the others."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from droneteam.errors import DecodeError
from droneteam.missions import models
from droneteam.missions.flight.sharedair import SharedCraft, from_json, to_json

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
