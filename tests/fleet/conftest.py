"""Fixtures of the fleet: a seeded installation and its actors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import accounts
from droneteam.accounts import Actor, NewUser
from droneteam.db import session_scope
from droneteam.fleet import service
from droneteam.fleet.service import RequestDraft, RequestKind

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
"""A Monday, 10:00 in Brussels."""
PASSWORD = "a long enough password"

Actors = dict[str, Actor]


def seed(engine: Engine) -> Actors:
    """The reference data and one user of each role that the tests need."""
    with session_scope(engine) as session:
        service.seed_reference(session, NOW)
        made = {
            "north": ("5344", "requester"),
            "midi": ("5341", "requester"),
            "coordinator": ("DRONE", "coordinator"),
            "second": ("DRONE", "coordinator"),
            "pilot": ("DRONE", "pilot"),
            "manager": ("DRONE", "manager"),
        }
        return {
            login: accounts.add_user(
                session,
                NewUser(login, f"user {login}", code, (role,), PASSWORD, "en"),
            )
            for login, (code, role) in made.items()
        }


@pytest.fixture
def actors(sqlite_engine: Engine) -> Actors:
    return seed(sqlite_engine)


@pytest.fixture
def session(sqlite_engine: Engine, actors: Actors) -> Iterator[Session]:
    with session_scope(sqlite_engine) as opened:
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
