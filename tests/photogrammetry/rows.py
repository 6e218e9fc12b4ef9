"""Rows of other packages' tables, filled with whatever their columns demand.

A scene refers to missions and sorties by id alone; how those come about is their own tests'
business.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, Integer, Table, insert
from sqlalchemy.orm import Session

from droneteam import schema
from droneteam.db import Base, UtcDateTime


def complete_metadata() -> None:
    """Add a bare table for every foreign key whose table is not part of the schema yet."""
    known = schema.metadata.tables
    wanted = {key.target_fullname.split(".")[0] for t in known.values() for key in t.foreign_keys}
    for name in sorted(wanted - set(known)):
        Table(name, Base.metadata, Column("id", Integer, primary_key=True))


def any_row(session: Session, table_name: str, **values: Any) -> int:
    """The id of a new row with these values and the least that the table allows otherwise."""
    table = Base.metadata.tables[table_name]
    for column in table.columns:
        if column.name in values or column.nullable or column.default is not None:
            continue
        if column.foreign_keys:
            target = next(iter(column.foreign_keys)).column.table.name
            values[column.name] = any_row(session, target)
        elif not column.primary_key:
            values[column.name] = _any_value(column, table_name)
    done = session.execute(insert(table).values(**values))
    return int(done.inserted_primary_key[0])


def _any_value(column: Column[Any], table_name: str) -> Any:
    if isinstance(column.type, UtcDateTime):
        return datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    if isinstance(column.type, JSON):
        return {}
    python_type = column.type.python_type
    return f"{table_name} {column.name}"[:20] if python_type is str else python_type()
