"""Battery packs as they age: measured by people, retired when they are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.assets.upkeep import KEEPERS, MECHANICS
from droneteam.fleet.head import touch_head

MAX_CYCLES = 100_000


@dataclass(frozen=True, slots=True)
class PackMeasurementView:
    """A pack's health and cycles as somebody measured them."""

    id: int
    battery_id: int
    at: datetime
    health_pct: int
    cycles: int
    user_id: int | None


def measure_pack(
    session: Session,
    actor: Actor,
    battery_id: int,
    health_pct: int,
    now: datetime,
    *,
    cycles: int | None = None,
) -> None:
    """Nothing; the pack's capacity, and its cycles where its own counter gives them, are these.

    Raises
    ------
    InputError
        A value is impossible, or the cycles run backwards.
    """
    require_role(actor, *MECHANICS)
    row = _pack(session, battery_id)
    if not 0 <= health_pct <= 100:
        raise InputError(f"health_pct {health_pct} outside [0, 100]", field="health_pct")
    if cycles is not None and not row.cycles <= cycles <= MAX_CYCLES:
        raise InputError(
            f"cycles {cycles} outside [{row.cycles}, {MAX_CYCLES}]: {row.label} has flown "
            f"{row.cycles} already",
            field="cycles",
        )
    touch_head(session)
    facts = {"before": row.health_pct, "health_pct": health_pct, "cycles_before": row.cycles}
    row.health_pct = health_pct
    row.cycles = row.cycles if cycles is None else cycles
    session.add(
        models.BatteryMeasurement(
            battery_id=row.id,
            at=now,
            health_pct=row.health_pct,
            cycles=row.cycles,
            user_id=actor.user_id or None,
        )
    )
    session.flush()
    subject = f"battery:{row.id}"
    facts["cycles"] = row.cycles
    audit.append(session, actor, action="battery.measure", subject=subject, at=now, facts=facts)


def retire_pack(
    session: Session, actor: Actor, battery_id: int, reason: str, now: datetime
) -> None:
    """Nothing; the pack flies no more.

    Raises
    ------
    Conflict
        It has been retired already.
    """
    require_role(actor, *KEEPERS)
    row = _pack(session, battery_id)
    if row.retired_at is not None:
        raise Conflict(f"{row.label} has been retired already")
    if not reason.strip():
        raise InputError("say why the battery is retired", field="reason")
    touch_head(session)
    row.retired_at = now
    session.flush()
    audit.append(
        session,
        actor,
        action="battery.retire",
        subject=f"battery:{row.id}",
        at=now,
        reason=reason.strip(),
    )


def list_measurements(session: Session, actor: Actor, battery_id: int) -> list[PackMeasurementView]:
    """The pack's measurements, the latest first."""
    require_role(actor, *sorted(TEAM_ROLES))
    _pack(session, battery_id)
    query = select(models.BatteryMeasurement).where(
        models.BatteryMeasurement.battery_id == battery_id
    )
    return [
        PackMeasurementView(row.id, row.battery_id, row.at, row.health_pct, row.cycles, row.user_id)
        for row in session.scalars(query.order_by(models.BatteryMeasurement.id.desc()))
    ]


def _pack(session: Session, battery_id: int) -> models.Battery:
    row = session.get(models.Battery, battery_id)
    if row is None:
        raise NotFound("battery", battery_id)
    return row
