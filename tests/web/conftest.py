"""A web application on a database of its own, with one user per role and two zones."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from apiflask import APIFlask
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Engine

from droneteam import accounts, db, schema, sessions
from droneteam.accounts import ROLES, Actor
from droneteam.fleet import service as fleet
from droneteam.settings import Settings
from droneteam.web.app import create_app
from droneteam.web.views.account import SESSION_KEY

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
"""A Monday morning, 10:00 in Brussels."""
PASSWORD = "correct horse battery"
ZONE = "5339"
OTHER_ZONE = "5342"
SECRET = "only for tests " * 3


class CompiledTemplates(BytecodeCache):
    """Templates are compiled once for all the tests' applications, not once for each."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


@dataclass(slots=True)
class Clock:
    """The application's time, moved by hand."""

    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **step: float) -> None:
        self.at += timedelta(**step)


@dataclass(slots=True)
class Site:
    """An application under test."""

    app: APIFlask
    engine: Engine
    settings: Settings
    clock: Clock

    def actor(self, login: str) -> Actor:
        with db.read_scope(self.engine) as session:
            return accounts.actor_for_login(session, login)

    def client(self, login: str | None = None, language: str = "en") -> FlaskClient:
        """A browser, signed in as that login; without its cookies' password rounds."""
        client = self.app.test_client()
        client.set_cookie("language", language)
        if login is not None:
            with db.session_scope(self.engine) as session:
                row = accounts.user_by_login(session, login)
                assert row is not None, login
                key = sessions.open_browser(session, row.id, "test", self.clock())
            with client.session_transaction() as kept:
                kept[SESSION_KEY] = key
        return client


def logins() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Login → organisation and roles: one per role, and a requester of another zone."""
    team = {role: ("DT", (role,)) for role in ROLES if role != "requester"}
    return {
        **team,
        "requester": (ZONE, ("requester",)),
        "neighbour": (OTHER_ZONE, ("requester",)),
    }


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the reference data and the users; each test gets a copy."""
    path = tmp_path_factory.mktemp("seeded") / "seeded.db"
    # Real hashes cost 50 ms each, on purpose; here they would only cost time.
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts._hasher, accounts._DUMMY_HASH = cheap, cheap.hash("nobody")
    engine = db.make_engine(f"sqlite:///{path}")
    schema.create_all(engine)
    with db.session_scope(engine) as session:
        fleet.seed_reference(session, NOW)
        team = next(row.code for row in accounts.organisations(session) if row.kind == "drone_team")
        for login, (code, roles) in logins().items():
            accounts.add_user(
                session,
                accounts.NewUser(
                    login=login,
                    display_name=f"{login} 1",
                    organisation_code=team if code == "DT" else code,
                    roles=roles,
                    password=PASSWORD,
                    language="en",
                ),
            )
    # The last connection to close writes the log back into the one file that is copied.
    engine.dispose()
    return path


def open_site(seeded: Path, folder: Path) -> Site:
    """An application on a copy of the seeded database, below the folder."""
    shutil.copy(seeded, folder / "web.db")
    settings = Settings(
        data_dir=folder / "data",
        database_url=f"sqlite:///{folder / 'web.db'}",
        secret_key=SECRET,
    )
    engine = db.make_engine(settings.database_url)
    clock = Clock()
    app = create_app(settings, engine, clock=clock)
    app.config["RATELIMIT_ENABLED"] = False
    app.jinja_env.bytecode_cache = COMPILED
    return Site(app, engine, settings, clock)


@pytest.fixture
def site(seeded: Path, tmp_path: Path) -> Iterator[Site]:
    """An application of the test's own."""
    opened = open_site(seeded, tmp_path)
    yield opened
    opened.engine.dispose()


def csrf_token(client: FlaskClient, path: str = "/account") -> str:
    """The token that a page's forms carry."""
    text = client.get(path).get_data(as_text=True)
    return text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
