"""The database engine, the session scope and the base of every table; no tables here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DDL, DateTime, Dialect, Engine, MetaData, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from droneteam.errors import InputError, SetupError

SQLITE_MINIMUM = (3, 51, 3)
"""Older versions can corrupt a WAL database that is reset while it is read."""
BUSY_TIMEOUT_MS = 15_000

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of every table; constraints carry names so that migrations can find them."""

    metadata = MetaData(naming_convention=_NAMING)


def append_only_ddl(table: str) -> dict[str, tuple[str, ...]]:
    """The statements that make a table refuse changes, by dialect; migrations run them too."""
    sqlite = tuple(
        f"CREATE TRIGGER {table}_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    )
    postgresql = (
        f"CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger AS $$ "
        f"BEGIN RAISE EXCEPTION '{table} is append-only'; END $$ LANGUAGE plpgsql",
        f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse()",
    )
    return {"sqlite": sqlite, "postgresql": postgresql}


def make_append_only(model: type[Base]) -> None:
    """Nothing; from now on the model's table refuses changes wherever it is created."""
    for dialect, statements in append_only_ddl(model.__tablename__).items():
        for statement in statements:
            ddl = DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]
            event.listen(model.__table__, "after_create", ddl)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored as UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The value in UTC; InputError for one without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise InputError(f"time {value.isoformat()} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """An aware datetime, on every database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def make_engine(url: str) -> Engine:
    """An engine for SQLite (WAL, full synchronous, foreign keys) or PostgreSQL.

    Raises
    ------
    SetupError
        The SQLite library is older than SQLITE_MINIMUM, or the database is of another kind.
    """
    backend = make_url(url).get_backend_name()
    if backend == "sqlite":
        return _sqlite_engine(url)
    if backend == "postgresql":
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True)
    raise SetupError(f"database {backend!r} is not supported; use sqlite or postgresql")


def _sqlite_engine(url: str) -> Engine:
    import pysqlite3.dbapi2 as sqlite

    if sqlite.sqlite_version_info < SQLITE_MINIMUM:
        needed = ".".join(map(str, SQLITE_MINIMUM))
        raise SetupError(f"SQLite {sqlite.sqlite_version} is older than {needed}")
    engine = create_engine(url, module=sqlite, connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's "begin" event opens transactions
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A deferred transaction that reads and then writes can fail at once with "database is
        # locked", whatever the busy timeout; writers therefore ask for the lock first.
        immediate = connection.get_execution_options().get("readonly") is not True
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def session_scope(engine: Engine) -> Iterator[Session]:
    """A session that commits at the end and rolls back on any exception."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def read_scope(engine: Engine) -> Iterator[Session]:
    """A session for reading only; on SQLite it never waits for a writer."""
    with engine.connect() as plain:
        connection = plain.execution_options(readonly=True)
        with Session(connection, expire_on_commit=False) as session:
            yield session
            session.rollback()
