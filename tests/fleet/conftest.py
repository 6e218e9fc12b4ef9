"""Fixtures of the fleet: a seeded installation and its actors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import accounts, db, schema
from droneteam.accounts import Actor
from droneteam.db import session_scope
from droneteam.fleet import service
from droneteam.fleet.service import RequestDraft, RequestKind

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
"""A Monday, 10:00 in Brussels."""

Actors = dict[str, Actor]


def seed(engine: Engine) -> Actors:
    """The reference data and users who never sign in (hashing a password takes long)."""
    made = {
        "north": ("5344", "requester"),
        "midi": ("5341", "requester"),
        "coordinator": ("DRONE", "coordinator"),
        "second": ("DRONE", "coordinator"),
        "pilot": ("DRONE", "pilot"),
        "manager": ("DRONE", "manager"),
    }
    with session_scope(engine) as session:
        service.seed_reference(session, NOW)
        return {login: _user(session, login, *facts) for login, facts in made.items()}


def _user(session: Session, login: str, code: str, role: str) -> Actor:
    row = accounts.User(
        organisation_id=accounts.organisation_by_code(session, code).id,
        login=login,
        display_name=f"user {login}",
        language="en",
        roles=[accounts.Role(name=role)],
    )
    session.add(row)
    session.flush()
    return accounts.actor_of(row)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Actors]:
    """A seeded database that each test copies."""
    path = tmp_path_factory.mktemp("fleet") / "seeded.db"
    engine = db.make_engine(f"sqlite:///{path}")
    schema.create_all(engine)
    actors = seed(engine)
    engine.dispose()
    return path, actors


@pytest.fixture
def actors(seeded: tuple[Path, Actors]) -> Actors:
    return seeded[1]


@pytest.fixture
def fleet_engine(seeded: tuple[Path, Actors], tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "fleet.db"
    shutil.copy(seeded[0], path)
    engine = db.make_engine(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture
def session(fleet_engine: Engine) -> Iterator[Session]:
    with session_scope(fleet_engine) as opened:
        yield opened


DEMONSTRATION = RequestDraft(
    kind=RequestKind.DEMONSTRATION,
    title="Demonstration, city centre",
    priority="P3",
    start_at=NOW + timedelta(days=1, hours=4),
    end_at=NOW + timedelta(days=1, hours=7),
    lat_deg=50.8467,
    lon_deg=4.3525,
    polygon=(),
    legal_basis="Police Functions Act, art. 25/3",
    contact="duty officer, +32 2 000 00 00",
)
ACCIDENT = replace(
    DEMONSTRATION,
    kind=RequestKind.PHOTOGRAMMETRY,
    title="Road accident with two cars",
    priority="P2",
    start_at=NOW + timedelta(days=1, hours=4),
    end_at=NOW + timedelta(days=1, hours=8),
    lat_deg=50.81970,
    lon_deg=4.39080,
)


@pytest.fixture
def submit(session: Session, actors: Actors) -> Callable[..., int]:
    """Submits a demonstration, changed as asked, for a zone."""

    def submitted(
        who: str = "north", draft: RequestDraft = DEMONSTRATION, **changes: object
    ) -> int:
        changed = replace(draft, **changes)  # type: ignore[arg-type]
        return service.submit_request(session, actors[who], changed, NOW).id

    return submitted
