"""Migrations lead to the very tables that the code declares, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from droneteam import db, schema
from droneteam.errors import SetupError


@pytest.fixture
def empty(request: pytest.FixtureRequest, engine: Engine) -> Engine:
    """A database without any table."""
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
    return engine


def test_migrations_make_the_declared_tables(empty: Engine) -> None:
    schema.upgrade(empty)
    with empty.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    schema.require_current(empty)


def test_a_second_upgrade_changes_nothing(empty: Engine) -> None:
    assert schema.upgrade(empty) == schema.upgrade(empty) == schema.newest_revision()


def test_an_upgraded_audit_table_is_append_only(empty: Engine) -> None:
    schema.upgrade(empty)
    with empty.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit_entry (at, actor, action, subject, facts, previous_hash, hash)"
                " VALUES ('2026-05-04', 'a', 'b', 'c', '{}', 'd', 'e')"
            )
        )
    with pytest.raises(DBAPIError, match="append-only"), empty.begin() as connection:
        connection.execute(text("DELETE FROM audit_entry"))


def test_an_old_database_says_what_to_do(tmp_path: Path) -> None:
    engine = db.make_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with pytest.raises(SetupError, match="droneteam database upgrade"):
        schema.require_current(engine)


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(SetupError, match="mysql"):
        db.make_engine("mysql://localhost/x")
