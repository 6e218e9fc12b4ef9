"""Keeping drones true: services done, payloads mounted, the weather that models take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.assets.inventory import drone_records, list_drones
from droneteam.fleet.assets.registry import last_service, used_fraction
from droneteam.fleet.head import touch_head
from droneteam.fleet.views import DroneView
from droneteam.fleet.weather import MAX_GUST_MPS, MAX_RAIN_MM_H

KEEPERS = ("administrator", "coordinator")
MECHANICS = ("pilot", *KEEPERS)


@dataclass(frozen=True, slots=True)
class RuleView:
    """A maintenance rule of a drone and how much of its interval is used."""

    name: str
    every_flight_h: float | None
    every_cycles: int | None
    every_days: int | None
    last_on: date
    used: float


@dataclass(frozen=True, slots=True)
class MaintenanceView:
    """A service that was done or a defect; user ids of who reported and who released it."""

    id: int
    kind: str
    rule: str | None
    at: datetime
    text: str
    flight_h: float
    cycles: int
    reported_by: int | None
    released_at: datetime | None
    released_by: int | None


@dataclass(frozen=True, slots=True)
class PayloadView:
    """A payload, what it fits and what carries it now."""

    id: int
    serial: str
    model: str
    capabilities: tuple[str, ...]
    fits_models: tuple[str, ...]
    drone_id: int | None


@dataclass(frozen=True, slots=True)
class MountingView:
    """A payload was put on a drone, or taken off where drone_id is None."""

    id: int
    payload_id: int
    drone_id: int | None
    at: datetime
    user_id: int | None


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model of drone and the weather that it takes; None where there is no limit."""

    name: str
    drones: int
    max_gust_mps: float | None
    max_rain_mm_h: float | None


@dataclass(frozen=True, slots=True)
class DroneDetail:
    """Everything about one drone."""

    drone: DroneView
    model: ModelView
    rules: tuple[RuleView, ...]
    maintenance: tuple[MaintenanceView, ...]
    payloads: tuple[PayloadView, ...]


def drone_detail(session: Session, actor: Actor, drone_id: int, now: datetime) -> DroneDetail:
    """The drone with its limits, payloads, rules and history, the newest first."""
    view = next((row for row in list_drones(session, actor, now) if row.id == drone_id), None)
    if view is None:
        raise NotFound("drone", drone_id)
    record = drone_records(session)[drone_id]
    model = next(row for row in list_models(session, actor) if row.name == view.model)
    kept = select(models.Maintenance).where(models.Maintenance.drone_id == drone_id)
    order = (models.Maintenance.at.desc(), models.Maintenance.id.desc())
    return DroneDetail(
        drone=view,
        model=model,
        rules=tuple(
            RuleView(
                rule.name,
                rule.every_flight_h,
                rule.every_cycles,
                rule.every_days,
                last_service(record, rule).done_on,
                used_fraction(record, rule, now),
            )
            for rule in record.rules
        ),
        maintenance=tuple(_maintenance(row) for row in session.scalars(kept.order_by(*order))),
        payloads=tuple(row for row in list_payloads(session, actor) if row.drone_id == drone_id),
    )


def _maintenance(row: models.Maintenance) -> MaintenanceView:
    return MaintenanceView(
        id=row.id,
        kind=row.kind,
        rule=row.rule,
        at=row.at,
        text=row.text,
        flight_h=row.flight_h,
        cycles=row.cycles,
        reported_by=row.reported_by,
        released_at=row.released_at,
        released_by=row.released_by,
    )


def record_service(
    session: Session, actor: Actor, drone_id: int, rule: str, text: str, now: datetime
) -> None:
    """Nothing; the rule's intervals of hours, cycles and days begin again.

    Raises
    ------
    InputError
        The drone has no such rule, or the work is not described.
    """
    require_role(actor, *MECHANICS)
    drone = _drone(session, drone_id)
    known = [str(one["name"]) for one in drone.maintenance_rules]
    if rule not in known:
        raise InputError(
            f"{drone.name} has no rule {rule!r}; it has {', '.join(known)}", field="rule"
        )
    if not text.strip():
        raise InputError("say what was done", field="text")
    touch_head(session)
    session.add(
        models.Maintenance(
            drone_id=drone.id,
            kind="service",
            rule=rule,
            at=now,
            text=text.strip(),
            flight_h=drone.flight_h,
            cycles=drone.cycles,
            reported_by=actor.user_id or None,
        )
    )
    _note(session, actor, "drone.service", f"drone:{drone.id}", now, {"rule": rule})


def list_payloads(session: Session, actor: Actor) -> list[PayloadView]:
    """The team's payloads by serial."""
    require_role(actor, *sorted(TEAM_ROLES))
    return [
        PayloadView(
            row.id,
            row.serial,
            row.model,
            tuple(row.capabilities),
            tuple(row.fits_models),
            row.drone_id,
        )
        for row in session.scalars(select(models.Payload).order_by(models.Payload.serial))
    ]


