"""Ends and due dates are told ahead, once each, until somebody has seen them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from droneteam.accounts import SYSTEM
from droneteam.commands.watch import watch_once
from droneteam.db import read_scope, session_scope
from droneteam.errors import Conflict, NotAllowed, NotFound
from droneteam.fleet import models, service
from droneteam.fleet.agreement.hours import to_local
from droneteam.fleet.assets.notices import NoticeView
from droneteam.fleet.explanations import explain
from tests.fleet.conftest import NOW, Actors

DAY = timedelta(days=1)
TODAY = to_local(NOW).date()


def raised(session: Session, days: int = 0) -> list[tuple[str, str]]:
    found = service.raise_notices(session, SYSTEM, NOW + days * DAY)
    return [(row.subject, row.reason.code) for row in found]


def licence(session: Session, pilot_id: int, kind: str) -> models.Credential:
    query = select(models.Credential).where(
        models.Credential.pilot_id == pilot_id, models.Credential.kind == kind
    )
    return session.scalars(query.order_by(models.Credential.id)).first() or pytest.fail("none")


def test_a_fresh_registry_has_nothing_to_tell(session: Session) -> None:
    assert raised(session) == []


def test_a_licence_near_its_end_is_told_once_and_again_after_its_renewal(
    session: Session, actors: Actors
) -> None:
    licence(session, 3, "A2").valid_until = TODAY + 20 * DAY
    assert raised(session) == [("pilot:3", "pilot.expires_soon")]
    assert raised(session) == []
    days = (TODAY, TODAY + 25 * DAY)
    service.add_credential(session, actors["coordinator"], 3, "A2", "new", days, NOW)
    assert raised(session) == [("pilot:3", "pilot.expires_soon")]  # another end, told anew
    days = (TODAY, TODAY + 999 * DAY)
    service.add_credential(session, actors["coordinator"], 3, "A2", "newer", days, NOW)
    assert raised(session) == []
    assert service.list_notices(session, actors["coordinator"], NOW) == []


def test_hours_cycles_and_calendar_bring_a_service_near_and_then_due(
    session: Session, actors: Actors
) -> None:
    drone = session.get_one(models.Drone, 1)
    drone.flight_h = 46.0  # of the 50 h of an inspection
    assert raised(session) == [("drone:1", "drone.service_soon")]
    drone.flight_h = 47.0
    assert raised(session) == []
    drone.flight_h = 50.0
    assert raised(session) == [("drone:1", "drone.service_overdue")]
    service.record_service(session, actors["pilot"], 1, "inspection", "done", NOW)
    assert service.list_notices(session, actors["pilot"], NOW) == []
    drone.flight_h = 96.0
    assert raised(session) == [("drone:1", "drone.service_soon")]  # of the next interval


def test_recent_experience_that_lapses_soon_warns_and_then_grounds(session: Session) -> None:
    session.query(models.PilotFlight).delete()
    for ago in (10, 20, 80):
        session.add(models.PilotFlight(pilot_id=2, flown_on=TODAY - ago * DAY))
    for pilot in session.query(models.Pilot):
        pilot.active = pilot.id == 2
    session.flush()
    assert raised(session) == [("pilot:2", "pilot.currency_soon")]
    assert raised(session, 10) == []
    assert raised(session, 11) == [("pilot:2", "pilot.not_current")]


def test_a_pack_warns_by_cycles_and_by_health(session: Session, actors: Actors) -> None:
    first, second = session.get_one(models.Battery, 1), session.get_one(models.Battery, 2)
    first.cycles, second.health_pct = 361, 85  # of 400 rated cycles
    assert sorted(raised(session)) == [
        ("battery:1", "pack.worn_soon"),
        ("battery:2", "pack.worn_soon"),
    ]
    service.retire_pack(session, actors["coordinator"], 1, "old", NOW)
    (left,) = service.list_notices(session, actors["coordinator"], NOW)
    assert left.subject == "battery:2"


def test_the_retired_and_the_inactive_are_left_in_peace(session: Session) -> None:
    licence(session, 3, "A2").valid_until = TODAY + DAY
    session.get_one(models.Pilot, 3).active = False
    drone = session.get_one(models.Drone, 1)
    drone.flight_h, drone.retired = 999.0, True
    assert raised(session) == []


def test_a_seen_notice_is_off_the_board_with_its_reader_on_record(
    session: Session, actors: Actors
) -> None:
    licence(session, 3, "A2").valid_until = TODAY + 20 * DAY
    raised(session)
    coordinator = actors["coordinator"]
    (notice,) = service.list_notices(session, coordinator, NOW)
    assert isinstance(notice, NoticeView)
    for language in ("fr", "nl", "en"):
        assert "pilot 3" in explain.sentence(notice.reason, language)
    with pytest.raises(NotAllowed):
        service.see_notice(session, actors["pilot"], notice.id, NOW)
    service.see_notice(session, coordinator, notice.id, NOW)
    assert service.list_notices(session, coordinator, NOW) == []
    assert session.get_one(models.RegistryNotice, notice.id).seen_by == coordinator.user_id
    with pytest.raises(Conflict):
        service.see_notice(session, coordinator, notice.id, NOW)
    with pytest.raises(NotFound):
        service.see_notice(session, coordinator, 99, NOW)
    with pytest.raises(NotAllowed):
        service.list_notices(session, actors["north"], NOW)


def test_the_watch_tells_each_thing_once_however_often_it_looks(fleet_engine: Engine) -> None:
    with session_scope(fleet_engine) as session:
        licence(session, 3, "A2").valid_until = TODAY + 20 * DAY
    assert watch_once(fleet_engine, NOW) == 1
    assert watch_once(fleet_engine, NOW) == 0
    assert watch_once(fleet_engine, NOW + DAY) == 0
    with read_scope(fleet_engine) as session:
        assert len(service.list_notices(session, SYSTEM, NOW)) == 1
