"""The registry and the logbook as plain records, and their JSON and CSV forms (pure).

Records name each other by what people write on things (serial numbers, labels, names), never by
row numbers, so that a registry can be carried to another installation.  The JSON form is one
document, the CSV form one file per kind of record; both hold the same, and reading either back
gives the same records.

CSV cells: empty is None, lists and objects are JSON, times are ISO 8601 with their offset.
"""

from __future__ import annotations

import csv
import io
import json
import math
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import date, datetime
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from droneteam.errors import InputError

FORMAT = "droneteam-registry-1"
MAX_RECORDS = 100_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell instead of showing it."""


@dataclass(frozen=True, slots=True)
class BatteryTypeRecord:
    """A kind of battery pack."""

    name: str
    endurance_min: int
    charge_min: int
    per_flight: int
    max_cycles: int
    KEY: ClassVar[tuple[str, ...]] = ("name",)


@dataclass(frozen=True, slots=True)
class DroneModelRecord:
    """A model of drone and the weather that it takes."""

    name: str
    max_gust_mps: float | None
    max_rain_mm_h: float | None
    KEY: ClassVar[tuple[str, ...]] = ("name",)


@dataclass(frozen=True, slots=True)
class BatteryRecord:
    """A battery pack."""

    label: str
    type: str
    cycles: int
    health_pct: int
    charged_at: datetime | None
    retired_at: datetime | None = None
    KEY: ClassVar[tuple[str, ...]] = ("label",)


@dataclass(frozen=True, slots=True)
class MeasurementRecord:
    """A battery pack's health as somebody measured it."""

    battery: str
    at: datetime
    health_pct: int
    cycles: int
    KEY: ClassVar[tuple[str, ...]] = ("battery", "at", "health_pct", "cycles")


@dataclass(frozen=True, slots=True)
class DroneRow:
    """A drone of the team."""

    name: str
    model: str
    serial: str
    operator_registration: str
    remote_id_serial: str
    firmware: str
    base_name: str
    base_lat_deg: float
    base_lon_deg: float
    pack_type: str
    low_noise: bool
    sensitive_allowed: bool
    flight_h: float
    cycles: int
    in_service_since: date
    retired: bool
    maintenance_rules: list[dict[str, Any]]
    KEY: ClassVar[tuple[str, ...]] = ("serial",)


@dataclass(frozen=True, slots=True)
class PayloadRecord:
    """A camera or other payload; drone_serial names what carries it."""

    serial: str
    model: str
    capabilities: list[str]
    fits_models: list[str]
    drone_serial: str | None
    KEY: ClassVar[tuple[str, ...]] = ("serial",)


@dataclass(frozen=True, slots=True)
class MountingRecord:
    """A payload was put on a drone, or taken off where drone_serial is None."""

    payload_serial: str
    at: datetime
    drone_serial: str | None
    KEY: ClassVar[tuple[str, ...]] = ("payload_serial", "at", "drone_serial")


@dataclass(frozen=True, slots=True)
class PilotRow:
    """A pilot."""

    name: str
    active: bool
    KEY: ClassVar[tuple[str, ...]] = ("name",)


@dataclass(frozen=True, slots=True)
class CredentialRecord:
    """A dated licence or rating of a pilot."""

    pilot: str
    kind: str
    number: str
    valid_from: date
    valid_until: date
    ended_on: date | None = None
    KEY: ClassVar[tuple[str, ...]] = ("pilot", "kind", "number", "valid_from")


@dataclass(frozen=True, slots=True)
class AbsenceRecord:
    """A time in which a pilot does not work."""

    pilot: str
    start_at: datetime
    end_at: datetime
    kind: str
    KEY: ClassVar[tuple[str, ...]] = ("pilot", "start_at", "kind")


@dataclass(frozen=True, slots=True)
class MaintenanceRow:
    """A service that was done, or a defect with its release."""

    drone_serial: str
    kind: str
    rule: str | None
    at: datetime
    text: str
    flight_h: float
    cycles: int
    released_at: datetime | None
    KEY: ClassVar[tuple[str, ...]] = ("drone_serial", "kind", "at", "text")


@dataclass(frozen=True, slots=True)
class ExperienceRecord:
    """Days on which a pilot flew, and how often."""

    pilot: str
    flown_on: date
    flights: int
    KEY: ClassVar[tuple[str, ...]] = ("pilot", "flown_on")


