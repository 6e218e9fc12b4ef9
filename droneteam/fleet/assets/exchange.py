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
from sqlalchemy.orm import InstrumentedAttribute, Session

from droneteam import audit
from droneteam.accounts import Actor, require_role
from droneteam.errors import Conflict, InputError
from droneteam.fleet import models
from droneteam.fleet.assets import records
from droneteam.fleet.assets.registry import Credential, MaintenanceRule
from droneteam.fleet.assets.upkeep import check_limits
from droneteam.fleet.head import touch_head
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
    export = _Export(session)
    return records.Registry(**{part: export.part(part) for part in records.KINDS})


def export_part(session: Session, part: str) -> tuple[Any, ...]:
    """The records of one kind, for callers that have checked the role."""
    return _Export(session).part(part)


_TABLES: dict[str, type[Any]] = {
    "drone_models": models.DroneModel,
    "battery_types": models.BatteryType,
    "batteries": models.Battery,
    "measurements": models.BatteryMeasurement,
    "drones": models.Drone,
    "pilots": models.Pilot,
    "payloads": models.Payload,
    "mountings": models.Mounting,
    "credentials": models.Credential,
    "absences": models.Absence,
    "maintenance": models.Maintenance,
    "logbook": models.Flight,
}
"""The table of each kind of record, what others name first."""


class _Export:
    """One export under way; row numbers become the names that people write on things."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._drones = {row.id: row.serial for row in session.scalars(select(models.Drone))}
        self._pilots = {row.id: row.name for row in session.scalars(select(models.Pilot))}
        self._packs = {row.id: row.label for row in session.scalars(select(models.Battery))}
        self._payloads = {row.id: row.serial for row in session.scalars(select(models.Payload))}

    def part(self, part: str) -> tuple[Any, ...]:
        """The records of one kind in the order of their keys."""
        if part == "experience":
            return self._experience()
        kind = records.KINDS[part]
        names = [field.name for field in fields(kind)]
        made = [
            kind(**{name: self._member(row, name) for name in names})
            for row in self._session.scalars(select(_TABLES[part]))
        ]
        return tuple(sorted(made, key=lambda record: str(records.key_of(record))))

    def _member(self, row: Any, name: str) -> Any:
        match name:
            case "drone_serial":
                return self._drones.get(row.drone_id)
            case "pilot":
                return self._pilots[row.pilot_id]
            case "battery":
                return self._packs[row.battery_id]
            case "payload_serial":
                return self._payloads[row.payload_id]
            case "packs_then":
                return [dict(pack) for pack in row.packs]
        return getattr(row, _RENAMED.get(name, name))

    def _experience(self) -> tuple[records.ExperienceRecord, ...]:
        days = Counter(
            (self._pilots[row.pilot_id], row.flown_on)
            for row in self._session.scalars(select(models.PilotFlight))
        )
        made = [records.ExperienceRecord(name, day, n) for (name, day), n in days.items()]
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
    return store_registry(session, actor, registry, now)


def store_registry(
    session: Session, actor: Actor, registry: records.Registry, now: datetime
) -> Imported:
    """As `import_registry`, for callers that have checked the role."""
    check_registry(registry)
    touch_head(session)
    _check_unique(session, registry.drones)
    run = _Import(session)
    for part, table in _TABLES.items():
        if part == "logbook":
            run.grow_experience(registry.experience)
        run.put(part, table, getattr(registry, part))
    done = Imported(dict(run.added), dict(run.changed))
    facts = {"added": done.added, "changed": done.changed}
    audit.append(session, actor, action="registry.import", subject="registry", at=now, facts=facts)
    return done


def _check_unique(session: Session, drones: tuple[records.DroneRow, ...]) -> None:
    """Nothing, when no two drones would share a name or a Remote ID; Conflict otherwise."""
    rows = session.scalars(select(models.Drone))
    after = {row.serial: (row.name, row.remote_id_serial) for row in rows}
    after |= {row.serial: (row.name, row.remote_id_serial) for row in drones}
    for place, what in enumerate(("name", "Remote ID serial")):
        count = Counter(named[place] for named in after.values())
        twice = [value for value, n in count.items() if n > 1]
        if twice:
            raise Conflict(f"two drones would have the {what} {twice[0]!r}")


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
    for measured in registry.measurements:
        _natural(f"measurement of {measured.battery}", cycles=measured.cycles)
        if not 0 <= measured.health_pct <= 100:
            raise InputError(
                f"{measured.battery}: health_pct {measured.health_pct} is no percentage"
            )
    for model in registry.drone_models:
        check_limits((model.max_gust_mps, model.max_rain_mm_h))
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
_HISTORY = (models.Maintenance, models.Flight, models.BatteryMeasurement, models.Mounting)
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
        return tuple(self._key_member(row, name) for name in kind.KEY)

    def _key_member(self, row: Any, name: str) -> Any:
        """A member of the row's key; row numbers have become names."""
        get = self._session.get_one
        match name:
            case "pilot":
                return get(models.Pilot, row.pilot_id).name
            case "drone_serial":
                return None if row.drone_id is None else get(models.Drone, row.drone_id).serial
            case "battery":
                return get(models.Battery, row.battery_id).label
            case "payload_serial":
                return get(models.Payload, row.payload_id).serial
        return getattr(row, name)

    def _columns(self, record: Any, part: str) -> dict[str, Any]:
        """The record's values by column; names have become row numbers."""
        values: dict[str, Any] = {}
        for field in fields(record):
            value = getattr(record, field.name)
            if field.name == "drone_serial":
                values["drone_id"] = None if value is None else self._drone_id(value, part)
            elif field.name == "pilot":
                values["pilot_id"] = self._pilot_id(value, part)
            elif field.name == "battery":
                values["battery_id"] = self._named(models.Battery.label, value, part)
            elif field.name == "payload_serial":
                values["payload_id"] = self._named(models.Payload.serial, value, part)
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
        return self._named(models.Drone.serial, serial, part)

    def _pilot_id(self, name: str, part: str) -> int:
        return self._named(models.Pilot.name, name, part)

    def _named(self, column: InstrumentedAttribute[str], value: str, part: str) -> int:
        """The number of the row whose column holds the value."""
        table = column.class_
        row_id: int | None = self._session.scalar(select(table.id).where(column == value))
        if row_id is None:
            kind = table.__tablename__
            what = "" if column.key == "name" else f" of {column.key}"
            raise InputError(f"{part}: no {kind}{what} {value!r}", field="file")
        return row_id

    def _pack_type(self, name: str, part: str) -> str:
        if self._session.get(models.BatteryType, name) is None:
            raise InputError(f"{part}: no battery type {name!r}", field="file")
        return name
