"""A seeded installation with one assignment at the place of an accident."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from droneteam import accounts
from droneteam.accounts import Actor, NewUser
from droneteam.db import session_scope
from droneteam.fleet import service as fleet
from droneteam.geo import EnuFrame, GeoPoint
from droneteam.missions import service as missions
from droneteam.missions.fieldlog import CHECKS
from droneteam.missions.items import HomePoint
from droneteam.missions.planner.plan import GeoPolygon, SurveyParams
from droneteam.missions.views import MissionSpec

NOW = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
PLACE = HomePoint(50.81964215, 4.39053806, 56.4)
"""Where the simulator's fleet stands in the world "accident"."""
ORIGIN = EnuFrame(GeoPoint(50.81970, 4.39080))


def area(*corners_m: tuple[float, float]) -> GeoPolygon:
    """Corners given in metres east and north of the accident's origin."""
    enu = np.column_stack([np.array(corners_m, dtype=float), np.zeros(len(corners_m))])
    return tuple((lat, lon) for lat, lon in ORIGIN.geodetic_from_enu(enu)[:, :2].tolist())


SCENE = area((-15.0, -5.5), (15.0, -5.5), (15.0, 5.5), (-15.0, 5.5))
SPEC = MissionSpec(params=SurveyParams(gsd_m=0.010, max_photos=60), home=PLACE)


@dataclass(frozen=True)
class Office:
    """A seeded database, its people, and an assignment for the accident."""

    engine: Engine
    pilot: Actor
    coordinator: Actor
    requester: Actor
    stranger: Actor
    assignment_id: int
    request_id: int


def draft(**changes: object) -> fleet.RequestDraft:
    fields: dict[str, object] = {
        "kind": fleet.RequestKind.PHOTOGRAMMETRY,
        "title": "Road accident",
        "priority": "P1",
        "start_at": NOW + timedelta(hours=4),
        "end_at": NOW + timedelta(hours=6),
        "lat_deg": PLACE.lat_deg,
        "lon_deg": PLACE.lon_deg,
        "polygon": SCENE,
        "legal_basis": "order of the public prosecutor",
        "contact": "officer on the scene",
    }
    return fleet.RequestDraft(**(fields | changes))  # type: ignore[arg-type]


def _office(engine: Engine) -> Office:
    with session_scope(engine) as session:
        fleet.seed_reference(session, NOW)

        def person(login: str, code: str, role: str) -> Actor:
            new = NewUser(login, login, code, (role,), "a long enough password")
            return accounts.add_user(session, new)

        codes = {one.code: one for one in accounts.organisations(session)}
        team = next(code for code, one in codes.items() if one.kind == "drone_team")
        pilot = person("pilot-3", team, "pilot")
        coordinator = person("coordinator-1", team, "coordinator")
        requester = person("zone-a", "5339", "requester")
        stranger = person("zone-b", "5341", "requester")
        request = fleet.submit_request(session, requester, draft(), NOW)
        booking = fleet.book_request(session, coordinator, request.id, NOW)
        assert booking.assignment is not None, booking.reasons
    return Office(
        engine, pilot, coordinator, requester, stranger, booking.assignment.id, request.id
    )


def answer_checklist(
    session: Session, actor: Actor, mission_id: int, at: datetime, **answers: str
) -> None:
    """The crew looks at everything and finds it well, but for what `answers` says of an item."""
    known = missions.field_log(session, actor, mission_id).current
    heads = {one.item: one.key for one in known if one.kind == "check"}
    entries = [
        missions.NewEntry(
            str(uuid.uuid4()),
            missions.FieldKind.CHECK,
            item,
            answers.get(item, "yes"),
            at,
            heads.get(item, ""),
        )
        for item in CHECKS
        if answers.get(item) != "open"
    ]
    missions.record_entries(session, actor, mission_id, entries, at)


@pytest.fixture
def office(sqlite_engine: Engine) -> Office:
    """The office on SQLite."""
    return _office(sqlite_engine)


@pytest.fixture
def any_office(engine: Engine) -> Office:
    """The office on each database."""
    return _office(engine)
