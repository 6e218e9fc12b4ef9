"""A database as one file and back: SQLite's own online copy, PostgreSQL's pg_dump, pg_restore."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from droneteam import audit, db
from droneteam.errors import Conflict, SetupError

SQLITE_NAME = "database.sqlite"
POSTGRESQL_NAME = "database.pgdump"


def copy_database(engine: Engine, folder: Path) -> Path:
    """The copy, consistent within itself while others go on writing.

    Raises
    ------
    SetupError
        pg_dump is missing or fails.
    """
    if engine.dialect.name == "sqlite":
        return _copy_sqlite(engine, folder / SQLITE_NAME)
    target = folder / POSTGRESQL_NAME
    _run(engine.url, "pg_dump", "--format=custom", "--no-owner", "--file", str(target))
    return target


def _copy_sqlite(engine: Engine, target: Path) -> Path:
    import pysqlite3.dbapi2 as sqlite

    source = engine.raw_connection()
    copy = sqlite.connect(str(target))
    try:
        assert source.driver_connection is not None
        source.driver_connection.backup(copy)
        # One file, without a log beside it, whatever the source does.
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()
        source.close()
    return target


def problems_of(copy: Path) -> list[str]:
    """What is wrong with a copy; empty when it can be relied on.

    A PostgreSQL copy is only read through: its audit chain can be walked once it is restored.

    Raises
    ------
    SetupError
        pg_restore is missing.
    """
    if copy.name == POSTGRESQL_NAME:
        done = _ran(["pg_restore", "--file", os.devnull, str(copy)], {})
        return [] if done.returncode == 0 else [f"{copy.name}: {done.stderr.strip()}"]
    with tempfile.TemporaryDirectory() as folder:
        beside = Path(folder) / copy.name
        shutil.copyfile(copy, beside)
        return [f"{copy.name}: {problem}" for problem in _sqlite_problems(beside)]


def _sqlite_problems(path: Path) -> list[str]:
    import pysqlite3.dbapi2 as sqlite

    engine = db.make_engine(f"sqlite:///{path}")
    try:
        with db.read_scope(engine) as session:
            found = session.connection().exec_driver_sql("PRAGMA integrity_check").scalars().all()
            if found != ["ok"]:
                return [str(line) for line in found]
            broken = audit.verify(session)
    except (DBAPIError, sqlite.DatabaseError, ValueError) as error:
        # A damaged file fails wherever it is first read; what it says is the problem.
        return [f"cannot be read: {error}"]
    finally:
        engine.dispose()
    return [f"the audit chain breaks at entry {broken[0]}"] if broken else []


def restore_database(copy: Path, database_url: str) -> None:
    """Nothing; the copy is now the database of that address.

    Raises
    ------
    Conflict
        There are tables already.
    SetupError
        The copy is of the other kind of database, or pg_restore is missing or fails.
    """
    url = make_url(database_url)
    backend = url.get_backend_name()
    if (backend == "sqlite") != (copy.name == SQLITE_NAME):
        raise SetupError(f"{copy.name} is no copy of a {backend} database; set DRONETEAM_DATABASE")
    if backend == "sqlite":
        assert url.database is not None
        target = Path(url.database)
        if target.exists():
            raise Conflict(f"{target} is there already")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, target)
        return
    _require_empty(url)
    _run(url, "pg_restore", "--no-owner", "--exit-on-error", "--single-transaction",
         "--dbname", url.database or "", str(copy))  # fmt: skip


def _require_empty(url: URL) -> None:
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    try:
        tables = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if tables:
        raise Conflict(f"database {url.database} holds {tables[0]}; restore into an empty one")


def _run(url: URL, program: str, *arguments: str) -> None:
    """Runs one of PostgreSQL's programs on the database; its password is never an argument."""
    known = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": None if url.port is None else str(url.port),
        "PGUSER": url.username,
        "PGPASSWORD": None if url.password is None else str(url.password),
        "PGDATABASE": url.database,
    }
    done = _ran([program, *arguments], {name: str(value) for name, value in known.items() if value})
    if done.returncode != 0:
        raise SetupError(f"{program} failed: {done.stderr.strip()}")


def _ran(command: Sequence[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, env={**os.environ, **environ}, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise SetupError(f"{command[0]} is not installed (Debian: postgresql-client)") from None
