"""Migrations lead to the very tables that the code declares, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
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


def at_revision(engine: Engine, revision: str) -> None:
    config = schema._config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_rows_that_others_refer_to_survive_the_rebuilding_of_their_table(empty: Engine) -> None:
    at_revision(empty, "9fa62c711911")
    with empty.begin() as connection:
        for row in (
            "INSERT INTO organisation VALUES (1, 'A', 'zone', 'a', 'a', 'a')",
            'INSERT INTO "user" (id, organisation_id, login, display_name, language, session_key, '
            "active, failed_logins) VALUES (7, 1, 'x', 'X', 'fr', 'k', true, 0)",
            "INSERT INTO role VALUES (1, 7, 'pilot')",
        ):
            connection.execute(text(row))
    schema.upgrade(empty)
    with empty.begin() as connection:
        assert connection.execute(text('SELECT id, login FROM "user"')).all() == [(7, "x")]
        assert connection.execute(text("SELECT user_id FROM role")).all() == [(7,)]
    with pytest.raises(DBAPIError), empty.begin() as connection:
        connection.execute(text("INSERT INTO role VALUES (2, 99, 'pilot')"))


def test_an_upgrade_that_would_leave_a_dangling_row_changes_nothing(tmp_path: Path) -> None:
    engine = db.make_engine(f"sqlite:///{tmp_path / 'broken.db'}")
    at_revision(engine, "9fa62c711911")
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("INSERT INTO role VALUES (1, 99, 'pilot')")
        raw.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(SetupError, match="role 1 to user"):
        schema.upgrade(engine)
    with pytest.raises(SetupError, match="9fa62c711911"):
        schema.require_current(engine)
    engine.dispose()