def mount_payload(
    session: Session, actor: Actor, payload_id: int, drone_id: int | None, now: datetime
) -> None:
    """Nothing; the drone carries the payload from now on, or nobody does where it is None.

    Raises
    ------
    Conflict
        The payload fits other models only, or sits there already.
    """
    require_role(actor, *MECHANICS)
    payload = session.get(models.Payload, payload_id)
    if payload is None:
        raise NotFound("payload", payload_id)
    if drone_id is not None:
        drone = _drone(session, drone_id)
        if drone.model not in payload.fits_models:
            fits = ", ".join(payload.fits_models) or "no model"
            raise Conflict(f"{payload.model} {payload.serial} fits {fits}, not a {drone.model}")
    if payload.drone_id == drone_id:
        where = "on no drone" if drone_id is None else "on that drone"
        raise Conflict(f"{payload.model} {payload.serial} is {where} already")
    touch_head(session)
    facts = {"from": payload.drone_id, "to": drone_id}
    payload.drone_id = drone_id
    session.add(
        models.Mounting(
            payload_id=payload.id, drone_id=drone_id, at=now, user_id=actor.user_id or None
        )
    )
    _note(session, actor, "payload.mount", f"payload:{payload.id}", now, facts)


def list_mountings(session: Session, actor: Actor, limit: int = 100) -> list[MountingView]:
    """Who mounted what where, the latest first."""
    require_role(actor, *sorted(TEAM_ROLES))
    query = select(models.Mounting).order_by(models.Mounting.id.desc()).limit(limit)
    return [
        MountingView(row.id, row.payload_id, row.drone_id, row.at, row.user_id)
        for row in session.scalars(query)
    ]


def list_models(session: Session, actor: Actor) -> list[ModelView]:
    """Every model of the fleet by name, with its limits."""
    require_role(actor, *sorted(TEAM_ROLES))
    limits = {row.name: row for row in session.scalars(select(models.DroneModel))}
    owned = list(session.scalars(select(models.Drone.model).order_by(models.Drone.model)))
    return [
        ModelView(
            name,
            owned.count(name),
            limits[name].max_gust_mps if name in limits else None,
            limits[name].max_rain_mm_h if name in limits else None,
        )
        for name in dict.fromkeys(owned)
    ]


def set_model_limits(
    session: Session,
    actor: Actor,
    name: str,
    limits: tuple[float | None, float | None],
    now: datetime,
) -> None:
    """Nothing; drones of the model fly in no stronger gust (m/s) and no harder rain (mm/h).

    Flights that were logged keep the limits of their day.

    Raises
    ------
    InputError
        A limit is impossible.
    NotFound
        The team has no drone of this model.
    """
    require_role(actor, *KEEPERS)
    check_limits(limits)
    if session.scalar(select(models.Drone.id).where(models.Drone.model == name)) is None:
        raise NotFound("drone model", name)
    touch_head(session)
    row = session.get(models.DroneModel, name)
    before = None if row is None else [row.max_gust_mps, row.max_rain_mm_h]
    if row is None:
        row = models.DroneModel(name=name)
        session.add(row)
    row.max_gust_mps, row.max_rain_mm_h = limits
    _note(session, actor, "model.limits", f"model:{name}", now, {"before": before, "after": limits})


def check_limits(limits: tuple[float | None, float | None]) -> None:
    """Nothing, when gust (m/s) and rain (mm/h) are possible; InputError names the wrong one."""
    for field, value, most in zip(
        ("max_gust_mps", "max_rain_mm_h"), limits, (MAX_GUST_MPS, MAX_RAIN_MM_H), strict=True
    ):
        if value is not None and not (math.isfinite(value) and 0.0 <= value <= most):
            raise InputError(f"{field} {value} outside [0, {most:g}]", field=field)


def open_defect_rows(session: Session, actor: Actor) -> list[tuple[int, int, str, datetime]]:
    """(defect, drone, text, time) of every defect that still grounds its drone."""
    require_role(actor, *sorted(TEAM_ROLES))
    query = select(models.Maintenance).where(
        models.Maintenance.kind == "defect", models.Maintenance.released_at.is_(None)
    )
    rows = session.scalars(query.order_by(models.Maintenance.at, models.Maintenance.id))
    return [(row.id, row.drone_id, row.text, row.at) for row in rows]


def _drone(session: Session, drone_id: int) -> models.Drone:
    row = session.get(models.Drone, drone_id)
    if row is None:
        raise NotFound("drone", drone_id)
    return row


def _note(
    session: Session, actor: Actor, action: str, subject: str, now: datetime, facts: dict[str, Any]
) -> None:
    session.flush()
    audit.append(session, actor, action=action, subject=subject, at=now, facts=facts)
