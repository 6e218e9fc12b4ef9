"""Import and export of the registry and the logbook.

An import is whole or not at all.  It adds what is new, changes what is known by its key, and
removes nothing: what is missing in a file may just be another file's.  The logbook and the
history of services only grow; a line that stands is never changed, and one that contradicts it
is an error.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.fleet import models, records
from droneteam.fleet.head import touch_head
from droneteam.fleet.registry import Credential, MaintenanceRule
from droneteam.fleet.terms import Window
from droneteam.geo import check_lat_lon

EXPORTERS = ("administrator", "manager", "auditor", "coordinator")
IMPORTERS = ("administrator",)
_MAINTENANCE_KINDS = ("service", "defect")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many records of each kind an import added and changed."""

    added: dict[str, int]
    changed: dict[str, int]


def export_registry(session: Session, actor: Actor) -> records.Registry:
    """Everything that the registry and the logbook hold."""
    require_role(actor, *EXPORTERS)
    drones = {row.id: row.serial for row in session.scalars(select(models.Drone))}
    pilots = {row.id: row.name for row in session.scalars(select(models.Pilot))}

    def plain(kind: type[Any], table: type[Any], **named: Any) -> tuple[Any, ...]:
        """One record per row; named gives the members that are no columns."""
        names = [field.name for field in fields(kind)]
        made = [
            kind(**{n: named[n](row) if n in named else getattr(row, n) for n in names})
            for row in session.scalars(select(table))
        ]
        return tuple(sorted(made, key=lambda record: str(records.key_of(record))))

    return records.Registry(
        battery_types=plain(records.BatteryTypeRecord, models.BatteryType),
        batteries=plain(records.BatteryRecord, models.Battery),
        drones=plain(records.DroneRow, models.Drone),
        payloads=plain(
            records.PayloadRecord, models.Payload, drone_serial=lambda r: drones.get(r.drone_id)
        ),
        pilots=plain(records.PilotRow, models.Pilot),
        credentials=plain(
            records.CredentialRecord, models.Credential, pilot=lambda r: pilots[r.pilot_id]
        ),
        absences=plain(records.AbsenceRecord, models.Absence, pilot=lambda r: pilots[r.pilot_id]),
        maintenance=plain(
            records.MaintenanceRow, models.Maintenance, drone_serial=lambda r: drones[r.drone_id]
        ),
        experience=_experience(session, pilots),
        logbook=plain(
            records.FlightRecord,
            models.Flight,
            drone_serial=lambda r: drones[r.drone_id],
            pilot=lambda r: pilots[r.pilot_id],
            drone_then=lambda r: dict(r.drone),
            pilot_then=lambda r: dict(r.pilot),
            packs_then=lambda r: [dict(pack) for pack in r.packs],
        ),
    )


def _experience(session: Session, pilots: dict[int, str]) -> tuple[records.ExperienceRecord, ...]:
    days = Counter(
        (pilots[row.pilot_id], row.flown_on) for row in session.scalars(select(models.PilotFlight))
    )
    made = [records.ExperienceRecord(name, day, count) for (name, day), count in days.items()]
    return tuple(sorted(made, key=lambda record: str(records.key_of(record))))


def import_registry(
    session: Session, actor: Actor, registry: records.Registry, now: datetime
) -> Imported:
    """How much was added and changed.

    Raises
    ------
    InputError
        A record is impossible by itself, or names something that neither it nor the registry
        holds.
    Conflict
        The file contradicts the logbook or the history of services.
    """
    require_role(actor, *IMPORTERS)
    check_registry(registry)
    touch_head(session)
    run = _Import(session)
    run.put("battery_types", models.BatteryType, registry.battery_types)
    run.put("batteries", models.Battery, registry.batteries)
    run.put("drones", models.Drone, registry.drones)
    run.put("pilots", models.Pilot, registry.pilots)
    run.put("payloads", models.Payload, registry.payloads)
    run.put("credentials", models.Credential, registry.credentials)
    run.put("absences", models.Absence, registry.absences)
    run.put("maintenance", models.Maintenance, registry.maintenance)
    run.grow_experience(registry.experience)
    run.put("logbook", models.Flight, registry.logbook)
    done = Imported(dict(run.added), dict(run.changed))
    facts = {"added": done.added, "changed": done.changed}
    audit.append(session, actor, action="registry.import", subject="registry", at=now, facts=facts)
    return done


def check_registry(registry: records.Registry) -> None:
    """Nothing, when each record is possible by itself; InputError names the first that is not."""
    for drone in registry.drones:
        where = f"drone {drone.serial}"
        check_lat_lon(drone.base_lat_deg, drone.base_lon_deg)
        _natural(where, flight_h=drone.flight_h, cycles=drone.cycles)
        for rule in drone.maintenance_rules:
            _check_rule(where, rule)
    _check_mounts(registry)
    for pack in registry.batteries:
        _natural(f"battery {pack.label}", cycles=pack.cycles, health_pct=pack.health_pct)
        if pack.health_pct > 100:
            raise InputError(f"battery {pack.label}: health_pct {pack.health_pct} is above 100")
    for kind in registry.battery_types:
        if min(kind.endurance_min, kind.charge_min, kind.per_flight, kind.max_cycles) < 1:
            raise InputError(f"battery type {kind.name}: a value is below 1")
    for held in registry.credentials:
        Credential(held.kind, held.valid_from, held.valid_until)
    for absence in registry.absences:
        Window(absence.start_at, absence.end_at)
    for flight in registry.logbook:
        Window(flight.took_off_at, flight.landed_at)
    for done in registry.maintenance:
        if done.kind not in _MAINTENANCE_KINDS:
            raise InputError(f"maintenance kind {done.kind!r} is neither service nor defect")
        _natural(f"maintenance of {done.drone_serial}", flight_h=done.flight_h, cycles=done.cycles)
    for days in registry.experience:
        if not 0 < days.flights <= 100:
            raise InputError(f"{days.pilot} flew {days.flights} times on {days.flown_on}")


