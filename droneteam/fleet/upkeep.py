"""Keeping the registry true: services done, cameras mounted, licences renewed, packs measured."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.head import touch_head
from droneteam.fleet.registry import Credential
from droneteam.fleet.terms import Window

KEEPERS = ("administrator", "coordinator")


def record_service(
    session: Session, actor: Actor, drone_id: int, rule: str, text: str, now: datetime
) -> None:
    """Nothing; the rule's intervals of hours, cycles and days begin again.

    Raises
    ------
    InputError
        The drone has no such rule, or the work is not described.
    """
    require_role(actor, "pilot", *KEEPERS)
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


def mount_payload(
    session: Session, actor: Actor, payload_id: int, drone_id: int | None, now: datetime
) -> None:
    """Nothing; the drone carries the payload from now on, or nobody does where it is None.

    Raises
    ------
    Conflict
        The payload fits other models only.
    """
    require_role(actor, "pilot", *KEEPERS)
    payload = session.get(models.Payload, payload_id)
    if payload is None:
        raise NotFound("payload", payload_id)
    if drone_id is not None:
        drone = _drone(session, drone_id)
        if drone.model not in payload.fits_models:
            fits = ", ".join(payload.fits_models) or "no model"
            raise Conflict(f"{payload.model} {payload.serial} fits {fits}, not a {drone.model}")
    touch_head(session)
    facts = {"from": payload.drone_id, "to": drone_id}
    payload.drone_id = drone_id
    _note(session, actor, "payload.mount", f"payload:{payload.id}", now, facts)


def add_credential(
    session: Session,
    actor: Actor,
    pilot_id: int,
    kind: str,
    number: str,
    days: tuple[date, date],
    now: datetime,
) -> None:
    """Nothing; the pilot holds the licence on these days, the first and the last.

    Raises
    ------
    InputError
        It ends before it begins, or kind or number is missing.
    """
    require_role(actor, *KEEPERS)
    if session.get(models.Pilot, pilot_id) is None:
        raise NotFound("pilot", pilot_id)
    if not kind.strip() or not number.strip():
        raise InputError("a credential needs its kind and its number", field="number")
    Credential(kind.strip(), *days)
    touch_head(session)
    session.add(
        models.Credential(
            pilot_id=pilot_id,
            kind=kind.strip(),
            number=number.strip(),
            valid_from=days[0],
            valid_until=days[1],
        )
    )
    facts = {"kind": kind.strip(), "until": days[1].isoformat()}
    _note(session, actor, "pilot.credential", f"pilot:{pilot_id}", now, facts)


def add_absence(
    session: Session, actor: Actor, pilot_id: int, window: Window, kind: str, now: datetime
) -> None:
    """Nothing; the pilot is not planned in this time."""
    require_role(actor, "pilot", *KEEPERS)
    if session.get(models.Pilot, pilot_id) is None:
        raise NotFound("pilot", pilot_id)
    if not kind.strip():
        raise InputError("say what kind of absence it is", field="kind")
    touch_head(session)
    session.add(
        models.Absence(
            pilot_id=pilot_id, start_at=window.start_at, end_at=window.end_at, kind=kind.strip()
        )
    )
    facts = {"from": window.start_at, "to": window.end_at, "kind": kind.strip()}
    _note(session, actor, "pilot.absence", f"pilot:{pilot_id}", now, facts)


def measure_pack(
    session: Session, actor: Actor, battery_id: int, health_pct: int, now: datetime
) -> None:
    """Nothing; the pack's capacity is what was measured."""
    require_role(actor, "pilot", *KEEPERS)
    row = session.get(models.Battery, battery_id)
    if row is None:
        raise NotFound("battery", battery_id)
    if not 0 <= health_pct <= 100:
        raise InputError(f"health_pct {health_pct} outside [0, 100]", field="health_pct")
    touch_head(session)
    facts = {"before": row.health_pct, "health_pct": health_pct, "cycles": row.cycles}
    row.health_pct = health_pct
    _note(session, actor, "battery.measure", f"battery:{row.id}", now, facts)


def open_defect_rows(session: Session, actor: Actor) -> list[tuple[int, int, str, datetime]]:
    """(defect, drone, text, time) of every defect that still grounds its drone."""
    require_role(actor, "pilot", "manager", "auditor", "investigator", *KEEPERS)
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
