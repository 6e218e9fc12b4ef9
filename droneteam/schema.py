"""Every table: importing this module makes the metadata whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

import droneteam.accounts
import droneteam.audit
import droneteam.detection.models
import droneteam.evidence.models
import droneteam.fleet.models
import droneteam.jobs
import droneteam.missions.models
import droneteam.photogrammetry.models
import droneteam.places.models
import droneteam.sessions
import droneteam.versions
import droneteam.webhooks  # noqa: F401
from droneteam.db import Base
from droneteam.errors import SetupError

metadata = Base.metadata


def create_all(engine: Engine) -> None:
    """Make every table in an empty database; tests use it, installations use `upgrade`."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection)
        context.stamp(ScriptDirectory.from_config(_config()), "head")


def upgrade(engine: Engine) -> str:
    """The schema's revision after every outstanding migration has run in one transaction."""
    config = _config()
    with _rebuilding(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return newest_revision()


@contextmanager
def _rebuilding(engine: Engine) -> Iterator[Connection]:
    """A transaction in which tables that others refer to can be built anew.

    SQLite changes a table by making another in its place, which its foreign keys forbid; they
    are checked once, at the end, instead of at each step.

    Raises
    ------
    SetupError
        A row would refer to nothing; nothing is changed then.
    """
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        raw = connection.connection.driver_connection
        if is_sqlite and raw is not None:
            raw.execute("PRAGMA foreign_keys = OFF")  # has no effect within a transaction
        try:
            with connection.begin():
                yield connection
                if is_sqlite:
                    _check_references(connection)
        finally:
            if is_sqlite and raw is not None:
                raw.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        table, row_id, other, _ = broken[0]
        raise SetupError(
            f"{len(broken)} rows refer to nothing, the first is {table} {row_id} to {other}: "
            "the database is left as it was; restore a backup or remove the row"
        )


@cache
def newest_revision() -> str:
    """The revision that this release needs."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def require_current(engine: Engine) -> None:
    """Nothing, when the database has this release's schema.

    Raises
    ------
    SetupError
        Says which command brings it there.
    """
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != newest_revision():
        raise SetupError(
            f"the database is at revision {found}, this release needs {newest_revision()}: "
            "run `droneteam database upgrade`"
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