@dataclass(frozen=True, slots=True)
class FlightRecord:
    """A line of the logbook, with the values of the day."""

    key: str
    sortie: str
    drone_serial: str
    pilot: str
    took_off_at: datetime
    landed_at: datetime
    drone_then: dict[str, Any]
    pilot_then: dict[str, Any]
    packs_then: list[dict[str, Any]]
    remarks: str
    KEY: ClassVar[tuple[str, ...]] = ("key",)


Record = (
    DroneModelRecord
    | BatteryTypeRecord
    | BatteryRecord
    | MeasurementRecord
    | DroneRow
    | PayloadRecord
    | MountingRecord
    | PilotRow
    | CredentialRecord
    | AbsenceRecord
    | MaintenanceRow
    | ExperienceRecord
    | FlightRecord
)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Registry:
    """Everything; each tuple in the order of its records' keys."""

    drone_models: tuple[DroneModelRecord, ...] = ()
    battery_types: tuple[BatteryTypeRecord, ...] = ()
    batteries: tuple[BatteryRecord, ...] = ()
    measurements: tuple[MeasurementRecord, ...] = ()
    drones: tuple[DroneRow, ...] = ()
    payloads: tuple[PayloadRecord, ...] = ()
    mountings: tuple[MountingRecord, ...] = ()
    pilots: tuple[PilotRow, ...] = ()
    credentials: tuple[CredentialRecord, ...] = ()
    absences: tuple[AbsenceRecord, ...] = ()
    maintenance: tuple[MaintenanceRow, ...] = ()
    experience: tuple[ExperienceRecord, ...] = ()
    logbook: tuple[FlightRecord, ...] = ()


KINDS: dict[str, type[Any]] = {
    "drone_models": DroneModelRecord,
    "battery_types": BatteryTypeRecord,
    "batteries": BatteryRecord,
    "measurements": MeasurementRecord,
    "drones": DroneRow,
    "payloads": PayloadRecord,
    "mountings": MountingRecord,
    "pilots": PilotRow,
    "credentials": CredentialRecord,
    "absences": AbsenceRecord,
    "maintenance": MaintenanceRow,
    "experience": ExperienceRecord,
    "logbook": FlightRecord,
}


def required_members(kind: type[Any]) -> frozenset[str]:
    """The members that a record must give; those added by a later release may be left out."""
    return frozenset(field.name for field in fields(kind) if field.default is MISSING)


def key_of(record: Any) -> tuple[Any, ...]:
    """What names the record among its kind."""
    return tuple(getattr(record, name) for name in record.KEY)


def plain_record(record: Any) -> dict[str, Any]:
    """The record's members in their JSON form."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(record), default=_plain))
    return plain


def record_from(kind: type[R], values: Mapping[str, Any], where: str) -> R:
    """One record from its members in their JSON form; InputError names the wrong one."""
    return _record(kind, dict(values), where)


def to_json(registry: Registry) -> str:
    """The registry as one JSON document."""
    document = {"format": FORMAT} | {
        name: [asdict(record) for record in getattr(registry, name)] for name in KINDS
    }
    return json.dumps(document, ensure_ascii=False, indent=1, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, date):  # datetimes too
        return value.isoformat()
    raise TypeError(f"no JSON for {value!r}")


def from_json(text: str) -> Registry:
    """The registry of a JSON document.

    Raises
    ------
    InputError
        Names the record and the member that cannot be read.
    """
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the registry is no JSON: {error}", field="file") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError(f"the file is no registry of the format {FORMAT}", field="file")
    unknown = sorted(set(document) - set(KINDS) - {"format"})
    if unknown:
        raise InputError(f"the registry has an unknown part {unknown[0]!r}", field="file")
    parts: dict[str, tuple[Any, ...]] = {}
    for name, kind in KINDS.items():
        rows = document.get(name, [])
        if not isinstance(rows, list) or len(rows) > MAX_RECORDS:
            raise InputError(f"{name} is no list of at most {MAX_RECORDS} records", field="file")
        parts[name] = _checked(
            name, [_record(kind, row, f"{name} {n}") for n, row in enumerate(rows, start=1)]
        )
    return Registry(**parts)


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no number")


def to_csv(records: Iterable[Any], kind: type[Any]) -> str:
    """The records of one kind as CSV (RFC 4180), with a header."""
    names = [field.name for field in fields(kind)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for record in records:
        writer.writerow([_cell(getattr(record, name)) for name in names])
    return out.getvalue()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case bool() | list() | dict():
            return json.dumps(value, ensure_ascii=False, default=_plain)
        case float():
            return repr(value)
        case date():
            return value.isoformat()
        case str():
            return json.dumps(value) if value == "" else _quoted(value)
    return str(value)


def _quoted(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet would run as a formula."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def _unquoted(cell: str) -> str:
    """The text that `_quoted` was given."""
    quoted = cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA)
    return cell[1:] if quoted else cell


def from_csv(text: str, kind: type[R]) -> tuple[R, ...]:
    """The records of one kind from CSV.

    Raises
    ------
    InputError
        Names the line and the column that cannot be read.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    name = next(part for part, found in KINDS.items() if found is kind)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{name}, line {reader.line_num}: {error}", field="file") from error
    head = rows[0][1] if rows else []
    if len(set(head)) < len(head) or not required_members(kind) <= set(head) <= set(names):
        raise InputError(f"{name}: the header must name {', '.join(names)}", field="file")
    made = []
    for line, row in rows[1:]:
        where = f"{name}, line {line}"
        if len(row) != len(head):
            raise InputError(f"{where} has {len(row)} cells, not {len(head)}", field="file")
        hints = get_type_hints(kind)
        values = {
            key: _uncell(cell, hints[key], where) for key, cell in zip(head, row, strict=True)
        }
        made.append(_record(kind, values, where))
    return _checked(name, made)


