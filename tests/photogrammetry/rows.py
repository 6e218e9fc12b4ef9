"""Rows of other packages' tables, filled with whatever their columns demand.

A scene refers to missions and sorties by id alone; how those come about is their own tests'
business.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, Date, String, insert, select
from sqlalchemy.orm import Session

from droneteam.db import Base, UtcDateTime


def any_row(session: Session, table_name: str, **values: Any) -> Any:
    """The key of a new row with these values and the least that the table allows otherwise."""
    table = Base.metadata.tables[table_name]
    for column in table.columns:
        if column.name in values or column.nullable or column.default is not None:
            continue
        if column.foreign_keys:
            target = next(iter(column.foreign_keys)).column
            existing = session.scalar(select(target).limit(1))
            values[column.name] = existing or any_row(session, target.table.name)
        elif column is not table.autoincrement_column:
            values[column.name] = _any_value(column, table_name)
    return session.execute(insert(table).values(**values)).inserted_primary_key[0]


def _any_value(column: Column[Any], table_name: str) -> Any:
    at = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
    match column.type:
        case UtcDateTime():
            return at
        case Date():
            return at.date()
        case JSON():
            return {}
        case String(length=length):
            return f"{table_name} {column.name}"[: length or 20]
    return column.type.python_type()
