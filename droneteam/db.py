"""The database engine, the session scope and the base of every table; no tables here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    DDL,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Select,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session
from sqlalchemy.types import TypeDecorator

from droneteam.errors import InputError, SetupError

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_Row = TypeVar("_Row", bound="Base")
_READ = "read once"
"""Where a session for reading keeps what `once` has read."""

SQLITE_MINIMUM = (3, 51, 3)
"""Older versions can corrupt a WAL database that is reset while it is read."""
BUSY_TIMEOUT_MS = 15_000
LOOK_S = 0.005
"""How long a change of a SQLite database may go unnoticed by who waits for it."""
_CHANNEL = "droneteam_changed"

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


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of a list that grows for years: the rows with the largest numbers first.

    before_id : only rows below that number, None from the newest on; limit : None for all.
    """

    before_id: int | None = None
    limit: int | None = None

    def of(self, query: Select[Any], number: InstrumentedAttribute[int]) -> Select[Any]:
        """The piece of a query whose rows bear that number."""
        cut = query.order_by(number.desc())
        if self.before_id is not None:
            cut = cut.where(number < self.before_id)
        return cut if self.limit is None else cut.limit(self.limit)


WHOLE = Piece()


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
        return _postgresql_engine(create_engine(parsed, pool_pre_ping=True))
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


def _postgresql_engine(engine: Engine) -> Engine:
    @event.listens_for(engine, "commit")
    def _tell(connection: Connection) -> None:
        # Sent by the server when the transaction is there for others to read.
        connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")

    return engine


class Changes:
    """Tells that somebody, in any process, has committed to the database.

    SQLite's data version is looked at (some microseconds) every LOOK_S; PostgreSQL notifies.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._version: int | None = None

    def wait(self, timeout_s: float) -> bool:
        """Whether there was a commit since the last time, waiting for one so long.

        While the database does not answer, there may have been one.
        """
        try:
            if self._connection is None:
                self._connect()
            if self._engine.dialect.name == "sqlite":
                return self._data_version_changed(timeout_s)
            return any(self._connection.notifies(timeout=timeout_s, stop_after=1))
        except self._errors() as error:
            logger.warning("the database does not tell of changes, looking anyway: %s", error)
            self.close()
            time.sleep(timeout_s)
            return True

    def close(self) -> None:
        """Give the connection back; the next wait takes a new one."""
        connection, self._connection, self._version = self._connection, None, None
        if connection is not None:
            connection.close()

    def _errors(self) -> tuple[type[Exception], ...]:
        dbapi = self._engine.dialect.loaded_dbapi
        return (DBAPIError, dbapi.Error)

    def _connect(self) -> None:
        # Out of the pool: a connection that waits must not keep others from theirs.
        pooled = self._engine.raw_connection()
        pooled.detach()
        self._connection = pooled.dbapi_connection
        if self._engine.dialect.name != "sqlite":
            self._connection.autocommit = True
            self._connection.execute(f"LISTEN {_CHANNEL}")

    def _data_version_changed(self, timeout_s: float) -> bool:
        end_s = time.monotonic() + timeout_s
        while True:
            ((version,),) = self._connection.execute("PRAGMA data_version").fetchall()
            before, self._version = self._version, version
            if before != version:
                return True
            left_s = end_s - time.monotonic()
            if left_s <= 0.0:
                return False
            time.sleep(min(LOOK_S, left_s))


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
        with Session(connection, expire_on_commit=False, info={_READ: {}}) as session:
            yield session
            session.rollback()


def once(session: Session, key: Hashable, read: Callable[[], _T]) -> _T:
    """What `read` gives; in a session for reading only, the same value for the same key again.

    Such a session sees one state of the database all along.  Whoever takes the value leaves it as
    it is.
    """
    known = session.info.get(_READ)
    if known is None:
        return read()
    if key not in known:
        known[key] = read()
    found: _T = known[key]
    return found


def rows_of(session: Session, table: type[_Row]) -> Sequence[_Row]:
    """Every row of a small table, by its key; read `once` in a session that only reads."""
    query = select(table).order_by(*inspect(table).primary_key)
    return once(session, ("rows", table), lambda: session.scalars(query).all())
