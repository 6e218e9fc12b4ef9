"""The logbook: every flight once, with drone, crew and packs as they were on that day.

A line copies what it names.  Whoever later renames a model, replaces a firmware or retires a
pack changes the registry, and no line that was written before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.db import Piece
from droneteam.errors import InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.head import touch_head
from droneteam.fleet.terms import Window

MAX_FLIGHT = timedelta(hours=6)
"""No multicopter of the team's classes stays up longer; a longer entry is a typing error."""
READERS = ("coordinator", "pilot", "manager", "auditor", "administrator", "investigator")


@dataclass(frozen=True, slots=True)
class FlightEntry:
    """A flight to be logged, from take-off to landing.

    key : names the flight wherever its log is carried, so that it is counted once
    sortie : the tasking to which it belongs; changing packs makes two flights of one sortie
    """

    key: str
    sortie: str
    drone_id: int
    pilot_id: int
    took_off_at: datetime
    landed_at: datetime
    battery_ids: tuple[int, ...] = ()
    request_id: int | None = None
    remarks: str = ""

    def __post_init__(self) -> None:
        window = Window(self.took_off_at, self.landed_at)
        if window.end_at - window.start_at > MAX_FLIGHT:
            raise InputError(
                f"the flight lasts {window.minutes} min; at most {MAX_FLIGHT} are believed",
                field="landed_at",
            )
        for name, limit in (("key", 80), ("sortie", 60)):
            if not 0 < len(getattr(self, name).strip()) <= limit:
                raise InputError(f"{name} needs 1 to {limit} characters", field=name)


@dataclass(frozen=True, slots=True)
class FlightView:
    """A line of the logbook; drone, pilot and packs are those of the day."""

    id: int
    key: str
    sortie: str
    request_id: int | None
    drone_id: int
    pilot_id: int
    took_off_at: datetime
    landed_at: datetime
    drone: dict[str, Any]
    pilot: dict[str, Any]
    packs: tuple[dict[str, Any], ...] = field(default=())
    remarks: str = ""

    @property
    def minutes(self) -> float:
        """How long it lasted."""
        return (self.landed_at - self.took_off_at) / timedelta(minutes=1)


def log_flight(session: Session, actor: Actor, entry: FlightEntry, now: datetime) -> FlightView:
    """The line of the logbook; drone and packs age by it, the pilot stays current by it.

    The same key again gives the line that stands.

    Raises
    ------
    InputError
        The flight ends in the future, or before its drone came into service.
    """
    require_role(actor, "pilot", "coordinator")
    known = session.scalar(select(models.Flight).where(models.Flight.key == entry.key))
    if known is not None:
        return flight_view(known)
    if entry.landed_at > now:
        raise InputError("the flight ends after now", field="landed_at")
    touch_head(session)  # hours and cycles decide who may fly next
    drone = session.get(models.Drone, entry.drone_id)
    pilot = session.get(models.Pilot, entry.pilot_id)
    if drone is None:
        raise NotFound("drone", entry.drone_id)
    if pilot is None:
        raise NotFound("pilot", entry.pilot_id)
    packs = [_pack(session, battery_id) for battery_id in entry.battery_ids]
    row = _row(session, entry, drone, pilot, packs)
    session.add(row)
    _age(session, row, drone, packs)
    session.flush()
    facts = {"key": row.key, "flight": row.id, "request_id": row.request_id}
    subject = f"drone:{drone.id}"
    audit.append(session, actor, action="flight.log", subject=subject, at=now, facts=facts)
    return flight_view(row)


def _pack(session: Session, battery_id: int) -> models.Battery:
    row = session.get(models.Battery, battery_id)
    if row is None:
        raise NotFound("battery", battery_id)
    return row


