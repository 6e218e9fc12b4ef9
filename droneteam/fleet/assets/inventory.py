"""The registry in the database: records for the rules, views for people, defects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import TEAM_ROLES, Actor, require_role
from droneteam.db import once, rows_of
from droneteam.errors import Conflict, InputError, NotFound
from droneteam.fleet import models
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.assets.registry import (
    CURRENCY_DAYS,
    Credential,
    Defect,
    DroneRecord,
    MaintenanceRecord,
    MaintenanceRule,
    PackRecord,
    PilotRecord,
    Readiness,
    check_release,
    drone_readiness,
    pack_readiness,
    pilot_readiness,
)
from droneteam.fleet.head import touch_head
from droneteam.fleet.terms import Window
from droneteam.fleet.views import BatteryView, CredentialView, DroneView, PilotView

BASIC_CREDENTIALS = ("national",)
"""What every pilot of the team needs for any flight."""

_Row = TypeVar("_Row", models.Maintenance, models.Credential, models.Payload, models.Absence)


def list_drones(session: Session, actor: Actor, now: datetime | None = None) -> list[DroneView]:
    """The team's drones by name, each with its readiness."""
    require_role(actor, *sorted(TEAM_ROLES))
    now = now or datetime.now(UTC)
    rows = sorted(rows_of(session, models.Drone), key=lambda row: row.name)
    records = drone_records(session)
    able = capabilities(session)
    return [_drone_view(row, able[row.id], drone_readiness(records[row.id], now)) for row in rows]


def list_pilots(session: Session, actor: Actor, now: datetime | None = None) -> list[PilotView]:
    """The team's pilots by name, each with credentials and readiness."""
    require_role(actor, *sorted(TEAM_ROLES))
    now = now or datetime.now(UTC)
    rows = sorted(rows_of(session, models.Pilot), key=lambda row: row.name)
    records = pilot_records(session, now)
    held = _grouped(rows_of(session, models.Credential), "pilot_id")
    return [
        _pilot_view(row, held[row.id], pilot_readiness(records[row.id], BASIC_CREDENTIALS, now))
        for row in rows
    ]


def list_batteries(session: Session, actor: Actor) -> list[BatteryView]:
    """The team's battery packs by label, each with its readiness."""
    require_role(actor, *sorted(TEAM_ROLES))
    records = pack_records(session)
    rows = sorted(rows_of(session, models.Battery), key=lambda row: row.label)
    return [_battery_view(row, records[row.id]) for row in rows]


def report_defect(session: Session, actor: Actor, drone_id: int, text: str, now: datetime) -> int:
    """The id of the defect, which grounds the drone from now on."""
    require_role(actor, "pilot", "coordinator", "administrator")
    if not text.strip():
        raise InputError("say what is wrong with the drone", field="text")
    drone = session.get(models.Drone, drone_id)
    if drone is None:
        raise NotFound("drone", drone_id)
    row = models.Maintenance(
        drone_id=drone_id,
        kind="defect",
        at=now,
        text=text.strip(),
        flight_h=drone.flight_h,
        cycles=drone.cycles,
        reported_by=actor.user_id or None,
    )
    touch_head(session)
    session.add(row)
    session.flush()
    subject, facts = f"drone:{drone_id}", {"defect": row.id, "text": row.text}
    audit.append(session, actor, action="drone.ground", subject=subject, at=now, facts=facts)
    return row.id


def release_defect(session: Session, actor: Actor, defect_id: int, now: datetime) -> None:
    """The drone may fly again; NotAllowed for the person who reported the defect."""
    require_role(actor, "pilot", "coordinator", "administrator")
    row = session.get(models.Maintenance, defect_id)
    if row is None or row.kind != "defect":
        raise NotFound("defect", defect_id)
    if row.released_at is not None:
        raise Conflict(f"defect {defect_id} has been released already")
    check_release(_defect(row), actor.user_id)
    touch_head(session)
    row.released_at, row.released_by = now, actor.user_id or None
    session.flush()
    subject, facts = f"drone:{row.drone_id}", {"defect": row.id}
    audit.append(session, actor, action="drone.release", subject=subject, at=now, facts=facts)


def drone_records(session: Session) -> dict[int, DroneRecord]:
    """Every drone as the readiness rules see it, by id."""
    return once(session, "drone records", lambda: _read_drones(session))


def _read_drones(session: Session) -> dict[int, DroneRecord]:
    kept = _grouped(rows_of(session, models.Maintenance), "drone_id")
    return {row.id: _drone_record(row, kept[row.id]) for row in rows_of(session, models.Drone)}


def _drone_record(row: models.Drone, kept: list[models.Maintenance]) -> DroneRecord:
    return DroneRecord(
        id=row.id,
        name=row.name,
        flight_h=row.flight_h,
        cycles=row.cycles,
        in_service_since=row.in_service_since,
        retired=row.retired,
        rules=tuple(MaintenanceRule(**rule) for rule in row.maintenance_rules),
        services=tuple(
            MaintenanceRecord(done.rule or "", to_local(done.at).date(), done.flight_h, done.cycles)
            for done in kept
            if done.kind == "service"
        ),
        defects=tuple(_defect(found) for found in kept if found.kind == "defect"),
    )