def _uncell(cell: str, hint: Any, where: str) -> Any:
    """The JSON value of a cell."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if cell == "":
        return None
    if str in kinds:
        return "" if cell == '""' else _unquoted(cell)
    if date in kinds or datetime in kinds:
        return cell
    try:
        return json.loads(cell, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: {cell[:40]!r} cannot be read: {error}", field="file") from error


def _checked(name: str, records: list[R]) -> tuple[R, ...]:
    """The records in the order of their keys; two of one key are an error."""
    keyed = {key_of(record): record for record in records}
    if len(keyed) < len(records):
        seen: set[tuple[Any, ...]] = set()
        twice = next(k for k in map(key_of, records) if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise InputError(f"{name} holds {', '.join(map(str, twice))} twice", field="file")
    return tuple(record for _, record in sorted(keyed.items(), key=lambda item: str(item[0])))


def _record(kind: type[R], row: object, where: str) -> R:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    if not isinstance(row, dict):
        raise InputError(f"{where} is no object", field="file")
    odd = sorted(map(str, (set(row) - set(names)) | (required_members(kind) - set(row))))
    if odd:
        raise InputError(f"{where}: the member {odd[0]!r} is missing or unknown", field="file")
    return kind(**{name: _value(row[name], hints[name], f"{where}: {name}") for name in row})


def _value(value: Any, hint: Any, where: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    if hint in (datetime, date):
        return _time(value, hint, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = get_origin(hint) or hint
    if not isinstance(value, plain) or (plain is int and isinstance(value, bool)):
        raise InputError(f"{where} is {value!r}, no {plain.__name__}", field="file")
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{where} is no finite number", field="file")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**31:
        raise InputError(f"{where} {value} is too large", field="file")
    return value


def _time(value: object, hint: type[date], where: str) -> date:
    try:
        found = hint.fromisoformat(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{where} {value!r} is no {hint.__name__}", field="file") from None
    if isinstance(found, datetime) and found.tzinfo is None:
        raise InputError(f"{where} {value!r} has no time zone", field="file")
    return found


def csv_files(registry: Registry) -> Mapping[str, str]:
    """File name → CSV text, one for each kind of record."""
    return {f"{name}.csv": to_csv(getattr(registry, name), kind) for name, kind in KINDS.items()}


def from_csv_files(files: Mapping[str, str]) -> Registry:
    """The registry of such files; a missing file is a kind without records.

    Raises
    ------
    InputError
        A file has none of the known names, or cannot be read.
    """
    unknown = sorted(set(files) - {f"{name}.csv" for name in KINDS})
    if unknown:
        raise InputError(f"{unknown[0]!r} is no file of a registry", field="file")
    return Registry(
        **{
            name: from_csv(files[f"{name}.csv"], kind)
            for name, kind in KINDS.items()
            if f"{name}.csv" in files
        }
    )
