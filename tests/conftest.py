"""Fixtures that every package's tests share: real databases, settings and actors."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from droneteam import db, schema
from droneteam.settings import Settings

POSTGRES_START_S = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an installation of its own, on SQLite."""
    return Settings(
        data_dir=tmp_path / "data",
        database_url=f"sqlite:///{tmp_path / 'test.db'}",
        secret_key="only for tests " * 3,
        lease_s=2.0,
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with every table; copying it is much faster than making it."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    engine = db.make_engine(f"sqlite:///{path}")
    schema.create_all(engine)
    engine.dispose()
    return path


@pytest.fixture
def sqlite_engine(settings: Settings, sqlite_template: Path) -> Iterator[Engine]:
    """A new SQLite database with every table."""
    shutil.copyfile(sqlite_template, settings.database_url.removeprefix("sqlite:///"))
    engine = db.make_engine(settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A new database with every table; each test runs on SQLite and on PostgreSQL."""
    fixture: Engine = request.getfixturevalue(f"{request.param}_engine")
    return fixture


@pytest.fixture
def postgresql_engine(postgresql_url: str, postgresql_template: str) -> Iterator[Engine]:
    """A new PostgreSQL database with every table."""
    name = f"t{time.monotonic_ns()}"
    _administer(postgresql_url, f"CREATE DATABASE {name} TEMPLATE {postgresql_template}")
    engine = db.make_engine(_database(postgresql_url, name))
    yield engine
    engine.dispose()
    _administer(postgresql_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_url: str) -> str:
    """The name of a database with every table, to be copied."""
    name = "template_droneteam"
    _administer(postgresql_url, f"CREATE DATABASE {name}")
    engine = db.make_engine(_database(postgresql_url, name))
    schema.create_all(engine)
    engine.dispose()
    return name


def _administer(url: str, statement: str) -> None:
    engine = db.make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    engine.dispose()


def _database(url: str, name: str) -> str:
    return url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A PostgreSQL server of the test session's own, on loopback."""
    binaries = _postgresql_binaries()
    if binaries is None:
        pytest.skip("this machine has no PostgreSQL server (Debian: postgresql)")
    with tempfile.TemporaryDirectory(prefix="droneteam-pg-") as folder:
        Path(folder).chmod(0o755)
        data, port = Path(folder) / "data", _free_port()
        data.mkdir()
        as_owner = _unprivileged(data)
        _run([*as_owner, binaries / "initdb", "-D", data, "-U", "droneteam", "-A", "trust"])
        values = [f"port={port}", "listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off"]
        options = [part for value in values for part in ("-c", value)]
        command = [*as_owner, binaries / "postgres", "-D", data, *options, "-k", data]
        with subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                url = f"postgresql://droneteam@127.0.0.1:{port}/postgres"
                _wait_for(url)
                yield url
            finally:
                server.terminate()
                server.wait(timeout=120)


def _postgresql_binaries() -> Path | None:
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def _unprivileged(data: Path) -> list[str]:
    """The prefix that runs a command as a user whom PostgreSQL accepts; it refuses root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(data, "postgres", "postgres")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _run(command: list[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(url: str) -> None:
    engine = db.make_engine(url)
    deadline = time.monotonic() + POSTGRES_START_S
    while True:
        try:
            with engine.connect():
                break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    engine.dispose()