def _row(
    session: Session,
    entry: FlightEntry,
    drone: models.Drone,
    pilot: models.Pilot,
    packs: Sequence[models.Battery],
) -> models.Flight:
    return models.Flight(
        key=entry.key.strip(),
        sortie=entry.sortie.strip(),
        request_id=entry.request_id,
        drone_id=drone.id,
        pilot_id=pilot.id,
        took_off_at=entry.took_off_at.astimezone(UTC),
        landed_at=entry.landed_at.astimezone(UTC),
        drone=drone_snapshot(session, drone),
        pilot=_pilot_snapshot(session, pilot, entry.took_off_at),
        packs=[
            {
                "label": row.label,
                "type": row.type,
                "cycles": row.cycles,
                "health_pct": row.health_pct,
            }
            for row in packs
        ],
        remarks=entry.remarks.strip(),
    )


def drone_snapshot(session: Session, drone: models.Drone) -> dict[str, Any]:
    """The drone's facts as they are now, for a record that outlives them."""
    model = session.get(models.DroneModel, drone.model)
    mounted = session.scalars(
        select(models.Payload)
        .where(models.Payload.drone_id == drone.id)
        .order_by(models.Payload.serial)
    )
    return {
        "name": drone.name,
        "model": drone.model,
        "serial": drone.serial,
        "operator_registration": drone.operator_registration,
        "remote_id_serial": drone.remote_id_serial,
        "firmware": drone.firmware,
        "flight_h": round(drone.flight_h, 4),
        "cycles": drone.cycles,
        "payloads": [{"model": row.model, "serial": row.serial} for row in mounted],
        "low_noise": drone.low_noise,
        "sensitive_allowed": drone.sensitive_allowed,
        "max_gust_mps": None if model is None else model.max_gust_mps,
        "max_rain_mm_h": None if model is None else model.max_rain_mm_h,
    }


def _pilot_snapshot(session: Session, pilot: models.Pilot, at: datetime) -> dict[str, Any]:
    """The pilot's name and the credentials that were valid on the day."""
    day = to_local(at).date()
    held = session.scalars(
        select(models.Credential)
        .where(
            models.Credential.pilot_id == pilot.id,
            models.Credential.valid_from <= day,
            models.Credential.valid_until >= day,
            or_(models.Credential.ended_on.is_(None), models.Credential.ended_on >= day),
        )
        .order_by(models.Credential.kind, models.Credential.number)
    )
    return {
        "name": pilot.name,
        "credentials": [{"kind": row.kind, "number": row.number} for row in held],
    }


def _age(
    session: Session,
    row: models.Flight,
    drone: models.Drone,
    packs: Sequence[models.Battery],
) -> None:
    """What a flight does to those who flew it."""
    drone.flight_h += (row.landed_at - row.took_off_at) / timedelta(hours=1)
    drone.cycles += 1
    for pack in packs:
        pack.cycles += 1
    day = to_local(row.took_off_at).date()
    session.add(models.PilotFlight(pilot_id=row.pilot_id, flown_on=day, request_id=row.request_id))


def list_flights(
    session: Session,
    actor: Actor,
    *,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    drone_id: int | None = None,
    limit: int = 10_000,
    piece: Piece | None = None,
) -> list[FlightView]:
    """The logbook's lines, the latest first, of a period or a drone.

    piece : of all of them, the latest to be written down first
    """
    require_role(actor, *READERS)
    query = select(models.Flight).order_by(models.Flight.took_off_at.desc(), models.Flight.id)
    if start_at is not None:
        query = query.where(models.Flight.took_off_at >= start_at)
    if end_at is not None:
        query = query.where(models.Flight.took_off_at < end_at)
    if drone_id is not None:
        query = query.where(models.Flight.drone_id == drone_id)
    query = (
        query.limit(limit) if piece is None else piece.of(query.order_by(None), models.Flight.id)
    )
    return [flight_view(row) for row in session.scalars(query)]


def flight_view(row: models.Flight) -> FlightView:
    """The row as a line of the logbook."""
    return FlightView(
        id=row.id,
        key=row.key,
        sortie=row.sortie,
        request_id=row.request_id,
        drone_id=row.drone_id,
        pilot_id=row.pilot_id,
        took_off_at=row.took_off_at,
        landed_at=row.landed_at,
        drone=dict(row.drone),
        pilot=dict(row.pilot),
        packs=tuple(dict(pack) for pack in row.packs),
        remarks=row.remarks,
    )
