"""One thing at a time into the registry: a drone, a pilot, a pack, a payload, or a change of it.

The same rules as for a whole file hold, so that what a page takes an import takes too.  What is
known by counting (hours, cycles) or by its own history (what carries a payload) is not typed over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from droneteam.accounts import Actor, require_role
from droneteam.errors import InputError, NotFound
from droneteam.fleet.assets import records
from droneteam.fleet.assets.exchange import Imported, export_part, store_registry
from droneteam.fleet.assets.upkeep import KEEPERS

PARTS = ("battery_types", "batteries", "drones", "payloads", "pilots")
"""What may be written one by one."""
_COUNTED: dict[str, tuple[str, ...]] = {
    "batteries": ("cycles", "health_pct", "charged_at", "retired_at"),
    "drones": ("flight_h", "cycles"),
    "payloads": ("drone_serial",),
}
"""What grows or moves by services of its own; a record brings it only when it is new."""
_CTA_2063_A = re.compile(r"[0-9A-HJ-NP-Z]{4}(?P<length>[1-9A-F])(?P<own>[0-9A-HJ-NP-Z]+)")
_LENGTHS = {
    "label": 60,
    "name": 120,
    "model": 120,
    "serial": 60,
    "operator_registration": 60,
    "remote_id_serial": 20,
    "firmware": 60,
    "base_name": 120,
}


def save_record(
    session: Session, actor: Actor, part: str, values: Mapping[str, Any], now: datetime
) -> Imported:
    """What was added or changed; the record is known by its key (serial, label or name).

    values : the record's members in their JSON form

    Raises
    ------
    InputError
        A member is missing, unknown, impossible, or is counted and would be typed over.
    NotFound
        The registry has no such part.
    """
    require_role(actor, *KEEPERS)
    kind = records.KINDS.get(part) if part in PARTS else None
    if kind is None:
        raise NotFound("part of the registry", part)
    record = records.record_from(kind, values, part)
    _check_texts(record)
    known = find_record(session, part, records.key_of(record))
    if known is not None:
        for name in _COUNTED.get(part, ()):
            if getattr(known, name) != getattr(record, name):
                raise InputError(
                    f"{name} is {getattr(known, name)} by the records and is not typed over",
                    field=name,
                )
    return store_registry(session, actor, records.Registry(**{part: (record,)}), now)


def find_record(session: Session, part: str, key: tuple[Any, ...]) -> Any | None:
    """The record of that key, or None."""
    rows = export_part(session, part)
    return next((row for row in rows if records.key_of(row) == key), None)


def change_record(
    session: Session,
    actor: Actor,
    part: str,
    key: tuple[Any, ...],
    changes: Mapping[str, Any],
    now: datetime,
) -> Imported:
    """As `save_record` for a known record of which only some members change.

    Raises
    ------
    NotFound
        There is no such record.
    """
    require_role(actor, *KEEPERS)
    known = find_record(session, part, key)
    if known is None:
        raise NotFound(part, ", ".join(map(str, key)))
    values = records.plain_record(known)
    return save_record(session, actor, part, {**values, **changes}, now)


def _check_texts(record: Any) -> None:
    """Every name is there and short enough for its column, and a Remote ID is one."""
    if isinstance(record, records.DroneRow) and not _is_cta_serial(record.remote_id_serial):
        raise InputError(
            f"remote_id_serial {record.remote_id_serial!r} is no serial number as drones send it "
            "(ANSI/CTA-2063-A: maker's code of 4, the length, then that many digits and letters "
            "without I and O)",
            field="remote_id_serial",
        )
    for name, value in asdict(record).items():
        limit = _LENGTHS.get(name)
        if limit is not None and not 0 < len(str(value).strip()) <= limit:
            raise InputError(f"{name} needs 1 to {limit} characters", field=name)


def _is_cta_serial(text: str) -> bool:
    match = _CTA_2063_A.fullmatch(text)
    return match is not None and len(match["own"]) == int(match["length"], 16)