def _check_mounts(registry: records.Registry) -> None:
    """Every payload fits the drone that carries it, where the file holds both."""
    model = {drone.serial: drone.model for drone in registry.drones}
    for payload in registry.payloads:
        carrier = model.get(payload.drone_serial or "")
        if carrier is not None and carrier not in payload.fits_models:
            raise InputError(
                f"payload {payload.serial} fits {', '.join(payload.fits_models) or 'no model'}, "
                f"not a {carrier}",
                field="file",
            )


def _natural(where: str, **values: float) -> None:
    for name, value in values.items():
        if value < 0:
            raise InputError(f"{where}: {name} {value} is below 0", field="file")


def _check_rule(where: str, rule: dict[str, Any]) -> None:
    try:
        read = MaintenanceRule(**rule)
    except TypeError as error:
        raise InputError(f"{where}: a maintenance rule is malformed: {error}") from error
    values = (read.every_flight_h, read.every_cycles, read.every_days)
    given = [value for value in values if value is not None]
    if not given or not all(isinstance(value, int | float) and value > 0 for value in given):
        raise InputError(f"{where}: the maintenance rule {read.name!r} needs intervals above 0")


_RENAMED = {"drone_then": "drone", "pilot_then": "pilot", "packs_then": "packs"}
_HISTORY = (models.Maintenance, models.Flight)
"""What only grows."""


class _Import:
    """One import under way: what was added and changed, and how names become rows."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.added: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()

    def put(self, part: str, table: type[Any], some: tuple[Any, ...]) -> None:
        """The records as rows, added or changed."""
        if not some:
            return
        known = {
            self._row_key(type(some[0]), row): row for row in self._session.scalars(select(table))
        }
        for record in some:
            row = known.get(records.key_of(record))
            values = self._columns(record, part)
            if row is None:
                self._session.add(table(**values))
                self.added[part] += 1
            elif self._update(row, values, part):
                self.changed[part] += 1
        self._session.flush()

    def _row_key(self, kind: type[Any], row: Any) -> tuple[Any, ...]:
        named = {
            "pilot": lambda: self._session.get_one(models.Pilot, row.pilot_id).name,
            "drone_serial": lambda: self._session.get_one(models.Drone, row.drone_id).serial,
        }
        return tuple(named[n]() if n in named else getattr(row, n) for n in kind.KEY)

    def _columns(self, record: Any, part: str) -> dict[str, Any]:
        """The record's values by column; names have become row numbers."""
        values: dict[str, Any] = {}
        for field in fields(record):
            value = getattr(record, field.name)
            if field.name == "drone_serial":
                values["drone_id"] = None if value is None else self._drone_id(value, part)
            elif field.name == "pilot":
                values["pilot_id"] = self._pilot_id(value, part)
            elif field.name in ("type", "pack_type"):
                values[field.name] = self._pack_type(value, part)
            else:
                values[_RENAMED.get(field.name, field.name)] = value
        return values

    def _update(self, row: Any, values: dict[str, Any], part: str) -> bool:
        """Whether the row differed; a line of history must not."""
        differing = {name for name, value in values.items() if getattr(row, name) != value}
        if isinstance(row, _HISTORY) and differing:
            raise Conflict(
                f"{part}: the entry of {values.get('at') or values.get('took_off_at')} stands in "
                f"the records with another {sorted(differing)[0]}; history is not imported over, "
                "and a defect is released by a second person only"
            )
        for name in differing:
            setattr(row, name, values[name])
        return bool(differing)

    def grow_experience(self, some: tuple[records.ExperienceRecord, ...]) -> None:
        """Days of flight up to the counts that the records give."""
        for record in some:
            pilot_id = self._pilot_id(record.pilot, "experience")
            query = select(models.PilotFlight).where(
                models.PilotFlight.pilot_id == pilot_id,
                models.PilotFlight.flown_on == record.flown_on,
            )
            missing = record.flights - len(self._session.scalars(query).all())
            for _ in range(max(0, missing)):
                self._session.add(models.PilotFlight(pilot_id=pilot_id, flown_on=record.flown_on))
                self.added["experience"] += 1
        self._session.flush()

    def _drone_id(self, serial: str, part: str) -> int:
        query = select(models.Drone.id).where(models.Drone.serial == serial)
        return self._found(self._session.scalar(query), f"{part}: no drone of serial {serial!r}")

    def _pilot_id(self, name: str, part: str) -> int:
        query = select(models.Pilot.id).where(models.Pilot.name == name)
        return self._found(self._session.scalar(query), f"{part}: no pilot {name!r}")

    def _pack_type(self, name: str, part: str) -> str:
        if self._session.get(models.BatteryType, name) is None:
            raise InputError(f"{part}: no battery type {name!r}", field="file")
        return name

    def _found(self, row_id: int | None, problem: str) -> int:
        if row_id is None:
            raise InputError(problem, field="file")
        return row_id