def _defect(row: models.Maintenance) -> Defect:
    return Defect(row.id, row.at, row.reported_by or 0, row.text, row.released_at, row.released_by)


def capabilities(session: Session) -> dict[int, frozenset[str]]:
    """What each drone can do with the payload that it carries now, by id."""
    return once(session, "capabilities", lambda: _read_capabilities(session))


def _read_capabilities(session: Session) -> dict[int, frozenset[str]]:
    mounted = _grouped(rows_of(session, models.Payload), "drone_id")
    able = {}
    for row in rows_of(session, models.Drone):
        offered = {name for payload in mounted[row.id] for name in payload.capabilities}
        if row.low_noise:
            offered.add("low_noise")
        if row.sensitive_allowed:
            offered.add("sensitive")
        able[row.id] = frozenset(offered)
    return able


def pilot_records(session: Session, now: datetime) -> dict[int, PilotRecord]:
    """Every pilot as the readiness rules see it, by id."""
    return once(session, ("pilot records", now), lambda: _read_pilots(session, now))


def _read_pilots(session: Session, now: datetime) -> dict[int, PilotRecord]:
    held = _grouped(rows_of(session, models.Credential), "pilot_id")
    recent = select(models.Absence).where(models.Absence.end_at > now - timedelta(days=1))
    away = _grouped(session.scalars(recent), "pilot_id")
    flown = defaultdict(list)
    since = (now - timedelta(days=CURRENCY_DAYS + 1)).date()
    for flight in session.scalars(
        select(models.PilotFlight).where(models.PilotFlight.flown_on >= since)
    ):
        flown[flight.pilot_id].append(flight.flown_on)
    return {
        row.id: PilotRecord(
            id=row.id,
            name=row.name,
            active=row.active,
            credentials=tuple(
                Credential(own.kind, own.valid_from, last_day(own))
                for own in held[row.id]
                if last_day(own) >= own.valid_from
            ),
            absences=tuple(Window(own.start_at, own.end_at) for own in away[row.id]),
            flown_on=tuple(flown[row.id]),
        )
        for row in rows_of(session, models.Pilot)
    }


def last_day(row: models.Credential) -> date:
    """The last day on which the credential holds."""
    return row.valid_until if row.ended_on is None else min(row.ended_on, row.valid_until)


def pack_records(session: Session) -> dict[int, PackRecord]:
    """Every battery pack as the readiness rules see it, by id."""
    return once(session, "pack records", lambda: _read_packs(session))


def _read_packs(session: Session) -> dict[int, PackRecord]:
    kinds = {kind.name: kind for kind in rows_of(session, models.BatteryType)}
    return {
        row.id: PackRecord(
            row.id,
            row.label,
            row.cycles,
            kinds[row.type].max_cycles,
            row.health_pct,
            retired=row.retired_at is not None,
        )
        for row in rows_of(session, models.Battery)
    }


def _grouped(rows: Iterable[_Row], key: str) -> defaultdict[int | None, list[_Row]]:
    """The rows by one of their foreign keys."""
    groups: defaultdict[int | None, list[_Row]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups


def _drone_view(row: models.Drone, able: frozenset[str], readiness: Readiness) -> DroneView:
    return DroneView(
        id=row.id,
        name=row.name,
        model=row.model,
        serial=row.serial,
        operator_registration=row.operator_registration,
        remote_id_serial=row.remote_id_serial,
        firmware=row.firmware,
        base_name=row.base_name,
        base_lat_deg=row.base_lat_deg,
        base_lon_deg=row.base_lon_deg,
        capabilities=tuple(sorted(able)),
        pack_type=row.pack_type,
        flight_h=row.flight_h,
        cycles=row.cycles,
        ready=readiness.ready,
        reasons=readiness.blocks,
        warnings=readiness.warnings,
        low_noise=row.low_noise,
        sensitive_allowed=row.sensitive_allowed,
        retired=row.retired,
    )


def _pilot_view(
    row: models.Pilot, held: list[models.Credential], readiness: Readiness
) -> PilotView:
    return PilotView(
        id=row.id,
        name=row.name,
        user_id=row.user_id,
        credentials=tuple(
            CredentialView(
                own.id, own.kind, own.number, own.valid_from, own.valid_until, own.ended_on
            )
            for own in sorted(held, key=lambda own: (own.kind, own.valid_from))
        ),
        ready=readiness.ready,
        reasons=readiness.blocks,
        warnings=readiness.warnings,
    )


def _battery_view(row: models.Battery, record: PackRecord) -> BatteryView:
    readiness = pack_readiness(record)
    return BatteryView(
        id=row.id,
        label=row.label,
        type=row.type,
        cycles=row.cycles,
        health_pct=row.health_pct,
        charged_at=row.charged_at,
        ready=readiness.ready,
        reasons=readiness.blocks,
        warnings=readiness.warnings,
        max_cycles=record.max_cycles,
        retired_at=row.retired_at,
    )
